// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_tracker.bpf.c - the truth of membership, kept where tasks are born and die.
 *
 * `places` says for each tid which css_set its task is in, `counts` for each css_set how many tasks
 * are. Who may change a place: the fork hook, from nothing, for the child it is called for; the
 * exit hook, to nothing; the exec hook, which takes it along to another tid; and the move program,
 * by compare-and-swap, for a task that has one. So:
 *
 *  1. A task has one css_set id at any moment.
 *  2. The log's order is the order of the changes: a slot is reserved before the change it tells of
 *     and thrown away if that did not happen; who takes a place away does so first, so that a move
 *     that won is logged before, and one that comes later finds nothing to swap.
 *  3. A child is counted before its maker is looked at for the last time: if the maker is still in
 *     that css_set then, the css_set was in use all along and cannot have been given up.
 *  4. A death is counted after its slot is reserved: who reads a count of nought and then the log
 *     to its end has read of every death.
 *
 * A child is on the kernel's lists before its fork hook has run. Until then its place is nothing,
 * and the move program leaves it alone: so it cannot be moved out of groups it is not in yet.
 *
 * The exec of a thread that is not the leader: the kernel swaps its tid OLD with the dead leader's,
 * and gives OLD away, some time before the exec hook is called. In between the thread goes by the
 * leader's tid, which has no place, and its place lies at OLD, marked with its tgid (which is the
 * leader's tid). So a place is believed only where its mark is the task's own tgid. Whoever comes
 * first takes the place from OLD, and by taking it alone may pass it on (hand_over()):
 *  - the exec hook, which is told OLD;
 *  - the fork hook of a new task that was given OLD;
 *  - the exit hook of the thread itself, when the exec fails this late: it searches;
 *  - the daemon, which wants to move the thread now and not when a disk has answered: it searches,
 *    and takes only what lies at a tid that no thread of the process bears.
 * A thread that dies without a place takes the mark off the tid it dies with, before it searches,
 * so that a place that comes too late is not put down for whoever gets that tid next.
 */
#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <tracker/bpf_shared.h>

/* BPF_PROG names the context and every argument, used or not. */
#pragma clang diagnostic ignored "-Wunused-parameter"

char LICENSE[] SEC("license") = "GPL";

#define ESRCH 3
#define EAGAIN 11
#define EINVAL 22
#define EOVERFLOW 75

#define PF_EXITING 0x00000004
#define PF_FORKNOEXEC 0x00000040
#define PF_NO_SETAFFINITY 0x04000000

/* ---- the few kernel structures we look into, relocated when loaded ---------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid, suid;
};

struct list_head {
	struct list_head *next;
};

struct signal_struct {
	struct list_head thread_head;
};

struct sched_entity {
	__u64 sum_exec_runtime;
};

struct task_struct {
	int pid, tgid;
	int on_cpu;
	struct sched_entity se;
	__u64 utime, stime, start_boottime;
	unsigned int flags;
	unsigned int __state;
	unsigned int no_cgroup_migration : 1;
	struct task_struct *group_leader;
	const struct cred *real_cred;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct list_head thread_node;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

/* ---- state ------------------------------------------------------------------------------------ */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TRACKER_MAX_TID);
	__type(key, __u32);
	__type(value, __u64);
} ucg_places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set before loading */
	__type(key, __u32);
	__type(value, __u64);
} ucg_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set before loading */
} ucg_log SEC(".maps");

/* Rung when the log cannot carry the message: its being unread is the message. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ucg_bell SEC(".maps");

const volatile __u64 wake_bytes; /* of unread log, at which the daemon is woken */
const volatile __u32 fail_every; /* every so many entries one is lost on purpose; 0: none */
const volatile bool may_pin;	 /* the kernel has bpf_preempt_disable() */

__u32 adopted;	    /* every live task has a place, or is about to get it */
__u32 max_tid;	    /* the highest seen */
__u32 lost;	    /* an event found no room: the lists must be rebuilt */
__u32 wake_pending; /* somebody has woken the daemon, and it has not replayed since */
__u32 want_fork, want_exit;
__u64 n_lost, n_woken, n_tried;

