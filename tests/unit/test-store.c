/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One contract, run against every store: memory and sqlite always, pgsql when
 * MRG_TEST_PGSQL holds a conninfo (tests/plugins/pgsql.sh).
 */
#include "config.h"

#include <glib/gstdio.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <string.h>

#include "milter/error.h"
#include "milter/registry.h"

#define SECOND G_GINT64_CONSTANT(1000000)
#define N_THREADS 8

typedef struct Fixture {
    const char *plugin;
    char *folder;
    char *file;
    MrgStore *store;
    MrgArena *arena;
} Fixture;

static gint64
soon(void)
{
    return g_get_monotonic_time() + 20 * SECOND;
}

static MrgPersonKey
person(guint n)
{
    MrgPersonKey key = {{0}};
    memcpy(key.bytes, &n, sizeof n);
    key.bytes[15] = 'p';
    return key;
}

static MrgMessageKey
message(guint n)
{
    MrgMessageKey key = {{0}};
    memcpy(key.bytes, &n, sizeof n);
    key.bytes[15] = 'm';
    return key;
}

/* A connection of our own, beside those of the store. */
static PGconn *
connect_pgsql(void)
{
    PGconn *pg = PQconnectdb(g_getenv("MRG_TEST_PGSQL"));
    g_assert_cmpint(PQstatus(pg), ==, CONNECTION_OK);
    return pg;
}

static void
run_pgsql(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK)
        g_assert_cmpint(status, ==, PGRES_COMMAND_OK);
    PQclear(result);
}

/* ---- set up ------------------------------------------------------------ */

static MrgStore *
open_store(const Fixture *fixture)
{
    MrgSetting sqlite[] = {{"file", fixture->file}, {"durability", "normal"}};
    MrgSetting pgsql[] = {{"conninfo", g_getenv("MRG_TEST_PGSQL")}};
    const char *directory = g_getenv("MRG_PLUGIN_DIR");
    g_autoptr(GError) error = NULL;
    MrgStore *store;
    if (strcmp(fixture->plugin, "sqlite") == 0)
        store = mrg_store_open(directory, "sqlite", sqlite, G_N_ELEMENTS(sqlite), &error);
    else if (strcmp(fixture->plugin, "pgsql") == 0)
        store = mrg_store_open(directory, "pgsql", pgsql, G_N_ELEMENTS(pgsql), &error);
    else
        store = mrg_store_open(directory, fixture->plugin, NULL, 0, &error);
    g_assert_no_error(error);
    return store;
}

static void
set_up_empty(Fixture *fixture, gconstpointer plugin)
{
    g_autoptr(GError) error = NULL;
    fixture->plugin = plugin;
    fixture->arena = mrg_arena_new();
    fixture->folder = g_dir_make_tmp("merganser-store-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->file = g_build_filename(fixture->folder, "people.db", NULL);
    if (strcmp(fixture->plugin, "pgsql") == 0) {
        PGconn *pg = connect_pgsql();
        run_pgsql(pg, "SET client_min_messages = warning");
        run_pgsql(pg, "DROP SCHEMA IF EXISTS merganser CASCADE");
        PQfinish(pg);
    }
    fixture->store = open_store(fixture);
}

static void
set_up(Fixture *fixture, gconstpointer plugin)
{
    g_autoptr(GError) error = NULL;
    set_up_empty(fixture, plugin);
    mrg_store_create(fixture->store, &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal", ".old"};
    mrg_store_close(fixture->store);
    for (gsize i = 0; i < G_N_ELEMENTS(tails); i++) {
        g_autofree char *file = g_strconcat(fixture->file, tails[i], NULL);
        g_unlink(file);
    }
    g_rmdir(fixture->folder);
    mrg_arena_free(fixture->arena);
    g_free(fixture->file);
    g_free(fixture->folder);
}

/* ---- short forms ------------------------------------------------------- */

typedef struct Feed {
    const MrgProfile *profiles;
    gsize n, next;
    gboolean fails;
} Feed;

static const MrgProfile *
next_profile(gpointer context, GError **error)
{
    Feed *feed = context;
    if (feed->next < feed->n)
        return &feed->profiles[feed->next++];
    if (feed->fails)
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT, "line 3");
    return NULL;
}

static void
import(const Fixture *fixture, const MrgProfile *profiles, gsize n)
{
    g_autoptr(GError) error = NULL;
    Feed feed = {profiles, n, 0, FALSE};
    guint64 n_imported = 0;
    mrg_store_import(fixture->store, next_profile, &feed, &n_imported, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(n_imported, ==, n);
}

static MrgFetch
fetch(const Fixture *fixture, guint who, const char *const *names, gsize n,
      MrgField *fields)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(who);
    MrgFetch found = mrg_store_fetch(fixture->store, &key, names, n, fields, fixture->arena,
                                     soon(), &error);
    g_assert_no_error(error);
    return found;
}

static MrgState
load_by(MrgStore *store, MrgArena *arena, guint who, guint what)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(who);
    MrgMessageKey copy = message(what);
    MrgState state;
    memset(&state, 0xff, sizeof state);
    mrg_store_load(store, &key, &copy, &state, arena, soon(), &error);
    g_assert_no_error(error);
    return state;
}

