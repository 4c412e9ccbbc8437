/* SPDX-License-Identifier: GPL-2.0-or-later */
/* errors.h - the stage and the judge of the tables of bad input; told in errors.c. */
#ifndef ERRORS_H
#define ERRORS_H

#include <stdbool.h>
#include <sys/types.h>

#include <ucgroup/ucgroup.h>

#define STRANGER 65534 /* owns nothing but others_task */
#define OTHER 12345    /* owns the files of x/given */

extern struct ucgroup *conn;
extern pid_t member, others_task, dead, zombie;

void row(bool ok, const char *what, int got, int wanted);
/* All that is to stay as it is, as text; for judge(). */
char *picture(void);
/* GOT and WANTED are errno values; BEFORE is what picture() said. Frees it. */
void judge(const char *what, int got, int wanted, char *before);

/* Forks, so that root stays root: 0 in the child, which is UID and exits with an errno. */
pid_t become(uid_t uid);
int outcome(pid_t pid);
int write_as(uid_t uid, const char *file, const char *text, size_t len);

void test_mounts(void);
void test_remounts(void);
void test_too_many(void);
void test_writes(void);
void test_tree(void);
void test_removed(void);

#endif
