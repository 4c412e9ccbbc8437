// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reaching the daemon, starting it where it is not running, and telling why something failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wire/paths.h>

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

static void exec_daemon(const struct cli *cli, const char *const *args)
{
	const char *argv[16] = {"ucgroupd"};
	char path[PATH_MAX];
	int i;

	for (i = 0; args[i] && i < 14; i++)
		argv[i + 1] = args[i];
	if (cli_find_daemon(path, sizeof(path)))
		execv(path, (char *const *)argv);
	else
		execvp("ucgroupd", (char *const *)argv);
	cli_fail(cli,
		 "cannot run ucgroupd: %m (it was looked for beside this program, in %s and in "
		 "PATH)",
		 UCGROUP_SBINDIR);
	_exit(127);
}

/* All that comes out of FD, NUL-terminated; to be freed. */
static char *read_all(int fd)
{
	char *text = NULL, *bigger;
	size_t len = 0;
	ssize_t n;

	for (;;) {
		bigger = realloc(text, len + 1024);
		if (!bigger)
			break;
		text = bigger;
		n = read(fd, text + len, 1023);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (text)
		text[len] = '\0';
	return text;
}

int cli_run_daemon(struct cli *cli, const char *const *args, char **said)
{
	int fds[2], status;
	pid_t pid;

	*said = NULL;
	if (pipe2(fds, O_CLOEXEC))
		return cli_fail(cli, "cannot run ucgroupd: %m");
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		exec_daemon(cli, args);
	}
	close(fds[1]);
	/* A daemon that goes to the background lets go of it when it is ready. */
	if (pid > 0)
		*said = read_all(fds[0]);
	close(fds[0]);
	if (pid < 0)
		return cli_fail(cli, "cannot run ucgroupd: %m");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CLI_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool not_running(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

/* Is the run directory there? Then another caller is starting the daemon right now. */
static bool being_started(const struct cli *cli)
{
	char dir[PATH_MAX];

	return !paths_run_dir(geteuid(), cli->instance, dir, sizeof(dir)) && !access(dir, F_OK);
}

static int start_daemon(struct cli *cli, char **what)
{
	const char *args[] = {"--instance", cli->instance, NULL};
	char *said = NULL;
	int rc, tries;

	cli_run_daemon(cli, args, &said);
	rc = cli_try_connect(cli, what);
	/* That it did not start is no failure when another one was faster. */
	for (tries = 0; not_running(rc) && being_started(cli) && tries < START_TRIES; tries++) {
		usleep(50000);
		rc = cli_try_connect(cli, what);
	}
	if (not_running(rc)) {
		fputs(said ? said : "", stderr);
		cli_fail(cli,
			 "the daemon of instance '%s' could not be started; `ucgroup doctor` says "
			 "what this machine lacks",
			 cli->instance);
	}
	free(said);
	return rc;
}

int cli_connect(struct cli *cli)
{
	char *what = NULL;
	int rc;

	rc = cli_try_connect(cli, &what);
	if (not_running(rc)) {
		rc = start_daemon(cli, &what);
		if (not_running(rc))
			return CLI_FAILED;
	}
	if (rc == -EINVAL)
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
