// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_attach_process.c - moving whole processes, all of their threads or none, while threads are born
 * and die.
 */
#include "helpers.h"

static struct trace trace;
static struct fake_subsys a;

static struct fake_world *world(struct hierarchy **h, const char *opts)
{
	return two_processes(&a, &trace, opts, h);
}

static int hook_budget;

static void test_process(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");

	(void)state;
	attach_ok(g, 12); /* there already */
	trace_clear(&trace);
	assert_int_equal(core_attach_process(g, 11, &root_cred), 0); /* by any of its threads */
	assert_tasks(g, 10, 11, 12, 13);
	assert_procs(g, 10);
	assert_tasks(root, 20);
	/* all are asked before the first is moved and told */
	assert_trace(&trace, "a.can_attach /g 10; a.can_attach /g 11; a.can_attach /g 13; "
			     "a.attach /g 10 from /; a.attach /g 11 from /; "
			     "a.attach /g 13 from /; ");
	assert_int_equal(core_attach_process(g, 10, &root_cred), 0);
	assert_trace(&trace, "");
	fw_free(fw);
}

static void test_process_from_many(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *x = mkdir_ok(root, "x"),
		      *y = mkdir_ok(root, "y");

	(void)state;
	write_ok(x, "notify_on_release", "1");
	write_ok(y, "notify_on_release", "1");
	attach_ok(y, 10);
	attach_ok(x, 11);
	attach_ok(x, 12);
	trace_clear(&trace);
	assert_int_equal(core_attach_process(g, 10, &root_cred), 0);
	assert_trace(&trace, "a.can_attach /g 10; a.can_attach /g 11; a.can_attach /g 12; "
			     "a.can_attach /g 13; a.attach /g 10 from /y; a.attach /g 11 from /x; "
			     "a.attach /g 12 from /x; a.attach /g 13 from /; ");
	assert_releases(h, "/y /x ");
	assert_reads(x, "releasable", "1\n");
	assert_reads(g, "releasable", "0\n");
	fw_free(fw);
}

static void test_process_refused(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *x = mkdir_ok(root, "x");

	(void)state;
	attach_ok(x, 11);
	attach_ok(g, 12);
	write_ok(x, "notify_on_release", "1");
	trace_clear(&trace);
	a.can_attach_err = -ENOSPC;
	a.can_attach_err_tid = 13;
	assert_int_equal(core_attach_process(g, 10, &root_cred), -ENOSPC);
	assert_trace(&trace, "a.can_attach /g 10; a.can_attach /g 11; a.can_attach /g 13; "
			     "a.cancel_attach /g 10; a.cancel_attach /g 11; ");
	assert_tasks(root, 10, 13, 20);
	assert_tasks(x, 11);
	assert_tasks(g, 12);
	assert_reads(x, "releasable", "0\n");
	assert_releases(h, "");
	fw_free(fw);
}

/* Each listing of the threads finds them with one more on its way. */
static void fork_on_threads(struct fake_world *fw, pid_t tgid)
{
	pid_t maker = 10 + hook_budget % 4;

	if (tgid != 10 || hook_budget <= 0)
		return;
	hook_budget--;
	fw_fork_begin(fw, maker, 100 + hook_budget, 10);
}

static void test_process_with_births(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");

	(void)state;
	for (int n = 1; n < 6; n++) {
		fw->on_threads = fork_on_threads;
		hook_budget = n;
		trace_clear(&trace);
		assert_int_equal(core_attach_process(n % 2 ? g : root, 10, &root_cred), 0);
		fw->on_threads = NULL;
		fw_finish_all(fw);
		/* every one of them, births included */
		assert_procs(n % 2 ? root : g, 20);
		assert_procs(n % 2 ? g : root, 10);
		assert_int_equal(cgroup_task_count(n % 2 ? g : root), 4 + n);
		for (int i = 0; i < n; i++)
			fw_exit(fw, 100 + i);
		attach_ok(n % 2 ? g : root, 20);
	}
	fw_free(fw);
}

/* ---- births that the log has told of and nobody has read yet ---- */

static int (*real_threads)(void *arg, struct core_process process, struct core_thread **threads,
			   size_t *n);
static int (*real_task_info)(void *arg, pid_t tid, struct core_task_info *info);
static struct cgroup *left_by_112;

static int born_before_threads(void *arg, struct core_process process, struct core_thread **threads,
			       size_t *n)
{
	struct fake_world *fw = arg;

	if (fw_task(fw, 112)->state == FW_FREE)
		fw_fork(fw, 10, 112, 10);
	return real_threads(arg, process, threads, n);
}

static int born_before_task_info(void *arg, pid_t tid, struct core_task_info *info)
{
	struct fake_world *fw = arg;

	if (tid == 112 && fw_task(fw, 112)->state == FW_FREE)
		fw_fork(fw, 10, 112, 10);
	return real_task_info(arg, tid, info);
}

