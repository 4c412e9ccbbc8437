// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset_mask.c - sets of CPUs or memory nodes, and the kernel's way of writing them down.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

#include <subsys/cpuset_mask.h>

bool mask_is_empty(const struct mask *m)
{
	uint64_t any = 0;

	for (unsigned int i = 0; i < MASK_WORDS; i++)
		any |= m->w[i];
	return !any;
}

bool mask_is_subset(const struct mask *a, const struct mask *b)
{
	uint64_t outside = 0;

	for (unsigned int i = 0; i < MASK_WORDS; i++)
		outside |= a->w[i] & ~b->w[i];
	return !outside;
}

bool mask_intersects(const struct mask *a, const struct mask *b)
{
	uint64_t both = 0;

	for (unsigned int i = 0; i < MASK_WORDS; i++)
		both |= a->w[i] & b->w[i];
	return both;
}

void mask_and(struct mask *res, const struct mask *a, const struct mask *b)
{
	for (unsigned int i = 0; i < MASK_WORDS; i++)
		res->w[i] = a->w[i] & b->w[i];
}

void mask_fill(struct mask *m, unsigned int n)
{
	mask_clear(m);
	for (unsigned int i = 0; i < n && i < MASK_BITS; i++)
		mask_set(m, i);
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* "FIRST-LAST:USED/OF": of every OF bits from FIRST to LAST, the first USED. */
struct region {
	unsigned int first, last, used, of;
};

static bool ends_text(char c)
{
	return c == '\0' || c == '\n';
}

static bool ends_region(char c)
{
	return ends_text(c) || c == ',' || isspace((unsigned char)c);
}

/* A number, or N. Moves *TEXT behind it. */
static int read_number(const char **text, unsigned int n_bits, unsigned int *number)
{
	const char *p = *text;
	unsigned long long v = 0;
	bool over = false;

	if (*p == 'N') {
		*number = n_bits - 1;
		*text = p + 1;
		return 0;
	}
	for (; isdigit((unsigned char)*p); p++) {
		v = v * 10 + (unsigned int)(*p - '0');
		over |= v > UINT_MAX;
		if (over)
			v = 0;
	}
	if (p == *text)
		return -EINVAL;
	if (over)
		return -EOVERFLOW;
	*number = (unsigned int)v;
	*text = p;
	return 0;
}

static int read_range(const char **text, unsigned int n_bits, struct region *r)
{
	int err;

	if (!strncasecmp(*text, "all", 3)) {
		r->first = 0;
		r->last = n_bits - 1;
		*text += 3;
		return 0;
	}
	err = read_number(text, n_bits, &r->first);
	if (err)
		return err;
	r->last = r->first;
	if (ends_region(**text))
		return 0;
	if (**text != '-')
		return -EINVAL;
	++*text;
	return read_number(text, n_bits, &r->last);
}

static int read_pattern(const char **text, unsigned int n_bits, struct region *r)
{
	int err;

	/* One past the last: the kernel's way of saying all of it, which it does not fit in. */
	r->used = r->of = r->last + 1;
	if (ends_region(**text))
		return 0;
	if (**text != ':')
		return -EINVAL;
	++*text;
	err = read_number(text, n_bits, &r->used);
	if (err)
		return err;
	if (**text != '/')
		return -EINVAL;
	++*text;
	err = read_number(text, n_bits, &r->of);
	if (err)
		return err;
	return ends_region(**text) ? 0 : -EINVAL;
}

static int add_region(struct mask *m, const struct region *r, unsigned int n_bits)
{
	if (r->first > r->last || !r->of || r->used > r->of)
		return -EINVAL;
	if (r->last >= n_bits)
		return -ERANGE;
	for (unsigned int bit = r->first; bit <= r->last; bit++)
		if ((bit - r->first) % r->of < r->used)
			mask_set(m, bit);
	return 0;
}

int mask_parse(struct mask *m, const char *text, unsigned int n_bits)
{
	struct region r;
	int err;

	mask_clear(m);
	for (;;) {
		while (!ends_text(*text) && ends_region(*text))
			text++;
		if (ends_text(*text))
			return 0;
		err = read_range(&text, n_bits, &r);
		if (!err)
			err = read_pattern(&text, n_bits, &r);
		if (!err)
			err = add_region(m, &r, n_bits);
		if (err)
			return err;
	}
}

/* ---- writing ---------------------------------------------------------------------------------- */

char *mask_print(const struct mask *m, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned int bit = 0; bit < MASK_BITS; bit++) {
		unsigned int first = bit;

		if (!mask_has(m, bit))
			continue;
		while (bit + 1 < MASK_BITS && mask_has(m, bit + 1))
			bit++;
		len += (size_t)snprintf(buf + len, size - len, first == bit ? "%s%u" : "%s%u-%u",
					len ? "," : "", first, bit);
		if (len >= size)
			return buf;
	}
	return buf;
}
