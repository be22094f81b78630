/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/dialect.h"
#include "render/limits.h"
#include "render/mustache.h"
#include "render/singles.h"

/* Compiles token by token; how deep it goes is bounded by MRG_LIMIT_DEPTH. */
typedef struct Compiler {
    const MrgCompilation *compilation;
    MrgBuilder *builder;
    MrgSource *source;
    const MrgMustacheToken *token; /* the one in hand */
    MrgSingles singles;
    guint contexts; /* sections around it that bring a context */
    guint depth;    /* tags around it that are to be closed */
    /* of the text in hand that is called: a partial, or a block */
    gboolean is_called;
    guint first_line;
    MrgSlice dedent; /* white space that its lines have here, but not where it is put */
} Compiler;

static gboolean compile_until_close(Compiler *compiler, const MrgMustacheToken *open);
static gboolean compile_tag(Compiler *compiler);

static gboolean
has_option(const Compiler *compiler, MrgOption option)
{
    return (compiler->compilation->options->options & option) != 0;
}

/* ---- names ---- */

static gboolean
is_dot(MrgSlice name)
{
    return name.length == 1 && name.text[0] == '.';
}

/* Whether what is in force is surely the person. */
static gboolean
is_at_root(const Compiler *compiler)
{
    return !compiler->contexts && !compiler->is_called;
}

/* Takes the first segment off a dotted name. */
static MrgSlice
take_segment(MrgSlice *name)
{
    const char *dot = memchr(name->text, '.', name->length);
    gsize length = dot ? (gsize) (dot - name->text) : name->length;
    MrgSlice segment = {name->text, length};
    gsize taken = length + (dot != NULL);
    *name = (MrgSlice){name->text + taken, name->length - taken};
    return segment;
}

static gboolean
check_segments(Compiler *compiler, gsize offset, MrgSlice name)
{
    guint n = 0;
    gboolean ends_with_dot = name.text[name.length - 1] == '.';
    while (name.length) {
        if (!take_segment(&name).length)
            ends_with_dot = TRUE;
        n++;
    }
    if (ends_with_dot)
        return mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_SYNTAX,
                               "a name is missing between the dots");
    return n <= MRG_LIMIT_PATH_SEGMENTS ||
           mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_LIMIT,
                           "the path has more names than %u", MRG_LIMIT_PATH_SEGMENTS);
}

static void
load_first(Compiler *compiler, MrgSlice name, gboolean is_guarded)
{
    gboolean at_root = is_at_root(compiler);
    guint slot = mrg_builder_field(compiler->builder, name, is_guarded || !at_root);
    if (at_root)
        mrg_builder_load_slot(compiler->builder, slot);
    else
        mrg_builder_load_stack(compiler->builder, name, slot, MRG_STACK_OBJECTS_ONLY);
}

static gboolean
load_name(Compiler *compiler, gsize offset, MrgSlice name, gboolean is_guarded)
{
    mrg_builder_at(compiler->builder, offset);
    if (is_dot(name)) {
        if (is_at_root(compiler))
            mrg_builder_load_root(compiler->builder);
        else
            mrg_builder_load_this(compiler->builder, 0, !compiler->contexts);
        return TRUE;
    }
    if (!check_segments(compiler, offset, name))
        return FALSE;
    load_first(compiler, take_segment(&name), is_guarded);
    while (name.length)
        mrg_builder_member(compiler->builder, take_segment(&name));
    return TRUE;
}

static gboolean
compile_print(Compiler *compiler, const MrgMustacheToken *token)
{
    gboolean is_raw =
        token->type == MRG_MUSTACHE_RAW || has_option(compiler, MRG_OPTION_NO_ESCAPE);
    if (!load_name(compiler, token->offset, token->slice, FALSE))
        return FALSE;
    if (has_option(compiler, MRG_OPTION_STRICT))
        mrg_builder_require(compiler->builder, token->slice);
    mrg_builder_print(compiler->builder, is_raw);
    return TRUE;
}

/* ---- text ---- */

/* Text, taken apart at its single-brace tokens. */
static void
compile_text(Compiler *compiler, MrgSlice text)
{
    MrgSingle single;
    gsize at = 0, offset = (gsize) (text.text - compiler->source->text);
    while (mrg_singles_next(&compiler->singles, text, at, &single)) {
        mrg_builder_literal(compiler->builder, text.text + at, single.start - at);
        mrg_builder_at(compiler->builder, offset + single.start);
        mrg_single_compile(compiler->builder, (MrgSlice){single.name, strlen(single.name)},
                           single.has_fallback ? &single.fallback : NULL);
        at = single.end;
    }
    mrg_builder_literal(compiler->builder, text.text + at, text.length - at);
}

