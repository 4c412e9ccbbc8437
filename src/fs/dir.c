// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dir.c - names: looking up, making, removing and renaming cgroups, and what is never allowed.
 *
 * Who may do what is checked by the kernel (default_permissions) before it asks.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <fs/internal.h>

static void reply_node(fuse_req_t req, const struct node *n)
{
	struct fuse_entry_param e;

	node_entry(req_mount(req), n, &e);
	fuse_reply_entry(req, &e);
}

/* What a subsystem makes a cgroup for, as ns does, may have happened and not been heard of yet. */
static int lookup_now(struct fs_mount *m, const struct node *dir, const char *name, struct node *n)
{
	int err = node_lookup(dir, name, n);

	if (err != -ENOENT)
		return err;
	core_settle(m->fs->config.core);
	return node_lookup(dir, name, n);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs_mount *m = req_mount(req);
	struct node dir, n;
	int err = node_get_dir(m, parent, &dir);

	if (!err && strlen(name) > CORE_NAME_MAX)
		err = -ENAMETOOLONG;
	if (!err)
		err = lookup_now(m, &dir, name, &n);
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_node(req, &n);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	(void)nlookup;
	grave_forget(req_mount(req), ino);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		grave_forget(req_mount(req), forgets[i].ino);
	fuse_reply_none(req);
}

static void change_begin(struct fs_mount *m, const struct cgroup *parent, const char *name)
{
	m->fs->change = (struct change){m, parent, name};
}

static void change_end(struct fs_mount *m)
{
	m->fs->change = (struct change){0};
}

/* As everywhere, a directory in a set-group-id one takes its group and is one itself. */
static void inherit_group(const struct cgroup *parent, mode_t *mode, gid_t *gid)
{
	struct core_attr attr;

	cgroup_attr(parent, NULL, &attr);
	*mode &= 01777;
	if (!(attr.mode & S_ISGID))
		return;
	*mode |= S_ISGID;
	*gid = attr.gid;
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fs_mount *m = req_mount(req);
	struct node dir, n = {0};
	gid_t gid = ctx->gid;
	int err = node_get_dir(m, parent, &dir);

	if (!err) {
		inherit_group(dir.cgrp, &mode, &gid);
		change_begin(m, dir.cgrp, name);
		err = cgroup_mkdir(dir.cgrp, name, mode, ctx->uid, gid, &n.cgrp);
		change_end(m);
	}
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_node(req, &n);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs_mount *m = req_mount(req);
	struct node dir, n;
	uint64_t serial;
	int err = node_get_dir(m, parent, &dir);

	if (!err)
		err = node_lookup(&dir, name, &n);
	if (!err && n.cft)
		err = -ENOTDIR;
	if (!err) {
		serial = cgroup_serial(n.cgrp);
		grave_add(m, n.cgrp);
		change_begin(m, dir.cgrp, name);
		err = cgroup_rmdir(n.cgrp);
		change_end(m);
		if (err)
			grave_forget(m, serial * CORE_MAX_CFTYPES);
		else
			notify_removed(m, n.cgrp);
	}
	fuse_reply_err(req, -err);
}

static int rename_check(const struct node *n, fuse_ino_t parent, fuse_ino_t newparent)
{
	if (n->cft)
		return -ENOTDIR;
	return parent != newparent ? -EIO : 0;
}

/* The order of the checks is that of the kernel's cgroups. */
static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		      const char *newname, unsigned int flags)
{
	struct fs_mount *m = req_mount(req);
	struct node dir, n;
	int err;

	if (flags || strchr(newname, '\n')) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	err = node_get_dir(m, parent, &dir);
	if (!err)
		err = node_lookup(&dir, name, &n);
	if (!err)
		err = rename_check(&n, parent, newparent);
	if (!err) {
		change_begin(m, dir.cgrp, newname);
		err = cgroup_rename(n.cgrp, newname);
		change_end(m);
	}
	fuse_reply_err(req, -err);
}

/* ---- never allowed, with the errors of a file system that has no such operations ------------ */

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	fuse_reply_err(req, EACCES);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	(void)parent, (void)name, (void)rdev;
	fuse_reply_err(req, S_ISREG(mode) ? EACCES : EPERM);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req, EPERM);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	(void)ino, (void)newparent, (void)newname;
	fuse_reply_err(req, EPERM);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target, (void)parent, (void)name;
	fuse_reply_err(req, EPERM);
}

void dir_init(struct fuse_lowlevel_ops *ops)
{
	ops->lookup = op_lookup;
	ops->forget = op_forget;
	ops->forget_multi = op_forget_multi;
	ops->mkdir = op_mkdir;
	ops->rmdir = op_rmdir;
	ops->rename = op_rename;
	ops->create = op_create;
	ops->mknod = op_mknod;
	ops->unlink = op_unlink;
	ops->link = op_link;
	ops->symlink = op_symlink;
}
