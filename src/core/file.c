// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - control files: which a cgroup has, and how a read or write reaches a cftype's callbacks.
 */
#include <stdio.h>

#include <core/internal.h>

/* ---- the registry ------------------------------------------------------------------------------ */

static unsigned int number_of(const struct core *core, const struct cftype *cft)
{
	for (unsigned int i = 1; i < core->n_cftypes; i++)
		if (core->cftypes[i].cft == cft)
			return i;
	return 0;
}

unsigned int core_cftype_number(struct core *core, const struct cftype *cft)
{
	return number_of(core, cft);
}

static bool name_ok(const struct cgroup_subsys *ss, const char *name)
{
	size_t prefix = ss ? strlen(ss->name) + 1 : 0;

	return *name && !strpbrk(name, "/\n") && strcmp(name, ".") && strcmp(name, "..") &&
	       prefix + strlen(name) <= CORE_NAME_MAX;
}

int core_add_cftypes(struct core *core, struct cgroup_subsys *ss, const struct cftype *cfts)
{
	unsigned int n = core->n_cftypes;

	for (; cfts->name; cfts++) {
		if (n == CORE_MAX_CFTYPES)
			return -ENOSPC;
		if (!name_ok(ss, cfts->name))
			return -EINVAL;
		core->cftypes[n].cft = cfts;
		core->cftypes[n].ss = ss;
		n++;
	}
	core->n_cftypes = n;
	return 0;
}

static bool shown_on(const struct cftype *cft, const struct cgroup *cgrp)
{
	return !(cft->flags & CFTYPE_ONLY_ON_ROOT && cgrp->parent) &&
	       !(cft->flags & CFTYPE_NOT_ON_ROOT && !cgrp->parent);
}

mode_t cftype_mode(const struct cftype *cft)
{
	bool reads = cft->read || cft->read_u64 || cft->read_s64 || cft->read_seq;
	bool writes = cft->write || cft->write_u64 || cft->write_s64 || cft->write_string;

	if (cft->mode)
		return cft->mode;
	return (reads ? 0444 : 0) | (writes ? 0200 : 0);
}

static struct extra_file *find_extra(const struct cgroup *cgrp, const struct cftype *cft)
{
	struct extra_file *x;

	if (!cgrp->extra)
		return NULL;
	SLIST_FOREACH(x, &cgrp->extra->files, link)
		if (x->cft == cft)
			return x;
	return NULL;
}

static bool has_file(const struct cgroup *cgrp, const struct cftype *cft, struct cgroup_subsys *ss)
{
	if (find_extra(cgrp, cft))
		return true;
	if (ss && (!(cgrp->h->subsys_mask & (1ull << ss->id)) || !ss->cftypes))
		return false;
	for (const struct cftype *c = ss ? ss->cftypes : core_base_cftypes; c->name; c++)
		if (c == cft)
			return shown_on(cft, cgrp);
	return false;
}

const struct cftype *cgroup_file_by_number(const struct cgroup *cgrp, unsigned int number)
{
	const struct core *core;
	const struct cftype_entry *e;

	if (cgrp->flags & CGRP_DEAD)
		return NULL;
	core = cgrp->h->core;
	if (!number || number >= core->n_cftypes)
		return NULL;
	e = &core->cftypes[number];
	return has_file(cgrp, e->cft, e->ss) ? e->cft : NULL;
}

const struct cftype *cgroup_file_at(const struct cgroup *cgrp, size_t index)
{
	struct cgroup_subsys *ss;
	struct extra_file *x;

	if (cgrp->flags & CGRP_DEAD)
		return NULL;
	for (const struct cftype *c = core_base_cftypes; c->name; c++)
		if (shown_on(c, cgrp) && !index--)
			return c;
	for (int id = -1; (ss = hierarchy_next_subsys(cgrp->h, &id));)
		for (const struct cftype *c = ss->cftypes; c && c->name; c++)
			if (shown_on(c, cgrp) && !index--)
				return c;
	if (cgrp->extra)
		SLIST_FOREACH(x, &cgrp->extra->files, link)
			if (!index--)
				return x->cft;
	return NULL;
}

