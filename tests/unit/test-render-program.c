/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/helper.h"
#include "tests/unit/rendering.h"

/* "name" or "name?" (has a default), in slot order. */
static char *
field_list(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) program = rendering_compile(text, &error);
    g_assert_no_error(error);
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    GString *list = g_string_new(NULL);
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(list, "%s%s%s", i ? " " : "", fields[i].name,
                               fields[i].has_default ? "?" : "");
    return g_string_free(list, FALSE);
}

static void
fields_are_what_is_read(void)
{
    static const struct {
        const char *text, *fields;
    } cases[] = {
        {"{{a}}{{b.c}}{{a}}{{@root.d.e}}", "a b d"},
        {"{{#each l}}{{x}}{{../y}}{{@root.z}}{{this.w}}{{@index}}{{/each}}", "l? y z"},
        {"{{#with o}}{{x}}{{../y}}{{../../z}}{{/with}}", "o? y"},
        {"{{#if a}}{{b}}{{/if}}", "a? b"},
        {"{{#if a}}{{a}}{{/if}}", "a?"},
        {"{{#if a}}{{a}}{{/if}}{{a}}", "a"},
        {"{{#if a}}x{{else}}{{a}}{{/if}}", "a"},
        {"{{#unless a}}x{{else}}{{a}}{{/unless}}", "a?"},
        {"{{#if (eq a b)}}x{{/if}}{{#gt c 1}}{{/gt}}", "a? b? c?"},
        {"{{default a \"x\"}}{{upper (default b c)}}", "a? b? c?"},
        {"{{#s}}{{n}}{{/s}}", "s? n"},
        {"{{#each l}}{{#s}}{{n}}{{../m}}{{/s}}{{/each}}", "l? m"},
        {"{{#with ..}}{{n}}{{/with}}", ""},
        {"{{#each l}}{{#with ..}}{{n}}{{/with}}{{/each}}", "l? n"},
        {"{{#with @root as |r|}}{{r.n}}{{m}}{{/with}}", "n m"},
        {"{{#each l as |n|}}{{n.x}}{{./n}}{{/each}}{{n}}", "l? n"},
        {"{{upper (lookup a b)}}", "a b"},
        {"{{lookup @root \"a\"}}{{lookup this \"b\"}}", "a b"},
        {"{{#each l}}{{lookup this \"b\"}}{{lookup .. \"c\"}}{{/each}}", "l? c"},
        {"{{title}}{{eq}}", "title eq"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *list = field_list(cases[i].text);
        g_assert_cmpstr(list, ==, cases[i].fields);
    }
}

static void
reading_the_whole_object_is_known(void)
{
    static const char *const whole[] = {"{{#each this}}{{/each}}", "{{lookup @root a}}",
                                        "{{.}}", "{{#s}}{{.}}{{/s}}",
                                        "{{#each l}}{{..}}{{/each}}"};
    static const char *const parts[] = {"{{a}}", "{{#each l}}{{.}}{{/each}}", "{{this.a}}",
                                        "{{#with o}}{{lookup . k}}{{/with}}"};
    for (gsize i = 0; i < G_N_ELEMENTS(whole); i++) {
        g_autoptr(MrgProgram) program = rendering_compile(whole[i], NULL);
        g_assert_true(mrg_program_reads_root(program));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autoptr(MrgProgram) program = rendering_compile(parts[i], NULL);
        g_assert_false(mrg_program_reads_root(program));
    }
}

static void
all_templates_share_their_fields(void)
{
    MrgTemplate templates[] = {
        {"subject", "Hi {{name}}", 11, MRG_DIALECT_HANDLEBARS, MRG_ESCAPE_HEADER},
        {"text", "\n  {{city}} {{name}}", 20, MRG_DIALECT_HANDLEBARS, MRG_ESCAPE_TEXT},
        {"html", "{{name}} {zip|?}", 16, MRG_DIALECT_HANDLEBARS, MRG_ESCAPE_HTML},
    };
    static const char *const declared[] = {"zip", NULL};
    const MrgCompileOptions options = {.declared = declared};
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) program =
        mrg_program_compile(templates, G_N_ELEMENTS(templates), &options, &error);
    g_assert_no_error(error);
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    g_assert_cmpuint(n, ==, 3);
    g_assert_cmpstr(fields[0].name, ==, "name");
    g_assert_cmpstr(fields[0].template, ==, "subject");
    g_assert_cmpstr(fields[1].template, ==, "text");
    g_assert_cmpuint(fields[1].line, ==, 2);
    g_assert_cmpuint(fields[1].column, ==, 5);
    g_assert_true(fields[2].has_default);

    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgValue slots[] = {mrg_value_cstring("A\r\n\x7f<\xc2\x85>"), mrg_value_cstring("B<"),
                        MRG_VALUE_MISSING_INIT};
    static const char *const expected[] = {"Hi A   < >", "\n  B< A\r\n\x7f<\xc2\x85>",
                                           "A\r\n\x7f&lt;\xc2\x85&gt; ?"};
    for (gsize i = 0; i < G_N_ELEMENTS(templates); i++) {
        g_auto(MrgBuffer) out;
        mrg_buffer_init(&out, 1000);
        MrgRenderInput input = {.slots = slots, .arena = arena};
        g_assert_true(mrg_program_run(program, i, &input, &out, &error));
        g_assert_cmpmem(out.data, out.length, expected[i], strlen(expected[i]));
    }
}

