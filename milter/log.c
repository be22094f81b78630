/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <syslog.h>

#include "milter/log.h"

static GLogWriterOutput
write_stderr(GLogLevelFlags level G_GNUC_UNUSED, const GLogField *fields, gsize n_fields,
             gpointer data G_GNUC_UNUSED)
{
    for (gsize i = 0; i < n_fields; i++)
        if (g_str_equal(fields[i].key, "MESSAGE"))
            g_printerr("%s\n", (const char *) fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

static GLogWriterOutput
write_syslog(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
             gpointer data G_GNUC_UNUSED)
{
    int priority = level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL) ? LOG_ERR
                   : level & G_LOG_LEVEL_WARNING                      ? LOG_WARNING
                                                                      : LOG_INFO;
    for (gsize i = 0; i < n_fields; i++)
        if (g_str_equal(fields[i].key, "MESSAGE"))
            syslog(priority, "%s", (const char *) fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

void
mrg_log_open(const char *name, gboolean is_stderr)
{
    if (is_stderr) {
        g_log_set_writer_func(write_stderr, NULL, NULL);
    } else {
        openlog(name, LOG_PID, LOG_MAIL);
        g_log_set_writer_func(write_syslog, NULL, NULL);
    }
}
