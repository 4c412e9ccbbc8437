// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The orderly end, as far as it needs the loop: our mounts in other mount namespaces are unmounted
 * by a child process, which enters one after the other, while the daemon still serves them (the
 * path to a mount may lead through another one).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon.h"

#define GIVE_UP_MS 5000 /* the child may hang where someone else's file system does */

/* ---- in the child ----------------------------------------------------------------------------- */

struct seen {
	ino_t *ns; /* mount namespaces looked at already */
	size_t n, cap;
	const dev_t *devs;
	size_t n_devs;
};

static bool is_ours(const struct seen *s, const char *line)
{
	unsigned int maj, min;
	size_t i;

	if (sscanf(line, "%*d %*d %u:%u", &maj, &min) != 2)
		return false;
	for (i = 0; i < s->n_devs; i++)
		if (s->devs[i] == makedev(maj, min))
			return true;
	return false;
}

/* "\040" and the like, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && isdigit(s[2]) && isdigit(s[3])) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* The mount points of ours in the mountinfo at PROC/NAME; unmounts them if told to. How many. */
static size_t each_mount(const struct seen *s, int proc, const char *name, bool unmount)
{
	int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL, *point;
	size_t size = 0, n = 0;
	int i;

	if (!f) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (getline(&line, &size, f) > 0) {
		if (!is_ours(s, line))
			continue;
		n++;
		for (i = 0, point = line; point && i < 4; i++) {
			point = strchr(point, ' ');
			if (point)
				point++;
		}
		if (!unmount || !point)
			continue;
		point[strcspn(point, " ")] = '\0';
		unescape(point);
		umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	free(line);
	fclose(f);
	return n;
}

static bool seen_before(struct seen *s, ino_t ns)
{
	size_t i, cap;
	ino_t *more;

	for (i = 0; i < s->n; i++)
		if (s->ns[i] == ns)
			return true;
	if (s->n == s->cap) {
		cap = s->cap ? 2 * s->cap : 64;
		more = realloc(s->ns, cap * sizeof(*more));
		if (!more)
			return true;
		s->ns = more;
		s->cap = cap;
	}
	s->ns[s->n++] = ns;
	return false;
}

static void sweep_namespace_of(struct seen *s, int proc, const char *pid)
{
	char name[64];
	struct stat st;
	int ns;

	snprintf(name, sizeof(name), "%s/ns/mnt", pid);
	if (fstatat(proc, name, &st, 0) || seen_before(s, st.st_ino))
		return;
	ns = openat(proc, name, O_RDONLY | O_CLOEXEC);
	snprintf(name, sizeof(name), "%s/mountinfo", pid);
	if (ns >= 0 && each_mount(s, proc, name, false) && !setns(ns, CLONE_NEWNS))
		each_mount(s, proc, "self/mountinfo", true);
	if (ns >= 0)
		close(ns);
}

static void sweep_all(const dev_t *devs, size_t n_devs)
{
	struct seen s = {.devs = devs, .n_devs = n_devs};
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = proc >= 0 ? fdopendir(dup(proc)) : NULL;
	struct dirent *e;
	struct stat st;

	/* Our own namespace is left to fs_stop(). */
	if (!dir || fstatat(proc, "self/ns/mnt", &st, 0))
		return;
	seen_before(&s, st.st_ino);
	while ((e = readdir(dir)))
		if (isdigit(e->d_name[0]))
			sweep_namespace_of(&s, proc, e->d_name);
}

/* ---- in the daemon ---------------------------------------------------------------------------- */

static void on_swept(struct sweep *s)
{
	uv_close((uv_handle_t *)&s->limit, NULL);
	uv_close((uv_handle_t *)&s->poll, NULL);
	waitpid(s->pid, NULL, 0);
	close(s->fd);
	uv_stop(&s->d->loop);
}

static void on_child_end(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	on_swept(poll->data);
}

static void on_limit(uv_timer_t *timer)
{
	struct sweep *s = timer->data;

	daemon_log(s->d, LOG_WARNING,
		   "gave up unmounting in other mount namespaces after %d s; what is left there is "
		   "dead and can be unmounted",
		   GIVE_UP_MS / 1000);
	kill(s->pid, SIGKILL);
	on_swept(s);
}

static size_t our_devs(const struct daemon *d, dev_t **devs)
{
	struct fs_mount *m = NULL;
	size_t n = 0;

	while ((m = fs_mount_next(d->fs, m)))
		n++;
	*devs = n ? malloc(n * sizeof(**devs)) : NULL;
	if (!*devs)
		return 0;
	for (n = 0, m = NULL; (m = fs_mount_next(d->fs, m)); n++)
		(*devs)[n] = fs_mount_dev(m);
	return n;
}

static int start_child(struct sweep *s)
{
	dev_t *devs;
	size_t n = our_devs(s->d, &devs);
	int fds[2];

	if (!n || pipe2(fds, O_CLOEXEC)) {
		free(devs);
		return -ENOENT;
	}
	s->pid = fork();
	if (s->pid == 0) {
		sweep_all(devs, n);
		_exit(0);
	}
	free(devs);
	close(fds[1]);
	s->fd = fds[0];
	if (s->pid > 0)
		return 0;
	close(fds[0]);
	return -errno;
}

void shutdown_begin(struct daemon *d)
{
	struct sweep *s = &d->sweep;

	if (d->stopping)
		return;
	d->stopping = true;
	background_stopping(d);
	fs_reap(d->fs);
	s->d = d;
	if (start_child(s)) {
		uv_stop(&d->loop);
		return;
	}
	uv_poll_init(&d->loop, &s->poll, s->fd);
	uv_timer_init(&d->loop, &s->limit);
	s->poll.data = s;
	s->limit.data = s;
	uv_poll_start(&s->poll, UV_READABLE, on_child_end);
	uv_timer_start(&s->limit, on_limit, GIVE_UP_MS, 0);
}

void shutdown_done(struct daemon *d)
{
	struct wire_buf b = {0};
	size_t start;

	if (d->asker_fd < 0)
		return;
	start = wire_begin(&b, WIRE_SHUTDOWN | WIRE_REPLY, d->asker_seq, 0);
	if (!wire_end(&b, start))
		send(d->asker_fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	wire_buf_free(&b);
	close(d->asker_fd);
	d->asker_fd = -1;
}
