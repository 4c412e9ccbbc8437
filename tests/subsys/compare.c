// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset-compare UDIR KDIR SEED N: N random operations, each made on cpusets below UDIR, a mounted
 * ucgroup hierarchy, and on the like below KDIR, the kernel's cpuset hierarchy, each with tasks of its
 * own. After every one the results, every file of every cpuset and every task's affinity are
 * compared. What is meant to differ is in the comments that begin with "Meant:". The same SEED does
 * the same again. Writes TAP.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "tap.h"

enum side { U, K };

#define PATH_SIZE 8300
#define N_PUPPETS 3
#define N_LAST 24

/* Where cpusets may be, below one that is ours alone and stands for the root. */
static const char *const places[] = {"a", "b", "c", "a/d", "a/e", "b/f", "a/d/g"};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

static const char *const flag_files[] = {
	"cpuset.cpu_exclusive",	     "cpuset.mem_exclusive",	  "cpuset.mem_hardwall",
	"cpuset.memory_migrate",     "cpuset.sched_load_balance", "cpuset.memory_spread_page",
	"cpuset.memory_spread_slab", "cgroup.clone_children",
};
#define N_FLAG_FILES (sizeof(flag_files) / sizeof(flag_files[0]))

/* In the order in which they are compared. */
static const char *const all_files[] = {
	"cpuset.cpus",
	"cpuset.mems",
	"cpuset.effective_cpus",
	"cpuset.effective_mems",
	"cpuset.cpu_exclusive",
	"cpuset.mem_exclusive",
	"cpuset.mem_hardwall",
	"cpuset.memory_migrate",
	"cpuset.memory_pressure",
	"cpuset.sched_load_balance",
	"cpuset.sched_relax_domain_level",
	"cpuset.memory_spread_page",
	"cpuset.memory_spread_slab",
	"cgroup.clone_children",
	"notify_on_release",
};
#define N_ALL_FILES (sizeof(all_files) / sizeof(all_files[0]))

static const char *top[2]; /* by side */
static char base[2][4096]; /* the one that is ours alone */
static pid_t puppets[2][N_PUPPETS];
static char last[N_LAST][160]; /* what was done last, for a report */
static unsigned int n_done;
static unsigned int n_results[256]; /* by errno */
static uint64_t rng;

static unsigned int roll(unsigned int n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned int)(rng >> 33) % n;
}

#define PICK(list) ((list)[roll(sizeof(list) / sizeof((list)[0]))])

/*
 * Meant, and so not among the texts below:
 *  - a NUL in a text: ucgroup takes the whole input, the kernel what comes before it;
 *  - white space around a number: the kernel takes a newline at its end alone;
 *  - sched_relax_domain_level from 2 to 5: the kernel takes as much as the machine's scheduling domains
 *    go deep, ucgroup takes them all;
 *  - texts of 4096 bytes or more: E2BIG, the kernel's limit grows with its number of CPUs.
 * memory_pressure_enabled, which only the root has, is the whole system's in the kernel: left alone.
 */

/* ---- texts ------------------------------------------------------------------------------------ */

static const char *const good_lists[] = {"",	"\n",  "0",   "1",     "0-1",
					 "0,1", "1,0", " 0 ", "0-1\n", "all"};

static const char *const odd_lists[] = {
	"0 1",
	"0\t1",
	"0,,1",
	",0",
	"0,",
	"1-0",
	"2",
	"0-2",
	"5000",
	"4294967295",
	"4294967296",
	"99999999999999999999999",
	"x",
	"0x1",
	"-1",
	"0-",
	"0--1",
	"ALL",
	"all:1/2",
	"N",
	"0-N",
	"N-N",
	"0-1:1/2",
	"0-1:2/1",
	"0-1:0/1",
	"0-1:1/0",
	"0-1:1",
	"0-1:1/2,",
	"0-1:1/2x",
	"0\n1",
	"0;1",
	"0-1-1",
	"00",
	"01",
	"+1",
	"allx",
	"all-1",
	"all,0",
	"N,0",
	"0:1/2",
	"al",
	"Nx",
	"0-1:1/4294967296",
};

static const char *const flag_texts[] = {"0",  "1", "1", "0",  "2\n", "1\n", "0x1",
					 "00", "x", "",	 "-1", "1 1", "\n",  "18446744073709551616",
					 "1x"};

