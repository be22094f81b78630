/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/pgsql/pgsql.h"

/* ---- arguments --------------------------------------------------------- */

void
mrg_pgsql_add_key(MrgPgsqlArguments *arguments, const guint8 *bytes)
{
    int i = arguments->n++;
    arguments->values[i] = (const char *) bytes; /* NULL: null */
    arguments->lengths[i] = MRG_KEY_BYTES;
    arguments->formats[i] = 1;
}

void
mrg_pgsql_add_text(MrgPgsqlArguments *arguments, const char *text)
{
    arguments->values[arguments->n++] = text;
}

void
mrg_pgsql_add_number(MrgPgsqlArguments *arguments, char buffer[MRG_PGSQL_NUMBER_BYTES],
                     gint64 number)
{
    g_snprintf(buffer, MRG_PGSQL_NUMBER_BYTES, "%" G_GINT64_FORMAT, number);
    mrg_pgsql_add_text(arguments, buffer);
}

GString *
mrg_pgsql_array_new(void)
{
    return g_string_new("{");
}

void
mrg_pgsql_array_add(GString *array, const char *text, gsize length)
{
    if (!text) {
        g_string_append(array, array->len > 1 ? ",NULL" : "NULL");
        return;
    }
    g_string_append(array, array->len > 1 ? ",\"" : "\"");
    for (gsize i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\')
            g_string_append_c(array, '\\');
        g_string_append_c(array, text[i]);
    }
    g_string_append_c(array, '"');
}

void
mrg_pgsql_array_add_string(GString *array, const char *text)
{
    mrg_pgsql_array_add(array, text, strlen(text));
}

void
mrg_pgsql_array_add_number(GString *array, gint64 number)
{
    char text[MRG_PGSQL_NUMBER_BYTES];
    g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, number);
    mrg_pgsql_array_add_string(array, text);
}

void
mrg_pgsql_array_add_key(GString *array, const MrgPersonKey *key)
{
    char text[MRG_PGSQL_HEX_BYTES];
    mrg_pgsql_array_add_string(array, mrg_pgsql_hex(key->bytes, text));
}

GString *
mrg_pgsql_array_of_strings(const char *const *texts, gsize n)
{
    GString *array = mrg_pgsql_array_new();
    for (gsize i = 0; i < n; i++)
        mrg_pgsql_array_add_string(array, texts[i]);
    mrg_pgsql_array_end(array);
    return array;
}

const char *
mrg_pgsql_array_end(GString *array)
{
    g_string_append_c(array, '}');
    return array->str;
}

const char *
mrg_pgsql_hex(const guint8 *bytes, char text[MRG_PGSQL_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    g_strlcpy(text, "\\x", MRG_PGSQL_HEX_BYTES);
    for (gsize i = 0; i < MRG_KEY_BYTES; i++) {
        text[2 + 2 * i] = digits[bytes[i] >> 4];
        text[3 + 2 * i] = digits[bytes[i] & 0xf];
    }
    text[MRG_PGSQL_HEX_BYTES - 1] = '\0';
    return text;
}

/* ---- results ----------------------------------------------------------- */

gint64
mrg_pgsql_get_number(const PGresult *result, int row, int column)
{
    return g_ascii_strtoll(PQgetvalue(result, row, column), NULL, 10);
}

gboolean
mrg_pgsql_read_hex(const char *text, gsize length, guint8 *bytes)
{
    if (length != 2 * MRG_KEY_BYTES)
        return FALSE;
    for (gsize i = 0; i < MRG_KEY_BYTES; i++) {
        int high = g_ascii_xdigit_value(text[2 * i]);
        int low = g_ascii_xdigit_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return FALSE;
        bytes[i] = (guint8) (high << 4 | low);
    }
    return TRUE;
}

gboolean
mrg_pgsql_get_key(const PGresult *result, int row, int column, guint8 *bytes)
{
    int length = PQgetlength(result, row, column);
    return length >= 2 && mrg_pgsql_read_hex(PQgetvalue(result, row, column) + 2,
                                             (gsize) length - 2, bytes);
}

PGresult *
mrg_pgsql_ask(MrgPgsql *self, MrgPgsqlCall call, const MrgPgsqlArguments *arguments,
              gint64 deadline_us, const char *what, GError **error)
{
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    MrgPgsqlAnswer answer = MRG_PG_ANSWER_LOST;
    PGresult *result = NULL;
    for (int i = 0; i < 2 && answer == MRG_PG_ANSWER_LOST; i++) {
        if (i && g_get_monotonic_time() >= deadline_us)
            answer = MRG_PG_ANSWER_TIMEOUT;
        if (answer == MRG_PG_ANSWER_TIMEOUT)
            break;
        MrgPgsqlConnection *connection = mrg_pgsql_borrow(self, deadline_us, error);
        if (!connection)
            return NULL;
        answer = mrg_pgsql_call(self, connection, call, arguments, deadline_us, &result,
                                sqlstate);
        mrg_pgsql_return(self, connection);
    }
    if (answer != MRG_PG_ANSWER_OK)
        mrg_pgsql_fail(error, answer, sqlstate, what);
    return result;
}

PGresult *
mrg_pgsql_take(PGconn *pg, const char *sql, gint64 wait_us, const char *what,
               GError **error)
{
    char sqlstate[MRG_PGSQL_STATE_BYTES];
    PGresult *result = NULL;
    MrgPgsqlAnswer answer =
        mrg_pgsql_run(pg, sql, g_get_monotonic_time() + wait_us, &result, sqlstate);
    if (answer != MRG_PG_ANSWER_OK)
        mrg_pgsql_fail(error, answer, sqlstate, what);
    return result;
}

gboolean
mrg_pgsql_run_only(PGconn *pg, const char *sql, gint64 wait_us, const char *what,
                   GError **error)
{
    g_autoptr(PGresult) result = mrg_pgsql_take(pg, sql, wait_us, what, error);
    return result != NULL;
}
