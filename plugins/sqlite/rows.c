/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as they are: events, what is held on a person, searching, removing. */
#include "config.h"

#include <string.h>

#include "plugins/sqlite/sqlite.h"

#define ROW_COLUMNS_MAX 16
#define BATCH "10000" /* rows that one transaction of retention removes */

#define HITS                                                                              \
    "(SELECT hit.id, at, campaign, link, message, kind, flags, class, r.text AS reason, " \
    "a.text AS agent, since, network, key FROM hit JOIN hit_text r ON r.id = reason "     \
    "JOIN hit_text a ON a.id = agent)"

/* Those with a column "key", and those without. */
static const struct {
    const char *name;
    const char *source; /* NULL: the table as it is */
} tables[] = {
    {"profile", NULL},  {"field", NULL},       {"person", NULL},   {"consent_log", NULL},
    {"consent", NULL},  {"suppression", NULL}, {"event", NULL},    {"hold", NULL},
    {"hit", HITS},      {"web_event", NULL},   {"delivery", NULL}, {"web_identity", NULL},
    {"campaign", NULL}, {"link", NULL},
};
#define N_KEYED 12

/* ---- events ------------------------------------------------------------ */

static gboolean
visit_event(sqlite3_stmt *statement, MrgEventVisit visit, gpointer context)
{
    MrgPersonKey person;
    MrgEvent event = {
        .at_us = sqlite3_column_int64(statement, 0),
        .campaign = (const char *) sqlite3_column_text(statement, 1),
        .class_name = (const char *) sqlite3_column_text(statement, 2),
        .sender = (const char *) sqlite3_column_text(statement, 3),
        .tags = (const char *) sqlite3_column_text(statement, 4),
        .verdict = (MrgVerdict) sqlite3_column_int(statement, 5),
        .reason = (const char *) sqlite3_column_text(statement, 6),
        .tracked = (guint) sqlite3_column_int(statement, 8),
    };
    mrg_sqlite_take_key(statement, 7, person.bytes);
    if (sqlite3_column_type(statement, 9) != SQLITE_NULL)
        mrg_sqlite_take_key(statement, 9, event.message.bytes);
    return visit(&person, &event, context);
}

static gboolean
visit_events(sqlite3_stmt *statement, MrgEventVisit visit, gpointer context, GError **error)
{
    gboolean is_done = FALSE, is_wanted = TRUE;
    while (is_wanted && mrg_sqlite_next(statement, "events", &is_done, error))
        is_wanted = visit_event(statement, visit, context);
    return is_done || !is_wanted;
}

gboolean
mrg_sqlite_events(gpointer store, const MrgPersonKey *person, gsize limit,
                  MrgEventVisit visit, gpointer context, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_EVENTS);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64) MIN(limit, (gsize) G_MAXINT));
    gboolean is_done = visit_events(statement, visit, context, error);
    mrg_sqlite_return(store, connection);
    return is_done;
}

gboolean
mrg_sqlite_events_since(gpointer store, gint64 since_us, MrgEventVisit visit,
                        gpointer context, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_EVENTS_SINCE);
    sqlite3_bind_int64(statement, 1, since_us);
    gboolean is_done = visit_events(statement, visit, context, error);
    mrg_sqlite_return(store, connection);
    return is_done;
}

gboolean
mrg_sqlite_campaign_events(gpointer store, const char *campaign, MrgEventVisit visit,
                           gpointer context, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_CAMPAIGN_EVENTS);
    mrg_sqlite_bind(statement, 1, campaign);
    gboolean is_done = visit_events(statement, visit, context, error);
    mrg_sqlite_return(store, connection);
    return is_done;
}

/* ---- any row ----------------------------------------------------------- */

typedef struct Row {
    const char *names[ROW_COLUMNS_MAX];
    const char *values[ROW_COLUMNS_MAX];
    char hex[ROW_COLUMNS_MAX][2 * MRG_KEY_BYTES + 1];
    gsize n;
} Row;

static const char *
print_key(sqlite3_stmt *statement, int column, char hex[2 * MRG_KEY_BYTES + 1])
{
    const guint8 *bytes = sqlite3_column_blob(statement, column);
    gsize n = MIN((gsize) sqlite3_column_bytes(statement, column), MRG_KEY_BYTES);
    for (gsize i = 0; i < n; i++)
        g_snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return hex;
}

static void
read_row(sqlite3_stmt *statement, Row *row)
{
    row->n = (gsize) sqlite3_column_count(statement);
    g_assert(row->n <= ROW_COLUMNS_MAX);
    for (int i = 0; i < (int) row->n; i++) {
        row->names[i] = sqlite3_column_name(statement, i);
        row->values[i] = sqlite3_column_type(statement, i) == SQLITE_BLOB
                             ? print_key(statement, i, row->hex[i])
                             : (const char *) sqlite3_column_text(statement, i);
    }
}

