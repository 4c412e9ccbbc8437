/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common.h - what the tests of cpuset on a real system share.
 */
#ifndef UCGROUP_TESTS_SUBSYS_COMMON_H
#define UCGROUP_TESTS_SUBSYS_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* For what is bound to come: plenty, however busy the machine is. */
#define PATIENCE_MS 60000

/* The first two CPUs that are online; with fewer the tests skip. */
extern int cpu_a, cpu_b;
extern uint64_t mask_a, mask_b, mask_ab, mask_all;
bool find_cpus(void);

/* 0 or -errno; the file is DIR/NAME. */
int write_file(const char *dir, const char *name, const char *text);
int write_number(const char *dir, const char *name, long number);
/* What is in it, with a NUL; -errno. */
ssize_t read_file(const char *dir, const char *name, char *buf, size_t size);
/* As above, of what must work. */
void must_write(const char *dir, const char *name, const char *text);
void must_enter(const char *dir, const char *file, pid_t pid);
void set_cpus(const char *dir, uint64_t mask);
/* A cpuset with CPUs and the memory of the root, below TOP. */
void make_cpuset(const char *top, const char *name, uint64_t cpus, char *dir, size_t size);

/* Masks of the first 64 CPUs; 0 for a task that is gone. */
uint64_t affinity_of(pid_t tid);
int set_affinity(pid_t tid, uint64_t mask);

/*
 * The threads of PID that do not have MASK and do not get it either, within some seconds in which
 * LOOK is called again and again; the first one is noted as a comment. A thread on its way through
 * fork is there to be seen with what its maker had when that began; it has not run yet.
 */
struct survey {
	size_t n_threads;
	int n_wrong;	    /* to the end */
	int n_late;	    /* at the first look */
	uint64_t latest_ns; /* how long the last of them took, from the first look on */
};
void survey_threads(pid_t pid, uint64_t mask, void (*look)(void), struct survey *res);

uint64_t now_ns(void);
void sleep_ms(unsigned int ms);

#endif
