// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_walk.c - reading a walk over all tasks to its end.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <tracker/bpf_tracker.h>

int bpf_walk(struct tracker *t, enum walk_mode mode,
	     void (*fn)(void *arg, const struct walk_entry *entry), void *arg)
{
	struct walk_entry entries[1024];
	uint8_t *buf = (uint8_t *)entries;
	size_t have = 0;
	ssize_t n;
	int fd, err = 0;

	t->skel->bss->walk_mode = mode;
	fd = bpf_iter_create(bpf_link__fd(t->walk));
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + have, sizeof(entries) - have)) != 0) {
		size_t whole;

		if (n < 0) {
			if (errno == EAGAIN || errno == EINTR)
				continue;
			err = -errno;
			break;
		}
		have += (size_t)n;
		whole = have / sizeof(entries[0]);
		for (size_t i = 0; i < whole; i++)
			fn(arg, &entries[i]);
		have -= whole * sizeof(entries[0]);
		memmove(buf, buf + whole * sizeof(entries[0]), have);
	}
	close(fd);
	return err;
}
