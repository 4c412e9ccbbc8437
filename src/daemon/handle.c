// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The requests that work on cgroups and their tasks. Each asks what the file system would have
 * asked: the same permissions, the same errors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client.h"

#define FILE_PROCS "cgroup.procs"
#define FILE_TASKS "tasks"
#define FILE_NOTIFY "notify_on_release"
#define FILE_AGENT "release_agent"

/* ---- making and removing ---------------------------------------------------------------------- */

static int make_one(struct client *c, struct cgroup *base, const char *path, mode_t mode,
		    struct cgroup **made)
{
	struct core_attr attr;
	struct cgroup *parent;
	char name[CORE_NAME_MAX + 1];
	const char *p;
	size_t len;
	int rc;

	rc = dir_walk_parent(c, base, path, &parent, &p, &len);
	if (rc)
		return rc;
	if (!len)
		return -EEXIST;
	if (len > CORE_NAME_MAX)
		return -ENAMETOOLONG;
	if (cgroup_lookup(parent, p, len))
		return -EEXIST;
	rc = peer_may(&c->peer, parent, NULL, MAY_WRITE | MAY_SEARCH);
	if (rc)
		return rc;
	memcpy(name, p, len);
	name[len] = '\0';
	cgroup_attr(parent, NULL, &attr);
	if (attr.mode & S_ISGID)
		mode |= S_ISGID;
	return cgroup_mkdir(parent, name, mode, c->peer.uid,
			    attr.mode & S_ISGID ? attr.gid : c->peer.gid, made);
}

static int remove_one(struct client *c, struct cgroup *base, const char *path)
{
	struct core_attr attr, dir;
	struct cgroup *cgrp;
	int rc;

	rc = dir_walk(c, base, path, &cgrp);
	if (rc)
		return rc;
	if (!cgroup_parent(cgrp))
		return -EBUSY;
	rc = peer_may(&c->peer, cgroup_parent(cgrp), NULL, MAY_WRITE | MAY_SEARCH);
	if (rc)
		return rc;
	cgroup_attr(cgroup_parent(cgrp), NULL, &dir);
	cgroup_attr(cgrp, NULL, &attr);
	if ((dir.mode & S_ISVTX) && c->peer.uid && c->peer.uid != dir.uid &&
	    c->peer.uid != attr.uid)
		return -EPERM;
	return cgroup_rmdir(cgrp);
}

static void make_or_remove(struct client *c, const struct wire_request *req)
{
	struct cgroup *base, *made;
	const char *path;
	size_t start, pos = 0;
	uint64_t serial;
	int rc;

	rc = dir_resolve(c, &req->dir, &base);
	if (rc) {
		client_reply(c, req->op, req->seq, rc, NULL);
		return;
	}
	serial = cgroup_serial(base);
	start = client_begin(c, req->op | WIRE_REPLY, req->seq, 0);
	wire_put_u32(&c->out, req->names.n);
	while ((path = wire_list_next(&req->names, &pos))) {
		/* BASE itself may be among what is removed. */
		base = core_cgroup_by_serial(c->d->core, serial);
		if (!base)
			rc = -ENOENT;
		else if (req->op == WIRE_MKDIR)
			rc = make_one(c, base, path, req->mode & 07777, &made);
		else
			rc = remove_one(c, base, path);
		wire_put_i32(&c->out, rc);
	}
	client_end(c, start);
}

/* ---- moving ----------------------------------------------------------------------------------- */

/* The task the client means by NR, in our numbers. */
static int tid_of(const struct client *c, int32_t nr, pid_t *tid)
{
	const struct tracker_ops *t = c->d->tracker_ops;

	if (nr < 0)
		return -EINVAL;
	if (nr == 0)
		*tid = c->peer.pid;
	else if (!c->peer.other_pids)
		*tid = nr;
	else
		*tid = t->from_ns ? t->from_ns(c->d->tracker, c->peer.pid, nr) : 0;
	return *tid > 0 ? 0 : -ESRCH;
}

