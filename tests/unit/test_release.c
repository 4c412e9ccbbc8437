// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_release.c - when a cgroup is released: each time it becomes idle, once, in order, and not when
 * it is no longer idle at delivery. And what `releasable` says.
 */
#include "helpers.h"

static struct fake_subsys a;

static struct fake_world *world(struct hierarchy **h)
{
	struct fake_world *fw = fw_new(256);

	fake_subsys_init(&a, "a", NULL, false);
	fake_subsys_register(fw, &a);
	*h = mount_ok(fw, "a");
	for (pid_t tid = 10; tid < 20; tid++)
		fw_spawn(fw, tid, tid);
	return fw;
}

static struct cgroup *notifying(struct cgroup *parent, const char *name)
{
	struct cgroup *g = mkdir_ok(parent, name);

	write_ok(g, "notify_on_release", "1\n");
	return g;
}

static void test_last_exit(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = notifying(hierarchy_root(h), "g");

	(void)state;
	attach_ok(g, 10);
	fw_fork(fw, 10, 30, 0);
	fw_exit(fw, 10);
	assert_releases(h, "");
	fw_exit(fw, 30);
	/* nobody is told before the log is read */
	assert_int_equal(fw->n_release_ready, 0);
	core_settle(fw->core);
	assert_int_equal(fw->n_release_ready, 1);
	assert_ptr_equal(fw->last_ready, h);
	assert_int_equal(core_releases_pending(h), 1);
	assert_releases(h, "/g ");
	assert_releases(h, "");
	/* and again each time */
	for (int i = 11; i < 15; i++) {
		attach_ok(g, i);
		assert_releases(h, "");
		fw_exit(fw, i);
		assert_releases(h, "/g ");
	}
	fw_free(fw);
}

static void test_last_move(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = notifying(root, "g"), *k = notifying(g, "k");

	(void)state;
	attach_ok(g, 10);
	attach_ok(k, 10);
	/* g has a child */
	assert_releases(h, "");
	attach_ok(g, 10);
	assert_releases(h, "/g/k ");
	attach_ok(root, 10);
	assert_releases(h, "");
	rmdir_ok(k);
	assert_releases(h, "/g ");
	fw_free(fw);
}

static void test_last_child(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = notifying(hierarchy_root(h), "g"), *k = mkdir_ok(g, "k"), *l;

	(void)state;
	l = mkdir_ok(g, "l");
	/* the child has its parent's setting */
	assert_reads(k, "notify_on_release", "1\n");
	rmdir_ok(k);
	assert_releases(h, "");
	rmdir_ok(l);
	assert_releases(h, "/g "); /* though nobody ever was in it */
	k = mkdir_ok(g, "k");
	attach_ok(g, 10);
	rmdir_ok(k);
	assert_releases(h, "");
	fw_exit(fw, 10);
	assert_releases(h, "/g ");
	rmdir_ok(g);
	fw_free(fw);
}

static void test_not_notifying(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"),
		      *n = notifying(root, "n");

	(void)state;
	attach_ok(g, 10);
	fw_exit(fw, 10);
	assert_releases(h, "");
	/* set on a cgroup that is idle already: that does not release it, */
	write_ok(g, "notify_on_release", "1");
	assert_releases(h, "");
	/* nor does the last exit that nobody has looked at yet */
	write_ok(g, "notify_on_release", "0");
	attach_ok(g, 11);
	fw_exit(fw, 11);
	write_ok(g, "notify_on_release", "1");
	assert_releases(h, "");
	attach_ok(g, 12);
	fw_exit(fw, 12);
	cgroup_set_notify_on_release(g, false);
	cgroup_set_notify_on_release(g, true);
	/* that one was owed: it was set when the last task left */
	assert_releases(h, "/g ");
	cgroup_set_notify_on_release(g, false);
	attach_ok(g, 13);
	fw_exit(fw, 13);
	cgroup_set_notify_on_release(g, true);
	assert_releases(h, "");
	assert_true(cgroup_notify_on_release(g));
	/* a new cgroup that nobody was in, and a refused move */
	assert_int_equal(core_attach_task(n, 999, &root_cred), -ESRCH);
	a.can_attach_err = -EPERM;
	assert_int_equal(core_attach_task(n, 14, &root_cred), -EPERM);
	a.can_attach_err = 0;
	assert_releases(h, "");
	/* the root never */
	write_ok(root, "notify_on_release", "1");
	rmdir_ok(n);
	rmdir_ok(g);
	assert_releases(h, "");
	fw_free(fw);
}

