/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/memory/memory.h"

/* ---- fields ------------------------------------------------------------ */

static void
put_field(MrgMemoryPerson *person, const MrgProfileField *field)
{
    if (field->value.type == MRG_FIELD_MISSING || field->value.type == MRG_FIELD_NULL) {
        g_hash_table_remove(person->fields, field->name);
        return;
    }
    MrgMemoryValue *value = g_new(MrgMemoryValue, 1);
    *value = (MrgMemoryValue){field->value.type,
                              g_strndup(field->value.text, field->value.length),
                              field->value.length};
    g_hash_table_replace(person->fields, g_strdup(field->name), value);
}

/* ---- consents ---------------------------------------------------------- */

static gboolean
is_same_consent(gconstpointer a, gconstpointer b)
{
    const MrgConsent *one = a, *other = b;
    return one->at_us == other->at_us && one->state == other->state &&
           strcmp(one->purpose, other->purpose) == 0;
}

/* Of two for the same purpose. */
static gboolean
is_later_consent(const MrgConsent *a, const MrgConsent *b)
{
    return a->at_us > b->at_us || (a->at_us == b->at_us && a->state > b->state);
}

GPtrArray *
mrg_memory_current_consents(const MrgMemoryPerson *person)
{
    GPtrArray *current = g_ptr_array_new();
    for (guint i = 0; i < person->consents->len; i++) {
        MrgConsent *consent = g_ptr_array_index(person->consents, i);
        guint at = 0;
        while (at < current->len &&
               strcmp(((MrgConsent *) g_ptr_array_index(current, at))->purpose,
                      consent->purpose) != 0)
            at++;
        if (at == current->len)
            g_ptr_array_add(current, consent);
        else if (is_later_consent(consent, g_ptr_array_index(current, at)))
            g_ptr_array_index(current, at) = consent;
    }
    return current;
}

static void
put_consent(MrgMemoryStore *self, const MrgPersonKey *key, const MrgConsent *consent)
{
    MrgMemoryPerson *person = mrg_memory_ensure(self, key);
    if (g_ptr_array_find_with_equal_func(person->consents, consent, is_same_consent, NULL))
        return;
    MrgConsent *copy = g_memdup2(consent, sizeof *consent);
    copy->purpose = g_strdup(consent->purpose);
    copy->source = g_strdup(consent->source ? consent->source : "");
    g_ptr_array_add(person->consents, copy);
    mrg_memory_changed(self, key, person);
}

/* ---- suppressions ------------------------------------------------------ */

gboolean
mrg_memory_suppression_holds(const MrgSuppression *suppression, gint64 at_us)
{
    return suppression->until_us == 0 || suppression->until_us > at_us;
}

/* 0 is for good, later than any time. */
static gint64
later(gint64 a_us, gint64 b_us)
{
    return a_us && b_us ? MAX(a_us, b_us) : 0;
}

/* FALSE: it says nothing new. */
static gboolean
merge_suppression(MrgSuppression *current, const MrgSuppression *next)
{
    MrgSuppression before = *current;
    if (!mrg_memory_suppression_holds(current, next->at_us))
        current->at_us = next->at_us;
    current->until_us = later(before.until_us, next->until_us);
    return current->at_us != before.at_us || current->until_us != before.until_us;
}

static gboolean
is_same_suppression(gconstpointer a, gconstpointer b)
{
    const MrgSuppression *one = a, *other = b;
    return strcmp(one->scope, other->scope) == 0 && strcmp(one->reason, other->reason) == 0;
}

void
mrg_memory_put_suppression(MrgMemoryStore *self, const MrgPersonKey *key,
                           const MrgSuppression *suppression)
{
    MrgMemoryPerson *person = mrg_memory_ensure(self, key);
    guint at;
    if (g_ptr_array_find_with_equal_func(person->suppressions, suppression,
                                         is_same_suppression, &at)) {
        if (merge_suppression(g_ptr_array_index(person->suppressions, at), suppression))
            mrg_memory_changed(self, key, person);
        return;
    }
    MrgSuppression *copy = g_memdup2(suppression, sizeof *suppression);
    copy->scope = g_strdup(suppression->scope);
    copy->reason = g_strdup(suppression->reason);
    g_ptr_array_add(person->suppressions, copy);
    mrg_memory_changed(self, key, person);
}

