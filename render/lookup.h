/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup: a name inside a value: member, item, or length.
 */
#ifndef MRG_RENDER_LOOKUP_H
#define MRG_RENDER_LOOKUP_H

#include "render/program.h"
#include "render/source.h"

/* A step pays for so many members looked at. */
#define MRG_MEMBERS_PER_STEP 8

/* What there is to know about a name; borrows the text. */
MrgName mrg_lookup_name(const char *text, gsize length);

/* The member of an object, the item of a list by its index, or the length of either a list
 * or a string (in UTF-16 units, as in JavaScript); else missing.  Long searches are
 * charged. */
MrgValue mrg_lookup(const MrgValue *value, const MrgName *name, gint64 *steps,
                    MrgArena *arena);

/* A member of an object; charged for the search. */
const MrgValue *mrg_lookup_member(const MrgValue *object, const char *name, gsize length,
                                  gint64 *steps);

/* A count as number; unlike mrg_value_number() it needs the arena only. */
MrgValue mrg_lookup_count(guint32 count, MrgArena *arena);

#endif
