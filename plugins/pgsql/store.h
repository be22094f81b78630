/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: the calls of MrgStoreApi, by the files that have them.
 */
#ifndef MRG_PGSQL_STORE_H
#define MRG_PGSQL_STORE_H

#include "plugins/merganser-plugin.h"

MrgFetch mrg_pgsql_fetch(gpointer store, const MrgPersonKey *person,
                         const char *const *names, gsize n_names, MrgField *fields,
                         const MrgMemory *memory, gint64 deadline_us, GError **error);
gboolean mrg_pgsql_load(gpointer store, const MrgPersonKey *person,
                        const MrgMessageKey *message, const MrgPersonKey *shared,
                        gsize n_shared, MrgState *state, const MrgMemory *memory,
                        gint64 deadline_us, GError **error);
MrgFetch mrg_pgsql_fetch_and_load(gpointer store, const MrgPersonKey *person,
                                  const char *const *names, gsize n_names, MrgField *fields,
                                  const MrgMessageKey *message, const MrgPersonKey *shared,
                                  gsize n_shared, MrgState *state, const MrgMemory *memory,
                                  gint64 deadline_us, GError **error);
MrgCommit mrg_pgsql_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us,
                           GError **error);
gboolean mrg_pgsql_move_hold(gpointer store, const MrgHold *hold, gint64 deadline_us,
                             GError **error);
gboolean mrg_pgsql_campaign_number(gpointer store, const char *campaign, guint32 *number,
                                   gint64 deadline_us, GError **error);
gboolean mrg_pgsql_link_numbers(gpointer store, guint32 campaign,
                                const char *const *targets, gsize n, guint32 *numbers,
                                gint64 deadline_us, GError **error);
MrgCommit mrg_pgsql_put_history(gpointer store, const MrgAccount *account, GError **error);
MrgCommit mrg_pgsql_settle_hold(gpointer store, const MrgOutcome *outcome, GError **error);

gboolean mrg_pgsql_create(gpointer store, GError **error);
gboolean mrg_pgsql_schema_version(gpointer store, guint *is, guint *needed, GError **error);
gboolean mrg_pgsql_retain(gpointer store, const MrgRetention *retention, guint64 *n_rows,
                          GError **error);
gboolean mrg_pgsql_import(gpointer store, MrgProfileNext next, gpointer context,
                          guint64 *n_imported, GError **error);
gboolean mrg_pgsql_erase(gpointer store, const MrgPersonKey *person, gint64 at_us,
                         GError **error);
gboolean mrg_pgsql_end_suppression(gpointer store, const MrgPersonKey *person,
                                   const char *scope, const char *reason, gint64 at_us,
                                   guint64 *n_ended, GError **error);
gboolean mrg_pgsql_end_holds(gpointer store, const MrgMessageKey *messages, gsize n,
                             GError **error);

gboolean mrg_pgsql_homes(gpointer store, const char *field, MrgHomeVisit visit,
                         gpointer context, GError **error);
gboolean mrg_pgsql_engagements(gpointer store, MrgEngagementVisit visit, gpointer context,
                               GError **error);
gboolean mrg_pgsql_list(gpointer store, gsize limit, MrgPersonVisit visit, gpointer context,
                        GError **error);
gboolean mrg_pgsql_rows_of(gpointer store, const MrgPersonKey *person, MrgRowVisit visit,
                           gpointer context, GError **error);
gboolean mrg_pgsql_search(gpointer store, const char *text, MrgRowVisit visit,
                          gpointer context, GError **error);
gboolean mrg_pgsql_suppressions(gpointer store, const MrgPersonKey *person, gint64 now_us,
                                gsize limit, MrgSuppressionVisit visit, gpointer context,
                                GError **error);
gboolean mrg_pgsql_events(gpointer store, const MrgPersonKey *person, gsize limit,
                          MrgEventVisit visit, gpointer context, GError **error);
gboolean mrg_pgsql_events_since(gpointer store, gint64 since_us, MrgEventVisit visit,
                                gpointer context, GError **error);
gboolean mrg_pgsql_campaign_events(gpointer store, const char *campaign,
                                   MrgEventVisit visit, gpointer context, GError **error);
MrgCommit mrg_pgsql_record_hits(gpointer store, const MrgHitBatch *batch, GError **error);
gboolean mrg_pgsql_journal_position(gpointer store, const char *journal, guint64 *segment,
                                    guint64 *offset, GError **error);
gboolean mrg_pgsql_hits(gpointer store, const MrgHitFilter *filter, MrgHitVisit visit,
                        gpointer context, GError **error);
gboolean mrg_pgsql_put_classes(gpointer store, const MrgHitRow *hits, gsize n,
                               GError **error);
gboolean mrg_pgsql_deliveries(gpointer store, const MrgHitFilter *filter,
                              MrgDeliveryVisit visit, gpointer context, GError **error);
gboolean mrg_pgsql_links(gpointer store, guint32 campaign, MrgLinkVisit visit,
                         gpointer context, GError **error);
MrgFetch mrg_pgsql_campaign_name(gpointer store, guint32 number, const char **name,
                                 const MrgMemory *memory, gint64 deadline_us,
                                 GError **error);
MrgFetch mrg_pgsql_link_target(gpointer store, guint32 campaign, guint32 number,
                               const char **target, const MrgMemory *memory,
                               gint64 deadline_us, GError **error);
gboolean mrg_pgsql_holds(gpointer store, const MrgHoldFilter *filter, MrgHoldVisit visit,
                         gpointer context, GError **error);

#endif
