// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset_hotplug.c - CPUs and memory nodes that come and go.
 *
 * As in v1: what goes offline leaves every cpuset for good, what comes is in the root alone, and the
 * tasks of a cpuset that has none left go to the nearest one above that has some.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <subsys/cpuset.h>

static void shrink(struct cpuset *cs, const struct mask *old_root)
{
	struct mask cpus = cs->cpus, mems = cs->mems;
	bool restricted = !mask_equal(&cs->cpus, old_root);

	mask_and(&cs->cpus, &cs->cpus, &cs->ctx->root->cpus);
	mask_and(&cs->mems, &cs->mems, &cs->ctx->root->mems);
	cpuset_recount(cs);
	/* Those of an emptied one are going to leave it. */
	if (!mask_is_empty(&cs->cpus) && !mask_is_empty(&cs->mems)) {
		cpuset_apply(cs, restricted ? &cpus : NULL);
		cpuset_migrate(cs, &mems, NULL);
	}
	for (cs = cpuset_first_child(cs); cs; cs = cpuset_next_sibling(cs))
		shrink(cs, old_root);
}

static bool is_usable(const struct cpuset *cs)
{
	return !mask_is_empty(&cs->cpus) && !mask_is_empty(&cs->mems);
}

static void move_out(struct cpuset *cs)
{
	struct cpuset *to = cs;
	char path[256];
	int err;

	if (cs->occupied && !is_usable(cs)) {
		do
			to = cpuset_parent(to);
		while (!is_usable(to) && !cpuset_is_root(to));
		err = cgroup_transfer_tasks(to->css.cgroup, cs->css.cgroup);
		if (err && cgroup_path(cs->css.cgroup, path, sizeof(path)) > 0)
			cgroup_log(cs->ctx->ss, LOG_ERR,
				   "cpuset %s has no CPU or no memory node any more, and its tasks "
				   "cannot be moved out: %s",
				   path, strerror(-err));
	}
	for (cs = cpuset_first_child(cs); cs; cs = cpuset_next_sibling(cs))
		move_out(cs);
}

static void take_in(struct cpuset_ctx *ctx)
{
	struct cpuset *root = ctx->root;
	struct mask cpus, mems, old = root->cpus;

	if (ctx->world->online(ctx->world->arg, &cpus, &mems))
		return;
	if (mask_equal(&cpus, &root->cpus) && mask_equal(&mems, &root->mems))
		return;
	root->cpus = cpus;
	root->mems = mems;
	for (struct cpuset *cs = cpuset_first_child(root); cs; cs = cpuset_next_sibling(cs))
		shrink(cs, &old);
	move_out(root);
}

static void on_news(struct cgroup_subsys *ss, int fd)
{
	struct cpuset_ctx *ctx = ss->private_data;

	if (ctx->world->hotplug_news(ctx->world->arg, fd))
		take_in(ctx);
}

/* The kernel tells before it is done, so who has taken a CPU offline finds it gone. */
void cpuset_look_at_system(struct cpuset_ctx *ctx)
{
	if (ctx->hotplug_fd < 0 || ctx->world->hotplug_news(ctx->world->arg, ctx->hotplug_fd))
		take_in(ctx);
}

void cpuset_listen(struct cpuset_ctx *ctx)
{
	int err, fd = ctx->world->hotplug_open(ctx->world->arg);

	err = fd < 0 ? fd : cgroup_watch_fd(ctx->ss, fd, on_news);
	if (!err) {
		ctx->hotplug_fd = fd;
	} else {
		if (fd >= 0)
			close(fd);
		cgroup_log(
			ctx->ss, LOG_WARNING,
			"cpuset: CPUs that come or go are noticed only when a cpuset is used: %s",
			strerror(-err));
	}
	take_in(ctx);
}

void cpuset_unlisten(struct cpuset_ctx *ctx)
{
	if (ctx->hotplug_fd < 0)
		return;
	cgroup_watch_fd(ctx->ss, ctx->hotplug_fd, NULL);
	close(ctx->hotplug_fd);
	ctx->hotplug_fd = -1;
}