/* Who is to be moved, and what has come of it so far; NULL: no memory. */
static struct core_attach *moves_of(struct client *c, const struct wire_request *req)
{
	if (c->moves)
		return c->moves; /* tried before */
	c->moves = calloc(req->pids.n + 1, sizeof(*c->moves));
	for (uint32_t i = 0; c->moves && i < req->pids.n; i++) {
		int err = tid_of(c, wire_list_number(&req->pids, i), &c->moves[i].tid);

		c->moves[i].err = err ? err : -ERESTART;
	}
	return c->moves;
}

static void move_processes(struct client *c, struct cgroup *cgrp, uint32_t n)
{
	struct core_cred cred = peer_cred(&c->peer);
	uint64_t serial = cgroup_serial(cgrp);

	for (uint32_t i = 0; i < n; i++) {
		struct core_attach *m = &c->moves[i];

		if (m->err != -ERESTART)
			continue;
		/* A subsystem's callback may do anything, also to the cgroup. */
		cgrp = core_cgroup_by_serial(c->d->core, serial);
		m->err = cgrp ? core_attach_process(cgrp, m->tid, &cred) : -ENODEV;
		/* It was waited for. Nobody else has had a turn meanwhile, so that is enough. */
		if (m->err == -ERESTART)
			return;
	}
}

static void reply_moves(struct client *c, const struct wire_request *req)
{
	size_t start = client_begin(c, req->op | WIRE_REPLY, req->seq, 0);

	wire_put_u32(&c->out, req->pids.n);
	for (uint32_t i = 0; i < req->pids.n; i++)
		wire_put_i32(&c->out, c->moves[i].err);
	client_end(c, start);
}

/* False: some cannot be moved now; nothing was answered. */
static bool move(struct client *c, const struct wire_request *req)
{
	struct core_cred cred = peer_cred(&c->peer);
	bool threads = req->flags & WIRE_THREADS;
	struct cgroup *cgrp;
	int rc;

	rc = dir_resolve(c, &req->dir, &cgrp);
	if (!rc)
		rc = peer_may_file(&c->peer, cgrp, threads ? FILE_TASKS : FILE_PROCS, MAY_WRITE);
	if (!rc && !moves_of(c, req))
		rc = -ENOMEM;
	if (rc) {
		client_reply(c, req->op, req->seq, rc, NULL);
		client_forget_moves(c);
		return true;
	}
	if (threads)
		core_attach_tasks(cgrp, c->moves, req->pids.n, &cred);
	else
		move_processes(c, cgrp, req->pids.n);
	for (uint32_t i = 0; i < req->pids.n; i++)
		if (c->moves[i].err == -ERESTART)
			return false;
	reply_moves(c, req);
	client_forget_moves(c);
	return true;
}

static int enter_process(struct client *c, struct cgroup *cgrp, int32_t nr)
{
	struct core_cred cred = peer_cred(&c->peer);
	pid_t tid;
	int rc = tid_of(c, nr, &tid);

	return rc ? rc : core_attach_process(cgrp, tid, &cred);
}

static int enter(struct client *c, const struct wire_request *req)
{
	struct wire_dir base_dir = req->dir;
	struct cgroup *base, *cgrp;
	bool made = false;
	int rc;

	base_dir.path = "";
	rc = dir_resolve(c, &base_dir, &base);
	if (rc)
		return rc;
	rc = dir_walk(c, base, req->dir.path, &cgrp);
	if (rc == -ENOENT) {
		rc = make_one(c, base, req->dir.path, req->mode & 07777, &cgrp);
		made = !rc;
	}
	if (rc)
		return rc;
	/*
	 * Nobody else has a turn from here to the end, so the new cgroup cannot be released, nor
	 * removed, before its first task is in it.
	 */
	if (!rc && (req->flags & WIRE_NOTIFY))
		rc = peer_may_file(&c->peer, cgrp, FILE_NOTIFY, MAY_WRITE);
	if (!rc)
		rc = peer_may_file(&c->peer, cgrp, FILE_PROCS, MAY_WRITE);
	if (!rc)
		rc = enter_process(c, cgrp, wire_list_number(&req->pids, 0));
	if (!rc && (req->flags & WIRE_NOTIFY))
		cgroup_set_notify_on_release(cgrp, true);
	if (rc && made)
		cgroup_rmdir(cgrp);
	return rc;
}