static void see_what_112_leaves(struct fake_subsys *fs, struct cgroup *cgrp, pid_t tid)
{
	const struct cgroup_task task = {.tid = tid};

	(void)cgrp;
	if (tid == 112)
		left_by_112 = task_cgroup(&task, &fs->ss);
}

/* A subsystem that asks where a task is that it is to let in is told the truth. */
static void test_can_attach_knows_newborn(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *x = mkdir_ok(root, "x");

	(void)state;
	real_threads = fw->ops.threads;
	real_task_info = fw->ops.task_info;
	a.in_can_attach = see_what_112_leaves;
	for (int process = 0; process < 2; process++) {
		assert_int_equal(core_attach_process(g, 10, &root_cred), 0);
		left_by_112 = NULL;
		if (process) {
			fw->ops.threads = born_before_threads;
			assert_int_equal(core_attach_process(x, 10, &root_cred), 0);
		} else {
			fw->ops.task_info = born_before_task_info;
			assert_int_equal(core_attach_task(x, 112, &root_cred), 0);
		}
		fw->ops.threads = real_threads;
		fw->ops.task_info = real_task_info;
		assert_ptr_equal(left_by_112, g);
		fw_exit(fw, 112);
	}
	a.in_can_attach = NULL;
	fw_free(fw);
}

static void fork_on_first_move(struct fake_world *fw, pid_t tid)
{
	(void)tid;
	if (hook_budget-- <= 0)
		return;
	/* by one that was moved, and by one that was not yet */
	fw_fork(fw, 10, 110, 10);
	fw_fork(fw, 13, 113, 10);
}

/* A later pass is refused: everybody goes back, those born in the new group meanwhile too. */
static void test_process_refused_late(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *x = mkdir_ok(root, "x");

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct cgroup *from = round ? x : root;

		a.can_attach_err = 0;
		assert_int_equal(core_attach_process(from, 10, &root_cred), 0);
		attach_ok(from, 20);
		attach_ok(g, 12);
		trace_clear(&trace);
		fw->on_moved = fork_on_first_move; /* after 10 was moved */
		hook_budget = 1;
		a.can_attach_err = -ENOSPC;
		a.can_attach_err_tid = 113;
		assert_int_equal(core_attach_process(g, 10, &root_cred), -ENOSPC);
		fw->on_moved = NULL;
		assert_trace(&trace, "a.can_attach /g 10; a.can_attach /g 11; a.can_attach /g 13; "
				     "a.can_attach /g 113; a.cancel_attach /g 10; "
				     "a.cancel_attach /g 11; a.cancel_attach /g 13; ");
		assert_tasks(g, 12);
		assert_tasks(from, 10, 11, 13, 20, 110, 113);
		fw_exit(fw, 110);
		fw_exit(fw, 113);
	}
	fw_free(fw);
}

static int asked_again;

static int threads_not_now(void *arg, struct core_process process, struct core_thread **threads,
			   size_t *n)
{
	return asked_again++ % 2 ? real_threads(arg, process, threads, n) : -EAGAIN;
}

/* An old leader is on its way out whenever the threads are listed: then they are listed again. */
static void test_threads_not_now(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");

	(void)state;
	real_threads = fw->ops.threads;
	fw->ops.threads = threads_not_now;
	fw->on_moved = fork_on_first_move;
	hook_budget = 1;
	a.can_attach_err = -ENOSPC;
	a.can_attach_err_tid = 113;
	assert_int_equal(core_attach_process(g, 10, &root_cred), -ENOSPC);
	fw->on_moved = NULL;
	assert_no_tasks(g);
	a.can_attach_err = 0;
	assert_int_equal(core_attach_process(g, 10, &root_cred), 0);
	assert_tasks(root, 20);
	assert_tasks(g, 10, 11, 12, 13, 110, 113);
	/* and never: whoever asks is to come back */
	for (pid_t tid = 10; tid < 14; tid++)
		fw_exit(fw, tid);
	asked_again = 1 << 20;
	fw_exit(fw, 110);
	fw_exit(fw, 113);
	assert_int_equal(core_attach_process(g, 10, &root_cred), -ERESTART);
	assert_int_equal(core_attach_process(g, 10, &root_cred), -ESRCH);
	fw_free(fw);
}

static void exit_13_on_threads(struct fake_world *fw, pid_t tgid)
{
	if (tgid == 10 && fw_task(fw, 13)->state == FW_ALIVE)
		fw_exit(fw, 13);
}

