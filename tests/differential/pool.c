// SPDX-License-Identifier: GPL-2.0-or-later
/* pool.c - births, deaths and inheritance of puppets, as the driver books them. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"

static int fail(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return -1;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- asking the kernel --------------------------------------------------------------------- */

/* The state letter of a task, or 0 when there is none. */
static char task_letter(pid_t tgid, pid_t tid)
{
	char path[64], buf[512];
	char *p;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", tgid, tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = '\0';
	p = strrchr(buf, ')');
	return p && p[1] ? p[2] : 0;
}

static int wait_gone(pid_t tgid, pid_t tid, bool zombie_will_do, char *why, size_t size)
{
	long until = now_ms() + shared->patience;

	for (unsigned int turn = 0;; turn++) {
		char letter = task_letter(tgid, tid);

		if (!letter || letter == 'X' || (zombie_will_do && letter == 'Z'))
			return 0;
		if (now_ms() > until)
			return fail(why, size, "task %d of process %d does not end", tid, tgid);
		if (turn < 20)
			sched_yield();
		else
			usleep(200);
	}
}

static int wait_reaped(pid_t pid, char *why, size_t size)
{
	long until = now_ms() + shared->patience;

	for (unsigned int turn = 0;; turn++) {
		pid_t got = waitpid(pid, NULL, WNOHANG | __WALL);

		if (got == pid)
			return 0;
		if (got < 0)
			return fail(why, size, "cannot wait for process %d: %s", pid,
				    strerror(errno));
		if (now_ms() > until)
			return fail(why, size, "process %d does not end", pid);
		if (turn < 20)
			sched_yield();
		else
			usleep(200);
	}
}

static int wait_word(_Atomic uint32_t *word, uint32_t until, const char *what, char *why,
		     size_t size)
{
	long deadline = now_ms() + shared->patience;
	uint32_t val;

	while ((val = atomic_load(word)) != until) {
		if (now_ms() > deadline)
			return fail(why, size, "no %s in %d s", what, shared->patience / 1000);
		word_wait(word, val, 1000);
	}
	return 0;
}

/* ---- the book ------------------------------------------------------------------------------ */

struct picture *picture_set(struct picture *p, int ns, const char *data, size_t len)
{
	if (!p)
		p = calloc(1, sizeof(*p));
	p->ns = ns;
	p->len = len;
	p->data = realloc(p->data, len + 1);
	memcpy(p->data, data, len);
	return p;
}

void handle_drop(struct handle *h)
{
	struct picture *p = h->picture;

	if (p && --p->refs == 0) {
		free(p->data);
		free(p);
	}
	*h = (struct handle){0};
}

static void handles_copy(struct proc *to, const struct proc *from)
{
	for (int i = 0; i < HANDLES; i++) {
		to->handle[i] = from->handle[i];
		if (from->handle[i].picture)
			from->handle[i].picture->refs++;
	}
}

void handles_removed(struct pool *pool, int g)
{
	for (int p = 0; p < PROCS; p++)
		for (int i = 0; i < HANDLES; i++) {
			struct handle *h = &pool->proc[p].handle[i];

			if (!h->used || h->group != g)
				continue;
			h->removed = true;
			h->group = GROUP_NONE;
		}
}

static void proc_free(struct pool *pool, int p)
{
	struct proc *proc = &pool->proc[p];

	for (int i = 0; i < HANDLES; i++)
		handle_drop(&proc->handle[i]);
	for (int i = 0; i < SLOTS; i++)
		if (pool->task[i].state != TASK_NONE && pool->task[i].proc == p)
			pool->task[i].state = TASK_NONE;
	*proc = (struct proc){0};
}

static int proc_new(struct pool *pool)
{
	for (int i = 0; i < PROCS; i++)
		if (!pool->proc[i].used)
			return i;
	abort(); /* a process has a slot, and there are more processes than slots */
}

