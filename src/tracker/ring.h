/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring.h - reading a BPF ring buffer up to where it went when the reading began, those included who
 * have reserved a slot and not yet filled it. (libbpf's own reader stops there.)
 *
 * One reader, on the daemon's loop.
 */
#ifndef UCGROUP_TRACKER_RING_H
#define UCGROUP_TRACKER_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	int fd; /* of the map; not ours to close */
	size_t size;
	unsigned long *consumer; /* ours to write */
	const unsigned long *producer;
	const uint8_t *data; /* mapped twice in a row: a record never wraps */
};

/* The bytes that a record of SIZE takes. */
#define RING_RECORD(size) (((size) + 8 + 7) & ~7ul)

/* Maps the ring buffer FD of SIZE bytes. -errno; then ring_unmap() all the same. */
int ring_map(struct ring *ring, int fd, size_t size);
void ring_unmap(struct ring *ring);

/* How far it goes now. */
unsigned long ring_end(const struct ring *ring);
/* Is there nothing to read? */
bool ring_is_empty(const struct ring *ring);
/* Throws everything away unread. */
void ring_silence(struct ring *ring);
/* Calls FN with each record up to END, and gives its room back after each. */
void ring_consume(struct ring *ring, unsigned long end,
		  void (*fn)(void *arg, const void *record, uint32_t size), void *arg);

#endif
