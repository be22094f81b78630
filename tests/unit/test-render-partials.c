/* SPDX-License-Identifier: Apache-2.0 */
/* Partials, blocks of partials, inline partials, raw blocks, compile options. */
#include "config.h"

#include <string.h>

#include "tests/unit/rendering.h"

typedef struct Case {
    const char *text, *data, *expected;
} Case;

static const RenderingPartial partials[] = {
    {"name", "<{{name}}>"},
    {"deep/er", "[{{> name}}]"},
    {"lines", "a{{x}}\nb\n"},
    {"up", "{{../name}}|{{@root.name}}"},
    {"loop", "{{n}}{{#if next}}-{{> loop next}}{{/if}}"},
    {"layout", "<b>{{> @partial-block}}</b>"},
    {"twice", "{{> @partial-block x=1}}{{> @partial-block x=2}}"},
    {"slotted", "{{#> head}}none{{/head}}:{{> @partial-block}}"},
    {"data", "{{@index}}{{name}}"},
    {"whole", "{{#each this}}{{@key}}{{/each}}"},
    {"cards", "{{#each l}}{{#> card}}{{/card}}{{/each}}"},
    {NULL, NULL},
};

static void
check_cases(const Case *cases, gsize n, const Rendering *how)
{
    for (gsize i = 0; i < n; i++) {
        g_autofree char *text = rendering_run(how, cases[i].text, -1, cases[i].data);
        g_test_message("template %s", cases[i].text);
        g_assert_cmpstr(text, ==, cases[i].expected);
    }
}

static void
partials_have_contexts(void)
{
    static const Case cases[] = {
        {"{{> name}}", "{\"name\":\"A&\"}", "<A&amp;>"},
        {"{{> \"name\"}}{{>[deep/er]}}{{> deep/er}}", "{\"name\":1}", "<1>[<1>][<1>]"},
        {"{{#each l}}{{> name}}{{/each}}", "{\"l\":[{\"name\":1},{}],\"name\":9}", "<1><>"},
        {"{{> name o}}{{> name o.p}}", "{\"o\":{\"name\":1,\"p\":{\"name\":2}}}", "<1><2>"},
        {"{{#with o}}{{> name ..}}{{> name @root}}{{> name this}}{{/with}}",
         "{\"name\":1,\"o\":{\"name\":2}}", "<1><1><2>"},
        {"{{> name name=x}}{{> name o name=\"h\"}}{{> name y=1}}",
         "{\"x\":\"<\",\"o\":{\"name\":2},\"name\":3}", "<&lt;><h><3>"},
        {"{{#each l}}{{> up}},{{/each}}", "{\"l\":[1,2],\"name\":\"N\"}", "|N,|N,"},
        {"{{#each l}}{{> data}},{{/each}}", "{\"l\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
         "0a,1b,"},
        {"{{> name name=1 name=2}}{{> name o name=1 name=2}}", "{\"o\":{}}", "<1><1>"},
        {"{{> whole o}}", "{\"o\":{\"a\":1,\"b\":2}}", "ab"},
        {"{{> loop}}", "{\"n\":1,\"next\":{\"n\":2,\"next\":{\"n\":3}}}", "1-2-3"},
    };
    check_cases(cases, G_N_ELEMENTS(cases), &(Rendering){.partials = partials});
}

static void
names_may_be_computed(void)
{
    static const Case cases[] = {
        {"{{> (lookup . \"p\")}}", "{\"p\":\"name\",\"name\":1}", "<1>"},
        {"{{#each l}}{{> (lookup . \"p\") ../o}}{{/each}}",
         "{\"l\":[{\"p\":\"name\"},{\"p\":\"deep/er\"}],\"o\":{\"name\":5}}", "<5>[<5>]"},
        {"{{> (lookup . \"p\")}}", "{\"p\":\"nowhere\"}",
         "error: t:1:1: there is no partial of the name that the expression gives"},
        {"{{> (lookup . \"p\")}}", "{}",
         "error: t:1:1: there is no partial of the name that the expression gives"},
    };
    check_cases(cases, G_N_ELEMENTS(cases),
                &(Rendering){.partials = partials, .has_root = TRUE});
}

