// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * job DIR: what the demo runs in a cgroup: a process with threads, a child and a grandchild, and a
 * daemon that got away by forking twice. It writes the tid of each task to DIR/tids and then makes
 * DIR/ready. All but the daemon end when something is written to the FIFO DIR/end-job, the daemon
 * when something is written to DIR/end-daemon; it leaves its tid in DIR/daemon and, as its very last
 * act, the time in DIR/last-exit (CLOCK_MONOTONIC, ns).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_THREADS 3
#define N_OTHERS 3 /* processes beside the first: child, grandchild, daemon */

static void die(const char *what)
{
	fprintf(stderr, "demo job: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put_line(const char *name, long long number)
{
	char line[32];
	int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int len = snprintf(line, sizeof(line), "%lld\n", number);

	if (fd < 0 || write(fd, line, (size_t)len) != len)
		die(name);
	close(fd);
}

/* Until somebody writes to the FIFO, or has closed it. */
static void await(const char *fifo)
{
	int fd = open(fifo, O_RDONLY | O_CLOEXEC);
	char c;

	if (fd < 0 || read(fd, &c, 1) < 0)
		die(fifo);
	close(fd);
}

static void await_end(int fd)
{
	char c;

	while (read(fd, &c, 1) > 0)
		;
}

static void *thread(void *arg)
{
	put_line("tids", gettid());
	pthread_barrier_wait(arg);
	pause();
	return NULL;
}

static void be_daemon(int started)
{
	struct timespec now;

	put_line("tids", gettid());
	put_line("daemon", gettid());
	if (write(started, "", 1) != 1)
		die("pipe");
	close(started);
	await("end-daemon");
	clock_gettime(CLOCK_MONOTONIC, &now);
	put_line("last-exit", now.tv_sec * 1000000000ll + now.tv_nsec);
	_exit(0);
}

static void fork_twice(int started, int job_lives)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0) {
		waitpid(pid, NULL, 0);
		return;
	}
	/* The daemon must not keep the others alive. */
	close(job_lives);
	setsid();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		be_daemon(started);
	_exit(0);
}

/* A child with a child of its own; both end when the first process does. */
static void be_child(int started, int job_lives)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	put_line("tids", gettid());
	if (write(started, "", 1) != 1)
		die("pipe");
	await_end(job_lives);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	_exit(0);
}

int main(int argc, char **argv)
{
	pthread_barrier_t barrier;
	int started[2], job_lives[2];
	char c;

	if (argc != 2 || chdir(argv[1]))
		die(argc == 2 ? argv[1] : "usage: job DIR");
	if (pipe2(started, O_CLOEXEC) || pipe2(job_lives, O_CLOEXEC))
		die("pipe");
	put_line("tids", gettid());

	switch (fork()) {
	case -1:
		die("fork");
		break;
	case 0:
		close(job_lives[1]);
		be_child(started[1], job_lives[0]);
	}
	close(job_lives[0]);
	fork_twice(started[1], job_lives[1]);

	pthread_barrier_init(&barrier, NULL, N_THREADS + 1);
	for (int i = 0; i < N_THREADS; i++) {
		pthread_t t;

		errno = pthread_create(&t, NULL, thread, &barrier);
		if (errno)
			die("pthread_create");
	}
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < N_OTHERS; i++)
		if (read(started[0], &c, 1) != 1)
			die("pipe");
	put_line("ready", getpid());
	await("end-job");
	return 0;
}
