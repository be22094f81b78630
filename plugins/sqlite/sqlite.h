/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite: a database file, and connections that are lent to one call at a time.
 *
 * Several connections read and one writes; each is opened when it is first needed, keeps
 * its prepared statements, and is opened again when another file was put in its place.
 * SQLite's own locks are off (SQLITE_OPEN_NOMUTEX): a lent connection has one user.
 *
 * THREADS    any; pthread locks, which ThreadSanitizer understands.
 * ERRORS     MRG_STORE_ERROR.
 */
#ifndef MRG_SQLITE_H
#define MRG_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "plugins/merganser-plugin.h"

#define MRG_SQLITE_SCHEMA_VERSION 4
#define MRG_SQLITE_READERS_MAX 64
#define MRG_SQLITE_NO_DEADLINE G_MAXINT64

/* conf/sql/sqlite.sql and sqlite-2.sql to sqlite-4.sql, by the build. */
extern const char mrg_sqlite_schema[];
extern const char mrg_sqlite_schema_2[];
extern const char mrg_sqlite_schema_3[];
extern const char mrg_sqlite_schema_4[];

typedef enum {
    MRG_SQL_BEGIN,
    MRG_SQL_BEGIN_IMMEDIATE,
    MRG_SQL_COMMIT,
    MRG_SQL_ROLLBACK,
    MRG_SQL_SAVEPOINT,
    MRG_SQL_RELEASE,
    MRG_SQL_ROLLBACK_TO,
    MRG_SQL_PROFILE,
    MRG_SQL_FIELD,
    MRG_SQL_FIELDS,
    MRG_SQL_PERSON,
    MRG_SQL_CONSENTS,
    MRG_SQL_SUPPRESSIONS,
    MRG_SQL_RECORDED,
    MRG_SQL_EVENTS,
    MRG_SQL_EVENTS_SINCE,
    MRG_SQL_PEOPLE,
    MRG_SQL_HOMES,
    MRG_SQL_ENGAGEMENTS,
    MRG_SQL_CAMPAIGN,
    MRG_SQL_ADD_CAMPAIGN,
    MRG_SQL_ADD_PERSON,
    MRG_SQL_RAISE_PERSON,
    MRG_SQL_ADD_EVENT,
    MRG_SQL_PUT_HOLD,
    MRG_SQL_LEAVE_HOLD,
    MRG_SQL_HOLD,
    MRG_SQL_SETTLE_HOLD,
    MRG_SQL_END_HOLD,
    MRG_SQL_HOLDS,
    MRG_SQL_LINK,
    MRG_SQL_ADD_LINK,
    MRG_SQL_PUT_ENGAGEMENT,
    MRG_SQL_ACTIVE_SUPPRESSIONS,
    MRG_SQL_END_SUPPRESSION,
    MRG_SQL_PUT_PROFILE,
    MRG_SQL_PUT_FIELD,
    MRG_SQL_DROP_FIELD,
    MRG_SQL_ADD_CONSENT,
    MRG_SQL_ADD_SUPPRESSION,
    MRG_SQL_HIT_TEXT,
    MRG_SQL_ADD_HIT_TEXT,
    MRG_SQL_ADD_HIT,
    MRG_SQL_IDENTITY,
    MRG_SQL_PUT_IDENTITY,
    MRG_SQL_ADD_WEB_EVENT,
    MRG_SQL_PUT_DELIVERY,
    MRG_SQL_JOURNAL,
    MRG_SQL_PUT_JOURNAL,
    MRG_SQL_PUT_CLASS,
    MRG_SQL_CAMPAIGN_EVENTS,
    MRG_SQL_LINKS,
    MRG_SQL_CAMPAIGN_NAME,
    MRG_SQL_LINK_TARGET,
    MRG_SQL_N
} MrgSqliteStatement;

typedef struct MrgSqliteConnection {
    sqlite3 *db; /* NULL: not open */
    sqlite3_stmt *statements[MRG_SQL_N];
    dev_t device; /* of the file that is open */
    ino_t inode;
    gint64 deadline_us;
    gboolean is_writer;
    gboolean is_lent;
} MrgSqliteConnection;

/* Commits that wait, and whether one of their threads is at work for others. */
typedef struct MrgSqliteGroup {
    pthread_mutex_t lock;
    GQueue waiting;
    gboolean has_leader;
    guint wanted; /* members that the leader waits for, itself among them */
    /* Groups in which more came, and that are to go by before more are wanted: after the
     * last wait in vain, and still of them. */
    guint put_off, n_put_off;
    pthread_cond_t joined;
} MrgSqliteGroup;

