// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_files.c - control files: which there are, how numbers are parsed, how reads and writes reach
 * the callbacks, what an open file does when its cgroup goes.
 */
#include "helpers.h"

#define S(text) text, sizeof(text) - 1

/* ---- numbers, as SPEC 4 has them ---- */

static const struct {
	const char *text;
	size_t len;
	ssize_t u_err, s_err; /* 0: taken */
	uint64_t u;
	int64_t s;
} numbers[] = {
	{S("0"), 0, 0, 0, 0},
	{S("1"), 0, 0, 1, 1},
	{S("1\n"), 0, 0, 1, 1},
	{S(" 1 "), 0, 0, 1, 1},
	{S("\t\v\f\r\n 17 \t\v\f\r\n"), 0, 0, 17, 17},
	{S("0010"), 0, 0, 8, 8},
	{S("010"), 0, 0, 8, 8},
	{S("00"), 0, 0, 0, 0},
	{S("0777"), 0, 0, 511, 511},
	{S("0x10"), 0, 0, 16, 16},
	{S("0X1f"), 0, 0, 31, 31},
	{S("0xAbCdEf"), 0, 0, 0xabcdef, 0xabcdef},
	{S("0x0"), 0, 0, 0, 0},
	{S("+1"), 0, 0, 1, 1},
	{S("+0x10"), 0, 0, 16, 16},
	{S("9223372036854775807"), 0, 0, INT64_MAX, INT64_MAX},
	{S("9223372036854775808"), 0, -ERANGE, 1ull << 63, 0},
	{S("18446744073709551615"), 0, -ERANGE, UINT64_MAX, 0},
	{S("0xffffffffffffffff"), 0, -ERANGE, UINT64_MAX, 0},
	{S("01777777777777777777777"), 0, -ERANGE, UINT64_MAX, 0},
	{S("18446744073709551616"), -ERANGE, -ERANGE, 0, 0},
	{S("0x10000000000000000"), -ERANGE, -ERANGE, 0, 0},
	{S("02000000000000000000000"), -ERANGE, -ERANGE, 0, 0},
	{S("99999999999999999999999999999999999999"), -ERANGE, -ERANGE, 0, 0},
	{S(" 18446744073709551616\n"), -ERANGE, -ERANGE, 0, 0},
	{S("0000000000000000000000000000000000000000000000001"), 0, 0, 1, 1},
	/* only the signed kind takes a sign */
	{S("-1"), -EINVAL, 0, 0, -1},
	{S("-0"), -EINVAL, 0, 0, 0},
	{S(" -17\n"), -EINVAL, 0, 0, -17},
	{S("-0x10"), -EINVAL, 0, 0, -16},
	{S("-9223372036854775808"), -EINVAL, 0, 0, INT64_MIN},
	{S("-9223372036854775809"), -EINVAL, -ERANGE, 0, 0},
	{S("-99999999999999999999999"), -EINVAL, -ERANGE, 0, 0},
	/* junk */
	{S(" "), -EINVAL, -EINVAL, 0, 0},
	{S("\n"), -EINVAL, -EINVAL, 0, 0},
	{S(" \t\n"), -EINVAL, -EINVAL, 0, 0},
	{S("\0"), -EINVAL, -EINVAL, 0, 0},
	{S("1\0"), -EINVAL, -EINVAL, 0, 0},
	{S("\0001"), -EINVAL, -EINVAL, 0, 0},
	{S("1\0002"), -EINVAL, -EINVAL, 0, 0},
	{S("x"), -EINVAL, -EINVAL, 0, 0},
	{S("1x"), -EINVAL, -EINVAL, 0, 0},
	{S("x1"), -EINVAL, -EINVAL, 0, 0},
	{S("1 2"), -EINVAL, -EINVAL, 0, 0},
	{S("1\n2"), -EINVAL, -EINVAL, 0, 0},
	{S("1,2"), -EINVAL, -EINVAL, 0, 0},
	{S("1.0"), -EINVAL, -EINVAL, 0, 0},
	{S("1e3"), -EINVAL, -EINVAL, 0, 0},
	{S("08"), -EINVAL, -EINVAL, 0, 0},
	{S("019"), -EINVAL, -EINVAL, 0, 0},
	{S("0x"), -EINVAL, -EINVAL, 0, 0},
	{S("0xg"), -EINVAL, -EINVAL, 0, 0},
	{S("0x 1"), -EINVAL, -EINVAL, 0, 0},
	{S("0b1"), -EINVAL, -EINVAL, 0, 0},
	{S("ff"), -EINVAL, -EINVAL, 0, 0},
	{S("+"), -EINVAL, -EINVAL, 0, 0},
	{S("-"), -EINVAL, -EINVAL, 0, 0},
	{S("--1"), -EINVAL, -EINVAL, 0, 0},
	{S("+-1"), -EINVAL, -EINVAL, 0, 0},
	{S("- 1"), -EINVAL, -EINVAL, 0, 0},
	{S("1-"), -EINVAL, -EINVAL, 0, 0},
	{S("18446744073709551616x"), -EINVAL, -EINVAL, 0, 0},
	{S("\xff"), -EINVAL, -EINVAL, 0, 0},
	{S("\xd9\xa1"), -EINVAL, -EINVAL, 0, 0},
	{S("inf"), -EINVAL, -EINVAL, 0, 0},
};