/* ---- listing ---------------------------------------------------------------------------------- */

struct pids {
	pid_t *p;
	size_t n;
};

static int add_tasks(struct client *c, struct cgroup *cgrp, bool threads, struct pids *all)
{
	pid_t *more, *p;
	size_t n;
	int rc;

	rc = peer_may_file(&c->peer, cgrp, threads ? FILE_TASKS : FILE_PROCS, MAY_READ);
	if (!rc)
		rc = cgroup_list(cgrp, !threads, &p, &n);
	if (rc)
		return rc;
	more = realloc(all->p, (all->n + n + 1) * sizeof(*more));
	if (more) {
		if (n) /* else there may be no list */
			memcpy(more + all->n, p, n * sizeof(*p));
		all->p = more;
		all->n += n;
	}
	free(p);
	return more ? 0 : -ENOMEM;
}

static int add_subtree(struct client *c, struct cgroup *top, bool threads, struct pids *all)
{
	struct cgroup *cgrp = top, *next;
	int rc;

	for (;;) {
		rc = peer_may(&c->peer, cgrp, NULL, MAY_SEARCH);
		if (!rc)
			rc = add_tasks(c, cgrp, threads, all);
		if (rc)
			return rc;
		next = cgroup_first_child(cgrp);
		while (!next && cgrp != top) {
			next = cgroup_next_sibling(cgrp);
			cgrp = cgroup_parent(cgrp);
		}
		if (!next)
			return 0;
		cgrp = next;
	}
}

/*
 * In the client's numbers; who has none there is left out. -EOPNOTSUPP rather than numbers that
 * mean somebody else to the client, who may be about to signal them.
 */
static int translate(const struct client *c, struct pids *all)
{
	const struct tracker_ops *t = c->d->tracker_ops;
	size_t i, n = 0;
	int rc;

	if (!c->peer.other_pids)
		return 0;
	if (!t->to_ns)
		return -EOPNOTSUPP;
	rc = t->to_ns(c->d->tracker, c->peer.pid, all->p, all->n);
	if (rc)
		return rc;
	for (i = 0; i < all->n; i++)
		if (all->p[i] > 0)
			all->p[n++] = all->p[i];
	all->n = n;
	return 0;
}

static void list(struct client *c, const struct wire_request *req)
{
	bool threads = req->flags & WIRE_THREADS;
	struct pids all = {0};
	struct cgroup *cgrp;
	size_t start;
	int rc;

	rc = dir_resolve(c, &req->dir, &cgrp);
	if (!rc)
		rc = req->flags & WIRE_RECURSIVE ? add_subtree(c, cgrp, threads, &all) :
						   add_tasks(c, cgrp, threads, &all);
	if (!rc)
		rc = translate(c, &all);
	if (rc) {
		client_reply(c, req->op, req->seq, rc, NULL);
	} else {
		/* The same process can be in several cgroups, one thread here and one there. */
		all.n = core_sort_pids(all.p, all.n);
		start = client_begin(c, req->op | WIRE_REPLY, req->seq, 0);
		wire_put_u32(&c->out, (uint32_t)all.n);
		wire_put(&c->out, all.p, all.n * sizeof(*all.p));
		client_end(c, start);
	}
	free(all.p);
}

/* ---- settings, waiting, listening ------------------------------------------------------------- */

static void reply_settings(struct client *c, const struct wire_request *req, struct cgroup *cgrp)
{
	struct wire_settings s = {
		.mask = WIRE_SET_NOTIFY | WIRE_SET_AGENT,
		.notify = cgroup_notify_on_release(cgrp),
		.agent = hierarchy_release_agent(cgroup_hierarchy(cgrp)),
	};
	size_t start = client_begin(c, req->op | WIRE_REPLY, req->seq, 0);

	wire_put_settings(&c->out, &s);
	client_end(c, start);
}

