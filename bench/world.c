// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * world.c - made-up tasks for the core alone: see world.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define LOG_SIZE (1u << 16)
#define MANY 64 /* events: worth looking ahead */

enum what { BORN, MOVED, DIED };

struct event {
	enum what what;
	pid_t tid;
	uint32_t from, to;
};

struct world {
	struct core_ops ops;
	struct core *core;
	struct core_place *places; /* by tid */
	uint32_t *counts;	   /* by css_set */
	struct event log[LOG_SIZE];
	size_t n_logged;
	uint64_t seed;
};

static _Noreturn void fail(const char *what, int err)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

uint64_t world_random(struct world *w)
{
	/* xorshift64 */
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

/* ---- what the core asks --------------------------------------------------------------------- */

/* As the tracker does. */
static void hint(const struct world *w, size_t at)
{
	for (unsigned int step = 0; step < CORE_HINTS; step++) {
		size_t i = at + CORE_HINT_AHEAD(step);

		if (i < w->n_logged)
			core_task_hint(w->core, step, w->log[i].tid, w->log[i].from | w->log[i].to);
	}
}

static void op_replay(void *arg)
{
	struct world *w = arg;
	bool many = w->n_logged > MANY;

	for (size_t i = 0; i < w->n_logged; i++) {
		const struct event *e = &w->log[i];

		if (many)
			hint(w, i);
		if (e->what == BORN)
			core_task_born(w->core, e->tid, e->tid, e->to);
		else if (e->what == MOVED)
			core_task_moved(w->core, e->tid, e->tid, e->from, e->to);
		else
			core_task_died(w->core, e->tid, e->from);
	}
	w->n_logged = 0;
}

static uint64_t op_cset_count(void *arg, uint32_t cset)
{
	const struct world *w = arg;

	return w->counts[cset];
}

static int op_task_info(void *arg, pid_t tid, struct core_task_info *info)
{
	const struct world *w = arg;

	if (!world_alive(w, tid))
		return -ESRCH;
	*info = (struct core_task_info){.tgid = tid, .place = w->places[tid]};
	return 0;
}

/* A log that fills up is read, as the daemon reads it when it is woken. */
static void log_event(struct world *w, struct event e)
{
	if (w->n_logged == LOG_SIZE)
		core_settle(w->core);
	w->log[w->n_logged++] = e;
}

static bool op_task_place(void *arg, pid_t tid, struct core_place *place, pid_t *tgid)
{
	const struct world *w = arg;

	if (!world_alive(w, tid))
		return false;
	*place = w->places[tid];
	*tgid = tid;
	return true;
}

static int move_one(struct world *w, pid_t tid, struct core_place from, uint32_t to)
{
	struct core_place *place = &w->places[tid];

	if (place->cset != from.cset || place->gen != from.gen)
		return -EAGAIN;
	if (w->n_logged == LOG_SIZE)
		return -EAGAIN;
	place->cset = to;
	place->gen++;
	w->counts[from.cset]--;
	w->counts[to]++;
	w->log[w->n_logged++] = (struct event){MOVED, tid, from.cset, to};
	return 0;
}

static void op_move(void *arg, struct core_move *moves, size_t n)
{
	for (size_t i = 0; i < n; i++)
		moves[i].err = move_one(arg, moves[i].tid, moves[i].from, moves[i].to);
}

static int op_threads(void *arg, struct core_process process, struct core_thread **threads,
		      size_t *n)
{
	const struct world *w = arg;
	pid_t tgid = process.tgid;

	if (!world_alive(w, tgid))
		return -ESRCH;
	*threads = malloc(sizeof(**threads));
	if (!*threads)
		return -ENOMEM;
	**threads = (struct core_thread){.tid = tgid, .place = w->places[tgid]};
	*n = 1;
	return 0;
}

static uint64_t op_now(void *arg)
{
	(void)arg;
	return 1;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

void world_spawn(struct world *w, pid_t tid)
{
	w->places[tid].cset = CSET_INITIAL;
	w->places[tid].gen++;
	w->counts[CSET_INITIAL]++;
}

void world_fork(struct world *w, pid_t maker, pid_t child)
{
	uint32_t cset = w->places[maker].cset;

	w->places[child].cset = cset;
	w->places[child].gen++;
	w->counts[cset]++;
	if (cset != CSET_INITIAL)
		log_event(w, (struct event){BORN, child, CSET_NONE, cset});
}

void world_exit(struct world *w, pid_t tid)
{
	uint32_t cset = w->places[tid].cset;

	w->places[tid].cset = CSET_NONE;
	w->counts[cset]--;
	if (cset != CSET_INITIAL)
		log_event(w, (struct event){DIED, tid, cset, CSET_NONE});
}

bool world_alive(const struct world *w, pid_t tid)
{
	return tid > 0 && tid < CORE_MAX_TID && w->places[tid].cset != CSET_NONE;
}

/* ---- groups --------------------------------------------------------------------------------- */

void world_mount(struct world *w, struct hierarchy **h, size_t n)
{
	const struct core_cred root = {.owner = true};

	for (size_t i = 0; i < n; i++) {
		struct core_mount_opts opts;
		char text[32];
		int err;

		snprintf(text, sizeof(text), "none,name=h%zu", i);
		err = core_mount_opts_parse(w->core, text, &opts, NULL);
		if (!err)
			err = core_mount(w->core, &opts, &root, &h[i], NULL);
		if (err)
			fail("mounting a hierarchy", err);
		core_mount_opts_clear(&opts);
	}
}

struct cgroup *world_mkdir(struct cgroup *parent, const char *name)
{
	struct cgroup *cgrp;
	int err = cgroup_mkdir(parent, name, 0755, 0, 0, &cgrp);

	if (err)
		fail("making a group", err);
	return cgrp;
}

void world_attach(struct cgroup *cgrp, pid_t tid)
{
	const struct core_cred root = {0};
	int err = core_attach_task(cgrp, tid, &root);

	if (err)
		fail("moving a task", err);
}

/* ---- the whole ------------------------------------------------------------------------------ */

struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		fail("a world", ENOMEM);
	w->seed = 0x9e3779b97f4a7c15ull;
	w->places = calloc(CORE_MAX_TID, sizeof(*w->places));
	w->counts = calloc(1u << 20, sizeof(*w->counts));
	w->ops = (struct core_ops){
		.replay = op_replay,
		.cset_count = op_cset_count,
		.task_info = op_task_info,
		.task_place = op_task_place,
		.move = op_move,
		.threads = op_threads,
		.now = op_now,
	};
	w->core = core_new(&w->ops, w, 1u << 20);
	if (!w->places || !w->counts || !w->core)
		fail("a world", ENOMEM);
	return w;
}

struct core *world_core(struct world *w)
{
	return w->core;
}

void world_free(struct world *w)
{
	core_free(w->core);
	free(w->counts);
	free(w->places);
	free(w);
}
