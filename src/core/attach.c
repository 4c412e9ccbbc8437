// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach.c - moving tasks: one thread, or a whole process all or none.
 *
 * The move itself is one compare-and-swap in the kernel, made by the tracker; a list changes when
 * the log tells of it. Everything before it (permission, can_attach) is asked of the place the task
 * was seen at, and the swap fails if it has left that place.
 *
 * A whole process: threads are moved until a pass over the kernel's own list finds none outside and
 * none being born. Then none can appear outside later: a thread is on that list before its fork
 * hook places it, and a hook that had read its maker's old place would have shown it as unborn or
 * outside in that pass.
 *
 * The log is read between seeing where tasks are and asking can_attach. A fork hook reserves its slot
 * in the log before it places the child, so whoever is seen at a place is in the lists by then, and
 * task_cgroup() is right. It would say "the root" of one that was born since the last reading: cpuset
 * then takes the CPUs which the child has from the cpuset it leaves for its own wish, for ever.
 */
#include <stdio.h>

#include <core/internal.h>

/* Looked at this often while a task is being born or changes its place under our hands. */
#define ATTACH_TRIES 20000

/* One thread that can_attach let in. */
struct granted {
	pid_t tid;
	struct cgroup *old; /* NULL until moved */
};

struct granted_list {
	struct granted *v;
	size_t n, cap;
};

static struct granted *find_granted(const struct granted_list *list, pid_t tid)
{
	for (size_t i = list->n; i-- > 0;)
		if (list->v[i].tid == tid)
			return &list->v[i];
	return NULL;
}

static bool may_move(const struct core_cred *cred, const struct core_task_info *info)
{
	return cred->euid == 0 || cred->euid == info->uid || cred->euid == info->suid;
}

static void cancel(struct cgroup *cgrp, const struct cgroup_task *task, int below)
{
	struct cgroup_subsys *ss;

	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id)) && id < below;)
		if (ss->can_attach && ss->cancel_attach)
			ss->cancel_attach(ss, cgrp, task);
}

/* Asks every bound subsystem; on a refusal those that agreed are told. */
static int can_attach(struct cgroup *cgrp, const struct cgroup_task *task)
{
	struct cgroup_subsys *ss;

	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));) {
		int err = ss->can_attach ? ss->can_attach(ss, cgrp, task) : 0;

		if (err) {
			cancel(cgrp, task, id);
			return err;
		}
	}
	return 0;
}

static void attached(struct cgroup *cgrp, struct cgroup *old, const struct cgroup_task *task)
{
	struct cgroup_subsys *ss;

	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));)
		if (ss->attach)
			ss->attach(ss, cgrp, old, task);
}

/* TASK from PLACE into CGRP; *OLD is the cgroup left. -EAGAIN: it is no longer at PLACE. */
static int swap(struct cgroup *cgrp, const struct cgroup_task *task, struct core_place place,
		struct cgroup **old)
{
	struct own_move move = {.tid = task->tid, .tgid = task->tgid, .from = place.cset};
	struct core *core = cgrp->h->core;
	struct cset *from = cset_by_id(core, place.cset), *to;
	int err;

	if (!from)
		return -EAGAIN;
	*old = cset_cgroup(from, cgrp->h);
	to = cset_with(core, from, cgrp);
	if (!to)
		return -ENOMEM;
	move.to = to->id;
	err = core_note_move(core, &move);
	if (!err) {
		err = core->ops->move(core->arg, task->tid, place, to->id);
		if (err)
			core_unnote_move(core);
	}
	if (err)
		cset_drop_unused(core, to);
	return err;
}

static void pause_a_moment(struct core *core)
{
	if (core->ops->pause)
		core->ops->pause(core->arg);
}

/* Looks TID up; waits for a birth to be over, or an exec that changes the tid. */
static int look_at(struct core *core, pid_t tid, struct core_task_info *info)
{
	for (int i = 0; i < ATTACH_TRIES; i++) {
		int err = core->ops->task_info(core->arg, tid, info);

		if (err || info->place.cset != CSET_NONE)
			return err;
		pause_a_moment(core);
	}
	return -EAGAIN;
}

/* A process whose leader is a zombie lives in its other threads: TID becomes one of them. */
static int look_at_thread_of(struct core *core, pid_t *tid, struct core_task_info *info)
{
	struct core_thread *threads = NULL;
	size_t n = 0;
	int err = core->ops->threads(core->arg, *tid, &threads, &n);

	if (err)
		return err;
	err = -ESRCH;
	for (size_t i = 0; i < n && err == -ESRCH; i++) {
		*tid = threads[i].tid;
		err = look_at(core, *tid, info);
	}
	free(threads);
	return err;
}

static int check_target(struct cgroup *cgrp, pid_t *tid, const struct core_cred *cred, bool process,
			struct core_task_info *info)
{
	int err;

