// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ns-tasks DIR: tasks that enter new namespaces, in the hierarchy of ns and cpuset mounted on DIR.
 * DIR is a lone root when it begins and when it ends. Writes TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "tap.h"

#define N_BREEDERS 30
#define N_CHILDREN 4

static const char *top;
static char dir_g[4096]; /* a group, made anew for each test */

/* Between the test and its child. */
struct stage {
	atomic_int
		step; /* raised by the child when it has done something, and by the test to go on */
	atomic_int result;
	pid_t tid;
	pid_t made[N_CHILDREN];
};
static struct stage *stage;

static const struct {
	int flag;
	const char *name;
} kinds[] = {
	{CLONE_NEWNS, "mount"},	     {CLONE_NEWUTS, "uts"}, {CLONE_NEWIPC, "ipc"},
	{CLONE_NEWNET, "net"},	     {CLONE_NEWPID, "pid"}, {CLONE_NEWUSER, "user"},
#ifdef CLONE_NEWCGROUP
	{CLONE_NEWCGROUP, "cgroup"},
#endif
#ifdef CLONE_NEWTIME
	{CLONE_NEWTIME, "time"},
#endif
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- what the tests are made of ------------------------------------------------------------------ */

static pid_t start(void (*act)(long arg), long arg)
{
	pid_t pid;

	*stage = (struct stage){0};
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must_enter(dir_g, "cgroup.procs", getpid());
	act(arg);
	stage->step = 1;
	for (;;)
		pause();
}

static void await_step(int step)
{
	for (int i = 0; i < PATIENCE_MS && stage->step < step; i++)
		sleep_ms(1);
	if (stage->step < step)
		tap_bail("a child does not get to step %d", step);
}

static void end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
}

/* Is TID listed in DIR/SUB? */
static bool lists(const char *dir, const char *sub, pid_t tid)
{
	char path[8300], text[65536], *line, *rest;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	if (read_file(path, "tasks", text, sizeof(text)) < 0)
		return false;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (atoi(line) == (int)tid)
			return true;
	return false;
}

static bool in_node(const char *dir, pid_t node, pid_t tid)
{
	char sub[32];

	snprintf(sub, sizeof(sub), "node_%d", (int)node);
	return lists(dir, sub, tid);
}

static void make_group(void)
{
	char name[32];
	static int n;

	snprintf(name, sizeof(name), "g%d", n++);
	make_cpuset(top, name, mask_a, dir_g, sizeof(dir_g));
}

/* Everything below DIR and DIR itself, once the tasks are gone. */
static void remove_tree(const char *dir)
{
	char command[8400];

	snprintf(command, sizeof(command),
		 "for i in $(seq 100); do find '%s' -depth -mindepth 0 -type d "
		 "-exec rmdir {} + 2>/dev/null && break; sleep 0.1; done",
		 dir);
	if (system(command))
		tap_note("%s cannot be removed", dir);
}

/* ---- entering namespaces ------------------------------------------------------------------------- */

static void act_unshare(long flags)
{
	stage->result = unshare((int)flags) ? errno : 0;
}

static void test_unshare(void)
{
	int n_bad = 0, n = 0;

	for (size_t i = 0; i < N_KINDS; i++) {
		pid_t pid;

		make_group();
		pid = start(act_unshare, kinds[i].flag);
		await_step(1);
		if (stage->result) {
			tap_note("%s namespaces: %s", kinds[i].name, strerror(stage->result));
		} else {
			n++;
			if (!in_node(dir_g, pid, pid) || lists(dir_g, "", pid)) {
				tap_note("%s namespace: not moved", kinds[i].name);
				n_bad++;
			}
		}
		end(pid);
		remove_tree(dir_g);
	}
	tap_result(n && !n_bad, "who unshares a namespace goes to node_TID below (%d kinds)", n);
}

