// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - control files: open, read, write, close.
 *
 * All of them are direct_io: nothing is cached, and a read or write arrives as it was made, with
 * its own offset and length.
 *
 * A write may have to wait: a move of a task that is still being born. It is put aside and tried again
 * a few milliseconds later, and others are served meanwhile.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- writing ------------------------------------------------------------------------------- */

#define TRY_AGAIN_MS 5

/* A write that waits. While it does the kernel keeps the writer, and the file open. */
struct late_write {
	TAILQ_ENTRY(late_write) link;
	struct fs_mount *m;
	fuse_req_t req;
	struct cgroup_file *file;
	off_t off;
	bool interrupted; /* the writer has been killed */
	size_t size;
	char buf[];
};

static ssize_t write_now(fuse_req_t req, struct cgroup_file *file, const char *buf, size_t size,
			 off_t off)
{
	struct core_cred cred;

	cred_of(req, file->cft, &cred);
	return core_file_write(file, buf, size, off, &cred);
}

static void answer_write(fuse_req_t req, ssize_t n)
{
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

static void on_interrupt(fuse_req_t req, void *data)
{
	struct late_write *w = data;

	(void)req;
	w->interrupted = true;
}

static void late_write_end(struct late_write *w, ssize_t n)
{
	TAILQ_REMOVE(&w->m->fs->late_writes, w, link);
	fuse_req_interrupt_func(w->req, NULL, NULL);
	answer_write(w->req, n);
	free(w);
}

static void on_try_again(uv_timer_t *timer)
{
	const struct fs *fs = timer->data;
	struct late_write *w, *next;

	for (w = TAILQ_FIRST(&fs->late_writes); w; w = next) {
		ssize_t n = -EINTR;

		next = TAILQ_NEXT(w, link);
		if (!w->interrupted)
			n = write_now(w->req, w->file, w->buf, w->size, w->off);
		if (n != -ERESTART)
			late_write_end(w, n);
	}
	if (!TAILQ_EMPTY(&fs->late_writes))
		uv_timer_start(timer, on_try_again, TRY_AGAIN_MS, 0);
}

static int write_later(struct fs_mount *m, fuse_req_t req, struct cgroup_file *file,
		       const char *buf, size_t size, off_t off)
{
	struct late_write *w = malloc(sizeof(*w) + size);

	if (!w)
		return -ENOMEM;
	*w = (struct late_write){.m = m, .req = req, .file = file, .off = off, .size = size};
	memcpy(w->buf, buf, size);
	TAILQ_INSERT_TAIL(&m->fs->late_writes, w, link);
	fuse_req_interrupt_func(req, on_interrupt, w);
	uv_timer_start(m->fs->try_again, on_try_again, TRY_AGAIN_MS, 0);
	return 0;
}

void late_writes_end(struct fs_mount *m)
{
	struct late_write *w, *next;

	for (w = TAILQ_FIRST(&m->fs->late_writes); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->m == m)
			late_write_end(w, -ENOTCONN);
	}
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct cgroup_file *file = handle_of(fi)->file;
	ssize_t n = write_now(req, file, buf, size, off);

	(void)ino;
	if (n == -ERESTART) {
		n = write_later(req_mount(req), req, file, buf, size, off);
		if (!n)
			return;
	}
	answer_write(req, n);
}

void file_init(struct fuse_lowlevel_ops *ops)
{
	ops->open = op_open;
	ops->release = op_release;
	ops->read = op_read;
	ops->write = op_write;
}
