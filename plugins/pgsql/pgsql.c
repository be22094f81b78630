/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-pgsql: people in PostgreSQL, for many MTAs at once.
 *
 * Each call of the contract is one function of the schema and one round trip.  A commit is
 * a compare-and-swap in one statement, so there is no transaction to be left open; when the
 * connection is lost under it the answer is UNCERTAIN.  Calls that change nothing are made
 * once more on a new connection.
 */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"

#define CREATE_WAIT_US (60 * G_USEC_PER_SEC)
#define IMPORT_WAIT_US (60 * G_USEC_PER_SEC) /* for each profile */
#define READ_WAIT_US (10 * G_USEC_PER_SEC)
#define NUMBER_BYTES 24

/* ---- arguments --------------------------------------------------------- */

static void
add_key(MrgPgsqlArguments *arguments, const guint8 *bytes)
{
    int i = arguments->n++;
    arguments->values[i] = (const char *) bytes; /* NULL: null */
    arguments->lengths[i] = MRG_KEY_BYTES;
    arguments->formats[i] = 1;
}

static void
add_text(MrgPgsqlArguments *arguments, const char *text)
{
    arguments->values[arguments->n++] = text;
}

static void
add_number(MrgPgsqlArguments *arguments, char buffer[NUMBER_BYTES], gint64 number)
{
    g_snprintf(buffer, NUMBER_BYTES, "%" G_GINT64_FORMAT, number);
    add_text(arguments, buffer);
}

/* An array literal: PostgreSQL, 8.15.2; every element quoted. */
static GString *
array_new(void)
{
    return g_string_new("{");
}

static void
array_add(GString *array, const char *text, gsize length)
{
    g_string_append(array, array->len > 1 ? ",\"" : "\"");
    for (gsize i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\')
            g_string_append_c(array, '\\');
        g_string_append_c(array, text[i]);
    }
    g_string_append_c(array, '"');
}

static void
array_add_string(GString *array, const char *text)
{
    array_add(array, text, strlen(text));
}

static void
array_add_number(GString *array, gint64 number)
{
    char text[NUMBER_BYTES];
    g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, number);
    array_add_string(array, text);
}

static const char *
array_end(GString *array)
{
    g_string_append_c(array, '}');
    return array->str;
}

/* ---- results ----------------------------------------------------------- */

static const char *
copy_value(const PGresult *result, int row, int column, const MrgMemory *memory,
           gsize *length)
{
    gsize n = (gsize) PQgetlength(result, row, column);
    char *copy = memory->alloc(memory->context, n + 1);
    if (n)
        memcpy(copy, PQgetvalue(result, row, column), n);
    copy[n] = '\0';
    if (length)
        *length = n;
    return copy;
}

static gint64
get_number(const PGresult *result, int row, int column)
{
    return g_ascii_strtoll(PQgetvalue(result, row, column), NULL, 10);
}

/* Runs a call that may be repeated, on a new connection when the first was lost. */
static PGresult *
ask(MrgPgsql *self, MrgPgsqlCall call, const MrgPgsqlArguments *arguments,
    gint64 deadline_us, const char *what, GError **error)
{
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    MrgPgsqlAnswer answer = MRG_PG_ANSWER_LOST;
    PGresult *result = NULL;
    for (int i = 0; i < 2 && answer == MRG_PG_ANSWER_LOST; i++) {
        if (i && g_get_monotonic_time() >= deadline_us)
            answer = MRG_PG_ANSWER_TIMEOUT;
        if (answer == MRG_PG_ANSWER_TIMEOUT)
            break;
        MrgPgsqlConnection *connection = mrg_pgsql_borrow(self, deadline_us, error);
        if (!connection)
            return NULL;
        answer = mrg_pgsql_call(self, connection, call, arguments, deadline_us, &result,
                                sqlstate);
        mrg_pgsql_return(self, connection);
    }
    if (answer != MRG_PG_ANSWER_OK)
        mrg_pgsql_fail(error, answer, sqlstate, what);
    return result;
}

/* ---- fetch ------------------------------------------------------------- */

static void
put_field(const PGresult *result, int row, const char *const *names, gsize n_names,
          MrgField *fields, const MrgMemory *memory)
{
    const char *name = PQgetvalue(result, row, 0);
    for (gsize i = 0; i < n_names; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        fields[i].type = (MrgFieldType) get_number(result, row, 1);
        fields[i].text = copy_value(result, row, 2, memory, &fields[i].length);
    }
}

