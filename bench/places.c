// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * places.c - processes and directories for the comparison to work with. Whatever fails here ends the
 * run: a figure of work that was not done would be worse than none.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

char *path_of(char *buf, const char *dir, const char *name)
{
	size_t len = strlen(dir);

	/* DIR may be what BUF holds. */
	if (len >= PATH_MAX || snprintf((char *)memmove(buf, dir, len) + len, PATH_MAX - len, "/%s",
					name) >= (int)(PATH_MAX - len))
		die("%s/%s: the path is too long", dir, name);
	return buf;
}

pid_t spawn(int (*fn)(void *arg), void *arg)
{
	pid_t maker = getpid(), pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid)
		return pid;
	/* Whatever becomes of us, nothing stays. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != maker)
		_exit(1);
	if (fn)
		_exit(fn(arg));
	for (;;)
		pause();
}

void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void write_file(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		die("writing \"%s\" to %s: %s", text, path, strerror(errno));
	close(fd);
}

void put_task(const char *dir, pid_t pid)
{
	char path[PATH_MAX], text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	write_file(path_of(path, dir, "tasks"), text);
}

void make_dir(const char *path)
{
	if (mkdir(path, 0755))
		die("mkdir %s: %s", path, strerror(errno));
}

/* The kernel may still count a task that is on its way out. */
void remove_dir(const char *path)
{
	for (int i = 0; rmdir(path); i++) {
		if (errno != EBUSY || i == 2000)
			die("rmdir %s: %s", path, strerror(errno));
		usleep(1000);
	}
}
