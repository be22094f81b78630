/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of the Mustache specification: the core, inheritance and dynamic names. */
#include "config.h"

#include "tests/suites/suite.h"

#define FOLDER "mustache"

static const char *const files[] = {
    "comments.json", "delimiters.json", "interpolation.json",  "inverted.json",
    "partials.json", "sections.json",   "~dynamic-names.json", "~inheritance.json"};

static void
conforms(gconstpointer data)
{
    const MrgValue *test = data;
    static const MrgValue none = MRG_VALUE_MISSING_INIT;
    SuiteCase suite_case = {.template = suite_member(test, "template"),
                            .data = suite_member(test, "data"),
                            .partials = suite_member(test, "partials"),
                            .values = &none,
                            .dialect = MRG_DIALECT_MUSTACHE};
    g_autofree char *template = suite_text(test, "template");
    g_autofree char *expected = suite_text(test, "expected");
    g_test_message("template %s", template);
    for (guint has_root = 0; has_root <= 1; has_root++) {
        g_autofree char *text = suite_render(&suite_case, has_root);
        if (!text)
            continue;
        g_assert_cmpstr(text, ==, expected);
    }
}

static void
add_file(MrgArena *arena, const char *file)
{
    MrgValue content = suite_read(arena, FOLDER, file);
    const MrgValue *tests = suite_member(&content, "tests");
    g_assert_cmpint(tests->type, ==, MRG_VALUE_LIST);
    for (guint32 i = 0; i < tests->length; i++) {
        g_autofree char *name = suite_text(&tests->items[i], "name");
        g_autofree char *path = g_strdup_printf("/mustache/%s/%u %s", file, i, name);
        g_test_add_data_func(path, &tests->items[i], conforms);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    suite_need(FOLDER);
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++)
        add_file(arena, files[i]);
    return g_test_run();
}
