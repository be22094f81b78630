/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "plugins/sqlite/sqlite.h"

#define PROGRESS_STEPS 4000 /* virtual machine steps between looks at the deadline */
#define ADMIN_WAIT_US (60 * G_USEC_PER_SEC)
#define WAIT_FIRST_US 200     /* then twice as long each time, up to */
#define WAIT_LONGEST_US 10000 /* this, because SQLite has no queue for its locks */

static const char *const statements[MRG_SQL_N] = {
    [MRG_SQL_BEGIN] = "BEGIN",
    [MRG_SQL_BEGIN_IMMEDIATE] = "BEGIN IMMEDIATE",
    [MRG_SQL_COMMIT] = "COMMIT",
    [MRG_SQL_ROLLBACK] = "ROLLBACK",
    [MRG_SQL_SAVEPOINT] = "SAVEPOINT outcome",
    [MRG_SQL_RELEASE] = "RELEASE outcome",
    [MRG_SQL_ROLLBACK_TO] = "ROLLBACK TO outcome",
    [MRG_SQL_PROFILE] = "SELECT 1 FROM profile WHERE key = ?1",
    [MRG_SQL_FIELD] = "SELECT type, value FROM field WHERE key = ?1 AND name = ?2",
    [MRG_SQL_FIELDS] =
        "SELECT name, type, value FROM field WHERE key = ?1 AND name BETWEEN ?2 AND ?3",
    [MRG_SQL_PERSON] = "SELECT version, history, engagement FROM person WHERE key = ?1",
    [MRG_SQL_CONSENTS] = "SELECT purpose, source, state, at FROM consent WHERE key = ?1",
    [MRG_SQL_SUPPRESSIONS] =
        "SELECT scope, reason, at, until FROM suppression WHERE key = ?1",
    [MRG_SQL_RECORDED] = "SELECT verdict, reason, until FROM event WHERE key = ?1 "
                         "AND message = ?2 ORDER BY id DESC LIMIT 1",
    [MRG_SQL_EVENTS] =
        "SELECT at, campaign, class, sender, tags, verdict, reason, key, tracked, message "
        "FROM event WHERE key = ?1 ORDER BY at DESC, id DESC LIMIT ?2",
    [MRG_SQL_EVENTS_SINCE] =
        "SELECT at, campaign, class, sender, tags, verdict, reason, key, tracked, message "
        "FROM event WHERE at >= ?1 ORDER BY at, id",
    [MRG_SQL_PEOPLE] = "SELECT address FROM profile ORDER BY key LIMIT ?1",
    [MRG_SQL_HOMES] = "SELECT p.key, p.address, f.type, f.value FROM profile p "
                      "LEFT JOIN field f ON f.key = p.key AND f.name = ?1",
    [MRG_SQL_ENGAGEMENTS] =
        "SELECT c.key, p.engagement FROM consent c JOIN person p ON p.key = c.key "
        "WHERE c.purpose = 'profile' AND c.state = 1",
    [MRG_SQL_CAMPAIGN] = "SELECT number FROM campaign WHERE name = ?1",
    [MRG_SQL_ADD_CAMPAIGN] = "INSERT INTO campaign (name) VALUES (?1) "
                             "ON CONFLICT (name) DO NOTHING",
    [MRG_SQL_ADD_PERSON] = "INSERT INTO person (key, version, history) "
                           "VALUES (?1, 1, coalesce(?2, '')) ON CONFLICT (key) DO NOTHING",
    [MRG_SQL_RAISE_PERSON] =
        "UPDATE person SET version = version + 1, "
        "history = coalesce(?2, history) WHERE key = ?1 AND version = ?3",
    [MRG_SQL_ADD_EVENT] =
        "INSERT INTO event (at, key, campaign, class, verdict, reason, message, sender, "
        "tags, until, tracked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [MRG_SQL_PUT_HOLD] =
        "INSERT INTO hold (message, key, host, queue_id, campaign, class, at, until, list) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
        "ON CONFLICT (message) DO UPDATE "
        "SET host = excluded.host, queue_id = excluded.queue_id, at = excluded.at",
    [MRG_SQL_LEAVE_HOLD] =
        "INSERT INTO hold (message, key, host, queue_id, campaign, class, at, until, list, "
        "settlement) SELECT randomblob(16), key, host, queue_id, "
        "campaign, class, at, until, list, 1 FROM hold "
        "WHERE message = ?1 AND (host <> ?2 OR queue_id <> ?3)",
    [MRG_SQL_HOLD] = "SELECT key FROM hold WHERE message = ?1 "
                     "AND (settlement IS NULL OR (settlement = 0 AND ?2 = 1))",
    [MRG_SQL_SETTLE_HOLD] =
        "UPDATE hold SET settlement = ?2, until = ?3, is_changed = 0 WHERE message = ?1",
    [MRG_SQL_END_HOLD] = "DELETE FROM hold WHERE message = ?1",
    [MRG_SQL_HOLDS] =
        "SELECT message, key, host, queue_id, campaign, class, at, until, settlement, list "
        "FROM hold WHERE (?1 IS NULL OR host = ?1) AND (?2 IS NULL OR campaign = ?2) "
        "AND (?3 = 9223372036854775807 OR settlement IS NOT NULL OR is_changed "
        "OR (until != 0 AND until <= ?3)) ORDER BY at, message",
    [MRG_SQL_LINK] = "SELECT number FROM link WHERE campaign = ?1 AND hash = ?2",
    [MRG_SQL_ADD_LINK] =
        "INSERT INTO link (campaign, number, hash, target) SELECT ?1, 1 + coalesce("
        "(SELECT max(number) FROM link WHERE campaign = ?1), 0), ?2, ?3 WHERE TRUE "
        "ON CONFLICT (campaign, hash) DO NOTHING",
    [MRG_SQL_PUT_ENGAGEMENT] =
        "INSERT INTO person (key, version, engagement) VALUES (?1, 1, ?2) "
        "ON CONFLICT (key) DO UPDATE "
        "SET version = version + 1, engagement = excluded.engagement",
    [MRG_SQL_ACTIVE_SUPPRESSIONS] =
        "SELECT key, scope, reason, at, until FROM suppression "
        "WHERE (?1 IS NULL OR key = ?1) AND (until = 0 OR until > ?2) LIMIT ?3",
    [MRG_SQL_END_SUPPRESSION] =
        "UPDATE suppression SET until = ?2 WHERE key = ?1 AND (until = 0 OR until > ?2) "
        "AND (?3 IS NULL OR scope = ?3) AND (?4 IS NULL OR reason = ?4)",
    [MRG_SQL_PUT_PROFILE] = "INSERT INTO profile (key, address) VALUES (?1, ?2) "
                            "ON CONFLICT (key) DO UPDATE SET address = excluded.address",
    [MRG_SQL_PUT_FIELD] =
        "INSERT INTO field (key, name, type, value) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (key, name) DO UPDATE "
        "SET type = excluded.type, value = excluded.value",
    [MRG_SQL_DROP_FIELD] = "DELETE FROM field WHERE key = ?1 AND name = ?2",
    [MRG_SQL_ADD_CONSENT] =
        "INSERT OR IGNORE INTO consent_log (key, purpose, state, at, source) "
        "VALUES (?1, ?2, ?3, ?4, ?5)",
    [MRG_SQL_ADD_SUPPRESSION] =
        "INSERT INTO suppression (key, scope, reason, at, until) "
        "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key, scope, reason) DO UPDATE "
        "SET at = iif(suppression.until <= excluded.at, excluded.at, suppression.at), "
        "until = iif(suppression.until <= excluded.at OR excluded.until = 0, "
        "excluded.until, max(suppression.until, excluded.until)) "
        "WHERE suppression.until != 0 AND (suppression.until <= excluded.at "
        "OR excluded.until = 0 OR excluded.until > suppression.until)",
    [MRG_SQL_HIT_TEXT] = "SELECT id FROM hit_text WHERE text = ?1",
    [MRG_SQL_ADD_HIT_TEXT] = "INSERT INTO hit_text (text) VALUES (?1)",
    [MRG_SQL_ADD_HIT] =
        "INSERT INTO hit (at, campaign, link, message, kind, flags, class, reason, agent, "
        "since, network, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [MRG_SQL_IDENTITY] = "SELECT key FROM web_identity WHERE site = ?1 AND anonymous = ?2",
    [MRG_SQL_PUT_IDENTITY] =
        "INSERT INTO web_identity (site, anonymous, key) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (site, anonymous) DO UPDATE SET key = excluded.key",
    [MRG_SQL_ADD_WEB_EVENT] =
        "INSERT INTO web_event (at, site, kind, name, anonymous, event, data, key) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
        "ON CONFLICT (site, event) WHERE event != '' DO NOTHING",
    [MRG_SQL_PUT_DELIVERY] =
        "INSERT INTO delivery (campaign, message, state, at, code, key) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (campaign, message, state) DO UPDATE "
        "SET at = excluded.at, code = excluded.code WHERE excluded.at > delivery.at",
    [MRG_SQL_JOURNAL] = "SELECT segment, \"offset\" FROM journal WHERE id = ?1",
    [MRG_SQL_PUT_JOURNAL] =
        "INSERT INTO journal (id, segment, \"offset\") VALUES (?1, ?2, ?3) "
        "ON CONFLICT (id) DO UPDATE "
        "SET segment = excluded.segment, \"offset\" = excluded.\"offset\"",
    [MRG_SQL_PUT_CLASS] = "UPDATE hit SET class = ?2, reason = ?3 WHERE id = ?1",
    [MRG_SQL_CAMPAIGN_EVENTS] =
        "SELECT at, campaign, class, sender, tags, verdict, reason, key, tracked, message "
        "FROM event WHERE campaign = ?1 ORDER BY at, id",
    [MRG_SQL_LINKS] = "SELECT number, target FROM link WHERE campaign = ?1 ORDER BY number",
    [MRG_SQL_CAMPAIGN_NAME] = "SELECT name FROM campaign WHERE number = ?1",
    [MRG_SQL_LINK_TARGET] = "SELECT target FROM link WHERE campaign = ?1 AND number = ?2",
};

