// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starts programs and hears of their end, without the loop ever waiting.
 *
 * Executing a program takes up to a millisecond, and its path may lead through one of our own mounts:
 * a loop that waited for it would wait for itself. So the child runs on our memory, on a stack of its
 * own, beside us, and the end of a pipe that is close-on-exec tells that it executes, or why not. (Most
 * ways of making a process copy our page tables, or stop us until the child executes.)
 *
 * Invariants:
 * - What the child uses stays where it is until the pipe has ended, whatever happens.
 * - The child shares our thread-local storage: it makes system calls by itself, not through the C
 *   library, which would write to our errno.
 * - No handler of a signal runs in it: all signals are blocked until it has no handler any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"

#define STACK_SIZE 16384

struct start {
	uv_poll_t poll; /* of the pipe */
	LIST_ENTRY(start) link;
	struct program *p; /* NULL: nobody wants to know any more */
	char *const *argv, *const *env;
	int fd, null_fd, nice;
	int error; /* the child's */
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
/* With a copy of the memory the C library's errno is the child's own. */
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
	if (!SHARE_MEMORY)
		call(SYS_write, s->fd, (long)&s->error, sizeof(s->error), 0);
	/* Ends the child. */
	return 127;
}

/* ---- in the daemon -------------------------------------------------------------------------- */

/* Has it ended? Then P is used up. */
static void look(struct program *p)
{
	int status;

	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	LIST_REMOVE(p, link);
	p->on_end(p, status);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* The pipe has ended: the program executes, or the child has told why not and is ending. */
static void on_pipe(uv_poll_t *poll, int status, int events)
{
	struct start *s = poll->data;
	struct program *p = s->p;
	int error = s->error;

	(void)status;
	(void)events;
	/* Where it has a copy of the memory. */
	if (!SHARE_MEMORY && read(s->fd, &error, sizeof(error)) != sizeof(error))
		error = 0;
	LIST_REMOVE(s, link);
	/*
	 * In this order: other children that do not execute yet have the pipe open too, so closing it
	 * does not end its being polled, which would go on under a number that is another pipe's.
	 */
	uv_close((uv_handle_t *)poll, on_closed);
	close(s->fd);
	if (error) {
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
		p->on_start(p, error);
		return;
	}
	LIST_INSERT_HEAD(&p->d->programs, p, link);
	p->on_start(p, 0);
	/* It may have ended already, before its signal could have told us anything. */
	look(p);
}

static void on_child(uv_signal_t *handle, int signum)
{
	struct daemon *d = handle->data;
	struct program *p, *next;

	(void)signum;
	/* One signal may stand for several; each is asked, as there are few. */
	for (p = LIST_FIRST(&d->programs); p; p = next) {
		next = LIST_NEXT(p, link);
		look(p);
	}
}

static pid_t make_child(struct start *s)
{
	sigset_t all, before;
	pid_t pid;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = clone(child, s->stack + sizeof(s->stack), SHARE_MEMORY | SIGCHLD, s);
	err = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -err : pid;
}

int program_start(struct daemon *d, struct program *p)
{
	struct start *s = malloc(sizeof(*s));
	int fds[2];

	if (!s)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC)) {
		free(s);
		return -errno;
	}
	s->p = p;
	s->argv = p->argv;
	s->env = p->env;
	s->fd = SHARE_MEMORY ? fds[0] : fds[1];
	s->null_fd = d->null_fd;
	s->nice = d->nice;
	s->error = 0;
	p->d = d;
	p->pid = make_child(s);
	close(fds[1]);
	s->fd = fds[0];
	if (p->pid < 0) {
		close(fds[0]);
		free(s);
		return p->pid;
	}
	/* These cannot fail: it is a descriptor that can be polled. */
	uv_poll_init(&d->loop, &s->poll, fds[0]);
	s->poll.data = s;
	LIST_INSERT_HEAD(&d->starts, s, link);
	uv_poll_start(&s->poll, UV_READABLE, on_pipe);
	return 0;
}

void program_forget(struct daemon *d, struct program *p)
{
	(void)d;
	LIST_REMOVE(p, link);
}

int programs_start(struct daemon *d)
{
	int rc;

	/* Out of the way of where the child puts it. */
	rc = open("/dev/null", O_RDWR | O_CLOEXEC);
	d->null_fd = rc < 0 ? -1 : fcntl(rc, F_DUPFD_CLOEXEC, 3);
	if (rc >= 0)
		close(rc);
	if (d->null_fd < 0)
		return -errno;
	rc = uv_signal_init(&d->loop, &d->on_child);
	if (rc)
		return rc;
	d->on_child.data = d;
	return uv_signal_start(&d->on_child, on_child, SIGCHLD);
}

void programs_stop(struct daemon *d)
{
	struct start *s;

	/* They go on by themselves, with what is theirs: it is not freed. */
	LIST_FOREACH(s, &d->starts, link)
		uv_close((uv_handle_t *)&s->poll, NULL);
	if (d->on_child.data)
		uv_close((uv_handle_t *)&d->on_child, NULL);
}

void programs_free(struct daemon *d)
{
	if (d->null_fd >= 0)
		close(d->null_fd);
}
