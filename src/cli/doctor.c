// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The doctor command: what this machine can do, and what is missing, in words.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli.h"

struct exam {
	struct cli *cli;
	json_t *findings;
	bool trouble;
};

__attribute__((format(printf, 4, 5))) static void find(struct exam *x, const char *what, bool good,
						       const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	x->trouble |= !good;
	json_array_append_new(x->findings, json_pack("{s:s, s:b, s:s*}", "what", what, "ok", good,
						     "finding", text));
	if (!x->cli->json)
		printf("%-10s %-8s %s\n", what, good ? "ok" : "MISSING", text);
	free(text);
}

static void check_kernel(struct exam *x)
{
	struct utsname u;
	int major = 0, minor = 0;
	bool epoch;

	uname(&u);
	sscanf(u.release, "%d.%d", &major, &minor);
	if (major > 6 || (major == 6 && minor >= 2))
		find(x, "kernel", true, "%s", u.release);
	else
		find(x, "kernel", false, "%s: the bpf tracker needs 6.2 or newer", u.release);
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		find(x, "btf", true, "/sys/kernel/btf/vmlinux is there");
	else
		find(x, "btf", false,
		     "/sys/kernel/btf/vmlinux cannot be read (%s): the bpf tracker needs a kernel "
		     "built with CONFIG_DEBUG_INFO_BTF",
		     strerror(errno));
	epoch = major > 6 || (major == 6 && minor >= 16);
	find(x, "caching", true, "%s",
	     epoch ? "names and attributes stay cached in the kernel" :
		     "kernels before 6.16 ask the daemon for each name: everything works, slower");
}

static void check_fuse(struct exam *x)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		find(x, "fuse", true, "/dev/fuse can be opened");
	else if (errno == EACCES || errno == EPERM)
		find(x, "fuse", false, "/dev/fuse: %s; run as root", strerror(errno));
	else
		find(x, "fuse", false, "/dev/fuse: %s; load the module with `modprobe fuse`",
		     strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void check_tracker(struct exam *x)
{
	const char *args[] = {"--check", NULL};
	char path[PATH_MAX], *said, *line, *save = NULL;
	bool found = cli_find_daemon(path, sizeof(path));
	int status;

	status = cli_run_daemon(x->cli, args, &said);
	if (status > 1) {
		find(x, "daemon", false, "%s", said ? said : "ucgroupd cannot be run");
		free(said);
		return;
	}
	find(x, "daemon", true, "%s", found ? path : "ucgroupd, from PATH");
	/* A line for each tracker; one that works is enough. */
	for (line = said ? strtok_r(said, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		find(x, "tracking", status == 0, "%s", line);
	free(said);
}

static void check_helpers(struct exam *x)
{
	static const char *const dirs[] = {"/sbin", "/usr/sbin", "/usr/local/sbin"};
	char path[64];
	size_t i;

	/* mount(8) looks in /sbin alone on most distributions. */
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/mount.ucgroup", dirs[i]);
		if (access(path, X_OK))
			continue;
		if (i < 2)
			find(x, "mount(8)", true, "%s is there", path);
		else
			find(x, "mount(8)", true,
			     "%s is there, which only some builds of mount(8) look for; `ucgroup "
			     "mount` works in any case",
			     path);
		return;
	}
	find(x, "mount(8)", true,
	     "the helper mount.ucgroup is not installed in /sbin: use `ucgroup mount` instead of "
	     "`mount -t ucgroup`");
}

static void check_instance(struct exam *x)
{
	char *what = NULL;
	int rc = cli_try_connect(x->cli, &what);

	if (!rc)
		find(x, "instance", true, "the daemon of '%s' is running", x->cli->instance);
	else if (rc == -ENOENT || rc == -ECONNREFUSED)
		find(x, "instance", true, "no daemon of '%s' is running; it is started when needed",
		     x->cli->instance);
	else
		find(x, "instance", false, "the daemon of '%s' cannot be reached: %s",
		     x->cli->instance, what ? what : strerror(-rc));
	free(what);
}

static error_t parse_none(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "'%s': no arguments are taken", arg);
	return 0;
}

int cmd_doctor(struct cli *cli, int argc, char **argv)
{
	static const struct argp_option options[] = {{0}};
	struct exam x = {.cli = cli};

	cli_parse("doctor", options, parse_none, "",
		  "Says what this machine can do, and what is missing.", 0, argc, argv, NULL);
	x.findings = json_array();
	check_kernel(&x);
	check_fuse(&x);
	check_tracker(&x);
	check_helpers(&x);
	check_instance(&x);
	if (cli->json)
		cli_print_json(x.findings);
	json_decref(x.findings);
	return x.trouble ? CLI_FAILED : CLI_DONE;
}
