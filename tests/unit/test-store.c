/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One contract, run against every store: memory and sqlite always, pgsql when
 * MRG_TEST_PGSQL holds a conninfo (tests/plugins/pgsql.sh).
 */
#include "config.h"

#include <string.h>

#include "tests/unit/store-fixture.h"

#define N_THREADS 8

/* ---- profiles ---------------------------------------------------------- */

static void
fetch_misses_who_is_not_there(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    const char *names[] = {"FirstName"};
    MrgField fields[1];
    g_assert_cmpint(fetch(fixture, 1, names, 1, fields), ==, MRG_FETCH_MISS);

    MrgOutcome what = outcome(1, 1, 0, "");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    g_assert_cmpint(fetch(fixture, 1, names, 1, fields), ==, MRG_FETCH_MISS);
}

static void
every_type_of_field_comes_back(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autofree char *big = g_strnfill(10 * 1024, 'x');
    MrgProfileField in[] = {
        {"flag", field(MRG_FIELD_BOOLEAN, "false")},
        {"count", field(MRG_FIELD_NUMBER, "9007199254740993")},
        {"FirstName", field(MRG_FIELD_STRING, "J\xc3\xb6rg \xf0\x9f\xa6\x86 \"'\\;--\n")},
        {"empty", field(MRG_FIELD_STRING, "")},
        {"list", field(MRG_FIELD_JSON, "[1,{\"a\":null}]")},
        {"big", field(MRG_FIELD_STRING, big)},
        {"nothing", field(MRG_FIELD_NULL, NULL)},
    };
    MrgProfile profile = {.person = person(1),
                          .address = "joerg@example.com",
                          .fields = in,
                          .n_fields = G_N_ELEMENTS(in)};
    import(fixture, &profile, 1);

    const char *names[] = {"big",  "absent", "FirstName", "flag", "not a name",
                           "list", "count",  "nothing",   "empty"};
    MrgField out[G_N_ELEMENTS(names)];
    memset(out, 0xff, sizeof out);
    g_assert_cmpint(fetch(fixture, 1, names, G_N_ELEMENTS(names), out), ==, MRG_FETCH_HIT);
    assert_field(&out[0], MRG_FIELD_STRING, big);
    g_assert_cmpint(out[1].type, ==, MRG_FIELD_MISSING);
    assert_field(&out[2], MRG_FIELD_STRING, in[2].value.text);
    assert_field(&out[3], MRG_FIELD_BOOLEAN, "false");
    g_assert_cmpint(out[4].type, ==, MRG_FIELD_MISSING);
    assert_field(&out[5], MRG_FIELD_JSON, in[4].value.text);
    assert_field(&out[6], MRG_FIELD_NUMBER, in[1].value.text);
    g_assert_cmpint(out[7].type, ==, MRG_FIELD_MISSING);
    assert_field(&out[8], MRG_FIELD_STRING, "");
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_HIT);
    g_assert_cmpint(fetch(fixture, 2, names, 1, out), ==, MRG_FETCH_MISS);
}

static void
import_merges_into_a_profile(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgProfileField first[] = {{"a", field(MRG_FIELD_STRING, "1")},
                               {"b", field(MRG_FIELD_STRING, "2")},
                               {"c", field(MRG_FIELD_STRING, "3")}};
    MrgProfileField second[] = {{"a", field(MRG_FIELD_NUMBER, "4")},
                                {"b", field(MRG_FIELD_NULL, NULL)}};
    MrgProfile profiles[] = {
        {.person = person(1), .address = "a@b.c", .fields = first, .n_fields = 3},
        {.person = person(1), .address = "a@b.c", .fields = second, .n_fields = 2}};
    import(fixture, profiles, 2);
    const char *names[] = {"a", "b", "c"};
    MrgField out[3];
    g_assert_cmpint(fetch(fixture, 1, names, 3, out), ==, MRG_FETCH_HIT);
    assert_field(&out[0], MRG_FIELD_NUMBER, "4");
    g_assert_cmpint(out[1].type, ==, MRG_FIELD_MISSING);
    assert_field(&out[2], MRG_FIELD_STRING, "3");
}

