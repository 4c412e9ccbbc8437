// SPDX-License-Identifier: GPL-2.0-or-later
/* tree.c - the driver's book of groups. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tree.h"

void tree_init(struct tree *tree)
{
	memset(tree, 0, sizeof(*tree));
	tree->group[GROUP_ROOT] = (struct group){.used = true, .parent = GROUP_NONE};
	tree->count = 1;
}

int tree_child(const struct tree *tree, int parent, const char *name)
{
	for (int i = 1; i < GROUPS; i++)
		if (tree->group[i].used && tree->group[i].parent == parent &&
		    !strcmp(tree->group[i].name, name))
			return i;
	return GROUP_NONE;
}

int tree_find(const struct tree *tree, const char *path)
{
	int g = GROUP_ROOT;

	while (g != GROUP_NONE) {
		char name[NAME_MAX + 2];
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (!n)
			return g;
		if (n >= sizeof(name))
			return GROUP_NONE;
		memcpy(name, path, n);
		name[n] = '\0';
		path += n;
		if (!strcmp(name, "."))
			continue;
		g = strcmp(name, "..") ? tree_child(tree, g, name) : tree->group[g].parent;
	}
	return GROUP_NONE;
}

int tree_parent(const struct tree *tree, const char *path, const char **name)
{
	char dir[PATH_MAX];
	size_t len = strlen(path);
	const char *slash;

	while (len && path[len - 1] == '/')
		len--;
	slash = memrchr(path, '/', len);
	*name = slash ? slash + 1 : path;
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 0, path);
	return tree_find(tree, dir);
}

void tree_path(const struct tree *tree, int g, char *buf, size_t size)
{
	if (g == GROUP_ROOT) {
		*buf = '\0';
		return;
	}
	tree_path(tree, tree->group[g].parent, buf, size);
	size_t len = strlen(buf);
	snprintf(buf + len, size - len, "%s%s", len ? "/" : "", tree->group[g].name);
}

int tree_depth(const struct tree *tree, int g)
{
	int depth = 0;

	for (; g > GROUP_ROOT; g = tree->group[g].parent)
		depth++;
	return depth;
}

/* NAME may come with slashes behind it, as a path may. */
static void set_name(struct group *g, const char *name)
{
	snprintf(g->name, sizeof(g->name), "%.*s", (int)strcspn(name, "/"), name);
}

int tree_add(struct tree *tree, int parent, const char *name)
{
	if (parent == GROUP_NONE)
		return -1;
	for (int i = 1; i < GROUPS; i++) {
		struct group *g = &tree->group[i];

		if (g->used)
			continue;
		*g = (struct group){.used = true, .parent = parent};
		set_name(g, name);
		tree->count++;
		return i;
	}
	return -1;
}

int tree_remove(struct tree *tree, int g)
{
	if (g <= GROUP_ROOT)
		return -1;
	tree->group[g].used = false;
	tree->count--;
	return 0;
}

void tree_rename(struct tree *tree, int g, const char *name)
{
	if (g > GROUP_ROOT)
		set_name(&tree->group[g], name);
}

static ssize_t read_file(const char *base, const char *path, const char *file, char *buf,
			 size_t size)
{
	char full[PATH_MAX];
	ssize_t n;
	int fd;

	if (snprintf(full, sizeof(full), "%s/%s/%s", base, path, file) >= (int)sizeof(full))
		return -1;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, size);
	close(fd);
	return n;
}

static bool has_child(const struct tree *tree, int g)
{
	for (int i = 1; i < GROUPS; i++)
		if (tree->group[i].used && tree->group[i].parent == g)
			return true;
	return false;
}

int tree_census(struct tree *tree, const char *base, char paths[][GROUP_PATH], char *why,
		size_t size)
{
	int due = 0;

	for (int i = 1; i < GROUPS; i++) {
		struct group *g = &tree->group[i];
		char path[GROUP_PATH], tasks[16], notify[4];
		ssize_t n;
		bool idle;

		if (!g->used)
			continue;
		tree_path(tree, i, path, sizeof(path));
		n = read_file(base, path, "tasks", tasks, sizeof(tasks));
		if (n < 0 ||
		    read_file(base, path, "notify_on_release", notify, sizeof(notify)) < 1) {
			snprintf(why, size, "the book has the group /%s, the kernel says: %s", path,
				 strerror(errno));
			return -1;
		}
		idle = !n && !has_child(tree, i);
		g->notify = *notify == '1';
		if (g->known && !g->idle && idle && g->notify) {
			paths[due][0] = '/';
			tree_path(tree, i, paths[due++] + 1, GROUP_PATH - 1);
		}
		g->idle = idle;
		g->known = true;
	}
	return due;
}
