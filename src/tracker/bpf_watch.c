// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_watch.c - the daemon's side of the watch; bpf_watch.bpf.c explains what is true in the kernel.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <tracker/bpf_watch.h>
#include <tracker/ring.h>
#include <tracker/watch_shared.h>

#include "bpf_watch.skel.h"

struct watch {
	struct bpf_watch *skel;
	struct bpf_program *on_call; /* whichever of the two this kernel takes */
	struct bpf_link *fork, *call;
	struct ring log;
	struct watch_masks *masks;
	unsigned int events;
	int begin_fd, end_fd, mark_fd, done_fd;
};

_Static_assert(sizeof(((struct task_affinity *)0)->now) == sizeof(((struct watch_masks *)0)->now),
	       "the masks of the public header are the programs'");
_Static_assert(WATCH_GIVEN == (int)CGROUP_AFFINITY_GIVEN &&
		       WATCH_GIVEN_BY_OTHER == (int)CGROUP_AFFINITY_GIVEN_BY_OTHER &&
		       WATCH_BORN == (int)CGROUP_AFFINITY_BORN,
	       "the reasons of the public header are the programs'");

/* ---- life ------------------------------------------------------------------------------------- */

static bool kernel_has_function(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

static int configure(struct watch *w, int places_fd)
{
	bool vpid = kernel_has_function("bpf_task_from_vpid");
	int cpus = libbpf_num_possible_cpus();

	if (cpus > TASK_AFFINITY_CPUS)
		return -ENOTSUP;
	w->skel->rodata->mask_words = cpus > 0 ? (uint32_t)(cpus + 63) / 64 : 1;
	w->skel->rodata->daemon_tgid = (uint32_t)getpid();
	bpf_program__set_autoload(w->skel->progs.ucg_watch_call, vpid);
	bpf_program__set_autoload(w->skel->progs.ucg_watch_call_blind, !vpid);
	w->on_call = vpid ? w->skel->progs.ucg_watch_call : w->skel->progs.ucg_watch_call_blind;
	return bpf_map__reuse_fd(w->skel->maps.ucg_places, places_fd) ? -errno : 0;
}

static int map_all(struct watch *w)
{
	int err = ring_map(&w->log, bpf_map__fd(w->skel->maps.ucg_watch_log),
			   bpf_map__max_entries(w->skel->maps.ucg_watch_log));
	void *p;

	if (err)
		return err;
	p = mmap(NULL, sizeof(*w->masks), PROT_READ | PROT_WRITE, MAP_SHARED,
		 bpf_map__fd(w->skel->maps.ucg_watch_masks), 0);
	if (p == MAP_FAILED)
		return -errno;
	w->masks = p;
	return 0;
}

int watch_new(int places_fd, struct watch **res)
{
	struct watch *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (!w)
		return err;
	w->log.fd = -1;
	w->skel = bpf_watch__open();
	if (!w->skel) {
		err = -errno;
		goto fail;
	}
	err = configure(w, places_fd);
	if (!err)
		err = bpf_watch__load(w->skel);
	if (!err)
		err = map_all(w);
	if (err)
		goto fail;
	w->begin_fd = bpf_program__fd(w->skel->progs.ucg_watch_begin);
	w->end_fd = bpf_program__fd(w->skel->progs.ucg_watch_end);
	w->mark_fd = bpf_program__fd(w->skel->progs.ucg_watch_mark);
	w->done_fd = bpf_program__fd(w->skel->progs.ucg_watch_done);
	*res = w;
	return 0;
fail:
	watch_free(w);
	return err;
}

static void detach(struct watch *w)
{
	bpf_link__destroy(w->call);
	bpf_link__destroy(w->fork);
	w->call = w->fork = NULL;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	detach(w);
	ring_unmap(&w->log);
	if (w->masks)
		munmap(w->masks, sizeof(*w->masks));
	bpf_watch__destroy(w->skel);
	free(w);
}

int watch_fd(const struct watch *w)
{
	return w->log.fd;
}

/* ---- wishes ----------------------------------------------------------------------------------- */

static int attach(struct watch *w)
{
	w->fork = bpf_program__attach(w->skel->progs.ucg_watch_fork);
	w->call = w->fork ? bpf_program__attach(w->on_call) : NULL;
	if (!w->call) {
		int err = -errno;

		detach(w);
		return err;
	}
	return 0;
}

int watch_want(struct watch *w, unsigned int events)
{
	unsigned int more = events & ~w->events;
	int err = 0;

	if (events == w->events)
		return 0;
	__atomic_store_n(&w->skel->bss->want_affinity, !!(events & CGROUP_WATCH_AFFINITY),
			 __ATOMIC_SEQ_CST);
	__atomic_store_n(&w->skel->bss->want_namespaces, !!(events & CGROUP_WATCH_NAMESPACES),
			 __ATOMIC_SEQ_CST);
	if (!events)
		detach(w);
	else if (!w->call)
		err = attach(w);
	if (err) {
		w->skel->bss->want_affinity = w->skel->bss->want_namespaces = 0;
		w->events = 0;
		return err;
	}
	w->events = events;
	/*
	 * A fork that is just passing the old list of hooks, or an old wish, is over when this
	 * returns: it waits until every CPU has left what cannot be preempted.
	 */
	if (more)
		syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void take(void *arg, const void *record, uint32_t size)
{
	struct core *core = arg;
	const struct watch_event *e = record;
	pid_t tid = (pid_t)(e->tid_type & ((1u << WATCH_TYPE_SHIFT) - 1));

	(void)size;
	if (e->tid_type >> WATCH_TYPE_SHIFT == WATCH_AFFINITY)
		core_affinity_changed(core, tid, (enum cgroup_affinity_why)e->arg);
	else
		core_namespaces_changed(core, tid, (pid_t)e->arg, e->token);
}

void watch_drain(struct watch *w, struct core *core)
{
	ring_consume(&w->log, ring_end(&w->log), take, core);
	if (__atomic_exchange_n(&w->skel->bss->lost_affinity, 0, __ATOMIC_SEQ_CST))
		core_affinity_changed(core, 0, CGROUP_AFFINITY_GIVEN_BY_OTHER);
	if (__atomic_exchange_n(&w->skel->bss->lost_namespaces, 0, __ATOMIC_SEQ_CST))
		core_namespaces_changed(core, 0, 0, 0);
}

bool watch_has_more(const struct watch *w)
{
	return !ring_is_empty(&w->log);
}

/* ---- asking ----------------------------------------------------------------------------------- */

static int run(int fd, struct watch_args *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(*args));

	return bpf_prog_test_run_opts(fd, &opts) ? -errno : args->err;
}

int watch_affinity_begin(struct watch *w, pid_t tid, struct task_affinity *aff)
{
	struct watch_args args = {.tid = (uint32_t)tid};
	int err = run(w->begin_fd, &args);

	if (err)
		return err;
	memcpy(aff->now, w->masks->now, sizeof(aff->now));
	memcpy(aff->asked, w->masks->asked, sizeof(aff->asked));
	memcpy(aff->user, w->masks->user, sizeof(aff->user));
	aff->has_asked = args.has_asked;
	aff->has_user = args.has_user;
	aff->in_question = args.word & WATCH_UNSETTLED;
	aff->token = args.word;
	return 0;
}

int watch_affinity_end(struct watch *w, pid_t tid, const struct task_affinity *aff)
{
	struct watch_args args = {
		.tid = (uint32_t)tid,
		.word = aff->token,
		.has_asked = aff->has_asked,
	};

	memcpy(w->masks->asked, aff->asked, sizeof(aff->asked));
	return run(w->end_fd, &args);
}

int watch_affinity_mark(struct watch *w, pid_t tid, const struct task_affinity *asked)
{
	struct watch_args args = {.tid = (uint32_t)tid, .with_asked = asked != NULL};

	if (asked) {
		args.has_asked = asked->has_asked;
		memcpy(w->masks->asked, asked->asked, sizeof(asked->asked));
	}
	return run(w->mark_fd, &args);
}

void watch_namespaces_done(struct watch *w, pid_t tid, uint64_t token)
{
	struct watch_args args = {.tid = (uint32_t)tid, .word = token};

	run(w->done_fd, &args);
}
