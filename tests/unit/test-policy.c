/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/policy/decide.h"

#define HOUR G_GINT64_CONSTANT(3600000000)
#define DAY (24 * HOUR)
#define NOW (1000 * DAY)

/* ---- history ----------------------------------------------------------- */

static gboolean
read_history(const char *text, gsize length, MrgStateView *view, MrgArena *arena,
             GError **error)
{
    MrgState *state = mrg_arena_array(arena, MrgState, 1);
    state->own.history = text;
    state->own.history_length = length;
    return mrg_state_read(view, state, arena, error);
}

static void
history_reads_back(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    MrgStateView view;
    const char *text = "5 promo spring\n5 news A.b-c_9\n900719925474099 transactional x\n";
    g_assert_true(read_history(text, strlen(text), &view, arena, &error));
    g_assert_cmpuint(view.n_sends, ==, 3);
    g_assert_cmpint(view.sends[2].at_us, ==, G_GINT64_CONSTANT(900719925474099));
    g_assert_cmpstr(view.sends[1].class_name, ==, "news");
    g_assert_cmpstr(view.sends[1].campaign, ==, "A.b-c_9");

    gsize length;
    MrgSend send = {view.sends[2].at_us + 1, "promo", "autumn"};
    text = mrg_history_append(&view, &send, DAY * 99999, arena, &length);
    g_assert_cmpstr(text, ==,
                    "5 promo spring\n5 news A.b-c_9\n900719925474099 transactional x\n"
                    "900719925474100 promo autumn\n");
    g_assert_cmpuint(length, ==, strlen(text));
    g_assert_true(read_history("", 0, &view, arena, &error));
    g_assert_cmpuint(view.n_sends, ==, 0);
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
    gsize length = 0;
    for (gint64 i = 0; i < MRG_HISTORY_MAX + 10; i++) {
        g_assert_true(read_history(text, length, &view, arena, &error));
        MrgSend send = {i, "promo", "spring"};
        text = mrg_history_append(&view, &send, DAY, arena, &length);
    }
    g_assert_true(read_history(text, length, &view, arena, &error));
    g_assert_cmpuint(view.n_sends, ==, MRG_HISTORY_MAX);
    g_assert_cmpint(view.sends[0].at_us, ==, 10);

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
    gsize length;
    MrgSend send = {105, "b", "y"};
    g_assert_true(read_history("5 a x\n6 a x\n", 12, &view, arena, &error));
    g_assert_cmpstr(mrg_history_append(&view, &send, 100, arena, &length), ==,
                    "6 a x\n105 b y\n");
    send.at_us = 3; /* the clock went back */
    g_assert_cmpstr(mrg_history_append(&view, &send, 100, arena, &length), ==,
                    "5 a x\n6 a x\n6 b y\n");
}

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
#define DAILY                                      \
    {                                              \
        "daily", 1, DAY, 0, NULL, MRG_VERDICT_DROP \
    }
