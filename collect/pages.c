/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/pages.h"
#include "milter/clock.h"
#include "milter/error.h"
#include "milter/ini.h"
#include "render/render.h"

#define FILE_BYTES_MAX (256 * 1024)
#define PAGE_BYTES_MAX (4 * 1024 * 1024)
#define LANGUAGES_MAX 64
#define INSTALLED MRG_DATA_DIR "/collect"

typedef struct Language {
    const char *name; /* "de" */
    GHashTable *texts;
    MrgValue value; /* the same as an object */
} Language;

struct MrgPages {
    MrgArena *arena;
    MrgProgram *programs[MRG_N_PAGES];
    Language languages[LANGUAGES_MAX];
    gsize n_languages, fallback;
    char *style, *tag;
};

static const char *const page_files[MRG_N_PAGES] = {
    [MRG_PAGE_UNSUBSCRIBE] = "unsubscribe.hbs",
    [MRG_PAGE_NOTICE] = "notice.hbs",
    [MRG_PAGE_PREFERENCES] = "preferences.hbs",
    [MRG_PAGE_DATA] = "data.hbs",
    [MRG_PAGE_ERASE] = "erase.hbs"};

/* ---- files */

static char *
read_file(const char *directory, const char *name, gsize *length, GError **error)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *text = NULL;
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_free(path);
        path = g_build_filename(INSTALLED, name, NULL);
    }
    g_autoptr(GError) problem = NULL;
    if (!g_file_get_contents(path, &text, length, &problem)) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s", problem->message);
        return NULL;
    }
    if (*length <= FILE_BYTES_MAX)
        return g_steal_pointer(&text);
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s is over %d bytes", path,
                FILE_BYTES_MAX);
    return NULL;
}

typedef struct Layout {
    const char *text;
    gsize length;
} Layout;

static const char *
find_partial(gpointer context, const char *name, gsize *length)
{
    const Layout *layout = context;
    if (!g_str_equal(name, "layout"))
        return NULL;
    *length = layout->length;
    return layout->text;
}

static gboolean
compile_page(MrgPages *pages, MrgPageId id, const char *directory, Layout *layout,
             GError **error)
{
    gsize length;
    g_autofree char *text = read_file(directory, page_files[id], &length, error);
    if (!text)
        return FALSE;
    const MrgTemplate template = {.name = page_files[id],
                                  .text = text,
                                  .length = length,
                                  .dialect = MRG_DIALECT_HANDLEBARS,
                                  .escape = MRG_ESCAPE_HTML};
    const MrgPartialSource partials = {find_partial, layout, NULL};
    const MrgCompileOptions options = {.partials = &partials};
    g_autoptr(GError) problem = NULL;
    pages->programs[id] = mrg_program_compile(&template, 1, &options, &problem);
    if (!pages->programs[id])
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s", problem->message);
    return pages->programs[id] != NULL;
}

static gboolean
compile_pages(MrgPages *pages, const char *directory, GError **error)
{
    Layout layout;
    g_autofree char *text = read_file(directory, "layout.hbs", &layout.length, error);
    layout.text = text;
    gboolean is_done = text != NULL;
    for (guint id = 0; id < MRG_N_PAGES && is_done; id++)
        is_done = compile_page(pages, (MrgPageId) id, directory, &layout, error);
    return is_done;
}

/* ---- texts */

static Language *
find_language(MrgPages *pages, const char *name)
{
    for (gsize i = 0; i < pages->n_languages; i++)
        if (g_str_equal(pages->languages[i].name, name))
            return &pages->languages[i];
    if (pages->n_languages == LANGUAGES_MAX)
        return NULL;
    Language *language = &pages->languages[pages->n_languages++];
    language->name = mrg_arena_strdup(pages->arena, name);
    language->texts = g_hash_table_new(g_str_hash, g_str_equal);
    return language;
}

