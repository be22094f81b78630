/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of stores: copies in the hold queue. */
#include "config.h"

#include <string.h>

#include "tests/unit/store-fixture.h"

static MrgOutcome
held(guint who, guint what, guint64 version, gint64 until_us)
{
    MrgOutcome made = outcome(who, what, version, "held");
    made.event.verdict = MRG_VERDICT_HOLD;
    made.event.at_us = what;
    made.event.reason = "quiet: until morning";
    made.host = "mx1.example";
    made.queue_id = "4ABCDEF";
    made.until_us = until_us;
    return made;
}

static MrgHold
hold_at(guint who, guint what, gint64 until_us, const char *host, const char *queue_id)
{
    MrgOutcome made = held(who, what, 0, until_us);
    made.host = host;
    made.queue_id = queue_id;
    return mrg_outcome_hold(&made);
}

static void
hold(const Fixture *fixture, guint who, guint what, gint64 until_us)
{
    MrgOutcome made = held(who, what, load(fixture, who, what).own.version, until_us);
    g_assert_cmpint(commit(fixture, &made), ==, MRG_COMMIT_DONE);
}

static MrgCommit
settle(const Fixture *fixture, const MrgOutcome *what)
{
    g_autoptr(GError) error = NULL;
    MrgCommit result = mrg_store_settle_hold(fixture->store, what, &error);
    g_assert_no_error(error);
    return result;
}

static MrgOutcome
settled(const Fixture *fixture, guint who, guint what, MrgVerdict verdict)
{
    MrgOutcome made = outcome(who, what, load(fixture, who, what).own.version, NULL);
    made.event.verdict = verdict;
    made.event.reason = "release: due";
    return made;
}

static void
assert_holds(const Fixture *fixture, const char *host, const char *campaign, gint64 due_us,
             const char *expected)
{
    g_autofree char *is = holds_text(fixture, host, campaign, due_us);
    g_assert_cmpstr(is, ==, expected);
}

/* ---- recording ----------------------------------------------------------- */

static void
a_hold_is_recorded_with_its_place(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    hold(fixture, 1, 1, 500);
    MrgOutcome nowhere = held(2, 2, 0, 700);
    nowhere.host = nowhere.queue_id = NULL;
    g_assert_cmpint(commit(fixture, &nowhere), ==, MRG_COMMIT_DONE);
    MrgOutcome sent = held(3, 3, 0, 0);
    sent.event.verdict = MRG_VERDICT_DELIVER;
    g_assert_cmpint(commit(fixture, &sent), ==, MRG_COMMIT_DONE);
    assert_holds(fixture, NULL, NULL, G_MAXINT64,
                 "1 of 1: mx1.example 4ABCDEF spring promo 1-500\n");

    for (guint what = 1; what <= 2; what++) {
        MrgState again = load(fixture, what, what);
        g_assert_true(again.is_repeat);
        g_assert_cmpint(again.repeat_verdict, ==, MRG_VERDICT_HOLD);
        g_assert_cmpstr(again.repeat_reason, ==, "quiet: until morning");
        g_assert_cmpint(again.repeat_until_us, ==, what == 1 ? 500 : 700);
    }
}

