// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_tree.c - making, removing, renaming and finding cgroups; what chown, chmod and setxattr leave.
 */
#include <sys/xattr.h>

#include "helpers.h"

static struct fake_world *world(struct hierarchy **h)
{
	struct fake_world *fw = fw_new(64);

	*h = mount_ok(fw, "name=h");
	fw_spawn(fw, 10, 10);
	return fw;
}

static char *repeat(char *buf, char c, size_t n)
{
	memset(buf, c, n);
	buf[n] = '\0';
	return buf;
}

static void test_mkdir(void **state)
{
	static const char *const good[] = {"a",		" ",	  "a b", "...", ".a",	 "\xff\x01",
					   "t\303\244", "tasks2", "*",	 "-r",	"node_1"};
	static const struct {
		const char *name;
		int err;
	} bad[] = {
		{"", -EINVAL},	{"\n", -EINVAL},    {"a\nb", -EINVAL},		{"a\n", -EINVAL},
		{".", -EINVAL}, {"..", -EINVAL},    {"a/b", -EINVAL},		{"/", -EINVAL},
		{"a", -EEXIST}, {"tasks", -EEXIST}, {"release_agent", -EEXIST},
	};
	char buf[CORE_NAME_MAX + 2];
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *cgrp, *none = NULL;
	uint64_t serial = cgroup_serial(root);
	size_t n = 0;

	(void)state;
	for (; n < ARRAY_SIZE(good); n++) {
		cgrp = mkdir_ok(root, good[n]);
		assert_string_equal(cgroup_name(cgrp), good[n]);
		assert_true(cgroup_serial(cgrp) > serial);
		serial = cgroup_serial(cgrp);
		assert_ptr_equal(core_cgroup_by_serial(fw->core, serial), cgrp);
		assert_ptr_equal(cgroup_parent(cgrp), root);
		assert_ptr_equal(cgroup_hierarchy(cgrp), h);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int err = try_mkdir(root, bad[i].name, &none);

		if (err != bad[i].err || none)
			fail_msg("\"%s\": %d instead of %d", bad[i].name, err, bad[i].err);
	}
	assert_int_equal(try_mkdir(root, repeat(buf, 'x', CORE_NAME_MAX + 1), &none),
			 -ENAMETOOLONG);
	cgrp = mkdir_ok(root, repeat(buf, 'x', CORE_NAME_MAX));
	n++;
	assert_int_equal(cgroup_n_children(root), n);
	assert_int_equal(hierarchy_n_cgroups(h), n + 1);
	/* a non-root has no release_agent, so the name is free there */
	mkdir_ok(cgrp, "release_agent");
	assert_int_equal(try_mkdir(cgrp, "tasks", &none), -EEXIST);
	assert_int_equal(try_mkdir(cgrp, "release_agent", &none), -EEXIST);
	fw_free(fw);
}

