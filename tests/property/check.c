// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check.c - comparing the core with the model: one group, or everything.
 */
#include <stdlib.h>
#include <string.h>

#include "property.h"

void settled(struct prop *p)
{
	m_settled(&p->m, p->fw->n_lost != p->n_lost);
	p->n_lost = p->fw->n_lost;
}

static bool bound(const struct prop *p, int g, int s)
{
	return p->m.hierarchies[p->m.groups[g].h].mask & (1u << s);
}

/* ---- what can be seen without settling ---- */

/* A last put is done by the loop, later: until then it is still counted. */
static void check_refs(struct prop *p, int g, bool exact)
{
	const struct m_group *mg = &p->m.groups[g];

	for (int s = 0; s < M_SUBSYS; s++) {
		struct prop_css *pc = prop_css_of(mg->cgrp, &p->ss[s]);

		EXPECT(p, !pc == !bound(p, g, s), "group %d: a state where none is bound", g);
		if (!pc || g < M_HIERARCHIES)
			continue;
		EXPECT(p,
		       pc->css.refcnt == mg->refs[s] ||
			       (!exact && pc->css.refcnt == mg->refs[s] + 1),
		       "group %d: %d references, not %d", g, pc->css.refcnt, mg->refs[s]);
	}
}

void check_light(struct prop *p, int g)
{
	const struct m_group *mg = &p->m.groups[g];
	struct cgroup *parent;

	EXPECT(p, core_cgroup_by_serial(p->fw->core, mg->serial) == mg->cgrp,
	       "group %d is not found by its serial", g);
	EXPECT(p, !cgroup_is_dead(mg->cgrp), "group %d is dead", g);
	EXPECT(p, cgroup_notify_on_release(mg->cgrp) == mg->notify, "group %d: notify", g);
	EXPECT(p, cgroup_n_children(mg->cgrp) == (size_t)m_children(&p->m, g),
	       "group %d: %zu children, not %d", g, cgroup_n_children(mg->cgrp),
	       m_children(&p->m, g));
	check_refs(p, g, false);
	for (int s = 0; s < M_SUBSYS; s++)
		EXPECT(p, !p->ss[s].granted, "subsystem %s: %d let in, and left there",
		       p->ss[s].name, p->ss[s].granted);
	if (g < M_HIERARCHIES)
		return;
	parent = p->m.groups[mg->parent].cgrp;
	EXPECT(p, cgroup_parent(mg->cgrp) == parent, "group %d: parent", g);
	EXPECT(p, cgroup_lookup(parent, mg->name, strlen(mg->name)) == mg->cgrp,
	       "group %d is not found by its name %s", g, mg->name);
}

/* ---- tasks of a group ---- */

/*
 * Who is alive must be listed, who is dying may be: it has left its place, but the log does not say
 * so yet.
 */
static void check_tids(struct prop *p, int g, bool tgids)
{
	int h = p->m.groups[g].h;
	bool listed[M_TIDS] = {false}, must[M_TIDS] = {false}, may[M_TIDS] = {false};
	pid_t *pids = NULL;
	size_t n = 0;

	EXPECT(p, !cgroup_list(p->m.groups[g].cgrp, tgids, &pids, &n), "listing group %d", g);
	for (size_t i = 0; i < n; i++) {
		EXPECT(p, pids[i] > 0 && pids[i] < M_TIDS, "group %d lists %d", g, pids[i]);
		EXPECT(p, !i || pids[i] > pids[i - 1], "group %d lists out of order", g);
		listed[pids[i]] = true;
	}
	free(pids);
	for (pid_t tid = 1; tid < M_TIDS; tid++) {
		const struct m_task *t = &p->m.tasks[tid];

		if (t->group[h] != g)
			continue;
		must[tgids ? t->tgid : tid] |= t->state == M_ALIVE;
		may[tgids ? t->tgid : tid] |= t->state == M_DYING;
	}
	for (pid_t tid = 1; tid < M_TIDS; tid++) {
		EXPECT(p, listed[tid] || !must[tid], "group %d does not list %d", g, tid);
		EXPECT(p, !listed[tid] || must[tid] || may[tid], "group %d lists %d", g, tid);
	}
}

