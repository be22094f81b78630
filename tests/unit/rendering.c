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
    MrgRenderInput input = {.slots = fill_slots(program, &data, arena),
                            .root = how->has_root ? &data : NULL,
                            .arena = arena};
    if (!mrg_program_run(program, 0, &input, &out, &error))
        return g_strconcat("error: ", error->message, NULL);
    g_assert_no_error(error);
    return mrg_buffer_dup(&out);
}

char *
rendering_run(const Rendering *how, const char *text, gssize length, const char *json)
{
    g_autoptr(GError) error = NULL;
    MrgTemplate template = {.name = "t",
                            .text = text,
                            .length = length < 0 ? strlen(text) : (gsize) length,
                            .dialect = how->dialect,
                            .escape = how->escape};
    const MrgCompileOptions options = {.declared = how->declared};
    g_autoptr(MrgProgram) program = mrg_program_compile(&template, 1, &options, &error);
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
