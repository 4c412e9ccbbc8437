// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * session.c - mounts and their FUSE sessions: made, served from the loop, ended.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <syslog.h>
#include <unistd.h>

#include <fs/internal.h>

/* Bytes of one write or read: a control file takes far less, a listing is read in such pieces. */
#define MAX_IO (128u * 1024)

void fs_log(const struct fs *fs, int priority, const char *fmt, ...)
{
	va_list ap;

	if (!fs->config.log)
		return;
	va_start(ap, fmt);
	fs->config.log(fs->config.arg, priority, fmt, ap);
	va_end(ap);
}

char *fs_out(struct fs *fs, size_t size)
{
	if (size > fs->out_size) {
		char *out = realloc(fs->out, size);

		if (!out)
			return NULL;
		fs->out = out;
		fs->out_size = size;
	}
	return fs->out;
}

/* ---- open files ---------------------------------------------------------------------------- */

struct handle *handle_new(struct fs_mount *m, fuse_ino_t ino)
{
	struct handle *hdl = calloc(1, sizeof(*hdl));

	if (!hdl)
		return NULL;
	hdl->ino = ino;
	LIST_INSERT_HEAD(&m->handles, hdl, link);
	return hdl;
}

void handle_free(struct handle *hdl)
{
	LIST_REMOVE(hdl, link);
	if (hdl->file)
		core_file_release(hdl->file);
	if (hdl->proc)
		proc_file_free(hdl->proc);
	free(hdl->listing);
	free(hdl);
}

/* ---- serving ------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/*
 * The connection is over. The kernel sends no release for what is still open and no forget for
 * what it knew, so both are done here, before the hierarchy may go.
 */
static void mount_end(struct fs_mount *m)
{
	struct handle *hdl;

	TAILQ_REMOVE(&m->fs->mounts, m, link);
	late_writes_end(m);
	while ((hdl = LIST_FIRST(&m->handles)))
		handle_free(hdl);
	graves_free(m);
	uv_close((uv_handle_t *)&m->poll, on_closed);
	fuse_session_destroy(m->se);
	if (m->h)
		core_umount(m->fs->config.core, m->h);
	free(m->source);
}

/* While a burst lasts, a request comes sooner than the loop has gone round. */
static int receive(struct fs_mount *m, unsigned int tries)
{
	int n;

	do
		n = fuse_session_receive_buf(m->se, &m->fs->request);
	while (n == -EAGAIN && tries--);
	return n;
}

static void serve(uv_poll_t *poll, int status, int events)
{
	struct fs_mount *m = poll->data;
	const struct fs_config *config = &m->fs->config;
	uint64_t began = uv_hrtime();
	bool burst = false;

	(void)events;
	for (int i = 0; i < SERVE_AT_ONCE && !status; i++) {
		int n;

		/* Most often there is none yet, and to ask the loop is no more than to ask here. */
		if (i && (!burst || uv_hrtime() - began > SERVE_NS))
			return;
		n = receive(m, i ? RECEIVE_TRIES : 0);
		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n <= 0) {
			status = n ? n : -ENODEV;
			break;
		}
		fuse_session_process_buf(m->se, &m->fs->request);
		burst = config->served && config->served(config->arg);
	}
	/* An error from poll(2): the connection has ended. */
	if (status)
		mount_end(m);
}

static bool has_ended(const struct fs_mount *m)
{
	struct pollfd pfd = {.fd = m->fd};
	int n;

	/* A signal interrupts it even though it does not wait. */
	do
		n = poll(&pfd, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 && pfd.revents & (POLLERR | POLLHUP | POLLNVAL);
}

void fs_reap(struct fs *fs)
{
	struct fs_mount *m, *next;

	for (m = TAILQ_FIRST(&fs->mounts); m; m = next) {
		next = TAILQ_NEXT(m, link);
		if (has_ended(m))
			mount_end(m);
	}
}

/* ---- mounting ------------------------------------------------------------------------------ */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	conn->want &= ~(unsigned int)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				      FUSE_CAP_SPLICE_MOVE | FUSE_CAP_ASYNC_DIO |
				      FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_AUTO_INVAL_DATA);
	/* Truncated when opened, a file comes as any other: the kernel looks after set-id bits. */
	conn->want &= ~(unsigned int)FUSE_CAP_ATOMIC_O_TRUNC;
	conn->max_write = MAX_IO;
	(void)userdata;
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = CORE_NAME_MAX};

	(void)ino;
	fuse_reply_statfs(req, &st);
}

