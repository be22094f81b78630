/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/dialect.h"
#include "render/lexer.h"
#include "render/limits.h"
#include "render/singles.h"

/* A parser by recursive descent; how deep it goes is bounded by limits.h. */
typedef struct Parser {
    MrgSource *source;
    MrgArena *arena;
    MrgLexer lexer;
    MrgToken token; /* the one in hand */
    MrgSingles singles;
    guint blocks, chain, calls; /* depth */
    guint tags;
} Parser;

static gboolean
fail(Parser *parser, gsize offset, const char *message)
{
    return mrg_source_fail(parser->source, offset, MRG_RENDER_ERROR_SYNTAX, "%s", message);
}

static gboolean
fail_limit(Parser *parser, gsize offset, const char *what, guint limit)
{
    return mrg_source_fail(parser->source, offset, MRG_RENDER_ERROR_LIMIT, "%s than %u",
                           what, limit);
}

static gboolean
advance(Parser *parser)
{
    return mrg_lexer_next(&parser->lexer, &parser->token);
}

static gboolean
is_at(const Parser *parser, MrgTokenType type)
{
    return parser->token.type == type;
}

static gboolean
slice_is(MrgSlice slice, const char *word)
{
    return slice.length == strlen(word) && memcmp(slice.text, word, slice.length) == 0;
}

/* ---- paths and arguments ---- */

static MrgExpr *
new_expr(Parser *parser, MrgExprType type)
{
    MrgExpr *expr = mrg_arena_alloc0(parser->arena, sizeof *expr);
    expr->type = type;
    expr->offset = parser->token.offset;
    return expr;
}

static gboolean
add_segment(Parser *parser, MrgExpr *path)
{
    const MrgToken *token = &parser->token;
    gboolean is_this = slice_is(token->slice, ".") || slice_is(token->slice, "this");
    gboolean is_up = slice_is(token->slice, "..");
    if (!token->is_literal && (is_this || is_up)) {
        if (path->n_segments)
            return fail(parser, token->offset,
                        "'this' and '..' stand at the start of a path");
        path->is_scoped = TRUE;
        path->up += is_up;
        return path->up <= MRG_LIMIT_PATH_UP ||
               fail_limit(parser, token->offset, "the path has more ../",
                          MRG_LIMIT_PATH_UP);
    }
    if (path->n_segments == MRG_LIMIT_PATH_SEGMENTS)
        return fail_limit(parser, token->offset, "the path has more names",
                          MRG_LIMIT_PATH_SEGMENTS);
    if (token->slice.length > MRG_LIMIT_NAME_BYTES)
        return fail_limit(parser, token->offset, "the name has more bytes",
                          MRG_LIMIT_NAME_BYTES);
    path->segments[path->n_segments++] = token->slice;
    return TRUE;
}

static void
append_original(GString *original, const Parser *parser)
{
    const MrgToken *token = &parser->token;
    if (token->type == MRG_TOKEN_NAME)
        g_string_append_len(original, token->slice.text, (gssize) token->slice.length);
    else
        g_string_append_c(original, parser->source->text[token->offset]);
}

static MrgExpr *
parse_path(Parser *parser)
{
    MrgExpr *path = new_expr(parser, MRG_EXPR_PATH);
    MrgSlice segments[MRG_LIMIT_PATH_SEGMENTS];
    g_autoptr(GString) original = g_string_new(NULL);
    path->segments = segments;
    if (is_at(parser, MRG_TOKEN_DATA)) {
        path->is_data = TRUE;
        append_original(original, parser);
        if (!advance(parser))
            return NULL;
    }
    for (;;) {
        if (!is_at(parser, MRG_TOKEN_NAME)) {
            fail(parser, parser->token.offset, "a name is missing here");
            return NULL;
        }
        append_original(original, parser);
        if (!add_segment(parser, path) || !advance(parser))
            return NULL;
        if (!is_at(parser, MRG_TOKEN_SEPARATOR))
            break;
        append_original(original, parser);
        if (!advance(parser))
            return NULL;
    }
    path->original = (MrgSlice){mrg_arena_dup(parser->arena, original->str, original->len),
                                original->len};
    path->segments = mrg_arena_array(parser->arena, MrgSlice, path->n_segments);
    if (path->n_segments)
        memcpy(path->segments, segments, sizeof(MrgSlice) * path->n_segments);
    return path;
}

