// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model.c - the naive reference: plain arrays, recomputed from scratch.
 */
#include <stdio.h>
#include <string.h>

#include "model.h"

void m_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	m->now = 1;
}

/* ---- what follows from the arrays ---- */

size_t m_count(const struct model *m, int group, enum m_state state)
{
	int h = m->groups[group].h;
	size_t n = 0;

	for (pid_t tid = 1; tid < M_TIDS; tid++)
		n += m->tasks[tid].state == state && m->tasks[tid].group[h] == group;
	return n;
}

bool m_has_tasks(const struct model *m, int group)
{
	int h = m->groups[group].h;

	for (pid_t tid = 1; tid < M_TIDS; tid++)
		if (m->tasks[tid].state != M_FREE && m->tasks[tid].group[h] == group)
			return true;
	return false;
}

int m_children(const struct model *m, int group)
{
	int n = 0;

	for (int g = M_HIERARCHIES; g < M_GROUPS; g++)
		n += m->groups[g].used && m->groups[g].parent == group;
	return n;
}

int m_child(const struct model *m, int parent, const char *name)
{
	for (int g = M_HIERARCHIES; g < M_GROUPS; g++)
		if (m->groups[g].used && m->groups[g].parent == parent &&
		    !strcmp(m->groups[g].name, name))
			return g;
	return -1;
}

bool m_is_idle(const struct model *m, int group)
{
	for (int s = 0; s < M_SUBSYS; s++)
		if (m->groups[group].refs[s])
			return false;
	return !m_has_tasks(m, group) && !m_children(m, group);
}

int m_hierarchy_of(const struct model *m, unsigned int subsys)
{
	for (int h = 0; h < M_HIERARCHIES; h++)
		if (m->hierarchies[h].active && m->hierarchies[h].mask & (1u << subsys))
			return h;
	return -1;
}

size_t m_hierarchy_size(const struct model *m, int h)
{
	size_t n = 0;

	for (int g = 0; g < M_GROUPS; g++)
		n += m->groups[g].used && m->groups[g].h == h;
	return n;
}

void m_path(const struct model *m, int group, char *buf, size_t size)
{
	char tail[512] = "";

	if (group < M_HIERARCHIES) {
		snprintf(buf, size, "/");
		return;
	}
	for (; group >= M_HIERARCHIES; group = m->groups[group].parent) {
		snprintf(buf, size, "/%s%s", m->groups[group].name, tail);
		snprintf(tail, sizeof(tail), "%s", buf);
	}
}

/* ---- becoming idle ---- */

static void add_span(struct model *m, struct m_group *g, bool wide)
{
	struct m_span span = {.lo = m->now, .hi = m->now};

	if (wide)
		span = (struct m_span){.lo = m->epoch_start, .hi = UINT64_MAX};
	if (g->n_spans == M_SPANS) { /* forget when exactly: less is checked, nothing wrongly */
		g->spans[0].hi = g->spans[1].hi;
		memmove(&g->spans[1], &g->spans[2], (M_SPANS - 2) * sizeof(span));
		g->n_spans--;
	}
	g->spans[g->n_spans++] = span;
}

void m_look(struct model *m, bool wide)
{
	m->now++;
	for (int i = M_HIERARCHIES; i < M_GROUPS; i++) {
		struct m_group *g = &m->groups[i];
		bool was = g->idle;

		if (!g->used)
			continue;
		g->idle = m_is_idle(m, i);
		if (!g->idle || was)
			continue;
		if (g->owed) /* if nobody has looked before, this is when it is seen */
			add_span(m, g, wide);
		if (!g->occupied)
			continue;
		g->occupied = false;
		if (!g->notify || g->owed)
			continue;
		g->owed = true;
		g->passed = false;
		add_span(m, g, wide);
	}
}

void m_settled(struct model *m, bool lost)
{
	for (int i = M_HIERARCHIES; i < M_GROUPS; i++) {
		struct m_group *g = &m->groups[i];

		/* Idle for a moment that nobody saw, and busy now: the core may know of nothing. */
		g->passed |= g->used && g->owed && !m_is_idle(m, i);
		for (int s = 0; s < g->n_spans; s++) {
			if (lost && g->spans[s].hi >= m->epoch_start) {
				if (g->spans[s].lo > m->epoch_start)
					g->spans[s].lo = m->epoch_start;
				g->spans[s].hi = m->now;
			}
			if (g->spans[s].hi == UINT64_MAX)
				g->spans[s].hi = m->now;
		}
	}
	m->epoch_start = ++m->now;
}

static void forget_release(struct m_group *g)
{
	g->owed = false;
	g->n_spans = 0;
}

/* The earliest moment of becoming idle that is not before AT; 0: there is none. */
static uint64_t earliest(const struct m_group *g, uint64_t at)
{
	uint64_t best = 0;

	for (int s = 0; s < g->n_spans; s++) {
		uint64_t t = g->spans[s].lo > at ? g->spans[s].lo : at;

		if (t <= g->spans[s].hi && (!best || t < best))
			best = t;
	}
	return best;
}

