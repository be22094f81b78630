/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/helper.h"
#include "tests/unit/rendering.h"

static const Rendering as_text = {.escape = MRG_ESCAPE_TEXT};

static void
every_example_is_true(void)
{
    for (guint i = 0; i < mrg_helper_count(); i++) {
        const MrgHelper *helper = mrg_helper_by_id(i);
        g_autofree char *text = rendering_run(&as_text, helper->example, -1, helper->data);
        g_test_message("%s: %s", helper->name, helper->example);
        g_assert_nonnull(strstr(helper->example, helper->name));
        g_assert_cmpstr(text, ==, helper->output);
    }
}

static const struct {
    const char *text, *json, *expected;
} cases[] = {
    /* Nothing, and what is of another type, harms nobody. */
    {"[{{upper x}}{{trim x}}{{truncate x 3}}{{replace x \"a\" \"b\"}}{{join x}}]", "{}",
     "[]"},
    {"[{{first x}}{{last x}}{{slice x 1}}{{uniq x}}{{sum x}}{{min x}}]", "{}", "[]"},
    {"[{{add x 1}}{{div 1 x}}{{round \"a\"}}{{abs true}}]", "{}", "[]"},
    {"{{length x}} {{length 0}} {{length o}}", "{\"o\":{\"a\":1}}", "0 1 1"},
    {"{{contains x \"a\"}} {{contains o \"a\"}} {{in x l}} {{contains \"\" \"\"}}",
     "{\"o\":{\"a\":1},\"l\":[]}", "false true false true"},
    /* Texts. */
    {"{{truncate s 0}}|{{truncate s 1}}|{{truncate s 2 \"...\"}}|{{truncate s -1}}",
     "{\"s\":\"abc\"}", "|\xe2\x80\xa6|..|"},
    {"{{truncate s 2}}", "{\"s\":\"\xc3\xa4\xc3\xb6\"}", "\xc3\xa4\xc3\xb6"},
    {"{{truncatewords s 2}}|{{truncatewords s 9}}|{{truncatewords s 0}}",
     "{\"s\":\" a  b c \"}", " a  b\xe2\x80\xa6| a  b c |\xe2\x80\xa6"},
    {"{{replace s \"aa\" \"b\"}} {{replace s \"\" \"x\"}}", "{\"s\":\"aaaaa\"}",
     "bba aaaaa"},
    {"{{substring s 1}}|{{substring s 2 1}}|{{substring s 9}}|{{substring s -5 1}}",
     "{\"s\":\"abc\"}", "bc|||a"},
    {"{{length (split \"\" \",\")}} {{length (split \",\" \",\")}} {{length (split \"ab\" "
     "\"\")}}",
     "{}", "1 2 1"},
    {"{{mask s 0}} {{mask s 9}} {{mask s -1}}", "{\"s\":\"ab\"}", "** ab **"},
    {"{{slugify \"--\"}}|{{slugify \"\xd0\x96\"}}|{{slugify \"\xc3\x9f"
     "A\"}}",
     "{}", "||a"},
    {"{{capitalize \"\"}}|{{capitalize \"1a\"}}|{{title \"o'brien\"}}", "{}",
     "|1a|O'brien"},
    {"{{trim \"\xc2\xa0 a \xe2\x80\x89\"}}", "{}", "a"},
    {"{{urlencode \"-._~\"}} {{urlencode x}}", "{}", "-._~ "},
    {"{{base64 x}}{{base64 \"\xc3\xa4\"}}", "{}", "w6Q="},
    /* Numbers. */
    {"{{add \"1e3\" 1}}|{{add \"007\" 1}}|{{add 9007199254740993 0}}", "{}",
     "||9007199254740992"},
    {"{{mod 7 -3}} {{mod 5.5 2}}[{{mod 1 0}}]", "{}", "-2 1.5[]"},
    {"{{mul 1e200 1e200}}", "{}", ""},
    {"{{round -2.5}} {{round 2.345 2}} {{round 99999999999999999999 3}} {{round 5 -1}}",
     "{}", "-3 2.35 100000000000000000000 5"},
    {"{{min l}} {{max 1 \"2\"}}[{{min e}}]", "{\"l\":[3,\"-1\"],\"e\":[]}", "-1 2[]"},
    {"{{sum e}} {{sum l}}[{{sum m \"p\"}}]",
     "{\"e\":[],\"l\":[1,\"2\"],\"m\":[{\"p\":1},{}]}", "0 3[]"},
    /* Lists. */
    {"{{first l 9}}|{{last l 0}}|{{last l 9}}|{{slice l -1}}|{{slice l 2 1}}",
     "{\"l\":[1,2,3]}", "1,2,3||1,2,3|3|"},
    {"{{uniq l}}", "{\"l\":[1,\"1\",\"a\",\"a\",null,null]}", "1,a,"},
    {"[{{join (range 3 1)}}][{{join (range 0.5 3)}}]", "{}", "[][1, 2]"},
    /* A name without arguments is a field, whatever helpers there are. */
    {"{{length}} {{first}} {{#empty}}{{.}}{{/empty}} {{max}}",
     "{\"length\":1,\"first\":2,\"empty\":\"x\",\"max\":4}", "1 2 x 4"},
};

static void
edges_are_as_they_should_be(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = rendering_run(&as_text, cases[i].text, -1, cases[i].json);
        g_test_message("%s", cases[i].text);
        g_assert_cmpstr(text, ==, cases[i].expected);
    }
}

static void
only_safe_escapes_escaping(void)
{
    g_assert_renders("{{safe a}}{{a}}{{upper a}}{{concat a a}}", "{\"a\":\"<\"}",
                     "<&lt;&lt;&lt;&lt;");
}

/* Each would take for ever, or all memory, if it were not charged for. */
static void
bombs_end_with_an_error(void)
{
    static const char *const bombs[] = {
        "{{range 0 1000000000}}",
        "{{range 0 99999999999}}",
        "{{#each (range 0 9999)}}{{#each (range 0 9999)}}{{/each}}{{/each}}",
        "{{#each (range 0 9999)}}{{join (range 0 9999) \"xxxxxxxxxxxxxxxxxxxx\"}}{{/each}}",
        "{{#each (range 0 9999)}}{{uniq (range 0 9999)}}{{/each}}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(bombs); i++) {
        g_autofree char *text = rendering_run(&as_text, bombs[i], -1, "{}");
        g_test_message("%s: %s", bombs[i], text);
        g_assert_true(g_str_has_prefix(text, "error: t:1:"));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/helpers/examples", every_example_is_true);
    g_test_add_func("/helpers/edges", edges_are_as_they_should_be);
    g_test_add_func("/helpers/escaping", only_safe_escapes_escaping);
    g_test_add_func("/helpers/bombs", bombs_end_with_an_error);
    return g_test_run();
}
