/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h - the main process of the stress test: its state, quiet points and results. */
#ifndef STRESS_CHECK_H
#define STRESS_CHECK_H

#include "stress.h"

struct test {
	const char *dir, *ucgroup, *instance;
	uint64_t forks;
	uint32_t epochs, seed;
	bool expect_rebuilds, sabotage_truth, sabotage_releases;
	unsigned int n_ok, n_not_ok;
	uint32_t complaints_shown;
	pid_t helpers[4];
	int n_helpers;
	/* Of the groups that the mover fills and empties: releases and members last time. */
	uint64_t released_before[N_HIER][MAX_GROUPS];
	bool busy_before[N_HIER][MAX_GROUPS];
};

/* A line of talk, "# ...\n", to be shown behind the next result. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void result(struct test *t, bool ok, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Every process of the test is told to end. */
void everyone_ends(void);
void bail_out(const char *why) __attribute__((noreturn));

/* Make everybody hold still, and let them go on. */
void hold(void);
void let_go(void);
bool all_hold_still(void);
void tell_who_moves(void);

/* Ends the test when the daemon is dead. */
void check_daemon(void);

/* While everybody holds still: */
bool group_empty(uint32_t h, uint32_t g);
void show_complaints(struct test *t);
void check_membership(struct test *t, uint32_t epoch);
void check_releases(struct test *t, const char *when);

#endif
