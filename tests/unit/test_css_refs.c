// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_css_refs.c - references to a css: what they hold up, and threads of their own that take and
 * drop them while the loop goes on.
 */
#include <pthread.h>

#include "helpers.h"

static struct fake_subsys a, b;

static struct fake_world *world(struct hierarchy **h)
{
	struct fake_world *fw = fw_new(256);

	fake_subsys_init(&a, "a", NULL, false);
	fake_subsys_init(&b, "b", NULL, false);
	fake_subsys_register(fw, &a);
	fake_subsys_register(fw, &b);
	*h = mount_ok(fw, "a,b");
	fw_spawn(fw, 10, 10);
	fw_spawn(fw, 11, 11);
	return fw;
}

static void test_holds_removal(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");
	struct cgroup_subsys_state *ca = css_of(g, &a.ss), *cb = css_of(g, &b.ss);
	int32_t base = ca->refcnt;

	(void)state;
	assert_true(css_tryget(ca));
	css_get(ca);
	css_get(cb);
	assert_int_equal(ca->refcnt, base + 2);
	assert_int_equal(cgroup_rmdir(g), -EBUSY);
	assert_false(cgroup_is_idle(g));
	css_put(ca);
	assert_int_equal(cgroup_rmdir(g), -EBUSY);
	css_put(ca);
	assert_int_equal(cgroup_rmdir(g), -EBUSY);
	/* a refused removal leaves them as they were, and free to be taken */
	assert_true(css_tryget(ca));
	css_put(ca);
	css_put(cb);
	assert_int_equal(fw->n_kicks > 0, 1);
	core_settle(fw->core);
	assert_int_equal(ca->refcnt, base);
	assert_int_equal(cb->refcnt, base);
	assert_true(cgroup_is_idle(g));
	css_get(cb);
	css_put(cb);
	rmdir_ok(g);
	assert_int_equal(a.n_css, 1);
	assert_int_equal(b.n_css, 1);
	fw_free(fw);
}

static void test_last_put_releases(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g"), *k = mkdir_ok(root, "k");
	struct cgroup *fresh = mkdir_ok(root, "fresh");
	struct cgroup_subsys_state *ca = css_of(g, &a.ss), *cb = css_of(g, &b.ss);
	unsigned int kicks;

	(void)state;
	write_ok(g, "notify_on_release", "1");
	write_ok(k, "notify_on_release", "1");
	write_ok(fresh, "notify_on_release", "1");
	attach_ok(g, 10);
	css_get(ca);
	css_get(cb);
	attach_ok(root, 10);
	assert_releases(h, "");
	css_put(ca);
	assert_releases(h, "");
	kicks = fw->n_kicks;
	css_put(cb);
	/* the loop is called for; nothing happens in the putting thread */
	assert_int_equal(fw->n_kicks, kicks + 1);
	assert_int_equal(core_releases_pending(h), 0);
	core_settle(fw->core);
	assert_int_equal(core_releases_pending(h), 1);
	assert_releases(h, "/g ");
	/* dropped under tasks: nothing; nor where no task or child ever was */
	attach_ok(g, 10);
	css_get(ca);
	css_put(ca);
	assert_releases(h, "");
	css_get(css_of(fresh, &a.ss));
	css_put(css_of(fresh, &a.ss));
	assert_releases(h, "");
	/* in order of their dropping */
	css_get(ca);
	css_get(css_of(k, &a.ss));
	attach_ok(k, 11);
	attach_ok(root, 10);
	attach_ok(root, 11);
	css_put(css_of(k, &a.ss));
	css_put(ca);
	assert_releases(h, "/k /g ");
	css_get(ca);
	css_put(ca);
	fw_free(fw);
}

/* Taken again between its last put and the loop's look at it. */
static void test_put_and_get_again(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g = mkdir_ok(root, "g");
	struct cgroup_subsys_state *ca = css_of(g, &a.ss);
	int32_t base = ca->refcnt;

	(void)state;
	write_ok(g, "notify_on_release", "1");
	attach_ok(g, 10);
	css_get(ca);
	attach_ok(root, 10);
	css_put(ca);
	assert_true(css_tryget(ca));
	assert_releases(h, "");
	assert_int_equal(cgroup_rmdir(g), -EBUSY);
	css_put(ca);
	assert_true(css_tryget(ca));
	css_put(ca);
	assert_releases(h, "/g ");
	assert_int_equal(ca->refcnt, base);
	rmdir_ok(g);
	fw_free(fw);
}

/* While it is being removed, none can be taken. */
static bool taken_in_destroy;
static void (*real_destroy)(struct cgroup_subsys *ss, struct cgroup *cgrp);

static void destroy_that_tries(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	if (cgroup_parent(cgrp))
		taken_in_destroy = css_tryget(css_of(cgrp, ss));
	real_destroy(ss, cgrp);
}

static void test_tryget_while_removed(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw;

	(void)state;
	fw = world(&h);
	real_destroy = a.ss.destroy;
	a.ss.destroy = destroy_that_tries;
	taken_in_destroy = true;
	rmdir_ok(mkdir_ok(hierarchy_root(h), "g"));
	assert_false(taken_in_destroy);
	fw_free(fw);
}

