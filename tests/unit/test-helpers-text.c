/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/unit/rendering.h"

/* Texts, encodings and fallbacks at their edges; the plain cases are the table's examples.
 */

#define FAMILY "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7" /* woman, joiner, girl */
#define NORWAY "\xf0\x9f\x87\xb3\xf0\x9f\x87\xb4"             /* N, O */
#define WAVE "\xf0\x9f\x91\x8b\xf0\x9f\x8f\xbd"               /* hand, colour */
#define E_ACUTE "e\xcc\x81"                                   /* e, mark */

typedef struct Case {
    const char *text, *json, *expected;
} Case;

static const Case letters[] = {
    {"{{upper s}} {{upper s locale=\"tr\"}} {{lower \"I\" locale=\"tr_TR.UTF-8\"}}",
     "{\"s\":\"i\"}", "I \xc4\xb0 \xc4\xb1"},
    {"{{upper s}}", "{\"s\":\"\xef\xac\x81\"}", "FI"},
    {"{{lower s}}", "{\"s\":\"\xce\x9f\xce\xa3\"}", "\xce\xbf\xcf\x82"},
    {"{{title s locale=\"nl\"}} {{title s}}", "{\"s\":\"ijssel\"}", "IJssel Ijssel"},
    {"[{{upper s}}{{title s}}{{capitalize s}}]", "{\"s\":\"\"}", "[]"},
    {"{{capitalize s}}", "{\"s\":\"\xc3\xa9t\xc3\xa9 DE\"}", "\xc3\x89t\xc3\xa9 DE"},
    {"{{upper s locale=l}}", "{\"s\":\"i\",\"l\":\"../../etc\"}", "I"},
    {"{{upper s locale=l}}", "{\"s\":\"i\",\"l\":7}", "I"},
};

static const Case pieces[] = {
    {"[{{trim s}}]", "{\"s\":\"\xc2\xa0\\t a \xe3\x80\x80\"}", "[a]"},
    {"[{{trim s}}]", "{\"s\":\" \\n \"}", "[]"},
    {"{{truncate s 5}}|{{truncate s 4}}|{{truncate s 4 \"..\"}}", "{\"s\":\"abcde\"}",
     "abcde|abc\xe2\x80\xa6|ab.."},
    {"{{truncate s 2 \"...\"}}|{{truncate s 0}}|{{truncate s -1}}|{{truncate s \"x\"}}",
     "{\"s\":\"abc\"}", "ab|||abc"},
    {"{{truncate s 2 \"\"}}", "{\"s\":\"" FAMILY NORWAY WAVE E_ACUTE "\"}", FAMILY NORWAY},
    {"{{length s}}", "{\"s\":\"" FAMILY NORWAY WAVE E_ACUTE NORWAY NORWAY "\"}", "6"},
    {"{{truncatewords s 2}}|{{truncatewords s 3}}|{{truncatewords s 0 \"-\"}}",
     "{\"s\":\" a  b c \"}", "a  b\xe2\x80\xa6|a  b c|-"},
    {"{{substring s 0 1}}{{substring s 9}}{{substring s -9 2}}{{substring s 1 -1}}|",
     "{\"s\":\"\xc3\xa4"
     "bc\"}",
     "\xc3\xa4\xc3\xa4"
     "b|"},
    {"{{replace s \"\" \"x\"}} {{replace s \"a\" \"aa\"}} {{replace s \"aaa\" \"b\"}}",
     "{\"s\":\"aaaa\"}", "aaaa aaaaaaaa ba"},
    {"{{mask s}} {{mask s keep=0}} {{mask s keep=2 with=\"#\"}} {{mask s keep=-3}}",
     "{\"s\":\"12345\"}", "*2345 ***** ###45 *****"},
    {"{{mask s keep=9}}", "{\"s\":\"" FAMILY "x\"}", "**"},
    {"{{concat a b c l}}", "{\"a\":1,\"b\":null,\"l\":[1,[2]]}", "11,2"},
};