static struct fuse_session *session_new(struct fs_mount *m, const struct fuse_lowlevel_ops *from)
{
	static char name[] = "ucgroup";
	char *argv[] = {name, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_lowlevel_ops ops = *from;
	struct fuse_session *se;
	char path[32];

	ops.init = op_init;
	ops.statfs = op_statfs;
	se = fuse_session_new(&args, &ops, sizeof(ops), m);
	fuse_opt_free_args(&args);
	if (!se)
		return NULL;
	snprintf(path, sizeof(path), "/dev/fd/%d", m->fd);
	if (fuse_session_mount(se, path)) {
		fuse_session_destroy(se);
		return NULL;
	}
	return se;
}

static int mount_make(struct fs_mount *m, const struct fuse_lowlevel_ops *ops, const char *subtype,
		      const struct fs_flags *flags, char **what)
{
	int err, mfd;

	m->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (m->fd < 0)
		return fs_what(what, -errno, "cannot open /dev/fuse: %s (try: modprobe fuse)",
			       strerror(errno));
	mfd = superblock_new(m->fd, m->source, subtype, flags, &m->dev, what);
	if (mfd < 0) {
		close(m->fd);
		return mfd;
	}
	m->se = session_new(m, ops);
	if (!m->se) {
		close(m->fd);
		close(mfd);
		return fs_what(what, -ENOMEM, "cannot start a FUSE session: out of memory");
	}
	err = uv_poll_init(m->fs->config.loop, &m->poll, m->fd);
	if (err) {
		fuse_session_destroy(m->se);
		close(mfd);
		return fs_what(what, err, "cannot wait for requests on /dev/fuse: %s",
			       strerror(-err));
	}
	m->poll.data = m;
	notify_probe(m);
	uv_poll_start(&m->poll, UV_READABLE, serve);
	return mfd;
}

static int mount_new(struct fs *fs, struct hierarchy *h, const struct fuse_lowlevel_ops *ops,
		     const char *source, const struct fs_flags *flags, struct fs_mount **res,
		     char **what)
{
	struct fs_mount *m = calloc(1, sizeof(*m));
	int mfd;

	if (!m)
		return fs_what(what, -ENOMEM, "cannot mount: out of memory");
	m->fs = fs;
	m->h = h;
	LIST_INIT(&m->handles);
	m->source = strdup(source && *source ? source : "ucgroup");
	if (!m->source) {
		free(m);
		return fs_what(what, -ENOMEM, "cannot mount: out of memory");
	}
	mfd = mount_make(m, ops, h ? "ucgroup" : "ucgroup-proc", flags, what);
	if (mfd < 0) {
		free(m->source);
		free(m);
		return mfd;
	}
	TAILQ_INSERT_TAIL(&fs->mounts, m, link);
	*res = m;
	return mfd;
}

int fs_mount(struct fs *fs, struct hierarchy *h, const char *source, const struct fs_flags *flags,
	     struct fs_mount **m, char **what)
{
	struct fuse_lowlevel_ops ops = {0};

	dir_init(&ops);
	listing_init(&ops);
	file_init(&ops);
	attr_init(&ops);
	xattr_init(&ops);
	return mount_new(fs, h, &ops, source, flags, m, what);
}

int fs_mount_proc(struct fs *fs, const char *source, const struct fs_flags *flags,
		  struct fs_mount **m, char **what)
{
	struct fs_flags ro = *flags;

