// SPDX-License-Identifier: GPL-2.0-or-later
/* Bad writes to control files; what cannot be done with directories and files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "errors.h"

/* ---- writing ---------------------------------------------------------------------------------- */

enum value { TEXT, DEAD, ZOMBIE, KTHREAD, OTHERS, BIG };

void test_writes(void)
{
	static char big[4096];
	static const struct {
		uid_t uid;
		const char *file;
		enum value kind;
		const char *text;
		size_t len; /* 0: of the text */
		int err;
	} rows[] = {
		{0, "x/a/tasks", TEXT, " ", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "\n", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "abc", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "-1", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "1 2", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "1\n2\n", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "1x", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "0x", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "08", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "1\0", 2, EINVAL},
		{0, "x/a/tasks", TEXT, "99999999999", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "99999999999999999999999", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "2147483647", 0, ESRCH},
		{0, "x/a/tasks", TEXT, "4194304", 0, ESRCH},
		{0, "x/a/tasks", DEAD, NULL, 0, ESRCH},
		{0, "x/a/tasks", ZOMBIE, NULL, 0, ESRCH},
		{0, "x/a/tasks", KTHREAD, NULL, 0, EINVAL},
		{0, "x/a/tasks", BIG, NULL, 0, E2BIG},
		{0, "x/a/cgroup.procs", TEXT, "x", 0, EINVAL},
		{0, "x/a/cgroup.procs", TEXT, "", 1, EINVAL},
		{0, "x/a/cgroup.procs", DEAD, NULL, 0, ESRCH},
		{0, "x/a/cgroup.procs", ZOMBIE, NULL, 0, ESRCH},
		{0, "x/a/cgroup.procs", KTHREAD, NULL, 0, EINVAL},
		{0, "x/a/cgroup.procs", BIG, NULL, 0, E2BIG},
		{0, "x/a/notify_on_release", TEXT, "", 1, EINVAL},
		{0, "x/a/notify_on_release", TEXT, "yes", 0, EINVAL},
		{0, "x/a/notify_on_release", TEXT, "-1", 0, EINVAL},
		{0, "x/a/notify_on_release", TEXT, "1 1", 0, EINVAL},
		{0, "x/a/notify_on_release", TEXT, "18446744073709551616", 0, ERANGE},
		{0, "x/a/notify_on_release", BIG, NULL, 0, E2BIG},
		{0, "x/a/cgroup.clone_children", TEXT, "z", 0, EINVAL},
		{0, "x/a/cgroup.clone_children", TEXT, "18446744073709551616", 0, ERANGE},
		{0, "x/a/releasable", TEXT, "0", 0, EINVAL},
		{0, "x/release_agent", TEXT, "rel/ative", 0, EINVAL},
		{0, "x/release_agent", TEXT, "builtin:nothing", 0, EINVAL},
		{0, "x/release_agent", BIG, NULL, 0, E2BIG},
		{0, "x/a/release_agent", TEXT, "/a", 0, ENOENT},
		{0, "x/a/debug.taskcount", TEXT, "1", 0, EINVAL},
		/* Somebody who may not write at all. */
		{STRANGER, "x/a/tasks", TEXT, "0", 0, EACCES},
		{STRANGER, "x/a/notify_on_release", TEXT, "1", 0, EACCES},
		{STRANGER, "x/a/releasable", TEXT, "1", 0, EACCES},
		{STRANGER, "x/release_agent", TEXT, "/a", 0, EACCES},
		{STRANGER, "x/given/tasks", TEXT, "0", 0, EACCES},
		/* Somebody who may write here, but not move everybody. */
		{OTHER, "x/given/tasks", OTHERS, NULL, 0, EACCES},
		{OTHER, "x/given/cgroup.procs", OTHERS, NULL, 0, EACCES},
		{OTHER, "x/given/tasks", TEXT, "2147483647", 0, ESRCH},
		{OTHER, "x/a/tasks", TEXT, "0", 0, EACCES},
		/* He may open this one, and that is not enough. */
		{OTHER, "y/release_agent", TEXT, "/a", 0, EPERM},
	};
	char number[32], what[128];

	memset(big, ' ', sizeof(big));
	big[0] = '1';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = rows[i].text, *shown = text;
		size_t len = text ? strlen(text) : 0;
		char *before = picture();

		if (rows[i].len)
			len = rows[i].len;
		if (rows[i].kind == BIG) {
			text = big;
			len = sizeof(big);
			shown = "4096 bytes";
		} else if (rows[i].kind != TEXT) {
			const pid_t pids[] = {[DEAD] = dead,
					      [ZOMBIE] = zombie,
					      [KTHREAD] = 2,
					      [OTHERS] = others_task};
			static const char *const names[] = {[DEAD] = "a dead task",
							    [ZOMBIE] = "a zombie",
							    [KTHREAD] = "kthreadd",
							    [OTHERS] = "another's task"};

			shown = names[rows[i].kind];
			snprintf(number, sizeof(number), "%d", (int)pids[rows[i].kind]);
			text = number;
			len = strlen(text);
		}
		snprintf(what, sizeof(what), "uid %d writes \"%.*s\" to %s", (int)rows[i].uid,
			 (int)strcspn(shown, "\n"), shown, rows[i].file);
		judge(what, write_as(rows[i].uid, rows[i].file, text, len), rows[i].err, before);
	}
}

