/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "base/sanitizer.h"
#include "render/escape.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef struct Entity {
    guint8 length; /* 0: the byte stands for itself */
    char text[7];
} Entity;

/* The seven characters that handlebars.js escapes (Utils.escapeExpression). */
static const Entity entities[256] = {
    ['&'] = {5, "&amp;"},  ['<'] = {4, "&lt;"},    ['>'] = {4, "&gt;"},
    ['"'] = {6, "&quot;"}, ['\''] = {6, "&#x27;"}, ['`'] = {6, "&#x60;"},
    ['='] = {6, "&#x3D;"},
};

#ifdef __SSE2__
/* A bit for each of 16 bytes that has an entity: & " ' ` one by one, < = > as a range. */
static guint
special_bits(__m128i bytes)
{
    __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('&')),
                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\'')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('`')));
    __m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8('<'));
    found =
        _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(2)), above));
    return (guint) _mm_movemask_epi8(found);
}
#endif

#if defined(__SSE2__) && !MRG_IS_SANITIZED
#define PAGE_BYTES 4096

/* Whether 16 bytes can be read from here: those behind the text are not looked at, and lie
 * in the same page, so they are there. */
static gboolean
is_readable(const char *text)
{
    return ((guintptr) text & (PAGE_BYTES - 1)) <= PAGE_BYTES - 16;
}

/* Looks for what needs an entity while it copies, 16 bytes at a time, into room that is
 * there already.  Gives the bytes that are done: all, those before the first such byte, or
 * fewer where there is no room. */
static gsize
copy_clean(MrgBuffer *out, const char *text, gsize length)
{
    gsize at = 0;
    if (!out->data || out->capacity - out->length < length + 16)
        return 0;
    char *to = out->data + out->length;
    while (at < length && (length - at >= 16 || is_readable(text + at))) {
        __m128i bytes = _mm_loadu_si128((const __m128i *) (gconstpointer) (text + at));
        guint bits = special_bits(bytes);
        gsize n = MIN(length - at, 16);
        _mm_storeu_si128((__m128i *) (gpointer) (to + at), bytes);
        bits &= (1u << n) - 1;
        if (bits) {
            at += (gsize) __builtin_ctz(bits);
            break;
        }
        at += n;
    }
    out->length += at;
    return at;
}
/* Most values are short and have nothing that needs an entity: no loop for these.  An empty
 * one need not point anywhere. */
static inline gboolean
append_short(MrgBuffer *out, const char *text, gsize length)
{
    if (length - 1 >= 16 || !out->data || out->capacity - out->length < 16 ||
        !is_readable(text))
        return FALSE;
    __m128i bytes = _mm_loadu_si128((const __m128i *) (gconstpointer) text);
    if (special_bits(bytes) & ((1u << length) - 1))
        return FALSE;
    _mm_storeu_si128((__m128i *) (gpointer) (out->data + out->length), bytes);
    out->length += length;
    return TRUE;
}
#else
static inline gboolean
append_short(MrgBuffer *out G_GNUC_UNUSED, const char *text G_GNUC_UNUSED,
             gsize length G_GNUC_UNUSED)
{
    return FALSE;
}

static gsize
copy_clean(MrgBuffer *out G_GNUC_UNUSED, const char *text G_GNUC_UNUSED,
           gsize length G_GNUC_UNUSED)
{
    return 0;
}
#endif

/* How many bytes at the start need no entity. */
static gsize
clean_run(const char *text, gsize length)
{
    gsize at = 0;
#ifdef __SSE2__
    for (; length - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *) (gconstpointer) (text + at));
        guint bits = special_bits(bytes);
        if (bits)
            return at + (gsize) __builtin_ctz(bits);
    }
#endif
    while (at < length && !entities[(guchar) text[at]].length)
        at++;
    return at;
}

static void
append_html(MrgBuffer *out, const char *text, gsize length)
{
    while (!out->is_full) {
        gsize run = copy_clean(out, text, length);
        if (run == length)
            return;
        text += run;
        length -= run;
        run = clean_run(text, length);
        mrg_buffer_append(out, text, run);
        if (run == length)
            return;
        const Entity *entity = &entities[(guchar) text[run]];
        mrg_buffer_append(out, entity->text, entity->length);
        text += run + 1;
        length -= run + 1;
    }
}

const char *
mrg_escape_entity(char c, gsize *length)
{
    const Entity *entity = &entities[(guchar) c];
    *length = entity->length;
    return entity->length ? entity->text : NULL;
}

/* Bytes of the control character at the start, 0 for none: C0, DEL, and C1 in UTF-8
 * (Unicode's category Cc). */
static gsize
control_length(const char *text, gsize length)
{
    guchar first = (guchar) text[0];
    if (first < 0x20 || first == 0x7f)
        return 1;
    if (first != 0xc2 || length < 2)
        return 0;
    guchar second = (guchar) text[1];
    return second >= 0x80 && second <= 0x9f ? 2 : 0;
}

static void
append_header(MrgBuffer *out, const char *text, gsize length)
{
    gsize start = 0, n;
    for (gsize at = 0; at < length; at += MAX(n, 1)) {
        n = control_length(text + at, length - at);
        if (!n)
            continue;
        mrg_buffer_append(out, text + start, at - start);
        mrg_buffer_append(out, " ", 1);
        start = at + n;
    }
    mrg_buffer_append(out, text + start, length - start);
}

static G_GNUC_NO_INLINE void
append(MrgBuffer *out, MrgEscape escape, gboolean is_raw, const char *text, gsize length)
{
    if (!length)
        return;
    if (escape == MRG_ESCAPE_HEADER)
        append_header(out, text, length);
    else if (is_raw || escape == MRG_ESCAPE_TEXT)
        mrg_buffer_append(out, text, length);
    else
        append_html(out, text, length);
}

void
mrg_escape_append(MrgBuffer *out, MrgEscape escape, gboolean is_raw, const char *text,
                  gsize length)
{
    if (escape != MRG_ESCAPE_HTML || is_raw || !append_short(out, text, length))
        append(out, escape, is_raw, text, length);
}
