/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threads.pml - processes with threads: a whole process moved while its threads are born, die and exec.
 *
 * Process 1 has the leader 1 (with LEADER_DEAD a zombie from the start) and the thread 2. A third task at
 * the start is one more thread, or with TWO_PROCESSES the leader of process 2. Task structures are used
 * once, as the kernel does not use one again while somebody may be walking over it; tids are used again,
 * the lowest first. With EXECS, the thread of process 1 that is left execs once its leader is dead: the
 * kernel swaps the tids, gives the old one away, and calls the exec hook some time later; or the exec
 * fails, and the thread dies.
 *
 * The daemon moves a process as a whole, or with SINGLE_MOVES any one task. With PLACES_ONLY there is no
 * log, and nothing is counted: a move reads and writes places, nothing else.
 */
#ifndef FORKS
#define FORKS 1
#endif
#ifndef MOVES
#define MOVES 1
#endif
#ifndef EXECS
#define EXECS 0
#endif
#ifndef REFUSALS
#define REFUSALS 0
#endif
#ifndef SETTLES
#define SETTLES 0
#endif
#ifndef START
#define START 2 /* tasks at the start */
#endif

#define EXEC
#define before_birth(me, kid, ktid) settle_stale(me, kid, ktid)
#define set_mark(tid, task) \
	mark_at[tid] = tgid_of[task]; \
	assert(!ghost_all_in[process_of[task]] || set_ == ghost_all_in[process_of[task]])
#define seen_mark(tid) mark = mark_at[tid]
#ifdef BREAK_MARK_IGNORED
#define SEEN_MARK_OK(task) true
#define MARKED(task) true
#else
#define SEEN_MARK_OK(task) (mark == tgid_of[task])
#define MARKED(task) (mark == tgid_of[task])
#endif

#define SAME_TASK(tid, who) \
	(ghost_owner[tid] == who || (whole && process_of[ghost_owner[tid]] == process_of[who]))

#include "kernel.pml"

byte tgid_of[TASKS + 1];
byte nr_of[TASKS + 1];	    /* as tid_of, but kept after the task is off all lists */
byte process_of[TASKS + 1]; /* 1 or 2; a process keeps it, whatever its tids */
/* Lists of threads: the heads of process 1 and 2 are at TASKS+1 and TASKS+2; 0 ends a list. */
byte next_of[TASKS + 3];
/* Set when all threads of a process were found in one css_set: nobody may be born elsewhere. */
byte ghost_all_in[3];

#include "exec.pml"
#include "daemon.pml"

byte forks_left = FORKS, moves_left = MOVES, execs_left = EXECS, refusals_left = REFUSALS;
byte settles_left = SETTLES;
byte next_task = START + 1;
byte n_listed = START; /* tids in use */
byte n_threads[3];     /* on the lists of process 1 and 2 */
bool leader_dead[3];   /* its exit hook has run */
bool ghost_execs[TASKS + 1]; /* its tid was swapped, and neither the exec nor the exit hook is done */
bool ghost_stuck;	     /* an exec has given the old tid away, and the exec hook is still to come */

inline list_append(process_, task_)
{
	j = TASKS + process_;
	do
	:: next_of[j] != 0 -> j = next_of[j]
	:: else -> break
	od;
	next_of[j] = task_;
	j = 0;
	n_threads[process_]++
}

/* Who stands on it goes on from where it is: next_of stays. */
inline unlist(process_, task_)
{
	j = TASKS + process_;
	do
	:: next_of[j] != task_ -> assert(j != 0); j = next_of[j]
	:: else -> break
	od;
	next_of[j] = next_of[task_];
	j = 0;
	n_threads[process_]--;
	n_listed--;
	tid_of[task_] = 0
}

#define HAND_OVER(old, tg) \
	hand_over(me, old, tg, sid, sgen, smark, set, gen, its_mark, made, whose, ok, lives, last, first, got)

