/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/duration.h"
#include "milter/policy/adaptive.h"
#include "milter/policy/cap.h"

/* Thousandths, so that nothing is rounded differently on another machine. */
#define UP_FROM 4000
#define UP_UNTIL 2000
#define DOWN_BELOW 200
#define OPEN_WEIGHT 1000
#define CLICK_WEIGHT 3000

typedef enum { OPEN, CLICK, COMPLAINT, N_KINDS } Kind;
typedef enum { DOWN, MIDDLE, UP } Level;

typedef struct Acts {
    gint64 at_us[MRG_ENGAGEMENT_MAX]; /* ascending, none later than now */
    Kind kind[MRG_ENGAGEMENT_MAX];
    guint n;
} Acts;

/* Lines "MICROSECONDS KIND", oldest first; store-check.h has looked at them.  One that is
 * later than now comes from another clock, and has happened. */
static void
read_acts(Acts *acts, const MrgState *state, gint64 now_us)
{
    static const char *const kinds[N_KINDS] = {"open", "click", "complaint"};
    const char *text = state->engagement ? state->engagement : "";
    acts->n = 0;
    while (*text && acts->n < MRG_ENGAGEMENT_MAX) {
        gint64 at_us = 0;
        for (; g_ascii_isdigit(*text); text++)
            at_us = 10 * at_us + (*text - '0');
        text += *text == ' ';
        gsize length = strcspn(text, "\n");
        for (guint i = 0; i < N_KINDS; i++) {
            if (strlen(kinds[i]) != length || memcmp(kinds[i], text, length) != 0)
                continue;
            acts->kind[acts->n] = (Kind) i;
            acts->at_us[acts->n++] = MIN(at_us, now_us);
        }
        text += length + (text[length] == '\n');
    }
}

/* The sum of the acts that were gone through: it moves on act by act and with the time.
 * In seconds, so that the products fit. */
typedef struct Score {
    const Acts *acts;
    gint64 window_s;
    guint first, end;      /* those of the window */
    gint64 weight, moment; /* sum of the weights; of weight times time */
} Score;

static void
score_add(Score *score, guint act, gint64 sign)
{
    static const gint64 weights[N_KINDS] = {OPEN_WEIGHT, CLICK_WEIGHT, 0};
    gint64 weight = sign * weights[score->acts->kind[act]];
    score->weight += weight;
    score->moment += weight * (score->acts->at_us[act] / G_USEC_PER_SEC);
}

static gint64
score_at(Score *score, gint64 at_us)
{
    gint64 begin_s = at_us / G_USEC_PER_SEC - score->window_s;
    while (score->first < score->end &&
           score->acts->at_us[score->first] / G_USEC_PER_SEC <= begin_s)
        score_add(score, score->first++, -1);
    return (score->moment - score->weight * begin_s) / score->window_s;
}

static Level
step(Level level, gint64 sum)
{
    if (sum >= UP_FROM || (level == UP && sum >= UP_UNTIL))
        return UP;
    return sum < DOWN_BELOW ? DOWN : MIDDLE;
}

static Level
find_level(const Acts *acts, gint64 window_us, gint64 at_us)
{
    Score score = {.acts = acts, .window_s = window_us / G_USEC_PER_SEC};
    Level level = MIDDLE;
    for (guint i = 0; i < acts->n; i++) {
        /* Between two acts the sum falls: it is lowest before each, and highest after. */
        level = step(level, score_at(&score, acts->at_us[i]));
        score_add(&score, score.end++, 1);
        level = step(level, score_at(&score, acts->at_us[i]));
    }
    return step(level, score_at(&score, at_us));
}

static gboolean
had_time(const MrgCap *cap, const MrgSends *sends, gint64 at_us)
{
    gint64 until_us = at_us - cap->adaptive_window_us / 2;
    for (gsize i = 0; i < sends->n && sends->list[i].at_us <= until_us; i++)
        if (sends->list[i].kind == MRG_SEND_SENT && mrg_cap_counts(cap, &sends->list[i]))
            return TRUE;
    return FALSE;
}

static gboolean
has_profile_consent(const MrgStateView *state)
{
    return mrg_consent_is_granted(state, "profile", MRG_CONSENT_DENIED);
}

gint64
mrg_adaptive_rise(const MrgCap *cap, const MrgStateView *state, gint64 at_us)
{
    Acts acts;
    gint64 rises_us = 0;
    if (!has_profile_consent(state))
        return 0;
    read_acts(&acts, state->state, G_MAXINT64 / 2);
    for (guint i = 0; i < acts.n; i++)
        if (acts.kind[i] == COMPLAINT)
            rises_us = acts.at_us[i] + cap->adaptive_window_us;
    return rises_us > at_us ? rises_us : 0;
}

guint
mrg_adaptive_limit(const MrgCap *cap, const MrgStateView *state, gint64 at_us)
{
    Acts acts;
    if (!has_profile_consent(state))
        return cap->limit;
    read_acts(&acts, state->state, at_us);
    for (guint i = 0; i < acts.n; i++)
        if (acts.kind[i] == COMPLAINT && acts.at_us[i] > at_us - cap->adaptive_window_us)
            return cap->limit_min;
    switch (find_level(&acts, cap->adaptive_window_us, at_us)) {
    case UP:
        return cap->limit_max;
    case DOWN:
        return had_time(cap, &state->own, at_us) ? cap->limit_min : cap->limit;
    case MIDDLE:
        break;
    }
    return cap->limit;
}

const char *
mrg_adaptive_inputs(const MrgCap *cap, const MrgStateView *state, gint64 at_us,
                    MrgArena *arena)
{
    Acts acts;
    guint n_of[N_KINDS] = {0};
    if (!has_profile_consent(state))
        return ", adaptive: no consent to a profile";
    read_acts(&acts, state->state, at_us);
    for (guint i = 0; i < acts.n; i++)
        n_of[acts.kind[i]] += acts.at_us[i] > at_us - cap->adaptive_window_us;
    return mrg_arena_printf(arena, ", adaptive: %u clicks, %u opens, %u complaints in %s",
                            n_of[CLICK], n_of[OPEN], n_of[COMPLAINT],
                            mrg_duration_print(cap->adaptive_window_us, arena));
}