static void test_depth_and_paths(void **state)
{
	char want[4096] = "", got[4096];
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *cgrp = root, *found;
	int len;

	(void)state;
	assert_int_equal(cgroup_path(root, got, sizeof(got)), 1);
	assert_string_equal(got, "/");
	assert_string_equal(cgroup_name(root), "/");
	assert_null(cgroup_parent(root));
	for (int i = 0; i < 50; i++) {
		char name[32];

		snprintf(name, sizeof(name), "level %d", i);
		cgrp = mkdir_ok(cgrp, name);
		sprintf(want + strlen(want), "/%s", name);
		len = cgroup_path(cgrp, got, sizeof(got));
		assert_int_equal(len, strlen(want));
		assert_string_equal(got, want);
		assert_true(cgroup_is_descendant(cgrp, root));
		assert_true(cgroup_is_descendant(cgrp, cgrp));
		assert_false(cgroup_is_descendant(cgroup_parent(cgrp), cgrp));
		assert_int_equal(hierarchy_resolve(h, want, &found), 0);
		assert_ptr_equal(found, cgrp);
	}
	/* the room it needs: the length and one */
	len = (int)strlen(want);
	assert_int_equal(cgroup_path(cgrp, got, len), -ENAMETOOLONG);
	assert_int_equal(cgroup_path(cgrp, got, len + 1), len);
	assert_int_equal(cgroup_path(root, got, 1), -ENAMETOOLONG);
	assert_int_equal(cgroup_path(root, got, 2), 1);

	assert_int_equal(hierarchy_resolve(h, "/", &found), 0);
	assert_ptr_equal(found, root);
	assert_int_equal(hierarchy_resolve(h, "", &found), 0);
	assert_ptr_equal(found, root);
	assert_int_equal(hierarchy_resolve(h, "level 0//level 1/", &found), 0);
	assert_string_equal(cgroup_name(found), "level 1");
	assert_int_equal(hierarchy_resolve(h, "/level", &found), -ENOENT);
	assert_int_equal(hierarchy_resolve(h, "/level 0/x", &found), -ENOENT);
	assert_int_equal(hierarchy_resolve(h, "/level 0/..", &found), -EINVAL);
	assert_int_equal(hierarchy_resolve(h, "/./level 0", &found), -EINVAL);
	fw_free(fw);
}

/* More levels than a stack has room for, if each took any of it. */
static void test_free_deep_tree(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *cgrp = hierarchy_root(h);

	(void)state;
	for (int i = 0; i < 500000; i++)
		cgrp = mkdir_ok(cgrp, "d");
	fw_free(fw);
}

static void test_lookup_and_order(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *x[3], *c;

	(void)state;
	x[0] = mkdir_ok(root, "x");
	x[1] = mkdir_ok(root, "xx");
	x[2] = mkdir_ok(root, "w");
	assert_ptr_equal(cgroup_lookup(root, "xxx", 1), x[0]);
	assert_ptr_equal(cgroup_lookup(root, "xxx", 2), x[1]);
	assert_null(cgroup_lookup(root, "xxx", 3));
	assert_null(cgroup_lookup(root, "x", 0));
	assert_null(cgroup_lookup(x[0], "x", 1));
	/* in the order of their making, whichever way they are walked */
	c = cgroup_first_child(root);
	for (int i = 0; i < 3; i++, c = cgroup_next_sibling(c))
		assert_ptr_equal(c, x[i]);
	assert_null(c);
	assert_ptr_equal(cgroup_child_after(root, NULL), x[0]);
	assert_ptr_equal(cgroup_child_after(root, x[0]), x[1]);
	assert_null(cgroup_child_after(root, x[2]));
	assert_null(cgroup_first_child(x[0]));
	assert_null(cgroup_next_sibling(root));
	rmdir_ok(x[1]);
	assert_ptr_equal(cgroup_child_after(root, x[0]), x[2]);
	assert_null(child(root, "xx"));
	assert_null(core_cgroup_by_serial(fw->core, 1000));
	assert_null(core_cgroup_by_serial(fw->core, 0));
	fw_free(fw);
}

/* The hashes grow and stay right. */
static void test_many(void **state)
{
	enum { N = 20000 };
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h);
	char name[32];

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "%d", i);
		mkdir_ok(root, name);
	}
	for (int i = 0; i < N; i += 2) {
		snprintf(name, sizeof(name), "%d", i);
		rmdir_ok(child(root, name));
	}
	for (int i = 0; i < N; i++) {
		struct cgroup *c;

		snprintf(name, sizeof(name), "%d", i);
		c = child(root, name);
		assert_int_equal(c != NULL, i % 2);
		if (c)
			assert_ptr_equal(core_cgroup_by_serial(fw->core, cgroup_serial(c)), c);
	}
	assert_int_equal(hierarchy_n_cgroups(h), N / 2 + 1);
	fw_free(fw);
}

