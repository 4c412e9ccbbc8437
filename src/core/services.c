// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * services.c - what subsystems ask of the world: watching tasks and file descriptors, affinities,
 * a line in the log. Passed on to core_ops.
 */
#include <core/internal.h>

bool cgroup_is_mounted(const struct cgroup *cgrp)
{
	return cgrp->h != cgrp->h->core->dfl;
}

static int watch_all(struct core *core)
{
	unsigned int all = 0;

	for (unsigned int i = 0; i < core->n_subsys; i++)
		all |= core->watch[i];
	if (!core->ops->watch)
		return all ? -ENOTSUP : 0;
	return core->ops->watch(core->arg, all);
}

int cgroup_watch(struct cgroup_subsys *ss, unsigned int events)
{
	unsigned int old = ss->core->watch[ss->id];
	int err;

	if (events == old)
		return 0;
	ss->core->watch[ss->id] = events;
	err = watch_all(ss->core);
	if (!err)
		return 0;
	ss->core->watch[ss->id] = old;
	watch_all(ss->core);
	return err;
}

int task_affinity_begin(struct cgroup_subsys *ss, const struct cgroup_task *task,
			struct task_affinity *aff)
{
	const struct core_ops *ops = ss->core->ops;

	return ops->affinity_begin ? ops->affinity_begin(ss->core->arg, task->tid, aff) : -ENOTSUP;
}

int task_affinity_end(struct cgroup_subsys *ss, const struct cgroup_task *task,
		      const struct task_affinity *aff)
{
	const struct core_ops *ops = ss->core->ops;

	return ops->affinity_end ? ops->affinity_end(ss->core->arg, task->tid, aff) : -ENOTSUP;
}

int task_affinity_mark(struct cgroup_subsys *ss, const struct cgroup_task *task,
		       const struct task_affinity *asked)
{
	const struct core_ops *ops = ss->core->ops;

	return ops->affinity_mark ? ops->affinity_mark(ss->core->arg, task->tid, asked) : -ENOTSUP;
}

/* ---- file descriptors ------------------------------------------------------------------------- */

static void on_readable(void *arg, int fd)
{
	struct watched_fd *w = arg;
	struct cgroup_subsys *ss = w->ss;

	core_enter(ss->core);
	w->fn(ss, fd); /* which may end the watch */
	core_leave(ss->core);
	core_settle(ss->core);
}

static struct watched_fd *find_watched(struct core *core, int fd)
{
	struct watched_fd *w;

	LIST_FOREACH(w, &core->watched_fds, link)
		if (w->fd == fd)
			return w;
	return NULL;
}

static int unwatch(struct core *core, int fd)
{
	struct watched_fd *w = find_watched(core, fd);

	if (!w)
		return -ENOENT;
	core->ops->watch_fd(core->arg, fd, NULL, NULL);
	LIST_REMOVE(w, link);
	free(w);
	return 0;
}

int cgroup_watch_fd(struct cgroup_subsys *ss, int fd, void (*fn)(struct cgroup_subsys *ss, int fd))
{
	struct core *core = ss->core;
	struct watched_fd *w;
	int err;

	if (!fn)
		return unwatch(core, fd);
	if (!core->ops->watch_fd)
		return -ENOTSUP;
	if (find_watched(core, fd))
		return -EEXIST;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct watched_fd){.ss = ss, .fd = fd, .fn = fn};
	err = core->ops->watch_fd(core->arg, fd, on_readable, w);
	if (err) {
		free(w);
		return err;
	}
	LIST_INSERT_HEAD(&core->watched_fds, w, link);
	return 0;
}

void services_exit(struct core *core)
{
	while (!LIST_EMPTY(&core->watched_fds))
		unwatch(core, LIST_FIRST(&core->watched_fds)->fd);
	free(core->deferred);
}

/* ---- the log ---------------------------------------------------------------------------------- */

void cgroup_log(struct cgroup_subsys *ss, int priority, const char *fmt, ...)
{
	struct core *core = ss->core;
	va_list ap;

	if (!core->ops->log)
		return;
	va_start(ap, fmt);
	core->ops->log(core->arg, priority, fmt, ap);
	va_end(ap);
}
