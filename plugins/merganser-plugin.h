/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merganser-plugin: what a plugin offers, and what it is given.
 *
 * A plugin is a shared object with one exported symbol, mrg_plugin_entry().
 * It fills a store (profiles, ledger, administration) or a sink (events).
 * Structs only grow at their end; size says how much of one is filled, and a
 * caller reads no member beyond it.
 *
 * OWNERSHIP  results are made with the MrgMemory of the call and live as long
 *            as the caller keeps that; arguments are borrowed for the call.
 * THREADS    every function may be called from any number of threads at once.
 * ERRORS     GError of MRG_STORE_ERROR; a message never holds an address or a
 *            value, a person is named by the key in hex.
 * DEADLINES  absolute, on g_get_monotonic_time(), in microseconds; a call that
 *            cannot end by then fails with MRG_STORE_ERROR_TIMEOUT.
 *
 * ABI CHANGES
 *   1.0  first
 *   1.1  store: list
 *   2.0  accounts that people share, holds, engagement, the whole administration
 *   3.0  events: tracked, message; holds: list; hits and what else the world answers;
 *        names and targets of numbers; events_since in order; homes, engagements
 */
#ifndef MRG_PLUGIN_H
#define MRG_PLUGIN_H

#include <glib.h>

#define MRG_ABI_MAJOR 3
#define MRG_ABI_MINOR 0

/* ---- host ------------------------------------------------------------- */

typedef struct MrgHost {
    gsize size;
    guint major, minor;
    void (*log)(GLogLevelFlags level, const char *message);
} MrgHost;

/* Where a call's results are made. */
typedef struct MrgMemory {
    void *(*alloc)(void *context, gsize size); /* zeroed, aligned to 16, never NULL */
    void *context;
} MrgMemory;

typedef struct MrgSetting {
    const char *name;
    const char *value;
} MrgSetting;

/* A setting the plugin knows; the section [plugin NAME] takes no others. */
typedef struct MrgSettingInfo {
    const char *name;
    const char *fallback; /* NULL: must be given */
    const char *help;     /* a sentence */
} MrgSettingInfo;

/* ---- people ----------------------------------------------------------- */

#define MRG_KEY_BYTES 16

/* A person: keyed BLAKE2b of the normalised address. */
typedef struct MrgPersonKey {
    guint8 bytes[MRG_KEY_BYTES];
} MrgPersonKey;

/* One copy: hash of campaign, content as received, Message-ID and recipient. */
typedef struct MrgMessageKey {
    guint8 bytes[MRG_KEY_BYTES];
} MrgMessageKey;

typedef enum {
    MRG_FIELD_MISSING, /* must be 0 */
    MRG_FIELD_NULL,
    MRG_FIELD_BOOLEAN, /* text "true" or "false" */
    MRG_FIELD_NUMBER,  /* text as JSON writes it */
    MRG_FIELD_STRING,  /* UTF-8 */
    MRG_FIELD_JSON     /* a JSON array or object */
} MrgFieldType;

typedef struct MrgField {
    MrgFieldType type;
    const char *text;
    gsize length;
} MrgField;

typedef enum {
    MRG_CONSENT_UNKNOWN,
    MRG_CONSENT_GRANTED,
    MRG_CONSENT_DENIED
} MrgConsentState;

typedef struct MrgConsent {
    const char *purpose; /* receive, track_open, track_click, profile, predict */
    MrgConsentState state;
    gint64 at_us; /* since 1970-01-01 UTC */
    const char *source;
} MrgConsent;

/* One for each scope and reason.  It holds at T where until_us is 0 or later than T; one
 * that has ended stays, with its end: a pause is counted from it (policy/decide.h). */
typedef struct MrgSuppression {
    const char *scope;  /* "all", "class:NAME" or "list:NAME" */
    const char *reason; /* unsubscribed, complained, bounced, erased, manual */
    gint64 at_us;
    gint64 until_us; /* 0: for good */
} MrgSuppression;

typedef enum {
    MRG_VERDICT_DELIVER, /* goes out, merged */
    MRG_VERDICT_DROP,    /* accepted from the sender, recorded, sent to nobody */
    MRG_VERDICT_REJECT,  /* 5xx */
    MRG_VERDICT_DEFER,   /* 4xx: comes again */
    MRG_VERDICT_HOLD     /* into the MTA's hold queue */
} MrgVerdict;

/* ---- ledger ----------------------------------------------------------- */

/* What caps count on: a person, or something that people share, such as a household; a
 * keyed hash in either case. */
