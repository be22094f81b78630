/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of the copies that somebody got, and that it is enough for every rule. */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/policy/history.h"

#define HOUR G_GINT64_CONSTANT(3600000000)
#define DAY (24 * HOUR)
#define NOW (1000 * DAY)
#define GRANTED MRG_CONSENT_GRANTED
#define CAP(name_, limit_, per_, gap_, classes_, verdict_)                  \
    {                                                                       \
        .name = name_, .limit = limit_, .per_us = per_, .min_gap_us = gap_, \
        .classes = classes_, .on_exceed = verdict_                          \
    }
#define ONLY(name) ((const char *const[]){name, NULL})
#define DELIVER MRG_VERDICT_DELIVER
#define DROP MRG_VERDICT_DROP

static gboolean
read_history(const char *text, gsize length, MrgStateView *view, MrgArena *arena,
             GError **error)
{
    MrgState *state = mrg_arena_array(arena, MrgState, 1);
    state->own.history = text;
    state->own.history_length = length;
    return mrg_state_read(view, state, NULL, arena, error);
}

/* What is appended under a rule that looks so far back. */
static const char *
append(const MrgSends *sends, const MrgSend *send, gint64 now_us, gint64 horizon_us,
       MrgArena *arena)
{
    g_autoptr(GError) error = NULL;
    const MrgCap cap = {.limit = MRG_UNLIMITED, .per_us = horizon_us};
    const MrgPolicy policy = {.caps = &cap, .n_caps = 1};
    const char *text = mrg_history_append(sends, send, &policy, now_us, arena, &error);
    g_assert_no_error(error);
    return text;
}

static void
history_reads_back(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    MrgStateView view;
    const char *text = "5 promo spring\n5 news A.b-c_9\n900719925474099 transactional x\n";
    g_assert_true(read_history(text, strlen(text), &view, arena, &error));
    g_assert_cmpuint(view.own.n, ==, 3);
    g_assert_cmpint(view.own.list[2].at_us, ==, G_GINT64_CONSTANT(900719925474099));
    g_assert_cmpstr(view.own.list[1].class_name, ==, "news");
    g_assert_cmpstr(view.own.list[1].campaign, ==, "A.b-c_9");

    MrgSend send = {
        .at_us = view.own.list[2].at_us + 1, .class_name = "promo", .campaign = "autumn"};
    text = append(&view.own, &send, 0, DAY * 99999, arena);
    g_assert_cmpstr(text, ==,
                    "5 promo spring\n5 news A.b-c_9\n900719925474099 transactional x\n"
                    "900719925474100 promo autumn\n");
    g_assert_true(read_history("", 0, &view, arena, &error));
    g_assert_cmpuint(view.own.n, ==, 0);
}

static void
malformed_history_is_refused(void)
{
    static const char *const faults[] = {
        "\n",
        "5\n",
        "5 promo\n",
        "5 promo spring",
        "5 promo spring \n",
        " 5 promo spring\n",
        "5  promo spring\n",
        "-5 promo spring\n",
        "x promo spring\n",
        "5 pro\tmo spring\n",
        "5 promo spring\n4 promo spring\n",
        "5 promo spring\n\n",
        "5 promo spring\nrest",
        "1234567890123456789 promo spring\n",
        "5 promo spr\xc3\xbcng\n",
        "5 promo \n",
        "5 promo 12345678901234567890123456789012345678901234567890123456789012345\n",
    };
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgStateView view;
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *exact = g_memdup2(faults[i], strlen(faults[i]));
        g_test_message("case %u", (guint) i);
        g_assert_false(read_history(exact, strlen(faults[i]), &view, arena, &error));
        g_assert_error(error, MRG_ERROR, MRG_ERROR_HISTORY);
    }
    g_autoptr(GError) error = NULL;
    g_assert_false(read_history("5 pro\0mo spring\n", 16, &view, arena, &error));
}

