// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket's format: what is encoded comes back as it was, and nothing malformed is
 * taken for a request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include <wire/wire.h>

static struct wire_list pack_strings(struct wire_buf *b, const char *const *s, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		wire_put_str(b, s[i]);
	return (struct wire_list){.n = n, .data = b->data, .len = b->len};
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void check_same(const struct wire_request *a, const struct wire_request *b)
{
	assert_int_equal(a->op, b->op);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->dir.kind, b->dir.kind);
	assert_true(a->dir.dev == b->dir.dev && a->dir.ino == b->dir.ino);
	assert_string_equal(or_empty(a->dir.label), or_empty(b->dir.label));
	assert_string_equal(or_empty(a->dir.path), or_empty(b->dir.path));
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->timeout_ms, b->timeout_ms);
	assert_int_equal(a->query, b->query);
	assert_string_equal(or_empty(a->options), or_empty(b->options));
	assert_string_equal(or_empty(a->source), or_empty(b->source));
	assert_int_equal(a->names.n, b->names.n);
	assert_int_equal(a->names.len, b->names.len);
	assert_int_equal(a->pids.n, b->pids.n);
	assert_int_equal(a->set.mask, b->set.mask);
	assert_int_equal(a->set.notify, b->set.notify);
	assert_string_equal(or_empty(a->set.agent), or_empty(b->set.agent));
}

/* One request of each op, with every field of it used. */
static size_t samples(struct wire_request *r, struct wire_buf *names, int32_t *pids)
{
	static const char *const paths[] = {"a", "b c/d", "\xc3\xa4", ""};
	struct wire_dir ino = {.kind = WIRE_DIR_INODE, .dev = 0x123456789a, .ino = UINT64_MAX};
	struct wire_dir label = {.kind = WIRE_DIR_LABEL, .label = "debug,cpuset", .path = "/x y"};
	struct wire_list strings = pack_strings(names, paths, 4);
	struct wire_list numbers = {3, (const void *)pids, 3 * sizeof(*pids)};
	struct wire_list one = {1, (const void *)pids, sizeof(*pids)};
	size_t n = 0;

	ino.path = "sub";
	r[n++] = (struct wire_request){.op = WIRE_HELLO, .seq = 1, .version = WIRE_VERSION};
	r[n++] = (struct wire_request){.op = WIRE_MOUNT,
				       .seq = 2,
				       .options = "none,name=x",
				       .source = "src",
				       .flags = WIRE_MOUNT_PROC};
	r[n++] = (struct wire_request){.op = WIRE_REMOUNT, .dir = ino, .options = "debug"};
	r[n++] = (struct wire_request){.op = WIRE_SYNC, .seq = UINT32_MAX};
	r[n++] = (struct wire_request){
		.op = WIRE_MKDIR, .dir = label, .mode = 0755, .names = strings};
	r[n++] = (struct wire_request){.op = WIRE_RMDIR, .dir = ino, .names = strings};
	r[n++] = (struct wire_request){
		.op = WIRE_MOVE, .dir = ino, .flags = WIRE_THREADS, .pids = numbers};
	r[n++] = (struct wire_request){
		.op = WIRE_ENTER, .dir = ino, .mode = 0700, .flags = WIRE_NOTIFY, .pids = one};
	r[n++] = (struct wire_request){.op = WIRE_LIST, .dir = ino, .flags = WIRE_RECURSIVE};
	r[n++] = (struct wire_request){.op = WIRE_WAIT, .dir = label, .timeout_ms = 1500};
	r[n++] = (struct wire_request){.op = WIRE_WATCH, .seq = 9};
	r[n++] = (struct wire_request){.op = WIRE_GET, .dir = label};
	r[n++] = (struct wire_request){
		.op = WIRE_SET,
		.dir = label,
		.set = {WIRE_SET_NOTIFY | WIRE_SET_AGENT, 1, "builtin:rmdir"}};
	r[n++] = (struct wire_request){.op = WIRE_QUERY, .query = WIRE_QUERY_TREE, .dir = label};
	r[n++] = (struct wire_request){.op = WIRE_SHUTDOWN};
	assert_int_equal(n, WIRE_OPS - 1);
	return n;
}

static void test_round_trip(void **state)
{
	struct wire_request reqs[WIRE_OPS], got;
	int32_t pids[] = {1, -1, INT32_MAX};
	struct wire_buf names = {0}, b = {0};
	size_t i, n = samples(reqs, &names, pids);

	(void)state;
	for (i = 0; i < n; i++) {
		b.len = 0;
		assert_int_equal(wire_encode_request(&b, &reqs[i]), 0);
		assert_int_equal(wire_decode_request(b.data, b.len, &got), 0);
		check_same(&reqs[i], &got);
	}
	wire_buf_free(&b);
	wire_buf_free(&names);
}

