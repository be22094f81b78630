/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import by COPY, in binary, which has nothing to quote and shows no row in the server's
 * log.
 *
 * COPY into the table of profiles is the fastest way in, but takes new people only.  So
 * they go straight there, a piece at a time behind a savepoint, while the next ones are
 * read; rows of the ledger go to a table of the transaction between two pieces.  The first
 * piece that names somebody who is there is taken back, and it and all that follow go by
 * that table too, where mrg_import() merges them.  What is short goes that way from the
 * start, and so does everything where profile is no table: a router has a view.
 *
 * Held in memory: a piece, and a profile more.
 */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"
#include "plugins/pgsql/store.h"

#define LONG_US (G_GINT64_CONSTANT(24) * 3600 * G_USEC_PER_SEC)
#define BUFFER_BYTES 65536
#define PIECE_BYTES (8 * 1024 * 1024) /* for each there is a subtransaction */
#define UNIQUE_VIOLATION "23505"
#define DEADLOCK_DETECTED "40P01"

typedef enum {
    WAY_OPEN, /* nothing is sent yet */
    WAY_STRAIGHT,
    WAY_STAGED
} Way;

typedef struct Import {
    PGconn *pg;
    Way way;
    GString *people, *ledger; /* rows of incoming: of the piece, or not sent yet */
    GString *straight;        /* rows of profile, not sent yet */
    GString *json;
    GArray *order; /* Named: the fields of a profile */
    gint64 line;
} Import;

/* ---- rows: PostgreSQL, COPY, Binary Format ------------------------------ */

static guint8 *
write_number(guint8 *at, guint64 number, gsize n_bytes)
{
    for (gsize i = n_bytes; i-- > 0; number >>= 8)
        at[i] = (guint8) number;
    return at + n_bytes;
}

static guint8 *
write_bytes(guint8 *at, const void *bytes, gsize length)
{
    at = write_number(at, length, 4);
    if (length)
        memcpy(at, bytes, length);
    return at + length;
}

static guint8 *
write_bigint(guint8 *at, gint64 number)
{
    return write_number(write_number(at, 8, 4), (guint64) number, 8);
}

/* Room at the end, which must be filled. */
static guint8 *
make_room(GString *buffer, gsize n_bytes)
{
    gsize before = buffer->len;
    g_string_set_size(buffer, before + n_bytes);
    return (guint8 *) buffer->str + before;
}

/* A row of incoming. */
typedef struct Row {
    char kind;
    const char *a, *b;
    gsize a_length, b_length;
    gint64 m, n;
} Row;

static void
put_row(Import *import, GString *buffer, const MrgPersonKey *key, const Row *row)
{
    gsize fixed = 2 + 12 + 5 + (4 + MRG_KEY_BYTES) + 4 + 4 + 12 + 12;
    guint8 *at = make_room(buffer, fixed + row->a_length + row->b_length);
    at = write_number(at, 7, 2);
    at = write_bigint(at, import->line++);
    at = write_bytes(at, &row->kind, 1);
    at = write_bytes(at, key->bytes, MRG_KEY_BYTES);
    at = write_bytes(at, row->a, row->a_length);
    at = write_bytes(at, row->b, row->b_length);
    at = write_bigint(at, row->m);
    write_bigint(at, row->n);
}

/* A row of profile; jsonb is sent as a version and its text. */
static void
put_straight(GString *buffer, const MrgProfile *profile, const GString *json)
{
    gsize address_length = strlen(profile->address);
    gsize fixed = 2 + (4 + MRG_KEY_BYTES) + 4 + (4 + 1);
    guint8 *at = make_room(buffer, fixed + address_length + json->len);
    at = write_number(at, 3, 2);
    at = write_bytes(at, profile->person.bytes, MRG_KEY_BYTES);
    at = write_bytes(at, profile->address, address_length);
    at = write_number(at, json->len + 1, 4);
    at = write_number(at, 1, 1);
    memcpy(at, json->str, json->len);
}

