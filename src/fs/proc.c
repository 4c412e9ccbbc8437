// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proc.c - the view of /proc: a read-only tree of cgroups, mounts, debug, self and one directory
 * for each task, holding what /proc would hold if the kernel knew our cgroups.
 *
 * Which tasks there are is asked of /proc itself, so nothing here is cached.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fs/internal.h>

/* Inode numbers: those of the root's files, and for a task (tid + 1) * PER_TASK + one of task_ino. */
enum root_ino {
	INO_ROOT = FUSE_ROOT_ID,
	INO_CGROUPS,
	INO_MOUNTS,
	INO_DEBUG,
	INO_SELF,
	INO_ROOT_END,
};
enum task_ino { INO_TASK, INO_TASK_CGROUP, INO_TASK_CPUSET, INO_TASK_END };
#define PER_TASK 8

static const char *const root_names[INO_ROOT_END] = {
	[INO_ROOT] = ".",      [INO_CGROUPS] = "cgroups", [INO_MOUNTS] = "mounts",
	[INO_DEBUG] = "debug", [INO_SELF] = "self",
};
static const char *const task_names[INO_TASK_END] = {
	[INO_TASK] = ".",
	[INO_TASK_CGROUP] = "cgroup",
	[INO_TASK_CPUSET] = "cpuset",
};

/* An open file. */
struct proc_file {
	int task; /* O_PATH of /proc/TID: the task itself, whoever gets its number later; or -1 */
	char *text;
	size_t len;
};

static pid_t ino_tid(fuse_ino_t ino)
{
	return ino < 2 * PER_TASK ? 0 : (pid_t)(ino / PER_TASK) - 1;
}

static fuse_ino_t task_ino(pid_t tid, enum task_ino which)
{
	return ((fuse_ino_t)tid + 1) * PER_TASK + which;
}

/* ---- attributes ---------------------------------------------------------------------------- */

/* A task's directory and files belong to it, as in /proc. */
static int stat_task(pid_t tid, struct stat *st)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", tid);
	return stat(path, st) ? -ENOENT : 0;
}

/* -ENOENT: the task is gone; *ST is filled in all the same, for who has its files open. */
static int proc_stat(fuse_ino_t ino, struct stat *st)
{
	pid_t tid = ino_tid(ino);
	struct stat task = {0};
	int err = tid ? stat_task(tid, &task) : 0;

	*st = (struct stat){
		.st_ino = ino,
		.st_mode = S_IFREG | 0444,
		.st_nlink = 1,
		.st_uid = task.st_uid,
		.st_gid = task.st_gid,
		.st_blksize = 4096,
	};
	if (ino == INO_SELF)
		st->st_mode = S_IFLNK | 0777;
	if (ino == INO_ROOT || (tid && ino % PER_TASK == INO_TASK)) {
		st->st_mode = S_IFDIR | 0555;
		st->st_nlink = 2;
	}
	clock_gettime(CLOCK_REALTIME, &st->st_ctim);
	st->st_atim = st->st_mtim = st->st_ctim;
	return err;
}

static void proc_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	proc_stat(ino, &st);
	fuse_reply_attr(req, &st, 0);
}

/* ---- names --------------------------------------------------------------------------------- */

/* 0: it is not a task's number as /proc would write it. */
static pid_t parse_tid(const char *name)
{
	long tid = 0;

	if (*name < '1' || *name > '9')
		return 0;
	for (; *name; name++) {
		if (!isdigit((unsigned char)*name))
			return 0;
		tid = tid * 10 + (*name - '0');
		if (tid >= CORE_MAX_TID)
			return 0;
	}
	return (pid_t)tid;
}

/* 0: there is no such name. */
static fuse_ino_t find(fuse_ino_t parent, const char *name)
{
	pid_t tid = ino_tid(parent);

	if (parent == INO_ROOT) {
		for (fuse_ino_t i = INO_ROOT + 1; i < INO_ROOT_END; i++)
			if (!strcmp(root_names[i], name))
				return i;
		tid = parse_tid(name);
		return tid ? task_ino(tid, INO_TASK) : 0;
	}
	for (enum task_ino i = INO_TASK + 1; tid && i < INO_TASK_END; i++)
		if (!strcmp(task_names[i], name))
			return task_ino(tid, i);
	return 0;
}

