// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_attach.c - moving tasks, one thread at a time: who may, and the world changing under the mover's
 * hands.
 */
#include "helpers.h"

static struct trace trace;
static struct fake_subsys a;

static struct fake_world *world(struct hierarchy **h, const char *opts)
{
	return two_processes(&a, &trace, opts, h);
}

static uint32_t cset_of(struct fake_world *fw, pid_t tid)
{
	return fw_task(fw, tid)->place.cset;
}

static size_t n_csets(struct fake_world *fw)
{
	struct core_stats stats;

	core_settle(fw->core);
	core_get_stats(fw->core, &stats);
	return stats.csets;
}

static void test_thread(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "name=h");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *found;

	(void)state;
	assert_tasks(root, 10, 11, 12, 13, 20);
	attach_ok(g, 11);
	assert_tasks(g, 11);
	assert_procs(g, 10);
	assert_tasks(root, 10, 12, 13, 20);
	assert_procs(root, 10, 20);
	assert_int_equal(core_task_cgroup(fw->core, 11, h, &found), 0);
	assert_ptr_equal(found, g);
	assert_int_equal(core_task_cgroup(fw->core, 10, h, &found), 0);
	assert_ptr_equal(found, root);
	assert_int_equal(core_task_cgroup(fw->core, 99, h, &found), -ESRCH);
	attach_ok(g, 10);
	attach_ok(root, 11);
	assert_tasks(g, 10);
	assert_int_equal(fw->n_moves, 3);
	/* already there: success, and nothing happens */
	attach_ok(g, 10);
	attach_ok(root, 11);
	attach_ok(root, 20);
	assert_int_equal(fw->n_moves, 3);
	fw_free(fw);
}

static void test_lattice(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "name=h");
	struct hierarchy *i = mount_ok(fw, "name=i");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g"), *k = mkdir_ok(hierarchy_root(i), "k");

	(void)state;
	assert_int_equal(n_csets(fw), 1);
	attach_ok(g, 10);
	attach_ok(g, 11);
	assert_int_equal(cset_of(fw, 10), cset_of(fw, 11));
	assert_int_equal(n_csets(fw), 2);
	attach_ok(k, 11);
	assert_int_not_equal(cset_of(fw, 10), cset_of(fw, 11));
	attach_ok(k, 10);
	assert_int_equal(cset_of(fw, 10), cset_of(fw, 11));
	assert_int_equal(n_csets(fw), 2);
	/* reached the other way round, it is the same */
	attach_ok(k, 20);
	attach_ok(g, 20);
	assert_int_equal(cset_of(fw, 20), cset_of(fw, 10));
	assert_tasks(g, 10, 11, 20);
	assert_tasks(k, 10, 11, 20);
	attach_ok(hierarchy_root(h), 20);
	attach_ok(hierarchy_root(i), 20);
	assert_int_equal(cset_of(fw, 20), CSET_INITIAL);
	fw_exit(fw, 10);
	fw_exit(fw, 11);
	assert_int_equal(n_csets(fw), 1);
	fw_free(fw);
}

/* Ids come back, and are never in use twice. */
static void test_cset_ids(void **state)
{
	struct fake_world *fw = fw_new(6); /* 0, the initial one, and four more */
	struct hierarchy *h = mount_ok(fw, "name=h");
	struct cgroup *g[6];
	char name[16];

	(void)state;
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		g[i] = mkdir_ok(hierarchy_root(h), name);
		fw_spawn(fw, 10 + i, 10 + i);
	}
	for (int round = 0; round < 20; round++) {
		int at = round % 4;

		for (int i = 0; i < 4; i++)
			attach_ok(g[i], 10 + i);
		/* no id is left: refused, and nothing has changed */
		assert_int_equal(core_attach_task(g[4], 14, &root_cred), -ENOMEM);
		assert_no_tasks(g[4]);
		assert_int_equal(cset_of(fw, 14), CSET_INITIAL);
		/* one with an id takes more */
		attach_ok(g[at], 14);
		assert_tasks(g[at], 10 + at, 14);
		attach_ok(hierarchy_root(h), 14);
		/* a fork under way keeps its id taken */
		fw_fork_begin(fw, 10 + at, 20, 0);
		attach_ok(hierarchy_root(h), 10 + at);
		assert_int_equal(core_attach_task(g[5], 15, &root_cred), -ENOMEM);
		fw_fork_end(fw, 20);
		assert_tasks(g[at], 20);
		fw_exit(fw, 20);
		attach_ok(g[5], 15);
		attach_ok(hierarchy_root(h), 15);
	}
	fw_free(fw);
}

