/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as they are: events, people, suppressions, holds, what is held on a person,
 * searching.
 *
 * A listing may be long, so it is read through a cursor, a piece at a time. */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"
#include "plugins/pgsql/store.h"

#define WAIT_US (G_GINT64_CONSTANT(3600) * G_USEC_PER_SEC)
#define PIECE "1000"
#define COLUMNS_MAX 16

/* ---- cursors ----------------------------------------------------------- */

static gboolean
visit_pieces(PGconn *pg, MrgPgsqlVisit visit, gpointer context, const char *what,
             GError **error)
{
    for (;;) {
        g_autoptr(PGresult) piece =
            mrg_pgsql_take(pg, "FETCH " PIECE " FROM listing", WAIT_US, what, error);
        if (!piece)
            return FALSE;
        if (!PQntuples(piece))
            return TRUE;
        for (int row = 0; row < PQntuples(piece); row++)
            if (!visit(piece, row, context))
                return TRUE;
    }
}

static gboolean
visit_on(PGconn *pg, const char *query, MrgPgsqlVisit visit, gpointer context,
         const char *what, GError **error)
{
    g_autofree char *declare =
        g_strdup_printf("BEGIN READ ONLY; DECLARE listing NO SCROLL CURSOR FOR %s", query);
    return mrg_pgsql_run_only(pg, declare, WAIT_US, what, error) &&
           visit_pieces(pg, visit, context, what, error) &&
           mrg_pgsql_run_only(pg, "COMMIT", WAIT_US, what, error);
}

gboolean
mrg_pgsql_visit_query(MrgPgsql *self, const char *query, MrgPgsqlVisit visit,
                      gpointer context, const char *what, GError **error)
{
    MrgPgsqlConnection *connection = mrg_pgsql_borrow_long(self, error);
    if (!connection)
        return FALSE;
    gboolean is_done = visit_on(connection->pg, query, visit, context, what, error);
    if (!is_done)
        g_clear_pointer(&connection->pg, PQfinish);
    mrg_pgsql_return(self, connection);
    return is_done;
}

/* 'text', or NULL for none.  Texts are UTF-8, and so is the connection; backslashes mean
 * themselves in a string that does not begin with E (standard_conforming_strings). */
static char *
quote(const char *text)
{
    if (!text)
        return g_strdup("NULL::text");
    g_autoptr(GString) quoted = g_string_new(text);
    g_string_replace(quoted, "'", "''", 0);
    return g_strdup_printf("'%s'", quoted->str);
}

/* ---- events ------------------------------------------------------------ */

#define EVENT_COLUMNS \
    "at, campaign, class, sender, tags, verdict, reason, key, tracked, message"

typedef struct Listing {
    union {
        MrgEventVisit event;
        MrgPersonVisit person;
        MrgHomeVisit home;
        MrgEngagementVisit engagement;
        MrgHoldVisit hold;
        MrgSuppressionVisit suppression;
        MrgRowVisit row;
    } visit;
    gpointer context;
    const char *table;
    gboolean is_wanted;
} Listing;

static gboolean
visit_event(const PGresult *result, int row, gpointer context)
{
    const Listing *listing = context;
    MrgPersonKey person;
    MrgEvent event = {
        .at_us = mrg_pgsql_get_number(result, row, 0),
        .campaign = PQgetvalue(result, row, 1),
        .class_name = PQgetvalue(result, row, 2),
        .sender = PQgetvalue(result, row, 3),
        .tags = PQgetvalue(result, row, 4),
        .verdict = (MrgVerdict) mrg_pgsql_get_number(result, row, 5),
        .reason = PQgetvalue(result, row, 6),
        .tracked = (guint) mrg_pgsql_get_number(result, row, 8),
    };
    return mrg_pgsql_get_key(result, row, 7, person.bytes) &&
           (PQgetisnull(result, row, 9) ||
            mrg_pgsql_get_key(result, row, 9, event.message.bytes)) &&
           listing->visit.event(&person, &event, listing->context);
}

