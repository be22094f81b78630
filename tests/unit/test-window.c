/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Days, weeks, months and quiet hours where clocks are changed: at midnight, by half an
 * hour, by a day.  What the walls show is compared with GDateTime.
 */
#include "config.h"

#include "milter/policy/quiet.h"

#define MINUTE_US (G_GINT64_CONSTANT(60) * G_USEC_PER_SEC)
#define HOUR_US (60 * MINUTE_US)

/* "2026-03-29T01:00" UTC */
static gint64
instant(const char *text)
{
    g_autofree char *full = g_strconcat(text, ":00Z", NULL);
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(full, NULL);
    g_assert_nonnull(time);
    return g_date_time_to_unix(time) * G_USEC_PER_SEC;
}

static void
assert_instant(gint64 at_us, const char *expected)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(at_us / G_USEC_PER_SEC);
    g_autofree char *text = g_date_time_format(time, "%Y-%m-%dT%H:%M");
    g_assert_cmpstr(text, ==, expected);
}

/* ---- periods ------------------------------------------------------------- */

static void
periods_begin_where_the_calendar_says(void)
{
    static const struct {
        const char *zone;
        MrgPeriod period;
        const char *at, *start, *next;
    } cases[] = {
        /* 23 and 25 hours */
        {"Europe/Oslo", MRG_PERIOD_DAY, "2026-03-29T12:00", "2026-03-28T23:00",
         "2026-03-29T22:00"},
        {"Europe/Oslo", MRG_PERIOD_DAY, "2026-10-25T12:00", "2026-10-24T22:00",
         "2026-10-25T23:00"},
        {"Europe/Oslo", MRG_PERIOD_WEEK, "2026-03-29T21:59", "2026-03-22T23:00",
         "2026-03-29T22:00"},
        {"Europe/Oslo", MRG_PERIOD_MONTH, "2026-03-31T22:00", "2026-03-31T22:00",
         "2026-04-30T22:00"},
        {"Europe/Oslo", MRG_PERIOD_MONTH, "2026-12-31T22:59", "2026-11-30T23:00",
         "2026-12-31T23:00"},
        /* Midnight is left out: the day begins at one o'clock. */
        {"America/Havana", MRG_PERIOD_DAY, "2026-03-08T05:00", "2026-03-08T05:00",
         "2026-03-09T04:00"},
        {"America/Havana", MRG_PERIOD_DAY, "2026-03-08T04:59", "2026-03-07T05:00",
         "2026-03-08T05:00"},
        /* Midnight comes, and half past twelve comes twice. */
        {"America/Havana", MRG_PERIOD_DAY, "2026-11-01T05:30", "2026-11-01T04:00",
         "2026-11-02T05:00"},
        /* At midnight it is eleven again: that hour belongs to the old day both times. */
        {"Africa/Cairo", MRG_PERIOD_DAY, "2026-10-29T21:30", "2026-10-28T21:00",
         "2026-10-29T22:00"},
        {"Africa/Cairo", MRG_PERIOD_DAY, "2026-10-29T20:30", "2026-10-28T21:00",
         "2026-10-29T22:00"},
        /* Half an hour */
        {"Australia/Lord_Howe", MRG_PERIOD_DAY, "2026-04-05T12:00", "2026-04-04T13:00",
         "2026-04-05T13:30"},
        /* 30 December 2011 was left out. */
        {"Pacific/Apia", MRG_PERIOD_DAY, "2011-12-30T09:00", "2011-12-29T10:00",
         "2011-12-30T10:00"},
        {"Pacific/Apia", MRG_PERIOD_DAY, "2011-12-30T10:00", "2011-12-30T10:00",
         "2011-12-31T10:00"},
        {"UTC", MRG_PERIOD_MONTH, "2028-02-29T23:59", "2028-02-01T00:00",
         "2028-03-01T00:00"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const MrgZone *zone = mrg_zone_find(cases[i].zone, NULL);
        gint64 at_us = instant(cases[i].at);
        g_test_message("%s at %s", cases[i].zone, cases[i].at);
        assert_instant(mrg_period_start(cases[i].period, zone, at_us), cases[i].start);
        assert_instant(mrg_period_next(cases[i].period, zone, at_us), cases[i].next);
    }
}

static void
periods_follow_one_another(void)
{
    static const char *const names[] = {
        "UTC",          "Europe/Oslo",       "America/Havana",      "Africa/Cairo",
        "Asia/Beirut",  "America/Santiago",  "Australia/Lord_Howe", "Asia/Kathmandu",
        "America/Nuuk", "Pacific/Kiritimati"};
    gint64 from_us = instant("2026-01-01T00:00"), to_us = instant("2027-01-01T00:00");
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const MrgZone *zone = mrg_zone_find(names[i], NULL);
        g_autoptr(GTimeZone) theirs = g_time_zone_new_identifier(names[i]);
        g_test_message("%s", names[i]);
        for (gint64 at_us = from_us; at_us < to_us; at_us += 30 * MINUTE_US) {
            gint64 day_us = mrg_period_start(MRG_PERIOD_DAY, zone, at_us);
            gint64 next_us = mrg_period_next(MRG_PERIOD_DAY, zone, at_us);
            gint64 wall_s = mrg_zone_wall(zone, at_us);
            g_autoptr(GDateTime) utc =
                g_date_time_new_from_unix_utc(at_us / G_USEC_PER_SEC);
            g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, theirs);
            g_assert_cmpint(wall_s % MRG_DAY_S / 60, ==,
                            g_date_time_get_hour(local) * 60 +
                                g_date_time_get_minute(local));
            g_assert_cmpuint(mrg_weekday(wall_s) + 1, ==,
                             (guint) g_date_time_get_day_of_week(local));
            g_assert_cmpint(day_us, <=, at_us);
            g_assert_cmpint(next_us, >, at_us);
            g_assert_cmpint(mrg_period_start(MRG_PERIOD_DAY, zone, next_us), ==, next_us);
            g_assert_cmpint(mrg_period_start(MRG_PERIOD_DAY, zone, next_us - 1), ==,
                            day_us);
            g_assert_cmpint(mrg_zone_instant(zone, wall_s), <=, at_us);
            g_assert_cmpint(mrg_zone_wall(zone, mrg_zone_instant(zone, wall_s)), ==,
                            wall_s);
        }
    }
}

