/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec.pml - the exec of a thread that is not the leader: its place goes from the tid it had to the
 * leader's. Included after kernel.pml. SEEN, PLACE: an id, a generation and a mark.
 */

/*
 * As take_along(): PLACE_, marked TG_, is taken from tid OLD_, if it is still there, and put down at tid
 * TG_, if that has had nothing but SEEN; or is told dead. OK_: it was there.
 */
inline take_along(me_, old_, tg_, sid_, sgen_, smark_, set_, gen_, mark_, made_, whose_, ok_, lives_, last_, first_, got_)
{
#ifndef BREAK_RETID_RESERVE_LATE
	if
	:: LOGGED(set_) -> reserve(me_, got_)
	:: else
	fi;
#endif
	atomic {
		ok_ = (id_at[old_] == set_ && gen_at[old_] == gen_ && mark_at[old_] == mark_);
		if
		:: ok_ ->
			id_at[old_] = NONE;
			made_ = ghost_made[set_];
			whose_ = ghost_owner[old_]
		:: else
		fi
	};
	if
	:: ok_ ->
#ifdef BREAK_RETID_RESERVE_LATE
		if
		:: LOGGED(set_) -> reserve(me_, got_)
		:: else
		fi;
#endif
		atomic {
			lives_ = (sid_ == NONE && smark_ == tg_ && id_at[tg_] == sid_ &&
				  gen_at[tg_] == sgen_ && mark_at[tg_] == smark_);
			if
			:: lives_ ->
				/* Nothing is put down for the dead. */
				assert(ghost_home[whose_] == set_ && tid_of[whose_] == tg_);
				id_at[tg_] = set_;
				gen_at[tg_]++;
				ghost_owner[tg_] = whose_
			:: else -> assert(exiting[whose_]); ghost_home[whose_] = NONE
			fi
		};
		if
		:: !LOGGED(set_)
		:: LOGGED(set_) && lives_ -> commit(me_, RETID, old_, set_, tg_, made_, made_)
		:: LOGGED(set_) && !lives_ ->
			count_down(set_, last_);
			submit(me_, DIED, old_, set_, 0, made_, 0, last_, first_)
		fi
	:: !ok_ && got_ -> discard(me_); got_ = false
	:: !ok_ && !got_
	fi
}

/*
 * As hand_over(): the place marked TG_ goes from tid OLD_ to tid TG_. OK_: there was one, and it went
 * there or was told dead.
 */
inline hand_over(me_, old_, tg_, sid_, sgen_, smark_, set_, gen_, mark_, made_, whose_, ok_, lives_, last_, first_, got_)
{
	do
	:: atomic { sid_ = id_at[tg_]; sgen_ = gen_at[tg_]; smark_ = mark_at[tg_] };
		atomic { set_ = id_at[old_]; gen_ = gen_at[old_]; mark_ = mark_at[old_] };
		if
		:: set_ == NONE || mark_ != tg_ -> ok_ = false; break
		:: else
		fi;
		take_along(me_, old_, tg_, sid_, sgen_, smark_, set_, gen_, mark_, made_, whose_, ok_, lives_, last_, first_, got_);
		if
		:: ok_ -> break
		:: else
		fi
	od;
	skip; /* spin: no loop may end right before a d_step */
	d_step {
		sid_ = 0;
		sgen_ = 0;
		smark_ = 0;
		set_ = 0;
		gen_ = 0;
		mark_ = 0;
		made_ = 0;
		whose_ = 0;
		lives_ = false;
		last_ = false;
		got_ = false
	}
}
