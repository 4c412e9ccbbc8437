// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_callbacks.c - every callback of a subsystem, in its order, for every operation; and the same
 * with each of them failing in turn.
 */
#include "helpers.h"

enum { N = 3 };
static struct trace trace;
static struct fake_subsys s[N]; /* a, b, c */

static struct fake_world *world_with(bool fork_exit)
{
	static const char *const names[N] = {"a", "b", "c"};
	struct fake_world *fw = fw_new(256);

	trace_clear(&trace);
	for (int i = 0; i < N; i++) {
		fake_subsys_init(&s[i], names[i], &trace, fork_exit);
		fake_subsys_register(fw, &s[i]);
	}
	for (pid_t tid = 10; tid < 15; tid++)
		fw_spawn(fw, tid, tid);
	return fw;
}

static struct fake_world *world(struct hierarchy **h)
{
	struct fake_world *fw = world_with(false);

	*h = mount_ok(fw, "a,b,c");
	trace_clear(&trace);
	return fw;
}

static void test_register_and_end(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world_with(false);

	(void)state;
	assert_trace(&trace, "a.create /; a.bind /; b.create /; b.bind /; c.create /; c.bind /; ");
	h = mount_ok(fw, "a,c");
	mkdir_ok(mkdir_ok(hierarchy_root(h), "g"), "k");
	trace_clear(&trace);
	/* children before their parents, subsystems in reverse */
	fw_free(fw);
	assert_trace(&trace, "c.destroy /g/k; a.destroy /g/k; c.destroy /g; a.destroy /g; "
			     "c.destroy /; a.destroy /; b.destroy /; ");
	for (int i = 0; i < N; i++)
		assert_int_equal(s[i].n_css, 0);
}

static void test_register_fails(void **state)
{
	struct fake_world *fw = world_with(false);
	struct fake_subsys d;

	(void)state;
	fake_subsys_init(&d, "d", &trace, true);
	d.create_err = -EDOM;
	trace_clear(&trace);
	assert_int_equal(core_register_subsys(fw->core, &d.ss), -EDOM);
	assert_trace(&trace, "d.create /; ");
	assert_false(fw->want_fork || fw->want_exit);
	d.create_err = 0;
	fake_subsys_register(fw, &d);
	assert_trace(&trace, "d.create /; d.bind /; ");
	assert_true(fw->want_fork && fw->want_exit);
	fw_free(fw);
}

/* ---- mount, remount, unmount ---- */

static void test_bind(void **state)
{
	struct fake_world *fw = world_with(false);
	struct hierarchy *h, *none = NULL;
	struct cgroup *dfl = s[0].bound_root;

	(void)state;
	trace_clear(&trace);
	h = mount_ok(fw, "c,a");
	assert_trace(&trace, "a.bind /; c.bind /; ");
	assert_ptr_equal(s[0].bound_root, hierarchy_root(h));
	assert_ptr_equal(css_of(hierarchy_root(h), &s[0].ss)->cgroup, hierarchy_root(h));
	assert_null(css_of(dfl, &s[0].ss));
	/* shown once more: nothing; refused: nothing */
	mount_ok(fw, "a,c");
	core_umount(fw->core, h);
	assert_int_equal(try_mount(fw, "b,c", &none), -EBUSY);
	assert_trace(&trace, "");
	assert_int_equal(try_remount(fw, h, "b,c"), 0);
	assert_trace(&trace, "a.bind /; b.bind /; ");
	assert_ptr_equal(s[0].bound_root, dfl);
	assert_ptr_equal(s[1].bound_root, hierarchy_root(h));
	mkdir_ok(hierarchy_root(h), "g");
	trace_clear(&trace);
	assert_int_equal(try_remount(fw, h, "a,b,c"), -EBUSY);
	assert_trace(&trace, "");
	rmdir_ok(child(hierarchy_root(h), "g"));
	trace_clear(&trace);
	core_umount(fw->core, h);
	assert_trace(&trace, "b.bind /; c.bind /; ");
	for (int i = 0; i < N; i++) {
		assert_ptr_equal(s[i].bound_root, dfl);
		assert_ptr_equal(css_of(dfl, &s[i].ss)->cgroup, dfl);
		assert_int_equal(s[i].n_css, 1); /* the root's state was made once, and lives on */
	}
	fw_free(fw);
}

