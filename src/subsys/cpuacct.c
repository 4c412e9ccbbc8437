// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuacct - CPU time of tasks while they are members.
 *
 * Nothing runs while tasks run. What a task used before it came is its `base`, and is subtracted;
 * what it used up to the moment it leaves is charged then, to the cgroup and to all above it; what
 * the living have used is read from the kernel when somebody asks. A task that exits is charged
 * when its time is final, which is some time after its exit: until then it is `leaving`.
 *
 * So for a cgroup: usage = charged + (live members below it) + (leaving ones below it) - reset.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include <stdio.h>
#include <uthash.h>

#include <subsys/builtin.h>

#define LOAD_MS 10000 /* an interval of `load` */

struct times {
	uint64_t runtime, user, system; /* ns */
};

struct acct {
	struct cgroup_subsys_state css;
	struct times charged; /* by those that left or died, here and below */
	struct times reset;   /* usage when 0 was written */
	struct times live;    /* while the load is measured */
	uint64_t load_from;   /* runtime at the start of the running interval */
	unsigned int load;    /* percent of one CPU over the last full one */
};

/* A member that had used CPU time before it came. */
struct base {
	pid_t tid;
	struct times times;
	UT_hash_handle hh;
};

struct leaving {
	LIST_ENTRY(leaving) link;
	struct acct *acct;
	pid_t tid;
	uint64_t key;
	struct times base, seen;
};

struct cpuacct {
	struct base *bases; /* by tid */
	LIST_HEAD(, leaving) leaving;
	uint64_t exits; /* so that one in the middle of a sum is noticed */
};

static struct cpuacct *state(const struct cgroup_subsys *ss)
{
	return ss->private_data;
}

static struct acct *acct_of(const struct cgroup *cgrp, const struct cgroup_subsys *ss)
{
	return (struct acct *)css_of(cgrp, ss);
}

/* ---- sums ------------------------------------------------------------------------------------- */

static struct times from_kernel(const struct cgroup_cputime *t)
{
	return (struct times){.runtime = t->runtime_ns, .user = t->user_ns, .system = t->system_ns};
}

static void add(struct times *sum, const struct times *t)
{
	sum->runtime += t->runtime;
	sum->user += t->user;
	sum->system += t->system;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct times minus(const struct times *a, const struct times *b)
{
	return (struct times){.runtime = less(a->runtime, b->runtime),
			      .user = less(a->user, b->user),
			      .system = less(a->system, b->system)};
}

static void charge(struct acct *acct, const struct times *t)
{
	struct cgroup_subsys *ss = acct->css.subsys;

	for (struct cgroup *c = acct->css.cgroup; c; c = cgroup_parent(c))
		add(&acct_of(c, ss)->charged, t);
}

static struct base *find_base(const struct cgroup_subsys *ss, pid_t tid)
{
	struct base *b;

	HASH_FIND_INT(state(ss)->bases, &tid, b);
	return b;
}

static void drop_base(const struct cgroup_subsys *ss, pid_t tid)
{
	struct base *b = find_base(ss, tid);

	if (!b)
		return;
	HASH_DEL(state(ss)->bases, b);
	free(b);
}

/* Adds what the live tasks of CGRP itself have used here. */
static int add_living(struct cgroup_subsys *ss, struct cgroup *cgrp, struct times *sum)
{
	const struct cgroup_task *task;
	struct cgroup_cputime *cputimes = NULL;
	struct cgroup_iter it;
	pid_t *tids = NULL;
	size_t n = 0;
	int err = cgroup_iter_start(cgrp, &it);

	if (err)
		return err;
	tids = calloc(it.n + 1, sizeof(*tids));
	cputimes = calloc(it.n + 1, sizeof(*cputimes));
	while ((task = cgroup_iter_next(&it)) && tids)
		tids[n++] = task->tid;
	cgroup_iter_end(&it);
	err = tids && cputimes ? cgroup_cputimes(ss, tids, n, cputimes) : -ENOMEM;
	for (size_t i = 0; i < n && !err; i++) {
		struct times t = from_kernel(&cputimes[i]);
		const struct base *b = find_base(ss, tids[i]);

		if (!cputimes[i].alive) {
			state(ss)->exits++; /* its exit will be told: sum again */
			continue;
		}
		if (b)
			t = minus(&t, &b->times);
		add(sum, &t);
	}
	free(tids);
	free(cputimes);
	return err;
}

static struct cgroup *next_below(struct cgroup *at, const struct cgroup *top)
{
	struct cgroup *next = cgroup_first_child(at);

	while (!next && at != top) {
		next = cgroup_next_sibling(at);
		at = cgroup_parent(at);
	}
	return next;
}

/*
 * The root counts all tasks of the system, as the kernel's does; those outside every group are
 * known in clock ticks only.
 */
static int system_times(struct times *sum)
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq;
	uint64_t tick = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);
	FILE *f = fopen("/proc/stat", "re");
	int n;

	*sum = (struct times){0};
	if (!f)
		return -errno;
	n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
		   &iowait, &irq, &softirq);
	fclose(f);
	if (n != 7)
		return -EIO;
	sum->user = (user + nice) * tick;
	sum->system = (system + irq + softirq) * tick;
	sum->runtime = sum->user + sum->system;
	return 0;
}

