// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The stress test: many real tasks, moved about while they fork, compared with the kernel's truth.
 *
 * The cast. Jobs: trees of processes that fork, vfork, exec (also from a thread that is not the
 * leader), start threads, fork twice to become daemons, leave zombies behind and threads without
 * their leader (worker.c). A mover moves random ones of them, thread by thread and process by
 * process, between the groups of two hierarchies (mover.c). A lister reads listings all the time, a
 * pulser lets groups of its own become idle and counts their releases (others.c).
 *
 * The truth. Each of the two ucgroup hierarchies has a twin: a named hierarchy of the kernel's own
 * cgroup v1 with the same groups. Every job enters both, forks are inherited in both, and the mover
 * makes each move in both, in random order, while the task goes on forking, execing and exiting at
 * full speed: nothing is stopped for it.
 *
 * Where the twins may differ, and what is done about it. A move in two hierarchies is two moves, and
 * a child forked between them is rightly in the new group of one and in the old group of the other;
 * likewise an exec between them that hands the tid on. Such a child notices by itself: the mover
 * writes each move into a log in shared memory before the first half and counts it as done after the
 * second; the maker notes the number of moves done before it forks; and the child's first act is to
 * look whether a move of its maker was begun since. If so it asks the mover and waits: between two
 * moves the mover compares the child's two places, demands that the moves in question explain the
 * difference, and moves it in the kernel's hierarchy to where ucgroup has it. The child does not fork
 * before that, so the difference does not spread. Every other task, and everything about threads
 * under a move of their whole process, must be equal without any help. The number of such repairs is
 * shown.
 *
 * Quiet points. The main process says "hold", and every task parks before its next fork, exec, exit;
 * tasks that wait for a child need not be told. Every task has a slot in shared memory with its tid,
 * so the main process knows when all hold still, and which tasks there are. Then it reads every
 * group's tasks and cgroup.procs, once, and compares: with the kernel's, and all groups together
 * with the slots. Equal means equal; there is no second try.
 *
 * Releases. Nothing but birth puts a task into a job's group once the job is in it, so that the group
 * becomes idle once for each job, by the exit or the move of the last one in it. The agent writes
 * down each call, and at a quiet point each group must have been released exactly as often as it has
 * become idle. A new job is put in (often after a rmdir and mkdir) only then.
 *
 * Can it fail? --sabotage moves | truth | releases breaks one thing on purpose; the test has to say
 * so, and tests/stress/run checks that it does.
 *
 * Output is TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* ---- groups ------------------------------------------------------------------------------------- */

static void add_group(enum group_kind kind, bool notify, const char *path)
{
	struct group *g = &shm->groups[shm->n_groups++];

	snprintf(g->path, sizeof(g->path), "%s", path);
	g->kind = kind;
	g->notify = notify;
}

static void list_groups(void)
{
	add_group(GROUP_ROOT, false, "");
	add_group(GROUP_SHARED, false, "shared0");
	add_group(GROUP_SHARED, false, "shared0/deep");
	add_group(GROUP_SHARED, false, "shared0/deep/deeper");
	add_group(GROUP_SHARED, true, "shared1");
	add_group(GROUP_SHARED, true, "shared2");
	add_group(GROUP_SHARED, false, "with space");
	add_group(GROUP_STEADY, true, "steady");
	for (uint32_t i = 0; i < 8; i++) {
		char path[32];

		snprintf(path, sizeof(path), "%sjob%u", i == 7 ? "shared0/" : "", i);
		shm->jobs[shm->n_jobs++].group = shm->n_groups;
		add_group(GROUP_JOB, true, path);
	}
	for (uint32_t i = 0; i < 4; i++) {
		char path[32];

		snprintf(path, sizeof(path), "pulse%u", i);
		add_group(GROUP_PULSE, true, path);
	}
}

static void make_dir(const char *base, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s/%s", base, path);
	if (mkdir(full, 0755) < 0)
		complain("mkdir %s: %s", full, strerror(errno));
}

