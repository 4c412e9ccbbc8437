// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_core_property.c - random operations on the core and on a naive model of it, compared as they
 * go along. Writes TAP; --help says how it is called.
 *
 * Comparing everything means settling, and settling after each operation keeps the log short. So
 * half of the operations are done with a comparison after each, and the other half with one after
 * each that looks only at what the operation was about, and at everything now and then.
 *
 * A failing sequence is made as short as it gets, written to a file and told step by step.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "property.h"

enum { RUN_OPS = 20000, SELDOM = 50 };

static const char usage[] =
	"usage: test_core_property [--ops N] [--every N] [--seed S] [--shrink SECONDS]\n"
	"       test_core_property --replay FILE\n"
	"  --ops N           operations in all: 100000, or a million with UCGROUP_TEST_SIZE=large\n"
	"  --every N         compare everything after every N operations; as it is, after each in one\n"
	"                    half of them and after 50 in the other\n"
	"  --seed S          the first seed; each run of up to 20000 operations has the next one\n"
	"  --shrink SECONDS  how long to look for a shorter sequence that fails: 60\n"
	"  --replay FILE     do again what a failure has written down, and tell each step\n";

static long shrink_seconds = 60;

static bool fails(const struct op *ops, size_t n, bool lossy, size_t full_every,
		  struct prop_result *result)
{
	const struct prop_run run = {
		.ops = ops, .n_ops = n, .full_every = full_every, .lossy = lossy};

	prop_run(&run, result);
	return result->failed;
}

/*
 * Leaves out ever smaller parts for as long as it fails without them. Anything that fails will do: a
 * short sequence that shows another bug is as good.
 */
static size_t shrink(struct op *ops, size_t n, bool lossy, size_t *every)
{
	struct op *try = malloc(n * sizeof(*ops));
	struct prop_result result;
	time_t end = time(NULL) + shrink_seconds;
	size_t full_every = *every;

	if (!try)
		return n;
	/* With a comparison after each it fails earlier. */
	if (full_every > 1 && n < 3000 && fails(ops, n, lossy, 1, &result)) {
		full_every = 1;
		if (result.n_ops + 1 < n)
			n = result.n_ops + 1;
	}
	for (size_t part = n / 2, before = n; part && time(NULL) < end;) {
		for (size_t at = 0; at + part <= n && time(NULL) < end;) {
			memcpy(try, ops, at * sizeof(*ops));
			memcpy(try + at, ops + at + part, (n - at - part) * sizeof(*ops));
			if (!fails(try, n - part, lossy, full_every, &result)) {
				at += part;
				continue;
			}
			n = result.n_ops + 1 < n - part ? result.n_ops + 1 : n - part;
			memcpy(ops, try, n * sizeof(*ops));
			if (n < 1000 && full_every > 1 && fails(ops, n, lossy, 1, &result)) {
				full_every = 1;
				n = result.n_ops + 1 < n ? result.n_ops + 1 : n;
			}
		}
		if (part == 1 && n == before)
			break;
		before = n;
		part = part > 1 ? part / 2 : 1;
	}
	free(try);
	*every = full_every;
	return n;
}

static void write_down(const char *path, const struct prop_run *run)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		printf("# %s: cannot be written\n", path);
		return;
	}
	fprintf(f, "%s %zu %zu\n", run->lossy ? "lossy" : "whole", run->full_every, run->n_ops);
	for (size_t i = 0; i < run->n_ops; i++) {
		const struct op *op = &run->ops[i];

		fprintf(f, "%s %u %u %u %u\n", op_names[op->kind], op->r[0], op->r[1], op->r[2],
			op->r[3]);
	}
	fclose(f);
	printf("# to see it again: test_core_property --replay %s\n", path);
}

static struct op *read_back(const char *path, struct prop_run *run)
{
	FILE *f = fopen(path, "r");
	char word[32];
	struct op *ops;

	if (!f || fscanf(f, "%31s %zu %zu", word, &run->full_every, &run->n_ops) != 3 ||
	    run->n_ops > 100 * 1000 * 1000 || !run->full_every) {
		fprintf(stderr, "%s: not a sequence written by this program\n", path);
		exit(2);
	}
	run->lossy = !strcmp(word, "lossy");
	ops = calloc(run->n_ops ? run->n_ops : 1, sizeof(*ops));
	for (size_t i = 0; ops && i < run->n_ops; i++) {
		if (fscanf(f, "%31s %u %u %u %u", word, &ops[i].r[0], &ops[i].r[1], &ops[i].r[2],
			   &ops[i].r[3]) != 5) {
			fprintf(stderr, "%s: line %zu is not an operation\n", path, i + 2);
			exit(2);
		}
		while (ops[i].kind < N_OPS && strcmp(op_names[ops[i].kind], word))
			ops[i].kind++;
		if (ops[i].kind == N_OPS) {
			fprintf(stderr, "%s: there is no operation %s\n", path, word);
			exit(2);
		}
	}
	fclose(f);
	return ops;
}