static __always_inline __u64 *place_of(__u32 tid)
{
	return bpf_map_lookup_elem(&ucg_places, &tid);
}

static __always_inline __u64 *count_of(__u32 cset)
{
	return bpf_map_lookup_elem(&ucg_counts, &cset);
}

static __always_inline void ring_bell(void)
{
	__u64 nothing = 0;

	__sync_fetch_and_add(&n_woken, 1);
	bpf_ringbuf_output(&ucg_bell, &nothing, sizeof(nothing), BPF_RB_FORCE_WAKEUP);
}

/* ---- the log ---------------------------------------------------------------------------------- */

static __always_inline struct event *log_reserve(void)
{
	if (fail_every && __sync_fetch_and_add(&n_tried, 1) % fail_every == fail_every - 1)
		return NULL;
	return bpf_ringbuf_reserve(&ucg_log, sizeof(struct event), 0);
}

static __always_inline void log_lost(void)
{
	__sync_fetch_and_add(&n_lost, 1);
	__sync_lock_test_and_set(&lost, 1);
	ring_bell();
}

/*
 * The daemon clears wake_pending before it looks where the log ends, and our slot was reserved
 * before we look at wake_pending: so who finds it set is read by the replay that is still to come.
 */
static __always_inline void log_submit(struct event *e, __u32 type, __u32 tid, __u32 tgid, __u32 a,
				       __u32 b, bool wake)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	e->tid_type = tid | type << EVENT_TYPE_SHIFT;
	e->tgid = tgid;
	e->a = a;
	e->b = b;
	if (!wake && bpf_ringbuf_query(&ucg_log, BPF_RB_AVAIL_DATA) >= wake_bytes)
		wake = true;
	if (wake && !__sync_lock_test_and_set(&wake_pending, 1)) {
		__sync_fetch_and_add(&n_woken, 1);
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(e, flags);
}

/* ---- hooks ------------------------------------------------------------------------------------ */

static __always_inline __u64 place_after(__u64 seen, __u32 tgid, __u32 cset)
{
	return (((seen >> PLACE_GEN_SHIFT) + 1) << PLACE_GEN_SHIFT) | (__u64)tgid << PLACE_ID_BITS |
	       cset;
}

/*
 * The old value is used so that the compiler makes it an instruction that orders what is around it,
 * on every machine: a child is counted before its maker is looked at again.
 */
static __always_inline void count_up(__u64 *count)
{
	__u64 old = __sync_fetch_and_add(count, 1);

	asm volatile("" : : "r"(old));
}

/* True: that was the last. */
static __always_inline bool count_down(__u32 cset)
{
	__u64 *count = count_of(cset);

	return count && __sync_fetch_and_add(count, -1) == 1;
}

/*
 * Whoever has taken a place puts it down at once, and whoever has reserved a slot fills it at once: an
 * exec hook may be waiting for that, or the daemon, for as long as the lowliest task is off its CPU.
 */
static __always_inline void pin(void)
{
	if (may_pin)
		bpf_preempt_disable();
}

static __always_inline void unpin(void)
{
	if (may_pin)
		bpf_preempt_enable();
}

/*
 * PLACE, marked with TGID, is taken from OLD, if it is still there, and put down at TO, where the
 * thread that leads TGID by now had nothing but SEEN. If it has died meanwhile, it died as OLD.
 *
 * The slot is reserved before the place is taken: whatever the next owner of OLD logs comes later.
 */
