// SPDX-License-Identifier: GPL-2.0-or-later
/* The two hierarchies of the stress test, ucgroup's and the kernel's own, read and written by path. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

static void group_path(char *buf, size_t size, const char *base, uint32_t g, const char *file)
{
	snprintf(buf, size, "%s/%s%s%s", base, shm->groups[g].path, *shm->groups[g].path ? "/" : "",
		 file);
}

static int write_file(const char *base, uint32_t g, const char *file, const char *text)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd, err;

	group_path(path, sizeof(path), base, g, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	err = n < 0 ? -errno : 0;
	close(fd);
	return err;
}

int ucg_write(uint32_t hier, uint32_t g, const char *file, const char *text)
{
	return write_file(shm->ubase[hier], g, file, text);
}

int kernel_write(uint32_t hier, uint32_t g, const char *file, const char *text)
{
	return write_file(shm->kbase[hier], g, file, text);
}

int ucg_write_number(uint32_t hier, uint32_t g, const char *file, long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", number);
	return ucg_write(hier, g, file, text);
}

int kernel_write_number(uint32_t hier, uint32_t g, const char *file, long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", number);
	return kernel_write(hier, g, file, text);
}

/* What to do with the numbers of a listing: keep them in `out`, or look for one. */
struct list_use {
	pid_t *out;
	size_t max, count;
	pid_t want;
	bool seen;
};

static bool list_number(struct list_use *use, pid_t value)
{
	use->seen |= value == use->want;
	if (use->out) {
		if (use->count == use->max)
			return false;
		use->out[use->count] = value;
	}
	use->count++;
	return true;
}

/*
 * Reads to the end with a small buffer, so that one listing takes several reads: they have to show
 * one and the same picture.
 */
static int read_list(const char *base, uint32_t g, const char *file, struct list_use *use)
{
	char path[PATH_MAX], buf[4000];
	bool digits = false;
	pid_t value = 0;
	ssize_t n;
	int fd;

	group_path(path, sizeof(path), base, g, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				value = value * 10 + (buf[i] - '0');
				digits = true;
				continue;
			}
			if (buf[i] != '\n' || !digits || !list_number(use, value)) {
				close(fd);
				return -EBADMSG;
			}
			value = 0;
			digits = false;
		}
	}
	n = n < 0 ? -errno : 0;
	close(fd);
	if (n < 0)
		return (int)n;
	return digits ? -EBADMSG : 0;
}

ssize_t ucg_list(uint32_t hier, uint32_t g, const char *file, pid_t *out, size_t max)
{
	struct list_use use = {.out = out, .max = max};
	int err = read_list(shm->ubase[hier], g, file, &use);

	return err < 0 ? err : (ssize_t)use.count;
}

ssize_t kernel_list(uint32_t hier, uint32_t g, const char *file, pid_t *out, size_t max)
{
	struct list_use use = {.out = out, .max = max};
	int err = read_list(shm->kbase[hier], g, file, &use);

	return err < 0 ? err : (ssize_t)use.count;
}

static int group_by_path(const char *path)
{
	for (uint32_t g = 0; g < shm->n_groups; g++)
		if (!strcmp(shm->groups[g].path, path + 1))
			return (int)g;
	return -ENOENT;
}

int kernel_group_of(pid_t tid, uint32_t hier)
{
	char path[64], buf[4096], want[80], *line, *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	buf[n] = '\0';
	snprintf(want, sizeof(want), ":name=%s:", shm->kname[hier]);
	line = strstr(buf, want);
	if (!line)
		return -ENOENT;
	line += strlen(want);
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	return group_by_path(line);
}

bool ucg_has(uint32_t hier, uint32_t g, pid_t tid)
{
	struct list_use use = {.want = tid};
	int err = read_list(shm->ubase[hier], g, "tasks", &use);

	if (err < 0)
		complain("tasks of %s:/%s cannot be read: %s", shm->hier_name[hier],
			 shm->groups[g].path, strerror(-err));
	return use.seen;
}

int ucg_group_of(pid_t tid, uint32_t hier, int try_first)
{
	int found = -ESRCH;

	if (try_first >= 0 && ucg_has(hier, (uint32_t)try_first, tid))
		return try_first;
	for (uint32_t g = 0; g < shm->n_groups; g++) {
		if (!ucg_has(hier, g, tid))
			continue;
		if (found >= 0)
			return -EEXIST;
		found = (int)g;
	}
	return found;
}

/* Its state, and when it began, which tells it from others that have had its number. 0: gone. */
static char task_state(pid_t tid, unsigned long long *began)
{
	char path[64], buf[512], state, *p;
	ssize_t n;
	int fd;

	/* The thread's own directory: that of a process tells how its leader is. */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", tid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	p = strrchr(buf, ')');
	/* The 3rd field and the 22nd. */
	if (!p || sscanf(p + 2,
			 "%c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			 "%*s %llu",
			 &state, began) != 2)
		return 0;
	return state;
}

unsigned long long task_began(pid_t tid)
{
	unsigned long long began;

	return task_state(tid, &began) ? began : 0;
}

bool task_ending(pid_t tid, unsigned long long began)
{
	unsigned long long now;
	char state = task_state(tid, &now);

	return !state || state == 'Z' || state == 'X' || (began && now != began);
}

uint32_t pick_group(enum group_kind kind, uint32_t *seed)
{
	uint32_t n = 0, k;

	for (uint32_t g = 0; g < shm->n_groups; g++)
		n += shm->groups[g].kind == kind;
	k = rnd_below(seed, n);
	for (uint32_t g = 0; g < shm->n_groups; g++)
		if (shm->groups[g].kind == kind && k-- == 0)
			return g;
	return 0;
}