static MrgValue
literal_value(Parser *parser)
{
    MrgSlice slice = parser->token.slice;
    switch (parser->token.type) {
    case MRG_TOKEN_STRING:
        return mrg_value_string(slice.text, slice.length);
    case MRG_TOKEN_NUMBER:
        return mrg_value_number_text(slice.text, slice.length, parser->arena);
    case MRG_TOKEN_TRUE:
    case MRG_TOKEN_FALSE:
        return mrg_value_boolean(parser->token.type == MRG_TOKEN_TRUE);
    case MRG_TOKEN_NULL:
        return mrg_value_null();
    default:
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    }
}

static gboolean
is_literal(const Parser *parser)
{
    return parser->token.type >= MRG_TOKEN_STRING &&
           parser->token.type <= MRG_TOKEN_UNDEFINED;
}

/* {{12}} and {{"a name"}} are fields of that name; as arguments they are values. */
static MrgExpr *
parse_literal(Parser *parser)
{
    MrgExpr *expr = new_expr(parser, MRG_EXPR_LITERAL);
    if (parser->token.slice.length > MRG_LIMIT_TEMPLATE_BYTES / 16) {
        fail_limit(parser, parser->token.offset, "the literal has more bytes",
                   MRG_LIMIT_TEMPLATE_BYTES / 16);
        return NULL;
    }
    expr->value = literal_value(parser);
    expr->segments = mrg_arena_array(parser->arena, MrgSlice, 1);
    expr->segments[0] = parser->token.slice;
    if (expr->value.type == MRG_VALUE_NUMBER)
        expr->segments[0] = (MrgSlice){expr->value.text, expr->value.length};
    expr->n_segments = 1;
    expr->original = expr->segments[0];
    return advance(parser) ? expr : NULL;
}

static MrgExpr *
parse_name_or_literal(Parser *parser)
{
    return is_literal(parser) ? parse_literal(parser) : parse_path(parser);
}

static MrgCall *parse_call(Parser *parser);

static MrgExpr *
parse_subexpression(Parser *parser)
{
    MrgExpr *expr = new_expr(parser, MRG_EXPR_CALL);
    if (++parser->calls > MRG_LIMIT_CALL_DEPTH) {
        fail_limit(parser, expr->offset, "subexpressions are nested deeper",
                   MRG_LIMIT_CALL_DEPTH);
        return NULL;
    }
    if (!advance(parser) || !(expr->call = parse_call(parser)))
        return NULL;
    parser->calls--;
    if (!is_at(parser, MRG_TOKEN_CLOSE_CALL)) {
        fail(parser, expr->offset, "'(' is not closed");
        return NULL;
    }
    return advance(parser) ? expr : NULL;
}

static MrgExpr *
parse_argument(Parser *parser)
{
    return is_at(parser, MRG_TOKEN_OPEN_CALL) ? parse_subexpression(parser)
                                              : parse_name_or_literal(parser);
}

/* NAME= begins a named argument: one token more than the parser holds tells. */
static gboolean
is_at_named(const Parser *parser)
{
    MrgLexer lexer = parser->lexer;
    const MrgSource *source = lexer.source;
    gsize at = lexer.at, n;
    while (at < source->length &&
           (n = mrg_space_first(source->text + at, source->length - at)))
        at += n;
    return is_at(parser, MRG_TOKEN_NAME) && at < source->length && source->text[at] == '=';
}

static gboolean
parse_named(Parser *parser, MrgCall *call)
{
    call->names[call->n_named++] = parser->token.slice;
    return advance(parser) && advance(parser); /* the name and its = */
}

static gboolean
is_argument(const Parser *parser)
{
    return is_literal(parser) || is_at(parser, MRG_TOKEN_NAME) ||
           is_at(parser, MRG_TOKEN_DATA) || is_at(parser, MRG_TOKEN_OPEN_CALL);
}