/* ---- errors ------------------------------------------------------------ */

static MrgStoreError
code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return MRG_STORE_ERROR_TIMEOUT;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return MRG_STORE_ERROR_CORRUPT;
    case SQLITE_ERROR: /* a table or column that is not there */
        return MRG_STORE_ERROR_SCHEMA;
    default:
        return MRG_STORE_ERROR_UNAVAILABLE;
    }
}

/* sqlite3_errstr() and not sqlite3_errmsg(): the latter may quote what was read. */
gboolean
mrg_sqlite_fail(GError **error, int rc, const char *what)
{
    MrgStoreError code = code_of(rc);
    g_set_error(error, MRG_STORE_ERROR, code, "%s: %s%s", what, sqlite3_errstr(rc),
                code == MRG_STORE_ERROR_SCHEMA ? "; run merganser db init" : "");
    return FALSE;
}

/* ---- a connection ------------------------------------------------------ */

static int
wait_for_lock(void *context, int n_tries)
{
    const MrgSqliteConnection *connection = context;
    gint64 left_us = connection->deadline_us - g_get_monotonic_time();
    if (left_us <= 0)
        return 0;
    gint64 wait_us = (gint64) WAIT_FIRST_US << MIN(n_tries, 8);
    g_usleep((gulong) MIN(MIN(wait_us, WAIT_LONGEST_US), left_us));
    return 1;
}

