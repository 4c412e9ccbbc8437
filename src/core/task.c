// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task.c - the lists of tasks: a fold over the tracker's log.
 *
 * Only the five core_task_*() and core_rebuild_*() functions change a list, and only a tracker's
 * replay calls them. Each event says all there is to know of its task, so that the fold can be
 * repeated over a part of the log: the last event of a task decides. That is what a rebuild does.
 */
#include <core/internal.h>

static struct task *task_at(const struct core *core, uint32_t tid)
{
	struct task_page *page;

	if (tid >= CORE_MAX_TID)
		return NULL;
	page = core->pages[tid >> TASK_PAGE_BITS];
	return page ? &page->tasks[tid & (TASK_PAGE_TASKS - 1)] : NULL;
}

const struct task *core_task(const struct core *core, pid_t tid)
{
	const struct task *task = task_at(core, (uint32_t)tid);

	return task && task->cset ? task : NULL;
}

static struct task *task_make(struct core *core, uint32_t tid)
{
	struct task_page **page;

	if (!tid || tid >= CORE_MAX_TID)
		return NULL;
	page = &core->pages[tid >> TASK_PAGE_BITS];
	if (!*page) {
		*page = core->spare_page ? core->spare_page : calloc(1, sizeof(**page));
		core->spare_page = NULL;
		if (!*page)
			return NULL;
	}
	return &(*page)->tasks[tid & (TASK_PAGE_TASKS - 1)];
}

/* Tids wander through their whole range: pages left behind are given back, all but one. */
static void page_put(struct core *core, uint32_t tid)
{
	struct task_page **page = &core->pages[tid >> TASK_PAGE_BITS];

	if (--(*page)->used)
		return;
	if (core->spare_page)
		free(*page);
	else
		core->spare_page = *page;
	*page = NULL;
}

void tasks_exit(struct core *core)
{
	for (size_t i = 0; i < CORE_MAX_TID >> TASK_PAGE_BITS; i++)
		free(core->pages[i]);
	free(core->spare_page);
	free(core->own.v);
}

static void list_add(struct core *core, struct cset *cset, struct task *task, uint32_t tid)
{
	task->cset = cset->id;
	task->prev = 0;
	task->next = cset->first;
	if (cset->first)
		task_at(core, cset->first)->prev = tid;
	cset->first = tid;
	cset->n_tasks++;
}

/* Unlinks; the css_set may have emptied. */
static void list_del(struct core *core, struct task *task)
{
	struct cset *cset = core->csets[task->cset];

	if (task->prev)
		task_at(core, task->prev)->next = task->next;
	else
		cset->first = task->next;
	if (task->next)
		task_at(core, task->next)->prev = task->prev;
	if (!--cset->n_tasks)
		cset_mark_emptied(core, cset);
}

static void oddity(struct core *core, const char *what, pid_t tid, uint32_t cset)
{
	if (core->in_rebuild)
		return;
	core->stats.oddities++;
	core_log(core, LOG_WARNING, "log: %s, task %d, css_set %u", what, (int)tid, cset);
}

static void occupy(const struct cset *cset)
{
	for (uint32_t i = 0; i < cset->n_cgrps; i++)
		cset->cgrps[i]->flags |= CGRP_OCCUPIED;
}

/* TID is in CSET from here on, wherever it was. */
static void place(struct core *core, pid_t tid, pid_t tgid, struct cset *cset)
{
	struct task *task = task_make(core, (uint32_t)tid);
	struct task_page *page;

	if (!task) {
		core_log(core, LOG_CRIT, "out of memory: task %d cannot be listed", (int)tid);
		core->stats.oddities++;
		return;
	}
	if (task->cset == cset->id) {
		task->tgid = (uint32_t)tgid;
		return;
	}
	if (task->cset) {
		cset_lose_moved(core->csets[task->cset], cset);
		list_del(core, task);
	} else {
		page = core->pages[(uint32_t)tid >> TASK_PAGE_BITS];
		page->used++;
		core->n_tasks++;
	}
	task->tgid = (uint32_t)tgid;
	list_add(core, cset, task, (uint32_t)tid);
	if (cset->n_tasks == 1)
		occupy(cset);
}

