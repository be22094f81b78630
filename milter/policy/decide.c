/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/policy/cap.h"
#include "milter/policy/consent.h"
#include "milter/policy/decide.h"
#include "milter/policy/quiet.h"

#define DAY_US ((gint64) MRG_DAY_S * G_USEC_PER_SEC)
/* A time that was put off is looked at again: by caps after quiet hours, and so on.  Rules
 * that chase it further than this want an end that never comes. */
#define ROUNDS 32

static void
stop(MrgDecision *decision, MrgVerdict verdict, const char *reason)
{
    decision->verdict = verdict;
    decision->reason = reason;
}

/* What stops a copy whenever it would go out. */
static const char *
person_reason(const MrgPolicy *policy, const MrgStateView *state,
              const MrgCandidate *candidate, gint64 now_us, MrgArena *arena)
{
    const char *reason = mrg_suppression_reason(state, candidate, now_us, arena);
    if (!reason)
        reason = mrg_pause_reason(policy, state, candidate, now_us);
    if (!reason)
        reason = mrg_consent_reason(state, candidate->class_name, policy->consent_default);
    return reason;
}

/* The first cap that is exceeded at that time; NULL when all let it through. */
static const char *
first_exceeded(const MrgPolicy *policy, const MrgStateView *state,
               const MrgCandidate *candidate, gint64 at_us, gint64 *retry_at_us,
               MrgVerdict *verdict, MrgArena *arena)
{
    const char *reason = NULL;
    for (gsize i = 0; i < policy->n_caps && !reason; i++) {
        const MrgCap *cap = &policy->caps[i];
        if (!mrg_cap_applies(cap, candidate))
            continue;
        *verdict = cap->on_exceed;
        gboolean is_put_off = *verdict == MRG_VERDICT_DEFER || *verdict == MRG_VERDICT_HOLD;
        reason = mrg_cap_reason(cap, state, candidate, at_us,
                                is_put_off ? retry_at_us : NULL, arena);
    }
    if (reason || !candidate->preference.per_us)
        return reason;
    const MrgCap wish = mrg_preference_cap(&candidate->preference);
    *verdict = wish.on_exceed;
    return mrg_cap_applies(&wish, candidate)
               ? mrg_cap_reason(&wish, state, candidate, at_us, NULL, arena)
               : NULL;
}

/* Puts the time off for as long as a gate asks for it; FALSE when one stops the copy. */
static gboolean
find_time(const MrgPolicy *policy, const MrgStateView *state, const MrgCandidate *candidate,
          gint64 *at_us, const char **why, MrgArena *arena, MrgDecision *decision)
{
    for (int i = 0; i < ROUNDS; i++) {
        gint64 next_us = 0;
        MrgVerdict verdict;
        const char *reason =
            first_exceeded(policy, state, candidate, *at_us, &next_us, &verdict, arena);
        if (reason && (verdict != MRG_VERDICT_HOLD || next_us <= *at_us)) {
            stop(decision, verdict, reason);
            decision->retry_at_us = next_us;
            return FALSE;
        }
        const MrgQuiet *quiet =
            reason ? NULL : mrg_quiet_at(policy, candidate, *at_us, &next_us);
        if (quiet)
            reason = mrg_arena_printf(arena, "quiet: %s", quiet->name);
        if (!reason)
            return TRUE;
        *why = reason;
        *at_us = next_us;
    }
    return TRUE;
}

void
mrg_decide(const MrgPolicy *policy, const MrgStateView *state,
           const MrgCandidate *candidate, gint64 now_us, MrgArena *arena,
           MrgDecision *decision)
{
    *decision = (MrgDecision){
        .verdict = MRG_VERDICT_DELIVER,
        .may_track_open = mrg_consent_is_granted(state, "track_open", MRG_CONSENT_DENIED),
        .may_track_click = mrg_consent_is_granted(state, "track_click", MRG_CONSENT_DENIED),
    };
    const char *reason = person_reason(policy, state, candidate, now_us, arena);
    if (reason) {
        stop(decision, MRG_VERDICT_DROP, reason);
        return;
    }
    gint64 at_us = MAX(now_us, candidate->send_at_us);
    reason = "schedule: to be sent later";
    if (!find_time(policy, state, candidate, &at_us, &reason, arena, decision))
        return;
    if (at_us > now_us) {
        stop(decision, MRG_VERDICT_HOLD, reason);
        decision->retry_at_us = at_us;
        return;
    }
    decision->reason = policy->n_caps ? "ok: under every cap" : "ok: there are no caps";
}

/* ---- preference ---------------------------------------------------------- */

MrgPreference
mrg_preference_read(const MrgValue *value)
{
    static const struct {
        const char *word;
        gint64 days;
    } words[] = {{"daily", 1}, {"weekly", 7}, {"monthly", MRG_WISH_SPAN_US / DAY_US}};
    const MrgPreference none = {.limit = MRG_UNLIMITED};
    for (gsize i = 0; value->type == MRG_VALUE_STRING && i < G_N_ELEMENTS(words); i++)
        if (strlen(words[i].word) == value->length &&
            memcmp(words[i].word, value->text, value->length) == 0)
            return (MrgPreference){1, words[i].days * DAY_US};
    if (value->type != MRG_VALUE_NUMBER ||
        !(value->number >= 0 && value->number <= MRG_WISH_MAX))
        return none;
    return (MrgPreference){(guint) value->number, 7 * DAY_US};
}

MrgCap
mrg_preference_cap(const MrgPreference *preference)
{
    return (MrgCap){.name = "preference",
                    .limit = preference->limit,
                    .per_us = preference->per_us,
                    .on_exceed = MRG_VERDICT_DROP};
}

/* ---- what a policy asks for --------------------------------------------- */

/* Back to the last star, each time what follows it does not fit: no allocation, and no more
 * than the product of the two lengths. */
static gboolean
fits(const char *pattern, const char *text, const char *end)
{
    const char *star = NULL, *resume = text;
    while (text < end) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || (*pattern && *pattern == *text)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return FALSE;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

gboolean
mrg_patterns_fit_bytes(MrgPatterns patterns, const char *text, gsize length)
{
    for (; patterns && *patterns; patterns++)
        if (fits(*patterns, text, text + length))
            return TRUE;
    return FALSE;
}

gboolean
mrg_patterns_fit(MrgPatterns patterns, const char *text)
{
    return mrg_patterns_fit_bytes(patterns, text, strlen(text));
}

gboolean
mrg_classes_fit(MrgPatterns classes, const char *class_name)
{
    return classes ? mrg_patterns_fit(classes, class_name)
                   : strcmp(class_name, MRG_CLASS_TRANSACTIONAL) != 0;
}

gboolean
mrg_policy_has_scope(const MrgPolicy *policy, MrgScope scope)
{
    for (gsize i = 0; i < policy->n_caps; i++)
        if (policy->caps[i].scope == scope)
            return TRUE;
    return FALSE;
}

gboolean
mrg_policy_needs_zone(const MrgPolicy *policy)
{
    for (gsize i = 0; i < policy->n_caps; i++)
        if (policy->caps[i].period != MRG_PERIOD_ROLLING)
            return TRUE;
    return policy->n_quiets > 0;
}

gboolean
mrg_policy_counts_attempts(const MrgPolicy *policy)
{
    for (gsize i = 0; i < policy->n_caps; i++)
        if (policy->caps[i].counts_attempts)
            return TRUE;
    return FALSE;
}
