/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_move.bpf.h - looking at a task, and moving it; programs the daemon runs.
 *
 * A part of bpf_tracker.bpf.c, which includes it.
 */
#ifndef UCGROUP_TRACKER_BPF_MOVE_BPF_H
#define UCGROUP_TRACKER_BPF_MOVE_BPF_H

/* Moves to be made, and what has come of them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TRACKER_MAX_MOVES);
	__type(key, __u32);
	__type(value, struct move_args);
} ucg_move_args SEC(".maps");

static __always_inline bool is_fixed(const struct task_struct *task)
{
	return task->flags & PF_NO_SETAFFINITY || BPF_CORE_READ_BITFIELD(task, no_cgroup_migration);
}

/* The task of TID may be moved; whose place it is says TGID. */
static __always_inline int look_at_task(__u32 tid, __u32 *tgid)
{
	struct task_struct *task = bpf_task_from_pid((int)tid);
	int err = 0;

	if (!task)
		return -ESRCH;
	*tgid = (__u32)task->tgid;
	if (task->flags & PF_EXITING)
		err = -ESRCH;
	else if (is_fixed(task))
		err = -EINVAL;
	bpf_task_release(task);
	return err;
}

/*
 * The place the daemon has seen was read before the task is looked up here: if the tid has changed
 * hands since, so has the generation, and nothing is swapped.
 */
static __always_inline int move_one(const struct move_args *args)
{
	__u32 tid = args->tid, from = args->from_id, to = args->to, tgid;
	__u64 *place = place_of(tid), *into = count_of(to);
	__u64 *out_of = count_of(from), seen;
	struct event *e;
	int err;

	if (!place || !into || !out_of)
		return -ESRCH;
	seen = *(volatile __u64 *)place;
	err = look_at_task(tid, &tgid);
	if (err)
		return err;
	if (PLACE_TGID(seen) != tgid || PLACE_ID(seen) == PLACE_NONE || PLACE_ID(seen) != from ||
	    PLACE_GEN(seen) != args->from_gen)
		return -EAGAIN;
	e = bpf_ringbuf_reserve(&ucg_log, sizeof(struct event), 0);
	if (!e)
		return -EAGAIN;
	if (to > PLACE_INITIAL)
		count_up(into);
	if (__sync_val_compare_and_swap(place, seen,
					((seen & ~PLACE_ID_MASK) + PLACE_GEN_ONE) | to) != seen) {
		if (to > PLACE_INITIAL)
			__sync_fetch_and_add(into, -1);
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return -EAGAIN;
	}
	if (from > PLACE_INITIAL)
		__sync_fetch_and_add(out_of, -1);
	/* No waking: it is the daemon that runs this. */
	log_submit(e, EVENT_MOVED, tid, tgid, from, to, false);
	return 0;
}

SEC("syscall")
int ucg_move(struct move_args *args)
{
	args->err = move_one(args);
	return 0;
}

static long move_step(__u32 i, void *unused)
{
	struct move_args *args = bpf_map_lookup_elem(&ucg_move_args, &i);

	if (!args)
		return 1;
	args->err = move_one(args);
	return 0;
}

/* The moves in ucg_move_args, one after the other. */
SEC("syscall")
int ucg_moves(struct moves_args *args)
{
	bpf_loop(args->n, move_step, NULL, 0);
	return 0;
}

SEC("syscall")
int ucg_info(struct info_args *args)
{
	__u64 *place = place_of(args->tid);
	struct task_struct *task;

	args->err = -ESRCH;
	if (!place)
		return 0;
	args->place = *(volatile __u64 *)place; /* before the task is looked up: see ucg_move */
	task = bpf_task_from_pid((int)args->tid);
	if (!task)
		return 0;
	if (!(task->flags & PF_EXITING)) {
		args->tgid = (__u32)task->tgid;
		args->process_key = task->group_leader->start_boottime;
		if (PLACE_TGID(args->place) != args->tgid)
			args->place = PLACE_NONE; /* of the task that had the tid before */
		args->uid = task->real_cred->uid.val;
		args->suid = task->real_cred->suid.val;
		args->leader_uid = task->group_leader->real_cred->uid.val;
		args->leader_suid = task->group_leader->real_cred->suid.val;
		args->fixed = is_fixed(task);
		args->err = 0;
	}
	bpf_task_release(task);
	return 0;
}

static long exec_step(__u32 i, struct search *search)
{
	__u32 tid = i + 1, tgid = search->tgid;
	__u64 *from = place_of(tid), *to = place_of(tgid), place, seen;
	struct task_struct *task;
	bool borne;

	if (!from || !to)
		return 1;
	seen = *(volatile __u64 *)to;
	place = *(volatile __u64 *)from;
	if (PLACE_ID(seen) != PLACE_NONE)
		return 1;
	if (tid == tgid || PLACE_ID(place) == PLACE_NONE || PLACE_TGID(place) != tgid)
		return 0;
	task = bpf_task_from_pid((int)tid);
	borne = task && (__u32)task->tgid == tgid;
	if (task)
		bpf_task_release(task);
	if (borne)
		return 0;
	take_along(tid, from, place, to, seen);
	return 1;
}

/*
 * The place of a thread that is in the middle of an exec is taken along to its new tid, TGID. A place
 * marked so at a tid that is not of the process any more has been left there by it: the place was
 * read before the tid was looked up, and is only taken if it has not changed since.
 */
SEC("syscall")
int ucg_finish_exec(struct exec_args *args)
{
	struct search search = {.tgid = args->tgid};
	struct task_struct *task = bpf_task_from_pid((int)args->tgid);
	__u32 flags;

	if (!task)
		return 0;
	flags = task->flags;
	bpf_task_release(task);
	/* One that is being born has never execed; that spares it, and us, the search. */
	if (!(flags & PF_FORKNOEXEC))
		bpf_loop(max_tid, exec_step, &search, 0);
	return 0;
}

#endif