static MrgFetch
store_fetch(gpointer store, const MrgPersonKey *person, const char *const *names,
            gsize n_names, MrgField *fields, const MrgMemory *memory, gint64 deadline_us,
            GError **error)
{
    g_autoptr(GString) wanted = array_new();
    for (gsize i = 0; i < n_names; i++)
        array_add_string(wanted, names[i]);
    MrgPgsqlArguments arguments = {0};
    add_key(&arguments, person->bytes);
    add_text(&arguments, array_end(wanted));
    g_autoptr(PGresult) result =
        ask(store, MRG_PG_FETCH, &arguments, deadline_us, "fetch", error);
    if (!result)
        return MRG_FETCH_ERROR;
    for (gsize i = 0; i < n_names; i++)
        fields[i] = (MrgField){.type = MRG_FIELD_MISSING};
    gboolean is_hit = FALSE;
    for (int row = 0; row < PQntuples(result); row++) {
        if (PQgetisnull(result, row, 0))
            is_hit = TRUE;
        else
            put_field(result, row, names, n_names, fields, memory);
    }
    return is_hit ? MRG_FETCH_HIT : MRG_FETCH_MISS;
}

/* ---- load -------------------------------------------------------------- */

/* What mrg_load() answers in its first column. */
enum { ROW_PERSON, ROW_CONSENT, ROW_SUPPRESSION, ROW_RECORDED };

static void
read_consent(const PGresult *result, int row, MrgConsent *consent, const MrgMemory *memory)
{
    consent->purpose = copy_value(result, row, 1, memory, NULL);
    consent->source = copy_value(result, row, 2, memory, NULL);
    consent->state = (MrgConsentState) get_number(result, row, 3);
    consent->at_us = get_number(result, row, 4);
}

static void
read_suppression(const PGresult *result, int row, MrgSuppression *suppression,
                 const MrgMemory *memory)
{
    suppression->scope = copy_value(result, row, 1, memory, NULL);
    suppression->reason = copy_value(result, row, 2, memory, NULL);
    suppression->at_us = get_number(result, row, 3);
    suppression->until_us = get_number(result, row, 4);
}

static void
read_state(const PGresult *result, MrgState *state, const MrgMemory *memory)
{
    gsize n = (gsize) PQntuples(result);
    MrgConsent *consents = memory->alloc(memory->context, n * sizeof *consents);
    MrgSuppression *suppressions = memory->alloc(memory->context, n * sizeof *suppressions);
    *state =
        (MrgState){.own.history = "", .consents = consents, .suppressions = suppressions};
    for (int row = 0; row < PQntuples(result); row++) {
        switch (get_number(result, row, 0)) {
        case ROW_PERSON:
            state->own.history =
                copy_value(result, row, 1, memory, &state->own.history_length);
            state->own.version = (guint64) get_number(result, row, 3);
            break;
        case ROW_CONSENT:
            read_consent(result, row, &consents[state->n_consents++], memory);
            break;
        case ROW_SUPPRESSION:
            read_suppression(result, row, &suppressions[state->n_suppressions++], memory);
            break;
        case ROW_RECORDED:
            state->is_repeat = TRUE;
            state->repeat_verdict = (MrgVerdict) get_number(result, row, 3);
            state->repeat_reason = copy_value(result, row, 1, memory, NULL);
            break;
        }
    }
}

static gboolean
store_load(gpointer store, const MrgPersonKey *person, const MrgMessageKey *message,
           const MrgPersonKey *shared G_GNUC_UNUSED, gsize n_shared G_GNUC_UNUSED,
           MrgState *state, const MrgMemory *memory, gint64 deadline_us, GError **error)
{
    MrgPgsqlArguments arguments = {0};
    add_key(&arguments, person->bytes);
    add_key(&arguments, message ? message->bytes : NULL);
    g_autoptr(PGresult) result =
        ask(store, MRG_PG_LOAD, &arguments, deadline_us, "load", error);
    if (!result)
        return FALSE;
    read_state(result, state, memory);
    return TRUE;
}

/* ---- commit ------------------------------------------------------------ */