/* ---- fields ------------------------------------------------------------- */

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

typedef struct Named {
    const MrgProfileField *field;
    gsize length; /* of its name */
} Named;

/* As jsonb has its keys: PostgreSQL sorts what comes in another order, which takes it a
 * sixth of all the time.  The sort is stable, so that of one name the last one still
 * counts. */
static gint
compare_names(gconstpointer a, gconstpointer b)
{
    const Named *one = a, *other = b;
    if (one->length != other->length)
        return one->length < other->length ? -1 : 1;
    return memcmp(one->field->name, other->field->name, one->length);
}

static void
sort_fields(GArray *order, const MrgProfile *profile)
{
    gboolean is_sorted = TRUE;
    g_array_set_size(order, (guint) profile->n_fields);
    for (guint i = 0; i < order->len; i++) {
        Named *named = &g_array_index(order, Named, i);
        *named = (Named){&profile->fields[i], strlen(profile->fields[i].name)};
        is_sorted &= i == 0 || compare_names(named - 1, named) <= 0;
    }
    if (!is_sorted)
        g_array_sort(order, compare_names);
}

/* "NAME": "TYPE" "TEXT" as profile.fields has it, or null. */
static void
add_field(GString *json, const Named *named)
{
    const MrgField *value = &named->field->value;
    gboolean is_first = json->len == 1;
    guint8 *at = make_room(json, named->length + (is_first ? 3 : 4));
    if (!is_first)
        *at++ = ',';
    *at++ = '"';
    memcpy(at, named->field->name, named->length);
    memcpy(at + named->length, "\":", 2);
    if (is_gone(value)) {
        g_string_append(json, "null");
        return;
    }
    const char head[] = {'"', (char) ('0' + value->type)};
    g_string_append_len(json, head, sizeof head);
    add_json(json, value->text, value->length);
    g_string_append_c(json, '"');
}

/* An object; null removes. */
static void
write_changes(GString *json, const GArray *order)
{
    g_string_assign(json, "{");
    for (guint i = 0; i < order->len; i++)
        add_field(json, &g_array_index(order, Named, i));
    g_string_append_c(json, '}');
}

/* What those leave of nothing. */
static void
write_values(GString *json, const GArray *order)
{
    g_string_assign(json, "{");
    for (guint i = 0; i < order->len; i++) {
        const Named *named = &g_array_index(order, Named, i);
        gboolean is_last = i + 1 == order->len || compare_names(named, named + 1) != 0;
        if (is_last && !is_gone(&named->field->value))
            add_field(json, named);
    }
    g_string_append_c(json, '}');
}

/* ---- a profile ---------------------------------------------------------- */

static gsize
count_gone(const MrgProfile *profile)
{
    gsize n = 0;
    for (gsize i = 0; i < profile->n_fields; i++)
        n += is_gone(&profile->fields[i].value);
    return n;
}

static void
put_person(Import *import, const MrgProfile *profile)
{
    if (!profile->address)
        return;
    gsize n_gone = count_gone(profile);
    sort_fields(import->order, profile);
    if (n_gone && import->way != WAY_STAGED) {
        write_values(import->json, import->order);
        put_straight(import->straight, profile, import->json);
    }
    write_changes(import->json, import->order);
    if (!n_gone && import->way != WAY_STAGED)
        put_straight(import->straight, profile, import->json);
    put_row(import, import->people, &profile->person,
            &(Row){.kind = 'p',
                   .a = profile->address,
                   .a_length = strlen(profile->address),
                   .b = import->json->str,
                   .b_length = import->json->len,
                   .m = (gint64) n_gone});
}

static void
put_ledger_row(Import *import, const MrgProfile *profile, Row row)
{
    row.a_length = strlen(row.a);
    row.b_length = strlen(row.b);
    put_row(import, import->ledger, &profile->person, &row);
}

