// SPDX-License-Identifier: GPL-2.0-or-later
/* The tasks of the stress test: they fork, exec, thread, daemonise and end, and hold still if told. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define NORETURN __attribute__((noreturn))
#define MAX_DEPTH 5
#define MAX_THREADS 4

/* The calling task. Each has its own; a forked child starts a new one. */
struct me {
	struct slot *slot;
	uint32_t seed;
	bool leader; /* the process's first thread */
	pthread_t threads[MAX_THREADS];
	int n_threads;
};

static void NORETURN run_script(struct slot *slot);

/* ---- being born and ending ------------------------------------------------------------------------ */

static void born(struct slot *slot)
{
	atomic_store(&slot->tid, (pid_t)syscall(SYS_gettid));
	atomic_store(&slot->tgid, getpid());
	settle_newborn(slot);
	if (slot->script != SCRIPT_SENTINEL)
		slot_run(slot);
}

/* The task must be free to act (slot_run) when this is called. */
static void NORETURN end_process(struct slot *slot)
{
	slot_free(slot);
	syscall(SYS_exit_group, 0);
	__builtin_unreachable();
}

/* The calling thread alone: a leader stays behind as a zombie while others live. */
static void NORETURN end_thread(struct slot *slot)
{
	slot_free(slot);
	syscall(SYS_exit, 0);
	__builtin_unreachable();
}

static void NORETURN sleep_until_killed(void)
{
	_Atomic uint32_t never = 0;

	for (;;) {
		futex_wait(&never, 0);
		if (main_gone())
			syscall(SYS_exit_group, 98);
	}
}

static void reap(struct slot *slot, pid_t pid)
{
	slot_wait(slot);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	slot_run(slot);
}

static void reap_all(struct slot *slot, bool block)
{
	if (!block) {
		while (waitpid(-1, NULL, WNOHANG | __WNOTHREAD) > 0)
			;
		return;
	}
	slot_wait(slot);
	while (waitpid(-1, NULL, __WNOTHREAD) > 0)
		;
	slot_run(slot);
}

/* ---- making others -------------------------------------------------------------------------------- */

static struct slot *new_slot(struct me *me, enum script script)
{
	struct slot *s = slot_new(script, me->slot, 0, &me->seed);

	if (s)
		atomic_fetch_add(&shm->stats.forks, 1);
	return s;
}

static pid_t fork_into(struct slot *slot)
{
	pid_t pid = fork();

	if (pid == 0)
		worker_main(slot);
	if (pid < 0)
		slot_free(slot);
	return pid;
}

static void NORETURN exec_self(struct slot *slot)
{
	char number[16], tid[16];
	char *argv[] = {shm->self, "--worker", number, tid, NULL};

	snprintf(number, sizeof(number), "%u", (unsigned int)(slot - shm->slots));
	snprintf(tid, sizeof(tid), "%d", atomic_load(&slot->tid));
	execv(shm->self, argv);
	complain("exec: %s", strerror(errno));
	_exit(97);
}

static void act_fork(struct me *me)
{
	struct slot *s = new_slot(me, SCRIPT_TASK);

	if (s)
		fork_into(s);
}

/* fork and exec, or vfork and exec: the child tells its tid after the exec only. */
static void act_spawn(struct me *me, bool share_memory)
{
	struct slot *s = new_slot(me, SCRIPT_TASK);
	char number[16];
	char *argv[] = {shm->self, "--worker", number, "0", NULL};
	pid_t pid;

	if (!s)
		return;
	snprintf(number, sizeof(number), "%u", (unsigned int)(s - shm->slots));
	atomic_fetch_add(&shm->stats.execs, 1);
	if (share_memory) {
		atomic_fetch_add(&shm->stats.vforks, 1);
		/* It is vfork that is to be tried. */
		pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	} else {
		pid = fork();
	}
	if (pid == 0) {
		execv(shm->self, argv);
		_exit(97);
	}
	if (pid < 0)
		slot_free(s);
}

static void act_daemon(struct me *me)
{
	struct slot *s = new_slot(me, SCRIPT_DAEMON);
	pid_t pid = s ? fork_into(s) : -1;

	atomic_fetch_add(&shm->stats.daemons, 1);
	if (pid > 0)
		reap(me->slot, pid);
}

/* A child whose parent is the maker's parent: it inherits from the maker nevertheless. */
static void act_clone_parent(struct me *me)
{
	struct slot *s = new_slot(me, SCRIPT_SHORT);
	pid_t pid;

	if (!s)
		return;
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		run_script(s);
	if (pid < 0)
		slot_free(s);
}

static void *thread_main(void *arg)
{
	run_script(arg);
}

static struct slot *start_thread(struct me *me, enum script script)
{
	struct slot *s = me->n_threads < MAX_THREADS ? new_slot(me, script) : NULL;
	pthread_attr_t attr;
	int err;

	if (!s)
		return NULL;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	err = pthread_create(&me->threads[me->n_threads], &attr, thread_main, s);
	pthread_attr_destroy(&attr);
	if (err) {
		slot_free(s);
		return NULL;
	}
	atomic_fetch_add(&shm->stats.threads, 1);
	me->n_threads++;
	return s;
}

