/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/limits.h"
#include "render/mustache.h"

typedef struct Delimiter {
    char text[MRG_LIMIT_DELIMITER_BYTES];
    gsize length;
} Delimiter;

typedef struct Scanner {
    MrgSource *source;
    GArray *tokens; /* MrgMustacheToken */
    gsize at;
    guint line, tags;
    Delimiter open, close;
} Scanner;

static gboolean
fail(Scanner *scanner, gsize offset, const char *message)
{
    return mrg_source_fail(scanner->source, offset, MRG_RENDER_ERROR_SYNTAX, "%s", message);
}

static void
add(Scanner *scanner, MrgMustacheType type, gsize offset, MrgSlice slice)
{
    MrgMustacheToken token = {.type = type,
                              .offset = offset,
                              .slice = slice,
                              .line = scanner->line,
                              .indent = {"", 0}};
    g_array_append_val(scanner->tokens, token);
}

/* Where the delimiter stands next; the end of the text when it does not. */
static gsize
find(const Scanner *scanner, gsize at, const char *text, gsize length)
{
    const MrgSource *source = scanner->source;
    const char *found = memmem(source->text + at, source->length - at, text, length);
    return found ? (gsize) (found - source->text) : source->length;
}

static void
scan_text(Scanner *scanner, gsize end)
{
    const char *text = scanner->source->text;
    while (scanner->at < end) {
        const char *newline = memchr(text + scanner->at, '\n', end - scanner->at);
        gsize next = newline ? (gsize) (newline + 1 - text) : end;
        add(scanner, MRG_MUSTACHE_TEXT, scanner->at,
            (MrgSlice){text + scanner->at, next - scanner->at});
        scanner->line += newline != NULL;
        scanner->at = next;
    }
}

static gsize
first_space(MrgSlice slice)
{
    gsize at = 0;
    while (at < slice.length && !mrg_space_first(slice.text + at, slice.length - at))
        at++;
    return at;
}

static gboolean
set_delimiter(Delimiter *delimiter, MrgSlice slice)
{
    if (!slice.length || slice.length > sizeof delimiter->text ||
        memchr(slice.text, '=', slice.length) || first_space(slice) < slice.length)
        return FALSE;
    memcpy(delimiter->text, slice.text, slice.length);
    delimiter->length = slice.length;
    return TRUE;
}

/* The inside of {{=<% %>=}}, without the first =. */
static gboolean
set_delimiters(Scanner *scanner, gsize offset, MrgSlice inside)
{
    inside = mrg_slice_trim(inside);
    if (inside.length && inside.text[inside.length - 1] == '=') {
        MrgSlice both = mrg_slice_trim((MrgSlice){inside.text, inside.length - 1});
        gsize space = first_space(both);
        MrgSlice close = mrg_slice_trim((MrgSlice){both.text + space, both.length - space});
        if (set_delimiter(&scanner->open, (MrgSlice){both.text, space}) &&
            set_delimiter(&scanner->close, close))
            return TRUE;
    }
    return fail(scanner, offset, "new delimiters read {{=<% %>=}}");
}

static MrgMustacheType
type_of(char sigil)
{
    static const struct {
        char sigil;
        MrgMustacheType type;
    } types[] = {
        {'!', MRG_MUSTACHE_SILENT},  {'=', MRG_MUSTACHE_SILENT},
        {'{', MRG_MUSTACHE_RAW},     {'&', MRG_MUSTACHE_RAW},
        {'#', MRG_MUSTACHE_SECTION}, {'^', MRG_MUSTACHE_INVERTED},
        {'/', MRG_MUSTACHE_CLOSE},   {'>', MRG_MUSTACHE_PARTIAL},
        {'<', MRG_MUSTACHE_PARENT},  {'$', MRG_MUSTACHE_BLOCK},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i].sigil == sigil)
            return types[i].type;
    return MRG_MUSTACHE_PRINT;
}

static gboolean
check_name(Scanner *scanner, gsize offset, MrgSlice name)
{
    if (!name.length)
        return fail(scanner, offset, "a name is missing here");
    if (name.length > MRG_LIMIT_NAME_BYTES)
        return mrg_source_fail(scanner->source, offset, MRG_RENDER_ERROR_LIMIT,
                               "the name has more bytes than %u", MRG_LIMIT_NAME_BYTES);
    if (first_space(name) < name.length)
        return fail(scanner, offset, "a name of this dialect has no white space in it");
    return TRUE;
}

/* {{> * name}} is {{>*name}}. */
static MrgSlice
join_star(MrgSlice name, MrgArena *arena)
{
    if (name.length < 2 || name.text[0] != '*' ||
        !mrg_space_first(name.text + 1, name.length - 1))
        return name;
    MrgSlice rest = mrg_slice_trim((MrgSlice){name.text + 1, name.length - 1});
    char *copy = mrg_arena_alloc(arena, rest.length + 1);
    copy[0] = '*';
    memcpy(copy + 1, rest.text, rest.length);
    return (MrgSlice){copy, rest.length + 1};
}

static gsize
skip_space(const MrgSource *source, gsize at)
{
    gsize n;
    while ((n = mrg_space_first(source->text + at, source->length - at)))
        at += n;
    return at;
}

