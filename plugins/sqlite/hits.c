/* SPDX-License-Identifier: Apache-2.0 */
/* What the world answers: hits, web events, deliveries, and how far a journal is loaded. */
#include "config.h"

#include <string.h>

#include "plugins/sqlite/sqlite.h"

/* ---- recording --------------------------------------------------------- */

typedef struct Recording {
    const MrgSqliteConnection *connection;
    GHashTable *texts; /* text, borrowed -> id */
    GError **error;
} Recording;

static void
bind_person(sqlite3_stmt *statement, int at, const MrgPersonKey *person,
            gboolean has_person)
{
    if (has_person)
        mrg_sqlite_bind_key(statement, at, person->bytes);
}

/* The number of a text, which is added where there is none; 0 on error. */
static gint64
add_text(Recording *recording, const char *text)
{
    const MrgSqliteConnection *connection = recording->connection;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_HIT_TEXT);
    mrg_sqlite_bind(statement, 1, text);
    gboolean is_done;
    gint64 id = 0;
    if (mrg_sqlite_next(statement, "hit", &is_done, recording->error)) {
        id = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
        return id;
    }
    statement = mrg_sqlite_fresh(connection, MRG_SQL_ADD_HIT_TEXT);
    mrg_sqlite_bind(statement, 1, text);
    if (is_done && mrg_sqlite_run(statement, "hit", recording->error))
        id = sqlite3_last_insert_rowid(connection->db);
    return id;
}

static gint64
text_id(Recording *recording, const char *text)
{
    gint64 *known = g_hash_table_lookup(recording->texts, text);
    if (known)
        return *known;
    gint64 id = add_text(recording, text);
    if (id)
        g_hash_table_insert(recording->texts, (gpointer) text, g_memdup2(&id, sizeof id));
    return id;
}

static gboolean
put_hit(Recording *recording, const MrgHitRow *hit)
{
    gint64 reason = text_id(recording, hit->reason);
    gint64 agent = reason ? text_id(recording, hit->agent) : 0;
    if (!agent)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(recording->connection, MRG_SQL_ADD_HIT);
    const gint64 numbers[] = {hit->at_us,
                              hit->campaign,
                              hit->link,
                              (gint64) hit->message,
                              hit->kind,
                              hit->flags,
                              (gint64) hit->hit_class,
                              reason,
                              agent,
                              hit->since_s};
    for (int i = 0; i < (int) G_N_ELEMENTS(numbers); i++)
        sqlite3_bind_int64(statement, i + 1, numbers[i]);
    if (hit->network_bytes)
        sqlite3_bind_blob(statement, 11, hit->network, (int) hit->network_bytes,
                          SQLITE_STATIC);
    bind_person(statement, 12, &hit->person, hit->has_person);
    return mrg_sqlite_run(statement, "hit", recording->error);
}

/* FALSE on error; the event's person, or that of its anonymous id. */
static gboolean
identify(Recording *recording, const MrgWebEvent *event, MrgPersonKey *person,
         gboolean *is_known)
{
    gboolean is_done;
    *is_known = event->has_person;
    *person = event->person;
    if (!*event->anonymous_id)
        return TRUE;
    gboolean puts = event->identifies && event->has_person;
    sqlite3_stmt *statement = mrg_sqlite_fresh(
        recording->connection, puts ? MRG_SQL_PUT_IDENTITY : MRG_SQL_IDENTITY);
    mrg_sqlite_bind(statement, 1, event->site);
    mrg_sqlite_bind(statement, 2, event->anonymous_id);
    if (puts) {
        mrg_sqlite_bind_key(statement, 3, event->person.bytes);
        return mrg_sqlite_run(statement, "identity", recording->error);
    }
    if (*is_known)
        return TRUE;
    *is_known = mrg_sqlite_next(statement, "identity", &is_done, recording->error);
    if (*is_known)
        mrg_sqlite_take_key(statement, 0, person->bytes);
    gboolean is_fine = *is_known || is_done;
    sqlite3_reset(statement);
    return is_fine;
}