static int remove_dir(const char *base, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s/%s", base, path);
	return rmdir(full) < 0 ? -errno : 0;
}

static void make_group(uint32_t h, uint32_t g)
{
	const struct group *group = &shm->groups[g];
	int err;

	make_dir(shm->ubase[h], group->path);
	if (group->kind != GROUP_PULSE)
		make_dir(shm->kbase[h], group->path);
	err = ucg_write(h, g, "notify_on_release", group->notify ? "1\n" : "0\n");
	if (err < 0)
		complain("notify_on_release of %s: %s", group->path, strerror(-err));
}

static void set_up(struct test *t)
{
	char agent[PATH_MAX];
	int fd;

	list_groups();
	snprintf(shm->release_file, sizeof(shm->release_file), "%s/releases", t->dir);
	fd = open(shm->release_file, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		bail_out("cannot make the file of releases");
	close(fd);
	for (uint32_t h = 0; h < N_HIER; h++) {
		int err;

		snprintf(agent, sizeof(agent), "%s/agent", t->dir);
		err = ucg_write(h, 0, "release_agent", agent);
		if (err < 0)
			complain("setting the release agent: %s", strerror(-err));
		for (uint32_t g = 1; g < shm->n_groups; g++)
			make_group(h, g);
	}
}

/* ---- jobs ----------------------------------------------------------------------------------------- */

/* The nursery makes the task, which enters the job's group and parks. */
static void start_task(struct test *t, enum script script, uint32_t job)
{
	struct slot *s;
	uint64_t deadline = now_ms() + 60000;

	atomic_fetch_add(&shm->jobs[job].started, 1);
	s = slot_new(script, NULL, job, &t->seed);
	if (!s)
		bail_out("no slot for a job");
	atomic_store(&shm->nursery, (uint32_t)(s - shm->slots) + 1);
	futex_wake(&shm->nursery);
	while (atomic_load(&s->state) < SLOT_PARKED) {
		check_daemon();
		if (now_ms() > deadline) {
			show_complaints(t);
			bail_out("a job does not start");
		}
		sleep_us(200);
	}
}

/* Fresh groups now and then; one with a task in it cannot be removed. */
static void renew_group(uint32_t h, uint32_t g)
{
	int k = remove_dir(shm->kbase[h], shm->groups[g].path);
	int u = remove_dir(shm->ubase[h], shm->groups[g].path);

	if (k || u)
		complain("rmdir of the idle %s:/%s: the kernel says %s, ucgroup %s",
			 shm->hier_name[h], shm->groups[g].path, strerror(-k), strerror(-u));
	else
		make_group(h, g);
}

static void start_jobs(struct test *t)
{
	for (uint32_t j = 0; j < shm->n_jobs; j++) {
		uint32_t g = shm->jobs[j].group;
		bool empty[N_HIER];

		for (uint32_t h = 0; h < N_HIER; h++) {
			int err;

			empty[h] = group_empty(h, g);
			if (empty[h])
				continue;
			err = remove_dir(shm->ubase[h], shm->groups[g].path);
			if (err != -EBUSY)
				complain("rmdir of the busy %s:/%s: %s", shm->hier_name[h],
					 shm->groups[g].path, strerror(-err));
		}
		if (!empty[0] || !empty[1])
			continue;
		if (atomic_load(&shm->jobs[j].started) && rnd_below(&t->seed, 2))
			for (uint32_t h = 0; h < N_HIER; h++)
				renew_group(h, g);
		start_task(t, SCRIPT_ROOT, j);
	}
}

static void stop_jobs(bool all, uint32_t *seed)
{
	for (uint32_t j = 0; j < shm->n_jobs; j++)
		if (all || rnd_below(seed, 3) == 0)
			atomic_store(&shm->jobs[j].stopped, atomic_load(&shm->jobs[j].started));
}

/* The sentinels are a job of their own, past the others, that is never stopped. */
static void start_sentinels(struct test *t)
{
	uint32_t job = shm->n_jobs;
	ssize_t n;

	for (uint32_t g = 0; g < shm->n_groups; g++)
		if (shm->groups[g].kind == GROUP_STEADY)
			shm->jobs[job].group = g;
	for (int i = 0; i < 3; i++)
		start_task(t, SCRIPT_SENTINEL, job);
	while (!all_hold_still())
		sleep_us(500);
	n = kernel_list(0, shm->jobs[job].group, "tasks", shm->steady, 16);
	if (n != 9)
		bail_out("the sentinels are not in place");
	shm->n_steady = (uint32_t)n;
}

/* Where a move in the kernel takes long, the forks must not be over before it has come to some. */
#define MOVES_AN_EPOCH 12

static void run_epoch(struct test *t, uint64_t limit)
{
	uint64_t from = atomic_load(&shm->stats.forks);
	uint32_t moves = atomic_load(&shm->moves_done);
	uint64_t stop_at = from + rnd_below(&t->seed, (uint32_t)(limit - from) + 1);
	uint64_t deadline = now_ms() + 300000;
	bool stopped = false;

	atomic_store(&shm->fork_limit, limit);
	let_go();
	for (;;) {
		uint64_t forks = atomic_load(&shm->stats.forks);

		if (!stopped && forks >= stop_at) {
			stop_jobs(false, &t->seed);
			stopped = true;
		}
		/* Only the sentinels are left: all jobs were stopped, or never got going. */
		if (atomic_load(&shm->live) <= shm->n_steady)
			break;
		if (forks >= limit && atomic_load(&shm->moves_done) - moves >= MOVES_AN_EPOCH)
			break;
		check_daemon();
		if (now_ms() > deadline)
			bail_out("the forks and moves of one epoch take more than five minutes");
		sleep_us(1000);
	}
	hold();
}

/* ---- the end -------------------------------------------------------------------------------------- */

static void end_jobs(struct test *t)
{
	uint64_t deadline = now_ms() + 60000;

	stop_jobs(true, &t->seed);
	let_go();
	while (atomic_load(&shm->live) > shm->n_steady) {
		check_daemon();
		if (now_ms() > deadline) {
			tell_who_moves();
			bail_out("the jobs do not end");
		}
		sleep_us(1000);
	}
	hold();
}

/* The sentinels end, and their group is released; then every group can be removed. */
static void tear_down(struct test *t)
{
	uint64_t counts[N_HIER][MAX_GROUPS], deadline = now_ms() + 60000;
	uint32_t steady = shm->jobs[shm->n_jobs].group;
	bool ok = true;

	atomic_store(&shm->abort, 1);
	let_go();
	for (int i = 0; i < t->n_helpers; i++)
		waitpid(t->helpers[i], NULL, 0);
	do {
		sleep_us(2000);
		releases_count(counts);
	} while ((counts[0][steady] < 1 || counts[1][steady] < 1) && now_ms() < deadline);
	result(t, counts[0][steady] == 1 && counts[1][steady] == 1,
	       "the sentinels' group is released once after they have ended");
	for (uint32_t h = 0; h < N_HIER; h++)
		for (uint32_t g = shm->n_groups - 1; g > 0; g--) {
			int err = remove_dir(shm->ubase[h], shm->groups[g].path);

			if (shm->groups[g].kind != GROUP_PULSE)
				remove_dir(shm->kbase[h], shm->groups[g].path);
			if (!err)
				continue;
			note("# rmdir %s:/%s: %s\n", shm->hier_name[h], shm->groups[g].path,
			     strerror(-err));
			ok = false;
		}
	result(t, ok, "every group can be removed afterwards");
}

/* The number after NAME in what `ucgroup stats` prints; -1: there is none. */
static long long stat_value(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	if (!p)
		return -1;
	p += strlen(name);
	p += strspn(p, "\": \t=");
	return *p >= '0' && *p <= '9' ? strtoll(p, NULL, 10) : -1;
}

static void check_stats(struct test *t)
{
	char command[PATH_MAX * 2], text[16384];
	long long rebuilds, oddities;
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command), "'%s' --instance '%s' --json stats", t->ucgroup,
		 t->instance);
	f = popen(command, "r");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (f)
		pclose(f);
	rebuilds = stat_value(text, "\"rebuilds\"");
	oddities = stat_value(text, "\"oddities\"");
	result(t, oddities == 0, "the daemon met %lld events that did not fit", oddities);
	if (t->expect_rebuilds)
		result(t, rebuilds > 0, "events were lost on purpose: %lld rebuilds", rebuilds);
	else
		result(t, rebuilds >= 0, "the daemon tells its rebuilds: %lld", rebuilds);
}

