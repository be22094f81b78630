/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access-log: a line of JSON for each answer.
 *
 *   {"at":"2026-11-27T01:02:03Z","route":"open","method":"GET","status":200,"us":41}
 *
 * No path, since it has a token in it, and no address.  Lines are written in batches,
 * within a second; where the file cannot take them they are dropped, and the log says so
 * once.
 *
 * THREADS    any.
 */
#ifndef MRG_ACCESS_LOG_H
#define MRG_ACCESS_LOG_H

#include <glib.h>

typedef struct MrgAccessLog MrgAccessLog;

/* path "" gives a log that takes nothing. */
MrgAccessLog *mrg_access_log_open(const char *path, GError **error);
/* Writes what is left. */
void mrg_access_log_close(MrgAccessLog *log);

void mrg_access_log_add(MrgAccessLog *log, const char *route, const char *method,
                        guint status, gint64 at_us, gint64 taken_us);

/* Goes on in the file that now has the name. */
gboolean mrg_access_log_reopen(MrgAccessLog *log, GError **error);

/* Writes what there is; the daemon calls it every second. */
void mrg_access_log_flush(MrgAccessLog *log);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgAccessLog, mrg_access_log_close)

#endif