static gboolean
put_web_event(Recording *recording, const MrgWebEvent *event)
{
    MrgPersonKey person;
    gboolean is_known;
    if (!identify(recording, event, &person, &is_known))
        return FALSE;
    sqlite3_stmt *statement =
        mrg_sqlite_fresh(recording->connection, MRG_SQL_ADD_WEB_EVENT);
    sqlite3_bind_int64(statement, 1, event->at_us);
    mrg_sqlite_bind(statement, 2, event->site);
    sqlite3_bind_int64(statement, 3, event->kind);
    mrg_sqlite_bind(statement, 4, event->name);
    mrg_sqlite_bind(statement, 5, event->anonymous_id);
    mrg_sqlite_bind(statement, 6, event->event_id);
    mrg_sqlite_bind(statement, 7, event->data);
    bind_person(statement, 8, &person, is_known);
    return mrg_sqlite_run(statement, "web event", recording->error);
}

static gboolean
put_delivery(Recording *recording, const MrgDelivery *delivery)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(recording->connection, MRG_SQL_PUT_DELIVERY);
    sqlite3_bind_int64(statement, 1, delivery->campaign);
    sqlite3_bind_int64(statement, 2, (gint64) delivery->message);
    sqlite3_bind_int64(statement, 3, delivery->state);
    sqlite3_bind_int64(statement, 4, delivery->at_us);
    mrg_sqlite_bind(statement, 5, delivery->code);
    bind_person(statement, 6, &delivery->person, delivery->has_person);
    return mrg_sqlite_run(statement, "delivery", recording->error);
}

static gboolean
put_all(Recording *recording, const MrgHitBatch *batch)
{
    for (gsize i = 0; i < batch->n_hits; i++)
        if (!put_hit(recording, &batch->hits[i]))
            return FALSE;
    for (gsize i = 0; i < batch->n_web_events; i++)
        if (!put_web_event(recording, &batch->web_events[i]))
            return FALSE;
    for (gsize i = 0; i < batch->n_deliveries; i++)
        if (!put_delivery(recording, &batch->deliveries[i]))
            return FALSE;
    for (gsize i = 0; i < batch->n_people; i++)
        if (!mrg_sqlite_put_profile(recording->connection, &batch->people[i],
                                    recording->error))
            return FALSE;
    return TRUE;
}

/* ---- the journal ------------------------------------------------------- */

static gboolean
read_position(const MrgSqliteConnection *connection, const char *journal, guint64 *segment,
              guint64 *offset, GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_JOURNAL);
    mrg_sqlite_bind(statement, 1, journal);
    gboolean is_done = FALSE;
    gboolean is_known = mrg_sqlite_next(statement, "journal", &is_done, error);
    *segment = is_known ? (guint64) sqlite3_column_int64(statement, 0) : 0;
    *offset = is_known ? (guint64) sqlite3_column_int64(statement, 1) : 0;
    sqlite3_reset(statement);
    return is_known || is_done;
}

static MrgCommit
swap_position(const MrgSqliteConnection *connection, const MrgHitBatch *batch,
              GError **error)
{
    guint64 segment, offset;
    if (!batch->journal)
        return MRG_COMMIT_DONE;
    if (!read_position(connection, batch->journal, &segment, &offset, error))
        return MRG_COMMIT_ERROR;
    if (segment != batch->from_segment || offset != batch->from_offset)
        return MRG_COMMIT_CONFLICT;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_PUT_JOURNAL);
    mrg_sqlite_bind(statement, 1, batch->journal);
    sqlite3_bind_int64(statement, 2, (gint64) batch->to_segment);
    sqlite3_bind_int64(statement, 3, (gint64) batch->to_offset);
    return mrg_sqlite_run(statement, "journal", error) ? MRG_COMMIT_DONE : MRG_COMMIT_ERROR;
}

MrgCommit
mrg_sqlite_record_hits(gpointer store, const MrgHitBatch *batch, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, TRUE, error);
    if (!connection)
        return MRG_COMMIT_ERROR;
    g_autoptr(GHashTable) texts =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    Recording recording = {connection, texts, error};
    MrgCommit result = swap_position(connection, batch, error);
    if (result == MRG_COMMIT_DONE)
        result = put_all(&recording, batch) ? mrg_sqlite_end_commit(connection, error)
                                            : MRG_COMMIT_ERROR;
    mrg_sqlite_return(store, connection);
    return result;
}

