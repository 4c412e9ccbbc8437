// SPDX-License-Identifier: GPL-2.0-or-later
/* driver.c - worlds one after the other, TAP, replay, and the test of the test. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "generate.h"

#define WORLD_OPERATIONS 500
#define PLANT_OPERATIONS 120 /* enough to meet a planted difference, and few to make less */

struct tally {
	long done, skipped, worlds;
	long to_removed; /* on a file of a removed group */
	struct {
		long root, user;
	} worked[OP_KINDS], refused[OP_KINDS];
};

static void count(struct tally *tally, const struct run *run, enum op_kind kind)
{
	long *root = &(run->err ? tally->refused : tally->worked)[kind].root;
	long *user = &(run->err ? tally->refused : tally->worked)[kind].user;

	++*(run->by_user ? user : root);
	tally->to_removed += run->err == ENODEV;
}

/* So that one can see that there was something to compare. */
static void tally_report(const struct tally *tally)
{
	printf("# operation         root: worked   refused   users: worked   refused\n");
	for (int k = 0; k < OP_KINDS; k++)
		printf("# %-12s %18ld %9ld %15ld %9ld\n", op_name((enum op_kind)k),
		       tally->worked[k].root, tally->refused[k].root, tally->worked[k].user,
		       tally->refused[k].user);
	printf("# %ld of these were on files of removed groups\n", tally->to_removed);
}