/* White space may stand before the sigil, as mustache.js has it: {{ #name }}. */
static gboolean
scan_tag(Scanner *scanner, MrgArena *arena)
{
    const MrgSource *source = scanner->source;
    gsize offset = scanner->at, start = skip_space(source, offset + scanner->open.length);
    char sigil = start < source->length ? source->text[start] : '\0';
    MrgMustacheType type = type_of(sigil);
    char end_text[MRG_LIMIT_DELIMITER_BYTES + 1] = "}";
    gsize n_brace = sigil == '{', n_end = n_brace + scanner->close.length;
    memcpy(end_text + n_brace, scanner->close.text, scanner->close.length);
    gsize inside = start + (type != MRG_MUSTACHE_PRINT);
    gsize from = MIN(inside, source->length);
    if (sigil == '=') /* {{={{ }}=}} holds its own end */
        from = find(scanner, from, "=", 1);
    gsize end = find(scanner, from, end_text, n_end);
    if (++scanner->tags > MRG_LIMIT_TAGS)
        return mrg_source_fail(scanner->source, offset, MRG_RENDER_ERROR_LIMIT,
                               "there are more tags than %u", MRG_LIMIT_TAGS);
    if (end == source->length)
        return fail(scanner, offset, "the tag is not closed");
    MrgSlice slice = {source->text + inside, end - inside};
    for (gsize i = offset; i < end; i++)
        scanner->line += source->text[i] == '\n';
    scanner->at = end + n_end;
    if (sigil == '=' && !set_delimiters(scanner, offset, slice))
        return FALSE;
    if (type != MRG_MUSTACHE_SILENT) {
        slice = join_star(mrg_slice_trim(slice), arena);
        if (!check_name(scanner, inside, slice))
            return FALSE;
    }
    add(scanner, type, offset, slice);
    return TRUE;
}

/* ---- lines ---- */

static gboolean
is_blank(const MrgMustacheToken *token)
{
    return token->type == MRG_MUSTACHE_TEXT && !mrg_slice_trim(token->slice).length;
}

/* Whether such a tag leaves no trace on a line of its own. */
static gboolean
may_stand_alone(const MrgMustacheToken *token)
{
    return token->type >= MRG_MUSTACHE_SILENT && token->type != MRG_MUSTACHE_PRINT &&
           token->type != MRG_MUSTACHE_RAW;
}

static gboolean
is_same_name(const MrgMustacheToken *a, const MrgMustacheToken *b)
{
    return a->slice.length == b->slice.length &&
           memcmp(a->slice.text, b->slice.text, a->slice.length) == 0;
}

/* {{$name}}{{/name}} and nothing else: its lines are indented by what stands before it,
 * but the newline behind it is the line's own. */
static gboolean
is_block_alone(const MrgMustacheToken *tokens, gsize n)
{
    const MrgMustacheToken *tags[2];
    gsize n_tags = 0;
    for (gsize i = 0; i < n; i++) {
        if (tokens[i].type == MRG_MUSTACHE_TEXT)
            continue;
        if (n_tags == 2)
            return FALSE;
        tags[n_tags++] = &tokens[i];
    }
    return n_tags == 2 && tags[0]->type == MRG_MUSTACHE_BLOCK &&
           tags[1]->type == MRG_MUSTACHE_CLOSE && is_same_name(tags[0], tags[1]);
}

static MrgSlice
leading_blank(const MrgMustacheToken *tokens)
{
    return tokens[0].type == MRG_MUSTACHE_TEXT ? tokens[0].slice : (MrgSlice){"", 0};
}

static void
mark_line(MrgMustacheToken *tokens, gsize n)
{
    guint n_tags = 0, n_partials = 0;
    gboolean is_standalone = TRUE;
    for (gsize i = 0; i < n; i++) {
        n_tags += may_stand_alone(&tokens[i]);
        n_partials += tokens[i].type == MRG_MUSTACHE_PARTIAL;
        is_standalone &= may_stand_alone(&tokens[i]) || is_blank(&tokens[i]);
    }
    /* A partial prints something, so white space between it and another tag counts. */
    gboolean has_tag = n_tags == 1 || (n_tags && !n_partials);
    MrgSlice indent = leading_blank(tokens);
    gsize first_tag = tokens[0].type == MRG_MUSTACHE_TEXT;
    gboolean is_alone = has_tag && is_standalone && is_block_alone(tokens, n);
    if (!has_tag || !is_standalone || is_alone) {
        tokens[0].begins_line = TRUE;
        if (is_alone)
            tokens[first_tag].indent = indent;
        return;
    }
    for (gsize i = 0; i < n; i++) {
        tokens[i].is_standalone = TRUE;
        if (tokens[i].type == MRG_MUSTACHE_TEXT)
            tokens[i].slice.length = 0;
    }
    tokens[first_tag].indent = indent;
}

/* A tag may span lines; it counts for the one it ends on. */
static void
mark_lines(GArray *array)
{
    MrgMustacheToken *tokens = (MrgMustacheToken *) (gpointer) array->data;
    for (gsize start = 0, end; start < array->len; start = end) {
        for (end = start + 1; end < array->len; end++) {
            MrgSlice before = tokens[end - 1].slice;
            if (tokens[end - 1].type == MRG_MUSTACHE_TEXT &&
                before.text[before.length - 1] == '\n')
                break;
        }
        mark_line(tokens + start, end - start);
    }
}

MrgMustacheToken *
mrg_mustache_scan(MrgSource *source, MrgArena *arena)
{
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(MrgMustacheToken));
    Scanner scanner = {
        .source = source, .tokens = tokens, .open = {"{{", 2}, .close = {"}}", 2}};
    while (scanner.at < source->length) {
        scan_text(&scanner,
                  find(&scanner, scanner.at, scanner.open.text, scanner.open.length));
        if (scanner.at < source->length && !scan_tag(&scanner, arena))
            return NULL;
    }
    mark_lines(tokens);
    add(&scanner, MRG_MUSTACHE_END, source->length, (MrgSlice){"", 0});
    return (gpointer) mrg_arena_dup(arena, (const char *) tokens->data,
                                    tokens->len * sizeof(MrgMustacheToken));
}
