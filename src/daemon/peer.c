// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who is at the other end of a connection, and what it may do: what the file system would let it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static int get_groups(int fd, struct peer *peer)
{
	socklen_t len = 32 * sizeof(gid_t);
	gid_t *groups = malloc(len), *bigger;
	int err;

	while (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len)) {
		err = -errno;
		/* ERANGE: LEN says now how much there is. */
		bigger = err == -ERANGE ? realloc(groups, len) : NULL;
		if (!bigger) {
			free(groups);
			return err == -ERANGE ? -ENOMEM : err;
		}
		groups = bigger;
	}
	if (!groups)
		return -ENOMEM;
	peer->groups = groups;
	peer->n_groups = len / sizeof(gid_t);
	return 0;
}

/* Is the process in the same namespace as we are? false also when that cannot be seen. */
static bool same_ns(pid_t pid, const char *ns)
{
	struct stat theirs, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, ns);
	if (pid <= 0 || stat(path, &theirs))
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", ns);
	return !stat(path, &ours) && theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

/*
 * What was read below /proc/PID was about the peer only if the peer still lives: then its number
 * was not someone else's. Kernels before 6.5 cannot tell; there, the number is taken to be good
 * within the moment that passes between a connection and its acceptance.
 */
static bool still_lives(int fd)
{
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);
	struct pollfd p = {.events = POLLIN};
	int ended;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len))
		return errno == ENOPROTOOPT;
	p.fd = pidfd;
	/* A signal, such as that an agent has ended, interrupts it even though it does not wait. */
	do
		ended = poll(&p, 1, 0);
	while (ended < 0 && errno == EINTR);
	close(pidfd);
	return !ended;
}

int peer_init(const struct daemon *d, int fd, struct peer *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	bool our_users, our_pids;

	memset(peer, 0, sizeof(*peer));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	peer->pid = cred.pid;
	peer->uid = cred.uid;
	peer->gid = cred.gid;
	our_users = same_ns(peer->pid, "user");
	our_pids = same_ns(peer->pid, "pid");
	if (!still_lives(fd))
		our_users = false;
	/*
	 * An agent runs with the daemon's rights: whoever is root only in a user namespace of its
	 * own must not be able to name one.
	 */
	peer->owner = peer->uid == d->uid && our_users;
	peer->admin = peer->owner || (peer->uid == 0 && our_users);
	peer->other_pids = !our_pids;
	return get_groups(fd, peer);
}

void peer_clear(struct peer *peer)
{
	free(peer->groups);
	memset(peer, 0, sizeof(*peer));
}

struct core_cred peer_cred(const struct peer *peer)
{
	return (struct core_cred){.tid = peer->pid, .euid = peer->uid, .owner = peer->owner};
}

static bool in_group(const struct peer *peer, gid_t gid)
{
	size_t i;

	for (i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == gid)
			return true;
	return peer->gid == gid;
}

int peer_may(const struct peer *peer, const struct cgroup *cgrp, const struct cftype *cft, int may)
{
	struct core_attr attr;
	unsigned int bits;

	if (peer->uid == 0)
		return 0;
	cgroup_attr(cgrp, cft, &attr);
	/* As in the kernel: the first class that fits decides, also when it grants less. */
	if (peer->uid == attr.uid)
		bits = attr.mode >> 6;
	else if (in_group(peer, attr.gid))
		bits = attr.mode >> 3;
	else
		bits = attr.mode;
	return (bits & (unsigned int)may) == (unsigned int)may ? 0 : -EACCES;
}

int peer_may_file(const struct peer *peer, const struct cgroup *cgrp, const char *file, int may)
{
	const struct cftype *cft = cgroup_file_lookup(cgrp, file, strlen(file));

	return cft ? peer_may(peer, cgrp, cft, may) : -ENOENT;
}

int peer_may_reach(const struct peer *peer, const struct cgroup *cgrp)
{
	int rc;

	if (peer->uid == 0)
		return 0;
	for (; cgrp; cgrp = cgroup_parent(cgrp)) {
		rc = peer_may(peer, cgrp, NULL, MAY_SEARCH);
		if (rc)
			return rc;
	}
	return 0;
}