typedef struct MrgSqlite {
    char *file;
    gboolean is_full; /* durability */
    gsize n_readers;
    pthread_mutex_t lock; /* over is_lent */
    pthread_cond_t reader_returned;
    pthread_cond_t writer_returned;
    MrgSqliteConnection writer;
    MrgSqliteConnection readers[MRG_SQLITE_READERS_MAX];
    MrgSqliteGroup group;
} MrgSqlite;

void mrg_sqlite_init(MrgSqlite *self);
void mrg_sqlite_clear(MrgSqlite *self);

/* ---- statements; what is bound lives until the statement is used again ---- */

/* Reset, with nothing bound. */
sqlite3_stmt *mrg_sqlite_fresh(const MrgSqliteConnection *connection,
                               MrgSqliteStatement which);
void mrg_sqlite_bind_key(sqlite3_stmt *statement, int at, const guint8 *bytes);
void mrg_sqlite_bind_text(sqlite3_stmt *statement, int at, const char *text, gsize length);
/* NULL stays NULL. */
void mrg_sqlite_bind(sqlite3_stmt *statement, int at, const char *text);
gboolean mrg_sqlite_run(sqlite3_stmt *statement, const char *what, GError **error);
/* TRUE while there are rows; *is_done tells the end from a failure. */
gboolean mrg_sqlite_next(sqlite3_stmt *statement, const char *what, gboolean *is_done,
                         GError **error);
gboolean mrg_sqlite_begin(const MrgSqliteConnection *connection, GError **error);
gboolean mrg_sqlite_finish(const MrgSqliteConnection *connection, GError **error);
const char *mrg_sqlite_copy(sqlite3_stmt *statement, int column, const MrgMemory *memory,
                            gsize *length);
/* A key that the tables' checks have let in. */
void mrg_sqlite_take_key(sqlite3_stmt *statement, int column, guint8 *bytes);

/* ---- waiting, on CLOCK_MONOTONIC, which GLib's monotonic clock is ---- */

void mrg_sqlite_init_condition(pthread_cond_t *condition);
struct timespec mrg_sqlite_timespec(gint64 deadline_us);
void mrg_sqlite_init_group(MrgSqliteGroup *group);
void mrg_sqlite_clear_group(MrgSqliteGroup *group);

/* ---- connections ---- */

/* NULL and an error when none is free by the deadline, or the file cannot be used.  What is
 * done with it ends by the deadline, too. */
MrgSqliteConnection *mrg_sqlite_borrow(MrgSqlite *self, gboolean is_writer,
                                       gint64 deadline_us, GError **error);
/* Rolls back what was not committed. */
void mrg_sqlite_return(MrgSqlite *self, MrgSqliteConnection *connection);

/* For administration: waits for the connection for some seconds, and then works as long
 * as there is something to do. */
MrgSqliteConnection *mrg_sqlite_borrow_long(MrgSqlite *self, gboolean is_writer,
                                            GError **error);

/* Makes the file and the tables. */
gboolean mrg_sqlite_create(MrgSqlite *self, GError **error);

/* The error for what SQLite answered. */
gboolean mrg_sqlite_fail(GError **error, int rc, const char *what);

/* Opens and makes ready without looking for tables: for create(). */
gboolean mrg_sqlite_connect(MrgSqlite *self, MrgSqliteConnection *connection,
                            GError **error);
void mrg_sqlite_disconnect(MrgSqliteConnection *connection);
gboolean mrg_sqlite_user_version(sqlite3 *db, int *version, GError **error);
gboolean mrg_sqlite_schema_version(gpointer store, guint *is, guint *needed,
                                   GError **error);

/* ---- the store: as in MrgStoreApi ---- */

gboolean mrg_sqlite_load(gpointer store, const MrgPersonKey *person,
                         const MrgMessageKey *message, const MrgPersonKey *shared,
                         gsize n_shared, MrgState *state, const MrgMemory *memory,
                         gint64 deadline_us, GError **error);
/* Within a transaction. */
gboolean mrg_sqlite_read_state(const MrgSqliteConnection *connection,
                               const MrgPersonKey *person, const MrgMessageKey *message,
                               const MrgPersonKey *shared, gsize n_shared, MrgState *state,
                               const MrgMemory *memory, GError **error);
MrgCommit mrg_sqlite_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us,
                            GError **error);
/* Within a transaction; anything but DONE may have written some of it. */
MrgCommit mrg_sqlite_write_outcome(const MrgSqliteConnection *connection,
                                   const MrgOutcome *outcome, GError **error);
