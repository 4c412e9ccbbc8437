// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands that show groups: tree, ps.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static error_t parse_dir(int key, char *arg, struct argp_state *state)
{
	const char **dir = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (*dir)
		argp_error(state, "'%s': one DIR at a time", arg);
	*dir = arg;
	return 0;
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

/*
 * The groups of DIR and below; NULL: of all hierarchies, one after the other, oldest first. All in
 * one array, each parent before its children.
 */
static json_t *groups_of(struct cli *cli, const char *dir)
{
	json_t *all, *list, *some;
	char *root;
	size_t i;

	if (dir)
		return cli_query(cli, UCGROUP_TREE, dir);
	list = cli_query(cli, UCGROUP_HIERARCHIES, NULL);
	all = list ? json_array() : NULL;
	for (i = list ? json_array_size(list) : 0; i-- > 0;) {
		if (asprintf(&root, "%s:/", text(json_array_get(list, i), "label")) < 0)
			break;
		some = cli_query(cli, UCGROUP_TREE, root);
		free(root);
		if (!some) {
			json_decref(all);
			all = NULL;
			break;
		}
		json_array_extend(all, some);
		json_decref(some);
	}
	json_decref(list);
	return all;
}

/* ---- tree ------------------------------------------------------------------------------------- */

/* Does the group at I have a sibling after it? */
static bool has_next(const json_t *list, size_t i)
{
	long long depth = number(json_array_get(list, i), "depth");
	const json_t *o;

	while ((o = json_array_get(list, ++i))) {
		if (number(o, "depth") < depth)
			return false;
		if (number(o, "depth") == depth)
			return depth > 0;
	}
	return false;
}

struct lines {
	bool *more; /* by depth: a sibling of the group there is still to come */
	size_t size;
};

static bool print_group(const json_t *list, size_t i, struct lines *l)
{
	const json_t *o = json_array_get(list, i);
	size_t depth = (size_t)number(o, "depth"), at;
	bool *bigger;

	if (depth >= l->size) {
		bigger = realloc(l->more, 2 * (depth + 1) * sizeof(*bigger));
		if (!bigger)
			return false;
		l->more = bigger;
		l->size = 2 * (depth + 1);
	}
	l->more[depth] = has_next(list, i);
	if (!depth) {
		printf("%s:%s", text(o, "hierarchy"), text(o, "path"));
	} else {
		for (at = 1; at < depth; at++)
			printf("%s", l->more[at] ? "│  " : "   ");
		printf("%s %s", l->more[depth] ? "├─" : "└─", text(o, "name"));
	}
	printf("  %lld %s%s\n", number(o, "tasks"), number(o, "tasks") == 1 ? "task" : "tasks",
	       json_is_true(json_object_get(o, "notify_on_release")) ? ", notifies" : "");
	return true;
}

int cmd_tree(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {{0}};
	const char *dir = NULL;
	struct lines l = {0};
	json_t *list;
	size_t i;

	cli_parse("tree", options, parse_dir, "[DIR]",
		  "Shows DIR and the groups below it, or all hierarchies.", 0, argc, argv, &dir);
	if (cli_connect(cli))
		return CLI_FAILED;
	list = groups_of(cli, dir);
	if (!list)
		return CLI_FAILED;
	if (cli->json)
		cli_print_json(list);
	for (i = 0; !cli->json && i < json_array_size(list); i++)
		if (!print_group(list, i, &l))
			break;
	free(l.more);
	json_decref(list);
	return CLI_DONE;
}

/* ---- ps --------------------------------------------------------------------------------------- */

/* The command line, or the name in brackets where there is none. false: the process is gone. */
static bool command_of(pid_t pid, char *buf, size_t size)
{
	char path[64];
	size_t n, i;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(buf, 1, size - 1, f);
	fclose(f);
	while (n && !buf[n - 1])
		n--;
	/* A new line, or worse, in an argument must not break the table. */
	for (i = 0; i < n; i++)
		if ((unsigned char)buf[i] < ' ' || buf[i] == 0x7f)
			buf[i] = ' ';
	buf[n] = '\0';
	if (n)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	buf[0] = '[';
	if (!fgets(buf + 1, (int)size - 2, f))
		buf[1] = '\0';
	fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	strcat(buf, "]");
	return true;
}

static int show_processes(struct cli *cli, const json_t *group, json_t *out)
{
	char command[2048], *dir;
	pid_t *pids;
	size_t i, n;
	int rc;

	if (asprintf(&dir, "%s:%s", text(group, "hierarchy"), text(group, "path")) < 0)
		return cli_fail(cli, "out of memory");
	rc = ucgroup_list(cli->c, dir, 0, &pids, &n);
	/* Removed meanwhile: then there is nothing in it. */
	if (rc && rc != -ENOENT && rc != -ENODEV)
		cli_fail(cli, "cannot list %s: %s", dir, cli_reason(cli, rc));
	for (i = 0; !rc && i < n; i++) {
		if (!command_of(pids[i], command, sizeof(command)))
			continue;
		if (!cli->json)
			printf("%8d  %-32s  %s\n", pids[i], dir, command);
		else
			json_array_append_new(
				out, json_pack("{s:i, s:O, s:O, s:s*}", "pid", pids[i], "hierarchy",
					       json_object_get(group, "hierarchy"), "path",
					       json_object_get(group, "path"), "command", command));
	}
	if (!rc)
		free(pids);
	free(dir);
	return rc && rc != -ENOENT && rc != -ENODEV ? CLI_FAILED : 0;
}

int cmd_ps(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {{0}};
	const char *dir = NULL;
	json_t *list, *out, *group;
	int rc = 0;
	size_t i;

	cli_parse("ps", options, parse_dir, "[DIR]",
		  "Shows the processes in DIR and below it, or in all groups but the roots.", 0,
		  argc, argv, &dir);
	if (cli_connect(cli))
		return CLI_FAILED;
	list = groups_of(cli, dir);
	if (!list)
		return CLI_FAILED;
	out = json_array();
	if (!cli->json)
		printf("%8s  %-32s  %s\n", "PID", "GROUP", "COMMAND");
	json_array_foreach(list, i, group)
		if (number(group, "tasks") && (dir || number(group, "depth")))
			rc |= show_processes(cli, group, out);
	if (cli->json)
		cli_print_json(out);
	json_decref(out);
	json_decref(list);
	return rc;
}
