// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ops_mounts.c - operations on hierarchies: mount, unmount, remount.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "property.h"

enum { ALL = (1u << M_SUBSYS) - 1 };

int pick_hierarchy(const struct prop *p, uint32_t r)
{
	int n = 0;

	for (int h = 0; h < M_HIERARCHIES; h++)
		n += p->m.hierarchies[h].active;
	if (!n)
		return -1;
	n = (int)(r % (uint32_t)n);
	for (int h = 0; h < M_HIERARCHIES; h++)
		if (p->m.hierarchies[h].active && !n--)
			return h;
	return -1;
}

/* What is asked for, in the model's terms. */
struct wish {
	unsigned int mask; /* named ones */
	bool all, none, noprefix;
	char name[M_NAME];
};

/* Mostly with a name, so that several hierarchies live at a time. */
static struct wish make_wish(uint32_t r)
{
	struct wish w = {.mask = r % 2 ? 0 : r / 4 % 8, .noprefix = r / 32 % 8 == 0};

	if (r / 256 % 4)
		snprintf(w.name, sizeof(w.name), "n%u", r / 1024 % 4);
	w.none = r / 4096 % 8 == 0;
	w.all = r / 16384 % 32 == 0;
	return w;
}

static void wish_text(const struct prop *p, const struct wish *w, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (int s = 0; s < M_SUBSYS; s++)
		if (w->mask & (1u << s))
			n += snprintf(text + n, size - n, "%s,", p->ss[s].name);
	if (w->all)
		n += snprintf(text + n, size - n, "all,");
	if (w->none)
		n += snprintf(text + n, size - n, "none,");
	if (w->noprefix)
		n += snprintf(text + n, size - n, "noprefix,");
	if (w->name[0])
		n += snprintf(text + n, size - n, "name=%s,", w->name);
	if (n)
		text[n - 1] = '\0';
}

static int wish_error(const struct wish *w)
{
	if (w->none && (w->mask || w->all || !w->name[0]))
		return -EINVAL;
	return w->all && w->mask ? -EINVAL : 0;
}

/* Is one of MASK bound to an active hierarchy other than H? */
static bool taken(const struct prop *p, unsigned int mask, int h)
{
	for (int other = 0; other < M_HIERARCHIES; other++)
		if (other != h && p->m.hierarchies[other].active &&
		    p->m.hierarchies[other].mask & mask)
			return true;
	return false;
}

/* The hierarchy meant, -1: a new one; or an error. */
static int find_wished(const struct prop *p, const struct wish *w, unsigned int mask)
{
	bool name_alone = w->name[0] && !mask && !w->none;

	for (int h = 0; h < M_HIERARCHIES; h++) {
		const struct m_hierarchy *mh = &p->m.hierarchies[h];

		if (!mh->active || strcmp(mh->name, w->name))
			continue;
		if (mh->noprefix == w->noprefix && (mh->mask == mask || name_alone))
			return h;
		if (mh->name[0])
			return -EBUSY;
	}
	return taken(p, mask, -1) ? -EBUSY : -1;
}

static int do_parse(struct prop *p, const struct wish *w, struct core_mount_opts *opts)
{
	char text[128], *what = NULL;
	int err, want = wish_error(w);

	wish_text(p, w, text, sizeof(text));
	prop_say(p, "%s: \"%s\"", p->op_name, text);
	err = core_mount_opts_parse(p->fw->core, text, opts, &what);
	EXPECT(p, err == want, "the options are %d, not %d", err, want);
	EXPECT(p, !what == !err, "a message without an error, or the other way round");
	free(what);
	return err;
}

static void do_mount(struct prop *p, const struct op *op)
{
	static const struct core_cred cred = {.owner = true};
	struct wish w = make_wish(op->r[0]);
	unsigned int mask = w.mask;
	struct core_mount_opts opts;
	struct hierarchy *h = NULL;
	int err, want, at, n = 0;

	for (at = 0; at < M_HIERARCHIES; at++)
		n += p->m.hierarchies[at].active;
	if (n == M_HIERARCHIES || do_parse(p, &w, &opts))
		return;
	if (w.all || (!w.mask && !w.none && !w.name[0]))
		mask = ALL;
	at = find_wished(p, &w, mask);
	want = at == -EBUSY ? -EBUSY : 0;
	err = core_mount(p->fw->core, &opts, &cred, &h, NULL);
	core_mount_opts_clear(&opts);
	EXPECT(p, err == want, "mount answers %d, not %d", err, want);
	p->n_done[op->kind]++;
	p->n_refused[op->kind] += err != 0;
	if (err)
		return;
	if (at >= 0) {
		EXPECT(p, h == p->m.hierarchies[at].h, "another hierarchy is shown");
		p->m.hierarchies[at].mounts++;
	} else {
		m_hierarchy_add(&p->m, mask, w.name, w.noprefix, h);
	}
}

static void do_umount(struct prop *p, const struct op *op)
{
	int h = pick_hierarchy(p, op->r[0]);
	struct m_hierarchy *mh = h < 0 ? NULL : &p->m.hierarchies[h];

	if (!mh || !mh->mounts)
		return;
	prop_say(p, "%s: hierarchy %d", p->op_name, h);
	core_umount(p->fw->core, mh->h);
	if (!--mh->mounts && !m_children(&p->m, h))
		m_hierarchy_remove(&p->m, h);
	p->n_done[op->kind]++;
}

static void do_remount(struct prop *p, const struct op *op)
{
	static const struct core_cred cred = {.owner = true};
	int h = pick_hierarchy(p, op->r[1]), err, want = 0;
	struct wish w = make_wish(op->r[0]);
	struct m_hierarchy *mh = h < 0 ? NULL : &p->m.hierarchies[h];
	struct core_mount_opts opts;
	unsigned int mask;

	if (!mh)
		return;
	if (op->r[2] % 4)
		memcpy(w.name, mh->name, sizeof(w.name));
	if (op->r[2] / 4 % 4)
		w.noprefix = mh->noprefix;
	if (do_parse(p, &w, &opts))
		return;
	mask = w.all ? ALL : w.none || w.mask ? w.mask : mh->mask;
	if ((w.name[0] && strcmp(w.name, mh->name)) || (w.noprefix && !mh->noprefix) ||
	    (mask != mh->mask && mh->noprefix && !w.noprefix) || (!mask && !mh->name[0]))
		want = -EINVAL;
	else if (mask != mh->mask && (m_children(&p->m, h) || taken(p, mask, h)))
		want = -EBUSY;
	err = core_remount(p->fw->core, mh->h, &opts, &cred, NULL);
	core_mount_opts_clear(&opts);
	EXPECT(p, err == want, "remount of %d answers %d, not %d", h, err, want);
	if (!err)
		mh->mask = mask;
	p->n_done[op->kind]++;
	p->n_refused[op->kind] += err != 0;
}

static void do_reap(struct prop *p, const struct op *op)
{
	prop_say(p, "%s", p->op_name);
	core_reap_hierarchies(p->fw->core);
	for (int h = 0; h < M_HIERARCHIES; h++)
		if (p->m.hierarchies[h].active && !p->m.hierarchies[h].mounts &&
		    !m_children(&p->m, h))
			m_hierarchy_remove(&p->m, h);
	p->n_done[op->kind]++;
}

void op_mount(struct prop *p, const struct op *op)
{
	switch (op->kind) {
	case OP_MOUNT:
		do_mount(p, op);
		break;
	case OP_UMOUNT:
		do_umount(p, op);
		break;
	case OP_REMOUNT:
		do_remount(p, op);
		break;
	case OP_REAP:
		do_reap(p, op);
		break;
	}
}
