// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_cpuset.c - cpuset in a made-up world: CPUs and memory nodes that come and go, pages that
 * follow, what is copied, and what members run on.
 */
#include <subsys/builtin.h>
#include <subsys/cpuset.h>

#include "helpers.h"

#define N_TIDS 64
#define NEWS_FD 1000 /* never used as one */

/* A machine of 8 possible CPUs and 4 possible nodes. */
static struct {
	struct mask cpus, mems; /* online */
	bool news, listening;
	void (*on_news)(void *arg, int fd);
	void *on_news_arg;
	struct mask has[N_TIDS];	    /* what each task may run on */
	struct task_affinity knows[N_TIDS]; /* what the tracker knows of it */
	int set_err;
	char migrated[1024];
} sys;

static struct mask list(const char *text)
{
	struct mask m;

	assert_int_equal(mask_parse(&m, text, MASK_BITS), 0);
	return m;
}

static int fake_sizes(void *arg, unsigned int *n_cpus, unsigned int *n_nodes)
{
	(void)arg;
	*n_cpus = 8;
	*n_nodes = 4;
	return 0;
}

static int fake_online(void *arg, struct mask *cpus, struct mask *mems)
{
	(void)arg;
	*cpus = sys.cpus;
	*mems = sys.mems;
	return 0;
}

static int fake_get_affinity(void *arg, pid_t tid, struct mask *cpus)
{
	(void)arg;
	mask_and(cpus, &sys.has[tid], &sys.cpus);
	return 0;
}

static int fake_set_affinity(void *arg, pid_t tid, const struct mask *cpus)
{
	(void)arg;
	if (sys.set_err)
		return sys.set_err;
	if (!mask_intersects(cpus, &sys.cpus))
		return -EINVAL; /* as the kernel does */
	sys.has[tid] = *cpus;
	memcpy(sys.knows[tid].user, cpus, sizeof(*cpus));
	sys.knows[tid].has_user = true;
	return 0;
}

static void fake_migrate(void *arg, pid_t tgid, const struct mask *from, const struct mask *to)
{
	char a[64], b[64];
	size_t len = strlen(sys.migrated);

	(void)arg;
	snprintf(sys.migrated + len, sizeof(sys.migrated) - len, "%d from %s to %s; ", (int)tgid,
		 mask_print(from, a, sizeof(a)), mask_print(to, b, sizeof(b)));
}

static int fake_hotplug_open(void *arg)
{
	(void)arg;
	return sys.listening ? NEWS_FD : -ENOTSUP;
}

static bool fake_hotplug_news(void *arg, int fd)
{
	bool news = sys.news;

	(void)arg;
	(void)fd;
	sys.news = false;
	return news;
}

static const struct cpuset_world machine = {
	.sizes = fake_sizes,
	.online = fake_online,
	.get_affinity = fake_get_affinity,
	.set_affinity = fake_set_affinity,
	.migrate = fake_migrate,
	.hotplug_open = fake_hotplug_open,
	.hotplug_news = fake_hotplug_news,
};

/* ---- the tracker's part ------------------------------------------------------------------------- */

static int op_watch(void *arg, unsigned int events)
{
	(void)arg;
	(void)events;
	return 0;
}

static int op_begin(void *arg, pid_t tid, struct task_affinity *aff)
{
	(void)arg;
	*aff = sys.knows[tid];
	memcpy(aff->now, &sys.has[tid], sizeof(aff->now));
	return 0;
}

static int op_end(void *arg, pid_t tid, const struct task_affinity *aff)
{
	struct task_affinity *k = &sys.knows[tid];

	(void)arg;
	k->has_asked = aff->has_asked;
	memcpy(k->asked, aff->asked, sizeof(k->asked));
	k->in_question = false;
	return 0;
}

static int op_mark(void *arg, pid_t tid, const struct task_affinity *asked)
{
	struct task_affinity *k = &sys.knows[tid];

	(void)arg;
	if (asked) {
		k->has_asked = asked->has_asked;
		memcpy(k->asked, asked->asked, sizeof(k->asked));
	}
	k->in_question = true;
	return 0;
}

static int op_watch_fd(void *arg, int fd, void (*fn)(void *fn_arg, int fd), void *fn_arg)
{
	(void)arg;
	if (fd != NEWS_FD)
		return 0; /* a timer */
	sys.on_news = fn;
	sys.on_news_arg = fn_arg;
	return 0;
}

