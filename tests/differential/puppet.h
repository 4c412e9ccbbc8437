/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * puppet.h - the processes that live in both hierarchies, and how the driver commands them.
 *
 * Each task (thread) has a slot, and in memory shared by all a channel on which it takes one
 * command at a time. Nothing happens in a puppet but what the driver commanded, and the driver
 * commands one thing at a time: so a run depends on nothing but the sequence of operations.
 */
#ifndef DIFFERENTIAL_PUPPET_H
#define DIFFERENTIAL_PUPPET_H

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>

#include "op.h"

/* Descriptors every puppet has, also after exec. */
#define FD_SUPERVISOR 90 /* a pidfd: readable when there is nobody left to be commanded by */
#define FD_SHARED 91
#define FD_PROGRAM 92
#define FD_HANDLES 100 /* handle H on side S: FD_HANDLES + 2 * H + S */

#define DATA_MAX 8192
#define REPLY_MAX 131072

/* Ordinary users; nobody on the machine is expected to have these. */
#define USER1 61001
#define USER2 61002

struct command {
	enum op_kind kind;
	int target, handle, num;
	bool flip;
	mode_t mode;
	int uid, gid;
	long off;
	size_t count;
	char path[PATH_MAX], path2[PATH_MAX]; /* below the mount point */
	char data[SIDES][DATA_MAX];
	size_t len[SIDES];
};

struct reply {
	long ret; /* what the call returned, -1 with ERR */
	int err;  /* errno, or 0 */
	long pos; /* hread: where it read */
	size_t len;
	char data[REPLY_MAX];
};

struct channel {
	_Atomic uint32_t asked, answered; /* equal: nothing to do */
	_Atomic uint32_t hello;		  /* a task has come to live here */
	/* Told by the task that lives here. */
	pid_t tid, tgid; /* in the namespace of /proc, which is the driver's */
	pid_t own_tid;	 /* in its own */
	uid_t euid;
	struct command command;
	struct reply reply[SIDES]; /* LIFE operations: the first only */
};

struct shared {
	char base[SIDES][80]; /* mount points */
	_Atomic uint32_t progress;
	_Atomic int daemon; /* its pid, 0: none */
	int patience;	    /* ms to wait for what must come */
	char doing[512];    /* the operation under way, for when nothing moves any more */
	struct channel channel[SLOTS];
};

extern struct shared *shared;

/* Makes the shared memory as FD_SHARED and opens FD_PROGRAM. Exits on failure. */
void shared_create(void);
void shared_attach(void);

/* Takes commands for SLOT until told to end; never returns. */
_Noreturn void puppet_run(int slot);
/* The program's main when it was exec'd as a puppet. */
_Noreturn void puppet_main(int argc, char **argv);

/* Does the file operation C on SIDE. */
void puppet_file_op(const struct command *c, enum side side, struct reply *r);

/* Sleeps while *WORD is VAL, at most MS milliseconds. */
void word_wait(_Atomic uint32_t *word, uint32_t val, int ms);
void word_set(_Atomic uint32_t *word, uint32_t val);

#endif
