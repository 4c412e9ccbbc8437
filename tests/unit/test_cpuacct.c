// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_cpuacct.c - cpuacct in a made-up world: whose time it is, however tasks come, go and die.
 */
#include <subsys/builtin.h>

#include "helpers.h"

#define N_TIDS 256
#define MS 1000000ull

/* What each task has used since it began, in ms; a quarter of it in the kernel. */
static uint64_t used_ms[N_TIDS];
static bool dead[N_TIDS];
static bool wants_cputime, wants_tick;
/* Told at the next cgroup_reap(). */
static void (*on_reap)(void *fw);

static struct cgroup_cputime time_of(pid_t tid)
{
	uint64_t ns = used_ms[tid] * MS;

	return (struct cgroup_cputime){ns, ns - ns / 4, ns / 4, !dead[tid]};
}

static int op_cputimes(void *arg, const pid_t *tids, size_t n, struct cgroup_cputime *times)
{
	(void)arg;
	for (size_t i = 0; i < n; i++)
		times[i] = time_of(tids[i]);
	return 0;
}

static void op_reap(void *arg)
{
	void (*fn)(void *fw) = on_reap;

	on_reap = NULL;
	if (fn)
		fn(arg);
}

static void op_want_cputime(void *arg, bool want)
{
	(void)arg;
	wants_cputime = want;
}

static void op_want_tick(void *arg, struct cgroup_subsys *ss, bool want)
{
	(void)arg;
	assert_ptr_equal(ss, &cpuacct_subsys);
	wants_tick = want;
}

static struct fake_world *world(struct hierarchy **h)
{
	struct fake_world *fw = fw_alloc(256);

	memset(used_ms, 0, sizeof(used_ms));
	memset(dead, 0, sizeof(dead));
	wants_cputime = wants_tick = false;
	on_reap = NULL;
	fw->ops.cputimes = op_cputimes;
	fw->ops.reap = op_reap;
	fw->ops.want_cputime = op_want_cputime;
	fw->ops.want_tick = op_want_tick;
	fw_start(fw);
	assert_int_equal(core_register_subsys(fw->core, &cpuacct_subsys), 0);
	assert_false(wants_cputime || wants_tick);
	*h = mount_ok(fw, "cpuacct");
	assert_true(wants_cputime && wants_tick);
	for (pid_t tid = 10; tid < 14; tid++)
		fw_spawn(fw, tid, 10);
	fw_spawn(fw, 20, 20);
	return fw;
}

#define assert_used(cgrp, ms)                                                                      \
	do {                                                                                       \
		char want_[32];                                                                    \
		snprintf(want_, sizeof(want_), "%llu\n", (unsigned long long)(ms)*MS);             \
		assert_reads(cgrp, "cpuacct.usage", want_);                                        \
	} while (0)

/* Its exit is told; what it had used in the end comes later, with last_words(). */
static void die(struct fake_world *fw, pid_t tid)
{
	core_settle(fw->core);
	core_task_dying(fw->core, (uint64_t)tid + 1000);
	fw_exit(fw, tid);
	dead[tid] = true;
	core_settle(fw->core);
}

static void last_words(struct fake_world *fw, pid_t tid, bool last)
{
	const struct cgroup_cputime t = time_of(tid);

	core_task_cputime(fw->core, tid, (uint64_t)tid + 1000, &t, last);
}

/* ---- members ------------------------------------------------------------------------------------ */

static void test_moves(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *a = mkdir_ok(root, "a"), *b = mkdir_ok(a, "b");

	(void)state;
	used_ms[20] = 100;
	attach_ok(b, 20);
	assert_used(b, 0);
	used_ms[20] = 130;
	assert_used(b, 30);
	assert_used(a, 30);
	attach_ok(a, 20);
	used_ms[20] = 150;
	assert_used(b, 30);
	assert_used(a, 50);
	attach_ok(root, 20);
	used_ms[20] = 1000;
	assert_used(b, 30);
	assert_used(a, 50);
	attach_ok(b, 20);
	used_ms[20] = 1001;
	assert_used(b, 31);
	assert_used(a, 51);
	fw_free(fw);
}

static void test_births_and_deaths(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *a = mkdir_ok(root, "a"), *b = mkdir_ok(a, "b");

	(void)state;
	used_ms[10] = 5;
	assert_int_equal(core_attach_process(b, 10, &root_cred), 0);
	fw_fork(fw, 10, 50, 0);
	used_ms[50] = 7;
	assert_used(b, 7);
	die(fw, 50);
	used_ms[50] = 8; /* it goes on after its exit was told */
	last_words(fw, 50, false);
	assert_used(b, 8);
	used_ms[50] = 9;
	last_words(fw, 50, true);
	assert_used(b, 9);
	assert_used(a, 9);
	/* somebody else with its tid, and words of one who is known no more */
	last_words(fw, 50, true);
	dead[50] = false;
	fw_fork(fw, 10, 50, 0);
	used_ms[50] = 1;
	assert_used(b, 10);
	/* one that came with a past */
	used_ms[10] = 6;
	die(fw, 10);
	last_words(fw, 10, true);
	assert_used(b, 11);
	fw_free(fw);
}