gboolean
mrg_sqlite_journal_position(gpointer store, const char *journal, guint64 *segment,
                            guint64 *offset, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    gboolean is_done = read_position(connection, journal, segment, offset, error);
    mrg_sqlite_return(store, connection);
    return is_done;
}

/* ---- classes ----------------------------------------------------------- */

static gboolean
put_class(Recording *recording, const MrgHitRow *hit)
{
    gint64 reason = text_id(recording, hit->reason);
    sqlite3_stmt *statement = mrg_sqlite_fresh(recording->connection, MRG_SQL_PUT_CLASS);
    sqlite3_bind_int64(statement, 1, (gint64) hit->id);
    sqlite3_bind_int64(statement, 2, hit->hit_class);
    sqlite3_bind_int64(statement, 3, reason);
    return reason && mrg_sqlite_run(statement, "class", recording->error);
}

gboolean
mrg_sqlite_put_classes(gpointer store, const MrgHitRow *hits, gsize n, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, TRUE, error);
    if (!connection)
        return FALSE;
    g_autoptr(GHashTable) texts =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    Recording recording = {connection, texts, error};
    gboolean is_done = TRUE;
    for (gsize i = 0; i < n && is_done; i++)
        is_done = put_class(&recording, &hits[i]);
    is_done = is_done && mrg_sqlite_finish(connection, error);
    mrg_sqlite_return(store, connection);
    return is_done;
}

/* ---- listing ----------------------------------------------------------- */

/* Prepares select with the filter's conditions, of which there are few, so that each
 * finds its index. */
static sqlite3_stmt *
prepare_filter(const MrgSqliteConnection *connection, const char *select,
               const MrgHitFilter *filter, const char *order, GError **error)
{
    sqlite3_stmt *statement = NULL;
    g_autofree char *sql = g_strdup_printf("%s WHERE at >= ?1%s%s ORDER BY %s", select,
                                           filter->campaign ? " AND campaign = ?2" : "",
                                           filter->person ? " AND key = ?3" : "", order);
    int rc = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK) {
        mrg_sqlite_fail(error, rc, "hits");
        return NULL;
    }
    sqlite3_bind_int64(statement, 1, filter->since_us);
    if (filter->campaign)
        sqlite3_bind_int64(statement, 2, filter->campaign);
    if (filter->person)
        mrg_sqlite_bind_key(statement, 3, filter->person->bytes);
    return statement;
}

static gboolean
take_person(sqlite3_stmt *statement, int column, MrgPersonKey *person)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return FALSE;
    mrg_sqlite_take_key(statement, column, person->bytes);
    return TRUE;
}

static gboolean
visit_hit(sqlite3_stmt *statement, MrgHitVisit visit, gpointer context)
{
    const void *network = sqlite3_column_blob(statement, 11);
    MrgHitRow hit = {
        .id = (guint64) sqlite3_column_int64(statement, 0),
        .at_us = sqlite3_column_int64(statement, 1),
        .campaign = (guint32) sqlite3_column_int64(statement, 2),
        .link = (guint32) sqlite3_column_int64(statement, 3),
        .message = (guint64) sqlite3_column_int64(statement, 4),
        .kind = (guint) sqlite3_column_int(statement, 5),
        .flags = (guint) sqlite3_column_int(statement, 6),
        .hit_class = (MrgHitClass) sqlite3_column_int(statement, 7),
        .reason = (const char *) sqlite3_column_text(statement, 8),
        .agent = (const char *) sqlite3_column_text(statement, 9),
        .since_s = (guint32) sqlite3_column_int64(statement, 10),
        .network_bytes = (guint) sqlite3_column_bytes(statement, 11),
    };
    if (network && hit.network_bytes <= sizeof hit.network)
        memcpy(hit.network, network, hit.network_bytes);
    hit.has_person = take_person(statement, 12, &hit.person);
    return visit(&hit, context);
}

