/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "tests/unit/store-fixture.h"

/* With this setting, and others by default, except for durability. */
static void
reopen(Fixture *fixture, const char *name, const char *value)
{
    MrgSetting settings[] = {
        {"file", fixture->file}, {name, value}, {"durability", "normal"}};
    gsize n = strcmp(name, "durability") == 0 ? 2 : 3;
    g_autoptr(GError) error = NULL;
    mrg_store_close(fixture->store);
    fixture->store =
        mrg_store_open(g_getenv("MRG_PLUGIN_DIR"), "sqlite", settings, n, &error);
    g_assert_no_error(error);
}

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
    gboolean is_there;
} Waiting;

static gpointer
commit_in_thread(gpointer data)
{
    Waiting *waiting = data;
    waiting->result = commit(waiting->fixture, &waiting->outcome);
    return NULL;
}

/* As another process would; closing gives it back. */
static sqlite3 *
take_lock(const Fixture *fixture)
{
    sqlite3 *db;
    g_assert_cmpint(sqlite3_open(fixture->file, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), ==, SQLITE_OK);
    return db;
}

/* While another process holds the lock they pile up, and then go in few groups.  Each
 * person is there twice, decided on the same version. */
static void
a_conflict_leaves_the_rest_of_its_group_alone(Fixture *fixture,
                                              gconstpointer plugin G_GNUC_UNUSED)
{
    Waiting waiting[N_WAITING];
    GThread *threads[N_WAITING];
    sqlite3 *db = take_lock(fixture);
    for (guint i = 0; i < N_WAITING; i++) {
        waiting[i] =
            (Waiting){fixture, outcome(i / 2, i, 0, "sent"), MRG_COMMIT_ERROR, FALSE};
        threads[i] = g_thread_new("commit", commit_in_thread, &waiting[i]);
    }
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

static gpointer
commit_what_fails(gpointer data)
{
    Waiting *waiting = data;
    g_autoptr(GError) error = NULL;
    waiting->result =
        mrg_store_commit(waiting->fixture->store, &waiting->outcome, soon(), &error);
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
    return NULL;
}

/* It fails at its event, when the account is written. */
static void
a_failure_leaves_the_rest_of_its_group_alone(Fixture *fixture,
                                             gconstpointer plugin G_GNUC_UNUSED)
{
    Waiting waiting[N_WAITING];
    GThread *threads[N_WAITING];
    run_sql(fixture->file, "CREATE TRIGGER no BEFORE INSERT ON event WHEN "
                           "NEW.campaign = 'no' BEGIN SELECT RAISE(ABORT, 'no'); END");
    sqlite3 *db = take_lock(fixture);
    for (guint i = 0; i < N_WAITING; i++) {
        gboolean fails = i % 4 == 2;
        waiting[i] =
            (Waiting){fixture, outcome(i, i, 0, "sent"), MRG_COMMIT_UNCERTAIN, FALSE};
        if (fails)
            waiting[i].outcome.event.campaign = "no";
        threads[i] = g_thread_new("commit", fails ? commit_what_fails : commit_in_thread,
                                  &waiting[i]);
    }
    sqlite3_close(db);
    for (guint i = 0; i < N_WAITING; i++) {
        g_thread_join(threads[i]);
        gboolean fails = i % 4 == 2;
        MrgState state = load(fixture, i, i);
        g_assert_cmpint(waiting[i].result, ==, fails ? MRG_COMMIT_ERROR : MRG_COMMIT_DONE);
        g_assert_cmpuint(state.own.version, ==, !fails);
        g_assert_cmpint(state.is_repeat, ==, !fails);
    }
}

/* Until the one connection that writes is lent; before, this borrows it itself, and whoever
 * is to lead waits for it. */
static void
wait_for_a_leader(const Fixture *fixture)
{
    for (gboolean is_lent = FALSE; !is_lent;) {
        g_autoptr(GError) error = NULL;
        guint32 number;
        g_assert_false(mrg_store_campaign_number(
            fixture->store, "new", &number, g_get_monotonic_time() + SECOND / 20, &error));
        g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT);
        is_lent = strstr(error->message, "every connection is in use") != NULL;
    }
}