static void act_clone(long flags)
{
	struct clone_args args = {.flags = (uint64_t)flags, .exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	stage->result = pid < 0 ? errno : 0;
	stage->tid = (pid_t)pid;
}

static void test_clone(void)
{
	int n_bad = 0, n = 0;

	for (size_t i = 0; i < N_KINDS; i++) {
		pid_t pid, made;

		make_group();
		pid = start(act_clone, kinds[i].flag);
		await_step(1);
		made = stage->tid;
		if (!stage->result) {
			n++;
			if (!in_node(dir_g, made, made) || !lists(dir_g, "", pid)) {
				tap_note("%s namespace: not moved, or its maker was",
					 kinds[i].name);
				n_bad++;
			}
		}
		end(pid);
		if (made > 0)
			kill(made, SIGKILL);
		remove_tree(dir_g);
	}
	tap_result(n && !n_bad, "who is cloned into one does, and its maker does not (%d kinds)",
		   n);
}

static void act_no_namespace(long arg)
{
	pid_t pid;

	(void)arg;
	/* Of the calls that say "namespace" one fails, and one enters what is there already. */
	stage->result = unshare(CLONE_FILES | CLONE_FS) || unshare(1) != -1 ||
			setns(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC), CLONE_NEWUTS);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	stage->tid = pid;
}

static void test_no_namespace(void)
{
	pid_t pid, made;

	make_group();
	pid = start(act_no_namespace, 0);
	await_step(1);
	made = stage->tid;
	tap_result(!stage->result && lists(dir_g, "", pid) && lists(dir_g, "", made),
		   "nobody else does: other flags, a failed call, setns, a fork");
	end(pid);
	kill(made, SIGKILL);
	remove_tree(dir_g);
}

static void *unshare_in_thread(void *arg)
{
	(void)arg;
	stage->tid = (pid_t)syscall(SYS_gettid);
	stage->result = unshare(CLONE_NEWUTS) ? errno : 0;
	stage->step = 2;
	for (;;)
		pause();
	return NULL;
}

static void act_thread(long arg)
{
	pthread_t t;

	(void)arg;
	if (pthread_create(&t, NULL, unshare_in_thread, NULL))
		stage->result = EAGAIN;
	while (stage->step < 2)
		sleep_ms(1);
	stage->step = 3;
	for (;;)
		pause();
}

static void test_thread(void)
{
	pid_t pid;

	make_group();
	pid = start(act_thread, 0);
	await_step(3);
	tap_result(!stage->result && in_node(dir_g, stage->tid, stage->tid) &&
			   lists(dir_g, "", pid),
		   "a thread goes alone");
	end(pid);
	remove_tree(dir_g);
}

static void act_breed(long arg)
{
	(void)arg;
	stage->result = unshare(CLONE_NEWUTS) ? errno : 0;
	for (int i = 0; i < N_CHILDREN; i++) {
		pid_t pid = fork();

		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		stage->made[i] = pid;
	}
}

/* What it makes in the moment until it is moved comes along. */
static void test_children(void)
{
	int n_bad = 0;

	for (int i = 0; i < N_BREEDERS; i++) {
		pid_t pid;

		make_group();
		pid = start(act_breed, 0);
		await_step(1);
		n_bad += stage->result || !in_node(dir_g, pid, pid);
		for (int c = 0; c < N_CHILDREN; c++) {
			n_bad += !in_node(dir_g, pid, stage->made[c]);
			kill(stage->made[c], SIGKILL);
		}
		end(pid);
		remove_tree(dir_g);
	}
	tap_result(!n_bad, "and so do the children it makes at once (%d of %d did not)", n_bad,
		   N_BREEDERS * N_CHILDREN);
}

static void act_twice(long arg)
{
	(void)arg;
	stage->result = unshare(CLONE_NEWUTS) ? errno : 0;
	stage->step = 1;
	while (stage->step < 2)
		sleep_ms(1);
	stage->result |= unshare(CLONE_NEWIPC) ? errno : 0;
	stage->step = 3;
	for (;;)
		pause();
}

