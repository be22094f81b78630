/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "milter/blocks.h"
#include "milter/clock.h"
#include "milter/error.h"

#define SUFFIX ".hbs"
#define FILES_MAX 4096
#define FILE_BYTES_MAX (1u << 20)
#define ALL_BYTES_MAX (64u << 20)
#define DEPTH_MAX 16
#define TAGS_MAX 32
#define SETTLE_US (2 * MRG_SECOND_US)

struct MrgBlocks {
    gint references; /* atomic */
    MrgArena *arena;
    MrgBlockFile *files; /* by name */
    gsize n_files;
    const char **names;
    MrgPartialSource partials;
    MrgSlots *slots;
};

/* ---- walking the folder ---- */

typedef struct Found {
    char *name; /* without the suffix */
    char *path;
    struct stat status;
} Found;

static void
found_clear(gpointer data)
{
    Found *found = data;
    g_free(found->name);
    g_free(found->path);
}

static gboolean
fail(const char *path, const char *what, GError **error)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s: %s", path, what);
    return FALSE;
}

static gboolean walk(const char *folder, const char *prefix, guint depth, GArray *files,
                     GError **error);

static gboolean
visit(const char *folder, const char *prefix, const char *entry, guint depth, GArray *files,
      GError **error)
{
    g_autofree char *path = g_build_filename(folder, entry, NULL);
    Found found = {0};
    if (*entry == '.')
        return TRUE;
    if (stat(path, &found.status) < 0)
        return errno == ENOENT || fail(path, g_strerror(errno), error);
    if (S_ISDIR(found.status.st_mode)) {
        g_autofree char *deeper = g_strconcat(prefix, entry, "/", NULL);
        return walk(path, deeper, depth + 1, files, error);
    }
    if (!S_ISREG(found.status.st_mode) || !g_str_has_suffix(entry, SUFFIX))
        return TRUE;
    if (files->len == FILES_MAX)
        return fail(folder, "there are more than 4096 blocks", error);
    found.name =
        g_strdup_printf("%s%.*s", prefix, (int) (strlen(entry) - strlen(SUFFIX)), entry);
    found.path = g_steal_pointer(&path);
    g_array_append_val(files, found);
    return TRUE;
}

static gboolean
walk(const char *folder, const char *prefix, guint depth, GArray *files, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (depth > DEPTH_MAX)
        return fail(folder, "the folders are nested deeper than 16", error);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &reason);
    if (!dir && depth == 0 && g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return TRUE;
    if (!dir)
        return fail(folder, reason->message, error);
    for (const char *entry; (entry = g_dir_read_name(dir));)
        if (!visit(folder, prefix, entry, depth, files, error))
            return FALSE;
    return TRUE;
}

static gint
compare_found(gconstpointer a, gconstpointer b)
{
    return strcmp(((const Found *) a)->name, ((const Found *) b)->name);
}

/* The map, as a file without a name. */
static gboolean
find_map(const char *map, GArray *files, GError **error)
{
    Found found = {0};
    if (!*map)
        return TRUE;
    if (stat(map, &found.status) < 0)
        return errno == ENOENT || fail(map, g_strerror(errno), error);
    found.name = g_strdup("");
    found.path = g_strdup(map);
    g_array_append_val(files, found);
    return TRUE;
}

/* The files, by name, in front of them the map; NULL on failure. */
static GArray *
list_files(const char *folder, const char *map, GError **error)
{
    g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(Found));
    g_array_set_clear_func(files, found_clear);
    if ((*folder && !walk(folder, "", 0, files, error)) || !find_map(map, files, error))
        return NULL;
    g_array_sort(files, compare_found);
    return g_steal_pointer(&files);
}

/* ---- reading ---- */

