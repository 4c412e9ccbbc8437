// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ucgroupd - keeps task control groups. This file: the command line, and the order in which the
 * parts start and end.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon.h"

#define NICER 10

/* ---- command line ----------------------------------------------------------------------------- */

enum {
	OPT_INSTANCE = 256,
	OPT_FOREGROUND,
	OPT_TRACKER,
	OPT_SUBSYSTEM,
	OPT_CHECK,
	OPT_RING_BYTES,
	OPT_MAX_CSETS,
	OPT_FAIL_EVERY,
	OPT_UNBORN,
};

static const struct argp_option options[] = {
	{"instance", OPT_INSTANCE, "NAME", 0, "Serve the instance NAME instead of 'default'", 0},
	{"foreground", OPT_FOREGROUND, NULL, 0, "Stay in the foreground, log to standard error", 0},
	{"tracker", OPT_TRACKER, "KIND", 0,
	 "What to learn of forks and exits from: auto (default), bpf or connector", 0},
	{"subsystem", OPT_SUBSYSTEM, "FILE.so", 0,
	 "Load a subsystem from a shared object (may be repeated)", 0},
	{"check", OPT_CHECK, NULL, 0, "Say which trackers this machine can use, and end", 0},
	{NULL, 0, NULL, 0, "For tests:", 1},
	{"ring-bytes", OPT_RING_BYTES, "N", 0, "Size of the event log, a power of two", 1},
	{"max-csets", OPT_MAX_CSETS, "N", 0, "Most combinations of groups at a time", 1},
	{"fail-every", OPT_FAIL_EVERY, "N", 0, "Lose every Nth log entry on purpose", 1},
	{"unborn", OPT_UNBORN, "N", 0, "Take tasks for unborn when looked at, but one time in N",
	 1},
	{0},
};

static uint32_t number(const char *arg, const char *option, struct argp_state *state)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(arg, &end, 10);
	if (errno || *end || end == arg || *arg == '-' || v > UINT32_MAX)
		argp_error(state, "--%s=%s: not a number from 0 to %u", option, arg, UINT32_MAX);
	return (uint32_t)v;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_INSTANCE:
		if (!paths_instance_valid(arg))
			argp_error(state,
				   "--instance=%s: 1 to %d of A-Z a-z 0-9 . _ -, not starting with "
				   "a dot",
				   arg, PATHS_INSTANCE_MAX);
		o->instance = arg;
		return 0;
	case OPT_FOREGROUND:
		o->foreground = true;
		return 0;
	case OPT_TRACKER:
		if (strcmp(arg, "auto") && strcmp(arg, "bpf") && strcmp(arg, "connector"))
			argp_error(state, "--tracker=%s: it is auto, bpf or connector", arg);
		o->tracker = arg;
		return 0;
	case OPT_SUBSYSTEM:
		if (o->n_plugins == MAX_PLUGINS)
			argp_error(state, "--subsystem=%s: at most %d can be loaded", arg,
				   MAX_PLUGINS);
		o->plugins[o->n_plugins++] = arg;
		return 0;
	case OPT_CHECK:
		o->check = true;
		return 0;
	case OPT_RING_BYTES:
		o->tracker_opts.ring_bytes = number(arg, "ring-bytes", state);
		return 0;
	case OPT_MAX_CSETS:
		o->tracker_opts.max_csets = number(arg, "max-csets", state);
		return 0;
	case OPT_FAIL_EVERY:
		o->tracker_opts.fail_every = number(arg, "fail-every", state);
		return 0;
	case OPT_UNBORN:
		o->tracker_opts.unborn = number(arg, "unborn", state);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': no arguments are taken", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- starting --------------------------------------------------------------------------------- */

static const struct tracker_ops *const trackers[] = {&bpf_tracker};

static bool known(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(trackers) / sizeof(trackers[0]); i++)
		if (!strcmp(trackers[i]->name, name))
			return true;
	return false;
}

/* 0: at least one can be used. */
static int check_trackers(void)
{
	bool any = false;
	char *why;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(trackers) / sizeof(trackers[0]); i++) {
		why = NULL;
		rc = trackers[i]->probe(&why);
		printf("the %s tracker %s%s\n", trackers[i]->name,
		       rc ? "cannot be used: " : "can be used",
		       rc ? why ? why : strerror(-rc) : "");
		any |= !rc;
		free(why);
	}
	return any ? 0 : 1;
}