static __always_inline bool take_along(__u32 old, __u64 *from, __u64 place, __u64 *to, __u64 seen)
{
	__u32 cset = PLACE_ID(place), tgid = PLACE_TGID(place);
	struct event *e = NULL;
	bool lives, last;

	pin();
	if (cset > PLACE_INITIAL)
		e = log_reserve();
	if (__sync_val_compare_and_swap(from, place, place & ~PLACE_ID_MASK) != place) {
		if (e)
			bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		unpin();
		return false;
	}
	lives = PLACE_ID(seen) == PLACE_NONE && PLACE_TGID(seen) == tgid &&
		__sync_val_compare_and_swap(to, seen, place_after(seen, tgid, cset)) == seen;
	if (cset == PLACE_INITIAL) {
		unpin();
		return true;
	}
	last = !lives && count_down(cset);
	if (!e)
		log_lost();
	else if (lives)
		log_submit(e, EVENT_RETID, old, tgid, cset, 0, false);
	else
		log_submit(e, EVENT_DIED, old, 0, cset, 0, last || want_exit);
	unpin();
	return true;
}

/* The place marked with TGID goes from OLD to TO. False: there is no such place. */
static __always_inline bool hand_over(__u32 old, __u64 *from, __u32 tgid, __u64 *to)
{
	for (int i = 0; i < 64; i++) {
		__u64 seen = *(volatile __u64 *)to, place = *(volatile __u64 *)from;

		if (PLACE_ID(place) == PLACE_NONE || PLACE_TGID(place) != tgid)
			return false;
		if (take_along(old, from, place, to, seen))
			return true;
	}
	return false;
}

/* The fork hook finds another process's place at the child's tid: that is in the middle of an exec. */
static __noinline int settle_stale(__u32 tid)
{
	__u64 *from = place_of(tid), *to;
	__u32 tgid;

	if (!from)
		return 0;
	tgid = PLACE_TGID(*from);
	to = place_of(tgid);
	if (to)
		hand_over(tid, from, tgid, to);
	return 0;
}

/* Counts the child into its maker's css_set, which it returns; the initial one does not count. */
static __always_inline __u32 count_into(const volatile __u64 *maker)
{
	for (int i = 0; i < 64; i++) {
		__u64 seen = *maker;
		__u32 cset = PLACE_ID(seen);
		__u64 *count;

		if (cset <= PLACE_INITIAL)
			return PLACE_INITIAL;
		count = count_of(cset);
		if (!count)
			return PLACE_INITIAL;
		count_up(count);
		if (*maker == seen)
			return cset;
		/* It has moved on. Our count may have hidden that the css_set has emptied. */
		if (count_down(cset))
			ring_bell();
	}
	/* The daemon makes one move at a time and cannot have made 64 meanwhile. */
	log_lost();
	return PLACE_INITIAL;
}

/* A rebuild looks no further than the highest tid: a lower one must not be written over it. */
static __always_inline void note_tid(__u32 tid)
{
	for (int i = 0; i < 64; i++) {
		__u32 seen = *(volatile __u32 *)&max_tid;

		if (tid <= seen || __sync_val_compare_and_swap(&max_tid, seen, tid) == seen)
			return;
	}
}

/* Out of the way of those that are in no group. */
static __noinline int born_in_group(__u32 maker, __u32 tid, __u32 tgid)
{
	__u64 *from = place_of(maker), *place = place_of(tid);
	struct event *e;
	__u32 cset;

	if (!from || !place)
		return 0;
	cset = count_into(from);
	if (cset == PLACE_INITIAL) {
		*(volatile __u64 *)place = place_after(*place, tgid, cset);
		return 0;
	}
	pin();
	e = log_reserve();
	*(volatile __u64 *)place = place_after(*place, tgid, cset);
	if (e)
		log_submit(e, EVENT_BORN, tid, tgid, cset, 0, want_fork != 0);
	else
		log_lost();
	unpin();
	return 0;
}

