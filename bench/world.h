/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - made-up tasks for the core alone, as many as there are tids: a tracker that does as
 * little as it can. Nothing fails in it, and nothing is ever halfway. (The unit tests have a world of
 * their own, where all of that happens.)
 */
#ifndef UCGROUP_BENCH_WORLD_H
#define UCGROUP_BENCH_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include <core/core.h>

struct world;

/* Ends the program when there is no memory. */
struct world *world_new(void);
void world_free(struct world *w);
struct core *world_core(struct world *w);

/* A process in the initial css_set, out of nowhere. */
void world_spawn(struct world *w, pid_t tid);
/* The child is born into its maker's css_set, and has a process of its own. */
void world_fork(struct world *w, pid_t maker, pid_t child);
void world_exit(struct world *w, pid_t tid);
bool world_alive(const struct world *w, pid_t tid);

/* Named hierarchies "h0", "h1" …, N of them. */
void world_mount(struct world *w, struct hierarchy **h, size_t n);
struct cgroup *world_mkdir(struct cgroup *parent, const char *name);
void world_attach(struct cgroup *cgrp, pid_t tid);

/* The same numbers in every run. */
uint64_t world_random(struct world *w);

#endif
