// SPDX-License-Identifier: GPL-2.0-or-later
/* Bad options: mounting, remounting. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errors.h"

void test_mounts(void)
{
	static char long_name[66 + 5], long_agent[5000];
	const struct {
		const char *options;
		int err;
	} rows[] = {
		{"a=b", ENOENT},
		{"nosuch", ENOENT},
		{"debug,nosuch", ENOENT},
		{"name=q,Debug", ENOENT},
		{",", EINVAL},
		{"debug,", EINVAL},
		{",debug", EINVAL},
		{"none,,name=q", EINVAL},
		{"none", EINVAL},
		{"none,debug,name=q", EINVAL},
		{"none,all,name=q", EINVAL},
		{"all,debug", EINVAL},
		{"noprefix,none", EINVAL},
		{"name=", EINVAL},
		{"name=q,name=r", EINVAL},
		{"name=q,name=q", EINVAL},
		{"name=a/b", EINVAL},
		{"name=a b", EINVAL},
		{"name=\xc3\xa4", EINVAL},
		{long_name, EINVAL},
		{"none,name=q,release_agent=/a,release_agent=/b", EINVAL},
		{"none,name=q,release_agent=rel/ative", EINVAL},
		{"none,name=q,release_agent=builtin:other", EINVAL},
		{long_agent, EINVAL},
		{"debug", EBUSY},
		{"all", EBUSY},
		{"debug,name=q", EBUSY},
		{"debug,noprefix,name=x", EBUSY},
		{"none,name=x", EBUSY},
		{"cpuacct,name=x", EBUSY},
		{"debug,name=y", EBUSY},
		{"debug,name=x", 0},
		{"name=y", 0},
	};

	strcpy(long_name, "name=");
	memset(long_name + 5, 'n', 65);
	strcpy(long_agent, "none,name=q,release_agent=/");
	memset(long_agent + strlen(long_agent), 'a', 4096);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *before = picture(), *said = NULL, what[128];
		int fd = -1, rc = ucgroup_mount(conn, rows[i].options, "errors", 0, &fd, &said);

		snprintf(what, sizeof(what), "mount -o %.60s", rows[i].options);
		judge(what, -rc, rows[i].err, before);
		if (rows[i].err)
			row(said && *said, "  and it says why", 0, 0);
		free(said);
		if (fd >= 0)
			close(fd);
		ucgroup_sync(conn);
	}
}

void test_remounts(void)
{
	static const struct {
		const char *dir, *options;
		int err;
	} rows[] = {
		{"x", "name=z", EINVAL},
		{"x", "noprefix", EINVAL},
		{"x", "nosuch", ENOENT},
		{"x", "debug,", EINVAL},
		{"x", "none,debug", EINVAL},
		{"x", "release_agent=rel", EINVAL},
		{"x", "cpuacct,debug,name=x", EBUSY}, /* it has cgroups */
		{"x", "none,name=x", EBUSY},
		{"y", "debug,name=y", EBUSY}, /* debug is x's */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *before = picture(), *said = NULL, what[128];
		int rc = ucgroup_remount(conn, rows[i].dir, rows[i].options, &said);

		snprintf(what, sizeof(what), "remount %s -o %s", rows[i].dir, rows[i].options);
		judge(what, -rc, rows[i].err, before);
		free(said);
	}
}

/* 64 hierarchies at once, two of them on the stage. */
void test_too_many(void)
{
	char options[32], *before, *said = NULL;
	int fds[62], fd = -1, rc = 0;

	for (int i = 0; i < 62; i++) {
		snprintf(options, sizeof(options), "none,name=many%d", i);
		fds[i] = -1;
		if (!rc)
			rc = ucgroup_mount(conn, options, "errors", 0, &fds[i], NULL);
	}
	row(!rc, "64 hierarchies at once", -rc, 0);
	before = picture();
	rc = ucgroup_mount(conn, "none,name=one-more", "errors", 0, &fd, &said);
	judge("the 65th hierarchy", -rc, ENOSPC, before);
	row(said && *said, "  and it says why", 0, 0);
	free(said);
	if (fd >= 0)
		close(fd);
	for (int i = 0; i < 62; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	ucgroup_sync(conn);
}
