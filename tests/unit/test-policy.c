/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/policy/cap.h"

#define HOUR G_GINT64_CONSTANT(3600000000)
#define DAY (24 * HOUR)
#define NOW (1000 * DAY)

/* ---- decide, by table --------------------------------------------------- */

typedef struct Row {
    const char *name;
    MrgConsentState fallback;
    MrgCap caps[2];
    MrgConsent consent;
    MrgSuppression suppression;
    const char *history; /* "HOURS-AGO CLASS", newest last, comma between */
    const char *class_name;
    MrgVerdict verdict;
    const char *reason;
    gint64 retry_in_us; /* 0: none */
} Row;

#define GRANTED MRG_CONSENT_GRANTED
#define DENIED MRG_CONSENT_DENIED
#define CAP(name_, limit_, per_, gap_, classes_, verdict_)                  \
    {                                                                       \
        .name = name_, .limit = limit_, .per_us = per_, .min_gap_us = gap_, \
        .classes = classes_, .on_exceed = verdict_                          \
    }
#define DAILY CAP("daily", 1, DAY, 0, NULL, MRG_VERDICT_DROP)
#define RECEIVE(state)              \
    {                               \
        "receive", state, 1, "form" \
    }
#define ONLY(name) ((const char *const[]){name, NULL})
#define OK "ok: under every cap"
#define DELIVER MRG_VERDICT_DELIVER
#define DROP MRG_VERDICT_DROP