typedef struct MrgAccount {
    MrgPersonKey key;
    guint64 version;     /* 0: nothing is recorded yet */
    const char *history; /* as committed last; opaque to the store; "" for none */
    gsize history_length;
} MrgAccount;

#define MRG_SHARED_MAX 2 /* accounts beside the person's own: domain and household */

/* What is known of one person when a decision is taken. */
typedef struct MrgState {
    MrgAccount own;
    MrgAccount shared[MRG_SHARED_MAX]; /* as they were asked for */
    gsize n_shared;
    const MrgConsent *consents; /* the current one of each purpose */
    gsize n_consents;
    const MrgSuppression *suppressions; /* ended ones too */
    gsize n_suppressions;
    const char *engagement; /* lines "MICROSECONDS KIND\n", oldest first, of one time by
                             * kind, at most MRG_ENGAGEMENT_MAX; "" for none */
    gsize engagement_length;
    gboolean is_repeat; /* a final outcome of this very copy is recorded: */
    MrgVerdict repeat_verdict;
    const char *repeat_reason;
    gint64 repeat_until_us; /* of a hold */
} MrgState;

/* What a person did with mail; machines are left out before it comes here.  The same kind
 * at the same time is one and the same. */
typedef struct MrgEngagement {
    const char *kind; /* open, click, complaint */
    gint64 at_us;
} MrgEngagement;

#define MRG_ENGAGEMENT_MAX 128 /* the newest are kept */

/* What a copy carries. */
typedef enum {
    MRG_TRACKED_OPENS = 1, /* a pixel */
    MRG_TRACKED_CLICKS = 2 /* links of ours */
} MrgTracked;

typedef struct MrgEvent {
    gint64 at_us;
    const char *campaign;
    const char *class_name;
    const char *sender; /* domain of From; "" where it is not known */
    const char *tags;   /* names with commas between; "" for none */
    MrgVerdict verdict;
    const char *reason; /* "GATE: DETAIL" */
    guint tracked;      /* MrgTracked, or'ed; of a copy that goes out or is held */
    /* For visitors: the copy, all zero where the outcome is not final.  What is committed
     * has it in the outcome. */
    MrgMessageKey message;
} MrgEvent;

/* A copy in the hold queue of one host's MTA. */
typedef struct MrgHold {
    MrgMessageKey message;
    MrgPersonKey person;
    const char *host;     /* whose queue */
    const char *queue_id; /* may be used again by the MTA once the copy is gone */
    const char *campaign;
    const char *class_name;
    gint64 at_us;        /* since when */
    gint64 until_us;     /* due; 0: until somebody releases it */
    gboolean is_settled; /* the ledger says what becomes of it, the MTA is not told yet: */
    MrgVerdict settlement; /* DELIVER: release; DROP: delete */
    const char *list;      /* that the copy is for; NULL or "" for none, visitors get "" */
} MrgHold;

typedef struct MrgOutcome {
    MrgPersonKey person;
    MrgMessageKey message;
    MrgEvent event;
    guint64 version;     /* of the state that the decision was taken on */
    const char *history; /* the new one, or NULL to leave it as it is */
    gsize history_length;
    MrgAccount shared[MRG_SHARED_MAX]; /* the same: version as loaded, new history */
    gsize n_shared;                    /* 0 where none of them changes */
    gboolean is_final;                 /* a retry of this copy gets this outcome again */
    const char *host; /* HOLD: where it will be held, and until when; else NULL, and so for
                       * a hold that nobody records */
    const char *queue_id;
    gint64 until_us;
    const char *list; /* HOLD: that the copy is for; NULL or "" for none */
} MrgOutcome;

/* The hold that an outcome of verdict HOLD makes, which borrows from it. */
static inline MrgHold
mrg_outcome_hold(const MrgOutcome *outcome)
{
    return (MrgHold){
        .message = outcome->message,
        .person = outcome->person,
        .host = outcome->host,
        .queue_id = outcome->queue_id,
        .campaign = outcome->event.campaign,
        .class_name = outcome->event.class_name,
        .at_us = outcome->event.at_us,
        .until_us = outcome->until_us,
        .list = outcome->list,
    };
}

typedef enum { MRG_FETCH_ERROR, MRG_FETCH_MISS, MRG_FETCH_HIT } MrgFetch;

