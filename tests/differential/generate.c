// SPDX-License-Identifier: GPL-2.0-or-later
/* generate.c - what may happen, and how often. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pick.h"

#define DEEPEST 4
#define MANY_GROUPS 14

void generator_init(struct generator *gen, uint64_t seed)
{
	gen->state = seed * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u;
	gen->step = 0;
	gen->uid = 0;
	gen->n_pending = 0;
}

/* ---- each kind ----------------------------------------------------------------------------- */

static void make_mkdir(struct generator *gen, const struct run *run, struct op *op)
{
	static const unsigned int modes[] = {0777, 0777, 0755, 0700, 01777, 02777, 0, 04711, 07777};
	int g;

	do
		g = pick_group(gen, run, true);
	while (tree_depth(&run->tree, g) >= DEEPEST);
	template_add_group(op->path, &run->tree, g);
	put_sub(gen, op->path);
	if (chance(gen, 3))
		template_add(op->path, "/");
	op->mode = PICK(gen, modes);
}

/* A group of which SLOT has something open, or any. */
static int pick_opened(struct generator *gen, const struct run *run, int slot)
{
	const struct handle *handles = run->pool.proc[run->pool.task[slot].proc].handle;
	int found[HANDLES], n = 0;

	for (int i = 0; i < HANDLES; i++)
		if (handles[i].used && handles[i].group > GROUP_ROOT &&
		    run->tree.group[handles[i].group].used)
			found[n++] = handles[i].group;
	return n ? found[below(gen, n)] : pick_group(gen, run, false);
}

static void make_rmdir(struct generator *gen, const struct run *run, struct op *op)
{
	static const char *tails[] = {"/", "/.", "/..", "/tasks"};
	int g = pick_group(gen, run, chance(gen, 10));

	if (chance(gen, 30))
		g = pick_opened(gen, run, op->slot);
	for (int i = 0; i < 3 && !is_leaf(&run->tree, g); i++)
		g = pick_group(gen, run, false);
	template_add_group(op->path, &run->tree, g);
	if (chance(gen, 5))
		template_add(op->path, PICK(gen, tails));
	else if (chance(gen, 5))
		put_sub(gen, op->path);
}

static void make_rename(struct generator *gen, const struct run *run, struct op *op)
{
	int g = pick_group(gen, run, false), dice = below(gen, 100);

	template_add_group(op->path, &run->tree, g);
	if (dice < 70 && g != GROUP_ROOT) {
		template_add_group(op->path2, &run->tree, run->tree.group[g].parent);
		put_sub(gen, op->path2);
	} else if (dice < 80) {
		put_dir(gen, run, op->path2);
	} else if (dice < 90) {
		put_dir(gen, run, op->path2);
		put_sub(gen, op->path2);
	} else if (dice < 95) {
		*op->path = '\0';
		put_file(gen, run, op->path, pick_file(gen));
		put_any(gen, run, op->path2);
	} else {
		put_file(gen, run, op->path2, pick_file(gen));
	}
	if (chance(gen, 8))
		op->num = 1 + below(gen, 2); /* RENAME_NOREPLACE, RENAME_EXCHANGE */
}

static void make_write(struct generator *gen, const struct run *run, struct op *op)
{
	static const struct {
		int weight;
		const char *file;
	} files[] = {{45, "tasks"},
		     {28, "cgroup.procs"},
		     {17, "notify_on_release"},
		     {5, "cgroup.clone_children"},
		     {5, "release_agent"}};
	int dice = below(gen, 100), i = 0;

	while (dice >= files[i].weight)
		dice -= files[i++].weight;
	if (i == 4 && chance(gen, 80))
		template_add(op->path, files[i].file); /* only the root has it */
	else
		put_file(gen, run, op->path, files[i].file);
	put_data(gen, run, op->data, files[i].file);
	if (chance(gen, 15))
		op->num = chance(gen, 50) ? O_TRUNC : O_APPEND;
}

static void make_read(struct generator *gen, const struct run *run, struct op *op)
{
	static const long steps[] = {0, 0, 0, 1, 2, 3, 7, 100};

	put_file(gen, run, op->path, pick_file(gen));
	op->count = PICK(gen, steps);
}

static void make_chmod(struct generator *gen, const struct run *run, struct op *op)
{
	static const unsigned int dirs[] = {0755, 0755, 0777, 01777, 02755,
					    0700, 0500, 0311, 0,     03777};
	static const unsigned int files[] = {0644, 0644, 0666, 0600,  0444,
					     0222, 0,	 0777, 04755, 02755};

	if (chance(gen, 50)) {
		put_dir(gen, run, op->path);
		op->mode = PICK(gen, dirs);
	} else {
		put_file(gen, run, op->path, pick_file(gen));
		op->mode = PICK(gen, files);
	}
}

