/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/error.h"
#include "milter/policy/state.h"

#define NAME_MAX_BYTES 64
#define TIME_DIGITS_MAX 18 /* fits gint64, and the year 31000 */

typedef struct Reader {
    const char *cursor;
    const char *end;
    MrgArena *arena;
} Reader;

static gboolean
read_time(Reader *reader, gint64 *at_us)
{
    gint64 number = 0;
    const char *start = reader->cursor;
    while (reader->cursor < reader->end && g_ascii_isdigit(*reader->cursor)) {
        if (reader->cursor - start == TIME_DIGITS_MAX)
            return FALSE;
        number = number * 10 + (*reader->cursor++ - '0');
    }
    *at_us = number;
    return reader->cursor > start;
}

static gboolean
is_name_byte(char c)
{
    return g_ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
}

static gboolean
is_name(const char *name)
{
    gsize length = 0;
    while (is_name_byte(name[length]))
        length++;
    return !name[length] && length >= 1 && length <= NAME_MAX_BYTES;
}

static const char *
read_name(Reader *reader)
{
    const char *start = reader->cursor;
    while (reader->cursor < reader->end && is_name_byte(*reader->cursor))
        reader->cursor++;
    gsize length = (gsize) (reader->cursor - start);
    if (length < 1 || length > NAME_MAX_BYTES)
        return NULL;
    return mrg_arena_dup(reader->arena, start, length);
}

static gboolean
read_byte(Reader *reader, char expected)
{
    return reader->cursor < reader->end && *reader->cursor++ == expected;
}

static gboolean
read_send(Reader *reader, MrgSend *send)
{
    return read_time(reader, &send->at_us) && read_byte(reader, ' ') &&
           (send->class_name = read_name(reader)) && read_byte(reader, ' ') &&
           (send->campaign = read_name(reader)) && read_byte(reader, '\n');
}

static gboolean
fail(GError **error, gsize line, const char *what)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_HISTORY, "history line %" G_GSIZE_FORMAT " %s",
                line, what);
    return FALSE;
}

/* At most MRG_HISTORY_MAX + 1, which is one too many. */
static gsize
count_lines(const char *text, gsize length)
{
    gsize n = 0;
    for (gsize i = 0; i < length && n <= MRG_HISTORY_MAX; i++)
        n += text[i] == '\n';
    return n;
}

gboolean
mrg_state_read(MrgStateView *view, const MrgState *state, MrgArena *arena, GError **error)
{
    gsize length = state->own.history_length;
    const char *text = length ? state->own.history : ""; /* nothing may be NULL */
    gsize n = count_lines(text, length);
    if (n > MRG_HISTORY_MAX)
        return fail(error, n, "is one too many");
    MrgSend *sends = mrg_arena_array(arena, MrgSend, n);
    Reader reader = {text, text + length, arena};
    for (gsize i = 0; i < n; i++) {
        if (!read_send(&reader, &sends[i]))
            return fail(error, i + 1, "is malformed");
        if (i && sends[i].at_us < sends[i - 1].at_us)
            return fail(error, i + 1, "is earlier than the one before it");
    }
    if (reader.cursor != reader.end)
        return fail(error, n + 1, "has no end");
    *view = (MrgStateView){state, sends, n};
    return TRUE;
}

const char *
mrg_history_append(const MrgStateView *view, const MrgSend *send, gint64 horizon_us,
                   MrgArena *arena, gsize *length)
{
    g_assert(is_name(send->class_name) && is_name(send->campaign));
    gint64 at_us = MAX(send->at_us, 0);
    if (view->n_sends)
        at_us = MAX(at_us, view->sends[view->n_sends - 1].at_us);
    gsize first = view->n_sends - MIN(view->n_sends, MRG_HISTORY_MAX - 1);
    while (first < view->n_sends && view->sends[first].at_us <= at_us - horizon_us)
        first++;

    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = first; i < view->n_sends; i++)
        g_string_append_printf(text, "%" G_GINT64_FORMAT " %s %s\n", view->sends[i].at_us,
                               view->sends[i].class_name, view->sends[i].campaign);
    g_string_append_printf(text, "%" G_GINT64_FORMAT " %s %s\n", at_us, send->class_name,
                           send->campaign);
    *length = text->len;
    return mrg_arena_dup(arena, text->str, text->len);
}
