// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-scale JSON [MOST-GROUPS]: what the core costs as it grows: the same work on from 1,024 to
 * 1,048,576 groups in 64 hierarchies, with four tasks a group, all of it made up.
 *
 * Every group has tasks. A css_set combines one group of each hierarchy, and 256 tasks are in it, so
 * the work of one operation is the same at each size: what grows is how much of it lies in no cache.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "world.h"

#define HIERARCHIES 64
#define TASKS_A_SET 256
#define SMALLEST 1024
#define LARGEST (1024 * 1024)
#define BATCH 2048
#define BATCHES 15
#define MOST_TASKS 4000000 /* tids end at CORE_MAX_TID, and new tasks need some, too */

enum op { FORK, EXIT, MOVE, LIST, RELEASE, BARE, OPS };

static const char *const op_names[OPS] = {"fork",    "exit",   "move", "list (per task)",
					  "release", "3 slots"};

struct scale {
	struct world *w;
	struct hierarchy *h[HIERARCHIES];
	struct cgroup **groups; /* HIERARCHIES for each css_set */
	size_t n_sets, n_groups, n_tasks;
	pid_t end; /* tids in use are below it */
	double bytes_a_group, bytes_a_task, bytes_a_set;
	void *bare; /* a table of as many tasks */
	double ns[OPS];
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)(m.uordblks + m.hblkhd);
}

static size_t pick(struct scale *s, size_t n)
{
	return (size_t)(world_random(s->w) % n);
}

static pid_t pick_task(struct scale *s)
{
	for (;;) {
		pid_t tid = 1 + (pid_t)pick(s, (size_t)s->end - 1);

		if (world_alive(s->w, tid))
			return tid;
	}
}

/* ---- made ----------------------------------------------------------------------------------- */

static void make_groups(struct scale *s)
{
	double before = heap();
	char name[32];

	s->groups = calloc(s->n_groups, sizeof(struct cgroup *));
	if (!s->groups)
		exit(1);
	before = heap();
	for (size_t set = 0; set < s->n_sets; set++) {
		snprintf(name, sizeof(name), "group-%zu", set);
		for (size_t i = 0; i < HIERARCHIES; i++)
			s->groups[set * HIERARCHIES + i] =
				world_mkdir(hierarchy_root(s->h[i]), name);
	}
	s->bytes_a_group = (heap() - before) / (double)s->n_groups;
}

/* Each css_set has one founder, whose children the others are. */
static void make_tasks(struct scale *s)
{
	double before = heap(), founded;
	size_t a_set = s->n_tasks / s->n_sets;
	pid_t tid = 1;

	for (size_t set = 0; set < s->n_sets; set++, tid++) {
		world_spawn(s->w, tid);
		for (size_t i = 0; i < HIERARCHIES; i++)
			world_attach(s->groups[set * HIERARCHIES + i], tid);
	}
	founded = heap();
	s->bytes_a_set = (founded - before) / (double)s->n_sets;
	/* In turns, as on a busy machine: the tids of a css_set lie far apart. */
	for (size_t i = 1; i < a_set; i++)
		for (size_t set = 0; set < s->n_sets; set++)
			world_fork(s->w, (pid_t)set + 1, tid++);
	core_settle(world_core(s->w));
	s->bytes_a_task = (heap() - founded) / (double)(s->n_tasks - s->n_sets);
	s->end = tid;
}

/* ---- measured ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

static int compare_tids(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/*
 * Random tasks die, and as many are born to random others, so that there are as many as before. Their
 * tids are given again in ascending order, as the kernel does when it comes round.
 */
static void turn_over(struct scale *s, double *exit_ns, double *fork_ns)
{
	static pid_t tids[BATCH];
	size_t n = s->n_tasks / 8 < BATCH ? s->n_tasks / 8 : BATCH;
	double start;

	for (size_t i = 0; i < n; i++) {
		tids[i] = pick_task(s);
		world_exit(s->w, tids[i]);
	}
	start = now();
	core_settle(world_core(s->w));
	*exit_ns = (now() - start) / (double)n;
	qsort(tids, n, sizeof(*tids), compare_tids);
	for (size_t i = 0; i < n; i++)
		world_fork(s->w, pick_task(s), tids[i]);
	start = now();
	core_settle(world_core(s->w));
	*fork_ns = (now() - start) / (double)n;
}

/* Into another group of one hierarchy and back. */
static double move_some(struct scale *s)
{
	double start, sum = 0;

	for (size_t i = 0; i < BATCH / 8; i++) {
		pid_t tid = pick_task(s);
		size_t h = pick(s, HIERARCHIES);
		struct cgroup *to = s->groups[pick(s, s->n_sets) * HIERARCHIES + h], *from;

		if (core_task_cgroup(world_core(s->w), tid, s->h[h], &from))
			exit(1);
		start = now();
		world_attach(to, tid);
		world_attach(from, tid);
		sum += now() - start;
	}
	return sum / (BATCH / 4);
}

static double list_some(struct scale *s)
{
	size_t tasks = 0, n;
	double start = now();
	pid_t *pids;

	for (size_t i = 0; i < BATCH / 16; i++) {
		if (cgroup_list(s->groups[pick(s, s->n_groups)], false, &pids, &n))
			exit(1);
		tasks += n;
		free(pids);
	}
	return (now() - start) / (double)tasks;
}