static MrgSlice
blank_of(MrgSlice text)
{
    gsize n = 0;
    while (n < text.length && (text.text[n] == ' ' || text.text[n] == '\t'))
        n++;
    return (MrgSlice){text.text, n};
}

/* Takes away what it has in common with the indent of the text in hand. */
static MrgSlice
dedented(const Compiler *compiler, MrgSlice text)
{
    gsize n = 0, most = MIN(blank_of(text).length, compiler->dedent.length);
    while (n < most && text.text[n] == compiler->dedent.text[n])
        n++;
    return (MrgSlice){text.text + n, text.length - n};
}

static gboolean
is_on_first_line(const Compiler *compiler, const MrgMustacheToken *token)
{
    return token->line == compiler->first_line;
}

static gboolean
is_newline(const MrgMustacheToken *token)
{
    MrgSlice text = token->slice;
    return token->type == MRG_MUSTACHE_TEXT && text.length &&
           text.text[text.length - 1] == '\n' &&
           text.length <= (text.text[0] == '\r' ? 2 : 1);
}

static void
begin_line(Compiler *compiler, const MrgMustacheToken *token)
{
    if (!token->begins_line || !compiler->is_called || is_newline(token))
        return;
    mrg_builder_at(compiler->builder, token->offset);
    mrg_builder_line(compiler->builder, is_on_first_line(compiler, token));
}

static void
compile_line(Compiler *compiler)
{
    const MrgMustacheToken *token = compiler->token;
    MrgSlice text = token->begins_line ? dedented(compiler, token->slice) : token->slice;
    mrg_builder_at(compiler->builder, token->offset);
    compile_text(compiler, text);
}

/* ---- sections ---- */

static gboolean
ends_here(const Compiler *compiler)
{
    return compiler->token->type == MRG_MUSTACHE_CLOSE ||
           compiler->token->type == MRG_MUSTACHE_END;
}

static gboolean
enter(Compiler *compiler, const MrgMustacheToken *open)
{
    return ++compiler->depth <= MRG_LIMIT_DEPTH ||
           mrg_source_fail(compiler->source, open->offset, MRG_RENDER_ERROR_LIMIT,
                           "sections are nested deeper than %u", MRG_LIMIT_DEPTH);
}

/* What the section holds.  A line that begins with its end is indented inside of it. */
static gboolean
compile_inside(Compiler *compiler, const MrgMustacheToken *open)
{
    while (!ends_here(compiler))
        if (!compile_tag(compiler))
            return FALSE;
    begin_line(compiler, compiler->token);
    return compile_until_close(compiler, open);
}

static gboolean
compile_section(Compiler *compiler, const MrgMustacheToken *open)
{
    if (!load_name(compiler, open->offset, open->slice, TRUE))
        return FALSE;
    MrgJump jump = mrg_builder_enter(compiler->builder, MRG_OP_ENTER_MUSTACHE, FALSE);
    compiler->contexts++;
    if (!compile_inside(compiler, open))
        return FALSE;
    compiler->contexts--;
    mrg_builder_next(compiler->builder, jump);
    mrg_builder_land(compiler->builder, jump);
    return TRUE;
}

static gboolean
compile_inverted(Compiler *compiler, const MrgMustacheToken *open)
{
    if (!load_name(compiler, open->offset, open->slice, TRUE))
        return FALSE;
    MrgJump jump = mrg_builder_jump(compiler->builder, MRG_OP_JUMP_TRUE);
    gboolean is_good = compile_inside(compiler, open);
    mrg_builder_land(compiler->builder, jump);
    return is_good;
}

/* ---- partials, parents and blocks ---- */

/* Whether the call stands where a line begins, and how far in. */
static void
place_call(const Compiler *compiler, const MrgMustacheToken *token, MrgPartialCall *call)
{
    if (!token->is_standalone)
        return;
    call->line = compiler->is_called && is_on_first_line(compiler, token)
                     ? MRG_LINE_AS_CALLER
                     : MRG_LINE_YES;
}

