// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * base_files.c - the files every cgroup has: tasks, cgroup.procs and the settings of release.
 */
#include <fcntl.h>

#include <core/internal.h>

/* Taken so often at most because somebody on the list has died. */
#define LIST_TRIES 20

static struct open_file *open_file(struct cgroup_file *file)
{
	return (struct open_file *)file;
}

/* The longest line: seven digits and a newline. */
#define LINE 8
_Static_assert(CORE_MAX_TID <= 10000000, "a tid has seven digits");

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
			    "25262728293031323334353637383940414243444546474849"
			    "50515253545556575859606162636465666768697071727374"
			    "75767778798081828384858687888990919293949596979899";

/* N in decimal to P, which has LINE bytes; how many digits. Nothing for 0. */
static size_t put_head(char *p, uint32_t n)
{
	char digits[LINE];
	size_t at = LINE;

	for (; n; n /= 100) {
		at -= 2;
		memcpy(&digits[at], &pairs[n % 100 * 2], 2);
	}
	at += at < LINE && digits[at] == '0';
	memcpy(p, &digits[at], LINE - at);
	return LINE - at;
}

/*
 * PIDS in decimal, one a line, to P, which has LINE bytes for each; how many bytes. All but the last two
 * digits are often those of the number before. LINE of them are copied, however many there are: what is
 * too much is written over.
 */
static size_t put_pids(char *p, const pid_t *pids, size_t n)
{
	char head[LINE] = {0};
	uint32_t head_of = 0; /* its number */
	size_t len = 0;
	char *start = p;

	for (size_t i = 0; i < n; i++) {
		uint32_t pid = (uint32_t)pids[i], rest = pid % 100;

		if (pid / 100 != head_of) {
			head_of = pid / 100;
			len = put_head(head, head_of);
		}
		memcpy(p, head, LINE);
		p += len;
		if (len || rest >= 10)
			*p++ = pairs[rest * 2];
		*p++ = pairs[rest * 2 + 1];
		*p++ = '\n';
	}
	return (size_t)(p - start);
}

static uint32_t pid_ns_of(const struct core *core, pid_t tid)
{
	return core->ops->pid_ns && tid ? core->ops->pid_ns(core->arg, tid) : 0;
}

/*
 * PIDS as READER calls them, who lives in another pid namespace; who has no number there is left out.
 * How many have died since they were listed.
 */
static int translate(struct core *core, pid_t reader, pid_t *pids, size_t *n)
{
	size_t n_named = 0;
	int n_gone = 0, err = core->ops->to_ns(core->arg, reader, pids, *n);

	if (err)
		return err;
	for (size_t i = 0; i < *n; i++) {
		if (pids[i] > 0)
			pids[n_named++] = pids[i];
		n_gone += pids[i] < 0;
	}
	*n = core_sort_pids(pids, n_named);
	return n_gone;
}

ssize_t cgroup_reader_pids(const struct cgroup_file *file, pid_t *pids, size_t n)
{
	struct core *core = ((const struct open_file *)file)->core;
	int err = 0;

	if (pid_ns_of(core, file->task.tid))
		err = translate(core, file->task.tid, pids, &n);
	else
		n = core_sort_pids(pids, n);
	return err < 0 ? err : (ssize_t)n;
}

static int list_pids(struct cgroup_file *file, uint32_t pid_ns, pid_t **pids, size_t *n)
{
	struct core *core = open_file(file)->core;
	int res = 1;

	/*
	 * A list that some have left and nobody could join may be of no moment there was, so it is
	 * taken again. A root's is of no single moment anyway.
	 */
	for (int tries = 0; res > 0 && tries < LIST_TRIES; tries++) {
		if (tries)
			free(*pids);
		res = cgroup_list(file->cgrp, file->cft->private_value, pids, n);
		if (res || !pid_ns)
			return res;
		res = translate(core, file->task.tid, *pids, n);
		if (!file->cgrp->parent)
			break;
	}
	if (res < 0)
		free(*pids);
	return res < 0 ? res : 0;
}

/* One atomic picture: it is taken here, whole, and reads hand it out. */
static int take_pids(struct cgroup_file *file)
{
	struct open_file *of = open_file(file);
	uint32_t pid_ns = pid_ns_of(of->core, file->task.tid);
	pid_t *pids;
	size_t n;
	int err = list_pids(file, pid_ns, &pids, &n);

	if (err)
		return err;
	of->pid_ns = pid_ns;
	free(of->text);
	of->text_len = 0;
	of->text = malloc(n * LINE + 1);
	if (!of->text) {
		free(pids);
		return -ENOMEM;
	}
	of->text_len = put_pids(of->text, pids, n);
	free(pids);
	return 0;
}

static int open_pids(struct cgroup_file *file)
{
	return (file->flags & O_ACCMODE) == O_WRONLY ? 0 : take_pids(file);
}

/* Who was handed the open file by somebody in another pid namespace gets a picture of his own. */
static ssize_t read_pids(struct cgroup_file *file, char *buf, size_t size, off_t off)
{
	const struct open_file *of = open_file(file);
	int err = 0;

	if (pid_ns_of(of->core, file->task.tid) != of->pid_ns)
		err = take_pids(file);
	if (err)
		return err;
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
	const struct core *core = open_file(file)->core;
	pid_t tid;
	int err = core_parse_tid(buf, size, &tid);

	(void)off;
	if (err)
		return err;
	if (tid && pid_ns_of(core, cred.tid)) {
		tid = core->ops->from_ns(core->arg, cred.tid, tid);
		if (!tid)
			return -ESRCH;
	}
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