static gboolean
parse_one_argument(Parser *parser, MrgCall *call)
{
    gsize offset = parser->token.offset;
    guint n = call->n_args + call->n_named;
    if (n == MRG_LIMIT_ARGUMENTS)
        return fail_limit(parser, offset, "there are more arguments", MRG_LIMIT_ARGUMENTS);
    gboolean is_named = is_at_named(parser);
    if (is_named && !parse_named(parser, call))
        return FALSE;
    if (!is_named && call->n_named)
        return fail(parser, offset, "named arguments come last");
    if (!(call->args[n] = parse_argument(parser)))
        return FALSE;
    call->n_args += !is_named;
    return TRUE;
}

/* Name and arguments; in place of the name a partial may have a subexpression. */
static MrgCall *
parse_call_of(Parser *parser, MrgExpr *head)
{
    MrgCall *call = mrg_arena_alloc0(parser->arena, sizeof *call);
    MrgExpr *args[MRG_LIMIT_ARGUMENTS];
    MrgSlice names[MRG_LIMIT_ARGUMENTS];
    call->args = args;
    call->names = names;
    if (!(call->head = head))
        return NULL;
    while (is_argument(parser))
        if (!parse_one_argument(parser, call))
            return NULL;
    guint n = call->n_args + call->n_named;
    call->args = mrg_arena_array(parser->arena, MrgExpr *, n);
    call->names = mrg_arena_array(parser->arena, MrgSlice, call->n_named);
    if (n)
        memcpy(call->args, args, sizeof(MrgExpr *) * n);
    if (call->n_named)
        memcpy(call->names, names, sizeof(MrgSlice) * call->n_named);
    return call;
}

static MrgCall *
parse_call(Parser *parser)
{
    return parse_call_of(parser, parse_name_or_literal(parser));
}

static MrgCall *
parse_partial_call(Parser *parser)
{
    MrgCall *call = parse_call_of(parser, parse_argument(parser));
    if (!call || call->n_args <= 1)
        return call;
    fail(parser, call->head->offset, "a partial takes one context at most");
    return NULL;
}

/* ---- text, tags and blocks ---- */

static MrgNode *
append_node(Parser *parser, MrgBody *body, MrgNodeType type, gsize offset)
{
    MrgNode *node = mrg_arena_alloc0(parser->arena, sizeof *node);
    node->type = type;
    node->offset = offset;
    node->previous = body->last;
    if (body->last)
        body->last->next = node;
    else
        body->first = node;
    body->last = node;
    return node;
}

static void
append_content(Parser *parser, MrgBody *body, const char *text, gsize length)
{
    if (!length)
        return;
    gsize offset = (gsize) (text - parser->source->text);
    MrgNode *node = append_node(parser, body, MRG_NODE_CONTENT, offset);
    node->original = node->slice = (MrgSlice){text, length};
}

static gboolean
count_tag(Parser *parser, gsize offset)
{
    return ++parser->tags <= MRG_LIMIT_TAGS ||
           fail_limit(parser, offset, "there are more tags", MRG_LIMIT_TAGS);
}

/* Text, taken apart at its single-brace tokens. */
static gboolean
parse_content(Parser *parser, MrgBody *body)
{
    MrgSlice text = parser->token.slice;
    MrgSingle single;
    gsize at = 0;
    while (mrg_singles_next(&parser->singles, text, at, &single)) {
        gsize offset = parser->token.offset + single.start;
        if (!count_tag(parser, offset))
            return FALSE;
        append_content(parser, body, text.text + at, single.start - at);
        MrgNode *node = append_node(parser, body, MRG_NODE_SINGLE, offset);
        node->name = (MrgSlice){single.name, strlen(single.name)};
        node->has_fallback = single.has_fallback;
        node->slice = single.fallback;
        at = single.end;
    }
    append_content(parser, body, text.text + at, text.length - at);
    return advance(parser);
}

static gboolean
parse_comment(Parser *parser, MrgBody *body)
{
    MrgNode *node = append_node(parser, body, MRG_NODE_COMMENT, parser->token.offset);
    node->strip = (MrgStrip){parser->token.has_left_strip, parser->token.has_right_strip};
    return advance(parser);
}

/* The end of a tag, in hand; the token behind it comes into hand. */
static gboolean
parse_close(Parser *parser, MrgTokenType type, gboolean *has_strip)
{
    if (!is_at(parser, type)) {
        if (is_at(parser, MRG_TOKEN_CLOSE_UNESCAPED))
            return fail(parser, parser->token.offset, "'}}}' closes no '{{{'");
        if (is_at(parser, MRG_TOKEN_CLOSE))
            return fail(parser, parser->token.offset, "'{{{' is closed by '}}'");
        return fail(parser, parser->token.offset, "the tag should end here");
    }
    *has_strip = parser->token.has_right_strip;
    return advance(parser);
}

