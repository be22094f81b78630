/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/escape.h"
#include "render/limits.h"
#include "render/lookup.h"
#include "render/vm.h"

/* ---- values ---- */

static void
make_root(MrgVm *vm)
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

const MrgValue *
mrg_vm_root(MrgVm *vm)
{
    if (vm->input->root)
        return vm->input->root;
    if (!vm->has_root)
        make_root(vm);
    vm->has_root = TRUE;
    return &vm->root;
}

gboolean
mrg_vm_is_same(const MrgValue *a, const MrgValue *b)
{
    return a->type == b->type && a->type >= MRG_VALUE_LIST && a->length == b->length &&
           a->length && a->items == b->items;
}

static void
push(MrgVm *vm, MrgValue value)
{
    *vm->top++ = value;
}

MrgHelperCall
mrg_vm_call(MrgVm *vm)
{
    return (MrgHelperCall){.arena = vm->input->arena,
                           .input = vm->input,
                           .formatters = &vm->formatters,
                           .escape = vm->section->escape,
                           .steps = &vm->steps,
                           .vm = vm};
}

static void
add_mark(MrgVm *vm, guint32 id, guint32 length)
{
    MrgLandmarks *marks = vm->input->marks;
    if (!marks)
        return;
    if (marks->n == marks->room) {
        gsize room = marks->room ? 2 * marks->room : 64;
        MrgLandmark *items = mrg_arena_alloc(vm->input->arena, room * sizeof *items);
        if (marks->n)
            memcpy(items, marks->items, marks->n * sizeof *items);
        marks->items = items;
        marks->room = room;
    }
    marks->items[marks->n++] = (MrgLandmark){vm->out->length, id, length};
}

void
mrg_vm_mark(MrgVm *vm, guint32 id)
{
    add_mark(vm, id, 0);
}

/* Markup of values is in no template. */
static G_GNUC_NO_INLINE void
mark_raw(MrgVm *vm, const char *text, gsize length)
{
    if (length && memchr(text, '<', length))
        add_mark(vm, MRG_LANDMARK_RAW, (guint32) length);
}

/* Apart, since what it has on the stack would slow down the usual value. */
static G_GNUC_NO_INLINE void
print_unusual(MrgVm *vm, const MrgValue *value, gboolean is_raw)
{
    if (value->type <= MRG_VALUE_NULL)
        return;
    MrgHelperCall call = mrg_vm_call(vm);
    MrgValue text = mrg_call_text(&call, value);
    if (is_raw)
        mark_raw(vm, text.text, text.length);
    mrg_escape_append(vm->out, vm->section->escape, is_raw, text.text, text.length);
}

static inline void
print(MrgVm *vm, const MrgValue *value, gboolean is_raw)
{
    if (G_LIKELY(value->type == MRG_VALUE_STRING || value->type == MRG_VALUE_NUMBER)) {
        is_raw |= value->is_safe;
        if (G_UNLIKELY(is_raw))
            mark_raw(vm, value->text, value->length);
        mrg_escape_append(vm->out, vm->section->escape, is_raw, value->text, value->length);
    } else
        print_unusual(vm, value, is_raw);
}

void
mrg_vm_print(MrgVm *vm, const MrgValue *value, gboolean is_raw)
{
    print(vm, value, is_raw);
}

static void
call_helper(MrgVm *vm, const MrgInstruction *i)
{
    MrgHelperCall call = mrg_vm_call(vm);
    call.n_args = mrg_call_positional(i);
    call.n_named = mrg_call_named(i);
    call.names = call.n_named ? &vm->program->names[i->c] : NULL;
    vm->top -= call.n_args + call.n_named;
    call.args = vm->top;
    MrgValue result = mrg_program_helper(vm->program, i->a)->function(&call);
    vm->failure = call.failure;
    vm->code = call.failure_code;
    push(vm, result);
}

