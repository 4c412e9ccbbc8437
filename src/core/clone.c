// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clone.c - what subsystems do with tasks: give one a cgroup of its own, and empty a cgroup.
 */
#include <stdio.h>

#include <core/attach.h>

#define PATIENCE 1000 /* a subsystem cannot come back later */

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
				attach_wait_for_place(core, task->tgid, task->tgid, i);
		}
		cgroup_iter_end(&it);
	}
	return err;
}
