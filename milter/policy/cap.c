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

gboolean
mrg_cap_counts(const MrgCap *cap, const MrgSend *send)
{
    return (send->kind != MRG_SEND_ATTEMPTED || cap->counts_attempts) &&
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
count_within(const MrgCap *cap, const MrgSends *sends, const Window *window)
{
    guint n = 0;
    for (gsize i = sends->n; i-- > 0 && sends->list[i].at_us > window->after_us;)
        n += &sends->list[i] != sends->copy && is_within(&sends->list[i], window) &&
             mrg_cap_counts(cap, &sends->list[i]);
    return n;
}

guint
mrg_cap_used(const MrgCap *cap, const MrgStateView *state, const MrgCandidate *candidate,
             gint64 at_us)
{
    const Window window = window_of(cap, candidate->zone, at_us);
    return count_within(cap, mrg_state_sends(state, cap->scope), &window);
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
is_in_gap(const MrgCap *cap, const MrgSends *sends, gint64 at_us)
{
    const Window window = {at_us - cap->min_gap_us, at_us + cap->min_gap_us};
    return cap->min_gap_us && count_within(cap, sends, &window);
}

/* ---- when it passes ---------------------------------------------------- */

/* The copies in the way, each for a stretch of time: what went out from ever on, what is
 * held from as long before it as after. */
typedef struct Stretches {
    gint64 *begins_us; /* of what is held, ascending */
    gint64 *ends_us;   /* of all, ascending */
    gsize n_begins, n_ends;
    gsize n_begun, n_ended;
} Stretches;

static Stretches
stretches_new(gsize n, MrgArena *arena)
{
    return (Stretches){.begins_us = mrg_arena_array(arena, gint64, n),
                       .ends_us = mrg_arena_array(arena, gint64, n)};
}

static void
add_stretch(Stretches *stretches, const MrgSend *send, const Window *stretch)
{
    if (send->kind == MRG_SEND_HELD)
        stretches->begins_us[stretches->n_begins++] =
            MIN(stretch->after_us + 1, stretch->before_us);
    stretches->ends_us[stretches->n_ends++] = stretch->before_us;
}

/* How many are in the way at a time, which never goes back from call to call. */
static guint
count_at(Stretches *stretches, gint64 at_us)
{
    while (stretches->n_begun < stretches->n_begins &&
           stretches->begins_us[stretches->n_begun] <= at_us)
        stretches->n_begun++;
    while (stretches->n_ended < stretches->n_ends &&
           stretches->ends_us[stretches->n_ended] <= at_us)
        stretches->n_ended++;
    return (guint) (stretches->n_ends - stretches->n_begins + stretches->n_begun -
                    stretches->n_ended);
}

/* The earlier of two times, of which 0 is none. */
static gint64
earlier(gint64 a_us, gint64 b_us)
{
    return a_us && b_us ? MIN(a_us, b_us) : a_us + b_us;
}

static gint64
next_end(const Stretches *stretches)
{
    return stretches->n_ended < stretches->n_ends ? stretches->ends_us[stretches->n_ended]
                                                  : 0;
}

/* The stretch of a copy is the window as seen from it. */
static void
find_stretches(const MrgCap *cap, const MrgSends *sends, const MrgZone *zone,
               Stretches *of_window, Stretches *of_gap)
{
    Window stretch = {0, 0};
    for (gsize i = 0; i < sends->n; i++) {
        const MrgSend *send = &sends->list[i];
        if (send == sends->copy || !mrg_cap_counts(cap, send))
            continue;
        if (cap->period == MRG_PERIOD_ROLLING || send->at_us >= stretch.before_us)
            stretch = window_of(cap, zone, send->at_us);
        const Window gap = {send->at_us - cap->min_gap_us, send->at_us + cap->min_gap_us};
        add_stretch(of_window, send, &stretch);
        if (cap->min_gap_us)
            add_stretch(of_gap, send, &gap);
    }
}

/* From one end of a stretch to the next, until no cap is exceeded; 0: that never is. */
static gint64
passes_at(const MrgCap *cap, const MrgStateView *state, const MrgCandidate *candidate,
          gint64 at_us, MrgArena *arena)
{
    const MrgSends *sends = mrg_state_sends(state, cap->scope);
    Stretches of_window = stretches_new(sends->n, arena);
    Stretches of_gap = stretches_new(sends->n, arena);
    gint64 rises_us = cap->is_adaptive ? mrg_adaptive_rise(cap, state, at_us) : 0;
    find_stretches(cap, sends, candidate->zone, &of_window, &of_gap);
    while (at_us) {
        guint n = count_at(&of_window, at_us);
        if (!count_at(&of_gap, at_us) && n < mrg_cap_limit(cap, state, candidate, at_us))
            return at_us;
        gint64 ends_us = earlier(next_end(&of_window), next_end(&of_gap));
        at_us = earlier(ends_us, rises_us > at_us ? rises_us : 0);
    }
    return 0;
}

gint64
mrg_cap_span_us(const MrgCap *cap)
{
    /* An hour more than the longest one, for a clock that is put back. */
    static const gint64 hours[] = {[MRG_PERIOD_DAY] = 25,
                                   [MRG_PERIOD_WEEK] = 7 * 24 + 1,
                                   [MRG_PERIOD_MONTH] = 31 * 24 + 1};
    gint64 window_us = cap->period == MRG_PERIOD_ROLLING
                           ? cap->per_us
                           : hours[cap->period] * 3600 * G_USEC_PER_SEC;
    return MAX(window_us, cap->min_gap_us);
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
    else if (is_in_gap(cap, mrg_state_sends(state, cap->scope), at_us))
        reason = mrg_arena_printf(arena, "cap: %s (the last one under %s ago)", cap->name,
                                  mrg_duration_print(cap->min_gap_us, arena));
    if (reason && retry_at_us)
        *retry_at_us = passes_at(cap, state, candidate, at_us, arena);
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