/* A subsystem's own reference is its own to drop, in pre_destroy. */
static void test_dropped_in_pre_destroy(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");

	(void)state;
	write_ok(g, "notify_on_release", "1");
	b.dropped_in_pre_destroy = css_of(g, &b.ss);
	css_get(css_of(g, &b.ss));
	attach_ok(g, 10);
	attach_ok(hierarchy_root(h), 10);
	assert_releases(h, "");
	rmdir_ok(g);
	assert_int_equal(core_releases_pending(h), 0);
	assert_null(b.dropped_in_pre_destroy);
	fw_free(fw);
}

static void test_root_reference(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup_subsys_state *css = css_of(hierarchy_root(h), &a.ss);

	(void)state;
	css_get(css);
	core_umount(fw->core, h);
	/* it goes along with the subsystem */
	assert_ptr_equal(css->cgroup, a.bound_root);
	css_put(css);
	core_settle(fw->core);
	h = mount_ok(fw, "a");
	assert_ptr_equal(css_of(hierarchy_root(h), &a.ss), css);
	assert_ptr_equal(css->cgroup, hierarchy_root(h));
	fw_free(fw);
}

/* ---- threads ---- */

enum { N_THREADS = 4, N_GROUPS = 3, ROUNDS = 20000 };

struct worker {
	pthread_t thread;
	struct cgroup_subsys_state *css[2 * N_GROUPS];
	unsigned int seed;
	unsigned long n_taken;
};

static void *take_and_drop(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct cgroup_subsys_state *css = w->css[rand_r(&w->seed) % (2 * N_GROUPS)];

		if (!css_tryget(css))
			continue; /* a refused rmdir had it for a moment */
		w->n_taken++;
		if (rand_r(&w->seed) % 2) {
			css_get(css);
			css_put(css);
		}
		css_put(css);
	}
	return NULL;
}

/*
 * The cgroups cannot go while the threads run (a task sits in each, off and on), so a css stays
 * valid; what is checked is that counts, releases and idle come out right.
 */
static void test_threads(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	struct cgroup *root = hierarchy_root(h), *g[N_GROUPS], *cgrp;
	struct worker w[N_THREADS] = {0};
	unsigned long n_released = 0, n_taken = 0, n_idle = 0;
	char name[16];

	(void)state;
	for (int i = 0; i < N_GROUPS; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		g[i] = mkdir_ok(root, name);
		write_ok(g[i], "notify_on_release", "1");
		fw_spawn(fw, 20 + i, 20 + i);
	}
	for (int t = 0; t < N_THREADS; t++) {
		w[t].seed = t + 1;
		for (int i = 0; i < N_GROUPS; i++) {
			w[t].css[2 * i] = css_of(g[i], &a.ss);
			w[t].css[2 * i + 1] = css_of(g[i], &b.ss);
		}
		assert_int_equal(pthread_create(&w[t].thread, NULL, take_and_drop, &w[t]), 0);
	}
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < N_GROUPS; i++)
			attach_ok(round % 2 ? g[i] : root, 20 + i);
		n_idle += round % 2 ? 0 : N_GROUPS;
		while ((cgrp = core_release_next(h)))
			n_released++;
		/* with a task inside, this must be refused, and undo what it did */
		if (round % 2)
			for (int i = 0; i < N_GROUPS; i++)
				assert_int_equal(cgroup_rmdir(g[i]), -EBUSY);
	}
	for (int t = 0; t < N_THREADS; t++) {
		assert_int_equal(pthread_join(w[t].thread, NULL), 0);
		n_taken += w[t].n_taken;
	}
	assert_true(n_taken > ROUNDS); /* it did happen */
	for (int i = 0; i < N_GROUPS; i++)
		attach_ok(root, 20 + i);
	while ((cgrp = core_release_next(h)))
		n_released++;
	assert_true(n_released > 0);
	assert_true(n_released <= n_idle + N_GROUPS);
	for (int i = 0; i < N_GROUPS; i++) {
		assert_int_equal(css_of(g[i], &a.ss)->refcnt, css_of(root, &a.ss)->refcnt);
		assert_true(cgroup_is_idle(g[i]));
		rmdir_ok(g[i]);
	}
	fw_free(fw);
}

/* One thread drops the last reference while the loop tries to remove: one of them is first. */
struct dropper {
	struct cgroup_subsys_state *css;
	pthread_barrier_t *barrier;
};

static void *drop_last(void *arg)
{
	struct dropper *d = arg;

	pthread_barrier_wait(d->barrier);
	css_put(d->css);
	return NULL;
}

static void test_put_races_with_rmdir(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h);
	unsigned int n_busy = 0;

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct cgroup *g = mkdir_ok(hierarchy_root(h), "g");
		struct dropper d = {.css = css_of(g, i % 2 ? &a.ss : &b.ss)};
		pthread_barrier_t barrier;
		pthread_t thread;
		int err;

		assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
		d.barrier = &barrier;
		css_get(d.css);
		assert_int_equal(pthread_create(&thread, NULL, drop_last, &d), 0);
		pthread_barrier_wait(&barrier);
		while ((err = cgroup_rmdir(g)) == -EBUSY)
			n_busy++;
		assert_int_equal(err, 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		pthread_barrier_destroy(&barrier);
	}
	assert_int_equal(hierarchy_n_cgroups(h), 1);
	assert_int_equal(a.n_css, 1);
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds_removal),
		cmocka_unit_test(test_last_put_releases),
		cmocka_unit_test(test_put_and_get_again),
		cmocka_unit_test(test_tryget_while_removed),
		cmocka_unit_test(test_dropped_in_pre_destroy),
		cmocka_unit_test(test_root_reference),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_put_races_with_rmdir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