gboolean
mrg_pgsql_events(gpointer store, const MrgPersonKey *person, gsize limit,
                 MrgEventVisit visit, gpointer context, GError **error)
{
    char hex[MRG_PGSQL_HEX_BYTES];
    Listing listing = {.visit.event = visit, .context = context};
    g_autofree char *query =
        g_strdup_printf("SELECT " EVENT_COLUMNS " FROM merganser.event WHERE key = '%s' "
                        "ORDER BY at DESC, id DESC LIMIT %" G_GSIZE_FORMAT,
                        mrg_pgsql_hex(person->bytes, hex), MIN(limit, (gsize) G_MAXINT));
    return mrg_pgsql_visit_query(store, query, visit_event, &listing, "events", error);
}

gboolean
mrg_pgsql_events_since(gpointer store, gint64 since_us, MrgEventVisit visit,
                       gpointer context, GError **error)
{
    Listing listing = {.visit.event = visit, .context = context};
    g_autofree char *query = g_strdup_printf(
        "SELECT " EVENT_COLUMNS " FROM merganser.event WHERE at >= %" G_GINT64_FORMAT
        " ORDER BY at, id",
        since_us);
    return mrg_pgsql_visit_query(store, query, visit_event, &listing, "events", error);
}

gboolean
mrg_pgsql_campaign_events(gpointer store, const char *campaign, MrgEventVisit visit,
                          gpointer context, GError **error)
{
    Listing listing = {.visit.event = visit, .context = context};
    g_autofree char *name = quote(campaign);
    g_autofree char *query =
        g_strdup_printf("SELECT " EVENT_COLUMNS " FROM merganser.event WHERE campaign = %s "
                        "ORDER BY at, id",
                        name);
    return mrg_pgsql_visit_query(store, query, visit_event, &listing, "events", error);
}

/* ---- people ------------------------------------------------------------ */

static gboolean
visit_person(const PGresult *result, int row, gpointer context)
{
    const Listing *listing = context;
    return listing->visit.person(PQgetvalue(result, row, 0), listing->context);
}

gboolean
mrg_pgsql_list(gpointer store, gsize limit, MrgPersonVisit visit, gpointer context,
               GError **error)
{
    Listing listing = {.visit.person = visit, .context = context};
    g_autofree char *query = g_strdup_printf(
        "SELECT address FROM merganser.profile ORDER BY key LIMIT %" G_GSIZE_FORMAT,
        MIN(limit, (gsize) G_MAXINT));
    return mrg_pgsql_visit_query(store, query, visit_person, &listing, "people", error);
}

/* A field is the digit of its type, and its text. */
static gboolean
visit_home(const PGresult *result, int row, gpointer context)
{
    const Listing *listing = context;
    MrgPersonKey person;
    MrgField field = {.type = MRG_FIELD_MISSING};
    const char *text = PQgetvalue(result, row, 2);
    if (*text)
        field = (MrgField){(MrgFieldType) (*text - '0'), text + 1, strlen(text + 1)};
    return mrg_pgsql_get_key(result, row, 0, person.bytes) &&
           listing->visit.home(&person, PQgetvalue(result, row, 1), &field,
                               listing->context);
}

gboolean
mrg_pgsql_homes(gpointer store, const char *field, MrgHomeVisit visit, gpointer context,
                GError **error)
{
    Listing listing = {.visit.home = visit, .context = context};
    g_autofree char *name = quote(field);
    g_autofree char *query =
        g_strdup_printf("SELECT key, address, fields ->> %s FROM merganser.profile", name);
    return mrg_pgsql_visit_query(store, query, visit_home, &listing, "people", error);
}

static gboolean
visit_engagement(const PGresult *result, int row, gpointer context)
{
    const Listing *listing = context;
    MrgPersonKey person;
    return mrg_pgsql_get_key(result, row, 0, person.bytes) &&
           listing->visit.engagement(&person, PQgetvalue(result, row, 1), listing->context);
}

gboolean
mrg_pgsql_engagements(gpointer store, MrgEngagementVisit visit, gpointer context,
                      GError **error)
{
    static const char query[] =
        "SELECT key, p.engagement FROM merganser.consent JOIN merganser.person p "
        "USING (key) WHERE purpose = 'profile' AND state = 1";
    Listing listing = {.visit.engagement = visit, .context = context};
    return mrg_pgsql_visit_query(store, query, visit_engagement, &listing, "engagements",
                                 error);
}

