// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ops_groups.c - operations on groups: making, removing and renaming, references, settings, open
 * files, delivery of releases.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "property.h"

static const struct core_cred root_cred = {.euid = 0, .owner = true};

int pick_group(const struct prop *p, uint32_t r)
{
	int n = 0;

	for (int g = 0; g < M_GROUPS; g++)
		n += p->m.groups[g].used;
	if (!n)
		return -1;
	n = (int)(r % (uint32_t)n);
	for (int g = 0; g < M_GROUPS; g++)
		if (p->m.groups[g].used && !n--)
			return g;
	return -1;
}

int pick_below(const struct prop *p, uint32_t r)
{
	int n = 0;

	for (int g = M_HIERARCHIES; g < M_GROUPS; g++)
		n += p->m.groups[g].used;
	if (!n)
		return -1;
	n = (int)(r % (uint32_t)n);
	for (int g = M_HIERARCHIES; g < M_GROUPS; g++)
		if (p->m.groups[g].used && !n--)
			return g;
	return -1;
}

static bool bound(const struct prop *p, int g, int s)
{
	return p->m.hierarchies[p->m.groups[g].h].mask & (1u << s);
}

/* ---- mkdir, rmdir, rename ---- */

static const char *pick_name(uint32_t r)
{
	static const char *const names[] = {"a", "b", "c",     "d",   "e",  "f",
					    "g", "h", "tasks", "x\n", "..", ""};

	return names[r / 4 % 8 ? r % 8 : r % 12];
}

static int name_error(const struct prop *p, int parent, const char *name)
{
	if (!*name || strchr(name, '\n') || !strcmp(name, ".."))
		return -EINVAL;
	if (m_child(&p->m, parent, name) >= 0 || !strcmp(name, "tasks"))
		return -EEXIST;
	return 0;
}

static int set_errors(struct prop *p, uint32_t r, int g)
{
	struct prop_subsys *ps = &p->ss[r / 8 % M_SUBSYS];

	if (r % 8 == 0)
		ps->create_err = -EDOM;
	else if (r % 8 == 1)
		ps->populate_err = -ENOSPC;
	return bound(p, g, r / 8 % M_SUBSYS) ? ps->create_err + ps->populate_err : 0;
}

static void clear_errors(struct prop *p)
{
	for (int s = 0; s < M_SUBSYS; s++)
		p->ss[s].create_err = p->ss[s].populate_err = p->ss[s].pre_destroy_err = 0;
}

static void do_mkdir(struct prop *p, const struct op *op)
{
	int parent = pick_group(p, op->r[0]), want, err, g;
	const char *name = pick_name(op->r[1]);
	struct cgroup *cgrp = NULL;
	char path[256];

	if (parent < 0)
		return;
	for (g = M_HIERARCHIES; g < M_GROUPS && p->m.groups[g].used; g++)
		;
	if (g == M_GROUPS)
		return;
	want = name_error(p, parent, name);
	err = set_errors(p, op->r[2], parent);
	want = want ? want : err;
	m_path(&p->m, parent, path, sizeof(path));
	prop_say(p, "%s: \"%s\" in %d:%s%s", p->op_name, name, p->m.groups[parent].h, path,
		 err ? ", a subsystem fails" : "");
	err = cgroup_mkdir(p->m.groups[parent].cgrp, name, 0755, 0, 0, &cgrp);
	clear_errors(p);
	EXPECT(p, err == want, "mkdir answers %d, not %d", err, want);
	if (!err)
		check_light(p, m_group_add(&p->m, parent, name, cgrp));
	check_light(p, parent);
	p->n_done[op->kind]++;
	p->n_refused[op->kind] += err != 0;
}

static void do_rmdir(struct prop *p, const struct op *op)
{
	int g = pick_group(p, op->r[0]), want = 0, err, parent;
	int s = (int)(op->r[1] / 8 % M_SUBSYS);
	char path[256];

	for (int i = 0; i < M_GROUPS && op->r[1] / 64 % 4; i++) { /* mostly one that can go */
		int idle = (int)((op->r[0] + (uint32_t)i) % M_GROUPS);

		if (idle < M_HIERARCHIES || !p->m.groups[idle].used || !m_is_idle(&p->m, idle))
			continue;
		g = idle;
		break;
	}
	if (g < 0)
		return;
	parent = p->m.groups[g].parent;
	if (op->r[1] % 8 == 0)
		p->ss[s].pre_destroy_err = -EDOM;
	if (parent < 0 || m_has_tasks(&p->m, g) || m_children(&p->m, g))
		want = -EBUSY;
	else if (p->ss[s].pre_destroy_err && bound(p, g, s))
		want = -EDOM;
	else if (!m_is_idle(&p->m, g))
		want = -EBUSY;
	m_path(&p->m, g, path, sizeof(path));
	prop_say(p, "%s: %d:%s", p->op_name, p->m.groups[g].h, path);
	p->rebuild_left = 0; /* what is expected is decided */
	err = cgroup_rmdir(p->m.groups[g].cgrp);
	clear_errors(p);
	EXPECT(p, err == want, "rmdir answers %d, not %d", err, want);
	if (!err) {
		m_group_remove(&p->m, g);
		check_light(p, parent);
	} else {
		check_light(p, g);
	}
	settled(p);
	p->n_done[op->kind]++;
	p->n_refused[op->kind] += err != 0;
}

