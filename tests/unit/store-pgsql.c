/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <libpq-fe.h>
#include <string.h>

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
pgsql_reset(void)
{
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
        "'promo', 5, 500)");
    PQfinish(pg);
    assert_all_fail(fixture, MRG_STORE_ERROR_SCHEMA);
    mrg_store_create(fixture->store, &error);
    g_assert_no_error(error);
    g_autofree char *events = events_text(fixture, 1, 9);
    g_autofree char *holds = holds_text(fixture, NULL, NULL, G_MAXINT64);
    g_assert_cmpstr(events, ==, "5 hold old\n");
    g_assert_cmpstr(holds, ==, "1 of 1: mx1.example 4ABC old promo 5-500\n");
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
    g_assert_cmpuint(needed, ==, 3);
    assert_all_fail(fixture, MRG_STORE_ERROR_SCHEMA);

    mrg_store_create(fixture->store, &error);
    g_assert_no_error(error);
    g_assert_true(mrg_store_schema_version(fixture->store, &is, &needed, &error));
    g_assert_cmpuint(is, ==, 3);
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

/* ---- cases -------------------------------------------------------------- */

const Case pgsql_only[] = {
    {"deadline/lock", a_locked_row_ends_at_the_deadline},
    {"lost/idle", idle_connections_may_die},
    {"lost/commit", a_connection_lost_in_commit_is_uncertain},
    {"lost/server", a_server_that_is_away_is_unavailable},
    {"prepare/no", it_works_without_prepared_statements},
    {"months", months_are_made_ahead_and_dropped},
    {NULL, NULL},
};

const Case pgsql_empty[] = {
    {"schema/missing", missing_tables_are_an_error_of_schema},
    {"upgrade/1", tables_of_version_1_are_upgraded},
    {"upgrade/2", tables_of_version_2_are_upgraded},
    {NULL, NULL},
};