static void check_load(struct test *t)
{
	const struct stats *s = &shm->stats;
	uint64_t least = t->forks / 1000;

	note("# forks %llu: threads %llu, execs %llu (%llu by a thread that is not the leader), "
	     "vforks %llu, daemons %llu\n",
	     (unsigned long long)s->forks, (unsigned long long)s->threads,
	     (unsigned long long)s->execs, (unsigned long long)s->nonleader_execs,
	     (unsigned long long)s->vforks, (unsigned long long)s->daemons);
	note("# moves %llu of threads, %llu of processes, %llu met an exiting one; %llu tasks born "
	     "under a move, %llu of them put right\n",
	     (unsigned long long)s->moves, (unsigned long long)s->process_moves,
	     (unsigned long long)s->moves_lost, (unsigned long long)s->settled,
	     (unsigned long long)s->repaired);
	note("# looks at own forks %llu, listings %llu, of the sentinels %llu, pulses %llu (the "
	     "slowest took %llu ms)\n",
	     (unsigned long long)s->own_checks, (unsigned long long)s->listings,
	     (unsigned long long)s->steady_checks, (unsigned long long)s->pulses,
	     (unsigned long long)s->slowest_ms);
	result(t,
	       s->forks >= t->forks && s->threads > least && s->execs > least &&
		       s->nonleader_execs > 0 && s->vforks > least && s->daemons > least &&
		       s->moves > least && s->process_moves > least && s->own_checks > least &&
		       s->listings > least && s->pulses > 0,
	       "every kind of load was there");
}