static MrgState
load(const Fixture *fixture, guint who, guint what)
{
    return load_by(fixture->store, fixture->arena, who, what);
}

static MrgOutcome
outcome(guint who, guint what, guint64 version, const char *history)
{
    return (MrgOutcome){
        .person = person(who),
        .message = message(what),
        .version = version,
        .history = history,
        .history_length = history ? strlen(history) : 0,
        .at_us = 1700000000 * SECOND + what,
        .campaign = "spring",
        .class_name = "promo",
        .verdict = MRG_VERDICT_DELIVER,
        .reason = "ok: test",
        .is_final = TRUE,
    };
}

static MrgCommit
commit(const Fixture *fixture, const MrgOutcome *what)
{
    g_autoptr(GError) error = NULL;
    MrgCommit result = mrg_store_commit(fixture->store, what, soon(), &error);
    g_assert_no_error(error);
    return result;
}

static MrgField
field(MrgFieldType type, const char *text)
{
    return (MrgField){type, text, text ? strlen(text) : 0};
}

static void
assert_field(const MrgField *is, MrgFieldType type, const char *text)
{
    g_assert_cmpint(is->type, ==, type);
    g_assert_cmpmem(is->text, is->length, text, strlen(text));
}

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
    g_assert_cmpuint(state.version, ==, 0);
    g_assert_cmpstr(state.history, ==, "");
    g_assert_cmpuint(state.n_consents + state.n_suppressions, ==, 0);
    g_assert_false(state.is_repeat);
}

static void
commit_is_compare_and_swap(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome first = outcome(1, 1, 0, "1 promo spring\n");
    g_assert_cmpint(commit(fixture, &first), ==, MRG_COMMIT_DONE);
    MrgState state = load(fixture, 1, 2);
    g_assert_cmpstr(state.history, ==, "1 promo spring\n");
    g_assert_cmpuint(state.version, >, 0);

    MrgOutcome stale = outcome(1, 2, 0, "lost");
    g_assert_cmpint(commit(fixture, &stale), ==, MRG_COMMIT_CONFLICT);
    stale.version = state.version + 1;
    g_assert_cmpint(commit(fixture, &stale), ==, MRG_COMMIT_CONFLICT);
    g_assert_false(load(fixture, 1, 2).is_repeat);
    g_assert_cmpstr(load(fixture, 1, 2).history, ==, "1 promo spring\n");

    MrgOutcome next = outcome(1, 2, state.version, NULL);
    g_assert_cmpint(commit(fixture, &next), ==, MRG_COMMIT_DONE);
    MrgState after = load(fixture, 1, 2);
    g_assert_cmpstr(after.history, ==, "1 promo spring\n");
    g_assert_cmpuint(after.version, !=, state.version);
}

