// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The debug subsystem: shows what the framework keeps for a cgroup and for the reading task. It is
 * also the shortest example of a subsystem with files.
 */
#include <errno.h>
#include <stdlib.h>

#include <subsys/builtin.h>

#define TIDS_SHOWN 25 /* of each css_set, in cgroup_css_links */

static int debug_create(struct cgroup_subsys *ss, struct cgroup *cgrp,
			struct cgroup_subsys_state **css)
{
	(void)ss;
	(void)cgrp;
	*css = calloc(1, sizeof(**css));
	return *css ? 0 : -ENOMEM;
}

static void debug_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	free(css_of(cgrp, ss));
}

/* ---- of the cgroup ---------------------------------------------------------------------------- */

static void count_one(void *arg, const struct cgroup_css_set *set)
{
	(void)set;
	++*(uint64_t *)arg;
}

static int read_refcount(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cft;
	*val = 0;
	cgroup_each_css_set(cgrp, count_one, val);
	return 0;
}

static int read_taskcount(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cft;
	*val = cgroup_task_count(cgrp);
	return 0;
}

static int read_releasable(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cft;
	*val = cgroup_is_releasable(cgrp);
	return 0;
}

struct links {
	const struct cgroup_file *file;
	struct cgroup_seq *seq;
	int error;
};

static int show_tids(const struct links *l, const struct cgroup_css_set *set)
{
	size_t i, n = set->n_tasks;
	ssize_t n_named;
	pid_t *tids = malloc((n + 1) * sizeof(*tids));

	if (!tids)
		return -ENOMEM;
	n = css_set_tids(&debug_subsys, set->id, tids, n);
	n_named = cgroup_reader_pids(l->file, tids, n);
	if (n_named < 0) {
		free(tids);
		return (int)n_named;
	}
	n = (size_t)n_named;
	for (i = 0; i < n && i < TIDS_SHOWN; i++)
		cgroup_seq_printf(l->seq, "  task %d\n", tids[i]);
	if (n > TIDS_SHOWN)
		cgroup_seq_printf(l->seq, "  …\n");
	free(tids);
	return 0;
}

static void show_css_set(void *arg, const struct cgroup_css_set *set)
{
	struct links *l = arg;

	cgroup_seq_printf(l->seq, "css_set %u\n", set->id);
	if (!l->error)
		l->error = show_tids(l, set);
}

static int read_css_links(struct cgroup_file *file, struct cgroup_seq *seq)
{
	struct links l = {.file = file, .seq = seq};

	cgroup_each_css_set(file->cgrp, show_css_set, &l);
	return l.error;
}

/* ---- of the task that reads ------------------------------------------------------------------- */

static int read_current(struct cgroup_file *file, struct cgroup_seq *seq)
{
	struct cgroup_css_set set;
	int rc = css_set_of_task(&debug_subsys, &file->task, &set);

	if (!rc)
		cgroup_seq_printf(seq, "%u\n", set.id);
	return rc;
}

/* A css_set is held once by each of its tasks. */
static int read_current_refcount(struct cgroup_file *file, struct cgroup_seq *seq)
{
	struct cgroup_css_set set;
	int rc = css_set_of_task(&debug_subsys, &file->task, &set);

	if (!rc)
		cgroup_seq_printf(seq, "%zu\n", set.n_tasks);
	return rc;
}

static void show_cgroup(void *arg, const char *hierarchy, struct cgroup *cgrp)
{
	struct cgroup_seq *seq = arg;
	char path[4096];

	if (cgroup_path(cgrp, path, sizeof(path)) < 0)
		path[0] = '\0';
	cgroup_seq_printf(seq, "Root %s group %s\n", hierarchy, path);
}

static int read_current_links(struct cgroup_file *file, struct cgroup_seq *seq)
{
	struct cgroup_css_set set;
	int rc = css_set_of_task(&debug_subsys, &file->task, &set);

	if (!rc)
		css_set_each_cgroup(&debug_subsys, set.id, show_cgroup, seq);
	return rc;
}

static const struct cftype debug_files[] = {
	{.name = "cgroup_refcount", .read_u64 = read_refcount},
	{.name = "taskcount", .read_u64 = read_taskcount},
	{.name = "current_css_set", .read_seq = read_current},
	{.name = "current_css_set_refcount", .read_seq = read_current_refcount},
	{.name = "current_css_set_cg_links", .read_seq = read_current_links},
	{.name = "cgroup_css_links", .read_seq = read_css_links},
	{.name = "releasable", .read_u64 = read_releasable},
	{.name = NULL},
};

struct cgroup_subsys debug_subsys = {
	.name = "debug",
	.cftypes = debug_files,
	.create = debug_create,
	.destroy = debug_destroy,
};
