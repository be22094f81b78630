/* SPDX-License-Identifier: Apache-2.0 */
/* People: import by COPY, suppressions, erasure and retention. */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"
#include "plugins/pgsql/store.h"

#define LONG_US (G_GINT64_CONSTANT(24) * 3600 * G_USEC_PER_SEC)
#define BUFFER_BYTES 65536

/* ---- import ------------------------------------------------------------ */

typedef struct Copy {
    PGconn *pg;
    GString *buffer, *json;
    guint64 line;
} Copy;

/* Text as COPY reads it: PostgreSQL, COPY, Text Format. */
static void
put_text(GString *buffer, const char *text, gsize length)
{
    gsize done = 0;
    g_string_append_c(buffer, '\t');
    for (gsize i = 0; i < length; i++) {
        char letter = text[i] == '\t'   ? 't'
                      : text[i] == '\n' ? 'n'
                      : text[i] == '\r' ? 'r'
                      : text[i] == '\\' ? '\\'
                                        : '\0';
        if (!letter)
            continue;
        g_string_append_len(buffer, text + done, (gssize) (i - done));
        g_string_append_c(buffer, '\\');
        g_string_append_c(buffer, letter);
        done = i + 1;
    }
    g_string_append_len(buffer, text + done, (gssize) (length - done));
}

static gboolean
send_buffer(Copy *copy, GError **error)
{
    int rc = PQputCopyData(copy->pg, copy->buffer->str, (int) copy->buffer->len);
    g_string_truncate(copy->buffer, 0);
    return rc == 1 || mrg_pgsql_fail(error, MRG_PG_ANSWER_LOST, "", "import");
}

/* A row of incoming: line, kind, key, a, b, m, n. */
static gboolean
put_row(Copy *copy, char kind, const MrgPersonKey *key, const char *a, const char *b,
        gsize b_length, gint64 m, gint64 n, GError **error)
{
    char hex[MRG_PGSQL_HEX_BYTES];
    g_string_append_printf(copy->buffer, "%" G_GUINT64_FORMAT "\t%c\t\\%s", copy->line++,
                           kind, mrg_pgsql_hex(key->bytes, hex));
    put_text(copy->buffer, a, strlen(a));
    put_text(copy->buffer, b, b_length);
    g_string_append_printf(copy->buffer, "\t%" G_GINT64_FORMAT "\t%" G_GINT64_FORMAT "\n",
                           m, n);
    return copy->buffer->len < BUFFER_BYTES || send_buffer(copy, error);
}

/* A string of JSON: RFC 8259, 7. */
static void
add_json(GString *json, const char *text, gsize length)
{
    gsize done = 0;
    for (gsize i = 0; i < length; i++) {
        gboolean is_control = (guint8) text[i] < 0x20;
        if (!is_control && text[i] != '"' && text[i] != '\\')
            continue;
        g_string_append_len(json, text + done, (gssize) (i - done));
        if (is_control)
            g_string_append_printf(json, "\\u%04x", (guint8) text[i]);
        else
            g_string_append_c(g_string_append_c(json, '\\'), text[i]);
        done = i + 1;
    }
    g_string_append_len(json, text + done, (gssize) (length - done));
}

static gboolean
is_gone(const MrgField *value)
{
    return value->type == MRG_FIELD_NULL || value->type == MRG_FIELD_MISSING;
}

/* {"NAME": "TYPE" "TEXT"} as profile.fields has it, null for one to remove; counts those.
 */
static gint64
add_fields(GString *json, const MrgProfile *profile)
{
    gint64 n_gone = 0;
    g_string_append_c(json, '{');
    for (gsize i = 0; i < profile->n_fields; i++) {
        const MrgField *value = &profile->fields[i].value;
        g_string_append(json, i ? ",\"" : "\"");
        g_string_append(json, profile->fields[i].name);
        g_string_append(json, "\":");
        if (is_gone(value)) {
            g_string_append(json, "null");
            n_gone++;
            continue;
        }
        g_string_append_c(json, '"');
        g_string_append_c(json, (char) ('0' + value->type));
        add_json(json, value->text, value->length);
        g_string_append_c(json, '"');
    }
    g_string_append_c(json, '}');
    return n_gone;
}

