/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/compile.h"

/* ---- partials that a template defines itself ---- */

static gboolean
check_inline(MrgCompiler *compiler, const MrgNode *node)
{
    const MrgCall *call = node->block ? node->block->call : node->call;
    const MrgExpr *head = call->head;
    gboolean is_inline = head->type == MRG_EXPR_PATH && head->n_segments == 1 &&
                         !head->is_data && mrg_slice_is(head->segments[0], "inline");
    if (!node->block || !is_inline)
        return mrg_compile_fail(compiler, head->offset,
                                "the only decorator is {{#*inline \"name\"}}");
    if (call->n_args == 1 && !call->n_named && !node->block->n_params &&
        call->args[0]->type == MRG_EXPR_LITERAL)
        return TRUE;
    return mrg_compile_fail(compiler, head->offset,
                            "an inline partial reads {{#*inline \"name\"}}");
}

/* Who calls it is not known here, so neither is what it is called on. */
static gboolean
compile_inline(MrgCompiler *compiler, const MrgNode *node)
{
    MrgLevel level = {.may_push = TRUE, .may_be_root = TRUE, .is_opaque = TRUE};
    MrgJump jump;
    if (!check_inline(compiler, node))
        return FALSE;
    MrgSlice name = node->block->call->args[0]->segments[0];
    mrg_partials_define(compiler->compilation->partials, name);
    mrg_builder_define(compiler->builder, name);
    level.body = node->block->program;
    mrg_builder_begin_body(compiler->builder, &jump);
    if (!mrg_compile_push(compiler, node->offset, level) ||
        !mrg_compile_body(compiler, node->block->program))
        return FALSE;
    mrg_compile_pop(compiler);
    mrg_builder_end_body(compiler->builder, jump);
    return TRUE;
}

static MrgAround
around_of(const MrgCompiler *compiler, const MrgBody *body)
{
    const MrgLevel *level = &compiler->levels[compiler->n_levels];
    if (level->body != body)
        return MRG_AROUND_HERE;
    if (!compiler->n_levels)
        return MRG_AROUND_TEXT;
    return level->is_opaque ? MRG_AROUND_DEFINITION : MRG_AROUND_BLOCK;
}

gboolean
mrg_compile_inlines(MrgCompiler *compiler, const MrgBody *body, MrgJump *scope)
{
    gsize offset = body->first->offset;
    mrg_builder_at(compiler->builder, offset);
    *scope = mrg_builder_enter_scope(compiler->builder, around_of(compiler, body));
    if (!mrg_compile_push(compiler, offset, (MrgLevel){.may_keep = TRUE}))
        return FALSE;
    for (const MrgNode *node = body->first; node; node = node->next) {
        mrg_builder_at(compiler->builder, node->offset);
        if (node->type == MRG_NODE_INLINE && !compile_inline(compiler, node))
            return FALSE;
    }
    return TRUE;
}

void
mrg_compile_leave_scope(MrgCompiler *compiler, MrgJump scope)
{
    mrg_compile_pop(compiler);
    mrg_builder_next(compiler->builder, scope);
}

/* ---- calls ---- */

static MrgContextKind
kind_of(gboolean is_root, gboolean may_be_root)
{
    return is_root ? MRG_CONTEXT_ROOT : may_be_root ? MRG_CONTEXT_ANY : MRG_CONTEXT_ITEM;
}

/* What the partial is called on, and what is known of it. */
static MrgContextKind
choose_context(const MrgCompiler *compiler, const MrgCall *call, MrgPartialCall *partial)
{
    const MrgExpr *expr = call->n_args ? call->args[0] : NULL;
    if (!expr && compiler->options & MRG_OPTION_EXPLICIT_PARTIAL_CONTEXT) {
        partial->on = MRG_ON_NOTHING;
        return MRG_CONTEXT_ITEM;
    }
    if (!expr || mrg_expr_is_context(expr)) {
        partial->on = MRG_ON_FRAME;
        partial->up = expr ? expr->up : 0;
        MrgTarget target = mrg_compile_target(compiler, partial->up);
        return kind_of(mrg_target_is_root(target), target.is_root);
    }
    if (mrg_expr_is_at_root(expr) && expr->n_segments == 1) {
        partial->on = MRG_ON_ROOT;
        return MRG_CONTEXT_ROOT;
    }
    partial->on = MRG_ON_VALUE;
    MrgLevel level = mrg_compile_level_on(compiler, expr);
    return kind_of(level.is_root, level.may_be_root);
}

static gboolean
is_block_name(const MrgExpr *head)
{
    return head->type == MRG_EXPR_PATH && head->is_data &&
           mrg_slice_is(head->original, "@partial-block");
}