/* A subsystem with one file of each kind. */
struct kinds {
	struct cgroup_subsys ss;
	struct cgroup_subsys_state *css_made[8];
	uint64_t u;
	int64_t s;
	char text[PATH_MAX];
	char raw[PATH_MAX];
	size_t raw_len;
	int err; /* what callbacks answer instead */
	int n_open, n_release, n_read, n_write;
	struct cgroup_task who;
	uid_t euid;
};

static struct kinds k;

static int kinds_create(struct cgroup_subsys *ss, struct cgroup *cgrp,
			struct cgroup_subsys_state **css)
{
	(void)ss;
	(void)cgrp;
	*css = calloc(1, sizeof(**css));
	return *css ? 0 : -ENOMEM;
}

static void kinds_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	free(css_of(cgrp, ss));
}

static int u_read(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cgrp;
	assert_int_equal(cft->private_value, 77);
	k.n_read++;
	*val = k.u;
	return k.err;
}

static int u_write(struct cgroup *cgrp, const struct cftype *cft, uint64_t val)
{
	(void)cgrp;
	(void)cft;
	k.n_write++;
	if (!k.err)
		k.u = val;
	return k.err;
}

static int s_read(struct cgroup *cgrp, const struct cftype *cft, int64_t *val)
{
	(void)cgrp;
	(void)cft;
	*val = k.s;
	return k.err;
}

static int s_write(struct cgroup *cgrp, const struct cftype *cft, int64_t val)
{
	(void)cgrp;
	(void)cft;
	k.n_write++;
	if (!k.err)
		k.s = val;
	return k.err;
}

static int seq_read(struct cgroup_file *file, struct cgroup_seq *seq)
{
	k.n_read++;
	cgroup_seq_write(seq, "<", 1);
	cgroup_seq_printf(seq, "%s>%d\n", k.text, k.n_read);
	assert_non_null(file->cgrp);
	return k.err;
}

static int string_write(struct cgroup_file *file, const char *text)
{
	k.n_write++;
	k.who = file->task;
	k.euid = file->euid;
	if (!k.err)
		strcpy(k.text, text);
	return k.err;
}

static int raw_open(struct cgroup_file *file)
{
	k.n_open++;
	file->private_data = &k;
	return k.err;
}

static void raw_release(struct cgroup_file *file)
{
	assert_ptr_equal(file->private_data, &k);
	k.n_release++;
}

static ssize_t raw_read(struct cgroup_file *file, char *buf, size_t size, off_t off)
{
	assert_ptr_equal(file->private_data, &k);
	k.who = file->task;
	if (k.err)
		return k.err;
	snprintf(buf, size, "%zu at %lld", size, (long long)off);
	return (ssize_t)strlen(buf);
}

static ssize_t raw_write(struct cgroup_file *file, const char *buf, size_t size, off_t off)
{
	(void)file;
	(void)off;
	if (k.err)
		return k.err;
	memcpy(k.raw, buf, size);
	k.raw_len = size;
	return (ssize_t)size;
}

static const struct cftype kinds_files[] = {
	{.name = "u", .read_u64 = u_read, .write_u64 = u_write, .private_value = 77},
	{.name = "s", .read_s64 = s_read, .write_s64 = s_write},
	{.name = "text", .read_seq = seq_read, .write_string = string_write},
	{.name = "raw",
	 .mode = 0640,
	 .open = raw_open,
	 .release = raw_release,
	 .read = raw_read,
	 .write = raw_write},
	{.name = "only_read", .read_s64 = s_read},
	{.name = "only_write", .write_s64 = s_write},
	{.name = "neither", .mode = 0600},
	{.name = "on_root", .flags = CFTYPE_ONLY_ON_ROOT, .read_s64 = s_read},
	{.name = "off_root", .flags = CFTYPE_NOT_ON_ROOT, .read_s64 = s_read},
	{.name = "bare", .flags = CFTYPE_NO_PREFIX, .read_s64 = s_read},
	/* the first one that is set, in the order of the header */
	{.name = "order",
	 .read_u64 = u_read,
	 .read_s64 = s_read,
	 .write_s64 = s_write,
	 .write_string = string_write,
	 .private_value = 77},
	{.name = NULL},
};