static void unplace(struct core *core, pid_t tid)
{
	struct task *task = task_at(core, (uint32_t)tid);

	list_del(core, task);
	task->cset = CSET_NONE;
	core->n_tasks--;
	page_put(core, (uint32_t)tid);
}

/* After a loss, before an entry is folded that tells of what came later than TID's noted moves. */
static void fold_own_moves(struct core *core, pid_t tid)
{
	struct own_move *noted;

	while (core->in_rebuild && (noted = own_moves_find(core, tid))) {
		struct own_move move = *noted;

		core_task_moved(core, tid, move.tgid, move.from, move.to);
	}
}

static void tell_fork(struct core *core, pid_t tid, pid_t tgid)
{
	const struct cgroup_task task = {.tid = tid, .tgid = tgid};

	for (unsigned int i = 0; core->want_fork && i < core->n_subsys; i++)
		if (core->subsys[i]->fork)
			core->subsys[i]->fork(core->subsys[i], &task);
}

static void tell_retid(struct core *core, pid_t old, pid_t new)
{
	const struct cgroup_task task = {.tid = new, .tgid = new};

	for (unsigned int i = 0; i < core->n_subsys; i++)
		if (core->subsys[i]->retid)
			core->subsys[i]->retid(core->subsys[i], old, &task);
}

void core_task_dying(struct core *core, uint64_t key)
{
	core->dying_key = key;
}

void core_task_cputime(struct core *core, pid_t tid, uint64_t key,
		       const struct cgroup_cputime *time, bool last)
{
	const struct cgroup_task task = {.tid = tid, .key = key};

	for (unsigned int i = 0; i < core->n_subsys; i++)
		if (core->subsys[i]->cputime)
			core->subsys[i]->cputime(core->subsys[i], &task, time, last);
}

static void tell_exit(struct core *core, pid_t tid, pid_t tgid)
{
	const struct cgroup_task task = {.tid = tid, .tgid = tgid, .key = core->dying_key};

	core->dying_key = 0;
	for (unsigned int i = 0; core->tell_exit && i < core->n_subsys; i++)
		if (core->subsys[i]->exit)
			core->subsys[i]->exit(core->subsys[i], &task);
}

/* TID, which is listed, is no more. */
static void bury(struct core *core, pid_t tid)
{
	const struct task *task = core_task(core, tid);

	tell_exit(core, tid, (pid_t)(task->tgid & ~TASK_STALE));
	/* Its cgroups need not be touched: who asks one looks here. */
	core->csets[task->cset]->lost_at = ++core->losses;
	unplace(core, tid);
}

/*
 * TASK is listed, and an entry begins one of its tid in css_set ID: after a loss that is another one,
 * whose forerunner's DIED is lost, unless the walk has seen the new one already.
 */
static bool outlived(const struct core *core, const struct task *task, uint32_t id)
{
	return core->in_rebuild && (!core->walked || task->tgid & TASK_STALE || task->cset != id);
}

void core_task_born(struct core *core, pid_t tid, pid_t tgid, uint32_t id)
{
	const struct task *task = core_task(core, tid);
	const struct own_move *noted = own_moves_find(core, tid);
	struct cset *cset = cset_by_id(core, id);

	core->stats.born++;
	/* Unless this is the birth that came before its move. */
	if (noted && (task || id != noted->from))
		fold_own_moves(core, tid);
	task = core_task(core, tid);
	if (task && outlived(core, task, id)) {
		bury(core, tid);
		task = NULL;
	}
	if (task)
		oddity(core, "a task was born twice", tid, id);
	if (!cset) {
		oddity(core, "a task was born into no css_set", tid, id);
		return;
	}
	place(core, tid, tgid, cset);
	if (!task)
		tell_fork(core, tid, tgid);
}

/* After a loss: TID is in FROM, which the lists do not know. Who was listed is dead. */
static void refit(struct core *core, pid_t tid, pid_t tgid, uint32_t from)
{
	struct cset *cset = cset_by_id(core, from);

	if (!core->in_rebuild)
		return;
	if (core_task(core, tid))
		bury(core, tid);
	if (!cset || from == CSET_INITIAL)
		return;
	place(core, tid, tgid, cset);
	tell_fork(core, tid, tgid);
}

