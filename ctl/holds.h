/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holds: the copies that the ledger says are held.
 *
 * OWNERSHIP  a list owns its copies, and they what they point to.
 */
#ifndef MRG_HOLDS_H
#define MRG_HOLDS_H

#include "ctl/verb.h"

/* What becomes of one.  LATER: the next run may do better. */
typedef enum {
    MRG_FATE_STAY,
    MRG_FATE_RELEASE,
    MRG_FATE_DELETE,
    MRG_FATE_GONE, /* the queue holds it no longer */
    MRG_FATE_LATER,
} MrgFate;
#define MRG_N_FATES (MRG_FATE_LATER + 1)

typedef struct MrgHeldCopy {
    MrgHold hold;
    MrgFate fate;
    char *reason; /* NULL while nobody judged it */
} MrgHeldCopy;

/* MrgHeldCopy, as the store orders them; NULL with error. */
GPtrArray *mrg_holds_read(const MrgPeople *people, const MrgHoldFilter *filter,
                          GError **error);

#endif
