/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.pml - the daemon's side: the fold over the log, replay, settle, the loop's sleep; and the
 * programs it has the kernel run, look and move. All of it runs in the one process Daemon.
 */

byte list[TIDS + 1]; /* css_set of each tid, as folded from the log */
bool live[IDS];	     /* css_sets there are */
bool occupied[IDS];  /* had a task since it was made: a release is due when it is freed */
bool zero[IDS];	     /* emptied, and its count was read as nought */

#define LISTED_IN_C(t) (list[t] == c)
#define EMPTIED(c) (live[c] && !ANY_TID(LISTED_IN_C))
#define HOME_IS_C(s) (ghost_home[s] == c)
#ifndef MARKED
#define MARKED(s) true
#endif
#define LIVES_AT_X(s) (tid_of[s] == x && !exiting[s] && MARKED(s))
#ifndef SAME_TASK
#define SAME_TASK(tid, who) (ghost_owner[tid] == who)
#endif
#define TRULY(t) (id_at[t] >= FIRST -> id_at[t] : NONE)
#define LISTED_WRONG(t) (!ghost_unsure[t] && list[t] != TRULY(t))

/* ---- the fold ---- */

inline enters(tid_, set_, made_)
{
	/* Invariant 4: no event of a css_set is read after it was freed. */
	assert(live[set_] && ghost_made[set_] == made_);
	list[tid_] = set_;
	occupied[set_] = true
}

#ifdef OVERFLOW
/* An event whose forerunner was lost need not fit. */
#define FITS(condition) true
#else
#define FITS(condition) (condition)
#endif

/* Folds the oldest event. Invariant 2: each one fits what is listed. */
inline fold_one()
{
	if
	:: log_what[0] == BORN ->
		assert(FITS(list[log_tid[0]] == NONE));
		enters(log_tid[0], log_a[0], log_made_a[0])
	:: log_what[0] == MOVED ->
		assert(FITS(list[log_tid[0]] == (log_a[0] >= FIRST -> log_a[0] : NONE)));
		if
		:: log_b[0] >= FIRST -> enters(log_tid[0], log_b[0], log_made_b[0])
		:: else -> list[log_tid[0]] = NONE
		fi
	:: log_what[0] == DIED ->
		assert(FITS(list[log_tid[0]] == log_a[0]));
		list[log_tid[0]] = NONE
	:: log_what[0] == RETID ->
		assert(FITS(list[log_tid[0]] == log_a[0] && list[log_b[0]] == NONE));
		list[log_tid[0]] = NONE;
		enters(log_b[0], log_a[0], log_made_a[0])
	:: else
	fi;
	i = 1;
	do
	:: i < log_len ->
		log_owner[i - 1] = log_owner[i];
		log_what[i - 1] = log_what[i];
		log_tid[i - 1] = log_tid[i];
		log_a[i - 1] = log_a[i];
		log_b[i - 1] = log_b[i];
		log_made_a[i - 1] = log_made_a[i];
		log_made_b[i - 1] = log_made_b[i];
		i++
	:: else -> break
	od;
	i = 0;
	log_len--;
	log_owner[log_len] = 0;
	log_what[log_len] = 0;
	log_tid[log_len] = 0;
	log_a[log_len] = 0;
	log_b[log_len] = 0;
	log_made_a[log_len] = 0;
	log_made_b[log_len] = 0
}

/* ---- replay ---- */

inline replay_begins()
{
	ghost_replaying = true;
	j = 1;
	do
	:: j <= TIDS -> ghost_unsure[j] = (ghost_busy[j] > 0); j++
	:: else -> break
	od;
	j = 0
}

inline replay_ends()
{
	/* Replay before you look: what was done before it began is in the lists. */
	assert(!ANY_TID(LISTED_WRONG));
	ghost_replaying = false;
	j = 1;
	do
	:: j <= TIDS -> ghost_unsure[j] = false; j++
	:: else -> break
	od;
	j = 0
}

#ifndef OVERFLOW

#define BUSY(n, slot) (n > slot && log_owner[slot])
#define READY(n) \
	!(BUSY(n, 0) || BUSY(n, 1) || BUSY(n, 2) || BUSY(n, 3) || BUSY(n, 4) || BUSY(n, 5) || \
	  BUSY(n, 6) || BUSY(n, 7))

/*
 * Reads all that is in the log when it begins. What it reads nobody else can see, so that this is
 * one step; what counts is where it ends, and that it waits for busy slots.
 */
inline replay(n_)
{
	atomic { bell = false; wake_pending = false };
	d_step { n_ = log_len; replay_begins() };
#ifdef BREAK_REPLAY_NOWAIT
	d_step {
		j = 0;
		do
		:: j < n_ && !log_owner[j] -> j++
		:: else -> break
		od;
		n_ = j;
		j = 0
	};
#endif
	d_step {
		READY(n_) ->
		do
		:: n_ > 0 -> fold_one(); n_--
		:: else -> break
		od;
		replay_ends()
	}
}