static void proc_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {.ino = find(parent, name)};

	if (!e.ino || proc_stat(e.ino, &e.attr))
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &e);
}

/* The process of the reader. */
static void proc_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char path[64], line[128];
	int tgid = 0;
	FILE *f;

	(void)ino;
	snprintf(path, sizeof(path), "/proc/%d/status", fuse_req_ctx(req)->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	if (f)
		fclose(f);
	snprintf(line, sizeof(line), "%d", tgid);
	if (tgid)
		fuse_reply_readlink(req, line);
	else
		fuse_reply_err(req, ENOENT);
}

/* ---- listing ------------------------------------------------------------------------------- */

static int add(struct handle *hdl, size_t *cap, uint64_t ino)
{
	if (hdl->n_listed == *cap) {
		size_t n = *cap ? *cap * 2 : 64;
		uint64_t *more = reallocarray(hdl->listing, n, sizeof(*more));

		if (!more)
			return -ENOMEM;
		hdl->listing = more;
		*cap = n;
	}
	hdl->listing[hdl->n_listed++] = ino;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Every thread of one process; it may be gone by now. */
static int add_threads(struct handle *hdl, size_t *cap, pid_t tgid)
{
	char path[64];
	struct dirent *de;
	int err = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", tgid);
	d = opendir(path);
	while (d && !err && (de = readdir(d)))
		if (parse_tid(de->d_name))
			err = add(hdl, cap, task_ino(parse_tid(de->d_name), INO_TASK));
	if (d)
		closedir(d);
	return err;
}

static int list_root(struct handle *hdl, size_t *cap)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	size_t n_fixed;
	int err = 0;

	if (!d)
		return -errno;
	for (fuse_ino_t i = INO_ROOT + 1; !err && i < INO_ROOT_END; i++)
		err = add(hdl, cap, i);
	n_fixed = hdl->n_listed;
	while (!err && (de = readdir(d)))
		if (parse_tid(de->d_name))
			err = add_threads(hdl, cap, parse_tid(de->d_name));
	closedir(d);
	if (!err)
		qsort(hdl->listing + n_fixed, hdl->n_listed - n_fixed, sizeof(*hdl->listing),
		      by_number);
	return err;
}

static int take_listing(struct handle *hdl)
{
	pid_t tid = ino_tid(hdl->ino);
	size_t cap = 0;
	int err;

	free(hdl->listing);
	hdl->listing = NULL;
	hdl->n_listed = 0;
	err = add(hdl, &cap, hdl->ino); /* "." */
	if (!err)
		err = add(hdl, &cap, INO_ROOT); /* ".." */
	if (!tid)
		return err ? err : list_root(hdl, &cap);
	for (enum task_ino i = INO_TASK + 1; !err && i < INO_TASK_END; i++)
		err = add(hdl, &cap, task_ino(tid, i));
	return err;
}

static void entry_of(const struct handle *hdl, size_t i, char name[static 16], struct stat *st)
{
	fuse_ino_t ino = hdl->listing[i];
	pid_t tid = ino_tid(ino);

	*st = (struct stat){.st_ino = ino, .st_mode = S_IFREG};
	if (ino == INO_SELF)
		st->st_mode = S_IFLNK;
	if (ino == INO_ROOT || (tid && ino % PER_TASK == INO_TASK))
		st->st_mode = S_IFDIR;
	if (i < 2)
		strcpy(name, i ? ".." : ".");
	else if (!tid)
		strcpy(name, root_names[ino]);
	else if (ino % PER_TASK == INO_TASK)
		snprintf(name, 16, "%d", tid);
	else
		strcpy(name, task_names[ino % PER_TASK]);
}

static void proc_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			 struct fuse_file_info *fi)
{
	struct handle *hdl = (struct handle *)(uintptr_t)fi->fh;
	char *buf = fs_out(req_mount(req)->fs, size), name[16];
	int err = buf ? 0 : -ENOMEM;
	size_t used = 0;

	(void)ino;
	if (!err && (!off || !hdl->listing))
		err = take_listing(hdl);
	for (size_t i = (size_t)off; !err && i < hdl->n_listed; i++) {
		struct stat st;
		size_t n;

		entry_of(hdl, i, name, &st);
		n = fuse_add_direntry(req, buf + used, size - used, name, &st, (off_t)i + 1);
		if (n > size - used)
			break;
		used += n;
	}
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_buf(req, buf, used);
}

