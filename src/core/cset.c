// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cset.c - css_sets: one combination of cgroups, shared by all tasks that are in just these.
 *
 * A css_set names only the cgroups below a root, by hierarchy slot; what it does not name is a
 * root. So the initial css_set is the empty combination, and a hierarchy comes and goes without a
 * css_set being touched (it is a lone root then).
 *
 * A css_set lives as long as a task can be in it. It is freed, its id reused and its cgroups judged
 * in settle_emptied() alone, in this state (invariants 4 and 5):
 *  - the kernel counts no task in it: none is in it, and no fork into it is under way;
 *  - then the log was replayed, past the moment the count was read;
 *  - and its list is empty.
 * Nothing can enter it after that: a fork needs a maker that is in it, and a move needs us.
 */
#include <core/internal.h>

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ (x >> 33);
}

static struct cset *cset_alloc(uint32_t n_links)
{
	return calloc(1, sizeof(struct cset) + n_links * sizeof(struct cset_link));
}

static void bucket_add(struct core *core, struct cset *cset)
{
	struct cset **b = &core->cset_buckets[cset->hash & (core->n_cset_buckets - 1)];

	cset->hash_next = *b;
	*b = cset;
}

static void bucket_del(struct core *core, struct cset *cset)
{
	struct cset **p = &core->cset_buckets[cset->hash & (core->n_cset_buckets - 1)];

	while (*p != cset)
		p = &(*p)->hash_next;
	*p = cset->hash_next;
}

/* Doubling keeps chains short; failing to only makes them longer. */
static void buckets_grow(struct core *core)
{
	size_t n_old = core->n_cset_buckets;
	struct cset **old = core->cset_buckets, **new;

	if (core->n_csets < n_old)
		return;
	new = calloc(n_old * 2, sizeof(struct cset *));
	if (!new)
		return;
	core->cset_buckets = new;
	core->n_cset_buckets = n_old * 2;
	for (size_t i = 0; i < n_old; i++) {
		struct cset *cset = old[i], *next;

		for (; cset; cset = next) {
			next = cset->hash_next;
			bucket_add(core, cset);
		}
	}
	free(old);
}

int csets_init(struct core *core)
{
	struct cset *initial = cset_alloc(0);

	core->cap_csets = 64;
	core->n_cset_buckets = 64;
	core->csets = calloc(core->cap_csets, sizeof(struct cset *));
	core->cset_buckets = calloc(core->n_cset_buckets, sizeof(struct cset *));
	if (!initial || !core->csets || !core->cset_buckets) {
		free(initial);
		return -ENOMEM;
	}
	initial->id = CSET_INITIAL;
	core->csets[CSET_INITIAL] = initial;
	core->next_cset = CSET_INITIAL + 1;
	core->n_csets = 1;
	bucket_add(core, initial);
	return 0;
}

void csets_exit(struct core *core)
{
	for (uint32_t id = 0; core->csets && id < core->next_cset; id++)
		free(core->csets[id]);
	free(core->csets);
	free(core->cset_buckets);
	free(core->free_ids);
}

struct cset *cset_by_id(struct core *core, uint32_t id)
{
	return id < core->next_cset ? core->csets[id] : NULL;
}

/* 0: out of memory, or of ids (the tracker's table of counts has room for max_csets). */
static uint32_t id_get(struct core *core)
{
	if (core->n_free_ids)
		return core->free_ids[--core->n_free_ids];
	if (core->next_cset >= core->max_csets)
		return 0;
	if (core->next_cset == core->cap_csets) {
		uint32_t cap = core->cap_csets * 2;
		struct cset **csets = realloc(core->csets, cap * sizeof(struct cset *));

		if (!csets)
			return 0;
		memset(csets + core->cap_csets, 0, (cap - core->cap_csets) * sizeof(struct cset *));
		core->csets = csets;
		core->cap_csets = cap;
	}
	return core->next_cset++;
}

/* An id that cannot be kept for reuse is lost, not reused wrongly. */
static void id_put(struct core *core, uint32_t id)
{
	core->csets[id] = NULL;
	if (core->n_free_ids == core->cap_free_ids) {
		uint32_t cap = core->cap_free_ids ? core->cap_free_ids * 2 : 64;
		uint32_t *ids = realloc(core->free_ids, cap * sizeof(uint32_t));

		if (!ids)
			return;
		core->free_ids = ids;
		core->cap_free_ids = cap;
	}
	core->free_ids[core->n_free_ids++] = id;
}

struct cgroup *cset_cgroup(const struct cset *cset, const struct hierarchy *h)
{
	uint32_t low = 0, high = cset->n_links;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		struct cgroup *cgrp = cset->links[mid].cgrp;