static void
choose_section(Compiler *compiler, const MrgMustacheToken *token, MrgPartialCall *call)
{
    MrgPartials *partials = compiler->compilation->partials;
    const MrgPartial how = {.template = *compiler->source->template,
                            .kind = MRG_CONTEXT_ANY};
    call->section = MRG_NONE;
    if (call->name == MRG_NONE) {
        call->choices = mrg_partials_choices(
            partials, &how, mrg_builder_arena(compiler->builder), &call->n_choices);
        return;
    }
    call->section = mrg_partials_section(partials, token->slice, &how);
    if (call->section == MRG_NONE && has_option(compiler, MRG_OPTION_STRICT))
        mrg_partials_miss(partials, token->slice, compiler->source, token->offset);
}

static gboolean
compile_call(Compiler *compiler, const MrgMustacheToken *token)
{
    gboolean is_dynamic = token->slice.length > 1 && token->slice.text[0] == '*';
    MrgPartialCall call = {.is_mustache = TRUE,
                           .block = MRG_NONE,
                           .on = MRG_ON_FRAME,
                           .name = is_dynamic ? MRG_NONE : 0};
    place_call(compiler, token, &call);
    choose_section(compiler, token, &call);
    MrgSlice name = {token->slice.text + 1, token->slice.length - 1};
    if (is_dynamic && !load_name(compiler, token->offset, name, TRUE))
        return FALSE;
    mrg_builder_at(compiler->builder, token->offset);
    mrg_builder_partial(compiler->builder, call, token->slice, NULL,
                        dedented(compiler, token->indent));
    return TRUE;
}

/* The white space that the first line of a block's text begins with; the block's own where
 * there is no text. */
static MrgSlice
intrinsic_indent(const MrgMustacheToken *open)
{
    const MrgMustacheToken *at = open + 1;
    while (at->line == open->line && at->type == MRG_MUSTACHE_TEXT && !at->slice.length)
        at++;
    if (at->line == open->line || at->type == MRG_MUSTACHE_CLOSE)
        return open->indent;
    if (at->type != MRG_MUSTACHE_TEXT)
        return at->indent;
    gboolean is_close = !at->slice.length && at[1].type == MRG_MUSTACHE_CLOSE;
    if (is_close)
        return open->indent;
    return at->slice.length ? blank_of(at->slice) : at[1].indent;
}

/* A text that is called; up to the tag that closes it. */
static gboolean
compile_body(Compiler *compiler, const MrgMustacheToken *open, guint *start)
{
    const Compiler outer = *compiler;
    MrgJump jump;
    *start = mrg_builder_begin_body(compiler->builder, &jump);
    compiler->is_called = TRUE;
    compiler->first_line = open->line;
    if (open->is_standalone) {
        compiler->dedent = intrinsic_indent(open);
        compiler->first_line++;
    }
    if (!compile_until_close(compiler, open))
        return FALSE;
    compiler->is_called = outer.is_called;
    compiler->first_line = outer.first_line;
    compiler->dedent = outer.dedent;
    mrg_builder_end_body(compiler->builder, jump);
    return TRUE;
}

static gboolean
compile_block(Compiler *compiler, const MrgMustacheToken *open)
{
    MrgPartialCall call = {
        .is_mustache = TRUE, .is_block = TRUE, .section = MRG_NONE, .on = MRG_ON_FRAME};
    place_call(compiler, open, &call);
    if (!compile_body(compiler, open, &call.block))
        return FALSE;
    MrgSlice indent = open->is_standalone ? intrinsic_indent(open) : open->indent;
    mrg_builder_at(compiler->builder, open->offset);
    mrg_builder_partial(compiler->builder, call, open->slice, NULL,
                        dedented(compiler, indent));
    return TRUE;
}