static void
a_retry_meets_the_recorded_outcome(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome first = outcome(1, 1, 0, "1 promo spring\n");
    first.verdict = MRG_VERDICT_HOLD;
    first.reason = "cap: daily (1 of 1 in 24h)";
    g_assert_cmpint(commit(fixture, &first), ==, MRG_COMMIT_DONE);
    MrgState state = load(fixture, 1, 1);
    g_assert_true(state.is_repeat);
    g_assert_cmpint(state.repeat_verdict, ==, MRG_VERDICT_HOLD);
    g_assert_cmpstr(state.repeat_reason, ==, first.reason);

    MrgOutcome again = outcome(1, 1, state.version, "counted twice");
    g_assert_cmpint(commit(fixture, &again), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpuint(load(fixture, 1, 1).version, ==, state.version);
    g_assert_cmpstr(load(fixture, 1, 1).history, ==, "1 promo spring\n");

    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(1);
    g_assert_true(
        mrg_store_load(fixture->store, &key, NULL, &state, fixture->arena, soon(), &error));
    g_assert_false(state.is_repeat);
}

static void
an_outcome_that_is_not_final_does_not_bind(Fixture *fixture,
                                           gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome deferred = outcome(1, 1, 0, NULL);
    deferred.is_final = FALSE;
    deferred.verdict = MRG_VERDICT_DEFER;
    g_assert_cmpint(commit(fixture, &deferred), ==, MRG_COMMIT_DONE);
    MrgState state = load(fixture, 1, 1);
    g_assert_false(state.is_repeat);
    deferred.version = state.version;
    g_assert_cmpint(commit(fixture, &deferred), ==, MRG_COMMIT_DONE);
    MrgOutcome final = outcome(1, 1, load(fixture, 1, 1).version, "x");
    g_assert_cmpint(commit(fixture, &final), ==, MRG_COMMIT_DONE);
    g_assert_true(load(fixture, 1, 1).is_repeat);
}

static gboolean
collect(const MrgEvent *event, gpointer context)
{
    g_string_append_printf(context, "%" G_GINT64_FORMAT " %s %s %d %s\n",
                           event->at_us % SECOND, event->campaign, event->class_name,
                           event->verdict, event->reason);
    return TRUE;
}

static gboolean
collect_one(const MrgEvent *event, gpointer context)
{
    collect(event, context);
    return FALSE;
}

static void
events_come_newest_first(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    for (guint i = 1; i <= 3; i++) {
        MrgOutcome what = outcome(1, i, load(fixture, 1, i).version, NULL);
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
import_consent(const Fixture *fixture, MrgConsentState state, gint64 at_us)
{
    MrgConsent consent = {"track_open", state, at_us, "form \xc3\xa9"};
    MrgProfile profile = {
        .person = person(1), .address = "a@b.c", .consents = &consent, .n_consents = 1};
    import(fixture, &profile, 1);
}

static void
a_change_of_consent_makes_commits_conflict(Fixture *fixture,
                                           gconstpointer plugin G_GNUC_UNUSED)
{
    import_consent(fixture, MRG_CONSENT_GRANTED, 10);
    MrgState before = load(fixture, 1, 1);
    g_assert_cmpuint(before.version, >, 0);
    g_assert_cmpuint(before.n_consents, ==, 1);
    g_assert_cmpstr(before.consents[0].purpose, ==, "track_open");
    g_assert_cmpstr(before.consents[0].source, ==, "form \xc3\xa9");
    g_assert_cmpint(before.consents[0].state, ==, MRG_CONSENT_GRANTED);
    g_assert_cmpint(before.consents[0].at_us, ==, 10);

    import_consent(fixture, MRG_CONSENT_GRANTED, 20);
    g_assert_cmpuint(load(fixture, 1, 1).version, ==, before.version);
    import_consent(fixture, MRG_CONSENT_DENIED, 30);
    g_assert_cmpint(load(fixture, 1, 1).consents[0].state, ==, MRG_CONSENT_DENIED);
    MrgOutcome what = outcome(1, 1, before.version, "x");
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
import_suppression(const Fixture *fixture, const char *scope, const char *reason,
                   gint64 until_us)
{
    MrgSuppression suppression = {scope, reason, 10, until_us};
    MrgProfile profile = {.person = person(1),
                          .address = "a@b.c",
                          .suppressions = &suppression,
                          .n_suppressions = scope ? 1 : 0};
    import(fixture, &profile, 1);
}

static void
import_never_removes_a_suppression(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome first = outcome(1, 1, 0, "kept");
    g_assert_cmpint(commit(fixture, &first), ==, MRG_COMMIT_DONE);
    guint64 version = load(fixture, 1, 1).version;
    import_suppression(fixture, "all", "unsubscribed", 0);
    g_assert_cmpuint(load(fixture, 1, 1).version, !=, version);
    import_suppression(fixture, "all", "unsubscribed", 50);
    import_suppression(fixture, "class:promo", "bounced", 70);
    version = load(fixture, 1, 1).version;
    import_suppression(fixture, "class:promo", "bounced", 60);
    import_suppression(fixture, NULL, NULL, 0);
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpuint(state.version, ==, version);
    g_assert_cmpstr(state.history, ==, "kept");
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
        may = state.history_length < CAP;
        char *history = mrg_arena_printf(arena, "%s%s", state.history, may ? "x" : "");
        MrgOutcome this = outcome(who, what, state.version, may ? history : NULL);
        this.verdict = may ? MRG_VERDICT_DELIVER : MRG_VERDICT_DROP;
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
        g_assert_cmpstr(load(fixture, who, 0).history, ==, "xxx");
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

/* ---- what goes wrong --------------------------------------------------- */

static void
create_can_run_again(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgProfile profile = {.person = person(1), .address = "a@b.c"};
    import(fixture, &profile, 1);
    g_autoptr(GError) error = NULL;
    g_assert_true(mrg_store_create(fixture->store, &error));
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_HIT);
}

static void
assert_all_fail(const Fixture *fixture, gint code)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(1);
    MrgState state;
    MrgOutcome what = outcome(1, 1, 0, NULL);
    guint32 number;
    Feed feed = {NULL, 0, 0, FALSE};
    g_assert_cmpint(mrg_store_fetch(fixture->store, &key, NULL, 0, NULL, fixture->arena,
                                    soon(), &error),
                    ==, MRG_FETCH_ERROR);
    g_assert_error(error, MRG_STORE_ERROR, code);
    g_clear_error(&error);
    g_assert_false(
        mrg_store_load(fixture->store, &key, NULL, &state, fixture->arena, soon(), &error));
    g_assert_error(error, MRG_STORE_ERROR, code);
    g_clear_error(&error);
    g_assert_cmpint(mrg_store_commit(fixture->store, &what, soon(), &error), ==,
                    MRG_COMMIT_ERROR);
    g_assert_error(error, MRG_STORE_ERROR, code);
    g_clear_error(&error);
    g_assert_false(
        mrg_store_campaign_number(fixture->store, "spring", &number, soon(), &error));
    g_assert_error(error, MRG_STORE_ERROR, code);
    g_clear_error(&error);
    g_assert_false(mrg_store_import(fixture->store, next_profile, &feed, NULL, &error));
    g_assert_error(error, MRG_STORE_ERROR, code);
}

static void
a_missing_file_is_unavailable(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    assert_all_fail(fixture, MRG_STORE_ERROR_UNAVAILABLE);
    g_assert_false(g_file_test(fixture->file, G_FILE_TEST_EXISTS));
}

static void
missing_tables_are_an_error_of_schema(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    if (strcmp(fixture->plugin, "sqlite") == 0)
        g_assert_true(g_file_set_contents(fixture->file, "", 0, NULL));
    assert_all_fail(fixture, MRG_STORE_ERROR_SCHEMA);
}

static void
garbage_is_corrupt(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autofree char *garbage = g_strnfill(9000, 'g');
    g_assert_true(g_file_set_contents(fixture->file, garbage, -1, NULL));
    assert_all_fail(fixture, MRG_STORE_ERROR_CORRUPT);
}

static void
run_sql(const char *file, const char *sql)
{
    sqlite3 *db;
    g_assert_cmpint(sqlite3_open(file, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
    sqlite3_close(db);
}

static void
another_schema_is_left_alone(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    run_sql(fixture->file, "CREATE TABLE mine (a)");
    g_chmod(fixture->file, 0600);
    g_assert_false(mrg_store_create(fixture->store, &error));
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SCHEMA);
    g_clear_error(&error);
    run_sql(fixture->file, "DROP TABLE mine; PRAGMA user_version = 99");
    g_assert_false(mrg_store_create(fixture->store, &error));
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SCHEMA);
    assert_all_fail(fixture, MRG_STORE_ERROR_SCHEMA);
}

static void
a_file_that_others_read_is_refused(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    GStatBuf status;
    g_assert_true(mrg_store_create(fixture->store, &error));
    g_assert_cmpint(g_stat(fixture->file, &status), ==, 0);
    g_assert_cmpint(status.st_mode & 07, ==, 0);
    g_chmod(fixture->file, 0644);
    g_assert_false(mrg_store_create(fixture->store, &error));
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE);
}

static void
a_lock_ends_at_the_deadline(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    sqlite3 *db;
    g_assert_cmpint(sqlite3_open(fixture->file, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), ==, SQLITE_OK);

    MrgOutcome what = outcome(1, 1, 0, NULL);
    g_autoptr(GError) error = NULL;
    gint64 start_us = g_get_monotonic_time();
    MrgCommit result =
        mrg_store_commit(fixture->store, &what, start_us + SECOND / 4, &error);
    gint64 took_us = g_get_monotonic_time() - start_us;
    g_assert_cmpint(result, ==, MRG_COMMIT_ERROR);
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT);
    g_assert_cmpint(took_us, >=, SECOND / 5);
    g_assert_cmpint(took_us, <, 3 * SECOND);
    load(fixture, 1, 1); /* readers do not wait */

    g_assert_cmpint(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), ==, SQLITE_OK);
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    sqlite3_close(db);
}

