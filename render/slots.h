/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots: the table that {{block_for "slot"}} goes by: who gets which block.
 *
 * A line is a rule of up to five columns with "|" between them:
 *
 *     condition | slot | block or "text" | priority | fallback
 *
 * The condition is an expression as in {{#if ...}}, on the fields of the person;
 * without one the rule holds for everybody.  Of the rules of a slot the one of
 * the highest priority that holds counts, at equal priority the first.  Each slot
 * has one rule whose fallback column says yes; it counts where no other one
 * holds.  "#" begins a comment line.
 *
 * OWNERSHIP  the table owns copies of its texts.
 * THREADS    immutable.
 * ERRORS     MRG_RENDER_ERROR "NAME:LINE:COLUMN: what".
 * BOUNDS     MRG_LIMIT_TEMPLATE_BYTES, MRG_LIMIT_SLOT_RULES.
 */
#ifndef MRG_RENDER_SLOTS_H
#define MRG_RENDER_SLOTS_H

#include "render/source.h"

typedef struct MrgSlotRule {
    MrgSlice slot;
    MrgSlice condition; /* empty: holds for everybody */
    MrgSlice target;    /* name of a block, or a text */
    gint64 priority;
    guint line;
    gboolean is_text;
    gboolean is_fallback;
} MrgSlotRule;

/* In the order that they are tried in, slot by slot. */
const MrgSlotRule *mrg_slots_rules(const MrgSlots *slots, gsize *n_rules);

#endif