static void test_lists(void **state)
{
	struct wire_request reqs[WIRE_OPS], got;
	int32_t pids[] = {7, -1, INT32_MAX};
	struct wire_buf names = {0}, b = {0};
	size_t pos = 0;

	(void)state;
	samples(reqs, &names, pids);
	assert_int_equal(wire_encode_request(&b, &reqs[WIRE_MKDIR - 1]), 0);
	assert_int_equal(wire_decode_request(b.data, b.len, &got), 0);
	assert_string_equal(wire_list_next(&got.names, &pos), "a");
	assert_string_equal(wire_list_next(&got.names, &pos), "b c/d");
	assert_string_equal(wire_list_next(&got.names, &pos), "\xc3\xa4");
	assert_string_equal(wire_list_next(&got.names, &pos), "");
	assert_null(wire_list_next(&got.names, &pos));

	b.len = 0;
	assert_int_equal(wire_encode_request(&b, &reqs[WIRE_MOVE - 1]), 0);
	assert_int_equal(wire_decode_request(b.data, b.len, &got), 0);
	assert_int_equal(wire_list_number(&got.pids, 0), 7);
	assert_int_equal(wire_list_number(&got.pids, 1), -1);
	assert_int_equal(wire_list_number(&got.pids, 2), INT32_MAX);
	wire_buf_free(&b);
	wire_buf_free(&names);
}

/* A frame cut anywhere, or with a byte too many, is refused whatever its header says. */
static void test_truncated(void **state)
{
	struct wire_request reqs[WIRE_OPS], got;
	int32_t pids[] = {1, 2, 3};
	struct wire_buf names = {0}, b = {0};
	size_t i, cut, n = samples(reqs, &names, pids);
	unsigned char *copy;
	uint32_t len;

	(void)state;
	for (i = 0; i < n; i++) {
		b.len = 0;
		assert_int_equal(wire_encode_request(&b, &reqs[i]), 0);
		for (cut = 0; cut < b.len; cut++) {
			/* An exact allocation, so that a sanitizer sees a byte read too far. */
			copy = malloc(cut ? cut : 1);
			assert_non_null(copy);
			memcpy(copy, b.data, cut);
			len = (uint32_t)cut;
			if (cut >= sizeof(len))
				memcpy(copy, &len, sizeof(len));
			assert_int_equal(wire_decode_request(copy, cut, &got), -EBADMSG);
			free(copy);
		}
		wire_put(&b, "x", 1);
		len = (uint32_t)b.len;
		memcpy(b.data, &len, sizeof(len));
		assert_int_equal(wire_decode_request(b.data, b.len, &got), -EBADMSG);
	}
	wire_buf_free(&b);
	wire_buf_free(&names);
}

static void test_bad_frames(void **state)
{
	struct wire_request req = {.op = WIRE_HELLO, .seq = 5, .version = 1}, got;
	struct wire_buf b = {0};
	struct wire_header h;
	uint32_t v;
	size_t start;

	(void)state;
	/* Another magic number: no client of ours. */
	assert_int_equal(wire_encode_request(&b, &req), 0);
	b.data[WIRE_HEADER_SIZE] ^= 1;
	assert_int_equal(wire_decode_request(b.data, b.len, &got), -EPROTO);

	/* An op of a later version: told apart, and the sequence number is there for the answer. */
	b.len = 0;
	start = wire_begin(&b, WIRE_OPS + 100, 77, 0);
	assert_int_equal(wire_end(&b, start), 0);
	assert_int_equal(wire_decode_request(b.data, b.len, &got), -EOPNOTSUPP);
	assert_int_equal(got.seq, 77);

	/* Lengths: shorter than the header, longer than is allowed. */
	assert_int_equal(wire_peek(b.data, 15, 100, &h), 0);
	v = 15;
	memcpy(b.data, &v, sizeof(v));
	assert_int_equal(wire_peek(b.data, b.len, 100, &h), -EBADMSG);
	v = 101;
	memcpy(b.data, &v, sizeof(v));
	assert_int_equal(wire_peek(b.data, b.len, 100, &h), -EMSGSIZE);
	v = 100;
	memcpy(b.data, &v, sizeof(v));
	assert_int_equal(wire_peek(b.data, b.len, 100, &h), 0);
	wire_buf_free(&b);
}

