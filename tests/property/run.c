// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run.c - one run: a fresh core and model, a sequence of operations, in a process of its own.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "property.h"

const char *const op_names[N_OPS] = {
	[OP_FORK] = "fork",
	[OP_FORK_BEGIN] = "fork-begin",
	[OP_FORK_END] = "fork-end",
	[OP_FORK_UNDO] = "fork-undo",
	[OP_EXIT] = "exit",
	[OP_EXIT_BEGIN] = "exit-begin",
	[OP_EXIT_END] = "exit-end",
	[OP_EXEC] = "exec",
	[OP_SPAWN] = "spawn",
	[OP_SETUID] = "setuid",
	[OP_ATTACH] = "attach",
	[OP_ATTACH_MANY] = "attach-many",
	[OP_ATTACH_PROCESS] = "attach-process",
	[OP_MKDIR] = "mkdir",
	[OP_RMDIR] = "rmdir",
	[OP_RENAME] = "rename",
	[OP_GET] = "get",
	[OP_PUT] = "put",
	[OP_NOTIFY] = "notify",
	[OP_CLONE_CHILDREN] = "clone-children",
	[OP_SET_U] = "set-u",
	[OP_MOUNT] = "mount",
	[OP_UMOUNT] = "umount",
	[OP_REMOUNT] = "remount",
	[OP_REAP] = "reap",
	[OP_DELIVER] = "deliver",
	[OP_CLONE] = "clone",
	[OP_OPEN] = "open",
	[OP_READ] = "read",
	[OP_CLOSE] = "close",
	[OP_SETTLE] = "settle",
	[OP_LOOK] = "look",
	[OP_LOSE] = "lose",
};

/* How often each is done, in shares. */
static const unsigned int weights[N_OPS] = {
	[OP_FORK] = 85,
	[OP_FORK_BEGIN] = 14,
	[OP_FORK_END] = 14,
	[OP_FORK_UNDO] = 3,
	[OP_EXIT] = 60,
	[OP_EXIT_BEGIN] = 14,
	[OP_EXIT_END] = 16,
	[OP_EXEC] = 8,
	[OP_SPAWN] = 10,
	[OP_SETUID] = 6,
	[OP_ATTACH] = 90,
	[OP_ATTACH_MANY] = 25,
	[OP_ATTACH_PROCESS] = 25,
	[OP_MKDIR] = 30,
	[OP_RMDIR] = 25,
	[OP_RENAME] = 8,
	[OP_GET] = 14,
	[OP_PUT] = 14,
	[OP_NOTIFY] = 25,
	[OP_CLONE_CHILDREN] = 5,
	[OP_SET_U] = 6,
	[OP_MOUNT] = 8,
	[OP_UMOUNT] = 7,
	[OP_REMOUNT] = 5,
	[OP_REAP] = 2,
	[OP_DELIVER] = 20,
	[OP_CLONE] = 4,
	[OP_OPEN] = 4,
	[OP_READ] = 6,
	[OP_CLOSE] = 4,
	[OP_SETTLE] = 8,
	[OP_LOOK] = 25,
	[OP_LOSE] = 4,
};

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

void ops_generate(struct op *ops, size_t n, uint64_t seed)
{
	unsigned int sum = 0;

	for (int k = 0; k < N_OPS; k++)
		sum += weights[k];
	for (size_t i = 0; i < n; i++) {
		unsigned int w = (unsigned int)(next_random(&seed) % sum);
		uint64_t a = next_random(&seed), b = next_random(&seed);

		for (ops[i].kind = 0; w >= weights[ops[i].kind]; ops[i].kind++)
			w -= weights[ops[i].kind];
		ops[i].r[0] = (uint32_t)a;
		ops[i].r[1] = (uint32_t)(a >> 32);
		ops[i].r[2] = (uint32_t)b;
		ops[i].r[3] = (uint32_t)(b >> 32);
	}
}

/* ---- within the run's process ---- */

static struct prop_result *shared;

void prop_fail(const struct prop *p, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(shared->message, sizeof(shared->message), "%s: %s",
		 p->op_name ? p->op_name : "at the end", text);
	shared->failed = true;
	prop_say(p, "FAILED: %s", shared->message);
	fflush(stdout);
	_exit(1);
}

