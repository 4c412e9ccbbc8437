// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ops_tasks.c - operations on tasks: fork, exit, exec, and moves with the world changing meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "property.h"

enum { FEW_TASKS = 12, MANY_TASKS = 34 };

/* ---- both worlds at once ---- */

void both_fork_begin(struct prop *p, pid_t parent, pid_t child, pid_t tgid)
{
	fw_fork_begin(p->fw, parent, child, tgid);
	m_fork_begin(&p->m, parent, child, tgid);
	if (p->target >= 0)
		p->saved[child] = p->m.tasks[child].group[p->m.groups[p->target].h];
}

void both_fork_end(struct prop *p, pid_t child)
{
	fw_fork_end(p->fw, child);
	m_fork_end(&p->m, child);
}

void both_fork(struct prop *p, pid_t parent, pid_t child, pid_t tgid)
{
	both_fork_begin(p, parent, child, tgid);
	both_fork_end(p, child);
}

static void both_exit_begin(struct prop *p, pid_t tid)
{
	fw_exit_begin(p->fw, tid);
	m_exit_begin(&p->m, tid, p->fw->n_rebuilds);
}

void both_exit_end(struct prop *p, pid_t tid)
{
	fw_exit_end(p->fw, tid);
	m_exit_end(&p->m, tid, p->fw->n_rebuilds);
}

void both_exit(struct prop *p, pid_t tid)
{
	both_exit_begin(p, tid);
	both_exit_end(p, tid);
}

static size_t n_tasks(const struct prop *p)
{
	size_t n = 0;

	for (pid_t tid = 1; tid < M_TIDS; tid++)
		n += p->m.tasks[tid].state != M_FREE;
	return n;
}

pid_t pick_tid(const struct prop *p, enum m_state state, uint32_t r)
{
	size_t n = 0;

	for (pid_t tid = 1; tid < M_TIDS; tid++)
		n += p->m.tasks[tid].state == state;
	if (!n)
		return 0;
	n = r % n;
	for (pid_t tid = 1; tid < M_TIDS; tid++)
		if (p->m.tasks[tid].state == state && !n--)
			return tid;
	return 0;
}

/* Often one that is alone in a group: what happens when it leaves is what matters. */
static pid_t pick_victim(const struct prop *p, uint32_t r)
{
	for (pid_t i = 0; r % 3 && i < M_TIDS; i++) {
		pid_t tid = (pid_t)((r / 4 + i) % M_TIDS);

		for (int h = 0; h < M_HIERARCHIES && p->m.tasks[tid].state == M_ALIVE; h++) {
			int g = p->m.tasks[tid].group[h];

			if (g >= M_HIERARCHIES && m_count(&p->m, g, M_ALIVE) == 1)
				return tid;
		}
	}
	return pick_tid(p, M_ALIVE, r / 4);
}

/* Not one of a process that lives on without its leader: that number is still taken as its tgid. */
pid_t pick_free_tid(const struct prop *p, uint32_t r)
{
	for (pid_t i = 0; i < M_TIDS - 1; i++) {
		pid_t tid = 1 + (pid_t)((r + i) % (M_TIDS - 1));
		bool taken = p->m.tasks[tid].state != M_FREE;

		for (pid_t t = 1; t < M_TIDS && !taken; t++)
			taken = p->m.tasks[t].state != M_FREE && p->m.tasks[t].tgid == tid;
		if (!taken)
			return tid;
	}
	return 0;
}

/* ---- fork, exit, exec ---- */

static void do_fork(struct prop *p, const struct op *op)
{
	pid_t parent = pick_tid(p, M_ALIVE, op->r[0]), child = pick_free_tid(p, op->r[1]);
	pid_t tgid = parent && op->r[2] % 3 == 0 ? p->m.tasks[parent].tgid : 0;

	if (!parent || !child || n_tasks(p) > MANY_TASKS || p->m.tasks[parent].fixed)
		return;
	prop_say(p, "%s: %d makes %d%s", p->op_name, parent, child, tgid ? ", a thread" : "");
	if (op->kind == OP_FORK)
		both_fork(p, parent, child, tgid);
	else
		both_fork_begin(p, parent, child, tgid);
	p->n_done[op->kind]++;
}

