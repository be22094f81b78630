/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/helper.h"
#include "render/locale.h"
#include "render/text.h"

/* A step pays for so many bytes that are looked at. */
#define BYTES_PER_STEP 8
#define ELLIPSIS "\xe2\x80\xa6"
#define MASK_KEPT 4

/* ---- letters ---- */

MrgValue
mrg_helper_upper(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    return mrg_locale_case(call, &text, MRG_CASE_UPPER);
}

MrgValue
mrg_helper_lower(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    return mrg_locale_case(call, &text, MRG_CASE_LOWER);
}

MrgValue
mrg_helper_title(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    return mrg_locale_case(call, &text, MRG_CASE_TITLE);
}

MrgValue
mrg_helper_capitalize(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    gsize n = mrg_text_prefix(text.text, text.length, 1);
    MrgValue first = mrg_value_string(text.text, n);
    MrgText out = mrg_text_begin(call, text.length + n);
    MrgValue capital = mrg_locale_case(call, &first, MRG_CASE_UPPER);
    mrg_text_append(&out, capital.text, capital.length);
    mrg_text_append(&out, text.text + n, text.length - n);
    return mrg_text_end(&out);
}

/* ---- pieces ---- */

MrgValue
mrg_helper_trim(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    return mrg_text_trim(&text);
}

/* The suffix given, or the ellipsis. */
static MrgValue
suffix_of(MrgHelperCall *call)
{
    return call->n_args > 2 ? mrg_text_argument(call, 2) : mrg_value_cstring(ELLIPSIS);
}

/* head, without white space behind it, and tail. */
static MrgValue
shorten(MrgHelperCall *call, const char *text, gsize length, const MrgValue *suffix)
{
    while (length && g_ascii_isspace(text[length - 1]))
        length--;
    MrgText out = mrg_text_begin(call, length + suffix->length);
    mrg_text_append(&out, text, length);
    mrg_text_append(&out, suffix->text, suffix->length);
    return mrg_text_end(&out);
}

MrgValue
mrg_helper_truncate(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0), suffix = suffix_of(call);
    gint64 most;
    if (!mrg_call_integer(call, &call->args[1], &most))
        return text;
    gsize n = (gsize) MAX(most, 0);
    if (mrg_text_prefix(text.text, text.length, n) == text.length)
        return text;
    gsize taken = mrg_text_count(suffix.text, suffix.length);
    if (taken >= n)
        return mrg_value_string(text.text, mrg_text_prefix(text.text, text.length, n));
    return shorten(call, text.text, mrg_text_prefix(text.text, text.length, n - taken),
                   &suffix);
}

static gboolean
is_space_at(const MrgValue *text, gsize at, gsize *n)
{
    gunichar c;
    *n = mrg_text_char(text->text + at, text->length - at, &c);
    return c != MRG_NO_CHARACTER && g_unichar_isspace(c);
}

/* Behind the first words. */
static gsize
words_end(const MrgValue *text, gint64 words)
{
    gsize at = 0, end = 0, n;
    for (; words > 0 && at < text->length; words--) {
        while (at < text->length && is_space_at(text, at, &n))
            at += n;
        if (at == text->length)
            break;
        while (at < text->length && !is_space_at(text, at, &n))
            at += n;
        end = at;
    }
    return end;
}

MrgValue
mrg_helper_truncatewords(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0), suffix = suffix_of(call);
    MrgValue trimmed = mrg_text_trim(&text);
    gint64 words;
    if (!mrg_call_integer(call, &call->args[1], &words))
        return text;
    gsize end = words_end(&trimmed, words);
    return end == trimmed.length ? trimmed : shorten(call, trimmed.text, end, &suffix);
}

MrgValue
mrg_helper_substring(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    gint64 start, length = G_MAXINT32;
    if (!mrg_call_integer(call, &call->args[1], &start) ||
        (call->n_args > 2 && !mrg_call_integer(call, &call->args[2], &length)))
        return text;
    if (start < 0)
        start = MAX(0, start + (gint64) mrg_text_count(text.text, text.length));
    gsize from = mrg_text_prefix(text.text, text.length, (gsize) start);
    gsize n = mrg_text_prefix(text.text + from, text.length - from, (gsize) MAX(length, 0));
    return mrg_value_string(text.text + from, n);
}

/* ---- putting together ---- */

MrgValue
mrg_helper_replace(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0), part = mrg_text_argument(call, 1),
             other = mrg_text_argument(call, 2);
    if (!part.length || part.length > text.length)
        return text;
    MrgText out = mrg_text_begin(call, text.length);
    const char *at = text.text, *end = text.text + text.length, *found;
    while ((found = mrg_text_find(call, at, (gsize) (end - at), part.text, part.length)) &&
           !mrg_call_is_over(call)) {
        mrg_call_charge(call, 1);
        mrg_text_append(&out, at, (gsize) (found - at));
        mrg_text_append(&out, other.text, other.length);
        at = found + part.length;
    }
    mrg_text_append(&out, at, (gsize) (end - at));
    return mrg_text_end(&out);
}

MrgValue
mrg_helper_concat(MrgHelperCall *call)
{
    MrgText out = mrg_text_begin(call, 64);
    for (guint i = 0; i < call->n_args; i++)
        mrg_text_append_value(&out, &call->args[i]);
    return mrg_text_end(&out);
}