/* ---- main ----------------------------------------------------------------------------------------- */

static void run_nursery(uint32_t seed)
{
	(void)seed;
	nursery_main();
}

static void start_helper(struct test *t, void (*fn)(uint32_t seed))
{
	uint32_t seed = rnd(&t->seed);
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		fn(seed);
	if (pid < 0)
		bail_out("fork");
	t->helpers[t->n_helpers++] = pid;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: stress-test --dir DIR --ucgroup PROGRAM --instance NAME --names U0,U1,K0,K1\n"
		"                   [--forks N] [--epochs N] [--live N] [--seed N]\n"
		"                   [--move-pause MICROSECONDS]\n"
		"                   [--expect-rebuilds] [--sabotage moves|truth|releases]\n"
		"DIR holds the mounts u0 u1 (ucgroup's, named U0 U1), k0 k1 (the kernel's) and the "
		"program agent.\n");
	exit(2);
}

static void set_names(const struct test *t, char *names)
{
	for (uint32_t i = 0; i < 2 * N_HIER; i++) {
		char *name = strtok(i ? NULL : names, ",");
		uint32_t h = i % N_HIER;

		if (!name)
			usage();
		snprintf(i < N_HIER ? shm->hier_name[h] : shm->kname[h], sizeof(shm->kname[h]),
			 "%s", name);
		snprintf(i < N_HIER ? shm->ubase[h] : shm->kbase[h], sizeof(shm->kbase[h]),
			 "%s/%c%u", t->dir, i < N_HIER ? 'u' : 'k', h);
	}
}

