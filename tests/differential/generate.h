/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generate.h - makes up operations. A generator sees the run's book, so that what it makes up is
 * mostly possible and sometimes just not; the same seed and the same world give the same sequence.
 */
#ifndef DIFFERENTIAL_GENERATE_H
#define DIFFERENTIAL_GENERATE_H

#include <stdint.h>

#include "run.h"

struct generator {
	uint64_t state;
	int step;  /* the first operations set the scene */
	uid_t uid; /* who does the operation that is being made up */
	/* The rest of a delegation under way: a user is given a group and its files. */
	struct op pending[4];
	int n_pending;
};

void generator_init(struct generator *gen, uint64_t seed);
void generate(struct generator *gen, const struct run *run, struct op *op);

#endif
