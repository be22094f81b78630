/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-sqlite: people in one file, for one host.
 *
 * The file is in WAL mode: reading never waits for writing.  A commit is one transaction
 * that looks at the version and the message key itself, so that it holds against any number
 * of threads and programs.  An import is one transaction too, and commits wait for its end.
 */
#include "config.h"

#include <string.h>

#include "plugins/sqlite/sqlite.h"

#define IMPORT_WAIT_US (60 * G_USEC_PER_SEC)
#define READ_WAIT_US (10 * G_USEC_PER_SEC)

/* ---- statements -------------------------------------------------------- */

static sqlite3_stmt *
fresh(const MrgSqliteConnection *connection, MrgSqliteStatement which)
{
    sqlite3_stmt *statement = connection->statements[which];
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return statement;
}

/* Arguments live until the statement is reset, so nothing is copied. */
static void
bind_key(sqlite3_stmt *statement, int at, const guint8 *bytes)
{
    sqlite3_bind_blob(statement, at, bytes, MRG_KEY_BYTES, SQLITE_STATIC);
}

static void
bind_text(sqlite3_stmt *statement, int at, const char *text, gsize length)
{
    sqlite3_bind_text64(statement, at, text, length, SQLITE_STATIC, SQLITE_UTF8);
}

static void
bind_string(sqlite3_stmt *statement, int at, const char *text)
{
    bind_text(statement, at, text, strlen(text));
}

static gboolean
run(sqlite3_stmt *statement, const char *what, GError **error)
{
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE || mrg_sqlite_fail(error, rc, what);
}

/* TRUE while there are rows; *is_done tells the end from a failure. */
static gboolean
next_row(sqlite3_stmt *statement, const char *what, gboolean *is_done, GError **error)
{
    int rc = sqlite3_step(statement);
    *is_done = rc == SQLITE_DONE;
    if (rc == SQLITE_ROW)
        return TRUE;
    sqlite3_reset(statement);
    if (rc != SQLITE_DONE)
        mrg_sqlite_fail(error, rc, what);
    return FALSE;
}

static gboolean
begin(const MrgSqliteConnection *connection, GError **error)
{
    MrgSqliteStatement how =
        connection->is_writer ? MRG_SQL_BEGIN_IMMEDIATE : MRG_SQL_BEGIN;
    return run(fresh(connection, how), "begin", error);
}

static gboolean
commit(const MrgSqliteConnection *connection, GError **error)
{
    return run(fresh(connection, MRG_SQL_COMMIT), "commit", error);
}

static const char *
copy_column(sqlite3_stmt *statement, int column, const MrgMemory *memory, gsize *length)
{
    const void *text = sqlite3_column_text(statement, column);
    gsize n = (gsize) sqlite3_column_bytes(statement, column);
    char *copy = memory->alloc(memory->context, n + 1);
    if (n)
        memcpy(copy, text, n);
    copy[n] = '\0';
    if (length)
        *length = n;
    return copy;
}

/* ---- fetch ------------------------------------------------------------- */

static MrgFetch
find_profile(const MrgSqliteConnection *connection, const MrgPersonKey *person,
             GError **error)
{
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_PROFILE);
    bind_key(statement, 1, person->bytes);
    gboolean is_done;
    if (next_row(statement, "profile", &is_done, error)) {
        sqlite3_reset(statement);
        return MRG_FETCH_HIT;
    }
    return is_done ? MRG_FETCH_MISS : MRG_FETCH_ERROR;
}

static gboolean
read_field(sqlite3_stmt *statement, const char *name, MrgField *field,
           const MrgMemory *memory, GError **error)
{
    gboolean is_done;
    sqlite3_reset(statement);
    bind_string(statement, 2, name);
    *field = (MrgField){.type = MRG_FIELD_MISSING};
    if (!next_row(statement, "field", &is_done, error))
        return is_done;
    field->type = (MrgFieldType) sqlite3_column_int(statement, 0);
    field->text = copy_column(statement, 1, memory, &field->length);
    return TRUE;
}

/* One lookup by primary key per name. */
static gboolean
read_fields(const MrgSqliteConnection *connection, const MrgPersonKey *person,
            const char *const *names, gsize n_names, MrgField *fields,
            const MrgMemory *memory, GError **error)
{
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_FIELD);
    bind_key(statement, 1, person->bytes);
    for (gsize i = 0; i < n_names; i++)
        if (!read_field(statement, names[i], &fields[i], memory, error))
            return FALSE;
    return TRUE;
}

