// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hierarchy.c - trees of cgroups and the subsystems bound to them.
 *
 * A subsystem is always bound to exactly one hierarchy: the one of a mount, or the default one. Its
 * root css goes along: it hangs on whichever root the subsystem is bound to. Binding changes only
 * while every hierarchy concerned is a lone root, so no other css is ever touched.
 */
#include <stdio.h>

#include <core/internal.h>

struct hierarchy *hierarchy_new(struct core *core)
{
	struct hierarchy *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->core = core;
	h->slot = -1;
	TAILQ_INIT(&h->releases);
	h->release_agent = strdup("");
	h->label = strdup("");
	h->root = cgroup_alloc(h, NULL, "/", CORE_MAX_SUBSYS);
	if (!h->release_agent || !h->label || !h->root) {
		hierarchy_free(h);
		return NULL;
	}
	h->root->mode = 0555; /* as the kernel's; root may write all the same */
	cgroup_hash_add(h->root);
	return h;
}

/* The root's states have been destroyed or handed on, and it is off the hashes. */
void hierarchy_free(struct hierarchy *h)
{
	if (h->root) {
		h->root->flags |= CGRP_DEAD;
		h->root->h = NULL;
		if (!h->root->holds)
			cgroup_free(h->root);
	}
	free(h->label);
	free(h->release_agent);
	free(h);
}

int hierarchy_relabel(struct hierarchy *h)
{
	struct cgroup_subsys *ss;
	size_t size = sizeof(h->name) + CORE_MAX_SUBSYS * (CGROUP_SUBSYS_NAME_MAX + 1);
	char *label = calloc(1, size);

	if (!label)
		return -ENOMEM;
	if (h->name[0])
		strcpy(label, h->name);
	for (int id = -1; !h->name[0] && (ss = hierarchy_next_subsys(h, &id));) {
		if (label[0])
			strcat(label, ",");
		strcat(label, ss->name);
	}
	free(h->label);
	h->label = label;
	return 0;
}

static bool lone_root(const struct hierarchy *h)
{
	return !h->root->n_children;
}

/* Hands SS and its root css over to H. Both hierarchies are lone roots, or the default one. */
static void bind(struct cgroup_subsys *ss, struct hierarchy *to)
{
	struct core *core = to->core;
	struct hierarchy *from = core->subsys_h[ss->id];
	struct cgroup_subsys_state *css = css_of(from->root, ss);

	*cgroup_css_slot(from->root, ss) = NULL;
	cgroup_drop_extra_files(from->root, ss);
	from->subsys_mask &= ~(1ull << ss->id);
	to->subsys_mask |= 1ull << ss->id;
	core->subsys_h[ss->id] = to;
	*cgroup_css_slot(to->root, ss) = css;
	css->cgroup = to->root;
	if (ss->cputime && core->ops->want_cputime)
		core->ops->want_cputime(core->arg, to != core->dfl);
	if (ss->tick && core->ops->want_tick)
		core->ops->want_tick(core->arg, ss, to != core->dfl);
	if (ss->bind)
		ss->bind(ss, to->root);
}

/* -EBUSY, naming it, when one of MASK belongs to another mounted hierarchy than H. */
static int check_free(struct core *core, uint64_t mask, const struct hierarchy *h, char **what)
{
	for (unsigned int id = 0; id < core->n_subsys; id++) {
		const struct hierarchy *has = core->subsys_h[id];

		if (!(mask & (1ull << id)) || has == core->dfl || has == h)
			continue;
		if (what && asprintf(what, "%s: already bound to the hierarchy %s",
				     core->subsys[id]->name, has->label) < 0)
			*what = NULL;
		return -EBUSY;
	}
	return 0;
}

static int fail(char **what, int err, const char *text)
{
	if (what)
		*what = strdup(text);
	return err;
}

static uint64_t wanted_mask(struct core *core, const struct core_mount_opts *opts)
{
	uint64_t all = (1ull << core->n_subsys) - 1;

	if (opts->all || (!opts->subsys_mask && !opts->none && !opts->name[0]))
		return all;
	return opts->subsys_mask;
}

/*
 * The active hierarchy OPTS mean, NULL if there is none. A name alone finds it by that name,
 * whatever is bound there. The same name or subsystems otherwise: -EBUSY.
 */
