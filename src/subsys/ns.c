// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ns subsystem: a cgroup per set of namespaces. A task that enters new namespaces goes into a new
 * cgroup `node_TID` below the one it was in, and so do the tasks it made before it got there. There
 * is no way back: a cgroup can only be entered from above.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <subsys/builtin.h>

static int ns_create(struct cgroup_subsys *ss, struct cgroup *cgrp,
		     struct cgroup_subsys_state **css)
{
	(void)ss;
	(void)cgrp;
	*css = calloc(1, sizeof(**css));
	return *css ? 0 : -ENOMEM;
}

static void ns_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	free(css_of(cgrp, ss));
}

static int ns_can_attach(struct cgroup_subsys *ss, struct cgroup *cgrp,
			 const struct cgroup_task *task)
{
	return cgroup_is_descendant(cgrp, task_cgroup(task, ss)) ? 0 : -EPERM;
}

/* Is CGRP the one that was made for NR? */
static bool is_node_of(const struct cgroup *cgrp, pid_t nr)
{
	char path[4096], name[32];
	const char *last;

	if (cgroup_path(cgrp, path, sizeof(path)) < 0)
		return false;
	last = strrchr(path, '/');
	snprintf(name, sizeof(name), "/node_%d", (int)nr);
	return last && !strcmp(last, name);
}

static void say_left_behind(struct cgroup_subsys *ss, const struct cgroup_task *task, int err)
{
	char path[4096];

	if (err == -ESRCH)
		return;
	if (cgroup_path(task_cgroup(task, ss), path, sizeof(path)) < 0)
		path[0] = '\0';
	cgroup_log(ss, LOG_WARNING,
		   "ns: task %d is in new namespaces, but stays in cgroup %s: node_%d there: %s",
		   (int)task->tid, path, (int)task->tid,
		   err == -EEXIST ? "it exists already; remove it" : strerror(-err));
}

static void ns_namespaces(struct cgroup_subsys *ss, const struct cgroup_task *task, pid_t origin)
{
	int err;

	if (!task) {
		cgroup_log(ss, LOG_WARNING,
			   "ns: more tasks entered new namespaces than could be told of; some have "
			   "stayed in the cgroups they were in");
		return;
	}
	if (task->tid == origin)
		err = cgroup_clone(task, ss);
	else if (is_node_of(task_cgroup(task, ss), origin))
		return; /* made after ORIGIN was moved */
	else
		err = cgroup_clone_of(task, ss, origin);
	if (err)
		say_left_behind(ss, task, err);
}

static void ns_bind(struct cgroup_subsys *ss, struct cgroup *root)
{
	unsigned int events = cgroup_is_mounted(root) ? CGROUP_WATCH_NAMESPACES : 0;
	int err = cgroup_watch(ss, events);

	if (err)
		cgroup_log(ss, LOG_WARNING,
			   "ns: tasks that enter new namespaces are not moved, as they cannot be "
			   "watched here: %s",
			   strerror(-err));
}

struct cgroup_subsys ns_subsys = {
	.name = "ns",
	.create = ns_create,
	.destroy = ns_destroy,
	.can_attach = ns_can_attach,
	.bind = ns_bind,
	.namespaces = ns_namespaces,
};
