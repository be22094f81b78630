/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/compile.h"

gboolean
mrg_compile_fail(MrgCompiler *compiler, gsize offset, const char *message)
{
    return mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_SYNTAX, "%s",
                           message);
}

gboolean
mrg_slice_is(MrgSlice slice, const char *word)
{
    return slice.length == strlen(word) && memcmp(slice.text, word, slice.length) == 0;
}

/* ---- helpers ---- */

static gboolean
has_arguments(const MrgCall *call)
{
    return call->n_args + call->n_named > 0;
}

gboolean
mrg_expr_is_plain(const MrgExpr *head)
{
    return head->type == MRG_EXPR_PATH && head->n_segments == 1 && !head->is_scoped &&
           !head->is_data;
}

static gboolean
head_is(const MrgCall *call, const char *word)
{
    return mrg_expr_is_plain(call->head) && mrg_slice_is(call->head->segments[0], word);
}

static gboolean
is_block_word(const MrgCall *call)
{
    return head_is(call, "if") || head_is(call, "unless") || head_is(call, "each") ||
           head_is(call, "with");
}

/* One that needs no arguments. */
static const MrgHelper *
find_bare_helper(const MrgCompiler *compiler, const MrgExpr *head)
{
    guint which;
    if (!mrg_expr_is_plain(head) || mrg_compile_param(compiler, head, &which))
        return NULL;
    const MrgHelper *helper =
        mrg_helper_find(head->segments[0].text, head->segments[0].length);
    return helper && helper->min_args == 0 ? helper : NULL;
}

static gboolean
is_built_in(const MrgCall *call)
{
    return is_block_word(call) ||
           (mrg_expr_is_plain(call->head) &&
            mrg_helper_find(call->head->segments[0].text, call->head->segments[0].length));
}

static const MrgHelper *
find_helper(MrgCompiler *compiler, const MrgCall *call)
{
    const MrgExpr *head = call->head;
    if (!mrg_expr_is_plain(head)) {
        mrg_compile_fail(compiler, head->offset,
                         "only a helper takes arguments, and this is no helper's name");
        return NULL;
    }
    MrgSlice name = head->segments[0];
    const MrgHelper *helper = mrg_helper_find(name.text, name.length);
    if (!helper)
        mrg_source_fail(compiler->source, head->offset, MRG_RENDER_ERROR_UNKNOWN_HELPER,
                        "unknown helper '%s', the nearest is '%s'",
                        mrg_quote(name.text, name.length).text,
                        mrg_helper_nearest(name.text, name.length));
    return helper;
}

static gboolean
check_names(MrgCompiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    gsize offset = call->head->offset;
    if (call->n_named && !strchr(helper->arguments, '='))
        return mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_SYNTAX,
                               "helper '%s' takes no named arguments", helper->name);
    for (guint i = 0; i < call->n_named; i++)
        if (!mrg_helper_takes(helper, call->names[i].text, call->names[i].length))
            return mrg_source_fail(
                compiler->source, offset, MRG_RENDER_ERROR_SYNTAX,
                "helper '%s' has no argument '%s='; it takes: %s", helper->name,
                mrg_quote(call->names[i].text, call->names[i].length).text,
                helper->arguments);
    return TRUE;
}

static gboolean
check_arguments(MrgCompiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    gsize offset = call->head->offset;
    if (!check_names(compiler, call, helper))
        return FALSE;
    for (guint i = 0; helper->flags & MRG_HELPER_LITERAL && i < call->n_args; i++)
        if (call->args[i]->type != MRG_EXPR_LITERAL)
            return mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_SYNTAX,
                                   "helper '%s' takes a text in quotes: {{%s %s}}",
                                   helper->name, helper->name, helper->arguments);
    if (call->n_args >= helper->min_args && call->n_args <= helper->max_args)
        return TRUE;
    return mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_SYNTAX,
                           "helper '%s' takes %s%u argument%s, not %u", helper->name,
                           helper->max_args > helper->min_args ? "at least " : "",
                           helper->min_args, helper->min_args == 1 ? "" : "s",
                           call->n_args);
}

