/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/html.h"

/* Their text ends at their own end tag only (HTML standard, 13.1.2); noscript is
 * markup to a reader without scripts, as mail readers are. */
static const char *const raw_names[] = {
    "script", "style",   "textarea", "title",     "xmp",
    "iframe", "noembed", "noframes", "plaintext",
};

void
mrg_html_init(MrgHtml *html, const char *text, gsize length)
{
    *html = (MrgHtml){.text = text, .length = length};
}

static gsize
name_start(const MrgHtmlToken *token)
{
    return token->start + (token->type == MRG_HTML_END_TAG ? 2 : 1);
}

/* The name begins with a lower-case letter. */
static gboolean
is_named(const char *text, gsize length, const char *name)
{
    return length && (*text | 0x20) == *name && length == strlen(name) &&
           g_ascii_strncasecmp(text, name, length) == 0;
}

gboolean
mrg_html_is_tag(const MrgHtml *html, const MrgHtmlToken *token, MrgHtmlType type,
                const char *name)
{
    return token->type == type &&
           is_named(html->text + name_start(token), token->name_length, name);
}

static gboolean
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* Behind the next c, or the end of the text. */
static gsize
skip_past(const MrgHtml *html, gsize at, char c)
{
    const char *found =
        at < html->length ? memchr(html->text + at, c, html->length - at) : NULL;
    return found ? (gsize) (found + 1 - html->text) : html->length;
}

static gsize
measure_name(const MrgHtml *html, gsize at)
{
    gsize n = 0;
    while (at + n < html->length && !is_space(html->text[at + n]) &&
           html->text[at + n] != '/' && html->text[at + n] != '>')
        n++;
    return n;
}

static gsize
skip_spaces(const MrgHtml *html, gsize at)
{
    while (at < html->length && is_space(html->text[at]))
        at++;
    return at;
}

static void
read_value(const MrgHtml *html, gsize at, MrgHtmlAttribute *attribute)
{
    at = skip_spaces(html, at);
    attribute->has_value = TRUE;
    attribute->value = attribute->value_end = attribute->end = at;
    if (at == html->length)
        return;
    char quote = html->text[at];
    if (quote == '"' || quote == '\'') {
        attribute->quote = quote;
        attribute->value = at + 1;
        attribute->end = skip_past(html, at + 1, quote);
        gboolean is_closed =
            attribute->end > at + 1 && html->text[attribute->end - 1] == quote;
        attribute->value_end = attribute->end - (is_closed ? 1 : 0);
        return;
    }
    while (at < html->length && !is_space(html->text[at]) && html->text[at] != '>')
        at++;
    attribute->value_end = attribute->end = at;
}

/* The attribute at or behind at; FALSE at the end of the tag.  A quote is one only where a
 * value begins: <a b"> ends at its '>'. */
static gboolean
read_attribute(const MrgHtml *html, gsize at, MrgHtmlAttribute *attribute)
{
    while (at < html->length && (is_space(html->text[at]) || html->text[at] == '/'))
        at++;
    if (at == html->length || html->text[at] == '>')
        return FALSE;
    *attribute = (MrgHtmlAttribute){.start = at};
    /* Even a '=' may begin an attribute's name (13.2.5.32). */
    do
        at++;
    while (at < html->length && !is_space(html->text[at]) &&
           !strchr("/>=", html->text[at]));
    attribute->name_end = attribute->end = at;
    attribute->value = attribute->value_end = at;
    at = skip_spaces(html, at);
    if (at < html->length && html->text[at] == '=')
        read_value(html, at + 1, attribute);
    return TRUE;
}

static gsize
skip_tag(const MrgHtml *html, gsize at)
{
    MrgHtmlAttribute attribute;
    while (read_attribute(html, at, &attribute))
        at = attribute.end;
    return skip_past(html, at, '>');
}

static gboolean
starts_with(const MrgHtml *html, gsize at, const char *text)
{
    gsize n = strlen(text);
    return html->length - at >= n && memcmp(html->text + at, text, n) == 0;
}

/* at is behind "<!--"; "-->" and "--!>" end it, and so do "<!-->" and "<!--->". */
static gsize
skip_comment(const MrgHtml *html, gsize at)
{
    if (starts_with(html, at, ">"))
        return at + 1;
    if (starts_with(html, at, "->"))
        return at + 2;
    while (at < html->length) {
        const char *dash = memchr(html->text + at, '-', html->length - at);
        if (!dash)
            return html->length;
        at = (gsize) (dash - html->text);
        if (starts_with(html, at, "-->"))
            return at + 3;
        if (starts_with(html, at, "--!>"))
            return at + 4;
        at++;
    }
    return html->length;
}

