/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "render/helper.h"
#include "render/program.h"

const char *const mrg_loop_variable_names[MRG_LOOP_COUNT] = {
    [MRG_LOOP_INDEX] = "index",
    [MRG_LOOP_KEY] = "key",
    [MRG_LOOP_FIRST] = "first",
    [MRG_LOOP_LAST] = "last",
};

MrgProgram *
mrg_program_ref(MrgProgram *program)
{
    g_atomic_int_inc(&program->references);
    return program;
}

void
mrg_program_unref(MrgProgram *program)
{
    if (!program || !g_atomic_int_dec_and_test(&program->references))
        return;
    g_free(program->code);
    g_free(program->pool);
    g_free(program->constants);
    g_free(program->names);
    g_free(program->hints);
    g_free(program->fields);
    g_free(program->positions);
    g_free(program->sections);
    g_free(program->calls);
    g_free(program->helpers);
    mrg_arena_free(program->arena);
    g_free(program);
}

const MrgProgramField *
mrg_program_fields(const MrgProgram *program, gsize *n_fields)
{
    *n_fields = program->n_fields;
    return program->fields;
}

gboolean
mrg_program_reads_root(const MrgProgram *program)
{
    return program->reads_root;
}

gboolean
mrg_program_is_constant(const MrgProgram *program, gsize template_index)
{
    g_return_val_if_fail(template_index < program->n_templates, FALSE);
    return program->sections[template_index].is_constant;
}

const MrgHelper *
mrg_program_helper(const MrgProgram *program, guint id)
{
    guint n = mrg_helper_count();
    return id < n ? mrg_helper_by_id(id) : &program->helpers[id - n];
}

const MrgPosition *
mrg_program_position(const MrgProgram *program, gsize instruction)
{
    gsize low = 0, high = program->n_positions;
    while (low < high) {
        gsize middle = low + (high - low) / 2;
        if (program->positions[middle].at <= instruction)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &program->positions[low - 1] : NULL;
}

const MrgSection *
mrg_program_section(const MrgProgram *program, gsize instruction)
{
    gsize i = 0;
    while (i + 1 < program->n_sections && program->sections[i].end <= instruction)
        i++;
    return &program->sections[i];
}

static gboolean
calls_any(const MrgProgram *program, guint flags)
{
    for (gsize i = 0; i < program->n_code; i++)
        if (program->code[i].op == MRG_OP_CALL &&
            mrg_program_helper(program, program->code[i].a)->flags & flags)
            return TRUE;
    return FALSE;
}

gboolean
mrg_program_uses_locale(const MrgProgram *program)
{
    return calls_any(program, MRG_HELPER_LOCALE);
}

gboolean
mrg_program_uses_urls(const MrgProgram *program)
{
    return calls_any(program, MRG_HELPER_URLS);
}
