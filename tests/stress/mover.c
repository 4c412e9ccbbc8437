// SPDX-License-Identifier: GPL-2.0-or-later
/* Moves random tasks in both hierarchies, and looks at those that were born under a move. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ucgroup/ucgroup.h>

#include "stress.h"

#define MANY 8 /* tasks moved in one call */

static struct ucgroup *connection; /* the mover's */

/* ---- newborn tasks ------------------------------------------------------------------------------ */

/*
 * The groups that moves of TID (or of the whole process TGID) begun since SINCE have touched, as
 * bits. 0: no such move.
 */
static uint64_t groups_in_doubt(uint32_t since, uint32_t hier, pid_t tid, pid_t tgid)
{
	uint32_t end = atomic_load(&shm->moves_begun);
	uint64_t groups = 0;

	if (end - since >= MAX_MOVES)
		return UINT64_MAX;
	for (uint32_t i = since; i != end; i++) {
		const struct move *m = &shm->moves[i % MAX_MOVES];

		if (m->hier == hier && m->id == (m->process ? tgid : tid))
			groups |= m->from | 1ull << m->to;
	}
	return groups;
}

bool moved_since(uint32_t since, pid_t tid, pid_t tgid)
{
	for (uint32_t h = 0; h < N_HIER; h++)
		if (groups_in_doubt(since, h, tid, tgid))
			return true;
	return false;
}

/* Have the mover look at the calling task if there were moves of threads A, B or process TGID. */
static void settle(struct slot *slot, pid_t a, pid_t b, pid_t tgid)
{
	if (!moved_since(slot->since, a, tgid) && !moved_since(slot->since, b, 0))
		return;
	slot->ask_tids[0] = a;
	slot->ask_tids[1] = b;
	slot->ask_tgid = tgid;
	atomic_store(&slot->ask, 1);
	atomic_fetch_add(&shm->asking, 1);
	while (atomic_load(&slot->ask)) {
		futex_wait(&slot->ask, 1);
		if (main_gone())
			_exit(98);
	}
}

void settle_newborn(struct slot *slot)
{
	/*
	 * A move of the maker's whole process takes its new threads along whenever they were born,
	 * so that a thread is in doubt for moves of its maker alone.
	 */
	bool thread = slot->maker_tgid == getpid();

	for (uint32_t h = 0; h < N_HIER; h++)
		slot->groups_before[h] = 0;
	settle(slot, slot->maker_tid, 0, thread ? 0 : slot->maker_tgid);
}

/*
 * An exec by a thread that is not the leader: a move of either tid may have met the old bearer in
 * one hierarchy and the new one in the other.
 */
void before_exec(struct slot *slot)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	slot->since = atomic_load(&shm->moves_done);
	for (uint32_t h = 0; h < N_HIER; h++) {
		int g = kernel_group_of(tid, h);

		slot->groups_before[h] = g < 0 ? 0 : 1ull << g;
	}
}

void settle_exec(struct slot *slot, pid_t old_tid)
{
	if (old_tid != getpid())
		settle(slot, old_tid, getpid(), 0);
}

/* ---- the mover looks at them: no move is under way then --------------------------------------------- */

static void look_in(const struct slot *slot, uint32_t hier)
{
	uint64_t groups = groups_in_doubt(slot->since, hier, slot->ask_tids[0], slot->ask_tgid) |
			  groups_in_doubt(slot->since, hier, slot->ask_tids[1], 0);
	pid_t tid = atomic_load(&slot->tid);
	int k, u, err;

	if (!groups)
		return;
	groups |= slot->groups_before[hier];
	atomic_fetch_add(&shm->stats.settled, 1);
	k = kernel_group_of(tid, hier);
	u = ucg_group_of(tid, hier, k);
	if (k < 0 || u < 0) {
		complain("task %d, born while its maker was moved, is in group %d for the kernel "
			 "and in %d for ucgroup (negative: errno)",
			 tid, k, u);
		return;
	}
	if (k == u)
		return;
	if (!(groups >> k & 1) || !(groups >> u & 1)) {
		complain("task %d, born while its maker was moved: the kernel has it in %s, "
			 "ucgroup in %s, and the moves do not explain it",
			 tid, shm->groups[k].path, shm->groups[u].path);
		return;
	}
	atomic_fetch_add(&shm->stats.repaired, 1);
	err = kernel_write_number(hier, (uint32_t)u, "tasks", tid);
	if (err < 0)
		complain("task %d cannot be moved to %s in the kernel's hierarchy: %s", tid,
			 shm->groups[u].path, strerror(-err));
}

