// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Staying awake for a moment after a request: who works with the file system or the socket sends the
 * next request when it has the answer to the last, and waking a sleeping daemon takes longer than most
 * of what it is asked for. So the loop looks for another request for SPIN_NS before it sleeps.
 *
 * That is CPU time, which somebody else may want: whoever is ready to run on our CPU goes first, and
 * after MOST_MISSES times in vain it is left until requests come close to each other again. On a
 * machine with one CPU nobody could send a request meanwhile.
 */
#include <sched.h>

#include "daemon.h"

#define SPIN_NS 100000
#define MOST_MISSES 4

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

void spin_request(struct daemon *d)
{
	struct spin *s = &d->spin;
	uint64_t now;

	if (!s->possible)
		return;
	now = uv_hrtime();
	if (now - s->last < SPIN_NS)
		s->misses = 0;
	s->last = now;
}

void spin_before_sleep(struct daemon *d)
{
	struct spin *s = &d->spin;
	bool active = uv_is_active((uv_handle_t *)&s->idle);

	if (s->possible && s->misses < MOST_MISSES && uv_hrtime() - s->last < SPIN_NS) {
		if (active)
			sched_yield();
		else
			uv_idle_start(&s->idle, on_idle);
	} else if (active) {
		s->misses++;
		uv_idle_stop(&s->idle);
	}
}
