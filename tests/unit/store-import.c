/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of stores: imports that a store cannot take in one piece. */
#include "config.h"

#include <libpq-fe.h>
#include <string.h>

#include "tests/unit/store-fixture.h"

#define PEOPLE 80 /* of a quarter of a MiB each: more than two pieces of store-pgsql */
#define FIRST_PIECE 40

/* A file of PEOPLE people, with a name, a long text, a field to remove, and a consent each.
 */
typedef struct Bulk {
    const char *name;
    guint next, fails_at, hooks_at; /* rows from 1; 0: none */
    guint twice_at;                 /* this row is the first person again, named "again" */
    void (*hook)(void);
    char *text, *address;
    MrgProfileField fields[3];
    MrgConsent consent;
    MrgProfile profile;
} Bulk;

static void
fill_bulk(Bulk *bulk, guint row)
{
    gboolean is_twice = row == bulk->twice_at;
    guint who = is_twice ? 1 : row;
    g_free(bulk->address);
    bulk->address = g_strdup_printf("person%u@example.com", who);
    bulk->fields[0] = (MrgProfileField){"zebra", field(MRG_FIELD_STRING, bulk->text)};
    bulk->fields[1] = (MrgProfileField){"gone", {.type = MRG_FIELD_NULL}};
    bulk->fields[2] =
        (MrgProfileField){"name", field(MRG_FIELD_STRING, is_twice ? "again" : bulk->name)};
    bulk->consent = (MrgConsent){"track_open", MRG_CONSENT_GRANTED, 10, "form"};
    bulk->profile = (MrgProfile){.person = person(who),
                                 .address = bulk->address,
                                 .fields = bulk->fields,
                                 .n_fields = G_N_ELEMENTS(bulk->fields),
                                 .consents = &bulk->consent,
                                 .n_consents = 1};
}

static const MrgProfile *
next_bulk(gpointer context, GError **error)
{
    Bulk *bulk = context;
    guint row = ++bulk->next;
    if (row == bulk->hooks_at)
        bulk->hook();
    if (row == bulk->fails_at)
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT, "line 3");
    if (row == bulk->fails_at || row > PEOPLE)
        return NULL;
    fill_bulk(bulk, row);
    return &bulk->profile;
}

static gboolean
import_bulk(const Fixture *fixture, Bulk bulk, GError **error)
{
    guint64 n = 0;
    bulk.text = g_strnfill(256 * 1024, 'x');
    gboolean is_done = mrg_store_import(fixture->store, next_bulk, &bulk, &n, error);
    g_assert_cmpuint(n, ==, is_done ? PEOPLE : 0);
    g_free(bulk.text);
    g_free(bulk.address);
    return is_done;
}

static void
assert_person(const Fixture *fixture, guint who, const char *name)
{
    const char *names[] = {"name", "gone", "zebra"};
    MrgField out[3];
    g_assert_cmpint(fetch(fixture, who, names, 3, out), ==, MRG_FETCH_HIT);
    assert_field(&out[0], MRG_FIELD_STRING, name);
    g_assert_cmpint(out[1].type, ==, MRG_FIELD_MISSING);
    g_assert_cmpuint(out[2].length, ==, 256 * 1024);
    MrgState state = load(fixture, who, 1);
    g_assert_cmpuint(state.n_consents, ==, 1);
    g_assert_cmpint(state.consents[0].at_us, ==, 10);
}

/* Neither a profile nor anything in the ledger. */
static void
assert_nobody(const Fixture *fixture)
{
    const char *names[] = {"name"};
    MrgField out[1];
    for (guint who = 1; who <= PEOPLE; who++) {
        g_assert_cmpint(fetch(fixture, who, names, 1, out), ==, MRG_FETCH_MISS);
        g_assert_cmpuint(load(fixture, who, 1).own.version, ==, 0);
    }
}

static void
import_known(const Fixture *fixture, guint who)
{
    MrgProfileField fields[] = {{"name", field(MRG_FIELD_STRING, "old")},
                                {"gone", field(MRG_FIELD_STRING, "old")},
                                {"kept", field(MRG_FIELD_NUMBER, "7")}};
    MrgProfile profile = {.person = person(who),
                          .address = "old@example.com",
                          .fields = fields,
                          .n_fields = 3};
    import(fixture, &profile, 1);
}