#define RECEIVE(state)              \
    {                               \
        "receive", state, 1, "form" \
    }
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
    {"limit 0 blocks", GRANTED, {{"none", 0, DAY, 0, NULL, MRG_VERDICT_REJECT}}, {0}, {0}, "", "promo", MRG_VERDICT_REJECT, "cap: none (0 of 0 in 24h)", 0},
    {"limit 0 never passes", GRANTED, {{"none", 0, DAY, HOUR, NULL, MRG_VERDICT_DEFER}}, {0}, {0}, "0h a", "promo", MRG_VERDICT_DEFER, "cap: none (1 of 0 in 24h)", 0},
    {"defer says when", GRANTED, {{"w", 2, 7 * DAY, 0, NULL, MRG_VERDICT_DEFER}}, {0}, {0}, "100h promo,50h promo,20h promo", "promo", MRG_VERDICT_DEFER, "cap: w (3 of 2 in 7d)", 118 * HOUR},
    {"hold says when", GRANTED, {{"w", 2, 7 * DAY, 0, NULL, MRG_VERDICT_HOLD}}, {0}, {0}, "100h promo,50h promo", "promo", MRG_VERDICT_HOLD, "cap: w (2 of 2 in 7d)", 68 * HOUR},
    {"min gap", GRANTED, {{"gap", 9, DAY, 6 * HOUR, NULL, MRG_VERDICT_DEFER}}, {0}, {0}, "5h promo", "promo", MRG_VERDICT_DEFER, "cap: gap (the last one under 6h ago)", HOUR},
    {"min gap is over at its end", GRANTED, {{"gap", 9, DAY, 6 * HOUR, NULL, DROP}}, {0}, {0}, "6h promo", "promo", DELIVER, OK, 0},
    {"min gap longer than the window", GRANTED, {{"gap", 1, HOUR, 6 * HOUR, NULL, DROP}}, {0}, {0}, "5h promo", "promo", DROP, "cap: gap (the last one under 6h ago)", 0},
    {"limit passes after the gap", GRANTED, {{"gap", 1, 2 * HOUR, 6 * HOUR, NULL, MRG_VERDICT_DEFER}}, {0}, {0}, "1h promo", "promo", MRG_VERDICT_DEFER, "cap: gap (1 of 1 in 2h)", 5 * HOUR},
    {"class filter counts its own", GRANTED, {{"p", 1, DAY, 0, "promo", DROP}}, {0}, {0}, "2h news", "promo", DELIVER, OK, 0},
    {"class filter stops its own", GRANTED, {{"p", 1, DAY, 0, "promo", DROP}}, {0}, {0}, "2h promo", "promo", DROP, "cap: p (1 of 1 in 24h)", 0},
    {"class filter passes others", GRANTED, {{"p", 1, DAY, 0, "promo", DROP}}, {0}, {0}, "2h promo", "news", DELIVER, OK, 0},
    {"gap of the class", GRANTED, {{"p", 9, DAY, 6 * HOUR, "promo", DROP}}, {0}, {0}, "7h promo,1h news", "promo", DELIVER, OK, 0},
    {"receipts pass a cap", GRANTED, {DAILY}, {0}, {0}, "1h promo", "transactional", DELIVER, OK, 0},
    {"receipts do not count", GRANTED, {DAILY}, {0}, {0}, "1h transactional", "promo", DELIVER, OK, 0},
    {"receipts by a cap of their own", GRANTED, {{"t", 1, DAY, 0, "transactional", DROP}}, {0}, {0}, "1h transactional", "transactional", DROP, "cap: t (1 of 1 in 24h)", 0},
    {"the first cap names the reason", GRANTED, {{"a", 1, DAY, 0, NULL, DROP}, {"b", 1, DAY, 0, NULL, MRG_VERDICT_REJECT}}, {0}, {0}, "1h promo", "promo", DROP, "cap: a (1 of 1 in 24h)", 0},
    {"the second cap can fail alone", GRANTED, {{"a", 2, DAY, 0, NULL, DROP}, {"b", 2, 2 * DAY, 0, NULL, MRG_VERDICT_REJECT}}, {0}, {0}, "30h promo,1h promo", "promo", MRG_VERDICT_REJECT, "cap: b (2 of 2 in 2d)", 0},
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
    MrgPolicy policy = {row->caps, count_caps(row->caps), row->fallback};
    MrgStateView view;
    mrg_state_read(&view, &state, arena, &error);
    g_assert_no_error(error);
    mrg_decide(&policy, &view, "spring", row->class_name, NOW, arena, decision);
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
    MrgStateView view = {&state, NULL, 0};
    MrgPolicy policy = {NULL, 0, GRANTED};
    MrgDecision decision;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    mrg_decide(&policy, &view, "spring", "promo", NOW, arena, &decision);
    g_assert_true(decision.may_track_open);
    g_assert_false(decision.may_track_click);
    consents[0].state = DENIED;
    mrg_decide(&policy, &view, "spring", "promo", NOW, arena, &decision);
    g_assert_false(decision.may_track_open);
    consents[1] = (MrgConsent){"track_open", GRANTED, 2, ""};
    g_assert_false(mrg_consent_is_granted(&view, "track_open", GRANTED));
}

static void
horizon_is_the_longest_window(void)
{
    MrgCap caps[] = {{"a", 1, DAY, 0, NULL, DROP},
                     {"b", 1, HOUR, 3 * DAY, NULL, DROP},
                     {"c", 1, 2 * DAY, 0, NULL, DROP}};
    MrgPolicy policy = {caps, 3, GRANTED};
    g_assert_cmpint(mrg_policy_horizon_us(&policy), ==, 3 * DAY);
    policy.n_caps = 0;
    g_assert_cmpint(mrg_policy_horizon_us(&policy), ==, 0);
}

/* ---- decide, against an oracle ------------------------------------------ */

#define N_SENDS_MAX 12
#define N_CAPS_MAX 3
#define CASES 20000

/* Few, small numbers, so that edges are met often. */
typedef struct World {
    MrgCap caps[N_CAPS_MAX];
    MrgSend sends[N_SENDS_MAX];
    MrgPolicy policy;
    MrgState state;
    MrgStateView view;
    const char *class_name;
    gint64 now_us;
} World;

