// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_watch.bpf.c - tells of tasks that got another CPU affinity or other namespaces.
 *
 * Attached only while somebody wants to know, since a hook on system calls costs each of them a
 * little. What it tells are hints: the daemon looks at what is true when it has read one.
 *
 * A task may make others between its change and the daemon's answer to it, and they get what it
 * had. So it is marked (WATCH_UNSETTLED) until the answer is done, and what a marked task makes is
 * marked and told of too. Children on the way while an answer is given are caught as well: the
 * kernel copies the maker's mask early in a fork, and the fork hook, late, finds that it is not the
 * maker's any more. So, with an affinity: when the daemon has given a task its mask and then taken
 * its mark, every child of its that has another one has been told of, or will be.
 *
 * A fork may take long - its maker waits for a CPU - and several answers may be given meanwhile: what
 * the child got from its maker then, the mask and the kernel's note of the last request, is neither
 * what anybody has asked for nor what its cgroup gives. So a child that is told of never stands for
 * itself: the hook notes beside it what its maker has asked for by then.
 *
 * Who takes a mark compares the whole word, and every question counts it up: a mark made since the
 * task was looked at stays.
 */
#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <tracker/bpf_shared.h>
#include <tracker/watch_shared.h>

#pragma clang diagnostic ignored "-Wunused-parameter"

char LICENSE[] SEC("license") = "GPL";

#define ESRCH 3
#define EAGAIN 11
#define ENOMEM 12

#define PF_EXITING 0x00000004

/* Every flag of clone() and unshare() that stands for a namespace. */
#define CLONE_NEW_ANY 0x7e020080

/* ---- the few kernel structures we look into, relocated when loaded ---------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cpumask {
	unsigned long bits[1];
};

struct thread_info {
	unsigned long flags;
	__u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	int pid, tgid;
	unsigned int flags;
	struct cpumask *user_cpus_ptr;
	struct cpumask cpus_mask;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long bx, cx, dx, si, di, orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	int syscallno;
};
#endif

#pragma clang attribute pop

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern struct task_struct *bpf_task_from_vpid(int vpid) __ksym __weak;
extern void bpf_task_release(struct task_struct *p) __ksym;

/* ---- state ------------------------------------------------------------------------------------ */

/* The tracker's own. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TRACKER_MAX_TID);
	__type(key, __u32);
	__type(value, __u64);
} ucg_places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct watch_state);
} ucg_watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ucg_watch_log SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct watch_masks);
} ucg_watch_masks SEC(".maps");

const volatile __u32 mask_words = 1; /* that CPUs of this machine can be in */
const volatile __u32 daemon_tgid;

__u32 want_affinity, want_namespaces;
__u32 lost_affinity, lost_namespaces; /* an event found no room, or a mark no memory */
__u32 n_namespaces;		      /* changes of namespaces so far */

