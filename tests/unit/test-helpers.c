/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of the table: its example renders what it says, and what it says of its
 * arguments is true.
 */
#include "config.h"

#include <string.h>

#include "render/helper.h"
#include "tests/unit/rendering.h"

/* 2026-11-24 12:00 UTC */
#define NOW_US G_GINT64_CONSTANT(1795521600000000)

static const Rendering as_text = {.escape = MRG_ESCAPE_TEXT};
static const MrgRenderInput input = {
    .now_us = NOW_US,
    .seed = (const guint8 *) "seed",
    .seed_length = 4,
    .urls = {"https://x.example/u/T", "https://x.example/p/T", "https://x.example/v/T"},
};

static void
every_example_renders_what_it_says(void)
{
    const Rendering how = {.input = &input};
    for (guint i = 0; i < mrg_helper_count(); i++) {
        const MrgHelper *helper = mrg_helper_by_id(i);
        g_autofree char *text = rendering_run(&how, helper->template, -1, helper->data);
        if (g_strcmp0(text, helper->output) != 0)
            g_test_message("helper %s: %s", helper->name, helper->template);
        g_assert_cmpstr(text, ==, helper->output);
        g_assert_nonnull(strstr(helper->template, helper->name));
    }
}

/* Positional words; *required of them without brackets. */
static guint
count_positional(const char *arguments, guint *required, gboolean *is_open)
{
    g_auto(GStrv) words = g_strsplit(arguments, " ", -1);
    guint n = 0;
    *required = 0;
    *is_open = FALSE;
    for (char **word = words; *word && **word; word++) {
        if (strchr(*word, '='))
            continue;
        n++;
        *required += **word != '[';
        *is_open |= g_str_has_suffix(*word, "...");
    }
    return n;
}

static void
arity_and_arguments_agree(void)
{
    for (guint i = 0; i < mrg_helper_count(); i++) {
        const MrgHelper *helper = mrg_helper_by_id(i);
        guint required;
        gboolean is_open;
        guint n = count_positional(helper->arguments, &required, &is_open);
        g_test_message("helper %s", helper->name);
        g_assert_cmpuint(helper->min_args, ==, required);
        g_assert_cmpuint(helper->max_args, ==, is_open ? 16 : n);
        g_assert_true(g_str_has_suffix(helper->help, "."));
        g_assert_true(!(helper->flags & MRG_HELPER_LOCALE) ==
                      (!strstr(helper->arguments, "[locale=]") &&
                       !strstr(helper->arguments, "[timezone=]")));
    }
}

static void
names_are_unique(void)
{
    for (guint i = 0; i < mrg_helper_count(); i++)
        for (guint j = 0; j < i; j++)
            g_assert_cmpstr(mrg_helper_by_id(i)->name, !=, mrg_helper_by_id(j)->name);
}

/* A field hides a helper that is named alone, as a block too. */
static void
fields_come_before_helpers(void)
{
    const Rendering how = {.input = &input};
    for (guint i = 0; i < mrg_helper_count(); i++) {
        const char *name = mrg_helper_by_id(i)->name;
        gboolean is_abort = mrg_helper_by_id(i)->function == mrg_helper_abort;
        g_autofree char *text =
            g_strdup_printf("{{%s}}{{#%s}}x{{else}}y{{/%s}}", name, name, name);
        g_autofree char *json = g_strdup_printf("{\"%s\":true}", name);
        g_autofree char *given = rendering_run(&how, text, -1, json);
        g_autofree char *missing = rendering_run(&how, text, -1, "{}");
        g_test_message("helper %s", name);
        g_assert_cmpstr(given, ==, "truex");
        g_assert_true(is_abort || g_str_has_suffix(missing, "y"));
    }
}