static void look_at_those_who_ask(void)
{
	if (!atomic_load(&shm->asking))
		return;
	for (uint32_t i = 0; i < MAX_SLOTS; i++) {
		struct slot *s = &shm->slots[i];

		if (!atomic_load(&s->ask))
			continue;
		for (uint32_t h = 0; h < N_HIER; h++)
			look_in(s, h);
		atomic_fetch_sub(&shm->asking, 1);
		atomic_store(&s->ask, 0);
		futex_wake(&s->ask);
	}
}

/* ---- the mover ---------------------------------------------------------------------------------- */

struct target {
	pid_t id;
	bool process;
	unsigned long long began; /* numbers are given again, soon where there are few */
};

static bool pick_slot(struct target *t, uint32_t *seed)
{
	for (int tries = 0; tries < 2000; tries++) {
		struct slot *s = &shm->slots[rnd_below(seed, MAX_SLOTS)];
		uint32_t state = atomic_load(&s->state);

		if (state < SLOT_RUNNING || s->script == SCRIPT_SENTINEL)
			continue;
		t->id = atomic_load(t->process ? &s->tgid : &s->tid);
		if (t->id > 0)
			return true;
	}
	return false;
}

/* From a group's listing: this finds tasks that have only just been made. */
static bool pick_listed(struct target *t, bool kernel, uint32_t hier, uint32_t *seed)
{
	static pid_t list[MAX_TIDS];
	uint32_t g = pick_group(rnd_below(seed, 2) ? GROUP_SHARED : GROUP_JOB, seed);
	const char *file = t->process ? "cgroup.procs" : "tasks";
	ssize_t n = kernel ? kernel_list(hier, g, file, list, MAX_TIDS) :
			     ucg_list(hier, g, file, list, MAX_TIDS);

	if (n < 0)
		complain("%s of %s cannot be read: %s", file, shm->groups[g].path,
			 strerror((int)-n));
	if (n <= 0)
		return false;
	/* The youngest are the most interesting. */
	t->id = list[rnd_below(seed, 3) ? n - 1 : rnd_below(seed, (uint32_t)n)];
	return true;
}

/* The groups the target's threads are in, as bits; 0 when it is gone or none of ours. */
static uint64_t groups_now(const struct target *t, uint32_t hier)
{
	uint64_t groups = 0;
	struct dirent *e;
	char path[64];
	DIR *dir;
	int g;

	if (!t->process) {
		g = kernel_group_of(t->id, hier);
		return g < 0 ? 0 : 1ull << g;
	}
	snprintf(path, sizeof(path), "/proc/%d/task", t->id);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((e = readdir(dir))) {
		g = atoi(e->d_name) > 0 ? kernel_group_of(atoi(e->d_name), hier) : -ENOENT;
		if (g >= 0)
			groups |= 1ull << g;
	}
	closedir(dir);
	return groups;
}

/* Has the target no thread left that a move could still reach? */
static bool target_ending(const struct target *t)
{
	struct dirent *e;
	bool ending = true;
	char path[64];
	DIR *dir;

	if (!t->process)
		return task_ending(t->id, t->began);
	if (task_began(t->id) != t->began)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/task", t->id);
	dir = opendir(path);
	if (!dir)
		return true;
	while ((e = readdir(dir)))
		if (atoi(e->d_name) > 0)
			ending &= task_ending(atoi(e->d_name), 0);
	closedir(dir);
	return ending;
}

/* An exec may give the number to another task at any moment; that one looks itself then. */
static bool changes_tid(pid_t tgid)
{
	for (uint32_t i = 0; i < MAX_SLOTS; i++) {
		struct slot *s = &shm->slots[i];

		if (atomic_load(&s->state) != SLOT_FREE && atomic_load(&s->tgid) == tgid &&
		    atomic_load(&s->retid))
			return true;
	}
	return false;
}

/*
 * Success in both, or "no such task" in either: the kernel answers a move of an exiting task with
 * success and does nothing, ucgroup with ESRCH. It must then be gone in a moment.
 */
static void judge(const struct target *t, uint32_t hier, uint32_t to, int kernel, int ucg)
{
	uint64_t deadline = now_ms() + 30000;

	if (!kernel && !ucg)
		return;
	if ((kernel && kernel != -ESRCH) || (ucg && ucg != -ESRCH)) {
		complain("moving %s %d to %s:/%s: the kernel says %s, ucgroup %s",
			 t->process ? "process" : "thread", t->id, shm->hier_name[hier],
			 shm->groups[to].path, strerror(-kernel), strerror(-ucg));
		return;
	}
	atomic_fetch_add(&shm->stats.moves_lost, 1);
	if (kernel == ucg)
		return;
	while (!target_ending(t)) {
		if (changes_tid(t->id))
			return;
		if (now_ms() > deadline) {
			complain("moving %s %d to %s:/%s: the kernel says %s, ucgroup %s, and it "
				 "is alive",
				 t->process ? "process" : "thread", t->id, shm->hier_name[hier],
				 shm->groups[to].path, strerror(-kernel), strerror(-ucg));
			return;
		}
		sleep_us(200);
	}
}

