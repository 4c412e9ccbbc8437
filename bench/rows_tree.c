// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rows_tree.c - making and removing groups.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define DIRS 200   /* a turn */
#define MANY 10000 /* groups in one call */

/* Microseconds a directory, of making them and of removing them. */
struct tree_times {
	double make, remove;
};

static struct tree_times make_and_remove(const char *top, size_t n)
{
	char path[PATH_MAX];
	struct tree_times t;
	uint64_t start = now_ns();
	size_t len;

	len = (size_t)snprintf(path, sizeof(path), "%s/", top);
	for (size_t i = 0; i < n; i++) {
		snprintf(path + len, sizeof(path) - len, "job-%zu", i);
		make_dir(path);
	}
	t.make = (double)(now_ns() - start) / 1e3 / (double)n;
	start = now_ns();
	for (size_t i = 0; i < n; i++) {
		snprintf(path + len, sizeof(path) - len, "job-%zu", i);
		if (rmdir(path))
			die("rmdir %s: %s", path, strerror(errno));
	}
	t.remove = (double)(now_ns() - start) / 1e3 / (double)n;
	return t;
}

#define TREE_TURN(name, where, side, part)                                                         \
	static double name(struct bench *b)                                                        \
	{                                                                                          \
		return make_and_remove(b->where[side], DIRS).part;                                 \
	}
TREE_TURN(kernel_mkdir, top, KERNEL, make)
TREE_TURN(our_mkdir, top, OURS, make)
TREE_TURN(bound_mkdir, top, BOUND, make)
TREE_TURN(kernel_rmdir, top, KERNEL, remove)
TREE_TURN(our_rmdir, top, OURS, remove)
TREE_TURN(bound_rmdir, top, BOUND, remove)
TREE_TURN(kernel_cpuset_mkdir, cpuset, KERNEL, make)
TREE_TURN(our_cpuset_mkdir, cpuset, OURS, make)
TREE_TURN(kernel_cpuset_rmdir, cpuset, KERNEL, remove)
TREE_TURN(our_cpuset_rmdir, cpuset, OURS, remove)

static double kernel_many(struct bench *b)
{
	return make_and_remove(b->top[KERNEL], MANY).make;
}

static double our_many(struct bench *b)
{
	char(*names)[16] = calloc(MANY, sizeof(*names));
	const char **paths = calloc(MANY, sizeof(*paths));
	uint64_t start, took;
	int rc;

	if (!names || !paths)
		die("out of memory");
	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "job-%zu", i);
		paths[i] = names[i];
	}
	start = now_ns();
	rc = ucgroup_mkdir_many(b->c, BENCH_LABEL ":/", paths, MANY, 0755, NULL);
	took = now_ns() - start;
	if (!rc)
		rc = ucgroup_rmdir_many(b->c, BENCH_LABEL ":/", paths, MANY, NULL);
	if (rc)
		die("making and removing %d groups: %s", MANY, strerror(-rc));
	free(paths);
	free(names);
	return (double)took / 1e3 / MANY;
}

struct row tree_rows[] = {
	{
		.id = "mkdir",
		.work = "mkdir by the mount",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 2.0,
		.rounds = 21,
		.rest = true,
		.turn = {kernel_mkdir, our_mkdir, bound_mkdir},
	},
	{
		.id = "rmdir",
		.work = "rmdir by the mount",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 1.2,
		.rounds = 21,
		.rest = true,
		.turn = {kernel_rmdir, our_rmdir, bound_rmdir},
	},
	{
		.id = "mkdir-cpuset",
		.work = "mkdir, with cpuset bound in both",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 1.0,
		.rounds = 21,
		.rest = true,
		.turn = {kernel_cpuset_mkdir, our_cpuset_mkdir, bound_mkdir},
	},
	{
		.id = "rmdir-cpuset",
		.work = "rmdir, with cpuset bound in both",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 1.0,
		.rounds = 21,
		.rest = true,
		.turn = {kernel_cpuset_rmdir, our_cpuset_rmdir, bound_rmdir},
	},
	{
		.id = "make-10000",
		.work = "make 10,000 groups in one libucgroup call, per group",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 0.1,
		.rounds = 5,
		.rest = true,
		.turn = {kernel_many, our_many},
		.note = "the kernel's side by 10,000 mkdir(2)",
	},
	{0},
};
