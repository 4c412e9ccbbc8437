// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * slow_forks.c - a fork that takes as long as the test wants, while its maker is moved about.
 *
 * clone3() writes the child's pidfd to memory in the middle of its work: when the child has got its
 * maker's affinity and nobody can have heard of it yet. That memory is a page that userfaultfd(2)
 * keeps away until the test gives it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "puppets.h"
#include "slow_forks.h"
#include "tap.h"

/* Between the test and the maker. */
struct shared {
	int faults; /* the maker's descriptor; -1: this machine does not let it */
	uint64_t hole;
	int ready, go;
	pid_t child;
};
static volatile struct shared *shared;

/* The maker's memory that is not there. 0: there is no such thing on this machine. */
static uint64_t make_hole(int *faults)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	struct uffdio_api api = {.api = UFFD_API};

	*faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	reg.range.start = (uintptr_t)page;
	reg.range.len = 4096;
	if (*faults < 0 || page == MAP_FAILED || ioctl(*faults, UFFDIO_API, &api) ||
	    ioctl(*faults, UFFDIO_REGISTER, &reg))
		return 0;
	return (uintptr_t)page;
}

static void be_maker(uint64_t wish)
{
	struct clone_args args = {.flags = CLONE_PIDFD | CLONE_PARENT, .exit_signal = 0};
	int faults;
	long pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	args.pidfd = shared->hole = make_hole(&faults);
	shared->faults = faults;
	if (wish)
		set_affinity(0, wish);
	shared->ready = 1;
	while (!shared->go)
		sleep_ms(1);
	pid = shared->hole ? syscall(SYS_clone3, &args, sizeof(args)) : -1;
	if (pid)
		shared->child = (pid_t)pid;
	for (;;)
		pause();
}

static pid_t start_maker(uint64_t wish)
{
	pid_t pid;

	memset((void *)shared, 0, sizeof(*shared));
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (!pid)
		be_maker(wish);
	for (int i = 0; i < PATIENCE_MS && !shared->ready; i++)
		sleep_ms(1);
	return pid;
}

/* Its descriptor of faults, once it is in the middle of its fork. -1: never. */
static int await_middle(pid_t maker)
{
	int pidfd = (int)syscall(SYS_pidfd_open, maker, 0);
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, shared->faults, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct uffd_msg msg;

	close(pidfd);
	shared->go = 1;
	if (fd >= 0 && poll(&p, 1, PATIENCE_MS) == 1 && read(fd, &msg, sizeof(msg)) == sizeof(msg))
		return fd;
	close(fd);
	return -1;
}

static pid_t let_go_on(int faults)
{
	struct uffdio_zeropage zero = {.range = {.start = shared->hole, .len = 4096}};

	if (ioctl(faults, UFFDIO_ZEROPAGE, &zero))
		tap_bail("UFFDIO_ZEROPAGE: %s", strerror(errno));
	close(faults);
	for (int i = 0; i < PATIENCE_MS && !shared->child; i++)
		sleep_ms(1);
	return shared->child;
}

/* In time; the last look counts. */
static bool has(pid_t pid, uint64_t mask)
{
	look_at_ucgroup();
	return affinity_of(pid) == mask;
}

struct place {
	const char *dir;
	uint64_t mask;
};

static uint64_t due(const struct place *at, uint64_t wish)
{
	uint64_t both = wish ? at->mask & wish : at->mask;

	return both ? both : at->mask;
}

/*
 * A fork that begins at ROUTE[0] and ends at ROUTE[2], where its maker has been for REST_MS by then.
 * 0: as it should; 1: not; -1: cannot be done.
 */
static int one_fork(const struct place *const route[3], uint64_t wish, unsigned int rest_ms)
{
	const struct place *end_of_route = route[2];
	pid_t maker = start_maker(wish), child;
	int faults, wrong;

	if (!shared->hole) {
		end(maker);
		return -1;
	}
	must_enter(route[0]->dir, "tasks", maker);
	faults = await_middle(maker);
	if (faults < 0)
		tap_bail("a fork did not stop in its middle");
	must_enter(route[1]->dir, "tasks", maker);
	must_enter(route[2]->dir, "tasks", maker);
	sleep_ms(rest_ms);
	child = let_go_on(faults);
	if (child <= 0)
		tap_bail("a fork failed");
	wrong = !has(child, due(end_of_route, wish));
	if (wrong)
		tap_note("from %s over %s, wish %#lx: affinity %#lx, should be %#lx", route[0]->dir,
			 route[1]->dir, (unsigned long)wish, (unsigned long)affinity_of(child),
			 (unsigned long)due(end_of_route, wish));
	end(child);
	end(maker);
	return wrong;
}

void test_slow_forks(void)
{
	const struct place places[] = {{top, mask_all}, {dir_x, mask_a}, {dir_y, mask_b}};
	const uint64_t wishes[] = {0, mask_b};
	int n = 0, bad = 0, res;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 2 * 27; i++) {
		const struct place *const route[] = {&places[i / 2 % 3], &places[i / 6 % 3],
						     &places[i / 18]};

		/* Once, nobody is left in any cpuset for some time. */
		res = one_fork(route, wishes[i % 2], i == 2 ? 2000 : 0);
		if (res < 0) {
			tap_skip("userfaultfd does not work here", "forks that take long");
			return;
		}
		n++;
		bad += res;
	}
	tap_result(!bad, "%d forks over which the maker was moved twice (%d with wrong CPUs)", n,
		   bad);
}
