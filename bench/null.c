// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * null DIR: the bound. A FUSE server that does nothing, mounted on DIR with the options, the caching
 * and the kinds of answers of ucgroup's mounts: whatever is written is taken, "tasks" reads as 5,000
 * numbers, what is made is there and what is removed is gone. No FUSE file system can be quicker than
 * this one on the same machine; what it takes longer than the kernel's cgroups is FUSE itself.
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fuse_lowlevel.h>

#define FOREVER (100 * 365.0 * 86400)
#define MAX_IO (128u * 1024)
#define TASKS 5000

enum { INO_TASKS = 2, INO_FIRST_DIR = 16 };

static char tasks[TASKS * 8];
static size_t tasks_len;

static void stat_of(fuse_ino_t ino, struct stat *st)
{
	*st = (struct stat){
		.st_ino = ino,
		.st_mode = ino == INO_TASKS ? S_IFREG | 0644 : S_IFDIR | 0755,
		.st_nlink = ino == INO_TASKS ? 1 : 2,
		.st_blksize = 4096,
	};
}

static void reply_entry(fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_entry_param e = {.ino = ino, .attr_timeout = FOREVER, .entry_timeout = FOREVER};

	stat_of(ino, &e.attr);
	fuse_reply_entry(req, &e);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want &= ~(unsigned int)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				      FUSE_CAP_SPLICE_MOVE | FUSE_CAP_ASYNC_DIO |
				      FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_AUTO_INVAL_DATA);
	conn->max_write = MAX_IO;
}

static fuse_ino_t next_dir(void)
{
	static fuse_ino_t last = INO_FIRST_DIR;

	return last++;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	if (!strcmp(name, "tasks"))
		reply_entry(req, INO_TASKS);
	else if (!strcmp(name, "a") || !strcmp(name, "b") || !strcmp(name, "big"))
		reply_entry(req, next_dir());
	else
		fuse_reply_err(req, ENOENT);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	stat_of(ino, &st);
	fuse_reply_attr(req, &st, FOREVER);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent, (void)name, (void)mode;
	reply_entry(req, next_dir());
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req, 0);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fi->noflush = 1;
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	size_t at = (size_t)off < tasks_len ? (size_t)off : tasks_len;

	(void)ino, (void)fi;
	fuse_reply_buf(req, tasks + at, size < tasks_len - at ? size : tasks_len - at);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	(void)ino, (void)buf, (void)off, (void)fi;
	fuse_reply_write(req, size);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino, (void)fi;
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.mkdir = op_mkdir,
	.rmdir = op_rmdir,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.release = op_release,
};

int main(int argc, char **argv)
{
	static char options[] = "default_permissions,allow_other,fsname=null,subtype=bench-null";
	char *fuse_argv[] = {argv[0], (char[]){"-o"}, options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, fuse_argv);
	struct fuse_session *se;
	int rc = 1;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < TASKS; i++)
		tasks_len += (size_t)sprintf(tasks + tasks_len, "%d\n", 10000 + i);
	se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!se)
		return 1;
	fuse_set_signal_handlers(se);
	if (!fuse_session_mount(se, argv[1])) {
		rc = fuse_session_loop(se);
		fuse_session_unmount(se);
	}
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	fuse_opt_free_args(&args);
	return rc != 0;
}
