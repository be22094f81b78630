/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/sqlite/sqlite.h"

static MrgCommit
check_new(const MrgSqliteConnection *connection, const MrgOutcome *outcome, GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_RECORDED);
    mrg_sqlite_bind_key(statement, 1, outcome->person.bytes);
    mrg_sqlite_bind_key(statement, 2, outcome->message.bytes);
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
    sqlite3_bind_int64(statement, 11, event->tracked);
    return mrg_sqlite_run(statement, "event", error) ? MRG_COMMIT_DONE : MRG_COMMIT_ERROR;
}

MrgCommit
mrg_sqlite_end_commit(const MrgSqliteConnection *connection, GError **error)
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
mrg_sqlite_write_outcome(const MrgSqliteConnection *connection, const MrgOutcome *outcome,
                         GError **error)
{
    MrgHold hold = mrg_outcome_hold(outcome);
    gboolean is_hold = outcome->event.verdict == MRG_VERDICT_HOLD && outcome->host;
    MrgCommit result = check_new(connection, outcome, error);
    if (result == MRG_COMMIT_DONE)
        result = swap_all(connection, outcome, error);
    if (result == MRG_COMMIT_DONE)
        result = add_event(connection, outcome, outcome->is_final, error);
    if (result == MRG_COMMIT_DONE && is_hold &&
        !mrg_sqlite_put_hold(connection, &hold, error))
        result = MRG_COMMIT_ERROR;
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
        result = mrg_sqlite_end_commit(connection, error);
    mrg_sqlite_return(self, connection);
    return result;
}

/* A hold of this person that may be settled so, or CONFLICT. */
static MrgCommit
check_held(const MrgSqliteConnection *connection, const MrgOutcome *outcome, GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_HOLD);
    mrg_sqlite_bind_key(statement, 1, outcome->message.bytes);
    sqlite3_bind_int(statement, 2, (int) outcome->event.verdict);
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
        result = mrg_sqlite_end_commit(connection, error);
    mrg_sqlite_return(self, connection);
    return result;
}
