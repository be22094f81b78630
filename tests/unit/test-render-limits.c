/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates that end early: at every step, at every byte, at every limit.
 */
#include "config.h"

#include <string.h>

#include "render/limits.h"
#include "tests/unit/rendering.h"

typedef struct Case {
    const char *text, *data;
    MrgDialect dialect;
} Case;

static const RenderingPartial partials[] = {
    {"name", "<{{name}}{{x}}>\n"},
    {"block", "[{{> @partial-block}}]"},
    {"tree", "{{n}}{{#each kids}}({{> tree}}){{/each}}"},
    {"m", " {{a}}\n {{$b}}x{{/b}}\n"},
    {"deep", "{{#kids}}{{>deep}}{{/kids}}{{n}}"},
    {NULL, NULL},
};

static const Case cases[] = {
    {"a{{name}}b{{{name}}}{{o.p}}{{l.1}}", "{\"name\":\"<x>\",\"o\":{\"p\":1},\"l\":[1,2]}",
     0},
    {"{{#each l}}{{@index}}{{this}}{{#if @last}}.{{else}},{{/if}}{{else}}none{{/each}}",
     "{\"l\":[1,[2,3],{\"a\":4}]}", 0},
    {"{{upper (concat a \"-\" b)}}{{#eq a b}}x{{else}}y{{/eq}}{{truncate long 5}}",
     "{\"a\":\"q\",\"b\":\"r\",\"long\":\"abcdefgh\"}", 0},
    {"  {{> name}}{{> name o x=1}}{{#> block}}{{name}}{{/block}}", "{\"name\":1,\"o\":{}}",
     0},
    {"{{#*inline \"i\"}}{{name}}{{/inline}}{{> i}}{{#with o}}{{> i}}{{/with}}",
     "{\"name\":1,\"o\":{\"name\":2}}", 0},
    {"{{> tree}}", "{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[{\"n\":3}]},{\"n\":4}]}", 0},
    {"{{#o}}{{a}}{{n}}{{/o}}{{^z}}no{{/z}}\n  {{>m}}\n{{<m}}{{$b}}y{{/b}}{{/m}}",
     "{\"o\":{\"a\":1},\"n\":2,\"a\":3}", MRG_DIALECT_MUSTACHE},
    {"{{>deep}}", "{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[{\"n\":3,\"kids\":[]}]}]}",
     MRG_DIALECT_MUSTACHE},
};

static char *
render(const Case *one, guint steps, gsize limit)
{
    const MrgRenderInput input = {.max_steps = steps};
    const Rendering how = {
        .dialect = one->dialect, .partials = partials, .limit = limit, .input = &input};
    return rendering_run(&how, one->text, -1, one->data);
}

static gboolean
is_limit(const char *text, const char *what)
{
    return (g_str_has_prefix(text, "error: t:") ||
            g_str_has_prefix(text, "error: partial ")) &&
           strstr(text, what);
}

static void
every_step_may_be_the_last(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *whole = render(&cases[i], 0, 0);
        g_assert_false(g_str_has_prefix(whole, "error: "));
        for (guint steps = 1;; steps++) {
            g_autofree char *text = render(&cases[i], steps, 0);
            if (!is_limit(text, "more than")) {
                g_assert_cmpstr(text, ==, whole);
                g_assert_cmpuint(steps, >, 5);
                break;
            }
        }
    }
}

static void
every_byte_may_be_the_last(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *whole = render(&cases[i], 0, 0);
        gsize length = strlen(whole);
        for (gsize limit = 1; limit < length; limit++) {
            g_autofree char *text = render(&cases[i], 0, limit);
            g_assert_true(is_limit(text, "the text grows longer than"));
        }
        g_autofree char *text = render(&cases[i], 0, length);
        g_assert_cmpstr(text, ==, whole);
    }
}

#define TEN "{\"l\":[1,2,3,4,5,6,7,8,9,0],\"long\":\"0123456789012345678901234567890\"}"
#define LOOP "{{#each @root.l}}"
#define END "{{/each}}"
#define LOOPS LOOP LOOP LOOP LOOP LOOP LOOP
#define ENDS END END END END END END

