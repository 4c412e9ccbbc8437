/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core.h - the framework: hierarchies of cgroups, css_sets, tasks, files, releases.
 *
 * What everybody outside src/core/ may call. The core makes no system call, opens no file and has
 * no clock: what it needs from the world it asks through `struct core_ops`, so that tests drive it
 * with made-up tasks. Structures are in internal.h.
 *
 * Threads: one. Everything here is called from the daemon's loop; css references (subsys.h) are
 * the one exception.
 *
 * Errors are negative errno values. Strings passed in are copied.
 */
#ifndef UCGROUP_CORE_H
#define UCGROUP_CORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <ucgroup/subsys.h>

struct core;	  /* the one context */
struct hierarchy; /* a tree of cgroups with its subsystems */

#define CORE_MAX_HIERARCHIES 64 /* mounted ones; the default hierarchy is not counted */
#define CORE_MAX_SUBSYS 32
#define CORE_NAME_MAX 255	       /* bytes of a cgroup's name */
#define CORE_HIERARCHY_NAME_MAX 64     /* bytes of name= */
#define CORE_MAX_TID (4 * 1024 * 1024) /* tids are below this (PID_MAX_LIMIT) */

/* css_set ids. A task with no id is dead, or not yet born. */
#define CSET_NONE 0u
#define CSET_INITIAL 1u /* the root of every hierarchy */

/*
 * Where a task is: its css_set and a number that changes with every change of it, so that "still
 * there" can be told from "there again".
 */
struct core_place {
	uint32_t cset;
	uint32_t gen;
};

/* Who asks. Kernel v1 judges a move by the opener of the file, and so do we. */
struct core_cred {
	pid_t tid; /* in the daemon's pid namespace; 0: unknown, or nobody in particular */
	uid_t euid;
	bool owner; /* may set a release agent: the instance's owner, in the initial user ns */
};

struct core_thread {
	pid_t tid;
	struct core_place place;
};

/* A process by its number and by what makes it another one than whoever has that number later. */
struct core_process {
	pid_t tgid;
	uint64_t key; /* 0: whoever has the number */
};

/* What a tracker knows of one live task. */
struct core_task_info {
	pid_t tgid;
	uint64_t process_key; /* see struct core_process */
	struct core_place place;
	uid_t uid, suid;
	uid_t leader_uid, leader_suid; /* of its process' leader, a zombie or not */
	bool fixed;		       /* a kernel thread that cannot be moved */
};

/* TID is to go into css_set TO if it is still at FROM. */
struct core_move {
	pid_t tid;
	struct core_place from;
	uint32_t to;
	/*
	 * 0; -ESRCH: gone; -EAGAIN: no longer at FROM, or being born: look again; -EINVAL: a kernel
	 * thread that cannot be moved.
	 */
	int err;
};

/*
 * What the core asks of the world. All are called on the loop, with `arg`.
 */
