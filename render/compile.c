/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/dialect.h"
#include "render/limits.h"

/*
 * From the tree to the builder.  What a name means depends on where it stands, so the
 * compiler keeps track of the frames that will be open at run time, and of what it knows
 * about the context of each.
 */

/* An open frame.  A plain section may do both: true keeps the context, a list or an object
 * gives a new one. */
typedef struct Level {
    gboolean may_keep; /* the context around it */
    gboolean may_push; /* a context of its own */
    gboolean is_root;  /* the new one is the root again, surely or */
    gboolean may_be_root;
    gboolean has_key;      /* each: the second parameter is the key */
    gboolean is_same;      /* opened on the context itself: {{#with .}} */
    const MrgBlock *block; /* for its parameters */
} Level;

typedef struct Compiler {
    MrgBuilder *builder;
    MrgSource *source;
    Level levels[MRG_LIMIT_DEPTH + 2]; /* [0] is the root's, unused */
    guint n_levels;
    guint guarded; /* inside a condition, or beside a fallback */
} Compiler;

static gboolean
fail(Compiler *compiler, gsize offset, const char *message)
{
    return mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_SYNTAX, "%s",
                           message);
}

static gboolean
slice_is(MrgSlice slice, const char *word)
{
    return slice.length == strlen(word) && memcmp(slice.text, word, slice.length) == 0;
}

/* ---- what a path can mean ---- */

typedef struct Target {
    gboolean is_root, is_item, is_missing; /* each: may be */
} Target;

/* Follows "../" down the levels.  A set bit n of ways says that the level in hand may be
 * reached with n levels still to go. */
static Target
find_target(const Compiler *compiler, guint up)
{
    guint64 ways = (guint64) 1 << up;
    Target target = {0};
    for (guint i = compiler->n_levels; i > 0; i--) {
        const Level *level = &compiler->levels[i];
        if (level->may_push && ways & 1) {
            target.is_root |= level->is_root || level->may_be_root;
            target.is_item |= !level->is_root;
        }
        ways = (level->may_push ? ways >> 1 : 0) | (level->may_keep ? ways : 0);
    }
    target.is_root |= ways & 1;
    target.is_missing = ways > 1;
    return target;
}

static gboolean
is_surely_root(Target target)
{
    return target.is_root && !target.is_item && !target.is_missing;
}

/* A path without a name: this, .., ../.. */
static gboolean
is_context(const MrgExpr *expr)
{
    return expr->type == MRG_EXPR_PATH && !expr->is_data && expr->n_segments == 0;
}

static gboolean
is_at_root_name(const MrgExpr *expr)
{
    return expr->type == MRG_EXPR_PATH && expr->is_data && expr->up == 0 &&
           expr->n_segments > 0 && slice_is(expr->segments[0], "root");
}

/* The level whose first (0) or second (1) block parameter a path begins with; 0 for none.
 */
static guint
find_param(const Compiler *compiler, const MrgExpr *expr, guint *which)
{
    if (expr->type != MRG_EXPR_PATH || expr->is_data || expr->is_scoped ||
        !expr->n_segments)
        return 0;
    for (guint i = compiler->n_levels; i > 0; i--) {
        const MrgBlock *block = compiler->levels[i].block;
        for (*which = 0; *which < block->n_params; (*which)++) {
            MrgSlice param = block->params[*which];
            if (param.length == expr->segments[0].length &&
                memcmp(param.text, expr->segments[0].text, param.length) == 0)
                return i;
        }
    }
    return 0;
}

/* ---- loading values ---- */

static void
load_missing(Compiler *compiler)
{
    static const MrgValue missing = MRG_VALUE_MISSING_INIT;
    mrg_builder_load_constant(compiler->builder, &missing);
}

static void
load_members(Compiler *compiler, const MrgExpr *expr, guint first)
{
    for (guint i = first; i < expr->n_segments; i++)
        mrg_builder_member(compiler->builder, expr->segments[i]);
}

