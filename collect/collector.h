/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector: one configuration with all that was read for it, and what the daemon holds
 * open whatever the configuration (lasting.h).
 *
 * A reload makes another one; a request keeps the one that it began with.
 *
 * OWNERSHIP  reference-counted.
 * THREADS    immutable but for what has locks of its own.
 */
#ifndef MRG_COLLECTOR_H
#define MRG_COLLECTOR_H

#include "collect/access-log.h"
#include "collect/client.h"
#include "collect/hit.h"
#include "collect/lasting.h"
#include "collect/pages.h"
#include "milter/stamp/token.h"

typedef struct MrgCollector {
    gint references; /* atomic */
    MrgConf *conf;
    MrgLasting *lasting;
    MrgKeyring *keyring;
    MrgAccessLog *access_log;
    MrgNetworks *proxies;
    MrgPages *pages;
    char *webhook_secret; /* NULL: there are none */
    gsize base_length;    /* of [collector] base_path */
} MrgCollector;

/* Opens what the configuration names; NULL and MRG_ERROR_CONFIG, or what failed. */
MrgCollector *mrg_collector_new(MrgConf *conf, GError **error);
/* The same for another configuration, with what before holds open; MRG_ERROR_CONFIG also
 * for what only a restart changes. */
MrgCollector *mrg_collector_renew(const MrgCollector *before, MrgConf *conf,
                                  GError **error);
MrgCollector *mrg_collector_ref(MrgCollector *collector);
void mrg_collector_unref(MrgCollector *collector);

/* ThreadSanitizer sees the compiler's atomics. */
static inline void
mrg_collector_count(MrgCollector *collector, MrgCount count)
{
    __atomic_fetch_add(&collector->lasting->counts[count], 1, __ATOMIC_RELAXED);
}

/* Of a question to the store that begins now. */
gint64 mrg_collector_deadline(const MrgCollector *collector);

/* Counts it, and says it in the log. */
void mrg_collector_store_failed(MrgCollector *collector, const GError *error);

/* In Prometheus' text format; the caller frees. */
char *mrg_collector_metrics(MrgCollector *collector);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgCollector, mrg_collector_unref)

#endif
