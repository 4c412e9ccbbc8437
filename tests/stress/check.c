// SPDX-License-Identifier: GPL-2.0-or-later
/* What the stress test compares when everything holds still, and what it says about it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

/* ---- TAP ------------------------------------------------------------------------------------------ */

/* What there is to say about the result that comes next: TAP wants it behind. */
static char notes[65536];
static size_t n_notes;

void note(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(notes + n_notes, sizeof(notes) - n_notes, fmt, ap);
	va_end(ap);
	/* What does not fit is left out, whole lines of it. */
	if (n > 0 && n_notes + (size_t)n < sizeof(notes))
		n_notes += (size_t)n;
	notes[n_notes] = '\0';
}

void result(struct test *t, bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%s %u - ", ok ? "ok" : "not ok", t->n_ok + t->n_not_ok + 1);
	if (ok)
		t->n_ok++;
	else
		t->n_not_ok++;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n%s", notes);
	n_notes = 0;
	notes[0] = '\0';
	fflush(stdout);
}

void everyone_ends(void)
{
	atomic_store(&shm->abort, 1);
	atomic_store(&shm->hold, 0);
	futex_wake(&shm->hold);
}

void bail_out(const char *why)
{
	printf("Bail out! %s\n%s", why, notes);
	everyone_ends();
	exit(1);
}

/* ---- quiet points --------------------------------------------------------------------------------- */

bool all_hold_still(void)
{
	if (!atomic_load(&shm->mover_held) || !atomic_load(&shm->lister_held) ||
	    !atomic_load(&shm->pulser_held))
		return false;
	for (uint32_t i = 0; i < MAX_SLOTS; i++) {
		uint32_t state = atomic_load(&shm->slots[i].state);

		if (state != SLOT_FREE && state != SLOT_PARKED && state != SLOT_WAITING)
			return false;
	}
	return true;
}

/* The first lines of /proc/TID/FILE. */
static void tell_proc(pid_t tid, const char *file)
{
	char path[64], text[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, file);
	f = tid ? fopen(path, "r") : NULL;
	if (!f)
		return;
	for (int i = 0; i < 6 && fgets(text, sizeof(text), f); i++)
		note("#   %d %s: %.*s\n", tid, file, (int)strcspn(text, "\n"), text);
	fclose(f);
}

/* Is it kept from its CPU, or from what? */
static void tell_task(pid_t tid)
{
	tell_proc(tid, "stat");
	tell_proc(tid, "schedstat"); /* ns on a CPU, ns in wait for one, times on one */
	tell_proc(tid, "stack");
}

void tell_who_moves(void)
{
	note("# mover held %u, lister held %u, pulser held %u, %u ask\n",
	     atomic_load(&shm->mover_held), atomic_load(&shm->lister_held),
	     atomic_load(&shm->pulser_held), atomic_load(&shm->asking));
	for (uint32_t i = 0; i < MAX_SLOTS; i++) {
		const struct slot *s = &shm->slots[i];
		uint32_t state = atomic_load(&s->state);

		if (state == SLOT_FREE || state == SLOT_PARKED || state == SLOT_WAITING)
			continue;
		note("# slot %u: state %u, tid %d, tgid %d, made by %d, script %u\n", i, state,
		     atomic_load(&s->tid), atomic_load(&s->tgid), s->maker_tid, s->script);
		tell_task(atomic_load(&s->tid));
		if (state == SLOT_NEWBORN)
			tell_task(s->maker_tid);
	}
}

void hold(void)
{
	uint64_t deadline = now_ms() + 200000;

	atomic_store(&shm->hold, 1);
	while (!all_hold_still()) {
		check_daemon();
		if (now_ms() > deadline) {
			tell_who_moves();
			bail_out("the tasks do not hold still");
		}
		sleep_us(500);
	}
}

void let_go(void)
{
	atomic_store(&shm->hold, 0);
	futex_wake(&shm->hold);
}

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static size_t slot_tids(pid_t *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < MAX_SLOTS; i++)
		if (atomic_load(&shm->slots[i].state) != SLOT_FREE)
			out[n++] = atomic_load(&shm->slots[i].tid);
	qsort(out, n, sizeof(*out), by_number);
	return n;
}

/*
 * One listing of the truth. The root's holds the whole system, and the kernel leaves out some of it
 * while others fork: there each of the test's own tasks is asked for.
 */
