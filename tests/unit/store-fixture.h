/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-fixture: an open store, and short forms of its calls that assert success.
 */
#ifndef MRG_STORE_FIXTURE_H
#define MRG_STORE_FIXTURE_H

#include "milter/registry.h"

#define SECOND G_GINT64_CONSTANT(1000000)

typedef struct Fixture {
    const char *plugin;
    char *folder;
    char *file;
    MrgStore *store;
    MrgArena *arena;
} Fixture;

typedef struct Feed {
    const MrgProfile *profiles;
    gsize n, next;
    gboolean fails;
} Feed;

/* An array of them ends with a NULL name. */
typedef struct Case {
    const char *name;
    void (*test)(Fixture *fixture, gconstpointer plugin);
} Case;

/* The contract that is not in test-store.c. */
extern const Case store_import[], store_people[], store_ledger[], store_holds[],
    store_hits[];
extern const Case sqlite_only[], sqlite_empty[], pgsql_only[], pgsql_empty[],
    pgsql_import[], pgsql_copies[], pgsql_direct[], pgsql_pooled[], pgsql_shards[];

gint64 soon(void);
MrgPersonKey person(guint n);
MrgMessageKey message(guint n);
void set_up_empty(Fixture *fixture, gconstpointer plugin);
void set_up(Fixture *fixture, gconstpointer plugin);
void tear_down(Fixture *fixture, gconstpointer plugin);
const MrgProfile *next_profile(gpointer context, GError **error);
void import(const Fixture *fixture, const MrgProfile *profiles, gsize n);
MrgFetch fetch(const Fixture *fixture, guint who, const char *const *names, gsize n,
               MrgField *fields);
MrgState load_by(MrgStore *store, MrgArena *arena, guint who, guint what);
MrgState load(const Fixture *fixture, guint who, guint what);
MrgOutcome outcome(guint who, guint what, guint64 version, const char *history);
MrgCommit commit(const Fixture *fixture, const MrgOutcome *what);
MrgField field(MrgFieldType type, const char *text);
void assert_field(const MrgField *is, MrgFieldType type, const char *text);
void import_consent(const Fixture *fixture, MrgConsentState state, gint64 at_us);
void import_suppression(const Fixture *fixture, const char *scope, const char *reason,
                        gint64 until_us);
/* A line for each: "MICROSECONDS VERDICT CAMPAIGN", newest first; where something is
 * tracked "tracked FLAGS of MESSAGE". */
char *events_text(const Fixture *fixture, guint who, gsize limit);
/* "MESSAGE of PERSON: HOST QUEUE-ID CAMPAIGN CLASS AT-UNTIL", or settlement, and the
 * list. */
char *holds_text(const Fixture *fixture, const char *host, const char *campaign,
                 gint64 due_us);
void assert_all_fail(const Fixture *fixture, gint code);
void missing_tables_are_an_error_of_schema(Fixture *fixture, gconstpointer plugin);
void pgsql_reset(void); /* drops the schema */
void pgsql_run(const char *sql);
void pgsql_run_on(const char *conninfo, const char *sql);
char *pgsql_ask(const char *sql); /* one value */

#endif