static void do_rename(struct prop *p, const struct op *op)
{
	int g = pick_below(p, op->r[0]), want, err;
	const char *name = pick_name(op->r[1]);
	char path[256];

	if (g < 0)
		return;
	want = name_error(p, p->m.groups[g].parent, name);
	m_path(&p->m, g, path, sizeof(path));
	prop_say(p, "%s: %d:%s to \"%s\"", p->op_name, p->m.groups[g].h, path, name);
	err = cgroup_rename(p->m.groups[g].cgrp, name);
	EXPECT(p, err == want, "rename answers %d, not %d", err, want);
	if (!err)
		snprintf(p->m.groups[g].name, M_NAME, "%s", name);
	check_light(p, g);
	p->n_done[op->kind]++;
	p->n_refused[op->kind] += err != 0;
}

/* ---- references ---- */

/* The Nth reference there is; how many there are. */
static int find_ref(const struct prop *p, int nth, int *group, int *subsys)
{
	int n = 0;

	for (int g = M_HIERARCHIES; g < M_GROUPS; g++) {
		for (int s = 0; s < M_SUBSYS && p->m.groups[g].used; s++) {
			if (nth >= n && nth < n + p->m.groups[g].refs[s]) {
				*group = g;
				*subsys = s;
			}
			n += p->m.groups[g].refs[s];
		}
	}
	return n;
}

static void do_ref(struct prop *p, const struct op *op)
{
	int g = pick_below(p, op->r[0]), s = (int)(op->r[1] % M_SUBSYS);
	int n = find_ref(p, -1, NULL, NULL);
	struct m_group *mg;
	struct prop_css *pc;
	char path[256];

	if (op->kind == OP_PUT && n)
		find_ref(p, (int)(op->r[0] % (uint32_t)n), &g, &s);
	if (g < 0 || !bound(p, g, s) || (op->kind == OP_PUT ? !n : n > 8))
		return;
	mg = &p->m.groups[g];
	pc = prop_css_of(mg->cgrp, &p->ss[s]);
	m_path(&p->m, g, path, sizeof(path));
	prop_say(p, "%s: %d:%s, subsystem %s", p->op_name, mg->h, path, p->ss[s].name);
	if (op->kind == OP_PUT) {
		css_put(&pc->css);
		m_refs(&p->m, g, s, -1);
	} else {
		/*
		 * A group that became idle unnoticed and untold, and is referenced before anybody
		 * looks: whether that was an idle time nobody can say. So look.
		 */
		if (mg->idle && !mg->notify) {
			core_settle(p->fw->core);
			settled(p);
		}
		if (op->r[2] % 2)
			EXPECT(p, css_tryget(&pc->css), "tryget fails");
		else
			css_get(&pc->css);
		m_refs(&p->m, g, s, 1);
	}
	check_light(p, g);
	p->n_done[op->kind]++;
}

/* ---- settings ---- */

static ssize_t write_file(struct prop *p, int g, const char *name, const char *text)
{
	struct cgroup *cgrp = p->m.groups[g].cgrp;
	const struct cftype *cft = cgroup_file_lookup(cgrp, name, strlen(name));
	struct cgroup_file *file;
	ssize_t n;

	EXPECT(p, cft, "there is no file %s", name);
	EXPECT(p, !core_file_open(cgrp, cft, O_WRONLY, &root_cred, &file), "open %s", name);
	n = core_file_write(file, text, strlen(text), 0, &root_cred);
	core_file_release(file);
	return n;
}

static void do_setting(struct prop *p, const struct op *op)
{
	static const char *const files[] = {"notify_on_release", "cgroup.clone_children"};
	int g = pick_group(p, op->r[0]);
	const char *file = files[op->kind == OP_CLONE_CHILDREN];
	const char *text = op->r[1] % 4 == 0 ? "0" : op->r[1] % 16 == 1 ? "junk" : "1";
	ssize_t want = *text == 'j' ? -EINVAL : 1, n;
	char path[256];

	if (g < 0)
		return;
	m_path(&p->m, g, path, sizeof(path));
	prop_say(p, "%s: %s to %d:%s", p->op_name, text, p->m.groups[g].h, path);
	n = write_file(p, g, file, text);
	EXPECT(p, n == want, "the write answers %zd, not %zd", n, want);
	if (n == 1 && op->kind == OP_NOTIFY) {
		settled(p);
		p->m.groups[g].notify = *text == '1';
		p->m.groups[g].releasable = false;
	} else if (n == 1) {
		p->m.groups[g].clone_children = *text == '1';
	}
	check_light(p, g);
	p->n_done[op->kind]++;
	p->n_refused[op->kind] += n < 0;
}