static void
a_deadline_that_has_passed_is_a_timeout(Fixture *fixture,
                                        gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    sqlite3 *db;
    g_assert_cmpint(sqlite3_open(fixture->file, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), ==, SQLITE_OK);
    MrgOutcome what = outcome(1, 1, 0, NULL);
    g_assert_cmpint(mrg_store_commit(fixture->store, &what, 0, &error), ==,
                    MRG_COMMIT_ERROR);
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT);
    sqlite3_close(db);
}

static void
a_file_put_in_its_place_is_noticed(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autofree char *old = g_strconcat(fixture->file, ".old", NULL);
    g_autoptr(GError) error = NULL;
    MrgProfile profile = {.person = person(1), .address = "a@b.c"};
    import(fixture, &profile, 1);
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_HIT);
    g_assert_cmpint(g_rename(fixture->file, old), ==, 0);
    assert_all_fail(fixture, MRG_STORE_ERROR_UNAVAILABLE);
    g_assert_true(mrg_store_create(fixture->store, &error));
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_MISS);
}

static void
what_is_stored_wrongly_is_corrupt(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgProfileField in = {"name", field(MRG_FIELD_STRING, "x")};
    MrgProfile profile = {
        .person = person(1), .address = "a@b.c", .fields = &in, .n_fields = 1};
    import(fixture, &profile, 1);
    run_sql(fixture->file, "UPDATE field SET value = CAST(x'ff' AS TEXT)");
    const char *names[] = {"name"};
    MrgField out[1];
    MrgPersonKey key = person(1);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(mrg_store_fetch(fixture->store, &key, names, 1, out, fixture->arena,
                                    soon(), &error),
                    ==, MRG_FETCH_ERROR);
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
}