static MrgFetch
store_fetch(gpointer store, const MrgPersonKey *person, const char *const *names,
            gsize n_names, MrgField *fields, const MrgMemory *memory, gint64 deadline_us,
            GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, FALSE, deadline_us, error);
    if (!connection)
        return MRG_FETCH_ERROR;
    MrgFetch found = MRG_FETCH_ERROR;
    if (begin(connection, error))
        found = find_profile(connection, person, error);
    if (found == MRG_FETCH_HIT &&
        !read_fields(connection, person, names, n_names, fields, memory, error))
        found = MRG_FETCH_ERROR;
    mrg_sqlite_return(self, connection);
    return found;
}

/* ---- load -------------------------------------------------------------- */

static gboolean
read_person(const MrgSqliteConnection *connection, const MrgPersonKey *person,
            MrgState *state, const MrgMemory *memory, GError **error)
{
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_PERSON);
    bind_key(statement, 1, person->bytes);
    gboolean is_done;
    if (!next_row(statement, "person", &is_done, error))
        return is_done;
    state->own.version = (guint64) sqlite3_column_int64(statement, 0);
    state->own.history = copy_column(statement, 1, memory, &state->own.history_length);
    return TRUE;
}

static gpointer
copy_array(const GArray *array, gsize size, const MrgMemory *memory)
{
    gpointer copy = memory->alloc(memory->context, array->len * size);
    if (array->len)
        memcpy(copy, array->data, array->len * size);
    return copy;
}

static gboolean
read_consents(const MrgSqliteConnection *connection, const MrgPersonKey *person,
              MrgState *state, const MrgMemory *memory, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(MrgConsent));
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_CONSENTS);
    bind_key(statement, 1, person->bytes);
    gboolean is_done;
    while (next_row(statement, "consent", &is_done, error)) {
        MrgConsent row = {
            .purpose = copy_column(statement, 0, memory, NULL),
            .source = copy_column(statement, 1, memory, NULL),
            .state = (MrgConsentState) sqlite3_column_int(statement, 2),
            .at_us = sqlite3_column_int64(statement, 3),
        };
        g_array_append_val(rows, row);
    }
    state->consents = copy_array(rows, sizeof(MrgConsent), memory);
    state->n_consents = rows->len;
    return is_done;
}

static gboolean
read_suppressions(const MrgSqliteConnection *connection, const MrgPersonKey *person,
                  MrgState *state, const MrgMemory *memory, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(MrgSuppression));
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_SUPPRESSIONS);
    bind_key(statement, 1, person->bytes);
    gboolean is_done;
    while (next_row(statement, "suppression", &is_done, error)) {
        MrgSuppression row = {
            .scope = copy_column(statement, 0, memory, NULL),
            .reason = copy_column(statement, 1, memory, NULL),
            .at_us = sqlite3_column_int64(statement, 2),
            .until_us = sqlite3_column_int64(statement, 3),
        };
        g_array_append_val(rows, row);
    }
    state->suppressions = copy_array(rows, sizeof(MrgSuppression), memory);
    state->n_suppressions = rows->len;
    return is_done;
}

static gboolean
read_recorded(const MrgSqliteConnection *connection, const MrgMessageKey *message,
              MrgState *state, const MrgMemory *memory, GError **error)
{
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_RECORDED);
    bind_key(statement, 1, message->bytes);
    gboolean is_done;
    if (!next_row(statement, "recorded outcome", &is_done, error))
        return is_done;
    state->is_repeat = TRUE;
    state->repeat_verdict = (MrgVerdict) sqlite3_column_int(statement, 0);
    state->repeat_reason = copy_column(statement, 1, memory, NULL);
    return TRUE;
}

static gboolean
store_load(gpointer store, const MrgPersonKey *person, const MrgMessageKey *message,
           const MrgPersonKey *shared G_GNUC_UNUSED, gsize n_shared G_GNUC_UNUSED,
           MrgState *state, const MrgMemory *memory, gint64 deadline_us, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, FALSE, deadline_us, error);
    if (!connection)
        return FALSE;
    MrgState loaded = {.own.history = ""};
    gboolean is_done = begin(connection, error) &&
                       read_person(connection, person, &loaded, memory, error) &&
                       read_consents(connection, person, &loaded, memory, error) &&
                       read_suppressions(connection, person, &loaded, memory, error);
    if (is_done && message)
        is_done = read_recorded(connection, message, &loaded, memory, error);
    mrg_sqlite_return(self, connection);
    if (is_done)
        *state = loaded;
    return is_done;
}