bool m_delivered(struct model *m, struct m_delivery *d, int group, const char **why)
{
	for (int i = M_HIERARCHIES; i < M_GROUPS; i++)
		if (m->groups[i].used && m->groups[i].h == d->h)
			m->groups[i].passed |= m->groups[i].owed && !m_is_idle(m, i);
	if (group >= 0) {
		struct m_group *g = &m->groups[group];
		uint64_t t = earliest(g, d->at ? d->at : 1);

		*why = !g->owed		    ? "no release was due" :
		       !m_is_idle(m, group) ? "it is not idle" :
					      NULL;
		if (!*why && !t)
			*why = "out of order";
		if (!*why && !m->hierarchies[d->h].ready)
			*why = "nobody was called to deliver it";
		d->at = t;
		forget_release(g);
		return !*why;
	}
	for (int i = M_HIERARCHIES; i < M_GROUPS; i++) {
		struct m_group *g = &m->groups[i];
		bool passed = g->passed;

		g->passed = false;
		if (!g->used || g->h != d->h || !g->owed)
			continue;
		if (m_is_idle(m, i) && passed && !g->notify) {
			/* passed over, and the removal of its last child was nothing to tell */
			forget_release(g);
			continue;
		}
		if (m_is_idle(m, i)) {
			*why = "a release is missing";
			d->missing = i;
			return false;
		}
		/* reprieved: told at its next release */
		forget_release(g);
		g->occupied = true;
	}
	m->hierarchies[d->h].ready = false;
	return true;
}

/* ---- what tasks do ---- */

static void occupy(struct model *m, int group)
{
	m->groups[group].occupied = true;
}

static void lose(struct model *m, int group)
{
	m->groups[group].releasable = true;
}

void m_spawn(struct model *m, pid_t tid, pid_t tgid)
{
	struct m_task *t = &m->tasks[tid];

	memset(t, 0, sizeof(*t));
	t->state = M_ALIVE;
	t->tgid = tgid;
	for (int h = 0; h < M_HIERARCHIES; h++)
		t->group[h] = h;
	m_look(m, false);
}

void m_fork_begin(struct model *m, pid_t parent, pid_t child, pid_t tgid)
{
	struct m_task *c = &m->tasks[child];

	*c = m->tasks[parent];
	c->state = M_UNBORN;
	c->tgid = tgid ? tgid : child;
	c->fixed = false;
	m_look(m, false);
}

void m_fork_end(struct model *m, pid_t child)
{
	struct m_task *c = &m->tasks[child];

	c->state = M_ALIVE;
	for (int h = 0; h < M_HIERARCHIES; h++)
		occupy(m, c->group[h]);
	m_look(m, false);
}

void m_fork_undo(struct model *m, pid_t child)
{
	m->tasks[child].state = M_FREE;
	m_look(m, true); /* the log does not tell */
}

void m_exit_begin(struct model *m, pid_t tid, unsigned int rebuilds)
{
	m->tasks[tid].state = M_DYING;
	m->tasks[tid].rebuilds = rebuilds;
	m_look(m, false);
}

void m_exit_end(struct model *m, pid_t tid, unsigned int rebuilds)
{
	struct m_task *t = &m->tasks[tid];

	t->state = M_FREE;
	for (int h = 0; h < M_HIERARCHIES; h++)
		lose(m, t->group[h]);
	/* a rebuild since has taken it for dead, and hears no more of it */
	m_look(m, t->rebuilds != rebuilds);
}

void m_exec(struct model *m, pid_t tid)
{
	pid_t tgid = m->tasks[tid].tgid;

	if (tid == tgid)
		return;
	m->tasks[tgid] = m->tasks[tid];
	m->tasks[tid].state = M_FREE;
	m_look(m, false);
}

void m_enter(struct model *m, pid_t tid, int group)
{
	struct m_task *t = &m->tasks[tid];
	int h = m->groups[group].h, old = t->group[h];

	t->group[h] = group;
	if (old != group) {
		occupy(m, group);
		lose(m, old);
	}
	m_look(m, false);
}

/* ---- what is done to groups ---- */

int m_group_add(struct model *m, int parent, const char *name, struct cgroup *cgrp)
{
	struct m_group *p = &m->groups[parent], *g;
	int i = M_HIERARCHIES;

	while (i < M_GROUPS && m->groups[i].used)
		i++;
	if (i == M_GROUPS)
		return -1;
	g = &m->groups[i];
	memset(g, 0, sizeof(*g));
	g->used = true;
	g->h = p->h;
	g->parent = parent;
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->order = ++m->now;
	g->notify = p->notify;
	g->clone_children = p->clone_children;
	g->idle = true;
	g->cgrp = cgrp;
	g->serial = cgroup_serial(cgrp);
	for (int s = 0; s < M_SUBSYS && g->clone_children; s++)
		g->u[s] = parent < M_HIERARCHIES ? m->root_u[s] : p->u[s];
	occupy(m, parent);
	m_look(m, false);
	return i;
}

void m_group_remove(struct model *m, int group)
{
	struct m_group *g = &m->groups[group];

	g->used = false;
	lose(m, g->parent);
	m_look(m, false);
}

int m_hierarchy_add(struct model *m, unsigned int mask, const char *name, bool noprefix,
		    struct hierarchy *h)
{
	struct m_hierarchy *mh;
	struct m_group *root;
	int i = 0;

	while (i < M_HIERARCHIES && m->hierarchies[i].active)
		i++;
	if (i == M_HIERARCHIES)
		return -1;
	mh = &m->hierarchies[i];
	*mh = (struct m_hierarchy){.active = true,
				   .mask = mask,
				   .noprefix = noprefix,
				   .mounts = 1,
				   .order = ++m->now,
				   .h = h};
	snprintf(mh->name, sizeof(mh->name), "%s", name);
	root = &m->groups[i];
	*root = (struct m_group){.used = true, .h = i, .parent = -1};
	root->cgrp = hierarchy_root(h);
	root->serial = cgroup_serial(root->cgrp);
	for (pid_t tid = 1; tid < M_TIDS; tid++)
		m->tasks[tid].group[i] = i;
	return i;
}

void m_hierarchy_remove(struct model *m, int h)
{
	m->hierarchies[h].active = false;
	m->groups[h].used = false;
}

void m_refs(struct model *m, int group, int subsys, int change)
{
	m->groups[group].refs[subsys] += change;
	m_look(m, change < 0); /* put by any thread, at any time */
}