/* In the maker's context, before the child can run. */
SEC("tp_btf/task_newtask")
int BPF_PROG(ucg_fork, struct task_struct *child, __u64 clone_flags)
{
	struct task_struct *maker = bpf_get_current_task_btf();
	__u32 tid = (__u32)child->pid, tgid = (__u32)child->tgid;
	__u64 *from = place_of((__u32)maker->pid), *place = place_of(tid);

	if (!from || !place)
		return 0;
	if (PLACE_ID(*place) != PLACE_NONE && PLACE_TGID(*place) != tgid)
		settle_stale(tid);
	note_tid(tid);
	if (PLACE_ID(*(volatile __u64 *)from) > PLACE_INITIAL)
		return born_in_group((__u32)maker->pid, tid, tgid);
	/* The place is nothing, and only this hook may give it a value now: a plain store does. */
	*(volatile __u64 *)place = place_after(*place, tgid, PLACE_INITIAL);
	return 0;
}

struct search {
	__u32 tgid;
};

static long search_step(__u32 i, struct search *search)
{
	__u32 tid = i + 1, tgid = search->tgid;
	__u64 *from = place_of(tid), *to = place_of(tgid);

	if (!from || !to)
		return 1;
	if (PLACE_ID(*(volatile __u64 *)from) == PLACE_NONE || PLACE_TGID(*from) != tgid)
		return 0;
	return hand_over(tid, from, tgid, to);
}

/*
 * The last thread of TGID dies and has no place: its exec failed after the swap of tids. No other
 * thread of its is left, so what bears its tgid is its own; and with its own mark gone, that is
 * handed over to nobody, which is how a death is told.
 */
static __noinline int died_in_exec(__u32 tgid)
{
	struct search search = {.tgid = tgid};

	bpf_loop(max_tid, search_step, &search, 0);
	return 0;
}

#include <tracker/bpf_cputime.bpf.h>

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ucg_exit, struct task_struct *task)
{
	__u32 tid = (__u32)task->pid, tgid = (__u32)task->tgid, cset;
	__u64 *place = place_of(tid), old;
	struct event *e;
	bool last;

	if (!place)
		return 0;
	old = __sync_fetch_and_and(place, ~PLACE_ID_MASK);
	if (__builtin_expect(PLACE_ID(old) == PLACE_INITIAL, 1))
		return 0;
	if (PLACE_ID(old) == PLACE_NONE) {
		/* While not all are adopted: only keep from being adopted dead. */
		__u64 mark = adopted ? 0 : tgid;

		if (__sync_val_compare_and_swap(place, old, place_after(old, mark, PLACE_NONE)) ==
		    old) {
			if (adopted && tid == tgid)
				died_in_exec(tgid);
			return 0;
		}
		/* It was handed over just now. */
		old = __sync_fetch_and_and(place, ~PLACE_ID_MASK);
	}
	cset = PLACE_ID(old);
	if (cset <= PLACE_INITIAL)
		return 0;
	pin();
	e = log_reserve();
	last = count_down(cset);
	if (e)
		log_submit(e, EVENT_DIED, tid, (__u32)task->start_boottime, cset,
			   (__u32)(task->start_boottime >> 32), last || want_exit);
	else
		log_lost();
	unpin();
	if (want_cputime)
		keep_dying(task);
	return 0;
}

static long wait_step(__u32 i, __u64 **place)
{
	return PLACE_ID(*(volatile __u64 *)*place) != PLACE_NONE;
}

/* Called when the exec is done and before the new program runs. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(ucg_exec, struct task_struct *task, int old_tid)
{
	__u32 tgid = (__u32)task->tgid, old = (__u32)old_tid;
	__u64 *from, *to;

	if (task->pid == old_tid)
		return 0;
	from = place_of(old);
	to = place_of(tgid);
	if (!from || !to || PLACE_ID(*(volatile __u64 *)to) != PLACE_NONE)
		return 0;
	/* Or else a fork hook has taken it and is putting it down: do not run without. */
	if (!hand_over(old, from, tgid, to) && adopted)
		bpf_loop(1 << 23, wait_step, &to, 0);
	return 0;
}

/* ---- programs the daemon runs ------------------------------------------------------------------ */

#include <tracker/bpf_move.bpf.h>
#include <tracker/bpf_numbers.bpf.h>
#include <tracker/bpf_walk.bpf.h>
