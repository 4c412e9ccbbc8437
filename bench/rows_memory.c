// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rows_memory.c - what groups and members cost in memory: the daemon's own (RssAnon) and the
 * kernel's (Slab and Percpu). Each turn adds to what the turns before made, because memory that was
 * freed is used again and would look like nothing; all of it is removed at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define GROUPS 8000 /* a turn */
#define GROUP_TURNS 4
#define MEMBERS_A_TURN 1000

/* The field NAME of a file like /proc/meminfo, in bytes. */
static double field(const char *path, const char *name)
{
	size_t len = strlen(name);
	unsigned long long kb = 0;
	char line[256];
	bool found = false;
	FILE *f = fopen(path, "re");

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (!found && fgets(line, sizeof(line), f))
		found = !strncmp(line, name, len) && line[len] == ':' &&
			sscanf(line + len + 1, "%llu", &kb) == 1;
	fclose(f);
	if (!found)
		die("%s says nothing of %s", path, name);
	return (double)kb * 1024;
}

static double daemon_memory(const struct bench *b)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)b->daemon);
	return field(path, "RssAnon");
}

/* After what it keeps only as long as nobody else wants the memory is gone. */
static double kernel_memory(void)
{
	write_file("/proc/sys/vm/drop_caches", "2");
	usleep(100000); /* for what is freed after a grace period */
	return field("/proc/meminfo", "Slab") + field("/proc/meminfo", "Percpu");
}

/* GROUPS directories below a new one. */
static double groups_made(struct bench *b, enum side side, unsigned int turn)
{
	double before = kernel_memory() + (side == OURS ? daemon_memory(b) : 0);
	char path[PATH_MAX], name[64];

	snprintf(name, sizeof(name), "memory-%u", turn);
	make_dir(path_of(path, b->top[side], name));
	for (int i = 0; i < GROUPS; i++) {
		snprintf(name, sizeof(name), "memory-%u/job-%d", turn, i);
		make_dir(path_of(path, b->top[side], name));
	}
	return (kernel_memory() + (side == OURS ? daemon_memory(b) : 0) - before) / GROUPS;
}

static double kernel_groups(struct bench *b)
{
	static unsigned int turn;

	return groups_made(b, KERNEL, turn++);
}

static double our_groups(struct bench *b)
{
	static unsigned int turn;

	return groups_made(b, OURS, turn++);
}

static void groups_remove(struct bench *b)
{
	char path[PATH_MAX], name[64];

	for (enum side side = KERNEL; side <= OURS; side++) {
		for (unsigned int turn = 0; turn < GROUP_TURNS; turn++) {
			for (int i = 0; i < GROUPS; i++) {
				snprintf(name, sizeof(name), "memory-%u/job-%d", turn, i);
				remove_dir(path_of(path, b->top[side], name));
			}
			snprintf(name, sizeof(name), "memory-%u", turn);
			remove_dir(path_of(path, b->top[side], name));
		}
	}
	/* The kernel takes its own apart behind our back. */
	sleep(1);
}

/* They are children of a member, and so born into its groups on both sides. */
static double our_members(struct bench *b)
{
	double before = daemon_memory(b);
	pid_t *pids;
	size_t n;
	int rc;

	for (int i = 0; i < MEMBERS_A_TURN; i++) {
		if (b->n_tasks == ARRAY_SIZE(b->tasks))
			die("more members than planned");
		b->tasks[b->n_tasks++] = spawn(NULL, NULL);
	}
	/* A listing makes the daemon read the log of all births. */
	rc = ucgroup_list(b->c, BENCH_LABEL ":/big", UCGROUP_THREADS, &pids, &n);
	if (rc || n < b->n_tasks)
		die("listing the members: %s, %zu of them", strerror(-rc), n);
	free(pids);
	return (daemon_memory(b) - before) / MEMBERS_A_TURN;
}

/* All of the tracker's tables: made once, of one size whatever there is. */
static double our_tables(struct bench *b)
{
	double sum = 0;

	for (int fd = 0; fd < 256; fd++) {
		char path[64], line[256];
		unsigned long long bytes;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)b->daemon, fd);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "memlock: %llu", &bytes) == 1)
				sum += (double)bytes;
		if (f)
			fclose(f);
	}
	return sum / (1 << 20);
}

struct row memory_rows[] = {
	{
		.id = "memory-member",
		.work = "memory of the daemon per member task",
		.unit = "bytes",
		.kind = GOAL_ABSOLUTE,
		.goal = 64,
		.rounds = 6,
		.turn = {NULL, our_members},
		.cold = true,
	},
	{
		.id = "memory-tables",
		.work = "memory of the kernel for all members: the tracker's tables",
		.unit = "MiB",
		.kind = GOAL_NONE,
		.rounds = 1,
		.turn = {NULL, our_tables},
		.cold = true,
		.note = "of a fixed size: 8 bytes for each tid the kernel can give, whatever there "
			"is",
	},
	{
		.id = "memory-group",
		.work = "memory of daemon and kernel per empty group",
		.unit = "bytes",
		.kind = GOAL_RATIO,
		.goal = 0.1,
		.rounds = GROUP_TURNS,
		.turn = {kernel_groups, our_groups},
		.after = groups_remove,
		.cold = true,
		.note = "made by mkdir on both sides; what the kernel gives back on demand is not "
			"counted on either",
	},
	{0},
};