static bool has_name(const struct cftype *cfts, const char *name)
{
	for (; cfts && cfts->name; cfts++)
		if (!strcmp(cfts->name, name))
			return true;
	return false;
}

/* Is there another file that, without its prefix, is called like SS' file NAME? */
static bool is_ambiguous(const struct cgroup *cgrp, const struct cgroup_subsys *ss,
			 const char *name)
{
	const struct cgroup_subsys *other;
	const struct extra_file *x;

	if (has_name(core_base_cftypes, name))
		return true;
	for (int id = -1; (other = hierarchy_next_subsys(cgrp->h, &id));)
		if (other != ss && has_name(other->cftypes, name))
			return true;
	if (cgrp->extra)
		SLIST_FOREACH(x, &cgrp->extra->files, link)
			if (x->ss != ss && !strcmp(x->cft->name, name))
				return true;
	return false;
}

/* With `noprefix` files that nobody could tell apart keep theirs. */
static bool has_prefix(const struct cgroup *cgrp, const struct cgroup_subsys *ss,
		       const struct cftype *cft)
{
	if (!ss || cft->flags & CFTYPE_NO_PREFIX)
		return false;
	return !cgrp->h->noprefix || is_ambiguous(cgrp, ss, cft->name);
}

void cgroup_file_name(const struct cgroup *cgrp, const struct cftype *cft, char *buf, size_t size)
{
	const struct core *core = cgrp->h->core;
	unsigned int number = number_of(core, cft);
	const struct cgroup_subsys *ss = core->cftypes[number].ss;

	if (has_prefix(cgrp, ss, cft))
		snprintf(buf, size, "%s.%s", ss->name, cft->name);
	else
		snprintf(buf, size, "%s", cft->name);
}

static bool is_called(const struct cftype *cft, const char *name, size_t len)
{
	return !strncmp(cft->name, name, len) && !cft->name[len];
}

static bool is_named(const struct cgroup *cgrp, const struct cgroup_subsys *ss,
		     const struct cftype *cft, const char *name, size_t len)
{
	size_t prefix = ss ? strlen(ss->name) : 0;

	if (is_called(cft, name, len))
		return !has_prefix(cgrp, ss, cft);
	if (!ss || len <= prefix || memcmp(name, ss->name, prefix) || name[prefix] != '.')
		return false;
	return is_called(cft, name + prefix + 1, len - prefix - 1) && has_prefix(cgrp, ss, cft);
}

static const struct cftype *lookup_among(const struct cgroup *cgrp, const struct cgroup_subsys *ss,
					 const struct cftype *cfts, const char *name, size_t len)
{
	for (; cfts && cfts->name; cfts++)
		if (shown_on(cfts, cgrp) && is_named(cgrp, ss, cfts, name, len))
			return cfts;
	return NULL;
}

const struct cftype *cgroup_file_lookup(const struct cgroup *cgrp, const char *name, size_t len)
{
	const struct cftype *cft;
	struct cgroup_subsys *ss;
	struct extra_file *x;

	if (cgrp->flags & CGRP_DEAD)
		return NULL;
	cft = lookup_among(cgrp, NULL, core_base_cftypes, name, len);
	for (int id = -1; !cft && (ss = hierarchy_next_subsys(cgrp->h, &id));)
		cft = lookup_among(cgrp, ss, ss->cftypes, name, len);
	if (cft || !cgrp->extra)
		return cft;
	SLIST_FOREACH(x, &cgrp->extra->files, link)
		if (is_named(cgrp, x->ss, x->cft, name, len))
			return x->cft;
	return NULL;
}

int cgroup_add_file(struct cgroup *cgrp, struct cgroup_subsys *ss, const struct cftype *cft)
{
	struct core *core = cgrp->h->core;
	struct cgroup_extra *extra = cgroup_extra_get(cgrp);
	struct extra_file *x;
	char name[256];

	if (!name_ok(ss, cft->name))
		return -EINVAL;
	if (!extra)
		return -ENOMEM;
	if (find_extra(cgrp, cft))
		return -EEXIST;
	if (!number_of(core, cft)) {
		if (core->n_cftypes == CORE_MAX_CFTYPES)
			return -ENOSPC;
		core->cftypes[core->n_cftypes].cft = cft;
		core->cftypes[core->n_cftypes++].ss = ss;
	}
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->cft = cft;
	x->ss = ss;
	cgroup_file_name(cgrp, cft, name, sizeof(name));
	if (cgroup_file_lookup(cgrp, name, strlen(name)) ||
	    cgroup_lookup(cgrp, name, strlen(name))) {
		free(x);
		return -EEXIST;
	}
	SLIST_INSERT_HEAD(&extra->files, x, link);
	return 0;
}

