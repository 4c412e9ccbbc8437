// SPDX-License-Identifier: GPL-2.0-or-later
/* v1.c - the kernel's own named hierarchy: made, put back to how it was new, and dissolved. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "v1.h"

static int remove_group(const char *path)
{
	struct timespec ms = {0, 1000000};

	for (int i = 0; i < 2000; i++) {
		if (!rmdir(path) || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			break;
		nanosleep(&ms, NULL);
	}
	return -errno;
}

/* Removes the groups below PATH, deepest first. */
int remove_groups(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int err = 0;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		char sub[PATH_MAX];

		if (e->d_type != DT_DIR || !strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name) >= (int)sizeof(sub))
			continue;
		err = remove_groups(sub);
		if (!err)
			err = remove_group(sub);
		if (err)
			break;
		rewinddir(d);
	}
	closedir(d);
	return err;
}

int v1_mount(const char *name, const char *dir)
{
	char options[96];

	/* Not favordynmods, though moves would be quicker: its cost to the machine stays until it boots. */
	snprintf(options, sizeof(options), "none,name=%s", name);
	return mount(name, dir, "cgroup", 0, options) ? -errno : 0;
}

static int write_file(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -errno : 0;
}

static int reset_attributes(const char *path, mode_t mode)
{
	char names[8192];
	ssize_t n = listxattr(path, names, sizeof(names));

	for (char *p = names; p < names + n; p += strlen(p) + 1)
		if (removexattr(path, p))
			return -errno;
	if (n < 0 || chown(path, 0, 0) || chmod(path, mode))
		return -errno;
	return 0;
}

int v1_reset(const char *dir)
{
	static const char *files[] = {"tasks", "cgroup.procs", "notify_on_release",
				      "cgroup.clone_children", "release_agent"};
	char path[PATH_MAX];
	int err = reset_attributes(dir, 0555);

	for (size_t i = 0; !err && i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		err = reset_attributes(path, 0644);
	}
	if (!err)
		err = write_file(dir, "notify_on_release", "0");
	if (!err)
		err = write_file(dir, "cgroup.clone_children", "0");
	return err ? err : write_file(dir, "release_agent", "\n");
}

static bool v1_lives(const char *name)
{
	char line[256], field[96];
	bool found = false;
	FILE *f = fopen("/proc/self/cgroup", "re");

	snprintf(field, sizeof(field), ":name=%s:", name);
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, field);
	if (f)
		fclose(f);
	return found;
}

static bool wait_gone(const char *name, int ms)
{
	struct timespec tick = {0, 10000000};

	for (; v1_lives(name); ms -= 10) {
		if (ms <= 0)
			return false;
		nanosleep(&tick, NULL);
	}
	return true;
}

/*
 * The kernel keeps a hierarchy whose last unmount comes while a removed group still lingers; mounted
 * and unmounted later it goes. But one that is going already takes its time, and mounting then makes
 * a new one of the same name: so each try waits longer than the one before.
 */
int v1_dissolve(const char *name, const char *dir, int patience)
{
	if (umount2(dir, 0) && errno != EINVAL)
		return -errno;
	for (int ms = 200; !wait_gone(name, ms < patience ? ms : patience); ms *= 2) {
		patience -= ms;
		if (patience <= 0)
			return -EBUSY;
		if (!v1_mount(name, dir))
			umount2(dir, 0);
	}
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

void remove_tree(const char *path)
{
	nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* The pid in "ucgroup-differential-PID..." when nobody has it any more, else 0. */
static pid_t dead_owner(const char *name)
{
	const char *p = strstr(name, PREFIX);
	pid_t pid = p ? atoi(p + strlen(PREFIX)) : 0;

	return pid > 0 && kill(pid, 0) && errno == ESRCH ? pid : 0;
}

void v1_sweep(void)
{
	char line[256], dir[128];
	FILE *f = fopen("/proc/self/cgroup", "re");
	struct dirent *e;
	DIR *tmp;

	while (f && fgets(line, sizeof(line), f)) {
		char *name = strstr(line, PREFIX);

		if (!name || !dead_owner(name))
			continue;
		name[strcspn(name, ":\n")] = '\0';
		snprintf(dir, sizeof(dir), "/tmp/%.100s.left", name);
		if (mkdir(dir, 0755) || v1_mount(name, dir))
			continue;
		if (!remove_groups(dir))
			v1_dissolve(name, dir, 1000);
		umount2(dir, MNT_DETACH);
		rmdir(dir);
	}
	if (f)
		fclose(f);
	tmp = opendir("/tmp");
	while (tmp && (e = readdir(tmp)))
		if (!strncmp(e->d_name, PREFIX, strlen(PREFIX)) && dead_owner(e->d_name)) {
			snprintf(dir, sizeof(dir), "/tmp/%.50s", e->d_name);
			remove_tree(dir);
		}
	if (tmp)
		closedir(tmp);
}