static void
history_is_bounded(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    MrgStateView view;
    const char *text = "";
    for (gint64 i = 0; i < MRG_HISTORY_MAX + 10; i++) {
        g_assert_true(read_history(text, strlen(text), &view, arena, &error));
        MrgSend send = {.at_us = i, .class_name = "promo", .campaign = "spring"};
        text = append(&view.own, &send, i, DAY, arena);
    }
    g_assert_true(read_history(text, strlen(text), &view, arena, &error));
    g_assert_cmpuint(view.own.n, ==, MRG_HISTORY_MAX);
    g_assert_cmpint(view.own.list[0].at_us, ==, 10);

    g_autofree char *long_text = g_strconcat("0 promo spring\n", text, NULL);
    g_assert_false(read_history(long_text, strlen(long_text), &view, arena, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_HISTORY);
}

static void
history_forgets_beyond_the_horizon(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    MrgStateView view;
    MrgSend send = {.at_us = 105, .class_name = "b", .campaign = "y"};
    g_assert_true(read_history("5 a x\n6 a x\n", 12, &view, arena, &error));
    g_assert_cmpstr(append(&view.own, &send, send.at_us, 100, arena), ==,
                    "6 a x\n105 b y\n");
    send.at_us = 3; /* the clock went back */
    g_assert_cmpstr(append(&view.own, &send, send.at_us, 100, arena), ==,
                    "5 a x\n6 a x\n6 b y\n");
}

static void
horizon_is_the_longest_window(void)
{
    MrgCap caps[] = {CAP("a", 1, DAY, 0, NULL, DROP),
                     CAP("b", 1, HOUR, 3 * DAY, NULL, DROP),
                     CAP("c", 1, 2 * DAY, 0, NULL, DROP)};
    MrgPolicy policy = {.caps = caps, .n_caps = 3};
    g_assert_cmpint(mrg_policy_horizon_us(&policy), ==, 3 * DAY);
    policy.n_caps = 0;
    g_assert_cmpint(mrg_policy_horizon_us(&policy), ==, 0);
    /* Somebody may wish for one mail a month. */
    policy.has_wishes = TRUE;
    g_assert_cmpint(mrg_policy_horizon_us(&policy), ==, 30 * DAY);
}

static MrgVerdict
verdict_on(const char *history, const MrgPolicy *policy, const MrgCandidate *candidate,
           MrgArena *arena)
{
    g_autoptr(GError) error = NULL;
    MrgStateView view;
    MrgDecision decision;
    read_history(history, strlen(history), &view, arena, &error);
    g_assert_no_error(error);
    mrg_decide(policy, &view, candidate, NOW, arena, &decision);
    return decision.verdict;
}

/* Appends so many copies, a microsecond apart, and reads all again each time. */
static const char *
append_many(const char *history, const MrgPolicy *policy, MrgSend send, guint n,
            MrgArena *arena)
{
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < n; i++, send.at_us++) {
        MrgStateView view;
        g_assert_true(read_history(history, strlen(history), &view, arena, &error));
        history = mrg_history_append(&view.own, &send, policy, NOW, arena, &error);
        g_assert_no_error(error);
    }
    return history;
}

static void
a_full_history_keeps_what_rules_look_at(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    const MrgCap caps[] = {CAP("week", 3, 7 * DAY, 0, NULL, DROP),
                           {.name = "tried",
                            .limit = 200,
                            .per_us = DAY,
                            .classes = ONLY("promo"),
                            .counts_attempts = TRUE,
                            .on_exceed = MRG_VERDICT_REJECT}};
    MrgPolicy policy = {.caps = caps, .n_caps = 2, .consent_default = GRANTED};
    const MrgCandidate candidate = {.campaign = "c", .class_name = "promo"};
    MrgSend send = {.at_us = NOW - DAY, .class_name = "promo", .campaign = "c"};
    const char *history = append_many("", &policy, send, 3, arena);
    send.at_us = NOW - HOUR;
    send.class_name = "transactional";
    history = append_many(history, &policy, send, MRG_HISTORY_MAX, arena);
    g_assert_cmpint(verdict_on(history, &policy, &candidate, arena), ==, DROP);
    send.class_name = "promo";
    send.kind = MRG_SEND_ATTEMPTED;
    history = append_many(history, &policy, send, MRG_HISTORY_MAX, arena);
    g_assert_cmpint(verdict_on(history, &policy, &candidate, arena), ==, DROP);
    policy.caps++; /* the other one is exact too */
    policy.n_caps--;
    g_assert_cmpint(verdict_on(history, &policy, &candidate, arena), ==,
                    MRG_VERDICT_REJECT);
}