static void
a_hold_moves_to_where_the_copy_is(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    hold(fixture, 1, 1, 500);
    guint64 version = load(fixture, 1, 1).own.version;
    MrgHold moved = hold_at(1, 1, 700, "mx2.example", "5XYZ");
    moved.at_us = 9;
    /* Twice: where it is already, nothing is left. */
    g_assert_true(mrg_store_move_hold(fixture->store, &moved, soon(), &error));
    g_assert_true(mrg_store_move_hold(fixture->store, &moved, soon(), &error));
    assert_holds(fixture, "mx2.example", NULL, G_MAXINT64,
                 "1 of 1: mx2.example 5XYZ spring promo 9-500\n");
    g_autofree char *left = holds_text(fixture, "mx1.example", NULL, 0);
    g_assert_cmpuint(strcspn(left, "\n"), ==, strlen(left) - 1);
    g_assert_true(
        g_str_has_suffix(left, " of 1: mx1.example 4ABCDEF spring promo 1-drop\n"));
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, version);

    MrgOutcome drop = settled(fixture, 1, 1, MRG_VERDICT_DROP);
    g_assert_cmpint(settle(fixture, &drop), ==, MRG_COMMIT_DONE);
    moved = hold_at(1, 1, 700, "mx3.example", "7");
    g_assert_true(mrg_store_move_hold(fixture->store, &moved, soon(), &error));
    assert_holds(fixture, "mx3.example", NULL, 0,
                 "1 of 1: mx3.example 7 spring promo 1-drop\n");
    g_autofree char *long_id = g_strnfill(65, '7');
    moved.queue_id = long_id;
    g_assert_false(mrg_store_move_hold(fixture->store, &moved, soon(), &error));
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
}

static void
a_copy_whose_hold_is_gone_is_held_anew(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    MrgHold again = hold_at(1, 1, 700, "mx2.example", "6");
    g_assert_true(mrg_store_move_hold(fixture->store, &again, soon(), &error));
    g_assert_no_error(error);
    assert_holds(fixture, NULL, NULL, G_MAXINT64,
                 "1 of 1: mx2.example 6 spring promo 1-700\n");
    MrgOutcome drop = settled(fixture, 1, 1, MRG_VERDICT_DROP);
    g_assert_cmpint(settle(fixture, &drop), ==, MRG_COMMIT_DONE);
}

static void
one_queue_id_may_serve_two_copies(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    hold(fixture, 1, 1, 500);
    hold(fixture, 1, 2, 0);
    assert_holds(fixture, NULL, NULL, G_MAXINT64,
                 "1 of 1: mx1.example 4ABCDEF spring promo 1-500\n"
                 "2 of 1: mx1.example 4ABCDEF spring promo 2-0\n");
}

/* ---- filters ------------------------------------------------------------- */

static void
holds_are_found_by_host_campaign_and_time(Fixture *fixture,
                                          gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome autumn = held(2, 2, 0, 900);
    autumn.host = "mx2.example";
    autumn.event.campaign = "autumn";
    hold(fixture, 1, 1, 500);
    g_assert_cmpint(commit(fixture, &autumn), ==, MRG_COMMIT_DONE);
    hold(fixture, 3, 3, 0);
    const char *first = "1 of 1: mx1.example 4ABCDEF spring promo 1-500\n";
    const char *second = "2 of 2: mx2.example 4ABCDEF autumn promo 2-900\n";
    g_autofree char *both = g_strconcat(first, second, NULL);
    assert_holds(fixture, NULL, NULL, 499, "");
    assert_holds(fixture, NULL, NULL, 500, first);
    assert_holds(fixture, NULL, NULL, G_MAXINT64 - 1, both);
    assert_holds(fixture, "mx2.example", NULL, G_MAXINT64, second);
    assert_holds(fixture, NULL, "autumn", G_MAXINT64, second);
    assert_holds(fixture, "mx1.example", "autumn", G_MAXINT64, "");
    assert_holds(fixture, "mx2.example", "autumn", 899, "");
    assert_holds(fixture, "mx%", NULL, G_MAXINT64, "");
}

static void
a_changed_person_makes_holds_due(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgEngagement click = {"click", 7};
    MrgProfile clicked = {.person = person(1), .engagements = &click, .n_engagements = 1};
    const char *line = "1 of 1: mx1.example 4ABCDEF spring promo 1-500\n";
    import_consent(fixture, MRG_CONSENT_GRANTED, 10);
    hold(fixture, 1, 1, 500);
    hold(fixture, 2, 2, 500);
    import(fixture, &clicked, 1);
    assert_holds(fixture, NULL, NULL, 1, "");
    import_consent(fixture, MRG_CONSENT_DENIED, 20);
    assert_holds(fixture, NULL, NULL, 1, line);

    MrgOutcome again = settled(fixture, 1, 1, MRG_VERDICT_HOLD);
    again.until_us = 500;
    g_assert_cmpint(settle(fixture, &again), ==, MRG_COMMIT_DONE);
    assert_holds(fixture, NULL, NULL, 1, "");
    import_suppression(fixture, "all", "unsubscribed", 0);
    assert_holds(fixture, NULL, NULL, 1, line);
    hold(fixture, 1, 3, 600);
    assert_holds(fixture, NULL, NULL, 1, line);
}

