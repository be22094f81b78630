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
add(GArray *places, MrgStampPlaceKind kind, gsize start, gsize end, char quote)
{
    const MrgStampPlace place = {kind, start, end - start, quote, NULL};
    g_array_append_val(places, place);
}

/* Of two attributes of one name readers take the first. */
static void
add_href(const MrgHtml *html, const MrgHtmlToken *token, MrgStampPlaceKind kind,
         gboolean is_judged, GArray *places)
{
    MrgHtmlAttribute attribute, href = {0}, no_track = {0};
    gboolean is_open = html->text[token->end - 1] != '>';
    for (gsize at = 0; mrg_html_next_attribute(html, token, &at, &attribute);) {
        if (!href.end && mrg_html_is_attribute(html, &attribute, "href"))
            href = attribute;
        else if (!no_track.end && mrg_html_is_attribute(html, &attribute, "data-no-track"))
            no_track = attribute;
        is_open |= attribute.quote && attribute.value_end == attribute.end;
    }
    /* The tag that the text ends in is none to a reader. */
    if (is_open)
        return;
    if (no_track.end && is_judged && kind == MRG_PLACE_LINK)
        kind = MRG_PLACE_LINK_LEFT;
    if (no_track.end && !is_judged)
        add(places, MRG_PLACE_NO_TRACK,
            no_track.start - (g_ascii_isspace(html->text[no_track.start - 1]) ? 1 : 0),
            no_track.end, 0);
    else if (href.has_value)
        add(places, kind, href.value, href.value_end, href.quote);
}

static void
scan(MrgHtml *html, gboolean is_comment, gboolean is_judged, GArray *places)
{
    MrgHtmlToken token;
    MrgHtml inside;
    while (mrg_html_next(html, &token)) {
        if (is_link_element(html, &token))
            add_href(html, &token, MRG_PLACE_LINK, is_judged, places);
        else if (is_comment)
            continue;
        else if (mrg_html_is_tag(html, &token, MRG_HTML_START_TAG, "base"))
            add_href(html, &token, MRG_PLACE_BASE, is_judged, places);
        else if (mrg_html_is_tag(html, &token, MRG_HTML_START_TAG, "body"))
            add(places, MRG_PLACE_BODY, token.end, token.end, 0);
        else if (mrg_html_is_tag(html, &token, MRG_HTML_END_TAG, "body"))
            add(places, MRG_PLACE_BODY_END, token.start, token.start, 0);
        else if (mrg_html_conditional(html, &token, &inside))
            scan(&inside, TRUE, is_judged, places);
    }
}

void
mrg_places_of_html(const char *text, gsize length, GArray *places)
{
    MrgHtml html;
    mrg_html_init(&html, text, length);
    scan(&html, FALSE, FALSE, places);
}

static gboolean
may_have_place(const MrgHtml *html, const MrgHtmlToken *token)
{
    MrgHtml inside;
    if (token->type == MRG_HTML_TEXT)
        return FALSE;
    return token->type == MRG_HTML_RAW || is_link_element(html, token) ||
           mrg_html_is_tag(html, token, MRG_HTML_START_TAG, "base") ||
           mrg_html_is_tag(html, token, MRG_HTML_START_TAG, "body") ||
           mrg_html_is_tag(html, token, MRG_HTML_END_TAG, "body") ||
           mrg_html_conditional(html, token, &inside);
}

gboolean
mrg_places_are_none(const char *text, gsize length)
{
    MrgHtml html;
    MrgHtmlToken token = {.type = MRG_HTML_TEXT};
    const char *open = memrchr(text, '<', length);
    if (!open)
        return TRUE;
    mrg_html_init(&html, text, length);
    while (mrg_html_next(&html, &token))
        if (may_have_place(&html, &token))
            return FALSE;
    const char *close = memrchr(text, '>', length);
    return !html.raw_name && close && close > open &&
           (token.type != MRG_HTML_COMMENT || text[length - 1] == '>');
}

