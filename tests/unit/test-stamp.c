/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/chain.h"
#include "milter/stamp/html.h"
#include "tests/unit/mail.h"

/* Tokens as "type:text|": T text, S start tag, E end tag, C comment, R raw text. */
static char *
tokens_of(const char *text)
{
    GString *out = g_string_new(NULL);
    MrgHtml html;
    MrgHtmlToken token;
    gsize at = 0;
    mrg_html_init(&html, text, strlen(text));
    while (mrg_html_next(&html, &token)) {
        g_assert_cmpuint(token.start, ==, at);
        g_assert_cmpuint(token.end, >, token.start);
        at = token.end;
        g_string_append_printf(out, "%c:%.*s|", "TSECR"[token.type],
                               (int) (token.end - token.start), text + token.start);
    }
    g_assert_cmpuint(at, ==, strlen(text));
    return g_string_free(out, FALSE);
}

static void
html_is_cut_as_browsers_cut_it(void)
{
    static const struct {
        const char *text, *tokens;
    } cases[] = {
        {"", ""},
        {"a<b>c</b>", "T:a|S:<b>|T:c|E:</b>|"},
        {"a < b <3 <", "T:a < b <3 <|"},
        {"<a href=\"x>y\" b='>'>z", "S:<a href=\"x>y\" b='>'>|T:z|"},
        {"<a b\">c", "S:<a b\">|T:c|"},
        {"<a b= \">\">c", "S:<a b= \">\">|T:c|"},
        {"<a =\">c", "S:<a =\">|T:c|"},
        {"<a/b=c/>d", "S:<a/b=c/>|T:d|"},
        {"<a b=c>d", "S:<a b=c>|T:d|"},
        {"<a b=\"c", "S:<a b=\"c|"},
        {"<!-- <a> -->b", "C:<!-- <a> -->|T:b|"},
        {"<!-->b", "C:<!-->|T:b|"},
        {"<!--->b-->", "C:<!--->|T:b-->|"},
        {"<!--a--!>b", "C:<!--a--!>|T:b|"},
        {"<!--a--", "C:<!--a--|"},
        {"<!--[if mso]></body><![endif]-->x", "C:<!--[if mso]></body><![endif]-->|T:x|"},
        {"<!--[if !mso]><!-->x<!--<![endif]-->",
         "C:<!--[if !mso]><!-->|T:x|C:<!--<![endif]-->|"},
        {"<!DOCTYPE html><?xml ?></ x>y", "C:<!DOCTYPE html>|C:<?xml ?>|C:</ x>|T:y|"},
        {"<script>a<b>\"</body>\"</scripty></SCRIPT >c",
         "S:<script>|R:a<b>\"</body>\"</scripty>|E:</SCRIPT >|T:c|"},
        {"<style></style>", "S:<style>|E:</style>|"},
        {"<title>a</b>", "S:<title>|R:a</b>|"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *tokens = tokens_of(cases[i].text);
        g_assert_cmpstr(tokens, ==, cases[i].tokens);
    }
}

/* Everything that a copy needs, and the copy. */
typedef struct Fixture {
    MrgEnvelope *envelope;
    MrgLayout *layout;
    MrgKeyring *keyring;
    MrgCampaign campaign;
    MrgSealer sealer;
    MrgStampContext context;
    MrgRendered parts[4];
    MrgCopy copy;
} Fixture;

static const char two_parts[] = "Subject: x\nList-Unsubscribe: <mailto:old@example.com>\n"
                                "Content-Type: multipart/alternative; boundary=b\n\n"
                                "--b\n\nplain\n--b\nContent-Type: text/html\n\n"
                                "<body>hi<!-- </body> --></BODY></html>\n--b\n"
                                "Content-Type: text/x-amp-html\n\n<body></body>\n--b--\n";

static void
set_up(Fixture *fixture, const char *message)
{
    *fixture = (Fixture){.campaign = {.id = "spring", .class_name = "pro.mo"}};
    fixture->envelope = mail_read(message);
    fixture->layout = mrg_layout_new(fixture->envelope, NULL);
    fixture->keyring = mrg_keyring_new_ephemeral(NULL);
    g_assert_nonnull(fixture->layout);
    g_assert_nonnull(fixture->keyring);
    fixture->context = (MrgStampContext){
        .arena = fixture->envelope->arena,
        .sealer = &fixture->sealer,
        .base_url = "https://t.example.com/m",
        .list_domain = "news.example.com",
        .campaign = &fixture->campaign,
        .may_track_open = TRUE,
    };
    const MrgToken token = {.campaign = 5, .message = 6, .at_s = 7};
    mrg_sealer_init(&fixture->sealer, fixture->keyring, &token);
    mrg_copy_init(&fixture->copy, 1 << 20);
    mrg_copy_address(&fixture->copy, fixture->envelope, "ann@example.com", NULL);
}

static void
tear_down(Fixture *fixture)
{
    mrg_copy_clear(&fixture->copy);
    mrg_keyring_unref(fixture->keyring);
    mrg_layout_unref(fixture->layout);
    mrg_envelope_free(fixture->envelope);
}

static void
apply(Fixture *fixture)
{
    mrg_stamp_apply(&fixture->context, fixture->layout, fixture->parts, &fixture->copy);
}

static char *
value_of(const Fixture *fixture, const char *name)
{
    for (guint i = 0; i < fixture->copy.headers->len; i++) {
        const MrgCopyHeader *header =
            &g_array_index(fixture->copy.headers, MrgCopyHeader, i);
        if (g_ascii_strcasecmp(header->name, name) == 0)
            return g_strstrip(g_strdup(header->value));
    }
    return NULL;
}

static void
assert_token(const Fixture *fixture, const char *text, MrgTokenPurpose purpose)
{
    char target[MRG_TARGET_MAX + 1];
    MrgToken token;
    g_assert_nonnull(text);
    g_assert_true(
        mrg_token_open(fixture->keyring, text, MRG_TOKEN_LENGTH, purpose, &token, target));
    g_assert_cmpuint(token.campaign, ==, 5);
    g_assert_cmpuint(token.message, ==, 6);
    g_assert_cmpuint(token.at_s, ==, 7);
}

static void
the_pixel_stands_before_the_last_body_end(void)
{
    Fixture fixture;
    set_up(&fixture, two_parts);
    apply(&fixture);
    const MrgRendered *html = &fixture.parts[1];
    static const char before[] =
        "<body>hi<!-- </body> --><img src=\"https://t.example.com/m/o/";
    g_assert_true(html->is_changed);
    g_assert_true(g_str_has_prefix(html->text, before));
    g_assert_true(g_str_has_suffix(html->text, "></BODY></html>"));
    g_assert_nonnull(strstr(html->text, ".gif\" width=\"1\" height=\"1\" alt=\"\""));
    g_assert_cmpuint(strlen(html->text), ==, html->length);
    assert_token(&fixture, html->text + strlen(before), MRG_TOKEN_OPEN);
    g_assert_false(fixture.parts[0].is_changed);
    g_assert_false(fixture.parts[2].is_changed);
    g_assert_cmpstr(mrg_stamp_names(&fixture.context), ==, "pixel,unsubscribe,list,report");
    tear_down(&fixture);
}

static void
the_pixel_goes_into_the_rendered_text(void)
{
    Fixture fixture;
    set_up(&fixture, two_parts);
    fixture.parts[1] = (MrgRendered){TRUE, "no end, Ann", 11};
    fixture.context.base_url = "https://t.example.com/?a=\"&b";
    apply(&fixture);
    g_assert_true(g_str_has_prefix(fixture.parts[1].text,
                                   "no end, Ann<img src=\"https://t.example.com/"
                                   "?a=&quot;&amp;b/o/"));
    tear_down(&fixture);
}

/* The last </body> counts, and the first <body>, before which there may be links. */
static void
the_pixel_finds_its_body(void)
{
    static const char html[] = "<a href=https://shop.example/a>a</a><body>hi</body>"
                               "<body><a href=https://shop.example/b>b</a></body>.";
    static const struct {
        gboolean is_on_top;
        const char *text;
    } cases[] = {{FALSE, "<a @>a</a><body>hi</body><body><a @>b</a><img ></body>."},
                 {TRUE, "<a @>a</a><body><img >hi</body><body><a @>b</a></body>."}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Fixture fixture;
        const MrgUtm utm = {0};
        g_autoptr(MrgLinks) links = mrg_links_new("https://t.example.com/m", &utm);
        g_autoptr(GRegex) addresses = g_regex_new("href=\"[^\"]*/c/[^\"]*\"", 0, 0, NULL);
        g_autoptr(GRegex) pixel = g_regex_new("<img [^>]*", 0, 0, NULL);
        set_up(&fixture, two_parts);
        fixture.parts[1] = (MrgRendered){TRUE, html, strlen(html)};
        fixture.context.links = links;
        fixture.context.may_track_click = TRUE;
        fixture.context.is_pixel_on_top = cases[i].is_on_top;
        apply(&fixture);
        g_autofree char *half =
            g_regex_replace_literal(addresses, fixture.parts[1].text, -1, 0, "@", 0, NULL);
        g_autofree char *text =
            g_regex_replace_literal(pixel, half, -1, 0, "<img ", 0, NULL);
        g_assert_cmpstr(text, ==, cases[i].text);
        tear_down(&fixture);
    }
}

static void
untracked_means_untouched(void)
{
    Fixture fixture;
    set_up(&fixture, two_parts);
    fixture.context.may_track_open = FALSE;
    apply(&fixture);
    for (gsize i = 0; i < 3; i++)
        g_assert_false(fixture.parts[i].is_changed);
    g_assert_cmpstr(mrg_stamp_names(&fixture.context), ==, "unsubscribe,list,report");
    tear_down(&fixture);
}

static void
a_message_without_html_gets_no_pixel(void)
{
    Fixture fixture;
    set_up(&fixture, "Subject: x\n\nplain\n");
    apply(&fixture);
    g_assert_false(fixture.parts[0].is_changed);
    g_assert_cmpstr(mrg_stamp_names(&fixture.context), ==, "unsubscribe,list,report");
    tear_down(&fixture);
}

static void
marketing_can_be_left_with_one_click(void)
{
    Fixture fixture;
    set_up(&fixture, two_parts);
    apply(&fixture);
    g_autofree char *link = value_of(&fixture, "List-Unsubscribe");
    g_autofree char *post = value_of(&fixture, "List-Unsubscribe-Post");
    g_autofree char *id = value_of(&fixture, "List-Id");
    g_autofree char *feedback = value_of(&fixture, "Feedback-ID");
    static const char before[] = "<https://t.example.com/m/u/";
    g_assert_true(g_str_has_prefix(link, before));
    g_assert_cmpuint(strlen(link), ==, strlen(before) + MRG_TOKEN_LENGTH + 1);
    g_assert_true(g_str_has_suffix(link, ">"));
    assert_token(&fixture, link + strlen(before), MRG_TOKEN_UNSUBSCRIBE);
    g_assert_cmpstr(post, ==, "List-Unsubscribe=One-Click");
    g_assert_cmpstr(id, ==, "<pro-mo.news.example.com>");
    g_assert_cmpstr(feedback, ==, "spring:pro-mo:merganser:news-example-co");
    g_autofree char *reference = value_of(&fixture, "X-Report-Ref");
    assert_token(&fixture, reference, MRG_TOKEN_REPORT);
    tear_down(&fixture);
}

static void
transactional_mail_gets_no_list_headers(void)
{
    Fixture fixture;
    set_up(&fixture, two_parts);
    fixture.context.is_transactional = TRUE;
    apply(&fixture);
    g_autofree char *link = value_of(&fixture, "List-Unsubscribe");
    g_autofree char *post = value_of(&fixture, "List-Unsubscribe-Post");
    g_autofree char *id = value_of(&fixture, "List-Id");
    g_assert_cmpstr(link, ==, "<mailto:old@example.com>");
    g_assert_null(post);
    g_assert_null(id);
    g_assert_cmpstr(mrg_stamp_names(&fixture.context), ==, "pixel,report");
    tear_down(&fixture);
}

static void
what_is_not_configured_is_not_stamped(void)
{
    Fixture fixture;
    set_up(&fixture, two_parts);
    fixture.context.base_url = NULL;
    fixture.context.list_domain = NULL;
    apply(&fixture);
    g_assert_cmpstr(mrg_stamp_names(&fixture.context), ==, "");
    g_assert_false(fixture.parts[1].is_changed);
    tear_down(&fixture);
}

static void
previews_carry_inert_tokens(void)
{
    Fixture fixture;
    set_up(&fixture, two_parts);
    fixture.context.is_inert = TRUE;
    apply(&fixture);
    g_autofree char *link = value_of(&fixture, "List-Unsubscribe");
    assert_token(&fixture, strstr(link, "/u/") + 3, MRG_TOKEN_INERT);
    assert_token(&fixture, strstr(fixture.parts[1].text, "/o/") + 3, MRG_TOKEN_INERT);
    tear_down(&fixture);
}

static void
the_senders_own_list_id_stays(void)
{
    Fixture fixture;
    set_up(&fixture, "List-ID: <own.example.com>\n\nx\n");
    apply(&fixture);
    g_autofree char *id = value_of(&fixture, "List-Id");
    g_assert_cmpstr(id, ==, "<own.example.com>");
    tear_down(&fixture);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    mrg_mime_init();
    g_test_add_func("/html/tokens", html_is_cut_as_browsers_cut_it);
    g_test_add_func("/stamp/pixel", the_pixel_stands_before_the_last_body_end);
    g_test_add_func("/stamp/pixel-rendered", the_pixel_goes_into_the_rendered_text);
    g_test_add_func("/stamp/pixel-body", the_pixel_finds_its_body);
    g_test_add_func("/stamp/untracked", untracked_means_untouched);
    g_test_add_func("/stamp/no-html", a_message_without_html_gets_no_pixel);
    g_test_add_func("/stamp/unsubscribe", marketing_can_be_left_with_one_click);
    g_test_add_func("/stamp/transactional", transactional_mail_gets_no_list_headers);
    g_test_add_func("/stamp/not-configured", what_is_not_configured_is_not_stamped);
    g_test_add_func("/stamp/inert", previews_carry_inert_tokens);
    g_test_add_func("/stamp/own-list-id", the_senders_own_list_id_stays);
    return g_test_run();
}
