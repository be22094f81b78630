/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-html: any bytes; every byte must be in exactly one token, and a tag's name in it.
 * Places ascend, those to judge too, and with every link replaced the same ones are found
 * again.
 */
#include "config.h"

#include <stdint.h>

#include "milter/stamp/html.h"
#include "milter/stamp/places.h"
#include "milter/stamp/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GArray *
find_places(const char *text, gsize length)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(MrgStampPlace));
    gsize end = 0;
    mrg_places_of_html(text, length, places);
    for (guint i = 0; i < places->len; i++) {
        const MrgStampPlace *place = &g_array_index(places, MrgStampPlace, i);
        g_assert_cmpuint(place->start, >=, end);
        end = place->start + place->length;
        g_assert_cmpuint(end, <=, length);
    }
    return places;
}

static GString *
replace_links(const char *text, gsize length, const GArray *places)
{
    GString *out = g_string_new(NULL);
    gsize at = 0;
    for (guint i = 0; i < places->len; i++) {
        const MrgStampPlace *place = &g_array_index(places, MrgStampPlace, i);
        if (place->kind != MRG_PLACE_LINK)
            continue;
        g_string_append_len(out, text + at, (gssize) (place->start - at));
        g_string_append(out, place->quote ? "https://t/c/x" : "\"https://t/c/x\"");
        at = place->start + place->length;
    }
    return g_string_append_len(out, text + at, (gssize) (length - at));
}

static void
check_places(const char *text, gsize length)
{
    g_autoptr(GArray) before = find_places(text, length);
    g_autoptr(GString) replaced = replace_links(text, length, before);
    g_autoptr(GArray) after = find_places(replaced->str, replaced->len);
    g_assert_cmpuint(before->len, ==, after->len);
    for (guint i = 0; i < before->len; i++)
        g_assert_cmpint(g_array_index(before, MrgStampPlace, i).kind, ==,
                        g_array_index(after, MrgStampPlace, i).kind);
}

static void
check_judged(const char *text, gsize length, gboolean is_html)
{
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(MrgStampPlace));
    gsize end = 0;
    mrg_places_to_judge(text, length, is_html, places);
    for (guint i = 0; i < places->len; i++) {
        const MrgStampPlace *place = &g_array_index(places, MrgStampPlace, i);
        g_assert_cmpuint(place->start, >=, end);
        end = place->start + place->length;
        g_assert_cmpuint(end, <=, length);
        mrg_url_kind(text + place->start, place->length, is_html);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MrgHtml html;
    MrgHtmlToken token;
    gsize at = 0;
    mrg_html_init(&html, (const char *) data, size);
    while (mrg_html_next(&html, &token)) {
        g_assert_cmpuint(token.start, ==, at);
        g_assert_cmpuint(token.end, >, token.start);
        g_assert_cmpuint(token.name_length, <, token.end - token.start);
        g_assert_false(mrg_html_is_tag(&html, &token, MRG_HTML_END_TAG, ""));
        at = token.end;
    }
    g_assert_cmpuint(at, ==, size);
    check_places((const char *) data, size);
    check_judged((const char *) data, size, TRUE);
    check_judged((const char *) data, size, FALSE);
    return 0;
}
