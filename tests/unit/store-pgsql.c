/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <libpq-fe.h>
#include <string.h>

#include "milter/hits.h"
#include "tests/unit/store-fixture.h"

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

void
pgsql_run_on(const char *conninfo, const char *sql)
{
    PGconn *pg = PQconnectdb(conninfo);
    g_assert_cmpint(PQstatus(pg), ==, CONNECTION_OK);
    run_pgsql(pg, sql);
    PQfinish(pg);
}

void
pgsql_run(const char *sql)
{
    pgsql_run_on(g_getenv("MRG_TEST_PGSQL"), sql);
}

char *
pgsql_ask(const char *sql)
{
    PGconn *pg = PQconnectdb(g_getenv("MRG_TEST_PGSQL"));
    PGresult *result = PQexec(pg, sql);
    g_assert_cmpint(PQntuples(result), ==, 1);
    char *text = g_strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(pg);
    return text;
}

/* Two databases behind a router keep their tables. */
static void
empty_shards(const char *shards)
{
    for (guint i = 0; i < 2; i++) {
        g_autofree char *conninfo = g_strdup_printf("%s%u", shards, i);
        pgsql_run_on(conninfo,
                     "SET session_replication_role = replica; TRUNCATE merganser.profile, "
                     "merganser.person, merganser.consent_log, merganser.suppression, "
                     "merganser.event, merganser.outcome, merganser.hold, "
                     "merganser.campaign, merganser.link RESTART IDENTITY");
    }
}

void
pgsql_reset(void)
{
    const char *shards = g_getenv("MRG_TEST_PGSQL_SHARDS");
    if (shards) {
        empty_shards(shards);
        return;
    }
    PGconn *pg = connect_pgsql();
    run_pgsql(pg, "SET client_min_messages = warning");
    run_pgsql(pg, "DROP SCHEMA IF EXISTS merganser CASCADE");
    PQfinish(pg);
}

/* ---- what goes wrong with PostgreSQL ------------------------------------ */

