// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach.c - moving tasks, thread by thread. (Whole processes: attach_process.c.)
 *
 * The move itself is one compare-and-swap in the kernel, made by the tracker; a list changes when
 * the log tells of it. Everything before it (permission, can_attach) is asked of the place the task
 * was seen at, and the swap fails if it has left that place.
 *
 * The log is read between seeing where tasks are and asking can_attach. A fork hook reserves its slot
 * in the log before it places the child, so whoever is seen at a place is in the lists by then, and
 * task_cgroup() is right. It would say "the root" of one that was born since the last reading: cpuset
 * then takes the CPUs which the child has from the cpuset it leaves for its own wish, for ever.
 *
 * Root may move whom it likes, so where no subsystem has a say nothing needs to be known of a task
 * but its place. Then many are moved at once, for one call of the tracker.
 */
#include <core/attach.h>

#define MANY 256 /* tasks handed to the tracker at once */

int attach_may(const struct core_cred *cred, const struct core_task_info *info, bool process)
{
	uid_t uid = process ? info->leader_uid : info->uid;
	uid_t suid = process ? info->leader_suid : info->suid;

	if (info->fixed)
		return -EINVAL;
	return cred->euid == 0 || cred->euid == uid || cred->euid == suid ? 0 : -EACCES;
}

/* ---- subsystems ------------------------------------------------------------------------------- */

static void cancel_below(struct cgroup *cgrp, const struct cgroup_task *task, int below)
{
	struct cgroup_subsys *ss;

	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id)) && id < below;)
		if (ss->can_attach && ss->cancel_attach)
			ss->cancel_attach(ss, cgrp, task);
}

void attach_cancel(struct cgroup *cgrp, const struct cgroup_task *task)
{
	cancel_below(cgrp, task, CORE_MAX_SUBSYS);
}

int attach_ask(struct cgroup *cgrp, const struct cgroup_task *task)
{
	struct cgroup_subsys *ss;

	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));) {
		int err = ss->can_attach ? ss->can_attach(ss, cgrp, task) : 0;

		if (err) {
			cancel_below(cgrp, task, id);
			return err;
		}
	}
	return 0;
}

void attach_done(struct cgroup *cgrp, struct cgroup *old, const struct cgroup_task *task)
{
	struct cgroup_subsys *ss;

	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));)
		if (ss->attach)
			ss->attach(ss, cgrp, old, task);
}

static bool has_a_say(const struct hierarchy *h)
{
	struct cgroup_subsys *ss;

	for (int id = -1; (ss = hierarchy_next_subsys(h, &id));)
		if (ss->can_attach)
			return true;
	return false;
}

/* ---- the swap --------------------------------------------------------------------------------- */

static int note(struct core *core, const struct swap *s, struct cset *to)
{
	const struct own_move move = {
		.tid = s->tid, .tgid = s->tgid, .from = s->from.cset, .to = to->id};
	int err = own_moves_note(core, &move);

	if (err)
		cset_drop_unused(core, to);
	return err;
}

/* At most MANY. Nothing is settled meanwhile, so no css_set found here goes away. */
static void swap_some(struct cgroup *cgrp, struct swap *v, size_t n)
{
	struct core *core = cgrp->h->core;
	struct core_move moves[MANY];
	struct swap *moved[MANY];
	struct cset *from = NULL, *to = NULL;
	size_t n_moves = 0;

	for (size_t i = 0; i < n; i++) {
		/* Many come from the same place. */
		if (!from || from->id != v[i].from.cset) {
			from = cset_by_id(core, v[i].from.cset);
			to = from ? cset_with(core, from, cgrp) : NULL;
		}
		v[i].err = !from ? -EAGAIN : !to ? -ENOMEM : note(core, &v[i], to);
		if (v[i].err)
			continue;
		v[i].old = cset_cgroup(from, cgrp->h);
		moved[n_moves] = &v[i];
		moves[n_moves++] =
			(struct core_move){.tid = v[i].tid, .from = v[i].from, .to = to->id};
	}
	if (n_moves)
		core->ops->move(core->arg, moves, n_moves);
	own_moves_made(core, moves, n_moves);
	for (size_t i = 0; i < n_moves; i++) {
		moved[i]->err = moves[i].err;
		if (moves[i].err)
			cset_drop_unused(core, core->csets[moves[i].to]);
	}
}

