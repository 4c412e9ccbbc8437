/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * herds.h - processes of many threads that make more all the time.
 */
#ifndef UCGROUP_TESTS_SUBSYS_HERDS_H
#define UCGROUP_TESTS_SUBSYS_HERDS_H

/* N_PROCESSES go from cpuset to cpuset. */
void test_moves(int n_processes);
/* 10,000 threads, whose cpuset changes. */
void test_herd(void);

#endif