void core_task_moved(struct core *core, pid_t tid, pid_t tgid, uint32_t from, uint32_t to)
{
	const struct task *task = core_task(core, tid);
	struct cset *cset = cset_by_id(core, to);
	struct own_move *noted = own_moves_find(core, tid);

	core->stats.moved++;
	if (core->in_rebuild && !noted)
		return; /* folded from its note before */
	if (core->in_rebuild && (noted->from != from || noted->to != to)) {
		/* Those before this one were lost. */
		const struct own_move move = *noted;

		core_task_moved(core, tid, move.tgid, move.from, move.to);
		core_task_moved(core, tid, tgid, from, to);
		return;
	}
	if (noted)
		own_moves_forget(core, noted);
	if ((task ? task->cset : CSET_INITIAL) != from) {
		oddity(core, "a task moved from elsewhere", tid, from);
		refit(core, tid, tgid, from);
		task = core_task(core, tid);
	}
	if (!cset) {
		oddity(core, "a task moved to no css_set", tid, to);
		return;
	}
	if (to != CSET_INITIAL) {
		place(core, tid, tgid, cset);
	} else if (task) {
		cset_lose_moved(core->csets[task->cset], core->csets[CSET_INITIAL]);
		unplace(core, tid);
	}
}

void core_task_died(struct core *core, pid_t tid, uint32_t id)
{
	const struct task *task;

	core->stats.died++;
	fold_own_moves(core, tid);
	task = core_task(core, tid);
	if (!task) {
		/* A rebuild may have passed between its leaving its place and its saying so. */
		if (!core->stats.rebuilds)
			oddity(core, "an unknown task died", tid, id);
		return;
	}
	if (task->cset != id)
		oddity(core, "a task died elsewhere", tid, id);
	bury(core, tid);
}

/*
 * The new tid was the leader's, dead by now: its DIED came before. The list is left last, so that a
 * css_set does not look emptied in between.
 */
void core_task_retid(struct core *core, pid_t old, pid_t new, uint32_t id)
{
	struct cset *cset = cset_by_id(core, id);
	const struct task *leader;

	core->stats.retid++;
	fold_own_moves(core, old);
	fold_own_moves(core, new);
	leader = core_task(core, new);
	if (leader && (outlived(core, leader, id) || (core->in_rebuild && core_task(core, old))))
		bury(core, new); /* its DIED was lost */
	else if (leader && core->in_rebuild)
		return; /* the walk has seen it under its new tid */
	else if (leader)
		oddity(core, "a task took a living task's tid", new, id);
	if (!cset) {
		oddity(core, "a task of no css_set changed its tid", old, id);
		return;
	}
	if (!core_task(core, old) || core_task(core, old)->cset != id)
		refit(core, old, new, id);
	place(core, new, new, cset);
	tell_retid(core, old, new);
	if (core_task(core, old))
		unplace(core, old);
	else
		oddity(core, "an unknown task changed its tid", old, id);
}

static void hint_task(const struct core *core, uint32_t tid)
{
	const struct task *task = tid ? task_at(core, tid) : NULL;

	if (task)
		__builtin_prefetch(task, 1);
}

/* Each step finds in the cache what the one before asked for. */
void core_task_hint(const struct core *core, unsigned int step, pid_t tid, uint32_t id)
{
	const struct cset *cset = id < core->next_cset && step ? core->csets[id] : NULL;
	const struct task *task;

	if (!step) {
		hint_task(core, (uint32_t)tid);
		if (id < core->next_cset)
			__builtin_prefetch(&core->csets[id]);
	} else if (step == 1 && cset) {
		__builtin_prefetch(cset, 1);
		__builtin_prefetch(&cset->lost_at, 1);
	} else if (step == 2) {
		task = core_task(core, tid);
		if (cset)
			hint_task(core, cset->first);
		if (task) {
			hint_task(core, task->prev);
			hint_task(core, task->next);
		}
	}
}

/* ---- rebuild: invariant 6 -------------------------------------------------------------------- */