static MrgCommit
judge_commit(MrgPgsqlAnswer answer, const PGresult *result, const char *sqlstate,
             GError **error)
{
    if (answer == MRG_PG_ANSWER_LOST)
        return MRG_COMMIT_UNCERTAIN;
    if (answer == MRG_PG_ANSWER_OK)
        return get_number(result, 0, 0) == 1 ? MRG_COMMIT_DONE : MRG_COMMIT_CONFLICT;
    /* A unique key, a serialisation failure and a deadlock: another was faster. */
    if (strcmp(sqlstate, "23505") == 0 || g_str_has_prefix(sqlstate, "40"))
        return MRG_COMMIT_CONFLICT;
    mrg_pgsql_fail(error, answer, sqlstate, "commit");
    return MRG_COMMIT_ERROR;
}

static MrgCommit
store_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us, GError **error)
{
    MrgPgsql *self = store;
    char version[NUMBER_BYTES], at[NUMBER_BYTES], verdict[NUMBER_BYTES];
    g_autofree char *history =
        outcome->history ? g_strndup(outcome->history, outcome->history_length) : NULL;
    MrgPgsqlArguments arguments = {0};
    add_key(&arguments, outcome->person.bytes);
    add_key(&arguments, outcome->message.bytes);
    add_number(&arguments, version, (gint64) outcome->version);
    add_text(&arguments, history);
    add_number(&arguments, at, outcome->event.at_us);
    add_text(&arguments, outcome->event.campaign);
    add_text(&arguments, outcome->event.class_name);
    add_number(&arguments, verdict, outcome->event.verdict);
    add_text(&arguments, outcome->event.reason);
    add_text(&arguments, outcome->is_final ? "t" : "f");

    MrgPgsqlConnection *connection = mrg_pgsql_borrow(self, deadline_us, error);
    if (!connection)
        return MRG_COMMIT_ERROR;
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    g_autoptr(PGresult) result = NULL;
    MrgPgsqlAnswer answer = mrg_pgsql_call(self, connection, MRG_PG_COMMIT, &arguments,
                                           deadline_us, &result, sqlstate);
    mrg_pgsql_return(self, connection);
    return judge_commit(answer, result, sqlstate, error);
}

static gboolean
store_campaign_number(gpointer store, const char *campaign, guint32 *number,
                      gint64 deadline_us, GError **error)
{
    MrgPgsqlArguments arguments = {0};
    add_text(&arguments, campaign);
    g_autoptr(PGresult) result =
        ask(store, MRG_PG_CAMPAIGN_NUMBER, &arguments, deadline_us, "campaign", error);
    if (!result)
        return FALSE;
    gint64 found = PQntuples(result) == 1 ? get_number(result, 0, 0) : 0;
    if (found < 1 || found > G_MAXUINT32) {
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT,
                            "campaign: its number is out of range");
        return FALSE;
    }
    *number = (guint32) found;
    return TRUE;
}

/* ---- create ------------------------------------------------------------ */

static gboolean
run(PGconn *pg, const char *sql, const char *what, PGresult **result, GError **error)
{
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    MrgPgsqlAnswer answer =
        mrg_pgsql_run(pg, sql, g_get_monotonic_time() + CREATE_WAIT_US, result, sqlstate);
    return answer == MRG_PG_ANSWER_OK || mrg_pgsql_fail(error, answer, sqlstate, what);
}

static gboolean
run_only(PGconn *pg, const char *sql, const char *what, GError **error)
{
    g_autoptr(PGresult) result = NULL;
    return run(pg, sql, what, &result, error);
}

static gboolean
make_schema(PGconn *pg, GError **error)
{
    g_autoptr(PGresult) result = NULL;
    if (!run(pg, "SELECT to_regnamespace('merganser') IS NOT NULL", "schema", &result,
             error))
        return FALSE;
    if (strcmp(PQgetvalue(result, 0, 0), "t") != 0)
        /* Several statements sent at once are one transaction. */
        return run_only(pg, mrg_pgsql_schema, "schema", error);
    g_autoptr(PGresult) version = NULL;
    if (!run(pg, "SELECT merganser.mrg_schema_version()", "schema", &version, error))
        return FALSE;
    if (get_number(version, 0, 0) == 1)
        return TRUE;
    g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SCHEMA,
                        "the schema is of a version that this one does not know");
    return FALSE;
}

static gboolean
store_create(gpointer store, GError **error)
{
    PGconn *pg = mrg_pgsql_connect(store, g_get_monotonic_time() + CREATE_WAIT_US, error);
    if (!pg)
        return FALSE;
    gboolean is_done = make_schema(pg, error);
    PQfinish(pg);
    return is_done;
}

/* ---- import ------------------------------------------------------------ */

