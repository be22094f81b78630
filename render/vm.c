/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/escape.h"
#include "render/helper.h"
#include "render/limits.h"
#include "render/lookup.h"
#include "render/program.h"

/*
 * The machine runs one template over one input: a stack of values, and a stack of frames,
 * one for each block that may change the context.  It calls itself never, and asks for
 * memory from the input's arena only.
 */

#define NO_FRAME G_MAXUINT16

typedef struct Frame {
    MrgValue context;
    const MrgValue *items;    /* of a loop over a list */
    const MrgMember *members; /* of a loop over an object */
    guint32 at, n;
    guint16 up;   /* the frame that ../ means */
    guint16 loop; /* the frame that @index and its like mean; NO_FRAME for none */
    gboolean is_root;
    gboolean is_loop;
} Frame;

typedef struct Vm {
    const MrgProgram *program;
    const MrgSection *section;
    const MrgRenderInput *input;
    MrgBuffer *out;
    MrgValue *top; /* the next free place of the value stack */
    Frame *frames;
    Frame *frame; /* the innermost */
    MrgValue root;
    gboolean has_root;
    gint64 steps;
    guint16 *hints;      /* for each name: where it was found in an object last */
    const char *failure; /* of a helper */
} Vm;

/* ---- values ---- */

static void
make_root(Vm *vm)
{
    const MrgProgram *program = vm->program;
    MrgMember *members = mrg_arena_array(vm->input->arena, MrgMember, program->n_fields);
    gsize n = 0;
    for (gsize i = 0; i < program->n_fields; i++) {
        const char *name = program->fields[i].name;
        if (vm->input->slots[i].type == MRG_VALUE_MISSING)
            continue;
        members[n++] = (MrgMember){name, (guint32) strlen(name), vm->input->slots[i]};
    }
    vm->root = mrg_value_object(members, n);
}

static const MrgValue *
root_value(Vm *vm)
{
    if (vm->input->root)
        return vm->input->root;
    if (!vm->has_root)
        make_root(vm);
    vm->has_root = TRUE;
    return &vm->root;
}

/* Whether two values are one and the same list or object, as === has it. */
static gboolean
is_same(const MrgValue *a, const MrgValue *b)
{
    return a->type == b->type && a->type >= MRG_VALUE_LIST && a->length == b->length &&
           a->length && a->items == b->items;
}

static void
push(Vm *vm, MrgValue value)
{
    *vm->top++ = value;
}

static MrgHelperCall
make_call(Vm *vm)
{
    return (MrgHelperCall){
        .arena = vm->input->arena, .now_us = vm->input->now_us, .steps = &vm->steps};
}

static void
print(Vm *vm, const MrgValue *value, gboolean is_raw)
{
    MrgEscape escape = vm->section->escape;
    if (value->type == MRG_VALUE_STRING || value->type == MRG_VALUE_NUMBER) {
        mrg_escape_append(vm->out, escape, is_raw || value->is_safe, value->text,
                          value->length);
        return;
    }
    if (value->type <= MRG_VALUE_NULL)
        return;
    MrgHelperCall call = make_call(vm);
    MrgValue text = mrg_call_text(&call, value);
    mrg_escape_append(vm->out, escape, is_raw, text.text, text.length);
}

static void
call_helper(Vm *vm, const MrgInstruction *i)
{
    MrgHelperCall call = make_call(vm);
    call.n_args = mrg_call_positional(i);
    call.n_named = mrg_call_named(i);
    call.names = call.n_named ? &vm->program->names[i->c] : NULL;
    vm->top -= call.n_args + call.n_named;
    call.args = vm->top;
    MrgValue result = mrg_helper_by_id(i->a)->function(&call);
    vm->failure = call.failure;
    push(vm, result);
}

static void
include_zero(Vm *vm)
{
    MrgValue flag = *--vm->top;
    MrgValue *value = vm->top - 1;
    if (mrg_value_is_true(&flag) && value->type == MRG_VALUE_NUMBER && value->number == 0)
        *value = mrg_value_boolean(TRUE);
}

/* ---- frames ---- */