/* ---- directories and files -------------------------------------------------------------------- */

static int failed(int rc)
{
	return rc < 0 ? errno : 0;
}

static int op_open(const char *a, const char *b)
{
	int fd = open(a, (int)strtol(b, NULL, 0) | O_CLOEXEC, 0644), err = failed(fd);

	if (fd >= 0)
		close(fd);
	return err;
}

static int op_mkdir(const char *a, const char *b)
{
	(void)b;
	return failed(mkdir(a, 0755));
}

static int op_rmdir(const char *a, const char *b)
{
	(void)b;
	return failed(rmdir(a));
}

static int op_rename(const char *a, const char *b)
{
	return failed(rename(a, b));
}

static int op_unlink(const char *a, const char *b)
{
	(void)b;
	return failed(unlink(a));
}

static int op_link(const char *a, const char *b)
{
	return failed(link(a, b));
}

static int op_symlink(const char *a, const char *b)
{
	return failed(symlink(a, b));
}

static int op_mkfifo(const char *a, const char *b)
{
	(void)b;
	return failed(mkfifo(a, 0644));
}

static int op_truncate(const char *a, const char *b)
{
	return failed(truncate(a, strtol(b, NULL, 0)));
}

static int op_setxattr(const char *a, const char *b)
{
	return failed(setxattr(a, b, "v", 1, 0));
}

static int op_getxattr(const char *a, const char *b)
{
	char buf[16];

	return failed((int)getxattr(a, b, buf, sizeof(buf)));
}

static int op_chmod(const char *a, const char *b)
{
	return failed(chmod(a, (mode_t)strtol(b, NULL, 8)));
}

static int op_chown(const char *a, const char *b)
{
	return failed(chown(a, (uid_t)strtol(b, NULL, 10), (gid_t)-1));
}

/* Mount, as whoever asks, over a connection of his own. */
static int op_mount(const char *a, const char *b)
{
	struct ucgroup *c;
	int fd = -1, rc = ucgroup_connect(b, &c, NULL);

	return rc ? -rc : -ucgroup_mount(c, a, "errors", 0, &fd, NULL);
}

