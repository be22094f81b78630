/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: what stands in the queues of a Postfix, as `postqueue -j` tells it.
 *
 * The text comes from outside and is bounded by who reads it: a line that is no entry is
 * left out.
 *
 * OWNERSHIP  a queue owns its entries.
 * THREADS    one.
 */
#ifndef MRG_QUEUE_H
#define MRG_QUEUE_H

#include <glib.h>

typedef struct MrgQueued {
    char *id;
    gboolean is_held;
    gint64 arrived_us;
    guint n_recipients;
    char *recipient; /* the first one */
} MrgQueued;

typedef struct MrgQueue MrgQueue;

MrgQueue *mrg_queue_parse(const char *text);

/* That of the machine's own Postfix, or of the one configured in directory. */
MrgQueue *mrg_queue_read(const char *directory, GError **error);
void mrg_queue_free(MrgQueue *queue);

const MrgQueued *mrg_queue_find(const MrgQueue *queue, const char *id);
guint mrg_queue_n_held(const MrgQueue *queue);

/* postsuper with one option, -H or -d, for each of the ids in the hold queue and in no
 * other; they need not be there.  Only the superuser may. */
gboolean mrg_queue_change(const char *directory, const char *option, GPtrArray *ids,
                          GError **error);

/* What was released waits in the deferred queue for the next queue run (queue_run_delay);
 * these are tried now, the first MRG_QUEUE_HURRY_MAX of them.  A message that went out
 * meanwhile is no error. */
#define MRG_QUEUE_HURRY_MAX 1000
void mrg_queue_hurry(const char *directory, GPtrArray *ids);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgQueue, mrg_queue_free)

#endif
