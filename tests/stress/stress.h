/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stress.h - what the parts of the stress test share. How the test works is told in stress.c.
 */
#ifndef STRESS_H
#define STRESS_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define N_HIER 2
#define MAX_GROUPS 64
#define MAX_SLOTS 8192
#define MAX_MOVES 65536 /* of the move log; a power of two */
#define MAX_COMPLAINTS 48
#define MAX_TIDS 65536 /* a listing longer than this is an error by itself */
#define SHM_FD 200     /* where an exec'd worker finds the shared memory */

enum group_kind {
	GROUP_ROOT,   /* the hierarchy's root */
	GROUP_SHARED, /* the mover moves tasks in and out */
	GROUP_JOB,    /* one job at a time; tasks are born in it or leave, none is moved in */
	GROUP_STEADY, /* sentinels, never moved */
	GROUP_PULSE,  /* filled and emptied by the pulser alone; not in the kernel's hierarchy */
};

struct group {
	char path[48]; /* from the root, no leading slash; "" for the root */
	enum group_kind kind;
	bool notify;
};

/* What a new task does first. */
enum script {
	SCRIPT_TASK,	 /* make others for a while, then end */
	SCRIPT_ROOT,	 /* a job's first process: the same, until its job is to stop */
	SCRIPT_SHORT,	 /* end at once */
	SCRIPT_DAEMON,	 /* the middle one of a double fork: setsid, fork, end */
	SCRIPT_TOLD,	 /* end when the maker says so */
	SCRIPT_IDLE,	 /* a thread that does nothing until its process ends or execs */
	SCRIPT_EXEC,	 /* a thread that execs */
	SCRIPT_SENTINEL, /* stay where it is put for the whole test */
};

/*
 * One live task of the test. FREE -> NEWBORN by its maker, before it is made; the task itself does
 * the rest, up to FREE right before it exits.
 */
enum slot_state {
	SLOT_FREE,
	SLOT_NEWBORN, /* made, but has not yet told its tid */
	SLOT_RUNNING,
	SLOT_PARKED,  /* holds still because it was told to */
	SLOT_WAITING, /* waits for a child or for its end: holds still anyway */
	SLOT_EXEC,    /* in an exec that may change its tid */
};

struct slot {
	_Atomic uint32_t state;
	_Atomic pid_t tid, tgid;
	pid_t maker_tid, maker_tgid;	/* who forked it */
	uint32_t since;			/* moves finished when its making (its exec) began */
	uint64_t groups_before[N_HIER]; /* where it was then, as bits; 0: the moves tell */
	/* futex: 1 while the task waits for the mover to look at it, for the moves of these: */
	_Atomic uint32_t ask;
	pid_t ask_tids[2], ask_tgid;
	uint32_t script, job, generation, depth, seed;
	_Atomic uint32_t go; /* a child that waits for its parent's word: 1 */
	_Atomic bool
		retid; /* its process is to exec, or has, from a thread that is not the leader */
};

/* One move, made in the kernel's hierarchy and in ucgroup's, by the mover. */
struct move {
	pid_t id; /* tid, or tgid of a whole process */
	uint8_t hier, to;
	bool process;
	uint64_t from; /* groups its threads were in, one bit each */
};

struct job {
	uint32_t group;
	_Atomic uint32_t started; /* times a job was put in: the generation of its members */
	_Atomic uint32_t stopped; /* members of this generation and older ones end */
};

struct stats {
	_Atomic uint64_t forks, execs, nonleader_execs, threads, vforks, daemons;
	_Atomic uint64_t moves, process_moves, moves_lost; /* lost: the task was gone */
	_Atomic uint64_t settled, repaired;
	_Atomic uint64_t own_checks, listings, steady_checks, pulses;
	_Atomic uint64_t slowest_ms; /* from a pulse to its release */
};

struct shared {
	/* Set up before the first fork, then constant. */
	char self[PATH_MAX];		  /* this program */
	char ubase[N_HIER][PATH_MAX / 2]; /* ucgroup's mounts */
	char kbase[N_HIER][PATH_MAX / 2]; /* the kernel's */
	char kname[N_HIER][64];		  /* name= of the kernel's */
	char hier_name[N_HIER][64];	  /* name= of ucgroup's */
	char release_file[PATH_MAX];	  /* where the agent writes */
	struct group groups[MAX_GROUPS];
	uint32_t n_groups, n_jobs;
	pid_t main_pid;
	uint32_t max_live;
	uint32_t move_pause; /* microseconds between two moves, at most */
	char instance[64];
	uint32_t sabotage_moves; /* leave out ucgroup's half of one move in so many; 0: never */
	struct job jobs[MAX_GROUPS];

	/* Told by the main process. */
	_Atomic uint32_t hold;	/* futex: everybody holds still while 1 */
	_Atomic uint32_t abort; /* everybody ends */
	_Atomic uint64_t fork_limit;

