// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Waiting for cgroups to become idle, listening to releases, and the settings of releases.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <client/internal.h>

int ucgroup_wait_idle(struct ucgroup *c, const char *dir, int timeout_ms)
{
	struct wire_request req = {
		.op = WIRE_WAIT,
		.timeout_ms = timeout_ms < 0 ? WIRE_FOREVER : (uint32_t)timeout_ms,
	};
	struct ucgroup *own;
	struct dir d;
	int rc;

	rc = dir_find(dir, &d);
	req.dir = d.wire;
	/* A connection of its own: others go on using C meanwhile. */
	if (!rc)
		rc = connect_again(c, &own);
	if (!rc) {
		rc = exchange_plain(own, &req, NULL);
		ucgroup_close(own);
	}
	dir_free(&d);
	return rc;
}

/* ---- listening -------------------------------------------------------------------------------- */

struct ucgroup_watch {
	struct ucgroup *c;
	size_t used; /* of c->in: the event handed out last */
};

int ucgroup_watch_open(struct ucgroup *c, const char *dir, struct ucgroup_watch **out)
{
	struct wire_request req = {.op = WIRE_WATCH};
	struct ucgroup_watch *w = calloc(1, sizeof(*w));
	struct dir d = {.wire.kind = WIRE_DIR_NONE, .wire.path = ""};
	int rc = w ? 0 : -ENOMEM;

	if (!rc && dir)
		rc = dir_find(dir, &d);
	if (!rc)
		rc = connect_again(c, &w->c);
	if (!rc) {
		req.dir = d.wire;
		rc = exchange_plain(w->c, &req, NULL);
	}
	dir_free(&d);
	if (rc)
		ucgroup_watch_close(w);
	else
		*out = w;
	return rc;
}

int ucgroup_watch_fd(const struct ucgroup_watch *w)
{
	return w->c->fd;
}

/* Is there something to read, or an event that came in with an earlier one? */
static int wait_for_input(struct ucgroup_watch *w, int timeout_ms)
{
	struct pollfd p = {.fd = w->c->fd, .events = POLLIN};
	struct wire_header h;
	int rc;

	if (w->c->in.len > w->used &&
	    wire_peek(w->c->in.data + w->used, w->c->in.len - w->used, WIRE_MAX_REPLY, &h))
		return 0;
	rc = poll(&p, 1, timeout_ms);
	if (rc < 0)
		return -errno;
	return rc ? 0 : -EAGAIN;
}

int ucgroup_watch_next(struct ucgroup_watch *w, int timeout_ms, struct ucgroup_event *ev)
{
	struct wire_event e;
	struct wire_header h;
	int rc;

	rc = wait_for_input(w, timeout_ms);
	if (!rc)
		rc = transport_receive(w->c->fd, &w->c->in, &w->used, &h, NULL, NULL);
	if (!rc)
		rc = wire_decode_event(w->c->in.data, w->used, &e);
	if (rc)
		return rc;
	ev->type = (enum ucgroup_event_type)e.type;
	ev->time_ns = e.time_ns;
	ev->status = e.status;
	ev->hierarchy = e.hierarchy;
	ev->path = e.path;
	ev->agent = e.agent;
	return 0;
}

void ucgroup_watch_close(struct ucgroup_watch *w)
{
	if (!w)
		return;
	ucgroup_close(w->c);
	free(w);
}

/* ---- settings --------------------------------------------------------------------------------- */

static int settings(struct ucgroup *c, struct wire_request *req, const char *dir,
		    struct ucgroup_settings *out)
{
	struct wire_settings s;
	struct reply reply;
	struct dir d;
	int rc;

	rc = dir_find(dir, &d);
	req->dir = d.wire;
	if (!rc)
		rc = exchange(c, req, &reply, NULL);
	dir_free(&d);
	if (rc)
		return rc;
	wire_get_settings(&reply.r, &s);
	rc = wire_reader_end(&reply.r);
	if (!rc && out) {
		out->notify_on_release = s.notify != 0;
		out->release_agent = strdup(s.agent);
		rc = out->release_agent ? 0 : -ENOMEM;
	}
	reply_free(&reply);
	return rc;
}

int ucgroup_get_settings(struct ucgroup *c, const char *dir, struct ucgroup_settings *s)
{
	struct wire_request req = {.op = WIRE_GET};

	return settings(c, &req, dir, s);
}

int ucgroup_set_notify(struct ucgroup *c, const char *dir, int notify_on_release)
{
	struct wire_request req = {
		.op = WIRE_SET,
		.set = {.mask = WIRE_SET_NOTIFY, .notify = notify_on_release != 0},
	};

	return settings(c, &req, dir, NULL);
}

int ucgroup_set_release_agent(struct ucgroup *c, const char *dir, const char *agent)
{
	struct wire_request req = {
		.op = WIRE_SET,
		.set = {.mask = WIRE_SET_AGENT, .agent = agent},
	};

	return settings(c, &req, dir, NULL);
}
