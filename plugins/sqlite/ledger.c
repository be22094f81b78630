/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/sqlite/sqlite.h"

/* ---- load -------------------------------------------------------------- */

/* owner, where there is one, gets the engagement. */
static gboolean
read_account(const MrgSqliteConnection *connection, const MrgPersonKey *key,
             MrgAccount *account, MrgState *owner, const MrgMemory *memory, GError **error)
{
    *account = (MrgAccount){.key = *key, .history = ""};
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_PERSON);
    mrg_sqlite_bind_key(statement, 1, key->bytes);
    gboolean is_done;
    if (!mrg_sqlite_next(statement, "person", &is_done, error))
        return is_done;
    account->version = (guint64) sqlite3_column_int64(statement, 0);
    account->history = mrg_sqlite_copy(statement, 1, memory, &account->history_length);
    if (owner)
        owner->engagement =
            mrg_sqlite_copy(statement, 2, memory, &owner->engagement_length);
    return TRUE;
}

static gpointer
copy_array(const GArray *array, gsize size, const MrgMemory *memory)
{
    gpointer copy = memory->alloc(memory->context, array->len * size);
    if (array->len)
        memcpy(copy, array->data, array->len * size);
    return copy;
}

static gboolean
read_consents(const MrgSqliteConnection *connection, const MrgPersonKey *person,
              MrgState *state, const MrgMemory *memory, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(MrgConsent));
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_CONSENTS);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    gboolean is_done;
    while (mrg_sqlite_next(statement, "consent", &is_done, error)) {
        MrgConsent row = {
            .purpose = mrg_sqlite_copy(statement, 0, memory, NULL),
            .source = mrg_sqlite_copy(statement, 1, memory, NULL),
            .state = (MrgConsentState) sqlite3_column_int(statement, 2),
            .at_us = sqlite3_column_int64(statement, 3),
        };
        g_array_append_val(rows, row);
    }
    state->consents = copy_array(rows, sizeof(MrgConsent), memory);
    state->n_consents = rows->len;
    return is_done;
}

static gboolean
read_suppressions(const MrgSqliteConnection *connection, const MrgPersonKey *person,
                  MrgState *state, const MrgMemory *memory, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(MrgSuppression));
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_SUPPRESSIONS);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    gboolean is_done;
    while (mrg_sqlite_next(statement, "suppression", &is_done, error)) {
        MrgSuppression row = {
            .scope = mrg_sqlite_copy(statement, 0, memory, NULL),
            .reason = mrg_sqlite_copy(statement, 1, memory, NULL),
            .at_us = sqlite3_column_int64(statement, 2),
            .until_us = sqlite3_column_int64(statement, 3),
        };
        g_array_append_val(rows, row);
    }
    state->suppressions = copy_array(rows, sizeof(MrgSuppression), memory);
    state->n_suppressions = rows->len;
    return is_done;
}

static gboolean
read_recorded(const MrgSqliteConnection *connection, const MrgPersonKey *person,
              const MrgMessageKey *message, MrgState *state, const MrgMemory *memory,
              GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_RECORDED);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    mrg_sqlite_bind_key(statement, 2, message->bytes);
    gboolean is_done;
    if (!mrg_sqlite_next(statement, "recorded outcome", &is_done, error))
        return is_done;
    state->is_repeat = TRUE;
    state->repeat_verdict = (MrgVerdict) sqlite3_column_int(statement, 0);
    state->repeat_reason = mrg_sqlite_copy(statement, 1, memory, NULL);
    state->repeat_until_us = sqlite3_column_int64(statement, 2);
    return TRUE;
}

gboolean
mrg_sqlite_read_state(const MrgSqliteConnection *connection, const MrgPersonKey *person,
                      const MrgMessageKey *message, const MrgPersonKey *shared,
                      gsize n_shared, MrgState *state, const MrgMemory *memory,
                      GError **error)
{
    *state = (MrgState){.engagement = "", .n_shared = n_shared};
    for (gsize i = 0; i < n_shared; i++)
        if (!read_account(connection, &shared[i], &state->shared[i], NULL, memory, error))
            return FALSE;
    return read_account(connection, person, &state->own, state, memory, error) &&
           read_consents(connection, person, state, memory, error) &&
           read_suppressions(connection, person, state, memory, error) &&
           (!message || read_recorded(connection, person, message, state, memory, error));
}

gboolean
mrg_sqlite_load(gpointer store, const MrgPersonKey *person, const MrgMessageKey *message,
                const MrgPersonKey *shared, gsize n_shared, MrgState *state,
                const MrgMemory *memory, gint64 deadline_us, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, FALSE, deadline_us, error);
    if (!connection)
        return FALSE;
    gboolean is_done = mrg_sqlite_begin(connection, error) &&
                       mrg_sqlite_read_state(connection, person, message, shared, n_shared,
                                             state, memory, error);
    mrg_sqlite_return(self, connection);
    return is_done;
}
