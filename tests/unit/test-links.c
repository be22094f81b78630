/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/chain.h"
#include "milter/stamp/places.h"
#include "milter/stamp/stamp.h"
#include "tests/unit/mail.h"

/* ---- addresses ---- */

static void
an_address_is_read_as_browsers_read_it(void)
{
    static const struct {
        const char *value, *base, *url;
    } cases[] = {
        {"https://a.example/b", NULL, "https://a.example/b"},
        {"HTTP://a.example", NULL, "HTTP://a.example"},
        {"https://a.example/?a=1&amp;b=2", NULL, "https://a.example/?a=1&b=2"},
        {"https://a.example/?a=1&#38;b=2&#x26;c", NULL, "https://a.example/?a=1&b=2&c"},
        {"https://a.example/?a=1&b=2&copy=3", NULL, "https://a.example/?a=1&b=2&copy=3"},
        {"https://a.example/?a=1&&b=2", NULL, "https://a.example/?a=1&&b=2"},
        {"https://a.example/?a&quot;b&apos;c", NULL, "https://a.example/?a%22b'c"},
        {"&#104;ttps://a.example/", NULL, "https://a.example/"},
        {" \n https://a.ex\nample/b\t ", NULL, "https://a.example/b"},
        {"https://a.example/a b|c", NULL, "https://a.example/a%20b%7Cc"},
        {"https://a.example/\303\274", NULL, "https://a.example/%C3%BC"},
        {"https://u@b\303\274cher.example:8080/", NULL,
         "https://u@xn--bcher-kva.example:8080/"},
        {"https://[2001:db8::1]:8080/x", NULL, "https://[2001:db8::1]:8080/x"},
        {"b/c", "https://a.example/x/y", "https://a.example/x/b/c"},
        {"//b.example/c", "https://a.example/x", "https://b.example/c"},
        {"?q=1", "https://a.example/x", "https://a.example/x?q=1"},
        /* not to be touched: */
        {"b/c", NULL, NULL},
        {"//b.example/c", NULL, NULL},
        {"", "https://a.example/", NULL},
        {"#top", "https://a.example/", NULL},
        {"mailto:a@b.example", "https://a.example/", NULL},
        {"tel:+491", "https://a.example/", NULL},
        {"sms:+491", NULL, NULL},
        {"javascript:alert(1)", "https://a.example/", NULL},
        {"java\nscript:alert(1)", "https://a.example/", NULL},
        {"data:text/html,x", NULL, NULL},
        {"https://", NULL, NULL},
        {"https:///x", NULL, NULL},
        {"https://@/x", NULL, NULL},
        {"https://a.example\\@b.example/", NULL, NULL},
        {"https://a.example/?a=1&copy;2", NULL, NULL},
        {"https://a.example/?a=1&reg", NULL, NULL},
        {"https://a.example/&#0;", NULL, NULL},
        {"https://a.example/&#xd800;", NULL, NULL},
        {"https://a.example/&#99999999999;", NULL, NULL},
    };
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].value);
        g_assert_cmpstr(mrg_url_read(arena, cases[i].value, strlen(cases[i].value), TRUE,
                                     cases[i].base),
                        ==, cases[i].url);
    }
    g_assert_null(mrg_url_read(arena, "https://a\0b", 11, TRUE, NULL));
}

