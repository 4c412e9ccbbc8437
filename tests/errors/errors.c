// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * errors.c - every bad input, the errno it gets, and that it changes nothing.
 *
 * errors-test DIR: DIR/x has the hierarchy "debug,name=x" mounted, DIR/y "none,name=y". Tables say
 * what is done and what must come of it; after each row the world is looked at again. Writes TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <ucgroup/ucgroup.h>

#define STRANGER 65534
#define OTHER 12345 /* owns x/given */

static unsigned int n_rows, n_failed;
static struct ucgroup *conn;
static pid_t member, others_task, dead;

static void row(bool ok, const char *what, int got, int wanted)
{
	n_rows++;
	printf("%sok %u - %s: %s\n", ok ? "" : "not ", n_rows, what,
	       wanted ? strerrorname_np(wanted) : "done");
	if (ok)
		return;
	n_failed++;
	printf("# got %s\n", got ? strerrorname_np(got) : "success");
}

/* All that is to stay as it is, as text; to be freed. */
static char *picture(void)
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
	fclose(f);
	return text;
}

/* GOT and WANTED are errno values; BEFORE is what picture() said. Frees it. */
static void judge(const char *what, int got, int wanted, char *before)
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

/* ---- mounting --------------------------------------------------------------------------------- */

static char long_name[66 + 5], long_agent[5000];

static void test_mounts(void)
{
	const struct {
		const char *options;
		int err;
	} rows[] = {
		{"a=b", ENOENT},
		{"nosuch", ENOENT},
		{"debug,nosuch", ENOENT},
		{"name=q,Debug", ENOENT},
		{",", EINVAL},
		{"debug,", EINVAL},
		{",debug", EINVAL},
		{"none,,name=q", EINVAL},
		{"none", EINVAL},
		{"none,debug,name=q", EINVAL},
		{"none,all,name=q", EINVAL},
		{"all,debug", EINVAL},
		{"noprefix,none", EINVAL},
		{"name=", EINVAL},
		{"name=q,name=r", EINVAL},
		{"name=q,name=q", EINVAL},
		{"name=a/b", EINVAL},
		{"name=a b", EINVAL},
		{"name=\xc3\xa4", EINVAL},
		{long_name, EINVAL},
		{"none,name=q,release_agent=/a,release_agent=/b", EINVAL},
		{"none,name=q,release_agent=rel/ative", EINVAL},
		{"none,name=q,release_agent=builtin:other", EINVAL},
		{long_agent, EINVAL},
		{"debug", EBUSY},
		{"all", EBUSY},
		{"debug,name=q", EBUSY},
		{"debug,noprefix,name=x", EBUSY},
		{"none,name=x", EBUSY},
		{"cpuacct,name=x", EBUSY},
		{"debug,name=y", EBUSY},
		{"debug,name=x", 0},
		{"name=y", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *before = picture(), *said = NULL, what[128];
		int fd = -1, rc = ucgroup_mount(conn, rows[i].options, "errors", 0, &fd, &said);

		snprintf(what, sizeof(what), "mount -o %.60s", rows[i].options);
		judge(what, -rc, rows[i].err, before);
		if (rows[i].err)
			row(said && *said, "  and it says why", 0, 0);
		free(said);
		if (fd >= 0)
			close(fd);
		ucgroup_sync(conn);
	}
}

static void test_remounts(void)
{
	static const struct {
		const char *dir, *options;
		int err;
	} rows[] = {
		{"x", "name=z", EINVAL},
		{"x", "noprefix", EINVAL},
		{"x", "nosuch", ENOENT},
		{"x", "debug,", EINVAL},
		{"x", "none,debug", EINVAL},
		{"x", "release_agent=rel", EINVAL},
		{"x", "cpuacct,debug,name=x", EBUSY}, /* it has cgroups */
		{"x", "none,name=x", EBUSY},
		{"y", "debug,name=y", EBUSY}, /* debug is x's */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *before = picture(), *said = NULL, what[128];
		int rc = ucgroup_remount(conn, rows[i].dir, rows[i].options, &said);

		snprintf(what, sizeof(what), "remount %s -o %s", rows[i].dir, rows[i].options);
		judge(what, -rc, rows[i].err, before);
		free(said);
	}
}

/* ---- writing ---------------------------------------------------------------------------------- */

static char big[4096];

enum value { TEXT, DEAD, KTHREAD, OTHERS, BIG };

/* As UID; forks, so that root stays root. */
static int write_as(uid_t uid, const char *file, const char *text, size_t len)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int fd, err = 0;

		if (uid && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
			_exit(255);
		fd = open(file, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, text, len) != (ssize_t)len)
			err = errno;
		_exit(err);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return EIO;
	return WEXITSTATUS(status);
}