static int add_all_living(struct cgroup_subsys *ss, struct cgroup *cgrp, struct times *sum)
{
	for (struct cgroup *c = cgrp; c; c = next_below(c, cgrp)) {
		int err = add_living(ss, c, sum);

		if (err)
			return err;
	}
	return 0;
}

/* All that was used in CGRP and below, ever. */
static int total(struct cgroup_subsys *ss, struct cgroup *cgrp, struct times *sum)
{
	struct leaving *l;
	uint64_t exits;
	int tries = 8;

	*sum = (struct times){0};
	if (!cgroup_parent(cgrp))
		return system_times(sum);
	/* Who exits between being asked as a living one and as a leaving one is counted wrongly. */
	do {
		int err;

		cgroup_reap(ss);
		exits = state(ss)->exits;
		*sum = (struct times){0};
		err = add_all_living(ss, cgrp, sum);
		if (err)
			return err;
	} while (exits != state(ss)->exits && --tries);
	add(sum, &acct_of(cgrp, ss)->charged);
	LIST_FOREACH(l, &state(ss)->leaving, link) {
		struct times t = minus(&l->seen, &l->base);

		if (cgroup_is_descendant(l->acct->css.cgroup, cgrp))
			add(sum, &t);
	}
	return 0;
}

/* Ticks tell user from system, the scheduler how much it was together. */
static void scale(struct times *t)
{
	uint64_t ticks = t->user + t->system;

	t->user = ticks ? (uint64_t)((__uint128_t)t->runtime * t->user / ticks) : t->runtime;
	t->system = t->runtime - t->user;
}

/* ---- life of cgroups and tasks ---------------------------------------------------------------- */

static int cpuacct_create(struct cgroup_subsys *ss, struct cgroup *cgrp,
			  struct cgroup_subsys_state **css)
{
	struct acct *acct = calloc(1, sizeof(*acct));

	if (acct && !ss->private_data)
		ss->private_data = calloc(1, sizeof(struct cpuacct));
	if (!acct || !ss->private_data) {
		free(acct);
		return -ENOMEM;
	}
	(void)cgrp;
	*css = &acct->css;
	return 0;
}

static void cpuacct_destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
{
	struct acct *acct = acct_of(cgrp, ss);
	struct leaving *l, *next;

	/* Those still on their way out are the parent's to count from here on. */
	for (l = LIST_FIRST(&state(ss)->leaving); l; l = next) {
		next = LIST_NEXT(l, link);
		if (l->acct != acct)
			continue;
		if (cgroup_parent(cgrp)) {
			l->acct = acct_of(cgroup_parent(cgrp), ss);
		} else {
			LIST_REMOVE(l, link);
			free(l);
		}
	}
	free(acct);
	if (cgroup_parent(cgrp))
		return;
	while (state(ss)->bases)
		drop_base(ss, state(ss)->bases->tid);
	free(ss->private_data);
	ss->private_data = NULL;
}

/* The time is split at the moment of the move, which is now. */
static void cpuacct_attach(struct cgroup_subsys *ss, struct cgroup *cgrp, struct cgroup *old,
			   const struct cgroup_task *task)
{
	struct base *b = find_base(ss, task->tid);
	struct cgroup_cputime now;
	struct times t;

	if (cgroup_cputimes(ss, &task->tid, 1, &now) || !now.alive)
		return; /* its exit is told next, and what it used is charged where it is now */
	t = from_kernel(&now);
	if (cgroup_parent(old)) {
		struct times used = b ? minus(&t, &b->times) : t;

		charge(acct_of(old, ss), &used);
	}
	if (!cgroup_parent(cgrp)) {
		drop_base(ss, task->tid);
		return;
	}
	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return;
		b->tid = task->tid;
		HASH_ADD_INT(state(ss)->bases, tid, b);
	}
	b->times = t;
}

/* The analyzer does not see that a table with an entry is there. */
/* NOLINTBEGIN(clang-analyzer-core.NullDereference) */
static void cpuacct_retid(struct cgroup_subsys *ss, pid_t old, const struct cgroup_task *task)
{
	struct base *b = find_base(ss, old);

	drop_base(ss, task->tid);
	if (!b)
		return;
	HASH_DEL(state(ss)->bases, b);
	b->tid = task->tid;
	HASH_ADD_INT(state(ss)->bases, tid, b);
}
/* NOLINTEND(clang-analyzer-core.NullDereference) */