static void
who_waits_for_a_group_has_a_deadline(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    sqlite3 *db = take_lock(fixture);
    Waiting patient = {fixture, outcome(1, 1, 0, "sent"), MRG_COMMIT_UNCERTAIN, FALSE};
    GThread *thread = g_thread_new("commit", commit_in_thread, &patient);
    wait_for_a_leader(fixture);
    for (guint i = 2; i < 4; i++) {
        g_autoptr(GError) error = NULL;
        MrgOutcome hasty = outcome(i, i, 0, "sent");
        gint64 start_us = g_get_monotonic_time();
        g_assert_cmpint(
            mrg_store_commit(fixture->store, &hasty, start_us + SECOND / 20, &error), ==,
            MRG_COMMIT_ERROR);
        g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT);
        g_assert_cmpint(g_get_monotonic_time() - start_us, <, 3 * SECOND);
    }
    sqlite3_close(db);
    g_thread_join(thread);
    g_assert_cmpint(patient.result, ==, MRG_COMMIT_DONE);
    g_assert_true(load(fixture, 1, 1).is_repeat);
    g_assert_false(load(fixture, 2, 2).is_repeat);
}

/* ---- connections -------------------------------------------------------- */

#define N_OTHERS 3

typedef struct Lent {
    Fixture *fixture;
    GThread *threads[N_OTHERS];
    Waiting waiting[N_OTHERS];
} Lent;

static gpointer
fetch_in_thread(gpointer data)
{
    Waiting *waiting = data;
    g_autoptr(GError) error = NULL;
    MrgPersonKey who = person(1);
    MrgArena *arena = mrg_arena_new();
    waiting->is_there = mrg_store_fetch(waiting->fixture->store, &who, NULL, 0, NULL, arena,
                                        soon(), &error) == MRG_FETCH_HIT;
    mrg_arena_free(arena);
    return NULL;
}

static void
start_others(Lent *lent, GThreadFunc run)
{
    for (guint i = 0; i < N_OTHERS; i++) {
        lent->waiting[i] = (Waiting){lent->fixture, outcome(i, i, 0, "sent"), 0, FALSE};
        lent->threads[i] = g_thread_new("other", run, &lent->waiting[i]);
    }
}

static void
join_others(Lent *lent)
{
    for (guint i = 0; i < N_OTHERS; i++)
        g_thread_join(lent->threads[i]);
}

/* Has the only reader: the others come to wait while a call here runs into its deadline. */
static gboolean
visit_with_the_reader(const char *address G_GNUC_UNUSED, gpointer context)
{
    Lent *lent = context;
    g_autoptr(GError) error = NULL;
    MrgPersonKey who = person(1);
    start_others(lent, fetch_in_thread);
    g_assert_cmpint(mrg_store_fetch(lent->fixture->store, &who, NULL, 0, NULL,
                                    lent->fixture->arena,
                                    g_get_monotonic_time() + SECOND / 20, &error),
                    ==, MRG_FETCH_ERROR);
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT);
    return FALSE;
}

static const MrgProfile *
import_nothing_with_the_writer(gpointer context, GError **error G_GNUC_UNUSED)
{
    Lent *lent = context;
    start_others(lent, commit_in_thread);
    wait_for_a_leader(lent->fixture);
    return NULL;
}

static void
who_waits_for_a_connection_gets_it(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgProfile profile = {.person = person(1), .address = "a@b.c"};
    g_autoptr(GError) error = NULL;
    Lent lent = {.fixture = fixture};
    guint64 n;
    reopen(fixture, "readers", "1");
    import(fixture, &profile, 1);
    g_assert_true(mrg_store_list(fixture->store, 1, visit_with_the_reader, &lent, &error));
    join_others(&lent);
    for (guint i = 0; i < N_OTHERS; i++)
        g_assert_true(lent.waiting[i].is_there);
    g_assert_true(mrg_store_import(fixture->store, import_nothing_with_the_writer, &lent,
                                   &n, &error));
    join_others(&lent);
    for (guint i = 0; i < N_OTHERS; i++)
        g_assert_cmpint(lent.waiting[i].result, ==, MRG_COMMIT_DONE);
}

/* ---- the log ----------------------------------------------------------- */

/* More than SQLite keeps in memory for a transaction: pages go out, are read again, and
 * change after that. */
#define N_CROWD 12000

typedef struct Crowd {
    guint next, end;
    MrgProfileField field;
    MrgProfile profile;
} Crowd;

static const MrgProfile *
next_of_crowd(gpointer context, GError **error G_GNUC_UNUSED)
{
    Crowd *crowd = context;
    if (crowd->next == crowd->end)
        return NULL;
    crowd->profile.person = person(crowd->next++);
    return &crowd->profile;
}

static void
import_crowd(const Fixture *fixture, guint first)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strnfill(300, 'x');
    guint64 n = 0;
    Crowd crowd = {.next = first, .end = first + N_CROWD};
    crowd.field = (MrgProfileField){"name", field(MRG_FIELD_STRING, text)};
    crowd.profile = (MrgProfile){.address = "a@b.c", .fields = &crowd.field, .n_fields = 1};
    g_assert_true(mrg_store_import(fixture->store, next_of_crowd, &crowd, &n, &error));
    g_assert_cmpuint(n, ==, N_CROWD);
}

