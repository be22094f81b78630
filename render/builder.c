/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "base/buffer.h"
#include "render/builder.h"
#include "render/limits.h"
#include "render/lookup.h"

/* Reading or keeping so many bytes is as much as an instruction. */
#define BYTES_PER_INSTRUCTION 64
#define BYTES_KEPT_PER_INSTRUCTION 16

typedef struct FieldState {
    guint guards;
    gboolean is_required;
} FieldState;

struct MrgBuilder {
    MrgProgram *program; /* its arena and references; the tables are here until the end */
    GArray *code;
    GString *pool;
    GArray *constants;
    GArray *names;
    GHashTable *name_index; /* text -> index + 1 */
    GArray *fields;
    GArray *field_states;
    GHashTable *field_index; /* text -> slot + 1 */
    GArray *positions;
    GArray *sections;
    GArray *calls;
    gsize work; /* in instructions */

    /* of the template in hand */
    MrgSource *source;
    MrgSection section;
    gsize pool_start;
    gsize offset;
    guint label; /* code from here on may be fused: nothing jumps in between */
    guint stack, frames;
    gboolean is_dynamic;
    const MrgMarker *marker;
    GArray *marks; /* of the source in hand */
};

MrgBuilder *
mrg_builder_new(const MrgHelper *helpers, gsize n_helpers)
{
    MrgBuilder *builder = g_new0(MrgBuilder, 1);
    builder->program = g_new0(MrgProgram, 1);
    g_atomic_int_set(&builder->program->references, 1);
    builder->program->arena = mrg_arena_new();
    builder->code = g_array_new(FALSE, FALSE, sizeof(MrgInstruction));
    builder->pool = g_string_new(NULL);
    builder->constants = g_array_new(FALSE, FALSE, sizeof(MrgValue));
    builder->names = g_array_new(FALSE, FALSE, sizeof(MrgName));
    builder->name_index = g_hash_table_new(g_str_hash, g_str_equal);
    builder->fields = g_array_new(FALSE, FALSE, sizeof(MrgProgramField));
    builder->field_states = g_array_new(FALSE, TRUE, sizeof(FieldState));
    builder->field_index = g_hash_table_new(g_str_hash, g_str_equal);
    builder->positions = g_array_new(FALSE, FALSE, sizeof(MrgPosition));
    builder->sections = g_array_new(FALSE, FALSE, sizeof(MrgSection));
    builder->calls = g_array_new(FALSE, FALSE, sizeof(MrgPartialCall));
    builder->program->helpers = g_memdup2(helpers, n_helpers * sizeof *helpers);
    builder->program->n_helpers = n_helpers;
    return builder;
}

void
mrg_builder_set_marker(MrgBuilder *builder, const MrgMarker *marker)
{
    builder->marker = marker;
    if (marker && !builder->marks)
        builder->marks = g_array_new(FALSE, FALSE, sizeof(MrgLandmark));
}

const MrgHelper *
mrg_builder_helper(const MrgBuilder *builder, gsize i)
{
    return &builder->program->helpers[i];
}

void
mrg_builder_free(MrgBuilder *builder)
{
    if (!builder)
        return;
    mrg_program_unref(builder->program);
    g_clear_pointer(&builder->marks, g_array_unref);
    g_array_unref(builder->code);
    g_string_free(builder->pool, TRUE);
    g_array_unref(builder->constants);
    g_array_unref(builder->names);
    g_hash_table_unref(builder->name_index);
    g_array_unref(builder->fields);
    g_array_unref(builder->field_states);
    g_hash_table_unref(builder->field_index);
    g_array_unref(builder->positions);
    g_array_unref(builder->sections);
    g_array_unref(builder->calls);
    g_free(builder);
}

MrgArena *
mrg_builder_arena(const MrgBuilder *builder)
{
    return builder->program->arena;
}

static gpointer
steal_array(GArray *array, gsize *n)
{
    return g_array_steal(array, n);
}

