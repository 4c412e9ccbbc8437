// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_deferred.c - what subsystems are told of affinities and namespaces: who has asked for it, in
 * order, and never in the middle of something else.
 */
#include "helpers.h"

static struct trace trace;
static struct fake_subsys a, b;
static unsigned int watched;
static int watch_err;
static unsigned int n_done;
static uint64_t last_token;

static int op_watch(void *arg, unsigned int events)
{
	(void)arg;
	if (watch_err)
		return watch_err;
	watched = events;
	return 0;
}

static void op_namespaces_done(void *arg, pid_t tid, uint64_t token)
{
	(void)arg;
	(void)tid;
	n_done++;
	last_token = token;
}

static void note_affinity(struct cgroup_subsys *ss, const struct cgroup_task *task,
			  unsigned int why)
{
	trace_add(&trace, "%s.affinity %d why %u; ", ss->name, task ? task->tid : 0, why);
}

static void note_namespaces(struct cgroup_subsys *ss, const struct cgroup_task *task, pid_t origin)
{
	trace_add(&trace, "%s.namespaces %d of %d; ", ss->name, task ? task->tid : 0, origin);
}

static void make(struct fake_subsys *fs, const char *name)
{
	fake_subsys_init(fs, name, &trace, false);
	fs->ss.affinity = note_affinity;
	fs->ss.namespaces = note_namespaces;
}

static struct fake_world *world(struct hierarchy **h)
{
	struct fake_world *fw = fw_alloc(256);

	fw->ops.watch = op_watch;
	fw->ops.namespaces_done = op_namespaces_done;
	fw_start(fw);
	watched = n_done = 0;
	watch_err = 0;
	make(&a, "a");
	make(&b, "b");
	fake_subsys_register(fw, &a);
	fake_subsys_register(fw, &b);
	*h = mount_ok(fw, "a,b");
	for (pid_t tid = 10; tid < 14; tid++)
		fw_spawn(fw, tid, tid);
	trace_clear(&trace);
	return fw;
}

static void test_asked_for(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);

	(void)state;
	assert_int_equal(cgroup_watch(&a.ss, CGROUP_WATCH_AFFINITY), 0);
	assert_int_equal(watched, CGROUP_WATCH_AFFINITY);
	/* that something was lost may be the first there is to tell */
	core_affinity_changed(fw->core, 0, CGROUP_AFFINITY_GIVEN);
	core_settle(fw->core);
	assert_trace(&trace, "a.affinity 0 why 1; ");
	assert_int_equal(cgroup_watch(&b.ss, CGROUP_WATCH_NAMESPACES), 0);
	assert_int_equal(watched, CGROUP_WATCH_AFFINITY | CGROUP_WATCH_NAMESPACES);
	/* each hears of what it has asked for, after the replay */
	core_affinity_changed(fw->core, 10, CGROUP_AFFINITY_GIVEN);
	core_namespaces_changed(fw->core, 11, 12, 77);
	core_affinity_changed(fw->core, 12, CGROUP_AFFINITY_BORN);
	assert_trace(&trace, "");
	core_settle(fw->core);
	assert_trace(&trace, "a.affinity 10 why 0; b.namespaces 11 of 12; a.affinity 12 why 2; ");
	assert_int_equal(n_done, 1);
	assert_int_equal(last_token, 77);
	core_settle(fw->core);
	assert_trace(&trace, "");
	/* who is gone by then is passed over; somebody unknown is told as such */
	core_affinity_changed(fw->core, 13, CGROUP_AFFINITY_GIVEN);
	core_affinity_changed(fw->core, 0, CGROUP_AFFINITY_GIVEN);
	core_namespaces_changed(fw->core, 0, 0, 0);
	fw_exit(fw, 13);
	core_settle(fw->core);
	assert_trace(&trace, "a.affinity 0 why 1; b.namespaces 0 of 0; ");
	/* the tracker refuses: it has what it had before */
	watch_err = -ENOTSUP;
	assert_int_equal(cgroup_watch(&a.ss, CGROUP_WATCH_NAMESPACES), -ENOTSUP);
	core_namespaces_changed(fw->core, 10, 10, 1);
	core_affinity_changed(fw->core, 10, CGROUP_AFFINITY_GIVEN);
	core_settle(fw->core);
	assert_trace(&trace, "b.namespaces 10 of 10; a.affinity 10 why 0; ");
	watch_err = 0;
	assert_int_equal(cgroup_watch(&a.ss, 0), 0);
	assert_int_equal(watched, CGROUP_WATCH_NAMESPACES);
	fw_free(fw);
}

static struct fake_world *the_world;

static void tell_and_settle(struct fake_subsys *fs, struct cgroup *cgrp, pid_t tid)
{
	(void)fs;
	(void)cgrp;
	core_affinity_changed(the_world->core, tid, CGROUP_AFFINITY_GIVEN);
	core_settle(the_world->core);
}

/* What was told before an operation is dealt with before it, what comes in the midst after it. */
static void test_not_in_between(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g;

	(void)state;
	the_world = fw;
	assert_int_equal(cgroup_watch(&a.ss, CGROUP_WATCH_AFFINITY), 0);
	core_affinity_changed(fw->core, 10, CGROUP_AFFINITY_GIVEN);
	g = mkdir_ok(root, "g");
	assert_trace(&trace, "a.affinity 10 why 0; a.create /g; b.create /g; a.populate /g; "
			     "b.populate /g; ");
	core_affinity_changed(fw->core, 10, CGROUP_AFFINITY_GIVEN);
	a.in_can_attach = a.in_attach = tell_and_settle;
	attach_ok(g, 11);
	assert_trace(&trace, "a.affinity 10 why 0; a.can_attach /g 11; b.can_attach /g 11; "
			     "a.attach /g 11 from /; b.attach /g 11 from /; ");
	core_settle(fw->core);
	assert_trace(&trace, "a.affinity 11 why 0; a.affinity 11 why 0; ");
	a.in_can_attach = a.in_attach = NULL;
	fw_exit(fw, 11);
	core_affinity_changed(fw->core, 10, CGROUP_AFFINITY_GIVEN);
	rmdir_ok(g);
	assert_trace(&trace, "a.affinity 10 why 0; a.pre_destroy /g; b.pre_destroy /g; "
			     "b.destroy /g; a.destroy /g; ");
	fw_free(fw);
}

static int budget;

static void tell_of_more(struct cgroup_subsys *ss, const struct cgroup_task *task, unsigned int why)
{
	note_affinity(ss, task, why);
	if (budget-- > 0)
		core_affinity_changed(ss->core, task->tid + 1, CGROUP_AFFINITY_GIVEN);
}

/* One that goes on and on keeps nobody waiting: the rest is for the next turn, which is asked for. */
static void test_no_end(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	unsigned int kicks;

	(void)state;
	a.ss.affinity = tell_of_more;
	assert_int_equal(cgroup_watch(&a.ss, CGROUP_WATCH_AFFINITY), 0);
	budget = 3;
	core_affinity_changed(fw->core, 10, CGROUP_AFFINITY_GIVEN);
	for (pid_t tid = 10; tid < 14; tid++) {
		char want[64];

		kicks = atomic_load(&fw->n_kicks);
		core_settle(fw->core);
		snprintf(want, sizeof(want), "a.affinity %d why 0; ", tid);
		assert_trace(&trace, want);
		assert_int_equal(atomic_load(&fw->n_kicks), kicks + (tid < 13));
	}
	core_settle(fw->core);
	assert_trace(&trace, "");
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked_for),
		cmocka_unit_test(test_not_in_between),
		cmocka_unit_test(test_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
