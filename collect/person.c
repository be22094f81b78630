/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/person.h"

#define EVENTS_MAX 512
#define SOURCE "preference centre"

static const char *
field_text(const MrgField *field)
{
    return field->type == MRG_FIELD_STRING || field->type == MRG_FIELD_NUMBER ? field->text
                                                                              : "";
}

gboolean
mrg_visitor_load(MrgVisitor *visitor, MrgCollector *collector, const MrgToken *token,
                 MrgArena *arena, GError **error)
{
    const MrgConf *conf = collector->conf;
    const char *names[] = {conf->render_locale_field, conf->policy_frequency_field};
    MrgField fields[G_N_ELEMENTS(names)] = {{0}};
    *visitor = (MrgVisitor){.collector = collector, .token = token, .arena = arena};
    /* A setting that is empty is no name, and so MISSING. */
    MrgFetch fetch = mrg_store_fetch_and_load(
        collector->lasting->store, &token->person, names, G_N_ELEMENTS(names), fields, NULL,
        NULL, 0, &visitor->state, arena, mrg_collector_deadline(collector), error);
    if (fetch == MRG_FETCH_ERROR)
        return FALSE;
    visitor->has_profile = fetch == MRG_FETCH_HIT;
    visitor->locale = visitor->has_profile ? field_text(&fields[0]) : "";
    visitor->frequency = visitor->has_profile ? field_text(&fields[1]) : "";
    return TRUE;
}

/* ---- the copy's class */

typedef struct Search {
    guint64 message; /* of the copy */
    const char *found;
    MrgArena *arena;
} Search;

static gboolean
look_at(const MrgPersonKey *person G_GNUC_UNUSED, const MrgEvent *event, gpointer context)
{
    Search *search = context;
    guint64 message = 0;
    for (gsize i = 0; i < sizeof message; i++)
        message = message << 8 | event->message.bytes[i];
    if (message != search->message)
        return TRUE;
    search->found = mrg_arena_strdup(search->arena, event->class_name);
    return FALSE;
}

gboolean
mrg_visitor_class(MrgCollector *collector, const MrgToken *token, const char **class_name,
                  MrgArena *arena, GError **error)
{
    Search search = {token->message, NULL, arena};
    *class_name = NULL;
    if (!mrg_store_events(collector->lasting->store, &token->person, EVENTS_MAX, look_at,
                          &search, error))
        return FALSE;
    *class_name = search.found;
    return TRUE;
}

const MrgSuppression *
mrg_visitor_suppression(const MrgVisitor *visitor, const char *scope, gint64 now_us)
{
    for (gsize i = 0; i < visitor->state.n_suppressions; i++) {
        const MrgSuppression *each = &visitor->state.suppressions[i];
        if (g_str_equal(each->scope, scope) && g_str_equal(each->reason, "unsubscribed") &&
            each->at_us <= now_us && (!each->until_us || each->until_us > now_us))
            return each;
    }
    return NULL;
}

/* ---- changes */

static const MrgProfile *
next_profile(gpointer context, GError **error G_GNUC_UNUSED)
{
    const MrgProfile **profile = context, *next = *profile;
    *profile = NULL;
    return next;
}

static gboolean
write_profile(MrgCollector *collector, const MrgProfile *profile, GError **error)
{
    return mrg_store_import(collector->lasting->store, next_profile, &profile, NULL, error);
}

gboolean
mrg_visitor_suppress(MrgCollector *collector, const MrgPersonKey *person, const char *scope,
                     gint64 at_us, gint64 until_us, GError **error)
{
    const MrgSuppression suppression = {scope, "unsubscribed", at_us, until_us};
    const MrgProfile profile = {
        .person = *person, .suppressions = &suppression, .n_suppressions = 1};
    return write_profile(collector, &profile, error);
}

gboolean
mrg_visitor_consent(MrgCollector *collector, const MrgPersonKey *person,
                    const char *const *purposes, gboolean is_granted, gint64 at_us,
                    GError **error)
{
    MrgConsent consents[8];
    gsize n = 0;
    for (; purposes[n]; n++)
        consents[n] =
            (MrgConsent){purposes[n], is_granted ? MRG_CONSENT_GRANTED : MRG_CONSENT_DENIED,
                         at_us, SOURCE};
    const MrgProfile profile = {.person = *person, .consents = consents, .n_consents = n};
    return write_profile(collector, &profile, error);
}

static gboolean
find_address(const char *table, const char *const *names, const char *const *values,
             gsize n, gpointer context)
{
    Search *search = context;
    const char *dot = strrchr(table, '.');
    if (!g_str_equal(dot ? dot + 1 : table, "profile"))
        return TRUE;
    for (gsize i = 0; i < n; i++)
        if (g_str_equal(names[i], "address") && values[i])
            search->found = mrg_arena_strdup(search->arena, values[i]);
    return search->found == NULL;
}

gboolean
mrg_visitor_set_frequency(const MrgVisitor *visitor, const char *frequency, GError **error)
{
    MrgCollector *collector = visitor->collector;
    const MrgPersonKey *person = &visitor->token->person;
    Search search = {.arena = visitor->arena};
    if (!mrg_store_rows_of(collector->lasting->store, person, find_address, &search, error))
        return FALSE;
    if (!search.found)
        return TRUE;
    const MrgProfileField field = {
        collector->conf->policy_frequency_field,
        {*frequency ? MRG_FIELD_STRING : MRG_FIELD_NULL, frequency, strlen(frequency)}};
    const MrgProfile profile = {
        .person = *person, .address = search.found, .fields = &field, .n_fields = 1};
    return write_profile(collector, &profile, error);
}

/* ---- everything */

static json_t *
text_or_null(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();
    /* What is no UTF-8 is not text to anybody. */
    return value ? value : json_null();
}

static gboolean
add_row(const char *table, const char *const *names, const char *const *values, gsize n,
        gpointer context)
{
    json_t *tables = context, *row = json_object();
    const char *dot = strrchr(table, '.');
    const char *name = dot ? dot + 1 : table;
    if (!json_object_get(tables, name))
        json_object_set_new(tables, name, json_array());
    for (gsize i = 0; i < n; i++)
        json_object_set_new(row, names[i], text_or_null(values[i]));
    json_array_append_new(json_object_get(tables, name), row);
    return TRUE;
}

json_t *
mrg_visitor_rows(MrgCollector *collector, const MrgPersonKey *person, GError **error)
{
    json_t *tables = json_object();
    if (mrg_store_rows_of(collector->lasting->store, person, add_row, tables, error))
        return tables;
    json_decref(tables);
    return NULL;
}
