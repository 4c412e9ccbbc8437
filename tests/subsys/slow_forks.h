/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slow_forks.h - a fork that takes as long as the test wants, while its maker is moved about.
 */
#ifndef UCGROUP_TESTS_SUBSYS_SLOW_FORKS_H
#define UCGROUP_TESTS_SUBSYS_SLOW_FORKS_H

/* From each of root, x and y over each to each. */
void test_slow_forks(void);

#endif
