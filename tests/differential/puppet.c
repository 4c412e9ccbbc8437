// SPDX-License-Identifier: GPL-2.0-or-later
/* puppet.c - a puppet's life: taking commands, forking, threads, exec, ending. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "puppet.h"

struct shared *shared;

/* Who runs here. A fork or a thread changes it. */
static __thread int self;
/* The process whose thread was made by pthread_create(): there, and only there, it may return. */
static __thread pid_t thread_of;

void word_wait(_Atomic uint32_t *word, uint32_t val, int ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};

	syscall(SYS_futex, word, FUTEX_WAIT, val, &ts, NULL, 0);
}

void word_set(_Atomic uint32_t *word, uint32_t val)
{
	atomic_store(word, val);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void shared_attach(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, FD_SHARED, 0);
	if (shared == MAP_FAILED) {
		perror("differential: cannot map the shared memory");
		_exit(99);
	}
}

void shared_create(void)
{
	int mem = memfd_create("ucgroup-differential", 0);
	int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (mem < 0 || program < 0 || ftruncate(mem, sizeof(*shared)) || dup2(mem, FD_SHARED) < 0 ||
	    dup2(program, FD_PROGRAM) < 0) {
		perror("differential: cannot make the shared memory");
		exit(99);
	}
	close(mem);
	close(program);
	shared_attach();
}

/* "TGID/task/TID": the numbers in the namespace of /proc, whichever we are in. */
static void say_numbers(int slot)
{
	struct channel *ch = &shared->channel[slot];
	char link[64] = "";

	self = slot;
	if (readlink("/proc/thread-self", link, sizeof(link) - 1) < 0 ||
	    sscanf(link, "%d/task/%d", &ch->tgid, &ch->tid) != 2)
		_exit(98);
	ch->own_tid = (pid_t)syscall(SYS_gettid);
	ch->euid = (uid_t)syscall(SYS_geteuid);
}

static void introduce(int slot)
{
	say_numbers(slot);
	word_set(&shared->channel[slot].hello, 1);
}

static void do_exec(int slot)
{
	char arg[16];
	char *argv[] = {"differential", "--puppet", arg, NULL};
	char *envp[] = {NULL};

	snprintf(arg, sizeof(arg), "%d", slot);
	syscall(SYS_execveat, FD_PROGRAM, "", argv, envp, AT_EMPTY_PATH);
}

static long wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, __WALL) < 0)
		if (errno != EINTR)
			return -1;
	return pid;
}

static long make_child(const struct command *c)
{
	pid_t pid = fork();

	if (pid == 0) {
		introduce(c->target);
		puppet_run(self); /* by now C may be the next command */
	}
	return pid;
}

/* The child shares our memory until it execs: it may do nothing but that. */
static long make_vfork(const struct command *c)
{
	pid_t pid = vfork();

	if (pid == 0) {
		do_exec(c->target);
		_exit(97);
	}
	return pid;
}

/* A child of our parent. The C library does not know of it, so it execs at once. */
static long make_sibling(const struct command *c)
{
	long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0UL);

	if (pid == 0) {
		do_exec(c->target);
		_exit(97);
	}
	return pid;
}

static long make_orphan(const struct command *c)
{
	pid_t middle = fork();

	if (middle < 0)
		return -1;
	if (middle == 0) {
		if (make_child(c) < 0)
			_exit(1);
		_exit(0);
	}
	return wait_for(middle);
}

static long make_transients(const struct command *c)
{
	for (int i = 0; i < c->num; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0 || wait_for(pid) < 0)
			return -1;
	}
	return 0;
}

/* The namespace is for that one child: those made later stay in ours. */
static long make_ns_init(const struct command *c)
{
	int own = open("/proc/thread-self/ns/pid", O_RDONLY | O_CLOEXEC);
	long pid = -1;
	int err;

	if (own < 0)
		return -1;
	if (!unshare(CLONE_NEWPID)) {
		pid = make_child(c);
		err = errno;
		if (setns(own, CLONE_NEWPID))
			_exit(96);
		errno = err;
	}
	err = errno;
	close(own);
	errno = err;
	return pid;
}

static void *thread_start(void *arg)
{
	thread_of = getpid();
	introduce((int)(intptr_t)arg);
	puppet_run(self);
}

