/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/nearest.h"
#include "milter/plugin.h"
#include "milter/registry.h"

#define FIELD_NAME_MAX 64
#define VALUE_BYTES_MAX (1024 * 1024) /* longer ones are no merge fields */
#define STORE_SIZE_1_0 G_STRUCT_OFFSET(MrgStoreApi, list)

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

static gboolean
has_store(const MrgPlugin *plugin)
{
    const MrgStoreApi *api = plugin->store;
    return api && api->size >= STORE_SIZE_1_0 && api->fetch && api->load && api->commit &&
           api->campaign_number && api->create && api->import && api->events;
}

MrgStore *
mrg_store_open(const char *directory, const char *name, const MrgSetting *settings, gsize n,
               GError **error)
{
    const MrgPlugin *plugin = load_kind(directory, "store", name, error);
    if (!plugin)
        return NULL;
    if (!has_store(plugin)) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s: is not a store", plugin->name);
        return NULL;
    }
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

/* ---- what goes in and comes out ---------------------------------------- */

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

/* RFC 8259, 6: the characters of a number, and something in it to count. */
static gboolean
is_number(const char *text, gsize length)
{
    gboolean has_digit = FALSE;
    for (gsize i = 0; i < length; i++) {
        if (!text[i] || !strchr("0123456789+-.eE", text[i]))
            return FALSE;
        has_digit |= g_ascii_isdigit(text[i]);
    }
    return has_digit;
}

static gboolean
is_boolean(const MrgField *field)
{
    return (field->length == 4 && memcmp(field->text, "true", 4) == 0) ||
           (field->length == 5 && memcmp(field->text, "false", 5) == 0);
}

/* NULL when the field can be what it says. */
static const char *
field_fault(const MrgField *field)
{
    if (field->type == MRG_FIELD_MISSING || field->type == MRG_FIELD_NULL)
        return NULL;
    if ((guint) field->type > MRG_FIELD_JSON)
        return "has an unknown type";
    if (!field->text || field->length > VALUE_BYTES_MAX)
        return "is too long";
    if (!g_utf8_validate_len(field->text, field->length, NULL))
        return "is not UTF-8";
    if (field->type == MRG_FIELD_BOOLEAN && !is_boolean(field))
        return "is neither true nor false";
    if (field->type == MRG_FIELD_NUMBER && !is_number(field->text, field->length))
        return "is not a number";
    return NULL;
}

static void
key_text(const MrgPersonKey *person, char text[2 * MRG_KEY_BYTES + 1])
{
    for (gsize i = 0; i < MRG_KEY_BYTES; i++)
        g_snprintf(text + 2 * i, 3, "%02x", person->bytes[i]);
}

static gboolean
fail_person(GError **error, const MrgPersonKey *person, const char *subject,
            const char *what)
{
    char key[2 * MRG_KEY_BYTES + 1];
    key_text(person, key);
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT, "person %s: %s %s", key,
                subject, what);
    return FALSE;
}

static gboolean
check_field(const MrgPersonKey *person, const char *name, const MrgField *field,
            GError **error)
{
    const char *fault = field_fault(field);
    if (!fault)
        return TRUE;
    g_autofree char *subject = g_strdup_printf("field '%s'", name);
    return fail_person(error, person, subject, fault);
}

static gboolean
check_profile(const MrgProfile *profile, GError **error)
{
    const MrgPersonKey *person = &profile->person;
    if (profile->address ? !g_utf8_validate(profile->address, -1, NULL)
                         : profile->n_fields != 0)
        return fail_person(error, person, "address", "is missing or not UTF-8");
    for (gsize i = 0; i < profile->n_fields; i++) {
        const MrgProfileField *field = &profile->fields[i];
        if (!mrg_field_is_name(field->name))
            return fail_person(error, person, "a field name", "is malformed");
        if (!check_field(person, field->name, &field->value, error))
            return FALSE;
    }
    for (gsize i = 0; i < profile->n_consents; i++) {
        const MrgConsent *consent = &profile->consents[i];
        if ((guint) consent->state > MRG_CONSENT_DENIED ||
            !g_utf8_validate(consent->purpose, -1, NULL) ||
            !g_utf8_validate(consent->source ? consent->source : "", -1, NULL))
            return fail_person(error, person, "a consent", "is malformed");
    }
    for (gsize i = 0; i < profile->n_suppressions; i++)
        if (!g_utf8_validate(profile->suppressions[i].scope, -1, NULL) ||
            !g_utf8_validate(profile->suppressions[i].reason, -1, NULL))
            return fail_person(error, person, "a suppression", "is malformed");
    return TRUE;
}

static gboolean
check_state(const MrgPersonKey *person, const MrgState *state, GError **error)
{
    if (state->own.history_length && !state->own.history)
        return fail_person(error, person, "history", "is missing");
    if (state->is_repeat &&
        ((guint) state->repeat_verdict > MRG_VERDICT_HOLD || !state->repeat_reason))
        return fail_person(error, person, "recorded verdict", "is unknown");
    for (gsize i = 0; i < state->n_consents; i++)
        if (!state->consents[i].purpose ||
            (guint) state->consents[i].state > MRG_CONSENT_DENIED)
            return fail_person(error, person, "a consent", "is malformed");
    for (gsize i = 0; i < state->n_suppressions; i++)
        if (!state->suppressions[i].scope || !state->suppressions[i].reason)
            return fail_person(error, person, "a suppression", "is malformed");
    return TRUE;
}

/* ---- calls ------------------------------------------------------------- */

static void *
alloc_in_arena(void *context, gsize size)
{
    return mrg_arena_alloc0(context, size);
}

