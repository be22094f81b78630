/* SPDX-License-Identifier: Apache-2.0 */
/* What the world answers: hits, web events, deliveries, and how far a journal is loaded. */
#include "config.h"

#include <string.h>

#include "plugins/memory/memory.h"

/* ---- rows -------------------------------------------------------------- */

typedef struct Position {
    guint64 segment, offset;
} Position;

static void
hit_free(gpointer data)
{
    MrgHitRow *row = data;
    g_free((gpointer) row->agent);
    g_free((gpointer) row->reason);
    g_free(row);
}

static void
web_event_free(gpointer data)
{
    MrgWebEvent *row = data;
    g_free((gpointer) row->site);
    g_free((gpointer) row->name);
    g_free((gpointer) row->anonymous_id);
    g_free((gpointer) row->event_id);
    g_free((gpointer) row->data);
    g_free(row);
}

static void
delivery_free(gpointer data)
{
    MrgDelivery *row = data;
    g_free((gpointer) row->code);
    g_free(row);
}

void
mrg_memory_init_hits(MrgMemoryStore *self)
{
    self->hits = g_ptr_array_new_with_free_func(hit_free);
    self->web_events = g_ptr_array_new_with_free_func(web_event_free);
    self->deliveries = g_ptr_array_new_with_free_func(delivery_free);
    self->identities = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->journals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void
mrg_memory_clear_hits(MrgMemoryStore *self)
{
    g_ptr_array_unref(self->hits);
    g_ptr_array_unref(self->web_events);
    g_ptr_array_unref(self->deliveries);
    g_hash_table_unref(self->identities);
    g_hash_table_unref(self->journals);
}

/* ---- recording --------------------------------------------------------- */

static void
put_hit(MrgMemoryStore *self, const MrgHitRow *hit)
{
    MrgHitRow *row = g_memdup2(hit, sizeof *hit);
    row->agent = g_strdup(hit->agent);
    row->reason = g_strdup(hit->reason);
    row->id = ++self->last_hit;
    g_ptr_array_add(self->hits, row);
}

static char *
identity_name(const MrgWebEvent *event)
{
    return g_strconcat(event->site, "\n", event->anonymous_id, NULL);
}

/* Who the anonymous id is, or is from now on. */
static void
identify(MrgMemoryStore *self, MrgWebEvent *event)
{
    if (!*event->anonymous_id)
        return;
    g_autofree char *name = identity_name(event);
    if (event->identifies && event->has_person)
        g_hash_table_replace(self->identities, g_strdup(name),
                             g_memdup2(&event->person, sizeof event->person));
    const MrgPersonKey *known = g_hash_table_lookup(self->identities, name);
    if (!event->has_person && known) {
        event->has_person = TRUE;
        event->person = *known;
    }
}

static gboolean
has_web_event(const MrgMemoryStore *self, const MrgWebEvent *event)
{
    for (guint i = 0; *event->event_id && i < self->web_events->len; i++) {
        const MrgWebEvent *row = g_ptr_array_index(self->web_events, i);
        if (strcmp(row->site, event->site) == 0 &&
            strcmp(row->event_id, event->event_id) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
put_web_event(MrgMemoryStore *self, const MrgWebEvent *event)
{
    MrgWebEvent *row;
    if (has_web_event(self, event))
        return;
    row = g_memdup2(event, sizeof *event);
    row->site = g_strdup(event->site);
    row->name = g_strdup(event->name);
    row->anonymous_id = g_strdup(event->anonymous_id);
    row->event_id = g_strdup(event->event_id);
    row->data = g_strdup(event->data);
    identify(self, row);
    g_ptr_array_add(self->web_events, row);
}

static void
put_delivery(MrgMemoryStore *self, const MrgDelivery *delivery)
{
    MrgDelivery *row = NULL;
    for (guint i = 0; i < self->deliveries->len && !row; i++) {
        MrgDelivery *other = g_ptr_array_index(self->deliveries, i);
        if (other->message == delivery->message && other->state == delivery->state)
            row = other;
    }
    if (!row) {
        row = g_memdup2(delivery, sizeof *delivery);
        row->code = g_strdup(delivery->code);
        g_ptr_array_add(self->deliveries, row);
    } else if (delivery->at_us > row->at_us) {
        row->at_us = delivery->at_us;
        g_free((gpointer) row->code);
        row->code = g_strdup(delivery->code);
    }
}

/* FALSE where another was faster. */
static gboolean
swap_position(MrgMemoryStore *self, const MrgHitBatch *batch)
{
    if (!batch->journal)
        return TRUE;
    const Position *is = g_hash_table_lookup(self->journals, batch->journal);
    Position next = {batch->to_segment, batch->to_offset};
    if ((is ? is->segment : 0) != batch->from_segment ||
        (is ? is->offset : 0) != batch->from_offset)
        return FALSE;
    g_hash_table_replace(self->journals, g_strdup(batch->journal),
                         g_memdup2(&next, sizeof next));
    return TRUE;
}

MrgCommit
mrg_memory_record_hits(gpointer store, const MrgHitBatch *batch,
                       GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    gboolean is_current = swap_position(self, batch);
    for (gsize i = 0; is_current && i < batch->n_hits; i++)
        put_hit(self, &batch->hits[i]);
    for (gsize i = 0; is_current && i < batch->n_web_events; i++)
        put_web_event(self, &batch->web_events[i]);
    for (gsize i = 0; is_current && i < batch->n_deliveries; i++)
        put_delivery(self, &batch->deliveries[i]);
    for (gsize i = 0; is_current && i < batch->n_people; i++)
        mrg_memory_put_profile(self, &batch->people[i]);
    pthread_mutex_unlock(&self->lock);
    return is_current ? MRG_COMMIT_DONE : MRG_COMMIT_CONFLICT;
}

gboolean
mrg_memory_journal_position(gpointer store, const char *journal, guint64 *segment,
                            guint64 *offset, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    const Position *is = g_hash_table_lookup(self->journals, journal);
    *segment = is ? is->segment : 0;
    *offset = is ? is->offset : 0;
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

gboolean
mrg_memory_put_classes(gpointer store, const MrgHitRow *hits, gsize n,
                       GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    for (guint i = 0; i < self->hits->len; i++) {
        MrgHitRow *row = g_ptr_array_index(self->hits, i);
        for (gsize j = 0; j < n; j++) {
            if (hits[j].id != row->id)
                continue;
            row->hit_class = hits[j].hit_class;
            g_free((gpointer) row->reason);
            row->reason = g_strdup(hits[j].reason);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

/* ---- listing ----------------------------------------------------------- */

static gboolean
is_asked_for(const MrgHitFilter *filter, guint32 campaign, gint64 at_us,
             const MrgPersonKey *person)
{
    return (!filter->campaign || filter->campaign == campaign) &&
           at_us >= filter->since_us &&
           (!filter->person ||
            (person && memcmp(filter->person, person, sizeof *person) == 0));
}

gboolean
mrg_memory_hits(gpointer store, const MrgHitFilter *filter, MrgHitVisit visit,
                gpointer context, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    gboolean is_wanted = TRUE;
    pthread_mutex_lock(&self->lock);
    for (guint i = 0; i < self->hits->len && is_wanted; i++) {
        const MrgHitRow *row = g_ptr_array_index(self->hits, i);
        if (is_asked_for(filter, row->campaign, row->at_us,
                         row->has_person ? &row->person : NULL))
            is_wanted = visit(row, context);
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

gboolean
mrg_memory_deliveries(gpointer store, const MrgHitFilter *filter, MrgDeliveryVisit visit,
                      gpointer context, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    gboolean is_wanted = TRUE;
    pthread_mutex_lock(&self->lock);
    for (guint i = 0; i < self->deliveries->len && is_wanted; i++) {
        const MrgDelivery *row = g_ptr_array_index(self->deliveries, i);
        if (is_asked_for(filter, row->campaign, row->at_us,
                         row->has_person ? &row->person : NULL))
            is_wanted = visit(row, context);
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

/* ---- removing ---------------------------------------------------------- */

/* Of a row's person, or by its time; NULL and 0 for the other. */
static guint64
remove_rows(GPtrArray *rows, const MrgPersonKey *key, gint64 before_us, gsize person_at,
            gsize has_person_at, gsize at_at)
{
    guint64 n = 0;
    for (guint i = rows->len; i > 0; i--) {
        const char *row = g_ptr_array_index(rows, i - 1);
        gboolean has_person;
        gint64 at_us;
        memcpy(&has_person, row + has_person_at, sizeof has_person);
        memcpy(&at_us, row + at_at, sizeof at_us);
        gboolean is_theirs =
            key && has_person && memcmp(row + person_at, key, sizeof *key) == 0;
        if (!is_theirs && at_us >= before_us)
            continue;
        g_ptr_array_remove_index(rows, i - 1);
        n++;
    }
    return n;
}

#define REMOVE(rows, Type, key, before_us)                           \
    remove_rows(rows, key, before_us, G_STRUCT_OFFSET(Type, person), \
                G_STRUCT_OFFSET(Type, has_person), G_STRUCT_OFFSET(Type, at_us))

static gboolean
is_identity_of(gpointer name G_GNUC_UNUSED, gpointer person, gpointer key)
{
    return memcmp(person, key, MRG_KEY_BYTES) == 0;
}

guint64
mrg_memory_remove_hits(MrgMemoryStore *self, const MrgPersonKey *key, gint64 before_us)
{
    if (key)
        g_hash_table_foreach_remove(self->identities, is_identity_of, (gpointer) key);
    return REMOVE(self->hits, MrgHitRow, key, before_us) +
           REMOVE(self->web_events, MrgWebEvent, key, before_us) +
           REMOVE(self->deliveries, MrgDelivery, key, before_us);
}

/* ---- numbers ----------------------------------------------------------- */

static gint
compare_numbers(gconstpointer a, gconstpointer b)
{
    return GPOINTER_TO_UINT(*(const gconstpointer *) a) <
                   GPOINTER_TO_UINT(*(const gconstpointer *) b)
               ? -1
               : 1;
}

/* The name of a number within a table of numbers by names. */
static const char *
name_of(GHashTable *numbers, guint32 number)
{
    GHashTableIter each;
    gpointer name, value;
    if (!numbers)
        return NULL;
    g_hash_table_iter_init(&each, numbers);
    while (g_hash_table_iter_next(&each, &name, &value))
        if (GPOINTER_TO_UINT(value) == number)
            return name;
    return NULL;
}

static MrgFetch
copy_name(const char *found, const char **name, const MrgMemory *memory)
{
    if (!found)
        return MRG_FETCH_MISS;
    char *copy = memory->alloc(memory->context, strlen(found) + 1);
    memcpy(copy, found, strlen(found) + 1);
    *name = copy;
    return MRG_FETCH_HIT;
}

MrgFetch
mrg_memory_campaign_name(gpointer store, guint32 number, const char **name,
                         const MrgMemory *memory, gint64 deadline_us G_GNUC_UNUSED,
                         GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    MrgFetch found = copy_name(name_of(self->campaigns, number), name, memory);
    pthread_mutex_unlock(&self->lock);
    return found;
}

MrgFetch
mrg_memory_link_target(gpointer store, guint32 campaign, guint32 number,
                       const char **target, const MrgMemory *memory,
                       gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    GHashTable *links = g_hash_table_lookup(self->links, GUINT_TO_POINTER(campaign));
    MrgFetch found = copy_name(name_of(links, number), target, memory);
    pthread_mutex_unlock(&self->lock);
    return found;
}

gboolean
mrg_memory_links(gpointer store, guint32 campaign, MrgLinkVisit visit, gpointer context,
                 GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    GHashTable *links = g_hash_table_lookup(self->links, GUINT_TO_POINTER(campaign));
    GHashTableIter each;
    gpointer number;
    g_autoptr(GPtrArray) numbers = g_ptr_array_new();
    if (links) {
        g_hash_table_iter_init(&each, links);
        while (g_hash_table_iter_next(&each, NULL, &number))
            g_ptr_array_add(numbers, number);
    }
    g_ptr_array_sort(numbers, compare_numbers);
    for (guint i = 0; i < numbers->len; i++) {
        guint of = GPOINTER_TO_UINT(g_ptr_array_index(numbers, i));
        if (!visit(of, name_of(links, of), context))
            break;
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}
