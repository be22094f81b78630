/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/memory/memory.h"

/* ---- retention --------------------------------------------------------- */

static void
remove_oldest_event(MrgMemoryStore *self, MrgMemoryPerson *person)
{
    const MrgMemoryEvent *row = g_ptr_array_index(person->events, 0);
    if (g_hash_table_lookup(self->messages, &row->event.message) == row)
        g_hash_table_remove(self->messages, &row->event.message);
    g_ptr_array_remove_index(person->events, 0);
}

static guint64
retain_events(MrgMemoryStore *self, MrgMemoryPerson *person, gint64 since_us)
{
    guint64 n = 0;
    for (; person->events->len; n++) {
        const MrgMemoryEvent *oldest = g_ptr_array_index(person->events, 0);
        if (oldest->event.at_us >= since_us)
            break;
        remove_oldest_event(self, person);
    }
    return n;
}

static guint64
retain_engagements(MrgMemoryPerson *person, gint64 since_us)
{
    guint64 n = 0;
    for (; person->engagements->len; n++) {
        const MrgEngagement *oldest = g_ptr_array_index(person->engagements, 0);
        if (oldest->at_us >= since_us)
            break;
        g_ptr_array_remove_index(person->engagements, 0);
    }
    person->version += n > 0;
    return n;
}

gboolean
mrg_memory_retain(gpointer store, const MrgRetention *retention, guint64 *n_rows,
                  GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    GHashTableIter each;
    gpointer person;
    guint64 n = 0;
    pthread_mutex_lock(&self->lock);
    g_hash_table_iter_init(&each, self->people);
    while (g_hash_table_iter_next(&each, NULL, &person)) {
        if (retention->events_us)
            n += retain_events(self, person, retention->events_us);
        if (retention->engagement_us)
            n += retain_engagements(person, retention->engagement_us);
    }
    if (retention->hits_us)
        n += mrg_memory_remove_hits(self, NULL, retention->hits_us);
    pthread_mutex_unlock(&self->lock);
    *n_rows = n;
    return TRUE;
}

/* ---- erasure ----------------------------------------------------------- */

static void
drop_holds(MrgMemoryStore *self, const MrgPersonKey *key)
{
    GHashTableIter each;
    gpointer row;
    g_hash_table_iter_init(&each, self->holds);
    while (g_hash_table_iter_next(&each, NULL, &row)) {
        MrgHold *hold = &((MrgMemoryHold *) row)->hold;
        if (memcmp(&hold->person, key, sizeof *key) != 0)
            continue;
        hold->is_settled = TRUE;
        hold->settlement = MRG_VERDICT_DROP;
    }
}

gboolean
mrg_memory_erase(gpointer store, const MrgPersonKey *key, gint64 at_us,
                 GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    MrgSuppression erased = {"all", "erased", at_us, 0};
    pthread_mutex_lock(&self->lock);
    MrgMemoryPerson *person = mrg_memory_ensure(self, key);
    g_clear_pointer(&person->address, g_free);
    g_string_truncate(person->history, 0);
    g_hash_table_remove_all(person->fields);
    g_ptr_array_set_size(person->consents, 0);
    g_ptr_array_set_size(person->engagements, 0);
    while (person->events->len)
        remove_oldest_event(self, person);
    person->version++;
    mrg_memory_put_suppression(self, key, &erased);
    drop_holds(self, key);
    mrg_memory_remove_hits(self, key, G_MININT64);
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}
