// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * herds.c - processes of many threads that make more all the time, while they are moved or their
 * cpuset changes: every thread has the CPUs of where it is.
 */
#include <pthread.h>
#include <unistd.h>

#include "common.h"
#include "herds.h"
#include "puppets.h"
#include "tap.h"

#define N_THREADS 10000
#define MAX_EXTRA 3000 /* threads born during the changes that stay */

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
	for (int i = 0; i < PATIENCE_MS && stage->breeding != 2; i++)
		sleep_ms(1);
	if (stage->breeding != 2 || stage->wrong)
		tap_bail("%d threads cannot be made", herd->n_threads);
	return pid;
}

static void stop_breeding(void)
{
	stage->breeding = 0;
	for (int i = 0; i < PATIENCE_MS && stage->breeding != -1; i++)
		sleep_ms(1);
}

void test_herd(void)
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
	tell_end(pid);
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
	tell_end(pid);
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
	tell_end(pid);
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

void test_moves(int n_processes)
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
