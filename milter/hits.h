/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hits: what the world answers to our mail, in and out of a store; the rest of registry.h.
 *
 * As there, all of it is looked at on its way (store-check.h).
 */
#ifndef MRG_HITS_H
#define MRG_HITS_H

#include "milter/registry.h"

/* The number of a copy in tokens and hits: the first 8 bytes of its key, big-endian. */
guint64 mrg_message_number(const MrgMessageKey *key);

/* See MrgStoreApi. */
MrgCommit mrg_store_record_hits(const MrgStore *store, const MrgHitBatch *batch,
                                GError **error);
gboolean mrg_store_journal_position(const MrgStore *store, const char *journal,
                                    guint64 *segment, guint64 *offset, GError **error);
gboolean mrg_store_hits(const MrgStore *store, const MrgHitFilter *filter,
                        MrgHitVisit visit, gpointer context, GError **error);
gboolean mrg_store_put_classes(const MrgStore *store, const MrgHitRow *hits, gsize n,
                               GError **error);
gboolean mrg_store_deliveries(const MrgStore *store, const MrgHitFilter *filter,
                              MrgDeliveryVisit visit, gpointer context, GError **error);
gboolean mrg_store_campaign_events(const MrgStore *store, const char *campaign,
                                   MrgEventVisit visit, gpointer context, GError **error);
gboolean mrg_store_links(const MrgStore *store, guint32 campaign, MrgLinkVisit visit,
                         gpointer context, GError **error);
/* Made in the arena. */
MrgFetch mrg_store_campaign_name(const MrgStore *store, guint32 number, const char **name,
                                 MrgArena *arena, gint64 deadline_us, GError **error);
MrgFetch mrg_store_link_target(const MrgStore *store, guint32 campaign, guint32 number,
                               const char **target, MrgArena *arena, gint64 deadline_us,
                               GError **error);

#endif
