/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * membership.pml - fork, exit, move and replay racing; invariants 1 to 5. With OVERFLOW, the log has
 * so little room that events are lost: invariant 6.
 *
 * Every task is a process of its own, has children and exits at any moment; tids and css_set ids are
 * used again. The daemon moves any task anywhere, settles, and sleeps until it is woken.
 */
#ifndef FORKS
#define FORKS 2
#endif
#ifndef MOVES
#define MOVES 2
#endif

/* Nobody execs here, so nothing is made of marks. */
#define before_birth(me, kid, ktid) skip
#define set_mark(tid, task) skip
#define seen_mark(tid) skip
#define SEEN_MARK_OK(task) true

#include "kernel.pml"
#include "daemon.pml"

byte forks_left = FORKS, moves_left = MOVES;

#define FREE_TASK(s) (tid_of[s] == 0)

proctype Task(byte me)
{
	byte kid, set, gen, made;
	bit last, first, got;

end:	do
	:: runs[me] ->
		do
		:: atomic {
			forks_left > 0 && ANY_TASK(FREE_TASK) ->
			forks_left--;
			kid = 1;
			do
			:: tid_of[kid] != 0 -> kid++
			:: else -> break
			od;
			/* The lowest free tid: it comes back as soon as can be. */
			tid_of[kid] = kid
		   };
			fork_hook(me, me, kid, kid, set, gen, made, last, got);
			kid = 0
		:: break
		od;
		exit_hook(me, me, set, made, last, first, got);
		/* Reaped: off the lists, the tid is free. */
		d_step { runs[me] = false; exiting[me] = false; tid_of[me] = 0 }
	od
}

proctype Daemon()
{
	byte x, id, gen, to, who, who_gen, made, made_to, c, n;
	bit done, found, got;

wait:
end:	if
	/* Somebody asks for a move of X. */
	:: atomic {
		moves_left > 0 ->
		moves_left--;
		ghost_asleep = false;
		x = 1;
		do
		:: x < TIDS -> x++
		:: break
		od
	   };
		look_at(x, id, gen, who, who_gen);
		if
#ifdef BREAK_PLACE_UNBORN
		:: who <= TASKS ->
#else
		:: id != NONE ->
#endif
			atomic {
				if
				:: id != INITIAL -> to = INITIAL
				:: id != 2 -> to = 2
#if IDS > 3
				/* Of two that are free, the lower one. */
				:: id != 3 && (live[3] || live[2]) -> to = 3
#endif
				fi;
				if
				:: to >= FIRST && !live[to] -> make_set(to)
				:: else
				fi
			};
			move(x, id, gen, to, who, who_gen, made, made_to, done, got)
		:: else
		fi;
		d_step {
#ifdef BREAK_FAILED_MOVE_UNSETTLED
			found = (id != NONE && !done);
#endif
			x = 0;
			id = 0;
			gen = 0;
			to = 0;
			who = 0;
			who_gen = 0;
			made = 0;
			made_to = 0;
			done = false
		};
		if
		:: found -> goto sleep
		:: else
		fi
	/* Woken; but the log is readable only while there is something in it. */
	:: atomic { woken -> woken = false; ghost_asleep = false };
		if
		:: log_len == 0 -> goto sleep
		:: else
		fi
	:: atomic { bell -> ghost_asleep = false }
	fi;
	settle_and_sleep(c, n, found);
sleep:	atomic { ghost_asleep = true; found = false };
	goto wait
}

init
{
	atomic {
		/* One task in css_set 2, and one in the root. */
		tid_of[1] = 1;
		runs[1] = true;
		id_at[1] = FIRST;
		ghost_home[1] = FIRST;
		ghost_owner[1] = 1;
		live[FIRST] = true;
		count[FIRST] = 1;
		list[1] = FIRST;
		occupied[FIRST] = true;
		ghost_had[FIRST] = true;
		tid_of[2] = 2;
		runs[2] = true;
		id_at[2] = INITIAL;
		ghost_home[2] = INITIAL;
		ghost_owner[2] = 2;
		ghost_asleep = true;
		i = 1;
		do
		:: i <= TASKS -> run Task(i); i++
		:: else -> break
		od;
		i = 0;
		run Daemon();
		run Watch()
	}
}

#ifdef LIVENESS
/* Invariant 5 once more, with fairness alone: no css_set stays empty for ever. */
ltl released { [] <> !FORGOTTEN(2) }
#endif