static void do_fork_undo(struct prop *p, const struct op *op)
{
	pid_t tid = pick_tid(p, M_UNBORN, op->r[0]);

	if (!tid)
		return;
	/* the log does not say when, so say it by settling */
	core_settle(p->fw->core);
	settled(p);
	prop_say(p, "%s: %d", p->op_name, tid);
	fw_fork_undo(p->fw, tid);
	m_fork_undo(&p->m, tid);
	p->n_done[op->kind]++;
}

static void do_exec(struct prop *p, const struct op *op)
{
	pid_t tid = pick_tid(p, M_ALIVE, op->r[0]), tgid;

	if (!tid)
		return;
	tgid = p->m.tasks[tid].tgid;
	for (pid_t t = 1; t < M_TIDS; t++) {
		struct m_task *other = &p->m.tasks[t];

		if (t == tid || other->tgid != tgid)
			continue;
		if (other->state == M_UNBORN)
			both_fork_end(p, t);
		if (other->state == M_ALIVE)
			both_exit_begin(p, t);
		if (other->state == M_DYING)
			both_exit_end(p, t);
	}
	prop_say(p, "%s: by %d of process %d", p->op_name, tid, tgid);
	fw_exec(p->fw, tid);
	m_exec(&p->m, tid);
	p->n_done[op->kind]++;
}

static void do_spawn(struct prop *p, const struct op *op)
{
	pid_t tid = pick_free_tid(p, op->r[0]);

	if (!tid || n_tasks(p) > MANY_TASKS)
		return;
	prop_say(p, "%s: %d", p->op_name, tid);
	fw_spawn(p->fw, tid, tid);
	m_spawn(&p->m, tid, tid);
	/* a kernel thread that cannot be moved */
	fw_task(p->fw, tid)->kthread = p->m.tasks[tid].fixed = op->r[1] % 16 == 0;
	p->n_done[op->kind]++;
}

static void do_setuid(struct prop *p, const struct op *op)
{
	static const uid_t uids[] = {0, 0, 1000, 1001};
	pid_t tid = pick_tid(p, M_ALIVE, op->r[0]);
	struct m_task *t = &p->m.tasks[tid];

	if (!tid)
		return;
	t->uid = fw_task(p->fw, tid)->uid = uids[op->r[1] % 4];
	t->suid = fw_task(p->fw, tid)->suid = uids[op->r[2] % 4];
	prop_say(p, "%s: %d has uid %d, saved %d", p->op_name, tid, t->uid, t->suid);
	p->n_done[op->kind]++;
}

/* Some in the initial css_set come and go without any entry. */
void op_task(struct prop *p, const struct op *op)
{
	pid_t tid;

	if (n_tasks(p) < FEW_TASKS) {
		do_spawn(p, op);
		return;
	}
	switch (op->kind) {
	case OP_FORK:
	case OP_FORK_BEGIN:
		do_fork(p, op);
		return;
	case OP_FORK_UNDO:
		do_fork_undo(p, op);
		return;
	case OP_EXEC:
		do_exec(p, op);
		return;
	case OP_SPAWN:
		do_spawn(p, op);
		return;
	case OP_SETUID:
		do_setuid(p, op);
		return;
	}
	if (op->kind == OP_FORK_END || op->kind == OP_EXIT_END)
		tid = pick_tid(p, op->kind == OP_FORK_END ? M_UNBORN : M_DYING, op->r[0]);
	else
		tid = pick_victim(p, op->r[0]);
	if (!tid)
		return;
	prop_say(p, "%s: %d", p->op_name, tid);
	if (op->kind == OP_FORK_END)
		both_fork_end(p, tid);
	else if (op->kind == OP_EXIT_END)
		both_exit_end(p, tid);
	else if (op->kind == OP_EXIT_BEGIN)
		both_exit_begin(p, tid);
	else
		both_exit(p, tid);
	p->n_done[op->kind]++;
}

