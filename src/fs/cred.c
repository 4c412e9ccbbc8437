// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cred.c - who made a request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/capability.h>

#include <fs/internal.h>

/*
 * A container's root may have uid 0 here without being root: only who shares the daemon's user
 * namespace is whom his uid says.
 */
static bool in_our_userns(pid_t tid)
{
	struct stat ours, theirs;
	char path[64];

	if (tid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", tid);
	return !stat("/proc/self/ns/user", &ours) && !stat(path, &theirs) &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

void cred_of(fuse_req_t req, const struct cftype *cft, struct core_cred *cred)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	const struct fs *fs = req_mount(req)->fs;

	*cred = (struct core_cred){.tid = ctx->pid, .euid = ctx->uid};
	if (cft && !strcmp(cft->name, "release_agent"))
		cred->owner = ctx->uid == fs->config.owner && in_our_userns(ctx->pid);
}

bool cred_is_admin(pid_t tid)
{
	char path[64], line[128];
	unsigned long long caps = 0;
	FILE *f;

	if (!in_our_userns(tid))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	fclose(f);
	return caps >> CAP_SYS_ADMIN & 1;
}
