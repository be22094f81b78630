/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rejudge: what may become of a held copy now, by the function that the milter asks.
 *
 * The answer is written into the ledger (settled) before anybody acts on it.
 */
#ifndef MRG_REJUDGE_H
#define MRG_REJUDGE_H

#include "ctl/holds.h"
#include "ctl/queue.h"

typedef struct MrgRejudge {
    MrgPeople *people; /* its arena takes what is read */
    gint64 now_us;
    /* Somebody asked for these copies: their time and quiet hours do not count. */
    gboolean is_asked_for;
    gboolean is_dry; /* nothing is written */
} MrgRejudge;

/* The entry of the queue, if that is this very copy; else NULL. */
const MrgQueued *mrg_rejudge_find(const MrgRejudge *self, const MrgQueue *queue,
                                  const MrgHold *hold);

/* Fills fate and reason.  EX_OK, EX_DATAERR where this person's ledger cannot be read, or
 * the code of a failure after the message was printed. */
int mrg_rejudge(const MrgRejudge *self, MrgHeldCopy *copy, const MrgQueued *queued);

#endif
