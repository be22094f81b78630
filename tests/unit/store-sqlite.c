/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "tests/unit/store-fixture.h"

/* ---- what goes wrong --------------------------------------------------- */

static void
a_missing_file_is_unavailable(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    assert_all_fail(fixture, MRG_STORE_ERROR_UNAVAILABLE);
    g_assert_false(g_file_test(fixture->file, G_FILE_TEST_EXISTS));
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
a_file_that_went_away_is_noticed(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
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
a_file_put_in_its_place_is_noticed(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autofree char *backup = g_strconcat(fixture->file, ".old", NULL);
    g_autofree char *bytes = NULL;
    gsize length;
    MrgProfile profile = {.person = person(1), .address = "a@b.c"};
    run_sql(fixture->file, "PRAGMA wal_checkpoint(TRUNCATE)");
    g_assert_true(g_file_get_contents(fixture->file, &bytes, &length, NULL));
    g_assert_true(g_file_set_contents(backup, bytes, (gssize) length, NULL));
    import(fixture, &profile, 1);
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_HIT);
    run_sql(fixture->file, "PRAGMA wal_checkpoint(TRUNCATE)");
    g_assert_cmpint(g_rename(backup, fixture->file), ==, 0);
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
        guint64 version = load(fixture, 1, 1).own.version;
        run_sql(fixture->file, changes[i]);
        g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, version + 1);
    }
}

/* ---- tables of before -------------------------------------------------- */

/* Runs a file of conf/sql. */
static void
run_tables(const Fixture *fixture, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path =
        g_test_build_filename(G_TEST_DIST, "..", "conf", "sql", name, NULL);
    g_autofree char *tables = NULL;
    g_assert_true(g_file_get_contents(path, &tables, NULL, &error));
    run_sql(fixture->file, tables);
}

static void
tables_of_version_1_are_upgraded(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    run_tables(fixture, "sqlite.sql");
    run_sql(
        fixture->file,
        "PRAGMA journal_mode = WAL;"
        "INSERT INTO person VALUES (x'01000000000000000000000000000070', 7, '5 promo x');"
        "INSERT INTO event (at, key, campaign, class, verdict, reason, message) VALUES "
        "(5, x'01000000000000000000000000000070', 'old', 'promo', 0, 'ok: test',"
        " x'0100000000000000000000000000006d');");
    g_chmod(fixture->file, 0600);
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
    g_assert_cmpstr(events, ==, "5 deliver old\n");
    MrgOutcome next = outcome(1, 2, 7, "6 promo y");
    g_assert_cmpint(commit(fixture, &next), ==, MRG_COMMIT_DONE);
}

static void
tables_of_version_2_are_upgraded(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    run_tables(fixture, "sqlite.sql");
    run_tables(fixture, "sqlite-2.sql");
    run_sql(fixture->file,
            "PRAGMA journal_mode = WAL;"
            "INSERT INTO event (at, key, campaign, class, verdict, reason, message) VALUES "
            "(5, x'01000000000000000000000000000070', 'old', 'promo', 4, 'quiet: test',"
            " x'0100000000000000000000000000006d');"
            "INSERT INTO hold (message, key, host, queue_id, campaign, class, at, until) "
            "VALUES "
            "(x'0100000000000000000000000000006d', x'01000000000000000000000000000070',"
            " 'mx1.example', '4ABC', 'old', 'promo', 5, 500);");
    g_chmod(fixture->file, 0600);
    assert_all_fail(fixture, MRG_STORE_ERROR_SCHEMA);
    mrg_store_create(fixture->store, &error);
    g_assert_no_error(error);
    g_autofree char *events = events_text(fixture, 1, 9);
    g_autofree char *holds = holds_text(fixture, NULL, NULL, G_MAXINT64);
    g_assert_cmpstr(events, ==, "5 hold old\n");
    g_assert_cmpstr(holds, ==, "1 of 1: mx1.example 4ABC old promo 5-500\n");
}

/* ---- many at once ------------------------------------------------------ */

#define N_WAITING 16

typedef struct Waiting {
    const Fixture *fixture;
    MrgOutcome outcome;
    MrgCommit result;
} Waiting;