static void test_order(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct hierarchy *other = mount_ok(fw, "name=other");
	struct cgroup *root = hierarchy_root(h), *g[5], *o = notifying(hierarchy_root(other), "o");
	static const int order[] = {3, 0, 4, 2, 1};
	char name[16];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		g[i] = notifying(root, name);
		attach_ok(g[i], 10 + i);
		attach_ok(o, 10 + i);
	}
	for (int i = 0; i < 5; i++)
		fw_exit(fw, 10 + order[i]);
	assert_releases(h, "/g3 /g0 /g4 /g2 /g1 ");
	assert_releases(other, "/o ");
	/* busy and idle again between two looks: the last time counts */
	for (int i = 0; i < 3; i++)
		attach_ok(g[i], 15 + i);
	fw_fork_begin(fw, 15, 50, 0); /* born late */
	attach_ok(root, 15);
	fw_exit(fw, 16);
	fw_exit(fw, 17);
	fw_fork_end(fw, 50);
	fw_exit(fw, 50);
	assert_releases(h, "/g1 /g2 /g0 ");
	fw_free(fw);
}

static uint64_t (*real_count)(void *arg, uint32_t cset);

/* A fork into the css_set ends, and its child dies, just before the count is read. */
static uint64_t count_after_all(void *arg, uint32_t cset)
{
	struct fake_world *fw = arg;

	if (fw_task(fw, 30)->state == FW_UNBORN) {
		fw_fork_end(fw, 30);
		fw_exit(fw, 30);
	}
	return real_count(arg, cset);
}

/*
 * A css_set is judged empty after the log was read past the moment its count was: what went on in it
 * until then is told in its cgroups. And it is judged again at once, not when somebody comes along.
 */
static void test_replay_past_count(void **state)
{
	struct fake_world *fw = fw_alloc(256);
	struct hierarchy *h;
	struct cgroup *g;
	struct core_stats stats;

	(void)state;
	real_count = fw->ops.cset_count;
	fw->ops.cset_count = count_after_all;
	fw_start(fw);
	h = mount_ok(fw, "name=h");
	g = notifying(hierarchy_root(h), "g");
	fw_spawn(fw, 10, 10);
	attach_ok(g, 10);
	fw_fork_begin(fw, 10, 30, 0);
	fw_exit(fw, 10);
	core_settle(fw->core);
	core_get_stats(fw->core, &stats);
	assert_int_equal(stats.oddities, 0);
	assert_int_equal(stats.born, 1);
	assert_int_equal(stats.died, 2);
	assert_int_equal(stats.csets, 1);
	assert_int_equal(core_releases_pending(h), 1);
	assert_releases(h, "/g ");
	fw_free(fw);
}

static void test_once_queued(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = notifying(root, "g");
	struct core_stats stats;

	(void)state;
	for (int i = 10; i < 13; i++) {
		attach_ok(g, i);
		attach_ok(root, i);
		assert_int_equal(core_releases_pending(h), 1);
	}
	assert_releases(h, "/g ");
	core_get_stats(fw->core, &stats);
	assert_int_equal(stats.releases_reprieved, 0);
	fw_free(fw);
}

static void test_reprieve(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = notifying(root, "g"),
		      *k = notifying(root, "k");
	struct core_stats stats;

	(void)state;
	attach_ok(g, 10);
	attach_ok(k, 11);
	fw_exit(fw, 10);
	fw_exit(fw, 11);
	core_settle(fw->core);
	assert_int_equal(core_releases_pending(h), 2);
	/* by a task */
	attach_ok(g, 12);
	assert_releases(h, "/k ");
	fw_exit(fw, 12);
	core_settle(fw->core);
	/* by a child */
	mkdir_ok(g, "c");
	assert_releases(h, "");
	rmdir_ok(child(g, "c"));
	core_settle(fw->core);
	/* by a reference */
	css_get(css_of(g, &a.ss));
	assert_releases(h, "");
	css_put(css_of(g, &a.ss));
	core_get_stats(fw->core, &stats);
	assert_int_equal(stats.releases_reprieved, 3);
	/* nobody was told yet, and it is idle again */
	assert_releases(h, "/g ");
	css_get(css_of(g, &a.ss));
	css_put(css_of(g, &a.ss));
	assert_releases(h, "");
	fw_free(fw);
}