static gboolean
load_arguments(MrgCompiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    gboolean is_guarded =
        helper->flags & MRG_HELPER_GUARDS && call->n_args + call->n_named > 1;
    compiler->guarded += is_guarded;
    for (guint i = 0; i < call->n_args + call->n_named; i++)
        if (!mrg_compile_argument(compiler, call->args[i]))
            return FALSE;
    compiler->guarded -= is_guarded;
    return TRUE;
}

/* (lookup @root "name") is the field of that name, which must be known as such. */
static gboolean
is_field_lookup(const MrgCompiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    if (helper->function != mrg_helper_lookup || call->args[1]->type != MRG_EXPR_LITERAL)
        return FALSE;
    const MrgExpr *object = call->args[0];
    return (mrg_expr_is_at_root(object) && object->n_segments == 1) ||
           (mrg_expr_is_context(object) &&
            mrg_target_is_root(mrg_compile_target(compiler, object->up)));
}

static gboolean
load_helper(MrgCompiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    if (is_field_lookup(compiler, call, helper)) {
        mrg_compile_field(compiler, call->args[1]->segments[0]);
        return TRUE;
    }
    if (!load_arguments(compiler, call, helper))
        return FALSE;
    mrg_builder_at(compiler->builder, call->head->offset);
    mrg_builder_call(compiler->builder, helper, call->n_args, call->names, call->n_named);
    return TRUE;
}

static gboolean
fail_block_word(MrgCompiler *compiler, const MrgCall *call)
{
    MrgSlice name = call->head->segments[0];
    MrgQuote quote = mrg_quote(name.text, name.length);
    return mrg_source_fail(compiler->source, call->head->offset, MRG_RENDER_ERROR_SYNTAX,
                           "'%s' opens a block: {{#%s ...}}", quote.text, quote.text);
}

static gboolean
call_helper(MrgCompiler *compiler, const MrgCall *call)
{
    const MrgHelper *own = mrg_compile_find_own(compiler, call->head);
    if (mrg_call_is_slot(compiler, call))
        return mrg_compile_slot_value(compiler, call);
    if (!own && !is_built_in(call))
        own = mrg_compile_find_missing(compiler, "helperMissing");
    if (own)
        return mrg_compile_call_own(compiler, call, own);
    if (is_block_word(call))
        return fail_block_word(compiler, call);
    const MrgHelper *helper = find_helper(compiler, call);
    return helper && check_arguments(compiler, call, helper) &&
           load_helper(compiler, call, helper);
}

/* What a helper makes without arguments is a field first: {{now}}. */
static gboolean
load_field_or_call(MrgCompiler *compiler, const MrgCall *call, const MrgHelper *helper,
                   const MrgHelper *missing)
{
    compiler->guarded++;
    mrg_compile_path(compiler, call->head, TRUE);
    compiler->guarded--;
    MrgJump found = mrg_builder_jump(compiler->builder, MRG_OP_JUMP_FOUND);
    gboolean is_good = helper ? load_helper(compiler, call, helper)
                              : mrg_compile_call_own(compiler, call, missing);
    mrg_builder_land(compiler->builder, found);
    return is_good;
}

/* A name without arguments is a field, whatever helpers there are. */
static gboolean
compile_call(MrgCompiler *compiler, const MrgCall *call)
{
    if (has_arguments(call))
        return call_helper(compiler, call);
    const MrgHelper *own = mrg_compile_find_own(compiler, call->head);
    if (own)
        return mrg_compile_call_own(compiler, call, own);
    const MrgHelper *helper = find_bare_helper(compiler, call->head);
    const MrgHelper *missing = mrg_compile_find_missing(compiler, "helperMissing");
    if (helper || missing)
        return load_field_or_call(compiler, call, helper, missing);
    mrg_compile_path(compiler, call->head, FALSE);
    return TRUE;
}

