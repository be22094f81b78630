/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "tests/unit/rendering.h"

static const char *const declared[] = {"first_name", "Interest", "points", NULL};
#define ANN "{\"first_name\":\"Ann<\",\"Interest\":\"\",\"points\":0}"

typedef struct Case {
    const char *text, *expected;
} Case;

static const Case both[] = {
    {"Hi {FirstName}, {first_name}, {FIRST_NAME}!", "Hi Ann&lt;, Ann&lt;, Ann&lt;!"},
    {"{Interest|gear} {Interest|} {Interest}", "gear  "},
    {"{Points|7}", "0"},
    {"{Interest|R&amp;D <b>}", "R&amp;D <b>"},
    {"{Unknown} {first name} { FirstName } {FirstName",
     "{Unknown} {first name} { FirstName } {FirstName"},
    {"{Interest|a{b}", "{Interest|a{b}"},
    {"{Interest|a\nb}", "{Interest|a\nb}"},
    {"<style>a{FirstName}</style>{FirstName}", "<style>a{FirstName}</style>Ann&lt;"},
    {"<SCRIPT x>{points}</b></Script >{points}", "<SCRIPT x>{points}</b></Script >0"},
    {"<styled>{points}</styled>", "<styled>0</styled>"},
    {"<style {points}", "<style {points}"},
    {"${points}", "$0"},
    {"\\{{FirstName}} {points}", "{{FirstName}} 0"},
};

static void
single_braces_are_fields(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(both); i++)
        for (int d = MRG_DIALECT_HANDLEBARS; d <= MRG_DIALECT_TOKENS; d++) {
            Rendering how = {.dialect = (MrgDialect) d, .declared = declared};
            g_autofree char *text = rendering_run(&how, both[i].text, -1, ANN);
            g_assert_cmpstr(text, ==, both[i].expected);
        }
}

static void
only_html_has_styles(void)
{
    Rendering how = {.declared = declared, .escape = MRG_ESCAPE_TEXT};
    g_autofree char *text = rendering_run(&how, "<style>{FirstName}", -1, ANN);
    g_assert_cmpstr(text, ==, "<style>Ann<");
}

static void
styles_reach_across_tags(void)
{
    Rendering how = {.declared = declared};
    g_autofree char *text =
        rendering_run(&how, "<style>{{points}}{points}</style>{points}", -1, ANN);
    g_assert_cmpstr(text, ==, "<style>0{points}</style>0");
}

static void
singles_stand_among_tags(void)
{
    Rendering how = {.declared = declared};
    g_autofree char *text = rendering_run(
        &how, "{{#if points}}x{{else}}{FirstName}\n{{/if}}{{#each l}}{Points}{{/each}}", -1,
        "{\"first_name\":\"Ann\",\"l\":[1,2],\"points\":0}");
    g_assert_cmpstr(text, ==, "Ann\n00");
}

static void
nothing_is_declared_by_itself(void)
{
    Rendering how = {0};
    g_autofree char *text = rendering_run(&how, "{first_name}", -1, ANN);
    g_assert_cmpstr(text, ==, "{first_name}");
}

static void
markers_are_refused(void)
{
    static const char *const bad[] = {"a\n {{FirstName}}", "a\n {{", "a\n {{{x}}}",
                                      "\n{{<style>"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        MrgTemplate template = {
            .name = "subject", .text = bad[i], .length = strlen(bad[i]), .dialect = 1};
        const MrgCompileOptions options = {.declared = declared};
        g_autoptr(GError) error = NULL;
        g_autoptr(MrgProgram) program = mrg_program_compile(&template, 1, &options, &error);
        g_assert_null(program);
        g_assert_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_MARKER);
        g_assert_true(
            g_str_has_prefix(error->message, i < 3 ? "subject:2:2: " : "subject:2:1: "));
    }
}

static void
escaped_markers_are_text(void)
{
    static const Case cases[] = {
        {"a \\{{b}} {points}", "a {{b}} 0"},
        {"\\{{{points}}}", "{{{points}}}"},
        {"\\\\{{", "\\{{"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Rendering how = {.dialect = MRG_DIALECT_TOKENS, .declared = declared};
        g_autofree char *text = rendering_run(&how, cases[i].text, -1, ANN);
        g_assert_cmpstr(text, ==, cases[i].expected);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/tokens/both-dialects", single_braces_are_fields);
    g_test_add_func("/render/tokens/html-only", only_html_has_styles);
    g_test_add_func("/render/tokens/style-across-tags", styles_reach_across_tags);
    g_test_add_func("/render/tokens/among-tags", singles_stand_among_tags);
    g_test_add_func("/render/tokens/undeclared", nothing_is_declared_by_itself);
    g_test_add_func("/render/tokens/markers", markers_are_refused);
    g_test_add_func("/render/tokens/escaped-markers", escaped_markers_are_text);
    return g_test_run();
}