static int read_extra(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cgrp;
	(void)cft;
	*val = 7;
	return 0;
}

static const struct cftype extra = {.name = "extra", .read_u64 = read_extra};

static void bind_with_file(struct cgroup_subsys *ss, struct cgroup *root)
{
	if (cgroup_is_mounted(root))
		assert_int_equal(cgroup_add_file(root, ss, &extra), 0);
}

/* A file that a subsystem has added to a root goes when it goes, and can be added when it is back. */
static void test_bind_with_file(void **state)
{
	struct fake_world *fw = world_with(false);
	struct hierarchy *h;

	(void)state;
	s[1].ss.bind = bind_with_file;
	h = mount_ok(fw, "a,b");
	assert_reads(hierarchy_root(h), "b.extra", "7\n");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(try_remount(fw, h, "a"), 0);
		assert_false(has_file(hierarchy_root(h), "b.extra"));
		assert_false(has_file(hierarchy_root(h), "extra"));
		assert_int_equal(try_remount(fw, h, "a,b"), 0);
		assert_reads(hierarchy_root(h), "b.extra", "7\n");
	}
	fw_free(fw);
}

/* ---- mkdir ---- */

static void test_mkdir(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g, *none = NULL;

	(void)state;
	g = mkdir_ok(root, "g");
	assert_trace(&trace, "a.create /g; b.create /g; c.create /g; a.populate /g; b.populate /g; "
			     "c.populate /g; ");
	for (int i = 0; i < N; i++) {
		assert_ptr_equal(css_of(g, &s[i].ss)->cgroup, g);
		assert_ptr_equal(css_of(g, &s[i].ss)->subsys, &s[i].ss);
	}
	assert_reads(g, "a.populated", "42\n");
	assert_reads(g, "c.populated", "42\n");
	/* refused before any subsystem is asked */
	assert_int_equal(try_mkdir(root, "g", &none), -EEXIST);
	assert_int_equal(try_mkdir(root, "a\n", &none), -EINVAL);
	assert_trace(&trace, "");
	fw_free(fw);
}

/* What is there must be as if nothing had been tried. */
static void check_nothing_left(struct fake_world *fw, struct cgroup *parent, size_t n_children)
{
	struct hierarchy *h = cgroup_hierarchy(parent);
	struct core_stats stats;

	assert_int_equal(cgroup_n_children(parent), n_children);
	assert_null(child(parent, "g"));
	assert_int_equal(hierarchy_n_cgroups(h), 2);
	core_get_stats(fw->core, &stats);
	assert_int_equal(stats.cgroups, 3); /* the default hierarchy has a root as well */
	for (int i = 0; i < N; i++)
		assert_int_equal(s[i].n_css, 2);
	assert_releases(h, "");
}

