/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "render/helper.h"
#include "render/source.h"

/* A step pays for so many bytes looked at or copied. */
#define BYTES_PER_STEP 64
#define ELLIPSIS "\xe2\x80\xa6"

static MrgValue
charged_text(MrgHelperCall *call, guint i)
{
    MrgValue text = mrg_call_text(call, &call->args[i]);
    mrg_call_charge(call, text.length / BYTES_PER_STEP);
    return text;
}

/* An argument as a whole number between least and most; the fallback where it is none. */
static gint64
whole_number(MrgHelperCall *call, guint i, gint64 fallback)
{
    double number;
    if (i >= call->n_args || !mrg_call_number(call, &call->args[i], &number) ||
        isnan(number))
        return fallback;
    return (gint64) CLAMP(number, -(double) G_MAXINT32, (double) G_MAXINT32);
}

/* Bytes of the character at the start; a byte that begins none counts as one. */
static gsize
character(const char *text, gsize length)
{
    gunichar c = g_utf8_get_char_validated(text, (gssize) length);
    if (c == 0 || c >= (gunichar) -2)
        return 1;
    return (gsize) (g_utf8_next_char(text) - text);
}

static gsize
count_characters(const MrgValue *text)
{
    gsize n = 0;
    for (gsize at = 0; at < text->length; n++)
        at += character(text->text + at, text->length - at);
    return n;
}

/* Where the n-th character begins, or the end. */
static gsize
skip_characters(const MrgValue *text, gint64 n)
{
    gsize at = 0;
    while (n-- > 0 && at < text->length)
        at += character(text->text + at, text->length - at);
    return at;
}

static MrgValue
joined(MrgHelperCall *call, const MrgValue *texts, gsize n)
{
    gsize length = 0;
    for (gsize i = 0; i < n; i++)
        length += texts[i].length;
    mrg_call_charge(call, length / BYTES_PER_STEP);
    char *out = mrg_arena_alloc(call->arena, length + 1), *end = out;
    for (gsize i = 0; i < n; i++) {
        if (texts[i].length)
            memcpy(end, texts[i].text, texts[i].length);
        end += texts[i].length;
    }
    return mrg_value_string(out, length);
}

static MrgValue
part(const MrgValue *text, gsize start, gsize end)
{
    return mrg_value_string(text->text + start, end - start);
}

MrgValue
mrg_helper_trim(MrgHelperCall *call)
{
    MrgValue text = charged_text(call, 0);
    gsize start = 0, end = text.length, n;
    while (start < end && (n = mrg_space_first(text.text + start, end - start)))
        start += n;
    while (end > start && (n = mrg_space_last(text.text + start, end - start)))
        end -= n;
    return part(&text, start, end);
}

static MrgValue
ending(MrgHelperCall *call)
{
    return call->n_args > 2 ? mrg_call_text(call, &call->args[2])
                            : mrg_value_cstring(ELLIPSIS);
}

MrgValue
mrg_helper_truncate(MrgHelperCall *call)
{
    MrgValue text = charged_text(call, 0), end = ending(call);
    gint64 most = MAX(0, whole_number(call, 1, 0));
    if ((gint64) count_characters(&text) <= most)
        return text;
    end = part(&end, 0, skip_characters(&end, most));
    gint64 kept = MAX(0, most - (gint64) count_characters(&end));
    MrgValue pieces[] = {part(&text, 0, skip_characters(&text, kept)), end};
    return joined(call, pieces, G_N_ELEMENTS(pieces));
}

MrgValue
mrg_helper_truncatewords(MrgHelperCall *call)
{
    MrgValue text = charged_text(call, 0), end = ending(call);
    gint64 left = whole_number(call, 1, 0);
    gsize at = 0, kept = 0;
    while (left-- > 0 && at < text.length) {
        for (gsize n; (n = mrg_space_first(text.text + at, text.length - at));)
            at += n;
        while (at < text.length && !mrg_space_first(text.text + at, text.length - at))
            at += character(text.text + at, text.length - at);
        kept = at;
    }
    for (gsize n; (n = mrg_space_first(text.text + at, text.length - at));)
        at += n;
    if (at == text.length)
        return text;
    MrgValue pieces[] = {part(&text, 0, kept), end};
    return joined(call, pieces, G_N_ELEMENTS(pieces));
}

