// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Releases, delivered: a hierarchy's release agent is run, or the cgroup removed, and whoever
 * listens is told.
 *
 * Invariants:
 * - Delivery happens between the turns of the loop, never inside the request that made a cgroup idle,
 *   so it holds up nobody who caused it.
 * - Each hierarchy's releases are delivered in the order in which they fell due. A release that has
 *   to wait, for a free place among the running agents or because no process could be made, holds
 *   back those behind it in its hierarchy and no others.
 * - core_release_next() looks at a cgroup again as the last thing before it is delivered.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <syslog.h>

#include "daemon.h"

#define BUILTIN_RMDIR "builtin:rmdir"
#define DELIVERIES_A_TURN 128 /* then others have their turn */
#define RETRY_MS 100	      /* until a process can be made again */
#define FRESH_MS 5	      /* most agents have done their work by then */

/* One call of an agent. */
struct run {
	LIST_ENTRY(run) link;
	struct daemon *d;
	struct program program;
	char *agent, *path, *label, *env;
	uint64_t cgroup, parent; /* serials */
	uint64_t started_ms;	 /* of the loop's clock */
};

struct agents {
	uv_async_t wake;
	bool due;
	uv_timer_t retry_timer;
	LIST_HEAD(, run) running; /* newest first */
	struct run *retry;	  /* could not be started for want of a process; goes first */
	struct agents_stats stats;
};

static void run_free(struct run *run)
{
	free(run->agent);
	free(run->path);
	free(run->label);
	free(run->env);
	free(run);
}

static char *path_of(const struct cgroup *cgrp)
{
	size_t size = 256;
	char *buf = NULL, *bigger;
	int rc;

	do {
		bigger = realloc(buf, size);
		if (!bigger)
			break;
		buf = bigger;
		rc = cgroup_path(cgrp, buf, size);
		if (rc >= 0)
			return buf;
		size *= 2;
	} while (rc == -ENAMETOOLONG);
	free(buf);
	return NULL;
}

/* ---- running programs ------------------------------------------------------------------------- */

static void tell_end(const struct run *run, int status)
{
	struct daemon *d = run->d;
	struct cgroup *cgrp;
	struct wire_event ev = {
		.type = WIRE_EVENT_AGENT,
		.time_ns = daemon_core_ops.now(d),
		.status = status,
		.hierarchy = run->label,
		.path = run->path,
		.agent = run->agent,
	};

	/* Most agents remove the cgroup: then whoever listens to its parent hears of it. */
	cgrp = core_cgroup_by_serial(d->core, run->cgroup);
	if (!cgrp)
		cgrp = core_cgroup_by_serial(d->core, run->parent);
	watch_tell(d, &ev, cgrp);
}

static void finish(struct run *run)
{
	struct daemon *d = run->d;

	LIST_REMOVE(run, link);
	d->agents->stats.running--;
	run_free(run);
	agents_wake(d);
}

static void ended(struct run *run, int status)
{
	int told = status;

	if (WIFSIGNALED(status)) {
		told = 128 + WTERMSIG(status);
		daemon_log(run->d, LOG_WARNING,
			   "release agent %s for %s of %s: killed by signal %d", run->agent,
			   run->path, run->label, WTERMSIG(status));
	} else {
		told = WEXITSTATUS(status);
		if (told)
			daemon_log(run->d, LOG_WARNING,
				   "release agent %s for %s of %s: exit status %d", run->agent,
				   run->path, run->label, told);
	}
	if (told)
		run->d->agents->stats.failed++;
	tell_end(run, told);
	finish(run);
}

static bool may_pass(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

static void not_started(struct run *run, int error)
{
	struct agents *a = run->d->agents;

	if (may_pass(error) && !a->retry && !run->d->stopping) {
		daemon_log(run->d, LOG_WARNING, "release agent %s for %s of %s: %s; trying again",
			   run->agent, run->path, run->label, strerror(-error));
		LIST_REMOVE(run, link);
		a->stats.running--;
		a->retry = run;
		agents_wake(run->d);
		return;
	}
	daemon_log(run->d, LOG_ERR, "cannot run release agent %s for %s of %s: %s", run->agent,
		   run->path, run->label, strerror(-error));
	a->stats.failed++;
	tell_end(run, error);
	finish(run);
}

static void on_end(struct program *program, int error, int status)
{
	struct run *run = program->data;

	if (!error) {
		ended(run, status);
		return;
	}
	run->d->agents->stats.started--;
	not_started(run, error);
}

/* The agent gets two arguments and three variables; program_start() sees to the rest. */
static void start(struct run *run)
{
	static char home[] = "HOME=/", path[] = "PATH=/sbin:/bin:/usr/sbin:/usr/bin";
	struct agents *a = run->d->agents;
	int rc;

	run->program = (struct program){
		.argv = {run->agent, run->path, NULL},
		.env = {home, path, run->env, NULL},
		.on_end = on_end,
		.data = run,
	};
	run->started_ms = uv_now(&run->d->loop);
	LIST_INSERT_HEAD(&a->running, run, link);
	a->stats.running++;
	rc = program_start(run->d, &run->program);
	if (rc)
		not_started(run, rc);
	else
		a->stats.started++;
}

/* ---- delivery --------------------------------------------------------------------------------- */

static void remove_cgroup(struct daemon *d, struct cgroup *cgrp, const char *path,
			  const char *label)
{
	int rc = cgroup_rmdir(cgrp);

	if (rc) {
		daemon_log(d, LOG_WARNING, "cannot remove %s of %s on its release: %s", path, label,
			   strerror(-rc));
		d->agents->stats.failed++;
	} else {
		d->agents->stats.removed++;
	}
}

static struct run *run_new(struct daemon *d, struct hierarchy *h, struct cgroup *cgrp, char *path)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->d = d;
	run->path = path;
	run->agent = strdup(hierarchy_release_agent(h));
	run->label = strdup(hierarchy_label(h));
	if (asprintf(&run->env, "UCGROUP_HIERARCHY=%s", hierarchy_label(h)) < 0)
		run->env = NULL;
	run->cgroup = cgroup_serial(cgrp);
	run->parent = cgroup_parent(cgrp) ? cgroup_serial(cgroup_parent(cgrp)) : run->cgroup;
	if (run->agent && run->label && run->env)
		return run;
	run->path = NULL;
	run_free(run);
	return NULL;
}

