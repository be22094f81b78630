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

#define STEPS_FOR_A_LOOKUP 4 /* rows of a scan that cost what a search by a key costs */

/* ---- fetch ------------------------------------------------------------- */

static MrgFetch
find_profile(const MrgSqliteConnection *connection, const MrgPersonKey *person,
             GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_PROFILE);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    gboolean is_done;
    if (mrg_sqlite_next(statement, "profile", &is_done, error)) {
        sqlite3_reset(statement);
        return MRG_FETCH_HIT;
    }
    return is_done ? MRG_FETCH_MISS : MRG_FETCH_ERROR;
}

static void
take_field(sqlite3_stmt *statement, int column, MrgField *field, const MrgMemory *memory)
{
    field->type = (MrgFieldType) sqlite3_column_int(statement, column);
    field->text = mrg_sqlite_copy(statement, column + 1, memory, &field->length);
}

static gboolean
look_up_field(const MrgSqliteConnection *connection, const MrgPersonKey *person,
              const char *name, MrgField *field, const MrgMemory *memory, GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_FIELD);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    mrg_sqlite_bind(statement, 2, name);
    gboolean is_done;
    if (!mrg_sqlite_next(statement, "field", &is_done, error))
        return is_done;
    take_field(statement, 0, field, memory);
    sqlite3_reset(statement);
    return TRUE;
}

static void
find_bounds(const char *const *names, gsize n_names, const char **first, const char **last)
{
    *first = *last = names[0];
    for (gsize i = 1; i < n_names; i++) {
        if (strcmp(names[i], *first) < 0)
            *first = names[i];
        if (strcmp(names[i], *last) > 0)
            *last = names[i];
    }
}

/* *is_whole is FALSE where there are more fields than it is worth to step over; *has_any is
 * set where there is one, wanted or not. */
static gboolean
scan_fields(const MrgSqliteConnection *connection, const MrgPersonKey *person,
            const char *const *names, gsize n_names, MrgField *fields,
            const MrgMemory *memory, gboolean *has_any, gboolean *is_whole, GError **error)
{
    const char *first, *last;
    gsize n = 0, n_most = n_names * STEPS_FOR_A_LOOKUP;
    gboolean is_done = FALSE;
    find_bounds(names, n_names, &first, &last);
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_FIELDS);
    mrg_sqlite_bind_key(statement, 1, person->bytes);
    mrg_sqlite_bind(statement, 2, first);
    mrg_sqlite_bind(statement, 3, last);
    for (; n < n_most && mrg_sqlite_next(statement, "field", &is_done, error); n++) {
        const char *name = (const char *) sqlite3_column_text(statement, 0);
        for (gsize i = 0; i < n_names; i++)
            if (strcmp(names[i], name) == 0)
                take_field(statement, 1, &fields[i], memory);
    }
    *is_whole = is_done;
    *has_any = n > 0;
    sqlite3_reset(statement);
    return is_done || n == n_most;
}

/* All in one go along the key, and by its name what a person of many fields has beyond. */
static gboolean
read_fields(const MrgSqliteConnection *connection, const MrgPersonKey *person,
            const char *const *names, gsize n_names, MrgField *fields,
            const MrgMemory *memory, gboolean *has_any, GError **error)
{
    gboolean is_whole = FALSE;
    *has_any = FALSE;
    for (gsize i = 0; i < n_names; i++)
        fields[i] = (MrgField){.type = MRG_FIELD_MISSING};
    if (n_names > 1 && !scan_fields(connection, person, names, n_names, fields, memory,
                                    has_any, &is_whole, error))
        return FALSE;
    for (gsize i = 0; i < n_names && !is_whole; i++)
        if (fields[i].type == MRG_FIELD_MISSING &&
            !look_up_field(connection, person, names[i], &fields[i], memory, error))
            return FALSE;
    return TRUE;
}

/* Within a transaction.  A field belongs to a profile, so who has one need not be looked
 * for. */
static MrgFetch
read_profile(const MrgSqliteConnection *connection, const MrgPersonKey *person,
             const char *const *names, gsize n_names, MrgField *fields,
             const MrgMemory *memory, GError **error)
{
    gboolean has_field;
    if (!read_fields(connection, person, names, n_names, fields, memory, &has_field, error))
        return MRG_FETCH_ERROR;
    return has_field ? MRG_FETCH_HIT : find_profile(connection, person, error);
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
    if (mrg_sqlite_begin(connection, error))
        found = read_profile(connection, person, names, n_names, fields, memory, error);
    mrg_sqlite_return(self, connection);
    return found;
}

static MrgFetch
store_fetch_and_load(gpointer store, const MrgPersonKey *person, const char *const *names,
                     gsize n_names, MrgField *fields, const MrgMessageKey *message,
                     const MrgPersonKey *shared, gsize n_shared, MrgState *state,
                     const MrgMemory *memory, gint64 deadline_us, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, FALSE, deadline_us, error);
    if (!connection)
        return MRG_FETCH_ERROR;
    MrgFetch found = MRG_FETCH_ERROR;
    if (mrg_sqlite_begin(connection, error) &&
        mrg_sqlite_read_state(connection, person, message, shared, n_shared, state, memory,
                              error))
        found = read_profile(connection, person, names, n_names, fields, memory, error);
    mrg_sqlite_return(self, connection);
    return found;
}

/* ---- campaigns --------------------------------------------------------- */