static void test_permission(void **state)
{
	static const struct {
		uid_t euid, uid, suid;
		int err;
	} cases[] = {
		{0, 0, 0, 0},
		{0, 1000, 1001, 0},
		{1000, 1000, 1000, 0},
		{1000, 1000, 0, 0},
		{1000, 0, 1000, 0},
		{1000, 0, 0, -EACCES},
		{1000, 1001, 1002, -EACCES},
		{1000, 0, 1001, -EACCES},
	};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");

	(void)state;
	trace_clear(&trace);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct core_cred cred = {.euid = cases[i].euid};

		fw_task(fw, 20)->uid = fw_task(fw, 10)->uid = cases[i].uid;
		fw_task(fw, 20)->suid = fw_task(fw, 10)->suid = cases[i].suid;
		assert_int_equal(core_attach_task(g, 20, &cred), cases[i].err);
		assert_int_equal(core_attach_process(g, 10, &cred), cases[i].err);
		if (cases[i].err) {
			assert_no_tasks(g);
			/* no subsystem was asked */
			assert_trace(&trace, "");
			/* refused also where it is: not a way to ask whether it exists */
			assert_int_equal(core_attach_task(root, 20, &cred), cases[i].err);
		} else {
			assert_tasks(g, 10, 11, 12, 13, 20);
			attach_ok(root, 20);
			assert_int_equal(core_attach_process(root, 10, &root_cred), 0);
			trace_clear(&trace);
		}
	}
	fw_free(fw);
}

/* A process is its leader's, also when another thread was named and has other ids. */
static void test_permission_of_process(void **state)
{
	const struct core_cred cred = {.euid = 1000};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	fw_task(fw, 11)->uid = 1000;
	assert_int_equal(core_attach_process(g, 11, &cred), -EACCES);
	assert_no_tasks(g);
	assert_int_equal(core_attach_task(g, 11, &cred), 0);
	assert_tasks(g, 11);
	fw_task(fw, 11)->uid = 0;
	fw_task(fw, 10)->uid = 1000;
	assert_int_equal(core_attach_process(g, 11, &cred), 0);
	assert_tasks(g, 10, 11, 12, 13);
	assert_int_equal(core_attach_task(g, 11, &cred), -EACCES);
	fw_free(fw);
}

static void test_bad_targets(void **state)
{
	static const pid_t nobody[] = {-1, 99, CORE_MAX_TID, INT_MAX, 14};
	const struct core_cred self = {.tid = 20, .euid = 0}, unknown = {.euid = 0};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");

	(void)state;
	trace_clear(&trace);
	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		assert_int_equal(core_attach_task(g, nobody[i], &root_cred), -ESRCH);
		assert_int_equal(core_attach_process(g, nobody[i], &root_cred), -ESRCH);
	}
	/* 0 is the writer, if it is known */
	assert_int_equal(core_attach_task(g, 0, &unknown), -ESRCH);
	assert_int_equal(core_attach_process(g, 0, &unknown), -ESRCH);
	assert_trace(&trace, "");
	assert_int_equal(core_attach_task(g, 0, &self), 0);
	assert_tasks(g, 20);
	attach_ok(root, 20);
	assert_int_equal(write_as(g, "tasks", "0\n", 2, &self), 2);
	assert_tasks(g, 20);
	attach_ok(root, 20);
	assert_int_equal(write_as(g, "cgroup.procs", "0x0", 3, &self), 3);
	assert_tasks(g, 20);

	fw_exit_begin(fw, 13);
	assert_int_equal(core_attach_task(g, 13, &root_cred), -ESRCH);
	fw_exit_end(fw, 13);
	assert_int_equal(core_attach_task(g, 13, &root_cred), -ESRCH);
	/* a kernel thread that cannot be moved; looked up before permission is judged */
	fw_task(fw, 12)->kthread = true;
	assert_int_equal(core_attach_task(g, 12, &root_cred), -EINVAL);
	assert_int_equal(core_attach_task(g, 12, &user_cred), -EINVAL);
	assert_tasks(root, 10, 11, 12);
	fw_free(fw);
}

