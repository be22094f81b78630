/* SPDX-License-Identifier: Apache-2.0 */
/*
 * once: keys that were used lately, so that what comes twice is done once.
 *
 * A ring of fixed size: beyond it the oldest are forgotten.
 *
 * THREADS    any.
 */
#ifndef MRG_ONCE_H
#define MRG_ONCE_H

#include <glib.h>

typedef struct MrgOnce MrgOnce;

typedef enum {
    MRG_ONCE_NEW,
    MRG_ONCE_BUSY,    /* it is being done right now */
    MRG_ONCE_DONE,    /* done before, with the same content */
    MRG_ONCE_CONFLICT /* used before for something else */
} MrgOnceState;

MrgOnce *mrg_once_new(void);
void mrg_once_free(MrgOnce *once);

/* NEW takes the key, until mrg_once_end() says whether it was done. */
MrgOnceState mrg_once_begin(MrgOnce *once, const char *key, const char *content);
void mrg_once_end(MrgOnce *once, const char *key, gboolean is_done);

#endif