static void
put_engagements(Import *import, const MrgProfile *profile)
{
    if (!profile->n_engagements)
        return;
    g_autoptr(GString) lines = g_string_new(NULL);
    for (gsize i = 0; i < profile->n_engagements; i++)
        g_string_append_printf(lines, "%" G_GINT64_FORMAT " %s\n",
                               profile->engagements[i].at_us, profile->engagements[i].kind);
    put_ledger_row(import, profile, (Row){.kind = 'e', .a = "", .b = lines->str});
}

static void
put_profile(Import *import, const MrgProfile *profile)
{
    put_person(import, profile);
    for (gsize i = 0; i < profile->n_consents; i++) {
        const MrgConsent *consent = &profile->consents[i];
        put_ledger_row(import, profile,
                       (Row){.kind = 'c',
                             .a = consent->purpose,
                             .b = consent->source ? consent->source : "",
                             .m = consent->state,
                             .n = consent->at_us});
    }
    for (gsize i = 0; i < profile->n_suppressions; i++) {
        const MrgSuppression *suppression = &profile->suppressions[i];
        put_ledger_row(import, profile,
                       (Row){.kind = 's',
                             .a = suppression->scope,
                             .b = suppression->reason,
                             .m = suppression->at_us,
                             .n = suppression->until_us});
    }
    put_engagements(import, profile);
}

/* ---- COPY --------------------------------------------------------------- */

/* Blocks while the server is behind: there is nothing else to do. */
static gboolean
send_buffer(Import *import, GString *buffer, GError **error)
{
    gboolean is_sent =
        !buffer->len || PQputCopyData(import->pg, buffer->str, (int) buffer->len) == 1;
    g_string_truncate(buffer, 0);
    return is_sent || mrg_pgsql_fail(error, MRG_PG_ANSWER_LOST, "", "import");
}

/* The answer as an error. */
static gboolean
fail_copy(const PGresult *result, GError **error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return mrg_pgsql_fail(error, state ? MRG_PG_ANSWER_ERROR : MRG_PG_ANSWER_LOST,
                          state ? state : "", "import");
}

static gboolean
begin_copy(Import *import, const char *sql, GError **error)
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* and its last 0 */
    PQsetnonblocking(import->pg, 0);
    g_autoptr(PGresult) begun = PQexec(import->pg, sql);
    if (PQresultStatus(begun) != PGRES_COPY_IN)
        return fail_copy(begun, error);
    return PQputCopyData(import->pg, head, sizeof head) == 1 ||
           mrg_pgsql_fail(error, MRG_PG_ANSWER_LOST, "", "import");
}

/* The server's answer. */
static PGresult *
end_copy(Import *import)
{
    PGresult *ended = NULL;
    if (PQputCopyData(import->pg, "\377\377", 2) == 1 &&
        PQputCopyEnd(import->pg, NULL) == 1) {
        ended = PQgetResult(import->pg);
        PQclear(PQgetResult(import->pg));
    }
    PQsetnonblocking(import->pg, 1);
    return ended;
}

/* ---- the table of the transaction --------------------------------------- */

static gboolean
begin_incoming(Import *import, GError **error)
{
    return begin_copy(import, "COPY pg_temp.incoming FROM STDIN (FORMAT binary)", error);
}

static gboolean
send_incoming(Import *import, GError **error)
{
    return send_buffer(import, import->people, error) &&
           send_buffer(import, import->ledger, error);
}

static gboolean
end_incoming(Import *import, GError **error)
{
    if (!send_incoming(import, error))
        return FALSE;
    g_autoptr(PGresult) ended = end_copy(import);
    return PQresultStatus(ended) == PGRES_COMMAND_OK || fail_copy(ended, error);
}

/* From here on everything goes there. */
static gboolean
begin_staged(Import *import, GError **error)
{
    import->way = WAY_STAGED;
    g_string_truncate(import->straight, 0);
    return begin_incoming(import, error);
}

/* ---- straight ----------------------------------------------------------- */

static gboolean
run(Import *import, const char *sql, GError **error)
{
    return mrg_pgsql_run_only(import->pg, sql, LONG_US, "import", error);
}

