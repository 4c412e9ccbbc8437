// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_attach_many.c - many tasks moved in one call: each as if it were alone.
 */
#include "helpers.h"

#define AGAIN (-ERESTART)

/* The linker has the core call this one. */
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool no_memory;

void *__wrap_realloc(void *p, size_t size)
{
	return no_memory ? NULL : __real_realloc(p, size);
}

static struct trace trace;
static struct fake_subsys a;

/* A hierarchy where subsystem "a" has a say, or nobody. */
static struct fake_world *world(struct hierarchy **h, bool a_say)
{
	return two_processes(&a, &trace, a_say ? "a" : "none,name=x", h);
}

static size_t n_csets_of(struct fake_world *fw)
{
	struct core_stats stats;

	core_settle(fw->core);
	core_get_stats(fw->core, &stats);
	return stats.csets;
}

static void check_results(const struct core_attach *v, const int *want, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].err != want[i])
			fail_msg("task %d: %d, not %d", (int)v[i].tid, v[i].err, want[i]);
}

/* Good and bad ones, one twice, the caller himself, and one that is not to be moved. */
static void test_mixed(void **state)
{
	static const int want[] = {0, -ESRCH, 0, -EINVAL, 0, 0, -EPERM, -ESRCH};
	const struct core_cred self = {.tid = 20, .euid = 0};

	(void)state;
	for (int a_say = 0; a_say < 2; a_say++) {
		struct core_attach v[] = {
			{10, AGAIN}, {99, AGAIN}, {11, AGAIN},	{12, AGAIN},
			{10, AGAIN}, {0, AGAIN},  {13, -EPERM}, {-5, AGAIN},
		};
		struct hierarchy *h;
		struct fake_world *fw = world(&h, a_say);
		struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

		fw_task(fw, 12)->kthread = true;
		trace_clear(&trace);
		core_attach_tasks(g, v, ARRAY_SIZE(v), &self);
		check_results(v, want, ARRAY_SIZE(v));
		assert_trace(&trace, a_say ? "a.can_attach /g 10; a.attach /g 10 from /; "
					     "a.can_attach /g 11; a.attach /g 11 from /; "
					     "a.can_attach /g 20; a.attach /g 20 from /; " :
					     "");
		assert_tasks(g, 10, 11, 20);
		assert_tasks(hierarchy_root(h), 12, 13);
		fw_free(fw);
	}
}

/* A subsystem that only wants to know is told of each, when it has happened. */
static void test_told(void **state)
{
	struct core_attach v[] = {{10, AGAIN}, {20, AGAIN}, {10, AGAIN}};
	struct fake_world *fw = fw_new(256);
	struct cgroup *g;
	struct hierarchy *h;

	(void)state;
	fake_subsys_init(&a, "a", &trace, false);
	a.ss.can_attach = NULL;
	fake_subsys_register(fw, &a);
	h = mount_ok(fw, "a");
	fw_spawn(fw, 10, 10);
	fw_spawn(fw, 20, 20);
	g = mkdir_ok(hierarchy_root(h), "g");
	trace_clear(&trace);
	core_attach_tasks(g, v, ARRAY_SIZE(v), &root_cred);
	check_results(v, (const int[]){0, 0, 0}, 3);
	assert_trace(&trace, "a.attach /g 10 from /; a.attach /g 20 from /; ");
	assert_int_equal(fw->n_moves, 2);
	fw_free(fw);
}

/* Who is there already is not moved; but of one that cannot be moved that is no success. */
static void test_there_already(void **state)
{
	struct core_attach v[] = {{10, AGAIN}, {12, AGAIN}};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, false);

	(void)state;
	fw_task(fw, 12)->kthread = true;
	core_attach_tasks(hierarchy_root(h), v, ARRAY_SIZE(v), &root_cred);
	check_results(v, (const int[]){0, -EINVAL}, 2);
	assert_int_equal(fw->n_moves, 0);
	fw_free(fw);
}

static void test_user(void **state)
{
	struct core_attach v[] = {{10, AGAIN}, {11, AGAIN}, {20, AGAIN}, {99, AGAIN}};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, false);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	fw_task(fw, 11)->uid = user_cred.euid;
	core_attach_tasks(g, v, ARRAY_SIZE(v), &user_cred);
	check_results(v, (const int[]){-EACCES, 0, -EACCES, -ESRCH}, 4);
	assert_tasks(g, 11);
	fw_free(fw);
}

static void test_dead_group(void **state)
{
	struct core_attach v[] = {{10, AGAIN}, {20, AGAIN}};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, false);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	cgroup_hold(g);
	rmdir_ok(g);
	core_attach_tasks(g, v, ARRAY_SIZE(v), &root_cred);
	check_results(v, (const int[]){-ENODEV, -ENODEV}, 2);
	assert_int_equal(fw->n_moves, 0);
	cgroup_unhold(g);
	fw_free(fw);
}

