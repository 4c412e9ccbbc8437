/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.h - what moving a thread, moving a process and cgroup_clone() share. Only for src/core/.
 */
#ifndef UCGROUP_CORE_ATTACH_H
#define UCGROUP_CORE_ATTACH_H

#include <core/internal.h>

/*
 * A task without a place is looked at this often, a moment apart, and so is one that has another
 * place each time: then whoever asked is to come back, so that others are served meanwhile.
 */
#define TRIES 20
/* While a process is half moved, which nobody is to see. */
#define TRIES_HALFWAY 20000

/* A task on its way from where it was seen. */
struct swap {
	pid_t tid, tgid;
	struct core_place from;
	struct cgroup *old; /* the cgroup it has left, when err is 0 */
	int err; /* -ESRCH; -EAGAIN: no longer at FROM; -EINVAL: cannot be moved; -ENOMEM */
};

/* The N tasks into CGRP, one after the other, each by itself. Asks no subsystem and tells none. */
void attach_swap(struct cgroup *cgrp, struct swap *v, size_t n);

/* Asks every bound subsystem; on a refusal those that agreed are told. */
int attach_ask(struct cgroup *cgrp, const struct cgroup_task *task);
/* Of a task that was let in: it stays where it was; it has come from OLD. */
void attach_cancel(struct cgroup *cgrp, const struct cgroup_task *task);
void attach_done(struct cgroup *cgrp, struct cgroup *old, const struct cgroup_task *task);

/* The cgroup of H that is meant by PLACE; NULL: that is the place of nobody. */
struct cgroup *attach_place_cgroup(const struct hierarchy *h, struct core_place place);

/* May this be moved by CRED? 0, -EINVAL, -EACCES. A process is judged by its leader. */
int attach_may(const struct core_cred *cred, const struct core_task_info *info, bool process);

/* Looks TID up, at most TRIES times. -ESRCH; -ERESTART: it still has no place. */
int attach_look_at(struct core *core, pid_t tid, struct core_task_info *info, int tries);
/* TID of process TGID has no place; this is the TRIES-th time. Gives it a moment. */
void attach_wait_for_place(struct core *core, pid_t tid, pid_t tgid, int tries);
void attach_pause(struct core *core);

#endif