static gboolean
visit_suppression(const PGresult *result, int row, gpointer context)
{
    const Listing *listing = context;
    MrgPersonKey person;
    MrgSuppression suppression = {
        .scope = PQgetvalue(result, row, 1),
        .reason = PQgetvalue(result, row, 2),
        .at_us = mrg_pgsql_get_number(result, row, 3),
        .until_us = mrg_pgsql_get_number(result, row, 4),
    };
    return mrg_pgsql_get_key(result, row, 0, person.bytes) &&
           listing->visit.suppression(&person, &suppression, listing->context);
}

gboolean
mrg_pgsql_suppressions(gpointer store, const MrgPersonKey *person, gint64 now_us,
                       gsize limit, MrgSuppressionVisit visit, gpointer context,
                       GError **error)
{
    char hex[MRG_PGSQL_HEX_BYTES];
    Listing listing = {.visit.suppression = visit, .context = context};
    g_autofree char *of =
        person ? g_strdup_printf("key = '%s' AND ", mrg_pgsql_hex(person->bytes, hex))
               : g_strdup("");
    g_autofree char *query = g_strdup_printf(
        "SELECT key, scope, reason, at, \"until\" FROM merganser.suppression WHERE %s"
        "(\"until\" = 0 OR \"until\" > %" G_GINT64_FORMAT
        ") ORDER BY key, scope, reason LIMIT %" G_GSIZE_FORMAT,
        of, now_us, MIN(limit, (gsize) G_MAXINT));
    return mrg_pgsql_visit_query(store, query, visit_suppression, &listing, "suppressions",
                                 error);
}

/* ---- holds ------------------------------------------------------------- */

static gboolean
visit_hold(const PGresult *result, int row, gpointer context)
{
    const Listing *listing = context;
    MrgHold hold = {
        .host = PQgetvalue(result, row, 2),
        .queue_id = PQgetvalue(result, row, 3),
        .campaign = PQgetvalue(result, row, 4),
        .class_name = PQgetvalue(result, row, 5),
        .at_us = mrg_pgsql_get_number(result, row, 6),
        .until_us = mrg_pgsql_get_number(result, row, 7),
        .is_settled = !PQgetisnull(result, row, 8),
        .settlement = (MrgVerdict) mrg_pgsql_get_number(result, row, 8),
        .list = PQgetvalue(result, row, 9),
    };
    return mrg_pgsql_get_key(result, row, 0, hold.message.bytes) &&
           mrg_pgsql_get_key(result, row, 1, hold.person.bytes) &&
           listing->visit.hold(&hold, listing->context);
}

gboolean
mrg_pgsql_holds(gpointer store, const MrgHoldFilter *filter, MrgHoldVisit visit,
                gpointer context, GError **error)
{
    Listing listing = {.visit.hold = visit, .context = context};
    g_autofree char *host = quote(filter->host), *campaign = quote(filter->campaign);
    g_autofree char *query = g_strdup_printf(
        "SELECT message, key, host, queue_id, campaign, class, at, \"until\", settlement, "
        "list FROM merganser.hold WHERE host = coalesce(%s, host) "
        "AND campaign = coalesce(%s, campaign) AND (%s OR settlement IS NOT NULL "
        "OR is_changed OR (\"until\" <> 0 AND \"until\" <= %" G_GINT64_FORMAT
        ")) ORDER BY at, message",
        host, campaign, filter->due_us == G_MAXINT64 ? "true" : "false", filter->due_us);
    return mrg_pgsql_visit_query(store, query, visit_hold, &listing, "holds", error);
}

/* ---- any row ----------------------------------------------------------- */