static gboolean
has_text(const Row *row, const char *text)
{
    for (gsize i = 0; i < row->n; i++)
        if (row->values[i] && strstr(row->values[i], text))
            return TRUE;
    return FALSE;
}

/* Rows of a person, or for NULL all; of these the ones with the text, unless it is NULL.
 * *is_wanted becomes FALSE when the visitor has seen enough. */
static gboolean
visit_table(const MrgSqliteConnection *connection, gsize which, const MrgPersonKey *person,
            const char *text, MrgRowVisit visit, gpointer context, gboolean *is_wanted,
            GError **error)
{
    sqlite3_stmt *statement = NULL;
    const char *table = tables[which].name, *source = tables[which].source;
    g_autofree char *sql = g_strdup_printf("SELECT * FROM %s%s", source ? source : table,
                                           person ? " WHERE key = ?1" : "");
    int rc = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return mrg_sqlite_fail(error, rc, table);
    if (person)
        mrg_sqlite_bind_key(statement, 1, person->bytes);
    gboolean is_done = FALSE;
    while (*is_wanted && mrg_sqlite_next(statement, table, &is_done, error)) {
        Row row;
        read_row(statement, &row);
        if (!text || has_text(&row, text))
            *is_wanted = visit(table, row.names, row.values, row.n, context);
    }
    sqlite3_finalize(statement);
    return is_done || !*is_wanted;
}

static gboolean
visit_tables(MrgSqlite *self, gsize n, const MrgPersonKey *person, const char *text,
             MrgRowVisit visit, gpointer context, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(self, FALSE, error);
    if (!connection)
        return FALSE;
    gboolean is_done = TRUE, is_wanted = TRUE;
    for (gsize i = 0; is_done && is_wanted && i < n; i++)
        is_done =
            visit_table(connection, i, person, text, visit, context, &is_wanted, error);
    mrg_sqlite_return(self, connection);
    return is_done;
}

gboolean
mrg_sqlite_rows_of(gpointer store, const MrgPersonKey *person, MrgRowVisit visit,
                   gpointer context, GError **error)
{
    return visit_tables(store, N_KEYED, person, NULL, visit, context, error);
}

gboolean
mrg_sqlite_search(gpointer store, const char *text, MrgRowVisit visit, gpointer context,
                  GError **error)
{
    return visit_tables(store, G_N_ELEMENTS(tables), NULL, text, visit, context, error);
}

/* ---- erasure ----------------------------------------------------------- */

static gboolean
run_for(const MrgSqliteConnection *connection, const char *sql, const MrgPersonKey *person,
        GError **error)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return mrg_sqlite_fail(error, rc, "erasure");
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    gboolean is_done = mrg_sqlite_run(statement, "erasure", error);
    sqlite3_finalize(statement);
    return is_done;
}

#define FORGET_PERSON                                                               \
    "INSERT INTO person (key, version) VALUES (?1, 1) ON CONFLICT (key) DO UPDATE " \
    "SET version = version + 1, history = '', engagement = ''"

static gboolean
erase_rows(const MrgSqliteConnection *connection, const MrgPersonKey *person, gint64 at_us,
           GError **error)
{
    static const char *const steps[] = {
        "DELETE FROM profile WHERE key = ?1", /* and its fields */
        "DELETE FROM consent_log WHERE key = ?1",
        "DELETE FROM consent WHERE key = ?1",
        "DELETE FROM event WHERE key = ?1",
        "DELETE FROM hit WHERE key = ?1",
        "DELETE FROM web_event WHERE key = ?1",
        "DELETE FROM web_identity WHERE key = ?1",
        "DELETE FROM delivery WHERE key = ?1",
        FORGET_PERSON,
        "UPDATE hold SET settlement = 1 WHERE key = ?1",
    };
    const MrgSuppression erased = {"all", "erased", at_us, 0};
    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++)
        if (!run_for(connection, steps[i], person, error))
            return FALSE;
    return mrg_sqlite_put_suppression(connection, person, &erased, error) &&
           mrg_sqlite_finish(connection, error);
}

/* The journal still has the pages as they were: secure_delete overwrites in the file. */
static gboolean
empty_journal(MrgSqliteConnection *connection, GError **error)
{
    connection->deadline_us = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    int rc = sqlite3_wal_checkpoint_v2(connection->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                       NULL, NULL);
    if (rc == SQLITE_OK)
        return TRUE;
    g_set_error(
        error, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT,
        "the rows are erased, but the journal of the database still holds old pages "
        "because somebody reads it (%s); run this again",
        sqlite3_errstr(rc));
    return FALSE;
}

gboolean
mrg_sqlite_erase(gpointer store, const MrgPersonKey *person, gint64 at_us, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, TRUE, error);
    if (!connection)
        return FALSE;
    gboolean is_done =
        erase_rows(connection, person, at_us, error) && empty_journal(connection, error);
    mrg_sqlite_return(store, connection);
    return is_done;
}

