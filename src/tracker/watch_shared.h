/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch_shared.h - what the kernel's side of the watch and the daemon's agree on.
 */
#ifndef UCGROUP_TRACKER_WATCH_SHARED_H
#define UCGROUP_TRACKER_WATCH_SHARED_H

#include <linux/types.h>

#define WATCH_MASK_WORDS 32 /* of 64 CPUs */

enum watch_event_type {
	WATCH_AFFINITY = 1, /* arg: why, see below */
	WATCH_NAMESPACES, /* arg: the tid of the task whose change of namespaces it goes back to */
};

#define WATCH_TYPE_SHIFT 28 /* tids are below 1 << 22 */

/* In the order of enum cgroup_affinity_why. */
enum watch_why {
	WATCH_GIVEN,
	WATCH_GIVEN_BY_OTHER,
	WATCH_BORN,
};

/* Tid 0: somebody, it is not known who. */
struct watch_event {
	__u32 tid_type;
	__u32 arg;
	__u64 token; /* WATCH_NAMESPACES: the state's `namespaces` */
};

/* What the mask `asked` of a task's state is. */
enum watch_asked {
	WATCH_ASKED_NOT, /* nothing */
	WATCH_ASKED,	 /* what it asked for, itself or through its makers */
	/*
	 * Of a task in question: the kernel's note of the last request its maker made, when it was
	 * born. The task's own may be of a time when both were somewhere else.
	 */
	WATCH_ASKED_BY_MAKER,
};

/*
 * What is kept for a task whose affinity or namespaces are in question. `word`: a number that counts
 * up with each question, and the two bits below.
 */
struct watch_state {
	__u64 word;
	__u64 namespaces; /* what has not been dealt with: a number << 32 | tid it goes back to */
	__u64 has_asked;  /* enum watch_asked */
	__u64 asked[WATCH_MASK_WORDS]; /* the affinity it asked for, as it was given */
};

#define WATCH_UNSETTLED 1ull /* what it makes is in question too */
#define WATCH_QUEUED 2ull    /* an event that names it has not been taken up yet */
#define WATCH_NUMBER_ONE 4ull

/* Arguments and answers of the programs the daemon runs; masks lie in the map beside. */
struct watch_args {
	__u32 tid;
	__s32 err;
	__u64 word; /* or the token of WATCH_NAMESPACES */
	__u32 has_asked, has_user;
	__u32 with_asked, unused;
};

struct watch_masks {
	__u64 now[WATCH_MASK_WORDS];
	__u64 asked[WATCH_MASK_WORDS];
	__u64 user[WATCH_MASK_WORDS]; /* what the kernel has as its last request */
};

#endif