static void test_mkdir_fails(void **state)
{
	static const char *const at_create[N] = {
		"a.create /p/g; ",
		"a.create /p/g; b.create /p/g; a.destroy /p/g; ",
		"a.create /p/g; b.create /p/g; c.create /p/g; b.destroy /p/g; a.destroy /p/g; ",
	};
	static const char *const at_populate[N] = {"a.populate /p/g; ",
						   "a.populate /p/g; b.populate /p/g; ",
						   "a.populate /p/g; b.populate /p/g; "
						   "c.populate /p/g; "};
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *p = mkdir_ok(hierarchy_root(h), "p"), *none = NULL;
	unsigned int changes = fw->n_tree_changed;
	char want[512];

	(void)state;
	write_ok(p, "notify_on_release", "1");
	for (int k = 0; k < N; k++) {
		trace_clear(&trace);
		s[k].create_err = -EDOM - k;
		assert_int_equal(try_mkdir(p, "g", &none), -EDOM - k);
		assert_null(none);
		assert_trace(&trace, at_create[k]);
		s[k].create_err = 0;
		check_nothing_left(fw, p, 0);

		s[k].populate_err = -ENOSPC;
		assert_int_equal(try_mkdir(p, "g", &none), -ENOSPC);
		assert_null(none);
		snprintf(want, sizeof(want),
			 "a.create /p/g; b.create /p/g; c.create /p/g; %s"
			 "c.destroy /p/g; b.destroy /p/g; a.destroy /p/g; ",
			 at_populate[k]);
		assert_trace(&trace, want);
		s[k].populate_err = 0;
		check_nothing_left(fw, p, 0);
	}
	assert_int_equal(fw->n_tree_changed, changes);
	/* having failed to get a child is not having had one */
	css_get(css_of(p, &s[0].ss));
	css_put(css_of(p, &s[0].ss));
	assert_releases(h, "");
	assert_reads(p, "releasable", "0\n");
	mkdir_ok(p, "g");
	fw_free(fw);
}

static int create_nothing(struct cgroup_subsys *ss, struct cgroup *cgrp,
			  struct cgroup_subsys_state **css)
{
	(void)ss;
	(void)cgrp;
	(void)css;
	return 0;
}

/* Success without a state is a failure, not a crash later. */
static void test_create_without_state(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *none = NULL;

	(void)state;
	s[1].ss.create = create_nothing;
	assert_true(try_mkdir(hierarchy_root(h), "g", &none) < 0);
	assert_null(none);
	assert_trace(&trace, "a.create /g; a.destroy /g; ");
	fw_free(fw);
}

static void test_clone_children(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g, *k, *none = NULL;

	(void)state;
	g = mkdir_ok(root, "g");
	assert_int_equal(fake_css_of(g, &s[0])->cloned, 0);
	fake_css_of(g, &s[0])->u = 17;
	write_ok(g, "cgroup.clone_children", "1");
	trace_clear(&trace);
	k = mkdir_ok(g, "k");
	assert_trace(&trace, "a.create /g/k; b.create /g/k; c.create /g/k; "
			     "a.post_clone /g/k; b.post_clone /g/k; c.post_clone /g/k; "
			     "a.populate /g/k; b.populate /g/k; c.populate /g/k; ");
	assert_int_equal(fake_css_of(k, &s[0])->u, 17);
	assert_int_equal(fake_css_of(k, &s[0])->cloned, 1);
	/* it is handed down, and ends where it is cleared */
	assert_reads(k, "cgroup.clone_children", "1\n");
	write_ok(k, "cgroup.clone_children", "0");
	assert_int_equal(fake_css_of(mkdir_ok(k, "x"), &s[0])->u, 0);
	/* no post_clone where a create has failed */
	trace_clear(&trace);
	s[2].create_err = -EDOM;
	assert_int_equal(try_mkdir(g, "no", &none), -EDOM);
	s[2].create_err = 0;
	assert_trace(&trace, "a.create /g/no; b.create /g/no; c.create /g/no; b.destroy /g/no; "
			     "a.destroy /g/no; ");
	fw_free(fw);

	fw = world_with(false);
	root = hierarchy_root(mount_ok(fw, "a,clone_children"));
	assert_reads(root, "cgroup.clone_children", "1\n");
	assert_int_equal(fake_css_of(mkdir_ok(root, "g"), &s[0])->cloned, 1);
	fw_free(fw);
}

/* ---- rmdir ---- */

