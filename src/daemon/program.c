// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starts programs and hears of their end, without the loop ever waiting.
 *
 * Executing a program takes a millisecond, and its path may lead through one of our own mounts:
 * a loop that waited for it would wait for itself. So it is done on a thread of libuv's pool. (That
 * is why it is not uv_spawn(), which waits on the loop.)
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"

/* What the child needs; it runs on its maker's memory, who waits until it executes or ends. */
struct start {
	const struct program *p;
	int error;
};

#define START_STACK 32768

/*
 * "/" as the working directory, /dev/null three times and no other descriptor, no blocked and no
 * ignored signal, and a session of its own, so that a signal to the daemon's terminal does not
 * reach it. The daemon is in "/" itself, all its descriptors are close-on-exec, and of the signals it
 * ignores SIGPIPE alone (main.c); handlers go with the exec.
 *
 * posix_spawn() would do the same with ten times as many system calls.
 */
static int child(void *arg)
{
	struct start *start = arg;
	const struct program *p = start->p;
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (dup2(p->d->null_fd, 0) == 0 && dup2(p->d->null_fd, 1) == 1 &&
	    dup2(p->d->null_fd, 2) == 2)
		execve(p->argv[0], p->argv, p->env);
	start->error = errno;
	_exit(127);
}

/* On a thread of the pool: touches nothing but P. */
static void execute(uv_work_t *work)
{
	struct program *p = work->data;
	struct start start = {.p = p};
	_Alignas(16) char stack[START_STACK];
	sigset_t all, before;

	/* A handler must not run in the child, on memory that is ours. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	p->pid = clone(child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
	p->error = p->pid < 0 ? -errno : -start.error;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (p->pid > 0 && p->error)
		waitpid(p->pid, NULL, 0);
}

/* Has it ended? Then P is used up. */
static void look(struct program *p)
{
	int status;

	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	LIST_REMOVE(p, link);
	p->on_end(p, status);
}

static void on_executed(uv_work_t *work, int status)
{
	struct program *p = work->data;

	/* Cancelled, when the daemon ends. */
	if (status)
		p->error = status;
	if (p->error) {
		p->on_start(p, p->error);
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

static void nothing(uv_work_t *work)
{
	(void)work;
}

int programs_start(struct daemon *d)
{
	int rc;

	d->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (d->null_fd < 0)
		return -errno;
	rc = uv_signal_init(&d->loop, &d->on_child);
	if (rc)
		return rc;
	d->on_child.data = d;
	rc = uv_signal_start(&d->on_child, on_child, SIGCHLD);
	/* The pool's threads are made by its first work, which need not be an agent. */
	return rc ? rc : uv_queue_work(&d->loop, &d->first_work, nothing, NULL);
}

int program_start(struct daemon *d, struct program *p)
{
	p->d = d;
	p->work.data = p;
	return uv_queue_work(&d->loop, &p->work, execute, on_executed);
}

void program_forget(struct daemon *d, struct program *p)
{
	(void)d;
	LIST_REMOVE(p, link);
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
}
