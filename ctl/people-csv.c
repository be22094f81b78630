/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people-csv: comma-separated values as in RFC 4180, in UTF-8, with a head line.
 */
#include "config.h"

#include "ctl/people-file.h"

#define ROW_BYTES_MAX (1024 * 1024)
#define COLUMNS_MAX 1000
#define CONSENT_PREFIX "consent."

typedef enum { CELL_MORE, CELL_LAST, CELL_LONG, CELL_BROKEN } CellEnd;

/* Behind a closing quote only a separator may come. */
static CellEnd
read_quoted(MrgPeopleFile *people, GString *cell)
{
    for (;;) {
        int c = getc(people->file);
        if (c == EOF)
            return CELL_BROKEN;
        if (cell->len > ROW_BYTES_MAX)
            return CELL_LONG;
        if (c == '\n')
            people->line++;
        if (c == '"') {
            c = getc(people->file);
            if (c != '"') {
                if (c == '\r')
                    c = getc(people->file);
                return c == ','                ? CELL_MORE
                       : c == '\n' || c == EOF ? CELL_LAST
                                               : CELL_BROKEN;
            }
        }
        g_string_append_c(cell, (char) c);
    }
}

static CellEnd
read_plain(MrgPeopleFile *people, GString *cell, int c)
{
    for (;; c = getc(people->file)) {
        if (c == ',')
            return CELL_MORE;
        if (cell->len > ROW_BYTES_MAX)
            return CELL_LONG;
        /* Line ends of a lone CR would make one row of the whole file, and that the head.
         */
        if (c == '\r' && (c = getc(people->file)) != '\n' && c != EOF)
            return CELL_BROKEN;
        if (c == '\n' || c == EOF)
            break;
        if (c == '"')
            return CELL_BROKEN;
        g_string_append_c(cell, (char) c);
    }
    return CELL_LAST;
}

static CellEnd
read_cell(MrgPeopleFile *people, GString *cell)
{
    g_string_truncate(cell, 0);
    int c = getc(people->file);
    return c == '"' ? read_quoted(people, cell) : read_plain(people, cell, c);
}

/* A row's cells as an array of texts; NULL at the end of the file, or with error set. */
static GPtrArray *
read_row(MrgPeopleFile *people, GError **error)
{
    int first = getc(people->file);
    if (first == EOF)
        return NULL;
    ungetc(first, people->file);
    g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) cell = g_string_new(NULL);
    guint64 line = ++people->line;
    gsize length = 0;
    for (CellEnd end = CELL_MORE; end == CELL_MORE;) {
        end = read_cell(people, cell);
        length += cell->len;
        const char *problem =
            end == CELL_LONG || length > ROW_BYTES_MAX ? "the row is over 1 MiB long"
            : end == CELL_BROKEN        ? "broken quoting, or a line end of CR alone"
            : cells->len >= COLUMNS_MAX ? "over 1000 columns"
            : !g_utf8_validate(cell->str, (gssize) cell->len, NULL) ? "not valid UTF-8"
                                                                    : NULL;
        if (problem) {
            people->line = line;
            mrg_people_fail(people, error, "%s", problem);
            return NULL;
        }
        g_ptr_array_add(cells, g_strndup(cell->str, cell->len));
    }
    return g_steal_pointer(&cells);
}

static gboolean
check_columns(const MrgPeopleFile *people, GError **error)
{
    gboolean has_address = FALSE;
    for (char **name = people->columns; *name; name++) {
        has_address |= g_str_equal(*name, "address");
        for (char **other = people->columns; other < name; other++)
            if (g_str_equal(*name, *other))
                return mrg_people_fail(people, error, "two columns of one name");
    }
    return has_address || mrg_people_fail(people, error, "there is no column 'address'");
}

static gboolean
read_head(MrgPeopleFile *people, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) cells = read_row(people, &problem);
    if (problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (!cells)
        return mrg_people_fail(people, error, "the file is empty, or has no head line");
    g_ptr_array_add(cells, NULL);
    people->columns = (char **) g_ptr_array_free(g_steal_pointer(&cells), FALSE);
    return check_columns(people, error);
}

/* A number as JSON writes it (RFC 8259, 6), so that codes such as 007 stay texts. */
static gboolean
is_json_number(const char *text)
{
    const char *c = text + (*text == '-');
    if (!g_ascii_isdigit(*c) || (*c == '0' && g_ascii_isdigit(c[1])))
        return FALSE;
    c += strspn(c, "0123456789");
    if (*c == '.') {
        gsize digits = strspn(c + 1, "0123456789");
        if (!digits)
            return FALSE;
        c += 1 + digits;
    }
    return !*c;
}

static MrgFieldType
guess_type(const char *text)
{
    if (is_json_number(text))
        return MRG_FIELD_NUMBER;
    if (g_str_equal(text, "true") || g_str_equal(text, "false"))
        return MRG_FIELD_BOOLEAN;
    return MRG_FIELD_STRING;
}

static gboolean
add_cell(MrgPeopleFile *people, const char *name, const char *text, GError **error)
{
    if (!*text)
        return TRUE;
    if (g_str_equal(name, "address")) {
        people->address = mrg_arena_strdup(people->arena, text);
        return TRUE;
    }
    if (g_str_equal(name, "suppressed"))
        return mrg_people_add_suppression(people, text, error);
    if (g_str_has_prefix(name, CONSENT_PREFIX)) {
        if (!g_str_equal(text, "true") && !g_str_equal(text, "false"))
            return mrg_people_fail(people, error, "column '%s' takes true or false", name);
        return mrg_people_add_consent(people, name + strlen(CONSENT_PREFIX), *text == 't',
                                      error);
    }
    MrgField value = {guess_type(text), mrg_arena_strdup(people->arena, text),
                      strlen(text)};
    return mrg_people_add_field(people, name, value, error);
}

gboolean
mrg_csv_next(MrgPeopleFile *people, GError **error)
{
    if (!people->columns && !read_head(people, error))
        return FALSE;
    g_autoptr(GPtrArray) cells = read_row(people, error);
    if (!cells)
        return FALSE;
    guint n = g_strv_length(people->columns);
    if (cells->len != n)
        return mrg_people_fail(people, error, "%u cells where the head has %u", cells->len,
                               n);
    for (guint i = 0; i < n; i++)
        if (!add_cell(people, people->columns[i], g_ptr_array_index(cells, i), error))
            return FALSE;
    return TRUE;
}
