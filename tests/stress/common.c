// SPDX-License-Identifier: GPL-2.0-or-later
/* Shared memory and holding still, for the parts of the stress test. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

struct shared *shm;

static void shm_map(void)
{
	shm = mmap(NULL, sizeof(*shm), PROT_READ | PROT_WRITE, MAP_SHARED, SHM_FD, 0);
	if (shm == MAP_FAILED) {
		perror("stress: cannot map the shared memory");
		_exit(99);
	}
}

void shm_create(void)
{
	int fd = memfd_create("ucgroup-stress", 0);

	if (fd < 0 || dup2(fd, SHM_FD) < 0 || ftruncate(SHM_FD, sizeof(*shm)) < 0) {
		perror("stress: cannot make the shared memory");
		exit(99);
	}
	close(fd);
	shm_map();
}

void shm_attach(void)
{
	shm_map();
}

void complain(const char *fmt, ...)
{
	uint32_t i = atomic_fetch_add(&shm->n_complaints, 1);
	va_list ap;

	if (i >= MAX_COMPLAINTS)
		return;
	va_start(ap, fmt);
	vsnprintf(shm->complaints[i], sizeof(shm->complaints[i]), fmt, ap);
	va_end(ap);
}

uint32_t rnd(uint32_t *seed)
{
	uint32_t x = *seed ? *seed : 0x9e3779b9u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *seed = x;
}

uint32_t rnd_below(uint32_t *seed, uint32_t n)
{
	return (uint32_t)(((uint64_t)rnd(seed) * n) >> 32);
}

/* Of a sequence of its own: the maker's next numbers would have the child do what the maker does. */
static uint32_t childs_seed(uint32_t *seed)
{
	uint32_t x = rnd(seed) ^ 0x5bd1e995u;

	x = (x ^ (x >> 16)) * 0x85ebca6bu;
	x = (x ^ (x >> 13)) * 0xc2b2ae35u;
	return x ^ (x >> 16);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void sleep_us(unsigned int us)
{
	struct timespec ts = {us / 1000000, (long)(us % 1000000) * 1000};

	nanosleep(&ts, NULL);
}

/* Nobody outlives the main process, however it ended. */
bool main_gone(void)
{
	return atomic_load(&shm->abort) || (kill(shm->main_pid, 0) < 0 && errno == ESRCH);
}

void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	struct timespec ts = {0, 200 * 1000 * 1000};

	syscall(SYS_futex, word, FUTEX_WAIT, value, &ts, NULL, 0);
}

void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/*
 * Every session is a scheduling group of its own, with the same share as the daemon's. Without this
 * the daemons of the jobs, one session each, would leave nothing to those who look at them.
 */
void step_back(void)
{
	int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "5", 1) < 0)
		complain("/proc/self/autogroup: %s", strerror(errno));
	close(fd);
}

struct slot *slot_new(enum script script, const struct slot *maker, uint32_t job, uint32_t *seed)
{
	uint32_t start = rnd_below(seed, MAX_SLOTS);

	for (uint32_t i = 0; i < MAX_SLOTS; i++) {
		struct slot *s = &shm->slots[(start + i) % MAX_SLOTS];
		uint32_t want = SLOT_FREE;

		if (!atomic_compare_exchange_strong(&s->state, &want, SLOT_NEWBORN))
			continue;
		atomic_fetch_add(&shm->live, 1);
		s->maker_tid = (pid_t)syscall(SYS_gettid);
		s->maker_tgid = getpid();
		s->script = script;
		s->job = maker ? maker->job : job;
		s->generation = maker ? maker->generation : atomic_load(&shm->jobs[job].started);
		s->depth = maker ? maker->depth + 1 : 0;
		s->seed = childs_seed(seed);
		atomic_store(&s->go, 0);
		atomic_store(&s->ask, 0);
		atomic_store(&s->retid, false);
		s->since = atomic_load(&shm->moves_done);
		return s;
	}
	return NULL;
}

void slot_free(struct slot *slot)
{
	/* Nobody shall take a slot by a number of its last user. */
	atomic_store(&slot->tid, 0);
	atomic_store(&slot->tgid, 0);
	atomic_fetch_sub(&shm->live, 1);
	atomic_store(&slot->state, SLOT_FREE);
}

bool slot_run(struct slot *slot)
{
	for (;;) {
		atomic_store(&slot->state, SLOT_RUNNING);
		/* The main process sets `hold` first and looks at the states then. */
		if (!atomic_load(&shm->hold))
			break;
		atomic_store(&slot->state, SLOT_PARKED);
		while (atomic_load(&shm->hold)) {
			futex_wait(&shm->hold, 1);
			if (main_gone())
				_exit(98);
		}
	}
	return !atomic_load(&shm->abort) &&
	       slot->generation > atomic_load(&shm->jobs[slot->job].stopped);
}

void slot_wait(struct slot *slot)
{
	atomic_store(&slot->state, SLOT_WAITING);
}