/* ---- commit ------------------------------------------------------------ */

static MrgCommit
check_new(const MrgSqliteConnection *connection, const MrgMessageKey *message,
          GError **error)
{
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_RECORDED);
    bind_key(statement, 1, message->bytes);
    gboolean is_done;
    if (next_row(statement, "recorded outcome", &is_done, error)) {
        sqlite3_reset(statement);
        return MRG_COMMIT_CONFLICT;
    }
    return is_done ? MRG_COMMIT_DONE : MRG_COMMIT_ERROR;
}

static MrgCommit
swap_person(const MrgSqliteConnection *connection, const MrgOutcome *outcome,
            GError **error)
{
    MrgSqliteStatement how = outcome->version ? MRG_SQL_RAISE_PERSON : MRG_SQL_ADD_PERSON;
    sqlite3_stmt *statement = fresh(connection, how);
    bind_key(statement, 1, outcome->person.bytes);
    if (outcome->history)
        bind_text(statement, 2, outcome->history, outcome->history_length);
    if (outcome->version)
        sqlite3_bind_int64(statement, 3, (sqlite3_int64) outcome->version);
    if (!run(statement, "person", error))
        return MRG_COMMIT_ERROR;
    return sqlite3_changes(connection->db) ? MRG_COMMIT_DONE : MRG_COMMIT_CONFLICT;
}

static MrgCommit
add_event(const MrgSqliteConnection *connection, const MrgOutcome *outcome, GError **error)
{
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_ADD_EVENT);
    sqlite3_bind_int64(statement, 1, outcome->event.at_us);
    bind_key(statement, 2, outcome->person.bytes);
    bind_string(statement, 3, outcome->event.campaign);
    bind_string(statement, 4, outcome->event.class_name);
    sqlite3_bind_int(statement, 5, (int) outcome->event.verdict);
    bind_string(statement, 6, outcome->event.reason);
    if (outcome->is_final)
        bind_key(statement, 7, outcome->message.bytes);
    return run(statement, "event", error) ? MRG_COMMIT_DONE : MRG_COMMIT_ERROR;
}

/* After COMMIT failed: while the transaction is open nothing is written; when it is not,
 * the disk failed under it, and what the file holds shows when it is read again. */
static MrgCommit
end_commit(const MrgSqliteConnection *connection, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (commit(connection, &problem))
        return MRG_COMMIT_DONE;
    if (sqlite3_get_autocommit(connection->db))
        return MRG_COMMIT_UNCERTAIN;
    g_propagate_error(error, g_steal_pointer(&problem));
    return MRG_COMMIT_ERROR;
}

static MrgCommit
store_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, TRUE, deadline_us, error);
    if (!connection)
        return MRG_COMMIT_ERROR;
    MrgCommit result = begin(connection, error) ? MRG_COMMIT_DONE : MRG_COMMIT_ERROR;
    if (result == MRG_COMMIT_DONE)
        result = check_new(connection, &outcome->message, error);
    if (result == MRG_COMMIT_DONE)
        result = swap_person(connection, outcome, error);
    if (result == MRG_COMMIT_DONE)
        result = add_event(connection, outcome, error);
    if (result == MRG_COMMIT_DONE)
        result = end_commit(connection, error);
    mrg_sqlite_return(self, connection);
    return result;
}

/* ---- campaigns --------------------------------------------------------- */

/* *number is 0 when the name has none yet. */
static gboolean
find_campaign(const MrgSqliteConnection *connection, const char *campaign, guint32 *number,
              GError **error)
{
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_CAMPAIGN);
    bind_string(statement, 1, campaign);
    gboolean is_done;
    *number = 0;
    if (!next_row(statement, "campaign", &is_done, error))
        return is_done;
    gint64 found = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (found < 1 || found > G_MAXUINT32) {
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT,
                            "campaign: its number is out of range");
        return FALSE;
    }
    *number = (guint32) found;
    return TRUE;
}

static gboolean
look_up_campaign(MrgSqlite *self, const char *campaign, guint32 *number, gint64 deadline_us,
                 GError **error)
{
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, FALSE, deadline_us, error);
    if (!connection)
        return FALSE;
    gboolean is_done = find_campaign(connection, campaign, number, error);
    mrg_sqlite_return(self, connection);
    return is_done;
}

