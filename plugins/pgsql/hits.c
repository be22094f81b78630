/* SPDX-License-Identifier: Apache-2.0 */
/* What the world answers: hits, web events, deliveries, and how far a journal is loaded.
 *
 * Off the mail path, so plain SQL with literals: a batch is a few statements in one
 * transaction, each with an array for each column. */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"
#include "plugins/pgsql/store.h"

#define WAIT_US (G_GINT64_CONSTANT(600) * G_USEC_PER_SEC)
#define COLUMNS_MAX 12

/* ---- columns ----------------------------------------------------------- */

typedef struct Columns {
    GString *arrays[COLUMNS_MAX];
    gsize n, at; /* at: the column that the row under way has next */
} Columns;

static void
columns_init(Columns *columns, gsize n)
{
    columns->n = n;
    columns->at = 0;
    for (gsize i = 0; i < n; i++)
        columns->arrays[i] = mrg_pgsql_array_new();
}

static void
columns_clear(Columns *columns)
{
    for (gsize i = 0; i < columns->n; i++)
        g_string_free(columns->arrays[i], TRUE);
}

static GString *
next_column(Columns *columns)
{
    return columns->arrays[columns->at++ % columns->n];
}

static void
add_number(Columns *columns, gint64 number)
{
    mrg_pgsql_array_add_number(next_column(columns), number);
}

static void
add_text(Columns *columns, const char *text)
{
    mrg_pgsql_array_add_string(next_column(columns), text);
}

static void
add_person(Columns *columns, const MrgPersonKey *person, gboolean has_person)
{
    GString *array = next_column(columns);
    if (has_person)
        mrg_pgsql_array_add_key(array, person);
    else
        mrg_pgsql_array_add(array, NULL, 0);
}

static void
add_network(Columns *columns, const MrgHitRow *hit)
{
    char text[2 + 2 * sizeof hit->network + 1] = "\\x";
    for (gsize i = 0; i < hit->network_bytes; i++)
        g_snprintf(text + 2 + 2 * i, 3, "%02x", hit->network[i]);
    mrg_pgsql_array_add(next_column(columns), hit->network_bytes ? text : NULL,
                        strlen(text));
}

/* Calls a function of the schema with the columns. */
static gboolean
call_with(PGconn *pg, const char *function, Columns *columns, GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    g_string_printf(sql, "SELECT merganser.%s(", function);
    for (gsize i = 0; i < columns->n; i++) {
        mrg_pgsql_array_end(columns->arrays[i]);
        char *literal =
            PQescapeLiteral(pg, columns->arrays[i]->str, columns->arrays[i]->len);
        g_string_append(sql, i ? "," : "");
        g_string_append(sql, literal ? literal : "NULL");
        PQfreemem(literal);
    }
    g_string_append_c(sql, ')');
    return mrg_pgsql_run_only(pg, sql->str, WAIT_US, function, error);
}

/* ---- recording --------------------------------------------------------- */

static void
add_hit(Columns *columns, const MrgHitRow *hit)
{
    const gint64 numbers[] = {
        hit->at_us, hit->campaign, hit->link,      (gint64) hit->message,
        hit->kind,  hit->flags,    hit->hit_class, hit->since_s,
    };
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        add_number(columns, numbers[i]);
    add_text(columns, hit->reason);
    add_text(columns, hit->agent);
    add_network(columns, hit);
    add_person(columns, &hit->person, hit->has_person);
}

static gboolean
put_hits(PGconn *pg, const MrgHitBatch *batch, GError **error)
{
    Columns columns;
    if (!batch->n_hits)
        return TRUE;
    columns_init(&columns, 12);
    for (gsize i = 0; i < batch->n_hits; i++)
        add_hit(&columns, &batch->hits[i]);
    gboolean is_done = call_with(pg, "mrg_record_hits", &columns, error);
    columns_clear(&columns);
    return is_done;
}

static gboolean
put_web_events(PGconn *pg, const MrgHitBatch *batch, GError **error)
{
    Columns columns;
    if (!batch->n_web_events)
        return TRUE;
    columns_init(&columns, 9);
    for (gsize i = 0; i < batch->n_web_events; i++) {
        const MrgWebEvent *event = &batch->web_events[i];
        add_number(&columns, event->at_us);
        add_text(&columns, event->site);
        add_number(&columns, event->kind);
        add_text(&columns, event->name);
        add_text(&columns, event->anonymous_id);
        add_text(&columns, event->event_id);
        add_text(&columns, event->data);
        add_person(&columns, &event->person, event->has_person);
        add_text(&columns, event->identifies ? "t" : "f");
    }
    gboolean is_done = call_with(pg, "mrg_record_web_events", &columns, error);
    columns_clear(&columns);
    return is_done;
}

