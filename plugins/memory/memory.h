/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-memory: people in hash tables, for tests, previews and dry runs.
 *
 * Nothing is kept when the store is closed; deadlines are always met, for nothing waits.
 *
 * OWNERSHIP  strings in the rows below belong to the row.
 * THREADS    one lock around everything, also while a visitor runs.
 */
#ifndef MRG_MEMORY_H
#define MRG_MEMORY_H

#include <pthread.h>

#include "plugins/merganser-plugin.h"

/* A person, or an account that people share: that has a history and nothing else. */
typedef struct MrgMemoryPerson {
    guint64 version;
    char *address;           /* NULL: no profile */
    GString *history;        /* "" for none */
    GHashTable *fields;      /* name -> MrgMemoryValue */
    GPtrArray *consents;     /* of MrgConsent: the whole record, as it came */
    GPtrArray *suppressions; /* of MrgSuppression, one for each scope and reason */
    GPtrArray *engagements;  /* of MrgEngagement, in the order of MrgState */
    GPtrArray *events;       /* of MrgMemoryEvent, by time, of one time as recorded */
} MrgMemoryPerson;

typedef struct MrgMemoryValue {
    MrgFieldType type;
    char *text;
    gsize length;
} MrgMemoryValue;

typedef struct MrgMemoryEvent {
    MrgEvent event;
    MrgPersonKey person;
    guint64 number;  /* as recorded */
    gint64 until_us; /* of a hold */
} MrgMemoryEvent;

typedef struct MrgMemoryHold {
    MrgHold hold;
    gboolean is_changed; /* a consent or suppression of the person, since it was held */
} MrgMemoryHold;

typedef struct MrgMemoryStore {
    pthread_mutex_t lock;
    GHashTable *people;     /* MrgPersonKey -> MrgMemoryPerson */
    GHashTable *messages;   /* MrgMessageKey -> MrgMemoryEvent, borrowed from its person */
    GHashTable *holds;      /* MrgMessageKey -> MrgMemoryHold */
    GHashTable *campaigns;  /* name -> number */
    GHashTable *links;      /* number of a campaign -> targets: URL -> number */
    GPtrArray *hits;        /* of MrgHitRow, as recorded */
    GPtrArray *web_events;  /* of MrgWebEvent, as recorded */
    GPtrArray *deliveries;  /* of MrgDelivery, as recorded */
    GHashTable *identities; /* site and anonymous id -> MrgPersonKey */
    GHashTable *journals;   /* id -> how far it is loaded */
    guint64 last_hit, last_event;
} MrgMemoryStore;

/* ---- tables.c ---------------------------------------------------------- */

MrgMemoryStore *mrg_memory_new(void);
void mrg_memory_free(MrgMemoryStore *self);

const MrgMemoryPerson *mrg_memory_find(const MrgMemoryStore *self, const MrgPersonKey *key);
MrgMemoryPerson *mrg_memory_ensure(MrgMemoryStore *self, const MrgPersonKey *key);
/* A consent or a suppression of the person changed. */
void mrg_memory_changed(MrgMemoryStore *self, const MrgPersonKey *key,
                        MrgMemoryPerson *person);
void mrg_memory_event_free(gpointer event);
void mrg_memory_hold_free(gpointer hold);
/* The keys of a table in their order; n counts them. */
gpointer *mrg_memory_sorted_keys(GHashTable *table, guint *n);

/* ---- people.c ---------------------------------------------------------- */

/* The current one of each purpose, borrowed. */
GPtrArray *mrg_memory_current_consents(const MrgMemoryPerson *person);
void mrg_memory_put_suppression(MrgMemoryStore *self, const MrgPersonKey *key,
                                const MrgSuppression *suppression);
gboolean mrg_memory_suppression_holds(const MrgSuppression *suppression, gint64 at_us);

void mrg_memory_put_profile(MrgMemoryStore *self, const MrgProfile *profile);
gboolean mrg_memory_import(gpointer store, MrgProfileNext next, gpointer context,
                           guint64 *n_imported, GError **error);
gboolean mrg_memory_homes(gpointer store, const char *field, MrgHomeVisit visit,
                          gpointer context, GError **error);
gboolean mrg_memory_engagements(gpointer store, MrgEngagementVisit visit, gpointer context,
                                GError **error);
gboolean mrg_memory_list(gpointer store, gsize limit, MrgPersonVisit visit,
                         gpointer context, GError **error);
gboolean mrg_memory_suppressions(gpointer store, const MrgPersonKey *person, gint64 now_us,
                                 gsize limit, MrgSuppressionVisit visit, gpointer context,
                                 GError **error);
gboolean mrg_memory_end_suppression(gpointer store, const MrgPersonKey *person,
                                    const char *scope, const char *reason, gint64 at_us,
                                    guint64 *n_ended, GError **error);

/* ---- load.c ------------------------------------------------------------ */

