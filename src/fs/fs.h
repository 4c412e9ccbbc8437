/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fs.h - the core's hierarchies as file systems, through FUSE, and the view of /proc.
 *
 * One `struct fs` serves all mounts of a daemon from its loop. A mount is a FUSE superblock the
 * daemon makes itself; what fs_mount() returns is a detached mount, which whoever asked attaches
 * with move_mount(2) in its own mount namespace. If it never does and closes it, the mount ends
 * like one that was unmounted.
 *
 * The daemon must never touch a path below one of its own mounts: it would wait for itself.
 *
 * Threads: everything here is called on the loop, and not from a callback of the core, but for
 * fs_tree_changed(). Errors are negative errno values.
 */
#ifndef UCGROUP_FS_H
#define UCGROUP_FS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <uv.h>

#include <core/core.h>

struct fs;
struct fs_mount; /* one superblock */

struct fs_config {
	struct core *core;
	uv_loop_t *loop;
	uid_t owner; /* of the instance: who may set release agents */
	/* May be NULL. Priorities as in syslog.h. */
	void (*log)(void *arg, int priority, const char *fmt, va_list ap);
	/* A request has been handled. True: the next is likely to come at once. May be NULL. */
	bool (*served)(void *arg);
	void *arg;
};

/* NULL: out of memory. Core and loop must outlive the fs. */
struct fs *fs_new(const struct fs_config *config);
/*
 * End every mount: open requests and files are answered with ENOTCONN, mounts in the daemon's own
 * mount namespace are taken away, wherever they have been moved or bound to (MNT_DETACH). A mount
 * in another namespace cannot be reached; it stays there, dead, until its owner unmounts it. The
 * core's mount references are dropped. To be called once, before core_free().
 */
void fs_stop(struct fs *fs);
/* After fs_stop(). The loop must run once more (closing handles) before uv_loop_close(). */
void fs_free(struct fs *fs);

/* ---- mounting ------------------------------------------------------------------------------ */

/* mount(8)'s generic options, which are not the hierarchy's. */
struct fs_flags {
	unsigned int attrs; /* MOUNT_ATTR_*, for the mount */
	bool ro;	    /* the superblock, too */
	bool sync, dirsync, lazytime;
};

/*
 * Take the generic options ("rw", "nosuid", "_netdev", "x-…") out of a comma-separated list. What
 * is left, in its order, empty tokens included, is returned for core_mount_opts_parse(); to be
 * freed. *FLAGS is filled in: start from zeroes. NULL: out of memory.
 */
char *fs_take_generic(const char *options, struct fs_flags *flags);

/*
 * Make a mount of H. SOURCE is shown in the mount table (NULL or "": "ucgroup"). The mount
 * reference on H that core_mount() took becomes the fs', which drops it when the mount ends; on an
 * error it stays with the caller, and *WHAT (if not NULL) is a message for a person, to be freed.
 * Returns the detached mount's descriptor (close-on-exec), which is the caller's to send and
 * close; *M lives until the mount ends.
 */
int fs_mount(struct fs *fs, struct hierarchy *h, const char *source, const struct fs_flags *flags,
	     struct fs_mount **m, char **what);
/* The same for the read-only view of /proc. */
int fs_mount_proc(struct fs *fs, const char *source, const struct fs_flags *flags,
		  struct fs_mount **m, char **what);

/*
 * Notice now which mounts are gone. umount(2) has ended the connection before it returns, so after
 * this call nothing of an unmounted file system is left. Call it before any control request.
 */
void fs_reap(struct fs *fs);

/* All mounts, oldest first: start with NULL. */
struct fs_mount *fs_mount_next(const struct fs *fs, const struct fs_mount *prev);
dev_t fs_mount_dev(const struct fs_mount *m);
const char *fs_mount_source(const struct fs_mount *m);
struct hierarchy *fs_mount_hierarchy(const struct fs_mount *m); /* NULL: the view of /proc */
/* Is what it shows known to the kernel until told otherwise (or asked for every time)? */
bool fs_mount_caches(const struct fs_mount *m);

/* The mount with this st_dev, NULL: none of ours. */
struct fs_mount *fs_find(const struct fs *fs, dev_t dev);
/*
 * The cgroup a client found as a directory with this st_dev and st_ino. -ENODEV: on no mount of
 * ours; -ENOTDIR: a file, or the view of /proc; -ENOENT: it has been removed.
 */
int fs_resolve(const struct fs *fs, dev_t dev, ino_t ino, struct cgroup **cgrp);

/* ---- what the core tells ------------------------------------------------------------------- */

/*
 * struct core_ops' tree_changed: CGRP was made, renamed, is about to go, or has other files. Every
 * mount of its hierarchy forgets what it cached before this returns, except the one whose own
 * request this change is: there the kernel knows.
 */
void fs_tree_changed(struct fs *fs, struct cgroup *cgrp); /* FS may be NULL: nothing is done */

#endif