int cgroup_add_files(struct cgroup *cgrp, struct cgroup_subsys *ss, const struct cftype *cfts)
{
	for (; cfts->name; cfts++) {
		int err = cgroup_add_file(cgrp, ss, cfts);

		if (err)
			return err;
	}
	return 0;
}

void cgroup_drop_extra_files(struct cgroup *cgrp, const struct cgroup_subsys *ss)
{
	struct extra_file *x, *next;

	if (!cgrp->extra)
		return;
	for (x = SLIST_FIRST(&cgrp->extra->files); x; x = next) {
		next = SLIST_NEXT(x, link);
		if (x->ss != ss)
			continue;
		SLIST_REMOVE(&cgrp->extra->files, x, extra_file, link);
		free(x);
	}
}

/* ---- text ---------------------------------------------------------------------------------------- */

void cgroup_seq_write(struct cgroup_seq *seq, const void *data, size_t len)
{
	if (seq->err)
		return;
	if (seq->len + len > seq->cap) {
		size_t cap = seq->cap ? seq->cap : 256;
		char *buf;

		while (cap < seq->len + len)
			cap *= 2;
		buf = realloc(seq->buf, cap);
		if (!buf) {
			seq->err = -ENOMEM;
			return;
		}
		seq->buf = buf;
		seq->cap = cap;
	}
	memcpy(seq->buf + seq->len, data, len);
	seq->len += len;
}

void cgroup_seq_printf(struct cgroup_seq *seq, const char *fmt, ...)
{
	char small[256], *big = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		seq->err = -EINVAL;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		cgroup_seq_write(seq, small, (size_t)n);
		return;
	}
	va_start(ap, fmt);
	n = vasprintf(&big, fmt, ap);
	va_end(ap);
	if (n < 0) {
		seq->err = -ENOMEM;
		return;
	}
	cgroup_seq_write(seq, big, (size_t)n);
	free(big);
}

/* ---- open files ----------------------------------------------------------------------------------- */

/* The cgroup, and the file on it, are still there. */
static bool alive(const struct open_file *of)
{
	return !(of->f.cgrp->flags & CGRP_DEAD) && has_file(of->f.cgrp, of->f.cft, of->ss);
}

static int open_file(struct cgroup *cgrp, const struct cftype *cft, int flags,
		     const struct core_cred *cred, struct cgroup_file **file)
{
	struct core *core = cgrp->h->core;
	struct open_file *of = calloc(1, sizeof(*of));
	int err;

	if (!of)
		return -ENOMEM;
	of->core = core;
	of->ss = core->cftypes[number_of(core, cft)].ss;
	of->f.cgrp = cgrp;
	of->f.cft = cft;
	of->f.task.tid = cred->tid;
	of->f.euid = cred->euid;
	of->f.flags = flags;
	of->owner = cred->owner;
	err = cft->open ? cft->open(&of->f) : 0;
	if (err) {
		free(of->text);
		free(of);
		return err;
	}
	cgroup_hold(cgrp);
	*file = &of->f;
	return 0;
}

int core_file_open(struct cgroup *cgrp, const struct cftype *cft, int flags,
		   const struct core_cred *cred, struct cgroup_file **file)
{
	struct core *core;
	int err;

	if (cgrp->flags & CGRP_DEAD)
		return -ENODEV;
	core = cgrp->h->core;
	core_enter(core);
	err = open_file(cgrp, cft, flags, cred, file);
	core_leave(core);
	return err;
}

void core_file_release(struct cgroup_file *file)
{
	struct open_file *of = (struct open_file *)file;

	if (file->cft->release) {
		core_enter(of->core);
		file->cft->release(file);
		core_leave(of->core);
	}
	cgroup_unhold(file->cgrp);
	free(of->text);
	free(of);
}

