// SPDX-License-Identifier: GPL-2.0-or-later
/* world.c - mounting, unmounting and cleaning up. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "puppet.h"
#include "v1.h"
#include "world.h"

static int complain(char *why, size_t size, const char *what, const char *which, int err)
{
	snprintf(why, size, "%s %s: %s", what, which, strerror(err));
	return -1;
}

/* Runs a command to its end; its exit status. Its output goes where errors go. */
static int run(char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], argv);
		dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void die(const char *what, const char *which)
{
	fprintf(stderr, "differential: %s %s: %s\n", what, which, strerror(errno));
	exit(99);
}

/* The agent lies beside this program. */
static void copy_agent(const char *to)
{
	char from[PATH_MAX], self[PATH_MAX] = "";
	struct stat st;
	int in, out;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		die("cannot read", "/proc/self/exe");
	*strrchr(self, '/') = '\0';
	if (snprintf(from, sizeof(from), "%s/differential-agent", self) >= (int)sizeof(from))
		die("too long a path:", self);
	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st))
		die("cannot open", from);
	out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (out < 0 || sendfile(out, in, NULL, (size_t)st.st_size) != st.st_size)
		die("cannot write", to);
	fchmod(out, 0755);
	close(in);
	close(out);
}

int world_prepare(struct world *w, bool kernel_only)
{
	static const char *side_name[SIDES] = {"v1", "ug"};
	char fifo[160], agents[96], agent[128], name[80];
	int err;

	*w = (struct world){.releases = -1, .patience = 30000, .kernel_only = kernel_only};
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("cannot have", "a mount namespace");
	snprintf(w->dir, sizeof(w->dir), "/tmp/" PREFIX "%d", getpid());
	snprintf(w->instance, sizeof(w->instance), PREFIX "%d", getpid());
	if (mkdir(w->dir, 0755))
		die("cannot make", w->dir);
	chmod(w->dir, 0755);
	snprintf(agents, sizeof(agents), "%s/agent", w->dir);
	if (mkdir(agents, 0755))
		die("cannot make", agents);
	for (int s = 0; s < SIDES; s++) {
		snprintf(w->base[s], sizeof(w->base[s]), "%s/%s", w->dir, side_name[s]);
		if (mkdir(w->base[s], 0755))
			die("cannot make", w->base[s]);
	}
	snprintf(agent, sizeof(agent), "%s/agent", agents);
	copy_agent(agent);
	snprintf(fifo, sizeof(fifo), "%s/releases", agents);
	if (mkfifo(fifo, 0600))
		die("cannot make", fifo);
	w->releases = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (w->releases < 0)
		die("cannot open", fifo);
	err = v1_mount(w->instance, w->base[V1]);
	snprintf(name, sizeof(name), "%s-b", w->instance);
	if (!err && kernel_only)
		err = v1_mount(name, w->base[UCG]);
	return err;
}

/* ---- the daemon ---------------------------------------------------------------------------- */

/* It went to the background, so it was adopted by us or will be by the supervisor. */
static pid_t find_daemon(void)
{
	char path[64], comm[32];
	pid_t pid, found = 0;
	FILE *f, *c;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	while (f && !found && fscanf(f, "%d", &pid) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		c = fopen(path, "re");
		if (!c)
			continue;
		if (fgets(comm, sizeof(comm), c) && !strcmp(comm, "ucgroupd\n"))
			found = pid;
		fclose(c);
	}
	if (f)
		fclose(f);
	return found;
}

const char *world_daemon_fate(struct world *w)
{
	static char text[64];
	int status;

	if (w->kernel_only)
		return "";
	if (!w->daemon)
		return "the daemon was not started";
	if (waitpid(w->daemon, &status, WNOHANG) != w->daemon)
		return "";
	w->daemon = 0;
	shared->daemon = 0;
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "the daemon was killed by signal %d",
			 WTERMSIG(status));
	else
		snprintf(text, sizeof(text), "the daemon exited with %d", WEXITSTATUS(status));
	return text;
}

static int start_daemon(struct world *w, char *why, size_t size)
{
	char *argv[] = {"ucgroupd", "--instance", w->instance, NULL};
	int status = run(argv);

	if (status) {
		snprintf(why, size, "ucgroupd does not start (exit status %d)", status);
		return -1;
	}
	w->daemon = find_daemon();
	shared->daemon = w->daemon;
	if (!w->daemon) {
		snprintf(why, size, "ucgroupd says it started, but there is no such process");
		return -1;
	}
	return 0;
}

/* ---- a pair of hierarchies ----------------------------------------------------------------- */

/* An agent's name tells side and world: one that is late is not taken for the next world's. */
static int name_agents(struct world *w)
{
	char agent[128];

	snprintf(agent, sizeof(agent), "%s/agent/agent", w->dir);
	for (int s = 0; s < SIDES; s++) {
		snprintf(w->agent[s], sizeof(w->agent[s]), "%s/agent/%s.%d", w->dir,
			 s == V1 ? "v1" : "ug", w->number);
		if (link(agent, w->agent[s]))
			return -errno;
	}
	return 0;
}

int world_open(struct world *w, char *why, size_t size)
{
	char options[96];
	char *argv[] = {"ucgroup", "--instance",   w->instance,	 "mount", "-o",
			options,   "differential", w->base[UCG], NULL};
	int err;

	if (!w->kernel_only && *world_daemon_fate(w) && start_daemon(w, why, size))
		return -1;
	w->number++;
	snprintf(options, sizeof(options), "none,name=%s-%d", w->instance, w->number);
	err = v1_reset(w->base[V1]);
	if (!err && w->kernel_only)
		err = v1_reset(w->base[UCG]);
	if (err)
		return complain(why, size, "cannot reset", w->base[V1], -err);
	if (!w->kernel_only && run(argv)) {
		snprintf(why, size, "ucgroup mount fails");
		return -1;
	}
	err = name_agents(w);
	return err ? complain(why, size, "cannot name", w->agent[V1], -err) : 0;
}

