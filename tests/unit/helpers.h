/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helpers.h - what the unit tests of the core share: short ways to do things that must succeed, and
 * a made-up subsystem that writes down every call it gets and fails where it is told to.
 */
#ifndef UCGROUP_TESTS_HELPERS_H
#define UCGROUP_TESTS_HELPERS_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Root, owner of the instance; and somebody who is neither. */
extern const struct core_cred root_cred, user_cred;

/* ---- hierarchies and cgroups ---- */

/* Parse and mount. 0 or the error of whichever failed; an error comes with a message, or else. */
int try_mount(struct fake_world *fw, const char *opts, struct hierarchy **h);
int try_remount(struct fake_world *fw, struct hierarchy *h, const char *opts);
struct hierarchy *mount_ok(struct fake_world *fw, const char *opts);
int try_mkdir(struct cgroup *parent, const char *name, struct cgroup **cgrp);
struct cgroup *mkdir_ok(struct cgroup *parent, const char *name);
void rmdir_ok(struct cgroup *cgrp);
struct cgroup *child(struct cgroup *parent, const char *name); /* NULL: none */

/* ---- files ---- */

struct cgroup_file *open_file(struct cgroup *cgrp, const char *name, int flags,
			      const struct core_cred *cred);

ssize_t write_as(struct cgroup *cgrp, const char *file, const char *text, size_t len,
		 const struct core_cred *cred);
ssize_t write_text(struct cgroup *cgrp, const char *file, const char *text); /* as root */
void write_ok(struct cgroup *cgrp, const char *file, const char *text);
/* Opens, reads to the end, closes; the text is to be freed. The error of a failed read in *err. */
char *read_text(struct cgroup *cgrp, const char *file, int *err);
bool has_file(struct cgroup *cgrp, const char *file);

#define assert_reads(cgrp, file, text)                                                             \
	do {                                                                                       \
		int read_err_;                                                                     \
		char *read_text_ = read_text(cgrp, file, &read_err_);                              \
		assert_int_equal(read_err_, 0);                                                    \
		assert_string_equal(read_text_, text);                                             \
		free(read_text_);                                                                  \
	} while (0)

/* The cgroup lists exactly these tids (or tgids): assert_tasks(cgrp, 10, 11), assert_no_tasks(c). */
void check_list(struct cgroup *cgrp, bool tgids, const pid_t *want, size_t n, const char *where,
		int line);
#define assert_tasks(cgrp, ...)                                                                    \
	check_list(cgrp, false, (const pid_t[]){__VA_ARGS__},                                      \
		   sizeof((const pid_t[]){__VA_ARGS__}) / sizeof(pid_t), __FILE__, __LINE__)
#define assert_procs(cgrp, ...)                                                                    \
	check_list(cgrp, true, (const pid_t[]){__VA_ARGS__},                                       \
		   sizeof((const pid_t[]){__VA_ARGS__}) / sizeof(pid_t), __FILE__, __LINE__)
#define assert_no_tasks(cgrp) check_list(cgrp, false, NULL, 0, __FILE__, __LINE__)

void attach_ok(struct cgroup *cgrp, pid_t tid);

/* ---- releases ---- */

/* Takes everything off H's queue; the paths, each followed by a space, into BUF. */
const char *take_releases(struct hierarchy *h, char *buf, size_t size);
#define assert_releases(h, text)                                                                   \
	do {                                                                                       \
		char releases_[4096];                                                              \
		assert_string_equal(take_releases(h, releases_, sizeof(releases_)), text);         \
	} while (0)

/* ---- a subsystem that writes down its calls ---- */

/* All of a test's subsystems write into one trace: "a.create /x; b.create /x; ". */
struct trace {
	char text[65536];
	size_t len;
	bool muted;
};
#define assert_trace(trace, want)                                                                  \
	do {                                                                                       \
		assert_string_equal((trace)->text, want);                                          \
		trace_clear(trace);                                                                \
	} while (0)
void trace_clear(struct trace *trace);
void trace_add(struct trace *trace, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct fake_css {
	struct cgroup_subsys_state css; /* first */
	uint64_t u;
	int64_t s;
	char text[64];
	int cloned; /* times post_clone was called on it */
};

struct fake_subsys {
	struct cgroup_subsys ss; /* first */
	char name[CGROUP_SUBSYS_NAME_MAX + 1];
	struct trace *trace;
	struct cftype populated; /* what populate() adds to each cgroup */
	/* Errors to answer, until cleared; 0: none. */
	int create_err, pre_destroy_err, can_attach_err, populate_err;
	pid_t can_attach_err_tid; /* 0: for every task */
	bool fork_exit_in_trace;
	int n_css;		   /* created and not destroyed */
	int n_bound;		   /* calls of bind */
	struct cgroup *bound_root; /* of the last one */
	struct cgroup_subsys_state *dropped_in_pre_destroy;
	/* Run inside the callback, before it answers. */
	void (*in_can_attach)(struct fake_subsys *fs, struct cgroup *cgrp, pid_t tid);
	void (*in_attach)(struct fake_subsys *fs, struct cgroup *cgrp, pid_t tid);
	void (*in_fork)(struct fake_subsys *fs, const struct cgroup_task *task);
	void (*in_exit)(struct fake_subsys *fs, const struct cgroup_task *task);
	void *hook_arg;
};

/* All callbacks set, fork and exit too only with FORK_EXIT. Not registered yet. */
void fake_subsys_init(struct fake_subsys *fs, const char *name, struct trace *trace,
		      bool fork_exit);
void fake_subsys_register(struct fake_world *fw, struct fake_subsys *fs);
struct fake_css *fake_css_of(struct cgroup *cgrp, struct fake_subsys *fs);

/* ---- a world to move tasks in ---- */

/*
 * Process 10 of the threads 10 to 13, and process 20 of one; the subsystem "a", which is A; and *H, mounted
 * with OPTS.
 */
struct fake_world *two_processes(struct fake_subsys *a, struct trace *trace, const char *opts,
				 struct hierarchy **h);
/* For fw->on_pause: births under way do not finish. */
void wait_in_vain(struct fake_world *fw);

#endif
