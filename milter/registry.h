/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry: opens stores and sinks by name, and asks them with care.
 *
 * "sqlite" is the store of store-sqlite.so, "jsonl" the sink of sink-jsonl.so.  Settings
 * are checked against the plugin's own table before it sees them: an unknown one is an
 * error that suggests the nearest, a required one must be there, and the plugin gets each
 * of its settings once, fallbacks filled in.
 *
 * What a store answers comes from outside, and what goes into one has to come out again:
 * both are looked at here before anyone else does (store-check.h).  So ask through these
 * functions and not through the table.
 *
 * OWNERSHIP  a handle is closed once, after the last call.
 * THREADS    calls from any number of threads; open and close from one.
 * ERRORS     open: MRG_ERROR_CONFIG; calls: MRG_STORE_ERROR, an answer that cannot be right
 *            is MRG_STORE_ERROR_CORRUPT.
 */
#ifndef MRG_REGISTRY_H
#define MRG_REGISTRY_H

#include "base/arena.h"
#include "plugins/merganser-plugin.h"

typedef struct MrgStore {
    const MrgStoreApi *api;
    gpointer instance;
    const MrgPlugin *plugin;
} MrgStore;

typedef struct MrgSink {
    const MrgSinkApi *api;
    gpointer instance;
    const MrgPlugin *plugin;
} MrgSink;

/* The plugins are looked for in directory. */
MrgStore *mrg_store_open(const char *directory, const char *name,
                         const MrgSetting *settings, gsize n, GError **error);
void mrg_store_close(MrgStore *store);

MrgSink *mrg_sink_open(const char *directory, const char *name, const MrgSetting *settings,
                       gsize n, GError **error);
void mrg_sink_close(MrgSink *sink);

/* Where calls make their results: in the arena. */
MrgMemory mrg_store_memory(MrgArena *arena);

/* See MrgStoreApi; results are made in the arena.  A field is asked for by a name of
 * [A-Za-z_][A-Za-z0-9_]{0,63}; any other one is MISSING without the store being asked. */
MrgFetch mrg_store_fetch(const MrgStore *store, const MrgPersonKey *person,
                         const char *const *names, gsize n_names, MrgField *fields,
                         MrgArena *arena, gint64 deadline_us, GError **error);
/* message may be NULL: then nothing is a repeat. */
gboolean mrg_store_load(const MrgStore *store, const MrgPersonKey *person,
                        const MrgMessageKey *message, const MrgPersonKey *shared,
                        gsize n_shared, MrgState *state, MrgArena *arena,
                        gint64 deadline_us, GError **error);
/* Both; slots as of the two. */
MrgFetch mrg_store_fetch_and_load(const MrgStore *store, const MrgPersonKey *person,
                                  const char *const *names, gsize n_names, MrgField *fields,
                                  const MrgMessageKey *message, const MrgPersonKey *shared,
                                  gsize n_shared, MrgState *state, MrgArena *arena,
                                  gint64 deadline_us, GError **error);
/* Only ERROR sets error; an outcome that cannot be stored is one. */
MrgCommit mrg_store_commit(const MrgStore *store, const MrgOutcome *outcome,
                           gint64 deadline_us, GError **error);
gboolean mrg_store_campaign_number(const MrgStore *store, const char *campaign,
                                   guint32 *number, gint64 deadline_us, GError **error);

gboolean mrg_store_move_hold(const MrgStore *store, const MrgHold *hold, gint64 deadline_us,
                             GError **error);
gboolean mrg_store_link_numbers(const MrgStore *store, guint32 campaign,
                                const char *const *targets, gsize n, guint32 *numbers,
                                gint64 deadline_us, GError **error);

gboolean mrg_store_create(const MrgStore *store, GError **error);
/* n_imported may be NULL.  A profile that cannot be stored rolls everything back. */
gboolean mrg_store_import(const MrgStore *store, MrgProfileNext next, gpointer context,
                          guint64 *n_imported, GError **error);
gboolean mrg_store_events(const MrgStore *store, const MrgPersonKey *person, gsize limit,
                          MrgEventVisit visit, gpointer context, GError **error);

gboolean mrg_store_list(const MrgStore *store, gsize limit, MrgPersonVisit visit,
                        gpointer context, GError **error);

/* A field by a name that is none is MISSING. */
gboolean mrg_store_homes(const MrgStore *store, const char *field, MrgHomeVisit visit,
                         gpointer context, GError **error);
gboolean mrg_store_engagements(const MrgStore *store, MrgEngagementVisit visit,
                               gpointer context, GError **error);
gboolean mrg_store_schema_version(const MrgStore *store, guint *is, guint *needed,
                                  GError **error);
/* n_rows and n_ended below may be NULL. */
gboolean mrg_store_retain(const MrgStore *store, const MrgRetention *retention,
                          guint64 *n_rows, GError **error);
gboolean mrg_store_rows_of(const MrgStore *store, const MrgPersonKey *person,
                           MrgRowVisit visit, gpointer context, GError **error);
gboolean mrg_store_erase(const MrgStore *store, const MrgPersonKey *person, gint64 at_us,
                         GError **error);
gboolean mrg_store_search(const MrgStore *store, const char *text, MrgRowVisit visit,
                          gpointer context, GError **error);
gboolean mrg_store_suppressions(const MrgStore *store, const MrgPersonKey *person,
                                gint64 now_us, gsize limit, MrgSuppressionVisit visit,
                                gpointer context, GError **error);
gboolean mrg_store_end_suppression(const MrgStore *store, const MrgPersonKey *person,
                                   const char *scope, const char *reason, gint64 at_us,
                                   guint64 *n_ended, GError **error);
gboolean mrg_store_events_since(const MrgStore *store, gint64 since_us, MrgEventVisit visit,
                                gpointer context, GError **error);
gboolean mrg_store_holds(const MrgStore *store, const MrgHoldFilter *filter,
                         MrgHoldVisit visit, gpointer context, GError **error);
gboolean mrg_store_end_holds(const MrgStore *store, const MrgMessageKey *messages, gsize n,
                             GError **error);
MrgCommit mrg_store_put_history(const MrgStore *store, const MrgAccount *account,
                                GError **error);
MrgCommit mrg_store_settle_hold(const MrgStore *store, const MrgOutcome *outcome,
                                GError **error);

gboolean mrg_sink_write(const MrgSink *sink, const MrgSinkEvent *events, gsize n,
                        GError **error);

/* Whether a field may have this name. */
gboolean mrg_field_is_name(const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgStore, mrg_store_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgSink, mrg_sink_close)

#endif