static gboolean
parse_print(Parser *parser, MrgBody *body)
{
    MrgToken open = parser->token;
    MrgNode *node = append_node(parser, body, MRG_NODE_PRINT, open.offset);
    gboolean is_unescaped = open.type == MRG_TOKEN_OPEN_UNESCAPED;
    node->is_raw = is_unescaped || open.is_raw;
    node->strip.left = open.has_left_strip;
    return advance(parser) && (node->call = parse_call(parser)) &&
           parse_close(parser, is_unescaped ? MRG_TOKEN_CLOSE_UNESCAPED : MRG_TOKEN_CLOSE,
                       &node->strip.right);
}

static gboolean
parse_params(Parser *parser, MrgBlock *block)
{
    if (!is_at(parser, MRG_TOKEN_OPEN_PARAMS))
        return TRUE;
    block->params = mrg_arena_array(parser->arena, MrgSlice, MRG_LIMIT_BLOCK_PARAMS);
    if (!advance(parser))
        return FALSE;
    while (is_at(parser, MRG_TOKEN_NAME)) {
        if (block->n_params == MRG_LIMIT_BLOCK_PARAMS)
            return fail_limit(parser, parser->token.offset,
                              "there are more block parameters", MRG_LIMIT_BLOCK_PARAMS);
        block->params[block->n_params++] = parser->token.slice;
        if (!advance(parser))
            return FALSE;
    }
    if (!is_at(parser, MRG_TOKEN_PIPE) || !block->n_params)
        return fail(parser, parser->token.offset, "block parameters read 'as |name|'");
    return advance(parser);
}

/* "#name arguments as |parameters|}}". */
static MrgBlock *
parse_block_open(Parser *parser)
{
    MrgBlock *block = mrg_arena_alloc0(parser->arena, sizeof *block);
    gboolean is_partial = is_at(parser, MRG_TOKEN_OPEN_PARTIAL_BLOCK);
    block->open.left = parser->token.has_left_strip;
    if (!advance(parser))
        return NULL;
    block->call = is_partial ? parse_partial_call(parser) : parse_call(parser);
    gboolean is_good = block->call && (is_partial || parse_params(parser, block)) &&
                       parse_close(parser, MRG_TOKEN_CLOSE, &block->open.right);
    return is_good ? block : NULL;
}

static MrgBody *parse_body(Parser *parser);
static MrgBody *parse_chain(Parser *parser);

/* What follows the first body: {{else}} or {{else name}}, up to the end tag. */
static gboolean
parse_inverse(Parser *parser, MrgBlock *block)
{
    MrgToken token = parser->token;
    if (token.type == MRG_TOKEN_INVERSE) {
        block->middle = (MrgStrip){token.has_left_strip, token.has_right_strip};
        return advance(parser) && (block->inverse = parse_body(parser));
    }
    if (token.type != MRG_TOKEN_OPEN_CHAIN)
        return TRUE;
    if (++parser->chain > MRG_LIMIT_CHAIN)
        return fail_limit(parser, token.offset, "blocks are nested deeper",
                          MRG_LIMIT_CHAIN);
    if (!(block->inverse = parse_chain(parser)))
        return FALSE;
    parser->chain--;
    block->middle = block->inverse->first->block->open;
    return TRUE;
}

static void
set_close(MrgBlock *block, MrgStrip close)
{
    block->close = close;
    if (block->inverse && block->inverse->is_chained)
        block->inverse->first->block->close = close;
}

/* {{else if x}} is a block inside the inverse; the outer end tag closes it.  What
 * handlebars.js takes as the strip flags of its end is the next {{else}}. */
static MrgBody *
parse_chain(Parser *parser)
{
    MrgBody *body = mrg_arena_alloc0(parser->arena, sizeof *body);
    body->is_chained = TRUE;
    MrgNode *node = append_node(parser, body, MRG_NODE_BLOCK, parser->token.offset);
    MrgBlock *block = node->block = parse_block_open(parser);
    if (!block || !(block->program = parse_body(parser)) || !parse_inverse(parser, block))
        return NULL;
    set_close(block, block->middle);
    return body;
}

