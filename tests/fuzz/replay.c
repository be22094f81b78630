/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: runs a fuzz target over its corpus, where there is no fuzzer.
 *
 * The corpus of fuzz-NAME is fuzz/corpus/NAME under the tests' source folder; or
 * the files given as arguments.
 */
#include "config.h"

#include <stdint.h>

#include <glib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay(gconstpointer path)
{
    g_autofree char *bytes = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;
    g_file_get_contents(path, &bytes, &length, &error);
    g_assert_no_error(error);
    LLVMFuzzerTestOneInput((const uint8_t *) bytes, length);
}

static void
add(const char *folder, const char *file)
{
    g_autofree char *name = g_strconcat("/fuzz/", file, NULL);
    char *path = folder ? g_build_filename(folder, file, NULL) : g_strdup(file);
    g_test_add_data_func_full(name, path, replay, g_free);
}

static void
add_corpus(const char *program)
{
    g_autofree char *base = g_path_get_basename(program);
    const char *dash = strrchr(base, '-');
    g_assert_nonnull(dash);
    g_autofree char *folder =
        g_test_build_filename(G_TEST_DIST, "fuzz", "corpus", dash + 1, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
    g_assert_no_error(error);
    const char *file;
    while ((file = g_dir_read_name(dir)))
        add(folder, file);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (int i = 1; i < argc; i++)
        add(NULL, argv[i]);
    if (argc == 1)
        add_corpus(argv[0]);
    return g_test_run();
}
