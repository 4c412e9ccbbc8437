// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clients that wait for a cgroup to become idle, and clients that listen to events.
 *
 * A wait is looked at before each time the loop goes to sleep. Whatever can make a cgroup idle ends
 * a sleep: a request, a hook that saw a css_set empty, a reference that was put. While nobody waits,
 * nothing is looked at.
 */
#include <errno.h>
#include <stdlib.h>

#include "client.h"

#define MAX_WAITS_A_CLIENT 1024
#define MAX_BACKLOG (4u << 20) /* bytes of events a listener may leave unread */

struct wait {
	LIST_ENTRY(wait) link;
	struct client *client;
	uint32_t seq;
	uint64_t cgroup;   /* serial */
	uint64_t deadline; /* of the loop's clock; UINT64_MAX: none */
};

struct watch {
	LIST_ENTRY(watch) link;
	struct client *client;
	uint32_t seq;
	uint64_t cgroup; /* serial; 0: everything */
	bool lost;	 /* events were dropped and it has not been told */
};

struct waits {
	struct daemon *d;
	uv_timer_t timer;
	LIST_HEAD(, wait) waits;
	LIST_HEAD(, watch) watches;
	unsigned int n_watches;
};

/* ---- waiting ---------------------------------------------------------------------------------- */

static void wait_free(struct wait *w)
{
	w->client->n_waits--;
	LIST_REMOVE(w, link);
	free(w);
}

static void answer(struct wait *w, int error)
{
	struct client *c = w->client;

	client_reply(c, WIRE_WAIT, w->seq, error, NULL);
	wait_free(w);
	client_flush(c);
}

static void on_timer(uv_timer_t *timer)
{
	(void)timer; /* It only ends the sleep: waits_look() comes before the next. */
}

void waits_look(struct daemon *d)
{
	struct waits *ws = d->waits;
	uint64_t now = uv_now(&ws->d->loop), next = UINT64_MAX;
	struct wait *w, *after;
	struct cgroup *cgrp;

	for (w = LIST_FIRST(&ws->waits); w; w = after) {
		after = LIST_NEXT(w, link);
		cgrp = core_cgroup_by_serial(ws->d->core, w->cgroup);
		if (!cgrp || cgroup_is_idle(cgrp))
			answer(w, 0);
		else if (w->deadline <= now)
			answer(w, -ETIMEDOUT);
		else if (w->deadline < next)
			next = w->deadline;
	}
	if (next != UINT64_MAX)
		uv_timer_start(&ws->timer, on_timer, next - now, 0);
	else
		uv_timer_stop(&ws->timer);
}

int waits_add(struct client *client, uint32_t seq, struct cgroup *cgrp, uint32_t ms)
{
	struct waits *ws = client->d->waits;
	struct wait *w;

	if (client->n_waits >= MAX_WAITS_A_CLIENT)
		return -EAGAIN;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->client = client;
	w->seq = seq;
	w->cgroup = cgroup_serial(cgrp);
	w->deadline = ms == WIRE_FOREVER ? UINT64_MAX : uv_now(&ws->d->loop) + ms;
	LIST_INSERT_HEAD(&ws->waits, w, link);
	client->n_waits++;
	return 0;
}

/* ---- listening -------------------------------------------------------------------------------- */

int watch_add(struct client *client, uint32_t seq, struct cgroup *cgrp)
{
	struct waits *ws = client->d->waits;
	struct watch *w;

	if (client->n_waits >= MAX_WAITS_A_CLIENT)
		return -EAGAIN;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->client = client;
	w->seq = seq;
	w->cgroup = cgrp ? cgroup_serial(cgrp) : 0;
	LIST_INSERT_HEAD(&ws->watches, w, link);
	ws->n_watches++;
	client->n_waits++;
	return 0;
}

/* Would an `ls` have shown it the cgroup? */
static bool may_know(const struct peer *peer, const struct cgroup *cgrp)
{
	const struct cgroup *parent = cgroup_parent(cgrp);

	if (!parent)
		return true;
	return !peer_may_reach(peer, parent) && !peer_may(peer, parent, NULL, MAY_READ);
}

static bool wants(const struct watch *w, const struct cgroup *cgrp)
{
	struct cgroup *top;

	if (!cgrp)
		return !w->cgroup && w->client->peer.owner;
	if (w->cgroup) {
		top = core_cgroup_by_serial(w->client->d->core, w->cgroup);
		if (!top || cgroup_hierarchy(top) != cgroup_hierarchy(cgrp) ||
		    !cgroup_is_descendant(cgrp, top))
			return false;
	}
	return may_know(&w->client->peer, cgrp);
}

static void send_event(struct watch *w, const struct wire_event *ev)
{
	struct client *c = w->client;
	struct wire_event lost = {.type = WIRE_EVENT_LOST, .time_ns = ev->time_ns};

	/* Whoever does not read must not make the daemon grow. It is told that it missed some. */
	if (client_backlog(c) > MAX_BACKLOG) {
		w->lost = true;
		return;
	}
	if (w->lost && wire_encode_event(&c->out, w->seq, &lost))
		return;
	w->lost = wire_encode_event(&c->out, w->seq, ev) != 0;
	client_flush(c);
}

void watch_tell(struct daemon *d, const struct wire_event *ev, struct cgroup *cgrp)
{
	struct watch *w, *after;

	for (w = LIST_FIRST(&d->waits->watches); w; w = after) {
		after = LIST_NEXT(w, link);
		if (!w->client->closing && wants(w, cgrp))
			send_event(w, ev);
	}
}

unsigned int waits_n_watches(const struct daemon *d)
{
	return d->waits->n_watches;
}

/* ---- both ------------------------------------------------------------------------------------- */

void waits_forget(struct client *client)
{
	struct waits *ws = client->d->waits;
	struct wait *w, *w_next;
	struct watch *l, *l_next;

	for (w = LIST_FIRST(&ws->waits); w && client->n_waits; w = w_next) {
		w_next = LIST_NEXT(w, link);
		if (w->client == client)
			wait_free(w);
	}
	for (l = LIST_FIRST(&ws->watches); l && client->n_waits; l = l_next) {
		l_next = LIST_NEXT(l, link);
		if (l->client != client)
			continue;
		LIST_REMOVE(l, link);
		ws->n_watches--;
		client->n_waits--;
		free(l);
	}
}

int waits_start(struct daemon *d)
{
	struct waits *ws = calloc(1, sizeof(*ws));

	if (!ws)
		return -ENOMEM;
	ws->d = d;
	LIST_INIT(&ws->waits);
	LIST_INIT(&ws->watches);
	uv_timer_init(&d->loop, &ws->timer);
	d->waits = ws;
	return 0;
}

void waits_stop(struct daemon *d)
{
	if (!d->waits)
		return;
	uv_close((uv_handle_t *)&d->waits->timer, NULL);
}

void waits_free(struct daemon *d)
{
	free(d->waits);
	d->waits = NULL;
}