/* Hostile values in every place: an answer or an error, never a crash, never no number. */
static void
no_value_breaks_a_helper(void)
{
    static const char *const values[] = {"null",
                                         "true",
                                         "\"\"",
                                         "-1",
                                         "1e308",
                                         "9007199254740993",
                                         "\"-0\"",
                                         "-99999999999999999",
                                         "[]",
                                         "[[],{},null]",
                                         "{}",
                                         "{\"a\":{\"b\":1}}",
                                         "\"\\ud83d\\udc68\\u200d\\ud83d\\udc69\"",
                                         "\"2026-02-30\"",
                                         "\"9999-12-31T23:59:60Z\"",
                                         "\"1e400\"",
                                         "0.1",
                                         "\"<script\"",
                                         "\"'\""};
    const Rendering how = {.input = &input};
    for (guint i = 0; i < mrg_helper_count(); i++) {
        const MrgHelper *helper = mrg_helper_by_id(i);
        if (helper->flags & MRG_HELPER_LITERAL)
            continue;
        for (gsize v = 0; v < G_N_ELEMENTS(values) * G_N_ELEMENTS(values); v++) {
            g_autofree char *json =
                g_strdup_printf("{\"a\":%s,\"b\":%s}", values[v % G_N_ELEMENTS(values)],
                                values[v / G_N_ELEMENTS(values)]);
            GString *text = g_string_new("{{");
            g_string_append(text, helper->name);
            for (guint n = 0; n < MIN(helper->max_args, 3); n++)
                g_string_append(text, n % 2 ? " b" : " a");
            g_string_append(text, "}}");
            g_autofree char *template = g_string_free(text, FALSE);
            g_autofree char *result = rendering_run(&how, template, -1, json);
            if (strstr(result, "NaN") || strstr(result, "Infinity"))
                g_test_message("helper %s: %s", helper->name, json);
            g_assert_null(strstr(result, "NaN"));
        }
    }
}

/* Each would go on for seconds, or fill the memory, if its work were not charged. */
static void
bombs_end_soon(void)
{
    static const char *const bombs[] = {
        "{{range 0 1000000000}}",
        "{{range 0 99999999999}}",
        "{{#each (range 0 9999)}}{{#each (range 0 9999)}}{{/each}}{{/each}}",
        "{{#each (range 0 9999)}}{{join (range 0 9999) \"xxxxxxxxxxxxxxxxxxxx\"}}{{/each}}",
        "{{#each (range 0 9999)}}{{uniq (range 0 9999)}}{{/each}}",
        "{{join (range 0 1000000000)}}",
        "{{length (range 0 1000000000000000)}}",
        "{{length (range -9000000000000000 9000000000000000)}}",
        "{{#each l}}{{#each ../l}}{{sum ../../l}}{{/each}}{{/each}}",
        "{{#each l}}{{json ../l}}{{/each}}",
        "{{#each l}}{{#each ../l}}{{length (uniq ../../l)}}{{/each}}{{/each}}",
        "{{#each l}}{{join (sort ../l)}}{{/each}}",
        "{{#each l}}{{#each ../l}}{{length ../../s}}{{/each}}{{/each}}",
        "{{#each l}}{{length (replace ../s \"a\" ../s)}}{{/each}}",
        "{{#each l}}{{#each ../l}}{{contains ../../s ../../t}}{{/each}}{{/each}}",
        "{{#each l}}{{#each ../l}}{{mask ../../s with=../../s}}{{/each}}{{/each}}",
        "{{#each l}}{{length (slugify ../s)}}{{/each}}",
        "{{#each l}}{{length (title ../s)}}{{/each}}",
        "{{#each l}}{{length (striptags ../u)}}{{/each}}",
        "{{#each l}}{{length (split ../s \"\")}}{{/each}}",
        "{{#each l}}{{sha256 ../s}}{{/each}}",
        ("{{#each l}}{{number 1 locale=(concat \"a\" (substring "
         "\"abcdefghijklmnopqrstuvwxyz\" "
         "@index 1))}}{{number 1 @index}}{{date 0 (concat @index \"yyyy\")}}{{/each}}"),
        ("{{#each l}}{{#each ../l}}{{date 0 \"full\"}}{{dateadd 0 1 "
         "\"day\"}}{{/each}}{{/each}}"),
    };
    g_autofree char *run = g_strnfill(50000, 'a');
    g_autofree char *open = g_strnfill(50000, '<');
    GString *json = g_string_new("{\"l\":[0");
    for (guint i = 1; i < 1000; i++)
        g_string_append_printf(json, ",%u", i * 7919 % 1000);
    g_string_append_printf(json, "],\"s\":\"%s\\u00e4\",\"t\":\"%sb\",\"u\":\"%s\"}", run,
                           run + 49000, open);
    Rendering how = {.limit = 256u << 20};
    for (gsize i = 0; i < G_N_ELEMENTS(bombs); i++) {
        gint64 began_us = g_get_monotonic_time();
        g_autofree char *text = rendering_run(&how, bombs[i], -1, json->str);
        g_test_message("%s: %d us: %s", bombs[i], (int) (g_get_monotonic_time() - began_us),
                       text);
        g_assert_true(g_str_has_suffix(text, "the template takes more than 1000000 steps"));
    }
    g_string_free(json, TRUE);
}

