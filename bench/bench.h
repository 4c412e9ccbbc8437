/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench.h - what the files of the comparison share: the places it works in, samples, and rows.
 *
 * A row is one kind of work. It is done in turns on each side - the kernel's cgroup v1, ucgroup, and
 * where there is one the bound, a FUSE server that does nothing - in alternating order, and each
 * turn gives one sample. Ratios are made turn by turn, so that what slows the machine for a while
 * slows both sides of a pair.
 */
#ifndef UCGROUP_BENCH_H
#define UCGROUP_BENCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ucgroup/ucgroup.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_ROUNDS 64

/* What cannot be measured ends the run: exit status 1, with the reason. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- samples -------------------------------------------------------------------------------- */

struct samples {
	double v[MAX_ROUNDS];
	size_t n;
};
struct summary {
	double q1, median, q3;
	size_t n;
};
void samples_add(struct samples *s, double v);
struct summary samples_summary(const struct samples *s);
uint64_t now_ns(void); /* CLOCK_MONOTONIC */

/* ---- rows ----------------------------------------------------------------------------------- */

enum side { KERNEL, OURS, BOUND, SIDES };

enum goal_kind {
	GOAL_RATIO,    /* ours : kernel */
	GOAL_ABSOLUTE, /* ours, in the row's unit */
	GOAL_NONE,     /* shown beside another row */
};

struct bench;
/* One turn of the work; how much one operation took, in the row's unit. */
typedef double (*turn_fn)(struct bench *b);

struct row {
	const char *id, *work, *unit;
	enum goal_kind kind;
	double goal;
	size_t rounds;
	turn_fn turn[SIDES]; /* NULL: there is no such side */
	bool cold;	     /* no turn before those that count */
	bool rest;	     /* the machine is left alone for a moment before each turn */
	void (*after)(struct bench *b); /* takes away what the turns have left; may be NULL */
	const char *note;		/* how the sides differ, where they do; may be NULL */

	struct samples samples[SIDES], ratio, to_bound;
};

/* Fills in the row's samples. */
void row_measure(struct bench *b, struct row *row);
bool row_meets_goal(const struct row *row);

/* The rows of each file; at the end one without id. */
extern struct row memory_rows[], move_rows[], tree_rows[], release_rows[], hook_rows[];

/* ---- where it happens ----------------------------------------------------------------------- */

/* Below the directory of the run; made by bench/run. */
struct bench {
	const char *dir;
	pid_t daemon;
	struct ucgroup *c;
	/* By side: a hierarchy without subsystems, and (not BOUND) one with cpuset. */
	char top[SIDES][PATH_MAX], cpuset[SIDES][PATH_MAX];

	pid_t mover; /* who is moved about, one at a time */
	/* The first BENCH_MEMBERS are in the group "big" on both sides, the others move together. */
	pid_t tasks[6000];
	size_t n_tasks;
};

#define BENCH_MEMBERS 5000
#define BENCH_LABEL "bench" /* of ucgroup's hierarchy in top[OURS] */

/* A process that only waits to be killed, or what runs FN. */
pid_t spawn(int (*fn)(void *arg), void *arg);
void end_process(pid_t pid);
void write_file(const char *path, const char *text);
void put_task(const char *dir, pid_t pid); /* into DIR, by its file */
void make_dir(const char *path);
void remove_dir(const char *path);
char *path_of(char *buf, const char *dir, const char *name); /* BUF of PATH_MAX */

/* ---- output --------------------------------------------------------------------------------- */

void print_heading(void);
void print_row(const struct row *row);
/* All of it as JSON; false and errno when it cannot be written. */
bool write_json(const char *path, struct row *const *rows, size_t n);

#endif
