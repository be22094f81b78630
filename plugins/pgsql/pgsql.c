/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-pgsql: people in PostgreSQL, for many MTAs at once.
 *
 * Each call of the contract is one function of the schema and one round trip.  A commit is
 * a compare-and-swap in one statement, so there is no transaction to be left open; when the
 * connection is lost under it the answer is UNCERTAIN.  Calls that change nothing are made
 * once more on a new connection.
 *
 * arguments.c has values to and from PostgreSQL, call.c statements, deadlines and
 * connecting, pool.c connections, create.c tables and their versions, load.c and ledger.c
 * the mail path, cache.c and listen.c what is kept of profiles and until when, people.c
 * import, erasure and retention, rows.c listings.
 */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"
#include "plugins/pgsql/store.h"

#define CACHE_BYTES_MAX (G_GUINT64_CONSTANT(4) << 30)

static const MrgHost *host_given;

static void
log_to_host(GLogLevelFlags level, const char *message)
{
    host_given->log(level, message);
}

static const char *
setting(const MrgSetting *settings, gsize n, const char *name)
{
    for (gsize i = 0; i < n; i++)
        if (strcmp(settings[i].name, name) == 0)
            return settings[i].value;
    return "";
}

static gpointer
fail_setting(GError **error, const char *what)
{
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SETTING, "setting %s", what);
    return NULL;
}

static gboolean
is_conninfo(const char *text)
{
    PQconninfoOption *options = PQconninfoParse(text, NULL);
    PQconninfoFree(options);
    return options != NULL;
}

static gboolean
find_number(const MrgSetting *settings, gsize n, const char *name, guint64 min, guint64 max,
            guint64 *number)
{
    return g_ascii_string_to_unsigned(setting(settings, n, name), 10, min, max, number,
                                      NULL);
}

static const char *
find_fault(const MrgSetting *settings, gsize n)
{
    const char *prepare = setting(settings, n, "prepare");
    const char *replica = setting(settings, n, "read_conninfo");
    guint64 pool, cache_bytes;
    /* Not parsed means not quoted: a password may stand in it. */
    if (!is_conninfo(setting(settings, n, "conninfo")))
        return "'conninfo' is not a connection string of libpq";
    if (!is_conninfo(replica))
        return "'read_conninfo' is not a connection string of libpq";
    if (strcmp(prepare, "yes") != 0 && strcmp(prepare, "no") != 0)
        return "'prepare' must be yes or no";
    if (!find_number(settings, n, "pool", 1, MRG_PGSQL_POOL_MAX, &pool))
        return "'pool' must be a number from 1 to 128";
    if (!find_number(settings, n, "cache_bytes", 0, CACHE_BYTES_MAX, &cache_bytes))
        return "'cache_bytes' must be a number from 0 to 4294967296";
    if (cache_bytes && *replica)
        return "'cache_bytes' and 'read_conninfo' exclude each other: a replica that lags "
               "would fill the cache with what is gone";
    return NULL;
}

static MrgPgsql *
new_database(const char *conninfo, gboolean is_prepared, gsize n_connections)
{
    MrgPgsql *self = g_new0(MrgPgsql, 1);
    self->conninfo = g_strdup(conninfo);
    self->is_prepared = is_prepared;
    self->n_connections = n_connections;
    self->log = log_to_host;
    mrg_pgsql_init(self);
    return self;
}

static void
free_database(MrgPgsql *self)
{
    mrg_pgsql_clear(self);
    g_free(self->conninfo);
    g_free(self);
}

