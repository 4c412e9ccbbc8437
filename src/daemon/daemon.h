/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.h - ucgroupd's one context, and what its files offer each other.
 *
 * Everything runs on one libuv loop in one thread. What may be called from elsewhere says so.
 */
#ifndef UCGROUP_DAEMON_H
#define UCGROUP_DAEMON_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <uv.h>

#include <core/core.h>
#include <fs/fs.h>
#include <tracker/tracker.h>
#include <wire/paths.h>
#include <wire/wire.h>

#define MAX_PLUGINS CORE_MAX_SUBSYS
#define DEFAULT_MAX_CSETS (1u << 20)

struct agents;
struct client;
struct control;
struct waits;

struct options {
	const char *instance;
	const char *tracker; /* "auto", or one's name */
	const char *plugins[MAX_PLUGINS];
	unsigned int n_plugins;
	bool foreground, check;
	struct tracker_opts tracker_opts;
};

/* The child that unmounts at the end; see shutdown.c. */
struct sweep {
	struct daemon *d;
	uv_poll_t poll;
	uv_timer_t limit;
	int fd; /* reads as ended when the child has */
	pid_t pid;
};

/* See spin.c. Times are of uv_hrtime(). */
struct spin {
	uv_idle_t idle;
	int fd;		     /* of what the kernel says of our waiting; -1: nothing */
	uint64_t last;	     /* request */
	uint64_t looked;     /* when the kernel was asked, */
	uint64_t waited;     /* and what it said */
	uint64_t busy_until; /* somebody else needs our CPU */
	uint64_t busy_ns;    /* so long, the last time */
	unsigned int misses;
	bool possible;
};

struct daemon {
	struct options opts;
	char run_dir[PATH_MAX];
	int lock_fd;  /* -1: not held */
	int ready_fd; /* whoever waits for us to be ready reads the other end; -1: nobody */
	bool to_syslog;
	int log_fd; /* messages go there too; -1: nowhere */
	uid_t uid;  /* ours, and so the owner of the instance */
	int nice;   /* what we were started with: for programs */
	uint64_t started_ns;

	uv_loop_t loop;
	uv_poll_t tracker_poll;
	uv_prepare_t before_sleep;
	struct spin spin;
	uv_timer_t ticks[CORE_MAX_SUBSYS]; /* by subsystem; data is NULL until first used */
	uv_async_t kick;		   /* a css reference was put: settle */
	uv_signal_t on_term, on_int;
	bool loop_ready;
	bool stopping;
	int exit_code;
	int asker_fd; /* of the client that asked for the end and waits for it; -1: none */
	uint32_t asker_seq;

	struct core *core;
	const struct tracker_ops *tracker_ops;
	struct tracker *tracker;
	struct fs *fs;
	void *plugins[MAX_PLUGINS]; /* of dlopen */
	unsigned int n_plugins;

	LIST_HEAD(, listening) listening; /* of fds.c */

	struct sweep sweep;
	LIST_HEAD(, program) programs; /* that have been started */
	uv_poll_t on_child;
	int child_fd;	  /* tells of children that have ended; -1: not open */
	int null_fd;	  /* of /dev/null, for programs; -1: not open */
	uint64_t signals; /* of program.c */
	bool signals_known;
	struct control *control;
	struct agents *agents;
	struct waits *waits;
};

/* ---- log.c ------------------------------------------------------------------------------------ */

