/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree.h - which groups there are, and the census that says which of them must be released.
 */
#ifndef DIFFERENTIAL_TREE_H
#define DIFFERENTIAL_TREE_H

#include "op.h"

#define GROUPS 64
#define GROUP_ROOT 0
#define GROUP_NONE -1
#define GROUP_PATH 1280

struct group {
	bool used;
	int parent;
	char name[260];
	/* The last census, from the kernel's hierarchy. */
	bool known, idle, notify;
	/*
	 * Released while there was another agent than ours. Releases are told a little later, so if
	 * ours is set right after it may hear of this one.
	 */
	bool maybe[SIDES];
};

struct tree {
	struct group group[GROUPS]; /* 0: the root */
	int count;
};

void tree_init(struct tree *tree);

/* The group at PATH (expanded), or GROUP_NONE. */
int tree_find(const struct tree *tree, const char *path);
/* The group whose directory holds PATH's last component; *NAME is set to that component. */
int tree_parent(const struct tree *tree, const char *path, const char **name);
/* Where the group is: without a leading slash, "" for the root. */
void tree_path(const struct tree *tree, int g, char *buf, size_t size);
int tree_depth(const struct tree *tree, int g);
int tree_child(const struct tree *tree, int parent, const char *name);

/* Books what a successful mkdir, rmdir or rename has done. -1: there is no such, or no room. */
int tree_add(struct tree *tree, int parent, const char *name);
int tree_remove(struct tree *tree, int g);
void tree_rename(struct tree *tree, int g, const char *name);

#define RELEASES_MAX GROUPS

/*
 * Looks at every group of the kernel's hierarchy mounted at BASE and compares with the last time:
 * fills PATHS with the groups that were busy, are idle now and notify. Returns how many, or -1 and
 * WHY when a group cannot be read.
 */
int tree_census(struct tree *tree, const char *base, char paths[][GROUP_PATH], char *why,
		size_t size);

#endif
