// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket: accepts connections, cuts what they send into frames, has them handled, and
 * sends what comes of it.
 *
 * Invariant: nothing a client sends, or fails to read, stops or grows the daemon without bound. A
 * malformed request is answered with an error, a frame whose end cannot be found ends its
 * connection, and who does not take its replies is not read from until it does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "client.h"

#define MAX_CLIENTS 512
#define MAX_CLIENTS_A_USER 64 /* for each uid that is not the owner's */
#define READ_SIZE 65536
#define MAX_UNREAD (1u << 20) /* bytes of replies that may wait before no more requests are read */
#define KEEP_BUFFER 65536     /* a bigger buffer is given back when it is empty */
#define ACCEPTS_A_TURN 16     /* then those who are connected have theirs */
#define ACCEPT_PAUSE_MS 100   /* when there are no descriptors left */
#define TRY_AGAIN_MS 5	      /* a request that could not be done yet */

struct control {
	struct daemon *d;
	int fd;
	uv_poll_t poll;
	uv_timer_t pause, try_again;
	LIST_HEAD(, client) clients;
	unsigned int n_clients;
};

static void on_client(uv_poll_t *poll, int status, int events);

/* ---- output ----------------------------------------------------------------------------------- */

size_t client_begin(struct client *c, unsigned int op, uint32_t seq, int error)
{
	return wire_begin(&c->out, op, seq, error);
}

void client_end(struct client *c, size_t start)
{
	struct wire_header h = {0};
	int rc;

	if (c->out.len >= start + sizeof(h))
		memcpy(&h, c->out.data + start, sizeof(h));
	rc = wire_end(&c->out, start);
	if (rc)
		client_reply(c, h.op & ~WIRE_REPLY, h.seq, rc == -EMSGSIZE ? -EFBIG : rc, NULL);
}

void client_reply(struct client *c, enum wire_op op, uint32_t seq, int error, const char *message)
{
	size_t start = wire_begin(&c->out, op | WIRE_REPLY, seq, error);

	if (message)
		wire_put_str(&c->out, message);
	/* Without even these bytes of memory the client would wait for ever. */
	if (wire_end(&c->out, start))
		c->closing = true;
}

size_t client_backlog(const struct client *c)
{
	return c->out.len - c->out_sent;
}

void client_forget_moves(struct client *c)
{
	free(c->moves);
	c->moves = NULL;
}

static void on_client_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	struct control *ctl = c->d->control;

	waits_forget(c);
	LIST_REMOVE(c, link);
	ctl->n_clients--;
	close(c->fd);
	if (c->out_fd >= 0)
		close(c->out_fd);
	wire_buf_free(&c->in);
	wire_buf_free(&c->out);
	client_forget_moves(c);
	peer_clear(&c->peer);
	free(c);
}

/* The rest of it goes in a later turn of the loop: who is using C now may finish. */
static void client_close(struct client *c)
{
	c->closing = true;
	if (!uv_is_closing((uv_handle_t *)&c->poll))
		uv_close((uv_handle_t *)&c->poll, on_client_closed);
}

static ssize_t send_some(struct client *c)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {c->out.data + c->out_sent, c->out.len - c->out_sent};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;
	ssize_t n;

	/* A descriptor belongs to the first byte of its reply. */
	if (c->out_fd >= 0 && c->out_fd_at > c->out_sent)
		iov.iov_len = c->out_fd_at - c->out_sent;
	else if (c->out_fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &c->out_fd, sizeof(int));
	}
	n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if (msg.msg_control) {
		close(c->out_fd);
		c->out_fd = -1;
	}
	return n;
}

static void set_events(struct client *c)
{
	int events = 0;

	if (client_backlog(c))
		events |= UV_WRITABLE;
	if (client_backlog(c) < MAX_UNREAD && c->out_fd < 0 && !c->waiting)
		events |= UV_READABLE;
	if (events == c->events)
		return;
	c->events = events;
	uv_poll_start(&c->poll, events, on_client);
}

void client_flush(struct client *c)
{
	ssize_t n = 0;

	while (!c->closing && client_backlog(c)) {
		n = send_some(c);
		if (n == -EINTR)
			continue;
		if (n < 0)
			break;
		c->out_sent += (size_t)n;
	}
	if (c->closing || (n < 0 && n != -EAGAIN)) {
		client_close(c);
		return;
	}
	if (!client_backlog(c)) {
		c->out.len = 0;
		c->out_sent = 0;
		if (c->out.cap > KEEP_BUFFER)
			wire_buf_free(&c->out);
	}
	set_events(c);
}

