/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/limits.h"
#include "tests/unit/rendering.h"

static void
errors_say_where_and_what(void)
{
    static const struct {
        const char *text, *message;
        MrgRenderError code;
    } cases[] = {
        {"a\n {{#if x}}b", "t:2:2: {{#if}} is not closed", MRG_RENDER_ERROR_SYNTAX},
        {"{{#if x}}{{^y}}{{/if}}", "t:1:16: {{/if}} does not close {{^y}} of line 1", 0},
        {"{{#if x}}\n{{/each}}", "t:2:1: {{/each}} does not close {{#if}} of line 1", 0},
        {"a{{/if}}", "t:1:2: {{/if}} closes no block", 0},
        {"a\n{{else}}", "t:2:1: {{else}} stands in no block", 0},
        {"{{else if x}}", "t:1:1: {{else}} stands in no block", 0},
        {"{{#if x}}a{{else}}b{{else}}c{{/if}}",
         "t:1:20: this block already has its {{else}}", 0},
        {"{{a", "t:1:1: the tag is not closed", 0},
        {"x{{a}", "t:1:5: unexpected '}'", 0},
        {"{{", "t:1:1: the tag is not closed", 0},
        {"{{a \"b}}", "t:1:5: the string is not closed", 0},
        {"{{[a}}", "t:1:3: the [name] is not closed", 0},
        {"{{a #}}", "t:1:5: unexpected '#'", 0},
        {"{{ #if a}}", "t:1:4: unexpected '#'", 0},
        {"{{}}", "t:1:3: a name is missing here", 0},
        {"{{a/}}", "t:1:5: a name is missing here", 0},
        {"{{{a}}", "t:1:5: '{{{' is closed by '}}'", 0},
        {"{{a}}}", "t:1:4: '}}}' closes no '{{{'", 0},
        {"{{! a", "t:1:1: the comment is not closed", 0},
        {"{{!-- a }}", "t:1:1: the comment is not closed", 0},
        {"{{a/this}}", "t:1:5: 'this' and '..' stand at the start of a path", 0},
        {"{{upper (lower a}}", "t:1:9: '(' is not closed", 0},
        {"{{upper a)}}", "t:1:10: the tag should end here", 0},
        {"{{> x}}", "t:1:5: there is no partial 'x'", 0},
        {"\n{{#> x}}", "t:2:1: {{#>x}} is not closed", 0},
        {"{{#> x}}{{else}}{{/x}}", "t:1:9: this block takes no {{else}}", 0},
        {"{{> x a b}}", "t:1:5: a partial takes one context at most", 0},
        {"{{{{x}}}}", "t:1:1: the raw block is not closed", 0},
        {"{{* x}}", "t:1:5: the only decorator is {{#*inline \"name\"}}", 0},
        {"{{#*inline x}}{{/inline}}",
         "t:1:5: an inline partial reads {{#*inline \"name\"}}", 0},
        {"\n\n {{uper a}}", "t:3:4: unknown helper 'uper', the nearest is 'upper'",
         MRG_RENDER_ERROR_UNKNOWN_HELPER},
        {"{{#iff a}}{{/iff}}", "t:1:4: unknown helper 'iff', the nearest is 'if'",
         MRG_RENDER_ERROR_UNKNOWN_HELPER},
        {"{{upper (foo 1)}}", "t:1:10: unknown helper 'foo', the nearest is 'or'",
         MRG_RENDER_ERROR_UNKNOWN_HELPER},
        {"{{upper a b}}", "t:1:3: helper 'upper' takes 1 argument, not 2", 0},
        {"{{trim a x=1}}", "t:1:3: helper 'trim' takes no named arguments", 0},
        {"{{upper a x=1}}",
         "t:1:3: helper 'upper' has no argument 'x='; it takes: text [locale=]", 0},
        {"{{abort a}}",
         "t:1:3: helper 'abort' takes a text in quotes: {{abort [\"reason\"]}}", 0},
        {"{{eq a}}", "t:1:3: helper 'eq' takes 2 arguments, not 1", 0},
        {"{{or x=1 a}}", "t:1:10: named arguments come last", 0},
        {"{{#upper a}}{{/upper}}", "t:1:4: helper 'upper' opens no block", 0},
        {"{{if a}}", "t:1:3: 'if' opens a block: {{#if ...}}", 0},
        {"{{#if}}{{/if}}", "t:1:4: 'if' and 'unless' take one argument", 0},
        {"{{#each a b}}{{/each}}", "t:1:4: 'each' and 'with' take one argument", 0},
        {"{{#if a x=1}}{{/if}}", "t:1:4: the only named argument here is includeZero", 0},
        {"{{a.b c}}", "t:1:3: only a helper takes arguments, and this is no helper's name",
         0},
        {"{{#each a as ||}}{{/each}}", "t:1:15: block parameters read 'as |name|'", 0},
        {"\xc3\xa4{{\x01 a}}", "t:1:5: unexpected '?'", 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(MrgProgram) program = rendering_compile(cases[i].text, &error);
        if (program || strcmp(error->message, cases[i].message) != 0)
            g_test_message("template %s", cases[i].text);
        g_assert_null(program);
        g_assert_cmpstr(error->message, ==, cases[i].message);
        g_assert_error(error, MRG_RENDER_ERROR, (int) cases[i].code);
    }
}

static char *
repeat(const char *before, const char *piece, gsize n, const char *after)
{
    GString *text = g_string_new(before);
    for (gsize i = 0; i < n; i++)
        g_string_append(text, piece);
    g_string_append(text, after);
    return g_string_free(text, FALSE);
}

static void
assert_limit(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) program = rendering_compile(text, &error);
    g_assert_null(program);
    g_assert_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_LIMIT);
    g_assert_nonnull(strstr(error->message, message));
}