static gboolean
put_deliveries(PGconn *pg, const MrgHitBatch *batch, GError **error)
{
    Columns columns;
    if (!batch->n_deliveries)
        return TRUE;
    columns_init(&columns, 6);
    for (gsize i = 0; i < batch->n_deliveries; i++) {
        const MrgDelivery *delivery = &batch->deliveries[i];
        add_number(&columns, delivery->campaign);
        add_number(&columns, (gint64) delivery->message);
        add_number(&columns, delivery->state);
        add_number(&columns, delivery->at_us);
        add_text(&columns, delivery->code);
        add_person(&columns, &delivery->person, delivery->has_person);
    }
    gboolean is_done = call_with(pg, "mrg_record_deliveries", &columns, error);
    columns_clear(&columns);
    return is_done;
}

typedef struct Feed {
    const MrgProfile *next, *end;
} Feed;

static const MrgProfile *
next_person(gpointer context, GError **error G_GNUC_UNUSED)
{
    Feed *feed = context;
    return feed->next < feed->end ? feed->next++ : NULL;
}

static gboolean
put_people(PGconn *pg, const MrgHitBatch *batch, GError **error)
{
    Feed feed = {batch->people, batch->people + batch->n_people};
    guint64 n;
    return !batch->n_people || mrg_pgsql_import_within(pg, next_person, &feed, &n, error);
}

static MrgCommit
swap_position(PGconn *pg, const MrgHitBatch *batch, GError **error)
{
    if (!batch->journal)
        return MRG_COMMIT_DONE;
    char *journal = PQescapeLiteral(pg, batch->journal, strlen(batch->journal));
    g_autofree char *sql = g_strdup_printf(
        "SELECT merganser.mrg_swap_journal(%s, %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
        ", %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ")",
        journal, (gint64) batch->from_segment, (gint64) batch->from_offset,
        (gint64) batch->to_segment, (gint64) batch->to_offset);
    PQfreemem(journal);
    g_autoptr(PGresult) result = mrg_pgsql_take(pg, sql, WAIT_US, "journal", error);
    if (!result)
        return MRG_COMMIT_ERROR;
    return strcmp(PQgetvalue(result, 0, 0), "t") == 0 ? MRG_COMMIT_DONE
                                                      : MRG_COMMIT_CONFLICT;
}

static MrgCommit
finish(PGconn *pg, GError **error)
{
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    g_autoptr(PGresult) result = NULL;
    MrgPgsqlAnswer answer =
        mrg_pgsql_run(pg, "COMMIT", g_get_monotonic_time() + WAIT_US, &result, sqlstate);
    if (answer == MRG_PG_ANSWER_OK)
        return MRG_COMMIT_DONE;
    if (answer == MRG_PG_ANSWER_LOST)
        return MRG_COMMIT_UNCERTAIN;
    mrg_pgsql_fail(error, answer, sqlstate, "hits");
    return MRG_COMMIT_ERROR;
}

static MrgCommit
record_on(PGconn *pg, const MrgHitBatch *batch, GError **error)
{
    if (!mrg_pgsql_run_only(pg, "BEGIN", WAIT_US, "hits", error))
        return MRG_COMMIT_ERROR;
    MrgCommit result = swap_position(pg, batch, error);
    if (result != MRG_COMMIT_DONE)
        return result;
    return put_hits(pg, batch, error) && put_web_events(pg, batch, error) &&
                   put_deliveries(pg, batch, error) && put_people(pg, batch, error)
               ? finish(pg, error)
               : MRG_COMMIT_ERROR;
}

MrgCommit
mrg_pgsql_record_hits(gpointer store, const MrgHitBatch *batch, GError **error)
{
    MrgPgsqlConnection *connection = mrg_pgsql_borrow_long(store, error);
    if (!connection)
        return MRG_COMMIT_ERROR;
    MrgCommit result = record_on(connection->pg, batch, error);
    /* Hanging up rolls back, whatever state the connection is in. */
    if (result != MRG_COMMIT_DONE)
        g_clear_pointer(&connection->pg, PQfinish);
    mrg_pgsql_return(store, connection);
    return result;
}

