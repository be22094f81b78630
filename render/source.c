/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <string.h>

#include "render/limits.h"
#include "render/source.h"

#define QUOTE_BYTES 40

static void
find_lines(MrgSource *source)
{
    guint32 start = 0;
    g_array_append_val(source->lines, start);
    while (start < source->length) {
        const char *end = memchr(source->text + start, '\n', source->length - start);
        if (!end)
            return;
        start = (guint32) (end + 1 - source->text);
        g_array_append_val(source->lines, start);
    }
}

gboolean
mrg_source_init(MrgSource *source, const MrgTemplate *template, GError **error)
{
    *source = (MrgSource){.template = template,
                          .text = template->text ? template->text : "",
                          .length = template->text ? template->length : 0,
                          .lines = g_array_new(FALSE, FALSE, sizeof(guint32)),
                          .error = error};
    if (source->length > MRG_LIMIT_TEMPLATE_BYTES) {
        source->length = 0;
        return mrg_source_fail(source, 0, MRG_RENDER_ERROR_LIMIT,
                               "the template is longer than %u bytes",
                               MRG_LIMIT_TEMPLATE_BYTES);
    }
    find_lines(source);
    return TRUE;
}

void
mrg_source_clear(MrgSource *source)
{
    g_clear_pointer(&source->lines, g_array_unref);
}

void
mrg_source_locate(const MrgSource *source, gsize offset, guint *line, guint *column)
{
    const guint32 *starts = (const guint32 *) (gpointer) source->lines->data;
    guint low = 0, high = source->lines->len;
    while (high - low > 1) {
        guint middle = low + (high - low) / 2;
        if (starts[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    *line = low + 1;
    *column = (guint) (offset - (high ? starts[low] : 0)) + 1;
}

gboolean
mrg_source_fail(MrgSource *source, gsize offset, MrgRenderError code, const char *format,
                ...)
{
    if (source->has_failed)
        return FALSE;
    source->has_failed = TRUE;
    guint line = 1, column = 1;
    if (source->lines->len)
        mrg_source_locate(source, offset, &line, &column);
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(source->error, MRG_RENDER_ERROR, (int) code, "%s:%u:%u: %s",
                source->template->name, line, column, message);
    return FALSE;
}

MrgQuote
mrg_quote(const char *text, gsize length)
{
    MrgQuote quote;
    gsize n = MIN(length, QUOTE_BYTES);
    for (gsize i = 0; i < n; i++)
        quote.text[i] = g_ascii_isprint(text[i]) ? text[i] : '?';
    g_strlcpy(quote.text + n, length > n ? "..." : "", sizeof quote.text - n);
    return quote;
}

/* The spaces beyond ASCII, in UTF-8; U+2000 to U+200A apart. */
static const char *const wide_spaces[] = {
    "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9",
    "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf",
};

static gboolean
is_wide_space(const char *text, gsize length)
{
    if (length == 3 && memcmp(text, "\xe2\x80", 2) == 0) {
        guchar last = (guchar) text[2];
        if (last >= 0x80 && last <= 0x8a)
            return TRUE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(wide_spaces); i++)
        if (strlen(wide_spaces[i]) == length && memcmp(text, wide_spaces[i], length) == 0)
            return TRUE;
    return FALSE;
}

static gboolean
is_ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

gsize
mrg_space_first(const char *text, gsize length)
{
    if (!length || is_ascii_space(text[0]))
        return length ? 1 : 0;
    if (!(text[0] & 0x80))
        return 0;
    for (gsize n = 2; n <= 3 && n <= length; n++)
        if (is_wide_space(text, n))
            return n;
    return 0;
}

gsize
mrg_space_last(const char *text, gsize length)
{
    if (!length || is_ascii_space(text[length - 1]))
        return length ? 1 : 0;
    if (!(text[length - 1] & 0x80))
        return 0;
    for (gsize n = 2; n <= 3 && n <= length; n++)
        if (is_wide_space(text + length - n, n))
            return n;
    return 0;
}

MrgSlice
mrg_slice_trim(MrgSlice slice)
{
    gsize n;
    while ((n = mrg_space_first(slice.text, slice.length)))
        slice = (MrgSlice){slice.text + n, slice.length - n};
    while ((n = mrg_space_last(slice.text, slice.length)))
        slice.length -= n;
    return slice;
}

/* ---- marks ---- */

gboolean
mrg_source_has(const MrgSource *source, const char *text)
{
    guintptr start = (guintptr) source->text;
    return (guintptr) text >= start && (guintptr) text < start + source->length;
}

guint
mrg_source_first_mark(const GArray *marks, gsize at)
{
    guint low = 0, high = marks->len;
    while (low < high) {
        guint middle = (low + high) / 2;
        if (g_array_index(marks, MrgLandmark, middle).at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