struct core_ops {
	/*
	 * Consume the log up to now, calling core_task_*() below for each event in order. The
	 * invariant every observation rests on: what happened before the call has been folded in
	 * when it returns.
	 */
	void (*replay)(void *arg);
	/* Tasks the kernel counts in a css_set, forks in flight included. Cheap. */
	uint64_t (*cset_count)(void *arg, uint32_t cset);
	/* -ESRCH: no such task, or it is exiting. */
	int (*task_info)(void *arg, pid_t tid, struct core_task_info *info);
	/*
	 * Where TID is, if that is known without asking the kernel; false: ask task_info. It is for
	 * a move only, which looks again. MAY BE NULL.
	 */
	bool (*task_place)(void *arg, pid_t tid, struct core_place *place, pid_t *tgid);
	/*
	 * Make N moves, one after the other, each by itself: see struct core_move. Each is logged and
	 * comes back through core_task_moved() at the next replay.
	 */
	void (*move)(void *arg, struct core_move *moves, size_t n);
	/*
	 * All threads of PROCESS that are not exiting, those without a place (CSET_NONE) included;
	 * free() it. -ESRCH, -ENOMEM; -EAGAIN: look again.
	 */
	int (*threads)(void *arg, struct core_process process, struct core_thread **threads,
		       size_t *n);
	/*
	 * TID has no place: it is being born; or else it is in an exec that has changed its tid, and
	 * that may take as long as a disk does. Then take its place along at once, and log RETID.
	 * MAY BE NULL.
	 */
	void (*finish_exec)(void *arg, pid_t tid);
	/* Every live task in the initial css_set: calls back for each. */
	int (*each_initial)(void *arg, void (*fn)(void *fn_arg, pid_t tid, pid_t tgid),
			    void *fn_arg);
	/*
	 * Numbers of other pid namespaces than the daemon's. pid_ns: the namespace TASK lives in, by
	 * its inode number; 0: the daemon's own, or no such task. to_ns: each of TIDS becomes the
	 * number it has for READER, 0: it has none, -1: it is gone; -ESRCH: the reader is. from_ns:
	 * the tid of the task WRITER calls NR, 0 when there is none.
	 */
	uint32_t (*pid_ns)(void *arg, pid_t task);
	int (*to_ns)(void *arg, pid_t reader, pid_t *tids, size_t n);
	pid_t (*from_ns)(void *arg, pid_t writer, pid_t nr);
	/* See subsys.h; MAY BE NULL. -ENOTSUP, -ENOMEM. */
	int (*cputimes)(void *arg, const pid_t *tids, size_t n, struct cgroup_cputime *times);
	/*
	 * core_task_cputime() for every task that has exited and was not reported for good: when the
	 * replay that begins next, or is under way, has told of their exits.
	 */
	void (*reap)(void *arg);
	/* Keep members that exit until they have been reported so. */
	void (*want_cputime)(void *arg, bool want);
	/* Call SS->tick() every SS->tick_ms from the loop, or no longer. */
	void (*want_tick)(void *arg, struct cgroup_subsys *ss, bool want);
	/* Give way for a moment: a task being born is not placed yet. */
	void (*pause)(void *arg);
	/* Nanoseconds since 1970. */
	uint64_t (*now)(void *arg);
	/* FROM ANY THREAD: a last css_put happened; call core_settle() on the loop soon. */
	void (*kick)(void *arg);
	/* H has a release to deliver: call core_release_next() from the loop, not from here. */
	void (*release_ready)(void *arg, struct hierarchy *h);
	/* A subsystem with fork or exit callbacks is (not) there: want the log at once. */
	void (*want_events)(void *arg, bool fork, bool exit);
	/* See subsys.h; each MAY BE NULL: -ENOTSUP. EVENTS: what all subsystems want together. */
	int (*watch)(void *arg, unsigned int events);
	int (*affinity_begin)(void *arg, pid_t tid, struct task_affinity *aff);
	int (*affinity_end)(void *arg, pid_t tid, const struct task_affinity *aff);
	int (*affinity_mark)(void *arg, pid_t tid, const struct task_affinity *asked);
	/* The change of namespaces that core_namespaces_changed() told of is dealt with. */
	void (*namespaces_done)(void *arg, pid_t tid, uint64_t token);
	/* Call FN from the loop while FD is readable; FN NULL: no more. */
	int (*watch_fd)(void *arg, int fd, void (*fn)(void *fn_arg, int fd), void *fn_arg);
	/*
	 * The tree changed: CGRP was made, or is about to go (its name still valid), or its set of
	 * files changed. So that mounts other than the one that asked forget what they cached.
	 */
	void (*tree_changed)(void *arg, struct cgroup *cgrp);
	/* A message for the log; priority as in syslog.h. */
	void (*log)(void *arg, int priority, const char *fmt, va_list ap);
	/* Any of the above may be NULL but replay, cset_count, task_info, move, threads. */
};

/* ---- context ------------------------------------------------------------------------------ */

/* NULL: out of memory. OPS must outlive the core. */
struct core *core_new(const struct core_ops *ops, void *arg, uint32_t max_csets);
void core_free(struct core *core);
/*
 * Register SS before the first mount or later; creates its root css. -EINVAL: a bad name or no
 * create/destroy; -EEXIST; -ENOSPC; or create()'s error.
 */
int core_register_subsys(struct core *core, struct cgroup_subsys *ss);

/* ---- the fold over the log (called by a tracker, from ops->replay) -------------------------- */

void core_task_born(struct core *core, pid_t tid, pid_t tgid, uint32_t cset);
void core_task_moved(struct core *core, pid_t tid, pid_t tgid, uint32_t from, uint32_t to);
void core_task_died(struct core *core, pid_t tid, uint32_t cset);
/* The next core_task_died() is of the task with this key; without, it has none. */
void core_task_dying(struct core *core, uint64_t key);
/* Of a task that has died before, by its key. LAST: it is final. */
void core_task_cputime(struct core *core, pid_t tid, uint64_t key,
		       const struct cgroup_cputime *time, bool last);