gboolean
mrg_compile_subexpression(MrgCompiler *compiler, const MrgCall *call)
{
    return call_helper(compiler, call);
}

/* ---- blocks ---- */

static gboolean
load_condition(MrgCompiler *compiler, const MrgExpr *expr)
{
    compiler->guarded++;
    gboolean is_good = mrg_compile_argument(compiler, expr);
    compiler->guarded--;
    return is_good;
}

/* {{#if name}}: inside, the field is there.  Says which one, or G_MAXUINT. */
static guint
guarded_slot(MrgCompiler *compiler, const MrgExpr *expr)
{
    guint which;
    if (expr->type != MRG_EXPR_PATH)
        return G_MAXUINT;
    guint first = mrg_expr_is_at_root(expr) ? 1 : 0;
    gboolean is_field =
        first || (!expr->is_data && !mrg_compile_param(compiler, expr, &which) &&
                  mrg_target_is_root(mrg_compile_target(compiler, expr->up)));
    if (!is_field || first >= expr->n_segments)
        return G_MAXUINT;
    return mrg_builder_field(compiler->builder, expr->segments[first], TRUE);
}

static gboolean
compile_guarded(MrgCompiler *compiler, const MrgBody *body, guint slot)
{
    if (slot == G_MAXUINT)
        return mrg_compile_body(compiler, body);
    mrg_builder_guard(compiler->builder, slot);
    gboolean is_good = mrg_compile_body(compiler, body);
    mrg_builder_unguard(compiler->builder, slot);
    return is_good;
}

/* Both branches behind a jump over the first. */
static gboolean
compile_branches(MrgCompiler *compiler, const MrgBlock *block, MrgJump jump,
                 guint first_slot, guint second_slot)
{
    MrgBuilder *builder = compiler->builder;
    if (!compile_guarded(compiler, block->program, first_slot))
        return FALSE;
    if (!block->inverse) {
        mrg_builder_land(builder, jump);
        return TRUE;
    }
    MrgJump end = mrg_builder_jump(builder, MRG_OP_JUMP);
    mrg_builder_land(builder, jump);
    if (!compile_guarded(compiler, block->inverse, second_slot))
        return FALSE;
    mrg_builder_land(builder, end);
    return TRUE;
}

static gboolean
load_include_zero(MrgCompiler *compiler, const MrgCall *call)
{
    if (!call->n_named)
        return TRUE;
    if (call->n_named > 1 || !mrg_slice_is(call->names[0], "includeZero"))
        return mrg_compile_fail(compiler, call->head->offset,
                                "the only named argument here is includeZero");
    if (!load_condition(compiler, call->args[1]))
        return FALSE;
    mrg_builder_include_zero(compiler->builder);
    return TRUE;
}

static gboolean
compile_if(MrgCompiler *compiler, const MrgBlock *block)
{
    const MrgCall *call = block->call;
    gboolean is_unless = head_is(call, "unless");
    if (call->n_args != 1)
        return mrg_compile_fail(compiler, call->head->offset,
                                "'if' and 'unless' take one argument");
    if (!load_condition(compiler, call->args[0]) || !load_include_zero(compiler, call))
        return FALSE;
    guint slot = guarded_slot(compiler, call->args[0]);
    MrgJump jump = mrg_builder_jump(compiler->builder,
                                    is_unless ? MRG_OP_JUMP_TRUE : MRG_OP_JUMP_FALSE);
    return compile_branches(compiler, block, jump, is_unless ? G_MAXUINT : slot,
                            is_unless ? slot : G_MAXUINT);
}

static gboolean
compile_predicate(MrgCompiler *compiler, const MrgBlock *block, const MrgHelper *helper)
{
    if (!(helper->flags & MRG_HELPER_PREDICATE))
        return mrg_source_fail(compiler->source, block->call->head->offset,
                               MRG_RENDER_ERROR_SYNTAX, "helper '%s' opens no block",
                               helper->name);
    compiler->guarded++;
    gboolean is_good = compile_call(compiler, block->call);
    compiler->guarded--;
    if (!is_good)
        return FALSE;
    MrgJump jump = mrg_builder_jump(compiler->builder, MRG_OP_JUMP_FALSE);
    return compile_branches(compiler, block, jump, G_MAXUINT, G_MAXUINT);
}

