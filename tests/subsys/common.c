// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * common.c - what the tests of cpuset on a real system share.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "tap.h"

int cpu_a = -1, cpu_b = -1;
uint64_t mask_a, mask_b, mask_ab, mask_all;

bool find_cpus(void)
{
	mask_all = affinity_of(0);
	for (int cpu = 0; cpu < 64; cpu++) {
		if (!(mask_all >> cpu & 1))
			continue;
		if (cpu_a < 0)
			cpu_a = cpu;
		else if (cpu_b < 0)
			cpu_b = cpu;
	}
	if (cpu_b < 0)
		return false;
	mask_a = 1ull << cpu_a;
	mask_b = 1ull << cpu_b;
	mask_ab = mask_a | mask_b;
	return true;
}

/* ---- files ------------------------------------------------------------------------------------ */

int write_file(const char *dir, const char *name, const char *text)
{
	char path[4096];
	ssize_t n;
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	err = n < 0 ? -errno : 0;
	close(fd);
	return err;
}

int write_number(const char *dir, const char *name, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", number);
	return write_file(dir, name, text);
}

ssize_t read_file(const char *dir, const char *name, char *buf, size_t size)
{
	char path[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

void must_write(const char *dir, const char *name, const char *text)
{
	int err = write_file(dir, name, text);

	if (err)
		tap_bail("%s/%s < \"%s\": %s", dir, name, text, strerror(-err));
}

void must_enter(const char *dir, const char *file, pid_t pid)
{
	int err = write_number(dir, file, pid);

	if (err)
		tap_bail("%s/%s < %d: %s", dir, file, (int)pid, strerror(-err));
}

void set_cpus(const char *dir, uint64_t mask)
{
	char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (int cpu = 0; cpu < 64; cpu++)
		if (mask >> cpu & 1)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%d,", cpu);
	must_write(dir, "cpuset.cpus", text);
}

void make_cpuset(const char *top, const char *name, uint64_t cpus, char *dir, size_t size)
{
	char mems[4096];

	snprintf(dir, size, "%s/%s", top, name);
	if (mkdir(dir, 0755))
		tap_bail("mkdir %s: %s", dir, strerror(errno));
	if (read_file(top, "cpuset.mems", mems, sizeof(mems)) < 0)
		tap_bail("%s/cpuset.mems cannot be read", top);
	must_write(dir, "cpuset.mems", mems);
	set_cpus(dir, cpus);
}

/* ---- affinity --------------------------------------------------------------------------------- */

uint64_t affinity_of(pid_t tid)
{
	uint64_t mask[128] = {0};

	return syscall(SYS_sched_getaffinity, tid, sizeof(mask), mask) < 0 ? 0 : mask[0];
}

int set_affinity(pid_t tid, uint64_t mask)
{
	return syscall(SYS_sched_setaffinity, tid, sizeof(mask), &mask) < 0 ? -errno : 0;
}

/* Until it has MASK, or is gone. */
static bool gets(pid_t tid, uint64_t mask, void (*look)(void), uint64_t deadline)
{
	uint64_t has;

	do {
		look();
		has = affinity_of(tid);
		if (!has || has == mask)
			return true;
		sleep_ms(1);
	} while (now_ns() < deadline);
	return false;
}

static void survey_thread(pid_t tid, uint64_t mask, void (*look)(void), struct survey *res)
{
	uint64_t start, took, has = affinity_of(tid);

	if (!has)
		return;
	res->n_threads++;
	if (has == mask)
		return;
	res->n_late++;
	start = now_ns();
	if (gets(tid, mask, look, start + PATIENCE_MS / 2 * 1000000ull)) {
		took = now_ns() - start;
		if (took > res->latest_ns)
			res->latest_ns = took;
	} else if (!res->n_wrong++) {
		tap_note("thread %d has affinity %#lx instead of %#lx", (int)tid,
			 (unsigned long)has, (unsigned long)mask);
	}
}

void survey_threads(pid_t pid, uint64_t mask, void (*look)(void), struct survey *res)
{
	char path[64];
	struct dirent *e;
	DIR *dir;

	*res = (struct survey){0};
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		tap_bail("%s: %s", path, strerror(errno));
	/* Five seconds for each would be too long if they are many. */
	while ((e = readdir(dir)) && res->n_wrong < 3)
		if (isdigit((unsigned char)e->d_name[0]))
			survey_thread((pid_t)atoi(e->d_name), mask, look, res);
	closedir(dir);
}

/* ---- time ------------------------------------------------------------------------------------- */

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void sleep_ms(unsigned int ms)
{
	const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}
