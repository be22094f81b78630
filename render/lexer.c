/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/lexer.h"
#include "render/limits.h"

void
mrg_lexer_init(MrgLexer *lexer, MrgSource *source, MrgArena *arena)
{
    *lexer = (MrgLexer){.source = source, .arena = arena};
}

static gboolean
fail(MrgLexer *lexer, gsize offset, const char *message)
{
    return mrg_source_fail(lexer->source, offset, MRG_RENDER_ERROR_SYNTAX, "%s", message);
}

/* NUL behind the end, so that looking ahead needs no bounds. */
static char
peek(const MrgLexer *lexer, gsize at)
{
    return at < lexer->source->length ? lexer->source->text[at] : '\0';
}

static gboolean
looking_at(const MrgLexer *lexer, gsize at, const char *word)
{
    gsize n = strlen(word);
    return lexer->source->length - MIN(at, lexer->source->length) >= n &&
           memcmp(lexer->source->text + at, word, n) == 0;
}

static gsize
skip_space(const MrgLexer *lexer, gsize at)
{
    gsize n;
    while ((n = mrg_space_first(lexer->source->text + at, lexer->source->length - at)))
        at += n;
    return at;
}

/* The first "{{" at or behind at; the end of the text when there is none. */
static gsize
find_open(const MrgLexer *lexer, gsize at)
{
    const MrgSource *source = lexer->source;
    while (at + 1 < source->length) {
        const char *brace = memchr(source->text + at, '{', source->length - at - 1);
        if (!brace)
            break;
        if (brace[1] == '{')
            return (gsize) (brace - source->text);
        at = (gsize) (brace + 1 - source->text);
    }
    return source->length;
}

static gsize
backslashes_before(const MrgLexer *lexer, gsize at, gsize start)
{
    gsize n = 0;
    while (n < 2 && at - n > start && lexer->source->text[at - n - 1] == '\\')
        n++;
    return n;
}

static void
set_content(MrgLexer *lexer, MrgToken *token, gsize start, gsize end)
{
    token->type = MRG_TOKEN_CONTENT;
    token->offset = start;
    token->slice = (MrgSlice){lexer->source->text + start, end - start};
}

/* Text that an escape begins reaches to the next tag, escaped or not. */
static void
lex_escaped(MrgLexer *lexer, MrgToken *token)
{
    gsize start = lexer->at, least = start + 2;
    gsize end = find_open(lexer, least);
    if (end < lexer->source->length)
        end -= backslashes_before(lexer, end, least);
    set_content(lexer, token, start, end);
    token->is_escaped = TRUE;
    lexer->is_escaped = FALSE;
    lexer->at = end;
}

/* TRUE when there is text in front of the next tag. */
static gboolean
lex_content(MrgLexer *lexer, MrgToken *token)
{
    gsize start = lexer->at, open = find_open(lexer, start), end = open;
    if (open < lexer->source->length) {
        /* \{{ is text and \\{{ a backslash in front of a tag. */
        gsize backslashes = backslashes_before(lexer, open, start);
        end -= backslashes > 0;
        lexer->is_escaped = backslashes == 1;
    }
    lexer->at = open;
    set_content(lexer, token, start, end);
    return end > start;
}

static gboolean
lex_comment(MrgLexer *lexer, MrgToken *token, gsize bang)
{
    const MrgSource *source = lexer->source;
    gboolean is_long = looking_at(lexer, bang, "!--");
    gsize at = bang + 1;
    for (; at < source->length; at++) {
        const char *close = memchr(source->text + at, '}', source->length - at);
        if (!close)
            break;
        at = (gsize) (close - source->text);
        gboolean strips = close[-1] == '~';
        gsize dashes = at - (strips ? 3 : 2);
        if (peek(lexer, at + 1) != '}' ||
            (is_long && (dashes <= bang || !looking_at(lexer, dashes, "--"))))
            continue;
        token->type = MRG_TOKEN_COMMENT;
        token->has_right_strip = strips;
        lexer->at = at + 2;
        lexer->is_in_tag = FALSE;
        return TRUE;
    }
    return fail(lexer, lexer->tag, "the comment is not closed");
}

/* {{^}} or {{else}}, whose inside ends at at: whole when only }} follows. */
static gboolean
closes_here(MrgLexer *lexer, MrgToken *token, gsize at)
{
    at = skip_space(lexer, at);
    gboolean strips = peek(lexer, at) == '~';
    if (!looking_at(lexer, at + strips, "}}"))
        return FALSE;
    token->type = MRG_TOKEN_INVERSE;
    token->has_right_strip = strips;
    lexer->at = at + strips + 2;
    lexer->is_in_tag = FALSE;
    return TRUE;
}

