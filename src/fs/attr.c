// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attr.c - stat, chmod, chown, utimes; truncation, which does nothing.
 */
#include <time.h>

#include <fs/internal.h>

static void reply_attr(fuse_req_t req, const struct node *n)
{
	struct fs_mount *m = req_mount(req);
	struct stat st;

	node_stat(m, n, &st);
	m->forgotten = 0;
	fuse_reply_attr(req, &st, n->dead ? 0 : m->timeout);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node n;
	int err = node_get(req_mount(req), ino, &n);

	(void)fi;
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_attr(req, &n);
}

static uint64_t to_ns(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return to_ns(&ts);
}

static void merge(struct core_attr *attr, const struct stat *st, int to_set)
{
	if (to_set & FUSE_SET_ATTR_MODE)
		attr->mode = st->st_mode & 07777;
	if (to_set & FUSE_SET_ATTR_UID)
		attr->uid = st->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		attr->gid = st->st_gid;
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		attr->atime_ns = now_ns();
	else if (to_set & FUSE_SET_ATTR_ATIME)
		attr->atime_ns = to_ns(&st->st_atim);
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		attr->mtime_ns = now_ns();
	else if (to_set & FUSE_SET_ATTR_MTIME)
		attr->mtime_ns = to_ns(&st->st_mtim);
}

/* A size (truncation) is accepted and ignored, so that `echo >` works. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
		       struct fuse_file_info *fi)
{
	const int kept = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID |
			 FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME |
			 FUSE_SET_ATTR_MTIME_NOW;
	struct fs_mount *m = req_mount(req);
	struct core_attr attr;
	struct node n;
	int err = node_get(m, ino, &n);

	(void)fi;
	if (!err && to_set & kept) {
		cgroup_attr(n.cgrp, n.cft, &attr);
		merge(&attr, st, to_set);
		attr.ctime_ns = now_ns();
		err = cgroup_set_attr(n.cgrp, n.cft, &attr);
		if (!err && !n.dead)
			notify_attr(m, &n);
	}
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_attr(req, &n);
}

void attr_init(struct fuse_lowlevel_ops *ops)
{
	ops->getattr = op_getattr;
	ops->setattr = op_setattr;
}
