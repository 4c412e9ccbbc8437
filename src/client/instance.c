// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What concerns hierarchies, mounts and the daemon as a whole.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <client/internal.h>

#define END_MS 5000 /* for a process to end that has said good-bye */

int ucgroup_query(struct ucgroup *c, enum ucgroup_query kind, const char *dir, char **json)
{
	struct wire_request req = {.op = WIRE_QUERY, .query = kind};
	struct dir d = {.wire.kind = WIRE_DIR_NONE, .wire.path = ""};
	struct reply reply;
	int rc = 0;

	if (kind == UCGROUP_TREE)
		rc = dir ? dir_find(dir, &d) : -EINVAL;
	req.dir = d.wire;
	if (!rc)
		rc = exchange(c, &req, &reply, NULL);
	dir_free(&d);
	if (rc)
		return rc;
	*json = strndup((const char *)reply.r.p, (size_t)(reply.r.end - reply.r.p));
	reply_free(&reply);
	return *json ? 0 : -ENOMEM;
}

int ucgroup_mount(struct ucgroup *c, const char *options, const char *source, unsigned int flags,
		  int *fd, char **what)
{
	struct wire_request req = {
		.op = WIRE_MOUNT, .options = options, .source = source, .flags = flags};
	struct reply reply;
	int rc;

	rc = exchange(c, &req, &reply, what);
	if (rc)
		return rc;
	if (reply.fd < 0)
		rc = -EBADMSG;
	*fd = reply.fd;
	reply.fd = -1;
	reply_free(&reply);
	return rc;
}

int ucgroup_remount(struct ucgroup *c, const char *dir, const char *options, char **what)
{
	struct wire_request req = {.op = WIRE_REMOUNT, .options = options};
	struct dir d;
	int rc;

	if (what)
		*what = NULL;
	rc = dir_find(dir, &d);
	req.dir = d.wire;
	if (!rc)
		rc = exchange_plain(c, &req, what);
	dir_free(&d);
	return rc;
}

int ucgroup_sync(struct ucgroup *c)
{
	struct wire_request req = {.op = WIRE_SYNC};

	return exchange_plain(c, &req, NULL);
}

/* Becomes readable when the daemon's process has ended; -1: it cannot be seen from here. */
static int open_daemon(const struct ucgroup *c)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (c->fd < 0 || getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || cred.pid <= 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, cred.pid, 0);
}

int ucgroup_shutdown(struct ucgroup *c, char **what)
{
	struct wire_request req = {.op = WIRE_SHUTDOWN};
	struct pollfd end = {.fd = open_daemon(c), .events = POLLIN};
	int rc;

	rc = exchange_plain(c, &req, what);
	/* All is gone but the process, which has nothing left to do. */
	if (!rc && end.fd >= 0)
		poll(&end, 1, END_MS);
	if (end.fd >= 0)
		close(end.fd);
	return rc;
}
