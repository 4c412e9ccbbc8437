/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ucgroup/ucgroup.h - use a running ucgroupd from C. Link with -lucgroup.
 *
 * A connection may be used by several threads at a time; each call is one exchange with the daemon
 * and others wait for it. The exceptions are ucgroup_wait_idle() and the watch functions, which
 * use a connection of their own. A connection is of the process that made it: after fork() the
 * child makes its own.
 *
 * DIR, wherever it is a parameter, names a cgroup: the path of a directory under a ucgroup mount,
 * or "HIERARCHY:/PATH" (the hierarchy's name or its comma-separated subsystems), which needs no
 * mount. Pids are those of the caller's pid namespace.
 *
 * Functions return 0, or a negative errno value:
 *	-EXDEV		DIR is on no mount of this instance
 *	-ENODEV		there is no hierarchy of the name before the ":"
 *	-ENOENT		there is no such cgroup
 *	-EACCES, -EPERM	the caller may not: the same as on the files of the mount
 *	-ECONNRESET	the daemon ended; connect again
 * and what is named with each. A `char **what` may be NULL; on an error it is set to a message for
 * a person, to be freed, or to NULL where the errno says it all.
 */
#ifndef UCGROUP_UCGROUP_H
#define UCGROUP_UCGROUP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ucgroup; /* a connection */

/* ---- connecting --------------------------------------------------------------------------- */

/*
 * Connect to the daemon of INSTANCE. NULL: the one in $UCGROUP_INSTANCE, else "default". An
 * ordinary user's own daemon (below $XDG_RUNTIME_DIR) goes before root's. No daemon is started.
 * -ENOENT, -ECONNREFUSED: none is running; -EINVAL: no valid name; -EPROTO: another version.
 */
int ucgroup_connect(const char *instance, struct ucgroup **c, char **what);
/* C may be NULL. No other thread may be using it. */
void ucgroup_close(struct ucgroup *c);
/* The instance's name; as long as C lives. */
const char *ucgroup_instance(const struct ucgroup *c);

/* ---- cgroups ------------------------------------------------------------------------------ */

/*
 * Make a cgroup, owned by the caller, with the permission bits of MODE: the umask is not applied.
 * -EEXIST, -ENAMETOOLONG, -EINVAL (a newline), or a subsystem's error.
 */
int ucgroup_mkdir(struct ucgroup *c, const char *dir, mode_t mode);
/* Remove one. -EBUSY: it has a task, a child or a reference, or is the root. */
int ucgroup_rmdir(struct ucgroup *c, const char *dir);

/*
 * The same for N paths from the existing cgroup BASE, in order, in one exchange. ERRORS (N of
 * them; may be NULL) gets 0 or the error of each. Returns 0 when all went well, else the first
 * error; the others are done all the same. -EMSGSIZE: too much for one exchange (4 MiB of paths).
 */
int ucgroup_mkdir_many(struct ucgroup *c, const char *base, const char *const *paths, size_t n,
		       mode_t mode, int *errors);
int ucgroup_rmdir_many(struct ucgroup *c, const char *base, const char *const *paths, size_t n,
		       int *errors);

/* ---- tasks -------------------------------------------------------------------------------- */

#define UCGROUP_THREADS 0x1u   /* single threads, not whole processes */
#define UCGROUP_RECURSIVE 0x2u /* the cgroups below as well */
#define UCGROUP_NOTIFY 0x4u    /* set notify_on_release */

/*
 * Move a process with all its threads, or with UCGROUP_THREADS one thread, into DIR. 0 as PID means
 * the caller: its process, or its thread. -ESRCH; -EINVAL; or a subsystem's error, and nothing has
 * changed.
 */
int ucgroup_move(struct ucgroup *c, const char *dir, pid_t pid, unsigned int flags);
/* N of them in one exchange; ERRORS and the result as for ucgroup_mkdir_many(). */
int ucgroup_move_many(struct ucgroup *c, const char *dir, const pid_t *pids, size_t n,
		      unsigned int flags, int *errors);
/*
 * Make DIR if it is missing (its parent is there) and move the calling process into it, in one step
 * that a release cannot come between; with UCGROUP_NOTIFY its notify_on_release is set.
 */
int ucgroup_enter(struct ucgroup *c, const char *dir, mode_t mode, unsigned int flags);
/*
 * The processes in DIR, ascending; with UCGROUP_THREADS its threads; with UCGROUP_RECURSIVE of the
 * whole subtree. *PIDS is to be freed.
 */
int ucgroup_list(struct ucgroup *c, const char *dir, unsigned int flags, pid_t **pids, size_t *n);

/* ---- releases ----------------------------------------------------------------------------- */

/*
 * Wait until DIR is idle (no task, no child, no reference) or gone. -ETIMEDOUT after TIMEOUT_MS
 * milliseconds; a negative one: no limit.
 */
int ucgroup_wait_idle(struct ucgroup *c, const char *dir, int timeout_ms);

struct ucgroup_settings {
	int notify_on_release; /* 0 or 1 */
	char *release_agent;   /* of the hierarchy: "", "builtin:rmdir" or a path; to be freed */
};
int ucgroup_get_settings(struct ucgroup *c, const char *dir, struct ucgroup_settings *s);
int ucgroup_set_notify(struct ucgroup *c, const char *dir, int notify_on_release);
/* For the whole hierarchy DIR is in. -EINVAL; -EPERM: not the instance's owner. */
int ucgroup_set_release_agent(struct ucgroup *c, const char *dir, const char *agent);

enum ucgroup_event_type {
	UCGROUP_RELEASE = 1, /* the cgroup became idle and notifies; AGENT is what is told of it */
	UCGROUP_AGENT = 2,   /* an agent ended */
	UCGROUP_LOST = 3,    /* events were not read in time, and some are missing here */
};
struct ucgroup_event {
	enum ucgroup_event_type type;
	uint64_t time_ns; /* since 1970 */
	/* UCGROUP_AGENT: exit status, 128 + signal, or a negative errno: it could not be started */
	int status;
	const char *hierarchy, *path, *agent; /* "" where there is none; until the next call */
};
struct ucgroup_watch;

/* Listen to events of DIR and the cgroups below it; NULL: of everything. */
int ucgroup_watch_open(struct ucgroup *c, const char *dir, struct ucgroup_watch **w);
/* Readable when ucgroup_watch_next() may have something. Owned by the watch. */
int ucgroup_watch_fd(const struct ucgroup_watch *w);
/*
 * The next event. -EAGAIN: none within TIMEOUT_MS milliseconds (negative: no limit). By one thread
 * at a time.
 */
int ucgroup_watch_next(struct ucgroup_watch *w, int timeout_ms, struct ucgroup_event *ev);
void ucgroup_watch_close(struct ucgroup_watch *w);

/* ---- hierarchies, mounts, the daemon -------------------------------------------------------- */

enum ucgroup_query {
	UCGROUP_HIERARCHIES = 1, /* an array, newest first; DIR is not used */
	UCGROUP_TREE = 2,	 /* an array: DIR and all below it, parents before children */
	UCGROUP_STATS = 3,	 /* an object; DIR is not used */
};
/* Asks for JSON text, NUL-terminated, to be freed. */
int ucgroup_query(struct ucgroup *c, enum ucgroup_query kind, const char *dir, char **json);

#define UCGROUP_MOUNT_PROC 0x1u /* the view of /proc */
/*
 * Find or make the hierarchy OPTIONS ask for (as in `mount -o`) and make a mount of it: *FD is
 * detached, close-on-exec, to be put in its place with move_mount(2) and closed. SOURCE is what
 * the mount table will show. -EBUSY, -EINVAL, -ENOENT, -ENOSPC, -EPERM.
 */
int ucgroup_mount(struct ucgroup *c, const char *options, const char *source, unsigned int flags,
		  int *fd, char **what);
/* Change the hierarchy that DIR is in. -EBUSY, -EINVAL, -ENOENT, -EPERM. */
int ucgroup_remount(struct ucgroup *c, const char *dir, const char *options, char **what);
/* Returns once the daemon has noticed every umount(2) that returned before this was called. */
int ucgroup_sync(struct ucgroup *c);
/*
 * Stop the daemon: every mount, membership and trace of the instance is gone when this returns.
 * Nothing but ucgroup_close() can be done with C afterwards.
 */
int ucgroup_shutdown(struct ucgroup *c, char **what);

#ifdef __cplusplus
}
#endif
#endif