static gboolean
begin_piece(Import *import, GError **error)
{
    import->way = WAY_STRAIGHT;
    return run(import, "SAVEPOINT piece", error) &&
           begin_copy(import,
                      "COPY merganser.profile (key, address, fields) FROM STDIN "
                      "(FORMAT binary)",
                      error);
}

/* Somebody is there, or is being written by somebody else; mrg_import() knows what to do.
 */
static gboolean
is_conflict(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state &&
           (strcmp(state, UNIQUE_VIOLATION) == 0 || strcmp(state, DEADLOCK_DETECTED) == 0);
}

/* Either the people of the piece are in, or they are to be staged. */
static gboolean
end_piece(Import *import, GError **error)
{
    if (!send_buffer(import, import->straight, error))
        return FALSE;
    g_autoptr(PGresult) ended = end_copy(import);
    if (is_conflict(ended))
        return run(import, "ROLLBACK TO SAVEPOINT piece", error) &&
               begin_staged(import, error);
    if (PQresultStatus(ended) != PGRES_COMMAND_OK)
        return fail_copy(ended, error);
    g_string_truncate(import->people, 0);
    return run(import, "RELEASE SAVEPOINT piece", error) &&
           (!import->ledger->len ||
            (begin_incoming(import, error) && end_incoming(import, error)));
}

/* ---- the whole of it ---------------------------------------------------- */

static gboolean
begin(Import *import, GError **error)
{
    if (!import->straight->len)
        return begin_staged(import, error);
    g_autoptr(PGresult) result =
        mrg_pgsql_take(import->pg,
                       "SELECT relkind IN ('r', 'p') FROM pg_class "
                       "WHERE oid = 'merganser.profile'::regclass",
                       LONG_US, "import", error);
    if (!result)
        return FALSE;
    gboolean is_table = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    return is_table ? begin_piece(import, error) : begin_staged(import, error);
}

/* Sends what has become long. */
static gboolean
pass_on(Import *import, GError **error)
{
    gsize n_held = import->people->len + import->ledger->len;
    if (import->way == WAY_OPEN)
        return n_held < BUFFER_BYTES || begin(import, error);
    if (import->way == WAY_STAGED)
        return n_held < BUFFER_BYTES || send_incoming(import, error);
    if (n_held >= PIECE_BYTES)
        return end_piece(import, error) &&
               (import->way == WAY_STAGED || begin_piece(import, error));
    return import->straight->len < BUFFER_BYTES ||
           send_buffer(import, import->straight, error);
}

static gboolean
finish(Import *import, GError **error)
{
    if (import->way == WAY_OPEN && !begin_staged(import, error))
        return FALSE;
    if (import->way == WAY_STRAIGHT && !end_piece(import, error))
        return FALSE;
    return import->way == WAY_STRAIGHT || end_incoming(import, error);
}

static gboolean
put_all(Import *import, MrgProfileNext next, gpointer context, guint64 *n, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const MrgProfile *profile;
    while ((profile = next(context, &problem))) {
        put_profile(import, profile);
        if (!pass_on(import, error))
            return FALSE;
        (*n)++;
    }
    if (!problem)
        return finish(import, error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean
mrg_pgsql_import_within(PGconn *pg, MrgProfileNext next, gpointer context, guint64 *n,
                        GError **error)
{
    g_autoptr(GString) people = g_string_new(NULL);
    g_autoptr(GString) ledger = g_string_new(NULL);
    g_autoptr(GString) straight = g_string_new(NULL);
    g_autoptr(GString) json = g_string_new(NULL);
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(Named));
    Import import = {pg, WAY_OPEN, people, ledger, straight, json, order, 0};
    return run(&import,
               "CREATE TEMPORARY TABLE incoming (line bigint, kind \"char\", key bytea, a "
               "text, b text, m bigint, n bigint) ON COMMIT DROP",
               error) &&
           put_all(&import, next, context, n, error) &&
           run(&import, "SELECT merganser.mrg_import()", error);
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
