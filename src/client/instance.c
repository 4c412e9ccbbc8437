// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What concerns hierarchies, mounts and the daemon as a whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <client/internal.h>

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

int ucgroup_shutdown(struct ucgroup *c, char **what)
{
	struct wire_request req = {.op = WIRE_SHUTDOWN};
	char c1;
	int rc;

	rc = exchange_plain(c, &req, what);
	/* The process itself ends right after its last word; then its descriptors are closed, too. */
	while (!rc && recv(c->fd, &c1, 1, 0) < 0 && errno == EINTR)
		;
	return rc;
}