/* A line for the log: syslog when in the background, else standard error. */
void daemon_log(const struct daemon *d, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void daemon_vlog(const struct daemon *d, int priority, const char *fmt, va_list ap);
/* From here on nobody reads our standard error. */
void daemon_log_to_background(struct daemon *d);

/* ---- rundir.c --------------------------------------------------------------------------------- */

/*
 * Make the run directory and lock it. Messages have been logged when this fails. -EALREADY: the
 * instance is running.
 */
int rundir_lock(struct daemon *d);
/* Remove it with all that is ours in it, then unlock. */
void rundir_remove(struct daemon *d);

/* ---- background.c ----------------------------------------------------------------------------- */

/*
 * Go to the background: returns in the child, whose parent waits for background_ready() and exits
 * with what comes of it. -errno: no child was made.
 */
int background_start(struct daemon *d);
/* Tell whoever waits, the parent or a service manager, that we serve now; let go of the terminal. */
void background_ready(struct daemon *d);
/* Tell a service manager that we are about to end. */
void background_stopping(struct daemon *d);

/* ---- ops.c ------------------------------------------------------------------------------------ */

/* What the core asks of the world; its argument is the struct daemon. */
extern const struct core_ops daemon_core_ops;

/* ---- fds.c ------------------------------------------------------------------------------------ */

/* As core_ops.watch_fd. */
int fds_watch(struct daemon *d, int fd, void (*fn)(void *arg, int fd), void *arg);

/* ---- spin.c: staying awake between requests ----------------------------------------------------- */

int spin_start(struct daemon *d);
void spin_stop(struct daemon *d);
/* A request has been handled. True: the next is likely to come soon. */
bool spin_request(struct daemon *d);
/* Right before the loop would sleep: makes it look again instead. */
void spin_before_sleep(struct daemon *d);

/* ---- plugin.c --------------------------------------------------------------------------------- */

/* Register what is built in, then the plug-ins of the command line. Messages have been logged. */
int plugins_register(struct daemon *d);
/* After the core is gone. */
void plugins_close(struct daemon *d);

/* ---- program.c: starts programs without waiting for them ---------------------------------------- */

struct program {
	char *argv[3], *env[4]; /* end with NULL; argv[0] is the absolute path of the program */
	/* It has ended with STATUS, as of waitpid(2), or could not be executed: -errno. May free P. */
	void (*on_end)(struct program *p, int error, int status);
	void *data;
	/* Of program.c: */
	LIST_ENTRY(program) link;
	struct daemon *d;
	struct start *start; /* what the child was started with; NULL: it executes */
	int error;
	pid_t pid;
};
int programs_start(struct daemon *d);
/*
 * Execute P, whose memory must stay until on_end, which is not called from here. -errno: and it never
 * is.
 */
int program_start(struct daemon *d, struct program *p);
/*
 * It goes on by itself; on_end is not called any more. False: it does not execute yet, so P and what it
 * is to be executed with must stay as they are for ever.
 */
bool program_forget(struct program *p);
/* Stop before the loop is closed, free after. */
void programs_stop(struct daemon *d);
void programs_free(struct daemon *d);

/* ---- agents.c --------------------------------------------------------------------------------- */

#define AGENTS_MAX 64 /* that run at once */

struct agents_stats {
	uint64_t delivered, started, failed, removed;
	unsigned int running;
};
int agents_start(struct daemon *d);
/* Releases are queued: they are delivered before the loop sleeps. On the loop. */
void agents_wake(struct daemon *d);
/* Deliver what may be delivered now. Before each sleep, and again while they are due. */
void agents_look(struct daemon *d);
bool agents_are_due(const struct daemon *d);
/* Agents have just been started and will want a CPU, and then us. */
bool agents_are_fresh(const struct daemon *d);
void agents_get_stats(const struct daemon *d, struct agents_stats *stats);
/* Running agents go on by themselves. Stop before the loop is closed, free after. */
void agents_stop(struct daemon *d);
void agents_free(struct daemon *d);

/* ---- waits.c: who waits for a cgroup to be idle, and who listens to events ----------------------- */

int waits_start(struct daemon *d);
/* Before each sleep: answer those whose cgroup is idle, gone, or whose time is up. */
void waits_look(struct daemon *d);
/* Answer SEQ of CLIENT when CGRP is idle or gone, or after MS milliseconds. -ENOMEM. */
int waits_add(struct client *client, uint32_t seq, struct cgroup *cgrp, uint32_t ms);
/* Send the events of CGRP and below (NULL: all) to CLIENT as frames with SEQ. -ENOMEM. */
int watch_add(struct client *client, uint32_t seq, struct cgroup *cgrp);
/*
 * Tell the listeners. CGRP is what EV is about, or the nearest cgroup above it that is still there;
 * NULL: only those who listen to everything can be told.
 */
void watch_tell(struct daemon *d, const struct wire_event *ev, struct cgroup *cgrp);
void waits_forget(struct client *client);
unsigned int waits_n_watches(const struct daemon *d);
/* Stop before the loop is closed, free after. */
void waits_stop(struct daemon *d);
void waits_free(struct daemon *d);

/* ---- control.c: the control socket ------------------------------------------------------------- */

/* Listen. Messages have been logged. */
int control_start(struct daemon *d);
unsigned int control_n_clients(const struct daemon *d);
/* End all connections. Stop before the loop is closed, free after. */
void control_stop(struct daemon *d);
void control_free(struct daemon *d);

/* ---- shutdown.c ------------------------------------------------------------------------------- */

/*
 * Begin to stop: unmount what other mount namespaces show of us, then end the loop. fs_stop() does
 * the rest. Again: no effect.
 */
void shutdown_begin(struct daemon *d);
/* The last thing of all: tell who asked that everything is gone. */
void shutdown_done(struct daemon *d);

#endif
