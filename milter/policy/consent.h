/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consent: the gates of the person: suppression, pause and consent to receive.
 *
 * What cannot be understood counts as the stricter reading: a scope that is unknown is
 * "all", a purpose that is recorded twice is granted only when both say so.
 *
 * OWNERSHIP  results are made in the arena.
 */
#ifndef MRG_CONSENT_H
#define MRG_CONSENT_H

#include "milter/policy/decide.h"

/* "suppressed: REASON" of the first suppression that stops this copy; NULL for none. */
const char *mrg_suppression_reason(const MrgStateView *state, const MrgCandidate *candidate,
                                   gint64 now_us, MrgArena *arena);

/* "paused: ..." while a complaint or an unsubscription, of whatever scope, is as young as
 * the policy says, even where it was taken back since; NULL for none. */
const char *mrg_pause_reason(const MrgPolicy *policy, const MrgStateView *state,
                             const MrgCandidate *candidate, gint64 now_us);

/* "consent: ..." when consent to receive is denied or wanting; NULL when it is there.  That
 * for the class ("receive:CLASS") counts before "receive", unless "receive" was withdrawn
 * later. */
const char *mrg_consent_reason(const MrgStateView *state, const char *class_name,
                               MrgConsentState fallback);

#endif