/* ---- moves ---- */

static void race(struct prop *p, enum race what, pid_t tid)
{
	pid_t child = pick_free_tid(p, p->race_r);
	const struct m_task *t = &p->m.tasks[tid];

	if (what == RACE_NONE || !p->race_left || t->state != M_ALIVE || t->fixed)
		return;
	p->race_left--;
	p->race_r += 17;
	if (what != RACE_EXIT && (!child || n_tasks(p) > MANY_TASKS))
		return;
	prop_say(p, "  meanwhile: %s", what == RACE_EXIT ? "it exits" : "it forks");
	p->n_races++;
	if (what == RACE_EXIT)
		both_exit(p, tid);
	else if (what == RACE_FORK)
		both_fork(p, tid, child, 0);
	else if (what == RACE_FORK_THREAD)
		both_fork(p, tid, child, t->tgid);
	else
		both_fork_begin(p, tid, child, t->tgid);
}

static void on_move(struct fake_world *fw, pid_t tid)
{
	struct prop *p = fw->hook_arg;

	race(p, p->race_before, tid);
}

static void on_moved(struct fake_world *fw, pid_t tid)
{
	struct prop *p = fw->hook_arg;
	int h = p->m.groups[p->target].h;
	int to = p->target;

	if (p->m.tasks[tid].group[h] == p->target)
		to = p->saved[tid]; /* back, after a refusal */
	m_enter(&p->m, tid, to);
	p->n_moved++;
	race(p, p->race_after, tid);
}

static void begin_move(struct prop *p, int target)
{
	p->target = target;
	p->n_moved = 0;
	for (pid_t tid = 1; tid < M_TIDS; tid++)
		p->saved[tid] = p->m.tasks[tid].group[p->m.groups[target].h];
	p->fw->on_move = on_move;
	p->fw->on_moved = on_moved;
}

static void end_move(struct prop *p)
{
	p->target = -1;
	p->race_before = p->race_after = RACE_NONE;
	p->fw->on_move = p->fw->on_moved = NULL;
	for (int s = 0; s < M_SUBSYS; s++) {
		p->ss[s].can_attach_err = 0;
		p->ss[s].can_attach_tid = 0;
	}
}

/* The error of the first bound subsystem that would refuse. */
static int refusal(const struct prop *p, int h)
{
	for (int s = 0; s < M_SUBSYS; s++)
		if (p->m.hierarchies[h].mask & (1u << s) && p->ss[s].can_attach_err)
			return p->ss[s].can_attach_err;
	return 0;
}

static bool lives(const struct m_task *t)
{
	return t->state == M_ALIVE || t->state == M_UNBORN;
}

/* T stands for itself, or for a process led by LEADER. */
static int check_target(const struct m_task *t, const struct m_task *leader,
			const struct core_cred *cred)
{
	if (t->fixed)
		return -EINVAL;
	if (leader && lives(leader))
		t = leader;
	return cred->euid == 0 || cred->euid == t->uid || cred->euid == t->suid ? 0 : -EACCES;
}

static void attach_task(struct prop *p, pid_t tid, int g, const struct core_cred *cred)
{
	const struct m_task *t = &p->m.tasks[tid];
	bool there = lives(t), moves = false;
	int want = there ? check_target(t, NULL, cred) : -ESRCH, err;

	if (!want && t->group[p->m.groups[g].h] != g) {
		want = refusal(p, p->m.groups[g].h);
		moves = !want;
	}
	if (moves && p->race_before == RACE_EXIT && p->race_left) {
		want = -ESRCH;
		moves = false;
	}
	err = core_attach_task(p->m.groups[g].cgrp, tid, cred);
	EXPECT(p, err == want, "attach answers %d, not %d", err, want);
	EXPECT(p, p->n_moved == moves, "%d moves were made, not %d", p->n_moved, moves);
}