static const char *const relax_texts[] = {
	"-1", "0", "1", "-2", "6", "x", "\n", "99999999999", "99999999999999999999"};

/* ---- doing the same twice ---------------------------------------------------------------------- */

static void did(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void did(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last[n_done++ % N_LAST], sizeof(last[0]), fmt, ap);
	va_end(ap);
}

/* The last operations, the newest at the end; then gives up. */
static void differs(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void differs(const char *fmt, ...)
{
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	tap_result(false, "operation %u: %s", n_done, what);
	for (unsigned int i = n_done > N_LAST ? n_done - N_LAST : 0; i < n_done; i++)
		tap_note("%u: %s", i + 1, last[i % N_LAST]);
	exit(tap_end());
}

static const char *name_of(int err)
{
	return err ? strerrorname_np(-err) : "0";
}

static char *path_of(enum side side, const char *place, char *buf)
{
	snprintf(buf, PATH_SIZE, "%s%s%s", base[side], *place ? "/" : "", place);
	return buf;
}

static bool exists(const char *place)
{
	char path[PATH_SIZE];

	return !access(path_of(U, place, path), F_OK);
}

/* With newlines and the like written out. */
static const char *readable(const char *text, char *buf, size_t size)
{
	size_t len = 0;

	for (; *text && len + 5 < size; text++)
		len += (size_t)snprintf(buf + len, size - len, *text < ' ' ? "\\%03o" : "%c",
					(unsigned char)*text);
	buf[len] = '\0';
	return buf;
}

static void compare_results(int u, int k, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void compare_results(int u, int k, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	n_results[-k]++;
	if (u == k)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	differs("%s: %s, the kernel says %s", what, name_of(u), name_of(k));
}

static void write_both(const char *place, const char *file, const char *text)
{
	char path[PATH_SIZE], shown[64];
	int u, k;

	readable(text, shown, sizeof(shown));
	did("%s/%s < \"%s\"", place, file, shown);
	u = write_file(path_of(U, place, path), file, text);
	k = write_file(path_of(K, place, path), file, text);
	compare_results(u, k, "%s/%s < \"%s\"", place, file, shown);
}

/*
 * Meant: the kernel has CPU time reserved for deadline tasks, and at times (EBUSY) does not let an
 * exclusive cpuset's last CPU go because of that. What ucgroup let go is put back.
 */
static void write_cpus_both(const char *place, const char *text)
{
	char dir[PATH_SIZE], path[PATH_SIZE], before[4096], after[4096], exclusive[16], shown[64];
	int u, k;

	path_of(U, place, dir);
	read_file(dir, "cpuset.cpus", before, sizeof(before));
	did("%s/cpuset.cpus < \"%s\"", place, readable(text, shown, sizeof(shown)));
	k = write_file(path_of(K, place, path), "cpuset.cpus", text);
	u = write_file(dir, "cpuset.cpus", text);
	read_file(dir, "cpuset.cpus", after, sizeof(after));
	read_file(dir, "cpuset.cpu_exclusive", exclusive, sizeof(exclusive));
	if (k == -EBUSY && !u && *exclusive == '1' && *after == '\n')
		must_write(dir, "cpuset.cpus", before);
	else
		compare_results(u, k, "%s/cpuset.cpus < \"%s\"", place, shown);
}

static void mkdir_both(const char *place)
{
	char path[PATH_SIZE];
	int u, k;

	did("mkdir %s", place);
	u = mkdir(path_of(U, place, path), 0755) ? -errno : 0;
	k = mkdir(path_of(K, place, path), 0755) ? -errno : 0;
	compare_results(u, k, "mkdir %s", place);
}

static void rmdir_both(const char *place)
{
	char path[PATH_SIZE];
	int u, k;

	did("rmdir %s", place);
	u = rmdir(path_of(U, place, path)) ? -errno : 0;
	k = rmdir(path_of(K, place, path)) ? -errno : 0;
	compare_results(u, k, "rmdir %s", place);
}

static void move_both(const char *place, int puppet)
{
	const char *file = roll(2) ? "tasks" : "cgroup.procs";
	char path[PATH_SIZE];
	int u, k;

	did("task %d to %s/%s", puppet, place, file);
	u = write_number(path_of(U, place, path), file, puppets[U][puppet]);
	k = write_number(path_of(K, place, path), file, puppets[K][puppet]);
	compare_results(u, k, "task %d to %s", puppet, place);
}

/*
 * Meant: the kernel refuses (EINVAL) an affinity of which the cpuset leaves nothing, and the task's wish stays
 * what it was. Nobody can refuse it from user space: ucgroup takes it for a wish that has nothing to it
 * now. So only what the kernel takes is done to both.
 */
static void ask_both(int puppet, uint64_t mask)
{
	int u, k = set_affinity(puppets[K][puppet], mask);

	did("task %d asks for %#lx", puppet, (unsigned long)mask);
	if (k == -EINVAL)
		return;
	u = set_affinity(puppets[U][puppet], mask);
	compare_results(u, k, "task %d asks for %#lx", puppet, (unsigned long)mask);
}

/* ---- comparing -------------------------------------------------------------------------------- */

static void compare_files(const char *place)
{
	char path[PATH_SIZE], text[2][4096];

	for (size_t i = 0; i < N_ALL_FILES; i++) {
		ssize_t u = read_file(path_of(U, place, path), all_files[i], text[U], 4096);
		ssize_t k = read_file(path_of(K, place, path), all_files[i], text[K], 4096);

		if (u != k || strcmp(text[U], text[K]))
			differs("%s/%s: \"%s\" (%zd), the kernel's: \"%s\" (%zd)", place,
				all_files[i], text[U], u, text[K], k);
	}
}

static int count_lines(const char *dir, const char *file)
{
	char text[4096];
	int n = 0;

	if (read_file(dir, file, text, sizeof(text)) < 0)
		return -1;
	for (const char *p = text; *p; p++)
		n += *p == '\n';
	return n;
}

static void compare_members(const char *place)
{
	static const char *const files[] = {"tasks", "cgroup.procs"};
	char path[PATH_SIZE];

	for (int i = 0; i < 2; i++) {
		int u = count_lines(path_of(U, place, path), files[i]);
		int k = count_lines(path_of(K, place, path), files[i]);

		if (u != k)
			differs("%s/%s: %d of them, %d in the kernel's", place, files[i], u, k);
	}
}

static void compare_tasks(void)
{
	for (int i = 0; i < N_PUPPETS; i++) {
		uint64_t u = affinity_of(puppets[U][i]), k = affinity_of(puppets[K][i]);

		if (u != k)
			differs("task %d has affinity %#lx, the kernel's %#lx", i, (unsigned long)u,
				(unsigned long)k);
	}
}

static void compare_all(void)
{
	compare_files("");
	compare_members("");
	for (size_t i = 0; i < N_PLACES; i++) {
		if (!exists(places[i]))
			continue;
		compare_files(places[i]);
		compare_members(places[i]);
	}
	/* After the reads: an event of an affinity may have been on its way. */
	compare_tasks();
}

/* Meant: files that only one of them has. */
static bool intended_file(const char *name)
{
	return !strcmp(name, "releasable") ||	      /* ucgroup shows v0's mark */
	       !strcmp(name, "cgroup.sane_behavior"); /* a leftover of the kernel's */
}

static void compare_listing(const char *from, const char *in)
{
	DIR *dir = opendir(from);
	struct dirent *e;
	char path[PATH_SIZE];
	struct stat st, other;

	while (dir && (e = readdir(dir))) {
		if (e->d_type == DT_DIR || intended_file(e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", in, e->d_name);
		if (stat(path, &other) || fstatat(dirfd(dir), e->d_name, &st, 0) ||
		    st.st_mode != other.st_mode)
			differs("%s/%s: not the same file in %s", from, e->d_name, in);
	}
	if (dir)
		closedir(dir);
}

/* ---- one operation ---------------------------------------------------------------------------- */

static const char *some_place(void)
{
	for (int i = 0; i < 8; i++) {
		const char *place = PICK(places);

		if (exists(place))
			return place;
	}
	return "";
}

static void write_list(const char *place)
{
	const char *text = roll(4) ? PICK(good_lists) : PICK(odd_lists);

	/* The outermost one is mostly whole, so that there is something to be had. */
	if (!*place && roll(8))
		text = "0-1";
	write_cpus_both(place, text);
}

static void do_one(void)
{
	static const uint64_t wishes[] = {1, 2, 3, 3, ~0ull};
	const char *place = some_place();

	switch (roll(16)) {
	case 0:
	case 1:
		mkdir_both(PICK(places));
		break;
	case 2:
		rmdir_both(PICK(places));
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		write_list(place);
		break;
	case 7:
	case 8:
		write_both(place, "cpuset.mems", roll(3) ? "0" : PICK(odd_lists));
		break;
	case 9:
	case 10:
		write_both(place, PICK(flag_files), PICK(flag_texts));
		break;
	case 11:
		write_both(place, "cpuset.sched_relax_domain_level", PICK(relax_texts));
		break;
	case 12:
		ask_both((int)roll(N_PUPPETS), PICK(wishes));
		break;
	default:
		move_both(place, (int)roll(N_PUPPETS));
		break;
	}
}

/* ---- setting up ------------------------------------------------------------------------------- */

static pid_t make_puppet(void)
{
	pid_t pid = fork();

	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* False: somebody else's exclusive cpuset has the CPUs or the memory. */
static bool fill(const char *from, const char *to, const char *file)
{
	char text[4096];
	int err;

	if (read_file(from, file, text, sizeof(text)) < 0)
		tap_bail("%s/%s cannot be read", from, file);
	err = write_file(to, file, text);
	if (err && err != -EINVAL)
		tap_bail("%s/%s: %s", to, file, strerror(-err));
	return !err;
}

static bool set_up(void)
{
	bool filled = true;

	for (int side = U; side <= K; side++) {
		snprintf(base[side], sizeof(base[side]), "%s/ucgroup-compare-%d", top[side],
			 (int)getpid());
		if (mkdir(base[side], 0755))
			tap_bail("mkdir %s: %s", base[side], strerror(errno));
		filled &= fill(top[side], base[side], "cpuset.cpus");
		filled &= fill(top[side], base[side], "cpuset.mems");
		for (int i = 0; i < N_PUPPETS; i++)
			puppets[side][i] = make_puppet();
	}
	if (!filled)
		return false;
	/* Other cpusets beside ours may be in the way; then it is done without. */
	if (!write_file(base[K], "cpuset.cpu_exclusive", "1"))
		must_write(base[U], "cpuset.cpu_exclusive", "1");
	if (!write_file(base[K], "cpuset.mem_exclusive", "1"))
		must_write(base[U], "cpuset.mem_exclusive", "1");
	return true;
}

/* Also when the test gives up: the kernel's hierarchy is not ours. */
static void tear_down(void)
{
	char path[PATH_SIZE];

	for (int side = U; side <= K; side++) {
		for (int i = 0; i < N_PUPPETS; i++) {
			if (!puppets[side][i])
				continue;
			kill(puppets[side][i], SIGKILL);
			waitpid(puppets[side][i], NULL, 0);
			puppets[side][i] = 0;
		}
		for (size_t i = N_PLACES; i-- > 0;)
			rmdir(path_of((enum side)side, places[i], path));
		for (int i = 0; i < PATIENCE_MS / 10 && rmdir(base[side]) && errno == EBUSY; i++)
			sleep_ms(10);
	}
}

int main(int argc, char **argv)
{
	unsigned int n;

	if (argc != 5)
		tap_bail("usage: cpuset-compare UDIR KDIR SEED N");
	top[U] = argv[1];
	top[K] = argv[2];
	rng = strtoull(argv[3], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
	n = (unsigned int)strtoul(argv[4], NULL, 10);
	atexit(tear_down);
	if (!set_up()) {
		tap_skip("an exclusive cpuset of the kernel's has the CPUs",
			 "compared with the kernel's cpusets");
		return tap_end();
	}
	compare_listing(base[K], base[U]);
	compare_listing(base[U], base[K]);
	compare_listing(top[K], top[U]);
	compare_listing(top[U], top[K]);
	tap_result(true, "both have the same files, with the same modes");
	while (n_done < n) {
		do_one();
		compare_all();
	}
	tap_result(true, "%u operations with the same results, files and affinities", n);
	for (int err = 0; err < 256; err++)
		if (n_results[err])
			tap_note("%u times %s", n_results[err], name_of(-err));
	return tap_end();
}
