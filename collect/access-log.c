/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "collect/access-log.h"
#include "milter/clock.h"

#define BUFFER_BYTES 65536
#define LINE_MAX_BYTES 256

struct MrgAccessLog {
    char *path;
    pthread_mutex_t mutex; /* for all below */
    int file;
    gboolean is_failing;
    gint64 second;
    char time_text[32]; /* of second */
    gsize n;
    char buffer[BUFFER_BYTES];
};

static gboolean
open_file(const char *path, int *file, GError **error)
{
    *file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (*file >= 0)
        return TRUE;
    int code = errno;
    g_set_error(error, G_FILE_ERROR, (gint) g_file_error_from_errno(code),
                "cannot open the access log %s: %s", path, g_strerror(code));
    return FALSE;
}

MrgAccessLog *
mrg_access_log_open(const char *path, GError **error)
{
    int file = -1;
    if (*path && !open_file(path, &file, error))
        return NULL;
    MrgAccessLog *log = g_new0(MrgAccessLog, 1);
    pthread_mutex_init(&log->mutex, NULL);
    log->path = g_strdup(path);
    log->file = file;
    return log;
}

static void
flush_locked(MrgAccessLog *log)
{
    gssize written = log->n ? write(log->file, log->buffer, log->n) : 0;
    gboolean is_failing = written != (gssize) log->n;
    if (is_failing && !log->is_failing)
        g_warning("access log: lines are lost: %s",
                  written < 0 ? g_strerror(errno) : "the disk is full");
    log->is_failing = is_failing;
    log->n = 0;
}

void
mrg_access_log_flush(MrgAccessLog *log)
{
    pthread_mutex_lock(&log->mutex);
    if (log->file >= 0)
        flush_locked(log);
    pthread_mutex_unlock(&log->mutex);
}

void
mrg_access_log_close(MrgAccessLog *log)
{
    mrg_access_log_flush(log);
    if (log->file >= 0)
        close(log->file);
    pthread_mutex_destroy(&log->mutex);
    g_free(log->path);
    g_free(log);
}

gboolean
mrg_access_log_reopen(MrgAccessLog *log, GError **error)
{
    int file, old;
    if (!*log->path)
        return TRUE;
    if (!open_file(log->path, &file, error))
        return FALSE;
    pthread_mutex_lock(&log->mutex);
    flush_locked(log);
    old = log->file;
    log->file = file;
    pthread_mutex_unlock(&log->mutex);
    close(old);
    return TRUE;
}

static void
set_second(MrgAccessLog *log, gint64 second)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(second);
    g_autofree char *text = g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");
    g_strlcpy(log->time_text, text, sizeof log->time_text);
    log->second = second;
}

static void
put_text(MrgAccessLog *log, const char *text)
{
    gsize length = strlen(text);
    memcpy(log->buffer + log->n, text, length);
    log->n += length;
}

static void
put_number(MrgAccessLog *log, guint64 number)
{
    char digits[24], *at = digits + sizeof digits - 1;
    *at = '\0';
    do
        *--at = (char) ('0' + number % 10);
    while (number /= 10);
    put_text(log, at);
}

void
mrg_access_log_add(MrgAccessLog *log, const char *route, const char *method, guint status,
                   gint64 at_us, gint64 taken_us)
{
    if (!*log->path)
        return;
    pthread_mutex_lock(&log->mutex);
    if (log->n + LINE_MAX_BYTES > sizeof log->buffer)
        flush_locked(log);
    if (at_us / MRG_SECOND_US != log->second)
        set_second(log, at_us / MRG_SECOND_US);
    put_text(log, "{\"at\":\"");
    put_text(log, log->time_text);
    put_text(log, "\",\"route\":\"");
    put_text(log, route);
    put_text(log, "\",\"method\":\"");
    put_text(log, method);
    put_text(log, "\",\"status\":");
    put_number(log, status);
    put_text(log, ",\"us\":");
    put_number(log, (guint64) MAX(taken_us, 0));
    put_text(log, "}\n");
    pthread_mutex_unlock(&log->mutex);
}