static void
lines_are_indented(void)
{
    static const Case cases[] = {
        {"<\n  {{> lines}}\n>", "{\"x\":\"1\\n2\"}", "<\n  a1\n  2\n  b\n>"},
        {"< {{> lines}} >", "{}", "< a\nb\n >"},
        {"{{> lines}}\n\n{{> lines}}", "{}", "a\nb\n\na\nb\n"},
        {"{{x~}}\n  {{> lines}}\n>", "{}", "a\nb\n>"},
    };
    check_cases(cases, G_N_ELEMENTS(cases), &(Rendering){.partials = partials});
    static const Case kept[] = {{"  {{> lines}}\n", "{}", "  a\nb\n"}};
    check_cases(kept, 1,
                &(Rendering){.partials = partials, .options = MRG_OPTION_PREVENT_INDENT});
}

static void
blocks_are_given_to_partials(void)
{
    static const Case cases[] = {
        {"{{#> layout}}{{name}}{{/layout}}", "{\"name\":1}", "<b>1</b>"},
        {"{{#> layout o}}{{name}}{{/layout}}", "{\"name\":1,\"o\":{\"name\":2}}",
         "<b>2</b>"},
        {"{{#> twice}}{{x}}{{/twice}}", "{}", "12"},
        {"{{#> nowhere}}else{{/nowhere}}", "{}", "else"},
        {"{{#each l as |i|}}{{#> layout}}{{i}}{{/layout}}{{/each}}", "{\"l\":[1,2]}",
         "<b>1</b><b>2</b>"},
        {"{{#> layout}}{{#> layout}}x{{/layout}}{{/layout}}", "{}", "<b><b>x</b></b>"},
        {"{{#each l}}{{#> layout}}{{../n}}{{/layout}}{{/each}}",
         "{\"l\":[1,\"a\",true],\"n\":2}", "<b>2</b><b>2</b><b>2</b>"},
        {"[{{@partial-block}}]{{#if @partial-block}}x{{/if}}", "{}", "[]"},
        {"{{> layout}}", "{}",
         "error: partial layout:1:4: there is no @partial-block here"},
    };
    check_cases(cases, G_N_ELEMENTS(cases), &(Rendering){.partials = partials});
}

static void
templates_define_partials(void)
{
    static const Case cases[] = {
        {"{{#*inline \"p\"}}({{name}}){{/inline}}{{> p}}{{> p o}}",
         "{\"name\":1,\"o\":{\"name\":2}}", "(1)(2)"},
        {"{{> p}}{{#*inline \"p\"}}late{{/inline}}", "{}", "late"},
        {"{{#*inline \"name\"}}mine{{/inline}}{{> name}}{{> deep/er}}", "{}", "mine[mine]"},
        {"{{#if a}}{{#*inline \"p\"}}in{{/inline}}{{> p}}{{else}}{{#*inline "
         "\"p\"}}out{{/inline}}"
         "{{> p}}{{/if}}",
         "{\"a\":1}", "in"},
        {"{{#> slotted}}{{#*inline \"head\"}}H{{/inline}}B{{/slotted}}", "{}", "H:B"},
        {"{{#> slotted}}B{{/slotted}}", "{}", "none:B"},
        {"{{#> own}}{{#*inline \"own\"}}x{{/inline}}y{{/own}}", "{}", "y"},
        {"{{#> name}}{{#*inline \"name\"}}x{{/inline}}{{/name}}", "{\"name\":1}", "<1>"},
        {"{{#with o}}{{#*inline \"p\"}}x{{/inline}}{{/with}}{{> p}}", "{\"o\":{\"a\":1}}",
         "error: t:1:49: there is no partial 'p' here"},
    };
    check_cases(cases, G_N_ELEMENTS(cases), &(Rendering){.partials = partials});
}

