// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * subsys.c - the subsystem of the property test: it counts the tasks of each group by what it is
 * told (attach, fork, exit), as a limiting subsystem would, and fails where it should.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "property.h"

static struct prop_subsys *to_prop(struct cgroup_subsys *ss)
{
	return (struct prop_subsys *)ss;
}

struct prop_css *prop_css_of(struct cgroup *cgrp, struct prop_subsys *ps)
{
	return (struct prop_css *)css_of(cgrp, &ps->ss);
}

static struct prop_css *task_prop_css(const struct cgroup_task *task, struct cgroup_subsys *ss)
{
	return (struct prop_css *)task_css(task, ss);
}

static int prop_create(struct cgroup_subsys *ss, struct cgroup *cgrp,
		       struct cgroup_subsys_state **css)
{
	struct prop_subsys *ps = to_prop(ss);
	struct prop_css *pc;

	(void)cgrp;
	if (ps->create_err)
		return ps->create_err;
	pc = calloc(1, sizeof(*pc));
	if (!pc)
		return -ENOMEM;
	ps->n_css++;
	*css = &pc->css;
	return 0;
}

static void prop_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	to_prop(ss)->n_css--;
	free(css_of(cgrp, ss));
}

static int prop_pre_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	(void)cgrp;
	return to_prop(ss)->pre_destroy_err;
}

static int prop_populate(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	(void)cgrp;
	return to_prop(ss)->populate_err;
}

static void prop_post_clone(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	prop_css_of(cgrp, to_prop(ss))->u = prop_css_of(cgroup_parent(cgrp), to_prop(ss))->u;
}

static int prop_can_attach(struct cgroup_subsys *ss, struct cgroup *cgrp,
			   const struct cgroup_task *task)
{
	struct prop_subsys *ps = to_prop(ss);

	(void)cgrp;
	if (ps->can_attach_err && (!ps->can_attach_tid || ps->can_attach_tid == task->tid))
		return ps->can_attach_err;
	ps->granted++;
	return 0;
}

static void prop_cancel_attach(struct cgroup_subsys *ss, struct cgroup *cgrp,
			       const struct cgroup_task *task)
{
	(void)cgrp;
	(void)task;
	to_prop(ss)->granted--;
}

static void prop_attach(struct cgroup_subsys *ss, struct cgroup *cgrp, struct cgroup *old,
			const struct cgroup_task *task)
{
	(void)task;
	to_prop(ss)->granted--;
	prop_css_of(cgrp, to_prop(ss))->count++;
	prop_css_of(old, to_prop(ss))->count--;
}

static void prop_fork(struct cgroup_subsys *ss, const struct cgroup_task *task)
{
	task_prop_css(task, ss)->count++;
}

static void prop_exit(struct cgroup_subsys *ss, const struct cgroup_task *task)
{
	task_prop_css(task, ss)->count--;
}

static int u_read(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	*val = prop_css_of(cgrp, (struct prop_subsys *)cft->private_value)->u;
	return 0;
}

static int u_write(struct cgroup *cgrp, const struct cftype *cft, uint64_t val)
{
	prop_css_of(cgrp, (struct prop_subsys *)cft->private_value)->u = val;
	return 0;
}

void prop_subsys_init(struct prop_subsys *ps, char name)
{
	memset(ps, 0, sizeof(*ps));
	ps->name[0] = name;
	/* its own name, so that it is told from others' without a prefix, too */
	ps->file_name[0] = 'u';
	ps->file_name[1] = name;
	ps->files[0] = (struct cftype){.name = ps->file_name,
				       .private_value = (intptr_t)ps,
				       .read_u64 = u_read,
				       .write_u64 = u_write};
	ps->ss = (struct cgroup_subsys){
		.name = ps->name,
		.cftypes = ps->files,
		.create = prop_create,
		.destroy = prop_destroy,
		.pre_destroy = prop_pre_destroy,
		.populate = prop_populate,
		.post_clone = prop_post_clone,
		.can_attach = prop_can_attach,
		.cancel_attach = prop_cancel_attach,
		.attach = prop_attach,
		.fork = prop_fork,
		.exit = prop_exit,
	};
}
