// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_clone.c - cgroup_clone, the walk over tasks, and what subsystems may see of css_sets.
 */
#include "helpers.h"

static struct trace trace;
static struct fake_subsys a, b;

static struct fake_world *world(struct hierarchy **h, const char *opts)
{
	struct fake_world *fw = fw_new(256);

	trace_clear(&trace);
	fake_subsys_init(&a, "a", &trace, false);
	fake_subsys_init(&b, "b", &trace, false);
	fake_subsys_register(fw, &a);
	fake_subsys_register(fw, &b);
	*h = opts ? mount_ok(fw, opts) : NULL;
	for (pid_t tid = 10; tid < 15; tid++)
		fw_spawn(fw, tid, tid);
	trace_clear(&trace);
	return fw;
}

static int clone_group(pid_t tid)
{
	const struct cgroup_task task = {.tid = tid, .tgid = tid};

	return cgroup_clone(&task, &a.ss);
}

static void test_clone(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a,b");
	struct cgroup *root = hierarchy_root(h), *n, *m;

	(void)state;
	fake_css_of(root, &a)->u = 5;
	assert_int_equal(clone_group(10), 0);
	assert_trace(&trace, "a.create /node_10; b.create /node_10; "
			     "a.populate /node_10; b.populate /node_10; "
			     "a.post_clone /node_10; b.post_clone /node_10; "
			     "a.can_attach /node_10 10; b.can_attach /node_10 10; "
			     "a.attach /node_10 10 from /; b.attach /node_10 10 from /; ");
	n = child(root, "node_10");
	assert_non_null(n);
	assert_tasks(n, 10);
	assert_int_equal(fake_css_of(n, &a)->u, 5);
	/* below where it is now */
	assert_int_equal(clone_group(10), 0);
	m = child(n, "node_10");
	assert_non_null(m);
	assert_tasks(m, 10);
	assert_no_tasks(n);
	/* and where a child of it is, read from the log or not */
	fw_fork(fw, 10, 30, 0);
	assert_int_equal(clone_group(30), 0);
	assert_non_null(child(m, "node_30"));
	assert_tasks(child(m, "node_30"), 30);
	fw_free(fw);
}

static void test_clone_refused(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a,b");
	struct cgroup *root = hierarchy_root(h);

	(void)state;
	mkdir_ok(root, "node_10");
	trace_clear(&trace);
	assert_int_equal(clone_group(10), -EEXIST);
	assert_trace(&trace, "");
	/* whatever fails, nothing is left */
	b.create_err = -ENOSPC;
	assert_int_equal(clone_group(11), -ENOSPC);
	assert_trace(&trace, "a.create /node_11; b.create /node_11; a.destroy /node_11; ");
	b.create_err = 0;
	b.can_attach_err = -EPERM;
	assert_int_equal(clone_group(11), -EPERM);
	assert_null(child(root, "node_11"));
	b.can_attach_err = 0;
	assert_int_equal(clone_group(99), -ESRCH);
	assert_null(child(root, "node_99"));
	assert_int_equal(hierarchy_n_cgroups(h), 2);
	assert_tasks(root, 10, 11, 12, 13, 14);
	assert_int_equal(a.n_css, 2);
	assert_int_equal(b.n_css, 2);
	fw_free(fw);
}

static void test_clone_without_hierarchy(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, NULL);

	(void)state;
	assert_int_equal(clone_group(10), 0);
	h = mount_ok(fw, "b");
	trace_clear(&trace);
	assert_int_equal(clone_group(10), 0);
	assert_trace(&trace, "");
	assert_int_equal(hierarchy_n_cgroups(h), 1);
	fw_free(fw);
}

/* Not twice where the group copies its parent's parameters anyway. */
static void test_clone_with_clone_children(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a,clone_children");
	struct cgroup *n;

	(void)state;
	fake_css_of(hierarchy_root(h), &a)->u = 6;
	assert_int_equal(clone_group(10), 0);
	n = child(hierarchy_root(h), "node_10");
	assert_int_equal(fake_css_of(n, &a)->cloned, 1);
	assert_int_equal(fake_css_of(n, &a)->u, 6);
	fw_free(fw);
}

/* ---- walks ---- */

