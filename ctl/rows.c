/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/utf8.h"
#include "ctl/rows.h"
#include "milter/error.h"

#define CHUNK_BYTES 65536
#define COLUMNS_MAX 1000

void
mrg_rows_init(MrgRows *rows, FILE *file, const char *path)
{
    *rows = (MrgRows){.file = file,
                      .path = path,
                      .next_line = 1,
                      .row = g_string_new(NULL),
                      .again = g_string_new(NULL),
                      .texts = g_string_new(NULL),
                      .cells = g_ptr_array_new(),
                      .chunk = g_malloc(CHUNK_BYTES)};
}

void
mrg_rows_clear(MrgRows *rows)
{
    if (!rows->file)
        return;
    g_string_free(rows->row, TRUE);
    g_string_free(rows->again, TRUE);
    g_string_free(rows->texts, TRUE);
    g_ptr_array_unref(rows->cells);
    g_free(rows->chunk);
    rows->file = NULL;
}

gboolean
mrg_rows_fail(const MrgRows *rows, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL, "%s:%" G_GUINT64_FORMAT ":1: %s",
                rows->path, rows->line, what);
    return FALSE;
}

/* ---- lines ---- */

/* What spreadsheets put before UTF-8. */
static void
skip_byte_order_mark(MrgRows *rows)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (rows->chunk_end >= 3 && memcmp(rows->chunk, mark, 3) == 0)
        rows->chunk_at = 3;
}

static gboolean
fill_chunk(MrgRows *rows)
{
    gboolean is_first = rows->n_bytes == 0;
    rows->chunk_at = 0;
    rows->chunk_end = fread(rows->chunk, 1, CHUNK_BYTES, rows->file);
    rows->n_bytes += rows->chunk_end;
    if (is_first)
        skip_byte_order_mark(rows);
    return rows->chunk_end > rows->chunk_at;
}

/* Appends up to and with the newline; of a line beyond the bound the rest goes by.  TRUE at
 * the newline. */
static gboolean
take_piece(GString *row, gsize start, const char *text, gsize length, gsize *taken)
{
    const char *newline = memchr(text, '\n', length);
    *taken = newline ? (gsize) (newline - text) + 1 : length;
    if (row->len - start <= MRG_ROW_BYTES_MAX)
        g_string_append_len(row, text, (gssize) *taken);
    else if (newline)
        g_string_append_c(row, '\n');
    return newline != NULL;
}

/* FALSE where there is none. */
static gboolean
append_line(MrgRows *rows)
{
    gsize before = rows->row->len, taken;
    gboolean is_whole = FALSE;
    if (rows->again_at < rows->again->len) {
        is_whole = take_piece(rows->row, before, rows->again->str + rows->again_at,
                              rows->again->len - rows->again_at, &taken);
        rows->again_at += taken;
    }
    while (!is_whole && (rows->chunk_at < rows->chunk_end || fill_chunk(rows))) {
        is_whole = take_piece(rows->row, before, rows->chunk + rows->chunk_at,
                              rows->chunk_end - rows->chunk_at, &taken);
        rows->chunk_at += taken;
    }
    gboolean is_there = rows->row->len > before;
    rows->next_line += is_there;
    return is_there;
}

/* The first line of a row. */
static gboolean
begin_row(MrgRows *rows, GError **error)
{
    rows->line = rows->next_line;
    g_string_truncate(rows->row, 0);
    if (!rows->is_over && append_line(rows))
        return TRUE;
    if (!rows->is_over && ferror(rows->file))
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO, "%s: reading failed: %s",
                    rows->path, g_strerror(errno));
    rows->is_over = TRUE;
    return FALSE;
}

static gboolean
is_blank(const char *line)
{
    return line[strspn(line, " \t\r\n")] == '\0';
}

gboolean
mrg_rows_line(MrgRows *rows, GError **error)
{
    do {
        if (!begin_row(rows, error))
            return FALSE;
        if (rows->row->len > MRG_ROW_BYTES_MAX)
            return mrg_rows_fail(rows, error, "the row is over 1 MiB long");
    } while (strlen(rows->row->str) == rows->row->len && is_blank(rows->row->str));
    return TRUE;
}

