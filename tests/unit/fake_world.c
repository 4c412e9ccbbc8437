// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_world.c - made-up tasks, their log, and struct core_ops on top of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_world.h"

#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "# fake world: " __VA_ARGS__);                             \
			fprintf(stderr, " (%s:%d)\n", __FILE__, __LINE__);                         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct fw_task *fw_task(struct fake_world *fw, pid_t tid)
{
	CHECK(tid > 0 && tid < fw->tid_end, "tid %d is out of range", tid);
	return &fw->tasks[tid];
}

/* ---- the log ---- */

static void log_event(struct fake_world *fw, struct fw_event ev)
{
	fw->n_logged++;
	if ((fw->ring_size && fw->log_len >= fw->ring_size) ||
	    (fw->fail_every && fw->n_logged % fw->fail_every == 0)) {
		fw->lost = true;
		fw->n_lost++;
		return;
	}
	if (fw->log_len == fw->log_cap) {
		fw->log_cap = fw->log_cap ? 2 * fw->log_cap : 64;
		fw->log = realloc(fw->log, fw->log_cap * sizeof(*fw->log));
		CHECK(fw->log, "out of memory");
	}
	fw->log[fw->log_len++] = ev;
}

static void fold(struct fake_world *fw, const struct fw_event *ev)
{
	switch (ev->type) {
	case FW_BORN:
		core_task_born(fw->core, ev->tid, ev->tgid, ev->to);
		break;
	case FW_MOVED:
		core_task_moved(fw->core, ev->tid, ev->tgid, ev->from, ev->to);
		break;
	case FW_DIED:
		core_task_died(fw->core, ev->tid, ev->from);
		break;
	case FW_RETID:
		core_task_retid(fw->core, ev->tid, ev->new_tid, ev->from);
		break;
	}
}

/* Callbacks run by the fold may make tasks move or die: the log grows while it is consumed. */
static void drain(struct fake_world *fw)
{
	size_t i;

	for (i = 0; i < fw->log_len; i++) {
		struct fw_event ev = fw->log[i];

		fold(fw, &ev);
	}
	fw->log_len = 0;
}

/*
 * What was logged before the loss, the truth over it, and what was logged meanwhile on top: in the
 * order in which a tracker does it.
 */
static void rebuild(struct fake_world *fw)
{
	pid_t tid;

	fw->lost = false;
	fw->n_rebuilds++;
	core_events_lost(fw->core);
	drain(fw);
	core_rebuild_begin(fw->core);
	for (tid = 1; tid < fw->tid_end; tid++) {
		struct fw_task *t = &fw->tasks[tid];

		if (t->state == FW_EXECING && t->counted > CSET_INITIAL)
			core_rebuild_task(fw->core, t->old_tid, t->tgid, t->counted);
		if (t->state != FW_ALIVE || t->place.cset <= CSET_INITIAL)
			continue;
		core_rebuild_task(fw->core, tid, t->tgid, t->place.cset);
		if (fw->on_rebuild)
			fw->on_rebuild(fw, tid);
	}
	drain(fw);
	core_rebuild_end(fw->core);
}

static void op_replay(void *arg)
{
	struct fake_world *fw = arg;

	fw->n_replays++;
	if (!fw->lost)
		drain(fw);
	while (fw->lost)
		rebuild(fw);
}

/* ---- what the core asks ---- */

static uint64_t op_cset_count(void *arg, uint32_t cset)
{
	struct fake_world *fw = arg;

	CHECK(cset < fw->max_csets, "count of css_set %u of %u", cset, fw->max_csets);
	return fw->count[cset];
}

static int op_task_info(void *arg, pid_t tid, struct core_task_info *info)
{
	struct fake_world *fw = arg;
	const struct fw_task *t, *leader;

	if (tid <= 0 || tid >= fw->tid_end)
		return -ESRCH;
	t = &fw->tasks[tid];
	if (t->state == FW_FREE || t->state == FW_DYING)
		return -ESRCH;
	leader = &fw->tasks[t->tgid];
	if (leader->state == FW_FREE || leader->state == FW_DYING)
		leader = t; /* the made-up dead have no ids */
	*info = (struct core_task_info){
		.tgid = t->tgid,
		.process_key = fw->process_key[t->tgid],
		.place = t->place,
		.uid = t->uid,
		.suid = t->suid,
		.leader_uid = leader->uid,
		.leader_suid = leader->suid,
		.fixed = t->kthread,
	};
	return 0;
}