enum {
    NAMES,
    TYPES,
    VALUES,
    PURPOSES,
    STATES,
    CONSENT_ATS,
    SOURCES,
    SCOPES,
    REASONS,
    ATS,
    UNTILS,
    N_ARRAYS
};

static void
fill_arrays(GString **arrays, const MrgProfile *profile)
{
    for (gsize i = 0; i < profile->n_fields; i++) {
        const MrgField *value = &profile->fields[i].value;
        gboolean is_gone =
            value->type == MRG_FIELD_NULL || value->type == MRG_FIELD_MISSING;
        array_add_string(arrays[NAMES], profile->fields[i].name);
        array_add_number(arrays[TYPES], is_gone ? 0 : (gint64) value->type);
        array_add(arrays[VALUES], value->text, is_gone ? 0 : value->length);
    }
    for (gsize i = 0; i < profile->n_consents; i++) {
        const MrgConsent *consent = &profile->consents[i];
        array_add_string(arrays[PURPOSES], consent->purpose);
        array_add_number(arrays[STATES], consent->state);
        array_add_number(arrays[CONSENT_ATS], consent->at_us);
        array_add_string(arrays[SOURCES], consent->source ? consent->source : "");
    }
    for (gsize i = 0; i < profile->n_suppressions; i++) {
        const MrgSuppression *suppression = &profile->suppressions[i];
        array_add_string(arrays[SCOPES], suppression->scope);
        array_add_string(arrays[REASONS], suppression->reason);
        array_add_number(arrays[ATS], suppression->at_us);
        array_add_number(arrays[UNTILS], suppression->until_us);
    }
}

static gboolean
put_profile(MrgPgsql *self, MrgPgsqlConnection *connection, const MrgProfile *profile,
            GError **error)
{
    GString *arrays[N_ARRAYS];
    MrgPgsqlArguments arguments = {0};
    add_key(&arguments, profile->person.bytes);
    add_text(&arguments, profile->address);
    for (gsize i = 0; i < N_ARRAYS; i++)
        arrays[i] = array_new();
    fill_arrays(arrays, profile);
    for (gsize i = 0; i < N_ARRAYS; i++)
        add_text(&arguments, array_end(arrays[i]));

    char sqlstate[MRG_PGSQL_STATE_BYTES];
    g_autoptr(PGresult) result = NULL;
    MrgPgsqlAnswer answer =
        mrg_pgsql_call(self, connection, MRG_PG_IMPORT, &arguments,
                       g_get_monotonic_time() + IMPORT_WAIT_US, &result, sqlstate);
    for (gsize i = 0; i < N_ARRAYS; i++)
        g_string_free(arrays[i], TRUE);
    return answer == MRG_PG_ANSWER_OK || mrg_pgsql_fail(error, answer, sqlstate, "import");
}

