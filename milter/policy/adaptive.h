/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adaptive: a cap's limit by what the person does with mail.
 *
 * Within the cap's adaptive window W, an open weighs 1 and a click 3, less the older they
 * are: an act of age a scores weight * (W - a) / W.  The person's level goes
 *
 *     up to limit_max      when the sum reaches 4, and back to limit below 2;
 *     down to limit_min    when it falls below 0.2, and back to limit at the next act,
 * which is worth 1 at least and takes 0.8 W to fall as low again;
 *
 * and stays what it is in between, so that one act more or less does not make it swing.  It
 * is found by going through all recorded acts in their order; nothing else is kept.  A
 * complaint within W is limit_min.  Nobody goes down who had no time to act: that takes a
 * copy that the cap counts, sent at least W / 2 ago.  Who has not agreed to a profile gets
 * limit: that we do not see what they do says nothing.
 *
 * OWNERSHIP  the text is made in the arena.
 */
#ifndef MRG_ADAPTIVE_H
#define MRG_ADAPTIVE_H

#include "milter/policy/decide.h"

guint mrg_adaptive_limit(const MrgCap *cap, const MrgStateView *state, gint64 at_us);

/* When the limit may be a greater one although the person does nothing: a complaint is
 * outside the window then.  0: never. */
gint64 mrg_adaptive_rise(const MrgCap *cap, const MrgStateView *state, gint64 at_us);

/* ", adaptive: 2 clicks, 3 opens in 30d"; for the reason. */
const char *mrg_adaptive_inputs(const MrgCap *cap, const MrgStateView *state, gint64 at_us,
                                MrgArena *arena);

#endif
