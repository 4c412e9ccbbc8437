/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pick.h - what a generator chooses from: tasks, groups, files, and what to write into them.
 *
 * What is put is appended to a template (op.h).
 */
#ifndef DIFFERENTIAL_PICK_H
#define DIFFERENTIAL_PICK_H

#include "generate.h"

/* 0 to N - 1. */
int below(struct generator *gen, int n);
bool chance(struct generator *gen, int percent);
#define PICK(gen, array) ((array)[below(gen, (int)(sizeof(array) / sizeof(*(array))))])

/* ---- who: slots, -1 when there is none ----------------------------------------------------- */

#define ANYBODY ((uid_t)-1)

/* A live task with this effective uid. */
int pick_slot(struct generator *gen, const struct run *run, uid_t uid);
int pick_free(struct generator *gen, const struct run *run);
int count_live(const struct run *run);

/* ---- where --------------------------------------------------------------------------------- */

void template_add(char *template, const char *text);
void template_add_group(char *template, const struct tree *tree, int g);
/* A group of UID's; GROUP_NONE: has none. */
int pick_owned(struct generator *gen, const struct run *run, uid_t uid);
/* Any group, of a user mostly one of his own. */
int pick_group(struct generator *gen, const struct run *run, bool root_too);
bool is_leaf(const struct tree *tree, int g);
/* A name, mostly good, sometimes odd or bad. */
const char *pick_name(struct generator *gen);
const char *pick_file(struct generator *gen);

/* A name below what TEMPLATE has; a directory, mostly there; a file in one; either. */
void put_sub(struct generator *gen, char *template);
void put_dir(struct generator *gen, const struct run *run, char *template);
void put_file(struct generator *gen, const struct run *run, char *template, const char *file);
void put_any(struct generator *gen, const struct run *run, char *template);

/* What one may write into FILE: mostly good values, else any kind of bad ones. */
void put_data(struct generator *gen, const struct run *run, char *data, const char *file);

#endif
