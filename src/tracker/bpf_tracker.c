// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_tracker.c - the daemon's side of the BPF tracker: loading, reading the log, asking.
 *
 * The kernel's side, bpf_tracker.bpf.c, explains what is true there. Here the one rule is that a
 * replay reads the log as far as it went when the replay began, waiting for those who have reserved
 * a slot and not yet filled it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <tracker/bpf_numbers.h>
#include <tracker/bpf_shared.h>
#include <tracker/bpf_watch.h>
#include <tracker/ring.h>
#include <tracker/tracker.h>

#include "bpf_tracker.skel.h"

#define DEFAULT_RING_BYTES (4u << 20)
#define MANY_BYTES (64 * RING_RECORD(sizeof(struct event)))
#define INITIAL_PID_NS 0xeffffffcu /* its inode number, of the kernel's interface since 3.8 */
#define MOVES_SIZE page_align(TRACKER_MAX_MOVES * sizeof(struct move_args))
#define CPUTIMES_SIZE page_align(TRACKER_MAX_CPUTIMES * sizeof(struct cputime_entry))

struct tracker {
	struct bpf_tracker *skel;
	struct bpf_link *walk;
	struct core *core;
	struct ring log, bell;
	bool many; /* being read: worth looking ahead */
	int epoll_fd;
	uint64_t *places, *counts;
	size_t counts_size;
	struct thread_entry *threads;
	uint32_t max_csets;
	struct cputime_entry *cputimes;
	struct move_args *move_args;
	int move_fd, moves_fd, info_fd, threads_fd, exec_fd, cputimes_fd, reap_fd;
	uint64_t rebuilds;
	uint32_t unborn, n_looks; /* see struct tracker_opts */
	struct watch *watch;	  /* NULL until somebody wants to know */
	struct numbers *numbers;
};

static void bpf_reap(struct tracker *t);

static size_t page_align(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

/* ---- the log ----------------------------------------------------------------------------------- */

static void fold(struct core *core, const struct event *e)
{
	pid_t tid = (pid_t)(e->tid_type & ((1u << EVENT_TYPE_SHIFT) - 1));

	switch (e->tid_type >> EVENT_TYPE_SHIFT) {
	case EVENT_BORN:
		core_task_born(core, tid, (pid_t)e->tgid, e->a);
		break;
	case EVENT_MOVED:
		core_task_moved(core, tid, (pid_t)e->tgid, e->a, e->b);
		break;
	case EVENT_DIED:
		core_task_dying(core, e->tgid | (uint64_t)e->b << 32);
		core_task_died(core, tid, e->a);
		break;
	case EVENT_RETID:
		core_task_retid(core, tid, (pid_t)e->tgid, e->a);
		break;
	default:
		break;
	}
}

static void tell_cputime(struct core *core, const struct cputime_entry *e)
{
	const struct cgroup_cputime time = {
		.runtime_ns = e->runtime_ns, .user_ns = e->user_ns, .system_ns = e->system_ns};

	core_task_cputime(core, (pid_t)e->tid, e->key, &time, e->final);
}

/*
 * The log is read at such distances as if all its records were events, in the order of the ring; where
 * one is not, or is not there yet, what is named is nobody or somebody else, which does no harm.
 */
static void hint(const struct tracker *t, const void *record)
{
	for (unsigned int step = 0; step < CORE_HINTS; step++) {
		const volatile struct event *e =
			(const void *)((const uint8_t *)record +
				       CORE_HINT_AHEAD(step) * RING_RECORD(sizeof(struct event)));

		core_task_hint(t->core, step, (pid_t)(e->tid_type & (TRACKER_MAX_TID - 1)), e->a);
	}
}

static void take_record(void *arg, const void *record, uint32_t size)
{
	struct tracker *t = arg;

	if (t->many)
		hint(t, record);
	if (size == sizeof(struct cputime_entry))
		tell_cputime(t->core, record);
	else
		fold(t->core, record);
}

/* Folds the log up to END. */
static void consume(struct tracker *t, unsigned long end)
{
	t->many = end - *t->log.consumer > MANY_BYTES;
	ring_consume(&t->log, end, take_record, t);
}

/* ---- walks ------------------------------------------------------------------------------------ */

static int walk(struct tracker *t, enum walk_mode mode,
		void (*fn)(void *arg, const struct walk_entry *entry), void *arg)
{
	struct walk_entry entries[1024];
	uint8_t *buf = (uint8_t *)entries;
	size_t have = 0;
	ssize_t n;
	int fd, err = 0;

	t->skel->bss->walk_mode = mode;
	fd = bpf_iter_create(bpf_link__fd(t->walk));
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + have, sizeof(entries) - have)) != 0) {
		size_t whole;

		if (n < 0) {
			if (errno == EAGAIN || errno == EINTR)
				continue;
			err = -errno;
			break;
		}
		have += (size_t)n;
		whole = have / sizeof(entries[0]);
		for (size_t i = 0; i < whole; i++)
			fn(arg, &entries[i]);
		have -= whole * sizeof(entries[0]);
		memmove(buf, buf + whole * sizeof(entries[0]), have);
	}
	close(fd);
	return err;
}

