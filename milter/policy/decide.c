/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/policy/cap.h"
#include "milter/policy/consent.h"
#include "milter/policy/decide.h"

static void
stop(MrgDecision *decision, MrgVerdict verdict, const char *reason)
{
    decision->verdict = verdict;
    decision->reason = reason;
}

/* The first cap that is exceeded decides; FALSE when all let it through. */
static gboolean
stop_by_cap(const MrgPolicy *policy, const MrgStateView *state, const char *class_name,
            gint64 now_us, MrgArena *arena, MrgDecision *decision)
{
    for (gsize i = 0; i < policy->n_caps; i++) {
        const MrgCap *cap = &policy->caps[i];
        gint64 retry_at_us;
        const char *reason = NULL;
        if (mrg_cap_applies(cap, class_name))
            reason = mrg_cap_reason(cap, state, now_us, &retry_at_us, arena);
        if (!reason)
            continue;
        stop(decision, cap->on_exceed, reason);
        if (cap->on_exceed == MRG_VERDICT_DEFER || cap->on_exceed == MRG_VERDICT_HOLD)
            decision->retry_at_us = retry_at_us;
        return TRUE;
    }
    return FALSE;
}

void
mrg_decide(const MrgPolicy *policy, const MrgStateView *state,
           const char *campaign G_GNUC_UNUSED, const char *class_name, gint64 now_us,
           MrgArena *arena, MrgDecision *decision)
{
    *decision = (MrgDecision){
        .verdict = MRG_VERDICT_DELIVER,
        .may_track_open = mrg_consent_is_granted(state, "track_open", MRG_CONSENT_DENIED),
        .may_track_click = mrg_consent_is_granted(state, "track_click", MRG_CONSENT_DENIED),
    };
    const char *reason = mrg_suppression_reason(state, class_name, now_us, arena);
    if (!reason)
        reason = mrg_consent_reason(state, class_name, policy->consent_default);
    if (reason) {
        stop(decision, MRG_VERDICT_DROP, reason);
        return;
    }
    if (!stop_by_cap(policy, state, class_name, now_us, arena, decision))
        decision->reason = policy->n_caps ? "ok: under every cap" : "ok: there are no caps";
}

gint64
mrg_policy_horizon_us(const MrgPolicy *policy)
{
    gint64 horizon_us = 0;
    for (gsize i = 0; i < policy->n_caps; i++)
        horizon_us =
            MAX(horizon_us, MAX(policy->caps[i].per_us, policy->caps[i].min_gap_us));
    return horizon_us;
}
