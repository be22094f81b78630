/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/helper.h"

/* A step pays for so many bytes whose case is changed. */
#define BYTES_PER_STEP 4
#define UTF8_MAX 6

typedef enum { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_FIRST } Case;

static gunichar
change(gunichar c, Case wanted, gboolean is_in_word)
{
    switch (wanted) {
    case CASE_UPPER:
        return g_unichar_toupper(c);
    case CASE_LOWER:
        return g_unichar_tolower(c);
    case CASE_TITLE:
        return is_in_word ? g_unichar_tolower(c) : g_unichar_totitle(c);
    case CASE_FIRST:
        return is_in_word ? c : g_unichar_totitle(c);
    }
    return c;
}

/* An apostrophe stands inside a word: don't, O'Brien's. */
static gboolean
is_word(gunichar c)
{
    return g_unichar_isalnum(c) || g_unichar_ismark(c) || c == '\'' || c == 0x2019;
}

/* Characters change one by one, in any locale the same; bytes that are no UTF-8 stay. */
static gsize
change_text(const char *text, gsize length, Case wanted, char *out)
{
    gboolean is_in_word = FALSE;
    gsize n = 0;
    for (gsize at = 0; at < length;) {
        gunichar c = g_utf8_get_char_validated(text + at, (gssize) (length - at));
        if (c == 0 || c >= (gunichar) -2) {
            out[n++] = text[at++];
            is_in_word = FALSE;
            continue;
        }
        at = (gsize) (g_utf8_next_char(text + at) - text);
        n += (gsize) g_unichar_to_utf8(change(c, wanted, is_in_word), out + n);
        is_in_word = is_word(c) || wanted == CASE_FIRST;
    }
    return n;
}

static MrgValue
change_case(MrgHelperCall *call, Case wanted)
{
    MrgValue text = mrg_call_text(call, &call->args[0]);
    mrg_call_charge(call, text.length / BYTES_PER_STEP);
    if (*call->steps < 0)
        return text;
    /* A character may grow: U+0250, two bytes, has a capital of three. */
    char *out = mrg_arena_alloc(call->arena, (gsize) text.length * 3 / 2 + UTF8_MAX);
    gsize length = text.length ? change_text(text.text, text.length, wanted, out) : 0;
    return mrg_value_string(out, length);
}

MrgValue
mrg_helper_upper(MrgHelperCall *call)
{
    return change_case(call, CASE_UPPER);
}

MrgValue
mrg_helper_lower(MrgHelperCall *call)
{
    return change_case(call, CASE_LOWER);
}

MrgValue
mrg_helper_title(MrgHelperCall *call)
{
    return change_case(call, CASE_TITLE);
}

MrgValue
mrg_helper_capitalize(MrgHelperCall *call)
{
    return change_case(call, CASE_FIRST);
}
