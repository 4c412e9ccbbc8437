// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset-tasks DIR N: the affinity of real tasks in the cpuset hierarchy mounted on DIR: what they get
 * on entry, on a change, after they took more, from their makers, and back when they leave. DIR is a
 * lone root when it begins and when it ends. N: how many processes are moved around. Writes TAP.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "slow_forks.h"
#include "tap.h"

#define N_ESCAPES 200
#define N_THREADS 10000
#define MAX_EXTRA 3000 /* threads born during the changes that stay */

static const char *top;
static char dir_x[4096], dir_y[4096]; /* two cpusets */

/* ---- puppets: children that do what they are told ----------------------------------------------- */

/* Between the test and its children. */
struct stage {
	atomic_int breeding; /* go on making threads, or processes */
	atomic_int extra;    /* threads born then that stay */
	atomic_int wrong;    /* what a child found amiss */
	atomic_ulong n_born;
	atomic_ulong worst_ns, sum_ns;
};
static struct stage *stage;

/* Looking at anything of ucgroup's has it deal with what has happened first. */
static void look_at_ucgroup(void)
{
	char text[512];

	if (read_file(top, "cpuset.cpu_exclusive", text, sizeof(text)) < 0)
		tap_bail("%s cannot be read", top);
}

static pid_t start(void (*act)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	act(arg);
	_exit(0);
}