static void
headers_never_break(void)
{
    Rendering how = {.escape = MRG_ESCAPE_HEADER};
    g_autofree char *text =
        rendering_run(&how, "{{{a}}}|{{&a}}|{{a}}|{{{l}}}", -1,
                      "{\"a\":\"x\\r\\nBcc: y\\u0001\\t\",\"l\":[\"\\r\",\"\\n\"]}");
    g_assert_cmpstr(text, ==, "x  Bcc: y  |x  Bcc: y  |x  Bcc: y  | , ");
}

static void
assert_escaped(const MrgProgram *program, gsize length, gsize at, char special,
               const char *entity)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autofree char *value = g_strnfill(length, 'x');
    g_autofree char *after = g_strnfill(length - at - 1, 'x');
    value[at] = special;
    g_autofree char *expected = g_strdup_printf("%.*s%s%s", (int) at, value, entity, after);
    MrgValue slot = mrg_value_string(value, length);
    MrgRenderInput input = {.slots = &slot, .arena = arena};
    g_auto(MrgBuffer) out;
    mrg_buffer_init(&out, 1000);
    g_assert_true(mrg_program_run(program, 0, &input, &out, NULL));
    g_assert_cmpmem(out.data, out.length, expected, strlen(expected));
}

/* Every length around the 16 bytes that the fast scan takes at once. */
static void
escapes_are_found_at_any_place(void)
{
    static const char specials[] = "&<>\"'`=";
    static const char *const entities[] = {"&amp;",  "&lt;",   "&gt;",  "&quot;",
                                           "&#x27;", "&#x60;", "&#x3D;"};
    g_autoptr(MrgProgram) program = rendering_compile("{{a}}", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(entities); i++)
        for (gsize length = 1; length < 40; length++)
            for (gsize at = 0; at < length; at++)
                assert_escaped(program, length, at, specials[i], entities[i]);
}

/* The neighbours of what is escaped, and everything else, stay. */
static void
other_bytes_are_not_escaped(void)
{
    g_autoptr(MrgProgram) program = rendering_compile("{{a}}", NULL);
    for (int byte = 1; byte < 256; byte++) {
        char text[2] = {(char) byte, '\0'};
        if (!strchr("&<>\"'`=", byte))
            assert_escaped(program, 20, 3, (char) byte, text);
    }
}

static void
constant_means_nothing_changed(void)
{
    static const struct {
        const char *text;
        gboolean is_constant;
    } cases[] = {{"", TRUE},         {"a { b } c\n", TRUE},
                 {"{{a}}", FALSE},   {"a{{! c }}", FALSE},
                 {"\\{{a}}", FALSE}, {"a{{#if true}}b{{/if}}", FALSE}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(MrgProgram) program = rendering_compile(cases[i].text, NULL);
        g_assert_cmpint(mrg_program_is_constant(program, 0), ==, cases[i].is_constant);
    }
}

static void
disassembly_shows_every_instruction(void)
{
    static const char *const expected =
        "template \"t\"\n"
        "0000  jump-slot-false vip -> 0004               ; 1:7\n"
        "0001  literal \"Dear \"                           ; 1:12\n"
        "0002  print-slot name                           ; 1:19\n"
        "0003  jump -> 0005\n"
        "0004  print-slot raw name                       ; 1:36\n"
        "0005  load-slot items                           ; 1:58\n"
        "0006  enter-each -> 0018\n"
        "0007  print-member .title                       ; 1:67\n"
        "0008  load-loop @index 0                        ; 1:79\n"
        "0009  load-constant 1                           ; 1:86\n"
        "0010  call eq 2                                 ; 1:76\n"
        "0011  print\n"
        "0012  load-member up=0 .s                       ; 1:92\n"
        "0013  enter-section -> 0017\n"
        "0014  load-either up=1 .x x                     ; 1:97\n"
        "0015  print\n"
        "0016  next -> 0014\n"
        "0017  next -> 0007\n"
        "0018  end\n";
    g_autoptr(MrgProgram) program = rendering_compile(
        "{{#if vip}}Dear {{name}}{{else}}{{{name}}}{{/if}}{{#each items}}{{title}}{{eq "
        "@index 1}}{{#s}}{{../x}}{{/s}}{{/each}}",
        NULL);
    g_autofree char *text = mrg_program_disassemble(program);
    g_assert_cmpstr(text, ==, expected);
}