/* Groups with a task each, which ends: from the log to the group's being removed. */
static double release_some(struct scale *s)
{
	pid_t tids[BATCH / 8];
	struct cgroup *cgrp;
	struct hierarchy *h = s->h[pick(s, HIERARCHIES)];
	size_t n = 0;
	double start;
	char name[32];

	for (size_t i = 0; i < BATCH / 8; i++) {
		pid_t maker = pick_task(s);

		snprintf(name, sizeof(name), "released-%zu", i);
		cgrp = world_mkdir(hierarchy_root(h), name);
		cgroup_set_notify_on_release(cgrp, true);
		/* A tid of its own range: the population stays. */
		tids[i] = s->end + (pid_t)i;
		world_fork(s->w, maker, tids[i]);
		world_attach(cgrp, tids[i]);
	}
	for (size_t i = 0; i < BATCH / 8; i++)
		world_exit(s->w, tids[i]);
	start = now();
	core_settle(world_core(s->w));
	while ((cgrp = core_release_next(h))) {
		n++;
		if (cgroup_rmdir(cgrp))
			exit(1);
	}
	if (n != BATCH / 8)
		exit(1);
	return (now() - start) / (double)n;
}

/*
 * The bound: what it takes to change three random places of a bare table of as many tasks, as an exit
 * must - its own and its two neighbours on the list - looking ahead as the core does.
 */
static double touch_some(struct scale *s)
{
	struct slot {
		uint32_t cset, tgid, next, prev;
	} *table = s->bare;
	static uint32_t at[3 * BATCH + 3 * CORE_HINT_AHEAD(0)];
	double start;

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		at[i] = (uint32_t)pick(s, s->n_tasks);
	start = now();
	for (size_t i = 0; i < 3 * (size_t)BATCH; i++) {
		__builtin_prefetch(&table[at[i + 3 * CORE_HINT_AHEAD(0)]], 1);
		table[at[i]].next++;
	}
	return (now() - start) / BATCH;
}

static void measure(struct scale *s)
{
	double v[OPS][BATCHES], exit_ns, fork_ns;

	for (int i = -1; i < BATCHES; i++) {
		int at = i < 0 ? 0 : i; /* the first warms up */

		turn_over(s, &exit_ns, &fork_ns);
		v[EXIT][at] = exit_ns;
		v[FORK][at] = fork_ns;
		v[MOVE][at] = move_some(s);
		v[LIST][at] = list_some(s);
		v[RELEASE][at] = release_some(s);
		v[BARE][at] = touch_some(s);
	}
	for (enum op op = 0; op < OPS; op++)
		s->ns[op] = median(v[op], BATCHES);
}

static void at_size(struct scale *s, size_t n_groups)
{
	*s = (struct scale){.w = world_new()};
	s->n_groups = n_groups;
	s->n_sets = n_groups / HIERARCHIES;
	s->n_tasks = s->n_sets * TASKS_A_SET;
	if (s->n_tasks > MOST_TASKS)
		s->n_tasks = MOST_TASKS / s->n_sets * s->n_sets;
	world_mount(s->w, s->h, HIERARCHIES);
	make_groups(s);
	make_tasks(s);
	s->bare = calloc(s->n_tasks, 16);
	if (!s->bare)
		exit(1);
	memset(s->bare, 1, s->n_tasks * 16);
	measure(s);
	free(s->bare);
}

static json_t *size_json(const struct scale *s)
{
	json_t *ns = json_object();

	for (enum op op = 0; op < OPS; op++)
		json_object_set_new(ns, op_names[op], json_real(s->ns[op]));
	return json_pack("{s:I, s:I, s:i, s:f, s:f, s:f, s:o}", "groups", (json_int_t)s->n_groups,
			 "tasks", (json_int_t)s->n_tasks, "hierarchies", HIERARCHIES,
			 "bytes_a_group", s->bytes_a_group, "bytes_a_task", s->bytes_a_task,
			 "bytes_a_css_set", s->bytes_a_set, "ns", ns);
}

int main(int argc, char **argv)
{
	size_t most = argc > 2 ? (size_t)atol(argv[2]) : LARGEST;
	struct scale first = {0}, s;
	json_t *sizes = json_array();

	if (argc < 2 || most < SMALLEST) {
		fprintf(stderr, "usage: %s JSON [MOST-GROUPS]\n", argv[0]);
		return 2;
	}
	printf("the core alone, %d hierarchies; nanoseconds\n%9s %9s", HIERARCHIES, "groups",
	       "tasks");
	for (enum op op = 0; op < OPS; op++)
		printf(" %15s", op_names[op]);
	printf("  bytes a group, a task, a css_set\n");
	for (size_t n = SMALLEST; n <= most; n *= 4) {
		at_size(&s, n);
		printf("%9zu %9zu", s.n_groups, s.n_tasks);
		for (enum op op = 0; op < OPS; op++)
			printf(" %15.1f", s.ns[op]);
		printf("  %7.0f %7.1f %7.0f\n", s.bytes_a_group, s.bytes_a_task, s.bytes_a_set);
		fflush(stdout);
		json_array_append_new(sizes, size_json(&s));
		if (n == SMALLEST)
			first = s;
		free(s.groups);
		world_free(s.w);
	}
	for (enum op op = 0; op < OPS; op++) {
		double growth = s.ns[op] / first.ns[op];

		printf("%-15s grows by %.2f%s\n", op_names[op], growth,
		       growth > 3 && op != BARE ? "   goal missed: at most 3" : "");
	}
	if (json_dump_file(json_pack("{s:o}", "sizes", sizes), argv[1], JSON_INDENT(2))) {
		fprintf(stderr, "bench: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	return 0;
}