static MrgQuote
quote_head(const Parser *parser, const MrgExpr *head)
{
    const char *text = parser->source->text + head->offset;
    gsize length = 0, rest = parser->source->length - head->offset;
    while (length < rest && !strchr("}~ \t\r\n", text[length]))
        length++;
    return mrg_quote(text, length);
}

static gboolean
is_same_head(const MrgExpr *a, const MrgExpr *b)
{
    if (a->up != b->up || a->n_segments != b->n_segments || a->is_data != b->is_data)
        return FALSE;
    for (guint i = 0; i < a->n_segments; i++)
        if (a->segments[i].length != b->segments[i].length ||
            memcmp(a->segments[i].text, b->segments[i].text, a->segments[i].length) != 0)
            return FALSE;
    return TRUE;
}

/* {{#> (expr)}} is closed by the name of what it calls. */
static const MrgExpr *
closing_head(const MrgBlock *block)
{
    const MrgExpr *head = block->call->head;
    return head->type == MRG_EXPR_CALL ? head->call->head : head;
}

/* sigil is what the block was opened with. */
static gboolean
parse_block_end(Parser *parser, MrgNode *node, const char *sigil)
{
    MrgBlock *block = node->block;
    const MrgExpr *head = closing_head(block);
    gsize offset = parser->token.offset;
    if (is_at(parser, MRG_TOKEN_END))
        return mrg_source_fail(parser->source, node->offset, MRG_RENDER_ERROR_SYNTAX,
                               "{{%s%s}} is not closed", sigil,
                               quote_head(parser, head).text);
    if (!is_at(parser, MRG_TOKEN_OPEN_END))
        return fail(parser, offset,
                    *sigil == '^' || !sigil[1] ? "this block already has its {{else}}"
                                               : "this block takes no {{else}}");
    MrgStrip strip = {.left = parser->token.has_left_strip};
    MrgExpr *end;
    if (!advance(parser) || !(end = parse_name_or_literal(parser)))
        return FALSE;
    guint line, column;
    mrg_source_locate(parser->source, node->offset, &line, &column);
    if (!is_same_head(head, end))
        return mrg_source_fail(parser->source, offset, MRG_RENDER_ERROR_SYNTAX,
                               "{{/%s}} does not close {{%s%s}} of line %u",
                               quote_head(parser, end).text, sigil,
                               quote_head(parser, head).text, line);
    if (!parse_close(parser, MRG_TOKEN_CLOSE, &strip.right))
        return FALSE;
    set_close(block, strip);
    return TRUE;
}

static gboolean
enter_block(Parser *parser, const MrgNode *node)
{
    return (++parser->blocks <= MRG_LIMIT_DEPTH && ++parser->chain <= MRG_LIMIT_CHAIN) ||
           fail_limit(parser, node->offset, "blocks are nested deeper", MRG_LIMIT_DEPTH);
}

static void
leave_block(Parser *parser)
{
    parser->blocks--;
    parser->chain--;
}

static gboolean
parse_block(Parser *parser, MrgBody *body)
{
    gboolean is_inverted = is_at(parser, MRG_TOKEN_OPEN_INVERSE);
    MrgNode *node = append_node(parser, body, MRG_NODE_BLOCK, parser->token.offset);
    if (!enter_block(parser, node))
        return FALSE;
    MrgBlock *block = node->block = parse_block_open(parser);
    if (!block || !(block->program = parse_body(parser)) || !parse_inverse(parser, block) ||
        !parse_block_end(parser, node, is_inverted ? "^" : "#"))
        return FALSE;
    leave_block(parser);
    if (is_inverted) {
        MrgBody *program = block->program;
        block->program = block->inverse;
        block->inverse = program;
    }
    return TRUE;
}

/* {{#> name}} and {{#*inline "name"}}: blocks without {{else}}. */
static gboolean
parse_plain_block(Parser *parser, MrgBody *body, MrgNodeType type, const char *sigil)
{
    MrgNode *node = append_node(parser, body, type, parser->token.offset);
    if (!enter_block(parser, node))
        return FALSE;
    body->has_inline |= type == MRG_NODE_INLINE;
    MrgBlock *block = node->block = parse_block_open(parser);
    if (!block || !(block->program = parse_body(parser)) ||
        !parse_block_end(parser, node, sigil))
        return FALSE;
    leave_block(parser);
    return TRUE;
}

