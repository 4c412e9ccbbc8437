// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_subsys.c - a subsystem that writes down every call it gets and fails where it is told to.
 */
#include "helpers.h"

void trace_clear(struct trace *trace)
{
	trace->len = 0;
	trace->text[0] = '\0';
}

void trace_add(struct trace *trace, const char *fmt, ...)
{
	size_t room = sizeof(trace->text) - trace->len;
	va_list ap;
	int n;

	if (trace->muted)
		return;
	va_start(ap, fmt);
	n = vsnprintf(trace->text + trace->len, room, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < room);
	trace->len += n;
}

static struct fake_subsys *to_fake(struct cgroup_subsys *ss)
{
	return (struct fake_subsys *)ss;
}

struct fake_css *fake_css_of(struct cgroup *cgrp, struct fake_subsys *fs)
{
	return (struct fake_css *)css_of(cgrp, &fs->ss);
}

/* Writes "NAME.CALL PATH", TID too if it is not 0. */
static void note(struct fake_subsys *fs, const char *call, struct cgroup *cgrp, pid_t tid)
{
	char path[2048];

	if (!fs->trace)
		return;
	assert_true(cgroup_path(cgrp, path, sizeof(path)) > 0);
	if (tid)
		trace_add(fs->trace, "%s.%s %s %d; ", fs->name, call, path, tid);
	else
		trace_add(fs->trace, "%s.%s %s; ", fs->name, call, path);
}

static int fake_create(struct cgroup_subsys *ss, struct cgroup *cgrp,
		       struct cgroup_subsys_state **css)
{
	struct fake_subsys *fs = to_fake(ss);
	struct fake_css *fc;

	note(fs, "create", cgrp, 0);
	/* The parent's state is there while the child's is made. */
	if (cgroup_parent(cgrp))
		assert_non_null(css_of(cgroup_parent(cgrp), ss));
	if (fs->create_err)
		return fs->create_err;
	fc = calloc(1, sizeof(*fc));
	assert_non_null(fc);
	fs->n_css++;
	*css = &fc->css;
	return 0;
}

static void fake_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	struct fake_subsys *fs = to_fake(ss);
	struct fake_css *fc = fake_css_of(cgrp, fs);

	note(fs, "destroy", cgrp, 0);
	assert_non_null(fc);
	assert_ptr_equal(fc->css.cgroup, cgrp);
	assert_ptr_equal(fc->css.subsys, ss);
	fs->n_css--;
	free(fc);
}

static int fake_pre_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	struct fake_subsys *fs = to_fake(ss);

	note(fs, "pre_destroy", cgrp, 0);
	if (fs->dropped_in_pre_destroy) {
		css_put(fs->dropped_in_pre_destroy);
		fs->dropped_in_pre_destroy = NULL;
	}
	return fs->pre_destroy_err;
}

static int fake_can_attach(struct cgroup_subsys *ss, struct cgroup *cgrp,
			   const struct cgroup_task *task)
{
	struct fake_subsys *fs = to_fake(ss);

	note(fs, "can_attach", cgrp, task->tid);
	/* Asked before anything has changed. */
	assert_ptr_not_equal(task_cgroup(task, ss), cgrp);
	if (fs->in_can_attach)
		fs->in_can_attach(fs, cgrp, task->tid);
	if (fs->can_attach_err_tid && fs->can_attach_err_tid != task->tid)
		return 0;
	return fs->can_attach_err;
}

static void fake_cancel_attach(struct cgroup_subsys *ss, struct cgroup *cgrp,
			       const struct cgroup_task *task)
{
	note(to_fake(ss), "cancel_attach", cgrp, task->tid);
}

static void fake_attach(struct cgroup_subsys *ss, struct cgroup *cgrp, struct cgroup *old,
			const struct cgroup_task *task)
{
	struct fake_subsys *fs = to_fake(ss);
	char path[2048];

	note(fs, "attach", cgrp, task->tid);
	assert_true(cgroup_path(old, path, sizeof(path)) > 0);
	if (fs->trace && fs->trace->len >= 2) {
		if (!fs->trace->muted)
			fs->trace->len -= 2;
		trace_add(fs->trace, " from %s; ", path);
	}
	if (fs->in_attach)
		fs->in_attach(fs, cgrp, task->tid);
}

static void fake_fork(struct cgroup_subsys *ss, const struct cgroup_task *task)
{
	struct fake_subsys *fs = to_fake(ss);

	note(fs, "fork", task_cgroup(task, ss), task->tid);
	assert_ptr_equal(task_css(task, ss), css_of(task_cgroup(task, ss), ss));
	if (fs->in_fork)
		fs->in_fork(fs, task);
}

static void fake_exit(struct cgroup_subsys *ss, const struct cgroup_task *task)
{
	struct fake_subsys *fs = to_fake(ss);

	note(fs, "exit", task_cgroup(task, ss), task->tid);
	if (fs->in_exit)
		fs->in_exit(fs, task);
}

static int populate_read(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cgrp;
	(void)cft;
	*val = 42;
	return 0;
}

static int fake_populate(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	struct fake_subsys *fs = to_fake(ss);

	note(fs, "populate", cgrp, 0);
	assert_non_null(css_of(cgrp, ss));
	if (fs->populate_err)
		return fs->populate_err;
	return cgroup_add_file(cgrp, ss, &fs->populated);
}

static void fake_post_clone(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	struct fake_subsys *fs = to_fake(ss);
	struct fake_css *fc = fake_css_of(cgrp, fs), *parent;

	note(fs, "post_clone", cgrp, 0);
	parent = fake_css_of(cgroup_parent(cgrp), fs);
	fc->u = parent->u;
	fc->cloned++;
}

static void fake_bind(struct cgroup_subsys *ss, struct cgroup *root)
{
	struct fake_subsys *fs = to_fake(ss);

	note(fs, "bind", root, 0);
	assert_null(cgroup_parent(root));
	assert_non_null(css_of(root, ss));
	fs->n_bound++;
	fs->bound_root = root;
}

void fake_subsys_init(struct fake_subsys *fs, const char *name, struct trace *trace, bool fork_exit)
{
	memset(fs, 0, sizeof(*fs));
	snprintf(fs->name, sizeof(fs->name), "%s", name);
	fs->trace = trace;
	fs->populated = (struct cftype){.name = "populated", .read_u64 = populate_read};
	fs->ss.name = fs->name;
	fs->ss.create = fake_create;
	fs->ss.destroy = fake_destroy;
	fs->ss.pre_destroy = fake_pre_destroy;
	fs->ss.can_attach = fake_can_attach;
	fs->ss.cancel_attach = fake_cancel_attach;
	fs->ss.attach = fake_attach;
	fs->ss.populate = fake_populate;
	fs->ss.post_clone = fake_post_clone;
	fs->ss.bind = fake_bind;
	if (fork_exit) {
		fs->ss.fork = fake_fork;
		fs->ss.exit = fake_exit;
	}
}

void fake_subsys_register(struct fake_world *fw, struct fake_subsys *fs)
{
	assert_int_equal(core_register_subsys(fw->core, &fs->ss), 0);
}