/* NULL above the root. */
static const Frame *
frame_up(const Vm *vm, guint up)
{
    const Frame *frame = vm->frame;
    for (; up; up--) {
        if (frame->up == NO_FRAME)
            return NULL;
        frame = &vm->frames[frame->up];
    }
    return frame;
}

/* The items of a list have their members in the same order, as a rule: so the place where
 * a name was last is looked at first. */
static MrgValue
member_of(Vm *vm, const MrgValue *value, guint32 index)
{
    const MrgName *name = &vm->program->names[index];
    if (value->type != MRG_VALUE_OBJECT)
        return mrg_lookup(value, name, &vm->steps, vm->input->arena);
    guint32 hint = vm->hints[index];
    if (hint < value->length) {
        const MrgMember *likely = &value->members[hint];
        if (likely->name_length == name->length &&
            memcmp(likely->name, name->text, name->length) == 0)
            return likely->value;
    }
    vm->steps -= value->length / MRG_MEMBERS_PER_STEP;
    for (guint32 at = 0; at < value->length; at++) {
        const MrgMember *member = &value->members[at];
        if (member->name_length != name->length ||
            memcmp(member->name, name->text, name->length) != 0)
            continue;
        vm->hints[index] = (guint16) MIN(at, G_MAXUINT16);
        return member->value;
    }
    return (MrgValue) MRG_VALUE_MISSING_INIT;
}

static MrgValue
load_member(Vm *vm, const MrgInstruction *i)
{
    const Frame *frame = frame_up(vm, i->a);
    if (!frame)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    return member_of(vm, &frame->context, i->c);
}

static MrgValue
load_either(Vm *vm, const MrgInstruction *i)
{
    const Frame *frame = frame_up(vm, i->a);
    if (frame && frame->is_root)
        return vm->input->slots[i->b];
    return load_member(vm, i);
}

static MrgValue
load_this(Vm *vm, guint up)
{
    const Frame *frame = frame_up(vm, up);
    if (!frame)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    return frame->is_root ? *root_value(vm) : frame->context;
}

static MrgValue
key_of(Vm *vm, const Frame *frame)
{
    if (!frame->is_loop)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    if (!frame->members)
        return mrg_lookup_count(frame->at, vm->input->arena);
    const MrgMember *member = &frame->members[frame->at];
    return mrg_value_string(member->name, member->name_length);
}

static MrgValue
load_loop(Vm *vm, const MrgInstruction *i)
{
    guint at = vm->frame->loop;
    for (guint up = i->b; up && at != NO_FRAME; up--)
        at = vm->frames[at - 1].loop;
    if (at == NO_FRAME)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    const Frame *frame = &vm->frames[at];
    switch ((MrgLoopVariable) i->a) {
    case MRG_LOOP_INDEX:
        return mrg_lookup_count(frame->at, vm->input->arena);
    case MRG_LOOP_KEY:
        return key_of(vm, frame);
    case MRG_LOOP_FIRST:
        return mrg_value_boolean(frame->at == 0);
    case MRG_LOOP_LAST:
        return mrg_value_boolean(frame->at + 1 == frame->n);
    case MRG_LOOP_COUNT:
        break;
    }
    return (MrgValue) MRG_VALUE_MISSING_INIT;
}

/* A frame on the context that there is already: ../ and @index mean what they meant. */
static void
open_same(Vm *vm)
{
    vm->frame[1] = vm->frame[0];
    vm->frame++;
    vm->frame->is_loop = FALSE;
}

static void
open_frame(Vm *vm, const MrgValue *context)
{
    guint16 up = (guint16) (vm->frame - vm->frames);
    guint16 loop = vm->frame->loop;
    gboolean is_root = context->type == MRG_VALUE_OBJECT &&
                       (vm->has_root || vm->input->root) &&
                       is_same(context, root_value(vm));
    *++vm->frame = (Frame){.context = *context, .up = up, .loop = loop, .is_root = is_root};
}

static void
set_item(Frame *frame)
{
    frame->context =
        frame->members ? frame->members[frame->at].value : frame->items[frame->at];
}

