/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "plugins/pgsql/array.h"

#define ELEMENT_BYTES_MIN 4 /* its size */

static gboolean
read_int(MrgPgsqlArray *self, gint32 *number)
{
    if (self->end - self->at < 4)
        return FALSE;
    guint32 bits = 0;
    for (gsize i = 0; i < 4; i++)
        bits = bits << 8 | *self->at++;
    *number = (gint32) bits;
    return TRUE;
}

gboolean
mrg_pgsql_array_open(MrgPgsqlArray *self, const void *data, gsize length)
{
    gint32 n_dimensions, flags, type, n, first;
    *self = (MrgPgsqlArray){data, (const guint8 *) data + length, 0};
    if (!read_int(self, &n_dimensions) || !read_int(self, &flags) || !read_int(self, &type))
        return FALSE;
    if (n_dimensions == 0)
        return TRUE;
    if (n_dimensions != 1 || !read_int(self, &n) || !read_int(self, &first) || n < 0 ||
        n > (self->end - self->at) / ELEMENT_BYTES_MIN)
        return FALSE;
    self->n = (guint) n;
    return TRUE;
}

gboolean
mrg_pgsql_array_next(MrgPgsqlArray *self, const char **text, gsize *length)
{
    gint32 size;
    if (!self->n || !read_int(self, &size) || size < -1 || size > self->end - self->at)
        return FALSE;
    self->n--;
    *text = size < 0 ? NULL : (const char *) self->at;
    *length = size < 0 ? 0 : (gsize) size;
    self->at += *length;
    return TRUE;
}

gboolean
mrg_pgsql_array_next_number(MrgPgsqlArray *self, gint64 *number)
{
    char digits[24];
    const char *text;
    gsize length;
    if (!mrg_pgsql_array_next(self, &text, &length) || !text || length >= sizeof digits)
        return FALSE;
    for (gsize i = 0; i < length; i++)
        digits[i] = text[i];
    digits[length] = '\0';
    return g_ascii_string_to_signed(digits, 10, G_MININT64, G_MAXINT64, number, NULL);
}
