// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cgroup.c - the tree: making, removing, renaming and finding cgroups.
 */
#include <stdio.h>

#include <core/internal.h>

/* ---- finding ---------------------------------------------------------------------------------- */

static uint64_t hash_serial(uint64_t serial)
{
	serial *= 0x9e3779b97f4a7c15ull;
	return serial ^ (serial >> 32);
}

static uint64_t hash_name(const struct cgroup *parent, const char *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull ^ hash_serial(parent->serial);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3ull;
	return h ^ (h >> 29);
}

static void name_hash_add(struct core *core, struct cgroup *cgrp)
{
	uint64_t hash = hash_name(cgrp->parent, cgrp->name, strlen(cgrp->name));
	struct cgroup **b = &core->by_name[hash & (core->n_buckets - 1)];

	cgrp->name_next = *b;
	*b = cgrp;
}

static void hash_insert(struct core *core, struct cgroup *cgrp)
{
	struct cgroup **b = &core->by_serial[hash_serial(cgrp->serial) & (core->n_buckets - 1)];

	cgrp->serial_next = *b;
	*b = cgrp;
	if (cgrp->parent)
		name_hash_add(core, cgrp);
}

/* Doubling keeps chains short; failing to only makes them longer. */
static int hash_grow(struct core *core)
{
	size_t n = core->n_buckets ? core->n_buckets * 2 : 64;
	struct cgroup **old = core->by_serial;
	size_t n_old = core->n_buckets;
	struct cgroup **by_serial = calloc(n, sizeof(*by_serial));
	struct cgroup **by_name = calloc(n, sizeof(*by_name));

	if (!by_serial || !by_name) {
		free(by_serial);
		free(by_name);
		return old ? 0 : -ENOMEM;
	}
	free(core->by_name);
	core->by_serial = by_serial;
	core->by_name = by_name;
	core->n_buckets = n;
	for (size_t i = 0; i < n_old; i++) {
		struct cgroup *next;

		for (struct cgroup *cgrp = old[i]; cgrp; cgrp = next) {
			next = cgrp->serial_next;
			hash_insert(core, cgrp);
		}
	}
	free(old);
	return 0;
}

void cgroup_hash_add(struct cgroup *cgrp)
{
	struct core *core = cgrp->h->core;

	if (core->n_cgroups >= core->n_buckets)
		hash_grow(core);
	core->n_cgroups++;
	cgrp->h->n_cgroups++;
	hash_insert(core, cgrp);
}

static void name_hash_del(struct core *core, struct cgroup *cgrp)
{
	uint64_t hash = hash_name(cgrp->parent, cgrp->name, strlen(cgrp->name));
	struct cgroup **p = &core->by_name[hash & (core->n_buckets - 1)];

	while (*p != cgrp)
		p = &(*p)->name_next;
	*p = cgrp->name_next;
}

void cgroup_hash_del(struct cgroup *cgrp)
{
	struct core *core = cgrp->h->core;
	struct cgroup **p;

	p = &core->by_serial[hash_serial(cgrp->serial) & (core->n_buckets - 1)];
	while (*p != cgrp)
		p = &(*p)->serial_next;
	*p = cgrp->serial_next;
	if (cgrp->parent)
		name_hash_del(core, cgrp);
	core->n_cgroups--;
	cgrp->h->n_cgroups--;
}

struct cgroup *core_cgroup_by_serial(struct core *core, uint64_t serial)
{
	struct cgroup *cgrp = core->by_serial[hash_serial(serial) & (core->n_buckets - 1)];

	while (cgrp && cgrp->serial != serial)
		cgrp = cgrp->serial_next;
	return cgrp;
}

struct cgroup *cgroup_lookup(struct cgroup *parent, const char *name, size_t len)
{
	struct core *core;
	struct cgroup *cgrp;

	if (parent->flags & CGRP_DEAD)
		return NULL;
	core = parent->h->core;
	cgrp = core->by_name[hash_name(parent, name, len) & (core->n_buckets - 1)];
	for (; cgrp; cgrp = cgrp->name_next)
		if (cgrp->parent == parent && !strncmp(cgrp->name, name, len) && !cgrp->name[len])
			return cgrp;
	return NULL;
}

int hierarchy_resolve(struct hierarchy *h, const char *path, struct cgroup **cgrp)
{
	struct cgroup *at = h->root;

	for (;;) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len)
			break;
		if ((len == 1 && path[0] == '.') || (len == 2 && !strncmp(path, "..", 2)))
			return -EINVAL;
		at = cgroup_lookup(at, path, len);
		if (!at)
			return -ENOENT;
		path += len;
	}
	*cgrp = at;
	return 0;
}

/* ---- facts ------------------------------------------------------------------------------------ */

struct hierarchy *cgroup_hierarchy(const struct cgroup *cgrp)
{
	return cgrp->h;
}

const char *cgroup_name(const struct cgroup *cgrp)
{
	return cgrp->name;
}

