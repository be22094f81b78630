/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "milter/blocks.h"
#include "milter/clock.h"
#include "milter/error.h"

typedef struct Folder {
    char *path;
} Folder;

static void
set_up(Folder *folder, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    folder->path = g_dir_make_tmp("merganser-blocks-XXXXXX", &error);
    g_assert_no_error(error);
}

static void
empty(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *inner = g_build_filename(path, name, NULL);
        if (g_file_test(inner, G_FILE_TEST_IS_DIR) &&
            !g_file_test(inner, G_FILE_TEST_IS_SYMLINK))
            empty(inner);
        g_remove(inner);
    }
}

static void
tear_down(Folder *folder, gconstpointer data G_GNUC_UNUSED)
{
    empty(folder->path);
    g_rmdir(folder->path);
    g_free(folder->path);
}

static void
put(const Folder *folder, const char *name, const char *text, gssize length)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder->path, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_file_set_contents(path, text, length, &error);
    g_assert_no_error(error);
}

static char *
text_of(const MrgBlocks *blocks, const char *name)
{
    const MrgPartialSource *partials = mrg_blocks_partials(blocks);
    gsize length;
    const char *text = partials->find(partials->context, name, &length);
    return text ? g_strndup(text, length) : NULL;
}

#define assert_text(blocks, name, expected)                 \
    do {                                                    \
        g_autofree char *text_ = text_of((blocks), (name)); \
        g_assert_cmpstr(text_, ==, (expected));             \
    } while (0)

static void
files_are_blocks(Folder *folder, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    put(folder, "b.hbs", "{{!-- tags: hero, winter --}}\nB", -1);
    put(folder, "a/deep.hbs", "A", -1);
    put(folder, "note.txt", "no block", -1);
    put(folder, ".b.hbs.swp", "no block", -1);
    put(folder, ".git/x.hbs", "no block", -1);
    g_autoptr(MrgBlocks) blocks = mrg_blocks_read(folder->path, "", &error);
    g_assert_no_error(error);
    gsize n;
    const MrgBlockFile *files = mrg_blocks_files(blocks, &n);
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpstr(files[0].name, ==, "a/deep");
    g_assert_null(files[0].tags[0]);
    g_assert_cmpstr(files[1].tags[0], ==, "hero");
    g_assert_cmpstr(files[1].tags[1], ==, "winter");
    g_assert_null(files[1].tags[2]);
    assert_text(blocks, "a/deep", "A");
    assert_text(blocks, "../b", NULL);
    assert_text(blocks, "note", NULL);
    assert_text(blocks, "", NULL);
    static const char *const none[] = {"", "/nowhere/at/all"};
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++) {
        g_autoptr(MrgBlocks) nothing = mrg_blocks_read(none[i], none[i], &error);
        g_assert_no_error(error);
        mrg_blocks_files(nothing, &n);
        g_assert_cmpuint(n, ==, 0);
    }
}

static void
assert_refused(const Folder *folder, const char *what)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgBlocks) blocks = mrg_blocks_read(folder->path, "", &error);
    g_assert_null(blocks);
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    g_assert_true(g_str_has_prefix(error->message, folder->path));
    g_assert_nonnull(strstr(error->message, what));
}

static void
bad_files_are_named(Folder *folder, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *large = g_strnfill((1 << 20) + 1, 'x');
    g_autofree char *loop = g_build_filename(folder->path, "loop", NULL);
    put(folder, "bad.hbs", "\xff", 1);
    assert_refused(folder, "bad.hbs: the file is not UTF-8");
    put(folder, "bad.hbs", large, -1);
    assert_refused(folder, "bad.hbs: the file is larger than 1 MiB");
    put(folder, "bad.hbs", "x", -1);
    g_assert_cmpint(symlink(".", loop), ==, 0);
    assert_refused(folder, "nested deeper than 16");
}

#define HOUR (3600 * MRG_SECOND_US)

