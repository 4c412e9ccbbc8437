// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * notify.c - keeps what the kernel has cached true.
 *
 * Names and attributes are cached for ever. What a mount's own request changes its kernel side
 * knows; the other mounts of the hierarchy are told before the change is answered, so whoever
 * learns of a change sees it on any mount. Only messages are used that take no lock which someone
 * waiting for our answer may hold. That rules out those about single names, which lock the
 * directory: from a single thread they would deadlock, and a second thread stuck in one would keep
 * the connection open after the daemon was killed, and with it those who wait for an answer.
 *
 * So a change to a cgroup on another mount does this:
 * - its parent's attributes (the link count) are forgotten;
 * - its own dentries and inodes are pruned (Linux 6.18), which takes those that nobody uses;
 * - if the kernel still knows it after that, because someone has it open or is in it, or because an
 *   answer that names it may still be on its way, the epoch is raised (Linux 6.16): every cached
 *   name of that mount is looked up afresh at its next use. This works always, but the directories
 *   it hits are without a name for the moment of the look-up (getcwd(2) answers ENOENT), so it is
 *   the last resort.
 * That there is no such name is never cached: mkdir looks its name up afresh in any case.
 *
 * Kernels without the epoch are told timeouts of zero and cache nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <linux/fuse.h>

#include <fs/internal.h>

/* Not in older headers. */
#define NOTIFY_INC_EPOCH 8
#define NOTIFY_PRUNE 9
struct notify_prune {
	uint32_t count;
	uint32_t padding;
	uint64_t spare;
	uint64_t inos[];
};

static int notify(struct fs_mount *m, int code, void *payload, size_t size)
{
	struct fuse_out_header head = {
		.len = (uint32_t)(sizeof(head) + size),
		.error = code,
	};
	struct iovec iov[] = {{&head, sizeof(head)}, {payload, size}};

	return writev(m->fd, iov, size ? 2 : 1) < 0 ? -errno : 0;
}

static int raise_epoch(struct fs_mount *m)
{
	return notify(m, NOTIFY_INC_EPOCH, NULL, 0);
}

void notify_probe(struct fs_mount *m)
{
	struct notify_prune none = {0};

	m->timeout = raise_epoch(m) ? 0 : TIMEOUT_FOREVER;
	m->prunes = !notify(m, NOTIFY_PRUNE, &none, sizeof(none));
}

/* ---- answers on their way ------------------------------------------------------------------ */

/*
 * An answer we have written may not have reached the kernel's caches yet when we tell it to forget
 * what is in them. A task that has its answer takes it within this time, in nanoseconds. Inodes
 * share slots, so one may pass for answered about that was not, but never the other way round.
 */
#define ON_ITS_WAY 1000000000ull

static uint64_t *told_slot(struct fs_mount *m, fuse_ino_t ino)
{
	ino *= 0x9e3779b97f4a7c15ull;
	return &m->told[ino >> 32 & (TOLD_SLOTS - 1)];
}

void notify_told(struct fs_mount *m, fuse_ino_t ino)
{
	*told_slot(m, ino) = uv_hrtime();
	m->forgotten = 0;
}

static bool on_its_way(struct fs_mount *m, fuse_ino_t ino)
{
	uint64_t at = *told_slot(m, ino);

	return at && uv_hrtime() - at < ON_ITS_WAY;
}

/* ---- changes ------------------------------------------------------------------------------- */

/* Does the kernel know this inode? If so its attributes are forgotten. */
static bool forget_attr(struct fs_mount *m, fuse_ino_t ino)
{
	struct fuse_notify_inval_inode_out out = {.ino = ino, .off = -1};

	return !notify(m, FUSE_NOTIFY_INVAL_INODE, &out, sizeof(out));
}

static void forget_attr_surely(struct fs_mount *m, fuse_ino_t ino)
{
	if (!forget_attr(m, ino) && on_its_way(m, ino))
		raise_epoch(m);
}

/* The files first: they keep their directory in use. */
static void prune(struct fs_mount *m, struct cgroup *cgrp)
{
	struct node n = {.cgrp = cgrp};
	struct notify_prune *out;
	size_t size, n_files = 0;

	while (cgroup_file_at(cgrp, n_files))
		n_files++;
	size = sizeof(*out) + (n_files + 1) * sizeof(out->inos[0]);
	out = calloc(1, size);
	if (!out)
		return;
	for (size_t i = 0; i < n_files; i++) {
		n.cft = cgroup_file_at(cgrp, i);
		out->inos[i] = node_ino(m, &n);
	}
	n.cft = NULL;
	out->inos[n_files] = node_ino(m, &n);
	out->count = (uint32_t)n_files + 1;
	notify(m, NOTIFY_PRUNE, out, size);
	free(out);
}

