/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox: hands events to the sinks, off the mail path.
 *
 * A bounded queue and one thread.  A slow or broken sink costs events, never mail: past
 * the backlog they are dropped and counted.  The store has them all in any case.
 *
 * OWNERSHIP  takes the sinks; posting copies the record.
 * THREADS    post from any; the sinks are called from the outbox's own.
 */
#ifndef MRG_OUTBOX_H
#define MRG_OUTBOX_H

#include "milter/registry.h"
#include "milter/witness/record.h"

typedef struct MrgOutbox MrgOutbox;

/* NULL where there are no sinks. */
MrgOutbox *mrg_outbox_new(GPtrArray *sinks, guint backlog);

/* Writes what waits, then ends. */
void mrg_outbox_free(MrgOutbox *outbox);

void mrg_outbox_post(MrgOutbox *outbox, const MrgRecord *record);

#endif
