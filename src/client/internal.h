/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * internal.h - what the files of libucgroup share.
 */
#ifndef UCGROUP_CLIENT_INTERNAL_H
#define UCGROUP_CLIENT_INTERNAL_H

#include <pthread.h>

#include <ucgroup/ucgroup.h>
#include <wire/wire.h>

struct ucgroup {
	pthread_mutex_t lock; /* held for one exchange: everything below but `path` */
	int fd;
	uint32_t seq;
	pid_t pid; /* who connected: the daemon judges requests by that process */
	struct wire_buf out, in;
	unsigned int pause; /* of transport_receive() */
	char *path;	    /* of the socket */
	char *instance;
};

/* ---- transport.c ------------------------------------------------------------------------------ */

int transport_connect(const char *path, int *fd);
int transport_send(int fd, const struct wire_buf *b);
/*
 * One whole frame into B, which keeps what came in after it for the next call: give it the length
 * of the frame before, *USED. A descriptor that comes along goes into *PASSED (NULL: is closed).
 * PAUSE (NULL: the answer may take any time) is for how many more frames it is not tried to have them
 * without sleeping. -ECONNRESET: the daemon ended; -EBADMSG.
 */
int transport_receive(int fd, struct wire_buf *b, size_t *used, struct wire_header *h, int *passed,
		      unsigned int *pause);

/* ---- exchange.c ------------------------------------------------------------------------------- */

/* What came back, to be freed with reply_free(). */
struct reply {
	struct wire_buf frame; /* owned: it was taken out of the connection */
	size_t len;
	struct wire_reader r; /* at the payload */
	int fd;		      /* -1: none came along */
};
void reply_free(struct reply *reply);
/*
 * Send REQ and wait for its answer. The error of either; *WHAT (may be NULL) is the message that
 * came with the daemon's.
 */
int exchange(struct ucgroup *c, struct wire_request *req, struct reply *reply, char **what);
/* The same where nothing but success matters. */
int exchange_plain(struct ucgroup *c, struct wire_request *req, char **what);
/* Another connection to the same daemon. */
int connect_again(struct ucgroup *c, struct ucgroup **again);

/* ---- dir.c ------------------------------------------------------------------------------------ */

/* What DIR names, for the wire. Holds memory: dir_free(). */
struct dir {
	struct wire_dir wire;
	char *memory;
};
int dir_find(const char *dir, struct dir *d);
/* DIR need not exist: all but its last component is looked up here, that one by the daemon. */
int dir_find_parent(const char *dir, struct dir *d);
void dir_free(struct dir *d);

#endif