/* What comes of it if it is T's turn now, into G; *MOVES: it changes its place. */
static int want_of(const struct prop *p, const struct m_task *t, int g,
		   const struct core_cred *cred, bool *moves)
{
	int want = lives(t) ? check_target(t, NULL, cred) : -ESRCH;

	*moves = false;
	if (want || t->group[p->m.groups[g].h] == g)
		return want;
	want = refusal(p, p->m.groups[g].h);
	*moves = !want;
	return want;
}

/*
 * Several at once, TID among them: whoever is named again is there already. The first that are moved may
 * die of it, each once.
 */
static void attach_many(struct prop *p, pid_t tid, int g, const struct core_cred *cred, uint32_t r)
{
	size_t n = 2 + r % 8, n_moves = 0;
	struct core_attach v[10] = {{.tid = tid, .err = -ERESTART}};
	bool may_die = p->race_before == RACE_EXIT, had[M_TIDS] = {false};
	int want[10], deaths = may_die ? (int)p->race_left : 0;

	/* Whoever is born meanwhile could be one of those that are named. */
	p->race_after = RACE_NONE;
	if (!may_die)
		p->race_before = RACE_NONE;
	for (size_t i = 0; i < n; i++, r = r * 2654435761u + 1) {
		bool moves;

		if (i)
			v[i].tid = r >> 28 ? pick_tid(p, M_ALIVE, r >> 8) :
					     (pid_t)(r >> 8) % M_TIDS;
		v[i].err = -ERESTART;
		/* who is being born is waited for, and so comes after the others */
		if (v[i].tid <= 0 ||
		    (may_die && (had[v[i].tid] || p->m.tasks[v[i].tid].state == M_UNBORN))) {
			v[i].tid = -1;
			want[i] = -ESRCH;
			continue;
		}
		want[i] = want_of(p, &p->m.tasks[v[i].tid], g, cred, &moves);
		if (moves && deaths && !had[v[i].tid]) {
			deaths--;
			want[i] = -ESRCH;
		} else if (moves && !had[v[i].tid]) {
			n_moves++;
		}
		had[v[i].tid] = true;
	}
	core_attach_tasks(p->m.groups[g].cgrp, v, n, cred);
	for (size_t i = 0; i < n; i++)
		EXPECT(p, v[i].err == want[i], "attach of %d answers %d, not %d", v[i].tid,
		       v[i].err, want[i]);
	EXPECT(p, (size_t)p->n_moved == n_moves, "%d moves were made, not %zu", p->n_moved,
	       n_moves);
}

/* The thread of a process that stands for it: itself, or the first one after its leader's death. */
static pid_t process_thread(const struct prop *p, pid_t tid)
{
	if (lives(&p->m.tasks[tid]))
		return tid;
	for (pid_t t = 1; t < M_TIDS; t++)
		if (lives(&p->m.tasks[t]) && p->m.tasks[t].tgid == tid)
			return t;
	return 0;
}

static void check_process(struct prop *p, pid_t tgid, int g, int err)
{
	int h = p->m.groups[g].h;

	for (pid_t tid = 1; tid < M_TIDS; tid++) {
		const struct m_task *t = &p->m.tasks[tid];

		if (t->tgid != tgid || !lives(t))
			continue;
		EXPECT(p, t->state == M_ALIVE || err, "%d is still being born", tid);
		if (err)
			EXPECT(p, t->group[h] == p->saved[tid], "refused, and %d was moved", tid);
		else
			EXPECT(p, t->group[h] == g, "%d was left behind", tid);
	}
}