/* The thread OLD lives on under the tid NEW (exec by a thread that is not the leader). */
void core_task_retid(struct core *core, pid_t old, pid_t new, uint32_t cset);
/*
 * A tracker that has many events in hand names each beforehand, three times: so many events ahead
 * and with such a step. What the fold will touch comes into the cache meanwhile. Nothing depends on
 * it, and a tid or css_set that is nobody's does no harm.
 */
#define CORE_HINTS 3
#define CORE_HINT_AHEAD(step) (24u - 8u * (step))
void core_task_hint(const struct core *core, unsigned int step, pid_t tid, uint32_t cset);
/*
 * Events were lost: between begin and end the tracker calls core_rebuild_task() for every task it
 * finds outside the initial css_set, then folds the events logged meanwhile (the last one of a task
 * says where it is). Who was named by neither has died.
 */
void core_events_lost(struct core *core); /* what follows in the log may not fit; then begin */
void core_rebuild_begin(struct core *core);
void core_rebuild_task(struct core *core, pid_t tid, pid_t tgid, uint32_t cset);
void core_rebuild_end(struct core *core);

/*
 * Told from ops->replay too, and passed on to the subsystems after it (by core_settle()). TID 0:
 * somebody unknown. TOKEN goes back with ops->namespaces_done.
 */
void core_affinity_changed(struct core *core, pid_t tid, enum cgroup_affinity_why why);
void core_namespaces_changed(struct core *core, pid_t tid, pid_t origin, uint64_t token);

/*
 * Replay, then free what became empty and queue the releases that fell due; then, unless called
 * from within a subsystem, what was told for the subsystems to act on.
 */
void core_settle(struct core *core);

/* ---- hierarchies -------------------------------------------------------------------------- */

struct core_mount_opts {
	uint64_t subsys_mask; /* by subsystem id */
	bool all, none;
	bool noprefix, clone_children;
	char name[CORE_HIERARCHY_NAME_MAX + 1]; /* "" for none */
	char *release_agent;			/* NULL: not given; owned */
};

/*
 * Parse a comma-separated option string. On error *what (if not NULL) is a message for a person,
 * to be freed. mount(8)'s generic options must have been taken out.
 */
int core_mount_opts_parse(struct core *core, const char *text, struct core_mount_opts *opts,
			  char **what);
void core_mount_opts_clear(struct core_mount_opts *opts);

/*
 * Find or make the hierarchy OPTS ask for and take a mount reference on it. -EBUSY, -EINVAL,
 * -ENOSPC (the 65th), -EPERM (release_agent by someone else than the owner); nothing has changed.
 */
int core_mount(struct core *core, const struct core_mount_opts *opts, const struct core_cred *cred,
	       struct hierarchy **h, char **what);
/* Drop a mount reference; the last one dissolves a lone root. */
void core_umount(struct core *core, struct hierarchy *h);
int core_remount(struct core *core, struct hierarchy *h, const struct core_mount_opts *opts,
		 const struct core_cred *cred, char **what);

/*
 * Dissolve the hierarchies that have neither a mount nor a child any more (their last child went
 * after their last mount). Where no hierarchy is in hand.
 */
void core_reap_hierarchies(struct core *core);

struct hierarchy *core_hierarchy_next(struct core *core, struct hierarchy *prev); /* newest first */
/* By its name or its comma-separated subsystems, in any order. NULL: none such. */
struct hierarchy *core_hierarchy_find(struct core *core, const char *name);
uint32_t hierarchy_id(const struct hierarchy *h);
struct cgroup *hierarchy_root(const struct hierarchy *h);
size_t hierarchy_n_cgroups(const struct hierarchy *h); /* with the root */
unsigned int hierarchy_n_mounts(const struct hierarchy *h);
uint64_t hierarchy_subsys_mask(const struct hierarchy *h);
const char *hierarchy_name(const struct hierarchy *h); /* of name=; "" for none */
const char *hierarchy_release_agent(const struct hierarchy *h);
/* The name, else the comma-separated subsystems: UCGROUP_HIERARCHY and HIERARCHY:/PATH. */
const char *hierarchy_label(const struct hierarchy *h);
/* Its options as a mount would show them ("cpuset,noprefix,name=x,release_agent=/y"); free() it. */
char *hierarchy_options(const struct hierarchy *h);
struct core *hierarchy_core(const struct hierarchy *h);
/* Whoever serves mounts hangs its own state here. */
void hierarchy_set_mount_data(struct hierarchy *h, void *data);
void *hierarchy_mount_data(const struct hierarchy *h);

