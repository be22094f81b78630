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
 */
#ifndef MRG_PLUGIN_H
#define MRG_PLUGIN_H

#include <glib.h>

#define MRG_ABI_MAJOR 1
#define MRG_ABI_MINOR 1

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

typedef struct MrgSuppression {
    const char *scope;  /* "all", or "class:NAME" */
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

/* What is known of one person when a decision is taken. */
typedef struct MrgState {
    guint64 version;     /* 0: nothing is recorded yet */
    const char *history; /* as committed last; opaque to the store; "" for none */
    gsize history_length;
    const MrgConsent *consents; /* the current one of each purpose */
    gsize n_consents;
    const MrgSuppression *suppressions; /* expired ones too */
    gsize n_suppressions;
    gboolean is_repeat; /* a final outcome of this very copy is recorded: */
    MrgVerdict repeat_verdict;
    const char *repeat_reason;
} MrgState;

typedef struct MrgOutcome {
    MrgPersonKey person;
    MrgMessageKey message;
    guint64 version;     /* of the state that the decision was taken on */
    const char *history; /* the new one, or NULL to leave it as it is */
    gsize history_length;
    gint64 at_us;
    const char *campaign;
    const char *class_name;
    MrgVerdict verdict;
    const char *reason; /* "GATE: DETAIL" */
    gboolean is_final;  /* a retry of this copy gets this outcome again */
} MrgOutcome;

typedef struct MrgEvent {
    gint64 at_us;
    const char *campaign;
    const char *class_name;
    MrgVerdict verdict;
    const char *reason;
} MrgEvent;

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
    const char *address; /* normalised */
    const MrgProfileField *fields;
    gsize n_fields;
    const MrgConsent *consents; /* added to the record; current is the latest by at_us */
    gsize n_consents;
    const MrgSuppression *suppressions; /* added; import never removes or shortens one */
    gsize n_suppressions;
} MrgProfile;

/* The next profile, or NULL at the end (error unset) or to roll everything
 * back (error set).  Valid until the next call. */
typedef const MrgProfile *(*MrgProfileNext)(gpointer context, GError **error);

/* FALSE ends the listing. */
typedef gboolean (*MrgEventVisit)(const MrgEvent *event, gpointer context);

/* One person who has a profile; FALSE ends the listing. */
typedef gboolean (*MrgPersonVisit)(const char *address, gpointer context);

typedef struct MrgStoreApi {
    gsize size;

    /* ---- profiles: the mail path */
    /* Fills fields[i] with the field names[i]; a person without profile is a MISS. */
    MrgFetch (*fetch)(gpointer store, const MrgPersonKey *person, const char *const *names,
                      gsize n_names, MrgField *fields, const MrgMemory *memory,
                      gint64 deadline_us, GError **error);

    /* ---- ledger: the mail path */
    /* message may be NULL: then is_repeat is FALSE. */
    gboolean (*load)(gpointer store, const MrgPersonKey *person,
                     const MrgMessageKey *message, MrgState *state, const MrgMemory *memory,
                     gint64 deadline_us, GError **error);
    /* Compare-and-swap on the version: history and event row, both or neither.  A message
     * that already has a final outcome is a CONFLICT, whatever the version.  Every change
     * of a consent or a suppression raises the version too.  Only ERROR sets error. */
    MrgCommit (*commit)(gpointer store, const MrgOutcome *outcome, gint64 deadline_us,
                        GError **error);
    /* The number of a campaign name, the same for ever, from 1. */
    gboolean (*campaign_number)(gpointer store, const char *campaign, guint32 *number,
                                gint64 deadline_us, GError **error);

    /* ---- administration */
    /* Makes or upgrades the tables; safe to run again.  open() does not need them,
     * every other call does (MRG_STORE_ERROR_SCHEMA). */
    gboolean (*create)(gpointer store, GError **error);
    /* All profiles or none; *n_imported counts them. */
    gboolean (*import)(gpointer store, MrgProfileNext next, gpointer context,
                       guint64 *n_imported, GError **error);
    /* The newest events of a person first, at most limit. */
    gboolean (*events)(gpointer store, const MrgPersonKey *person, gsize limit,
                       MrgEventVisit visit, gpointer context, GError **error);
    /* Since 1.1, may be NULL.  People with a profile in the order of their keys, which is
     * none to people, at most limit; the addresses as they were imported. */
    gboolean (*list)(gpointer store, gsize limit, MrgPersonVisit visit, gpointer context,
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
