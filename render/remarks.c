/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/dialect.h"
#include "render/limits.h"
#include "render/mustache.h"
#include "render/remarks.h"
#include "render/singles.h"

typedef enum { IN_TEXT, IN_COMMENT, IN_TAG, IN_VALUE } Place;

#define WORD_BYTES 16

/* Where in the HTML the text has got. */
typedef struct Html {
    Place place;
    char quote;            /* of the value; NUL: none */
    char tag[WORD_BYTES];  /* lower case, cut short */
    char word[WORD_BYTES]; /* the attribute */
    gboolean names_tag;    /* the word in hand is the tag's name */
    gboolean awaits_value; /* behind the = */
    gsize value_bytes;     /* of the value so far */
    const char *raw;       /* "script" or "style", while inside */
    gboolean is_in_url;    /* plain text: the word in hand has "://" in it */
} Html;

typedef struct Watch {
    MrgSource *source;
    GArray *remarks;
    GHashTable *declared;
    gboolean is_html;
    Html html;
} Watch;

static void
clear_remark(gpointer data)
{
    g_free(((MrgRemark *) data)->message);
}

static void remark(Watch *watch, gsize offset, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void
remark(Watch *watch, gsize offset, const char *format, ...)
{
    MrgRemark made;
    if (watch->remarks->len == MRG_LIMIT_REMARKS)
        return;
    va_list args;
    va_start(args, format);
    made.message = g_strdup_vprintf(format, args);
    va_end(args);
    mrg_source_locate(watch->source, offset, &made.line, &made.column);
    g_array_append_val(watch->remarks, made);
}

/* ---- following the HTML ---- */

static void
add_to_word(char *word, char c)
{
    gsize n = strlen(word);
    if (n + 1 < WORD_BYTES)
        word[n] = g_ascii_tolower(c), word[n + 1] = '\0';
}

static gboolean
starts_with(MrgSlice text, gsize at, const char *word)
{
    gsize n = strlen(word);
    return text.length - at >= n && g_ascii_strncasecmp(text.text + at, word, n) == 0;
}

static void
enter_tag(Html *html, MrgSlice text, gsize at)
{
    char next = at + 1 < text.length ? text.text[at + 1] : '\0';
    if (html->raw) {
        if (next != '/' || !starts_with(text, at + 2, html->raw))
            return;
        html->raw = NULL;
    }
    if (starts_with(text, at, "<!--")) {
        html->place = IN_COMMENT;
    } else if (g_ascii_isalpha(next) || next == '/') {
        html->place = IN_TAG;
        html->names_tag = next != '/';
        html->tag[0] = html->word[0] = '\0';
        html->awaits_value = FALSE;
    }
}

static void
leave_tag(Html *html)
{
    html->place = IN_TEXT;
    if (strcmp(html->tag, "script") == 0)
        html->raw = "script";
    else if (strcmp(html->tag, "style") == 0)
        html->raw = "style";
}

static void
enter_value(Html *html, char quote)
{
    html->place = IN_VALUE;
    html->quote = quote;
    html->value_bytes = quote ? 0 : 1;
    html->awaits_value = FALSE;
}

static void
step_in_tag(Html *html, char c)
{
    gboolean is_space = g_ascii_isspace(c);
    if (c == '>')
        leave_tag(html);
    else if (html->awaits_value && (c == '"' || c == '\''))
        enter_value(html, c);
    else if (html->awaits_value && !is_space)
        enter_value(html, '\0');
    else if (c == '=')
        html->awaits_value = TRUE;
    else if (is_space || c == '/')
        html->names_tag = html->names_tag && !html->tag[0], html->word[0] = '\0';
    else
        add_to_word(html->names_tag ? html->tag : html->word, c);
}

static void
step_in_value(Html *html, char c)
{
    gboolean ends = html->quote ? c == html->quote : g_ascii_isspace(c) || c == '>';
    html->value_bytes++;
    if (!ends)
        return;
    html->place = IN_TAG;
    html->word[0] = '\0';
    if (c == '>')
        leave_tag(html);
}

static void
follow_html(Html *html, MrgSlice text)
{
    for (gsize at = 0; at < text.length; at++) {
        char c = text.text[at];
        switch (html->place) {
        case IN_TEXT:
            if (c == '<')
                enter_tag(html, text, at);
            break;
        case IN_COMMENT:
            if (starts_with(text, at, "-->"))
                html->place = IN_TEXT;
            break;
        case IN_TAG:
            step_in_tag(html, c);
            break;
        case IN_VALUE:
            step_in_value(html, c);
            break;
        }
    }
}

static void
follow_plain(Html *html, MrgSlice text)
{
    for (gsize at = 0; at < text.length; at++) {
        if (g_ascii_isspace(text.text[at]))
            html->is_in_url = FALSE;
        else if (starts_with(text, at, "://"))
            html->is_in_url = TRUE;
    }
}

/* ---- what is looked for ---- */

static gboolean
is_url_attribute(const char *word)
{
    static const char *const names[] = {"href", "src", "action", "background", "poster"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(word, names[i]) == 0)
            return TRUE;
    return FALSE;
}

/* Helpers whose result may stand in a URL. */
static gboolean
is_url_safe(MrgSlice helper)
{
    static const char *const names[] = {
        "urlencode", "md5",       "sha256", "hmac_sha256",     "length",
        "round",     "floor",     "ceil",   "unsubscribe_url", "preferences_url",
        "view_url",  "hash_pick", "slugify"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (helper.length == strlen(names[i]) &&
            memcmp(helper.text, names[i], helper.length) == 0)
            return TRUE;
    return FALSE;
}

static gboolean
is_helper(MrgSlice helper, const char *name)
{
    return helper.length == strlen(name) && memcmp(helper.text, name, helper.length) == 0;
}

static gboolean
is_in_url(const Watch *watch)
{
    const Html *html = &watch->html;
    if (!watch->is_html)
        return html->is_in_url;
    return html->place == IN_VALUE && html->value_bytes && is_url_attribute(html->word);
}

static void
watch_html_print(Watch *watch, gsize offset, MrgSlice helper, gboolean is_raw)
{
    const Html *html = &watch->html;
    if (html->raw && strcmp(html->raw, "script") == 0 && !is_helper(helper, "jsstr") &&
        !is_helper(helper, "json"))
        remark(watch, offset, "a value in a script, without jsstr or json");
    else if (html->raw && strcmp(html->raw, "style") == 0 && !is_helper(helper, "css"))
        remark(watch, offset, "a value in a style sheet, without css");
    else if (html->place == IN_TAG || (html->place == IN_VALUE && !html->quote))
        remark(watch, offset, "a value in a tag, not in an attribute with quotes");
    else if (is_raw && !is_helper(helper, "json"))
        remark(watch, offset,
               "a value that is not escaped: markup in it becomes part of the mail");
}

/* A tag that prints; helper is empty where none is called. */
static void
watch_print(Watch *watch, gsize offset, MrgSlice helper, gboolean is_raw)
{
    if (watch->is_html)
        watch_html_print(watch, offset, helper, is_raw);
    if (is_in_url(watch) && !is_url_safe(helper))
        remark(watch, offset, "a value in a URL, without urlencode");
    watch->html.value_bytes++;
}

/* {Name}, which would be a token if there were such a field. */
static gsize
token_length(MrgSlice text, gsize at)
{
    gsize end = at + 1;
    while (end < text.length && end - at < MRG_LIMIT_NAME_BYTES &&
           (g_ascii_isalnum(text.text[end]) || text.text[end] == '_'))
        end++;
    if (end == at + 1 || end == text.length || g_ascii_isdigit(text.text[at + 1]))
        return 0;
    if (text.text[end] == '|')
        while (end < text.length && !strchr("{}\r\n", text.text[end]))
            end++;
    return end < text.length && text.text[end] == '}' ? end + 1 - at : 0;
}

static void
watch_text(Watch *watch, MrgSlice text)
{
    gsize offset = (gsize) (text.text - watch->source->text), length;
    gsize done = 0;
    for (gsize at = 0; at < text.length; at++) {
        if (text.text[at] != '{' || !(length = token_length(text, at)))
            continue;
        MrgSlice before = {text.text + done, at - done};
        if (watch->is_html)
            follow_html(&watch->html, before);
        done = at;
        if (!watch->html.raw && !(at && text.text[at - 1] == '{'))
            remark(watch, offset + at, "%s looks like a token, but there is no such field",
                   mrg_quote(text.text + at, length).text);
    }
    MrgSlice rest = {text.text + done, text.length - done};
    if (watch->is_html)
        follow_html(&watch->html, rest);
    else
        follow_plain(&watch->html, text);
}

/* ---- the dialects ---- */

/* Text that may hold single-brace tokens. */
static void
watch_singles(Watch *watch, MrgSingles *singles, MrgSlice text)
{
    MrgSingle found;
    gsize at = 0, offset = (gsize) (text.text - watch->source->text);
    while (mrg_singles_next(singles, text, at, &found)) {
        watch_text(watch, (MrgSlice){text.text + at, found.start - at});
        watch_print(watch, offset + found.start, (MrgSlice){"", 0}, FALSE);
        at = found.end;
    }
    watch_text(watch, (MrgSlice){text.text + at, text.length - at});
}

static void watch_body(Watch *watch, const MrgBody *body);

/* Either branch begins where the block does. */
static void
watch_block(Watch *watch, const MrgBlock *block)
{
    const Html before = watch->html;
    watch_body(watch, block->program);
    if (!block->inverse)
        return;
    const Html after = watch->html;
    watch->html = before;
    watch_body(watch, block->inverse);
    if (block->program)
        watch->html = after;
}

static void
watch_call(Watch *watch, const MrgNode *node)
{
    const MrgCall *call = node->call;
    gboolean has_helper = call->n_args + call->n_named && call->head->n_segments == 1;
    MrgSlice helper = has_helper ? call->head->segments[0] : (MrgSlice){"", 0};
    if (!has_helper && call->head->is_data)
        helper = (MrgSlice){"length", 6}; /* @index and its like are as harmless */
    watch_print(watch, node->offset, helper, node->is_raw);
}

static void
watch_body(Watch *watch, const MrgBody *body)
{
    for (const MrgNode *node = body ? body->first : NULL; node; node = node->next) {
        if (node->type == MRG_NODE_CONTENT)
            watch_text(watch, node->original);
        else if (node->type == MRG_NODE_PRINT)
            watch_call(watch, node);
        else if (node->type == MRG_NODE_SINGLE)
            watch_print(watch, node->offset, (MrgSlice){"", 0}, FALSE);
        else if (node->block)
            watch_block(watch, node->block);
    }
}

static void
watch_handlebars(Watch *watch, MrgArena *arena)
{
    const MrgCompilation compilation = {
        .source = watch->source, .arena = arena, .declared = watch->declared};
    watch_body(watch, mrg_handlebars_parse(&compilation));
}

static void
watch_mustache(Watch *watch, MrgArena *arena)
{
    const MrgMustacheToken *token = mrg_mustache_scan(watch->source, arena);
    MrgSingles singles = {.declared = watch->declared, .is_html = watch->is_html};
    for (; token && token->type != MRG_MUSTACHE_END; token++) {
        if (token->type == MRG_MUSTACHE_TEXT)
            watch_singles(watch, &singles, token->slice);
        else if (token->type == MRG_MUSTACHE_PRINT || token->type == MRG_MUSTACHE_RAW)
            watch_print(watch, token->offset, (MrgSlice){"", 0},
                        token->type == MRG_MUSTACHE_RAW);
    }
}

GArray *
mrg_template_remarks(const MrgTemplate *template, const MrgCompileOptions *options)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GHashTable) declared = mrg_singles_fold(options->declared);
    g_autoptr(GError) error = NULL;
    g_auto(MrgSource) source = {0};
    GArray *remarks = g_array_new(FALSE, FALSE, sizeof(MrgRemark));
    g_array_set_clear_func(remarks, clear_remark);
    Watch watch = {.source = &source,
                   .remarks = remarks,
                   .declared = declared,
                   .is_html = template->escape == MRG_ESCAPE_HTML};
    if (!mrg_source_init(&source, template, &error))
        return remarks;
    MrgSingles singles = {.declared = declared, .is_html = watch.is_html};
    switch (template->dialect) {
    case MRG_DIALECT_HANDLEBARS:
        watch_handlebars(&watch, arena);
        break;
    case MRG_DIALECT_MUSTACHE:
        watch_mustache(&watch, arena);
        break;
    case MRG_DIALECT_TOKENS:
        watch_singles(&watch, &singles, (MrgSlice){template->text, template->length});
        break;
    }
    return remarks;
}
