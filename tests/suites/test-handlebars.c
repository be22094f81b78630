/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published cases of handlebars.js 4.7, by the classes of manifest.json: the rendered
 * ones give the text or fail as expected, the X-dump ones are accepted, the X-dump-reject
 * ones refused.
 */
#include "config.h"

#include <string.h>

#include "render/dialect.h"
#include "render/lexer.h"
#include "render/singles.h"
#include "tests/suites/fixtures.h"
#include "tests/suites/suite.h"

#define FOLDER "handlebars"

typedef struct Entry {
    const MrgValue *test;
    gboolean has_fixtures; /* brings helpers that are written in JavaScript */
} Entry;

static guint
options_of(const MrgValue *test)
{
    const MrgValue *wanted = suite_member(test, "compileOptions");
    guint options = 0;
    for (guint32 i = 0; wanted->type == MRG_VALUE_OBJECT && i < wanted->length; i++) {
        const MrgMember *member = &wanted->members[i];
        g_autofree char *name = g_strndup(member->name, member->name_length);
        MrgOption option;
        if (mrg_value_is_true(&member->value) && mrg_option_parse(name, &option))
            options |= option;
    }
    return options;
}

static void
renders(gconstpointer data)
{
    const Entry *entry = data;
    const MrgValue *test = entry->test;
    const MrgValue *values = suite_member(suite_member(test, "runtimeOptions"), "data");
    g_autoptr(GArray) helpers = g_array_new(FALSE, FALSE, sizeof(MrgHelper));
    if (entry->has_fixtures)
        fixtures_add(helpers, suite_member(test, "helpers"));
    SuiteCase suite_case = {.template = suite_member(test, "template"),
                            .data = suite_member(test, "data"),
                            .partials = suite_member(test, "partials"),
                            .values = values,
                            .options = options_of(test),
                            .helpers = (gpointer) helpers->data,
                            .n_helpers = helpers->len};
    g_autofree char *template = suite_text(test, "template");
    g_autofree char *expected = suite_text(test, "expected");
    g_test_message("template %s", template);
    for (guint has_root = 0; has_root <= 1; has_root++) {
        fixtures_reset();
        g_autofree char *text = suite_render(&suite_case, has_root);
        if (!text)
            continue;
        if (suite_member(test, "exception")->type != MRG_VALUE_MISSING)
            g_assert_true(g_str_has_prefix(text, "error: "));
        else
            g_assert_cmpstr(text, ==, expected);
    }
}

/* What our lexer calls what theirs calls by these names. */
static const char *const token_names[] = {
    [MRG_TOKEN_CONTENT] = "CONTENT",
    [MRG_TOKEN_COMMENT] = "COMMENT",
    [MRG_TOKEN_INVERSE] = "INVERSE",
    [MRG_TOKEN_OPEN] = "OPEN",
    [MRG_TOKEN_OPEN_UNESCAPED] = "OPEN_UNESCAPED",
    [MRG_TOKEN_OPEN_BLOCK] = "OPEN_BLOCK",
    [MRG_TOKEN_OPEN_INVERSE] = "OPEN_INVERSE",
    [MRG_TOKEN_OPEN_CHAIN] = "OPEN_INVERSE_CHAIN",
    [MRG_TOKEN_OPEN_END] = "OPEN_ENDBLOCK",
    [MRG_TOKEN_OPEN_PARTIAL] = "OPEN_PARTIAL",
    [MRG_TOKEN_OPEN_PARTIAL_BLOCK] = "OPEN_PARTIAL_BLOCK",
    [MRG_TOKEN_OPEN_DECORATOR] = "OPEN",
    [MRG_TOKEN_OPEN_DECORATOR_BLOCK] = "OPEN_BLOCK",
    [MRG_TOKEN_OPEN_RAW] = "OPEN_RAW_BLOCK",
    [MRG_TOKEN_CLOSE_RAW] = "CLOSE_RAW_BLOCK",
    [MRG_TOKEN_END_RAW] = "END_RAW_BLOCK",
    [MRG_TOKEN_CLOSE] = "CLOSE",
    [MRG_TOKEN_CLOSE_UNESCAPED] = "CLOSE_UNESCAPED",
    [MRG_TOKEN_NAME] = "ID",
    [MRG_TOKEN_SEPARATOR] = "SEP",
    [MRG_TOKEN_DATA] = "DATA",
    [MRG_TOKEN_EQUALS] = "EQUALS",
    [MRG_TOKEN_STRING] = "STRING",
    [MRG_TOKEN_NUMBER] = "NUMBER",
    [MRG_TOKEN_TRUE] = "BOOLEAN",
    [MRG_TOKEN_FALSE] = "BOOLEAN",
    [MRG_TOKEN_NULL] = "NULL",
    [MRG_TOKEN_UNDEFINED] = "UNDEFINED",
    [MRG_TOKEN_OPEN_CALL] = "OPEN_SEXPR",
    [MRG_TOKEN_CLOSE_CALL] = "CLOSE_SEXPR",
    [MRG_TOKEN_OPEN_PARAMS] = "OPEN_BLOCK_PARAMS",
    [MRG_TOKEN_PIPE] = "CLOSE_BLOCK_PARAMS",
};