static const Case markup[] = {
    {"{{striptags s}}", "{\"s\":\"1 < 2 <a href='>'>x</a><!-- > --><br/>y<\"}",
     "1 &lt; 2 xy&lt;"},
    {"{{striptags s}}", "{\"s\":\"a<script>alert(1)</script >b<STYLE>p{}</style>c<p\"}",
     "abc"},
    {"{{nl2br s}}", "{\"s\":\"<b>\\r\\nx\"}", "&lt;b&gt;<br>\nx"},
    {"{{nl2br (safe s)}}", "{\"s\":\"<b>\\nx\"}", "<b><br>\nx"},
    {"{{escape (escape s)}} {{{escape s}}} {{upper (escape s)}}", "{\"s\":\"<\"}",
     "&lt; &lt; &amp;LT;"},
    {"{{concat (safe s) s}}{{safe l}}", "{\"s\":\"<\",\"l\":[\"<\"]}", "&lt;&lt;<"},
    {"{{default s t}}{{or (safe t) s}}", "{\"s\":\"<\",\"t\":\">\"}", "&lt;>"},
    {"{{slugify s}}", "{\"s\":\"  It's --\xd0\x9f\xd1\x80\xd0\xb8! \xe6\x9d\xb1 x/y.Z \"}",
     "its-pri-\xe6\x9d\xb1-x-y-z"},
    {"{{attr s}}|{{css s}}|{{jsstr s}}", "{\"s\":\"\\\"'></\\n\xc3\xa4\xe2\x80\xa8\"}",
     "&#x22;&#x27;&#x3E;&#x3C;&#x2F;&#xA;\xc3\xa4&#x2028;|"
     "\\000022\\000027\\00003e\\00003c\\00002f\\00000a\xc3\xa4\\002028|"
     "\\u0022\\u0027\\u003e\\u003c\\u002f\\u000a\xc3\xa4\\u2028"},
    {"{{{json v}}}", "{\"v\":[\"</script>\",1e21,-0.5,{\"a\\\"\":[]},true]}",
     "[\"\\u003c/script\\u003e\",1e+21,-0.5,{\"a\\\"\":[]},true]"},
    {"<a data-x=\"{{json v}}\">{{{json missing}}}", "{\"v\":[\"'\"]}",
     "<a data-x=\"[&quot;&#x27;&quot;]\">null"},
    {"{{urlencode s}}{{urlencode n}}", "{\"s\":\"-._~\xc3\xa4/?#\",\"n\":-1.5}",
     "-._~%C3%A4%2F%3F%23-1.5"},
    {"{{base64 s}}|{{base64 \"a\"}}|{{md5 s}}", "{\"s\":\"\"}",
     "|YQ&#x3D;&#x3D;|d41d8cd98f00b204e9800998ecf8427e"},
    {"{{hmac_sha256 s \"k\"}}[{{hmac_sha256 \"a\" s}}{{hmac_sha256 \"a\" x}}]",
     "{\"s\":\"\"}", "8bb990c40a7d61cb97597a942125025be50ac8beb74436e3735b98893a7f6620[]"},
};

static const Case choices[] = {
    {"{{in a l}}{{in a l 1}}{{in \"1\" l 1}}{{in null l}}", "{\"a\":2,\"l\":[\"2.0\"]}",
     "truetruetruefalse"},
    {"{{contains o \"k\"}}{{contains o \"j\"}}{{contains s \"\"}}{{contains m "
     "\"\"}}{{contains n 2}}",
     "{\"o\":{\"k\":null},\"s\":\"x\",\"n\":123}", "truefalsetruefalsetrue"},
    {"{{empty o}}{{empty z}}{{empty f}}{{empty s}}{{empty b}}",
     "{\"o\":{},\"z\":0,\"f\":false,\"s\":\"\",\"b\":\" \"}", "truefalsefalsetruefalse"},
    {"{{coalesce a b 0 1}}|{{coalesce a}}", "{\"a\":\"\",\"b\":[]}", "0|"},
    {"{{insert a \"default=x\"}}{{insert b \"default=x\"}}{{insert a \"y\"}}{{insert a "
     "default=\"z\"}}"
     "{{insert a \"default=\"}}",
     "{\"b\":0}", "x0yz"},
    {"{{#if c}}{{abort \"no\"}}{{/if}}ok{{required z}}", "{\"z\":0}", "ok0"},
    {"a\n{{#if c}}{{abort \"no picks\"}}{{/if}}", "{\"c\":1}", "error: t:2:12: no picks"},
    {"{{#unless picks}}{{abort}}{{/unless}}", "{}", "error: t:1:20: the template says so"},
    {"{{abort}}{{now}}{{season}}.", "{\"abort\":1,\"now\":null,\"season\":\"Xmas\"}",
     "1Xmas."},
    {"{{#each l}}{{now}}{{/each}}{{@root.view_url}}", "{\"l\":[{\"now\":7}]}", "7"},
    {"{{required (trim s)}}", "{\"s\":\" \"}",
     "error: t:1:3: helper 'required': this person lacks the value"},
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
TEST(letters)
TEST(pieces)
TEST(markup)
TEST(choices)

static void
elsewhere_than_in_html_nothing_is_marked_up(void)
{
    Rendering plain = {.escape = MRG_ESCAPE_TEXT}, header = {.escape = MRG_ESCAPE_HEADER};
    g_autofree char *text =
        rendering_run(&plain, "{{nl2br s}}{{escape s}}", -1, "{\"s\":\"<\\n\"}");
    g_autofree char *line =
        rendering_run(&header, "{{nl2br s}}{{safe s}}", -1, "{\"s\":\"<\\n\"}");
    g_assert_cmpstr(text, ==, "<\n&lt;\n");
    g_assert_cmpstr(line, ==, "< < ");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/helpers/text/letters", check_letters);
    g_test_add_func("/helpers/text/pieces", check_pieces);
    g_test_add_func("/helpers/text/markup", check_markup);
    g_test_add_func("/helpers/text/choices", check_choices);
    g_test_add_func("/helpers/text/destination",
                    elsewhere_than_in_html_nothing_is_marked_up);
    return g_test_run();
}
