// SPDX-License-Identifier: GPL-2.0-or-later
/* generate.c - what may happen, and how often. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "generate.h"

#define DEEPEST 4
#define MANY_GROUPS 14

void generator_init(struct generator *gen, uint64_t seed)
{
	gen->state = seed * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u;
	gen->step = 0;
}

static uint32_t next(struct generator *gen)
{
	gen->state ^= gen->state >> 12;
	gen->state ^= gen->state << 25;
	gen->state ^= gen->state >> 27;
	return (uint32_t)((gen->state * 0x2545f4914f6cdd1du) >> 32);
}

static int below(struct generator *gen, int n)
{
	return (int)(next(gen) % (uint32_t)n);
}

static bool chance(struct generator *gen, int percent)
{
	return below(gen, 100) < percent;
}

#define PICK(gen, array) ((array)[below(gen, (int)(sizeof(array) / sizeof(*(array))))])

/* ---- who ----------------------------------------------------------------------------------- */

static int pick_slot(struct generator *gen, const struct run *run, bool root)
{
	int found[SLOTS], n = 0;

	for (int i = 0; i < SLOTS; i++)
		if (run->pool.task[i].state == TASK_LIVE && (!root || shared->channel[i].euid == 0))
			found[n++] = i;
	return n ? found[below(gen, n)] : -1;
}

static int pick_free(struct generator *gen, const struct run *run)
{
	int found[SLOTS], n = 0;

	for (int i = 0; i < SLOTS; i++)
		if (run->pool.task[i].state == TASK_NONE)
			found[n++] = i;
	return n ? found[below(gen, n)] : -1;
}

static int count_live(const struct run *run)
{
	int n = 0;

	for (int i = 0; i < SLOTS; i++)
		n += run->pool.task[i].state == TASK_LIVE;
	return n;
}

/* A task to name in a write: mostly a live one, else a zombie or one that is no more. */
static int pick_named(struct generator *gen, const struct run *run)
{
	return chance(gen, 85) ? pick_slot(gen, run, false) : below(gen, SLOTS);
}

/* ---- where --------------------------------------------------------------------------------- */

static void append(char *template, const char *text)
{
	size_t len = strlen(template);

	snprintf(template + len, sizeof(((struct op *)0)->path) - len, "%s", text);
}

/* A name as it is in a template: long runs of `z` are short there. */
static void append_name(char *template, const char *name)
{
	char text[32];

	if (strspn(name, "z") > 20) {
		snprintf(text, sizeof(text), "{z%zu}", strlen(name));
		append(template, text);
		return;
	}
	op_append(template, sizeof(((struct op *)0)->path), name, strlen(name));
}

static void append_group(char *template, const struct tree *tree, int g)
{
	if (g == GROUP_ROOT)
		return;
	append_group(template, tree, tree->group[g].parent);
	if (*template)
		append(template, "/");
	append_name(template, tree->group[g].name);
}

static int pick_group(struct generator *gen, const struct run *run, bool root_too)
{
	int found[GROUPS], n = 0;

	for (int i = root_too ? 0 : 1; i < GROUPS; i++)
		if (run->tree.group[i].used)
			found[n++] = i;
	return n ? found[below(gen, n)] : GROUP_ROOT;
}

static bool is_leaf(const struct tree *tree, int g)
{
	for (int i = 1; i < GROUPS; i++)
		if (tree->group[i].used && tree->group[i].parent == g)
			return false;
	return true;
}

static const char *pick_name(struct generator *gen)
{
	static const char *names[] = {"a", "b", "c", "d", "e", "f"};
	static const char *odd[] = {
		"sp%20ace", "%c3%a9", "x.y", "-n", "#",	     "0",      "{z255}",
		"cgroup.x", "..x",    "%09", "*",  "%ff%fe", "tasks~",
	};
	static const char *bad[] = {
		"{z256}", "new%0aline", "tasks",  "cgroup.procs", "notify_on_release",
		".",	  "..",		"none/x", "tasks/x"};
	int dice = below(gen, 100);

	if (dice < 80)
		return PICK(gen, names);
	return dice < 94 ? PICK(gen, odd) : PICK(gen, bad);
}

static void append_sub(struct generator *gen, char *template)
{
	if (*template)
		append(template, "/");
	append(template, pick_name(gen));
}