MrgProgram *
mrg_builder_steal(MrgBuilder *builder)
{
    MrgProgram *program = g_steal_pointer(&builder->program);
    for (guint i = 0; i < builder->fields->len; i++)
        g_array_index(builder->fields, MrgProgramField, i).has_default =
            !g_array_index(builder->field_states, FieldState, i).is_required;
    program->code = steal_array(builder->code, &program->n_code);
    program->constants = steal_array(builder->constants, &program->n_constants);
    program->names = steal_array(builder->names, &program->n_names);
    program->fields = steal_array(builder->fields, &program->n_fields);
    program->positions = steal_array(builder->positions, &program->n_positions);
    program->sections = steal_array(builder->sections, &program->n_sections);
    program->calls = steal_array(builder->calls, &program->n_calls);
    program->n_pool = builder->pool->len;
    /* For mrg_buffer_append_padded(). */
    static const char padding[MRG_BUFFER_SLACK] = "";
    g_string_append_len(builder->pool, padding, sizeof padding);
    program->hints = g_new0(guint16, MAX(program->n_names, 1));
    program->pool = g_string_free(builder->pool, FALSE);
    builder->pool = g_string_new(NULL);
    return program;
}

static void
fail_limit(MrgBuilder *builder, const char *what, guint limit)
{
    mrg_source_fail(builder->source, builder->offset, MRG_RENDER_ERROR_LIMIT, "%s than %u",
                    what, limit);
}

/* ---- templates, instructions, positions ---- */

static void
spend(MrgBuilder *builder, gsize instructions)
{
    builder->work += instructions;
    if (builder->work > MRG_LIMIT_CODE)
        fail_limit(builder, "templates and partials together come to more instructions",
                   MRG_LIMIT_CODE);
}

void
mrg_builder_work(MrgBuilder *builder, gsize bytes)
{
    spend(builder, bytes / BYTES_PER_INSTRUCTION);
}

static void
begin(MrgBuilder *builder, MrgSource *source)
{
    builder->source = source;
    builder->section = (MrgSection){
        .name = mrg_arena_strdup(builder->program->arena, source->template->name),
        .escape = source->template->escape,
        .start = builder->code->len,
        .max_frames = 1};
    builder->pool_start = builder->pool->len;
    builder->offset = 0;
    builder->label = builder->code->len;
    builder->stack = 0;
    builder->frames = 1;
    builder->is_dynamic = FALSE;
    mrg_builder_work(builder, source->length);
}

static MrgInstruction *
instruction(MrgBuilder *builder, guint at)
{
    return &g_array_index(builder->code, MrgInstruction, at);
}

/* The last instruction, where it may be fused with the next. */
static MrgInstruction *
last_of(MrgBuilder *builder, MrgOp op)
{
    if (builder->code->len <= builder->label)
        return NULL;
    MrgInstruction *last = instruction(builder, builder->code->len - 1);
    return last->op == op ? last : NULL;
}

static void
record_position(MrgBuilder *builder)
{
    MrgPosition position = {.at = builder->code->len};
    mrg_source_locate(builder->source, builder->offset, &position.line, &position.column);
    if (builder->positions->len && builder->code->len > builder->section.start) {
        const MrgPosition *last =
            &g_array_index(builder->positions, MrgPosition, builder->positions->len - 1);
        if (last->line == position.line && last->column == position.column)
            return;
    }
    g_array_append_val(builder->positions, position);
}

static guint
emit(MrgBuilder *builder, MrgInstruction next)
{
    record_position(builder);
    spend(builder, 1);
    builder->is_dynamic |=
        next.op != MRG_OP_LITERAL && next.op != MRG_OP_MARK && next.op != MRG_OP_END;
    g_array_append_val(builder->code, next);
    return builder->code->len - 1;
}

static void
push(MrgBuilder *builder, MrgInstruction next)
{
    emit(builder, next);
    builder->stack++;
    builder->section.max_stack = MAX(builder->section.max_stack, builder->stack);
    if (builder->stack > MRG_LIMIT_STACK)
        fail_limit(builder, "more values are in hand", MRG_LIMIT_STACK);
}

static void
pop(MrgBuilder *builder, guint n)
{
    g_assert(builder->stack >= n);
    builder->stack -= n;
}

static gboolean
is_whole_text(const MrgBuilder *builder)
{
    gsize length = builder->pool->len - builder->pool_start;
    return !builder->is_dynamic && length == builder->source->length &&
           memcmp(builder->pool->str + builder->pool_start, builder->source->text,
                  length) == 0;
}

static gboolean
end_section(MrgBuilder *builder, MrgOp op)
{
    MrgProgram *program = builder->program;
    g_assert(builder->stack == 0 || builder->source->has_failed);
    builder->section.is_constant = is_whole_text(builder);
    emit(builder, (MrgInstruction){.op = (guint8) op});
    builder->section.end = builder->code->len;
    program->max_stack = MAX(program->max_stack, builder->section.max_stack);
    program->max_frames = MAX(program->max_frames, builder->section.max_frames);
    g_array_append_val(builder->sections, builder->section);
    return !builder->source->has_failed;
}