MrgValue
mrg_helper_append(MrgHelperCall *call)
{
    return mrg_helper_concat(call);
}

MrgValue
mrg_helper_prepend(MrgHelperCall *call)
{
    MrgText out = mrg_text_begin(call, 64);
    mrg_text_append_value(&out, &call->args[1]);
    mrg_text_append_value(&out, &call->args[0]);
    return mrg_text_end(&out);
}

MrgValue
mrg_helper_mask(MrgHelperCall *call)
{
    const MrgValue *keep = mrg_call_argument(call, "keep", 1);
    const MrgValue *with = mrg_call_argument(call, "with", G_MAXUINT);
    MrgValue text = mrg_text_argument(call, 0);
    MrgValue star = with ? mrg_call_text(call, with) : mrg_value_cstring("*");
    gint64 kept = MASK_KEPT;
    if (keep && (!mrg_call_integer(call, keep, &kept) || kept < 0))
        kept = 0;
    gsize n = mrg_text_count(text.text, text.length);
    gsize hidden = (guint64) kept < n ? n - (gsize) kept : n;
    gsize from = mrg_text_prefix(text.text, text.length, hidden);
    MrgText out = mrg_text_begin(call, text.length);
    for (gsize i = 0; i < hidden && !mrg_call_is_over(call); i++)
        mrg_text_append(&out, star.text, star.length);
    mrg_text_append(&out, text.text + from, text.length - from);
    return mrg_text_end(&out);
}

/* ---- HTML and addresses ---- */

static gboolean
begins_with(const char *at, const char *end, const char *word)
{
    gsize n = strlen(word);
    return (gsize) (end - at) >= n && g_ascii_strncasecmp(at, word, n) == 0;
}

/* Behind the word, or the end of the text. */
static const char *
skip_to(const char *at, const char *end, const char *word)
{
    while (at < end && !begins_with(at, end, word))
        at++;
    return at < end ? at + strlen(word) : end;
}

/* Behind the > of the tag at text; one in quotes is none. */
static const char *
skip_tag(const char *at, const char *end)
{
    char quote = '\0';
    for (; at < end; at++) {
        if (quote)
            quote = *at == quote ? '\0' : quote;
        else if (*at == '"' || *at == '\'')
            quote = *at;
        else if (*at == '>')
            return at + 1;
    }
    return end;
}

/* Behind what begins with the < at text; at itself where that is only a < ("1 < 2"). */
static const char *
skip_markup(const char *at, const char *end)
{
    if (begins_with(at, end, "<!--"))
        return skip_to(at, end, "-->");
    if (begins_with(at, end, "<script"))
        return skip_tag(skip_to(at, end, "</script"), end);
    if (begins_with(at, end, "<style"))
        return skip_tag(skip_to(at, end, "</style"), end);
    if (end - at > 1 &&
        (g_ascii_isalpha(at[1]) || at[1] == '/' || at[1] == '!' || at[1] == '?'))
        return skip_tag(at, end);
    return at;
}

MrgValue
mrg_helper_striptags(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    const char *end = text.text + text.length;
    MrgText out = mrg_text_begin(call, text.length);
    mrg_call_charge(call, text.length / BYTES_PER_STEP * 4);
    for (const char *at = text.text; at < end && !mrg_call_is_over(call);) {
        const char *next = *at == '<' ? skip_markup(at, end) : at;
        if (next == at)
            mrg_text_append(&out, next++, 1);
        at = next;
    }
    return mrg_text_end(&out);
}

MrgValue
mrg_helper_nl2br(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    if (call->escape != MRG_ESCAPE_HTML)
        return text;
    MrgText out = mrg_text_begin(call, text.length);
    for (guint32 i = 0; i < text.length && !mrg_call_is_over(call); i++) {
        gboolean is_end = text.text[i] == '\n';
        if (is_end)
            mrg_text_append(&out, "<br>", 4);
        if (text.is_safe || is_end)
            mrg_text_append(&out, text.text + i, 1);
        else if (text.text[i] != '\r')
            mrg_text_append_html(&out, text.text + i, 1);
    }
    return mrg_text_end_safe(&out);
}

/* Words joined by hyphens; an apostrophe is not even that. */
static void
append_slug(MrgText *out, const MrgValue *text)
{
    gboolean is_apart = FALSE;
    gunichar c;
    for (gsize at = 0, n; at < text->length; at += n) {
        n = mrg_text_char(text->text + at, text->length - at, &c);
        gboolean is_word =
            c != MRG_NO_CHARACTER && (g_unichar_isalnum(c) || g_unichar_ismark(c));
        if (is_word && is_apart && out->length)
            mrg_text_append(out, "-", 1);
        if (is_word)
            mrg_text_append(out, text->text + at, n);
        is_apart = !is_word && (is_apart || (c != '\'' && c != 0x2019));
    }
}

MrgValue
mrg_helper_slugify(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    MrgValue ascii = mrg_locale_ascii(call, &text);
    if (ascii.type != MRG_VALUE_STRING)
        return mrg_call_nothing();
    MrgValue lower = mrg_locale_case(call, &ascii, MRG_CASE_LOWER);
    MrgText out = mrg_text_begin(call, lower.length);
    append_slug(&out, &lower);
    return mrg_text_end(&out);
}
