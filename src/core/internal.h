/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - the core's own structures. Nobody outside src/core/ includes this.
 *
 * Who may change what: all of it belongs to the loop. The exceptions are css->refcnt (atomic) and
 * core->puts (a lock-free stack), which css_get/css_put/css_tryget change from any thread.
 */
#ifndef UCGROUP_CORE_INTERNAL_H
#define UCGROUP_CORE_INTERNAL_H

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <syslog.h>

#include <core/core.h>

/* ---- tasks: 16 bytes each, in pages indexed by tid -------------------------------------------- */

#define TASK_PAGE_BITS 10
#define TASK_PAGE_TASKS (1u << TASK_PAGE_BITS)
#define TASK_STALE 0x80000000u /* in tgid: not yet seen by the running rebuild */

struct task {
	uint32_t cset; /* CSET_NONE: not a member */
	uint32_t tgid;
	uint32_t next, prev; /* tids of the css_set's list; 0 ends it */
};

struct task_page {
	uint32_t used;
	struct task tasks[TASK_PAGE_TASKS];
};

/* ---- css_sets --------------------------------------------------------------------------------- */

/* A css_set on the list of a cgroup that it combines. */
struct cset_link {
	struct cset *cset;
	LIST_ENTRY(cset_link) on_cgroup;
};

struct cset {
	uint32_t id;
	uint32_t n_tasks;
	uint32_t first; /* tid heading the list */
	uint32_t n_cgrps;
	uint64_t lost_at; /* by core->losses, when a task last died in it; 0: never */
	bool emptied;	  /* may have no task any more: core_settle() decides */
	bool uncounted;	  /* emptied, and the kernel counted no task in it when last asked */
	TAILQ_ENTRY(cset) on_emptied;
	struct cset *hash_next;
	uint64_t hash;
	uint64_t slots;		 /* of the hierarchies in which it names a cgroup */
	struct cset_link *links; /* one for each cgroup; behind these */
	struct cgroup *cgrps[];	 /* by hierarchy slot, ascending; roots are left out */
};

/* ---- cgroups ---------------------------------------------------------------------------------- */

enum cgroup_flags {
	CGRP_NOTIFY = 1u << 0,
	CGRP_CLONE_CHILDREN = 1u << 1,
	CGRP_RELEASABLE = 1u << 2, /* or one of its css_sets has lost a task since cleared_at */
	CGRP_OCCUPIED = 1u << 3,   /* has held a task or child since it was last idle */
	CGRP_QUEUED = 1u << 4,	   /* on its hierarchy's release queue */
	CGRP_DEAD = 1u << 5,
	CGRP_SHOWN = 1u << 6,
};

struct xattr {
	struct xattr *next;
	char *name;
	void *value;
	size_t size;
};

/* What chown, chmod, utimes and setxattr left on one file of a cgroup (cft NULL: the directory). */
struct node {
	SLIST_ENTRY(node) link;
	const struct cftype *cft;
	struct core_attr attr;
	struct xattr *xattrs;
	size_t xattr_bytes;
	bool has_attr;
};

struct extra_file {
	SLIST_ENTRY(extra_file) link;
	const struct cftype *cft;
	struct cgroup_subsys *ss;
};

/* What few cgroups have. */
struct cgroup_extra {
	SLIST_HEAD(, node) nodes;
	SLIST_HEAD(, extra_file) files;
};

struct cgroup {
	/* First what a css_set that comes or goes needs of each of its cgroups. */
	LIST_HEAD(, cset_link) csets; /* never on a root's */
	struct cgroup *parent;
	uint64_t cleared_at; /* by core->losses, when CGRP_RELEASABLE was last cleared */
	uint32_t flags;
	uint32_t n_children;
	struct hierarchy *h; /* NULL once it is removed and the hierarchy gone */
	uint64_t serial;
	char *name;
	struct cgroup *name_next, *serial_next; /* hash chains */
	TAILQ_HEAD(cgroup_list, cgroup) children;
	TAILQ_ENTRY(cgroup) sibling;
	TAILQ_ENTRY(cgroup) on_releases;
	struct cgroup_extra *extra;
	uint64_t ctime_ns;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint32_t holds; /* who needs the memory after removal: open files */
	uint32_t n_css;
	struct cgroup_subsys_state *css[]; /* of the bound subsystems by rank; a root's: by id */
};