/* From here on a child born to the target knows that it must look where it is. False: it is gone. */
static bool begin(struct target *t, uint32_t hier, uint32_t to)
{
	uint32_t i = atomic_load(&shm->moves_begun);
	struct move *m = &shm->moves[i % MAX_MOVES];

	*m = (struct move){.id = t->id,
			   .hier = (uint8_t)hier,
			   .to = (uint8_t)to,
			   .process = t->process,
			   .from = groups_now(t, hier)};
	t->began = task_began(t->id);
	if (!m->from || !t->began)
		return false;
	atomic_store(&shm->moves_begun, i + 1);
	return true;
}

/* Several in one call of the library, one by its file. */
static void ucg_move(const struct target *t, size_t n, uint32_t hier, uint32_t to, int *results)
{
	char dir[256];
	pid_t pids[MANY];
	bool failed = false;
	int rc;

	if (n == 1) {
		*results = ucg_write_number(hier, to, t->process ? "cgroup.procs" : "tasks", t->id);
		return;
	}
	for (size_t i = 0; i < n; i++)
		pids[i] = t[i].id;
	snprintf(dir, sizeof(dir), "%s:/%s", shm->hier_name[hier], shm->groups[to].path);
	rc = ucgroup_move_many(connection, dir, pids, n, UCGROUP_THREADS, results);
	for (size_t i = 0; i < n; i++)
		failed |= results[i] != 0;
	if (rc && !failed)
		complain("moving %zu tasks to %s: %s", n, dir, strerror(-rc));
}

static void move(const struct target *t, size_t n, uint32_t hier, uint32_t to, uint32_t *seed)
{
	const char *file = t->process ? "cgroup.procs" : "tasks";
	bool kernel_first = rnd_below(seed, 2), sabotage;
	int kernel[MANY] = {0}, ucg[MANY] = {0};

	sabotage = shm->sabotage_moves && atomic_load(&shm->moves_done) % shm->sabotage_moves == 0;
	for (size_t i = 0; i < n && kernel_first; i++)
		kernel[i] = kernel_write_number(hier, to, file, t[i].id);
	if (!sabotage)
		ucg_move(t, n, hier, to, ucg);
	for (size_t i = 0; i < n && !kernel_first; i++)
		kernel[i] = kernel_write_number(hier, to, file, t[i].id);
	atomic_store(&shm->moves_done, atomic_load(&shm->moves_begun));
	atomic_fetch_add(t->process ? &shm->stats.process_moves : &shm->stats.moves, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		judge(&t[i], hier, to, kernel[i], ucg[i]);
}

static bool is_among(const struct target *t, size_t n, pid_t id)
{
	for (size_t i = 0; i < n; i++)
		if (t[i].id == id)
			return true;
	return false;
}

/* One, or several threads. */
static size_t pick(struct target *t, uint32_t hier, uint32_t to, uint32_t *seed)
{
	bool process = rnd_below(seed, 3) == 0;
	size_t max = process || rnd_below(seed, 4) ? 1 : 2 + rnd_below(seed, MANY - 1), n = 0;

	for (size_t tries = 0; tries < max; tries++) {
		uint32_t how = rnd_below(seed, 4);

		t[n] = (struct target){.process = process};
		if ((how < 2 ? pick_slot(&t[n], seed) : pick_listed(&t[n], how == 2, hier, seed)) &&
		    !is_among(t, n, t[n].id) && begin(&t[n], hier, to))
			n++;
	}
	return n;
}

void mover_main(uint32_t seed)
{
	int err = ucgroup_connect(shm->instance, &connection, NULL);

	if (err)
		complain("the mover cannot connect: %s", strerror(-err));
	while (!main_gone()) {
		uint32_t hier = rnd_below(&seed, N_HIER);
		uint32_t to = rnd_below(&seed, 12) ? pick_group(GROUP_SHARED, &seed) : 0;
		struct target t[MANY];
		size_t n;

		look_at_those_who_ask();
		if (atomic_load(&shm->hold)) {
			atomic_store(&shm->mover_held, 1);
			sleep_us(500);
			continue;
		}
		atomic_store(&shm->mover_held, 0);
		if (atomic_load(&shm->hold))
			continue;
		n = pick(t, hier, to, &seed);
		if (n)
			move(t, n, hier, to, &seed);
		sleep_us(n ? rnd_below(&seed, shm->move_pause) : 300);
	}
	_exit(0);
}
