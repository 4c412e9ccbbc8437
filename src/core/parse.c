// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parse.c - numbers as control files take them: the whole input is one number, or it is refused.
 */
#include <ctype.h>

#include <core/internal.h>

/*
 * Splits off white space and sign and reads the digits. A value beyond 64 bits: -ERANGE. The input
 * is bytes, not a string: a NUL in it is junk like any other.
 */
static int parse_magnitude(const char *text, size_t len, bool *negative, uint64_t *val)
{
	const char *p = text, *end = text + len;
	unsigned int base = 10;
	bool over = false;

	while (p < end && isspace((unsigned char)*p))
		p++;
	while (end > p && isspace((unsigned char)end[-1]))
		end--;
	*negative = false;
	if (p < end && (*p == '-' || *p == '+'))
		*negative = *p++ == '-';
	if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
	} else if (end - p > 1 && p[0] == '0') {
		base = 8;
		p++;
	}
	if (p == end)
		return -EINVAL;

	uint64_t v = 0;
	for (; p < end; p++) {
		unsigned char c = (unsigned char)tolower((unsigned char)*p);
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else
			return -EINVAL;
		if (digit >= base)
			return -EINVAL;
		if (v > (UINT64_MAX - digit) / base)
			over = true;
		v = v * base + digit;
	}
	if (over)
		return -ERANGE;
	*val = v;
	return 0;
}

int core_parse_u64(const char *text, size_t len, uint64_t *val)
{
	bool negative;
	uint64_t v;
	int err = parse_magnitude(text, len, &negative, &v);

	if (negative)
		return -EINVAL;
	if (err)
		return err;
	*val = v;
	return 0;
}

int core_parse_s64(const char *text, size_t len, int64_t *val)
{
	bool negative;
	uint64_t v;
	int err = parse_magnitude(text, len, &negative, &v);

	if (err)
		return err;
	if (v > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*val = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int core_parse_tid(const char *text, size_t len, pid_t *tid)
{
	uint64_t v;
	int err = core_parse_u64(text, len, &v);

	if (err)
		return -EINVAL;
	if (v > INT_MAX)
		return -EINVAL;
	*tid = (pid_t)v;
	return 0;
}
