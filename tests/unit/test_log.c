// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_log.c - the lists as a fold over the log, and what becomes of them when entries are lost.
 */
#include "helpers.h"

static struct trace trace;
static struct fake_subsys a;

static struct fake_world *world(struct hierarchy **h)
{
	struct fake_world *fw = fw_new(256);

	fake_subsys_init(&a, "a", &trace, true);
	fake_subsys_register(fw, &a);
	*h = mount_ok(fw, "a");
	for (pid_t tid = 10; tid < 15; tid++)
		fw_spawn(fw, tid, tid);
	trace_clear(&trace);
	return fw;
}

static struct core_stats stats_of(struct fake_world *fw)
{
	struct core_stats stats;

	core_settle(fw->core);
	core_get_stats(fw->core, &stats);
	return stats;
}

static void test_counts(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");
	struct core_stats stats;

	(void)state;
	attach_ok(g, 10);
	fw_fork(fw, 10, 30, 0);
	fw_fork(fw, 10, 31, 10);
	fw_fork(fw, 11, 32, 0); /* in no group: no entry */
	fw_exit(fw, 32);
	stats = stats_of(fw);
	assert_int_equal(stats.moved, 1);
	assert_int_equal(stats.born, 2);
	assert_int_equal(stats.member_tasks, 3);
	assert_int_equal(stats.csets, 2);
	fw_exec(fw, 31);
	stats = stats_of(fw);
	assert_int_equal(stats.died, 1);
	assert_int_equal(stats.retid, 1);
	assert_int_equal(stats.member_tasks, 2);
	fw_exit(fw, 30);
	attach_ok(hierarchy_root(h), 10);
	stats = stats_of(fw);
	assert_int_equal(stats.died, 2);
	assert_int_equal(stats.moved, 2);
	assert_int_equal(stats.member_tasks, 0);
	assert_int_equal(stats.csets, 1);
	assert_int_equal(stats.rebuilds, 0);
	assert_int_equal(stats.oddities, 0);
	assert_int_equal(fw->n_messages, 0);
	fw_free(fw);
}

static void test_exec(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");

	(void)state;
	/* leader and thread in different groups, in both ways round and with one in none */
	fw_fork(fw, 10, 30, 10);
	fw_fork(fw, 10, 31, 10);
	attach_ok(g, 10);
	attach_ok(k, 30);
	fw_exec(fw, 30);
	assert_no_tasks(g);
	assert_tasks(k, 10);
	assert_procs(k, 10);
	fw_fork(fw, 11, 30, 11);
	attach_ok(g, 11);
	fw_exec(fw, 30);
	assert_no_tasks(g);
	assert_tasks(root, 11, 12, 13, 14);
	fw_fork(fw, 12, 30, 12);
	attach_ok(g, 30);
	fw_exec(fw, 30);
	assert_tasks(g, 12);
	/* by the leader itself, which keeps its tid */
	fw_fork(fw, 13, 30, 13);
	attach_ok(g, 13);
	attach_ok(k, 30);
	fw_exec(fw, 13);
	assert_tasks(g, 12, 13);
	assert_tasks(k, 10);
	/* the old tid is free for others at once */
	fw_fork(fw, 10, 30, 0);
	assert_tasks(k, 10, 30);
	assert_int_equal(stats_of(fw).oddities, 0);
	fw_free(fw);
}

/* A tid that comes again is another task, elsewhere. */
static void test_tid_reuse(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");

	(void)state;
	attach_ok(g, 10);
	attach_ok(k, 11);
	for (int i = 0; i < 10; i++) {
		fw_fork(fw, 10, 30, 0);
		fw_exit(fw, 30);
		fw_fork(fw, 11, 30, 11);
		fw_exit(fw, 30);
		fw_fork(fw, 12, 30, 0);
		fw_exit(fw, 30);
	}
	fw_fork(fw, 11, 30, 11);
	assert_tasks(g, 10);
	assert_tasks(k, 11, 30);
	assert_procs(k, 11);
	assert_int_equal(stats_of(fw).oddities, 0);
	fw_free(fw);
}

/* ---- lost entries ---- */

