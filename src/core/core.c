// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * core.c - the one context: its making and end, the registry of subsystems, the settling of what
 * the log has told, and small services for the rest of the core.
 */
#include <stdio.h>

#include <core/internal.h>

void core_log(struct core *core, int priority, const char *fmt, ...)
{
	va_list ap;

	if (!core->ops->log)
		return;
	va_start(ap, fmt);
	core->ops->log(core->arg, priority, fmt, ap);
	va_end(ap);
}

uint64_t core_now(struct core *core)
{
	return core->ops->now ? core->ops->now(core->arg) : 0;
}

void core_tree_changed(struct cgroup *cgrp)
{
	struct core *core = cgrp->h->core;

	if (core->ops->tree_changed)
		core->ops->tree_changed(core->arg, cgrp);
}

/*
 * Invariant: replay before you look. A subsystem's fork and exit callbacks run inside a replay and
 * see the state up to their own event, so a replay inside a replay is none.
 */
void core_replay(struct core *core)
{
	if (core->in_replay)
		return;
	core->in_replay = true;
	core->ops->replay(core->arg);
	core->in_replay = false;
}

struct core *core_new(const struct core_ops *ops, void *arg, uint32_t max_csets)
{
	struct core *core = calloc(1, sizeof(*core));

	if (!core)
		return NULL;
	core->ops = ops;
	core->arg = arg;
	core->max_csets = max_csets;
	core->next_serial = 1;
	core->next_hierarchy_id = 1;
	core->n_cftypes = 1;
	TAILQ_INIT(&core->hierarchies);
	TAILQ_INIT(&core->emptied);
	LIST_INIT(&core->watched_fds);
	if (csets_init(core) || core_add_cftypes(core, NULL, core_base_cftypes))
		goto fail;
	core->dfl = hierarchy_new(core);
	if (!core->dfl)
		goto fail;
	return core;
fail:
	core_free(core);
	return NULL;
}

static void free_one(struct cgroup *cgrp)
{
	struct hierarchy *h = cgrp->h;

	for (int id = (int)h->core->n_subsys - 1; id >= 0; id--) {
		struct cgroup_subsys *ss = h->core->subsys[id];
		struct cgroup_subsys_state **slot = cgroup_css_slot(cgrp, ss);

		if (!slot || !*slot)
			continue;
		ss->destroy(ss, cgrp);
		*slot = NULL;
	}
	cgroup_hash_del(cgrp);
	if (!cgrp->parent)
		return;
	TAILQ_REMOVE(&cgrp->parent->children, cgrp, sibling);
	cgroup_free(cgrp);
}

/* From the leaves up, newest first. Trees can be deeper than a stack. */
static void free_tree(struct cgroup *root)
{
	struct cgroup *cgrp = root, *next;

	for (;;) {
		next = TAILQ_LAST(&cgrp->children, cgroup_list);
		if (!next) {
			next = cgrp->parent;
			free_one(cgrp);
		}
		if (!next)
			return;
		cgrp = next;
	}
}

void core_free(struct core *core)
{
	struct hierarchy *h;

	if (!core)
		return;
	while ((h = TAILQ_FIRST(&core->hierarchies))) {
		TAILQ_REMOVE(&core->hierarchies, h, link);
		free_tree(h->root);
		hierarchy_free(h);
	}
	if (core->dfl) {
		free_tree(core->dfl->root);
		hierarchy_free(core->dfl);
	}
	services_exit(core);
	tasks_exit(core);
	csets_exit(core);
	free(core->by_serial);
	free(core->by_name);
	free(core);
}

static bool subsys_name_ok(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	if (!len || len > CGROUP_SUBSYS_NAME_MAX)
		return false;
	/* These words mean something else in a mount's options. */
	if (!strcmp(name, "all") || !strcmp(name, "none") || !strcmp(name, "noprefix") ||
	    !strcmp(name, "clone_children"))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

int core_register_subsys(struct core *core, struct cgroup_subsys *ss)
{
	unsigned int n_cftypes = core->n_cftypes;
	struct cgroup *root = core->dfl->root;
	struct cgroup_subsys_state *css = NULL;
	int err;

	if (!subsys_name_ok(ss->name) || !ss->create || !ss->destroy)
		return -EINVAL;
	for (unsigned int i = 0; i < core->n_subsys; i++)
		if (!strcmp(core->subsys[i]->name, ss->name))
			return -EEXIST;
	if (core->n_subsys == CORE_MAX_SUBSYS)
		return -ENOSPC;

	ss->id = core->n_subsys;
	ss->core = core;
	if (ss->cftypes) {
		err = core_add_cftypes(core, ss, ss->cftypes);
		if (err)
			return err;
	}
	core->subsys[ss->id] = ss;
	core->subsys_h[ss->id] = core->dfl;
	core->n_subsys++;
	core->dfl->subsys_mask |= 1ull << ss->id;
	err = ss->create(ss, root, &css);
	if (err || !css) {
		core->n_subsys--;
		core->subsys[ss->id] = NULL;
		core->subsys_h[ss->id] = NULL;
		core->dfl->subsys_mask &= ~(1ull << ss->id);
		core->n_cftypes = n_cftypes;
		return err ? err : -ENOMEM;
	}
	css->cgroup = root;
	css->subsys = ss;
	*cgroup_css_slot(root, ss) = css;
	if (ss->bind)
		ss->bind(ss, root);
	core->want_fork |= ss->fork != NULL;
	core->want_exit |= ss->exit != NULL && !ss->cputime;
	core->tell_exit |= ss->exit != NULL;
	if ((ss->fork || ss->exit) && core->ops->want_events)
		core->ops->want_events(core->arg, core->want_fork, core->want_exit);
	return 0;
}

struct cgroup_subsys *core_subsys(struct core *core, unsigned int id)
{
	return id < core->n_subsys ? core->subsys[id] : NULL;
}

struct hierarchy *core_subsys_hierarchy(struct core *core, unsigned int id)
{
	return id < core->n_subsys ? core->subsys_h[id] : NULL;
}

struct cgroup_subsys *hierarchy_next_subsys(const struct hierarchy *h, int *id)
{
	while (++*id < (int)h->core->n_subsys)
		if (h->subsys_mask & (1ull << *id))
			return h->core->subsys[*id];
	return NULL;
}

void core_get_stats(const struct core *core, struct core_stats *stats)
{
	*stats = core->stats;
	stats->hierarchies = core->n_hierarchies;
	stats->cgroups = core->n_cgroups;
	stats->csets = core->n_csets;
	stats->member_tasks = core->n_tasks;
}
