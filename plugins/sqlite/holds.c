/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/sqlite/sqlite.h"

gboolean
mrg_sqlite_put_hold(const MrgSqliteConnection *connection, const MrgHold *hold,
                    GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_PUT_HOLD);
    mrg_sqlite_bind_key(statement, 1, hold->message.bytes);
    mrg_sqlite_bind_key(statement, 2, hold->person.bytes);
    mrg_sqlite_bind(statement, 3, hold->host);
    mrg_sqlite_bind(statement, 4, hold->queue_id);
    mrg_sqlite_bind(statement, 5, hold->campaign);
    mrg_sqlite_bind(statement, 6, hold->class_name);
    sqlite3_bind_int64(statement, 7, hold->at_us);
    sqlite3_bind_int64(statement, 8, hold->until_us);
    mrg_sqlite_bind(statement, 9, hold->list ? hold->list : "");
    return mrg_sqlite_run(statement, "hold", error);
}

/* What may still be where the copy was is to be deleted there. */
static gboolean
leave_hold(const MrgSqliteConnection *connection, const MrgHold *hold, GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_LEAVE_HOLD);
    mrg_sqlite_bind_key(statement, 1, hold->message.bytes);
    mrg_sqlite_bind(statement, 2, hold->host);
    mrg_sqlite_bind(statement, 3, hold->queue_id);
    return mrg_sqlite_run(statement, "hold", error);
}

gboolean
mrg_sqlite_move_hold(gpointer store, const MrgHold *hold, gint64 deadline_us,
                     GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, TRUE, deadline_us, error);
    if (!connection)
        return FALSE;
    gboolean is_done = mrg_sqlite_begin(connection, error) &&
                       leave_hold(connection, hold, error) &&
                       mrg_sqlite_put_hold(connection, hold, error) &&
                       mrg_sqlite_finish(connection, error);
    mrg_sqlite_return(self, connection);
    return is_done;
}

static gboolean
visit_hold(sqlite3_stmt *statement, MrgHoldVisit visit, gpointer context)
{
    MrgHold hold = {
        .host = (const char *) sqlite3_column_text(statement, 2),
        .queue_id = (const char *) sqlite3_column_text(statement, 3),
        .campaign = (const char *) sqlite3_column_text(statement, 4),
        .class_name = (const char *) sqlite3_column_text(statement, 5),
        .at_us = sqlite3_column_int64(statement, 6),
        .until_us = sqlite3_column_int64(statement, 7),
        .is_settled = sqlite3_column_type(statement, 8) != SQLITE_NULL,
        .settlement = (MrgVerdict) sqlite3_column_int(statement, 8),
        .list = (const char *) sqlite3_column_text(statement, 9),
    };
    mrg_sqlite_take_key(statement, 0, hold.message.bytes);
    mrg_sqlite_take_key(statement, 1, hold.person.bytes);
    return visit(&hold, context);
}

gboolean
mrg_sqlite_holds(gpointer store, const MrgHoldFilter *filter, MrgHoldVisit visit,
                 gpointer context, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(self, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_HOLDS);
    mrg_sqlite_bind(statement, 1, filter->host);
    mrg_sqlite_bind(statement, 2, filter->campaign);
    sqlite3_bind_int64(statement, 3, filter->due_us);
    gboolean is_done = FALSE, is_wanted = TRUE;
    while (is_wanted && mrg_sqlite_next(statement, "holds", &is_done, error))
        is_wanted = visit_hold(statement, visit, context);
    mrg_sqlite_return(self, connection);
    return is_done || !is_wanted;
}

gboolean
mrg_sqlite_end_holds(gpointer store, const MrgMessageKey *messages, gsize n, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(self, TRUE, error);
    if (!connection)
        return FALSE;
    gboolean is_done = TRUE;
    for (gsize i = 0; i < n && is_done; i++) {
        sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_END_HOLD);
        mrg_sqlite_bind_key(statement, 1, messages[i].bytes);
        is_done = mrg_sqlite_run(statement, "hold", error);
    }
    is_done = is_done && mrg_sqlite_finish(connection, error);
    mrg_sqlite_return(self, connection);
    return is_done;
}
