// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - control files: open, read, write, close.
 *
 * All of them are direct_io: nothing is cached, and a read or write arrives as it was made, with
 * its own offset and length.
 */
#include <fcntl.h>

#include <fs/internal.h>

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static int open_node(fuse_req_t req, fuse_ino_t ino, int flags, struct handle **res)
{
	struct fs_mount *m = req_mount(req);
	struct cgroup_file *file;
	struct core_cred cred;
	struct node n;
	int err = node_get(m, ino, &n);

	if (err)
		return err;
	if (!n.cft)
		return -EISDIR;
	if (n.dead)
		return -ENODEV;
	if (flags & O_DIRECT)
		return -EINVAL; /* as in the kernel's cgroups */
	cred_of(req, n.cft, &cred);
	err = core_file_open(n.cgrp, n.cft, flags, &cred, &file);
	if (err)
		return err;
	*res = handle_new(m, ino);
	if (!*res) {
		core_file_release(file);
		return -ENOMEM;
	}
	(*res)->file = file;
	return 0;
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *hdl;
	int err = open_node(req, ino, fi->flags, &hdl);

	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	fi->fh = (uintptr_t)hdl;
	fi->direct_io = 1;
	fi->noflush = 1;
	/* An opener that was interrupted gets no file, so there will be no release. */
	if (fuse_reply_open(req, fi) == -ENOENT)
		handle_free(hdl);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_free(handle_of(fi));
	fuse_reply_err(req, 0);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct cgroup_file *file = handle_of(fi)->file;
	char *buf = fs_out(req_mount(req)->fs, size);
	struct core_cred cred;
	ssize_t n;

	(void)ino;
	cred_of(req, NULL, &cred);
	n = buf ? core_file_read(file, buf, size, off, &cred) : -ENOMEM;
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct cgroup_file *file = handle_of(fi)->file;
	struct core_cred cred;
	ssize_t n;

	(void)ino;
	cred_of(req, file->cft, &cred);
	n = core_file_write(file, buf, size, off, &cred);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

void file_init(struct fuse_lowlevel_ops *ops)
{
	ops->open = op_open;
	ops->release = op_release;
	ops->read = op_read;
	ops->write = op_write;
}
