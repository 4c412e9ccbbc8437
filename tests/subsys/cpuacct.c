// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuacct-compare UDIR KDIR small|large: the same processes in cgroups below UDIR, a mounted ucgroup
 * hierarchy, and below KDIR, the kernel's cpuacct hierarchy; what both have counted is compared while
 * they run and after they have exited. Writes TAP.
 *
 * Who enters both, or moves in both, is stopped meanwhile: what is used between the two writes would
 * be counted here by one and there by the other.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "tap.h"

enum { U, K };

/* A group, and two in it. */
static const char *const places[] = {"", "a", "b"};
#define N_PLACES 3

static const char *top[2];
static char base[2][4096];
static uint64_t tick_ns;

struct size {
	int n_forks, n_at_once; /* of processes of about 1 ms */
	unsigned int burn_ms;
	int n_burners, n_threads, n_moves;
};

/* ---- groups ----------------------------------------------------------------------------------- */

static const char *dir_of(int side, const char *place)
{
	static char path[2][4200];

	snprintf(path[side], sizeof(path[side]), "%s/%s", base[side], place);
	return path[side];
}

static uint64_t number(int side, const char *place, const char *file)
{
	char text[64];

	if (read_file(dir_of(side, place), file, text, sizeof(text)) <= 0)
		tap_bail("%s/%s cannot be read", dir_of(side, place), file);
	return strtoull(text, NULL, 10);
}

static uint64_t usage(int side, const char *place)
{
	return number(side, place, "cpuacct.usage");
}

static void reset_both(void)
{
	for (int i = 0; i < N_PLACES; i++)
		for (int side = U; side <= K; side++)
			must_write(dir_of(side, places[i]), "cpuacct.usage", "0");
}

static void enter_both(const char *place, pid_t pid)
{
	must_enter(dir_of(K, place), "cgroup.procs", pid);
	must_enter(dir_of(U, place), "cgroup.procs", pid);
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* ---- processes -------------------------------------------------------------------------------- */

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void burn(uint64_t ns)
{
	uint64_t end = cpu_ns() + ns;

	while (cpu_ns() < end)
		;
}

/* Stopped from its first moment on; it is in no group of ours. */
static pid_t start(void (*act)(const struct size *size), const struct size *size)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raise(SIGSTOP);
		act(size);
		_exit(0);
	}
	waitpid(pid, &status, WUNTRACED);
	return pid;
}

static void stop(pid_t pid)
{
	int status;

	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
}

static void finish(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
}

static void act_fork(const struct size *size)
{
	for (int i = 0; i < size->n_forks; i++) {
		pid_t pid = fork();

		if (!pid) {
			burn(1000000);
			_exit(0);
		}
		if (i >= size->n_at_once)
			wait(NULL);
	}
	while (wait(NULL) > 0)
		;
}

static void act_burn(const struct size *size)
{
	burn((uint64_t)size->burn_ms * 1000000);
}

static void *burn_thread(void *arg)
{
	burn(*(uint64_t *)arg);
	return NULL;
}

static void act_threads(const struct size *size)
{
	const int rounds = 4;
	uint64_t ns = (uint64_t)size->burn_ms * 1000000 / (uint64_t)(rounds * size->n_threads);
	pthread_t threads[64];

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < size->n_threads; i++)
			pthread_create(&threads[i], NULL, burn_thread, &ns);
		for (int i = 0; i < size->n_threads; i++)
			pthread_join(threads[i], NULL);
	}
}

/* Half of it in the kernel. */
static void act_call(const struct size *size)
{
	uint64_t end = cpu_ns() + (uint64_t)size->burn_ms * 1000000;
	char buf[65536];
	FILE *zero = fopen("/dev/zero", "re");

	setvbuf(zero, NULL, _IONBF, 0);
	while (cpu_ns() < end) {
		for (int i = 0; i < 20; i++)
			if (fread(buf, sizeof(buf), 1, zero) != 1)
				_exit(1);
		burn(100000);
	}
}

/* ---- comparing -------------------------------------------------------------------------------- */

/* What the two may be apart while N_LIVE run: 1 %, or a tick for each. */
struct watch {
	uint64_t worst; /* how far they were apart, and at which usage */
	uint64_t at;
	unsigned int n, n_bad;
};

/* The kernel's figure is between two of ucgroup's, so that the time between them does not count. */
static void look(const char *place, int n_live, struct watch *w)
{
	uint64_t before = usage(U, place), k = usage(K, place), after = usage(U, place);
	uint64_t off = k < before ? before - k : k > after ? k - after : 0;
	uint64_t allowed = k / 100;

	if (allowed < tick_ns * (uint64_t)n_live)
		allowed = tick_ns * (uint64_t)n_live;
	w->n++;
	w->n_bad += off > allowed;
	if (off > w->worst) {
		w->worst = off;
		w->at = k;
	}
}

