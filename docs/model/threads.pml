/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threads.pml - processes with threads: a whole process moved while its threads are born, die and exec.
 *
 * Process 1 has the leader 1 and the thread 2; process 3, if TASKS > START, the leader 3. Task structures
 * are used once, as the kernel does not use one again while somebody may be walking over it; tids are
 * used again, the lowest first. With EXECS, the thread of process 1 that is left execs once its leader is
 * dead: the kernel swaps the tids, gives the old one away, and calls the exec hook some time later; or
 * the exec fails, and the thread dies.
 */
#ifndef FORKS
#define FORKS 1
#endif
#ifndef MOVES
#define MOVES 1
#endif
#ifndef EXECS
#define EXECS 0
#endif
#ifndef START
#define START 2 /* tasks at the start: 2, or 3 with process 3 */
#endif

#define EXEC
#define before_birth(me, kid, ktid) settle_stale(me, kid, ktid)
#define set_mark(tid, task) \
	mark_at[tid] = tgid_of[task]; \
	assert(!ghost_all_in[process_of[task]] || set_ == ghost_all_in[process_of[task]])
#define seen_mark(tid) mark = mark_at[tid]
#ifdef BREAK_MARK_IGNORED
#define SEEN_MARK_OK(task) true
#define MARKED(task) true
#else
#define SEEN_MARK_OK(task) (mark == tgid_of[task])
#define MARKED(task) (mark == tgid_of[task])
#endif

#include "kernel.pml"

byte tgid_of[TASKS + 1];
byte nr_of[TASKS + 1];	    /* as tid_of, but kept after the task is off all lists */
byte process_of[TASKS + 1]; /* 1 or 2; a process keeps it, whatever its tids */
/* Lists of threads: the heads of process 1 and 2 are at TASKS+1 and TASKS+2; 0 ends a list. */
byte next_of[TASKS + 3];
/* Set when all threads of a process were found in one css_set: nobody may be born elsewhere. */
byte ghost_all_in[3];

#include "exec.pml"
#include "daemon.pml"
