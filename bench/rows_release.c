// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rows_release.c - from the last exit of a group to whoever is told of it.
 *
 * The clock starts in the member, right before it calls _exit(): what an exit costs is in every figure
 * on every side.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PATIENCE_MS 10000
#define SETTLE_US 3000 /* before each trigger, so that what made the group is over */
#define CROWD 500
#define LOOK_EVERY_US 500

static const char builtin[] = "builtin:rmdir";

/* ---- one ------------------------------------------------------------------------------------ */

struct victim {
	uint64_t *exited; /* shared with it */
	int gate[2];
	pid_t pid;
	char dir[PATH_MAX];
};

static int wait_at_gate(void *arg)
{
	struct victim *v = arg;
	char c;

	close(v->gate[1]);
	while (read(v->gate[0], &c, 1) < 0 && errno == EINTR)
		;
	*(volatile uint64_t *)v->exited = now_ns();
	return 0;
}

static void victim_make(struct bench *b, enum side side, struct victim *v)
{
	char path[PATH_MAX];

	v->exited = mmap(NULL, sizeof(*v->exited), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (v->exited == MAP_FAILED || pipe2(v->gate, O_CLOEXEC))
		die("preparing a group to be released: %s", strerror(errno));
	make_dir(path_of(v->dir, b->top[side], "last"));
	write_file(path_of(path, v->dir, "notify_on_release"), "1");
	v->pid = spawn(wait_at_gate, v);
	put_task(v->dir, v->pid);
	usleep(SETTLE_US);
}

static void victim_trigger(struct victim *v)
{
	close(v->gate[1]);
}

/* How long it was until TOLD, in microseconds. */
static double victim_end(struct victim *v, uint64_t told)
{
	uint64_t exited;

	close(v->gate[0]);
	waitpid(v->pid, NULL, 0);
	exited = *v->exited;
	munmap(v->exited, sizeof(*v->exited));
	if (!exited || told < exited)
		die("%s was released before its last task had ended", v->dir);
	return (double)(told - exited) / 1e3;
}

static int open_told(struct bench *b)
{
	char path[PATH_MAX];
	int fd = open(path_of(path, b->dir, "told"), O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static uint64_t read_told(int fd, const char *dir)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t began;

	if (poll(&p, 1, PATIENCE_MS) != 1 || read(fd, &began, sizeof(began)) != sizeof(began))
		die("no agent was run for %s within %d ms", dir, PATIENCE_MS);
	return began;
}

static void set_our_agent(struct bench *b, const char *agent)
{
	int rc = ucgroup_set_release_agent(b->c, BENCH_LABEL ":/", agent);

	if (rc)
		die("setting the release agent %s: %s", agent, strerror(-rc));
}

static double to_agent(struct bench *b, enum side side)
{
	int fd = open_told(b);
	struct victim v;
	uint64_t began;

	victim_make(b, side, &v);
	victim_trigger(&v);
	began = read_told(fd, v.dir);
	close(fd);
	return victim_end(&v, began);
}

static double kernel_agent(struct bench *b)
{
	return to_agent(b, KERNEL);
}

static double our_agent(struct bench *b)
{
	char path[PATH_MAX];

	set_our_agent(b, path_of(path, b->dir, "ucg-agent"));
	return to_agent(b, OURS);
}

/* To a listener's being told, or on to its finding the group gone. */
static double to_listener(struct bench *b, bool until_gone)
{
	struct ucgroup_watch *w;
	struct ucgroup_event ev;
	struct victim v;
	struct stat st;
	uint64_t told;
	int rc;

	set_our_agent(b, builtin);
	rc = ucgroup_watch_open(b->c, BENCH_LABEL ":/", &w);
	if (rc)
		die("ucgroup_watch_open: %s", strerror(-rc));
	victim_make(b, OURS, &v);
	victim_trigger(&v);
	rc = ucgroup_watch_next(w, PATIENCE_MS, &ev);
	if (rc || ev.type != UCGROUP_RELEASE || strcmp(ev.path, "/last"))
		die("waiting for the release of %s: %s", v.dir, rc ? strerror(-rc) : ev.path);
	/* It is told of before it goes. */
	while (until_gone && !stat(v.dir, &st))
		if (now_ns() - *v.exited > PATIENCE_MS * 1000000ull)
			die("%s is not removed", v.dir);
	told = now_ns();
	ucgroup_watch_close(w);
	return victim_end(&v, told);
}

static double our_told(struct bench *b)
{
	return to_listener(b, false);
}

static double our_removed(struct bench *b)
{
	return to_listener(b, true);
}

/* ---- many at once --------------------------------------------------------------------------- */

struct crowd {
	int gate[2], end[2];
	pid_t pids[CROWD];
};

static int crowd_member(void *arg)
{
	struct crowd *crowd = arg;
	char c;

	close(crowd->gate[1]);
	close(crowd->end[0]);
	while (read(crowd->gate[0], &c, 1) < 0 && errno == EINTR)
		;
	return 0;
}

static void crowd_make(struct crowd *crowd)
{
	if (pipe2(crowd->gate, O_CLOEXEC) || pipe2(crowd->end, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	for (int i = 0; i < CROWD; i++)
		crowd->pids[i] = spawn(crowd_member, crowd);
	close(crowd->end[1]);
}

static void crowd_place(struct crowd *crowd, const char *many)
{
	char path[PATH_MAX], file[PATH_MAX];

	make_dir(many);
	for (int i = 0; i < CROWD; i++) {
		snprintf(file, sizeof(file), "job-%d", i);
		make_dir(path_of(path, many, file));
		write_file(path_of(file, path, "notify_on_release"), "1");
		put_task(path, crowd->pids[i]);
	}
}

static void crowd_reap(struct crowd *crowd)
{
	char c;

	/* Ends when the last of them has closed its side. */
	while (read(crowd->end[0], &c, 1) < 0 && errno == EINTR)
		;
	close(crowd->gate[0]);
	close(crowd->end[0]);
	for (int i = 0; i < CROWD; i++)
		waitpid(crowd->pids[i], NULL, 0);
}

/* Milliseconds from the trigger until no group is left. */
static double all_idle(struct bench *b, enum side side)
{
	char many[PATH_MAX];
	struct crowd crowd;
	uint64_t start, took;
	struct stat st;

	path_of(many, b->top[side], "many");
	crowd_make(&crowd);
	crowd_place(&crowd, many);
	usleep(100 * SETTLE_US);
	start = now_ns();
	close(crowd.gate[1]);
	for (;;) {
		if (stat(many, &st))
			die("%s: %s", many, strerror(errno));
		took = now_ns() - start;
		if (st.st_nlink == 2)
			break;
		if (took > PATIENCE_MS * 1000000ull)
			die("%s still has %d groups after %d ms", many, (int)st.st_nlink - 2,
			    PATIENCE_MS);
		usleep(LOOK_EVERY_US);
	}
	crowd_reap(&crowd);
	remove_dir(many);
	return (double)took / 1e6;
}

static double kernel_all_idle(struct bench *b)
{
	return all_idle(b, KERNEL);
}

static double our_all_idle(struct bench *b)
{
	char path[PATH_MAX];

	set_our_agent(b, path_of(path, b->dir, "ucg-agent"));
	return all_idle(b, OURS);
}

static double our_all_idle_builtin(struct bench *b)
{
	set_our_agent(b, builtin);
	return all_idle(b, OURS);
}

/* The exits alone, of tasks in no group. */
static double exits_alone(struct bench *b)
{
	struct crowd crowd;
	uint64_t start;
	char c;

	(void)b;
	crowd_make(&crowd);
	usleep(100 * SETTLE_US);
	start = now_ns();
	close(crowd.gate[1]);
	while (read(crowd.end[0], &c, 1) < 0 && errno == EINTR)
		;
	start = now_ns() - start;
	crowd_reap(&crowd);
	return (double)start / 1e6;
}

struct row release_rows[] = {
	{
		.id = "release-told",
		.work = "last exit to a `watch` being told",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 0.25,
		.rounds = 41,
		.turn = {kernel_agent, our_told},
		.note = "the kernel's side to main() of its agent",
	},
	{
		.id = "release-builtin",
		.work = "last exit to `builtin:rmdir` done, as a stat(2) after it sees",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 0.25,
		.rounds = 41,
		.turn = {kernel_agent, our_removed},
		.note = "the kernel's side to main() of its agent",
	},
	{
		.id = "release-agent",
		.work = "last exit to main() of an exec'd agent",
		.unit = "µs",
		.kind = GOAL_RATIO,
		.goal = 1.0,
		.rounds = 41,
		.turn = {kernel_agent, our_agent},
	},
	{
		.id = "idle-500-agents",
		.work = "500 groups idle at once until all are removed, with agents",
		.unit = "ms",
		.kind = GOAL_RATIO,
		.goal = 1.0,
		.rounds = 7,
		.turn = {kernel_all_idle, our_all_idle, exits_alone},
		.note = "the bound is the 500 exits alone, in no group",
	},
	{
		.id = "idle-500-builtin",
		.work = "500 groups idle at once until all are removed, built in",
		.unit = "ms",
		.kind = GOAL_RATIO,
		.goal = 0.7,
		.rounds = 7,
		.turn = {kernel_all_idle, our_all_idle_builtin, exits_alone},
		.note = "the kernel's side with agents; the bound is the 500 exits alone, in no "
			"group",
	},
	{0},
};