static size_t truth(uint32_t h, uint32_t g, const char *file, const pid_t *tids, size_t n_tids,
		    pid_t *out)
{
	size_t kept = 0;
	ssize_t n;

	if (g) {
		n = kernel_list(h, g, file, out, MAX_TIDS);
		if (n < 0)
			bail_out("a listing of the kernel's hierarchy cannot be read");
		return (size_t)n;
	}
	for (size_t i = 0; i < n_tids; i++)
		if (kernel_group_of(tids[i], h) == 0)
			out[kept++] = tids[i];
	return kept;
}

/*
 * A task gives up its slot right before it exits, and the kernel takes a moment to see it off. When
 * the kernel lists exactly the tasks that have slots, there is no exit under way.
 */
static void await_exits(uint32_t h, const pid_t *tids, size_t n_tids)
{
	static pid_t all[MAX_TIDS * 2], list[MAX_TIDS];
	uint64_t deadline = now_ms() + 60000;

	for (;;) {
		size_t n = 0;

		for (uint32_t g = 0; g < shm->n_groups; g++) {
			size_t k;

			if (shm->groups[g].kind == GROUP_PULSE)
				continue;
			k = truth(h, g, "tasks", tids, n_tids, list);
			if (n + k > MAX_TIDS)
				break;
			memcpy(all + n, list, k * sizeof(*list));
			n += k;
		}
		qsort(all, n, sizeof(*all), by_number);
		if (n == n_tids && !memcmp(all, tids, n * sizeof(*all)))
			return;
		if (now_ms() > deadline) {
			note("# the kernel lists %zu tasks, %zu have slots\n", n, n_tids);
			bail_out("the kernel's hierarchy does not hold the test's tasks");
		}
		sleep_us(1000);
	}
}

static void tell_difference(const pid_t *want, size_t n_want, const pid_t *got, size_t n_got)
{
	size_t i = 0, k = 0, shown = 0;

	while ((i < n_want || k < n_got) && shown < 10) {
		if (k == n_got || (i < n_want && want[i] < got[k])) {
			note("#   %d is missing\n", want[i++]);
			shown++;
		} else if (i == n_want || got[k] < want[i]) {
			note("#   %d is too many\n", got[k++]);
			shown++;
		} else {
			i++, k++;
		}
	}
}

static bool compare(struct test *t, uint32_t h, uint32_t g, const char *file, const pid_t *tids,
		    size_t n_tids)
{
	static pid_t want[MAX_TIDS], got[MAX_TIDS];
	size_t n_want = truth(h, g, file, tids, n_tids, want), n_got = 0;
	ssize_t n = ucg_list(h, g, file, got, MAX_TIDS);

	if (n < 0) {
		note("# %s:/%s: %s cannot be read: %s\n", shm->hier_name[h], shm->groups[g].path,
		     file, strerror((int)-n));
		return false;
	}
	if (t->sabotage_truth && g && n_want)
		n_want--;
	for (ssize_t i = 0; i < n; i++)
		if (g || bsearch(&got[i], tids, n_tids, sizeof(*tids), by_number))
			got[n_got++] = got[i];
	if (n_want == n_got && !memcmp(want, got, n_got * sizeof(*got)))
		return true;
	note("# %s:/%s: %s differs from the truth (%zu instead of %zu)\n", shm->hier_name[h],
	     shm->groups[g].path, file, n_got, n_want);
	tell_difference(want, n_want, got, n_got);
	return false;
}

void show_complaints(struct test *t)
{
	uint32_t n = atomic_load(&shm->n_complaints);

	for (; t->complaints_shown < n; t->complaints_shown++)
		if (t->complaints_shown < MAX_COMPLAINTS)
			note("# %s\n", shm->complaints[t->complaints_shown]);
}

/* Without a daemon nothing that follows means anything. */
void check_daemon(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/tasks", shm->ubase[0]);
	if (access(path, F_OK) < 0 && (errno == ENOTCONN || errno == ECONNABORTED))
		bail_out("the daemon has gone");
}