static void test_removed_from_queue(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = notifying(root, "g"), *k = notifying(g, "k");

	(void)state;
	attach_ok(k, 10);
	fw_exit(fw, 10);
	core_settle(fw->core);
	assert_int_equal(core_releases_pending(h), 1);
	/* taken off with its removal, which makes its parent idle */
	rmdir_ok(k);
	assert_int_equal(core_releases_pending(h), 1);
	assert_releases(h, "/g ");
	/* renamed while queued: told by its name of now */
	attach_ok(g, 11);
	fw_exit(fw, 11);
	core_settle(fw->core);
	assert_int_equal(cgroup_rename(g, "new name"), 0);
	assert_releases(h, "/new name ");
	fw_free(fw);
}

/* What builtin:rmdir does: remove it, and look at its parent by the same rules. */
static void test_chain(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *at = hierarchy_root(h), *cgrp, *deep[5];
	char path[64];
	int n = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		at = deep[i] = notifying(at, "d");
	write_ok(deep[1], "notify_on_release", "0");
	attach_ok(at, 10);
	attach_ok(deep[2], 11);
	fw_exit(fw, 10);
	while ((cgrp = core_release_next(h))) {
		n++;
		assert_true(cgroup_path(cgrp, path, sizeof(path)) > 0);
		rmdir_ok(cgrp);
	}
	/* up to the one with a task */
	assert_int_equal(n, 2);
	assert_string_equal(path, "/d/d/d/d");
	fw_exit(fw, 11);
	while ((cgrp = core_release_next(h))) {
		n++;
		assert_true(cgroup_path(cgrp, path, sizeof(path)) > 0);
		rmdir_ok(cgrp);
	}
	/* and then to the one that does not notify */
	assert_int_equal(n, 3);
	assert_string_equal(path, "/d/d/d");
	assert_int_equal(hierarchy_n_cgroups(h), 3);
	fw_free(fw);
}

static void test_births_under_way(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = notifying(root, "g");

	(void)state;
	attach_ok(g, 10);
	fw_fork_begin(fw, 10, 30, 0);
	attach_ok(root, 10);
	/* its list is empty, and yet somebody is on the way */
	assert_no_tasks(g);
	assert_releases(h, "");
	assert_false(cgroup_is_idle(g));
	fw_fork_end(fw, 30);
	assert_releases(h, "");
	fw_exit(fw, 30);
	assert_releases(h, "/g ");
	/* one that is never born */
	attach_ok(g, 10);
	fw_fork_begin(fw, 10, 30, 0);
	attach_ok(root, 10);
	assert_releases(h, "");
	fw_fork_undo(fw, 30);
	assert_releases(h, "/g ");
	/* an exit under way */
	attach_ok(g, 10);
	fw_exit_begin(fw, 10);
	assert_releases(h, "");
	fw_exit_end(fw, 10);
	assert_releases(h, "/g ");
	fw_free(fw);
}

/* The css_set of a task changes when it moves in another hierarchy: nothing is released by that. */
static void test_other_hierarchies(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct hierarchy *i = mount_ok(fw, "name=i");
	struct cgroup *g = notifying(hierarchy_root(h), "g"),
		      *x = notifying(hierarchy_root(i), "x"),
		      *y = notifying(hierarchy_root(i), "y");

	(void)state;
	attach_ok(g, 10);
	attach_ok(x, 10);
	attach_ok(y, 10);
	assert_releases(h, "");
	assert_releases(i, "/x ");
	assert_reads(g, "releasable", "0\n");
	assert_reads(x, "releasable", "1\n");
	assert_reads(y, "releasable", "0\n");
	attach_ok(hierarchy_root(i), 10);
	assert_releases(h, "");
	assert_releases(i, "/y ");
	assert_reads(g, "releasable", "0\n");
	fw_exit(fw, 10);
	assert_releases(h, "/g ");
	assert_releases(i, "");
	fw_free(fw);
}

