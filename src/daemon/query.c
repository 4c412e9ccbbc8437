// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What people ask for, as JSON.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <jansson.h>

#include "client.h"

static json_t *subsystems_of(struct daemon *d, const struct hierarchy *h)
{
	json_t *list = json_array();
	struct cgroup_subsys *ss;
	unsigned int id;

	for (id = 0; (ss = core_subsys(d->core, id)); id++)
		if (hierarchy_subsys_mask(h) & (1ull << id))
			json_array_append_new(list, json_string(ss->name));
	return list;
}

/* The mounts as mountinfo numbers them: where they are is for each mount namespace to say. */
static json_t *devices_of(struct daemon *d, const struct hierarchy *h)
{
	json_t *list = json_array();
	struct fs_mount *m = NULL;
	char text[32];

	while ((m = fs_mount_next(d->fs, m))) {
		if (fs_mount_hierarchy(m) != h)
			continue;
		snprintf(text, sizeof(text), "%u:%u", major(fs_mount_dev(m)),
			 minor(fs_mount_dev(m)));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *one_hierarchy(struct daemon *d, struct hierarchy *h)
{
	char *options = hierarchy_options(h);
	json_t *o;

	o = json_pack("{s:i, s:s, s:s, s:o, s:s*, s:s, s:i, s:I, s:I, s:o}", "id",
		      (int)hierarchy_id(h), "label", hierarchy_label(h), "name", hierarchy_name(h),
		      "subsystems", subsystems_of(d, h), "options", options, "release_agent",
		      hierarchy_release_agent(h), "mounts", (int)hierarchy_n_mounts(h), "cgroups",
		      (json_int_t)hierarchy_n_cgroups(h), "releases_pending",
		      (json_int_t)core_releases_pending(h), "devices", devices_of(d, h));
	free(options);
	return o;
}

static json_t *hierarchies(struct daemon *d)
{
	json_t *list = json_array();
	struct hierarchy *h = NULL;

	core_settle(d->core);
	while ((h = core_hierarchy_next(d->core, h)))
		json_array_append_new(list, one_hierarchy(d, h));
	return list;
}

/* A name may be any bytes, JSON only UTF-8: what is none has its bytes above 0x7f as "\\xNN". */
static json_t *text_of(const char *name)
{
	json_t *text = json_string(name);
	char *escaped, *to;

	if (text)
		return text;
	escaped = malloc(4 * strlen(name) + 1);
	if (!escaped)
		return NULL;
	for (to = escaped; *name; name++) {
		if (*name & 0x80)
			to += sprintf(to, "\\x%02x", (unsigned int)(unsigned char)*name);
		else
			*to++ = *name;
	}
	*to = '\0';
	text = json_string(escaped);
	free(escaped);
	return text;
}

static json_t *one_cgroup(struct cgroup *cgrp, unsigned int depth)
{
	char path[PATH_MAX];
	bool fits = cgroup_path(cgrp, path, sizeof(path)) >= 0;

	/* A path that is too long for anything that takes paths is null. */
	return json_pack("{s:s, s:o, s:o, s:i, s:I, s:b, s:I}", "hierarchy",
			 hierarchy_label(cgroup_hierarchy(cgrp)), "path",
			 fits ? text_of(path) : json_null(), "name", text_of(cgroup_name(cgrp)),
			 "depth", (int)depth, "tasks", (json_int_t)cgroup_task_count(cgrp),
			 "notify_on_release", cgroup_notify_on_release(cgrp), "children",
			 (json_int_t)cgroup_n_children(cgrp));
}

/*
 * The subtree as a flat list, each parent before its children: trees can be deeper than what reads
 * nested JSON can stand. What the client may not list is left out below its own line.
 */
static json_t *tree(struct client *c, struct cgroup *top)
{
	json_t *list = json_array();
	struct cgroup *cgrp = top, *next;
	unsigned int depth = 0;

	for (;;) {
		if (json_array_append_new(list, one_cgroup(cgrp, depth))) {
			json_decref(list);
			return NULL;
		}
		next = NULL;
		if (!peer_may(&c->peer, cgrp, NULL, MAY_READ | MAY_SEARCH))
			next = cgroup_first_child(cgrp);
		depth += next != NULL;
		while (!next && cgrp != top) {
			next = cgroup_next_sibling(cgrp);
			cgrp = cgroup_parent(cgrp);
			depth -= next == NULL;
		}
		if (!next)
			return list;
		cgrp = next;
	}
}

struct figure {
	const char *name;
	uint64_t value;
};

static json_t *add_figures(json_t *o, const struct figure *f, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		json_object_set_new(o, f[i].name, json_integer((json_int_t)f[i].value));
	return o;
}
#define ADD(o, figures) add_figures(o, figures, sizeof(figures) / sizeof((figures)[0]))

static json_t *tracker_figures(struct daemon *d)
{
	struct tracker_stats s;

	d->tracker_ops->stats(d->tracker, &s);
	const struct figure figures[] = {
		{"lost", s.lost},
		{"rebuilds", s.rebuilds},
		{"ring_used", s.ring_used},
		{"wakeups", s.wakeups},
	};

	return ADD(json_pack("{s:s}", "name", d->tracker_ops->name), figures);
}

static json_t *core_figures(struct daemon *d)
{
	struct core_stats s;

	core_get_stats(d->core, &s);
	const struct figure figures[] = {
		{"hierarchies", s.hierarchies},
		{"cgroups", s.cgroups},
		{"css_sets", s.csets},
		{"member_tasks", s.member_tasks},
		{"born", s.born},
		{"moved", s.moved},
		{"died", s.died},
		{"retid", s.retid},
		{"rebuilds", s.rebuilds},
		{"oddities", s.oddities},
		{"releases_queued", s.releases_queued},
		{"releases_reprieved", s.releases_reprieved},
	};

	return ADD(json_object(), figures);
}

static json_t *release_figures(struct daemon *d)
{
	struct agents_stats s;

	agents_get_stats(d, &s);
	const struct figure figures[] = {
		{"delivered", s.delivered}, {"agents_started", s.started}, {"failed", s.failed},
		{"removed", s.removed},	    {"agents_running", s.running},
	};

	return ADD(json_object(), figures);
}

static json_t *stats(struct daemon *d)
{
	struct fs_mount *m = NULL;
	int n_mounts = 0;

	core_settle(d->core);
	while ((m = fs_mount_next(d->fs, m)))
		n_mounts++;
	return json_pack("{s:s, s:s, s:i, s:f, s:i, s:i, s:i, s:o, s:o, s:o}", "instance",
			 d->opts.instance, "version", UCGROUP_VERSION, "pid", (int)getpid(),
			 "uptime", (double)(daemon_core_ops.now(d) - d->started_ns) / 1e9, "mounts",
			 n_mounts, "clients", (int)control_n_clients(d), "watches",
			 (int)waits_n_watches(d), "tracker", tracker_figures(d), "core",
			 core_figures(d), "releases", release_figures(d));
}

void handle_query(struct client *c, const struct wire_request *req)
{
	struct cgroup *top;
	json_t *json = NULL;
	char *text = NULL;
	size_t start;
	int rc = 0;

	switch (req->query) {
	case WIRE_QUERY_HIERARCHIES:
		json = hierarchies(c->d);
		break;
	case WIRE_QUERY_TREE:
		rc = dir_resolve(c, &req->dir, &top);
		if (!rc)
			json = tree(c, top);
		break;
	case WIRE_QUERY_STATS:
		json = stats(c->d);
		break;
	default:
		rc = -EINVAL;
	}
	if (json)
		text = json_dumps(json, JSON_COMPACT);
	if (!rc && !text)
		rc = -ENOMEM;
	if (rc) {
		client_reply(c, req->op, req->seq, rc, NULL);
	} else {
		/* The payload is the text itself: it may be longer than a string of the format. */
		start = client_begin(c, req->op | WIRE_REPLY, req->seq, 0);
		wire_put(&c->out, text, strlen(text));
		client_end(c, start);
	}
	free(text);
	json_decref(json);
}