static void do_set_u(struct prop *p, const struct op *op)
{
	int g = pick_group(p, op->r[0]), s = (int)(op->r[1] % M_SUBSYS);
	char name[16], text[16];

	if (g < 0 || !bound(p, g, s))
		return;
	snprintf(name, sizeof(name), "%s.%s", p->ss[s].name, p->ss[s].file_name);
	if (p->m.hierarchies[p->m.groups[g].h].noprefix)
		strcpy(name, p->ss[s].file_name);
	snprintf(text, sizeof(text), "%u", op->r[2]);
	prop_say(p, "%s: %s = %s", p->op_name, name, text);
	EXPECT(p, write_file(p, g, name, text) == (ssize_t)strlen(text), "write of %s", name);
	if (g < M_HIERARCHIES)
		p->m.root_u[s] = op->r[2];
	else
		p->m.groups[g].u[s] = op->r[2];
	p->n_done[op->kind]++;
}

/* ---- delivery ---- */

static int group_of(const struct prop *p, const struct cgroup *cgrp)
{
	for (int g = 0; g < M_GROUPS; g++)
		if (p->m.groups[g].used && p->m.groups[g].cgrp == cgrp)
			return g;
	return -1;
}

static void do_deliver(struct prop *p, const struct op *op)
{
	int h = pick_hierarchy(p, op->r[0]);
	struct m_delivery d = {.h = h};
	struct hierarchy *ch;
	struct cgroup *cgrp;
	const char *why = "";
	int limit = 3 * M_GROUPS;

	if (h < 0)
		return;
	ch = p->m.hierarchies[h].h;
	prop_say(p, "%s: hierarchy %d%s", p->op_name, h, op->r[1] % 2 ? ", removing" : "");
	for (;;) {
		int g;
		char path[256];

		cgrp = core_release_next(ch);
		settled(p);
		if (!cgrp)
			break;
		g = group_of(p, cgrp);
		EXPECT(p, g >= M_HIERARCHIES, "released: a group that is not there");
		EXPECT(p, p->m.groups[g].h == h, "released: a group of another hierarchy");
		EXPECT(p, limit-- > 0, "releases without end");
		m_path(&p->m, g, path, sizeof(path));
		prop_say(p, "  released: %s", path);
		if (!m_delivered(&p->m, &d, g, &why))
			prop_fail(p, "released: %s: %s", path, why);
		p->n_delivered++;
		if (op->r[1] % 2) { /* as builtin:rmdir does */
			EXPECT(p, !cgroup_rmdir(cgrp), "rmdir of the released %s", path);
			m_group_remove(&p->m, g);
			d.at = 0; /* its parent's turn may come in between */
		}
	}
	if (!m_delivered(&p->m, &d, -1, &why)) {
		char path[256];

		m_path(&p->m, d.missing, path, sizeof(path));
		prop_fail(p, "%d:%s: %s", h, path, why);
	}
	EXPECT(p, !core_releases_pending(ch), "something is still queued");
	p->n_done[op->kind]++;
}

/* ---- cgroup_clone ---- */

static void do_clone(struct prop *p, const struct op *op)
{
	int s = (int)(op->r[1] % M_SUBSYS), h, g, parent, err, want = 0;
	struct cgroup_task task = {.tid = 0};
	char name[M_NAME];
	pid_t tid;

	/* The model follows afterwards, so let nothing happen meanwhile. */
	core_settle(p->fw->core);
	settled(p);
	p->rebuild_left = 0;
	tid = task.tid = pick_tid(p, M_ALIVE, op->r[0]);
	h = m_hierarchy_of(&p->m, s);
	for (g = M_HIERARCHIES; g < M_GROUPS && p->m.groups[g].used; g++)
		;
	if (!tid || g == M_GROUPS)
		return;
	task.tgid = p->m.tasks[tid].tgid;
	snprintf(name, sizeof(name), "node_%d", tid);
	prop_say(p, "%s: %d, subsystem %s", p->op_name, tid, p->ss[s].name);
	if (h < 0) {
		EXPECT(p, !cgroup_clone(&task, &p->ss[s].ss), "clone without a hierarchy");
		return;
	}
	parent = p->m.tasks[tid].group[h];
	want = m_child(&p->m, parent, name) >= 0 ? -EEXIST : set_errors(p, op->r[2], parent);
	if (!want && p->m.tasks[tid].fixed)
		want = -EINVAL;
	err = cgroup_clone(&task, &p->ss[s].ss);
	clear_errors(p);
	EXPECT(p, err == want, "clone answers %d, not %d", err, want);
	if (!err) {
		struct cgroup *cgrp = cgroup_lookup(p->m.groups[parent].cgrp, name, strlen(name));

		EXPECT(p, cgrp, "there is no %s", name);
		g = m_group_add(&p->m, parent, name, cgrp);
		for (int i = 0; i < M_SUBSYS; i++)
			p->m.groups[g].u[i] = parent < M_HIERARCHIES ? p->m.root_u[i] :
								       p->m.groups[parent].u[i];
		m_enter(&p->m, tid, g);
		check_light(p, g);
		check_moved(p, tid);
	} else if (p->m.tasks[tid].fixed && err == -EINVAL) {
		p->m.groups[parent].releasable = true; /* it was made, and went again */
		p->m.groups[parent].occupied = true;
		m_look(&p->m, false);
	}
	settled(p);
	p->n_done[op->kind]++;
	p->n_refused[op->kind] += err != 0;
}

