// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From what a request names to a cgroup, with the search permissions a path lookup would ask for.
 */
#include <errno.h>
#include <string.h>

#include "client.h"

static int lookup(struct client *c, struct cgroup *parent, const char *name, size_t len,
		  struct cgroup **cgrp)
{
	int rc = peer_may(&c->peer, parent, NULL, MAY_SEARCH);

	if (rc)
		return rc;
	/* A path says where to go from here on down; nothing needs these. */
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return -EINVAL;
	*cgrp = cgroup_lookup(parent, name, len);
	return *cgrp ? 0 : -ENOENT;
}

int dir_walk_parent(struct client *c, struct cgroup *base, const char *path, struct cgroup **parent,
		    const char **name, size_t *len)
{
	const char *next;
	int rc;

	path += strspn(path, "/");
	for (;;) {
		*len = strcspn(path, "/");
		next = path + *len;
		next += strspn(next, "/");
		if (!*next)
			break;
		rc = lookup(c, base, path, *len, &base);
		if (rc)
			return rc;
		path = next;
	}
	*parent = base;
	*name = path;
	return 0;
}

int dir_walk(struct client *c, struct cgroup *base, const char *path, struct cgroup **cgrp)
{
	struct cgroup *parent;
	const char *name;
	size_t len;
	int rc;

	rc = dir_walk_parent(c, base, path, &parent, &name, &len);
	if (rc)
		return rc;
	if (len)
		return lookup(c, parent, name, len, cgrp);
	*cgrp = parent;
	return 0;
}

static int base_of(struct client *c, const struct wire_dir *dir, struct cgroup **base)
{
	struct hierarchy *h;
	int rc;

	switch (dir->kind) {
	case WIRE_DIR_INODE:
		rc = fs_resolve(c->d->fs, dir->dev, dir->ino, base);
		return rc == -ENODEV ? -EXDEV : rc;
	case WIRE_DIR_LABEL:
		h = core_hierarchy_find(c->d->core, dir->label);
		if (!h)
			return -ENODEV;
		*base = hierarchy_root(h);
		return 0;
	default:
		return -EINVAL;
	}
}

int dir_resolve(struct client *c, const struct wire_dir *dir, struct cgroup **cgrp)
{
	struct cgroup *base;
	int rc;

	rc = base_of(c, dir, &base);
	/* Numbers can be guessed: a directory that could not be reached by a path is not told. */
	if (!rc && cgroup_parent(base))
		rc = peer_may_reach(&c->peer, cgroup_parent(base));
	return rc ? rc : dir_walk(c, base, dir->path, cgrp);
}