	if (cgrp->flags & CGRP_DEAD)
		return -ENODEV;
	if (!*tid)
		*tid = cred->tid;
	if (*tid <= 0)
		return -ESRCH;
	core_settle(cgrp->h->core);
	err = look_at(cgrp->h->core, *tid, info);
	if (err == -ESRCH && process)
		err = look_at_thread_of(cgrp->h->core, tid, info);
	if (err)
		return err;
	if (info->fixed)
		return -EINVAL;
	return may_move(cred, info) ? 0 : -EACCES;
}

static int attach_task(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred)
{
	struct cgroup_task task;
	struct core_task_info info;
	struct cgroup *old = NULL;
	struct core *core;
	int err = check_target(cgrp, &tid, cred, false, &info);

	if (err)
		return err;
	core = cgrp->h->core;
	if (cset_by_id(core, info.place.cset) &&
	    cset_cgroup(cset_by_id(core, info.place.cset), cgrp->h) == cgrp)
		return 0;
	core_replay(core);
	task = (struct cgroup_task){.tid = tid, .tgid = info.tgid};
	err = can_attach(cgrp, &task);
	if (err)
		return err;
	for (int i = 0; i < ATTACH_TRIES; i++) {
		err = swap(cgrp, &task, info.place, &old);
		if (err != -EAGAIN)
			break;
		core_replay(core);
		err = look_at(core, tid, &info);
		if (err)
			break;
	}
	core_settle(core);
	if (err)
		cancel(cgrp, &task, CORE_MAX_SUBSYS);
	else
		attached(cgrp, old, &task);
	return err;
}

int core_attach_task(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred)
{
	struct core *core;
	int err;

	if (cgrp->flags & CGRP_DEAD)
		return -ENODEV;
	core = cgrp->h->core;
	core_enter(core);
	err = attach_task(cgrp, tid, cred);
	core_leave(core);
	return err;
}

static int list_thread(struct granted_list *list, pid_t tid)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 16;
		struct granted *v = realloc(list->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		list->v = v;
		list->cap = cap;
	}
	list->v[list->n++] = (struct granted){.tid = tid};
	return 0;
}

static int grant(struct cgroup *cgrp, struct granted_list *list, const struct cgroup_task *task)
{
	int err;

	if (find_granted(list, task->tid))
		return 0;
	err = list_thread(list, task->tid);
	if (err)
		return err;
	err = can_attach(cgrp, task);
	if (err)
		list->n--;
	return err;
}

/*
 * One pass over the threads. 1: there may be more to do; 0: all are in. STAY: to be filled with
 * those that were in before; NULL in later passes.
 */
static int process_pass(struct cgroup *cgrp, pid_t tgid, struct granted_list *list,
			struct granted_list *stay)
{
	struct core *core = cgrp->h->core;
	struct core_thread *threads = NULL;
	bool again = false, unborn = false;
	size_t n = 0;
	int err;

	err = core->ops->threads(core->arg, tgid, &threads, &n);
	if (err == -EAGAIN) {
		pause_a_moment(core);
		return 1;
	}
	if (err)
		return err;
	core_replay(core);
	/* All are asked before the first is moved. */
	for (size_t i = 0; i < n; i++) {
		struct cgroup_task task = {.tid = threads[i].tid, .tgid = tgid};
		struct cset *cset = cset_by_id(core, threads[i].place.cset);

		if (!cset || cset_cgroup(cset, cgrp->h) == cgrp) {
			unborn |= threads[i].place.cset == CSET_NONE;
			err = cset && stay ? list_thread(stay, threads[i].tid) : 0;
			if (err)
				goto out;
			threads[i].tid = 0;
			continue;
		}
		err = grant(cgrp, list, &task);
		if (err)
			goto out;
	}
	for (size_t i = 0; i < n; i++) {
		const struct cgroup_task task = {.tid = threads[i].tid, .tgid = tgid};
		struct cgroup *old;

		if (!threads[i].tid)
			continue;
		again = true;
		err = swap(cgrp, &task, threads[i].place, &old);
		if (!err)
			find_granted(list, threads[i].tid)->old = old;
		else if (err != -EAGAIN && err != -ESRCH)
			goto out;
	}
	if (unborn)
		pause_a_moment(core);
	err = again || unborn;
out:
	free(threads);
	return err;
}

/*
 * None: who was moved goes back, and so do the threads that those made meanwhile. Who was in CGRP
 * before the first pass stays.
 */
static void roll_back(struct cgroup *cgrp, pid_t tgid, const struct granted_list *list,
		      const struct granted_list *stay)
{
	struct core *core = cgrp->h->core;
	struct cgroup *made_in = cgrp->h->root;
	bool again = true;
	int tries = 0;

	for (size_t i = 0; i < list->n && made_in == cgrp->h->root; i++)
		if (list->v[i].old)
			made_in = list->v[i].old;
	while (again && tries++ < ATTACH_TRIES) {
		struct core_thread *threads = NULL;
		size_t n = 0;
		int err;

		core_replay(core);
		err = core->ops->threads(core->arg, tgid, &threads, &n);
		if (err == -ESRCH)
			return;
		again = err != 0;
		for (size_t i = 0; i < n; i++) {
			struct cset *cset = cset_by_id(core, threads[i].place.cset);
			struct cgroup_task task = {.tid = threads[i].tid, .tgid = tgid};
			struct granted *g = find_granted(list, threads[i].tid);
			struct cgroup *ignored;

			again |= !cset;
			if (!cset || cset_cgroup(cset, cgrp->h) != cgrp ||
			    find_granted(stay, threads[i].tid))
				continue;
			again = true;
			swap(g && g->old ? g->old : made_in, &task, threads[i].place, &ignored);
		}
		free(threads);
		if (again)
			pause_a_moment(core);
	}
}

