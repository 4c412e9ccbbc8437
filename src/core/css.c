// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * css.c - references to a css: from any thread, without a lock, never blocking.
 *
 * refcnt >= 0 counts the references; CSS_KILLED says that the cgroup is being removed and none can
 * be taken. Whoever is about to put the last reference does not: it hands the css, reference and
 * all, to the loop on a lock-free stack. So a css never loses its last reference outside the loop,
 * and cannot be freed under the feet of the thread that puts. A css is on the stack at most once:
 * the reference that brought it there is still counted, so no other can look like the last.
 */
#include <core/internal.h>

#define CSS_KILLED INT32_MIN

void css_get(struct cgroup_subsys_state *css)
{
	__atomic_add_fetch(&css->refcnt, 1, __ATOMIC_RELAXED);
}

bool css_tryget(struct cgroup_subsys_state *css)
{
	int32_t old = __atomic_load_n(&css->refcnt, __ATOMIC_RELAXED);

	do {
		if (old < 0)
			return false;
	} while (!__atomic_compare_exchange_n(&css->refcnt, &old, old + 1, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}

void css_put(struct cgroup_subsys_state *css)
{
	struct core *core = css->subsys->core;
	/* Acquire: whoever finds the last one comes after the loop's dealing with the one before. */
	int32_t old = __atomic_load_n(&css->refcnt, __ATOMIC_ACQUIRE);

	while (old > 1)
		if (__atomic_compare_exchange_n(&css->refcnt, &old, old - 1, true, __ATOMIC_RELEASE,
						__ATOMIC_ACQUIRE))
			return;

	css->put_next = __atomic_load_n(&core->puts, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&core->puts, &css->put_next, css, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	if (core->ops->kick)
		core->ops->kick(core->arg);
}

/* On the loop: does the puts that were handed over. */
void core_take_puts(struct core *core)
{
	struct cgroup_subsys_state *css, *next, *in_order = NULL;

	/* A stack has the newest first; releases come in the order of becoming idle. */
	css = __atomic_exchange_n(&core->puts, NULL, __ATOMIC_ACQUIRE);
	for (; css; css = next) {
		next = css->put_next;
		css->put_next = in_order;
		in_order = css;
	}
	for (css = in_order; css; css = next) {
		next = css->put_next;
		/* From here on it may be pushed again: by a reference taken meanwhile. */
		if (__atomic_sub_fetch(&css->refcnt, 1, __ATOMIC_ACQ_REL) == 0)
			release_check(css->cgroup);
	}
}

bool cgroup_css_referenced(const struct cgroup *cgrp)
{
	for (uint32_t i = 0; i < cgrp->n_css; i++)
		if (cgrp->css[i] && __atomic_load_n(&cgrp->css[i]->refcnt, __ATOMIC_ACQUIRE) > 0)
			return true;
	return false;
}

bool cgroup_css_kill(struct cgroup *cgrp)
{
	for (uint32_t i = 0; i < cgrp->n_css; i++) {
		int32_t none = 0;

		if (!cgrp->css[i] ||
		    __atomic_compare_exchange_n(&cgrp->css[i]->refcnt, &none, CSS_KILLED, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		while (i-- > 0)
			if (cgrp->css[i])
				__atomic_store_n(&cgrp->css[i]->refcnt, 0, __ATOMIC_RELEASE);
		return false;
	}
	return true;
}

struct cgroup_subsys_state *css_of(const struct cgroup *cgrp, const struct cgroup_subsys *ss)
{
	struct cgroup_subsys_state **slot = cgroup_css_slot(cgrp, ss);

	return slot ? *slot : NULL;
}