gboolean
mrg_places_measure(const char *text, gsize length, MrgStampPlace *place)
{
    gsize end = place->start;
    if (place->quote) {
        const char *quote = memchr(text + end, place->quote, length - end);
        if (!quote)
            return FALSE;
        end = (gsize) (quote - text);
    }
    while (!place->quote && end < length && !strchr(" \t\r\n\f>", text[end]))
        end++;
    place->length = end - place->start;
    return end < length;
}

/* ---- templates ---- */

static gsize
count(const char *text, gsize length, const char *what)
{
    gsize n = 0;
    const char *end = text + length;
    while ((text = memmem(text, (gsize) (end - text), what, strlen(what)))) {
        text += strlen(what);
        n++;
    }
    return n;
}

/* No quote within a tag of the template ended the value. */
static gboolean
is_whole(const char *text, gsize length)
{
    return count(text, length, "{") == count(text, length, "}");
}

static gboolean
is_whole_tag(const MrgHtml *html, const MrgHtmlToken *token)
{
    MrgHtmlAttribute attribute;
    for (gsize at = 0; mrg_html_next_attribute(html, token, &at, &attribute);)
        if (strcspn(html->text + attribute.start, "{}") <
                attribute.name_end - attribute.start ||
            !is_whole(html->text + attribute.value, attribute.value_end - attribute.value))
            return FALSE;
    return strcspn(html->text + token->start, "{}") > token->name_length;
}

/* Whatever blocks it has begin and end in it. */
static gboolean
has_whole_blocks(const MrgHtml *html, const MrgHtmlToken *token)
{
    const char *text = html->text + token->start;
    gsize n = token->end - token->start;
    return count(text, n, "{{#") + count(text, n, "{{^") == count(text, n, "{{/") &&
           !count(text, n, "{{else");
}

static gboolean
is_whole_html(MrgHtml html)
{
    MrgHtmlToken token;
    MrgHtml inside;
    while (mrg_html_next(&html, &token)) {
        if (token.type == MRG_HTML_START_TAG && !is_whole_tag(&html, &token))
            return FALSE;
        if ((token.type == MRG_HTML_COMMENT || token.type == MRG_HTML_RAW) &&
            !has_whole_blocks(&html, &token))
            return FALSE;
        if (mrg_html_conditional(&html, &token, &inside) && !is_whole_html(inside))
            return FALSE;
    }
    return TRUE;
}

/* Comments of the template are no text, and may hold half a tag. */
static void
blank_comments(char *text)
{
    for (char *at = text; (at = strstr(at, "{{")); at++) {
        gsize name = strspn(at, "{~");
        gboolean is_long = g_str_has_prefix(at + name, "!--");
        if (at[name] != '!')
            continue;
        char *end = strstr(at, is_long ? "--}}" : "}}");
        char *tight = is_long ? strstr(at, "--~}}") : NULL;
        end = tight && (!end || tight < end) ? tight : end;
        if (!end)
            return;
        memset(at, ' ', (gsize) (end - at));
    }
}

gboolean
mrg_places_of_template(const char *text, gsize length, GArray *places)
{
    MrgHtml html;
    g_autofree char *blank = g_strndup(text, length);
    if (strlen(blank) != length)
        return FALSE;
    blank_comments(blank);
    mrg_html_init(&html, blank, length);
    mrg_places_of_html(blank, length, places);
    return is_whole_html(html);
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

/* ---- judging ---- */

void
mrg_places_to_judge(const char *text, gsize length, gboolean is_html, GArray *places)
{
    MrgHtml html;
    g_autofree char *blank = g_strndup(text, length);
    if (strlen(blank) != length)
        return;
    blank_comments(blank);
    mrg_html_init(&html, blank, length);
    if (is_html)
        scan(&html, FALSE, TRUE, places);
    else
        mrg_places_of_text(blank, length, places);
}