gboolean
mrg_builder_end(MrgBuilder *builder)
{
    builder->program->n_templates++;
    return end_section(builder, MRG_OP_END);
}

static void
append_mark(MrgBuilder *builder, guint32 id)
{
    emit(builder, (MrgInstruction){.op = MRG_OP_MARK, .c = id});
}

static void
find_marks(MrgBuilder *builder, gboolean is_partial)
{
    const MrgSource *source = builder->source;
    if (!builder->marks)
        return;
    g_array_set_size(builder->marks, 0);
    if (is_partial || source->template->escape == MRG_ESCAPE_HTML)
        builder->marker->find(builder->marker->context, source->text, source->length,
                              builder->marks);
    /* Whatever the text begins with. */
    if (builder->marks->len &&
        g_array_index(builder->marks, MrgLandmark, 0).id == MRG_LANDMARK_LOST)
        append_mark(builder, MRG_LANDMARK_LOST);
}

void
mrg_builder_begin(MrgBuilder *builder, MrgSource *source)
{
    begin(builder, source);
    find_marks(builder, FALSE);
}

void
mrg_builder_begin_partial(MrgBuilder *builder, MrgSource *source)
{
    begin(builder, source);
    find_marks(builder, TRUE);
    builder->frames = builder->section.max_frames = 2; /* the caller's and its own */
}

gboolean
mrg_builder_end_partial(MrgBuilder *builder)
{
    return end_section(builder, MRG_OP_RETURN);
}

void
mrg_builder_at(MrgBuilder *builder, gsize offset)
{
    builder->offset = offset;
}

/* A block has lines, which a header field must not have. */
static void
keep_one_line(char *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (g_ascii_iscntrl(text[i]))
            text[i] = ' ';
}

static void
append_literal(MrgBuilder *builder, const char *text, gsize length)
{
    if (!length)
        return;
    guint32 offset = (guint32) builder->pool->len;
    if (offset + length > MRG_LIMIT_POOL_BYTES) {
        fail_limit(builder, "the texts together have more bytes", MRG_LIMIT_POOL_BYTES);
        return;
    }
    g_string_append_len(builder->pool, text, (gssize) length);
    if (builder->section.escape == MRG_ESCAPE_HEADER)
        keep_one_line(builder->pool->str + offset, length);
    MrgInstruction *last = last_of(builder, MRG_OP_LITERAL);
    gsize joined = length + (last ? mrg_literal_length(last) : 0);
    if (!last || joined > MRG_LITERAL_MAX) {
        guint at = emit(builder, (MrgInstruction){.op = MRG_OP_LITERAL, .c = offset});
        last = instruction(builder, at);
        joined = length;
    }
    last->a = (guint8) (joined >> 16);
    last->b = (guint16) joined;
}

/* Literals are cut where something is marked. */
void
mrg_builder_literal(MrgBuilder *builder, const char *text, gsize length)
{
    gsize done = 0;
    gboolean is_of_source = mrg_source_has(builder->source, text);
    if (length && builder->marks && !is_of_source)
        append_mark(builder, MRG_LANDMARK_LOST);
    if (length && builder->marks && is_of_source) {
        gsize start = (gsize) (text - builder->source->text);
        guint i = mrg_source_first_mark(builder->marks, start);
        for (; i < builder->marks->len; i++) {
            const MrgLandmark *mark = &g_array_index(builder->marks, MrgLandmark, i);
            if (mark->at >= start + length)
                break;
            append_literal(builder, text + done, mark->at - start - done);
            append_mark(builder, mark->id);
            done = mark->at - start;
        }
    }
    append_literal(builder, text + done, length - done);
}

void
mrg_builder_print(MrgBuilder *builder, gboolean is_raw)
{
    MrgInstruction *last;
    pop(builder, 1);
    if ((last = last_of(builder, MRG_OP_LOAD_SLOT)))
        last->op = MRG_OP_PRINT_SLOT;
    else if ((last = last_of(builder, MRG_OP_LOAD_MEMBER)) && last->a == 0)
        last->op = MRG_OP_PRINT_MEMBER;
    else
        last = instruction(builder, emit(builder, (MrgInstruction){.op = MRG_OP_PRINT}));
    last->a = is_raw;
}

/* ---- names and fields ---- */

/* Names may hold NUL in theory: [a\0b].  Such a name is no index key, so the table is keyed
 * by a text that has none. */