gboolean
mrg_memory_end_suppression(gpointer store, const MrgPersonKey *key, const char *scope,
                           const char *reason, gint64 at_us, guint64 *n_ended,
                           GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    guint64 n = 0;
    pthread_mutex_lock(&self->lock);
    MrgMemoryPerson *person = g_hash_table_lookup(self->people, key);
    for (guint i = 0; person && i < person->suppressions->len; i++) {
        MrgSuppression *row = g_ptr_array_index(person->suppressions, i);
        if ((scope && strcmp(scope, row->scope) != 0) ||
            (reason && strcmp(reason, row->reason) != 0) ||
            !mrg_memory_suppression_holds(row, at_us))
            continue;
        row->until_us = at_us;
        n++;
    }
    if (n)
        mrg_memory_changed(self, key, person);
    pthread_mutex_unlock(&self->lock);
    *n_ended = n;
    return TRUE;
}

typedef struct Listing {
    gint64 now_us;
    gsize limit;
    MrgSuppressionVisit visit;
    gpointer context;
} Listing;

/* FALSE: no more are wanted. */
static gboolean
visit_suppressions(Listing *listing, const MrgPersonKey *key, const MrgMemoryPerson *person)
{
    for (guint i = 0; person && i < person->suppressions->len; i++) {
        const MrgSuppression *row = g_ptr_array_index(person->suppressions, i);
        if (!mrg_memory_suppression_holds(row, listing->now_us))
            continue;
        if (listing->limit-- == 0 || !listing->visit(key, row, listing->context))
            return FALSE;
    }
    return TRUE;
}