inline settle_stale(me_, kid_, ktid_)
{
#ifndef BREAK_STALE_OVERWRITTEN
	if
	:: atomic {
		id_at[ktid_] != NONE && mark_at[ktid_] != tgid_of[kid_] ->
		tg = mark_at[ktid_]
	   };
		HAND_OVER(ktid_, tg);
		tg = 0;
		ok = false
	:: else
	fi
#else
	id_at[ktid_] = NONE
#endif
}

/* As ucg_exec, some time after the swap; it is told OLD. */
inline exec_hook(old_)
{
	if
	:: id_at[1] != NONE
	:: else ->
		HAND_OVER(old_, 1);
#ifndef BREAK_EXEC_NO_WAIT
		/* A fork hook has it and is putting it down. */
		if
		:: !ok -> id_at[1] != NONE
		:: else
		fi;
#endif
		ok = false
	fi;
	atomic { assert(ghost_home[me] != NONE && id_at[1] == ghost_home[me] && ghost_owner[1] == me) }
}

#define PLACE_OF_ME(t) (id_at[t] != NONE && ghost_owner[t] == me)

/* As ucg_exit, of a thread whose exec failed after the swap: its place may lie anywhere. */
inline died_in_exec()
{
	exiting[me] = true;
	atomic {
		take_place(me, 1, set, made);
		gen = gen_at[1];
		its_mark = mark_at[1];
		if
		:: set != NONE -> ghost_home[me] = NONE
		:: else
		fi
	};
	if
	:: set == NONE ->
		atomic {
			ok = (id_at[1] == NONE && gen_at[1] == gen && mark_at[1] == its_mark);
			if
			:: ok ->
				gen_at[1]++;
#ifndef BREAK_MARK_KEPT
				mark_at[1] = 0
#endif
			:: else
			fi
		};
		gen = 0;
		its_mark = 0;
		if
		:: ok ->
			ok = false;
#ifndef BREAK_EXEC_NO_SEARCH
			tg = 1;
			do
			:: tg <= TIDS && !ok ->
				if
				:: id_at[tg] != NONE && mark_at[tg] == 1 -> HAND_OVER(tg, 1)
				:: else
				fi;
				tg++
			:: else -> break
			od;
			tg = 0;
			ok = false
#endif
		:: else ->
			/* Handed over just now. */
			atomic {
				take_place(me, 1, set, made);
				ghost_home[me] = NONE
			};
			tell_death(me, 1, set, made, last, first, got)
		fi
	:: else ->
		tell_death(me, 1, set, made, last, first, got)
	fi;
	/* Nothing of it is left anywhere. */
	assert(!ANY_TID(PLACE_OF_ME));
	d_step { set = 0; gen = 0; its_mark = 0; made = 0; last = false; got = false }
}

proctype Task(byte me)
{
	byte kid, ktid, set, gen, made;
	byte old, sid, sgen, smark, its_mark, whose, tg;
	bit last, first, got, ok, lives, failed, leads;

end:	runs[me] ->
#ifdef LEADER_DEAD
	if
	:: me == 1 -> leads = true; goto dead
	:: else
	fi;
#endif
end2:	do
	:: atomic {
		forks_left > 0 && next_task <= TASKS && n_listed < TIDS ->
		forks_left--;
		kid = next_task;
		next_task++;
		n_listed++;
		ktid = 1;
		do
#if TASKS == 3
		:: tid_of[1] == ktid || tid_of[2] == ktid || tid_of[3] == ktid -> ktid++
#else
		:: tid_of[1] == ktid || tid_of[2] == ktid || tid_of[3] == ktid || tid_of[4] == ktid -> ktid++
#endif
		:: else -> break
		od;
		tid_of[kid] = ktid;
		nr_of[kid] = ktid;
		tgid_of[kid] = tgid_of[me];
		process_of[kid] = process_of[me];
		list_append(process_of[me], kid)
	   };
		fork_hook(me, tid_of[me], kid, ktid, set, gen, made, last, got);
		kid = 0;
		ktid = 0
	:: atomic {
		execs_left > 0 && process_of[me] == 1 && me != 1 && n_threads[1] == 2 && leader_dead[1] ->
		execs_left--;
		old = tid_of[me];
		tid_of[me] = 1;
		nr_of[me] = 1;
		tid_of[1] = old;
		nr_of[1] = old;
		ghost_execs[me] = true;
		hook_begins(old);
		ghost_busy[1]++;
		ghost_unsure[1] = ghost_replaying
	   };
		d_step { unlist(1, 1); ghost_stuck = true };
		ghost_stuck = false;
		if
		:: exec_hook(old)
		:: died_in_exec(); failed = true
		fi;
		d_step { ghost_execs[me] = false; hook_ends(old); ghost_busy[1]--; old = 0 };
		if
		:: failed -> break
		:: else
		fi
#ifdef STAY
	:: me != 3 -> break
#else
	:: break
#endif
	od;
	if
	:: !failed -> exit_hook(me, tid_of[me], set, made, last, first, got)
	:: else -> failed = false
	fi;
	d_step {
		leads = (tid_of[me] == tgid_of[me]);
		leader_dead[process_of[me]] = leader_dead[process_of[me]] || leads
	};
dead:	if
	:: leads ->
		/* A dead leader goes last, or when another takes its tid over. */
		if
		:: atomic {
			n_threads[process_of[me]] == 1 && tid_of[me] == tgid_of[me] ->
			unlist(process_of[me], me)
		   }
		:: tid_of[me] == 0
		fi
	:: else -> d_step { unlist(process_of[me], me) }
	fi
}