/* Columns that are bytes stand with a '#'.  The first have a key of a person. */
static const struct {
    const char *name;
    const char *columns[COLUMNS_MAX];
} tables[] = {
    {"profile", {"#key", "address"}},
    {"field", {"#key", "name", "type", "value"}},
    {"person", {"#key", "version", "history", "engagement", "consents", "suppressions"}},
    {"consent_log", {"#key", "purpose", "at", "state", "source"}},
    {"consent", {"#key", "purpose", "state", "at", "source"}},
    {"suppression", {"#key", "scope", "reason", "at", "until"}},
    {"event",
     {"id", "at", "#key", "campaign", "class", "sender", "tags", "verdict", "reason",
      "until", "#message", "tracked"}},
    {"hold",
     {"#message", "#key", "host", "queue_id", "campaign", "class", "at", "until",
      "settlement", "is_changed", "list"}},
    {"hit",
     {"id", "at", "campaign", "link", "message", "kind", "flags", "class", "reason",
      "agent", "since", "#network", "#key"}},
    {"web_event",
     {"id", "at", "site", "kind", "name", "anonymous", "event", "data", "#key"}},
    {"delivery", {"campaign", "message", "state", "at", "code", "#key"}},
    {"web_identity", {"site", "anonymous", "#key"}},
    {"outcome", {"#message", "at", "verdict", "until", "reason"}},
    {"campaign", {"number", "name"}},
    {"link", {"campaign", "number", "#hash", "target"}},
};
#define N_KEYED 12

static void
add_expression(GString *query, const char *column)
{
    if (*column == '#')
        g_string_append_printf(query, "encode(\"%s\", 'hex')", column + 1);
    else
        g_string_append_printf(query, "\"%s\"::text", column);
}

/* Rows with the text in any column, or those of a person. */
static char *
table_query(gsize which, const char *hex, const char *text)
{
    const char *const *columns = tables[which].columns;
    GString *query = g_string_new("SELECT ");
    for (gsize i = 0; i < COLUMNS_MAX && columns[i]; i++) {
        g_string_append(query, i ? ", " : "");
        add_expression(query, columns[i]);
        g_string_append_printf(query, " AS \"%s\"", columns[i] + (columns[i][0] == '#'));
    }
    g_string_append_printf(query, " FROM merganser.%s WHERE ", tables[which].name);
    if (hex)
        g_string_append_printf(query, "key = '%s'", hex);
    g_autofree char *quoted = quote(text);
    for (gsize i = 0; text && i < COLUMNS_MAX && columns[i]; i++) {
        g_string_append(query, i ? " OR strpos(" : "strpos(");
        add_expression(query, columns[i]);
        g_string_append_printf(query, ", %s) > 0", quoted);
    }
    return g_string_free(query, FALSE);
}

static gboolean
visit_row(const PGresult *result, int row, gpointer context)
{
    Listing *listing = context;
    const char *names[COLUMNS_MAX], *values[COLUMNS_MAX];
    int n = MIN(PQnfields(result), COLUMNS_MAX);
    for (int i = 0; i < n; i++) {
        names[i] = PQfname(result, i);
        values[i] = PQgetisnull(result, row, i) ? NULL : PQgetvalue(result, row, i);
    }
    listing->is_wanted =
        listing->visit.row(listing->table, names, values, (gsize) n, listing->context);
    return listing->is_wanted;
}

static gboolean
visit_tables(MrgPgsql *self, gsize n, const char *hex, const char *text, MrgRowVisit visit,
             gpointer context, GError **error)
{
    Listing listing = {.visit.row = visit, .context = context, .is_wanted = TRUE};
    for (gsize i = 0; i < n && listing.is_wanted; i++) {
        g_autofree char *query = table_query(i, hex, text);
        listing.table = tables[i].name;
        if (!mrg_pgsql_visit_query(self, query, visit_row, &listing, tables[i].name, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
mrg_pgsql_rows_of(gpointer store, const MrgPersonKey *person, MrgRowVisit visit,
                  gpointer context, GError **error)
{
    char hex[MRG_PGSQL_HEX_BYTES];
    return visit_tables(store, N_KEYED, mrg_pgsql_hex(person->bytes, hex), NULL, visit,
                        context, error);
}

gboolean
mrg_pgsql_search(gpointer store, const char *text, MrgRowVisit visit, gpointer context,
                 GError **error)
{
    return visit_tables(store, G_N_ELEMENTS(tables), NULL, text, visit, context, error);
}