gboolean
mrg_memory_suppressions(gpointer store, const MrgPersonKey *person, gint64 now_us,
                        gsize limit, MrgSuppressionVisit visit, gpointer context,
                        GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    Listing listing = {now_us, limit, visit, context};
    pthread_mutex_lock(&self->lock);
    if (person) {
        visit_suppressions(&listing, person, mrg_memory_find(self, person));
    } else {
        guint n;
        g_autofree gpointer *keys = mrg_memory_sorted_keys(self->people, &n);
        for (guint i = 0; i < n; i++)
            if (!visit_suppressions(&listing, keys[i], mrg_memory_find(self, keys[i])))
                break;
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

/* ---- engagement -------------------------------------------------------- */

static gint
compare_engagements(const MrgEngagement *a, const MrgEngagement *b)
{
    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return strcmp(a->kind, b->kind);
}

static void
put_engagement(MrgMemoryPerson *person, const MrgEngagement *engagement)
{
    GPtrArray *rows = person->engagements;
    guint at = rows->len;
    gint order = 1;
    while (at > 0 &&
           (order = compare_engagements(engagement, g_ptr_array_index(rows, at - 1))) < 0)
        at--;
    if ((at > 0 && order == 0) || (at == 0 && rows->len == MRG_ENGAGEMENT_MAX))
        return;
    MrgEngagement *copy = g_new(MrgEngagement, 1);
    *copy = (MrgEngagement){g_strdup(engagement->kind), engagement->at_us};
    g_ptr_array_insert(rows, (gint) at, copy);
    if (rows->len > MRG_ENGAGEMENT_MAX)
        g_ptr_array_remove_index(rows, 0);
    person->version++;
}

/* ---- import ------------------------------------------------------------ */

void
mrg_memory_put_profile(MrgMemoryStore *self, const MrgProfile *profile)
{
    MrgMemoryPerson *person;
    if (profile->address) {
        person = mrg_memory_ensure(self, &profile->person);
        g_free(person->address);
        person->address = g_strdup(profile->address);
        for (gsize i = 0; i < profile->n_fields; i++)
            put_field(person, &profile->fields[i]);
    }
    for (gsize i = 0; i < profile->n_consents; i++)
        put_consent(self, &profile->person, &profile->consents[i]);
    for (gsize i = 0; i < profile->n_suppressions; i++)
        mrg_memory_put_suppression(self, &profile->person, &profile->suppressions[i]);
    for (gsize i = 0; i < profile->n_engagements; i++)
        put_engagement(mrg_memory_ensure(self, &profile->person), &profile->engagements[i]);
}

/* A profile with all that it points to, in a chunk of strings. */
static MrgProfile *
profile_copy(const MrgProfile *from, GStringChunk *texts, GPtrArray *blocks)
{
#define COPY(array, n)                                                 \
    (g_ptr_array_add(blocks, g_memdup2(array, (n) * sizeof *(array))), \
     g_ptr_array_index(blocks, blocks->len - 1))
    MrgProfile *copy = COPY(from, 1);
    MrgProfileField *fields = COPY(from->fields, from->n_fields);
    MrgConsent *consents = COPY(from->consents, from->n_consents);
    MrgSuppression *suppressions = COPY(from->suppressions, from->n_suppressions);
    MrgEngagement *engagements = COPY(from->engagements, from->n_engagements);
#undef COPY
    for (gsize i = 0; i < from->n_fields; i++) {
        fields[i].name = g_string_chunk_insert(texts, fields[i].name);
        if (fields[i].value.text)
            fields[i].value.text = g_string_chunk_insert_len(
                texts, fields[i].value.text, (gssize) fields[i].value.length);
    }
    for (gsize i = 0; i < from->n_consents; i++) {
        consents[i].purpose = g_string_chunk_insert(texts, consents[i].purpose);
        if (consents[i].source)
            consents[i].source = g_string_chunk_insert(texts, consents[i].source);
    }
    for (gsize i = 0; i < from->n_suppressions; i++) {
        suppressions[i].scope = g_string_chunk_insert(texts, suppressions[i].scope);
        suppressions[i].reason = g_string_chunk_insert(texts, suppressions[i].reason);
    }
    for (gsize i = 0; i < from->n_engagements; i++)
        engagements[i].kind = g_string_chunk_insert(texts, engagements[i].kind);
    copy->address = from->address ? g_string_chunk_insert(texts, from->address) : NULL;
    copy->fields = fields;
    copy->consents = consents;
    copy->suppressions = suppressions;
    copy->engagements = engagements;
    return copy;
}

/* All are read before the first is put, and so nothing has to be rolled back. */
gboolean
mrg_memory_import(gpointer store, MrgProfileNext next, gpointer context,
                  guint64 *n_imported, GError **error)
{
    MrgMemoryStore *self = store;
    g_autoptr(GPtrArray) profiles = g_ptr_array_new();
    g_autoptr(GPtrArray) blocks = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GStringChunk) texts = g_string_chunk_new(4096);
    g_autoptr(GError) problem = NULL;
    const MrgProfile *profile;
    while ((profile = next(context, &problem)))
        g_ptr_array_add(profiles, profile_copy(profile, texts, blocks));
    if (problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    pthread_mutex_lock(&self->lock);
    for (guint i = 0; i < profiles->len; i++)
        mrg_memory_put_profile(self, g_ptr_array_index(profiles, i));
    pthread_mutex_unlock(&self->lock);
    *n_imported = profiles->len;
    return TRUE;
}

gboolean
mrg_memory_homes(gpointer store, const char *field, MrgHomeVisit visit, gpointer context,
                 GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    GHashTableIter each;
    gpointer key, data;
    gboolean is_wanted = TRUE;
    pthread_mutex_lock(&self->lock);
    g_hash_table_iter_init(&each, self->people);
    while (is_wanted && g_hash_table_iter_next(&each, &key, &data)) {
        const MrgMemoryPerson *person = data;
        const MrgMemoryValue *value = g_hash_table_lookup(person->fields, field);
        MrgField found = {.type = MRG_FIELD_MISSING};
        if (value)
            found = (MrgField){value->type, value->text, value->length};
        if (person->address)
            is_wanted = visit(key, person->address, &found, context);
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

static gboolean
agrees_to_profile(const MrgMemoryPerson *person)
{
    g_autoptr(GPtrArray) current = mrg_memory_current_consents(person);
    for (guint i = 0; i < current->len; i++) {
        const MrgConsent *consent = g_ptr_array_index(current, i);
        if (strcmp(consent->purpose, "profile") == 0)
            return consent->state == MRG_CONSENT_GRANTED;
    }
    return FALSE;
}

gboolean
mrg_memory_engagements(gpointer store, MrgEngagementVisit visit, gpointer context,
                       GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    GHashTableIter each;
    gpointer key, data;
    gboolean is_wanted = TRUE;
    pthread_mutex_lock(&self->lock);
    g_hash_table_iter_init(&each, self->people);
    while (is_wanted && g_hash_table_iter_next(&each, &key, &data)) {
        const MrgMemoryPerson *person = data;
        g_autoptr(GString) lines = g_string_new(NULL);
        for (guint i = 0; i < person->engagements->len; i++) {
            const MrgEngagement *act = g_ptr_array_index(person->engagements, i);
            g_string_append_printf(lines, "%" G_GINT64_FORMAT " %s\n", act->at_us,
                                   act->kind);
        }
        if (agrees_to_profile(person))
            is_wanted = visit(key, lines->str, context);
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

gboolean
mrg_memory_list(gpointer store, gsize limit, MrgPersonVisit visit, gpointer context,
                GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    guint n;
    pthread_mutex_lock(&self->lock);
    g_autofree gpointer *keys = mrg_memory_sorted_keys(self->people, &n);
    for (guint i = 0; i < n && limit > 0; i++) {
        const MrgMemoryPerson *person = mrg_memory_find(self, keys[i]);
        if (!person->address)
            continue;
        limit--;
        if (!visit(person->address, context))
            break;
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}
