/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "collect/client.h"
#include "collect/form.h"
#include "collect/limit.h"
#include "collect/links.h"
#include "collect/once.h"

#define MINUTE_US (60 * G_USEC_PER_SEC)

/* ---- client */

static MrgClient
client_of(const char *peer, const char *forwarded)
{
    static const char *const words[] = {"10.0.0.0/9", "2001:db8::/33", NULL};
    const char *wrong = NULL;
    MrgNetworks *trusted = mrg_networks_parse(words, &wrong);
    g_assert_nonnull(trusted);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    MrgClient client;
    if (inet_pton(AF_INET, peer, &four.sin_addr) == 1) {
        mrg_client_from_socket(&client, (const struct sockaddr *) &four);
    } else {
        g_assert_cmpint(inet_pton(AF_INET6, peer, &six.sin6_addr), ==, 1);
        mrg_client_from_socket(&client, (const struct sockaddr *) &six);
    }
    mrg_client_forwarded(&client, forwarded, trusted);
    mrg_networks_free(trusted);
    return client;
}

static void
a_front_is_believed_where_it_is_trusted(void)
{
    static const struct {
        const char *peer, *forwarded;
        guint8 first[4];
        guint n;
    } cases[] = {
        {"10.1.2.3", NULL, {10, 1, 2, 3}, 4},
        {"10.1.2.3", "192.0.2.9", {192, 0, 2, 9}, 4},
        {"10.128.0.1", "192.0.2.9", {10, 128, 0, 1}, 4}, /* beyond the /9 */
        {"10.1.2.3", "192.0.2.9, 198.51.100.7, 10.9.9.9", {198, 51, 100, 7}, 4},
        {"10.1.2.3", "10.4.4.4,10.5.5.5", {10, 4, 4, 4}, 4},
        {"10.1.2.3", "192.0.2.9:443", {192, 0, 2, 9}, 4},
        {"10.1.2.3", " , ,", {10, 1, 2, 3}, 4},
        {"2001:db8:1::1", "[2620:0:1::2]:80", {0x26, 0x20, 0, 0}, 16},
        {"2001:db8:8000::1", "192.0.2.9", {0x20, 0x01, 0x0d, 0xb8}, 16},
        {"::ffff:10.1.2.3", "192.0.2.9", {192, 0, 2, 9}, 4},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        MrgClient client = client_of(cases[i].peer, cases[i].forwarded);
        g_assert_cmpuint(client.n, ==, cases[i].n);
        g_assert_cmpmem(client.bytes, 4, cases[i].first, 4);
    }
}

static void
what_is_no_network_is_named(void)
{
    static const char *const wrong_words[] = {"10.0.0.0/33", "10.0.0", "",
                                              "::/129",      "a/b",    "10.0.0.0/-1"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong_words); i++) {
        const char *const words[] = {"127.0.0.1", wrong_words[i], NULL};
        const char *wrong = NULL;
        g_assert_null(mrg_networks_parse(words, &wrong));
        g_assert_cmpstr(wrong, ==, wrong_words[i]);
    }
}

/* ---- limit */

static void
a_limit_holds_for_a_minute_and_a_key(void)
{
    MrgLimit *limit = mrg_limit_new();
    for (guint i = 0; i < 5; i++)
        g_assert_cmpint(mrg_limit_take(limit, 3, 7, MINUTE_US * 9), ==, i < 3);
    g_assert_true(mrg_limit_take(limit, 3, 8, MINUTE_US * 9));
    g_assert_true(mrg_limit_take(limit, 3, 7, MINUTE_US * 10));
    mrg_limit_free(limit);
}

static void
what_was_counted_stays_under_another_limit(void)
{
    MrgLimit *limit = mrg_limit_new();
    for (guint i = 0; i < 5; i++)
        g_assert_true(mrg_limit_take(limit, 5, 7, MINUTE_US));
    g_assert_false(mrg_limit_take(limit, 3, 7, MINUTE_US));
    g_assert_true(mrg_limit_take(limit, 6, 7, MINUTE_US));
    g_assert_false(mrg_limit_take(limit, 6, 7, MINUTE_US));
    for (guint i = 0; i < 100; i++)
        g_assert_true(mrg_limit_take(limit, 0, 7, MINUTE_US));
    mrg_limit_free(limit);
}

static void
many_keys_take_no_more_room(void)
{
    MrgLimit *limit = mrg_limit_new();
    for (guint64 key = 0; key < 300000; key++)
        g_assert_true(mrg_limit_take(limit, 1, key, MINUTE_US));
    mrg_limit_free(limit);
}

/* ---- links */

