// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-compare DIR DAEMON-PID JSON [WORD...]: ucgroup beside the kernel's cgroup v1, row by row; only
 * those rows whose id contains a WORD, if there are any. bench/run has made everything in DIR: mounts
 * of a hierarchy without subsystems (v1, ucg), of cpuset (v1-cpuset, ucg-cpuset), and the FUSE server
 * that does nothing (null); the release agent, by two names; the FIFO it writes to.
 *
 * Exit status 1 only when something could not be measured: a goal that is missed is said beside its
 * row.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

static const char *const tops[SIDES] = {"v1", "ucg", "null"};
static const char *const cpusets[SIDES] = {"v1-cpuset", "ucg-cpuset", "null"};

static void end_all(struct bench *b)
{
	for (size_t i = 0; i < b->n_tasks; i++)
		end_process(b->tasks[i]);
	if (b->mover)
		end_process(b->mover);
}

/* We ourselves are in "big" while the members are made, and so are they. */
static void make_members(struct bench *b)
{
	char path[PATH_MAX];

	for (enum side side = KERNEL; side <= OURS; side++)
		put_task(path_of(path, b->top[side], "big"), getpid());
	row_measure(b, &memory_rows[0]);
	for (enum side side = KERNEL; side <= OURS; side++)
		put_task(b->top[side], getpid());
	for (size_t i = BENCH_MEMBERS; i < b->n_tasks; i++)
		for (enum side side = KERNEL; side <= OURS; side++)
			put_task(path_of(path, b->top[side], "a"), b->tasks[i]);
	b->mover = spawn(NULL, NULL);
}

static void set_up(struct bench *b, char **argv)
{
	static const char *const groups[] = {"a", "b", "big"};
	struct rlimit many = {65536, 65536};
	char path[PATH_MAX], *what;
	int rc;

	b->dir = argv[1];
	b->daemon = atoi(argv[2]);
	for (enum side side = KERNEL; side < SIDES; side++) {
		path_of(b->top[side], b->dir, tops[side]);
		path_of(b->cpuset[side], b->dir, cpusets[side]);
		for (size_t i = 0; i < ARRAY_SIZE(groups) && side != BOUND; i++)
			make_dir(path_of(path, b->top[side], groups[i]));
	}
	setrlimit(RLIMIT_NPROC, &many);
	rc = ucgroup_connect(NULL, &b->c, &what);
	if (rc)
		die("connecting to the daemon: %s", what ? what : strerror(-rc));
}

static bool wanted(const struct row *row, char **words)
{
	if (!*words)
		return true;
	for (; *words; words++)
		if (strstr(row->id, *words))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	struct row *const all[] = {memory_rows, move_rows, tree_rows, release_rows, hook_rows};
	static struct bench b;
	unsigned int missed = 0, rows = 0;

	if (argc < 4) {
		fprintf(stderr, "usage: %s DIR DAEMON-PID JSON [WORD...]\n", argv[0]);
		return 2;
	}
	set_up(&b, argv);
	print_heading();
	make_members(&b);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		for (struct row *row = all[i]; row->id; row++) {
			if (!wanted(row, argv + 4))
				continue;
			if (!row->samples[OURS].n)
				row_measure(&b, row);
			print_row(row);
			rows++;
			missed += !row_meets_goal(row);
		}
	}
	end_all(&b);
	if (!write_json(argv[3], all, ARRAY_SIZE(all)))
		die("writing %s: %s", argv[3], strerror(errno));
	printf("%u rows measured, %u goals missed\n", rows, missed);
	ucgroup_close(b.c);
	return 0;
}
