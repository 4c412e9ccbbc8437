// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_listing.c - the lines of a listing: in whose numbers they are, their order, their digits.
 */
#include "helpers.h"

/* ---- other pid namespaces ---- */

/* The reader 99 lives in one where 20 is called 2 and 10 is called 3; 15 has no number there. */
static struct {
	pid_t dying; /* dies while the list is translated */
	int n_translated;
} ns;

static uint32_t ns_pid_ns(void *arg, pid_t task)
{
	(void)arg;
	return task == 99 ? 4711 : 0;
}

static int ns_to_ns(void *arg, pid_t reader, pid_t *tids, size_t n)
{
	assert_int_equal(reader, 99);
	ns.n_translated++;
	for (size_t i = 0; i < n; i++) {
		if (tids[i] == ns.dying)
			tids[i] = -1;
		else
			tids[i] = tids[i] == 20 ? 2 : tids[i] == 10 ? 3 : 0;
	}
	if (ns.dying)
		fw_exit(arg, ns.dying);
	ns.dying = 0;
	return 0;
}

static pid_t ns_from_ns(void *arg, pid_t writer, pid_t nr)
{
	(void)arg;
	assert_int_equal(writer, 99);
	return nr == 2 ? 20 : nr == 3 ? 10 : 0;
}

static void assert_read_as(struct cgroup_file *file, const struct core_cred *cred, const char *want)
{
	char buf[256] = "";

	assert_int_equal(core_file_read(file, buf, sizeof(buf), 0, cred), strlen(want));
	assert_string_equal(buf, want);
}

static void test_other_pid_namespace(void **state)
{
	const struct core_cred inside = {.tid = 99, .owner = true};
	pid_t pids[] = {10, 15, 20};
	struct fake_world *fw = fw_alloc(64);
	struct cgroup *a;
	struct cgroup_file *file;

	(void)state;
	fw->ops.pid_ns = ns_pid_ns;
	fw->ops.to_ns = ns_to_ns;
	fw->ops.from_ns = ns_from_ns;
	fw_start(fw);
	a = mkdir_ok(hierarchy_root(mount_ok(fw, "none,name=h")), "a");
	for (pid_t tid = 10; tid <= 30; tid += 5)
		fw_spawn(fw, tid, tid);
	assert_int_equal(write_as(a, "tasks", "2", 1, &inside), 1);
	assert_int_equal(write_as(a, "cgroup.procs", "3", 1, &inside), 1);
	assert_int_equal(write_as(a, "tasks", "10", 2, &inside), -ESRCH);
	attach_ok(a, 15);
	assert_tasks(a, 10, 15, 20);

	file = open_file(a, "tasks", O_RDONLY, &inside);
	assert_read_as(file, &inside, "2\n3\n");
	/* a subsystem's file may say them too */
	assert_int_equal(cgroup_reader_pids(file, pids, ARRAY_SIZE(pids)), 2);
	assert_true(pids[0] == 2 && pids[1] == 3);
	/* handed over to somebody outside and back: each reads his own numbers */
	assert_read_as(file, &root_cred, "10\n15\n20\n");
	assert_read_as(file, &inside, "2\n3\n");
	core_file_release(file);

	/* one has died since the list was taken: it is taken again */
	fw_fork(fw, 20, 40, 0);
	ns.dying = 10;
	ns.n_translated = 0;
	file = open_file(a, "tasks", O_RDONLY, &inside);
	assert_int_equal(ns.n_translated, 2);
	assert_read_as(file, &inside, "2\n");
	core_file_release(file);
	assert_tasks(a, 15, 20, 40);
	fw_free(fw);
}

static int ascending(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* PIDS and, before and behind them, what must stay as it is. */
static void check_sorting(const pid_t *pids, size_t n)
{
	static pid_t got[5002], want[5000];
	size_t unique = 0;

	got[0] = got[n + 1] = 4711;
	memcpy(got + 1, pids, n * sizeof(*got));
	memcpy(want, pids, n * sizeof(*want));
	qsort(want, n, sizeof(*want), ascending);
	for (size_t k = 0; k < n; k++)
		if (!unique || want[unique - 1] != want[k])
			want[unique++] = want[k];
	assert_int_equal(core_sort_pids(got + 1, n), unique);
	assert_memory_equal(got + 1, want, unique * sizeof(*want));
	assert_int_equal(got[0], 4711);
	assert_int_equal(got[n + 1], 4711);
}

/* Few are compared, many ticked off or dealt out; in any case each is there once. */
static void test_sorting(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 127, 128, 129, 5000};
	static pid_t pids[5000];
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t n = sizes[i];

		for (size_t k = 0; k < n; k++) {
			seed = seed * 1664525 + 1013904223;
			pids[k] = k % 3 ? (pid_t)(seed >> 10) : (pid_t)(seed >> 28);
		}
		if (n > 1)
			pids[1] = CORE_MAX_TID - 1;
		check_sorting(pids, n);
		/* Close to each other: with gaps and doubles, without, and all the same. */
		for (size_t k = 0; k < n; k++)
			pids[k] = (pid_t)(CORE_MAX_TID - 1 - pids[k] % (4 * (pid_t)n));
		check_sorting(pids, n);
		for (size_t k = 0; k < n; k++)
			pids[k] = (pid_t)(n - k);
		check_sorting(pids, n);
		for (size_t k = 0; k < n; k++)
			pids[k] = 1;
		check_sorting(pids, n);
	}
}

/* Of every length, some that begin as the one before and some that do not. */
static const pid_t lines[] = {4194303, 4194302, 1000000, 999999, 100001, 100000, 99999,
			      10000,   9999,	9901,	 9900,	 1000,	 999,	 110,
			      109,     101,	100,	 99,	 11,	 10,	 9};

static int lines_to_ns(void *arg, pid_t reader, pid_t *tids, size_t n)
{
	(void)arg;
	(void)reader;
	for (size_t i = 0; i < n; i++)
		tids[i] = lines[tids[i] - 1];
	return 0;
}

static void test_lines(void **state)
{
	const struct core_cred inside = {.tid = 99, .owner = true};
	struct fake_world *fw = fw_alloc(64);
	struct cgroup_file *file;
	struct cgroup *g;

	(void)state;
	fw->ops.pid_ns = ns_pid_ns;
	fw->ops.to_ns = lines_to_ns;
	fw_start(fw);
	g = mkdir_ok(hierarchy_root(mount_ok(fw, "none,name=h")), "g");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		fw_spawn(fw, (pid_t)i + 1, (pid_t)i + 1);
		attach_ok(g, (pid_t)i + 1);
	}
	file = open_file(g, "tasks", O_RDONLY, &inside);
	assert_read_as(file, &inside,
		       "9\n10\n11\n99\n100\n101\n109\n110\n999\n1000\n9900\n9901\n9999\n10000\n"
		       "99999\n100000\n100001\n999999\n1000000\n4194302\n4194303\n");
	core_file_release(file);
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_pid_namespace),
		cmocka_unit_test(test_sorting),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