static void
a_locked_row_ends_at_the_deadline(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome what = outcome(1, 1, 0, "kept");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    what = outcome(1, 2, load(fixture, 1, 2).own.version, "next");
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
    g_assert_cmpstr(load(fixture, 1, 2).own.history, ==, "kept");
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
    MrgOutcome what = outcome(1, 2, load(data, 1, 2).own.version, "next");
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
    what = outcome(1, 2, load(fixture, 1, 2).own.version, "next");
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

/* ---- tables ------------------------------------------------------------- */

static char *
ask_pgsql(const char *sql)
{
    PGconn *pg = connect_pgsql();
    PGresult *result = PQexec(pg, sql);
    g_assert_cmpint(PQresultStatus(result), ==, PGRES_TUPLES_OK);
    char *answer = g_strdup(PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(pg);
    return answer;
}

static void
assert_pgsql(const char *sql, const char *expected)
{
    g_autofree char *answer = ask_pgsql(sql);
    g_assert_cmpstr(answer, ==, expected);
}

#define PERSON_1 "'\\x01000000000000000000000000000070'"
#define MESSAGE_1 "'\\x0100000000000000000000000000006d'"
#define IN_2023 "1700000000000000" /* November */

/* Runs a file of conf/sql. */
static void
run_tables(PGconn *pg, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path =
        g_test_build_filename(G_TEST_DIST, "..", "conf", "sql", name, NULL);
    g_autofree char *tables = NULL;
    g_assert_true(g_file_get_contents(path, &tables, NULL, &error));
    run_pgsql(pg, tables);
}

/* "PURPOSE STATE AT SOURCE; ... | SCOPE REASON AT-UNTIL; ..." */
static void
assert_gates(const Fixture *fixture, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    MrgState state = load(fixture, 1, 99);
    for (gsize i = 0; i < state.n_consents; i++) {
        const MrgConsent *consent = &state.consents[i];
        g_string_append_printf(text, "%s %d %" G_GINT64_FORMAT " %s; ", consent->purpose,
                               consent->state, consent->at_us, consent->source);
    }
    g_string_append(text, "|");
    for (gsize i = 0; i < state.n_suppressions; i++) {
        const MrgSuppression *row = &state.suppressions[i];
        g_string_append_printf(text, " %s %s %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT ";",
                               row->scope, row->reason, row->at_us, row->until_us);
    }
    g_assert_cmpstr(text->str, ==, expected);
}

static void
tables_of_version_2_are_upgraded(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    PGconn *pg = connect_pgsql();
    run_tables(pg, "pgsql.sql");
    run_tables(pg, "pgsql-2.sql");
    run_pgsql(
        pg,
        "INSERT INTO merganser.event (at, key, campaign, class, sender, tags, verdict, "
        "reason, \"until\", message) VALUES (5, " PERSON_1 ", 'old', 'promo', '', '', 4, "
        "'quiet: test', 500, " MESSAGE_1 ");"
        "INSERT INTO merganser.hold (message, key, host, queue_id, campaign, class, at, "
        "\"until\") VALUES (" MESSAGE_1 ", " PERSON_1 ", 'mx1.example', '4ABC', 'old', "
        "'promo', 5, 500);"
        "INSERT INTO merganser.profile VALUES (" PERSON_1 ", 'a@b.c');"
        "INSERT INTO merganser.field VALUES (" PERSON_1 ", 'name', 4, E'A\"\\\\\nn'), "
        "(" PERSON_1 ", 'age', 3, '4.50');"
        "INSERT INTO merganser.consent_log VALUES "
        "(" PERSON_1 ", 'track_open', 10, 1, 'form'), (" PERSON_1 ", 'track_open', 20, 2, "
        "'page'), (" PERSON_1 ", 'profile', 5, 1, '');"
        "INSERT INTO merganser.suppression VALUES "
        "(" PERSON_1 ", 'class:promo', 'manual', 7, 9)");
    PQfinish(pg);
    assert_all_fail(fixture, MRG_STORE_ERROR_SCHEMA);
    mrg_store_create(fixture->store, &error);
    g_assert_no_error(error);
    g_autofree char *events = events_text(fixture, 1, 9);
    g_autofree char *holds = holds_text(fixture, NULL, NULL, G_MAXINT64);
    g_assert_cmpstr(events, ==, "5 hold old\n");
    g_assert_cmpstr(holds, ==, "1 of 1: mx1.example 4ABC old promo 5-500\n");
    const char *names[] = {"age", "name", "none"};
    MrgField fields[3];
    g_assert_cmpint(fetch(fixture, 1, names, 3, fields), ==, MRG_FETCH_HIT);
    assert_field(&fields[0], MRG_FIELD_NUMBER, "4.50");
    assert_field(&fields[1], MRG_FIELD_STRING, "A\"\\\nn");
    g_assert_cmpint(fields[2].type, ==, MRG_FIELD_MISSING);
    assert_gates(fixture, "profile 1 5 ; track_open 2 20 page; | class:promo manual 7-9;");
}

static void
tables_of_version_1_are_upgraded(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    PGconn *pg = connect_pgsql();
    run_tables(pg, "pgsql.sql");
    run_pgsql(pg,
              "INSERT INTO merganser.person VALUES (" PERSON_1 ", 7, '5 promo x');"
              "INSERT INTO merganser.event (at, key, campaign, class, verdict, reason, "
              "message) VALUES (5, " PERSON_1 ", 'older', 'promo', 0, 'ok: test', NULL), "
              "(" IN_2023 ", " PERSON_1 ", 'old', 'promo', 0, 'ok: test', " MESSAGE_1 ")");
    PQfinish(pg);
    guint is, needed;
    g_assert_true(mrg_store_schema_version(fixture->store, &is, &needed, &error));
    g_assert_cmpuint(is, ==, 1);
    g_assert_cmpuint(needed, ==, 4);
    assert_all_fail(fixture, MRG_STORE_ERROR_SCHEMA);

    mrg_store_create(fixture->store, &error);
    g_assert_no_error(error);
    g_assert_true(mrg_store_schema_version(fixture->store, &is, &needed, &error));
    g_assert_cmpuint(is, ==, 4);
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpuint(state.own.version, ==, 7);
    g_assert_cmpstr(state.own.history, ==, "5 promo x");
    g_assert_true(state.is_repeat);
    g_autofree char *events = events_text(fixture, 1, 9);
    g_assert_cmpstr(events, ==, "0 deliver old\n5 deliver older\n");
    assert_pgsql("SELECT count(*) FROM merganser.event_202311", "1");
    MrgOutcome next = outcome(1, 2, 7, "6 promo y");
    g_assert_cmpint(commit(fixture, &next), ==, MRG_COMMIT_DONE);
}

static guint64
retain_hits(const Fixture *fixture, gint64 before_us)
{
    g_autoptr(GError) error = NULL;
    const MrgRetention retention = {.hits_us = before_us};
    guint64 n = 0;
    mrg_store_retain(fixture->store, &retention, &n, &error);
    g_assert_no_error(error);
    return n;
}

static void
record_answers(const Fixture *fixture, gint64 at_us)
{
    g_autoptr(GError) error = NULL;
    const MrgWebEvent web = {.at_us = at_us,
                             .kind = 1,
                             .site = "shop",
                             .name = "buy",
                             .anonymous_id = "",
                             .event_id = "e1",
                             .data = ""};
    const MrgDelivery delivery = {.message = 7,
                                  .state = MRG_DELIVERY_DEFERRED,
                                  .at_us = at_us,
                                  .campaign = 1,
                                  .code = "4.2.0"};
    const MrgHitBatch batch = {
        .web_events = &web, .n_web_events = 1, .deliveries = &delivery, .n_deliveries = 1};
    mrg_store_record_hits(fixture->store, &batch, &error);
    g_assert_no_error(error);
}

#define ANSWERS                                                                     \
    "SELECT (SELECT string_agg(at || ' ' || event, ', ' ORDER BY id) FROM "         \
    "merganser.web_event) || ' | ' || (SELECT string_agg(at || ' ' || state, ', ' " \
    "ORDER BY campaign, message, state) FROM merganser.delivery)"

static void
tables_of_version_3_are_upgraded(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    PGconn *pg = connect_pgsql();
    run_tables(pg, "pgsql.sql");
    run_tables(pg, "pgsql-2.sql");
    run_tables(pg, "pgsql-3.sql");
    run_pgsql(
        pg,
        "INSERT INTO merganser.web_event (at, site, kind, name, anonymous, event, data, "
        "key) "
        "VALUES (5, 'shop', 1, 'buy', '', 'e1', '', " PERSON_1 "), "
        "(6, 'shop', 1, 'buy', '', '', '', NULL), (7, 'shop', 1, 'buy', '', '', '', NULL);"
        "INSERT INTO merganser.delivery VALUES (1, 7, 5, 1, '4.2.0', " PERSON_1 "), "
        "(1, 7, 9, 0, '2.0.0', " PERSON_1 "), (1, 8, 3, 3, '5.1.1', NULL)");
    PQfinish(pg);
    assert_all_fail(fixture, MRG_STORE_ERROR_SCHEMA);
    mrg_store_create(fixture->store, &error);
    g_assert_no_error(error);
    assert_pgsql(ANSWERS, "5 e1, 6 , 7  | 9 0, 5 1, 3 3");
    record_answers(fixture, 20); /* once more: the first stays, the later time counts */
    assert_pgsql(ANSWERS, "5 e1, 6 , 7  | 9 0, 20 1, 3 3");
    g_assert_cmpuint(retain_hits(fixture, 7), ==, 3);
    assert_pgsql(ANSWERS, "7  | 9 0, 20 1");
}

static void
answers_go_in_batches(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    PGconn *pg = connect_pgsql();
    run_pgsql(
        pg,
        "INSERT INTO merganser.delivery SELECT 1, n, n, 0, '', NULL FROM "
        "generate_series(1, 25000) n;"
        "INSERT INTO merganser.web_event (at, site, kind, name, anonymous, event, data) "
        "SELECT n, 'shop', 1, 'buy', '', 'e' || n, '' FROM generate_series(1, 15000) n;"
        "CREATE TABLE gone (transaction bigint, n bigint);"
        "CREATE FUNCTION note_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO gone SELECT txid_current(), count(*) FROM was; RETURN NULL; END $$;"
        "CREATE TRIGGER note_gone AFTER DELETE ON merganser.delivery REFERENCING OLD TABLE "
        "AS was FOR EACH STATEMENT EXECUTE FUNCTION note_gone()");
    g_assert_cmpuint(retain_hits(fixture, 24001), ==, 24000 + 15000);
    assert_pgsql("SELECT string_agg(n::text, ' ' ORDER BY transaction) FROM gone "
                 "WHERE n > 0",
                 "10000 10000 4000");
    assert_pgsql("SELECT count(DISTINCT transaction) FROM gone WHERE n > 0", "3");
    run_pgsql(pg, "DROP TABLE gone; DROP FUNCTION note_gone() CASCADE");
    PQfinish(pg);
    g_assert_cmpuint(retain_hits(fixture, G_MAXINT64), ==, 1000);
}

/* ---- what is copied into the person's row -------------------------------- */

static void
assert_refused(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    g_assert_cmpint(PQresultStatus(result), ==, PGRES_FATAL_ERROR);
    PQclear(result);
}

static void
changes_by_hand_count_at_once(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    PGconn *pg = connect_pgsql();
    run_pgsql(pg, "INSERT INTO merganser.suppression VALUES (" PERSON_1
                  ", 'all', 'manual', 1, 0), (" PERSON_1 ", 'list:x', 'manual', 2, 0)");
    run_pgsql(pg, "INSERT INTO merganser.consent_log VALUES (" PERSON_1
                  ", 'profile', 5, 1, 'a, b {c} \"d\"')");
    assert_gates(fixture,
                 "profile 1 5 a, b {c} \"d\"; | all manual 1-0; list:x manual 2-0;");
    guint64 version = load(fixture, 1, 99).own.version;
    run_pgsql(pg, "UPDATE merganser.suppression SET \"until\" = 9 WHERE scope = 'list:x'");
    run_pgsql(pg, "DELETE FROM merganser.suppression WHERE scope = 'all'");
    assert_gates(fixture, "profile 1 5 a, b {c} \"d\"; | list:x manual 2-9;");
    g_assert_cmpuint(load(fixture, 1, 99).own.version, ==, version + 2);
    assert_refused(pg, "UPDATE merganser.consent_log SET state = 2");
    assert_refused(pg, "TRUNCATE merganser.consent_log");
    assert_refused(pg, "TRUNCATE merganser.suppression");
    run_pgsql(pg, "DELETE FROM merganser.consent_log; DELETE FROM merganser.suppression");
    assert_gates(fixture, "|");
    PQfinish(pg);
}

static gpointer
import_in_thread(gpointer fixture)
{
    import_consent(fixture, MRG_CONSENT_GRANTED, 30);
    return NULL;
}

static void
changes_at_once_are_both_seen(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    PGconn *pg = connect_pgsql(), *watcher = connect_pgsql();
    run_pgsql(pg, "BEGIN; INSERT INTO merganser.consent_log VALUES (" PERSON_1
                  ", 'profile', 5, 1, '')");
    GThread *thread = g_thread_new("import", import_in_thread, fixture);
    while (!is_someone_waiting(watcher))
        g_thread_yield();
    run_pgsql(pg, "COMMIT");
    g_thread_join(thread);
    assert_gates(fixture, "profile 1 5 ; track_open 1 30 form \xc3\xa9; |");
    PQfinish(pg);
    PQfinish(watcher);
}

/* Lists that no trigger made are refused, whatever is wrong with them. */
static void
a_damaged_list_is_corrupt(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    static const char *const lists[] = {
        "{a,b,c}", "{a,b,1,NULL}", "{a,b,x,1}", "{a,b,7,1}", "{{a,b},{c,d}}",
    };
    PGconn *pg = connect_pgsql();
    MrgOutcome what = outcome(1, 1, 0, "kept");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_autoptr(GError) error = NULL;
        MrgPersonKey key = person(1);
        MrgState state;
        g_autofree char *sql =
            g_strdup_printf("UPDATE merganser.person SET consents = '%s'", lists[i]);
        run_pgsql(pg, sql);
        g_assert_false(mrg_store_load(fixture->store, &key, NULL, NULL, 0, &state,
                                      fixture->arena, soon(), &error));
        g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
        g_assert_nonnull(strstr(error->message, "person 01000000"));
    }
    PQfinish(pg);
}

static void
many_fields_come_back_in_their_order(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgProfileField in[40];
    const char *names[G_N_ELEMENTS(in)];
    MrgField out[G_N_ELEMENTS(in)];
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < G_N_ELEMENTS(in); i++) {
        g_ptr_array_add(texts, g_strdup_printf("f%u", 39 - i));
        names[39 - i] = g_ptr_array_index(texts, i);
        in[i] = (MrgProfileField){names[39 - i], field(MRG_FIELD_STRING, names[39 - i])};
    }
    MrgProfile profile = {
        .person = person(1), .address = "a@b.c", .fields = in, .n_fields = 40};
    import(fixture, &profile, 1);
    for (gsize n = 0; n <= G_N_ELEMENTS(in); n++) {
        g_assert_cmpint(fetch(fixture, 1, names, n, out), ==, MRG_FETCH_HIT);
        for (gsize i = 0; i < n; i++)
            assert_field(&out[i], MRG_FIELD_STRING, names[i]);
    }
}