/* After COMMIT failed: while the transaction is open nothing is written; when it is not,
 * the disk failed under it, and what the file holds shows when it is read again. */
MrgCommit mrg_sqlite_end_commit(const MrgSqliteConnection *connection, GError **error);
MrgCommit mrg_sqlite_put_history(gpointer store, const MrgAccount *account, GError **error);
MrgCommit mrg_sqlite_settle_hold(gpointer store, const MrgOutcome *outcome, GError **error);

/* Where there is one, it moves to host and queue_id. */
gboolean mrg_sqlite_put_hold(const MrgSqliteConnection *connection, const MrgHold *hold,
                             GError **error);
gboolean mrg_sqlite_move_hold(gpointer store, const MrgHold *hold, gint64 deadline_us,
                              GError **error);
gboolean mrg_sqlite_holds(gpointer store, const MrgHoldFilter *filter, MrgHoldVisit visit,
                          gpointer context, GError **error);
gboolean mrg_sqlite_end_holds(gpointer store, const MrgMessageKey *messages, gsize n,
                              GError **error);

gboolean mrg_sqlite_import(gpointer store, MrgProfileNext next, gpointer context,
                           guint64 *n_imported, GError **error);
gboolean mrg_sqlite_put_suppression(const MrgSqliteConnection *connection,
                                    const MrgPersonKey *person,
                                    const MrgSuppression *suppression, GError **error);
/* Within a transaction. */
gboolean mrg_sqlite_put_profile(const MrgSqliteConnection *connection,
                                const MrgProfile *profile, GError **error);
gboolean mrg_sqlite_homes(gpointer store, const char *field, MrgHomeVisit visit,
                          gpointer context, GError **error);
gboolean mrg_sqlite_engagements(gpointer store, MrgEngagementVisit visit, gpointer context,
                                GError **error);
gboolean mrg_sqlite_list(gpointer store, gsize limit, MrgPersonVisit visit,
                         gpointer context, GError **error);
gboolean mrg_sqlite_suppressions(gpointer store, const MrgPersonKey *person, gint64 now_us,
                                 gsize limit, MrgSuppressionVisit visit, gpointer context,
                                 GError **error);
gboolean mrg_sqlite_end_suppression(gpointer store, const MrgPersonKey *person,
                                    const char *scope, const char *reason, gint64 at_us,
                                    guint64 *n_ended, GError **error);

gboolean mrg_sqlite_events(gpointer store, const MrgPersonKey *person, gsize limit,
                           MrgEventVisit visit, gpointer context, GError **error);
gboolean mrg_sqlite_events_since(gpointer store, gint64 since_us, MrgEventVisit visit,
                                 gpointer context, GError **error);
gboolean mrg_sqlite_campaign_events(gpointer store, const char *campaign,
                                    MrgEventVisit visit, gpointer context, GError **error);

MrgCommit mrg_sqlite_record_hits(gpointer store, const MrgHitBatch *batch, GError **error);
gboolean mrg_sqlite_journal_position(gpointer store, const char *journal, guint64 *segment,
                                     guint64 *offset, GError **error);
gboolean mrg_sqlite_hits(gpointer store, const MrgHitFilter *filter, MrgHitVisit visit,
                         gpointer context, GError **error);
gboolean mrg_sqlite_put_classes(gpointer store, const MrgHitRow *hits, gsize n,
                                GError **error);
gboolean mrg_sqlite_deliveries(gpointer store, const MrgHitFilter *filter,
                               MrgDeliveryVisit visit, gpointer context, GError **error);
gboolean mrg_sqlite_links(gpointer store, guint32 campaign, MrgLinkVisit visit,
                          gpointer context, GError **error);
MrgFetch mrg_sqlite_campaign_name(gpointer store, guint32 number, const char **name,
                                  const MrgMemory *memory, gint64 deadline_us,
                                  GError **error);
MrgFetch mrg_sqlite_link_target(gpointer store, guint32 campaign, guint32 number,
                                const char **target, const MrgMemory *memory,
                                gint64 deadline_us, GError **error);

gboolean mrg_sqlite_rows_of(gpointer store, const MrgPersonKey *person, MrgRowVisit visit,
                            gpointer context, GError **error);
gboolean mrg_sqlite_search(gpointer store, const char *text, MrgRowVisit visit,
                           gpointer context, GError **error);
gboolean mrg_sqlite_erase(gpointer store, const MrgPersonKey *person, gint64 at_us,
                          GError **error);
gboolean mrg_sqlite_retain(gpointer store, const MrgRetention *retention, guint64 *n_rows,
                           GError **error);

#endif
