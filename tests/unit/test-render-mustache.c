/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/unit/rendering.h"

typedef struct Case {
    const char *text, *data, *expected;
} Case;

static const RenderingPartial partials[] = {
    {"p", "[{{a}}]"},
    {"lines", "{{a}}\n\nb\n"},
    {"ends", "{{#a}}\n{{a}};\n{{/a}}c"},
    {"remark", "{{!\n}}c"},
    {"outer", "{\n  {{>lines}}\n}\n"},
    {"page", "<h>{{$title}}Plain{{/title}}</h>\n{{$body}}\n  nothing\n{{/body}}\n"},
    {"sub", "{{<page}}{{$title}}Sub{{/title}}{{/page}}"},
    {"tree", "{{v}}{{#kids}}({{>tree}}){{/kids}}"},
    {NULL, NULL},
};

static void
check_cases(const Case *cases, gsize n)
{
    static const char *const declared[] = {"first_name", NULL};
    const Rendering how = {
        .dialect = MRG_DIALECT_MUSTACHE, .partials = partials, .declared = declared};
    for (gsize i = 0; i < n; i++) {
        g_autofree char *text = rendering_run(&how, cases[i].text, -1, cases[i].data);
        g_test_message("template %s", cases[i].text);
        g_assert_cmpstr(text, ==, cases[i].expected);
    }
}

static void
names_are_looked_for_outwards(void)
{
    static const Case cases[] = {
        {"{{a}}{{{a}}}{{&a}}", "{\"a\":\"<\"}", "&lt;<<"},
        {"{{#o}}{{a}}{{b}}{{/o}}", "{\"o\":{\"a\":1},\"a\":8,\"b\":2}", "12"},
        {"{{#o}}{{p.q}}{{/o}}", "{\"o\":{\"p\":{}},\"p\":{\"q\":1}}", ""},
        {"{{a.b.c}}|{{a.x.y}}", "{\"a\":{\"b\":{\"c\":7}}}", "7|"},
        {"{{#l}}{{.}},{{/l}}", "{\"l\":[1,\"b\",2.5]}", "1,b,2.5,"},
        {"{{#l}}{{#.}}{{.}}{{/.}};{{/l}}", "{\"l\":[[1,2],[3]]}", "12;3;"},
        {"{{#l}}{{n}}{{/l}}", "{\"l\":[{\"n\":1},{}],\"n\":9}", "19"},
        {"{first_name|you}{first_name}", "{}", "you"},
    };
    check_cases(cases, G_N_ELEMENTS(cases));
}

static void
sections_ask_for_truth(void)
{
    static const Case cases[] = {
        {"{{#a}}x{{/a}}{{^a}}y{{/a}}", "{\"a\":0}", "y"},
        {"{{#a}}x{{/a}}{{^a}}y{{/a}}", "{\"a\":\"\"}", "y"},
        {"{{#a}}x{{/a}}{{^a}}y{{/a}}", "{\"a\":[]}", "y"},
        {"{{#a}}x{{/a}}{{^a}}y{{/a}}", "{\"a\":{}}", "x"},
        {"{{#a}}{{.}}{{/a}}", "{\"a\":true}", "true"},
    };
    check_cases(cases, G_N_ELEMENTS(cases));
}

static void
lines_of_tags_go(void)
{
    static const Case cases[] = {
        {"a\n {{#x}} \nb\n{{/x}}\nc", "{\"x\":1}", "a\nb\nc"},
        {"a\r\n{{! c }}\r\nb", "{}", "a\r\nb"},
        {"{{#x}}{{/x}}\n{{a}}\n", "{\"a\":1}", "1\n"},
        {"{{=<% %>=}}\n<% a %>{{a}}<%={{ }}=%>{{a}}", "{\"a\":1}", "1{{a}}1"},
        {"{{={{ }}=}}{{a}}", "{\"a\":1}", "1"},
        {"{{ #x }}{{ &a }}{{\n/x}}{{ {a}}}{{ ! c }}", "{\"x\":1,\"a\":\"<\"}", "<<"},
    };
    check_cases(cases, G_N_ELEMENTS(cases));
}