static void
the_list_of_a_hold_is_kept(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    MrgOutcome weekly = held(1, 1, 0, 500);
    weekly.list = "weekly";
    g_assert_cmpint(commit(fixture, &weekly), ==, MRG_COMMIT_DONE);
    MrgHold gone = hold_at(2, 2, 600, "mx2.example", "4XYZ");
    gone.list = "autumn";
    g_assert_true(mrg_store_move_hold(fixture->store, &gone, soon(), &error));
    gone.list = "another"; /* which a copy cannot change */
    g_assert_true(mrg_store_move_hold(fixture->store, &gone, soon(), &error));
    assert_holds(fixture, NULL, NULL, G_MAXINT64,
                 "1 of 1: mx1.example 4ABCDEF spring promo 1-500 weekly\n"
                 "2 of 2: mx2.example 4XYZ spring promo 2-600 autumn\n");
}

/* ---- settling ------------------------------------------------------------ */

static void
a_hold_is_settled_once(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    hold(fixture, 1, 1, 500);
    MrgOutcome release = settled(fixture, 1, 1, MRG_VERDICT_DELIVER);
    MrgOutcome stale = release, stranger = release;
    stale.version--;
    stranger.person = person(2);
    stranger.version = 0;
    g_assert_cmpint(settle(fixture, &stale), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpint(settle(fixture, &stranger), ==, MRG_COMMIT_CONFLICT);
    release.history = "released";
    release.history_length = 8;
    g_assert_cmpint(settle(fixture, &release), ==, MRG_COMMIT_DONE);
    assert_holds(fixture, NULL, NULL, 0,
                 "1 of 1: mx1.example 4ABCDEF spring promo 1-deliver\n");
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpstr(state.own.history, ==, "released");
    g_assert_true(state.is_repeat);
    g_assert_cmpint(state.repeat_verdict, ==, MRG_VERDICT_DELIVER);
    g_assert_cmpstr(state.repeat_reason, ==, "release: due");
    g_autofree char *events = events_text(fixture, 1, 1);
    g_assert_nonnull(strstr(events, " deliver spring\n"));

    MrgOutcome again = settled(fixture, 1, 1, MRG_VERDICT_DELIVER);
    MrgOutcome hold_on = settled(fixture, 1, 1, MRG_VERDICT_HOLD);
    g_assert_cmpint(settle(fixture, &again), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpint(settle(fixture, &hold_on), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpint(commit(fixture, &again), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpint(load(fixture, 1, 1).repeat_verdict, ==, MRG_VERDICT_DELIVER);
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, state.own.version);
}

static void
a_release_can_be_withdrawn(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    hold(fixture, 1, 1, 500);
    MrgOutcome release = settled(fixture, 1, 1, MRG_VERDICT_DELIVER);
    g_assert_cmpint(settle(fixture, &release), ==, MRG_COMMIT_DONE);
    MrgOutcome drop = settled(fixture, 1, 1, MRG_VERDICT_DROP);
    MrgOutcome stale = drop, stranger = drop;
    drop.event.reason = "suppressed: unsubscribed";
    stale.version--;
    stranger.person = person(2);
    stranger.version = 0;
    g_assert_cmpint(settle(fixture, &stale), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpint(settle(fixture, &stranger), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpint(settle(fixture, &drop), ==, MRG_COMMIT_DONE);
    assert_holds(fixture, NULL, NULL, 0,
                 "1 of 1: mx1.example 4ABCDEF spring promo 1-drop\n");
    g_assert_cmpstr(load(fixture, 1, 1).repeat_reason, ==, "suppressed: unsubscribed");
    g_autofree char *events = events_text(fixture, 1, 1);
    g_assert_nonnull(strstr(events, " drop spring\n"));
    for (MrgVerdict verdict = MRG_VERDICT_DELIVER; verdict <= MRG_VERDICT_DROP; verdict++) {
        MrgOutcome late = settled(fixture, 1, 1, verdict);
        g_assert_cmpint(settle(fixture, &late), ==, MRG_COMMIT_CONFLICT);
    }
}

static void
a_hold_ends_and_may_end_again(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    const MrgMessageKey copies[] = {message(1), message(2), message(9)};
    hold(fixture, 1, 1, 500);
    hold(fixture, 2, 2, 500);
    hold(fixture, 3, 3, 500);
    MrgOutcome release = settled(fixture, 1, 1, MRG_VERDICT_DELIVER);
    g_assert_true(mrg_store_end_holds(fixture->store, NULL, 0, &error));
    for (guint i = 0; i < 2; i++) {
        g_assert_true(mrg_store_end_holds(fixture->store, copies, 3, &error));
        g_assert_no_error(error);
        assert_holds(fixture, NULL, NULL, G_MAXINT64,
                     "3 of 3: mx1.example 4ABCDEF spring promo 3-500\n");
    }
    g_assert_cmpint(settle(fixture, &release), ==, MRG_COMMIT_CONFLICT);
    g_assert_true(load(fixture, 1, 1).is_repeat);
}

static void
a_copy_can_be_held_again(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    hold(fixture, 1, 1, 500);
    MrgOutcome again = settled(fixture, 1, 1, MRG_VERDICT_HOLD);
    again.until_us = 900;
    g_assert_cmpint(settle(fixture, &again), ==, MRG_COMMIT_DONE);
    assert_holds(fixture, NULL, NULL, 899, "");
    assert_holds(fixture, NULL, NULL, 900,
                 "1 of 1: mx1.example 4ABCDEF spring promo 1-900\n");
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpint(state.repeat_verdict, ==, MRG_VERDICT_HOLD);
    g_assert_cmpint(state.repeat_until_us, ==, 900);
    g_assert_cmpstr(state.own.history, ==, "held");
    MrgOutcome drop = settled(fixture, 1, 1, MRG_VERDICT_DROP);
    g_assert_cmpint(settle(fixture, &drop), ==, MRG_COMMIT_DONE);
    assert_holds(fixture, NULL, NULL, 0,
                 "1 of 1: mx1.example 4ABCDEF spring promo 1-drop\n");
}

static gpointer
settle_in_thread(gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgState state = load_by(fixture->store, arena, 1, 1);
    MrgOutcome made = outcome(1, 1, state.own.version, NULL);
    return GINT_TO_POINTER(settle(fixture, &made));
}

static void
two_hosts_settle_a_hold_once(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    GThread *threads[8];
    guint n_done = 0;
    hold(fixture, 1, 1, 500);
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("settle", settle_in_thread, fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        n_done += GPOINTER_TO_INT(g_thread_join(threads[i])) == MRG_COMMIT_DONE;
    g_assert_cmpuint(n_done, ==, 1);
}

const Case store_holds[] = {
    {"hold/recorded", a_hold_is_recorded_with_its_place},
    {"hold/moved", a_hold_moves_to_where_the_copy_is},
    {"hold/anew", a_copy_whose_hold_is_gone_is_held_anew},
    {"hold/queue-id", one_queue_id_may_serve_two_copies},
    {"hold/filter", holds_are_found_by_host_campaign_and_time},
    {"hold/changed", a_changed_person_makes_holds_due},
    {"hold/list", the_list_of_a_hold_is_kept},
    {"hold/settled", a_hold_is_settled_once},
    {"hold/withdrawn", a_release_can_be_withdrawn},
    {"hold/ended", a_hold_ends_and_may_end_again},
    {"hold/again", a_copy_can_be_held_again},
    {"hold/threads", two_hosts_settle_a_hold_once},
    {NULL, NULL},
};