static const char *const classes[] = {"promo", "news", "transactional"};

static int
by_time(gconstpointer a, gconstpointer b)
{
    const MrgSend *left = a, *right = b;
    return (left->at_us > right->at_us) - (left->at_us < right->at_us);
}

static void
make_world(World *world, GRand *random)
{
    memset(world, 0, sizeof *world);
    gsize n_sends = (gsize) g_rand_int_range(random, 0, N_SENDS_MAX + 1);
    for (gsize i = 0; i < n_sends; i++)
        world->sends[i] = (MrgSend){g_rand_int_range(random, 0, 30),
                                    classes[g_rand_int(random) % 3], "c"};
    qsort(world->sends, n_sends, sizeof *world->sends, by_time);
    gsize n_caps = (gsize) g_rand_int_range(random, 0, N_CAPS_MAX + 1);
    static const char *const names[] = {"one", "two", "three"};
    for (gsize i = 0; i < n_caps; i++)
        world->caps[i] =
            (MrgCap){names[i],
                     (guint) g_rand_int_range(random, 0, 5),
                     g_rand_int_range(random, 1, 20),
                     g_rand_int_range(random, 0, 8),
                     g_rand_boolean(random) ? classes[g_rand_int(random) % 3] : NULL,
                     (MrgVerdict) g_rand_int_range(random, 1, 5)};
    world->policy = (MrgPolicy){world->caps, n_caps, GRANTED};
    world->view = (MrgStateView){&world->state, world->sends, n_sends};
    world->class_name = classes[g_rand_int(random) % 3];
    world->now_us = g_rand_int_range(random, 0, 40);
}

static gboolean
oracle_is_of(const MrgCap *cap, const char *class_name)
{
    return cap->class_name ? g_str_equal(cap->class_name, class_name)
                           : !g_str_equal(class_name, "transactional");
}

/* Looks at every send and every instant by itself. */
static gboolean
oracle_fails(const MrgCap *cap, const World *world, gint64 now_us)
{
    guint n = 0;
    if (!oracle_is_of(cap, world->class_name))
        return FALSE;
    for (gsize i = 0; i < world->view.n_sends; i++) {
        gint64 age_us = now_us - world->sends[i].at_us;
        if (!oracle_is_of(cap, world->sends[i].class_name))
            continue;
        n += age_us < cap->per_us;
        if (cap->min_gap_us && age_us < cap->min_gap_us)
            return TRUE;
    }
    return n >= cap->limit;
}

static void
check_world(const World *world, MrgArena *arena)
{
    MrgDecision decision;
    mrg_decide(&world->policy, &world->view, "c", world->class_name, world->now_us, arena,
               &decision);
    const MrgCap *first = NULL;
    for (gsize i = 0; i < world->policy.n_caps && !first; i++)
        if (oracle_fails(&world->caps[i], world, world->now_us))
            first = &world->caps[i];
    g_assert_cmpint(decision.verdict, ==, first ? first->on_exceed : DELIVER);
    if (!first) {
        g_assert_true(g_str_has_prefix(decision.reason, "ok: "));
        return;
    }
    g_autofree char *beginning = g_strdup_printf("cap: %s (", first->name);
    g_assert_true(g_str_has_prefix(decision.reason, beginning));
    gint64 passes_us = 0;
    if (first->on_exceed == MRG_VERDICT_DEFER || first->on_exceed == MRG_VERDICT_HOLD)
        for (gint64 t = world->now_us; t < 200 && !passes_us; t++)
            passes_us = oracle_fails(first, world, t) ? 0 : t;
    g_assert_cmpint(decision.retry_at_us, ==, passes_us);
}

static void
decide_agrees_with_the_oracle(void)
{
    guint32 seed = (guint32) g_test_rand_int();
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (guint i = 0; i < CASES; i++) {
        World world;
        make_world(&world, random);
        check_world(&world, arena);
        mrg_arena_reset(arena);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/policy/history/reads-back", history_reads_back);
    g_test_add_func("/policy/history/malformed", malformed_history_is_refused);
    g_test_add_func("/policy/history/bounded", history_is_bounded);
    g_test_add_func("/policy/history/horizon", history_forgets_beyond_the_horizon);
    g_test_add_func("/policy/decide/table", every_case_of_the_table);
    g_test_add_func("/policy/decide/oracle", decide_agrees_with_the_oracle);
    g_test_add_func("/policy/decide/tracking", tracking_needs_a_record);
    g_test_add_func("/policy/horizon", horizon_is_the_longest_window);
    return g_test_run();
}