static void
import_is_all_or_nothing(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgProfile profiles[] = {{.person = person(1), .address = "a@b.c"},
                             {.person = person(2), .address = "d@b.c"}};
    Feed feed = {profiles, 2, 0, TRUE};
    guint64 n = 77;
    g_autoptr(GError) error = NULL;
    g_assert_false(mrg_store_import(fixture->store, next_profile, &feed, &n, &error));
    g_assert_cmpstr(error->message, ==, "line 3");
    g_assert_cmpuint(n, ==, 77);
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_MISS);
    import(fixture, profiles, 2);
    g_assert_cmpint(fetch(fixture, 2, NULL, 0, NULL), ==, MRG_FETCH_HIT);
}

static void
import_refuses_what_cannot_be_stored(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgProfileField faults[] = {{"1st", field(MRG_FIELD_STRING, "x")},
                                {"name", field(MRG_FIELD_STRING, "\xff")},
                                {"name", {MRG_FIELD_STRING, "a\0b", 3}},
                                {"name", field(MRG_FIELD_BOOLEAN, "yes")},
                                {"name", field(MRG_FIELD_NUMBER, "one")}};
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        MrgProfile profiles[] = {
            {.person = person(1), .address = "a@b.c"},
            {.person = person(2), .address = "d@b.c", .fields = &faults[i], .n_fields = 1}};
        Feed feed = {profiles, 2, 0, FALSE};
        g_autoptr(GError) error = NULL;
        g_assert_false(mrg_store_import(fixture->store, next_profile, &feed, NULL, &error));
        g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
        g_assert_null(strstr(error->message, "d@b.c"));
        g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_MISS);
    }
}

/* ---- ledger ------------------------------------------------------------ */

static void
an_unknown_person_has_an_empty_state(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpuint(state.own.version, ==, 0);
    g_assert_cmpstr(state.own.history, ==, "");
    g_assert_cmpuint(state.n_consents + state.n_suppressions, ==, 0);
    g_assert_false(state.is_repeat);
}

static void
commit_is_compare_and_swap(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome first = outcome(1, 1, 0, "1 promo spring\n");
    g_assert_cmpint(commit(fixture, &first), ==, MRG_COMMIT_DONE);
    MrgState state = load(fixture, 1, 2);
    g_assert_cmpstr(state.own.history, ==, "1 promo spring\n");
    g_assert_cmpuint(state.own.version, >, 0);

    MrgOutcome stale = outcome(1, 2, 0, "lost");
    g_assert_cmpint(commit(fixture, &stale), ==, MRG_COMMIT_CONFLICT);
    stale.version = state.own.version + 1;
    g_assert_cmpint(commit(fixture, &stale), ==, MRG_COMMIT_CONFLICT);
    g_assert_false(load(fixture, 1, 2).is_repeat);
    g_assert_cmpstr(load(fixture, 1, 2).own.history, ==, "1 promo spring\n");

    MrgOutcome next = outcome(1, 2, state.own.version, NULL);
    g_assert_cmpint(commit(fixture, &next), ==, MRG_COMMIT_DONE);
    MrgState after = load(fixture, 1, 2);
    g_assert_cmpstr(after.own.history, ==, "1 promo spring\n");
    g_assert_cmpuint(after.own.version, !=, state.own.version);
}

static void
a_retry_meets_the_recorded_outcome(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome first = outcome(1, 1, 0, "1 promo spring\n");
    first.event.verdict = MRG_VERDICT_HOLD;
    first.event.reason = "cap: daily (1 of 1 in 24h)";
    g_assert_cmpint(commit(fixture, &first), ==, MRG_COMMIT_DONE);
    MrgState state = load(fixture, 1, 1);
    g_assert_true(state.is_repeat);
    g_assert_cmpint(state.repeat_verdict, ==, MRG_VERDICT_HOLD);
    g_assert_cmpstr(state.repeat_reason, ==, first.event.reason);

    MrgOutcome again = outcome(1, 1, state.own.version, "counted twice");
    g_assert_cmpint(commit(fixture, &again), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, state.own.version);
    g_assert_cmpstr(load(fixture, 1, 1).own.history, ==, "1 promo spring\n");

    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(1);
    g_assert_true(mrg_store_load(fixture->store, &key, NULL, NULL, 0, &state,
                                 fixture->arena, soon(), &error));
    g_assert_false(state.is_repeat);
}

