/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - one connection to the control socket, and who is at its other end.
 */
#ifndef UCGROUP_DAEMON_CLIENT_H
#define UCGROUP_DAEMON_CLIENT_H

#include <sys/queue.h>

#include "daemon.h"

/* Who connected, as the kernel said then. */
struct peer {
	pid_t pid; /* in the daemon's pid namespace; 0: unknown there */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t n_groups;
	bool owner;	 /* of the instance, in the daemon's user namespace */
	bool admin;	 /* the owner, or root, in the daemon's user namespace */
	bool other_pids; /* its pid namespace is not the daemon's */
};

struct client {
	LIST_ENTRY(client) link;
	struct daemon *d;
	uv_poll_t poll;
	int fd;
	int events; /* what POLL waits for */
	struct peer peer;
	bool greeted, closing;
	bool waiting;		   /* its next request cannot be answered yet, and is tried again */
	struct core_attach *moves; /* of that request, if it is one to move; see handle.c */
	struct wire_buf in;
	struct wire_buf out;
	size_t out_sent;
	int out_fd; /* goes out with the byte at out_fd_at; -1: none */
	size_t out_fd_at;
	unsigned int n_waits;
};

/* ---- peer.c: who may do what ------------------------------------------------------------------ */

int peer_init(const struct daemon *d, int fd, struct peer *peer);
void peer_clear(struct peer *peer);
struct core_cred peer_cred(const struct peer *peer);

#define MAY_READ 4
#define MAY_WRITE 2
#define MAY_SEARCH 1
/*
 * As the kernel would judge it for a file of CGRP (CFT NULL: the directory) with these permission
 * bits. 0 or -EACCES.
 */
int peer_may(const struct peer *peer, const struct cgroup *cgrp, const struct cftype *cft, int may);
/* By name: "tasks" and so on. -ENOENT: no such file. */
int peer_may_file(const struct peer *peer, const struct cgroup *cgrp, const char *file, int may);
/* Search permission on CGRP and everything above it. */
int peer_may_reach(const struct peer *peer, const struct cgroup *cgrp);

/* ---- dir.c: what a request names -------------------------------------------------------------- */

/*
 * -ENOENT, -ENOTDIR, -EINVAL, -EACCES; -EXDEV: on no mount of this instance; -ENODEV: no hierarchy
 * of that name.
 */
int dir_resolve(struct client *c, const struct wire_dir *dir, struct cgroup **cgrp);
/* PATH from BASE. */
int dir_walk(struct client *c, struct cgroup *base, const char *path, struct cgroup **cgrp);
/*
 * PATH from BASE but for its last component, which is put into *NAME (LEN bytes within PATH). An
 * empty PATH: *LEN is 0 and *PARENT is BASE.
 */
int dir_walk_parent(struct client *c, struct cgroup *base, const char *path, struct cgroup **parent,
		    const char **name, size_t *len);

/* ---- control.c: frames in and out ------------------------------------------------------------- */

/* Begin a reply or an event in the client's output; end it with client_end(). */
size_t client_begin(struct client *c, unsigned int op, uint32_t seq, int error);
/* A reply that does not fit is answered with an error instead. */
void client_end(struct client *c, size_t start);
/* A whole reply: ERROR with a message (may be NULL) for a person. */
void client_reply(struct client *c, enum wire_op op, uint32_t seq, int error, const char *message);
void client_forget_moves(struct client *c);
/* Bytes that the client has not taken yet. */
size_t client_backlog(const struct client *c);
/* Send what is there, as far as it goes. For output made outside of a request. */
void client_flush(struct client *c);

/* ---- handle.c, mounts.c, query.c: what the ops do ---------------------------------------------- */

/* Answer REQ, now or later. False: it could not be done yet; have it handled again soon. */
bool handle_request(struct client *c, const struct wire_request *req);
void handle_mount(struct client *c, const struct wire_request *req);
void handle_remount(struct client *c, const struct wire_request *req);
void handle_shutdown(struct client *c, const struct wire_request *req);
void handle_query(struct client *c, const struct wire_request *req);

#endif
