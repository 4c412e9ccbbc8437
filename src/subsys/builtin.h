/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * builtin.h - the subsystems that are part of the program, in the order they are registered in.
 */
#ifndef UCGROUP_SUBSYS_BUILTIN_H
#define UCGROUP_SUBSYS_BUILTIN_H

#include <ucgroup/subsys.h>

extern struct cgroup_subsys cpuacct_subsys; /* cpuacct.c */
extern struct cgroup_subsys cpuset_subsys;  /* cpuset.c */
extern struct cgroup_subsys debug_subsys;   /* debug.c */
extern struct cgroup_subsys ns_subsys;	    /* ns.c */

#endif