static int live_threads(const struct pool *pool, int p)
{
	int n = 0;

	for (int i = 0; i < SLOTS; i++)
		if (pool->task[i].state == TASK_LIVE && pool->task[i].proc == p)
			n++;
	return n;
}

void pool_init(struct pool *pool)
{
	memset(pool, 0, sizeof(*pool));
	for (int i = 0; i < SLOTS; i++) {
		struct channel *ch = &shared->channel[i];

		atomic_store(&ch->hello, 0);
		atomic_store(&ch->answered, atomic_load(&ch->asked));
	}
}

/* Everything of a pid namespace dies with its init, and is reaped with it. */
static void forget_namespace(struct pool *pool, int ns)
{
	for (int i = 0; i < PROCS; i++)
		if (pool->proc[i].used && pool->proc[i].ns == ns && i != ns - 1)
			proc_free(pool, i);
}

/* The process P is no more: its children go to another parent, and it waits to be reaped. */
static int proc_died(struct pool *pool, int p, char *why, size_t size)
{
	struct proc *proc = &pool->proc[p];
	bool init = proc->ns == p + 1;

	proc->dead = true;
	if (proc->parent == PARENT_DRIVER) {
		if (wait_reaped(proc->tgid, why, size))
			return -1;
	} else if (wait_gone(proc->tgid, proc->tgid, true, why, size)) {
		return -1;
	}
	if (init)
		forget_namespace(pool, proc->ns);
	for (int i = 0; i < PROCS; i++) {
		struct proc *child = &pool->proc[i];

		if (!child->used || child->parent != p)
			continue;
		child->parent = proc->ns && !init ? proc->ns - 1 : PARENT_DRIVER;
		if (child->parent == PARENT_DRIVER && child->dead) {
			if (wait_reaped(child->tgid, why, size))
				return -1;
			proc_free(pool, i);
		}
	}
	for (int i = 0; i < SLOTS; i++)
		if (pool->task[i].state != TASK_NONE && pool->task[i].proc == p)
			pool->task[i].state = i == proc->leader ? TASK_ZOMBIE : TASK_NONE;
	if (proc->parent == PARENT_DRIVER)
		proc_free(pool, p);
	return 0;
}

static int thread_died(struct pool *pool, int slot, char *why, size_t size)
{
	struct task *task = &pool->task[slot];
	struct proc *proc = &pool->proc[task->proc];
	bool leader = proc->leader == slot;

	if (live_threads(pool, task->proc) == 1) {
		/* The leader is seen to be a zombie only when the last thread has gone too. */
		if (!leader && wait_gone(proc->tgid, task->tid, false, why, size))
			return -1;
		return proc_died(pool, task->proc, why, size);
	}
	if (wait_gone(proc->tgid, task->tid, leader, why, size))
		return -1;
	task->state = leader ? TASK_GONE_LEADER : TASK_NONE;
	return 0;
}

/* Every thread of P is ending. */
static int all_died(struct pool *pool, int p, char *why, size_t size)
{
	struct proc *proc = &pool->proc[p];

	for (int i = 0; i < SLOTS; i++) {
		struct task *task = &pool->task[i];

		if (task->state == TASK_LIVE && task->proc == p && i != proc->leader &&
		    wait_gone(proc->tgid, task->tid, false, why, size))
			return -1;
	}
	return proc_died(pool, p, why, size);
}

/* The thread in SLOT execs: it is the leader now, and the only one. */
static void thread_execed(struct pool *pool, int slot)
{
	int p = pool->task[slot].proc;
	struct proc *proc = &pool->proc[p];

	for (int i = 0; i < SLOTS; i++)
		if (i != slot && pool->task[i].state != TASK_NONE && pool->task[i].proc == p)
			pool->task[i].state = TASK_NONE;
	/* The tid it had is nobody's now, and the old leader's is its own. */
	pool->task[proc->leader].tid = 0;
	pool->task[slot].tid = shared->channel[slot].tid;
	pool->task[slot].own_tid = shared->channel[slot].own_tid;
	proc->leader = slot;
}

