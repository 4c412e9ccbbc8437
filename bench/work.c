// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-work [NAME]: fixed amounts of the core's work, for counting instructions; without a NAME, the
 * names and how many operations each does. Only what happens in work_it() is counted (bench/check
 * tells callgrind so): what is needed for it is made before.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define HIERARCHIES 8
#define GROUPS 64 /* of each hierarchy */
#define TASKS 4096

struct load {
	struct world *w;
	struct hierarchy *h[HIERARCHIES];
	struct cgroup *groups[HIERARCHIES][GROUPS];
};

struct work {
	const char *name;
	unsigned int n;
	void (*fn)(struct load *l, unsigned int n);
};

static void fork_exit(struct load *l, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		world_fork(l->w, 1 + (pid_t)(i * 7 % TASKS), TASKS + 1 + (pid_t)i);
	core_settle(world_core(l->w));
	for (unsigned int i = 0; i < n; i++)
		world_exit(l->w, TASKS + 1 + (pid_t)i);
	core_settle(world_core(l->w));
}

static void move(struct load *l, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		world_attach(l->groups[i % HIERARCHIES][i * 13 % GROUPS],
			     1 + (pid_t)(i * 7 % TASKS));
}

static void move_to_and_fro(struct load *l, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		world_attach(l->groups[0][i & 1], 1);
}

/* As the file system does it: open, read to the end, close. */
static void read_tasks(struct load *l, unsigned int n)
{
	const struct core_cred root = {0};
	static char buf[65536];

	for (unsigned int i = 0; i < n; i++) {
		struct cgroup *cgrp = l->groups[1][i % GROUPS];
		const struct cftype *cft = cgroup_file_lookup(cgrp, "tasks", 5);
		struct cgroup_file *file;
		off_t at = 0;
		ssize_t got;

		if (!cft || core_file_open(cgrp, cft, O_RDONLY, &root, &file))
			exit(1);
		while ((got = core_file_read(file, buf, sizeof(buf), at, &root)) > 0)
			at += got;
		core_file_release(file);
	}
}

static void make_and_remove(struct load *l, unsigned int n)
{
	char name[32];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "job-%u", i);
		world_mkdir(l->groups[0][0], name);
	}
	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "job-%u", i);
		if (cgroup_rmdir(cgroup_lookup(l->groups[0][0], name, strlen(name))))
			exit(1);
	}
}

/* A task enters a new group and ends; the group is released and removed. */
static void release(struct load *l, unsigned int n)
{
	struct cgroup *cgrp;

	for (unsigned int i = 0; i < n; i++) {
		pid_t tid = TASKS + 1 + (pid_t)i;

		cgrp = world_mkdir(l->groups[2][0], "job");
		cgroup_set_notify_on_release(cgrp, true);
		world_fork(l->w, 1, tid);
		world_attach(cgrp, tid);
		world_exit(l->w, tid);
		core_settle(world_core(l->w));
		cgrp = core_release_next(l->h[2]);
		if (!cgrp || cgroup_rmdir(cgrp))
			exit(1);
	}
}

static const struct work works[] = {
	{"fork-exit", 20000, fork_exit},
	{"move", 5000, move},
	{"move-to-and-fro", 5000, move_to_and_fro},
	{"read-tasks", 200, read_tasks},
	{"make-remove", 5000, make_and_remove},
	{"release", 2000, release},
};

static void make(struct load *l)
{
	char name[32];

	l->w = world_new();
	world_mount(l->w, l->h, HIERARCHIES);
	for (unsigned int h = 0; h < HIERARCHIES; h++) {
		for (unsigned int g = 0; g < GROUPS; g++) {
			snprintf(name, sizeof(name), "group-%u", g);
			l->groups[h][g] = world_mkdir(hierarchy_root(l->h[h]), name);
		}
	}
	for (pid_t tid = 1; tid <= TASKS; tid++) {
		world_spawn(l->w, tid);
		for (unsigned int h = 0; h < HIERARCHIES; h++)
			world_attach(l->groups[h][tid % GROUPS], tid);
	}
}

void work_it(const struct work *work, struct load *l);

/* A function of its own, so that it can be told apart. */
__attribute__((noinline)) void work_it(const struct work *work, struct load *l)
{
	work->fn(l, work->n);
}

int main(int argc, char **argv)
{
	static struct load load;

	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (argc < 2) {
			printf("%s %u\n", works[i].name, works[i].n);
		} else if (!strcmp(argv[1], works[i].name)) {
			make(&load);
			work_it(&works[i], &load);
			world_free(load.w);
			return 0;
		}
	}
	return argc < 2 ? 0 : 2;
}