static MrgMemory
memory_of(MrgArena *arena)
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
        if (!check_field(person, asked->names[i], &asked->fields[i], error))
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
    MrgMemory memory = memory_of(arena);
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
    MrgMemory memory = memory_of(arena);
    MrgState loaded = {.own.history = ""};
    if (!store->api->load(store->instance, person, message, shared, n_shared, &loaded,
                          &memory, deadline_us, error) ||
        !check_state(person, &loaded, error))
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
    MrgMemory memory = memory_of(arena);
    Asked asked = ask_for(names, n_names, arena);
    MrgState loaded = {.own.history = ""};
    MrgFetch found = store->api->fetch_and_load(
        store->instance, person, asked.names, asked.n, asked.fields, message, shared,
        n_shared, &loaded, &memory, deadline_us, error);
    if (found == MRG_FETCH_ERROR || !check_state(person, &loaded, error))
        return MRG_FETCH_ERROR;
    *state = loaded;
    return take_answer(&asked, found, person, names, n_names, fields, error);
}

MrgCommit
mrg_store_commit(const MrgStore *store, const MrgOutcome *outcome, gint64 deadline_us,
                 GError **error)
{
    return store->api->commit(store->instance, outcome, deadline_us, error);
}

gboolean
mrg_store_campaign_number(const MrgStore *store, const char *campaign, guint32 *number,
                          gint64 deadline_us, GError **error)
{
    return store->api->campaign_number(store->instance, campaign, number, deadline_us,
                                       error);
}

gboolean
mrg_store_move_hold(const MrgStore *store, const MrgMessageKey *message, const char *host,
                    const char *queue_id, gint64 deadline_us, GError **error)
{
    return store->api->move_hold(store->instance, message, host, queue_id, deadline_us,
                                 error);
}

gboolean
mrg_store_link_numbers(const MrgStore *store, guint32 campaign, const char *const *targets,
                       gsize n, guint32 *numbers, gint64 deadline_us, GError **error)
{
    return store->api->link_numbers(store->instance, campaign, targets, n, numbers,
                                    deadline_us, error);
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
    return profile && check_profile(profile, error) ? profile : NULL;
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
mrg_store_events(const MrgStore *store, const MrgPersonKey *person, gsize limit,
                 MrgEventVisit visit, gpointer context, GError **error)
{
    return store->api->events(store->instance, person, limit, visit, context, error);
}

typedef struct Listing {
    MrgPersonVisit visit;
    gpointer context;
    gboolean is_wrong;
} Listing;

static gboolean
visit_checked(const char *address, gpointer context)
{
    Listing *listing = context;
    listing->is_wrong = !address || !g_utf8_validate(address, -1, NULL);
    return !listing->is_wrong && listing->visit(address, listing->context);
}

gboolean
mrg_store_list(const MrgStore *store, gsize limit, MrgPersonVisit visit, gpointer context,
               GError **error)
{
    Listing listing = {visit, context, FALSE};
    if (!store->api->list(store->instance, limit, visit_checked, &listing, error))
        return FALSE;
    if (listing.is_wrong)
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT,
                            "people: an address is not UTF-8");
    return !listing.is_wrong;
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
    return store->api->retain(store->instance, retention, n_rows, error);
}

gboolean
mrg_store_rows_of(const MrgStore *store, const MrgPersonKey *person, MrgRowVisit visit,
                  gpointer context, GError **error)
{
    return store->api->rows_of(store->instance, person, visit, context, error);
}

gboolean
mrg_store_erase(const MrgStore *store, const MrgPersonKey *person, gint64 at_us,
                GError **error)
{
    return store->api->erase(store->instance, person, at_us, error);
}

gboolean
mrg_store_search(const MrgStore *store, const char *text, MrgRowVisit visit,
                 gpointer context, GError **error)
{
    return store->api->search(store->instance, text, visit, context, error);
}

gboolean
mrg_store_suppressions(const MrgStore *store, const MrgPersonKey *person, gint64 now_us,
                       gsize limit, MrgSuppressionVisit visit, gpointer context,
                       GError **error)
{
    return store->api->suppressions(store->instance, person, now_us, limit, visit, context,
                                    error);
}

gboolean
mrg_store_end_suppression(const MrgStore *store, const MrgPersonKey *person,
                          const char *scope, const char *reason, gint64 at_us,
                          guint64 *n_ended, GError **error)
{
    return store->api->end_suppression(store->instance, person, scope, reason, at_us,
                                       n_ended, error);
}

gboolean
mrg_store_events_since(const MrgStore *store, gint64 since_us, MrgEventVisit visit,
                       gpointer context, GError **error)
{
    return store->api->events_since(store->instance, since_us, visit, context, error);
}

gboolean
mrg_store_holds(const MrgStore *store, const MrgHoldFilter *filter, MrgHoldVisit visit,
                gpointer context, GError **error)
{
    return store->api->holds(store->instance, filter, visit, context, error);
}

gboolean
mrg_store_end_hold(const MrgStore *store, const MrgMessageKey *message, GError **error)
{
    return store->api->end_hold(store->instance, message, error);
}

MrgCommit
mrg_store_put_history(const MrgStore *store, const MrgAccount *account, GError **error)
{
    return store->api->put_history(store->instance, account, error);
}

MrgCommit
mrg_store_settle_hold(const MrgStore *store, const MrgOutcome *outcome, GError **error)
{
    return store->api->settle_hold(store->instance, outcome, error);
}

gboolean
mrg_sink_write(const MrgSink *sink, const MrgSinkEvent *events, gsize n, GError **error)
{
    return sink->api->write(sink->instance, events, n, error);
}
