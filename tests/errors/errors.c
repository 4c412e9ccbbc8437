// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * errors.c - every bad input, the errno it gets, and that it changes nothing.
 *
 * errors-test DIR: DIR/x has the hierarchy "debug,name=x" mounted, DIR/y "none,name=y". Tables say
 * what is done and what must come of it; after each row the world is looked at again. Writes TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errors.h"

static unsigned int n_rows, n_failed;
struct ucgroup *conn;
pid_t member, others_task, dead, zombie;

void row(bool ok, const char *what, int got, int wanted)
{
	n_rows++;
	printf("%sok %u - %s: %s\n", ok ? "" : "not ", n_rows, what,
	       wanted ? strerrorname_np(wanted) : "done");
	if (ok)
		return;
	n_failed++;
	printf("# got %s\n", got ? strerrorname_np(got) : "success");
}

/* Every directory and file with its mode and owner. */
static void picture_tree(FILE *f, const char *top)
{
	char *roots[] = {(char *)top, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	while (fts && (e = fts_read(fts)))
		if (e->fts_info != FTS_DP)
			fprintf(f, "%s %o %u %lu\n", e->fts_path, e->fts_statp->st_mode,
				e->fts_statp->st_uid, (unsigned long)e->fts_statp->st_nlink);
	if (fts)
		fts_close(fts);
}

char *picture(void)
{
	static const char *const files[] = {"x/a/tasks", "x/a/notify_on_release",
					    "x/a/cgroup.clone_children", "x/release_agent",
					    "x/given/tasks"};
	char *text = NULL, *json = NULL, buf[8192];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(files[i], O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

		fprintf(f, "%s: %.*s\n", files[i], n < 0 ? 1 : (int)n, n < 0 ? "?" : buf);
		if (fd >= 0)
			close(fd);
	}
	if (!ucgroup_query(conn, UCGROUP_HIERARCHIES, NULL, &json))
		fputs(json, f);
	free(json);
	picture_tree(f, "x");
	picture_tree(f, "y");
	fclose(f);
	return text;
}

void judge(const char *what, int got, int wanted, char *before)
{
	char *after = picture();

	row(got == wanted, what, got, wanted);
	if (wanted && strcmp(before, after)) {
		printf("not ok %u - %s changes nothing\n", ++n_rows, what);
		printf("# something changed\n");
		n_failed++;
	}
	free(before);
	free(after);
}

/* ---- the stage -------------------------------------------------------------------------------- */

pid_t become(uid_t uid)
{
	pid_t pid = fork();

	if (pid == 0 && uid && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
		_exit(255);
	return pid;
}

int outcome(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return EIO;
	return WEXITSTATUS(status);
}

int write_as(uid_t uid, const char *file, const char *text, size_t len)
{
	pid_t pid = become(uid);

	if (pid == 0) {
		int fd = open(file, O_WRONLY | O_CLOEXEC);

		_exit(fd < 0 || write(fd, text, len) != (ssize_t)len ? errno : 0);
	}
	return outcome(pid);
}

static pid_t sleeper(uid_t uid)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (uid && setresuid(uid, uid, uid))
			_exit(1);
		for (;;)
			pause();
	}
	return pid;
}

static bool set_stage(void)
{
	char number[32];
	siginfo_t info;

	member = sleeper(0);
	others_task = sleeper(STRANGER);
	dead = fork();
	if (dead == 0)
		_exit(0);
	zombie = fork();
	if (zombie == 0)
		_exit(0);
	if (member < 0 || others_task < 0 || dead < 0 || waitpid(dead, NULL, 0) != dead ||
	    zombie < 0 || waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT))
		return false;
	/* Until it has changed its uid, it is root's. */
	for (int i = 0; i < 60000; i++) {
		struct stat st;
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d", (int)others_task);
		if (!stat(path, &st) && st.st_uid == STRANGER)
			break;
		usleep(1000);
	}
	if (mkdir("x/a", 0755) || mkdir("x/p", 0755) || mkdir("x/p/c", 0755) ||
	    mkdir("x/given", 0755) || chown("x/given/tasks", OTHER, OTHER) ||
	    chown("x/given/cgroup.procs", OTHER, OTHER) || chmod("y/release_agent", 0666))
		return false;
	snprintf(number, sizeof(number), "%d", (int)member);
	return !write_as(0, "x/a/tasks", number, strlen(number));
}

int main(int argc, char **argv)
{
	char *why = NULL;

	if (argc != 2 || chdir(argv[1])) {
		fprintf(stderr, "usage: errors-test DIR\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (ucgroup_connect(NULL, &conn, &why) || !set_stage()) {
		printf("Bail out! the stage cannot be set: %s\n", why ? why : strerror(errno));
		return 1;
	}
	test_mounts();
	test_remounts();
	test_too_many();
	test_writes();
	test_tree();
	test_removed();
	kill(member, SIGKILL);
	kill(others_task, SIGKILL);
	waitpid(member, NULL, 0);
	waitpid(others_task, NULL, 0);
	waitpid(zombie, NULL, 0);
	ucgroup_close(conn);
	printf("1..%u\n", n_rows);
	return n_failed != 0;
}