static int
is_past_deadline(void *context)
{
    const MrgSqliteConnection *connection = context;
    return g_get_monotonic_time() > connection->deadline_us;
}

void
mrg_sqlite_disconnect(MrgSqliteConnection *connection)
{
    for (gsize i = 0; i < MRG_SQL_N; i++) {
        sqlite3_finalize(connection->statements[i]);
        connection->statements[i] = NULL;
    }
    sqlite3_close(connection->db);
    connection->db = NULL;
}

/* trusted_schema is off because whoever may write the file must not get at functions. */
static int
set_up(const MrgSqlite *self, MrgSqliteConnection *connection)
{
    g_autofree char *pragmas = g_strdup_printf(
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA synchronous = %s;"
        "PRAGMA query_only = %s; PRAGMA secure_delete = ON;",
        self->is_full ? "FULL" : "NORMAL", connection->is_writer ? "OFF" : "ON");
    sqlite3_extended_result_codes(connection->db, 1);
    sqlite3_busy_handler(connection->db, wait_for_lock, connection);
    sqlite3_progress_handler(connection->db, PROGRESS_STEPS, is_past_deadline, connection);
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return sqlite3_exec(connection->db, pragmas, NULL, NULL, NULL);
}

gboolean
mrg_sqlite_connect(MrgSqlite *self, MrgSqliteConnection *connection, GError **error)
{
    /* SQLite would follow a missing file with "cannot open" and no reason. */
    struct stat status;
    if (stat(self->file, &status) != 0) {
        g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE,
                    "%s: %s; "
                    "run merganser db init",
                    self->file, g_strerror(errno));
        return FALSE;
    }
    connection->device = status.st_dev;
    connection->inode = status.st_ino;
    int rc = sqlite3_open_v2(self->file, &connection->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = set_up(self, connection);
    if (rc == SQLITE_OK)
        return TRUE;
    mrg_sqlite_disconnect(connection);
    return mrg_sqlite_fail(error, rc, self->file);
}

