// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a DIR names. A path is looked up here, in the caller's mount namespace and with the caller's
 * rights, and goes to the daemon as device and inode number; HIERARCHY:/PATH goes as it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <client/internal.h>

/* The colon of HIERARCHY:/PATH, or NULL. A path with a slash before it is a path. */
static char *label_end(char *dir)
{
	char *colon = strchr(dir, ':');

	if (!colon || colon == dir || colon[1] != '/' || memchr(dir, '/', (size_t)(colon - dir)))
		return NULL;
	return colon;
}

static int find_inode(const char *path, struct dir *d)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	d->wire.kind = WIRE_DIR_INODE;
	d->wire.dev = st.st_dev;
	d->wire.ino = st.st_ino;
	return 0;
}

/* 1: it was HIERARCHY:/PATH. */
static int start(const char *dir, struct dir *d)
{
	char *colon;

	memset(d, 0, sizeof(*d));
	if (!*dir)
		return -ENOENT;
	d->memory = strdup(dir);
	if (!d->memory)
		return -ENOMEM;
	d->wire.path = "";
	colon = label_end(d->memory);
	if (!colon)
		return 0;
	*colon = '\0';
	d->wire.kind = WIRE_DIR_LABEL;
	d->wire.label = d->memory;
	d->wire.path = colon + 1;
	return 1;
}

int dir_find(const char *dir, struct dir *d)
{
	int rc = start(dir, d);

	return rc ? (rc > 0 ? 0 : rc) : find_inode(dir, d);
}

int dir_find_parent(const char *dir, struct dir *d)
{
	char *name, *path;
	size_t len;
	int rc;

	rc = start(dir, d);
	if (rc)
		return rc > 0 ? 0 : rc;
	path = d->memory;
	len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	name = strrchr(path, '/');
	if (name && !name[1])
		return find_inode("/", d);
	name = name ? name + 1 : path;
	/* These have no parent in their text: the directory itself is meant. */
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return find_inode(path, d);
	d->wire.path = name;
	if (name == path)
		return find_inode(".", d);
	if (name == path + 1)
		return find_inode("/", d);
	name[-1] = '\0';
	rc = find_inode(path, d);
	name[-1] = '/';
	return rc;
}

void dir_free(struct dir *d)
{
	free(d->memory);
	d->memory = NULL;
}