static void parse_options(struct test *t, int argc, char **argv)
{
	static const struct option options[] = {
		{"dir", required_argument, NULL, 'd'},
		{"ucgroup", required_argument, NULL, 'u'},
		{"instance", required_argument, NULL, 'i'},
		{"names", required_argument, NULL, 'n'},
		{"forks", required_argument, NULL, 'f'},
		{"epochs", required_argument, NULL, 'e'},
		{"move-pause", required_argument, NULL, 'p'},
		{"live", required_argument, NULL, 'l'},
		{"seed", required_argument, NULL, 's'},
		{"expect-rebuilds", no_argument, NULL, 'r'},
		{"sabotage", required_argument, NULL, 'x'},
		{NULL, 0, NULL, 0},
	};
	char *names = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			t->dir = optarg;
		else if (c == 'u')
			t->ucgroup = optarg;
		else if (c == 'i')
			t->instance = optarg;
		else if (c == 'n')
			names = optarg;
		else if (c == 'f')
			t->forks = strtoull(optarg, NULL, 10);
		else if (c == 'e')
			t->epochs = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'l')
			shm->max_live = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'p')
			shm->move_pause = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 's')
			t->seed = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			t->expect_rebuilds = true;
		else if (c == 'x' && !strcmp(optarg, "moves"))
			shm->sabotage_moves = 5;
		else if (c == 'x' && !strcmp(optarg, "truth"))
			t->sabotage_truth = true;
		else if (c == 'x' && !strcmp(optarg, "releases"))
			t->sabotage_releases = true;
		else
			usage();
	}
	if (!t->dir || !t->ucgroup || !t->instance || !names || !t->epochs ||
	    shm->max_live > MAX_SLOTS / 2)
		usage();
	set_names(t, names);
}

/* Then nothing that follows means anything, and much of it would wait for what cannot come. */
static bool found_sabotage(const struct test *t)
{
	if (!t->n_not_ok || !(t->sabotage_truth || t->sabotage_releases || shm->sabotage_moves))
		return false;
	everyone_ends();
	printf("1..%u\n", t->n_ok + t->n_not_ok);
	return true;
}

int main(int argc, char **argv)
{
	struct test t = {.forks = 5000, .epochs = 10, .seed = 1};
	ssize_t n;

	if (argc > 1 && !strcmp(argv[1], "--worker"))
		worker_exec_main(argc - 2, argv + 2);
	shm_create();
	shm->max_live = 300;
	shm->move_pause = 1000;
	shm->main_pid = getpid();
	n = readlink("/proc/self/exe", shm->self, sizeof(shm->self) - 1);
	if (n < 0)
		bail_out("readlink /proc/self/exe");
	parse_options(&t, argc, argv);
	set_up(&t);
	atomic_store(&shm->hold, 1);
	start_helper(&t, run_nursery);
	snprintf(shm->instance, sizeof(shm->instance), "%s", t.instance);
	start_helper(&t, mover_main);
	start_helper(&t, lister_main);
	start_helper(&t, pulser_main);
	start_sentinels(&t);
	start_jobs(&t);
	show_complaints(&t);
	result(&t, t.complaints_shown == 0, "the groups are made, the jobs are in them");

	for (uint32_t e = 1; e <= t.epochs; e++) {
		char when[32];

		run_epoch(&t, t.forks * e / t.epochs);
		check_membership(&t, e);
		if (found_sabotage(&t))
			return 1;
		snprintf(when, sizeof(when), "quiet point %u", e);
		check_releases(&t, when);
		if (found_sabotage(&t))
			return 1;
		start_jobs(&t);
	}
	end_jobs(&t);
	check_membership(&t, t.epochs + 1);
	sleep_us(300000);
	check_releases(&t, "at the end");
	check_load(&t);
	check_stats(&t);
	tear_down(&t);
	printf("1..%u\n", t.n_ok + t.n_not_ok);
	return t.n_not_ok ? 1 : 0;
}
