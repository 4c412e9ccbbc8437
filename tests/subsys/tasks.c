// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset-tasks DIR N: the affinity of real tasks in the cpuset hierarchy mounted on DIR: what they get
 * on entry, on a change, after they took more, from their makers, and back when they leave. DIR is a
 * lone root when it begins and when it ends. N: how many processes are moved around. Writes TAP.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "herds.h"
#include "puppets.h"
#include "slow_forks.h"
#include "tap.h"

#define N_ESCAPES 200

/* ---- wishes ----------------------------------------------------------------------------------- */

static bool has(pid_t tid, uint64_t mask, const char *when)
{
	uint64_t is;

	look_at_ucgroup();
	is = affinity_of(tid);
	if (is == mask)
		return true;
	tap_note("%s: affinity %#lx, should be %#lx", when, (unsigned long)is, (unsigned long)mask);
	return false;
}

static void test_entry(void)
{
	pid_t pid = start(act_sleep, NULL);
	bool good;

	set_cpus(dir_x, mask_a);
	must_enter(dir_x, "tasks", pid);
	good = affinity_of(pid) == mask_a;
	set_cpus(dir_x, mask_b);
	good &= affinity_of(pid) == mask_b;
	set_cpus(dir_x, mask_all);
	good &= affinity_of(pid) == mask_all;
	set_cpus(dir_x, mask_a);
	must_enter(top, "tasks", pid);
	good &= affinity_of(pid) == mask_all;
	tap_result(good, "a member runs on its cpuset's CPUs from the write's return on");
	end(pid);
}

static void test_wish_kept(void)
{
	pid_t pid = start(act_sleep, NULL);
	bool good;

	set_affinity(pid, mask_b);
	set_cpus(dir_x, mask_a);
	must_enter(dir_x, "tasks", pid);
	good = has(pid, mask_a, "wish for B in a cpuset of A");
	set_cpus(dir_x, mask_ab);
	good &= has(pid, mask_b, "wish for B in a cpuset of A and B");
	set_cpus(dir_x, mask_a);
	good &= has(pid, mask_a, "of A again");
	must_enter(dir_y, "tasks", pid);
	good &= has(pid, mask_b, "moved to a cpuset of B");
	must_enter(dir_x, "tasks", pid);
	must_enter(top, "tasks", pid);
	good &= has(pid, mask_b, "after it left");
	tap_result(good, "what a task had asked for before it entered is kept, and given back");
	end(pid);
}

static void act_ask_b(void *arg)
{
	must_enter(dir_x, "tasks", getpid());
	set_affinity(0, mask_b);
	stage->ready = 1;
	act_sleep(arg);
}

static void test_wish_in(void)
{
	pid_t pid;
	bool good;

	set_cpus(dir_x, mask_a);
	*stage = (struct stage){0};
	pid = start(act_ask_b, NULL);
	for (int i = 0; i < PATIENCE_MS && !stage->ready; i++)
		sleep_ms(1);
	good = has(pid, mask_a, "asks for B in a cpuset of A");
	set_cpus(dir_x, mask_ab);
	good &= has(pid, mask_b, "which is of A and B now");
	set_affinity(pid, mask_a);
	good &= has(pid, mask_a, "asks for A");
	set_cpus(dir_x, mask_b);
	good &= has(pid, mask_b, "of B");
	must_enter(top, "tasks", pid);
	good &= has(pid, mask_a, "after it left");
	tap_result(good, "what a member asks for counts, within its cpuset, and after it left");
	end(pid);
}

static void act_child_of_wisher(void *arg)
{
	set_affinity(0, mask_b);
	must_enter(dir_x, "tasks", getpid());
	if (!fork()) {
		if (fork())
			_exit(0);
		*(pid_t *)arg = getpid();
	}
	act_sleep(NULL);
}

static void test_wish_inherited(void)
{
	pid_t *grandchild =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	bool good;

	set_cpus(dir_x, mask_a);
	pid = start(act_child_of_wisher, grandchild);
	for (int i = 0; i < PATIENCE_MS && !*(volatile pid_t *)grandchild; i++)
		sleep_ms(1);
	good = has(*grandchild, mask_a, "child of one that asked for B, in a cpuset of A");
	set_cpus(dir_x, mask_ab);
	good &= has(*grandchild, mask_b, "of A and B");
	must_enter(top, "tasks", *grandchild);
	good &= has(*grandchild, mask_b, "after it left");
	tap_result(good, "children inherit what their maker had asked for");
	kill(*grandchild, SIGKILL);
	end(pid);
	munmap(grandchild, 4096);
}

/* ---- escapes ---------------------------------------------------------------------------------- */

static int by_call(uint64_t mask)
{
	return set_affinity(0, mask);
}

