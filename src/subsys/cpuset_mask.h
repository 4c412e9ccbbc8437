/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuset_mask.h - sets of CPUs or memory nodes, and the kernel's way of writing them down.
 */
#ifndef UCGROUP_SUBSYS_CPUSET_MASK_H
#define UCGROUP_SUBSYS_CPUSET_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MASK_BITS 2048
#define MASK_WORDS (MASK_BITS / 64)

struct mask {
	uint64_t w[MASK_WORDS];
};

static inline void mask_clear(struct mask *m)
{
	memset(m, 0, sizeof(*m));
}

static inline void mask_set(struct mask *m, unsigned int bit)
{
	m->w[bit / 64] |= 1ull << bit % 64;
}

static inline bool mask_has(const struct mask *m, unsigned int bit)
{
	return m->w[bit / 64] >> bit % 64 & 1;
}

static inline bool mask_equal(const struct mask *a, const struct mask *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool mask_is_empty(const struct mask *m);
bool mask_is_subset(const struct mask *a, const struct mask *b);
bool mask_intersects(const struct mask *a, const struct mask *b);
void mask_and(struct mask *res, const struct mask *a, const struct mask *b);
/* The first N bits. */
void mask_fill(struct mask *m, unsigned int n);

/*
 * A list as the kernel takes it, for N_BITS things: "0-3,8", with white space or commas in between,
 * "all", "N" for the last one, and "0-31:1/4" for the first 1 of every 4. Ends at a newline. An
 * empty one is the empty set. -EINVAL, -ERANGE (there cannot be such a thing), -EOVERFLOW.
 */
int mask_parse(struct mask *m, const char *text, unsigned int n_bits);
/* As the kernel prints it, without a newline, into BUF; cut off at SIZE. Returns BUF. */
char *mask_print(const struct mask *m, char *buf, size_t size);
/* Long enough for any mask: every other bit set. */
#define MASK_TEXT_SIZE (5 * MASK_BITS / 2)

#endif
