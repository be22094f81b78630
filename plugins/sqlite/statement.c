/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/sqlite/sqlite.h"

sqlite3_stmt *
mrg_sqlite_fresh(const MrgSqliteConnection *connection, MrgSqliteStatement which)
{
    sqlite3_stmt *statement = connection->statements[which];
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return statement;
}

void
mrg_sqlite_bind_key(sqlite3_stmt *statement, int at, const guint8 *bytes)
{
    sqlite3_bind_blob(statement, at, bytes, MRG_KEY_BYTES, SQLITE_STATIC);
}

void
mrg_sqlite_bind_text(sqlite3_stmt *statement, int at, const char *text, gsize length)
{
    sqlite3_bind_text64(statement, at, text, length, SQLITE_STATIC, SQLITE_UTF8);
}

void
mrg_sqlite_bind(sqlite3_stmt *statement, int at, const char *text)
{
    if (text)
        mrg_sqlite_bind_text(statement, at, text, strlen(text));
}

gboolean
mrg_sqlite_run(sqlite3_stmt *statement, const char *what, GError **error)
{
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE || mrg_sqlite_fail(error, rc, what);
}

gboolean
mrg_sqlite_next(sqlite3_stmt *statement, const char *what, gboolean *is_done,
                GError **error)
{
    int rc = sqlite3_step(statement);
    *is_done = rc == SQLITE_DONE;
    if (rc == SQLITE_ROW)
        return TRUE;
    sqlite3_reset(statement);
    if (rc != SQLITE_DONE)
        mrg_sqlite_fail(error, rc, what);
    return FALSE;
}

gboolean
mrg_sqlite_begin(const MrgSqliteConnection *connection, GError **error)
{
    MrgSqliteStatement how =
        connection->is_writer ? MRG_SQL_BEGIN_IMMEDIATE : MRG_SQL_BEGIN;
    return mrg_sqlite_run(mrg_sqlite_fresh(connection, how), "begin", error);
}

gboolean
mrg_sqlite_finish(const MrgSqliteConnection *connection, GError **error)
{
    return mrg_sqlite_run(mrg_sqlite_fresh(connection, MRG_SQL_COMMIT), "commit", error);
}

const char *
mrg_sqlite_copy(sqlite3_stmt *statement, int column, const MrgMemory *memory, gsize *length)
{
    const void *text = sqlite3_column_text(statement, column);
    gsize n = (gsize) sqlite3_column_bytes(statement, column);
    char *copy = memory->alloc(memory->context, n + 1);
    if (n)
        memcpy(copy, text, n);
    copy[n] = '\0';
    if (length)
        *length = n;
    return copy;
}

void
mrg_sqlite_take_key(sqlite3_stmt *statement, int column, guint8 *bytes)
{
    memcpy(bytes, sqlite3_column_blob(statement, column), MRG_KEY_BYTES);
}