uint64_t cgroup_serial(const struct cgroup *cgrp)
{
	return cgrp->serial;
}

struct cgroup *cgroup_parent(const struct cgroup *cgrp)
{
	return cgrp->parent;
}

size_t cgroup_n_children(const struct cgroup *cgrp)
{
	return cgrp->n_children;
}

struct cgroup *cgroup_child_after(const struct cgroup *parent, const struct cgroup *prev)
{
	return prev ? TAILQ_NEXT(prev, sibling) : TAILQ_FIRST(&parent->children);
}

struct cgroup *cgroup_first_child(const struct cgroup *cgrp)
{
	return TAILQ_FIRST(&cgrp->children);
}

struct cgroup *cgroup_next_sibling(const struct cgroup *cgrp)
{
	return cgrp->parent ? TAILQ_NEXT(cgrp, sibling) : NULL;
}

bool cgroup_is_descendant(const struct cgroup *cgrp, const struct cgroup *ancestor)
{
	while (cgrp && cgrp != ancestor)
		cgrp = cgrp->parent;
	return cgrp != NULL;
}

int cgroup_path(const struct cgroup *cgrp, char *buf, size_t size)
{
	size_t len = 0;

	for (const struct cgroup *c = cgrp; c->parent; c = c->parent)
		len += 1 + strlen(c->name);
	if (len + 1 > size || size < 2)
		return -ENAMETOOLONG;
	if (!len) {
		memcpy(buf, "/", 2);
		return 1;
	}
	buf[len] = '\0';
	for (char *p = buf + len; cgrp->parent; cgrp = cgrp->parent) {
		size_t n = strlen(cgrp->name);

		p -= n;
		memcpy(p, cgrp->name, n);
		*--p = '/';
	}
	return (int)len;
}

void cgroup_set_shown(struct cgroup *cgrp)
{
	cgrp->flags |= CGRP_SHOWN;
}

bool cgroup_is_shown(const struct cgroup *cgrp)
{
	return cgrp->flags & CGRP_SHOWN;
}

bool cgroup_is_dead(const struct cgroup *cgrp)
{
	return cgrp->flags & CGRP_DEAD;
}

bool cgroup_is_idle(struct cgroup *cgrp)
{
	core_settle(cgrp->h->core);
	return cgroup_looks_idle(cgrp);
}

/* ---- life ------------------------------------------------------------------------------------- */

/* The bound subsystems' states lie by rank, for a root (whose subsystems may change) by id. */
struct cgroup_subsys_state **cgroup_css_slot(const struct cgroup *cgrp,
					     const struct cgroup_subsys *ss)
{
	uint64_t mask = cgrp->h->subsys_mask;
	unsigned int at = ss->id;

	if (!(mask & (1ull << at)))
		return NULL;
	if (cgrp->parent)
		at = (unsigned int)__builtin_popcountll(mask & ((1ull << at) - 1));
	return at < cgrp->n_css ? (struct cgroup_subsys_state **)&cgrp->css[at] : NULL;
}

struct cgroup *cgroup_alloc(struct hierarchy *h, struct cgroup *parent, const char *name,
			    size_t n_css)
{
	struct cgroup *cgrp = calloc(1, sizeof(*cgrp) + n_css * sizeof(cgrp->css[0]));

	if (!cgrp)
		return NULL;
	cgrp->name = strdup(name);
	if (!cgrp->name || (!h->core->n_buckets && hash_grow(h->core))) {
		free(cgrp->name);
		free(cgrp);
		return NULL;
	}
	cgrp->h = h;
	cgrp->parent = parent;
	cgrp->serial = h->core->next_serial++;
	cgrp->n_css = (uint32_t)n_css;
	cgrp->mode = 0755;
	cgrp->ctime_ns = core_now(h->core);
	TAILQ_INIT(&cgrp->children);
	LIST_INIT(&cgrp->csets);
	return cgrp;
}

void cgroup_free(struct cgroup *cgrp)
{
	cgroup_extra_free(cgrp);
	free(cgrp->name);
	free(cgrp);
}

void cgroup_hold(struct cgroup *cgrp)
{
	cgrp->holds++;
}

void cgroup_unhold(struct cgroup *cgrp)
{
	if (!--cgrp->holds && cgrp->flags & CGRP_DEAD)
		cgroup_free(cgrp);
}

