// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_hierarchies.c - which mounts share a hierarchy, which are refused, what the last unmount does,
 * what a remount may change.
 */
#include "helpers.h"

static struct fake_subsys a, b, c;

static struct fake_world *world(void)
{
	struct fake_world *fw = fw_new(256);

	fake_subsys_init(&a, "a", NULL, false);
	fake_subsys_init(&b, "b", NULL, false);
	fake_subsys_init(&c, "c", NULL, false);
	fake_subsys_register(fw, &a);
	fake_subsys_register(fw, &b);
	fake_subsys_register(fw, &c);
	fw_spawn(fw, 10, 10);
	fw_spawn(fw, 11, 11);
	return fw;
}

static size_t n_hierarchies(struct fake_world *fw)
{
	struct core_stats stats;
	struct hierarchy *h = NULL;
	size_t n = 0;

	while ((h = core_hierarchy_next(fw->core, h)))
		n++;
	core_get_stats(fw->core, &stats);
	assert_int_equal(stats.hierarchies, n);
	return n;
}

/* "ab/c": the subsystems of each hierarchy, newest first, unbound ones after a dash. */
static void check_bound(struct fake_world *fw, const char *want)
{
	char text[64] = "", *p = text;
	struct hierarchy *h = NULL;

	while ((h = core_hierarchy_next(fw->core, h))) {
		if (p != text)
			*p++ = '/';
		for (unsigned int id = 0; id < 3; id++)
			if (core_subsys_hierarchy(fw->core, id) == h) {
				assert_true(hierarchy_subsys_mask(h) & (1u << id));
				*p++ = "abc"[id];
			} else {
				assert_false(hierarchy_subsys_mask(h) & (1u << id));
			}
	}
	assert_string_equal(text, want);
}

static void test_same_options_share(void **state)
{
	struct fake_world *fw = world();
	struct hierarchy *h = mount_ok(fw, "a,b"), *n, *x;
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	assert_ptr_equal(mount_ok(fw, "b,a"), h);
	assert_ptr_equal(mount_ok(fw, "a,b,a"), h);
	assert_int_equal(hierarchy_n_mounts(h), 3);
	assert_ptr_equal(child(hierarchy_root(h), "g"), g);
	assert_int_equal(n_hierarchies(fw), 1);

	n = mount_ok(fw, "none,name=n");
	assert_ptr_not_equal(n, h);
	assert_ptr_equal(mount_ok(fw, "name=n"), n);
	assert_ptr_equal(mount_ok(fw, "name=n,none"), n);
	x = mount_ok(fw, "c,noprefix,name=x");
	assert_ptr_equal(mount_ok(fw, "c,name=x,noprefix"), x);
	/* A name finds its hierarchy, whatever is bound there. */
	assert_ptr_equal(mount_ok(fw, "name=x,noprefix"), x);
	assert_int_equal(n_hierarchies(fw), 3);
	check_bound(fw, "c//ab");
	/* ids are told apart and never change */
	assert_true(hierarchy_id(h) < hierarchy_id(n) && hierarchy_id(n) < hierarchy_id(x));
	fw_free(fw);
}

/* The first mount's agent and clone_children stay: a second mount only shows the hierarchy. */
static void test_sharing_changes_nothing(void **state)
{
	struct fake_world *fw = world();
	struct hierarchy *h = mount_ok(fw, "a,release_agent=/one");

	(void)state;
	assert_ptr_equal(mount_ok(fw, "a,release_agent=/two,clone_children"), h);
	assert_string_equal(hierarchy_release_agent(h), "/one");
	assert_reads(hierarchy_root(h), "cgroup.clone_children", "0\n");
	fw_free(fw);
}

static void test_busy(void **state)
{
	static const char *const busy[] = {
		"a",	      "b",	  "a,b,c",	  "a,c",	"b,c",
		"all",	      "",	  "a,b,noprefix", "a,b,name=z", "a,b,name=n",
		"all,name=z", "a,name=n", "none,name=x",  "c,name=n",	"none,name=n,noprefix",
		"all,name=x",
	};
	struct fake_world *fw = world();
	struct hierarchy *h = mount_ok(fw, "a,b"), *n = mount_ok(fw, "none,name=n"),
			 *x = mount_ok(fw, "c,name=x");

	(void)state;
	core_umount(fw->core, x);
	assert_int_equal(n_hierarchies(fw), 2);
	x = mount_ok(fw, "c,name=x");
	for (size_t i = 0; i < ARRAY_SIZE(busy); i++) {
		struct hierarchy *none = NULL;
		int err = try_mount(fw, busy[i], &none);

		if (err != -EBUSY || none)
			fail_msg("\"%s\": %d", busy[i], err);
		check_bound(fw, "c//ab");
		assert_int_equal(hierarchy_n_mounts(h), 1);
		assert_int_equal(hierarchy_n_mounts(n), 1);
	}
	fw_free(fw);
}