void attach_swap(struct cgroup *cgrp, struct swap *v, size_t n)
{
	for (size_t i = 0; i < n; i += MANY)
		swap_some(cgrp, v + i, n - i < MANY ? n - i : MANY);
}

/* ---- looking ---------------------------------------------------------------------------------- */

void attach_pause(struct core *core)
{
	if (core->ops->pause)
		core->ops->pause(core->arg);
}

/*
 * A birth is over as soon as its maker goes on; an exec that changes the tid (only to that of a leader)
 * may wait for a disk, so that is not left to itself for long.
 */
void attach_wait_for_place(struct core *core, pid_t tid, pid_t tgid, int tries)
{
	if (tid == tgid && tries % TRIES == TRIES / 4 && core->ops->finish_exec)
		core->ops->finish_exec(core->arg, tid);
	else
		attach_pause(core);
}

int attach_look_at(struct core *core, pid_t tid, struct core_task_info *info, int tries)
{
	for (int i = 0;; i++) {
		int err = core->ops->task_info(core->arg, tid, info);

		if (err || info->place.cset != CSET_NONE)
			return err;
		if (i + 1 >= tries)
			return -ERESTART;
		attach_wait_for_place(core, tid, info->tgid, i);
	}
}

struct cgroup *attach_place_cgroup(const struct hierarchy *h, struct core_place place)
{
	struct cset *cset = cset_by_id(h->core, place.cset);

	return cset ? cset_cgroup(cset, h) : NULL;
}

/*
 * Where root is to move TID from, if that is all there is to know; false: look at the task itself. That
 * it is in CGRP already is not all: of a task that cannot be moved that is no success.
 */
static bool look_quickly(const struct cgroup *cgrp, struct swap *s)
{
	const struct core *core = cgrp->h->core;
	const struct cgroup *in;

	if (!core->ops->task_place || !core->ops->task_place(core->arg, s->tid, &s->from, &s->tgid))
		return false;
	in = attach_place_cgroup(cgrp->h, s->from);
	return in && in != cgrp;
}

/* ---- one thread ------------------------------------------------------------------------------- */

/*
 * One that subsystems have let in, and that CRED may move: it was of the process of KEY then. Who has
 * its tid by now may be another.
 */
static int attach_granted(struct cgroup *cgrp, struct swap *s, uint64_t key,
			  const struct core_cred *cred)
{
	struct core *core = cgrp->h->core;
	struct core_task_info info;

	for (int i = 0; i < TRIES; i++) {
		attach_swap(cgrp, s, 1);
		if (s->err != -EAGAIN)
			return s->err;
		core_replay(core);
		s->err = attach_look_at(core, s->tid, &info, TRIES);
		if (!s->err && info.process_key != key)
			s->err = -ESRCH;
		if (!s->err)
			s->err = attach_may(cred, &info, false);
		if (s->err)
			return s->err;
		s->from = info.place;
		s->tgid = info.tgid;
	}
	return -ERESTART;
}

static int attach_task(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred, int tries)
{
	struct core *core = cgrp->h->core;
	struct core_task_info info;
	struct swap s = {.tid = tid};
	struct cgroup_task task;
	int err;

	err = attach_look_at(core, tid, &info, tries);
	if (!err)
		err = attach_may(cred, &info, false);
	if (err || attach_place_cgroup(cgrp->h, info.place) == cgrp)
		return err;
	core_replay(core);
	task = (struct cgroup_task){.tid = tid, .tgid = info.tgid};
	err = attach_ask(cgrp, &task);
	if (err)
		return err;
	s.tgid = info.tgid;
	s.from = info.place;
	err = attach_granted(cgrp, &s, info.process_key, cred);
	core_settle(core);
	if (err)
		attach_cancel(cgrp, &task);
	else
		attach_done(cgrp, s.old, &task);
	return err;
}

/* ---- many ------------------------------------------------------------------------------------- */