static void
choose_section(MrgCompiler *compiler, const MrgExpr *head, MrgContextKind kind,
               MrgPartialCall *call)
{
    const MrgCompilation *compilation = compiler->compilation;
    MrgPartial how = {.template = *compiler->source->template, .kind = kind};
    call->section = MRG_NONE;
    call->is_block = is_block_name(head);
    if (head->type == MRG_EXPR_CALL) {
        call->name = MRG_NONE;
        call->choices =
            mrg_partials_choices(compilation->partials, &how,
                                 mrg_builder_arena(compiler->builder), &call->n_choices);
    } else if (!call->is_block) {
        call->section = mrg_partials_section(compilation->partials, head->original, &how);
        if (call->section == MRG_NONE && call->block == MRG_NONE)
            mrg_partials_miss(compilation->partials, head->original, compiler->source,
                              head->offset);
    }
}

static gboolean
load_operands(MrgCompiler *compiler, const MrgCall *call, const MrgPartialCall *partial)
{
    if (partial->on == MRG_ON_VALUE && !mrg_compile_argument(compiler, call->args[0]))
        return FALSE;
    if (partial->name == MRG_NONE && !mrg_compile_argument(compiler, call->head))
        return FALSE;
    for (guint i = 0; i < call->n_named; i++)
        if (!mrg_compile_argument(compiler, call->args[call->n_args + i]))
            return FALSE;
    return TRUE;
}

static gboolean
compile_call(MrgCompiler *compiler, const MrgNode *node, const MrgCall *call, guint block)
{
    gboolean keeps_indent = !(compiler->options & MRG_OPTION_PREVENT_INDENT);
    MrgPartialCall partial = {.block = block,
                              .n_named = call->n_named,
                              .has_inlines =
                                  node->block && node->block->program->has_inline,
                              .sees_callers = compiler->options & MRG_OPTION_COMPAT};
    MrgContextKind kind = choose_context(compiler, call, &partial);
    if (call->n_named && kind == MRG_CONTEXT_ROOT)
        kind = MRG_CONTEXT_ANY;
    mrg_builder_at(compiler->builder, node->offset);
    choose_section(compiler, call->head, kind, &partial);
    if (!keeps_indent)
        mrg_builder_literal(compiler->builder, node->indent.text, node->indent.length);
    if (!load_operands(compiler, call, &partial))
        return FALSE;
    mrg_builder_at(compiler->builder, node->offset);
    mrg_builder_partial(compiler->builder, partial, call->head->original, call->names,
                        keeps_indent ? node->indent : (MrgSlice){"", 0});
    return TRUE;
}

/* The block stands in front of the call: it is called by the partial, on what that says,
 * but between the blocks around it here. */
static gboolean
compile_block(MrgCompiler *compiler, const MrgNode *node, guint *start)
{
    static const MrgLevel level = {.may_push = TRUE, .may_keep = TRUE, .may_be_root = TRUE};
    MrgJump jump;
    *start = mrg_builder_begin_body(compiler->builder, &jump);
    if (!mrg_compile_push(compiler, node->offset, level) ||
        !mrg_compile_nodes(compiler, node->block->program))
        return FALSE;
    mrg_compile_pop(compiler);
    mrg_builder_end_body(compiler->builder, jump);
    return TRUE;
}

static gboolean
is_slot(const MrgCompiler *compiler, const MrgExpr *head)
{
    return head->type == MRG_EXPR_CALL && mrg_call_is_slot(compiler, head->call);
}

gboolean
mrg_compile_chosen(MrgCompiler *compiler, const MrgNode *node, MrgSlice block)
{
    gboolean is_partial = node->type == MRG_NODE_PARTIAL;
    MrgExpr head = {.type = MRG_EXPR_PATH, .offset = node->offset, .original = block};
    MrgCall call = {.head = &head};
    if (is_partial) {
        call = *node->call;
        call.head = &head;
    }
    return compile_call(compiler, node, &call, MRG_NONE);
}

gboolean
mrg_compile_partial(MrgCompiler *compiler, const MrgNode *node)
{
    guint start = MRG_NONE;
    if (node->type == MRG_NODE_PARTIAL && is_slot(compiler, node->call->head))
        return mrg_compile_slot(compiler, node, node->call->head->call);
    if (node->type == MRG_NODE_PARTIAL)
        return compile_call(compiler, node, node->call, start);
    const MrgBody *body = node->block->program;
    MrgJump scope;
    if (body->has_inline && !mrg_compile_inlines(compiler, body, &scope))
        return FALSE;
    if (!compile_block(compiler, node, &start) ||
        !compile_call(compiler, node, node->block->call, start))
        return FALSE;
    if (body->has_inline)
        mrg_compile_leave_scope(compiler, scope);
    return TRUE;
}
