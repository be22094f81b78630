/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: where a daemon's log lines go; facility mail for syslog.
 */
#ifndef MRG_LOG_H
#define MRG_LOG_H

#include <glib.h>

/* Once, before any thread.  name, a static text, is what syslog calls the daemon. */
void mrg_log_open(const char *name, gboolean is_stderr);

#endif