static void
changes_by_hand_count(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    import_consent(fixture, MRG_CONSENT_GRANTED, 10);
    import_suppression(fixture, "all", "manual", 0);
    static const char *const changes[] = {
        "UPDATE consent SET state = 2", "DELETE FROM consent",
        "UPDATE suppression SET until = 5", "DELETE FROM suppression"};
    for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
        guint64 version = load(fixture, 1, 1).version;
        run_sql(fixture->file, changes[i]);
        g_assert_cmpuint(load(fixture, 1, 1).version, ==, version + 1);
    }
}

/* ---- what goes wrong with PostgreSQL ------------------------------------ */

static void
a_locked_row_ends_at_the_deadline(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome what = outcome(1, 1, 0, "kept");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    what = outcome(1, 2, load(fixture, 1, 2).version, "next");
    PGconn *pg = connect_pgsql();
    run_pgsql(pg, "BEGIN");
    run_pgsql(pg, "SELECT 1 FROM merganser.person FOR UPDATE");

    g_autoptr(GError) error = NULL;
    gint64 start_us = g_get_monotonic_time();
    MrgCommit result =
        mrg_store_commit(fixture->store, &what, start_us + SECOND / 4, &error);
    gint64 took_us = g_get_monotonic_time() - start_us;
    g_assert_cmpint(result, ==, MRG_COMMIT_ERROR);
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT);
    g_assert_cmpint(took_us, >=, SECOND / 5);
    g_assert_cmpint(took_us, <, 3 * SECOND);

    run_pgsql(pg, "ROLLBACK");
    PQfinish(pg);
    g_assert_cmpstr(load(fixture, 1, 2).history, ==, "kept");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
}

