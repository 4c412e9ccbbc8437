// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the core asks of the world, answered: by the tracker for everything about tasks, by the
 * file system for what it cached, by the loop for what has to happen later.
 */
#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"

static void op_replay(void *arg)
{
	struct daemon *d = arg;

	d->tracker_ops->replay(d->tracker);
}

static uint64_t op_cset_count(void *arg, uint32_t cset)
{
	struct daemon *d = arg;

	return d->tracker_ops->cset_count(d->tracker, cset);
}

static int op_task_info(void *arg, pid_t tid, struct core_task_info *info)
{
	struct daemon *d = arg;

	return d->tracker_ops->task_info(d->tracker, tid, info);
}

static bool op_task_place(void *arg, pid_t tid, struct core_place *place, pid_t *tgid)
{
	struct daemon *d = arg;

	return d->tracker_ops->task_place &&
	       d->tracker_ops->task_place(d->tracker, tid, place, tgid);
}

static void op_move(void *arg, struct core_move *moves, size_t n)
{
	struct daemon *d = arg;

	d->tracker_ops->move(d->tracker, moves, n);
}

static int op_threads(void *arg, struct core_process process, struct core_thread **threads,
		      size_t *n)
{
	struct daemon *d = arg;

	return d->tracker_ops->threads(d->tracker, process, threads, n);
}

static void op_finish_exec(void *arg, pid_t tid)
{
	struct daemon *d = arg;

	if (d->tracker_ops->finish_exec)
		d->tracker_ops->finish_exec(d->tracker, tid);
}

static int op_each_initial(void *arg, void (*fn)(void *fn_arg, pid_t tid, pid_t tgid), void *fn_arg)
{
	struct daemon *d = arg;

	return d->tracker_ops->each_initial(d->tracker, fn, fn_arg);
}

static uint32_t op_pid_ns(void *arg, pid_t task)
{
	struct daemon *d = arg;

	return d->tracker_ops->pid_ns ? d->tracker_ops->pid_ns(d->tracker, task) : 0;
}

static int op_to_ns(void *arg, pid_t reader, pid_t *tids, size_t n)
{
	struct daemon *d = arg;

	return d->tracker_ops->to_ns(d->tracker, reader, tids, n);
}

static pid_t op_from_ns(void *arg, pid_t writer, pid_t nr)
{
	struct daemon *d = arg;

	return d->tracker_ops->from_ns(d->tracker, writer, nr);
}

/* What is waited for takes microseconds on another CPU, but needs this one if that is where it is. */
static void op_pause(void *arg)
{
	(void)arg;
	sched_yield();
	usleep(20);
}

static uint64_t op_now(void *arg)
{
	struct timespec ts;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* From any thread: uv_async_send() is the one call of libuv that may be. */
static void op_kick(void *arg)
{
	struct daemon *d = arg;

	if (__atomic_load_n(&d->loop_ready, __ATOMIC_SEQ_CST))
		uv_async_send(&d->kick);
}

static void op_release_ready(void *arg, struct hierarchy *h)
{
	(void)h;
	agents_wake(arg);
}

static void op_want_events(void *arg, bool fork, bool exit)
{
	struct daemon *d = arg;

	d->tracker_ops->want_events(d->tracker, fork, exit);
}

static int op_cputimes(void *arg, const pid_t *tids, size_t n, struct cgroup_cputime *times)
{
	struct daemon *d = arg;

	if (!d->tracker_ops->cputimes)
		return -ENOTSUP;
	return d->tracker_ops->cputimes(d->tracker, tids, n, times);
}

static void op_reap(void *arg)
{
	struct daemon *d = arg;

	if (d->tracker_ops->reap)
		d->tracker_ops->reap(d->tracker);
}

static void op_want_cputime(void *arg, bool want)
{
	struct daemon *d = arg;

	if (d->tracker_ops->want_cputime)
		d->tracker_ops->want_cputime(d->tracker, want);
}

static void on_tick(uv_timer_t *timer)
{
	struct cgroup_subsys *ss = timer->data;

	ss->tick(ss);
}

static void op_want_tick(void *arg, struct cgroup_subsys *ss, bool want)
{
	struct daemon *d = arg;
	uv_timer_t *timer = &d->ticks[ss->id];

	if (!d->loop_ready)
		return;
	if (!timer->data)
		uv_timer_init(&d->loop, timer);
	timer->data = ss;
	if (want)
		uv_timer_start(timer, on_tick, ss->tick_ms, ss->tick_ms);
	else
		uv_timer_stop(timer);
}

static int op_watch(void *arg, unsigned int events)
{
	struct daemon *d = arg;

	if (!d->tracker_ops->watch)
		return events ? -ENOTSUP : 0;
	return d->tracker_ops->watch(d->tracker, events);
}

static int op_affinity_begin(void *arg, pid_t tid, struct task_affinity *aff)
{
	struct daemon *d = arg;

	if (!d->tracker_ops->affinity_begin)
		return -ENOTSUP;
	return d->tracker_ops->affinity_begin(d->tracker, tid, aff);
}

static int op_affinity_end(void *arg, pid_t tid, const struct task_affinity *aff)
{
	struct daemon *d = arg;

	if (!d->tracker_ops->affinity_end)
		return -ENOTSUP;
	return d->tracker_ops->affinity_end(d->tracker, tid, aff);
}

static int op_affinity_mark(void *arg, pid_t tid, const struct task_affinity *asked)
{
	struct daemon *d = arg;

	if (!d->tracker_ops->affinity_mark)
		return -ENOTSUP;
	return d->tracker_ops->affinity_mark(d->tracker, tid, asked);
}

static void op_namespaces_done(void *arg, pid_t tid, uint64_t token)
{
	struct daemon *d = arg;

	if (d->tracker_ops->namespaces_done)
		d->tracker_ops->namespaces_done(d->tracker, tid, token);
}

static int op_watch_fd(void *arg, int fd, void (*fn)(void *fn_arg, int fd), void *fn_arg)
{
	return fds_watch(arg, fd, fn, fn_arg);
}

static void op_tree_changed(void *arg, struct cgroup *cgrp)
{
	struct daemon *d = arg;

	fs_tree_changed(d->fs, cgrp);
}

static void op_log(void *arg, int priority, const char *fmt, va_list ap)
{
	daemon_vlog(arg, priority, fmt, ap);
}

const struct core_ops daemon_core_ops = {
	.replay = op_replay,
	.cset_count = op_cset_count,
	.task_info = op_task_info,
	.task_place = op_task_place,
	.move = op_move,
	.threads = op_threads,
	.finish_exec = op_finish_exec,
	.each_initial = op_each_initial,
	.pid_ns = op_pid_ns,
	.to_ns = op_to_ns,
	.from_ns = op_from_ns,
	.pause = op_pause,
	.now = op_now,
	.kick = op_kick,
	.release_ready = op_release_ready,
	.want_events = op_want_events,
	.cputimes = op_cputimes,
	.reap = op_reap,
	.want_cputime = op_want_cputime,
	.want_tick = op_want_tick,
	.watch = op_watch,
	.affinity_begin = op_affinity_begin,
	.affinity_end = op_affinity_end,
	.affinity_mark = op_affinity_mark,
	.namespaces_done = op_namespaces_done,
	.watch_fd = op_watch_fd,
	.tree_changed = op_tree_changed,
	.log = op_log,
};