static int start_tracker(struct daemon *d)
{
	bool any = !strcmp(d->opts.tracker, "auto");
	char *why = NULL;
	int rc = -ENOTSUP;
	size_t i;

	for (i = 0; i < sizeof(trackers) / sizeof(trackers[0]); i++) {
		if (!any && strcmp(d->opts.tracker, trackers[i]->name))
			continue;
		rc = trackers[i]->probe(&why);
		if (!rc)
			rc = trackers[i]->start(&d->opts.tracker_opts, &d->tracker, &why);
		if (!rc) {
			d->tracker_ops = trackers[i];
			return 0;
		}
		daemon_log(d, LOG_ERR, "the %s tracker cannot be used: %s", trackers[i]->name,
			   why ? why : strerror(-rc));
		free(why);
		why = NULL;
	}
	if (!any && !known(d->opts.tracker))
		daemon_log(d, LOG_ERR, "this build has no %s tracker; use --tracker=auto",
			   d->opts.tracker);
	return rc;
}

static void on_tracker(uv_poll_t *poll, int status, int events)
{
	struct daemon *d = poll->data;

	(void)status;
	(void)events;
	core_settle(d->core);
}

/*
 * Whatever ended the sleep, and whatever has been replayed since: before the next one all is
 * settled that was logged, so that what a hook relied on us to see is seen.
 */
static void on_before_sleep(uv_prepare_t *prepare)
{
	struct daemon *d = prepare->data;

	do {
		core_settle(d->core);
		agents_look(d);
		waits_look(d);
		core_reap_hierarchies(d->core);
	} while (agents_are_due(d) || !d->tracker_ops->may_sleep(d->tracker));
	spin_before_sleep(d);
}

static void on_kick(uv_async_t *async)
{
	struct daemon *d = async->data;

	core_settle(d->core);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct daemon *d = handle->data;

	daemon_log(d, LOG_INFO, "signal %d: stopping", signum);
	shutdown_begin(d);
}

static bool on_served(void *arg)
{
	return spin_request(arg);
}

static void log_from_fs(void *arg, int priority, const char *fmt, va_list ap)
{
	daemon_vlog(arg, priority, fmt, ap);
}

static int start_core(struct daemon *d)
{
	struct fs_config config = {.loop = &d->loop,
				   .owner = d->uid,
				   .log = log_from_fs,
				   .served = on_served,
				   .arg = d};
	int rc;

	d->core = core_new(&daemon_core_ops, d, d->opts.tracker_opts.max_csets);
	if (!d->core)
		return -ENOMEM;
	d->tracker_ops->set_core(d->tracker, d->core);
	rc = plugins_register(d);
	if (rc)
		return rc;
	config.core = d->core;
	d->fs = fs_new(&config);
	return d->fs ? 0 : -ENOMEM;
}

static int start_loop(struct daemon *d)
{
	int rc = uv_loop_init(&d->loop);

	if (rc)
		return rc;
	d->loop_ready = true;
	uv_async_init(&d->loop, &d->kick, on_kick);
	uv_signal_init(&d->loop, &d->on_term);
	uv_signal_init(&d->loop, &d->on_int);
	d->kick.data = d;
	d->on_term.data = d;
	d->on_int.data = d;
	uv_signal_start(&d->on_term, on_signal, SIGTERM);
	uv_signal_start(&d->on_int, on_signal, SIGINT);
	return 0;
}

static int watch_tracker(struct daemon *d)
{
	int rc = uv_poll_init(&d->loop, &d->tracker_poll, d->tracker_ops->fd(d->tracker));

	if (rc)
		return rc;
	d->tracker_poll.data = d;
	uv_prepare_init(&d->loop, &d->before_sleep);
	d->before_sleep.data = d;
	uv_prepare_start(&d->before_sleep, on_before_sleep);
	return uv_poll_start(&d->tracker_poll, UV_READABLE, on_tracker);
}

static int start_all(struct daemon *d)
{
	int rc = start_loop(d);

	if (!rc)
		rc = start_tracker(d);
	if (!rc)
		rc = spin_start(d);
	if (!rc)
		rc = programs_start(d);
	if (!rc)
		rc = agents_start(d);
	if (!rc)
		rc = waits_start(d);
	if (!rc)
		rc = start_core(d);
	if (!rc)
		rc = watch_tracker(d);
	if (!rc)
		rc = control_start(d);
	/* Plug-ins were named from where we were started; from here on no directory is held busy. */
	if (!rc && chdir("/"))
		rc = -errno;
	return rc;
}