/* FALSE when there is nothing to go over. */
static gboolean
open_loop(Vm *vm, const MrgValue *value)
{
    if (value->type < MRG_VALUE_LIST || !value->length)
        return FALSE;
    guint16 up = (guint16) (vm->frame - vm->frames);
    gboolean is_list = value->type == MRG_VALUE_LIST;
    *++vm->frame = (Frame){.items = is_list ? value->items : NULL,
                           .members = is_list ? NULL : value->members,
                           .n = value->length,
                           .up = up,
                           .loop = (guint16) (up + 1),
                           .is_loop = TRUE};
    set_item(vm->frame);
    return TRUE;
}

/* handlebars.js, the `with` helper: everything but what isEmpty() says; 0 is something. */
static gboolean
open_with(Vm *vm, const MrgInstruction *i, const MrgValue *value)
{
    if (value->type != MRG_VALUE_NUMBER && !mrg_value_is_true(value))
        return FALSE;
    if (i->a)
        open_same(vm);
    else
        open_frame(vm, value);
    return TRUE;
}

/* handlebars.js, blockHelperMissing: so "" and 0 are contexts here. */
static gboolean
is_absent(const MrgValue *value)
{
    return value->type <= MRG_VALUE_NULL ||
           (value->type == MRG_VALUE_BOOLEAN && !value->boolean) ||
           (value->type == MRG_VALUE_LIST && !value->length);
}

static gboolean
open_section(Vm *vm, const MrgInstruction *i, const MrgValue *value)
{
    if (is_absent(value))
        return FALSE;
    if (value->type == MRG_VALUE_LIST)
        return open_loop(vm, value);
    if (i->a || value->type == MRG_VALUE_BOOLEAN)
        open_same(vm);
    else
        open_frame(vm, value);
    return TRUE;
}

/* TRUE when there is one more item; else the frame is closed. */
static gboolean
next_item(Vm *vm)
{
    Frame *frame = vm->frame;
    if (frame->is_loop && frame->at + 1 < frame->n) {
        frame->at++;
        set_item(frame);
        return TRUE;
    }
    vm->frame--;
    return FALSE;
}

/* ---- the run ---- */

typedef enum { RUN_DONE, RUN_STEPS, RUN_FULL, RUN_REFUSED } RunEnd;