static void test_rmdir(void **state)
{
	static const char *const refused[N] = {
		"a.pre_destroy /g; ",
		"a.pre_destroy /g; b.pre_destroy /g; ",
		"a.pre_destroy /g; b.pre_destroy /g; c.pre_destroy /g; ",
	};
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g"), *k = mkdir_ok(g, "k");
	unsigned int changes;

	(void)state;
	trace_clear(&trace);
	/* busy: nobody is asked */
	assert_int_equal(cgroup_rmdir(g), -EBUSY);
	attach_ok(k, 10);
	trace_clear(&trace);
	assert_int_equal(cgroup_rmdir(k), -EBUSY);
	assert_int_equal(cgroup_rmdir(hierarchy_root(h)), -EBUSY);
	assert_trace(&trace, "");
	attach_ok(hierarchy_root(h), 10);
	rmdir_ok(k);
	changes = fw->n_tree_changed;
	for (int i = 0; i < N; i++) {
		trace_clear(&trace);
		s[i].pre_destroy_err = i ? -EPERM : -EBUSY;
		assert_int_equal(cgroup_rmdir(g), i ? -EPERM : -EBUSY);
		assert_trace(&trace, refused[i]);
		s[i].pre_destroy_err = 0;
		assert_false(cgroup_is_dead(g));
		assert_ptr_equal(child(hierarchy_root(h), "g"), g);
		for (int j = 0; j < N; j++) {
			assert_true(css_tryget(css_of(g, &s[j].ss)));
			css_put(css_of(g, &s[j].ss));
		}
	}
	assert_int_equal(fw->n_tree_changed, changes);
	trace_clear(&trace);
	rmdir_ok(g);
	assert_trace(&trace, "a.pre_destroy /g; b.pre_destroy /g; c.pre_destroy /g; "
			     "c.destroy /g; b.destroy /g; a.destroy /g; ");
	fw_free(fw);
}

/* ---- attach ---- */

static void test_attach(void **state)
{
	static const char *const refused[N] = {
		"a.can_attach /g 10; ",
		"a.can_attach /g 10; b.can_attach /g 10; a.cancel_attach /g 10; ",
		"a.can_attach /g 10; b.can_attach /g 10; c.can_attach /g 10; "
		"a.cancel_attach /g 10; b.cancel_attach /g 10; ",
	};
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");

	(void)state;
	trace_clear(&trace);
	attach_ok(k, 10);
	assert_trace(&trace, "a.can_attach /k 10; b.can_attach /k 10; c.can_attach /k 10; "
			     "a.attach /k 10 from /; b.attach /k 10 from /; "
			     "c.attach /k 10 from /; ");
	for (int i = 0; i < N; i++) {
		s[i].can_attach_err = -ENOSPC - i;
		assert_int_equal(core_attach_task(g, 10, &root_cred), -ENOSPC - i);
		assert_trace(&trace, refused[i]);
		assert_int_equal(core_attach_process(g, 10, &root_cred), -ENOSPC - i);
		assert_trace(&trace, refused[i]);
		s[i].can_attach_err = 0;
		assert_tasks(k, 10);
		assert_no_tasks(g);
		assert_reads(k, "releasable", "0\n");
	}
	assert_int_equal(fw->n_moves, 1);
	attach_ok(g, 10);
	assert_trace(&trace, "a.can_attach /g 10; b.can_attach /g 10; c.can_attach /g 10; "
			     "a.attach /g 10 from /k; b.attach /g 10 from /k; "
			     "c.attach /g 10 from /k; ");
	/* nothing happens: nobody is asked */
	attach_ok(g, 10);
	assert_trace(&trace, "");
	fw_free(fw);
}

static size_t seen_in_attach, seen_in_can_attach;

static void look_in_can_attach(struct fake_subsys *fs, struct cgroup *cgrp, pid_t tid)
{
	(void)fs;
	(void)tid;
	seen_in_can_attach = cgroup_task_count(cgrp);
}

static void look_in_attach(struct fake_subsys *fs, struct cgroup *cgrp, pid_t tid)
{
	const struct cgroup_task task = {.tid = tid, .tgid = tid};

	seen_in_attach = cgroup_task_count(cgrp);
	assert_ptr_equal(task_cgroup(&task, &fs->ss), cgrp);
	assert_ptr_equal(task_css(&task, &fs->ss), css_of(cgrp, &fs->ss));
}

