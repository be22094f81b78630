/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/memory/memory.h"

/* ---- accounts ---------------------------------------------------------- */

static gboolean
has_version(const MrgMemoryStore *self, const MrgPersonKey *key, guint64 version)
{
    const MrgMemoryPerson *person = mrg_memory_find(self, key);
    return (person ? person->version : 0) == version;
}

/* history NULL leaves it as it is. */
static void
put_history(MrgMemoryStore *self, const MrgPersonKey *key, const char *history,
            gsize length)
{
    MrgMemoryPerson *person = mrg_memory_ensure(self, key);
    person->version++;
    if (!history)
        return;
    g_string_truncate(person->history, 0);
    g_string_append_len(person->history, history, (gssize) length);
}

gboolean
mrg_memory_is_current(const MrgMemoryStore *self, const MrgOutcome *outcome)
{
    gboolean is_current = has_version(self, &outcome->person, outcome->version);
    for (gsize i = 0; i < outcome->n_shared; i++)
        is_current &=
            has_version(self, &outcome->shared[i].key, outcome->shared[i].version);
    return is_current;
}

MrgCommit
mrg_memory_put_history(gpointer store, const MrgAccount *account,
                       GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    gboolean is_current = has_version(self, &account->key, account->version);
    if (is_current)
        put_history(self, &account->key, account->history ? account->history : "",
                    account->history_length);
    pthread_mutex_unlock(&self->lock);
    return is_current ? MRG_COMMIT_DONE : MRG_COMMIT_CONFLICT;
}

/* ---- commit ------------------------------------------------------------ */

static MrgMemoryEvent *
event_new(const MrgOutcome *outcome, gboolean is_final, guint64 number)
{
    MrgMemoryEvent *row = g_new(MrgMemoryEvent, 1);
    *row = (MrgMemoryEvent){outcome->event, outcome->person, number, outcome->until_us};
    row->event.campaign = g_strdup(outcome->event.campaign);
    row->event.class_name = g_strdup(outcome->event.class_name);
    row->event.sender = g_strdup(outcome->event.sender);
    row->event.tags = g_strdup(outcome->event.tags);
    row->event.reason = g_strdup(outcome->event.reason);
    row->event.message = is_final ? outcome->message : (MrgMessageKey){{0}};
    return row;
}

static void
add_event(MrgMemoryPerson *person, MrgMemoryEvent *row)
{
    guint at = person->events->len;
    while (
        at > 0 &&
        ((const MrgMemoryEvent *) g_ptr_array_index(person->events, at - 1))->event.at_us >
            row->event.at_us)
        at--;
    g_ptr_array_insert(person->events, (gint) at, row);
}

void
mrg_memory_record(MrgMemoryStore *self, const MrgOutcome *outcome, gboolean is_final)
{
    MrgMemoryEvent *row = event_new(outcome, is_final, ++self->last_event);
    put_history(self, &outcome->person, outcome->history, outcome->history_length);
    for (gsize i = 0; i < outcome->n_shared; i++)
        put_history(self, &outcome->shared[i].key, outcome->shared[i].history,
                    outcome->shared[i].history_length);
    add_event(mrg_memory_ensure(self, &outcome->person), row);
    if (is_final)
        g_hash_table_insert(self->messages,
                            g_memdup2(&outcome->message, sizeof outcome->message), row);
}