static void
note_raw_element(MrgHtml *html, const MrgHtmlToken *token)
{
    const char *name = html->text + name_start(token);
    for (gsize i = 0; i < G_N_ELEMENTS(raw_names); i++)
        if (is_named(name, token->name_length, raw_names[i]))
            html->raw_name = raw_names[i];
}

/* The '<' at html->at begins a token of its own. */
static void
read_markup(MrgHtml *html, MrgHtmlToken *token)
{
    gsize at = html->at;
    gboolean is_end = starts_with(html, at, "</");
    gsize name = at + (is_end ? 2 : 1);
    if (starts_with(html, at, "<!--")) {
        token->type = MRG_HTML_COMMENT;
        token->end = skip_comment(html, at + 4);
    } else if (name < html->length && g_ascii_isalpha(html->text[name])) {
        token->type = is_end ? MRG_HTML_END_TAG : MRG_HTML_START_TAG;
        token->name_length = measure_name(html, name);
        token->end = skip_tag(html, name + token->name_length);
        if (!is_end)
            note_raw_element(html, token);
    } else {
        token->type = MRG_HTML_COMMENT;
        token->end = skip_past(html, at, '>');
    }
}

static gboolean
is_markup(const MrgHtml *html, gsize at)
{
    if (at + 1 >= html->length)
        return FALSE;
    char c = html->text[at + 1];
    if (c == '/')
        return at + 2 < html->length;
    return g_ascii_isalpha(c) || c == '!' || c == '?';
}

static gsize
find_markup(const MrgHtml *html, gsize at)
{
    while (at < html->length) {
        at = skip_past(html, at, '<');
        if (at > 0 && html->text[at - 1] == '<' && is_markup(html, at - 1))
            return at - 1;
    }
    return html->length;
}

/* Whether "</name" stands there as the end tag of a raw element. */
static gboolean
is_raw_end(const MrgHtml *html, gsize at, const char *name)
{
    return starts_with(html, at, "</") &&
           is_named(html->text + at + 2, measure_name(html, at + 2), name);
}

static gsize
find_raw_end(const MrgHtml *html, gsize at, const char *name)
{
    while (at < html->length) {
        const char *found = memchr(html->text + at, '<', html->length - at);
        if (!found)
            return html->length;
        at = (gsize) (found - html->text);
        if (is_raw_end(html, at, name))
            return at;
        at++;
    }
    return html->length;
}

gboolean
mrg_html_next_attribute(const MrgHtml *html, const MrgHtmlToken *token, gsize *at,
                        MrgHtmlAttribute *attribute)
{
    if (token->type != MRG_HTML_START_TAG)
        return FALSE;
    gsize from = *at ? *at : name_start(token) + token->name_length;
    if (!read_attribute(html, from, attribute))
        return FALSE;
    *at = attribute->end;
    return TRUE;
}

gboolean
mrg_html_is_attribute(const MrgHtml *html, const MrgHtmlAttribute *attribute,
                      const char *name)
{
    return is_named(html->text + attribute->start, attribute->name_end - attribute->start,
                    name);
}

gboolean
mrg_html_conditional(const MrgHtml *html, const MrgHtmlToken *token, MrgHtml *inside)
{
    static const char start[] = "<!--[if", middle[] = "]>", end[] = "-->";
    gsize from = token->start + strlen(start);
    if (token->type != MRG_HTML_COMMENT || token->end - token->start < strlen(start) + 5 ||
        g_ascii_strncasecmp(html->text + token->start, start, strlen(start)) != 0 ||
        memcmp(html->text + token->end - strlen(end), end, strlen(end)) != 0)
        return FALSE;
    const char *found =
        g_strstr_len(html->text + from, (gssize) (token->end - from), middle);
    if (!found || (gsize) (found - html->text) + strlen(middle) > token->end - strlen(end))
        return FALSE;
    *inside = (MrgHtml){.text = html->text,
                        .length = token->end - strlen(end),
                        .at = (gsize) (found - html->text) + strlen(middle)};
    return TRUE;
}

gboolean
mrg_html_next(MrgHtml *html, MrgHtmlToken *token)
{
    if (html->at >= html->length)
        return FALSE;
    *token = (MrgHtmlToken){.type = MRG_HTML_TEXT, .start = html->at};
    const char *raw_name = html->raw_name;
    html->raw_name = NULL;
    if (raw_name && !is_raw_end(html, html->at, raw_name)) {
        token->type = MRG_HTML_RAW;
        token->end = find_raw_end(html, html->at, raw_name);
    } else if (html->text[html->at] == '<' && is_markup(html, html->at)) {
        read_markup(html, token);
    } else {
        token->end = find_markup(html, html->at);
    }
    html->at = token->end;
    return TRUE;
}
