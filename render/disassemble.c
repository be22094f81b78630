/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/helper.h"
#include "render/program.h"

#define TEXT_BYTES 40

typedef struct OpText {
    const char *name;
    const char *operands;
} OpText;

static const OpText op_texts[] = {
#define MRG_OPCODE(name, text, operands, documentation) {text, operands},
#include "render/opcodes.def"
#undef MRG_OPCODE
};

static void
append_quoted(GString *out, const char *text, gsize length)
{
    g_autofree char *piece = g_strndup(text, MIN(length, TEXT_BYTES));
    g_autofree char *escaped = g_strescape(piece, NULL);
    g_string_append_printf(out, " \"%s\"%s", escaped, length > TEXT_BYTES ? "..." : "");
}

static void
append_constant(GString *out, const MrgValue *value)
{
    if (value->type == MRG_VALUE_STRING)
        append_quoted(out, value->text, value->length);
    else if (value->type == MRG_VALUE_NUMBER)
        g_string_append_printf(out, " %.*s", (int) value->length, value->text);
    else if (value->type == MRG_VALUE_BOOLEAN)
        g_string_append(out, value->boolean ? " true" : " false");
    else
        g_string_append(out, value->type == MRG_VALUE_NULL ? " null" : " undefined");
}

static void
append_partial(GString *out, const MrgProgram *program, const MrgPartialCall *call)
{
    if (call->is_block)
        g_string_append(out, " @partial-block");
    else
        g_string_append_printf(
            out, " %s", call->name == MRG_NONE ? "*" : program->names[call->name].text);
    if (call->section != MRG_NONE)
        g_string_append_printf(out, " -> %04u", program->sections[call->section].start);
    if (call->block != MRG_NONE)
        g_string_append_printf(out, " block=%04u", call->block);
    static const char *const on[] = {"", " on=root", " on=value", " on=nothing"};
    g_string_append(out, on[call->on]);
    if (call->on == MRG_ON_FRAME && call->up)
        g_string_append_printf(out, " up=%u", call->up);
    for (guint32 n = 0; n < call->n_named; n++)
        g_string_append_printf(out, " %s=", program->names[call->named[n]].text);
}

static void
append_call(GString *out, const MrgProgram *program, const MrgInstruction *i)
{
    g_string_append_printf(out, " %s %u", mrg_program_helper(program, i->a)->name,
                           mrg_call_positional(i));
    for (guint n = 0; n < mrg_call_named(i); n++)
        g_string_append_printf(out, " %s=", program->names[i->c + n].text);
}

static void
append_operand(GString *out, const MrgProgram *program, const MrgInstruction *i, char kind)
{
    switch (kind) {
    case 'x':
        g_string_append_printf(out, " #%u", i->c);
        break;
    case 'l':
        append_quoted(out, program->pool + i->c, mrg_literal_length(i));
        break;
    case 'r':
        g_string_append(out, i->a ? " raw" : "");
        break;
    case 's':
        g_string_append_printf(out, " %s", program->fields[i->c].name);
        break;
    case 'S':
        g_string_append_printf(out, " %s", program->fields[i->b].name);
        break;
    case 'n':
        g_string_append_printf(out, " .%s", program->names[i->c].text);
        break;
    case 'u':
        g_string_append_printf(out, " up=%u", i->a);
        break;
    case 'k':
        append_constant(out, &program->constants[i->c]);
        break;
    case 'd':
        g_string_append_printf(out, " @%s", mrg_loop_variable_names[i->a]);
        break;
    case 'f':
        g_string_append_printf(out, " %u", i->b);
        break;
    case 't':
        g_string_append_printf(out, " -> %04u", i->c);
        break;
    case 'm':
        g_string_append(out, i->a ? " same" : "");
        break;
    case 'h':
        append_call(out, program, i);
        break;
    case 'i':
        g_string_append_printf(out, " %u", i->a);
        break;
    case 'p':
        append_partial(out, program, &program->calls[i->c]);
        break;
    default:
        g_assert_not_reached();
    }
}

static void
append_instruction(GString *out, const MrgProgram *program, guint32 at)
{
    const MrgInstruction *i = &program->code[at];
    const MrgPosition *position = mrg_program_position(program, at);
    gsize start = out->len;
    g_string_append_printf(out, "%04u  %s", at, op_texts[i->op].name);
    for (const char *kind = op_texts[i->op].operands; *kind; kind++)
        append_operand(out, program, i, *kind);
    if (position && position->at == at)
        g_string_append_printf(out, "%*s; %u:%u",
                               (int) MAX(1, 48 - (gint) (out->len - start)), "",
                               position->line, position->column);
    g_string_append_c(out, '\n');
}

char *
mrg_program_disassemble(const MrgProgram *program)
{
    GString *out = g_string_new(NULL);
    for (gsize s = 0; s < program->n_sections; s++) {
        const MrgSection *section = &program->sections[s];
        g_string_append_printf(out, "%s \"%s\"%s\n",
                               s < program->n_templates ? "template" : "partial",
                               section->name, section->is_constant ? ", constant" : "");
        for (guint32 at = section->start; at < section->end; at++)
            append_instruction(out, program, at);
    }
    return g_string_free(out, FALSE);
}