static void test_writes(void)
{
	static const struct {
		uid_t uid;
		const char *file;
		enum value kind;
		const char *text;
		size_t len; /* 0: of the text */
		int err;
	} rows[] = {
		{0, "x/a/tasks", TEXT, " ", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "\n", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "abc", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "-1", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "1 2", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "1\n2\n", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "1x", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "0x", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "08", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "1\0", 2, EINVAL},
		{0, "x/a/tasks", TEXT, "99999999999", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "99999999999999999999999", 0, EINVAL},
		{0, "x/a/tasks", TEXT, "2147483647", 0, ESRCH},
		{0, "x/a/tasks", TEXT, "4194304", 0, ESRCH},
		{0, "x/a/tasks", DEAD, NULL, 0, ESRCH},
		{0, "x/a/tasks", KTHREAD, NULL, 0, EINVAL},
		{0, "x/a/tasks", BIG, NULL, 0, E2BIG},
		{0, "x/a/cgroup.procs", TEXT, "x", 0, EINVAL},
		{0, "x/a/cgroup.procs", TEXT, "", 1, EINVAL},
		{0, "x/a/cgroup.procs", DEAD, NULL, 0, ESRCH},
		{0, "x/a/cgroup.procs", KTHREAD, NULL, 0, EINVAL},
		{0, "x/a/cgroup.procs", BIG, NULL, 0, E2BIG},
		{0, "x/a/notify_on_release", TEXT, "", 1, EINVAL},
		{0, "x/a/notify_on_release", TEXT, "yes", 0, EINVAL},
		{0, "x/a/notify_on_release", TEXT, "-1", 0, EINVAL},
		{0, "x/a/notify_on_release", TEXT, "1 1", 0, EINVAL},
		{0, "x/a/notify_on_release", TEXT, "18446744073709551616", 0, ERANGE},
		{0, "x/a/notify_on_release", BIG, NULL, 0, E2BIG},
		{0, "x/a/cgroup.clone_children", TEXT, "z", 0, EINVAL},
		{0, "x/a/cgroup.clone_children", TEXT, "18446744073709551616", 0, ERANGE},
		{0, "x/a/releasable", TEXT, "0", 0, EINVAL},
		{0, "x/release_agent", TEXT, "rel/ative", 0, EINVAL},
		{0, "x/release_agent", TEXT, "builtin:nothing", 0, EINVAL},
		{0, "x/release_agent", BIG, NULL, 0, E2BIG},
		{0, "x/a/release_agent", TEXT, "/a", 0, ENOENT},
		{0, "x/a/debug.taskcount", TEXT, "1", 0, EINVAL},
		/* Somebody who may not write at all. */
		{STRANGER, "x/a/tasks", TEXT, "0", 0, EACCES},
		{STRANGER, "x/a/notify_on_release", TEXT, "1", 0, EACCES},
		{STRANGER, "x/a/releasable", TEXT, "1", 0, EACCES},
		{STRANGER, "x/release_agent", TEXT, "/a", 0, EACCES},
		{STRANGER, "x/given/tasks", TEXT, "0", 0, EACCES},
		/* Somebody who may write here, but not move everybody. */
		{OTHER, "x/given/tasks", OTHERS, NULL, 0, EACCES},
		{OTHER, "x/given/cgroup.procs", OTHERS, NULL, 0, EACCES},
		{OTHER, "x/given/tasks", TEXT, "2147483647", 0, ESRCH},
		{OTHER, "x/a/tasks", TEXT, "0", 0, EACCES},
		/* He may open this one, and that is not enough. */
		{OTHER, "y/release_agent", TEXT, "/a", 0, EPERM},
	};
	char number[32], what[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = rows[i].text, *shown = text;
		size_t len = text ? strlen(text) : 0;
		char *before = picture();

		if (rows[i].len)
			len = rows[i].len;
		if (rows[i].kind == BIG) {
			text = big;
			len = sizeof(big);
			shown = "4096 bytes";
		} else if (rows[i].kind != TEXT) {
			pid_t pid = rows[i].kind == DEAD   ? dead :
				    rows[i].kind == OTHERS ? others_task :
							     2;

			snprintf(number, sizeof(number), "%d", (int)pid);
			text = number;
			len = strlen(text);
			shown = rows[i].kind == DEAD   ? "a dead task" :
				rows[i].kind == OTHERS ? "another's task" :
							 "kthreadd";
		}
		snprintf(what, sizeof(what), "uid %d writes \"%.*s\" to %s", (int)rows[i].uid,
			 (int)strcspn(shown, "\n"), shown, rows[i].file);
		judge(what, write_as(rows[i].uid, rows[i].file, text, len), rows[i].err, before);
	}
}