static void test_rmdir(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *a = mkdir_ok(root, "a"), *b = mkdir_ok(a, "b");
	uint64_t serial = cgroup_serial(b);

	(void)state;
	assert_int_equal(cgroup_rmdir(root), -EBUSY);
	assert_int_equal(cgroup_rmdir(a), -EBUSY);
	attach_ok(b, 10);
	assert_int_equal(cgroup_rmdir(b), -EBUSY);
	/* an unread last exit counts */
	fw_exit(fw, 10);
	cgroup_hold(b);
	rmdir_ok(b);
	assert_true(cgroup_is_dead(b));
	assert_int_equal(cgroup_rmdir(b), -ENOENT);
	cgroup_unhold(b);
	assert_null(core_cgroup_by_serial(fw->core, serial));
	assert_null(child(a, "b"));
	/* and an unread fork */
	fw_spawn(fw, 11, 11);
	attach_ok(a, 11);
	fw_fork(fw, 11, 12, 0);
	fw_exit(fw, 11);
	assert_int_equal(cgroup_rmdir(a), -EBUSY);
	/* one still under way, too */
	fw_fork_begin(fw, 12, 13, 0);
	fw_exit(fw, 12);
	assert_int_equal(cgroup_rmdir(a), -EBUSY);
	fw_fork_end(fw, 13);
	assert_int_equal(cgroup_rmdir(a), -EBUSY);
	fw_exit(fw, 13);
	rmdir_ok(a);
	/* a name is free again, for another cgroup */
	assert_true(cgroup_serial(mkdir_ok(root, "a")) > serial);
	assert_int_equal(hierarchy_n_cgroups(h), 2);
	fw_free(fw);
}

/* A dying one that has been taken from its place but is still counted keeps its cgroup busy. */
static void test_rmdir_under_dying(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *a = mkdir_ok(hierarchy_root(h), "a");

	(void)state;
	attach_ok(a, 10);
	fw_exit_begin(fw, 10);
	assert_int_equal(cgroup_rmdir(a), -EBUSY);
	assert_false(cgroup_is_idle(a));
	fw_exit_end(fw, 10);
	assert_true(cgroup_is_idle(a));
	rmdir_ok(a);
	fw_free(fw);
}

static void test_rename(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "x\n"};
	char buf[CORE_NAME_MAX + 2], path[512];
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *a = mkdir_ok(root, "a"), *b = mkdir_ok(root, "b");
	struct cgroup *k = mkdir_ok(a, "k");
	uint64_t serial = cgroup_serial(a);

	(void)state;
	assert_int_equal(cgroup_rename(root, "x"), -EBUSY);
	assert_int_equal(cgroup_rename(a, "b"), -EEXIST);
	assert_int_equal(cgroup_rename(a, "tasks"), -EEXIST);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cgroup_rename(a, bad[i]), -EINVAL);
	assert_int_equal(cgroup_rename(a, repeat(buf, 'y', CORE_NAME_MAX + 1)), -ENAMETOOLONG);
	assert_ptr_equal(child(root, "a"), a);

	attach_ok(k, 10);
	assert_int_equal(cgroup_rename(a, repeat(buf, 'y', CORE_NAME_MAX)), 0);
	assert_null(child(root, "a"));
	assert_ptr_equal(child(root, buf), a);
	assert_int_equal(cgroup_rename(a, "c"), 0);
	assert_ptr_equal(child(root, "c"), a);
	assert_ptr_equal(child(a, "k"), k);
	assert_int_equal(cgroup_serial(a), serial);
	assert_int_equal(cgroup_path(k, path, sizeof(path)), 4);
	assert_string_equal(path, "/c/k");
	assert_tasks(k, 10);
	assert_int_equal(cgroup_rename(b, "a"), 0);
	assert_ptr_equal(child(root, "a"), b);
	assert_int_equal(cgroup_n_children(root), 2);
	fw_free(fw);
}

