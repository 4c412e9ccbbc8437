/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_walk.bpf.h - going through the threads of a process, and through all tasks.
 *
 * A part of bpf_tracker.bpf.c, which includes it.
 */
#ifndef UCGROUP_TRACKER_BPF_WALK_BPF_H
#define UCGROUP_TRACKER_BPF_WALK_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TRACKER_MAX_THREADS);
	__type(key, __u32);
	__type(value, struct thread_entry);
} ucg_threads SEC(".maps");

__u32 walk_mode;

struct thread_walk {
	struct list_head *head, *at;
	__u32 tgid, n;
	bool over;
};

static long walk_thread(__u32 i, struct thread_walk *walk)
{
	struct list_head *at = walk->at;
	struct thread_entry *entry;
	struct task_struct *task;
	__u32 n = walk->n;
	__u64 *place, seen;
	__u32 tid;

	at = BPF_CORE_READ(at, next);
	walk->at = at;
	if (!at || at == walk->head)
		return 1;
	task = (void *)at - bpf_core_field_offset(struct task_struct, thread_node);
	if (BPF_CORE_READ(task, flags) & PF_EXITING)
		return 0;
	tid = (__u32)BPF_CORE_READ(task, pid);
	place = place_of(tid);
	entry = bpf_map_lookup_elem(&ucg_threads, &n);
	if (!entry || !place) {
		walk->over = true;
		return 1;
	}
	seen = *(volatile __u64 *)place;
	entry->tid = tid;
	entry->place = PLACE_TGID(seen) == walk->tgid ? seen : PLACE_NONE;
	walk->n = n + 1;
	return 0;
}

/* In one RCU section: a thread that was on the list when it began is on it for us. */
SEC("syscall")
int ucg_walk_threads(struct threads_args *args)
{
	struct task_struct *task = bpf_task_from_pid((int)args->tgid);
	struct thread_walk walk = {.tgid = args->tgid};
	struct signal_struct *signal;

	args->n = 0;
	args->err = -ESRCH;
	if (!task)
		return 0;
	/* An exec takes along when the process began. */
	if ((__u32)task->tgid != args->tgid ||
	    (args->process_key &&
	     BPF_CORE_READ(task, group_leader, start_boottime) != args->process_key)) {
		bpf_task_release(task);
		return 0;
	}
	bpf_rcu_read_lock();
	signal = BPF_CORE_READ(task, signal);
	walk.head = (void *)signal + bpf_core_field_offset(struct signal_struct, thread_head);
	walk.at = walk.head;
	if (signal)
		bpf_loop(TRACKER_MAX_THREADS + 1, walk_thread, &walk, 0);
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	args->n = walk.n;
	/* Without: an old leader on its way out, whose tid another thread is taking over. */
	args->err = !signal ? -EAGAIN : walk.over ? -EOVERFLOW : walk.n ? 0 : -ESRCH;
	return 0;
}

SEC("iter/task")
int ucg_walk_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct walk_entry entry;
	__u64 *place, seen;

	if (!task)
		return 0;
	place = place_of((__u32)task->pid);
	if (!place)
		return 0;
	seen = *(volatile __u64 *)place;
	entry.tid = (__u32)task->pid;
	entry.tgid = (__u32)task->tgid;
	if (walk_mode == WALK_ADOPT) {
		/* The dead are only marked. */
		if (PLACE_ID(seen) == PLACE_NONE)
			__sync_val_compare_and_swap(
				place, seen,
				place_after(seen, entry.tgid,
					    task->flags & PF_EXITING ? PLACE_NONE : PLACE_INITIAL));
		note_tid(entry.tid);
		return 0;
	}
	if (PLACE_ID(seen) == PLACE_INITIAL && PLACE_TGID(seen) == entry.tgid &&
	    !(task->flags & PF_EXITING))
		bpf_seq_write(ctx->meta->seq, &entry, sizeof(entry));
	return 0;
}

#endif
