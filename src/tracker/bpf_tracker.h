/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_tracker.h - what the files of the daemon's side of the BPF tracker share. All of it is on the
 * daemon's loop.
 */
#ifndef UCGROUP_TRACKER_BPF_TRACKER_H
#define UCGROUP_TRACKER_BPF_TRACKER_H

#include <tracker/bpf_numbers.h>
#include <tracker/bpf_shared.h>
#include <tracker/bpf_watch.h>
#include <tracker/ring.h>
#include <tracker/tracker.h>

#include "bpf_tracker.skel.h"

struct tracker {
	struct bpf_tracker *skel;
	struct bpf_link *walk;
	struct core *core;
	struct ring log, bell;
	bool many; /* being read: worth looking ahead */
	int epoll_fd;
	uint64_t *places, *counts;
	size_t counts_size;
	struct thread_entry *threads;
	uint32_t max_csets;
	struct cputime_entry *cputimes;
	struct cputime_entry reaped[TRACKER_MAX_DYING]; /* the first n_reaped are to be told */
	uint32_t n_reaped;
	struct move_args *move_args;
	int move_fd, moves_fd, info_fd, threads_fd, exec_fd, cputimes_fd, reap_fd;
	uint64_t rebuilds;
	uint32_t unborn, n_looks; /* see struct tracker_opts */
	struct watch *watch;	  /* NULL until somebody wants to know */
	struct numbers *numbers;
};

/* bpf_load.c */
int bpf_probe(char **why);
int bpf_start(const struct tracker_opts *opts, struct tracker **res, char **why);
void bpf_stop(struct tracker *t);

/* bpf_walk.c: all tasks of the machine; FN for each that MODE reports. -errno. */
int bpf_walk(struct tracker *t, enum walk_mode mode,
	     void (*fn)(void *arg, const struct walk_entry *entry), void *arg);

/* bpf_ask.c: see struct tracker_ops. */
uint64_t bpf_cset_count(struct tracker *t, uint32_t cset);
int bpf_task_info(struct tracker *t, pid_t tid, struct core_task_info *info);
bool bpf_task_place(struct tracker *t, pid_t tid, struct core_place *place, pid_t *tgid);
void bpf_move(struct tracker *t, struct core_move *moves, size_t n);
int bpf_threads(struct tracker *t, struct core_process process, struct core_thread **threads,
		size_t *n);
void bpf_finish_exec(struct tracker *t, pid_t tid);
int bpf_cputimes(struct tracker *t, const pid_t *tids, size_t n, struct cgroup_cputime *times);
void bpf_reap(struct tracker *t);
/* What bpf_reap() has read. Their exits must have been replayed. */
void bpf_tell_reaped(struct tracker *t);
/* The core is told what ENTRY says. */
void bpf_tell_cputime(struct core *core, const struct cputime_entry *entry);

#endif
