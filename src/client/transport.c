// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Bytes to and from the daemon's socket, blocking.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <client/internal.h>

#define READ_SIZE 65536
/*
 * The daemon answers within microseconds, sooner than we could be put to sleep and woken. So it is
 * looked for an answer some times before; if in vain, not for the next so many answers.
 */
#define TRIES 40
#define PAUSE 64

int transport_connect(const char *path, int *out)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		if (errno == EINTR)
			continue;
		err = -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int transport_send(int fd, const struct wire_buf *b)
{
	size_t sent = 0;
	ssize_t n;

	while (sent < b->len) {
		n = send(fd, b->data + sent, b->len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE ? -ECONNRESET : -errno;
		sent += (size_t)n;
	}
	return 0;
}

static void take_passed(struct msghdr *msg, int *passed)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int fd;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (passed && *passed < 0)
		*passed = fd;
	else
		close(fd);
}

/* At least one more byte into B. TRIES: look so often; 0: wait for it. -EAGAIN: not there yet. */
static int receive_some(int fd, struct wire_buf *b, int *passed, unsigned int tries)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	unsigned char data[READ_SIZE];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | (tries ? MSG_DONTWAIT : 0));
	while (n < 0 && (errno == EINTR || (errno == EAGAIN && tries && --tries)));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ECONNRESET;
	take_passed(&msg, passed);
	wire_put(b, data, (size_t)n);
	return b->error;
}

/*
 * Not in recvmsg() itself: that wakes up when the daemon takes our request, too, because there is room
 * for another one then.
 */
static void wait_for_more(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	poll(&pfd, 1, -1);
}

static int receive_more(int fd, struct wire_buf *b, int *passed, unsigned int *pause)
{
	int rc = -EAGAIN;

	if (pause && !*pause) {
		rc = receive_some(fd, b, passed, TRIES);
		*pause = rc == -EAGAIN ? PAUSE : 0;
	} else if (pause) {
		--*pause;
	}
	if (rc != -EAGAIN)
		return rc;
	wait_for_more(fd);
	return receive_some(fd, b, passed, 0);
}

int transport_receive(int fd, struct wire_buf *b, size_t *used, struct wire_header *h, int *passed,
		      unsigned int *pause)
{
	int rc;

	if (*used) {
		memmove(b->data, b->data + *used, b->len - *used);
		b->len -= *used;
		*used = 0;
	}
	for (;;) {
		rc = wire_peek(b->data, b->len, WIRE_MAX_REPLY, h);
		if (rc < 0)
			return rc;
		if (rc)
			break;
		rc = receive_more(fd, b, passed, pause);
		if (rc)
			return rc;
	}
	*used = h->len;
	return 0;
}