/* The next place of what in text, at or behind at; the end where there is none. */
static gsize
find(const MrgValue *text, gsize at, const MrgValue *what)
{
    const char *found = at < text->length ? memmem(text->text + at, text->length - at,
                                                   what->text, what->length)
                                          : NULL;
    return found ? (gsize) (found - text->text) : text->length;
}

MrgValue
mrg_helper_replace(MrgHelperCall *call)
{
    MrgValue text = charged_text(call, 0), what = mrg_call_text(call, &call->args[1]);
    MrgValue with = mrg_call_text(call, &call->args[2]);
    if (!what.length || !text.length)
        return text;
    gsize n = 0;
    for (gsize at = find(&text, 0, &what); at < text.length; n++)
        at = find(&text, at + what.length, &what);
    gsize length = text.length - n * what.length + n * with.length;
    mrg_call_charge(call, length / BYTES_PER_STEP + n);
    if (*call->steps < 0)
        return text;
    char *out = mrg_arena_alloc(call->arena, length + 1), *end = out;
    for (gsize at = 0, next; at < text.length; at = next + what.length) {
        next = find(&text, at, &what);
        end = (char *) mempcpy(end, text.text + at, next - at);
        if (next == text.length)
            break;
        if (with.length)
            end = (char *) mempcpy(end, with.text, with.length);
    }
    return mrg_value_string(out, length);
}

MrgValue
mrg_helper_concat(MrgHelperCall *call)
{
    MrgValue *texts = mrg_arena_array(call->arena, MrgValue, call->n_args);
    for (guint i = 0; i < call->n_args; i++)
        texts[i] = mrg_call_text(call, &call->args[i]);
    return joined(call, texts, call->n_args);
}

MrgValue
mrg_helper_append(MrgHelperCall *call)
{
    return mrg_helper_concat(call);
}

MrgValue
mrg_helper_prepend(MrgHelperCall *call)
{
    MrgValue texts[] = {mrg_call_text(call, &call->args[1]),
                        mrg_call_text(call, &call->args[0])};
    return joined(call, texts, G_N_ELEMENTS(texts));
}

MrgValue
mrg_helper_substring(MrgHelperCall *call)
{
    MrgValue text = charged_text(call, 0);
    gint64 start = MAX(0, whole_number(call, 1, 0));
    gint64 end = MAX(start, whole_number(call, 2, G_MAXINT32));
    return part(&text, skip_characters(&text, start), skip_characters(&text, end));
}

MrgValue
mrg_helper_split(MrgHelperCall *call)
{
    MrgValue text = charged_text(call, 0), at_what = mrg_call_text(call, &call->args[1]);
    if (!at_what.length) {
        MrgValue *whole = mrg_arena_array(call->arena, MrgValue, 1);
        *whole = text;
        return mrg_value_list(whole, text.length ? 1 : 0);
    }
    gsize n = 1;
    for (gsize at = find(&text, 0, &at_what); at < text.length; n++)
        at = find(&text, at + at_what.length, &at_what);
    mrg_call_charge(call, n);
    if (*call->steps < 0)
        return text;
    MrgValue *parts = mrg_arena_array(call->arena, MrgValue, n);
    gsize start = 0;
    for (gsize i = 0; i < n; i++) {
        gsize end = find(&text, start, &at_what);
        parts[i] = part(&text, MIN(start, text.length), end);
        start = end + at_what.length;
    }
    return mrg_value_list(parts, n);
}