/* ---- what the tests are made of ------------------------------------------------------------------ */

static struct fake_world *world(struct hierarchy **h, bool listening)
{
	struct fake_world *fw = fw_alloc(256);

	memset(&sys, 0, sizeof(sys));
	sys.cpus = list("0-3");
	sys.mems = list("0-1");
	sys.listening = listening;
	for (int tid = 0; tid < N_TIDS; tid++)
		sys.has[tid] = list("0-7");
	fw->ops.watch = op_watch;
	fw->ops.affinity_begin = op_begin;
	fw->ops.affinity_end = op_end;
	fw->ops.affinity_mark = op_mark;
	fw->ops.watch_fd = op_watch_fd;
	fw_start(fw);
	cpuset_subsys.private_data = (void *)&machine;
	assert_int_equal(core_register_subsys(fw->core, &cpuset_subsys), 0);
	*h = mount_ok(fw, "cpuset");
	for (pid_t tid = 10; tid < 14; tid++)
		fw_spawn(fw, tid, 10);
	fw_spawn(fw, 20, 20);
	return fw;
}

static struct cgroup *make(struct cgroup *parent, const char *name, const char *cpus,
			   const char *mems)
{
	struct cgroup *cgrp = mkdir_ok(parent, name);

	write_ok(cgrp, "cpuset.cpus", cpus);
	write_ok(cgrp, "cpuset.mems", mems);
	return cgrp;
}

/* The machine changes; LISTENING: cpuset hears of it, else it finds out when it is used. */
static void go_online(bool listening, const char *cpus, const char *mems)
{
	sys.cpus = list(cpus);
	sys.mems = list(mems);
	if (!listening)
		return;
	sys.news = true;
	assert_non_null(sys.on_news);
	sys.on_news(sys.on_news_arg, NEWS_FD);
}

#define assert_runs_on(tid, text)                                                                  \
	do {                                                                                       \
		struct mask want_ = list(text), runs_on_;                                          \
		char got_[64];                                                                     \
		fake_get_affinity(NULL, tid, &runs_on_);                                           \
		if (!mask_equal(&runs_on_, &want_))                                                \
			fail_msg("task %d runs on %s, not %s", tid,                                \
				 mask_print(&runs_on_, got_, sizeof(got_)), text);                 \
	} while (0)

/* It asks, as sched_setaffinity() does for it, and the tracker tells. */
static void ask(struct fake_world *fw, pid_t tid, const char *cpus)
{
	struct mask m = list(cpus);

	fake_set_affinity(NULL, tid, &m);
	sys.knows[tid].has_asked = true;
	memcpy(sys.knows[tid].asked, &m, sizeof(m));
	sys.knows[tid].in_question = true;
	core_affinity_changed(fw->core, tid, CGROUP_AFFINITY_GIVEN);
	core_settle(fw->core);
}

/* ---- hotplug ------------------------------------------------------------------------------------ */

static void check_cpu_goes(bool listening)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, listening);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-1", "0");
	struct cgroup *b = make(a, "b", "1", "0"), *c = make(root, "c", "2-3", "0-1");

	assert_int_equal(core_attach_process(b, 10, &root_cred), 0);
	attach_ok(c, 20);
	assert_runs_on(11, "1");
	go_online(listening, "0,2-3", "0-1");
	if (!listening)
		assert_reads(root, "cpuset.cpus", "0,2-3\n");
	/* it leaves every cpuset, and the tasks of an emptied one go up */
	assert_no_tasks(b);
	assert_tasks(a, 10, 11, 12, 13);
	assert_runs_on(11, "0");
	assert_reads(a, "cpuset.cpus", "0\n");
	assert_reads(a, "cpuset.effective_cpus", "0\n");
	assert_reads(b, "cpuset.cpus", "\n");
	assert_reads(c, "cpuset.cpus", "2-3\n");
	assert_int_equal(core_attach_task(b, 20, &root_cred), -ENOSPC);
	/* what comes is in the root alone */
	go_online(listening, "0-4", "0-1");
	assert_reads(root, "cpuset.cpus", "0-4\n");
	assert_reads(a, "cpuset.cpus", "0\n");
	assert_reads(b, "cpuset.cpus", "\n");
	write_ok(a, "cpuset.cpus", "0-1,4");
	assert_runs_on(11, "0-1,4");
	fw_free(fw);
}

