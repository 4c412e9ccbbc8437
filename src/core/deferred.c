// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * deferred.c - what a replay told that subsystems answer with deeds: moves, new cgroups, affinities.
 *
 * A replay is the fold over the log and nothing else, so what subsystems do about it waits for its
 * end; and for the end of whatever else is half done: core->busy counts the operations under way
 * that call subsystems. Every operation from outside begins with core_enter(), which settles, so
 * what was told before it is dealt with before it.
 */
#include <core/internal.h>

void core_enter(struct core *core)
{
	if (!core->busy)
		core_settle(core);
	core->busy++;
}

void core_leave(struct core *core)
{
	core->busy--;
}

static struct deferred *defer(struct core *core)
{
	if (core->n_deferred == core->cap_deferred) {
		size_t cap = core->cap_deferred ? core->cap_deferred * 2 : 64;
		struct deferred *v = realloc(core->deferred, cap * sizeof(*v));

		if (!v)
			return NULL;
		core->deferred = v;
		core->cap_deferred = cap;
	}
	return &core->deferred[core->n_deferred++];
}

void core_affinity_changed(struct core *core, pid_t tid, enum cgroup_affinity_why why)
{
	struct deferred *d = tid ? defer(core) : NULL;

	if (d)
		*d = (struct deferred){.tid = tid, .why = why};
	else
		core->lost_affinity = true;
}

void core_namespaces_changed(struct core *core, pid_t tid, pid_t origin, uint64_t token)
{
	struct deferred *d = tid ? defer(core) : NULL;

	if (d)
		*d = (struct deferred){
			.namespaces = true, .tid = tid, .origin = origin, .token = token};
	else
		core->lost_namespaces = true;
}

static bool find_task(struct core *core, pid_t tid, struct cgroup_task *task)
{
	const struct task *t = core_task(core, tid);
	struct core_task_info info;

	*task = (struct cgroup_task){.tid = tid};
	if (t)
		task->tgid = (pid_t)t->tgid;
	else if (!core->ops->task_info(core->arg, tid, &info))
		task->tgid = info.tgid;
	return task->tgid != 0;
}

static void tell_affinity(struct core *core, const struct cgroup_task *task,
			  enum cgroup_affinity_why why)
{
	for (unsigned int i = 0; i < core->n_subsys; i++)
		if (core->subsys[i]->affinity && core->watch[i] & CGROUP_WATCH_AFFINITY)
			core->subsys[i]->affinity(core->subsys[i], task, why);
}

static void tell_namespaces(struct core *core, const struct cgroup_task *task, pid_t origin)
{
	for (unsigned int i = 0; i < core->n_subsys; i++)
		if (core->subsys[i]->namespaces && core->watch[i] & CGROUP_WATCH_NAMESPACES)
			core->subsys[i]->namespaces(core->subsys[i], task, origin);
}

/* Whoever was in the way of the event when it was told of is dealt with as things are now. */
static void tell(struct core *core, const struct deferred *d)
{
	struct cgroup_task task;

	core_settle(core);
	if (!find_task(core, d->tid, &task))
		return;
	if (!d->namespaces) {
		tell_affinity(core, &task, d->why);
		return;
	}
	tell_namespaces(core, &task, d->origin);
	if (core->ops->namespaces_done)
		core->ops->namespaces_done(core->arg, d->tid, d->token);
}

/*
 * What there is now. What comes meanwhile has to wait for the next time, which is asked for: a task
 * that goes on and on must not keep everybody else waiting.
 */
void core_run_deferred(struct core *core)
{
	size_t n = core->n_deferred;
	bool affinity = core->lost_affinity, namespaces = core->lost_namespaces;

	core->lost_affinity = core->lost_namespaces = false;
	core->busy++;
	for (size_t i = 0; i < n; i++) {
		struct deferred d = core->deferred[i];

		tell(core, &d);
	}
	if (affinity)
		tell_affinity(core, NULL, CGROUP_AFFINITY_GIVEN_BY_OTHER);
	if (namespaces)
		tell_namespaces(core, NULL, 0);
	core->busy--;
	core->n_deferred -= n;
	if (n) /* there may be no list yet */
		memmove(core->deferred, core->deferred + n,
			core->n_deferred * sizeof(*core->deferred));
	if ((core->n_deferred || core->lost_affinity || core->lost_namespaces) && core->ops->kick)
		core->ops->kick(core->arg);
}
