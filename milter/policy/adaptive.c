/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/duration.h"
#include "milter/policy/adaptive.h"

/* Thousandths, so that nothing is rounded differently on another machine. */
#define UP_FROM 4000
#define UP_UNTIL 2000
#define DOWN_BELOW 200
#define DOWN_UNTIL 500
#define OPEN_WEIGHT 1000
#define CLICK_WEIGHT 3000

typedef enum { OPEN, CLICK, COMPLAINT, N_KINDS } Kind;
typedef enum { DOWN, MIDDLE, UP } Level;

typedef struct Acts {
    gint64 at_us[MRG_ENGAGEMENT_MAX];
    Kind kind[MRG_ENGAGEMENT_MAX];
    guint n;
    guint n_of[N_KINDS]; /* within the window */
} Acts;

/* Lines "MICROSECONDS KIND", oldest first; store-check.h has looked at them. */
static void
read_acts(Acts *acts, const MrgState *state, gint64 from_us, gint64 to_us)
{
    static const char *const kinds[N_KINDS] = {"open", "click", "complaint"};
    const char *text = state->engagement ? state->engagement : "";
    *acts = (Acts){.n = 0};
    while (*text && acts->n < MRG_ENGAGEMENT_MAX) {
        char *kind;
        gint64 at_us = g_ascii_strtoll(text, &kind, 10);
        kind += *kind == ' ';
        gsize length = strcspn(kind, "\n");
        for (guint i = 0; i < N_KINDS && at_us > from_us && at_us <= to_us; i++) {
            if (strlen(kinds[i]) != length || strncmp(kinds[i], kind, length) != 0)
                continue;
            acts->n_of[i]++;
            acts->kind[acts->n] = (Kind) i;
            acts->at_us[acts->n++] = at_us;
        }
        text = kind + length + (kind[length] == '\n');
    }
}

/* Of the first n acts. */
static gint64
score(const Acts *acts, guint n, gint64 window_us, gint64 at_us)
{
    static const gint64 weights[N_KINDS] = {OPEN_WEIGHT, CLICK_WEIGHT, 0};
    gint64 sum = 0;
    for (guint i = 0; i < n; i++) {
        gint64 left_us = window_us - (at_us - acts->at_us[i]);
        /* Seconds, so that the product fits. */
        if (left_us > 0)
            sum += weights[acts->kind[i]] * (left_us / G_USEC_PER_SEC) /
                   MAX(window_us / G_USEC_PER_SEC, 1);
    }
    return sum;
}

static Level
step(Level level, gint64 sum)
{
    if (sum >= UP_FROM || (level == UP && sum >= UP_UNTIL))
        return UP;
    if (sum < DOWN_BELOW || (level == DOWN && sum < DOWN_UNTIL))
        return DOWN;
    return MIDDLE;
}

static gboolean
had_time(const MrgCap *cap, const MrgStateView *state, gint64 at_us)
{
    return state->own.n && state->own.list[0].at_us <= at_us - cap->adaptive_window_us / 2;
}

guint
mrg_adaptive_limit(const MrgCap *cap, const MrgStateView *state, gint64 at_us)
{
    Acts acts;
    Level level = MIDDLE;
    if (!mrg_consent_is_granted(state, "profile", MRG_CONSENT_DENIED))
        return cap->limit;
    /* Twice the window, so that the level at its beginning is found, too. */
    read_acts(&acts, state->state, at_us - 2 * cap->adaptive_window_us, at_us);
    for (guint i = 0; i < acts.n; i++) {
        if (acts.kind[i] == COMPLAINT && acts.at_us[i] > at_us - cap->adaptive_window_us)
            return cap->limit_min;
        level = step(level, score(&acts, i, cap->adaptive_window_us, acts.at_us[i]));
        level = step(level, score(&acts, i + 1, cap->adaptive_window_us, acts.at_us[i]));
    }
    level = step(level, score(&acts, acts.n, cap->adaptive_window_us, at_us));
    if (level == DOWN && !had_time(cap, state, at_us))
        return cap->limit;
    return level == UP ? cap->limit_max : level == DOWN ? cap->limit_min : cap->limit;
}

const char *
mrg_adaptive_inputs(const MrgCap *cap, const MrgStateView *state, gint64 at_us,
                    MrgArena *arena)
{
    Acts acts;
    if (!mrg_consent_is_granted(state, "profile", MRG_CONSENT_DENIED))
        return ", adaptive: no consent to a profile";
    read_acts(&acts, state->state, at_us - cap->adaptive_window_us, at_us);
    return mrg_arena_printf(arena, ", adaptive: %u clicks, %u opens, %u complaints in %s",
                            acts.n_of[CLICK], acts.n_of[OPEN], acts.n_of[COMPLAINT],
                            mrg_duration_print(cap->adaptive_window_us, arena));
}
