// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The requests about mounts and about the end of the daemon. They are the owner's alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"

static bool refuse_others(struct client *c, const struct wire_request *req, const char *message)
{
	if (c->peer.admin)
		return false;
	client_reply(c, req->op, req->seq, -EPERM, message);
	return true;
}

/* The mount's descriptor, or -errno and *WHAT. */
static int mount_hierarchy(struct client *c, const struct wire_request *req, char **what)
{
	struct daemon *d = c->d;
	struct core_cred cred = peer_cred(&c->peer);
	struct core_mount_opts opts;
	struct fs_flags flags = {0};
	struct fs_mount *m;
	struct hierarchy *h;
	char *own;
	int rc;

	own = fs_take_generic(req->options, &flags);
	if (!own)
		return -ENOMEM;
	rc = core_mount_opts_parse(d->core, own, &opts, what);
	free(own);
	if (rc)
		return rc;
	rc = core_mount(d->core, &opts, &cred, &h, what);
	core_mount_opts_clear(&opts);
	if (rc)
		return rc;
	rc = fs_mount(d->fs, h, req->source, &flags, &m, what);
	if (rc < 0)
		core_umount(d->core, h);
	return rc;
}

static int mount_proc(struct client *c, const struct wire_request *req, char **what)
{
	struct fs_flags flags = {0};
	struct fs_mount *m;
	char *own;
	int rc;

	own = fs_take_generic(req->options, &flags);
	if (!own)
		return -ENOMEM;
	if (*own && asprintf(what, "%s: the view of /proc has no options of its own", own) < 0)
		*what = NULL;
	rc = *own ? -EINVAL : fs_mount_proc(c->d->fs, req->source, &flags, &m, what);
	free(own);
	return rc;
}

void handle_mount(struct client *c, const struct wire_request *req)
{
	char *what = NULL;
	int fd;

	if (refuse_others(c, req, "only root and the instance's owner may mount"))
		return;
	fd = req->flags & WIRE_MOUNT_PROC ? mount_proc(c, req, &what) :
					    mount_hierarchy(c, req, &what);
	if (fd >= 0) {
		/*
		 * It goes with the first byte of the reply. Until then no further request of this
		 * client is handled, so there is one at a time.
		 */
		c->out_fd = fd;
		c->out_fd_at = c->out.len;
	}
	client_reply(c, req->op, req->seq, fd < 0 ? fd : 0, fd < 0 ? what : NULL);
	free(what);
}

void handle_remount(struct client *c, const struct wire_request *req)
{
	struct core_cred cred = peer_cred(&c->peer);
	struct core_mount_opts opts = {0};
	struct fs_flags flags = {0};
	struct cgroup *cgrp;
	char *own = NULL, *what = NULL;
	int rc;

	if (refuse_others(c, req, "only root and the instance's owner may remount"))
		return;
	rc = dir_resolve(c, &req->dir, &cgrp);
	if (!rc) {
		own = fs_take_generic(req->options, &flags);
		rc = own ? core_mount_opts_parse(c->d->core, own, &opts, &what) : -ENOMEM;
	}
	if (!rc)
		rc = core_remount(c->d->core, cgroup_hierarchy(cgrp), &opts, &cred, &what);
	client_reply(c, req->op, req->seq, rc, rc ? what : NULL);
	core_mount_opts_clear(&opts);
	free(own);
	free(what);
}

void handle_shutdown(struct client *c, const struct wire_request *req)
{
	struct daemon *d = c->d;

	if (refuse_others(c, req, "only root and the instance's owner may stop the daemon"))
		return;
	if (d->asker_fd >= 0) {
		client_reply(c, req->op, req->seq, -EALREADY, "the daemon is stopping already");
		return;
	}
	/* Answered when all is gone, and by then this client is gone too. */
	d->asker_fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 3);
	d->asker_seq = req->seq;
	shutdown_begin(d);
}
