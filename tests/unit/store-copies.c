/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that store-pgsql has from elsewhere: its cache and a replica of the server. */
#include "config.h"

#include <string.h>

#include "tests/unit/store-fixture.h"

#define PERSON_1 "'\\x01000000000000000000000000000070'"

static void
open_with(Fixture *fixture, const char *name, const char *value)
{
    const char *prepare = g_getenv("MRG_TEST_PGSQL_PREPARE");
    MrgSetting settings[] = {{"conninfo", g_getenv("MRG_TEST_PGSQL")},
                             {"prepare", prepare ? prepare : "yes"},
                             {name, value}};
    g_autoptr(GError) error = NULL;
    mrg_store_close(fixture->store);
    fixture->store =
        mrg_store_open(g_getenv("MRG_PLUGIN_DIR"), "pgsql", settings, 3, &error);
    g_assert_no_error(error);
}

static void
import_name(const Fixture *fixture, const char *text)
{
    MrgProfileField name = {"name", field(MRG_FIELD_STRING, text)};
    MrgProfile profile = {
        .person = person(1), .address = "a@b.c", .fields = &name, .n_fields = 1};
    import(fixture, &profile, 1);
}

/* NULL: no profile. */
static const char *
get_name(const Fixture *fixture)
{
    static const char *const names[] = {"name"};
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(1);
    MrgMessageKey copy = message(1);
    MrgField fields[1];
    MrgState state;
    MrgFetch found =
        mrg_store_fetch_and_load(fixture->store, &key, names, 1, fields, &copy, NULL, 0,
                                 &state, fixture->arena, soon(), &error);
    g_assert_no_error(error);
    g_assert_cmpmem(&state.own.key, sizeof key, &key, sizeof key);
    return found == MRG_FETCH_HIT ? fields[0].text : NULL;
}

/* With role replica no trigger tells of it. */
static void
change_as(const char *role, const char *text)
{
    g_autofree char *sql =
        g_strdup_printf("SET session_replication_role = %s; "
                        "UPDATE merganser.profile SET fields = '{\"name\": \"4%s\"}'; "
                        "SET session_replication_role = origin",
                        role, text);
    pgsql_run(sql);
}

/* Whether a change that nobody is told of goes unseen. */
static gboolean
is_kept(const Fixture *fixture, gint64 for_us)
{
    static guint n;
    gint64 until_us = g_get_monotonic_time() + for_us;
    while (g_get_monotonic_time() < until_us) {
        g_autofree char *text = g_strdup_printf("hidden %u", n++);
        get_name(fixture);
        change_as("replica", text);
        if (g_strcmp0(get_name(fixture), text) != 0)
            return TRUE;
    }
    return FALSE;
}

static void
assert_seen_within_a_second(const Fixture *fixture, const char *text)
{
    gint64 until_us = g_get_monotonic_time() + SECOND;
    while (g_strcmp0(get_name(fixture), text) != 0)
        g_assert_cmpint(g_get_monotonic_time(), <, until_us);
}

/* ---- the cache ------------------------------------------------------------ */

static void
a_change_is_seen_within_a_second(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    open_with(fixture, "cache_bytes", "100000");
    import_name(fixture, "old");
    g_assert_true(is_kept(fixture, 20 * SECOND));
    change_as("origin", "new");
    assert_seen_within_a_second(fixture, "new");
    g_assert_true(is_kept(fixture, 20 * SECOND));
    import_name(fixture, "imported");
    assert_seen_within_a_second(fixture, "imported");
    g_assert_true(is_kept(fixture, 20 * SECOND));
    pgsql_run("DELETE FROM merganser.profile");
    assert_seen_within_a_second(fixture, NULL);
}

static void
a_lost_listener_empties_the_cache(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    open_with(fixture, "cache_bytes", "100000");
    import_name(fixture, "old");
    g_assert_true(is_kept(fixture, 20 * SECOND));
    change_as("replica", "while away");
    pgsql_run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
              "WHERE query = 'LISTEN merganser_profile'");
    assert_seen_within_a_second(fixture, "while away");
    g_assert_true(is_kept(fixture, 20 * SECOND)); /* it listens again */
    change_as("origin", "new");
    assert_seen_within_a_second(fixture, "new");
}

static void
the_erased_are_never_in_the_cache(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    open_with(fixture, "cache_bytes", "100000");
    import_name(fixture, "old");
    g_assert_true(is_kept(fixture, 20 * SECOND));
    pgsql_run("ALTER TABLE merganser.profile DISABLE TRIGGER tell_delete");
    pgsql_run("SELECT merganser.mrg_erase(" PERSON_1 ", 5)");
    g_assert_null(get_name(fixture));
}