static void put_frame(struct wire_buf *b, unsigned int op, const void *payload, size_t len)
{
	size_t start;

	b->len = 0;
	start = wire_begin(b, op, 1, 0);
	wire_put(b, payload, len);
	assert_int_equal(wire_end(b, start), 0);
}

static void test_bad_payloads(void **state)
{
	/* remount: dir {kind label, label "a", path ""}, options */
	static const unsigned char nul_inside[] = {2, 0, 0, 0, 2, 0, 0, 0, 'a', 0, 0,
						   0, 0, 0, 0, 0, 0, 0, 0, 0,	0};
	static const unsigned char no_nul[] = {2, 0, 0, 0, 1, 0, 0, 0, 'a', 'b',
					       0, 0, 0, 0, 0, 0, 0, 0, 0,   0};
	static const unsigned char bad_kind[] = {9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	/* move: dir {none, ""}, flags, a count of numbers that wraps when multiplied */
	static const unsigned char many[] = {0, 0, 0, 0, 0, 0,	  0, 0, 0, 0, 0,
					     0, 0, 1, 0, 0, 0x40, 1, 0, 0, 0};
	/* rmdir: dir {none, ""}, 2^32-1 strings */
	static const unsigned char strings[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255};
	/* enter: two pids */
	static const unsigned char two[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
					    0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0};
	struct wire_request got;
	struct wire_buf b = {0};

	(void)state;
	put_frame(&b, WIRE_REMOUNT, nul_inside, sizeof(nul_inside));
	assert_int_equal(wire_decode_request(b.data, b.len, &got), -EBADMSG);
	put_frame(&b, WIRE_REMOUNT, no_nul, sizeof(no_nul));
	assert_int_equal(wire_decode_request(b.data, b.len, &got), -EBADMSG);
	put_frame(&b, WIRE_GET, bad_kind, sizeof(bad_kind));
	assert_int_equal(wire_decode_request(b.data, b.len, &got), -EBADMSG);
	put_frame(&b, WIRE_MOVE, many, sizeof(many));
	assert_int_equal(wire_decode_request(b.data, b.len, &got), -EBADMSG);
	put_frame(&b, WIRE_RMDIR, strings, sizeof(strings));
	assert_int_equal(wire_decode_request(b.data, b.len, &got), -EBADMSG);
	put_frame(&b, WIRE_ENTER, two, sizeof(two));
	assert_int_equal(wire_decode_request(b.data, b.len, &got), -EBADMSG);
	wire_buf_free(&b);
}

static void test_too_long(void **state)
{
	struct wire_request req = {.op = WIRE_GET};
	struct wire_buf b = {0};
	char *path = malloc(WIRE_MAX_STRING + 2);

	(void)state;
	assert_non_null(path);
	memset(path, 'x', WIRE_MAX_STRING + 1);
	path[WIRE_MAX_STRING + 1] = 0;
	req.dir = (struct wire_dir){.kind = WIRE_DIR_LABEL, .label = "a", .path = path};
	assert_int_equal(wire_encode_request(&b, &req), -EINVAL);
	assert_int_equal(b.len, 0);
	path[WIRE_MAX_STRING] = 0;
	assert_int_equal(wire_encode_request(&b, &req), 0);
	free(path);
	wire_buf_free(&b);
}

static void test_events(void **state)
{
	struct wire_event ev = {WIRE_EVENT_AGENT, 1234567890123456789u, -2, "h", "/a b", "/bin/x"};
	struct wire_event got;
	struct wire_buf b = {0};
	size_t cut;

	(void)state;
	assert_int_equal(wire_encode_event(&b, 3, &ev), 0);
	assert_int_equal(wire_decode_event(b.data, b.len, &got), 0);
	assert_int_equal(got.type, ev.type);
	assert_true(got.time_ns == ev.time_ns);
	assert_int_equal(got.status, -2);
	assert_string_equal(got.hierarchy, "h");
	assert_string_equal(got.path, "/a b");
	assert_string_equal(got.agent, "/bin/x");
	for (cut = 0; cut < b.len; cut++)
		assert_int_equal(wire_decode_event(b.data, cut, &got), -EBADMSG);
	b.data[WIRE_HEADER_SIZE] = 99;
	assert_int_equal(wire_decode_event(b.data, b.len, &got), -EBADMSG);
	wire_buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_lists),
		cmocka_unit_test(test_truncated),    cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_bad_payloads), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
