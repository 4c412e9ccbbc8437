// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The run directory: made at the start, locked against a second daemon of the same instance, and
 * removed with the last trace of the instance.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon.h"

/* A directory nobody but its owner can put files in: ours, or it is not used. */
static int make_dir(struct daemon *d, const char *path)
{
	struct stat st;

	if (!mkdir(path, 0755))
		return 0;
	if (errno != EEXIST) {
		int err = -errno;

		daemon_log(d, LOG_ERR, "cannot make the run directory %s: %s", path,
			   strerror(-err));
		return err;
	}
	if (lstat(path, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != d->uid || (st.st_mode & 022)) {
		daemon_log(d, LOG_ERR,
			   "%s is not a directory that uid %u alone can write; remove it, or make "
			   "it so",
			   path, (unsigned int)d->uid);
		return -EPERM;
	}
	return 0;
}

static int make_dirs(struct daemon *d)
{
	char base[PATH_MAX];
	int rc;

	rc = paths_base(d->uid, base, sizeof(base));
	if (!rc)
		rc = paths_run_dir(d->uid, d->opts.instance, d->run_dir, sizeof(d->run_dir));
	if (rc == -ENOENT)
		daemon_log(d, LOG_ERR,
			   "XDG_RUNTIME_DIR is not set to an absolute path, and only root's "
			   "instances live in /run/ucgroup");
	if (rc == -EINVAL)
		daemon_log(d, LOG_ERR,
			   "'%s' cannot name an instance: 1 to %d of A-Z a-z 0-9 . _ -, not "
			   "starting with a dot",
			   d->opts.instance, PATHS_INSTANCE_MAX);
	if (rc)
		return rc;
	rc = make_dir(d, base);
	return rc ? rc : make_dir(d, d->run_dir);
}

/* 1: locked; 0: it was removed while we looked, try again. */
static int try_lock(struct daemon *d, const char *path)
{
	struct stat held, named;
	int fd, err;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0) {
		err = -errno;
		daemon_log(d, LOG_ERR, "cannot open %s: %s", path, strerror(-err));
		return err;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EALREADY : -errno;
		close(fd);
		if (err == -EALREADY)
			daemon_log(
				d, LOG_ERR,
				"instance '%s' is already running (%s is locked); use it, choose "
				"another --instance, or stop it with `ucgroup shutdown`",
				d->opts.instance, path);
		else
			daemon_log(d, LOG_ERR, "cannot lock %s: %s", path, strerror(-err));
		return err;
	}
	/* A daemon that is just ending unlinks the file it has locked. */
	if (fstat(fd, &held) || stat(path, &named) || held.st_ino != named.st_ino ||
	    held.st_dev != named.st_dev) {
		close(fd);
		return 0;
	}
	d->lock_fd = fd;
	return 1;
}

int rundir_lock(struct daemon *d)
{
	char path[PATH_MAX + sizeof("/" PATHS_LOCK)];
	int rc, tries;

	for (tries = 0; tries < 100; tries++) {
		rc = make_dirs(d);
		if (rc)
			return rc;
		snprintf(path, sizeof(path), "%s/%s", d->run_dir, PATHS_LOCK);
		rc = try_lock(d, path);
		if (rc)
			return rc < 0 ? rc : 0;
	}
	daemon_log(d, LOG_ERR, "%s is being removed all the time", path);
	return -EBUSY;
}

void rundir_remove(struct daemon *d)
{
	static const char *const ours[] = {PATHS_SOCKET, PATHS_LOCK};
	char path[PATH_MAX + 32], *slash;
	size_t i;

	if (d->lock_fd < 0)
		return;
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->run_dir, ours[i]);
		unlink(path);
	}
	rmdir(d->run_dir);
	/* The directory of all instances goes with the last one; until then it is not empty. */
	slash = strrchr(d->run_dir, '/');
	*slash = '\0';
	rmdir(d->run_dir);
	*slash = '/';
	close(d->lock_fd);
	d->lock_fd = -1;
}
