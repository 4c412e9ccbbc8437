// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Going to the background, and telling who started us that we are ready: the waiting parent by a
 * byte in a pipe, a service manager by a datagram to $NOTIFY_SOCKET (sd_notify(3)).
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon.h"

static int wait_for_child(pid_t pid, int fd)
{
	int status;
	ssize_t n;
	char c;

	do
		n = read(fd, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	/* It ended before it was ready, and has said why. */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return 1;
}

int background_start(struct daemon *d)
{
	int fds[2], err;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (pid > 0) {
		close(fds[1]);
		_exit(wait_for_child(pid, fds[0]));
	}
	close(fds[0]);
	d->ready_fd = fds[1];
	setsid();
	return 0;
}

static void notify_manager(const struct daemon *d, const char *text)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len;
	int fd;

	if (!name || !*name)
		return;
	len = strlen(name);
	if (len >= sizeof(addr.sun_path)) {
		daemon_log(d, LOG_WARNING, "NOTIFY_SOCKET is too long: %s", name);
		return;
	}
	memcpy(addr.sun_path, name, len);
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&addr,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		daemon_log(d, LOG_WARNING, "cannot tell the service manager (%s): %s", name,
			   strerror(errno));
	if (fd >= 0)
		close(fd);
}

void background_ready(struct daemon *d)
{
	int null;

	notify_manager(d, "READY=1");
	if (d->ready_fd < 0)
		return;
	daemon_log_to_background(d);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(null);
	}
	while (write(d->ready_fd, "", 1) < 0 && errno == EINTR)
		;
	close(d->ready_fd);
	d->ready_fd = -1;
}

void background_stopping(struct daemon *d)
{
	notify_manager(d, "STOPPING=1");
}