static void
a_long_import_is_whole(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(import_bulk(fixture, (Bulk){.name = "new"}, &error));
    for (guint who = 1; who <= PEOPLE; who++)
        assert_person(fixture, who, "new");
    guint64 version = load(fixture, 1, 1).own.version;
    g_assert_true(import_bulk(fixture, (Bulk){.name = "newer"}, &error));
    for (guint who = 1; who <= PEOPLE; who++)
        assert_person(fixture, who, "newer");
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, version);
}

static void
a_fault_late_in_an_import_leaves_nothing(Fixture *fixture,
                                         gconstpointer plugin G_GNUC_UNUSED)
{
    static const guint rows[] = {1, 2, FIRST_PIECE, PEOPLE, PEOPLE + 1};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(
            import_bulk(fixture, (Bulk){.name = "new", .fails_at = rows[i]}, &error));
        g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
        g_assert_cmpstr(error->message, ==, "line 3");
    }
    assert_nobody(fixture);
}

static void
a_long_import_merges_into_who_is_there(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    static const guint known[] = {1, FIRST_PIECE + 5, PEOPLE};
    const char *names[] = {"kept"};
    MrgField out[1];
    g_autoptr(GError) error = NULL;
    /* The last first, so that each run meets somebody earlier. */
    for (gsize i = G_N_ELEMENTS(known); i-- > 0;) {
        import_known(fixture, known[i]);
        g_assert_true(import_bulk(fixture, (Bulk){.name = "new"}, &error));
        for (guint who = 1; who <= PEOPLE; who++)
            assert_person(fixture, who, "new");
        g_assert_cmpint(fetch(fixture, known[i], names, 1, out), ==, MRG_FETCH_HIT);
        assert_field(&out[0], MRG_FIELD_NUMBER, "7");
    }
}

static void
of_somebody_who_is_there_twice_the_later_counts(Fixture *fixture,
                                                gconstpointer plugin G_GNUC_UNUSED)
{
    static const guint rows[] = {2, FIRST_PIECE, PEOPLE};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        MrgPersonKey key = person(1);
        g_assert_true(
            import_bulk(fixture, (Bulk){.name = "new", .twice_at = rows[i]}, &error));
        assert_person(fixture, 1, "again");
        assert_person(fixture, rows[i] == PEOPLE ? 2 : PEOPLE, "new");
        g_assert_true(mrg_store_erase(fixture->store, &key, 20, &error));
    }
}

/* One field may be named twice, and the later one counts there, too. */
static void
of_a_field_that_is_given_twice_the_later_counts(Fixture *fixture,
                                                gconstpointer plugin G_GNUC_UNUSED)
{
    const char *names[] = {"a", "b"};
    MrgField out[2];
    g_autofree char *text = g_strnfill(256 * 1024, 'x');
    MrgProfileField fields[] = {{"a", field(MRG_FIELD_STRING, "1")},
                                {"b", {.type = MRG_FIELD_NULL}},
                                {"long", field(MRG_FIELD_STRING, text)},
                                {"b", field(MRG_FIELD_STRING, "2")},
                                {"a", {.type = MRG_FIELD_NULL}}};
    MrgProfile profile = {
        .person = person(1), .address = "a@b.c", .fields = fields, .n_fields = 5};
    for (gsize i = 0; i < 2; i++) {
        import(fixture, &profile, 1);
        g_assert_cmpint(fetch(fixture, 1, names, 2, out), ==, MRG_FETCH_HIT);
        g_assert_cmpint(out[0].type, ==, MRG_FIELD_MISSING);
        assert_field(&out[1], MRG_FIELD_STRING, "2");
    }
}

const Case store_import[] = {
    {"import/long", a_long_import_is_whole},
    {"import/long-fault", a_fault_late_in_an_import_leaves_nothing},
    {"import/long-known", a_long_import_merges_into_who_is_there},
    {"import/long-twice", of_somebody_who_is_there_twice_the_later_counts},
    {"import/field-twice", of_a_field_that_is_given_twice_the_later_counts},
    {NULL, NULL},
};

/* ---- PostgreSQL ------------------------------------------------------------ */

static void
kill_sessions(void)
{
    g_free(pgsql_ask("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
                     "WHERE pid <> pg_backend_pid() AND application_name = 'merganser'"));
}

