/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-slots: any block map, and a template that asks for each of its slots. */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "render/slots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
find_partial(gpointer context G_GNUC_UNUSED, const char *name, gsize *length)
{
    static const char text[] = "<{{a}}>";
    *length = strlen(text);
    return *name == 'z' ? NULL : text;
}

static void
run(const MrgSlots *slots, const MrgSlotRule *rule)
{
    g_autofree char *slot = g_strndup(rule->slot.text, rule->slot.length);
    g_autofree char *text = g_strdup_printf(
        "{{block_for \"%s\"}}{{upper (block_for \"%s\")}}{{> (block_for \"%s\") x}}", slot,
        slot, slot);
    const MrgTemplate template = {.name = "t", .text = text, .length = strlen(text)};
    const MrgPartialSource partials = {.find = find_partial};
    const MrgCompileOptions options = {.partials = &partials, .slots = slots};
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) program = mrg_program_compile(&template, 1, &options, &error);
    g_assert_true(!program == !!error);
    if (!program)
        return;
    gsize n;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_auto(MrgBuffer) out;
    mrg_program_fields(program, &n);
    mrg_buffer_init(&out, 1u << 16);
    const MrgRenderInput input = {.slots = mrg_arena_array(arena, MrgValue, n),
                                  .arena = arena};
    g_assert_true(mrg_program_run(program, 0, &input, &out, &error) == !error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gsize n;
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgSlots) slots =
        mrg_slots_parse("m", size ? (const char *) data : "", size, &error);
    g_assert_true(!slots == !!error);
    if (error)
        g_assert_true(g_str_has_prefix(error->message, "m:"));
    const MrgSlotRule *rules = slots ? mrg_slots_rules(slots, &n) : NULL;
    for (gsize i = 0; rules && i < n && i < 8; i++)
        run(slots, &rules[i]);
    return 0;
}
