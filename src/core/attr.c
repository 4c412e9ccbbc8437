// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attr.c - owner, mode, times and extended attributes of directories and files.
 *
 * A directory's owner and mode stand in its cgroup; all else is kept in a node, which only those
 * that were changed have. It lasts as long as the cgroup.
 */
#include <sys/xattr.h>

#include <core/internal.h>

#define XATTR_BYTES_MAX 65536 /* names and values of one object */

struct cgroup_extra *cgroup_extra_get(struct cgroup *cgrp)
{
	if (!cgrp->extra)
		cgrp->extra = calloc(1, sizeof(*cgrp->extra));
	return cgrp->extra;
}

static struct node *node_find(const struct cgroup *cgrp, const struct cftype *cft)
{
	struct node *node;

	if (!cgrp->extra)
		return NULL;
	SLIST_FOREACH(node, &cgrp->extra->nodes, link)
		if (node->cft == cft)
			return node;
	return NULL;
}

static struct node *node_get(struct cgroup *cgrp, const struct cftype *cft)
{
	struct node *node = node_find(cgrp, cft);
	struct cgroup_extra *extra;

	if (node)
		return node;
	extra = cgroup_extra_get(cgrp);
	node = extra ? calloc(1, sizeof(*node)) : NULL;
	if (!node)
		return NULL;
	node->cft = cft;
	SLIST_INSERT_HEAD(&extra->nodes, node, link);
	return node;
}

static void xattr_free(struct xattr *x)
{
	free(x->name);
	free(x->value);
	free(x);
}

void cgroup_extra_free(struct cgroup *cgrp)
{
	struct extra_file *file;
	struct xattr *x;
	struct node *node;

	if (!cgrp->extra)
		return;
	while ((node = SLIST_FIRST(&cgrp->extra->nodes))) {
		SLIST_REMOVE_HEAD(&cgrp->extra->nodes, link);
		while ((x = node->xattrs)) {
			node->xattrs = x->next;
			xattr_free(x);
		}
		free(node);
	}
	while ((file = SLIST_FIRST(&cgrp->extra->files))) {
		SLIST_REMOVE_HEAD(&cgrp->extra->files, link);
		free(file);
	}
	free(cgrp->extra);
	cgrp->extra = NULL;
}

/* A file belongs to whoever owns the directory until it is given away. */
void cgroup_attr(const struct cgroup *cgrp, const struct cftype *cft, struct core_attr *attr)
{
	const struct node *node = node_find(cgrp, cft);

	if (node && node->has_attr) {
		*attr = node->attr;
		return;
	}
	attr->mode = cft ? cftype_mode(cft) : cgrp->mode;
	attr->uid = cgrp->uid;
	attr->gid = cgrp->gid;
	attr->ctime_ns = attr->atime_ns = attr->mtime_ns = cgrp->ctime_ns;
}

/*
 * Files made with their directory keep the owner they were made with when the directory is given
 * away later, as in any file system: so they get nodes of their own then.
 */
static int pin_files(struct cgroup *cgrp)
{
	const struct cftype *cft;

	for (size_t i = 0; (cft = cgroup_file_at(cgrp, i)); i++) {
		struct core_attr attr;
		struct node *node;

		cgroup_attr(cgrp, cft, &attr);
		node = node_get(cgrp, cft);
		if (!node)
			return -ENOMEM;
		node->attr = attr;
		node->has_attr = true;
	}
	return 0;
}

int cgroup_set_attr(struct cgroup *cgrp, const struct cftype *cft, const struct core_attr *attr)
{
	struct node *node;

	if (!cft && (attr->uid != cgrp->uid || attr->gid != cgrp->gid)) {
		int err = pin_files(cgrp);

		if (err)
			return err;
	}
	node = node_get(cgrp, cft);
	if (!node)
		return -ENOMEM;
	node->attr = *attr;
	node->has_attr = true;
	if (!cft) {
		cgrp->mode = attr->mode;
		cgrp->uid = attr->uid;
		cgrp->gid = attr->gid;
	}
	return 0;
}

static struct xattr **xattr_find(struct node *node, const char *name)
{
	struct xattr **x = &node->xattrs;

	while (*x && strcmp((*x)->name, name))
		x = &(*x)->next;
	return x;
}

int cgroup_xattr_set(struct cgroup *cgrp, const struct cftype *cft, const char *name,
		     const void *value, size_t size, int flags)
{
	struct node *node = node_get(cgrp, cft);
	struct xattr **at, *x;
	size_t old;

	if (!node)
		return -ENOMEM;
	at = xattr_find(node, name);
	if (*at && flags & XATTR_CREATE)
		return -EEXIST;
	if (!*at && flags & XATTR_REPLACE)
		return -ENODATA;
	old = *at ? strlen(name) + (*at)->size : 0;
	if (node->xattr_bytes - old + strlen(name) + size > XATTR_BYTES_MAX)
		return -ENOSPC;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->name = strdup(name);
	x->value = malloc(size ? size : 1);
	if (!x->name || !x->value) {
		xattr_free(x);
		return -ENOMEM;
	}
	if (size)
		memcpy(x->value, value, size);
	x->size = size;
	node->xattr_bytes += strlen(name) + size - old;
	if (*at) {
		x->next = (*at)->next;
		xattr_free(*at);
	}
	*at = x;
	return 0;
}

ssize_t cgroup_xattr_get(struct cgroup *cgrp, const struct cftype *cft, const char *name,
			 void *value, size_t size)
{
	struct node *node = node_find(cgrp, cft);
	const struct xattr *x = node ? *xattr_find(node, name) : NULL;

	if (!x)
		return -ENODATA;
	if (!size)
		return (ssize_t)x->size;
	if (x->size > size)
		return -ERANGE;
	memcpy(value, x->value, x->size);
	return (ssize_t)x->size;
}

ssize_t cgroup_xattr_list(struct cgroup *cgrp, const struct cftype *cft, char *list, size_t size)
{
	const struct node *node = node_find(cgrp, cft);
	size_t used = 0;

	for (const struct xattr *x = node ? node->xattrs : NULL; x; x = x->next) {
		size_t len = strlen(x->name) + 1;

		if (size && used + len > size)
			return -ERANGE;
		if (size)
			memcpy(list + used, x->name, len);
		used += len;
	}
	return (ssize_t)used;
}

int cgroup_xattr_remove(struct cgroup *cgrp, const struct cftype *cft, const char *name)
{
	struct node *node = node_find(cgrp, cft);
	struct xattr **at = node ? xattr_find(node, name) : NULL, *x;

	if (!at || !*at)
		return -ENODATA;
	x = *at;
	*at = x->next;
	node->xattr_bytes -= strlen(name) + x->size;
	xattr_free(x);
	return 0;
}
