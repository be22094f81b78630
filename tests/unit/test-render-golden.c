/* SPDX-License-Identifier: Apache-2.0 */
/* Whole templates: golden/render/NAME.hbs over NAME.json gives NAME.out. */
#include "config.h"

#include <string.h>

#include "tests/unit/rendering.h"

static char *
read_file(const char *folder, const char *name, const char *suffix)
{
    g_autofree char *file = g_strconcat(name, suffix, NULL);
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_autoptr(GError) error = NULL;
    char *text = NULL;
    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

static void
matches(gconstpointer data)
{
    static const char *const declared[] = {"first_name", "interest", NULL};
    const char *name = data;
    g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "golden", "render", NULL);
    g_autofree char *text = read_file(folder, name, ".hbs");
    g_autofree char *json = read_file(folder, name, ".json");
    g_autofree char *expected = read_file(folder, name, ".out");
    Rendering how = {.declared = declared,
                     .escape = g_str_has_prefix(name, "text-") ? MRG_ESCAPE_TEXT
                                                               : MRG_ESCAPE_HTML};
    g_autofree char *rendered = rendering_run(&how, text, -1, json);
    g_assert_cmpstr(rendered, ==, expected);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "golden", "render", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
    g_assert_no_error(error);
    const char *file;
    while ((file = g_dir_read_name(dir))) {
        if (!g_str_has_suffix(file, ".hbs"))
            continue;
        char *name = g_strndup(file, strlen(file) - strlen(".hbs"));
        g_autofree char *path = g_strconcat("/render/golden/", name, NULL);
        g_test_add_data_func_full(path, name, matches, g_free);
    }
    return g_test_run();
}
