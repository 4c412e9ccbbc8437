/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_numbers.bpf.h - what a task is called in another pid namespace.
 *
 * A task has a number in its own pid namespace and in each one above it: struct pid holds them by
 * level, the first one, level 0, is the one everything else here goes by. The way back is the
 * namespace's table of numbers, a radix tree whose leaves are struct pids; what is found there is
 * believed only if it is the pid of a live task that has that number in that namespace.
 *
 * A part of bpf_tracker.bpf.c, which includes it: programs the daemon runs, nothing is attached.
 */
#ifndef UCGROUP_TRACKER_BPF_NUMBERS_BPF_H
#define UCGROUP_TRACKER_BPF_NUMBERS_BPF_H

/* ---- the few kernel structures we look into, relocated when loaded ---------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct xarray {
	void *xa_head;
};

struct idr {
	struct xarray idr_rt;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct idr idr;
	unsigned int level;
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TRACKER_MAX_NUMBERS);
	__type(key, __u32);
	__type(value, __s64);
} ucg_numbers SEC(".maps");

static __always_inline struct upid *number_at(struct pid *pid, __u32 level)
{
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	       level * bpf_core_type_size(struct upid);
}

/* The pid of the task that is TID here; NULL: there is none. To be called and used under RCU. */
static __always_inline struct pid *pid_of(__u32 tid)
{
	struct task_struct *task = bpf_task_from_pid((int)tid);
	struct pid *pid;

	if (!task)
		return NULL;
	pid = BPF_CORE_READ(task, thread_pid);
	bpf_task_release(task);
	return pid;
}

/* The number PID has in NS, which is at LEVEL; 0: none. */
static __always_inline __s32 number_in(struct pid *pid, struct pid_namespace *ns, __u32 level)
{
	struct upid *upid = number_at(pid, level);

	if (BPF_CORE_READ(pid, level) < level || BPF_CORE_READ(upid, ns) != ns)
		return 0;
	return BPF_CORE_READ(upid, nr);
}

/* The namespace the task TID lives in, with its level. */
static __always_inline struct pid_namespace *ns_of(__u32 tid, __u32 *level)
{
	struct pid *pid = pid_of(tid);
	struct upid *upid;

	if (!pid)
		return NULL;
	*level = BPF_CORE_READ(pid, level);
	upid = number_at(pid, *level);
	return BPF_CORE_READ(upid, ns);
}

SEC("syscall")
int ucg_pid_ns(struct numbers_args *args)
{
	struct pid_namespace *ns;
	__u32 level = 0;

	bpf_rcu_read_lock();
	ns = ns_of(args->who, &level);
	args->n = ns && level ? BPF_CORE_READ(ns, ns.inum) : 0;
	args->err = ns ? 0 : -ESRCH;
	bpf_rcu_read_unlock();
	return 0;
}

struct to_ns {
	struct pid_namespace *ns;
	__u32 level;
};

static long to_ns_step(__u32 i, struct to_ns *to)
{
	__s64 *nr = bpf_map_lookup_elem(&ucg_numbers, &i);
	struct pid *pid;

	if (!nr)
		return 1;
	pid = pid_of((__u32)*nr);
	*nr = pid ? number_in(pid, to->ns, to->level) : -1;
	return 0;
}

/* The first N of ucg_numbers are tids: each becomes what its task is called by WHO. */
SEC("syscall")
int ucg_to_ns(struct numbers_args *args)
{
	struct to_ns to = {.level = 0};

	bpf_rcu_read_lock();
	to.ns = ns_of(args->who, &to.level);
	if (to.ns)
		bpf_loop(args->n, to_ns_step, &to, 0);
	args->err = to.ns ? 0 : -ESRCH;
	bpf_rcu_read_unlock();
	return 0;
}

/* A pointer to a node is marked by its two lowest bits. */
#define IS_NODE(entry) (((unsigned long)(entry)&3) == 2)
#define TO_NODE(entry) ((struct xa_node *)((unsigned long)(entry) & ~3ul))

struct lookup {
	void *entry;
	__u32 nr;
};

static long lookup_step(__u32 i, struct lookup *lookup)
{
	__u32 n_slots = bpf_core_field_size(struct xa_node, slots) / sizeof(void *), at;
	struct xa_node *node;
	void *const *slot;

	if (!IS_NODE(lookup->entry))
		return 1;
	node = TO_NODE(lookup->entry);
	at = lookup->nr >> (BPF_CORE_READ(node, shift) & 31);
	/* Only the topmost can be too small for the number. */
	if (!i && at >= n_slots) {
		lookup->entry = NULL;
		return 1;
	}
	slot = (void *)node + bpf_core_field_offset(struct xa_node, slots) +
	       (at & (n_slots - 1)) * sizeof(void *);
	if (bpf_probe_read_kernel(&lookup->entry, sizeof(lookup->entry), slot))
		lookup->entry = NULL;
	return 0;
}

/* The tid of the task that WHO calls N: into n. */
SEC("syscall")
int ucg_from_ns(struct numbers_args *args)
{
	struct lookup lookup = {.nr = args->n};
	struct pid_namespace *ns;
	struct pid *pid;
	__u32 level = 0, tid;

	args->err = -ESRCH;
	bpf_rcu_read_lock();
	ns = ns_of(args->who, &level);
	if (!ns)
		goto out;
	lookup.entry = BPF_CORE_READ(ns, idr.idr_rt.xa_head);
	bpf_loop(32, lookup_step, &lookup, 0);
	pid = lookup.entry;
	if (!pid || IS_NODE(pid) || number_in(pid, ns, level) != (__s32)args->n)
		goto out;
	tid = (__u32)BPF_CORE_READ(number_at(pid, 0), nr);
	if (pid_of(tid) != pid)
		goto out;
	args->n = tid;
	args->err = 0;
out:
	bpf_rcu_read_unlock();
	return 0;
}

#endif
