// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xattr.c - extended attributes: user.*, trusted.* and security.*, as in the kernel's cgroups, kept
 * by the core as long as the cgroup.
 */
#include <string.h>

#include <fs/internal.h>

static bool has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static int xattr_node(fuse_req_t req, fuse_ino_t ino, const char *name, struct node *n)
{
	if (!has_prefix(name, "user.") && !has_prefix(name, "trusted.") &&
	    !has_prefix(name, "security."))
		return -EOPNOTSUPP;
	if (!strchr(name, '.')[1])
		return -EINVAL;
	return node_get(req_mount(req), ino, n);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	struct node n;
	int err = xattr_node(req, ino, name, &n);

	if (!err)
		err = cgroup_xattr_set(n.cgrp, n.cft, name, value, size, flags);
	fuse_reply_err(req, -err);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct node n;
	int err = xattr_node(req, ino, name, &n);

	if (!err)
		err = cgroup_xattr_remove(n.cgrp, n.cft, name);
	fuse_reply_err(req, -err);
}

/* SIZE 0 asks for the length. */
static void reply_xattr(fuse_req_t req, const char *buf, size_t size, ssize_t n)
{
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else if (!size)
		fuse_reply_xattr(req, (size_t)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	char *buf = fs_out(req_mount(req)->fs, size + 1);
	struct node n;
	ssize_t res = xattr_node(req, ino, name, &n);

	if (!res)
		res = buf ? cgroup_xattr_get(n.cgrp, n.cft, name, buf, size) : -ENOMEM;
	reply_xattr(req, buf, size, res);
}

/* Takes the trusted.* names out of LIST; the length that is left. */
static size_t drop_trusted(char *list, size_t len)
{
	size_t left = 0;

	for (size_t at = 0, n; at < len; at += n) {
		n = strlen(list + at) + 1;
		if (has_prefix(list + at, "trusted."))
			continue;
		memmove(list + left, list + at, n);
		left += n;
	}
	return left;
}

/* trusted.* names are for who could read them. */
static ssize_t list_names(fuse_req_t req, const struct node *n, char **buf)
{
	ssize_t len = cgroup_xattr_list(n->cgrp, n->cft, NULL, 0);

	*buf = NULL;
	if (len <= 0)
		return len;
	*buf = fs_out(req_mount(req)->fs, (size_t)len);
	if (!*buf)
		return -ENOMEM;
	len = cgroup_xattr_list(n->cgrp, n->cft, *buf, (size_t)len);
	if (len > 0 && memmem(*buf, (size_t)len, "trusted.", strlen("trusted.")) &&
	    !cred_is_admin(fuse_req_ctx(req)->pid))
		len = (ssize_t)drop_trusted(*buf, (size_t)len);
	return len;
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char *buf = NULL;
	struct node n;
	ssize_t len = node_get(req_mount(req), ino, &n);

	if (!len)
		len = list_names(req, &n, &buf);
	if (size && len > (ssize_t)size)
		len = -ERANGE;
	reply_xattr(req, buf, size, len);
}

void xattr_init(struct fuse_lowlevel_ops *ops)
{
	ops->setxattr = op_setxattr;
	ops->getxattr = op_getxattr;
	ops->listxattr = op_listxattr;
	ops->removexattr = op_removexattr;
}