static void proc_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *hdl = handle_new(req_mount(req), ino);

	fi->fh = (uintptr_t)hdl;
	if (!hdl)
		fuse_reply_err(req, ENOMEM);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		handle_free(hdl);
}

/* ---- files --------------------------------------------------------------------------------- */

void proc_file_free(struct proc_file *pf)
{
	if (pf->task >= 0)
		close(pf->task);
	free(pf->text);
	free(pf);
}

static int file_new(fuse_ino_t ino, struct proc_file **res)
{
	struct proc_file *pf = calloc(1, sizeof(*pf));
	pid_t tid = ino_tid(ino);
	char path[32];
	int err;

	if (!pf)
		return -ENOMEM;
	pf->task = -1;
	if (tid) {
		snprintf(path, sizeof(path), "/proc/%d", tid);
		pf->task = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		err = -errno;
		if (pf->task < 0) {
			free(pf);
			return err;
		}
	}
	*res = pf;
	return 0;
}

static void proc_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct proc_file *pf = NULL;
	struct handle *hdl = NULL;
	int err = file_new(ino, &pf);

	if (!err) {
		hdl = handle_new(req_mount(req), ino);
		err = hdl ? 0 : -ENOMEM;
	}
	if (err) {
		if (pf)
			proc_file_free(pf);
		fuse_reply_err(req, -err);
		return;
	}
	hdl->proc = pf;
	fi->fh = (uintptr_t)hdl;
	fi->direct_io = 1;
	fi->noflush = 1;
	if (fuse_reply_open(req, fi) == -ENOENT)
		handle_free(hdl);
}

static void proc_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_free((struct handle *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

static int write_text(fuse_req_t req, fuse_ino_t ino, FILE *out)
{
	struct fs *fs = req_mount(req)->fs;
	pid_t tid = ino_tid(ino);

	if (tid && ino % PER_TASK == INO_TASK_CGROUP)
		return proc_text_task_cgroup(fs, tid, out);
	if (tid)
		return proc_text_task_cpuset(fs, tid, out);
	if (ino == INO_CGROUPS)
		return proc_text_cgroups(fs, out);
	if (ino == INO_MOUNTS)
		return proc_text_mounts(fs, fuse_req_ctx(req)->pid, out);
	return proc_text_debug(fs, out);
}

static int make_text(fuse_req_t req, fuse_ino_t ino, struct proc_file *pf)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err;

	if (!out)
		return -ENOMEM;
	err = write_text(req, ino, out);
	if (fclose(out) && !err)
		err = -ENOMEM;
	if (err) {
		free(text);
		return err;
	}
	free(pf->text);
	pf->text = text;
	pf->len = len;
	return 0;
}

static bool task_lives(const struct proc_file *pf)
{
	return pf->task < 0 || !faccessat(pf->task, "stat", F_OK, 0);
}

/* A read from the start says what is so now; those that follow go on in the same text. */
static void proc_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	struct proc_file *pf = ((struct handle *)(uintptr_t)fi->fh)->proc;
	int err = task_lives(pf) ? 0 : -ESRCH;

	if (!err && (!off || !pf->text))
		err = make_text(req, ino, pf);
	/* It may have ended meanwhile, and another one have its number. */
	if (!err && !task_lives(pf))
		err = -ESRCH;
	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	if ((size_t)off > pf->len)
		off = (off_t)pf->len;
	if (size > pf->len - (size_t)off)
		size = pf->len - (size_t)off;
	fuse_reply_buf(req, pf->text + off, size);
}

const struct fuse_lowlevel_ops proc_ops = {
	.lookup = proc_lookup,
	.getattr = proc_getattr,
	.readlink = proc_readlink,
	.opendir = proc_opendir,
	.readdir = proc_readdir,
	.releasedir = proc_release,
	.open = proc_open,
	.read = proc_read,
	.release = proc_release,
};