static int awaits_birth(struct pool *pool, const struct op *op, int parent, char *why, size_t size)
{
	struct channel *ch = &shared->channel[op->target];
	struct task *task = &pool->task[op->target];
	bool thread = op->kind == OP_thread;
	const struct task *maker = &pool->task[op->slot];
	struct proc *proc;

	if (wait_word(&ch->hello, 1, "sign of life from the new task", why, size))
		return -1;
	*task = (struct task){.state = TASK_LIVE, .tid = ch->tid, .own_tid = ch->own_tid};
	if (thread) {
		task->proc = maker->proc;
		task->ns = maker->ns;
		return 0;
	}
	task->proc = proc_new(pool);
	proc = &pool->proc[task->proc];
	*proc = (struct proc){
		.used = true, .tgid = ch->tgid, .leader = op->target, .parent = parent};
	if (op->kind == OP_nsfork)
		proc->ns = task->proc + 1;
	else if (op->kind != OP_spawn)
		proc->ns = maker->ns;
	task->ns = proc->ns;
	if (op->kind != OP_spawn)
		handles_copy(proc, &pool->proc[maker->proc]);
	return 0;
}

/* ---- operations ---------------------------------------------------------------------------- */

static bool makes_task(enum op_kind kind)
{
	return kind == OP_spawn || kind == OP_fork || kind == OP_vfork_exec || kind == OP_sibling ||
	       kind == OP_orphan || kind == OP_nsfork || kind == OP_thread;
}

bool pool_can(const struct pool *pool, const struct op *op)
{
	const struct task *task = &pool->task[op->slot];
	const struct proc *proc = &pool->proc[task->proc];

	if (op->kind == OP_verify)
		return true;
	if (makes_task(op->kind) && pool->task[op->target].state != TASK_NONE)
		return false;
	if (op->kind == OP_spawn)
		return true;
	if (task->state != TASK_LIVE)
		return false;
	if (op->kind == OP_nsfork)
		return !proc->ns;
	/* The kernel refuses it to the init of a namespace: its child would have no parent there. */
	if (op->kind == OP_sibling)
		return proc->ns != task->proc + 1;
	if (op_flags(op->kind) & ON_HANDLE)
		return proc->handle[op->handle].used;
	return true;
}

int pool_ask(struct pool *pool, int slot, char *why, size_t size)
{
	struct channel *ch = &shared->channel[slot];
	uint32_t n = atomic_load(&ch->asked) + 1;
	char what[64];

	(void)pool;
	snprintf(what, sizeof(what), "answer from slot %d", slot);
	word_set(&ch->asked, n);
	return wait_word(&ch->answered, n, what, why, size);
}

static int spawn(struct pool *pool, const struct op *op, char *why, size_t size)
{
	pid_t pid = fork();

	if (pid < 0)
		return fail(why, size, "cannot fork a puppet: %s", strerror(errno));
	if (pid == 0) {
		char arg[16];

		setsid();
		snprintf(arg, sizeof(arg), "%d", op->target);
		execl("/proc/self/exe", "differential", "--puppet", arg, NULL);
		_exit(94);
	}
	return awaits_birth(pool, op, PARENT_DRIVER, why, size);
}

/* Reaped by P: its dead children, and only those. */
static int reaped(struct pool *pool, int p, long n, char *why, size_t size)
{
	long expected = 0;

	for (int i = 0; i < PROCS; i++)
		if (pool->proc[i].used && pool->proc[i].dead && pool->proc[i].parent == p) {
			expected++;
			proc_free(pool, i);
		}
	if (n != expected)
		return fail(why, size, "%ld children reaped, the book has %ld", n, expected);
	return 0;
}

