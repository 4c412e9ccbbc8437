// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reaching the daemon, starting it where it is not running, and telling why something failed.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

#define START_TRIES 100 /* of 50 ms: another caller may be starting the daemon right now */

int cli_fail(const struct cli *cli, const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	fprintf(stderr, "%s: ", cli->program);
	va_start(ap, fmt);
	errno = error;
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAILED;
}

const char *cli_reason(struct cli *cli, int error)
{
	switch (error) {
	case -EXDEV:
		snprintf(cli->reason, sizeof(cli->reason),
			 "it is on no mount of instance '%s'; `ucgroup hierarchies` lists the "
			 "mounts, --instance chooses another instance",
			 cli->instance);
		return cli->reason;
	case -ENODEV:
		return "there is no such hierarchy; `ucgroup hierarchies` lists them";
	case -ENOTDIR:
		return "it is no group's directory";
	case -EBUSY:
		return "Device or resource busy: it has tasks, groups below it, or is in use by a "
		       "subsystem";
	case -ESRCH:
		return "No such process, or it is ending";
	case -ECONNRESET:
		return "the daemon ended";
	case -EAGAIN:
		return "Resource temporarily unavailable; try again";
	default:
		return strerror(-error);
	}
}

int cli_try_connect(struct cli *cli, char **what)
{
	return ucgroup_connect(cli->instance, &cli->c, what);
}

/* ---- starting the daemon ---------------------------------------------------------------------- */

static bool usable(const char *path)
{
	return access(path, X_OK) == 0;
}

bool cli_find_daemon(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);
	char *slash;

	if (n > 0) {
		buf[n] = '\0';
		slash = strrchr(buf, '/');
		if (slash &&
		    (size_t)snprintf(slash, size - (size_t)(slash - buf), "/ucgroupd") <
			    size - (size_t)(slash - buf) &&
		    usable(buf))
			return true;
	}
	snprintf(buf, size, "%s/ucgroupd", UCGROUP_SBINDIR);
	return usable(buf);
}

int cli_run_daemon(struct cli *cli, const char *const *args)
{
	const char *argv[16] = {"ucgroupd"};
	char path[PATH_MAX];
	bool found = cli_find_daemon(path, sizeof(path));
	int i, status;
	pid_t pid;

	for (i = 0; args[i] && i < 14; i++)
		argv[i + 1] = args[i];
	pid = fork();
	if (pid < 0) {
		cli_fail(cli, "cannot start ucgroupd: %m");
		return -1;
	}
	if (pid == 0) {
		if (found)
			execv(path, (char *const *)argv);
		else
			execvp("ucgroupd", (char *const *)argv);
		cli_fail(cli,
			 "cannot start ucgroupd: %m (looked beside this program, in %s and in "
			 "PATH)",
			 UCGROUP_SBINDIR);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 127)
		return WEXITSTATUS(status);
	if (WIFSIGNALED(status))
		cli_fail(cli, "ucgroupd was killed by signal %d while it started",
			 WTERMSIG(status));
	return -1;
}

static bool not_running(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

int cli_connect(struct cli *cli)
{
	const char *args[] = {"--instance", cli->instance, NULL};
	char *what = NULL;
	int rc, tries;

	rc = cli_try_connect(cli, &what);
	if (not_running(rc)) {
		cli_run_daemon(cli, args);
		/* Failed because another one was faster? Then that one will be there in a moment. */
		rc = cli_try_connect(cli, &what);
		for (tries = 0; not_running(rc) && tries < START_TRIES; tries++) {
			if (rc == -ENOENT)
				break;
			usleep(50000);
			rc = cli_try_connect(cli, &what);
		}
	}
	if (not_running(rc))
		cli_fail(cli,
			 "the daemon of instance '%s' could not be started; `ucgroup doctor` says "
			 "what this machine lacks",
			 cli->instance);
	else if (rc == -EINVAL)
		cli_fail(cli,
			 "'%s' (of UCGROUP_INSTANCE) cannot name an instance: 1 to 64 of A-Z a-z "
			 "0-9 . _ -, not starting with a dot",
			 cli->instance);
	else if (rc)
		cli_fail(cli, "cannot reach the daemon of instance '%s': %s", cli->instance,
			 what ? what : strerror(-rc));
	free(what);
	return rc ? CLI_FAILED : 0;
}
