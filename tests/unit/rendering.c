/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/json.h"
#include "tests/unit/rendering.h"

#define DEFAULT_LIMIT (1u << 20)

static MrgValue *
fill_slots(const MrgProgram *program, const MrgValue *data, MrgArena *arena)
{
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    MrgValue *slots = mrg_arena_array(arena, MrgValue, n);
    for (gsize i = 0; i < n; i++)
        slots[i] = *mrg_value_member(data, fields[i].name, strlen(fields[i].name));
    return slots;
}

static char *
run(const Rendering *how, const MrgProgram *program, const char *json)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    g_auto(MrgBuffer) out;
    MrgValue data;
    mrg_buffer_init(&out, how->limit ? how->limit : DEFAULT_LIMIT);
    gboolean is_read = mrg_json_read(&data, json, strlen(json), arena, &error);
    g_assert_no_error(error);
    g_assert_true(is_read);
    MrgRenderInput input = how->input ? *how->input : (MrgRenderInput){0};
    input.slots = fill_slots(program, &data, arena);
    input.root = how->has_root ? &data : NULL;
    input.arena = arena;
    if (!mrg_program_run(program, 0, &input, &out, &error))
        return g_strconcat("error: ", error->message, NULL);
    g_assert_no_error(error);
    return mrg_buffer_dup(&out);
}

static const char *
find_partial(gpointer context, const char *name, gsize *length)
{
    const RenderingPartial *partial = context;
    while (partial && partial->name && strcmp(partial->name, name) != 0)
        partial++;
    *length = partial && partial->name ? strlen(partial->text) : 0;
    return partial ? partial->text : NULL;
}

static MrgProgram *
compile(const Rendering *how, const char *text, gsize length, GError **error)
{
    const MrgTemplate template = {"t", text, length, how->dialect, how->escape};
    const char *names[64] = {NULL};
    for (gsize i = 0; how->partials && how->partials[i].name; i++)
        names[i] = how->partials[i].name;
    const MrgPartialSource source = {find_partial, (gpointer) how->partials, names};
    const MrgCompileOptions options = {.declared = how->declared,
                                       .partials = &source,
                                       .slots = how->slots,
                                       .options = how->options};
    return mrg_program_compile(&template, 1, &options, error);
}

MrgProgram *
rendering_compile_with(const Rendering *how, const char *text, GError **error)
{
    return compile(how, text, strlen(text), error);
}

char *
rendering_run(const Rendering *how, const char *text, gssize length, const char *json)
{
    g_autoptr(GError) error = NULL;
    gsize bytes = length < 0 ? strlen(text) : (gsize) length;
    g_autoptr(MrgProgram) program = compile(how, text, bytes, &error);
    if (!program)
        return g_strconcat("error: ", error->message, NULL);
    g_assert_no_error(error);
    return run(how, program, json);
}

char *
rendering_html(const char *text, const char *json)
{
    return rendering_run(&(Rendering){0}, text, -1, json);
}

MrgProgram *
rendering_compile(const char *text, GError **error)
{
    MrgTemplate template = {.name = "t", .text = text, .length = strlen(text)};
    return mrg_program_compile(&template, 1, NULL, error);
}
