/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * paths.h - where an instance lives in the file system. Both ends must agree on it.
 */
#ifndef UCGROUP_WIRE_PATHS_H
#define UCGROUP_WIRE_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PATHS_DEFAULT_INSTANCE "default"
#define PATHS_INSTANCE_MAX 64 /* bytes */
#define PATHS_SOCKET "control.sock"
#define PATHS_LOCK "lock"

/* 1-64 of A-Z a-z 0-9 . _ -, and not starting with a dot. */
bool paths_instance_valid(const char *instance);

/*
 * The directory in which UID's instances have their run directories: /run/ucgroup for root,
 * $XDG_RUNTIME_DIR/ucgroup for others. -ENOENT: that variable is not set to an absolute path;
 * -ENAMETOOLONG.
 */
int paths_base(uid_t uid, char *buf, size_t size);
/* The run directory of one instance. As above; -EINVAL: not a valid name. */
int paths_run_dir(uid_t uid, const char *instance, char *buf, size_t size);

#endif