static void act_sleep(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

/* Waits until it is through with its act. */
static void finish(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		tap_note("a child ended with status %#x", status);
		stage->wrong++;
	}
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- wishes ----------------------------------------------------------------------------------- */

static bool has(pid_t tid, uint64_t mask, const char *when)
{
	uint64_t is;

	look_at_ucgroup();
	is = affinity_of(tid);
	if (is == mask)
		return true;
	tap_note("%s: affinity %#lx, should be %#lx", when, (unsigned long)is, (unsigned long)mask);
	return false;
}

static void test_entry(void)
{
	pid_t pid = start(act_sleep, NULL);
	bool good;

	set_cpus(dir_x, mask_a);
	must_enter(dir_x, "tasks", pid);
	good = affinity_of(pid) == mask_a;
	set_cpus(dir_x, mask_b);
	good &= affinity_of(pid) == mask_b;
	set_cpus(dir_x, mask_all);
	good &= affinity_of(pid) == mask_all;
	set_cpus(dir_x, mask_a);
	must_enter(top, "tasks", pid);
	good &= affinity_of(pid) == mask_all;
	tap_result(good, "a member runs on its cpuset's CPUs from the write's return on");
	end(pid);
}

static void test_wish_kept(void)
{
	pid_t pid = start(act_sleep, NULL);
	bool good;

	set_affinity(pid, mask_b);
	set_cpus(dir_x, mask_a);
	must_enter(dir_x, "tasks", pid);
	good = has(pid, mask_a, "wish for B in a cpuset of A");
	set_cpus(dir_x, mask_ab);
	good &= has(pid, mask_b, "wish for B in a cpuset of A and B");
	set_cpus(dir_x, mask_a);
	good &= has(pid, mask_a, "of A again");
	must_enter(dir_y, "tasks", pid);
	good &= has(pid, mask_b, "moved to a cpuset of B");
	must_enter(dir_x, "tasks", pid);
	must_enter(top, "tasks", pid);
	good &= has(pid, mask_b, "after it left");
	tap_result(good, "what a task had asked for before it entered is kept, and given back");
	end(pid);
}

static void act_ask_b(void *arg)
{
	must_enter(dir_x, "tasks", getpid());
	set_affinity(0, mask_b);
	act_sleep(arg);
}

static void test_wish_in(void)
{
	pid_t pid;
	bool good;

	set_cpus(dir_x, mask_a);
	pid = start(act_ask_b, NULL);
	for (int i = 0; i < 200 && affinity_of(pid) != mask_a; i++)
		sleep_ms(5);
	sleep_ms(50);
	good = has(pid, mask_a, "asks for B in a cpuset of A");
	set_cpus(dir_x, mask_ab);
	good &= has(pid, mask_b, "which is of A and B now");
	set_affinity(pid, mask_a);
	good &= has(pid, mask_a, "asks for A");
	set_cpus(dir_x, mask_b);
	good &= has(pid, mask_b, "of B");
	must_enter(top, "tasks", pid);
	good &= has(pid, mask_a, "after it left");
	tap_result(good, "what a member asks for counts, within its cpuset, and after it left");
	end(pid);
}

static void act_child_of_wisher(void *arg)
{
	set_affinity(0, mask_b);
	must_enter(dir_x, "tasks", getpid());
	if (!fork()) {
		if (fork())
			_exit(0);
		*(pid_t *)arg = getpid();
	}
	act_sleep(NULL);
}

static void test_wish_inherited(void)
{
	pid_t *grandchild =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	bool good;

	set_cpus(dir_x, mask_a);
	pid = start(act_child_of_wisher, grandchild);
	for (int i = 0; i < 400 && !*(volatile pid_t *)grandchild; i++)
		sleep_ms(5);
	good = has(*grandchild, mask_a, "child of one that asked for B, in a cpuset of A");
	set_cpus(dir_x, mask_ab);
	good &= has(*grandchild, mask_b, "of A and B");
	must_enter(top, "tasks", *grandchild);
	good &= has(*grandchild, mask_b, "after it left");
	tap_result(good, "children inherit what their maker had asked for");
	kill(*grandchild, SIGKILL);
	end(pid);
	munmap(grandchild, 4096);
}

/* ---- escapes ---------------------------------------------------------------------------------- */

static int by_call(uint64_t mask)
{
	return set_affinity(0, mask);
}

#ifdef __x86_64__
/* As a 32-bit program does it. */
static int by_32_bit_call(uint64_t mask)
{
	static uint64_t *low;
	long ret;

	if (!low)
		low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	*low = mask;
	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(241l), "b"(0l), "c"(8l), "d"(low)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}
#endif

/* Takes all CPUs again and again, and looks how long it has them. */
static void act_escape(void *arg)
{
	int (*escape)(uint64_t mask) = *(int (**)(uint64_t))arg;

	must_enter(dir_x, "tasks", getpid());
	for (int i = 0; i < N_ESCAPES; i++) {
		uint64_t start, took;

		if (escape(mask_all)) {
			stage->wrong = 1;
			return;
		}
		start = now_ns();
		while (affinity_of(0) != mask_a) {
			if (now_ns() - start > 5000000000u) {
				stage->wrong = 1;
				return;
			}
		}
		took = now_ns() - start;
		stage->sum_ns += took;
		if (took > stage->worst_ns)
			stage->worst_ns = took;
	}
}

static void test_escape(int (*escape)(uint64_t mask), const char *how)
{
	pid_t pid;

	set_cpus(dir_x, mask_a);
	*stage = (struct stage){0};
	pid = start(act_escape, &escape);
	finish(pid);
	tap_result(!stage->wrong, "a member that takes all CPUs %s is put back", how);
	tap_note("%d times; on average after %lu us, at worst after %lu us", N_ESCAPES,
		 stage->sum_ns / N_ESCAPES / 1000, stage->worst_ns / 1000);
}

/* It does not get to look before it is back, if it looks at ucgroup first. */
static void act_escape_and_look(void *arg)
{
	(void)arg;
	must_enter(dir_x, "tasks", getpid());
	for (int i = 0; i < N_ESCAPES; i++) {
		set_affinity(0, mask_all);
		look_at_ucgroup();
		stage->wrong += affinity_of(0) != mask_a;
	}
}

static void test_escape_and_look(void)
{
	pid_t pid;

	set_cpus(dir_x, mask_a);
	*stage = (struct stage){0};
	pid = start(act_escape_and_look, NULL);
	finish(pid);
	tap_result(!stage->wrong,
		   "whoever looks at ucgroup next finds it back (%d times it was not)",
		   stage->wrong);
}

static void act_breed_after_escape(void *arg)
{
	(void)arg;
	must_enter(dir_x, "tasks", getpid());
	for (int i = 0; i < N_ESCAPES; i++) {
		pid_t child;

		set_affinity(0, mask_all);
		child = fork();
		if (!child) {
			pid_t grandchild = fork();

			if (grandchild > 0)
				waitpid(grandchild, NULL, 0);
			look_at_ucgroup();
			stage->wrong += affinity_of(0) != mask_a;
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
}

static void test_breed_after_escape(void)
{
	pid_t pid;

	set_cpus(dir_x, mask_a);
	*stage = (struct stage){0};
	pid = start(act_breed_after_escape, NULL);
	finish(pid);
	tap_result(!stage->wrong, "so are the children it makes before it is (%d were not)",
		   stage->wrong);
}

static void test_given_by_other(void)
{
	pid_t pid = start(act_sleep, NULL);
	bool good = true;

	set_cpus(dir_x, mask_a);
	must_enter(dir_x, "tasks", pid);
	for (int i = 0; i < N_ESCAPES && good; i++) {
		set_affinity(pid, mask_all);
		good = has(pid, mask_a, "given all CPUs by another");
	}
	tap_result(good, "a member that is given all CPUs by another is put back");
	end(pid);
}

/* In a pid namespace of its own, with a child that is pid 2 there. */
static void act_other_namespace(void *arg)
{
	pid_t child;

	(void)arg;
	if (unshare(CLONE_NEWPID)) {
		stage->wrong = 1;
		return;
	}
	child = fork();
	if (!child) {
		pid_t target = fork();

		if (!target)
			act_sleep(NULL);
		for (int i = 0; i < N_ESCAPES; i++) {
			set_affinity(target, mask_all);
			look_at_ucgroup();
			stage->wrong += affinity_of(target) != mask_a;
		}
		kill(target, SIGKILL);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void act_enter_and_unshare(void *arg)
{
	must_enter(dir_x, "tasks", getpid());
	act_other_namespace(arg);
}

static void test_other_namespace(void)
{
	pid_t pid;

	set_cpus(dir_x, mask_a);
	*stage = (struct stage){0};
	pid = start(act_enter_and_unshare, NULL);
	finish(pid);
	tap_result(!stage->wrong, "also by one that has another number for it");
}

/* ---- herds ------------------------------------------------------------------------------------ */

static void *idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void *pass_by(void *arg)
{
	return arg;
}

static void make_thread(void *(*act)(void *), bool stays)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	pthread_attr_setguardsize(&attr, 0);
	if (stays)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&t, &attr, act, NULL)) {
		stage->wrong = 1;
	} else {
		stage->n_born++;
		if (!stays)
			pthread_join(t, NULL);
	}
	pthread_attr_destroy(&attr);
}

static void *breed(void *arg)
{
	(void)arg;
	while (stage->breeding) {
		bool stays = stage->extra < MAX_EXTRA;

		if (stays)
			stage->extra++;
		make_thread(stays ? idle : pass_by, stays);
		make_thread(pass_by, false);
	}
	return NULL;
}

struct herd {
	int n_threads, n_breeders;
};

static void act_herd(void *arg)
{
	const struct herd *herd = arg;
	pthread_t breeders[8];

	for (int i = 0; i < herd->n_threads; i++)
		make_thread(idle, true);
	stage->breeding = 2;
	for (;;) {
		while (stage->breeding != 1)
			sleep_ms(1);
		for (int i = 0; i < herd->n_breeders; i++)
			pthread_create(&breeders[i], NULL, breed, NULL);
		for (int i = 0; i < herd->n_breeders; i++)
			pthread_join(breeders[i], NULL);
		stage->breeding = -1;
	}
}

static pid_t start_herd(struct herd *herd)
{
	pid_t pid;

	*stage = (struct stage){0};
	pid = start(act_herd, herd);
	for (int i = 0; i < 6000 && stage->breeding != 2; i++)
		sleep_ms(5);
	if (stage->breeding != 2 || stage->wrong)
		tap_bail("%d threads cannot be made", herd->n_threads);
	return pid;
}

static void stop_breeding(void)
{
	stage->breeding = 0;
	for (int i = 0; i < 2000 && stage->breeding != -1; i++)
		sleep_ms(5);
}

static void test_herd(void)
{
	struct herd herd = {.n_threads = N_THREADS, .n_breeders = 2};
	const uint64_t masks[] = {mask_b, mask_ab, mask_a, mask_b};
	uint64_t start_ns, worst_ns = 0;
	pid_t pid = start_herd(&herd);
	struct survey found;

	set_cpus(dir_x, mask_a);
	start_ns = now_ns();
	must_enter(dir_x, "cgroup.procs", pid);
	tap_note("%d threads entered in %.1f ms", N_THREADS + 1,
		 (double)(now_ns() - start_ns) / 1e6);
	survey_threads(pid, mask_a, look_at_ucgroup, &found);
	tap_result(!found.n_late && found.n_threads > N_THREADS,
		   "%d threads enter and have the cpuset's CPUs", N_THREADS);
	stage->breeding = 1;
	sleep_ms(20);
	for (size_t i = 0; i < 4; i++) {
		start_ns = now_ns();
		set_cpus(dir_x, masks[i]);
		if (now_ns() - start_ns > worst_ns)
			worst_ns = now_ns() - start_ns;
	}
	stop_breeding();
	look_at_ucgroup();
	survey_threads(pid, mask_b, look_at_ucgroup, &found);
	tap_note(
		"%zu threads at the end, %lu born during the changes; a change took %.1f ms at most",
		found.n_threads, (unsigned long)stage->n_born - N_THREADS, (double)worst_ns / 1e6);
	tap_result(!found.n_late && found.n_threads > N_THREADS,
		   "a change reaches them all, and those born meanwhile (%d left behind)",
		   found.n_late);
	stage->extra = 0;
	stage->breeding = 1;
	sleep_ms(5);
	must_enter(top, "cgroup.procs", pid);
	stop_breeding();
	look_at_ucgroup();
	survey_threads(pid, mask_all, look_at_ucgroup, &found);
	tap_note("%zu threads when they have left", found.n_threads);
	tap_result(!found.n_late,
		   "all have all CPUs again when they have left, and those born on the way (%d "
		   "have not)",
		   found.n_late);
	end(pid);
}

struct tour {
	int n_wrong, n_late;
	uint64_t latest_ns;
	size_t most;
};

/* A process that makes threads all the time goes from cpuset to cpuset, N times. */
static void go_round(int n, struct tour *tour)
{
	struct herd herd = {.n_threads = 5, .n_breeders = 3};
	const char *dirs[] = {dir_x, dir_y, top};
	const uint64_t masks[] = {mask_a, mask_b, mask_all};
	struct survey found;
	pid_t pid = start_herd(&herd);

	stage->extra = MAX_EXTRA - 200;
	stage->breeding = 1;
	for (int i = 0; i < n && !tour->n_wrong; i++) {
		must_enter(dirs[i % 3], "cgroup.procs", pid);
		look_at_ucgroup();
		survey_threads(pid, masks[i % 3], look_at_ucgroup, &found);
		tour->n_wrong += found.n_wrong;
		tour->n_late += found.n_late;
		if (found.latest_ns > tour->latest_ns)
			tour->latest_ns = found.latest_ns;
		if (found.n_threads > tour->most)
			tour->most = found.n_threads;
	}
	stop_breeding();
	look_at_ucgroup();
	/* Nobody is on his way any more. */
	survey_threads(pid, masks[(n + 2) % 3], look_at_ucgroup, &found);
	if (!tour->n_wrong)
		tour->n_wrong += found.n_late;
	end(pid);
}

static void test_moves(int n_processes)
{
	struct tour tour = {0};
	unsigned long n_born = 0;

	set_cpus(dir_x, mask_a);
	set_cpus(dir_y, mask_b);
	for (int i = 0; i < n_processes && !tour.n_wrong; i++) {
		go_round(12, &tour);
		n_born += stage->n_born;
	}
	tap_note("%lu threads born, %zu at a time; %d seen before they had them, for %lu us at "
		 "most",
		 n_born, tour.most, tour.n_late, (unsigned long)tour.latest_ns / 1000);
	tap_result(!tour.n_wrong,
		   "threads born during moves have the CPUs of where they are (%d have not)",
		   tour.n_wrong);
}

/* Its last tasks may be on their way out. */
static void remove_dir(const char *dir)
{
	for (int i = 0; i < 1000 && rmdir(dir) && errno == EBUSY; i++)
		sleep_ms(10);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		tap_bail("usage: cpuset-tasks DIR NUMBER-OF-PROCESSES");
	top = argv[1];
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (!find_cpus()) {
		tap_skip("this machine has one CPU", "affinity of tasks in cpusets");
		return tap_end();
	}
	make_cpuset(top, "x", mask_a, dir_x, sizeof(dir_x));
	make_cpuset(top, "y", mask_b, dir_y, sizeof(dir_y));
	test_entry();
	test_wish_kept();
	test_wish_in();
	test_wish_inherited();
	test_escape(by_call, "by sched_setaffinity()");
#ifdef __x86_64__
	test_escape(by_32_bit_call, "by a 32-bit system call");
#endif
	test_escape_and_look();
	test_breed_after_escape();
	test_given_by_other();
	test_other_namespace();
	set_cpus(dir_x, mask_a);
	set_cpus(dir_y, mask_b);
	test_slow_forks(top, dir_x, dir_y, look_at_ucgroup);
	test_moves(atoi(argv[2]));
	test_herd();
	remove_dir(dir_x);
	remove_dir(dir_y);
	return tap_end();
}