MrgValue
mrg_helper_join(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    if (list->type != MRG_VALUE_LIST)
        return mrg_call_text(call, list);
    MrgValue between =
        call->n_args > 1 ? mrg_call_text(call, &call->args[1]) : mrg_value_cstring(", ");
    mrg_call_charge(call, list->length + between.length / BYTES_PER_STEP * list->length);
    if (!list->length || *call->steps < 0)
        return mrg_value_cstring("");
    gsize n = (gsize) list->length * 2 - 1;
    MrgValue *texts = mrg_arena_array(call->arena, MrgValue, n);
    for (gsize i = 0; i < n; i++)
        texts[i] = i % 2 ? between : mrg_call_text(call, &list->items[i / 2]);
    return joined(call, texts, n);
}

MrgValue
mrg_helper_mask(MrgHelperCall *call)
{
    MrgValue text = charged_text(call, 0);
    gint64 n = (gint64) count_characters(&text);
    gint64 hidden = MAX(0, n - MAX(0, whole_number(call, 1, 4)));
    char *stars = mrg_arena_alloc(call->arena, (gsize) hidden + 1);
    memset(stars, '*', (gsize) hidden);
    MrgValue pieces[] = {mrg_value_string(stars, (gsize) hidden),
                         part(&text, skip_characters(&text, hidden), text.length)};
    return joined(call, pieces, G_N_ELEMENTS(pieces));
}

/* Accents go by compatibility decomposition (Unicode, UAX 15); what is no ASCII then goes.
 */
MrgValue
mrg_helper_slugify(MrgHelperCall *call)
{
    MrgValue text = charged_text(call, 0);
    mrg_call_charge(call, text.length);
    if (*call->steps < 0)
        return text;
    g_autofree char *valid =
        g_utf8_make_valid(text.length ? text.text : "", (gssize) text.length);
    g_autofree char *plain = g_utf8_normalize(valid, -1, G_NORMALIZE_NFKD);
    char *out = mrg_arena_alloc(call->arena, strlen(plain) + 1);
    gsize n = 0;
    for (const char *c = plain; *c; c++) {
        if (g_ascii_isalnum(*c))
            out[n++] = g_ascii_tolower(*c);
        else if (!(*c & 0x80) && n && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n && out[n - 1] == '-')
        n--;
    return mrg_value_string(out, n);
}

/* ---- encodings ---- */

/* RFC 3986, 2.3: unreserved characters stand for themselves. */
MrgValue
mrg_helper_urlencode(MrgHelperCall *call)
{
    static const char digits[] = "0123456789ABCDEF";
    MrgValue text = charged_text(call, 0);
    char *out = mrg_arena_alloc(call->arena, (gsize) text.length * 3 + 1);
    gsize n = 0;
    for (guint32 i = 0; i < text.length; i++) {
        guchar c = (guchar) text.text[i];
        if (g_ascii_isalnum((char) c) || (c && strchr("-._~", c))) {
            out[n++] = (char) c;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[c >> 4];
        out[n++] = digits[c & 15];
    }
    return mrg_value_string(out, n);
}

MrgValue
mrg_helper_base64(MrgHelperCall *call)
{
    MrgValue text = charged_text(call, 0);
    if (!text.length)
        return text;
    g_autofree char *encoded = g_base64_encode((const guchar *) text.text, text.length);
    gsize length = strlen(encoded);
    return mrg_value_string(mrg_arena_dup(call->arena, encoded, length), length);
}

static MrgValue
checksum(MrgHelperCall *call, GChecksumType type)
{
    MrgValue text = charged_text(call, 0);
    g_autofree char *hex = g_compute_checksum_for_data(
        type, (const guchar *) (text.length ? text.text : ""), text.length);
    gsize length = strlen(hex);
    return mrg_value_string(mrg_arena_dup(call->arena, hex, length), length);
}

MrgValue
mrg_helper_md5(MrgHelperCall *call)
{
    return checksum(call, G_CHECKSUM_MD5);
}

MrgValue
mrg_helper_sha256(MrgHelperCall *call)
{
    return checksum(call, G_CHECKSUM_SHA256);
}

MrgValue
mrg_helper_safe(MrgHelperCall *call)
{
    MrgValue text = mrg_call_text(call, &call->args[0]);
    text.is_safe = TRUE;
    return text;
}
