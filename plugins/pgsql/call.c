/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "plugins/pgsql/pgsql.h"

/* How long a cancelled statement may take to say so. */
#define CANCEL_GRACE_US (200 * 1000)
#define CANCELED "57014"
#define TCP_TIMEOUT_MS "5000"
#define NOT_SUPPORTED "0A000" /* conf/sql/plproxy.sql has one of these */

#define STATE \
    "version, history, engagement, consents, suppressions, verdict, \"until\", reason"

typedef struct Call {
    const char *name, *sql;
    int format; /* of the answer: 1 binary */
} Call;

static const Call calls[MRG_PG_N] = {
    [MRG_PG_FETCH] = {"mrg_fetch", "SELECT fields FROM merganser.mrg_fetch($1, $2)", 1},
    [MRG_PG_LOAD] = {"mrg_load", "SELECT " STATE " FROM merganser.mrg_load($1, $2)", 1},
    [MRG_PG_LOAD_SHARED] = {"mrg_load_shared",
                            "SELECT " STATE ", merganser.mrg_load_shared($3) "
                            "FROM merganser.mrg_load($1, $2)",
                            1},
    [MRG_PG_FETCH_AND_LOAD] = {"mrg_fetch_and_load",
                               "SELECT " STATE ", fields "
                               "FROM merganser.mrg_fetch_and_load($1, $2, $3)",
                               1},
    [MRG_PG_FETCH_AND_LOAD_SHARED] = {"mrg_fetch_and_load_shared",
                                      "SELECT " STATE
                                      ", fields, merganser.mrg_load_shared($4) "
                                      "FROM merganser.mrg_fetch_and_load($1, $2, $3)",
                                      1},
    [MRG_PG_COMMIT] = {"mrg_commit",
                       "SELECT merganser.mrg_commit($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,"
                       "$12,$13,$14,$15,$16,$17,$18,$19,$20)",
                       0},
    [MRG_PG_SETTLE_HOLD] = {"mrg_settle_hold",
                            "SELECT merganser.mrg_settle_hold($1,$2,$3,$4,$5,$6,$7,$8,$9,"
                            "$10,$11,$12,$13,$14,$15,$16)",
                            0},
    [MRG_PG_SWAP] = {"mrg_swap", "SELECT merganser.mrg_swap($1, $2, $3)::integer", 0},
    [MRG_PG_PUT_HOLD] = {"mrg_put_hold",
                         "SELECT merganser.mrg_put_hold($1, $2, $3, $4, "
                         "$5, $6, $7, $8, $9)",
                         0},
    [MRG_PG_END_HOLD] = {"mrg_end_hold",
                         "SELECT merganser.mrg_end_hold(m) FROM unnest($1::bytea[]) m", 0},
    [MRG_PG_CAMPAIGN_NUMBER] = {"mrg_campaign_number",
                                "SELECT merganser.mrg_campaign_number($1)", 0},
    [MRG_PG_LINK_NUMBERS] = {"mrg_link_numbers",
                             "SELECT number FROM merganser.mrg_link_numbers($1, $2) "
                             "ORDER BY place",
                             0},
    [MRG_PG_END_SUPPRESSION] = {"mrg_end_suppression",
                                "SELECT merganser.mrg_end_suppression($1, $2, $3, $4)", 0},
    [MRG_PG_ERASE] = {"mrg_erase",
                      "SELECT merganser.mrg_erase($1, $2), merganser.mrg_erase_hits($1)",
                      0},
};

/* ---- errors ------------------------------------------------------------ */

/* A named statement that is not there, or is there already: somebody else's session, as a
 * pgbouncer in transaction mode lends it. */
static gboolean
is_shared_session(const char *sqlstate)
{
    return strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "42P05") == 0;
}

/* By class and code of PostgreSQL's appendix A. */
static MrgStoreError
code_of(const char *sqlstate)
{
    if (strcmp(sqlstate, CANCELED) == 0 || strcmp(sqlstate, "55P03") == 0)
        return MRG_STORE_ERROR_TIMEOUT;
    if (strcmp(sqlstate, "42501") == 0 || is_shared_session(sqlstate)) /* no privilege */
        return MRG_STORE_ERROR_UNAVAILABLE;
    if (g_str_has_prefix(sqlstate, "42") || g_str_has_prefix(sqlstate, "3F"))
        return MRG_STORE_ERROR_SCHEMA;
    if (g_str_has_prefix(sqlstate, "22") || g_str_has_prefix(sqlstate, "23") ||
        g_str_has_prefix(sqlstate, "XX"))
        return MRG_STORE_ERROR_CORRUPT;
    return MRG_STORE_ERROR_UNAVAILABLE;
}