/* Gives the instruction it ended at. */
static const MrgInstruction *
run(Vm *vm, RunEnd *end)
{
    const MrgProgram *program = vm->program;
    const MrgInstruction *code = program->code, *i = code + vm->section->start;
    const MrgValue *slots = vm->input->slots;
    for (;; i++) {
        if (G_UNLIKELY(--vm->steps < 0)) {
            *end = RUN_STEPS;
            return i;
        }
        switch ((MrgOp) i->op) {
        case MRG_OP_LITERAL:
            mrg_buffer_append(vm->out, program->pool + i->c, mrg_literal_length(i));
            break;
        case MRG_OP_PRINT:
            print(vm, --vm->top, i->a);
            break;
        case MRG_OP_PRINT_SLOT:
            print(vm, &slots[i->c], i->a);
            break;
        case MRG_OP_PRINT_MEMBER: {
            MrgValue value = member_of(vm, &vm->frame->context, i->c);
            print(vm, &value, i->a);
            break;
        }
        case MRG_OP_LOAD_SLOT:
            push(vm, slots[i->c]);
            continue;
        case MRG_OP_LOAD_MEMBER:
            push(vm, load_member(vm, i));
            continue;
        case MRG_OP_LOAD_EITHER:
            push(vm, load_either(vm, i));
            continue;
        case MRG_OP_LOAD_THIS:
            push(vm, load_this(vm, i->a));
            continue;
        case MRG_OP_LOAD_ROOT:
            push(vm, *root_value(vm));
            continue;
        case MRG_OP_LOAD_LOOP:
            push(vm, load_loop(vm, i));
            continue;
        case MRG_OP_LOAD_FRAME:
            push(vm, vm->frames[i->b].context);
            continue;
        case MRG_OP_LOAD_KEY:
            push(vm, key_of(vm, &vm->frames[i->b]));
            continue;
        case MRG_OP_LOAD_CONSTANT:
            push(vm, program->constants[i->c]);
            continue;
        case MRG_OP_MEMBER:
            vm->top[-1] = member_of(vm, &vm->top[-1], i->c);
            continue;
        case MRG_OP_INCLUDE_ZERO:
            include_zero(vm);
            continue;
        case MRG_OP_CALL:
            call_helper(vm, i);
            if (G_UNLIKELY(vm->failure)) {
                *end = RUN_REFUSED;
                return i;
            }
            continue;
        /* The loop steps on by one, so a jump goes to one before its target. */
        case MRG_OP_JUMP:
            i = code + i->c - 1;
            continue;
        case MRG_OP_JUMP_FALSE:
            if (!mrg_value_is_true(--vm->top))
                i = code + i->c - 1;
            continue;
        case MRG_OP_JUMP_TRUE:
            if (mrg_value_is_true(--vm->top))
                i = code + i->c - 1;
            continue;
        case MRG_OP_JUMP_SLOT_FALSE:
            if (!mrg_value_is_true(&slots[i->b]))
                i = code + i->c - 1;
            continue;
        case MRG_OP_JUMP_SLOT_TRUE:
            if (mrg_value_is_true(&slots[i->b]))
                i = code + i->c - 1;
            continue;
        case MRG_OP_JUMP_PRESENT:
            if (!is_absent(--vm->top))
                i = code + i->c - 1;
            continue;
        case MRG_OP_ENTER_EACH:
            if (!open_loop(vm, --vm->top))
                i = code + i->c - 1;
            continue;
        case MRG_OP_ENTER_WITH:
            if (!open_with(vm, i, --vm->top))
                i = code + i->c - 1;
            continue;
        case MRG_OP_ENTER_SECTION:
            if (!open_section(vm, i, --vm->top))
                i = code + i->c - 1;
            continue;
        case MRG_OP_NEXT:
            if (next_item(vm))
                i = code + i->c - 1;
            continue;
        case MRG_OP_END:
            *end = RUN_DONE;
            return i;
        case MRG_OP_COUNT:
            g_assert_not_reached();
        }
        if (G_UNLIKELY(vm->out->is_full)) {
            *end = RUN_FULL;
            return i;
        }
    }
}

static gboolean
fail(const Vm *vm, RunEnd end, const MrgInstruction *at, GError **error)
{
    const MrgPosition *position =
        mrg_program_position(vm->program, (gsize) (at - vm->program->code));
    g_autofree char *place =
        g_strdup_printf("%s:%u:%u", vm->section->name, position ? position->line : 1,
                        position ? position->column : 1);
    if (end == RUN_STEPS)
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_LIMIT,
                    "%s: the template takes more than %d steps", place, MRG_LIMIT_STEPS);
    else if (end == RUN_FULL)
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_LIMIT,
                    "%s: the text grows longer than %" G_GSIZE_FORMAT " bytes", place,
                    vm->out->limit);
    else
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_VALUE, "%s: helper '%s': %s",
                    place, mrg_helper_by_id(at->a)->name, vm->failure);
    return FALSE;
}

gboolean
mrg_program_run(const MrgProgram *program, gsize template_index,
                const MrgRenderInput *input, MrgBuffer *out, GError **error)
{
    g_return_val_if_fail(template_index < program->n_sections, FALSE);
    const MrgSection *section = &program->sections[template_index];
    Vm vm = {.program = program,
             .section = section,
             .input = input,
             .out = out,
             .steps = MRG_LIMIT_STEPS};
    vm.top = mrg_arena_array(input->arena, MrgValue, section->max_stack);
    vm.hints = mrg_arena_array(input->arena, guint16, program->n_names);
    vm.frames = vm.frame = mrg_arena_array(input->arena, Frame, section->max_frames);
    *vm.frame = (Frame){.up = NO_FRAME, .loop = NO_FRAME, .is_root = TRUE};
    RunEnd end;
    const MrgInstruction *at = run(&vm, &end);
    return end == RUN_DONE || fail(&vm, end, at, error);
}