gboolean
mrg_sqlite_hits(gpointer store, const MrgHitFilter *filter, MrgHitVisit visit,
                gpointer context, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement =
        prepare_filter(connection,
                       "SELECT hit.id, at, campaign, link, message, kind, flags, class, "
                       "r.text, a.text, since, "
                       "network, key FROM hit JOIN hit_text r ON r.id = reason JOIN "
                       "hit_text a ON a.id = agent",
                       filter, "hit.id", error);
    gboolean is_done = FALSE, is_wanted = statement != NULL;
    while (is_wanted && mrg_sqlite_next(statement, "hits", &is_done, error))
        is_wanted = visit_hit(statement, visit, context);
    gboolean is_fine = statement && (is_done || !is_wanted);
    sqlite3_finalize(statement);
    mrg_sqlite_return(store, connection);
    return is_fine;
}

static gboolean
visit_delivery(sqlite3_stmt *statement, MrgDeliveryVisit visit, gpointer context)
{
    MrgDelivery delivery = {
        .campaign = (guint32) sqlite3_column_int64(statement, 0),
        .message = (guint64) sqlite3_column_int64(statement, 1),
        .state = (MrgDeliveryState) sqlite3_column_int(statement, 2),
        .at_us = sqlite3_column_int64(statement, 3),
        .code = (const char *) sqlite3_column_text(statement, 4),
    };
    delivery.has_person = take_person(statement, 5, &delivery.person);
    return visit(&delivery, context);
}

gboolean
mrg_sqlite_deliveries(gpointer store, const MrgHitFilter *filter, MrgDeliveryVisit visit,
                      gpointer context, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = prepare_filter(
        connection, "SELECT campaign, message, state, at, code, key FROM delivery", filter,
        "at, message", error);
    gboolean is_done = FALSE, is_wanted = statement != NULL;
    while (is_wanted && mrg_sqlite_next(statement, "deliveries", &is_done, error))
        is_wanted = visit_delivery(statement, visit, context);
    gboolean is_fine = statement && (is_done || !is_wanted);
    sqlite3_finalize(statement);
    mrg_sqlite_return(store, connection);
    return is_fine;
}

/* ---- numbers ----------------------------------------------------------- */

gboolean
mrg_sqlite_links(gpointer store, guint32 campaign, MrgLinkVisit visit, gpointer context,
                 GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_LINKS);
    sqlite3_bind_int64(statement, 1, campaign);
    gboolean is_done = FALSE, is_wanted = TRUE;
    while (is_wanted && mrg_sqlite_next(statement, "links", &is_done, error))
        is_wanted = visit((guint32) sqlite3_column_int64(statement, 0),
                          (const char *) sqlite3_column_text(statement, 1), context);
    mrg_sqlite_return(store, connection);
    return is_done || !is_wanted;
}

static MrgFetch
fetch_text(MrgSqlite *self, MrgSqliteStatement which, guint32 first, guint32 second,
           const char **text, const MrgMemory *memory, gint64 deadline_us, GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, FALSE, deadline_us, error);
    if (!connection)
        return MRG_FETCH_ERROR;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, which);
    sqlite3_bind_int64(statement, 1, first);
    if (which == MRG_SQL_LINK_TARGET)
        sqlite3_bind_int64(statement, 2, second);
    gboolean is_done;
    MrgFetch found = MRG_FETCH_HIT;
    if (mrg_sqlite_next(statement, "number", &is_done, error))
        *text = mrg_sqlite_copy(statement, 0, memory, NULL);
    else
        found = is_done ? MRG_FETCH_MISS : MRG_FETCH_ERROR;
    mrg_sqlite_return(self, connection);
    return found;
}

MrgFetch
mrg_sqlite_campaign_name(gpointer store, guint32 number, const char **name,
                         const MrgMemory *memory, gint64 deadline_us, GError **error)
{
    return fetch_text(store, MRG_SQL_CAMPAIGN_NAME, number, 0, name, memory, deadline_us,
                      error);
}

MrgFetch
mrg_sqlite_link_target(gpointer store, guint32 campaign, guint32 number,
                       const char **target, const MrgMemory *memory, gint64 deadline_us,
                       GError **error)
{
    return fetch_text(store, MRG_SQL_LINK_TARGET, campaign, number, target, memory,
                      deadline_us, error);
}
