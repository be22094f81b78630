/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide: may this person get this mail, now?
 *
 * One pure function of (policy, campaign, state, now): no I/O, no clock, no allocation
 * outside the arena; the milter, preview, `cap status` and simulation call the same one.
 *
 * Gates in order, the first hit wins: suppressed > consent > cap > deliver.
 * Transactional mail is exempt from caps unless a cap names its class, and from a
 * missing consent to receive; a suppression of scope "all" stops it too only when the
 * reason is "bounced", "erased" or "manual": who unsubscribes still gets receipts.
 *
 * A state that is a repeat is not the question here: the caller asks without caps, and
 * answers with the recorded outcome unless a suppression came since.  may_track_* hold
 * for every verdict.
 *
 * OWNERSHIP  reason is made in the arena.
 */
#ifndef MRG_DECIDE_H
#define MRG_DECIDE_H

#include "milter/policy/state.h"

typedef struct MrgCap {
    const char *name;       /* of the section [cap NAME]; stands in the reason */
    guint limit;            /* copies; 0 blocks */
    gint64 per_us;          /* rolling window; ends now, excludes its far end */
    gint64 min_gap_us;      /* 0: none */
    const char *class_name; /* copies of this class only; NULL: all but transactional */
    MrgVerdict on_exceed;   /* DROP, DEFER, REJECT, HOLD */
} MrgCap;

typedef struct MrgPolicy {
    const MrgCap *caps;
    gsize n_caps;
    MrgConsentState consent_default; /* for receive; everything else: denied */
} MrgPolicy;

typedef struct MrgDecision {
    MrgVerdict verdict;
    const char *reason; /* "GATE: DETAIL"; "ok: ..." for deliver */
    gboolean may_track_open;
    gboolean may_track_click;
    gint64 retry_at_us; /* DEFER, HOLD by a cap: when it would pass; else 0 */
} MrgDecision;

/* Whether a purpose is granted; tracking, profile and predict need a record. */
gboolean mrg_consent_is_granted(const MrgStateView *state, const char *purpose,
                                MrgConsentState fallback);

void mrg_decide(const MrgPolicy *policy, const MrgStateView *state, const char *campaign,
                const char *class_name, gint64 now_us, MrgArena *arena,
                MrgDecision *decision);

/* How much of a cap is used at now: copies within its window. */
guint mrg_cap_used(const MrgCap *cap, const MrgStateView *state, gint64 now_us);

/* The longest window of all caps: older history need not be kept. */
gint64 mrg_policy_horizon_us(const MrgPolicy *policy);

#endif