static char *
table_key(MrgBuilder *builder, MrgSlice name)
{
    char *key = mrg_arena_dup(builder->program->arena, name.text, name.length);
    for (gsize i = 0; i < name.length; i++)
        if (!key[i])
            key[i] = '\x01';
    return key;
}

static guint32
intern_name(MrgBuilder *builder, MrgSlice slice)
{
    char *key = table_key(builder, slice);
    guint found = GPOINTER_TO_UINT(g_hash_table_lookup(builder->name_index, key));
    if (found)
        return found - 1;
    MrgName name = mrg_lookup_name(key, slice.length);
    g_array_append_val(builder->names, name);
    g_hash_table_insert(builder->name_index, key, GUINT_TO_POINTER(builder->names->len));
    return builder->names->len - 1;
}

static guint
add_field(MrgBuilder *builder, const char *name)
{
    MrgProgramField field = {.name = name, .template = builder->section.name};
    FieldState state = {0};
    mrg_source_locate(builder->source, builder->offset, &field.line, &field.column);
    g_array_append_val(builder->fields, field);
    g_array_append_val(builder->field_states, state);
    guint n = builder->fields->len;
    g_hash_table_insert(builder->field_index, (gpointer) name, GUINT_TO_POINTER(n));
    return n - 1;
}

guint
mrg_builder_field(MrgBuilder *builder, MrgSlice slice, gboolean is_guarded)
{
    char *name = table_key(builder, slice);
    guint found = GPOINTER_TO_UINT(g_hash_table_lookup(builder->field_index, name));
    if (!found && builder->fields->len == MRG_LIMIT_FIELDS) {
        fail_limit(builder, "the templates read more fields", MRG_LIMIT_FIELDS);
        return 0;
    }
    guint slot = found ? found - 1 : add_field(builder, name);
    FieldState *state = &g_array_index(builder->field_states, FieldState, slot);
    state->is_required |= !is_guarded && !state->guards;
    return slot;
}

void
mrg_builder_guard(MrgBuilder *builder, guint slot)
{
    g_array_index(builder->field_states, FieldState, slot).guards++;
}

void
mrg_builder_unguard(MrgBuilder *builder, guint slot)
{
    g_array_index(builder->field_states, FieldState, slot).guards--;
}

/* ---- values ---- */

void
mrg_builder_load_slot(MrgBuilder *builder, guint slot)
{
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_SLOT, .c = slot});
}

void
mrg_builder_load_member(MrgBuilder *builder, MrgSlice name, guint up)
{
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_MEMBER,
                                   .a = (guint8) up,
                                   .c = intern_name(builder, name)});
}

void
mrg_builder_load_either(MrgBuilder *builder, MrgSlice name, guint up, guint slot)
{
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_EITHER,
                                   .a = (guint8) up,
                                   .b = (guint16) slot,
                                   .c = intern_name(builder, name)});
}

void
mrg_builder_load_stack(MrgBuilder *builder, MrgSlice name, guint slot, guint flags)
{
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_STACK,
                                   .a = (guint8) flags,
                                   .b = (guint16) slot,
                                   .c = intern_name(builder, name)});
}

void
mrg_builder_load_this(MrgBuilder *builder, guint up, gboolean may_be_root)
{
    builder->program->reads_root |= may_be_root;
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_THIS, .a = (guint8) up});
}

void
mrg_builder_load_root(MrgBuilder *builder)
{
    builder->program->reads_root = TRUE;
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_ROOT});
}

void
mrg_builder_load_loop(MrgBuilder *builder, MrgLoopVariable variable, guint up)
{
    push(builder, (MrgInstruction){
                      .op = MRG_OP_LOAD_LOOP, .a = (guint8) variable, .b = (guint16) up});
}

void
mrg_builder_load_data(MrgBuilder *builder, MrgSlice name, guint up)
{
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_DATA,
                                   .a = (guint8) up,
                                   .c = intern_name(builder, name)});
}

void
mrg_builder_load_block(MrgBuilder *builder)
{
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_BLOCK});
}

void
mrg_builder_load_frame(MrgBuilder *builder, guint outward, gboolean may_be_root)
{
    builder->program->reads_root |= may_be_root;
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_FRAME, .b = (guint16) outward});
}

void
mrg_builder_load_param(MrgBuilder *builder, guint outward, guint index)
{
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_PARAM,
                                   .a = (guint8) index,
                                   .b = (guint16) outward});
}