static void test_cpu_goes(void **state)
{
	(void)state;
	check_cpu_goes(true);
	check_cpu_goes(false);
}

/* Two levels are emptied at once: up to the first that has some, here the root. */
static void test_all_go(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "2-3", "0");
	struct cgroup *b = make(a, "b", "3", "0"), *c = make(root, "c", "0", "0");

	(void)state;
	attach_ok(b, 20);
	attach_ok(c, 11);
	attach_ok(a, 12);
	go_online(true, "0-1", "0-1");
	assert_tasks(root, 10, 12, 13, 20);
	assert_tasks(c, 11);
	assert_runs_on(20, "0-1");
	assert_runs_on(12, "0-1");
	assert_runs_on(11, "0");
	/* with CPU 0 alone, c leaves out none any more: its member has what it asked for, all */
	go_online(true, "0", "0-1");
	assert_runs_on(11, "0");
	go_online(true, "0-3", "0-1");
	assert_runs_on(11, "0");
	assert_runs_on(20, "0-3");
	fw_free(fw);
}

#define assert_has(tid, text)                                                                      \
	do {                                                                                       \
		struct mask want_ = list(text);                                                    \
		char got_[64];                                                                     \
		if (!mask_equal(&sys.has[tid], &want_))                                            \
			fail_msg("task %d has %s, not %s", tid,                                    \
				 mask_print(&sys.has[tid], got_, sizeof(got_)), text);             \
	} while (0)

/* A CPU that has left a cpuset is not its members' for the moment at which it comes back. */
static void test_gone_for_members(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-1", "0");

	(void)state;
	attach_ok(a, 20);
	assert_has(20, "0-1");
	go_online(true, "0,2-3", "0-1");
	assert_has(20, "0");
	/* nor is it with who enters meanwhile */
	sys.has[11] = list("0-1");
	attach_ok(a, 11);
	assert_has(11, "0");
	fw_free(fw);
}

/* What a task has asked for cannot be given back while all of it is offline: it gets all. */
static void test_wish_is_offline(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "2-3", "0");
	struct cgroup *b = make(root, "b", "0,3", "0");
	unsigned int n_messages = fw->n_messages;

	(void)state;
	ask(fw, 20, "3");
	ask(fw, 11, "3");
	attach_ok(a, 20);
	attach_ok(b, 11);
	assert_runs_on(20, "3");
	assert_runs_on(11, "3");
	go_online(true, "0-2", "0-1");
	assert_runs_on(20, "2");
	assert_runs_on(11, "0");
	/* it leaves the emptied one with all CPUs, and not with that one's last */
	go_online(true, "0-1", "0-1");
	assert_tasks(root, 10, 12, 13, 20);
	assert_has(20, "0-7");
	assert_runs_on(11, "0");
	/* and so does the member of one that leaves out none any more */
	go_online(true, "0", "0-1");
	assert_has(11, "0-7");
	go_online(true, "0-3", "0-1");
	assert_runs_on(11, "0");
	write_ok(b, "cpuset.cpus", "0,3");
	assert_runs_on(11, "0,3");
	assert_runs_on(20, "0-3");
	assert_int_equal(fw->n_messages, n_messages);
	fw_free(fw);
}

static void test_node_goes(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-1", "0-1");
	struct cgroup *b = make(a, "b", "0", "1");

	(void)state;
	write_ok(a, "cpuset.memory_migrate", "1");
	attach_ok(b, 20);
	go_online(true, "0-3", "0");
	assert_reads(a, "cpuset.mems", "0\n");
	assert_reads(b, "cpuset.effective_mems", "\n");
	assert_tasks(a, 20);
	assert_string_equal(sys.migrated, "");
	assert_runs_on(20, "0-1");
	fw_free(fw);
}

/* ---- memory ------------------------------------------------------------------------------------- */

