/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/unit/rendering.h"

/* The language, case by case.  What handlebars.js 4.7 knows too was run through it. */

#define PEOPLE \
    "{\"people\":[{\"name\":\"Ann\",\"kids\":[1,2]},{\"name\":\"Bo\"}],\"name\":\"R\"}"

typedef struct Case {
    const char *text, *json, *expected;
} Case;

static const Case values[] = {
    {"{{a}}", "{\"a\":\"x\"}", "x"},
    {"{{a}}|{{b}}|{{c}}", "{\"a\":null,\"b\":false}", "|false|"},
    {"{{n}} {{z}} {{big}}", "{\"n\":1.50,\"z\":0,\"big\":9007199254740993}",
     "1.5 0 9007199254740993"},
    {"{{l}}", "{\"l\":[1,null,[2,[true]],\"x\"]}", "1,,2,true,x"},
    {"{{o}}", "{\"o\":{}}", "[object Object]"},
    {"{{o}} {{l}}", "{\"o\":{\"x\":1},\"l\":[{}]}", "[object Object] [object Object]"},
    {"{{a}}", "{\"a\":\"<&>\\\"'`=\"}", "&lt;&amp;&gt;&quot;&#x27;&#x60;&#x3D;"},
    {"{{{a}}}{{&a}}{{{ a }}}", "{\"a\":\"<\"}", "<<<"},
    {"{{l}} {{{l}}}", "{\"l\":[\"<\",\">\"]}", "&lt;,&gt; <,>"},
    {"{{! c }}a{{!-- }} {{x}} --}}b{{!}}", "{}", "ab"},
    {"\\{{a}} \\\\{{a}} \\\\\\{{a}}", "{\"a\":1}", "{{a}} \\1 \\\\1"},
    {"\\{{a}}{{a}}", "{\"a\":1}", "{{a}}1"},
    {"{{12}}{{\"a b\"}}{{true}}", "{\"12\":1,\"a b\":2,\"true\":3}", "123"},
    {"a } b { c }} d", "{}", "a } b { c }} d"},
    {"{{elsewhere}}", "{\"elsewhere\":1}", "1"},
    {"", "{}", ""},
};

static const Case paths[] = {
    {"{{a.b.c}} {{a/b/c}} {{a.b/c}}", "{\"a\":{\"b\":{\"c\":1}}}", "1 1 1"},
    {"{{a.b.c}}", "{\"a\":{\"b\":1}}", ""},
    {"{{a.b}}", "{\"a\":null}", ""},
    {"{{this.a}} {{./a}} {{[a]}} {{this/a}}", "{\"a\":1}", "1 1 1 1"},
    {"{{[x y].[z-1]}}{{x-y}}", "{\"x y\":{\"z-1\":1},\"x-y\":2}", "12"},
    {"{{l.0}} {{l.[1]}} {{l.length}} {{l.2}} {{l.00}}", "{\"l\":[7,8]}", "7 8 2  "},
    {"{{l.0.b}}", "{\"l\":[{\"b\":3}]}", "3"},
    {"{{s.length}} {{s.[0]}}{{s.[2]}}{{s.9}}", "{\"s\":\"\xc3\x84x\xf0\x9f\x98\x80\"}",
     "4 \xc3\x84\xf0\x9f\x98\x80"},
    {"{{@root.a}} {{@root/b.c}}", "{\"a\":1,\"b\":{\"c\":2}}", "1 2"},
    {"{{../a}}|{{@index}}|{{@nothing}}", "{\"a\":1}", "||"},
    {"{{this}}", "{\"a\":1}", "[object Object]"},
    {"{{#each this}}{{@key}}{{/each}}", "{\"a\":1,\"b\":2}", ""},
    {"{{b}}{{a}}{{#each this}}{{@key}}{{.}};{{/each}}", "{\"a\":1,\"b\":2,\"c\":3}",
     "21b2;a1;"},
};