#define KILL_OTHERS                                                 \
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity " \
    "WHERE pid <> pg_backend_pid() AND application_name = 'merganser'"

static void
idle_connections_may_die(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    PGconn *pg = connect_pgsql();
    load(fixture, 1, 1);
    run_pgsql(pg, KILL_OTHERS);
    load(fixture, 1, 1);
    run_pgsql(pg, KILL_OTHERS);
    MrgOutcome what = outcome(1, 1, 0, "x");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    PQfinish(pg);
}

static gpointer
commit_in_thread(gpointer data)
{
    MrgOutcome what = outcome(1, 2, load(data, 1, 2).version, "next");
    g_autoptr(GError) error = NULL;
    MrgCommit result = mrg_store_commit(((Fixture *) data)->store, &what, soon(), &error);
    g_assert_no_error(error);
    return GINT_TO_POINTER(result);
}

static gboolean
is_someone_waiting(PGconn *pg)
{
    PGresult *result = PQexec(pg, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = "
                                  "'Lock' AND application_name = 'merganser'");
    gboolean is_waiting = PQntuples(result) > 0;
    PQclear(result);
    return is_waiting;
}

static void
a_connection_lost_in_commit_is_uncertain(Fixture *fixture,
                                         gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome what = outcome(1, 1, 0, "kept");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    PGconn *holder = connect_pgsql(), *killer = connect_pgsql();
    run_pgsql(holder, "BEGIN");
    run_pgsql(holder, "SELECT 1 FROM merganser.person FOR UPDATE");
    GThread *thread = g_thread_new("commit", commit_in_thread, fixture);
    while (!is_someone_waiting(killer))
        g_thread_yield();
    run_pgsql(killer, KILL_OTHERS);
    g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread)), ==, MRG_COMMIT_UNCERTAIN);
    run_pgsql(holder, "ROLLBACK");
    PQfinish(holder);
    PQfinish(killer);
    g_assert_false(load(fixture, 1, 2).is_repeat);
    what = outcome(1, 2, load(fixture, 1, 2).version, "next");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
}

