/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/sqlite/sqlite.h"

/* ---- import ------------------------------------------------------------ */

static gboolean
put_field(const MrgSqliteConnection *connection, const MrgPersonKey *person,
          const MrgProfileField *field, GError **error)
{
    gboolean is_gone =
        field->value.type == MRG_FIELD_NULL || field->value.type == MRG_FIELD_MISSING;
    sqlite3_stmt *statement =
        mrg_sqlite_fresh(connection, is_gone ? MRG_SQL_DROP_FIELD : MRG_SQL_PUT_FIELD);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    mrg_sqlite_bind(statement, 2, field->name);
    if (!is_gone) {
        sqlite3_bind_int(statement, 3, (int) field->value.type);
        mrg_sqlite_bind_text(statement, 4, field->value.text, field->value.length);
    }
    return mrg_sqlite_run(statement, "field", error);
}

static gboolean
put_consent(const MrgSqliteConnection *connection, const MrgPersonKey *person,
            const MrgConsent *consent, GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_ADD_CONSENT);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    mrg_sqlite_bind(statement, 2, consent->purpose);
    sqlite3_bind_int(statement, 3, (int) consent->state);
    sqlite3_bind_int64(statement, 4, consent->at_us);
    mrg_sqlite_bind(statement, 5, consent->source ? consent->source : "");
    return mrg_sqlite_run(statement, "consent", error);
}

gboolean
mrg_sqlite_put_suppression(const MrgSqliteConnection *connection,
                           const MrgPersonKey *person, const MrgSuppression *suppression,
                           GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_ADD_SUPPRESSION);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    mrg_sqlite_bind(statement, 2, suppression->scope);
    mrg_sqlite_bind(statement, 3, suppression->reason);
    sqlite3_bind_int64(statement, 4, suppression->at_us);
    sqlite3_bind_int64(statement, 5, suppression->until_us);
    return mrg_sqlite_run(statement, "suppression", error);
}

/* ---- engagement: lines in order, each once, the newest of them ---- */

typedef struct Line {
    gint64 at_us;
    const char *kind; /* up to the end of the line */
    gsize length;
} Line;

static gint
compare_lines(gconstpointer a, gconstpointer b)
{
    const Line *one = a, *other = b;
    if (one->at_us != other->at_us)
        return one->at_us < other->at_us ? -1 : 1;
    int order = memcmp(one->kind, other->kind, MIN(one->length, other->length));
    return order ? order : (one->length > other->length) - (one->length < other->length);
}

static void
read_lines(const char *text, GArray *lines)
{
    while (*text) {
        char *kind;
        Line line = {.at_us = g_ascii_strtoll(text, &kind, 10)};
        line.kind = kind + (*kind == ' ');
        line.length = strcspn(line.kind, "\n");
        text = line.kind + line.length;
        text += *text == '\n';
        g_array_append_val(lines, line);
    }
}

static char *
write_lines(const GArray *lines)
{
    GString *text = g_string_new(NULL);
    guint first = lines->len - MIN(lines->len, MRG_ENGAGEMENT_MAX);
    for (guint i = first; i < lines->len; i++) {
        const Line *line = &g_array_index(lines, Line, i);
        g_string_append_printf(text, "%" G_GINT64_FORMAT " %.*s\n", line->at_us,
                               (int) line->length, line->kind);
    }
    return g_string_free(text, FALSE);
}

/* The text with the new ones in it; the caller frees. */
static char *
merge_engagements(const char *old, const MrgProfile *profile)
{
    g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(Line));
    read_lines(old, lines);
    for (gsize i = 0; i < profile->n_engagements; i++) {
        const MrgEngagement *engagement = &profile->engagements[i];
        Line line = {engagement->at_us, engagement->kind, strlen(engagement->kind)};
        g_array_append_val(lines, line);
    }
    g_array_sort(lines, compare_lines);
    for (guint i = lines->len; i > 1; i--)
        if (compare_lines(&g_array_index(lines, Line, i - 1),
                          &g_array_index(lines, Line, i - 2)) == 0)
            g_array_remove_index(lines, i - 1);
    return write_lines(lines);
}

