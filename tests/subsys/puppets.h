/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * puppets.h - children that do what they are told, and where the tests of cpuset take place.
 */
#ifndef UCGROUP_TESTS_SUBSYS_PUPPETS_H
#define UCGROUP_TESTS_SUBSYS_PUPPETS_H

#include <stdatomic.h>
#include <sys/types.h>

extern const char *top;		      /* the mounted hierarchy */
extern char dir_x[4096], dir_y[4096]; /* two cpusets in it */

/* Between the test and its children. */
extern struct stage {
	atomic_int breeding; /* go on making threads, or processes */
	atomic_int extra;    /* threads born then that stay */
	atomic_int ready;    /* the child is through with what it does first */
	atomic_int wrong;    /* what a child found amiss */
	atomic_ulong n_born;
	atomic_ulong worst_ns, sum_ns;
} * stage;

/* Before anything else. */
void set_stage(const char *dir);
/* Looking at anything of ucgroup's has it deal with what has happened first. */
void look_at_ucgroup(void);
pid_t start(void (*act)(void *arg), void *arg);
void act_sleep(void *arg);
/* Waits until it is through with its act. */
void finish(pid_t pid);
void end(pid_t pid);
/* Says so if it has ended already, which it should not have. */
void tell_end(pid_t pid);

#endif