static gboolean
put_all(MrgPgsql *self, MrgPgsqlConnection *connection, MrgProfileNext next,
        gpointer context, guint64 *n, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const MrgProfile *profile;
    while ((profile = next(context, &problem))) {
        if (!put_profile(self, connection, profile, error))
            return FALSE;
        (*n)++;
    }
    if (!problem)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static gboolean
store_import(gpointer store, MrgProfileNext next, gpointer context, guint64 *n_imported,
             GError **error)
{
    MrgPgsql *self = store;
    MrgPgsqlConnection *connection =
        mrg_pgsql_borrow(self, g_get_monotonic_time() + IMPORT_WAIT_US, error);
    if (!connection)
        return FALSE;
    guint64 n = 0;
    gboolean is_done = run_only(connection->pg, "BEGIN", "import", error) &&
                       put_all(self, connection, next, context, &n, error) &&
                       run_only(connection->pg, "COMMIT", "import", error);
    /* Hanging up rolls back, whatever state the connection is in. */
    if (!is_done)
        g_clear_pointer(&connection->pg, PQfinish);
    mrg_pgsql_return(self, connection);
    if (is_done)
        *n_imported = n;
    return is_done;
}

/* ---- events ------------------------------------------------------------ */

static gboolean
store_events(gpointer store, const MrgPersonKey *person, gsize limit, MrgEventVisit visit,
             gpointer context, GError **error)
{
    char number[NUMBER_BYTES];
    MrgPgsqlArguments arguments = {0};
    add_key(&arguments, person->bytes);
    add_number(&arguments, number, (gint64) MIN(limit, (gsize) G_MAXINT));
    g_autoptr(PGresult) result =
        ask(store, MRG_PG_EVENTS, &arguments, g_get_monotonic_time() + READ_WAIT_US,
            "events", error);
    gboolean is_wanted = TRUE;
    for (int row = 0; result && is_wanted && row < PQntuples(result); row++) {
        MrgEvent event = {
            .at_us = get_number(result, row, 0),
            .campaign = PQgetvalue(result, row, 1),
            .class_name = PQgetvalue(result, row, 2),
            .verdict = (MrgVerdict) get_number(result, row, 3),
            .sender = "",
            .tags = "",
            .reason = PQgetvalue(result, row, 4),
        };
        is_wanted = visit(person, &event, context);
    }
    return result != NULL;
}

/* ---- people ------------------------------------------------------------ */

static gboolean
store_list(gpointer store, gsize limit, MrgPersonVisit visit, gpointer context,
           GError **error)
{
    char number[NUMBER_BYTES];
    MrgPgsqlArguments arguments = {0};
    add_number(&arguments, number, (gint64) MIN(limit, (gsize) G_MAXINT));
    g_autoptr(PGresult) result =
        ask(store, MRG_PG_PEOPLE, &arguments, g_get_monotonic_time() + READ_WAIT_US,
            "people", error);
    gboolean is_wanted = TRUE;
    for (int row = 0; result && is_wanted && row < PQntuples(result); row++)
        is_wanted = visit(PQgetvalue(result, row, 0), context);
    return result != NULL;
}

/* ---- plugin ------------------------------------------------------------ */

static const char *
setting(const MrgSetting *settings, gsize n, const char *name)
{
    for (gsize i = 0; i < n; i++)
        if (strcmp(settings[i].name, name) == 0)
            return settings[i].value;
    return "";
}

static gpointer
fail_setting(GError **error, const char *what)
{
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SETTING, "setting %s", what);
    return NULL;
}

static gboolean
is_conninfo(const char *text)
{
    PQconninfoOption *options = PQconninfoParse(text, NULL);
    PQconninfoFree(options);
    return options != NULL;
}

static gpointer
store_open(const MrgSetting *settings, gsize n, GError **error)
{
    const char *conninfo = setting(settings, n, "conninfo");
    const char *prepare = setting(settings, n, "prepare");
    guint64 pool;
    /* Not parsed means not quoted: a password may stand in it. */
    if (!is_conninfo(conninfo))
        return fail_setting(error, "'conninfo' is not a connection string of libpq");
    if (strcmp(prepare, "yes") != 0 && strcmp(prepare, "no") != 0)
        return fail_setting(error, "'prepare' must be yes or no");
    if (!g_ascii_string_to_unsigned(setting(settings, n, "pool"), 10, 1, MRG_PGSQL_POOL_MAX,
                                    &pool, NULL))
        return fail_setting(error, "'pool' must be a number from 1 to 128");
    MrgPgsql *self = g_new0(MrgPgsql, 1);
    self->conninfo = g_strdup(conninfo);
    self->is_prepared = strcmp(prepare, "yes") == 0;
    self->n_connections = pool;
    mrg_pgsql_init(self);
    return self;
}

static void
store_close(gpointer store)
{
    MrgPgsql *self = store;
    mrg_pgsql_clear(self);
    g_free(self->conninfo);
    g_free(self);
}

static const MrgSettingInfo settings_known[] = {
    {"conninfo", NULL,
     "A connection string of libpq, as in: host=/run/postgresql dbname=mail"},
    {"pool", "10", "How many connections there may be, 1 to 128."},
    {"prepare", "yes", "no: behind a pgbouncer that cannot keep prepared statements."},
    {NULL, NULL, NULL},
};

static const MrgStoreApi api = {
    .size = sizeof(MrgStoreApi),
    .fetch = store_fetch,
    .load = store_load,
    .commit = store_commit,
    .campaign_number = store_campaign_number,
    .create = store_create,
    .import = store_import,
    .events = store_events,
    .list = store_list,
};

static const MrgPlugin plugin = {
    .size = sizeof(MrgPlugin),
    .major = MRG_ABI_MAJOR,
    .minor = MRG_ABI_MINOR,
    .name = "store-pgsql",
    .settings = settings_known,
    .open = store_open,
    .close = store_close,
    .store = &api,
};

const MrgPlugin *
mrg_plugin_entry(const MrgHost *host)
{
    return host->major == MRG_ABI_MAJOR && PQisthreadsafe() ? &plugin : NULL;
}