static void
an_outcome_that_is_not_final_does_not_bind(Fixture *fixture,
                                           gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome deferred = outcome(1, 1, 0, NULL);
    deferred.is_final = FALSE;
    deferred.event.verdict = MRG_VERDICT_DEFER;
    g_assert_cmpint(commit(fixture, &deferred), ==, MRG_COMMIT_DONE);
    MrgState state = load(fixture, 1, 1);
    g_assert_false(state.is_repeat);
    deferred.version = state.own.version;
    g_assert_cmpint(commit(fixture, &deferred), ==, MRG_COMMIT_DONE);
    MrgOutcome final = outcome(1, 1, load(fixture, 1, 1).own.version, "x");
    g_assert_cmpint(commit(fixture, &final), ==, MRG_COMMIT_DONE);
    g_assert_true(load(fixture, 1, 1).is_repeat);
}

static gboolean
collect(const MrgPersonKey *who G_GNUC_UNUSED, const MrgEvent *event, gpointer context)
{
    g_string_append_printf(context, "%" G_GINT64_FORMAT " %s %s %d %s\n",
                           event->at_us % SECOND, event->campaign, event->class_name,
                           event->verdict, event->reason);
    return TRUE;
}

static gboolean
collect_one(const MrgPersonKey *who, const MrgEvent *event, gpointer context)
{
    collect(who, event, context);
    return FALSE;
}

static void
events_come_newest_first(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    for (guint i = 1; i <= 3; i++) {
        MrgOutcome what = outcome(1, i, load(fixture, 1, i).own.version, NULL);
        what.is_final = i != 2;
        g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    }
    MrgOutcome other = outcome(2, 9, 0, NULL);
    g_assert_cmpint(commit(fixture, &other), ==, MRG_COMMIT_DONE);

    MrgPersonKey key = person(1);
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) seen = g_string_new(NULL);
    g_assert_true(mrg_store_events(fixture->store, &key, 2, collect, seen, &error));
    g_assert_cmpstr(seen->str, ==,
                    "3 spring promo 0 ok: test\n2 spring promo 0 ok: test\n");
    g_string_truncate(seen, 0);
    g_assert_true(mrg_store_events(fixture->store, &key, 9, collect_one, seen, &error));
    g_assert_cmpstr(seen->str, ==, "3 spring promo 0 ok: test\n");
}

/* ---- consent and suppression ------------------------------------------- */

static void
a_change_of_consent_makes_commits_conflict(Fixture *fixture,
                                           gconstpointer plugin G_GNUC_UNUSED)
{
    import_consent(fixture, MRG_CONSENT_GRANTED, 10);
    MrgState before = load(fixture, 1, 1);
    g_assert_cmpuint(before.own.version, >, 0);
    g_assert_cmpuint(before.n_consents, ==, 1);
    g_assert_cmpstr(before.consents[0].purpose, ==, "track_open");
    g_assert_cmpstr(before.consents[0].source, ==, "form \xc3\xa9");
    g_assert_cmpint(before.consents[0].state, ==, MRG_CONSENT_GRANTED);
    g_assert_cmpint(before.consents[0].at_us, ==, 10);

    import_consent(fixture, MRG_CONSENT_GRANTED, 10);
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, before.own.version);
    import_consent(fixture, MRG_CONSENT_DENIED, 30);
    g_assert_cmpint(load(fixture, 1, 1).consents[0].state, ==, MRG_CONSENT_DENIED);
    MrgOutcome what = outcome(1, 1, before.own.version, "x");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_CONFLICT);
}

static void
an_older_consent_does_not_come_back(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    import_consent(fixture, MRG_CONSENT_DENIED, 30);
    import_consent(fixture, MRG_CONSENT_GRANTED, 20);
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpuint(state.n_consents, ==, 1);
    g_assert_cmpint(state.consents[0].state, ==, MRG_CONSENT_DENIED);
}

static void
import_never_removes_a_suppression(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome first = outcome(1, 1, 0, "kept");
    g_assert_cmpint(commit(fixture, &first), ==, MRG_COMMIT_DONE);
    guint64 version = load(fixture, 1, 1).own.version;
    import_suppression(fixture, "all", "unsubscribed", 0);
    g_assert_cmpuint(load(fixture, 1, 1).own.version, !=, version);
    import_suppression(fixture, "all", "unsubscribed", 50);
    import_suppression(fixture, "class:promo", "bounced", 70);
    version = load(fixture, 1, 1).own.version;
    import_suppression(fixture, "class:promo", "bounced", 60);
    import_suppression(fixture, NULL, NULL, 0);
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpuint(state.own.version, ==, version);
    g_assert_cmpstr(state.own.history, ==, "kept");
    g_assert_cmpuint(state.n_suppressions, ==, 2);
    for (gsize i = 0; i < 2; i++) {
        gboolean is_all = strcmp(state.suppressions[i].scope, "all") == 0;
        g_assert_cmpstr(state.suppressions[i].reason, ==,
                        is_all ? "unsubscribed" : "bounced");
        g_assert_cmpint(state.suppressions[i].until_us, ==, is_all ? 0 : 70);
        g_assert_cmpint(state.suppressions[i].at_us, ==, 10);
    }
}

