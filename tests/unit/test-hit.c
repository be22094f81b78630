/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/hit.h"

static const MrgHit sample = {
    .kind = MRG_HIT_CLICK,
    .flags = MRG_HIT_HEAD | MRG_HIT_PREFETCH,
    .at_us = G_GINT64_CONSTANT(1764201600123456),
    .has_token = TRUE,
    .person = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}},
    .campaign = 0xfedcba98,
    .message = G_GUINT64_CONSTANT(0x8123456789abcdef),
    .link = 70000,
    .token_at_s = 0xf0e1d2c3,
    .token_key = 200,
    .target = "https://example.com/?q=Zo\xc3\xab",
    .site = "shop",
    .anonymous_id = "a-1",
    .event_id = "e-1",
    .name = "Product Viewed",
    .scope = "class:promo",
    .data = "{\"sku\":\"4711\"}",
    .agent = "Mozilla/5.0",
    .language = "de-CH, fr;q=0.9",
    .referrer_host = "mail.example.net",
    .network = {192, 0, 2},
    .network_bytes = 3,
};

static void
a_hit_comes_back_as_it_was(void)
{
    static guint8 record[MRG_HIT_BYTES_MAX];
    gsize length = mrg_hit_encode(&sample, record);
    MrgHit hit;
    g_assert_true(mrg_hit_decode(&hit, record, length));
    g_assert_cmpint(hit.kind, ==, sample.kind);
    g_assert_cmpuint(hit.flags, ==, sample.flags);
    g_assert_cmpint(hit.at_us, ==, sample.at_us);
    g_assert_true(hit.has_token);
    g_assert_cmpmem(&hit.person, sizeof hit.person, &sample.person, sizeof sample.person);
    g_assert_cmpuint(hit.campaign, ==, sample.campaign);
    g_assert_cmpuint(hit.message, ==, sample.message);
    g_assert_cmpuint(hit.link, ==, sample.link);
    g_assert_cmpuint(hit.token_at_s, ==, sample.token_at_s);
    g_assert_cmpuint(hit.token_key, ==, sample.token_key);
    g_assert_cmpstr(hit.target, ==, sample.target);
    g_assert_cmpstr(hit.site, ==, sample.site);
    g_assert_cmpstr(hit.anonymous_id, ==, sample.anonymous_id);
    g_assert_cmpstr(hit.event_id, ==, sample.event_id);
    g_assert_cmpstr(hit.name, ==, sample.name);
    g_assert_cmpstr(hit.scope, ==, sample.scope);
    g_assert_cmpstr(hit.data, ==, sample.data);
    g_assert_cmpstr(hit.agent, ==, sample.agent);
    g_assert_cmpstr(hit.language, ==, sample.language);
    g_assert_cmpstr(hit.referrer_host, ==, sample.referrer_host);
    g_assert_cmpmem(hit.network, hit.network_bytes, sample.network, 3);
}

static void
what_is_not_there_is_empty(void)
{
    static guint8 record[MRG_HIT_BYTES_MAX];
    const MrgHit bare = {.kind = MRG_HIT_PAGE, .agent = ""};
    MrgHit hit;
    gsize length = mrg_hit_encode(&bare, record);
    g_assert_cmpuint(length, ==, 12);
    g_assert_true(mrg_hit_decode(&hit, record, length));
    g_assert_false(hit.has_token);
    g_assert_cmpstr(hit.agent, ==, "");
    g_assert_cmpstr(hit.data, ==, "");
    g_assert_cmpuint(hit.network_bytes, ==, 0);
}

static void
texts_from_outside_are_cut_and_cleaned(void)
{
    static guint8 record[MRG_HIT_BYTES_MAX];
    g_autofree char *longest = g_strnfill(MRG_HIT_AGENT_MAX - 1, 'a');
    g_autofree char *agent = g_strconcat(longest, "\xc3\xab", NULL);
    MrgHit hit = {.kind = MRG_HIT_OPEN,
                  .agent = agent,
                  .language = "de\r\n\x7f\tX",
                  .referrer_host = "caf\xe9.example"};
    g_assert_true(mrg_hit_decode(&hit, record, mrg_hit_encode(&hit, record)));
    g_assert_cmpstr(hit.agent, ==, longest);
    g_assert_cmpstr(hit.language, ==, "de????X");
    g_assert_cmpstr(hit.referrer_host, ==, "caf?.example");
}

static void
data_is_whole_or_refused(void)
{
    static guint8 record[MRG_HIT_BYTES_MAX];
    g_autofree char *most = g_strnfill(MRG_HIT_DATA_MAX, '1');
    g_autofree char *over = g_strnfill(MRG_HIT_DATA_MAX + 1, '1');
    MrgHit hit = sample;
    hit.data = over;
    g_assert_cmpuint(mrg_hit_encode(&hit, record), ==, 0);
    hit.data = most;
    gsize length = mrg_hit_encode(&hit, record);
    g_assert_true(mrg_hit_decode(&hit, record, length));
    g_assert_cmpstr(hit.data, ==, most);
}

static void
every_shorter_and_every_changed_record_is_handled(void)
{
    static guint8 record[MRG_HIT_BYTES_MAX];
    MrgHit hit;
    gsize length = mrg_hit_encode(&sample, record);
    for (gsize i = 0; i < length; i++) {
        g_autofree guint8 *cut = g_memdup2(record, i);
        if (mrg_hit_decode(&hit, cut, i))
            g_assert_cmpstr(hit.referrer_host, ==, ""); /* the last field is gone */
        g_autofree guint8 *changed = g_memdup2(record, length);
        changed[i] ^= 0x80;
        if (mrg_hit_decode(&hit, changed, length))
            g_assert_true(g_utf8_validate(hit.data, -1, NULL));
    }
    record[0] = 2;
    g_assert_false(mrg_hit_decode(&hit, record, length));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hit/round", a_hit_comes_back_as_it_was);
    g_test_add_func("/hit/empty", what_is_not_there_is_empty);
    g_test_add_func("/hit/clean", texts_from_outside_are_cut_and_cleaned);
    g_test_add_func("/hit/data", data_is_whole_or_refused);
    g_test_add_func("/hit/broken", every_shorter_and_every_changed_record_is_handled);
    return g_test_run();
}