/* clang-format off */
static const Row rows[] = {
    {"nothing known", GRANTED, {DAILY}, {0}, {0}, "", "promo", DELIVER, OK, 0},
    {"no caps", GRANTED, {{0}}, {0}, {0}, "", "promo", DELIVER, "ok: there are no caps", 0},
    {"one of one", GRANTED, {DAILY}, {0}, {0}, "23h promo", "promo", DROP, "cap: daily (1 of 1 in 24h)", 0},
    {"far end is outside", GRANTED, {DAILY}, {0}, {0}, "24h promo", "promo", DELIVER, OK, 0},
    {"one before the far end", GRANTED, {DAILY}, {0}, {0}, "24h-1 promo", "promo", DROP, "cap: daily (1 of 1 in 24h)", 0},
    {"sent this instant", GRANTED, {DAILY}, {0}, {0}, "0h promo", "promo", DROP, "cap: daily (1 of 1 in 24h)", 0},
    {"sent in the future", GRANTED, {DAILY}, {0}, {0}, "-5h promo", "promo", DROP, "cap: daily (1 of 1 in 24h)", 0},
    {"over the limit", GRANTED, {DAILY}, {0}, {0}, "3h promo,2h news", "promo", DROP, "cap: daily (2 of 1 in 24h)", 0},
    {"limit 0 blocks", GRANTED, {CAP("none", 0, DAY, 0, NULL, MRG_VERDICT_REJECT)}, {0}, {0}, "", "promo", MRG_VERDICT_REJECT, "cap: none (0 of 0 in 24h)", 0},
    {"limit 0 never passes", GRANTED, {CAP("none", 0, DAY, HOUR, NULL, MRG_VERDICT_DEFER)}, {0}, {0}, "0h a", "promo", MRG_VERDICT_DEFER, "cap: none (1 of 0 in 24h)", 0},
    {"defer says when", GRANTED, {CAP("w", 2, 7 * DAY, 0, NULL, MRG_VERDICT_DEFER)}, {0}, {0}, "100h promo,50h promo,20h promo", "promo", MRG_VERDICT_DEFER, "cap: w (3 of 2 in 7d)", 118 * HOUR},
    {"hold says when", GRANTED, {CAP("w", 2, 7 * DAY, 0, NULL, MRG_VERDICT_HOLD)}, {0}, {0}, "100h promo,50h promo", "promo", MRG_VERDICT_HOLD, "cap: w (2 of 2 in 7d)", 68 * HOUR},
    {"min gap", GRANTED, {CAP("gap", 9, DAY, 6 * HOUR, NULL, MRG_VERDICT_DEFER)}, {0}, {0}, "5h promo", "promo", MRG_VERDICT_DEFER, "cap: gap (the last one under 6h ago)", HOUR},
    {"min gap is over at its end", GRANTED, {CAP("gap", 9, DAY, 6 * HOUR, NULL, DROP)}, {0}, {0}, "6h promo", "promo", DELIVER, OK, 0},
    {"min gap longer than the window", GRANTED, {CAP("gap", 1, HOUR, 6 * HOUR, NULL, DROP)}, {0}, {0}, "5h promo", "promo", DROP, "cap: gap (the last one under 6h ago)", 0},
    {"limit passes after the gap", GRANTED, {CAP("gap", 1, 2 * HOUR, 6 * HOUR, NULL, MRG_VERDICT_DEFER)}, {0}, {0}, "1h promo", "promo", MRG_VERDICT_DEFER, "cap: gap (1 of 1 in 2h)", 5 * HOUR},
    {"class filter counts its own", GRANTED, {CAP("p", 1, DAY, 0, ONLY("promo"), DROP)}, {0}, {0}, "2h news", "promo", DELIVER, OK, 0},
    {"class filter stops its own", GRANTED, {CAP("p", 1, DAY, 0, ONLY("promo"), DROP)}, {0}, {0}, "2h promo", "promo", DROP, "cap: p (1 of 1 in 24h)", 0},
    {"class filter passes others", GRANTED, {CAP("p", 1, DAY, 0, ONLY("promo"), DROP)}, {0}, {0}, "2h promo", "news", DELIVER, OK, 0},
    {"gap of the class", GRANTED, {CAP("p", 9, DAY, 6 * HOUR, ONLY("promo"), DROP)}, {0}, {0}, "7h promo,1h news", "promo", DELIVER, OK, 0},
    {"receipts pass a cap", GRANTED, {DAILY}, {0}, {0}, "1h promo", "transactional", DELIVER, OK, 0},
    {"receipts do not count", GRANTED, {DAILY}, {0}, {0}, "1h transactional", "promo", DELIVER, OK, 0},
    {"receipts by a cap of their own", GRANTED, {CAP("t", 1, DAY, 0, ONLY("transactional"), DROP)}, {0}, {0}, "1h transactional", "transactional", DROP, "cap: t (1 of 1 in 24h)", 0},
    {"the first cap names the reason", GRANTED, {CAP("a", 1, DAY, 0, NULL, DROP), CAP("b", 1, DAY, 0, NULL, MRG_VERDICT_REJECT)}, {0}, {0}, "1h promo", "promo", DROP, "cap: a (1 of 1 in 24h)", 0},
    {"the second cap can fail alone", GRANTED, {CAP("a", 2, DAY, 0, NULL, DROP), CAP("b", 2, 2 * DAY, 0, NULL, MRG_VERDICT_REJECT)}, {0}, {0}, "30h promo,1h promo", "promo", MRG_VERDICT_REJECT, "cap: b (2 of 2 in 2d)", 0},
    {"no record, denied by default", DENIED, {DAILY}, {0}, {0}, "", "promo", DROP, "consent: receive not granted", 0},
    {"no record, nothing by default", MRG_CONSENT_UNKNOWN, {DAILY}, {0}, {0}, "", "promo", DROP, "consent: receive not granted", 0},
    {"unknown on record is no record", GRANTED, {DAILY}, RECEIVE(MRG_CONSENT_UNKNOWN), {0}, "", "promo", DELIVER, OK, 0},
    {"granted against the default", DENIED, {DAILY}, RECEIVE(GRANTED), {0}, "", "promo", DELIVER, OK, 0},
    {"denied against the default", GRANTED, {DAILY}, RECEIVE(DENIED), {0}, "", "promo", DROP, "consent: receive denied", 0},
    {"receipts without a record", DENIED, {DAILY}, {0}, {0}, "", "transactional", DELIVER, OK, 0},
    {"receipts against a denial", GRANTED, {DAILY}, RECEIVE(DENIED), {0}, "", "transactional", DROP, "consent: receive denied", 0},
    {"consent to something else", DENIED, {DAILY}, {"profile", GRANTED, 1, ""}, {0}, "", "promo", DROP, "consent: receive not granted", 0},
    {"consent before cap", GRANTED, {DAILY}, RECEIVE(DENIED), {0}, "1h promo", "promo", DROP, "consent: receive denied", 0},
    {"unsubscribed", GRANTED, {DAILY}, {0}, {"all", "unsubscribed", 1, 0}, "", "promo", DROP, "suppressed: unsubscribed", 0},
    {"suppressed before consent", GRANTED, {DAILY}, RECEIVE(DENIED), {"all", "complained", 1, 0}, "", "promo", DROP, "suppressed: complained", 0},
    {"unsubscribed gets receipts", GRANTED, {DAILY}, {0}, {"all", "unsubscribed", 1, 0}, "", "transactional", DELIVER, OK, 0},
    {"complained gets receipts", GRANTED, {DAILY}, {0}, {"all", "complained", 1, 0}, "", "transactional", DELIVER, OK, 0},
    {"bounced gets nothing", GRANTED, {DAILY}, {0}, {"all", "bounced", 1, 0}, "", "transactional", DROP, "suppressed: bounced", 0},
    {"erased gets nothing", GRANTED, {DAILY}, {0}, {"all", "erased", 1, 0}, "", "transactional", DROP, "suppressed: erased", 0},
    {"by hand gets nothing", GRANTED, {DAILY}, {0}, {"all", "manual", 1, 0}, "", "transactional", DROP, "suppressed: manual", 0},
    {"class suppressed", GRANTED, {DAILY}, {0}, {"class:promo", "unsubscribed", 1, 0}, "", "promo", DROP, "suppressed: unsubscribed", 0},
    {"another class suppressed", GRANTED, {DAILY}, {0}, {"class:promo", "manual", 1, 0}, "", "news", DELIVER, OK, 0},
    {"receipts suppressed by class", GRANTED, {DAILY}, {0}, {"class:transactional", "unsubscribed", 1, 0}, "", "transactional", DROP, "suppressed: unsubscribed", 0},
    {"unknown scope is all", GRANTED, {DAILY}, {0}, {"planet", "manual", 1, 0}, "", "promo", DROP, "suppressed: manual", 0},
    {"expired at its end", GRANTED, {DAILY}, {0}, {"all", "manual", 1, NOW}, "", "promo", DELIVER, OK, 0},
    {"not yet expired", GRANTED, {DAILY}, {0}, {"all", "manual", 1, NOW + 1}, "", "promo", DROP, "suppressed: manual", 0},
    {"odd reasons stay out of logs", GRANTED, {DAILY}, {0}, {"all", "ann@example.com\n", 1, 0}, "", "promo", DROP, "suppressed: other", 0},
};
/* clang-format on */