/* Whatever happens between two looks is lost. */
static void lose_all(struct fake_world *fw)
{
	fw->fail_every = 1;
}

static void lose_nothing(struct fake_world *fw)
{
	fw->fail_every = 0;
}

static void test_lost_births_and_deaths(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");

	(void)state;
	write_ok(g, "notify_on_release", "1");
	attach_ok(g, 10);
	attach_ok(k, 11);
	trace_clear(&trace);
	lose_all(fw);
	fw_fork(fw, 10, 30, 0);
	fw_fork(fw, 11, 31, 11);
	fw_exit(fw, 10);
	assert_tasks(g, 30);
	assert_tasks(k, 11, 31);
	assert_procs(k, 11);
	assert_trace(&trace, "a.fork /g 30; a.fork /k 31; a.exit /g 10; ");
	/* a tid reused by another process, unseen */
	fw_exit(fw, 30);
	fw_fork(fw, 11, 30, 0);
	assert_tasks(k, 11, 30, 31);
	assert_releases(h, "/g ");
	assert_trace(&trace, "a.exit /g 30; a.fork /k 30; ");
	/* born and dead in between: nobody ever hears of it */
	fw_fork(fw, 11, 32, 0);
	fw_exit(fw, 32);
	assert_tasks(k, 11, 30, 31);
	assert_trace(&trace, "");
	fw_exit(fw, 11);
	fw_exit(fw, 30);
	fw_exit(fw, 31);
	assert_true(cgroup_is_idle(k));
	assert_int_equal(stats_of(fw).oddities, 0);
	assert_int_equal(stats_of(fw).rebuilds, fw->n_rebuilds);
	assert_true(fw->n_rebuilds > 3);
	fw_free(fw);
}

/* A move is no birth and no death for a subsystem, though the log has lost it. */
static void test_lost_moves(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");

	(void)state;
	trace_clear(&trace);
	lose_all(fw);
	attach_ok(g, 10);
	assert_trace(&trace, "a.can_attach /g 10; a.attach /g 10 from /; ");
	attach_ok(k, 10);
	assert_trace(&trace, "a.can_attach /k 10; a.attach /k 10 from /g; ");
	assert_tasks(k, 10);
	attach_ok(root, 10);
	assert_trace(&trace, "a.can_attach / 10; a.attach / 10 from /k; ");
	assert_no_tasks(k);
	assert_reads(g, "releasable", "1\n");
	assert_reads(k, "releasable", "1\n");
	assert_int_equal(core_attach_process(g, 11, &root_cred), 0);
	assert_trace(&trace, "a.can_attach /g 11; a.attach /g 11 from /; ");
	fw_free(fw);
}

static void dies_and_tells(struct fake_world *fw, pid_t tid)
{
	lose_nothing(fw);
	fw_exit(fw, tid);
}

/* The move is lost, and the death after it is not: it dies where it was moved to, and nowhere else. */
static void test_lost_move_before_death(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");

	(void)state;
	attach_ok(k, 10);
	trace_clear(&trace);
	fw->on_moved = dies_and_tells;
	lose_all(fw);
	attach_ok(g, 10);
	assert_trace(&trace, "a.can_attach /g 10; a.exit /g 10; a.attach /g 10 from /k; ");
	lose_all(fw);
	attach_ok(g, 11);
	assert_trace(&trace, "a.can_attach /g 11; a.exit /g 11; a.attach /g 11 from /; ");
	assert_no_tasks(g);
	assert_no_tasks(k);
	assert_int_equal(stats_of(fw).csets, 1);
	fw_free(fw);
}

static void execs_and_tells(struct fake_world *fw, pid_t tid)
{
	lose_nothing(fw);
	fw_exec(fw, tid);
}

/* The same with an exec: no birth and no death but that of the leader. */
static void test_lost_move_before_exec(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");

	(void)state;
	attach_ok(k, 10);
	fw_fork(fw, 10, 30, 10);
	core_settle(fw->core);
	trace_clear(&trace);
	fw->on_moved = execs_and_tells;
	lose_all(fw);
	attach_ok(g, 30);
	assert_trace(&trace, "a.can_attach /g 30; a.exit /k 10; a.attach /g 30 from /k; ");
	assert_tasks(g, 10);
	assert_no_tasks(k);
	fw_free(fw);
}

