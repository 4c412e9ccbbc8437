// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * maxtasks.c - a subsystem outside the tree: how many tasks may be in a cgroup and below it.
 *
 * A move that would exceed a limit is refused with ENOSPC, before anything has changed. A fork cannot
 * be: a subsystem hears of it after the fact. Births beyond the limit are counted and logged.
 *
 * Files, in every cgroup but the root:
 *	max	a number, or "max" for no limit
 *	current	tasks in here and below
 *	events	"refused": moves that were; "exceeded": births beyond the limit
 *
 * Copy it for a subsystem of your own: everything it uses is in ucgroup/subsys.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <ucgroup/subsys.h>

#define NO_LIMIT INT64_MAX

/* The css comes first, so that a pointer to it is a pointer to this. */
struct maxtasks {
	struct cgroup_subsys_state css;
	int64_t current;  /* here and below */
	int64_t reserved; /* let in by can_attach, and not in yet */
	int64_t max;
	uint64_t refused, exceeded;
};

/*
 * A task that can_attach let in: attach or cancel_attach follows for it. Where it was by then is kept,
 * because a task that has died meanwhile is nowhere.
 */
struct grant {
	struct grant *next;
	pid_t tid;
	struct cgroup *from;
};

static struct maxtasks *of(const struct cgroup *cgrp, const struct cgroup_subsys *ss)
{
	return (struct maxtasks *)css_of(cgrp, ss);
}

/* ---- states ---- */

static int maxtasks_create(struct cgroup_subsys *ss, struct cgroup *cgrp,
			   struct cgroup_subsys_state **css)
{
	struct maxtasks *m = calloc(1, sizeof(*m));

	(void)ss;
	(void)cgrp;
	if (!m)
		return -ENOMEM;
	m->max = NO_LIMIT;
	*css = &m->css;
	return 0;
}

static void maxtasks_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	free(of(cgrp, ss));
}

static void maxtasks_post_clone(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	of(cgrp, ss)->max = of(cgroup_parent(cgrp), ss)->max;
}

/* ---- moves ---- */

/* The levels that TASK's coming from FROM into CGRP adds one to: below the first that has both. */
static struct cgroup *next_level(struct cgroup *level, const struct cgroup *from)
{
	if (!cgroup_parent(level) || cgroup_is_descendant(from, level))
		return NULL;
	return level;
}

static void reserve(struct cgroup_subsys *ss, struct cgroup *cgrp, const struct cgroup *from, int n)
{
	struct cgroup *level = cgrp;

	for (; (level = next_level(level, from)); level = cgroup_parent(level))
		of(level, ss)->reserved += n;
}

static int maxtasks_can_attach(struct cgroup_subsys *ss, struct cgroup *cgrp,
			       const struct cgroup_task *task)
{
	struct cgroup *from = task_cgroup(task, ss), *level = cgrp;
	struct grant *grant;

	for (; (level = next_level(level, from)); level = cgroup_parent(level)) {
		struct maxtasks *m = of(level, ss);

		if (m->current + m->reserved < m->max)
			continue;
		m->refused++;
		return -ENOSPC;
	}
	grant = malloc(sizeof(*grant));
	if (!grant)
		return -ENOMEM;
	*grant = (struct grant){.next = ss->private_data, .tid = task->tid, .from = from};
	ss->private_data = grant;
	reserve(ss, cgrp, from, 1);
	return 0;
}

static void end_grant(struct cgroup_subsys *ss, struct cgroup *cgrp, const struct cgroup_task *task)
{
	struct grant **p = (struct grant **)&ss->private_data, *grant;

	while (*p && (*p)->tid != task->tid)
		p = &(*p)->next;
	grant = *p;
	if (!grant)
		return;
	*p = grant->next;
	reserve(ss, cgrp, grant->from, -1);
	free(grant);
}

static void maxtasks_cancel_attach(struct cgroup_subsys *ss, struct cgroup *cgrp,
				   const struct cgroup_task *task)
{
	end_grant(ss, cgrp, task);
}

static void count(struct cgroup_subsys *ss, struct cgroup *cgrp, int n)
{
	for (; cgroup_parent(cgrp); cgrp = cgroup_parent(cgrp))
		of(cgrp, ss)->current += n;
}