/* The subsystem with this id, NULL past the last. */
struct cgroup_subsys *core_subsys(struct core *core, unsigned int id);
struct hierarchy *core_subsys_hierarchy(struct core *core, unsigned int id);

/* ---- the tree ----------------------------------------------------------------------------- */

struct hierarchy *cgroup_hierarchy(const struct cgroup *cgrp);
const char *cgroup_name(const struct cgroup *cgrp); /* "/" for the root */
/* Never used again, in no hierarchy; 1 and up. */
uint64_t cgroup_serial(const struct cgroup *cgrp);
/* NULL: there is no such cgroup any more. */
struct cgroup *core_cgroup_by_serial(struct core *core, uint64_t serial);
/* By name, NAME of LEN bytes; NULL: none such. */
struct cgroup *cgroup_lookup(struct cgroup *parent, const char *name, size_t len);
/* PATH from the hierarchy's root, slashes as usual, "." and ".." refused. -ENOENT, -EINVAL. */
int hierarchy_resolve(struct hierarchy *h, const char *path, struct cgroup **cgrp);
size_t cgroup_n_children(const struct cgroup *cgrp);
struct cgroup *cgroup_child_after(const struct cgroup *parent, const struct cgroup *prev);

/* -EEXIST, -EINVAL (a newline, a slash, "." or ".."), -ENAMETOOLONG, a subsystem's error. */
int cgroup_mkdir(struct cgroup *parent, const char *name, mode_t mode, uid_t uid, gid_t gid,
		 struct cgroup **cgrp);
/* -EBUSY. On success CGRP is gone (its memory lives while files are open on it). */
int cgroup_rmdir(struct cgroup *cgrp);
/* A mark for whoever serves mounts: the kernel may know of CGRP. It stays. */
void cgroup_set_shown(struct cgroup *cgrp);
bool cgroup_is_shown(const struct cgroup *cgrp);
/* Within its parent. -EEXIST, -EINVAL, -ENAMETOOLONG, -EBUSY (the root). */
int cgroup_rename(struct cgroup *cgrp, const char *name);
bool cgroup_is_idle(struct cgroup *cgrp); /* settles first */
/* Was the cgroup removed? (for holders of an open file) */
bool cgroup_is_dead(const struct cgroup *cgrp);
/* Keep the memory of a removed cgroup; by whoever has a file of it open. */
void cgroup_hold(struct cgroup *cgrp);
void cgroup_unhold(struct cgroup *cgrp);

bool cgroup_notify_on_release(const struct cgroup *cgrp);
void cgroup_set_notify_on_release(struct cgroup *cgrp, bool on);

/* ---- moving ------------------------------------------------------------------------------- */

/*
 * Move one thread / every thread of its process into CGRP. SPEC 5; -ESRCH, -EACCES, -EINVAL, …
 *
 * -ERESTART: one of them is still being born, by somebody who waits for a CPU. Nothing has changed:
 * serve others and ask again in a few milliseconds.
 */
int core_attach_task(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred);
/*
 * The same for many, each by itself, in any order: those of V whose err is -ERESTART are moved, and
 * have there what came of it. Quicker than one call for each.
 */
struct core_attach {
	pid_t tid;
	int err;
};
void core_attach_tasks(struct cgroup *cgrp, struct core_attach *v, size_t n,
		       const struct core_cred *cred);
int core_attach_process(struct cgroup *cgrp, pid_t tid, const struct core_cred *cred);
/* The cgroup of a live task in H. -ESRCH. */
int core_task_cgroup(struct core *core, pid_t tid, struct hierarchy *h, struct cgroup **cgrp);
/*
 * The tasks of CGRP, settled, ascending; as tids or as tgids each once. free() it. -ENOMEM.
 */
int cgroup_list(struct cgroup *cgrp, bool tgids, pid_t **pids, size_t *n);
/* Ascending, each once; how many are left. They are from 0 to CORE_MAX_TID - 1. */
size_t core_sort_pids(pid_t *pids, size_t n);

/* ---- attributes: what chown, chmod and xattrs leave on a directory or a file ----------------- */