/* ---- directories and files -------------------------------------------------------------------- */

static int failed(int rc)
{
	return rc < 0 ? errno : 0;
}

static int op_open(const char *a, const char *b)
{
	int fd = open(a, (int)strtol(b, NULL, 0) | O_CLOEXEC, 0644), err = failed(fd);

	if (fd >= 0)
		close(fd);
	return err;
}

static int op_mkdir(const char *a, const char *b)
{
	(void)b;
	return failed(mkdir(a, 0755));
}

static int op_rmdir(const char *a, const char *b)
{
	(void)b;
	return failed(rmdir(a));
}

static int op_rename(const char *a, const char *b)
{
	return failed(rename(a, b));
}

static int op_unlink(const char *a, const char *b)
{
	(void)b;
	return failed(unlink(a));
}

static int op_link(const char *a, const char *b)
{
	return failed(link(a, b));
}

static int op_symlink(const char *a, const char *b)
{
	return failed(symlink(a, b));
}

static int op_mkfifo(const char *a, const char *b)
{
	(void)b;
	return failed(mkfifo(a, 0644));
}

static int op_truncate(const char *a, const char *b)
{
	return failed(truncate(a, strtol(b, NULL, 0)));
}

static int op_setxattr(const char *a, const char *b)
{
	return failed(setxattr(a, b, "v", 1, 0));
}

static int op_getxattr(const char *a, const char *b)
{
	char buf[16];

	return failed((int)getxattr(a, b, buf, sizeof(buf)));
}