static struct fake_world *world(struct hierarchy **h, const char *opts)
{
	struct fake_world *fw = fw_new(64);

	memset(&k, 0, sizeof(k));
	k.ss = (struct cgroup_subsys){.name = "k",
				      .cftypes = kinds_files,
				      .create = kinds_create,
				      .destroy = kinds_destroy};
	assert_int_equal(core_register_subsys(fw->core, &k.ss), 0);
	*h = mount_ok(fw, opts);
	fw_spawn(fw, 10, 10);
	return fw;
}

static void test_numbers(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *text = numbers[i].text;
		size_t len = numbers[i].len;
		/* exactly so many bytes: not one beyond may be looked at */
		char *exact = malloc(len);
		ssize_t n;

		memcpy(exact, text, len);
		k.u = 12345;
		k.s = -12345;
		k.n_write = 0;
		n = write_as(root, "k.u", exact, len, &root_cred);
		if (n != (numbers[i].u_err ? numbers[i].u_err : (ssize_t)len))
			fail_msg("u64 \"%s\": %zd", text, n);
		if (k.u != (numbers[i].u_err ? 12345 : numbers[i].u))
			fail_msg("u64 \"%s\": became %llu", text, (unsigned long long)k.u);
		assert_int_equal(k.n_write, !numbers[i].u_err);
		n = write_as(root, "k.s", exact, len, &root_cred);
		if (n != (numbers[i].s_err ? numbers[i].s_err : (ssize_t)len))
			fail_msg("s64 \"%s\": %zd", text, n);
		if (k.s != (numbers[i].s_err ? -12345 : numbers[i].s))
			fail_msg("s64 \"%s\": became %lld", text, (long long)k.s);
		free(exact);
	}
	fw_free(fw);
}

static void test_number_output(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h);

	(void)state;
	assert_reads(root, "k.u", "0\n");
	k.u = UINT64_MAX;
	k.s = INT64_MIN;
	assert_reads(root, "k.u", "18446744073709551615\n");
	assert_reads(root, "k.s", "-9223372036854775808\n");
	k.s = -1;
	assert_reads(root, "k.order", "18446744073709551615\n");
	write_ok(root, "k.order", "-5");
	assert_int_equal(k.s, -5);
	fw_free(fw);
}

/* The settings of release take the same numbers; a tid has a range of its own. */
static void test_base_files(void **state)
{
	static const struct {
		const char *file, *text;
		size_t len;
		ssize_t err;
		const char *after;
	} cases[] = {
		{"notify_on_release", S("1"), 0, "1\n"},
		{"notify_on_release", S(" 0\n"), 0, "0\n"},
		{"notify_on_release", S("18446744073709551615"), 0, "1\n"},
		{"notify_on_release", S("0x0"), 0, "0\n"},
		{"notify_on_release", S("4294967296"), 0, "1\n"},
		{"notify_on_release", S("-1"), -EINVAL, "1\n"},
		{"notify_on_release", S("18446744073709551616"), -ERANGE, "1\n"},
		{"notify_on_release", S("0x"), -EINVAL, "1\n"},
		{"notify_on_release", S("0 0"), -EINVAL, "1\n"},
		{"notify_on_release", S(" "), -EINVAL, "1\n"},
		{"notify_on_release", S(""), 0, "1\n"},
		{"cgroup.clone_children", S("2"), 0, "1\n"},
		{"cgroup.clone_children", S("junk"), -EINVAL, "1\n"},
		{"cgroup.clone_children", S(""), 0, "1\n"},
		{"cgroup.clone_children", S("00"), 0, "0\n"},
		{"releasable", S("0"), -EINVAL, "0\n"},
		{"releasable", S("1"), -EINVAL, "0\n"},
		{"tasks", S(""), 0, ""},
		{"tasks", S("\n"), -EINVAL, ""},
		{"tasks", S("-1"), -EINVAL, ""},
		{"tasks", S("-0"), -EINVAL, ""},
		{"tasks", S("10 10"), -EINVAL, ""},
		{"tasks", S("10\n10\n"), -EINVAL, ""},
		{"tasks", S("10x"), -EINVAL, ""},
		{"tasks", S("10\0"), -EINVAL, ""},
		{"tasks", S("08"), -EINVAL, ""},
		{"tasks", S("2147483648"), -EINVAL, ""},
		{"tasks", S("4294967306"), -EINVAL, ""},
		{"tasks", S("18446744073709551616"), -EINVAL, ""},
		{"tasks", S("99999999999999999999999999999"), -EINVAL, ""},
		{"tasks", S("2147483647"), -ESRCH, ""},
		{"tasks", S("4194304"), -ESRCH, ""},
		{"tasks", S("4194303"), -ESRCH, ""},
		{"tasks", S("11"), -ESRCH, ""},
		{"cgroup.procs", S("11"), -ESRCH, ""},
		{"cgroup.procs", S("2147483648"), -EINVAL, ""},
		{"cgroup.procs", S("junk"), -EINVAL, ""},
		{"cgroup.procs", S(""), 0, ""},
		{"tasks", S(" 10\n"), 0, "10\n"},
		{"tasks", S("0xa"), 0, "10\n"},
		{"tasks", S("012"), 0, "10\n"},
		{"cgroup.procs", S("\t10\t"), 0, "10\n"},
	};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "name=h");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ssize_t n = write_as(g, cases[i].file, cases[i].text, cases[i].len, &root_cred);

		if (n != (cases[i].err ? cases[i].err : (ssize_t)cases[i].len))
			fail_msg("%s \"%s\": %zd", cases[i].file, cases[i].text, n);
		assert_reads(g, cases[i].file, cases[i].after);
	}
	assert_int_equal(write_text(g, "releasable", "0"), -EINVAL);
	assert_int_equal(write_as(g, "releasable", "", 0, &root_cred), 0);
	fw_free(fw);
}