static void for_each_listed(struct core *core,
			    void (*fn)(struct core *core, uint32_t tid, struct task *task))
{
	for (uint32_t i = 0; i < CORE_MAX_TID >> TASK_PAGE_BITS; i++) {
		for (uint32_t j = 0; core->pages[i] && j < TASK_PAGE_TASKS; j++) {
			struct task *task = &core->pages[i]->tasks[j];

			if (task->cset)
				fn(core, (i << TASK_PAGE_BITS) + j, task);
		}
	}
}

static void mark_stale(struct core *core, uint32_t tid, struct task *task)
{
	(void)core;
	(void)tid;
	task->tgid |= TASK_STALE;
}

static void reap_stale(struct core *core, uint32_t tid, struct task *task)
{
	if (task->tgid & TASK_STALE)
		fold_own_moves(core, (pid_t)tid);
	/* By its tid: that may have taken it from its page. */
	if (core_task(core, (pid_t)tid) && core_task(core, (pid_t)tid)->tgid & TASK_STALE)
		bury(core, (pid_t)tid);
}

void core_events_lost(struct core *core)
{
	core->in_rebuild = true;
}

void core_rebuild_begin(struct core *core)
{
	core->in_rebuild = true;
	/* The log has told all it had of the moves before. */
	while (core->own.n)
		fold_own_moves(core, own_moves_first(core)->tid);
	core->walked = true;
	core->stats.rebuilds++;
	for_each_listed(core, mark_stale);
}

/* A tid that died and came again unseen is another task, as its tgid or css_set may tell. */
void core_rebuild_task(struct core *core, pid_t tid, pid_t tgid, uint32_t id)
{
	const struct own_move *noted = own_moves_find(core, tid);
	struct cset *cset = cset_by_id(core, id);
	const struct task *task;

	if (!cset) {
		core->in_rebuild = false;
		oddity(core, "a task is in no css_set", tid, id);
		core->in_rebuild = true;
		return;
	}
	/* Moved while we walk, and seen where it is now. */
	if (noted && id != noted->from)
		fold_own_moves(core, tid);
	task = core_task(core, tid);
	if (task && ((task->tgid & ~TASK_STALE) != (uint32_t)tgid || task->cset != id)) {
		bury(core, tid);
		task = NULL;
	}
	place(core, tid, tgid, cset);
	if (!task)
		tell_fork(core, tid, tgid);
}

void core_rebuild_end(struct core *core)
{
	for_each_listed(core, reap_stale);
	core->in_rebuild = false;
	core->walked = false;
}

/* ---- listing ---------------------------------------------------------------------------------- */

struct pid_array {
	pid_t *pids;
	size_t n, cap;
	bool tgids, failed;
};

/* Room for MORE. */
static bool pids_reserve(struct pid_array *a, size_t more)
{
	size_t cap = a->n + more;
	pid_t *pids;

	if (a->pids && cap <= a->cap)
		return true;
	if (cap < 2 * a->cap)
		cap = 2 * a->cap;
	pids = realloc(a->pids, cap * sizeof(*pids));
	if (!pids) {
		a->failed = true;
		return false;
	}
	a->pids = pids;
	a->cap = cap;
	return true;
}

static void pid_add(void *arg, pid_t tid, pid_t tgid)
{
	struct pid_array *a = arg;

	if (a->n < a->cap || pids_reserve(a, 64))
		a->pids[a->n++] = a->tgids ? tgid : tid;
}

static void list_cset(const struct core *core, const struct cset *cset, struct pid_array *a)
{
	uint32_t tid = cset->first;

	if (!cset->n_tasks || !pids_reserve(a, cset->n_tasks))
		return;
	for (uint32_t i = 0; i < cset->n_tasks; i++) {
		const struct task *task = task_at(core, tid);

		a->pids[a->n++] = (pid_t)(a->tgids ? task->tgid : tid);
		tid = task->next;
	}
}

/* For a root: the tasks of no css_set of its own, and those of every css_set that leaves it out. */
static void list_root(struct core *core, struct cgroup *root, struct pid_array *a)
{
	if (core->ops->each_initial && core->ops->each_initial(core->arg, pid_add, a))
		a->failed = true;
	for (uint32_t id = CSET_INITIAL + 1; id < core->next_cset; id++) {
		const struct cset *cset = core->csets[id];

		if (cset && cset_cgroup(cset, root->h) == root)
			list_cset(core, cset, a);
	}
}

