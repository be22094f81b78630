/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit: how often something may happen within a minute, in a table of fixed size.
 *
 * Where the table is crowded, what was seen least recently and least often is forgotten, so
 * that a limit may let through more than it should, and never less.
 *
 * THREADS    any.
 */
#ifndef MRG_LIMIT_H
#define MRG_LIMIT_H

#include <glib.h>

typedef struct MrgLimit MrgLimit;

MrgLimit *mrg_limit_new(void);
void mrg_limit_free(MrgLimit *limit);

/* Counts one; FALSE beyond per_minute. With per_minute 0 everything passes. */
gboolean mrg_limit_take(MrgLimit *limit, guint per_minute, guint64 key, gint64 now_us);

#endif