/* ---- open files ---- */

static char *picture_of(const struct prop *p, int g)
{
	int h = p->m.groups[g].h;
	char *text;
	size_t len = 0;

	if (m_count(&p->m, g, M_DYING))
		return NULL; /* they may be listed, or not any more */
	text = calloc(1, M_TIDS * 5);
	for (pid_t tid = 1; tid < M_TIDS && text; tid++)
		if (p->m.tasks[tid].state == M_ALIVE && p->m.tasks[tid].group[h] == g)
			len += sprintf(text + len, "%d\n", tid);
	return text;
}

static void do_open(struct prop *p, const struct op *op)
{
	struct prop_file *f = &p->files[op->r[1] % P_FILES];
	int g = pick_group(p, op->r[0]);
	struct cgroup *cgrp;

	if (g < 0 || f->file)
		return;
	cgrp = p->m.groups[g].cgrp;
	prop_say(p, "%s: tasks of group %d", p->op_name, g);
	EXPECT(p,
	       !core_file_open(cgrp, cgroup_file_lookup(cgrp, "tasks", 5), O_RDWR, &root_cred,
			       &f->file),
	       "open fails");
	settled(p);
	f->serial = p->m.groups[g].serial;
	f->picture = picture_of(p, g);
	p->n_done[op->kind]++;
}

static void do_read(struct prop *p, const struct op *op)
{
	struct prop_file *f = &p->files[op->r[1] % P_FILES];
	char buf[M_TIDS * 5 + 1];
	bool there = false;
	ssize_t n;

	if (!f->file)
		return;
	for (int g = 0; g < M_GROUPS; g++)
		there |= p->m.groups[g].used && p->m.groups[g].serial == f->serial;
	n = core_file_read(f->file, buf, sizeof(buf) - 1, 0, &root_cred);
	prop_say(p, "%s: %zd", p->op_name, n);
	if (!there) {
		EXPECT(p, n == -ENODEV, "a read of a removed group answers %zd", n);
		EXPECT(p, core_file_write(f->file, "1", 1, 0, &root_cred) == -ENODEV,
		       "a write to a removed group");
	} else {
		EXPECT(p, n >= 0, "a read answers %zd", n);
		buf[n] = '\0';
		EXPECT(p, !f->picture || !strcmp(buf, f->picture),
		       "the picture of the tasks has changed: [%s], not [%s]", buf, f->picture);
	}
	p->n_done[op->kind]++;
	p->n_refused[op->kind] += !there;
}

static void do_close(struct prop *p, const struct op *op)
{
	struct prop_file *f = &p->files[op->r[1] % P_FILES];

	if (!f->file)
		return;
	core_file_release(f->file);
	free(f->picture);
	*f = (struct prop_file){.file = NULL};
	p->n_done[op->kind]++;
}

void op_group(struct prop *p, const struct op *op)
{
	switch (op->kind) {
	case OP_MKDIR:
		do_mkdir(p, op);
		break;
	case OP_RMDIR:
		do_rmdir(p, op);
		break;
	case OP_RENAME:
		do_rename(p, op);
		break;
	case OP_GET:
	case OP_PUT:
		do_ref(p, op);
		break;
	case OP_NOTIFY:
	case OP_CLONE_CHILDREN:
		do_setting(p, op);
		break;
	case OP_SET_U:
		do_set_u(p, op);
		break;
	case OP_DELIVER:
		do_deliver(p, op);
		break;
	case OP_CLONE:
		do_clone(p, op);
		break;
	case OP_OPEN:
		do_open(p, op);
		break;
	case OP_READ:
		do_read(p, op);
		break;
	case OP_CLOSE:
		do_close(p, op);
		break;
	}
}