static void
a_target_is_a_web_address_and_nothing_else(void)
{
    static const char *const good[] = {"http://a", "HTTPS://a/b?c#d", "https://[::1]:8/",
                                       "https://caf\xc3\xa9.example/"};
    static const char *const bad[] = {"",
                                      "a",
                                      "//a",
                                      "ftp://a",
                                      "http://",
                                      "http:///a",
                                      "https://?a",
                                      "https://#",
                                      "https://a b",
                                      "https://a\r\nX: y",
                                      "javascript:x",
                                      " http://a"};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(mrg_target_is_good(good[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(mrg_target_is_good(bad[i]));
}

static void
what_is_asked_for_stays_and_room_is_bounded(void)
{
    MrgLinks *links = mrg_links_new(64 * 1024);
    mrg_link_unref(mrg_links_add(links, 1, 1, "https://example.com/kept"));
    for (guint i = 2; i < 2000; i++) {
        mrg_link_unref(mrg_links_add(links, 1, i, "https://example.com/other"));
        g_autoptr(MrgLink) kept = mrg_links_find(links, 1, 1);
        g_assert_nonnull(kept);
        g_assert_cmpstr(kept->target, ==, "https://example.com/kept");
    }
    g_assert_null(mrg_links_find(links, 1, 2));
    g_assert_null(mrg_links_find(links, 2, 1));
    g_assert_null(mrg_links_add(links, 3, 1, "javascript:x"));
    mrg_links_free(links);
}

/* ---- form */

static void
a_form_is_read_as_browsers_write_it(void)
{
    static const char text[] = "a=1+2&b=%C3%A4%26&c&=d&&a=again&e=%zz%4";
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgForm form;
    g_assert_true(mrg_form_parse(&form, text, strlen(text), arena));
    g_assert_cmpuint(form.n, ==, 6);
    g_assert_cmpstr(mrg_form_get(&form, "a"), ==, "1 2");
    g_assert_cmpstr(mrg_form_get(&form, "b"), ==, "\xc3\xa4&");
    g_assert_cmpstr(mrg_form_get(&form, "c"), ==, "");
    g_assert_cmpstr(mrg_form_get(&form, ""), ==, "d");
    g_assert_cmpstr(mrg_form_get(&form, "e"), ==, "%zz%4");
    g_assert_null(mrg_form_get(&form, "f"));
}

static void
a_form_of_no_text_or_too_much_is_refused(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GString) many = g_string_new(NULL);
    MrgForm form;
    for (guint i = 0; i < MRG_FORM_FIELDS_MAX; i++)
        g_string_append(many, "a=b&");
    g_assert_true(mrg_form_parse(&form, many->str, many->len, arena));
    g_string_append(many, "a=b");
    g_assert_false(mrg_form_parse(&form, many->str, many->len, arena));
    g_assert_false(mrg_form_parse(&form, "a=%00", 5, arena));
    g_assert_false(mrg_form_parse(&form, "a=%ff", 5, arena));
}

/* ---- once */

static void
a_key_is_used_once(void)
{
    MrgOnce *once = mrg_once_new();
    g_assert_cmpint(mrg_once_begin(once, "k", "a"), ==, MRG_ONCE_NEW);
    g_assert_cmpint(mrg_once_begin(once, "k", "a"), ==, MRG_ONCE_BUSY);
    mrg_once_end(once, "k", FALSE);
    g_assert_cmpint(mrg_once_begin(once, "k", "a"), ==, MRG_ONCE_NEW);
    mrg_once_end(once, "k", TRUE);
    g_assert_cmpint(mrg_once_begin(once, "k", "a"), ==, MRG_ONCE_DONE);
    g_assert_cmpint(mrg_once_begin(once, "k", "b"), ==, MRG_ONCE_CONFLICT);
    for (guint i = 0; i < 5000; i++) {
        char key[16];
        g_snprintf(key, sizeof key, "%u", i);
        g_assert_cmpint(mrg_once_begin(once, key, "x"), ==, MRG_ONCE_NEW);
    }
    g_assert_cmpint(mrg_once_begin(once, "k", "b"), ==, MRG_ONCE_NEW);
    mrg_once_free(once);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/collect/client", a_front_is_believed_where_it_is_trusted);
    g_test_add_func("/collect/networks", what_is_no_network_is_named);
    g_test_add_func("/collect/limit", a_limit_holds_for_a_minute_and_a_key);
    g_test_add_func("/collect/limit/other", what_was_counted_stays_under_another_limit);
    g_test_add_func("/collect/limit-room", many_keys_take_no_more_room);
    g_test_add_func("/collect/targets", a_target_is_a_web_address_and_nothing_else);
    g_test_add_func("/collect/links", what_is_asked_for_stays_and_room_is_bounded);
    g_test_add_func("/collect/form", a_form_is_read_as_browsers_write_it);
    g_test_add_func("/collect/form-bad", a_form_of_no_text_or_too_much_is_refused);
    g_test_add_func("/collect/once", a_key_is_used_once);
    return g_test_run();
}
