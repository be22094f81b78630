/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <jansson.h>
#include <string.h>

#include "ctl/postfix.h"
#include "ctl/queue.h"

#define BATCH 200 /* ids of one call, far from the system's limit for arguments */

struct MrgQueue {
    GHashTable *entries; /* MrgQueued by id */
    guint n_held;
};

static void
queued_free(gpointer data)
{
    MrgQueued *entry = data;
    g_free(entry->id);
    g_free(entry->recipient);
    g_free(entry);
}

static void
add_line(MrgQueue *queue, const char *line, gsize length)
{
    json_t *object = json_loadb(line, length, 0, NULL);
    const char *id = json_string_value(json_object_get(object, "queue_id"));
    const char *name = json_string_value(json_object_get(object, "queue_name"));
    json_t *recipients = json_object_get(object, "recipients");
    const char *first =
        json_string_value(json_object_get(json_array_get(recipients, 0), "address"));
    json_int_t arrived = json_integer_value(json_object_get(object, "arrival_time"));
    if (id && name && first && arrived > 0 && arrived < G_MAXINT64 / G_USEC_PER_SEC) {
        MrgQueued *entry = g_new0(MrgQueued, 1);
        *entry = (MrgQueued){.id = g_strdup(id),
                             .is_held = strcmp(name, "hold") == 0,
                             .arrived_us = arrived * G_USEC_PER_SEC,
                             .n_recipients = (guint) json_array_size(recipients),
                             .recipient = g_strdup(first)};
        queue->n_held += entry->is_held;
        g_hash_table_replace(queue->entries, entry->id, entry);
    }
    json_decref(object);
}

MrgQueue *
mrg_queue_parse(const char *text)
{
    MrgQueue *queue = g_new0(MrgQueue, 1);
    queue->entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, queued_free);
    while (*text) {
        gsize length = strcspn(text, "\n");
        add_line(queue, text, length);
        text += length + (text[length] == '\n');
    }
    return queue;
}

MrgQueue *
mrg_queue_read(const char *directory, GError **error)
{
    static const char *const arguments[] = {"-j", NULL};
    g_autofree char *text = mrg_postfix_run("postqueue", directory, arguments, error);
    return text ? mrg_queue_parse(text) : NULL;
}

void
mrg_queue_free(MrgQueue *queue)
{
    if (!queue)
        return;
    g_hash_table_unref(queue->entries);
    g_free(queue);
}

const MrgQueued *
mrg_queue_find(const MrgQueue *queue, const char *id)
{
    return g_hash_table_lookup(queue->entries, id);
}

guint
mrg_queue_n_held(const MrgQueue *queue)
{
    return queue->n_held;
}

gboolean
mrg_queue_change(const char *directory, const char *option, GPtrArray *ids, GError **error)
{
    for (guint first = 0; first < ids->len; first += BATCH) {
        const char *arguments[2 * BATCH + 2] = {0};
        guint n = MIN(ids->len - first, BATCH);
        for (guint i = 0; i < n; i++) {
            arguments[2 * i] = option;
            arguments[2 * i + 1] = g_ptr_array_index(ids, first + i);
        }
        arguments[2 * n] = "hold";
        g_autofree char *said = mrg_postfix_run("postsuper", directory, arguments, error);
        if (!said)
            return FALSE;
    }
    return TRUE;
}

void
mrg_queue_hurry(const char *directory, GPtrArray *ids)
{
    for (guint i = 0; i < MIN(ids->len, MRG_QUEUE_HURRY_MAX); i++) {
        const char *arguments[] = {"-i", g_ptr_array_index(ids, i), NULL};
        g_free(mrg_postfix_run("postqueue", directory, arguments, NULL));
    }
}
