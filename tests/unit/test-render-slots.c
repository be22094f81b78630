/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "tests/unit/rendering.h"

static const char map[] = "# condition | slot | block | priority | fallback\n"
                          "(eq interest \"ski\") | hero | ski | 10\n"
                          "vip | hero | vip | 20 |\n"
                          " | hero | plain | | yes\n"
                          "\n"
                          "(gt points 100) | cta | \"Take | it\" | 1 | no |\n"
                          "(gt points 50) | cta | 'Nearly' | 1\n"
                          "|cta|\"\"||yes\n";

static const RenderingPartial blocks[] = {
    {"ski", "S:{{name}}{{x}}"}, {"vip", "V"}, {"plain", "P"}, {NULL, NULL}};

static char *
render(const char *text, const char *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgSlots) slots = mrg_slots_parse("m", map, strlen(map), &error);
    g_assert_no_error(error);
    return rendering_run(&(Rendering){.slots = slots, .partials = blocks}, text, -1, data);
}

static void
the_first_rule_that_holds_counts(void)
{
    static const struct {
        const char *text, *data, *expected;
    } cases[] = {
        {"{{> (block_for \"hero\")}}", "{}", "P"},
        {"{{> (block_for \"hero\")}}", "{\"interest\":\"ski\",\"name\":\"A\"}", "S:A"},
        {"{{> (block_for \"hero\")}}", "{\"interest\":\"ski\",\"vip\":1}", "V"},
        {"{{block_for \"hero\"}}", "{\"interest\":\"ski\",\"name\":\"<\"}", "S:&lt;"},
        {"{{> (block_for \"hero\") o x=2}}", "{\"interest\":\"ski\",\"o\":{\"name\":1}}",
         "S:12"},
        {"{{block_for \"cta\"}}", "{\"points\":101}", "Take | it"},
        {"{{block_for \"cta\"}}", "{\"points\":99}", "Nearly"},
        {"[{{block_for \"cta\"}}]", "{}", "[]"},
        {"{{upper (block_for \"cta\")}}", "{\"points\":60}", "NEARLY"},
        {"{{#if (block_for \"cta\")}}x{{else}}y{{/if}}", "{}", "y"},
        /* Conditions are on the person, wherever the tag stands. */
        {"{{#each l}}{{block_for \"cta\"}}{{/each}}",
         "{\"l\":[{\"points\":200}],\"points\":60}", "Nearly"},
        {"{{block_for}}", "{\"block_for\":1}", "1"},
        {"{{block_for \"x\"}}", "{}",
         "error: t:1:13: there is no slot 'x' in the block map, which has cta, hero"},
        {"{{block_for x}}", "{}",
         "error: t:1:3: block_for takes the name of a slot: block_for \"hero\""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = render(cases[i].text, cases[i].data);
        g_test_message("template %s", cases[i].text);
        g_assert_cmpstr(text, ==, cases[i].expected);
    }
}

static char *
compile_error(const char *many, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgSlots) slots = mrg_slots_parse("m", many, strlen(many), &error);
    g_assert_no_error(error);
    const Rendering how = {.slots = slots, .partials = blocks};
    g_autoptr(MrgProgram) program = rendering_compile_with(&how, text, &error);
    g_assert_null(program);
    return g_strdup(error->message);
}

/* Each tag brings all rules of its slot: short texts that would compile for hours. */
static void
maps_and_tags_are_not_multiplied(void)
{
    g_autoptr(GString) rules = g_string_new(NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) slots = g_string_new(NULL);
    g_autofree char *spaces = g_strnfill(500000, ' ');
    g_autofree char *wide = g_strdup_printf("(or a %s b)|h|\"x\"\n|h|\"y\"||yes\n", spaces);
    g_autofree char *large = g_strdup_printf("|h|\"x%sx\"||yes\n", spaces);
    g_autofree char *indented = g_strconcat(spaces, "{{> (block_for \"h\")}}", NULL);
    g_autoptr(GString) blocks_only = g_string_new("|h|vip||yes\n");
    for (guint i = 0; i < 1000; i++)
        g_string_append(blocks_only, "a|h|vip\n");
    for (guint i = 0; i < 1000; i++)
        g_string_append(rules, "(or a b)|h|\"x\"\n");
    g_string_append(rules, "|h|\"x\"||yes\n");
    for (guint i = 0; i < 40000; i++)
        g_string_append(text, "{{block_for \"h\"}}");
    for (guint i = 0; i < 2000; i++)
        g_string_append_printf(slots, "|slot%04u|\"x\"||yes\n", i);
    g_autofree char *many = compile_error(rules->str, text->str);
    g_autofree char *broad = compile_error(wide, text->str);
    g_autofree char *kept = compile_error(large, text->str);
    g_autofree char *indent = compile_error(blocks_only->str, indented);
    g_autofree char *unknown = compile_error(slots->str, text->str);
    g_assert_nonnull(strstr(many, "come to more instructions than 2097152"));
    g_assert_nonnull(strstr(broad, "come to more instructions than 2097152"));
    g_assert_nonnull(strstr(kept, "come to more instructions than 2097152"));
    g_assert_nonnull(strstr(indent, "come to more instructions than 2097152"));
    g_assert_nonnull(strstr(unknown, "slot0008, slot0009, and more"));
    g_assert_cmpuint(strlen(unknown), <, 300);
}

static void
conditions_read_fields(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgSlots) slots = mrg_slots_parse("m", map, strlen(map), &error);
    const Rendering how = {.slots = slots, .partials = blocks};
    g_autoptr(MrgProgram) program =
        rendering_compile_with(&how, "{{block_for \"cta\"}}{{block_for \"hero\"}}", &error);
    g_assert_no_error(error);
    static const char *const names[] = {"points", "vip", "interest", "name", "x"};
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    g_assert_cmpuint(n, ==, G_N_ELEMENTS(names));
    for (gsize i = 0; i < n; i++)
        g_assert_cmpstr(fields[i].name, ==, names[i]);
}

static void
mistakes_have_places(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a|h|x||yes", "m:1:1: a fallback has no condition"},
        {"a|h|x", "m:1:3: the slot has no fallback: a rule without condition whose last "
                  "column says yes"},
        {"|h|x||yes\n|h|y||yes", "m:1:2: the slot has more than one fallback"},
        {"|h", "m:1:3: the third column is missing: the name of a block, or a \"text\""},
        {"x", "m:1:2: the second column is the name of the slot"},
        {"\n|h|x|high|yes", "m:2:6: the priority is a whole number up to 1000000"},
        {"|h|x||maybe", "m:1:7: the column fallback says yes, no or nothing"},
        {"(eqq a b)|h|x\n|h|x||yes", "m:1:2: unknown helper 'eqq', the nearest is 'eq'"},
        {"\n (eq a b |h|x\n|h|x||yes", "m:2:2: '(' is not closed"},
        {"eq a b|h|x\n|h|x||yes",
         "m:1:4: the condition should end here; a helper stands in "
         "parentheses: (gt a 1)"},
        {"a|h|x|1|no|more\n|h|x||yes",
         "m:1:12: a rule has five columns: condition | slot | "
         "block | priority | fallback"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(MrgSlots) slots =
            mrg_slots_parse("m", cases[i].text, strlen(cases[i].text), &error);
        g_assert_null(slots);
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/slots/choice", the_first_rule_that_holds_counts);
    g_test_add_func("/render/slots/many", maps_and_tags_are_not_multiplied);
    g_test_add_func("/render/slots/fields", conditions_read_fields);
    g_test_add_func("/render/slots/mistakes", mistakes_have_places);
    return g_test_run();
}