static void test_too_big(void **state)
{
	static const char *const files[] = {"tasks",
					    "cgroup.procs",
					    "notify_on_release",
					    "cgroup.clone_children",
					    "k.u",
					    "k.s",
					    "k.text",
					    "k.raw"};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h);
	char *big = malloc(2 * PATH_MAX);

	(void)state;
	memset(big, ' ', 2 * PATH_MAX);
	big[0] = '1';
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		assert_int_equal(write_as(root, files[i], big, PATH_MAX, &root_cred), -E2BIG);
		assert_int_equal(write_as(root, files[i], big, 2 * PATH_MAX, &root_cred), -E2BIG);
	}
	assert_int_equal(k.n_write, 0);
	assert_int_equal(write_as(root, "k.u", big, PATH_MAX - 1, &root_cred), PATH_MAX - 1);
	assert_int_equal(k.u, 1);
	assert_int_equal(write_as(root, "notify_on_release", big, PATH_MAX - 1, &root_cred),
			 PATH_MAX - 1);
	memset(big, '0', PATH_MAX); /* a number of 4095 digits */
	assert_int_equal(write_as(root, "k.u", big, PATH_MAX - 1, &root_cred), PATH_MAX - 1);
	assert_int_equal(k.u, 0);
	memset(big, '/', PATH_MAX);
	assert_int_equal(write_as(root, "release_agent", big, PATH_MAX, &root_cred), -E2BIG);
	assert_int_equal(write_as(root, "release_agent", big, PATH_MAX - 1, &root_cred),
			 PATH_MAX - 1);
	assert_int_equal(strlen(hierarchy_release_agent(h)), PATH_MAX - 1);
	assert_int_equal(write_as(root, "k.text", big, PATH_MAX - 1, &root_cred), PATH_MAX - 1);
	assert_int_equal(strlen(k.text), PATH_MAX - 1);
	free(big);
	fw_free(fw);
}

static void test_strings(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *got; /* NULL: EINVAL */
	} cases[] = {
		{S("x"), "x"},	   {S(" x y \n"), "x y"}, {S("\t\v\f\r\nx\n\n"), "x"},
		{S("\n"), ""},	   {S("  "), ""},	  {S("a\nb\n"), "a\nb"},
		{S("a\0b"), NULL}, {S("a\0"), NULL},	  {S("\xff"), "\xff"},
	};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ssize_t n;

		strcpy(k.text, "old");
		n = write_as(root, "k.text", cases[i].text, cases[i].len, &root_cred);
		if (n != (cases[i].got ? (ssize_t)cases[i].len : -EINVAL))
			fail_msg("\"%s\": %zd", cases[i].text, n);
		assert_string_equal(k.text, cases[i].got ? cases[i].got : "old");
	}
	k.n_write = 0;
	assert_int_equal(write_as(root, "k.text", "", 0, &root_cred), 0);
	assert_int_equal(k.n_write, 0);
	fw_free(fw);
}