static void
load_field(Compiler *compiler, MrgSlice name)
{
    guint slot = mrg_builder_field(compiler->builder, name, compiler->guarded > 0);
    mrg_builder_load_slot(compiler->builder, slot);
}

/* The names of a path below the root, from segment first on. */
static void
load_from_root(Compiler *compiler, const MrgExpr *expr, guint first)
{
    if (first < expr->n_segments)
        load_field(compiler, expr->segments[first]);
    else
        mrg_builder_load_root(compiler->builder);
    load_members(compiler, expr, first + 1);
}

static void
load_data(Compiler *compiler, const MrgExpr *expr)
{
    for (guint i = 0; expr->n_segments && i < MRG_LOOP_COUNT; i++) {
        if (!slice_is(expr->segments[0], mrg_loop_variable_names[i]))
            continue;
        mrg_builder_load_loop(compiler->builder, (MrgLoopVariable) i, expr->up);
        load_members(compiler, expr, 1);
        return;
    }
    load_missing(compiler);
}

static void
load_param(Compiler *compiler, const MrgExpr *expr, guint level, guint which)
{
    const Level *from = &compiler->levels[level];
    if (which == 0 && from->is_root) {
        load_from_root(compiler, expr, 1);
        return;
    }
    if (which == 0)
        mrg_builder_load_frame(compiler->builder, level);
    else if (which == 1 && from->has_key)
        mrg_builder_load_key(compiler->builder, level);
    else
        load_missing(compiler);
    load_members(compiler, expr, 1);
}

static void
load_context(Compiler *compiler, const MrgExpr *expr, Target target)
{
    if (is_surely_root(target))
        mrg_builder_load_root(compiler->builder);
    else
        mrg_builder_load_this(compiler->builder, expr->up, target.is_root);
}

static void
load_name(Compiler *compiler, const MrgExpr *expr, Target target)
{
    MrgBuilder *builder = compiler->builder;
    MrgSlice name = expr->segments[0];
    if (is_surely_root(target)) {
        load_field(compiler, name);
    } else if (target.is_root) {
        guint slot = mrg_builder_field(builder, name, compiler->guarded > 0);
        mrg_builder_load_either(builder, name, expr->up, slot);
    } else if (target.is_item) {
        mrg_builder_load_member(builder, name, expr->up);
    } else {
        load_missing(compiler);
    }
    load_members(compiler, expr, 1);
}

/* A path, or the name that a literal stands for. */
static void
load_path(Compiler *compiler, const MrgExpr *expr)
{
    guint which, level = find_param(compiler, expr, &which);
    Target target = find_target(compiler, expr->up);
    mrg_builder_at(compiler->builder, expr->offset);
    if (level)
        load_param(compiler, expr, level, which);
    else if (is_at_root_name(expr))
        load_from_root(compiler, expr, 1);
    else if (expr->is_data)
        load_data(compiler, expr);
    else if (expr->n_segments == 0)
        load_context(compiler, expr, target);
    else
        load_name(compiler, expr, target);
}

static gboolean load_call(Compiler *compiler, const MrgCall *call);

static gboolean
load_argument(Compiler *compiler, const MrgExpr *expr)
{
    mrg_builder_at(compiler->builder, expr->offset);
    switch (expr->type) {
    case MRG_EXPR_PATH:
        load_path(compiler, expr);
        return TRUE;
    case MRG_EXPR_LITERAL:
        mrg_builder_load_constant(compiler->builder, &expr->value);
        return TRUE;
    case MRG_EXPR_CALL:
        return load_call(compiler, expr->call);
    }
    return FALSE;
}

/* ---- helpers ---- */

static gboolean
has_arguments(const MrgCall *call)
{
    return call->n_args + call->n_named > 0;
}

/* Whether the head is a plain name, as a helper's must be. */
static gboolean
is_plain_name(const MrgExpr *head)
{
    return head->type == MRG_EXPR_PATH && head->n_segments == 1 && !head->is_scoped &&
           !head->is_data;
}

static gboolean
head_is(const MrgCall *call, const char *word)
{
    return is_plain_name(call->head) && slice_is(call->head->segments[0], word);
}