static void test_walk(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct hierarchy *other = mount_ok(fw, "name=o");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"),
		      *empty = mkdir_ok(root, "e");
	struct cgroup *x = mkdir_ok(hierarchy_root(other), "x");
	const struct cgroup_task *task;
	struct cgroup_iter it, it2;
	bool seen[64] = {false};
	size_t n = 0;

	(void)state;
	attach_ok(g, 10);
	attach_ok(x, 10); /* its tasks are of two css_sets */
	attach_ok(g, 11);
	fw_fork(fw, 11, 30, 11);
	assert_int_equal(cgroup_iter_start(g, &it), 0);
	/* as of its start */
	fw_fork(fw, 10, 31, 0);
	fw_exit(fw, 30);
	while ((task = cgroup_iter_next(&it))) {
		assert_in_range(task->tid, 10, 30);
		assert_false(seen[task->tid]);
		seen[task->tid] = true;
		assert_int_equal(task->tgid, task->tid == 30 ? 11 : task->tid);
		n++;
		if (n == 2) { /* walks may nest, and the tree may change under them */
			assert_int_equal(cgroup_iter_start(g, &it2), 0);
			attach_ok(root, 11);
			assert_non_null(cgroup_iter_next(&it2));
			cgroup_iter_end(&it2);
		}
	}
	assert_int_equal(n, 3);
	assert_true(seen[10] && seen[11] && seen[30]);
	assert_null(cgroup_iter_next(&it));
	cgroup_iter_end(&it);

	assert_int_equal(cgroup_iter_start(empty, &it), 0);
	assert_null(cgroup_iter_next(&it));
	cgroup_iter_end(&it);
	/* the root: those that are nowhere, and those that are elsewhere in another hierarchy */
	attach_ok(x, 12);
	assert_int_equal(cgroup_iter_start(root, &it), 0);
	for (n = 0; (task = cgroup_iter_next(&it)); n++)
		assert_in_range(task->tid, 11, 14);
	assert_int_equal(n, 4);
	cgroup_iter_end(&it);
	assert_int_equal(cgroup_task_count(root), 4);
	assert_int_equal(cgroup_task_count(g), 2);
	assert_int_equal(cgroup_task_count(empty), 0);
	fw_free(fw);
}

/* ---- css_sets as subsystems see them ---- */

struct sets {
	struct cgroup_css_set v[16];
	size_t n;
};

static void take_set(void *arg, const struct cgroup_css_set *set)
{
	struct sets *s = arg;

	assert_true(s->n < ARRAY_SIZE(s->v));
	s->v[s->n++] = *set;
}

static void take_cgroup(void *arg, const char *hierarchy, struct cgroup *cgrp)
{
	char path[64];

	assert_true(cgroup_path(cgrp, path, sizeof(path)) > 0);
	sprintf((char *)arg + strlen(arg), "%s:%s ", hierarchy, path);
}

static void count_cset(void *arg, const struct core_cset_info *info)
{
	size_t *sum = arg;

	sum[0]++;
	sum[1] += info->n_tasks;
	assert_true(info->refs >= info->n_tasks);
}

static void test_css_sets(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct hierarchy *other = mount_ok(fw, "name=o");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");
	struct cgroup *x = mkdir_ok(hierarchy_root(other), "x");
	struct cgroup_task task = {.tid = 10};
	struct cgroup_css_set set, again;
	struct sets sets = {.n = 0};
	size_t sum[2] = {0, 0};
	pid_t tids[8];
	char text[128] = "";

	(void)state;
	assert_int_equal(css_set_of_task(&a.ss, &task, &set), 0);
	assert_int_equal(set.id, CSET_INITIAL);
	assert_int_equal(set.n_tasks, 5);
	assert_int_equal(set.n_cgroups, 0);
	attach_ok(g, 10);
	attach_ok(x, 10);
	attach_ok(g, 11);
	assert_int_equal(css_set_of_task(&a.ss, &task, &set), 0);
	assert_int_equal(set.n_tasks, 1);
	assert_int_equal(set.n_cgroups, 2);
	/* stable while it lives, and shared */
	fw_fork(fw, 10, 30, 0);
	fw_exit(fw, 10);
	task.tid = 30;
	assert_int_equal(css_set_of_task(&a.ss, &task, &again), 0);
	assert_int_equal(again.id, set.id);
	assert_int_equal(css_set_tids(&a.ss, set.id, tids, 8), 1);
	assert_int_equal(tids[0], 30);
	css_set_each_cgroup(&a.ss, set.id, take_cgroup, text);
	assert_string_equal(text, "o:/x a:/g ");
	task.tid = 10;
	assert_int_equal(css_set_of_task(&a.ss, &task, &set), -ESRCH);

	cgroup_each_css_set(g, take_set, &sets);
	assert_int_equal(sets.n, 2);
	assert_int_equal(sets.v[0].n_tasks + sets.v[1].n_tasks, 2);
	sets.n = 0;
	cgroup_each_css_set(root, take_set, &sets);
	assert_int_equal(sets.n, 1);
	assert_int_equal(sets.v[0].id, CSET_INITIAL);
	assert_int_equal(sets.v[0].n_tasks, 3);
	assert_int_equal(css_set_tids(&a.ss, CSET_INITIAL, tids, 2), 2);
	assert_int_equal(css_set_tids(&a.ss, 200, tids, 2), 0);

	core_each_cset(fw->core, count_cset, sum);
	assert_int_equal(sum[0], 3);
	assert_int_equal(sum[1], 5);
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clone),
		cmocka_unit_test(test_clone_refused),
		cmocka_unit_test(test_clone_without_hierarchy),
		cmocka_unit_test(test_clone_with_clone_children),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_css_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