#else

/* One by one: a small log needs its room back. */
inline consume(n_)
{
	do
	:: d_step { n_ > 0 && !log_owner[0] -> fold_one(); n_-- }
	:: n_ == 0 -> break
	od;
	skip /* spin: no loop may end right before a d_step */
}

inline rebuild(n_)
{
	do
	::
#ifndef BREAK_LOST_CLEARED_LATE
		lost = false;
#endif
		/* What was logged before the loss; and what is logged from here on comes on top. */
		n_ = log_len;
#ifdef BREAK_REBUILD_NOWAIT
		d_step {
			j = 0;
			do
			:: j < n_ && !log_owner[j] -> j++
			:: else -> break
			od;
			n_ = j;
			j = 0
		};
#endif
		consume(n_);
		/* The table, a place at a time: who is not there has died. */
		n_ = 1;
		do
		:: atomic {
			n_ <= TIDS ->
			list[n_] = TRULY(n_);
			occupied[list[n_]] = (list[n_] >= FIRST);
			n_++
		   }
		:: n_ > TIDS -> break
		od;
		n_ = log_len;
#ifdef BREAK_REBUILD_DROPS
		d_step {
			do
			:: n_ > 0 && !log_owner[0] -> log_what[0] = NOTHING; fold_one(); n_--
			:: else -> break
			od
		};
#endif
		consume(n_);
#ifdef BREAK_LOST_CLEARED_LATE
		lost = false;
#endif
#ifdef BREAK_REBUILD_ONCE
		break;
#endif
		if
		:: !lost -> break
		:: else
		fi
	od;
	n_ = 0
}

/* As bpf_replay(). */
inline replay(n_)
{
	atomic { bell = false; wake_pending = false };
	d_step { n_ = log_len; replay_begins() };
	if
#ifndef BREAK_NO_REBUILD
	:: lost -> rebuild(n_)
#endif
	:: else -> consume(n_)
	fi;
	d_step { replay_ends() }
}

#endif

/* ---- css_sets ---- */

inline make_set(c_)
{
	live[c_] = true;
	ghost_made[c_]++;
#ifdef BREAK_COUNT_ZEROED
	count[c_] = 0;
#endif
	skip
}

/* Frees it; a release is told if it was occupied. */
inline free_set(c_)
{
	/* Invariants 4 and 5: not early ... */
	assert(!ANY_TASK(HOME_IS_C));
	/* ... and none is missed. */
	assert(occupied[c_] == ghost_had[c_]);
	live[c_] = false;
	occupied[c_] = false;
	ghost_had[c_] = false
}

/* As core_settle(). C_ must be the caller's variable c. */
inline settle(c_, n_, found_)
{
	replay(n_);
	do
	:: d_step { found_ = false; c_ = FIRST };
		do
		:: d_step { c_ < IDS && !EMPTIED(c_) -> c_++ }
		:: atomic {
			c_ < IDS && EMPTIED(c_) ->
#ifdef BREAK_FREE_NO_COUNT
			zero[c_] = true;
#else
			zero[c_] = (count[c_] == 0);
#endif
			found_ = found_ || zero[c_];
			c_++
		   }
		:: c_ == IDS -> break
		od;
		if
		:: found_ ->
#ifndef BREAK_FREE_NO_REPLAY
			replay(n_);
#endif
			d_step {
				c_ = FIRST;
				do
				:: c_ < IDS ->
					if
					:: EMPTIED(c_) && zero[c_] -> free_set(c_)
					:: else
					fi;
					zero[c_] = false;
					c_++
				:: else -> break
				od
			}
		:: else -> break
		fi
	od;
	c_ = 0
}

/*
 * As on_before_sleep() and may_sleep(). A wake-up that comes while the log is being read goes
 * nowhere, as the log is empty when the loop asks; so nobody may be left believing he has woken us.
 */
inline settle_and_sleep(c_, n_, found_)
{
	do
	:: settle(c_, n_, found_);
#ifdef BREAK_PENDING_LEFT_SET
		break
#else
		wake_pending = false;
		if
		:: log_len == 0 && !bell && !lost -> break
		:: else
		fi
#endif
	od
}

/* ---- programs ---- */

#ifdef QUICK_LOOK
/*
 * As bpf_task_place(): the place alone, and no task is looked up. The move does that: WHO_ is whom it
 * finds.
 */
inline look_at(x_, id_, gen_, who_, who_gen_)
{
	atomic {
		id_ = id_at[x_];
		gen_ = gen_at[x_];
		seen_mark(x_);
		who_ = TASKS + 1;
		who_gen_ = gen_
	}
}

inline find_mover(x_, who_)
{
	who_ = 1;
	do
	:: who_ <= TASKS && !(tid_of[who_] == x_ && !exiting[who_]) -> who_++
	:: else -> break
	od
}
#else
#define find_mover(x_, who_) skip