/* Short templates that would run for hours. */
static void
bombs_end(void)
{
    static const RenderingPartial wide[] = {
        {"w", "{{> w}}{{> w}}"},
        {"l", "{{#each @root.l}}{{> l}}{{/each}}"},
        {"i", "  {{> i}}\n  {{> i}}\n"},
        {"h", "{{> h a=b b=a}}{{> h a=1}}"},
        {"m", " {{>m}}\n {{>m}}\n"},
        {"s", "{{#l}}{{>s}}{{/l}}"},
        {"x", "{{a}}"},
        {"b", "{{#> b}}{{> @partial-block}}{{/b}}{{#> b}}{{/b}}"},
        {NULL, NULL},
    };
    static const Case bombs[] = {
        {"{{> w}}", "{}", 0},
        {"{{> l}}", "{\"l\":[1,2,3,4,5,6,7,8,9]}", 0},
        {"{{> i}}", "{}", 0},
        {"{{> h}}", "{\"b\":1}", 0},
        {"{{> b}}", "{}", 0},
        {"{{#each l}}{{#each @root.l}}{{#each @root.l}}{{#each @root.l}}{{#each @root.l}}"
         "{{#each @root.l}}{{#each @root.l}}x{{/each}}{{/each}}{{/each}}{{/each}}{{/each}}"
         "{{/each}}{{/each}}",
         "{\"l\":[1,2,3,4,5,6,7,8,9,0]}", 0},
        {LOOPS "{{> x a=1}}{{> x}}" ENDS, TEN, 0},
        {LOOPS "{{#*inline \"q\"}}{{/inline}}{{#> q}}{{/q}}" ENDS, TEN, 0},
        {LOOPS "{{upper (concat @root.long @root.long)}}" ENDS, TEN, 0},
        {"{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{>x}}{{none}}{{/l}}{{/l}}{{/l}}{{/l}}{{/"
         "l}}{{/l}}",
         TEN, MRG_DIALECT_MUSTACHE},
        {"{{>m}}", "{}", MRG_DIALECT_MUSTACHE},
        {"{{>s}}", "{\"l\":[1,2,3,4,5,6,7,8,9]}", MRG_DIALECT_MUSTACHE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(bombs); i++) {
        const Rendering how = {.dialect = bombs[i].dialect, .partials = wide};
        g_autofree char *text = rendering_run(&how, bombs[i].text, -1, bombs[i].data);
        g_test_message("%s", text);
        g_assert_true(is_limit(text, "than"));
    }
}

/* White space that grows with the depth: no step may pay for more of it than it should. */
static void
deep_indents_end(void)
{
    g_autofree char *spaces = g_strnfill(60000, ' ');
    g_autofree char *text = g_strconcat(spaces, "{{>w}}\n", NULL);
    const RenderingPartial wide[] = {{"w", text}, {NULL, NULL}};
    static const MrgDialect dialects[] = {MRG_DIALECT_MUSTACHE, MRG_DIALECT_HANDLEBARS};
    for (gsize i = 0; i < G_N_ELEMENTS(dialects); i++) {
        const Rendering how = {.dialect = dialects[i], .partials = wide};
        g_autofree char *result = rendering_run(&how, "{{>w}}", -1, "{}");
        g_assert_true(is_limit(result, dialects[i] == MRG_DIALECT_MUSTACHE
                                           ? "more than 1000000 steps"
                                           : "deeper than 128"));
    }
}

static char *
repeat(const char *before, const char *unit, guint n, const char *after)
{
    GString *text = g_string_new(before);
    for (guint i = 0; i < n; i++)
        g_string_append(text, unit);
    return g_string_free(g_string_append(text, after), FALSE);
}

/* Long names are compared in whole, so that they are paid for by length. */
static void
long_names_are_charged(void)
{
    g_autofree char *name = g_strnfill(50000, 'z');
    g_autofree char *data = g_strdup_printf(
        "{\"o\":{\"%s0\":0,\"%s1\":1,\"%s2\":2},\"k\":\"%s2\",\"p\":[{\"a\":1}]}", name,
        name, name, name);
    g_autofree char *defined =
        g_strdup_printf("{{#*inline \"%s2\"}}i{{/inline}}{{#*inline \"%s1\"}}{{/inline}}"
                        "{{> (lookup @root \"k\")}}",
                        name, name);
    const char *const texts[] = {"{{lookup @root.o @root.k}}",
                                 "{{contains @root.o @root.k}}",
                                 "{{sum p @root.k}}{{map p @root.k}}{{sum p \"a\"}}"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *cheap = render(&(Case){texts[i], data, 0}, 100, 0);
        g_autofree char *paid = render(&(Case){texts[i], data, 0}, 0, 0);
        g_assert_true(is_limit(cheap, "more than 100 steps"));
        g_assert_false(g_str_has_prefix(paid, "error: "));
    }
    const MrgRenderInput few = {.max_steps = 1000};
    g_autofree char *cheap = rendering_run(&(Rendering){.input = &few}, defined, -1, data);
    g_autofree char *paid = rendering_run(&(Rendering){0}, defined, -1, data);
    g_assert_true(is_limit(cheap, "more than 1000 steps"));
    g_assert_cmpstr(paid, ==, "i");
}

/* Ends within that many steps, or not. */
static gboolean
ends_within(const char *text, guint steps)
{
    static const RenderingPartial some[] = {
        {"pb", "{{> @partial-block}}"},
        {"whole", "{{#if this}}{{/if}}{{#if this}}{{/if}}{{#if this}}{{/if}}"},
        {NULL, NULL},
    };
    const MrgRenderInput input = {.max_steps = steps};
    const Rendering how = {.partials = some, .input = &input};
    g_autofree char *result = rendering_run(&how, text, -1, "{\"l\":[1],\"o\":{\"a\":1}}");
    g_test_message("%.200s", result);
    return !is_limit(result, "steps");
}

#define UP "../../../../../../../../"

/* What a value costs that lies far outside, or that is made when it is asked for. */
static void
far_values_are_charged(void)
{
    static const struct {
        const char *before, *open, *value, *close, *after;
        guint depth, base;
    } all[] = {
        {"{{#each l as |p|}}", "{{#with @root.o}}", "{{p}}", "{{/with}}", "{{/each}}", 60,
         700},
        {"", "{{#with @root.o}}", "{{" UP UP UP UP "z}}", "{{/with}}", "", 60, 500},
        {"", "{{#> pb}}", "{{@index}}", "{{/pb}}", "", 60, 2700},
        {"{{> whole a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1}}", "",
         "{{> whole a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1}}", "", "", 0, 4200},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autofree char *open = repeat(all[i].before, all[i].open, all[i].depth, "");
        g_autofree char *close = repeat("", all[i].close, all[i].depth, all[i].after);
        g_autofree char *many = repeat(open, all[i].value, 100, close);
        g_autofree char *none = g_strconcat(open, close, NULL);
        g_assert_true(ends_within(none, all[i].base));
        g_assert_true(ends_within(many, 100000));
        g_assert_false(ends_within(many, all[i].base));
    }
}

static void
templates_have_bounds(void)
{
    static const struct {
        const char *before, *unit;
        guint n;
        const char *after, *message;
        MrgDialect dialect;
    } all[] = {
        {"", "{{#a}}", MRG_LIMIT_DEPTH + 1, "", "deeper than 64", 0},
        {"", "{{#a}}", MRG_LIMIT_DEPTH + 1, "", "deeper than 64", MRG_DIALECT_MUSTACHE},
        {"", "{{#> a}}", MRG_LIMIT_DEPTH + 1, "", "deeper than 64", 0},
        {"", "{{a}}", MRG_LIMIT_TAGS + 1, "", "more tags than 50000", 0},
        {"", "{{a}}", MRG_LIMIT_TAGS + 1, "", "more tags than 50000", MRG_DIALECT_MUSTACHE},
        {"{{a", ".a", MRG_LIMIT_PATH_SEGMENTS, "}}", "more", 0},
        {"{{a", ".a", MRG_LIMIT_PATH_SEGMENTS, "}}", "more names than 32",
         MRG_DIALECT_MUSTACHE},
        {"{{", "a", MRG_LIMIT_NAME_BYTES + 1, "}}", "more bytes than 256", 0},
        {"{{", "a", MRG_LIMIT_NAME_BYTES + 1, "}}", "more bytes than 256",
         MRG_DIALECT_MUSTACHE},
        {"{{[", "a", 3 * MRG_LIMIT_NAME_BYTES, "]}}", "the [name] is", 0},
        {"{{=", "<", MRG_LIMIT_DELIMITER_BYTES + 1, " >=}}", "new delimiters",
         MRG_DIALECT_MUSTACHE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autofree char *text = repeat(all[i].before, all[i].unit, all[i].n, all[i].after);
        const Rendering how = {.dialect = all[i].dialect, .partials = partials};
        g_autoptr(GError) error = NULL;
        g_autoptr(MrgProgram) program = rendering_compile_with(&how, text, &error);
        g_assert_null(program);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, all[i].message));
    }
}