/*
 * What is called read-your-forks: the child is listed once its maker has made it, and is not once it
 * has been waited for. Unless somebody moves it meanwhile.
 */
static void look_at_child(pid_t pid, uint32_t hier)
{
	uint32_t since = atomic_load(&shm->moves_done);
	int g = kernel_group_of(pid, hier);
	bool listed = g >= 0 && ucg_has(hier, (uint32_t)g, pid);

	if (listed || moved_since(since, pid, pid))
		return;
	if (g < 0)
		complain("child %d is in no group of the kernel: %s", pid, strerror(-g));
	else
		complain("child %d is not listed in %s:/%s by its maker", pid, shm->hier_name[hier],
			 shm->groups[g].path);
}

static void act_check(struct me *me)
{
	uint32_t hier = rnd_below(&me->seed, N_HIER);
	struct slot *s = new_slot(me, SCRIPT_TOLD);
	pid_t pid = s ? fork_into(s) : -1;
	int g;

	if (pid < 0)
		return;
	while (atomic_load(&s->state) < SLOT_RUNNING && !main_gone())
		sleep_us(100);
	look_at_child(pid, hier);
	g = kernel_group_of(pid, hier);
	atomic_store(&s->go, 1);
	futex_wake(&s->go);
	reap(me->slot, pid);
	if (g >= 0 && ucg_has(hier, (uint32_t)g, pid))
		complain("child %d is still listed in %s:/%s by its maker that has waited for it",
			 pid, shm->hier_name[hier], shm->groups[g].path);
	atomic_fetch_add(&shm->stats.own_checks, 1);
}

/* ---- ways to end ---------------------------------------------------------------------------------- */

/* Idle threads that an exec or the end of the process kills. */
static void with_idle_threads(struct me *me, struct slot **idle, int *n)
{
	*n = 0;
	for (uint32_t i = rnd_below(&me->seed, 3); i > 0; i--) {
		struct slot *s = start_thread(me, SCRIPT_IDLE);

		if (s)
			idle[(*n)++] = s;
	}
	for (int i = 0; i < *n; i++)
		while (atomic_load(&idle[i]->state) != SLOT_WAITING && !main_gone()) {
			/* It may hold still because it was told to. */
			slot_run(me->slot);
			sleep_us(20);
		}
}

static void NORETURN end_with_exec(struct me *me)
{
	struct slot *idle[MAX_THREADS];
	int n;

	with_idle_threads(me, idle, &n);
	if (!slot_run(me->slot) || rnd_below(&me->seed, 4) == 0) {
		for (int i = 0; i < n; i++)
			slot_free(idle[i]);
		end_process(me->slot);
	}
	atomic_fetch_add(&shm->stats.execs, 1);
	if (rnd_below(&me->seed, 2)) {
		atomic_store(&me->slot->state, SLOT_EXEC);
		exec_self(me->slot);
	}
	/* Another thread does it, and takes over the leader's number. */
	atomic_store(&me->slot->retid, true);
	if (!start_thread(me, SCRIPT_EXEC)) {
		for (int i = 0; i < n; i++)
			slot_free(idle[i]);
		end_process(me->slot);
	}
	slot_wait(me->slot);
	sleep_until_killed();
}

static void NORETURN end_task(struct me *me)
{
	bool last_thread_ends = rnd_below(&me->seed, 2);

	if (!me->leader)
		end_thread(me->slot);
	if (!me->n_threads && me->slot->script == SCRIPT_TASK && me->slot->depth < MAX_DEPTH &&
	    rnd_below(&me->seed, 6) == 0) {
		me->slot->depth++;
		end_with_exec(me);
	}
	if (me->n_threads && last_thread_ends)
		end_thread(me->slot);
	slot_wait(me->slot);
	for (int i = 0; i < me->n_threads; i++)
		pthread_join(me->threads[i], NULL);
	slot_run(me->slot);
	end_process(me->slot);
}

/* ---- life ----------------------------------------------------------------------------------------- */

/* Wait until a fork is allowed. False: end instead. */
static bool may_fork(struct me *me)
{
	for (;;) {
		if (!slot_run(me->slot))
			return false;
		if (atomic_load(&shm->live) >= shm->max_live) {
			if (me->slot->script != SCRIPT_ROOT)
				return false;
		} else if (atomic_load(&shm->stats.forks) < atomic_load(&shm->fork_limit)) {
			return true;
		}
		sleep_us(1000);
	}
}

static void act(struct me *me)
{
	uint32_t what = rnd_below(&me->seed, 100);

	if (what < 42)
		act_fork(me);
	else if (what < 52)
		act_spawn(me, false);
	else if (what < 62)
		act_spawn(me, true);
	else if (what < 72)
		act_daemon(me);
	else if (what < 78)
		act_clone_parent(me);
	else if (what < 80)
		act_check(me);
	else if (me->leader)
		start_thread(me, SCRIPT_TASK); /* which it waits for, or leaves alone, at its end */
	else
		act_fork(me);
	if (rnd_below(&me->seed, 4) == 0)
		reap_all(me->slot, false);
}

