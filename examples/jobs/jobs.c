// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * jobs DIR N COMMAND [ARG...]: run COMMAND N times at once, each time in a group of its own below the
 * group DIR, with the number of the run as its last argument; wait until every task of theirs has
 * ended, also those that COMMAND left in the background; say so for each, and remove the groups.
 *
 * An example for libucgroup: groups made and removed in one call, a process that enters a group,
 * listings, release events, and messages for people. Build it with the Makefile beside it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ucgroup/ucgroup.h>

struct jobs {
	struct ucgroup *c;
	const char *dir;
	size_t n, n_idle;
	char (*names)[16];
	const char **paths;
};

static int fail(const char *what, int rc)
{
	fprintf(stderr, "jobs: %s: %s\n", what, strerror(-rc));
	return rc;
}

static int make_groups(struct jobs *j)
{
	int rc;

	for (size_t i = 0; i < j->n; i++) {
		snprintf(j->names[i], sizeof(j->names[i]), "job-%zu", i);
		j->paths[i] = j->names[i];
	}
	rc = ucgroup_mkdir_many(j->c, j->dir, j->paths, j->n, 0755, NULL);
	return rc ? fail("making the groups", rc) : 0;
}

/* In the child: a connection is of the process that made it, so this is a new one. */
static void run(const char *dir, char **command)
{
	struct ucgroup *c;
	char *what = NULL;
	int rc = ucgroup_connect(NULL, &c, &what);

	/* In one step with setting notify_on_release: a release cannot come between. */
	if (!rc)
		rc = ucgroup_enter(c, dir, 0755, UCGROUP_NOTIFY);
	if (rc)
		fprintf(stderr, "jobs: %s: %s\n", dir, what ? what : strerror(-rc));
	else
		execvp(command[0], command);
	_exit(127);
}

static int start(struct jobs *j, size_t i, char **argv, int argc)
{
	char dir[4096], number[16];
	char **command = calloc((size_t)argc + 2, sizeof(*command));
	pid_t pid;

	if (!command)
		return -1;
	snprintf(number, sizeof(number), "%zu", i);
	snprintf(dir, sizeof(dir), "%s/%s", j->dir, j->names[i]);
	memcpy(command, argv, (size_t)argc * sizeof(*command));
	command[argc] = number;
	fflush(stdout);
	pid = fork();
	if (!pid)
		run(dir, command);
	free(command);
	return pid < 0 ? -1 : 0;
}

static int count_tasks(struct jobs *j)
{
	pid_t *pids;
	size_t n;
	int rc = ucgroup_list(j->c, j->dir, UCGROUP_THREADS | UCGROUP_RECURSIVE, &pids, &n);

	if (rc)
		return fail("listing the tasks", rc);
	printf("%zu tasks in %zu groups\n", n, j->n);
	free(pids);
	return 0;
}

/* Which of our groups PATH, from the root of its hierarchy, is: its name says. */
static bool is_ours(const struct jobs *j, const char *path)
{
	const char *name = strrchr(path, '/');

	for (size_t i = 0; name && i < j->n; i++)
		if (!strcmp(name + 1, j->names[i]))
			return true;
	return false;
}

static int wait_for_all(struct jobs *j, struct ucgroup_watch *w)
{
	struct ucgroup_event ev;

	while (j->n_idle < j->n) {
		int rc = ucgroup_watch_next(w, 60000, &ev);

		if (rc)
			return fail("waiting for the groups to become idle", rc);
		if (ev.type != UCGROUP_RELEASE || !is_ours(j, ev.path))
			continue;
		printf("%s is idle\n", strrchr(ev.path, '/') + 1);
		j->n_idle++;
	}
	return 0;
}

static int run_all(struct jobs *j, char **command, int argc)
{
	struct ucgroup_watch *w;
	int rc = make_groups(j);

	if (rc)
		return rc;
	/* Before anything runs, so that no release is missed. */
	rc = ucgroup_watch_open(j->c, j->dir, &w);
	if (rc)
		return fail("watching", rc);
	for (size_t i = 0; i < j->n && !rc; i++)
		rc = start(j, i, command, argc);
	if (!rc)
		rc = count_tasks(j);
	if (!rc)
		rc = wait_for_all(j, w);
	ucgroup_watch_close(w);
	while (wait(NULL) > 0)
		;
	ucgroup_rmdir_many(j->c, j->dir, j->paths, j->n, NULL);
	return rc;
}

int main(int argc, char **argv)
{
	struct jobs j = {0};
	char *what = NULL;
	int rc;

	if (argc < 4 || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: %s DIR N COMMAND [ARG...]\n", argv[0]);
		return 2;
	}
	j.dir = argv[1];
	j.n = (size_t)atoi(argv[2]);
	j.names = calloc(j.n, sizeof(*j.names));
	j.paths = calloc(j.n, sizeof(*j.paths));
	rc = ucgroup_connect(NULL, &j.c, &what);
	if (rc || !j.names || !j.paths) {
		fprintf(stderr, "jobs: no connection: %s\n", what ? what : strerror(-rc));
		return 1;
	}
	rc = run_all(&j, argv + 3, argc - 3);
	ucgroup_close(j.c);
	free(j.paths);
	free(j.names);
	free(what);
	return rc ? 1 : 0;
}
