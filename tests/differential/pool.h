/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.h - the driver's book of puppets: which slot is a thread of which process, who is whose
 * parent, who has died and waits to be reaped, who has which file open.
 *
 * The book is kept by what the operations mean, and the kernel is asked only to wait for what the
 * book says must come: a death, a birth. What never comes is a failure of the test.
 */
#ifndef DIFFERENTIAL_POOL_H
#define DIFFERENTIAL_POOL_H

#include "puppet.h"
#include "tree.h"

#define PROCS (SLOTS + 1)
#define PARENT_DRIVER -1

enum task_state {
	TASK_NONE,
	TASK_LIVE,
	TASK_GONE_LEADER, /* its thread ended, other threads of the process live */
	TASK_ZOMBIE	  /* its process died and was not reaped */
};

/* What a list of tasks must show through an open file, which processes may share by fork. */
struct picture {
	int refs;
	int ns; /* whose numbers these are */
	size_t len;
	char *data;
};

/* What a process has open under a handle's number. */
struct handle {
	bool used;
	bool dir, tasks;	 /* a directory; a list of tasks (`tasks`, `cgroup.procs`) */
	bool append;		 /* opened with O_APPEND */
	bool removed;		 /* its group is no more */
	int group;		 /* tree.h */
	char file[32];		 /* the name of the file, "" for a directory */
	struct picture *picture; /* tasks, else NULL */
};

struct task {
	enum task_state state;
	int proc;
	pid_t tid; /* in the driver's namespace; kept after death until the slot is used again */
	pid_t own_tid; /* in its own namespace */
	int ns;
};

struct proc {
	bool used, dead;
	pid_t tgid;
	int parent; /* a proc, or PARENT_DRIVER */
	int leader; /* slot */
	int ns;	    /* 0: the driver's; else 1 + the proc that is its init */
	struct handle handle[HANDLES];
};

struct pool {
	struct task task[SLOTS];
	struct proc proc[PROCS];
};

void pool_init(struct pool *pool);
/* Kills and reaps every puppet there is. */
void pool_destroy(struct pool *pool);

/* Can OP be done at all now (its slot lives, its target is free, ...)? */
bool pool_can(const struct pool *pool, const struct op *op);

/*
 * Does the LIFE operation OP and waits until it is over and done with: a child has come to life,
 * a dead task is no longer in any group. 0, or -1 with WHY (SIZE bytes) filled in.
 */
int pool_life(struct pool *pool, const struct op *op, char *why, size_t size);

/* Has the puppet in SLOT do the command written into its channel. 0 or -1 and WHY. */
int pool_ask(struct pool *pool, int slot, char *why, size_t size);

/* The tid of SLOT as a task in namespace NS sees it; -1: unknown, or maybe a stranger's. */
int pool_tid(const struct pool *pool, int slot, int ns, pid_t *tid);
/* The slot whose live task or tgid has this number in namespace NS, or -1. */
int pool_find(const struct pool *pool, pid_t number, int ns);

void handle_drop(struct handle *h);
/* The group G has been removed. */
void handles_removed(struct pool *pool, int g);
/* P shows DATA, with numbers of the namespace NS, from now on. P NULL: a new one. */
struct picture *picture_set(struct picture *p, int ns, const char *data, size_t len);

static inline struct proc *pool_proc(struct pool *pool, int slot)
{
	return &pool->proc[pool->task[slot].proc];
}

#endif