struct hierarchy {
	struct core *core;
	TAILQ_ENTRY(hierarchy) link;
	uint32_t id;
	int slot; /* -1: the default hierarchy */
	uint64_t subsys_mask;
	bool noprefix;
	char name[CORE_HIERARCHY_NAME_MAX + 1];
	char *label;
	char *release_agent; /* never NULL */
	unsigned int n_mounts;
	size_t n_cgroups;
	struct cgroup *root;
	TAILQ_HEAD(, cgroup) releases;
	size_t n_releases;
	void *mount_data;
};

struct cftype_entry {
	const struct cftype *cft;
	struct cgroup_subsys *ss; /* NULL: a file of the framework */
};

struct open_file {
	struct cgroup_file f; /* first: what callbacks see */
	struct core *core;
	struct cgroup_subsys *ss;
	char *text; /* what reads hand out */
	size_t text_len;
	off_t text_at; /* where the last read ended */
	bool text_made;
	bool owner;	 /* core_cred.owner of the opener */
	uint32_t pid_ns; /* whose numbers the text has, as of core_ops.pid_ns */
};

/* cgroup_seq: grows; err sticks. */
struct cgroup_seq {
	char *buf;
	size_t len, cap;
	int err;
};

/* What a replay told that subsystems act on, and may only after it. */
struct deferred {
	bool namespaces; /* else an affinity */
	enum cgroup_affinity_why why;
	pid_t tid, origin;
	uint64_t token;
};

/* A file descriptor a subsystem listens to. */
struct watched_fd {
	LIST_ENTRY(watched_fd) link;
	struct cgroup_subsys *ss;
	int fd;
	void (*fn)(struct cgroup_subsys *ss, int fd);
};

/* A move that we have made, of a task from one css_set to another. */
struct own_move {
	pid_t tid, tgid;
	uint32_t from, to;
};

/* Those the log has not told of yet, in order: N from FIRST on. */
struct own_moves {
	struct own_move *v;
	size_t first, n, cap;
};

struct core {
	const struct core_ops *ops;
	void *arg;

	struct cgroup_subsys *subsys[CORE_MAX_SUBSYS];
	struct hierarchy *subsys_h[CORE_MAX_SUBSYS];
	unsigned int n_subsys;
	bool want_fork, want_exit; /* at once */
	bool tell_exit;

	struct cftype_entry cftypes[CORE_MAX_CFTYPES];
	unsigned int n_cftypes; /* number 0 is the directory */

	struct hierarchy *dfl;
	TAILQ_HEAD(, hierarchy) hierarchies; /* newest first, without dfl */
	struct hierarchy *by_slot[CORE_MAX_HIERARCHIES];
	unsigned int n_hierarchies;
	uint32_t next_hierarchy_id;

	uint64_t next_serial;
	struct cgroup **by_serial, **by_name; /* both with n_buckets */
	size_t n_buckets, n_cgroups;

	struct cset **csets; /* by id */
	uint32_t max_csets, cap_csets, next_cset;
	uint32_t *free_ids;
	uint32_t n_free_ids, cap_free_ids;
	struct cset **cset_buckets;
	size_t n_cset_buckets, n_csets;
	TAILQ_HEAD(, cset) emptied;
	uint64_t losses; /* counts deaths of members */

	struct task_page *pages[CORE_MAX_TID >> TASK_PAGE_BITS];
	struct task_page *spare_page;
	uint64_t n_tasks;

	struct deferred *deferred;
	size_t n_deferred, cap_deferred;
	bool lost_affinity, lost_namespaces; /* there was no memory to note it */
	unsigned int busy; /* a subsystem is at work, or something is half done: nothing deferred */
	unsigned int watch[CORE_MAX_SUBSYS]; /* CGROUP_WATCH_*, by subsystem */
	LIST_HEAD(, watched_fd) watched_fds;

	struct cgroup_subsys_state *puts; /* atomic */
	bool in_replay, in_rebuild, in_settle;
	bool walked; /* in a rebuild: the truth is being, or has been, laid over the lists */
	struct own_moves own;
	uint64_t dying_key; /* of the task whose death is told next */
	struct core_stats stats;
};