/* "23h promo,1h-5 news": so many hours ago, less so many microseconds. */
static const char *
write_history(const char *brief, MrgArena *arena)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_auto(GStrv) sends = g_strsplit(brief, ",", -1);
    for (char **send = sends; *send; send++) {
        char *rest;
        gint64 ago_us = g_ascii_strtoll(*send, &rest, 10) * HOUR;
        gint64 less_us = rest[1] == '-' ? g_ascii_strtoll(rest + 2, NULL, 10) : 0;
        g_string_append_printf(text, "%" G_GINT64_FORMAT " %s c\n", NOW - ago_us + less_us,
                               strchr(*send, ' ') + 1);
    }
    return mrg_arena_dup(arena, text->str, text->len);
}

static gsize
count_caps(const MrgCap *caps)
{
    return caps[0].name ? caps[1].name ? 2 : 1 : 0;
}

static void
decide_row(const Row *row, MrgArena *arena, MrgDecision *decision)
{
    g_autoptr(GError) error = NULL;
    const char *history = write_history(row->history, arena);
    MrgState state = {
        .own.history = history,
        .own.history_length = strlen(history),
        .consents = &row->consent,
        .n_consents = row->consent.purpose ? 1 : 0,
        .suppressions = &row->suppression,
        .n_suppressions = row->suppression.scope ? 1 : 0,
    };
    MrgPolicy policy = {.caps = row->caps,
                        .n_caps = count_caps(row->caps),
                        .consent_default = row->fallback};
    MrgCandidate candidate = {.campaign = "spring", .class_name = row->class_name};
    MrgStateView view;
    mrg_state_read(&view, &state, NULL, arena, &error);
    g_assert_no_error(error);
    mrg_decide(&policy, &view, &candidate, NOW, arena, decision);
}

static void
every_case_of_the_table(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        MrgDecision decision;
        g_test_message("%s", rows[i].name);
        decide_row(&rows[i], arena, &decision);
        g_assert_cmpstr(decision.reason, ==, rows[i].reason);
        g_assert_cmpint(decision.verdict, ==, rows[i].verdict);
        g_assert_cmpint(decision.retry_at_us, ==,
                        rows[i].retry_in_us ? NOW + rows[i].retry_in_us : 0);
    }
}