static void test_callbacks_answer(void **state)
{
	static const char *const files[] = {"k.u", "k.s", "k.text", "k.raw"};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h);
	struct cgroup_file *file;
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		file = open_file(root, files[i], O_RDWR, &root_cred);
		k.err = -EDOM;
		assert_int_equal(core_file_write(file, "1", 1, 0, &root_cred), -EDOM);
		assert_int_equal(core_file_read(file, buf, sizeof(buf), 0, &root_cred), -EDOM);
		k.err = 0;
		assert_true(core_file_read(file, buf, sizeof(buf), 0, &root_cred) > 0);
		assert_int_equal(core_file_write(file, "1", 1, 0, &root_cred), 1);
		core_file_release(file);
	}
	/* a refused open leaves nothing that would need releasing */
	k.n_open = k.n_release = 0;
	k.err = -EACCES;
	assert_int_equal(core_file_open(root, cgroup_file_lookup(root, "k.raw", 5), O_RDWR,
					&root_cred, &file),
			 -EACCES);
	k.err = 0;
	assert_int_equal(k.n_open, 1);
	assert_int_equal(k.n_release, 0);
	/* no callback: EINVAL */
	assert_int_equal(write_text(root, "k.only_read", "1"), -EINVAL);
	assert_int_equal(write_text(root, "k.neither", "1"), -EINVAL);
	file = open_file(root, "k.only_write", O_RDWR, &root_cred);
	assert_int_equal(core_file_read(file, buf, sizeof(buf), 0, &root_cred), -EINVAL);
	core_file_release(file);
	fw_free(fw);
}

static void test_raw(void **state)
{
	const struct core_cred opener = {.tid = 10, .euid = 5}, user = {.tid = 11, .euid = 6};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h);
	struct cgroup_file *file = open_file(root, "k.raw", O_RDWR, &opener);
	char buf[64];

	(void)state;
	assert_int_equal(k.n_open, 1);
	assert_true(core_file_read(file, buf, 40, 7, &user) > 0);
	assert_string_equal(buf, "40 at 7");
	assert_int_equal(k.who.tid, 11); /* who reads now */
	assert_int_equal(core_file_write(file, "a\0 b", 4, 0, &user), 4);
	assert_int_equal(k.raw_len, 4);
	assert_memory_equal(k.raw, "a\0 b", 4);
	assert_int_equal(k.n_release, 0);
	core_file_release(file);
	assert_int_equal(k.n_release, 1);

	file = open_file(root, "k.text", O_WRONLY, &opener);
	assert_int_equal(core_file_write(file, "x", 1, 0, &user), 1);
	assert_int_equal(k.who.tid, 11);
	assert_int_equal(k.euid, 5); /* who opened it */
	core_file_release(file);
	fw_free(fw);
}

/* Printed anew by each read but one that goes on where the last one ended. */
static void test_reading_in_pieces(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h);
	struct cgroup_file *file = open_file(root, "k.text", O_RDONLY, &root_cred);
	char buf[16], all[64] = "";
	ssize_t n;

	(void)state;
	strcpy(k.text, "abc");
	for (off_t off = 0; (n = core_file_read(file, buf, 2, off, &root_cred)) > 0; off += n)
		strncat(all, buf, n);
	assert_int_equal(n, 0);
	assert_string_equal(all, "<abc>1\n");
	strcpy(k.text, "longer");
	assert_int_equal(core_file_read(file, buf, 3, 7, &root_cred), 0);
	assert_int_equal(core_file_read(file, buf, 3, 3, &root_cred), 3);
	assert_memory_equal(buf, "nge", 3);
	strcpy(k.text, "short");
	assert_int_equal(core_file_read(file, buf, sizeof(buf), 6, &root_cred), 4);
	assert_memory_equal(buf, "r>2\n", 4);
	assert_int_equal(core_file_read(file, buf, sizeof(buf), 0, &root_cred), 9);
	assert_memory_equal(buf, "<short>3\n", 9);
	assert_int_equal(core_file_read(file, buf, sizeof(buf), 9, &root_cred), 0);
	assert_int_equal(core_file_read(file, buf, sizeof(buf), 1000000, &root_cred), 0);
	core_file_release(file);
	/* first read at an odd offset */
	file = open_file(root, "k.text", O_RDONLY, &root_cred);
	assert_int_equal(core_file_read(file, buf, 4, 6, &root_cred), 3);
	assert_memory_equal(buf, ">5\n", 3);
	core_file_release(file);
	fw_free(fw);
}

static void test_long_text(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h);
	char *text;
	int err;

	(void)state;
	memset(k.text, 'y', sizeof(k.text) - 1);
	text = read_text(root, "k.text", &err);
	assert_int_equal(err, 0);
	assert_int_equal(strlen(text), sizeof(k.text) - 1 + 4);
	free(text);
	fw_free(fw);
}