static void
programs_are_shared(void)
{
    g_autoptr(MrgProgram) program = rendering_compile("a", NULL);
    MrgProgram *again = mrg_program_ref(program);
    mrg_program_unref(again);
    g_assert_true(mrg_program_is_constant(program, 0));
}

static void
dialects_have_names(void)
{
    MrgDialect dialect;
    g_assert_true(mrg_dialect_parse("handlebars", &dialect));
    g_assert_cmpint(dialect, ==, MRG_DIALECT_HANDLEBARS);
    g_assert_true(mrg_dialect_parse("tokens", &dialect));
    g_assert_cmpint(dialect, ==, MRG_DIALECT_TOKENS);
    g_assert_false(mrg_dialect_parse("Tokens", &dialect));
}

static void
helpers_are_found_by_name(void)
{
    for (guint i = 0; i < mrg_helper_count(); i++) {
        const MrgHelper *helper = mrg_helper_by_id(i);
        g_assert_true(mrg_helper_find(helper->name, strlen(helper->name)) == helper);
        g_assert_cmpstr(mrg_helper_nearest(helper->name, strlen(helper->name)), ==,
                        helper->name);
        g_assert_cmpuint(mrg_helper_id(helper), ==, i);
    }
    g_assert_null(mrg_helper_find("eqq", 3));
    g_assert_null(mrg_helper_find("e", 1));
    g_assert_null(mrg_helper_find("", 0));
}

static MrgValue
count_arguments(MrgHelperCall *call)
{
    return mrg_value_number(call->n_args * 10 + call->n_named, call->arena);
}

/* The text of a template that may call own helpers, or the error. */
static char *
render_with_own(const char *text)
{
    static const MrgHelper own[] = {
        {.name = "count", .function = count_arguments},
        {.name = "upper", .function = count_arguments},
    };
    const MrgCompileOptions options = {.helpers = own, .n_helpers = G_N_ELEMENTS(own)};
    const MrgTemplate template = {.name = "t", .text = text, .length = strlen(text)};
    const MrgValue slots[] = {MRG_VALUE_MISSING_INIT, MRG_VALUE_MISSING_INIT};
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(MrgProgram) program = mrg_program_compile(&template, 1, &options, &error);
    const MrgRenderInput input = {.slots = slots, .arena = arena};
    g_auto(MrgBuffer) out;
    mrg_buffer_init(&out, 1000);
    if (!program || !mrg_program_run(program, 0, &input, &out, &error))
        return g_strdup(error->message);
    return mrg_buffer_dup(&out);
}

static void
own_helpers_win(void)
{
    g_autofree char *won = render_with_own("{{count}} {{count a}} {{upper a x=1 y=2}}");
    g_autofree char *block = render_with_own("{{#each a}}{{else}}{{lower \"A\"}}{{/each}}");
    g_assert_cmpstr(won, ==, "0 10 12");
    g_assert_cmpstr(block, ==, "a");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/program/fields", fields_are_what_is_read);
    g_test_add_func("/render/program/whole-object", reading_the_whole_object_is_known);
    g_test_add_func("/render/program/shared-fields", all_templates_share_their_fields);
    g_test_add_func("/render/program/header", headers_never_break);
    g_test_add_func("/render/program/escape-scan", escapes_are_found_at_any_place);
    g_test_add_func("/render/program/escape-others", other_bytes_are_not_escaped);
    g_test_add_func("/render/program/constant", constant_means_nothing_changed);
    g_test_add_func("/render/program/disassembly", disassembly_shows_every_instruction);
    g_test_add_func("/render/program/reference", programs_are_shared);
    g_test_add_func("/render/program/dialects", dialects_have_names);
    g_test_add_func("/render/program/helpers", helpers_are_found_by_name);
    g_test_add_func("/render/program/own-helpers", own_helpers_win);
    return g_test_run();
}
