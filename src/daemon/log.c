// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the daemon's messages go.
 */
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "daemon.h"

void daemon_vlog(const struct daemon *d, int priority, const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
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
