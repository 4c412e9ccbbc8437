/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_numbers.h - the part of the BPF tracker that knows what tasks are called in other pid
 * namespaces. All of it runs on the daemon's loop.
 */
#ifndef UCGROUP_TRACKER_BPF_NUMBERS_H
#define UCGROUP_TRACKER_BPF_NUMBERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct numbers;

/* Descriptors of what bpf_numbers.bpf.h has; they stay the caller's. */
struct numbers_fds {
	int map;
	int pid_ns, to_ns, from_ns; /* programs */
};

/* -ENOMEM, or why the kernel does not map the map. */
int numbers_new(const struct numbers_fds *fds, struct numbers **res);
void numbers_free(struct numbers *nums);

/* As in struct tracker_ops. PLACE: of TASK, as read from the tracker's table just now. */
uint32_t numbers_pid_ns(struct numbers *nums, pid_t task, uint64_t place);
int numbers_to_ns(struct numbers *nums, pid_t reader, pid_t *tids, size_t n);
pid_t numbers_from_ns(struct numbers *nums, pid_t writer, pid_t nr);

#endif