/* Also when the daemon is dead and its file system with it. */
static int close_ucgroup(struct world *w, char *why, size_t size)
{
	int err = remove_groups(w->base[UCG]);

	if (err)
		complain(why, size, "cannot remove every group below", w->base[UCG], -err);
	if (!w->kernel_only && umount2(w->base[UCG], err ? MNT_DETACH : 0) && errno != EINVAL)
		err = complain(why, size, "cannot unmount", w->base[UCG], errno);
	return err;
}

int world_close(struct world *w, char *why, size_t size)
{
	int v1, ucg;

	unlink(w->agent[V1]);
	unlink(w->agent[UCG]);
	v1 = remove_groups(w->base[V1]);
	if (v1)
		complain(why, size, "cannot remove every group below", w->base[V1], -v1);
	ucg = close_ucgroup(w, why, size);
	return v1 || ucg ? -1 : 0;
}

/* The daemon is asked to go, then made to. */
static int stop_daemon(struct world *w, char *why, size_t size)
{
	char *argv[] = {"ucgroup", "--instance", w->instance, "shutdown", NULL};
	struct timespec ms = {0, 10000000};
	char path[128];
	int err = 0;

	if (!w->daemon)
		return 0;
	if (*world_daemon_fate(w)) {
		snprintf(why, size, "the daemon is gone");
		err = -1;
	} else if (run(argv)) {
		snprintf(why, size, "ucgroup shutdown fails");
		err = -1;
	}
	for (int i = 0; w->daemon && i < 1000; i++) {
		if (*world_daemon_fate(w))
			break;
		nanosleep(&ms, NULL);
	}
	if (w->daemon) {
		kill(w->daemon, SIGKILL);
		waitpid(w->daemon, NULL, 0);
		snprintf(why, size, "the daemon does not end after shutdown");
		err = -1;
	}
	snprintf(path, sizeof(path), "/run/ucgroup/%s", w->instance);
	remove_tree(path);
	snprintf(path, sizeof(path), "/sys/fs/bpf/ucgroup/%s", w->instance);
	remove_tree(path);
	return err;
}

int world_destroy(struct world *w, char *why, size_t size)
{
	int err = world_close(w, why, size), v1;
	char name[80];

	v1 = v1_dissolve(w->instance, w->base[V1], 30000);
	if (w->kernel_only) {
		snprintf(name, sizeof(name), "%s-b", w->instance);
		v1 |= v1_dissolve(name, w->base[UCG], 30000);
	}
	/* That is the kernel's affair, and the next run takes it away. */
	if (v1)
		printf("# the kernel still keeps the empty hierarchy %s: %s\n", w->instance,
		       strerror(-v1));
	err |= stop_daemon(w, why, size);
	umount2(w->base[UCG], MNT_DETACH);
	remove_tree(w->dir);
	return err;
}

/* ---- releases ------------------------------------------------------------------------------ */

/* The next whole line, waiting at most MS; NULL: none came. Valid until the next call. */
static char *next_line(struct world *w, int ms)
{
	static char text[sizeof(w->line)];
	struct pollfd p = {.fd = w->releases, .events = POLLIN};

	for (;;) {
		char *end = memchr(w->line, '\n', w->line_len);
		ssize_t n;

		if (end) {
			size_t len = (size_t)(end - w->line);

			memcpy(text, w->line, len);
			text[len] = '\0';
			w->line_len -= len + 1;
			memmove(w->line, end + 1, w->line_len);
			return text;
		}
		if (poll(&p, 1, ms) <= 0)
			return NULL;
		n = read(w->releases, w->line + w->line_len, sizeof(w->line) - w->line_len);
		if (n <= 0)
			return NULL;
		w->line_len += (size_t)n;
	}
}

static bool may_come(struct tree *tree, const char *path, enum side side)
{
	int g = tree_find(tree, path);
	bool may = g != GROUP_NONE && tree->group[g].maybe[side];

	if (may)
		tree->group[g].maybe[side] = false;
	return may;
}

int world_await_releases(struct world *w, struct tree *tree, char paths[][GROUP_PATH], int n,
			 char *why, size_t size)
{
	bool seen[GROUPS][SIDES] = {0};
	int missing = n * SIDES;

	for (;;) {
		char *line = next_line(w, missing ? w->patience : 0), *path;
		enum side side;
		int i;

		if (!line)
			break;
		side = strncmp(line, "v1.", 3) ? UCG : V1;
		if (atoi(line + 3) != w->number)
			continue;
		path = strchr(line, ' ') + 1;
		if (strncmp(path, "2 ", 2)) {
			snprintf(why, size, "agent called with other than one argument: %s", line);
			return -1;
		}
		path += 2;
		for (i = 0; i < n; i++)
			if (!strcmp(paths[i], path) && !seen[i][side])
				break;
		if (i == n && may_come(tree, path, side))
			continue;
		if (i == n) {
			snprintf(why, size, "unexpected release by %s of %s",
				 side == V1 ? "v1" : "ucgroup", path);
			return -1;
		}
		seen[i][side] = true;
		missing--;
	}
	for (int i = 0; i < n; i++)
		for (int s = 0; s < SIDES; s++)
			if (!seen[i][s]) {
				snprintf(why, size, "no release by %s of %s",
					 s == V1 ? "v1" : "ucgroup", paths[i]);
				return -1;
			}
	return 0;
}