/* A listing is one picture, taken at open. */
static void test_tasks_picture(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "name=h");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");
	struct cgroup_file *file;
	char all[8192] = "", buf[8];
	ssize_t n;

	(void)state;
	attach_ok(g, 10);
	for (pid_t tid = 99; tid > 90; tid--)
		fw_fork(fw, 10, tid, tid % 2 ? 0 : tid + 1);
	file = open_file(g, "tasks", O_RDONLY, &root_cred);
	for (off_t off = 0; (n = core_file_read(file, buf, 3, off, &root_cred)) > 0; off += n) {
		strncat(all, buf, n);
		if (off == 6)
			fw_exit(fw, 99);
		fw_fork(fw, 10, 1000 + off, 0);
	}
	assert_string_equal(all, "10\n91\n92\n93\n94\n95\n96\n97\n98\n99\n");
	assert_int_equal(core_file_read(file, buf, 8, 1, &root_cred), 8);
	assert_memory_equal(buf, "0\n91\n92\n", 8);
	core_file_release(file);
	/* exact also while forks are under way: those are not yet born */
	fw_fork_begin(fw, 10, 500, 0);
	fw_exit(fw, 91);
	for (pid_t tid = 1000; tid < 1040; tid++)
		if (fw_task(fw, tid)->state == FW_ALIVE)
			fw_exit(fw, tid);
	assert_reads(g, "tasks", "10\n92\n93\n94\n95\n96\n97\n98\n");
	/* each tgid once, leaders dead or not */
	assert_reads(g, "cgroup.procs", "10\n93\n95\n97\n99\n");
	fw_fork_end(fw, 500);
	assert_reads(g, "cgroup.procs", "10\n93\n95\n97\n99\n500\n");
	fw_free(fw);
}

static void check_names(struct cgroup *cgrp, const char *want)
{
	char text[2048] = "", name[256];
	const struct cftype *cft;

	for (size_t i = 0; (cft = cgroup_file_at(cgrp, i)); i++) {
		unsigned int number =
			core_cftype_number(hierarchy_core(cgroup_hierarchy(cgrp)), cft);

		cgroup_file_name(cgrp, cft, name, sizeof(name));
		sprintf(text + strlen(text), "%s:%03o ", name, cftype_mode(cft));
		assert_ptr_equal(cgroup_file_lookup(cgrp, name, strlen(name)), cft);
		assert_in_range(number, 1, CORE_MAX_CFTYPES - 1);
		assert_ptr_equal(cgroup_file_by_number(cgrp, number), cft);
	}
	assert_string_equal(text, want);
}

#define BASE                                                                                       \
	"tasks:644 cgroup.procs:644 notify_on_release:644 releasable:444 "                         \
	"cgroup.clone_children:644 "
static void test_names(void **state)
{
	struct hierarchy *h, *n;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");
	unsigned int number;

	(void)state;
	check_names(root, BASE "release_agent:644 k.u:644 k.s:644 k.text:644 k.raw:640 "
			       "k.only_read:444 k.only_write:200 k.neither:600 k.on_root:444 "
			       "bare:444 k.order:644 ");
	check_names(g, BASE "k.u:644 k.s:644 k.text:644 k.raw:640 k.only_read:444 k.only_write:200 "
			    "k.neither:600 k.off_root:444 bare:444 k.order:644 ");
	assert_false(has_file(g, "release_agent"));
	assert_false(has_file(g, "u"));
	assert_false(has_file(root, "k."));
	assert_null(cgroup_file_lookup(root, "tasksx", 4));
	assert_null(cgroup_file_by_number(root, 0));
	assert_null(cgroup_file_by_number(root, 4000));
	/* a number says which file: it is nobody else's, and gone where the file is */
	number = core_cftype_number(fw->core, cgroup_file_lookup(root, "release_agent", 13));
	assert_null(cgroup_file_by_number(g, number));
	number = core_cftype_number(fw->core, cgroup_file_lookup(root, "k.u", 3));
	n = mount_ok(fw, "name=n");
	check_names(hierarchy_root(n), BASE "release_agent:644 ");
	assert_null(cgroup_file_by_number(hierarchy_root(n), number));
	rmdir_ok(g);
	core_umount(fw->core, h);
	h = mount_ok(fw, "k,noprefix");
	check_names(hierarchy_root(h), BASE "release_agent:644 u:644 s:644 text:644 raw:640 "
					    "only_read:444 only_write:200 neither:600 on_root:444 "
					    "bare:444 order:644 ");
	assert_int_equal(
		core_cftype_number(fw->core, cgroup_file_lookup(hierarchy_root(h), "u", 1)),
		number);
	fw_free(fw);
}