static void
a_server_lost_in_an_import_leaves_nothing(Fixture *fixture,
                                          gconstpointer plugin G_GNUC_UNUSED)
{
    static const guint rows[] = {2, FIRST_PIECE, PEOPLE + 1};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        Bulk bulk = {.name = "new", .hooks_at = rows[i], .hook = kill_sessions};
        g_assert_false(import_bulk(fixture, bulk, &error));
        g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE);
    }
    assert_nobody(fixture);
}

/* Refuses somebody of the second piece. */
static void
refuse_with(const char *sqlstate)
{
    MrgPersonKey key = person(FIRST_PIECE + 5);
    g_autofree char *sql = g_strdup_printf(
        "CREATE OR REPLACE FUNCTION merganser.full_disk() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RAISE SQLSTATE ''%s''; END'; "
        "CREATE OR REPLACE TRIGGER full_disk BEFORE INSERT ON merganser.profile FOR EACH "
        "ROW "
        "WHEN (get_byte(NEW.key, 0) = %u) EXECUTE FUNCTION merganser.full_disk()",
        sqlstate, key.bytes[0]);
    pgsql_run(sql);
}

static void
a_full_disk_in_an_import_leaves_nothing(Fixture *fixture,
                                        gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    refuse_with("53100");
    g_assert_false(import_bulk(fixture, (Bulk){.name = "new"}, &error));
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "53100"));
    assert_nobody(fixture);
    pgsql_run("DROP TRIGGER full_disk ON merganser.profile");
    g_clear_error(&error);
    g_assert_true(import_bulk(fixture, (Bulk){.name = "new"}, &error));
}

static void
run_on(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    g_assert_cmpint(PQresultStatus(result), ==, PGRES_COMMAND_OK);
    PQclear(result);
}

static char *
insert_text(guint who)
{
    return g_strdup_printf("INSERT INTO merganser.profile VALUES "
                           "(decode('%02x' || repeat('00', 14) || '70', 'hex'), "
                           "'rival@example.com', '{\"name\": \"4rival\"}')",
                           who);
}

static gpointer
import_in_thread(gpointer fixture)
{
    g_autoptr(GError) error = NULL;
    gboolean is_done = import_bulk(fixture, (Bulk){.name = "new"}, &error);
    g_assert_no_error(error);
    return GINT_TO_POINTER(is_done);
}

static void
wait_for_a_lock(void)
{
    gboolean is_waiting = FALSE;
    while (!is_waiting) {
        g_autofree char *n = pgsql_ask("SELECT count(*) FROM pg_stat_activity WHERE "
                                       "wait_event_type = 'Lock' AND "
                                       "application_name = 'merganser'");
        is_waiting = strcmp(n, "0") != 0;
        g_thread_yield();
    }
}

/* Another program has somebody, and wants somebody whom the import has: one of the two must
 * give way, and the import then takes both as it finds them. */
static void
an_import_gives_way_to_another_transaction(Fixture *fixture,
                                           gconstpointer plugin G_GNUC_UNUSED)
{
    PGconn *rival = PQconnectdb(g_getenv("MRG_TEST_PGSQL"));
    g_autofree char *has = insert_text(10), *wants = insert_text(1);
    run_on(rival, "SET deadlock_timeout = '1min'");
    run_on(rival, "BEGIN");
    run_on(rival, has);
    GThread *thread = g_thread_new("import", import_in_thread, fixture);
    wait_for_a_lock();
    run_on(rival, wants);
    run_on(rival, "COMMIT");
    g_assert_true(GPOINTER_TO_INT(g_thread_join(thread)));
    PQfinish(rival);
    for (guint who = 1; who <= PEOPLE; who++)
        assert_person(fixture, who, "new");
}

/* What is stored of them would come out of an export. */
static void
fields_to_remove_are_not_written(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(import_bulk(fixture, (Bulk){.name = "new"}, &error));
    g_autofree char *n = pgsql_ask("SELECT count(*) FROM merganser.profile "
                                   "WHERE fields <> jsonb_strip_nulls(fields)");
    g_assert_cmpstr(n, ==, "0");
}

const Case pgsql_import[] = {
    {"import/no-null", fields_to_remove_are_not_written},
    {"import/server-lost", a_server_lost_in_an_import_leaves_nothing},
    {"import/disk-full", a_full_disk_in_an_import_leaves_nothing},
    {"import/deadlock", an_import_gives_way_to_another_transaction},
    {NULL, NULL},
};