/* ---- moving a process ---- */

bool granted[TIDS + 1]; /* tids that the subsystems let in */
byte th_who[TASKS + 1], th_tid[TASKS + 1], th_id[TASKS + 1], th_gen[TASKS + 1];

#define GONE 2
#define AGAIN 1

/* As ucg_walk_threads, of the process P_, whose tgid is TG_. */
inline walk_threads(p_, tg_, who_, at_, n_, err_)
{
	d_step {
		n_ = 0;
		who_ = 1;
		do
		:: who_ <= TASKS && tid_of[who_] != tg_ -> who_++
		:: else -> break
		od
	};
	if
	:: who_ > TASKS -> err_ = GONE
#ifndef BREAK_WALK_ANY_OWNER
	:: who_ <= TASKS && process_of[who_] != p_ -> err_ = GONE
	:: who_ <= TASKS && process_of[who_] == p_ ->
#else
	:: else ->
#endif
		if
#ifdef BREAK_WALK_OLD_LEADER
		:: tid_of[who_] == 0 -> err_ = GONE
#else
		/* An old leader on its way out, whose tid another thread has taken over. */
		:: tid_of[who_] == 0 -> err_ = AGAIN
#endif
		:: else ->
			err_ = 0;
#ifdef BREAK_WALK_BY_TID
			at_ = 0;
#else
			at_ = TASKS + process_of[who_];
#endif
			do
			::
#ifdef BREAK_WALK_BY_TID
				at_++;
				if
				:: at_ > TIDS -> break
				:: else
				fi;
				d_step {
					who_ = 1;
					do
					:: who_ <= TASKS && !(tid_of[who_] == at_ && process_of[who_] == p_) -> who_++
					:: else -> break
					od
				};
				if
				:: who_ > TASKS || exiting[who_]
				:: else -> alive = true; see_thread(who_, tg_, n_)
				fi
#else
#ifdef BREAK_WALK_STOPS
				if
				:: at_ <= TASKS && tid_of[at_] == 0 -> break
				:: else
				fi;
#endif
				at_ = next_of[at_];
				if
				:: at_ == 0 -> break
				:: else
				fi;
				if
#ifdef BREAK_EXITING_AS_UNBORN
				:: exiting[at_] -> see_thread(at_, tg_, n_)
#else
				:: exiting[at_]
#endif
				:: atomic { !exiting[at_] -> alive = true }; see_thread(at_, tg_, n_)
				fi
#endif
			od;
			at_ = 0;
			if
			:: n_ == 0 && err_ == 0 -> err_ = GONE
			:: else
			fi
		fi
	fi
}

/*
 * Who has no place yet is waited for: nobody but who is being born or in the midst of an exec; or has
 * died, or changed its tid, since we looked.
 */
#define WORTH_WAITING(task) \
	(!runs[task] || ghost_execs[task] || (alive && exiting[task]) || th_tid[n] != nr_of[task])