static void
tracking_needs_a_record(void)
{
    MrgConsent consents[] = {{"track_open", GRANTED, 1, ""}, {"receive", GRANTED, 1, ""}};
    MrgState state = {.own.history = "", .consents = consents, .n_consents = 2};
    MrgStateView view = {.state = &state};
    MrgPolicy policy = {.consent_default = GRANTED};
    MrgCandidate candidate = {.campaign = "spring", .class_name = "promo"};
    MrgDecision decision;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    mrg_decide(&policy, &view, &candidate, NOW, arena, &decision);
    g_assert_true(decision.may_track_open);
    g_assert_false(decision.may_track_click);
    consents[0].state = DENIED;
    mrg_decide(&policy, &view, &candidate, NOW, arena, &decision);
    g_assert_false(decision.may_track_open);
    consents[1] = (MrgConsent){"track_open", GRANTED, 2, ""};
    g_assert_false(mrg_consent_is_granted(&view, "track_open", GRANTED));
}

/* ---- rules of their own ------------------------------------------------------ */

/* 2026-03-28 23:00 in Oslo; at 2026-03-29 02:00 the clock goes to 03:00. */
#define OSLO_23 (G_GINT64_CONSTANT(1774735200) * 1000000)
#define MINUTE (HOUR / 60)

static MrgDecision
decide_at(const MrgPolicy *policy, MrgState *state, const MrgCandidate *candidate,
          gint64 at_us, MrgArena *arena)
{
    g_autoptr(GError) error = NULL;
    MrgStateView view;
    MrgDecision decision;
    if (!state->own.history)
        state->own.history = "";
    state->own.history_length = strlen(state->own.history);
    mrg_state_read(&view, state, NULL, arena, &error);
    g_assert_no_error(error);
    mrg_decide(policy, &view, candidate, at_us, arena, &decision);
    return decision;
}

static void
a_rolling_day_has_no_hole_at_midnight(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgCap caps[] = {CAP("day", 1, 0, 0, NULL, MRG_VERDICT_DEFER)};
    caps[0].period = MRG_PERIOD_DAY;
    MrgPolicy policy = {.caps = caps, .n_caps = 1, .consent_default = GRANTED};
    MrgCandidate candidate = {
        .campaign = "c", .class_name = "promo", .zone = mrg_zone_find("Europe/Oslo", NULL)};
    g_autofree char *history = g_strdup_printf("%" G_GINT64_FORMAT " promo c\n", OSLO_23);
    MrgState state = {.own.history = history};
    MrgDecision decision =
        decide_at(&policy, &state, &candidate, OSLO_23 + 59 * MINUTE, arena);
    g_assert_cmpstr(decision.reason, ==, "cap: day (1 of 1 in calendar-day)");
    g_assert_cmpint(decision.retry_at_us, ==, OSLO_23 + HOUR);
    /* A calendar day ends at midnight, and a rolling one does not. */
    decision = decide_at(&policy, &state, &candidate, OSLO_23 + 90 * MINUTE, arena);
    g_assert_cmpint(decision.verdict, ==, DELIVER);
    caps[0] = (MrgCap) CAP("day", 1, DAY, 0, NULL, DROP);
    decision = decide_at(&policy, &state, &candidate, OSLO_23 + 90 * MINUTE, arena);
    g_assert_cmpint(decision.verdict, ==, DROP);
}

static void
a_wall_time_in_a_gap_is_the_first_instant_after(void)
{
    const MrgZone *oslo = mrg_zone_find("Europe/Oslo", NULL);
    gint64 midnight_s = (OSLO_23 + HOUR) / 1000000 + 3600; /* on the wall */
    gint64 half_past_two = midnight_s + 150 * 60;
    g_assert_cmpint(mrg_zone_instant(oslo, half_past_two), ==, OSLO_23 + 3 * HOUR);
    g_assert_cmpint(mrg_zone_wall(oslo, OSLO_23 + 3 * HOUR), ==, midnight_s + 3 * 3600);
    /* 2026-10-25 02:30 comes twice: at 00:30 and at 01:30 UTC. */
    g_assert_cmpint(mrg_zone_instant(oslo, 1792895400), ==,
                    G_GINT64_CONSTANT(1792888200) * 1000000);
    g_assert_true(mrg_zone_find("../Oslo", "Europe/Oslo") == oslo);
    g_assert_true(mrg_zone_find("No/Where", NULL) == mrg_zone_find(NULL, NULL));
}

