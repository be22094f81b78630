/* SPDX-License-Identifier: Apache-2.0 */
/*
 * array: an array of texts as PostgreSQL sends it in binary (array_send in its sources:
 * dimensions, flags, type, then size and bytes of each element).
 *
 * OWNERSHIP  borrowed from the data.
 * ERRORS     FALSE for data that is cut off or has more than one dimension.
 */
#ifndef MRG_PGSQL_ARRAY_H
#define MRG_PGSQL_ARRAY_H

#include <glib.h>

typedef struct MrgPgsqlArray {
    const guint8 *at, *end;
    guint n; /* elements to come */
} MrgPgsqlArray;

gboolean mrg_pgsql_array_open(MrgPgsqlArray *self, const void *data, gsize length);

/* The next one, of which there must be one; text is NULL for a null, and ends with no NUL.
 */
gboolean mrg_pgsql_array_next(MrgPgsqlArray *self, const char **text, gsize *length);

/* A whole number of decimal digits, which may be negative, as such an element. */
gboolean mrg_pgsql_array_next_number(MrgPgsqlArray *self, gint64 *number);

#endif