static void
it_works_without_prepared_statements(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgSetting settings[] = {{"conninfo", g_getenv("MRG_TEST_PGSQL")}, {"prepare", "no"}};
    g_autoptr(GError) error = NULL;
    mrg_store_close(fixture->store);
    fixture->store =
        mrg_store_open(g_getenv("MRG_PLUGIN_DIR"), "pgsql", settings, 2, &error);
    g_assert_no_error(error);
    MrgOutcome what = outcome(1, 1, 0, "x");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    g_assert_true(load(fixture, 1, 1).is_repeat);
}

static void
a_server_that_is_away_is_unavailable(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autofree char *conninfo = g_strdup_printf("host=%s password=hush", fixture->folder);
    MrgSetting settings[] = {{"conninfo", conninfo}};
    g_autoptr(GError) error = NULL;
    mrg_store_close(fixture->store);
    fixture->store =
        mrg_store_open(g_getenv("MRG_PLUGIN_DIR"), "pgsql", settings, 1, &error);
    g_assert_no_error(error);
    assert_all_fail(fixture, MRG_STORE_ERROR_UNAVAILABLE);
    g_assert_false(mrg_store_create(fixture->store, &error));
    g_assert_null(strstr(error->message, "hush"));
}

/* ---- main -------------------------------------------------------------- */

typedef struct Case {
    const char *name;
    void (*test)(Fixture *fixture, gconstpointer plugin);
} Case;

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
};

static const Case sqlite_only[] = {
    {"deadline/lock", a_lock_ends_at_the_deadline},
    {"deadline/passed", a_deadline_that_has_passed_is_a_timeout},
    {"file/replaced", a_file_put_in_its_place_is_noticed},
    {"stored-wrongly", what_is_stored_wrongly_is_corrupt},
    {"by-hand", changes_by_hand_count},
};

static const Case sqlite_empty[] = {
    {"file/missing", a_missing_file_is_unavailable},
    {"file/empty", missing_tables_are_an_error_of_schema},
    {"file/garbage", garbage_is_corrupt},
    {"file/another", another_schema_is_left_alone},
    {"file/secrecy", a_file_that_others_read_is_refused},
};

static const Case pgsql_only[] = {
    {"deadline/lock", a_locked_row_ends_at_the_deadline},
    {"lost/idle", idle_connections_may_die},
    {"lost/commit", a_connection_lost_in_commit_is_uncertain},
    {"lost/server", a_server_that_is_away_is_unavailable},
    {"prepare/no", it_works_without_prepared_statements},
};

static const Case pgsql_empty[] = {
    {"schema/missing", missing_tables_are_an_error_of_schema},
};

static void
add(const char *plugin, const Case *cases, gsize n,
    void (*prepare)(Fixture *fixture, gconstpointer plugin))
{
    for (gsize i = 0; i < n; i++) {
        g_autofree char *path = g_strdup_printf("/store/%s/%s", plugin, cases[i].name);
        g_test_add(path, Fixture, plugin, prepare, cases[i].test, tear_down);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (g_getenv("MRG_TEST_PGSQL")) {
        add("pgsql", contract, G_N_ELEMENTS(contract), set_up);
        add("pgsql", pgsql_only, G_N_ELEMENTS(pgsql_only), set_up);
        add("pgsql", pgsql_empty, G_N_ELEMENTS(pgsql_empty), set_up_empty);
        return g_test_run();
    }
    add("memory", contract, G_N_ELEMENTS(contract), set_up);
    add("sqlite", contract, G_N_ELEMENTS(contract), set_up);
    add("sqlite", sqlite_only, G_N_ELEMENTS(sqlite_only), set_up);
    add("sqlite", sqlite_empty, G_N_ELEMENTS(sqlite_empty), set_up_empty);
    return g_test_run();
}