typedef enum {
    MRG_COMMIT_ERROR,    /* nothing is written */
    MRG_COMMIT_DONE,     /* written, durably as configured */
    MRG_COMMIT_CONFLICT, /* another was faster: load and decide again */
    MRG_COMMIT_UNCERTAIN /* the answer was lost: load again, is_repeat tells */
} MrgCommit;

/* ---- import ----------------------------------------------------------- */

typedef struct MrgProfileField {
    const char *name; /* [A-Za-z_][A-Za-z0-9_]{0,63} */
    MrgField value;   /* NULL and MISSING remove the field */
} MrgProfileField;

typedef struct MrgProfile {
    MrgPersonKey person;
    const char *address; /* normalised; NULL: the ledger alone, whether or not there is a
                          * profile, and no fields */
    const MrgProfileField *fields;
    gsize n_fields;
    const MrgConsent *consents; /* added to the record; current is the latest by at_us, of
                                 * one time the greatest state */
    gsize n_consents;
    /* Added; import never removes or shortens one.  Where one of the scope and reason had
     * ended when this begins, it begins anew; else at_us stays, the later end counts. */
    const MrgSuppression *suppressions;
    gsize n_suppressions;
    const MrgEngagement *engagements; /* added; the newest are kept */
    gsize n_engagements;
} MrgProfile;

/* The next profile, or NULL at the end (error unset) or to roll everything
 * back (error set).  Valid until the next call. */
typedef const MrgProfile *(*MrgProfileNext)(gpointer context, GError **error);

/* ---- what the world answers -------------------------------------------- */

/* Stored as it is; the texts have no other source than collect/classify.c. */
typedef enum {
    MRG_CLASS_UNKNOWN,
    MRG_CLASS_HUMAN,
    MRG_CLASS_PROXY,    /* a person opened, and a proxy fetched for them */
    MRG_CLASS_PREFETCH, /* fetched ahead, whether or not anybody opens */
    MRG_CLASS_SCANNER   /* a gateway that follows links to judge them */
} MrgHitClass;
#define MRG_CLASS_LAST MRG_CLASS_SCANNER

/* A request to the collector that carried a token. */
typedef struct MrgHitRow {
    gint64 at_us;
    guint32 campaign;
    guint32 link;    /* 0: none, or one made for this person */
    guint64 message; /* the first 8 bytes of the copy's key, big-endian; 0: not recorded */
    MrgPersonKey person;
    gboolean has_person; /* FALSE: nobody, as somebody without consent is */
    guint kind, flags;   /* the collector's own; below 256 */
    guint32 since_s;     /* since the token was sealed */
    guint8 network[6];   /* of the peer: */
    guint network_bytes; /* 0, 3 (IPv4 /24) or 6 (IPv6 /48) */
    const char *agent;   /* of these texts the store keeps each once; "" for none */
    const char *reason;  /* why it is of this class */
    MrgHitClass hit_class;
    guint64 id; /* for visitors: with at_us, which row it is */
} MrgHitRow;

/* An event of a web page. */
typedef struct MrgWebEvent {
    gint64 at_us;
    guint kind; /* the collector's own */
    const char *site, *name;
    const char *anonymous_id; /* "" for none */
    const char *event_id; /* of two with one id of a site, the first is kept; "" for none */
    const char *data;     /* a JSON object, or "" */
    MrgPersonKey person;
    gboolean has_person;
    gboolean identifies; /* from now on, the anonymous id is this person */
} MrgWebEvent;

/* What a remote MTA, or a mailbox provider, said of a copy. */
typedef enum {
    MRG_DELIVERY_SENT,
    MRG_DELIVERY_DEFERRED,
    MRG_DELIVERY_SOFT_BOUNCE, /* given up, but another mail may arrive */
    MRG_DELIVERY_HARD_BOUNCE, /* there is no such mailbox */
    MRG_DELIVERY_COMPLAINT
} MrgDeliveryState;
#define MRG_DELIVERY_LAST MRG_DELIVERY_COMPLAINT

/* One for each copy and state: told twice, the later time counts. */
typedef struct MrgDelivery {
    guint64 message; /* as of MrgHitRow; never 0 */
    MrgDeliveryState state;
    gint64 at_us;
    guint32 campaign;
    MrgPersonKey person;
    gboolean has_person;
    const char *code; /* of RFC 3463, as in 5.1.1; "" for none */
} MrgDelivery;