gboolean
mrg_sqlite_user_version(sqlite3 *db, int *version, GError **error)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW || mrg_sqlite_fail(error, rc, "schema version");
}

static gboolean
check_version(const MrgSqlite *self, sqlite3 *db, GError **error)
{
    int version = 0;
    if (!mrg_sqlite_user_version(db, &version, error))
        return FALSE;
    if (version == MRG_SQLITE_SCHEMA_VERSION)
        return TRUE;
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SCHEMA,
                "%s: schema version is %d, expected %d; run merganser db init", self->file,
                version, MRG_SQLITE_SCHEMA_VERSION);
    return FALSE;
}

static gboolean
prepare_all(MrgSqliteConnection *connection, GError **error)
{
    for (gsize i = 0; i < MRG_SQL_N; i++) {
        int rc =
            sqlite3_prepare_v3(connection->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &connection->statements[i], NULL);
        if (rc != SQLITE_OK)
            return mrg_sqlite_fail(error, rc, "tables");
    }
    return TRUE;
}

static gboolean
is_in_place(const MrgSqlite *self, const MrgSqliteConnection *connection)
{
    struct stat status;
    return connection->db && stat(self->file, &status) == 0 &&
           status.st_dev == connection->device && status.st_ino == connection->inode;
}

/* A file that was moved or restored from a backup is opened anew: to go on with the old
 * one would lose every record without a word. */
static gboolean
make_ready(MrgSqlite *self, MrgSqliteConnection *connection, GError **error)
{
    if (is_in_place(self, connection))
        return TRUE;
    mrg_sqlite_disconnect(connection);
    if (!mrg_sqlite_connect(self, connection, error))
        return FALSE;
    if (check_version(self, connection->db, error) && prepare_all(connection, error))
        return TRUE;
    mrg_sqlite_disconnect(connection);
    return FALSE;
}

/* ---- the pool ---------------------------------------------------------- */

void
mrg_sqlite_init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct timespec
mrg_sqlite_timespec(gint64 deadline_us)
{
    gint64 us = MAX(deadline_us, 0);
    return (struct timespec){us / G_USEC_PER_SEC, us % G_USEC_PER_SEC * 1000};
}