static const struct {
    const char *text, *json, *expected;
} edges[] = {
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
     "{\"s\":\"abc\"}", "|a|ab|"},
    {"{{truncate s 2}}", "{\"s\":\"\xc3\xa4\xc3\xb6\"}", "\xc3\xa4\xc3\xb6"},
    {"{{truncatewords s 2}}|{{truncatewords s 9}}|{{truncatewords s 0}}",
     "{\"s\":\" a  b c \"}", "a  b\xe2\x80\xa6|a  b c|\xe2\x80\xa6"},
    {"{{replace s \"aa\" \"b\"}} {{replace s \"\" \"x\"}}", "{\"s\":\"aaaaa\"}",
     "bba aaaaa"},
    {"{{substring s 1}}|{{substring s 2 1}}|{{substring s 9}}|{{substring s -5 1}}",
     "{\"s\":\"abc\"}", "bc|c||a"},
    {"{{length (split \"\" \",\")}} {{length (split \",\" \",\")}} {{length (split \"ab\" "
     "\"\")}}",
     "{}", "0 2 2"},
    {"{{mask s 0}} {{mask s 9}} {{mask s -1}}", "{\"s\":\"ab\"}", "** ** **"},
    {"{{slugify \"--\"}}|{{slugify \"\xd0\x96\"}}|{{slugify \"\xc3\x9f"
     "A\"}}",
     "{}", "|z|ssa"},
    {"{{capitalize \"\"}}|{{capitalize \"1a\"}}|{{title \"o'brien\"}}", "{}",
     "|1a|O'brien"},
    {"{{trim \"\xc2\xa0 a \xe2\x80\x89\"}}", "{}", "a"},
    {"{{urlencode \"-._~\"}} {{urlencode x}}", "{}", "-._~ "},
    {"{{base64 x}}{{base64 \"\xc3\xa4\"}}", "{}", "w6Q="},
    /* Numbers. */
    {"{{add \"1e3\" 1}}|{{add \"007\" 1}}|{{add 9007199254740993 0}}", "{}",
     "||9007199254740993"},
    {"{{mod 7 -3}} {{mod 5.5 2}}[{{mod 1 0}}]", "{}", "1 1.5[]"},
    {"{{mul 1e200 1e200}}", "{}", ""},
    {"{{round -2.5}} {{round 2.345 2}} {{round 99999999999999999999 3}} {{round 5 -1}}",
     "{}", "-3 2.35 99999999999999999999 5"},
    {"{{min l}} {{max 1 \"2\"}}[{{min e}}]", "{\"l\":[3,\"-1\"],\"e\":[]}", "-1 2[]"},
    {"{{sum e}} {{sum l}}[{{sum m \"p\"}}]",
     "{\"e\":[],\"l\":[1,\"2\"],\"m\":[{\"p\":1},{}]}", "0 3[1]"},
    /* Lists. */
    {"{{first l 9}}|{{last l 0}}|{{last l 9}}|{{slice l -1}}|{{slice l 2 1}}",
     "{\"l\":[1,2,3]}", "1,2,3||1,2,3|3|"},
    {"{{uniq l}}", "{\"l\":[1,\"1\",\"a\",\"a\",null,null]}", "1,a,"},
    {"[{{join (range 3 1)}}][{{join (range 0.5 3)}}]", "{}", "[][0, 1, 2, 3]"},
    /* A name without arguments is a field, whatever helpers there are. */
    {"{{length}} {{first}} {{#empty}}{{.}}{{/empty}} {{max}}",
     "{\"length\":1,\"first\":2,\"empty\":\"x\",\"max\":4}", "1 2 x 4"},
};

static void
edges_are_as_they_should_be(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(edges); i++) {
        g_autofree char *text = rendering_run(&as_text, edges[i].text, -1, edges[i].json);
        g_test_message("%s", edges[i].text);
        g_assert_cmpstr(text, ==, edges[i].expected);
    }
}

static void
only_safe_escapes_escaping(void)
{
    g_assert_renders("{{safe a}}{{a}}{{upper a}}{{concat a a}}", "{\"a\":\"<\"}",
                     "<&lt;&lt;&lt;&lt;");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/helpers/examples", every_example_renders_what_it_says);
    g_test_add_func("/helpers/arguments", arity_and_arguments_agree);
    g_test_add_func("/helpers/names", names_are_unique);
    g_test_add_func("/helpers/fields-first", fields_come_before_helpers);
    g_test_add_func("/helpers/hostile", no_value_breaks_a_helper);
    g_test_add_func("/helpers/bombs", bombs_end_soon);
    g_test_add_func("/helpers/edges", edges_are_as_they_should_be);
    g_test_add_func("/helpers/escaping", only_safe_escapes_escaping);
    return g_test_run();
}
