/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel.pml - what all models share of the kernel's side: the tables, the log, the fork and the
 * exit hook. The daemon's side is daemon.pml, exec is exec.pml.
 *
 * Each step is one access to shared memory there. Ids of css_sets and tids are small numbers. What
 * is named ghost_* exists in the model alone: it remembers what really is so, for the assertions.
 * Parameters of inlines end with an underscore; most are variables of the calling process.
 *
 * BREAK_XXX breaks one rule; `check` names them all.
 */

#define NONE 0	  /* css_set id of nobody: dead, or not yet born */
#define INITIAL 1 /* the root of every hierarchy: neither counted nor logged */
#define FIRST 2	  /* the first id with members */

#ifndef TIDS
#define TIDS 2
#endif
#ifndef TASKS
#define TASKS TIDS /* task structures */
#endif
#ifndef IDS
#define IDS 3 /* css_set ids: 0 .. IDS-1 */
#endif
#ifndef LOG
#define LOG 8 /* slots in the log */
#endif
#define DAEMON (TASKS + 1) /* as the owner of a slot */

/* ---- tables ---- */
byte id_at[TIDS + 1], gen_at[TIDS + 1]; /* the places, by tid */
#ifdef EXEC
byte mark_at[TIDS + 1]; /* their marks: the tgid of who is there */
#endif
byte count[IDS];

/* ---- tasks ---- */
byte tid_of[TASKS + 1];	 /* 0: it is on no list */
bool exiting[TASKS + 1]; /* PF_EXITING */
bool runs[TASKS + 1];	 /* fork has returned */

/* ---- the log, oldest first; a slot is busy while it has an owner ---- */
mtype = { BORN, MOVED, DIED, RETID, NOTHING };
byte log_len;
byte log_owner[LOG];
mtype log_what[LOG];
byte log_tid[LOG], log_a[LOG], log_b[LOG];

bool wake_pending; /* somebody has woken the daemon, or is about to */
bool woken;	   /* a forced wake-up is on its way */
bool bell;	   /* rung, and not silenced yet */
bool lost;	   /* an event found no room */

/* ---- ghosts ---- */
byte ghost_home[TASKS + 1]; /* css_set the task is in */
byte ghost_owner[TIDS + 1]; /* the task whose place lies at this tid */
byte ghost_made[IDS];	    /* how often this id was given out */
bool ghost_had[IDS];	    /* a task was in it since */
byte log_made_a[LOG], log_made_b[LOG];
byte ghost_hooks;	   /* hooks under way */
byte ghost_busy[TIDS + 1]; /* hooks that are changing this tid's place, or yet to tell of it */
bool ghost_unsure[TIDS + 1]; /* there was one at some moment of the replay under way */
bool ghost_replaying, ghost_asleep;

/* "There is one with P", written out for as many as there are. */
#if TIDS == 2
#define ANY_TID(P) (P(1) || P(2))
#elif TIDS == 3
#define ANY_TID(P) (P(1) || P(2) || P(3))
#elif TIDS == 4
#define ANY_TID(P) (P(1) || P(2) || P(3) || P(4))
#endif
#if TASKS == 2
#define ANY_TASK(P) (P(1) || P(2))
#elif TASKS == 3
#define ANY_TASK(P) (P(1) || P(2) || P(3))
#elif TASKS == 4
#define ANY_TASK(P) (P(1) || P(2) || P(3) || P(4))
#endif

hidden byte i, j; /* scratch within one step */

/* With PLACES_ONLY there are neither counts nor a log: what is at stake are the places alone. */
#ifdef PLACES_ONLY
#define LOGGED(set) false
#else
#define LOGGED(set) (set >= FIRST)
#endif

/* ---- the log ---- */

#ifdef PLACES_ONLY
inline reserve(me_, got_)
{
	got_ = true
}
#elif defined(OVERFLOW)
/* May find no room. */
inline reserve(me_, got_)
{
	d_step {
		got_ = (log_len < LOG);
		if
		:: got_ -> log_owner[log_len] = me_; log_len++
		:: else
		fi
	}
}
#else
inline reserve(me_, got_)
{
	d_step {
		assert(log_len < LOG);
		log_owner[log_len] = me_;
		log_len++;
		got_ = true
	}
}
#endif

inline commit(me_, what_, tid_, a_, b_, made_a_, made_b_)
{
#ifdef PLACES_ONLY
	skip
#else
	d_step {
		i = 0;
		do
		:: log_owner[i] != me_ -> i++
		:: else -> break
		od;
		log_what[i] = what_;
		log_tid[i] = tid_;
		log_a[i] = a_;
		log_b[i] = b_;
		log_made_a[i] = made_a_;
		log_made_b[i] = made_b_;
		log_owner[i] = 0
	}
#endif
}

inline discard(me_)
{
	commit(me_, NOTHING, 0, 0, 0, 0, 0)
}

/* As log_submit(). Only who finds nobody else waking wakes. FIRST_: a bit of the caller's. */
inline submit(me_, what_, tid_, a_, b_, made_a_, made_b_, wake_, first_)
{
	if
	:: wake_ ->
		atomic { first_ = !wake_pending; wake_pending = true };
		commit(me_, what_, tid_, a_, b_, made_a_, made_b_);
		if
		:: first_ -> atomic { woken = true; first_ = false }
		:: else
		fi
	:: else ->
		commit(me_, what_, tid_, a_, b_, made_a_, made_b_)
	fi
}

/* As log_lost(). */
inline tell_lost()
{
#ifndef BREAK_LOST_EARLY
	lost = true;
#endif
#ifndef BREAK_BELL_EARLY
	bell = true
#else
	skip
#endif
}

/* ---- hooks ---- */

