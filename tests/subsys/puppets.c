// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * puppets.c - children that do what they are told, for the tests of cpuset.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "puppets.h"
#include "tap.h"

const char *top;
char dir_x[4096], dir_y[4096];
struct stage *stage;

void set_stage(const char *dir)
{
	top = dir;
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
}

void look_at_ucgroup(void)
{
	char text[512];

	if (read_file(top, "cpuset.cpu_exclusive", text, sizeof(text)) < 0)
		tap_bail("%s cannot be read", top);
}

pid_t start(void (*act)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	act(arg);
	_exit(0);
}

void act_sleep(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

void finish(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		tap_note("a child ended with status %#x", status);
		stage->wrong++;
	}
}

void tell_end(pid_t pid)
{
	siginfo_t info = {0};

	if (!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) && info.si_pid)
		tap_note("process %d has ended by itself: %s %d", (int)pid,
			 info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
}

void end(pid_t pid)
{
	if (pid <= 0)
		return;
	tell_end(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
}