int cgroup_list(struct cgroup *cgrp, bool tgids, pid_t **pids, size_t *n)
{
	struct core *core = cgrp->h->core;
	struct pid_array a = {.tgids = tgids};
	struct cset_link *link;

	core_settle(core);
	if (!cgrp->parent)
		list_root(core, cgrp, &a);
	LIST_FOREACH(link, &cgrp->csets, on_cgroup)
		list_cset(core, link->cset, &a);
	if (a.failed) {
		free(a.pids);
		return -ENOMEM;
	}
	*pids = a.pids;
	*n = a.pids ? core_sort_pids(a.pids, a.n) : 0;
	return 0;
}

static void count_task(void *arg, pid_t tid, pid_t tgid)
{
	(void)tid;
	(void)tgid;
	++*(size_t *)arg;
}

size_t cgroup_task_count(struct cgroup *cgrp)
{
	struct core *core = cgrp->h->core;
	struct cset_link *link;
	size_t n = 0;

	core_settle(core);
	LIST_FOREACH(link, &cgrp->csets, on_cgroup)
		n += link->cset->n_tasks;
	if (cgrp->parent)
		return n;
	if (core->ops->each_initial)
		core->ops->each_initial(core->arg, count_task, &n);
	for (uint32_t id = CSET_INITIAL + 1; id < core->next_cset; id++)
		if (core->csets[id] && cset_cgroup(core->csets[id], cgrp->h) == cgrp)
			n += core->csets[id]->n_tasks;
	return n;
}

struct iter_array {
	struct cgroup_task *tasks;
	size_t n, cap;
	bool failed;
};

static void iter_add(void *arg, pid_t tid, pid_t tgid)
{
	struct iter_array *a = arg;

	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 64;
		struct cgroup_task *tasks = realloc(a->tasks, cap * sizeof(*tasks));

		if (!tasks) {
			a->failed = true;
			return;
		}
		a->tasks = tasks;
		a->cap = cap;
	}
	a->tasks[a->n++] = (struct cgroup_task){.tid = tid, .tgid = tgid};
}

int cgroup_iter_start(struct cgroup *cgrp, struct cgroup_iter *it)
{
	struct core *core = cgrp->h->core;
	struct iter_array a = {0};
	pid_t *tids;
	size_t n;
	int err = cgroup_list(cgrp, false, &tids, &n);

	if (err)
		return err;
	for (size_t i = 0; i < n && !a.failed; i++) {
		const struct task *task = core_task(core, tids[i]);
		struct core_task_info info;

		if (task)
			iter_add(&a, tids[i], (pid_t)task->tgid);
		else if (!core->ops->task_info(core->arg, tids[i], &info))
			iter_add(&a, tids[i], info.tgid);
	}
	free(tids);
	if (a.failed) {
		free(a.tasks);
		return -ENOMEM;
	}
	*it = (struct cgroup_iter){.tasks = a.tasks, .n = a.n};
	return 0;
}

const struct cgroup_task *cgroup_iter_next(struct cgroup_iter *it)
{
	return it->pos < it->n ? &it->tasks[it->pos++] : NULL;
}

void cgroup_iter_end(struct cgroup_iter *it)
{
	free(it->tasks);
	*it = (struct cgroup_iter){0};
}

/* ---- CPU time ---------------------------------------------------------------------------------- */

int cgroup_cputimes(struct cgroup_subsys *ss, const pid_t *tids, size_t n,
		    struct cgroup_cputime *times)
{
	const struct core *core = ss->core;

	if (!core->ops->cputimes)
		return -ENOTSUP;
	return core->ops->cputimes(core->arg, tids, n, times);
}

void cgroup_reap(struct cgroup_subsys *ss)
{
	/* In this order: who exits in between is told of the next time, and not before its exit. */
	if (ss->core->ops->reap)
		ss->core->ops->reap(ss->core->arg);
	core_settle(ss->core);
}
