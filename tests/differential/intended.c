// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * intended.c - the differences from the kernel's cgroup v1 that are meant, each with its reason.
 *
 * An entry says as narrowly as it can when it applies: the operation, what was written or named,
 * and both answers. Where one side did something and the other did not, the side that is behind
 * is brought level ("reconcile"), so that the rest of the sequence compares equal worlds.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

/* ---- bringing the sides level -------------------------------------------------------------- */

/* Writes TEXT as root into the file the operation was about, on one side. */
static int write_level(const struct diff *d, enum side side, const char *text)
{
	char group[GROUP_PATH], path[PATH_MAX];
	ssize_t n;
	int fd;

	if (d->group == GROUP_NONE)
		return -1;
	tree_path(&d->run->tree, d->group, group, sizeof(group));
	if (snprintf(path, sizeof(path), "%s/%s/%s", shared->base[side], group, d->file) >=
	    (int)sizeof(path))
		return -1;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

/* The slot whose number was written, however it was: -1, none. */
static int slot_written(const struct diff *d)
{
	const char *p = d->command->data[V1], *end = p + d->command->len[V1];
	int slot = op_named_slot(d->op->data);
	char number[64];
	long n;

	if (slot >= 0)
		return slot;
	while (p < end && (isspace((unsigned char)*p) || (unsigned char)*p == 0xa0))
		p++;
	snprintf(number, sizeof(number), "%.*s", (int)(end - p < 32 ? end - p : 32), p);
	n = strtol(number, NULL, 0);
	return n > 0 && n <= INT_MAX ? pool_find(&d->run->pool, (pid_t)n, d->ns) : -1;
}

/* v1 took the number and moved; so shall ucgroup. */
static int move_too(struct diff *d)
{
	int slot = slot_written(d);
	char text[16];
	pid_t tid;

	if (d->v1->err)
		return 0;
	if (slot < 0)
		slot = d->op->slot; /* some way to write 0 */
	if (pool_tid(&d->run->pool, slot, 0, &tid))
		return -1;
	if (d->run->pool.task[slot].state != TASK_LIVE)
		return 0;
	snprintf(text, sizeof(text), "%d", tid);
	return write_level(d, UCG, text);
}

/* "1" or "0", as the side that took it understands what was written. */
static const char *flag_written(const struct diff *d)
{
	const char *data = d->command->data[V1];
	char text[PATH_MAX + 1];

	snprintf(text, sizeof(text), "%.*s", (int)d->command->len[V1], data);
	return strtoull(text, NULL, 0) ? "1" : "0";
}

/* A flag written on one side only: the other reads the same afterwards. */
static int set_v1_flag_as_ucgroup(struct diff *d)
{
	return write_level(d, V1, flag_written(d));
}

static int set_ucgroup_flag_as_v1(struct diff *d)
{
	if (d->v1->err)
		return 0;
	return write_level(d, UCG, flag_written(d));
}

/* v1 took a path that ucgroup refused, or cut one: both get what v1 now has, or none. */
static int clear_agents(struct diff *d)
{
	if (d->v1->err)
		return 0;
	return write_level(d, V1, "\n") || write_level(d, UCG, "\n") ? -1 : 0;
}

/* Removes a group that only the kernel has. Its parent has not become idle because of that. */
static int remove_quietly(const char *path)
{
	char flag[PATH_MAX + 32], was = '0';
	int fd, err;

	snprintf(flag, sizeof(flag), "%.*s/notify_on_release", (int)(strrchr(path, '/') - path),
		 path);
	fd = open(flag, O_RDWR | O_CLOEXEC);
	if (fd < 0 || read(fd, &was, 1) != 1 || write(fd, "0", 1) != 1) {
		close(fd);
		return -1;
	}
	err = rmdir(path);
	if (write(fd, &was, 1) != 1)
		err = -1;
	close(fd);
	return err;
}

static void drop_last_slash(char *path)
{
	size_t len = strlen(path);

	if (len && path[len - 1] == '/')
		path[len - 1] = '\0';
}

static int undo_long_name(struct diff *d)
{
	char path[PATH_MAX], path2[PATH_MAX];

	if (d->v1->err)
		return 0;
	snprintf(path, sizeof(path), "%.64s/%.2000s", shared->base[V1], d->command->path);
	snprintf(path2, sizeof(path2), "%.64s/%.2000s", shared->base[V1], d->command->path2);
	drop_last_slash(path);
	if (d->op->kind == OP_mkdir)
		return remove_quietly(path);
	if (d->op->kind == OP_hmkdir) {
		tree_path(&d->run->tree, d->group, path2, GROUP_PATH);
		snprintf(path, sizeof(path), "%.64s/%.1300s/%.2000s", shared->base[V1], path2,
			 d->command->path);
		return remove_quietly(path);
	}
	if (d->op->kind == OP_rename)
		return rename(path2, path);
	return 0;
}

int intended_seek(const struct diff *d, long to)
{
	struct command *c = &shared->channel[d->op->slot].command;

	c->kind = OP_hseek;
	c->off = to;
	c->num = SEEK_SET;
	return pool_ask(&d->run->pool, d->op->slot, d->run->why, sizeof(d->run->why));
}

/*
 * Where one side wrote through an open file and the other did not, its position has moved on one
 * side only: whoever wrote goes back to the start on both.
 */
static int rewind_both(const struct diff *d)
{
	if (d->op->kind != OP_hwrite || d->op->off >= 0 || d->v1->ret == d->ucg->ret)
		return 0;
	return intended_seek(d, 0);
}

/* ---- when ---------------------------------------------------------------------------------- */

static bool writes(const struct diff *d)
{
	return d->op->kind == OP_write || d->op->kind == OP_hwrite;
}

static bool writes_flag(const struct diff *d)
{
	return writes(d) && !d->tasks && strcmp(d->file, "release_agent");
}

/* ucgroup could not read what was written; the kernel could, and did it or found it wrong. */
static bool only_v1_read_it(const struct diff *d)
{
	int err = d->v1->err;

	return d->ucg->err == EINVAL && (!err || err == ESRCH || err == EACCES || err == EPERM);
}

static bool has_long_name(const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n > NAME_MAX)
			return true;
		path += n;
		path += strspn(path, "/");
	}
	return false;
}

