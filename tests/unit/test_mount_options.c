// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_mount_options.c - the option string of a mount: every word and every error of it, and how a
 * hierarchy prints its own.
 */
#include "helpers.h"

static struct fake_subsys a, b, long_name;

static struct fake_world *world(void)
{
	struct fake_world *fw = fw_new(64);

	fake_subsys_init(&a, "a", NULL, false);
	fake_subsys_init(&b, "b_2", NULL, false);
	fake_subsys_init(&long_name, "abcdefghijklmnopqrstuvwxyz012345", NULL, false);
	fake_subsys_register(fw, &a);
	fake_subsys_register(fw, &b);
	fake_subsys_register(fw, &long_name);
	return fw;
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text;
	int err;
} bad[] = {
	/* empty tokens */
	{",", -EINVAL},
	{",a", -EINVAL},
	{"a,", -EINVAL},
	{"a,,b_2", -EINVAL},
	{"name=x,", -EINVAL},
	{"a,,", -EINVAL},
	/* twice */
	{"name=x,name=y", -EINVAL},
	{"name=x,name=x", -EINVAL},
	{"a,release_agent=/x,release_agent=/x", -EINVAL},
	{"a,release_agent=,release_agent=/x", -EINVAL},
	/* a bad name */
	{"name=", -EINVAL},
	{"name=a b", -EINVAL},
	{"name=a/b", -EINVAL},
	{"name=a:b", -EINVAL},
	{"name=a=b", -EINVAL},
	{"name=\xc3\xa4", -EINVAL},
	{"name=a\n", -EINVAL},
	{"name=" A64 "a", -EINVAL},
	/* none */
	{"none", -EINVAL},
	{"none,noprefix", -EINVAL},
	{"none,clone_children,release_agent=/x", -EINVAL},
	{"none,a", -EINVAL},
	{"none,a,name=x", -EINVAL},
	{"a,none,name=x", -EINVAL},
	{"none,all,name=x", -EINVAL},
	/* the kernel's own words: all is not a subsystem more */
	{"all,a", -EINVAL},
	{"a,all", -EINVAL},
	/* unknown */
	{"c", -ENOENT},
	{"a,c", -ENOENT},
	{"A", -ENOENT},
	{"b", -ENOENT},
	{"b_", -ENOENT},
	{"b_22", -ENOENT},
	{" a", -ENOENT},
	{"a ", -ENOENT},
	{"a=1", -ENOENT},
	{"all=", -ENOENT},
	{"none=1", -ENOENT},
	{"noprefix=1", -ENOENT},
	{"names=x", -ENOENT},
	{"name", -ENOENT},
	{"release_agent", -ENOENT},
	{"rw", -ENOENT},
	/* release agents */
	{"a,release_agent=x", -EINVAL},
	{"a,release_agent=./x", -EINVAL},
	{"a,release_agent=builtin:", -EINVAL},
	{"a,release_agent=builtin:rm", -EINVAL},
	{"a,release_agent=builtin:rmdirs", -EINVAL},
	{"a,release_agent= /x", -EINVAL},
};

static void test_bad(void **state)
{
	struct fake_world *fw = world();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct core_mount_opts opts;
		char *what = NULL;
		int err = core_mount_opts_parse(fw->core, bad[i].text, &opts, &what);

		if (err != bad[i].err)
			fail_msg("\"%s\": %d instead of %d", bad[i].text, err, bad[i].err);
		if (!what || strlen(what) < 5)
			fail_msg("\"%s\": no message", bad[i].text);
		free(what);
		/* Without anywhere to put a message, too. */
		assert_int_equal(core_mount_opts_parse(fw->core, bad[i].text, &opts, NULL), err);
		assert_null(opts.release_agent);
	}
	assert_null(core_hierarchy_next(fw->core, NULL));
	fw_free(fw);
}

static const struct {
	const char *text;
	uint64_t mask;
	bool all, none, noprefix, clone_children;
	const char *name, *agent;
} good[] = {
	{.text = ""},
	{.text = "a", .mask = 1},
	{.text = "b_2", .mask = 2},
	{.text = "abcdefghijklmnopqrstuvwxyz012345", .mask = 4},
	{.text = "b_2,a", .mask = 3},
	{.text = "a,a", .mask = 1},
	{.text = "all", .all = true},
	{.text = "all,name=x", .all = true, .name = "x"},
	{.text = "none,name=x", .none = true, .name = "x"},
	{.text = "name=x,none", .none = true, .name = "x"},
	{.text = "name=x", .name = "x"},
	{.text = "name=none", .name = "none"},
	{.text = "name=" A64, .name = A64},
	{.text = "name=AZaz09._-", .name = "AZaz09._-"},
	{.text = "name=.", .name = "."},
	{.text = "a,name=x", .mask = 1, .name = "x"},
	{.text = "noprefix", .noprefix = true},
	{.text = "noprefix,a,noprefix", .mask = 1, .noprefix = true},
	{.text = "clone_children", .clone_children = true},
	{.text = "a,release_agent=", .mask = 1, .agent = ""},
	{.text = "a,release_agent=/", .mask = 1, .agent = "/"},
	{.text = "release_agent=/x/y z", .agent = "/x/y z"},
	{.text = "release_agent=/x=y", .agent = "/x=y"},
	{.text = "release_agent=builtin:rmdir", .agent = "builtin:rmdir"},
};

