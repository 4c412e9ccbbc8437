// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stats.c - samples, their median and quartiles, and the order of the turns.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void samples_add(struct samples *s, double v)
{
	if (s->n == MAX_ROUNDS)
		die("more than %d samples of one kind", MAX_ROUNDS);
	s->v[s->n++] = v;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Between two samples it lies on the line between them. */
static double quantile(const double *sorted, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t i = (size_t)floor(at);

	return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

struct summary samples_summary(const struct samples *s)
{
	double v[MAX_ROUNDS];

	if (!s->n)
		return (struct summary){0};
	memcpy(v, s->v, s->n * sizeof(v[0]));
	qsort(v, s->n, sizeof(v[0]), compare);
	return (struct summary){
		.q1 = quantile(v, s->n, 0.25),
		.median = quantile(v, s->n, 0.5),
		.q3 = quantile(v, s->n, 0.75),
		.n = s->n,
	};
}

/* A turn of each side, not counted: caches are warm on all of them. */
static void warm_up(struct bench *b, struct row *row)
{
	for (enum side side = KERNEL; side < SIDES; side++)
		if (row->turn[side])
			row->turn[side](b);
}

/*
 * Long enough for whatever the turn before has left to be done behind everybody's back: above all for
 * the kernel's RCU grace periods, of which cgroup v1 waits for one at the first move after a rest.
 */
#define REST_US 50000

void row_measure(struct bench *b, struct row *row)
{
	double got[SIDES];

	if (!row->cold)
		warm_up(b, row);
	for (size_t round = 0; round < row->rounds; round++) {
		for (int i = 0; i < SIDES; i++) {
			enum side side = round % 2 ? SIDES - 1 - i : i;

			if (!row->turn[side])
				continue;
			if (row->rest)
				usleep(REST_US);
			got[side] = row->turn[side](b);
			samples_add(&row->samples[side], got[side]);
		}
		if (row->turn[KERNEL] && row->turn[OURS])
			samples_add(&row->ratio, got[OURS] / got[KERNEL]);
		if (row->turn[BOUND] && row->turn[OURS])
			samples_add(&row->to_bound, got[OURS] / got[BOUND]);
	}
	if (row->after)
		row->after(b);
}

bool row_meets_goal(const struct row *row)
{
	switch (row->kind) {
	case GOAL_RATIO:
		return samples_summary(&row->ratio).median <= row->goal;
	case GOAL_ABSOLUTE:
		return samples_summary(&row->samples[OURS]).median <= row->goal;
	default:
		return true;
	}
}
