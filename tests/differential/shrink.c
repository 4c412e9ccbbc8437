// SPDX-License-Identifier: GPL-2.0-or-later
/* shrink.c - a sequence that shows a difference, made as short as can be by trying. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"

#define SHRINK_SECONDS 180

int sequence_run(struct world *world, struct sequence *seq, enum plant plant)
{
	static struct run run;
	enum verdict v = SAME;
	size_t i = 0;

	if (run_begin(&run, world, plant)) {
		v = DIFFERENT;
	} else {
		for (i = 0; i < seq->n && v != DIFFERENT; i++)
			v = run_op(&run, &seq->ops[i]);
		if (v != DIFFERENT && run_verify(&run))
			v = DIFFERENT;
	}
	if (v == DIFFERENT) {
		memcpy(seq->why, run.why, sizeof(seq->why));
		seq->n = i;
	}
	if (run_end(&run) && v != DIFFERENT) {
		memcpy(seq->why, run.why, sizeof(seq->why));
		v = DIFFERENT;
	}
	return v == DIFFERENT;
}

static struct sequence without(const struct sequence *seq, size_t from, size_t n)
{
	struct sequence s = {.ops = malloc((seq->n + 1) * sizeof(*seq->ops)), .n = seq->n - n};

	memcpy(s.ops, seq->ops, from * sizeof(*seq->ops));
	memcpy(s.ops + from, seq->ops + from + n, (seq->n - from - n) * sizeof(*seq->ops));
	return s;
}

/* Tries to do without each piece of N operations; true when it could without some. */
static bool drop_pieces(struct world *world, struct sequence *seq, size_t n, enum plant plant,
			time_t until)
{
	bool dropped = false;

	/* From the end: what is there is least needed by the rest. */
	for (size_t at = seq->n; at > 0 && time(NULL) < until;) {
		size_t from = at > n ? at - n : 0;
		struct sequence less = without(seq, from, at - from);

		at = from;
		if (!sequence_run(world, &less, plant)) {
			free(less.ops);
			continue;
		}
		free(seq->ops);
		*seq = less;
		dropped = true;
		if (at > seq->n)
			at = seq->n;
	}
	return dropped;
}

void sequence_shrink(struct world *world, struct sequence *seq, enum plant plant)
{
	time_t until = time(NULL) + SHRINK_SECONDS;
	int patience = world->patience;
	size_t n = seq->n / 2;

	world->patience = 1000;
	while (time(NULL) < until) {
		bool dropped;

		if (n < 1)
			n = 1;
		dropped = drop_pieces(world, seq, n, plant, until);
		if (n == 1 && !dropped)
			break;
		n = n > 1 ? n / 2 : 1;
	}
	world->patience = patience;
}

void sequence_print(FILE *out, const char *prefix, const struct sequence *seq)
{
	for (size_t i = 0; i < seq->n; i++) {
		fputs(prefix, out);
		op_print(out, &seq->ops[i]);
		fputc('\n', out);
	}
}