/* ---- one thread, and a world that moves ---- */

static int hook_budget;

static void exit_on_move(struct fake_world *fw, pid_t tid)
{
	if (hook_budget-- > 0)
		fw_exit(fw, tid);
}

static void test_dies_before_move(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");

	(void)state;
	trace_clear(&trace);
	fw->on_move = exit_on_move;
	hook_budget = 1;
	assert_int_equal(core_attach_task(g, 20, &root_cred), -ESRCH);
	assert_trace(&trace, "a.can_attach /g 20; a.cancel_attach /g 20; ");
	assert_no_tasks(g);
	assert_int_equal(n_csets(fw), 1);
	fw_free(fw);
}

/* It dies right after: the move was made, and the group is left again. */
static void test_dies_after_move(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	write_ok(g, "notify_on_release", "1");
	trace_clear(&trace);
	fw->on_moved = exit_on_move;
	hook_budget = 1;
	assert_int_equal(core_attach_task(g, 20, &root_cred), 0);
	assert_trace(&trace, "a.can_attach /g 20; a.attach /g 20 from /; ");
	assert_no_tasks(g);
	assert_releases(h, "/g ");
	assert_reads(g, "releasable", "1\n");
	fw_free(fw);
}

static void bump_on_move(struct fake_world *fw, pid_t tid)
{
	/* as when the thread's tid changes hands and back: the same place, another generation */
	if (hook_budget-- > 0)
		fw_task(fw, tid)->place.gen++;
}

static void test_generation_changes(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	trace_clear(&trace);
	fw->on_move = bump_on_move;
	hook_budget = 5;
	attach_ok(g, 20);
	assert_tasks(g, 20);
	/* asked once, told once */
	assert_trace(&trace, "a.can_attach /g 20; a.attach /g 20 from /; ");
	fw_free(fw);
}

/* A task being born is placed by its fork hook alone; a mover waits for that. */
static void test_unborn(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"),
		      *g2 = mkdir_ok(root, "g2");
	struct cgroup *found;

	(void)state;
	attach_ok(g, 20);
	fw_fork_begin(fw, 20, 21, 0);
	attach_ok(g2, 21);
	assert_tasks(g, 20);
	assert_tasks(g2, 21);
	assert_true(fw->n_pauses > 0);
	fw_fork_begin(fw, 20, 22, 0);
	assert_int_equal(core_task_cgroup(fw->core, 22, h, &found), 0);
	assert_ptr_equal(found, g);
	/* born in its maker's group even if that has left it meanwhile */
	fw_fork_begin(fw, 20, 23, 0);
	attach_ok(root, 20);
	fw_fork_end(fw, 23);
	assert_tasks(g, 22, 23);
	fw_free(fw);
}

static void undo_on_pause(struct fake_world *fw)
{
	if (fw_task(fw, 21)->state == FW_UNBORN)
		fw_fork_undo(fw, 21);
}

static void test_never_born(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g"),
		      *g2 = mkdir_ok(hierarchy_root(h), "g2");

	(void)state;
	attach_ok(g, 20);
	fw->on_pause = undo_on_pause;
	fw_fork_begin(fw, 20, 21, 0);
	assert_int_equal(core_attach_task(g2, 21, &root_cred), -ESRCH);
	assert_no_tasks(g2);
	fw_fork_begin(fw, 20, 21, 0);
	assert_int_equal(core_attach_process(g2, 21, &root_cred), -ESRCH);
	assert_tasks(g, 20);
	fw_free(fw);
}

