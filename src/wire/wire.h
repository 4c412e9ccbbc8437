/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h - the control socket's format, for both of its ends.
 *
 * RUNDIR/control.sock is a Unix stream socket. Both ends run on one machine, so numbers are in its
 * own byte order. Everything is a frame: a header of 16 bytes and a payload. A connection starts
 * with WIRE_HELLO; after it, requests may follow each other without waiting, and each one gets one
 * reply with its sequence number: in order, but for WIRE_WAIT, which is answered when it is over.
 * A reply whose header says an error carries a message for a person as its payload, or nothing.
 *
 * Nothing here makes a system call or keeps state. Decoding allocates nothing: what it hands out
 * points into the frame, has been checked to lie within it, and strings in it end in a NUL.
 */
#ifndef UCGROUP_WIRE_H
#define UCGROUP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WIRE_MAGIC 0x52474355u /* "UCGR" */
#define WIRE_VERSION 1u	       /* of everything in this file */

#define WIRE_MAX_REQUEST (4u << 20) /* bytes of a frame a client may send */
#define WIRE_MAX_REPLY (512u << 20) /* bytes of a frame the daemon may send */
#define WIRE_MAX_STRING 65536u	    /* bytes of a path, an option string; without the NUL */

enum wire_op {
	WIRE_HELLO = 1, /* u32 magic, u32 version -> u32 version, str instance */
	WIRE_MOUNT,	/* str options, str source, u32 flags -> a mount descriptor (SCM_RIGHTS) */
	WIRE_REMOUNT,	/* dir, str options */
	WIRE_SYNC,	/* notice what was unmounted, and answer then */
	WIRE_MKDIR,	/* dir, u32 mode, strings -> errors */
	WIRE_RMDIR,	/* dir, strings -> errors */
	WIRE_MOVE,	/* dir, u32 flags, numbers (pids) -> errors */
	WIRE_ENTER, /* dir, u32 mode, u32 flags, numbers (one pid): mkdir if missing, then move */
	WIRE_LIST,  /* dir, u32 flags -> numbers (pids) */
	WIRE_WAIT,  /* dir, u32 milliseconds: until idle; -ETIMEDOUT */
	WIRE_WATCH, /* dir: WIRE_EVENT frames with this sequence number follow the reply */
	WIRE_GET,   /* dir -> settings */
	WIRE_SET,   /* dir, settings -> settings */
	WIRE_QUERY, /* u32 kind, dir -> JSON text */
	WIRE_SHUTDOWN, /* -> answered, then the connection ends when all is gone */
	WIRE_OPS,      /* how many there are */

	WIRE_EVENT = 0x4000, /* u32 type, u64 ns, i32 status, str hierarchy, str path, str agent */
};
#define WIRE_REPLY 0x8000u /* or-ed to the op it answers */

struct wire_header {
	uint32_t len; /* of the frame, these 16 bytes included */
	uint16_t op;
	uint16_t reserved; /* 0 */
	uint32_t seq;
	int32_t error; /* 0 or a negative errno; 0 in requests */
};
#define WIRE_HEADER_SIZE 16u

/* flags of WIRE_MOUNT */
#define WIRE_MOUNT_PROC 0x1u /* the view of /proc; options are empty */
/* flags of WIRE_MOVE and WIRE_LIST */
#define WIRE_THREADS 0x1u   /* threads, not whole processes */
#define WIRE_RECURSIVE 0x2u /* WIRE_LIST: with everything below */
/* flags of WIRE_ENTER */
#define WIRE_NOTIFY 0x4u /* set notify_on_release */
/* WIRE_WAIT: no limit */
#define WIRE_FOREVER UINT32_MAX

enum wire_query {
	WIRE_QUERY_HIERARCHIES = 1,
	WIRE_QUERY_TREE, /* of dir */
	WIRE_QUERY_STATS,
	WIRE_QUERIES,
};

enum wire_event_type {
	WIRE_EVENT_RELEASE = 1, /* became idle; agent is what was told of it */
	WIRE_EVENT_AGENT,	/* an agent ended, or could not be started (status < 0) */
	WIRE_EVENT_LOST,	/* this listener was too slow: status events are missing here */
};

/*
 * How a cgroup is named: a directory by its device and inode number as stat(2) tells them, or a
 * hierarchy by its label; and a path from there, "" or "/" for none.
 */
enum wire_dir_kind {
	WIRE_DIR_NONE = 0,
	WIRE_DIR_INODE = 1,
	WIRE_DIR_LABEL = 2,
};
struct wire_dir {
	enum wire_dir_kind kind;
	uint64_t dev, ino; /* WIRE_DIR_INODE */
	const char *label; /* WIRE_DIR_LABEL */
	const char *path;
};