/* More than are handed over at once, from several groups, each of which is released once. */
static void test_hundreds(void **state)
{
	static struct core_attach v[1000];
	struct hierarchy *h;
	struct fake_world *fw = world(&h, false);
	struct cgroup *root = hierarchy_root(h), *from[4], *g = mkdir_ok(root, "g");
	pid_t *pids;
	size_t n;

	(void)state;
	for (int i = 0; i < 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "f%d", i);
		from[i] = mkdir_ok(root, name);
		write_ok(from[i], "notify_on_release", "1");
	}
	for (int i = 0; i < 1000; i++) {
		fw_spawn(fw, 1000 + i, 1000 + i);
		attach_ok(from[i / 7 % 4], 1000 + i);
		v[i] = (struct core_attach){1000 + i, AGAIN};
	}
	core_attach_tasks(g, v, 1000, &root_cred);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(v[i].err, 0);
	assert_int_equal(cgroup_list(g, false, &pids, &n), 0);
	assert_int_equal(n, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(pids[i], 1000 + i);
	free(pids);
	/* in the order of their last members' leaving */
	assert_releases(h, "/f3 /f0 /f1 /f2 ");
	assert_int_equal(n_csets_of(fw), 2);
	fw_free(fw);
}

/* ---- the world moves meanwhile ---- */

static pid_t victim;

static void exit_one(struct fake_world *fw, pid_t tid)
{
	if (tid == victim && fw_task(fw, tid)->state == FW_ALIVE)
		fw_exit(fw, tid);
}

static void bump_one(struct fake_world *fw, pid_t tid)
{
	if (tid != victim)
		return;
	victim = 0;
	fw_task(fw, tid)->place.gen++;
}

static void fork_one(struct fake_world *fw, pid_t tid)
{
	if (tid == victim && fw_task(fw, 50)->state == FW_FREE)
		fw_fork(fw, tid, 50, 0);
}

typedef void (*hook)(struct fake_world *fw, pid_t tid);

/* 10, 11 and 12 into *G, while something happens to 11. What comes of it for 11: OF_11. */
static struct fake_world *move_three(hook before, hook after, int of_11, struct cgroup **g)
{
	struct core_attach v[] = {{10, AGAIN}, {11, AGAIN}, {12, AGAIN}};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, false);

	*g = mkdir_ok(hierarchy_root(h), "g");
	victim = 11;
	fw->on_move = before;
	fw->on_moved = after;
	core_attach_tasks(*g, v, ARRAY_SIZE(v), &root_cred);
	check_results(v, (const int[]){0, of_11, 0}, 3);
	return fw;
}

static void test_one_dies_before(void **state)
{
	struct cgroup *g;
	struct fake_world *fw = move_three(exit_one, NULL, -ESRCH, &g);

	(void)state;
	assert_tasks(g, 10, 12);
	fw_free(fw);
}

static void test_one_dies_after(void **state)
{
	struct core_attach v[] = {{20, AGAIN}, {11, AGAIN}};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, false);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	write_ok(g, "notify_on_release", "1");
	victim = 20;
	fw->on_moved = exit_one;
	core_attach_tasks(g, v, ARRAY_SIZE(v), &root_cred);
	check_results(v, (const int[]){0, 0}, 2);
	assert_tasks(g, 11);
	fw_exit(fw, 11);
	assert_releases(h, "/g ");
	fw_free(fw);
}

/* It has left the place it was seen at, and is looked at again. */
static void test_one_has_moved_on(void **state)
{
	struct cgroup *g;
	struct fake_world *fw = move_three(bump_one, NULL, 0, &g);

	(void)state;
	assert_tasks(g, 10, 11, 12);
	fw_free(fw);
}

/* A child goes where its maker is at that moment. */
static void test_one_forks(void **state)
{
	struct cgroup *g;
	struct fake_world *fw = move_three(fork_one, NULL, 0, &g);

	(void)state;
	assert_tasks(g, 10, 11, 12);
	fw_free(fw);
	fw = move_three(NULL, fork_one, 0, &g);
	assert_tasks(g, 10, 11, 12, 50);
	fw_free(fw);
}

/* One that is still being born is left for later, and the others are not kept waiting. */
static void test_unborn(void **state)
{
	struct core_attach v[] = {{10, AGAIN}, {50, AGAIN}, {12, AGAIN}};
	struct hierarchy *h;
	struct fake_world *fw = world(&h, false);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	attach_ok(g, 20);
	fw_fork_begin(fw, 20, 50, 0);
	fw->on_pause = wait_in_vain;
	core_attach_tasks(hierarchy_root(h), v, ARRAY_SIZE(v), &root_cred);
	check_results(v, (const int[]){0, AGAIN, 0}, 3);
	fw_fork_end(fw, 50);
	assert_tasks(g, 20, 50);
	core_attach_tasks(hierarchy_root(h), v, ARRAY_SIZE(v), &root_cred);
	check_results(v, (const int[]){0, 0, 0}, 3);
	assert_tasks(g, 20);
	fw_free(fw);
}

