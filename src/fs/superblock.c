// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * superblock.c - the kernel's side of a mount: generic options, and a FUSE superblock made with
 * the new mount API, so that nothing is visible anywhere before its owner attaches it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fs/internal.h>

/* ---- generic options ----------------------------------------------------------------------- */

enum sb_flag { SB_NONE, SB_RO, SB_SYNC, SB_DIRSYNC, SB_LAZYTIME };

static const struct generic {
	const char *name;
	unsigned int set, clear; /* MOUNT_ATTR_* */
	enum sb_flag sb;
	bool on; /* what becomes of sb */
} generics[] = {
	{"rw", 0, MOUNT_ATTR_RDONLY, SB_RO, false},
	{"ro", MOUNT_ATTR_RDONLY, 0, SB_RO, true},
	{"suid", 0, MOUNT_ATTR_NOSUID, SB_NONE, false},
	{"nosuid", MOUNT_ATTR_NOSUID, 0, SB_NONE, false},
	{"dev", 0, MOUNT_ATTR_NODEV, SB_NONE, false},
	{"nodev", MOUNT_ATTR_NODEV, 0, SB_NONE, false},
	{"exec", 0, MOUNT_ATTR_NOEXEC, SB_NONE, false},
	{"noexec", MOUNT_ATTR_NOEXEC, 0, SB_NONE, false},
	{"atime", 0, MOUNT_ATTR__ATIME, SB_NONE, false},
	{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, SB_NONE, false},
	{"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME, SB_NONE, false},
	{"norelatime", 0, MOUNT_ATTR__ATIME, SB_NONE, false},
	{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, SB_NONE, false},
	{"nostrictatime", 0, MOUNT_ATTR__ATIME, SB_NONE, false},
	{"diratime", 0, MOUNT_ATTR_NODIRATIME, SB_NONE, false},
	{"nodiratime", MOUNT_ATTR_NODIRATIME, 0, SB_NONE, false},
	{"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW, SB_NONE, false},
	{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0, SB_NONE, false},
	{"sync", 0, 0, SB_SYNC, true},
	{"async", 0, 0, SB_SYNC, false},
	{"dirsync", 0, 0, SB_DIRSYNC, true},
	{"lazytime", 0, 0, SB_LAZYTIME, true},
	{"nolazytime", 0, 0, SB_LAZYTIME, false},
	{"user", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, SB_NONE, false},
	{"users", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, SB_NONE, false},
	/* For mount(8) and its table alone. */
	{"defaults", 0, 0, SB_NONE, false},
	{"auto", 0, 0, SB_NONE, false},
	{"noauto", 0, 0, SB_NONE, false},
	{"nouser", 0, 0, SB_NONE, false},
	{"nofail", 0, 0, SB_NONE, false},
	{"_netdev", 0, 0, SB_NONE, false},
	{"silent", 0, 0, SB_NONE, false},
	{"loud", 0, 0, SB_NONE, false},
	{"iversion", 0, 0, SB_NONE, false},
	{"noiversion", 0, 0, SB_NONE, false},
	{"mand", 0, 0, SB_NONE, false},
	{"nomand", 0, 0, SB_NONE, false},
};

static bool is_comment(const char *opt, size_t len)
{
	return (len > 2 && (!strncmp(opt, "x-", 2) || !strncmp(opt, "X-", 2))) ||
	       (len > 8 && !strncmp(opt, "comment=", 8));
}

static bool take_one(const char *opt, size_t len, struct fs_flags *flags)
{
	if (is_comment(opt, len))
		return true;
	for (size_t i = 0; i < sizeof(generics) / sizeof(generics[0]); i++) {
		const struct generic *g = &generics[i];

		if (strlen(g->name) != len || strncmp(g->name, opt, len))
			continue;
		flags->attrs = (flags->attrs & ~g->clear) | g->set;
		if (g->sb == SB_RO)
			flags->ro = g->on;
		else if (g->sb == SB_SYNC)
			flags->sync = g->on;
		else if (g->sb == SB_DIRSYNC)
			flags->dirsync = g->on;
		else if (g->sb == SB_LAZYTIME)
			flags->lazytime = g->on;
		return true;
	}
	return false;
}

char *fs_take_generic(const char *options, struct fs_flags *flags)
{
	/* Room for a comma more than there was, see below. */
	char *left = calloc(1, strlen(options) + 2);
	size_t n_left = 0, at = 0;

	if (!left || !*options)
		return left;
	for (const char *opt = options;;) {
		size_t len = strcspn(opt, ",");

		if (!take_one(opt, len, flags)) {
			if (n_left++)
				left[at++] = ',';
			memcpy(left + at, opt, len);
			at += len;
		}
		if (!opt[len])
			break;
		opt += len + 1;
	}
	/* A lone empty token, which is an error, must not look like no token. */
	if (n_left == 1 && !at)
		left[0] = ',';
	return left;
}

/* ---- superblocks --------------------------------------------------------------------------- */

int fs_what(char **what, int err, const char *fmt, ...)
{
	va_list ap;

	if (!what)
		return err;
	va_start(ap, fmt);
	if (vasprintf(what, fmt, ap) < 0)
		*what = NULL;
	va_end(ap);
	return err;
}

static int set_string(int ctx, const char *key, const char *value)
{
	return fsconfig(ctx, FSCONFIG_SET_STRING, key, value, 0);
}

static int set_flag(int ctx, const char *key, bool on)
{
	return on ? fsconfig(ctx, FSCONFIG_SET_FLAG, key, NULL, 0) : 0;
}

static int configure(int ctx, int fuse_fd, const char *source, const char *subtype,
		     const struct fs_flags *flags)
{
	char fd[16];

	snprintf(fd, sizeof(fd), "%d", fuse_fd);
	if (set_string(ctx, "source", source) || set_string(ctx, "subtype", subtype) ||
	    set_string(ctx, "fd", fd) || set_string(ctx, "rootmode", "40000") ||
	    set_string(ctx, "user_id", "0") || set_string(ctx, "group_id", "0"))
		return -errno;
	if (set_flag(ctx, "allow_other", true) || set_flag(ctx, "default_permissions", true) ||
	    set_flag(ctx, "ro", flags->ro) || set_flag(ctx, "sync", flags->sync) ||
	    set_flag(ctx, "dirsync", flags->dirsync) || set_flag(ctx, "lazytime", flags->lazytime))
		return -errno;
	if (fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	return 0;
}

/*
 * The root's attributes are there already; asking for fresh ones would wait for an answer that
 * only we ourselves could give.
 */
static int device_of(int mfd, dev_t *dev)
{
	struct statx stx;

	if (statx(mfd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx))
		return -errno;
	*dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	return 0;
}

int superblock_new(int fuse_fd, const char *source, const char *subtype,
		   const struct fs_flags *flags, dev_t *dev, char **what)
{
	int err, mfd, ctx = fsopen("fuse", FSOPEN_CLOEXEC);

	if (ctx < 0)
		return fs_what(what, -errno, "cannot make a FUSE file system: %s", strerror(errno));
	err = configure(ctx, fuse_fd, source, subtype, flags);
	if (err) {
		close(ctx);
		return fs_what(what, err, "cannot set up the FUSE file system '%s': %s", source,
			       strerror(-err));
	}
	/* None of our files is a program, whatever its mode: as in the kernel's cgroups. */
	mfd = fsmount(ctx, FSMOUNT_CLOEXEC, flags->attrs | MOUNT_ATTR_NOEXEC);
	err = mfd < 0 ? -errno : device_of(mfd, dev);
	close(ctx);
	if (err) {
		if (mfd >= 0)
			close(mfd);
		return fs_what(what, err, "cannot mount the FUSE file system '%s': %s", source,
			       strerror(-err));
	}
	return mfd;
}
