/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ucgroup/subsys.h - write a subsystem: state and behaviour hung on cgroups.
 *
 * A subsystem is one `struct cgroup_subsys` with callbacks. The built-in ones
 * use nothing but this header, and so does a plug-in loaded with
 * `ucgroupd --subsystem FILE.so` (see CGROUP_SUBSYS_PLUGIN at the end).
 *
 * Threads: the daemon is one loop. Every callback runs on it, one at a time,
 * and every function here must be called from it, but for css_get(),
 * css_put() and css_tryget(), which any thread may call at any time.
 * A callback must not block: while it runs, every client waits.
 *
 * Errors are negative errno values.
 */
#ifndef UCGROUP_SUBSYS_H
#define UCGROUP_SUBSYS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever a struct below changes its layout or a callback its meaning. */
#define CGROUP_SUBSYS_ABI 1

#define CGROUP_SUBSYS_NAME_MAX 32 /* bytes, without the NUL */

struct cgroup;
struct core;
struct cgroup_subsys;
struct cgroup_file;
struct cgroup_seq;

/*
 * One task, named in the daemon's pid namespace. Valid for the call it is
 * passed to; copy it to keep it.
 */
struct cgroup_task {
	pid_t tid;
	pid_t tgid;
	uint64_t key; /* in exit() and cputime(): with the tid, one task for ever; else 0 */
};

/* What a task has used since it began. A running task's is no older than a scheduler tick. */
struct cgroup_cputime {
	uint64_t runtime_ns; /* as the scheduler counts it, exact */
	uint64_t user_ns;    /* of that, as ticks tell it: only the proportion is to be relied on */
	uint64_t system_ns;
	bool alive; /* false: there is no such task (any more) */
};

/*
 * What one subsystem keeps for one cgroup. A subsystem embeds this in its own
 * struct, zeroed, and hands a pointer to it back from create(); the core fills
 * it in. Read-only for the subsystem.
 */
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys *subsys;
	int32_t refcnt;			      /* changed by css_get/put/tryget alone */
	struct cgroup_subsys_state *put_next; /* a last put on its way to the loop */
};

/*
 * A control file. Of the reading callbacks the first one set in this order is
 * used: read, read_u64, read_s64, read_seq; of the writing ones: write,
 * write_u64, write_s64, write_string. A file without a reading (writing)
 * callback answers EINVAL to a read (write).
 */
#define CFTYPE_ONLY_ON_ROOT 0x1u
#define CFTYPE_NOT_ON_ROOT 0x2u
#define CFTYPE_NO_PREFIX 0x4u /* the name carries no "SUBSYS." prefix */

struct cftype {
	const char *name;
	mode_t mode; /* 0: derived from the callbacks, 0444, 0644 or 0200 */
	unsigned int flags;
	intptr_t private_value; /* the subsystem's own */

	int (*open)(struct cgroup_file *file);
	void (*release)(struct cgroup_file *file);

	/* Raw: returns bytes read or written, or an error. */
	ssize_t (*read)(struct cgroup_file *file, char *buf, size_t size, off_t off);
	ssize_t (*write)(struct cgroup_file *file, const char *buf, size_t size, off_t off);

	/* Numbers: the core prints and parses, SPEC-conforming, and answers bad input itself. */
	int (*read_u64)(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val);
	int (*write_u64)(struct cgroup *cgrp, const struct cftype *cft, uint64_t val);
	int (*read_s64)(struct cgroup *cgrp, const struct cftype *cft, int64_t *val);
	int (*write_s64)(struct cgroup *cgrp, const struct cftype *cft, int64_t val);

	/* Text: printed once, at the first read, into one buffer the reads then share. */
	int (*read_seq)(struct cgroup_file *file, struct cgroup_seq *seq);
	/* The written text, without surrounding white space, NUL-terminated. */
	int (*write_string)(struct cgroup_file *file, const char *text);
};

/* An open control file, as callbacks see it. */
struct cgroup_file {
	struct cgroup *cgrp;
	const struct cftype *cft;
	struct cgroup_task task; /* who opened it; then who reads or writes. tgid: 0 */
	uid_t euid;		 /* effective uid of the opener */
	int flags;		 /* as of open(2) */
	void *private_data;	 /* the callbacks' own, for open..release */
};

/*
 * What the reader of FILE calls the tasks PIDS, who may live in another pid namespace than the daemon:
 * each becomes the number it has there, those that have none are left out, and the rest is ascending.
 * How many are left; or -ESRCH. What a writer calls a task is turned round by the core, in `tasks`.
 */
ssize_t cgroup_reader_pids(const struct cgroup_file *file, pid_t *pids, size_t n);