static gboolean
put_person(Copy *copy, const MrgProfile *profile, GError **error)
{
    if (!profile->address)
        return TRUE;
    g_string_truncate(copy->json, 0);
    gint64 n_gone = add_fields(copy->json, profile);
    return put_row(copy, 'p', &profile->person, profile->address, copy->json->str,
                   copy->json->len, n_gone, 0, error);
}

static gboolean
put_engagements(Copy *copy, const MrgProfile *profile, GError **error)
{
    if (!profile->n_engagements)
        return TRUE;
    g_autoptr(GString) lines = g_string_new(NULL);
    for (gsize i = 0; i < profile->n_engagements; i++)
        g_string_append_printf(lines, "%" G_GINT64_FORMAT " %s\n",
                               profile->engagements[i].at_us, profile->engagements[i].kind);
    return put_row(copy, 'e', &profile->person, "", lines->str, lines->len, 0, 0, error);
}

static gboolean
put_profile(Copy *copy, const MrgProfile *profile, GError **error)
{
    const MrgPersonKey *key = &profile->person;
    if (!put_person(copy, profile, error))
        return FALSE;
    for (gsize i = 0; i < profile->n_consents; i++) {
        const MrgConsent *consent = &profile->consents[i];
        const char *source = consent->source ? consent->source : "";
        if (!put_row(copy, 'c', key, consent->purpose, source, strlen(source),
                     consent->state, consent->at_us, error))
            return FALSE;
    }
    for (gsize i = 0; i < profile->n_suppressions; i++) {
        const MrgSuppression *suppression = &profile->suppressions[i];
        if (!put_row(copy, 's', key, suppression->scope, suppression->reason,
                     strlen(suppression->reason), suppression->at_us, suppression->until_us,
                     error))
            return FALSE;
    }
    return put_engagements(copy, profile, error);
}

