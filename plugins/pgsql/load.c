/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch and load.  Answers come in binary: nothing is written out and read again. */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/array.h"
#include "plugins/pgsql/pgsql.h"
#include "plugins/pgsql/store.h"

/* Columns of mrg_load() and mrg_fetch_and_load(); accounts that people share come last. */
enum {
    COLUMN_VERSION,
    COLUMN_HISTORY,
    COLUMN_ENGAGEMENT,
    COLUMN_CONSENTS,
    COLUMN_SUPPRESSIONS,
    COLUMN_VERDICT,
    COLUMN_UNTIL,
    COLUMN_REASON,
    COLUMN_FIELDS
};

#define LISTED 4  /* texts of each consent and suppression */
#define ACCOUNT 3 /* of each account */
#define REPLICA_US \
    (500 * 1000) /* for which a replica is waited, before the primary is asked */

static char *
copy_text(const char *text, gsize length, const MrgMemory *memory)
{
    char *copy = memory->alloc(memory->context, length + 1);
    if (length)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

/* ---- columns ----------------------------------------------------------- */

static const char *
copy_column(const PGresult *result, int column, const MrgMemory *memory, gsize *length)
{
    gsize n = (gsize) PQgetlength(result, 0, column);
    if (length)
        *length = n;
    return copy_text(PQgetvalue(result, 0, column), n, memory);
}

/* A smallint, integer or bigint. */
static gint64
column_number(const PGresult *result, int column)
{
    const guint8 *bytes = (const guint8 *) PQgetvalue(result, 0, column);
    int n = PQgetlength(result, 0, column);
    guint64 bits = n && bytes[0] & 0x80 ? G_MAXUINT64 : 0;
    for (int i = 0; i < n; i++)
        bits = bits << 8 | bytes[i];
    return (gint64) bits;
}

/* NULL is an array of none. */
static gboolean
open_column(MrgPgsqlArray *array, const PGresult *result, int column)
{
    *array = (MrgPgsqlArray){NULL, NULL, 0};
    return PQgetisnull(result, 0, column) ||
           mrg_pgsql_array_open(array, PQgetvalue(result, 0, column),
                                (gsize) PQgetlength(result, 0, column));
}

/* ---- lists ------------------------------------------------------------- */

static gboolean
next_text(MrgPgsqlArray *array, const char **copy, const MrgMemory *memory)
{
    const char *text;
    gsize length;
    if (!mrg_pgsql_array_next(array, &text, &length) || !text)
        return FALSE;
    *copy = copy_text(text, length, memory);
    return TRUE;
}

static gboolean
read_consents(const PGresult *result, MrgState *state, const MrgMemory *memory)
{
    MrgPgsqlArray array;
    if (!open_column(&array, result, COLUMN_CONSENTS) || array.n % LISTED)
        return FALSE;
    gsize n = array.n / LISTED;
    MrgConsent *consents = n ? memory->alloc(memory->context, n * sizeof *consents) : NULL;
    for (gsize i = 0; i < n; i++) {
        gint64 is;
        if (!next_text(&array, &consents[i].purpose, memory) ||
            !next_text(&array, &consents[i].source, memory) ||
            !mrg_pgsql_array_next_number(&array, &is) ||
            !mrg_pgsql_array_next_number(&array, &consents[i].at_us))
            return FALSE;
        consents[i].state = (MrgConsentState) is;
    }
    state->consents = consents;
    state->n_consents = n;
    return TRUE;
}

static gboolean
read_suppressions(const PGresult *result, MrgState *state, const MrgMemory *memory)
{
    MrgPgsqlArray array;
    if (!open_column(&array, result, COLUMN_SUPPRESSIONS) || array.n % LISTED)
        return FALSE;
    gsize n = array.n / LISTED;
    MrgSuppression *rows = n ? memory->alloc(memory->context, n * sizeof *rows) : NULL;
    for (gsize i = 0; i < n; i++)
        if (!next_text(&array, &rows[i].scope, memory) ||
            !next_text(&array, &rows[i].reason, memory) ||
            !mrg_pgsql_array_next_number(&array, &rows[i].at_us) ||
            !mrg_pgsql_array_next_number(&array, &rows[i].until_us))
            return FALSE;
    state->suppressions = rows;
    state->n_suppressions = n;
    return TRUE;
}

static gboolean
read_shared(const PGresult *result, int column, MrgState *state, const MrgMemory *memory)
{
    MrgPgsqlArray array;
    if (!open_column(&array, result, column) || array.n % ACCOUNT)
        return FALSE;
    while (array.n) {
        gint64 place, version;
        const char *text;
        gsize length;
        if (!mrg_pgsql_array_next_number(&array, &place) ||
            !mrg_pgsql_array_next_number(&array, &version) ||
            !mrg_pgsql_array_next(&array, &text, &length) || !text || place < 1 ||
            place > (gint64) state->n_shared)
            return FALSE;
        MrgAccount *account = &state->shared[place - 1];
        account->version = (guint64) version;
        account->history = copy_text(text, length, memory);
        account->history_length = length;
    }
    return TRUE;
}

/* ---- answers ----------------------------------------------------------- */

typedef struct Asked {
    const MrgPersonKey *person;
    const char *const *names; /* of fields */
    gsize n_names;
    const MrgMessageKey *message;
    const MrgPersonKey *shared;
    gsize n_shared;
    const MrgMemory *memory;
    gint64 deadline_us;
} Asked;

static gboolean
fail_malformed(GError **error, const Asked *asked)
{
    char key[MRG_PGSQL_HEX_BYTES];
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT,
                "person %s: what is stored is malformed",
                mrg_pgsql_hex(asked->person->bytes, key) + 2);
    return FALSE;
}