static void set_place(struct fw_task *t, uint32_t cset)
{
	t->place.cset = cset;
	t->place.gen++;
}

static void count_add(struct fake_world *fw, uint32_t cset, int n)
{
	CHECK(cset != CSET_NONE && cset < fw->max_csets, "counting in css_set %u", cset);
	if (cset == CSET_INITIAL)
		return; /* costs nothing, so nobody counts */
	CHECK(n > 0 || fw->count[cset] > 0, "count of css_set %u below zero", cset);
	fw->count[cset] += n;
}

static bool op_task_place(void *arg, pid_t tid, struct core_place *place, pid_t *tgid)
{
	const struct fake_world *fw = arg;

	if (tid <= 0 || tid >= fw->tid_end || fw->tasks[tid].state != FW_ALIVE)
		return false;
	*place = fw->tasks[tid].place;
	*tgid = fw->tasks[tid].tgid;
	return true;
}

static int move_one(struct fake_world *fw, pid_t tid, struct core_place from, uint32_t to)
{
	struct fw_task *t;

	if (fw->on_move)
		fw->on_move(fw, tid);
	CHECK(to != CSET_NONE && to < fw->max_csets, "move into css_set %u", to);
	if (tid <= 0 || tid >= fw->tid_end)
		return -ESRCH;
	t = &fw->tasks[tid];
	if (t->state == FW_FREE || t->state == FW_DYING)
		return -ESRCH;
	if (t->kthread)
		return -EINVAL;
	if (t->state != FW_ALIVE || t->place.cset != from.cset || t->place.gen != from.gen)
		return -EAGAIN;
	fw->n_moves++;
	count_add(fw, to, 1);
	set_place(t, to);
	count_add(fw, from.cset, -1);
	log_event(fw, (struct fw_event){.type = FW_MOVED,
					.tid = tid,
					.tgid = t->tgid,
					.from = from.cset,
					.to = to});
	if (fw->on_moved)
		fw->on_moved(fw, tid);
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
	struct fake_world *fw = arg;
	pid_t tgid = process.tgid, tid;

	if (tgid <= 0 || tgid >= fw->tid_end ||
	    (process.key && process.key != fw->process_key[tgid]))
		return -ESRCH;
	*threads = calloc(fw->tid_end, sizeof(**threads));
	CHECK(*threads, "out of memory");
	*n = 0;
	for (tid = 1; tid < fw->tid_end; tid++) {
		struct fw_task *t = &fw->tasks[tid];

		if (t->tgid == tgid && t->state != FW_FREE && t->state != FW_DYING)
			(*threads)[(*n)++] = (struct core_thread){.tid = tid, .place = t->place};
	}
	if (fw->on_threads)
		fw->on_threads(fw, tgid);
	if (*n)
		return 0;
	free(*threads);
	*threads = NULL;
	return -ESRCH;
}

static void op_finish_exec(void *arg, pid_t tid)
{
	struct fake_world *fw = arg;

	fw->n_finish_exec++;
	if (fw->tasks[tid].state == FW_EXECING)
		fw_exec_end(fw, tid);
}

static int op_each_initial(void *arg, void (*fn)(void *fn_arg, pid_t tid, pid_t tgid), void *fn_arg)
{
	struct fake_world *fw = arg;
	pid_t tid;

	for (tid = 1; tid < fw->tid_end; tid++)
		if (fw->tasks[tid].state == FW_ALIVE && fw->tasks[tid].place.cset == CSET_INITIAL)
			fn(fn_arg, tid, fw->tasks[tid].tgid);
	return 0;
}

static void op_pause(void *arg)
{
	struct fake_world *fw = arg;
	pid_t tid;

	fw->n_pauses++;
	if (fw->on_pause) {
		fw->on_pause(fw);
		return;
	}
	for (tid = 1; tid < fw->tid_end; tid++)
		if (fw->tasks[tid].state == FW_UNBORN)
			fw_fork_end(fw, tid);
}

static uint64_t op_now(void *arg)
{
	struct fake_world *fw = arg;

	return ++fw->clock;
}