/* core.c */
void core_log(struct core *core, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void core_replay(struct core *core);
uint64_t core_now(struct core *core);
void core_tree_changed(struct cgroup *cgrp);
/* The bound subsystems of H, ascending: for (id = -1; (ss = hierarchy_next_subsys(h, &id));) */
struct cgroup_subsys *hierarchy_next_subsys(const struct hierarchy *h, int *id);

/* deferred.c */
/* Around whatever calls subsystems: settles at the outside, defers in between. */
void core_enter(struct core *core);
void core_leave(struct core *core);
void core_run_deferred(struct core *core);

/* services.c */
void services_exit(struct core *core);

/* cgroup.c */
struct cgroup *cgroup_alloc(struct hierarchy *h, struct cgroup *parent, const char *name,
			    size_t n_css);
void cgroup_free(struct cgroup *cgrp);
void cgroup_hash_add(struct cgroup *cgrp);
void cgroup_hash_del(struct cgroup *cgrp);
struct cgroup_subsys_state **cgroup_css_slot(const struct cgroup *cgrp,
					     const struct cgroup_subsys *ss);
/* Without settling: no css_set, child or css reference. */
bool cgroup_looks_idle(const struct cgroup *cgrp);

/* css.c */
bool cgroup_css_kill(struct cgroup *cgrp); /* all or none: no reference can be taken any more */
bool cgroup_css_referenced(const struct cgroup *cgrp);
void core_take_puts(struct core *core);

/* cset.c */
struct cset *cset_by_id(struct core *core, uint32_t id);
/* CSET with the cgroup of one hierarchy replaced; NULL: out of memory or of ids. */
struct cset *cset_with(struct core *core, const struct cset *cset, struct cgroup *cgrp);
struct cgroup *cset_cgroup(const struct cset *cset, const struct hierarchy *h);
/* One made for a move that did not happen goes again. */
void cset_drop_unused(struct core *core, struct cset *cset);
/* A task goes from OLD to NEW: the cgroups that only OLD has lose it. */
void cset_lose_moved(const struct cset *old, const struct cset *new);
void cset_mark_emptied(struct core *core, struct cset *cset);
int csets_init(struct core *core);
void csets_exit(struct core *core);

/* task.c */
const struct task *core_task(const struct core *core, pid_t tid);
void tasks_exit(struct core *core);

/* own_moves.c */
/* Before a move is made: its being told may be lost. -ENOMEM. */
int own_moves_note(struct core *core, const struct own_move *move);
/* The last N noted have been tried: those that failed are not to be told of. */
void own_moves_made(struct core *core, const struct core_move *moves, size_t n);
struct own_move *own_moves_first(const struct core *core); /* if there are any */
/* The earliest noted one of TID; NULL: none. */
struct own_move *own_moves_find(const struct core *core, pid_t tid);
void own_moves_forget(struct core *core, struct own_move *move);

/* release.c */
void release_check(struct cgroup *cgrp); /* became idle? then queue it */
void release_unqueue(struct cgroup *cgrp);

/* file.c */
int core_add_cftypes(struct core *core, struct cgroup_subsys *ss, const struct cftype *cfts);
void cgroup_drop_extra_files(struct cgroup *cgrp, const struct cgroup_subsys *ss);

/* base_files.c */
extern const struct cftype core_base_cftypes[];

/* hierarchy.c */
struct hierarchy *hierarchy_new(struct core *core);
void hierarchy_free(struct hierarchy *h);
int hierarchy_relabel(struct hierarchy *h);

/* attr.c */
void cgroup_extra_free(struct cgroup *cgrp);
struct cgroup_extra *cgroup_extra_get(struct cgroup *cgrp); /* NULL: out of memory */

/* parse.c */
/* SPEC 4: one number, white space around it allowed. -EINVAL, -ERANGE. */
int core_parse_u64(const char *text, size_t len, uint64_t *val);
int core_parse_s64(const char *text, size_t len, int64_t *val);
int core_parse_tid(const char *text, size_t len, pid_t *tid);

#endif