/* Whoever serves mounts hears of each change, while the name is still there. */
static void test_tree_changed(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *a, *none = NULL;
	unsigned int n = fw->n_tree_changed;

	(void)state;
	a = mkdir_ok(root, "a");
	assert_int_equal(fw->n_tree_changed, n + 1);
	assert_int_equal(cgroup_rename(a, "b"), 0);
	assert_true(fw->n_tree_changed >= n + 2);
	n = fw->n_tree_changed;
	assert_int_equal(try_mkdir(root, "b", &none), -EEXIST);
	attach_ok(a, 10);
	assert_int_equal(cgroup_rmdir(a), -EBUSY);
	assert_int_equal(fw->n_tree_changed, n);
	attach_ok(root, 10);
	rmdir_ok(a);
	assert_int_equal(fw->n_tree_changed, n + 1);
	fw_free(fw);
}

/* ---- attributes ---- */

static const struct cftype *file_of(struct cgroup *cgrp, const char *name)
{
	const struct cftype *cft = cgroup_file_lookup(cgrp, name, strlen(name));

	assert_non_null(cft);
	return cft;
}

static void test_attributes(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *a = NULL;
	struct core_attr attr, dir;

	(void)state;
	assert_int_equal(cgroup_mkdir(hierarchy_root(h), "a", 01750, 7, 8, &a), 0);
	cgroup_attr(a, NULL, &dir);
	assert_int_equal(dir.mode, 01750);
	assert_int_equal(dir.uid, 7);
	assert_int_equal(dir.gid, 8);
	assert_true(dir.ctime_ns > 0 && dir.ctime_ns <= fw->clock);
	assert_int_equal(dir.atime_ns, dir.ctime_ns);
	assert_int_equal(dir.mtime_ns, dir.ctime_ns);
	cgroup_attr(a, file_of(a, "tasks"), &attr);
	assert_int_equal(attr.mode, 0644);
	assert_int_equal(attr.uid, 7);
	assert_int_equal(attr.gid, 8);
	cgroup_attr(a, file_of(a, "releasable"), &attr);
	assert_int_equal(attr.mode, 0444);

	/* one file given away */
	cgroup_attr(a, file_of(a, "tasks"), &attr);
	attr.uid = 9;
	attr.mode = 0600;
	attr.mtime_ns = 5;
	assert_int_equal(cgroup_set_attr(a, file_of(a, "tasks"), &attr), 0);
	/* then the directory: other files stay whose they are */
	dir.uid = 1000;
	dir.mode = 0777;
	assert_int_equal(cgroup_set_attr(a, NULL, &dir), 0);
	cgroup_attr(a, NULL, &attr);
	assert_int_equal(attr.uid, 1000);
	assert_int_equal(attr.mode, 0777);
	cgroup_attr(a, file_of(a, "tasks"), &attr);
	assert_int_equal(attr.uid, 9);
	assert_int_equal(attr.mode, 0600);
	assert_int_equal(attr.mtime_ns, 5);
	cgroup_attr(a, file_of(a, "cgroup.procs"), &attr);
	assert_int_equal(attr.uid, 7);
	/* a child belongs to who makes it, whatever its parent is */
	cgroup_attr(mkdir_ok(a, "k"), NULL, &attr);
	assert_int_equal(attr.uid, 0);
	assert_int_equal(attr.mode, 0755);
	fw_free(fw);
}

