// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_load.c - whether this machine can have the BPF tracker; getting it into the kernel, and out.
 */
#include <errno.h>
#include <stdarg.h>
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

#include <tracker/bpf_tracker.h>

#define DEFAULT_RING_BYTES (4u << 20)
#define INITIAL_PID_NS 0xeffffffcu /* its inode number, of the kernel's interface since 3.8 */
#define MOVES_SIZE page_align(TRACKER_MAX_MOVES * sizeof(struct move_args))
#define CPUTIMES_SIZE page_align(TRACKER_MAX_CPUTIMES * sizeof(struct cputime_entry))

static size_t page_align(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

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

int bpf_probe(char **why)
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

static void walk_nothing(void *arg, const struct walk_entry *entry)
{
	(void)arg;
	(void)entry;
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
	err = bpf_walk(t, WALK_ADOPT, walk_nothing, NULL);
	if (!err)
		__atomic_store_n(&t->skel->bss->adopted, 1, __ATOMIC_SEQ_CST);
	return err;
}

void bpf_stop(struct tracker *t)
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

int bpf_start(const struct tracker_opts *opts, struct tracker **res, char **why)
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
