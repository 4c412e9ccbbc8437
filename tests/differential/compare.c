// SPDX-License-Identifier: GPL-2.0-or-later
/* compare.c - are two answers the same? */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

void show_bytes(char *out, size_t size, const char *bytes, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n && len + 8 < size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n')
			len += (size_t)sprintf(out + len, "\\n");
		else if (isprint(c))
			out[len++] = (char)c;
		else
			len += (size_t)sprintf(out + len, "\\x%02x", c);
		if (len + 16 > size) {
			len += (size_t)sprintf(out + len, "...");
			break;
		}
	}
	out[len] = '\0';
}

void only_puppets(const struct run *run, int ns, struct reply *r)
{
	char *in = r->data, *end = r->data + r->len, *out = r->data;

	while (in < end) {
		char *nl = memchr(in, '\n', (size_t)(end - in));
		size_t n;

		if (!nl)
			break;
		n = (size_t)(nl + 1 - in);
		if (pool_find(&run->pool, atoi(in), ns) >= 0) {
			memmove(out, in, n);
			out += n;
		}
		in += n;
	}
	r->len = (size_t)(out - r->data);
	if (r->ret >= 0)
		r->ret = (long)r->len;
}

/* Either side's own agent is the same to both; they are as long as each other. */
static void forget_agent(const struct world *w, enum side side, struct reply *r)
{
	size_t all = strlen(w->agent[side]), at = (size_t)r->pos, n;

	if (r->pos < 0 || at >= all)
		return;
	n = all - at < r->len ? all - at : r->len;
	if (!memcmp(r->data, w->agent[side] + at, n))
		memset(r->data, 'A', n);
}

static bool reads_file(enum op_kind kind)
{
	return kind == OP_read || kind == OP_hread || kind == OP_hopen || kind == OP_open;
}

/* A list of the root's tasks, of which only the puppets' matter. */
static bool lists_root(const struct diff *d)
{
	return reads_file(d->op->kind) && d->op->kind != OP_hread && d->tasks &&
	       d->group == GROUP_ROOT;
}

static void normalise(struct diff *d)
{
	struct reply *r[SIDES] = {d->v1, d->ucg};

	for (int s = 0; s < SIDES; s++) {
		if (d->op->kind == OP_list || d->op->kind == OP_hlist)
			intended_listing(d->run->world->kernel_only ? V1 : (enum side)s, r[s]);
		if (!reads_file(d->op->kind))
			continue;
		if (!strcmp(d->file, "release_agent"))
			forget_agent(d->run->world, (enum side)s, r[s]);
		/* All the machine's tasks are in the root, and come and go. */
		if (lists_root(d))
			only_puppets(d->run, d->ns, r[s]);
	}
	if (d->op->kind == OP_open || d->op->kind == OP_write)
		return;
	for (int s = 0; s < SIDES; s++)
		if (r[s]->err)
			r[s]->len = 0;
}

static void explain(const struct diff *d, const char *what)
{
	char text[SIDES][600];
	const struct reply *r[SIDES] = {d->v1, d->ucg};

	for (int s = 0; s < SIDES; s++) {
		int n = snprintf(text[s], sizeof(text[s]), "%ld%s%s \"", r[s]->ret,
				 r[s]->err ? " " : "", r[s]->err ? strerrorname_np(r[s]->err) : "");

		show_bytes(text[s] + n, sizeof(text[s]) - (size_t)n - 2, r[s]->data, r[s]->len);
		strcat(text[s], "\"");
	}
	snprintf(d->run->why, sizeof(d->run->why), "%s: v1 %s, ucgroup %s", what, text[V1],
		 text[UCG]);
}

/* A list of tasks as the driver sees it, in the numbers of the namespace NS. */
static void translate(const struct run *run, int ns, struct reply *r)
{
	char *end = r->data + r->len, *out = r->data;

	for (char *p = r->data; p < end; p = memchr(p, '\n', (size_t)(end - p)) + 1) {
		int slot = pool_find(&run->pool, atoi(p), 0);
		pid_t tid;

		/* Never longer than what was there: numbers of inner namespaces are small. */
		if (slot >= 0 && run->pool.task[slot].ns == ns &&
		    !pool_tid(&run->pool, slot, ns, &tid))
			out += sprintf(out, "%d\n", tid);
	}
	r->len = (size_t)(out - r->data);
}

/* A reader in another namespace than the picture is of gets, and leaves, a new one. */
static void take_picture(struct diff *d)
{
	static struct command look;
	static struct reply now;
	char group[GROUP_PATH];

	tree_path(&d->run->tree, d->group, group, sizeof(group));
	look.kind = OP_read;
	snprintf(look.path, sizeof(look.path), "%s/%s", group, d->file);
	puppet_file_op(&look, V1, &now);
	if (d->ns)
		translate(d->run, d->ns, &now);
	picture_set(d->handle->picture, d->ns, now.data, now.len);
}

/* A piece of a list of tasks, read through an open file, is a piece of the picture at open. */
static bool same_as_picture(struct diff *d)
{
	const struct picture *p = d->handle->picture;
	struct reply *r = d->ucg;
	size_t at = r->pos < 0 ? 0 : (size_t)r->pos, want;
	bool moved_apart = d->op->off < 0 && d->v1->ret != r->ret;

	/* Pieces of the root's list depend on everybody else's tasks. */
	if (d->group != GROUP_ROOT && !d->run->world->kernel_only) {
		intended_picture_used();
		if (d->command->count && p->ns != d->ns)
			take_picture(d);
		want = at < p->len ? p->len - at : 0;
		if (want > d->command->count)
			want = d->command->count;
		if (r->len != want || memcmp(r->data, p->data + at, want)) {
			d->v1->len = want;
			d->v1->ret = (long)want;
			memcpy(d->v1->data, p->data + at, want);
			explain(d, "not what was there at open (shown for v1)");
			return false;
		}
	}
	return !moved_apart || !intended_seek(d, (long)at + r->ret);
}

static bool equal(const struct reply *a, const struct reply *b)
{
	return a->ret == b->ret && a->err == b->err && a->len == b->len &&
	       !memcmp(a->data, b->data, a->len);
}

bool compare_patiently(struct diff *d, int (*again)(struct diff *d))
{
	static struct reply first;

	if (!lists_root(d))
		return compare(d);
	first = *d->ucg;
	for (int i = 0; !compare(d); i++) {
		if (i == 100 || again(d))
			return false;
		*d->ucg = first;
	}
	return true;
}

bool compare(struct diff *d)
{
	normalise(d);
	if (d->op->kind == OP_hread && d->tasks && !d->v1->err && !d->ucg->err)
		return same_as_picture(d);
	if (equal(d->v1, d->ucg))
		return true;
	if (intended(d))
		return true;
	explain(d, "different answers");
	return false;
}