static void test_last_unmount(void **state)
{
	struct fake_world *fw = world();
	struct hierarchy *h = mount_ok(fw, "a,b,release_agent=/x");
	struct cgroup *g;

	(void)state;
	/* a lone root is dissolved with the last mount, not before */
	mount_ok(fw, "a,b");
	core_umount(fw->core, h);
	check_bound(fw, "ab");
	core_umount(fw->core, h);
	check_bound(fw, "");
	assert_null(core_hierarchy_find(fw->core, "a,b"));

	/* with a child it goes on */
	h = mount_ok(fw, "a,b,release_agent=/x");
	assert_string_equal(hierarchy_release_agent(h), "/x");
	g = mkdir_ok(hierarchy_root(h), "g");
	attach_ok(g, 10);
	write_ok(g, "notify_on_release", "1");
	core_umount(fw->core, h);
	assert_int_equal(hierarchy_n_mounts(h), 0);
	check_bound(fw, "ab");
	fw_fork(fw, 10, 12, 0);
	assert_tasks(g, 10, 12);
	fw_exit(fw, 10);
	fw_exit(fw, 12);
	assert_releases(h, "/g ");
	assert_string_equal(hierarchy_release_agent(h), "/x");
	/* and can be mounted again */
	assert_ptr_equal(mount_ok(fw, "b,a"), h);
	assert_ptr_equal(child(hierarchy_root(h), "g"), g);
	assert_int_equal(hierarchy_n_mounts(h), 1);
	rmdir_ok(g);
	core_umount(fw->core, h);
	check_bound(fw, "");
	fw_free(fw);
}

/* All tasks are in the root of a new hierarchy, also those that are members elsewhere. */
static void test_tasks_in_new_root(void **state)
{
	struct fake_world *fw = world();
	struct hierarchy *h = mount_ok(fw, "a"), *n;

	(void)state;
	attach_ok(mkdir_ok(hierarchy_root(h), "g"), 10);
	n = mount_ok(fw, "name=n");
	assert_tasks(hierarchy_root(n), 10, 11);
	assert_tasks(hierarchy_root(h), 11);
	assert_int_equal(hierarchy_n_cgroups(h), 2);
	assert_int_equal(hierarchy_n_cgroups(n), 1);
	fw_free(fw);
}

static void test_64(void **state)
{
	struct fake_world *fw = world();
	struct hierarchy *h[CORE_MAX_HIERARCHIES], *more = NULL;
	struct cgroup *g[CORE_MAX_HIERARCHIES];
	char opts[64];

	(void)state;
	for (int i = 0; i < CORE_MAX_HIERARCHIES; i++) {
		snprintf(opts, sizeof(opts), "name=h%d", i);
		h[i] = mount_ok(fw, opts);
		g[i] = mkdir_ok(hierarchy_root(h[i]), "g");
		attach_ok(g[i], 10);
	}
	assert_int_equal(try_mount(fw, "name=more", &more), -ENOSPC);
	assert_int_equal(try_mount(fw, "a", &more), -ENOSPC);
	assert_null(more);
	assert_int_equal(n_hierarchies(fw), CORE_MAX_HIERARCHIES);
	/* sharing one of them needs no more room */
	assert_ptr_equal(mount_ok(fw, "name=h0"), h[0]);
	core_umount(fw->core, h[0]);

	/* one css_set for all 64, inherited as one */
	fw_fork(fw, 10, 12, 0);
	for (int i = 0; i < CORE_MAX_HIERARCHIES; i++)
		assert_tasks(g[i], 10, 12);
	assert_int_equal(fw_task(fw, 10)->place.cset, fw_task(fw, 12)->place.cset);

	/* room again after one went, in the middle */
	fw_exit(fw, 10);
	fw_exit(fw, 12);
	rmdir_ok(g[31]);
	core_umount(fw->core, h[31]);
	more = mount_ok(fw, "name=more");
	attach_ok(mkdir_ok(hierarchy_root(more), "m"), 11);
	attach_ok(g[63], 11);
	attach_ok(g[0], 11);
	assert_tasks(child(hierarchy_root(more), "m"), 11);
	assert_tasks(g[0], 11);
	assert_tasks(g[63], 11);
	fw_free(fw);
}

