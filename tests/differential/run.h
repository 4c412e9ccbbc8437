/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.h - one run of a sequence in one world: doing an operation on both sides, comparing what
 * came of it, and telling the differences that are meant from those that are not.
 */
#ifndef DIFFERENTIAL_RUN_H
#define DIFFERENTIAL_RUN_H

#include "pool.h"
#include "tree.h"
#include "world.h"

#define WHY_MAX 4096

/* Differences for the test of the test: done to the ucgroup side behind its back. */
enum plant { PLANT_NONE, PLANT_RENAME, PLANT_NOTIFY, PLANT_MOVE };

struct run {
	struct world *world;
	struct pool pool;
	struct tree tree;
	enum plant plant;
	char why[WHY_MAX]; /* what was different */
	/* Of the last operation, where it was on files: errno or 0; by whom. */
	int err;
	bool by_user;
};

enum verdict {
	SAME,
	SKIPPED,   /* makes no sense here: who should do it is dead, ... */
	DIFFERENT, /* or the test itself could not go on; run->why says which */
};

/* What is compared: the answers of both sides, and what the operation was about. */
struct diff {
	struct run *run;
	const struct op *op;
	const struct command *command;
	struct reply *v1, *ucg;
	const char *file;	     /* the last component of the path, or of what the handle is */
	int group;		     /* where the file or directory is; GROUP_NONE: unknown */
	bool tasks;		     /* it is `tasks` or `cgroup.procs` */
	int ns;			     /* the pid namespace of who did it */
	const struct handle *handle; /* ON_HANDLE */
};

int run_begin(struct run *run, struct world *world, enum plant plant);
int run_end(struct run *run);
enum verdict run_op(struct run *run, const struct op *op);

/* verify.c: compares everything there is. 0, or -1 and run->why. */
int run_verify(struct run *run);

/* Leaves of a list of tasks only the puppets' as seen in NS; rewrites R in place. */
void only_puppets(const struct run *run, int ns, struct reply *r);

/* ---- intended.c ---------------------------------------------------------------------------- */

/*
 * Is the difference in D meant? Then the side that is behind is brought to where the other is, so
 * that the sequence can go on, and the entry's use is counted.
 */
bool intended(struct diff *d);
/* Takes out of a listing what only one side has on purpose. */
void intended_listing(enum side side, struct reply *r);
/* A list read through an open file: compared with the picture taken at open. */
void intended_picture_used(void);

/* Whoever did D goes to position TO in his open file, on both sides. 0, or -1 and run->why. */
int intended_seek(const struct diff *d, long to);

/* Says of each entry how often it was met. */
void intended_report(FILE *out);

/* compare.c: true when the same, or meant to differ; else run->why is filled in. */
bool compare(struct diff *d);
/*
 * The kernel counts the tasks of a group, then lists that many; of the root's, to which everybody's
 * forks belong, the last ones may be missing. So before a list of the root's is found to differ the
 * kernel is asked AGAIN, many times; what ucgroup answered at first stays. AGAIN: 0, or -1 and
 * run->why. True as above.
 */
bool compare_patiently(struct diff *d, int (*again)(struct diff *d));

/* For messages: bytes as a C string, shortened. */
void show_bytes(char *out, size_t size, const char *bytes, size_t n);

#endif