gboolean
mrg_pgsql_fail(GError **error, MrgPgsqlAnswer answer, const char *sqlstate,
               const char *what)
{
    MrgStoreError code = MRG_STORE_ERROR_UNAVAILABLE;
    g_autofree char *text = NULL;
    if (answer == MRG_PG_ANSWER_TIMEOUT) {
        code = MRG_STORE_ERROR_TIMEOUT;
        text = g_strdup("no answer by the deadline");
    } else if (answer == MRG_PG_ANSWER_LOST) {
        text = g_strdup("the connection to PostgreSQL was lost");
    } else {
        code = code_of(sqlstate);
        text = g_strdup_printf(
            "PostgreSQL refused with SQLSTATE %s%s", sqlstate,
            strcmp(sqlstate, NOT_SUPPORTED) == 0
                ? "; people on several shards cannot share an account: no cap may have "
                  "scope domain or household"
            : is_shared_session(sqlstate)
                ? "; behind a pgbouncer in transaction mode, set prepare = no"
            : code == MRG_STORE_ERROR_SCHEMA ? "; run merganser db init"
                                             : "");
    }
    g_set_error(error, MRG_STORE_ERROR, code, "%s: %s", what, text);
    return FALSE;
}

/* ---- waiting ----------------------------------------------------------- */

/* FALSE when nothing happened by the deadline. */
static gboolean
wait_for(PGconn *pg, short events, gint64 deadline_us)
{
    for (;;) {
        gint64 left_us = MAX(deadline_us - g_get_monotonic_time(), 0);
        struct pollfd poll_fd = {.fd = PQsocket(pg), .events = events};
        /* Rounded up, or the last millisecond would spin. */
        int rc = poll(&poll_fd, 1, (int) MIN((left_us + 999) / 1000, G_MAXINT));
        if (rc > 0)
            return TRUE;
        if (rc == 0 || errno != EINTR)
            return FALSE;
    }
}

typedef enum { WAIT_READY, WAIT_TIMEOUT, WAIT_LOST } Wait;

/* Sends what is left to send and reads until a result can be taken without blocking. */
static Wait
wait_for_result(PGconn *pg, gint64 deadline_us)
{
    for (;;) {
        int unsent = PQflush(pg);
        if (unsent < 0 || PQstatus(pg) == CONNECTION_BAD)
            return WAIT_LOST;
        if (!unsent && !PQisBusy(pg))
            return WAIT_READY;
        if (!wait_for(pg, (short) (POLLIN | (unsent ? POLLOUT : 0)), deadline_us))
            return WAIT_TIMEOUT;
        if (!PQconsumeInput(pg))
            return WAIT_LOST;
    }
}

/* The last result of the statement, of which there is one unless it is plain SQL. */
static Wait
take_result(PGconn *pg, gint64 deadline_us, PGresult **result)
{
    for (;;) {
        Wait wait = wait_for_result(pg, deadline_us);
        if (wait != WAIT_READY)
            return wait;
        PGresult *next = PQgetResult(pg);
        if (!next)
            return *result ? WAIT_READY : WAIT_LOST;
        gboolean has_failed = *result && PQresultStatus(*result) == PGRES_FATAL_ERROR;
        if (has_failed) {
            PQclear(next);
            continue;
        }
        PQclear(*result);
        *result = next;
    }
}

static Wait
cancel_and_take(PGconn *pg, PGresult **result)
{
    char ignored[256];
    PGcancel *cancel = PQgetCancel(pg);
    gboolean is_asked = cancel && PQcancel(cancel, ignored, sizeof ignored);
    PQfreeCancel(cancel);
    if (!is_asked)
        return WAIT_TIMEOUT;
    return take_result(pg, g_get_monotonic_time() + CANCEL_GRACE_US, result);
}

