/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * property.h - one run of the property test: a core over made-up tasks, the model beside it, and
 * random operations done to both.
 *
 * An operation is a kind and four random numbers, which are read as choices among what is there when
 * it runs. So any part of a sequence is a sequence too, and a failing one can be made small by
 * leaving operations out.
 */
#ifndef UCGROUP_TESTS_PROPERTY_H
#define UCGROUP_TESTS_PROPERTY_H

#include <stdio.h>

#include "../unit/fake_world.h"
#include "model.h"

enum op_kind {
	OP_FORK,
	OP_FORK_BEGIN,
	OP_FORK_END,
	OP_FORK_UNDO,
	OP_EXIT,
	OP_EXIT_BEGIN,
	OP_EXIT_END,
	OP_EXEC,
	OP_SPAWN,
	OP_SETUID,
	OP_ATTACH,
	OP_ATTACH_MANY,
	OP_ATTACH_PROCESS,
	OP_MKDIR,
	OP_RMDIR,
	OP_RENAME,
	OP_GET,
	OP_PUT,
	OP_NOTIFY,
	OP_CLONE_CHILDREN,
	OP_SET_U,
	OP_MOUNT,
	OP_UMOUNT,
	OP_REMOUNT,
	OP_REAP,
	OP_DELIVER,
	OP_CLONE,
	OP_OPEN,
	OP_READ,
	OP_CLOSE,
	OP_SETTLE,
	OP_LOOK,
	OP_LOSE,
	N_OPS,
};

struct op {
	uint32_t kind;
	uint32_t r[4];
};

/* A subsystem that counts the tasks of each group by what it is told, and fails when it should. */
struct prop_subsys {
	struct cgroup_subsys ss; /* first */
	struct cftype files[2];
	char name[4], file_name[4];
	int create_err, populate_err, pre_destroy_err, can_attach_err;
	pid_t can_attach_tid; /* 0: for every task */
	int n_css;
	int granted; /* let in, and neither attached nor cancelled yet */
};

struct prop_css {
	struct cgroup_subsys_state css; /* first */
	int64_t count;
	uint64_t u;
};

enum { P_FILES = 4 };
struct prop_file {
	struct cgroup_file *file;
	uint64_t serial;
	char *picture; /* what it must read; NULL: not known */
};

/* What the world does while a task is being moved. */
enum race { RACE_NONE, RACE_EXIT, RACE_FORK, RACE_FORK_THREAD, RACE_BEGIN_THREAD, N_RACES };

struct prop {
	struct model m;
	struct fake_world *fw;
	struct prop_subsys ss[M_SUBSYS];
	struct prop_file files[P_FILES];
	bool lossy;   /* log entries get lost in this run */
	bool verbose; /* say what is done */
	const char *op_name;
	size_t op_number;
	unsigned int n_lost; /* as of the last settle */
	uint64_t n_done[N_OPS], n_refused[N_OPS], n_delivered, n_reprieved, n_races;
	/* the move under way */
	int target;
	int saved[M_TIDS]; /* groups before it, in the target's hierarchy */
	int n_moved;
	enum race race_before, race_after;
	unsigned int race_left;
	uint32_t race_r;
	unsigned int rebuild_left; /* changes of the world while the lists are rebuilt */
};

/* What a run has done, for whoever started it. */
struct prop_result {
	size_t n_ops; /* done; the failing one is the next */
	bool failed;
	uint64_t n_done[N_OPS], n_refused[N_OPS], n_delivered, n_reprieved, n_races, n_rebuilds;
	char message[512];
};

struct prop_run {
	const struct op *ops;
	size_t n_ops;
	size_t full_every; /* ops between full comparisons */
	bool lossy, verbose;
};
/* Runs in a process of its own: a crash is a failure like others. */
void prop_run(const struct prop_run *run, struct prop_result *result);

extern const char *const op_names[N_OPS];
/* Random operations from a seed. */
void ops_generate(struct op *ops, size_t n, uint64_t seed);

/* ---- within a run ---- */

void prop_fail(const struct prop *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
#define EXPECT(p, cond, ...)                                                                       \
	do {                                                                                       \
		if (!(cond))                                                                       \
			prop_fail(p, __VA_ARGS__);                                                 \
	} while (0)
void prop_say(const struct prop *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One operation: ops_tasks.c, ops_groups.c. */
void prop_op(struct prop *p, const struct op *op);
void op_task(struct prop *p, const struct op *op);
void op_move(struct prop *p, const struct op *op);
void op_group(struct prop *p, const struct op *op);
void op_mount(struct prop *p, const struct op *op);

/* choices; 0 or -1 when there is none */
pid_t pick_tid(const struct prop *p, enum m_state state, uint32_t r);
pid_t pick_free_tid(const struct prop *p, uint32_t r);
int pick_group(const struct prop *p, uint32_t r); /* roots too */
int pick_below(const struct prop *p, uint32_t r); /* without roots */
int pick_hierarchy(const struct prop *p, uint32_t r);

/* both worlds at once */
void both_fork(struct prop *p, pid_t parent, pid_t child, pid_t tgid);
void both_fork_begin(struct prop *p, pid_t parent, pid_t child, pid_t tgid);
void both_fork_end(struct prop *p, pid_t child);
void both_exit(struct prop *p, pid_t tid);
void both_exit_end(struct prop *p, pid_t tid);
/* The core has just settled: the model may draw a line. */
void settled(struct prop *p);

/* check.c */
void check_light(struct prop *p, int group); /* does not settle */
void check_group(struct prop *p, int group);
void check_moved(struct prop *p, pid_t tid);
void check_all(struct prop *p);

/* subsys.c */
void prop_subsys_init(struct prop_subsys *ps, char name);
struct prop_css *prop_css_of(struct cgroup *cgrp, struct prop_subsys *ps);

#endif