static int set(struct client *c, const struct wire_request *req, struct cgroup *cgrp)
{
	struct hierarchy *h = cgroup_hierarchy(cgrp);
	struct core_cred cred = peer_cred(&c->peer);
	int rc = 0;

	if (req->set.mask & ~(WIRE_SET_NOTIFY | WIRE_SET_AGENT))
		return -EINVAL;
	/* All is judged before any of it is done. */
	if (req->set.mask & WIRE_SET_NOTIFY)
		rc = peer_may_file(&c->peer, cgrp, FILE_NOTIFY, MAY_WRITE);
	if (!rc && (req->set.mask & WIRE_SET_AGENT))
		rc = peer_may_file(&c->peer, hierarchy_root(h), FILE_AGENT, MAY_WRITE);
	if (!rc && (req->set.mask & WIRE_SET_AGENT))
		rc = hierarchy_set_release_agent(h, req->set.agent, &cred);
	if (!rc && (req->set.mask & WIRE_SET_NOTIFY))
		cgroup_set_notify_on_release(cgrp, req->set.notify);
	return rc;
}

static void get_or_set(struct client *c, const struct wire_request *req)
{
	struct cgroup *cgrp;
	int rc;

	rc = dir_resolve(c, &req->dir, &cgrp);
	if (!rc && req->op == WIRE_GET)
		rc = peer_may_file(&c->peer, cgrp, FILE_NOTIFY, MAY_READ);
	if (!rc && req->op == WIRE_SET)
		rc = set(c, req, cgrp);
	if (rc)
		client_reply(c, req->op, req->seq, rc, NULL);
	else
		reply_settings(c, req, cgrp);
}

static void wait_or_watch(struct client *c, const struct wire_request *req)
{
	struct cgroup *cgrp = NULL;
	int rc = 0;

	if (req->op == WIRE_WAIT || req->dir.kind != WIRE_DIR_NONE)
		rc = dir_resolve(c, &req->dir, &cgrp);
	if (!rc && req->op == WIRE_WAIT)
		rc = waits_add(c, req->seq, cgrp, req->timeout_ms);
	else if (!rc)
		rc = watch_add(c, req->seq, cgrp);
	/* A wait that has begun is answered when it is over. */
	if (rc || req->op == WIRE_WATCH)
		client_reply(c, req->op, req->seq, rc, NULL);
}

bool handle_request(struct client *c, const struct wire_request *req)
{
	int rc;

	/* What was unmounted before the request was sent is gone in what it sees. */
	fs_reap(c->d->fs);
	core_reap_hierarchies(c->d->core);
	switch (req->op) {
	case WIRE_MKDIR:
	case WIRE_RMDIR:
		make_or_remove(c, req);
		break;
	case WIRE_MOVE:
		return move(c, req);
	case WIRE_ENTER:
		rc = enter(c, req);
		if (rc == -ERESTART)
			return false;
		client_reply(c, req->op, req->seq, rc, NULL);
		break;
	case WIRE_LIST:
		list(c, req);
		break;
	case WIRE_GET:
	case WIRE_SET:
		get_or_set(c, req);
		break;
	case WIRE_WAIT:
	case WIRE_WATCH:
		wait_or_watch(c, req);
		break;
	case WIRE_SYNC:
		client_reply(c, req->op, req->seq, 0, NULL);
		break;
	case WIRE_MOUNT:
		handle_mount(c, req);
		break;
	case WIRE_REMOUNT:
		handle_remount(c, req);
		break;
	case WIRE_QUERY:
		handle_query(c, req);
		break;
	case WIRE_SHUTDOWN:
		handle_shutdown(c, req);
		break;
	default:
		client_reply(c, req->op, req->seq, -EOPNOTSUPP, NULL);
	}
	return true;
}