static int parent_of_new(const struct pool *pool, const struct op *op)
{
	const struct task *task = &pool->task[op->slot];
	const struct proc *proc = &pool->proc[task->proc];

	if (op->kind == OP_sibling)
		return proc->parent;
	if (op->kind == OP_orphan)
		return proc->ns ? proc->ns - 1 : PARENT_DRIVER;
	return task->proc;
}

static void fill_command(const struct op *op)
{
	struct command *c = &shared->channel[op->slot].command;

	c->kind = op->kind;
	c->target = op->target;
	c->num = op->num;
	c->mode = op->mode;
}

int pool_life(struct pool *pool, const struct op *op, char *why, size_t size)
{
	struct task *task = &pool->task[op->slot];
	const struct reply *r = &shared->channel[op->slot].reply[0];
	int p = task->proc;

	if (makes_task(op->kind)) {
		struct channel *ch = &shared->channel[op->target];

		atomic_store(&ch->hello, 0);
		atomic_store(&ch->answered, atomic_load(&ch->asked));
	}
	if (op->kind == OP_spawn)
		return spawn(pool, op, why, size);
	if (op->kind == OP_kill) {
		kill(pool->proc[p].tgid, SIGKILL);
		return all_died(pool, p, why, size);
	}
	fill_command(op);
	if (pool_ask(pool, op->slot, why, size))
		return -1;
	if (op->kind == OP_exit)
		return thread_died(pool, op->slot, why, size);
	if (op->kind == OP_exit_group)
		return all_died(pool, p, why, size);
	if (r->err && (makes_task(op->kind) || op->kind == OP_transient || op->kind == OP_exec)) {
		/* A user may not make a namespace; everything else must work. */
		if (op->kind == OP_nsfork && r->err == EPERM)
			return 0;
		return fail(why, size, "%s fails: %s", op_name(op->kind), strerror(r->err));
	}
	if (op->kind == OP_exec)
		thread_execed(pool, op->slot);
	if (op->kind == OP_reap)
		return reaped(pool, p, r->ret, why, size);
	if (makes_task(op->kind))
		return awaits_birth(pool, op, parent_of_new(pool, op), why, size);
	return 0;
}

/* ---- numbers ------------------------------------------------------------------------------- */

int pool_tid(const struct pool *pool, int slot, int ns, pid_t *tid)
{
	const struct task *task = &pool->task[slot];
	char path[32];

	if (!task->tid)
		return -1;
	*tid = ns && task->ns == ns ? task->own_tid : task->tid;
	if (task->state != TASK_NONE)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d", task->tid);
	return access(path, F_OK) ? 0 : -1;
}

int pool_find(const struct pool *pool, pid_t number, int ns)
{
	for (int i = 0; i < SLOTS; i++) {
		const struct task *task = &pool->task[i];

		if (task->state == TASK_NONE || (ns && task->ns != ns))
			continue;
		if ((ns ? task->own_tid : task->tid) == number)
			return i;
	}
	return -1;
}

void pool_destroy(struct pool *pool)
{
	char why[256];

	/* The innermost first would be kind; but a namespace goes with its init. */
	for (int i = 0; i < PROCS; i++)
		if (pool->proc[i].used && !pool->proc[i].dead && !pool->proc[i].ns)
			kill(pool->proc[i].tgid, SIGKILL);
	for (int i = 0; i < PROCS; i++)
		if (pool->proc[i].used && !pool->proc[i].dead && pool->proc[i].ns)
			kill(pool->proc[i].tgid, SIGKILL);
	for (int again = 1; again;) {
		again = 0;
		for (int i = 0; i < PROCS; i++)
			if (pool->proc[i].used && !pool->proc[i].dead &&
			    pool->proc[i].parent == PARENT_DRIVER) {
				if (all_died(pool, i, why, sizeof(why)))
					proc_free(pool, i);
				again = 1;
			}
	}
	for (int i = 0; i < PROCS; i++)
		if (pool->proc[i].used)
			proc_free(pool, i);
}