/* What callbacks see: before, it is not there; in attach it is. */
static void test_attach_sees(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	s[1].in_can_attach = look_in_can_attach;
	s[1].in_attach = look_in_attach;
	attach_ok(g, 10);
	assert_int_equal(seen_in_can_attach, 0);
	assert_int_equal(seen_in_attach, 1);
	attach_ok(g, 11);
	assert_int_equal(seen_in_can_attach, 1);
	assert_int_equal(seen_in_attach, 2);
	fw_free(fw);
}

static void die_in_can_attach(struct fake_subsys *fs, struct cgroup *cgrp, pid_t tid)
{
	(void)cgrp;
	fw_exit(fs->hook_arg, tid);
}

/* It was let in and is gone: cancelled, everywhere. */
static void test_dies_in_can_attach(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	trace_clear(&trace);
	s[1].in_can_attach = die_in_can_attach;
	s[1].hook_arg = fw;
	assert_int_equal(core_attach_task(g, 10, &root_cred), -ESRCH);
	assert_trace(&trace, "a.can_attach /g 10; b.can_attach /g 10; c.can_attach /g 10; "
			     "a.cancel_attach /g 10; b.cancel_attach /g 10; "
			     "c.cancel_attach /g 10; ");
	fw_free(fw);
}

/* A subsystem that has only what it must have. */
static void test_optional(void **state)
{
	struct fake_world *fw = fw_new(64);
	struct hierarchy *h;
	struct cgroup *g;

	(void)state;
	trace_clear(&trace);
	fake_subsys_init(&s[0], "a", &trace, false);
	s[0].ss.pre_destroy = NULL;
	s[0].ss.can_attach = NULL;
	s[0].ss.attach = NULL;
	s[0].ss.cancel_attach = NULL;
	s[0].ss.populate = NULL;
	s[0].ss.post_clone = NULL;
	s[0].ss.bind = NULL;
	fake_subsys_register(fw, &s[0]);
	fake_subsys_init(&s[1], "b", &trace, false);
	s[1].ss.can_attach = NULL; /* it was never asked, so there is nothing to cancel */
	fake_subsys_register(fw, &s[1]);
	fake_subsys_init(&s[2], "c", &trace, false);
	fake_subsys_register(fw, &s[2]);
	fw_spawn(fw, 10, 10);
	h = mount_ok(fw, "all,clone_children");
	g = mkdir_ok(hierarchy_root(h), "g");
	s[2].can_attach_err = -EPERM;
	trace_clear(&trace);
	assert_int_equal(core_attach_task(g, 10, &root_cred), -EPERM);
	assert_trace(&trace, "c.can_attach /g 10; ");
	s[2].can_attach_err = 0;
	attach_ok(g, 10);
	assert_trace(&trace, "c.can_attach /g 10; b.attach /g 10 from /; c.attach /g 10 from /; ");
	fw_exit(fw, 10);
	rmdir_ok(g);
	assert_trace(&trace, "b.pre_destroy /g; c.pre_destroy /g; c.destroy /g; b.destroy /g; "
			     "a.destroy /g; ");
	core_umount(fw->core, h);
	fw_free(fw);
}

/* ---- fork and exit ---- */

static void test_fork_exit(void **state)
{
	struct fake_world *fw = world_with(true);
	struct hierarchy *h = mount_ok(fw, "a,b"), *i = mount_ok(fw, "c");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g"), *k = mkdir_ok(hierarchy_root(i), "k");

	(void)state;
	assert_true(fw->want_fork && fw->want_exit);
	attach_ok(g, 10);
	trace_clear(&trace);
	/* outside every group: no call */
	fw_fork(fw, 11, 30, 0);
	fw_exit(fw, 30);
	core_settle(fw->core);
	assert_trace(&trace, "");
	fw_fork(fw, 10, 31, 0);
	assert_trace(&trace, ""); /* told when the log is read */
	core_settle(fw->core);
	/* every subsystem hears of it, in its own hierarchy's terms */
	assert_trace(&trace, "a.fork /g 31; b.fork /g 31; c.fork / 31; ");
	attach_ok(k, 31);
	trace_clear(&trace);
	/* in the order in which things happened */
	fw_fork(fw, 31, 32, 0);
	fw_exit(fw, 31);
	fw_fork(fw, 10, 33, 0);
	fw_exit(fw, 32);
	fw_exit(fw, 33);
	fw_exit(fw, 10);
	core_settle(fw->core);
	assert_trace(&trace, "a.fork /g 32; b.fork /g 32; c.fork /k 32; "
			     "a.exit /g 31; b.exit /g 31; c.exit /k 31; "
			     "a.fork /g 33; b.fork /g 33; c.fork / 33; "
			     "a.exit /g 32; b.exit /g 32; c.exit /k 32; "
			     "a.exit /g 33; b.exit /g 33; c.exit / 33; "
			     "a.exit /g 10; b.exit /g 10; c.exit / 10; ");
	fw_free(fw);
}