static gboolean
parse_raw_end(Parser *parser, const MrgNode *node)
{
    const MrgExpr *head = node->block->call->head;
    MrgSlice name = parser->token.slice;
    if (!is_at(parser, MRG_TOKEN_END_RAW))
        return fail(parser, parser->token.offset, "the raw block should end here");
    if (name.length != head->original.length ||
        memcmp(name.text, head->original.text, name.length) != 0)
        return mrg_source_fail(
            parser->source, parser->token.offset, MRG_RENDER_ERROR_SYNTAX,
            "{{{{/%s}}}} does not close {{{{%s}}}}", mrg_quote(name.text, name.length).text,
            quote_head(parser, head).text);
    return advance(parser);
}

/* {{{{name}}}}: what is inside is text, whatever it looks like. */
static gboolean
parse_raw(Parser *parser, MrgBody *body)
{
    MrgNode *node = append_node(parser, body, MRG_NODE_BLOCK, parser->token.offset);
    MrgBlock *block = node->block = mrg_arena_alloc0(parser->arena, sizeof *block);
    block->is_raw = TRUE;
    block->program = mrg_arena_alloc0(parser->arena, sizeof *block->program);
    if (!advance(parser) || !(block->call = parse_call(parser)))
        return FALSE;
    if (!is_at(parser, MRG_TOKEN_CLOSE_RAW))
        return fail(parser, parser->token.offset, "'{{{{' is closed by '}}}}'");
    if (!advance(parser))
        return FALSE;
    if (is_at(parser, MRG_TOKEN_CONTENT)) {
        append_content(parser, block->program, parser->token.slice.text,
                       parser->token.slice.length);
        if (!advance(parser))
            return FALSE;
    }
    return parse_raw_end(parser, node);
}

static gboolean
parse_partial(Parser *parser, MrgBody *body)
{
    MrgNode *node = append_node(parser, body, MRG_NODE_PARTIAL, parser->token.offset);
    node->strip.left = parser->token.has_left_strip;
    return advance(parser) && (node->call = parse_partial_call(parser)) &&
           parse_close(parser, MRG_TOKEN_CLOSE, &node->strip.right);
}

/* {{* name}}: there is none of this kind, as the compiler will say. */
static gboolean
parse_decorator(Parser *parser, MrgBody *body)
{
    MrgNode *node = append_node(parser, body, MRG_NODE_INLINE, parser->token.offset);
    body->has_inline = TRUE;
    node->strip.left = parser->token.has_left_strip;
    return advance(parser) && (node->call = parse_call(parser)) &&
           parse_close(parser, MRG_TOKEN_CLOSE, &node->strip.right);
}

static gboolean
parse_node(Parser *parser, MrgBody *body)
{
    if (!is_at(parser, MRG_TOKEN_CONTENT) && !count_tag(parser, parser->token.offset))
        return FALSE;
    switch (parser->token.type) {
    case MRG_TOKEN_CONTENT:
        return parse_content(parser, body);
    case MRG_TOKEN_COMMENT:
        return parse_comment(parser, body);
    case MRG_TOKEN_OPEN:
    case MRG_TOKEN_OPEN_UNESCAPED:
        return parse_print(parser, body);
    case MRG_TOKEN_OPEN_PARTIAL:
        return parse_partial(parser, body);
    case MRG_TOKEN_OPEN_PARTIAL_BLOCK:
        return parse_plain_block(parser, body, MRG_NODE_PARTIAL_BLOCK, "#>");
    case MRG_TOKEN_OPEN_DECORATOR:
        return parse_decorator(parser, body);
    case MRG_TOKEN_OPEN_DECORATOR_BLOCK:
        return parse_plain_block(parser, body, MRG_NODE_INLINE, "#*");
    case MRG_TOKEN_OPEN_RAW:
        return parse_raw(parser, body);
    default:
        return parse_block(parser, body);
    }
}

