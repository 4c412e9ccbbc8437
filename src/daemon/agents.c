// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Releases, delivered: a hierarchy's release agent is run, or the cgroup removed, and whoever
 * listens is told.
 *
 * Invariants:
 * - Delivery happens in a turn of the loop of its own, never inside the request that made a cgroup
 *   idle, so it holds up nobody who caused it.
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
#include <syslog.h>

#include "daemon.h"

#define BUILTIN_RMDIR "builtin:rmdir"
#define DELIVERIES_A_TURN 128 /* that start no process; then others have their turn */
#define RETRY_MS 100	      /* until a process can be made again */

/* One call of an agent. */
struct run {
	uv_process_t process;
	LIST_ENTRY(run) link;
	struct daemon *d;
	char *agent, *path, *label;
	uint64_t cgroup, parent; /* serials */
	uint32_t hierarchy;
};

struct agents {
	uv_async_t wake;
	uv_timer_t retry_timer;
	LIST_HEAD(, run) running;
	struct run *retry; /* could not be started for want of a process; goes first */
	struct agents_stats stats;
};

static void run_free(struct run *run)
{
	free(run->agent);
	free(run->path);
	free(run->label);
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

static void on_closed(uv_handle_t *handle)
{
	run_free((struct run *)handle->data);
}

static void on_exit_of(uv_process_t *process, int64_t status, int sig)
{
	struct run *run = process->data;
	struct agents *a = run->d->agents;

	if (sig)
		daemon_log(run->d, LOG_WARNING,
			   "release agent %s for %s of %s: killed by signal %d", run->agent,
			   run->path, run->label, sig);
	else if (status)
		daemon_log(run->d, LOG_WARNING, "release agent %s for %s of %s: exit status %d",
			   run->agent, run->path, run->label, (int)status);
	if (sig || status)
		a->stats.failed++;
	LIST_REMOVE(run, link);
	a->stats.running--;
	tell_end(run, sig ? 128 + sig : (int)status);
	uv_close((uv_handle_t *)process, on_closed);
	agents_wake(run->d);
}

/*
 * The agent gets exactly this: two arguments, three variables, "/", /dev/null three times, no
 * descriptor (ours are all close-on-exec), no blocked signal (libuv), and a session of its own so
 * that a signal to the daemon's terminal does not reach it.
 */
static int spawn(struct run *run)
{
	static char home[] = "HOME=/", path[] = "PATH=/sbin:/bin:/usr/sbin:/usr/bin", root[] = "/";
	char *argv[] = {run->agent, run->path, NULL};
	char *env[] = {home, path, NULL, NULL};
	uv_stdio_container_t null[3] = {
		{.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_IGNORE}};
	uv_process_options_t o = {
		.exit_cb = on_exit_of,
		.file = run->agent,
		.args = argv,
		.env = env,
		.cwd = root,
		.flags = UV_PROCESS_DETACHED,
		.stdio = null,
		.stdio_count = 3,
	};
	int rc;

	if (asprintf(&env[2], "UCGROUP_HIERARCHY=%s", run->label) < 0)
		return -ENOMEM;
	run->process.data = run;
	rc = uv_spawn(&run->d->loop, &run->process, &o);
	free(env[2]);
	return rc;
}

/* RUN is used up. 0: the next may follow; -EAGAIN: it will be tried again later. */
static int start(struct run *run)
{
	struct daemon *d = run->d;
	struct agents *a = d->agents;
	int rc;

	rc = spawn(run);
	if (!rc) {
		LIST_INSERT_HEAD(&a->running, run, link);
		a->stats.running++;
		a->stats.started++;
		return 0;
	}
	if (rc == -EAGAIN || rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE) {
		daemon_log(d, LOG_WARNING, "release agent %s for %s of %s: %s; trying again",
			   run->agent, run->path, run->label, uv_strerror(rc));
		/* libuv has the handle in its loop by now, and frees nothing: a new one is used. */
		a->retry = calloc(1, sizeof(*a->retry));
		if (a->retry) {
			*a->retry = *run;
			memset(&a->retry->process, 0, sizeof(a->retry->process));
			run->agent = run->path = run->label = NULL;
			uv_close((uv_handle_t *)&run->process, on_closed);
			return -EAGAIN;
		}
	}
	daemon_log(d, LOG_ERR, "cannot run release agent %s for %s of %s: %s", run->agent,
		   run->path, run->label, uv_strerror(rc));
	a->stats.failed++;
	tell_end(run, rc);
	uv_close((uv_handle_t *)&run->process, on_closed);
	return 0;
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
	run->hierarchy = hierarchy_id(h);
	run->cgroup = cgroup_serial(cgrp);
	run->parent = cgroup_parent(cgrp) ? cgroup_serial(cgroup_parent(cgrp)) : run->cgroup;
	if (run->agent && run->label)
		return run;
	run->path = NULL;
	run_free(run);
	return NULL;
}

/* 1: a process was started; 0: none was needed; -EAGAIN: wait before the next one. */
static int deliver(struct daemon *d, struct hierarchy *h, struct cgroup *cgrp)
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
		return 0;
	}
	d->agents->stats.delivered++;
	watch_tell(d, &ev, cgrp);
	if (!*agent || !strcmp(agent, BUILTIN_RMDIR)) {
		if (*agent)
			remove_cgroup(d, cgrp, path, hierarchy_label(h));
		free(path);
		return 0;
	}
	run = run_new(d, h, cgrp, path);
	if (!run) {
		daemon_log(d, LOG_CRIT, "out of memory: %s was not told of %s", agent, path);
		free(path);
		return 0;
	}
	return start(run) ? -EAGAIN : 1;
}