static void make_chown(struct generator *gen, const struct run *run, struct op *op)
{
	static const int ids[] = {USER1, USER1, USER2, 0, -1};

	put_any(gen, run, op->path);
	op->uid = PICK(gen, ids);
	op->gid = PICK(gen, ids);
}

static void make_creat(struct generator *gen, const struct run *run, struct op *op)
{
	static const int flags[] = {0, O_WRONLY, O_RDWR, O_EXCL, O_WRONLY | O_TRUNC, O_DIRECTORY};

	if (chance(gen, 60)) {
		put_dir(gen, run, op->path);
		put_sub(gen, op->path);
	} else {
		put_file(gen, run, op->path, pick_file(gen));
	}
	op->num = PICK(gen, flags);
	op->mode = 0644;
}

static void make_node(struct generator *gen, const struct run *run, struct op *op)
{
	static const unsigned int types[] = {S_IFREG, S_IFIFO, S_IFCHR, S_IFSOCK, 0};

	if (chance(gen, 80)) {
		put_dir(gen, run, op->path);
		put_sub(gen, op->path);
	} else {
		put_file(gen, run, op->path, pick_file(gen));
	}
	op->mode = op->kind == OP_mknod ? PICK(gen, types) | 0644 : 0;
}

static void make_link(struct generator *gen, const struct run *run, struct op *op)
{
	put_any(gen, run, op->path);
	put_dir(gen, run, op->path2);
	put_sub(gen, op->path2);
}

static void make_xattr(struct generator *gen, const struct run *run, struct op *op)
{
	static const char *names[] = {"user.x", "user.x",	  "user.x",    "user.x",
				      "user.y", "user.long.name", "trusted.t", "security.s",
				      "foo.x",	"user.",	  "trusted.",  "system.x"};
	static const char *values[] = {"v", "value", "", "%00%01", "{z300}", "{1:4000}"};

	/* Mostly the same few, so that what one sets another finds. */
	if (chance(gen, 40))
		put_any(gen, run, op->path);
	else if (chance(gen, 50))
		template_add(op->path, pick_file(gen));
	if (op->kind == OP_listxattr)
		return;
	template_add(op->path2, PICK(gen, names));
	if (op->kind != OP_setxattr)
		return;
	template_add(op->data, PICK(gen, values));
	op->num = chance(gen, 60) ? 0 : 1 + below(gen, 2);
}

static void make_open(struct generator *gen, const struct run *run, struct op *op)
{
	static const int flags[] = {O_RDONLY, O_RDONLY,		O_WRONLY,	    O_RDWR,
				    O_RDWR,   O_RDWR | O_TRUNC, O_WRONLY | O_APPEND};

	op->handle = below(gen, HANDLES);
	if (chance(gen, 25)) {
		put_dir(gen, run, op->path);
		op->num = O_RDONLY | O_DIRECTORY;
		return;
	}
	put_file(gen, run, op->path, pick_file(gen));
	op->num = PICK(gen, flags);
}

static void make_on_handle(struct generator *gen, const struct run *run, struct op *op)
{
	static const long counts[] = {0, 1, 2, 3, 7, 64, 4096, 30000};
	static const long offsets[] = {0, 0, 1, 2, 5, 100, 5000};
	static const unsigned int modes[] = {0755, 0700, 0644, 0666, 0};
	const struct handle *handles;
	int found[HANDLES], n = 0;

	if (op->slot < 0)
		return;
	handles = run->pool.proc[run->pool.task[op->slot].proc].handle;
	for (int i = 0; i < HANDLES; i++)
		if (handles[i].used)
			found[n++] = i;
	op->handle = n ? found[below(gen, n)] : below(gen, HANDLES);
	for (int i = 0; i < n && chance(gen, 40); i++)
		if (handles[found[i]].removed)
			op->handle = found[i];
	op->off = chance(gen, 60) ? -1 : PICK(gen, offsets);
	switch (op->kind) {
	case OP_hread:
		op->count = PICK(gen, counts);
		break;
	case OP_hwrite:
		put_data(gen, run, op->data, handles[op->handle].file);
		break;
	case OP_hseek:
		op->num = below(gen, 5);
		break;
	case OP_htruncate:
		op->off = PICK(gen, offsets);
		break;
	case OP_hchmod:
	case OP_hmkdir:
		op->mode = PICK(gen, modes);
		if (op->kind == OP_hmkdir)
			template_add(op->path, pick_name(gen));
		break;
	case OP_hxattr:
		op->num = below(gen, 3);
		template_add(op->data, "value");
		break;
	case OP_hopen:
		template_add(op->path, pick_file(gen));
		break;
	default:
		break;
	}
}