static void op_kick(void *arg)
{
	struct fake_world *fw = arg;

	atomic_fetch_add(&fw->n_kicks, 1);
}

static void op_release_ready(void *arg, struct hierarchy *h)
{
	struct fake_world *fw = arg;

	fw->n_release_ready++;
	fw->last_ready = h;
}

static void op_want_events(void *arg, bool fork, bool exit)
{
	struct fake_world *fw = arg;

	fw->want_fork = fork;
	fw->want_exit = exit;
}

static void op_tree_changed(void *arg, struct cgroup *cgrp)
{
	struct fake_world *fw = arg;

	CHECK(cgroup_name(cgrp)[0], "a cgroup without a name changed");
	fw->n_tree_changed++;
}

static void op_log(void *arg, int priority, const char *fmt, va_list ap)
{
	struct fake_world *fw = arg;

	vsnprintf(fw->last_message, sizeof(fw->last_message), fmt, ap);
	fw->n_messages++;
	if (fw->log_to_stderr)
		fprintf(stderr, "# core says <%d> %s\n", priority, fw->last_message);
}

/* ---- life of a world ---- */

struct fake_world *fw_alloc(uint32_t max_csets)
{
	struct fake_world *fw = calloc(1, sizeof(*fw));

	CHECK(fw, "out of memory");
	fw->max_csets = max_csets;
	fw->tid_end = FW_MAX_TID;
	fw->count = calloc(max_csets, sizeof(*fw->count));
	CHECK(fw->count, "out of memory");
	fw->clock = 1000;
	fw->log_to_stderr = getenv("UCGROUP_TEST_LOG") != NULL;
	fw->ops = (struct core_ops){
		.replay = op_replay,
		.cset_count = op_cset_count,
		.task_info = op_task_info,
		.task_place = op_task_place,
		.move = op_move,
		.threads = op_threads,
		.finish_exec = op_finish_exec,
		.each_initial = op_each_initial,
		.pause = op_pause,
		.now = op_now,
		.kick = op_kick,
		.release_ready = op_release_ready,
		.want_events = op_want_events,
		.tree_changed = op_tree_changed,
		.log = op_log,
	};
	return fw;
}

void fw_start(struct fake_world *fw)
{
	fw->core = core_new(&fw->ops, fw, fw->max_csets);
	CHECK(fw->core, "no core");
}

struct fake_world *fw_new(uint32_t max_csets)
{
	struct fake_world *fw = fw_alloc(max_csets);

	fw_start(fw);
	return fw;
}

void fw_free(struct fake_world *fw)
{
	if (fw->core)
		core_free(fw->core);
	free(fw->log);
	free(fw->count);
	free(fw);
}

/* ---- what tasks do ---- */

static void begin_process(struct fake_world *fw, pid_t tid, pid_t tgid)
{
	if (tid == tgid)
		fw->process_key[tgid] = ++fw->n_processes;
}

void fw_spawn(struct fake_world *fw, pid_t tid, pid_t tgid)
{
	struct fw_task *t = fw_task(fw, tid);

	CHECK(t->state == FW_FREE, "tid %d is taken", tid);
	t->state = FW_ALIVE;
	t->tgid = tgid;
	begin_process(fw, tid, tgid);
	t->uid = t->suid = 0;
	t->kthread = false;
	set_place(t, CSET_INITIAL);
}

void fw_fork_begin(struct fake_world *fw, pid_t parent, pid_t child, pid_t tgid)
{
	struct fw_task *p = fw_task(fw, parent), *c = fw_task(fw, child);

	CHECK(p->state == FW_ALIVE, "fork by %d, which is not alive", parent);
	CHECK(c->state == FW_FREE, "tid %d is taken", child);
	c->state = FW_UNBORN;
	c->tgid = tgid ? tgid : child;
	begin_process(fw, child, c->tgid);
	c->uid = p->uid;
	c->suid = p->suid;
	c->kthread = false;
	c->place.cset = CSET_NONE;
	c->counted = p->place.cset;
	count_add(fw, c->counted, 1);
}