static int check_name(const char *name)
{
	size_t len = strlen(name);

	if (!len || strpbrk(name, "/\n") || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	return len > CORE_NAME_MAX ? -ENAMETOOLONG : 0;
}

static bool name_taken(struct cgroup *parent, const char *name)
{
	size_t len = strlen(name);

	return cgroup_lookup(parent, name, len) || cgroup_file_lookup(parent, name, len);
}

/* Backwards through the subsystems that have a state here. */
static void destroy_states(struct cgroup *cgrp)
{
	struct core *core = cgrp->h->core;

	for (int id = (int)core->n_subsys - 1; id >= 0; id--) {
		struct cgroup_subsys *ss = core->subsys[id];
		struct cgroup_subsys_state **slot = cgroup_css_slot(cgrp, ss);

		if (!slot || !*slot)
			continue;
		ss->destroy(ss, cgrp);
		*slot = NULL;
	}
}

static int create_states(struct cgroup *cgrp)
{
	struct cgroup_subsys *ss;
	int err;

	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));) {
		struct cgroup_subsys_state *css = NULL;

		err = ss->create(ss, cgrp, &css);
		if (err || !css)
			return err ? err : -ENOMEM;
		css->cgroup = cgrp;
		css->subsys = ss;
		css->refcnt = 0;
		*cgroup_css_slot(cgrp, ss) = css;
	}
	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));)
		if (cgrp->flags & CGRP_CLONE_CHILDREN && ss->post_clone)
			ss->post_clone(ss, cgrp);
	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));) {
		if (!ss->populate)
			continue;
		err = ss->populate(ss, cgrp);
		if (err)
			return err;
	}
	return 0;
}

static int make(struct cgroup *parent, const char *name, mode_t mode, uid_t uid, gid_t gid,
		struct cgroup **res)
{
	struct hierarchy *h = parent->h;
	struct cgroup *cgrp;
	int err = check_name(name);

	if (err)
		return err;
	if (name_taken(parent, name))
		return -EEXIST;
	cgrp = cgroup_alloc(h, parent, name, (size_t)__builtin_popcountll(h->subsys_mask));
	if (!cgrp)
		return -ENOMEM;
	cgrp->mode = mode & 07777;
	cgrp->uid = uid;
	cgrp->gid = gid;
	cgrp->flags = parent->flags & (CGRP_NOTIFY | CGRP_CLONE_CHILDREN);
	err = create_states(cgrp);
	if (err) {
		destroy_states(cgrp);
		cgroup_free(cgrp);
		return err;
	}
	TAILQ_INSERT_TAIL(&parent->children, cgrp, sibling);
	parent->n_children++;
	parent->flags |= CGRP_OCCUPIED;
	cgroup_hash_add(cgrp);
	core_tree_changed(cgrp);
	if (res)
		*res = cgrp;
	return 0;
}

int cgroup_mkdir(struct cgroup *parent, const char *name, mode_t mode, uid_t uid, gid_t gid,
		 struct cgroup **res)
{
	struct core *core;
	int err;

	if (parent->flags & CGRP_DEAD)
		return -ENOENT;
	core = parent->h->core;
	core_enter(core);
	err = make(parent, name, mode, uid, gid, res);
	core_leave(core);
	return err;
}

static int pre_destroy(struct cgroup *cgrp)
{
	struct cgroup_subsys *ss;

	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));) {
		int err = ss->pre_destroy ? ss->pre_destroy(ss, cgrp) : 0;

		if (err)
			return err;
	}
	return 0;
}

static int remove_cgroup(struct cgroup *cgrp)
{
	struct cgroup *parent = cgrp->parent;
	int err;

	if (!parent)
		return -EBUSY;
	core_settle(cgrp->h->core);
	/* References are the subsystems' to drop in pre_destroy. */
	if (!LIST_EMPTY(&cgrp->csets) || cgrp->n_children)
		return -EBUSY;
	err = pre_destroy(cgrp);
	if (err)
		return err;
	core_settle(cgrp->h->core);
	if (!LIST_EMPTY(&cgrp->csets) || cgrp->n_children || !cgroup_css_kill(cgrp))
		return -EBUSY;

	release_unqueue(cgrp);
	core_tree_changed(cgrp);
	destroy_states(cgrp);
	cgroup_hash_del(cgrp);
	TAILQ_REMOVE(&parent->children, cgrp, sibling);
	parent->n_children--;
	parent->flags |= CGRP_RELEASABLE;
	cgrp->flags |= CGRP_DEAD;
	cgrp->parent = NULL;
	cgrp->h = NULL;
	release_check(parent);
	if (!cgrp->holds)
		cgroup_free(cgrp);
	return 0;
}

int cgroup_rmdir(struct cgroup *cgrp)
{
	struct core *core;
	int err;

	if (cgrp->flags & CGRP_DEAD)
		return -ENOENT;
	core = cgrp->h->core;
	core_enter(core);
	err = remove_cgroup(cgrp);
	core_leave(core);
	return err;
}

int cgroup_rename(struct cgroup *cgrp, const char *name)
{
	int err = check_name(name);
	char *copy;

	if (!cgrp->parent)
		return -EBUSY;
	if (err)
		return err;
	if (name_taken(cgrp->parent, name))
		return -EEXIST;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	name_hash_del(cgrp->h->core, cgrp);
	free(cgrp->name);
	cgrp->name = copy;
	name_hash_add(cgrp->h->core, cgrp);
	core_tree_changed(cgrp);
	return 0;
}
