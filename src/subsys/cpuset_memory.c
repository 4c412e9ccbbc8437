// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset_memory.c - memory_migrate: a process's pages follow its cpuset's memory nodes.
 *
 * migrate_pages(2) goes through the whole memory of a process, and nobody may wait for that: a thread
 * of its own does it, one process after the other, and ends when there is none left.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <subsys/cpuset.h>

struct job {
	STAILQ_ENTRY(job) link;
	pid_t tgid;
	int pidfd; /* so that it is not done to whoever has the number later */
	struct mask from, to;
};

/* The one thing here that is not the loop's. */
static struct {
	pthread_mutex_t lock;
	STAILQ_HEAD(, job) jobs;
	bool running;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .jobs = STAILQ_HEAD_INITIALIZER(queue.jobs)};

static struct job *next_job(void)
{
	struct job *job;

	pthread_mutex_lock(&queue.lock);
	job = STAILQ_FIRST(&queue.jobs);
	if (job)
		STAILQ_REMOVE_HEAD(&queue.jobs, link);
	else
		queue.running = false;
	pthread_mutex_unlock(&queue.lock);
	return job;
}

static void *work(void *arg)
{
	struct job *job;

	(void)arg;
	while ((job = next_job())) {
		if (!syscall(SYS_pidfd_send_signal, job->pidfd, 0, NULL, 0))
			syscall(SYS_migrate_pages, job->tgid, (unsigned long)MASK_BITS, job->from.w,
				job->to.w);
		close(job->pidfd);
		free(job);
	}
	return NULL;
}

/* With every signal blocked: those are for the loop's thread. */
static bool start_thread(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, work, NULL);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return !err;
}

void cpuset_memory_move(void *arg, pid_t tgid, const struct mask *from, const struct mask *to)
{
	struct job *job = malloc(sizeof(*job));

	(void)arg;
	if (!job)
		return;
	*job = (struct job){.tgid = tgid, .from = *from, .to = *to};
	job->pidfd = (int)syscall(SYS_pidfd_open, tgid, 0);
	if (job->pidfd < 0) {
		free(job);
		return;
	}
	pthread_mutex_lock(&queue.lock);
	STAILQ_INSERT_TAIL(&queue.jobs, job, link);
	if (!queue.running)
		queue.running = start_thread();
	pthread_mutex_unlock(&queue.lock);
}

static void migrate_process(struct cpuset *cs, const struct mask *from, pid_t tgid)
{
	const struct cpuset_world *world = cs->ctx->world;

	world->migrate(world->arg, tgid, from, &cs->mems);
}

void cpuset_migrate(struct cpuset *cs, const struct mask *from, const struct cgroup_task *task)
{
	struct cgroup_iter it;
	pid_t last = 0;

	if (!cpuset_has_flag(cs, CPUSET_MEMORY_MIGRATE) || mask_equal(from, &cs->mems) ||
	    mask_is_empty(from) || mask_is_empty(&cs->mems))
		return;
	if (task) {
		/* As in v1, where the leader is, there the process's memory is. */
		if (task->tid == task->tgid)
			migrate_process(cs, from, task->tgid);
		return;
	}
	if (cgroup_iter_start(cs->css.cgroup, &it))
		return;
	/* Threads mostly follow each other; once more does no harm. */
	while ((task = cgroup_iter_next(&it))) {
		if (task->tgid != last)
			migrate_process(cs, from, task->tgid);
		last = task->tgid;
	}
	cgroup_iter_end(&it);
}