static void
definitions_see_what_is_around_them(void)
{
    static const Case cases[] = {
        {"{{#*inline \"p\"}}{{../n}}{{/inline}}{{> p o}}", "{\"n\":1,\"o\":{\"a\":1}}", ""},
        {"{{#if n}}{{#*inline \"p\"}}{{../n}}{{/inline}}{{> p o}}{{/if}}",
         "{\"n\":1,\"o\":{\"a\":1}}", "1"},
        {"{{#> cards}}{{#*inline \"card\"}}{{a}}{{../n}};{{/inline}}{{/cards}}",
         "{\"n\":1,\"l\":[{\"a\":7},{\"a\":8}]}", "71;81;"},
        {"{{#with o}}{{#*inline \"p\"}}{{../n}}{{/inline}}{{> p ../q}}{{/with}}",
         "{\"n\":1,\"o\":{\"n\":2},\"q\":{\"n\":3}}", "1"},
        {"{{#if n}}{{#*inline \"p\"}}{{#*inline \"q\"}}{{../n}}{{/inline}}{{> q ../o}}"
         "{{/inline}}{{> p o}}{{/if}}",
         "{\"n\":1,\"o\":{\"o\":1}}", "1"},
    };
    check_cases(cases, G_N_ELEMENTS(cases), &(Rendering){.partials = partials});
}

static void
raw_blocks_are_text(void)
{
    static const Case cases[] = {
        {"{{{{raw}}}} {{name}} {{#if}} {{{{/raw}}}}", "{}", " {{name}} {{#if}} "},
        {"{{{{raw}}}}{{{{b}}}}x{{{{/b}}}}{{{{/raw}}}}|{{n}}", "{\"n\":1}",
         "{{{{b}}}}x{{{{/b}}}}|1"},
        {"{{{{raw}}}}{{{{/raw}}}}", "{}", ""},
    };
    check_cases(cases, G_N_ELEMENTS(cases), &(Rendering){0});
}