static void
include_zero(MrgVm *vm)
{
    MrgValue flag = *--vm->top;
    MrgValue *value = vm->top - 1;
    if (mrg_value_is_true(&flag) && value->type == MRG_VALUE_NUMBER && value->number == 0)
        *value = mrg_value_boolean(TRUE);
}

/* ---- frames ---- */

const MrgFrame *
mrg_vm_frame_up(MrgVm *vm, guint up)
{
    const MrgFrame *frame = vm->frame;
    vm->steps -= up / MRG_FRAMES_PER_STEP;
    for (; up; up--) {
        if (frame->up == MRG_NO_FRAME)
            return NULL;
        frame = &vm->frames[frame->up];
    }
    return frame;
}

static gboolean
is_named(const MrgMember *member, const MrgName *name)
{
    return member->name_length == name->length &&
           memcmp(member->name, name->text, name->length) == 0;
}

/* NULL when there is none.  Objects of one kind have their members in the same order, as a
 * rule, from one run to the next: so the place where a name was last is looked at first. */
static inline const MrgValue *
find_member(MrgVm *vm, const MrgValue *object, guint32 index)
{
    const MrgName *name = &vm->program->names[index];
    guint16 *hint = &vm->program->hints[index];
    guint32 likely = __atomic_load_n(hint, __ATOMIC_RELAXED);
    if (G_LIKELY(likely < object->length && is_named(&object->members[likely], name)))
        return &object->members[likely].value;
    vm->steps -= object->length / MRG_MEMBERS_PER_STEP;
    for (guint32 at = 0; at < object->length; at++) {
        if (!is_named(&object->members[at], name))
            continue;
        __atomic_store_n(hint, (guint16) MIN(at, G_MAXUINT16), __ATOMIC_RELAXED);
        return &object->members[at].value;
    }
    return NULL;
}

MrgValue
mrg_vm_member(MrgVm *vm, const MrgValue *value, guint32 index)
{
    if (value->type != MRG_VALUE_OBJECT)
        return mrg_lookup(value, &vm->program->names[index], &vm->steps, vm->input->arena);
    const MrgValue *found = find_member(vm, value, index);
    return found ? *found : (MrgValue) MRG_VALUE_MISSING_INIT;
}

static void
print_member(MrgVm *vm, const MrgInstruction *i)
{
    const MrgValue *context = &vm->frame->context;
    if (G_LIKELY(context->type == MRG_VALUE_OBJECT)) {
        const MrgValue *found = find_member(vm, context, i->c);
        if (found)
            print(vm, found, i->a);
        return;
    }
    MrgValue value = mrg_vm_member(vm, context, i->c);
    print(vm, &value, i->a);
}

static MrgValue
load_member(MrgVm *vm, const MrgInstruction *i)
{
    const MrgFrame *frame = mrg_vm_frame_up(vm, i->a);
    if (!frame)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    return mrg_vm_member(vm, &frame->context, i->c);
}

static MrgValue
load_either(MrgVm *vm, const MrgInstruction *i)
{
    const MrgFrame *frame = mrg_vm_frame_up(vm, i->a);
    if (frame && frame->is_root)
        return mrg_vm_root_member(vm, frame, i->c, i->b);
    return load_member(vm, i);
}

static MrgValue
load_this(MrgVm *vm, guint up)
{
    const MrgFrame *frame = mrg_vm_frame_up(vm, up);
    if (!frame)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    return mrg_vm_context(vm, frame);
}

static MrgValue
key_of(MrgVm *vm, const MrgFrame *frame)
{
    if (!frame->is_loop)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    if (!frame->members)
        return mrg_lookup_count(frame->at, vm->input->arena);
    const MrgMember *member = &frame->members[frame->at];
    return mrg_value_string(member->name, member->name_length);
}

