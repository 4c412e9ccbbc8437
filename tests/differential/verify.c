// SPDX-License-Identifier: GPL-2.0-or-later
/* verify.c - comparing both hierarchies whole, and with the book. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

/* What the driver does for itself goes through the same code as what puppets do. */
static struct command look;
static struct reply seen[SIDES];

static int look_again(struct diff *d)
{
	puppet_file_op(&look, V1, d->v1);
	return 0;
}

static int look_at(struct run *run, enum op_kind kind, int g, const char *file)
{
	struct op op = {.kind = kind};
	struct diff d = {.run = run,
			 .op = &op,
			 .command = &look,
			 .v1 = &seen[V1],
			 .ucg = &seen[UCG],
			 .file = file,
			 .group = g,
			 .tasks = !strcmp(file, "tasks") || !strcmp(file, "cgroup.procs")};
	char path[GROUP_PATH], why[WHY_MAX];

	tree_path(&run->tree, g, path, sizeof(path));
	look = (struct command){.kind = kind};
	snprintf(look.path, sizeof(look.path), "%s%s%s", path, *path && *file ? "/" : "", file);
	for (int s = 0; s < SIDES; s++)
		puppet_file_op(&look, (enum side)s, &seen[s]);
	if (compare_patiently(&d, look_again))
		return 0;
	snprintf(why, sizeof(why), "%s of /%.1200s: %.2000s", op_name(kind), look.path, run->why);
	memcpy(run->why, why, sizeof(why));
	return -1;
}

/* Each live task is in the list of exactly one group, and nobody else is in any but the root. */
static int check_book(struct run *run, int g, bool listed[SLOTS])
{
	char *end = seen[V1].data + seen[V1].len;

	for (char *p = seen[V1].data; p < end; p = memchr(p, '\n', (size_t)(end - p)) + 1) {
		int slot = pool_find(&run->pool, atoi(p), 0);

		if (slot < 0 && g != GROUP_ROOT) {
			snprintf(run->why, sizeof(run->why), "a stranger, %d, is in the group %s",
				 atoi(p), run->tree.group[g].name);
			return -1;
		}
		if (slot >= 0 && listed[slot]) {
			snprintf(run->why, sizeof(run->why), "slot %d is in two groups", slot);
			return -1;
		}
		if (slot >= 0)
			listed[slot] = true;
	}
	return 0;
}

int run_verify(struct run *run)
{
	static const char *files[] = {
		"",	 "cgroup.procs", "notify_on_release", "cgroup.clone_children",
		"tasks", "release_agent"};
	bool listed[SLOTS] = {0};

	for (int g = 0; g < GROUPS; g++) {
		if (!run->tree.group[g].used)
			continue;
		if (look_at(run, OP_list, g, ""))
			return -1;
		for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
			if (look_at(run, OP_stat, g, files[f]))
				return -1;
			if (*files[f] && look_at(run, OP_read, g, files[f]))
				return -1;
			if (!strcmp(files[f], "tasks") && check_book(run, g, listed))
				return -1;
		}
	}
	for (int i = 0; i < SLOTS; i++)
		if (listed[i] != (run->pool.task[i].state == TASK_LIVE)) {
			snprintf(run->why, sizeof(run->why), "slot %d is %s in the book and %s", i,
				 listed[i] ? "dead" : "alive",
				 listed[i] ? "in a group" : "in no group");
			return -1;
		}
	return 0;
}
