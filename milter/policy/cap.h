/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cap: one frequency cap against a person's history.
 *
 * In a rolling window a copy counts while at - sent < per, so exactly at the far end it is
 * outside.  Copies in the future count: those of a clock that went back always, and those
 * that are held for a later time where the window or the gap reaches as far.
 *
 * OWNERSHIP  texts are made in the arena.
 */
#ifndef MRG_CAP_H
#define MRG_CAP_H

#include "milter/policy/decide.h"

/* Whether the cap may stop this copy. */
gboolean mrg_cap_applies(const MrgCap *cap, const MrgCandidate *candidate);

/* Whether a copy is of those that it counts. */
gboolean mrg_cap_counts(const MrgCap *cap, const MrgSend *send);

/* How much of the cap is used at a time. */
guint mrg_cap_used(const MrgCap *cap, const MrgStateView *state,
                   const MrgCandidate *candidate, gint64 at_us);

/* The limit for this copy: less what is reserved for others, adapted to the person. */
guint mrg_cap_limit(const MrgCap *cap, const MrgStateView *state,
                    const MrgCandidate *candidate, gint64 at_us);

/* "cap: NAME (...)" when one more copy is over the cap, else NULL.  *retry_at_us, unless
 * that is NULL, is when it would pass, if nothing else is sent: 0 for never. */
const char *mrg_cap_reason(const MrgCap *cap, const MrgStateView *state,
                           const MrgCandidate *candidate, gint64 at_us, gint64 *retry_at_us,
                           MrgArena *arena);

/* How far back it looks. */
gint64 mrg_cap_span_us(const MrgCap *cap);

/* "24h", "calendar-day" */
const char *mrg_cap_window(const MrgCap *cap, MrgArena *arena);

/* "calendar-day|week|month", or a duration above zero. */
gboolean mrg_cap_read_window(MrgCap *cap, const char *text);

#endif