static void put_dir(struct generator *gen, const struct run *run, char *template)
{
	append_group(template, &run->tree, pick_group(gen, run, true));
	if (chance(gen, 5))
		append_sub(gen, template); /* mostly not there */
}

static const char *pick_file(struct generator *gen)
{
	static const char *files[] = {"tasks", "cgroup.procs", "notify_on_release",
				      "cgroup.clone_children", "release_agent"};

	return PICK(gen, files);
}

static void put_file(struct generator *gen, const struct run *run, char *template, const char *file)
{
	put_dir(gen, run, template);
	if (*template)
		append(template, "/");
	append(template, file);
}

/* A directory or a file of one. */
static void put_any(struct generator *gen, const struct run *run, char *template)
{
	if (chance(gen, 50))
		put_dir(gen, run, template);
	else
		put_file(gen, run, template, pick_file(gen));
}

/* ---- what is written ------------------------------------------------------------------------ */

static void put_slot(char *data, char base, int slot)
{
	char text[16];

	snprintf(text, sizeof(text), "{%c%d}", base, slot);
	append(data, text);
}

/* "@" stands for a task. */
static void put_pattern(struct generator *gen, const struct run *run, char *data, const char *p)
{
	for (; *p; p++) {
		char one[2] = {*p, 0};

		if (*p == '@')
			put_slot(data, "ddddxo"[below(gen, 6)], pick_named(gen, run));
		else
			append(data, one);
	}
}

static void put_tid(struct generator *gen, const struct run *run, char *data)
{
	static const char *good[] = {"@",	 "@",	       "@",    "@%0a",	     "@%0a",
				     "%20@%20",	 "%09@%09%0a", "+@",   "%0b@%0c%0d", "{s4080}@",
				     "@{s4000}", "0",	       "0%0a", "00",	     "0x0"};
	static const char *bad[] = {
		"",	      "%20",	    "%0a",	  "%00",	"-1",
		"-0",	      "-@",	    "@%0a@",	  "@%20@",	"@x",
		"x@",	      "@.",	    "@%00",	  "%00@",	"@%00x",
		"0%00",	      "0x",	    "0xg",	  "08",		"abc",
		"1e3",	      "%ff",	    "@%a0",	  "%a0@",	"99999999999",
		"4294967295", "4294967296", "2147483647", "2147483648", "18446744073709551616",
		"4194305",    "{s4095}",    "{s4096}",	  "{s4097}",	"{s4095}0",
		"{1:4095}",   "{1:4096}",   "{1:4097}",	  "{s5000}@",	"@{s5000}",
		"0{s4095}",   "++@",	    "0x{x0}",
	};

	put_pattern(gen, run, data, chance(gen, 80) ? PICK(gen, good) : PICK(gen, bad));
}

static const char *pick_flag(struct generator *gen)
{
	static const char *good[] = {"1", "1", "1", "1%0a", "0", "0%0a", "2", "0x10", "010", "+1"};
	static const char *bad[] = {
		"",
		"-1",
		"-0",
		"1%201",
		"1%0a1",
		"%20",
		"%0a",
		"08",
		"x",
		"1x",
		"0x",
		"%00",
		"%001",
		"1%00",
		"0%00",
		"%201%20",
		"1{s4000}",
		"1{s4095}",
		"1{s4096}",
		"{s4096}",
		"{1:5000}",
		"%200",
		"%091",
		"1%20%0a",
		"4294967296",
		"4294967295",
		"18446744073709551615",
		"18446744073709551616",
		"99999999999999999999999",
		"1%0a%0a",
		"{1:4096}",
		"1%00x",
	};

	return chance(gen, 70) ? PICK(gen, good) : PICK(gen, bad);
}

static const char *pick_agent(struct generator *gen)
{
	static const char *other[] = {
		"/bin/true", "/nonexistent", "%0a",	 "%20",		 "",	"rel/path",
		"%20{A}%20", "{A}%0a",	     "/a%0a/b",	 "/a%00b",	 "%00", "/{z4000}",
		"/{z4094}",  "/{z4095}",     "/{z5000}", "%09/a%20b%0a", "x",	"/",
	};

	return chance(gen, 70) ? "{A}" : PICK(gen, other);
}