/* Takes the text apart as far as they do: some of their cases are no whole templates. */
static void
gives_tokens(MrgSource *source, MrgArena *arena, const MrgValue *expected)
{
    MrgLexer lexer;
    MrgToken token;
    mrg_lexer_init(&lexer, source, arena);
    for (guint32 i = 0; i < expected->length; i++) {
        g_autofree char *name = suite_text(&expected->items[i], "name");
        g_assert_true(mrg_lexer_next(&lexer, &token));
        g_assert_cmpstr(token_names[token.type], ==, name);
    }
    if (mrg_lexer_next(&lexer, &token))
        g_assert_cmpint(token.type, ==, MRG_TOKEN_END);
}

static void
parses(gconstpointer data)
{
    const Entry *entry = data;
    const MrgValue *test = entry->test, *text = suite_member(test, "template");
    const MrgValue *expected = suite_member(test, "expected");
    const MrgTemplate template = {.name = "t", .text = text->text, .length = text->length};
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GHashTable) declared = mrg_singles_fold(NULL);
    g_autoptr(GError) error = NULL;
    g_auto(MrgSource) source = {0};
    g_assert_true(mrg_source_init(&source, &template, &error));
    g_test_message("template %.*s", (int) text->length, text->text);
    if (expected->type == MRG_VALUE_LIST) {
        gives_tokens(&source, arena, expected);
        return;
    }
    const MrgCompilation compilation = {
        .source = &source, .arena = arena, .declared = declared};
    gboolean is_good = mrg_handlebars_parse(&compilation) != NULL;
    if (is_good)
        g_assert_no_error(error);
    g_assert_true(is_good == (suite_member(test, "exception")->type == MRG_VALUE_MISSING));
    g_assert_true(is_good == !error);
}

typedef struct Class {
    const char *name;
    void (*run)(gconstpointer data);
    gboolean has_fixtures;
} Class;

static const Class classes[] = {
    {"R-plain", renders, FALSE},
    {"R-inline-partial", renders, FALSE},
    {"O-compile-option", renders, FALSE},
    {"H-custom-helper", renders, TRUE},
    {"X-dump", parses, FALSE},
    {"X-dump-reject", parses, FALSE},
};

static const Class *
class_of(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(classes); i++)
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];
    return NULL;
}

static MrgValue *
read_spec(GHashTable *specs, MrgArena *arena, const char *name)
{
    MrgValue *spec = g_hash_table_lookup(specs, name);
    if (spec)
        return spec;
    g_autofree char *file = g_strdup_printf("spec/%s.json", name);
    spec = g_new(MrgValue, 1);
    *spec = suite_read(arena, FOLDER, file);
    g_hash_table_insert(specs, g_strdup(name), spec);
    return spec;
}

static void
add_case(GHashTable *specs, MrgArena *arena, const MrgValue *line)
{
    g_autofree char *class_name = suite_text(line, "cls");
    g_autofree char *file = suite_text(line, "file");
    g_autofree char *what = suite_text(line, "it");
    const Class *class = class_of(class_name);
    if (!class)
        return;
    guint32 index = (guint32) suite_member(line, "index")->number;
    MrgValue *spec = read_spec(specs, arena, file);
    g_assert_cmpuint(index, <, spec->length);
    Entry *entry = g_new(Entry, 1);
    *entry = (Entry){&spec->items[index], class->has_fixtures};
    g_strdelimit(what, "/", '_');
    g_autofree char *path =
        g_strdup_printf("/handlebars/%s/%s %u %s", class->name, file, index, what);
    g_test_add_data_func_full(path, entry, class->run, g_free);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    suite_need(FOLDER);
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GHashTable) specs =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    MrgValue manifest = suite_read(arena, FOLDER, "manifest.json");
    for (guint32 i = 0; i < manifest.length; i++)
        add_case(specs, arena, &manifest.items[i]);
    return g_test_run();
}
