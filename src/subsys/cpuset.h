/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuset.h - what the files of the cpuset subsystem share.
 *
 * cpuset.c		its callbacks: making, copying, entering
 * cpuset_files.c	its control files
 * cpuset_rules.c	which sets and flags there may be
 * cpuset_tasks.c	the members' CPU affinity
 * cpuset_hotplug.c	CPUs and memory nodes that come and go
 * cpuset_memory.c	moving pages
 * cpuset_world.c	what all that asks of the system
 * cpuset_mask.c	sets and their text
 */
#ifndef UCGROUP_SUBSYS_CPUSET_H
#define UCGROUP_SUBSYS_CPUSET_H

#include <ucgroup/subsys.h>
#include <subsys/cpuset_mask.h>

/* As v1 has them. What they bring about here is in ucgroup-cpuset(7). */
enum cpuset_flag {
	CPUSET_CPU_EXCLUSIVE,
	CPUSET_MEM_EXCLUSIVE,
	CPUSET_MEM_HARDWALL,
	CPUSET_MEMORY_MIGRATE,
	CPUSET_SCHED_LOAD_BALANCE,
	CPUSET_SPREAD_PAGE,
	CPUSET_SPREAD_SLAB,
};

struct cpuset {
	struct cgroup_subsys_state css; /* first */
	struct cpuset_ctx *ctx;
	/*
	 * What there is not, offline, is never in them; and they are within the parent's: so they
	 * are the effective ones, too.
	 */
	struct mask cpus, mems;
	unsigned int flags; /* 1 << enum cpuset_flag */
	int relax_domain_level;
	bool occupied; /* has, or is about to get, a task */
	bool watched;  /* occupied, and leaves out some CPU */
	bool warned;   /* of a member that does not obey */
};

/* The system as cpuset sees it; tests have another one. Errors are negative errno values. */
struct cpuset_world {
	void *arg;
	/* How many bits the kernel's masks of CPUs and memory nodes have. */
	int (*sizes)(void *arg, unsigned int *n_cpus, unsigned int *n_nodes);
	/* The CPUs that are online, the nodes that have memory. */
	int (*online)(void *arg, struct mask *cpus, struct mask *mems);
	int (*get_affinity)(void *arg, pid_t tid, struct mask *cpus);
	int (*set_affinity)(void *arg, pid_t tid, const struct mask *cpus);
	/* Move the pages of process TGID; returns at once. */
	void (*migrate)(void *arg, pid_t tgid, const struct mask *from, const struct mask *to);
	/* A socket to hear of CPUs and nodes on; and whether there is news on it, which it eats. */
	int (*hotplug_open)(void *arg);
	bool (*hotplug_news)(void *arg, int fd);
};

extern const struct cpuset_world cpuset_system;

/* One a daemon, in cgroup_subsys.private_data. */
struct cpuset_ctx {
	struct cgroup_subsys *ss;
	const struct cpuset_world *world;
	unsigned int n_cpus, n_nodes;
	struct cpuset *root;
	size_t n_cpusets; /* without the root */
	size_t n_watched;
	bool watching;	    /* the tracker tells of affinities */
	bool watch_failed;  /* said so in the log */
	int linger_fd;	    /* a timer, until which we go on watching; -1: none */
	int hotplug_fd;	    /* -1: none */
	unsigned int noted; /* of which files it was said in the log that they have no effect */
};

static inline struct cpuset *cpuset_of(const struct cgroup *cgrp, const struct cgroup_subsys *ss)
{
	return (struct cpuset *)css_of(cgrp, ss);
}

static inline bool cpuset_is_root(const struct cpuset *cs)
{
	return cs == cs->ctx->root;
}

static inline bool cpuset_has_flag(const struct cpuset *cs, enum cpuset_flag flag)
{
	return cs->flags >> flag & 1;
}

/* Does it keep its members off some CPU? */
static inline bool cpuset_restricts(const struct cpuset *cs)
{
	return !mask_equal(&cs->cpus, &cs->ctx->root->cpus);
}

struct cpuset *cpuset_parent(const struct cpuset *cs); /* NULL for the root */
struct cpuset *cpuset_first_child(const struct cpuset *cs);
struct cpuset *cpuset_next_sibling(const struct cpuset *cs);

/* cpuset_files.c */
extern const struct cftype cpuset_files[];

/* cpuset_rules.c: as in v1, with its errors */
int cpuset_write_cpus(struct cpuset *cs, const char *text);
int cpuset_write_mems(struct cpuset *cs, const char *text);
int cpuset_write_flag(struct cpuset *cs, enum cpuset_flag flag, bool on);

/* cpuset_tasks.c */
/* Before TASK is moved from OLD to CS. -ENOMEM. */
int cpuset_task_leaving(struct cpuset *cs, struct cpuset *old, const struct cgroup_task *task);
/* It has been, or (CS is where it was) has not been. */
void cpuset_task_arrived(struct cpuset *cs, struct cpuset *old, const struct cgroup_task *task);
/* Every member's affinity, after CS or the system has changed. WAS: its CPUs before, NULL for all. */
void cpuset_apply(struct cpuset *cs, const struct mask *was);
/* CS has become (un)occupied, or its CPUs or the system's have changed. */
void cpuset_recount(struct cpuset *cs);
void cpuset_affinity(struct cgroup_subsys *ss, const struct cgroup_task *task, unsigned int why);
void cpuset_tasks_exit(struct cpuset_ctx *ctx);

/* cpuset_hotplug.c */
/* Takes in what has come or gone, if anything has. */
void cpuset_look_at_system(struct cpuset_ctx *ctx);
/* Listen while there are cpusets that need to know. */
void cpuset_listen(struct cpuset_ctx *ctx);
void cpuset_unlisten(struct cpuset_ctx *ctx);

/* cpuset_memory.c */
/* The pages of CS's processes (TASK NULL), or of TASK's, go from the nodes FROM to CS's. */
void cpuset_migrate(struct cpuset *cs, const struct mask *from, const struct cgroup_task *task);
void cpuset_memory_move(void *arg, pid_t tgid, const struct mask *from, const struct mask *to);

#endif