static void
a_full_history_of_held_copies_takes_no_more(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    const MrgCap cap = CAP("hour", 1, HOUR, 0, NULL, MRG_VERDICT_HOLD);
    const MrgPolicy policy = {.caps = &cap, .n_caps = 1, .consent_default = GRANTED};
    MrgSend send = {
        .at_us = NOW, .class_name = "promo", .campaign = "c", .kind = MRG_SEND_HELD};
    const char *history = append_many("", &policy, send, MRG_HISTORY_MAX, arena);
    MrgStateView view;
    g_assert_true(read_history(history, strlen(history), &view, arena, &error));
    g_assert_null(mrg_history_append(&view.own, &send, &policy, NOW, arena, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_HISTORY);
    /* One that goes out makes room for itself. */
    g_clear_error(&error);
    view.own.copy = &view.own.list[5];
    send.kind = MRG_SEND_SENT;
    g_assert_nonnull(mrg_history_append(&view.own, &send, &policy, NOW, arena, &error));
}

static void
a_wish_for_one_a_month_is_kept(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    const MrgValue monthly = mrg_value_cstring("monthly");
    MrgPolicy policy = {.has_wishes = TRUE, .consent_default = GRANTED};
    const MrgCandidate candidate = {.campaign = "c",
                                    .class_name = "promo",
                                    .preference = mrg_preference_read(&monthly)};
    MrgSend send = {.at_us = NOW - 29 * DAY, .class_name = "promo", .campaign = "c"};
    const char *history = append_many("", &policy, send, 1, arena);
    send.at_us = NOW - DAY;
    send.class_name = "transactional";
    history = append_many(history, &policy, send, MRG_HISTORY_MAX, arena);
    g_assert_cmpint(verdict_on(history, &policy, &candidate, arena), ==, DROP);
}

/* ---- what the history says of a copy ---------------------------------------- */

static void
history_keeps_what_a_copy_was(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    MrgStateView view;
    const char *text = "5 promo spring shop.example sale,new h\n";
    const MrgSend plain = {.at_us = 3, .class_name = "news", .campaign = "x"};
    const MrgSend tried = {.at_us = 4,
                           .class_name = "a",
                           .campaign = "b",
                           .tags = "t",
                           .kind = MRG_SEND_ATTEMPTED};
    g_assert_true(read_history(text, strlen(text), &view, arena, &error));
    g_assert_cmpstr(view.own.list[0].sender, ==, "shop.example");
    g_assert_cmpstr(view.own.list[0].tags, ==, "sale,new");
    g_assert_cmpint(view.own.list[0].kind, ==, MRG_SEND_HELD);
    /* What goes out before a held copy stands before it. */
    text = append(&view.own, &plain, 3, DAY, arena);
    g_assert_cmpstr(text, ==, "3 news x\n5 promo spring shop.example sale,new h\n");
    g_assert_true(read_history(text, strlen(text), &view, arena, &error));
    view.own.copy = &view.own.list[1];
    text = append(&view.own, &tried, 4, DAY, arena);
    g_assert_cmpstr(text, ==, "3 news x\n4 a b - t a\n");
}

/* Held in the evening for the household's cap, and for the domain's. */
static void
a_held_copy_does_not_count_against_itself(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    static const MrgScope scopes[] = {MRG_SCOPE_DOMAIN, MRG_SCOPE_HOUSEHOLD};
    MrgCap caps[] = {CAP("domain", 2, DAY, HOUR, NULL, MRG_VERDICT_HOLD),
                     CAP("house", 1, DAY, 0, NULL, MRG_VERDICT_HOLD),
                     CAP("own", 1, DAY, 0, NULL, MRG_VERDICT_HOLD)};
    caps[0].scope = MRG_SCOPE_DOMAIN;
    caps[1].scope = MRG_SCOPE_HOUSEHOLD;
    MrgPolicy policy = {.caps = caps, .n_caps = 3, .consent_default = GRANTED};
    g_autofree char *history = g_strdup_printf("%" G_GINT64_FORMAT " promo c - - h\n", NOW);
    /* Another one of the campaign, too. */
    g_autofree char *domain =
        g_strdup_printf("%" G_GINT64_FORMAT " promo c - - h\n%s", NOW - 2 * HOUR, history);
    MrgState state = {.own = {.history = history, .history_length = strlen(history)},
                      .shared = {{.history = domain, .history_length = strlen(domain)},
                                 {.history = history, .history_length = strlen(history)}},
                      .n_shared = 2};
    MrgHold hold = {.campaign = "c", .class_name = "promo", .until_us = NOW};
    MrgStateView view;
    MrgDecision decision;
    const MrgCandidate candidate = {.campaign = "c", .class_name = "promo"};
    g_assert_true(mrg_state_read(&view, &state, scopes, arena, &error));
    mrg_decide(&policy, &view, &candidate, NOW, arena, &decision);
    g_assert_cmpint(decision.verdict, ==, MRG_VERDICT_HOLD);
    mrg_state_find_copy(&view, &hold);
    mrg_decide(&policy, &view, &candidate, NOW, arena, &decision);
    g_assert_cmpint(decision.verdict, ==, DELIVER);
    g_assert_true(view.shared[0].copy == &view.shared[0].list[1]);
    hold.until_us = NOW - HOUR; /* that is none of them */
    mrg_state_find_copy(&view, &hold);
    g_assert_null(view.own.copy);
    hold.until_us = 0; /* held for somebody, at NOW, and came again since */
    hold.at_us = NOW + HOUR;
    mrg_state_find_copy(&view, &hold);
    g_assert_nonnull(view.own.copy);
    hold.class_name = "news";
    mrg_state_find_copy(&view, &hold);
    g_assert_null(view.own.copy);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/history/reads-back", history_reads_back);
    g_test_add_func("/history/malformed", malformed_history_is_refused);
    g_test_add_func("/history/bounded", history_is_bounded);
    g_test_add_func("/history/horizon", history_forgets_beyond_the_horizon);
    g_test_add_func("/history/words", history_keeps_what_a_copy_was);
    g_test_add_func("/history/longest-window", horizon_is_the_longest_window);
    g_test_add_func("/history/full", a_full_history_keeps_what_rules_look_at);
    g_test_add_func("/history/full-of-held", a_full_history_of_held_copies_takes_no_more);
    g_test_add_func("/history/wish", a_wish_for_one_a_month_is_kept);
    g_test_add_func("/history/held", a_held_copy_does_not_count_against_itself);
    return g_test_run();
}