inline see_thread(task_, tg_, n_)
{
	/* The walk does not stray. */
	atomic { assert(process_of[task_] == p); th_who[n_] = task_; th_tid[n_] = nr_of[task_] };
	atomic {
		th_id[n_] = id_at[th_tid[n_]];
		th_gen[n_] = gen_at[th_tid[n_]];
		if
#ifndef BREAK_WALK_MARK_IGNORED
		:: mark_at[th_tid[n_]] != tg_ -> th_id[n_] = NONE; th_gen[n_] = 0
#endif
		:: else
		fi;
		assert(th_id[n_] != NONE || WORTH_WAITING(task_));
		alive = false;
		n_++
	}
}

#define LIVES_IN_P(s) (process_of[s] == p && tid_of[s] != 0 && !exiting[s])
#define OUTSIDE(s) (LIVES_IN_P(s) && ghost_home[s] != NONE && ghost_home[s] != to)
#define INSIDE(s) (LIVES_IN_P(s) && ghost_home[s] == to)

inline forget_threads()
{
	skip; /* spin: no loop may end right before a d_step */
	d_step {
		k = 0;
		do
		:: k < n ->
			th_who[k] = 0;
			th_tid[k] = 0;
			th_id[k] = 0;
			th_gen[k] = 0;
			k++
		:: else -> break
		od;
		k = 0;
		n = 0
	}
}

#define BORNE(s) (tid_of[s] == t && tgid_of[s] == tg)
#define LEFT_BEHIND(u) (u != tg && id_at[u] != NONE && ghost_execs[ghost_owner[u]])

/* As ucg_finish_exec, for the process with the leader TG. */
inline finish_exec()
{
	atomic { stuck = ghost_stuck };
	if
	:: id_at[tg] == NONE ->
		t = 1;
		do
		:: t <= TIDS ->
#ifdef BREAK_FINISH_LOOK_FIRST
			borne = ANY_TASK(BORNE);
#endif
			atomic { sid = id_at[tg]; sgen = gen_at[tg]; smark = mark_at[tg] };
			atomic { set = id_at[t]; pgen = gen_at[t]; pmark = mark_at[t] };
			if
			:: t == tg || set == NONE || pmark != tg
			:: else ->
#ifdef BREAK_FINISH_ANY_TID
				borne = false;
#elif !defined(BREAK_FINISH_LOOK_FIRST)
				borne = ANY_TASK(BORNE);
#endif
				if
				:: borne -> borne = false
				:: else ->
					take_along(DAEMON, t, tg, sid, sgen, smark, set, pgen, pmark, made, whose, ok, lives, last, first, got);
					break
				fi
			fi;
			t++
		:: else -> break
		od
	:: else
	fi;
	/* An exec that was stuck already, and is, has its place, or somebody who puts it down. */
	atomic { assert(!(stuck && ghost_stuck && ANY_TID(LEFT_BEHIND))) };
	d_step {
		t = 0;
		sid = 0;
		sgen = 0;
		smark = 0;
		set = 0;
		pgen = 0;
		pmark = 0;
		made = 0;
		whose = 0;
		borne = false;
		ok = false;
		lives = false;
		last = false;
		got = false;
		stuck = false
	}
}

#define HAS_NO_PLACE(k) (k < n && th_id[k] == NONE)
#if TASKS == 4
#define ANY_WITHOUT (HAS_NO_PLACE(0) || HAS_NO_PLACE(1) || HAS_NO_PLACE(2) || HAS_NO_PLACE(3))
#else
#define ANY_WITHOUT (HAS_NO_PLACE(0) || HAS_NO_PLACE(1) || HAS_NO_PLACE(2))
#endif
#define LEADER_WITHOUT(k) (HAS_NO_PLACE(k) && th_tid[k] == tg)
#if TASKS == 4
#define ANY_LEADER_WITHOUT \
	(LEADER_WITHOUT(0) || LEADER_WITHOUT(1) || LEADER_WITHOUT(2) || LEADER_WITHOUT(3))
