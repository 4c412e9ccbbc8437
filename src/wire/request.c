// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Requests and events, whole: one function turns the struct into bytes and one the bytes into the
 * struct, with the fields of each op in the same order in both.
 */
#include <errno.h>
#include <string.h>

#include <wire/wire.h>

_Static_assert(sizeof(struct wire_header) == WIRE_HEADER_SIZE, "the header has no holes");

static void put_dir(struct wire_buf *b, const struct wire_dir *dir)
{
	wire_put_u32(b, dir->kind);
	if (dir->kind == WIRE_DIR_INODE) {
		wire_put_u64(b, dir->dev);
		wire_put_u64(b, dir->ino);
	} else if (dir->kind == WIRE_DIR_LABEL) {
		wire_put_str(b, dir->label);
	}
	wire_put_str(b, dir->path);
}

static void get_dir(struct wire_reader *r, struct wire_dir *dir)
{
	uint32_t kind = wire_get_u32(r);

	if (kind > WIRE_DIR_LABEL) {
		r->error = -EBADMSG;
		return;
	}
	dir->kind = kind;
	if (kind == WIRE_DIR_INODE) {
		dir->dev = wire_get_u64(r);
		dir->ino = wire_get_u64(r);
	} else if (kind == WIRE_DIR_LABEL) {
		dir->label = wire_get_str(r);
	}
	dir->path = wire_get_str(r);
}

static void put_request(struct wire_buf *b, const struct wire_request *req)
{
	switch (req->op) {
	case WIRE_HELLO:
		wire_put_u32(b, WIRE_MAGIC);
		wire_put_u32(b, req->version);
		break;
	case WIRE_MOUNT:
		wire_put_str(b, req->options);
		wire_put_str(b, req->source);
		wire_put_u32(b, req->flags);
		break;
	case WIRE_REMOUNT:
		put_dir(b, &req->dir);
		wire_put_str(b, req->options);
		break;
	case WIRE_MKDIR:
		put_dir(b, &req->dir);
		wire_put_u32(b, req->mode);
		wire_put_list(b, &req->names);
		break;
	case WIRE_RMDIR:
		put_dir(b, &req->dir);
		wire_put_list(b, &req->names);
		break;
	case WIRE_MOVE:
		put_dir(b, &req->dir);
		wire_put_u32(b, req->flags);
		wire_put_list(b, &req->pids);
		break;
	case WIRE_ENTER:
		put_dir(b, &req->dir);
		wire_put_u32(b, req->mode);
		wire_put_u32(b, req->flags);
		wire_put_list(b, &req->pids);
		break;
	case WIRE_LIST:
		put_dir(b, &req->dir);
		wire_put_u32(b, req->flags);
		break;
	case WIRE_WAIT:
		put_dir(b, &req->dir);
		wire_put_u32(b, req->timeout_ms);
		break;
	case WIRE_WATCH:
	case WIRE_GET:
		put_dir(b, &req->dir);
		break;
	case WIRE_SET:
		put_dir(b, &req->dir);
		wire_put_settings(b, &req->set);
		break;
	case WIRE_QUERY:
		wire_put_u32(b, req->query);
		put_dir(b, &req->dir);
		break;
	case WIRE_SYNC:
	case WIRE_SHUTDOWN:
		break;
	default:
		b->error = -EINVAL;
	}
}

int wire_encode_request(struct wire_buf *b, const struct wire_request *req)
{
	size_t start = wire_begin(b, req->op, req->seq, 0);

	put_request(b, req);
	if (!b->error && b->len - start > WIRE_MAX_REQUEST)
		b->error = -EMSGSIZE;
	return wire_end(b, start);
}

static void get_request(struct wire_reader *r, struct wire_request *req)
{
	switch (req->op) {
	case WIRE_HELLO:
		if (wire_get_u32(r) != WIRE_MAGIC && !r->error)
			r->error = -EPROTO;
		req->version = wire_get_u32(r);
		break;
	case WIRE_MOUNT:
		req->options = wire_get_str(r);
		req->source = wire_get_str(r);
		req->flags = wire_get_u32(r);
		break;
	case WIRE_REMOUNT:
		get_dir(r, &req->dir);
		req->options = wire_get_str(r);
		break;
	case WIRE_MKDIR:
		get_dir(r, &req->dir);
		req->mode = wire_get_u32(r);
		wire_get_strings(r, &req->names);
		break;
	case WIRE_RMDIR:
		get_dir(r, &req->dir);
		wire_get_strings(r, &req->names);
		break;
	case WIRE_MOVE:
		get_dir(r, &req->dir);
		req->flags = wire_get_u32(r);
		wire_get_numbers(r, &req->pids);
		break;
	case WIRE_ENTER:
		get_dir(r, &req->dir);
		req->mode = wire_get_u32(r);
		req->flags = wire_get_u32(r);
		wire_get_numbers(r, &req->pids);
		if (req->pids.n != 1)
			r->error = -EBADMSG;
		break;
	case WIRE_LIST:
		get_dir(r, &req->dir);
		req->flags = wire_get_u32(r);
		break;
	case WIRE_WAIT:
		get_dir(r, &req->dir);
		req->timeout_ms = wire_get_u32(r);
		break;
	case WIRE_WATCH:
	case WIRE_GET:
		get_dir(r, &req->dir);
		break;
	case WIRE_SET:
		get_dir(r, &req->dir);
		wire_get_settings(r, &req->set);
		break;
	case WIRE_QUERY:
		req->query = wire_get_u32(r);
		get_dir(r, &req->dir);
		break;
	case WIRE_SYNC:
	case WIRE_SHUTDOWN:
		break;
	default:
		r->error = -EOPNOTSUPP;
	}
}

int wire_decode_request(const void *frame, size_t len, struct wire_request *req)
{
	struct wire_header h;
	struct wire_reader r;
	int rc;

	memset(req, 0, sizeof(*req));
	rc = wire_peek(frame, len, WIRE_MAX_REQUEST, &h);
	if (rc < 0)
		return rc;
	if (!rc || h.len != len)
		return -EBADMSG;
	req->op = h.op;
	req->seq = h.seq;
	if (h.error)
		return -EBADMSG;
	wire_payload(frame, len, &r);
	get_request(&r, req);
	if (r.error)
		return r.error;
	return wire_reader_end(&r);
}

int wire_encode_event(struct wire_buf *b, uint32_t seq, const struct wire_event *ev)
{
	size_t start = wire_begin(b, WIRE_EVENT, seq, 0);

	wire_put_u32(b, ev->type);
	wire_put_u64(b, ev->time_ns);
	wire_put_i32(b, ev->status);
	wire_put_str(b, ev->hierarchy);
	wire_put_str(b, ev->path);
	wire_put_str(b, ev->agent);
	return wire_end(b, start);
}

int wire_decode_event(const void *frame, size_t len, struct wire_event *ev)
{
	struct wire_header h;
	struct wire_reader r;
	uint32_t type;

	memset(ev, 0, sizeof(*ev));
	if (wire_peek(frame, len, WIRE_MAX_REPLY, &h) != 1 || h.len != len || h.op != WIRE_EVENT)
		return -EBADMSG;
	wire_payload(frame, len, &r);
	type = wire_get_u32(&r);
	if (type < WIRE_EVENT_RELEASE || type > WIRE_EVENT_LOST)
		return -EBADMSG;
	ev->type = type;
	ev->time_ns = wire_get_u64(&r);
	ev->status = wire_get_i32(&r);
	ev->hierarchy = wire_get_str(&r);
	ev->path = wire_get_str(&r);
	ev->agent = wire_get_str(&r);
	return wire_reader_end(&r);
}