struct core_attr {
	mode_t mode; /* permission bits */
	uid_t uid;
	gid_t gid;
	uint64_t ctime_ns; /* of creation: atime and mtime too until set */
	uint64_t atime_ns, mtime_ns;
};
/* CFT NULL means the directory itself. */
void cgroup_attr(const struct cgroup *cgrp, const struct cftype *cft, struct core_attr *attr);
int cgroup_set_attr(struct cgroup *cgrp, const struct cftype *cft, const struct core_attr *attr);
/* FLAGS: XATTR_CREATE, XATTR_REPLACE. -EEXIST, -ENODATA, -ENOSPC (64 KiB an object), -ENOMEM. */
int cgroup_xattr_set(struct cgroup *cgrp, const struct cftype *cft, const char *name,
		     const void *value, size_t size, int flags);
/* SIZE 0: the length only. -ENODATA, -ERANGE. */
ssize_t cgroup_xattr_get(struct cgroup *cgrp, const struct cftype *cft, const char *name,
			 void *value, size_t size);
ssize_t cgroup_xattr_list(struct cgroup *cgrp, const struct cftype *cft, char *list, size_t size);
int cgroup_xattr_remove(struct cgroup *cgrp, const struct cftype *cft, const char *name);

/* ---- control files ------------------------------------------------------------------------ */

/*
 * Each cftype has a number in its core, below CORE_MAX_CFTYPES and at least 1; with a cgroup's
 * serial it names a file for ever: inode = serial * CORE_MAX_CFTYPES + number (0: the directory).
 */
#define CORE_MAX_CFTYPES 4096
unsigned int core_cftype_number(struct core *core, const struct cftype *cft);
/* The file's cftype, or NULL when CGRP has no such file now. */
const struct cftype *cgroup_file_by_number(const struct cgroup *cgrp, unsigned int number);
const struct cftype *cgroup_file_lookup(const struct cgroup *cgrp, const char *name, size_t len);
/* The files of CGRP in a stable order, index 0 and up; NULL past the last. */
const struct cftype *cgroup_file_at(const struct cgroup *cgrp, size_t index);
/* The name as shown, prefix included, into BUF (at least 256 bytes). */
void cgroup_file_name(const struct cgroup *cgrp, const struct cftype *cft, char *buf, size_t size);
mode_t cftype_mode(const struct cftype *cft);

/* FLAGS: as of open(2). FILE holds its cgroup until released. */
int core_file_open(struct cgroup *cgrp, const struct cftype *cft, int flags,
		   const struct core_cred *cred, struct cgroup_file **file);
/* -ENODEV: the cgroup, or the file with its subsystem, is gone. CRED: the reader (writer). */
ssize_t core_file_read(struct cgroup_file *file, char *buf, size_t size, off_t off,
		       const struct core_cred *cred);
ssize_t core_file_write(struct cgroup_file *file, const char *buf, size_t size, off_t off,
			const struct core_cred *cred);
void core_file_release(struct cgroup_file *file);

/* ---- releases ----------------------------------------------------------------------------- */

/*
 * The next cgroup of H to be told released, taken off the queue, or NULL. Looked at again first:
 * one that is no longer idle is passed over. Deliver it before returning to the loop: the pointer
 * is not held.
 */
struct cgroup *core_release_next(struct hierarchy *h);
size_t core_releases_pending(const struct hierarchy *h);
/* An absolute path, "builtin:rmdir" or "". -EINVAL, -EPERM (not the owner). */
int hierarchy_set_release_agent(struct hierarchy *h, const char *agent,
				const struct core_cred *cred);

/* ---- figures ------------------------------------------------------------------------------ */

struct core_stats {
	uint64_t hierarchies, cgroups, csets, member_tasks;
	uint64_t born, moved, died, retid; /* events folded */
	uint64_t rebuilds;		   /* times the lists were rebuilt */
	uint64_t oddities; /* events that did not fit the lists, outside a rebuild: 0 */
	uint64_t releases_queued, releases_reprieved;
};
void core_get_stats(const struct core *core, struct core_stats *stats);

/* css_sets, for the views that show them (debug, proc): call back for each. */
struct core_cset_info {
	uint32_t id;
	uint64_t n_tasks;
	unsigned int refs; /* tasks plus whatever else holds it */
};
void core_each_cset(struct core *core, void (*fn)(void *arg, const struct core_cset_info *info),
		    void *arg);

#endif