/* The maker waits for a CPU: whoever asks is to come back, soon, and nothing has changed. */
static void test_birth_takes_long(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *found;
	unsigned int n_finish_exec;

	(void)state;
	trace_clear(&trace);
	fw->on_pause = wait_in_vain;
	fw_fork_begin(fw, 20, 21, 0);
	fw_fork_begin(fw, 10, 30, 10);
	assert_int_equal(core_attach_task(g, 21, &root_cred), -ERESTART);
	assert_int_equal(core_attach_process(g, 21, &root_cred), -ERESTART);
	assert_int_equal(core_attach_process(g, 10, &root_cred), -ERESTART);
	n_finish_exec = fw->n_finish_exec;
	assert_int_equal(core_attach_process(g, 30, &root_cred), -ERESTART);
	assert_int_equal(fw->n_finish_exec, n_finish_exec); /* only a leader can be in an exec */
	assert_int_equal(write_text(g, "cgroup.procs", "10"), -ERESTART);
	assert_true(fw->n_pauses < 200);
	assert_int_equal(fw->n_moves, 0);
	assert_trace(&trace, ""); /* no subsystem was asked */
	assert_no_tasks(g);
	/* a view does not wait: nobody has been told of it yet */
	assert_int_equal(core_task_cgroup(fw->core, 21, h, &found), -ESRCH);
	/* the threads that are there can be moved one by one */
	attach_ok(g, 11);
	attach_ok(root, 11);
	fw_finish_all(fw);
	attach_ok(g, 21);
	assert_int_equal(core_attach_process(g, 10, &root_cred), 0);
	assert_tasks(g, 10, 11, 12, 13, 21, 30);
	fw_free(fw);
}

static void bump_on_each_move(struct fake_world *fw, pid_t tid)
{
	fw_task(fw, tid)->place.gen++;
}

/* One that has another place each time: not for ever either. */
static void test_never_still(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	trace_clear(&trace);
	fw->on_move = bump_on_each_move;
	assert_int_equal(core_attach_task(g, 20, &root_cred), -ERESTART);
	assert_trace(&trace, "a.can_attach /g 20; a.cancel_attach /g 20; ");
	assert_int_equal(n_csets(fw), 1);
	fw_free(fw);
}

/* An exec has changed the tid and takes its time: it is not waited for. */
static void test_exec_takes_long(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");
	struct cgroup *found;

	(void)state;
	fw->on_pause = wait_in_vain;
	attach_ok(g, 12);
	trace_clear(&trace);
	fw_exec_begin(fw, 12);
	attach_ok(k, 10);
	assert_trace(&trace, "a.can_attach /k 10; a.attach /k 10 from /g; ");
	assert_tasks(k, 10);
	assert_no_tasks(g);
	assert_int_equal(fw->n_finish_exec, 1);
	/* as a process; and out of no group at all */
	fw_fork(fw, 10, 30, 10);
	fw_exec_begin(fw, 30);
	assert_int_equal(core_attach_process(root, 10, &root_cred), 0);
	assert_tasks(root, 10, 20);
	fw_fork(fw, 10, 31, 10);
	fw_exec_begin(fw, 31);
	assert_int_equal(core_attach_process(g, 10, &root_cred), 0);
	assert_tasks(g, 10);
	fw_fork(fw, 10, 32, 10);
	fw_exec_begin(fw, 32);
	assert_int_equal(core_task_cgroup(fw->core, 10, h, &found), 0);
	assert_ptr_equal(found, g);
	/* a subsystem that empties a group finds it by the tid it is listed with */
	fw_fork(fw, 10, 33, 10);
	fw_exec_begin(fw, 33);
	assert_int_equal(cgroup_transfer_tasks(k, g), 0);
	assert_tasks(k, 10);
	assert_no_tasks(g);
	/* one that is on its way out and takes long: not for ever */
	fw->tid_end = 100;
	fw_exit_begin(fw, 10);
	assert_int_equal(cgroup_transfer_tasks(g, k), -ERESTART);
	fw_exit_end(fw, 10);
	assert_int_equal(cgroup_transfer_tasks(g, k), 0);
	/* once the exec is over nothing is left of it */
	assert_no_tasks(k);
	assert_int_equal(n_csets(fw), 1);
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_lattice),
		cmocka_unit_test(test_cset_ids),
		cmocka_unit_test(test_permission),
		cmocka_unit_test(test_permission_of_process),
		cmocka_unit_test(test_bad_targets),
		cmocka_unit_test(test_dies_before_move),
		cmocka_unit_test(test_dies_after_move),
		cmocka_unit_test(test_generation_changes),
		cmocka_unit_test(test_unborn),
		cmocka_unit_test(test_never_born),
		cmocka_unit_test(test_birth_takes_long),
		cmocka_unit_test(test_never_still),
		cmocka_unit_test(test_exec_takes_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
