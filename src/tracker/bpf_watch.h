/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_watch.h - the part of the BPF tracker that tells of changed affinities and namespaces.
 *
 * Loaded at the first wish, attached only while there is one. All of it runs on the daemon's loop.
 */
#ifndef UCGROUP_TRACKER_BPF_WATCH_H
#define UCGROUP_TRACKER_BPF_WATCH_H

#include <core/core.h>

struct watch;

/* PLACES_FD: the tracker's map of places. -ENOTSUP, or why the kernel refuses the programs. */
int watch_new(int places_fd, struct watch **res);
void watch_free(struct watch *w);
/* Readable when there is something to drain. */
int watch_fd(const struct watch *w);

/* EVENTS: CGROUP_WATCH_* of subsys.h, 0 for none. On return the hooks see all that happens. */
int watch_want(struct watch *w, unsigned int events);
/* Hands what was told so far to the core. */
void watch_drain(struct watch *w, struct core *core);
bool watch_has_more(const struct watch *w);

/* As in struct core_ops. */
int watch_affinity_begin(struct watch *w, pid_t tid, struct task_affinity *aff);
int watch_affinity_end(struct watch *w, pid_t tid, const struct task_affinity *aff);
int watch_affinity_mark(struct watch *w, pid_t tid, const struct task_affinity *asked);
void watch_namespaces_done(struct watch *w, pid_t tid, uint64_t token);

#endif