/* One world's seed from the run's, so that a world can be run alone. */
static uint64_t world_seed(uint64_t seed, long world)
{
	uint64_t z = seed + (uint64_t)(world + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void tell_doing(const struct op *op)
{
	FILE *f = fmemopen(shared->doing, sizeof(shared->doing) - 1, "w");

	if (!f)
		return;
	op_print(f, op);
	fclose(f);
}

/*
 * Makes up and does N operations in a new world, and keeps them in SEQ. 0, or 1 when there was a
 * difference.
 */
static int explore(struct world *world, const struct settings *s, uint64_t seed, long n,
		   enum plant plant, struct sequence *seq, struct tally *tally)
{
	static struct run run;
	struct generator gen;
	enum verdict v = SAME;
	long done = 0;

	seq->n = 0;
	seq->ops = calloc((size_t)n * 2, sizeof(*seq->ops));
	generator_init(&gen, seed);
	if (run_begin(&run, world, plant))
		v = DIFFERENT;
	while (v != DIFFERENT && done < n && seq->n < (size_t)n * 2) {
		struct op *op = &seq->ops[seq->n];

		generate(&gen, &run, op);
		tell_doing(op);
		v = s->without[op->kind] ? SKIPPED : run_op(&run, op);
		if (v == SKIPPED) {
			tally->skipped++;
			continue;
		}
		seq->n++;
		done++;
		if (v == SAME)
			count(tally, &run, op->kind);
	}
	if (v != DIFFERENT && run_verify(&run))
		v = DIFFERENT;
	if (v == DIFFERENT)
		memcpy(seq->why, run.why, sizeof(seq->why));
	if (run_end(&run) && v != DIFFERENT) {
		memcpy(seq->why, run.why, sizeof(seq->why));
		v = DIFFERENT;
	}
	tally->done += done;
	tally->worlds++;
	return v == DIFFERENT;
}

/* A difference as a person wants it: short, and ready to be run again. */
static void report(struct world *world, const struct settings *s, long number, struct sequence *seq)
{
	struct sequence small = {.ops = malloc((seq->n + 1) * sizeof(*seq->ops)), .n = seq->n};
	const char *fate = world_daemon_fate(world);
	char file[96];
	FILE *f;

	printf("# world %ld of seed %" PRIu64 ", after %zu operations: %s\n", number, s->seed,
	       seq->n, seq->why);
	if (*fate)
		printf("# %s\n", fate);
	if (seq->n) {
		printf("# the last being: ");
		op_print(stdout, &seq->ops[seq->n - 1]);
		printf("\n");
	}
	fflush(stdout);
	memcpy(small.ops, seq->ops, seq->n * sizeof(*seq->ops));
	memcpy(small.why, seq->why, sizeof(small.why));
	if (!sequence_run(world, &small, PLANT_NONE)) {
		printf("# run again, the same sequence shows no difference; here it is whole\n");
		memcpy(small.why, seq->why, sizeof(small.why));
	} else {
		sequence_shrink(world, &small, PLANT_NONE, 120);
		printf("# the shortest sequence found: %s\n", small.why);
	}
	if (small.n <= 60)
		sequence_print(stdout, "#   ", &small);
	snprintf(file, sizeof(file), "/tmp/ucgroup-difference-%" PRIu64 "-%ld", s->seed, number);
	f = fopen(file, "w");
	if (f) {
		fprintf(f, "# %s\n", small.why);
		sequence_print(f, "", &small);
		fclose(f);
		printf("# to run it again: tests/differential/run replay %s\n", file);
	}
	fflush(stdout);
	free(small.ops);
}

static bool run_worlds(struct world *world, const struct settings *s, struct tally *tally)
{
	bool good = true;

	for (long w = s->world < 0 ? 0 : s->world; good; w++) {
		struct sequence seq = {0};
		long n = s->operations - tally->done;

		if (n <= 0 || (s->world >= 0 && w > s->world))
			break;
		if (n > WORLD_OPERATIONS || s->world >= 0)
			n = WORLD_OPERATIONS;
		if (explore(world, s, world_seed(s->seed, w), n, PLANT_NONE, &seq, tally)) {
			good = false;
			report(world, s, w, &seq);
		}
		free(seq.ops);
	}
	return good;
}

/* What the test cannot miss, and must bring down to a handful of operations. */
static bool find_planted(struct world *world, const struct settings *s, enum plant plant)
{
	const size_t handful = 10;
	struct tally tally = {0};
	bool good = false;

	for (long w = 0; w < 20 && !good; w++) {
		struct sequence seq = {0};

		if (explore(world, s, world_seed(s->seed, w), PLANT_OPERATIONS, plant, &seq,
			    &tally)) {
			sequence_shrink(world, &seq, plant, 40);
			good = seq.n <= handful;
			if (!good)
				sequence_print(stdout, "#   ", &seq);
		}
		free(seq.ops);
	}
	return good;
}

static int replay(struct world *world, const char *path)
{
	struct sequence seq = {.ops = calloc(100000, sizeof(*seq.ops))};
	char line[1024];
	FILE *f = fopen(path, "r");
	int different;

	if (!f) {
		fprintf(stderr, "differential: %s: %s\n", path, strerror(errno));
		return 2;
	}
	while (seq.n < 100000 && fgets(line, sizeof(line), f)) {
		int got = op_parse(line, &seq.ops[seq.n]);

		if (got < 0) {
			fprintf(stderr, "differential: %s: not an operation: %s", path, line);
			return 2;
		}
		seq.n += (size_t)got;
	}
	fclose(f);
	different = sequence_run(world, &seq, PLANT_NONE);
	if (different) {
		printf("different after %zu operations, the last being\n", seq.n);
		if (seq.n) {
			op_print(stdout, &seq.ops[seq.n - 1]);
			printf("\n");
		}
		printf("%s\n", seq.why);
	} else {
		printf("%zu operations, no difference\n", seq.n);
	}
	free(seq.ops);
	return different;
}

int drive(struct world *world, const struct settings *s)
{
	static const struct {
		enum plant plant;
		const char *what;
	} plants[] = {
		{PLANT_RENAME, "a mode lost in a rename"},
		{PLANT_NOTIFY, "a flag that is not kept"},
		{PLANT_MOVE, "a thread that is not moved with its process"},
	};
	struct tally tally = {0};
	bool good, all = true;

	if (s->replay)
		return replay(world, s->replay);
	good = run_worlds(world, s, &tally);
	printf("%sok 1 - %ld operations in %ld worlds, seed %" PRIu64 "\n", good ? "" : "not ",
	       tally.done, tally.worlds, s->seed);
	printf("# %ld more were skipped: who or what they need was not there\n", tally.skipped);
	tally_report(&tally);
	intended_report(stdout);
	fflush(stdout);
	all = good;
	for (int i = 0; s->self_test && i < 3; i++) {
		good = find_planted(world, s, plants[i].plant);
		printf("%sok %d - finds, and makes small, %s\n", good ? "" : "not ", i + 2,
		       plants[i].what);
		fflush(stdout);
		all &= good;
	}
	return all ? 0 : 1;
}