void check_membership(struct test *t, uint32_t epoch)
{
	static pid_t tids[MAX_SLOTS];
	uint32_t complaints = t->complaints_shown;
	size_t n = slot_tids(tids);
	bool ok = true;

	check_daemon();
	for (uint32_t h = 0; h < N_HIER; h++) {
		await_exits(h, tids, n);
		for (uint32_t g = 0; g < shm->n_groups; g++) {
			if (shm->groups[g].kind == GROUP_PULSE)
				continue;
			ok &= compare(t, h, g, "tasks", tids, n);
			if (g)
				ok &= compare(t, h, g, "cgroup.procs", tids, n);
		}
	}
	show_complaints(t);
	ok &= complaints == t->complaints_shown;
	result(t, ok, "quiet point %u: %zu tasks, %llu forks, %llu moves", epoch, n,
	       (unsigned long long)atomic_load(&shm->stats.forks),
	       (unsigned long long)(atomic_load(&shm->stats.moves) +
				    atomic_load(&shm->stats.process_moves)));
}

/* ---- releases ------------------------------------------------------------------------------------- */

bool group_empty(uint32_t h, uint32_t g)
{
	static pid_t list[MAX_TIDS];

	return kernel_list(h, g, "tasks", list, MAX_TIDS) == 0;
}

static uint64_t releases_due(const struct test *t, uint32_t h, uint32_t job)
{
	uint64_t started = atomic_load(&shm->jobs[job].started);

	if (t->sabotage_releases)
		started++;
	return started - !group_empty(h, shm->jobs[job].group);
}

/* Have all come that must, and none besides? Returns after at most some seconds. */
static bool releases_right(struct test *t, bool tell)
{
	uint64_t counts[N_HIER][MAX_GROUPS];
	bool right = true;

	if (releases_count(counts) < 0) {
		note("# %s is malformed\n", shm->release_file);
		return false;
	}
	for (uint32_t h = 0; h < N_HIER; h++) {
		for (uint32_t j = 0; j < shm->n_jobs; j++) {
			uint32_t g = shm->jobs[j].group;
			uint64_t due = releases_due(t, h, j);

			if (counts[h][g] == due)
				continue;
			right = false;
			if (tell)
				note("# %s:/%s was released %llu times, not %llu\n",
				     shm->hier_name[h], shm->groups[g].path,
				     (unsigned long long)counts[h][g], (unsigned long long)due);
		}
		for (uint32_t g = 0; g < shm->n_groups; g++) {
			uint64_t due = atomic_load(&shm->pulses_due[h][g]);

			if (shm->groups[g].kind != GROUP_PULSE || counts[h][g] == due)
				continue;
			right = false;
			if (tell)
				note("# %s:/%s was released %llu times, not %llu\n",
				     shm->hier_name[h], shm->groups[g].path,
				     (unsigned long long)counts[h][g], (unsigned long long)due);
		}
	}
	return right;
}

/*
 * How often a group that the mover fills and empties has become idle nobody knows; but one that had
 * members at the last quiet point and has none now has been released at least once.
 */
static bool shared_releases_right(struct test *t)
{
	uint64_t counts[N_HIER][MAX_GROUPS];
	bool right = true;

	releases_count(counts);
	for (uint32_t h = 0; h < N_HIER; h++)
		for (uint32_t g = 0; g < shm->n_groups; g++) {
			const struct group *group = &shm->groups[g];
			bool busy;

			if (group->kind != GROUP_SHARED || !group->notify)
				continue;
			busy = !group_empty(h, g);
			if (t->busy_before[h][g] && !busy &&
			    counts[h][g] == t->released_before[h][g]) {
				note("# %s:/%s became idle and was not released\n",
				     shm->hier_name[h], group->path);
				right = false;
			}
			t->busy_before[h][g] = busy;
			t->released_before[h][g] = counts[h][g];
		}
	return right;
}

void check_releases(struct test *t, const char *when)
{
	uint64_t deadline = now_ms() + (t->sabotage_releases ? 500 : 60000), total = 0;
	bool ok;

	while (!releases_right(t, false) && now_ms() < deadline)
		sleep_us(2000);
	ok = releases_right(t, true);
	ok &= shared_releases_right(t);
	for (uint32_t j = 0; j < shm->n_jobs; j++)
		total += atomic_load(&shm->jobs[j].started);
	result(t, ok, "%s: every release came once (%llu jobs in 2 hierarchies, %llu pulses)", when,
	       (unsigned long long)total, (unsigned long long)atomic_load(&shm->stats.pulses));
}
