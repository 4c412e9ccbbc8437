// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * agent PATH: the demo's release agent, in the manner of the classic one: it removes the cgroup it is
 * told of. It lies beside the mount point, and appends to the file "released" there: the time
 * (CLOCK_MONOTONIC, ns) at which it began, the hierarchy, the path, and what rmdir said.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *hierarchy = getenv("UCGROUP_HIERARCHY");
	char dir[PATH_MAX], line[2 * PATH_MAX];
	struct timespec now;
	int fd, len, err;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (argc != 2 || !hierarchy || strlen(argv[0]) >= sizeof(dir))
		return 2;
	strcpy(dir, argv[0]);
	if (chdir(dirname(dir)))
		return 1;
	snprintf(line, sizeof(line), "%s%s", hierarchy, argv[1]);
	err = rmdir(line) ? errno : 0;
	len = snprintf(line, sizeof(line), "%lld %s %s %s\n",
		       now.tv_sec * 1000000000ll + now.tv_nsec, hierarchy, argv[1],
		       err ? strerror(err) : "removed");
	fd = open("released", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, line, (size_t)len) != len)
		return 1;
	return 0;
}
