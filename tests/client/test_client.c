// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libucgroup against a daemon of its own: every function, batches of the sizes they are made for,
 * and one connection used by many threads. Needs root and the kernel.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <ucgroup/ucgroup.h>

#define N_DIRS 10000
#define N_TASKS 1000
#define N_THREADS 8
#define N_ROUNDS 300

static char instance[32];
static struct ucgroup *c;
static int mount_fd = -1;

/* ---- set-up ------------------------------------------------------------------------------------ */

static int start(void **state)
{
	const char *build = getenv("UCGROUP_BUILD");
	char command[4200];

	(void)state;
	if (geteuid() != 0 || !build) {
		fprintf(stderr, "this test must run as root, with UCGROUP_BUILD set\n");
		return -1;
	}
	snprintf(instance, sizeof(instance), "client-%d", getpid());
	snprintf(command, sizeof(command), "'%s/ucgroupd' --instance %s", build, instance);
	if (system(command) || ucgroup_connect(instance, &c, NULL))
		return -1;
	/* As long as the descriptor is open the hierarchy is there, without being mounted anywhere. */
	return ucgroup_mount(c, "none,name=jobs", "test", 0, &mount_fd, NULL);
}

static int stop(void **state)
{
	int rc;

	(void)state;
	if (!c)
		return 0;
	close(mount_fd);
	rc = ucgroup_shutdown(c, NULL);
	ucgroup_close(c);
	return rc;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		/* Also when a check failed and nobody ends it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static size_t count(const char *dir, unsigned int flags)
{
	pid_t *pids;
	size_t n;

	assert_int_equal(ucgroup_list(c, dir, flags, &pids, &n), 0);
	free(pids);
	return n;
}

/* ---- directories ------------------------------------------------------------------------------ */

static char **make_names(size_t n)
{
	char **names = calloc(n, sizeof(*names));
	size_t i;

	assert_non_null(names);
	for (i = 0; i < n; i++)
		assert_true(asprintf(&names[i], "group-%zu", i) > 0);
	return names;
}

static void free_names(char **names, size_t n)
{
	while (n)
		free(names[--n]);
	free(names);
}

static void test_many_dirs(void **state)
{
	char **names = make_names(N_DIRS);
	const char *const *paths = (const char *const *)names;
	int *errors = calloc(N_DIRS, sizeof(*errors));
	double t = seconds();
	size_t i;

	(void)state;
	assert_non_null(errors);
	assert_int_equal(ucgroup_mkdir(c, "jobs:/many", 0755), 0);
	assert_int_equal(ucgroup_mkdir_many(c, "jobs:/many", paths, N_DIRS, 0700, errors), 0);
	for (i = 0; i < N_DIRS; i++)
		assert_int_equal(errors[i], 0);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/many"), -EBUSY);
	/* Again: each fails by itself. */
	assert_int_equal(ucgroup_mkdir_many(c, "jobs:/many", paths, N_DIRS, 0700, errors), -EEXIST);
	assert_int_equal(errors[N_DIRS - 1], -EEXIST);
	assert_int_equal(ucgroup_rmdir_many(c, "jobs:/many", paths, N_DIRS, errors), 0);
	assert_int_equal(ucgroup_rmdir_many(c, "jobs:/many", paths, N_DIRS, NULL), -ENOENT);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/many"), 0);
	assert_int_equal(ucgroup_mkdir_many(c, "jobs:/many", paths, 2, 0700, errors), -ENOENT);
	assert_int_equal(errors[1], -ENOENT);
	print_message("# %d mkdirs and %d rmdirs in one call each, twice: %.3f s\n", N_DIRS, N_DIRS,
		      seconds() - t);
	free(errors);
	free_names(names, N_DIRS);
}

static void test_dir_names(void **state)
{
	static const char *const mixed[] = {"x", "x/y", "x/y/z",  "new\nline",
					    "x", "..",	"x/../y", "n/o"};
	static const int expected[] = {0, 0, 0, -EINVAL, -EEXIST, -EINVAL, -EINVAL, -ENOENT};
	static const char *const back[] = {"x/y/z", "x/y", "x"};
	char name[300], path[320];
	int errors[8];
	struct stat st;
	size_t i;

	(void)state;
	assert_int_equal(ucgroup_mkdir_many(c, "jobs:/", mixed, 8, 0755, errors), -EINVAL);
	for (i = 0; i < 8; i++)
		assert_int_equal(errors[i], expected[i]);
	/* By a path of the file system: the mount is reached through its descriptor. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/x/y/z", mount_fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(count(path, 0), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/x/w/", mount_fd);
	assert_int_equal(ucgroup_mkdir(c, path, 0711), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(ucgroup_rmdir(c, path), 0);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(ucgroup_rmdir_many(c, "jobs:/", back, 3, NULL), 0);

	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	snprintf(path, sizeof(path), "jobs:/%s", name);
	assert_int_equal(ucgroup_mkdir(c, path, 0755), -ENAMETOOLONG);
	path[strlen(path) - 1] = '\0';
	assert_int_equal(ucgroup_mkdir(c, path, 0755), 0);
	assert_int_equal(ucgroup_rmdir(c, path), 0);

	assert_int_equal(ucgroup_mkdir(c, "nowhere:/a", 0755), -ENODEV);
	assert_int_equal(ucgroup_mkdir(c, "/tmp/a", 0755), -EXDEV);
	assert_int_equal(ucgroup_mkdir(c, "", 0755), -ENOENT);
	assert_int_equal(ucgroup_mkdir(c, "jobs:/", 0755), -EEXIST);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/"), -EBUSY);
}

/* ---- tasks ------------------------------------------------------------------------------------ */

static void test_many_moves(void **state)
{
	pid_t *pids = calloc(N_TASKS + 1, sizeof(*pids)), *listed;
	int *errors = calloc(N_TASKS + 1, sizeof(*errors));
	size_t i, n;
	double t;

	(void)state;
	assert_true(pids && errors);
	for (i = 0; i < N_TASKS; i++)
		pids[i] = sleeper();
	assert_int_equal(ucgroup_mkdir(c, "jobs:/a", 0755), 0);
	assert_int_equal(ucgroup_mkdir(c, "jobs:/a/b", 0755), 0);
	t = seconds();
	assert_int_equal(ucgroup_move_many(c, "jobs:/a", pids, N_TASKS, 0, errors), 0);
	t = seconds() - t;
	print_message("# %d moves in one call: %.3f s\n", N_TASKS, t);
	assert_int_equal(ucgroup_list(c, "jobs:/a", 0, &listed, &n), 0);
	assert_int_equal(n, N_TASKS);
	for (i = 1; i < n; i++)
		assert_true(listed[i - 1] < listed[i]);
	free(listed);
	/* One of them is no process: the others move all the same. */
	pids[N_TASKS] = 4194303;
	assert_int_equal(
		ucgroup_move_many(c, "jobs:/a/b", pids, N_TASKS + 1, UCGROUP_THREADS, errors),
		-ESRCH);
	assert_int_equal(errors[0], 0);
	assert_int_equal(errors[N_TASKS], -ESRCH);
	assert_int_equal(count("jobs:/a", UCGROUP_THREADS), 0);
	assert_int_equal(count("jobs:/a/b", UCGROUP_THREADS), N_TASKS);
	assert_int_equal(count("jobs:/a", UCGROUP_RECURSIVE), N_TASKS);
	assert_int_equal(ucgroup_move(c, "jobs:/a", -1, 0), -EINVAL);
	for (i = 0; i < N_TASKS; i++)
		end(pids[i]);
	assert_int_equal(count("jobs:/a", UCGROUP_RECURSIVE), 0);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/a/b"), 0);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/a"), 0);
	free(pids);
	free(errors);
}