static MrgPgsqlAnswer
judge(PGconn *pg, PGresult **result, char sqlstate[MRG_PGSQL_STATE_BYTES])
{
    ExecStatusType status = PQresultStatus(*result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return MRG_PG_ANSWER_OK;
    const char *state = PQresultErrorField(*result, PG_DIAG_SQLSTATE);
    /* Without a state it is libpq that speaks, of a connection that is gone; 57P01 to 57P03
     * and class 08 are a server that goes, which may be after the work was done. */
    gboolean is_lost = !state || PQstatus(pg) == CONNECTION_BAD ||
                       g_str_has_prefix(state, "57P") || g_str_has_prefix(state, "08");
    g_strlcpy(sqlstate, state ? state : "", MRG_PGSQL_STATE_BYTES);
    g_clear_pointer(result, PQclear);
    if (is_lost)
        return MRG_PG_ANSWER_LOST;
    return strcmp(sqlstate, CANCELED) == 0 ? MRG_PG_ANSWER_TIMEOUT : MRG_PG_ANSWER_ERROR;
}

static MrgPgsqlAnswer
finish(PGconn *pg, gboolean is_sent, gint64 deadline_us, PGresult **result,
       char sqlstate[MRG_PGSQL_STATE_BYTES])
{
    *result = NULL;
    *sqlstate = '\0';
    if (!is_sent)
        return MRG_PG_ANSWER_LOST;
    Wait wait = take_result(pg, deadline_us, result);
    if (wait == WAIT_TIMEOUT)
        wait = cancel_and_take(pg, result);
    if (wait == WAIT_READY)
        return judge(pg, result, sqlstate);
    g_clear_pointer(result, PQclear);
    return MRG_PG_ANSWER_LOST;
}

/* ---- calls ------------------------------------------------------------- */

MrgPgsqlAnswer
mrg_pgsql_run(PGconn *pg, const char *sql, gint64 deadline_us, PGresult **result,
              char sqlstate[MRG_PGSQL_STATE_BYTES])
{
    return finish(pg, PQsendQuery(pg, sql), deadline_us, result, sqlstate);
}

MrgPgsqlAnswer
mrg_pgsql_prepare(PGconn *pg, MrgPgsqlCall call, gint64 deadline_us,
                  char sqlstate[MRG_PGSQL_STATE_BYTES])
{
    PGresult *result;
    MrgPgsqlAnswer answer =
        finish(pg, PQsendPrepare(pg, calls[call].name, calls[call].sql, 0, NULL),
               deadline_us, &result, sqlstate);
    PQclear(result);
    return answer;
}

gboolean
mrg_pgsql_send(const MrgPgsql *self, MrgPgsqlConnection *connection, MrgPgsqlCall call,
               const MrgPgsqlArguments *arguments)
{
    if (self->is_prepared)
        return PQsendQueryPrepared(connection->pg, calls[call].name, arguments->n,
                                   arguments->values, arguments->lengths,
                                   arguments->formats, calls[call].format);
    return PQsendQueryParams(connection->pg, calls[call].sql, arguments->n, NULL,
                             arguments->values, arguments->lengths, arguments->formats,
                             calls[call].format);
}

MrgPgsqlAnswer
mrg_pgsql_finish(MrgPgsqlConnection *connection, gboolean is_sent, gint64 deadline_us,
                 PGresult **result, char sqlstate[MRG_PGSQL_STATE_BYTES])
{
    MrgPgsqlAnswer answer = finish(connection->pg, is_sent, deadline_us, result, sqlstate);
    if (answer == MRG_PG_ANSWER_LOST)
        g_clear_pointer(&connection->pg, PQfinish);
    return answer;
}

MrgPgsqlAnswer
mrg_pgsql_call(const MrgPgsql *self, MrgPgsqlConnection *connection, MrgPgsqlCall call,
               const MrgPgsqlArguments *arguments, gint64 deadline_us, PGresult **result,
               char sqlstate[MRG_PGSQL_STATE_BYTES])
{
    gboolean is_sent = mrg_pgsql_send(self, connection, call, arguments);
    return mrg_pgsql_finish(connection, is_sent, deadline_us, result, sqlstate);
}

/* ---- connecting -------------------------------------------------------- */

static PGconn *
fail_connect(GError **error, PGconn *pg, const char *otherwise)
{
    MrgStoreError code = otherwise ? MRG_STORE_ERROR_TIMEOUT : MRG_STORE_ERROR_UNAVAILABLE;
    g_autofree char *text = g_strdup(otherwise ? otherwise : PQerrorMessage(pg));
    text[strcspn(text, "\n")] = '\0';
    g_set_error(error, MRG_STORE_ERROR, code, "PostgreSQL: %s", text);
    PQfinish(pg);
    return NULL;
}

PGconn *
mrg_pgsql_connect(const char *conninfo, gint64 deadline_us, GError **error)
{
    /* What stands behind the conninfo wins over it, so that texts are UTF-8 always.  The
     * timeout is for a host that vanished: libpq asks to cancel without a deadline. */
    const char *const keywords[] = {"fallback_application_name", "tcp_user_timeout",
                                    "dbname", "client_encoding", NULL};
    const char *const values[] = {"merganser", TCP_TIMEOUT_MS, conninfo, "UTF8", NULL};
    PGconn *pg = PQconnectStartParams(keywords, values, 1);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (PQstatus(pg) != CONNECTION_BAD && status != PGRES_POLLING_FAILED) {
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (status == PGRES_POLLING_OK) {
            PQsetnonblocking(pg, 1);
            return pg;
        }
        if (!wait_for(pg, events, deadline_us))
            return fail_connect(error, pg, "no connection by the deadline");
        status = PQconnectPoll(pg);
    }
    return fail_connect(error, pg, NULL);
}
