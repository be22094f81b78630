/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that listens for changes of profiles, in a thread of its own, begun when the
 * cache is first used.  The cache is open while it stands and is known to be told of
 * changes: behind a pooler, whose sessions come and go, nobody would be told.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "plugins/pgsql/pgsql.h"

#define CONNECT_US (2 * G_USEC_PER_SEC)
#define ANSWER_US (2 * G_USEC_PER_SEC)
#define HEARTBEAT_MS 5000 /* a server that vanished without a word is missed after this */
#define RETRY_MS_MIN 500
#define RETRY_MS_MAX 30000

/* ---- opening ------------------------------------------------------------- */

/* Sends its own process number for the session's, and so do others that stand between. */
static gboolean
is_pooled(PGconn *pg, const PGresult *result)
{
    return mrg_pgsql_get_number(result, 0, 0) != PQbackendPID(pg);
}

static const char *
find_obstacle(PGconn *pg, const PGresult *result)
{
    if (strcmp(PQgetvalue(result, 0, 1), "t") != 0)
        return "cache_bytes: this database does not tell of changes, so profiles are not "
               "cached";
    return is_pooled(pg, result) ? "cache_bytes: there is a pooler before the database, "
                                   "which loses LISTEN, so profiles are not cached"
                                 : NULL;
}

static gboolean
begin_listening(MrgPgsql *self, PGconn *pg)
{
    g_autoptr(PGresult) result =
        mrg_pgsql_take(pg, "SELECT pg_backend_pid(), merganser.mrg_tells_changes()",
                       ANSWER_US, "listen", NULL);
    const char *obstacle = result ? find_obstacle(pg, result) : NULL;
    if (obstacle) {
        self->log(G_LOG_LEVEL_WARNING, obstacle);
        self->is_listening_vain = TRUE;
    }
    return result && !obstacle &&
           mrg_pgsql_run_only(pg, "LISTEN merganser_profile", ANSWER_US, "listen", NULL);
}

static PGconn *
open_listening(MrgPgsql *self)
{
    PGconn *pg =
        mrg_pgsql_connect(self->conninfo, g_get_monotonic_time() + CONNECT_US, NULL);
    if (pg && begin_listening(self, pg))
        return pg;
    PQfinish(pg);
    return NULL;
}

/* ---- following ----------------------------------------------------------- */

/* A key in hexadecimal, or nothing for everybody. */
static void
take_notification(MrgPgsql *self, const char *key)
{
    MrgPersonKey person;
    gboolean is_key = mrg_pgsql_read_hex(key, strlen(key), person.bytes);
    mrg_pgsql_cache_forget(self->cache, is_key ? &person : NULL);
}

static void
take_notifications(MrgPgsql *self, PGconn *pg)
{
    PGnotify *notification;
    while ((notification = PQnotifies(pg))) {
        take_notification(self, notification->extra);
        PQfreemem(notification);
    }
}

/* FALSE when the listener is to end. */
static gboolean
wait_for_news(const MrgPgsql *self, PGconn *pg, int wait_ms, gboolean *is_news)
{
    struct pollfd fds[] = {{.fd = self->wake[0], .events = POLLIN},
                           {.fd = pg ? PQsocket(pg) : -1, .events = POLLIN}};
    int rc = poll(fds, 2, wait_ms);
    *is_news = rc > 0 || (rc < 0 && errno == EINTR);
    return !(rc > 0 && fds[0].revents);
}

/* Until the connection is lost (TRUE) or the listener is to end. */
static gboolean
follow(MrgPgsql *self, PGconn *pg)
{
    gboolean is_news;
    while (wait_for_news(self, pg, HEARTBEAT_MS, &is_news)) {
        gboolean is_there =
            is_news ? PQconsumeInput(pg)
                    : mrg_pgsql_run_only(pg, "SELECT 1", ANSWER_US, "listen", NULL);
        take_notifications(self, pg);
        if (!is_there || PQstatus(pg) == CONNECTION_BAD)
            return TRUE;
    }
    return FALSE;
}

static gpointer
listen_in_thread(gpointer data)
{
    MrgPgsql *self = data;
    int retry_ms = RETRY_MS_MIN;
    gboolean is_wanted = TRUE, is_news;
    while (is_wanted && !self->is_listening_vain) {
        PGconn *pg = open_listening(self);
        if (pg) {
            retry_ms = RETRY_MS_MIN;
            mrg_pgsql_cache_open(self->cache);
            is_wanted = follow(self, pg);
            mrg_pgsql_cache_close(self->cache);
            PQfinish(pg);
        }
        is_wanted = is_wanted && wait_for_news(self, NULL, retry_ms, &is_news);
        retry_ms = MIN(2 * retry_ms, RETRY_MS_MAX);
    }
    return NULL;
}

/* ---- begin and end ------------------------------------------------------- */

/* No signal may come here: libmilter waits for them elsewhere. */
static gboolean
start_thread(MrgPgsql *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&self->listener, NULL, listen_in_thread, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

void
mrg_pgsql_listen(MrgPgsql *self)
{
    pthread_mutex_lock(&self->lock);
    if (!self->has_listener && g_unix_open_pipe(self->wake, FD_CLOEXEC, NULL)) {
        self->has_listener = start_thread(self);
        if (!self->has_listener) {
            close(self->wake[0]);
            close(self->wake[1]);
        }
    }
    pthread_mutex_unlock(&self->lock);
}

void
mrg_pgsql_stop_listening(MrgPgsql *self)
{
    if (!self->has_listener)
        return;
    close(self->wake[1]);
    pthread_join(self->listener, NULL);
    close(self->wake[0]);
}