/* What stands behind "tags:" in a comment at the start. */
static const char *const *
read_tags(const char *text, gsize length, MrgArena *arena)
{
    const char **tags = mrg_arena_array(arena, const char *, TAGS_MAX + 1);
    const char *end = g_strstr_len(text, (gssize) length, "}}");
    if (!g_str_has_prefix(text, "{{!") || !end)
        return tags;
    g_autofree char *comment = g_strndup(text, (gsize) (end - text));
    char *list = strstr(comment, "tags:");
    if (!list)
        return tags;
    g_auto(GStrv) words = g_strsplit_set(list + strlen("tags:"), ", \t\r\n-", -1);
    gsize n = 0;
    for (char **word = words; *word && n < TAGS_MAX; word++)
        if (**word)
            tags[n++] = mrg_arena_strdup(arena, *word);
    return tags;
}

static gboolean
read_map(MrgBlocks *blocks, const char *path, const char *text, gsize length,
         GError **error)
{
    g_autoptr(GError) reason = NULL;
    blocks->slots = mrg_slots_parse(path, text, length, &reason);
    if (!blocks->slots)
        g_set_error_literal(error, MRG_ERROR, MRG_ERROR_CONFIG, reason->message);
    return blocks->slots != NULL;
}

static gboolean
read_file(MrgBlocks *blocks, const Found *found, gsize *total, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) reason = NULL;
    gsize length;
    if (found->status.st_size > FILE_BYTES_MAX)
        return fail(found->path, "the file is larger than 1 MiB", error);
    if (!g_file_get_contents(found->path, &text, &length, &reason))
        return fail(found->path, reason->message, error);
    *total += length;
    if (length > FILE_BYTES_MAX || *total > ALL_BYTES_MAX)
        return fail(found->path, "the blocks together are larger than 64 MiB", error);
    if (!g_utf8_validate_len(text, length, NULL))
        return fail(found->path, "the file is not UTF-8", error);
    if (!*found->name)
        return read_map(blocks, found->path, text, length, error);
    const char *name = mrg_arena_strdup(blocks->arena, found->name);
    blocks->names[blocks->n_files] = name;
    blocks->files[blocks->n_files++] =
        (MrgBlockFile){name, mrg_arena_dup(blocks->arena, text, length), length,
                       read_tags(text, length, blocks->arena)};
    return TRUE;
}