static void
a_link_of_a_template_is_judged_by_what_is_written(void)
{
    static const struct {
        const char *value;
        MrgUrlKind kind;
    } cases[] = {
        {"https://a.example/?a=1&amp;b={{x}}&c={{{y}}}", MRG_URL_WEB},
        {"https://{{host}}/x", MRG_URL_WEB},
        {"HTTP://a.example", MRG_URL_WEB},
        {"{{unsubscribe_url}}", MRG_URL_LEFT},
        {"{Url}/x", MRG_URL_LEFT},
        {"htt{{x}}", MRG_URL_LEFT},
        {"https:{{x}}", MRG_URL_LEFT},
        {"{{#if a}}https://a.example{{else}}/b{{/if}}", MRG_URL_LEFT},
        {"mailto:a@b.example?subject={{x}}", MRG_URL_LEFT},
        {"tel:+49", MRG_URL_LEFT},
        {"#top", MRG_URL_LEFT},
        {"#{{x}}", MRG_URL_LEFT},
        {"javascript:go()", MRG_URL_CODE},
        {" Java\nScript:{{x}}", MRG_URL_CODE},
        {"&#106;avascript:x", MRG_URL_CODE},
        {"vbscript:x", MRG_URL_CODE},
        {"data:text/html,{{x}}", MRG_URL_CODE},
        {"", MRG_URL_RELATIVE},
        {"/path", MRG_URL_RELATIVE},
        {"www.a.example/{{x}}", MRG_URL_RELATIVE},
        {"//a.example/", MRG_URL_RELATIVE},
        {"?q={{x}}", MRG_URL_RELATIVE},
        {"https://a.example/?a=1&copy;2", MRG_URL_REFERENCE},
        {"https://a.example/?{{x}}&reg", MRG_URL_REFERENCE},
        {"{{x '&copy;'}}&amp;{{y}}", MRG_URL_LEFT},
        {"{{x", MRG_URL_LEFT},
        {"https://", MRG_URL_BROKEN},
        {"https:/a.example", MRG_URL_BROKEN},
        {"https://a.example\\@b.example/", MRG_URL_BROKEN},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].value);
        g_assert_cmpint(mrg_url_kind(cases[i].value, strlen(cases[i].value), TRUE), ==,
                        cases[i].kind);
    }
    g_autofree char *huge = g_strnfill(MRG_URL_MAX + 1, 'x');
    memcpy(huge, "https://", 8);
    g_assert_cmpint(mrg_url_kind(huge, MRG_URL_MAX + 1, TRUE), ==, MRG_URL_BROKEN);
    g_assert_cmpint(mrg_url_kind(huge, MRG_URL_MAX, TRUE), ==, MRG_URL_WEB);
}

static void
a_link_in_text_has_no_references(void)
{
    static const struct {
        const char *value;
        MrgUrlKind kind;
    } cases[] = {
        {"https://a.example/?a=1&copy;2&reg", MRG_URL_WEB},
        {"https://a.example/?{{x}}&reg", MRG_URL_WEB},
        {"https://{{host}}/x", MRG_URL_WEB},
        {"https:///x", MRG_URL_BROKEN},
        {"https://a%20b.example/", MRG_URL_BROKEN},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].value);
        g_assert_cmpint(mrg_url_kind(cases[i].value, strlen(cases[i].value), FALSE), ==,
                        cases[i].kind);
    }
}

static void
campaign_parameters_are_added_once(void)
{
    static const char *const domains[] = {"shop.example", NULL};
    static const struct {
        const char *url, *expected;
    } cases[] = {
        {"https://shop.example", "https://shop.example?utm_source=n&utm_campaign=a%20b"},
        {"https://www.shop.example:81/x?y#z",
         "https://www.shop.example:81/x?y&utm_source=n&utm_campaign=a%20b#z"},
        {"https://shop.example/?UTM_Source=own&x",
         "https://shop.example/?UTM_Source=own&x&utm_campaign=a%20b"},
        {"https://shop.example/?utm_source&utm_campaign=",
         "https://shop.example/?utm_source&utm_campaign="},
        {"https://shop.example/?#utm_source=1",
         "https://shop.example/?utm_source=n&utm_campaign=a%20b#utm_source=1"},
        {"https://x@shop.example/", "https://x@shop.example/?utm_source=n&utm_campaign="
                                    "a%20b"},
        {"https://myshop.example/", "https://myshop.example/"},
        {"https://shop.example.evil.example/", "https://shop.example.evil.example/"},
        {"https://shop.example@evil.example/", "https://shop.example@evil.example/"},
        {"https://evil.example/?shop.example", "https://evil.example/?shop.example"},
    };
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgUtm utm = {.domains = domains};
    utm.parameters[0] = mrg_utm_parameter(arena, "utm_source", "n", "a b", "promo");
    utm.parameters[1] = mrg_utm_parameter(arena, "utm_medium", "", "a b", "promo");
    utm.parameters[2] =
        mrg_utm_parameter(arena, "utm_campaign", "{campaign}", "a b", "promo");
    g_assert_null(utm.parameters[1]);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpstr(mrg_url_add_utm(arena, cases[i].url, &utm), ==, cases[i].expected);
    utm.domains = NULL;
    g_assert_cmpstr(mrg_url_add_utm(arena, cases[0].url, &utm), ==, cases[0].url);
}