static gboolean
put_engagements(const MrgSqliteConnection *connection, const MrgProfile *profile,
                GError **error)
{
    if (!profile->n_engagements)
        return TRUE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_PERSON);
    mrg_sqlite_bind_key(statement, 1, profile->person.bytes);
    gboolean is_done = TRUE;
    gboolean is_known = mrg_sqlite_next(statement, "person", &is_done, error);
    if (!is_known && !is_done)
        return FALSE;
    g_autofree char *old =
        g_strdup(is_known ? (const char *) sqlite3_column_text(statement, 2) : "");
    sqlite3_reset(statement);
    g_autofree char *merged = merge_engagements(old, profile);
    if (strcmp(old, merged) == 0)
        return TRUE;
    statement = mrg_sqlite_fresh(connection, MRG_SQL_PUT_ENGAGEMENT);
    mrg_sqlite_bind_key(statement, 1, profile->person.bytes);
    mrg_sqlite_bind(statement, 2, merged);
    return mrg_sqlite_run(statement, "engagement", error);
}

/* ---- profiles ---- */

static gboolean
put_address(const MrgSqliteConnection *connection, const MrgProfile *profile,
            GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_PUT_PROFILE);
    mrg_sqlite_bind_key(statement, 1, profile->person.bytes);
    mrg_sqlite_bind(statement, 2, profile->address);
    return mrg_sqlite_run(statement, "profile", error);
}

gboolean
mrg_sqlite_put_profile(const MrgSqliteConnection *connection, const MrgProfile *profile,
                       GError **error)
{
    const MrgPersonKey *person = &profile->person;
    if (profile->address && !put_address(connection, profile, error))
        return FALSE;
    for (gsize i = 0; i < profile->n_fields; i++)
        if (!put_field(connection, person, &profile->fields[i], error))
            return FALSE;
    for (gsize i = 0; i < profile->n_consents; i++)
        if (!put_consent(connection, person, &profile->consents[i], error))
            return FALSE;
    for (gsize i = 0; i < profile->n_suppressions; i++)
        if (!mrg_sqlite_put_suppression(connection, person, &profile->suppressions[i],
                                        error))
            return FALSE;
    return put_engagements(connection, profile, error);
}

static gboolean
put_all(const MrgSqliteConnection *connection, MrgProfileNext next, gpointer context,
        guint64 *n, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const MrgProfile *profile;
    while ((profile = next(context, &problem))) {
        if (!mrg_sqlite_put_profile(connection, profile, error))
            return FALSE;
        (*n)++;
    }
    if (!problem)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* Keys come in no order, so each row touches other pages, and pages without room in memory
 * are written and read again and again. */
static void
set_cache(const MrgSqliteConnection *connection, const char *pragma)
{
    sqlite3_exec(connection->db, pragma, NULL, NULL, NULL);
}

gboolean
mrg_sqlite_import(gpointer store, MrgProfileNext next, gpointer context,
                  guint64 *n_imported, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(self, TRUE, error);
    if (!connection)
        return FALSE;
    guint64 n = 0;
    set_cache(connection, "PRAGMA cache_size = -65536"); /* KiB */
    gboolean is_done = put_all(connection, next, context, &n, error) &&
                       mrg_sqlite_finish(connection, error);
    set_cache(connection, "PRAGMA cache_size = -2000"); /* SQLite's own */
    mrg_sqlite_return(self, connection);
    if (is_done)
        *n_imported = n;
    return is_done;
}

/* ---- people ------------------------------------------------------------ */

gboolean
mrg_sqlite_list(gpointer store, gsize limit, MrgPersonVisit visit, gpointer context,
                GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(self, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_PEOPLE);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64) MIN(limit, (gsize) G_MAXINT));
    gboolean is_done = FALSE, is_wanted = TRUE;
    while (is_wanted && mrg_sqlite_next(statement, "people", &is_done, error))
        is_wanted = visit((const char *) sqlite3_column_text(statement, 0), context);
    mrg_sqlite_return(self, connection);
    return is_done || !is_wanted;
}

