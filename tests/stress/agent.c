// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The release agent of the stress test: adds one line to the file `releases` next to itself, with
 * the hierarchy, the group's path and the time. It is started for every release, so it does little.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *hierarchy = getenv("UCGROUP_HIERARCHY");
	char path[4096], line[4096];
	struct timespec ts;
	char *slash;
	int fd, n;

	if (argc != 2 || !hierarchy)
		return 2;
	clock_gettime(CLOCK_REALTIME, &ts);
	snprintf(path, sizeof(path), "%s", argv[0]);
	slash = strrchr(path, '/');
	if (!slash || (size_t)(slash - path) > sizeof(path) - 16)
		return 2;
	strcpy(slash + 1, "releases");
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return 1;
	n = snprintf(line, sizeof(line), "%s %s %lld.%09ld\n", hierarchy, argv[1],
		     (long long)ts.tv_sec, ts.tv_nsec);
	return write(fd, line, (size_t)n) == n ? 0 : 1;
}