static void walk_nothing(void *arg, const struct walk_entry *entry)
{
	(void)arg;
	(void)entry;
}

struct initial_arg {
	void (*fn)(void *arg, pid_t tid, pid_t tgid);
	void *arg;
};

static void walk_initial(void *arg, const struct walk_entry *entry)
{
	struct initial_arg *a = arg;

	a->fn(a->arg, (pid_t)entry->tid, (pid_t)entry->tgid);
}

static int bpf_each_initial(struct tracker *t, void (*fn)(void *arg, pid_t tid, pid_t tgid),
			    void *arg)
{
	struct initial_arg a = {.fn = fn, .arg = arg};

	return walk(t, WALK_INITIAL, walk_initial, &a);
}

/* ---- replay ----------------------------------------------------------------------------------- */

/* Every place outside the initial css_set, as it is at the moment it is read. */
static void read_places(struct tracker *t)
{
	uint32_t end = __atomic_load_n(&t->skel->bss->max_tid, __ATOMIC_ACQUIRE);

	for (uint32_t tid = 1; tid <= end; tid++) {
		uint64_t place = __atomic_load_n(&t->places[tid], __ATOMIC_ACQUIRE);

		if (PLACE_ID(place) > PLACE_INITIAL)
			core_rebuild_task(t->core, (pid_t)tid, (pid_t)PLACE_TGID(place),
					  PLACE_ID(place));
	}
}

/*
 * Invariant 6. What was logged before the loss is folded first, the kernel's truth is laid over it,
 * and what was logged meanwhile is folded on top: it may repeat what the table has said, but a
 * task's last event is right. If more was lost meanwhile, it is done again.
 */
static void rebuild(struct tracker *t)
{
	do {
		__atomic_store_n(&t->skel->bss->lost, 0, __ATOMIC_SEQ_CST);
		t->rebuilds++;
		core_events_lost(t->core);
		consume(t, ring_end(&t->log));
		core_rebuild_begin(t->core);
		read_places(t);
		consume(t, ring_end(&t->log));
		core_rebuild_end(t->core);
	} while (__atomic_load_n(&t->skel->bss->lost, __ATOMIC_SEQ_CST));
}

static void bpf_replay(struct tracker *t)
{
	unsigned long end;

	/* Both before the end of the log is read: who rings or wakes later is read later. */
	ring_silence(&t->bell);
	__atomic_store_n(&t->skel->bss->wake_pending, 0, __ATOMIC_SEQ_CST);
	end = ring_end(&t->log);
	if (t->watch)
		watch_drain(t->watch, t->core);
	/*
	 * After it: an event that would make no sense without a lost one was logged after `lost`
	 * was set, so the part of the log that may hold it is not folded as if all were well.
	 */
	if (__atomic_load_n(&t->skel->bss->lost, __ATOMIC_SEQ_CST)) {
		rebuild(t);
		return;
	}
	consume(t, end);
	if (__atomic_load_n(&t->skel->bss->n_dying, __ATOMIC_RELAXED) >= TRACKER_MAX_DYING / 2)
		bpf_reap(t);
}

/*
 * A forced wake-up is forgotten when a replay empties the log before the daemon sleeps, and with it
 * the hook that has seen wake_pending set and relied on it. So the flag is cleared for the last
 * time here, and the log looked at after that.
 */
static bool bpf_may_sleep(struct tracker *t)
{
	__atomic_store_n(&t->skel->bss->wake_pending, 0, __ATOMIC_SEQ_CST);
	return ring_is_empty(&t->log) && ring_is_empty(&t->bell) &&
	       !__atomic_load_n(&t->skel->bss->lost, __ATOMIC_SEQ_CST) &&
	       !(t->watch && watch_has_more(t->watch));
}

/* ---- asking ----------------------------------------------------------------------------------- */

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

static uint64_t bpf_cset_count(struct tracker *t, uint32_t cset)
{
	return cset < t->max_csets ? __atomic_load_n(&t->counts[cset], __ATOMIC_ACQUIRE) : 0;
}

