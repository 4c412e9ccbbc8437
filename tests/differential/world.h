/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - the two hierarchies, mounted side by side, and their release agents.
 *
 * Mounts are made in a mount namespace of the test's own. A v1 hierarchy lives on while it has
 * groups, so cleaning up means removing groups, and the supervisor does it after a crash too.
 */
#ifndef DIFFERENTIAL_WORLD_H
#define DIFFERENTIAL_WORLD_H

#include "op.h"
#include "tree.h"

struct world {
	char dir[64];	      /* temporary directory */
	char base[SIDES][80]; /* mount points */
	char agent[SIDES][112];
	char instance[48];
	int number;
	int patience; /* ms to wait for a release */
	int releases; /* the FIFO that agents write to */
	char line[4096 + 64];
	size_t line_len;
	pid_t daemon;
	bool kernel_only; /* both sides are v1: a test of the test */
};

/*
 * Directories, agents and the v1 hierarchy. Programs to test are found through PATH. 0, or -errno
 * when there is no cgroup v1 to be had; what else is missing: exits with a message.
 */
int world_prepare(struct world *w, bool kernel_only);

/* A new pair of hierarchies, with nothing in them. Starts the daemon where it is not running. */
int world_open(struct world *w, char *why, size_t size);
/* Removes every group and unmounts. There must be no puppet left. */
int world_close(struct world *w, char *why, size_t size);
/* Ends the daemon and removes every trace, whatever state things are in. */
int world_destroy(struct world *w, char *why, size_t size);

/* "" while the daemon runs, else what became of it. */
const char *world_daemon_fate(struct world *w);

/*
 * Waits until each of the N paths has been reported released once by both sides, and nothing else
 * by either but what TREE says may be. 0, or -1 and WHY.
 */
int world_await_releases(struct world *w, struct tree *tree, char paths[][GROUP_PATH], int n,
			 char *why, size_t size);

#endif