static void check_walk(struct prop *p, int g)
{
	int h = p->m.groups[g].h;
	const struct cgroup_task *task;
	struct cgroup_iter it;
	size_t n = 0;

	EXPECT(p, !cgroup_iter_start(p->m.groups[g].cgrp, &it), "walking group %d", g);
	while ((task = cgroup_iter_next(&it))) {
		const struct m_task *t = &p->m.tasks[task->tid];

		EXPECT(p, t->group[h] == g && t->tgid == task->tgid, "the walk of group %d: %d", g,
		       task->tid);
		n += t->state == M_ALIVE;
	}
	cgroup_iter_end(&it);
	EXPECT(p, n == m_count(&p->m, g, M_ALIVE), "the walk of group %d finds %zu", g, n);
}

static void check_state(struct prop *p, int g, size_t alive, size_t dying)
{
	struct m_group *mg = &p->m.groups[g];
	bool releasable = cgroup_is_releasable(mg->cgrp);

	for (int s = 0; s < M_SUBSYS; s++) {
		struct prop_css *pc = prop_css_of(mg->cgrp, &p->ss[s]);
		uint64_t u = g < M_HIERARCHIES ? p->m.root_u[s] : mg->u[s];

		if (!pc)
			continue;
		EXPECT(p, pc->u == u, "group %d: %s.u", g, p->ss[s].name);
		/* those in no group anywhere are never told of, so a root's count means nothing */
		EXPECT(p,
		       g < M_HIERARCHIES || (pc->count >= (int64_t)alive &&
					     pc->count <= (int64_t)(alive + dying)),
		       "group %d: subsystem %s was told of %lld tasks, there are %zu", g,
		       p->ss[s].name, (long long)pc->count, alive);
	}
	if (g < M_HIERARCHIES)
		return;
	/*
	 * With entries lost, a task may have come and gone unseen, and an exec by a thread looks like
	 * a death and a birth.
	 */
	if (p->lossy)
		mg->releasable = releasable;
	EXPECT(p, releasable == mg->releasable, "group %d: releasable is %d", g, releasable);
}

/* In a rebuild the world goes on: what is compared is what is there afterwards. */
static void settle(struct prop *p)
{
	core_settle(p->fw->core);
	settled(p);
}

void check_group(struct prop *p, int g)
{
	struct cgroup *cgrp = p->m.groups[g].cgrp;
	size_t alive, dying, n;

	settle(p);
	alive = m_count(&p->m, g, M_ALIVE);
	dying = m_count(&p->m, g, M_DYING);
	check_tids(p, g, false);
	check_tids(p, g, true);
	n = cgroup_task_count(cgrp);
	EXPECT(p, n >= alive && n <= alive + dying, "group %d counts %zu tasks, not %zu", g, n,
	       alive);
	EXPECT(p, g < M_HIERARCHIES || cgroup_is_idle(cgrp) == m_is_idle(&p->m, g),
	       "group %d: idle is %d", g, cgroup_is_idle(cgrp));
	check_state(p, g, alive, dying);
	check_refs(p, g, true);
	check_light(p, g);
}

/* ---- css_sets ---- */

static bool same_groups(const struct prop *p, const int *a, const int *b)
{
	for (int h = 0; h < M_HIERARCHIES; h++)
		if (p->m.hierarchies[h].active && a[h] != b[h])
			return false;
	return true;
}

static bool in_all_roots(const struct prop *p, const int *a)
{
	for (int h = 0; h < M_HIERARCHIES; h++)
		if (p->m.hierarchies[h].active && a[h] != h)
			return false;
	return true;
}

