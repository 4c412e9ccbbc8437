// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * listing.c - reading directories.
 *
 * A listing is a picture of the directory as of its first read (or rewinddir): the inode numbers of
 * its entries. So an offset is an index, and removing what has been listed so far, as `rm -r` and
 * find -delete do, neither skips nor repeats an entry nor costs a search.
 *
 * There is no readdirplus: the kernel takes what it says as true as of the arrival of the answer,
 * not of its question (fuse_direntplus_link), so a change made meanwhile on another mount would
 * stay unseen for ever. Without it the first `ls -l` of a directory takes about twice as long.
 */
#include <stdlib.h>
#include <string.h>

#include <fs/internal.h>

#define FIRST_REAL 2 /* after . and .. */

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_mount *m = req_mount(req);
	struct handle *hdl;
	struct node n;
	int err = node_get(m, ino, &n);

	/* A removed directory can be opened while someone holds it; it has no entries. */
	if (!err && n.cft)
		err = -ENOTDIR;
	hdl = err ? NULL : handle_new(m, ino);
	if (!hdl) {
		fuse_reply_err(req, err ? -err : ENOMEM);
		return;
	}
	fi->fh = (uintptr_t)hdl;
	if (fuse_reply_open(req, fi) == -ENOENT)
		handle_free(hdl);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_free((struct handle *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

static int take_listing(struct fs_mount *m, struct handle *hdl, const struct node *dir)
{
	struct node n = {.cgrp = dir->cgrp};
	size_t n_files = 0, at = FIRST_REAL;
	struct cgroup *child;
	uint64_t *inos;

	core_settle(m->fs->config.core);
	while (cgroup_file_at(dir->cgrp, n_files))
		n_files++;
	inos = reallocarray(hdl->listing, FIRST_REAL + n_files + cgroup_n_children(dir->cgrp),
			    sizeof(*inos));
	if (!inos)
		return -ENOMEM;
	hdl->listing = inos;
	inos[0] = inos[1] = 0;
	for (size_t i = 0; i < n_files; i++) {
		n.cft = cgroup_file_at(dir->cgrp, i);
		inos[at++] = node_ino(m, &n);
	}
	for (child = cgroup_first_child(dir->cgrp); child; child = cgroup_next_sibling(child))
		inos[at++] = node_ino(m, &(struct node){.cgrp = child});
	hdl->n_listed = at;
	return 0;
}

struct lister {
	fuse_req_t req;
	struct fs_mount *m;
	struct node dir;
	char *buf;
	size_t size, used;
};

/* False: there is no room for it. */
static bool put(struct lister *l, const char *name, const struct node *n, size_t next)
{
	struct stat st = {
		.st_ino = node_ino(l->m, n),
		.st_mode = n->cft ? S_IFREG : S_IFDIR,
	};
	size_t left = l->size - l->used;
	size_t len = fuse_add_direntry(l->req, l->buf + l->used, left, name, &st, (off_t)next);

	if (len > left)
		return false;
	l->used += len;
	return true;
}

static bool put_entry(struct lister *l, uint64_t ino, size_t index)
{
	char buf[CORE_NAME_MAX + 1];
	const char *name = buf;
	struct node n;

	/* Gone since the picture was taken. */
	if (node_get(l->m, ino, &n) || n.dead)
		return true;
	if (n.cft)
		cgroup_file_name(n.cgrp, n.cft, buf, sizeof(buf));
	else
		name = cgroup_name(n.cgrp);
	return put(l, name, &n, index + 1);
}

static bool put_dot(struct lister *l, size_t index)
{
	struct node n = l->dir;

	if (index && cgroup_parent(n.cgrp))
		n.cgrp = cgroup_parent(n.cgrp);
	return put(l, index ? ".." : ".", &n, index + 1);
}

static int list_from(struct lister *l, struct handle *hdl, size_t off)
{
	int err = node_get_dir(l->m, hdl->ino, &l->dir);

	if (err)
		return err;
	if (!off || !hdl->listing) {
		err = take_listing(l->m, hdl, &l->dir);
		if (err)
			return err;
	}
	for (size_t i = off; i < hdl->n_listed; i++)
		if (!(i < FIRST_REAL ? put_dot(l, i) : put_entry(l, hdl->listing[i], i)))
			break;
	return 0;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	struct lister l = {.req = req, .m = req_mount(req), .size = size};
	int err;

	(void)ino;
	l.buf = fs_out(l.m->fs, size);
	err = l.buf ? list_from(&l, (struct handle *)(uintptr_t)fi->fh, (size_t)off) : -ENOMEM;
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_buf(req, l.buf, l.used);
}

/* There is nothing to sync; the kernel's cgroups say so, too. */
static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino, (void)datasync, (void)fi;
	fuse_reply_err(req, EINVAL);
}

void listing_init(struct fuse_lowlevel_ops *ops)
{
	ops->opendir = op_opendir;
	ops->releasedir = op_releasedir;
	ops->readdir = op_readdir;
	ops->fsyncdir = op_fsyncdir;
}
