// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Connections, and one request with its reply.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <client/internal.h>
#include <wire/paths.h>

void reply_free(struct reply *reply)
{
	wire_buf_free(&reply->frame);
	if (reply->fd >= 0)
		close(reply->fd);
	reply->fd = -1;
}

/* Take the frame of USED bytes out of the connection. Events may have come in right behind it. */
static int take_frame(struct ucgroup *c, size_t used, struct reply *reply)
{
	struct wire_buf rest = {0};

	wire_put(&rest, c->in.data + used, c->in.len - used);
	if (rest.error)
		return rest.error;
	reply->frame = c->in;
	reply->len = used;
	c->in = rest;
	wire_payload(reply->frame.data, used, &reply->r);
	return 0;
}

/* The daemon's answer to SEQ, lock held. A connection whose stream went wrong is of no more use. */
static int receive_reply(struct ucgroup *c, uint32_t seq, unsigned int op, struct reply *reply)
{
	struct wire_header h;
	size_t used = 0;
	int rc;

	c->in.len = 0;
	rc = transport_receive(c->fd, &c->in, &used, &h, &reply->fd, &c->pause);
	/* An answer to nothing in particular says why the daemon ends the connection. */
	if (!rc && h.seq == 0 && h.op == WIRE_REPLY && h.error < 0)
		rc = h.error;
	else if (!rc && (h.seq != seq || h.op != (op | WIRE_REPLY)))
		rc = -EBADMSG;
	if (!rc)
		rc = take_frame(c, used, reply);
	if (rc) {
		close(c->fd);
		c->fd = -1;
		return rc;
	}
	return h.error;
}

int exchange(struct ucgroup *c, struct wire_request *req, struct reply *reply, char **what)
{
	int rc;

	memset(reply, 0, sizeof(*reply));
	reply->fd = -1;
	if (what)
		*what = NULL;
	if (c->pid != getpid())
		return -EBADF;
	pthread_mutex_lock(&c->lock);
	req->seq = ++c->seq ? c->seq : ++c->seq;
	c->out.len = 0;
	rc = c->fd < 0 ? -ECONNRESET : wire_encode_request(&c->out, req);
	if (!rc)
		rc = transport_send(c->fd, &c->out);
	if (!rc)
		rc = receive_reply(c, req->seq, req->op, reply);
	pthread_mutex_unlock(&c->lock);
	if (rc && what && reply->len > WIRE_HEADER_SIZE)
		*what = strdup(wire_get_str(&reply->r));
	if (rc)
		reply_free(reply);
	return rc;
}

int exchange_plain(struct ucgroup *c, struct wire_request *req, char **what)
{
	struct reply reply;
	int rc = exchange(c, req, &reply, what);

	if (!rc)
		reply_free(&reply);
	return rc;
}

/* ---- connecting ------------------------------------------------------------------------------- */

static int greet(struct ucgroup *c, char **what)
{
	struct wire_request req = {.op = WIRE_HELLO, .version = WIRE_VERSION};
	struct reply reply;
	int rc;

	rc = exchange(c, &req, &reply, what);
	if (rc)
		return rc;
	if (wire_get_u32(&reply.r) != WIRE_VERSION)
		rc = -EPROTO;
	c->instance = strdup(wire_get_str(&reply.r));
	if (!rc && !c->instance)
		rc = -ENOMEM;
	reply_free(&reply);
	return rc;
}

static int connect_to(const char *path, struct ucgroup **out, char **what)
{
	struct ucgroup *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->fd = -1;
	pthread_mutex_init(&c->lock, NULL);
	c->pid = getpid();
	c->path = strdup(path);
	rc = c->path ? transport_connect(path, &c->fd) : -ENOMEM;
	if (!rc)
		rc = greet(c, what);
	if (rc) {
		ucgroup_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

static int connect_uid(uid_t uid, const char *instance, struct ucgroup **c, char **what)
{
	char path[PATH_MAX];
	size_t len;
	int rc;

	rc = paths_run_dir(uid, instance, path, sizeof(path));
	if (rc)
		return rc;
	len = strlen(path);
	if ((size_t)snprintf(path + len, sizeof(path) - len, "/%s", PATHS_SOCKET) >=
	    sizeof(path) - len)
		return -ENAMETOOLONG;
	return connect_to(path, c, what);
}

int ucgroup_connect(const char *instance, struct ucgroup **c, char **what)
{
	uid_t uid = geteuid();
	int rc = -ENOENT;

	if (what)
		*what = NULL;
	if (!instance)
		instance = getenv("UCGROUP_INSTANCE");
	if (!instance || !*instance)
		instance = PATHS_DEFAULT_INSTANCE;
	if (uid != 0)
		rc = connect_uid(uid, instance, c, what);
	/* A group that root has handed over is in root's instance. */
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		rc = connect_uid(0, instance, c, what);
	return rc;
}

int connect_again(struct ucgroup *c, struct ucgroup **again)
{
	return c->pid == getpid() ? connect_to(c->path, again, NULL) : -EBADF;
}

void ucgroup_close(struct ucgroup *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	wire_buf_free(&c->in);
	wire_buf_free(&c->out);
	pthread_mutex_destroy(&c->lock);
	free(c->path);
	free(c->instance);
	free(c);
}

const char *ucgroup_instance(const struct ucgroup *c)
{
	return c->instance;
}
