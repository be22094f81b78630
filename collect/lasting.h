/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lasting: what the collector holds open as long as it runs, whatever configuration is in
 * force: journal and store, and what it remembers of requests.
 *
 * OWNERSHIP  reference-counted.
 * THREADS    immutable but for what has locks of its own.
 * ERRORS     MRG_ERROR_CONFIG, or what failed.
 */
#ifndef MRG_LASTING_H
#define MRG_LASTING_H

#include "collect/jobs.h"
#include "collect/journal.h"
#include "collect/limit.h"
#include "collect/links.h"
#include "collect/once.h"
#include "milter/conf.h"

typedef enum {
#define COUNT(name, help) MRG_COUNT_##name,
#include "collect/counts.def"
    MRG_N_COUNTS
} MrgCount;

typedef enum {
#define ROUTE(id, name, path, methods, body_max, handler, kind) MRG_ROUTE_##id,
#include "collect/routes.def"
    MRG_N_ROUTES
} MrgRouteId;

#define MRG_STATUS_CLASSES 6 /* 1xx to 5xx, by the first digit */

typedef struct MrgLasting {
    gint references; /* atomic */
    MrgStore *store;
    MrgJournal *journal;
    MrgLinks *links;
    MrgLimit *by_address, *by_token;
    MrgJobs *jobs;
    MrgOnce *webhooks;
    guint64 counts[MRG_N_COUNTS];                          /* atomic */
    guint64 answers[MRG_N_ROUTES + 1][MRG_STATUS_CLASSES]; /* atomic; the last: no route */
} MrgLasting;

MrgLasting *mrg_lasting_open(const MrgConf *conf, GError **error);
MrgLasting *mrg_lasting_ref(MrgLasting *lasting);
/* Not from a thread of its jobs. */
void mrg_lasting_unref(MrgLasting *lasting);

/* Whether what was opened for one configuration is what another one asks for, threads and
 * connections included; the error names the setting that is not. */
gboolean mrg_lasting_fits(const MrgConf *was, const MrgConf *is, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgLasting, mrg_lasting_unref)

#endif