void
mrg_builder_load_key(MrgBuilder *builder, guint outward)
{
    push(builder, (MrgInstruction){.op = MRG_OP_LOAD_KEY, .b = (guint16) outward});
}

void
mrg_builder_load_constant(MrgBuilder *builder, const MrgValue *value)
{
    MrgValue copy = *value;
    spend(builder, value->length / BYTES_KEPT_PER_INSTRUCTION);
    if (copy.type == MRG_VALUE_STRING || copy.type == MRG_VALUE_NUMBER)
        copy.text = mrg_arena_dup(builder->program->arena, value->text, value->length);
    else
        g_assert(copy.type <= MRG_VALUE_BOOLEAN);
    g_array_append_val(builder->constants, copy);
    push(builder,
         (MrgInstruction){.op = MRG_OP_LOAD_CONSTANT, .c = builder->constants->len - 1});
}

void
mrg_builder_forget(MrgBuilder *builder)
{
    pop(builder, 1);
}

void
mrg_builder_remember(MrgBuilder *builder)
{
    builder->stack++;
    builder->label = builder->code->len;
}

void
mrg_builder_member(MrgBuilder *builder, MrgSlice name)
{
    emit(builder, (MrgInstruction){.op = MRG_OP_MEMBER, .c = intern_name(builder, name)});
}

void
mrg_builder_include_zero(MrgBuilder *builder)
{
    pop(builder, 1);
    emit(builder, (MrgInstruction){.op = MRG_OP_INCLUDE_ZERO});
}

void
mrg_builder_require(MrgBuilder *builder, MrgSlice name)
{
    emit(builder, (MrgInstruction){.op = MRG_OP_REQUIRE, .c = intern_name(builder, name)});
}

void
mrg_builder_require_object(MrgBuilder *builder, MrgSlice name)
{
    emit(builder,
         (MrgInstruction){.op = MRG_OP_REQUIRE_OBJECT, .c = intern_name(builder, name)});
}

void
mrg_builder_require_context(MrgBuilder *builder, MrgSlice name, guint up)
{
    emit(builder, (MrgInstruction){.op = MRG_OP_REQUIRE_CONTEXT,
                                   .a = (guint8) up,
                                   .c = intern_name(builder, name)});
}

/* Helpers of the program itself come after those of helpers.def. */
static guint
helper_id(const MrgBuilder *builder, const MrgHelper *helper)
{
    const MrgHelper *own = builder->program->helpers;
    if (own && helper >= own && helper < own + builder->program->n_helpers)
        return mrg_helper_count() + (guint) (helper - own);
    return mrg_helper_id(helper);
}

/* Pops the arguments. */
static MrgInstruction
call_of(MrgBuilder *builder, MrgOp op, const MrgHelper *helper, guint n_args,
        const MrgSlice *names, guint n_named)
{
    guint32 first = 0;
    g_assert(n_args + n_named <= MRG_LIMIT_ARGUMENTS + 1);
    pop(builder, n_args + n_named);
    /* Argument names stand side by side, so they are not shared with the other names. */
    for (guint i = 0; i < n_named; i++) {
        char *text = mrg_arena_dup(builder->program->arena, names[i].text, names[i].length);
        MrgName name = mrg_lookup_name(text, names[i].length);
        first = i ? first : builder->names->len;
        g_array_append_val(builder->names, name);
    }
    return (MrgInstruction){.op = (guint8) op,
                            .a = (guint8) helper_id(builder, helper),
                            .b = (guint16) (n_args | n_named << 8),
                            .c = first};
}

void
mrg_builder_call(MrgBuilder *builder, const MrgHelper *helper, guint n_args,
                 const MrgSlice *names, guint n_named)
{
    push(builder, call_of(builder, MRG_OP_CALL, helper, n_args, names, n_named));
}

/* ---- jumps and frames ---- */

MrgJump
mrg_builder_jump(MrgBuilder *builder, MrgOp op)
{
    MrgInstruction *last = last_of(builder, MRG_OP_LOAD_SLOT);
    if (op != MRG_OP_JUMP)
        pop(builder, 1);
    if (!last || (op != MRG_OP_JUMP_FALSE && op != MRG_OP_JUMP_TRUE))
        return emit(builder, (MrgInstruction){.op = (guint8) op});
    last->op = op == MRG_OP_JUMP_FALSE ? MRG_OP_JUMP_SLOT_FALSE : MRG_OP_JUMP_SLOT_TRUE;
    last->b = (guint16) last->c;
    return builder->code->len - 1;
}