static void attach_process(struct prop *p, pid_t tid, int g, const struct core_cred *cred,
			   bool picky)
{
	pid_t by = process_thread(p, tid), tgid = by ? p->m.tasks[by].tgid : 0;
	int want = by ? check_target(&p->m.tasks[by], &p->m.tasks[tgid], cred) : -ESRCH, err;
	int h = p->m.groups[g].h, no = refusal(p, h);
	bool may_die = p->race_before == RACE_EXIT || p->race_after == RACE_EXIT;
	size_t n_outside = 0;
	pid_t refused = 0;

	for (pid_t t = 1; t < M_TIDS && !want; t++) {
		if (!lives(&p->m.tasks[t]) || p->m.tasks[t].tgid != tgid ||
		    p->m.tasks[t].group[h] == g)
			continue;
		n_outside++;
		refused = t; /* the last one: those before it are let in */
	}
	if (!want && no && n_outside) {
		want = no;
		for (int s = 0; s < M_SUBSYS && picky; s++)
			p->ss[s].can_attach_tid = refused;
		/* who is born meanwhile of a moved one cannot be told from others */
		p->race_before = p->race_after = RACE_NONE;
	}
	err = core_attach_process(p->m.groups[g].cgrp, tid, cred);
	if (!want && may_die) {
		bool left = false;

		for (pid_t t = 1; t < M_TIDS; t++)
			left |= lives(&p->m.tasks[t]) && p->m.tasks[t].tgid == tgid;
		if (!left && !p->n_moved)
			want = -ESRCH;
	}
	EXPECT(p, err == want, "attach of a process answers %d, not %d", err, want);
	if (by)
		check_process(p, tgid, g, err);
}

/* Refused after some had been moved, which then went back: they did leave their groups. */
static void resync_releasable(struct prop *p)
{
	for (int g = M_HIERARCHIES; g < M_GROUPS; g++)
		if (p->m.groups[g].used)
			p->m.groups[g].releasable = cgroup_is_releasable(p->m.groups[g].cgrp);
}

void op_move(struct prop *p, const struct op *op)
{
	static const uid_t euids[] = {0, 0, 0, 0, 0, 1000, 1001, 0};
	const struct core_cred cred = {.euid = euids[op->r[2] % 8], .owner = true};
	int g = op->r[1] % 4 ? pick_below(p, op->r[1] / 4) : pick_group(p, op->r[1] / 4), h;
	pid_t tid = op->r[2] / 8 % 16 == 0 ? 1 + (pid_t)(op->r[0] % (M_TIDS - 1)) :
		    op->r[2] / 8 % 16 == 1 && pick_tid(p, M_UNBORN, op->r[0]) ?
					     pick_tid(p, M_UNBORN, op->r[0]) :
					     pick_victim(p, op->r[0]);
	char path[256];
	int n_moved;

	if (g < 0 || !tid)
		return;
	h = p->m.groups[g].h;
	if (op->r[3] % 8 == 0)
		p->ss[op->r[3] / 8 % M_SUBSYS].can_attach_err = -ENOSPC;
	else if (op->r[3] % 8 == 1)
		p->race_before = (enum race)(op->r[3] / 8 % N_RACES);
	else if (op->r[3] % 8 == 2)
		p->race_after = (enum race)(op->r[3] / 8 % N_RACES);
	p->race_left = 1 + op->r[3] / 64 % 3;
	p->race_r = op->r[3] / 256;
	m_path(&p->m, g, path, sizeof(path));
	prop_say(p, "%s: %d into %d:%s as %d%s", p->op_name, tid, h, path, cred.euid,
		 refusal(p, h) ? ", to be refused" : "");
	begin_move(p, g);
	if (op->kind == OP_ATTACH)
		attach_task(p, tid, g, &cred);
	else if (op->kind == OP_ATTACH_MANY)
		attach_many(p, tid, g, &cred, op->r[3] / 1024);
	else
		attach_process(p, tid, g, &cred, op->r[3] / 1024 % 2);
	n_moved = p->n_moved;
	/* a move that was undone */
	for (pid_t t = 1; t < M_TIDS && n_moved; t++)
		if (p->m.tasks[t].state == M_ALIVE && p->m.tasks[t].group[h] != p->saved[t])
			n_moved = 0;
	end_move(p);
	settled(p);
	if (n_moved)
		resync_releasable(p);
	p->n_done[op->kind]++;
	if (p->m.tasks[tid].state == M_ALIVE)
		check_moved(p, tid);
	check_light(p, g);
}
