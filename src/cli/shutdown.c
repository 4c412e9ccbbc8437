// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The shutdown command: the daemon ends itself; one that was killed is cleaned up after.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <wire/paths.h>

#include "cli.h"

static error_t parse_none(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "'%s': no arguments are taken", arg);
	return 0;
}

/* A mount whose daemon is gone answers everything with ENOTCONN, and serves nobody. */
static void unmount_dead(void *arg, const struct mount_entry *e)
{
	struct statfs st;

	(void)arg;
	if (!strcmp(e->type, "fuse.ucgroup") && statfs(e->point, &st) && errno == ENOTCONN)
		umount2(e->point, MNT_DETACH | UMOUNT_NOFOLLOW);
}

/* Nobody holds the lock, so nobody needs what is there. */
static int remove_run_dir(struct cli *cli)
{
	static const char *const names[] = {PATHS_SOCKET, PATHS_LOCK};
	char dir[PATH_MAX], path[PATH_MAX + 32], *slash;
	size_t i;
	int fd;

	if (paths_run_dir(geteuid(), cli->instance, dir, sizeof(dir)))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", dir, PATHS_LOCK);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return cli_fail(cli,
				"the daemon of instance '%s' does not answer but holds %s; end it "
				"with a signal, and try again",
				cli->instance, path);
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	slash = strrchr(dir, '/');
	*slash = '\0';
	rmdir(dir);
	if (fd >= 0)
		close(fd);
	return 0;
}

int cmd_shutdown(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {{0}};
	char *what = NULL;
	int rc;

	cli_parse("shutdown", options, parse_none, "",
		  "Unmounts everything of the instance, forgets its groups and stops its daemon.",
		  0, argc, argv, NULL);
	rc = cli_try_connect(cli, &what);
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		rc = remove_run_dir(cli);
		if (!rc) {
			mountinfo_each(unmount_dead, NULL);
			fprintf(stderr, "%s: no daemon of instance '%s' was running\n",
				cli->program, cli->instance);
		}
		return rc;
	}
	if (!rc)
		rc = ucgroup_shutdown(cli->c, &what);
	if (rc)
		cli_fail(cli, "cannot shut down instance '%s': %s", cli->instance,
			 what ? what : strerror(-rc));
	free(what);
	return rc ? CLI_FAILED : CLI_DONE;
}