static void
copy_file(const char *from, const char *to, const char *tail)
{
    g_autofree char *source = g_strconcat(from, tail, NULL);
    g_autofree char *target = g_strconcat(to, tail, NULL);
    g_autofree char *bytes = NULL;
    gsize length = 0;
    g_assert_true(g_file_get_contents(source, &bytes, &length, NULL));
    g_assert_true(g_file_set_contents(target, bytes, (gssize) length, NULL));
}

static void
assert_sql(const char *file, const char *sql, const char *text)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    g_assert_cmpint(sqlite3_open(file, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
    g_assert_cmpstr((const char *) sqlite3_column_text(statement, 0), ==, text);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

/* What a crash leaves: the file and its log, without the index that says what of it counts;
 * SQLite takes frames from it up to the first whose checksum is wrong. */
static void
assert_log_is_whole(const Fixture *fixture, const char *n_profiles, const char *n_events)
{
    g_autofree char *copy = g_strconcat(fixture->file, ".crash", NULL);
    copy_file(fixture->file, copy, "");
    copy_file(fixture->file, copy, "-wal");
    assert_sql(copy, "SELECT count(*) FROM field JOIN profile USING (key)", n_profiles);
    assert_sql(copy, "SELECT count(*) FROM event", n_events);
    assert_sql(copy, "PRAGMA integrity_check", "ok");
}

static void
commit_one(const Fixture *fixture, guint what, guint64 version)
{
    MrgOutcome one = outcome(1, what, version, "sent");
    g_assert_cmpint(commit(fixture, &one), ==, MRG_COMMIT_DONE);
}

/* Somebody reads meanwhile, so that the log is not emptied. */
static void
what_is_done_is_in_the_log(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    sqlite3 *db;
    g_assert_cmpint(sqlite3_open(fixture->file, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, "BEGIN; SELECT * FROM person", NULL, NULL, NULL), ==,
                    SQLITE_OK);
    commit_one(fixture, 1, 0);
    assert_log_is_whole(fixture, "0", "1");
    import_crowd(fixture, 0);
    assert_log_is_whole(fixture, G_STRINGIFY(N_CROWD), "1");
    commit_one(fixture, 2, 1);
    assert_log_is_whole(fixture, G_STRINGIFY(N_CROWD), "2");
    reopen(fixture, "durability", "full");
    import_crowd(fixture, N_CROWD);
    commit_one(fixture, 3, 2);
    assert_log_is_whole(fixture, "24000", "3");
    sqlite3_close(db);
}

/* ---- fields ------------------------------------------------------------- */

static void
few_of_many_fields_are_found(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    static const char *const asked[] = {"f90", "none", "f10", "f55", "f10", "z"};
    char names[100][4];
    MrgProfileField in[G_N_ELEMENTS(names)];
    MrgField out[G_N_ELEMENTS(asked)];
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_snprintf(names[i], sizeof names[i], "f%02u", i);
        in[i] = (MrgProfileField){names[i], field(MRG_FIELD_STRING, names[i])};
    }
    MrgProfile profiles[] = {
        {.person = person(1), .address = "a@b.c", .fields = in, .n_fields = 100},
        {.person = person(2), .address = "b@b.c", .fields = in + 50, .n_fields = 6}};
    import(fixture, profiles, 2);
    for (gsize n = 1; n <= G_N_ELEMENTS(asked); n++)
        for (guint who = 1; who <= 2; who++) {
            g_assert_cmpint(fetch(fixture, who, asked, n, out), ==, MRG_FETCH_HIT);
            for (gsize i = 0; i < n; i++)
                if (asked[i][0] == 'f' && (who == 1 || strcmp(asked[i], "f55") == 0))
                    assert_field(&out[i], MRG_FIELD_STRING, asked[i]);
                else
                    g_assert_cmpint(out[i].type, ==, MRG_FIELD_MISSING);
        }
}

/* ---- erasure ------------------------------------------------------------- */

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
    {"group/conflict", a_conflict_leaves_the_rest_of_its_group_alone},
    {"group/failure", a_failure_leaves_the_rest_of_its_group_alone},
    {"group/deadline", who_waits_for_a_group_has_a_deadline},
    {"pool", who_waits_for_a_connection_gets_it},
    {"log/done", what_is_done_is_in_the_log},
    {"fields", few_of_many_fields_are_found},
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
