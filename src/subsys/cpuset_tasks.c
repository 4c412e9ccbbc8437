// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset_tasks.c - the members' CPU affinity.
 *
 * A member's affinity is what it has asked for, cut down to its cpuset's CPUs; or these, where
 * nothing of it is left: as v1 does it. In a cpuset that leaves out no CPU, everyone has what he
 * asked for, and cpuset keeps its hands off. What a member has asked for, for itself or through
 * the task that made it, the tracker remembers, which also tells of those who ask anew.
 *
 * What may go wrong is a child that is made while its maker gets another affinity or is on its way
 * into another cpuset. It is seen, because the maker is in question meanwhile, or because the child
 * is unlike it (see the tracker's bpf_watch.bpf.c); and then looked at as it is. Its fork may have
 * begun several moves ago, though: the affinity it has, and the kernel's note of what was last asked
 * for, may be what some cpuset gave its maker that both have left since. As long as such a child is
 * in question the tracker therefore shows the maker's request instead, and a move that takes the
 * child along before it was dealt with does not adopt the cpuset's CPUs as its own wish.
 *
 * When a whole cpuset changes, its members are put right in passes until one finds none wrong. Then
 * none is: who is not on that pass's listing was born after it was taken, of a maker that was right
 * by then, and so either is right, too, or is unlike its maker, and that is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <syslog.h>
#include <unistd.h>

#include <subsys/cpuset.h>

_Static_assert(sizeof(struct mask) == sizeof(((struct task_affinity *)0)->now),
	       "a mask holds an affinity");

#define LINGER_S 10 /* longer than any fork takes */
#define MAX_PASSES 100

/* What a task without a known wish is taken to have asked for. */
enum adopt {
	ADOPT_NOT,	 /* nothing in particular: what it has, it has from us */
	ADOPT_ALL,	 /* what the kernel has as its last request: it has none from us */
	ADOPT_IF_UNLIKE, /* that, unless it is what we give */
	ADOPT_UNTOLD,	 /* the same, though it be known: somebody may have asked for it untold */
};

/* ---- watching --------------------------------------------------------------------------------- */

static void stop_watching(struct cpuset_ctx *ctx)
{
	cgroup_watch(ctx->ss, 0);
	ctx->watching = false;
}

static void on_linger(struct cgroup_subsys *ss, int fd)
{
	struct cpuset_ctx *ctx = ss->private_data;
	uint64_t expired;

	if (read(fd, &expired, sizeof(expired)) < 0)
		return;
	if (!ctx->n_watched && ctx->watching)
		stop_watching(ctx);
}

/* -errno: there is no timer. SECONDS 0: off. */
static int set_linger(struct cpuset_ctx *ctx, time_t seconds)
{
	const struct itimerspec when = {.it_value.tv_sec = seconds};
	int err;

	if (ctx->linger_fd < 0) {
		if (!seconds)
			return 0;
		ctx->linger_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (ctx->linger_fd < 0)
			return -errno;
		err = cgroup_watch_fd(ctx->ss, ctx->linger_fd, on_linger);
		if (err) {
			close(ctx->linger_fd);
			ctx->linger_fd = -1;
			return err;
		}
	}
	return timerfd_settime(ctx->linger_fd, 0, &when, NULL) ? -errno : 0;
}

static void start_watching(struct cpuset_ctx *ctx)
{
	int err = cgroup_watch(ctx->ss, CGROUP_WATCH_AFFINITY);

	ctx->watching = !err;
	if (!err || ctx->watch_failed)
		return;
	ctx->watch_failed = true;
	cgroup_log(ctx->ss, LOG_WARNING,
		   "cpuset: changed affinities cannot be watched here (%s): a member that gives "
		   "itself CPUs outside its cpuset keeps them until the cpuset or its CPUs change",
		   strerror(-err));
}

/*
 * Watching goes on for a while when there is nothing to watch any more: for the children of those
 * who left last, and because the next will come soon, and turning it on takes long.
 */
static void update_watch(struct cpuset_ctx *ctx)
{
	if (ctx->n_watched) {
		if (!ctx->watching)
			start_watching(ctx);
		set_linger(ctx, 0);
	} else if (ctx->watching && set_linger(ctx, LINGER_S)) {
		stop_watching(ctx);
	}
}

void cpuset_recount(struct cpuset *cs)
{
	bool watched = cs->occupied && !cpuset_is_root(cs) && cpuset_restricts(cs);

	if (watched == cs->watched)
		return;
	cs->watched = watched;
	if (watched)
		cs->ctx->n_watched++;
	else
		cs->ctx->n_watched--;
	update_watch(cs->ctx);
}

void cpuset_tasks_exit(struct cpuset_ctx *ctx)
{
	if (ctx->watching)
		stop_watching(ctx);
	if (ctx->linger_fd < 0)
		return;
	cgroup_watch_fd(ctx->ss, ctx->linger_fd, NULL);
	close(ctx->linger_fd);
}

/* ---- one task --------------------------------------------------------------------------------- */

/* 1: only the affinity itself is known, and stands for the last request. */
static int look_at(struct cpuset_ctx *ctx, const struct cgroup_task *task,
		   struct task_affinity *aff)
{
	struct mask now;
	int err = task_affinity_begin(ctx->ss, task, aff);

	if (err != -ENOTSUP)
		return err;
	err = ctx->world->get_affinity(ctx->world->arg, task->tid, &now);
	if (err)
		return err;
	memset(aff, 0, sizeof(*aff));
	memcpy(aff->now, &now, sizeof(now));
	aff->has_user = !mask_is_subset(&ctx->root->cpus, &now);
	memcpy(aff->user, &now, sizeof(now));
	return 1;
}

static bool is_everything(const struct cpuset_ctx *ctx, const struct mask *m)
{
	struct mask all;

	mask_fill(&all, ctx->n_cpus);
	return mask_is_subset(&all, m);
}

static bool is_bound(const struct cpuset *cs)
{
	return !cpuset_is_root(cs) && cpuset_restricts(cs);
}

static void wish_of(const struct cpuset *cs, const struct task_affinity *aff, enum adopt adopt,
		    struct mask *wish)
{
	struct mask all;
	bool known = aff->has_asked && (adopt != ADOPT_ALL || aff->in_question);

	mask_fill(&all, cs->ctx->n_cpus);
	if (known) {
		memcpy(wish, aff->asked, sizeof(*wish));
	} else if (adopt != ADOPT_NOT && aff->has_user) {
		memcpy(wish, aff->user, sizeof(*wish));
		known = adopt == ADOPT_ALL || !mask_equal(wish, &cs->cpus);
	}
	if (!known || !mask_intersects(wish, &all))
		*wish = all;
}

/*
 * What a member of CS that wishes WISH gets. The kernel gives nobody a set without a CPU that is
 * online, and who has one when the last of it goes gets all.
 */
static void cut_down(const struct cpuset *cs, const struct mask *wish, struct mask *res)
{
	*res = *wish;
	if (!is_bound(cs)) {
		if (!mask_intersects(wish, &cs->cpus))
			mask_fill(res, cs->ctx->n_cpus);
		return;
	}
	mask_and(res, wish, &cs->cpus);
	if (mask_is_empty(res))
		*res = cs->cpus;
}

static void say_disobedient(struct cpuset *cs, pid_t tid, const struct mask *cpus, int err)
{
	char text[MASK_TEXT_SIZE], path[256];

	if (cs->warned || err == -ESRCH)
		return;
	cs->warned = true;
	if (cgroup_path(cs->css.cgroup, path, sizeof(path)) < 0)
		path[0] = '\0';
	cgroup_log(cs->ctx->ss, LOG_WARNING,
		   "cpuset %s: task %d cannot be put on CPUs %s: %s (a kernel cpuset may leave it "
		   "none of them); it stays where it is, as will others for which that is so",
		   path, (int)tid, mask_print(cpus, text, sizeof(text)), strerror(-err));
}

/* True: its affinity is another one now. */
static bool set(struct cpuset *cs, pid_t tid, const struct task_affinity *aff,
		const struct mask *cpus)
{
	const struct cpuset_world *world = cs->ctx->world;
	struct mask before, after;
	int err = world->set_affinity(world->arg, tid, cpus);

	if (err) {
		say_disobedient(cs, tid, cpus, err);
		return false;
	}
	/* The kernel's own cpusets may have kept it from changing. */
	if (world->get_affinity(world->arg, tid, &after))
		return false;
	memcpy(&before, aff->now, sizeof(before));
	mask_and(&before, &before, &cs->ctx->root->cpus);
	return !mask_equal(&before, &after);
}

/*
 * Has a member of CS what it is due? A CPU that is offline may come back: in a cpuset that leaves out
 * some it must not be among the member's, elsewhere it says nothing.
 */
static bool has(const struct cpuset *cs, const struct task_affinity *aff, const struct mask *cpus)
{
	struct mask now, want;

	memcpy(&now, aff->now, sizeof(now));
	if (is_bound(cs)) {
		mask_fill(&want, cs->ctx->n_cpus);
		mask_and(&now, &now, &want);
		return mask_equal(&now, cpus);
	}
	mask_and(&now, &now, &cs->ctx->root->cpus);
	mask_and(&want, cpus, &cs->ctx->root->cpus);
	return mask_equal(&now, &want);
}

struct how {
	enum adopt adopt;
	bool force; /* also if it seems to have what it is due: offline CPUs do not show */
	bool keep;  /* remember its wish though CS leaves out no CPU */
};

/* Gives TASK, which is in CS, what it is due there. True: its affinity was another one before. */
static bool settle(struct cpuset *cs, const struct cgroup_task *task, struct how how)
{
	bool changed = false, asked;
	struct task_affinity aff;
	struct mask wish, due;
	int err = look_at(cs->ctx, task, &aff);

	if (err < 0)
		return false;
	/* All that is known is what it has: if that is less than it gets from us, it asked for it. */
	if (err == 1 && how.adopt == ADOPT_NOT)
		how.adopt = ADOPT_IF_UNLIKE;
	if (how.adopt == ADOPT_UNTOLD && aff.in_question)
		how.adopt = ADOPT_NOT;
	wish_of(cs, &aff, how.adopt, &wish);
	cut_down(cs, &wish, &due);
	if (how.adopt == ADOPT_UNTOLD && aff.has_user && memcmp(aff.user, &due, sizeof(due))) {
		struct task_affinity untold = aff;

		untold.has_asked = false;
		wish_of(cs, &untold, ADOPT_ALL, &wish);
		cut_down(cs, &wish, &due);
	}
	if (how.force || !has(cs, &aff, &due))
		changed = set(cs, task->tid, &aff, &due);
	asked = (is_bound(cs) || how.keep) && !is_everything(cs->ctx, &wish);
	if (!aff.in_question && !asked && !aff.has_asked)
		return changed;
	if (!aff.in_question && asked && aff.has_asked && !memcmp(aff.asked, &wish, sizeof(wish)))
		return changed;
	aff.has_asked = asked;
	memcpy(aff.asked, &wish, sizeof(wish));
	task_affinity_end(cs->ctx->ss, task, &aff);
	return changed;
}

/* TASK, in CS which leaves out no CPU, is in question no more, and nothing else. */
static void let_be(struct cpuset *cs, const struct cgroup_task *task)
{
	struct task_affinity aff;

	if (task_affinity_begin(cs->ctx->ss, task, &aff) || !(aff.in_question || aff.has_asked))
		return;
	aff.has_asked = false;
	task_affinity_end(cs->ctx->ss, task, &aff);
}

/* ---- what happens to them --------------------------------------------------------------------- */

int cpuset_task_leaving(struct cpuset *cs, struct cpuset *old, const struct cgroup_task *task)
{
	struct task_affinity aff;
	struct mask wish;
	int err;

	cs->occupied = true;
	cpuset_recount(cs);
	if (!is_bound(cs) && !is_bound(old))
		return 0;
	if (is_bound(old)) {
		err = task_affinity_mark(cs->ctx->ss, task, NULL);
	} else {
		err = task_affinity_begin(cs->ctx->ss, task, &aff);
		if (!err) {
			wish_of(old, &aff, ADOPT_ALL, &wish);
			aff.has_asked = !is_everything(cs->ctx, &wish);
			memcpy(aff.asked, &wish, sizeof(wish));
			err = task_affinity_mark(cs->ctx->ss, task, &aff);
		}
	}
	/* That a task has gone is the move's to find out. */
	return err == -ENOMEM ? err : 0;
}

void cpuset_task_arrived(struct cpuset *cs, struct cpuset *old, const struct cgroup_task *task)
{
	if (!is_bound(cs) && !is_bound(old))
		return;
	settle(cs, task, (struct how){.force = is_bound(old) && !is_bound(cs)});
}

/* How many members have another affinity now; or -errno. */
static int put_right(struct cpuset *cs, struct how how)
{
	const struct cgroup_task *task;
	struct cgroup_iter it;
	int n = 0, err = cgroup_iter_start(cs->css.cgroup, &it);

	if (err)
		return err;
	while ((task = cgroup_iter_next(&it)))
		n += settle(cs, task, how);
	cgroup_iter_end(&it);
	return n;
}

static void forget_wishes(struct cpuset *cs)
{
	const struct cgroup_task *task;
	struct cgroup_iter it;

	if (cgroup_iter_start(cs->css.cgroup, &it))
		return;
	while ((task = cgroup_iter_next(&it)))
		let_be(cs, task);
	cgroup_iter_end(&it);
}

void cpuset_apply(struct cpuset *cs, const struct mask *was)
{
	bool adopts = is_bound(cs) && !was, gives_back = !is_bound(cs) && was;
	int n = 1;

	if (!cs->occupied || (!is_bound(cs) && !was))
		return;
	for (int pass = 0; n && pass < MAX_PASSES; pass++) {
		const struct how how = {
			.adopt = !adopts ? ADOPT_NOT :
				 pass	 ? ADOPT_IF_UNLIKE :
					   ADOPT_ALL,
			.force = gives_back && !pass,
			.keep = gives_back,
		};

		n = put_right(cs, how);
		if (n < 0) {
			cgroup_log(cs->ctx->ss, LOG_ERR,
				   "cpuset: the affinity of members is not changed: %s",
				   strerror(-n));
			return;
		}
	}
	if (gives_back)
		forget_wishes(cs);
}

/* Those of CS, which leaves out no CPU, that were told of and not heard of. */
static void answer_questions(struct cpuset *cs)
{
	const struct cgroup_task *task;
	struct task_affinity aff;
	struct cgroup_iter it;

	if (cgroup_iter_start(cs->css.cgroup, &it))
		return;
	while ((task = cgroup_iter_next(&it)))
		if (!task_affinity_begin(cs->ctx->ss, task, &aff) && aff.in_question)
			settle(cs, task, (struct how){.adopt = ADOPT_IF_UNLIKE});
	cgroup_iter_end(&it);
}

/* It is not known of whom there was something to tell. */
static void look_at_all(struct cpuset *cs)
{
	if (is_bound(cs)) {
		put_right(cs, (struct how){.adopt = ADOPT_UNTOLD});
		cpuset_apply(cs, &cs->cpus);
	} else {
		answer_questions(cs);
	}
	for (cs = cpuset_first_child(cs); cs; cs = cpuset_next_sibling(cs))
		look_at_all(cs);
}

void cpuset_affinity(struct cgroup_subsys *ss, const struct cgroup_task *task, unsigned int why)
{
	struct cpuset_ctx *ctx = ss->private_data;
	struct cpuset *cs;

	if (!task) {
		look_at_all(ctx->root);
		return;
	}
	cs = cpuset_of(task_cgroup(task, ss), ss);
	if (is_bound(cs)) {
		if (why == CGROUP_AFFINITY_GIVEN_BY_OTHER)
			cpuset_apply(cs, &cs->cpus);
		else
			settle(cs, task, (struct how){0});
		return;
	}
	if (why == CGROUP_AFFINITY_BORN)
		settle(cs, task, (struct how){.adopt = ADOPT_IF_UNLIKE});
	else
		let_be(cs, task);
}
