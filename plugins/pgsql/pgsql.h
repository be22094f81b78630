/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgsql: connections to PostgreSQL that are lent to one call at a time, and calls that
 * end by their deadline.
 *
 * libpq is used without blocking, with two exceptions that it leaves no choice about: it
 * looks up host names while connecting, and asks to cancel over a connection of its own.
 *
 * THREADS    any; pthread locks, which ThreadSanitizer understands.
 * ERRORS     MRG_STORE_ERROR; texts hold the SQLSTATE and never the server's message, which
 *            may quote values.  A connection that cannot be made is told in libpq's words.
 */
#ifndef MRG_PGSQL_H
#define MRG_PGSQL_H

#include <libpq-fe.h>
#include <pthread.h>

#include "plugins/merganser-plugin.h"

#define MRG_PGSQL_POOL_MAX 128
#define MRG_PGSQL_PARAMETERS_MAX 13

/* conf/sql/pgsql.sql, by the build. */
extern const char mrg_pgsql_schema[];

typedef enum {
    MRG_PG_FETCH,
    MRG_PG_LOAD,
    MRG_PG_COMMIT,
    MRG_PG_CAMPAIGN_NUMBER,
    MRG_PG_IMPORT,
    MRG_PG_EVENTS,
    MRG_PG_PEOPLE,
    MRG_PG_N
} MrgPgsqlCall;

typedef struct MrgPgsqlConnection {
    PGconn *pg; /* NULL: not open */
    gboolean is_lent;
} MrgPgsqlConnection;

typedef struct MrgPgsql {
    char *conninfo;
    gboolean is_prepared; /* named statements are used */
    gsize n_connections;
    pthread_mutex_t lock; /* over is_lent */
    pthread_cond_t returned;
    MrgPgsqlConnection connections[MRG_PGSQL_POOL_MAX];
} MrgPgsql;

/* Arguments of a call; texts are borrowed. */
typedef struct MrgPgsqlArguments {
    int n;
    const char *values[MRG_PGSQL_PARAMETERS_MAX];
    int lengths[MRG_PGSQL_PARAMETERS_MAX];
    int formats[MRG_PGSQL_PARAMETERS_MAX]; /* 1: binary */
} MrgPgsqlArguments;

typedef enum {
    MRG_PG_ANSWER_OK,      /* *result is set */
    MRG_PG_ANSWER_ERROR,   /* the server refused: nothing was done; *sqlstate is set */
    MRG_PG_ANSWER_TIMEOUT, /* the server stopped in time: nothing was done */
    MRG_PG_ANSWER_LOST     /* nobody knows; the connection is closed */
} MrgPgsqlAnswer;

#define MRG_PGSQL_STATE_BYTES 6

void mrg_pgsql_init(MrgPgsql *self);
void mrg_pgsql_clear(MrgPgsql *self);

/* An open connection whose other end was there a moment ago, with the schema checked. */
MrgPgsqlConnection *mrg_pgsql_borrow(MrgPgsql *self, gint64 deadline_us, GError **error);
void mrg_pgsql_return(MrgPgsql *self, MrgPgsqlConnection *connection);

/* Opens without looking for the schema: for create(). */
PGconn *mrg_pgsql_connect(const MrgPgsql *self, gint64 deadline_us, GError **error);

/* Calls a function of the schema. */
MrgPgsqlAnswer mrg_pgsql_call(const MrgPgsql *self, MrgPgsqlConnection *connection,
                              MrgPgsqlCall call, const MrgPgsqlArguments *arguments,
                              gint64 deadline_us, PGresult **result,
                              char sqlstate[MRG_PGSQL_STATE_BYTES]);

/* Names the statement of a call on this connection. */
MrgPgsqlAnswer mrg_pgsql_prepare(PGconn *pg, MrgPgsqlCall call, gint64 deadline_us,
                                 char sqlstate[MRG_PGSQL_STATE_BYTES]);

/* Runs plain SQL. */
MrgPgsqlAnswer mrg_pgsql_run(PGconn *pg, const char *sql, gint64 deadline_us,
                             PGresult **result, char sqlstate[MRG_PGSQL_STATE_BYTES]);

/* The error for an answer that is not OK; FALSE. */
gboolean mrg_pgsql_fail(GError **error, MrgPgsqlAnswer answer, const char *sqlstate,
                        const char *what);

static inline void
mrg_pgsql_result_free(PGresult *result)
{
    PQclear(result);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PGresult, mrg_pgsql_result_free)

#endif
