/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/memory/memory.h"

G_STATIC_ASSERT(sizeof(MrgPersonKey) == sizeof(MrgMessageKey));

/* Both kinds of key are hashes already. */
static guint
key_hash(gconstpointer key)
{
    guint hash;
    memcpy(&hash, key, sizeof hash);
    return hash;
}

static gboolean
key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, MRG_KEY_BYTES) == 0;
}

static gint
compare_keys(gconstpointer a, gconstpointer b)
{
    return memcmp(*(const gconstpointer *) a, *(const gconstpointer *) b, MRG_KEY_BYTES);
}

gpointer *
mrg_memory_sorted_keys(GHashTable *table, guint *n)
{
    gpointer *keys = g_hash_table_get_keys_as_array(table, n);
    if (*n)
        qsort(keys, *n, sizeof *keys, compare_keys);
    return keys;
}

/* ---- rows --------------------------------------------------------------- */

static void
value_free(gpointer data)
{
    MrgMemoryValue *value = data;
    g_free(value->text);
    g_free(value);
}

static void
consent_free(gpointer data)
{
    MrgConsent *consent = data;
    g_free((gpointer) consent->purpose);
    g_free((gpointer) consent->source);
    g_free(consent);
}

static void
suppression_free(gpointer data)
{
    MrgSuppression *suppression = data;
    g_free((gpointer) suppression->scope);
    g_free((gpointer) suppression->reason);
    g_free(suppression);
}

static void
engagement_free(gpointer data)
{
    MrgEngagement *engagement = data;
    g_free((gpointer) engagement->kind);
    g_free(engagement);
}

void
mrg_memory_event_free(gpointer data)
{
    MrgMemoryEvent *row = data;
    g_free((gpointer) row->event.campaign);
    g_free((gpointer) row->event.class_name);
    g_free((gpointer) row->event.sender);
    g_free((gpointer) row->event.tags);
    g_free((gpointer) row->event.reason);
    g_free(row);
}

void
mrg_memory_hold_free(gpointer data)
{
    MrgMemoryHold *row = data;
    g_free((gpointer) row->hold.host);
    g_free((gpointer) row->hold.queue_id);
    g_free((gpointer) row->hold.campaign);
    g_free((gpointer) row->hold.class_name);
    g_free((gpointer) row->hold.list);
    g_free(row);
}

/* ---- people ------------------------------------------------------------- */

static void
person_free(gpointer data)
{
    MrgMemoryPerson *person = data;
    g_free(person->address);
    g_string_free(person->history, TRUE);
    g_hash_table_unref(person->fields);
    g_ptr_array_unref(person->consents);
    g_ptr_array_unref(person->suppressions);
    g_ptr_array_unref(person->engagements);
    g_ptr_array_unref(person->events);
    g_free(person);
}

static MrgMemoryPerson *
person_new(void)
{
    MrgMemoryPerson *person = g_new0(MrgMemoryPerson, 1);
    person->history = g_string_new(NULL);
    person->fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, value_free);
    person->consents = g_ptr_array_new_with_free_func(consent_free);
    person->suppressions = g_ptr_array_new_with_free_func(suppression_free);
    person->engagements = g_ptr_array_new_with_free_func(engagement_free);
    person->events = g_ptr_array_new_with_free_func(mrg_memory_event_free);
    return person;
}

const MrgMemoryPerson *
mrg_memory_find(const MrgMemoryStore *self, const MrgPersonKey *key)
{
    return g_hash_table_lookup(self->people, key);
}

MrgMemoryPerson *
mrg_memory_ensure(MrgMemoryStore *self, const MrgPersonKey *key)
{
    MrgMemoryPerson *person = g_hash_table_lookup(self->people, key);
    if (!person) {
        person = person_new();
        g_hash_table_insert(self->people, g_memdup2(key, sizeof *key), person);
    }
    return person;
}

void
mrg_memory_changed(MrgMemoryStore *self, const MrgPersonKey *key, MrgMemoryPerson *person)
{
    GHashTableIter each;
    gpointer row;
    person->version++;
    g_hash_table_iter_init(&each, self->holds);
    while (g_hash_table_iter_next(&each, NULL, &row)) {
        MrgMemoryHold *hold = row;
        hold->is_changed |= key_equal(&hold->hold.person, key);
    }
}

/* ---- the store ---------------------------------------------------------- */

MrgMemoryStore *
mrg_memory_new(void)
{
    MrgMemoryStore *self = g_new0(MrgMemoryStore, 1);
    pthread_mutex_init(&self->lock, NULL);
    self->people = g_hash_table_new_full(key_hash, key_equal, g_free, person_free);
    self->messages = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
    self->holds = g_hash_table_new_full(key_hash, key_equal, g_free, mrg_memory_hold_free);
    self->campaigns = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->links =
        g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify) g_hash_table_unref);
    mrg_memory_init_hits(self);
    return self;
}

void
mrg_memory_free(MrgMemoryStore *self)
{
    g_hash_table_unref(self->messages);
    g_hash_table_unref(self->people);
    g_hash_table_unref(self->holds);
    g_hash_table_unref(self->campaigns);
    g_hash_table_unref(self->links);
    mrg_memory_clear_hits(self);
    pthread_mutex_destroy(&self->lock);
    g_free(self);
}