static int bpf_task_info(struct tracker *t, pid_t tid, struct core_task_info *info)
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
static bool bpf_task_place(struct tracker *t, pid_t tid, struct core_place *place, pid_t *tgid)
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

static void bpf_move(struct tracker *t, struct core_move *moves, size_t n)
{
	if (n == 1) {
		move_one(t, moves);
		return;
	}
	for (size_t i = 0; i < n; i += TRACKER_MAX_MOVES)
		move_some(t, moves + i,
			  (uint32_t)(n - i < TRACKER_MAX_MOVES ? n - i : TRACKER_MAX_MOVES));
}

static int bpf_threads(struct tracker *t, struct core_process process, struct core_thread **threads,
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

static void bpf_finish_exec(struct tracker *t, pid_t tid)
{
	struct exec_args args = {.tgid = (uint32_t)tid};

	run(t->exec_fd, &args, sizeof(args));
}

static void bpf_want_events(struct tracker *t, bool fork, bool exit)
{
	t->skel->bss->want_fork = fork;
	t->skel->bss->want_exit = exit;
}

static int bpf_cputimes(struct tracker *t, const pid_t *tids, size_t n,
			struct cgroup_cputime *times)
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

static void bpf_reap(struct tracker *t)
{
	struct cputimes_args args = {0};

	if (run(t->reap_fd, &args, sizeof(args)))
		return;
	for (uint32_t i = 0; i < args.n; i++)
		tell_cputime(t->core, &t->cputimes[i]);
}

static void bpf_want_cputime(struct tracker *t, bool want)
{
	t->skel->bss->want_cputime = want;
}

/* ---- watching --------------------------------------------------------------------------------- */

static int bpf_watch_events(struct tracker *t, unsigned int events)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int err;

	if (!t->watch) {
		if (!events)
			return 0;
		err = watch_new(bpf_map__fd(t->skel->maps.ucg_places), &t->watch);
		if (err)
			return err;
		if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, watch_fd(t->watch), &ev)) {
			err = -errno;
			watch_free(t->watch);
			t->watch = NULL;
			return err;
		}
	}
	return watch_want(t->watch, events);
}

static int bpf_affinity_begin(struct tracker *t, pid_t tid, struct task_affinity *aff)
{
	return t->watch ? watch_affinity_begin(t->watch, tid, aff) : -ENOTSUP;
}

static int bpf_affinity_end(struct tracker *t, pid_t tid, const struct task_affinity *aff)
{
	return t->watch ? watch_affinity_end(t->watch, tid, aff) : -ENOTSUP;
}

static int bpf_affinity_mark(struct tracker *t, pid_t tid, const struct task_affinity *asked)
{
	return t->watch ? watch_affinity_mark(t->watch, tid, asked) : -ENOTSUP;
}

static void bpf_namespaces_done(struct tracker *t, pid_t tid, uint64_t token)
{
	if (t->watch)
		watch_namespaces_done(t->watch, tid, token);
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static uint32_t bpf_pid_ns(struct tracker *t, pid_t task)
{
	if (task <= 0 || task >= TRACKER_MAX_TID)
		return 0;
	return numbers_pid_ns(t->numbers, task,
			      __atomic_load_n(&t->places[task], __ATOMIC_RELAXED));
}

static int bpf_to_ns(struct tracker *t, pid_t reader, pid_t *tids, size_t n)
{
	return numbers_to_ns(t->numbers, reader, tids, n);
}

static pid_t bpf_from_ns(struct tracker *t, pid_t writer, pid_t nr)
{
	return numbers_from_ns(t->numbers, writer, nr);
}

static void bpf_stats(struct tracker *t, struct tracker_stats *stats)
{
	stats->lost = __atomic_load_n(&t->skel->bss->n_lost, __ATOMIC_RELAXED);
	stats->rebuilds = t->rebuilds;
	stats->ring_used = ring_end(&t->log) - *t->log.consumer;
	stats->wakeups = __atomic_load_n(&t->skel->bss->n_woken, __ATOMIC_RELAXED);
}

/* ---- life ------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void say(char **why, const char *fmt, ...)
{
	va_list ap;

	if (!why)
		return;
	va_start(ap, fmt);
	if (vasprintf(why, fmt, ap) < 0)
		*why = NULL;
	va_end(ap);
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static int bpf_probe(char **why)
{
	struct utsname u;
	unsigned int major = 0, minor = 0;
	struct stat st;

	if (geteuid() != 0) {
		say(why, "the BPF tracker needs root; this is uid %d", (int)geteuid());
		return -EPERM;
	}
	if (!uname(&u) && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	    (major < 6 || (major == 6 && minor < 2))) {
		say(why, "the BPF tracker needs Linux 6.2 or newer; this is %s", u.release);
		return -ENOTSUP;
	}
	/* What FUSE and sockets say of a client are numbers of our namespace, the hooks' are global. */
	if (!stat("/proc/self/ns/pid", &st) && st.st_ino != INITIAL_PID_NS) {
		say(why, "the BPF tracker must run in the initial pid namespace, not in a "
			 "container's: start ucgroupd on the host, or the container with the "
			 "host's (docker run --pid=host)");
		return -ENOTSUP;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		say(why, "the BPF tracker needs the kernel's type information, "
			 "/sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF), which is not there");
		return -ENOTSUP;
	}
	return 0;
}

