/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/nearest.h"
#include "milter/plugin.h"
#include "milter/registry.h"
#include "milter/store-check.h"

#define FIELD_NAME_MAX 64

/* ---- settings ---------------------------------------------------------- */

static gboolean
fail_setting(GError **error, const MrgPlugin *plugin, const char *name, const char *what)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s: setting '%s' %s", plugin->name,
                name, what);
    return FALSE;
}

static const MrgSetting *
find_setting(const MrgSetting *settings, gsize n, const char *name)
{
    for (gsize i = 0; i < n; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

static gboolean
check_known(const MrgPlugin *plugin, const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const MrgSettingInfo *info = plugin->settings; info->name; info++) {
        if (strcmp(info->name, name) == 0)
            return TRUE;
        g_ptr_array_add(names, (gpointer) info->name);
    }
    const char *nearest = mrg_nearest(name, (const char *const *) names->pdata, names->len);
    g_autofree char *what = nearest
                                ? g_strdup_printf("is unknown; did you mean '%s'?", nearest)
                                : g_strdup("is unknown");
    return fail_setting(error, plugin, name, what);
}

static gboolean
check_given(const MrgPlugin *plugin, const MrgSetting *settings, gsize n, GError **error)
{
    for (gsize i = 0; i < n; i++) {
        if (!check_known(plugin, settings[i].name, error))
            return FALSE;
        if (find_setting(settings, i, settings[i].name))
            return fail_setting(error, plugin, settings[i].name, "is given twice");
    }
    return TRUE;
}

/* Each setting of the plugin's table, in its order; NULL on error. */
static GArray *
complete(const MrgPlugin *plugin, const MrgSetting *settings, gsize n, GError **error)
{
    if (!check_given(plugin, settings, n, error))
        return NULL;
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(MrgSetting));
    for (const MrgSettingInfo *info = plugin->settings; info->name; info++) {
        const MrgSetting *given = find_setting(settings, n, info->name);
        MrgSetting setting = {info->name, given ? given->value : info->fallback};
        if (!setting.value) {
            fail_setting(error, plugin, info->name, "is missing");
            return NULL;
        }
        g_array_append_val(all, setting);
    }
    return g_steal_pointer(&all);
}

/* ---- open and close ---------------------------------------------------- */

static const MrgPlugin *
load_kind(const char *directory, const char *kind, const char *name, GError **error)
{
    g_autofree char *full = g_strconcat(kind, "-", name, NULL);
    return mrg_plugin_load(directory, full, error);
}

static gpointer
open_instance(const MrgPlugin *plugin, const MrgSetting *settings, gsize n, GError **error)
{
    g_autoptr(GArray) all = complete(plugin, settings, n, error);
    if (!all)
        return NULL;
    g_autoptr(GError) problem = NULL;
    gpointer instance =
        plugin->open((const MrgSetting *) (gpointer) all->data, all->len, &problem);
    if (!instance)
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s: %s", plugin->name,
                    problem ? problem->message : "cannot be opened");
    return instance;
}

#define MEMBER(name)                              \
    {                                             \
        G_STRUCT_OFFSET(MrgStoreApi, name), #name \
    }

/* What every store must have: all but fetch_and_load. */
static const struct {
    gsize offset;
    const char *name;
} members[] = {
    MEMBER(fetch),
    MEMBER(load),
    MEMBER(commit),
    MEMBER(move_hold),
    MEMBER(campaign_number),
    MEMBER(link_numbers),
    MEMBER(create),
    MEMBER(schema_version),
    MEMBER(retain),
    MEMBER(import),
    MEMBER(list),
    MEMBER(rows_of),
    MEMBER(erase),
    MEMBER(search),
    MEMBER(suppressions),
    MEMBER(end_suppression),
    MEMBER(put_history),
    MEMBER(events),
    MEMBER(events_since),
    MEMBER(holds),
    MEMBER(settle_hold),
    MEMBER(end_holds),
    MEMBER(record_hits),
    MEMBER(journal_position),
    MEMBER(hits),
    MEMBER(put_classes),
    MEMBER(deliveries),
    MEMBER(campaign_events),
    MEMBER(links),
    MEMBER(campaign_name),
    MEMBER(link_target),
    MEMBER(homes),
    MEMBER(engagements),
};