static void
partials_are_indented_by_their_lines(void)
{
    static const Case cases[] = {
        {"{{>p}} {{> nowhere }}{{#o}}{{>p}}{{/o}}", "{\"a\":1,\"o\":{}}", "[1] [1]"},
        {"  {{>lines}}\n.", "{\"a\":\"1\\n2\"}", "  1\n2\n\n  b\n."},
        {"  {{>ends}}", "{\"a\":1}", "  1;\n  c"},
        {"  {{>ends}}", "{}", "c"},
        {"  {{>remark}}", "{}", "  c"},
        {"  {{>outer}}", "{\"a\":1}", "  {\n    1\n\n    b\n  }\n"},
        {"{{>tree}}", "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[]},{\"v\":3,\"kids\":[]}]}",
         "1(2)(3)"},
        {"{{>*which}}{{>*none}}", "{\"which\":\"p\",\"a\":1}", "[1]"},
    };
    check_cases(cases, G_N_ELEMENTS(cases));
}

static void
templates_inherit(void)
{
    static const Case cases[] = {
        {"{{>page}}", "{}", "<h>Plain</h>\n  nothing\n"},
        {"{{<page}}{{$body}}\n    {{a}}\n    y\n{{/body}}{{/page}}", "{\"a\":1}",
         "<h>Plain</h>\n  1\n  y\n"},
        {"{{<sub}}{{$title}}Top{{/title}}{{/sub}}", "{}", "<h>Top</h>\n  nothing\n"},
        {"{{<sub}}{{! c }}text{{/sub}}", "{}", "<h>Sub</h>\n  nothing\n"},
        {"{{$x}}own{{/x}}", "{}", "own"},
    };
    check_cases(cases, G_N_ELEMENTS(cases));
}

static void
errors_say_where(void)
{
    static const Case cases[] = {
        {"a\n{{#x}}", "{}", "error: t:2:1: the section 'x' is not closed"},
        {"{{/x}}", "{}", "error: t:1:1: {{/x}} closes no section"},
        {"{{#x}}\n{{/y}}", "{}", "error: t:2:1: {{/y}} does not close 'x' of 1:1"},
        {"a {{b", "{}", "error: t:1:3: the tag is not closed"},
        {"{{ }}", "{}", "error: t:1:4: a name is missing here"},
        {"{{a b}}", "{}", "error: t:1:3: a name of this dialect has no white space in it"},
        {"{{a..b}}", "{}", "error: t:1:1: a name is missing between the dots"},
        {"{{=a=}}", "{}", "error: t:1:1: new delimiters read {{=<% %>=}}"},
        {"{{<p}}{{x}}{{/p}}", "{}", "error: t:1:7: a parent holds blocks only: {{$name}}"},
    };
    check_cases(cases, G_N_ELEMENTS(cases));
}

/* Of a token, too, whose line is put elsewhere with less white space. */
static void
fields_say_where(void)
{
    static const char *const declared[] = {"name", NULL};
    static const RenderingPartial parent[] = {{"p", "{{$b}}{{/b}}"}, {NULL, NULL}};
    const Rendering how = {
        .dialect = MRG_DIALECT_MUSTACHE, .partials = parent, .declared = declared};
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) program = rendering_compile_with(
        &how, "{{<p}}\n{{$b}}\n    x {Name}\n{{/b}}\n{{/p}}\n", &error);
    g_assert_no_error(error);
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmpuint(fields[0].line, ==, 3);
    g_assert_cmpuint(fields[0].column, ==, 7);
}

static void
circles_end(void)
{
    static const RenderingPartial circle[] = {{"a", " {{>a}}\n"}, {NULL, NULL}};
    const Rendering how = {.dialect = MRG_DIALECT_MUSTACHE, .partials = circle};
    g_autofree char *text = rendering_run(&how, "{{>a}}", -1, "{}");
    g_assert_cmpstr(text, ==, "error: partial a:1:2: partials are nested deeper than 128");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/mustache/names", names_are_looked_for_outwards);
    g_test_add_func("/render/mustache/sections", sections_ask_for_truth);
    g_test_add_func("/render/mustache/lines", lines_of_tags_go);
    g_test_add_func("/render/mustache/partials", partials_are_indented_by_their_lines);
    g_test_add_func("/render/mustache/inheritance", templates_inherit);
    g_test_add_func("/render/mustache/errors", errors_say_where);
    g_test_add_func("/render/mustache/fields", fields_say_where);
    g_test_add_func("/render/mustache/circles", circles_end);
    return g_test_run();
}
