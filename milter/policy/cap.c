/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/duration.h"
#include "milter/policy/adaptive.h"
#include "milter/policy/cap.h"

static const char *const period_names[] = {
    [MRG_PERIOD_DAY] = "calendar-day",
    [MRG_PERIOD_WEEK] = "calendar-week",
    [MRG_PERIOD_MONTH] = "calendar-month",
};

/* ---- whom it is about -------------------------------------------------- */

static gboolean
fits(MrgPatterns patterns, const char *text)
{
    return !patterns || mrg_patterns_fit(patterns, text ? text : "");
}

static gboolean
fits_tags(MrgPatterns patterns, const char *tags)
{
    const char *text = tags ? tags : "";
    if (!patterns)
        return TRUE;
    while (*text) {
        gsize length = strcspn(text, ",");
        if (length && mrg_patterns_fit_bytes(patterns, text, length))
            return TRUE;
        text += length + (text[length] == ',');
    }
    return FALSE;
}

gboolean
mrg_cap_applies(const MrgCap *cap, const MrgCandidate *candidate)
{
    return mrg_classes_fit(cap->classes, candidate->class_name) &&
           !mrg_patterns_fit(cap->exempt, candidate->class_name) &&
           fits(cap->campaigns, candidate->campaign) &&
           fits(cap->senders, candidate->sender) && fits_tags(cap->tags, candidate->tags);
}

static gboolean
counts(const MrgCap *cap, const MrgSend *send, const MrgCandidate *candidate)
{
    return send != candidate->own &&
           (send->kind != MRG_SEND_ATTEMPTED || cap->counts_attempts) &&
           (cap->counts ? mrg_patterns_fit(cap->counts, send->class_name)
                        : mrg_classes_fit(cap->classes, send->class_name)) &&
           fits(cap->campaigns, send->campaign) && fits(cap->senders, send->sender) &&
           fits_tags(cap->tags, send->tags);
}

/* ---- one instant ------------------------------------------------------- */

/* A window, from after_us (outside) to before_us (outside), within which a send counts. */
typedef struct Window {
    gint64 after_us, before_us;
} Window;

static Window
window_of(const MrgCap *cap, const MrgZone *zone, gint64 at_us)
{
    if (cap->period == MRG_PERIOD_ROLLING)
        return (Window){at_us - cap->per_us, at_us + cap->per_us};
    return (Window){mrg_period_start(cap->period, zone, at_us) - 1,
                    mrg_period_next(cap->period, zone, at_us)};
}

/* What went out may stand in the future because a clock went back, and counts then, too. */
static gboolean
is_within(const MrgSend *send, const Window *window)
{
    return send->at_us > window->after_us &&
           (send->kind != MRG_SEND_HELD || send->at_us < window->before_us);
}

static guint
count_within(const MrgCap *cap, const MrgSends *sends, const MrgCandidate *candidate,
             const Window *window)
{
    guint n = 0;
    for (gsize i = sends->n; i-- > 0 && sends->list[i].at_us > window->after_us;)
        n += is_within(&sends->list[i], window) && counts(cap, &sends->list[i], candidate);
    return n;
}

guint
mrg_cap_used(const MrgCap *cap, const MrgStateView *state, const MrgCandidate *candidate,
             gint64 at_us)
{
    const Window window = window_of(cap, candidate->zone, at_us);
    return count_within(cap, mrg_state_sends(state, cap->scope), candidate, &window);
}

guint
mrg_cap_limit(const MrgCap *cap, const MrgStateView *state, const MrgCandidate *candidate,
              gint64 at_us)
{
    guint limit = cap->is_adaptive ? mrg_adaptive_limit(cap, state, at_us) : cap->limit;
    if (limit == MRG_UNLIMITED || !cap->reserve ||
        mrg_patterns_fit(cap->reserve_for, candidate->class_name))
        return limit;
    return limit - MIN(limit, cap->reserve);
}

static gboolean
is_in_gap(const MrgCap *cap, const MrgSends *sends, const MrgCandidate *candidate,
          gint64 at_us)
{
    const Window window = {at_us - cap->min_gap_us, at_us + cap->min_gap_us};
    return cap->min_gap_us && count_within(cap, sends, candidate, &window);
}

