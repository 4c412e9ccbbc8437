/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_shared.h - what the kernel's side of the BPF tracker and the daemon's agree on.
 */
#ifndef UCGROUP_TRACKER_BPF_SHARED_H
#define UCGROUP_TRACKER_BPF_SHARED_H

#include <linux/types.h>

/* Every tid a kernel can give (PID_MAX_LIMIT): so a place can always be written down. */
#define TRACKER_MAX_TID (4 * 1024 * 1024)
#define TRACKER_MAX_DYING 1024
#define TRACKER_MAX_CPUTIMES 4096 /* asked for at once; not less than the dying */
#define TRACKER_MAX_THREADS 65536 /* of one process, for a move of it as a whole */
#define TRACKER_MAX_MOVES 256	  /* made at once */
#define TRACKER_MAX_NUMBERS 4096  /* translated at once */

/*
 * A task's place, 64 bits: the css_set's id, the task's tgid, a generation. Birth and moves count
 * the generation up; death clears the id and leaves the rest. Id 0: dead, or not yet born.
 */
#define PLACE_ID_BITS 20
#define PLACE_TGID_BITS 22
#define PLACE_GEN_SHIFT (PLACE_ID_BITS + PLACE_TGID_BITS)
#define PLACE_ID_MASK ((1ull << PLACE_ID_BITS) - 1)
#define PLACE_GEN_ONE (1ull << PLACE_GEN_SHIFT)
#define PLACE_ID(place) ((__u32)((place)&PLACE_ID_MASK))
#define PLACE_TGID(place) ((__u32)((place) >> PLACE_ID_BITS) & ((1u << PLACE_TGID_BITS) - 1))
#define PLACE_GEN(place) ((__u32)((place) >> PLACE_GEN_SHIFT))
#define PLACE_NONE 0u
#define PLACE_INITIAL 1u /* the root of every hierarchy: not counted, not logged */
#define TRACKER_MAX_CSETS (1u << PLACE_ID_BITS)

enum event_type {
	EVENT_BORN = 1, /* tid, tgid, a: css_set */
	EVENT_MOVED,	/* tid, tgid, a: from, b: to */
	EVENT_DIED,	/* tid, a: css_set, tgid and b: the low and high half of its key */
	EVENT_RETID,	/* tid: old, tgid: new, a: css_set */
};

#define EVENT_TYPE_SHIFT 28 /* tids are below 1 << 22 */

struct event {
	__u32 tid_type;
	__u32 tgid;
	__u32 a, b;
};

/* Arguments and answers of the programs the daemon runs. */
struct move_args {
	__u32 tid;
	__u32 from_id, from_gen;
	__u32 to;
	__s32 err;
	__u32 unused;
};

struct moves_args {
	__u32 n, unused;
};

struct info_args {
	__u32 tid;
	__s32 err;
	__u64 place;
	__u32 tgid, uid, suid, fixed;
	__u32 leader_uid, leader_suid;
	__u64 process_key;
};

struct threads_args {
	__u32 tgid;
	__s32 err;
	__u64 process_key; /* 0: whoever has the number */
	__u32 n, unused;
};

struct exec_args {
	__u32 tgid, unused;
};

/* In the log too, for the dying that had to be let go there: told from an event by its size. */
struct cputime_entry {
	__u64 key; /* with the tid, names a task for ever: when it began; 0: there is none */
	__u64 runtime_ns, user_ns, system_ns;
	__u32 tid;
	__u32 final; /* it will not use any more */
};

struct cputimes_args {
	__u32 n, unused;
};

struct thread_entry {
	__u64 place;
	__u32 tid, unused;
};

/* Numbers of pid namespaces: WHO's is the one in question, N a number or how many there are. */
struct numbers_args {
	__u32 who;
	__s32 err;
	__u32 n, unused;
};

/* What a walk over all tasks does with each. */
enum walk_mode {
	WALK_ADOPT,   /* at start: who is not yet known is in the initial css_set */
	WALK_INITIAL, /* report those in the initial css_set */
};

struct walk_entry {
	__u32 tid, tgid;
};

#endif
