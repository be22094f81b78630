/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>

#include "milter/witness/outbox.h"

#define BATCH_MAX 256

struct MrgOutbox {
    GPtrArray *sinks; /* MrgSink */
    guint backlog;
    pthread_mutex_t mutex;
    pthread_cond_t is_filled;
    GQueue waiting; /* Item */
    guint64 n_dropped;
    gboolean is_ending;
    GThread *thread;
};

/* An event and its texts, which stand behind it in one allocation. */
typedef struct Item {
    MrgSinkEvent event;
    GStringChunk *texts;
} Item;

static Item *
item_new(const MrgRecord *record)
{
    Item *item = g_new0(Item, 1);
    GStringChunk *texts = g_string_chunk_new(128);
    item->texts = texts;
    item->event.person = record->person;
    item->event.queue_id =
        g_string_chunk_insert(texts, record->queue_id ? record->queue_id : "");
    item->event.event =
        (MrgEvent){.at_us = record->at_us,
                   .campaign = g_string_chunk_insert(texts, record->campaign),
                   .class_name = g_string_chunk_insert(texts, record->class_name),
                   .sender = "",
                   .tags = "",
                   .verdict = record->verdict,
                   .reason = g_string_chunk_insert(texts, record->reason),
                   .message = *record->copy};
    return item;
}

static void
item_free(Item *item)
{
    g_string_chunk_free(item->texts);
    g_free(item);
}

static void
write_batch(MrgOutbox *outbox, Item **items, gsize n)
{
    MrgSinkEvent events[BATCH_MAX];
    for (gsize i = 0; i < n; i++)
        events[i] = items[i]->event;
    for (guint i = 0; i < outbox->sinks->len; i++) {
        const MrgSink *sink = g_ptr_array_index(outbox->sinks, i);
        g_autoptr(GError) error = NULL;
        if (!sink->api->write(sink->instance, events, n, &error))
            g_warning("%" G_GSIZE_FORMAT " events are lost to a sink: %s", n,
                      error->message);
    }
}

/* The next events, or none when the outbox ends. */
static gsize
take_batch(MrgOutbox *outbox, Item **items, guint64 *n_dropped)
{
    gsize n = 0;
    pthread_mutex_lock(&outbox->mutex);
    while (!outbox->waiting.length && !outbox->is_ending)
        pthread_cond_wait(&outbox->is_filled, &outbox->mutex);
    while (n < BATCH_MAX && outbox->waiting.length)
        items[n++] = g_queue_pop_head(&outbox->waiting);
    *n_dropped = outbox->n_dropped;
    outbox->n_dropped = 0;
    pthread_mutex_unlock(&outbox->mutex);
    return n;
}

static gpointer
run(gpointer data)
{
    MrgOutbox *outbox = data;
    Item *items[BATCH_MAX];
    guint64 n_dropped;
    for (gsize n; (n = take_batch(outbox, items, &n_dropped)) > 0;) {
        if (n_dropped)
            g_warning("%" G_GUINT64_FORMAT " events are lost: the sinks are too slow",
                      n_dropped);
        write_batch(outbox, items, n);
        for (gsize i = 0; i < n; i++)
            item_free(items[i]);
    }
    return NULL;
}

MrgOutbox *
mrg_outbox_new(GPtrArray *sinks, guint backlog)
{
    if (!sinks->len) {
        g_ptr_array_unref(sinks);
        return NULL;
    }
    MrgOutbox *outbox = g_new0(MrgOutbox, 1);
    outbox->sinks = sinks;
    outbox->backlog = backlog;
    pthread_mutex_init(&outbox->mutex, NULL);
    pthread_cond_init(&outbox->is_filled, NULL);
    g_queue_init(&outbox->waiting);
    outbox->thread = g_thread_new("outbox", run, outbox);
    return outbox;
}

void
mrg_outbox_free(MrgOutbox *outbox)
{
    if (!outbox)
        return;
    pthread_mutex_lock(&outbox->mutex);
    outbox->is_ending = TRUE;
    pthread_cond_signal(&outbox->is_filled);
    pthread_mutex_unlock(&outbox->mutex);
    g_thread_join(outbox->thread);
    g_ptr_array_unref(outbox->sinks);
    pthread_mutex_destroy(&outbox->mutex);
    pthread_cond_destroy(&outbox->is_filled);
    g_free(outbox);
}

void
mrg_outbox_post(MrgOutbox *outbox, const MrgRecord *record)
{
    if (!outbox || !record->pseudonym)
        return;
    Item *item = item_new(record);
    pthread_mutex_lock(&outbox->mutex);
    if (outbox->waiting.length < outbox->backlog) {
        g_queue_push_tail(&outbox->waiting, g_steal_pointer(&item));
        pthread_cond_signal(&outbox->is_filled);
    } else {
        outbox->n_dropped++;
    }
    pthread_mutex_unlock(&outbox->mutex);
    if (item)
        item_free(item);
}