static bool kernel_has_func(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

/* The sizes are the map's own; the programs are checked against them when loaded. */
static int configure(struct tracker *t, const struct tracker_opts *opts)
{
	uint32_t ring = opts->ring_bytes ? opts->ring_bytes : DEFAULT_RING_BYTES;

	t->max_csets = opts->max_csets ? opts->max_csets : TRACKER_MAX_CSETS;
	if (t->max_csets < 2 || t->max_csets > TRACKER_MAX_CSETS)
		return -EINVAL;
	if (ring & (ring - 1) || ring < (uint32_t)sysconf(_SC_PAGESIZE))
		return -EINVAL;
	t->log.size = ring;
	t->skel->rodata->wake_bytes = ring / 4;
	t->skel->rodata->fail_every = opts->fail_every;
	t->skel->rodata->may_pin = kernel_has_func("bpf_preempt_disable");
	bpf_program__set_autoattach(t->skel->progs.ucg_walk_tasks, false);
	if (bpf_map__set_max_entries(t->skel->maps.ucg_log, ring))
		return -EINVAL;
	return bpf_map__set_max_entries(t->skel->maps.ucg_counts, t->max_csets) ? -EINVAL : 0;
}

static void *map_array(struct bpf_map *map, size_t size, int prot)
{
	void *p = mmap(NULL, size, prot, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static int map_all(struct tracker *t)
{
	int err = ring_map(&t->log, bpf_map__fd(t->skel->maps.ucg_log), t->log.size);

	if (!err)
		err = ring_map(&t->bell, bpf_map__fd(t->skel->maps.ucg_bell), 4096);
	if (err)
		return err;
	t->places =
		map_array(t->skel->maps.ucg_places, TRACKER_MAX_TID * sizeof(uint64_t), PROT_READ);
	t->counts_size = page_align(t->max_csets * sizeof(uint64_t));
	t->counts = map_array(t->skel->maps.ucg_counts, t->counts_size, PROT_READ);
	t->threads = map_array(t->skel->maps.ucg_threads,
			       page_align(TRACKER_MAX_THREADS * sizeof(struct thread_entry)),
			       PROT_READ);
	t->cputimes = map_array(t->skel->maps.ucg_cputimes, CPUTIMES_SIZE, PROT_READ | PROT_WRITE);
	t->move_args = map_array(t->skel->maps.ucg_move_args, MOVES_SIZE, PROT_READ | PROT_WRITE);
	return t->places && t->counts && t->threads && t->cputimes && t->move_args ? 0 : -ENOMEM;
}

static int start_numbers(struct tracker *t)
{
	const struct numbers_fds fds = {
		.map = bpf_map__fd(t->skel->maps.ucg_numbers),
		.pid_ns = bpf_program__fd(t->skel->progs.ucg_pid_ns),
		.to_ns = bpf_program__fd(t->skel->progs.ucg_to_ns),
		.from_ns = bpf_program__fd(t->skel->progs.ucg_from_ns),
	};

	return numbers_new(&fds, &t->numbers);
}

static int watch(struct tracker *t, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/*
 * In this order: deaths are seen before births are, births before the tasks that are there already
 * are adopted. So who is adopted is alive, and who is born meanwhile is known.
 */
static int attach(struct tracker *t)
{
	int err;

	t->skel->links.ucg_exit = bpf_program__attach(t->skel->progs.ucg_exit);
	t->skel->links.ucg_exec = bpf_program__attach(t->skel->progs.ucg_exec);
	t->skel->links.ucg_fork = bpf_program__attach(t->skel->progs.ucg_fork);
	t->walk = bpf_program__attach_iter(t->skel->progs.ucg_walk_tasks, NULL);
	if (!t->skel->links.ucg_exit || !t->skel->links.ucg_exec || !t->skel->links.ucg_fork ||
	    !t->walk)
		return -errno;
	err = walk(t, WALK_ADOPT, walk_nothing, NULL);
	if (!err)
		__atomic_store_n(&t->skel->bss->adopted, 1, __ATOMIC_SEQ_CST);
	return err;
}

static void bpf_stop(struct tracker *t)
{
	if (!t)
		return;
	watch_free(t->watch);
	numbers_free(t->numbers);
	if (t->epoll_fd >= 0)
		close(t->epoll_fd);
	if (t->places)
		munmap(t->places, TRACKER_MAX_TID * sizeof(uint64_t));
	if (t->counts)
		munmap(t->counts, t->counts_size);
	if (t->move_args)
		munmap(t->move_args, MOVES_SIZE);
	if (t->cputimes)
		munmap(t->cputimes, CPUTIMES_SIZE);
	if (t->threads)
		munmap(t->threads, page_align(TRACKER_MAX_THREADS * sizeof(struct thread_entry)));
	ring_unmap(&t->log);
	ring_unmap(&t->bell);
	bpf_link__destroy(t->walk);
	bpf_tracker__destroy(t->skel);
	free(t);
}

static int bpf_start(const struct tracker_opts *opts, struct tracker **res, char **why)
{
	struct tracker *t;
	int err = bpf_probe(why);

	if (err)
		return err;
	libbpf_set_print(quiet);
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->epoll_fd = -1;
	t->unborn = opts->unborn;
	t->skel = bpf_tracker__open();
	if (!t->skel) {
		err = -errno;
		say(why, "the BPF programs do not open: %s", strerror(-err));
		goto fail;
	}
	err = configure(t, opts);
	if (err) {
		say(why,
		    "the tracker's limits are unfit: the log has a power of two of bytes, at "
		    "least a page; there are 2 to %u css_sets",
		    TRACKER_MAX_CSETS);
		goto fail;
	}
	err = bpf_tracker__load(t->skel);
	if (err) {
		say(why, "the kernel refuses the BPF programs: %s", strerror(-err));
		goto fail;
	}
	t->move_fd = bpf_program__fd(t->skel->progs.ucg_move);
	t->moves_fd = bpf_program__fd(t->skel->progs.ucg_moves);
	t->info_fd = bpf_program__fd(t->skel->progs.ucg_info);
	t->threads_fd = bpf_program__fd(t->skel->progs.ucg_walk_threads);
	t->exec_fd = bpf_program__fd(t->skel->progs.ucg_finish_exec);
	t->cputimes_fd = bpf_program__fd(t->skel->progs.ucg_read_cputimes);
	t->reap_fd = bpf_program__fd(t->skel->progs.ucg_reap);
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = t->epoll_fd < 0 ? -errno : map_all(t);
	if (!err)
		err = start_numbers(t);
	if (!err)
		err = watch(t, t->log.fd);
	if (!err)
		err = watch(t, t->bell.fd);
	if (!err)
		err = attach(t);
	if (err) {
		say(why, "the BPF programs cannot be attached: %s", strerror(-err));
		goto fail;
	}
	*res = t;
	return 0;
fail:
	bpf_stop(t);
	return err;
}

static int bpf_fd(struct tracker *t)
{
	return t->epoll_fd;
}

static void bpf_set_core(struct tracker *t, struct core *core)
{
	t->core = core;
}

const struct tracker_ops bpf_tracker = {
	.name = "bpf",
	.probe = bpf_probe,
	.start = bpf_start,
	.stop = bpf_stop,
	.fd = bpf_fd,
	.set_core = bpf_set_core,
	.replay = bpf_replay,
	.may_sleep = bpf_may_sleep,
	.cset_count = bpf_cset_count,
	.task_info = bpf_task_info,
	.task_place = bpf_task_place,
	.move = bpf_move,
	.threads = bpf_threads,
	.finish_exec = bpf_finish_exec,
	.each_initial = bpf_each_initial,
	.want_events = bpf_want_events,
	.cputimes = bpf_cputimes,
	.reap = bpf_reap,
	.want_cputime = bpf_want_cputime,
	.watch = bpf_watch_events,
	.affinity_begin = bpf_affinity_begin,
	.affinity_end = bpf_affinity_end,
	.affinity_mark = bpf_affinity_mark,
	.namespaces_done = bpf_namespaces_done,
	.pid_ns = bpf_pid_ns,
	.to_ns = bpf_to_ns,
	.from_ns = bpf_from_ns,
	.stats = bpf_stats,
};