static void maxtasks_attach(struct cgroup_subsys *ss, struct cgroup *cgrp, struct cgroup *old,
			    const struct cgroup_task *task)
{
	end_grant(ss, cgrp, task);
	count(ss, old, -1);
	count(ss, cgrp, 1);
}

/* ---- fork and exit ---- */

static void log_exceeded(struct cgroup_subsys *ss, const struct cgroup *cgrp, int64_t max)
{
	char path[4096];

	if (cgroup_path(cgrp, path, sizeof(path)) < 0)
		strcpy(path, "a cgroup with a long path");
	cgroup_log(ss, LOG_NOTICE, "maxtasks: forks have exceeded the %lld tasks of %s",
		   (long long)max, path);
}

static void maxtasks_fork(struct cgroup_subsys *ss, const struct cgroup_task *task)
{
	struct cgroup *cgrp = task_cgroup(task, ss);

	count(ss, cgrp, 1);
	for (; cgroup_parent(cgrp); cgrp = cgroup_parent(cgrp)) {
		struct maxtasks *m = of(cgrp, ss);

		if (m->current <= m->max)
			continue;
		/* Once each time, not for every child of a fork bomb. */
		if (m->current == m->max + 1)
			log_exceeded(ss, cgrp, m->max);
		m->exceeded++;
	}
}

static void maxtasks_exit(struct cgroup_subsys *ss, const struct cgroup_task *task)
{
	count(ss, task_cgroup(task, ss), -1);
}

/* ---- files ---- */

static struct maxtasks *of_file(const struct cgroup_file *file)
{
	return of(file->cgrp, (const struct cgroup_subsys *)file->cft->private_value);
}

static int max_read(struct cgroup_file *file, struct cgroup_seq *seq)
{
	const struct maxtasks *m = of_file(file);

	if (m->max == NO_LIMIT)
		cgroup_seq_printf(seq, "max\n");
	else
		cgroup_seq_printf(seq, "%lld\n", (long long)m->max);
	return 0;
}

static int max_write(struct cgroup_file *file, const char *text)
{
	struct maxtasks *m = of_file(file);
	long long max;
	char *end;

	if (!strcmp(text, "max")) {
		m->max = NO_LIMIT;
		return 0;
	}
	errno = 0;
	max = strtoll(text, &end, 10);
	if (end == text || *end || max < 0)
		return -EINVAL;
	if (errno || max == NO_LIMIT)
		return -ERANGE;
	m->max = max;
	return 0;
}

static int current_read(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	*val = (uint64_t)of(cgrp, (const struct cgroup_subsys *)cft->private_value)->current;
	return 0;
}

static int events_read(struct cgroup_file *file, struct cgroup_seq *seq)
{
	const struct maxtasks *m = of_file(file);

	cgroup_seq_printf(seq, "refused %llu\nexceeded %llu\n", (unsigned long long)m->refused,
			  (unsigned long long)m->exceeded);
	return 0;
}

static struct cgroup_subsys maxtasks_subsys;

#define MAXTASKS_FILE .flags = CFTYPE_NOT_ON_ROOT, .private_value = (intptr_t)&maxtasks_subsys

static const struct cftype maxtasks_files[] = {
	{.name = "max", MAXTASKS_FILE, .read_seq = max_read, .write_string = max_write},
	{.name = "current", MAXTASKS_FILE, .read_u64 = current_read},
	{.name = "events", MAXTASKS_FILE, .read_seq = events_read},
	{.name = NULL},
};

static struct cgroup_subsys maxtasks_subsys = {
	.name = "maxtasks",
	.cftypes = maxtasks_files,
	.create = maxtasks_create,
	.destroy = maxtasks_destroy,
	.post_clone = maxtasks_post_clone,
	.can_attach = maxtasks_can_attach,
	.cancel_attach = maxtasks_cancel_attach,
	.attach = maxtasks_attach,
	.fork = maxtasks_fork,
	.exit = maxtasks_exit,
};

CGROUP_SUBSYS_PLUGIN(maxtasks_subsys);
