// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_numbers.c - the daemon's side of bpf_numbers.bpf.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include <tracker/bpf_numbers.h>
#include <tracker/bpf_shared.h>

#define NRS_SIZE (TRACKER_MAX_NUMBERS * sizeof(int64_t)) /* whole pages */
#define KNOWN_SLOTS 1024				 /* a power of two */

/* A task that was asked about. */
struct known {
	uint64_t mark; /* its place without the css_set: another task's is another one */
	uint32_t tid;
	uint32_t pid_ns;
};

struct numbers {
	struct numbers_fds fds;
	int64_t *nrs; /* TRACKER_MAX_NUMBERS of them */
	struct known known[KNOWN_SLOTS];
};

static int run(int fd, struct numbers_args *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(*args));

	return bpf_prog_test_run_opts(fd, &opts) ? -errno : args->err;
}

int numbers_new(const struct numbers_fds *fds, struct numbers **res)
{
	struct numbers *nums = calloc(1, sizeof(*nums));
	void *p;
	int err;

	if (!nums)
		return -ENOMEM;
	p = mmap(NULL, NRS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds->map, 0);
	if (p == MAP_FAILED) {
		err = -errno;
		free(nums);
		return err;
	}
	nums->nrs = p;
	nums->fds = *fds;
	*res = nums;
	return 0;
}

void numbers_free(struct numbers *nums)
{
	if (!nums)
		return;
	munmap(nums->nrs, NRS_SIZE);
	free(nums);
}

/* Nobody changes his pid namespace while he lives, so it is asked of the kernel once. */
uint32_t numbers_pid_ns(struct numbers *nums, pid_t task, uint64_t place)
{
	struct known *k = &nums->known[(uint32_t)task % KNOWN_SLOTS];
	struct numbers_args args = {.who = (uint32_t)task};
	uint64_t mark = place & ~PLACE_ID_MASK;

	if (mark && k->tid == (uint32_t)task && k->mark == mark)
		return k->pid_ns;
	if (run(nums->fds.pid_ns, &args))
		return 0;
	*k = (struct known){.mark = mark, .tid = (uint32_t)task, .pid_ns = args.n};
	return args.n;
}

int numbers_to_ns(struct numbers *nums, pid_t reader, pid_t *tids, size_t n)
{
	while (n) {
		struct numbers_args args = {.who = (uint32_t)reader};
		int err;

		args.n = n < TRACKER_MAX_NUMBERS ? (uint32_t)n : TRACKER_MAX_NUMBERS;
		for (uint32_t i = 0; i < args.n; i++)
			nums->nrs[i] = tids[i];
		err = run(nums->fds.to_ns, &args);
		if (err)
			return err;
		for (uint32_t i = 0; i < args.n; i++)
			tids[i] = (pid_t)nums->nrs[i];
		tids += args.n;
		n -= args.n;
	}
	return 0;
}

pid_t numbers_from_ns(struct numbers *nums, pid_t writer, pid_t nr)
{
	struct numbers_args args = {.who = (uint32_t)writer, .n = (uint32_t)nr};

	return run(nums->fds.from_ns, &args) ? 0 : (pid_t)args.n;
}
