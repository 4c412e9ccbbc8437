/* SPDX-License-Identifier: GPL-2.0-or-later */
/* driver.h - running many worlds, and making what goes wrong small. */
#ifndef DIFFERENTIAL_DRIVER_H
#define DIFFERENTIAL_DRIVER_H

#include <stdint.h>

#include "run.h"

struct settings {
	long operations; /* to be done in all */
	uint64_t seed;
	long world;   /* only this one, or -1 */
	int patience; /* seconds */
	const char *replay;
	bool without[OP_KINDS]; /* kinds of operations to leave out */
	bool self_test;		/* also find the planted differences */
	bool kernel_only;	/* compare v1 with itself */
};

struct sequence {
	struct op *ops;
	size_t n;
	char why[WHY_MAX];
};

/*
 * Runs SEQ in a world of its own. 0: no difference; 1: one, SEQ is cut after the operation that
 * showed it and SEQ->why says it.
 */
int sequence_run(struct world *world, struct sequence *seq, enum plant plant);
/* Leaves out whatever can be left out such that there still is a difference, for SECONDS at most. */
void sequence_shrink(struct world *world, struct sequence *seq, enum plant plant, int seconds);
void sequence_print(FILE *out, const char *prefix, const struct sequence *seq);

/* Everything SETTINGS ask for, as TAP. Returns the exit status. */
int drive(struct world *world, const struct settings *settings);

#endif
