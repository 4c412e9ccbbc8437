// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helpers.c - short ways to do what the unit tests do over and over.
 */
#include "helpers.h"

const struct core_cred root_cred = {.tid = 0, .euid = 0, .owner = true};
const struct core_cred user_cred = {.tid = 0, .euid = 1000, .owner = false};

/* ---- hierarchies and cgroups ---- */

/* What a person is told goes with every error, and with nothing else. */
static int check_message(int err, char *what)
{
	if (err) {
		assert_non_null(what);
		assert_true(strlen(what) > 5);
	} else {
		assert_null(what);
	}
	free(what);
	return err;
}

int try_mount(struct fake_world *fw, const char *text, struct hierarchy **h)
{
	struct core_mount_opts opts = {0};
	char *what = NULL;
	int err = core_mount_opts_parse(fw->core, text, &opts, &what);

	check_message(err, what);
	if (err)
		return err;
	what = NULL;
	err = core_mount(fw->core, &opts, &root_cred, h, &what);
	core_mount_opts_clear(&opts);
	return check_message(err, what);
}

int try_remount(struct fake_world *fw, struct hierarchy *h, const char *text)
{
	struct core_mount_opts opts = {0};
	char *what = NULL;
	int err = core_mount_opts_parse(fw->core, text, &opts, &what);

	check_message(err, what);
	if (err)
		return err;
	what = NULL;
	err = core_remount(fw->core, h, &opts, &root_cred, &what);
	core_mount_opts_clear(&opts);
	return check_message(err, what);
}

struct hierarchy *mount_ok(struct fake_world *fw, const char *opts)
{
	struct hierarchy *h = NULL;

	assert_int_equal(try_mount(fw, opts, &h), 0);
	assert_non_null(h);
	return h;
}

int try_mkdir(struct cgroup *parent, const char *name, struct cgroup **cgrp)
{
	return cgroup_mkdir(parent, name, 0755, 0, 0, cgrp);
}

struct cgroup *mkdir_ok(struct cgroup *parent, const char *name)
{
	struct cgroup *cgrp = NULL;

	assert_int_equal(try_mkdir(parent, name, &cgrp), 0);
	assert_non_null(cgrp);
	return cgrp;
}

void rmdir_ok(struct cgroup *cgrp)
{
	assert_int_equal(cgroup_rmdir(cgrp), 0);
}

struct cgroup *child(struct cgroup *parent, const char *name)
{
	return cgroup_lookup(parent, name, strlen(name));
}

/* ---- files ---- */

struct cgroup_file *open_file(struct cgroup *cgrp, const char *name, int flags,
			      const struct core_cred *cred)
{
	const struct cftype *cft = cgroup_file_lookup(cgrp, name, strlen(name));
	struct cgroup_file *file = NULL;

	if (!cft)
		fail_msg("no file %s", name);
	assert_int_equal(core_file_open(cgrp, cft, flags, cred, &file), 0);
	assert_non_null(file);
	return file;
}

bool has_file(struct cgroup *cgrp, const char *file)
{
	return cgroup_file_lookup(cgrp, file, strlen(file)) != NULL;
}

ssize_t write_as(struct cgroup *cgrp, const char *name, const char *text, size_t len,
		 const struct core_cred *cred)
{
	struct cgroup_file *file = open_file(cgrp, name, O_WRONLY, cred);
	ssize_t n = core_file_write(file, text, len, 0, cred);

	core_file_release(file);
	return n;
}

ssize_t write_text(struct cgroup *cgrp, const char *file, const char *text)
{
	return write_as(cgrp, file, text, strlen(text), &root_cred);
}

void write_ok(struct cgroup *cgrp, const char *file, const char *text)
{
	assert_int_equal(write_text(cgrp, file, text), strlen(text));
}

char *read_text(struct cgroup *cgrp, const char *name, int *err)
{
	struct cgroup_file *file = open_file(cgrp, name, O_RDONLY, &root_cred);
	size_t size = 1 << 20, len = 0;
	char *buf = malloc(size);
	ssize_t n;

	assert_non_null(buf);
	while ((n = core_file_read(file, buf + len, size - 1 - len, (off_t)len, &root_cred)) > 0)
		len += n;
	buf[len] = '\0';
	*err = (int)n;
	core_file_release(file);
	return buf;
}

void check_list(struct cgroup *cgrp, bool tgids, const pid_t *want, size_t n_want,
		const char *where, int line)
{
	char got_text[1024] = "", want_text[1024] = "";
	pid_t *got = NULL;
	size_t n = 0, i, len;

	assert_int_equal(cgroup_list(cgrp, tgids, &got, &n), 0);
	for (i = len = 0; i < n && len < sizeof(got_text); i++)
		len += snprintf(got_text + len, sizeof(got_text) - len, "%d ", got[i]);
	for (i = len = 0; i < n_want && len < sizeof(want_text); i++)
		len += snprintf(want_text + len, sizeof(want_text) - len, "%d ", want[i]);
	if (strcmp(got_text, want_text))
		fail_msg("%s:%d: the list is [%s], not [%s]", where, line, got_text, want_text);
	free(got);
	if (!tgids)
		assert_int_equal(cgroup_task_count(cgrp), n_want);
}

void attach_ok(struct cgroup *cgrp, pid_t tid)
{
	assert_int_equal(core_attach_task(cgrp, tid, &root_cred), 0);
}

/* ---- releases ---- */

const char *take_releases(struct hierarchy *h, char *buf, size_t size)
{
	struct cgroup *cgrp;
	size_t len = 0;

	buf[0] = '\0';
	while ((cgrp = core_release_next(h))) {
		char path[2048];

		assert_true(cgroup_path(cgrp, path, sizeof(path)) > 0);
		len += snprintf(buf + len, size - len, "%s ", path);
		assert_true(len < size);
	}
	assert_int_equal(core_releases_pending(h), 0);
	return buf;
}

struct fake_world *two_processes(struct fake_subsys *a, struct trace *trace, const char *opts,
				 struct hierarchy **h)
{
	struct fake_world *fw = fw_new(256);

	fake_subsys_init(a, "a", trace, false);
	fake_subsys_register(fw, a);
	*h = mount_ok(fw, opts);
	trace_clear(trace);
	for (pid_t tid = 10; tid < 14; tid++)
		fw_spawn(fw, tid, 10);
	fw_spawn(fw, 20, 20);
	return fw;
}

void wait_in_vain(struct fake_world *fw)
{
	(void)fw;
}