static long make_thread(const struct command *c)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	err = pthread_create(&thread, &attr, thread_start, (void *)(intptr_t)c->target);
	pthread_attr_destroy(&attr);
	errno = err;
	return err ? -1 : 0;
}

/* Raw calls: the ids are a thread's own, and the C library would change all threads'. */
static long do_become(int num)
{
	static const struct {
		int r, e, s;
	} combos[] = {
		{USER1, USER1, USER1}, {USER2, USER2, USER2}, {USER1, USER2, USER2},
		{USER2, USER1, USER2}, {USER2, USER2, USER1}, {0, USER1, 0},
		{USER1, 0, 0},	       {0, 0, USER2},	      {-1, 0, -1},
	};
	int n = num % (int)(sizeof(combos) / sizeof(*combos));
	int g = combos[n].e;

	if (n == 8) {
		if (syscall(SYS_setresuid, -1, 0, -1))
			return -1;
		return syscall(SYS_setresgid, 0, 0, 0);
	}
	if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, g, g, g))
		return -1;
	return syscall(SYS_setresuid, combos[n].r, combos[n].e, combos[n].s);
}

static long reap_all(void)
{
	long n = 0;

	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		n++;
	return n;
}

static long life_op(const struct command *c)
{
	switch (c->kind) {
	case OP_fork:
		return make_child(c);
	case OP_vfork_exec:
		return make_vfork(c);
	case OP_sibling:
		return make_sibling(c);
	case OP_orphan:
		return make_orphan(c);
	case OP_transient:
		return make_transients(c);
	case OP_nsfork:
		return make_ns_init(c);
	case OP_thread:
		return make_thread(c);
	case OP_reap:
		return reap_all();
	case OP_setsid:
		return setsid() < 0 ? -1 : 0;
	case OP_become:
		return do_become(c->num);
	case OP_umask:
		umask(c->mode);
		return 0;
	case OP_exec:
		do_exec(self);
		return -1;
	default:
		errno = ENOSYS;
		return -1;
	}
}

static void answer(struct channel *ch)
{
	word_set(&ch->answered, atomic_load(&ch->asked));
}

static _Noreturn void leave(bool all)
{
	answer(&shared->channel[self]);
	if (all)
		_exit(0);
	if (thread_of == getpid())
		pthread_exit(NULL);
	syscall(SYS_exit, 0);
	abort();
}

static void obey(struct channel *ch)
{
	const struct command *c = &ch->command;

	if (c->kind == OP_exit || c->kind == OP_exit_group)
		leave(c->kind == OP_exit_group);
	if (op_flags(c->kind) & LIFE) {
		struct reply *r = &ch->reply[0];

		errno = 0;
		r->ret = life_op(c);
		r->err = r->ret < 0 ? errno : 0;
		ch->euid = (uid_t)syscall(SYS_geteuid);
		if (r->ret > 0 && c->kind != OP_reap)
			r->ret = 0;
		return;
	}
	for (int i = 0; i < SIDES; i++) {
		enum side side = (enum side)(c->flip ? !i : i);

		puppet_file_op(c, side, &ch->reply[side]);
	}
}

static bool abandoned(void)
{
	struct pollfd p = {.fd = FD_SUPERVISOR, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

void puppet_run(int slot)
{
	struct channel *ch = &shared->channel[slot];

	for (;;) {
		uint32_t answered = atomic_load(&ch->answered);

		if (atomic_load(&ch->asked) == answered) {
			word_wait(&ch->asked, answered, 2000);
			if (atomic_load(&ch->asked) == answered && abandoned())
				_exit(0);
			continue;
		}
		obey(ch);
		answer(ch);
	}
}

void puppet_main(int argc, char **argv)
{
	int slot = argc == 3 ? atoi(argv[2]) : -1;

	if (slot < 0 || slot >= SLOTS)
		_exit(95);
	shared_attach();
	say_numbers(slot);
	/*
	 * Having come here is the answer to an exec. Who was made and exec'd has no question open,
	 * and gets none before the hello, so for him this says nothing new.
	 */
	shared->channel[slot].reply[0].ret = 0;
	shared->channel[slot].reply[0].err = 0;
	answer(&shared->channel[slot]);
	word_set(&shared->channel[slot].hello, 1);
	puppet_run(slot);
}