static const char *
find_partial(gpointer context, const char *name, gsize *length)
{
    const MrgBlocks *blocks = context;
    gsize low = 0, high = blocks->n_files;
    while (low < high) {
        gsize middle = low + (high - low) / 2;
        int order = strcmp(name, blocks->files[middle].name);
        if (!order) {
            *length = blocks->files[middle].length;
            return blocks->files[middle].text;
        }
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static MrgBlocks *
read_all(const GArray *files, GError **error)
{
    g_autoptr(MrgBlocks) blocks = g_new0(MrgBlocks, 1);
    gsize total = 0;
    g_atomic_int_set(&blocks->references, 1);
    blocks->arena = mrg_arena_new();
    blocks->files = mrg_arena_array(blocks->arena, MrgBlockFile, files->len);
    blocks->names = mrg_arena_array(blocks->arena, const char *, files->len + 1);
    for (guint i = 0; i < files->len; i++)
        if (!read_file(blocks, &g_array_index(files, Found, i), &total, error))
            return NULL;
    blocks->partials = (MrgPartialSource){find_partial, blocks, blocks->names};
    return g_steal_pointer(&blocks);
}

MrgBlocks *
mrg_blocks_read(const char *folder, const char *map, GError **error)
{
    g_autoptr(GArray) files = list_files(folder, map, error);
    return files ? read_all(files, error) : NULL;
}

MrgBlocks *
mrg_blocks_ref(MrgBlocks *blocks)
{
    g_atomic_int_inc(&blocks->references);
    return blocks;
}

void
mrg_blocks_unref(MrgBlocks *blocks)
{
    if (!blocks || !g_atomic_int_dec_and_test(&blocks->references))
        return;
    mrg_slots_free(blocks->slots);
    mrg_arena_free(blocks->arena);
    g_free(blocks);
}

const MrgBlockFile *
mrg_blocks_files(const MrgBlocks *blocks, gsize *n_files)
{
    *n_files = blocks->n_files;
    return blocks->files;
}

const MrgPartialSource *
mrg_blocks_partials(const MrgBlocks *blocks)
{
    return &blocks->partials;
}

const MrgSlots *
mrg_blocks_slots(const MrgBlocks *blocks)
{
    return blocks->slots;
}

/* ---- reading again ---- */

struct MrgLibrary {
    pthread_mutex_t mutex;
    char *folder, *map;
    MrgBlocks *blocks;
    guint64 state, refused; /* of the folder: read, and not readable */
    gint64 next_look_us;
};

static gint64
changed_us(const struct stat *status)
{
    gint64 us = status->st_ctim.tv_nsec / 1000;
    return us + (gint64) status->st_ctim.tv_sec * MRG_SECOND_US;
}

/* FNV-1a (Fowler, Noll, Vo), 64 bits: to tell states apart, not against forgery. */
static guint64
mix(guint64 hash, const void *data, gsize length)
{
    const guint8 *bytes = data;
    for (gsize i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * G_GUINT64_CONSTANT(0x100000001b3);
    return hash;
}

/* A number for names, sizes and times of all files; *newest_us is when the last changed. */
static guint64
state_of(const GArray *files, gint64 *newest_us)
{
    guint64 state = G_GUINT64_CONSTANT(0xcbf29ce484222325);
    *newest_us = 0;
    for (guint i = 0; i < files->len; i++) {
        const Found *found = &g_array_index(files, Found, i);
        gint64 numbers[] = {changed_us(&found->status), found->status.st_size,
                            (gint64) found->status.st_ino};
        state = mix(state, found->name, strlen(found->name) + 1);
        state = mix(state, numbers, sizeof numbers);
        *newest_us = MAX(*newest_us, numbers[0]);
    }
    return state;
}

MrgLibrary *
mrg_library_new(const char *folder, const char *map, GError **error)
{
    g_autoptr(GArray) files = list_files(folder, map, error);
    MrgBlocks *blocks = files ? read_all(files, error) : NULL;
    gint64 newest_us;
    if (!blocks)
        return NULL;
    MrgLibrary *library = g_new0(MrgLibrary, 1);
    pthread_mutex_init(&library->mutex, NULL);
    library->folder = g_strdup(folder);
    library->map = g_strdup(map);
    library->blocks = blocks;
    library->state = state_of(files, &newest_us);
    return library;
}

void
mrg_library_free(MrgLibrary *library)
{
    if (!library)
        return;
    mrg_blocks_unref(library->blocks);
    pthread_mutex_destroy(&library->mutex);
    g_free(library->folder);
    g_free(library->map);
    g_free(library);
}

static void
look(MrgLibrary *library, gint64 now_us, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(GArray) files = list_files(library->folder, library->map, &reason);
    gint64 newest_us = 0;
    guint64 state = files ? state_of(files, &newest_us) : 1;
    if (state == library->state || state == library->refused ||
        ABS(now_us - newest_us) < SETTLE_US)
        return;
    MrgBlocks *blocks = files ? read_all(files, &reason) : NULL;
    if (!blocks) {
        library->refused = state;
        g_propagate_error(error, g_steal_pointer(&reason));
        return;
    }
    mrg_blocks_unref(library->blocks);
    library->blocks = blocks;
    library->state = state;
    library->refused = 0;
}

MrgBlocks *
mrg_library_get(MrgLibrary *library, gint64 now_us, GError **error)
{
    pthread_mutex_lock(&library->mutex);
    if (now_us >= library->next_look_us) {
        library->next_look_us = now_us + MRG_SECOND_US;
        look(library, now_us, error);
    }
    MrgBlocks *blocks = mrg_blocks_ref(library->blocks);
    pthread_mutex_unlock(&library->mutex);
    return blocks;
}
