// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - the supervisor of the differential test: starts the driver, watches that something
 * moves, and cleans up after it however it ended.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "v1.h"

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	stop_asked = sig;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case 'n':
		s->operations = atol(arg);
		break;
	case 's':
		s->seed = strtoull(arg, NULL, 0);
		break;
	case 'w':
		s->world = atol(arg);
		break;
	case 'x':
		for (int i = 0; i < OP_KINDS; i++)
			if (!strcmp(arg, op_name((enum op_kind)i))) {
				s->without[i] = true;
				return 0;
			}
		argp_error(state, "there is no operation \"%s\"", arg);
		break;
	case 'p':
		s->patience = atoi(arg);
		break;
	case 'r':
		s->replay = arg;
		break;
	case 't':
		s->self_test = true;
		break;
	case 'k':
		s->kernel_only = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{"operations", 'n', "N", 0, "do N operations (default 3000)", 0},
	{"seed", 's', "SEED", 0, "which operations (default 1)", 0},
	{"world", 'w', "W", 0, "only world W of that seed", 0},
	{"patience", 'p', "SECONDS", 0, "how long to wait for what must come (default 120)", 0},
	{"without", 'x', "KIND", 0, "leave out operations of this kind", 0},
	{"replay", 'r', "FILE", 0, "do the operations in FILE", 0},
	{"self-test", 't', NULL, 0, "also find planted differences", 0},
	{"kernel-only", 'k', NULL, 0, "compare v1 with itself: a test of the test", 0},
	{0},
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.doc = "Compares ucgroup with the kernel's cgroup v1 by random operations on both.",
};

/* Everything that a dead driver left comes to us, the subreaper. The daemon is let live. */
static void kill_orphans(pid_t daemon)
{
	char path[64];
	int found;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	do {
		FILE *f = fopen(path, "re");
		pid_t pid;

		found = 0;
		while (f && fscanf(f, "%d", &pid) == 1) {
			if (pid == daemon)
				continue;
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			found++;
		}
		if (f)
			fclose(f);
	} while (found);
}

/*
 * Waits for the driver. Nothing moves: kills the daemon, so that system calls stuck in its file
 * system come back; still nothing: kills the driver.
 */
static int watch(pid_t driver, int patience)
{
	uint32_t last = shared->progress;
	int status, still = 0;

	while (waitpid(driver, &status, WNOHANG) != driver) {
		struct timespec tick = {0, 100000000};

		nanosleep(&tick, NULL);
		if (stop_asked)
			kill(driver, SIGKILL);
		if (last != shared->progress) {
			last = shared->progress;
			still = 0;
		}
		still++;
		if (still == patience * 10) {
			printf("# nothing has moved for %d s; under way: %s\n", patience,
			       shared->doing);
			fflush(stdout);
			if (shared->daemon)
				kill(shared->daemon, SIGABRT);
		}
		if (still == patience * 15)
			kill(driver, SIGKILL);
	}
	if (stop_asked)
		return 128 + stop_asked;
	if (WIFSIGNALED(status)) {
		printf("Bail out! the driver was killed by signal %d\n", WTERMSIG(status));
		return 99;
	}
	return WEXITSTATUS(status);
}

static void open_supervisor_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0 || dup2(fd, FD_SUPERVISOR) < 0) {
		perror("differential: no pidfd");
		exit(99);
	}
	close(fd);
}

static int supervise(struct world *world, const struct settings *settings)
{
	char why[WHY_MAX] = "";
	int status, left;
	pid_t driver = fork();

	if (driver < 0) {
		perror("differential: cannot fork");
		return 99;
	}
	if (driver == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		signal(SIGINT, SIG_IGN);
		exit(drive(world, settings));
	}
	status = watch(driver, settings->patience + 30);
	world->daemon = shared->daemon;
	kill_orphans(world->daemon);
	left = world_destroy(world, why, sizeof(why));
	if (settings->replay)
		return status;
	printf("%sok %d - nothing is left of it\n", left ? "not " : "",
	       settings->self_test ? 5 : 2);
	if (left)
		printf("# %s\n", why);
	return status ? status : left != 0;
}

int main(int argc, char **argv)
{
	struct settings settings = {.operations = 3000, .seed = 1, .world = -1, .patience = 120};
	struct sigaction act = {.sa_handler = on_signal};
	struct world world;
	int err;

	if (argc > 1 && !strcmp(argv[1], "--puppet"))
		puppet_main(argc, argv);
	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid()) {
		fprintf(stderr, "differential: must run as root: it mounts file systems\n");
		return 2;
	}
	open_supervisor_pidfd();
	shared_create();
	shared->patience = settings.patience * 1000;
	err = world_prepare(&world, settings.kernel_only);
	v1_sweep();
	if (err) {
		printf("1..0 # SKIP no cgroup v1 to compare with: %s\n", strerror(-err));
		return world_destroy(&world, (char[WHY_MAX]){0}, WHY_MAX) ? 1 : 0;
	}
	if (!settings.replay)
		printf("1..%d\n", settings.self_test ? 5 : 2);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return supervise(&world, &settings);
}