static gpointer
store_open(const MrgSetting *settings, gsize n, GError **error)
{
    const char *replica = setting(settings, n, "read_conninfo");
    const char *fault = find_fault(settings, n);
    guint64 pool = 1, cache_bytes = 0;
    if (fault)
        return fail_setting(error, fault);
    gboolean is_prepared = strcmp(setting(settings, n, "prepare"), "yes") == 0;
    find_number(settings, n, "pool", 1, MRG_PGSQL_POOL_MAX, &pool);
    find_number(settings, n, "cache_bytes", 0, CACHE_BYTES_MAX, &cache_bytes);
    MrgPgsql *self = new_database(setting(settings, n, "conninfo"), is_prepared, pool);
    if (*replica)
        self->replica = new_database(replica, is_prepared, pool);
    if (cache_bytes)
        self->cache = mrg_pgsql_cache_new(cache_bytes);
    return self;
}

static void
store_close(gpointer store)
{
    MrgPgsql *self = store;
    mrg_pgsql_stop_listening(self);
    mrg_pgsql_cache_free(self->cache);
    g_clear_pointer(&self->replica, free_database);
    free_database(self);
}

static const MrgSettingInfo settings_known[] = {
    {"conninfo", NULL,
     "A connection string of libpq, as in: host=/run/postgresql dbname=mail"},
    {"pool", "10", "How many connections there may be, 1 to 128."},
    {"prepare", "yes", "no: behind a pgbouncer that cannot keep prepared statements."},
    {"read_conninfo", "",
     "A replica that fields of profiles are fetched from; the ledger is read where it is "
     "written, and so are fields while the replica is away. What lags may be seen late, "
     "but "
     "never after an erasure."},
    {"cache_bytes", "0",
     "Memory for fields of profiles, which are fetched again when PostgreSQL tells of a "
     "change (LISTEN, so not behind a pgbouncer in transaction mode); 0: none. The ledger "
     "is "
     "never kept."},
    {NULL, NULL, NULL},
};

static const MrgStoreApi api = {
    .size = sizeof(MrgStoreApi),
    .fetch = mrg_pgsql_fetch,
    .load = mrg_pgsql_load,
    .fetch_and_load = mrg_pgsql_fetch_and_load,
    .commit = mrg_pgsql_commit,
    .move_hold = mrg_pgsql_move_hold,
    .campaign_number = mrg_pgsql_campaign_number,
    .link_numbers = mrg_pgsql_link_numbers,
    .create = mrg_pgsql_create,
    .schema_version = mrg_pgsql_schema_version,
    .retain = mrg_pgsql_retain,
    .import = mrg_pgsql_import,
    .list = mrg_pgsql_list,
    .homes = mrg_pgsql_homes,
    .engagements = mrg_pgsql_engagements,
    .rows_of = mrg_pgsql_rows_of,
    .erase = mrg_pgsql_erase,
    .search = mrg_pgsql_search,
    .suppressions = mrg_pgsql_suppressions,
    .end_suppression = mrg_pgsql_end_suppression,
    .put_history = mrg_pgsql_put_history,
    .events = mrg_pgsql_events,
    .events_since = mrg_pgsql_events_since,
    .holds = mrg_pgsql_holds,
    .settle_hold = mrg_pgsql_settle_hold,
    .end_holds = mrg_pgsql_end_holds,
    .record_hits = mrg_pgsql_record_hits,
    .journal_position = mrg_pgsql_journal_position,
    .hits = mrg_pgsql_hits,
    .put_classes = mrg_pgsql_put_classes,
    .deliveries = mrg_pgsql_deliveries,
    .campaign_events = mrg_pgsql_campaign_events,
    .links = mrg_pgsql_links,
    .campaign_name = mrg_pgsql_campaign_name,
    .link_target = mrg_pgsql_link_target,
};

static const MrgPlugin plugin = {
    .size = sizeof(MrgPlugin),
    .major = MRG_ABI_MAJOR,
    .minor = MRG_ABI_MINOR,
    .name = "store-pgsql",
    .settings = settings_known,
    .open = store_open,
    .close = store_close,
    .store = &api,
};

const MrgPlugin *
mrg_plugin_entry(const MrgHost *host)
{
    host_given = host;
    return host->major == MRG_ABI_MAJOR && PQisthreadsafe() ? &plugin : NULL;
}