/* ---- threads ----------------------------------------------------------- */

#define CAP 3
#define COPIES_EACH 6

typedef struct Worker {
    MrgStore *store;
    guint n;
    guint n_delivered;
    guint32 numbers[10];
} Worker;

/* What the milter does: decide on the state, commit, and start again on a conflict. */
static void
send_under_cap(Worker *worker, guint who, guint what)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgCommit result;
    gboolean may;
    do {
        MrgState state = load_by(worker->store, arena, who, what);
        may = state.own.history_length < CAP;
        char *history = mrg_arena_printf(arena, "%s%s", state.own.history, may ? "x" : "");
        MrgOutcome this = outcome(who, what, state.own.version, may ? history : NULL);
        this.event.verdict = may ? MRG_VERDICT_DELIVER : MRG_VERDICT_DROP;
        g_autoptr(GError) error = NULL;
        result = mrg_store_commit(worker->store, &this, soon(), &error);
        g_assert_no_error(error);
    } while (result == MRG_COMMIT_CONFLICT);
    g_assert_cmpint(result, ==, MRG_COMMIT_DONE);
    worker->n_delivered += may;
}

static gpointer
send_copies(gpointer data)
{
    Worker *worker = data;
    for (guint i = 0; i < COPIES_EACH; i++)
        send_under_cap(worker, i % 2, 1000 + worker->n * COPIES_EACH + i);
    return NULL;
}

static gpointer
number_campaigns(gpointer data)
{
    Worker *worker = data;
    for (guint i = 0; i < G_N_ELEMENTS(worker->numbers); i++) {
        guint which = (i + worker->n) % G_N_ELEMENTS(worker->numbers);
        g_autofree char *name = g_strdup_printf("campaign-%u", which);
        g_autoptr(GError) error = NULL;
        mrg_store_campaign_number(worker->store, name, &worker->numbers[which], soon(),
                                  &error);
        g_assert_no_error(error);
    }
    return NULL;
}

static void
run_workers(const Fixture *fixture, Worker *workers, GThreadFunc work)
{
    GThread *threads[N_THREADS];
    for (guint i = 0; i < N_THREADS; i++) {
        workers[i] = (Worker){.store = fixture->store, .n = i};
        threads[i] = g_thread_new("worker", work, &workers[i]);
    }
    for (guint i = 0; i < N_THREADS; i++)
        g_thread_join(threads[i]);
}

static void
a_cap_is_exact_under_threads(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    Worker workers[N_THREADS];
    run_workers(fixture, workers, send_copies);
    guint n_delivered = 0;
    for (guint i = 0; i < N_THREADS; i++)
        n_delivered += workers[i].n_delivered;
    g_assert_cmpuint(n_delivered, ==, 2 * CAP);
    for (guint who = 0; who < 2; who++) {
        g_autoptr(GString) seen = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        MrgPersonKey key = person(who);
        g_assert_cmpstr(load(fixture, who, 0).own.history, ==, "xxx");
        g_assert_true(mrg_store_events(fixture->store, &key, 999, collect, seen, &error));
        g_auto(GStrv) lines = g_strsplit(seen->str, "\n", -1);
        g_assert_cmpuint(g_strv_length(lines) - 1, ==, N_THREADS * COPIES_EACH / 2);
    }
}

static void
campaign_numbers_are_unique_and_stable(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    Worker workers[N_THREADS];
    run_workers(fixture, workers, number_campaigns);
    for (gsize i = 0; i < G_N_ELEMENTS(workers[0].numbers); i++) {
        g_assert_cmpuint(workers[0].numbers[i], >=, 1);
        for (gsize j = 0; j < i; j++)
            g_assert_cmpuint(workers[0].numbers[i], !=, workers[0].numbers[j]);
        for (guint w = 1; w < N_THREADS; w++)
            g_assert_cmpuint(workers[w].numbers[i], ==, workers[0].numbers[i]);
    }
}

/* ---- create ------------------------------------------------------------- */

static void
create_can_run_again(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgProfile profile = {.person = person(1), .address = "a@b.c"};
    import(fixture, &profile, 1);
    g_autoptr(GError) error = NULL;
    g_assert_true(mrg_store_create(fixture->store, &error));
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_HIT);
}