gboolean
mrg_compile_push(MrgCompiler *compiler, gsize offset, MrgLevel level)
{
    if (compiler->n_levels + 1 >= G_N_ELEMENTS(compiler->levels))
        return mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_LIMIT,
                               "blocks are nested deeper than %u", MRG_LIMIT_DEPTH);
    compiler->levels[++compiler->n_levels] = level;
    return TRUE;
}

void
mrg_compile_pop(MrgCompiler *compiler)
{
    compiler->n_levels--;
}

/* A block that opens a frame: value loaded, first branch inside, second outside of it. */
static gboolean
compile_frame(MrgCompiler *compiler, const MrgBlock *block, MrgOp op, MrgLevel level)
{
    MrgBuilder *builder = compiler->builder;
    level.block = block;
    level.body = block->program;
    MrgJump enter = mrg_builder_enter(builder, op, level.is_same);
    if (!mrg_compile_push(compiler, block->call->head->offset, level) ||
        !mrg_compile_body(compiler, block->program))
        return FALSE;
    mrg_compile_pop(compiler);
    mrg_builder_next(builder, enter);
    if (!block->inverse) {
        mrg_builder_land(builder, enter);
        return TRUE;
    }
    MrgJump end = mrg_builder_jump(builder, MRG_OP_JUMP);
    mrg_builder_land(builder, enter);
    if (!mrg_compile_body(compiler, block->inverse))
        return FALSE;
    mrg_builder_land(builder, end);
    return TRUE;
}

static gboolean
check_one_argument(MrgCompiler *compiler, const MrgCall *call)
{
    if (call->n_args == 1 && call->n_named == 0)
        return TRUE;
    return mrg_compile_fail(compiler, call->head->offset,
                            "'each' and 'with' take one argument");
}

static gboolean
compile_each(MrgCompiler *compiler, const MrgBlock *block)
{
    const MrgCall *call = block->call;
    return check_one_argument(compiler, call) && load_condition(compiler, call->args[0]) &&
           compile_frame(compiler, block, MRG_OP_ENTER_EACH,
                         (MrgLevel){.may_push = TRUE, .has_key = TRUE});
}

static gboolean
compile_with(MrgCompiler *compiler, const MrgBlock *block)
{
    const MrgCall *call = block->call;
    if (!check_one_argument(compiler, call) || !load_condition(compiler, call->args[0]))
        return FALSE;
    MrgLevel level = mrg_compile_level_on(compiler, call->args[0]);
    level.may_keep = level.is_same;
    level.may_push = !level.is_same;
    return compile_frame(compiler, block, MRG_OP_ENTER_WITH, level);
}

/* {{#name}} and {{^name}}. */
static gboolean
compile_section(MrgCompiler *compiler, const MrgBlock *block)
{
    const MrgExpr *head = block->call->head;
    compiler->guarded++;
    mrg_compile_path(compiler, head, FALSE);
    compiler->guarded--;
    if (!block->program) {
        MrgJump jump = mrg_builder_jump(compiler->builder, MRG_OP_JUMP_PRESENT);
        gboolean is_good = mrg_compile_body(compiler, block->inverse);
        mrg_builder_land(compiler->builder, jump);
        return is_good;
    }
    MrgLevel level = mrg_compile_level_on(compiler, head);
    level.may_keep = TRUE;
    level.may_be_root |= level.is_root;
    level.is_root = FALSE;
    level.has_key = TRUE;
    return compile_frame(compiler, block, MRG_OP_ENTER_SECTION, level);
}

static const MrgHelper *
find_own_block(const MrgCompiler *compiler, const MrgCall *call)
{
    const MrgHelper *own = mrg_compile_find_own(compiler, call->head);
    if (own || is_built_in(call))
        return own;
    return mrg_compile_find_missing(compiler, has_arguments(call) ? "helperMissing"
                                                                  : "blockHelperMissing");
}