static void
assert_bound(const char *before, const char *piece, const char *after, gsize bound,
             const char *message)
{
    g_autofree char *good = repeat(before, piece, bound, after);
    g_autofree char *bad = repeat(before, piece, bound + 1, after);
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) program = rendering_compile(good, &error);
    g_assert_no_error(error);
    g_assert_nonnull(program);
    assert_limit(bad, message);
}

static void
compile_limits_hold_to_the_unit(void)
{
    assert_bound("", "x", "", MRG_LIMIT_TEMPLATE_BYTES,
                 "t:1:1: the template is longer than");
    assert_bound("", "{{a}}", "", MRG_LIMIT_TAGS, "t:1:250001: there are more tags than");
    assert_bound("{{", "../", "a}}", MRG_LIMIT_PATH_UP, "the path has more ../ than");
    assert_bound("{{a", ".b", "}}", MRG_LIMIT_PATH_SEGMENTS - 1, "the path has more names");
    assert_bound("{{", "n", "}}", MRG_LIMIT_NAME_BYTES, "the name has more bytes than");
    assert_bound("{{or", " a", "}}", MRG_LIMIT_ARGUMENTS, "there are more arguments than");
    assert_bound("{{#each a as |", " p", "|}}{{/each}}", MRG_LIMIT_BLOCK_PARAMS,
                 "there are more block parameters than");
    assert_bound("{{#if a}}", "{{else if b}}", "{{/if}}", MRG_LIMIT_CHAIN - 1,
                 "blocks are nested deeper than");
}

static void
nesting_is_bounded(void)
{
    g_autofree char *blocks = repeat("", "{{#if a}}", MRG_LIMIT_DEPTH + 1, "");
    g_autofree char *calls = repeat("{{not ", "(not ", MRG_LIMIT_CALL_DEPTH + 1, "");
    g_autofree char *million = repeat("", "{{#a}}", 100000, "");
    assert_limit(blocks, "blocks are nested deeper than");
    assert_limit(calls, "subexpressions are nested deeper than");
    assert_limit(million, "blocks are nested deeper than");
}

static void
fields_are_bounded(void)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i <= MRG_LIMIT_FIELDS; i++)
        g_string_append_printf(text, "{{f%u}}", i);
    assert_limit(text->str, "the templates read more fields than");
    g_string_free(text, TRUE);
}

static char *
long_list(gsize n)
{
    GString *json = g_string_new("{\"l\":[0");
    for (gsize i = 1; i < n; i++)
        g_string_append(json, ",0");
    g_string_append(json, "]}");
    return g_string_free(json, FALSE);
}

static void
bombs_end_soon(void)
{
    static const char *const bombs[] = {
        "{{#each l}}{{#each ../l}}{{#each ../../l}}x{{/each}}{{/each}}{{/each}}",
        "{{#each l}}{{#each ../l}}{{../../l}}{{/each}}{{/each}}",
        "{{#each l}}{{#each ../l}}{{upper ../../l}}{{/each}}{{/each}}",
        "{{#each l}}{{#each ../l}}{{#if (upper ../../l)}}{{/if}}{{/each}}{{/each}}",
    };
    g_autofree char *json = long_list(2000);
    for (gsize i = 0; i < G_N_ELEMENTS(bombs); i++) {
        Rendering how = {.limit = 256u << 20};
        g_autofree char *text = rendering_run(&how, bombs[i], -1, json);
        g_assert_true(g_str_has_prefix(text, "error: t:1:"));
        g_assert_true(g_str_has_suffix(text, "the template takes more than 1000000 steps"));
    }
}

static void
output_is_bounded_with_the_position(void)
{
    Rendering how = {.limit = 100};
    g_autofree char *json = long_list(101);
    g_autofree char *text = rendering_run(&how, "abc\n{{#each l}}{{.}}{{/each}}", -1, json);
    g_assert_cmpstr(text, ==, "error: t:2:14: the text grows longer than 100 bytes");
    g_autofree char *good_json = long_list(96);
    g_autofree char *good =
        rendering_run(&how, "abc\n{{#each l}}{{.}}{{/each}}", -1, good_json);
    g_assert_cmpuint(strlen(good), ==, 100);
}

/* Twice the text must not cost four times as much: a million bytes that are hard on every
 * scanner would take minutes if one were quadratic. */
static void
compiling_is_linear(void)
{
    static const char *const pieces[] = {"{",   "{ {{!--", " \n", "\\\\", "\xc2\xa0",
                                         "{a|", "<style",  "}}",  "[",    "{{a}}\n \n"};
    static const char *const declared[] = {"a", NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
        gsize n = MIN(MRG_LIMIT_TEMPLATE_BYTES / strlen(pieces[i]), MRG_LIMIT_TAGS * 2);
        g_autofree char *text = repeat("", pieces[i], n, "");
        Rendering how = {.declared = declared};
        gint64 start = g_get_monotonic_time();
        g_autofree char *result = rendering_run(&how, text, -1, "{}");
        g_assert_nonnull(result);
        g_assert_cmpint(g_get_monotonic_time() - start, <, 10 * G_USEC_PER_SEC);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/errors/positions", errors_say_where_and_what);
    g_test_add_func("/render/errors/compile-limits", compile_limits_hold_to_the_unit);
    g_test_add_func("/render/errors/nesting", nesting_is_bounded);
    g_test_add_func("/render/errors/fields", fields_are_bounded);
    g_test_add_func("/render/errors/bombs", bombs_end_soon);
    g_test_add_func("/render/errors/output", output_is_bounded_with_the_position);
    g_test_add_func("/render/errors/linear", compiling_is_linear);
    return g_test_run();
}