static void note_empty(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	trace_add(&trace, "%s.empty %s; ", ss->name, cgroup_name(cgrp));
	assert_int_equal(cgroup_task_count(cgrp), 0);
}

/* The last task has left a cgroup: told to all that are bound there, once. */
static void test_empty(void **state)
{
	struct fake_world *fw = world_with(false);
	struct hierarchy *h = mount_ok(fw, "a,b"), *i = mount_ok(fw, "c");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g"), *k = mkdir_ok(hierarchy_root(i), "k");

	(void)state;
	attach_ok(g, 10);
	attach_ok(k, 10);
	attach_ok(g, 11);
	for (int n = 0; n < N; n++) {
		s[n].ss.empty = note_empty;
		s[n].ss.can_attach = NULL;
		s[n].ss.attach = NULL;
	}
	trace_clear(&trace);
	/* others of g's are there still */
	fw_exit(fw, 10);
	core_settle(fw->core);
	assert_trace(&trace, "c.empty k; ");
	attach_ok(hierarchy_root(h), 11);
	assert_trace(&trace, "a.empty g; b.empty g; ");
	core_settle(fw->core);
	assert_trace(&trace, "");
	fw_free(fw);
}

/* It may ask how many tasks there are: several css_sets that empty at once are freed once each. */
static struct cgroup *counted;

static void count_in_empty(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	trace_add(&trace, "%s.empty %s %zu; ", ss->name, cgroup_name(cgrp),
		  cgroup_task_count(counted));
}

static void test_empty_counts(void **state)
{
	struct fake_world *fw = fw_new(64);
	struct fake_subsys s;
	struct hierarchy *h;
	struct cgroup *g[4];

	(void)state;
	fake_subsys_init(&s, "a", &trace, false);
	s.ss.empty = count_in_empty;
	fake_subsys_register(fw, &s);
	h = mount_ok(fw, "a");
	for (int i = 0; i < 4; i++) {
		g[i] = mkdir_ok(hierarchy_root(h), (const char *[]){"g0", "g1", "g2", "g3"}[i]);
		fw_spawn(fw, 10 + i, 10 + i);
		attach_ok(g[i], 10 + i);
	}
	counted = g[3];
	trace_clear(&trace);
	for (int i = 0; i < 3; i++)
		fw_exit(fw, 10 + i);
	core_settle(fw->core);
	assert_trace(&trace, "a.empty g0 1; a.empty g1 1; a.empty g2 1; ");
	fw_free(fw);
}

static void no_cputime(struct cgroup_subsys *ss, const struct cgroup_task *task,
		       const struct cgroup_cputime *time, bool last)
{
	(void)ss;
	(void)task;
	(void)time;
	(void)last;
}

/* One that is told of CPU times after exits can wait for the exits: nobody is woken for each. */
static void test_exit_can_wait(void **state)
{
	struct fake_world *fw = fw_new(64);
	struct hierarchy *h;

	(void)state;
	trace_clear(&trace);
	fake_subsys_init(&s[0], "a", &trace, true);
	s[0].ss.fork = NULL;
	s[0].ss.cputime = no_cputime;
	fake_subsys_register(fw, &s[0]);
	assert_false(fw->want_fork || fw->want_exit);
	fw_spawn(fw, 10, 10);
	h = mount_ok(fw, "a");
	attach_ok(mkdir_ok(hierarchy_root(h), "g"), 10);
	trace_clear(&trace);
	fw_exit(fw, 10);
	core_settle(fw->core);
	assert_trace(&trace, "a.exit /g 10; ");
	fw_free(fw);
}