#ifdef __x86_64__
/* As a 32-bit program does it. */
static int by_32_bit_call(uint64_t mask)
{
	static uint64_t *low;
	long ret;

	if (!low)
		low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	*low = mask;
	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(241l), "b"(0l), "c"(8l), "d"(low)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

/* A kernel without them kills who makes one. */
static bool has_32_bit_calls(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		by_32_bit_call(mask_all);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}
#endif

/* Takes all CPUs again and again, and looks how long it has them. */
static void act_escape(void *arg)
{
	int (*escape)(uint64_t mask) = *(int (**)(uint64_t))arg;

	must_enter(dir_x, "tasks", getpid());
	for (int i = 0; i < N_ESCAPES; i++) {
		uint64_t start, took;

		if (escape(mask_all)) {
			stage->wrong = 1;
			return;
		}
		start = now_ns();
		while (affinity_of(0) != mask_a) {
			if (now_ns() - start > PATIENCE_MS * 1000000ull) {
				stage->wrong = 1;
				return;
			}
		}
		took = now_ns() - start;
		stage->sum_ns += took;
		if (took > stage->worst_ns)
			stage->worst_ns = took;
	}
}

static void test_escape(int (*escape)(uint64_t mask), const char *how)
{
	pid_t pid;

	set_cpus(dir_x, mask_a);
	*stage = (struct stage){0};
	pid = start(act_escape, &escape);
	finish(pid);
	tap_result(!stage->wrong, "a member that takes all CPUs %s is put back", how);
	tap_note("%d times; on average after %lu us, at worst after %lu us", N_ESCAPES,
		 stage->sum_ns / N_ESCAPES / 1000, stage->worst_ns / 1000);
}

/* It does not get to look before it is back, if it looks at ucgroup first. */
static void act_escape_and_look(void *arg)
{
	(void)arg;
	must_enter(dir_x, "tasks", getpid());
	for (int i = 0; i < N_ESCAPES; i++) {
		set_affinity(0, mask_all);
		look_at_ucgroup();
		stage->wrong += affinity_of(0) != mask_a;
	}
}

static void test_escape_and_look(void)
{
	pid_t pid;

	set_cpus(dir_x, mask_a);
	*stage = (struct stage){0};
	pid = start(act_escape_and_look, NULL);
	finish(pid);
	tap_result(!stage->wrong,
		   "whoever looks at ucgroup next finds it back (%d times it was not)",
		   stage->wrong);
}

static void act_breed_after_escape(void *arg)
{
	(void)arg;
	must_enter(dir_x, "tasks", getpid());
	for (int i = 0; i < N_ESCAPES; i++) {
		pid_t child;

		set_affinity(0, mask_all);
		child = fork();
		if (!child) {
			pid_t grandchild = fork();

			if (grandchild > 0)
				waitpid(grandchild, NULL, 0);
			look_at_ucgroup();
			stage->wrong += affinity_of(0) != mask_a;
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
}

static void test_breed_after_escape(void)
{
	pid_t pid;

	set_cpus(dir_x, mask_a);
	*stage = (struct stage){0};
	pid = start(act_breed_after_escape, NULL);
	finish(pid);
	tap_result(!stage->wrong, "so are the children it makes before it is (%d were not)",
		   stage->wrong);
}

static void test_given_by_other(void)
{
	pid_t pid = start(act_sleep, NULL);
	bool good = true;

	set_cpus(dir_x, mask_a);
	must_enter(dir_x, "tasks", pid);
	for (int i = 0; i < N_ESCAPES && good; i++) {
		set_affinity(pid, mask_all);
		good = has(pid, mask_a, "given all CPUs by another");
	}
	tap_result(good, "a member that is given all CPUs by another is put back");
	end(pid);
}

/* In a pid namespace of its own, with a child that is pid 2 there. */
static void act_other_namespace(void *arg)
{
	pid_t child;

	(void)arg;
	if (unshare(CLONE_NEWPID)) {
		stage->wrong = 1;
		return;
	}
	child = fork();
	if (!child) {
		pid_t target = fork();

		if (!target)
			act_sleep(NULL);
		for (int i = 0; i < N_ESCAPES; i++) {
			set_affinity(target, mask_all);
			look_at_ucgroup();
			stage->wrong += affinity_of(target) != mask_a;
		}
		kill(target, SIGKILL);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void act_enter_and_unshare(void *arg)
{
	must_enter(dir_x, "tasks", getpid());
	act_other_namespace(arg);
}

static void test_other_namespace(void)
{
	pid_t pid;

	set_cpus(dir_x, mask_a);
	*stage = (struct stage){0};
	pid = start(act_enter_and_unshare, NULL);
	finish(pid);
	tap_result(!stage->wrong, "also by one that has another number for it");
}

/* Its last tasks may be on their way out. */
static void remove_dir(const char *dir)
{
	for (int i = 0; i < PATIENCE_MS && rmdir(dir) && errno == EBUSY; i++)
		sleep_ms(1);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		tap_bail("usage: cpuset-tasks DIR NUMBER-OF-PROCESSES");
	set_stage(argv[1]);
	if (!find_cpus()) {
		tap_skip("this machine has one CPU", "affinity of tasks in cpusets");
		return tap_end();
	}
	make_cpuset(top, "x", mask_a, dir_x, sizeof(dir_x));
	make_cpuset(top, "y", mask_b, dir_y, sizeof(dir_y));
	test_entry();
	test_wish_kept();
	test_wish_in();
	test_wish_inherited();
	test_escape(by_call, "by sched_setaffinity()");
#ifdef __x86_64__
	if (has_32_bit_calls())
		test_escape(by_32_bit_call, "by a 32-bit system call");
	else
		tap_skip("this kernel has no 32-bit system calls (CONFIG_IA32_EMULATION)",
			 "a member that takes all CPUs by a 32-bit system call is put back");
#endif
	test_escape_and_look();
	test_breed_after_escape();
	test_given_by_other();
	test_other_namespace();
	set_cpus(dir_x, mask_a);
	set_cpus(dir_y, mask_b);
	test_slow_forks();
	test_moves(atoi(argv[2]));
	test_herd();
	remove_dir(dir_x);
	remove_dir(dir_y);
	return tap_end();
}
