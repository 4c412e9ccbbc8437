// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset_rules.c - which sets and flags there may be, and the error that says why not, as in v1.
 */
#include <errno.h>

#include <subsys/cpuset.h>

/* A cpuset as it is to become. */
struct trial {
	struct mask cpus, mems;
	unsigned int flags;
};

static const unsigned int exclusive_flags = 1u << CPUSET_CPU_EXCLUSIVE | 1u << CPUSET_MEM_EXCLUSIVE;

static bool within(const struct mask *cpus, const struct mask *mems, unsigned int flags,
		   const struct mask *outer_cpus, const struct mask *outer_mems,
		   unsigned int outer_flags)
{
	return mask_is_subset(cpus, outer_cpus) && mask_is_subset(mems, outer_mems) &&
	       !(flags & ~outer_flags & exclusive_flags);
}

static bool children_fit(const struct cpuset *cs, const struct trial *t)
{
	for (const struct cpuset *c = cpuset_first_child(cs); c; c = cpuset_next_sibling(c))
		if (!within(&c->cpus, &c->mems, c->flags, &t->cpus, &t->mems, t->flags))
			return false;
	return true;
}

/* An exclusive set, its own or the other's, shares nothing with it. */
static bool siblings_agree(const struct cpuset *cs, const struct cpuset *parent,
			   const struct trial *t)
{
	for (const struct cpuset *c = cpuset_first_child(parent); c; c = cpuset_next_sibling(c)) {
		unsigned int either = t->flags | c->flags;

		if (c == cs)
			continue;
		if (either & 1u << CPUSET_CPU_EXCLUSIVE && mask_intersects(&t->cpus, &c->cpus))
			return false;
		if (either & 1u << CPUSET_MEM_EXCLUSIVE && mask_intersects(&t->mems, &c->mems))
			return false;
	}
	return true;
}

static bool is_emptied(const struct mask *old, const struct mask *new)
{
	return !mask_is_empty(old) && mask_is_empty(new);
}

/* In v1's order, which decides the error where several things are wrong. */
static int check(struct cpuset *cs, const struct trial *t)
{
	const struct cpuset *parent = cpuset_parent(cs);

	if (!children_fit(cs, t))
		return -EBUSY;
	if (!parent)
		return 0;
	if (!within(&t->cpus, &t->mems, t->flags, &parent->cpus, &parent->mems, parent->flags))
		return -EACCES;
	if ((is_emptied(&cs->cpus, &t->cpus) || is_emptied(&cs->mems, &t->mems)) &&
	    cgroup_task_count(cs->css.cgroup))
		return -ENOSPC;
	return siblings_agree(cs, parent, t) ? 0 : -EINVAL;
}

static struct trial trial_of(const struct cpuset *cs)
{
	return (struct trial){.cpus = cs->cpus, .mems = cs->mems, .flags = cs->flags};
}

/* What the system does not have cannot be in a set. */
static int parse(struct mask *m, const char *text, unsigned int n_bits, const struct mask *all)
{
	int err = mask_parse(m, text, n_bits);

	if (err)
		return err;
	return mask_is_subset(m, all) ? 0 : -EINVAL;
}

int cpuset_write_cpus(struct cpuset *cs, const char *text)
{
	struct trial t = trial_of(cs);
	struct mask was = cs->cpus;
	bool restricted;
	int err;

	if (cpuset_is_root(cs))
		return -EACCES;
	cpuset_look_at_system(cs->ctx);
	err = parse(&t.cpus, text, cs->ctx->n_cpus, &cs->ctx->root->cpus);
	if (err || mask_equal(&t.cpus, &cs->cpus))
		return err;
	err = check(cs, &t);
	if (err)
		return err;
	restricted = cpuset_restricts(cs);
	cs->cpus = t.cpus;
	cpuset_recount(cs);
	cpuset_apply(cs, restricted ? &was : NULL);
	return 0;
}

int cpuset_write_mems(struct cpuset *cs, const char *text)
{
	struct trial t = trial_of(cs);
	struct mask was = cs->mems;
	int err;

	if (cpuset_is_root(cs))
		return -EACCES;
	cpuset_look_at_system(cs->ctx);
	err = parse(&t.mems, text, cs->ctx->n_nodes, &cs->ctx->root->mems);
	if (err || mask_equal(&t.mems, &cs->mems))
		return err;
	err = check(cs, &t);
	if (err)
		return err;
	cs->mems = t.mems;
	cpuset_migrate(cs, &was, NULL);
	return 0;
}

int cpuset_write_flag(struct cpuset *cs, enum cpuset_flag flag, bool on)
{
	struct trial t = trial_of(cs);
	int err;

	t.flags &= ~(1u << flag);
	t.flags |= (unsigned int)on << flag;
	err = check(cs, &t);
	if (!err)
		cs->flags = t.flags;
	return err;
}
