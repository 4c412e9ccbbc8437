// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Making and removing cgroups, moving and listing tasks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <client/internal.h>

/* The result of each of N, and the first error among them. */
static int take_errors(struct reply *reply, size_t n, int *errors)
{
	int rc, first = 0;
	size_t i;

	if (wire_get_u32(&reply->r) != n)
		return -EBADMSG;
	for (i = 0; i < n; i++) {
		rc = wire_get_i32(&reply->r);
		if (errors)
			errors[i] = rc;
		if (!first)
			first = rc;
	}
	return wire_reader_end(&reply->r) ? -EBADMSG : first;
}

/* An exchange that failed as a whole failed for each. */
static int all_failed(int rc, size_t n, int *errors)
{
	size_t i;

	for (i = 0; errors && i < n; i++)
		errors[i] = rc;
	return rc;
}

static int exchange_many(struct ucgroup *c, struct wire_request *req, size_t n, int *errors)
{
	struct reply reply;
	int rc = exchange(c, req, &reply, NULL);

	if (rc)
		return all_failed(rc, n, errors);
	rc = take_errors(&reply, n, errors);
	reply_free(&reply);
	return rc;
}

static int names_many(struct ucgroup *c, struct wire_request *req, const struct dir *d,
		      const char *const *paths, size_t n, int *errors)
{
	struct wire_buf b = {0};
	size_t i;
	int rc;

	for (i = 0; i < n; i++)
		wire_put_str(&b, paths[i]);
	req->dir = d->wire;
	req->names = (struct wire_list){(uint32_t)n, b.data, b.len};
	rc = b.error ? all_failed(b.error, n, errors) : exchange_many(c, req, n, errors);
	wire_buf_free(&b);
	return rc;
}

/* DIR as base and name. */
static int name_one(struct ucgroup *c, struct wire_request *req, const char *dir)
{
	const char *name;
	struct dir d;
	int rc;

	rc = dir_find_parent(dir, &d);
	if (!rc) {
		name = d.wire.path;
		d.wire.path = "";
		rc = names_many(c, req, &d, &name, 1, NULL);
	}
	dir_free(&d);
	return rc;
}

int ucgroup_mkdir(struct ucgroup *c, const char *dir, mode_t mode)
{
	struct wire_request req = {.op = WIRE_MKDIR, .mode = mode};

	return name_one(c, &req, dir);
}

int ucgroup_rmdir(struct ucgroup *c, const char *dir)
{
	struct wire_request req = {.op = WIRE_RMDIR};

	return name_one(c, &req, dir);
}

static int base_many(struct ucgroup *c, struct wire_request *req, const char *base,
		     const char *const *paths, size_t n, int *errors)
{
	struct dir d;
	int rc;

	rc = dir_find(base, &d);
	if (rc)
		all_failed(rc, n, errors);
	else
		rc = names_many(c, req, &d, paths, n, errors);
	dir_free(&d);
	return rc;
}

int ucgroup_mkdir_many(struct ucgroup *c, const char *base, const char *const *paths, size_t n,
		       mode_t mode, int *errors)
{
	struct wire_request req = {.op = WIRE_MKDIR, .mode = mode};

	return base_many(c, &req, base, paths, n, errors);
}

int ucgroup_rmdir_many(struct ucgroup *c, const char *base, const char *const *paths, size_t n,
		       int *errors)
{
	struct wire_request req = {.op = WIRE_RMDIR};

	return base_many(c, &req, base, paths, n, errors);
}

/* ---- tasks ------------------------------------------------------------------------------------ */

/*
 * The caller as the daemon is to be told. 0 is the process that connected, which the daemon knows
 * in its own pid namespace, whatever number it has in ours.
 */
static int32_t self_number(unsigned int flags)
{
	return flags & WIRE_THREADS && gettid() != getpid() ? gettid() : 0;
}

int ucgroup_move_many(struct ucgroup *c, const char *dir, const pid_t *pids, size_t n,
		      unsigned int flags, int *errors)
{
	struct wire_request req = {.op = WIRE_MOVE, .flags = flags & WIRE_THREADS};
	int32_t *own = NULL;
	struct dir d;
	size_t i;
	int rc;

	rc = dir_find(dir, &d);
	if (!rc) {
		own = malloc((n + 1) * sizeof(*own));
		rc = own ? 0 : -ENOMEM;
	}
	if (!rc) {
		for (i = 0; i < n; i++)
			own[i] = pids[i] ? pids[i] : self_number(flags);
		req.dir = d.wire;
		req.pids = (struct wire_list){(uint32_t)n, (const void *)own, n * sizeof(*own)};
		rc = exchange_many(c, &req, n, errors);
	} else {
		all_failed(rc, n, errors);
	}
	free(own);
	dir_free(&d);
	return rc;
}

int ucgroup_move(struct ucgroup *c, const char *dir, pid_t pid, unsigned int flags)
{
	return ucgroup_move_many(c, dir, &pid, 1, flags, NULL);
}

int ucgroup_enter(struct ucgroup *c, const char *dir, mode_t mode, unsigned int flags)
{
	struct wire_request req = {.op = WIRE_ENTER, .mode = mode, .flags = flags & WIRE_NOTIFY};
	int32_t self = self_number(0);
	struct dir d;
	int rc;

	rc = dir_find_parent(dir, &d);
	if (!rc) {
		req.dir = d.wire;
		req.pids = (struct wire_list){1, (const void *)&self, sizeof(self)};
		rc = exchange_plain(c, &req, NULL);
	}
	/*
	 * The root of a mount has its parent on another file system: then it is not missing, and
	 * is what is meant.
	 */
	if (rc == -EXDEV) {
		dir_free(&d);
		rc = dir_find(dir, &d);
		if (!rc) {
			req.dir = d.wire;
			rc = exchange_plain(c, &req, NULL);
		}
		if (rc == -ENOENT)
			rc = -EXDEV;
	}
	dir_free(&d);
	return rc;
}

int ucgroup_list(struct ucgroup *c, const char *dir, unsigned int flags, pid_t **pids, size_t *n)
{
	struct wire_request req = {.op = WIRE_LIST,
				   .flags = flags & (WIRE_THREADS | WIRE_RECURSIVE)};
	struct wire_list list;
	struct reply reply;
	struct dir d;
	pid_t *out;
	int rc;

	rc = dir_find(dir, &d);
	req.dir = d.wire;
	if (!rc)
		rc = exchange(c, &req, &reply, NULL);
	dir_free(&d);
	if (rc)
		return rc;
	wire_get_numbers(&reply.r, &list);
	out = malloc(list.len + 1);
	rc = wire_reader_end(&reply.r);
	if (!rc && !out)
		rc = -ENOMEM;
	if (!rc) {
		memcpy(out, list.data, list.len);
		*pids = out;
		*n = list.n;
	} else {
		free(out);
	}
	reply_free(&reply);
	return rc;
}