/* *number is 0 when the name has none yet. */
static gboolean
find_campaign(const MrgSqliteConnection *connection, const char *campaign, guint32 *number,
              GError **error)
{
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_CAMPAIGN);
    mrg_sqlite_bind(statement, 1, campaign);
    gboolean is_done;
    *number = 0;
    if (!mrg_sqlite_next(statement, "campaign", &is_done, error))
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
    if (!mrg_sqlite_begin(connection, error))
        return FALSE;
    sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_ADD_CAMPAIGN);
    mrg_sqlite_bind(statement, 1, campaign);
    return mrg_sqlite_run(statement, "campaign", error) &&
           find_campaign(connection, campaign, number, error) &&
           mrg_sqlite_finish(connection, error);
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

/* ---- links ------------------------------------------------------------- */

/* numbers[i] is 0 for a target that has none yet; *n_absent counts them. */
static gboolean
find_links(const MrgSqliteConnection *connection, guint32 campaign, char *const *hashes,
           gsize n, guint32 *numbers, gsize *n_absent, GError **error)
{
    *n_absent = 0;
    for (gsize i = 0; i < n; i++) {
        sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_LINK);
        sqlite3_bind_int64(statement, 1, campaign);
        mrg_sqlite_bind(statement, 2, hashes[i]);
        gboolean is_done = TRUE;
        gboolean is_there = mrg_sqlite_next(statement, "link", &is_done, error);
        if (!is_there && !is_done)
            return FALSE;
        numbers[i] = is_there ? (guint32) sqlite3_column_int64(statement, 0) : 0;
        *n_absent += !is_there;
        sqlite3_reset(statement);
    }
    return TRUE;
}

static gboolean
add_links(const MrgSqliteConnection *connection, guint32 campaign, char *const *hashes,
          const char *const *targets, gsize n, GError **error)
{
    for (gsize i = 0; i < n; i++) {
        sqlite3_stmt *statement = mrg_sqlite_fresh(connection, MRG_SQL_ADD_LINK);
        sqlite3_bind_int64(statement, 1, campaign);
        mrg_sqlite_bind(statement, 2, hashes[i]);
        mrg_sqlite_bind(statement, 3, targets[i]);
        if (!mrg_sqlite_run(statement, "link", error))
            return FALSE;
    }
    return TRUE;
}

/* Looks, or as the writer adds what is absent first. */
static gboolean
number_links(MrgSqlite *self, gboolean is_writer, guint32 campaign, char *const *hashes,
             const char *const *targets, gsize n, guint32 *numbers, gsize *n_absent,
             gint64 deadline_us, GError **error)
{
    MrgSqliteConnection *connection =
        mrg_sqlite_borrow(self, is_writer, deadline_us, error);
    if (!connection)
        return FALSE;
    gboolean is_done =
        mrg_sqlite_begin(connection, error) &&
        (!is_writer || add_links(connection, campaign, hashes, targets, n, error)) &&
        find_links(connection, campaign, hashes, n, numbers, n_absent, error) &&
        mrg_sqlite_finish(connection, error);
    mrg_sqlite_return(self, connection);
    return is_done;
}

static gboolean
store_link_numbers(gpointer store, guint32 campaign, const char *const *targets, gsize n,
                   guint32 *numbers, gint64 deadline_us, GError **error)
{
    gsize n_absent = 0;
    g_auto(GStrv) hashes = g_new0(char *, n + 1);
    for (gsize i = 0; i < n; i++)
        hashes[i] = g_compute_checksum_for_string(G_CHECKSUM_SHA256, targets[i], -1);
    return number_links(store, FALSE, campaign, hashes, targets, n, numbers, &n_absent,
                        deadline_us, error) &&
           (!n_absent || number_links(store, TRUE, campaign, hashes, targets, n, numbers,
                                      &n_absent, deadline_us, error));
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
    .load = mrg_sqlite_load,
    .fetch_and_load = store_fetch_and_load,
    .commit = mrg_sqlite_commit,
    .move_hold = mrg_sqlite_move_hold,
    .campaign_number = store_campaign_number,
    .link_numbers = store_link_numbers,
    .create = store_create,
    .schema_version = mrg_sqlite_schema_version,
    .retain = mrg_sqlite_retain,
    .import = mrg_sqlite_import,
    .list = mrg_sqlite_list,
    .homes = mrg_sqlite_homes,
    .engagements = mrg_sqlite_engagements,
    .rows_of = mrg_sqlite_rows_of,
    .erase = mrg_sqlite_erase,
    .search = mrg_sqlite_search,
    .suppressions = mrg_sqlite_suppressions,
    .end_suppression = mrg_sqlite_end_suppression,
    .put_history = mrg_sqlite_put_history,
    .events = mrg_sqlite_events,
    .events_since = mrg_sqlite_events_since,
    .holds = mrg_sqlite_holds,
    .settle_hold = mrg_sqlite_settle_hold,
    .end_holds = mrg_sqlite_end_holds,
    .record_hits = mrg_sqlite_record_hits,
    .journal_position = mrg_sqlite_journal_position,
    .hits = mrg_sqlite_hits,
    .put_classes = mrg_sqlite_put_classes,
    .deliveries = mrg_sqlite_deliveries,
    .campaign_events = mrg_sqlite_campaign_events,
    .links = mrg_sqlite_links,
    .campaign_name = mrg_sqlite_campaign_name,
    .link_target = mrg_sqlite_link_target,
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

/* SQLite counts all that it allocates under one lock of the process, unless it is told not
 * to before its first use.  Whoever used it before us keeps the count: it only costs. */
const MrgPlugin *
mrg_plugin_entry(const MrgHost *host)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    return host->major == MRG_ABI_MAJOR && sqlite3_threadsafe() ? &plugin : NULL;
}
