// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Names of instances and the directories they stand for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wire/paths.h>

bool paths_instance_valid(const char *instance)
{
	size_t len = strlen(instance);

	return len >= 1 && len <= PATHS_INSTANCE_MAX && instance[0] != '.' &&
	       strspn(instance, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				"0123456789._-") == len;
}

int paths_base(uid_t uid, char *buf, size_t size)
{
	const char *top = "/run";
	int n;

	if (uid != 0) {
		top = getenv("XDG_RUNTIME_DIR");
		if (!top || top[0] != '/')
			return -ENOENT;
	}
	n = snprintf(buf, size, "%s/ucgroup", top);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int paths_run_dir(uid_t uid, const char *instance, char *buf, size_t size)
{
	size_t len;
	int rc;

	if (!paths_instance_valid(instance))
		return -EINVAL;
	rc = paths_base(uid, buf, size);
	if (rc)
		return rc;
	len = strlen(buf);
	if ((size_t)snprintf(buf + len, size - len, "/%s", instance) >= size - len)
		return -ENAMETOOLONG;
	return 0;
}
