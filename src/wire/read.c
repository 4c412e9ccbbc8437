// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Taking received bytes apart. Every step is checked against the end of the frame, so nothing a
 * peer sends can make the reader leave it.
 */
#include <errno.h>
#include <string.h>

#include <wire/wire.h>

/* The first error is the one to tell. */
static void fail(struct wire_reader *r)
{
	if (!r->error)
		r->error = -EBADMSG;
}

static void take(struct wire_reader *r, void *out, size_t len)
{
	if (r->error || len > (size_t)(r->end - r->p)) {
		fail(r);
		memset(out, 0, len);
		return;
	}
	memcpy(out, r->p, len);
	r->p += len;
}

uint32_t wire_get_u32(struct wire_reader *r)
{
	uint32_t v;

	take(r, &v, sizeof(v));
	return v;
}

int32_t wire_get_i32(struct wire_reader *r)
{
	int32_t v;

	take(r, &v, sizeof(v));
	return v;
}

uint64_t wire_get_u64(struct wire_reader *r)
{
	uint64_t v;

	take(r, &v, sizeof(v));
	return v;
}

const char *wire_get_str(struct wire_reader *r)
{
	uint32_t len = wire_get_u32(r);
	const char *s = (const char *)r->p;

	/* The NUL at its end, and none before: what is checked here is used as a C string. */
	if (r->error || len > WIRE_MAX_STRING || len >= (size_t)(r->end - r->p) || s[len] ||
	    memchr(s, 0, len)) {
		fail(r);
		return "";
	}
	r->p += len + 1;
	return s;
}

void wire_get_strings(struct wire_reader *r, struct wire_list *list)
{
	uint32_t i;

	list->n = wire_get_u32(r);
	list->data = r->p;
	for (i = 0; i < list->n && !r->error; i++)
		wire_get_str(r);
	if (r->error)
		list->n = 0;
	list->len = r->error ? 0 : (size_t)(r->p - list->data);
}

void wire_get_numbers(struct wire_reader *r, struct wire_list *list)
{
	list->n = wire_get_u32(r);
	list->data = r->p;
	if (!r->error && list->n > (size_t)(r->end - r->p) / sizeof(int32_t))
		fail(r);
	if (r->error)
		list->n = 0;
	list->len = (size_t)list->n * sizeof(int32_t);
	r->p += list->len;
}

void wire_get_settings(struct wire_reader *r, struct wire_settings *s)
{
	s->mask = wire_get_u32(r);
	s->notify = wire_get_u32(r);
	s->agent = wire_get_str(r);
}

int wire_reader_end(const struct wire_reader *r)
{
	return r->error || r->p != r->end ? -EBADMSG : 0;
}

const char *wire_list_next(const struct wire_list *list, size_t *pos)
{
	const char *s;
	uint32_t len;

	if (*pos >= list->len)
		return NULL;
	memcpy(&len, list->data + *pos, sizeof(len));
	s = (const char *)list->data + *pos + sizeof(len);
	*pos += sizeof(len) + len + 1;
	return s;
}

int32_t wire_list_number(const struct wire_list *list, uint32_t index)
{
	int32_t v;

	memcpy(&v, list->data + (size_t)index * sizeof(v), sizeof(v));
	return v;
}

int wire_peek(const void *data, size_t len, uint32_t max, struct wire_header *h)
{
	if (len < WIRE_HEADER_SIZE)
		return 0;
	memcpy(h, data, sizeof(*h));
	if (h->len < WIRE_HEADER_SIZE || h->reserved)
		return -EBADMSG;
	if (h->len > max)
		return -EMSGSIZE;
	return len >= h->len;
}

void wire_payload(const void *frame, size_t len, struct wire_reader *r)
{
	r->p = (const unsigned char *)frame + WIRE_HEADER_SIZE;
	r->end = (const unsigned char *)frame + len;
	r->error = 0;
}
