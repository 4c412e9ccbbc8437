// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two more processes of the stress test. The lister reads listings all the time and checks what is
 * true of each at any moment. The pulser lets groups of its own become idle, one after the other,
 * and sees each released once.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

static void hold_still(_Atomic uint32_t *held)
{
	for (;;) {
		while (atomic_load(&shm->hold) && !main_gone()) {
			atomic_store(held, 1);
			futex_wait(&shm->hold, 1);
		}
		atomic_store(held, 0);
		/* Unless it was told again between the two. */
		if (!atomic_load(&shm->hold) || main_gone())
			return;
	}
}

/* ---- lister --------------------------------------------------------------------------------------- */

static void check_steady(uint32_t hier, const pid_t *list, ssize_t n)
{
	atomic_fetch_add(&shm->stats.steady_checks, 1);
	if (n == (ssize_t)shm->n_steady && !memcmp(list, shm->steady, sizeof(*list) * (size_t)n))
		return;
	complain("the sentinels' listing in %s has changed: %zd instead of %u tasks, first %d",
		 shm->hier_name[hier], n, shm->n_steady, n > 0 ? list[0] : 0);
}

static void list_one(uint32_t *seed)
{
	static pid_t list[MAX_TIDS];
	uint32_t hier = rnd_below(seed, N_HIER);
	uint32_t g = rnd_below(seed, shm->n_groups);
	bool tasks = rnd_below(seed, 2);
	ssize_t n = ucg_list(hier, g, tasks ? "tasks" : "cgroup.procs", list, MAX_TIDS);

	atomic_fetch_add(&shm->stats.listings, 1);
	if (n < 0) {
		complain("a listing of %s:/%s cannot be read: %s", shm->hier_name[hier],
			 shm->groups[g].path, strerror((int)-n));
		return;
	}
	for (ssize_t i = 1; i < n; i++) {
		if (list[i] > list[i - 1])
			continue;
		complain("a listing of %s:/%s is not ascending: %d after %d", shm->hier_name[hier],
			 shm->groups[g].path, list[i], list[i - 1]);
		break;
	}
	if (shm->groups[g].kind == GROUP_STEADY && tasks)
		check_steady(hier, list, n);
}

void lister_main(uint32_t seed)
{
	while (!main_gone()) {
		hold_still(&shm->lister_held);
		list_one(&seed);
		sleep_us(rnd_below(&seed, 5000));
	}
	_exit(0);
}

/* ---- releases ------------------------------------------------------------------------------------- */

static int count_line(const char *line, uint64_t counts[N_HIER][MAX_GROUPS])
{
	char hierarchy[128], path[256];

	if (sscanf(line, "%127s /%255s", hierarchy, path) != 2)
		return -1;
	for (uint32_t h = 0; h < N_HIER; h++)
		for (uint32_t g = 0; g < shm->n_groups; g++)
			if (!strcmp(shm->hier_name[h], hierarchy) &&
			    !strcmp(shm->groups[g].path, path)) {
				counts[h][g]++;
				return 0;
			}
	return -1;
}

int releases_count(uint64_t counts[N_HIER][MAX_GROUPS])
{
	char line[512];
	int err = 0;
	FILE *f = fopen(shm->release_file, "r");

	memset(counts, 0, sizeof(uint64_t) * N_HIER * MAX_GROUPS);
	if (!f)
		return -1;
	/* The last line may be only half there; the next look sees all of it. */
	while (!err && fgets(line, sizeof(line), f))
		if (strchr(line, '\n'))
			err = count_line(line, counts);
	fclose(f);
	return err;
}

/* ---- pulser --------------------------------------------------------------------------------------- */

static void pulse_failed(const char *what, uint32_t hier, uint32_t g, int err)
{
	complain("pulse: %s in %s:/%s: %s", what, shm->hier_name[hier], shm->groups[g].path,
		 strerror(err < 0 ? -err : errno));
}

/* A process enters by itself, and its grandchild is the last one in there. */
static void pulse_by_exit(uint32_t hier, uint32_t g)
{
	pid_t pid = fork();
	int err;

	if (pid == 0) {
		err = ucg_write(hier, g, "tasks", "0");
		if (err < 0)
			pulse_failed("entering", hier, g, err);
		if (fork() == 0)
			sleep_us(500);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* A process is moved in and out again, and in between its group cannot be removed. */
static void pulse_by_move(uint32_t hier, uint32_t g)
{
	char path[PATH_MAX];
	pid_t pid = fork();
	int err;

	if (pid == 0) {
		while (!main_gone())
			sleep_us(100000);
		_exit(0);
	}
	if (pid < 0)
		return;
	err = ucg_write_number(hier, g, "cgroup.procs", pid);
	if (err < 0)
		pulse_failed("moving in", hier, g, err);
	snprintf(path, sizeof(path), "%s/%s", shm->ubase[hier], shm->groups[g].path);
	if (rmdir(path) == 0 || errno != EBUSY)
		pulse_failed("rmdir of a busy group", hier, g, 0);
	err = ucg_write_number(hier, 0, "tasks", pid);
	if (err < 0)
		pulse_failed("moving out", hier, g, err);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A child group comes and goes. */
static void pulse_by_child(uint32_t hier, uint32_t g)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/child", shm->ubase[hier], shm->groups[g].path);
	if (mkdir(path, 0755) < 0)
		pulse_failed("mkdir", hier, g, 0);
	if (rmdir(path) < 0)
		pulse_failed("rmdir", hier, g, 0);
}

/* Wait until the group has been released WANT times, and not once more. */
static void await_release(uint32_t hier, uint32_t g, uint64_t want, const char *how)
{
	uint64_t counts[N_HIER][MAX_GROUPS], begun = now_ms();

	for (;;) {
		if (releases_count(counts) < 0) {
			complain("pulse: %s is malformed", shm->release_file);
			return;
		}
		if (counts[hier][g] >= want || now_ms() - begun > 60000)
			break;
		if (main_gone())
			return;
		sleep_us(1000);
	}
	if (now_ms() - begun > atomic_load(&shm->stats.slowest_ms))
		atomic_store(&shm->stats.slowest_ms, now_ms() - begun);
	if (counts[hier][g] != want)
		complain("pulse: %s:/%s, made idle %llu times, the last by %s, was released %llu "
			 "times",
			 shm->hier_name[hier], shm->groups[g].path, (unsigned long long)want, how,
			 (unsigned long long)counts[hier][g]);
}

void pulser_main(uint32_t seed)
{
	static const struct {
		void (*fn)(uint32_t hier, uint32_t g);
		const char *name;
	} ways[] = {
		{pulse_by_exit, "the exit of a grandchild"},
		{pulse_by_move, "a move"},
		{pulse_by_child, "the removal of a child"},
	};

	while (!main_gone()) {
		uint32_t hier = rnd_below(&seed, N_HIER);
		uint32_t g = pick_group(GROUP_PULSE, &seed);
		uint32_t way = rnd_below(&seed, 3);
		uint64_t want;

		hold_still(&shm->pulser_held);
		if (main_gone())
			break;
		want = atomic_fetch_add(&shm->pulses_due[hier][g], 1) + 1;
		ways[way].fn(hier, g);
		await_release(hier, g, want, ways[way].name);
		atomic_fetch_add(&shm->stats.pulses, 1);
		sleep_us(rnd_below(&seed, 30000));
	}
	_exit(0);
}