#else
#define ANY_LEADER_WITHOUT (LEADER_WITHOUT(0) || LEADER_WITHOUT(1) || LEADER_WITHOUT(2))
#endif

/* As wait_for_unplaced(): now and then, an exec is not waited for but helped along. */
inline wait_for_unplaced()
{
	if
	:: ANY_LEADER_WITHOUT -> finish_exec()
	:: true
	fi
}

inline move_thread(where_)
{
	d_step {
		x = th_tid[k];
		id = th_id[k];
		gen = th_gen[k];
		who = th_who[k];
		who_gen = gen;
		mark = tg
	};
	move(x, id, gen, where_, who, who_gen, made, made_to, done, got)
}

/* As grant_all() and swap_all(); refused: a subsystem does not let one in. */
inline move_all()
{
	/* All are asked before the first is moved. */
	d_step {
		k = 0;
		newcomer = false;
		do
		:: k < n ->
			if
			:: th_id[k] != NONE && th_id[k] != to && !granted[th_tid[k]] ->
				granted[th_tid[k]] = true;
				newcomer = true
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0
	};
	if
	:: newcomer && refusals_left > 0 -> refusals_left--; refused = true
	:: true
	fi;
	newcomer = false;
	do
	:: k < n && !refused ->
		if
		:: th_id[k] == NONE || th_id[k] == to
		:: else ->
			again = true;
			move_thread(to);
			moved = moved || done
		fi;
		k++
	:: else -> break
	od;
	k = 0
}

/* As process_pass(), after its walk: nobody is moved before all have a place. */
inline process_pass()
{
	again = false;
	if
#ifndef BREAK_UNBORN_IGNORED
	:: !begun && ANY_WITHOUT ->
		again = true;
		wait_for_unplaced()
	:: else ->
#else
	:: true ->
#endif
		begun = true;
		move_all();
#ifndef BREAK_UNBORN_IGNORED
		if
		:: !refused && ANY_WITHOUT ->
			again = true;
			wait_for_unplaced()
		:: else
		fi
#endif
	fi;
	forget_threads()
}

/* As roll_back(): all began in the one css_set FIRST. */
inline roll_back()
{
	do
	:: walk_threads(p, tg, who, at, n, err);
		again = (err == AGAIN);
#ifdef BREAK_ROLL_BACK_GIVES_UP
		again = false;
#endif
		k = 0;
		do
		:: k < n ->
			if
			:: th_id[k] == NONE -> again = true
			:: th_id[k] == to -> again = true; move_thread(FIRST)
			:: else
			fi;
			k++
		:: else -> break
		od;
		if
		:: ANY_WITHOUT -> wait_for_unplaced()
		:: else
		fi;
		forget_threads();
#ifdef BREAK_ROLL_BACK_ONCE
		again = false;
#endif
		if
		:: !again ->
			/* None: and nobody is born there later. */
			atomic { assert(!ANY_TASK(INSIDE)); ghost_all_in[p] = FIRST };
			break
		:: else
		fi
	od
}

/* As core_attach_process(). */
inline move_process()
{
	do
	:: walk_threads(p, tg, who, at, n, err);
		if
		:: err == GONE ->
			assert(!ANY_TASK(LIVES_IN_P));
			break
		:: err == AGAIN
		:: err == 0 ->
			process_pass();
#ifdef BREAK_SINGLE_PASS
			again = false;
#endif
			if
			:: refused && moved -> roll_back(); break
			:: refused && !moved -> break
			:: !refused && !again ->
				/* All: and nobody is born elsewhere later. */
				atomic { assert(!ANY_TASK(OUTSIDE)); ghost_all_in[p] = to };
				break
			:: !refused && again
			/* Whoever asked comes back, and finds nothing changed. */
#ifdef BREAK_GIVE_UP_HALFWAY
			:: !refused && again -> assert(!moved); break
#else
			:: !refused && again && !begun -> assert(!moved); break
#endif
			fi
		fi
	od
}

