/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <string.h>

#include "render/limits.h"
#include "render/vm.h"

/* What a call costs, since it asks for memory. */
#define STEPS_PER_CALL 10
#define BYTES_PER_STEP 16
#define NAME_BYTES_PER_STEP 64

gboolean
mrg_vm_fail(MrgVm *vm, MrgRenderError code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    vm->failure = mrg_arena_strdup(vm->input->arena, message);
    vm->code = code;
    return FALSE;
}

/* ---- the hash of a call ---- */

MrgValue
mrg_vm_overlaid_member(MrgVm *vm, const MrgFrame *frame, guint32 name, guint slot)
{
    for (const MrgOverlay *overlay = frame->overlay; overlay; overlay = overlay->below) {
        vm->steps--;
        for (guint32 i = 0; i < overlay->n; i++)
            if (overlay->names[i] == name)
                return overlay->values[i];
    }
    return vm->input->slots[slot];
}

/* Puts named values over the members of an object, in place where it has them, as
 * Utils.extend() of handlebars.js does; a hash is read from its end there, so that the
 * first of two values of one name counts. */
static MrgValue
extend(MrgVm *vm, const MrgValue *object, const guint32 *names, const MrgValue *values,
       guint32 n_values)
{
    gsize n = object->type == MRG_VALUE_OBJECT ? object->length : 0;
    vm->steps -= (gint64) ((n + 1) * (1 + n_values));
    if (vm->steps < 0)
        return *object;
    MrgMember *members = mrg_arena_array(vm->input->arena, MrgMember, n + n_values);
    if (n)
        memcpy(members, object->members, n * sizeof *members);
    for (guint32 i = n_values; i-- > 0;) {
        const MrgName *name = &vm->program->names[names[i]];
        gsize at = 0;
        while (at < n && (members[at].name_length != name->length ||
                          memcmp(members[at].name, name->text, name->length) != 0))
            at++;
        members[at] = (MrgMember){name->text, name->length, values[i]};
        n = MAX(n, at + 1);
    }
    return mrg_value_object(members, n);
}

MrgValue
mrg_vm_overlaid_root(MrgVm *vm, const MrgFrame *frame)
{
    const MrgOverlay *overlays[MRG_LIMIT_PARTIAL_DEPTH];
    MrgValue root = *mrg_vm_root(vm);
    guint n = 0;
    for (const MrgOverlay *overlay = frame->overlay; overlay; overlay = overlay->below)
        overlays[n++] = overlay;
    while (n-- > 0)
        root = extend(vm, &root, overlays[n]->names, overlays[n]->values, overlays[n]->n);
    return root;
}

static void
lay_over(MrgVm *vm, MrgFrame *frame, const MrgPartialCall *call, const MrgValue *values)
{
    MrgArena *arena = vm->input->arena;
    if (!call->n_named)
        return;
    if (!frame->is_root) {
        frame->context = extend(vm, &frame->context, call->named, values, call->n_named);
        return;
    }
    MrgOverlay *overlay = mrg_arena_alloc(arena, sizeof *overlay);
    MrgValue *copy = mrg_arena_array(arena, MrgValue, call->n_named);
    memcpy(copy, values, call->n_named * sizeof *copy);
    *overlay = (MrgOverlay){frame->overlay, call->named, copy, call->n_named};
    frame->overlay = overlay;
}

/* ---- which partial ---- */

void
mrg_vm_define(MrgVm *vm, const MrgInstruction *at)
{
    MrgArena *arena = vm->input->arena;
    MrgDefinition *definition = mrg_arena_alloc(arena, sizeof *definition);
    MrgScope *scope = mrg_arena_alloc(arena, sizeof *scope);
    *definition = (MrgDefinition){vm->frame->scope->definitions, at->c,
                                  (guint32) (at + 2 - vm->program->code),
                                  (guint16) (vm->frame - vm->frames)};
    *scope = *vm->frame->scope;
    scope->definitions = definition;
    vm->frame->scope = scope;
    vm->steps -= STEPS_PER_CALL;
}

static gboolean
is_named(MrgVm *vm, guint32 index, MrgSlice text)
{
    const MrgName *name = &vm->program->names[index];
    if (name->length != text.length)
        return FALSE;
    vm->steps -= name->length / NAME_BYTES_PER_STEP;
    return memcmp(name->text, text.text, text.length) == 0;
}

static const MrgDefinition *
find_definition(MrgVm *vm, const MrgPartialCall *call, MrgSlice name)
{
    const MrgFrame *frame = call->has_inlines ? mrg_vm_frame_outward(vm, 1) : vm->frame;
    const MrgDefinition *at = frame->scope->definitions;
    for (; at; at = at->before) {
        vm->steps--;
        if (call->name == MRG_NONE ? is_named(vm, at->name, name) : at->name == call->name)
            break;
    }
    return at;
}

/* As strcmp(), but either may hold NUL. */
static int
compare(MrgSlice name, const MrgChoice *choice)
{
    int order = memcmp(name.text, choice->name, MIN(name.length, choice->length));
    return order ? order : (name.length > choice->length) - (name.length < choice->length);
}