/* What is recorded in one transaction. */
typedef struct MrgHitBatch {
    const char *journal; /* id of what it was read from; NULL: nothing to swap */
    guint64 from_segment, from_offset; /* as recorded last; 0, 0 at first */
    guint64 to_segment, to_offset;
    const MrgHitRow *hits;
    gsize n_hits;
    const MrgWebEvent *web_events;
    gsize n_web_events;
    const MrgDelivery *deliveries;
    gsize n_deliveries;
    const MrgProfile *people; /* their ledgers alone: consents, suppressions, engagements */
    gsize n_people;
} MrgHitBatch;

typedef struct MrgHitFilter {
    const MrgPersonKey *person; /* NULL: of all, */
    guint32 campaign;           /* 0: of all */
    gint64 since_us;
} MrgHitFilter;

/* ---- administration ---------------------------------------------------- */

/* Visitors: FALSE ends the listing.  What they get is valid until they return, and they
 * ask the store for nothing. */
typedef gboolean (*MrgEventVisit)(const MrgPersonKey *person, const MrgEvent *event,
                                  gpointer context);
/* One person who has a profile. */
typedef gboolean (*MrgPersonVisit)(const char *address, gpointer context);
typedef gboolean (*MrgHomeVisit)(const MrgPersonKey *person, const char *address,
                                 const MrgField *field, gpointer context);
typedef gboolean (*MrgEngagementVisit)(const MrgPersonKey *person, const char *lines,
                                       gpointer context);
typedef gboolean (*MrgHitVisit)(const MrgHitRow *hit, gpointer context);
typedef gboolean (*MrgDeliveryVisit)(const MrgDelivery *delivery, gpointer context);
typedef gboolean (*MrgLinkVisit)(guint32 number, const char *target, gpointer context);
typedef gboolean (*MrgHoldVisit)(const MrgHold *hold, gpointer context);
typedef gboolean (*MrgSuppressionVisit)(const MrgPersonKey *person,
                                        const MrgSuppression *suppression,
                                        gpointer context);
/* A row of the store's own tables: columns by name, NULL for none, keys in hex. */
typedef gboolean (*MrgRowVisit)(const char *table, const char *const *names,
                                const char *const *values, gsize n, gpointer context);

typedef struct MrgHoldFilter {
    const char *host;     /* NULL: all hosts */
    const char *campaign; /* NULL: all campaigns */
    /* Those that are due then, that are settled, and those of people whose consents or
     * suppressions changed since the copy was held, or held again; G_MAXINT64: all. */
    gint64 due_us;
} MrgHoldFilter;

/* Rows before these times go; 0 keeps them. */
typedef struct MrgRetention {
    gint64 events_us; /* and with them what makes a retry a repeat */
    gint64 engagement_us;
    gint64 hits_us; /* hits, web events, deliveries */
} MrgRetention;