void prop_say(const struct prop *p, const char *fmt, ...)
{
	va_list ap;

	if (!p->verbose)
		return;
	printf("# %6zu  ", p->op_number);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void on_pause(struct fake_world *fw)
{
	struct prop *p = fw->hook_arg;

	for (pid_t tid = 1; tid < M_TIDS; tid++)
		if (p->m.tasks[tid].state == M_UNBORN)
			both_fork_end(p, tid);
}

/* The world goes on while the lists are rebuilt. */
static void on_rebuild(struct fake_world *fw, pid_t at)
{
	struct prop *p = fw->hook_arg;
	uint32_t r = fw->n_rebuilds * 2654435761u + (uint32_t)at * 40503u;
	pid_t tid = pick_tid(p, M_ALIVE, r / 16), child = pick_free_tid(p, r / 8);

	if (r % 16 > 2 || !tid || p->m.tasks[tid].fixed || p->target >= 0 || !p->rebuild_left)
		return;
	p->rebuild_left--; /* what is lost by it causes the next rebuild */
	if (r % 16 == 0)
		both_exit(p, tid);
	else if (child)
		both_fork(p, tid, child, r % 16 == 1 ? p->m.tasks[tid].tgid : 0);
}

static void on_release_ready(void *arg, struct hierarchy *h)
{
	struct fake_world *fw = arg;
	struct prop *p = fw->hook_arg;

	for (int i = 0; i < M_HIERARCHIES; i++)
		if (p->m.hierarchies[i].active && p->m.hierarchies[i].h == h)
			p->m.hierarchies[i].ready = true;
}

static void start(struct prop *p, const struct prop_run *run)
{
	m_init(&p->m);
	p->lossy = run->lossy;
	p->verbose = run->verbose;
	p->target = -1;
	p->fw = fw_alloc(4096);
	p->fw->tid_end = M_TIDS;
	p->fw->hook_arg = p;
	p->fw->on_pause = on_pause;
	p->fw->ops.release_ready = on_release_ready;
	if (run->lossy)
		p->fw->on_rebuild = on_rebuild;
	fw_start(p->fw);
	for (int s = 0; s < M_SUBSYS; s++) {
		prop_subsys_init(&p->ss[s], (char)('a' + s));
		EXPECT(p, !core_register_subsys(p->fw->core, &p->ss[s].ss), "register");
	}
}

static void finish(struct prop *p)
{
	p->op_name = NULL;
	fw_finish_all(p->fw);
	for (int i = 0; i < P_FILES; i++) {
		if (p->files[i].file)
			core_file_release(p->files[i].file);
		free(p->files[i].picture);
	}
	fw_free(p->fw);
	for (int s = 0; s < M_SUBSYS; s++)
		EXPECT(p, !p->ss[s].n_css, "%d states were left behind", p->ss[s].n_css);
}

static void do_look(struct prop *p, const struct op *op)
{
	int g = pick_group(p, op->r[0]);

	if (g < 0)
		return;
	prop_say(p, "%s: at group %d", p->op_name, g);
	check_group(p, g);
	p->n_done[op->kind]++;
}

/* From now on some entries of the log get lost, or none any more. */
static void do_lose(struct prop *p, const struct op *op)
{
	static const unsigned int every[] = {0, 0, 1, 2, 3, 7, 13, 40};

	if (!p->lossy)
		return;
	p->fw->fail_every = every[op->r[0] % 8];
	p->fw->ring_size = op->r[1] % 4 ? 0 : op->r[1] / 4 % 8;
	prop_say(p, "%s: every %u, room for %zu", p->op_name, p->fw->fail_every, p->fw->ring_size);
	p->n_done[op->kind]++;
}

void prop_op(struct prop *p, const struct op *op)
{
	p->op_name = op_names[op->kind];
	p->rebuild_left = 3;
	if (op->kind < OP_ATTACH) {
		op_task(p, op);
	} else if (op->kind < OP_MKDIR) {
		op_move(p, op);
	} else if (op->kind == OP_SETTLE) {
		prop_say(p, "%s", p->op_name);
		core_settle(p->fw->core);
		settled(p);
		p->n_done[op->kind]++;
	} else if (op->kind == OP_LOOK) {
		do_look(p, op);
	} else if (op->kind == OP_LOSE) {
		do_lose(p, op);
	} else if (op->kind >= OP_MOUNT && op->kind <= OP_REAP) {
		op_mount(p, op);
	} else {
		op_group(p, op);
	}
}

static void run_here(const struct prop_run *run)
{
	struct prop *p = calloc(1, sizeof(*p));

	if (!p)
		_exit(2);
	start(p, run);
	for (size_t i = 0; i < run->n_ops; i++) {
		p->op_number = shared->n_ops = i;
		prop_op(p, &run->ops[i]);
		if (i % run->full_every == run->full_every - 1)
			check_all(p);
	}
	check_all(p);
	memcpy(shared->n_done, p->n_done, sizeof(p->n_done));
	memcpy(shared->n_refused, p->n_refused, sizeof(p->n_refused));
	shared->n_delivered = p->n_delivered;
	shared->n_races = p->n_races;
	shared->n_rebuilds = p->fw->n_rebuilds;
	shared->n_ops = run->n_ops;
	finish(p);
	free(p);
	exit(0); /* a leak is found here */
}

void prop_run(const struct prop_run *run, struct prop_result *result)
{
	int status = 0;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		abort();
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		abort();
	if (!pid) {
		alarm(120); /* an endless loop is a failure like others */
		run_here(run);
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	if (status && !shared->failed) {
		shared->failed = true;
		snprintf(shared->message, sizeof(shared->message), "%s %d",
			 WIFSIGNALED(status) ? "killed by signal" : "exit status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	*result = *shared;
	munmap(shared, sizeof(*shared));
}