static gboolean
visit_home(sqlite3_stmt *statement, MrgHomeVisit visit, gpointer context)
{
    MrgPersonKey person;
    MrgField field = {.type = MRG_FIELD_MISSING};
    mrg_sqlite_take_key(statement, 0, person.bytes);
    if (sqlite3_column_type(statement, 2) != SQLITE_NULL) {
        field.type = (MrgFieldType) sqlite3_column_int(statement, 2);
        field.text = (const char *) sqlite3_column_text(statement, 3);
        field.length = (gsize) sqlite3_column_bytes(statement, 3);
    }
    return visit(&person, (const char *) sqlite3_column_text(statement, 1), &field,
                 context);
}

gboolean
mrg_sqlite_homes(gpointer store, const char *field, MrgHomeVisit visit, gpointer context,
                 GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_HOMES);
    mrg_sqlite_bind(statement, 1, field);
    gboolean is_done = FALSE, is_wanted = TRUE;
    while (is_wanted && mrg_sqlite_next(statement, "people", &is_done, error))
        is_wanted = visit_home(statement, visit, context);
    mrg_sqlite_return(store, connection);
    return is_done || !is_wanted;
}

gboolean
mrg_sqlite_engagements(gpointer store, MrgEngagementVisit visit, gpointer context,
                       GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_ENGAGEMENTS);
    gboolean is_done = FALSE, is_wanted = TRUE;
    while (is_wanted && mrg_sqlite_next(statement, "engagements", &is_done, error)) {
        MrgPersonKey person;
        mrg_sqlite_take_key(statement, 0, person.bytes);
        is_wanted =
            visit(&person, (const char *) sqlite3_column_text(statement, 1), context);
    }
    mrg_sqlite_return(store, connection);
    return is_done || !is_wanted;
}

static gboolean
visit_suppression(sqlite3_stmt *statement, MrgSuppressionVisit visit, gpointer context)
{
    MrgPersonKey person;
    MrgSuppression suppression = {
        .scope = (const char *) sqlite3_column_text(statement, 1),
        .reason = (const char *) sqlite3_column_text(statement, 2),
        .at_us = sqlite3_column_int64(statement, 3),
        .until_us = sqlite3_column_int64(statement, 4),
    };
    mrg_sqlite_take_key(statement, 0, person.bytes);
    return visit(&person, &suppression, context);
}

gboolean
mrg_sqlite_suppressions(gpointer store, const MrgPersonKey *person, gint64 now_us,
                        gsize limit, MrgSuppressionVisit visit, gpointer context,
                        GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, FALSE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_ACTIVE_SUPPRESSIONS);
    if (person)
        mrg_sqlite_bind_key(statement, 1, person->bytes);
    sqlite3_bind_int64(statement, 2, now_us);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64) MIN(limit, (gsize) G_MAXINT));
    gboolean is_done = FALSE, is_wanted = TRUE;
    while (is_wanted && mrg_sqlite_next(statement, "suppressions", &is_done, error))
        is_wanted = visit_suppression(statement, visit, context);
    mrg_sqlite_return(store, connection);
    return is_done || !is_wanted;
}

gboolean
mrg_sqlite_end_suppression(gpointer store, const MrgPersonKey *person, const char *scope,
                           const char *reason, gint64 at_us, guint64 *n_ended,
                           GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow_long(store, TRUE, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_END_SUPPRESSION);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    sqlite3_bind_int64(statement, 2, at_us);
    mrg_sqlite_bind(statement, 3, scope);
    mrg_sqlite_bind(statement, 4, reason);
    gboolean is_done = mrg_sqlite_run(statement, "suppression", error);
    int n = sqlite3_changes(connection->db);
    is_done = is_done && mrg_sqlite_finish(connection, error);
    mrg_sqlite_return(store, connection);
    if (is_done)
        *n_ended = (guint64) n;
    return is_done;
}
