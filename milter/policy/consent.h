/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consent: the first two gates, suppression and consent to receive.
 *
 * What cannot be understood counts as the stricter reading: a scope that is unknown is
 * "all", a purpose that is recorded twice is granted only when both say so.
 *
 * OWNERSHIP  results are made in the arena.
 */
#ifndef MRG_CONSENT_H
#define MRG_CONSENT_H

#include "milter/policy/decide.h"

#define MRG_CLASS_TRANSACTIONAL "transactional"

/* "suppressed: REASON" of the first suppression that stops this class; NULL for none. */
const char *mrg_suppression_reason(const MrgStateView *state, const char *class_name,
                                   gint64 now_us, MrgArena *arena);

/* "consent: ..." when consent to receive is denied or wanting; NULL when it is there.  That
 * for the class ("receive:CLASS") counts before "receive", unless "receive" was withdrawn
 * later. */
const char *mrg_consent_reason(const MrgStateView *state, const char *class_name,
                               MrgConsentState fallback);

#endif
