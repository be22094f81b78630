/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"
#include "plugins/pgsql/store.h"

#define WAIT_US                                                               \
    (G_GINT64_CONSTANT(3600) * G_USEC_PER_SEC) /* an upgrade moves all events \
                                                */

/* 0 where there is no schema. */
static gboolean
find_version(PGconn *pg, guint *version, GError **error)
{
    g_autoptr(PGresult) there = mrg_pgsql_take(
        pg, "SELECT to_regnamespace('merganser') IS NOT NULL", WAIT_US, "schema", error);
    *version = 0;
    if (!there)
        return FALSE;
    if (strcmp(PQgetvalue(there, 0, 0), "t") != 0)
        return TRUE;
    g_autoptr(PGresult) result = mrg_pgsql_take(pg, "SELECT merganser.mrg_schema_version()",
                                                WAIT_US, "schema", error);
    if (result)
        *version = (guint) mrg_pgsql_get_number(result, 0, 0);
    return result != NULL;
}

gboolean
mrg_pgsql_schema_version(gpointer store, guint *is, guint *needed, GError **error)
{
    PGconn *pg = mrg_pgsql_connect(((MrgPgsql *) store)->conninfo,
                                   g_get_monotonic_time() + WAIT_US, error);
    gboolean is_done = pg && find_version(pg, is, error);
    *needed = MRG_PGSQL_SCHEMA_VERSION;
    PQfinish(pg);
    return is_done;
}

/* Several statements sent at once are one transaction. */
static gboolean
upgrade(PGconn *pg, guint version, GError **error)
{
    static const char *const upgrades[MRG_PGSQL_SCHEMA_VERSION] = {
        mrg_pgsql_schema, mrg_pgsql_schema_2, mrg_pgsql_schema_3, mrg_pgsql_schema_4};
    g_autoptr(GString) sql = g_string_new(NULL);
    for (guint i = version; i < MRG_PGSQL_SCHEMA_VERSION; i++)
        g_string_append(sql, upgrades[i]);
    g_string_append_printf(sql,
                           "SELECT merganser.mrg_make_partitions(%" G_GINT64_FORMAT ")",
                           g_get_real_time());
    return mrg_pgsql_run_only(pg, sql->str, WAIT_US, "schema", error);
}

gboolean
mrg_pgsql_create(gpointer store, GError **error)
{
    PGconn *pg = mrg_pgsql_connect(((MrgPgsql *) store)->conninfo,
                                   g_get_monotonic_time() + WAIT_US, error);
    guint version;
    gboolean is_done = pg && find_version(pg, &version, error);
    if (is_done && version > MRG_PGSQL_SCHEMA_VERSION) {
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SCHEMA,
                            "the schema is of a version that this one does not know");
        is_done = FALSE;
    }
    is_done = is_done && upgrade(pg, version, error);
    PQfinish(pg);
    return is_done;
}