/* Those whose place is all that matters. The others, and those that have moved on, stay -ERESTART. */
static void attach_quickly(struct cgroup *cgrp, struct core_attach *v, size_t n)
{
	struct swap swaps[MANY];
	struct core_attach *of[MANY];
	size_t n_swaps = 0;

	for (size_t i = 0; i < n; i++) {
		swaps[n_swaps] = (struct swap){.tid = v[i].tid};
		of[n_swaps] = &v[i];
		n_swaps += v[i].err == -ERESTART && look_quickly(cgrp, &swaps[n_swaps]);
	}
	if (!n_swaps)
		return;
	attach_swap(cgrp, swaps, n_swaps);
	core_settle(cgrp->h->core);
	for (size_t i = 0; i < n_swaps; i++) {
		const struct cgroup_task task = {.tid = swaps[i].tid, .tgid = swaps[i].tgid};

		if (swaps[i].err == -EAGAIN || swaps[i].err == -ESRCH)
			continue;
		of[i]->err = swaps[i].err;
		if (!swaps[i].err)
			attach_done(cgrp, swaps[i].old, &task);
	}
}

/* After the first that was waited for in vain, nobody else is: the caller comes back for them all. */
static void attach_some(struct cgroup *cgrp, struct core_attach *v, size_t n,
			const struct core_cred *cred, int *tries)
{
	for (size_t i = 0; i < n; i++) {
		if (!v[i].tid)
			v[i].tid = cred->tid;
		if (v[i].err == -ERESTART && v[i].tid <= 0)
			v[i].err = -ESRCH;
	}
	if (cred->euid == 0 && !cgroup_is_dead(cgrp) && !has_a_say(cgrp->h))
		attach_quickly(cgrp, v, n);
	for (size_t i = 0; i < n; i++) {
		if (v[i].err != -ERESTART)
			continue;
		/* A subsystem's callback may do anything, also to the cgroup. */
		v[i].err = cgroup_is_dead(cgrp) ? -ENODEV :
						  attach_task(cgrp, v[i].tid, cred, *tries);
		if (v[i].err == -ERESTART)
			*tries = 1;
	}
}

void core_attach_tasks(struct cgroup *cgrp, struct core_attach *v, size_t n,
		       const struct core_cred *cred)
{
	struct core *core;
	int tries = TRIES;

	if (cgroup_is_dead(cgrp)) {
		for (size_t i = 0; i < n; i++)
			v[i].err = v[i].err == -ERESTART ? -ENODEV : v[i].err;
		return;
	}
	core = cgrp->h->core;
	cgroup_hold(cgrp);
	core_enter(core);
	/* At the outside that has been done just now. */
	if (core->busy > 1)
		core_settle(core);
	for (size_t i = 0; i < n; i += MANY)
		attach_some(cgrp, v + i, n - i < MANY ? n - i : MANY, cred, &tries);
	core_leave(core);
	cgroup_unhold(cgrp);
}

int core_attach_task(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred)
{
	struct core_attach one = {.tid = tid, .err = -ERESTART};

	core_attach_tasks(cgrp, &one, 1, cred);
	return one.err;
}

/* ---- where a task is -------------------------------------------------------------------------- */

int core_task_cgroup(struct core *core, pid_t tid, struct hierarchy *h, struct cgroup **cgrp)
{
	struct core_task_info info;
	int err;

	core_settle(core);
	err = attach_look_at(core, tid, &info, TRIES);
	if (err) /* of one that is still being born nobody can have been told */
		return err == -ERESTART ? -ESRCH : err;
	*cgrp = attach_place_cgroup(h, info.place);
	if (!*cgrp)
		*cgrp = h->root;
	return 0;
}

struct cgroup *task_cgroup(const struct cgroup_task *task, const struct cgroup_subsys *ss)
{
	struct hierarchy *h = ss->core->subsys_h[ss->id];
	const struct task *t = core_task(ss->core, task->tid);

	return t ? cset_cgroup(ss->core->csets[t->cset], h) : h->root;
}

struct cgroup_subsys_state *task_css(const struct cgroup_task *task, const struct cgroup_subsys *ss)
{
	return css_of(task_cgroup(task, ss), ss);
}
