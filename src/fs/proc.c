// SPDX-License-Identifier: GPL-2.0-or-later
#include <fs/internal.h>
const struct fuse_lowlevel_ops proc_ops = {0};
void proc_file_free(struct proc_file *pf)
{
	(void)pf;
}
