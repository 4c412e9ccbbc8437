/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli.h - the ucgroup command: what its files share.
 */
#ifndef UCGROUP_CLI_H
#define UCGROUP_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include <ucgroup/ucgroup.h>

/* Exit codes. */
#define CLI_DONE 0
#define CLI_FAILED 1
#define CLI_USAGE 2

struct cli {
	const char *program; /* at the head of messages */
	const char *instance;
	bool instance_given; /* on the command line */
	bool json;
	struct ucgroup *c; /* once connected */
	char reason[256];  /* of cli_reason() */
	char named[128];   /* the instance, when an option of mount(8) names it */
};

struct command {
	const char *name;
	const char *args; /* for the usage line */
	const char *doc;
	int (*run)(struct cli *cli, int argc, char **argv);
};
extern const struct command commands[]; /* ends with a NULL name */

/* ---- main.c ----------------------------------------------------------------------------------- */

/*
 * Parse the arguments of one command into INPUT. Ends the program with CLI_USAGE when they are
 * wrong. Option keys are the caller's; PARSER sees them and the arguments.
 */
void cli_parse(const char *command, const struct argp_option *options, argp_parser_t parser,
	       const char *args, const char *doc, unsigned int flags, int argc, char **argv,
	       void *input);

/* ---- connect.c -------------------------------------------------------------------------------- */

/* "PROGRAM: MESSAGE" to standard error. Returns CLI_FAILED. */
int cli_fail(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Why something about a cgroup failed, in words, with what to do where that is clear. */
const char *cli_reason(struct cli *cli, int error);

/* Connect; where no daemon is running, start one. 0, or CLI_FAILED and it has been said why. */
int cli_connect(struct cli *cli);
/* Connect to a running daemon. -errno; nothing is said. */
int cli_try_connect(struct cli *cli, char **what);
/* Where ucgroupd is, into BUF. false: it will be looked for in PATH. */
bool cli_find_daemon(char *buf, size_t size);
/*
 * Run ucgroupd with these arguments and wait until it ends or is ready. Its exit status, and in
 * *SAID what it printed, to be freed.
 */
int cli_run_daemon(struct cli *cli, const char *const *args, char **said);

/* ---- mounts.c --------------------------------------------------------------------------------- */

struct mount_args {
	const char *type; /* "ucgroup" (also NULL), "ucgroup-cpuset", "proc" */
	const char *options, *source, *dir;
	const char *ns; /* mount namespace to mount in: a path or a pid; NULL: ours */
	bool fake;
};
/* 0, or CLI_FAILED and it has been said why. */
int cli_mount(struct cli *cli, const struct mount_args *m);
int cli_remount(struct cli *cli, const char *options, const char *dir);
/* FLAGS as of umount2(2). Returns when the daemon has noticed. */
int cli_umount(struct cli *cli, const char *dir, int flags, const char *ns);
/*
 * Take the token WORD or WORD=VALUE out of comma-separated OPTIONS, in place. true: it was there;
 * *VALUE (may be NULL) points to what followed "=", to be freed.
 */
bool cli_take_option(char *options, const char *word, char **value);

int cmd_mount(struct cli *cli, int argc, char **argv);
int cmd_umount(struct cli *cli, int argc, char **argv);
int cmd_remount(struct cli *cli, int argc, char **argv);

/* ---- helper.c --------------------------------------------------------------------------------- */

/* Run as one of mount(8)'s helpers if that is what NAME says; *STATUS is then what to exit with. */
bool helper_main(const char *name, int argc, char **argv, int *status);

/* ---- mountinfo.c ------------------------------------------------------------------------------ */

struct mount_entry {
	char dev[32]; /* "MAJOR:MINOR" */
	const char *point, *type;
};
/* Calls FN for each mount of our mount namespace. -errno. */
int mountinfo_each(void (*fn)(void *arg, const struct mount_entry *e), void *arg);

/* ---- the commands ----------------------------------------------------------------------------- */

int cmd_hierarchies(struct cli *cli, int argc, char **argv); /* show.c */
int cmd_stats(struct cli *cli, int argc, char **argv);
int cmd_tree(struct cli *cli, int argc, char **argv); /* tree.c */
int cmd_ps(struct cli *cli, int argc, char **argv);
int cmd_exec(struct cli *cli, int argc, char **argv); /* tasks.c */
int cmd_attach(struct cli *cli, int argc, char **argv);
int cmd_kill(struct cli *cli, int argc, char **argv);
int cmd_wait(struct cli *cli, int argc, char **argv); /* watch.c */
int cmd_watch(struct cli *cli, int argc, char **argv);
int cmd_doctor(struct cli *cli, int argc, char **argv);	  /* doctor.c */
int cmd_shutdown(struct cli *cli, int argc, char **argv); /* shutdown.c */

/* Asks the daemon and parses what it says. NULL, and it has been said why. */
json_t *cli_query(struct cli *cli, enum ucgroup_query kind, const char *dir);
/* Prints JSON the way --json does: one document, indented. */
void cli_print_json(const json_t *json);

#endif