/* The first that is not there; NULL when it is complete. */
static const char *
missing_member(const MrgStoreApi *api)
{
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
        void (*member)(void) = NULL;
        if (api->size >= members[i].offset + sizeof member)
            memcpy(&member, (const char *) api + members[i].offset, sizeof member);
        if (!member)
            return members[i].name;
    }
    return NULL;
}

static gboolean
check_store(const MrgPlugin *plugin, GError **error)
{
    if (!plugin->store) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s: is not a store", plugin->name);
        return FALSE;
    }
    const char *missing = missing_member(plugin->store);
    if (missing)
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                    "%s: lacks %s(), which every store must have; install the plugin of "
                    "this version of Merganser",
                    plugin->name, missing);
    return !missing;
}

MrgStore *
mrg_store_open(const char *directory, const char *name, const MrgSetting *settings, gsize n,
               GError **error)
{
    const MrgPlugin *plugin = load_kind(directory, "store", name, error);
    if (!plugin || !check_store(plugin, error))
        return NULL;
    gpointer instance = open_instance(plugin, settings, n, error);
    if (!instance)
        return NULL;
    MrgStore *store = g_new(MrgStore, 1);
    *store = (MrgStore){plugin->store, instance, plugin};
    return store;
}

void
mrg_store_close(MrgStore *store)
{
    if (!store)
        return;
    store->plugin->close(store->instance);
    g_free(store);
}

MrgSink *
mrg_sink_open(const char *directory, const char *name, const MrgSetting *settings, gsize n,
              GError **error)
{
    const MrgPlugin *plugin = load_kind(directory, "sink", name, error);
    if (!plugin)
        return NULL;
    const MrgSinkApi *api = plugin->sink;
    if (!api || api->size < sizeof *api || !api->write) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s: is not a sink", plugin->name);
        return NULL;
    }
    gpointer instance = open_instance(plugin, settings, n, error);
    if (!instance)
        return NULL;
    MrgSink *sink = g_new(MrgSink, 1);
    *sink = (MrgSink){api, instance, plugin};
    return sink;
}

void
mrg_sink_close(MrgSink *sink)
{
    if (!sink)
        return;
    sink->plugin->close(sink->instance);
    g_free(sink);
}

/* ---- names ------------------------------------------------------------- */

gboolean
mrg_field_is_name(const char *name)
{
    if (!g_ascii_isalpha(name[0]) && name[0] != '_')
        return FALSE;
    gsize length = 1;
    while (g_ascii_isalnum(name[length]) || name[length] == '_')
        length++;
    return !name[length] && length <= FIELD_NAME_MAX;
}

/* ---- calls ------------------------------------------------------------- */

static void *
alloc_in_arena(void *context, gsize size)
{
    return mrg_arena_alloc0(context, size);
}

MrgMemory
mrg_store_memory(MrgArena *arena)
{
    return (MrgMemory){alloc_in_arena, arena};
}

typedef struct Asked {
    const char **names; /* those that can be names of fields, in their order */
    MrgField *fields;
    gsize n;
} Asked;

static Asked
ask_for(const char *const *names, gsize n_names, MrgArena *arena)
{
    Asked asked = {mrg_arena_array(arena, const char *, n_names),
                   mrg_arena_array(arena, MrgField, n_names), 0};
    for (gsize i = 0; i < n_names; i++)
        if (mrg_field_is_name(names[i]))
            asked.names[asked.n++] = names[i];
    return asked;
}

static MrgFetch
take_answer(const Asked *asked, MrgFetch found, const MrgPersonKey *person,
            const char *const *names, gsize n_names, MrgField *fields, GError **error)
{
    if (found != MRG_FETCH_HIT)
        return found;
    for (gsize i = 0; i < asked->n; i++)
        if (!mrg_store_check_field(person, asked->names[i], &asked->fields[i], error))
            return MRG_FETCH_ERROR;
    for (gsize i = 0, next = 0; i < n_names; i++) {
        gboolean was_asked = next < asked->n && asked->names[next] == names[i];
        fields[i] =
            was_asked ? asked->fields[next++] : (MrgField){.type = MRG_FIELD_MISSING};
    }
    return MRG_FETCH_HIT;
}

