/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide: may this person get this mail, and when?
 *
 * One pure function of (policy, state, candidate, now): no I/O, no clock, no allocation
 * outside the arena; the milter, preview, release, `cap status` and simulation call the
 * same one.
 *
 * Gates in order, the first hit wins: suppressed > paused > consent > cap > quiet >
 * deliver. Transactional mail is exempt from pauses, from caps unless a cap names its
 * class, and from a missing consent to receive; a suppression of scope "all" stops it too
 * only when the reason is "bounced", "erased" or "manual": who unsubscribes still gets
 * receipts.
 *
 * A copy that is to go out later (a time to send at, quiet hours, a cap that holds) is
 * judged by the caps at that time, and HOLD says when it is.
 *
 * A state that is a repeat is not the question here: the caller asks without caps, and
 * answers with the recorded outcome unless a suppression came since.  may_track_* hold
 * for every verdict.
 *
 * OWNERSHIP  reason is made in the arena.
 */
#ifndef MRG_DECIDE_H
#define MRG_DECIDE_H

#include "base/value.h"
#include "milter/policy/state.h"
#include "milter/policy/window.h"

#define MRG_CLASS_TRANSACTIONAL "transactional"
#define MRG_UNLIMITED G_MAXUINT

/* Patterns with * and ?, NULL-terminated; NULL says nothing about it. */
typedef const char *const *MrgPatterns;

typedef struct MrgCap {
    const char *name;     /* of the section [cap NAME]; stands in the reason */
    guint limit;          /* copies; 0 blocks, MRG_UNLIMITED */
    gint64 per_us;        /* rolling window; ends now, excludes its far end */
    gint64 min_gap_us;    /* 0: none */
    MrgPatterns classes;  /* what it stops and counts; NULL: all but transactional */
    MrgVerdict on_exceed; /* DROP, DEFER, REJECT, HOLD */

    MrgPeriod period; /* other than ROLLING: a calendar one, in the person's zone */
    MrgPatterns campaigns, senders, tags;
    MrgPatterns exempt; /* classes that it does not stop; they count all the same */
    MrgPatterns counts; /* classes that count; NULL: those of classes */
    gboolean counts_attempts;
    MrgScope scope;
    guint reserve; /* of the limit, kept for the classes of reserve_for */
    MrgPatterns reserve_for;
    gboolean is_adaptive; /* the limit is limit_min or limit_max for some: adaptive.h */
    guint limit_min, limit_max;
    gint64 adaptive_window_us;
} MrgCap;

/* No mail of these classes between two times of the wall clock, on these days. */
typedef struct MrgQuiet {
    const char *name;
    gint64 from_s, to_s; /* seconds of the day; the same: all day; from > to: overnight */
    guint days;          /* bits of mrg_weekday() on which it begins */
    MrgPatterns classes; /* NULL: all but transactional */
} MrgQuiet;

typedef struct MrgPolicy {
    const MrgCap *caps;
    gsize n_caps;
    MrgConsentState consent_default; /* for receive; everything else: denied */
    const MrgQuiet *quiets;
    gsize n_quiets;
    gint64 pause_complaint_us, pause_unsubscribe_us; /* 0: none */
    gboolean has_wishes;                             /* candidates may have a preference */
} MrgPolicy;

/* The person's own wish: at most so many within the time; MRG_UNLIMITED for none said. */
typedef struct MrgPreference {
    guint limit;
    gint64 per_us;
} MrgPreference;

typedef struct MrgCandidate {
    const char *campaign, *class_name;
    const char *sender; /* as in MrgSend */
    const char *tags;
    const char *list;    /* "list:NAME" suppressions are for it; NULL: of no list */
    const MrgZone *zone; /* the person's; NULL: UTC */
    MrgPreference preference;
    gint64 send_at_us; /* 0: now */
} MrgCandidate;

typedef struct MrgDecision {
    MrgVerdict verdict;
    const char *reason; /* "GATE: DETAIL"; "ok: ..." for deliver */
    gboolean may_track_open;
    gboolean may_track_click;
    gint64 retry_at_us; /* DEFER, HOLD: when it would pass; else 0 */
} MrgDecision;

/* Whether a purpose is granted; tracking, profile and predict need a record. */
gboolean mrg_consent_is_granted(const MrgStateView *state, const char *purpose,
                                MrgConsentState fallback);

void mrg_decide(const MrgPolicy *policy, const MrgStateView *state,
                const MrgCandidate *candidate, gint64 now_us, MrgArena *arena,
                MrgDecision *decision);

#define MRG_WISH_MAX 100                                            /* copies */
#define MRG_WISH_SPAN_US (30 * MRG_DAY_S * (gint64) G_USEC_PER_SEC) /* of the longest */

/* "daily", "weekly", "monthly" (30 days), or how many a week, up to MRG_WISH_MAX; anything
 * else is no wish. */
MrgPreference mrg_preference_read(const MrgValue *value);

/* A wish as a cap like any other. */
MrgCap mrg_preference_cap(const MrgPreference *preference);

/* Whether one of the patterns fits; NULL fits nothing. */
gboolean mrg_patterns_fit(MrgPatterns patterns, const char *text);
/* Those of a rule for classes: NULL fits all but transactional. */
gboolean mrg_classes_fit(MrgPatterns classes, const char *class_name);
gboolean mrg_patterns_fit_bytes(MrgPatterns patterns, const char *text, gsize length);

/* What of a person a policy asks for beyond their own state. */
gboolean mrg_policy_has_scope(const MrgPolicy *policy, MrgScope scope);
gboolean mrg_policy_needs_zone(const MrgPolicy *policy);
gboolean mrg_policy_counts_attempts(const MrgPolicy *policy);

#endif