/* ---- input ------------------------------------------------------------------------------------ */

static void greet(struct client *c, const struct wire_request *req)
{
	char text[128];
	size_t start;

	if (req->version != WIRE_VERSION) {
		snprintf(text, sizeof(text),
			 "the daemon (ucgroupd %s) speaks version %u of the control protocol, not "
			 "%u; use programs of one release",
			 UCGROUP_VERSION, WIRE_VERSION, req->version);
		client_reply(c, WIRE_HELLO, req->seq, -EPROTO, text);
		return;
	}
	c->greeted = true;
	start = client_begin(c, WIRE_HELLO | WIRE_REPLY, req->seq, 0);
	wire_put_u32(&c->out, WIRE_VERSION);
	wire_put_str(&c->out, c->d->opts.instance);
	client_end(c, start);
}

static void on_try_again(uv_timer_t *timer);

static void wait_a_little(struct client *c)
{
	c->waiting = true;
	uv_timer_start(&c->d->control->try_again, on_try_again, TRY_AGAIN_MS, 0);
}

static void handle_frame(struct client *c, const void *frame, size_t len)
{
	struct wire_request req;
	int rc = wire_decode_request(frame, len, &req);

	if (rc)
		client_reply(c, req.op & ~WIRE_REPLY, req.seq, rc, NULL);
	else if (req.op == WIRE_HELLO)
		greet(c, &req);
	else if (!c->greeted)
		client_reply(c, req.op, req.seq, -EPROTO, "a connection starts with a hello");
	else if (!handle_request(c, &req))
		wait_a_little(c);
}

/* Handle the whole frames among LEN bytes. How many bytes that took, or -errno. */
static ssize_t handle_frames(struct client *c, const unsigned char *data, size_t len)
{
	struct wire_header h;
	size_t done = 0;
	int rc = 0;

	while (!c->closing && c->out_fd < 0 && client_backlog(c) < MAX_UNREAD) {
		rc = wire_peek(data + done, len - done, WIRE_MAX_REQUEST, &h);
		if (rc <= 0)
			break;
		c->waiting = false;
		handle_frame(c, data + done, h.len);
		if (c->waiting)
			return (ssize_t)done;
		done += h.len;
		rc = 0;
	}
	if (rc < 0) {
		client_reply(c, 0, 0, rc, "not a frame of the control protocol");
		return rc;
	}
	return (ssize_t)done;
}

/* What is left over after DONE bytes of DATA waits in c->in. */
static void keep_rest(struct client *c, const unsigned char *data, size_t len, size_t done)
{
	if (data == c->in.data) {
		memmove(c->in.data, c->in.data + done, len - done);
		c->in.len = len - done;
		if (!c->in.len && c->in.cap > KEEP_BUFFER)
			wire_buf_free(&c->in);
		return;
	}
	wire_put(&c->in, data + done, len - done);
	if (c->in.error)
		client_close(c);
}

static void take_input(struct client *c, const unsigned char *data, size_t len)
{
	ssize_t done;

	if (c->in.len) {
		wire_put(&c->in, data, len);
		if (c->in.error) {
			client_close(c);
			return;
		}
		data = c->in.data;
		len = c->in.len;
	}
	done = handle_frames(c, data, len);
	if (done < 0) {
		client_flush(c);
		client_close(c);
		return;
	}
	keep_rest(c, data, len, (size_t)done);
}

/* Handle requests that have come in but waited for their predecessors' replies to be taken. */
static void pump(struct client *c)
{
	size_t before;

	do {
		before = c->in.len;
		if (before)
			take_input(c, NULL, 0);
		if (!c->closing)
			client_flush(c);
	} while (!c->closing && !client_backlog(c) && c->in.len && c->in.len < before);
}

static void on_try_again(uv_timer_t *timer)
{
	struct control *ctl = timer->data;
	struct client *c;

	LIST_FOREACH(c, &ctl->clients, link)
		if (c->waiting && !c->closing)
			pump(c);
}

static void read_some(struct client *c)
{
	unsigned char data[READ_SIZE];
	ssize_t n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	take_input(c, data, (size_t)n);
	if (!c->closing)
		client_flush(c);
	spin_request(c->d);
}

