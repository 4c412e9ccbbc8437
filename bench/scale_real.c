// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-scale-real DIR DAEMON-PID [GROUPS TASKS]: the daemon, the kernel and a mount (on DIR) with as
 * much as this machine carries: 200,000 groups and 30,000 live tasks. Each step is checked, and what it
 * took is printed.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ucgroup/ucgroup.h>

#define LABEL "bench"
#define A_DIR 1000	/* groups in one directory */
#define OCCUPIED 1000	/* groups that have tasks */
#define PATIENCE_S 60.0 /* for what happens by itself */

struct scale {
	struct ucgroup *c;
	const char *dir;
	pid_t daemon;
	size_t n_groups, n_tasks;
	pid_t *tasks;
	double began;
};

static _Noreturn void die(const char *fmt, ...)
{
	va_list ap;

	fputs("bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void must(int rc, const char *what)
{
	if (rc)
		die("%s: %s", what, strerror(-rc));
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void begin(struct scale *s)
{
	s->began = now();
}

/* What has happened since begin(), N times. */
static void end(const struct scale *s, const char *what, size_t n)
{
	double took = now() - s->began;

	printf("%-58s %8zu %9.1f ms %9.2f µs each\n", what, n, took * 1e3, took * 1e6 / (double)n);
	fflush(stdout);
}

static long daemon_kb(const struct scale *s)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)s->daemon);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "RssAnon: %ld", &kb) != 1)
		;
	if (f)
		fclose(f);
	return kb;
}

/* ---- groups --------------------------------------------------------------------------------- */

/* Directory D and the A_DIR groups in it, or the other way round when they go. */
static void names_of(size_t d, char (*names)[32], const char **paths)
{
	snprintf(names[0], sizeof(names[0]), "d%zu", d);
	paths[0] = names[0];
	for (size_t i = 1; i <= A_DIR; i++) {
		snprintf(names[i], sizeof(names[i]), "d%zu/group-%zu", d, i - 1);
		paths[i] = names[i];
	}
}

static void make_groups(struct scale *s)
{
	static char names[A_DIR + 1][32];
	const char *paths[A_DIR + 1];
	size_t n_dirs = s->n_groups / A_DIR;
	long before = daemon_kb(s);

	for (size_t d = 0; d < n_dirs; d++) {
		if (d == 0 || d == n_dirs - 10)
			begin(s);
		names_of(d, names, paths);
		must(ucgroup_mkdir_many(s->c, LABEL ":/", paths, A_DIR + 1, 0755, NULL),
		     "making groups");
		if (d == 9)
			end(s, "make groups, 1,000 a call: the first", (d + 1) * A_DIR);
	}
	end(s, "- the last", 10 * A_DIR);
	printf("%-58s %8zu %9ld bytes each\n", "memory of the daemon for empty groups", s->n_groups,
	       (daemon_kb(s) - before) * 1024 / (long)s->n_groups);
}

static size_t count_dirs(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;
	struct dirent *e;

	if (!dir)
		die("%s: %s", path, strerror(errno));
	while ((e = readdir(dir))) {
		char below[4096];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		n++;
		if (strncmp(e->d_name, "d", 1))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		n += count_dirs(below);
	}
	closedir(dir);
	return n;
}

static void remove_groups(struct scale *s)
{
	static char names[A_DIR + 1][32];
	const char *paths[A_DIR + 2];
	size_t n_dirs = s->n_groups / A_DIR;

	begin(s);
	for (size_t d = 0; d < n_dirs; d++) {
		names_of(d, names, paths);
		paths[A_DIR + 1] = paths[0];
		/* Those that had tasks have gone by themselves. */
		ucgroup_rmdir_many(s->c, LABEL ":/", paths + 1, A_DIR + 1, NULL);
	}
	end(s, "remove the groups, 1,000 a call", s->n_groups);
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static pid_t make_task(void)
{
	pid_t maker = getpid(), pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != maker)
		_exit(1);
	for (;;)
		pause();
}

/* We go from group to group and leave children in each. */
static void make_tasks(struct scale *s)
{
	size_t a_group = s->n_tasks / OCCUPIED, made = 0;
	long before = daemon_kb(s);
	char dir[64];

	for (size_t g = 0; g < OCCUPIED; g++) {
		if (g == 0 || g == OCCUPIED - OCCUPIED / 10)
			begin(s);
		snprintf(dir, sizeof(dir), LABEL ":/d%zu/group-%zu", g % (s->n_groups / A_DIR), g);
		must(ucgroup_set_notify(s->c, dir, 1), dir);
		must(ucgroup_move(s->c, dir, 0, 0), dir);
		for (size_t i = 0; i < a_group; i++)
			s->tasks[made++] = make_task();
		if (g == OCCUPIED / 10 - 1)
			end(s, "fork members, 30 a group: the first", made);
	}
	end(s, "- the last", s->n_tasks / 10);
	must(ucgroup_move(s->c, LABEL ":/", 0, 0), "leaving the groups");
	printf("%-58s %8zu %9ld bytes each\n", "memory of the daemon for members", s->n_tasks,
	       (daemon_kb(s) - before) * 1024 / (long)s->n_tasks);
}

