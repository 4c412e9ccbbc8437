// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes what anybody may send to the control socket: bytes to a decoded request. Whatever is
 * accepted is read to its last field, and encoding it again must give the same bytes. And what the
 * daemon's answers are read with in the library.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc -Iinclude \
 *	tests/fuzz/fuzz_wire.c src/wire/read.c src/wire/write.c src/wire/request.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <wire/wire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte a handler could, for the sanitizer to judge. */
static size_t touch(const struct wire_request *req)
{
	const char *strings[] = {req->dir.label, req->dir.path, req->options, req->source,
				 req->set.agent};
	size_t i, pos = 0, sum = 0;
	const char *s;
	uint32_t n = 0;

	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		sum += strings[i] ? strlen(strings[i]) : 0;
	while ((s = wire_list_next(&req->names, &pos))) {
		sum += strlen(s);
		n++;
	}
	if (n != req->names.n)
		abort();
	for (n = 0; n < req->pids.n; n++)
		sum += (uint32_t)wire_list_number(&req->pids, n);
	return sum;
}

/* As the client reads replies: a list of results, of numbers, of strings, settings. */
static void read_reply(const uint8_t *frame, size_t size)
{
	struct wire_settings settings;
	struct wire_header h;
	struct wire_reader r;
	struct wire_list list;
	size_t sum = 0;
	size_t pos = 0;
	const char *s;

	if (wire_peek(frame, size, WIRE_MAX_REPLY, &h) != 1)
		return;
	wire_payload(frame, h.len, &r);
	wire_get_numbers(&r, &list);
	for (uint32_t i = 0; i < list.n; i++)
		sum += (uint32_t)wire_list_number(&list, i);
	wire_payload(frame, h.len, &r);
	wire_get_strings(&r, &list);
	while ((s = wire_list_next(&list, &pos)))
		sum += strlen(s);
	wire_payload(frame, h.len, &r);
	wire_get_settings(&r, &settings);
	sum += strlen(settings.agent);
	wire_payload(frame, h.len, &r);
	for (uint32_t n = wire_get_u32(&r); n && !r.error; n--)
		sum += (uint32_t)wire_get_i32(&r);
	__asm__ volatile("" : : "r"(sum)); /* so that all of it is read */
	if (!wire_reader_end(&r) && r.p != r.end)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_request req;
	struct wire_event ev;
	struct wire_buf b = {0};
	volatile size_t sink;
	uint8_t *frame;
	uint32_t len = (uint32_t)size;

	/* An own allocation of the exact size; the length made right, or nothing gets further. */
	frame = malloc(size ? size : 1);
	if (!frame)
		return 0;
	memcpy(frame, data, size);
	wire_decode_request(frame, size, &req);
	if (size >= sizeof(len))
		memcpy(frame, &len, sizeof(len));
	if (!wire_decode_request(frame, size, &req)) {
		sink = touch(&req);
		(void)sink;
		if (wire_encode_request(&b, &req) || b.len != size || memcmp(b.data, frame, size))
			abort();
	}
	if (!wire_decode_event(frame, size, &ev)) {
		sink = strlen(ev.hierarchy) + strlen(ev.path) + strlen(ev.agent);
		(void)sink;
	}
	read_reply(frame, size);
	wire_buf_free(&b);
	free(frame);
	return 0;
}
