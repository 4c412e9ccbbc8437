// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Building frames: a buffer that grows, and the numbers, strings and lists put into it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wire/wire.h>

void wire_buf_free(struct wire_buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

static int grow(struct wire_buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 256;
	unsigned char *data;

	if (more > SIZE_MAX / 2 - b->len)
		return -ENOMEM;
	while (cap < b->len + more)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

void wire_put(struct wire_buf *b, const void *data, size_t len)
{
	if (b->error || !len)
		return;
	if (len > b->cap - b->len) {
		b->error = grow(b, len);
		if (b->error)
			return;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void wire_put_u32(struct wire_buf *b, uint32_t v)
{
	wire_put(b, &v, sizeof(v));
}

void wire_put_i32(struct wire_buf *b, int32_t v)
{
	wire_put(b, &v, sizeof(v));
}

void wire_put_u64(struct wire_buf *b, uint64_t v)
{
	wire_put(b, &v, sizeof(v));
}

void wire_put_str(struct wire_buf *b, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	if (len > WIRE_MAX_STRING) {
		if (!b->error)
			b->error = -EINVAL;
		return;
	}
	wire_put_u32(b, (uint32_t)len);
	wire_put(b, s, len);
	wire_put(b, "", 1);
}

void wire_put_list(struct wire_buf *b, const struct wire_list *list)
{
	wire_put_u32(b, list->n);
	wire_put(b, list->data, list->len);
}

void wire_put_settings(struct wire_buf *b, const struct wire_settings *s)
{
	wire_put_u32(b, s->mask);
	wire_put_u32(b, s->notify);
	wire_put_str(b, s->agent);
}

size_t wire_begin(struct wire_buf *b, unsigned int op, uint32_t seq, int error)
{
	struct wire_header h = {.op = (uint16_t)op, .seq = seq, .error = error};
	size_t start = b->len;

	wire_put(b, &h, sizeof(h));
	return start;
}

int wire_end(struct wire_buf *b, size_t start)
{
	int error = b->error;
	uint32_t len;

	if (!error && b->len - start > WIRE_MAX_REPLY)
		error = -EMSGSIZE;
	if (error) {
		b->len = start;
		b->error = 0;
		return error;
	}
	len = (uint32_t)(b->len - start);
	memcpy(b->data + start, &len, sizeof(len));
	return 0;
}
