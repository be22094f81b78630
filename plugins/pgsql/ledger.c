/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"
#include "plugins/pgsql/store.h"

#define ADMIN_WAIT_US (60 * G_USEC_PER_SEC)

/* ---- commit ------------------------------------------------------------ */

/* The accounts that people share, as three arrays of one length; none: NULLs. */
typedef struct Shared {
    GString *keys, *versions, *histories;
} Shared;

static void
add_shared(Shared *shared, MrgPgsqlArguments *arguments, const MrgOutcome *outcome)
{
    *shared = (Shared){mrg_pgsql_array_new(), mrg_pgsql_array_new(), mrg_pgsql_array_new()};
    for (gsize i = 0; i < outcome->n_shared; i++) {
        const MrgAccount *account = &outcome->shared[i];
        mrg_pgsql_array_add_key(shared->keys, &account->key);
        mrg_pgsql_array_add_number(shared->versions, (gint64) account->version);
        mrg_pgsql_array_add(shared->histories, account->history, account->history_length);
    }
    GString *const arrays[] = {shared->keys, shared->versions, shared->histories};
    for (gsize i = 0; i < G_N_ELEMENTS(arrays); i++)
        mrg_pgsql_add_text(arguments,
                           outcome->n_shared ? mrg_pgsql_array_end(arrays[i]) : NULL);
}

static void
clear_shared(Shared *shared)
{
    g_string_free(shared->keys, TRUE);
    g_string_free(shared->versions, TRUE);
    g_string_free(shared->histories, TRUE);
}

static MrgCommit
judge_commit(MrgPgsqlAnswer answer, const PGresult *result, const char *sqlstate,
             GError **error)
{
    if (answer == MRG_PG_ANSWER_LOST)
        return MRG_COMMIT_UNCERTAIN;
    if (answer == MRG_PG_ANSWER_OK)
        return mrg_pgsql_get_number(result, 0, 0) == 1 ? MRG_COMMIT_DONE
                                                       : MRG_COMMIT_CONFLICT;
    /* A unique key, a serialisation failure and a deadlock: another was faster. */
    if (strcmp(sqlstate, "23505") == 0 || g_str_has_prefix(sqlstate, "40"))
        return MRG_COMMIT_CONFLICT;
    mrg_pgsql_fail(error, answer, sqlstate, "commit");
    return MRG_COMMIT_ERROR;
}

/* Once: what was lost on the way may have been done. */
static MrgCommit
call_once(MrgPgsql *self, MrgPgsqlCall call, const MrgPgsqlArguments *arguments,
          gint64 deadline_us, GError **error)
{
    MrgPgsqlConnection *connection = mrg_pgsql_borrow(self, deadline_us, error);
    if (!connection)
        return MRG_COMMIT_ERROR;
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    g_autoptr(PGresult) result = NULL;
    MrgPgsqlAnswer answer =
        mrg_pgsql_call(self, connection, call, arguments, deadline_us, &result, sqlstate);
    mrg_pgsql_return(self, connection);
    return judge_commit(answer, result, sqlstate, error);
}

/* What commit and settlement say of the outcome, in this order. */
static void
add_outcome(MrgPgsqlArguments *arguments, const MrgOutcome *outcome, const char *history,
            char numbers[5][MRG_PGSQL_NUMBER_BYTES])
{
    mrg_pgsql_add_key(arguments, outcome->person.bytes);
    mrg_pgsql_add_key(arguments, outcome->message.bytes);
    mrg_pgsql_add_number(arguments, numbers[0], (gint64) outcome->version);
    mrg_pgsql_add_text(arguments, history);
    mrg_pgsql_add_number(arguments, numbers[1], outcome->event.at_us);
    mrg_pgsql_add_text(arguments, outcome->event.campaign);
    mrg_pgsql_add_text(arguments, outcome->event.class_name);
    mrg_pgsql_add_text(arguments, outcome->event.sender);
    mrg_pgsql_add_text(arguments, outcome->event.tags);
    mrg_pgsql_add_number(arguments, numbers[2], outcome->event.verdict);
    mrg_pgsql_add_text(arguments, outcome->event.reason);
    mrg_pgsql_add_number(arguments, numbers[3], outcome->until_us);
    mrg_pgsql_add_number(arguments, numbers[4], outcome->event.tracked);
}

static char *
history_text(const char *history, gsize length)
{
    return history ? g_strndup(history, length) : NULL;
}