/* ---- places ---- */

/* "L:href|" and the like, in order. */
static char *
show_places(const char *text, const GArray *places)
{
    GString *out = g_string_new(NULL);
    gsize end = 0;
    for (guint i = 0; i < places->len; i++) {
        const MrgStampPlace *place = &g_array_index(places, MrgStampPlace, i);
        g_assert_cmpuint(place->start, >=, end);
        end = place->start + place->length;
        g_assert_cmpuint(end, <=, strlen(text));
        g_string_append_printf(out, "%c:%.*s|", "LNB<>l"[place->kind],
                               (int) place -> length, text + place -> start);
    }
    return g_string_free(out, FALSE);
}

static char *
places_of(const char *text, gboolean is_html)
{
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(MrgStampPlace));
    (is_html ? mrg_places_of_html : mrg_places_of_text)(text, strlen(text), places);
    return show_places(text, places);
}

static void
links_are_found_where_readers_find_them(void)
{
    static const struct {
        const char *text, *places;
    } cases[] = {
        {"<a href=\"x\">y</a>", "L:x|"},
        {"<A HREF=x>y</A><Area Href='z'/>", "L:x|L:z|"},
        {"<a class=b href = \"x\" href=\"second\">", "L:x|"},
        {"<a href>", ""},
        {"<a href=\"\">", "L:|"},
        {"<a data-href=\"x\" title='href=\"y\"'>", ""},
        {"<a href=x data-no-track>", "N: data-no-track|"},
        {"<a data-no-track=\"\" href=x>", "N: data-no-track=\"\"|"},
        {"<a href=\"x\"data-no-track>", "N:data-no-track|"},
        {"<link href=x><abbr href=y><form action=z>", ""},
        {"<base href=\"b\"><body bgcolor=c><a href=d></body>", "B:b|<:|L:d|>:|"},
        {"<!-- <a href=x> --><a href=y>", "L:y|"},
        {"<!--[if mso]><v:roundrect href=\"x\" arcsize=\"9%\"><a href=y><![endif]-->z",
         "L:x|L:y|"},
        {"<!--[IF !mso]><!--><a href=x><!--<![endif]-->", "L:x|"},
        {"<!--[if mso]><body><base href=q></body><![endif]-->", ""},
        {"<![if !mso]><a href=x><![endif]>", "L:x|"},
        {"<style><a href=x></style><title><a href=y></title><a href=z>", "L:z|"},
        {"<a href=\"x", ""},
        {"<a href=\"x\"", ""},
        {"<a href=\"x>", ""},
        {"<a href=x title=\"y>", ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *places = places_of(cases[i].text, TRUE);
        g_test_message("%s", cases[i].text);
        g_assert_cmpstr(places, ==, cases[i].places);
    }
}

static void
addresses_in_text_end_where_the_sentence_does(void)
{
    static const struct {
        const char *text, *places;
    } cases[] = {
        {"See https://a.example/b.", "L:https://a.example/b|"},
        {"(http://a.example/b_(c)) <HTTPS://x.example>?",
         "L:http://a.example/b_(c)|L:HTTPS://x.example|"},
        {"https://a.example?b=c&d, https://e.example!",
         "L:https://a.example?b=c&d|L:https://e.example|"},
        {"ftp://a.example xhttps://b.example https://", ""},
        {"https://a.example/://https://b.example",
         "L:https://a.example/://https://b.example|"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *places = places_of(cases[i].text, FALSE);
        g_assert_cmpstr(places, ==, cases[i].places);
    }
}

static void
who_judges_sees_every_link_that_a_reader_can_follow(void)
{
    static const struct {
        gboolean is_html;
        const char *text, *places;
    } cases[] = {
        {TRUE, "<base href=b data-no-track><a href=x data-no-track>", "B:b|l:x|"},
        {TRUE, "<a data-no-track href='y'><a href=z>", "l:y|L:z|"},
        {TRUE, "<a data-no-track>{{! <a href=q> }}<!-- <a href=r> -->", ""},
        {TRUE, "<!--[if mso]><v:rect href=x data-no-track><![endif]-->", "l:x|"},
        {TRUE, "https://a.example", ""},
        {FALSE, "https://a.example/{{x}}, <a href=y>", "L:https://a.example/{{x}}|"},
        {FALSE, "{{!-- https://a.example --}}http://b.example", "L:http://b.example|"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(MrgStampPlace));
        g_test_message("%s", cases[i].text);
        mrg_places_to_judge(cases[i].text, strlen(cases[i].text), cases[i].is_html, found);
        g_autofree char *places = show_places(cases[i].text, found);
        g_assert_cmpstr(places, ==, cases[i].places);
    }
}

/* ---- copies ---- */

typedef struct Fixture {
    MrgEnvelope *envelope;
    MrgLayout *layout;
    MrgKeyring *keyring;
    MrgCampaign campaign;
    MrgLinks *links;
    MrgSealer sealer;
    MrgStampContext context;
    MrgRendered parts[2];
    MrgCopy copy;
} Fixture;

static const char message[] =
    "Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\n"
    "Go to https://shop.example/a?x=1&y=2 now\n--b\nContent-Type: text/html\n\n"
    "<a href=\"https://shop.example/a?x=1&amp;y=2\">a</a>\n"
    "<A HREF=https://shop.example/b>b</A>\n"
    "<!--[if mso]><v:rect href='https://shop.example/c'><![endif]-->\n"
    "<a href=\"https://shop.example/d\" data-no-track>d</a>\n"
    "<a href=\"mailto:a@b.example\">e</a><a href=\"https://t.example/m/u/xyz\">f</a>\n"
    "<a href=\"https://shop.example/a?x=1&#38;y=2\">again</a>\n"
    "--b--\n";

static void
set_up(Fixture *fixture, const char *const *utm_domains)
{
    *fixture = (Fixture){.campaign = {.id = "spring", .class_name = "promo"}};
    const MrgUtm utm = {.domains = utm_domains, .parameters = {"utm_source=n"}};
    const MrgToken token = {.campaign = 5, .message = 6, .at_s = 7};
    gsize n;
    fixture->envelope = mail_read(message);
    fixture->layout = mrg_layout_new(fixture->envelope, NULL);
    fixture->keyring = mrg_keyring_new_ephemeral(NULL);
    fixture->links = mrg_links_new("https://t.example/m", &utm);
    const MrgPart *parts = mrg_layout_parts(fixture->layout, &n);
    g_assert_cmpuint(n, ==, 2);
    for (gsize i = 0; i < n; i++)
        mrg_links_add(fixture->links, parts[i].text, parts[i].length, parts[i].is_html);
    fixture->context = (MrgStampContext){.arena = fixture->envelope->arena,
                                         .sealer = &fixture->sealer,
                                         .base_url = "https://t.example/m",
                                         .campaign = &fixture->campaign,
                                         .links = fixture->links,
                                         .is_transactional = TRUE,
                                         .may_track_click = TRUE};
    mrg_sealer_init(&fixture->sealer, fixture->keyring, &token);
    mrg_copy_init(&fixture->copy, 1 << 20);
    mrg_copy_address(&fixture->copy, fixture->envelope, "ann@example.com", NULL);
}

static void
tear_down(Fixture *fixture)
{
    mrg_copy_clear(&fixture->copy);
    mrg_links_free(fixture->links);
    mrg_keyring_unref(fixture->keyring);
    mrg_layout_unref(fixture->layout);
    mrg_envelope_free(fixture->envelope);
}

/* The text with each of our tokens as {PURPOSE LINK TARGET}. */
static char *
opened(const Fixture *fixture, gsize part)
{
    static const char start[] = "https://t.example/m/c/";
    GString *out = g_string_new(NULL);
    const char *text = fixture->parts[part].text;
    for (const char *found; (found = strstr(text, start));) {
        char target[MRG_TARGET_MAX + 1];
        MrgToken token;
        found += strlen(start);
        g_string_append_len(out, text, found - text);
        gsize n = strspn(found, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_");
        g_assert_true(mrg_token_read(fixture->keyring, found, n, &token, target));
        g_assert_cmpuint(token.message, ==, 6);
        g_string_append_printf(out, "{%s %u %s}", mrg_token_purpose_name(token.purpose),
                               token.link, token.target ? token.target : "");
        text = found + n;
    }
    g_string_append(out, text);
    return g_string_free(out, FALSE);
}

static void
number_links(Fixture *fixture)
{
    static const guint32 numbers[] = {11, 12, 13};
    gsize n;
    const char *const *targets = mrg_links_targets(fixture->links, &n);
    g_assert_cmpuint(n, ==, G_N_ELEMENTS(numbers));
    g_assert_true(g_str_has_prefix(targets[0], "https://shop.example/a?x=1&y=2"));
    g_assert_true(mrg_links_need_numbers(fixture->links));
    mrg_links_set_numbers(fixture->links, numbers);
    mrg_links_set_numbers(fixture->links, numbers);
    g_assert_false(mrg_links_need_numbers(fixture->links));
}

static void
apply(Fixture *fixture)
{
    mrg_stamp_apply(&fixture->context, fixture->layout, fixture->parts, &fixture->copy);
}

static void
links_lead_to_the_collector(void)
{
    Fixture fixture;
    set_up(&fixture, NULL);
    number_links(&fixture);
    apply(&fixture);
    g_autofree char *html = opened(&fixture, 1);
    g_assert_cmpstr(html, ==,
                    "<a href=\"https://t.example/m/c/{click 11 }\">a</a>\n"
                    "<A HREF=\"https://t.example/m/c/{click 12 }\">b</A>\n"
                    "<!--[if mso]><v:rect href='https://t.example/m/c/{click 13 }'>"
                    "<![endif]-->\n"
                    "<a href=\"https://shop.example/d\">d</a>\n"
                    "<a href=\"mailto:a@b.example\">e</a>"
                    "<a href=\"https://t.example/m/u/xyz\">f</a>\n"
                    "<a href=\"https://t.example/m/c/{click 11 }\">again</a>");
    g_assert_false(fixture.parts[0].is_changed);
    g_assert_cmpstr(mrg_stamp_names(&fixture.context), ==, "links,report");
    g_assert_cmpuint(fixture.context.tracked, ==, MRG_TRACKED_CLICKS);
    tear_down(&fixture);
}

static void
links_in_text_are_tracked_where_that_is_asked_for(void)
{
    Fixture fixture;
    set_up(&fixture, NULL);
    number_links(&fixture);
    fixture.context.may_track_text = TRUE;
    apply(&fixture);
    g_autofree char *text = opened(&fixture, 0);
    g_assert_cmpstr(text, ==, "Go to https://t.example/m/c/{click 11 } now");
    tear_down(&fixture);
}

static void
links_made_of_values_carry_their_target(void)
{
    static const char rendered[] =
        "<base href=\"https://b.example/x/\"><a href=\"p?q=1&amp;r\">"
        "<a href='https://shop.example/new?u=7&amp;v'><a href=https://shop.example/b>"
        "<a href=\"javascript:x\">";
    Fixture fixture;
    set_up(&fixture, NULL);
    number_links(&fixture);
    fixture.parts[1] = (MrgRendered){TRUE, rendered, strlen(rendered)};
    apply(&fixture);
    g_autofree char *html = opened(&fixture, 1);
    g_assert_cmpstr(
        html, ==,
        "<base href=\"https://b.example/x/\">"
        "<a href=\"https://t.example/m/c/{click 0 https://b.example/x/p?q=1&r}\">"
        "<a href='https://t.example/m/c/{click 0 "
        "https://shop.example/new?u=7&v}'>"
        "<a href=\"https://t.example/m/c/{click 12 }\"><a href=\"javascript:x\">");
    tear_down(&fixture);
}

/* 1,435 bytes fit into a token of 2,000 characters. */
static void
an_address_too_long_for_a_token_stays(void)
{
    Fixture fixture;
    set_up(&fixture, NULL);
    number_links(&fixture);
    for (gsize length = MRG_TARGET_MAX; length <= MRG_TARGET_MAX + 1; length++) {
        g_autofree char *path = g_strnfill(length - strlen("https://s.example/"), 'x');
        g_autofree char *text = g_strdup_printf("<a href=\"https://s.example/%s\">", path);
        fixture.parts[1] = (MrgRendered){TRUE, text, strlen(text)};
        apply(&fixture);
        g_assert_cmpint(length == MRG_TARGET_MAX, ==, fixture.parts[1].text != text);
        g_assert_cmpuint(fixture.context.tracked, ==,
                         length == MRG_TARGET_MAX ? MRG_TRACKED_CLICKS : 0);
    }
    tear_down(&fixture);
}

static void
without_consent_every_byte_stays(void)
{
    Fixture fixture;
    set_up(&fixture, NULL);
    number_links(&fixture);
    fixture.context.may_track_click = FALSE;
    fixture.context.may_track_text = TRUE;
    apply(&fixture);
    g_assert_false(fixture.parts[0].is_changed);
    g_assert_false(fixture.parts[1].is_changed);
    g_assert_cmpstr(mrg_stamp_names(&fixture.context), ==, "report");
    g_assert_cmpuint(fixture.context.tracked, ==, 0);
    tear_down(&fixture);
}

static void
campaign_parameters_need_no_consent(void)
{
    static const char *const domains[] = {"shop.example", NULL};
    Fixture fixture;
    set_up(&fixture, domains);
    fixture.context.may_track_click = FALSE;
    apply(&fixture);
    g_assert_true(g_str_has_prefix(
        fixture.parts[0].text, "Go to https://shop.example/a?x=1&y=2&utm_source=n now"));
    g_assert_true(g_str_has_prefix(
        fixture.parts[1].text, "<a href=\"https://shop.example/a?x=1&amp;y=2&amp;"
                               "utm_source=n\">a</a>\n"
                               "<A HREF=\"https://shop.example/b?utm_source=n\">b</A>"));
    g_assert_nonnull(strstr(fixture.parts[1].text, "shop.example/d\" data-no-track>"));
    g_assert_cmpstr(mrg_stamp_names(&fixture.context), ==, "utm,report");
    g_assert_cmpuint(fixture.context.tracked, ==, 0);
    tear_down(&fixture);
}

static void
previews_carry_inert_links(void)
{
    Fixture fixture;
    set_up(&fixture, NULL);
    fixture.context.is_inert = TRUE;
    apply(&fixture);
    g_autofree char *html = opened(&fixture, 1);
    g_assert_true(
        g_str_has_prefix(html, "<a href=\"https://t.example/m/c/{inert 0 }\">a</a>"));
    g_assert_null(strstr(html, "{click"));
    tear_down(&fixture);
}

/* ---- marks ---- */

static char *
describe(const MrgStampPlace *places, gsize n, const char *text)
{
    GString *out = g_string_new(NULL);
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(out, "%d:%zu:%.*s:%d|", places[i].kind, places[i].start,
                               (int) places[i].length, text + places[i].start,
                               places[i].quote);
    return g_string_free(out, FALSE);
}

typedef struct MarkCase {
    const char *template;
    gboolean is_told; /* by the marks alone */
} MarkCase;

/* A person with uid 7, markup in html and a link in link. */
static void
check_marks(const MarkCase *one)
{
    const MrgUtm utm = {0};
    g_autoptr(MrgLinks) links = mrg_links_new("https://t.example", &utm);
    const MrgMarker marker = mrg_links_marker(links);
    const MrgCompileOptions options = {.marker = &marker};
    const MrgTemplate template = {"t", one->template, strlen(one->template),
                                  MRG_DIALECT_HANDLEBARS, MRG_ESCAPE_HTML};
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) program = mrg_program_compile(&template, 1, &options, &error);
    g_assert_no_error(error);
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    MrgValue slots[8] = {{0}};
    for (gsize i = 0; i < n; i++) {
        const char *value = g_str_equal(fields[i].name, "html") ? "<b>x</b>"
                            : g_str_equal(fields[i].name, "link")
                                ? "<a href=\"https://l/\">"
                            : g_str_equal(fields[i].name, "open") ? "<!-- "
                                                                  : "7\">";
        slots[i] = mrg_value_string(value, strlen(value));
    }
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgLandmarks marks = {0};
    MrgStampPlaces places;
    MrgBuffer out;
    mrg_buffer_init(&out, 1 << 20);
    mrg_buffer_append(&out, "before", 6);
    const MrgRenderInput input = {.slots = slots, .arena = arena, .marks = &marks};
    g_assert_true(mrg_program_run(program, 0, &input, &out, &error));
    const char *text = out.data + 6;
    g_assert_cmpint(mrg_links_find(links, arena, marks.items, marks.n, 6, text,
                                   out.length - 6, &places),
                    ==, one->is_told);
    if (one->is_told) {
        g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(MrgStampPlace));
        mrg_places_of_html(text, out.length - 6, found);
        g_autofree char *a = describe(places.items, places.n, text);
        g_autofree char *b =
            describe((const MrgStampPlace *) (gpointer) found->data, found->len, text);
        g_assert_cmpstr(a, ==, b);
    }
    mrg_buffer_clear(&out);
}

static void
marks_tell_what_a_look_through_the_text_finds(void)
{
    static const MarkCase cases[] = {
        {"<body><a href=\"https://a/\">x</a><a href='https://b/?u={{uid}}'>y</a></body>",
         TRUE},
        {"{{#if uid}}<a href=\"https://a/\">{{else}}<a href=\"https://b/\">{{/if}}z", TRUE},
        {"{{#each (split \"1,2,3\" \",\")}}<a href=\"https://a/{{this}}\"><a "
         "href=https://b>{{/each}}",
         TRUE},
        {"{{! <a href=\"https://a/\"> <!-- }}<a href=https://b>{{!-- <b title=\" --}}",
         TRUE},
        {"<a data-no-track href=\"https://a/\"><base href=\"https://x/{{uid}}\"><a href=p>",
         TRUE},
        {"<!--[if mso]>{{#if uid}}<v:rect href=\"https://a/\">{{/if}}<![endif]-->", TRUE},
        {"<p {{uid}}>{{{html}}}<a href=\"https://a/\">", FALSE},
        {"{{{html}}}<a href=\"https://a/\">{{uid}}", TRUE},
        {"{{{link}}}<a href=\"https://a/\">{{uid}}", FALSE},
        {"{{{open}}}<a href=\"https://a/\">--> {{uid}}", FALSE},
        {"<a {{#if uid}}href=\"https://a/\"{{else}}href=\"https://b/\"{{/if}}>", FALSE},
        {"<a title=\"{{default \"x\" uid}}\" href=\"https://a/\">", FALSE},
        {"{{#if uid}}<!--{{/if}}<a href=\"https://a/\">-->", FALSE},
        {"\\{{x}}<a href=\"https://a/\">{{uid}}", TRUE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].template);
        check_marks(&cases[i]);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    mrg_mime_init();
    g_test_add_func("/url/read", an_address_is_read_as_browsers_read_it);
    g_test_add_func("/url/kind", a_link_of_a_template_is_judged_by_what_is_written);
    g_test_add_func("/url/kind-in-text", a_link_in_text_has_no_references);
    g_test_add_func("/url/utm", campaign_parameters_are_added_once);
    g_test_add_func("/places/html", links_are_found_where_readers_find_them);
    g_test_add_func("/places/text", addresses_in_text_end_where_the_sentence_does);
    g_test_add_func("/places/judge", who_judges_sees_every_link_that_a_reader_can_follow);
    g_test_add_func("/links/marks", marks_tell_what_a_look_through_the_text_finds);
    g_test_add_func("/links/tracked", links_lead_to_the_collector);
    g_test_add_func("/links/text", links_in_text_are_tracked_where_that_is_asked_for);
    g_test_add_func("/links/dynamic", links_made_of_values_carry_their_target);
    g_test_add_func("/links/too-long", an_address_too_long_for_a_token_stays);
    g_test_add_func("/links/untracked", without_consent_every_byte_stays);
    g_test_add_func("/links/utm", campaign_parameters_need_no_consent);
    g_test_add_func("/links/inert", previews_carry_inert_links);
    return g_test_run();
}