static void make_birth(struct generator *gen, const struct run *run, struct op *op)
{
	op->target = pick_free(gen, run);
	if (op->target >= 0)
		return;
	/* No room: make some. */
	op->target = 0;
	op->kind = chance(gen, 50) ? OP_reap : OP_exit_group;
}

static const struct {
	int weight;
	enum op_kind kind;
	void (*make)(struct generator *gen, const struct run *run, struct op *op);
} menu[] = {
	{45, OP_fork, make_birth},
	{10, OP_vfork_exec, make_birth},
	{7, OP_sibling, make_birth},
	{12, OP_orphan, make_birth},
	{3, OP_nsfork, make_birth},
	{32, OP_thread, make_birth},
	{6, OP_transient, NULL},
	{30, OP_exit, NULL},
	{14, OP_exit_group, NULL},
	{10, OP_kill, NULL},
	{18, OP_exec, NULL},
	{12, OP_reap, NULL},
	{3, OP_setsid, NULL},
	{10, OP_become, NULL},
	{5, OP_umask, NULL},
	{60, OP_mkdir, make_mkdir},
	{45, OP_rmdir, make_rmdir},
	{28, OP_rename, make_rename},
	{20, OP_list, NULL},
	{250, OP_write, make_write},
	{50, OP_read, make_read},
	{35, OP_stat, NULL},
	{12, OP_access, NULL},
	{25, OP_chmod, make_chmod},
	{28, OP_chown, make_chown},
	{8, OP_truncate, NULL},
	{6, OP_utime, NULL},
	{9, OP_creat, make_creat},
	{6, OP_mknod, make_node},
	{4, OP_symlink, make_node},
	{2, OP_readlink, NULL},
	{6, OP_link, make_link},
	{8, OP_unlink, NULL},
	{12, OP_setxattr, make_xattr},
	{8, OP_getxattr, make_xattr},
	{5, OP_listxattr, make_xattr},
	{5, OP_removexattr, make_xattr},
	{35, OP_open, make_open},
	{10, OP_close, make_on_handle},
	{40, OP_hread, make_on_handle},
	{40, OP_hwrite, make_on_handle},
	{8, OP_hseek, make_on_handle},
	{10, OP_hstat, make_on_handle},
	{4, OP_htruncate, make_on_handle},
	{6, OP_hchmod, make_on_handle},
	{8, OP_hxattr, make_on_handle},
	{8, OP_hlist, make_on_handle},
	{8, OP_hmkdir, make_on_handle},
	{10, OP_hopen, make_on_handle},
	{25, OP_verify, NULL},
};

#define MENU (sizeof(menu) / sizeof(*menu))

static void make_plain(struct generator *gen, const struct run *run, struct op *op)
{
	static const long lengths[] = {0, 0, 1, 100, 1000000};
	static const unsigned int umasks[] = {022, 022, 0, 077, 027};

	switch (op->kind) {
	case OP_list:
		put_dir(gen, run, op->path);
		break;
	case OP_truncate:
		op->off = PICK(gen, lengths);
		put_any(gen, run, op->path);
		break;
	case OP_utime:
		op->off = below(gen, 2000000000);
		op->count = below(gen, 2000000000);
		put_any(gen, run, op->path);
		break;
	case OP_access:
		op->num = below(gen, 8);
		put_any(gen, run, op->path);
		break;
	case OP_stat:
	case OP_readlink:
	case OP_unlink:
		put_any(gen, run, op->path);
		break;
	case OP_umask:
		op->mode = PICK(gen, umasks);
		break;
	case OP_become:
		op->num = below(gen, 9);
		break;
	case OP_transient:
		op->num = 1 + below(gen, 3);
		break;
	default:
		break;
	}
}

static size_t pick_kind(struct generator *gen, const struct run *run)
{
	int total = 0, dice;
	size_t i = 0;

	/* Keep the place populated, and the directories few enough to meet again. */
	if (count_live(run) < 6 && chance(gen, 25))
		return (size_t)below(gen, 6);
	for (size_t k = 0; k < MENU; k++)
		total += menu[k].weight;
	do {
		dice = below(gen, total);
		for (i = 0; dice >= menu[i].weight; i++)
			dice -= menu[i].weight;
	} while (menu[i].kind == OP_mkdir && run->tree.count >= MANY_GROUPS && chance(gen, 70));
	return i;
}