gboolean
mrg_pgsql_put_classes(gpointer store, const MrgHitRow *hits, gsize n, GError **error)
{
    Columns columns;
    MrgPgsqlConnection *connection = n ? mrg_pgsql_borrow_long(store, error) : NULL;
    if (!connection)
        return !n;
    columns_init(&columns, 4);
    for (gsize i = 0; i < n; i++) {
        add_number(&columns, (gint64) hits[i].id);
        add_number(&columns, hits[i].at_us);
        add_number(&columns, hits[i].hit_class);
        add_text(&columns, hits[i].reason);
    }
    gboolean is_done = call_with(connection->pg, "mrg_put_classes", &columns, error);
    columns_clear(&columns);
    if (!is_done)
        g_clear_pointer(&connection->pg, PQfinish);
    mrg_pgsql_return(store, connection);
    return is_done;
}

/* ---- asking ------------------------------------------------------------ */

/* One row of text columns; NULL with *is_miss TRUE where there is none. */
static PGresult *
ask(MrgPgsql *self, const char *sql, gint64 deadline_us, const char *what,
    gboolean *is_miss, GError **error)
{
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    PGresult *result = NULL;
    *is_miss = FALSE;
    MrgPgsqlConnection *connection = mrg_pgsql_borrow(self, deadline_us, error);
    if (!connection)
        return NULL;
    MrgPgsqlAnswer answer =
        mrg_pgsql_run(connection->pg, sql, deadline_us, &result, sqlstate);
    if (answer == MRG_PG_ANSWER_LOST)
        g_clear_pointer(&connection->pg, PQfinish);
    mrg_pgsql_return(self, connection);
    if (answer != MRG_PG_ANSWER_OK)
        mrg_pgsql_fail(error, answer, sqlstate, what);
    *is_miss = result && !PQntuples(result);
    if (*is_miss)
        g_clear_pointer(&result, PQclear);
    return result;
}

gboolean
mrg_pgsql_journal_position(gpointer store, const char *journal, guint64 *segment,
                           guint64 *offset, GError **error)
{
    gboolean is_miss;
    g_autoptr(GString) quoted = g_string_new(journal);
    g_string_replace(quoted, "'", "''", 0);
    g_autofree char *sql = g_strdup_printf(
        "SELECT segment, \"offset\" FROM merganser.journal WHERE id = '%s'", quoted->str);
    g_autoptr(PGresult) result =
        ask(store, sql, g_get_monotonic_time() + WAIT_US, "journal", &is_miss, error);
    if (!result && !is_miss)
        return FALSE;
    *segment = result ? (guint64) mrg_pgsql_get_number(result, 0, 0) : 0;
    *offset = result ? (guint64) mrg_pgsql_get_number(result, 0, 1) : 0;
    return TRUE;
}

static MrgFetch
fetch_text(MrgPgsql *self, const char *sql, const char **text, const MrgMemory *memory,
           gint64 deadline_us, GError **error)
{
    gboolean is_miss;
    g_autoptr(PGresult) result = ask(self, sql, deadline_us, "number", &is_miss, error);
    if (!result)
        return is_miss ? MRG_FETCH_MISS : MRG_FETCH_ERROR;
    gsize length = (gsize) PQgetlength(result, 0, 0);
    char *copy = memory->alloc(memory->context, length + 1);
    memcpy(copy, PQgetvalue(result, 0, 0), length + 1);
    *text = copy;
    return MRG_FETCH_HIT;
}

MrgFetch
mrg_pgsql_campaign_name(gpointer store, guint32 number, const char **name,
                        const MrgMemory *memory, gint64 deadline_us, GError **error)
{
    g_autofree char *sql =
        g_strdup_printf("SELECT name FROM merganser.campaign WHERE number = %u", number);
    return fetch_text(store, sql, name, memory, deadline_us, error);
}

MrgFetch
mrg_pgsql_link_target(gpointer store, guint32 campaign, guint32 number, const char **target,
                      const MrgMemory *memory, gint64 deadline_us, GError **error)
{
    g_autofree char *sql = g_strdup_printf(
        "SELECT target FROM merganser.link WHERE campaign = %u AND number = %u", campaign,
        number);
    return fetch_text(store, sql, target, memory, deadline_us, error);
}

/* ---- listing ----------------------------------------------------------- */

typedef struct Listing {
    union {
        MrgHitVisit hit;
        MrgDeliveryVisit delivery;
        MrgLinkVisit link;
    } visit;
    gpointer context;
} Listing;

static char *
where(const MrgHitFilter *filter)
{
    char hex[MRG_PGSQL_HEX_BYTES];
    GString *text = g_string_new(NULL);
    g_string_printf(text, "WHERE at >= %" G_GINT64_FORMAT, filter->since_us);
    if (filter->campaign)
        g_string_append_printf(text, " AND campaign = %u", filter->campaign);
    if (filter->person)
        g_string_append_printf(text, " AND key = '%s'",
                               mrg_pgsql_hex(filter->person->bytes, hex));
    return g_string_free(text, FALSE);
}