static void NORETURN live(struct slot *slot)
{
	struct me me = {.slot = slot, .seed = slot->seed, .leader = getpid() == gettid()};
	bool root = slot->script == SCRIPT_ROOT;
	uint32_t acts = slot->depth < MAX_DEPTH ? rnd_below(&me.seed, 6) : 0;

	while ((root || acts-- > 0) && may_fork(&me))
		act(&me);
	if (!root && rnd_below(&me.seed, 3) == 0) {
		uint64_t until = now_ms() + rnd_below(&me.seed, 400);

		while (slot_run(slot) && now_ms() < until)
			sleep_us(10000);
	}
	if (rnd_below(&me.seed, 2))
		reap_all(slot, true);
	slot_run(slot);
	end_task(&me);
}

static void NORETURN daemonise(struct slot *slot)
{
	struct slot *s;
	uint32_t seed = slot->seed;

	setsid();
	step_back();
	if (!slot_run(slot))
		end_process(slot);
	s = slot_new(SCRIPT_TASK, slot, 0, &seed);
	if (s) {
		atomic_fetch_add(&shm->stats.forks, 1);
		fork_into(s);
	}
	slot_run(slot);
	end_process(slot);
}

static void NORETURN exec_from_thread(struct slot *slot)
{
	slot_run(slot);
	slot->script = SCRIPT_TASK;
	atomic_store(&slot->retid, true);
	atomic_fetch_add(&shm->stats.nonleader_execs, 1);
	atomic_store(&slot->state, SLOT_EXEC);
	before_exec(slot);
	exec_self(slot);
}

/* Into its group in all hierarchies; nobody else moves it before it has told its tid. */
static void enter(struct slot *slot, uint32_t g)
{
	for (uint32_t h = 0; h < N_HIER; h++) {
		int k = kernel_write(h, g, "tasks", "0");
		int u = ucg_write(h, g, "tasks", "0\n");

		if (k || u)
			complain("a job cannot enter %s:/%s: the kernel says %s, ucgroup %s",
				 shm->hier_name[h], shm->groups[g].path, strerror(-k),
				 strerror(-u));
	}
	born(slot);
}

/* One of the processes that stay, with two threads. */
static void NORETURN stand_guard(struct slot *slot)
{
	struct me me = {.slot = slot, .seed = slot->seed};

	if (slot->maker_tgid == getpid()) {
		born(slot);
	} else {
		enter(slot, shm->jobs[slot->job].group);
		start_thread(&me, SCRIPT_SENTINEL);
		start_thread(&me, SCRIPT_SENTINEL);
	}
	slot_wait(slot);
	sleep_until_killed();
}

static void NORETURN run_script(struct slot *slot)
{
	if (slot->script == SCRIPT_SENTINEL)
		stand_guard(slot);
	if (slot->script == SCRIPT_ROOT)
		enter(slot, shm->jobs[slot->job].group);
	else
		born(slot);
	switch (slot->script) {
	case SCRIPT_SHORT:
		end_process(slot);
	case SCRIPT_DAEMON:
		daemonise(slot);
	case SCRIPT_TOLD:
		slot_wait(slot);
		while (!atomic_load(&slot->go) && !main_gone())
			futex_wait(&slot->go, 0);
		slot_run(slot);
		end_process(slot);
	case SCRIPT_IDLE:
		slot_wait(slot);
		sleep_until_killed();
	case SCRIPT_EXEC:
		exec_from_thread(slot);
	default:
		live(slot);
	}
}

void worker_main(struct slot *slot)
{
	run_script(slot);
}

/* argv: the slot's number, the tid before the exec (0: the task had told none yet). */
void worker_exec_main(int argc, char **argv)
{
	struct slot *slot;
	pid_t old;

	shm_attach();
	if (argc != 2)
		_exit(96);
	slot = &shm->slots[strtoul(argv[0], NULL, 10) % MAX_SLOTS];
	old = atoi(argv[1]);
	if (!old)
		worker_main(slot);
	/* The other threads of the process did nothing but wait, and are dead now. */
	for (uint32_t i = 0; i < MAX_SLOTS; i++) {
		struct slot *s = &shm->slots[i];

		if (s != slot && atomic_load(&s->state) != SLOT_FREE &&
		    atomic_load(&s->tgid) == getpid())
			slot_free(s);
	}
	atomic_store(&slot->tid, getpid());
	settle_exec(slot, old);
	slot_run(slot);
	live(slot);
}

/* Every orphan of the test becomes its child, and is reaped by the kernel at once. */
void nursery_main(void)
{
	setsid();
	step_back();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGCHLD, SIG_IGN);
	while (!main_gone()) {
		/* Taken before it is obeyed: the next order may come before this one is done with. */
		uint32_t n = atomic_exchange(&shm->nursery, 0);
		pid_t pid;

		if (!n) {
			futex_wait(&shm->nursery, 0);
			continue;
		}
		pid = fork();
		if (pid == 0) {
			signal(SIGCHLD, SIG_DFL);
			worker_main(&shm->slots[n - 1]);
		}
		if (pid < 0)
			complain("fork: %s", strerror(errno));
	}
	_exit(0);
}
