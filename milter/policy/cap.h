/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cap: one frequency cap against a person's history.
 *
 * A copy counts while now - at < per, so exactly at the far end it is outside; the copies
 * of a clock that went back lie in the future and count.
 *
 * OWNERSHIP  the reason is made in the arena.
 */
#ifndef MRG_CAP_H
#define MRG_CAP_H

#include "milter/policy/decide.h"

/* Whether the cap looks at mail of this class at all. */
gboolean mrg_cap_applies(const MrgCap *cap, const char *class_name);

/* "cap: NAME (...)" when one more copy is over the cap, else NULL.  *retry_at_us is when it
 * would pass, if nothing else is sent: 0 for never. */
const char *mrg_cap_reason(const MrgCap *cap, const MrgStateView *state, gint64 now_us,
                           gint64 *retry_at_us, MrgArena *arena);

#endif