/* N packed strings, or N packed int32_t; see the cursor functions below. */
struct wire_list {
	uint32_t n;
	const unsigned char *data;
	size_t len; /* bytes */
};

/* What WIRE_SET sets and WIRE_GET tells. */
#define WIRE_SET_NOTIFY 0x1u
#define WIRE_SET_AGENT 0x2u /* of the whole hierarchy */
struct wire_settings {
	uint32_t mask; /* WIRE_SET: which to set */
	uint32_t notify;
	const char *agent;
};

struct wire_request {
	enum wire_op op;
	uint32_t seq;
	uint32_t version; /* WIRE_HELLO: of the client */
	struct wire_dir dir;
	uint32_t flags, mode, timeout_ms, query;
	const char *options, *source;
	struct wire_list names; /* WIRE_MKDIR, WIRE_RMDIR: paths from dir */
	struct wire_list pids;	/* WIRE_MOVE, WIRE_ENTER: numbers of the client's pid namespace */
	struct wire_settings set;
};

struct wire_event {
	enum wire_event_type type;
	uint64_t time_ns; /* since 1970 */
	int32_t status;
	const char *hierarchy, *path, *agent;
};

/* ---- writing ------------------------------------------------------------------------------ */

/* A growing buffer. Zero it to start; an error sticks until it is reset or freed. */
struct wire_buf {
	unsigned char *data;
	size_t len, cap;
	int error;
};
void wire_buf_free(struct wire_buf *b);
void wire_put(struct wire_buf *b, const void *data, size_t len);
void wire_put_u32(struct wire_buf *b, uint32_t v);
void wire_put_i32(struct wire_buf *b, int32_t v);
void wire_put_u64(struct wire_buf *b, uint64_t v);
/* NULL counts as "". -EINVAL sticks for one that is longer than WIRE_MAX_STRING. */
void wire_put_str(struct wire_buf *b, const char *s);
void wire_put_list(struct wire_buf *b, const struct wire_list *list);
void wire_put_settings(struct wire_buf *b, const struct wire_settings *s);

/*
 * A frame is begun, filled, and ended; several may follow each other in one buffer. begin returns
 * where it starts, for end. end: 0, or the error that stuck; the frame is taken out again then.
 */
size_t wire_begin(struct wire_buf *b, unsigned int op, uint32_t seq, int error);
int wire_end(struct wire_buf *b, size_t start);

/* Append REQ as a frame. 0; -EINVAL, -ENOMEM; -EMSGSIZE: longer than WIRE_MAX_REQUEST. */
int wire_encode_request(struct wire_buf *b, const struct wire_request *req);
int wire_encode_event(struct wire_buf *b, uint32_t seq, const struct wire_event *ev);

/* ---- reading ------------------------------------------------------------------------------ */

/* A cursor over received bytes. Reading past the end sets `error` and gives 0 or "". */
struct wire_reader {
	const unsigned char *p, *end;
	int error;
};
uint32_t wire_get_u32(struct wire_reader *r);
int32_t wire_get_i32(struct wire_reader *r);
uint64_t wire_get_u64(struct wire_reader *r);
const char *wire_get_str(struct wire_reader *r);
void wire_get_strings(struct wire_reader *r, struct wire_list *list);
void wire_get_numbers(struct wire_reader *r, struct wire_list *list);
void wire_get_settings(struct wire_reader *r, struct wire_settings *s);
/* 0 when all was read and nothing is left over, else -EBADMSG. */
int wire_reader_end(const struct wire_reader *r);

/*
 * Walk a checked list of strings: start with *pos = 0; NULL at its end.
 * A number of a checked list of numbers, INDEX below list->n.
 */
const char *wire_list_next(const struct wire_list *list, size_t *pos);
int32_t wire_list_number(const struct wire_list *list, uint32_t index);

/*
 * What is at the front of LEN received bytes? 1: a whole frame, *h is its header; 0: more is
 * needed; -EMSGSIZE: a frame longer than MAX; -EBADMSG: no header at all.
 */
int wire_peek(const void *data, size_t len, uint32_t max, struct wire_header *h);
/*
 * Decode a whole frame as wire_peek() found it. -EBADMSG: malformed; -EOPNOTSUPP: an op this side
 * does not know; -EPROTO: a hello with another magic. req->op and req->seq are set in every case.
 */
int wire_decode_request(const void *frame, size_t len, struct wire_request *req);
int wire_decode_event(const void *frame, size_t len, struct wire_event *ev);
/* The payload of a whole frame. */
void wire_payload(const void *frame, size_t len, struct wire_reader *r);

#endif