static void test_releasable(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k;

	(void)state;
	assert_reads(g, "releasable", "0\n");
	attach_ok(g, 10);
	attach_ok(g, 11);
	assert_reads(g, "releasable", "0\n");
	fw_exit(fw, 10);
	assert_reads(g, "releasable", "1\n"); /* one is lost, one is left */
	assert_true(cgroup_is_releasable(g));
	/* a write clears it, whatever is written, unless it is refused */
	assert_int_equal(write_text(g, "notify_on_release", "x"), -EINVAL);
	assert_reads(g, "releasable", "1\n");
	write_ok(g, "notify_on_release", "0");
	assert_reads(g, "releasable", "0\n");
	/* by moving away */
	attach_ok(root, 11);
	assert_reads(g, "releasable", "1\n");
	write_ok(g, "notify_on_release", "1");
	assert_reads(g, "releasable", "0\n");
	/* by a child */
	k = mkdir_ok(g, "k");
	assert_reads(g, "releasable", "0\n");
	rmdir_ok(k);
	assert_reads(g, "releasable", "1\n");
	/* an exit that has not been read when the write comes */
	attach_ok(g, 12);
	fw_exit(fw, 12);
	write_ok(g, "notify_on_release", "1");
	assert_reads(g, "releasable", "0\n");
	/* not by entering, not by a refused move, not by a fork that failed */
	attach_ok(g, 13);
	a.can_attach_err = -EPERM;
	assert_int_equal(core_attach_task(root, 13, &root_cred), -EPERM);
	a.can_attach_err = 0;
	fw_fork_begin(fw, 13, 30, 0);
	fw_fork_undo(fw, 30);
	assert_reads(g, "releasable", "0\n");
	/* a child starts with 0 */
	fw_exit(fw, 13);
	assert_reads(g, "releasable", "1\n");
	assert_reads(mkdir_ok(g, "k"), "releasable", "0\n");
	fw_free(fw);
}

/* exec by a thread: its tid changes, and no cgroup loses it. */
/* One death is told to every group of the task, and clearing it in one says nothing of the others. */
static void test_releasable_shared(void **state)
{
	struct hierarchy *h, *k;
	struct fake_world *fw = world(&h);
	struct cgroup *g, *x, *y;

	(void)state;
	k = mount_ok(fw, "none,name=k");
	g = mkdir_ok(hierarchy_root(h), "g");
	x = mkdir_ok(hierarchy_root(k), "x");
	y = mkdir_ok(hierarchy_root(k), "y");
	attach_ok(g, 10);
	attach_ok(x, 10);
	fw_fork(fw, 10, 30, 0);
	fw_fork(fw, 10, 31, 0);
	fw_exit(fw, 30);
	assert_reads(g, "releasable", "1\n");
	assert_reads(x, "releasable", "1\n");
	write_ok(g, "notify_on_release", "0");
	assert_reads(g, "releasable", "0\n");
	assert_reads(x, "releasable", "1\n");
	/* Who goes on into another combination leaves what was lost behind. */
	attach_ok(y, 10);
	assert_reads(g, "releasable", "0\n");
	assert_reads(y, "releasable", "0\n");
	fw_exit(fw, 31);
	assert_reads(g, "releasable", "1\n");
	assert_reads(x, "releasable", "1\n");
	assert_reads(y, "releasable", "0\n");
	/* The css_set that lost them is gone by now. */
	write_ok(x, "notify_on_release", "0");
	assert_reads(g, "releasable", "1\n");
	assert_reads(x, "releasable", "0\n");
	fw_free(fw);
}

static void test_releasable_over_exec(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *l = notifying(root, "l"),
		      *t = notifying(root, "t");

	(void)state;
	fw_fork(fw, 10, 30, 10);
	attach_ok(l, 10);
	attach_ok(t, 30);
	fw_exec(fw, 30);
	assert_tasks(t, 10);
	assert_no_tasks(l);
	assert_reads(t, "releasable", "0\n");
	assert_reads(l, "releasable", "1\n");
	assert_releases(h, "/l ");
	fw_free(fw);
}

static void test_inherited_setting(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g, *k;

	(void)state;
	assert_reads(root, "notify_on_release", "0\n");
	g = mkdir_ok(root, "g");
	assert_reads(g, "notify_on_release", "0\n");
	write_ok(root, "notify_on_release", "7");
	assert_reads(root, "notify_on_release", "1\n");
	assert_reads(g, "notify_on_release", "0\n");
	k = mkdir_ok(root, "k");
	assert_reads(k, "notify_on_release", "1\n");
	write_ok(k, "notify_on_release", "0");
	assert_reads(mkdir_ok(k, "kk"), "notify_on_release", "0\n");
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_exit),
		cmocka_unit_test(test_last_move),
		cmocka_unit_test(test_last_child),
		cmocka_unit_test(test_not_notifying),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_replay_past_count),
		cmocka_unit_test(test_once_queued),
		cmocka_unit_test(test_reprieve),
		cmocka_unit_test(test_removed_from_queue),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_births_under_way),
		cmocka_unit_test(test_other_hierarchies),
		cmocka_unit_test(test_releasable),
		cmocka_unit_test(test_releasable_shared),
		cmocka_unit_test(test_releasable_over_exec),
		cmocka_unit_test(test_inherited_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