static gboolean
lex_else(MrgLexer *lexer, MrgToken *token, gsize at)
{
    at = skip_space(lexer, at);
    if (!looking_at(lexer, at, "else"))
        return FALSE;
    at += 4;
    if (closes_here(lexer, token, at))
        return TRUE;
    if (skip_space(lexer, at) == at)
        return FALSE;
    token->type = MRG_TOKEN_OPEN_CHAIN;
    lexer->at = at;
    return TRUE;
}

static gboolean
open_as(MrgLexer *lexer, MrgToken *token, MrgTokenType type, gsize at)
{
    token->type = type;
    lexer->at = at;
    return TRUE;
}

static gboolean
lex_open_hash(MrgLexer *lexer, MrgToken *token, gsize at)
{
    if (peek(lexer, at + 1) == '>')
        return open_as(lexer, token, MRG_TOKEN_OPEN_PARTIAL_BLOCK, at + 2);
    if (peek(lexer, at + 1) == '*')
        return open_as(lexer, token, MRG_TOKEN_OPEN_DECORATOR_BLOCK, at + 2);
    return open_as(lexer, token, MRG_TOKEN_OPEN_BLOCK, at + 1);
}

static gboolean
lex_open(MrgLexer *lexer, MrgToken *token)
{
    gsize at = lexer->at + 2;
    lexer->tag = token->offset = lexer->at;
    lexer->is_in_tag = TRUE;
    lexer->opens_raw = looking_at(lexer, lexer->at, "{{{{");
    if (lexer->opens_raw)
        return open_as(lexer, token, MRG_TOKEN_OPEN_RAW, lexer->at + 4);
    token->has_left_strip = peek(lexer, at) == '~';
    at += token->has_left_strip;
    switch (peek(lexer, at)) {
    case '!':
        return lex_comment(lexer, token, at);
    case '#':
        return lex_open_hash(lexer, token, at);
    case '>':
        return open_as(lexer, token, MRG_TOKEN_OPEN_PARTIAL, at + 1);
    case '*':
        return open_as(lexer, token, MRG_TOKEN_OPEN_DECORATOR, at + 1);
    case '{':
        return open_as(lexer, token, MRG_TOKEN_OPEN_UNESCAPED, at + 1);
    case '&':
        token->is_raw = TRUE;
        return open_as(lexer, token, MRG_TOKEN_OPEN, at + 1);
    case '/':
        return open_as(lexer, token, MRG_TOKEN_OPEN_END, at + 1);
    case '^':
        return closes_here(lexer, token, at + 1) ||
               open_as(lexer, token, MRG_TOKEN_OPEN_INVERSE, at + 1);
    default:
        return lex_else(lexer, token, at) || open_as(lexer, token, MRG_TOKEN_OPEN, at);
    }
}

/* Where the closing character stands that no backslash escapes.  A name in which all are
 * escaped ends at the first of them, since handlebars.js takes [a\\] for one that ends in
 * a backslash; a name that is too long is not looked through to its end. */
static gsize
find_close(const MrgLexer *lexer, gsize at, char close)
{
    gsize length = lexer->source->length, escaped = length, end = length;
    if (close == ']')
        end = MIN(length, at + 2 * (MRG_LIMIT_NAME_BYTES + 1));
    for (; at < end && lexer->source->text[at] != close; at++) {
        if (lexer->source->text[at] != '\\' || peek(lexer, at + 1) != close)
            continue;
        at++;
        if (close == ']')
            escaped = MIN(escaped, at);
    }
    return at < end ? at : escaped;
}

/* A string, or a name in brackets: everything up to the closing character, which a
 * backslash may escape. */
static gboolean
lex_quoted(MrgLexer *lexer, MrgToken *token, char close)
{
    const char *text = lexer->source->text;
    gsize start = lexer->at + 1, end = find_close(lexer, start, close), n = 0;
    if (end >= lexer->source->length)
        return fail(lexer, lexer->at,
                    close == ']' ? "the [name] is not closed" : "the string is not closed");
    char *copy = mrg_arena_alloc(lexer->arena, end - start + 1);
    for (gsize i = start; i < end; i++) {
        gboolean is_escape = text[i] == '\\' && (text[i + 1] == close ||
                                                 (close == ']' && text[i + 1] == '\\'));
        copy[n++] = text[is_escape && i + 1 < end ? ++i : i];
    }
    token->slice = (MrgSlice){copy, n};
    token->type = close == ']' ? MRG_TOKEN_NAME : MRG_TOKEN_STRING;
    token->is_literal = close == ']';
    lexer->at = end + 1;
    return TRUE;
}