/* The frame whose @values are in force so many levels up. */
static guint
data_frame(MrgVm *vm, guint up)
{
    guint at = vm->frame->data;
    vm->steps -= up / MRG_FRAMES_PER_STEP;
    for (; up && at != MRG_NO_FRAME; up--)
        at = vm->frames[at - 1].data;
    return at;
}

static MrgValue
load_loop(MrgVm *vm, const MrgInstruction *i)
{
    guint at = data_frame(vm, i->b);
    for (; at != MRG_NO_FRAME && !vm->frames[at].is_loop; at = vm->frames[at - 1].data)
        vm->steps--;
    if (at == MRG_NO_FRAME)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    const MrgFrame *frame = &vm->frames[at];
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

MrgValue
mrg_vm_data(MrgVm *vm, const char *name, gsize length, guint up)
{
    const MrgValue *found;
    for (guint at = data_frame(vm, up); at != MRG_NO_FRAME; at = vm->frames[at - 1].data) {
        const MrgValue *values = vm->frames[at].values;
        vm->steps--;
        if (values && (found = mrg_value_member(values, name, length))->type)
            return *found;
    }
    static const MrgValue none = MRG_VALUE_MISSING_INIT;
    return vm->input->data ? *mrg_value_member(vm->input->data, name, length) : none;
}

static MrgValue
load_data(MrgVm *vm, const MrgInstruction *i)
{
    const MrgName *name = &vm->program->names[i->c];
    return mrg_vm_data(vm, name->text, name->length, i->a);
}

static MrgValue
load_param(MrgVm *vm, const MrgInstruction *i)
{
    const MrgFrame *frame = mrg_vm_frame_outward(vm, i->b);
    const MrgBlockRun *run = frame->run;
    return i->a < run->n_params ? run->params[i->a] : (MrgValue) MRG_VALUE_MISSING_INIT;
}

/* @partial-block, which is nothing where no block was given. */
static MrgValue
load_block(const MrgVm *vm)
{
    return vm->frame->scope->block ? mrg_value_boolean(TRUE)
                                   : (MrgValue) MRG_VALUE_MISSING_INIT;
}

/* The innermost context that has a member of that name; the field, at the root. */
static MrgValue
load_stack(MrgVm *vm, const MrgInstruction *i)
{
    MrgValueType least = i->a & MRG_STACK_SKIPS_NULL ? MRG_VALUE_BOOLEAN : MRG_VALUE_NULL;
    for (guint at = (guint) (vm->frame - vm->frames); at != MRG_NO_FRAME;
         at = vm->frames[at].up) {
        const MrgFrame *frame = &vm->frames[at];
        MrgValue value = MRG_VALUE_MISSING_INIT;
        vm->steps--;
        if (frame->is_root)
            value = mrg_vm_root_member(vm, frame, i->c, i->b);
        else if (!(i->a & MRG_STACK_OBJECTS_ONLY) ||
                 frame->context.type == MRG_VALUE_OBJECT)
            value = mrg_vm_member(vm, &frame->context, i->c);
        if (value.type >= least)
            return value;
    }
    return (MrgValue) MRG_VALUE_MISSING_INIT;
}

static MrgValue
load_frame(MrgVm *vm, guint outward)
{
    return mrg_vm_context(vm, mrg_vm_frame_outward(vm, outward));
}

/* A frame on the context that there is already: ../ and @index mean what they meant. */
void
mrg_vm_open_same(MrgVm *vm)
{
    guint16 outer = (guint16) (vm->frame - vm->frames);
    vm->frame[1] = vm->frame[0];
    vm->frame++;
    vm->frame->outer = outer;
    vm->frame->is_loop = FALSE;
}

/* handlebars.js fixes what ../ means in an inline partial when it makes the body that
 * defines it, so before that has a context. */
static void
open_scope(MrgVm *vm, const MrgInstruction *i)
{
    const MrgFrame *body = vm->frame;
    guint16 around = body->up;
    switch ((MrgAround) i->a) {
    case MRG_AROUND_TEXT:
        break;
    case MRG_AROUND_HERE:
        around = (guint16) (body - vm->frames);
        break;
    case MRG_AROUND_BLOCK:
        around = body->outer;
        break;
    case MRG_AROUND_DEFINITION:
        around = vm->frames[body->outer].around;
        break;
    }
    mrg_vm_open_same(vm);
    vm->frame->around = around;
}

void
mrg_vm_open(MrgVm *vm, const MrgValue *context)
{
    guint16 up = (guint16) (vm->frame - vm->frames);
    guint16 data = vm->frame->data;
    gboolean is_root = context->type == MRG_VALUE_OBJECT &&
                       (vm->has_root || vm->input->root) &&
                       mrg_vm_is_same(context, mrg_vm_root(vm));
    const MrgScope *scope = vm->frame->scope;
    *++vm->frame = (MrgFrame){.context = *context,
                              .up = up,
                              .outer = up,
                              .data = data,
                              .scope = scope,
                              .is_root = is_root};
}

static void
set_item(MrgFrame *frame)
{
    frame->context =
        frame->members ? frame->members[frame->at].value : frame->items[frame->at];
}

/* FALSE when there is nothing to go over. */
static gboolean
open_loop(MrgVm *vm, const MrgValue *value)
{
    if (value->type < MRG_VALUE_LIST || !value->length)
        return FALSE;
    guint16 up = (guint16) (vm->frame - vm->frames);
    gboolean is_list = value->type == MRG_VALUE_LIST;
    const MrgScope *scope = vm->frame->scope;
    *++vm->frame = (MrgFrame){.items = is_list ? value->items : NULL,
                              .members = is_list ? NULL : value->members,
                              .n = value->length,
                              .scope = scope,
                              .up = up,
                              .outer = up,
                              .data = (guint16) (up + 1),
                              .is_loop = TRUE};
    set_item(vm->frame);
    return TRUE;
}

/* handlebars.js, the `with` helper: everything but what isEmpty() says; 0 is something. */
static gboolean
open_with(MrgVm *vm, const MrgInstruction *i, const MrgValue *value)
{
    if (value->type != MRG_VALUE_NUMBER && !mrg_value_is_true(value))
        return FALSE;
    if (i->a)
        mrg_vm_open_same(vm);
    else
        mrg_vm_open(vm, value);
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
open_section(MrgVm *vm, const MrgInstruction *i, const MrgValue *value)
{
    if (is_absent(value))
        return FALSE;
    if (value->type == MRG_VALUE_LIST)
        return open_loop(vm, value);
    if (i->a || value->type == MRG_VALUE_BOOLEAN)
        mrg_vm_open_same(vm);
    else
        mrg_vm_open(vm, value);
    return TRUE;
}

/* A list gives its items, everything else that is true is a context. */
static gboolean
open_mustache(MrgVm *vm, const MrgValue *value)
{
    if (!mrg_value_is_true(value))
        return FALSE;
    if (value->type == MRG_VALUE_LIST)
        return open_loop(vm, value);
    mrg_vm_open(vm, value);
    return TRUE;
}

/* TRUE when there is one more item; else the frame is closed. */
static gboolean
next_item(MrgVm *vm)
{
    MrgFrame *frame = vm->frame;
    if (frame->is_loop && frame->at + 1 < frame->n) {
        frame->at++;
        set_item(frame);
        return TRUE;
    }
    vm->frame--;
    return FALSE;
}

/* ---- the run ---- */

typedef enum { RUN_DONE, RUN_STEPS, RUN_FULL, RUN_REFUSED, RUN_FAILED } RunEnd;

/* What is asked for in strict mode; the message names it. */
static gboolean
require(MrgVm *vm, const MrgInstruction *i)
{
    const char *name = vm->program->names[i->c].text;
    if (i->op == MRG_OP_REQUIRE_CONTEXT) {
        const MrgFrame *frame = mrg_vm_frame_up(vm, i->a);
        gboolean is_root = frame && frame->is_root;
        const MrgValue *root = vm->input->root;
        if (is_root ? !root || root->type > MRG_VALUE_NULL
                    : frame && frame->context.type > MRG_VALUE_NULL)
            return TRUE;
        return mrg_vm_fail(vm, MRG_RENDER_ERROR_VALUE, "there is nothing to have '%s'",
                           mrg_quote(name, strlen(name)).text);
    }
    MrgValueType least = i->op == MRG_OP_REQUIRE ? MRG_VALUE_NULL : MRG_VALUE_BOOLEAN;
    return vm->top[-1].type >= least ||
           mrg_vm_fail(vm, MRG_RENDER_ERROR_VALUE, "'%s' is not there",
                       mrg_quote(name, strlen(name)).text);
}

/* Gives the instruction it ended at. */
static const MrgInstruction *
run(MrgVm *vm, RunEnd *end)
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
            mrg_buffer_append_padded(vm->out, program->pool + i->c, mrg_literal_length(i));
            break;
        case MRG_OP_MARK:
            mrg_vm_mark(vm, i->c);
            continue;
        case MRG_OP_PRINT:
            print(vm, --vm->top, i->a);
            break;
        case MRG_OP_PRINT_SLOT:
            print(vm, &slots[i->c], i->a);
            break;
        case MRG_OP_PRINT_MEMBER:
            print_member(vm, i);
            break;
        case MRG_OP_LOAD_SLOT:
            push(vm, slots[i->c]);
            continue;
        case MRG_OP_LOAD_MEMBER:
            push(vm, load_member(vm, i));
            continue;
        case MRG_OP_LOAD_EITHER:
            push(vm, load_either(vm, i));
            continue;
        case MRG_OP_LOAD_STACK:
            push(vm, load_stack(vm, i));
            continue;
        case MRG_OP_LOAD_THIS:
            push(vm, load_this(vm, i->a));
            continue;
        case MRG_OP_LOAD_ROOT:
            push(vm, *mrg_vm_root(vm));
            continue;
        case MRG_OP_LOAD_LOOP:
            push(vm, load_loop(vm, i));
            continue;
        case MRG_OP_LOAD_DATA:
            push(vm, load_data(vm, i));
            continue;
        case MRG_OP_LOAD_BLOCK:
            push(vm, load_block(vm));
            continue;
        case MRG_OP_LOAD_FRAME:
            push(vm, load_frame(vm, i->b));
            continue;
        case MRG_OP_LOAD_KEY:
            push(vm, key_of(vm, mrg_vm_frame_outward(vm, i->b)));
            continue;
        case MRG_OP_LOAD_PARAM:
            push(vm, load_param(vm, i));
            continue;
        case MRG_OP_LOAD_CONSTANT:
            push(vm, program->constants[i->c]);
            continue;
        case MRG_OP_MEMBER:
            vm->top[-1] = mrg_vm_member(vm, &vm->top[-1], i->c);
            continue;
        case MRG_OP_INCLUDE_ZERO:
            include_zero(vm);
            continue;
        case MRG_OP_REQUIRE:
        case MRG_OP_REQUIRE_OBJECT:
        case MRG_OP_REQUIRE_CONTEXT:
            if (G_UNLIKELY(!require(vm, i))) {
                *end = RUN_FAILED;
                return i;
            }
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
        case MRG_OP_JUMP_FOUND:
            if (vm->top[-1].type != MRG_VALUE_MISSING)
                i = code + i->c - 1;
            else
                vm->top--;
            continue;
        case MRG_OP_ENTER_EACH:
            if (!open_loop(vm, --vm->top))
                i = code + i->c - 1;
            continue;
        case MRG_OP_ENTER_WITH:
            if (!open_with(vm, i, --vm->top))
                i = code + i->c - 1;
            continue;
        case MRG_OP_ENTER_MUSTACHE:
            if (!open_mustache(vm, --vm->top))
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
        case MRG_OP_ENTER_HELPER:
        case MRG_OP_TURN: {
            const MrgInstruction *to =
                i->op == MRG_OP_TURN ? mrg_vm_turn(vm) : mrg_vm_enter_helper(vm, i);
            if (G_UNLIKELY(!to)) {
                *end = RUN_REFUSED;
                return vm->refused;
            }
            i = to - 1;
            break;
        }
        case MRG_OP_ENTER_SCOPE:
            open_scope(vm, i);
            continue;
        case MRG_OP_DEFINE:
            mrg_vm_define(vm, i);
            continue;
        case MRG_OP_PARTIAL: {
            const MrgInstruction *to = mrg_vm_partial(vm, i);
            if (G_UNLIKELY(!to)) {
                *end = RUN_FAILED;
                return i;
            }
            i = to - 1;
            continue;
        }
        case MRG_OP_LINE: {
            const MrgScope *scope = vm->frame->scope;
            if (!i->a || scope->begins_line)
                mrg_buffer_append(vm->out, scope->prefix.text, scope->prefix.length);
            break;
        }
        case MRG_OP_RETURN:
            i = mrg_vm_return(vm);
            break;
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

static guint
step_limit(const MrgRenderInput *input)
{
    return input->max_steps ? MIN(input->max_steps, MRG_LIMIT_STEPS) : MRG_LIMIT_STEPS;
}

static gboolean
fail(const MrgVm *vm, RunEnd end, const MrgInstruction *at, GError **error)
{
    gsize instruction = (gsize) (at - vm->program->code);
    const MrgPosition *position = mrg_program_position(vm->program, instruction);
    const MrgSection *section = mrg_program_section(vm->program, instruction);
    g_autofree char *place =
        g_strdup_printf("%s:%u:%u", section->name, position ? position->line : 1,
                        position ? position->column : 1);
    if (end == RUN_STEPS)
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_LIMIT,
                    "%s: the template takes more than %u steps", place,
                    step_limit(vm->input));
    else if (end == RUN_FULL)
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_LIMIT,
                    "%s: the text grows longer than %" G_GSIZE_FORMAT " bytes", place,
                    vm->out->limit);
    else if (end == RUN_FAILED || vm->code == MRG_RENDER_ERROR_ABORT)
        g_set_error(error, MRG_RENDER_ERROR, (int) vm->code, "%s: %s", place, vm->failure);
    else
        g_set_error(error, MRG_RENDER_ERROR, (int) vm->code, "%s: helper '%s': %s", place,
                    mrg_program_helper(vm->program, at->a)->name, vm->failure);
    return FALSE;
}

gboolean
mrg_program_run(const MrgProgram *program, gsize template_index,
                const MrgRenderInput *input, MrgBuffer *out, GError **error)
{
    g_return_val_if_fail(template_index < program->n_templates, FALSE);
    const MrgSection *section = &program->sections[template_index];
    MrgVm vm = {.program = program,
                .section = section,
                .input = input,
                .out = out,
                .steps = step_limit(input)};
    gboolean has_calls = program->n_calls > 0;
    static const MrgScope outside = {.prefix = {"", 0}};
    vm.top = mrg_arena_alloc(input->arena, sizeof *vm.top * program->max_stack);
    vm.n_frames = has_calls ? program->max_frames * 2 : section->max_frames;
    vm.frames = vm.frame = mrg_arena_alloc(input->arena, sizeof *vm.frames * vm.n_frames);
    *vm.frame = (MrgFrame){.up = MRG_NO_FRAME,
                           .outer = MRG_NO_FRAME,
                           .data = MRG_NO_FRAME,
                           .scope = &outside,
                           .is_root = TRUE};
    RunEnd end;
    const MrgInstruction *at = run(&vm, &end);
    return end == RUN_DONE || fail(&vm, end, at, error);
}
