// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proc_text.c - the text of the files in the view of /proc.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <fs/internal.h>

/* Deep trees have long paths. -ENOMEM. */
static int put_path(FILE *out, const struct cgroup *cgrp)
{
	char small[4096], *buf = small;
	size_t size = sizeof(small);
	int len;

	while ((len = cgroup_path(cgrp, buf, size)) == -ENAMETOOLONG) {
		char *more = realloc(buf == small ? NULL : buf, size * 2);

		if (!more) {
			len = -ENOMEM;
			break;
		}
		buf = more;
		size *= 2;
	}
	if (len >= 0)
		fputs(buf, out);
	if (buf != small)
		free(buf);
	return len < 0 ? len : 0;
}

/* Subsystems nobody has mounted are in the default hierarchy, number 0, which has only a root. */
int proc_text_cgroups(struct fs *fs, FILE *out)
{
	struct core *core = fs->config.core;
	struct cgroup_subsys *ss;

	fputs("#subsys_name\thierarchy\tnum_cgroups\tenabled\n", out);
	for (unsigned int id = 0; (ss = core_subsys(core, id)); id++) {
		struct hierarchy *h = core_subsys_hierarchy(core, id);

		fprintf(out, "%s\t%" PRIu32 "\t%zu\t1\n", ss->name, hierarchy_id(h),
			hierarchy_n_cgroups(h));
	}
	return 0;
}

/* ---- mounts -------------------------------------------------------------------------------- */

struct mounts_text {
	struct fs *fs;
	FILE *out;
	int err;
};

static void put_mount(void *arg, const struct mountinfo *mi)
{
	struct mounts_text *t = arg;
	struct fs_mount *m = fs_find(t->fs, mi->dev);
	char *options;

	if (!m || !m->h)
		return;
	options = hierarchy_options(m->h);
	if (!options) {
		t->err = -ENOMEM;
		return;
	}
	/* A superblock that is read-only makes all its mounts so. */
	if (!strncmp(mi->super_options, "ro", 2) && !strncmp(mi->options, "rw", 2))
		memcpy(mi->options, "ro", 2);
	fprintf(t->out, "%s %s cgroup %s%s%s 0 0\n", mi->source, mi->dir, mi->options,
		*options ? "," : "", options);
	free(options);
}

int proc_text_mounts(struct fs *fs, pid_t reader, FILE *out)
{
	struct mounts_text t = {.fs = fs, .out = out};
	char who[16] = "self";
	int err;

	if (reader)
		snprintf(who, sizeof(who), "%d", reader);
	err = mountinfo_each(who, put_mount, &t);
	return err ? err : t.err;
}

/* ---- debug --------------------------------------------------------------------------------- */

static void put_hierarchy(FILE *out, const struct hierarchy *h)
{
	fprintf(out,
		"hierarchy %" PRIu32 ": label %s root %" PRIu64 " bits %#" PRIx64
		" cgroups %zu mounts %u releases %zu\n",
		hierarchy_id(h), hierarchy_label(h), cgroup_serial(hierarchy_root(h)),
		hierarchy_subsys_mask(h), hierarchy_n_cgroups(h), hierarchy_n_mounts(h),
		core_releases_pending(h));
}

static void put_cset(void *arg, const struct core_cset_info *info)
{
	fprintf(arg, "css_set %" PRIu32 ": tasks %" PRIu64 " references %u\n", info->id,
		info->n_tasks, info->refs);
}

int proc_text_debug(struct fs *fs, FILE *out)
{
	struct core *core = fs->config.core;
	struct hierarchy *h = NULL;

	core_settle(core);
	while ((h = core_hierarchy_next(core, h)))
		put_hierarchy(out, h);
	core_each_cset(core, put_cset, out);
	return 0;
}

/* ---- tasks --------------------------------------------------------------------------------- */

static void put_subsystems(FILE *out, const struct hierarchy *h)
{
	uint64_t mask = hierarchy_subsys_mask(h);
	const char *comma = "";

	for (unsigned int id = 0; id < CORE_MAX_SUBSYS; id++) {
		if (!(mask >> id & 1))
			continue;
		fprintf(out, "%s%s", comma, core_subsys(hierarchy_core(h), id)->name);
		comma = ",";
	}
	if (*hierarchy_name(h))
		fprintf(out, "%sname=%s", comma, hierarchy_name(h));
}

/* A zombie is in no cgroup any more; the kernel's own file shows the root then. */
static int put_task_path(FILE *out, struct core *core, pid_t tid, struct hierarchy *h)
{
	struct cgroup *cgrp;
	int err = core_task_cgroup(core, tid, h, &cgrp);

	if (err == -ESRCH) {
		cgrp = hierarchy_root(h);
		err = 0;
	}
	if (!err)
		err = put_path(out, cgrp);
	if (!err)
		fputc('\n', out);
	return err;
}

int proc_text_task_cgroup(struct fs *fs, pid_t tid, FILE *out)
{
	struct core *core = fs->config.core;
	struct hierarchy *h = NULL;
	int err = 0;

	while (!err && (h = core_hierarchy_next(core, h))) {
		fprintf(out, "%" PRIu32 ":", hierarchy_id(h));
		put_subsystems(out, h);
		fputc(':', out);
		err = put_task_path(out, core, tid, h);
	}
	return err;
}

int proc_text_task_cpuset(struct fs *fs, pid_t tid, FILE *out)
{
	struct core *core = fs->config.core;
	struct cgroup_subsys *ss;
	struct hierarchy *h;

	for (unsigned int id = 0; (ss = core_subsys(core, id)); id++) {
		if (strcmp(ss->name, "cpuset"))
			continue;
		h = core_subsys_hierarchy(core, id);
		if (hierarchy_id(h))
			return put_task_path(out, core, tid, h);
		break;
	}
	/* Nobody has mounted it: all tasks are in its only cgroup. */
	fputs("/\n", out);
	return 0;
}