static void
quiet_hours_hold_until_they_end(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgQuiet night = {.name = "night", .from_s = 21 * 3600, .to_s = 8 * 3600, .days = 0x7f};
    MrgPolicy policy = {.quiets = &night, .n_quiets = 1, .consent_default = GRANTED};
    MrgCandidate candidate = {
        .campaign = "c", .class_name = "promo", .zone = mrg_zone_find("Europe/Oslo", NULL)};
    MrgState state = {0};
    MrgDecision decision = decide_at(&policy, &state, &candidate, OSLO_23, arena);
    g_assert_cmpint(decision.verdict, ==, MRG_VERDICT_HOLD);
    g_assert_cmpstr(decision.reason, ==, "quiet: night");
    /* Nine hours on the wall are eight, this night. */
    g_assert_cmpint(decision.retry_at_us, ==, OSLO_23 + 8 * HOUR);
    candidate.class_name = "transactional";
    decision = decide_at(&policy, &state, &candidate, OSLO_23, arena);
    g_assert_cmpint(decision.verdict, ==, DELIVER);
    candidate.class_name = "promo";
    candidate.send_at_us = OSLO_23 + 20 * HOUR; /* 20:00 */
    decision = decide_at(&policy, &state, &candidate, OSLO_23, arena);
    g_assert_cmpstr(decision.reason, ==, "schedule: to be sent later");
    g_assert_cmpint(decision.retry_at_us, ==, OSLO_23 + 20 * HOUR);
    candidate.send_at_us += 2 * HOUR;
    decision = decide_at(&policy, &state, &candidate, OSLO_23, arena);
    g_assert_cmpstr(decision.reason, ==, "quiet: night");
    g_assert_cmpint(decision.retry_at_us, ==, OSLO_23 + 32 * HOUR);
}

static void
displeasure_pauses_everything_else(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgPolicy policy = {.pause_complaint_us = 90 * DAY,
                        .pause_unsubscribe_us = 30 * DAY,
                        .consent_default = GRANTED};
    MrgCandidate candidate = {.campaign = "c", .class_name = "promo"};
    /* Taken back a day later: the pause goes on. */
    MrgSuppression ended = {"class:news", "unsubscribed", NOW, NOW + DAY};
    MrgState state = {.suppressions = &ended, .n_suppressions = 1};
    MrgDecision decision = decide_at(&policy, &state, &candidate, NOW + 2 * DAY, arena);
    g_assert_cmpstr(decision.reason, ==, "paused: unsubscribed");
    g_assert_cmpint(decision.verdict, ==, DROP);
    decision = decide_at(&policy, &state, &candidate, NOW + 30 * DAY, arena);
    g_assert_cmpint(decision.verdict, ==, DELIVER);
    ended.reason = "complained";
    decision = decide_at(&policy, &state, &candidate, NOW + 30 * DAY, arena);
    g_assert_cmpstr(decision.reason, ==, "paused: complained");
    candidate.class_name = "transactional";
    decision = decide_at(&policy, &state, &candidate, NOW + DAY, arena);
    g_assert_cmpint(decision.verdict, ==, DELIVER);
    /* The collector heard of it, and nobody was suppressed. */
    g_autofree char *heard = g_strdup_printf(
        "%" G_GINT64_FORMAT " open\n%" G_GINT64_FORMAT " complaint\n", NOW, NOW);
    MrgState other = {.engagement = heard};
    candidate.class_name = "promo";
    decision = decide_at(&policy, &other, &candidate, NOW + DAY, arena);
    g_assert_cmpstr(decision.reason, ==, "paused: complained");
}