/* ---- months -------------------------------------------------------------- */

static void
months_are_made_ahead_and_dropped(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    guint64 n_rows = 0;
    MrgRetention none = {0};
    /* Nobody made November 2023, as when the timer did not run: mail goes on. */
    for (guint i = 1; i <= 3; i++) {
        MrgOutcome what = outcome(1, i, i - 1, "");
        g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    }
    assert_pgsql("SELECT count(*) FROM merganser.event_default", "3");
    assert_pgsql("SELECT count(*) FROM pg_inherits "
                 "WHERE inhparent = 'merganser.event'::regclass",
                 "5"); /* the default, this month and three more */
    assert_pgsql("SELECT merganser.mrg_make_partitions(" IN_2023 ")", "");
    assert_pgsql("SELECT count(*) FROM merganser.event_default", "0");
    assert_pgsql("SELECT count(*) FROM merganser.event_202311", "3");
    assert_pgsql("SELECT count(*) FROM merganser.event_202402", "0");

    /* Within the month: rows go, the table stays. */
    MrgRetention some = {.events_us = 1700000000 * SECOND + 2};
    g_assert_true(mrg_store_retain(fixture->store, &some, &n_rows, &error));
    g_assert_cmpuint(n_rows, ==, 1);
    g_assert_false(load(fixture, 1, 1).is_repeat);
    g_assert_true(load(fixture, 1, 2).is_repeat);
    MrgRetention all = {.events_us = 1701388800 * SECOND}; /* 1 December 2023 */
    g_assert_true(mrg_store_retain(fixture->store, &all, &n_rows, &error));
    g_assert_cmpuint(n_rows, ==, 2);
    assert_pgsql("SELECT to_regclass('merganser.event_202311') IS NULL", "t");
    assert_pgsql("SELECT to_regclass('merganser.event_202312') IS NULL", "f");
    g_assert_true(mrg_store_retain(fixture->store, &none, &n_rows, &error));
    g_assert_cmpuint(n_rows, ==, 0);
    g_assert_false(load(fixture, 1, 3).is_repeat);
}