static void
read_own(const PGresult *result, MrgState *state, const MrgMemory *memory)
{
    if (PQgetisnull(result, 0, COLUMN_VERSION))
        return;
    state->own.version = (guint64) column_number(result, COLUMN_VERSION);
    state->own.history =
        copy_column(result, COLUMN_HISTORY, memory, &state->own.history_length);
    state->engagement =
        copy_column(result, COLUMN_ENGAGEMENT, memory, &state->engagement_length);
}

static void
read_recorded(const PGresult *result, MrgState *state, const MrgMemory *memory)
{
    if (PQgetisnull(result, 0, COLUMN_VERDICT))
        return;
    state->is_repeat = TRUE;
    state->repeat_verdict = (MrgVerdict) column_number(result, COLUMN_VERDICT);
    state->repeat_until_us = column_number(result, COLUMN_UNTIL);
    state->repeat_reason = copy_column(result, COLUMN_REASON, memory, NULL);
}

static gboolean
read_state(const PGresult *result, const Asked *asked, MrgState *state, GError **error)
{
    *state = (MrgState){.own = {.key = *asked->person, .history = ""},
                        .n_shared = asked->n_shared,
                        .engagement = ""};
    for (gsize i = 0; i < asked->n_shared; i++)
        state->shared[i] = (MrgAccount){.key = asked->shared[i], .history = ""};
    if (PQntuples(result) != 1)
        return fail_malformed(error, asked);
    read_own(result, state, asked->memory);
    read_recorded(result, state, asked->memory);
    int last = PQnfields(result) - 1;
    return (read_consents(result, state, asked->memory) &&
            read_suppressions(result, state, asked->memory) &&
            (!asked->n_shared || read_shared(result, last, state, asked->memory))) ||
           fail_malformed(error, asked);
}

/* The digit of the type, then the text; NULL is a field that is missing. */
static gboolean
read_field(MrgPgsqlArray *array, MrgField *field, const MrgMemory *memory)
{
    const char *text;
    gsize length;
    if (!mrg_pgsql_array_next(array, &text, &length) || (text && !length))
        return FALSE;
    if (!text)
        return TRUE;
    field->type = (MrgFieldType) (text[0] - '0');
    field->length = length - 1;
    field->text = copy_text(text + 1, length - 1, memory);
    return TRUE;
}

static MrgFetch
read_profile(const PGresult *result, int column, const Asked *asked, MrgField *fields,
             GError **error)
{
    MrgPgsqlArray array;
    for (gsize i = 0; i < asked->n_names; i++)
        fields[i] = (MrgField){.type = MRG_FIELD_MISSING};
    if (!PQntuples(result) || PQgetisnull(result, 0, column))
        return MRG_FETCH_MISS;
    gboolean is_sound = open_column(&array, result, column) && array.n >= asked->n_names;
    for (gsize i = 0; is_sound && i < asked->n_names; i++)
        is_sound = read_field(&array, &fields[i], asked->memory);
    if (is_sound)
        return MRG_FETCH_HIT;
    fail_malformed(error, asked);
    return MRG_FETCH_ERROR;
}