		if (cgrp->h == h)
			return cgrp;
		if (cgrp->h->slot < h->slot)
			low = mid + 1;
		else
			high = mid;
	}
	return h->root;
}

/* The cgroups of CSET with the one of CGRP's hierarchy replaced, into KEY; how many. */
static uint32_t make_key(const struct cset *cset, struct cgroup *cgrp, struct cgroup **key)
{
	bool placed = !cgrp->parent; /* a root is not named */
	uint32_t n = 0;

	for (uint32_t i = 0; i < cset->n_links; i++) {
		struct cgroup *other = cset->links[i].cgrp;

		if (other->h == cgrp->h)
			continue;
		if (!placed && other->h->slot > cgrp->h->slot) {
			key[n++] = cgrp;
			placed = true;
		}
		key[n++] = other;
	}
	if (!placed)
		key[n++] = cgrp;
	return n;
}

static bool key_matches(const struct cset *cset, struct cgroup *const *key, uint32_t n)
{
	if (cset->n_links != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (cset->links[i].cgrp != key[i])
			return false;
	return true;
}

struct cset *cset_with(struct core *core, const struct cset *old, struct cgroup *cgrp)
{
	struct cgroup *key[CORE_MAX_HIERARCHIES + 1];
	uint32_t n = make_key(old, cgrp, key);
	struct cset *cset;
	uint64_t hash = 0;

	for (uint32_t i = 0; i < n; i++)
		hash ^= mix(key[i]->serial);
	cset = core->cset_buckets[hash & (core->n_cset_buckets - 1)];
	for (; cset; cset = cset->hash_next)
		if (cset->hash == hash && key_matches(cset, key, n))
			return cset;

	cset = cset_alloc(n);
	if (!cset)
		return NULL;
	cset->id = id_get(core);
	if (!cset->id) {
		free(cset);
		return NULL;
	}
	cset->hash = hash;
	cset->n_links = n;
	for (uint32_t i = 0; i < n; i++) {
		cset->links[i].cset = cset;
		cset->links[i].cgrp = key[i];
		LIST_INSERT_HEAD(&key[i]->csets, &cset->links[i], on_cgroup);
	}
	core->csets[cset->id] = cset;
	core->n_csets++;
	buckets_grow(core);
	bucket_add(core, cset);
	return cset;
}

/* The last css_set of a cgroup has gone, and so has its last task. */
static void tell_empty(struct cgroup *cgrp)
{
	struct cgroup_subsys *ss;

	if (!LIST_EMPTY(&cgrp->csets))
		return;
	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));)
		if (ss->empty)
			ss->empty(ss, cgrp);
}

static void cset_free(struct core *core, struct cset *cset)
{
	if (cset->emptied)
		TAILQ_REMOVE(&core->emptied, cset, on_emptied);
	bucket_del(core, cset);
	core->n_csets--;
	id_put(core, cset->id);
	for (uint32_t i = 0; i < cset->n_links; i++) {
		struct cset_link *link = &cset->links[i];

		LIST_REMOVE(link, on_cgroup);
		if (cset->lost_at > link->cgrp->cleared_at)
			link->cgrp->flags |= CGRP_RELEASABLE;
	}
	for (uint32_t i = 0; i < cset->n_links; i++) {
		tell_empty(cset->links[i].cgrp);
		release_check(cset->links[i].cgrp);
	}
	free(cset);
}

/*
 * The move it was made for failed, so the kernel never knew its id: it can go at once. One that has
 * ever counted a task goes the long way, through settle_emptied().
 */
void cset_drop_unused(struct core *core, struct cset *cset)
{
	if (cset->id == CSET_INITIAL || cset->n_tasks || cset->emptied)
		return;
	cset_mark_emptied(core, cset);
}

void cset_mark_emptied(struct core *core, struct cset *cset)
{
	if (cset->id == CSET_INITIAL)
		return;
	cset->uncounted = false;
	/* Again at the end: releases come in the order of becoming idle. */
	if (cset->emptied)
		TAILQ_REMOVE(&core->emptied, cset, on_emptied);
	TAILQ_INSERT_TAIL(&core->emptied, cset, on_emptied);
	cset->emptied = true;
}

/* Reads the counts; true when one of the queued may be freed after a replay. */
static bool find_candidates(struct core *core)
{
	struct cset *cset, *next;
	bool found = false;

	for (cset = TAILQ_FIRST(&core->emptied); cset; cset = next) {
		next = TAILQ_NEXT(cset, on_emptied);
		if (cset->n_tasks) {
			TAILQ_REMOVE(&core->emptied, cset, on_emptied);
			cset->emptied = false;
			continue;
		}
		/* One that counts somebody stays queued: a fork into it is under way. */
		cset->uncounted = !core->ops->cset_count(core->arg, cset->id);
		found |= cset->uncounted;
	}
	return found;
}

