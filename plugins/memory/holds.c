/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/memory/memory.h"

static void
add_hold(MrgMemoryStore *self, const MrgHold *hold)
{
    MrgMemoryHold *row = g_new0(MrgMemoryHold, 1);
    row->hold = *hold;
    row->hold.host = g_strdup(hold->host);
    row->hold.queue_id = g_strdup(hold->queue_id);
    row->hold.campaign = g_strdup(hold->campaign);
    row->hold.class_name = g_strdup(hold->class_name);
    row->hold.list = g_strdup(hold->list ? hold->list : "");
    g_hash_table_insert(self->holds, g_memdup2(&hold->message, sizeof hold->message), row);
}

/* What may still be where the copy was is to be deleted there. */
static void
leave_hold(MrgMemoryStore *self, const MrgHold *was)
{
    MrgHold left = *was;
    for (gsize i = 0; i < MRG_KEY_BYTES; i++)
        left.message.bytes[i] = (guint8) g_random_int_range(0, 256);
    left.is_settled = TRUE;
    left.settlement = MRG_VERDICT_DROP;
    add_hold(self, &left);
}

void
mrg_memory_put_hold(MrgMemoryStore *self, const MrgHold *hold)
{
    MrgMemoryHold *row = g_hash_table_lookup(self->holds, &hold->message);
    if (!row) {
        add_hold(self, hold);
        return;
    }
    if (strcmp(row->hold.host, hold->host) != 0 ||
        strcmp(row->hold.queue_id, hold->queue_id) != 0)
        leave_hold(self, &row->hold);
    g_free((gpointer) row->hold.host);
    g_free((gpointer) row->hold.queue_id);
    row->hold.host = g_strdup(hold->host);
    row->hold.queue_id = g_strdup(hold->queue_id);
    row->hold.at_us = hold->at_us;
}

gboolean
mrg_memory_move_hold(gpointer store, const MrgHold *hold, gint64 deadline_us G_GNUC_UNUSED,
                     GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    mrg_memory_put_hold(self, hold);
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

/* ---- listing ----------------------------------------------------------- */

static gboolean
is_due(const MrgMemoryHold *row, gint64 due_us)
{
    return due_us == G_MAXINT64 || row->hold.is_settled || row->is_changed ||
           (row->hold.until_us && row->hold.until_us <= due_us);
}

static gboolean
is_asked_for(const MrgMemoryHold *row, const MrgHoldFilter *filter)
{
    return (!filter->host || strcmp(filter->host, row->hold.host) == 0) &&
           (!filter->campaign || strcmp(filter->campaign, row->hold.campaign) == 0) &&
           is_due(row, filter->due_us);
}

static gint
compare_holds(gconstpointer a, gconstpointer b)
{
    const MrgMemoryHold *one = *(const MrgMemoryHold *const *) a;
    const MrgMemoryHold *other = *(const MrgMemoryHold *const *) b;
    if (one->hold.at_us != other->hold.at_us)
        return one->hold.at_us < other->hold.at_us ? -1 : 1;
    return memcmp(&one->hold.message, &other->hold.message, MRG_KEY_BYTES);
}

gboolean
mrg_memory_holds(gpointer store, const MrgHoldFilter *filter, MrgHoldVisit visit,
                 gpointer context, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    GHashTableIter each;
    gpointer row;
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    pthread_mutex_lock(&self->lock);
    g_hash_table_iter_init(&each, self->holds);
    while (g_hash_table_iter_next(&each, NULL, &row))
        if (is_asked_for(row, filter))
            g_ptr_array_add(found, row);
    g_ptr_array_sort(found, compare_holds);
    for (guint i = 0; i < found->len; i++)
        if (!visit(&((const MrgMemoryHold *) g_ptr_array_index(found, i))->hold, context))
            break;
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

/* ---- settling ---------------------------------------------------------- */

static gboolean
may_settle(const MrgHold *hold, MrgVerdict verdict)
{
    return !hold->is_settled ||
           (hold->settlement == MRG_VERDICT_DELIVER && verdict == MRG_VERDICT_DROP);
}

static void
settle(MrgMemoryHold *row, const MrgOutcome *outcome)
{
    row->is_changed = FALSE;
    row->hold.is_settled = outcome->event.verdict != MRG_VERDICT_HOLD;
    row->hold.settlement = outcome->event.verdict;
    row->hold.until_us = outcome->until_us;
}

MrgCommit
mrg_memory_settle_hold(gpointer store, const MrgOutcome *outcome,
                       GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    MrgMemoryHold *row = g_hash_table_lookup(self->holds, &outcome->message);
    gboolean is_current = row && may_settle(&row->hold, outcome->event.verdict) &&
                          memcmp(&row->hold.person, &outcome->person, MRG_KEY_BYTES) == 0 &&
                          mrg_memory_is_current(self, outcome);
    if (is_current) {
        settle(row, outcome);
        mrg_memory_record(self, outcome, TRUE);
    }
    pthread_mutex_unlock(&self->lock);
    return is_current ? MRG_COMMIT_DONE : MRG_COMMIT_CONFLICT;
}

gboolean
mrg_memory_end_holds(gpointer store, const MrgMessageKey *messages, gsize n,
                     GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    for (gsize i = 0; i < n; i++)
        g_hash_table_remove(self->holds, &messages[i]);
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}
