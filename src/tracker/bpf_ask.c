// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_ask.c - asking the kernel about tasks, and having them moved: programs that are run for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include <tracker/bpf_tracker.h>

static struct core_place to_core_place(uint64_t place)
{
	return (struct core_place){.cset = PLACE_ID(place), .gen = PLACE_GEN(place)};
}

static int run(int fd, void *args, size_t size)
{
	/* A "syscall" program answers in its context. */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = (__u32)size);

	return bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
}

/* As if the task that is looked at were still being born. In no order, or some would never be. */
static bool seems_unborn(struct tracker *t)
{
	return t->unborn && (++t->n_looks * 2654435761u >> 7) % t->unborn;
}

uint64_t bpf_cset_count(struct tracker *t, uint32_t cset)
{
	return cset < t->max_csets ? __atomic_load_n(&t->counts[cset], __ATOMIC_ACQUIRE) : 0;
}

int bpf_task_info(struct tracker *t, pid_t tid, struct core_task_info *info)
{
	struct info_args args = {.tid = (uint32_t)tid};
	int err;

	if (tid <= 0 || tid >= TRACKER_MAX_TID)
		return -ESRCH;
	err = run(t->info_fd, &args, sizeof(args));
	if (err)
		return err;
	if (args.err)
		return args.err;
	*info = (struct core_task_info){
		.tgid = (pid_t)args.tgid,
		.process_key = args.process_key,
		.place = to_core_place(args.place),
		.uid = args.uid,
		.suid = args.suid,
		.leader_uid = args.leader_uid,
		.leader_suid = args.leader_suid,
		.fixed = args.fixed,
	};
	if (seems_unborn(t))
		info->place = (struct core_place){0};
	return 0;
}

/* The program looks again, so it does not matter that the task may have gone meanwhile. */
bool bpf_task_place(struct tracker *t, pid_t tid, struct core_place *place, pid_t *tgid)
{
	uint64_t seen;

	if (tid <= 0 || tid >= TRACKER_MAX_TID || seems_unborn(t))
		return false;
	seen = __atomic_load_n(&t->places[tid], __ATOMIC_RELAXED);
	*place = to_core_place(seen);
	*tgid = (pid_t)PLACE_TGID(seen);
	return PLACE_ID(seen) != PLACE_NONE;
}

static struct move_args to_move_args(const struct core_move *move)
{
	return (struct move_args){
		.tid = (uint32_t)move->tid,
		.from_id = move->from.cset,
		.from_gen = move->from.gen,
		.to = move->to,
	};
}

/* With an argument of its own a program is run a little sooner than through the map. */
static void move_one(struct tracker *t, struct core_move *move)
{
	struct move_args args = to_move_args(move);
	int err = run(t->move_fd, &args, sizeof(args));

	move->err = err ? err : args.err;
}

static void move_some(struct tracker *t, struct core_move *moves, uint32_t n)
{
	struct moves_args args = {.n = n};
	int err;

	for (uint32_t i = 0; i < n; i++) {
		t->move_args[i] = to_move_args(&moves[i]);
		t->move_args[i].err = -EAGAIN;
	}
	err = run(t->moves_fd, &args, sizeof(args));
	for (uint32_t i = 0; i < n; i++)
		moves[i].err = err ? err : t->move_args[i].err;
}

void bpf_move(struct tracker *t, struct core_move *moves, size_t n)
{
	if (n == 1) {
		move_one(t, moves);
		return;
	}
	for (size_t i = 0; i < n; i += TRACKER_MAX_MOVES)
		move_some(t, moves + i,
			  (uint32_t)(n - i < TRACKER_MAX_MOVES ? n - i : TRACKER_MAX_MOVES));
}

int bpf_threads(struct tracker *t, struct core_process process, struct core_thread **threads,
		size_t *n)
{
	struct threads_args args = {.tgid = (uint32_t)process.tgid, .process_key = process.key};
	struct core_thread *v;
	int err = run(t->threads_fd, &args, sizeof(args));

	if (err || args.err)
		return err ? err : args.err;
	v = malloc(args.n * sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < args.n; i++) {
		v[i].tid = (pid_t)t->threads[i].tid;
		v[i].place = to_core_place(t->threads[i].place);
	}
	if (seems_unborn(t))
		v[0].place = (struct core_place){0};
	*threads = v;
	*n = args.n;
	return 0;
}

void bpf_finish_exec(struct tracker *t, pid_t tid)
{
	struct exec_args args = {.tgid = (uint32_t)tid};

	run(t->exec_fd, &args, sizeof(args));
}

int bpf_cputimes(struct tracker *t, const pid_t *tids, size_t n, struct cgroup_cputime *times)
{
	while (n) {
		struct cputimes_args args = {.n = n < TRACKER_MAX_CPUTIMES ? (uint32_t)n :
									     TRACKER_MAX_CPUTIMES};
		int err;

		for (uint32_t i = 0; i < args.n; i++)
			t->cputimes[i].tid = (uint32_t)tids[i];
		err = run(t->cputimes_fd, &args, sizeof(args));
		if (err)
			return err;
		for (uint32_t i = 0; i < args.n; i++) {
			const struct cputime_entry *e = &t->cputimes[i];

			times[i] = (struct cgroup_cputime){.runtime_ns = e->runtime_ns,
							   .user_ns = e->user_ns,
							   .system_ns = e->system_ns,
							   .alive = e->key != 0};
		}
		n -= args.n;
		tids += args.n;
		times += args.n;
	}
	return 0;
}

void bpf_tell_cputime(struct core *core, const struct cputime_entry *e)
{
	const struct cgroup_cputime time = {
		.runtime_ns = e->runtime_ns, .user_ns = e->user_ns, .system_ns = e->system_ns};

	core_task_cputime(core, (pid_t)e->tid, e->key, &time, e->final);
}

void bpf_reap(struct tracker *t)
{
	struct cputimes_args args = {0};

	if (t->n_reaped || run(t->reap_fd, &args, sizeof(args)))
		return;
	memcpy(t->reaped, t->cputimes, args.n * sizeof(*t->reaped));
	t->n_reaped = args.n;
}

void bpf_tell_reaped(struct tracker *t)
{
	for (uint32_t i = 0; i < t->n_reaped; i++)
		bpf_tell_cputime(t->core, &t->reaped[i]);
	t->n_reaped = 0;
}