/* Without prefixes: who could not be told apart has one all the same. */
static void test_noprefix_ambiguous(void **state)
{
	static const struct cftype a_files[] = {{.name = "tasks"},
						{.name = "both", .mode = 0444},
						{.name = "a_only", .mode = 0444},
						{.name = NULL}};
	static const struct cftype b_files[] = {{.name = "both", .mode = 0644},
						{.name = "releasable", .mode = 0444},
						{.name = NULL}};
	struct fake_world *fw = fw_new(64);
	static struct fake_subsys a, b;
	struct hierarchy *h;
	struct cgroup *g;

	(void)state;
	fake_subsys_init(&a, "a", NULL, false);
	fake_subsys_init(&b, "b", NULL, false);
	a.ss.cftypes = a_files;
	b.ss.cftypes = b_files;
	fake_subsys_register(fw, &a);
	fake_subsys_register(fw, &b);
	h = mount_ok(fw, "a,b,noprefix");
	/* each also adds a file "populated" */
	g = mkdir_ok(hierarchy_root(h), "g");
	check_names(g, BASE "a.tasks:000 a.both:444 a_only:444 b.both:644 b.releasable:444 "
			    "b.populated:444 a.populated:444 ");
	for (size_t i = 0; cgroup_file_at(g, i); i++) {
		char name[256];

		cgroup_file_name(g, cgroup_file_at(g, i), name, sizeof(name));
		assert_ptr_equal(cgroup_file_lookup(g, name, strlen(name)), cgroup_file_at(g, i));
	}
	assert_false(has_file(g, "both"));
	assert_false(has_file(g, "populated"));
	assert_false(has_file(g, "a.a_only"));
	assert_reads(g, "a.populated", "42\n");
	assert_string_equal(cgroup_file_lookup(g, "tasks", 5)->name, "tasks");
	assert_int_equal(cftype_mode(cgroup_file_lookup(g, "tasks", 5)), 0644);
	/* alone, there is nothing to tell them from */
	rmdir_ok(g);
	assert_int_equal(try_remount(fw, h, "b,noprefix"), 0);
	check_names(hierarchy_root(h), BASE "release_agent:644 both:644 b.releasable:444 ");
	fw_free(fw);
}

static void test_added_files(void **state)
{
	static const struct cftype more[] = {
		{.name = "more", .read_u64 = u_read, .private_value = 77},
		{.name = "bare2",
		 .flags = CFTYPE_NO_PREFIX,
		 .read_u64 = u_read,
		 .private_value = 77},
		{.name = NULL}};
	static const struct cftype clash = {.name = "u", .read_s64 = s_read};
	static const struct cftype clash3 = {.name = "child", .read_s64 = s_read};
	static char long_name[255];
	static const struct cftype bad[] = {
		{.name = long_name}, {.name = ""}, {.name = "a/b"}, {.name = ".."}};
	static const struct cftype clash2 = {
		.name = "tasks", .flags = CFTYPE_NO_PREFIX, .read_s64 = s_read};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"),
		      *g2 = mkdir_ok(root, "g2");

	(void)state;
	assert_int_equal(cgroup_add_files(g, &k.ss, more), 0);
	assert_reads(g, "k.more", "0\n");
	assert_reads(g, "bare2", "0\n");
	assert_false(has_file(g2, "k.more"));
	assert_int_equal(cgroup_add_file(g, &k.ss, &more[0]), -EEXIST);
	assert_int_equal(cgroup_add_file(g, &k.ss, &clash), -EEXIST);
	assert_int_equal(cgroup_add_file(g, &k.ss, &clash2), -EEXIST);
	mkdir_ok(g, "k.child");
	assert_int_equal(cgroup_add_file(g, &k.ss, &clash3), -EEXIST);
	memset(long_name, 'x', sizeof(long_name) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cgroup_add_file(g, &k.ss, &bad[i]), -EINVAL);
	long_name[253] = '\0'; /* with its prefix, 255 bytes */
	assert_int_equal(cgroup_add_file(g, &k.ss, &bad[0]), 0);
	long_name[253] = 'x';
	assert_int_equal(cgroup_add_file(g2, &k.ss, &more[0]), 0);
	assert_reads(g2, "k.more", "0\n");
	assert_int_equal(core_cftype_number(fw->core, cgroup_file_lookup(g, "k.more", 6)),
			 core_cftype_number(fw->core, cgroup_file_lookup(g2, "k.more", 6)));
	fw_free(fw);
}

