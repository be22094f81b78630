/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: which copies stand in Postfix's hold queue, from what `postqueue -j` says.
 *
 * The text comes from outside and may be of any length: it is read in pieces, and of it
 * only those entries stay that were asked for.  A line that is no entry is left out, and so
 * is one longer than MRG_QUEUE_LINE_MAX, which has far more recipients than a copy has.
 *
 * OWNERSHIP  a queue owns its entries.
 * THREADS    one.
 */
#ifndef MRG_QUEUE_H
#define MRG_QUEUE_H

#include <glib.h>

#define MRG_QUEUE_LINE_MAX 65536

/* A message that is held, for one person alone. */
typedef struct MrgQueued {
    gint64 arrived_us;
    char *recipient;
} MrgQueued;

typedef struct MrgQueue MrgQueue;

MrgQueue *mrg_queue_new(void);
void mrg_queue_free(MrgQueue *queue);

/* Before the first piece. */
void mrg_queue_want(MrgQueue *queue, const char *id);

/* The next piece of the text; context is the queue.  Always TRUE. */
gboolean mrg_queue_feed(const char *piece, gsize length, gpointer context);

/* NULL for what is not held, not for one person alone, or was not asked for. */
const MrgQueued *mrg_queue_find(const MrgQueue *queue, const char *id);

/* All messages that are held, ours or not. */
guint mrg_queue_n_held(const MrgQueue *queue);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgQueue, mrg_queue_free)

#endif