/* Some of the entries are there, and others are not. */
static void test_lost_some(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");

	(void)state;
	attach_ok(g, 10);
	attach_ok(k, 11);
	fw_fork(fw, 10, 30, 10);
	fw_fork(fw, 10, 31, 10);
	core_settle(fw->core);
	trace_clear(&trace);
	/* the leader's death is lost, the exec is not */
	lose_all(fw);
	fw_exit(fw, 10);
	lose_nothing(fw);
	fw_exec(fw, 30);
	assert_tasks(g, 10);
	assert_int_equal(strlen(trace.text), strlen("a.exit /g 10; a.exit /g 31; "));
	trace_clear(&trace);
	/* the exec is lost, the death is not */
	fw_fork(fw, 10, 30, 10);
	core_settle(fw->core);
	trace_clear(&trace);
	fw_exit(fw, 10);
	lose_all(fw);
	fw_exec(fw, 30);
	lose_nothing(fw);
	assert_tasks(g, 10);
	/* one task is left of two: one call, whichever name it has */
	assert_int_equal(strlen(trace.text) > 0, 1);
	trace_clear(&trace);
	/* a birth is lost, and then its death is told */
	lose_all(fw);
	fw_fork(fw, 11, 32, 0);
	lose_nothing(fw);
	fw_exit(fw, 32);
	assert_tasks(k, 11);
	/* a death is lost, and then the tid's next birth is told */
	fw_fork(fw, 11, 32, 0);
	core_settle(fw->core);
	lose_all(fw);
	fw_exit(fw, 32);
	lose_nothing(fw);
	fw_fork(fw, 10, 32, 0);
	assert_tasks(k, 11);
	assert_tasks(g, 10, 32);
	fw_free(fw);
}

/* The world does not stand still while the lists are rebuilt. */
static struct cgroup *rebuild_from, *rebuild_to;

static void change_in_rebuild(struct fake_world *fw, pid_t tid)
{
	switch (tid) {
	case 11: /* one that was named dies, one that was not yet forks */
		fw_exit(fw, 11);
		fw_fork(fw, 14, 8, 0);
		fw_fork(fw, 14, 40, 0);
		break;
	case 12: /* born and dead behind the walk's back; a tid changes */
		fw_fork(fw, 12, 9, 0);
		fw_exit(fw, 9);
		fw_exec(fw, 50);
		break;
	case 14: /* a tid that was named is another task now */
		fw_exit(fw, 12);
		fw_fork(fw, 14, 12, 0);
		fw->on_rebuild = NULL;
		break;
	}
}

static void test_changes_in_rebuild(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw;

	(void)state;
	for (int losing = 0; losing < 2; losing++) {
		fw = world(&h);
		rebuild_from = mkdir_ok(hierarchy_root(h), "from");
		rebuild_to = mkdir_ok(hierarchy_root(h), "to");
		for (pid_t tid = 10; tid < 14; tid++)
			attach_ok(rebuild_from, tid);
		attach_ok(rebuild_to, 14);
		fw_fork(fw, 13, 50, 13);
		core_settle(fw->core);
		trace_clear(&trace);
		fw->on_rebuild = change_in_rebuild;
		lose_all(fw);
		fw_fork(fw, 10, 30, 0);
		if (!losing)
			lose_nothing(fw);
		assert_tasks(rebuild_from, 10, 13, 30);
		assert_tasks(rebuild_to, 8, 12, 14, 40);
		assert_int_equal(stats_of(fw).member_tasks, 7);
		/* a subsystem that counts ends with the right number of each */
		lose_nothing(fw);
		for (pid_t tid = 1; tid < 60; tid++)
			if (fw_task(fw, tid)->state == FW_ALIVE)
				fw_exit(fw, tid);
		assert_no_tasks(rebuild_from);
		assert_no_tasks(rebuild_to);
		assert_int_equal(stats_of(fw).csets, 1);
		assert_int_equal(stats_of(fw).oddities, 0);
		fw_free(fw);
	}
}

