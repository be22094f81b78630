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
#include "plugins/pgsql/cache.h"

#define MRG_PGSQL_POOL_MAX 128
#define MRG_PGSQL_PARAMETERS_MAX 20
#define MRG_PGSQL_SCHEMA_VERSION 4
#define MRG_PGSQL_NUMBER_BYTES 24
#define MRG_PGSQL_HEX_BYTES (2 + 2 * MRG_KEY_BYTES + 1)

/* conf/sql/pgsql.sql, pgsql-2.sql and so on, by the build. */
extern const char mrg_pgsql_schema[];
extern const char mrg_pgsql_schema_2[];
extern const char mrg_pgsql_schema_3[];
extern const char mrg_pgsql_schema_4[];

typedef enum {
    MRG_PG_FETCH,
    MRG_PG_LOAD,
    MRG_PG_LOAD_SHARED,
    MRG_PG_FETCH_AND_LOAD,
    MRG_PG_FETCH_AND_LOAD_SHARED,
    MRG_PG_COMMIT,
    MRG_PG_SETTLE_HOLD,
    MRG_PG_SWAP,
    MRG_PG_PUT_HOLD,
    MRG_PG_END_HOLD,
    MRG_PG_CAMPAIGN_NUMBER,
    MRG_PG_LINK_NUMBERS,
    MRG_PG_END_SUPPRESSION,
    MRG_PG_ERASE,
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
    void (*log)(GLogLevelFlags level, const char *message);
    struct MrgPgsql *replica; /* which fields are fetched from, or NULL */
    MrgPgsqlCache *cache;     /* of fields, or NULL */
    pthread_t listener;
    int wake[2]; /* a pipe whose end ends the listener */
    gboolean is_listening_vain;
    pthread_mutex_t lock; /* over what follows, and is_lent */
    pthread_cond_t returned;
    gboolean has_listener;
    gint64 away_until_us, pause_us; /* no attempt to connect before then; 0: it was there */
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
/* It did not answer in time: leave it alone for a while, longer each time. */
void mrg_pgsql_note_away(MrgPgsql *self);
/* For administration: waits for a minute. */
MrgPgsqlConnection *mrg_pgsql_borrow_long(MrgPgsql *self, GError **error);

/* Opens without looking for the schema. */
PGconn *mrg_pgsql_connect(const char *conninfo, gint64 deadline_us, GError **error);

/* Calls a function of the schema; the same in two steps, between which others may be asked.
 */
MrgPgsqlAnswer mrg_pgsql_call(const MrgPgsql *self, MrgPgsqlConnection *connection,
                              MrgPgsqlCall call, const MrgPgsqlArguments *arguments,
                              gint64 deadline_us, PGresult **result,
                              char sqlstate[MRG_PGSQL_STATE_BYTES]);

gboolean mrg_pgsql_send(const MrgPgsql *self, MrgPgsqlConnection *connection,
                        MrgPgsqlCall call, const MrgPgsqlArguments *arguments);
MrgPgsqlAnswer mrg_pgsql_finish(MrgPgsqlConnection *connection, gboolean is_sent,
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

/* Begins to listen for changes of profiles, for the cache, unless that has been done. */
void mrg_pgsql_listen(MrgPgsql *self);
void mrg_pgsql_stop_listening(MrgPgsql *self);

/* ---- arguments; texts and numbers' buffers are borrowed ---- */

void mrg_pgsql_add_key(MrgPgsqlArguments *arguments, const guint8 *bytes);
void mrg_pgsql_add_text(MrgPgsqlArguments *arguments, const char *text);
void mrg_pgsql_add_number(MrgPgsqlArguments *arguments, char buffer[MRG_PGSQL_NUMBER_BYTES],
                          gint64 number);
/* An array literal: PostgreSQL, 8.15.2; every element quoted, or NULL. */
GString *mrg_pgsql_array_new(void);
void mrg_pgsql_array_add(GString *array, const char *text, gsize length);
void mrg_pgsql_array_add_string(GString *array, const char *text);
void mrg_pgsql_array_add_number(GString *array, gint64 number);
void mrg_pgsql_array_add_key(GString *array, const MrgPersonKey *key);
const char *mrg_pgsql_array_end(GString *array);
GString *mrg_pgsql_array_of_strings(const char *const *texts, gsize n); /* ended */
/* A key as PostgreSQL writes and reads bytes: \x and hexadecimal. */
const char *mrg_pgsql_hex(const guint8 *bytes, char text[MRG_PGSQL_HEX_BYTES]);

/* ---- results in text ---- */

gint64 mrg_pgsql_get_number(const PGresult *result, int row, int column);
gboolean mrg_pgsql_read_hex(const char *text, gsize length, guint8 *bytes);
gboolean mrg_pgsql_get_key(const PGresult *result, int row, int column, guint8 *bytes);
/* Makes a call that may be repeated, on a new connection when the first was lost. */
PGresult *mrg_pgsql_ask(MrgPgsql *self, MrgPgsqlCall call,
                        const MrgPgsqlArguments *arguments, gint64 deadline_us,
                        const char *what, GError **error);
/* Runs plain SQL, for wait_us at most; the result of its last statement, or NULL. */
PGresult *mrg_pgsql_take(PGconn *pg, const char *sql, gint64 wait_us, const char *what,
                         GError **error);
gboolean mrg_pgsql_run_only(PGconn *pg, const char *sql, gint64 wait_us, const char *what,
                            GError **error);

/* Visits the rows of a query through a cursor; FALSE from the visitor ends it. */
typedef gboolean (*MrgPgsqlVisit)(const PGresult *result, int row, gpointer context);
gboolean mrg_pgsql_visit_query(MrgPgsql *self, const char *query, MrgPgsqlVisit visit,
                               gpointer context, const char *what, GError **error);
/* As import, within the transaction that is open. */
gboolean mrg_pgsql_import_within(PGconn *pg, MrgProfileNext next, gpointer context,
                                 guint64 *n, GError **error);

#endif
