/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * op.h - one operation of the differential test: what it is, and how it is written down.
 *
 * An operation names processes by slot and files by path, never by a number the kernel gave, so
 * that a sequence means the same in every run, and still means something when some of its
 * operations are left out.
 */
#ifndef DIFFERENTIAL_OP_H
#define DIFFERENTIAL_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define SLOTS 24   /* tasks (threads) alive at once */
#define HANDLES 12 /* files a process keeps open */

enum side { V1, UCG, SIDES };

/* What an operation may change, so that the census is taken only when it can have. */
#define CHANGES_TASKS 1u /* who is in which group */
#define CHANGES_TREE 2u	 /* which groups there are */
#define BY_DRIVER 4u	 /* done by the driver, not by a puppet */
#define LIFE 8u		 /* done once, not once for each side */
#define ON_HANDLE 16u

/*   name         flags */
#define OPS(X)                                                                                     \
	/* processes and threads */                                                                \
	X(spawn, CHANGES_TASKS | BY_DRIVER | LIFE) /* the driver makes a root puppet TARGET */     \
	X(fork, CHANGES_TASKS | LIFE)		   /* SLOT forks TARGET */                         \
	X(vfork_exec, CHANGES_TASKS | LIFE)	   /* vfork, exec */                               \
	X(sibling, CHANGES_TASKS | LIFE)	   /* clone(CLONE_PARENT), exec */                 \
	X(orphan, CHANGES_TASKS | LIFE)		   /* double fork: only TARGET stays */            \
	X(transient, CHANGES_TASKS | LIFE)	   /* NUM children that exit at once, reaped */    \
	X(nsfork, CHANGES_TASKS | LIFE)		   /* TARGET is init of a new pid namespace */     \
	X(thread, CHANGES_TASKS | LIFE)		   /* a new thread TARGET */                       \
	X(exit, CHANGES_TASKS | LIFE)		   /* the thread SLOT ends */                      \
	X(exit_group, CHANGES_TASKS | LIFE)	   /* the process of SLOT ends */                  \
	X(kill, CHANGES_TASKS | BY_DRIVER | LIFE)  /* SIGKILL */                                   \
	X(exec, CHANGES_TASKS | LIFE)		   /* by this thread, leader or not */             \
	X(reap, CHANGES_TASKS | LIFE)		   /* waits for all its zombies */                 \
	X(setsid, LIFE)                                                                            \
	X(become, LIFE) /* takes the ids of combination NUM */                                     \
	X(umask, LIFE)                                                                             \
	/* directories */                                                                          \
	X(mkdir, CHANGES_TREE)                                                                     \
	X(rmdir, CHANGES_TREE)                                                                     \
	X(rename, CHANGES_TREE) /* NUM: flags of renameat2 */                                      \
	X(list, 0)                                                                                 \
	/* files */                                                                                \
	X(write, CHANGES_TASKS) /* NUM: flags of open beside O_WRONLY */                           \
	X(read, 0)		/* COUNT: size of each read */                                     \
	X(stat, 0)                                                                                 \
	X(access, 0)                                                                               \
	X(chmod, 0)                                                                                \
	X(chown, 0)                                                                                \
	X(truncate, 0)                                                                             \
	X(utime, 0)                                                                                \
	X(creat, 0) /* open with O_CREAT and NUM */                                                \
	X(mknod, 0)                                                                                \
	X(symlink, 0)                                                                              \
	X(readlink, 0)                                                                             \
	X(link, 0)                                                                                 \
	X(unlink, 0)                                                                               \
	X(setxattr, 0)                                                                             \
	X(getxattr, 0)                                                                             \
	X(listxattr, 0)                                                                            \
	X(removexattr, 0)                                                                          \
	/* open files and directories, kept over whatever happens to the group */                  \
	X(open, 0)                                                                                 \
	X(close, ON_HANDLE)                                                                        \
	X(hread, ON_HANDLE) /* at OFF, or at the position when OFF < 0 */                          \
	X(hwrite, ON_HANDLE | CHANGES_TASKS)                                                       \
	X(hseek, ON_HANDLE)                                                                        \
	X(hstat, ON_HANDLE)                                                                        \
	X(htruncate, ON_HANDLE)                                                                    \
	X(hchmod, ON_HANDLE)                                                                       \
	X(hxattr, ON_HANDLE)                                                                       \
	X(hlist, ON_HANDLE)                                                                        \
	X(hmkdir, ON_HANDLE | CHANGES_TREE)                                                        \
	X(hopen, ON_HANDLE) /* reads the file PATH of the directory HANDLE */                      \
	/* the test itself */                                                                      \
	X(verify, BY_DRIVER) /* compares everything there is */

enum op_kind {
#define X(name, flags) OP_##name,
	OPS(X)
#undef X
		OP_KINDS
};

/*
 * PATH, PATH2 and DATA are templates: bytes outside the printable ones and `%` are written %xx,
 * and these stand for what only a run knows:
 *   {d5} {x5} {o5}  the tid of slot 5 as the writer sees it: decimal, 0x hexadecimal, 0 octal
 *   {A}             the program that reports releases (another one for each side)
 *   {s9} {z9} {1:9} nine spaces, `z`s, `1`s
 */
struct op {
	enum op_kind kind;
	int slot, target, handle;
	int num;
	int flip; /* ucgroup first, then v1 */
	unsigned int mode;
	int uid, gid;
	long off, count;
	char path[160], path2[160], data[160];
};

const char *op_name(enum op_kind kind);
unsigned int op_flags(enum op_kind kind);

/* One line, without the newline. */
void op_print(FILE *out, const struct op *op);
/* 1: read into OP; 0: nothing but white space or a comment; -1: not an operation. */
int op_parse(const char *line, struct op *op);

/*
 * What a template's tid and agent mean: returns 0 and the number, or -1 when the slot never had a
 * task or its tid may by now be a stranger's.
 */
struct op_names {
	int (*tid)(void *arg, int slot, pid_t *tid);
	void *arg;
	const char *agent;
};

/* Expands TEMPLATE into OUT (not terminated). The length, or -1: cannot be said now. */
ssize_t op_expand(const char *template, const struct op_names *names, char *out, size_t size);

/* Appends N bytes of BYTES to a template of SIZE bytes, escaped where needed. */
void op_append(char *template, size_t size, const char *bytes, size_t n);

/* The slot a template names, or -1. */
int op_named_slot(const char *template);

#endif
