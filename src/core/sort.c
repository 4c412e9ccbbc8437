// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sort.c - listings in ascending order. Tasks that were made one after the other have tids close to each
 * other: these are ticked off on a list of all there are between the first and the last. A tid has 22
 * bits, so two passes that deal them out by half of these sort any other number of them; comparing takes
 * ten times as long for some thousands.
 */
#include <core/internal.h>

#define HALF_BITS 11
#define HALF (1u << HALF_BITS)
#define FEW 128 /* below, comparing is as quick */
#define CLOSE 8 /* so many places for each at most */

_Static_assert(CORE_MAX_TID <= 1u << 2 * HALF_BITS, "a tid has two halves");

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a < *(const pid_t *)b ? -1 : *(const pid_t *)a > *(const pid_t *)b;
}

static void deal(const pid_t *from, pid_t *to, size_t n, unsigned int shift)
{
	uint32_t start[HALF] = {0}, sum = 0;

	for (size_t i = 0; i < n; i++)
		start[(uint32_t)from[i] >> shift & (HALF - 1)]++;
	for (uint32_t i = 0; i < HALF; i++) {
		uint32_t count = start[i];

		start[i] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[start[(uint32_t)from[i] >> shift & (HALF - 1)]++] = from[i];
}

static size_t drop_doubles(pid_t *pids, size_t n)
{
	size_t unique = 0;

	for (size_t i = 0; i < n; i++)
		if (!unique || pids[unique - 1] != pids[i])
			pids[unique++] = pids[i];
	return unique;
}

/* SPAN places from FIRST on, the last of which is taken. 0: out of memory. */
static size_t tick_off(pid_t *pids, size_t n, pid_t first, size_t span)
{
	uint8_t *there = calloc(span, 1);
	size_t unique = 0;

	if (!there)
		return 0;
	for (size_t i = 0; i < n; i++)
		there[pids[i] - first] = 1;
	/* Without a branch, which could not be foreseen. What is written in vain is written over. */
	for (size_t i = 0; i < span; i++) {
		pids[unique] = first + (pid_t)i;
		unique += there[i];
	}
	free(there);
	return unique;
}

static size_t deal_all(pid_t *pids, size_t n)
{
	pid_t *spare = malloc(n * sizeof(*spare));

	if (!spare)
		return 0;
	deal(pids, spare, n, 0);
	deal(spare, pids, n, HALF_BITS);
	free(spare);
	return drop_doubles(pids, n);
}

static size_t sort_many(pid_t *pids, size_t n)
{
	pid_t first = pids[0], last = pids[0];
	size_t span;

	for (size_t i = 1; i < n; i++) {
		first = pids[i] < first ? pids[i] : first;
		last = pids[i] > last ? pids[i] : last;
	}
	span = (size_t)(last - first) + 1;
	return span <= CLOSE * n ? tick_off(pids, n, first, span) : deal_all(pids, n);
}

size_t core_sort_pids(pid_t *pids, size_t n)
{
	size_t unique = n < FEW ? 0 : sort_many(pids, n);

	if (unique || !n)
		return unique;
	qsort(pids, n, sizeof(*pids), compare_pids);
	return drop_doubles(pids, n);
}
