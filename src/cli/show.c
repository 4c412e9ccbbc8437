// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands that show the instance: hierarchies, stats.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

json_t *cli_query(struct cli *cli, enum ucgroup_query kind, const char *dir)
{
	json_error_t error;
	json_t *json;
	char *text;
	int rc = ucgroup_query(cli->c, kind, dir, &text);

	if (rc) {
		cli_fail(cli, "cannot show %s: %s", dir ? dir : "the instance",
			 cli_reason(cli, rc));
		return NULL;
	}
	json = json_loads(text, 0, &error);
	if (!json)
		cli_fail(cli, "the daemon's answer cannot be read: %s", error.text);
	free(text);
	return json;
}

void cli_print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
}

static error_t parse_none(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "'%s': no arguments are taken", arg);
	return 0;
}

/* ---- hierarchies ------------------------------------------------------------------------------ */

/* Where a mount is, is a matter of the mount namespace, so it is found here, by device number. */
static void add_point(void *arg, const struct mount_entry *e)
{
	json_t *hierarchies = arg, *h, *dev;
	size_t i, j;

	json_array_foreach(hierarchies, i, h) {
		json_array_foreach(json_object_get(h, "devices"), j, dev)
			if (!strcmp(json_string_value(dev), e->dev))
				json_array_append_new(json_object_get(h, "mount_points"),
						      json_string(e->point));
	}
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void print_hierarchy(const json_t *h)
{
	const json_t *point;
	size_t i;

	printf("%-4lld %-24s %7lld  %-24s", number(h, "id"), text(h, "label"), number(h, "cgroups"),
	       *text(h, "release_agent") ? text(h, "release_agent") : "-");
	json_array_foreach(json_object_get(h, "mount_points"), i, point)
		printf(" %s", json_string_value(point));
	if (!json_array_size(json_object_get(h, "mount_points")))
		printf(" %s", number(h, "mounts") ? "(in another mount namespace)" : "-");
	putchar('\n');
}

int cmd_hierarchies(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {{0}};
	json_t *list, *h;
	size_t i;

	cli_parse("hierarchies", options, parse_none, "", "Lists the hierarchies, newest first.", 0,
		  argc, argv, NULL);
	if (cli_connect(cli))
		return CLI_FAILED;
	list = cli_query(cli, UCGROUP_HIERARCHIES, NULL);
	if (!list)
		return CLI_FAILED;
	json_array_foreach(list, i, h)
		json_object_set_new(h, "mount_points", json_array());
	mountinfo_each(add_point, list);
	if (cli->json) {
		cli_print_json(list);
	} else {
		printf("%-4s %-24s %7s  %-24s %s\n", "ID", "HIERARCHY", "GROUPS", "RELEASE AGENT",
		       "MOUNTED AT");
		json_array_foreach(list, i, h)
			print_hierarchy(h);
	}
	json_decref(list);
	return CLI_DONE;
}

/* ---- stats ------------------------------------------------------------------------------------ */

static void print_figures(const char *prefix, json_t *o)
{
	const char *key;
	json_t *value;

	json_object_foreach(o, key, value) {
		if (json_is_object(value)) {
			print_figures(key, value);
			continue;
		}
		printf("%s%s%s ", prefix, *prefix ? "." : "", key);
		if (json_is_string(value))
			printf("%s\n", json_string_value(value));
		else if (json_is_real(value))
			printf("%.3f\n", json_real_value(value));
		else
			printf("%lld\n", (long long)json_integer_value(value));
	}
}

int cmd_stats(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {{0}};
	json_t *o;

	cli_parse("stats", options, parse_none, "", "Shows the daemon's counters.", 0, argc, argv,
		  NULL);
	if (cli_connect(cli))
		return CLI_FAILED;
	o = cli_query(cli, UCGROUP_STATS, NULL);
	if (!o)
		return CLI_FAILED;
	if (cli->json)
		cli_print_json(o);
	else
		print_figures("", o);
	json_decref(o);
	return CLI_DONE;
}