static void
lists_and_wishes_count(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgPolicy policy = {.consent_default = GRANTED};
    MrgSuppression off_list = {"list:weekly", "unsubscribed", 1, 0};
    MrgState state = {.suppressions = &off_list, .n_suppressions = 1};
    MrgCandidate candidate = {.campaign = "c", .class_name = "promo", .list = "weekly"};
    g_assert_cmpint(decide_at(&policy, &state, &candidate, NOW, arena).verdict, ==, DROP);
    candidate.list = "daily";
    g_assert_cmpint(decide_at(&policy, &state, &candidate, NOW, arena).verdict, ==,
                    DELIVER);

    const MrgValue weekly = mrg_value_cstring("weekly"), odd = mrg_value_cstring("often");
    candidate.preference = mrg_preference_read(&weekly);
    g_autofree char *history =
        g_strdup_printf("%" G_GINT64_FORMAT " promo c\n", NOW - 6 * DAY);
    state.own.history = history;
    MrgDecision decision = decide_at(&policy, &state, &candidate, NOW, arena);
    g_assert_cmpstr(decision.reason, ==, "cap: preference (1 of 1 in 7d)");
    candidate.preference = mrg_preference_read(&odd);
    g_assert_cmpint(decide_at(&policy, &state, &candidate, NOW, arena).verdict, ==,
                    DELIVER);
    MrgValue two = mrg_value_number(2, arena), nan = mrg_value_number(0.0 / 0.0, arena);
    g_assert_cmpuint(mrg_preference_read(&two).limit, ==, 2);
    g_assert_cmpuint(mrg_preference_read(&nan).limit, ==, MRG_UNLIMITED);
}

static void
patterns_fit_the_whole_of_a_text(void)
{
    static const struct {
        const char *pattern, *text;
        gboolean fits;
    } cases[] = {
        {"", "", TRUE},
        {"", "a", FALSE},
        {"*", "", TRUE},
        {"a", "a", TRUE},
        {"a", "ab", FALSE},
        {"ab", "a", FALSE},
        {"a*", "a", TRUE},
        {"a*", "ba", FALSE},
        {"*a", "bba", TRUE},
        {"*a", "ab", FALSE},
        {"a?", "a", FALSE},
        {"a?", "ab", TRUE},
        {"?", "", FALSE},
        {"a*b*c", "aXbYbZc", TRUE},
        {"a*b*c", "aXcYb", FALSE},
        {"*ab", "aab", TRUE},
        {"**", "x", TRUE},
        {"*.example", "a.example", TRUE},
        {"*.example", "example", FALSE},
        {"a*?", "a", FALSE},
        {"A", "a", FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const patterns[] = {cases[i].pattern, NULL};
        g_test_message("%s on %s", cases[i].pattern, cases[i].text);
        g_assert_cmpint(mrg_patterns_fit(patterns, cases[i].text), ==, cases[i].fits);
    }
    g_assert_false(mrg_patterns_fit(NULL, "a"));
    /* What would take a backtracking matcher for ever. */
    const char *const many[] = {"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", NULL};
    g_autofree char *long_text = g_strnfill(5000, 'a');
    g_assert_false(mrg_patterns_fit(many, long_text));
}

static void
a_limit_adapts_with_hysteresis(void)
{
    static const struct {
        const char *engagement; /* days before NOW, and what */
        guint limit;
    } cases[] = {
        {"", 1},                           /* had time, and did nothing */
        {"29 open", 1},                    /* a thirtieth of an open */
        {"10 open", 3},                    /* two thirds */
        {"3 click,2 click", 6},            /* 2.7 and 2.8 */
        {"15 click,14 click,13 click", 6}, /* over 4 when the last came, 4.9 now */
        {"25 click,24 click,23 click", 3}, /* was up, is 1.8 now */
        {"20 click,19 click,18 click", 6}, /* was up; 3.3 is not under 2 */
        {"2 click,2 click,1 complaint", 1},
    };
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgConsent profile = {"profile", GRANTED, 1, ""};
    MrgCap cap = CAP("week", 3, 7 * DAY, 0, NULL, DROP);
    cap.is_adaptive = TRUE;
    cap.limit_min = 1;
    cap.limit_max = 6;
    cap.adaptive_window_us = 30 * DAY;
    g_autofree char *history =
        g_strdup_printf("%" G_GINT64_FORMAT " promo c\n", NOW - 20 * DAY);
    const MrgCandidate candidate = {.campaign = "c", .class_name = "promo"};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) engagement = g_string_new(NULL);
        g_auto(GStrv) acts = g_strsplit(cases[i].engagement, ",", -1);
        for (char **act = acts; *act; act++) {
            char *kind;
            gint64 days = g_ascii_strtoll(*act, &kind, 10);
            g_string_append_printf(engagement, "%" G_GINT64_FORMAT "%s\n", NOW - days * DAY,
                                   kind);
        }
        MrgState state = {.consents = &profile,
                          .n_consents = 1,
                          .engagement = engagement->str,
                          .own = {.history = history, .history_length = strlen(history)}};
        MrgStateView view;
        g_test_message("%s", cases[i].engagement);
        g_assert_true(mrg_state_read(&view, &state, NULL, arena, &error));
        g_assert_cmpuint(mrg_cap_limit(&cap, &view, &candidate, NOW), ==, cases[i].limit);
        state.n_consents = 0; /* what we may not look at says nothing */
        g_assert_cmpuint(mrg_cap_limit(&cap, &view, &candidate, NOW), ==, 3);
    }
}