static void *move_myself(void *arg)
{
	pid_t *tid = arg;

	*tid = gettid();
	if (ucgroup_move(c, "jobs:/self", 0, UCGROUP_THREADS))
		*tid = -1;
	else if (count("jobs:/self", UCGROUP_THREADS) != 1)
		*tid = -2;
	return NULL;
}

static void test_moving_oneself(void **state)
{
	pthread_t thread;
	pid_t tid;

	(void)state;
	assert_int_equal(ucgroup_mkdir(c, "jobs:/self", 0755), 0);
	assert_int_equal(pthread_create(&thread, NULL, move_myself, &tid), 0);
	pthread_join(thread, NULL);
	assert_true(tid > 0);
	assert_int_equal(ucgroup_move(c, "jobs:/self", 0, 0), 0);
	assert_int_equal(count("jobs:/self", 0), 1);
	assert_int_equal(ucgroup_move(c, "jobs:/", 0, 0), 0);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/self"), 0);
}

/* In the child: what is not right, or 0. */
static int enter_in_child(void)
{
	struct ucgroup *own;
	pid_t *pids;
	size_t n;

	/* A connection is of the process that made it. */
	if (ucgroup_sync(c) != -EBADF)
		return 1;
	if (ucgroup_connect(instance, &own, NULL) ||
	    ucgroup_enter(own, "jobs:/entered", 0755, UCGROUP_NOTIFY) ||
	    ucgroup_enter(own, "jobs:/entered", 0755, 0))
		return 2;
	if (ucgroup_list(own, "jobs:/entered", 0, &pids, &n) || n != 1 || pids[0] != getpid())
		return 3;
	free(pids);
	ucgroup_close(own);
	return 0;
}

