// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * node.c - inode numbers to cgroups and files and back.
 *
 * An inode number is made of the cgroup's serial, which is never used again, and the file's number.
 * So nothing has to be remembered of what the kernel knows, and a forgotten node is no work.
 */
#include <string.h>

#include <fs/internal.h>

fuse_ino_t node_ino(const struct fs_mount *m, const struct node *n)
{
	struct core *core = m->fs->config.core;

	if (!n->cft && !n->dead && !cgroup_parent(n->cgrp))
		return FUSE_ROOT_ID;
	return cgroup_serial(n->cgrp) * CORE_MAX_CFTYPES +
	       (n->cft ? core_cftype_number(core, n->cft) : 0);
}

static bool is_grave(struct fs_mount *m, fuse_ino_t ino, struct node *n)
{
	uint64_t serial = ino / CORE_MAX_CFTYPES;
	struct grave *g;

	if (ino % CORE_MAX_CFTYPES)
		return false;
	HASH_FIND(hh, m->graves, &serial, sizeof(serial), g);
	if (!g)
		return false;
	*n = (struct node){.cgrp = g->cgrp, .dead = true};
	return true;
}

static bool is_open(struct fs_mount *m, fuse_ino_t ino, struct node *n)
{
	struct handle *hdl;

	LIST_FOREACH(hdl, &m->handles, link) {
		if (hdl->ino != ino || !hdl->file)
			continue;
		*n = (struct node){.cgrp = hdl->file->cgrp, .cft = hdl->file->cft, .dead = true};
		return true;
	}
	return false;
}

int node_get(struct fs_mount *m, fuse_ino_t ino, struct node *n)
{
	struct cgroup *cgrp;

	*n = (struct node){0};
	if (ino == FUSE_ROOT_ID) {
		n->cgrp = hierarchy_root(m->h);
		return 0;
	}
	cgrp = core_cgroup_by_serial(m->fs->config.core, ino / CORE_MAX_CFTYPES);
	if (!cgrp || cgroup_hierarchy(cgrp) != m->h)
		return is_grave(m, ino, n) || is_open(m, ino, n) ? 0 : -ESTALE;
	n->cgrp = cgrp;
	if (!(ino % CORE_MAX_CFTYPES))
		return 0;
	n->cft = cgroup_file_by_number(cgrp, ino % CORE_MAX_CFTYPES);
	if (!n->cft)
		return is_open(m, ino, n) ? 0 : -ESTALE;
	return 0;
}

int node_get_dir(struct fs_mount *m, fuse_ino_t ino, struct node *n)
{
	int err = node_get(m, ino, n);

	if (err || n->dead)
		return -ENOENT;
	return n->cft ? -ENOTDIR : 0;
}

int node_lookup(const struct node *parent, const char *name, struct node *n)
{
	size_t len = strlen(name);

	*n = (struct node){.cgrp = parent->cgrp};
	n->cft = cgroup_file_lookup(parent->cgrp, name, len);
	if (n->cft)
		return 0;
	n->cgrp = cgroup_lookup(parent->cgrp, name, len);
	return n->cgrp ? 0 : -ENOENT;
}

static struct timespec ns_to_timespec(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

void node_stat(const struct fs_mount *m, const struct node *n, struct stat *st)
{
	struct core_attr attr;

	cgroup_attr(n->cgrp, n->cft, &attr);
	*st = (struct stat){
		.st_ino = node_ino(m, n),
		.st_mode = (n->cft ? S_IFREG : S_IFDIR) | attr.mode,
		.st_uid = attr.uid,
		.st_gid = attr.gid,
		.st_blksize = 4096,
		.st_atim = ns_to_timespec(attr.atime_ns),
		.st_mtim = ns_to_timespec(attr.mtime_ns),
		.st_ctim = ns_to_timespec(attr.ctime_ns),
	};
	if (n->cft)
		st->st_nlink = 1;
	else
		st->st_nlink = 2 + (n->dead ? 0 : cgroup_n_children(n->cgrp));
}

void node_entry(struct fs_mount *m, const struct node *n, struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){.attr_timeout = m->timeout, .entry_timeout = m->timeout};
	node_stat(m, n, &e->attr);
	e->ino = e->attr.st_ino;
	cgroup_set_shown(n->cgrp);
	notify_told(m, e->ino);
}