/* ---- main -------------------------------------------------------------- */

static gboolean
note_address(const char *address, gpointer context)
{
    GString *all = context;
    g_string_append_printf(all, "%s ", address);
    return g_strcmp0(address, "stop@example.com") != 0;
}

static void
people_are_listed_to_a_bound(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) all = g_string_new(NULL);
    MrgProfile profiles[] = {{.person = person(3), .address = "stop@example.com"},
                             {.person = person(1), .address = "a@example.com"},
                             {.person = person(2), .address = "b@example.com"},
                             {.person = person(4), .address = "d@example.com"}};
    MrgOutcome what = outcome(9, 9, 0, ""); /* known, but without a profile */
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    import(fixture, profiles, G_N_ELEMENTS(profiles));
    g_assert_true(mrg_store_list(fixture->store, 2, note_address, all, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(all->str, ==, "a@example.com b@example.com ");
    g_string_truncate(all, 0);
    g_assert_true(mrg_store_list(fixture->store, 100, note_address, all, &error));
    g_assert_cmpstr(all->str, ==, "a@example.com b@example.com stop@example.com ");
}

static const Case contract[] = {
    {"fetch/miss", fetch_misses_who_is_not_there},
    {"fetch/types", every_type_of_field_comes_back},
    {"import/merge", import_merges_into_a_profile},
    {"import/all-or-nothing", import_is_all_or_nothing},
    {"import/refuses", import_refuses_what_cannot_be_stored},
    {"import/suppression", import_never_removes_a_suppression},
    {"load/unknown", an_unknown_person_has_an_empty_state},
    {"commit/swap", commit_is_compare_and_swap},
    {"commit/repeat", a_retry_meets_the_recorded_outcome},
    {"commit/not-final", an_outcome_that_is_not_final_does_not_bind},
    {"commit/cap-under-threads", a_cap_is_exact_under_threads},
    {"events", events_come_newest_first},
    {"consent/version", a_change_of_consent_makes_commits_conflict},
    {"consent/older", an_older_consent_does_not_come_back},
    {"campaign/threads", campaign_numbers_are_unique_and_stable},
    {"create/again", create_can_run_again},
    {"list", people_are_listed_to_a_bound},
    {NULL, NULL},
};

static void
add(const char *plugin, const Case *cases,
    void (*prepare)(Fixture *fixture, gconstpointer plugin))
{
    /* Accounts that people share do not go over shards. */
    gboolean is_sharded = g_getenv("MRG_TEST_PGSQL_SHARDS") != NULL;
    for (gsize i = 0; cases[i].name; i++) {
        if (is_sharded && (g_str_has_prefix(cases[i].name, "shared/") ||
                           strcmp(cases[i].name, "fetch-and-load") == 0))
            continue;
        g_autofree char *path = g_strdup_printf("/store/%s/%s", plugin, cases[i].name);
        g_test_add(path, Fixture, plugin, prepare, cases[i].test, tear_down);
    }
}

static void
add_contract(const char *plugin)
{
    add(plugin, contract, set_up);
    add(plugin, store_import, set_up);
    add(plugin, store_people, set_up);
    add(plugin, store_ledger, set_up);
    add(plugin, store_holds, set_up);
    if (!g_getenv("MRG_TEST_PGSQL_SHARDS"))
        add(plugin, store_hits, set_up);
}

static void
add_pgsql(void)
{
    add_contract("pgsql");
    if (g_getenv("MRG_TEST_PGSQL_SHARDS")) {
        add("pgsql", pgsql_shards, set_up);
        return;
    }
    /* Through a pgbouncer sessions are not ours to lock and kill. */
    if (!g_getenv("MRG_TEST_PGSQL_PREPARE")) {
        add("pgsql", pgsql_only, set_up);
        add("pgsql", pgsql_import, set_up);
    }
    add("pgsql", pgsql_copies, set_up);
    add("pgsql", g_getenv("MRG_THROUGH_PGBOUNCER") ? pgsql_pooled : pgsql_direct, set_up);
    add("pgsql", pgsql_empty, set_up_empty);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (g_getenv("MRG_TEST_PGSQL")) {
        add_pgsql();
        return g_test_run();
    }
    add_contract("memory");
    add_contract("sqlite");
    add("sqlite", sqlite_only, set_up);
    add("sqlite", sqlite_empty, set_up_empty);
    return g_test_run();
}