static bool is_long_name(const struct diff *d)
{
	return d->ucg->err == ENAMETOOLONG &&
	       (has_long_name(d->command->path) || has_long_name(d->command->path2));
}

static bool has_nul(const struct diff *d)
{
	return memchr(d->command->data[V1], '\0', d->command->len[V1]);
}

static bool is_nul_to_tasks(const struct diff *d)
{
	return writes(d) && d->tasks && has_nul(d) && only_v1_read_it(d);
}

static bool is_nul_to_flag(const struct diff *d)
{
	return writes_flag(d) && has_nul(d) && only_v1_read_it(d);
}

static bool is_nul_to_agent(const struct diff *d)
{
	return writes(d) && !strcmp(d->file, "release_agent") && has_nul(d) && only_v1_read_it(d);
}

static bool is_latin1_space(const struct diff *d)
{
	return writes(d) && d->tasks && only_v1_read_it(d) &&
	       memchr(d->command->data[V1], 0xa0, d->command->len[V1]);
}

static bool is_minus_zero(const struct diff *d)
{
	return writes(d) && d->tasks && only_v1_read_it(d) &&
	       memchr(d->command->data[V1], '-', d->command->len[V1]);
}

static bool has_space(const struct diff *d)
{
	for (size_t i = 0; i < d->command->len[V1]; i++)
		if (isspace((unsigned char)d->command->data[V1][i]))
			return true;
	return false;
}

static bool is_space_around_flag(const struct diff *d)
{
	return writes_flag(d) && d->v1->err == EINVAL && !d->ucg->err && has_space(d);
}

