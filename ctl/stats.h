/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats: what became of a campaign, in numbers.
 *
 * People are counted apart from machines, and a rate has as its denominator the copies that
 * could have shown it: an open, those that carry a pixel.  A rate comes with the interval
 * in which the true one lies at 95 % (Wilson 1927, JASA 22:209).
 *
 * OWNERSHIP  the numbers own all they have.
 */
#ifndef MRG_STATS_H
#define MRG_STATS_H

#include "collect/classify.h"
#include "milter/hits.h"

/* Of opens and clicks each. */
typedef enum { MRG_ACT_OPEN, MRG_ACT_CLICK, MRG_N_ACTS } MrgAct;

typedef struct MrgActs {
    guint64 n_human;  /* by people: an open by a proxy is one */
    guint64 n_copies; /* that somebody opened, clicked */
    guint64 n_of[MRG_CLASS_LAST + 1];
    guint64 n_carriers; /* copies that went out with a pixel, with links of ours */
} MrgActs;

typedef struct MrgLinkStats {
    guint32 number;
    char *target;
    guint64 n_clicks, n_copies, n_machines;
    GHashTable *copies;
} MrgLinkStats;

/* A word and how often: a reason, a device. */
typedef struct MrgTally {
    char *name;
    guint64 n[MRG_N_ACTS];
} MrgTally;

typedef struct MrgStatsSpan {
    guint64 n[MRG_N_ACTS];
} MrgStatsSpan;

#define MRG_STATS_SPANS_MAX 72

typedef struct MrgStats {
    char *campaign;
    gint64 first_us, last_us; /* of the copies that went out; 0 for none */
    guint64 n_sent, n_held, n_withheld, n_refused;
    guint64 n_deliveries[MRG_DELIVERY_LAST + 1]; /* copies by state */
    guint64 n_unsubscribed;
    MrgActs acts[MRG_N_ACTS];
    GPtrArray *reasons; /* of MrgTally: why copies were withheld, the most frequent first */
    GPtrArray *devices; /* of MrgTally, of people */
    GPtrArray *links;   /* of MrgLinkStats, the most clicked first */
    gint64 span_us;     /* of each of: */
    GArray *spans;      /* of MrgStatsSpan, from first_us on; acts of people */
} MrgStats;

MrgStats *mrg_stats_gather(const MrgStore *store, const MrgSigns *signs,
                           const char *campaign, gint64 deadline_us, GError **error);
void mrg_stats_free(MrgStats *stats);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgStats, mrg_stats_free)

/* The interval of n out of all, 0 to 1; 0 and 1 where all is 0. */
void mrg_wilson(guint64 n, guint64 all, double *low, double *high);

/* A page that stands alone; the caller frees. */
char *mrg_stats_page(const MrgStats *stats, gint64 now_us);

#endif
