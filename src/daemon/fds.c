// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * File descriptors that subsystems listen to.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon.h"

struct listening {
	LIST_ENTRY(listening) link;
	uv_poll_t poll; /* first handle of uv in it: freed when that is closed */
	int fd;
	void (*fn)(void *arg, int fd);
	void *arg;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct listening *l = poll->data;

	(void)status;
	(void)events;
	l->fn(l->arg, l->fd);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static int stop(struct daemon *d, int fd)
{
	struct listening *l;

	LIST_FOREACH(l, &d->listening, link)
		if (l->fd == fd)
			break;
	if (!l)
		return -ENOENT;
	LIST_REMOVE(l, link);
	/* At the end the loop has gone before the subsystems do, and closed it. */
	if (d->loop_ready)
		uv_close((uv_handle_t *)&l->poll, on_closed);
	else
		free(l);
	return 0;
}

int fds_watch(struct daemon *d, int fd, void (*fn)(void *arg, int fd), void *arg)
{
	struct listening *l;
	int rc;

	if (!fn)
		return stop(d, fd);
	if (!d->loop_ready)
		return -ENOTSUP;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->fd = fd;
	l->fn = fn;
	l->arg = arg;
	rc = uv_poll_init(&d->loop, &l->poll, fd);
	if (rc) {
		free(l);
		return rc;
	}
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE, on_readable);
	LIST_INSERT_HEAD(&d->listening, l, link);
	return 0;
}