static void test_enter(void **state)
{
	struct ucgroup_settings s;
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(enter_in_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(ucgroup_get_settings(c, "jobs:/entered", &s), 0);
	assert_int_equal(s.notify_on_release, 1);
	free(s.release_agent);
	assert_int_equal(count("jobs:/entered", 0), 0);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/entered"), 0);
	assert_int_equal(ucgroup_enter(c, "jobs:/no/such", 0755, 0), -ENOENT);
}

/* ---- releases --------------------------------------------------------------------------------- */

static void test_settings(void **state)
{
	struct ucgroup_settings s;

	(void)state;
	assert_int_equal(ucgroup_mkdir(c, "jobs:/s", 0755), 0);
	assert_int_equal(ucgroup_get_settings(c, "jobs:/s", &s), 0);
	assert_int_equal(s.notify_on_release, 0);
	assert_string_equal(s.release_agent, "");
	free(s.release_agent);
	assert_int_equal(ucgroup_set_notify(c, "jobs:/s", 5), 0);
	assert_int_equal(ucgroup_set_release_agent(c, "jobs:/s", "relative"), -EINVAL);
	assert_int_equal(ucgroup_set_release_agent(c, "jobs:/s", "/bin/true"), 0);
	assert_int_equal(ucgroup_get_settings(c, "jobs:/s", &s), 0);
	assert_int_equal(s.notify_on_release, 1);
	assert_string_equal(s.release_agent, "/bin/true");
	free(s.release_agent);
	assert_int_equal(ucgroup_set_release_agent(c, "jobs:/", ""), 0);
	assert_int_equal(ucgroup_get_settings(c, "jobs:/none", &s), -ENOENT);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/s"), 0);
}

static void *wait_for_it(void *arg)
{
	*(int *)arg = ucgroup_wait_idle(c, "jobs:/w", -1);
	return NULL;
}

static void test_wait(void **state)
{
	pthread_t thread;
	pid_t pid = sleeper();
	double t;
	int rc = 1;

	(void)state;
	assert_int_equal(ucgroup_mkdir(c, "jobs:/w", 0755), 0);
	assert_int_equal(ucgroup_wait_idle(c, "jobs:/w", 0), 0);
	assert_int_equal(ucgroup_move(c, "jobs:/w", pid, 0), 0);
	t = seconds();
	assert_int_equal(ucgroup_wait_idle(c, "jobs:/w", 100), -ETIMEDOUT);
	t = seconds() - t;
	assert_true(t > 0.09);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &rc), 0);
	/* The connection can be used while another thread waits on it. */
	assert_int_equal(count("jobs:/w", 0), 1);
	usleep(50000);
	assert_int_equal(rc, 1);
	end(pid);
	pthread_join(thread, NULL);
	assert_int_equal(rc, 0);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/w"), 0);
	assert_int_equal(ucgroup_wait_idle(c, "jobs:/w", -1), -ENOENT);
}

