// SPDX-License-Identifier: GPL-2.0-or-later
/* run.c - doing one operation on both sides and booking what it did. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

int run_begin(struct run *run, struct world *world, enum plant plant)
{
	memset(run, 0, sizeof(*run));
	run->world = world;
	run->plant = plant;
	if (world_open(world, run->why, sizeof(run->why)))
		return -1;
	for (int s = 0; s < SIDES; s++)
		memcpy(shared->base[s], world->base[s], sizeof(shared->base[s]));
	tree_init(&run->tree);
	pool_init(&run->pool);
	return 0;
}

int run_end(struct run *run)
{
	pool_destroy(&run->pool);
	return world_close(run->world, run->why, sizeof(run->why));
}

struct viewer {
	const struct run *run;
	int ns;
};

static int name_tid(void *arg, int slot, pid_t *tid)
{
	const struct viewer *v = arg;

	return pool_tid(&v->run->pool, slot, v->ns, tid);
}

/* Says in the slot's channel what to do. False: a template means nothing now. */
static bool fill_command(struct run *run, const struct op *op)
{
	struct command *c = &shared->channel[op->slot].command;
	struct viewer viewer = {run, run->pool.task[op->slot].ns};
	struct op_names names = {.tid = name_tid, .arg = &viewer, .agent = ""};
	ssize_t n;

	c->kind = op->kind;
	c->target = op->target;
	c->handle = op->handle;
	c->num = op->num;
	c->flip = op->flip;
	c->mode = op->mode;
	c->uid = op->uid;
	c->gid = op->gid;
	c->off = op->off;
	c->count = (size_t)op->count;
	n = op_expand(op->path, &names, c->path, sizeof(c->path) - 1);
	if (n < 0)
		return false;
	c->path[n] = '\0';
	n = op_expand(op->path2, &names, c->path2, sizeof(c->path2) - 1);
	if (n < 0)
		return false;
	c->path2[n] = '\0';
	for (int s = 0; s < SIDES; s++) {
		names.agent = run->world->agent[s];
		n = op_expand(op->data, &names, c->data[s], sizeof(c->data[s]));
		if (n < 0)
			return false;
		c->len[s] = (size_t)n;
	}
	return true;
}

/* What the operation is about, so that answers can be judged. */
static void fill_diff(struct run *run, const struct op *op, struct diff *d)
{
	struct channel *ch = &shared->channel[op->slot];
	const char *name;

	*d = (struct diff){.run = run,
			   .op = op,
			   .command = &ch->command,
			   .file = "",
			   .v1 = &ch->reply[V1],
			   .ucg = &ch->reply[UCG],
			   .ns = run->pool.task[op->slot].ns};
	if (op_flags(op->kind) & ON_HANDLE) {
		d->handle = &pool_proc(&run->pool, op->slot)->handle[op->handle];
		d->group = d->handle->group;
		d->tasks = d->handle->tasks;
		d->file = d->handle->file;
		if (op->kind == OP_hopen) {
			d->file = ch->command.path;
			d->tasks = !strcmp(d->file, "tasks") || !strcmp(d->file, "cgroup.procs");
		}
		return;
	}
	d->group = tree_parent(&run->tree, ch->command.path, &name);
	d->file = name;
	d->tasks = !strcmp(name, "tasks") || !strcmp(name, "cgroup.procs");
	if (d->tasks || d->group == GROUP_NONE)
		return;
	if (tree_child(&run->tree, d->group, name) != GROUP_NONE)
		d->group = tree_child(&run->tree, d->group, name);
}

/* ---- booking ------------------------------------------------------------------------------- */

static void book_open(struct run *run, const struct diff *d)
{
	struct handle *h = &pool_proc(&run->pool, d->op->slot)->handle[d->op->handle];

	handle_drop(h);
	h->used = true;
	h->group = d->group;
	h->tasks = d->tasks;
	h->dir = d->op->num & O_DIRECTORY;
	h->append = d->op->num & O_APPEND;
	if (!h->dir)
		snprintf(h->file, sizeof(h->file), "%.31s", d->file);
	if (!h->tasks)
		return;
	h->picture = picture_set(NULL, d->ns, d->v1->data, d->v1->len);
	h->picture->refs = 1;
}

static int book_tree(struct run *run, const struct diff *d)
{
	const char *path = d->command->path, *name;
	struct tree *tree = &run->tree;
	int g;

	switch (d->op->kind) {
	case OP_mkdir:
		g = tree_parent(tree, path, &name);
		return tree_add(tree, g, name);
	case OP_hmkdir:
		return tree_add(tree, d->handle->group, path);
	case OP_rmdir:
		g = tree_find(tree, path);
		handles_removed(&run->pool, g);
		return tree_remove(tree, g);
	case OP_rename:
		g = tree_find(tree, path);
		if (g == GROUP_NONE)
			return 0; /* a file onto itself */
		tree_parent(tree, d->command->path2, &name);
		tree_rename(tree, g, name);
		return 0;
	default:
		return 0;
	}
}

static int book(struct run *run, const struct diff *d)
{
	if (d->v1->err || d->ucg->err)
		return 0;
	if (d->op->kind == OP_open)
		book_open(run, d);
	if (d->op->kind == OP_close)
		handle_drop(&pool_proc(&run->pool, d->op->slot)->handle[d->op->handle]);
	if (book_tree(run, d) >= 0)
		return 0;
	snprintf(run->why, sizeof(run->why), "both sides agree, but the book does not understand");
	return -1;
}

