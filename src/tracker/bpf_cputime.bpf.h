/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_cputime.bpf.h - what tasks have used of the CPUs: of the living, and of the dying to the last.
 *
 * A part of bpf_tracker.bpf.c, which includes it.
 */
#ifndef UCGROUP_TRACKER_BPF_CPUTIME_BPF_H
#define UCGROUP_TRACKER_BPF_CPUTIME_BPF_H

/*
 * Members that have left their place and still use CPU time on their way out: kept, and so kept from
 * being freed, until their time is final and has been read. Only while a subsystem wants that.
 */
struct dying {
	struct task_struct __kptr *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TRACKER_MAX_DYING);
	__type(key, __u32);
	__type(value, struct dying);
} ucg_dying SEC(".maps");

/* Questions about the CPU time of tasks, and answers; of the dying, answers. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TRACKER_MAX_CPUTIMES);
	__type(key, __u32);
	__type(value, struct cputime_entry);
} ucg_cputimes SEC(".maps");

__u32 want_cputime;
__u32 next_dying, n_dying;

#define TASK_DEAD 0x80

static __always_inline void read_cputime(struct task_struct *task, struct cputime_entry *entry)
{
	entry->key = task->start_boottime;
	entry->tid = (__u32)task->pid;
	/* A zombie that is only preempted has some way to go yet. */
	entry->final = !task->on_cpu && (task->__state & TASK_DEAD);
	entry->runtime_ns = task->se.sum_exec_runtime;
	entry->user_ns = task->utime;
	entry->system_ns = task->stime;
}

/*
 * Keeps TASK until its time has been read. Who has had the slot for a whole round is dead by far;
 * its time goes into the log.
 */
static __always_inline void keep_dying(struct task_struct *task)
{
	__u32 slot = __sync_fetch_and_add(&next_dying, 1) % TRACKER_MAX_DYING;
	struct dying *dying = bpf_map_lookup_elem(&ucg_dying, &slot);
	struct task_struct *old;
	struct cputime_entry *e;

	if (!dying)
		return;
	task = bpf_task_acquire(task);
	if (!task)
		return;
	old = bpf_kptr_xchg(&dying->task, task);
	if (!old) {
		if (__sync_fetch_and_add(&n_dying, 1) == TRACKER_MAX_DYING / 2)
			ring_bell();
		return;
	}
	e = bpf_ringbuf_reserve(&ucg_log, sizeof(*e), 0);
	if (e) {
		read_cputime(old, e);
		e->final = 1;
		bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	}
	bpf_task_release(old);
}

/* ---- programs the daemon runs ------------------------------------------------------------------ */

static long cputime_step(__u32 i, void *unused)
{
	struct cputime_entry *entry = bpf_map_lookup_elem(&ucg_cputimes, &i);
	struct task_struct *task;

	if (!entry)
		return 1;
	entry->key = 0;
	task = bpf_task_from_pid((int)entry->tid);
	if (!task)
		return 0;
	read_cputime(task, entry);
	bpf_task_release(task);
	return 0;
}

/* The CPU time of the tasks named in ucg_cputimes; key 0: gone. */
SEC("syscall")
int ucg_read_cputimes(struct cputimes_args *args)
{
	bpf_loop(args->n, cputime_step, NULL, 0);
	return 0;
}

static long reap_step(__u32 i, __u32 *n_found)
{
	struct dying *dying = bpf_map_lookup_elem(&ucg_dying, &i);
	struct cputime_entry *entry;
	struct task_struct *task;
	__u32 n = *n_found;

	entry = bpf_map_lookup_elem(&ucg_cputimes, &n);
	if (!dying || !entry)
		return 1;
	task = bpf_kptr_xchg(&dying->task, NULL);
	if (!task)
		return 0;
	read_cputime(task, entry);
	*n_found = n + 1;
	if (!entry->final) {
		/* Back it goes; if the slot has been taken meanwhile, who took it is done without. */
		task = bpf_kptr_xchg(&dying->task, task);
		if (!task)
			return 0;
	}
	__sync_fetch_and_add(&n_dying, -1);
	bpf_task_release(task);
	return 0;
}

/* The CPU time of the dying; those that are dead by now are let go. */
SEC("syscall")
int ucg_reap(struct cputimes_args *args)
{
	__u32 n = 0;

	bpf_loop(TRACKER_MAX_DYING, reap_step, &n, 0);
	args->n = n;
	return 0;
}

#endif
