/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.h - what the core must do, the naive way: plain arrays, and everything that follows from them
 * recomputed from scratch.
 *
 * There are no css_sets here, no counts and no log: a task is in one group of each hierarchy, and a
 * group is idle when a look through all arrays finds nothing in it.
 */
#ifndef UCGROUP_TESTS_MODEL_H
#define UCGROUP_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <core/core.h>

enum {
	M_TIDS = 96,
	M_HIERARCHIES = 8,
	M_SUBSYS = 3,
	M_GROUPS = 48, /* the first M_HIERARCHIES are the roots */
	M_NAME = 16,
	M_SPANS = 6,
};

enum m_state { M_FREE, M_UNBORN, M_ALIVE, M_DYING };

struct m_task {
	enum m_state state;
	pid_t tgid;
	uid_t uid, suid;
	bool fixed;
	int group[M_HIERARCHIES];
	unsigned int rebuilds; /* seen when it began to die */
};

/* When a group became idle: no earlier and no later than. Exact ones have both alike. */
struct m_span {
	uint64_t lo, hi;
};

struct m_group {
	bool used;
	int h, parent;
	char name[M_NAME];
	uint64_t order; /* of making, among its siblings */
	bool notify, clone_children, releasable;
	bool occupied; /* has held a task or child that no release has accounted for */
	bool idle;     /* as of the last look */
	bool owed;     /* a release is due, unless it is busy again at delivery */
	bool passed;   /* it was busy when somebody looked: it may have been passed over */
	struct m_span spans[M_SPANS];
	int n_spans;
	int refs[M_SUBSYS];
	uint64_t u[M_SUBSYS]; /* a parameter, copied by post_clone */
	struct cgroup *cgrp;
	uint64_t serial;
};

struct m_hierarchy {
	bool active;
	unsigned int mask;
	char name[M_NAME];
	bool noprefix;
	unsigned int mounts;
	uint64_t order;
	struct hierarchy *h;
	bool ready; /* the core has said that there is something to deliver */
};

struct model {
	struct m_task tasks[M_TIDS];
	struct m_group groups[M_GROUPS];
	struct m_hierarchy hierarchies[M_HIERARCHIES];
	uint64_t root_u[M_SUBSYS]; /* a subsystem's root state goes along with it */
	uint64_t now;		   /* counts events */
	/* Between two settles the core cannot know the order of everything. */
	uint64_t epoch_start;
};

void m_init(struct model *m);

/* Looks through all groups for those that have become idle. WIDE: nobody can tell when exactly. */
void m_look(struct model *m, bool wide);
/* The core has settled; LOST: entries were lost since it did so before. */
void m_settled(struct model *m, bool lost);

bool m_is_idle(const struct model *m, int group);
bool m_has_tasks(const struct model *m, int group);
size_t m_count(const struct model *m, int group, enum m_state state);
int m_children(const struct model *m, int group);
int m_child(const struct model *m, int parent, const char *name);
int m_hierarchy_of(const struct model *m, unsigned int subsys); /* -1: the default one */
size_t m_hierarchy_size(const struct model *m, int h);
void m_path(const struct model *m, int group, char *buf, size_t size);

/* What tasks do. */
void m_spawn(struct model *m, pid_t tid, pid_t tgid);
void m_fork_begin(struct model *m, pid_t parent, pid_t child, pid_t tgid);
void m_fork_end(struct model *m, pid_t child);
void m_fork_undo(struct model *m, pid_t child);
void m_exit_begin(struct model *m, pid_t tid, unsigned int rebuilds);
void m_exit_end(struct model *m, pid_t tid, unsigned int rebuilds);
void m_exec(struct model *m, pid_t tid);
void m_enter(struct model *m, pid_t tid, int group);

/* What is done to groups. */
int m_group_add(struct model *m, int parent, const char *name,
		struct cgroup *cgrp); /* its number */
void m_group_remove(struct model *m, int group);
int m_hierarchy_add(struct model *m, unsigned int mask, const char *name, bool noprefix,
		    struct hierarchy *h);
void m_hierarchy_remove(struct model *m, int h);
void m_refs(struct model *m, int group, int subsys, int change);

/* Delivery: GROUP was told; NULL-like -1: there was none any more. False: that is wrong. */
struct m_delivery {
	int h;
	uint64_t at; /* order of what was delivered so far */
	int missing; /* a group that should have been told */
};
bool m_delivered(struct model *m, struct m_delivery *d, int group, const char **why);

#endif
