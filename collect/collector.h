/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector: all that the daemon has, for as long as it runs.
 *
 * THREADS    immutable after the start but for what has locks of its own.
 */
#ifndef MRG_COLLECTOR_H
#define MRG_COLLECTOR_H

#include "collect/access-log.h"
#include "collect/client.h"
#include "collect/hit.h"
#include "collect/jobs.h"
#include "collect/journal.h"
#include "collect/limit.h"
#include "collect/links.h"
#include "collect/once.h"
#include "collect/pages.h"
#include "milter/conf.h"
#include "milter/stamp/token.h"

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

typedef struct MrgCollector {
    MrgConf *conf;
    MrgKeyring *keyring;
    MrgStore *store;
    MrgJournal *journal;
    MrgAccessLog *access_log;
    MrgNetworks *proxies;
    MrgLimit *by_address, *by_token;
    MrgLinks *links;
    MrgPages *pages;
    MrgJobs *jobs;
    MrgOnce *webhooks;
    char *webhook_secret;                                  /* NULL: there are none */
    gsize base_length;                                     /* of [collector] base_path */
    guint64 counts[MRG_N_COUNTS];                          /* atomic */
    guint64 answers[MRG_N_ROUTES + 1][MRG_STATUS_CLASSES]; /* atomic; the last: no route */
} MrgCollector;

/* Opens what the configuration names; NULL and MRG_ERROR_CONFIG, or what failed. */
MrgCollector *mrg_collector_new(MrgConf *conf, GError **error);
void mrg_collector_free(MrgCollector *collector);

/* ThreadSanitizer sees the compiler's atomics. */
static inline void
mrg_collector_count(MrgCollector *collector, MrgCount count)
{
    __atomic_fetch_add(&collector->counts[count], 1, __ATOMIC_RELAXED);
}

/* Of a question to the store that begins now. */
gint64 mrg_collector_deadline(const MrgCollector *collector);

/* Counts it, and says it in the log. */
void mrg_collector_store_failed(MrgCollector *collector, const GError *error);

/* In Prometheus' text format; the caller frees. */
char *mrg_collector_metrics(MrgCollector *collector);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgCollector, mrg_collector_free)

#endif
