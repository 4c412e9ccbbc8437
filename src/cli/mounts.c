// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mounting and unmounting. The daemon makes the file system and hands it over detached; it is put
 * in its place from here, so in the caller's mount namespace and with the caller's rights.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <wire/paths.h>

#include "cli.h"

#define CPUSET_OPTIONS "cpuset,noprefix,release_agent=/sbin/cpuset_release_agent"

/* ---- option strings --------------------------------------------------------------------------- */

bool cli_take_option(char *options, const char *word, char **value)
{
	char *from = options, *to = options;
	size_t len = strlen(word), n;
	bool found = false, more, kept = false;

	do {
		n = strcspn(from, ",");
		more = from[n] == ',';
		if (!strncmp(from, word, len) && (n == len || (n > len && from[len] == '='))) {
			found = true;
			if (value) {
				free(*value);
				*value = n > len ? strndup(from + len + 1, n - len - 1) :
						   strdup("");
			}
		} else {
			if (kept)
				*to++ = ',';
			memmove(to, from, n);
			to += n;
			kept = true;
		}
		from += n + 1;
	} while (more);
	*to = '\0';
	return found;
}

/* What the kernel shows of every mount of ours, and mount(8) hands back on a remount. */
static void drop_fuse_options(char *options)
{
	static const char *const words[] = {"user_id",	   "group_id", "default_permissions",
					    "allow_other", "max_read", "blksize"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cli_take_option(options, words[i], NULL);
}

/* ---- mounting --------------------------------------------------------------------------------- */

static int enter_ns(struct cli *cli, const char *ns)
{
	char path[64];
	int fd;

	if (!ns)
		return 0;
	if (isdigit(ns[0])) {
		snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", ns);
		ns = path;
	}
	fd = open(ns, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNS)) {
		cli_fail(cli, "cannot enter the mount namespace %s: %m", ns);
		if (fd >= 0)
			close(fd);
		return CLI_FAILED;
	}
	close(fd);
	return 0;
}

static int check_dir(const struct cli *cli, const char *dir)
{
	struct stat st;

	if (stat(dir, &st))
		return cli_fail(cli, "cannot mount on %s: %m; make the directory first", dir);
	if (!S_ISDIR(st.st_mode))
		return cli_fail(cli, "cannot mount on %s: Not a directory", dir);
	return 0;
}

static int attach(struct cli *cli, int fd, const struct mount_args *m)
{
	if (enter_ns(cli, m->ns))
		return CLI_FAILED;
	if (move_mount(fd, "", AT_FDCWD, m->dir, MOVE_MOUNT_F_EMPTY_PATH))
		return cli_fail(cli, "cannot mount on %s: %m", m->dir);
	return 0;
}

static int set_type(struct cli *cli, const struct mount_args *m, char **options,
		    unsigned int *flags)
{
	const char *own = m->options ? m->options : "";
	int n;

	*flags = 0;
	if (!m->type || !strcmp(m->type, "ucgroup"))
		n = asprintf(options, "%s", own);
	else if (!strcmp(m->type, "ucgroup-cpuset"))
		n = asprintf(options, "%s%s%s", CPUSET_OPTIONS, *own ? "," : "", own);
	else if (!strcmp(m->type, "proc")) {
		*flags = UCGROUP_MOUNT_PROC;
		n = asprintf(options, "%s", own);
	} else {
		cli_fail(cli, "unknown type '%s': it is ucgroup, ucgroup-cpuset or proc", m->type);
		return CLI_USAGE;
	}
	return n < 0 ? cli_fail(cli, "out of memory") : 0;
}

int cli_mount(struct cli *cli, const struct mount_args *m)
{
	char *options = NULL, *what = NULL;
	unsigned int flags;
	int rc, fd;

	rc = set_type(cli, m, &options, &flags);
	if (!rc && !m->ns)
		rc = check_dir(cli, m->dir);
	if (!rc && !m->fake)
		rc = cli_connect(cli);
	if (rc || m->fake)
		goto out;
	rc = ucgroup_mount(cli->c, options, m->source, flags, &fd, &what);
	if (rc) {
		rc = what ? cli_fail(cli, "cannot mount on %s: %s: %s", m->dir, strerror(-rc),
				     what) :
			    cli_fail(cli, "cannot mount on %s: %s", m->dir, strerror(-rc));
		goto out;
	}
	rc = attach(cli, fd, m);
	close(fd);
	/* Not attached, it went with its descriptor; the daemon is to know before we say so. */
	if (rc)
		ucgroup_sync(cli->c);
out:
	free(what);
	free(options);
	return rc;
}

/* ---- remounting ------------------------------------------------------------------------------- */

/* What of mount(8)'s options is about this one mount, and not about the hierarchy. */
static void change_attributes(const char *options, const char *dir)
{
	static const struct {
		const char *name;
		uint64_t set, clear;
	} words[] = {
		{"ro", MOUNT_ATTR_RDONLY, 0},	  {"rw", 0, MOUNT_ATTR_RDONLY},
		{"nosuid", MOUNT_ATTR_NOSUID, 0}, {"suid", 0, MOUNT_ATTR_NOSUID},
		{"nodev", MOUNT_ATTR_NODEV, 0},	  {"dev", 0, MOUNT_ATTR_NODEV},
		{"noexec", MOUNT_ATTR_NOEXEC, 0}, {"exec", 0, MOUNT_ATTR_NOEXEC},
	};
	struct mount_attr attr = {0};
	char *copy = strdup(options);
	size_t i;

	for (i = 0; copy && i < sizeof(words) / sizeof(words[0]); i++) {
		if (!cli_take_option(copy, words[i].name, NULL))
			continue;
		attr.attr_set |= words[i].set;
		attr.attr_clr |= words[i].clear;
	}
	attr.attr_clr &= ~attr.attr_set;
	if (attr.attr_set || attr.attr_clr)
		mount_setattr(AT_FDCWD, dir, 0, &attr, sizeof(attr));
	free(copy);
}

