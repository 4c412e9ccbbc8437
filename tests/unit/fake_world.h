/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_world.h - a made-up world for the core: tasks that exist in memory only, and the log of what
 * happens to them.
 *
 * It keeps the same promises as a tracker (tracker.h): the place of a task is the truth, every
 * change of it is logged in order, counts include forks in flight, and a full log drops entries and
 * asks for a rebuild. Fork and exit can be stopped halfway, so that tests stand in the middle.
 */
#ifndef UCGROUP_TESTS_FAKE_WORLD_H
#define UCGROUP_TESTS_FAKE_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <core/core.h>

#define FW_MAX_TID 4096 /* tids of the made-up tasks are below this */

enum fw_state {
	FW_FREE,
	FW_UNBORN, /* counted in its maker's css_set, not placed yet */
	FW_ALIVE,
	FW_DYING,   /* no id any more, still counted and not logged yet */
	FW_EXECING, /* has changed its tid, and left its place at the old one */
};

struct fw_task {
	enum fw_state state;
	pid_t tgid;
	struct core_place place;
	uint32_t counted; /* the css_set one without a place is counted in */
	pid_t old_tid;	  /* in an exec */
	uid_t uid, suid;
	bool kthread; /* cannot be moved */
};

enum fw_event_type { FW_BORN, FW_MOVED, FW_DIED, FW_RETID };

struct fw_event {
	enum fw_event_type type;
	pid_t tid, tgid, new_tid;
	uint32_t from, to;
};

struct fake_world {
	struct core *core;
	struct core_ops ops; /* may be changed before fw_start() */

	struct fw_task tasks[FW_MAX_TID];
	pid_t tid_end;	 /* tids in use are below this; FW_MAX_TID unless made smaller */
	uint64_t *count; /* by css_set id */
	uint64_t process_key[FW_MAX_TID], n_processes;
	uint32_t max_csets;

	struct fw_event *log;
	size_t log_len, log_cap;
	size_t ring_size;	 /* entries the log holds at most; 0: no limit */
	unsigned int fail_every; /* every Nth entry is lost; 0: none */
	unsigned int n_logged, n_lost;
	bool lost;

	/* Called at places where a test may want the world to change under the core's feet. */
	void (*on_move)(struct fake_world *fw, pid_t tid);     /* just before a move is tried */
	void (*on_moved)(struct fake_world *fw, pid_t tid);    /* just after a move was made */
	void (*on_threads)(struct fake_world *fw, pid_t tgid); /* after threads were listed */
	void (*on_pause)(struct fake_world *fw);	       /* NULL: births under way finish */
	void (*on_rebuild)(struct fake_world *fw, pid_t tid);  /* after each task of a rebuild */
	void *hook_arg;

	uint64_t clock;
	unsigned int n_replays, n_moves, n_pauses, n_rebuilds, n_release_ready, n_tree_changed;
	unsigned int n_finish_exec;
	atomic_uint n_kicks; /* the one op other threads call */
	struct hierarchy *last_ready;
	bool want_fork, want_exit;
	bool log_to_stderr;
	char last_message[512];
	unsigned int n_messages;
};

/* A world with its core; max_csets as for core_new(). Fails the test when it cannot. */
struct fake_world *fw_new(uint32_t max_csets);
/* In two steps, to change ops in between. */
struct fake_world *fw_alloc(uint32_t max_csets);
void fw_start(struct fake_world *fw);
void fw_free(struct fake_world *fw);

/* ---- what tasks do ---- */

/* A new process (thread) in the initial css_set, out of nowhere. */
void fw_spawn(struct fake_world *fw, pid_t tid, pid_t tgid);
/* fork: the child gets the parent's place. TGID 0: a process of its own; else a thread of it. */
void fw_fork(struct fake_world *fw, pid_t parent, pid_t child, pid_t tgid);
/* The two halves of it; fw_fork_undo() instead of the second one: the fork failed. */
void fw_fork_begin(struct fake_world *fw, pid_t parent, pid_t child, pid_t tgid);
void fw_fork_end(struct fake_world *fw, pid_t child);
void fw_fork_undo(struct fake_world *fw, pid_t child);
void fw_exit(struct fake_world *fw, pid_t tid);
void fw_exit_begin(struct fake_world *fw, pid_t tid);
void fw_exit_end(struct fake_world *fw, pid_t tid);
/* exec by the thread TID: every other thread of the process dies, TID goes on as its leader. */
void fw_exec(struct fake_world *fw, pid_t tid);
/* The two halves of it, by a thread that does not lead its process TGID. */
void fw_exec_begin(struct fake_world *fw, pid_t tid);
void fw_exec_end(struct fake_world *fw, pid_t tgid);
/* Births and deaths under way come to their end. */
void fw_finish_all(struct fake_world *fw);
struct fw_task *fw_task(struct fake_world *fw, pid_t tid);

#endif