/* The log loses what it was to tell of some of them: the lists are right, and nobody was reborn. */
static void test_losses(void **state)
{
	static struct core_attach v[300];

	(void)state;
	for (unsigned int every = 1; every < 6; every++) {
		struct hierarchy *h;
		struct fake_world *fw = world(&h, false);
		struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");
		struct core_stats stats;
		pid_t *pids;
		size_t n;

		for (int i = 0; i < 300; i++) {
			fw_spawn(fw, 1000 + i, 1000 + i);
			v[i] = (struct core_attach){1000 + i, AGAIN};
		}
		fw->fail_every = every;
		core_attach_tasks(g, v, 300, &root_cred);
		assert_int_equal(cgroup_list(g, false, &pids, &n), 0);
		assert_int_equal(n, 300);
		free(pids);
		core_get_stats(fw->core, &stats);
		assert_int_equal(stats.born, 0);
		assert_int_equal(stats.died, 0);
		assert_int_equal(stats.moved, 300);
		assert_true(fw->n_rebuilds > 0);
		fw_free(fw);
	}
}

/* More than an empty list of noted moves can take, and it cannot grow: nobody is left half moved. */
static void test_no_memory(void **state)
{
	struct core_attach v[] = {{10, AGAIN}, {11, AGAIN}, {20, AGAIN}};
	struct hierarchy *h, *y;
	struct fake_world *fw = world(&h, false);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g"), *other;

	(void)state;
	y = mount_ok(fw, "none,name=y");
	other = mkdir_ok(hierarchy_root(y), "other");
	no_memory = true;
	core_attach_tasks(g, v, ARRAY_SIZE(v), &root_cred);
	no_memory = false;
	check_results(v, (const int[]){-ENOMEM, -ENOMEM, -ENOMEM}, 3);
	assert_no_tasks(g);
	assert_int_equal(n_csets_of(fw), 1);
	/* and with room for some */
	attach_ok(other, 12);
	for (int i = 0; i < 20; i++)
		fw_spawn(fw, 100 + i, 100 + i);
	{
		struct core_attach many[22];

		for (int i = 0; i < 20; i++)
			many[i] = (struct core_attach){100 + i, AGAIN};
		many[20] = (struct core_attach){12, AGAIN};
		many[21] = (struct core_attach){13, AGAIN};
		no_memory = true;
		core_attach_tasks(g, many, 22, &root_cred);
		no_memory = false;
		for (int i = 0; i < 22; i++)
			assert_int_equal(many[i].err, i < 16 ? 0 : -ENOMEM);
	}
	for (int i = 0; i < 16; i++)
		fw_exit(fw, 100 + i);
	assert_tasks(other, 12);
	assert_int_equal(n_csets_of(fw), 2);
	rmdir_ok(g);
	fw_free(fw);
}

/* Its tid has changed hands, and who has it now is not the caller's to move. */
static void become_another(struct fake_world *fw, pid_t tid)
{
	if (tid != victim)
		return;
	victim = 0;
	fw_exit(fw, tid);
	fw_spawn(fw, tid, tid);
}

static void test_tid_changes_hands(void **state)
{
	struct hierarchy *h;

	(void)state;
	for (int a_say = 0; a_say < 2; a_say++) {
		struct core_attach v[] = {{20, AGAIN}};
		struct fake_world *fw = world(&h, a_say);
		struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

		fw_task(fw, 20)->uid = user_cred.euid;
		victim = 20;
		fw->on_move = become_another;
		trace_clear(&trace);
		core_attach_tasks(g, v, 1, &user_cred);
		check_results(v, (const int[]){-ESRCH}, 1);
		assert_no_tasks(g);
		assert_trace(&trace, a_say ? "a.can_attach /g 20; a.cancel_attach /g 20; " : "");
		fw_free(fw);
	}
}

/* However many are still being born: they are waited for together, and not for long. */
static void test_many_unborn(void **state)
{
	struct core_attach v[100];
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	fw_fork_begin(fw, 20, 50, 0);
	fw->on_pause = wait_in_vain;
	for (int i = 0; i < 100; i++)
		v[i] = (struct core_attach){i == 98 ? 10 : 50, AGAIN};
	core_attach_tasks(g, v, 100, &root_cred);
	for (int i = 0; i < 100; i++)
		assert_int_equal(v[i].err, i == 98 ? 0 : AGAIN);
	assert_true(fw->n_pauses <= 20);
	assert_tasks(g, 10);
	fw_fork_end(fw, 50);
	core_attach_tasks(g, v, 100, &root_cred);
	for (int i = 0; i < 100; i++)
		assert_int_equal(v[i].err, 0);
	assert_tasks(g, 10, 50);
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_there_already),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_dead_group),
		cmocka_unit_test(test_hundreds),
		cmocka_unit_test(test_one_dies_before),
		cmocka_unit_test(test_one_dies_after),
		cmocka_unit_test(test_one_has_moved_on),
		cmocka_unit_test(test_one_forks),
		cmocka_unit_test(test_unborn),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_tid_changes_hands),
		cmocka_unit_test(test_many_unborn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