static bool is_path_max(const struct diff *d)
{
	return writes(d) && d->command->len[V1] == PATH_MAX && d->ucg->err == E2BIG;
}

static int level_path_max(struct diff *d)
{
	return d->tasks ? move_too(d) : set_ucgroup_flag_as_v1(d);
}

static bool is_agent_not_absolute(const struct diff *d)
{
	return writes(d) && !strcmp(d->file, "release_agent") && only_v1_read_it(d) &&
	       d->command->data[V1][0] != '/';
}

static bool names_zombie(const struct diff *d)
{
	int slot = slot_written(d);
	enum task_state state = slot < 0 ? TASK_NONE : d->run->pool.task[slot].state;

	return writes(d) && d->tasks && d->ucg->err == ESRCH &&
	       (!d->v1->err || d->v1->err == EACCES) &&
	       (state == TASK_ZOMBIE || state == TASK_GONE_LEADER);
}

static bool is_rest_of_removed(const struct diff *d)
{
	return d->op->kind == OP_hread && d->handle->removed && !d->v1->err &&
	       d->ucg->err == ENODEV;
}

/* Both refuse; which error it is the kernel decides before it asks the file system. */
static bool is_pwrite_to_read_only(const struct diff *d)
{
	return d->op->kind == OP_hwrite && d->op->off >= 0 && d->v1->err == ESPIPE &&
	       d->ucg->err == EBADF;
}

/* Different numbers, or too small or too large to be any. */
static bool is_seek_to_elsewhere(const struct diff *d)
{
	return d->op->kind == OP_hseek && (!d->v1->err || d->v1->err == EINVAL) &&
	       (!d->ucg->err || d->ucg->err == EINVAL);
}

static bool is_place_in_directory(const struct diff *d)
{
	return is_seek_to_elsewhere(d) && d->handle->dir;
}

static bool is_place_when_appending(const struct diff *d)
{
	return is_seek_to_elsewhere(d) && d->handle->append && d->op->num == SEEK_CUR;
}

static bool is_empty_write_to_removed(const struct diff *d)
{
	return d->op->kind == OP_hwrite && d->handle->removed && !d->command->len[V1] &&
	       d->v1->err == ENODEV;
}

static bool is_seek_in_removed(const struct diff *d)
{
	return d->op->kind == OP_hseek && d->handle->removed && d->v1->err == ENODEV;
}

static bool is_big_write_to_removed(const struct diff *d)
{
	return d->op->kind == OP_hwrite && d->handle->removed && d->command->len[V1] >= PATH_MAX &&
	       d->ucg->err == ENODEV && (d->v1->err == E2BIG || d->v1->err == ENODEV);
}

/* ---- the list ------------------------------------------------------------------------------ */