static int make_text(struct open_file *of)
{
	struct cgroup_file *f = &of->f;
	struct cgroup_seq seq = {0};
	uint64_t u;
	int64_t s;
	int err;

	if (f->cft->read_u64) {
		err = f->cft->read_u64(f->cgrp, f->cft, &u);
		if (!err)
			cgroup_seq_printf(&seq, "%llu\n", (unsigned long long)u);
	} else if (f->cft->read_s64) {
		err = f->cft->read_s64(f->cgrp, f->cft, &s);
		if (!err)
			cgroup_seq_printf(&seq, "%lld\n", (long long)s);
	} else {
		err = f->cft->read_seq(f, &seq);
	}
	if (!err)
		err = seq.err;
	if (err) {
		free(seq.buf);
		return err;
	}
	free(of->text);
	of->text = seq.buf;
	of->text_len = seq.len;
	of->text_made = true;
	return 0;
}

static ssize_t read_file(struct cgroup_file *file, char *buf, size_t size, off_t off,
			 const struct core_cred *cred)
{
	struct open_file *of = (struct open_file *)file;
	const struct cftype *cft = file->cft;
	int err;

	if (!alive(of))
		return -ENODEV;
	file->task.tid = cred->tid;
	if (cft->read)
		return cft->read(file, buf, size, off);
	if (!cft->read_u64 && !cft->read_s64 && !cft->read_seq)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	/* A read sees what is now; one that goes on where the last one ended sees the same text. */
	if (off == 0 || off != of->text_at || !of->text_made) {
		err = make_text(of);
		if (err)
			return err;
	}
	of->text_at = off;
	if ((size_t)off >= of->text_len)
		return 0;
	if (size > of->text_len - (size_t)off)
		size = of->text_len - (size_t)off;
	memcpy(buf, of->text + off, size);
	of->text_at += (off_t)size;
	return (ssize_t)size;
}

ssize_t core_file_read(struct cgroup_file *file, char *buf, size_t size, off_t off,
		       const struct core_cred *cred)
{
	struct core *core = ((struct open_file *)file)->core;
	ssize_t n;

	core_enter(core);
	n = read_file(file, buf, size, off, cred);
	core_leave(core);
	return n;
}

static int write_string(struct cgroup_file *file, const char *buf, size_t size)
{
	static const char space[] = " \t\n\v\f\r";
	char text[PATH_MAX];
	size_t skip, len;

	if (memchr(buf, '\0', size))
		return -EINVAL;
	memcpy(text, buf, size);
	text[size] = '\0';
	skip = strspn(text, space);
	len = size;
	while (len > skip && strchr(space, text[len - 1]))
		text[--len] = '\0';
	return file->cft->write_string(file, text + skip);
}

static ssize_t write_file(struct cgroup_file *file, const char *buf, size_t size, off_t off,
			  const struct core_cred *cred)
{
	struct open_file *of = (struct open_file *)file;
	const struct cftype *cft = file->cft;
	uint64_t u;
	int64_t s;
	int err;

	if (!alive(of))
		return -ENODEV;
	if (!size)
		return 0;
	file->task.tid = cred->tid;
	if (size >= PATH_MAX)
		return -E2BIG;
	if (cft->write)
		return cft->write(file, buf, size, off);
	if (cft->write_u64) {
		err = core_parse_u64(buf, size, &u);
		if (!err)
			err = cft->write_u64(file->cgrp, cft, u);
	} else if (cft->write_s64) {
		err = core_parse_s64(buf, size, &s);
		if (!err)
			err = cft->write_s64(file->cgrp, cft, s);
	} else if (cft->write_string) {
		err = write_string(file, buf, size);
	} else {
		err = -EINVAL;
	}
	return err ? err : (ssize_t)size;
}

ssize_t core_file_write(struct cgroup_file *file, const char *buf, size_t size, off_t off,
			const struct core_cred *cred)
{
	struct core *core = ((struct open_file *)file)->core;
	ssize_t n;

	core_enter(core);
	n = write_file(file, buf, size, off, cred);
	core_leave(core);
	return n;
}
