/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/unit/rendering.h"

/* Numbers, dates, lists and choices at their edges. */

#define NBSP "\xc2\xa0"

typedef struct Case {
    const char *text, *json, *expected;
} Case;

static const Case arithmetic[] = {
    {"{{add a b}} {{sub a b}} {{mul a b}} {{div a b}}", "{\"a\":0.1,\"b\":\"0.2\"}",
     "0.3 -0.1 0.02 0.5"},
    {"{{add id 1}} {{mul id -1}} {{sub id id}}", "{\"id\":\"90071992547409931\"}",
     "90071992547409932 -90071992547409931 0"},
    {"{{mul a a}}|{{add a a}}", "{\"a\":999999999999999999}", "1e+36|1999999999999999998"},
    {"[{{add a 1}}{{mul \"007\" 2}}{{sub b 1}}{{div l 2}}{{add \"\" 1}}]",
     "{\"a\":\"x\",\"b\":null,\"l\":[1]}", "[]"},
    {"[{{div 1 0}}{{mod 1 0}}{{div 0.5 \"0.0\"}}{{mul 1e308 10}}{{default (div 1 0) "
     "\"-\"}}]",
     "{}", "[-]"},
    {"{{mod 5.5 2}} {{mod a -1}} {{mod -5 3}} {{div 7 2}} {{div 1 3}}",
     "{\"a\":-999999999999999999}", "1.5 0 -2 3.5 0.333333333333333"},
    {"{{round 2.5}} {{round -0.4}} {{round 1.234 2}} {{round \"1e3\"}}|{{round "
     "12345678901234567890}}",
     "{}", "3 0 1.23 |12345678901234567890"},
    {"{{round a 99}} {{ceil -0.5}} {{floor \"1.9\"}} {{abs \"-90071992547409931\"}} {{abs "
     "-0}}",
     "{\"a\":0.1}", "0.1 0 1 90071992547409931 0"},
    {"{{min l}} {{max l 2}} [{{min \"x\" m}}]", "{\"l\":[\"10\",9.5,null,\"y\"]}",
     "9.5 10 []"},
    {"{{sum l}} [{{sum s}}] {{sum e}} {{sum p \"n\"}}",
     "{\"l\":[1,null,\"2.5\"],\"s\":[1,\"x\"],\"e\":[],\"p\":[{\"n\":1},{},7]}",
     "3.5 [] 0 1"},
};

static const Case formats[] = {
    {"{{number id}} {{number n 0}} {{number n digits=1 locale=\"fr\"}}",
     "{\"id\":\"9007199254740993\",\"n\":1234.56}",
     "9,007,199,254,740,993 1,235 1\xe2\x80\xaf"
     "234,6"},
    {"[{{number \"x\"}}{{currency null \"EUR\"}}{{percent l}}{{ordinal \"\"}}{{plural "
     "\"x\" \"a\"}}]",
     "{\"l\":[1]}", "[]"},
    {"{{currency 1.005 \"usd\"}} {{currency 0.125 \"USD\"}} {{currency 5 \"JPY\"}} "
     "{{currency 5 \"EUR\" digits=0}} {{currency -5 \"EUR\" locale=\"de\"}}",
     "{}",
     "$1.01 $0.13 \xc2\xa5"
     "5 \xe2\x82\xac"
     "5 -5,00" NBSP "\xe2\x82\xac"},
    {"{{currency 1}}", "{}",
     "error: t:1:3: helper 'currency': name the currency, as in {{currency price "
     "\"EUR\"}}"},
    {"{{currency 1 \"EURO\"}}", "{}",
     "error: t:1:3: helper 'currency': a currency is three letters, as in \"EUR\""},
    {"{{currency 1 code}}", "{\"code\":\"<x>\"}",
     "error: t:1:3: helper 'currency': a currency is three letters, as in \"EUR\""},
    {"{{number n locale=l}}", "{\"n\":1.5,\"l\":\"xx-nowhere\"}", "1.5"},
    {"{{number a}}|{{number b 2}}", "{\"a\":1e300,\"b\":1e20}",
     "|100,000,000,000,000,000,000.00"},
    {"{{plural 0 \"a\" \"b\" zero=\"none\"}} {{plural 1.5 \"a\" \"b\"}} {{plural -1 \"a\" "
     "\"b\"}}"
     "[{{plural 2 \"a\"}}]",
     "{}", "none b a[]"},
    {"{{#each l}}{{plural . one=\"1\" two=\"2\" few=\"f\" many=\"m\" other=\"o\" "
     "locale=\"ar\"}}{{/each}}",
     "{\"l\":[1,2,3,11,100]}", "12fmo"},
    {"{{ordinal 1}} {{ordinal 112}} {{ordinal 3 locale=\"fr\"}}", "{}", "1st 112th 3e"},
};

