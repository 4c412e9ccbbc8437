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

static struct cset *cset_alloc(uint32_t n)
{
	struct cset *cset =
		calloc(1, sizeof(*cset) + n * (sizeof(*cset->cgrps) + sizeof(*cset->links)));

	if (!cset)
		return NULL;
	cset->n_cgrps = n;
	cset->links = (struct cset_link *)&cset->cgrps[n];
	return cset;
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

/* How many of the cgroups of a css_set that has them in SLOTS come before the one in SLOT. */
static uint32_t rank(uint64_t slots, int slot)
{
	return (uint32_t)__builtin_popcountll(slots & ((1ull << slot) - 1));
}

struct cgroup *cset_cgroup(const struct cset *cset, const struct hierarchy *h)
{
	/* The default hierarchy has no slot: nothing but its root is ever in it. */
	if (h->slot < 0 || !(cset->slots >> h->slot & 1))
		return h->root;
	return cset->cgrps[rank(cset->slots, h->slot)];
}

/* The cgroups of a css_set, with the one of one hierarchy replaced. */
struct combination {
	const struct cset *old;
	struct cgroup *cgrp; /* NULL: a root, which is not named */
	uint64_t slots, hash;
	uint32_t before, after; /* how many of the old ones stay, before that one and behind it */
};

static struct combination combine(const struct cset *old, struct cgroup *cgrp)
{
	int slot = cgrp->h->slot;
	struct combination c = {.old = old,
				.slots = old->slots,
				.hash = old->hash,
				.before = rank(old->slots, slot)};

	c.after = old->n_cgrps - c.before;
	if (old->slots >> slot & 1) {
		c.after--;
		c.hash ^= mix(old->cgrps[c.before]->serial);
		c.slots &= ~(1ull << slot);
	}
	if (cgrp->parent) {
		c.cgrp = cgrp;
		c.hash ^= mix(cgrp->serial);
		c.slots |= 1ull << slot;
	}
	return c;
}

static bool is_combination(const struct cset *cset, const struct combination *c)
{
	size_t before = c->before * sizeof(struct cgroup *),
	       after = c->after * sizeof(struct cgroup *);

	return cset->hash == c->hash && cset->slots == c->slots &&
	       (!c->cgrp || cset->cgrps[c->before] == c->cgrp) &&
	       !memcmp(cset->cgrps, c->old->cgrps, before) &&
	       !memcmp(cset->cgrps + cset->n_cgrps - c->after,
		       c->old->cgrps + c->old->n_cgrps - c->after, after);
}

static struct cset *cset_make(struct core *core, const struct combination *c)
{
	uint32_t n = c->before + (c->cgrp ? 1 : 0) + c->after;
	struct cset *cset = cset_alloc(n);

	if (!cset)
		return NULL;
	cset->id = id_get(core);
	if (!cset->id) {
		free(cset);
		return NULL;
	}
	cset->hash = c->hash;
	cset->slots = c->slots;
	memcpy(cset->cgrps, c->old->cgrps, c->before * sizeof(struct cgroup *));
	if (c->cgrp)
		cset->cgrps[c->before] = c->cgrp;
	memcpy(cset->cgrps + n - c->after, c->old->cgrps + c->old->n_cgrps - c->after,
	       c->after * sizeof(struct cgroup *));
	for (uint32_t i = 0; i < n; i++) {
		cset->links[i].cset = cset;
		LIST_INSERT_HEAD(&cset->cgrps[i]->csets, &cset->links[i], on_cgroup);
	}
	core->csets[cset->id] = cset;
	core->n_csets++;
	buckets_grow(core);
	bucket_add(core, cset);
	return cset;
}

struct cset *cset_with(struct core *core, const struct cset *old, struct cgroup *cgrp)
{
	struct combination c = combine(old, cgrp);
	struct cset *cset = core->cset_buckets[c.hash & (core->n_cset_buckets - 1)];

	for (; cset; cset = cset->hash_next)
		if (is_combination(cset, &c))
			return cset;
	return cset_make(core, &c);
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
	for (uint32_t i = 0; i < cset->n_cgrps; i++) {
		LIST_REMOVE(&cset->links[i], on_cgroup);
		if (cset->lost_at > cset->cgrps[i]->cleared_at)
			cset->cgrps[i]->flags |= CGRP_RELEASABLE;
	}
	for (uint32_t i = 0; i < cset->n_cgrps; i++) {
		tell_empty(cset->cgrps[i]);
		release_check(cset->cgrps[i]);
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

/* Both name theirs by hierarchy slot, ascending. */
void cset_lose_moved(const struct cset *old, const struct cset *new)
{
	uint32_t i = 0, j = 0;

	for (uint64_t slots = old->slots | new->slots; slots; slots &= slots - 1) {
		uint64_t slot = slots & -slots;
		bool in_old = old->slots & slot, in_new = new->slots &slot;

		if (in_old && !(in_new && old->cgrps[i] == new->cgrps[j]))
			old->cgrps[i]->flags |= CGRP_RELEASABLE;
		i += in_old;
		j += in_new;
	}
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

	core->in_settle = true;
	while (find_candidates(core)) {
		core_replay(core);
		for (cset = TAILQ_FIRST(&core->emptied); cset; cset = next) {
			next = TAILQ_NEXT(cset, on_emptied);
			if (cset->uncounted && !cset->n_tasks)
				cset_free(core, cset);
		}
	}
	core->in_settle = false;
}

void core_settle(struct core *core)
{
	if (core->in_replay)
		return;
	core_replay(core);
	/* A subsystem that is told of an empty cgroup looks around: the settling is under way. */
	if (core->in_settle)
		return;
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
	set->n_cgroups = cset->n_cgrps;
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
