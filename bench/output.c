// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * output.c - the rows as a table for people and as JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <jansson.h>

#include "bench.h"

#define WORK_WIDTH 66

static const char *const side_names[SIDES] = {"kernel", "ucgroup", "bound"};
static const char *const kind_names[] = {"ratio", "absolute", "none"};

/* Columns that a terminal gives TEXT: bytes that continue a character take none. */
static int columns(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

void print_heading(void)
{
	printf("%-*s %-6s%10s %10s %10s   %-22s %s\n", WORK_WIDTH, "work", "unit", "kernel",
	       "ucgroup", "bound", "ratio (quartiles)", "goal");
}

static void print_value(const struct samples *s)
{
	double v = samples_summary(s).median;

	if (!s->n)
		printf(" %10s", "-");
	else
		printf(" %10.*f", v < 1 ? 3 : v < 100 ? 2 : 0, v);
}

void print_row(const struct row *row)
{
	struct summary ratio = samples_summary(&row->ratio);
	char text[64] = "";

	printf("%s%*s %s%*s", row->work, WORK_WIDTH - columns(row->work), "", row->unit,
	       5 - columns(row->unit), "");
	for (enum side side = KERNEL; side < SIDES; side++)
		print_value(&row->samples[side]);
	if (ratio.n)
		snprintf(text, sizeof(text), "%.3f (%.3f-%.3f)", ratio.median, ratio.q1, ratio.q3);
	printf("   %-22s", text);
	if (row->kind == GOAL_RATIO)
		printf(" <= %g", row->goal);
	else if (row->kind == GOAL_ABSOLUTE)
		printf(" <= %g %s", row->goal, row->unit);
	printf("%s\n", row_meets_goal(row) ? "" : "   goal missed");
	fflush(stdout);
}

static json_t *summary_json(const struct samples *s)
{
	struct summary m = samples_summary(s);

	if (!m.n)
		return json_null();
	return json_pack("{s:f, s:f, s:f, s:I}", "median", m.median, "q1", m.q1, "q3", m.q3, "n",
			 (json_int_t)m.n);
}

static json_t *row_json(const struct row *row)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "id", row->id, "work", row->work, "unit",
			      row->unit, "goal_kind", kind_names[row->kind]);

	if (row->kind != GOAL_NONE)
		json_object_set_new(o, "goal", json_real(row->goal));
	for (enum side side = KERNEL; side < SIDES; side++)
		json_object_set_new(o, side_names[side], summary_json(&row->samples[side]));
	json_object_set_new(o, "ratio", summary_json(&row->ratio));
	json_object_set_new(o, "ratio_to_bound", summary_json(&row->to_bound));
	json_object_set_new(o, "goal_met", json_boolean(row_meets_goal(row)));
	if (row->note)
		json_object_set_new(o, "note", json_string(row->note));
	return o;
}

static void cpu_model(char *buf, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(buf, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (!colon || strncmp(line, "model name", strlen("model name")))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, size, "%s", colon + 2);
		break;
	}
	if (f)
		fclose(f);
}

static json_t *machine_json(void)
{
	char model[256];
	struct utsname u;

	cpu_model(model, sizeof(model));
	if (uname(&u))
		strcpy(u.release, "unknown");
	return json_pack("{s:s, s:s, s:s, s:i}", "kernel", u.release, "machine", u.machine, "cpu",
			 model, "cpus", get_nprocs());
}

bool write_json(const char *path, struct row *const *rows, size_t n)
{
	json_t *list = json_array(), *all;
	int rc;

	for (size_t i = 0; i < n; i++)
		for (const struct row *row = rows[i]; row->id; row++)
			json_array_append_new(list, row_json(row));
	all = json_pack("{s:s, s:o, s:o}", "version", UCGROUP_VERSION, "machine", machine_json(),
			"rows", list);
	errno = ENOMEM;
	rc = all ? json_dump_file(all, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;
	json_decref(all);
	return !rc;
}