static void list_tasks(struct scale *s, const char *what)
{
	pid_t *pids;
	size_t n;

	begin(s);
	must(ucgroup_list(s->c, LABEL ":/d0", UCGROUP_THREADS | UCGROUP_RECURSIVE, &pids, &n),
	     "listing");
	free(pids);
	must(ucgroup_list(s->c, LABEL ":/", UCGROUP_THREADS | UCGROUP_RECURSIVE, &pids, &n),
	     "listing");
	if (n < s->n_tasks)
		die("%zu tasks are listed of %zu", n, s->n_tasks);
	end(s, what, n);
	free(pids);
}

static void move_tasks(struct scale *s)
{
	pid_t *pids;
	char path[4096], buf[65536];
	size_t n, bytes = 0;
	ssize_t got;
	FILE *f;

	must(ucgroup_mkdir(s->c, LABEL ":/all", 0755), "making a group for all");
	begin(s);
	must(ucgroup_move_many(s->c, LABEL ":/all", s->tasks, s->n_tasks, UCGROUP_THREADS, NULL),
	     "moving all");
	end(s, "move all of them into one group, one call", s->n_tasks);
	must(ucgroup_list(s->c, LABEL ":/all", UCGROUP_THREADS, &pids, &n), "listing");
	free(pids);
	if (n != s->n_tasks)
		die("%zu tasks are in the group of %zu", n, s->n_tasks);
	snprintf(path, sizeof(path), "%s/all/tasks", s->dir);
	begin(s);
	f = fopen(path, "re");
	while (f && (got = read(fileno(f), buf, sizeof(buf))) > 0)
		bytes += (size_t)got;
	if (!bytes)
		die("%s: %s", path, strerror(errno));
	end(s, "read its `tasks` by the mount", s->n_tasks);
	fclose(f);
}

static size_t n_subdirs(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		die("%s: %s", path, strerror(errno));
	return st.st_nlink - 2;
}

/* The groups that the moves left idle were removed built in; now the rest. */
static void end_tasks(struct scale *s)
{
	must(ucgroup_set_notify(s->c, LABEL ":/all", 1), "notify_on_release");
	begin(s);
	for (size_t i = 0; i < s->n_tasks; i++)
		kill(s->tasks[i], SIGKILL);
	for (size_t i = 0; i < s->n_tasks; i++)
		waitpid(s->tasks[i], NULL, 0);
	end(s, "kill and reap all of them", s->n_tasks);
	while (n_subdirs(s->dir) > s->n_groups / A_DIR) {
		if (now() - s->began > PATIENCE_S)
			die("the group of all is not removed");
		usleep(100);
	}
	end(s, "- until their group is removed, built in", s->n_tasks);
}

int main(int argc, char **argv)
{
	struct scale s = {.n_groups = 200000, .n_tasks = 30000};
	char *what;
	size_t n;

	if (argc != 3 && argc != 5) {
		fprintf(stderr, "usage: %s DIR DAEMON-PID [GROUPS TASKS]\n", argv[0]);
		return 2;
	}
	s.dir = argv[1];
	s.daemon = atoi(argv[2]);
	if (argc == 5) {
		s.n_groups = (size_t)atol(argv[3]);
		s.n_tasks = (size_t)atol(argv[4]);
	}
	s.n_tasks -= s.n_tasks % OCCUPIED;
	s.n_groups -= s.n_groups % A_DIR;
	if (s.n_groups < 10 * A_DIR || s.n_tasks < OCCUPIED)
		die("at least %d groups and %d tasks", 10 * A_DIR, OCCUPIED);
	s.tasks = calloc(s.n_tasks, sizeof(*s.tasks));
	if (!s.tasks || ucgroup_connect(NULL, &s.c, &what))
		die("no connection to the daemon");
	must(ucgroup_set_release_agent(s.c, LABEL ":/", "builtin:rmdir"), "release_agent");
	make_groups(&s);
	begin(&s);
	n = count_dirs(s.dir);
	if (n != s.n_groups + s.n_groups / A_DIR)
		die("%zu directories are seen of %zu", n, s.n_groups);
	end(&s, "find all directories by the mount", n);
	make_tasks(&s);
	list_tasks(&s, "list all tasks of the tree, one call");
	move_tasks(&s);
	list_tasks(&s, "list them again");
	end_tasks(&s);
	remove_groups(&s);
	ucgroup_close(s.c);
	free(s.tasks);
	return 0;
}