static int find_active(struct core *core, const struct core_mount_opts *opts, uint64_t mask,
		       struct hierarchy **res, char **what)
{
	bool name_alone = opts->name[0] && !mask && !opts->none;
	struct hierarchy *h;

	*res = NULL;
	TAILQ_FOREACH(h, &core->hierarchies, link) {
		bool same_name = !strcmp(h->name, opts->name);

		if (same_name && opts->noprefix == h->noprefix &&
		    (h->subsys_mask == mask || name_alone) && (mask || h->name[0])) {
			*res = h;
			return 0;
		}
		if (same_name && h->name[0]) {
			if (what &&
			    asprintf(what, "name=%s: there is such a hierarchy, with other options",
				     h->name) < 0)
				*what = NULL;
			return -EBUSY;
		}
	}
	return 0;
}

static void dissolve(struct hierarchy *h)
{
	struct core *core = h->core;
	struct cgroup_subsys *ss;

	for (int id = -1; (ss = hierarchy_next_subsys(h, &id));)
		bind(ss, core->dfl);
	TAILQ_REMOVE(&core->hierarchies, h, link);
	core->by_slot[h->slot] = NULL;
	core->n_hierarchies--;
	cgroup_hash_del(h->root);
	hierarchy_free(h);
}

static int free_slot(const struct core *core)
{
	for (int slot = 0; slot < CORE_MAX_HIERARCHIES; slot++)
		if (!core->by_slot[slot])
			return slot;
	return -1;
}

static int make(struct core *core, const struct core_mount_opts *opts, uint64_t mask,
		struct hierarchy **res)
{
	struct hierarchy *h = hierarchy_new(core);

	if (!h)
		return -ENOMEM;
	strcpy(h->name, opts->name);
	h->noprefix = opts->noprefix;
	if (opts->clone_children)
		h->root->flags |= CGRP_CLONE_CHILDREN;
	if (opts->release_agent) {
		free(h->release_agent);
		h->release_agent = strdup(opts->release_agent);
	}
	h->subsys_mask = mask;
	if (!h->release_agent || hierarchy_relabel(h)) {
		cgroup_hash_del(h->root);
		hierarchy_free(h);
		return -ENOMEM;
	}
	h->subsys_mask = 0;
	h->id = core->next_hierarchy_id++;
	h->slot = free_slot(core);
	core->by_slot[h->slot] = h;
	core->n_hierarchies++;
	TAILQ_INSERT_HEAD(&core->hierarchies, h, link);
	for (unsigned int id = 0; id < core->n_subsys; id++)
		if (mask & (1ull << id))
			bind(core->subsys[id], h);
	*res = h;
	return 0;
}

void core_reap_hierarchies(struct core *core)
{
	struct hierarchy *h, *next;

	for (h = TAILQ_FIRST(&core->hierarchies); h; h = next) {
		next = TAILQ_NEXT(h, link);
		if (!h->n_mounts && lone_root(h))
			dissolve(h);
	}
}

int core_mount(struct core *core, const struct core_mount_opts *opts, const struct core_cred *cred,
	       struct hierarchy **res, char **what)
{
	uint64_t mask = wanted_mask(core, opts);
	struct hierarchy *h;
	int err;

	if (what)
		*what = NULL;
	if (!mask && !opts->name[0])
		return fail(what, -EINVAL,
			    "neither a subsystem nor a name: add name=NAME or a subsystem");
	err = find_active(core, opts, mask, &h, what);
	if (err)
		return err;
	if (!h) {
		err = check_free(core, mask, NULL, what);
		if (err)
			return err;
		if (opts->release_agent && !cred->owner)
			return fail(what, -EPERM,
				    "release_agent=: only the instance's owner may set it");
		if (free_slot(core) < 0)
			return fail(
				what, -ENOSPC,
				"64 hierarchies are active, the most there can be; unmount one");
		err = make(core, opts, mask, &h);
		if (err)
			return err;
	}
	h->n_mounts++;
	*res = h;
	return 0;
}

void core_umount(struct core *core, struct hierarchy *h)
{
	(void)core;
	if (--h->n_mounts == 0 && lone_root(h))
		dissolve(h);
}

