// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_tracker.c - the daemon's side of the BPF tracker: reading the log. Loading is in bpf_load.c, asking in
 * bpf_ask.c.
 *
 * The kernel's side, bpf_tracker.bpf.c, explains what is true there. Here the one rule is that a
 * replay reads the log as far as it went when the replay began, waiting for those who have reserved
 * a slot and not yet filled it.
 */
#include <errno.h>
#include <sys/epoll.h>

#include <bpf/libbpf.h>

#include <tracker/bpf_tracker.h>

#define MANY_BYTES (64 * RING_RECORD(sizeof(struct event)))

/* ---- the log ----------------------------------------------------------------------------------- */

static void fold(struct core *core, const struct event *e)
{
	pid_t tid = (pid_t)(e->tid_type & ((1u << EVENT_TYPE_SHIFT) - 1));

	switch (e->tid_type >> EVENT_TYPE_SHIFT) {
	case EVENT_BORN:
		core_task_born(core, tid, (pid_t)e->tgid, e->a);
		break;
	case EVENT_MOVED:
		core_task_moved(core, tid, (pid_t)e->tgid, e->a, e->b);
		break;
	case EVENT_DIED:
		core_task_dying(core, e->tgid | (uint64_t)e->b << 32);
		core_task_died(core, tid, e->a);
		break;
	case EVENT_RETID:
		core_task_retid(core, tid, (pid_t)e->tgid, e->a);
		break;
	default:
		break;
	}
}

/*
 * The log is read at such distances as if all its records were events, in the order of the ring; where
 * one is not, or is not there yet, what is named is nobody or somebody else, which does no harm.
 */
static void hint(const struct tracker *t, const void *record)
{
	for (unsigned int step = 0; step < CORE_HINTS; step++) {
		const volatile struct event *e =
			(const void *)((const uint8_t *)record +
				       CORE_HINT_AHEAD(step) * RING_RECORD(sizeof(struct event)));

		core_task_hint(t->core, step, (pid_t)(e->tid_type & (TRACKER_MAX_TID - 1)), e->a);
	}
}

static void take_record(void *arg, const void *record, uint32_t size)
{
	struct tracker *t = arg;

	if (t->many)
		hint(t, record);
	if (size == sizeof(struct cputime_entry))
		bpf_tell_cputime(t->core, record);
	else
		fold(t->core, record);
}

/* Folds the log up to END. */
static void consume(struct tracker *t, unsigned long end)
{
	t->many = end - *t->log.consumer > MANY_BYTES;
	ring_consume(&t->log, end, take_record, t);
}

struct initial_arg {
	void (*fn)(void *arg, pid_t tid, pid_t tgid);
	void *arg;
};

static void walk_initial(void *arg, const struct walk_entry *entry)
{
	struct initial_arg *a = arg;

	a->fn(a->arg, (pid_t)entry->tid, (pid_t)entry->tgid);
}

static int bpf_each_initial(struct tracker *t, void (*fn)(void *arg, pid_t tid, pid_t tgid),
			    void *arg)
{
	struct initial_arg a = {.fn = fn, .arg = arg};

	return bpf_walk(t, WALK_INITIAL, walk_initial, &a);
}

/* ---- replay ----------------------------------------------------------------------------------- */

/* Every place outside the initial css_set, as it is at the moment it is read. */
static void read_places(struct tracker *t)
{
	uint32_t end = __atomic_load_n(&t->skel->bss->max_tid, __ATOMIC_ACQUIRE);

	for (uint32_t tid = 1; tid <= end; tid++) {
		uint64_t place = __atomic_load_n(&t->places[tid], __ATOMIC_ACQUIRE);

		if (PLACE_ID(place) > PLACE_INITIAL)
			core_rebuild_task(t->core, (pid_t)tid, (pid_t)PLACE_TGID(place),
					  PLACE_ID(place));
	}
}

/*
 * Invariant 6. What was logged before the loss is folded first, the kernel's truth is laid over it,
 * and what was logged meanwhile is folded on top: it may repeat what the table has said, but a
 * task's last event is right. If more was lost meanwhile, it is done again.
 */
static void rebuild(struct tracker *t)
{
	do {
		__atomic_store_n(&t->skel->bss->lost, 0, __ATOMIC_SEQ_CST);
		t->rebuilds++;
		core_events_lost(t->core);
		consume(t, ring_end(&t->log));
		core_rebuild_begin(t->core);
		read_places(t);
		consume(t, ring_end(&t->log));
		core_rebuild_end(t->core);
	} while (__atomic_load_n(&t->skel->bss->lost, __ATOMIC_SEQ_CST));
}

static void bpf_replay(struct tracker *t)
{
	unsigned long end;

	/* Both before the end of the log is read: who rings or wakes later is read later. */
	ring_silence(&t->bell);
	__atomic_store_n(&t->skel->bss->wake_pending, 0, __ATOMIC_SEQ_CST);
	/* Before it, too: who is among the dying has logged its exit, and it is told of after that. */
	if (__atomic_load_n(&t->skel->bss->n_dying, __ATOMIC_RELAXED) >= TRACKER_MAX_DYING / 2)
		bpf_reap(t);
	end = ring_end(&t->log);
	if (t->watch)
		watch_drain(t->watch, t->core);
	/*
	 * After it: an event that would make no sense without a lost one was logged after `lost`
	 * was set, so the part of the log that may hold it is not folded as if all were well.
	 */
	if (__atomic_load_n(&t->skel->bss->lost, __ATOMIC_SEQ_CST)) {
		rebuild(t);
	} else {
		consume(t, end);
	}
	bpf_tell_reaped(t);
}

