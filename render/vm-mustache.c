/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/vm.h"

/* A step pays for so many bytes of white space. */
#define BYTES_PER_STEP 16

/*
 * Partials, parents and blocks of mustache see the contexts around their call, and the
 * blocks that it gives.  They are indented as if white space had been put in front of each
 * line of their text, not of what they print.
 */

/* The outermost one counts: a template overrides what its parent says. */
static const MrgDefinition *
find_block(MrgVm *vm, guint32 name)
{
    const MrgDefinition *found = NULL;
    for (const MrgDefinition *at = vm->frame->scope->definitions; at; at = at->before) {
        vm->steps--;
        if (at->name == name)
            found = at;
    }
    return found;
}

/* The instruction it begins with; MRG_NONE where there is none. */
static guint32
find_start(MrgVm *vm, const MrgPartialCall *call)
{
    guint32 section = call->section;
    if (call->is_block) {
        const MrgDefinition *block = find_block(vm, call->name);
        return block ? block->body : call->block;
    }
    if (call->name == MRG_NONE) {
        const MrgValue *name = --vm->top;
        if (name->type != MRG_VALUE_STRING)
            return MRG_NONE;
        section = mrg_vm_choice(vm, call, (MrgSlice){name->text, name->length});
    }
    return section == MRG_NONE ? MRG_NONE : vm->program->sections[section].start;
}

static MrgSlice
join(MrgVm *vm, MrgSlice prefix, const MrgPartialCall *call)
{
    if (!call->indent_length)
        return prefix;
    vm->steps -= (gint64) ((prefix.length + call->indent_length) / BYTES_PER_STEP);
    if (vm->steps < 0)
        return prefix;
    char *text = mrg_arena_alloc(vm->input->arena, prefix.length + call->indent_length);
    memcpy(text, prefix.text, prefix.length);
    memcpy(text + prefix.length, call->indent, call->indent_length);
    return (MrgSlice){text, prefix.length + call->indent_length};
}

const MrgInstruction *
mrg_vm_mustache(MrgVm *vm, const MrgInstruction *at)
{
    const MrgPartialCall *call = &vm->program->calls[at->c];
    const MrgScope *caller = vm->frame->scope;
    guint32 start = find_start(vm, call);
    if (start == MRG_NONE)
        return at + 1;
    MrgScope *scope = mrg_arena_alloc0(vm->input->arena, sizeof *scope);
    scope->text = scope;
    scope->definitions = caller->definitions;
    scope->call = call;
    scope->back = at;
    scope->depth = caller->depth + 1;
    scope->prefix = (MrgSlice){"", 0};
    if (call->is_block || call->line != MRG_LINE_NO)
        scope->prefix = join(vm, caller->prefix, call);
    scope->begins_line = call->line == MRG_LINE_YES ||
                         (call->line == MRG_LINE_AS_CALLER && caller->begins_line);
    if (mrg_vm_is_too_deep(vm, scope))
        return NULL;
    mrg_vm_open_same(vm);
    vm->frame->scope = scope;
    return vm->program->code + start;
}