void test_tree(void)
{
	static char name_255[260 + 3], name_256[260 + 3];
	static char create[16], exclusive[16], nameless[16], direct[16];
	const char *instance = ucgroup_instance(conn);
	const struct {
		const char *name;
		int (*op)(const char *a, const char *b);
		const char *a, *b;
		int err;
		uid_t uid;
	} rows[] = {
		{"mkdir", op_mkdir, "x/a", "", EEXIST, 0},
		{"mkdir", op_mkdir, "x/tasks", "", EEXIST, 0},
		{"mkdir", op_mkdir, "x/new\nline", "", EINVAL, 0},
		{"mkdir", op_mkdir, "x/none/b", "", ENOENT, 0},
		{"mkdir", op_mkdir, "x/tasks/b", "", ENOTDIR, 0},
		{"mkdir of 256 bytes", op_mkdir, name_256, "", ENAMETOOLONG, 0},
		{"mkdir of 255 bytes", op_mkdir, name_255, "", 0, 0},
		{"rmdir of it", op_rmdir, name_255, "", 0, 0},
		{"rmdir", op_rmdir, "x/none", "", ENOENT, 0},
		{"rmdir", op_rmdir, "x/tasks", "", ENOTDIR, 0},
		{"rmdir of one with a task", op_rmdir, "x/a", "", EBUSY, 0},
		{"rmdir of one with a child", op_rmdir, "x/p", "", EBUSY, 0},
		{"rmdir of the root", op_rmdir, "x", "", EBUSY, 0},
		{"rename", op_rename, "x/p", "x/a", EEXIST, 0},
		{"rename to a new parent", op_rename, "x/p", "x/given/p", EIO, 0},
		{"rename of a file", op_rename, "x/tasks", "x/other", ENOTDIR, 0},
		{"rename", op_rename, "x/p", "x/new\nline", EINVAL, 0},
		{"rename", op_rename, "x/none", "x/other", ENOENT, 0},
		{"rename away", op_rename, "x/p", "y/p", EXDEV, 0},
		{"create", op_open, "x/file", create, EACCES, 0},
		{"create", op_open, "x/a/file", create, EACCES, 0},
		{"mkfifo", op_mkfifo, "x/fifo", "", EPERM, 0},
		{"unlink", op_unlink, "x/a/tasks", "", EPERM, 0},
		{"unlink", op_unlink, "x/none", "", ENOENT, 0},
		{"link", op_link, "x/a/tasks", "x/a/link", EPERM, 0},
		{"symlink", op_symlink, "tasks", "x/a/link", EPERM, 0},
		{"truncate", op_truncate, "x/a/tasks", "0", 0, 0},
		{"truncate", op_truncate, "x/a/tasks", "100", 0, 0},
		{"setxattr", op_setxattr, "x/a", "system.other", EOPNOTSUPP, 0},
		{"setxattr", op_setxattr, "x/a/tasks", "user.colour", 0, 0},
		{"getxattr", op_getxattr, "x/a/tasks", "user.colour", 0, 0},
		{"getxattr", op_getxattr, "x/a/tasks", "user.none", ENODATA, 0},
		{"open with O_EXCL", op_open, "x/a/tasks", exclusive, EEXIST, 0},
		{"open with O_TMPFILE", op_open, "x/a", nameless, EOPNOTSUPP, 0},
		{"open with O_DIRECT", op_open, "x/a/tasks", direct, EINVAL, 0},
		/* What the others may not. */
		{"mkdir", op_mkdir, "x/sneak", "", EACCES, STRANGER},
		{"rmdir", op_rmdir, "x/p/c", "", EACCES, STRANGER},
		{"rename", op_rename, "x/p/c", "x/p/d", EACCES, STRANGER},
		{"create", op_open, "x/file", create, EACCES, STRANGER},
		{"unlink", op_unlink, "x/a/tasks", "", EACCES, STRANGER},
		{"chmod", op_chmod, "x/a/tasks", "666", EPERM, STRANGER},
		{"chmod", op_chmod, "x", "777", EPERM, STRANGER},
		{"chown", op_chown, "x/given/tasks", "0", EPERM, OTHER},
		{"setxattr", op_setxattr, "x/a", "user.colour", EACCES, STRANGER},
		{"setxattr", op_setxattr, "x/a", "trusted.colour", EPERM, STRANGER},
		{"truncate", op_truncate, "x/a/tasks", "0", EACCES, STRANGER},
		{"mount", op_mount, "none,name=q", instance, EPERM, STRANGER},
		{"mount", op_mount, "name=y", instance, EPERM, STRANGER},
		{"mount", op_mount, "none,name=q,release_agent=/a", instance, EPERM, OTHER},
	};
	char what[128];

	snprintf(create, sizeof(create), "%d", O_CREAT | O_WRONLY);
	snprintf(exclusive, sizeof(exclusive), "%d", O_CREAT | O_EXCL | O_WRONLY);
	snprintf(nameless, sizeof(nameless), "%d", O_TMPFILE | O_WRONLY);
	snprintf(direct, sizeof(direct), "%d", O_DIRECT | O_RDONLY);
	strcpy(name_255, "x/");
	memset(name_255 + 2, 'n', 255);
	strcpy(name_256, "x/");
	memset(name_256 + 2, 'n', 256);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *before = picture();
		pid_t pid;

		snprintf(what, sizeof(what), "uid %d: %s %.*s %.20s", (int)rows[i].uid,
			 rows[i].name,
			 (int)(strcspn(rows[i].a, "\n") > 30 ? 30 : strcspn(rows[i].a, "\n")),
			 rows[i].a, rows[i].op == op_rename ? rows[i].b : "");
		for (char *p = what; *p; p++)
			if (*p == '\n')
				*p = '?';
		pid = become(rows[i].uid);
		if (pid == 0)
			_exit(rows[i].op(rows[i].a, rows[i].b));
		judge(what, outcome(pid), rows[i].err, before);
	}
}

void test_removed(void)
{
	char buf[16];
	int r, w;

	mkdir("x/gone", 0755);
	r = open("x/gone/tasks", O_RDONLY | O_CLOEXEC);
	w = open("x/gone/notify_on_release", O_WRONLY | O_CLOEXEC);
	row(r >= 0 && w >= 0 && !rmdir("x/gone"), "rmdir with open files", errno, 0);
	row(read(r, buf, sizeof(buf)) < 0 && errno == ENODEV, "read of a removed group's file",
	    errno, ENODEV);
	row(write(w, "1", 1) < 0 && errno == ENODEV, "write to a removed group's file", errno,
	    ENODEV);
	row(mkdir("x/gone/below", 0755) < 0 && errno == ENOENT, "mkdir in a removed group", errno,
	    ENOENT);
	close(r);
	close(w);
}