static void on_client(uv_poll_t *poll, int status, int events)
{
	struct client *c = poll->data;

	if (status < 0) {
		client_close(c);
		return;
	}
	if (events & UV_WRITABLE)
		client_flush(c);
	if (!c->closing && (events & UV_READABLE))
		read_some(c);
	if (!c->closing && !c->waiting && c->in.len && !client_backlog(c))
		pump(c);
}

/* ---- connections ------------------------------------------------------------------------------ */

static unsigned int clients_of(const struct control *ctl, uid_t uid)
{
	const struct client *c;
	unsigned int n = 0;

	LIST_FOREACH(c, &ctl->clients, link)
		n += c->peer.uid == uid;
	return n;
}

static void client_new(struct control *ctl, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c || peer_init(ctl->d, fd, &c->peer) || ctl->n_clients >= MAX_CLIENTS ||
	    (c->peer.uid != ctl->d->uid && clients_of(ctl, c->peer.uid) >= MAX_CLIENTS_A_USER) ||
	    uv_poll_init(&ctl->d->loop, &c->poll, fd)) {
		if (c)
			peer_clear(&c->peer);
		free(c);
		close(fd);
		return;
	}
	c->d = ctl->d;
	c->fd = fd;
	c->out_fd = -1;
	c->poll.data = c;
	LIST_INSERT_HEAD(&ctl->clients, c, link);
	ctl->n_clients++;
	set_events(c);
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
	struct control *ctl = timer->data;

	uv_poll_start(&ctl->poll, UV_READABLE, on_connection);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct control *ctl = poll->data;
	int fd, i;

	(void)events;
	if (status < 0)
		return;
	for (i = 0; i < ACCEPTS_A_TURN; i++) {
		fd = accept4(ctl->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			break;
		client_new(ctl, fd);
	}
	if (fd >= 0 || errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	/* No descriptors, no memory: asking again at once would only burn the CPU. */
	daemon_log(ctl->d, LOG_WARNING, "cannot accept a connection: %s", strerror(errno));
	uv_poll_stop(poll);
	uv_timer_start(&ctl->pause, on_pause_over, ACCEPT_PAUSE_MS, 0);
}

static int listen_at(struct daemon *d, int *out)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, n, err;

	n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", d->run_dir, PATHS_SOCKET);
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path)) {
		daemon_log(d, LOG_ERR, "%s/%s is too long for a socket's name", d->run_dir,
			   PATHS_SOCKET);
		return -ENAMETOOLONG;
	}
	/* We hold the instance's lock: one that is there was left behind. */
	unlink(addr.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Everybody may connect: each request is judged by who sent it. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    chmod(addr.sun_path, 0666) || listen(fd, 128)) {
		err = -errno;
		daemon_log(d, LOG_ERR, "cannot listen at %s: %s", addr.sun_path, strerror(-err));
		if (fd >= 0)
			close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int control_start(struct daemon *d)
{
	struct control *ctl;
	int fd = -1, rc;

	rc = listen_at(d, &fd);
	if (rc)
		return rc;
	ctl = calloc(1, sizeof(*ctl));
	if (!ctl) {
		close(fd);
		return -ENOMEM;
	}
	ctl->d = d;
	ctl->fd = fd;
	LIST_INIT(&ctl->clients);
	uv_poll_init(&d->loop, &ctl->poll, fd);
	uv_timer_init(&d->loop, &ctl->pause);
	uv_timer_init(&d->loop, &ctl->try_again);
	ctl->poll.data = ctl;
	ctl->pause.data = ctl;
	ctl->try_again.data = ctl;
	uv_poll_start(&ctl->poll, UV_READABLE, on_connection);
	d->control = ctl;
	return 0;
}

unsigned int control_n_clients(const struct daemon *d)
{
	return d->control->n_clients;
}

void control_stop(struct daemon *d)
{
	struct client *c;

	if (!d->control)
		return;
	LIST_FOREACH(c, &d->control->clients, link)
		client_close(c);
	uv_close((uv_handle_t *)&d->control->pause, NULL);
	uv_close((uv_handle_t *)&d->control->try_again, NULL);
	uv_close((uv_handle_t *)&d->control->poll, NULL);
	close(d->control->fd);
}

void control_free(struct daemon *d)
{
	free(d->control);
	d->control = NULL;
}
