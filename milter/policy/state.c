/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

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
is_word_byte(char c)
{
    return is_name_byte(c) || c == ',';
}

/* "-" is empty; NULL where it is malformed. */
static const char *
read_word(Reader *reader, gsize max, gboolean (*is_byte)(char c))
{
    const char *start = reader->cursor;
    while (reader->cursor < reader->end && is_byte(*reader->cursor))
        reader->cursor++;
    gsize length = (gsize) (reader->cursor - start);
    if (length < 1 || length > max)
        return NULL;
    return length == 1 && *start == '-' ? "" : mrg_arena_dup(reader->arena, start, length);
}

static const char kinds[] = MRG_SEND_KINDS;

static gboolean
read_kind(Reader *reader, MrgSendKind *kind)
{
    const char *found =
        reader->cursor < reader->end ? memchr(kinds, *reader->cursor, 3) : NULL;
    if (!found)
        return FALSE;
    reader->cursor++;
    *kind = (MrgSendKind) (found - kinds);
    return TRUE;
}

static gboolean
read_rest(Reader *reader, MrgSend *send)
{
    send->sender = send->tags = "";
    send->kind = MRG_SEND_SENT;
    if (read_byte(reader, '\n'))
        return TRUE;
    reader->cursor--; /* what stood there is tried again */
    return read_byte(reader, ' ') &&
           (send->sender = read_word(reader, MRG_SENDER_MAX, is_name_byte)) &&
           read_byte(reader, ' ') &&
           (send->tags = read_word(reader, MRG_TAGS_MAX, is_word_byte)) &&
           read_byte(reader, ' ') && read_kind(reader, &send->kind) &&
           read_byte(reader, '\n');
}

static gboolean
read_send(Reader *reader, MrgSend *send)
{
    return read_time(reader, &send->at_us) && read_byte(reader, ' ') &&
           (send->class_name = read_name(reader)) && read_byte(reader, ' ') &&
           (send->campaign = read_name(reader)) && reader->cursor < reader->end &&
           read_rest(reader, send);
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

static gboolean
read_sends(MrgSends *sends, const MrgAccount *account, MrgArena *arena, GError **error)
{
    gsize length = account->history_length;
    const char *text = length ? account->history : ""; /* nothing may be NULL */
    gsize n = count_lines(text, length);
    if (n > MRG_HISTORY_MAX)
        return fail(error, n, "is one too many");
    MrgSend *list = mrg_arena_array(arena, MrgSend, n);
    Reader reader = {text, text + length, arena};
    for (gsize i = 0; i < n; i++) {
        if (!read_send(&reader, &list[i]))
            return fail(error, i + 1, "is malformed");
        if (i && list[i].at_us < list[i - 1].at_us)
            return fail(error, i + 1, "is earlier than the one before it");
    }
    if (reader.cursor != reader.end)
        return fail(error, n + 1, "has no end");
    *sends = (MrgSends){.list = list, .n = n};
    return TRUE;
}

gboolean
mrg_state_read(MrgStateView *view, const MrgState *state, const MrgScope *scopes,
               MrgArena *arena, GError **error)
{
    *view = (MrgStateView){.state = state};
    for (gsize i = 0; i < state->n_shared; i++) {
        if (!read_sends(&view->shared[i], &state->shared[i], arena, error))
            return FALSE;
        view->shared[i].scope = scopes[i];
    }
    return read_sends(&view->own, &state->own, arena, error);
}

/* It was recorded for the time at which it was to go out; one that waits for somebody, for
 * when it was held, which may be later now: it came again since. */
static const MrgSend *
find_copy(const MrgSends *sends, const MrgHold *hold)
{
    gint64 at_us = hold->until_us ? hold->until_us : hold->at_us;
    for (gsize i = sends->n; i-- > 0;) {
        const MrgSend *send = &sends->list[i];
        if (send->kind == MRG_SEND_HELD &&
            (send->at_us == at_us || (!hold->until_us && send->at_us < at_us)) &&
            strcmp(send->campaign, hold->campaign) == 0 &&
            strcmp(send->class_name, hold->class_name) == 0)
            return send;
    }
    return NULL;
}

void
mrg_state_find_copy(MrgStateView *view, const MrgHold *hold)
{
    view->own.copy = find_copy(&view->own, hold);
    for (gsize i = 0; i < MRG_SHARED_MAX; i++)
        view->shared[i].copy = find_copy(&view->shared[i], hold);
}

const MrgSends *
mrg_state_sends(const MrgStateView *view, MrgScope scope)
{
    for (gsize i = 0; scope != MRG_SCOPE_PERSON && i < MRG_SHARED_MAX; i++)
        if (view->shared[i].scope == scope)
            return &view->shared[i];
    return &view->own;
}