static void deliver(struct daemon *d, struct hierarchy *h, struct cgroup *cgrp)
{
	const char *agent = hierarchy_release_agent(h);
	char *path = path_of(cgrp);
	struct wire_event ev = {
		.type = WIRE_EVENT_RELEASE,
		.time_ns = daemon_core_ops.now(d),
		.hierarchy = hierarchy_label(h),
		.path = path,
		.agent = agent,
	};
	struct run *run;

	if (!path) {
		daemon_log(d, LOG_CRIT, "out of memory: a release of %s went undelivered",
			   hierarchy_label(h));
		return;
	}
	d->agents->stats.delivered++;
	watch_tell(d, &ev, cgrp);
	if (*agent && strcmp(agent, BUILTIN_RMDIR) != 0) {
		run = run_new(d, h, cgrp, path);
		if (run) {
			start(run);
			return;
		}
		daemon_log(d, LOG_CRIT, "out of memory: %s was not told of %s", agent, path);
	} else if (*agent) {
		remove_cgroup(d, cgrp, path, hierarchy_label(h));
	}
	free(path);
}

static bool needs_process(const struct hierarchy *h)
{
	const char *agent = hierarchy_release_agent(h);

	return *agent && strcmp(agent, BUILTIN_RMDIR) != 0;
}

/* May a program be started now? Their processes are made in the order of the releases. */
static bool may_start(const struct daemon *d)
{
	const struct agents *a = d->agents;

	return !a->retry && a->stats.running < AGENTS_MAX;
}

bool agents_are_fresh(const struct daemon *d)
{
	const struct run *newest = LIST_FIRST(&d->agents->running);

	return newest && uv_now(&d->loop) - newest->started_ms < FRESH_MS;
}

/* Deliver what H may in this turn. true: there is more that could be delivered at once. */
static bool deliver_some(struct daemon *d, struct hierarchy *h)
{
	struct cgroup *cgrp;
	int i;

	for (i = 0; i < DELIVERIES_A_TURN; i++) {
		if (needs_process(h) && !may_start(d))
			return false;
		cgrp = core_release_next(h);
		if (!cgrp)
			return false;
		deliver(d, h, cgrp);
	}
	return core_releases_pending(h) > 0;
}

static void on_retry(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	struct run *run = d->agents->retry;
	struct cgroup *cgrp;

	if (!run)
		return;
	d->agents->retry = NULL;
	cgrp = core_cgroup_by_serial(d->core, run->cgroup);
	/* In use again, or gone: its next release is the one to tell. */
	if (!cgrp || !cgroup_is_idle(cgrp))
		run_free(run);
	else
		start(run);
	agents_wake(d);
}

void agents_look(struct daemon *d)
{
	struct agents *a = d->agents;
	struct hierarchy *h, *next;
	bool more = false;

	if (!a->due || d->stopping)
		return;
	a->due = false;
	/* Nothing here dissolves a hierarchy, so NEXT stays good. */
	for (h = core_hierarchy_next(d->core, NULL); h; h = next) {
		next = core_hierarchy_next(d->core, h);
		if (core_releases_pending(h))
			more |= deliver_some(d, h);
	}
	/* Others have their turn first. */
	if (more)
		uv_async_send(&a->wake);
	if (a->retry && !uv_is_active((uv_handle_t *)&a->retry_timer))
		uv_timer_start(&a->retry_timer, on_retry, RETRY_MS, 0);
}

static void on_wake(uv_async_t *wake)
{
	agents_wake(wake->data);
}

/* ---- start and end ---------------------------------------------------------------------------- */

int agents_start(struct daemon *d)
{
	struct agents *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	LIST_INIT(&a->running);
	d->agents = a;
	uv_async_init(&d->loop, &a->wake, on_wake);
	uv_timer_init(&d->loop, &a->retry_timer);
	a->wake.data = d;
	a->retry_timer.data = d;
	return 0;
}

void agents_wake(struct daemon *d)
{
	if (d->agents && !d->stopping)
		d->agents->due = true;
}

bool agents_are_due(const struct daemon *d)
{
	return d->agents->due && !d->stopping;
}

void agents_get_stats(const struct daemon *d, struct agents_stats *stats)
{
	*stats = d->agents->stats;
}

void agents_stop(struct daemon *d)
{
	struct agents *a = d->agents;
	struct run *run, *next;

	if (!a)
		return;
	for (run = LIST_FIRST(&a->running); run; run = next) {
		next = LIST_NEXT(run, link);
		LIST_REMOVE(run, link);
		if (program_forget(&run->program))
			run_free(run);
	}
	if (a->retry)
		run_free(a->retry);
	a->retry = NULL;
	uv_close((uv_handle_t *)&a->retry_timer, NULL);
	uv_close((uv_handle_t *)&a->wake, NULL);
}

void agents_free(struct daemon *d)
{
	free(d->agents);
	d->agents = NULL;
}