static void
open_frame(MrgBuilder *builder)
{
    builder->frames++;
    builder->section.max_frames = MAX(builder->section.max_frames, builder->frames);
}

MrgJump
mrg_builder_enter(MrgBuilder *builder, MrgOp op, gboolean is_same_context)
{
    pop(builder, 1);
    open_frame(builder);
    guint at = emit(builder, (MrgInstruction){.op = (guint8) op, .a = !!is_same_context});
    builder->label = builder->code->len;
    return at;
}

void
mrg_builder_land(MrgBuilder *builder, MrgJump jump)
{
    instruction(builder, jump)->c = builder->code->len;
    builder->label = builder->code->len;
}

void
mrg_builder_next(MrgBuilder *builder, MrgJump enter)
{
    g_assert(builder->frames > 1);
    builder->frames--;
    emit(builder, (MrgInstruction){.op = MRG_OP_NEXT, .c = enter + 1});
}

/* ---- blocks of helpers ---- */

MrgJump
mrg_builder_enter_helper(MrgBuilder *builder, const MrgHelper *helper, guint n_args,
                         const MrgSlice *names, guint n_named, guint n_params)
{
    builder->program->reads_root = TRUE; /* the helper may */
    emit(builder, call_of(builder, MRG_OP_ENTER_HELPER, helper, n_args, names, n_named));
    guint jump = emit(builder, (MrgInstruction){.op = MRG_OP_JUMP, .a = (guint8) n_params});
    emit(builder, (MrgInstruction){.op = MRG_OP_JUMP});
    return jump;
}

void
mrg_builder_open_body(MrgBuilder *builder)
{
    open_frame(builder);
    builder->label = builder->code->len;
}

void
mrg_builder_turn(MrgBuilder *builder)
{
    g_assert(builder->frames > 1);
    builder->frames--;
    emit(builder, (MrgInstruction){.op = MRG_OP_TURN});
}

/* ---- partials ---- */

MrgJump
mrg_builder_enter_scope(MrgBuilder *builder, MrgAround around)
{
    open_frame(builder);
    return emit(builder, (MrgInstruction){.op = MRG_OP_ENTER_SCOPE, .a = (guint8) around});
}

guint
mrg_builder_begin_body(MrgBuilder *builder, MrgJump *jump)
{
    *jump = mrg_builder_jump(builder, MRG_OP_JUMP);
    open_frame(builder);
    builder->label = builder->code->len;
    return builder->code->len;
}

void
mrg_builder_end_body(MrgBuilder *builder, MrgJump jump)
{
    emit(builder, (MrgInstruction){.op = MRG_OP_RETURN});
    builder->frames--;
    mrg_builder_land(builder, jump);
}

void
mrg_builder_line(MrgBuilder *builder, gboolean is_first)
{
    emit(builder, (MrgInstruction){.op = MRG_OP_LINE, .a = !!is_first});
}

void
mrg_builder_define(MrgBuilder *builder, MrgSlice name)
{
    emit(builder, (MrgInstruction){.op = MRG_OP_DEFINE, .c = intern_name(builder, name)});
}

void
mrg_builder_partial(MrgBuilder *builder, MrgPartialCall call, MrgSlice name,
                    const MrgSlice *named, MrgSlice indent)
{
    MrgArena *arena = builder->program->arena;
    guint32 *names = mrg_arena_array(arena, guint32, call.n_named);
    if (builder->calls->len == MRG_LIMIT_PARTIAL_CALLS) {
        fail_limit(builder, "more partials are called", MRG_LIMIT_PARTIAL_CALLS);
        return;
    }
    for (guint i = 0; i < call.n_named; i++)
        names[i] = intern_name(builder, named[i]);
    pop(builder, call.n_named + (call.name == MRG_NONE) + (call.on == MRG_ON_VALUE));
    g_assert(builder->stack == 0);
    if (call.name != MRG_NONE)
        call.name = intern_name(builder, name);
    call.named = names;
    spend(builder, indent.length / BYTES_KEPT_PER_INSTRUCTION);
    call.indent = mrg_arena_dup(arena, indent.text, indent.length);
    call.indent_length = (guint32) indent.length;
    g_array_append_val(builder->calls, call);
    emit(builder, (MrgInstruction){.op = MRG_OP_PARTIAL, .c = builder->calls->len - 1});
}

guint
mrg_builder_frames(const MrgBuilder *builder)
{
    return builder->frames;
}