static gboolean
take_person(const PGresult *result, int row, int column, MrgPersonKey *person,
            gboolean *has_person)
{
    *has_person = !PQgetisnull(result, row, column);
    return !*has_person || mrg_pgsql_get_key(result, row, column, person->bytes);
}

static void
take_network(const PGresult *result, int row, int column, MrgHitRow *hit)
{
    const char *text = PQgetvalue(result, row, column);
    gsize n = PQgetisnull(result, row, column) ? 0 : strlen(text) / 2 - 1;
    hit->network_bytes = (guint) MIN(n, sizeof hit->network);
    for (gsize i = 0; i < hit->network_bytes; i++)
        hit->network[i] = (guint8) (g_ascii_xdigit_value(text[2 + 2 * i]) << 4 |
                                    g_ascii_xdigit_value(text[3 + 2 * i]));
}

static gboolean
visit_hit(const PGresult *result, int row, gpointer context)
{
    const Listing *listing = context;
    MrgHitRow hit = {
        .id = (guint64) mrg_pgsql_get_number(result, row, 0),
        .at_us = mrg_pgsql_get_number(result, row, 1),
        .campaign = (guint32) mrg_pgsql_get_number(result, row, 2),
        .link = (guint32) mrg_pgsql_get_number(result, row, 3),
        .message = (guint64) mrg_pgsql_get_number(result, row, 4),
        .kind = (guint) mrg_pgsql_get_number(result, row, 5),
        .flags = (guint) mrg_pgsql_get_number(result, row, 6),
        .hit_class = (MrgHitClass) mrg_pgsql_get_number(result, row, 7),
        .reason = PQgetvalue(result, row, 8),
        .agent = PQgetvalue(result, row, 9),
        .since_s = (guint32) mrg_pgsql_get_number(result, row, 10),
    };
    take_network(result, row, 11, &hit);
    return take_person(result, row, 12, &hit.person, &hit.has_person) &&
           listing->visit.hit(&hit, listing->context);
}

gboolean
mrg_pgsql_hits(gpointer store, const MrgHitFilter *filter, MrgHitVisit visit,
               gpointer context, GError **error)
{
    Listing listing = {.visit.hit = visit, .context = context};
    g_autofree char *conditions = where(filter);
    g_autofree char *query = g_strdup_printf(
        "SELECT id, at, campaign, link, message, kind, flags, class, reason, agent, since, "
        "network, key FROM merganser.hit %s ORDER BY id",
        conditions);
    return mrg_pgsql_visit_query(store, query, visit_hit, &listing, "hits", error);
}

static gboolean
visit_delivery(const PGresult *result, int row, gpointer context)
{
    const Listing *listing = context;
    MrgDelivery delivery = {
        .campaign = (guint32) mrg_pgsql_get_number(result, row, 0),
        .message = (guint64) mrg_pgsql_get_number(result, row, 1),
        .state = (MrgDeliveryState) mrg_pgsql_get_number(result, row, 2),
        .at_us = mrg_pgsql_get_number(result, row, 3),
        .code = PQgetvalue(result, row, 4),
    };
    return take_person(result, row, 5, &delivery.person, &delivery.has_person) &&
           listing->visit.delivery(&delivery, listing->context);
}

gboolean
mrg_pgsql_deliveries(gpointer store, const MrgHitFilter *filter, MrgDeliveryVisit visit,
                     gpointer context, GError **error)
{
    Listing listing = {.visit.delivery = visit, .context = context};
    g_autofree char *conditions = where(filter);
    g_autofree char *query = g_strdup_printf(
        "SELECT campaign, message, state, at, code, key FROM merganser.delivery %s "
        "ORDER BY at, message",
        conditions);
    return mrg_pgsql_visit_query(store, query, visit_delivery, &listing, "deliveries",
                                 error);
}

static gboolean
visit_link(const PGresult *result, int row, gpointer context)
{
    const Listing *listing = context;
    return listing->visit.link((guint32) mrg_pgsql_get_number(result, row, 0),
                               PQgetvalue(result, row, 1), listing->context);
}

gboolean
mrg_pgsql_links(gpointer store, guint32 campaign, MrgLinkVisit visit, gpointer context,
                GError **error)
{
    Listing listing = {.visit.link = visit, .context = context};
    g_autofree char *query =
        g_strdup_printf("SELECT number, target FROM merganser.link WHERE campaign = %u "
                        "ORDER BY number",
                        campaign);
    return mrg_pgsql_visit_query(store, query, visit_link, &listing, "links", error);
}
