// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach_process.c - moving a whole process, all of its threads or none.
 *
 * Threads are moved until a pass over the kernel's own list finds none outside and none being born.
 * Then none can appear outside later: a thread is on that list before its fork hook places it, and a
 * hook that had read its maker's old place would have shown it as unborn or outside in that pass.
 */
#include <core/attach.h>

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
	err = attach_ask(cgrp, task);
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
	return attach_place_cgroup(m->cgrp->h, thread->place);
}

/* The place of one that has none is waited for. */
static bool wait_for_unplaced(const struct process_move *m, const struct core_thread *threads,
			      size_t n, int tries)
{
	for (size_t i = 0; i < n; i++) {
		if (threads[i].place.cset != CSET_NONE)
			continue;
		attach_wait_for_place(m->cgrp->h->core, threads[i].tid, m->process.tgid, tries);
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
	struct swap *v = malloc(n * sizeof(*v));
	size_t n_out = 0;
	int err = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct cgroup *in = thread_cgroup(m, &threads[i]);

		if (in && in != m->cgrp)
			v[n_out++] = (struct swap){.tid = threads[i].tid,
						   .tgid = m->process.tgid,
						   .from = threads[i].place};
	}
	attach_swap(m->cgrp, v, n_out);
	for (size_t i = 0; i < n_out; i++) {
		if (!v[i].err)
			find_granted(&m->list, v[i].tid)->old = v[i].old;
		else if (v[i].err != -EAGAIN && v[i].err != -ESRCH)
			err = v[i].err;
	}
	free(v);
	return err ? err : n_out != 0;
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
		attach_pause(core);
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
			struct swap s = {.tid = threads[i].tid,
					 .tgid = m->process.tgid,
					 .from = threads[i].place};
			const struct granted *g = find_granted(&m->list, s.tid);

			if (thread_cgroup(m, &threads[i]) != m->cgrp ||
			    find_granted(&m->stay, s.tid))
				continue;
			again = true;
			attach_swap(g && g->old ? g->old : made_in, &s, 1);
		}
		if (wait_for_unplaced(m, threads, n, tries))
			again = true;
		else if (err)
			attach_pause(core);
		free(threads);
	}
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
		err = attach_look_at(core, *tid, info, TRIES);
	}
	free(threads);
	return err;
}

static int look_at_process(struct core *core, pid_t *tid, const struct core_cred *cred,
			   struct core_task_info *info)
{
	int err;

	if (!*tid)
		*tid = cred->tid;
	if (*tid <= 0)
		return -ESRCH;
	core_settle(core);
	err = attach_look_at(core, *tid, info, TRIES);
	if (err == -ESRCH)
		err = look_at_thread_of(core, tid, info);
	return err ? err : attach_may(cred, info, true);
}

static int attach_process(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred)
{
	struct process_move m = {.cgrp = cgrp};
	struct core_task_info info;
	bool moved = false;
	int err = look_at_process(cgrp->h->core, &tid, cred, &info);

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
			attach_done(cgrp, m.list.v[i].old, &task);
		else
			attach_cancel(cgrp, &task);
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
