/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/message/campaign.h"
#include "tests/unit/mail.h"

static void
all_control_headers_are_read(void)
{
    g_autoptr(MrgEnvelope) envelope =
        mail_read("x-campaign:  spring-2026 \n"
                  "X-Campaign-Class: promo\n"
                  "X-Campaign-Syntax: tokens\n"
                  "X-Campaign-Data: {\"shop\": \"North\n"
                  "\tSide\",\n \"n\": 9007199254740993}\n"
                  "X-Campaign-Track: Opens\n"
                  "X-Campaign-Tags: sale , new\n"
                  "X-Campaign-List: weekly\n"
                  "X-Campaign-Send-At: 2026-11-24T09:00:00+01:00\n"
                  "From: News <n@A.Shop.Example>\n\n");
    MrgCampaign campaign;
    GError *error = NULL;
    mrg_campaign_read(&campaign, envelope, "default", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(campaign.id, ==, "spring-2026");
    g_assert_cmpstr(campaign.class_name, ==, "promo");
    g_assert_cmpstr(campaign.dialect, ==, "tokens");
    g_assert_cmpuint(campaign.track, ==, MRG_TRACK_OPENS);
    g_assert_cmpstr(campaign.tags, ==, "sale,new");
    g_assert_cmpstr(campaign.list, ==, "weekly");
    g_assert_cmpint(campaign.send_at_us, ==, G_GINT64_CONSTANT(1795507200) * 1000000);
    g_assert_cmpstr(campaign.sender, ==, "a.shop.example");
    const MrgValue *shop = mrg_value_member(campaign.data, "shop", 4);
    g_assert_cmpmem(shop->text, shop->length, "North Side", 10);
}

static void
defaults_stand_in(void)
{
    g_autoptr(MrgEnvelope) envelope = mail_read("X-Campaign: a\n\n");
    MrgCampaign campaign;
    g_assert_true(mrg_campaign_read(&campaign, envelope, "news", NULL));
    g_assert_cmpstr(campaign.class_name, ==, "news");
    g_assert_cmpstr(campaign.dialect, ==, "handlebars");
    g_assert_null(campaign.data);
    g_assert_cmpuint(campaign.track, ==, MRG_TRACK_OPENS | MRG_TRACK_CLICKS);
}

static void
times_are_instants_or_on_the_wall(void)
{
    static const struct {
        const char *header;
        gint64 at_s; /* 0: refused */
    } cases[] = {
        {"Send-At: 2026-11-24T09:00:00Z", 1795510800},
        {"Send-At: Tue, 24 Nov 2026 09:00:00 +0000", 1795510800},
        {"Send-At: 2026-11-24T09:00:00", 0},
        {"Send-At: tomorrow", 0},
        {"Send-At: 0001-01-01T00:00:00Z", 0},
        {"Send-Local: 2026-11-24T09:00", 1795510800},
        {"Send-Local: 2026-11-24 09:00:30", 1795510830},
        {"Send-Local: 2026-11-24T09:00Z", 0},
        {"Send-Local: 2026-11-24T09:00+01:00", 0},
        {"Send-Local: 2026-02-30T09:00", 0},
        {"Send-Local: 09:00", 0},
        {"Send-Local: 2026-11-24T09:00\nX-Campaign-Send-At: 2026-11-24T09:00:00Z", 0},
        {"Tags: a b", 0},
        {"Tags: -", 0},
        {"Tags: a,,b", 0},
        {"List: a b", 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text =
            g_strdup_printf("X-Campaign: a\nX-Campaign-%s\n\n", cases[i].header);
        g_autoptr(MrgEnvelope) envelope = mail_read(text);
        MrgCampaign campaign;
        g_test_message("%s", cases[i].header);
        gboolean is_read = mrg_campaign_read(&campaign, envelope, "promo", &error);
        g_assert_cmpint(is_read, ==, cases[i].at_s != 0);
        if (is_read)
            g_assert_cmpint(campaign.send_at_us / G_USEC_PER_SEC + campaign.send_local_s,
                            ==, cases[i].at_s);
        else
            g_assert_error(error, MRG_ERROR, MRG_ERROR_CONTROL);
    }
}

static void
tracking_is_a_list_or_none(void)
{
    static const struct {
        const char *value;
        int track; /* -1: refused */
    } cases[] = {
        {"none", 0},
        {"opens", MRG_TRACK_OPENS},
        {"clicks,opens", MRG_TRACK_OPENS | MRG_TRACK_CLICKS},
        {"", -1},
        {"none, opens", -1},
        {"everything", -1},
        {"opens,", -1},
        {"opens clicks", -1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("X-Campaign: a\nX-Campaign-Track: %s\n\n", cases[i].value);
        g_autoptr(MrgEnvelope) envelope = mail_read(text);
        MrgCampaign campaign;
        gboolean is_read = mrg_campaign_read(&campaign, envelope, "news", NULL);
        g_assert_cmpint(is_read ? (int) campaign.track : -1, ==, cases[i].track);
    }
}

static void
mistakes_are_named(void)
{
    static const struct {
        const char *headers, *message;
    } cases[] = {
        {"Subject: x\n", "there is no X-Campaign header"},
        {"X-Campaign: a b\n",
         "X-Campaign: not a name of 1 to 64 letters, digits, '.', '_', '-'"},
        {"X-Campaign: a\nX-Campaign: a\n", "X-Campaign: stands there twice"},
        {"X-Campaign: a\nX-Campaign-Cloth: b\n",
         "unknown control header 'X-Campaign-Cloth'"},
        {"X-Campaign: a\nX-Campaign-'%n: b\n", "unknown control header 'X-Campaign-??n'"},
        {"X-Campaign: a\nX-Campaign-Data: [1]\n", "X-Campaign-Data:1:1: not a JSON object"},
        {"X-Campaign: a\nX-Campaign-Data: {secret\n",
         "X-Campaign-Data:1:7: not valid JSON"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat(cases[i].headers, "\n", NULL);
        g_autoptr(MrgEnvelope) envelope = mail_read(text);
        g_autoptr(GError) error = NULL;
        MrgCampaign campaign = {.id = "untouched"};
        g_assert_false(mrg_campaign_read(&campaign, envelope, "news", &error));
        g_assert_error(error, MRG_ERROR, MRG_ERROR_CONTROL);
        g_assert_cmpstr(error->message, ==, cases[i].message);
        g_assert_cmpstr(campaign.id, ==, "untouched");
    }
}

static void
data_is_bounded(void)
{
    g_autofree char *filler = g_strnfill(65536, 'x');
    g_autofree char *text =
        g_strdup_printf("X-Campaign: a\nX-Campaign-Data: {\"a\":\"%s\"}\n\n", filler);
    g_autoptr(MrgEnvelope) envelope = mail_read(text);
    g_autoptr(GError) error = NULL;
    MrgCampaign campaign;
    g_assert_false(mrg_campaign_read(&campaign, envelope, "news", &error));
    g_assert_cmpstr(error->message, ==, "X-Campaign-Data: over 65536 bytes");
}

static void
names_have_an_alphabet_and_a_length(void)
{
    g_autofree char *longest = g_strnfill(64, 'a');
    g_autofree char *too_long = g_strnfill(65, 'a');
    g_assert_true(mrg_campaign_is_name(longest));
    g_assert_true(mrg_campaign_is_name("A.z_0-9"));
    g_assert_false(mrg_campaign_is_name(too_long));
    g_assert_false(mrg_campaign_is_name(""));
    g_assert_false(mrg_campaign_is_name("a/b"));
    g_assert_false(mrg_campaign_is_name("a\n"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/campaign/all", all_control_headers_are_read);
    g_test_add_func("/campaign/times", times_are_instants_or_on_the_wall);
    g_test_add_func("/campaign/defaults", defaults_stand_in);
    g_test_add_func("/campaign/track", tracking_is_a_list_or_none);
    g_test_add_func("/campaign/mistakes", mistakes_are_named);
    g_test_add_func("/campaign/data-bounded", data_is_bounded);
    g_test_add_func("/campaign/name", names_have_an_alphabet_and_a_length);
    return g_test_run();
}
