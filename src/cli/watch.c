// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands that wait: wait, watch.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

struct watch_args {
	const char *dir;
	int timeout_ms;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct watch_args *a = state->input;
	double seconds;
	char *end;

	switch (key) {
	case 't':
		seconds = strtod(arg, &end);
		if (*end || end == arg || !(seconds >= 0 && seconds <= INT_MAX / 1000))
			argp_error(state, "-t %s: not a number of seconds", arg);
		a->timeout_ms = (int)(seconds * 1000);
		return 0;
	case ARGP_KEY_ARG:
		if (a->dir)
			argp_error(state, "'%s': one DIR at a time", arg);
		a->dir = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_wait(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{NULL, 't', "SECONDS", 0, "Give up after this time (exit status 1)", 0},
		{0},
	};
	struct watch_args a = {.timeout_ms = -1};
	int rc;

	cli_parse("wait", options, parse, "DIR",
		  "Waits until DIR is idle: no task, no group below it, no reference.", 0, argc,
		  argv, &a);
	if (!a.dir) {
		fprintf(stderr, "ucgroup wait: the group is missing\n");
		return CLI_USAGE;
	}
	if (cli_connect(cli))
		return CLI_FAILED;
	rc = ucgroup_wait_idle(cli->c, a.dir, a.timeout_ms);
	if (rc == -ETIMEDOUT)
		return cli_fail(cli, "%s is not idle after %g s", a.dir, a.timeout_ms / 1000.0);
	if (rc)
		return cli_fail(cli, "cannot wait for %s: %s", a.dir, cli_reason(cli, rc));
	return CLI_DONE;
}

/* ---- watch ------------------------------------------------------------------------------------ */

static const char *type_name(enum ucgroup_event_type type)
{
	switch (type) {
	case UCGROUP_RELEASE:
		return "release";
	case UCGROUP_AGENT:
		return "agent";
	default:
		return "lost";
	}
}

static void print_json(const struct ucgroup_event *ev)
{
	json_t *o = json_pack("{s:s, s:I}", "event", type_name(ev->type), "time_ns",
			      (json_int_t)ev->time_ns);

	if (ev->type != UCGROUP_LOST) {
		json_object_set_new(o, "hierarchy", json_string(ev->hierarchy));
		json_object_set_new(o, "path", json_string(ev->path));
		json_object_set_new(o, "agent", json_string(ev->agent));
	}
	if (ev->type == UCGROUP_AGENT)
		json_object_set_new(o, "status", json_integer(ev->status));
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void print_line(const struct ucgroup_event *ev)
{
	time_t s = (time_t)(ev->time_ns / 1000000000);
	struct tm tm;
	char when[32];

	localtime_r(&s, &tm);
	strftime(when, sizeof(when), "%F %T", &tm);
	printf("%s.%06u %s", when, (unsigned int)(ev->time_ns % 1000000000 / 1000),
	       type_name(ev->type));
	if (ev->type != UCGROUP_LOST)
		printf(" %s:%s", ev->hierarchy, ev->path);
	if (*ev->agent)
		printf(" %s", ev->agent);
	if (ev->type == UCGROUP_AGENT && ev->status < 0)
		printf(" not started: %s", strerror(-ev->status));
	else if (ev->type == UCGROUP_AGENT)
		printf(" status %d", ev->status);
	putchar('\n');
}

int cmd_watch(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {{0}};
	struct watch_args a = {0};
	struct ucgroup_watch *w;
	struct ucgroup_event ev;
	int rc;

	cli_parse("watch", options, parse, "[DIR]",
		  "Shows releases as they happen, of DIR and below it or of everything: one a "
		  "line, with --json one object a line.",
		  0, argc, argv, &a);
	if (cli_connect(cli))
		return CLI_FAILED;
	rc = ucgroup_watch_open(cli->c, a.dir, &w);
	if (rc)
		return cli_fail(cli, "cannot watch %s: %s", a.dir ? a.dir : "the instance",
				cli_reason(cli, rc));
	while (!(rc = ucgroup_watch_next(w, -1, &ev))) {
		if (cli->json)
			print_json(&ev);
		else
			print_line(&ev);
		if (fflush(stdout)) {
			rc = -errno;
			break;
		}
	}
	ucgroup_watch_close(w);
	return cli_fail(cli, "stopped watching: %s", cli_reason(cli, rc));
}