static void test_good(void **state)
{
	struct fake_world *fw = world();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct core_mount_opts opts;
		char *what = NULL;
		int err = core_mount_opts_parse(fw->core, good[i].text, &opts, &what);

		if (err || what)
			fail_msg("\"%s\": %d, %s", good[i].text, err, what ? what : "no message");
		assert_int_equal(opts.subsys_mask, good[i].mask);
		assert_int_equal(opts.none, good[i].none);
		assert_int_equal(opts.noprefix, good[i].noprefix);
		assert_int_equal(opts.clone_children, good[i].clone_children);
		if (good[i].all)
			assert_true(opts.all);
		assert_string_equal(opts.name, good[i].name ? good[i].name : "");
		if (good[i].agent)
			assert_string_equal(opts.release_agent, good[i].agent);
		else
			assert_null(opts.release_agent);
		core_mount_opts_clear(&opts);
		core_mount_opts_clear(&opts);
	}
	fw_free(fw);
}

/* The longest release agent has PATH_MAX - 1 bytes. */
static void test_agent_length(void **state)
{
	static const int length[] = {PATH_MAX - 2, PATH_MAX - 1, PATH_MAX, PATH_MAX + 1,
				     4 * PATH_MAX};
	struct fake_world *fw = world();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(length); i++) {
		char *text = calloc(1, length[i] + 64);
		size_t head = sprintf(text, "a,release_agent=/");
		struct hierarchy *h = NULL;

		memset(text + head, 'x', length[i] - 1);
		assert_int_equal(try_mount(fw, text, &h), length[i] < PATH_MAX ? 0 : -EINVAL);
		if (h) {
			assert_int_equal(strlen(hierarchy_release_agent(h)), length[i]);
			core_umount(fw->core, h);
		}
		free(text);
	}
	fw_free(fw);
}

/* What the words mean once mounted. */
static void test_meaning(void **state)
{
	static const struct {
		const char *text;
		uint64_t mask;
		const char *label, *options;
	} cases[] = {
		{"", 7, "a,b_2,abcdefghijklmnopqrstuvwxyz012345",
		 "a,b_2,abcdefghijklmnopqrstuvwxyz012345"},
		{"all", 7, "a,b_2,abcdefghijklmnopqrstuvwxyz012345",
		 "a,b_2,abcdefghijklmnopqrstuvwxyz012345"},
		{"noprefix", 7, "a,b_2,abcdefghijklmnopqrstuvwxyz012345",
		 "a,b_2,abcdefghijklmnopqrstuvwxyz012345,noprefix"},
		{"all,name=x", 7, "x", "a,b_2,abcdefghijklmnopqrstuvwxyz012345,name=x"},
		{"name=x", 0, "x", "none,name=x"},
		{"none,name=x", 0, "x", "none,name=x"},
		{"b_2,a", 3, "a,b_2", "a,b_2"},
		{"name=x,a", 1, "x", "a,name=x"},
		{"clone_children,a,release_agent=/y,noprefix,name=z", 1, "z",
		 "a,noprefix,clone_children,release_agent=/y,name=z"},
	};
	struct fake_world *fw = world();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hierarchy *h = mount_ok(fw, cases[i].text);
		char *options = hierarchy_options(h);
		struct core_mount_opts again;

		assert_int_equal(hierarchy_subsys_mask(h), cases[i].mask);
		assert_string_equal(hierarchy_label(h), cases[i].label);
		assert_string_equal(options, cases[i].options);
		/* What is printed can be mounted, and means the same. */
		assert_int_equal(core_mount_opts_parse(fw->core, options, &again, NULL), 0);
		core_mount_opts_clear(&again);
		assert_ptr_equal(mount_ok(fw, options), h);
		assert_ptr_equal(core_hierarchy_find(fw->core, cases[i].label), h);
		free(options);
		core_umount(fw->core, h);
		core_umount(fw->core, h);
		assert_null(core_hierarchy_next(fw->core, NULL));
	}
	fw_free(fw);
}

/* Without a subsystem anywhere, only a name makes a hierarchy. */
static void test_no_subsystems(void **state)
{
	struct fake_world *fw = fw_new(64);
	struct hierarchy *h = NULL;

	(void)state;
	assert_int_equal(try_mount(fw, "", &h), -EINVAL);
	assert_int_equal(try_mount(fw, "all", &h), -EINVAL);
	assert_int_equal(try_mount(fw, "noprefix", &h), -EINVAL);
	assert_null(h);
	core_umount(fw->core, mount_ok(fw, "name=x"));
	assert_null(core_hierarchy_next(fw->core, NULL));
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),	      cmocka_unit_test(test_good),
		cmocka_unit_test(test_agent_length),  cmocka_unit_test(test_meaning),
		cmocka_unit_test(test_no_subsystems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
