/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slow_forks.h - a fork that takes as long as the test wants, while its maker is moved about.
 */
#ifndef UCGROUP_TESTS_SUBSYS_SLOW_FORKS_H
#define UCGROUP_TESTS_SUBSYS_SLOW_FORKS_H

/* TOP: the mounted cpuset hierarchy; X, Y: two cpusets in it, of mask_a and of mask_b. LOOK at it. */
void test_slow_forks(const char *top, const char *x, const char *y, void (*look)(void));

#endif