/* Root and two users, each with a directory of his own, and an agent that tells. */
static bool set_scene(struct generator *gen, struct op *op)
{
	static const char *scene[] = {
		"spawn slot=0 target=0",
		"fork slot=0 target=1",
		"become slot=1 num=0",
		"fork slot=0 target=2",
		"become slot=2 num=1",
		"mkdir slot=0 mode=0755 path=u1",
		"mkdir slot=0 mode=0755 path=u2",
		"chown slot=0 uid=61001 gid=61001 path=u1",
		"chown slot=0 uid=61001 gid=61001 path=u1/tasks",
		"chown slot=0 uid=61001 gid=61001 path=u1/cgroup.procs",
		"chown slot=0 uid=61002 gid=61002 path=u2",
		"chown slot=0 uid=61002 gid=61002 path=u2/tasks",
		"chown slot=0 uid=61002 gid=61002 path=u2/cgroup.procs",
		"write slot=0 path=release_agent data={A}",
		"write slot=0 path=notify_on_release data=1",
		"write slot=0 path=u1/notify_on_release data=1",
	};
	const char *line;

	if (gen->step >= (int)(sizeof(scene) / sizeof(*scene)))
		return false;
	line = scene[gen->step++];
	op_parse(line, op);
	/* Not always the same scene. */
	if (gen->step > 13 && chance(gen, 30))
		*op = (struct op){.kind = OP_verify};
	return true;
}

/* Gives a group to a user: the directory, and the files he moves tasks with. */
static void delegate(struct generator *gen, const struct run *run, uid_t uid, int root)
{
	static const char *files[] = {"", "/tasks", "/cgroup.procs", "/notify_on_release"};
	int g = pick_group(gen, run, false);

	if (g == GROUP_ROOT)
		return;
	for (int i = 0; i < 4; i++) {
		struct op *op = &gen->pending[i];

		*op = (struct op){.kind = OP_chown, .slot = root, .uid = (int)uid, .gid = (int)uid};
		template_add_group(op->path, &run->tree, g);
		template_add(op->path, files[i]);
	}
	gen->n_pending = chance(gen, 50) ? 4 : 3;
}

/* Without users and what is theirs there is little to learn from what users may do. */
static bool keep_users(struct generator *gen, const struct run *run, struct op *op)
{
	int n = below(gen, 2), root;
	uid_t uid = n ? USER2 : USER1;

	if (!gen->n_pending) {
		root = chance(gen, 10) ? pick_slot(gen, run, 0) : -1;
		if (root < 0)
			return false;
		gen->uid = 0;
		if (pick_slot(gen, run, uid) < 0 && count_live(run) > 4) {
			*op = (struct op){.kind = OP_become, .slot = root, .num = n};
			return true;
		}
		if (pick_owned(gen, run, uid) == GROUP_NONE)
			delegate(gen, run, uid, root);
	}
	if (!gen->n_pending)
		return false;
	*op = gen->pending[0];
	gen->n_pending--;
	memmove(gen->pending, gen->pending + 1, sizeof(gen->pending) - sizeof(*gen->pending));
	return true;
}

/* Who does the next operation: -1, there is nobody. */
static int pick_actor(struct generator *gen, const struct run *run)
{
	int dice = below(gen, 100), slot = -1;

	if (dice < 45)
		slot = pick_slot(gen, run, 0);
	else if (dice < 80)
		slot = pick_slot(gen, run, dice & 1 ? USER1 : USER2);
	return slot < 0 ? pick_slot(gen, run, ANYBODY) : slot;
}

/* Has SLOT something open; of a removed group, if REMOVED? */
static bool holds(const struct run *run, int slot, bool removed)
{
	const struct handle *handles = run->pool.proc[run->pool.task[slot].proc].handle;

	for (int i = 0; i < HANDLES; i++)
		if (handles[i].used && (handles[i].removed || !removed))
			return true;
	return false;
}

/* Somebody who has files open; SLOT, if it does, or one that has those of a removed group. */
static int pick_holder(struct generator *gen, const struct run *run, int slot)
{
	bool removed = chance(gen, 40);

	for (int i = 0; i < 40 && !holds(run, slot, removed && i < 20); i++)
		slot = pick_slot(gen, run, ANYBODY);
	return slot;
}

void generate(struct generator *gen, const struct run *run, struct op *op)
{
	size_t choice;

	*op = (struct op){0};
	if (set_scene(gen, op) || keep_users(gen, run, op))
		return;
	choice = pick_kind(gen, run);
	op->kind = menu[choice].kind;
	op->slot = pick_actor(gen, run);
	if (op->slot < 0 || (pick_slot(gen, run, 0) < 0 && chance(gen, 20))) {
		*op = (struct op){.kind = OP_spawn, .target = pick_free(gen, run)};
		if (op->target < 0)
			*op = (struct op){.kind = OP_verify};
		return;
	}
	if (op_flags(op->kind) & ON_HANDLE)
		op->slot = pick_holder(gen, run, op->slot);
	gen->uid = shared->channel[op->slot].euid;
	op->flip = chance(gen, 30);
	if (menu[choice].make)
		menu[choice].make(gen, run, op);
	else
		make_plain(gen, run, op);
}