static void cpuacct_exit(struct cgroup_subsys *ss, const struct cgroup_task *task)
{
	struct cgroup *cgrp = task_cgroup(task, ss);
	struct base *b = find_base(ss, task->tid);
	struct leaving *l;

	state(ss)->exits++;
	/* In the root nobody is counted one by one. */
	l = task->key && cgroup_parent(cgrp) ? calloc(1, sizeof(*l)) : NULL;
	if (l) {
		l->acct = acct_of(cgrp, ss);
		l->tid = task->tid;
		l->key = task->key;
		if (b)
			l->base = l->seen = b->times;
		LIST_INSERT_HEAD(&state(ss)->leaving, l, link);
	}
	drop_base(ss, task->tid);
}

static void cpuacct_cputime(struct cgroup_subsys *ss, const struct cgroup_task *task,
			    const struct cgroup_cputime *time, bool last)
{
	struct leaving *l;

	LIST_FOREACH(l, &state(ss)->leaving, link)
		if (l->tid == task->tid && l->key == task->key)
			break;
	if (!l)
		return;
	l->seen = from_kernel(time);
	if (last) {
		struct times used = minus(&l->seen, &l->base);

		charge(l->acct, &used);
		LIST_REMOVE(l, link);
		free(l);
	}
}

/* ---- load ------------------------------------------------------------------------------------- */

static void add_upwards(struct cgroup_subsys *ss, struct cgroup *cgrp, const struct times *t)
{
	for (struct cgroup *c = cgrp; c && t->runtime; c = cgroup_parent(c))
		add(&acct_of(c, ss)->live, t);
}

/* One walk for all cgroups: what each has, its ancestors have. */
static void cpuacct_tick(struct cgroup_subsys *ss)
{
	static const struct cgroup_task nobody;
	struct cgroup *root = task_cgroup(&nobody, ss);
	struct leaving *l;

	cgroup_reap(ss);
	for (struct cgroup *c = next_below(root, root); c; c = next_below(c, root)) {
		struct times t = {0};

		if (!add_living(ss, c, &t))
			add_upwards(ss, c, &t);
	}
	LIST_FOREACH(l, &state(ss)->leaving, link) {
		struct times t = minus(&l->seen, &l->base);

		add_upwards(ss, l->acct->css.cgroup, &t);
	}
	for (struct cgroup *c = root; c; c = next_below(c, root)) {
		struct acct *acct = acct_of(c, ss);
		struct times t = acct->charged;

		add(&t, &acct->live);
		if (!cgroup_parent(c))
			system_times(&t);
		acct->load = (unsigned int)(less(t.runtime, acct->load_from) /
					    (LOAD_MS * (1000000ull / 100)));
		acct->load_from = t.runtime;
		acct->live = (struct times){0};
	}
}

/* ---- files ------------------------------------------------------------------------------------ */

enum { ALL, USER, SYSTEM };

static int used(struct cgroup *cgrp, struct times *t)
{
	struct cgroup_subsys *ss = &cpuacct_subsys;
	int err;

	*t = (struct times){0};
	err = total(ss, cgrp, t);
	if (!err)
		*t = minus(t, &acct_of(cgrp, ss)->reset);
	return err;
}

static int read_usage(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	struct times t;
	int err = used(cgrp, &t);

	if (err)
		return err;
	scale(&t);
	*val = cft->private_value == USER   ? t.user :
	       cft->private_value == SYSTEM ? t.system :
					      t.runtime;
	return 0;
}

static int write_usage(struct cgroup *cgrp, const struct cftype *cft, uint64_t val)
{
	struct times t;
	int err;

	(void)cft;
	if (val)
		return -EINVAL;
	err = total(&cpuacct_subsys, cgrp, &t);
	if (!err)
		acct_of(cgrp, &cpuacct_subsys)->reset = t;
	return err;
}

static int read_stat(struct cgroup_file *file, struct cgroup_seq *seq)
{
	uint64_t tick = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);
	struct times t;
	int err = used(file->cgrp, &t);

	if (err)
		return err;
	scale(&t);
	cgroup_seq_printf(seq, "user %llu\nsystem %llu\n", (unsigned long long)(t.user / tick),
			  (unsigned long long)(t.system / tick));
	return 0;
}

static int read_load(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cft;
	*val = acct_of(cgrp, &cpuacct_subsys)->load;
	return 0;
}

static const struct cftype cpuacct_files[] = {
	{
		.name = "usage",
		.private_value = ALL,
		.read_u64 = read_usage,
		.write_u64 = write_usage,
	},
	{
		.name = "usage_user",
		.private_value = USER,
		.read_u64 = read_usage,
	},
	{
		.name = "usage_sys",
		.private_value = SYSTEM,
		.read_u64 = read_usage,
	},
	{
		.name = "stat",
		.read_seq = read_stat,
	},
	{
		.name = "load",
		.read_u64 = read_load,
	},
	{.name = NULL},
};

struct cgroup_subsys cpuacct_subsys = {
	.name = "cpuacct",
	.cftypes = cpuacct_files,
	.create = cpuacct_create,
	.destroy = cpuacct_destroy,
	.attach = cpuacct_attach,
	.exit = cpuacct_exit,
	.retid = cpuacct_retid,
	.cputime = cpuacct_cputime,
	.tick = cpuacct_tick,
	.tick_ms = LOAD_MS,
};