static const Case dates[] = {
    {"[{{date a}}{{date b}}{{date c}}{{date d}}{{date e}}{{date f}}{{date g}}]",
     "{\"a\":\"2026-02-29\",\"b\":\"2026-13-01\",\"c\":\"x\",\"d\":null,\"e\":\"2026-01-"
     "01T24:00\","
     "\"f\":\"2026-01-01T10:00:00+99:00\",\"g\":1e300}",
     "[]"},
    {"{{date a}} {{date a \"short\"}} {{date a \"\"}} {{date a \"full\" locale=\"fr\"}}",
     "{\"a\":\"2024-02-29\"}",
     "Feb 29, 2024 2/29/24 Feb 29, 2024 jeudi 29 f\xc3\xa9vrier 2024"},
    {"{{date s \"iso\"}} {{date ms \"iso\"}} {{date t \"iso\"}}",
     "{\"s\":1795521600,\"ms\":1795521600123,\"t\":\" 1795521600\"}",
     "2026-11-24T12:00:00Z 2026-11-24T12:00:00.123Z "},
    {"{{date t \"HH:mm xxx\"}} {{date t \"HH:mm\" timezone=\"UTC\"}} {{date t \"iso\"}}",
     "{\"t\":\"2026-07-01T14:00+02:00\"}", "14:00 +02:00 12:00 2026-07-01T14:00:00+02:00"},
    {"{{date d \"d\" timezone=\"Pacific/Auckland\"}} {{date d \"d\" "
     "timezone=\"Pacific/Honolulu\"}}",
     "{\"d\":\"2026-07-01\"}", "1 1"},
    {"{{date d \"iso\" timezone=\"Mars/Base\"}}", "{\"d\":\"2026-07-01\"}",
     "error: t:1:3: helper 'date': there is no time zone of that name"},
    {"{{date t \"yyyy 'o''clock' QQQ\"}}", "{\"t\":\"0099-07-01\"}",
     "0099 o&#x27;clock Q3"},
    {"{{formatDate t \"YYYY-MM-DDTHH:mm:ssZ [at] dddd D'x\" \"+0530\"}}",
     "{\"t\":\"2026-01-01T20:00:00.5Z\"}", "2026-01-02T01:30:00+05:30 at Friday 2&#x27;x"},
    {"{{dateadd a 1 \"month\"}} {{dateadd a -1 \"years\"}} {{dateadd a 1 \"hour\"}} "
     "{{dateadd b 1 \"day\" "
     "timezone=\"Europe/Oslo\"}}",
     "{\"a\":\"2024-02-29\",\"b\":\"2026-03-28T12:00\"}",
     "2024-03-29 2023-02-28 2024-02-29T01:00:00Z 2026-03-29T12:00:00+02:00"},
    {"[{{dateadd a 1e9 \"years\"}}{{dateadd a \"x\" \"days\"}}{{dateadd a 9000 "
     "\"years\"}}]",
     "{\"a\":\"2024-02-29\"}", "[]"},
    {"{{dateadd a 1 \"fortnight\"}}", "{\"a\":\"2024-02-29\"}",
     "error: t:1:3: helper 'dateadd': a unit is one of seconds, minutes, hours, days, "
     "weeks, "
     "months, years"},
    {"{{datediff a b}} {{datediff b a \"weeks\"}} {{datediff a b \"months\"}} {{datediff a "
     "b \"seconds\"}}",
     "{\"a\":\"2026-01-31\",\"b\":\"2026-02-28\"}", "28 -4 1 2419200"},
    {"{{season \"2026-12-01\"}} {{season \"2026-02-28\" country=\"au\"}} "
     "{{season \"2026-05-31\" latitude=\"-33.9\" country=\"NO\"}} {{season \"2026-09-01\" "
     "country=\"A \"}}",
     "{}", "winter summer autumn autumn"},
};