static void note_retid(struct cgroup_subsys *ss, pid_t old, const struct cgroup_task *task)
{
	assert_int_equal(task->tid, task->tgid);
	assert_string_equal(cgroup_name(task_cgroup(task, ss)), "g");
	trace_add(&trace, "%s.retid %d to %d; ", ss->name, old, task->tid);
}

/* An exec by a thread: its tid changes, and that is no fork and no exit. */
static void test_retid(void **state)
{
	struct fake_world *fw = world_with(true);
	struct hierarchy *h = mount_ok(fw, "a,b,c");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	for (int i = 0; i < N; i++)
		s[i].ss.retid = note_retid;
	attach_ok(g, 10);
	fw_fork(fw, 10, 30, 10);
	core_settle(fw->core);
	trace_clear(&trace);
	fw_exec(fw, 30);
	core_settle(fw->core);
	assert_trace(&trace, "a.exit /g 10; b.exit /g 10; c.exit /g 10; "
			     "a.retid 30 to 10; b.retid 30 to 10; c.retid 30 to 10; ");
	fw_free(fw);
}

/* A fork of an earlier moment is told where the child was then, not where its maker is now. */
static void test_fork_before_move(void **state)
{
	struct fake_world *fw = world_with(true);
	struct hierarchy *h = mount_ok(fw, "a");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g"), *k = mkdir_ok(hierarchy_root(h), "k");

	(void)state;
	s[1].trace = s[2].trace = NULL;
	attach_ok(g, 10);
	trace_clear(&trace);
	fw_fork(fw, 10, 30, 0);
	attach_ok(k, 10);
	assert_trace(&trace, "a.fork /g 30; a.can_attach /k 10; a.attach /k 10 from /g; ");
	fw_fork(fw, 10, 31, 0);
	attach_ok(k, 30);
	assert_trace(&trace, "a.fork /k 31; a.can_attach /k 30; a.attach /k 30 from /g; ");
	fw_free(fw);
}

static void attach_in_fork(struct fake_subsys *fs, const struct cgroup_task *task)
{
	struct cgroup *to = fs->hook_arg;

	if (task_cgroup(task, &fs->ss) != to)
		assert_int_equal(core_attach_task(to, task->tid, &root_cred), 0);
}

/* A fork callback may move what was born: the log grows while it is read. */
static void test_move_in_fork_callback(void **state)
{
	struct fake_world *fw = world_with(true);
	struct hierarchy *h = mount_ok(fw, "a");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g"), *k = mkdir_ok(hierarchy_root(h), "k");

	(void)state;
	s[0].in_fork = attach_in_fork;
	s[0].hook_arg = k;
	attach_ok(g, 10);
	fw_fork(fw, 10, 30, 0);
	fw_fork(fw, 10, 31, 0);
	assert_tasks(g, 10);
	assert_tasks(k, 30, 31);
	fw_exit(fw, 30);
	fw_exit(fw, 31);
	assert_no_tasks(k);
	assert_true(cgroup_is_idle(k));
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_register_and_end),
		cmocka_unit_test(test_register_fails),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_bind_with_file),
		cmocka_unit_test(test_mkdir),
		cmocka_unit_test(test_mkdir_fails),
		cmocka_unit_test(test_create_without_state),
		cmocka_unit_test(test_clone_children),
		cmocka_unit_test(test_rmdir),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_attach_sees),
		cmocka_unit_test(test_dies_in_can_attach),
		cmocka_unit_test(test_optional),
		cmocka_unit_test(test_fork_exit),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_empty_counts),
		cmocka_unit_test(test_exit_can_wait),
		cmocka_unit_test(test_retid),
		cmocka_unit_test(test_fork_before_move),
		cmocka_unit_test(test_move_in_fork_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