/*
 * A forced wake-up is forgotten when a replay empties the log before the daemon sleeps, and with it
 * the hook that has seen wake_pending set and relied on it. So the flag is cleared for the last
 * time here, and the log looked at after that.
 */
static bool bpf_may_sleep(struct tracker *t)
{
	__atomic_store_n(&t->skel->bss->wake_pending, 0, __ATOMIC_SEQ_CST);
	return ring_is_empty(&t->log) && ring_is_empty(&t->bell) &&
	       !__atomic_load_n(&t->skel->bss->lost, __ATOMIC_SEQ_CST) &&
	       !(t->watch && watch_has_more(t->watch));
}

static void bpf_want_events(struct tracker *t, bool fork, bool exit)
{
	t->skel->bss->want_fork = fork;
	t->skel->bss->want_exit = exit;
}

static void bpf_want_cputime(struct tracker *t, bool want)
{
	t->skel->bss->want_cputime = want;
}

/* ---- watching --------------------------------------------------------------------------------- */

static int bpf_watch_events(struct tracker *t, unsigned int events)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int err;

	if (!t->watch) {
		if (!events)
			return 0;
		err = watch_new(bpf_map__fd(t->skel->maps.ucg_places), &t->watch);
		if (err)
			return err;
		if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, watch_fd(t->watch), &ev)) {
			err = -errno;
			watch_free(t->watch);
			t->watch = NULL;
			return err;
		}
	}
	return watch_want(t->watch, events);
}

static int bpf_affinity_begin(struct tracker *t, pid_t tid, struct task_affinity *aff)
{
	return t->watch ? watch_affinity_begin(t->watch, tid, aff) : -ENOTSUP;
}

static int bpf_affinity_end(struct tracker *t, pid_t tid, const struct task_affinity *aff)
{
	return t->watch ? watch_affinity_end(t->watch, tid, aff) : -ENOTSUP;
}

static int bpf_affinity_mark(struct tracker *t, pid_t tid, const struct task_affinity *asked)
{
	return t->watch ? watch_affinity_mark(t->watch, tid, asked) : -ENOTSUP;
}

static void bpf_namespaces_done(struct tracker *t, pid_t tid, uint64_t token)
{
	if (t->watch)
		watch_namespaces_done(t->watch, tid, token);
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static uint32_t bpf_pid_ns(struct tracker *t, pid_t task)
{
	if (task <= 0 || task >= TRACKER_MAX_TID)
		return 0;
	return numbers_pid_ns(t->numbers, task,
			      __atomic_load_n(&t->places[task], __ATOMIC_RELAXED));
}

static int bpf_to_ns(struct tracker *t, pid_t reader, pid_t *tids, size_t n)
{
	return numbers_to_ns(t->numbers, reader, tids, n);
}

static pid_t bpf_from_ns(struct tracker *t, pid_t writer, pid_t nr)
{
	return numbers_from_ns(t->numbers, writer, nr);
}

static void bpf_stats(struct tracker *t, struct tracker_stats *stats)
{
	stats->lost = __atomic_load_n(&t->skel->bss->n_lost, __ATOMIC_RELAXED);
	stats->rebuilds = t->rebuilds;
	stats->ring_used = ring_end(&t->log) - *t->log.consumer;
	stats->wakeups = __atomic_load_n(&t->skel->bss->n_woken, __ATOMIC_RELAXED);
}

/* ---- the tracker ----------------------------------------------------------------------------- */

static int bpf_fd(struct tracker *t)
{
	return t->epoll_fd;
}

static void bpf_set_core(struct tracker *t, struct core *core)
{
	t->core = core;
}

const struct tracker_ops bpf_tracker = {
	.name = "bpf",
	.probe = bpf_probe,
	.start = bpf_start,
	.stop = bpf_stop,
	.fd = bpf_fd,
	.set_core = bpf_set_core,
	.replay = bpf_replay,
	.may_sleep = bpf_may_sleep,
	.cset_count = bpf_cset_count,
	.task_info = bpf_task_info,
	.task_place = bpf_task_place,
	.move = bpf_move,
	.threads = bpf_threads,
	.finish_exec = bpf_finish_exec,
	.each_initial = bpf_each_initial,
	.want_events = bpf_want_events,
	.cputimes = bpf_cputimes,
	.reap = bpf_reap,
	.want_cputime = bpf_want_cputime,
	.watch = bpf_watch_events,
	.affinity_begin = bpf_affinity_begin,
	.affinity_end = bpf_affinity_end,
	.affinity_mark = bpf_affinity_mark,
	.namespaces_done = bpf_namespaces_done,
	.pid_ns = bpf_pid_ns,
	.to_ns = bpf_to_ns,
	.from_ns = bpf_from_ns,
	.stats = bpf_stats,
};
