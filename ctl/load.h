/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: moves hits from a collector's journal into the store.
 *
 * A step reads a batch, judges each hit (collect/classify.h), asks what its person agrees
 * to now, and records all of it in one transaction with the journal's new position.
 * Whatever ends in between, the next step begins where the store says.
 *
 * Who has not agreed to be tracked, or no longer does, is nobody: neither person nor copy,
 * agent nor network is recorded with the hit.  Somebody who unsubscribes is somebody in any
 * case, and stays so in the tables; the browser is left out.
 *
 * THREADS    one; any number of processes may load one journal.
 */
#ifndef MRG_LOAD_H
#define MRG_LOAD_H

#include "collect/classify.h"
#include "collect/journal.h"
#include "milter/hits.h"

#define MRG_LOAD_BATCH 2000 /* hits at most in one transaction */

typedef struct MrgLoadOptions {
    const MrgStore *store;
    MrgJournalReader *reader;
    const MrgSigns *signs;
    const char *trap;         /* target of the link that nobody sees; "" for none */
    gboolean is_anonymous;    /* nobody is recorded with opens, clicks and pages */
    gint64 store_deadline_us; /* for one question to the store */
} MrgLoadOptions;

typedef struct MrgLoadCounts {
    guint64 n_hits, n_web_events;
    guint64 n_nobody;     /* of them without a person, for want of consent */
    guint64 n_suppressed; /* unsubscriptions that were noted, and count from now on */
    guint64 n_unreadable; /* records that are no hit */
    guint64 n_of[MRG_CLASS_LAST + 1];
} MrgLoadCounts;

typedef enum {
    MRG_LOAD_ERROR,
    MRG_LOAD_END, /* of what is there, for now */
    MRG_LOAD_MORE
} MrgLoadResult;

typedef struct MrgLoad MrgLoad;

/* options and what they name are borrowed. */
MrgLoad *mrg_load_new(const MrgLoadOptions *options, GError **error);
void mrg_load_free(MrgLoad *load);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgLoad, mrg_load_free)

/* Hits from until_us on wait for a later step: bursts are told by what surrounds a hit. */
MrgLoadResult mrg_load_step(MrgLoad *load, gint64 until_us, GError **error);
const MrgLoadCounts *mrg_load_counts(const MrgLoad *load);

/* ---- classes anew */

typedef struct MrgReclassified {
    guint64 n_seen, n_changed;
} MrgReclassified;

/* Judges what is recorded since then by the signs of now.  Nobody's hits keep their class:
 * there is nothing left to judge them by. */
gboolean mrg_reclassify(const MrgLoadOptions *options, gint64 since_us,
                        MrgReclassified *counts, GError **error);

/* ---- bursts: which links of a copy were followed at about the same time */

typedef struct MrgBursts MrgBursts;

MrgBursts *mrg_bursts_new(void);
void mrg_bursts_free(MrgBursts *bursts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgBursts, mrg_bursts_free)

void mrg_bursts_add(MrgBursts *bursts, guint64 message, guint32 link, gint64 at_us,
                    gboolean is_trap);
MrgSurroundings mrg_bursts_around(const MrgBursts *bursts, guint64 message, gint64 at_us);

#endif