/*
 * As ucg_info: where is the task at tid X_? The place is read before the task is looked up. WHO_
 * and WHO_GEN_ remember, for an assertion, whom was looked up. ID_ is NONE if there is none, or if
 * it is being born.
 */
inline look_at(x_, id_, gen_, who_, who_gen_)
{
#ifndef BREAK_LOOK_FIRST
	atomic { id_ = id_at[x_]; gen_ = gen_at[x_]; seen_mark(x_) };
#endif
	d_step {
		who_ = 1;
		do
		:: who_ <= TASKS && !(tid_of[who_] == x_ && !exiting[who_]) -> who_++
		:: else -> break
		od;
		who_gen_ = gen_at[x_] + (who_ <= TASKS && !runs[who_] && id_at[x_] == NONE -> 1 : 0)
	};
#ifdef BREAK_LOOK_FIRST
	atomic { id_ = id_at[x_]; gen_ = gen_at[x_]; seen_mark(x_) };
#endif
	if
	:: who_ > TASKS || !SEEN_MARK_OK(who_) -> id_ = NONE
	:: else
	fi
}
#endif

/* As ucg_move: X_ from where it was seen to TO_. DONE_: has it moved? */
inline move(x_, id_, gen_, to_, who_, who_gen_, made_, made_to_, done_, got_)
{
	if
	:: d_step { ANY_TASK(LIVES_AT_X) -> find_mover(x_, who_) };
#ifndef BREAK_MOVE_RESERVE_LATE
		reserve(DAEMON, got_);
#else
		got_ = true;
#endif
		if
		:: got_ ->
#ifndef BREAK_MOVE_COUNT_LATE
			if
			:: LOGGED(to_) -> count[to_]++
			:: else
			fi;
#endif
#ifdef BREAK_MOVE_NO_CAS
			done_ = (id_at[x_] == id_ && gen_at[x_] == gen_);
#endif
			atomic {
#if defined(BREAK_NO_GENERATION)
				done_ = (id_at[x_] == id_);
#elif !defined(BREAK_MOVE_NO_CAS)
				done_ = (id_at[x_] == id_ && gen_at[x_] == gen_);
#endif
				if
				:: done_ ->
					/* The task that was looked at, not another of its tid. */
					assert(SAME_TASK(x_, who_) && gen_at[x_] == who_gen_);
					id_at[x_] = to_;
					gen_at[x_]++;
					ghost_home[ghost_owner[x_]] = to_;
					ghost_had[to_] = (to_ >= FIRST);
					made_ = ghost_made[id_];
					made_to_ = ghost_made[to_]
				:: else
				fi
			};
#ifdef BREAK_MOVE_RESERVE_LATE
			reserve(DAEMON, got_);
#endif
			if
			:: done_ ->
#ifdef BREAK_MOVE_COUNT_LATE
				if
				:: LOGGED(to_) -> count[to_]++
				:: else
				fi;
#endif
				if
				:: LOGGED(id_) -> atomic { assert(count[id_] > 0); count[id_]-- }
				:: else
				fi;
				commit(DAEMON, MOVED, x_, id_, to_, made_, made_to_)
			:: else ->
#ifndef BREAK_MOVE_COUNT_LATE
				if
				:: LOGGED(to_) -> atomic { assert(count[to_] > 0); count[to_]-- }
				:: else
				fi;
#endif
#ifdef BREAK_FAILED_MOVE_LOGGED
				commit(DAEMON, MOVED, x_, id_, to_, ghost_made[id_], ghost_made[to_])
#else
				discard(DAEMON)
#endif
			fi
		:: else
		fi
	:: else
	fi;
	got_ = false
}

/* ---- the watch ---- */

#define NOBODY_IN(c) (ghost_home[1] != c && ghost_home[2] != c && NOBODY_MORE_IN(c))
#if TASKS == 2
#define NOBODY_MORE_IN(c) true
#elif TASKS == 3
#define NOBODY_MORE_IN(c) (ghost_home[3] != c)
#elif TASKS == 4
#define NOBODY_MORE_IN(c) (ghost_home[3] != c && ghost_home[4] != c)
#endif
#define FORGOTTEN(c) (live[c] && NOBODY_IN(c))
#if IDS == 3
#define ANY_FORGOTTEN FORGOTTEN(2)
#elif IDS == 4
#define ANY_FORGOTTEN (FORGOTTEN(2) || FORGOTTEN(3))
#endif

/*
 * Invariant 5, none is missed: while no hook is under way and the daemon sleeps with nothing to wake
 * it, no css_set is empty.
 */
proctype Watch()
{
end:	do
	:: atomic {
		ghost_asleep && !woken && !bell && ghost_hooks == 0 && ANY_FORGOTTEN ->
		assert(false)
	   }
	od
}
