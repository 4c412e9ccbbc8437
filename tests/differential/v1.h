/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * v1.h - a named hierarchy of the kernel's cgroup v1.
 *
 * It outlives its mount while there are groups, and a removed group lingers for seconds on a busy
 * machine; so one hierarchy serves all worlds, and is put back to how it was when new.
 */
#ifndef DIFFERENTIAL_V1_H
#define DIFFERENTIAL_V1_H

/* Start of the names of hierarchies and of directories below /tmp; the pid of the test follows. */
#define PREFIX "ucgroup-differential-"

/* All return 0 or -errno. */
int v1_mount(const char *name, const char *dir);
/* Modes, owners, xattrs and contents of the root as after the first mount. */
int v1_reset(const char *dir);
/* Unmounts, and waits until the hierarchy is gone, PATIENCE ms at most (-EBUSY). */
int v1_dissolve(const char *name, const char *dir, int patience);
/* Removes hierarchies and directories of a run that was killed together with its supervisor. */
void v1_sweep(void);

/* Removes the groups below DIR, of either side, deepest first. */
int remove_groups(const char *dir);
/* Removes a directory and what is in it, on its file system only. */
void remove_tree(const char *path);

#endif
