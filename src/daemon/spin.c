// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Staying awake for a moment after a request: who works with the file system or the socket sends the
 * next request when it has the answer to the last, and waking a sleeping daemon takes longer than most
 * of what it is asked for. So the loop looks for another request for SPIN_NS before it sleeps.
 *
 * That is CPU time, which somebody else may want, and who uses much of it is woken later than others.
 * So it is done only while nobody does: every now and then the kernel is asked how long we had to wait
 * for a CPU lately. After MOST_MISSES times in vain it is left until requests come close to each other
 * again. With one CPU nobody could send a request meanwhile.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon.h"

#define SPIN_NS 100000
#define MOST_MISSES 4
#define LOOK_NS 2000000	     /* how often it is asked */
#define WAITED_TOO_LONG 50   /* that part of the time */
#define BUSY_NS 100000000ull /* how long it is left, doubled each time */
#define BUSY_MOST_NS (64 * BUSY_NS)

static void on_idle(uv_idle_t *idle)
{
	/* That it is active keeps the loop from sleeping. */
	(void)idle;
}

static bool have_cpus(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 1;
}

/* Nanoseconds that the loop's thread has been ready to run and did not; false: it is not known. */
static bool read_waited(const struct spin *s, uint64_t *waited)
{
	char text[128];
	ssize_t n = pread(s->fd, text, sizeof(text) - 1, 0);
	unsigned long long ns;

	if (n <= 0)
		return false;
	text[n] = '\0';
	if (sscanf(text, "%*u %llu", &ns) != 1)
		return false;
	*waited = ns;
	return true;
}

int spin_start(struct daemon *d)
{
	struct spin *s = &d->spin;

	s->fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	s->possible = have_cpus() && read_waited(s, &s->waited);
	s->looked = uv_hrtime();
	return uv_idle_init(&d->loop, &s->idle);
}

void spin_stop(struct daemon *d)
{
	if (d->spin.fd >= 0)
		close(d->spin.fd);
}

static void look(struct spin *s, uint64_t now)
{
	uint64_t waited, passed = now - s->looked;

	if (passed < LOOK_NS || now < s->busy_until || !read_waited(s, &waited))
		return;
	if ((waited - s->waited) * WAITED_TOO_LONG > passed) {
		s->busy_ns = s->busy_ns ? s->busy_ns * 2 : BUSY_NS;
		if (s->busy_ns > BUSY_MOST_NS)
			s->busy_ns = BUSY_MOST_NS;
		s->busy_until = now + s->busy_ns;
	} else if (s->busy_ns && now - s->busy_until > s->busy_ns) {
		s->busy_ns = 0;
	}
	s->waited = waited;
	s->looked = now;
}

/* Agents will come to us, but need the CPU until they do. */
static bool may_spin(const struct daemon *d, uint64_t now)
{
	const struct spin *s = &d->spin;

	return s->misses < MOST_MISSES && now >= s->busy_until && !agents_are_fresh(d);
}

bool spin_request(struct daemon *d)
{
	struct spin *s = &d->spin;
	uint64_t now;

	if (!s->possible)
		return false;
	now = uv_hrtime();
	look(s, now);
	if (now - s->last < SPIN_NS)
		s->misses = 0;
	s->last = now;
	return may_spin(d, now);
}

void spin_before_sleep(struct daemon *d)
{
	struct spin *s = &d->spin;
	bool active = uv_is_active((uv_handle_t *)&s->idle);
	uint64_t now;

	if (!s->possible)
		return;
	now = uv_hrtime();
	if (may_spin(d, now) && now - s->last < SPIN_NS) {
		if (!active)
			uv_idle_start(&s->idle, on_idle);
	} else if (active) {
		s->misses++;
		uv_idle_stop(&s->idle);
	}
}