static bool needs_process(const struct hierarchy *h)
{
	const char *agent = hierarchy_release_agent(h);

	return *agent && strcmp(agent, BUILTIN_RMDIR) != 0;
}

/* Deliver what H may in this turn. true: there is more that could be delivered at once. */
static bool deliver_some(struct daemon *d, struct hierarchy *h)
{
	struct agents *a = d->agents;
	struct cgroup *cgrp;
	int i;

	for (i = 0; i < DELIVERIES_A_TURN; i++) {
		if (needs_process(h) && (a->retry || a->stats.running >= AGENTS_MAX))
			return false;
		cgrp = core_release_next(h);
		if (!cgrp)
			return false;
		/* Making a process takes a millisecond: others have their turn before the next. */
		if (deliver(d, h, cgrp))
			break;
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

static void on_wake(uv_async_t *wake)
{
	struct daemon *d = wake->data;
	struct hierarchy *h, *next;
	bool more = false;

	/* A removal never dissolves a hierarchy (only an unmount does), so NEXT stays good. */
	for (h = core_hierarchy_next(d->core, NULL); h; h = next) {
		next = core_hierarchy_next(d->core, h);
		if (core_releases_pending(h))
			more |= deliver_some(d, h);
	}
	if (more)
		agents_wake(d);
	if (d->agents->retry && !uv_is_active((uv_handle_t *)&d->agents->retry_timer))
		uv_timer_start(&d->agents->retry_timer, on_retry, RETRY_MS, 0);
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
		uv_async_send(&d->agents->wake);
}

void agents_get_stats(const struct daemon *d, struct agents_stats *stats)
{
	*stats = d->agents->stats;
}

void agents_stop(struct daemon *d)
{
	struct agents *a = d->agents;
	struct run *run;

	if (!a)
		return;
	while ((run = LIST_FIRST(&a->running))) {
		LIST_REMOVE(run, link);
		uv_close((uv_handle_t *)&run->process, on_closed);
	}
	if (a->retry)
		run_free(a->retry);
	uv_close((uv_handle_t *)&a->retry_timer, NULL);
	uv_close((uv_handle_t *)&a->wake, NULL);
}

void agents_free(struct daemon *d)
{
	free(d->agents);
	d->agents = NULL;
}