MrgCommit
mrg_pgsql_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us,
                 GError **error)
{
    char numbers[5][MRG_PGSQL_NUMBER_BYTES];
    g_autofree char *history = history_text(outcome->history, outcome->history_length);
    MrgPgsqlArguments arguments = {0};
    Shared shared;
    add_outcome(&arguments, outcome, history, numbers);
    mrg_pgsql_add_text(&arguments, outcome->is_final ? "t" : "f");
    mrg_pgsql_add_text(&arguments, outcome->host);
    mrg_pgsql_add_text(&arguments, outcome->queue_id);
    mrg_pgsql_add_text(&arguments, outcome->list ? outcome->list : "");
    add_shared(&shared, &arguments, outcome);
    MrgCommit result = call_once(store, MRG_PG_COMMIT, &arguments, deadline_us, error);
    clear_shared(&shared);
    return result;
}

MrgCommit
mrg_pgsql_settle_hold(gpointer store, const MrgOutcome *outcome, GError **error)
{
    char numbers[5][MRG_PGSQL_NUMBER_BYTES];
    g_autofree char *history = history_text(outcome->history, outcome->history_length);
    MrgPgsqlArguments arguments = {0};
    Shared shared;
    add_outcome(&arguments, outcome, history, numbers);
    add_shared(&shared, &arguments, outcome);
    MrgCommit result = call_once(store, MRG_PG_SETTLE_HOLD, &arguments,
                                 g_get_monotonic_time() + ADMIN_WAIT_US, error);
    clear_shared(&shared);
    return result;
}

MrgCommit
mrg_pgsql_put_history(gpointer store, const MrgAccount *account, GError **error)
{
    char version[MRG_PGSQL_NUMBER_BYTES];
    g_autofree char *history = history_text(account->history, account->history_length);
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_key(&arguments, account->key.bytes);
    mrg_pgsql_add_number(&arguments, version, (gint64) account->version);
    mrg_pgsql_add_text(&arguments, history ? history : "");
    return call_once(store, MRG_PG_SWAP, &arguments, g_get_monotonic_time() + ADMIN_WAIT_US,
                     error);
}

gboolean
mrg_pgsql_move_hold(gpointer store, const MrgHold *hold, gint64 deadline_us, GError **error)
{
    char at[MRG_PGSQL_NUMBER_BYTES], until[MRG_PGSQL_NUMBER_BYTES];
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_key(&arguments, hold->message.bytes);
    mrg_pgsql_add_key(&arguments, hold->person.bytes);
    mrg_pgsql_add_text(&arguments, hold->host);
    mrg_pgsql_add_text(&arguments, hold->queue_id);
    mrg_pgsql_add_text(&arguments, hold->campaign);
    mrg_pgsql_add_text(&arguments, hold->class_name);
    mrg_pgsql_add_number(&arguments, at, hold->at_us);
    mrg_pgsql_add_number(&arguments, until, hold->until_us);
    mrg_pgsql_add_text(&arguments, hold->list ? hold->list : "");
    g_autoptr(PGresult) result =
        mrg_pgsql_ask(store, MRG_PG_PUT_HOLD, &arguments, deadline_us, "hold", error);
    return result != NULL;
}

/* ---- numbers ----------------------------------------------------------- */

static gboolean
take_number(const PGresult *result, int row, int column, guint32 *number, const char *what,
            GError **error)
{
    gint64 found = row < PQntuples(result) ? mrg_pgsql_get_number(result, row, column) : 0;
    if (found >= 1 && found <= G_MAXUINT32) {
        *number = (guint32) found;
        return TRUE;
    }
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT,
                "%s: its number is out of range", what);
    return FALSE;
}

gboolean
mrg_pgsql_campaign_number(gpointer store, const char *campaign, guint32 *number,
                          gint64 deadline_us, GError **error)
{
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_text(&arguments, campaign);
    g_autoptr(PGresult) result = mrg_pgsql_ask(store, MRG_PG_CAMPAIGN_NUMBER, &arguments,
                                               deadline_us, "campaign", error);
    return result && take_number(result, 0, 0, number, "campaign", error);
}

gboolean
mrg_pgsql_link_numbers(gpointer store, guint32 campaign, const char *const *targets,
                       gsize n, guint32 *numbers, gint64 deadline_us, GError **error)
{
    char number[MRG_PGSQL_NUMBER_BYTES];
    g_autoptr(GString) array = mrg_pgsql_array_of_strings(targets, n);
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_number(&arguments, number, campaign);
    mrg_pgsql_add_text(&arguments, array->str);
    g_autoptr(PGresult) result =
        mrg_pgsql_ask(store, MRG_PG_LINK_NUMBERS, &arguments, deadline_us, "links", error);
    if (!result)
        return FALSE;
    for (gsize i = 0; i < n; i++)
        if (!take_number(result, (int) i, 0, &numbers[i], "link", error))
            return FALSE;
    return TRUE;
}