static const Case conditions[] = {
    {"{{#if a}}y{{else}}n{{/if}}", "{\"a\":1}", "y"},
    {"{{#if a}}y{{else}}n{{/if}}", "{\"a\":0}", "n"},
    {"{{#if a}}y{{else}}n{{/if}}", "{\"a\":[]}", "n"},
    {"{{#if a}}y{{else}}n{{/if}}", "{\"a\":{}}", "y"},
    {"{{#if a includeZero=true}}y{{else}}n{{/if}}", "{\"a\":0}", "y"},
    {"{{#if a includeZero=b}}y{{else}}n{{/if}}", "{\"a\":0,\"b\":false}", "n"},
    {"{{#unless a}}y{{^}}n{{/unless}}", "{}", "y"},
    {"{{^if a}}y{{else}}n{{/if}}", "{}", "y"},
    {"{{#if a}}1{{else if b}}2{{else if c}}3{{else}}4{{/if}}", "{\"c\":1}", "3"},
    {"{{#if a}}1{{else unless b}}2{{else}}3{{/if}}", "{\"b\":1}", "3"},
    {"{{#if a}}{{#if b}}x{{/if}}{{/if}}z", "{\"a\":1,\"b\":1}", "xz"},
    {"{{#if (gt n 3)}}y{{/if}}", "{\"n\":4}", "y"},
    {"{{#eq a \"x\"}}y{{else}}n{{/eq}}", "{\"a\":\"x\"}", "y"},
    {"{{#gt a 1}}y{{else eq a 1}}e{{else}}n{{/gt}}", "{\"a\":1}", "e"},
    {"{{#and a b}}y{{else}}n{{/and}}", "{\"a\":1}", "n"},
    {"{{^eq a 1}}y{{/eq}}", "{\"a\":2}", "y"},
};

static const Case loops[] = {
    {"{{#each people}}{{name}};{{/each}}", PEOPLE, "Ann;Bo;"},
    {"{{#each people}}{{@index}}{{@key}}{{@first}}{{@last}} {{/each}}", PEOPLE,
     "00truefalse 11falsetrue "},
    {"{{#each people}}{{../name}}{{@root.name}}{{../../name}}{{/each}}", PEOPLE, "RRRR"},
    {"{{#each people}}{{#if kids}}{{../name}}{{/if}}{{/each}}", PEOPLE, "R"},
    {"{{#each people}}{{#each kids}}{{.}}{{../name}}{{@../index}}{{../../name}} "
     "{{/each}}{{/each}}",
     PEOPLE, "1Ann0R 2Ann0R "},
    {"{{#each people as |p i|}}{{i}}{{p.name}}{{#each p.kids as |k|}}{{k}}{{p.name}}"
     "{{/each}}{{/each}}",
     PEOPLE, "0Ann1Ann2Ann1Bo"},
    {"{{#each o}}{{@key}}={{this}}{{@index}},{{/each}}", "{\"o\":{\"b\":1,\"a\":2}}",
     "b=10,a=21,"},
    {"{{#each x}}a{{else}}none{{/each}}", "{}", "none"},
    {"{{#each x}}a{{else}}{{y}}{{/each}}", "{\"x\":\"text\",\"y\":1}", "1"},
    {"{{#with a}}{{b}}{{../c}}{{/with}}", "{\"a\":{\"b\":1},\"c\":2}", "12"},
    {"{{#with a}}x{{else}}none{{/with}}", "{\"a\":[]}", "none"},
    {"{{#with a}}{{.}}{{/with}}", "{\"a\":0}", "0"},
    {"{{#with a as |x|}}{{x.b}}{{/with}}", "{\"a\":{\"b\":1}}", "1"},
    {"{{#with .}}{{a}}{{../a}}{{/with}}", "{\"a\":1}", "1"},
    {"{{#each l}}{{#with ..}}{{a}}{{/with}}{{/each}}", "{\"a\":1,\"l\":[1,2]}", "11"},
    {"{{#with @root as |r|}}{{r.a}}{{a}}{{/with}}", "{\"a\":1}", "11"},
    {"{{#each l}}{{lookup ../names this}}{{/each}}",
     "{\"l\":[1,0],\"names\":[\"a\",\"b\"]}", "ba"},
};

