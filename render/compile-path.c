/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/compile.h"

/* ---- what a path can mean ---- */

/* What the text itself is rendered on.  Beyond that there is nothing, but where a partial
 * sees the contexts of its caller. */
static void
add_outermost(const MrgCompiler *compiler, guint64 ways, MrgTarget *target)
{
    MrgContextKind kind = compiler->compilation->kind;
    gboolean is_beyond = ways > 1, is_seen = compiler->options & MRG_OPTION_COMPAT;
    if (ways & 1) {
        target->is_root |= kind != MRG_CONTEXT_ITEM;
        target->is_item |= kind != MRG_CONTEXT_ROOT;
    }
    target->is_missing |= is_beyond;
    if (is_beyond && is_seen && compiler->compilation->is_partial)
        target->is_root = target->is_item = TRUE;
}

/* Follows "../" down the levels.  A set bit n of ways says that the level in hand may be
 * reached with n levels still to go. */
MrgTarget
mrg_compile_target(const MrgCompiler *compiler, guint up)
{
    guint64 ways = (guint64) 1 << up;
    MrgTarget target = {0};
    for (guint i = compiler->n_levels; i > 0; i--) {
        const MrgLevel *level = &compiler->levels[i];
        if (level->may_push && ways & 1) {
            target.is_root |= level->is_root || level->may_be_root;
            target.is_item |= !level->is_root;
        }
        ways = (level->may_push ? ways >> 1 : 0) | (level->may_keep ? ways : 0);
        if (level->is_opaque && ways)
            return (MrgTarget){TRUE, TRUE, TRUE};
    }
    add_outermost(compiler, ways, &target);
    return target;
}

gboolean
mrg_target_is_root(MrgTarget target)
{
    return target.is_root && !target.is_item && !target.is_missing;
}

/* A path without a name: this, .., ../.. */
gboolean
mrg_expr_is_context(const MrgExpr *expr)
{
    return expr->type == MRG_EXPR_PATH && !expr->is_data && expr->n_segments == 0;
}

gboolean
mrg_expr_is_at_root(const MrgExpr *expr)
{
    return expr->type == MRG_EXPR_PATH && expr->is_data && expr->up == 0 &&
           expr->n_segments > 0 && mrg_slice_is(expr->segments[0], "root");
}

/* The level whose first (0) or second (1) block parameter a path begins with; 0 for none.
 */
