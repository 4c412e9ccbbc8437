// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset.c - the cpuset subsystem: which CPUs and memory nodes the tasks of a cgroup may use. This
 * file: cpusets are made, copied and entered. cpuset.h lists the others.
 */
#include <errno.h>
#include <stdlib.h>

#include <subsys/builtin.h>
#include <subsys/cpuset.h>

struct cpuset *cpuset_parent(const struct cpuset *cs)
{
	const struct cgroup *parent = cgroup_parent(cs->css.cgroup);

	return parent ? cpuset_of(parent, cs->ctx->ss) : NULL;
}

struct cpuset *cpuset_first_child(const struct cpuset *cs)
{
	const struct cgroup *child = cgroup_first_child(cs->css.cgroup);

	return child ? cpuset_of(child, cs->ctx->ss) : NULL;
}

struct cpuset *cpuset_next_sibling(const struct cpuset *cs)
{
	const struct cgroup *next = cgroup_next_sibling(cs->css.cgroup);

	return next ? cpuset_of(next, cs->ctx->ss) : NULL;
}

/* ---- life ------------------------------------------------------------------------------------- */

/* Tests put another system into private_data before they register the subsystem. */
static int create_root(struct cgroup_subsys *ss, struct cpuset *cs)
{
	struct cpuset_ctx *ctx = calloc(1, sizeof(*ctx));
	int err;

	if (!ctx)
		return -ENOMEM;
	ctx->ss = ss;
	ctx->world = ss->private_data ? ss->private_data : &cpuset_system;
	ctx->linger_fd = ctx->hotplug_fd = -1;
	ctx->root = cs;
	err = ctx->world->sizes(ctx->world->arg, &ctx->n_cpus, &ctx->n_nodes);
	if (!err)
		err = ctx->world->online(ctx->world->arg, &cs->cpus, &cs->mems);
	if (err) {
		free(ctx);
		return err;
	}
	cs->ctx = ctx;
	cs->flags |= 1u << CPUSET_CPU_EXCLUSIVE | 1u << CPUSET_MEM_EXCLUSIVE;
	ss->private_data = ctx;
	return 0;
}

static void create_child(struct cpuset *cs, const struct cpuset *parent)
{
	const unsigned int handed_down = 1u << CPUSET_SPREAD_PAGE | 1u << CPUSET_SPREAD_SLAB;

	cs->ctx = parent->ctx;
	cs->flags |= parent->flags & handed_down;
	if (!cs->ctx->n_cpusets++)
		cpuset_listen(cs->ctx);
}

static int cpuset_create(struct cgroup_subsys *ss, struct cgroup *cgrp,
			 struct cgroup_subsys_state **css)
{
	const struct cgroup *parent = cgroup_parent(cgrp);
	struct cpuset *cs = calloc(1, sizeof(*cs));
	int err = 0;

	if (!cs)
		return -ENOMEM;
	cs->flags = 1u << CPUSET_SCHED_LOAD_BALANCE;
	cs->relax_domain_level = -1;
	if (parent)
		create_child(cs, cpuset_of(parent, ss));
	else
		err = create_root(ss, cs);
	if (err) {
		free(cs);
		return err;
	}
	*css = &cs->css;
	return 0;
}

static void destroy_root(struct cpuset *cs)
{
	struct cpuset_ctx *ctx = cs->ctx;

	cpuset_tasks_exit(ctx);
	cpuset_unlisten(ctx);
	ctx->ss->private_data = NULL;
	free(ctx);
}

static void cpuset_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	struct cpuset *cs = cpuset_of(cgrp, ss);

	if (cpuset_is_root(cs)) {
		destroy_root(cs);
	} else {
		cs->occupied = false;
		cpuset_recount(cs);
		if (!--cs->ctx->n_cpusets)
			cpuset_unlisten(cs->ctx);
	}
	free(cs);
}

/* As in v1, a sibling's exclusive set leaves nothing to copy: it might overlap. */
static void cpuset_post_clone(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	struct cpuset *cs = cpuset_of(cgrp, ss), *parent = cpuset_parent(cs);

	for (struct cpuset *c = cpuset_first_child(parent); c; c = cpuset_next_sibling(c))
		if (cpuset_has_flag(c, CPUSET_CPU_EXCLUSIVE) ||
		    cpuset_has_flag(c, CPUSET_MEM_EXCLUSIVE))
			return;
	cs->cpus = parent->cpus;
	cs->mems = parent->mems;
}

/* ---- tasks ------------------------------------------------------------------------------------ */

static int cpuset_can_attach(struct cgroup_subsys *ss, struct cgroup *cgrp,
			     const struct cgroup_task *task)
{
	struct cpuset *cs = cpuset_of(cgrp, ss);

	cpuset_look_at_system(cs->ctx);
	if (mask_is_empty(&cs->cpus) || mask_is_empty(&cs->mems))
		return -ENOSPC;
	return cpuset_task_leaving(cs, cpuset_of(task_cgroup(task, ss), ss), task);
}

static void cpuset_cancel_attach(struct cgroup_subsys *ss, struct cgroup *cgrp,
				 const struct cgroup_task *task)
{
	struct cpuset *cs = cpuset_of(cgrp, ss);

	cpuset_task_arrived(cpuset_of(task_cgroup(task, ss), ss), cs, task);
	cs->occupied = cgroup_task_count(cgrp);
	cpuset_recount(cs);
}

static void cpuset_attach(struct cgroup_subsys *ss, struct cgroup *cgrp, struct cgroup *old,
			  const struct cgroup_task *task)
{
	struct cpuset *cs = cpuset_of(cgrp, ss), *from = cpuset_of(old, ss);

	cs->occupied = true;
	cpuset_recount(cs);
	cpuset_task_arrived(cs, from, task);
	cpuset_migrate(cs, &from->mems, task);
}

static void cpuset_empty(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	struct cpuset *cs = cpuset_of(cgrp, ss);

	cs->occupied = false;
	cpuset_recount(cs);
}

struct cgroup_subsys cpuset_subsys = {
	.name = "cpuset",
	.cftypes = cpuset_files,
	.create = cpuset_create,
	.destroy = cpuset_destroy,
	.can_attach = cpuset_can_attach,
	.cancel_attach = cpuset_cancel_attach,
	.attach = cpuset_attach,
	.post_clone = cpuset_post_clone,
	.empty = cpuset_empty,
	.affinity = cpuset_affinity,
};
