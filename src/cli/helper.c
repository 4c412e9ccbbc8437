// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount(8)'s helpers: `mount.ucgroup SOURCE DIR [-sfnv] [-N NS] [-o OPTIONS] [-t TYPE]` and
 * `umount.ucgroup DIR [-flnrv] [-N NS] [-t TYPE]`, with the exit codes mount(8) expects.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <wire/paths.h>

#include "cli.h"

/* Exit codes of mount(8). */
#define EX_OK 0
#define EX_MOUNT_USAGE 1
#define EX_MOUNT_FAIL 32

static int usage(const struct cli *cli)
{
	if (strstr(cli->program, "umount"))
		fprintf(stderr, "usage: %s DIR [-flnrv] [-N NAMESPACE] [-t TYPE]\n", cli->program);
	else
		fprintf(stderr,
			"usage: %s SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]\n",
			cli->program);
	return EX_MOUNT_USAGE;
}

/* fstab has no environment, so the instance can be named among the options. */
static int take_instance(struct cli *cli, char *options)
{
	char *instance = NULL;
	bool valid;

	if (!cli_take_option(options, "instance", &instance))
		return 0;
	valid = instance && paths_instance_valid(instance);
	if (valid) {
		snprintf(cli->named, sizeof(cli->named), "%s", instance);
		cli->instance = cli->named;
	} else {
		cli_fail(cli, "instance=%s: 1 to %d of A-Z a-z 0-9 . _ -, not starting with a dot",
			 instance ? instance : "", PATHS_INSTANCE_MAX);
	}
	free(instance);
	return valid ? 0 : EX_MOUNT_FAIL;
}

static int mount_helper(struct cli *cli, int argc, char **argv, const char *type)
{
	struct mount_args m = {.type = type};
	char *options = NULL;
	int opt, rc;

	while ((opt = getopt(argc, argv, "sfnvN:o:t:")) != -1) {
		switch (opt) {
		case 's':
		case 'n':
		case 'v':
			break;
		case 'f':
			m.fake = true;
			break;
		case 'N':
			m.ns = optarg;
			break;
		case 'o':
			options = optarg;
			break;
		case 't':
			/* "fuse.ucgroup" and the like are what the kernel calls it. */
			if (!strcmp(optarg, "ucgroup-cpuset"))
				m.type = optarg;
			break;
		default:
			return usage(cli);
		}
	}
	if (argc - optind != 2)
		return usage(cli);
	m.source = argv[optind];
	m.dir = argv[optind + 1];
	options = options ? strdupa(options) : NULL;
	rc = options ? take_instance(cli, options) : 0;
	if (rc)
		return rc;
	m.options = options;
	if (options && cli_take_option(strdupa(options), "remount", NULL))
		rc = cli_remount(cli, options, m.dir);
	else
		rc = cli_mount(cli, &m);
	ucgroup_close(cli->c);
	return rc ? EX_MOUNT_FAIL : EX_OK;
}

static int umount_helper(struct cli *cli, int argc, char **argv)
{
	const char *ns = NULL;
	int opt, flags = 0, rc;

	while ((opt = getopt(argc, argv, "flnrvN:t:")) != -1) {
		switch (opt) {
		case 'f':
			flags |= MNT_FORCE;
			break;
		case 'l':
			flags |= MNT_DETACH;
			break;
		case 'N':
			ns = optarg;
			break;
		case 'n':
		case 'r':
		case 'v':
		case 't':
			break;
		default:
			return usage(cli);
		}
	}
	if (argc - optind != 1)
		return usage(cli);
	rc = cli_umount(cli, argv[optind], flags, ns);
	return rc ? EX_MOUNT_FAIL : EX_OK;
}

bool helper_main(const char *name, int argc, char **argv, int *status)
{
	/* mount(8) knows our mounts as "fuse.ucgroup" once they are there. */
	static const struct {
		const char *name, *type;
		bool umount;
	} helpers[] = {
		{"mount.ucgroup", "ucgroup", false},
		{"mount.ucgroup-cpuset", "ucgroup-cpuset", false},
		{"mount.fuse.ucgroup", "ucgroup", false},
		{"umount.ucgroup", NULL, true},
		{"umount.ucgroup-cpuset", NULL, true},
		{"umount.fuse.ucgroup", NULL, true},
	};
	struct cli cli = {.program = name, .instance = getenv("UCGROUP_INSTANCE")};
	size_t i;

	if (!cli.instance || !*cli.instance)
		cli.instance = PATHS_DEFAULT_INSTANCE;
	for (i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		if (strcmp(name, helpers[i].name))
			continue;
		*status = helpers[i].umount ? umount_helper(&cli, argc, argv) :
					      mount_helper(&cli, argc, argv, helpers[i].type);
		return true;
	}
	return false;
}
