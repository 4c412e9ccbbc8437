// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * agent PATH: the release agent of the comparison, the same for both sides: says when its main() began
 * (CLOCK_MONOTONIC, into the FIFO "told" beside it, if somebody reads that) and removes the group. Its
 * name, less "-agent", is the mount beside it.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[PATH_MAX];
	struct timespec ts;
	uint64_t began;
	char *end;
	int fd, len;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	began = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	end = argc == 2 ? strrchr(argv[0], '-') : NULL;
	if (!end || strcmp(end, "-agent"))
		return 2;
	len = (int)(end - argv[0]);
	if (snprintf(path, sizeof(path), "%.*s%s", len, argv[0], argv[1]) >= (int)sizeof(path) ||
	    rmdir(path))
		return 1;
	*strrchr(argv[0], '/') = '\0';
	snprintf(path, sizeof(path), "%s/told", argv[0]);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && write(fd, &began, sizeof(began)) != sizeof(began))
		return 1;
	return 0;
}
