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

/*
 * A task without a place is looked at this often, a moment apart, and so is one that has another
 * place each time: then whoever asked is to come back, so that others are served meanwhile.
 */
#define TRIES 20
/* While a process is half moved, which nobody is to see. */
#define TRIES_HALFWAY 20000
/* And for those who cannot come back. */
#define PATIENCE 1000

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

/* A process is judged by its leader, whichever of its threads was named. */
static bool may_move(const struct core_cred *cred, const struct core_task_info *info, bool process)
{
	uid_t uid = process ? info->leader_uid : info->uid;
	uid_t suid = process ? info->leader_suid : info->suid;

	return cred->euid == 0 || cred->euid == uid || cred->euid == suid;
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

/*
 * TID of process TGID has no place. A birth is over as soon as its maker goes on; an exec that changes
 * the tid (only to that of a leader) may wait for a disk, so that is not left to itself for long.
 */
static void wait_for_place(struct core *core, pid_t tid, pid_t tgid, int tries)
{
	if (tid == tgid && tries % TRIES == TRIES / 4 && core->ops->finish_exec)
		core->ops->finish_exec(core->arg, tid);
	else
		pause_a_moment(core);
}

/* Looks TID up. -ERESTART: it still has no place. */
static int look_at(struct core *core, pid_t tid, struct core_task_info *info)
{
	for (int i = 0; i < TRIES; i++) {
		int err = core->ops->task_info(core->arg, tid, info);

		if (err || info->place.cset != CSET_NONE)
			return err;
		wait_for_place(core, tid, info->tgid, i);
	}
	return -ERESTART;
}

/* A process whose leader is a zombie lives in its other threads: TID becomes one of them. */
static int look_at_thread_of(struct core *core, pid_t *tid, struct core_task_info *info)
{
	const struct core_process process = {.tgid = *tid};
	struct core_thread *threads = NULL;
	size_t n = 0;
	int err = core->ops->threads(core->arg, process, &threads, &n);

	if (err)
		return err == -EAGAIN ? -ERESTART : err;
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
	return may_move(cred, info, process) ? 0 : -EACCES;
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
	for (int i = 0; i < TRIES; i++) {
		err = swap(cgrp, &task, info.place, &old);
		if (err != -EAGAIN)
			break;
		core_replay(core);
		err = look_at(core, tid, &info);
		if (err)
			break;
		err = -ERESTART;
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

/* A whole process on its way into a cgroup. */
struct process_move {
	struct cgroup *cgrp;
	struct core_process process;
	struct granted_list list; /* who was let in */
	struct granted_list stay; /* who was in before the first thread was moved */
	bool begun;		  /* the threads have been asked, and some moved */
};

static struct cgroup *thread_cgroup(const struct process_move *m, const struct core_thread *thread)
{
	struct cset *cset = cset_by_id(m->cgrp->h->core, thread->place.cset);

	return cset ? cset_cgroup(cset, m->cgrp->h) : NULL;
}

/* The place of one that has none is waited for. */
static bool wait_for_unplaced(const struct process_move *m, const struct core_thread *threads,
			      size_t n, int tries)
{
	for (size_t i = 0; i < n; i++) {
		if (threads[i].place.cset != CSET_NONE)
			continue;
		wait_for_place(m->cgrp->h->core, threads[i].tid, m->process.tgid, tries);
		return true;
	}
	return false;
}

/* Before the first is moved all are asked who are outside. */
static int grant_all(struct process_move *m, const struct core_thread *threads, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		const struct cgroup_task task = {.tid = threads[i].tid, .tgid = m->process.tgid};
		const struct cgroup *in = thread_cgroup(m, &threads[i]);

		if (in && in != m->cgrp)
			err = grant(m->cgrp, &m->list, &task);
		else if (in && !m->begun)
			err = list_thread(&m->stay, task.tid);
	}
	return err;
}

/* 1: some were outside. */
static int swap_all(struct process_move *m, const struct core_thread *threads, size_t n)
{
	int some = 0;

	for (size_t i = 0; i < n; i++) {
		const struct cgroup_task task = {.tid = threads[i].tid, .tgid = m->process.tgid};
		const struct cgroup *in = thread_cgroup(m, &threads[i]);
		struct cgroup *old;
		int err;

		if (!in || in == m->cgrp)
			continue;
		some = 1;
		err = swap(m->cgrp, &task, threads[i].place, &old);
		if (!err)
			find_granted(&m->list, task.tid)->old = old;
		else if (err != -EAGAIN && err != -ESRCH)
			return err;
	}
	return some;
}

/*
 * One pass over the threads. 1: there may be more to do; 0: all are in. Nobody is moved before all
 * have a place: so whoever has to come back for that finds nothing changed.
 */
static int process_pass(struct process_move *m, int tries)
{
	struct core *core = m->cgrp->h->core;
	struct core_thread *threads = NULL;
	bool waited = false;
	size_t n = 0;
	int err;

	err = core->ops->threads(core->arg, m->process, &threads, &n);
	if (err == -EAGAIN)
		pause_a_moment(core);
	if (err)
		return err == -EAGAIN ? 1 : err;
	core_replay(core);
	if (!m->begun && wait_for_unplaced(m, threads, n, tries)) {
		free(threads);
		return 1;
	}
	err = grant_all(m, threads, n);
	m->begun = true;
	if (!err)
		err = swap_all(m, threads, n);
	if (err >= 0)
		waited = wait_for_unplaced(m, threads, n, tries);
	free(threads);
	return waited ? 1 : err;
}

/*
 * None: who was moved goes back, and so do the threads that those made meanwhile. Who was in the
 * cgroup before the first pass stays.
 */
static void roll_back(struct process_move *m)
{
	struct core *core = m->cgrp->h->core;
	struct cgroup *made_in = m->cgrp->h->root;
	bool again = true;

	for (size_t i = 0; i < m->list.n && made_in == m->cgrp->h->root; i++)
		if (m->list.v[i].old)
			made_in = m->list.v[i].old;
	for (int tries = 0; again && tries < TRIES_HALFWAY; tries++) {
		struct core_thread *threads = NULL;
		size_t n = 0;
		int err;

		core_replay(core);
		err = core->ops->threads(core->arg, m->process, &threads, &n);
		if (err == -ESRCH)
			return;
		again = err != 0;
		for (size_t i = 0; i < n; i++) {
			const struct cgroup_task task = {.tid = threads[i].tid,
							 .tgid = m->process.tgid};
			const struct granted *g = find_granted(&m->list, task.tid);
			struct cgroup *ignored;

			if (thread_cgroup(m, &threads[i]) != m->cgrp ||
			    find_granted(&m->stay, task.tid))
				continue;
			again = true;
			swap(g && g->old ? g->old : made_in, &task, threads[i].place, &ignored);
		}
		if (wait_for_unplaced(m, threads, n, tries))
			again = true;
		else if (err)
			pause_a_moment(core);
		free(threads);
	}
}

static int attach_process(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred)
{
	struct process_move m = {.cgrp = cgrp};
	struct core_task_info info;
	bool moved = false;
	int err = check_target(cgrp, &tid, cred, true, &info);

	if (err)
		return err;
	m.process = (struct core_process){.tgid = info.tgid, .key = info.process_key};
	err = 1;
	for (int i = 0; err == 1 && i < (m.begun ? TRIES_HALFWAY : TRIES); i++)
		err = process_pass(&m, i);
	if (err == 1)
		err = -ERESTART;
	for (size_t i = 0; i < m.list.n; i++)
		moved |= m.list.v[i].old != NULL;
	if (err == -ESRCH && moved)
		err = 0; /* it was moved, and then it died */
	if (err && moved)
		roll_back(&m);
	core_settle(cgrp->h->core);
	for (size_t i = 0; i < m.list.n; i++) {
		const struct cgroup_task task = {.tid = m.list.v[i].tid, .tgid = info.tgid};

		if (!err && m.list.v[i].old)
			attached(cgrp, m.list.v[i].old, &task);
		else
			cancel(cgrp, &task, CORE_MAX_SUBSYS);
	}
	free(m.list.v);
	free(m.stay.v);
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
	if (err) /* of one that is still being born nobody can have been told */
		return err == -ERESTART ? -ESRCH : err;
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

/* For a subsystem, which cannot come back later. */
static int attach_patiently(struct cgroup *cgrp, pid_t tid)
{
	const struct core_cred root = {.tid = tid};
	int err = -ERESTART;

	for (int i = 0; err == -ERESTART && i < PATIENCE; i++)
		err = core_attach_task(cgrp, tid, &root);
	return err;
}

static int clone_into(const struct cgroup_task *task, struct cgroup_subsys *ss, pid_t nr,
		      bool may_exist)
{
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
	err = attach_patiently(child, task->tid);
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
	struct core *core = from->h->core;
	struct cgroup_iter it;
	size_t n = 1;
	int err = 0;

	/* A task that forks may have left a child in FROM just before it was moved. */
	for (int i = 0; !err && n; i++) {
		const struct cgroup_task *task;

		err = cgroup_iter_start(from, &it);
		if (err)
			return err;
		n = it.n;
		while (!err && (task = cgroup_iter_next(&it))) {
			err = attach_patiently(to, task->tid);
			if (err != -ESRCH)
				continue;
			/* On its way out; or listed by the tid it had before an exec. */
			err = i < TRIES_HALFWAY ? 0 : -ERESTART;
			if (i)
				wait_for_place(core, task->tgid, task->tgid, i);
		}
		cgroup_iter_end(&it);
	}
	return err;
}
