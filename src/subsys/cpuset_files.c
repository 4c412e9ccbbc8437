// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset_files.c - the control files of the cpuset subsystem.
 *
 * Some stand for what only the kernel can do. Those that ask for something to be done better are
 * kept and shown and do nothing, which is said in the log the first time; the one that asks for a
 * figure there is none of is refused. The table is in ucgroup-cpuset(7).
 */
#include <errno.h>
#include <syslog.h>

#include <subsys/cpuset.h>
#include <subsys/builtin.h>

/* v1 takes as much as the machine's scheduling domains go deep, which is 5 at most. */
#define RELAX_DOMAIN_LEVEL_MAX 5

enum { FILE_CPUS, FILE_MEMS };

static struct cpuset *cpuset_here(const struct cgroup *cgrp)
{
	return cpuset_of(cgrp, &cpuset_subsys);
}

/* NUMBER: of the file, for saying it once. */
static void say_without_effect(struct cpuset *cs, const struct cftype *cft, unsigned int number)
{
	if (cs->ctx->noted & 1u << number)
		return;
	cs->ctx->noted |= 1u << number;
	cgroup_log(cs->ctx->ss, LOG_NOTICE,
		   "cpuset.%s was set: it is kept, but has no effect here; see ucgroup-cpuset(7)",
		   cft->name);
}

/* ---- sets ------------------------------------------------------------------------------------- */

static int read_set(struct cgroup_file *file, struct cgroup_seq *seq)
{
	struct cpuset *cs = cpuset_here(file->cgrp);
	char text[MASK_TEXT_SIZE];

	cpuset_look_at_system(cs->ctx);
	mask_print(file->cft->private_value == FILE_CPUS ? &cs->cpus : &cs->mems, text,
		   sizeof(text));
	cgroup_seq_printf(seq, "%s\n", text);
	return 0;
}

static int write_cpus(struct cgroup_file *file, const char *text)
{
	return cpuset_write_cpus(cpuset_here(file->cgrp), text);
}

static int write_mems(struct cgroup_file *file, const char *text)
{
	struct cpuset *cs = cpuset_here(file->cgrp);
	int err = cpuset_write_mems(cs, text);

	if (!err && !mask_is_empty(&cs->mems) && !mask_equal(&cs->mems, &cs->ctx->root->mems))
		say_without_effect(cs, file->cft, 31);
	return err;
}

/* ---- flags ------------------------------------------------------------------------------------ */

static int read_flag(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	*val = cpuset_has_flag(cpuset_here(cgrp), (enum cpuset_flag)cft->private_value);
	return 0;
}

static int write_flag(struct cgroup *cgrp, const struct cftype *cft, uint64_t val)
{
	return cpuset_write_flag(cpuset_here(cgrp), (enum cpuset_flag)cft->private_value, val);
}

static int write_idle_flag(struct cgroup *cgrp, const struct cftype *cft, uint64_t val)
{
	struct cpuset *cs = cpuset_here(cgrp);
	enum cpuset_flag flag = (enum cpuset_flag)cft->private_value;
	bool was = cpuset_has_flag(cs, flag);
	int err = cpuset_write_flag(cs, flag, val);

	if (!err && cpuset_has_flag(cs, flag) != was)
		say_without_effect(cs, cft, flag);
	return err;
}

static int read_relax(struct cgroup *cgrp, const struct cftype *cft, int64_t *val)
{
	(void)cft;
	*val = cpuset_here(cgrp)->relax_domain_level;
	return 0;
}

static int write_relax(struct cgroup *cgrp, const struct cftype *cft, int64_t val)
{
	struct cpuset *cs = cpuset_here(cgrp);

	if (val < -1 || val > RELAX_DOMAIN_LEVEL_MAX)
		return -EINVAL;
	if (val != cs->relax_domain_level)
		say_without_effect(cs, cft, 30);
	cs->relax_domain_level = (int)val;
	return 0;
}

/* ---- memory pressure: nobody counts it -------------------------------------------------------- */

static int read_nothing(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
{
	(void)cgrp;
	(void)cft;
	*val = 0;
	return 0;
}

static int write_pressure_enabled(struct cgroup *cgrp, const struct cftype *cft, uint64_t val)
{
	(void)cgrp;
	(void)cft;
	return val ? -EOPNOTSUPP : 0;
}

#define FLAG_FILE(file_name, flag, write)                                                          \
	{                                                                                          \
		.name = (file_name), .private_value = (flag), .read_u64 = read_flag,               \
		.write_u64 = (write)                                                               \
	}

const struct cftype cpuset_files[] = {
	{.name = "cpus",
	 .private_value = FILE_CPUS,
	 .read_seq = read_set,
	 .write_string = write_cpus},
	{.name = "mems",
	 .private_value = FILE_MEMS,
	 .read_seq = read_set,
	 .write_string = write_mems},
	{.name = "effective_cpus", .private_value = FILE_CPUS, .read_seq = read_set},
	{.name = "effective_mems", .private_value = FILE_MEMS, .read_seq = read_set},
	FLAG_FILE("cpu_exclusive", CPUSET_CPU_EXCLUSIVE, write_flag),
	FLAG_FILE("mem_exclusive", CPUSET_MEM_EXCLUSIVE, write_flag),
	FLAG_FILE("mem_hardwall", CPUSET_MEM_HARDWALL, write_idle_flag),
	FLAG_FILE("sched_load_balance", CPUSET_SCHED_LOAD_BALANCE, write_idle_flag),
	{.name = "sched_relax_domain_level", .read_s64 = read_relax, .write_s64 = write_relax},
	FLAG_FILE("memory_migrate", CPUSET_MEMORY_MIGRATE, write_flag),
	{.name = "memory_pressure", .read_u64 = read_nothing},
	FLAG_FILE("memory_spread_page", CPUSET_SPREAD_PAGE, write_idle_flag),
	FLAG_FILE("memory_spread_slab", CPUSET_SPREAD_SLAB, write_idle_flag),
	{
		.name = "memory_pressure_enabled",
		.flags = CFTYPE_ONLY_ON_ROOT,
		.read_u64 = read_nothing,
		.write_u64 = write_pressure_enabled,
	},
	{.name = NULL},
};