static gboolean
put_all(Copy *copy, MrgProfileNext next, gpointer context, guint64 *n, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const MrgProfile *profile;
    while ((profile = next(context, &problem))) {
        if (!put_profile(copy, profile, error))
            return FALSE;
        (*n)++;
    }
    if (!problem)
        return send_buffer(copy, error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* Blocks while the server is behind: there is nothing else to do. */
static gboolean
copy_in(PGconn *pg, MrgProfileNext next, gpointer context, guint64 *n, GError **error)
{
    g_autoptr(PGresult) started = PQexec(pg, "COPY pg_temp.incoming FROM STDIN");
    if (PQresultStatus(started) != PGRES_COPY_IN)
        return mrg_pgsql_fail(error, MRG_PG_ANSWER_LOST, "", "import");
    g_autoptr(GString) buffer = g_string_sized_new(2 * BUFFER_BYTES);
    g_autoptr(GString) json = g_string_new(NULL);
    Copy copy = {pg, buffer, json, 0};
    if (!put_all(&copy, next, context, n, error))
        return FALSE;
    if (PQputCopyEnd(pg, NULL) != 1)
        return mrg_pgsql_fail(error, MRG_PG_ANSWER_LOST, "", "import");
    g_autoptr(PGresult) ended = PQgetResult(pg);
    g_autoptr(PGresult) none = PQgetResult(pg);
    const char *state = PQresultErrorField(ended, PG_DIAG_SQLSTATE);
    if (PQresultStatus(ended) == PGRES_COMMAND_OK && !none)
        return TRUE;
    return mrg_pgsql_fail(error, state ? MRG_PG_ANSWER_ERROR : MRG_PG_ANSWER_LOST,
                          state ? state : "", "import");
}

gboolean
mrg_pgsql_import_within(PGconn *pg, MrgProfileNext next, gpointer context, guint64 *n,
                        GError **error)
{
    if (!mrg_pgsql_run_only(pg,
                            "CREATE TEMPORARY TABLE incoming (line bigint, kind "
                            "\"char\", key bytea, a text, b text, m bigint, n bigint) "
                            "ON COMMIT DROP",
                            LONG_US, "import", error))
        return FALSE;
    PQsetnonblocking(pg, 0);
    gboolean is_done = copy_in(pg, next, context, n, error);
    PQsetnonblocking(pg, 1);
    return is_done && mrg_pgsql_run_only(pg, "SELECT merganser.mrg_import()", LONG_US,
                                         "import", error);
}

static gboolean
import_on(PGconn *pg, MrgProfileNext next, gpointer context, guint64 *n, GError **error)
{
    return mrg_pgsql_run_only(pg, "BEGIN", LONG_US, "import", error) &&
           mrg_pgsql_import_within(pg, next, context, n, error) &&
           mrg_pgsql_run_only(pg, "COMMIT", LONG_US, "import", error);
}

gboolean
mrg_pgsql_import(gpointer store, MrgProfileNext next, gpointer context, guint64 *n_imported,
                 GError **error)
{
    MrgPgsqlConnection *connection = mrg_pgsql_borrow_long(store, error);
    if (!connection)
        return FALSE;
    guint64 n = 0;
    gboolean is_done = import_on(connection->pg, next, context, &n, error);
    /* Hanging up rolls back, whatever state the connection is in. */
    if (!is_done)
        g_clear_pointer(&connection->pg, PQfinish);
    mrg_pgsql_return(store, connection);
    if (is_done)
        *n_imported = n;
    return is_done;
}

/* ---- one person -------------------------------------------------------- */

gboolean
mrg_pgsql_end_suppression(gpointer store, const MrgPersonKey *person, const char *scope,
                          const char *reason, gint64 at_us, guint64 *n_ended,
                          GError **error)
{
    char at[MRG_PGSQL_NUMBER_BYTES];
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_key(&arguments, person->bytes);
    mrg_pgsql_add_text(&arguments, scope);
    mrg_pgsql_add_text(&arguments, reason);
    mrg_pgsql_add_number(&arguments, at, at_us);
    g_autoptr(PGresult) result =
        mrg_pgsql_ask(store, MRG_PG_END_SUPPRESSION, &arguments,
                      g_get_monotonic_time() + LONG_US, "suppression", error);
    if (result)
        *n_ended = (guint64) mrg_pgsql_get_number(result, 0, 0);
    return result != NULL;
}

gboolean
mrg_pgsql_erase(gpointer store, const MrgPersonKey *person, gint64 at_us, GError **error)
{
    char at[MRG_PGSQL_NUMBER_BYTES];
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_key(&arguments, person->bytes);
    mrg_pgsql_add_number(&arguments, at, at_us);
    g_autoptr(PGresult) result =
        mrg_pgsql_ask(store, MRG_PG_ERASE, &arguments, g_get_monotonic_time() + LONG_US,
                      "erasure", error);
    return result != NULL;
}

gboolean
mrg_pgsql_end_hold(gpointer store, const MrgMessageKey *message, GError **error)
{
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_key(&arguments, message->bytes);
    g_autoptr(PGresult) result =
        mrg_pgsql_ask(store, MRG_PG_END_HOLD, &arguments, g_get_monotonic_time() + LONG_US,
                      "hold", error);
    return result != NULL;
}

/* ---- retention --------------------------------------------------------- */

/* Calls a function of one number and adds what it answers. */
static gboolean
add_answer(PGconn *pg, const char *function, gint64 number, guint64 *sum, GError **error)
{
    g_autofree char *sql =
        g_strdup_printf("SELECT merganser.%s(%" G_GINT64_FORMAT ")", function, number);
    g_autoptr(PGresult) result = mrg_pgsql_take(pg, sql, LONG_US, "retention", error);
    if (result)
        *sum += (guint64) mrg_pgsql_get_number(result, 0, 0);
    return result != NULL;
}

gboolean
mrg_pgsql_retain(gpointer store, const MrgRetention *retention, guint64 *n_rows,
                 GError **error)
{
    MrgPgsqlConnection *connection = mrg_pgsql_borrow_long(store, error);
    if (!connection)
        return FALSE;
    PGconn *pg = connection->pg;
    guint64 n = 0;
    gboolean is_done =
        add_answer(pg, "mrg_make_partitions", g_get_real_time(), &n, error) &&
        (!retention->events_us ||
         add_answer(pg, "mrg_retain_events", retention->events_us, &n, error)) &&
        (!retention->engagement_us ||
         add_answer(pg, "mrg_retain_engagements", retention->engagement_us, &n, error)) &&
        (!retention->hits_us ||
         add_answer(pg, "mrg_retain_hits", retention->hits_us, &n, error));
    mrg_pgsql_return(store, connection);
    if (is_done)
        *n_rows = n;
    return is_done;
}