MrgFetch
mrg_store_fetch(const MrgStore *store, const MrgPersonKey *person, const char *const *names,
                gsize n_names, MrgField *fields, MrgArena *arena, gint64 deadline_us,
                GError **error)
{
    MrgMemory memory = mrg_store_memory(arena);
    Asked asked = ask_for(names, n_names, arena);
    MrgFetch found = store->api->fetch(store->instance, person, asked.names, asked.n,
                                       asked.fields, &memory, deadline_us, error);
    return take_answer(&asked, found, person, names, n_names, fields, error);
}

gboolean
mrg_store_load(const MrgStore *store, const MrgPersonKey *person,
               const MrgMessageKey *message, const MrgPersonKey *shared, gsize n_shared,
               MrgState *state, MrgArena *arena, gint64 deadline_us, GError **error)
{
    MrgMemory memory = mrg_store_memory(arena);
    g_assert(n_shared <= MRG_SHARED_MAX);
    MrgState loaded = {.own.history = "", .engagement = ""};
    if (!store->api->load(store->instance, person, message, shared, n_shared, &loaded,
                          &memory, deadline_us, error) ||
        !mrg_store_check_state(person, shared, n_shared, &loaded, error))
        return FALSE;
    *state = loaded;
    return TRUE;
}

MrgFetch
mrg_store_fetch_and_load(const MrgStore *store, const MrgPersonKey *person,
                         const char *const *names, gsize n_names, MrgField *fields,
                         const MrgMessageKey *message, const MrgPersonKey *shared,
                         gsize n_shared, MrgState *state, MrgArena *arena,
                         gint64 deadline_us, GError **error)
{
    if (!store->api->fetch_and_load) {
        if (!mrg_store_load(store, person, message, shared, n_shared, state, arena,
                            deadline_us, error))
            return MRG_FETCH_ERROR;
        return mrg_store_fetch(store, person, names, n_names, fields, arena, deadline_us,
                               error);
    }
    MrgMemory memory = mrg_store_memory(arena);
    Asked asked = ask_for(names, n_names, arena);
    g_assert(n_shared <= MRG_SHARED_MAX);
    MrgState loaded = {.own.history = "", .engagement = ""};
    MrgFetch found = store->api->fetch_and_load(
        store->instance, person, asked.names, asked.n, asked.fields, message, shared,
        n_shared, &loaded, &memory, deadline_us, error);
    if (found == MRG_FETCH_ERROR ||
        !mrg_store_check_state(person, shared, n_shared, &loaded, error))
        return MRG_FETCH_ERROR;
    *state = loaded;
    return take_answer(&asked, found, person, names, n_names, fields, error);
}

MrgCommit
mrg_store_commit(const MrgStore *store, const MrgOutcome *outcome, gint64 deadline_us,
                 GError **error)
{
    if (!mrg_store_check_outcome(outcome, error))
        return MRG_COMMIT_ERROR;
    if (outcome->event.verdict == MRG_VERDICT_HOLD && outcome->host &&
        !mrg_store_check_place(&outcome->person, outcome->host, outcome->queue_id, error))
        return MRG_COMMIT_ERROR;
    return store->api->commit(store->instance, outcome, deadline_us, error);
}

gboolean
mrg_store_campaign_number(const MrgStore *store, const char *campaign, guint32 *number,
                          gint64 deadline_us, GError **error)
{
    guint32 found = 0;
    if (!mrg_store_is_word(campaign, MRG_STORE_NAME_BYTES_MAX))
        return mrg_store_fail(error, "a campaign's name is malformed");
    if (!store->api->campaign_number(store->instance, campaign, &found, deadline_us, error))
        return FALSE;
    if (!found)
        return mrg_store_fail(error, "the number of a campaign is 0");
    *number = found;
    return TRUE;
}