/* ---- when it passes ---------------------------------------------------- */

static void
keep_first(gint64 *first_us, gint64 at_us, gint64 after_us)
{
    if (at_us > after_us && (!*first_us || at_us < *first_us))
        *first_us = at_us;
}

/* The next instant at which the answer may become another; 0: there is none. */
static gint64
next_change(const MrgCap *cap, const MrgStateView *state, const MrgCandidate *candidate,
            gint64 at_us)
{
    gint64 first_us = 0;
    const MrgSends *sends = mrg_state_sends(state, cap->scope);
    for (gsize i = 0; i < sends->n; i++) {
        if (!counts(cap, &sends->list[i], candidate))
            continue;
        if (cap->period == MRG_PERIOD_ROLLING)
            keep_first(&first_us, sends->list[i].at_us + cap->per_us, at_us);
        if (cap->min_gap_us)
            keep_first(&first_us, sends->list[i].at_us + cap->min_gap_us, at_us);
    }
    if (cap->period != MRG_PERIOD_ROLLING)
        keep_first(&first_us, mrg_period_next(cap->period, candidate->zone, at_us), at_us);
    return first_us;
}

static gboolean
passes(const MrgCap *cap, const MrgStateView *state, const MrgCandidate *candidate,
       gint64 at_us)
{
    return mrg_cap_used(cap, state, candidate, at_us) <
               mrg_cap_limit(cap, state, candidate, at_us) &&
           !is_in_gap(cap, mrg_state_sends(state, cap->scope), candidate, at_us);
}

/* Every change takes at least one copy out of the window or begins a period: so many steps
 * that a window of the copies' longest stretch is behind. */
static gint64
passes_at(const MrgCap *cap, const MrgStateView *state, const MrgCandidate *candidate,
          gint64 at_us)
{
    if (!mrg_cap_limit(cap, state, candidate, at_us))
        return 0;
    for (gsize i = 0; i < 2 * MRG_HISTORY_MAX + 2; i++) {
        at_us = next_change(cap, state, candidate, at_us);
        if (!at_us || passes(cap, state, candidate, at_us))
            return at_us;
    }
    return 0;
}

/* ---- the reason -------------------------------------------------------- */

const char *
mrg_cap_reason(const MrgCap *cap, const MrgStateView *state, const MrgCandidate *candidate,
               gint64 at_us, gint64 *retry_at_us, MrgArena *arena)
{
    guint used = mrg_cap_used(cap, state, candidate, at_us);
    guint limit = mrg_cap_limit(cap, state, candidate, at_us);
    const char *reason = NULL;
    if (used >= limit)
        reason = mrg_arena_printf(
            arena, "cap: %s (%u of %u in %s%s)", cap->name, used, limit,
            mrg_cap_window(cap, arena),
            cap->is_adaptive ? mrg_adaptive_inputs(cap, state, at_us, arena) : "");
    else if (is_in_gap(cap, mrg_state_sends(state, cap->scope), candidate, at_us))
        reason = mrg_arena_printf(arena, "cap: %s (the last one under %s ago)", cap->name,
                                  mrg_duration_print(cap->min_gap_us, arena));
    if (reason && retry_at_us)
        *retry_at_us = passes_at(cap, state, candidate, at_us);
    return reason;
}

const char *
mrg_cap_window(const MrgCap *cap, MrgArena *arena)
{
    return cap->period == MRG_PERIOD_ROLLING ? mrg_duration_print(cap->per_us, arena)
                                             : period_names[cap->period];
}

gboolean
mrg_cap_read_window(MrgCap *cap, const char *text)
{
    for (guint i = MRG_PERIOD_DAY; i < G_N_ELEMENTS(period_names); i++) {
        if (strcmp(text, period_names[i]) == 0) {
            cap->period = (MrgPeriod) i;
            return TRUE;
        }
    }
    return mrg_duration_parse(text, &cap->per_us) && cap->per_us > 0;
}