void fw_fork_end(struct fake_world *fw, pid_t child)
{
	struct fw_task *c = fw_task(fw, child);

	CHECK(c->state == FW_UNBORN, "%d is not being born", child);
	c->state = FW_ALIVE;
	set_place(c, c->counted);
	if (c->counted != CSET_INITIAL)
		log_event(fw, (struct fw_event){.type = FW_BORN,
						.tid = child,
						.tgid = c->tgid,
						.to = c->counted});
}

void fw_fork_undo(struct fake_world *fw, pid_t child)
{
	struct fw_task *c = fw_task(fw, child);

	CHECK(c->state == FW_UNBORN, "%d is not being born", child);
	c->state = FW_FREE;
	count_add(fw, c->counted, -1);
}

void fw_fork(struct fake_world *fw, pid_t parent, pid_t child, pid_t tgid)
{
	fw_fork_begin(fw, parent, child, tgid);
	fw_fork_end(fw, child);
}

void fw_exit_begin(struct fake_world *fw, pid_t tid)
{
	struct fw_task *t = fw_task(fw, tid);

	CHECK(t->state == FW_ALIVE, "exit of %d, which is not alive", tid);
	t->state = FW_DYING;
	t->counted = t->place.cset;
	t->place.cset = CSET_NONE; /* the generation stays */
}

void fw_exit_end(struct fake_world *fw, pid_t tid)
{
	struct fw_task *t = fw_task(fw, tid);

	CHECK(t->state == FW_DYING, "%d is not dying", tid);
	t->state = FW_FREE;
	count_add(fw, t->counted, -1);
	if (t->counted != CSET_INITIAL)
		log_event(fw, (struct fw_event){.type = FW_DIED, .tid = tid, .from = t->counted});
}

void fw_exit(struct fake_world *fw, pid_t tid)
{
	fw_exit_begin(fw, tid);
	fw_exit_end(fw, tid);
}

void fw_exec(struct fake_world *fw, pid_t tid)
{
	pid_t tgid = fw_task(fw, tid)->tgid;

	fw_exec_begin(fw, tid);
	if (tid != tgid)
		fw_exec_end(fw, tgid);
}

/* In between the thread goes by its leader's tid, and its place lies at the old one. */
void fw_exec_begin(struct fake_world *fw, pid_t tid)
{
	struct fw_task *t = fw_task(fw, tid), *leader;
	pid_t tgid = t->tgid, other;

	CHECK(t->state == FW_ALIVE, "exec by %d, which is not alive", tid);
	for (other = 1; other < fw->tid_end; other++) {
		struct fw_task *o = &fw->tasks[other];

		if (other == tid || o->tgid != tgid)
			continue;
		if (o->state == FW_UNBORN)
			fw_fork_end(fw, other);
		if (o->state == FW_ALIVE)
			fw_exit_begin(fw, other);
		if (o->state == FW_DYING)
			fw_exit_end(fw, other);
	}
	if (tid == tgid)
		return;
	leader = fw_task(fw, tgid);
	CHECK(leader->state == FW_FREE, "the leader %d lives on", tgid);
	leader->state = FW_EXECING;
	leader->tgid = tgid;
	leader->uid = t->uid;
	leader->suid = t->suid;
	leader->kthread = t->kthread;
	leader->place.cset = CSET_NONE;
	leader->counted = t->place.cset;
	leader->old_tid = tid;
	t->state = FW_FREE;
	t->place.cset = CSET_NONE;
}

void fw_exec_end(struct fake_world *fw, pid_t tgid)
{
	struct fw_task *leader = fw_task(fw, tgid);

	CHECK(leader->state == FW_EXECING, "%d is in no exec", tgid);
	leader->state = FW_ALIVE;
	set_place(leader, leader->counted);
	if (leader->counted != CSET_INITIAL)
		log_event(fw, (struct fw_event){.type = FW_RETID,
						.tid = leader->old_tid,
						.new_tid = tgid,
						.from = leader->counted});
}

void fw_finish_all(struct fake_world *fw)
{
	pid_t tid;

	for (tid = 1; tid < fw->tid_end; tid++) {
		if (fw->tasks[tid].state == FW_UNBORN)
			fw_fork_end(fw, tid);
		else if (fw->tasks[tid].state == FW_DYING)
			fw_exit_end(fw, tid);
		else if (fw->tasks[tid].state == FW_EXECING)
			fw_exec_end(fw, tid);
	}
}