static void
a_changed_folder_is_read_again(Folder *folder, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    gint64 now = g_get_real_time();
    put(folder, "a.hbs", "one", -1);
    MrgLibrary *library = mrg_library_new(folder->path, "", &error);
    g_assert_no_error(error);
    g_autoptr(MrgBlocks) first = mrg_library_get(library, now + HOUR, &error);
    g_autoptr(MrgBlocks) same = mrg_library_get(library, now + 2 * HOUR, &error);
    g_assert_true(first == same);

    put(folder, "a.hbs", "two", -1);
    now = g_get_real_time();
    g_autoptr(MrgBlocks) early = mrg_library_get(library, now + 3 * HOUR - HOUR, &error);
    g_assert_true(early == first); /* looked at less than a second ago */
    g_autoptr(MrgBlocks) second = mrg_library_get(library, now + 4 * HOUR, &error);
    g_assert_no_error(error);
    assert_text(second, "a", "two");
    assert_text(first, "a", "one");
    mrg_library_free(library);
    assert_text(second, "a", "two");
}

static void
half_written_files_wait(Folder *folder, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    put(folder, "a.hbs", "one", -1);
    MrgLibrary *library = mrg_library_new(folder->path, "", &error);
    put(folder, "b.hbs", "half", -1);
    gint64 now = g_get_real_time();
    g_autoptr(MrgBlocks) young = mrg_library_get(library, now, &error);
    assert_text(young, "b", NULL);
    g_autoptr(MrgBlocks) settled =
        mrg_library_get(library, now + 10 * MRG_SECOND_US, &error);
    assert_text(settled, "b", "half");
    g_assert_no_error(error);
    mrg_library_free(library);
}

static void
a_broken_folder_keeps_the_old(Folder *folder, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    put(folder, "a.hbs", "one", -1);
    MrgLibrary *library = mrg_library_new(folder->path, "", &error);
    put(folder, "b.hbs", "\xff", 1);
    gint64 now = g_get_real_time() + HOUR;
    g_autoptr(MrgBlocks) kept = mrg_library_get(library, now, &error);
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    assert_text(kept, "a", "one");
    g_clear_error(&error);
    g_autoptr(MrgBlocks) again = mrg_library_get(library, now + HOUR, &error);
    g_assert_no_error(error); /* said once */
    g_assert_true(again == kept);
    put(folder, "b.hbs", "two", -1);
    g_autoptr(MrgBlocks) mended = mrg_library_get(library, now + 2 * HOUR, &error);
    assert_text(mended, "b", "two");
    mrg_library_free(library);
}

static void
the_map_belongs_to_it(Folder *folder, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *map = g_build_filename(folder->path, "blocks.map", NULL);
    put(folder, "a.hbs", "A", -1);
    MrgLibrary *library = mrg_library_new(folder->path, map, &error);
    g_assert_no_error(error);
    put(folder, "blocks.map", "|hero|a||yes\n", -1);
    gint64 now = g_get_real_time() + HOUR;
    g_autoptr(MrgBlocks) blocks = mrg_library_get(library, now, &error);
    g_assert_nonnull(mrg_blocks_slots(blocks));
    put(folder, "blocks.map", "|hero|a||\n", -1);
    g_autoptr(MrgBlocks) kept = mrg_library_get(library, now + HOUR, &error);
    g_assert_true(kept == blocks);
    g_autofree char *message =
        g_strconcat(map,
                    ":1:2: the slot has no fallback: a rule without condition whose "
                    "last column says yes",
                    NULL);
    g_assert_cmpstr(error->message, ==, message);
    mrg_library_free(library);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    static const struct {
        const char *name;
        void (*run)(Folder *folder, gconstpointer data);
    } cases[] = {
        {"/blocks/files", files_are_blocks},
        {"/blocks/bad", bad_files_are_named},
        {"/blocks/changed", a_changed_folder_is_read_again},
        {"/blocks/half-written", half_written_files_wait},
        {"/blocks/broken", a_broken_folder_keeps_the_old},
        {"/blocks/map", the_map_belongs_to_it},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_test_add(cases[i].name, Folder, NULL, set_up, cases[i].run, tear_down);
    return g_test_run();
}
