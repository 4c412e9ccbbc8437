// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exec_test.c - programs for the test of an exec that takes long after it has changed a thread's tid.
 *
 *	exec-test serve DIR	serves itself as DIR/prog, over FUSE, and mounts that. What the program
 *				loader reads when it looks at the file is answered; what is read once
 *				the program is being mapped, a page at least, is held until SIGUSR1
 *				(go on) or SIGUSR2 (an error: the exec fails, too late to return).
 *	exec-test victim FILE	the leader waits; a thread of its executes FILE as `FILE child`
 *	exec-test child		forks, and both wait
 *
 * Nothing of this lives longer than a minute.
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROG = 2, A_PAGE = 4096, MAX_HELD = 64, LIFETIME = 60 };

/* ---- the file system: one file ---------------------------------------------------------------- */

struct held {
	fuse_req_t req;
	size_t size;
	off_t off;
};

static struct server {
	int fd; /* our own program */
	struct held held[MAX_HELD];
	int n_held;
	bool open, failing; /* what to do with the next ones */
} server;

static volatile sig_atomic_t told; /* a signal */

static void on_signal(int sig)
{
	told = sig;
}

static void attr_of(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	if (ino == PROG)
		fstat(server.fd, st);
	st->st_ino = ino;
	st->st_mode = ino == PROG ? S_IFREG | 0755 : S_IFDIR | 0755;
	st->st_nlink = 1;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {.ino = PROG, .entry_timeout = 60, .attr_timeout = 60};

	if (parent != FUSE_ROOT_ID || strcmp(name, "prog")) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	attr_of(PROG, &e.attr);
	fuse_reply_entry(req, &e);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	attr_of(ino, &st);
	fuse_reply_attr(req, &st, 60);
}

/* Not through the page cache, or the first look at the file would fill it. */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void answer(const struct held *h)
{
	char *buf = malloc(h->size);
	ssize_t n = buf ? pread(server.fd, buf, h->size, h->off) : -1;

	if (server.failing || n < 0)
		fuse_reply_err(h->req, EIO);
	else
		fuse_reply_buf(h->req, buf, (size_t)n);
	free(buf);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	const struct held h = {.req = req, .size = size, .off = off};

	(void)ino;
	(void)fi;
	if (size < A_PAGE || server.open || server.failing || server.n_held == MAX_HELD) {
		answer(&h);
		return;
	}
	server.held[server.n_held++] = h;
	printf("held\n");
	fflush(stdout);
}

static void let_go(void)
{
	server.open = told == SIGUSR1;
	server.failing = told == SIGUSR2;
	told = 0;
	for (int i = 0; i < server.n_held; i++)
		answer(&server.held[i]);
	server.n_held = 0;
}

static int serve(const char *self, const char *dir)
{
	static const struct fuse_lowlevel_ops ops = {
		.lookup = op_lookup, .getattr = op_getattr, .open = op_open, .read = op_read};
	char name[] = "exec-test", opt[] = "-oallow_other";
	char *argv[] = {name, opt, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct sigaction action = {.sa_handler = on_signal}; /* interrupts the read */
	struct fuse_buf buf = {0};
	struct fuse_session *se;

	server.fd = open(self, O_RDONLY | O_CLOEXEC);
	se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (server.fd < 0 || !se || fuse_session_mount(se, dir)) {
		fprintf(stderr, "exec-test: cannot serve %s at %s\n", self, dir);
		return 1;
	}
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	printf("ready\n");
	fflush(stdout);
	while (!fuse_session_exited(se)) {
		int n = fuse_session_receive_buf(se, &buf);

		if (n > 0)
			fuse_session_process_buf(se, &buf);
		else if (n != -EINTR)
			break;
		if (told)
			let_go();
	}
	fuse_session_unmount(se);
	fuse_session_destroy(se);
	return 0;
}

/* ---- who executes it --------------------------------------------------------------------------- */

static void *execute(void *file)
{
	execl(file, file, "child", NULL);
	perror(file);
	_exit(1);
}

static int victim(char *file)
{
	pthread_t thread;

	alarm(LIFETIME);
	if (pthread_create(&thread, NULL, execute, file))
		return 1;
	for (;;)
		pause();
	return 0;
}

static int child(void)
{
	if (fork() < 0)
		return 1;
	alarm(LIFETIME);
	for (;;)
		pause();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve")) {
		alarm(LIFETIME);
		return serve(argv[0], argv[2]);
	}
	if (argc == 3 && !strcmp(argv[1], "victim"))
		return victim(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "child"))
		return child();
	fprintf(stderr, "usage: exec-test serve DIR | victim FILE | child\n");
	return 2;
}