/* ---- quiet hours --------------------------------------------------------- */

static void
quiet_hours_end_where_the_clock_says(void)
{
    static const struct {
        const char *zone, *from, *to, *at;
        const char *until; /* NULL: not quiet */
    } cases[] = {
        {"Europe/Oslo", "21:00", "08:00", "2026-01-10T19:59", NULL},
        {"Europe/Oslo", "21:00", "08:00", "2026-01-10T20:00", "2026-01-11T07:00"},
        {"Europe/Oslo", "21:00", "08:00", "2026-01-11T06:59", "2026-01-11T07:00"},
        {"Europe/Oslo", "21:00", "08:00", "2026-01-11T07:00", NULL},
        /* Over either change: 10 hours and 12. */
        {"Europe/Oslo", "21:00", "08:00", "2026-03-28T20:00", "2026-03-29T06:00"},
        {"Europe/Oslo", "21:00", "08:00", "2026-10-24T19:00", "2026-10-25T07:00"},
        /* 02:30 does not come: it ends, or begins, at three. */
        {"Europe/Oslo", "22:00", "02:30", "2026-03-29T00:59", "2026-03-29T01:00"},
        {"Europe/Oslo", "22:00", "02:30", "2026-03-29T01:00", NULL},
        {"Europe/Oslo", "02:30", "06:00", "2026-03-29T00:59", NULL},
        {"Europe/Oslo", "02:30", "06:00", "2026-03-29T01:00", "2026-03-29T04:00"},
        /* All of it is left out. */
        {"Europe/Oslo", "02:10", "02:50", "2026-03-29T01:00", NULL},
        /* 02:30 comes twice: the first one counts, for its end and for its beginning. */
        {"Europe/Oslo", "22:00", "02:30", "2026-10-25T00:29", "2026-10-25T00:30"},
        {"Europe/Oslo", "22:00", "02:30", "2026-10-25T01:10", NULL},
        {"Europe/Oslo", "02:30", "06:00", "2026-10-25T00:10", NULL},
        {"Europe/Oslo", "02:30", "06:00", "2026-10-25T00:30", "2026-10-25T05:00"},
        {"Europe/Oslo", "02:30", "06:00", "2026-10-25T01:10", "2026-10-25T05:00"},
        /* Midnight is left out, or comes late. */
        {"America/Havana", "20:00", "00:00", "2026-03-08T04:59", "2026-03-08T05:00"},
        {"America/Havana", "00:00", "08:00", "2026-03-08T05:00", "2026-03-08T12:00"},
        {"Africa/Cairo", "22:00", "00:00", "2026-10-29T21:30", "2026-10-29T22:00"},
        {"Africa/Cairo", "24:00", "06:00", "2026-10-29T21:59", NULL},
        {"Africa/Cairo", "24:00", "06:00", "2026-10-29T22:00", "2026-10-30T04:00"},
        {"UTC", "00:00", "24:00", "2026-05-05T10:00", "2026-05-06T00:00"},
        {"UTC", "10:00", "10:00", "2026-05-05T09:59", "2026-05-05T10:00"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        MrgQuiet quiet = {.name = "q", .days = 0x7f};
        const MrgPolicy policy = {.quiets = &quiet, .n_quiets = 1};
        const MrgCandidate candidate = {.class_name = "promo",
                                        .zone = mrg_zone_find(cases[i].zone, NULL)};
        gint64 until_us;
        g_assert_true(mrg_clock_time_parse(cases[i].from, &quiet.from_s));
        g_assert_true(mrg_clock_time_parse(cases[i].to, &quiet.to_s));
        g_test_message("%s to %s in %s at %s", cases[i].from, cases[i].to, cases[i].zone,
                       cases[i].at);
        gboolean is_quiet =
            mrg_quiet_at(&policy, &candidate, instant(cases[i].at), &until_us) != NULL;
        g_assert_cmpint(is_quiet, ==, cases[i].until != NULL);
        if (is_quiet)
            assert_instant(until_us, cases[i].until);
    }
}

/* A stretch belongs to the day on which it begins. */
static void
quiet_days_are_those_of_the_beginning(void)
{
    const MrgQuiet quiet = {
        .name = "weekend", .from_s = 22 * 3600, .to_s = 7 * 3600, .days = 1 << 4};
    const MrgPolicy policy = {.quiets = &quiet, .n_quiets = 1};
    const MrgCandidate candidate = {.class_name = "promo"};
    gint64 until_us;
    /* 2026-05-08 is a Friday. */
    g_assert_nonnull(
        mrg_quiet_at(&policy, &candidate, instant("2026-05-09T06:59"), &until_us));
    g_assert_null(
        mrg_quiet_at(&policy, &candidate, instant("2026-05-08T06:59"), &until_us));
    g_assert_null(
        mrg_quiet_at(&policy, &candidate, instant("2026-05-09T22:00"), &until_us));
}

/* ---- putting off --------------------------------------------------------- */

typedef struct Late {
    const char *what;
    MrgCap cap;
    const char *sends; /* "h" held, "s" sent, "a" withheld, at UTC; comma between */
    const char *send_at;
    const char *now;
    MrgVerdict verdict;
    const char *retry; /* NULL: none */
} Late;

#define HOLD MRG_VERDICT_HOLD
#define DELIVER MRG_VERDICT_DELIVER
#define DROP MRG_VERDICT_DROP
#define ONE_A_DAY                                                            \
    {                                                                        \
        .name = "c", .limit = 1, .period = MRG_PERIOD_DAY, .on_exceed = HOLD \
    }
#define GAP_6H                                                                            \
    {                                                                                     \
        .name = "c", .limit = MRG_UNLIMITED, .min_gap_us = 6 * HOUR_US, .on_exceed = HOLD \
    }
#define ROLLING                                                            \
    {                                                                      \
        .name = "c", .limit = 1, .per_us = 24 * HOUR_US, .on_exceed = HOLD \
    }

/* All in Oslo, quiet from 21:00 to 08:00. */
/* clang-format off */
static const Late lates[] = {
    {"nothing in the way", ONE_A_DAY, "", NULL, "2026-03-28T12:00", DELIVER, NULL},
    {"a time that is past is now", ONE_A_DAY, "", "2026-03-01T12:00", "2026-03-28T12:00", DELIVER, NULL},
    {"until the morning of a short night", ONE_A_DAY, "", NULL, "2026-03-28T20:30", HOLD, "2026-03-29T06:00"},
    {"the day's copy went, tomorrow is free: after quiet hours", ONE_A_DAY, "s2026-03-28T10:00", NULL, "2026-03-28T12:00", HOLD, "2026-03-29T06:00"},
    {"tomorrow's is held already: the day after", ONE_A_DAY, "s2026-03-28T10:00,h2026-03-29T06:00", NULL, "2026-03-28T12:00", HOLD, "2026-03-30T06:00"},
    {"what is held for tomorrow does not count today", ONE_A_DAY, "h2026-03-29T06:00", NULL, "2026-03-28T12:00", DELIVER, NULL},
    {"what a clock ahead sent counts until then", ONE_A_DAY, "s2026-03-30T10:00", NULL, "2026-03-28T12:00", HOLD, "2026-03-31T06:00"},
    {"what a clock ahead withheld does not", ONE_A_DAY, "a2026-03-30T10:00", NULL, "2026-03-28T12:00", DELIVER, NULL},
    {"to a day that has its copy", ONE_A_DAY, "h2026-04-02T06:00", "2026-04-02T12:00", "2026-03-28T12:00", HOLD, "2026-04-03T06:00"},
    {"a gap before what is held", GAP_6H, "h2026-03-28T17:00", NULL, "2026-03-28T12:00", HOLD, "2026-03-29T06:00"},
    {"a gap just long enough before what is held", GAP_6H, "h2026-03-28T18:00", NULL, "2026-03-28T12:00", DELIVER, NULL},
    {"a gap behind what is held", GAP_6H, "h2026-03-28T08:00", NULL, "2026-03-28T12:00", HOLD, "2026-03-28T14:00"},
    {"between two that are held", GAP_6H, "h2026-03-28T08:00,h2026-03-28T19:59", NULL, "2026-03-28T12:00", HOLD, "2026-03-29T06:00"},
    {"just between two that are held", GAP_6H, "h2026-03-28T07:00,h2026-03-28T19:00", NULL, "2026-03-28T12:00", HOLD, "2026-03-28T13:00"},
    {"a rolling day does not end at midnight", ROLLING, "s2026-03-28T18:00", NULL, "2026-03-29T10:00", HOLD, "2026-03-29T18:00"},
    {"a rolling day before what is held", ROLLING, "h2026-03-29T11:59", NULL, "2026-03-28T12:00", HOLD, "2026-03-30T11:59"},
    {"a rolling day and what is held at its end", ROLLING, "h2026-03-29T12:00", NULL, "2026-03-28T12:00", DELIVER, NULL},
    {"held, and late: it counts where it is", ROLLING, "h2026-03-28T06:00", NULL, "2026-03-28T12:00", HOLD, "2026-03-29T06:00"},
};
/* clang-format on */

static void
copies_are_put_off_until_nothing_is_in_the_way(void)
{
    static const MrgState state = {0};
    static const MrgQuiet night = {
        .name = "night", .from_s = 21 * 3600, .to_s = 8 * 3600, .days = 0x7f};
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize i = 0; i < G_N_ELEMENTS(lates); i++) {
        const Late *late = &lates[i];
        MrgSend sends[4] = {{0}};
        gsize n = 0;
        g_auto(GStrv) words = g_strsplit(late->sends, ",", -1);
        for (char **word = words; *word; word++)
            sends[n++] = (MrgSend){.at_us = instant(*word + 1),
                                   .class_name = "promo",
                                   .campaign = "c",
                                   .kind = **word == 'h'   ? MRG_SEND_HELD
                                           : **word == 'a' ? MRG_SEND_ATTEMPTED
                                                           : MRG_SEND_SENT};
        const MrgPolicy policy = {.caps = &late->cap,
                                  .n_caps = 1,
                                  .quiets = &night,
                                  .n_quiets = 1,
                                  .consent_default = MRG_CONSENT_GRANTED};
        const MrgStateView view = {.state = &state, .own = {.list = sends, .n = n}};
        const MrgCandidate candidate = {.campaign = "c",
                                        .class_name = "promo",
                                        .zone = mrg_zone_find("Europe/Oslo", NULL),
                                        .send_at_us =
                                            late->send_at ? instant(late->send_at) : 0};
        MrgDecision decision;
        g_test_message("%s", late->what);
        mrg_decide(&policy, &view, &candidate, instant(late->now), arena, &decision);
        g_assert_cmpint(decision.verdict, ==, late->verdict);
        if (late->retry)
            assert_instant(decision.retry_at_us, late->retry);
        else
            g_assert_cmpint(decision.retry_at_us, ==, 0);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/window/periods", periods_begin_where_the_calendar_says);
    g_test_add_func("/window/follow", periods_follow_one_another);
    g_test_add_func("/window/quiet", quiet_hours_end_where_the_clock_says);
    g_test_add_func("/window/quiet-days", quiet_days_are_those_of_the_beginning);
    g_test_add_func("/window/put-off", copies_are_put_off_until_nothing_is_in_the_way);
    return g_test_run();
}
