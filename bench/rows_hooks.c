// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rows_hooks.c - what a fork and an exit cost in the tracker's BPF programs, by the kernel's own
 * statistics of them, less the same for programs that do nothing on the same hooks at the same time.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench.h"
#include "empty.skel.h"

#define PAIRS 2000 /* a turn */

enum prog { OUR_FORK, OUR_EXIT, EMPTY_FORK, EMPTY_EXIT, PROGS };

struct hooks {
	struct empty *skel;
	int stats_fd;
	int fds[PROGS];
};

struct reading {
	uint64_t ns[PROGS], runs[PROGS];
};

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level, (void)fmt, (void)ap;
	return 0;
}

static struct bpf_prog_info info_of(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		die("a BPF program's statistics: %s", strerror(errno));
	return info;
}

/* The id of the program that descriptor NAME of the daemon is; 0: it is none. */
static uint32_t prog_id(pid_t daemon, const char *name)
{
	char path[PATH_MAX], line[256];
	unsigned int id = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", (int)daemon, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && sscanf(line, "prog_id: %u", &id) != 1)
		;
	fclose(f);
	return id;
}

/* The daemon's program PROG, by its name: other daemons have programs of the same names. */
static int find_prog(pid_t daemon, const char *prog)
{
	char path[64];
	struct dirent *e;
	int found = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)daemon);
	dir = opendir(path);
	while (dir && found < 0 && (e = readdir(dir))) {
		uint32_t id = isdigit((unsigned char)e->d_name[0]) ? prog_id(daemon, e->d_name) : 0;
		int fd = id ? bpf_prog_get_fd_by_id(id) : -1;

		if (fd < 0)
			continue;
		if (!strcmp(info_of(fd).name, prog))
			found = fd;
		else
			close(fd);
	}
	if (dir)
		closedir(dir);
	if (found < 0)
		die("the daemon %d has no BPF program %s", (int)daemon, prog);
	return found;
}

static struct hooks *hooks_get(struct bench *b)
{
	static struct hooks h;

	if (h.skel)
		return &h;
	libbpf_set_print(quiet);
	h.skel = empty__open_and_load();
	if (!h.skel || empty__attach(h.skel))
		die("the empty BPF programs cannot be loaded: %s", strerror(errno));
	h.stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (h.stats_fd < 0)
		die("the kernel's BPF statistics cannot be had: %s", strerror(errno));
	h.fds[OUR_FORK] = find_prog(b->daemon, "ucg_fork");
	h.fds[OUR_EXIT] = find_prog(b->daemon, "ucg_exit");
	h.fds[EMPTY_FORK] = bpf_program__fd(h.skel->progs.bench_fork);
	h.fds[EMPTY_EXIT] = bpf_program__fd(h.skel->progs.bench_exit);
	return &h;
}

static struct reading read_all(const struct hooks *h)
{
	struct reading r;

	for (int i = 0; i < PROGS; i++) {
		struct bpf_prog_info info = info_of(h->fds[i]);

		r.ns[i] = info.run_time_ns;
		r.runs[i] = info.run_cnt;
	}
	return r;
}

struct forker {
	const char *group; /* NULL: in none */
};

static int fork_pairs(void *arg)
{
	const struct forker *f = arg;

	if (f->group)
		put_task(f->group, getpid());
	for (int i = 0; i < PAIRS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return 0;
}

static double pair_cost(struct bench *b, const char *group)
{
	struct hooks *h = hooks_get(b);
	struct forker f = {.group = group};
	struct reading before, after;
	double mean[PROGS];
	int status;
	pid_t pid;

	before = read_all(h);
	pid = spawn(fork_pairs, &f);
	if (waitpid(pid, &status, 0) != pid || status)
		die("forking %d times failed", PAIRS);
	after = read_all(h);
	for (int i = 0; i < PROGS; i++) {
		if (after.runs[i] - before.runs[i] < PAIRS)
			die("a hook was called %llu times for %d pairs",
			    (unsigned long long)(after.runs[i] - before.runs[i]), PAIRS);
		mean[i] = (double)(after.ns[i] - before.ns[i]) /
			  (double)(after.runs[i] - before.runs[i]);
	}
	return (mean[OUR_FORK] + mean[OUR_EXIT] - mean[EMPTY_FORK] - mean[EMPTY_EXIT]) / 1e3;
}

static double member_pair(struct bench *b)
{
	char dir[PATH_MAX];

	return pair_cost(b, path_of(dir, b->top[OURS], "a"));
}

static double other_pair(struct bench *b)
{
	return pair_cost(b, NULL);
}

struct row hook_rows[] = {
	{
		.id = "hooks-member",
		.work = "BPF programs at a fork + exit of a member, less empty ones",
		.unit = "µs",
		.kind = GOAL_ABSOLUTE,
		.goal = 1.0,
		.rounds = 9,
		.turn = {NULL, member_pair},
	},
	{
		.id = "hooks-other",
		.work = "the same for a task in no group",
		.unit = "µs",
		.kind = GOAL_ABSOLUTE,
		.goal = 0.1,
		.rounds = 9,
		.turn = {NULL, other_pair},
	},
	{0},
};
