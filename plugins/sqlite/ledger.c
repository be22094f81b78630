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
read_recorded(const MrgSqliteConnection *connection, const MrgMessageKey *message,
              MrgState *state, const MrgMemory *memory, GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_RECORDED);
    mrg_sqlite_bind_key(statement, 1, message->bytes);
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
           (!message || read_recorded(connection, message, state, memory, error));
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

/* ---- commit ------------------------------------------------------------ */

static MrgCommit
check_new(const MrgSqliteConnection *connection, const MrgMessageKey *message,
          GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_RECORDED);
    mrg_sqlite_bind_key(statement, 1, message->bytes);
    gboolean is_done;
    if (mrg_sqlite_next(statement, "recorded outcome", &is_done, error)) {
        sqlite3_reset(statement);
        return MRG_COMMIT_CONFLICT;
    }
    return is_done ? MRG_COMMIT_DONE : MRG_COMMIT_ERROR;
}

static MrgCommit
swap_account(const MrgSqliteConnection *connection, const MrgPersonKey *key,
             guint64 version, const char *history, gsize length, GError **error)
{
    sqlite3_stmt *statement =
        mrg_sqlite_fresh(connection, version ? MRG_SQL_RAISE_PERSON : MRG_SQL_ADD_PERSON);
    mrg_sqlite_bind_key(statement, 1, key->bytes);
    if (history)
        mrg_sqlite_bind_text(statement, 2, history, length);
    if (version)
        sqlite3_bind_int64(statement, 3, (sqlite3_int64) version);
    if (!mrg_sqlite_run(statement, "person", error))
        return MRG_COMMIT_ERROR;
    return sqlite3_changes(connection->db) ? MRG_COMMIT_DONE : MRG_COMMIT_CONFLICT;
}

static MrgCommit
swap_all(const MrgSqliteConnection *connection, const MrgOutcome *outcome, GError **error)
{
    MrgCommit result = swap_account(connection, &outcome->person, outcome->version,
                                    outcome->history, outcome->history_length, error);
    for (gsize i = 0; i < outcome->n_shared && result == MRG_COMMIT_DONE; i++) {
        const MrgAccount *account = &outcome->shared[i];
        result = swap_account(connection, &account->key, account->version, account->history,
                              account->history_length, error);
    }
    return result;
}

static MrgCommit
add_event(const MrgSqliteConnection *connection, const MrgOutcome *outcome,
          gboolean is_final, GError **error)
{
    const MrgEvent *event = &outcome->event;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_ADD_EVENT);
    sqlite3_bind_int64(statement, 1, event->at_us);
    mrg_sqlite_bind_key(statement, 2, outcome->person.bytes);
    mrg_sqlite_bind(statement, 3, event->campaign);
    mrg_sqlite_bind(statement, 4, event->class_name);
    sqlite3_bind_int(statement, 5, (int) event->verdict);
    mrg_sqlite_bind(statement, 6, event->reason);
    if (is_final)
        mrg_sqlite_bind_key(statement, 7, outcome->message.bytes);
    mrg_sqlite_bind(statement, 8, event->sender);
    mrg_sqlite_bind(statement, 9, event->tags);
    sqlite3_bind_int64(statement, 10, outcome->until_us);
    return mrg_sqlite_run(statement, "event", error) ? MRG_COMMIT_DONE : MRG_COMMIT_ERROR;
}

/* After COMMIT failed: while the transaction is open nothing is written; when it is not,
 * the disk failed under it, and what the file holds shows when it is read again. */
static MrgCommit
end_commit(const MrgSqliteConnection *connection, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (mrg_sqlite_finish(connection, &problem))
        return MRG_COMMIT_DONE;
    if (sqlite3_get_autocommit(connection->db))
        return MRG_COMMIT_UNCERTAIN;
    g_propagate_error(error, g_steal_pointer(&problem));
    return MRG_COMMIT_ERROR;
}

MrgCommit
mrg_sqlite_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us,
                  GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, TRUE, deadline_us, error);
    if (!connection)
        return MRG_COMMIT_ERROR;
    gboolean is_hold = outcome->event.verdict == MRG_VERDICT_HOLD && outcome->host;
    MrgHold hold = mrg_outcome_hold(outcome);
    MrgCommit result =
        mrg_sqlite_begin(connection, error) ? MRG_COMMIT_DONE : MRG_COMMIT_ERROR;
    if (result == MRG_COMMIT_DONE)
        result = check_new(connection, &outcome->message, error);
    if (result == MRG_COMMIT_DONE)
        result = swap_all(connection, outcome, error);
    if (result == MRG_COMMIT_DONE)
        result = add_event(connection, outcome, outcome->is_final, error);
    if (result == MRG_COMMIT_DONE && is_hold &&
        !mrg_sqlite_put_hold(connection, &hold, error))
        result = MRG_COMMIT_ERROR;
    if (result == MRG_COMMIT_DONE)
        result = end_commit(connection, error);
    mrg_sqlite_return(self, connection);
    return result;
}

/* ---- administration ---------------------------------------------------- */

MrgCommit
mrg_sqlite_put_history(gpointer store, const MrgAccount *account, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(self, TRUE, error);
    if (!connection)
        return MRG_COMMIT_ERROR;
    const char *history = account->history ? account->history : "";
    MrgCommit result = swap_account(connection, &account->key, account->version, history,
                                    account->history_length, error);
    if (result == MRG_COMMIT_DONE)
        result = end_commit(connection, error);
    mrg_sqlite_return(self, connection);
    return result;
}

/* A hold of this person that is not settled, or CONFLICT. */
static MrgCommit
check_held(const MrgSqliteConnection *connection, const MrgOutcome *outcome, GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_HOLD);
    mrg_sqlite_bind_key(statement, 1, outcome->message.bytes);
    gboolean is_done;
    MrgPersonKey person;
    if (!mrg_sqlite_next(statement, "hold", &is_done, error))
        return is_done ? MRG_COMMIT_CONFLICT : MRG_COMMIT_ERROR;
    mrg_sqlite_take_key(statement, 0, person.bytes);
    sqlite3_reset(statement);
    return memcmp(&person, &outcome->person, sizeof person) == 0 ? MRG_COMMIT_DONE
                                                                 : MRG_COMMIT_CONFLICT;
}

static MrgCommit
settle(const MrgSqliteConnection *connection, const MrgOutcome *outcome, GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_SETTLE_HOLD);
    mrg_sqlite_bind_key(statement, 1, outcome->message.bytes);
    if (outcome->event.verdict != MRG_VERDICT_HOLD)
        sqlite3_bind_int(statement, 2, (int) outcome->event.verdict);
    sqlite3_bind_int64(statement, 3, outcome->until_us);
    return mrg_sqlite_run(statement, "hold", error) ? MRG_COMMIT_DONE : MRG_COMMIT_ERROR;
}

MrgCommit
mrg_sqlite_settle_hold(gpointer store, const MrgOutcome *outcome, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(self, TRUE, error);
    if (!connection)
        return MRG_COMMIT_ERROR;
    MrgCommit result = check_held(connection, outcome, error);
    if (result == MRG_COMMIT_DONE)
        result = swap_all(connection, outcome, error);
    if (result == MRG_COMMIT_DONE)
        result = add_event(connection, outcome, TRUE, error);
    if (result == MRG_COMMIT_DONE)
        result = settle(connection, outcome, error);
    if (result == MRG_COMMIT_DONE)
        result = end_commit(connection, error);
    mrg_sqlite_return(self, connection);
    return result;
}