static void
options_change_what_names_mean(void)
{
    static const Case strict[] = {
        {"{{a}}", "{}", "error: t:1:3: 'a' is not there"},
        {"{{a.b}}", "{\"a\":{}}", "error: t:1:3: 'b' is not there"},
        {"{{#if a}}{{/if}}{{upper b}}{{#unless c}}x{{/unless}}", "{}", "x"},
        {"{{a}}", "{\"a\":null}", ""},
    };
    static const Case compat[] = {
        {"{{#each l}}{{name}}{{/each}}", "{\"l\":[{},{\"name\":2}],\"name\":1}", "12"},
        {"{{#each l}}{{> name}}{{/each}}", "{\"l\":[{}],\"name\":1}", "<1>"},
    };
    static const Case alone[] = {{"{{> name}}{{> name name=1}}", "{\"name\":9}", "<><1>"}};
    static const Case objects[] = {
        {"{{a}}", "{}", ""},
        {"{{a.b}}", "{}", "error: t:1:3: 'a' is not there"},
    };
    static const Case lines[] = {{"{{#if a}}\nx\n{{/if}}\n", "{\"a\":1}", "\nx\n\n"}};
    static const Case unescaped[] = {{"{{a}}", "{\"a\":\"<\"}", "<"}};
    const struct {
        const Case *cases;
        gsize n;
        guint options;
    } all[] = {
        {strict, G_N_ELEMENTS(strict), MRG_OPTION_STRICT},
        {compat, G_N_ELEMENTS(compat), MRG_OPTION_COMPAT},
        {alone, G_N_ELEMENTS(alone), MRG_OPTION_EXPLICIT_PARTIAL_CONTEXT},
        {objects, G_N_ELEMENTS(objects), MRG_OPTION_ASSUME_OBJECTS},
        {lines, G_N_ELEMENTS(lines), MRG_OPTION_IGNORE_STANDALONE},
        {unescaped, G_N_ELEMENTS(unescaped), MRG_OPTION_NO_ESCAPE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
        check_cases(all[i].cases, all[i].n,
                    &(Rendering){.partials = partials, .options = all[i].options});
}

/* {{> a}} and the like: limits, not crashes, and the place of the call. */
static void
circles_end(void)
{
    static const RenderingPartial circles[] = {
        {"a", "{{> b}}"},
        {"b", "{{> a}}"},
        {"wide", "{{> wide}}{{> wide}}"},
        {"long", "{{#each l}}{{> long ..}}{{/each}}"},
        {NULL, NULL},
    };
    static const Case cases[] = {
        {"{{> a}}", "{}", "error: partial a:1:1: partials are nested deeper than 128"},
        {"{{> wide}}", "{}",
         "error: partial wide:1:1: partials are nested deeper than 128"},
        {"{{> long}}", "{\"l\":[1,2,3]}",
         "error: partial long:1:12: partials are nested deeper than 128"},
        {"{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}", "{}",
         "error: t:1:17: partials are nested deeper than 128"},
    };
    check_cases(cases, G_N_ELEMENTS(cases), &(Rendering){.partials = circles});
}

/* A name is compared up to its end, not to the first NUL, nor beyond the block's. */
static void
names_may_hold_nul(void)
{
    static const char text[] =
        "{{> (concat \"name\0zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\")}}";
    static const char mustache[] = "{{#o}}{{>*n}}{{/o}}.";
    const Rendering how = {.partials = partials};
    g_autofree char *result = rendering_run(&how, text, sizeof text - 1, "{}");
    g_assert_cmpstr(result, ==,
                    "error: t:1:1: there is no partial of the name that the expression "
                    "gives");
    static const RenderingPartial simple[] = {{"name", "<{{name}}>"}, {NULL, NULL}};
    const Rendering other = {.partials = simple, .dialect = MRG_DIALECT_MUSTACHE};
    g_autofree char *name =
        rendering_run(&other, mustache, -1, "{\"o\":{\"n\":\"name\",\"name\":1}}");
    g_autofree char *longer =
        rendering_run(&other, mustache, -1, "{\"o\":{\"n\":\"named\",\"name\":1}}");
    g_assert_cmpstr(name, ==, "<1>.");
    g_assert_cmpstr(longer, ==, ".");
}

/* What a partial reads is fetched, and no more. */
static void
partials_read_fields(void)
{
    g_autoptr(GError) error = NULL;
    const Rendering how = {.partials = partials};
    g_autoptr(MrgProgram) program =
        rendering_compile_with(&how, "{{> deep/er}}{{a}}", &error);
    gsize n;
    g_assert_no_error(error);
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpstr(fields[0].name, ==, "a");
    g_assert_cmpstr(fields[1].name, ==, "name");
    g_assert_cmpstr(fields[1].template, ==, "partial name");
    g_assert_false(mrg_program_reads_root(program));
    g_autoptr(MrgProgram) whole = rendering_compile_with(&how, "{{> whole}}", &error);
    g_assert_no_error(error);
    g_assert_true(mrg_program_reads_root(whole));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/partials/contexts", partials_have_contexts);
    g_test_add_func("/render/partials/names", names_may_be_computed);
    g_test_add_func("/render/partials/indent", lines_are_indented);
    g_test_add_func("/render/partials/blocks", blocks_are_given_to_partials);
    g_test_add_func("/render/partials/inline", templates_define_partials);
    g_test_add_func("/render/partials/around", definitions_see_what_is_around_them);
    g_test_add_func("/render/partials/raw", raw_blocks_are_text);
    g_test_add_func("/render/partials/options", options_change_what_names_mean);
    g_test_add_func("/render/partials/circles", circles_end);
    g_test_add_func("/render/partials/nul", names_may_hold_nul);
    g_test_add_func("/render/partials/fields", partials_read_fields);
    return g_test_run();
}