static int attach_process(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred)
{
	struct granted_list list = {0}, stay = {0};
	struct core_task_info info;
	struct core *core;
	bool moved = false;
	int err = check_target(cgrp, &tid, cred, true, &info);

	if (err)
		return err;
	core = cgrp->h->core;
	err = process_pass(cgrp, info.tgid, &list, &stay);
	for (int i = 0; err == 1 && i < ATTACH_TRIES; i++)
		err = process_pass(cgrp, info.tgid, &list, NULL);
	if (err == 1)
		err = -EAGAIN;
	for (size_t i = 0; i < list.n; i++)
		moved |= list.v[i].old != NULL;
	if (err == -ESRCH && moved)
		err = 0; /* it was moved, and then it died */
	if (err && moved)
		roll_back(cgrp, info.tgid, &list, &stay);
	core_settle(core);
	for (size_t i = 0; i < list.n; i++) {
		struct cgroup_task task = {.tid = list.v[i].tid, .tgid = info.tgid};

		if (!err && list.v[i].old)
			attached(cgrp, list.v[i].old, &task);
		else
			cancel(cgrp, &task, CORE_MAX_SUBSYS);
	}
	free(list.v);
	free(stay.v);
	return err;
}

int core_attach_process(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred)
{
	struct core *core;
	int err;

	if (cgrp->flags & CGRP_DEAD)
		return -ENODEV;
	core = cgrp->h->core;
	core_enter(core);
	err = attach_process(cgrp, tid, cred);
	core_leave(core);
	return err;
}

int core_task_cgroup(struct core *core, pid_t tid, struct hierarchy *h, struct cgroup **cgrp)
{
	struct core_task_info info;
	struct cset *cset;
	int err;

	core_settle(core);
	err = look_at(core, tid, &info);
	if (err)
		return err;
	cset = cset_by_id(core, info.place.cset);
	*cgrp = cset ? cset_cgroup(cset, h) : h->root;
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

/* A child of PARENT that is fit to be entered. */
static int make_clone(struct cgroup *parent, const char *name, struct cgroup **child)
{
	struct cgroup_subsys *ss;
	int err = cgroup_mkdir(parent, name, 0755, 0, 0, child);

	if (err)
		return err;
	/* With clone_children the mkdir has done it. */
	for (int id = -1; (ss = hierarchy_next_subsys(parent->h, &id));)
		if (!((*child)->flags & CGRP_CLONE_CHILDREN) && ss->post_clone)
			ss->post_clone(ss, *child);
	return 0;
}

static int clone_into(const struct cgroup_task *task, struct cgroup_subsys *ss, pid_t nr,
		      bool may_exist)
{
	const struct core_cred root = {.tid = task->tid};
	struct cgroup *parent, *child;
	bool made = true;
	char name[32];
	int err;

	if (ss->core->subsys_h[ss->id] == ss->core->dfl)
		return 0;
	core_replay(ss->core);
	parent = task_cgroup(task, ss);
	snprintf(name, sizeof(name), "node_%d", (int)nr);
	err = make_clone(parent, name, &child);
	if (err == -EEXIST && may_exist) {
		child = cgroup_lookup(parent, name, strlen(name));
		made = false;
		err = child ? 0 : err;
	}
	if (err)
		return err;
	err = core_attach_task(child, task->tid, &root);
	if (err && made)
		cgroup_rmdir(child);
	return err;
}

int cgroup_clone(const struct cgroup_task *task, struct cgroup_subsys *ss)
{
	return clone_into(task, ss, task->tid, false);
}

int cgroup_clone_of(const struct cgroup_task *task, struct cgroup_subsys *ss, pid_t nr)
{
	return clone_into(task, ss, nr, true);
}

int cgroup_transfer_tasks(struct cgroup *to, struct cgroup *from)
{
	const struct core_cred root = {0};
	struct cgroup_iter it;
	size_t n = 1;
	int err = 0;

	/* A task that forks may have left a child in FROM just before it was moved. */
	while (!err && n) {
		const struct cgroup_task *task;

		err = cgroup_iter_start(from, &it);
		if (err)
			return err;
		n = it.n;
		while (!err && (task = cgroup_iter_next(&it))) {
			err = core_attach_task(to, task->tid, &root);
			if (err == -ESRCH)
				err = 0;
		}
		cgroup_iter_end(&it);
	}
	return err;
}