static gboolean
ends_body(const Parser *parser)
{
    return is_at(parser, MRG_TOKEN_END) || is_at(parser, MRG_TOKEN_INVERSE) ||
           is_at(parser, MRG_TOKEN_OPEN_CHAIN) || is_at(parser, MRG_TOKEN_OPEN_END);
}

static MrgBody *
parse_body(Parser *parser)
{
    MrgBody *body = mrg_arena_alloc0(parser->arena, sizeof *body);
    while (!ends_body(parser))
        if (!parse_node(parser, body))
            return NULL;
    return body;
}

static MrgBody *
parse_template(Parser *parser)
{
    if (!advance(parser))
        return NULL;
    MrgBody *root = parse_body(parser);
    if (!root || is_at(parser, MRG_TOKEN_END))
        return root;
    gsize offset = parser->token.offset;
    if (!is_at(parser, MRG_TOKEN_OPEN_END)) {
        fail(parser, offset, "{{else}} stands in no block");
        return NULL;
    }
    MrgExpr *end;
    if (advance(parser) && (end = parse_name_or_literal(parser)))
        mrg_source_fail(parser->source, offset, MRG_RENDER_ERROR_SYNTAX,
                        "{{/%s}} closes no block", quote_head(parser, end).text);
    return NULL;
}

MrgBody *
mrg_handlebars_parse(const MrgCompilation *compilation)
{
    MrgSource *source = compilation->source;
    Parser parser = {.source = source,
                     .arena = compilation->arena,
                     .singles = {.declared = compilation->declared,
                                 .is_html = source->template->escape == MRG_ESCAPE_HTML}};
    mrg_lexer_init(&parser.lexer, source, compilation->arena);
    return parse_template(&parser);
}

gboolean
mrg_dialect_handlebars(const MrgCompilation *compilation)
{
    MrgBody *root = mrg_handlebars_parse(compilation);
    if (!root)
        return FALSE;
    mrg_tree_strip(root, compilation->options->options & MRG_OPTION_IGNORE_STANDALONE);
    return mrg_tree_compile(compilation, root);
}

/* ---- conditions that stand alone ---- */

/* The source is to end where the condition does. */
static MrgExpr *
parse_condition(MrgSource *source, MrgArena *arena, gsize start)
{
    Parser parser = {.source = source, .arena = arena};
    mrg_lexer_init(&parser.lexer, source, arena);
    parser.lexer.at = parser.lexer.tag = start;
    parser.lexer.is_in_tag = parser.lexer.is_expression = TRUE;
    MrgExpr *expr = advance(&parser) ? parse_argument(&parser) : NULL;
    if (!expr || is_at(&parser, MRG_TOKEN_END))
        return expr;
    fail(&parser, parser.token.offset,
         "the condition should end here; a helper stands in parentheses: (gt a 1)");
    return NULL;
}

static void
set_offset(MrgExpr *expr, gsize offset)
{
    expr->offset = offset;
    if (expr->type != MRG_EXPR_CALL)
        return;
    expr->call->head->offset = offset;
    for (guint i = 0; i < expr->call->n_args + expr->call->n_named; i++)
        set_offset(expr->call->args[i], offset);
}

MrgExpr *
mrg_handlebars_parse_condition(const MrgCompilation *compilation, MrgSlice text,
                               gsize offset)
{
    MrgSource source = *compilation->source;
    source.text = text.text;
    source.length = text.length;
    MrgExpr *expr = parse_condition(&source, compilation->arena, 0);
    compilation->source->has_failed |= source.has_failed;
    if (expr)
        set_offset(expr, offset);
    return expr;
}

/* The source ends early for this, but its lines stay what they are. */
gboolean
mrg_handlebars_check_condition(MrgSource *source, MrgSlice text, MrgArena *arena)
{
    gsize start = (gsize) (text.text - source->text);
    g_autoptr(MrgBuilder) builder = mrg_builder_new(NULL, 0);
    MrgSource part = *source;
    part.length = start + text.length;
    MrgExpr *expr = parse_condition(&part, arena, start);
    static const MrgCompileOptions options = {0};
    const MrgCompilation compilation = {
        .builder = builder, .source = &part, .arena = arena, .options = &options};
    gboolean is_good = expr && mrg_tree_check_condition(&compilation, expr);
    source->has_failed |= part.has_failed;
    return is_good;
}