static gboolean
is_block_word(const MrgCall *call)
{
    return head_is(call, "if") || head_is(call, "unless") || head_is(call, "each") ||
           head_is(call, "with");
}

static const MrgHelper *
find_helper(Compiler *compiler, const MrgCall *call)
{
    const MrgExpr *head = call->head;
    if (!is_plain_name(head)) {
        fail(compiler, head->offset,
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
check_arguments(Compiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    gsize offset = call->head->offset;
    if (call->n_named && !(helper->flags & MRG_HELPER_NAMED))
        return mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_SYNTAX,
                               "helper '%s' takes no named arguments", helper->name);
    if (call->n_args >= helper->min_args && call->n_args <= helper->max_args)
        return TRUE;
    return mrg_source_fail(compiler->source, offset, MRG_RENDER_ERROR_SYNTAX,
                           "helper '%s' takes %s%u argument%s, not %u", helper->name,
                           helper->max_args > helper->min_args ? "at least " : "",
                           helper->min_args, helper->min_args == 1 ? "" : "s",
                           call->n_args);
}

static gboolean
load_arguments(Compiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    gboolean is_guarded = (helper->flags & MRG_HELPER_GUARDS) != 0;
    compiler->guarded += is_guarded;
    for (guint i = 0; i < call->n_args + call->n_named; i++)
        if (!load_argument(compiler, call->args[i]))
            return FALSE;
    compiler->guarded -= is_guarded;
    return TRUE;
}

/* (lookup @root "name") is the field of that name, which must be known as such. */
static gboolean
is_field_lookup(const Compiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    if (helper->function != mrg_helper_lookup || call->args[1]->type != MRG_EXPR_LITERAL)
        return FALSE;
    const MrgExpr *object = call->args[0];
    return (is_at_root_name(object) && object->n_segments == 1) ||
           (is_context(object) && is_surely_root(find_target(compiler, object->up)));
}

static gboolean
load_helper(Compiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    if (is_field_lookup(compiler, call, helper)) {
        load_field(compiler, call->args[1]->segments[0]);
        return TRUE;
    }
    if (!load_arguments(compiler, call, helper))
        return FALSE;
    mrg_builder_at(compiler->builder, call->head->offset);
    mrg_builder_call(compiler->builder, helper, call->n_args, call->names, call->n_named);
    return TRUE;
}

/* A name without arguments is a field, whatever helpers there are. */
static gboolean
load_call(Compiler *compiler, const MrgCall *call)
{
    if (!has_arguments(call)) {
        load_path(compiler, call->head);
        return TRUE;
    }
    if (is_block_word(call))
        return mrg_source_fail(
            compiler->source, call->head->offset, MRG_RENDER_ERROR_SYNTAX,
            "'%s' opens a block: {{#%s ...}}",
            mrg_quote(call->head->segments[0].text, call->head->segments[0].length).text,
            mrg_quote(call->head->segments[0].text, call->head->segments[0].length).text);
    const MrgHelper *helper = find_helper(compiler, call);
    return helper && check_arguments(compiler, call, helper) &&
           load_helper(compiler, call, helper);
}

/* ---- blocks ---- */

static gboolean compile_body(Compiler *compiler, const MrgBody *body);

static gboolean
load_condition(Compiler *compiler, const MrgExpr *expr)
{
    compiler->guarded++;
    gboolean is_good = load_argument(compiler, expr);
    compiler->guarded--;
    return is_good;
}

/* {{#if name}}: inside, the field is there.  Says which one, or G_MAXUINT. */
static guint
guarded_slot(Compiler *compiler, const MrgExpr *expr)
{
    guint which;
    if (expr->type != MRG_EXPR_PATH)
        return G_MAXUINT;
    guint first = is_at_root_name(expr) ? 1 : 0;
    gboolean is_field = first || (!expr->is_data && !find_param(compiler, expr, &which) &&
                                  is_surely_root(find_target(compiler, expr->up)));
    if (!is_field || first >= expr->n_segments)
        return G_MAXUINT;
    return mrg_builder_field(compiler->builder, expr->segments[first], TRUE);
}

static gboolean
compile_guarded(Compiler *compiler, const MrgBody *body, guint slot)
{
    if (slot == G_MAXUINT)
        return compile_body(compiler, body);
    mrg_builder_guard(compiler->builder, slot);
    gboolean is_good = compile_body(compiler, body);
    mrg_builder_unguard(compiler->builder, slot);
    return is_good;
}

/* Both branches behind a jump over the first. */
static gboolean
compile_branches(Compiler *compiler, const MrgBlock *block, MrgJump jump, guint first_slot,
                 guint second_slot)
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
load_include_zero(Compiler *compiler, const MrgCall *call)
{
    if (!call->n_named)
        return TRUE;
    if (call->n_named > 1 || !slice_is(call->names[0], "includeZero"))
        return fail(compiler, call->head->offset,
                    "the only named argument here is includeZero");
    if (!load_condition(compiler, call->args[1]))
        return FALSE;
    mrg_builder_include_zero(compiler->builder);
    return TRUE;
}

static gboolean
compile_if(Compiler *compiler, const MrgBlock *block)
{
    const MrgCall *call = block->call;
    gboolean is_unless = head_is(call, "unless");
    if (call->n_args != 1)
        return fail(compiler, call->head->offset, "'if' and 'unless' take one argument");
    if (!load_condition(compiler, call->args[0]) || !load_include_zero(compiler, call))
        return FALSE;
    guint slot = guarded_slot(compiler, call->args[0]);
    MrgJump jump = mrg_builder_jump(compiler->builder,
                                    is_unless ? MRG_OP_JUMP_TRUE : MRG_OP_JUMP_FALSE);
    return compile_branches(compiler, block, jump, is_unless ? G_MAXUINT : slot,
                            is_unless ? slot : G_MAXUINT);
}

static gboolean
compile_predicate(Compiler *compiler, const MrgBlock *block, const MrgHelper *helper)
{
    if (!(helper->flags & MRG_HELPER_PREDICATE))
        return mrg_source_fail(compiler->source, block->call->head->offset,
                               MRG_RENDER_ERROR_SYNTAX, "helper '%s' opens no block",
                               helper->name);
    compiler->guarded++;
    gboolean is_good = load_call(compiler, block->call);
    compiler->guarded--;
    if (!is_good)
        return FALSE;
    MrgJump jump = mrg_builder_jump(compiler->builder, MRG_OP_JUMP_FALSE);
    return compile_branches(compiler, block, jump, G_MAXUINT, G_MAXUINT);
}

/* A block that opens a frame: value loaded, first branch inside, second outside of it. */
static gboolean
compile_frame(Compiler *compiler, const MrgBlock *block, MrgOp op, Level level)
{
    MrgBuilder *builder = compiler->builder;
    level.block = block;
    if (mrg_builder_frames(builder) > MRG_LIMIT_DEPTH)
        return mrg_source_fail(compiler->source, block->call->head->offset,
                               MRG_RENDER_ERROR_LIMIT, "blocks are nested deeper than %u",
                               MRG_LIMIT_DEPTH);
    MrgJump enter = mrg_builder_enter(builder, op, level.is_same);
    compiler->levels[++compiler->n_levels] = level;
    if (!compile_body(compiler, block->program))
        return FALSE;
    compiler->n_levels--;
    mrg_builder_next(builder, enter);
    if (!block->inverse) {
        mrg_builder_land(builder, enter);
        return TRUE;
    }
    MrgJump end = mrg_builder_jump(builder, MRG_OP_JUMP);
    mrg_builder_land(builder, enter);
    if (!compile_body(compiler, block->inverse))
        return FALSE;
    mrg_builder_land(builder, end);
    return TRUE;
}

static gboolean
check_one_argument(Compiler *compiler, const MrgCall *call)
{
    if (call->n_args == 1 && call->n_named == 0)
        return TRUE;
    return fail(compiler, call->head->offset, "'each' and 'with' take one argument");
}

static gboolean
compile_each(Compiler *compiler, const MrgBlock *block)
{
    const MrgCall *call = block->call;
    return check_one_argument(compiler, call) && load_condition(compiler, call->args[0]) &&
           compile_frame(compiler, block, MRG_OP_ENTER_EACH,
                         (Level){.may_push = TRUE, .has_key = TRUE});
}

/* Whether the context of that level is still the one in force. */
static gboolean
is_innermost_context(const Compiler *compiler, guint level)
{
    for (guint i = compiler->n_levels; i > level; i--)
        if (compiler->levels[i].may_push)
            return FALSE;
    return TRUE;
}

/* What a block opened on this value may have as its context. */
static Level
level_on(const Compiler *compiler, const MrgExpr *expr)
{
    Level level = {.may_push = TRUE};
    guint which, param = find_param(compiler, expr, &which);
    Target here = find_target(compiler, 0);
    if (is_context(expr)) {
        Target target = find_target(compiler, expr->up);
        level.is_root = is_surely_root(target);
        level.may_be_root = target.is_root;
        level.is_same = expr->up == 0;
    } else if (is_at_root_name(expr) && expr->n_segments == 1) {
        level.is_root = TRUE;
        level.is_same = is_surely_root(here);
    } else if (param && which == 0 && expr->n_segments == 1) {
        level.is_root = compiler->levels[param].is_root;
        level.may_be_root = compiler->levels[param].may_be_root;
        level.is_same = is_innermost_context(compiler, param);
    }
    return level;
}

static gboolean
compile_with(Compiler *compiler, const MrgBlock *block)
{
    const MrgCall *call = block->call;
    if (!check_one_argument(compiler, call) || !load_condition(compiler, call->args[0]))
        return FALSE;
    Level level = level_on(compiler, call->args[0]);
    level.may_keep = level.is_same;
    level.may_push = !level.is_same;
    return compile_frame(compiler, block, MRG_OP_ENTER_WITH, level);
}

/* {{#name}} and {{^name}}. */
static gboolean
compile_section(Compiler *compiler, const MrgBlock *block)
{
    const MrgExpr *head = block->call->head;
    compiler->guarded++;
    load_path(compiler, head);
    compiler->guarded--;
    if (!block->program) {
        MrgJump jump = mrg_builder_jump(compiler->builder, MRG_OP_JUMP_PRESENT);
        gboolean is_good = compile_body(compiler, block->inverse);
        mrg_builder_land(compiler->builder, jump);
        return is_good;
    }
    Level level = level_on(compiler, head);
    level.may_keep = TRUE;
    level.may_be_root |= level.is_root;
    level.is_root = FALSE;
    level.has_key = TRUE;
    return compile_frame(compiler, block, MRG_OP_ENTER_SECTION, level);
}

static gboolean
compile_block(Compiler *compiler, const MrgBlock *block)
{
    const MrgCall *call = block->call;
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
compile_print(Compiler *compiler, const MrgNode *node)
{
    mrg_builder_at(compiler->builder, node->offset);
    if (!load_call(compiler, node->call))
        return FALSE;
    mrg_builder_print(compiler->builder, node->is_raw);
    return TRUE;
}

static gboolean
compile_node(Compiler *compiler, const MrgNode *node)
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
    case MRG_NODE_SINGLE:
        mrg_single_compile(compiler->builder, node->name,
                           node->has_fallback ? &node->slice : NULL);
        return TRUE;
    case MRG_NODE_COMMENT:
        return TRUE;
    }
    return FALSE;
}

static gboolean
compile_body(Compiler *compiler, const MrgBody *body)
{
    for (const MrgNode *node = body ? body->first : NULL; node; node = node->next)
        if (!compile_node(compiler, node))
            return FALSE;
    return TRUE;
}

gboolean
mrg_tree_compile(const MrgCompilation *compilation, const MrgBody *root)
{
    Compiler compiler = {.builder = compilation->builder, .source = compilation->source};
    return compile_body(&compiler, root);
}