static struct entry {
	const char *name;
	const char *reason;
	bool (*when)(const struct diff *d);
	int (*reconcile)(struct diff *d); /* NULL: nothing to do */
	unsigned long met;
} entries[] = {
	/* What the specification says otherwise. */
	{"names over 255 bytes",
	 "names have 1 to 255 bytes here; the kernel's kernfs forgets to check", is_long_name,
	 undo_long_name, 0},
	{"NUL in a tid",
	 "the whole input is parsed, and a NUL is junk; the kernel stops reading at it",
	 is_nul_to_tasks, move_too, 0},
	{"NUL in a flag", "as in a tid", is_nul_to_flag, set_ucgroup_flag_as_v1, 0},
	{"NUL in a path", "as in a tid", is_nul_to_agent, clear_agents, 0},
	{"0xA0 as white space",
	 "white space is that of the C locale; the kernel takes the input for Latin-1, where 0xA0 is "
	 "a space, but in UTF-8 it is part of a character",
	 is_latin1_space, move_too, 0},
	{"minus zero", "a negative number is none, -0 included; the kernel takes it for 0",
	 is_minus_zero, move_too, 0},
	{"white space around a flag",
	 "every write may have white space around its number; the kernel takes it around tids only",
	 is_space_around_flag, set_v1_flag_as_ucgroup, 0},
	{"a write of exactly PATH_MAX",
	 "PATH_MAX bytes or more are too many here; the kernel still takes PATH_MAX itself",
	 is_path_max, level_path_max, 0},
	{"a release agent that is no absolute path",
	 "empty, builtin:rmdir or an absolute path; the kernel takes anything and fails later",
	 is_agent_not_absolute, clear_agents, 0},
	{"moving a zombie",
	 "a task that is exiting is no task: ESRCH; the kernel says it moved it and does nothing, or "
	 "finds that it would not have been allowed",
	 names_zombie, NULL, 0},
	{"the rest of a read after removal",
	 "ENODEV on every read; the kernel hands out what it still has in its buffer",
	 is_rest_of_removed, NULL, 0},
	{"an empty write after removal",
	 "an empty write is 0 bytes and no effect; the file system is not asked",
	 is_empty_write_to_removed, NULL, 0},
	{"a big write after removal", "ENODEV on every write; the kernel looks at the size first",
	 is_big_write_to_removed, NULL, 0},
	/*
	 * What is decided before a file system in user space is asked, and the kernel's own decides
	 * otherwise. None of it says anything about groups.
	 */
	{"a position in a directory",
	 "means something to its file system alone; the kernel's are hashes of names",
	 is_place_in_directory, NULL, 0},
	{"the position after appending",
	 "is behind what was written at the end of a file of 0 bytes, as on other file systems; the "
	 "kernel's cgroup files add up what was written",
	 is_place_when_appending, NULL, 0},
	{"a seek after removal",
	 "ENODEV is for reads and writes; a seek is answered without asking the file system",
	 is_seek_in_removed, NULL, 0},
	{"pwrite to a file opened for reading",
	 "EBADF, as on other file systems; the kernel's cgroup files refuse it with ESPIPE",
	 is_pwrite_to_read_only, NULL, 0},
	/* What the specification says otherwise, too. These two are applied by name, below. */
	{"files only one side has",
	 "`cgroup.sane_behavior` is a leftover of the kernel's; `releasable` is a file that the kernel "
	 "has dropped",
	 NULL, NULL, 0},
	{"a picture for each open",
	 "a list of tasks is one picture for as long as it is open; the kernel makes one at a read "
	 "from the start and keeps it for about a second, whoever reads",
	 NULL, NULL, 0},
};

#define N_ENTRIES (sizeof(entries) / sizeof(*entries))

bool intended(struct diff *d)
{
	for (size_t i = 0; i < N_ENTRIES; i++) {
		struct entry *e = &entries[i];

		if (!e->when || !e->when(d))
			continue;
		if (e->reconcile && e->reconcile(d))
			continue;
		if (rewind_both(d))
			return false;
		e->met++;
		return true;
	}
	return false;
}

static bool remove_line(struct reply *r, const char *line)
{
	size_t n = strlen(line);
	char *p = r->data;

	while (p && (size_t)(r->data + r->len - p) >= n) {
		if (!memcmp(p, line, n)) {
			memmove(p, p + n, r->len - (size_t)(p + n - r->data));
			r->len -= n;
			return true;
		}
		p = memchr(p, '\n', (size_t)(r->data + r->len - p));
		if (p)
			p++;
	}
	return false;
}

void intended_listing(enum side side, struct reply *r)
{
	if (remove_line(r, side == V1 ? "cgroup.sane_behavior\n" : "releasable\n"))
		entries[N_ENTRIES - 2].met++;
}

void intended_picture_used(void)
{
	entries[N_ENTRIES - 1].met++;
}

void intended_report(FILE *out)
{
	fprintf(out, "# intended differences met:\n");
	for (size_t i = 0; i < N_ENTRIES; i++)
		fprintf(out, "# %8lu  %s: %s\n", entries[i].met, entries[i].name,
			entries[i].reason);
}
