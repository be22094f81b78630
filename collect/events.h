/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: what web pages and servers send, in the shape of Segment's HTTP tracking API
 * (its public specification): type, event, properties, anonymousId, messageId; beside them
 * writeKey, and mrgId, the sealed id that a click brought along.
 *
 * OWNERSHIP  texts are borrowed from the JSON, data is made in the arena.
 * BOUNDS     32 KiB an event, 500,000 bytes and 500 events a batch, names of 255 bytes.
 */
#ifndef MRG_EVENTS_H
#define MRG_EVENTS_H

#include <jansson.h>

#include "base/arena.h"
#include "collect/hit.h"

#define MRG_EVENT_BYTES_MAX 32768
#define MRG_BATCH_BYTES_MAX 500000
#define MRG_BATCH_EVENTS_MAX 500

typedef struct MrgTagEvent {
    MrgHitKind kind; /* TRACK, PAGE, IDENTIFY */
    const char *name, *anonymous_id, *event_id;
    const char *identity; /* a sealed token, or NULL */
    const char *data;     /* JSON object of properties, traits for IDENTIFY */
} MrgTagEvent;

/* type is that of the path: "track", "page", "identify"; NULL: the event says it.  FALSE
 * for what is none. */
gboolean mrg_tag_event_read(MrgTagEvent *event, json_t *object, const char *type,
                            MrgArena *arena);

/* A body: an object, no name twice, 2048 levels at most (jansson's own bound); NULL for
 * anything else.  The caller releases. */
json_t *mrg_events_parse(const char *text, gsize length);

#endif