static void test_watch(void **state)
{
	struct ucgroup_watch *w;
	struct ucgroup_event ev;
	char dir[32], path[32];
	pid_t pid;
	int i;

	(void)state;
	assert_int_equal(ucgroup_watch_open(c, "jobs:/none", &w), -ENOENT);
	assert_int_equal(ucgroup_mkdir(c, "jobs:/v", 0755), 0);
	assert_int_equal(ucgroup_watch_open(c, "jobs:/v", &w), 0);
	assert_int_equal(ucgroup_watch_next(w, 10, &ev), -EAGAIN);
	for (i = 0; i < 20; i++) {
		snprintf(dir, sizeof(dir), "jobs:/v/%d", i);
		assert_int_equal(ucgroup_mkdir(c, dir, 0755), 0);
		assert_int_equal(ucgroup_set_notify(c, dir, 1), 0);
		pid = sleeper();
		assert_int_equal(ucgroup_move(c, dir, pid, 0), 0);
		end(pid);
	}
	for (i = 0; i < 20; i++) {
		assert_int_equal(ucgroup_watch_next(w, 60000, &ev), 0);
		assert_int_equal(ev.type, UCGROUP_RELEASE);
		snprintf(path, sizeof(path), "/v/%d", i);
		assert_string_equal(ev.path, path);
		assert_string_equal(ev.hierarchy, "jobs");
		assert_string_equal(ev.agent, "");
		assert_true(ev.time_ns > 1600000000ull * 1000000000);
		snprintf(dir, sizeof(dir), "jobs:%s", path);
		assert_int_equal(ucgroup_rmdir(c, dir), 0);
	}
	assert_int_equal(ucgroup_watch_next(w, 10, &ev), -EAGAIN);
	ucgroup_watch_close(w);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/v"), 0);
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void *hammer(void *arg)
{
	long id = (long)arg;
	char dir[64];
	size_t n;
	pid_t *pids;
	int i;

	for (i = 0; i < N_ROUNDS; i++) {
		snprintf(dir, sizeof(dir), "jobs:/t%ld-%d", id, i);
		if (ucgroup_mkdir(c, dir, 0755) || ucgroup_list(c, dir, 0, &pids, &n))
			return (void *)1;
		free(pids);
		if (n || ucgroup_mkdir(c, dir, 0755) != -EEXIST || ucgroup_rmdir(c, dir))
			return (void *)2;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[N_THREADS];
	void *result;
	long i;

	(void)state;
	for (i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, (void *)i), 0);
	for (i = 0; i < N_THREADS; i++) {
		pthread_join(threads[i], &result);
		assert_null(result);
	}
}

static void test_queries(void **state)
{
	char *json;

	(void)state;
	assert_int_equal(ucgroup_mkdir(c, "jobs:/q", 0755), 0);
	assert_int_equal(ucgroup_query(c, UCGROUP_TREE, "jobs:/", &json), 0);
	assert_non_null(strstr(json, "\"path\":\"/q\""));
	free(json);
	assert_int_equal(ucgroup_query(c, UCGROUP_HIERARCHIES, NULL, &json), 0);
	assert_non_null(strstr(json, "\"name\":\"jobs\""));
	free(json);
	assert_int_equal(ucgroup_query(c, UCGROUP_STATS, NULL, &json), 0);
	assert_non_null(strstr(json, instance));
	free(json);
	assert_int_equal(ucgroup_query(c, UCGROUP_TREE, "jobs:/none", &json), -ENOENT);
	assert_int_equal(ucgroup_query(c, UCGROUP_TREE, NULL, &json), -EINVAL);
	assert_int_equal(ucgroup_query(c, (enum ucgroup_query)99, NULL, &json), -EINVAL);
	assert_int_equal(ucgroup_rmdir(c, "jobs:/q"), 0);
}

static void test_mounts(void **state)
{
	char *what, *json, dir[64];
	int fd;

	(void)state;
	assert_int_equal(ucgroup_mount(c, "none,name=brief", "test", 0, &fd, &what), 0);
	assert_null(what);
	assert_int_equal(ucgroup_mkdir(c, "brief:/a", 0755), 0);
	assert_int_equal(ucgroup_rmdir(c, "brief:/a"), 0);
	snprintf(dir, sizeof(dir), "/proc/self/fd/%d", fd);
	assert_int_equal(ucgroup_remount(c, dir, "none,name=other", &what), -EINVAL);
	free(what);
	assert_int_equal(ucgroup_remount(c, dir, "none,name=brief,release_agent=/x", &what), 0);
	/* Never attached and closed: it is as if it had been unmounted. */
	close(fd);
	assert_int_equal(ucgroup_sync(c), 0);
	assert_int_equal(ucgroup_mkdir(c, "brief:/a", 0755), -ENODEV);
	assert_int_equal(ucgroup_mount(c, "frobnicate", "test", 0, &fd, &what), -ENOENT);
	assert_non_null(strstr(what, "frobnicate"));
	free(what);
	assert_int_equal(ucgroup_query(c, UCGROUP_HIERARCHIES, NULL, &json), 0);
	assert_null(strstr(json, "brief"));
	free(json);
}

static void test_connecting(void **state)
{
	struct ucgroup *other;
	char *what;

	(void)state;
	assert_string_equal(ucgroup_instance(c), instance);
	assert_int_equal(ucgroup_connect("no-such-instance", &other, &what), -ENOENT);
	assert_int_equal(ucgroup_connect("a/b", &other, NULL), -EINVAL);
	assert_int_equal(ucgroup_connect("..", &other, NULL), -EINVAL);
	setenv("UCGROUP_INSTANCE", instance, 1);
	assert_int_equal(ucgroup_connect(NULL, &other, NULL), 0);
	assert_string_equal(ucgroup_instance(other), instance);
	ucgroup_close(other);
	ucgroup_close(NULL);
}

/* The last one: the daemon is gone after it. */
static void test_the_end(void **state)
{
	struct ucgroup *other;

	(void)state;
	assert_int_equal(ucgroup_connect(instance, &other, NULL), 0);
	close(mount_fd);
	assert_int_equal(ucgroup_shutdown(other, NULL), 0);
	ucgroup_close(other);
	assert_int_equal(ucgroup_sync(c), -ECONNRESET);
	assert_int_equal(ucgroup_sync(c), -ECONNRESET);
	ucgroup_close(c);
	c = NULL;
	assert_int_equal(ucgroup_connect(instance, &other, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connecting),     cmocka_unit_test(test_many_dirs),
		cmocka_unit_test(test_dir_names),      cmocka_unit_test(test_many_moves),
		cmocka_unit_test(test_moving_oneself), cmocka_unit_test(test_enter),
		cmocka_unit_test(test_settings),       cmocka_unit_test(test_wait),
		cmocka_unit_test(test_watch),	       cmocka_unit_test(test_threads),
		cmocka_unit_test(test_queries),	       cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_the_end),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