gboolean
mrg_store_move_hold(const MrgStore *store, const MrgHold *hold, gint64 deadline_us,
                    GError **error)
{
    return mrg_store_check_hold(hold, error) &&
           store->api->move_hold(store->instance, hold, deadline_us, error);
}

gboolean
mrg_store_link_numbers(const MrgStore *store, guint32 campaign, const char *const *targets,
                       gsize n, guint32 *numbers, gint64 deadline_us, GError **error)
{
    for (gsize i = 0; i < n; i++) {
        numbers[i] = 0;
        if (!mrg_store_is_word(targets[i], MRG_STORE_LINE_BYTES_MAX))
            return mrg_store_fail(error, "the target of a link is malformed");
    }
    if (!store->api->link_numbers(store->instance, campaign, targets, n, numbers,
                                  deadline_us, error))
        return FALSE;
    for (gsize i = 0; i < n; i++)
        if (!numbers[i])
            return mrg_store_fail(error, "the number of a link is 0");
    return TRUE;
}

/* ---- administration ---------------------------------------------------- */

gboolean
mrg_store_create(const MrgStore *store, GError **error)
{
    return store->api->create(store->instance, error);
}

typedef struct Import {
    MrgProfileNext next;
    gpointer context;
} Import;

static const MrgProfile *
next_checked(gpointer context, GError **error)
{
    Import *import = context;
    const MrgProfile *profile = import->next(import->context, error);
    return profile && mrg_store_check_profile(profile, error) ? profile : NULL;
}

gboolean
mrg_store_import(const MrgStore *store, MrgProfileNext next, gpointer context,
                 guint64 *n_imported, GError **error)
{
    Import import = {next, context};
    guint64 n = 0;
    if (!store->api->import(store->instance, next_checked, &import, &n, error))
        return FALSE;
    if (n_imported)
        *n_imported = n;
    return TRUE;
}

gboolean
mrg_store_schema_version(const MrgStore *store, guint *is, guint *needed, GError **error)
{
    return store->api->schema_version(store->instance, is, needed, error);
}

gboolean
mrg_store_retain(const MrgStore *store, const MrgRetention *retention, guint64 *n_rows,
                 GError **error)
{
    guint64 n = 0;
    if (!store->api->retain(store->instance, retention, &n, error))
        return FALSE;
    if (n_rows)
        *n_rows = n;
    return TRUE;
}

gboolean
mrg_store_erase(const MrgStore *store, const MrgPersonKey *person, gint64 at_us,
                GError **error)
{
    if (at_us < 0)
        return mrg_store_fail(error, "the time of an erasure is negative");
    return store->api->erase(store->instance, person, at_us, error);
}

gboolean
mrg_store_end_suppression(const MrgStore *store, const MrgPersonKey *person,
                          const char *scope, const char *reason, gint64 at_us,
                          guint64 *n_ended, GError **error)
{
    guint64 n = 0;
    if (at_us <= 0) /* 0 would be for good */
        return mrg_store_fail(error, "the end of a suppression is no time");
    if (!store->api->end_suppression(store->instance, person, scope, reason, at_us, &n,
                                     error))
        return FALSE;
    if (n_ended)
        *n_ended = n;
    return TRUE;
}

gboolean
mrg_store_end_holds(const MrgStore *store, const MrgMessageKey *messages, gsize n,
                    GError **error)
{
    return !n || store->api->end_holds(store->instance, messages, n, error);
}

MrgCommit
mrg_store_put_history(const MrgStore *store, const MrgAccount *account, GError **error)
{
    if (!mrg_store_check_account(account, error))
        return MRG_COMMIT_ERROR;
    return store->api->put_history(store->instance, account, error);
}

MrgCommit
mrg_store_settle_hold(const MrgStore *store, const MrgOutcome *outcome, GError **error)
{
    if (!mrg_store_check_outcome(outcome, error))
        return MRG_COMMIT_ERROR;
    return store->api->settle_hold(store->instance, outcome, error);
}

gboolean
mrg_sink_write(const MrgSink *sink, const MrgSinkEvent *events, gsize n, GError **error)
{
    return sink->api->write(sink->instance, events, n, error);
}
