/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/html.h"
#include "milter/stamp/places.h"

/* ---- HTML ---- */

static gboolean
is_link_element(const MrgHtml *html, const MrgHtmlToken *token)
{
    const char *name = html->text + token->start + 1;
    return mrg_html_is_tag(html, token, MRG_HTML_START_TAG, "a") ||
           mrg_html_is_tag(html, token, MRG_HTML_START_TAG, "area") ||
           (token->type == MRG_HTML_START_TAG && token->name_length > 2 &&
            g_ascii_strncasecmp(name, "v:", 2) == 0);
}

static void
add(GArray *places, MrgPlaceKind kind, gsize start, gsize end, char quote)
{
    const MrgPlace place = {kind, start, end - start, quote};
    g_array_append_val(places, place);
}

/* Of two attributes of one name readers take the first. */
static void
add_href(const MrgHtml *html, const MrgHtmlToken *token, MrgPlaceKind kind, GArray *places)
{
    MrgHtmlAttribute attribute, href = {0}, no_track = {0};
    for (gsize at = 0; mrg_html_next_attribute(html, token, &at, &attribute);) {
        if (!href.end && mrg_html_is_attribute(html, &attribute, "href"))
            href = attribute;
        else if (!no_track.end && mrg_html_is_attribute(html, &attribute, "data-no-track"))
            no_track = attribute;
    }
    /* The tag that the text ends in is none to a reader. */
    if (html->text[token->end - 1] != '>')
        return;
    if (no_track.end)
        add(places, MRG_PLACE_NO_TRACK,
            no_track.start - (g_ascii_isspace(html->text[no_track.start - 1]) ? 1 : 0),
            no_track.end, 0);
    else if (href.has_value)
        add(places, kind, href.value, href.value_end, href.quote);
}

static void
scan(MrgHtml *html, gboolean is_comment, GArray *places)
{
    MrgHtmlToken token;
    MrgHtml inside;
    while (mrg_html_next(html, &token)) {
        if (is_link_element(html, &token))
            add_href(html, &token, MRG_PLACE_LINK, places);
        else if (is_comment)
            continue;
        else if (mrg_html_is_tag(html, &token, MRG_HTML_START_TAG, "base"))
            add_href(html, &token, MRG_PLACE_BASE, places);
        else if (mrg_html_is_tag(html, &token, MRG_HTML_START_TAG, "body"))
            add(places, MRG_PLACE_BODY, token.end, token.end, 0);
        else if (mrg_html_is_tag(html, &token, MRG_HTML_END_TAG, "body"))
            add(places, MRG_PLACE_BODY_END, token.start, token.start, 0);
        else if (mrg_html_conditional(html, &token, &inside))
            scan(&inside, TRUE, places);
    }
}

void
mrg_places_of_html(const char *text, gsize length, GArray *places)
{
    MrgHtml html;
    mrg_html_init(&html, text, length);
    scan(&html, FALSE, places);
}

/* ---- text ---- */

static gboolean
is_of_address(char c)
{
    return (guchar) c > ' ' && c != '<' && c != '>' && c != '"' && c != 127;
}

/* Where the scheme in front of "://" begins, if it is ours. */
static gboolean
find_start(const char *text, gsize colon, gsize from, gsize *start)
{
    gsize n = 0;
    while (colon - n > from && g_ascii_isalnum(text[colon - n - 1]))
        n++;
    *start = colon - n;
    return (n == 4 || n == 5) && g_ascii_strncasecmp(text + *start, "https", n) == 0;
}

/* Marks that belong to the sentence go, and brackets that open in front of the address. */
static gsize
trim_end(const char *text, gsize start, gsize end)
{
    while (end > start && strchr(".,;:!?'*_)]}", text[end - 1])) {
        char close = text[end - 1];
        char open = close == ')' ? '(' : close == ']' ? '[' : '{';
        gssize depth = 0;
        for (gsize i = start; i < end; i++)
            depth += (text[i] == open) - (text[i] == close);
        if (strchr(")]}", close) && depth >= 0)
            break;
        end--;
    }
    return end;
}

void
mrg_places_of_text(const char *text, gsize length, GArray *places)
{
    static const char mark[] = "://";
    for (gsize at = 0; at < length;) {
        const char *found = memmem(text + at, length - at, mark, strlen(mark));
        if (!found)
            break;
        gsize colon = (gsize) (found - text);
        gsize end = colon + strlen(mark);
        gsize start;
        gsize rest = end;
        while (end < length && is_of_address(text[end]))
            end++;
        if (find_start(text, colon, at, &start) &&
            (end = trim_end(text, start, end)) > rest)
            add(places, MRG_PLACE_LINK, start, end, 0);
        at = MAX(end, rest);
    }
}