static __always_inline struct watch_state *state_of(struct task_struct *task, bool create)
{
	return bpf_task_storage_get(&ucg_watched, task, NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
}

/* In a cgroup below a root, as far as its place tells. */
static __always_inline bool is_member(__u32 tid, __u32 tgid)
{
	__u64 *place = bpf_map_lookup_elem(&ucg_places, &tid);

	return place && !(PLACE_ID(*place) == PLACE_INITIAL && PLACE_TGID(*place) == tgid);
}

static __always_inline void tell(__u32 type, __u32 tid, __u32 arg, __u64 token)
{
	struct watch_event e = {
		.tid_type = tid | type << WATCH_TYPE_SHIFT,
		.arg = arg,
		.token = token,
	};

	if (!bpf_ringbuf_output(&ucg_watch_log, &e, sizeof(e), BPF_RB_FORCE_WAKEUP))
		return;
	if (type == WATCH_AFFINITY)
		lost_affinity = 1;
	else
		lost_namespaces = 1;
}

/* Marks; true when an event has to tell of it. */
static __always_inline bool put_in_question(struct watch_state *s)
{
	for (int i = 0; i < 64; i++) {
		__u64 old = *(volatile __u64 *)&s->word;
		__u64 new = (old + WATCH_NUMBER_ONE) | WATCH_UNSETTLED | WATCH_QUEUED;

		if (__sync_val_compare_and_swap(&s->word, old, new) == old)
			return !(old & WATCH_QUEUED);
	}
	return true;
}

/* ---- fork ------------------------------------------------------------------------------------- */

static __always_inline bool same_mask(struct task_struct *a, struct task_struct *b)
{
	for (__u32 i = 0; i < WATCH_MASK_WORDS && i < mask_words; i++) {
		__u64 x = 0, y = 0;

		bpf_probe_read_kernel(&x, sizeof(x), (void *)&a->cpus_mask + 8 * i);
		bpf_probe_read_kernel(&y, sizeof(y), (void *)&b->cpus_mask + 8 * i);
		if (x != y)
			return false;
	}
	return true;
}

static __always_inline void note_everything(struct watch_state *s)
{
	for (__u32 i = 0; i < WATCH_MASK_WORDS; i++)
		s->asked[i] = i < mask_words ? ~0ull : 0;
}

/* Puts the kernel's note of the last request of TASK into S. False: there is none. */
static __always_inline bool note_user(struct watch_state *s, struct task_struct *task)
{
	__u32 size = mask_words * 8;
	void *user = task->user_cpus_ptr;

	__builtin_memset(s->asked, 0, sizeof(s->asked));
	if (size > sizeof(s->asked))
		size = sizeof(s->asked);
	return user && !bpf_probe_read_kernel(s->asked, size, user);
}

/* Have A and B places in different css_sets? */
static __always_inline bool apart(struct task_struct *a, struct task_struct *b)
{
	__u32 tid_a = (__u32)a->pid, tid_b = (__u32)b->pid;
	__u64 *of_a = bpf_map_lookup_elem(&ucg_places, &tid_a);
	__u64 *of_b = bpf_map_lookup_elem(&ucg_places, &tid_b);

	return !of_a || !of_b || PLACE_ID(*of_a) != PLACE_ID(*of_b);
}

/* What CHILD, of which TO is the state, is to be taken to have asked for. FROM: that of MAKER. */
static __always_inline void inherit(struct watch_state *to, struct task_struct *child,
				    const struct watch_state *from, struct task_struct *maker,
				    bool in_question)
{
	__u64 has_asked = from ? from->has_asked : WATCH_ASKED_NOT;

	if (has_asked == WATCH_ASKED || (has_asked == WATCH_ASKED_BY_MAKER && in_question)) {
		__builtin_memcpy(to->asked, from->asked, sizeof(to->asked));
		to->has_asked = has_asked;
		return;
	}
	/*
	 * Who is in question, and has no request noted, has asked for nothing in particular; and so
	 * has one that has been moved since the child was placed: what it has now is of there.
	 */
	if (in_question || apart(maker, child) || !note_user(to, maker))
		note_everything(to);
	to->has_asked = WATCH_ASKED_BY_MAKER;
}

static __always_inline void fork_affinity(struct task_struct *maker, struct task_struct *child)
{
	struct watch_state *from = state_of(maker, false), *to = NULL;
	bool in_question = from && from->word & WATCH_UNSETTLED;
	bool unlike = !in_question && !same_mask(maker, child);
	__u32 tid = (__u32)child->pid;

	if (!in_question && !unlike && !(from && from->has_asked))
		return;
	/* Who has a state is, or was, a member: it may be leaving just now. */
	if (!from && !is_member(tid, (__u32)child->tgid))
		return;
	to = state_of(child, true);
	if (!to) {
		tell(WATCH_AFFINITY, tid, WATCH_BORN, 0);
		return;
	}
	inherit(to, child, from, maker, in_question);
	if ((in_question || unlike) && put_in_question(to))
		tell(WATCH_AFFINITY, tid, WATCH_BORN, 0);
}

static __always_inline void change_namespaces(struct task_struct *task, __u32 tid)
{
	__u64 token = (__u64)__sync_fetch_and_add(&n_namespaces, 1) << 32 | tid;
	struct watch_state *s = state_of(task, true);

	if (s)
		*(volatile __u64 *)&s->namespaces = token;
	else
		lost_namespaces = 1;
	tell(WATCH_NAMESPACES, tid, tid, token);
}

static __always_inline void fork_namespaces(struct task_struct *maker, struct task_struct *child,
					    __u64 flags)
{
	struct watch_state *from, *to;
	__u32 tid = (__u32)child->pid;
	__u64 token;

	if (flags & CLONE_NEW_ANY) {
		change_namespaces(child, tid);
		return;
	}
	from = state_of(maker, false);
	token = from ? *(volatile __u64 *)&from->namespaces : 0;
	if (!token)
		return;
	to = state_of(child, true);
	if (to)
		*(volatile __u64 *)&to->namespaces = token;
	else
		lost_namespaces = 1;
	tell(WATCH_NAMESPACES, tid, (__u32)token, token);
}

/* After the tracker's own hook, which is attached first: the child has its place. */
SEC("tp_btf/task_newtask")
int BPF_PROG(ucg_watch_fork, struct task_struct *child, __u64 clone_flags)
{
	struct task_struct *maker = bpf_get_current_task_btf();

	if (want_affinity)
		fork_affinity(maker, child);
	if (want_namespaces)
		fork_namespaces(maker, child, clone_flags);
	return 0;
}

/* ---- system calls ------------------------------------------------------------------------------ */

enum call { CALL_OTHER, CALL_SETAFFINITY, CALL_UNSHARE };

struct syscall {
	enum call call;
	__u64 arg[3];
};

/*
 * Tracepoints of single system calls are blind to those of 32-bit programs, which a 64-bit one can
 * make too; this one sees all.
 */
#if defined(__TARGET_ARCH_x86)
#define TS_COMPAT 2
#define X32_BIT 0x40000000

static __always_inline struct syscall which_call(struct pt_regs *regs)
{
	struct syscall sc = {.call = CALL_OTHER};
	struct task_struct *task;
	__u32 nr = (__u32)regs->orig_ax & ~X32_BIT;
	bool compat;

	switch (nr) {
	case 203:
	case 272:
	case 241:
	case 310:
		break;
	default:
		return sc;
	}
	task = bpf_get_current_task_btf();
	compat = task->thread_info.status & TS_COMPAT;
	if (nr == (compat ? 241 : 203))
		sc.call = CALL_SETAFFINITY;
	else if (nr == (compat ? 310 : 272))
		sc.call = CALL_UNSHARE;
	sc.arg[0] = compat ? (__u32)regs->bx : regs->di;
	sc.arg[1] = compat ? (__u32)regs->cx : regs->si;
	sc.arg[2] = compat ? (__u32)regs->dx : regs->dx;
	return sc;
}
#elif defined(__TARGET_ARCH_arm64)
#define TIF_32BIT (1ul << 22)

static __always_inline struct syscall which_call(struct pt_regs *regs)
{
	struct syscall sc = {.call = CALL_OTHER};
	struct task_struct *task;
	int nr = regs->syscallno;
	bool compat;

	switch (nr) {
	case 122:
	case 97:
	case 241:
	case 337:
		break;
	default:
		return sc;
	}
	task = bpf_get_current_task_btf();
	compat = task->thread_info.flags & TIF_32BIT;
	if (nr == (compat ? 241 : 122))
		sc.call = CALL_SETAFFINITY;
	else if (nr == (compat ? 337 : 97))
		sc.call = CALL_UNSHARE;
	sc.arg[0] = regs->orig_x0;
	sc.arg[1] = regs->regs[1];
	sc.arg[2] = regs->regs[2];
	return sc;
}
#else
#error "which registers hold a system call's number and arguments on this machine?"
#endif

/* TASK, which is not ours to release, has been given an affinity by the caller. */
static __always_inline void affinity_given(struct task_struct *task, enum watch_why why, __u64 len,
					   const void *mask)
{
	__u32 tid = (__u32)task->pid;
	struct watch_state *s = state_of(task, false);
	bool unheard;

	if (!s && !is_member(tid, (__u32)task->tgid))
		return;
	s = state_of(task, true);
	if (!s) {
		tell(WATCH_AFFINITY, tid, why, 0);
		return;
	}
	/* Before and after: who reads the mask in between finds that he has to read again. */
	unheard = put_in_question(s);
	__builtin_memset(s->asked, 0, sizeof(s->asked));
	if (len > sizeof(s->asked))
		len = sizeof(s->asked);
	s->has_asked = WATCH_ASKED;
	if (bpf_probe_read_user(s->asked, (__u32)len, mask) && !note_user(s, task))
		s->has_asked = WATCH_ASKED_NOT;
	unheard |= put_in_question(s);
	/* An event that is on its way does not say that it was by another. */
	if (unheard || why != WATCH_GIVEN)
		tell(WATCH_AFFINITY, tid, why, 0);
}

/* WITH_VPID: the kernel can tell whom the caller means, in whatever pid namespace it is. */
static __always_inline void on_setaffinity(struct syscall *sc, bool with_vpid)
{
	struct task_struct *self = bpf_get_current_task_btf(), *task;
	int pid = (int)sc->arg[0];
	const void *mask = (const void *)sc->arg[2];

	if ((__u32)self->tgid == daemon_tgid)
		return;
	if (!pid || pid == self->pid) {
		affinity_given(self, WATCH_GIVEN, (__u32)sc->arg[1], mask);
		return;
	}
	if (!with_vpid) {
		tell(WATCH_AFFINITY, 0, WATCH_GIVEN_BY_OTHER, 0);
		return;
	}
	task = bpf_task_from_vpid(pid);
	if (!task)
		return;
	affinity_given(task, WATCH_GIVEN_BY_OTHER, (__u32)sc->arg[1], mask);
	bpf_task_release(task);
}

static __always_inline int on_call(struct pt_regs *regs, long ret, bool with_vpid)
{
	struct syscall sc = which_call(regs);
	struct task_struct *self;

	if (sc.call == CALL_OTHER || ret < 0)
		return 0;
	if (sc.call == CALL_SETAFFINITY) {
		if (want_affinity)
			on_setaffinity(&sc, with_vpid);
		return 0;
	}
	if (!want_namespaces || !(sc.arg[0] & CLONE_NEW_ANY))
		return 0;
	self = bpf_get_current_task_btf();
	change_namespaces(self, (__u32)self->pid);
	return 0;
}

/* One of these two: the second one on kernels (before 6.13) that have no bpf_task_from_vpid(). */
SEC("tp_btf/sys_exit")
int BPF_PROG(ucg_watch_call, struct pt_regs *regs, long ret)
{
	return on_call(regs, ret, true);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(ucg_watch_call_blind, struct pt_regs *regs, long ret)
{
	return on_call(regs, ret, false);
}

/* ---- programs the daemon runs ------------------------------------------------------------------ */

static __always_inline struct watch_masks *masks(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ucg_watch_masks, &zero);
}

static __always_inline void begin(struct task_struct *task, struct watch_args *args,
				  struct watch_masks *m)
{
	struct watch_state *s = state_of(task, false);
	__u32 size = mask_words * 8;
	void *user;

	if (size > sizeof(m->now))
		size = sizeof(m->now);
	args->word = 0;
	args->has_asked = 0;
	/* First: from here on a new question makes a new event, and another word. */
	if (s)
		args->word = __sync_fetch_and_and(&s->word, ~WATCH_QUEUED) & ~WATCH_QUEUED;
	bpf_probe_read_kernel(m->now, size, &task->cpus_mask);
	user = task->user_cpus_ptr;
	args->has_user = user && !bpf_probe_read_kernel(m->user, size, user);
	if (!s)
		return;
	if (s->has_asked == WATCH_ASKED_BY_MAKER && args->word & WATCH_UNSETTLED) {
		args->has_user = 1;
		__builtin_memcpy(m->user, s->asked, sizeof(m->user));
	} else {
		args->has_asked = s->has_asked == WATCH_ASKED;
		__builtin_memcpy(m->asked, s->asked, sizeof(m->asked));
	}
}

/* The masks of a task, and what its state says. */
SEC("syscall")
int ucg_watch_begin(struct watch_args *args)
{
	struct watch_masks *m = masks();
	struct task_struct *task;

	args->err = -ESRCH;
	task = bpf_task_from_pid((int)args->tid);
	if (!task)
		return 0;
	if (m && !(task->flags & PF_EXITING)) {
		begin(task, args, m);
		args->err = 0;
	}
	bpf_task_release(task);
	return 0;
}

/* Takes the mark off and notes what was asked for, unless there has been a question since `word`. */
SEC("syscall")
int ucg_watch_end(struct watch_args *args)
{
	struct watch_masks *m = masks();
	struct task_struct *task;
	struct watch_state *s;

	args->err = -ESRCH;
	task = bpf_task_from_pid((int)args->tid);
	if (!task)
		return 0;
	s = state_of(task, args->has_asked != 0);
	args->err = args->has_asked ? -ENOMEM : 0;
	if (s && m) {
		args->err = -EAGAIN;
		if (__sync_val_compare_and_swap(&s->word, args->word,
						args->word & ~WATCH_UNSETTLED) == args->word) {
			__builtin_memcpy(s->asked, m->asked, sizeof(s->asked));
			s->has_asked = args->has_asked ? WATCH_ASKED : WATCH_ASKED_NOT;
			args->err = 0;
		}
	}
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int ucg_watch_mark(struct watch_args *args)
{
	struct watch_masks *m = masks();
	struct task_struct *task;
	struct watch_state *s;

	args->err = -ESRCH;
	task = bpf_task_from_pid((int)args->tid);
	if (!task)
		return 0;
	args->err = -ENOMEM;
	s = state_of(task, true);
	if (s && m) {
		__sync_fetch_and_or(&s->word, WATCH_UNSETTLED);
		if (args->with_asked) {
			__builtin_memcpy(s->asked, m->asked, sizeof(s->asked));
			s->has_asked = args->has_asked ? WATCH_ASKED : WATCH_ASKED_NOT;
		} else if (s->has_asked == WATCH_ASKED_BY_MAKER) {
			/* It was made where that is ours, and goes somewhere else. */
			s->has_asked = WATCH_ASKED_NOT;
		}
		args->err = 0;
	}
	bpf_task_release(task);
	return 0;
}

/* The change of namespaces `word` has been dealt with. */
SEC("syscall")
int ucg_watch_done(struct watch_args *args)
{
	struct task_struct *task;
	struct watch_state *s;

	args->err = -ESRCH;
	task = bpf_task_from_pid((int)args->tid);
	if (!task)
		return 0;
	s = state_of(task, false);
	if (s)
		__sync_val_compare_and_swap(&s->namespaces, args->word, 0);
	args->err = 0;
	bpf_task_release(task);
	return 0;
}
