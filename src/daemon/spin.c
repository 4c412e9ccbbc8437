// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Staying awake for a moment after a request: who works with the file system or the socket sends the
 * next request when it has the answer to the last, and waking a sleeping daemon takes longer than most
 * of what it is asked for. So the loop looks for another request for SPIN_NS before it sleeps.
 *
 * That is CPU time, which somebody else may want: whoever is ready to run on our CPU goes first, and
 * if that was the case, it is not done for BUSY_NS, and twice as long each time again. After MOST_MISSES times in vain it is left until
 * requests come close to each other again. With one CPU nobody could send a request meanwhile.
 */
#include <sched.h>

#include "daemon.h"

#define SPIN_NS 100000
#define MOST_MISSES 4
#define YIELD_NS 20000 /* giving way took longer: to somebody */
#define BUSY_NS 100000000ull
#define BUSY_MOST_NS (64 * BUSY_NS)
#define QUIET 1000 /* times that nobody took: all is forgotten */

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

int spin_start(struct daemon *d)
{
	d->spin.possible = have_cpus();
	return uv_idle_init(&d->loop, &d->spin.idle);
}

static bool may_spin(const struct spin *s, uint64_t now)
{
	return s->possible && s->misses < MOST_MISSES && now >= s->busy_until;
}

bool spin_request(struct daemon *d)
{
	struct spin *s = &d->spin;
	uint64_t now = uv_hrtime();

	if (now - s->last < SPIN_NS)
		s->misses = 0;
	s->last = now;
	return may_spin(s, now);
}

static void give_way(struct spin *s)
{
	uint64_t before = uv_hrtime(), now;

	sched_yield();
	now = uv_hrtime();
	if (now - before > YIELD_NS) {
		s->busy_ns = s->busy_ns ? s->busy_ns * 2 : BUSY_NS;
		if (s->busy_ns > BUSY_MOST_NS)
			s->busy_ns = BUSY_MOST_NS;
		s->busy_until = now + s->busy_ns;
		s->quiet = 0;
	} else if (++s->quiet == QUIET) {
		s->busy_ns = 0;
	}
}

void spin_before_sleep(struct daemon *d)
{
	struct spin *s = &d->spin;
	bool active = uv_is_active((uv_handle_t *)&s->idle);
	uint64_t now = uv_hrtime();

	if (may_spin(s, now) && now - s->last < SPIN_NS) {
		if (active)
			give_way(s);
		else
			uv_idle_start(&s->idle, on_idle);
	} else if (active) {
		s->misses++;
		uv_idle_stop(&s->idle);
	}
}