static void put_data(struct generator *gen, const struct run *run, char *data, const char *file)
{
	/* Now and then what is meant for another file. */
	if (chance(gen, 2))
		file = pick_file(gen);
	if (!strcmp(file, "tasks") || !strcmp(file, "cgroup.procs"))
		put_tid(gen, run, data);
	else if (!strcmp(file, "release_agent"))
		append(data, pick_agent(gen));
	else
		append(data, pick_flag(gen));
}

/* ---- each kind ----------------------------------------------------------------------------- */

static void make_mkdir(struct generator *gen, const struct run *run, struct op *op)
{
	static const unsigned int modes[] = {0777, 0777, 0755, 0700, 01777, 02777, 0, 04711, 07777};
	int g;

	do
		g = pick_group(gen, run, true);
	while (tree_depth(&run->tree, g) >= DEEPEST);
	append_group(op->path, &run->tree, g);
	append_sub(gen, op->path);
	if (chance(gen, 3))
		append(op->path, "/");
	op->mode = PICK(gen, modes);
}

static void make_rmdir(struct generator *gen, const struct run *run, struct op *op)
{
	static const char *tails[] = {"/", "/.", "/..", "/tasks"};
	int g = pick_group(gen, run, chance(gen, 10));

	for (int i = 0; i < 3 && !is_leaf(&run->tree, g); i++)
		g = pick_group(gen, run, false);
	append_group(op->path, &run->tree, g);
	if (chance(gen, 5))
		append(op->path, PICK(gen, tails));
	else if (chance(gen, 5))
		append_sub(gen, op->path);
}

static void make_rename(struct generator *gen, const struct run *run, struct op *op)
{
	int g = pick_group(gen, run, false), dice = below(gen, 100);

	append_group(op->path, &run->tree, g);
	if (dice < 70 && g != GROUP_ROOT) {
		append_group(op->path2, &run->tree, run->tree.group[g].parent);
		append_sub(gen, op->path2);
	} else if (dice < 80) {
		put_dir(gen, run, op->path2);
	} else if (dice < 90) {
		put_dir(gen, run, op->path2);
		append_sub(gen, op->path2);
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
		append(op->path, files[i].file); /* only the root has it */
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
		append_sub(gen, op->path);
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
		append_sub(gen, op->path);
	} else {
		put_file(gen, run, op->path, pick_file(gen));
	}
	op->mode = op->kind == OP_mknod ? PICK(gen, types) | 0644 : 0;
}

static void make_link(struct generator *gen, const struct run *run, struct op *op)
{
	put_any(gen, run, op->path);
	put_dir(gen, run, op->path2);
	append_sub(gen, op->path2);
}

static void make_xattr(struct generator *gen, const struct run *run, struct op *op)
{
	static const char *names[] = {"user.x",	   "user.x",	 "user.y", "user.long.name",
				      "trusted.t", "security.s", "foo.x",  "user.",
				      "trusted.",  "system.x"};
	static const char *values[] = {"v", "value", "", "%00%01", "{z300}", "{1:4000}"};

	put_any(gen, run, op->path);
	if (op->kind == OP_listxattr)
		return;
	append(op->path2, PICK(gen, names));
	if (op->kind != OP_setxattr)
		return;
	append(op->data, PICK(gen, values));
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
			append(op->path, pick_name(gen));
		break;
	case OP_hxattr:
		op->num = below(gen, 3);
		append(op->data, "value");
		break;
	case OP_hopen:
		append(op->path, pick_file(gen));
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

void generate(struct generator *gen, const struct run *run, struct op *op)
{
	size_t choice;

	*op = (struct op){0};
	if (set_scene(gen, op))
		return;
	choice = pick_kind(gen, run);
	op->kind = menu[choice].kind;
	op->slot = pick_slot(gen, run, chance(gen, 55));
	if (op->slot < 0)
		op->slot = pick_slot(gen, run, false);
	if (op->slot < 0 || (pick_slot(gen, run, true) < 0 && chance(gen, 20))) {
		*op = (struct op){.kind = OP_spawn, .target = pick_free(gen, run)};
		if (op->target < 0)
			*op = (struct op){.kind = OP_verify};
		return;
	}
	op->flip = chance(gen, 30);
	if (menu[choice].make)
		menu[choice].make(gen, run, op);
	else
		make_plain(gen, run, op);
}
