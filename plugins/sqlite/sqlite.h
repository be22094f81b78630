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

#define MRG_SQLITE_SCHEMA_VERSION 1
#define MRG_SQLITE_READERS_MAX 64
#define MRG_SQLITE_NO_DEADLINE G_MAXINT64

/* conf/sql/sqlite.sql, by the build. */
extern const char mrg_sqlite_schema[];

typedef enum {
    MRG_SQL_BEGIN,
    MRG_SQL_BEGIN_IMMEDIATE,
    MRG_SQL_COMMIT,
    MRG_SQL_PROFILE,
    MRG_SQL_FIELD,
    MRG_SQL_PERSON,
    MRG_SQL_CONSENTS,
    MRG_SQL_SUPPRESSIONS,
    MRG_SQL_RECORDED,
    MRG_SQL_EVENTS,
    MRG_SQL_PEOPLE,
    MRG_SQL_CAMPAIGN,
    MRG_SQL_ADD_CAMPAIGN,
    MRG_SQL_ADD_PERSON,
    MRG_SQL_RAISE_PERSON,
    MRG_SQL_ADD_EVENT,
    MRG_SQL_PUT_PROFILE,
    MRG_SQL_PUT_FIELD,
    MRG_SQL_DROP_FIELD,
    MRG_SQL_ADD_CONSENT,
    MRG_SQL_ADD_SUPPRESSION,
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

typedef struct MrgSqlite {
    char *file;
    gboolean is_full; /* durability */
    gsize n_readers;
    pthread_mutex_t lock; /* over is_lent */
    pthread_cond_t returned;
    MrgSqliteConnection writer;
    MrgSqliteConnection readers[MRG_SQLITE_READERS_MAX];
} MrgSqlite;

void mrg_sqlite_init(MrgSqlite *self);
void mrg_sqlite_clear(MrgSqlite *self);

/* NULL and an error when none is free by the deadline, or the file cannot be used.  What is
 * done with it ends by the deadline, too. */
MrgSqliteConnection *mrg_sqlite_borrow(MrgSqlite *self, gboolean is_writer,
                                       gint64 deadline_us, GError **error);
/* Rolls back what was not committed. */
void mrg_sqlite_return(MrgSqlite *self, MrgSqliteConnection *connection);

/* Makes the file and the tables. */
gboolean mrg_sqlite_create(MrgSqlite *self, GError **error);

/* The error for what SQLite answered. */
gboolean mrg_sqlite_fail(GError **error, int rc, const char *what);

/* Opens and makes ready without looking for tables: for create(). */
gboolean mrg_sqlite_connect(MrgSqlite *self, MrgSqliteConnection *connection,
                            GError **error);
void mrg_sqlite_disconnect(MrgSqliteConnection *connection);
gboolean mrg_sqlite_user_version(sqlite3 *db, int *version, GError **error);

#endif