static gboolean
is_name_byte(char c)
{
    return c & 0x80 || (g_ascii_isgraph(c) && !strchr("!\"#%&'()*+,./;<=>@[\\]^`{|}~", c));
}

static gsize
name_end(const MrgLexer *lexer, gsize at)
{
    const MrgSource *source = lexer->source;
    while (at < source->length && is_name_byte(source->text[at]) &&
           !mrg_space_first(source->text + at, source->length - at))
        at++;
    return at;
}

static gboolean
is_delimiter(const MrgLexer *lexer, gsize at, const char *delimiters)
{
    char c = peek(lexer, at);
    return (c && strchr(delimiters, c)) ||
           mrg_space_first(lexer->source->text + at, lexer->source->length - at);
}

static gsize
digits_end(const MrgLexer *lexer, gsize at)
{
    while (g_ascii_isdigit(peek(lexer, at)))
        at++;
    return at;
}

/* -?[0-9]+(\.[0-9]+)? with a delimiter behind it; 0 when there is no number here. */
static gsize
number_end(const MrgLexer *lexer, gsize at)
{
    gsize start = at + (peek(lexer, at) == '-');
    gsize end = digits_end(lexer, start);
    if (end == start)
        return 0;
    if (peek(lexer, end) == '.' && g_ascii_isdigit(peek(lexer, end + 1)))
        end = digits_end(lexer, end + 1);
    return is_delimiter(lexer, end, "~})") ? end : 0;
}

static MrgTokenType
keyword(MrgSlice name)
{
    static const struct {
        const char *word;
        MrgTokenType type;
    } keywords[] = {{"true", MRG_TOKEN_TRUE},
                    {"false", MRG_TOKEN_FALSE},
                    {"null", MRG_TOKEN_NULL},
                    {"undefined", MRG_TOKEN_UNDEFINED}};
    for (gsize i = 0; i < G_N_ELEMENTS(keywords); i++)
        if (strlen(keywords[i].word) == name.length &&
            memcmp(keywords[i].word, name.text, name.length) == 0)
            return keywords[i].type;
    return MRG_TOKEN_NAME;
}

static gboolean
lex_params(MrgLexer *lexer, MrgToken *token)
{
    if (!looking_at(lexer, lexer->at, "as"))
        return FALSE;
    gsize at = skip_space(lexer, lexer->at + 2);
    if (at == lexer->at + 2 || peek(lexer, at) != '|')
        return FALSE;
    return open_as(lexer, token, MRG_TOKEN_OPEN_PARAMS, at + 1);
}

static gboolean
lex_word(MrgLexer *lexer, MrgToken *token)
{
    gboolean is_segment = lexer->last == MRG_TOKEN_SEPARATOR;
    gsize start = lexer->at;
    gsize end = is_segment ? 0 : number_end(lexer, start);
    if (!end && lex_params(lexer, token))
        return TRUE;
    token->type = end ? MRG_TOKEN_NUMBER : MRG_TOKEN_NAME;
    if (!end)
        end = name_end(lexer, start);
    gboolean is_last = end == lexer->source->length;
    if (is_last && !lexer->is_expression)
        return fail(lexer, lexer->tag, "the tag is not closed");
    if (end == start || (!is_last && !is_delimiter(lexer, end, "=~}/.)|")))
        return mrg_source_fail(
            lexer->source, end, MRG_RENDER_ERROR_SYNTAX, "unexpected '%s'",
            mrg_quote(lexer->source->text + end, MIN(1, lexer->source->length - end)).text);
    token->slice = (MrgSlice){lexer->source->text + start, end - start};
    if (token->type == MRG_TOKEN_NAME && !is_segment && is_delimiter(lexer, end, "~})"))
        token->type = keyword(token->slice);
    lexer->at = end;
    return TRUE;
}

/* {{{{/name}}}} at at: where the name ends, or 0. */
static gsize
raw_end_name(const MrgLexer *lexer, gsize at)
{
    gsize start = at + 5, end = name_end(lexer, start);
    return end > start && looking_at(lexer, end, "}}}}") ? end : 0;
}