/* A rebuild while an exit and a fork stand in the middle. */
static void test_rebuild_under_way(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	write_ok(g, "notify_on_release", "1");
	attach_ok(g, 10);
	attach_ok(g, 11);
	fw_fork_begin(fw, 10, 30, 0);
	fw_exit_begin(fw, 11);
	lose_all(fw);
	fw_exit(fw, 10);
	lose_nothing(fw);
	core_settle(fw->core);
	assert_true(fw->n_rebuilds == 1);
	/* both are still counted there */
	assert_releases(h, "");
	assert_false(cgroup_is_idle(g));
	fw_exit_end(fw, 11);
	assert_releases(h, "");
	fw_fork_end(fw, 30);
	assert_tasks(g, 30);
	fw_exit(fw, 30);
	assert_releases(h, "/g ");
	assert_int_equal(stats_of(fw).oddities, 0);
	fw_free(fw);
}

/* A rebuild while an exec has changed a tid and not yet said so. */
static void test_rebuild_in_exec(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	write_ok(g, "notify_on_release", "1");
	attach_ok(g, 10);
	fw_fork(fw, 10, 30, 10);
	core_settle(fw->core);
	trace_clear(&trace);
	lose_all(fw);
	fw_exec_begin(fw, 30);
	lose_nothing(fw);
	core_settle(fw->core);
	assert_int_equal(fw->n_rebuilds, 1);
	assert_releases(h, "");
	fw_exec_end(fw, 10);
	assert_tasks(g, 10);
	assert_trace(&trace, "a.exit /g 10; ");
	fw_exit(fw, 10);
	assert_releases(h, "/g ");
	assert_int_equal(stats_of(fw).oddities, 0);
	fw_free(fw);
}

static void test_small_ring(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	write_ok(g, "notify_on_release", "1");
	attach_ok(g, 10);
	fw->ring_size = 4;
	for (pid_t tid = 100; tid < 1100; tid++)
		fw_fork(fw, 10, tid, tid % 2 ? 0 : tid - 1);
	assert_int_equal(cgroup_task_count(g), 1001);
	for (pid_t tid = 100; tid < 1100; tid += 2)
		fw_exit(fw, tid);
	assert_int_equal(cgroup_task_count(g), 501);
	for (pid_t tid = 101; tid < 1100; tid += 2)
		fw_exit(fw, tid);
	fw_exit(fw, 10);
	assert_releases(h, "/g ");
	assert_int_equal(fw->n_rebuilds, 3);
	fw_free(fw);
}

/* Entries that fit nothing are counted and said, and the lists go by the last word. */
static void test_oddities(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");
	uint32_t id;
	uint64_t n = 0;

	(void)state;
	attach_ok(g, 10);
	id = fw_task(fw, 10)->place.cset;
	core_task_died(fw->core, 77, id);
	assert_int_equal(stats_of(fw).oddities, ++n);
	core_task_born(fw->core, 77, 77, 200);
	assert_int_equal(stats_of(fw).oddities, ++n);
	core_task_born(fw->core, 10, 10, id);
	assert_int_equal(stats_of(fw).oddities, ++n);
	core_task_moved(fw->core, 11, 11, id, CSET_INITIAL);
	assert_int_equal(stats_of(fw).oddities, ++n);
	core_task_retid(fw->core, 78, 79, 200);
	assert_int_equal(stats_of(fw).oddities, ++n);
	assert_int_equal(fw->n_messages, n);
	assert_tasks(g, 10);
	assert_int_equal(stats_of(fw).member_tasks, 1);
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_tid_reuse),
		cmocka_unit_test(test_lost_births_and_deaths),
		cmocka_unit_test(test_lost_moves),
		cmocka_unit_test(test_lost_move_before_death),
		cmocka_unit_test(test_lost_move_before_exec),
		cmocka_unit_test(test_lost_some),
		cmocka_unit_test(test_changes_in_rebuild),
		cmocka_unit_test(test_rebuild_under_way),
		cmocka_unit_test(test_rebuild_in_exec),
		cmocka_unit_test(test_small_ring),
		cmocka_unit_test(test_oddities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
