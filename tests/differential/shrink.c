// SPDX-License-Identifier: GPL-2.0-or-later
/* shrink.c - a sequence that shows a difference, made as short as can be by trying. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"

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

/* What is left of WHY when numbers, quoted bytes and paths are taken out: what kind of difference. */
static void kind_of(const char *why, char *kind, size_t size)
{
	bool quoted = false;
	size_t n = 0;

	for (const char *p = why; *p && n + 1 < size; p++) {
		size_t word = strcspn(p, " \"");

		if (*p == '"')
			quoted = !quoted;
		if (memchr(p, '/', word))
			p += word - 1;
		else if (!quoted && !isdigit((unsigned char)*p))
			kind[n++] = *p;
	}
	kind[n] = '\0';
}

/* Does SEQ still show what WHY says? */
static bool still_shows(struct world *world, struct sequence *seq, enum plant plant,
			const char *why)
{
	char kind[SIDES][WHY_MAX];

	if (!sequence_run(world, seq, plant))
		return false;
	/* One that was planted may show itself now in this way, now in that. */
	if (plant)
		return true;
	kind_of(why, kind[0], sizeof(kind[0]));
	kind_of(seq->why, kind[1], sizeof(kind[1]));
	return !strcmp(kind[0], kind[1]);
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
		if (!still_shows(world, &less, plant, seq->why)) {
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

/* Tries to have each operation done by slot 0, so that who else did it need not be born. */
static bool use_slot_0(struct world *world, struct sequence *seq, enum plant plant, time_t until)
{
	bool changed = false;

	for (size_t i = 0; i < seq->n && time(NULL) < until; i++) {
		struct sequence other;

		if (!seq->ops[i].slot || seq->ops[i].kind == OP_spawn)
			continue;
		other = without(seq, 0, 0);
		other.ops[i].slot = 0;
		if (!still_shows(world, &other, plant, seq->why)) {
			free(other.ops);
			continue;
		}
		free(seq->ops);
		*seq = other;
		changed = true;
	}
	return changed;
}

void sequence_shrink(struct world *world, struct sequence *seq, enum plant plant, int seconds)
{
	time_t until = time(NULL) + seconds;
	int patience = world->patience;
	size_t n = seq->n / 2;

	world->patience = 1000;
	while (time(NULL) < until) {
		bool dropped;

		if (n < 1)
			n = 1;
		dropped = drop_pieces(world, seq, n, plant, until);
		if (n == 1 && !dropped && !use_slot_0(world, seq, plant, until))
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
