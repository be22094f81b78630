/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/compile.h"

/*
 * Helpers that the options bring along.  As in handlebars.js they win over fields, but not
 * over block parameters; one named helperMissing or blockHelperMissing is called where
 * there is neither helper nor field, with the name as its last argument.
 */

static const MrgHelper *
find_by_word(const MrgCompiler *compiler, MrgSlice name)
{
    const MrgCompileOptions *options = compiler->compilation->options;
    for (gsize i = 0; i < options->n_helpers; i++)
        if (mrg_slice_is(name, options->helpers[i].name))
            return mrg_builder_helper(compiler->builder, i);
    return NULL;
}

static gboolean
is_reserved(MrgSlice name)
{
    return mrg_slice_is(name, "helperMissing") || mrg_slice_is(name, "blockHelperMissing");
}

const MrgHelper *
mrg_compile_find_own(const MrgCompiler *compiler, const MrgExpr *head)
{
    guint which;
    if (!mrg_expr_is_plain(head) || is_reserved(head->segments[0]) ||
        mrg_compile_param(compiler, head, &which))
        return NULL;
    return find_by_word(compiler, head->segments[0]);
}

const MrgHelper *
mrg_compile_find_missing(const MrgCompiler *compiler, const char *word)
{
    return find_by_word(compiler, (MrgSlice){word, strlen(word)});
}

static gboolean
is_missing(const MrgCompiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    return helper != mrg_compile_find_own(compiler, call->head);
}

/* What the helper is given, named arguments last; none of these where a name follows. */
static gboolean
load_operands(MrgCompiler *compiler, const MrgCall *call, const MrgHelper *helper,
              guint *n_args, guint *n_named)
{
    gboolean wants_name = is_missing(compiler, call, helper);
    *n_args = call->n_args + wants_name;
    *n_named = wants_name ? 0 : call->n_named;
    for (guint i = 0; i < call->n_args + *n_named; i++)
        if (!mrg_compile_argument(compiler, call->args[i]))
            return FALSE;
    mrg_builder_at(compiler->builder, call->head->offset);
    if (wants_name) {
        MrgSlice name = call->head->original;
        MrgValue value = mrg_value_string(name.text, name.length);
        mrg_builder_load_constant(compiler->builder, &value);
    }
    return TRUE;
}

gboolean
mrg_compile_call_own(MrgCompiler *compiler, const MrgCall *call, const MrgHelper *helper)
{
    guint n_args, n_named;
    if (!load_operands(compiler, call, helper, &n_args, &n_named))
        return FALSE;
    mrg_builder_call(compiler->builder, helper, n_args, call->names, n_named);
    return TRUE;
}

static gboolean
compile_bodies(MrgCompiler *compiler, const MrgBlock *block, MrgJump inverse)
{
    MrgBuilder *builder = compiler->builder;
    const MrgBody *bodies[] = {block->program, block->inverse};
    MrgLevel level = {.may_keep = TRUE,
                      .may_push = TRUE,
                      .may_be_root = TRUE,
                      .is_helper = TRUE,
                      .block = block};
    for (guint i = 0; i < G_N_ELEMENTS(bodies); i++) {
        if (i)
            mrg_builder_land(builder, inverse);
        mrg_builder_open_body(builder);
        level.body = bodies[i];
        if (!mrg_compile_push(compiler, block->call->head->offset, level) ||
            !mrg_compile_body(compiler, bodies[i]))
            return FALSE;
        mrg_compile_pop(compiler);
        mrg_builder_turn(builder);
    }
    mrg_builder_land(builder, inverse + 1);
    return TRUE;
}

gboolean
mrg_compile_own_block(MrgCompiler *compiler, const MrgBlock *block, const MrgHelper *helper)
{
    guint n_args, n_named;
    if (!load_operands(compiler, block->call, helper, &n_args, &n_named))
        return FALSE;
    MrgJump inverse = mrg_builder_enter_helper(
        compiler->builder, helper, n_args, block->call->names, n_named, block->n_params);
    return compile_bodies(compiler, block, inverse);
}
