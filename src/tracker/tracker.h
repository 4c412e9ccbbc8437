/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracker.h - what learns of fork, exec and exit from the kernel, and moves tasks between css_sets.
 *
 * A tracker is the truth of membership: struct core_ops' replay, cset_count, task_info, move,
 * threads, finish_exec, each_initial and want_events are answered by one. All of it runs on the
 * daemon's loop.
 */
#ifndef UCGROUP_TRACKER_H
#define UCGROUP_TRACKER_H

#include <core/core.h>

struct tracker;

struct tracker_opts {
	uint32_t max_csets; /* 0: the default, 1 Mi */
	/* 0: the default; a power of two, at least a page. Small ones are for tests. */
	uint32_t ring_bytes;
	uint32_t fail_every; /* 0: never; N: every Nth log entry is lost on purpose (tests) */
	uint32_t unborn;     /* 0: never; N: who is looked at is unborn but one time in N (tests) */
};

struct tracker_stats {
	uint64_t lost;	    /* log entries that found no room */
	uint64_t rebuilds;  /* passes over all tasks because of that */
	uint64_t ring_used; /* bytes waiting in the log now */
	uint64_t wakeups;   /* times the daemon was woken by a hook */
};

struct tracker_ops {
	const char *name; /* "bpf", "connector" */
	/*
	 * 0 when this machine can; else -ENOTSUP, -EPERM … and *why (to be freed), in words, what is
	 * missing. Does not leave anything loaded.
	 */
	int (*probe)(char **why);
	/* Start to track. Messages go to LOG_FN (syslog priorities). -errno and *why as above. */
	int (*start)(const struct tracker_opts *opts, struct tracker **t, char **why);
	/* Leaves nothing in the kernel. */
	void (*stop)(struct tracker *t);
	/* Readable when the log should be replayed soon. Owned by the tracker. */
	int (*fd)(struct tracker *t);
	/* The fold's target; before the first replay. */
	void (*set_core)(struct tracker *t, struct core *core);

	void (*replay)(struct tracker *t);
	/*
	 * Before the loop sleeps, each time and last: false when there is something to replay that
	 * fd() may not tell of any more; settle and ask again.
	 */
	bool (*may_sleep)(struct tracker *t);
	uint64_t (*cset_count)(struct tracker *t, uint32_t cset);
	int (*task_info)(struct tracker *t, pid_t tid, struct core_task_info *info);
	bool (*task_place)(struct tracker *t, pid_t tid, struct core_place *place,
			   pid_t *tgid); /* MAY BE NULL */
	void (*move)(struct tracker *t, struct core_move *moves, size_t n);
	int (*threads)(struct tracker *t, struct core_process process, struct core_thread **threads,
		       size_t *n);
	void (*finish_exec)(struct tracker *t, pid_t tid); /* MAY BE NULL */
	int (*each_initial)(struct tracker *t, void (*fn)(void *arg, pid_t tid, pid_t tgid),
			    void *arg);
	void (*want_events)(struct tracker *t, bool fork, bool exit);
	/* See struct core_ops; NULL where a tracker cannot. */
	int (*cputimes)(struct tracker *t, const pid_t *tids, size_t n,
			struct cgroup_cputime *times);
	void (*reap)(struct tracker *t);
	void (*want_cputime)(struct tracker *t, bool want);
	int (*watch)(struct tracker *t, unsigned int events);
	int (*affinity_begin)(struct tracker *t, pid_t tid, struct task_affinity *aff);
	int (*affinity_end)(struct tracker *t, pid_t tid, const struct task_affinity *aff);
	int (*affinity_mark)(struct tracker *t, pid_t tid, const struct task_affinity *asked);
	void (*namespaces_done)(struct tracker *t, pid_t tid, uint64_t token);
	void (*stats)(struct tracker *t, struct tracker_stats *stats);
	/* Numbers of other pid namespaces, see struct core_ops; NULL where a tracker cannot. */
	uint32_t (*pid_ns)(struct tracker *t, pid_t task);
	int (*to_ns)(struct tracker *t, pid_t reader, pid_t *tids, size_t n);
	pid_t (*from_ns)(struct tracker *t, pid_t writer, pid_t nr);
};

extern const struct tracker_ops bpf_tracker;

#endif