/* Text output. Errors stick and are reported when the read is answered. */
void cgroup_seq_printf(struct cgroup_seq *seq, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void cgroup_seq_write(struct cgroup_seq *seq, const void *data, size_t len);

struct cgroup_subsys {
	const char *name;	      /* 1-32 of a-z 0-9 _ */
	const struct cftype *cftypes; /* ends with a NULL name; may be NULL */

	/*
	 * create: make the state for CGRP and store it in *css. Called for the root when the
	 * subsystem is registered, for every other cgroup before its mkdir returns. The parent's
	 * state is css_of(cgroup_parent(cgrp), ss). An error fails the mkdir (for the root: the
	 * registration): what this call has made is its own to take back, destroy is not called for
	 * it; the states that other subsystems have made are destroyed.
	 * destroy: free it. No reference is left. Called in the reverse order of create.
	 */
	int (*create)(struct cgroup_subsys *ss, struct cgroup *cgrp,
		      struct cgroup_subsys_state **css);
	void (*destroy)(struct cgroup_subsys *ss, struct cgroup *cgrp);
	/*
	 * pre_destroy: the cgroup is idle and about to be removed: drop the references the
	 * subsystem holds itself. An error (say -EBUSY) calls the removal off.
	 */
	int (*pre_destroy)(struct cgroup_subsys *ss, struct cgroup *cgrp);

	/*
	 * can_attach: may TASK enter CGRP? It is not there yet. Each success is followed by one
	 * attach or one cancel_attach for the same task.
	 * attach: TASK is in CGRP now and was in OLD.
	 */
	int (*can_attach)(struct cgroup_subsys *ss, struct cgroup *cgrp,
			  const struct cgroup_task *task);
	void (*cancel_attach)(struct cgroup_subsys *ss, struct cgroup *cgrp,
			      const struct cgroup_task *task);
	void (*attach)(struct cgroup_subsys *ss, struct cgroup *cgrp, struct cgroup *old,
		       const struct cgroup_task *task);

	/*
	 * fork and exit of tasks outside the root cgroup of every hierarchy, told in the order in
	 * which they happened, after the fact. At exit the task is still in its cgroups for
	 * task_css(). A subsystem that sets one makes the kernel hook wake the daemon for it.
	 */
	void (*fork)(struct cgroup_subsys *ss, const struct cgroup_task *task);
	void (*exit)(struct cgroup_subsys *ss, const struct cgroup_task *task);

	/* The thread OLD goes on as TASK: exec by one that is not the leader. No fork, no exit. */
	void (*retid)(struct cgroup_subsys *ss, pid_t old, const struct cgroup_task *task);
	/*
	 * A task uses CPU time on its way out, after its exit() was called. TASK had used TIME, and
	 * if LAST that is final and the last call for it. While the subsystem is bound to a mounted
	 * hierarchy the kernel keeps every member that exits until then; cgroup_reap() asks for
	 * what there is to know now.
	 */
	void (*cputime)(struct cgroup_subsys *ss, const struct cgroup_task *task,
			const struct cgroup_cputime *time, bool last);

	/* Every TICK_MS milliseconds while the subsystem is bound to a mounted hierarchy. */
	void (*tick)(struct cgroup_subsys *ss);
	unsigned int tick_ms;

	/* populate: add files with cgroup_add_file(s) beyond `cftypes`; an error fails the mkdir. */
	int (*populate)(struct cgroup_subsys *ss, struct cgroup *cgrp);
	/* post_clone: copy what makes CGRP usable from its parent (clone_children, cgroup_clone). */
	void (*post_clone)(struct cgroup_subsys *ss, struct cgroup *cgrp);
	/* bind: the subsystem now belongs to the hierarchy of ROOT (the default one: unmounted). */
	void (*bind)(struct cgroup_subsys *ss, struct cgroup *root);
	/* empty: the last task has left CGRP. Not the place to move tasks or change the tree. */
	void (*empty)(struct cgroup_subsys *ss, struct cgroup *cgrp);

	/*
	 * Told while asked for with cgroup_watch(), soon after the fact and before anything else is
	 * answered: look at what is true now. TASK is NULL when it is not known who it was.
	 *
	 * affinity: TASK has been given a CPU affinity, or was born with one that is in question;
	 * WHY below, and task_affinity_begin().
	 * namespaces: TASK has entered new namespaces, or (ORIGIN is another tid) was made by one
	 * that did, ORIGIN in the end, after it did and before this could be told of it.
	 */
	void (*affinity)(struct cgroup_subsys *ss, const struct cgroup_task *task,
			 unsigned int why);
	void (*namespaces)(struct cgroup_subsys *ss, const struct cgroup_task *task, pid_t origin);

	/* Filled in by the core. */
	unsigned int id;
	struct core *core;
	void *private_data; /* the subsystem's own, one per daemon */
};

/*
 * cgroup_add_file(s): add one control file (or a list ending with a NULL name) to CGRP. The cftype
 * must outlive the cgroup. -EEXIST: the name is taken, by a file or a child; -EINVAL: no file can have
 * it; -ENOMEM.
 */
int cgroup_add_file(struct cgroup *cgrp, struct cgroup_subsys *ss, const struct cftype *cft);
int cgroup_add_files(struct cgroup *cgrp, struct cgroup_subsys *ss, const struct cftype *cfts);

/*
 * References to a css keep its cgroup from being removed or released. From any thread, never
 * blocking. css_get: the caller holds one already, or the cgroup cannot go. css_tryget: false when
 * the cgroup is being removed. css_put: the last one may release the cgroup (the loop sees to it).
 */
void css_get(struct cgroup_subsys_state *css);
bool css_tryget(struct cgroup_subsys_state *css);
void css_put(struct cgroup_subsys_state *css);

/* The state SS keeps for CGRP; NULL when SS is not bound to its hierarchy. */
struct cgroup_subsys_state *css_of(const struct cgroup *cgrp, const struct cgroup_subsys *ss);
/* The cgroup TASK is in, in the hierarchy SS is bound to; never NULL (a gone task: the root). */
struct cgroup *task_cgroup(const struct cgroup_task *task, const struct cgroup_subsys *ss);
struct cgroup_subsys_state *task_css(const struct cgroup_task *task,
				     const struct cgroup_subsys *ss);

struct cgroup *cgroup_parent(const struct cgroup *cgrp); /* NULL for the root */
struct cgroup *cgroup_first_child(const struct cgroup *cgrp);
struct cgroup *cgroup_next_sibling(const struct cgroup *cgrp);
/* Does it belong to the hierarchy of a mount, not to the default one? */
bool cgroup_is_mounted(const struct cgroup *cgrp);
/* Is CGRP the same as ANCESTOR or below it? */
bool cgroup_is_descendant(const struct cgroup *cgrp, const struct cgroup *ancestor);
/* The path from the hierarchy's root ("/" for it) into BUF; its length, or -ENAMETOOLONG. */
int cgroup_path(const struct cgroup *cgrp, char *buf, size_t size);
/* The number of tasks in CGRP itself, now. */
size_t cgroup_task_count(struct cgroup *cgrp);

/*
 * Walk the tasks of CGRP as of cgroup_iter_start(). End every started walk.
 * start: 0 or -ENOMEM. next: NULL at the end; the result is valid until the next call.
 */
struct cgroup_iter {
	struct cgroup_task *tasks;
	size_t n, pos;
};
int cgroup_iter_start(struct cgroup *cgrp, struct cgroup_iter *it);
const struct cgroup_task *cgroup_iter_next(struct cgroup_iter *it);
void cgroup_iter_end(struct cgroup_iter *it);

/*
 * Make a child `node_TID` of TASK's cgroup in the hierarchy of SS, run every post_clone, move TASK
 * in. 0 also when SS is bound to no mounted hierarchy (nothing is done); -EEXIST; what mkdir or a
 * move may answer. -ERESTART: the task is still being born, after seconds.
 */
int cgroup_clone(const struct cgroup_task *task, struct cgroup_subsys *ss);
/* The same with the child `node_NR`, for a task that belongs with NR: one that is there is entered. */
int cgroup_clone_of(const struct cgroup_task *task, struct cgroup_subsys *ss, pid_t nr);
/*
 * Move every task of FROM into TO, of the same hierarchy, whatever their owners. All subsystems are
 * asked as for any move; the first error that is not a task's having gone ends it. -ERESTART: a task
 * that is on its way in or out has been so for seconds.
 */
int cgroup_transfer_tasks(struct cgroup *to, struct cgroup *from);

/*
 * The CPU time of N tasks, in one question to the kernel where it can be. -ENOTSUP: the tracker
 * cannot tell.
 */
int cgroup_cputimes(struct cgroup_subsys *ss, const pid_t *tids, size_t n,
		    struct cgroup_cputime *times);
/* Has cputime() called for all that have exited and whose time was not final yet. */
void cgroup_reap(struct cgroup_subsys *ss);

/*
 * css_sets, for a subsystem that shows them. An id is stable while its css_set lives; 1 is the one
 * of tasks that are in the root of every hierarchy. SS is the asking subsystem.
 */
struct cgroup_css_set {
	uint32_t id;
	size_t n_tasks;
	unsigned int n_cgroups; /* cgroups below a root that it combines */
};
/* The css_set of a task; -ESRCH. */
int css_set_of_task(struct cgroup_subsys *ss, const struct cgroup_task *task,
		    struct cgroup_css_set *set);
/* Call FN for each css_set that has tasks in CGRP, as of now; FN must not change anything. */
void cgroup_each_css_set(struct cgroup *cgrp,
			 void (*fn)(void *arg, const struct cgroup_css_set *set), void *arg);
/* Up to MAX tids of the css_set into TIDS, in no order; how many. */
size_t css_set_tids(struct cgroup_subsys *ss, uint32_t id, pid_t *tids, size_t max);
/* Call FN once a hierarchy, newest first, with its label and the css_set's cgroup there. */
void css_set_each_cgroup(struct cgroup_subsys *ss, uint32_t id,
			 void (*fn)(void *arg, const char *hierarchy, struct cgroup *cgrp),
			 void *arg);
/* Is CGRP marked: has lost a task or a child since notify_on_release was last written? */
bool cgroup_is_releasable(struct cgroup *cgrp);

/* ---- the world --------------------------------------------------------------------------------- */

/*
 * Which of affinity() and namespaces() SS wants to be called: from the return on, for everything
 * that happens. While anybody wants one, every system call of the machine costs a little more, so
 * ask only as long as there is a use for it. -ENOTSUP: the tracker cannot tell; or why the kernel
 * refuses. SS then has what it had before.
 */
#define CGROUP_WATCH_AFFINITY 1u
#define CGROUP_WATCH_NAMESPACES 2u
int cgroup_watch(struct cgroup_subsys *ss, unsigned int events);

/* Why affinity() is called. */
enum cgroup_affinity_why {
	/* By itself; or by another task: what it has made meanwhile may have got it untold. */
	CGROUP_AFFINITY_GIVEN,
	CGROUP_AFFINITY_GIVEN_BY_OTHER,
	/* Made by one in question, or that was given another affinity while it was making TASK. */
	CGROUP_AFFINITY_BORN,
};

/*
 * Giving a task another CPU affinity than it asked for, and leaving no child of its with the old
 * one; all while affinities are watched.
 *
 * begin: what the tracker knows of TASK. Then set its affinity, then end: `asked` (if has_asked) is
 * what it is taken to have asked for, for begin to tell again, also of the tasks it makes; TASK is
 * in question no more. -EAGAIN from end: it has been given another affinity since begin, and
 * affinity() is going to be called for it.
 * mark: TASK is in question until the next end, so affinity() is called for every task it makes;
 * ASKED, if not NULL, goes for its has_asked and `asked`.
 * All: -ESRCH, -ENOMEM, -ENOTSUP.
 */
#define TASK_AFFINITY_CPUS 2048
struct task_affinity {
	uint64_t now[TASK_AFFINITY_CPUS / 64]; /* where it may run */
	uint64_t asked[TASK_AFFINITY_CPUS / 64];
	/*
	 * Last given with sched_setaffinity(2), to TASK, or, while it is in question since it was
	 * born, to its maker; all CPUs if that has asked for nothing in particular.
	 */
	uint64_t user[TASK_AFFINITY_CPUS / 64];
	bool has_asked, has_user;
	bool in_question;
	uint64_t token; /* the tracker's */
};
int task_affinity_begin(struct cgroup_subsys *ss, const struct cgroup_task *task,
			struct task_affinity *aff);
int task_affinity_end(struct cgroup_subsys *ss, const struct cgroup_task *task,
		      const struct task_affinity *aff);
int task_affinity_mark(struct cgroup_subsys *ss, const struct cgroup_task *task,
		       const struct task_affinity *asked);

/*
 * Call FN from the loop whenever the file descriptor FD is readable (a timerfd, a socket); FN NULL:
 * no more, before FD is closed. FD stays the caller's. -EEXIST, -ENOENT, -ENOTSUP, -ENOMEM.
 */
int cgroup_watch_fd(struct cgroup_subsys *ss, int fd, void (*fn)(struct cgroup_subsys *ss, int fd));

/* A line for the daemon's log; PRIORITY as of syslog.h. */
void cgroup_log(struct cgroup_subsys *ss, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A plug-in defines exactly one of these, with the macro. The daemon refuses another ABI number, and
 * does not start when it refuses a plug-in. examples/maxtasks/ in the source is one, to copy.
 */
struct cgroup_subsys_plugin {
	uint32_t abi;
	uint32_t size; /* sizeof(struct cgroup_subsys) it was built with */
	struct cgroup_subsys *subsys;
};
#define CGROUP_SUBSYS_PLUGIN(ss)                                                                   \
	__attribute__((visibility("default")))                                                     \
	const struct cgroup_subsys_plugin ucgroup_subsys_plugin = {                                \
		CGROUP_SUBSYS_ABI, sizeof(struct cgroup_subsys), &(ss)}

#ifdef __cplusplus
}
#endif
#endif