static void
count_warning(const char *domain G_GNUC_UNUSED, GLogLevelFlags level G_GNUC_UNUSED,
              const char *text, gpointer n)
{
    if (strstr(text, "pooler"))
        g_atomic_int_inc((gint *) n);
}

static void
a_pooler_keeps_nothing_in_the_cache(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    gint n = 0;
    guint handler =
        g_log_set_handler("merganser-plugin", G_LOG_LEVEL_WARNING, count_warning, &n);
    GLogLevelFlags fatal = g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
    open_with(fixture, "cache_bytes", "100000");
    import_name(fixture, "old");
    while (!g_atomic_int_get(&n))
        g_assert_false(is_kept(fixture, SECOND / 10));
    g_assert_false(is_kept(fixture, SECOND / 4));
    g_assert_cmpint(g_atomic_int_get(&n), ==, 1);
    g_log_set_always_fatal(fatal);
    g_log_remove_handler("merganser-plugin", handler);
}

/* A replica that is slow is done without for some seconds, and on a machine that is busy it
 * is slow again and again. */
static void
assert_seen_in_time(const Fixture *fixture, const char *text)
{
    gint64 until_us = g_get_monotonic_time() + 120 * SECOND;
    while (g_strcmp0(get_name(fixture), text) != 0)
        g_assert_cmpint(g_get_monotonic_time(), <, until_us);
}

/* ---- a replica ------------------------------------------------------------ */

/* Not by looking at fields: they may come from elsewhere while the replica is slow. */
static void
wait_for_replay(const char *replica)
{
    g_autofree char *lsn = pgsql_ask("SELECT pg_current_wal_lsn()");
    g_autofree char *sql =
        g_strdup_printf("DO $$ BEGIN WHILE pg_last_wal_replay_lsn() < '%s' "
                        "LOOP PERFORM pg_sleep(0.01); END LOOP; END $$",
                        lsn);
    pgsql_run_on(replica, sql);
}

static void
fields_come_from_the_replica(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    const char *replica = g_getenv("MRG_TEST_PGSQL_REPLICA");
    g_assert_nonnull(replica);
    open_with(fixture, "read_conninfo", replica);
    import_name(fixture, "old");
    wait_for_replay(replica);
    pgsql_run_on(replica, "SELECT pg_wal_replay_pause()");
    pgsql_run_on(replica, "DO $$ BEGIN WHILE pg_get_wal_replay_pause_state() <> 'paused' "
                          "LOOP PERFORM pg_sleep(0.01); END LOOP; END $$");
    change_as("origin", "new");
    assert_seen_in_time(fixture, "old"); /* which shows where it comes from */
    pgsql_run("SELECT merganser.mrg_erase(" PERSON_1 ", 5)");
    g_assert_null(get_name(fixture));
    pgsql_run_on(replica, "SELECT pg_wal_replay_resume()");
}

static void
a_replica_that_is_away_is_done_without(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autofree char *nowhere = g_strdup_printf("host=%s", fixture->folder);
    open_with(fixture, "read_conninfo", nowhere);
    import_name(fixture, "here");
    gint64 start_us = g_get_monotonic_time();
    for (guint i = 0; i < 20; i++)
        g_assert_cmpstr(get_name(fixture), ==, "here");
    g_assert_cmpint(g_get_monotonic_time() - start_us, <, 5 * SECOND);
}

static void
a_replica_and_a_cache_exclude_each_other(Fixture *fixture G_GNUC_UNUSED,
                                         gconstpointer plugin G_GNUC_UNUSED)
{
    MrgSetting settings[] = {
        {"conninfo", "host=/x"}, {"read_conninfo", "host=/y"}, {"cache_bytes", "9"}};
    g_autoptr(GError) error = NULL;
    g_assert_null(mrg_store_open(g_getenv("MRG_PLUGIN_DIR"), "pgsql", settings, 3, &error));
    g_assert_nonnull(strstr(error->message, "exclude each other"));
}

const Case pgsql_copies[] = {
    {"replica/away", a_replica_that_is_away_is_done_without},
    {"replica/cache", a_replica_and_a_cache_exclude_each_other},
    {NULL, NULL},
};

/* Sessions that are ours, and a replica. */
const Case pgsql_direct[] = {
    {"cache/seen", a_change_is_seen_within_a_second},
    {"cache/listener", a_lost_listener_empties_the_cache},
    {"cache/erased", the_erased_are_never_in_the_cache},
    {"replica/fields", fields_come_from_the_replica},
    {NULL, NULL},
};

const Case pgsql_pooled[] = {
    {"cache/pooler", a_pooler_keeps_nothing_in_the_cache},
    {NULL, NULL},
};
