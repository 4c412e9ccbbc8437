// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * release.c - the queue of cgroups whose release is to be told, one a hierarchy.
 *
 * release_check() runs wherever a cgroup may have become idle: its last css_set freed, its last
 * child removed, its last css reference put. CGRP_OCCUPIED makes each idle time count once: set by
 * a task or a child, cleared here.
 */
#include <core/internal.h>

bool cgroup_looks_idle(const struct cgroup *cgrp)
{
	return LIST_EMPTY(&cgrp->csets) && !cgrp->n_children && !cgroup_css_referenced(cgrp);
}

void release_check(struct cgroup *cgrp)
{
	struct hierarchy *h = cgrp->h;

	if (!cgrp->parent || !(cgrp->flags & CGRP_OCCUPIED) || !cgroup_looks_idle(cgrp))
		return;
	cgrp->flags &= ~(unsigned int)CGRP_OCCUPIED;
	if (!(cgrp->flags & CGRP_NOTIFY) || cgrp->flags & CGRP_QUEUED)
		return;
	cgrp->flags |= CGRP_QUEUED;
	TAILQ_INSERT_TAIL(&h->releases, cgrp, on_releases);
	h->n_releases++;
	h->core->stats.releases_queued++;
	if (h->core->ops->release_ready)
		h->core->ops->release_ready(h->core->arg, h);
}

void release_unqueue(struct cgroup *cgrp)
{
	if (!(cgrp->flags & CGRP_QUEUED))
		return;
	cgrp->flags &= ~(unsigned int)CGRP_QUEUED;
	TAILQ_REMOVE(&cgrp->h->releases, cgrp, on_releases);
	cgrp->h->n_releases--;
}

struct cgroup *core_release_next(struct hierarchy *h)
{
	struct cgroup *cgrp;

	core_settle(h->core);
	while ((cgrp = TAILQ_FIRST(&h->releases))) {
		release_unqueue(cgrp);
		if (cgroup_looks_idle(cgrp))
			return cgrp;
		/* Still owed: a reference is no new occupant, and its last put must find this. */
		cgrp->flags |= CGRP_OCCUPIED;
		h->core->stats.releases_reprieved++;
	}
	return NULL;
}

size_t core_releases_pending(const struct hierarchy *h)
{
	return h->n_releases;
}

int hierarchy_set_release_agent(struct hierarchy *h, const char *agent,
				const struct core_cred *cred)
{
	char *copy;

	/* The agent runs as the daemon does. Kernel v1 once let containers set it. */
	if (!cred->owner)
		return -EPERM;
	if (*agent && *agent != '/' && strcmp(agent, "builtin:rmdir"))
		return -EINVAL;
	if (strlen(agent) >= PATH_MAX)
		return -EINVAL;
	copy = strdup(agent);
	if (!copy)
		return -ENOMEM;
	free(h->release_agent);
	h->release_agent = copy;
	return 0;
}

bool cgroup_notify_on_release(const struct cgroup *cgrp)
{
	return cgrp->flags & CGRP_NOTIFY;
}

void cgroup_set_notify_on_release(struct cgroup *cgrp, bool on)
{
	/* What fell due before is settled under the old value. */
	core_settle(cgrp->h->core);
	cgrp->flags &= ~(unsigned int)(CGRP_NOTIFY | CGRP_RELEASABLE);
	cgrp->cleared_at = cgrp->h->core->losses;
	if (on)
		cgrp->flags |= CGRP_NOTIFY;
}

bool cgroup_is_releasable(struct cgroup *cgrp)
{
	struct cset_link *link;

	core_settle(cgrp->h->core);
	if (cgrp->flags & CGRP_RELEASABLE)
		return true;
	LIST_FOREACH(link, &cgrp->csets, on_cgroup)
		if (link->cset->lost_at > cgrp->cleared_at)
			return true;
	return false;
}
