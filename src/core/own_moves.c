// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * own_moves.c - the moves that we have made and the log has not told of yet.
 *
 * Only we move, so we know what the log says of a move even if it has lost it: a task found elsewhere
 * was moved, and that is no birth and no death to a subsystem. A move is noted before it is made and
 * forgotten when the log tells of it.
 *
 * Invariant: they are in the order in which they were made. So what the log tells of next is the first
 * of them, unless it has lost that.
 */
#include <core/internal.h>

struct own_move *own_moves_first(const struct core *core)
{
	return core->own.v + core->own.first;
}

static int make_room(struct core *core)
{
	struct own_moves *own = &core->own;
	size_t cap = own->cap ? own->cap * 2 : 16;
	struct own_move *v;

	if (own->first + own->n < own->cap)
		return 0;
	if (own->first) {
		memmove(own->v, own->v + own->first, own->n * sizeof(*v));
		own->first = 0;
		return 0;
	}
	v = realloc(own->v, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	own->v = v;
	own->cap = cap;
	return 0;
}

int own_moves_note(struct core *core, const struct own_move *move)
{
	int err = make_room(core);

	if (!err)
		core->own.v[core->own.first + core->own.n++] = *move;
	return err;
}

void own_moves_made(struct core *core, const struct core_move *moves, size_t n)
{
	struct own_move *last;
	size_t n_made = 0;

	if (!n)
		return;
	last = own_moves_first(core) + core->own.n - n;
	for (size_t i = 0; i < n; i++)
		if (!moves[i].err)
			last[n_made++] = last[i];
	core->own.n -= n - n_made;
}

struct own_move *own_moves_find(const struct core *core, pid_t tid)
{
	const struct own_moves *own = &core->own;

	for (size_t i = own->first; i < own->first + own->n; i++)
		if (own->v[i].tid == tid)
			return &own->v[i];
	return NULL;
}

void own_moves_forget(struct core *core, struct own_move *move)
{
	struct own_moves *own = &core->own;
	size_t after = own->n - (size_t)(move - own_moves_first(core)) - 1;

	if (move == own_moves_first(core))
		own->first++;
	else
		memmove(move, move + 1, after * sizeof(*move));
	if (!--own->n)
		own->first = 0;
}
