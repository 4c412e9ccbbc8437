// SPDX-License-Identifier: GPL-2.0-or-later
/* files.c - the system calls on files, done by a puppet on one side. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "puppet.h"

static void text(struct reply *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r->len += (size_t)vsnprintf(r->data + r->len, sizeof(r->data) - r->len, fmt, ap);
	va_end(ap);
	if (r->len > sizeof(r->data) - 1)
		r->len = sizeof(r->data) - 1;
}

static void set(struct reply *r, long ret)
{
	r->ret = ret;
	r->err = ret < 0 ? errno : 0;
}

static int handle_fd(const struct command *c, enum side side)
{
	return FD_HANDLES + 2 * c->handle + (int)side;
}

static void read_all(int fd, size_t step, struct reply *r)
{
	ssize_t n;

	if (!step || step > sizeof(r->data))
		step = sizeof(r->data);
	do {
		size_t room = sizeof(r->data) - r->len;

		n = read(fd, r->data + r->len, room < step ? room : step);
		if (n > 0)
			r->len += (size_t)n;
	} while (n > 0);
	set(r, n < 0 ? -1 : (long)r->len);
}

static void read_at(int dir, const char *path, size_t step, struct reply *r)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		set(r, -1);
		return;
	}
	read_all(fd, step, r);
	close(fd);
}

static void do_write(const char *path, const struct command *c, enum side side, struct reply *r)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | c->num);

	if (fd < 0) {
		set(r, -1);
		text(r, "at open");
		return;
	}
	set(r, write(fd, c->data[side], c->len[side]));
	close(fd);
}

static void print_stat(const struct stat *st, struct reply *r)
{
	text(r, "mode=%o nlink=%lu uid=%u gid=%u size=%ld blocks=%ld", st->st_mode,
	     (unsigned long)st->st_nlink, st->st_uid, st->st_gid, (long)st->st_size,
	     (long)st->st_blocks);
}

static void do_utime(const char *path, const struct command *c, struct reply *r)
{
	struct timespec t[2] = {{c->off, 123456789}, {(time_t)c->count, 987654321}};
	struct stat st;

	set(r, utimensat(AT_FDCWD, path, t, 0));
	if (!r->err && !stat(path, &st))
		text(r, "atime=%ld.%09ld mtime=%ld.%09ld", st.st_atim.tv_sec, st.st_atim.tv_nsec,
		     st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What the kernel gives out of a directory; the C library's readdir() hides its ENOENT. */
struct entry {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static char *entry_text(int fd, const struct entry *e)
{
	bool dots = !strcmp(e->name, ".") || !strcmp(e->name, "..");
	const char *note = "";
	struct stat st;
	char *line;

	if (!dots && !fstatat(fd, e->name, &st, AT_SYMLINK_NOFOLLOW)) {
		if (st.st_ino != e->ino)
			note = " (d_ino is not st_ino)";
		else if (IFTODT(st.st_mode) != e->type)
			note = " (d_type is not the type)";
	}
	if (asprintf(&line, "%s%s%s\n", e->name, e->type == DT_DIR ? "/" : "", note) < 0)
		abort();
	return line;
}

static void list_fd(int fd, struct reply *r)
{
	char buf[2048];
	char *lines[512];
	size_t n = 0;
	long got;

	while ((got = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < got && n < 512;) {
			const struct entry *e = (const void *)(buf + at);

			lines[n++] = entry_text(fd, e);
			at += e->reclen;
		}
	set(r, got);
	qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 0; i < n; i++) {
		text(r, "%s", lines[i]);
		free(lines[i]);
	}
}

static void do_list(const char *path, struct reply *r)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		set(r, -1);
		return;
	}
	list_fd(fd, r);
	close(fd);
}

static void print_xattr_names(char *names, ssize_t n, struct reply *r)
{
	char *name[512];
	size_t count = 0;

	for (char *p = names; p < names + n && count < 512; p += strlen(p) + 1)
		name[count++] = p;
	qsort(name, count, sizeof(*name), by_text);
	for (size_t i = 0; i < count; i++)
		text(r, "%s\n", name[i]);
}

static void do_listxattr(const char *path, struct reply *r)
{
	char names[8192];
	ssize_t n = listxattr(path, names, sizeof(names));

	set(r, n);
	print_xattr_names(names, n, r);
}

static void do_getxattr(const char *path, const char *name, struct reply *r)
{
	ssize_t n = getxattr(path, name, r->data, sizeof(r->data));

	set(r, n);
	r->len = n > 0 ? (size_t)n : 0;
}

/*
 * Opens to keep. For a list of tasks, says beside what a reader sees now, by a second descriptor:
 * what a list opened now must show whenever it is read.
 */
static void do_open(const char *path, const struct command *c, enum side side, struct reply *r)
{
	int fd = open(path, c->num | O_CLOEXEC, 0666);

	if (fd < 0) {
		set(r, -1);
		return;
	}
	if ((c->num & O_ACCMODE) != O_WRONLY && !(c->num & O_DIRECTORY)) {
		struct stat st;

		if (!fstat(fd, &st) && S_ISREG(st.st_mode))
			read_at(AT_FDCWD, path, 0, r);
	}
	set(r, dup2(fd, handle_fd(c, side)) < 0 ? -1 : 0);
	close(fd);
}