static void test_migrate(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-3", "0");
	struct cgroup *b = make(root, "b", "0-3", "1");

	(void)state;
	assert_int_equal(core_attach_process(a, 10, &root_cred), 0);
	attach_ok(a, 20);
	write_ok(a, "cpuset.mems", "1");
	assert_string_equal(sys.migrated, "");
	write_ok(a, "cpuset.memory_migrate", "1");
	assert_string_equal(sys.migrated, "");
	write_ok(a, "cpuset.mems", "0");
	/* each process at least once, from where it was */
	assert_non_null(strstr(sys.migrated, "10 from 1 to 0; "));
	assert_non_null(strstr(sys.migrated, "20 from 1 to 0; "));
	sys.migrated[0] = '\0';
	write_ok(a, "cpuset.mems", "0");
	assert_string_equal(sys.migrated, "");
	/* on entry, with the leader, if the entered one says so */
	attach_ok(b, 20);
	assert_string_equal(sys.migrated, "");
	attach_ok(a, 20);
	assert_string_equal(sys.migrated, "20 from 1 to 0; ");
	sys.migrated[0] = '\0';
	write_ok(b, "cpuset.memory_migrate", "1");
	attach_ok(b, 11);
	assert_string_equal(sys.migrated, "");
	attach_ok(b, 10);
	assert_string_equal(sys.migrated, "10 from 0 to 1; ");
	fw_free(fw);
}

/* ---- copies ------------------------------------------------------------------------------------- */

static void test_post_clone(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "1-2", "1"), *b, *c;

	(void)state;
	b = mkdir_ok(a, "b");
	assert_reads(b, "cpuset.cpus", "\n");
	write_ok(a, "cgroup.clone_children", "1");
	c = mkdir_ok(a, "c");
	assert_reads(c, "cpuset.cpus", "1-2\n");
	assert_reads(c, "cpuset.mems", "1\n");
	assert_reads(c, "cgroup.clone_children", "1\n");
	attach_ok(c, 20);
	assert_runs_on(20, "1-2");
	/* beside an exclusive one there is nothing to copy */
	write_ok(b, "cpuset.cpu_exclusive", "0");
	write_ok(a, "cpuset.cpu_exclusive", "1");
	write_ok(b, "cpuset.cpu_exclusive", "1");
	c = mkdir_ok(a, "d");
	assert_reads(c, "cpuset.cpus", "\n");
	fw_free(fw);
}

/* ---- members ------------------------------------------------------------------------------------ */

static void test_wishes(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-1", "0");
	struct cgroup *b = make(root, "b", "1-3", "0");

	(void)state;
	ask(fw, 20, "1-2");
	attach_ok(a, 20);
	assert_runs_on(20, "1");
	attach_ok(b, 20);
	assert_runs_on(20, "1-2");
	/* more than it may, less than it may, nothing of what it may */
	ask(fw, 20, "0-7");
	assert_runs_on(20, "1-3");
	ask(fw, 20, "3");
	assert_runs_on(20, "3");
	ask(fw, 20, "0");
	assert_runs_on(20, "1-3");
	write_ok(b, "cpuset.cpus", "0-2");
	assert_runs_on(20, "0");
	attach_ok(root, 20);
	assert_runs_on(20, "0");
	assert_runs_on(11, "0-3");
	attach_ok(a, 11);
	attach_ok(root, 11);
	assert_runs_on(11, "0-3");
	fw_free(fw);
}

/*
 * It was born in the root while its maker came back there, by a fork that had begun in another
 * cpuset: it has that one's CPUs, and is moved on before anybody dealt with it.
 */
static void test_in_question_when_moved(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-1", "0");

	(void)state;
	sys.has[20] = list("2");
	sys.knows[20].in_question = sys.knows[20].has_user = true;
	sys.knows[20].user[0] = 0xff; /* its maker's, as the tracker tells */
	attach_ok(a, 20);
	assert_runs_on(20, "0-1");
	attach_ok(root, 20);
	assert_runs_on(20, "0-3");
	/* not in question, it is its own */
	sys.has[11] = list("2");
	sys.knows[11].has_user = true;
	sys.knows[11].user[0] = 4;
	attach_ok(a, 11);
	assert_runs_on(11, "0-1");
	attach_ok(root, 11);
	assert_runs_on(11, "2");
	fw_free(fw);
}

/* The tracker had no room to tell of whom: members are looked at, and whoever is in question. */
static void test_lost(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-1", "0");
	struct cgroup *b = make(root, "b", "0-3", "0");

	(void)state;
	attach_ok(a, 11);
	attach_ok(b, 12);
	sys.has[11] = list("0-3");
	sys.has[12] = sys.has[13] = sys.has[20] = list("1");
	for (pid_t tid = 12; tid <= 13; tid++) {
		sys.knows[tid].in_question = sys.knows[tid].has_user = true;
		sys.knows[tid].user[0] = 0xff;
	}
	core_affinity_changed(fw->core, 0, CGROUP_AFFINITY_GIVEN_BY_OTHER);
	core_settle(fw->core);
	assert_runs_on(11, "0-1");
	assert_runs_on(12, "0-3");
	assert_runs_on(13, "0-3");
	assert_runs_on(20, "1"); /* as it likes */
	fw_free(fw);
}

