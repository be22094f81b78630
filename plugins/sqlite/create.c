/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "plugins/sqlite/sqlite.h"

#define LOCK_WAIT_US (10 * G_USEC_PER_SEC)
#define FILE_MODE (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP) /* less the umask */

/* From each version to the next. */
static const char *const upgrades[MRG_SQLITE_SCHEMA_VERSION] = {
    mrg_sqlite_schema,
    mrg_sqlite_schema_2,
    mrg_sqlite_schema_3,
    mrg_sqlite_schema_4,
};

static gboolean
fail_errno(GError **error, const char *file, const char *what)
{
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE, "%s: %s: %s", file,
                what, g_strerror(errno));
    return FALSE;
}

/* `merganser db init` run by root must not leave a file that the daemon cannot open: the
 * file goes to whom its folder belongs. */
static gboolean
give_to_owner_of_folder(const char *file, int fd)
{
    struct stat folder_status;
    g_autofree char *folder = g_path_get_dirname(file);
    if (geteuid() != 0)
        return TRUE;
    return stat(folder, &folder_status) == 0 &&
           fchown(fd, folder_status.st_uid, folder_status.st_gid) == 0;
}

/* Group members may share the file when the umask says so; others never see it. */
static gboolean
check_secrecy(const char *file, int fd, GError **error)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return fail_errno(error, file, "cannot be examined");
    if (S_ISREG(status.st_mode) && !(status.st_mode & S_IRWXO))
        return TRUE;
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE, "%s: %s", file,
                S_ISREG(status.st_mode) ? "others can read or write it; chmod it to 0640"
                                        : "is not a regular file");
    return FALSE;
}

static gboolean
make_file(const char *file, GError **error)
{
    int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    gboolean is_new = fd >= 0;
    if (!is_new && errno == EEXIST)
        fd = open(file, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail_errno(error, file, "cannot be made");
    gboolean is_done = check_secrecy(file, fd, error);
    if (is_done && is_new && !give_to_owner_of_folder(file, fd))
        is_done = fail_errno(error, file, "cannot be given to its folder's owner");
    close(fd);
    return is_done;
}

static gboolean
has_tables(sqlite3 *db, gboolean *result, GError **error)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT EXISTS (SELECT 1 FROM sqlite_schema)", -1,
                                &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *result = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW || mrg_sqlite_fail(error, rc, "tables");
}

/* Within a transaction. */
static gboolean
make_tables(const MrgSqlite *self, sqlite3 *db, GError **error)
{
    int version = 0;
    gboolean is_used = FALSE;
    if (!mrg_sqlite_user_version(db, &version, error) || !has_tables(db, &is_used, error))
        return FALSE;
    if (version < 0 || version > MRG_SQLITE_SCHEMA_VERSION || (!version && is_used)) {
        g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SCHEMA, "%s: %s", self->file,
                    version ? "is of a version that this one does not know"
                            : "holds tables of something else");
        return FALSE;
    }
    for (; version < MRG_SQLITE_SCHEMA_VERSION; version++) {
        int rc = sqlite3_exec(db, upgrades[version], NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return mrg_sqlite_fail(error, rc, "schema");
    }
    return TRUE;
}

static gboolean
run(sqlite3 *db, const char *sql, GError **error)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || mrg_sqlite_fail(error, rc, sql);
}

gboolean
mrg_sqlite_create(MrgSqlite *self, GError **error)
{
    if (!make_file(self->file, error))
        return FALSE;
    MrgSqliteConnection connection = {
        .is_writer = TRUE,
        .deadline_us = g_get_monotonic_time() + LOCK_WAIT_US,
    };
    if (!mrg_sqlite_connect(self, &connection, error))
        return FALSE;
    gboolean is_done = run(connection.db, "PRAGMA journal_mode = WAL", error) &&
                       run(connection.db, "BEGIN IMMEDIATE", error) &&
                       make_tables(self, connection.db, error) &&
                       run(connection.db, "COMMIT", error);
    mrg_sqlite_disconnect(&connection);
    return is_done;
}

gboolean
mrg_sqlite_schema_version(gpointer store, guint *is, guint *needed, GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteConnection connection = {
        .deadline_us = g_get_monotonic_time() + LOCK_WAIT_US,
    };
    int version = 0;
    if (g_file_test(self->file, G_FILE_TEST_EXISTS)) {
        gboolean is_done = mrg_sqlite_connect(self, &connection, error) &&
                           mrg_sqlite_user_version(connection.db, &version, error);
        mrg_sqlite_disconnect(&connection);
        if (!is_done)
            return FALSE;
    }
    *is = (guint) version;
    *needed = MRG_SQLITE_SCHEMA_VERSION;
    return TRUE;
}
