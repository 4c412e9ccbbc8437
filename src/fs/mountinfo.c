// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mountinfo.c - reads /proc/PID/mountinfo: where a superblock is visible for a process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <fs/internal.h>

/*
 * "36 35 98:0 /sub /mnt rw,noatime shared:1 … - ext4 /dev/root rw,errors=continue": the number of
 * fields before the dash varies.
 */
static bool parse_line(char *line, struct mountinfo *mi)
{
	char *field[6], *save = NULL, *dash = strstr(line, " - ");
	unsigned int maj, min;

	if (!dash)
		return false;
	*dash = '\0';
	for (size_t i = 0; i < 6; i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return false;
	}
	if (sscanf(field[2], "%u:%u", &maj, &min) != 2)
		return false;
	mi->dev = makedev(maj, min);
	mi->dir = field[4];
	mi->options = field[5];
	mi->type = strtok_r(dash + 3, " ", &save);
	mi->source = strtok_r(NULL, " ", &save);
	mi->super_options = strtok_r(NULL, " \n", &save);
	return mi->super_options != NULL;
}

int mountinfo_each(const char *who, void (*fn)(void *arg, const struct mountinfo *mi), void *arg)
{
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/mountinfo", who);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		struct mountinfo mi;

		if (parse_line(line, &mi))
			fn(arg, &mi);
	}
	free(line);
	fclose(f);
	return 0;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

void mountinfo_unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) &&
		    is_octal(text[3])) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}