static gpointer
commit_in_thread(gpointer data)
{
    Waiting *waiting = data;
    waiting->result = commit(waiting->fixture, &waiting->outcome);
    return NULL;
}

/* While another process holds the lock they pile up, and then go in few groups.  Each
 * person is there twice, decided on the same version. */
static void
a_conflict_leaves_the_rest_of_its_group_alone(Fixture *fixture,
                                              gconstpointer plugin G_GNUC_UNUSED)
{
    Waiting waiting[N_WAITING];
    GThread *threads[N_WAITING];
    sqlite3 *db;
    g_assert_cmpint(sqlite3_open(fixture->file, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), ==, SQLITE_OK);
    for (guint i = 0; i < N_WAITING; i++) {
        waiting[i] = (Waiting){fixture, outcome(i / 2, i, 0, "sent"), MRG_COMMIT_ERROR};
        threads[i] = g_thread_new("commit", commit_in_thread, &waiting[i]);
    }
    g_assert_cmpint(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), ==, SQLITE_OK);
    sqlite3_close(db);
    for (guint i = 0; i < N_WAITING; i++)
        g_thread_join(threads[i]);
    for (guint i = 0; i < N_WAITING; i += 2) {
        const MrgCommit *pair[] = {&waiting[i].result, &waiting[i + 1].result};
        gboolean is_first = *pair[0] == MRG_COMMIT_DONE;
        g_assert_cmpint(*pair[!is_first], ==, MRG_COMMIT_DONE);
        g_assert_cmpint(*pair[is_first], ==, MRG_COMMIT_CONFLICT);
        g_assert_true(load(fixture, i / 2, i + !is_first).is_repeat);
        g_assert_false(load(fixture, i / 2, i + is_first).is_repeat);
        g_assert_cmpuint(load(fixture, i / 2, i).own.version, ==, 1);
    }
}

/* A reader of the file finds nothing of a person that was erased, in any of its parts. */
static gboolean
file_holds(const char *file, const char *tail, const char *text)
{
    g_autofree char *path = g_strconcat(file, tail, NULL);
    g_autofree char *bytes = NULL;
    gsize length = 0;
    if (!g_file_get_contents(path, &bytes, &length, NULL))
        return FALSE;
    return memmem(bytes, length, text, strlen(text)) != NULL;
}

static void
erasure_overwrites(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    static const char *const parts[] = {"", "-wal"};
    g_autoptr(GError) error = NULL;
    MrgProfileField in = {"name", field(MRG_FIELD_STRING, "Wilhelmina")};
    MrgProfile profile = {
        .person = person(1), .address = "ann@b.c", .fields = &in, .n_fields = 1};
    import(fixture, &profile, 1);
    g_assert_true(file_holds(fixture->file, "", "Wilhelmina") ||
                  file_holds(fixture->file, "-wal", "Wilhelmina"));
    g_assert_true(mrg_store_erase(fixture->store, &profile.person, 777, &error));
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_assert_false(file_holds(fixture->file, parts[i], "Wilhelmina"));
        g_assert_false(file_holds(fixture->file, parts[i], "ann@b.c"));
    }
}

/* ---- cases -------------------------------------------------------------- */

const Case sqlite_only[] = {
    {"deadline/lock", a_lock_ends_at_the_deadline},
    {"deadline/passed", a_deadline_that_has_passed_is_a_timeout},
    {"file/away", a_file_that_went_away_is_noticed},
    {"file/replaced", a_file_put_in_its_place_is_noticed},
    {"stored-wrongly", what_is_stored_wrongly_is_corrupt},
    {"by-hand", changes_by_hand_count},
    {"group", a_conflict_leaves_the_rest_of_its_group_alone},
    {"erase/overwrites", erasure_overwrites},
    {NULL, NULL},
};

const Case sqlite_empty[] = {
    {"file/missing", a_missing_file_is_unavailable},
    {"file/empty", missing_tables_are_an_error_of_schema},
    {"file/garbage", garbage_is_corrupt},
    {"file/another", another_schema_is_left_alone},
    {"file/secrecy", a_file_that_others_read_is_refused},
    {"upgrade/1", tables_of_version_1_are_upgraded},
    {"upgrade/2", tables_of_version_2_are_upgraded},
    {NULL, NULL},
};
