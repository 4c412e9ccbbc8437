// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sort.c - listings in ascending order. A tid has 22 bits, so two passes that deal them out by half of
 * these sort any number of them; comparing takes ten times as long for some thousands.
 */
#include <core/internal.h>

#define HALF_BITS 11
#define HALF (1u << HALF_BITS)
#define FEW 128 /* below, comparing is as quick */

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

size_t core_sort_pids(pid_t *pids, size_t n)
{
	pid_t *spare = n < FEW ? NULL : malloc(n * sizeof(*spare));
	size_t unique = 0;

	if (spare) {
		deal(pids, spare, n, 0);
		deal(spare, pids, n, HALF_BITS);
		free(spare);
	} else if (n) {
		qsort(pids, n, sizeof(*pids), compare_pids);
	}
	for (size_t i = 0; i < n; i++)
		if (!unique || pids[unique - 1] != pids[i])
			pids[unique++] = pids[i];
	return unique;
}