static int replay(const char *path)
{
	struct prop_run run = {.verbose = true};
	struct prop_result result;
	struct op *ops = read_back(path, &run);

	if (!ops)
		return 2;
	run.ops = ops;
	prop_run(&run, &result);
	printf("1..1\n%s 1 - replay %s%s%s\n", result.failed ? "not ok" : "ok", path,
	       result.failed ? ": " : "", result.message);
	free(ops);
	return result.failed;
}

static void explain(struct op *ops, size_t n, bool lossy, size_t every, uint64_t seed,
		    const struct prop_result *result)
{
	struct prop_run run = {.ops = ops, .lossy = lossy, .full_every = every, .verbose = true};
	struct prop_result again;
	char path[128];

	if (result->n_ops + 1 < n)
		n = result->n_ops + 1;
	run.n_ops = shrink(ops, n, lossy, &run.full_every);
	printf("# %zu operations are enough:\n", run.n_ops);
	prop_run(&run, &again);
	snprintf(path, sizeof(path), "/tmp/ucgroup-core-property.%" PRIu64, seed);
	write_down(path, &run);
}

static void add_up(struct prop_result *sum, const struct prop_result *result)
{
	for (int k = 0; k < N_OPS; k++) {
		sum->n_done[k] += result->n_done[k];
		sum->n_refused[k] += result->n_refused[k];
	}
	sum->n_delivered += result->n_delivered;
	sum->n_races += result->n_races;
	sum->n_rebuilds += result->n_rebuilds;
}

/* A test that does not do what it says is worth nothing. */
static bool enough_done(const struct prop_result *sum, size_t n_ops)
{
	bool ok = sum->n_delivered > n_ops / 500 && sum->n_races > n_ops / 2000 &&
		  sum->n_rebuilds > n_ops / 2000;

	printf("# %" PRIu64 " releases, %" PRIu64 " races, %" PRIu64 " rebuilds;", sum->n_delivered,
	       sum->n_races, sum->n_rebuilds);
	for (int k = 0; k < N_OPS; k++) {
		printf(" %s %" PRIu64, op_names[k], sum->n_done[k]);
		if (sum->n_refused[k])
			printf("(-%" PRIu64 ")", sum->n_refused[k]);
		ok &= sum->n_done[k] > n_ops / 5000;
	}
	printf("\n");
	return ok;
}

/* EVERY 0: after each operation in one half of the runs, seldom in the other. */
static int run_all(size_t n_ops, uint64_t seed, size_t every)
{
	struct op *ops = calloc(RUN_OPS, sizeof(*ops));
	struct prop_result sum = {.n_ops = 0};
	size_t n_runs = (n_ops + RUN_OPS - 1) / RUN_OPS;
	int n_failed = 0;

	if (!ops)
		return 2;
	printf("1..%zu\n", n_runs + 1);
	for (size_t i = 0; i < n_runs; i++) {
		bool lossy = i % 2;
		size_t full_every = every ? every : i % 4 < 2 ? SELDOM : 1;
		size_t n = n_ops - i * RUN_OPS < RUN_OPS ? n_ops - i * RUN_OPS : RUN_OPS;
		struct prop_result result;
		bool failed;

		ops_generate(ops, n, seed + i);
		failed = fails(ops, n, lossy, full_every, &result);
		printf("%s %zu - %zu operations, seed %" PRIu64 ", compared every %zu%s\n",
		       failed ? "not ok" : "ok", i + 1, n, seed + i, full_every,
		       lossy ? ", entries lost" : "");
		add_up(&sum, &result);
		n_failed += failed;
		if (failed)
			printf("# operation %zu: %s\n", result.n_ops, result.message);
		if (failed && n_failed < 3)
			explain(ops, n, lossy, full_every, seed + i, &result);
		fflush(stdout);
	}
	if (n_failed)
		printf("ok %zu # SKIP what was done is not counted where a run failed\n",
		       n_runs + 1);
	else if (enough_done(&sum, n_ops))
		printf("ok %zu - every kind of operation was done\n", n_runs + 1);
	else
		printf("not ok %zu - every kind of operation was done\n", n_runs + 1), n_failed++;
	free(ops);
	return n_failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"ops", required_argument, NULL, 'n'},
						{"every", required_argument, NULL, 'e'},
						{"help", no_argument, NULL, 'h'},
						{"seed", required_argument, NULL, 's'},
						{"shrink", required_argument, NULL, 'k'},
						{"replay", required_argument, NULL, 'r'},
						{NULL, 0, NULL, 0}};
	const char *size = getenv("UCGROUP_TEST_SIZE");
	size_t n_ops = size && !strcmp(size, "large") ? 1000000 : 100000;
	size_t every = 0;
	uint64_t seed = 1;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			n_ops = strtoull(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'k':
			shrink_seconds = strtol(optarg, NULL, 0);
			break;
		case 'e':
			every = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			return replay(optarg);
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	return run_all(n_ops, seed, every);
}