/* What stands in a parent but outside of its blocks is ignored. */
static gboolean
compile_parent(Compiler *compiler, const MrgMustacheToken *open)
{
    MrgJump scope = mrg_builder_enter_scope(compiler->builder, MRG_AROUND_TEXT);
    for (; compiler->token->type != MRG_MUSTACHE_CLOSE; compiler->token++) {
        const MrgMustacheToken *token = compiler->token;
        guint start;
        if (token->type == MRG_MUSTACHE_END || token->type == MRG_MUSTACHE_SILENT ||
            token->type == MRG_MUSTACHE_TEXT) {
            if (token->type == MRG_MUSTACHE_END)
                break;
            continue;
        }
        if (token->type != MRG_MUSTACHE_BLOCK)
            return mrg_source_fail(compiler->source, token->offset, MRG_RENDER_ERROR_SYNTAX,
                                   "a parent holds blocks only: {{$name}}");
        mrg_builder_at(compiler->builder, token->offset);
        mrg_builder_define(compiler->builder, token->slice);
        compiler->token++;
        if (!enter(compiler, token) || !compile_body(compiler, token, &start))
            return FALSE;
        compiler->token--;
    }
    if (!compile_until_close(compiler, open) || !compile_call(compiler, open))
        return FALSE;
    mrg_builder_next(compiler->builder, scope);
    return TRUE;
}

/* ---- all of it ---- */

static gboolean
fail_close(Compiler *compiler, const MrgMustacheToken *open)
{
    const MrgMustacheToken *token = compiler->token;
    MrgQuote name = mrg_quote(token->slice.text, token->slice.length);
    if (token->type == MRG_MUSTACHE_END && open)
        return mrg_source_fail(compiler->source, open->offset, MRG_RENDER_ERROR_SYNTAX,
                               "the section '%s' is not closed",
                               mrg_quote(open->slice.text, open->slice.length).text);
    if (!open)
        return mrg_source_fail(compiler->source, token->offset, MRG_RENDER_ERROR_SYNTAX,
                               "{{/%s}} closes no section", name.text);
    guint line, column;
    mrg_source_locate(compiler->source, open->offset, &line, &column);
    return mrg_source_fail(compiler->source, token->offset, MRG_RENDER_ERROR_SYNTAX,
                           "{{/%s}} does not close '%s' of %u:%u", name.text,
                           mrg_quote(open->slice.text, open->slice.length).text, line,
                           column);
}

static gboolean
compile_until_close(Compiler *compiler, const MrgMustacheToken *open)
{
    while (!ends_here(compiler))
        if (!compile_tag(compiler))
            return FALSE;
    const MrgMustacheToken *close = compiler->token;
    gboolean is_same =
        open && close->type == MRG_MUSTACHE_CLOSE &&
        close->slice.length == open->slice.length &&
        memcmp(close->slice.text, open->slice.text, close->slice.length) == 0;
    if (!is_same && (open || close->type == MRG_MUSTACHE_CLOSE))
        return fail_close(compiler, open);
    compiler->depth -= open != NULL;
    compiler->token += open != NULL;
    return TRUE;
}

static gboolean
compile_tag(Compiler *compiler)
{
    const MrgMustacheToken *token = compiler->token;
    begin_line(compiler, token);
    switch (token->type) {
    case MRG_MUSTACHE_TEXT:
        compile_line(compiler);
        break;
    case MRG_MUSTACHE_SILENT:
        break;
    case MRG_MUSTACHE_PRINT:
    case MRG_MUSTACHE_RAW:
        if (!compile_print(compiler, token))
            return FALSE;
        break;
    case MRG_MUSTACHE_PARTIAL:
        if (!compile_call(compiler, token))
            return FALSE;
        break;
    case MRG_MUSTACHE_SECTION:
        compiler->token++;
        return enter(compiler, token) && compile_section(compiler, token);
    case MRG_MUSTACHE_INVERTED:
        compiler->token++;
        return enter(compiler, token) && compile_inverted(compiler, token);
    case MRG_MUSTACHE_PARENT:
        compiler->token++;
        return enter(compiler, token) && compile_parent(compiler, token);
    case MRG_MUSTACHE_BLOCK:
        compiler->token++;
        return enter(compiler, token) && compile_block(compiler, token);
    case MRG_MUSTACHE_CLOSE:
    case MRG_MUSTACHE_END:
        g_assert_not_reached();
    }
    compiler->token++;
    return TRUE;
}

gboolean
mrg_dialect_mustache(const MrgCompilation *compilation)
{
    MrgSource *source = compilation->source;
    Compiler compiler = {
        .compilation = compilation,
        .builder = compilation->builder,
        .source = source,
        .is_called = compilation->is_partial,
        .dedent = {"", 0},
        .token = mrg_mustache_scan(source, compilation->arena),
        .singles = {.declared = compilation->declared,
                    .is_html = source->template->escape == MRG_ESCAPE_HTML}};
    return compiler.token && compile_until_close(&compiler, NULL) && !source->has_failed;
}
