// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * base_files.c - the files every cgroup has: tasks, cgroup.procs and the settings of release.
 */
#include <fcntl.h>

#include <core/internal.h>

static struct open_file *open_file(struct cgroup_file *file)
{
	return (struct open_file *)file;
}

/* Appends N in decimal and a newline; how many bytes. */
static size_t put_pid(char *p, pid_t n)
{
	char digits[12];
	size_t len = 0, i = 0;

	do {
		digits[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (len)
		p[i++] = digits[--len];
	p[i++] = '\n';
	return i;
}

/* One atomic picture per open: it is taken here, whole, and reads hand it out. */
static int open_pids(struct cgroup_file *file)
{
	struct open_file *of = open_file(file);
	pid_t *pids;
	size_t n;
	int err;

	if ((file->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	err = cgroup_list(file->cgrp, file->cft->private_value, &pids, &n);
	if (err)
		return err;
	of->text = malloc(n * 11 + 1);
	if (!of->text) {
		free(pids);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		of->text_len += put_pid(of->text + of->text_len, pids[i]);
	free(pids);
	return 0;
}

static ssize_t read_pids(struct cgroup_file *file, char *buf, size_t size, off_t off)
{
	const struct open_file *of = open_file(file);

	if (off < 0)
		return -EINVAL;
	if ((size_t)off >= of->text_len)
		return 0;
	if (size > of->text_len - (size_t)off)
		size = of->text_len - (size_t)off;
	memcpy(buf, of->text + off, size);
	return (ssize_t)size;
}

static ssize_t write_pids(struct cgroup_file *file, const char *buf, size_t size, off_t off)
{
	const struct core_cred cred = {.tid = file->task.tid, .euid = file->euid};
	pid_t tid;
	int err = core_parse_tid(buf, size, &tid);

	(void)off;
	if (err)
		return err;
	err = file->cft->private_value ? core_attach_process(file->cgrp, tid, &cred) :
					 core_attach_task(file->cgrp, tid, &cred);
	return err ? err : (ssize_t)size;
}

static int read_notify(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cft;
	*val = cgroup_notify_on_release(cgrp);
	return 0;
}

static int write_notify(struct cgroup *cgrp, const struct cftype *cft, uint64_t val)
{
	(void)cft;
	cgroup_set_notify_on_release(cgrp, val != 0);
	return 0;
}

static int read_releasable(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cft;
	*val = cgroup_is_releasable(cgrp);
	return 0;
}

static int read_clone_children(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cft;
	*val = !!(cgrp->flags & CGRP_CLONE_CHILDREN);
	return 0;
}

static int write_clone_children(struct cgroup *cgrp, const struct cftype *cft, uint64_t val)
{
	(void)cft;
	cgrp->flags &= ~(unsigned int)CGRP_CLONE_CHILDREN;
	if (val)
		cgrp->flags |= CGRP_CLONE_CHILDREN;
	return 0;
}

static int read_agent(struct cgroup_file *file, struct cgroup_seq *seq)
{
	cgroup_seq_printf(seq, "%s\n", file->cgrp->h->release_agent);
	return 0;
}

static int write_agent(struct cgroup_file *file, const char *text)
{
	const struct core_cred cred = {.euid = file->euid, .owner = open_file(file)->owner};

	return hierarchy_set_release_agent(file->cgrp->h, text, &cred);
}

const struct cftype core_base_cftypes[] = {
	{
		.name = "tasks",
		.mode = 0644,
		.open = open_pids,
		.read = read_pids,
		.write = write_pids,
	},
	{
		.name = "cgroup.procs",
		.mode = 0644,
		.private_value = true, /* whole processes */
		.open = open_pids,
		.read = read_pids,
		.write = write_pids,
	},
	{
		.name = "notify_on_release",
		.read_u64 = read_notify,
		.write_u64 = write_notify,
	},
	{
		.name = "releasable",
		.read_u64 = read_releasable,
	},
	{
		.name = "cgroup.clone_children",
		.read_u64 = read_clone_children,
		.write_u64 = write_clone_children,
	},
	{
		.name = "release_agent",
		.flags = CFTYPE_ONLY_ON_ROOT,
		.read_seq = read_agent,
		.write_string = write_agent,
	},
	{.name = NULL},
};