static void report(const struct watch *w, const char *what)
{
	tap_note("%u looks while they ran: at most %.3f ms apart, at a usage of %.3f ms", w->n,
		 (double)w->worst / 1e6, (double)w->at / 1e6);
	tap_result(w->n && !w->n_bad, "%s, while they run: within 1 %% or a tick per live task",
		   what);
}

/* All have exited and been reaped: within 0.1 %. */
static void compare_final(const char *what)
{
	bool good = true;

	for (int i = 0; i < N_PLACES; i++) {
		uint64_t u = usage(U, places[i]), k = usage(K, places[i]);

		tap_note("%s: %" PRIu64 " ns, the kernel's %" PRIu64 " ns: %" PRIu64 " apart",
			 *places[i] ? places[i] : "both", u, k, apart(u, k));
		good &= apart(u, k) <= k / 1000;
	}
	tap_result(good && usage(K, ""), "%s, when they have exited: within 0.1 %%", what);
}

static bool is_alive(pid_t pid)
{
	siginfo_t info = {0};

	return !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

/* N processes in group PLACE of both; looked at until the last has exited. */
static void run_all(const char *what, void (*act)(const struct size *size), const struct size *size,
		    int n, int n_live)
{
	struct watch w = {0};
	pid_t pids[16];
	bool alive = true;

	reset_both();
	for (int i = 0; i < n; i++) {
		pids[i] = start(act, size);
		enter_both(i % 2 ? "b" : "a", pids[i]);
	}
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGCONT);
	while (alive) {
		look("a", n_live, &w);
		look("", n_live, &w);
		alive = false;
		for (int i = 0; i < n; i++)
			alive |= is_alive(pids[i]);
		sleep_ms(10);
	}
	for (int i = 0; i < n; i++)
		finish(pids[i]);
	report(&w, what);
	compare_final(what);
}

/* Burners that are moved from a to b and back, stopped for it. */
static void test_moves(const struct size *size)
{
	struct watch w = {0};
	pid_t pids[2];

	reset_both();
	for (int i = 0; i < 2; i++) {
		pids[i] = start(act_burn, size);
		enter_both("a", pids[i]);
		kill(pids[i], SIGCONT);
	}
	for (int i = 0; i < size->n_moves; i++) {
		pid_t pid = pids[i % 2];

		if (!is_alive(pids[0]) || !is_alive(pids[1]))
			break;
		stop(pid);
		enter_both(i / 2 % 2 ? "a" : "b", pid);
		kill(pid, SIGCONT);
		look("a", 2, &w);
		look("b", 2, &w);
		look("", 2, &w);
		sleep_ms(5);
	}
	for (int i = 0; i < 2; i++)
		finish(pids[i]);
	report(&w, "moves between groups");
	compare_final("moves between groups");
}

/* It runs while it is moved: in which group time between the writes counts is anybody's guess. */
static void test_running_moves(const struct size *size)
{
	uint64_t u, k;
	pid_t pid;

	reset_both();
	pid = start(act_burn, size);
	enter_both("a", pid);
	kill(pid, SIGCONT);
	for (int i = 0; i < size->n_moves && is_alive(pid); i++) {
		must_enter(dir_of(K, i % 2 ? "a" : "b"), "cgroup.procs", pid);
		must_enter(dir_of(U, i % 2 ? "a" : "b"), "cgroup.procs", pid);
		sleep_ms(1);
	}
	finish(pid);
	u = usage(U, "a") + usage(U, "b");
	k = usage(K, "");
	tap_note("a and b: %" PRIu64 " ns, the kernel's %" PRIu64 " ns", u, k);
	tap_result(k && apart(u, k) <= k / 1000 && usage(U, "") == u,
		   "moves of a running process lose no time: within 0.1 %%");
}