/* Of those on their way out the parent hears when the group is gone. */
static void test_group_goes_first(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *a = mkdir_ok(root, "a"), *b = mkdir_ok(a, "b");

	(void)state;
	attach_ok(b, 20);
	used_ms[20] = 3;
	die(fw, 20);
	rmdir_ok(b);
	used_ms[20] = 4;
	last_words(fw, 20, true);
	assert_used(a, 4);
	fw_free(fw);
}

static void exit_in_reap(void *fw)
{
	used_ms[20] = 12;
	last_words(fw, 20, true);
}

/* A reading asks first for what there is to know of the dead. */
static void test_reading_reaps(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *a = mkdir_ok(hierarchy_root(h), "a");

	(void)state;
	attach_ok(a, 20);
	used_ms[20] = 10;
	die(fw, 20);
	on_reap = exit_in_reap;
	assert_used(a, 12);
	fw_free(fw);
}

static void (*replay_log)(void *fw);
static bool told;

static void exit_while_asked(void *arg)
{
	struct fake_world *fw = arg;

	core_task_dying(fw->core, 20 + 1000);
	fw_exit(fw, 20);
	dead[20] = true;
	used_ms[20] = 12;
}

/* Its time comes after what the log tells, as from the tracker. */
static void replay_and_tell(void *arg)
{
	struct fake_world *fw = arg;

	replay_log(fw);
	if (!dead[20] || told)
		return;
	told = true;
	last_words(fw, 20, true);
}

/* Who exits between the last look at the log and the question has exited when its time is told. */
static void test_exit_while_reaping(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *a = mkdir_ok(hierarchy_root(h), "a");

	(void)state;
	attach_ok(a, 20);
	used_ms[20] = 10;
	told = false;
	replay_log = fw->ops.replay;
	fw->ops.replay = replay_and_tell;
	on_reap = exit_while_asked;
	cgroup_reap(&cpuacct_subsys);
	assert_true(told);
	assert_used(a, 12);
	fw_free(fw);
}

/* exec by a thread that is not the leader: the number changes, the past goes along. */
static void test_exec(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *a = mkdir_ok(hierarchy_root(h), "a");

	(void)state;
	used_ms[12] = 40;
	used_ms[10] = 70;
	assert_int_equal(core_attach_process(a, 10, &root_cred), 0);
	used_ms[12] = 45;
	assert_used(a, 5);
	fw_exec(fw, 12);
	used_ms[10] = 47; /* thread 12 is 10 now */
	core_settle(fw->core);
	assert_used(a, 7);
	fw_free(fw);
}

/* ---- files -------------------------------------------------------------------------------------- */

static void test_reset(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *a = mkdir_ok(root, "a"), *b = mkdir_ok(a, "b");

	(void)state;
	attach_ok(b, 20);
	used_ms[20] = 400;
	assert_reads(b, "cpuacct.usage_user", "300000000\n");
	assert_reads(b, "cpuacct.usage_sys", "100000000\n");
	assert_reads(b, "cpuacct.stat", "user 30\nsystem 10\n");
	assert_int_equal(write_text(b, "cpuacct.usage", "1"), -EINVAL);
	assert_used(b, 400);
	write_ok(b, "cpuacct.usage", "0");
	assert_used(b, 0);
	assert_reads(b, "cpuacct.stat", "user 0\nsystem 0\n");
	assert_used(a, 400);
	used_ms[20] = 440;
	assert_used(b, 40);
	assert_reads(b, "cpuacct.usage_sys", "10000000\n");
	assert_int_equal(write_text(b, "cpuacct.usage_user", "0"), -EINVAL);
	assert_false(has_file(b, "cpuacct.usage_percpu"));
	fw_free(fw);
}

static void test_load(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *a = mkdir_ok(root, "a"), *b = mkdir_ok(a, "b");

	(void)state;
	assert_int_equal(cpuacct_subsys.tick_ms, 10000);
	attach_ok(a, 20);
	attach_ok(b, 11);
	cpuacct_subsys.tick(&cpuacct_subsys);
	assert_reads(a, "cpuacct.load", "0\n");
	used_ms[20] = 5000;
	used_ms[11] = 10000;
	assert_reads(a, "cpuacct.load", "0\n");
	cpuacct_subsys.tick(&cpuacct_subsys);
	assert_reads(a, "cpuacct.load", "150\n");
	assert_reads(b, "cpuacct.load", "100\n");
	/* a death does not show as a load, nor a reset */
	used_ms[11] = 11000;
	die(fw, 11);
	last_words(fw, 11, true);
	write_ok(b, "cpuacct.usage", "0");
	cpuacct_subsys.tick(&cpuacct_subsys);
	assert_reads(a, "cpuacct.load", "10\n");
	assert_reads(b, "cpuacct.load", "10\n");
	cpuacct_subsys.tick(&cpuacct_subsys);
	assert_reads(b, "cpuacct.load", "0\n");
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_births_and_deaths),
		cmocka_unit_test(test_group_goes_first),
		cmocka_unit_test(test_reading_reaps),
		cmocka_unit_test(test_exit_while_reaping),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
