/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/compile.h"
#include "render/slots.h"

#define SLOTS_NAMED 10 /* in an error */

/*
 * {{block_for "slot"}} and {{> (block_for "slot")}} become the conditions of the slot, one
 * behind the other, with what each chooses: so a program knows the fields that they read,
 * and the blocks that may come.
 */

/* What is done for the rule that holds. */
typedef gboolean (*Choose)(MrgCompiler *compiler, const MrgSlotRule *rule,
                           const MrgNode *node);

gboolean
mrg_call_is_slot(const MrgCompiler *compiler, const MrgCall *call)
{
    return mrg_expr_is_plain(call->head) &&
           mrg_slice_is(call->head->segments[0], "block_for") &&
           !mrg_compile_find_own(compiler, call->head);
}

static gboolean
is_same(MrgSlice a, MrgSlice b)
{
    return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

/* Wherever the tag stands, conditions are on the person. */
static gboolean
load_condition(MrgCompiler *compiler, const MrgSlotRule *rule, gsize offset)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgCompilation compilation = *compiler->compilation;
    compilation.arena = arena;
    compilation.kind = MRG_CONTEXT_ROOT;
    compilation.is_partial = FALSE;
    MrgCompiler inner = {.compilation = &compilation,
                         .builder = compiler->builder,
                         .source = compiler->source,
                         .guarded = 1};
    mrg_builder_work(compiler->builder, rule->condition.length);
    const MrgExpr *expr =
        mrg_handlebars_parse_condition(&compilation, rule->condition, offset);
    return expr && mrg_compile_argument(&inner, expr);
}

/* The rules from first on that have its slot. */
static gboolean
compile_rules(MrgCompiler *compiler, const MrgSlotRule *first, const MrgSlotRule *end,
              gsize offset, const MrgNode *node, Choose choose, GArray *exits)
{
    for (const MrgSlotRule *rule = first; rule < end; rule++) {
        MrgJump next = 0, exit;
        if (!is_same(rule->slot, first->slot))
            break;
        if (rule->condition.length) {
            if (!load_condition(compiler, rule, offset))
                return FALSE;
            next = mrg_builder_jump(compiler->builder, MRG_OP_JUMP_FALSE);
        }
        if (!choose(compiler, rule, node))
            return FALSE;
        exit = mrg_builder_jump(compiler->builder, MRG_OP_JUMP);
        g_array_append_val(exits, exit);
        if (!rule->condition.length || compiler->source->has_failed)
            break;
        mrg_builder_land(compiler->builder, next);
    }
    return !compiler->source->has_failed;
}

static gboolean
fail_slot(MrgCompiler *compiler, const MrgExpr *slot, const MrgSlotRule *rules, gsize n)
{
    MrgQuote quote = mrg_quote(slot->segments[0].text, slot->segments[0].length);
    g_autoptr(GString) known = g_string_new(NULL);
    guint n_slots = 0;
    for (gsize i = 0; i < n && n_slots <= SLOTS_NAMED; i++) {
        if (!rules[i].is_fallback)
            continue;
        MrgQuote name = mrg_quote(rules[i].slot.text, rules[i].slot.length);
        g_string_append_printf(known, "%s%s", known->len ? ", " : "",
                               n_slots++ == SLOTS_NAMED ? "and more" : name.text);
    }
    return mrg_source_fail(compiler->source, slot->offset, MRG_RENDER_ERROR_SYNTAX,
                           "there is no slot '%s' in the block map, which has %s",
                           quote.text, known->len ? known->str : "none");
}

static gboolean
compile_slot(MrgCompiler *compiler, const MrgCall *call, const MrgNode *node, Choose choose)
{
    const MrgSlots *slots = compiler->compilation->options->slots;
    gsize offset = call->head->offset, n_rules = 0;
    const MrgSlotRule *rules = slots ? mrg_slots_rules(slots, &n_rules) : NULL;
    if (call->n_args != 1 || call->n_named || call->args[0]->type != MRG_EXPR_LITERAL)
        return mrg_compile_fail(compiler, offset,
                                "block_for takes the name of a slot: block_for \"hero\"");
    const MrgExpr *slot = call->args[0];
    gsize first = 0;
    while (first < n_rules && !is_same(rules[first].slot, slot->segments[0]))
        first++;
    mrg_builder_work(compiler->builder, first);
    if (first == n_rules)
        return fail_slot(compiler, slot, rules, n_rules);
    g_autoptr(GArray) exits = g_array_new(FALSE, FALSE, sizeof(MrgJump));
    if (!compile_rules(compiler, &rules[first], rules + n_rules, offset, node, choose,
                       exits))
        return FALSE;
    for (guint i = 0; i < exits->len; i++)
        mrg_builder_land(compiler->builder, g_array_index(exits, MrgJump, i));
    return TRUE;
}

/* ---- as a value ---- */

static gboolean
choose_value(MrgCompiler *compiler, const MrgSlotRule *rule,
             const MrgNode *node G_GNUC_UNUSED)
{
    MrgValue value = mrg_value_string(rule->target.text, rule->target.length);
    mrg_builder_load_constant(compiler->builder, &value);
    mrg_builder_forget(compiler->builder);
    return TRUE;
}

gboolean
mrg_compile_slot_value(MrgCompiler *compiler, const MrgCall *call)
{
    if (!compile_slot(compiler, call, NULL, choose_value))
        return FALSE;
    mrg_builder_remember(compiler->builder);
    return TRUE;
}

/* ---- printed ---- */

static gboolean
choose_printed(MrgCompiler *compiler, const MrgSlotRule *rule, const MrgNode *node)
{
    if (!rule->is_text)
        return mrg_compile_chosen(compiler, node, rule->target);
    MrgValue value = mrg_value_string(rule->target.text, rule->target.length);
    mrg_builder_load_constant(compiler->builder, &value);
    mrg_builder_print(compiler->builder, node->is_raw);
    return TRUE;
}

gboolean
mrg_compile_slot(MrgCompiler *compiler, const MrgNode *node, const MrgCall *call)
{
    return compile_slot(compiler, call, node, choose_printed);
}