/* ---- ending ----------------------------------------------------------------------------------- */

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* In the order in which nothing is left that could still be seen half gone. */
static void stop_all(struct daemon *d)
{
	d->stopping = true;
	control_stop(d);
	waits_stop(d);
	agents_stop(d);
	programs_stop(d);
	if (d->fs) {
		fs_stop(d->fs);
		fs_free(d->fs);
		d->fs = NULL;
	}
	if (d->loop_ready) {
		/* From here on a kick from a plug-in's thread finds no loop. */
		__atomic_store_n(&d->loop_ready, false, __ATOMIC_SEQ_CST);
		uv_walk(&d->loop, close_handle, NULL);
		uv_run(&d->loop, UV_RUN_DEFAULT);
		uv_loop_close(&d->loop);
	}
	core_free(d->core);
	d->core = NULL;
	if (d->tracker)
		d->tracker_ops->stop(d->tracker);
	control_free(d);
	waits_free(d);
	agents_free(d);
	programs_free(d);
	spin_stop(d);
	plugins_close(d);
	rundir_remove(d);
	shutdown_done(d);
}

static int run(struct daemon *d)
{
	int rc = rundir_lock(d);

	if (rc)
		return rc;
	if (!d->opts.foreground) {
		rc = background_start(d);
		if (rc) {
			daemon_log(d, LOG_ERR, "cannot go to the background: %s", strerror(-rc));
			return rc;
		}
	}
	rc = start_all(d);
	if (rc) {
		daemon_log(d, LOG_ERR, "cannot start instance '%s': %s", d->opts.instance,
			   strerror(-rc));
		return rc;
	}
	background_ready(d);
	daemon_log(d, LOG_INFO, "instance '%s' is ready (%s tracker)", d->opts.instance,
		   d->tracker_ops->name);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	return 0;
}

/*
 * Our starter may have ignored signals, and an agent would inherit that. The C library keeps two to
 * itself and resets neither: so not through it.
 */
static void default_signals(void)
{
	for (int sig = 1; sig < _NSIG; sig++) {
		struct {
			void *handler;
			unsigned long flags;
			void *restorer;
			unsigned long mask;
		} action = {0};

		syscall(SYS_rt_sigaction, sig, &action, NULL, sizeof(unsigned long));
	}
}

/*
 * Whoever waits for an answer waits for us, and on a busy machine for our turn: what the kernel does on
 * its caller's time, we do on ours. Only root may; others go without.
 */
static int go_first(void)
{
	int nice = getpriority(PRIO_PROCESS, 0);

	setpriority(PRIO_PROCESS, 0, nice - NICER);
	return nice;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Keeps task control groups for `mount -t ucgroup` and the ucgroup command.\v"
		       "Returns once it serves, and goes on in the background. Stop it with "
		       "`ucgroup shutdown`.",
	};
	struct daemon d = {
		.opts = {.instance = PATHS_DEFAULT_INSTANCE,
			 .tracker = "auto",
			 .tracker_opts = {.max_csets = DEFAULT_MAX_CSETS}},
		.lock_fd = -1,
		.ready_fd = -1,
		.log_fd = -1,
		.asker_fd = -1,
		.null_fd = -1,
		.child_fd = -1,
		.spin = {.fd = -1},
		.uid = geteuid(),
	};
	int rc;

	argp_err_exit_status = 2;
	argp_program_version = "ucgroupd " UCGROUP_VERSION;
	argp_parse(&argp, argc, argv, 0, NULL, &d.opts);
	if (d.opts.check)
		return check_trackers();
	if (!d.opts.tracker_opts.max_csets)
		d.opts.tracker_opts.max_csets = DEFAULT_MAX_CSETS;
	/*
	 * Nothing that our starter had open may stay open because of us, or reach an agent. What we
	 * open ourselves is close-on-exec without exception.
	 */
	close_range(3, ~0u, 0);
	default_signals();
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	d.nice = go_first();
	d.started_ns = daemon_core_ops.now(&d);
	rc = run(&d);
	stop_all(&d);
	return rc ? 1 : 0;
}
