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
 * the mail path, people.c import, erasure and retention, rows.c listings.
 */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"

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

static gpointer
store_open(const MrgSetting *settings, gsize n, GError **error)
{
    const char *conninfo = setting(settings, n, "conninfo");
    const char *prepare = setting(settings, n, "prepare");
    guint64 pool;
    /* Not parsed means not quoted: a password may stand in it. */
    if (!is_conninfo(conninfo))
        return fail_setting(error, "'conninfo' is not a connection string of libpq");
    if (strcmp(prepare, "yes") != 0 && strcmp(prepare, "no") != 0)
        return fail_setting(error, "'prepare' must be yes or no");
    if (!g_ascii_string_to_unsigned(setting(settings, n, "pool"), 10, 1, MRG_PGSQL_POOL_MAX,
                                    &pool, NULL))
        return fail_setting(error, "'pool' must be a number from 1 to 128");
    MrgPgsql *self = g_new0(MrgPgsql, 1);
    self->conninfo = g_strdup(conninfo);
    self->is_prepared = strcmp(prepare, "yes") == 0;
    self->n_connections = pool;
    mrg_pgsql_init(self);
    return self;
}

static void
store_close(gpointer store)
{
    MrgPgsql *self = store;
    mrg_pgsql_clear(self);
    g_free(self->conninfo);
    g_free(self);
}

static const MrgSettingInfo settings_known[] = {
    {"conninfo", NULL,
     "A connection string of libpq, as in: host=/run/postgresql dbname=mail"},
    {"pool", "10", "How many connections there may be, 1 to 128."},
    {"prepare", "yes", "no: behind a pgbouncer that cannot keep prepared statements."},
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
    .end_hold = mrg_pgsql_end_hold,
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
    return host->major == MRG_ABI_MAJOR && PQisthreadsafe() ? &plugin : NULL;
}
