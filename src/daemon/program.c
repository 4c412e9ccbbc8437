// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starts programs and hears of their end, without the loop ever waiting.
 *
 * Executing a program takes up to a millisecond, and its path may lead through one of our own mounts:
 * a loop that waited for it would wait for itself. So the child runs on our memory, on a stack of its
 * own, beside us. (Most ways of making a process copy our page tables, or stop us until the child
 * executes.) Nobody has to be told that it executes; that it could not is seen when it has ended.
 *
 * Invariants:
 * - What the child uses stays where it is until the kernel has cleared `in_use`, which it does when the
 *   child lets go of our memory: by executing, or by ending.
 * - The child shares our thread-local storage: it makes system calls by itself, not through the C
 *   library, which would write to our errno.
 * - No handler of a signal runs in it: all signals are blocked until it has no handler any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"

#define STACK_SIZE 16384
#define SIGNAL_BIT(sig) (1ull << ((sig)-1))

/* What the child uses. */
struct start {
	char *const *argv, *const *env;
	int null_fd, nice;
	uint64_t signals; /* that may be handled or ignored */
	int error;	  /* why it could not execute */
	pid_t in_use;	  /* by the child: its pid, or 0 */
	_Alignas(16) char stack[STACK_SIZE];
};

/* ---- in the child --------------------------------------------------------------------------- */

/* Without errno. A negative errno is an error. */
#if defined(__x86_64__)
#define SHARE_MEMORY CLONE_VM
static long call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
#define SHARE_MEMORY CLONE_VM
static long call(long nr, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
#else
/* With a copy of the memory the C library's errno is the child's own, and the rest is its own as well. */
#define SHARE_MEMORY 0
static long call(long nr, long a, long b, long c, long d)
{
	long ret = syscall(nr, a, b, c, d);

	return ret < 0 ? -errno : ret;
}
#endif

/* As the kernel has it; all zeroes: the default. */
struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

/*
 * "/" as the working directory, /dev/null three times and no other descriptor, no blocked and no
 * ignored signal, the priority the daemon was started with, and a session of its own, so that a signal
 * to the daemon's terminal does not reach it. The daemon is in "/" itself, and all its descriptors are
 * close-on-exec.
 */
static int child(void *arg)
{
	static const struct kernel_sigaction by_default;
	static const unsigned long none;
	struct start *s = arg;
	long rc = 0;

	for (int sig = 1; sig < _NSIG; sig++)
		if (s->signals & SIGNAL_BIT(sig))
			call(SYS_rt_sigaction, sig, (long)&by_default, 0, sizeof(none));
	call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof(none));
	call(SYS_setsid, 0, 0, 0, 0);
	call(SYS_setpriority, PRIO_PROCESS, 0, s->nice, 0);
	for (int fd = 0; fd < 3 && rc >= 0; fd++)
		rc = call(SYS_dup3, s->null_fd, fd, 0, 0);
	/* Ours are close-on-exec; what a plug-in has open may not be. */
	if (rc >= 0)
		rc = call(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC, 0);
	if (rc >= 0)
		rc = call(SYS_execve, (long)s->argv[0], (long)s->argv, (long)s->env, 0);
	s->error = (int)rc;
	/* Ends the child. */
	return 127;
}

/* ---- in the daemon -------------------------------------------------------------------------- */

/* A child with a copy of our memory has to be able to tell why it could not execute. */
static struct start *start_new(void)
{
	struct start *s;

	if (SHARE_MEMORY)
		return malloc(sizeof(*s));
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return s == MAP_FAILED ? NULL : s;
}

static void start_free(struct start *s)
{
	if (SHARE_MEMORY)
		free(s);
	else if (s)
		munmap(s, sizeof(*s));
}

/* What P's child was started with and does not use any more; NULL: it does, or it has been given up. */
static struct start *give_up(struct program *p)
{
	struct start *s = p->start;

	if (!s || __atomic_load_n(&s->in_use, __ATOMIC_ACQUIRE))
		return NULL;
	p->start = NULL;
	p->error = s->error;
	return s;
}

/* One that is no longer in use, or a new one. NULL: out of memory. */
static struct start *start_get(struct daemon *d)
{
	struct program *p;
	struct start *s;