MrgFetch mrg_memory_fetch(gpointer store, const MrgPersonKey *person,
                          const char *const *names, gsize n_names, MrgField *fields,
                          const MrgMemory *memory, gint64 deadline_us, GError **error);
gboolean mrg_memory_load(gpointer store, const MrgPersonKey *person,
                         const MrgMessageKey *message, const MrgPersonKey *shared,
                         gsize n_shared, MrgState *state, const MrgMemory *memory,
                         gint64 deadline_us, GError **error);
MrgFetch mrg_memory_fetch_and_load(gpointer store, const MrgPersonKey *person,
                                   const char *const *names, gsize n_names,
                                   MrgField *fields, const MrgMessageKey *message,
                                   const MrgPersonKey *shared, gsize n_shared,
                                   MrgState *state, const MrgMemory *memory,
                                   gint64 deadline_us, GError **error);

/* ---- ledger.c ---------------------------------------------------------- */

/* Whether no account of the outcome has moved since it was loaded. */
gboolean mrg_memory_is_current(const MrgMemoryStore *self, const MrgOutcome *outcome);
/* Writes histories and event; is_final: a retry gets this. */
void mrg_memory_record(MrgMemoryStore *self, const MrgOutcome *outcome, gboolean is_final);

MrgCommit mrg_memory_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us,
                            GError **error);
MrgCommit mrg_memory_put_history(gpointer store, const MrgAccount *account, GError **error);
gboolean mrg_memory_events(gpointer store, const MrgPersonKey *person, gsize limit,
                           MrgEventVisit visit, gpointer context, GError **error);
gboolean mrg_memory_events_since(gpointer store, gint64 since_us, MrgEventVisit visit,
                                 gpointer context, GError **error);
gboolean mrg_memory_campaign_events(gpointer store, const char *campaign,
                                    MrgEventVisit visit, gpointer context, GError **error);
gboolean mrg_memory_campaign_number(gpointer store, const char *campaign, guint32 *number,
                                    gint64 deadline_us, GError **error);
gboolean mrg_memory_link_numbers(gpointer store, guint32 campaign,
                                 const char *const *targets, gsize n, guint32 *numbers,
                                 gint64 deadline_us, GError **error);

/* ---- holds.c ----------------------------------------------------------- */

/* Where there is one, it moves to host and queue_id. */
void mrg_memory_put_hold(MrgMemoryStore *self, const MrgHold *hold);
gboolean mrg_memory_move_hold(gpointer store, const MrgHold *hold, gint64 deadline_us,
                              GError **error);
gboolean mrg_memory_holds(gpointer store, const MrgHoldFilter *filter, MrgHoldVisit visit,
                          gpointer context, GError **error);
MrgCommit mrg_memory_settle_hold(gpointer store, const MrgOutcome *outcome, GError **error);
gboolean mrg_memory_end_holds(gpointer store, const MrgMessageKey *messages, gsize n,
                              GError **error);

/* ---- hits.c ------------------------------------------------------------ */

void mrg_memory_init_hits(MrgMemoryStore *self);
void mrg_memory_clear_hits(MrgMemoryStore *self);
/* What is held on a person, and all that is older than before_us; counts it. */
guint64 mrg_memory_remove_hits(MrgMemoryStore *self, const MrgPersonKey *person,
                               gint64 before_us);

MrgCommit mrg_memory_record_hits(gpointer store, const MrgHitBatch *batch, GError **error);
gboolean mrg_memory_journal_position(gpointer store, const char *journal, guint64 *segment,
                                     guint64 *offset, GError **error);
gboolean mrg_memory_hits(gpointer store, const MrgHitFilter *filter, MrgHitVisit visit,
                         gpointer context, GError **error);
gboolean mrg_memory_put_classes(gpointer store, const MrgHitRow *hits, gsize n,
                                GError **error);
gboolean mrg_memory_deliveries(gpointer store, const MrgHitFilter *filter,
                               MrgDeliveryVisit visit, gpointer context, GError **error);
gboolean mrg_memory_links(gpointer store, guint32 campaign, MrgLinkVisit visit,
                          gpointer context, GError **error);
MrgFetch mrg_memory_campaign_name(gpointer store, guint32 number, const char **name,
                                  const MrgMemory *memory, gint64 deadline_us,
                                  GError **error);
MrgFetch mrg_memory_link_target(gpointer store, guint32 campaign, guint32 number,
                                const char **target, const MrgMemory *memory,
                                gint64 deadline_us, GError **error);

/* ---- rows.c, remove.c --------------------------------------------------- */

gboolean mrg_memory_rows_of(gpointer store, const MrgPersonKey *person, MrgRowVisit visit,
                            gpointer context, GError **error);
gboolean mrg_memory_search(gpointer store, const char *text, MrgRowVisit visit,
                           gpointer context, GError **error);
gboolean mrg_memory_retain(gpointer store, const MrgRetention *retention, guint64 *n_rows,
                           GError **error);
gboolean mrg_memory_erase(gpointer store, const MrgPersonKey *person, gint64 at_us,
                          GError **error);

#endif