guint
mrg_compile_param(const MrgCompiler *compiler, const MrgExpr *expr, guint *which)
{
    if (expr->type != MRG_EXPR_PATH || expr->is_data || expr->is_scoped ||
        !expr->n_segments)
        return 0;
    for (guint i = compiler->n_levels; i > 0; i--) {
        const MrgBlock *block = compiler->levels[i].block;
        for (*which = 0; block && *which < block->n_params; (*which)++) {
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
load_missing(MrgCompiler *compiler)
{
    static const MrgValue missing = MRG_VALUE_MISSING_INIT;
    mrg_builder_load_constant(compiler->builder, &missing);
}

static gboolean
assumes_objects(const MrgCompiler *compiler)
{
    return compiler->options & (MRG_OPTION_STRICT | MRG_OPTION_ASSUME_OBJECTS);
}

static void
load_members(MrgCompiler *compiler, const MrgExpr *expr, guint first)
{
    for (guint i = first; i < expr->n_segments; i++) {
        if (i && assumes_objects(compiler))
            mrg_builder_require_object(compiler->builder, expr->segments[i - 1]);
        mrg_builder_member(compiler->builder, expr->segments[i]);
    }
}

void
mrg_compile_field(MrgCompiler *compiler, MrgSlice name)
{
    guint slot = mrg_builder_field(compiler->builder, name, compiler->guarded > 0);
    mrg_builder_load_slot(compiler->builder, slot);
}

/* The names of a path below the root, from segment first on. */
static void
load_from_root(MrgCompiler *compiler, const MrgExpr *expr, guint first)
{
    if (first < expr->n_segments)
        mrg_compile_field(compiler, expr->segments[first]);
    else
        mrg_builder_load_root(compiler->builder);
    load_members(compiler, expr, first + 1);
}

/* Whether the run may bring an @value of that name; blocks that bring any are helpers. */
static gboolean
is_data_name(const MrgCompiler *compiler, MrgSlice name)
{
    const MrgCompileOptions *options = compiler->compilation->options;
    for (const char *const *known = options->data; known && *known; known++)
        if (mrg_slice_is(name, *known))
            return TRUE;
    return options->n_helpers && !mrg_slice_is(name, "root");
}

static void
load_data(MrgCompiler *compiler, const MrgExpr *expr)
{
    for (guint i = 0; expr->n_segments && i < MRG_LOOP_COUNT; i++) {
        if (!mrg_slice_is(expr->segments[0], mrg_loop_variable_names[i]))
            continue;
        mrg_builder_load_loop(compiler->builder, (MrgLoopVariable) i, expr->up);
        load_members(compiler, expr, 1);
        return;
    }
    if (expr->n_segments && mrg_slice_is(expr->segments[0], "partial-block"))
        mrg_builder_load_block(compiler->builder);
    else if (expr->n_segments && is_data_name(compiler, expr->segments[0]))
        mrg_builder_load_data(compiler->builder, expr->segments[0], expr->up);
    else
        load_missing(compiler);
    load_members(compiler, expr, 1);
}

static void
load_param(MrgCompiler *compiler, const MrgExpr *expr, guint level, guint which)
{
    const MrgLevel *from = &compiler->levels[level];
    if (which == 0 && from->is_root) {
        load_from_root(compiler, expr, 1);
        return;
    }
    guint outward = compiler->n_levels - level;
    if (from->is_helper) {
        mrg_builder_load_param(compiler->builder, outward, which);
        load_members(compiler, expr, 1);
        return;
    }
    if (from->may_be_root && expr->n_segments > 1)
        mrg_builder_field(compiler->builder, expr->segments[1], TRUE);
    if (which == 0)
        mrg_builder_load_frame(compiler->builder, outward, from->may_be_root);
    else if (which == 1 && from->has_key)
        mrg_builder_load_key(compiler->builder, outward);
    else
        load_missing(compiler);
    load_members(compiler, expr, 1);
}

static void
load_context(MrgCompiler *compiler, const MrgExpr *expr, MrgTarget target)
{
    if (mrg_target_is_root(target))
        mrg_builder_load_root(compiler->builder);
    else
        mrg_builder_load_this(compiler->builder, expr->up, target.is_root);
}

static void
load_name(MrgCompiler *compiler, const MrgExpr *expr, MrgTarget target)
{
    MrgBuilder *builder = compiler->builder;
    MrgSlice name = expr->segments[0];
    gboolean is_compat = compiler->options & MRG_OPTION_COMPAT && !expr->is_scoped;
    if (assumes_objects(compiler) && !is_compat)
        mrg_builder_require_context(builder, name, expr->up);
    if (mrg_target_is_root(target)) {
        mrg_compile_field(compiler, name);
    } else if (is_compat) {
        mrg_builder_load_stack(builder, name, mrg_builder_field(builder, name, TRUE),
                               MRG_STACK_SKIPS_NULL);
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
load_path(MrgCompiler *compiler, const MrgExpr *expr)
{
    gboolean is_at_root =
        mrg_expr_is_at_root(expr) && !is_data_name(compiler, expr->segments[0]);
    guint which, level = mrg_compile_param(compiler, expr, &which);
    MrgTarget target = mrg_compile_target(compiler, expr->up);
    mrg_builder_at(compiler->builder, expr->offset);
    if (level)
        load_param(compiler, expr, level, which);
    else if (is_at_root)
        load_from_root(compiler, expr, 1);
    else if (expr->is_data)
        load_data(compiler, expr);
    else if (expr->n_segments == 0)
        load_context(compiler, expr, target);
    else
        load_name(compiler, expr, target);
}

void
mrg_compile_path(MrgCompiler *compiler, const MrgExpr *expr, gboolean is_argument)
{
    load_path(compiler, expr);
    if (compiler->options & MRG_OPTION_STRICT && !is_argument && expr->n_segments)
        mrg_builder_require(compiler->builder, expr->segments[expr->n_segments - 1]);
}

gboolean
mrg_compile_argument(MrgCompiler *compiler, const MrgExpr *expr)
{
    mrg_builder_at(compiler->builder, expr->offset);
    switch (expr->type) {
    case MRG_EXPR_PATH:
        mrg_compile_path(compiler, expr, TRUE);
        return TRUE;
    case MRG_EXPR_LITERAL:
        mrg_builder_load_constant(compiler->builder, &expr->value);
        return TRUE;
    case MRG_EXPR_CALL:
        return mrg_compile_subexpression(compiler, expr->call);
    }
    return FALSE;
}

/* Whether the context of that level is still the one in force. */
static gboolean
is_innermost_context(const MrgCompiler *compiler, guint level)
{
    for (guint i = compiler->n_levels; i > level; i--)
        if (compiler->levels[i].may_push)
            return FALSE;
    return TRUE;
}

/* What a block opened on this value may have as its context. */
MrgLevel
mrg_compile_level_on(const MrgCompiler *compiler, const MrgExpr *expr)
{
    MrgLevel level = {.may_push = TRUE};
    guint which, param = mrg_compile_param(compiler, expr, &which);
    MrgTarget here = mrg_compile_target(compiler, 0);
    if (mrg_expr_is_context(expr)) {
        MrgTarget target = mrg_compile_target(compiler, expr->up);
        level.is_root = mrg_target_is_root(target);
        level.may_be_root = target.is_root;
        level.is_same = expr->up == 0;
    } else if (mrg_expr_is_at_root(expr) && expr->n_segments == 1) {
        level.is_root = TRUE;
        level.is_same = mrg_target_is_root(here);
    } else if (param && which == 0 && expr->n_segments == 1) {
        level.is_root = compiler->levels[param].is_root;
        level.may_be_root = compiler->levels[param].may_be_root;
        level.is_same = is_innermost_context(compiler, param);
    }
    return level;
}