MrgCommit
mrg_memory_commit(gpointer store, const MrgOutcome *outcome,
                  gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    gboolean is_current = mrg_memory_is_current(self, outcome) &&
                          !g_hash_table_contains(self->messages, &outcome->message);
    if (is_current) {
        mrg_memory_record(self, outcome, outcome->is_final);
        if (outcome->event.verdict == MRG_VERDICT_HOLD && outcome->host) {
            MrgHold hold = mrg_outcome_hold(outcome);
            mrg_memory_put_hold(self, &hold);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return is_current ? MRG_COMMIT_DONE : MRG_COMMIT_CONFLICT;
}

/* ---- events ------------------------------------------------------------ */

gboolean
mrg_memory_events(gpointer store, const MrgPersonKey *key, gsize limit, MrgEventVisit visit,
                  gpointer context, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    const MrgMemoryPerson *person = mrg_memory_find(self, key);
    gboolean is_wanted = TRUE;
    for (guint i = person ? person->events->len : 0; i > 0 && limit > 0 && is_wanted;
         limit--) {
        const MrgMemoryEvent *row = g_ptr_array_index(person->events, --i);
        is_wanted = visit(key, &row->event, context);
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

static gint
compare_events(gconstpointer a, gconstpointer b, gpointer order G_GNUC_UNUSED)
{
    const MrgMemoryEvent *one = *(const MrgMemoryEvent *const *) a;
    const MrgMemoryEvent *other = *(const MrgMemoryEvent *const *) b;
    if (one->event.at_us != other->event.at_us)
        return one->event.at_us < other->event.at_us ? -1 : 1;
    return one->number < other->number ? -1 : 1;
}

/* Of every event it is known whose it is: by the person that holds it. */
static void
visit_sorted(MrgMemoryStore *self, const char *campaign, gint64 since_us,
             MrgEventVisit visit, gpointer context)
{
    GHashTableIter each;
    gpointer value;
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    pthread_mutex_lock(&self->lock);
    g_hash_table_iter_init(&each, self->people);
    while (g_hash_table_iter_next(&each, NULL, &value)) {
        const MrgMemoryPerson *person = value;
        for (guint i = 0; i < person->events->len; i++) {
            MrgMemoryEvent *row = g_ptr_array_index(person->events, i);
            if (row->event.at_us >= since_us &&
                (!campaign || strcmp(row->event.campaign, campaign) == 0))
                g_ptr_array_add(found, row);
        }
    }
    g_ptr_array_sort_with_data(found, compare_events, NULL);
    for (guint i = 0; i < found->len; i++) {
        const MrgMemoryEvent *row = g_ptr_array_index(found, i);
        if (!visit(&row->person, &row->event, context))
            break;
    }
    pthread_mutex_unlock(&self->lock);
}

gboolean
mrg_memory_events_since(gpointer store, gint64 since_us, MrgEventVisit visit,
                        gpointer context, GError **error G_GNUC_UNUSED)
{
    visit_sorted(store, NULL, since_us, visit, context);
    return TRUE;
}

gboolean
mrg_memory_campaign_events(gpointer store, const char *campaign, MrgEventVisit visit,
                           gpointer context, GError **error G_GNUC_UNUSED)
{
    visit_sorted(store, campaign, G_MININT64, visit, context);
    return TRUE;
}

/* ---- numbers ----------------------------------------------------------- */

static guint32
number_of(GHashTable *numbers, const char *name)
{
    guint found = GPOINTER_TO_UINT(g_hash_table_lookup(numbers, name));
    if (!found) {
        found = g_hash_table_size(numbers) + 1;
        g_hash_table_insert(numbers, g_strdup(name), GUINT_TO_POINTER(found));
    }
    return found;
}

gboolean
mrg_memory_campaign_number(gpointer store, const char *campaign, guint32 *number,
                           gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    *number = number_of(self->campaigns, campaign);
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

gboolean
mrg_memory_link_numbers(gpointer store, guint32 campaign, const char *const *targets,
                        gsize n, guint32 *numbers, gint64 deadline_us G_GNUC_UNUSED,
                        GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    GHashTable *known = g_hash_table_lookup(self->links, GUINT_TO_POINTER(campaign));
    if (!known) {
        known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_hash_table_insert(self->links, GUINT_TO_POINTER(campaign), known);
    }
    for (gsize i = 0; i < n; i++)
        numbers[i] = number_of(known, targets[i]);
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}