static void settle_emptied(struct core *core)
{
	struct cset *cset, *next;

	while (find_candidates(core)) {
		core_replay(core);
		for (cset = TAILQ_FIRST(&core->emptied); cset; cset = next) {
			next = TAILQ_NEXT(cset, on_emptied);
			if (cset->uncounted && !cset->n_tasks)
				cset_free(core, cset);
		}
	}
}

void core_settle(struct core *core)
{
	if (core->in_replay)
		return;
	core_replay(core);
	core_take_puts(core);
	if (!TAILQ_EMPTY(&core->emptied))
		settle_emptied(core);
	if (!core->busy && (core->n_deferred || core->lost_affinity || core->lost_namespaces))
		core_run_deferred(core);
}

/* ---- what subsystems and views may see ------------------------------------------------------- */

struct each_arg {
	size_t n;
};

static void count_one(void *arg, pid_t tid, pid_t tgid)
{
	(void)tid;
	(void)tgid;
	((struct each_arg *)arg)->n++;
}

static void fill_set(struct core *core, const struct cset *cset, struct cgroup_css_set *set)
{
	set->id = cset->id;
	set->n_cgroups = cset->n_links;
	set->n_tasks = cset->n_tasks;
	if (cset->id == CSET_INITIAL && core->ops->each_initial) {
		struct each_arg count = {0};

		core->ops->each_initial(core->arg, count_one, &count);
		set->n_tasks = count.n;
	}
}

int css_set_of_task(struct cgroup_subsys *ss, const struct cgroup_task *task,
		    struct cgroup_css_set *set)
{
	struct core_task_info info;
	const struct cset *cset;
	int err;

	core_settle(ss->core);
	err = ss->core->ops->task_info(ss->core->arg, task->tid, &info);
	if (err)
		return err;
	cset = cset_by_id(ss->core, info.place.cset);
	if (!cset)
		return -ESRCH;
	fill_set(ss->core, cset, set);
	return 0;
}

void cgroup_each_css_set(struct cgroup *cgrp,
			 void (*fn)(void *arg, const struct cgroup_css_set *set), void *arg)
{
	struct core *core = cgrp->h->core;
	struct cgroup_css_set set;
	struct cset_link *link;

	core_settle(core);
	if (cgrp->parent) {
		LIST_FOREACH(link, &cgrp->csets, on_cgroup) {
			fill_set(core, link->cset, &set);
			fn(arg, &set);
		}
		return;
	}
	for (uint32_t id = CSET_INITIAL; id < core->next_cset; id++) {
		if (!core->csets[id] || cset_cgroup(core->csets[id], cgrp->h) != cgrp)
			continue;
		fill_set(core, core->csets[id], &set);
		fn(arg, &set);
	}
}

struct tids_arg {
	pid_t *tids;
	size_t n, max;
};

static void take_tid(void *arg, pid_t tid, pid_t tgid)
{
	struct tids_arg *t = arg;

	(void)tgid;
	if (t->n < t->max)
		t->tids[t->n++] = tid;
}

size_t css_set_tids(struct cgroup_subsys *ss, uint32_t id, pid_t *tids, size_t max)
{
	struct core *core = ss->core;
	const struct cset *cset = cset_by_id(core, id);
	struct tids_arg t = {.tids = tids, .max = max};

	if (!cset)
		return 0;
	if (id == CSET_INITIAL) {
		if (core->ops->each_initial)
			core->ops->each_initial(core->arg, take_tid, &t);
		return t.n;
	}
	for (uint32_t tid = cset->first; tid && t.n < max; tid = core_task(core, (pid_t)tid)->next)
		tids[t.n++] = (pid_t)tid;
	return t.n;
}

void css_set_each_cgroup(struct cgroup_subsys *ss, uint32_t id,
			 void (*fn)(void *arg, const char *hierarchy, struct cgroup *cgrp),
			 void *arg)
{
	const struct cset *cset = cset_by_id(ss->core, id);
	struct hierarchy *h;

	if (!cset)
		return;
	TAILQ_FOREACH(h, &ss->core->hierarchies, link)
		fn(arg, h->label, cset_cgroup(cset, h));
}

void core_each_cset(struct core *core, void (*fn)(void *arg, const struct core_cset_info *info),
		    void *arg)
{
	core_settle(core);
	for (uint32_t id = CSET_INITIAL; id < core->next_cset; id++) {
		struct cgroup_css_set set;
		struct core_cset_info info;

		if (!core->csets[id])
			continue;
		fill_set(core, core->csets[id], &set);
		info.id = id;
		info.n_tasks = set.n_tasks;
		info.refs = (unsigned int)set.n_tasks;
		fn(arg, &info);
	}
}