/* ---- calls ------------------------------------------------------------- */

static void
add_fetch(MrgPgsqlArguments *arguments, const Asked *asked, GString **wanted)
{
    *wanted = mrg_pgsql_array_of_strings(asked->names, asked->n_names);
    mrg_pgsql_add_key(arguments, asked->person->bytes);
    mrg_pgsql_add_text(arguments, (*wanted)->str);
}

static MrgFetch
ask_fetch(MrgPgsql *self, const Asked *asked, MrgField *fields, GError **error)
{
    g_autoptr(GString) wanted = NULL;
    MrgPgsqlArguments arguments = {0};
    add_fetch(&arguments, asked, &wanted);
    g_autoptr(PGresult) result =
        mrg_pgsql_ask(self, MRG_PG_FETCH, &arguments, asked->deadline_us, "fetch", error);
    return result ? read_profile(result, 0, asked, fields, error) : MRG_FETCH_ERROR;
}

static void
add_message_and_shared(MrgPgsqlArguments *arguments, const Asked *asked, GString *keys)
{
    mrg_pgsql_add_key(arguments, asked->message ? asked->message->bytes : NULL);
    for (gsize i = 0; i < asked->n_shared; i++)
        mrg_pgsql_array_add_key(keys, &asked->shared[i]);
    if (asked->n_shared)
        mrg_pgsql_add_text(arguments, mrg_pgsql_array_end(keys));
}

static PGresult *
ask_load(MrgPgsql *self, const Asked *asked, GError **error)
{
    g_autoptr(GString) keys = mrg_pgsql_array_new();
    MrgPgsqlArguments arguments = {0};
    mrg_pgsql_add_key(&arguments, asked->person->bytes);
    add_message_and_shared(&arguments, asked, keys);
    return mrg_pgsql_ask(self, asked->n_shared ? MRG_PG_LOAD_SHARED : MRG_PG_LOAD,
                         &arguments, asked->deadline_us, "load", error);
}

static PGresult *
ask_both(MrgPgsql *self, const Asked *asked, GError **error)
{
    g_autoptr(GString) wanted = NULL;
    g_autoptr(GString) keys = mrg_pgsql_array_new();
    MrgPgsqlArguments arguments = {0};
    add_fetch(&arguments, asked, &wanted);
    add_message_and_shared(&arguments, asked, keys);
    return mrg_pgsql_ask(
        self, asked->n_shared ? MRG_PG_FETCH_AND_LOAD_SHARED : MRG_PG_FETCH_AND_LOAD,
        &arguments, asked->deadline_us, "fetch and load", error);
}

/* ---- fields from elsewhere ---------------------------------------------- */

/* A profile from the cache or from a replica may be older than the erasure of it. */
static gboolean
is_erased(const MrgState *state)
{
    for (gsize i = 0; i < state->n_suppressions; i++)
        if (strcmp(state->suppressions[i].reason, "erased") == 0)
            return TRUE;
    return FALSE;
}

static gboolean
load_state(MrgPgsql *self, const Asked *asked, MrgState *state, GError **error)
{
    g_autoptr(PGresult) result = ask_load(self, asked, error);
    return result && read_state(result, asked, state, error);
}

static MrgFetch
fetch_with_cache(MrgPgsql *self, const Asked *asked, MrgField *fields, MrgState *state,
                 GError **error)
{
    mrg_pgsql_listen(self);
    if (mrg_pgsql_cache_get(self->cache, asked->person, asked->names, asked->n_names,
                            fields, asked->memory)) {
        if (!load_state(self, asked, state, error))
            return MRG_FETCH_ERROR;
        return is_erased(state) ? ask_fetch(self, asked, fields, error) : MRG_FETCH_HIT;
    }
    guint64 ticket = mrg_pgsql_cache_ticket(self->cache);
    g_autoptr(PGresult) result = ask_both(self, asked, error);
    if (!result || !read_state(result, asked, state, error))
        return MRG_FETCH_ERROR;
    MrgFetch found = read_profile(result, COLUMN_FIELDS, asked, fields, error);
    if (found == MRG_FETCH_HIT && !is_erased(state))
        mrg_pgsql_cache_put(self->cache, ticket, asked->person, asked->names,
                            asked->n_names, fields);
    return found;
}

