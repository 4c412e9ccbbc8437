// SPDX-License-Identifier: GPL-2.0-or-later
/* pick.c - random numbers, and by them: who, where, and what is written. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pick.h"

static uint32_t next(struct generator *gen)
{
	gen->state ^= gen->state >> 12;
	gen->state ^= gen->state << 25;
	gen->state ^= gen->state >> 27;
	return (uint32_t)((gen->state * 0x2545f4914f6cdd1du) >> 32);
}

int below(struct generator *gen, int n)
{
	return (int)(next(gen) % (uint32_t)n);
}

bool chance(struct generator *gen, int percent)
{
	return below(gen, 100) < percent;
}

/* ---- who ----------------------------------------------------------------------------------- */

int pick_slot(struct generator *gen, const struct run *run, uid_t uid)
{
	int found[SLOTS], n = 0;

	for (int i = 0; i < SLOTS; i++)
		if (run->pool.task[i].state == TASK_LIVE &&
		    (uid == ANYBODY || shared->channel[i].euid == uid))
			found[n++] = i;
	return n ? found[below(gen, n)] : -1;
}

int pick_free(struct generator *gen, const struct run *run)
{
	int found[SLOTS], n = 0;

	for (int i = 0; i < SLOTS; i++)
		if (run->pool.task[i].state == TASK_NONE)
			found[n++] = i;
	return n ? found[below(gen, n)] : -1;
}

int count_live(const struct run *run)
{
	int n = 0;

	for (int i = 0; i < SLOTS; i++)
		n += run->pool.task[i].state == TASK_LIVE;
	return n;
}

/*
 * A task to name in a write: mostly a live one, of a user mostly one of his own, else a zombie or
 * one that is no more.
 */
static int pick_named(struct generator *gen, const struct run *run)
{
	int slot = -1;

	if (gen->uid && chance(gen, 60))
		slot = pick_slot(gen, run, gen->uid);
	if (slot < 0 && chance(gen, 85))
		slot = pick_slot(gen, run, ANYBODY);
	return slot < 0 ? below(gen, SLOTS) : slot;
}

/* ---- where --------------------------------------------------------------------------------- */

void template_add(char *template, const char *text)
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
		template_add(template, text);
		return;
	}
	op_append(template, sizeof(((struct op *)0)->path), name, strlen(name));
}

void template_add_group(char *template, const struct tree *tree, int g)
{
	if (g == GROUP_ROOT)
		return;
	template_add_group(template, tree, tree->group[g].parent);
	if (*template)
		template_add(template, "/");
	append_name(template, tree->group[g].name);
}

static bool is_owned(const struct tree *tree, int g, uid_t uid)
{
	char group[GROUP_PATH], path[PATH_MAX];
	struct stat st;

	tree_path(tree, g, group, sizeof(group));
	snprintf(path, sizeof(path), "%s/%s", shared->base[V1], group);
	return !stat(path, &st) && st.st_uid == uid;
}

/* A group of UID's; GROUP_NONE: has none. */
int pick_owned(struct generator *gen, const struct run *run, uid_t uid)
{
	int found[GROUPS], n = 0;

	for (int i = 1; i < GROUPS; i++)
		if (run->tree.group[i].used && is_owned(&run->tree, i, uid))
			found[n++] = i;
	return n ? found[below(gen, n)] : GROUP_NONE;
}

int pick_group(struct generator *gen, const struct run *run, bool root_too)
{
	int found[GROUPS], n = 0, own = GROUP_NONE;

	if (gen->uid && chance(gen, 70))
		own = pick_owned(gen, run, gen->uid);
	if (own != GROUP_NONE)
		return own;
	for (int i = root_too ? 0 : 1; i < GROUPS; i++)
		if (run->tree.group[i].used)
			found[n++] = i;
	return n ? found[below(gen, n)] : GROUP_ROOT;
}

bool is_leaf(const struct tree *tree, int g)
{
	for (int i = 1; i < GROUPS; i++)
		if (tree->group[i].used && tree->group[i].parent == g)
			return false;
	return true;
}

const char *pick_name(struct generator *gen)
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

void put_sub(struct generator *gen, char *template)
{
	if (*template)
		template_add(template, "/");
	template_add(template, pick_name(gen));
}

void put_dir(struct generator *gen, const struct run *run, char *template)
{
	template_add_group(template, &run->tree, pick_group(gen, run, true));
	if (chance(gen, 5))
		put_sub(gen, template); /* mostly not there */
}

const char *pick_file(struct generator *gen)
{
	static const char *files[] = {"tasks", "cgroup.procs", "notify_on_release",
				      "cgroup.clone_children", "release_agent"};

	return PICK(gen, files);
}

void put_file(struct generator *gen, const struct run *run, char *template, const char *file)
{
	put_dir(gen, run, template);
	if (*template)
		template_add(template, "/");
	template_add(template, file);
}

/* A directory or a file of one. */
void put_any(struct generator *gen, const struct run *run, char *template)
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
	template_add(data, text);
}

/* "@" stands for a task. */
static void put_pattern(struct generator *gen, const struct run *run, char *data, const char *p)
{
	for (; *p; p++) {
		char one[2] = {*p, 0};

		if (*p == '@')
			put_slot(data, "ddddxo"[below(gen, 6)], pick_named(gen, run));
		else
			template_add(data, one);
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

void put_data(struct generator *gen, const struct run *run, char *data, const char *file)
{
	/* Now and then what is meant for another file. */
	if (chance(gen, 2))
		file = pick_file(gen);
	if (!strcmp(file, "tasks") || !strcmp(file, "cgroup.procs"))
		put_tid(gen, run, data);
	else if (!strcmp(file, "release_agent"))
		template_add(data, pick_agent(gen));
	else
		template_add(data, pick_flag(gen));
}