inline hook_begins(tid_)
{
	ghost_hooks++;
	ghost_busy[tid_]++;
	ghost_unsure[tid_] = ghost_replaying
}

inline hook_ends(tid_)
{
	ghost_hooks--;
	ghost_busy[tid_]--
}

inline count_down(set_, last_)
{
	atomic { assert(count[set_] > 0); count[set_]--; last_ = (count[set_] == 0) }
}

/* As count_into(): the maker at tid MINE_ is looked at, counted into, and looked at again. */
inline count_into(mine_, set_, gen_, made_, last_)
{
	do
	:: atomic {
		set_ = id_at[mine_];
		gen_ = gen_at[mine_];
		made_ = ghost_made[set_];
		assert(set_ != NONE)
	   };
		if
		:: !LOGGED(set_) -> break
		:: else
		fi;
#ifndef BREAK_FORK_CHECK_BEFORE_COUNT
		count[set_]++;
#endif
#ifdef BREAK_FORK_NO_RECHECK
		break;
#endif
		if
		:: atomic { id_at[mine_] == set_ && gen_at[mine_] == gen_ -> made_ = ghost_made[set_] };
#ifdef BREAK_FORK_CHECK_BEFORE_COUNT
			count[set_]++;
#endif
			break
		:: else
		fi;
#ifndef BREAK_FORK_CHECK_BEFORE_COUNT
		count_down(set_, last_);
		if
#ifndef BREAK_TAKE_BACK_SILENT
		:: last_ -> bell = true
#endif
		:: else
		fi;
#endif
		last_ = false
	od
}

/* As ucg_fork. The maker ME_ is at tid MINE_, its child KID_, on the kernel's lists, at KTID_. */
inline fork_hook(me_, mine_, kid_, ktid_, set_, gen_, made_, last_, got_)
{
	atomic { hook_begins(ktid_) };
	before_birth(me_, kid_, ktid_);
	count_into(mine_, set_, gen_, made_, last_);
#ifndef BREAK_FORK_RESERVE_LATE
	if
	:: LOGGED(set_) ->
		reserve(me_, got_);
#ifdef BREAK_LOST_EARLY
		if
		:: !got_ -> lost = true
		:: else
		fi
#endif
	:: else
	fi;
#endif
	atomic {
		/* Invariant 1: nobody but this hook gives the child a place. */
		assert(id_at[ktid_] == NONE);
		/* Invariant 4: the css_set is still the one its maker was in. */
		assert(set_ == INITIAL || (live[set_] && ghost_made[set_] == made_));
		id_at[ktid_] = set_;
		gen_at[ktid_]++;
		set_mark(ktid_, kid_);
		ghost_home[kid_] = set_;
		ghost_owner[ktid_] = kid_
	};
#ifdef BREAK_FORK_RESERVE_LATE
	if
	:: LOGGED(set_) -> reserve(me_, got_)
	:: else
	fi;
#endif
	if
	:: !LOGGED(set_)
#ifdef BORN_MAY_WAKE
	/* The log fills, or a subsystem wants to hear of forks. */
	:: LOGGED(set_) && got_ -> submit(me_, BORN, ktid_, set_, 0, made_, 0, true, last_)
#endif
	:: LOGGED(set_) && got_ -> submit(me_, BORN, ktid_, set_, 0, made_, 0, false, last_)
	:: LOGGED(set_) && !got_ -> tell_lost()
	fi;
	d_step { hook_ends(ktid_); runs[kid_] = true; set_ = 0; gen_ = 0; made_ = 0; got_ = false }
}

/* The clearing of the place, which comes first in ucg_exit; the caller's step. */
inline take_place(me_, tid_, set_, made_)
{
	set_ = id_at[tid_];
	id_at[tid_] = NONE;
	made_ = ghost_made[set_]
}

/* The rest of ucg_exit: the place at TID_, in SET_, has been taken away. */
inline tell_death(me_, tid_, set_, made_, last_, first_, got_)
{
	if
	:: LOGGED(set_) ->
#ifdef BREAK_EXIT_COUNT_EARLY
		count_down(set_, last_);
#endif
#ifndef BREAK_EXIT_RESERVE_EARLY
		reserve(me_, got_);
#endif
#ifdef BREAK_BELL_EARLY
		if
		:: !got_ -> bell = true
		:: else
		fi;
#endif
#if !defined(BREAK_EXIT_COUNT_EARLY) && !defined(BREAK_EXIT_COUNT_LATE)
		count_down(set_, last_);
#endif
#ifdef BREAK_EXIT_NO_WAKE
		last_ = false;
#endif
#ifdef BREAK_EXIT_COUNT_LATE
		last_ = (count[set_] == 1);
#endif
		if
		:: got_ -> submit(me_, DIED, tid_, set_, 0, made_, 0, last_, first_)
		:: else -> tell_lost()
		fi
#ifdef BREAK_EXIT_COUNT_LATE
		; count_down(set_, last_)
#endif
	:: else
	fi
}

/* As ucg_exit, of a task with a place at its tid. PF_EXITING is set some time before. */
inline exit_hook(me_, tid_, set_, made_, last_, first_, got_)
{
	exiting[me_] = true;
#ifdef BREAK_EXIT_RESERVE_EARLY
	reserve(me_, got_);
#endif
	atomic {
		hook_begins(tid_);
		take_place(me_, tid_, set_, made_);
		ghost_home[me_] = NONE
	};
#ifdef BREAK_EXIT_RESERVE_EARLY
	if
	:: set_ < FIRST -> discard(me_)
	:: else
	fi;
#endif
	tell_death(me_, tid_, set_, made_, last_, first_, got_);
	d_step { hook_ends(tid_); set_ = 0; made_ = 0; last_ = false; got_ = false }
}