/* ---- planted differences ------------------------------------------------------------------- */

static void plant(struct run *run, const struct diff *d)
{
	char path[PATH_MAX + 128];
	pid_t tid;
	int fd;

	if (d->v1->err)
		return;
	if (run->plant == PLANT_RENAME && d->op->kind == OP_rename) {
		snprintf(path, sizeof(path), "%s/%s", shared->base[UCG], d->command->path2);
		chmod(path, 0711);
	}
	if (run->plant == PLANT_NOTIFY && d->op->kind == OP_write && d->group > GROUP_ROOT &&
	    !strcmp(d->file, "notify_on_release")) {
		snprintf(path, sizeof(path), "%s/%s", shared->base[UCG], d->command->path);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		(void)!write(fd, "0", 1);
		close(fd);
	}
	if (run->plant == PLANT_MOVE && d->op->kind == OP_write && d->group > GROUP_ROOT &&
	    !strcmp(d->file, "cgroup.procs") && op_named_slot(d->op->data) >= 0 &&
	    !pool_tid(&run->pool, op_named_slot(d->op->data), 0, &tid)) {
		snprintf(path, sizeof(path), "%s/tasks", shared->base[UCG]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		dprintf(fd, "%d", tid);
		close(fd);
	}
}

/*
 * Would it move a task that is not ours? A sequence with operations left out may write what was
 * meant for one file into another, and 1 is a fine value for a flag.
 */
static bool names_stranger(const struct diff *d)
{
	const char *p = d->command->data[V1], *end = p + d->command->len[V1];
	char number[64], path[96];
	long n;

	if ((d->op->kind != OP_write && d->op->kind != OP_hwrite) || !d->tasks)
		return false;
	while (p < end && (isspace((unsigned char)*p) || (unsigned char)*p == 0xa0))
		p++;
	snprintf(number, sizeof(number), "%.*s", (int)(end - p < 32 ? end - p : 32), p);
	n = strtol(number, NULL, 0);
	if (n <= 0 || n > INT_MAX || pool_find(&d->run->pool, (pid_t)n, d->ns) >= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%ld", n);
	return d->ns == 0 && !access(path, F_OK);
}

/* ---- one operation ------------------------------------------------------------------------- */

static int ask_again(struct diff *d)
{
	struct run *run = d->run;

	return pool_ask(&run->pool, d->op->slot, run->why, sizeof(run->why));
}

static enum verdict file_op(struct run *run, const struct op *op)
{
	struct diff d;

	if (!fill_command(run, op))
		return SKIPPED;
	/* The book has room for so many groups. */
	if ((op->kind == OP_mkdir || op->kind == OP_hmkdir) && run->tree.count >= GROUPS - 1)
		return SKIPPED;
	fill_diff(run, op, &d);
	if (names_stranger(&d))
		return SKIPPED;
	if (pool_ask(&run->pool, op->slot, run->why, sizeof(run->why)))
		return DIFFERENT;
	if (!compare_patiently(&d, ask_again))
		return DIFFERENT;
	run->err = d.v1->err;
	run->by_user = shared->channel[op->slot].euid;
	if (run->plant)
		plant(run, &d);
	return book(run, &d) ? DIFFERENT : SAME;
}

/* Another agent than ours tells us nothing of these N: none are to be awaited. */
static int not_told(struct run *run, char paths[][GROUP_PATH], int n)
{
	for (int i = 0; i < n; i++) {
		struct group *g = &run->tree.group[tree_find(&run->tree, paths[i])];

		g->maybe[V1] = g->maybe[UCG] = true;
	}
	return 0;
}

/* Groups that were busy before the operation and are idle after it have been released, once. */
static int check_releases(struct run *run)
{
	static char paths[RELEASES_MAX][GROUP_PATH];
	char agent[PATH_MAX], file[128];
	int n, fd;
	ssize_t len;

	n = tree_census(&run->tree, shared->base[V1], paths, run->why, sizeof(run->why));
	if (n < 0)
		return -1;
	if (n) {
		snprintf(file, sizeof(file), "%s/release_agent", shared->base[V1]);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		len = fd < 0 ? -1 : read(fd, agent, sizeof(agent) - 1);
		close(fd);
		agent[len > 0 ? len - 1 : 0] = '\0';
		if (strcmp(agent, run->world->agent[V1]))
			n = not_told(run, paths, n);
	}
	return world_await_releases(run->world, &run->tree, paths, n, run->why, sizeof(run->why));
}

enum verdict run_op(struct run *run, const struct op *op)
{
	enum verdict v;

	shared->progress++;
	run->err = 0;
	run->by_user = false;
	if (!pool_can(&run->pool, op))
		return SKIPPED;
	if (op->kind == OP_verify)
		return run_verify(run) ? DIFFERENT : SAME;
	if (op_flags(op->kind) & LIFE)
		v = pool_life(&run->pool, op, run->why, sizeof(run->why)) ? DIFFERENT : SAME;
	else
		v = file_op(run, op);
	if (v == SAME && op_flags(op->kind) & (CHANGES_TASKS | CHANGES_TREE) && check_releases(run))
		v = DIFFERENT;
	return v;
}