static void test_nested(void)
{
	char inner[8300], path[8300];
	pid_t pid;
	int up, down;
	bool good;

	make_group();
	pid = start(act_twice, 0);
	await_step(1);
	snprintf(inner, sizeof(inner), "%s/node_%d", dir_g, (int)pid);
	good = lists(inner, "", pid);
	stage->step = 2;
	await_step(3);
	good &= !stage->result && in_node(inner, pid, pid);
	tap_result(good, "a second time, it goes one deeper");

	/* Where it is now: DIR_G/node_PID/node_PID. */
	snprintf(path, sizeof(path), "%s/node_%d", inner, (int)pid);
	up = write_number(inner, "tasks", pid);
	good = up == -EPERM && write_number(dir_g, "cgroup.procs", pid) == -EPERM &&
	       write_number(top, "tasks", pid) == -EPERM;
	snprintf(inner, sizeof(inner), "%s/below", path);
	if (mkdir(inner, 0755))
		tap_bail("mkdir %s: %s", inner, strerror(errno));
	down = write_number(inner, "tasks", pid);
	/* No CPUs there yet, so cpuset has a word, too; ns comes later and is not asked. */
	good &= down == -ENOSPC;
	must_write(inner, "cpuset.mems", "0");
	set_cpus(inner, mask_a);
	good &= !write_number(inner, "tasks", pid) && lists(inner, "", pid);
	good &= write_number(path, "tasks", pid) == -EPERM;
	tap_result(good, "downwards it may be moved, upwards it may not (EPERM)");
	end(pid);
	remove_tree(dir_g);
}

static void test_sideways(void)
{
	char other[4096];
	pid_t pid;

	make_group();
	snprintf(other, sizeof(other), "%s", dir_g);
	make_group();
	pid = start(act_unshare, 0);
	await_step(1);
	tap_result(write_number(other, "tasks", pid) == -EPERM && lists(dir_g, "", pid) &&
			   !write_number(dir_g, "tasks", pid),
		   "nor sideways; to where it is, it may");
	end(pid);
	remove_tree(dir_g);
	remove_tree(other);
}

/* The new group can be entered at once: the others on the hierarchy have copied their parent's. */
static void test_post_clone(void)
{
	char node[8300], text[64], want[64];
	pid_t pid;

	make_group();
	pid = start(act_unshare, CLONE_NEWUTS);
	await_step(1);
	snprintf(node, sizeof(node), "%s/node_%d", dir_g, (int)pid);
	snprintf(want, sizeof(want), "%d\n", cpu_a);
	tap_result(in_node(dir_g, pid, pid) &&
			   read_file(node, "cpuset.cpus", text, sizeof(text)) > 0 &&
			   !strcmp(text, want) && affinity_of(pid) == mask_a,
		   "the new group has its parent's cpuset");
	end(pid);
	remove_tree(dir_g);
}

static void act_unshare_later(long arg)
{
	(void)arg;
	while (stage->step < 1)
		sleep_ms(1);
	stage->result = unshare(CLONE_NEWUTS) ? errno : 0;
	stage->step = 2;
	for (;;)
		pause();
}

static void test_name_taken(void)
{
	char node[8300];
	pid_t pid;

	make_group();
	pid = start(act_unshare_later, 0);
	snprintf(node, sizeof(node), "%s/node_%d", dir_g, (int)pid);
	for (int i = 0; i < PATIENCE_MS && !lists(dir_g, "", pid); i++)
		sleep_ms(1);
	if (mkdir(node, 0755))
		tap_bail("mkdir %s: %s", node, strerror(errno));
	stage->step = 1;
	await_step(2);
	tap_result(!stage->result && lists(dir_g, "", pid) && !in_node(dir_g, pid, pid),
		   "where there is a node_TID already, it stays where it is");
	end(pid);
	remove_tree(dir_g);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		tap_bail("usage: ns-tasks DIR");
	top = argv[1];
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (!find_cpus()) {
		tap_skip("this machine has one CPU", "tasks that enter namespaces");
		return tap_end();
	}
	test_unshare();
	test_clone();
	test_no_namespace();
	test_thread();
	test_children();
	test_nested();
	test_sideways();
	test_post_clone();
	test_name_taken();
	return tap_end();
}
