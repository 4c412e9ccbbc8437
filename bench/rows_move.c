// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rows_move.c - moving tasks, and reading who is in a group.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define MOVES 200	/* a turn */
#define MANY 1000	/* tasks in one call */
#define READS 10	/* a turn */
#define READ_SIZE 65536 /* as cat(1) and the like do, or more */

/* The two groups that tasks go to and fro between. */
static const char *const names[] = {"a", "b"};

/* Microseconds of each of N moves. */
static double move_by_file(struct bench *b, enum side side, int n)
{
	char path[2][PATH_MAX], text[16];
	size_t len = (size_t)snprintf(text, sizeof(text), "%d", (int)b->mover);
	uint64_t start;

	for (int i = 0; i < 2; i++)
		path_of(path[i], path_of(path[i], b->top[side], names[i]), "tasks");
	start = now_ns();
	for (int i = 0; i < n; i++) {
		int fd = open(path[i & 1], O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, text, len) != (ssize_t)len)
			die("moving a task through %s: %s", path[i & 1], strerror(errno));
		close(fd);
	}
	return (double)(now_ns() - start) / 1e3 / n;
}

#define MOVE_TURN(name, side, n)                                                                   \
	static double name(struct bench *b)                                                        \
	{                                                                                          \
		return move_by_file(b, side, n);                                                   \
	}
MOVE_TURN(kernel_move, KERNEL, MOVES)
MOVE_TURN(our_move, OURS, MOVES)
MOVE_TURN(bound_move, BOUND, MOVES)
/* An even number: who is moved is where he was. */
MOVE_TURN(kernel_lone, KERNEL, 2)
MOVE_TURN(our_lone, OURS, 2)
MOVE_TURN(bound_lone, BOUND, 2)

/* The kernel has just moved something else, and so waits for no grace period. */
static double kernel_stream(struct bench *b)
{
	move_by_file(b, KERNEL, 2);
	return move_by_file(b, KERNEL, MOVES);
}

static double library_move(struct bench *b)
{
	static const char *const dirs[] = {BENCH_LABEL ":/a", BENCH_LABEL ":/b"};
	uint64_t start = now_ns();

	for (int i = 0; i < MOVES; i++) {
		int rc = ucgroup_move(b->c, dirs[i & 1], b->mover, UCGROUP_THREADS);

		if (rc)
			die("ucgroup_move: %s", strerror(-rc));
	}
	return (double)(now_ns() - start) / 1e3 / MOVES;
}

/* The file is opened once: nobody writes a thousand numbers otherwise. */
static double kernel_write_many(struct bench *b)
{
	char path[PATH_MAX], text[16];
	static unsigned int turn;
	uint64_t start;
	int fd;

	path_of(path, path_of(path, b->top[KERNEL], names[turn++ & 1]), "tasks");
	start = now_ns();
	fd = open(path, O_WRONLY | O_CLOEXEC);
	for (size_t i = 0; i < MANY; i++) {
		size_t len = (size_t)sprintf(text, "%d", (int)b->tasks[BENCH_MEMBERS + i]);

		if (fd < 0 || write(fd, text, len) != (ssize_t)len)
			die("moving a task through %s: %s", path, strerror(errno));
	}
	close(fd);
	return (double)(now_ns() - start) / 1e3 / MANY;
}

static double our_move_many(struct bench *b)
{
	static const char *const dirs[] = {BENCH_LABEL ":/a", BENCH_LABEL ":/b"};
	static unsigned int turn;
	uint64_t start = now_ns();
	int rc = ucgroup_move_many(b->c, dirs[turn++ & 1], b->tasks + BENCH_MEMBERS, MANY,
				   UCGROUP_THREADS, NULL);

	if (rc)
		die("ucgroup_move_many: %s", strerror(-rc));
	return (double)(now_ns() - start) / 1e3 / MANY;
}

/* Milliseconds to read `tasks` of the group "big" to its end. */
static double read_tasks(struct bench *b, enum side side)
{
	static char buf[READ_SIZE];
	char path[PATH_MAX];
	uint64_t start;

	path_of(path, path_of(path, b->top[side], "big"), "tasks");
	start = now_ns();
	for (int i = 0; i < READS; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		size_t lines = 0;
		ssize_t n;

		while ((n = read(fd, buf, sizeof(buf))) > 0)
			for (const char *p = buf; (p = memchr(p, '\n', (size_t)(buf + n - p))); p++)
				lines++;
		if (n < 0 || lines != BENCH_MEMBERS)
			die("%s: %zu lines, then: %s", path, lines,
			    n < 0 ? strerror(errno) : "end");
		close(fd);
	}
	return (double)(now_ns() - start) / 1e6 / READS;
}

static double kernel_read(struct bench *b)
{
	return read_tasks(b, KERNEL);
}

static double our_read(struct bench *b)
{
	return read_tasks(b, OURS);
}

static double bound_read(struct bench *b)
{
	return read_tasks(b, BOUND);
}

struct row move_rows[] = {
	{
		.id = "read-5000",
		.work = "read `tasks` of 5,000 members",
		.unit = "ms",
		.kind = GOAL_RATIO,
		.goal = 0.05,
		.rounds = 15,
		.rest = true,
		.turn = {kernel_read, our_read, bound_read},
	},
	{
		.id = "move-file",
		.work = "move a task: open, write, close of `tasks`",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 1.0,
		.rounds = 21,
		.rest = true,
		.turn = {kernel_move, our_move, bound_move},
		.note = "a burst of 200 after a rest; the kernel waits for an RCU grace period at "
			"its beginning",
	},
	{
		.id = "move-file-lone",
		.work = "- the first two moves after a rest",
		.unit = "µs",
		.kind = GOAL_NONE,
		.rounds = 21,
		.rest = true,
		.turn = {kernel_lone, our_lone, bound_lone},
	},
	{
		.id = "move-file-stream",
		.work = "- moves that follow others at once",
		.unit = "µs",
		.kind = GOAL_NONE,
		.rounds = 21,
		.rest = true,
		.turn = {kernel_stream, our_move, bound_move},
		.note = "without the grace period",
	},
	{
		.id = "move-library",
		.work = "move a task by libucgroup, one call each",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 0.33,
		.rounds = 21,
		.rest = true,
		.turn = {kernel_move, library_move},
		.note = "the kernel's side by open, write, close",
	},
	{
		.id = "move-1000",
		.work = "move 1,000 tasks in one call, per task",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 0.06,
		.rounds = 21,
		.rest = true,
		.turn = {kernel_move, our_move_many},
		.note = "the kernel's side by open, write, close",
	},
	{
		.id = "move-1000-writes",
		.work = "- beside 1,000 writes to one open file",
		.unit = "µs",
		.kind = GOAL_NONE,
		.rounds = 11,
		.rest = true,
		.turn = {kernel_write_many, our_move_many},
	},
	{0},
};