/* A kernel that cannot tell for whom somebody else asked: what it notes of the last request counts. */
static void test_asked_untold(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-2", "0");
	static const char *const asked[] = {"1", "2", "0-1", "1", "3", "0-7"};
	static const char *const given[] = {"1", "2", "0-1", "1", "0-2", "0-2"};

	(void)state;
	attach_ok(a, 20);
	attach_ok(a, 11);
	ask(fw, 11, "0");
	for (size_t i = 0; i < 6; i++) {
		struct mask m = list(asked[i]);

		fake_set_affinity(NULL, 20, &m);
		core_affinity_changed(fw->core, 0, CGROUP_AFFINITY_GIVEN_BY_OTHER);
		core_settle(fw->core);
		assert_has(20, given[i]);
		assert_has(11, "0");
	}
	attach_ok(root, 20);
	assert_has(20, "0-7");
	fw_free(fw);
}

/* A kernel's own cpuset may leave it none of the CPUs. */
static void test_disobedient(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-1", "0");
	unsigned int n_messages = fw->n_messages;

	(void)state;
	sys.set_err = -EINVAL;
	attach_ok(a, 20);
	assert_tasks(a, 20);
	assert_int_equal(fw->n_messages, n_messages + 1);
	assert_non_null(strstr(fw->last_message, "task 20 cannot be put on CPUs 0-1"));
	attach_ok(a, 11);
	assert_int_equal(fw->n_messages, n_messages + 1);
	fw_free(fw);
}

static void test_empty(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = mkdir_ok(root, "a");

	(void)state;
	assert_int_equal(core_attach_task(a, 20, &root_cred), -ENOSPC);
	write_ok(a, "cpuset.cpus", "0");
	assert_int_equal(core_attach_task(a, 20, &root_cred), -ENOSPC);
	write_ok(a, "cpuset.mems", "0");
	attach_ok(a, 20);
	assert_int_equal(write_text(a, "cpuset.cpus", "\n"), -ENOSPC);
	assert_int_equal(write_text(a, "cpuset.mems", "\n"), -ENOSPC);
	attach_ok(root, 20);
	write_ok(a, "cpuset.cpus", "\n");
	fw_free(fw);
}

/* What only the kernel can do is said once a file. */
static void test_without_effect(void **state)
{
	struct hierarchy *h;
	struct fake_world *fw = world(&h, true);
	struct cgroup *root = hierarchy_root(h), *a = make(root, "a", "0-1", "0-1");
	unsigned int n = fw->n_messages;

	(void)state;
	write_ok(a, "cpuset.mems", "0");
	assert_int_equal(fw->n_messages, ++n);
	assert_non_null(strstr(fw->last_message, "cpuset.mems was set: it is kept, but has no"));
	write_ok(a, "cpuset.mem_hardwall", "1");
	write_ok(a, "cpuset.memory_spread_page", "1");
	write_ok(a, "cpuset.memory_spread_slab", "1");
	write_ok(a, "cpuset.sched_load_balance", "0");
	write_ok(a, "cpuset.sched_relax_domain_level", "1");
	assert_int_equal(fw->n_messages, n += 5);
	write_ok(a, "cpuset.mem_hardwall", "0");
	write_ok(a, "cpuset.memory_migrate", "1");
	write_ok(a, "cpuset.cpu_exclusive", "1");
	assert_int_equal(fw->n_messages, n);
	assert_int_equal(write_text(root, "cpuset.memory_pressure_enabled", "1"), -EOPNOTSUPP);
	assert_reads(root, "cpuset.memory_pressure_enabled", "0\n");
	assert_reads(a, "cpuset.memory_pressure", "0\n");
	fw_free(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu_goes),
		cmocka_unit_test(test_all_go),
		cmocka_unit_test(test_gone_for_members),
		cmocka_unit_test(test_wish_is_offline),
		cmocka_unit_test(test_node_goes),
		cmocka_unit_test(test_migrate),
		cmocka_unit_test(test_post_clone),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_in_question_when_moved),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_asked_untold),
		cmocka_unit_test(test_disobedient),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_without_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