static void test_find(void **state)
{
	struct fake_world *fw = world();
	struct hierarchy *h = mount_ok(fw, "a,b"), *n = mount_ok(fw, "c,name=n");

	(void)state;
	assert_ptr_equal(core_hierarchy_find(fw->core, "a,b"), h);
	assert_ptr_equal(core_hierarchy_find(fw->core, "b,a"), h);
	assert_ptr_equal(core_hierarchy_find(fw->core, "n"), n);
	assert_null(core_hierarchy_find(fw->core, "a"));
	assert_null(core_hierarchy_find(fw->core, "a,b,c"));
	assert_null(core_hierarchy_find(fw->core, ""));
	assert_null(core_hierarchy_find(fw->core, "nn"));
	assert_ptr_equal(hierarchy_core(h), fw->core);
	hierarchy_set_mount_data(n, fw);
	assert_ptr_equal(hierarchy_mount_data(n), fw);
	assert_null(hierarchy_mount_data(h));
	fw_free(fw);
}

static void test_remount_subsystems(void **state)
{
	struct fake_world *fw = world();
	struct hierarchy *h = mount_ok(fw, "a"), *n;
	struct cgroup *root = hierarchy_root(h), *g;
	unsigned int changes;

	(void)state;
	fake_css_of(root, &a)->u = 7;
	changes = fw->n_tree_changed;
	assert_int_equal(try_remount(fw, h, "a,b"), 0);
	check_bound(fw, "ab");
	assert_true(fw->n_tree_changed > changes);
	assert_int_equal(fake_css_of(root, &a)->u, 7);
	assert_int_equal(try_remount(fw, h, "b"), 0);
	check_bound(fw, "b");
	assert_null(css_of(root, &a.ss));
	assert_string_equal(hierarchy_label(h), "b");
	/* what went is free for others, and what others have is busy */
	n = mount_ok(fw, "a,c");
	assert_int_equal(try_remount(fw, h, "a"), -EBUSY);
	assert_int_equal(try_remount(fw, h, "all"), -EBUSY);
	assert_int_equal(try_remount(fw, h, "a,b,c"), -EBUSY);
	check_bound(fw, "ac/b");
	core_umount(fw->core, n);
	assert_int_equal(try_remount(fw, h, "all"), 0);
	check_bound(fw, "abc");
	assert_int_equal(try_remount(fw, h, "b"), 0);

	/* only a lone root */
	g = mkdir_ok(root, "g");
	assert_int_equal(try_remount(fw, h, "a,b"), -EBUSY);
	assert_int_equal(try_remount(fw, h, "a"), -EBUSY);
	assert_int_equal(try_remount(fw, h, "b"), 0);
	check_bound(fw, "b");
	rmdir_ok(g);
	assert_int_equal(try_remount(fw, h, "c"), 0);
	check_bound(fw, "c");
	fw_free(fw);
}

static void test_remount_rest(void **state)
{
	struct fake_world *fw = world();
	struct hierarchy *h = mount_ok(fw, "a,name=x"), *p = mount_ok(fw, "b,noprefix");
	struct core_mount_opts opts;
	char *what = NULL;

	(void)state;
	mkdir_ok(hierarchy_root(h), "g");
	assert_int_equal(try_remount(fw, h, "a,name=y"), -EINVAL);
	assert_int_equal(try_remount(fw, h, "a,name=x,noprefix"), -EINVAL);
	assert_int_equal(try_remount(fw, p, "b,noprefix,name=p"), -EINVAL);
	/* the set spoken of without its noprefix changes it */
	assert_int_equal(try_remount(fw, p, "c"), -EINVAL);
	assert_int_equal(try_remount(fw, p, "c,noprefix"), 0);
	check_bound(fw, "c/a");

	assert_int_equal(try_remount(fw, h, "a,name=x,release_agent=/new"), 0);
	assert_string_equal(hierarchy_release_agent(h), "/new");
	assert_int_equal(try_remount(fw, h, "release_agent=/newer"), 0);
	assert_string_equal(hierarchy_release_agent(h), "/newer");
	check_bound(fw, "c/a");
	/* refused as a whole */
	assert_int_equal(try_remount(fw, h, "a,b,name=x,release_agent=/no"), -EBUSY);
	assert_string_equal(hierarchy_release_agent(h), "/newer");
	assert_int_equal(try_remount(fw, h, "a,name=x,release_agent="), 0);
	assert_string_equal(hierarchy_release_agent(h), "");

	/* not everybody sets one */
	assert_int_equal(
		core_mount_opts_parse(fw->core, "a,name=x,release_agent=/evil", &opts, NULL), 0);
	assert_int_equal(core_remount(fw->core, h, &opts, &user_cred, &what), -EPERM);
	assert_non_null(what);
	free(what);
	core_mount_opts_clear(&opts);
	assert_string_equal(hierarchy_release_agent(h), "");
	fw_free(fw);
}