/* A file held open after its cgroup was removed: ENODEV. */
static void test_removed(void **state)
{
	static const char *const files[] = {"tasks", "notify_on_release", "k.u", "k.text", "k.raw"};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *again;
	struct cgroup_file *open[ARRAY_SIZE(files)];
	const struct cftype *cft = cgroup_file_lookup(g, "k.u", 3);
	struct cgroup_file *no;
	char buf[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		open[i] = open_file(g, files[i], O_RDWR, &root_cred);
	assert_true(core_file_read(open[3], buf, sizeof(buf), 0, &root_cred) > 0);
	rmdir_ok(g);
	again = mkdir_ok(root, "g");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		assert_int_equal(core_file_read(open[i], buf, sizeof(buf), 0, &root_cred), -ENODEV);
		assert_int_equal(core_file_read(open[i], buf, sizeof(buf), 1, &root_cred), -ENODEV);
		assert_int_equal(core_file_write(open[i], "10", 2, 0, &root_cred), -ENODEV);
	}
	assert_int_equal(core_file_open(g, cft, O_RDONLY, &root_cred, &no), -ENODEV);
	assert_null(cgroup_file_lookup(g, "tasks", 5));
	assert_null(cgroup_file_at(g, 0));
	assert_null(cgroup_file_by_number(g, 1));
	assert_null(cgroup_lookup(g, "x", 1));
	assert_int_equal(try_mkdir(g, "x", NULL), -ENOENT);
	assert_int_equal(core_attach_task(g, 10, &root_cred), -ENODEV);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		core_file_release(open[i]);
	assert_no_tasks(again);
	fw_free(fw);
}

/* A subsystem's file held open while its subsystem leaves the hierarchy. */
static void test_unbound(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "k,name=x");
	struct cgroup *root = hierarchy_root(h);
	struct cgroup_file *file = open_file(root, "k.u", O_RDWR, &root_cred);
	struct cgroup_file *tasks = open_file(root, "tasks", O_RDWR, &root_cred);
	char buf[16];

	(void)state;
	assert_int_equal(try_remount(fw, h, "none,name=x"), 0);
	assert_int_equal(core_file_read(file, buf, sizeof(buf), 0, &root_cred), -ENODEV);
	assert_int_equal(core_file_write(file, "1", 1, 0, &root_cred), -ENODEV);
	assert_int_equal(core_file_read(tasks, buf, sizeof(buf), 0, &root_cred), 3);
	assert_false(has_file(root, "k.u"));
	/* the hierarchy goes under open files, its root with the last of them */
	core_umount(fw->core, h);
	assert_int_equal(core_file_read(tasks, buf, sizeof(buf), 0, &root_cred), -ENODEV);
	core_file_release(file);
	core_file_release(tasks);
	fw_free(fw);
}

static void test_release_agent(void **state)
{
	static const struct {
		const char *text;
		ssize_t err;
		const char *after;
	} cases[] = {
		{"/bin/true", 0, "/bin/true\n"},
		{" /a b \n", 0, "/a b\n"},
		{"builtin:rmdir\n", 0, "builtin:rmdir\n"},
		{"\n", 0, "\n"},
		{"/x", 0, "/x\n"},
		{"x", -EINVAL, "/x\n"},
		{"./x", -EINVAL, "/x\n"},
		{"builtin:", -EINVAL, "/x\n"},
		{"builtin:rmdir x", -EINVAL, "/x\n"},
		{"", 0, "/x\n"},
		{" ", 0, "\n"},
	};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "name=h");
	struct cgroup *root = hierarchy_root(h);
	struct cgroup_file *file;

	(void)state;
	assert_reads(root, "release_agent", "\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ssize_t n = write_text(root, "release_agent", cases[i].text);

		if (n != (cases[i].err ? cases[i].err : (ssize_t)strlen(cases[i].text)))
			fail_msg("\"%s\": %zd", cases[i].text, n);
		assert_reads(root, "release_agent", cases[i].after);
	}
	assert_int_equal(write_as(root, "release_agent", "/evil", 5, &user_cred), -EPERM);
	/* who opened it matters: a descriptor may be somebody else's standard output */
	file = open_file(root, "release_agent", O_WRONLY, &user_cred);
	assert_int_equal(core_file_write(file, "/evil", 5, 0, &root_cred), -EPERM);
	core_file_release(file);
	assert_reads(root, "release_agent", "\n");
	assert_int_equal(hierarchy_set_release_agent(h, "/evil", &user_cred), -EPERM);
	assert_int_equal(hierarchy_set_release_agent(h, "evil", &root_cred), -EINVAL);
	assert_int_equal(hierarchy_set_release_agent(h, "/good", &root_cred), 0);
	assert_reads(root, "release_agent", "/good\n");
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),	    cmocka_unit_test(test_number_output),
		cmocka_unit_test(test_base_files),  cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_strings),	    cmocka_unit_test(test_callbacks_answer),
		cmocka_unit_test(test_raw),	    cmocka_unit_test(test_reading_in_pieces),
		cmocka_unit_test(test_long_text),   cmocka_unit_test(test_tasks_picture),
		cmocka_unit_test(test_names),	    cmocka_unit_test(test_noprefix_ambiguous),
		cmocka_unit_test(test_added_files), cmocka_unit_test(test_removed),
		cmocka_unit_test(test_unbound),	    cmocka_unit_test(test_release_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
