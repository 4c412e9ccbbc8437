// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap.c - see tap.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"

static int n_tests, n_bad;

static void line(const char *head, const char *fmt, va_list ap, const char *tail)
{
	fputs(head, stdout);
	vprintf(fmt, ap);
	puts(tail);
	fflush(stdout);
}

void tap_result(bool good, const char *fmt, ...)
{
	char head[32];
	va_list ap;

	n_bad += !good;
	snprintf(head, sizeof(head), "%s %d - ", good ? "ok" : "not ok", ++n_tests);
	va_start(ap, fmt);
	line(head, fmt, ap, "");
	va_end(ap);
}

void tap_skip(const char *why, const char *fmt, ...)
{
	char head[32], tail[256];
	va_list ap;

	snprintf(head, sizeof(head), "ok %d - ", ++n_tests);
	snprintf(tail, sizeof(tail), " # SKIP %s", why);
	va_start(ap, fmt);
	line(head, fmt, ap, tail);
	va_end(ap);
}

void tap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line("# ", fmt, ap, "");
	va_end(ap);
}

int tap_end(void)
{
	printf("1..%d\n", n_tests);
	return n_bad ? 1 : 0;
}

void tap_bail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line("Bail out! ", fmt, ap, "");
	va_end(ap);
	exit(1);
}