static gboolean
read_texts(MrgPages *pages, const char *directory, const char *file, GError **error)
{
    g_autofree char *path = g_build_filename(directory, file, NULL);
    g_autofree char *name = g_strndup(file, strlen(file) - strlen(".conf"));
    g_autoptr(MrgIni) ini = mrg_ini_load(path, error);
    Language *language = ini ? find_language(pages, name) : NULL;
    if (!language)
        return ini == NULL ? FALSE : TRUE;
    for (guint i = 0; i < ini->entries->len; i++) {
        const MrgIniEntry *entry = &g_array_index(ini->entries, MrgIniEntry, i);
        if (entry->key)
            g_hash_table_replace(language->texts,
                                 mrg_arena_strdup(pages->arena, entry->key),
                                 mrg_arena_strdup(pages->arena, entry->value));
    }
    return TRUE;
}

/* A folder that is not there has no texts. */
static gboolean
read_folder(MrgPages *pages, const char *directory, GError **error)
{
    g_autofree char *texts = g_build_filename(directory, "texts", NULL);
    g_autoptr(GDir) dir = g_dir_open(texts, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".conf") && !read_texts(pages, texts, name, error))
            return FALSE;
    return TRUE;
}

static void
make_value(MrgPages *pages, Language *language)
{
    gsize n = 0;
    MrgMember *members =
        mrg_arena_array(pages->arena, MrgMember, g_hash_table_size(language->texts));
    GHashTableIter iter;
    gpointer key, text;
    g_hash_table_iter_init(&iter, language->texts);
    while (g_hash_table_iter_next(&iter, &key, &text))
        members[n++] =
            (MrgMember){key, (guint32) strlen(key), mrg_value_cstring((const char *) text)};
    language->value = mrg_value_object(members, n);
}

static gboolean
matches(const char *name, const char *tag, gsize length)
{
    return strlen(name) == length && g_ascii_strncasecmp(name, tag, length) == 0;
}

/* The language of "de-CH" or "de"; G_MAXSIZE: there is none. */
static gsize
language_of(const MrgPages *pages, const char *tag, gsize length)
{
    gsize primary = MIN(strcspn(tag, "-_"), length);
    for (gsize i = 0; i < pages->n_languages; i++)
        if (matches(pages->languages[i].name, tag, length))
            return i;
    for (gsize i = 0; i < pages->n_languages; i++)
        if (matches(pages->languages[i].name, tag, primary))
            return i;
    return G_MAXSIZE;
}

static gboolean
load_texts(MrgPages *pages, const char *directory, const char *fallback, GError **error)
{
    if (!read_folder(pages, INSTALLED, error) || !read_folder(pages, directory, error))
        return FALSE;
    for (gsize i = 0; i < pages->n_languages; i++)
        make_value(pages, &pages->languages[i]);
    pages->fallback = language_of(pages, fallback, strlen(fallback));
    if (pages->fallback == G_MAXSIZE)
        pages->fallback = language_of(pages, "en", 2);
    if (pages->fallback != G_MAXSIZE)
        return TRUE;
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                "neither " INSTALLED " nor %s has texts/en.conf", directory);
    return FALSE;
}

MrgPages *
mrg_pages_load(const char *directory, const char *fallback, GError **error)
{
    MrgPages *pages = g_new0(MrgPages, 1);
    gsize length;
    pages->arena = mrg_arena_new();
    if (load_texts(pages, directory, fallback, error) &&
        compile_pages(pages, directory, error) &&
        (pages->style = read_file(directory, "style.css", &length, error)) &&
        (pages->tag = read_file(directory, "tag.js", &length, error)))
        return pages;
    mrg_pages_free(pages);
    return NULL;
}

void
mrg_pages_free(MrgPages *pages)
{
    if (!pages)
        return;
    for (gsize i = 0; i < MRG_N_PAGES; i++)
        g_clear_pointer(&pages->programs[i], mrg_program_unref);
    for (gsize i = 0; i < pages->n_languages; i++)
        g_hash_table_unref(pages->languages[i].texts);
    mrg_arena_free(pages->arena);
    g_free(pages->style);
    g_free(pages->tag);
    g_free(pages);
}

const char *
mrg_pages_style(const MrgPages *pages)
{
    return pages->style;
}

const char *
mrg_pages_tag(const MrgPages *pages)
{
    return pages->tag;
}

/* ---- one page */