int cli_remount(struct cli *cli, const char *options, const char *dir)
{
	char *own = strdup(options ? options : ""), *what = NULL;
	int rc;

	if (!own)
		return cli_fail(cli, "out of memory");
	cli_take_option(own, "remount", NULL);
	drop_fuse_options(own);
	rc = cli_connect(cli);
	if (!rc) {
		rc = ucgroup_remount(cli->c, dir, own, &what);
		if (rc)
			rc = cli_fail(cli, "cannot remount %s: %s%s%s", dir,
				      what ? strerror(-rc) : cli_reason(cli, rc), what ? ": " : "",
				      what ? what : "");
		else
			change_attributes(own, dir);
	}
	free(what);
	free(own);
	return rc;
}

/* ---- unmounting ------------------------------------------------------------------------------- */

static void sync_one(const char *instance)
{
	struct ucgroup *c;

	if (ucgroup_connect(instance, &c, NULL))
		return;
	ucgroup_sync(c);
	ucgroup_close(c);
}

/* The mount does not tell whose it was: each daemon that runs is asked to look. */
static void sync_all(void)
{
	struct dirent *e;
	char base[PATH_MAX];
	DIR *dir;

	if (paths_base(geteuid(), base, sizeof(base)))
		return;
	dir = opendir(base);
	while (dir && (e = readdir(dir)))
		if (paths_instance_valid(e->d_name))
			sync_one(e->d_name);
	if (dir)
		closedir(dir);
}

int cli_umount(struct cli *cli, const char *dir, int flags, const char *ns)
{
	if (enter_ns(cli, ns))
		return CLI_FAILED;
	if (umount2(dir, flags)) {
		if (errno == EBUSY)
			return cli_fail(
				cli,
				"cannot unmount %s: %m; a process has a file or its working "
				"directory there, or there is a mount below: end that, or "
				"use -l",
				dir);
		if (errno == EINVAL)
			return cli_fail(cli, "cannot unmount %s: %m; it is not a mount point", dir);
		return cli_fail(cli, "cannot unmount %s: %m", dir);
	}
	/* So that what comes next finds the daemon's view without the mount. */
	if (cli->instance_given)
		sync_one(cli->instance);
	else
		sync_all();
	return 0;
}

/* ---- the commands ----------------------------------------------------------------------------- */

struct cmd_args {
	struct mount_args m;
	char *options; /* all -o, joined */
	char **dirs;
	int n_dirs, flags;
};

static void add_options(struct cmd_args *a, const char *more, struct argp_state *state)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", a->options ? a->options : "", a->options ? "," : "", more) <
	    0)
		argp_failure(state, CLI_FAILED, ENOMEM, "options");
	free(a->options);
	a->options = joined;
}

static error_t parse_mount(int key, char *arg, struct argp_state *state)
{
	struct cmd_args *a = state->input;

	switch (key) {
	case 't':
		a->m.type = arg;
		return 0;
	case 'o':
		add_options(a, arg, state);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "'%s': one SOURCE and one DIR are enough", arg);
		a->m.source = a->m.dir;
		a->m.dir = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "the directory to mount on is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_mount(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{NULL, 't', "TYPE", 0,
		 "ucgroup (default), ucgroup-cpuset, or proc: a view of /proc", 0},
		{NULL, 'o', "OPTIONS", 0, "Subsystems, none, name=NAME, release_agent=PATH, …", 0},
		{0},
	};
	struct cmd_args a = {0};
	int rc;

	cli_parse("mount", options, parse_mount, "[SOURCE] DIR", "Shows a hierarchy in DIR.", 0,
		  argc, argv, &a);
	a.m.options = a.options;
	if (a.options && cli_take_option(strdupa(a.options), "remount", NULL))
		rc = cli_remount(cli, a.options, a.m.dir);
	else
		rc = cli_mount(cli, &a.m);
	free(a.options);
	return rc;
}

int cmd_remount(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{NULL, 'o', "OPTIONS", 0, "As for mount; name= and noprefix cannot change", 0},
		{0},
	};
	struct cmd_args a = {0};
	int rc;

	cli_parse("remount", options, parse_mount, "[SOURCE] DIR",
		  "Changes the subsystems or the release agent of the hierarchy at DIR.", 0, argc,
		  argv, &a);
	rc = cli_remount(cli, a.options, a.m.dir);
	free(a.options);
	return rc;
}

static error_t parse_umount(int key, char *arg, struct argp_state *state)
{
	struct cmd_args *a = state->input;

	(void)arg;
	switch (key) {
	case 'l':
		a->flags |= MNT_DETACH;
		return 0;
	case 'f':
		a->flags |= MNT_FORCE;
		return 0;
	case ARGP_KEY_ARGS:
		a->dirs = state->argv + state->next;
		a->n_dirs = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "the directory to unmount is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_umount(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{NULL, 'l', NULL, 0, "Lazily: out of sight now, ended when nobody uses it", 0},
		{NULL, 'f', NULL, 0, "By force", 0},
		{0},
	};
	struct cmd_args a = {0};
	int i, rc = 0;

	cli_parse("umount", options, parse_umount, "DIR…", "Takes mounts away.", 0, argc, argv, &a);
	for (i = 0; i < a.n_dirs; i++)
		rc |= cli_umount(cli, a.dirs[i], a.flags, NULL);
	return rc;
}