/* No answer of any mount's has named it: that is so of most that are made or removed by the thousand. */
static bool is_unknown(const struct cgroup *cgrp)
{
	return cgroup_parent(cgrp) && !cgroup_is_shown(cgrp);
}

static void tell_itself(struct fs_mount *m, struct cgroup *cgrp, const struct cgroup *parent)
{
	fuse_ino_t ino = node_ino(m, &(struct node){.cgrp = cgrp});
	bool known;

	if (m->prunes && parent)
		prune(m, cgrp);
	known = forget_attr(m, ino);
	if (known && parent)
		grave_add(m, cgrp); /* in case it goes */
	if (m->timeout > 0 && (known || on_its_way(m, ino)))
		raise_epoch(m);
}

static void tell(struct fs_mount *m, struct cgroup *cgrp, struct cgroup *parent)
{
	fuse_ino_t ino;

	if (!is_unknown(cgrp))
		tell_itself(m, cgrp, parent);
	if (m->timeout <= 0 || !parent || is_unknown(parent))
		return;
	ino = node_ino(m, &(struct node){.cgrp = parent});
	/* Many changes in a row: an answer that was on its way the first time was dealt with then. */
	if (m->forgotten == ino)
		return;
	forget_attr_surely(m, ino);
	m->forgotten = ino;
}

static bool is_own_change(const struct fs_mount *m, const struct cgroup *cgrp)
{
	const struct change *c = &m->fs->change;

	/* A cgroup that a subsystem makes while serving M's request is not M's own. */
	return c->m == m && cgroup_parent(cgrp) == c->parent && !strcmp(cgroup_name(cgrp), c->name);
}

void fs_tree_changed(struct fs *fs, struct cgroup *cgrp)
{
	struct fs_mount *m;

	if (!fs)
		return;
	TAILQ_FOREACH(m, &fs->mounts, link)
		if (m->h == cgroup_hierarchy(cgrp) && !is_own_change(m, cgrp))
			tell(m, cgrp, cgroup_parent(cgrp));
}

void notify_attr(struct fs_mount *m, const struct node *n)
{
	struct fs_mount *other;

	TAILQ_FOREACH(other, &m->fs->mounts, link)
		if (other != m && other->h == m->h && other->timeout > 0)
			forget_attr_surely(other, node_ino(other, n));
}

/*
 * CGRP was just removed through M itself. The kernel still knows the names of its files that are open,
 * and would find them for whoever has the directory open.
 */
void notify_removed(struct fs_mount *m, const struct cgroup *cgrp)
{
	struct handle *hdl;

	if (m->timeout <= 0)
		return;
	LIST_FOREACH(hdl, &m->handles, link)
		if (hdl->file && hdl->file->cgrp == cgrp) {
			raise_epoch(m);
			return;
		}
}

/* ---- removed, but still held by the kernel ------------------------------------------------- */

/* Enough of them; a kernel that cannot be told to prune keeps some that nobody needs. */
#define MAX_GRAVES 1024

static void grave_free(struct fs_mount *m, struct grave *g)
{
	HASH_DEL(m->graves, g);
	cgroup_unhold(g->cgrp);
	free(g);
}

/* Without memory for it, only a stat(2) of the removed directory fails. */
void grave_add(struct fs_mount *m, struct cgroup *cgrp)
{
	uint64_t serial = cgroup_serial(cgrp);
	struct grave *g;

	HASH_FIND(hh, m->graves, &serial, sizeof(serial), g);
	if (g)
		return;
	g = calloc(1, sizeof(*g));
	if (!g)
		return;
	g->serial = serial;
	g->cgrp = cgrp;
	HASH_ADD(hh, m->graves, serial, sizeof(g->serial), g);
	if (!g->hh.tbl) {
		free(g);
		return;
	}
	cgroup_hold(cgrp);
	/* The first one is the oldest. */
	if (HASH_COUNT(m->graves) > MAX_GRAVES)
		grave_free(m, m->graves);
}

void grave_forget(struct fs_mount *m, fuse_ino_t ino)
{
	uint64_t serial = ino / CORE_MAX_CFTYPES;
	struct grave *g;

	if (!m->graves || ino % CORE_MAX_CFTYPES)
		return;
	HASH_FIND(hh, m->graves, &serial, sizeof(serial), g);
	if (g)
		grave_free(m, g);
}

void graves_free(struct fs_mount *m)
{
	struct grave *g, *tmp;

	HASH_ITER(hh, m->graves, g, tmp)
		grave_free(m, g);
}