/* ---- retention --------------------------------------------------------- */

/* In pieces, so that mail does not wait for the whole. */
static gboolean
retain_rows(MrgSqlite *self, const char *sql, guint64 *n, GError **error)
{
    for (int n_removed = 1; n_removed > 0;) {
        MrgSqliteConnection *connection = mrg_sqlite_borrow_long(self, TRUE, error);
        if (!connection)
            return FALSE;
        int rc = sqlite3_exec(connection->db, sql, NULL, NULL, NULL);
        n_removed = rc == SQLITE_OK ? sqlite3_changes(connection->db) : 0;
        gboolean is_done = rc == SQLITE_OK ? mrg_sqlite_finish(connection, error)
                                           : mrg_sqlite_fail(error, rc, "retention");
        mrg_sqlite_return(self, connection);
        if (!is_done)
            return FALSE;
        *n += (guint64) n_removed;
    }
    return TRUE;
}

static gboolean
retain_table(MrgSqlite *self, const char *table, const char *id, gint64 before_us,
             guint64 *n, GError **error)
{
    g_autofree char *sql =
        g_strdup_printf("DELETE FROM %s WHERE (%s) IN (SELECT %s FROM %s WHERE at < "
                        "%" G_GINT64_FORMAT " LIMIT " BATCH ")",
                        table, id, id, table, before_us);
    return retain_rows(self, sql, n, error);
}

/* Texts that no hit has any more go with the last of them. */
static gboolean
retain_hits(MrgSqlite *self, gint64 before_us, guint64 *n, GError **error)
{
    guint64 n_hits = 0, n_texts = 0;
    if (!retain_table(self, "hit", "id", before_us, &n_hits, error) ||
        (n_hits &&
         !retain_rows(self,
                      "DELETE FROM hit_text WHERE id IN (SELECT id FROM hit_text EXCEPT "
                      "SELECT agent FROM hit EXCEPT SELECT reason FROM hit LIMIT " BATCH
                      ")",
                      &n_texts, error)))
        return FALSE;
    *n += n_hits;
    return retain_table(self, "web_event", "id", before_us, n, error) &&
           retain_table(self, "delivery", "campaign, message, state", before_us, n, error);
}

/* Behind the lines that are older; *n counts them. */
static const char *
first_kept(const char *engagement, gint64 before_us, guint64 *n)
{
    for (; *engagement && g_ascii_strtoll(engagement, NULL, 10) < before_us; (*n)++) {
        const char *end = strchr(engagement, '\n');
        engagement = end ? end + 1 : engagement + strlen(engagement);
    }
    return engagement;
}

/* A row that is updated may come again, but then it has nothing old any more. */
static gboolean
trim_engagements(MrgSqliteConnection *connection, sqlite3_stmt *aged, gint64 before_us,
                 guint64 *n, GError **error)
{
    gboolean is_done;
    sqlite3_bind_int64(aged, 1, before_us);
    while (mrg_sqlite_next(aged, "retention", &is_done, error)) {
        const char *kept =
            first_kept((const char *) sqlite3_column_text(aged, 1), before_us, n);
        sqlite3_stmt *put = mrg_sqlite_fresh(connection, MRG_SQL_PUT_ENGAGEMENT);
        MrgPersonKey person;
        mrg_sqlite_take_key(aged, 0, person.bytes);
        mrg_sqlite_bind_key(put, 1, person.bytes);
        mrg_sqlite_bind(put, 2, kept);
        if (!mrg_sqlite_run(put, "retention", error))
            return FALSE;
    }
    return is_done;
}

static gboolean
retain_engagements(MrgSqlite *self, gint64 before_us, guint64 *n, GError **error)
{
    static const char sql[] =
        "SELECT key, engagement FROM person WHERE engagement != '' AND "
        "CAST(substr(engagement, 1, instr(engagement, ' ') - 1) AS INTEGER) < ?1";
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(self, TRUE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *aged = NULL;
    int rc = sqlite3_prepare_v2(connection->db, sql, -1, &aged, NULL);
    gboolean is_done = rc == SQLITE_OK
                           ? trim_engagements(connection, aged, before_us, n, error)
                           : mrg_sqlite_fail(error, rc, "retention");
    sqlite3_finalize(aged);
    is_done = is_done && mrg_sqlite_finish(connection, error);
    mrg_sqlite_return(self, connection);
    return is_done;
}

gboolean
mrg_sqlite_retain(gpointer store, const MrgRetention *retention, guint64 *n_rows,
                  GError **error)
{
    guint64 n = 0;
    if ((retention->events_us &&
         !retain_table(store, "event", "id", retention->events_us, &n, error)) ||
        (retention->hits_us && !retain_hits(store, retention->hits_us, &n, error)) ||
        (retention->engagement_us &&
         !retain_engagements(store, retention->engagement_us, &n, error)))
        return FALSE;
    *n_rows = n;
    return TRUE;
}