/* Same groups, same css_set; different ones, different ones. */
static void check_pair(struct prop *p, pid_t a, pid_t b)
{
	uint32_t x = fw_task(p->fw, a)->place.cset, y = fw_task(p->fw, b)->place.cset;

	EXPECT(p, (x == y) == same_groups(p, p->m.tasks[a].group, p->m.tasks[b].group),
	       "tasks %d and %d: css_sets %u and %u", a, b, x, y);
}

void check_moved(struct prop *p, pid_t tid)
{
	const struct m_task *t = &p->m.tasks[tid];

	settle(p);
	if (t->state != M_ALIVE)
		return;
	EXPECT(p, (fw_task(p->fw, tid)->place.cset == CSET_INITIAL) == in_all_roots(p, t->group),
	       "task %d: the initial css_set", tid);
	for (pid_t other = 1; other < M_TIDS; other++)
		if (other != tid && p->m.tasks[other].state == M_ALIVE)
			check_pair(p, tid, other);
	for (int h = 0; h < M_HIERARCHIES; h++) {
		struct cgroup *cgrp;

		if (!p->m.hierarchies[h].active)
			continue;
		EXPECT(p,
		       !core_task_cgroup(p->fw->core, tid, p->m.hierarchies[h].h, &cgrp) &&
			       cgrp == p->m.groups[t->group[h]].cgrp,
		       "task %d: its group in hierarchy %d", tid, h);
	}
}

struct cset_sums {
	struct prop *p;
	size_t n, n_tasks;
};

static void sum_cset(void *arg, const struct core_cset_info *info)
{
	struct cset_sums *sums = arg;

	sums->n++;
	sums->n_tasks += info->n_tasks;
	EXPECT(sums->p, info->id == CSET_INITIAL || info->refs || sums->p->fw->count[info->id],
	       "css_set %u: nothing holds it", info->id);
}

/* As many css_sets as there are combinations, of the living, the dying and the unborn. */
static void check_csets(struct prop *p)
{
	size_t n = 1, alive = 0, dying = 0;
	struct cset_sums sums = {.p = p};
	struct core_stats stats;

	settle(p);
	for (pid_t tid = 1; tid < M_TIDS; tid++) {
		const struct m_task *t = &p->m.tasks[tid];
		bool again = t->state == M_FREE || in_all_roots(p, t->group);

		for (pid_t o = 1; o < tid && !again; o++)
			again = p->m.tasks[o].state != M_FREE &&
				same_groups(p, t->group, p->m.tasks[o].group);
		n += !again;
		alive += t->state == M_ALIVE;
		dying += t->state == M_DYING;
	}
	core_get_stats(p->fw->core, &stats);
	EXPECT(p, stats.csets == n, "%llu css_sets for %zu combinations",
	       (unsigned long long)stats.csets, n);
	core_each_cset(p->fw->core, sum_cset, &sums);
	EXPECT(p, sums.n == n, "%zu css_sets are shown, of %zu", sums.n, n);
	EXPECT(p, sums.n_tasks >= alive && sums.n_tasks <= alive + dying,
	       "css_sets have %zu tasks, not %zu", sums.n_tasks, alive);
	EXPECT(p, p->lossy || !stats.oddities, "%llu entries did not fit the lists",
	       (unsigned long long)stats.oddities);
}

/* ---- trees ---- */

static void check_children(struct prop *p, int g)
{
	struct cgroup *c = NULL;
	uint64_t order = 0;
	int n = 0;

	while ((c = cgroup_child_after(p->m.groups[g].cgrp, c))) {
		int found = -1;

		for (int k = M_HIERARCHIES; k < M_GROUPS; k++)
			if (p->m.groups[k].used && p->m.groups[k].cgrp == c)
				found = k;
		EXPECT(p, found >= 0 && p->m.groups[found].parent == g,
		       "a strange child of group %d", g);
		EXPECT(p, p->m.groups[found].order > order, "children of group %d out of order", g);
		order = p->m.groups[found].order;
		n++;
	}
	EXPECT(p, n == m_children(&p->m, g), "group %d has %d children", g, n);
}