/* Partials are compiled once for each way to call them. */
static void
programs_have_bounds(void)
{
    g_autofree char *text = repeat("", "{{or a a a a a a a a a a}}", 40000, "");
    const RenderingPartial large[] = {{"a", text}, {"b", text}, {"c", text},
                                      {"d", text}, {"e", text}, {NULL, NULL}};
    const Rendering how = {.partials = large};
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) one = rendering_compile_with(&how, "{{> a}}{{> b}}", &error);
    g_assert_no_error(error);
    g_assert_nonnull(one);
    g_autoptr(MrgProgram) all =
        rendering_compile_with(&how, "{{> a}}{{> b}}{{> c}}{{> d}}{{> e}}", &error);
    g_assert_null(all);
    g_assert_true(g_str_has_prefix(error->message, "partial e:1:"));
    g_assert_nonnull(strstr(error->message, "come to more instructions than 2097152"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/limits/steps", every_step_may_be_the_last);
    g_test_add_func("/render/limits/bytes", every_byte_may_be_the_last);
    g_test_add_func("/render/limits/bombs", bombs_end);
    g_test_add_func("/render/limits/indents", deep_indents_end);
    g_test_add_func("/render/limits/names", long_names_are_charged);
    g_test_add_func("/render/limits/far", far_values_are_charged);
    g_test_add_func("/render/limits/templates", templates_have_bounds);
    g_test_add_func("/render/limits/programs", programs_have_bounds);
    return g_test_run();
}