static void test_tree(void)
{
	static char name_255[260 + 3], name_256[260 + 3], create[16];
	const struct {
		const char *name;
		int (*op)(const char *a, const char *b);
		const char *a, *b;
		int err;
	} rows[] = {
		{"mkdir", op_mkdir, "x/a", "", EEXIST},
		{"mkdir", op_mkdir, "x/tasks", "", EEXIST},
		{"mkdir", op_mkdir, "x/new\nline", "", EINVAL},
		{"mkdir", op_mkdir, "x/none/b", "", ENOENT},
		{"mkdir", op_mkdir, "x/tasks/b", "", ENOTDIR},
		{"mkdir of 256 bytes", op_mkdir, name_256, "", ENAMETOOLONG},
		{"mkdir of 255 bytes", op_mkdir, name_255, "", 0},
		{"rmdir of it", op_rmdir, name_255, "", 0},
		{"rmdir", op_rmdir, "x/none", "", ENOENT},
		{"rmdir", op_rmdir, "x/tasks", "", ENOTDIR},
		{"rmdir of one with a task", op_rmdir, "x/a", "", EBUSY},
		{"rmdir of one with a child", op_rmdir, "x/p", "", EBUSY},
		{"rmdir of the root", op_rmdir, "x", "", EBUSY},
		{"rename", op_rename, "x/p", "x/a", EEXIST},
		{"rename to a new parent", op_rename, "x/p", "x/given/p", EIO},
		{"rename of a file", op_rename, "x/tasks", "x/other", ENOTDIR},
		{"rename", op_rename, "x/p", "x/new\nline", EINVAL},
		{"rename", op_rename, "x/none", "x/other", ENOENT},
		{"rename away", op_rename, "x/p", "y/p", EXDEV},
		{"create", op_open, "x/file", create, EACCES},
		{"create", op_open, "x/a/file", create, EACCES},
		{"mkfifo", op_mkfifo, "x/fifo", "", EPERM},
		{"unlink", op_unlink, "x/a/tasks", "", EPERM},
		{"unlink", op_unlink, "x/none", "", ENOENT},
		{"link", op_link, "x/a/tasks", "x/a/link", EPERM},
		{"symlink", op_symlink, "tasks", "x/a/link", EPERM},
		{"truncate", op_truncate, "x/a/tasks", "0", 0},
		{"truncate", op_truncate, "x/a/tasks", "100", 0},
		{"setxattr", op_setxattr, "x/a", "system.other", EOPNOTSUPP},
		{"setxattr", op_setxattr, "x/a/tasks", "user.colour", 0},
		{"getxattr", op_getxattr, "x/a/tasks", "user.colour", 0},
		{"getxattr", op_getxattr, "x/a/tasks", "user.none", ENODATA},
	};
	char what[128];

	snprintf(create, sizeof(create), "%d", O_CREAT | O_WRONLY);
	memcpy(name_255, "x/", 2);
	memset(name_255 + 2, 'n', 255);
	memcpy(name_256, "x/", 2);
	memset(name_256 + 2, 'n', 256);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *before = picture();

		snprintf(what, sizeof(what), "%s %.*s %.20s", rows[i].name,
			 (int)(strcspn(rows[i].a, "\n") > 30 ? 30 : strcspn(rows[i].a, "\n")),
			 rows[i].a, rows[i].op == op_rename ? rows[i].b : "");
		for (char *p = what; *p; p++)
			if (*p == '\n')
				*p = '?';
		judge(what, rows[i].op(rows[i].a, rows[i].b), rows[i].err, before);
	}
}

static void test_removed(void)
{
	char buf[16];
	int r, w;

	mkdir("x/gone", 0755);
	r = open("x/gone/tasks", O_RDONLY | O_CLOEXEC);
	w = open("x/gone/notify_on_release", O_WRONLY | O_CLOEXEC);
	row(r >= 0 && w >= 0 && !rmdir("x/gone"), "rmdir with open files", errno, 0);
	row(read(r, buf, sizeof(buf)) < 0 && errno == ENODEV, "read of a removed group's file",
	    errno, ENODEV);
	row(write(w, "1", 1) < 0 && errno == ENODEV, "write to a removed group's file", errno,
	    ENODEV);
	row(mkdir("x/gone/below", 0755) < 0 && errno == ENOENT, "mkdir in a removed group", errno,
	    ENOENT);
	close(r);
	close(w);
}

/* ---- the stage -------------------------------------------------------------------------------- */

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

	member = sleeper(0);
	others_task = sleeper(STRANGER);
	dead = fork();
	if (dead == 0)
		_exit(0);
	if (member < 0 || others_task < 0 || dead < 0 || waitpid(dead, NULL, 0) != dead)
		return false;
	/* Until it has changed its uid, it is root's. */
	for (int i = 0; i < 1000; i++) {
		struct stat st;
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d", (int)others_task);
		if (!stat(path, &st) && st.st_uid == STRANGER)
			break;
		usleep(1000);
	}
	memset(big, ' ', sizeof(big));
	big[0] = '1';
	memcpy(long_name, "name=", 5);
	memset(long_name + 5, 'n', 65);
	strcpy(long_agent, "none,name=q,release_agent=/");
	memset(long_agent + strlen(long_agent), 'a', 4096);
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
	test_writes();
	test_tree();
	test_removed();
	kill(member, SIGKILL);
	kill(others_task, SIGKILL);
	waitpid(member, NULL, 0);
	waitpid(others_task, NULL, 0);
	ucgroup_close(conn);
	printf("1..%u\n", n_rows);
	return n_failed != 0;
}
