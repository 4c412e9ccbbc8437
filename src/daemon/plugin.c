// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The subsystems: those built in, and those loaded from shared objects at the start.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include <subsys/builtin.h>

#include "daemon.h"

static struct cgroup_subsys *const builtin[] = {
	&cpuacct_subsys,
	&cpuset_subsys,
	&debug_subsys,
	&ns_subsys,
};

static const char *why_not(int err)
{
	switch (err) {
	case -EINVAL:
		return "its name is not 1 to 32 of a-z 0-9 _, or create or destroy is missing, or "
		       "a file's name is empty, too long or has a slash";
	case -EEXIST:
		return "a subsystem of this name is there already";
	case -ENOSPC:
		return "there are as many subsystems as the daemon can hold";
	default:
		return strerror(-err);
	}
}

static int register_one(struct daemon *d, struct cgroup_subsys *ss, const char *from)
{
	int rc = core_register_subsys(d->core, ss);

	if (rc)
		daemon_log(d, LOG_ERR, "cannot register subsystem '%s' of %s: %s",
			   ss->name ? ss->name : "", from, why_not(rc));
	return rc;
}

static const struct cgroup_subsys_plugin *find_plugin(struct daemon *d, void *so, const char *file)
{
	const struct cgroup_subsys_plugin *p = dlsym(so, "ucgroup_subsys_plugin");

	if (!p) {
		daemon_log(d, LOG_ERR,
			   "%s is no ucgroup subsystem: it does not define one with "
			   "CGROUP_SUBSYS_PLUGIN()",
			   file);
		return NULL;
	}
	if (p->abi != CGROUP_SUBSYS_ABI) {
		daemon_log(
			d, LOG_ERR,
			"%s was built for version %u of the subsystem interface, this daemon has "
			"version %u: build it against the header installed with the daemon",
			file, p->abi, CGROUP_SUBSYS_ABI);
		return NULL;
	}
	if (p->size != sizeof(struct cgroup_subsys) || !p->subsys) {
		daemon_log(
			d, LOG_ERR,
			"%s was built with a struct cgroup_subsys of %u bytes, this daemon's has "
			"%zu: build it against the header installed with the daemon",
			file, p->size, sizeof(struct cgroup_subsys));
		return NULL;
	}
	return p;
}

static int load(struct daemon *d, const char *file)
{
	const struct cgroup_subsys_plugin *p;
	char path[PATH_MAX];
	void *so;

	/* A name without a slash would be looked for among the system's libraries. */
	if (snprintf(path, sizeof(path), "%s%s", strchr(file, '/') ? "" : "./", file) >= PATH_MAX) {
		daemon_log(d, LOG_ERR, "the subsystem's path is too long: %s", file);
		return -ENAMETOOLONG;
	}
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so) {
		daemon_log(d, LOG_ERR, "cannot load the subsystem %s: %s", file, dlerror());
		return -EINVAL;
	}
	d->plugins[d->n_plugins++] = so;
	p = find_plugin(d, so, file);
	return p ? register_one(d, p->subsys, file) : -EINVAL;
}

int plugins_register(struct daemon *d)
{
	unsigned int i;
	int rc;

	for (i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++) {
		rc = register_one(d, builtin[i], "the program itself");
		if (rc)
			return rc;
	}
	for (i = 0; i < d->opts.n_plugins; i++) {
		rc = load(d, d->opts.plugins[i]);
		if (rc)
			return rc;
	}
	return 0;
}

void plugins_close(struct daemon *d)
{
	while (d->n_plugins)
		dlclose(d->plugins[--d->n_plugins]);
}
