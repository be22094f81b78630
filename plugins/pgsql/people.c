/* SPDX-License-Identifier: Apache-2.0 */
/* People: suppressions, erasure and retention. */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"
#include "plugins/pgsql/store.h"

#define LONG_US (G_GINT64_CONSTANT(24) * 3600 * G_USEC_PER_SEC)
#define BATCH 10000 /* rows that go in one transaction */

/* ---- one person -------------------------------------------------------- */

gboolean
mrg_pgsql_end_suppression(gpointer store, const MrgPersonKey *person, const char *scope,
                          const char *reason, gint64 at_us, guint64 *n_ended,
                          GError **error)
{
    char at[MRG_PGSQL_NUMBER_BYTES];
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_key(&arguments, person->bytes);
    mrg_pgsql_add_text(&arguments, scope);
    mrg_pgsql_add_text(&arguments, reason);
    mrg_pgsql_add_number(&arguments, at, at_us);
    g_autoptr(PGresult) result =
        mrg_pgsql_ask(store, MRG_PG_END_SUPPRESSION, &arguments,
                      g_get_monotonic_time() + LONG_US, "suppression", error);
    if (result)
        *n_ended = (guint64) mrg_pgsql_get_number(result, 0, 0);
    return result != NULL;
}

gboolean
mrg_pgsql_erase(gpointer store, const MrgPersonKey *person, gint64 at_us, GError **error)
{
    char at[MRG_PGSQL_NUMBER_BYTES];
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_key(&arguments, person->bytes);
    mrg_pgsql_add_number(&arguments, at, at_us);
    g_autoptr(PGresult) result =
        mrg_pgsql_ask(store, MRG_PG_ERASE, &arguments, g_get_monotonic_time() + LONG_US,
                      "erasure", error);
    return result != NULL;
}

gboolean
mrg_pgsql_end_holds(gpointer store, const MrgMessageKey *messages, gsize n, GError **error)
{
    MrgPgsqlArguments arguments = {0};
    g_autoptr(GString) keys = mrg_pgsql_array_new();
    for (gsize i = 0; i < n; i++) {
        MrgPersonKey key; /* as bytes, the same */
        memcpy(key.bytes, messages[i].bytes, sizeof key.bytes);
        mrg_pgsql_array_add_key(keys, &key);
    }
    mrg_pgsql_add_text(&arguments, mrg_pgsql_array_end(keys));
    g_autoptr(PGresult) result =
        mrg_pgsql_ask(store, MRG_PG_END_HOLD, &arguments, g_get_monotonic_time() + LONG_US,
                      "hold", error);
    return result != NULL;
}

/* ---- retention --------------------------------------------------------- */

/* Calls a function of one number and adds what it answers. */
static gboolean
add_answer(PGconn *pg, const char *function, gint64 number, guint64 *sum, GError **error)
{
    g_autofree char *sql =
        g_strdup_printf("SELECT merganser.%s(%" G_GINT64_FORMAT ")", function, number);
    g_autoptr(PGresult) result = mrg_pgsql_take(pg, sql, LONG_US, "retention", error);
    if (result)
        *sum += (guint64) mrg_pgsql_get_number(result, 0, 0);
    return result != NULL;
}

/* Each batch is a transaction. */
static gboolean
retain_answers(PGconn *pg, gint64 before_us, guint64 *sum, GError **error)
{
    g_autofree char *sql = g_strdup_printf(
        "SELECT merganser.mrg_retain_answers(%" G_GINT64_FORMAT ", %d)", before_us, BATCH);
    guint64 n;
    do {
        g_autoptr(PGresult) result = mrg_pgsql_take(pg, sql, LONG_US, "retention", error);
        if (!result)
            return FALSE;
        n = (guint64) mrg_pgsql_get_number(result, 0, 0);
        *sum += n;
    } while (n);
    return TRUE;
}

gboolean
mrg_pgsql_retain(gpointer store, const MrgRetention *retention, guint64 *n_rows,
                 GError **error)
{
    MrgPgsqlConnection *connection = mrg_pgsql_borrow_long(store, error);
    if (!connection)
        return FALSE;
    PGconn *pg = connection->pg;
    guint64 n = 0;
    gboolean is_done =
        add_answer(pg, "mrg_make_partitions", g_get_real_time(), &n, error) &&
        (!retention->events_us ||
         add_answer(pg, "mrg_retain_events", retention->events_us, &n, error)) &&
        (!retention->engagement_us ||
         add_answer(pg, "mrg_retain_engagements", retention->engagement_us, &n, error)) &&
        (!retention->hits_us ||
         (add_answer(pg, "mrg_retain_hits", retention->hits_us, &n, error) &&
          retain_answers(pg, retention->hits_us, &n, error)));
    mrg_pgsql_return(store, connection);
    if (is_done)
        *n_rows = n;
    return is_done;
}
