/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <poll.h>
#include <string.h>

#include "plugins/pgsql/pgsql.h"

#define SCHEMA_VERSION G_STRINGIFY(MRG_PGSQL_SCHEMA_VERSION)
#define LONG_WAIT_US (60 * G_USEC_PER_SEC)
/* A server that is restarted is waited for; one that is away is tried now and then, and
 * whoever comes meanwhile is told at once. */
#define PATIENCE_US G_USEC_PER_SEC
#define FIRST_WAIT_US (50 * 1000)
#define PAUSE_US_MIN (250 * 1000)
#define PAUSE_US_MAX (5 * G_USEC_PER_SEC)

void
mrg_pgsql_init(MrgPgsql *self)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->returned, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&self->lock, NULL);
}

void
mrg_pgsql_clear(MrgPgsql *self)
{
    for (gsize i = 0; i < self->n_connections; i++)
        PQfinish(self->connections[i].pg);
    pthread_cond_destroy(&self->returned);
    pthread_mutex_destroy(&self->lock);
}

/* ---- one connection ---------------------------------------------------- */

static gboolean
check_schema(PGconn *pg, gint64 deadline_us, GError **error)
{
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    g_autoptr(PGresult) result = NULL;
    MrgPgsqlAnswer answer = mrg_pgsql_run(pg, "SELECT merganser.mrg_schema_version()",
                                          deadline_us, &result, sqlstate);
    if (answer != MRG_PG_ANSWER_OK)
        return mrg_pgsql_fail(error, answer, sqlstate, "schema version");
    if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), SCHEMA_VERSION) == 0)
        return TRUE;
    g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SCHEMA,
                        "schema version is not " SCHEMA_VERSION "; run merganser db init");
    return FALSE;
}

static gboolean
prepare_all(const MrgPgsql *self, PGconn *pg, gint64 deadline_us, GError **error)
{
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    for (int i = 0; self->is_prepared && i < MRG_PG_N; i++) {
        MrgPgsqlAnswer answer =
            mrg_pgsql_prepare(pg, (MrgPgsqlCall) i, deadline_us, sqlstate);
        if (answer != MRG_PG_ANSWER_OK)
            return mrg_pgsql_fail(error, answer, sqlstate, "prepare");
    }
    return TRUE;
}

/* A server that was restarted has hung up on its idle connections: seen here, before a
 * statement is sent whose fate would be unknown. */
static gboolean
is_alive(PGconn *pg)
{
    struct pollfd poll_fd = {.fd = PQsocket(pg), .events = POLLIN};
    if (PQstatus(pg) == CONNECTION_BAD || PQtransactionStatus(pg) != PQTRANS_IDLE)
        return FALSE;
    if (poll(&poll_fd, 1, 0) <= 0)
        return TRUE;
    return PQconsumeInput(pg) && PQstatus(pg) != CONNECTION_BAD &&
           !(poll_fd.revents & (POLLHUP | POLLERR));
}

void
mrg_pgsql_note_away(MrgPgsql *self)
{
    pthread_mutex_lock(&self->lock);
    self->pause_us = CLAMP(2 * self->pause_us, PAUSE_US_MIN, PAUSE_US_MAX);
    self->away_until_us = g_get_monotonic_time() + self->pause_us;
    pthread_mutex_unlock(&self->lock);
}

static void
note_there(MrgPgsql *self)
{
    pthread_mutex_lock(&self->lock);
    self->pause_us = self->away_until_us = 0;
    pthread_mutex_unlock(&self->lock);
}

static gboolean
is_away(MrgPgsql *self)
{
    pthread_mutex_lock(&self->lock);
    gint64 until_us = self->away_until_us;
    pthread_mutex_unlock(&self->lock);
    return g_get_monotonic_time() < until_us;
}

static PGconn *
connect_patiently(MrgPgsql *self, gint64 deadline_us, GError **error)
{
    gint64 until_us = MIN(deadline_us, g_get_monotonic_time() + PATIENCE_US);
    if (is_away(self)) {
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE,
                            "PostgreSQL: no connection could be made a moment ago");
        return NULL;
    }
    for (gint64 wait_us = FIRST_WAIT_US;; wait_us *= 2) {
        g_autoptr(GError) problem = NULL;
        PGconn *pg = mrg_pgsql_connect(self->conninfo, deadline_us, &problem);
        if (pg) {
            note_there(self);
            return pg;
        }
        if (g_get_monotonic_time() + wait_us > until_us) {
            mrg_pgsql_note_away(self);
            g_propagate_error(error, g_steal_pointer(&problem));
            return NULL;
        }
        g_usleep((gulong) wait_us);
    }
}

static gboolean
make_ready(MrgPgsql *self, MrgPgsqlConnection *connection, gint64 deadline_us,
           GError **error)
{
    if (connection->pg && is_alive(connection->pg))
        return TRUE;
    g_clear_pointer(&connection->pg, PQfinish);
    PGconn *pg = connect_patiently(self, deadline_us, error);
    if (!pg)
        return FALSE;
    if (!check_schema(pg, deadline_us, error) ||
        !prepare_all(self, pg, deadline_us, error)) {
        PQfinish(pg);
        return FALSE;
    }
    connection->pg = pg;
    return TRUE;
}

/* ---- lending ----------------------------------------------------------- */

/* The first free one: connections at the end are opened only when all are needed. */
static MrgPgsqlConnection *
find_free(MrgPgsql *self)
{
    for (gsize i = 0; i < self->n_connections; i++)
        if (!self->connections[i].is_lent)
            return &self->connections[i];
    return NULL;
}

static MrgPgsqlConnection *
wait_for_free(MrgPgsql *self, gint64 deadline_us)
{
    gint64 us = MAX(deadline_us, 0);
    struct timespec until = {us / G_USEC_PER_SEC, us % G_USEC_PER_SEC * 1000};
    MrgPgsqlConnection *connection;
    int rc = 0;
    pthread_mutex_lock(&self->lock);
    while (!(connection = find_free(self)) && rc == 0)
        rc = pthread_cond_timedwait(&self->returned, &self->lock, &until);
    if (connection)
        connection->is_lent = TRUE;
    pthread_mutex_unlock(&self->lock);
    return connection;
}

MrgPgsqlConnection *
mrg_pgsql_borrow(MrgPgsql *self, gint64 deadline_us, GError **error)
{
    MrgPgsqlConnection *connection = wait_for_free(self, deadline_us);
    if (!connection) {
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT,
                            "every connection to PostgreSQL is in use");
        return NULL;
    }
    if (make_ready(self, connection, deadline_us, error))
        return connection;
    mrg_pgsql_return(self, connection);
    return NULL;
}

MrgPgsqlConnection *
mrg_pgsql_borrow_long(MrgPgsql *self, GError **error)
{
    return mrg_pgsql_borrow(self, g_get_monotonic_time() + LONG_WAIT_US, error);
}

void
mrg_pgsql_return(MrgPgsql *self, MrgPgsqlConnection *connection)
{
    pthread_mutex_lock(&self->lock);
    connection->is_lent = FALSE;
    pthread_cond_signal(&self->returned);
    pthread_mutex_unlock(&self->lock);
}
