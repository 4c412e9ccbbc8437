// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is mounted where, as this process sees it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* "\040" and the like, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && isdigit(s[2]) && isdigit(s[3])) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /sub /mnt rw,noatime shared:1 … - ext4 /dev/root rw" */
static bool parse(char *line, struct mount_entry *e)
{
	char *dash = strstr(line, " - "), *point = NULL, *save = NULL, *token;
	int i;

	if (!dash)
		return false;
	*dash = '\0';
	token = strtok_r(line, " ", &save);
	for (i = 0; token && i < 5; i++, token = strtok_r(NULL, " ", &save)) {
		if (i == 2)
			snprintf(e->dev, sizeof(e->dev), "%s", token);
		if (i == 4)
			point = token;
	}
	e->type = strtok_r(dash + 3, " ", &save);
	if (!point || !e->type)
		return false;
	unescape(point);
	e->point = point;
	return true;
}

int mountinfo_each(void (*fn)(void *arg, const struct mount_entry *e), void *arg)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct mount_entry e;
	char *line = NULL;
	size_t size = 0;

	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0)
		if (parse(line, &e))
			fn(arg, &e);
	free(line);
	fclose(f);
	return 0;
}
