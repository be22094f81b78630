/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <jansson.h>
#include <string.h>

#include "ctl/queue.h"

struct MrgQueue {
    GHashTable *entries; /* id: MrgQueued, NULL while it was not seen */
    guint n_held;
    GString *line;
    gboolean is_too_long; /* the line: its rest is passed over */
};

static void
queued_free(gpointer data)
{
    MrgQueued *entry = data;
    if (!entry)
        return;
    g_free(entry->recipient);
    g_free(entry);
}

MrgQueue *
mrg_queue_new(void)
{
    MrgQueue *queue = g_new0(MrgQueue, 1);
    queue->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, queued_free);
    queue->line = g_string_new(NULL);
    return queue;
}

void
mrg_queue_free(MrgQueue *queue)
{
    if (!queue)
        return;
    g_hash_table_unref(queue->entries);
    g_string_free(queue->line, TRUE);
    g_free(queue);
}

void
mrg_queue_want(MrgQueue *queue, const char *id)
{
    g_hash_table_insert(queue->entries, g_strdup(id), NULL);
}

static void
read_line(MrgQueue *queue, const char *line, gsize length)
{
    json_t *object = json_loadb(line, length, 0, NULL);
    const char *id = json_string_value(json_object_get(object, "queue_id"));
    const char *name = json_string_value(json_object_get(object, "queue_name"));
    json_t *recipients = json_object_get(object, "recipients");
    const char *first =
        json_string_value(json_object_get(json_array_get(recipients, 0), "address"));
    json_int_t arrived = json_integer_value(json_object_get(object, "arrival_time"));
    gboolean is_held = id && g_strcmp0(name, "hold") == 0;
    queue->n_held += is_held;
    if (is_held && first && json_array_size(recipients) == 1 && arrived > 0 &&
        arrived < G_MAXINT64 / G_USEC_PER_SEC &&
        g_hash_table_contains(queue->entries, id)) {
        MrgQueued *entry = g_new0(MrgQueued, 1);
        *entry = (MrgQueued){arrived * G_USEC_PER_SEC, g_strdup(first)};
        g_hash_table_insert(queue->entries, g_strdup(id), entry);
    }
    json_decref(object);
}

static void
end_line(MrgQueue *queue)
{
    if (!queue->is_too_long)
        read_line(queue, queue->line->str, queue->line->len);
    queue->is_too_long = FALSE;
    g_string_truncate(queue->line, 0);
}

gboolean
mrg_queue_feed(const char *piece, gsize length, gpointer context)
{
    MrgQueue *queue = context;
    const char *end = piece + length;
    while (piece < end) {
        const char *newline = memchr(piece, '\n', (gsize) (end - piece));
        gsize n = (gsize) ((newline ? newline : end) - piece);
        queue->is_too_long |= queue->line->len + n > MRG_QUEUE_LINE_MAX;
        if (!queue->is_too_long)
            g_string_append_len(queue->line, piece, (gssize) n);
        if (newline)
            end_line(queue);
        piece += n + (newline != NULL);
    }
    return TRUE;
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