static gboolean
number_campaign(const MrgSqliteConnection *connection, const char *campaign,
                guint32 *number, GError **error)
{
    if (!begin(connection, error))
        return FALSE;
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_ADD_CAMPAIGN);
    bind_string(statement, 1, campaign);
    return run(statement, "campaign", error) &&
           find_campaign(connection, campaign, number, error) && commit(connection, error);
}

static gboolean
store_campaign_number(gpointer store, const char *campaign, guint32 *number,
                      gint64 deadline_us, GError **error)
{
    MrgSqlite *self = store;
    guint32 found;
    if (!look_up_campaign(self, campaign, &found, deadline_us, error))
        return FALSE;
    if (!found) {
        MrgSqliteConnection *connection = mrg_sqlite_borrow(self, TRUE, deadline_us, error);
        if (!connection)
            return FALSE;
        gboolean is_done = number_campaign(connection, campaign, &found, error);
        mrg_sqlite_return(self, connection);
        if (!is_done)
            return FALSE;
    }
    *number = found;
    return TRUE;
}

/* ---- import ------------------------------------------------------------ */

static gboolean
put_field(const MrgSqliteConnection *connection, const MrgPersonKey *person,
          const MrgProfileField *field, GError **error)
{
    gboolean is_gone =
        field->value.type == MRG_FIELD_NULL || field->value.type == MRG_FIELD_MISSING;
    sqlite3_stmt *statement =
        fresh(connection, is_gone ? MRG_SQL_DROP_FIELD : MRG_SQL_PUT_FIELD);
    bind_key(statement, 1, person->bytes);
    bind_string(statement, 2, field->name);
    if (!is_gone) {
        sqlite3_bind_int(statement, 3, (int) field->value.type);
        bind_text(statement, 4, field->value.text, field->value.length);
    }
    return run(statement, "field", error);
}

static gboolean
put_consent(const MrgSqliteConnection *connection, const MrgPersonKey *person,
            const MrgConsent *consent, GError **error)
{
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_ADD_CONSENT);
    bind_key(statement, 1, person->bytes);
    bind_string(statement, 2, consent->purpose);
    sqlite3_bind_int(statement, 3, (int) consent->state);
    sqlite3_bind_int64(statement, 4, consent->at_us);
    bind_string(statement, 5, consent->source ? consent->source : "");
    return run(statement, "consent", error);
}

static gboolean
put_suppression(const MrgSqliteConnection *connection, const MrgPersonKey *person,
                const MrgSuppression *suppression, GError **error)
{
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_ADD_SUPPRESSION);
    bind_key(statement, 1, person->bytes);
    bind_string(statement, 2, suppression->scope);
    bind_string(statement, 3, suppression->reason);
    sqlite3_bind_int64(statement, 4, suppression->at_us);
    sqlite3_bind_int64(statement, 5, suppression->until_us);
    return run(statement, "suppression", error);
}

static gboolean
put_profile(const MrgSqliteConnection *connection, const MrgProfile *profile,
            GError **error)
{
    const MrgPersonKey *person = &profile->person;
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_PUT_PROFILE);
    bind_key(statement, 1, person->bytes);
    bind_string(statement, 2, profile->address);
    if (!run(statement, "profile", error))
        return FALSE;
    for (gsize i = 0; i < profile->n_fields; i++)
        if (!put_field(connection, person, &profile->fields[i], error))
            return FALSE;
    for (gsize i = 0; i < profile->n_consents; i++)
        if (!put_consent(connection, person, &profile->consents[i], error))
            return FALSE;
    for (gsize i = 0; i < profile->n_suppressions; i++)
        if (!put_suppression(connection, person, &profile->suppressions[i], error))
            return FALSE;
    return TRUE;
}

static gboolean
put_all(const MrgSqliteConnection *connection, MrgProfileNext next, gpointer context,
        guint64 *n, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const MrgProfile *profile;
    while ((profile = next(context, &problem))) {
        if (!put_profile(connection, profile, error))
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
    MrgSqlite *self = store;
    gint64 lock_by_us = g_get_monotonic_time() + IMPORT_WAIT_US;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, TRUE, lock_by_us, error);
    if (!connection)
        return FALSE;
    guint64 n = 0;
    gboolean is_done = begin(connection, error);
    /* Only the lock is waited for; the work takes as long as there are profiles. */
    connection->deadline_us = MRG_SQLITE_NO_DEADLINE;
    is_done = is_done && put_all(connection, next, context, &n, error) &&
              commit(connection, error);
    mrg_sqlite_return(self, connection);
    if (is_done)
        *n_imported = n;
    return is_done;
}