/* NULL when the replica cannot be asked now. */
static MrgPgsqlConnection *
begin_on_replica(MrgPgsql *replica, const Asked *asked, gint64 deadline_us)
{
    g_autoptr(GString) wanted = NULL;
    MrgPgsqlArguments arguments = {0};
    MrgPgsqlConnection *connection = mrg_pgsql_borrow(replica, deadline_us, NULL);
    if (!connection)
        return NULL;
    add_fetch(&arguments, asked, &wanted);
    if (mrg_pgsql_send(replica, connection, MRG_PG_FETCH, &arguments))
        return connection;
    g_clear_pointer(&connection->pg, PQfinish);
    mrg_pgsql_return(replica, connection);
    return NULL;
}

static PGresult *
end_on_replica(MrgPgsql *replica, MrgPgsqlConnection *connection, gint64 deadline_us)
{
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    PGresult *result = NULL;
    MrgPgsqlAnswer answer =
        mrg_pgsql_finish(connection, TRUE, deadline_us, &result, sqlstate);
    if (answer == MRG_PG_ANSWER_TIMEOUT || answer == MRG_PG_ANSWER_LOST) {
        g_clear_pointer(&connection->pg, PQfinish);
        mrg_pgsql_note_away(replica);
    }
    mrg_pgsql_return(replica, connection);
    return result;
}

/* The ledger is asked while the replica answers. */
static MrgFetch
fetch_from_replica(MrgPgsql *self, const Asked *asked, MrgField *fields, MrgState *state,
                   GError **error)
{
    gint64 by_us = MIN(asked->deadline_us, g_get_monotonic_time() + REPLICA_US);
    MrgPgsqlConnection *connection = begin_on_replica(self->replica, asked, by_us);
    gboolean is_loaded = load_state(self, asked, state, error);
    g_autoptr(PGresult) result =
        connection ? end_on_replica(self->replica, connection, by_us) : NULL;
    if (!is_loaded)
        return MRG_FETCH_ERROR;
    return result && !is_erased(state) ? read_profile(result, 0, asked, fields, error)
                                       : ask_fetch(self, asked, fields, error);
}

/* ---- the store --------------------------------------------------------- */

MrgFetch
mrg_pgsql_fetch(gpointer store, const MrgPersonKey *person, const char *const *names,
                gsize n_names, MrgField *fields, const MrgMemory *memory,
                gint64 deadline_us, GError **error)
{
    Asked asked = {person, names, n_names, NULL, NULL, 0, memory, deadline_us};
    return ask_fetch(store, &asked, fields, error);
}

gboolean
mrg_pgsql_load(gpointer store, const MrgPersonKey *person, const MrgMessageKey *message,
               const MrgPersonKey *shared, gsize n_shared, MrgState *state,
               const MrgMemory *memory, gint64 deadline_us, GError **error)
{
    Asked asked = {person, NULL, 0, message, shared, n_shared, memory, deadline_us};
    return load_state(store, &asked, state, error);
}

MrgFetch
mrg_pgsql_fetch_and_load(gpointer store, const MrgPersonKey *person,
                         const char *const *names, gsize n_names, MrgField *fields,
                         const MrgMessageKey *message, const MrgPersonKey *shared,
                         gsize n_shared, MrgState *state, const MrgMemory *memory,
                         gint64 deadline_us, GError **error)
{
    MrgPgsql *self = store;
    Asked asked = {person, names, n_names, message, shared, n_shared, memory, deadline_us};
    if (self->cache)
        return fetch_with_cache(self, &asked, fields, state, error);
    if (self->replica)
        return fetch_from_replica(self, &asked, fields, state, error);
    g_autoptr(PGresult) result = ask_both(self, &asked, error);
    return result && read_state(result, &asked, state, error)
               ? read_profile(result, COLUMN_FIELDS, &asked, fields, error)
               : MRG_FETCH_ERROR;
}