/* ---- shards --------------------------------------------------------------- */

static void
people_are_on_two_shards(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    for (guint i = 0; i < 8; i++) {
        MrgOutcome what = outcome(i, i, 0, "x");
        g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
        g_assert_true(load(fixture, i, i).is_repeat);
    }
    assert_pgsql("SELECT count(*) FROM merganser.event", "8");
    assert_pgsql("SELECT count(*) FROM merganser_0.event", "4");
    assert_pgsql("SELECT count(*) FROM merganser_1.person WHERE get_byte(key, 0) % 2 = 1",
                 "4");
}

static void
what_spans_shards_is_refused(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(1), shared = person(2);
    MrgState state;
    g_assert_false(mrg_store_load(fixture->store, &key, NULL, &shared, 1, &state,
                                  fixture->arena, soon(), &error));
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "no cap may have scope domain"));
}

/* ---- cases -------------------------------------------------------------- */

const Case pgsql_only[] = {
    {"deadline/lock", a_locked_row_ends_at_the_deadline},
    {"lost/idle", idle_connections_may_die},
    {"lost/commit", a_connection_lost_in_commit_is_uncertain},
    {"lost/server", a_server_that_is_away_is_unavailable},
    {"prepare/no", it_works_without_prepared_statements},
    {"person/by-hand", changes_by_hand_count_at_once},
    {"person/at-once", changes_at_once_are_both_seen},
    {"person/damaged", a_damaged_list_is_corrupt},
    {"fields/many", many_fields_come_back_in_their_order},
    {"months", months_are_made_ahead_and_dropped},
    {"retain/batches", answers_go_in_batches},
    {NULL, NULL},
};

const Case pgsql_empty[] = {
    {"schema/missing", missing_tables_are_an_error_of_schema},
    {"upgrade/1", tables_of_version_1_are_upgraded},
    {"upgrade/2", tables_of_version_2_are_upgraded},
    {"upgrade/3", tables_of_version_3_are_upgraded},
    {NULL, NULL},
};

const Case pgsql_shards[] = {
    {"shards/spread", people_are_on_two_shards},
    {"shards/shared", what_spans_shards_is_refused},
    {NULL, NULL},
};