void
mrg_sqlite_init(MrgSqlite *self)
{
    mrg_sqlite_init_condition(&self->reader_returned);
    mrg_sqlite_init_condition(&self->writer_returned);
    pthread_mutex_init(&self->lock, NULL);
    mrg_sqlite_init_group(&self->group);
    self->writer.is_writer = TRUE;
}

void
mrg_sqlite_clear(MrgSqlite *self)
{
    mrg_sqlite_disconnect(&self->writer);
    for (gsize i = 0; i < self->n_readers; i++)
        mrg_sqlite_disconnect(&self->readers[i]);
    mrg_sqlite_clear_group(&self->group);
    pthread_cond_destroy(&self->writer_returned);
    pthread_cond_destroy(&self->reader_returned);
    pthread_mutex_destroy(&self->lock);
}

static MrgSqliteConnection *
find_free(MrgSqlite *self, gboolean is_writer)
{
    if (is_writer)
        return self->writer.is_lent ? NULL : &self->writer;
    for (gsize i = 0; i < self->n_readers; i++)
        if (!self->readers[i].is_lent)
            return &self->readers[i];
    return NULL;
}

static pthread_cond_t *
returned(MrgSqlite *self, gboolean is_writer)
{
    return is_writer ? &self->writer_returned : &self->reader_returned;
}

/* A call that its deadline ends just when it is signalled still takes what is free. */
static MrgSqliteConnection *
wait_for_free(MrgSqlite *self, gboolean is_writer, gint64 deadline_us)
{
    struct timespec until = mrg_sqlite_timespec(deadline_us);
    MrgSqliteConnection *connection;
    int rc = 0;
    pthread_mutex_lock(&self->lock);
    while (!(connection = find_free(self, is_writer)) && rc == 0)
        rc = pthread_cond_timedwait(returned(self, is_writer), &self->lock, &until);
    if (connection)
        connection->is_lent = TRUE;
    pthread_mutex_unlock(&self->lock);
    return connection;
}

static void
give_back(MrgSqlite *self, MrgSqliteConnection *connection)
{
    pthread_mutex_lock(&self->lock);
    connection->is_lent = FALSE;
    pthread_cond_signal(returned(self, connection->is_writer));
    pthread_mutex_unlock(&self->lock);
}

MrgSqliteConnection *
mrg_sqlite_borrow(MrgSqlite *self, gboolean is_writer, gint64 deadline_us, GError **error)
{
    MrgSqliteConnection *connection = wait_for_free(self, is_writer, deadline_us);
    if (!connection) {
        g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT,
                    "%s: every connection is in use", self->file);
        return NULL;
    }
    connection->deadline_us = deadline_us;
    if (make_ready(self, connection, error))
        return connection;
    give_back(self, connection);
    return NULL;
}

/* Ends what somebody stopped reading; most statements were not used at all, and a reset
 * costs more than to see that. */
static void
end_statements(MrgSqliteConnection *connection)
{
    for (gsize i = 0; i < MRG_SQL_N; i++)
        if (sqlite3_stmt_busy(connection->statements[i]))
            sqlite3_reset(connection->statements[i]);
}

void
mrg_sqlite_return(MrgSqlite *self, MrgSqliteConnection *connection)
{
    end_statements(connection);
    if (connection->db && !sqlite3_get_autocommit(connection->db)) {
        connection->deadline_us = MRG_SQLITE_NO_DEADLINE;
        if (!mrg_sqlite_run(mrg_sqlite_fresh(connection, MRG_SQL_ROLLBACK), "rollback",
                            NULL))
            mrg_sqlite_disconnect(connection);
    }
    give_back(self, connection);
}

MrgSqliteConnection *
mrg_sqlite_borrow_long(MrgSqlite *self, gboolean is_writer, GError **error)
{
    gint64 lock_by_us = g_get_monotonic_time() + ADMIN_WAIT_US;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, is_writer, lock_by_us, error);
    if (connection && mrg_sqlite_begin(connection, error)) {
        connection->deadline_us = MRG_SQLITE_NO_DEADLINE;
        return connection;
    }
    if (connection)
        mrg_sqlite_return(self, connection);
    return NULL;
}