static int rebind(struct hierarchy *h, uint64_t mask, char **what)
{
	struct core *core = h->core;
	uint64_t old = h->subsys_mask;
	int err;

	if (mask == old)
		return 0;
	if (!mask && !h->name[0])
		return fail(what, -EINVAL, "a hierarchy without a name needs a subsystem");
	if (!lone_root(h))
		return fail(what, -EBUSY, "subsystems change only while there is no cgroup below");
	err = check_free(core, mask, h, what);
	if (err)
		return err;
	h->subsys_mask = mask;
	err = hierarchy_relabel(h);
	h->subsys_mask = old;
	if (err)
		return err;
	for (unsigned int id = 0; id < core->n_subsys; id++) {
		uint64_t bit = 1ull << id;

		if (old & ~mask & bit)
			bind(core->subsys[id], core->dfl);
		else if (mask & ~old & bit)
			bind(core->subsys[id], h);
	}
	core_tree_changed(h->root);
	return 0;
}

int core_remount(struct core *core, struct hierarchy *h, const struct core_mount_opts *opts,
		 const struct core_cred *cred, char **what)
{
	uint64_t mask = h->subsys_mask;
	int err;

	if (what)
		*what = NULL;
	if (opts->name[0] && strcmp(opts->name, h->name))
		return fail(what, -EINVAL, "name=: a remount cannot change the name");
	if (opts->noprefix && !h->noprefix)
		return fail(what, -EINVAL, "noprefix: a remount cannot change it");
	if (opts->release_agent && !cred->owner)
		return fail(what, -EPERM, "release_agent=: only the instance's owner may set it");
	/* What is not spoken of stays. */
	if (opts->all)
		mask = (1ull << core->n_subsys) - 1;
	else if (opts->none || opts->subsys_mask)
		mask = opts->subsys_mask;
	/* A set that is spoken of comes with its noprefix. */
	if (mask != h->subsys_mask && h->noprefix && !opts->noprefix)
		return fail(what, -EINVAL, "noprefix: a remount cannot take it away");
	err = rebind(h, mask, what);
	if (err)
		return err;
	if (opts->release_agent)
		err = hierarchy_set_release_agent(h, opts->release_agent, cred);
	return err;
}

/* ---- facts ------------------------------------------------------------------------------------ */

struct hierarchy *core_hierarchy_next(struct core *core, struct hierarchy *prev)
{
	return prev ? TAILQ_NEXT(prev, link) : TAILQ_FIRST(&core->hierarchies);
}

/* Is LIST a permutation of H's subsystems? */
static bool names_subsystems(const struct hierarchy *h, const char *list)
{
	uint64_t mask = 0;

	while (*list) {
		size_t len = strcspn(list, ",");
		unsigned int id = 0;

		for (; id < h->core->n_subsys; id++)
			if (strlen(h->core->subsys[id]->name) == len &&
			    !strncmp(h->core->subsys[id]->name, list, len))
				break;
		if (id == h->core->n_subsys)
			return false;
		mask |= 1ull << id;
		list += len;
		list += *list == ',';
	}
	return mask && mask == h->subsys_mask;
}

struct hierarchy *core_hierarchy_find(struct core *core, const char *name)
{
	struct hierarchy *h;

	if (!*name)
		return NULL;
	TAILQ_FOREACH(h, &core->hierarchies, link)
		if (!strcmp(h->name, name))
			return h;
	TAILQ_FOREACH(h, &core->hierarchies, link)
		if (names_subsystems(h, name))
			return h;
	return NULL;
}

uint32_t hierarchy_id(const struct hierarchy *h)
{
	return h->id;
}

struct cgroup *hierarchy_root(const struct hierarchy *h)
{
	return h->root;
}

size_t hierarchy_n_cgroups(const struct hierarchy *h)
{
	return h->n_cgroups;
}

unsigned int hierarchy_n_mounts(const struct hierarchy *h)
{
	return h->n_mounts;
}

uint64_t hierarchy_subsys_mask(const struct hierarchy *h)
{
	return h->subsys_mask;
}

const char *hierarchy_name(const struct hierarchy *h)
{
	return h->name;
}

const char *hierarchy_release_agent(const struct hierarchy *h)
{
	return h->release_agent;
}

const char *hierarchy_label(const struct hierarchy *h)
{
	return h->label;
}

struct core *hierarchy_core(const struct hierarchy *h)
{
	return h->core;
}

void hierarchy_set_mount_data(struct hierarchy *h, void *data)
{
	h->mount_data = data;
}

void *hierarchy_mount_data(const struct hierarchy *h)
{
	return h->mount_data;
}