/* ---- comma-separated values ---- */

static gsize
count_quotes(const char *text, gsize length)
{
    gsize n = 0;
    for (const char *c = text; (c = memchr(c, '"', length - (gsize) (c - text))); c++)
        n++;
    return n;
}

/* A row goes on over line ends while a quote is open. */
static gboolean
gather_row(MrgRows *rows, GError **error)
{
    if (!begin_row(rows, error))
        return FALSE;
    gsize seen = 0, n_quotes = 0;
    for (;;) {
        n_quotes += count_quotes(rows->row->str + seen, rows->row->len - seen);
        seen = rows->row->len;
        if (n_quotes % 2 == 0 || rows->row->len > MRG_ROW_BYTES_MAX || !append_line(rows))
            return TRUE;
    }
}

/* All but the first line is read again. */
static void
give_back(MrgRows *rows)
{
    const char *newline = memchr(rows->row->str, '\n', rows->row->len);
    gsize first = newline ? (gsize) (newline - rows->row->str) + 1 : rows->row->len;
    g_string_erase(rows->again, 0, (gssize) rows->again_at);
    rows->again_at = 0;
    g_string_insert_len(rows->again, 0, rows->row->str + first,
                        (gssize) (rows->row->len - first));
    rows->next_line = rows->line + 1;
}

static void
put(char **out, const char *text, gsize length)
{
    memcpy(*out, text, length);
    *out += length;
}

/* Behind a closing quote only a separator may come.  NULL where it does not. */
static const char *
read_quoted(const char *c, const char *end, char **out)
{
    for (c++; c < end; c++) {
        const char *quote = memchr(c, '"', (gsize) (end - c));
        if (!quote)
            return NULL;
        put(out, c, (gsize) (quote - c));
        c = quote + 1;
        if (c == end || *c != '"')
            return c == end || *c == ',' ? c : NULL;
        put(out, c, 1);
    }
    return NULL;
}

static const char *
read_plain(const char *c, const char *end, char **out)
{
    const char *comma = memchr(c, ',', (gsize) (end - c));
    const char *stop = comma ? comma : end;
    gsize length = (gsize) (stop - c);
    /* Line ends of a lone CR would make one row of the whole file, and that the head. */
    if (memchr(c, '"', length) || memchr(c, '\r', length))
        return NULL;
    put(out, c, length);
    return stop;
}

static gboolean
split_row(MrgRows *rows, GError **error)
{
    const char *c = rows->row->str, *end = c + rows->row->len;
    end -= end > c && end[-1] == '\n';
    end -= end > c && end[-1] == '\r';
    /* No cell is longer than what it was written with, and its NUL has the separator's
     * place. */
    g_string_set_size(rows->texts, rows->row->len + 1);
    char *out = rows->texts->str;
    g_ptr_array_set_size(rows->cells, 0);
    for (;;) {
        char *cell = out;
        c = c < end && *c == '"' ? read_quoted(c, end, &out) : read_plain(c, end, &out);
        if (!c) {
            give_back(rows);
            return mrg_rows_fail(rows, error, "broken quoting, or a line end of CR alone");
        }
        if (rows->cells->len >= COLUMNS_MAX)
            return mrg_rows_fail(rows, error, "over %d columns", COLUMNS_MAX);
        *out++ = '\0';
        g_ptr_array_add(rows->cells, cell);
        if (c == end)
            return TRUE;
        c++;
    }
}

gboolean
mrg_rows_csv(MrgRows *rows, GError **error)
{
    if (!gather_row(rows, error))
        return FALSE;
    if (rows->row->len > MRG_ROW_BYTES_MAX) {
        give_back(rows);
        return mrg_rows_fail(rows, error,
                             "the row is over 1 MiB long, or a quote is not closed");
    }
    return split_row(rows, error) && (mrg_utf8_is_valid(rows->row->str, rows->row->len) ||
                                      mrg_rows_fail(rows, error, "not valid UTF-8"));
}