static void test_process_with_deaths(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	trace_clear(&trace);
	fw->on_threads = exit_13_on_threads;
	assert_int_equal(core_attach_process(g, 10, &root_cred), 0);
	assert_tasks(g, 10, 11, 12);
	assert_trace(&trace, "a.can_attach /g 10; a.can_attach /g 11; a.can_attach /g 12; "
			     "a.can_attach /g 13; a.attach /g 10 from /; a.attach /g 11 from /; "
			     "a.attach /g 12 from /; a.cancel_attach /g 13; ");
	/* the leader dead, its threads live on: the process is still called by its tgid */
	fw_exit(fw, 10);
	assert_procs(g, 10);
	trace_clear(&trace);
	assert_int_equal(core_attach_process(hierarchy_root(h), 10, &root_cred), 0);
	assert_tasks(hierarchy_root(h), 11, 12, 20);
	assert_int_equal(core_attach_task(g, 10, &root_cred), -ESRCH);
	fw_exit(fw, 11);
	fw_exit(fw, 12);
	assert_int_equal(core_attach_process(g, 10, &root_cred), -ESRCH);
	fw_free(fw);
}

static void unborn_on_moved(struct fake_world *fw, pid_t tid)
{
	if (tid == 11 && hook_budget-- > 0)
		fw_fork_begin(fw, 11, 110, 10);
}

static bool unborn_was_asked_for;

static void born_after_a_while(struct fake_world *fw)
{
	unborn_was_asked_for = true;
	if (fw->n_pauses > 1000)
		fw_finish_all(fw);
}

/*
 * One is being born when others have been moved already: nobody is to see half a process, so that is
 * waited for; and if it is in vain, all go back.
 */
static void test_process_halfway(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");

	(void)state;
	fw->tid_end = 200;
	fw->on_moved = unborn_on_moved;
	fw->on_pause = born_after_a_while;
	hook_budget = 1;
	unborn_was_asked_for = false;
	assert_int_equal(core_attach_process(g, 10, &root_cred), 0);
	assert_true(unborn_was_asked_for);
	assert_tasks(g, 10, 11, 12, 13, 110);
	fw_exit(fw, 110);
	assert_int_equal(core_attach_process(root, 10, &root_cred), 0);
	trace_clear(&trace);
	fw->on_pause = wait_in_vain;
	hook_budget = 1;
	assert_int_equal(core_attach_process(g, 10, &root_cred), -ERESTART);
	assert_trace(&trace, "a.can_attach /g 10; a.can_attach /g 11; a.can_attach /g 12; "
			     "a.can_attach /g 13; a.cancel_attach /g 10; a.cancel_attach /g 11; "
			     "a.cancel_attach /g 12; a.cancel_attach /g 13; ");
	assert_no_tasks(g);
	assert_tasks(root, 10, 11, 12, 13, 20);
	fw_finish_all(fw);
	assert_int_equal(core_attach_process(g, 10, &root_cred), 0);
	assert_tasks(g, 10, 11, 12, 13, 110);
	fw_free(fw);
}

static void reuse_on_moved(struct fake_world *fw, pid_t tid)
{
	if (hook_budget-- <= 0)
		return;
	fw_exit(fw, tid);
	if (hook_budget)
		fw_spawn(fw, tid, tid);
	else
		fw_fork(fw, 10, tid, 10); /* as a thread of somebody else */
}

/* It dies, and its number is given to others: they are not the ones who were asked for. */
static void test_process_number_reused(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");

	(void)state;
	for (int budget = 2; budget > 0; budget--) {
		fw->on_moved = reuse_on_moved;
		hook_budget = budget;
		assert_int_equal(core_attach_process(g, 20, &root_cred), 0);
		fw->on_moved = NULL;
		assert_no_tasks(g);
		assert_tasks(root, 10, 11, 12, 13, 20);
	}
	fw_free(fw);
}

static void all_die_on_move(struct fake_world *fw, pid_t tid)
{
	(void)tid;
	for (pid_t t = 10; t < 14; t++)
		if (fw_task(fw, t)->state == FW_ALIVE)
			fw_exit(fw, t);
}

static void test_process_dies(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, "a");
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	write_ok(g, "notify_on_release", "1");
	trace_clear(&trace);
	fw->on_move = all_die_on_move;
	assert_int_equal(core_attach_process(g, 10, &root_cred), -ESRCH);
	assert_trace(&trace, "a.can_attach /g 10; a.can_attach /g 11; a.can_attach /g 12; "
			     "a.can_attach /g 13; a.cancel_attach /g 10; a.cancel_attach /g 11; "
			     "a.cancel_attach /g 12; a.cancel_attach /g 13; ");
	assert_no_tasks(g);
	assert_releases(h, "");
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_process_from_many),
		cmocka_unit_test(test_process_refused),
		cmocka_unit_test(test_process_with_births),
		cmocka_unit_test(test_can_attach_knows_newborn),
		cmocka_unit_test(test_process_refused_late),
		cmocka_unit_test(test_threads_not_now),
		cmocka_unit_test(test_process_with_deaths),
		cmocka_unit_test(test_process_dies),
		cmocka_unit_test(test_process_halfway),
		cmocka_unit_test(test_process_number_reused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