	/* futex: a slot's number + 1 whose task the nursery shall make; it puts 0 there. */
	_Atomic uint32_t nursery;

	/* The helpers' answer to hold: 1 while they hold still. */
	_Atomic uint32_t mover_held, lister_held, pulser_held;

	_Atomic uint32_t asking; /* tasks that wait for the mover to look at them */
	_Atomic uint32_t moves_begun, moves_done;
	struct move moves[MAX_MOVES];

	_Atomic uint32_t live; /* slots in use */
	struct slot slots[MAX_SLOTS];
	struct stats stats;

	/* A listing of the sentinels, the same for both hierarchies. */
	pid_t steady[16];
	uint32_t n_steady;
	_Atomic uint64_t pulses_due[N_HIER][MAX_GROUPS]; /* releases the pulser has caused */

	_Atomic uint32_t n_complaints;
	char complaints[MAX_COMPLAINTS][240];
};

extern struct shared *shm;

/* ---- common.c: shared memory, holding still, small things ------------------------------------ */

void shm_create(void);
void shm_attach(void); /* in an exec'd worker; ends the process when it cannot */
/* Something is wrong in what was seen; shown at the next quiet point, and the test fails. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
uint32_t rnd(uint32_t *seed);
uint32_t rnd_below(uint32_t *seed, uint32_t n);
uint64_t now_ms(void);
void sleep_us(unsigned int us);
bool main_gone(void);

/* Give way to other sessions. */
void step_back(void);

/* Sleep while *word is VALUE, a while at most. */
void futex_wait(_Atomic uint32_t *word, uint32_t value);
void futex_wake(_Atomic uint32_t *word);

/*
 * A free slot, NEWBORN, filled in for a child (or thread) of the caller, whose slot is MAKER (NULL:
 * the main process, for JOB). NULL when there is none.
 */
struct slot *slot_new(enum script script, const struct slot *maker, uint32_t job, uint32_t *seed);
void slot_free(struct slot *slot);
/*
 * The calling task's state. `slot_run` returns when the task may go on: not while everybody is told
 * to hold still. Returns false when it shall end.
 */
bool slot_run(struct slot *slot);
void slot_wait(struct slot *slot);

/* ---- groups.c: both kinds of hierarchy, by path ------------------------------------------------- */

/* Write TEXT to FILE of group G; 0 or -errno. */
int ucg_write(uint32_t hier, uint32_t g, const char *file, const char *text);
int kernel_write(uint32_t hier, uint32_t g, const char *file, const char *text);
int ucg_write_number(uint32_t hier, uint32_t g, const char *file, long number);
int kernel_write_number(uint32_t hier, uint32_t g, const char *file, long number);
/* Numbers in a listing, in the order they were read, at most MAX; their count or -errno. */
ssize_t ucg_list(uint32_t hier, uint32_t g, const char *file, pid_t *out, size_t max);
ssize_t kernel_list(uint32_t hier, uint32_t g, const char *file, pid_t *out, size_t max);
/* The group the kernel has TID in; -ESRCH, or -ENOENT for a path that is none of ours. */
int kernel_group_of(pid_t tid, uint32_t hier);
bool ucg_has(uint32_t hier, uint32_t g, pid_t tid);
/* The group ucgroup lists TID in; -ESRCH: none; -EEXIST: more than one. */
int ucg_group_of(pid_t tid, uint32_t hier, int try_first);
/* When the task began, in some unit; 0: it is gone. */
unsigned long long task_began(pid_t tid);
/* Is the task that began then (0: any) gone, or past the point where it can still be moved? */
bool task_ending(pid_t tid, unsigned long long began);
/* A random group of this kind. */
uint32_t pick_group(enum group_kind kind, uint32_t *seed);

/* ---- the cast ----------------------------------------------------------------------------------- */

void mover_main(uint32_t seed) __attribute__((noreturn));
/*
 * Was a move of TID, or of the whole process TGID, under way at any time since the number of finished
 * moves was SINCE?
 */
bool moved_since(uint32_t since, pid_t tid, pid_t tgid);
/*
 * A new task (after fork), or one after its exec: if a move of its maker was under way meanwhile,
 * see to it that both hierarchies agree about it. See stress.c.
 */
void settle_newborn(struct slot *slot);
void before_exec(struct slot *slot);
void settle_exec(struct slot *slot, pid_t old_tid);

void lister_main(uint32_t seed) __attribute__((noreturn));
void pulser_main(uint32_t seed) __attribute__((noreturn));

/* Any task of the test, from its first moment on. */
void worker_main(struct slot *slot) __attribute__((noreturn));
/* The same after an exec: argv as worker.c made it. */
void worker_exec_main(int argc, char **argv) __attribute__((noreturn));
/* Makes the tasks that nobody else makes, when the main process asks. */
void nursery_main(void) __attribute__((noreturn));

/* Releases the agent has written down, per hierarchy and group; -1 when the file is malformed. */
int releases_count(uint64_t counts[N_HIER][MAX_GROUPS]);

#endif