/* q=0.8 in thousandths; what cannot be read counts as 1. */
static guint
quality(const char *parameters, gsize length)
{
    const char *q = g_strstr_len(parameters, (gssize) length, "q=");
    return q ? (guint) CLAMP(g_ascii_strtod(q + 2, NULL) * 1000, 0, 1000) : 1000;
}

static gsize
accepted_language(const MrgPages *pages, const char *accepted)
{
    gsize best = G_MAXSIZE;
    guint best_quality = 0;
    while (*accepted) {
        gsize item = strcspn(accepted, ",");
        const char *tag = accepted + strspn(accepted, " \t");
        gsize length = strcspn(tag, ",; \t");
        gsize found = language_of(pages, tag, length);
        guint q = quality(tag, item - (gsize) MIN(tag - accepted, (gssize) item));
        if (found != G_MAXSIZE && q > best_quality) {
            best = found;
            best_quality = q;
        }
        accepted += item + (accepted[item] == ',');
    }
    return best;
}

void
mrg_page_init(MrgPage *page, const MrgPages *pages, const char *locale,
              const char *accepted, MrgArena *arena)
{
    gsize language =
        locale && *locale ? language_of(pages, locale, strlen(locale)) : G_MAXSIZE;
    if (language == G_MAXSIZE && accepted)
        language = accepted_language(pages, accepted);
    if (language == G_MAXSIZE)
        language = pages->fallback;
    *page = (MrgPage){.pages = pages, .arena = arena, .language = language};
    const Language *chosen = &pages->languages[language];
    const char *direction = mrg_page_text(page, "direction");
    mrg_page_set(page, "t", chosen->value);
    mrg_page_set_text(page, "lang", chosen->name);
    mrg_page_set_text(page, "dir", *direction ? direction : "ltr");
}

const char *
mrg_page_text(const MrgPage *page, const char *key)
{
    const MrgPages *pages = page->pages;
    const char *text = g_hash_table_lookup(pages->languages[page->language].texts, key);
    if (!text)
        text = g_hash_table_lookup(pages->languages[pages->fallback].texts, key);
    return text ? text : "";
}

void
mrg_page_set(MrgPage *page, const char *name, MrgValue value)
{
    g_assert(page->n < G_N_ELEMENTS(page->members));
    page->members[page->n++] = (MrgMember){name, (guint32) strlen(name), value};
}

void
mrg_page_set_text(MrgPage *page, const char *name, const char *text)
{
    mrg_page_set(page, name, mrg_value_cstring(text));
}

MrgReply
mrg_page_reply(MrgPage *page, MrgPageId id, guint status)
{
    const MrgProgram *program = page->pages->programs[id];
    const MrgValue root = mrg_value_object(page->members, page->n);
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    MrgValue *slots = mrg_arena_array(page->arena, MrgValue, n);
    for (gsize i = 0; i < n; i++)
        slots[i] = *mrg_value_member(&root, fields[i].name, strlen(fields[i].name));
    const MrgRenderInput input = {.slots = slots,
                                  .root = &root,
                                  .now_us = mrg_clock_now_us(),
                                  .arena = page->arena,
                                  .locale = page->pages->languages[page->language].name};
    g_auto(MrgBuffer) out;
    g_autoptr(GError) error = NULL;
    mrg_buffer_init(&out, PAGE_BYTES_MAX);
    if (!mrg_program_run(program, 0, &input, &out, &error)) {
        g_warning("a page cannot be made: %s", error->message);
        return mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
    }
    return mrg_reply_page(status, mrg_buffer_dup(&out), out.length);
}

MrgReply
mrg_page_notice(MrgPage *page, const char *key, guint status)
{
    const char *title = mrg_arena_printf(page->arena, "%s_title", key);
    const char *text = mrg_arena_printf(page->arena, "%s_text", key);
    mrg_page_set_text(page, "title", mrg_page_text(page, title));
    mrg_page_set_text(page, "text", mrg_page_text(page, text));
    mrg_page_set(page, "is_problem", mrg_value_boolean(status >= 400));
    return mrg_page_reply(page, MRG_PAGE_NOTICE, status);
}
