/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the files of src/fs/ share. Nobody outside includes this.
 *
 * All of it belongs to the loop.
 */
#ifndef UCGROUP_FS_INTERNAL_H
#define UCGROUP_FS_INTERNAL_H

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <fuse_lowlevel.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include <fs/fs.h>

/* An open file or directory. The kernel hands it back as fi->fh; ended mounts release it. */
struct handle {
	LIST_ENTRY(handle) link;
	fuse_ino_t ino;
	struct cgroup_file *file; /* a control file */
	uint64_t *listing;	  /* a directory: the inodes as of the first read */
	size_t n_listed;
	struct proc_file *proc; /* a file in the view of /proc */
};

/*
 * A removed cgroup whose directory the kernel still holds (a working directory, an open one): kept
 * until it is forgotten, so that stat(2) and the permission checks of `cd ..` go on working.
 */
struct grave {
	UT_hash_handle hh;
	uint64_t serial;
	struct cgroup *cgrp; /* held */
};

#define TOLD_SLOTS 1024 /* a power of two */

struct fs_mount {
	TAILQ_ENTRY(fs_mount) link;
	struct fs *fs;
	struct hierarchy *h; /* NULL: the view of /proc */
	struct fuse_session *se;
	int fd; /* of /dev/fuse; the session closes it */
	uv_poll_t poll;
	char *source;
	dev_t dev;
	double timeout; /* seconds that entries and attributes are good for: 0, or for ever */
	bool prunes;	/* the kernel drops single inodes when told */
	LIST_HEAD(, handle) handles;
	struct grave *graves;
	fuse_ino_t
		forgotten; /* nothing has been answered since its attributes were; 0: something */
	uint64_t told[TOLD_SLOTS]; /* when an inode was last answered about; see notify.c */
};

/* The change to the tree that a mount's request is making right now. */
struct change {
	const struct fs_mount *m; /* NULL: none */
	const struct cgroup *parent;
	const char *name;
};

struct fs {
	struct fs_config config;
	TAILQ_HEAD(, fs_mount) mounts;
	struct fuse_buf request;
	TAILQ_HEAD(, late_write) late_writes; /* that wait, oldest first */
	uv_timer_t *try_again;
	char *out; /* answers are built here */
	size_t out_size;
	struct change change;
};

/* A file or directory of a hierarchy. */
struct node {
	struct cgroup *cgrp;
	const struct cftype *cft; /* NULL: the directory */
	bool dead;		  /* removed; only what it was can be asked */
};

/* Attributes and entries that the kernel may keep until told otherwise: a hundred years. */
#define TIMEOUT_FOREVER (100 * 365.0 * 86400)

/* The requests one mount may have served before the loop looks at the others. */
#define SERVE_AT_ONCE 64
/* How often it looks for another one that is not there yet, and for how long in all. */
#define RECEIVE_TRIES 50
#define SERVE_NS 200000

static inline struct fs_mount *req_mount(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* session.c */
void fs_log(const struct fs *fs, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A buffer of SIZE bytes, good until the next call; NULL: out of memory. */
char *fs_out(struct fs *fs, size_t size);
/* NULL: out of memory. */
struct handle *handle_new(struct fs_mount *m, fuse_ino_t ino);
void handle_free(struct handle *hdl);

/* superblock.c */
/*
 * Make a superblock served through FUSE_FD: a detached mount of it, or an error and *WHAT. *DEV is
 * its st_dev.
 */
int superblock_new(int fuse_fd, const char *source, const char *subtype,
		   const struct fs_flags *flags, dev_t *dev, char **what);
int fs_what(char **what, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* mountinfo.c */
struct mountinfo {
	dev_t dev;
	char *dir;	     /* as the kernel writes it: \040 for a space … */
	char *options;	     /* of the mount */
	char *type;	     /* "fuse.ucgroup" */
	char *source;	     /* as the kernel writes it */
	char *super_options; /* of the superblock */
};
/*
 * Call FN for each line of /proc/WHO/mountinfo ("self", "17"), in order; the strings are valid for
 * the call.
 */
int mountinfo_each(const char *who, void (*fn)(void *arg, const struct mountinfo *mi), void *arg);
/* Undo the kernel's escapes in place. */
void mountinfo_unescape(char *text);

/* node.c */
fuse_ino_t node_ino(const struct fs_mount *m, const struct node *n);
/* -ESTALE: there is no such file (any more): the kernel then looks the path up afresh. */
int node_get(struct fs_mount *m, fuse_ino_t ino, struct node *n);
/* A directory that is there; -ENOENT when it has been removed, -ENOTDIR. */
int node_get_dir(struct fs_mount *m, fuse_ino_t ino, struct node *n);
/* NAME in the directory PARENT; -ENOENT. */
int node_lookup(const struct node *parent, const char *name, struct node *n);
void node_stat(const struct fs_mount *m, const struct node *n, struct stat *st);
void node_entry(struct fs_mount *m, const struct node *n, struct fuse_entry_param *e);

/* cred.c */
/* Who made this request. Looks at namespaces, so only where a release agent is at stake. */
void cred_of(fuse_req_t req, const struct cftype *cft, struct core_cred *cred);
/* Has the thread CAP_SYS_ADMIN over the daemon's user namespace? */
bool cred_is_admin(pid_t tid);

/* notify.c */
/* Finds out what the kernel can be told to forget; once the superblock is there. */
void notify_probe(struct fs_mount *m);
/* An answer that names INO and carries its attributes goes out. */
void notify_told(struct fs_mount *m, fuse_ino_t ino);
/* Attributes of N have changed through M: tell the others. */
void notify_attr(struct fs_mount *m, const struct node *n);
/* CGRP was just removed through M itself. */
void notify_removed(struct fs_mount *m, const struct cgroup *cgrp);
void grave_add(struct fs_mount *m, struct cgroup *cgrp);
void grave_forget(struct fs_mount *m, fuse_ino_t ino);
void graves_free(struct fs_mount *m);

/* file.c */
/* The mount ends: so do the writes to it that wait. */
void late_writes_end(struct fs_mount *m);

/* dir.c, listing.c, file.c, attr.c, xattr.c: fuse_lowlevel_ops */
void dir_init(struct fuse_lowlevel_ops *ops);
void listing_init(struct fuse_lowlevel_ops *ops);
void file_init(struct fuse_lowlevel_ops *ops);
void attr_init(struct fuse_lowlevel_ops *ops);
void xattr_init(struct fuse_lowlevel_ops *ops);

/* proc.c */
extern const struct fuse_lowlevel_ops proc_ops;
void proc_file_free(struct proc_file *pf);

/* proc_text.c: what the files in the view of /proc say, as text. */
int proc_text_cgroups(struct fs *fs, FILE *out);
/* READER: as seen in this task's mount namespace. */
int proc_text_mounts(struct fs *fs, pid_t reader, FILE *out);
int proc_text_debug(struct fs *fs, FILE *out);
int proc_text_task_cgroup(struct fs *fs, pid_t tid, FILE *out);
int proc_text_task_cpuset(struct fs *fs, pid_t tid, FILE *out);

#endif
