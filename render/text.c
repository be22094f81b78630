/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/escape.h"
#include "render/text.h"

#define BYTES_PER_STEP 8
#define BYTES_PER_COMPARISON 64
#define UTF8_MAX 6
#define ZERO_WIDTH_JOINER 0x200d

MrgValue
mrg_text_argument(MrgHelperCall *call, guint i)
{
    MrgValue text = mrg_call_text(call, &call->args[i]);
    mrg_call_charge(call, text.length / BYTES_PER_STEP);
    return mrg_call_is_over(call) || text.type != MRG_VALUE_STRING ? mrg_value_string("", 0)
                                                                   : text;
}

MrgText
mrg_text_begin(MrgHelperCall *call, gsize capacity)
{
    mrg_call_charge(call, 1 + capacity / BYTES_PER_STEP);
    gboolean is_over = mrg_call_is_over(call);
    return (MrgText){.call = call,
                     .data = is_over ? NULL : mrg_arena_alloc(call->arena, capacity),
                     .capacity = is_over ? 0 : capacity};
}

static gboolean
reserve(MrgText *text, gsize length)
{
    if (G_LIKELY(text->capacity - text->length >= length))
        return TRUE;
    gsize capacity = MAX(64, (text->length + length) * 2);
    mrg_call_charge(text->call, capacity / BYTES_PER_STEP);
    if (mrg_call_is_over(text->call))
        return FALSE;
    char *data = mrg_arena_alloc(text->call->arena, capacity);
    if (text->length)
        memcpy(data, text->data, text->length);
    text->data = data;
    text->capacity = capacity;
    return TRUE;
}

void
mrg_text_append(MrgText *text, const char *piece, gsize length)
{
    if (!length || !reserve(text, length))
        return;
    memcpy(text->data + text->length, piece, length);
    text->length += length;
}

void
mrg_text_append_value(MrgText *text, const MrgValue *value)
{
    MrgValue piece = mrg_call_text(text->call, value);
    mrg_text_append(text, piece.text, piece.length);
}

void
mrg_text_append_char(MrgText *text, gunichar c)
{
    char bytes[UTF8_MAX];
    mrg_text_append(text, bytes, (gsize) g_unichar_to_utf8(c, bytes));
}

void
mrg_text_append_html(MrgText *text, const char *piece, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        gsize n;
        const char *entity = mrg_escape_entity(piece[i], &n);
        mrg_text_append(text, entity ? entity : piece + i, entity ? n : 1);
    }
}

MrgValue
mrg_text_end(MrgText *text)
{
    return mrg_value_string(text->length ? text->data : "", text->length);
}

MrgValue
mrg_text_end_safe(MrgText *text)
{
    MrgValue value = mrg_text_end(text);
    value.is_safe = TRUE;
    return value;
}

/* ---- characters ---- */

gsize
mrg_text_char(const char *text, gsize length, gunichar *c)
{
    if ((guchar) text[0] < 0x80) {
        *c = (guchar) text[0];
        return 1;
    }
    gunichar found = g_utf8_get_char_validated(text, (gssize) length);
    gboolean is_bad = found >= (gunichar) -2;
    *c = is_bad ? MRG_NO_CHARACTER : found;
    return is_bad ? 1 : (gsize) (g_utf8_next_char(text) - text);
}

static gboolean
is_flag_half(gunichar c)
{
    return c >= 0x1f1e6 && c <= 0x1f1ff;
}

/* Marks, variation selectors (marks too), the joiner, and the colours of skin. */
static gboolean
extends(gunichar c)
{
    return c == ZERO_WIDTH_JOINER || (c >= 0x1f3fb && c <= 0x1f3ff) ||
           (c != MRG_NO_CHARACTER && c >= 0x300 && g_unichar_ismark(c));
}

gsize
mrg_text_cluster(const char *text, gsize length)
{
    gunichar first, c;
    gsize at = mrg_text_char(text, length, &first);
    gboolean is_joined = FALSE, may_pair = is_flag_half(first);
    while (at < length) {
        gsize n = mrg_text_char(text + at, length - at, &c);
        if (!extends(c) && !is_joined && !(may_pair && is_flag_half(c)))
            break;
        may_pair = FALSE;
        is_joined = c == ZERO_WIDTH_JOINER;
        at += n;
    }
    return at;
}

gsize
mrg_text_count(const char *text, gsize length)
{
    gsize n = 0;
    for (gsize at = 0; at < length; n++)
        at += mrg_text_cluster(text + at, length - at);
    return n;
}

gsize
mrg_text_prefix(const char *text, gsize length, gsize n)
{
    gsize at = 0;
    for (; n && at < length; n--)
        at += mrg_text_cluster(text + at, length - at);
    return at;
}

const char *
mrg_text_find(MrgHelperCall *call, const char *text, gsize length, const char *part,
              gsize part_length)
{
    if (!part_length)
        return text;
    while (length >= part_length && !mrg_call_is_over(call)) {
        const char *found = memchr(text, part[0], length - part_length + 1);
        if (!found)
            return NULL;
        if (memcmp(found, part, part_length) == 0)
            return found;
        mrg_call_charge(call, 1 + part_length / BYTES_PER_COMPARISON);
        length -= (gsize) (found - text) + 1;
        text = found + 1;
    }
    return NULL;
}

static gboolean
is_space(gunichar c)
{
    return c != MRG_NO_CHARACTER && g_unichar_isspace(c);
}

/* Bytes of the character at the end. */
static gsize
last_char(const char *text, gsize length, gunichar *c)
{
    gsize start = length - 1;
    while (start > 0 && length - start < 4 && ((guchar) text[start] & 0xc0) == 0x80)
        start--;
    if (mrg_text_char(text + start, length - start, c) == length - start)
        return length - start;
    *c = MRG_NO_CHARACTER;
    return 1;
}

MrgValue
mrg_text_trim(const MrgValue *value)
{
    const char *text = value->text;
    gsize length = value->length, n;
    gunichar c;
    while (length && (n = mrg_text_char(text, length, &c)) && is_space(c)) {
        text += n;
        length -= n;
    }
    while (length && (n = last_char(text, length, &c)) && is_space(c))
        length -= n;
    return mrg_value_string(text, length);
}