static void check_hierarchies(struct prop *p)
{
	struct hierarchy *h = NULL;
	uint64_t order = UINT64_MAX;
	size_t n = 0, n_model = 0;

	while ((h = core_hierarchy_next(p->fw->core, h))) {
		const struct m_hierarchy *mh = NULL;
		int i;

		for (i = 0; i < M_HIERARCHIES && !mh; i++)
			if (p->m.hierarchies[i].active && p->m.hierarchies[i].h == h)
				mh = &p->m.hierarchies[i];
		EXPECT(p, mh, "a hierarchy that is not there");
		i--;
		EXPECT(p, mh->order < order, "hierarchies out of order");
		order = mh->order;
		EXPECT(p, hierarchy_subsys_mask(h) == mh->mask, "hierarchy %d: subsystems", i);
		EXPECT(p, hierarchy_n_mounts(h) == mh->mounts, "hierarchy %d: mounts", i);
		EXPECT(p, hierarchy_n_cgroups(h) == m_hierarchy_size(&p->m, i),
		       "hierarchy %d: %zu groups, not %zu", i, hierarchy_n_cgroups(h),
		       m_hierarchy_size(&p->m, i));
		EXPECT(p, !strcmp(hierarchy_name(h), mh->name), "hierarchy %d: name", i);
		n++;
	}
	for (int i = 0; i < M_HIERARCHIES; i++)
		n_model += p->m.hierarchies[i].active;
	EXPECT(p, n == n_model, "%zu hierarchies, not %zu", n, n_model);
	for (int s = 0; s < M_SUBSYS; s++) {
		int at = m_hierarchy_of(&p->m, s);
		size_t states = at < 0 ? 1 : m_hierarchy_size(&p->m, at);

		EXPECT(p, (size_t)p->ss[s].n_css == states, "subsystem %s has %d states, not %zu",
		       p->ss[s].name, p->ss[s].n_css, states);
	}
}

/*
 * What is queued is owed, and who is owed one and idle is queued. The model looks at every moment
 * and the core only when it settles, so the model may owe to a group that was idle in between.
 */
static void check_queues(struct prop *p)
{
	settle(p);
	for (int h = 0; h < M_HIERARCHIES; h++) {
		size_t least = 0, most = 0, n;

		if (!p->m.hierarchies[h].active)
			continue;
		for (int g = M_HIERARCHIES; g < M_GROUPS; g++) {
			const struct m_group *mg = &p->m.groups[g];

			if (!mg->used || mg->h != h || !mg->owed)
				continue;
			most++;
			least += m_is_idle(&p->m, g) && mg->notify;
		}
		n = core_releases_pending(p->m.hierarchies[h].h);
		EXPECT(p, n >= least && n <= most,
		       "hierarchy %d: %zu releases are queued, %zu to %zu are owed", h, n, least,
		       most);
	}
}

void check_all(struct prop *p)
{
	check_csets(p);
	check_hierarchies(p);
	check_queues(p);
	for (int g = 0; g < M_GROUPS; g++) {
		char path[256], want[256];

		if (!p->m.groups[g].used)
			continue;
		check_group(p, g);
		check_walk(p, g);
		check_children(p, g);
		m_path(&p->m, g, want, sizeof(want));
		EXPECT(p,
		       cgroup_path(p->m.groups[g].cgrp, path, sizeof(path)) == (int)strlen(want) &&
			       !strcmp(path, want),
		       "group %d has the path %s, not %s", g, path, want);
	}
	for (pid_t a = 1; a < M_TIDS; a++)
		for (pid_t b = 1; b < a && p->m.tasks[a].state == M_ALIVE; b++)
			if (p->m.tasks[b].state == M_ALIVE)
				check_pair(p, a, b);
}