static void check_xattrs(struct cgroup *a, const struct cftype *cft)
{
	char buf[64], list[64];
	static char big[65536];

	assert_int_equal(cgroup_xattr_get(a, cft, "user.x", buf, sizeof(buf)), -ENODATA);
	assert_int_equal(cgroup_xattr_remove(a, cft, "user.x"), -ENODATA);
	assert_int_equal(cgroup_xattr_list(a, cft, list, sizeof(list)), 0);
	assert_int_equal(cgroup_xattr_set(a, cft, "user.x", "1", 1, XATTR_REPLACE), -ENODATA);
	assert_int_equal(cgroup_xattr_set(a, cft, "user.x", "abc", 3, XATTR_CREATE), 0);
	assert_int_equal(cgroup_xattr_set(a, cft, "user.x", "abc", 3, XATTR_CREATE), -EEXIST);
	assert_int_equal(cgroup_xattr_set(a, cft, "trusted.y", "", 0, 0), 0);
	assert_int_equal(cgroup_xattr_get(a, cft, "user.x", NULL, 0), 3);
	assert_int_equal(cgroup_xattr_get(a, cft, "user.x", buf, 2), -ERANGE);
	assert_int_equal(cgroup_xattr_get(a, cft, "user.x", buf, 3), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(cgroup_xattr_get(a, cft, "trusted.y", buf, 3), 0);
	assert_int_equal(cgroup_xattr_list(a, cft, NULL, 0), 17);
	assert_int_equal(cgroup_xattr_list(a, cft, list, 16), -ERANGE);
	assert_int_equal(cgroup_xattr_list(a, cft, list, 17), 17);
	assert_true(!memcmp(list, "user.x\0trusted.y", 17) ||
		    !memcmp(list, "trusted.y\0user.x", 17));
	assert_int_equal(cgroup_xattr_set(a, cft, "user.x", "de", 2, XATTR_REPLACE), 0);
	assert_int_equal(cgroup_xattr_get(a, cft, "user.x", buf, sizeof(buf)), 2);
	/* there is an end to it, and what was refused changed nothing */
	assert_int_equal(cgroup_xattr_set(a, cft, "user.x", big, sizeof(big), 0), -ENOSPC);
	assert_int_equal(cgroup_xattr_get(a, cft, "user.x", buf, sizeof(buf)), 2);
	for (int i = 0; i < 20; i++) /* replacing frees what it replaces */
		assert_int_equal(cgroup_xattr_set(a, cft, "user.x", big, 60000, 0), 0);
	assert_int_equal(cgroup_xattr_set(a, cft, "user.z", big, 6000, 0), -ENOSPC);
	assert_int_equal(cgroup_xattr_remove(a, cft, "user.x"), 0);
	assert_int_equal(cgroup_xattr_set(a, cft, "user.z", big, 6000, 0), 0);
	assert_int_equal(cgroup_xattr_remove(a, cft, "user.z"), 0);
	assert_int_equal(cgroup_xattr_remove(a, cft, "trusted.y"), 0);
	assert_int_equal(cgroup_xattr_list(a, cft, NULL, 0), 0);
}

static void test_xattrs(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *a = mkdir_ok(hierarchy_root(h), "a");
	struct core_attr before, after;
	char buf[8];

	(void)state;
	cgroup_attr(a, NULL, &before);
	check_xattrs(a, NULL);
	check_xattrs(a, file_of(a, "tasks"));
	check_xattrs(hierarchy_root(h), file_of(hierarchy_root(h), "release_agent"));
	cgroup_attr(a, NULL, &after);
	assert_int_equal(before.mode, after.mode);
	assert_int_equal(before.uid, after.uid);
	assert_int_equal(before.mtime_ns, after.mtime_ns);
	/* each object has its own; they are gone with the cgroup */
	assert_int_equal(cgroup_xattr_set(a, NULL, "user.x", "1", 1, 0), 0);
	assert_int_equal(cgroup_xattr_get(a, file_of(a, "tasks"), "user.x", buf, 8), -ENODATA);
	rmdir_ok(a);
	a = mkdir_ok(hierarchy_root(h), "a");
	assert_int_equal(cgroup_xattr_get(a, NULL, "user.x", buf, 8), -ENODATA);
	assert_int_equal(cgroup_xattr_set(a, file_of(a, "tasks"), "user.x", "1", 1, 0), 0);
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mkdir),
		cmocka_unit_test(test_depth_and_paths),
		cmocka_unit_test(test_free_deep_tree),
		cmocka_unit_test(test_lookup_and_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_rmdir),
		cmocka_unit_test(test_rmdir_under_dying),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_tree_changed),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_xattrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
