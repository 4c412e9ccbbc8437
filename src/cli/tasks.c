// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands about tasks: exec, attach, kill.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

struct task_args {
	const char *dir;
	char **rest;
	int n_rest;
	bool notify, threads;
	int sig;
};

/* ---- exec ------------------------------------------------------------------------------------- */

static error_t parse_exec(int key, char *arg, struct argp_state *state)
{
	struct task_args *a = state->input;

	(void)arg;
	switch (key) {
	case 'r':
		a->notify = true;
		return 0;
	case ARGP_KEY_ARG:
		a->dir = arg;
		/* argp ends options at a first "--" itself; one after DIR is still there. */
		if (state->next < state->argc && !strcmp(state->argv[state->next], "--"))
			state->next++;
		a->rest = state->argv + state->next;
		a->n_rest = state->argc - state->next;
		if (!a->n_rest)
			argp_error(state, "the command to start in %s is missing", arg);
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "the group and the command to start in it are missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_exec(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{NULL, 'r', NULL, 0, "Set the group's notify_on_release", 0},
		{0},
	};
	struct task_args a = {0};
	mode_t mask = umask(0);
	int rc;

	umask(mask);
	cli_parse("exec", options, parse_exec, "DIR [--] COMMAND…",
		  "Makes DIR if it is missing and starts COMMAND in it.", ARGP_IN_ORDER, argc, argv,
		  &a);
	if (cli_connect(cli))
		return CLI_FAILED;
	rc = ucgroup_enter(cli->c, a.dir, 0777 & ~mask, a.notify ? UCGROUP_NOTIFY : 0);
	if (rc)
		return cli_fail(cli, "cannot enter %s: %s", a.dir, cli_reason(cli, rc));
	execvp(a.rest[0], a.rest);
	return cli_fail(cli, "cannot start %s: %m", a.rest[0]);
}

/* ---- attach ----------------------------------------------------------------------------------- */

static error_t parse_attach(int key, char *arg, struct argp_state *state)
{
	struct task_args *a = state->input;

	switch (key) {
	case 't':
		a->threads = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0) {
			a->dir = arg;
			return 0;
		}
		a->rest = state->argv + state->next - 1;
		a->n_rest = state->argc - state->next + 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!a->n_rest)
			argp_error(state, "the group and at least one PID are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool parse_pid(const char *text, pid_t *pid)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	*pid = (pid_t)v;
	return !errno && !*end && isdigit(text[0]) && v > 0 && v <= 4 * 1024 * 1024;
}

/* PIDS and ERRORS have room for all of A's arguments. */
static int attach(struct cli *cli, const struct task_args *a, pid_t *pids, int *errors)
{
	int i, rc;

	for (i = 0; i < a->n_rest; i++) {
		if (parse_pid(a->rest[i], &pids[i]))
			continue;
		cli_fail(cli, "'%s' is no process id", a->rest[i]);
		return CLI_USAGE;
	}
	if (cli_connect(cli))
		return CLI_FAILED;
	rc = ucgroup_move_many(cli->c, a->dir, pids, (size_t)a->n_rest,
			       a->threads ? UCGROUP_THREADS : 0, errors);
	for (i = 0; rc && i < a->n_rest; i++)
		if (errors[i])
			cli_fail(cli, "cannot move %d into %s: %s", pids[i], a->dir,
				 cli_reason(cli, errors[i]));
	return rc ? CLI_FAILED : CLI_DONE;
}

int cmd_attach(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{NULL, 't', NULL, 0, "Move single threads, not whole processes", 0},
		{0},
	};
	struct task_args a = {0};
	pid_t *pids;
	int rc, *errors;

	cli_parse("attach", options, parse_attach, "DIR PID…",
		  "Moves processes, with all their threads, into DIR.", ARGP_IN_ORDER, argc, argv,
		  &a);
	pids = calloc((size_t)a.n_rest, sizeof(*pids));
	errors = calloc((size_t)a.n_rest, sizeof(*errors));
	rc = pids && errors ? attach(cli, &a, pids, errors) : cli_fail(cli, "out of memory");
	free(pids);
	free(errors);
	return rc;
}

/* ---- kill ------------------------------------------------------------------------------------- */

static int signal_number(const char *text)
{
	char *end;
	long v = strtol(text, &end, 10);
	int i;

	if (!*end && end != text)
		return v > 0 && v < NSIG ? (int)v : -1;
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (i = 1; i < NSIG; i++)
		if (sigabbrev_np(i) && !strcasecmp(text, sigabbrev_np(i)))
			return i;
	return -1;
}

static error_t parse_kill(int key, char *arg, struct argp_state *state)
{
	struct task_args *a = state->input;

	switch (key) {
	case 's':
		a->sig = signal_number(arg);
		if (a->sig < 0)
			argp_error(state, "-s %s: no such signal; `kill -l` lists them", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (a->dir)
			argp_error(state, "'%s': one DIR at a time", arg);
		a->dir = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "the group is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool contains(const pid_t *pids, size_t n, pid_t pid)
{
	size_t low = 0, high = n, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (pids[mid] == pid)
			return true;
		if (pids[mid] < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/*
 * Signal each of PIDS that is not among TOLD already: a second SIGTERM would end what is cleaning
 * up after the first. SIGKILL goes to all each time. The number of processes that were not ours to
 * signal, and the last error.
 */
static size_t signal_new(const pid_t *pids, size_t n, const pid_t *told, size_t n_told, int sig,
			 int *error)
{
	size_t i, refused = 0;

	for (i = 0; i < n; i++) {
		if (pids[i] == getpid() || (sig != SIGKILL && contains(told, n_told, pids[i])))
			continue;
		if (kill(pids[i], sig) && errno != ESRCH) {
			*error = errno;
			refused++;
		}
	}
	return refused;
}

int cmd_kill(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{NULL, 's', "SIGNAL", 0, "By name or number (default: TERM)", 0},
		{0},
	};
	struct timespec nap = {.tv_nsec = 1000000};
	struct task_args a = {.sig = SIGTERM};
	pid_t *pids, *told = NULL;
	size_t n, n_told = 0, refused;
	int rc, error = 0;

	cli_parse("kill", options, parse_kill, "DIR",
		  "Signals every process in DIR and below it, those that are born meanwhile "
		  "included, and returns when none is left.",
		  0, argc, argv, &a);
	if (cli_connect(cli))
		return CLI_FAILED;
	for (;;) {
		rc = ucgroup_list(cli->c, a.dir, UCGROUP_RECURSIVE, &pids, &n);
		if (rc) {
			/* A group that was there is gone: it has been released, and removed. */
			bool gone = told && rc == -ENOENT;

			free(told);
			return gone ? CLI_DONE :
				      cli_fail(cli, "cannot list %s: %s", a.dir,
					       cli_reason(cli, rc));
		}
		refused = signal_new(pids, n, told, n_told, a.sig, &error);
		free(told);
		told = pids;
		n_told = n;
		/* This very process may have been started in there, and is not meant. */
		if (!n || (n == 1 && pids[0] == getpid()) || refused)
			break;
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 50000000)
			nap.tv_nsec *= 2;
	}
	free(told);
	if (refused)
		return cli_fail(cli, "cannot signal %zu of the processes in %s: %s", refused, a.dir,
				strerror(error));
	return CLI_DONE;
}
