/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap.h - one line a test: "ok 3 - what it shows", with what went wrong in comments below.
 */
#ifndef UCGROUP_TESTS_SUBSYS_TAP_H
#define UCGROUP_TESTS_SUBSYS_TAP_H

#include <stdbool.h>

/* Ends a line of the report. GOOD or not, with a name in printf's way. */
void tap_result(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tap_skip(const char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The plan, and the exit status of the program. */
int tap_end(void);
/* Gives up: the test itself cannot go on. */
void tap_bail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
