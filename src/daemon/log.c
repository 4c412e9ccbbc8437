// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the daemon's messages go: to standard error, or in the background to the system log, and there
 * also to the file that $UCGROUPD_LOG names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon.h"

void daemon_vlog(const struct daemon *d, int priority, const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	if (d->log_fd >= 0 && priority <= LOG_INFO)
		dprintf(d->log_fd, "ucgroupd[%d]: %s\n", (int)getpid(), line);
	if (d->to_syslog)
		syslog(priority, "%s", line);
	else if (priority <= LOG_INFO)
		fprintf(stderr, "ucgroupd: %s\n", line);
}

void daemon_log(const struct daemon *d, int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	daemon_vlog(d, priority, fmt, ap);
	va_end(ap);
}

void daemon_log_to_background(struct daemon *d)
{
	const char *file = getenv("UCGROUPD_LOG");

	openlog("ucgroupd", LOG_PID, LOG_DAEMON);
	d->to_syslog = true;
	if (!file || !*file)
		return;
	d->log_fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->log_fd < 0)
		daemon_log(d, LOG_WARNING, "UCGROUPD_LOG: cannot open %s: %s", file,
			   strerror(errno));
}