/* Everything up to the end of the raw block, the ones inside it included. */
static gboolean
lex_raw(MrgLexer *lexer, MrgToken *token)
{
    gsize start = lexer->at, at = start, end = start;
    guint depth = 1;
    for (; (at = find_open(lexer, at)) < lexer->source->length; at++) {
        if (!looking_at(lexer, at, "{{{{"))
            continue;
        if (peek(lexer, at + 4) != '/') {
            depth++;
            at += 3;
        } else if ((end = raw_end_name(lexer, at)) && --depth == 0) {
            break;
        }
    }
    if (at >= lexer->source->length)
        return fail(lexer, lexer->tag, "the raw block is not closed");
    if (at > start) {
        set_content(lexer, token, start, at);
        lexer->at = at;
        return TRUE;
    }
    token->slice = (MrgSlice){lexer->source->text + at + 5, end - at - 5};
    lexer->is_raw = FALSE;
    return open_as(lexer, token, MRG_TOKEN_END_RAW, end + 4);
}

static gboolean
lex_close(MrgLexer *lexer, MrgToken *token)
{
    gsize at = lexer->at;
    if (lexer->opens_raw && looking_at(lexer, at, "}}}}")) {
        lexer->is_in_tag = lexer->opens_raw = FALSE;
        lexer->is_raw = TRUE;
        return open_as(lexer, token, MRG_TOKEN_CLOSE_RAW, at + 4);
    }
    gboolean is_unescaped = peek(lexer, at) == '}' && (looking_at(lexer, at + 1, "}}") ||
                                                       looking_at(lexer, at + 1, "~}}"));
    at += is_unescaped;
    token->has_right_strip = peek(lexer, at) == '~';
    at += token->has_right_strip;
    if (!looking_at(lexer, at, "}}"))
        return mrg_source_fail(lexer->source, lexer->at, MRG_RENDER_ERROR_SYNTAX,
                               "unexpected '%c'", peek(lexer, lexer->at));
    token->type = is_unescaped ? MRG_TOKEN_CLOSE_UNESCAPED : MRG_TOKEN_CLOSE;
    lexer->is_in_tag = FALSE;
    lexer->at = at + 2;
    return TRUE;
}

static gboolean
lex_dots(MrgLexer *lexer, MrgToken *token)
{
    gsize at = lexer->at;
    gsize n = looking_at(lexer, at, "..") ? 2 : 1;
    if (n == 1 && !is_delimiter(lexer, at + 1, "=~}/.)|"))
        return open_as(lexer, token, MRG_TOKEN_SEPARATOR, at + 1);
    token->slice = (MrgSlice){lexer->source->text + at, n};
    return open_as(lexer, token, MRG_TOKEN_NAME, at + n);
}

static gboolean
lex_tag(MrgLexer *lexer, MrgToken *token)
{
    lexer->at = skip_space(lexer, lexer->at);
    token->offset = lexer->at;
    if (lexer->at >= lexer->source->length)
        return lexer->is_expression || fail(lexer, lexer->tag, "the tag is not closed");
    switch (peek(lexer, lexer->at)) {
    case '}':
    case '~':
        return lex_close(lexer, token);
    case '"':
    case '\'':
        return lex_quoted(lexer, token, peek(lexer, lexer->at));
    case '[':
        return lex_quoted(lexer, token, ']');
    case '.':
        return lex_dots(lexer, token);
    case '/':
        return open_as(lexer, token, MRG_TOKEN_SEPARATOR, lexer->at + 1);
    case '(':
        return open_as(lexer, token, MRG_TOKEN_OPEN_CALL, lexer->at + 1);
    case ')':
        return open_as(lexer, token, MRG_TOKEN_CLOSE_CALL, lexer->at + 1);
    case '=':
        return open_as(lexer, token, MRG_TOKEN_EQUALS, lexer->at + 1);
    case '|':
        return open_as(lexer, token, MRG_TOKEN_PIPE, lexer->at + 1);
    case '@':
        return open_as(lexer, token, MRG_TOKEN_DATA, lexer->at + 1);
    default:
        return lex_word(lexer, token);
    }
}

gboolean
mrg_lexer_next(MrgLexer *lexer, MrgToken *token)
{
    *token = (MrgToken){.type = MRG_TOKEN_END, .offset = lexer->at};
    gboolean is_good = TRUE;
    if (lexer->is_in_tag)
        is_good = lex_tag(lexer, token);
    else if (lexer->is_raw)
        is_good = lex_raw(lexer, token);
    else if (lexer->is_escaped)
        lex_escaped(lexer, token);
    else if (lex_content(lexer, token))
        is_good = TRUE;
    else if (lexer->is_escaped)
        lex_escaped(lexer, token);
    else if (lexer->at < lexer->source->length)
        is_good = lex_open(lexer, token);
    else
        token->type = MRG_TOKEN_END;
    lexer->last = token->type;
    return is_good;
}