static const Case sections[] = {
    {"{{#a}}{{b}}{{/a}}", "{\"a\":true,\"b\":1}", "1"},
    {"{{#a}}{{b}}{{../b}}{{/a}}", "{\"a\":{\"b\":2},\"b\":1}", "21"},
    {"{{#a}}{{b}}{{/a}}", "{\"a\":{},\"b\":1}", ""},
    {"{{#a}}{{.}}{{@index}}{{/a}}", "{\"a\":[\"x\",\"y\"]}", "x0y1"},
    {"{{#a}}x{{else}}n{{/a}}{{^a}}m{{/a}}", "{\"a\":[]}", "nm"},
    {"{{#a}}x{{^}}n{{/a}}{{^a}}m{{/a}}", "{\"a\":false}", "nm"},
    {"{{#a}}x{{/a}}{{^a}}m{{/a}}", "{\"a\":0}", "x"},
    {"{{#a}}{{#b}}{{c}}{{/b}}{{/a}}", "{\"a\":true,\"b\":{\"c\":3},\"c\":1}", "3"},
    {"{{#each l}}{{#t}}{{n}}{{../n}}{{/t}}{{/each}}",
     "{\"n\":1,\"l\":[{\"t\":true,\"n\":2},{\"t\":{\"n\":3},\"n\":4}]}", "2134"},
    {"{{#title}}x{{/title}}{{title}}", "{\"title\":true}", "xtrue"},
    {"{{#.}}{{a}}{{/.}}", "{\"a\":1}", "1"},
    {"{{#a.b}}{{c}}{{/a.b}}", "{\"a\":{\"b\":{\"c\":1}}}", "1"},
};

static const Case spaces[] = {
    {"a\n{{#if x}}\nb\n{{/if}}\nc", "{\"x\":1}", "a\nb\nc"},
    {"a\n  {{#if x}}  \n b\n  {{else}}\nc\n{{/if}}\t\nd", "{\"x\":1}", "a\n b\nd"},
    {"{{#if x}}\r\nb\r\n{{/if}}\r\nc", "{\"x\":1}", "b\r\nc"},
    {"a {{#if x}}\nb\n{{/if}}", "{\"x\":1}", "a \nb\n"},
    {"a\n{{! c }}\nb\n {{!-- c --}} \n", "{}", "a\nb\n"},
    {"a\n{{x}}\nb", "{\"x\":1}", "a\n1\nb"},
    {"a \n{{~x~}}\n b", "{\"x\":1}", "a1b"},
    {"a {{~#if x~}} b {{~else~}} c {{~/if~}} d", "{\"x\":1}", "abd"},
    {"a {{~{x}~}} b {{~&x}} {{~!c~}} d", "{\"x\":1}", "a1b1d"},
    {"a\xc2\xa0{{~x}}", "{\"x\":1}", "a1"},
    {"{{#if a}}A {{else if b}}B {{else if c}}C {{else if d}}D {{~/if}}|", "{\"d\":1}",
     "D |"},
    {"{{#if a}}\nA\n{{else if b}}\nB\n{{/if}}\n", "{\"b\":1}", "B\n"},
    {"{{#if x}}\na\n{{/if}}\n{{#if x}}\n\nb\n\n{{/if}}\n\nc", "{\"x\":1}", "a\n\nb\n\n\nc"},
    {"{{#if x}}\n{{/if}}\n\n{{! c }}\n\nd", "{\"x\":1}", "\n\nd"},
    {"{{#if x}}\n\n{{else}}\n\n{{/if}}|", "{}", "\n|"},
    {"\\{{a}}\n{{#if x}}\nb{{/if}}", "{\"x\":1}", "{{a}}\nb"},
};

static const Case helpers[] = {
    {"{{upper a}} {{lower a}} {{title a}}",
     "{\"a\":\"stra\xc3\x9f"
     "e \xc3\xa9T\xc3\x89\"}",
     "STRASSE \xc3\x89T\xc3\x89 stra\xc3\x9f"
     "e \xc3\xa9t\xc3\xa9 Stra\xc3\x9f"
     "e "
     "\xc3\x89t\xc3\xa9"},
    {"{{title a}}", "{\"a\":\"o'brien-SMITH dr.x\"}", "O&#x27;brien-Smith Dr.x"},
    {"{{upper n}}{{upper l}}{{upper m}}", "{\"n\":1,\"l\":[\"a\",\"b\"]}", "1A,B"},
    {"{{title}}", "{\"title\":\"Dr\"}", "Dr"},
    {"{{default a \"x\"}}{{default b \"y\"}}{{default c 1}}{{default d 2}}",
     "{\"a\":\"\",\"b\":0,\"c\":null}", "x012"},
    {"{{upper (default a \"x<\")}}", "{}", "X&lt;"},
    {"{{or a b c}} {{and a b c}} {{not a}}", "{\"b\":\"B\",\"c\":\"C\"}", "B  true"},
    {"{{or a b}}|{{and c b}}", "{\"b\":false,\"c\":1}", "false|false"},
    {"{{lookup o k}} {{lookup l 1}} {{lookup m \"x\"}} {{lookup s 0}}",
     "{\"o\":{\"x\":1},\"k\":\"x\",\"l\":[1,2],\"s\":\"q\"}", "1 2  q"},
    {"{{eq (upper a) 'X'}} {{gt (lookup l \"length\") 1}}", "{\"a\":\"x\",\"l\":[1,2]}",
     "true true"},
};