typedef struct MrgStoreApi {
    gsize size;

    /* ---- profiles: the mail path */
    /* Fills fields[i] with the field names[i]; a person without profile is a MISS. */
    MrgFetch (*fetch)(gpointer store, const MrgPersonKey *person, const char *const *names,
                      gsize n_names, MrgField *fields, const MrgMemory *memory,
                      gint64 deadline_us, GError **error);

    /* ---- ledger: the mail path */
    /* message may be NULL: then is_repeat is FALSE.  shared names n_shared accounts. */
    gboolean (*load)(gpointer store, const MrgPersonKey *person,
                     const MrgMessageKey *message, const MrgPersonKey *shared,
                     gsize n_shared, MrgState *state, const MrgMemory *memory,
                     gint64 deadline_us, GError **error);
    /* Both in one round trip.  May be NULL: then they are asked one after the other. */
    MrgFetch (*fetch_and_load)(gpointer store, const MrgPersonKey *person,
                               const char *const *names, gsize n_names, MrgField *fields,
                               const MrgMessageKey *message, const MrgPersonKey *shared,
                               gsize n_shared, MrgState *state, const MrgMemory *memory,
                               gint64 deadline_us, GError **error);
    /* Compare-and-swap on the versions of all accounts: histories, event row and hold, all
     * or nothing.  A message that already has a final outcome is a CONFLICT, whatever the
     * version.  Every change of a consent, a suppression or an engagement raises the
     * person's version too, and a version never goes down.  Only ERROR sets error. */
    MrgCommit (*commit)(gpointer store, const MrgOutcome *outcome, gint64 deadline_us,
                        GError **error);
    /* A held copy came again, and its hold is now there: host, queue_id and at_us change,
     * or the hold is made as it is given where it is gone, so that no copy is held
     * unrecorded.  Where it was, the MTA may have the copy, too: a hold with a message of
     * the store's making, settled as DROP, stays for that place. */
    gboolean (*move_hold)(gpointer store, const MrgHold *hold, gint64 deadline_us,
                          GError **error);
    /* The number of a campaign name, the same for ever, from 1. */
    gboolean (*campaign_number)(gpointer store, const char *campaign, guint32 *number,
                                gint64 deadline_us, GError **error);
    /* The numbers of link targets (up to 8 KiB each) within a campaign, the same for ever,
     * from 1. */
    gboolean (*link_numbers)(gpointer store, guint32 campaign, const char *const *targets,
                             gsize n, guint32 *numbers, gint64 deadline_us, GError **error);

    /* ---- administration: tables */
    /* Makes or upgrades the tables; safe to run again.  open() does not need them,
     * every other call does (MRG_STORE_ERROR_SCHEMA). */
    gboolean (*create)(gpointer store, GError **error);
    /* The version that the tables have (0: there are none) and the one that is needed; it
     * needs no tables. */
    gboolean (*schema_version)(gpointer store, guint *is, guint *needed, GError **error);
    /* Removes what is older; *n_rows counts the rows and engagements.  Makes room ahead,
     * where a store needs that, so it is to run daily. */
    gboolean (*retain)(gpointer store, const MrgRetention *retention, guint64 *n_rows,
                       GError **error);

    /* ---- administration: people */
    /* All profiles or none; *n_imported counts them. */
    gboolean (*import)(gpointer store, MrgProfileNext next, gpointer context,
                       guint64 *n_imported, GError **error);
    /* People with a profile in the order of their keys, which is none to people, at most
     * limit; the addresses as they were imported. */
    gboolean (*list)(gpointer store, gsize limit, MrgPersonVisit visit, gpointer context,
                     GError **error);
    /* Every row that is held on a person, in every table, each with the key in hex. */
    gboolean (*rows_of)(gpointer store, const MrgPersonKey *person, MrgRowVisit visit,
                        gpointer context, GError **error);
    /* Removes all of it but the suppressions and the version, which is raised so that a
     * decision in flight conflicts, and adds one (all, erased).  Copies that are held are
     * settled as DROP, and those rows go when the MTA has deleted them.  What the database
     * keeps of deleted rows is overwritten where it can be. */
    gboolean (*erase)(gpointer store, const MrgPersonKey *person, gint64 at_us,
                      GError **error);
    /* Every row with the text in any column, in every table, byte for byte: no pattern. */
    gboolean (*search)(gpointer store, const char *text, MrgRowVisit visit,
                       gpointer context, GError **error);

    /* ---- administration: suppressions, histories, events */
    /* Those that hold at now_us, of a person (NULL: of all), at most limit. */
    gboolean (*suppressions)(gpointer store, const MrgPersonKey *person, gint64 now_us,
                             gsize limit, MrgSuppressionVisit visit, gpointer context,
                             GError **error);
    /* Ends those of scope and reason (either NULL: any) that hold at at_us; counts them. */
    gboolean (*end_suppression)(gpointer store, const MrgPersonKey *person,
                                const char *scope, const char *reason, gint64 at_us,
                                guint64 *n_ended, GError **error);
    /* Writes the history of any account alone, compare-and-swap on its version. */
    MrgCommit (*put_history)(gpointer store, const MrgAccount *account, GError **error);
    /* The newest events of a person first, of one time that recorded last, at most limit.
     */
    gboolean (*events)(gpointer store, const MrgPersonKey *person, gsize limit,
                       MrgEventVisit visit, gpointer context, GError **error);
    /* All events from since_us on by their times, of one time as they were recorded. */
    gboolean (*events_since)(gpointer store, gint64 since_us, MrgEventVisit visit,
                             gpointer context, GError **error);

    /* ---- administration: holds */
    /* By at_us, of one time by message. */
    gboolean (*holds)(gpointer store, const MrgHoldFilter *filter, MrgHoldVisit visit,
                      gpointer context, GError **error);
    /* What becomes of a held copy: compare-and-swap as commit, with the outcome's message
     * naming the hold; one that is gone, settled or another person's is a CONFLICT.
     * Verdict DELIVER and DROP settle it; HOLD leaves it, due at until_us.  A retry of the
     * copy gets this outcome from then on.  One that is settled as DELIVER may still be
     * settled as DROP, and nothing else: the run that was to release it died before. */
    MrgCommit (*settle_hold)(gpointer store, const MrgOutcome *outcome, GError **error);
    /* The MTA has done it: the holds go, all or none, at the cost of one.  No hold is no
     * error. */
    gboolean (*end_holds)(gpointer store, const MrgMessageKey *messages, gsize n,
                          GError **error);

    /* ---- what the world answers */
    /* All or nothing, and only where the journal's position is still the one that the batch
     * begins at; else CONFLICT.  UNCERTAIN: journal_position() tells.  People's rows are
     * added as import does, whether or not they have a profile. */
    MrgCommit (*record_hits)(gpointer store, const MrgHitBatch *batch, GError **error);
    /* 0, 0 for one that is not known. */
    gboolean (*journal_position)(gpointer store, const char *journal, guint64 *segment,
                                 guint64 *offset, GError **error);
    /* As they were recorded. */
    gboolean (*hits)(gpointer store, const MrgHitFilter *filter, MrgHitVisit visit,
                     gpointer context, GError **error);
    /* Gives rows, named by at_us and id, the class and reason that they have here, all or
     * none; one that is gone is left out. */
    gboolean (*put_classes)(gpointer store, const MrgHitRow *hits, gsize n, GError **error);
    gboolean (*deliveries)(gpointer store, const MrgHitFilter *filter,
                           MrgDeliveryVisit visit, gpointer context, GError **error);
    /* The events of a campaign by their times, of one time as they were recorded. */
    gboolean (*campaign_events)(gpointer store, const char *campaign, MrgEventVisit visit,
                                gpointer context, GError **error);
    /* The links of a campaign by their numbers. */
    gboolean (*links)(gpointer store, guint32 campaign, MrgLinkVisit visit,
                      gpointer context, GError **error);
    /* The other way round: the name or target of a number. */
    MrgFetch (*campaign_name)(gpointer store, guint32 number, const char **name,
                              const MrgMemory *memory, gint64 deadline_us, GError **error);
    MrgFetch (*link_target)(gpointer store, guint32 campaign, guint32 number,
                            const char **target, const MrgMemory *memory,
                            gint64 deadline_us, GError **error);

    /* ---- everybody at once, in any order */
    /* Whom people count together with: those who have a profile, with their address and one
     * field of it, MISSING where it is not there. */
    gboolean (*homes)(gpointer store, const char *field, MrgHomeVisit visit,
                      gpointer context, GError **error);
    /* Those whose current consent to the purpose "profile" is granted, with lines as in
     * MrgState. */
    gboolean (*engagements)(gpointer store, MrgEngagementVisit visit, gpointer context,
                            GError **error);
} MrgStoreApi;