	LIST_FOREACH(p, &d->programs, link) {
		s = give_up(p);
		if (s)
			return s;
	}
	return start_new();
}

/* Has it ended? Then P is used up. */
static void look(struct program *p)
{
	int status;

	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	LIST_REMOVE(p, link);
	if (p->start)
		p->start->in_use = 0;
	start_free(give_up(p));
	p->on_end(p, p->error, status);
}

static void look_at_all(struct daemon *d)
{
	struct program *p, *next;

	for (p = LIST_FIRST(&d->programs); p; p = next) {
		next = LIST_NEXT(p, link);
		look(p);
	}
}

static struct program *program_of(struct daemon *d, pid_t pid)
{
	struct program *p;

	LIST_FOREACH(p, &d->programs, link)
		if (p->pid == pid)
			return p;
	return NULL;
}

/* One signal may stand for several children. */
static void on_child(uv_poll_t *poll, int status, int events)
{
	struct daemon *d = poll->data;
	struct signalfd_siginfo ignored;
	struct program *p;
	siginfo_t ended;

	(void)status;
	(void)events;
	if (read(d->child_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
		return;
	for (;;) {
		ended.si_pid = 0;
		if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) || !ended.si_pid)
			return;
		p = program_of(d, ended.si_pid);
		if (!p)
			break;
		look(p);
	}
	/* Somebody else's child, say a plug-in's: it is his to wait for, and hides those behind it. */
	look_at_all(d);
}

/* Those of the daemon itself have been set by the time it starts programs; plug-ins set what they like. */
static uint64_t signals_in_use(struct daemon *d)
{
	struct kernel_sigaction action;

	if (d->n_plugins)
		return ~0ull;
	for (int sig = 1; sig < _NSIG && !d->signals_known; sig++)
		if (!syscall(SYS_rt_sigaction, sig, NULL, &action, sizeof(action.mask)) &&
		    action.handler)
			d->signals |= SIGNAL_BIT(sig);
	d->signals_known = true;
	return d->signals;
}

static pid_t make_child(struct start *s)
{
	sigset_t all, before;
	pid_t pid;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = clone(child, s->stack + sizeof(s->stack),
		    SHARE_MEMORY | SIGCHLD | CLONE_CHILD_CLEARTID, s, NULL, NULL, &s->in_use);
	err = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -err : pid;
}

int program_start(struct daemon *d, struct program *p)
{
	struct start *s = start_get(d);

	if (!s)
		return -ENOMEM;
	s->argv = p->argv;
	s->env = p->env;
	s->null_fd = d->null_fd;
	s->nice = d->nice;
	s->signals = signals_in_use(d);
	s->error = 0;
	s->in_use = 1;
	p->d = d;
	p->error = 0;
	p->pid = make_child(s);
	if (p->pid < 0) {
		start_free(s);
		return p->pid;
	}
	p->start = s;
	LIST_INSERT_HEAD(&d->programs, p, link);
	return 0;
}

bool program_forget(struct program *p)
{
	LIST_REMOVE(p, link);
	start_free(give_up(p));
	return !p->start;
}

int programs_start(struct daemon *d)
{
	sigset_t set;
	int rc;

	/* Out of the way of where the child puts it. */
	rc = open("/dev/null", O_RDWR | O_CLOEXEC);
	d->null_fd = rc < 0 ? -1 : fcntl(rc, F_DUPFD_CLOEXEC, 3);
	if (rc >= 0)
		close(rc);
	if (d->null_fd < 0)
		return -errno;
	/* Threads that plug-ins make inherit that it is blocked: it is for us. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	d->child_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (d->child_fd < 0)
		return -errno;
	rc = uv_poll_init(&d->loop, &d->on_child, d->child_fd);
	if (rc)
		return rc;
	d->on_child.data = d;
	return uv_poll_start(&d->on_child, UV_READABLE, on_child);
}

void programs_stop(struct daemon *d)
{
	if (d->on_child.data)
		uv_close((uv_handle_t *)&d->on_child, NULL);
}

void programs_free(struct daemon *d)
{
	if (d->null_fd >= 0)
		close(d->null_fd);
	if (d->child_fd >= 0)
		close(d->child_fd);
}