/* User and system time: both are told by ticks, and scaled to what the scheduler has counted. */
static void test_user_and_system(const struct size *size)
{
	uint64_t u[2], k[2], sum;
	pid_t pid;

	reset_both();
	pid = start(act_call, size);
	enter_both("a", pid);
	kill(pid, SIGCONT);
	finish(pid);
	sum = usage(U, "a");
	u[0] = number(U, "a", "cpuacct.usage_user");
	u[1] = number(U, "a", "cpuacct.usage_sys");
	k[0] = number(K, "a", "cpuacct.usage_user");
	k[1] = number(K, "a", "cpuacct.usage_sys");
	tap_note("user %" PRIu64 " ns, the kernel's %" PRIu64 " ns; system %" PRIu64
		 " ns, the kernel's %" PRIu64 " ns",
		 u[0], k[0], u[1], k[1]);
	tap_result(u[0] + u[1] == sum, "user and system time together are the usage");
	/*
	 * The kernel shows the ticks themselves, which may be more or less than the scheduler has
	 * counted; so it is the proportion that is compared.
	 */
	tap_result(k[0] + k[1] && apart(u[0] * 100 / sum, k[0] * 100 / (k[0] + k[1])) <= 5,
		   "they are divided as the kernel's are: 5 %% of the whole apart at most");
}

/* In ticks since the last reset. The kernel never lets it go down, so it is read once. */
static void test_stat(void)
{
	unsigned long long user[2], system[2];
	char text[2][128], rest;
	bool good = true;

	for (int side = U; side <= K; side++) {
		good &= read_file(dir_of(side, "a"), "cpuacct.stat", text[side], 128) > 0;
		good &= sscanf(text[side], "user %llu\nsystem %llu\n%c", &user[side], &system[side],
			       &rest) == 2;
	}
	tap_note("stat: user %llu system %llu, the kernel's: user %llu system %llu", user[U],
		 system[U], user[K], system[K]);
	good &= apart(user[U] + system[U], user[K] + system[K]) <= 2 + (user[K] + system[K]) / 100;
	tap_result(good, "stat says the same as the kernel's, in the same words");
}

static void test_reset(void)
{
	static const char *const texts[] = {"0",  "0\n", "00", "0x0", "1",
					    "-1", "x",	 "",   "0 0", "18446744073709551616"};
	bool good = usage(U, "a") && usage(K, "a");
	char path[2][4200];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int u = write_file(dir_of(U, "a"), "cpuacct.usage", texts[i]);
		int k = write_file(dir_of(K, "a"), "cpuacct.usage", texts[i]);

		if (u != k)
			tap_note("usage < \"%s\": %d, the kernel's %d", texts[i], u, k);
		good &= u == k;
	}
	good &= !usage(U, "a") && !usage(K, "a");
	tap_result(good, "usage is reset by 0, and by nothing else, as the kernel's");
	for (int side = U; side <= K; side++)
		snprintf(path[side], sizeof(path[side]), "%s", dir_of(side, ""));
	tap_result(usage(U, "") && usage(K, ""), "a reset leaves the group above as it was");
}

/* ---- all of it -------------------------------------------------------------------------------- */

static void set_up(void)
{
	for (int side = U; side <= K; side++) {
		snprintf(base[side], sizeof(base[side]), "%s/ucgroup-cpuacct-%d", top[side],
			 (int)getpid());
		for (int i = 0; i < N_PLACES; i++)
			if (mkdir(dir_of(side, places[i]), 0755))
				tap_bail("mkdir %s: %s", dir_of(side, places[i]), strerror(errno));
	}
}

static void tear_down(void)
{
	for (int side = U; side <= K; side++)
		for (int i = N_PLACES; i-- > 0;)
			for (int n = 0; n < PATIENCE_MS / 10 && rmdir(dir_of(side, places[i])) &&
					errno == EBUSY;
			     n++)
				sleep_ms(10);
}

int main(int argc, char **argv)
{
	const struct size small = {.n_forks = 300,
				   .n_at_once = 4,
				   .burn_ms = 200,
				   .n_burners = 3,
				   .n_threads = 8,
				   .n_moves = 24};
	const struct size large = {.n_forks = 10000,
				   .n_at_once = 4,
				   .burn_ms = 5000,
				   .n_burners = 8,
				   .n_threads = 32,
				   .n_moves = 1000};
	const struct size *size;

	if (argc != 4)
		tap_bail("usage: cpuacct-compare UDIR KDIR small|large");
	top[U] = argv[1];
	top[K] = argv[2];
	size = strcmp(argv[3], "large") ? &small : &large;
	tick_ns = 1000000000ull / 100; /* no kernel's ticks are farther apart */
	atexit(tear_down);
	set_up();
	run_all("short-lived forks", act_fork, size, 1, size->n_at_once + 1);
	run_all("long burners", act_burn, size, size->n_burners, size->n_burners);
	run_all("threads", act_threads, size, 2, 2 * size->n_threads + 2);
	test_moves(size);
	test_running_moves(size);
	test_user_and_system(size);
	test_stat();
	test_reset();
	return tap_end();
}