proctype Daemon()
{
	byte x, id, gen, to, who, who_gen, made, made_to, c, n, mark;
	byte p, tg, at, k, err;
	byte t, set, sid, sgen, smark, pgen, pmark, whose;
	bit done, found, got, whole, again, alive, newcomer, begun, moved, refused;
	bit ok, lives, last, first, borne, stuck;

wait:
end:	if
	/* Somebody asks for a move of a process, or of the task at X. */
#ifndef SINGLE_MOVES
	:: atomic {
		moves_left > 0 ->
		moves_left--;
		ghost_asleep = false;
		ghost_all_in[1] = 0;
		ghost_all_in[2] = 0;
		if
		:: p = 1; tg = 1
#ifdef TWO_PROCESSES
		:: p = 2; tg = 3
#endif
		fi;
		whole = true;
		if
#ifndef PLACES_ONLY
		:: to = INITIAL
#endif
		:: to = 3; make_set(3)
		fi
	   };
		move_process()
#else
	:: atomic {
		moves_left > 0 ->
		moves_left--;
		ghost_asleep = false;
		ghost_all_in[1] = 0;
		ghost_all_in[2] = 0;
		x = 1;
		do
		:: x < TIDS -> x++
		:: break
		od
	   };
		look_at(x, id, gen, who, who_gen);
		if
		:: id == NONE && who <= TASKS && tgid_of[who] == x ->
			tg = x;
			finish_exec();
			look_at(x, id, gen, who, who_gen)
		:: else
		fi;
		if
		:: id != NONE ->
			atomic {
				if
#ifdef PLACES_ONLY
				:: id == 3 -> to = FIRST
#else
				:: id != INITIAL -> to = INITIAL
#endif
				:: id != 3 -> to = 3
				fi;
				if
				:: to >= FIRST && !live[to] -> make_set(to)
				:: else
				fi
			};
			move(x, id, gen, to, who, who_gen, made, made_to, done, got)
		:: else
		fi
#endif
#if SETTLES
	/* A request, or a timer: the log is read at any moment. */
	:: atomic { settles_left > 0 -> settles_left--; ghost_asleep = false }
#endif
	:: atomic { woken -> woken = false; ghost_asleep = false };
		if
		:: log_len == 0 -> goto sleep
		:: else
		fi
	:: atomic { bell -> ghost_asleep = false }
	fi;
	skip;
	d_step {
		x = 0;
		id = 0;
		gen = 0;
		to = 0;
		who = 0;
		who_gen = 0;
		made = 0;
		made_to = 0;
		mark = 0;
		p = 0;
		tg = 0;
		n = 0;
		err = 0;
		done = false;
		whole = false;
		again = false;
		begun = false;
		moved = false;
		refused = false;
		i = 1;
		do
		:: i <= TIDS -> granted[i] = false; i++
		:: else -> break
		od;
		i = 0
	};
#ifndef PLACES_ONLY
	settle_and_sleep(c, n, found);
#endif
sleep:	atomic { ghost_asleep = true; found = false };
	goto wait
}

inline start(task_, tg_, process_)
{
	tid_of[task_] = task_;
	nr_of[task_] = task_;
	tgid_of[task_] = tg_;
	process_of[task_] = process_;
	runs[task_] = true;
	id_at[task_] = FIRST;
	mark_at[task_] = tg_;
	ghost_home[task_] = FIRST;
	ghost_owner[task_] = task_;
	count[FIRST]++;
	list[task_] = FIRST;
	list_append(process_, task_)
}

init
{
	atomic {
		live[FIRST] = true;
		occupied[FIRST] = true;
		ghost_had[FIRST] = true;
		start(1, 1, 1);
		start(2, 1, 1);
#ifdef TWO_PROCESSES
		start(3, 3, 2);
#elif START > 2
		start(3, 1, 1);
#endif
#ifdef LEADER_DEAD
		exiting[1] = true;
		leader_dead[1] = true;
		id_at[1] = NONE;
		ghost_home[1] = NONE;
		count[FIRST]--;
		list[1] = NONE;
#endif
		ghost_asleep = true;
		i = 1;
		do
		:: i <= TASKS -> run Task(i); i++
		:: else -> break
		od;
		i = 0;
		run Daemon();
#ifndef PLACES_ONLY
		run Watch()
#endif
	}
}