static gboolean
compile_block(MrgCompiler *compiler, const MrgBlock *block)
{
    const MrgCall *call = block->call;
    const MrgHelper *own = find_own_block(compiler, call);
    if (own)
        return mrg_compile_own_block(compiler, block, own);
    if (block->is_raw && head_is(call, "raw") && !has_arguments(call))
        return mrg_compile_body(compiler, block->program);
    if (head_is(call, "if") || head_is(call, "unless"))
        return compile_if(compiler, block);
    if (head_is(call, "each"))
        return compile_each(compiler, block);
    if (head_is(call, "with"))
        return compile_with(compiler, block);
    if (!has_arguments(call))
        return compile_section(compiler, block);
    const MrgHelper *helper = find_helper(compiler, call);
    return helper && compile_predicate(compiler, block, helper);
}

/* ---- the rest ---- */

static gboolean
compile_print(MrgCompiler *compiler, const MrgNode *node)
{
    mrg_builder_at(compiler->builder, node->offset);
    if (has_arguments(node->call) && mrg_call_is_slot(compiler, node->call))
        return mrg_compile_slot(compiler, node, node->call);
    if (!compile_call(compiler, node->call))
        return FALSE;
    mrg_builder_print(compiler->builder,
                      node->is_raw || compiler->options & MRG_OPTION_NO_ESCAPE);
    return TRUE;
}

static gboolean
compile_node(MrgCompiler *compiler, const MrgNode *node)
{
    mrg_builder_at(compiler->builder, node->offset);
    switch (node->type) {
    case MRG_NODE_CONTENT:
        mrg_builder_literal(compiler->builder, node->slice.text, node->slice.length);
        return TRUE;
    case MRG_NODE_PRINT:
        return compile_print(compiler, node);
    case MRG_NODE_BLOCK:
        return compile_block(compiler, node->block);
    case MRG_NODE_PARTIAL:
    case MRG_NODE_PARTIAL_BLOCK:
        return mrg_compile_partial(compiler, node);
    case MRG_NODE_SINGLE:
        mrg_single_compile(compiler->builder, node->name,
                           node->has_fallback ? &node->slice : NULL);
        return TRUE;
    case MRG_NODE_INLINE: /* defined when the body began */
    case MRG_NODE_COMMENT:
        return TRUE;
    }
    return FALSE;
}

gboolean
mrg_compile_nodes(MrgCompiler *compiler, const MrgBody *body)
{
    for (const MrgNode *node = body ? body->first : NULL; node; node = node->next)
        if (!compile_node(compiler, node))
            return FALSE;
    return TRUE;
}

gboolean
mrg_compile_body(MrgCompiler *compiler, const MrgBody *body)
{
    MrgJump scope;
    if (!body || !body->has_inline)
        return mrg_compile_nodes(compiler, body);
    if (!mrg_compile_inlines(compiler, body, &scope) || !mrg_compile_nodes(compiler, body))
        return FALSE;
    mrg_compile_leave_scope(compiler, scope);
    return TRUE;
}

gboolean
mrg_tree_check_condition(const MrgCompilation *compilation, const MrgExpr *expr)
{
    MrgCompiler compiler = {.compilation = compilation,
                            .builder = compilation->builder,
                            .source = compilation->source};
    mrg_builder_begin(compiler.builder, compiler.source);
    if (!mrg_compile_argument(&compiler, expr))
        return FALSE;
    mrg_builder_print(compiler.builder, FALSE);
    return mrg_builder_end(compiler.builder);
}

gboolean
mrg_tree_compile(const MrgCompilation *compilation, const MrgBody *root)
{
    MrgCompiler compiler = {.compilation = compilation,
                            .builder = compilation->builder,
                            .source = compilation->source,
                            .options = compilation->options->options};
    compiler.levels[0].body = root;
    return mrg_compile_body(&compiler, root);
}
