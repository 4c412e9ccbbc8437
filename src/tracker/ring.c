// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ring.c - reading a BPF ring buffer: see ring.h.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tracker/ring.h>

#define SPINS_BEFORE_YIELD 1000

#define RECORD_HEADER 8
#define RECORD_BUSY (1u << 31)
#define RECORD_DISCARDED (1u << 30)

int ring_map(struct ring *ring, int fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *ro;

	ring->fd = fd;
	ring->size = size;
	ring->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring->consumer == MAP_FAILED) {
		ring->consumer = NULL;
		return -errno;
	}
	ro = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (ro == MAP_FAILED)
		return -errno;
	ring->producer = (const unsigned long *)ro;
	ring->data = ro + page;
	return 0;
}

void ring_unmap(struct ring *ring)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (ring->consumer)
		munmap(ring->consumer, page);
	if (ring->producer)
		munmap((void *)ring->producer, page + 2 * ring->size);
	*ring = (struct ring){.fd = -1};
}

unsigned long ring_end(const struct ring *ring)
{
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
}

bool ring_is_empty(const struct ring *ring)
{
	return ring_end(ring) == *ring->consumer;
}

void ring_silence(struct ring *ring)
{
	__atomic_store_n(ring->consumer, ring_end(ring), __ATOMIC_RELEASE);
}

/* A slot still being filled: its writer is between two instructions, or was preempted there. */
static uint32_t wait_for_record(const uint32_t *header)
{
	uint32_t len;

	for (unsigned int i = 0;; i++) {
		len = __atomic_load_n(header, __ATOMIC_ACQUIRE);
		if (!(len & RECORD_BUSY))
			return len;
		if (i >= SPINS_BEFORE_YIELD)
			sched_yield();
	}
}

void ring_consume(struct ring *ring, unsigned long end,
		  void (*fn)(void *arg, const void *record, uint32_t size), void *arg)
{
	unsigned long at = *ring->consumer;

	while (at < end) {
		const uint32_t *header = (const uint32_t *)(ring->data + (at & (ring->size - 1)));
		uint32_t len = wait_for_record(header);
		uint32_t size = len & ~(RECORD_BUSY | RECORD_DISCARDED);

		if (!(len & RECORD_DISCARDED))
			fn(arg, (const uint8_t *)header + RECORD_HEADER, size);
		at += (size + RECORD_HEADER + 7) & ~7ul;
		/* At once: a small ring needs its room back. */
		__atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
	}
}