static const Case lists[] = {
    {"{{length l}}{{length o}}{{length m}}{{length n}}",
     "{\"l\":[1],\"o\":{\"a\":1},\"n\":123}", "1103"},
    {"[{{first e}}{{last e}}{{first m}}{{join (first l 9)}};{{join (last l 0)}};{{first l "
     "\"x\"}}]",
     "{\"e\":[],\"l\":[1,2]}", "[1, 2;;]"},
    {"{{join (slice l -2)}};{{join (slice l 5)}};{{join (slice l 2 1)}};{{slice s 1 -1}}",
     "{\"l\":[1,2,3],\"s\":\"abcd\"}", "2, 3;;;bc"},
    {"{{json (sort l)}}", "{\"l\":[\"b\",10,null,\"9\",\"B\",true,1]}",
     "[1,&quot;9&quot;,10,&quot;B&quot;,&quot;b&quot;,null,true]"},
    {"{{#each (sort l \"k\")}}{{v}}{{/each}} {{#each (sort l \"k\" "
     "order=\"DESC\")}}{{v}}{{/each}}",
     "{\"l\":[{\"k\":2,\"v\":\"a\"},{\"k\":1,\"v\":\"b\"},{\"v\":\"c\"},{\"k\":2,\"v\":"
     "\"d\"},{\"k\":1,"
     "\"v\":\"e\"}]}",
     "beadc adbec"},
    {"{{length (where l \"a\" 1)}}{{length (where l \"a\")}}[{{where s \"a\"}}]",
     "{\"l\":[{\"a\":\"1\"},{\"a\":2},{\"a\":0},3],\"s\":\"x\"}", "12[]"},
    {"{{join (map l \"a\") \"|\"}}", "{\"l\":[{\"a\":1},2,{\"a\":null},{\"a\":[3,4]}]}",
     "1|||3,4"},
    {"{{join (uniq l)}} {{length (uniq p \"a\")}}",
     "{\"l\":[1,\"1\",\"1.0\",\"x\",\"x\",null],\"p\":[{\"a\":1},{\"a\":1},{}]}",
     "1, x,  2"},
    {"{{join (range 0 -2 -1)}};{{join (range 2 1)}};{{join (range 1 1)}};[{{range 0 9 0}}]",
     "{}", "0, -1, -2;;1;[]"},
    {"{{json (split s)}}{{json (split s \"\")}}{{json (split \"\")}}{{json (split s "
     "\"xyz\")}}",
     "{\"s\":\"a,,\xc3\xa4\"}",
     "[&quot;a&quot;,&quot;&quot;,&quot;\xc3\xa4&quot;][&quot;a&quot;,&quot;,&quot;,&quot;,"
     "&quot;,"
     "&quot;\xc3\xa4&quot;][][&quot;a,,\xc3\xa4&quot;]"},
    {"{{join s}}{{join l \"\"}}", "{\"s\":\"x\",\"l\":[1,[2,3],null,\"<\"]}", "x12,3&lt;"},
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
TEST(arithmetic)
TEST(formats)
TEST(dates)
TEST(lists)

static char *
with_input(const MrgRenderInput *input, const char *text)
{
    return rendering_run(&(Rendering){.input = input}, text, -1, "{}");
}

static void
the_input_says_locale_and_zone(void)
{
    static const char text[] =
        "{{number 1.5}} {{now \"HH z\"}} {{number 1.5 locale=\"en\"}}";
    g_autofree char *own =
        with_input(&(MrgRenderInput){.locale = "de_AT", .timezone = "Asia/Tokyo"}, text);
    g_autofree char *bad =
        with_input(&(MrgRenderInput){.locale = "?", .timezone = "Nowhere"}, text);
    g_assert_cmpstr(own, ==, "1,5 09 GMT+9 1.5");
    g_assert_cmpstr(bad, ==, "1.5 00 UTC 1.5");
}

static void
a_pick_is_stable_and_fair(void)
{
    guint counts[3] = {0}, differing = 0;
    for (guint i = 0; i < 3000; i++) {
        const MrgRenderInput input = {.seed = (const guint8 *) &i, .seed_length = sizeof i};
        g_autofree char *pick = with_input(&input, "{{hash_pick 0 1 2}}");
        g_autofree char *again = with_input(&input, "{{hash_pick (range 0 2)}}");
        g_autofree char *other = with_input(&input, "{{hash_pick 0 1 2 salt=\"b\"}}");
        g_assert_cmpstr(pick, ==, again);
        differing += pick[0] != other[0];
        counts[pick[0] - '0']++;
    }
    for (guint i = 0; i < 3; i++)
        g_assert_cmpuint(counts[i], >, 850);
    g_assert_cmpuint(differing, >, 1700);
    g_assert_renders("[{{hash_pick l}}]", "{\"l\":[]}", "[]");
}

static void
without_a_url_the_link_is_an_error(void)
{
    g_assert_renders(
        "{{unsubscribe_url}}", "{}",
        "error: t:1:3: helper 'unsubscribe_url': there is no such link here: [stamp] "
        "base_url is not set");
    g_assert_renders("{{#each l}}{{view_url}}{{/each}}", "{\"l\":[{\"view_url\":\"x\"}]}",
                     "x");
}

/* More formats than are kept open, from more threads than one. */
static void *
format_for_others(void *context G_GNUC_UNUSED)
{
    for (guint i = 0; i < 400; i++) {
        g_autofree char *json = g_strdup_printf("{\"n\":%u}", i % 90);
        g_autofree char *expected = g_strdup_printf("%u.234,5 1970 %u", i % 9 + 1, i % 90);
        g_autofree char *text = g_strdup_printf(
            "{{number %u234.5 locale=\"de\"}} {{date 0 (concat \"yyyy '\" n \"'\")}}",
            i % 9 + 1);
        g_assert_renders(text, json, expected);
    }
    return NULL;
}

static void
formatters_in_hand_are_nobody_elses(void)
{
    GThread *threads[4];
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("format", format_for_others, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/helpers/arithmetic", check_arithmetic);
    g_test_add_func("/helpers/formats", check_formats);
    g_test_add_func("/helpers/dates", check_dates);
    g_test_add_func("/helpers/lists", check_lists);
    g_test_add_func("/helpers/threads", formatters_in_hand_are_nobody_elses);
    g_test_add_func("/helpers/input", the_input_says_locale_and_zone);
    g_test_add_func("/helpers/hash-pick", a_pick_is_stable_and_fair);
    g_test_add_func("/helpers/urls", without_a_url_the_link_is_an_error);
    return g_test_run();
}