static void test_mount_by_others(void **state)
{
	struct fake_world *fw = world();
	struct core_mount_opts opts;
	struct hierarchy *h = NULL;
	char *what = NULL;

	(void)state;
	assert_int_equal(core_mount_opts_parse(fw->core, "a,release_agent=/evil", &opts, NULL), 0);
	assert_int_equal(core_mount(fw->core, &opts, &user_cred, &h, &what), -EPERM);
	assert_non_null(what);
	free(what);
	core_mount_opts_clear(&opts);
	assert_null(h);
	assert_int_equal(n_hierarchies(fw), 0);
	check_bound(fw, "");
	assert_int_equal(core_mount_opts_parse(fw->core, "a", &opts, NULL), 0);
	assert_int_equal(core_mount(fw->core, &opts, &user_cred, &h, NULL), 0);
	core_mount_opts_clear(&opts);
	core_umount(fw->core, h);
	fw_free(fw);
}

static void test_register(void **state)
{
	static const char *const bad_names[] = {"",
						"A",
						"a-b",
						"a.b",
						"a b",
						"\xe4",
						"all",
						"none",
						"noprefix",
						"a,b",
						"abcdefghijklmnopqrstuvwxyz0123456"};
	static struct fake_subsys many[CORE_MAX_SUBSYS + 1];
	struct fake_world *fw = world();
	struct fake_subsys s;
	char name[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++) {
		fake_subsys_init(&s, "x", NULL, false);
		s.ss.name = bad_names[i];
		if (core_register_subsys(fw->core, &s.ss) != -EINVAL)
			fail_msg("\"%s\" was registered", bad_names[i]);
	}
	fake_subsys_init(&s, "x", NULL, false);
	s.ss.name = NULL;
	assert_int_equal(core_register_subsys(fw->core, &s.ss), -EINVAL);
	fake_subsys_init(&s, "x", NULL, false);
	s.ss.create = NULL;
	assert_int_equal(core_register_subsys(fw->core, &s.ss), -EINVAL);
	fake_subsys_init(&s, "x", NULL, false);
	s.ss.destroy = NULL;
	assert_int_equal(core_register_subsys(fw->core, &s.ss), -EINVAL);
	fake_subsys_init(&s, "b", NULL, false);
	assert_int_equal(core_register_subsys(fw->core, &s.ss), -EEXIST);
	fake_subsys_init(&s, "x", NULL, false);
	s.create_err = -EDOM;
	assert_int_equal(core_register_subsys(fw->core, &s.ss), -EDOM);
	assert_null(core_subsys(fw->core, 3));
	assert_int_equal(s.n_css, 0);
	for (int i = 3; i <= CORE_MAX_SUBSYS; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		fake_subsys_init(&many[i], name, NULL, false);
		assert_int_equal(core_register_subsys(fw->core, &many[i].ss),
				 i < CORE_MAX_SUBSYS ? 0 : -ENOSPC);
	}
	assert_ptr_equal(core_subsys(fw->core, CORE_MAX_SUBSYS - 1), &many[CORE_MAX_SUBSYS - 1].ss);
	/* all of them in one hierarchy, with a cgroup below */
	mkdir_ok(hierarchy_root(mount_ok(fw, "all")), "g");
	assert_int_equal(many[CORE_MAX_SUBSYS - 1].n_css, 2);
	fw_free(fw);
	assert_int_equal(many[CORE_MAX_SUBSYS - 1].n_css, 0);
	assert_int_equal(a.n_css, 0);
}

/* A subsystem that comes late joins no hierarchy that is there, and can be mounted. */
static void test_register_late(void **state)
{
	struct fake_world *fw = world();
	struct hierarchy *h = mount_ok(fw, "all");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");
	struct fake_subsys late;
	struct hierarchy *l;

	(void)state;
	fake_subsys_init(&late, "late", NULL, false);
	fake_subsys_register(fw, &late);
	assert_null(css_of(g, &late.ss));
	assert_int_equal(hierarchy_subsys_mask(h), 7);
	l = mount_ok(fw, "late");
	assert_non_null(css_of(mkdir_ok(hierarchy_root(l), "k"), &late.ss));
	assert_non_null(css_of(mkdir_ok(hierarchy_root(h), "g2"), &c.ss));
	fw_free(fw);
	assert_int_equal(late.n_css, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_options_share),
		cmocka_unit_test(test_sharing_changes_nothing),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_last_unmount),
		cmocka_unit_test(test_tasks_in_new_root),
		cmocka_unit_test(test_64),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_remount_subsystems),
		cmocka_unit_test(test_remount_rest),
		cmocka_unit_test(test_mount_by_others),
		cmocka_unit_test(test_register),
		cmocka_unit_test(test_register_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