/* Whoever got none of this mail yet could not open it. */
static void
only_who_got_mail_is_found_idle(void)
{
    static const struct {
        const char *send; /* 20 days ago */
        guint limit;
    } cases[] = {{"promo c", 1},       {"transactional c", 3},
                 {"promo c - - a", 3}, {"promo c - - h", 3},
                 {"news c", 1},        {"promo c a.example - s", 1}};
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgConsent profile = {"profile", GRANTED, 1, ""};
    MrgCap cap = CAP("week", 3, 7 * DAY, 0, NULL, DROP);
    cap.is_adaptive = cap.counts_attempts = TRUE;
    cap.limit_min = 1;
    cap.limit_max = 6;
    cap.adaptive_window_us = 30 * DAY;
    const MrgCandidate candidate = {.campaign = "c", .class_name = "promo"};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        MrgStateView view;
        g_autofree char *history =
            g_strdup_printf("%" G_GINT64_FORMAT " %s\n", NOW - 20 * DAY, cases[i].send);
        MrgState state = {.consents = &profile,
                          .n_consents = 1,
                          .own = {.history = history, .history_length = strlen(history)}};
        g_test_message("%s", cases[i].send);
        g_assert_true(mrg_state_read(&view, &state, NULL, arena, &error));
        g_assert_cmpuint(mrg_cap_limit(&cap, &view, &candidate, NOW), ==, cases[i].limit);
        g_assert_cmpuint(mrg_cap_limit(&cap, &view, &candidate, NOW - 6 * DAY), ==, 3);
    }
}

static void
a_domain_counts_for_everybody(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    static const MrgScope scopes[] = {MRG_SCOPE_DOMAIN};
    MrgCap cap = CAP("domain", 1, DAY, 0, NULL, DROP);
    cap.scope = MRG_SCOPE_DOMAIN;
    MrgPolicy policy = {.caps = &cap, .n_caps = 1, .consent_default = GRANTED};
    g_autofree char *history =
        g_strdup_printf("%" G_GINT64_FORMAT " promo c\n", NOW - HOUR);
    MrgState state = {.own.history = "", .n_shared = 1};
    state.shared[0].history = history;
    state.shared[0].history_length = strlen(history);
    MrgStateView view;
    MrgDecision decision;
    const MrgCandidate candidate = {.campaign = "c", .class_name = "promo"};
    g_assert_true(mrg_state_read(&view, &state, scopes, arena, &error));
    mrg_decide(&policy, &view, &candidate, NOW, arena, &decision);
    g_assert_cmpstr(decision.reason, ==, "cap: domain (1 of 1 in 24h)");
    cap.scope = MRG_SCOPE_HOUSEHOLD; /* has none: a household of one */
    mrg_decide(&policy, &view, &candidate, NOW, arena, &decision);
    g_assert_cmpint(decision.verdict, ==, DELIVER);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/policy/decide/table", every_case_of_the_table);
    g_test_add_func("/policy/decide/tracking", tracking_needs_a_record);
    g_test_add_func("/policy/calendar", a_rolling_day_has_no_hole_at_midnight);
    g_test_add_func("/policy/wall", a_wall_time_in_a_gap_is_the_first_instant_after);
    g_test_add_func("/policy/quiet", quiet_hours_hold_until_they_end);
    g_test_add_func("/policy/pause", displeasure_pauses_everything_else);
    g_test_add_func("/policy/lists", lists_and_wishes_count);
    g_test_add_func("/policy/patterns", patterns_fit_the_whole_of_a_text);
    g_test_add_func("/policy/adaptive", a_limit_adapts_with_hysteresis);
    g_test_add_func("/policy/idle", only_who_got_mail_is_found_idle);
    g_test_add_func("/policy/scope", a_domain_counts_for_everybody);
    return g_test_run();
}