/* ---- sink ------------------------------------------------------------- */

/* What happened to one copy, for the world outside. */
typedef struct MrgSinkEvent {
    MrgPersonKey person;
    MrgEvent event;
    const char *queue_id;
} MrgSinkEvent;

typedef struct MrgSinkApi {
    gsize size;
    /* Called from one thread, off the mail path. */
    gboolean (*write)(gpointer sink, const MrgSinkEvent *events, gsize n, GError **error);
} MrgSinkApi;

/* ---- entry ------------------------------------------------------------ */

typedef struct MrgPlugin {
    gsize size;
    guint major, minor;
    const char *name;               /* of the file: "store-sqlite" */
    const MrgSettingInfo *settings; /* ends with a NULL name */
    /* settings holds each of the table once, fallbacks filled in. */
    gpointer (*open)(const MrgSetting *settings, gsize n, GError **error);
    void (*close)(gpointer instance);
    const MrgStoreApi *store; /* one of the two, the other NULL */
    const MrgSinkApi *sink;
} MrgPlugin;

/* NULL when the plugin cannot work with this host.  Exported. */
__attribute__((visibility("default"))) const MrgPlugin *
mrg_plugin_entry(const MrgHost *host);

/* ---- errors ----------------------------------------------------------- */

typedef enum {
    MRG_STORE_ERROR_UNAVAILABLE, /* cannot be reached, missing file, broken connection */
    MRG_STORE_ERROR_TIMEOUT,     /* busy or locked past the deadline */
    MRG_STORE_ERROR_SCHEMA,      /* tables missing or of another version */
    MRG_STORE_ERROR_CORRUPT,     /* what is stored cannot be right */
    MRG_STORE_ERROR_SETTING      /* open(): a setting is wrong */
} MrgStoreError;
#define MRG_STORE_ERROR_LAST MRG_STORE_ERROR_SETTING

#define MRG_STORE_ERROR (g_quark_from_static_string("merganser-store-error"))

#endif