static const Case comparisons[] = {
    {"{{eq a 1}}{{eq a \"1\"}}{{eq a 1.0}}{{eq a \"1.0\"}}", "{\"a\":\"1\"}",
     "truetruetruetrue"},
    {"{{eq a \"007\"}}{{eq a 7}}{{eq a \"7\"}}{{gt a 7}}{{lt a 7}}", "{\"a\":\"007\"}",
     "truefalsefalsefalsefalse"},
    {"{{gt a 9}}{{gt a \"9\"}}{{lt a \"9\"}}", "{\"a\":\"10\"}", "truetruefalse"},
    {"{{gt a b}}{{lt a b}}", "{\"a\":\"apple\",\"b\":\"banana\"}", "falsetrue"},
    {"{{gt a 1}}{{lt a 1}}{{gte a 1}}{{lte a 1}}{{eq a 1}}{{ne a 1}}", "{\"a\":\"x\"}",
     "falsefalsefalsefalsefalsetrue"},
    {"{{gt m 1}}{{lt m 1}}{{lte m 0}}{{eq m null}}{{eq m \"\"}}{{eq m false}}", "{}",
     "falsefalsefalsetruefalsefalse"},
    {"{{eq a 9007199254740993}}", "{\"a\":9007199254740992}", "false"},
    {"{{eq a \"9007199254740993\"}}{{gt b a}}",
     "{\"a\":9007199254740993,\"b\":\"9007199254740994\"}", "truetrue"},
    {"{{lt a b}}{{lt b c}}{{gt c d}}{{eq d e}}",
     "{\"a\":-10,\"b\":\"-9.5\",\"c\":0.25,\"d\":\"-0\",\"e\":0}", "truetruetruetrue"},
    {"{{gt a 1}}{{lt a 1e}}", "{\"a\":1e300,\"1e\":1e301}", "truetrue"},
    {"{{eq a true}}{{eq a \"true\"}}{{eq b c}}", "{\"a\":true,\"b\":[1],\"c\":[1]}",
     "truefalsefalse"},
    {"{{gte a 2}}{{lte a 2}}{{gte a 3}}", "{\"a\":2}", "truetruefalse"},
};

static void
check(const Case *cases, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        g_autofree char *text = rendering_html(cases[i].text, cases[i].json);
        if (g_strcmp0(text, cases[i].expected) != 0)
            g_test_message("template %s", cases[i].text);
        g_assert_cmpstr(text, ==, cases[i].expected);
    }
}

#define TEST(name)                       \
    static void check_##name(void)       \
    {                                    \
        check(name, G_N_ELEMENTS(name)); \
    }
TEST(values)
TEST(paths)
TEST(conditions)
TEST(loops)
TEST(sections)
TEST(spaces)
TEST(helpers)
TEST(comparisons)

static void
whole_object_serves_where_it_is_given(void)
{
    Rendering how = {.has_root = TRUE};
    g_autofree char *text =
        rendering_run(&how, "{{#each this}}{{@key}}{{/each}}", -1, "{\"a\":1,\"b\":2}");
    g_assert_cmpstr(text, ==, "ab");
}

static void
same_input_gives_same_text(void)
{
    static const char *const text = "{{#each l}}{{@index}}{{upper .}}{{/each}}{{a}}";
    g_autofree char *first = rendering_html(text, "{\"l\":[\"x\",\"y\"],\"a\":[1,2]}");
    g_autofree char *second = rendering_html(text, "{\"l\":[\"x\",\"y\"],\"a\":[1,2]}");
    g_assert_cmpstr(first, ==, "0X1Y1,2");
    g_assert_cmpstr(first, ==, second);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/values", check_values);
    g_test_add_func("/render/paths", check_paths);
    g_test_add_func("/render/conditions", check_conditions);
    g_test_add_func("/render/loops", check_loops);
    g_test_add_func("/render/sections", check_sections);
    g_test_add_func("/render/spaces", check_spaces);
    g_test_add_func("/render/helpers", check_helpers);
    g_test_add_func("/render/comparisons", check_comparisons);
    g_test_add_func("/render/whole-object", whole_object_serves_where_it_is_given);
    g_test_add_func("/render/determinism", same_input_gives_same_text);
    return g_test_run();
}