/* ---- events ------------------------------------------------------------ */

static gboolean
visit_row(const MrgPersonKey *person, sqlite3_stmt *statement, MrgEventVisit visit,
          gpointer context)
{
    MrgEvent event = {
        .at_us = sqlite3_column_int64(statement, 0),
        .campaign = (const char *) sqlite3_column_text(statement, 1),
        .class_name = (const char *) sqlite3_column_text(statement, 2),
        .verdict = (MrgVerdict) sqlite3_column_int(statement, 3),
        .sender = "",
        .tags = "",
        .reason = (const char *) sqlite3_column_text(statement, 4),
    };
    return visit(person, &event, context);
}

static gboolean
store_events(gpointer store, const MrgPersonKey *person, gsize limit, MrgEventVisit visit,
             gpointer context, GError **error)
{
    MrgSqlite *self = store;
    gint64 deadline_us = g_get_monotonic_time() + READ_WAIT_US;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, FALSE, deadline_us, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_EVENTS);
    bind_key(statement, 1, person->bytes);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64) MIN(limit, (gsize) G_MAXINT));
    gboolean is_done = FALSE, is_wanted = TRUE;
    while (is_wanted && next_row(statement, "events", &is_done, error))
        is_wanted = visit_row(person, statement, visit, context);
    mrg_sqlite_return(self, connection);
    return is_done || !is_wanted;
}

/* ---- people ------------------------------------------------------------ */

static gboolean
store_list(gpointer store, gsize limit, MrgPersonVisit visit, gpointer context,
           GError **error)
{
    MrgSqlite *self = store;
    gint64 deadline_us = g_get_monotonic_time() + READ_WAIT_US;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, FALSE, deadline_us, error);
    if (!connection)
        return FALSE;
    sqlite3_stmt *statement = fresh(connection, MRG_SQL_PEOPLE);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64) MIN(limit, (gsize) G_MAXINT));
    gboolean is_done = FALSE, is_wanted = TRUE;
    while (is_wanted && next_row(statement, "people", &is_done, error))
        is_wanted = visit((const char *) sqlite3_column_text(statement, 0), context);
    mrg_sqlite_return(self, connection);
    return is_done || !is_wanted;
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

static gpointer
store_open(const MrgSetting *settings, gsize n, GError **error)
{
    const char *file = setting(settings, n, "file");
    const char *durability = setting(settings, n, "durability");
    guint64 readers;
    if (!g_path_is_absolute(file))
        return fail_setting(error, "'file' must be an absolute path");
    if (strcmp(durability, "full") != 0 && strcmp(durability, "normal") != 0)
        return fail_setting(error, "'durability' must be full or normal");
    if (!g_ascii_string_to_unsigned(setting(settings, n, "readers"), 10, 1,
                                    MRG_SQLITE_READERS_MAX, &readers, NULL))
        return fail_setting(error, "'readers' must be a number from 1 to 64");
    MrgSqlite *self = g_new0(MrgSqlite, 1);
    self->file = g_strdup(file);
    self->is_full = strcmp(durability, "full") == 0;
    self->n_readers = readers;
    mrg_sqlite_init(self);
    return self;
}

static void
store_close(gpointer store)
{
    MrgSqlite *self = store;
    mrg_sqlite_clear(self);
    g_free(self->file);
    g_free(self);
}

static gboolean
store_create(gpointer store, GError **error)
{
    return mrg_sqlite_create(store, error);
}

static const MrgSettingInfo settings_known[] = {
    {"file", NULL, "The database file; an absolute path."},
    {"durability", "full",
     "full: a commit survives a power cut; normal: the last ones may be lost then."},
    {"readers", "8", "How many connections read at once, 1 to 64."},
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
    .name = "store-sqlite",
    .settings = settings_known,
    .open = store_open,
    .close = store_close,
    .store = &api,
};

const MrgPlugin *
mrg_plugin_entry(const MrgHost *host)
{
    return host->major == MRG_ABI_MAJOR && sqlite3_threadsafe() ? &plugin : NULL;
}