static void do_hread(int fd, const struct command *c, struct reply *r)
{
	size_t count = c->count < sizeof(r->data) ? c->count : sizeof(r->data);

	r->pos = c->off < 0 ? lseek(fd, 0, SEEK_CUR) : c->off;
	set(r, c->off < 0 ? read(fd, r->data, count) : pread(fd, r->data, count, c->off));
	r->len = r->ret > 0 ? (size_t)r->ret : 0;
}

static void do_hwrite(int fd, const struct command *c, enum side side, struct reply *r)
{
	if (c->off < 0)
		set(r, write(fd, c->data[side], c->len[side]));
	else
		set(r, pwrite(fd, c->data[side], c->len[side], c->off));
}

static void do_hxattr(int fd, const struct command *c, enum side side, struct reply *r)
{
	char names[8192];
	ssize_t n;

	switch (c->num % 3) {
	case 0:
		set(r, fsetxattr(fd, "user.h", c->data[side], c->len[side], 0));
		break;
	case 1:
		n = fgetxattr(fd, "user.h", r->data, sizeof(r->data));
		set(r, n);
		r->len = n > 0 ? (size_t)n : 0;
		break;
	case 2:
		n = flistxattr(fd, names, sizeof(names));
		set(r, n);
		print_xattr_names(names, n, r);
		break;
	}
}

static void handle_op(const struct command *c, enum side side, struct reply *r)
{
	int fd = handle_fd(c, side);
	struct stat st;

	switch (c->kind) {
	case OP_close:
		set(r, close(fd));
		break;
	case OP_hread:
		do_hread(fd, c, r);
		break;
	case OP_hwrite:
		do_hwrite(fd, c, side, r);
		break;
	case OP_hseek:
		set(r, lseek(fd, c->off, c->num));
		break;
	case OP_hstat:
		set(r, fstat(fd, &st));
		if (!r->err)
			print_stat(&st, r);
		break;
	case OP_htruncate:
		set(r, ftruncate(fd, c->off));
		break;
	case OP_hchmod:
		set(r, fchmod(fd, c->mode));
		break;
	case OP_hxattr:
		do_hxattr(fd, c, side, r);
		break;
	case OP_hlist:
		lseek(fd, 0, SEEK_SET);
		list_fd(fd, r);
		break;
	case OP_hmkdir:
		set(r, mkdirat(fd, c->path, c->mode));
		break;
	case OP_hopen:
		read_at(fd, c->path, 0, r);
		break;
	default:
		errno = ENOSYS;
		set(r, -1);
	}
}

static void path_op(const struct command *c, enum side side, const char *path, const char *path2,
		    struct reply *r)
{
	struct stat st;
	ssize_t n;
	int fd;

	switch (c->kind) {
	case OP_mkdir:
		set(r, mkdir(path, c->mode));
		break;
	case OP_rmdir:
		set(r, rmdir(path));
		break;
	case OP_rename:
		set(r, c->num ? renameat2(AT_FDCWD, path, AT_FDCWD, path2, (unsigned int)c->num) :
				rename(path, path2));
		break;
	case OP_list:
		do_list(path, r);
		break;
	case OP_write:
		do_write(path, c, side, r);
		break;
	case OP_read:
		read_at(AT_FDCWD, path, c->count, r);
		break;
	case OP_stat:
		set(r, lstat(path, &st));
		if (!r->err)
			print_stat(&st, r);
		break;
	case OP_access:
		set(r, faccessat(AT_FDCWD, path, c->num & 7, AT_EACCESS));
		break;
	case OP_chmod:
		set(r, chmod(path, c->mode));
		break;
	case OP_chown:
		set(r, chown(path, (uid_t)c->uid, (gid_t)c->gid));
		break;
	case OP_truncate:
		set(r, truncate(path, c->off));
		break;
	case OP_utime:
		do_utime(path, c, r);
		break;
	case OP_creat:
		fd = open(path, O_CREAT | O_CLOEXEC | c->num, c->mode);
		set(r, fd < 0 ? -1 : 0);
		if (fd >= 0)
			close(fd);
		break;
	case OP_mknod:
		set(r, mknod(path, c->mode, makedev(1, 3)));
		break;
	case OP_symlink:
		set(r, symlink("tasks", path));
		break;
	case OP_readlink:
		n = readlink(path, r->data, sizeof(r->data));
		set(r, n);
		break;
	case OP_link:
		set(r, link(path, path2));
		break;
	case OP_unlink:
		set(r, unlink(path));
		break;
	case OP_setxattr:
		set(r, setxattr(path, c->path2, c->data[side], c->len[side], c->num));
		break;
	case OP_getxattr:
		do_getxattr(path, c->path2, r);
		break;
	case OP_listxattr:
		do_listxattr(path, r);
		break;
	case OP_removexattr:
		set(r, removexattr(path, c->path2));
		break;
	case OP_open:
		do_open(path, c, side, r);
		break;
	default:
		errno = ENOSYS;
		set(r, -1);
	}
}

void puppet_file_op(const struct command *c, enum side side, struct reply *r)
{
	char path[PATH_MAX + 64], path2[PATH_MAX + 64];

	r->ret = -1;
	r->err = 0;
	r->pos = 0;
	r->len = 0;
	if (op_flags(c->kind) & ON_HANDLE) {
		handle_op(c, side, r);
		return;
	}
	snprintf(path, sizeof(path), "%s%s%s", shared->base[side], *c->path ? "/" : "", c->path);
	snprintf(path2, sizeof(path2), "%s/%s", shared->base[side], c->path2);
	path_op(c, side, path, path2, r);
}
