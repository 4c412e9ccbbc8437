// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * agent.c - the release agent of the differential test. Writes one line, its own name and its
 * argument, into the FIFO beside it: one write, so that lines of several agents do not mix.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char fifo[PATH_MAX], line[PIPE_BUF];
	const char *name;
	int n, fd;

	if (argc < 1 || !strchr(argv[0], '/'))
		return 2;
	name = strrchr(argv[0], '/') + 1;
	snprintf(fifo, sizeof(fifo), "%.*sreleases", (int)(name - argv[0]), argv[0]);
	n = snprintf(line, sizeof(line), "%s %d %s\n", name, argc, argc > 1 ? argv[1] : "");
	if (n >= (int)sizeof(line))
		return 2;
	fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return 1;
	return write(fd, line, (size_t)n) == n ? 0 : 1;
}