guint32
mrg_vm_choice(MrgVm *vm, const MrgPartialCall *call, MrgSlice name)
{
    guint32 low = 0, high = call->n_choices;
    while (low < high) {
        guint32 middle = low + (high - low) / 2;
        const MrgChoice *choice = &call->choices[middle];
        int order = compare(name, choice);
        vm->steps -= (gint64) (MIN(name.length, choice->length) / NAME_BYTES_PER_STEP);
        if (!order)
            return choice->section;
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return MRG_NONE;
}

/* The definitions that hold where the text which this scope belongs to has got. */
static const MrgDefinition *
definitions_of(MrgVm *vm, const MrgScope *scope)
{
    const MrgFrame *frame = vm->frame;
    while (frame > vm->frames && frame->scope->text != scope->text) {
        frame--;
        vm->steps--;
    }
    return frame->scope->definitions;
}

/* As === has it, but null and what is missing are the same here. */
static gboolean
is_equal(MrgVm *vm, const MrgValue *a, const MrgValue *b)
{
    if (a->type <= MRG_VALUE_NULL && b->type <= MRG_VALUE_NULL)
        return TRUE;
    if (a->type != b->type)
        return FALSE;
    if (a->type == MRG_VALUE_BOOLEAN)
        return a->boolean == b->boolean;
    if (a->type == MRG_VALUE_NUMBER)
        return a->number == b->number;
    if (a->type != MRG_VALUE_STRING)
        return mrg_vm_is_same(a, b);
    vm->steps -= a->length / BYTES_PER_STEP;
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static gboolean
is_same_context(MrgVm *vm, const MrgFrame *a, const MrgFrame *b)
{
    if (a->is_root || b->is_root)
        return a->is_root == b->is_root && a->overlay == b->overlay;
    return is_equal(vm, &a->context, &b->context);
}

/* What ../ means in a text that stands inside of frame number around, if it is called on
 * the context of that: what it means there. */
static guint16
up_from(MrgVm *vm, guint16 around, const MrgFrame *frame)
{
    if (around == MRG_NO_FRAME || !is_same_context(vm, frame, &vm->frames[around]))
        return around;
    return vm->frames[around].up;
}

static void
enter_block(MrgVm *vm, const MrgVmBlock *block, MrgFrame *frame, MrgScope *scope)
{
    const MrgScope *home = vm->frames[block->frame].scope;
    scope->text = home->text;
    scope->definitions = definitions_of(vm, home);
    scope->block = block->before;
    frame->outer = block->frame;
    frame->up = up_from(vm, block->frame, frame);
}

static void
enter_definition(MrgVm *vm, const MrgDefinition *definition, MrgFrame *frame,
                 MrgScope *scope)
{
    const MrgScope *home = vm->frames[definition->frame].scope;
    scope->text = home->text;
    scope->definitions = definitions_of(vm, home);
    frame->outer = definition->frame;
    frame->up = up_from(vm, vm->frames[definition->frame].around, frame);
}

static void
enter_section(MrgVm *vm, const MrgPartialCall *call, MrgFrame *frame, MrgScope *scope)
{
    guint16 here = (guint16) (vm->frame - vm->frames);
    scope->text = scope;
    frame->outer = MRG_NO_FRAME;
    frame->up = call->sees_callers ? up_from(vm, here, frame) : MRG_NO_FRAME;
}

/* ---- calls ---- */

static MrgFrame
context_of(MrgVm *vm, const MrgPartialCall *call, const MrgValue *value)
{
    MrgFrame frame = {.data = vm->frame->data};
    const MrgFrame *from = NULL;
    switch (call->on) {
    case MRG_ON_FRAME:
        from = mrg_vm_frame_up(vm, call->up);
        break;
    case MRG_ON_ROOT:
        from = &vm->frames[0];
        break;
    case MRG_ON_VALUE:
        frame.context = *value;
        break;
    case MRG_ON_NOTHING:
        break;
    }
    if (from) {
        frame.context = from->context;
        frame.is_root = from->is_root;
        frame.overlay = from->overlay;
    }
    return frame;
}

static MrgVmBlock *
block_of(MrgVm *vm, const MrgPartialCall *call)
{
    if (call->block == MRG_NONE)
        return NULL;
    MrgVmBlock *block = mrg_arena_alloc(vm->input->arena, sizeof *block);
    *block = (MrgVmBlock){call->block, (guint16) (vm->frame - vm->frames),
                          vm->frame->scope->block};
    return block;
}

void
mrg_vm_grow(MrgVm *vm)
{
    gsize used = (gsize) (vm->frame - vm->frames) + 1;
    if (used + vm->program->max_frames <= vm->n_frames)
        return;
    vm->n_frames = 2 * vm->n_frames + vm->program->max_frames;
    MrgFrame *frames = mrg_arena_alloc(vm->input->arena, vm->n_frames * sizeof *frames);
    memcpy(frames, vm->frames, used * sizeof *frames);
    vm->frame = frames + used - 1;
    vm->frames = frames;
}

static const MrgInstruction *
not_found(MrgVm *vm, const MrgPartialCall *call)
{
    if (call->is_block)
        mrg_vm_fail(vm, MRG_RENDER_ERROR_VALUE, "there is no @partial-block here");
    else if (call->name == MRG_NONE)
        mrg_vm_fail(vm, MRG_RENDER_ERROR_VALUE,
                    "there is no partial of the name that the expression gives");
    else
        mrg_vm_fail(vm, MRG_RENDER_ERROR_VALUE, "there is no partial '%s' here",
                    mrg_quote(vm->program->names[call->name].text,
                              vm->program->names[call->name].length)
                        .text);
    return NULL;
}

/* Sets up frame and scope for what the call means; gives where that begins, or MRG_NONE. */
static guint32
choose(MrgVm *vm, const MrgPartialCall *call, MrgSlice name, MrgFrame *frame,
       MrgScope *scope)
{
    const MrgVmBlock *block = block_of(vm, call);
    const MrgDefinition *definition =
        call->is_block ? NULL : find_definition(vm, call, name);
    guint32 section =
        call->name == MRG_NONE ? mrg_vm_choice(vm, call, name) : call->section;
    scope->definitions = vm->frame->scope->definitions;
    scope->block = vm->frame->scope->block;
    if (block) {
        scope->block = block;
        frame->data = (guint16) (vm->frame - vm->frames + 1);
    }
    if (definition) {
        enter_definition(vm, definition, frame, scope);
        return definition->body;
    }
    if (section != MRG_NONE && !call->is_block) {
        enter_section(vm, call, frame, scope);
        return vm->program->sections[section].start;
    }
    const MrgVmBlock *called = call->is_block ? vm->frame->scope->block : NULL;
    if (!called)
        called = block;
    if (!called)
        return MRG_NONE;
    frame->data = (guint16) (vm->frame - vm->frames + 1);
    enter_block(vm, called, frame, scope);
    return called->body;
}

gboolean
mrg_vm_is_too_deep(MrgVm *vm, const MrgScope *scope)
{
    return scope->depth >= MRG_LIMIT_PARTIAL_DEPTH &&
           !mrg_vm_fail(vm, MRG_RENDER_ERROR_LIMIT, "partials are nested deeper than %d",
                        MRG_LIMIT_PARTIAL_DEPTH);
}

const MrgInstruction *
mrg_vm_partial(MrgVm *vm, const MrgInstruction *at)
{
    const MrgPartialCall *call = &vm->program->calls[at->c];
    mrg_vm_grow(vm);
    vm->steps -= STEPS_PER_CALL;
    if (call->is_mustache)
        return mrg_vm_mustache(vm, at);
    MrgScope *scope = mrg_arena_alloc0(vm->input->arena, sizeof *scope);
    MrgSlice name = {"", 0};
    const MrgValue *values = vm->top -= call->n_named;
    if (call->name == MRG_NONE && (--vm->top)->type == MRG_VALUE_STRING)
        name = (MrgSlice){vm->top->text, vm->top->length};
    vm->top -= call->on == MRG_ON_VALUE;
    MrgFrame frame = context_of(vm, call, vm->top);
    lay_over(vm, &frame, call, values);
    scope->depth = vm->frame->scope->depth + 1;
    if (mrg_vm_is_too_deep(vm, scope))
        return NULL;
    guint32 start = choose(vm, call, name, &frame, scope);
    if (start == MRG_NONE)
        return not_found(vm, call);
    scope->call = call;
    scope->back = at;
    scope->start = vm->out->length;
    frame.scope = scope;
    *++vm->frame = frame;
    return vm->program->code + start;
}

/* ---- the way back ---- */

/* Puts the indent in front of each line printed since start, from behind, in place. */
static void
indent_lines(MrgVm *vm, gsize start, const char *indent, gsize length)
{
    MrgBuffer *out = vm->out;
    gsize end = out->length, n = 0;
    for (gsize at = start; at < end; at++)
        n += at == start || out->data[at - 1] == '\n';
    mrg_vm_mark(vm, MRG_LANDMARK_LOST); /* those since start are not where they were */
    vm->steps -= (gint64) ((end - start + n * length) / BYTES_PER_STEP);
    if (vm->steps < 0 || !mrg_buffer_reserve(out, n * length))
        return;
    gsize to = end + n * length;
    out->length = to;
    for (gsize at = end; at-- > start;) {
        out->data[--to] = out->data[at];
        if (at == start || out->data[at - 1] == '\n') {
            to -= length;
            memcpy(out->data + to, indent, length);
        }
    }
}

const MrgInstruction *
mrg_vm_return(MrgVm *vm)
{
    const MrgScope *scope = vm->frame->scope;
    const MrgPartialCall *call = scope->call;
    vm->frame--;
    if (call->indent_length && !call->is_mustache && !vm->out->is_full)
        indent_lines(vm, scope->start, call->indent, call->indent_length);
    return scope->back;
}
