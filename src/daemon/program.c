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
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon.h"

/*
 * "/" as the working directory, /dev/null three times and no other descriptor, no blocked and no
 * ignored signal, and a session of its own, so that a signal to the daemon's terminal does not
 * reach it.
 */
static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	/* Not sigfillset(): it leaves out what libc uses itself, which would be ignored then. */
	memset(&all, 0xff, sizeof(all));
	rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						    POSIX_SPAWN_SETSIGDEF);
	if (!rc)
		rc = posix_spawnattr_setsigmask(attr, &none);
	if (!rc)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	if (!rc)
		rc = posix_spawn_file_actions_addchdir_np(actions, "/");
	if (!rc)
		rc = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
	if (!rc)
		rc = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
	if (!rc)
		rc = posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0);
	if (!rc)
		rc = posix_spawn_file_actions_addclosefrom_np(actions, 3);
	return rc;
}

/* On a thread of the pool: touches nothing but P. */
static void execute(uv_work_t *work)
{
	struct program *p = work->data;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int rc;

	rc = posix_spawn_file_actions_init(&actions);
	if (rc) {
		p->error = -rc;
		return;
	}
	rc = posix_spawnattr_init(&attr);
	if (!rc) {
		rc = set_up(&actions, &attr);
		if (!rc)
			rc = posix_spawn(&p->pid, p->argv[0], &actions, &attr, p->argv, p->env);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	p->error = -rc;
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

int programs_start(struct daemon *d)
{
	int rc = uv_signal_init(&d->loop, &d->on_child);

	d->on_child.data = d;
	return rc ? rc : uv_signal_start(&d->on_child, on_child, SIGCHLD);
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