	ro.ro = true;
	ro.attrs |= MOUNT_ATTR_RDONLY;
	return mount_new(fs, NULL, &proc_ops, source, &ro, m, what);
}

struct fs_mount *fs_mount_next(const struct fs *fs, const struct fs_mount *prev)
{
	return prev ? TAILQ_NEXT(prev, link) : TAILQ_FIRST(&fs->mounts);
}

dev_t fs_mount_dev(const struct fs_mount *m)
{
	return m->dev;
}

const char *fs_mount_source(const struct fs_mount *m)
{
	return m->source;
}

struct hierarchy *fs_mount_hierarchy(const struct fs_mount *m)
{
	return m->h;
}

bool fs_mount_caches(const struct fs_mount *m)
{
	return m->timeout > 0;
}

struct fs_mount *fs_find(const struct fs *fs, dev_t dev)
{
	struct fs_mount *m;

	TAILQ_FOREACH(m, &fs->mounts, link)
		if (m->dev == dev)
			return m;
	return NULL;
}

int fs_resolve(const struct fs *fs, dev_t dev, ino_t ino, struct cgroup **cgrp)
{
	struct fs_mount *m = fs_find(fs, dev);
	struct node n;

	if (!m)
		return -ENODEV;
	if (!m->h)
		return -ENOTDIR;
	if (node_get(m, ino, &n) || n.dead)
		return -ENOENT;
	if (n.cft)
		return -ENOTDIR;
	*cgrp = n.cgrp;
	return 0;
}

/* ---- the whole ----------------------------------------------------------------------------- */

struct fs *fs_new(const struct fs_config *config)
{
	struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->config = *config;
	TAILQ_INIT(&fs->mounts);
	TAILQ_INIT(&fs->late_writes);
	/* The loop outlives us, and closes it. */
	fs->try_again = malloc(sizeof(*fs->try_again));
	if (!fs->try_again || uv_timer_init(config->loop, fs->try_again)) {
		free(fs->try_again);
		free(fs);
		return NULL;
	}
	fs->try_again->data = fs;
	return fs;
}

struct detach {
	const dev_t *devs;
	size_t n_devs, n_done;
};

static void detach_one(void *arg, const struct mountinfo *mi)
{
	struct detach *d = arg;

	/* The number of one that was never attached may have found another use meanwhile. */
	if (strncmp(mi->type, "fuse.ucgroup", strlen("fuse.ucgroup")))
		return;
	for (size_t i = 0; i < d->n_devs; i++) {
		if (d->devs[i] != mi->dev)
			continue;
		mountinfo_unescape(mi->dir);
		if (!umount2(mi->dir, MNT_DETACH | UMOUNT_NOFOLLOW))
			d->n_done++;
		return;
	}
}

/*
 * By then every connection has ended, so that no path walked here can wait for ourselves. A mount
 * may lie below another one or be bound to several places: as long as one goes, look again.
 */
static void detach_all(const dev_t *devs, size_t n)
{
	struct detach d = {.devs = devs, .n_devs = n};

	do {
		d.n_done = 0;
		if (mountinfo_each("self", detach_one, &d))
			return;
	} while (d.n_done);
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle);
}

void fs_stop(struct fs *fs)
{
	struct fs_mount *m;
	size_t n = 0, i = 0;
	dev_t *devs;

	TAILQ_FOREACH(m, &fs->mounts, link)
		n++;
	devs = calloc(n + 1, sizeof(*devs));
	while ((m = TAILQ_FIRST(&fs->mounts))) {
		if (devs)
			devs[i++] = m->dev;
		mount_end(m);
	}
	uv_timer_stop(fs->try_again);
	uv_close((uv_handle_t *)fs->try_again, on_timer_closed);
	if (devs && n)
		detach_all(devs, n);
	free(devs);
}

void fs_free(struct fs *fs)
{
	free(fs->request.mem);
	free(fs->out);
	free(fs);
}
