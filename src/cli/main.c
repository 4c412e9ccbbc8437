// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ucgroup - everything a person does with task control groups. This file: the options before the
 * command, and the choice of the command.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wire/paths.h>

#include "cli.h"

const struct command commands[] = {
	{"mount", "[-t TYPE] [-o OPTIONS] [SOURCE] DIR", "show a hierarchy in a directory",
	 cmd_mount},
	{"umount", "[-l] [-f] DIR…", "take mounts away", cmd_umount},
	{"remount", "[-o OPTIONS] DIR", "change the subsystems or the release agent", cmd_remount},
	{"hierarchies", "", "list the hierarchies", cmd_hierarchies},
	{"tree", "[DIR]", "show the groups", cmd_tree},
	{"ps", "[DIR]", "show the processes in the groups", cmd_ps},
	{"exec", "[-r] DIR [--] COMMAND…", "start a command in a group", cmd_exec},
	{"attach", "[-t] DIR PID…", "move processes into a group", cmd_attach},
	{"kill", "[-s SIGNAL] DIR", "signal every process below, until none is left", cmd_kill},
	{"wait", "[-t SECONDS] DIR", "wait until a group is idle", cmd_wait},
	{"watch", "[DIR]", "show releases as they happen", cmd_watch},
	{"stats", "", "show the daemon's counters", cmd_stats},
	{"doctor", "", "say what this machine can do, and what is missing", cmd_doctor},
	{"shutdown", "", "stop the daemon and remove every trace of the instance", cmd_shutdown},
	{NULL, NULL, NULL, NULL},
};

/* ---- of one command --------------------------------------------------------------------------- */

void cli_parse(const char *command, const struct argp_option *options, argp_parser_t parser,
	       const char *args, const char *doc, unsigned int flags, int argc, char **argv,
	       void *input)
{
	struct argp argp = {options, parser, args, doc, NULL, NULL, NULL};
	char name[64];

	snprintf(name, sizeof(name), "ucgroup %s", command);
	argv[0] = name;
	argp_parse(&argp, argc, argv, flags, NULL, input);
}

/* ---- the program ------------------------------------------------------------------------------ */

enum { OPT_INSTANCE = 256, OPT_JSON };

static const struct argp_option options[] = {
	{"instance", OPT_INSTANCE, "NAME", 0,
	 "Use the instance NAME instead of $UCGROUP_INSTANCE or 'default'", 0},
	{"json", OPT_JSON, NULL, 0, "Print JSON, for programs", 0},
	{0},
};

struct global {
	struct cli *cli;
	int first; /* of the command's own arguments */
};

static error_t parse_global(int key, char *arg, struct argp_state *state)
{
	struct global *g = state->input;

	switch (key) {
	case OPT_INSTANCE:
		if (!paths_instance_valid(arg))
			argp_error(state,
				   "--instance=%s: 1 to %d of A-Z a-z 0-9 . _ -, not starting with "
				   "a dot",
				   arg, PATHS_INSTANCE_MAX);
		g->cli->instance = arg;
		g->cli->instance_given = true;
		return 0;
	case OPT_JSON:
		g->cli->json = true;
		return 0;
	case ARGP_KEY_ARG:
		/* The command; what follows is its own. */
		g->first = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing; --help lists them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *list_commands(int key, const char *text, void *input)
{
	const struct command *cmd;
	size_t size = 0;
	char *all = NULL;
	FILE *f;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	f = open_memstream(&all, &size);
	if (!f)
		return NULL;
	fprintf(f, "Commands:\n");
	for (cmd = commands; cmd->name; cmd++) {
		fprintf(f, "  %s %s\n", cmd->name, cmd->args);
		fprintf(f, "        %s\n", cmd->doc);
	}
	fprintf(f,
		"\nDIR is a directory under a ucgroup mount, or HIERARCHY:/PATH (a hierarchy's name "
		"or its comma-separated subsystems).\n"
		"Exit status: 0 done, 1 refused or failed, 2 bad usage.");
	fclose(f);
	return all;
}

static const struct command *find_command(const char *name)
{
	const struct command *cmd;

	for (cmd = commands; cmd->name; cmd++)
		if (!strcmp(cmd->name, name))
			return cmd;
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_global,
		.args_doc = "COMMAND [ARGUMENT…]",
		.doc = "Task control groups: named, nested groups of tasks.\v",
		.help_filter = list_commands,
	};
	struct cli cli = {.program = "ucgroup", .instance = getenv("UCGROUP_INSTANCE")};
	struct global g = {.cli = &cli};
	const struct command *cmd;
	int status;

	if (!cli.instance || !*cli.instance)
		cli.instance = PATHS_DEFAULT_INSTANCE;
	if (helper_main(basename(strdupa(argv[0])), argc, argv, &status))
		return status;
	argp_err_exit_status = CLI_USAGE;
	argp_program_version = "ucgroup " UCGROUP_VERSION;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &g);
	cmd = find_command(argv[g.first]);
	if (!cmd) {
		fprintf(stderr, "ucgroup: '%s' is no command; `ucgroup --help` lists them\n",
			argv[g.first]);
		return CLI_USAGE;
	}
	status = cmd->run(&cli, argc - g.first, argv + g.first);
	ucgroup_close(cli.c);
	/* Output that did not arrive is a failure, too. */
	if (fflush(stdout) || ferror(stdout))
		return cli_fail(&cli, "cannot write the output: %m");
	return status;
}
