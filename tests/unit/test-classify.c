/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/classify.h"
#include "collect/hit.h"
#include "milter/error.h"

#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"
#define IPHONE                                                                  \
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1 " \
    "(KHTML, like Gecko) Mobile/15E148"
#define GMAIL                                                                  \
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com " \
    "GoogleImageProxy)"

typedef struct Case {
    MrgHitKind kind;
    const char *agent;
    guint flags, since_s, n_links;
    const char *network; /* "1.2.3", as three numbers; NULL for none */
    gboolean is_trapped;
    const char *expected; /* "CLASS REASON" */
} Case;

static const Case cases[] = {
    {MRG_HIT_OPEN, FIREFOX, 0, 60, 0, NULL, FALSE, "human agent: Mozilla/5.0 ("},
    {MRG_HIT_CLICK, FIREFOX, 0, 60, 2, NULL, FALSE, "human agent: Mozilla/5.0 ("},
    {MRG_HIT_OPEN, "Mozilla/5.0", 0, 60, 0, NULL, FALSE, "prefetch agent: Mozilla/5.0"},
    {MRG_HIT_OPEN, GMAIL, 0, 60, 0, NULL, FALSE, "proxy agent: GoogleImageProxy"},
    {MRG_HIT_OPEN, GMAIL, 0, 0, 0, NULL, FALSE, "proxy agent: GoogleImageProxy"},
    {MRG_HIT_OPEN, "YahooMailProxy; https://help.yahoo.com", 0, 60, 0, NULL, FALSE,
     "proxy agent: YahooMailProxy"},
    {MRG_HIT_CLICK, "BarracudaCentral", 0, 600, 1, NULL, FALSE, "scanner agent: Barracuda"},
    {MRG_HIT_CLICK, "BARRACUDA Sentinel (EE)", 0, 600, 1, NULL, FALSE,
     "scanner agent: Barracuda"},
    {MRG_HIT_CLICK, "curl/7.88.1", 0, 600, 1, NULL, FALSE, "scanner agent: curl/"},
    {MRG_HIT_CLICK, "my curl/7", 0, 600, 1, NULL, FALSE, "unknown agent: in no list"},
    {MRG_HIT_CLICK, "", 0, 600, 1, NULL, FALSE, "unknown agent: none"},
    {MRG_HIT_CLICK, FIREFOX, MRG_HIT_HEAD, 600, 1, NULL, FALSE, "scanner method: HEAD"},
    {MRG_HIT_OPEN, GMAIL, MRG_HIT_PREFETCH, 600, 0, NULL, FALSE,
     "prefetch header: fetched ahead"},
    {MRG_HIT_CLICK, FIREFOX, 0, 600, 1, "40.93.7", FALSE,
     "scanner network: Exchange Online"},
    {MRG_HIT_CLICK, FIREFOX, 0, 600, 1, "40.94.7", FALSE, "human agent: Mozilla/5.0 ("},
    {MRG_HIT_CLICK, FIREFOX, 0, 600, 1, "209.222.87", FALSE, "scanner network: Barracuda"},
    {MRG_HIT_CLICK, FIREFOX, 0, 600, 1, "209.222.88", FALSE, "human agent: Mozilla/5.0 ("},
    {MRG_HIT_CLICK, FIREFOX, 0, 600, 3, NULL, FALSE,
     "scanner burst: several links within a second"},
    {MRG_HIT_OPEN, FIREFOX, 0, 600, 3, NULL, FALSE, "human agent: Mozilla/5.0 ("},
    {MRG_HIT_CLICK, FIREFOX, 0, 2, 1, NULL, FALSE,
     "scanner time: sooner than anybody reads"},
    {MRG_HIT_OPEN, FIREFOX, 0, 2, 0, NULL, FALSE,
     "prefetch time: sooner than anybody reads"},
    {MRG_HIT_OPEN, FIREFOX, 0, 3, 0, NULL, FALSE, "human agent: Mozilla/5.0 ("},
    {MRG_HIT_CLICK, FIREFOX, 0, 600, 1, NULL, TRUE,
     "scanner trap: a link that nobody sees"},
    {MRG_HIT_OPEN, "Mozilla/5.0 (Windows NT 10.0) Thunderbird/115", 0, 60, 0, NULL, FALSE,
     "human agent: Thunderbird"},
};

static MrgSigns *
builtin(void)
{
    g_autoptr(GError) error = NULL;
    MrgSigns *signs = mrg_signs_load("", "", &error);
    g_assert_no_error(error);
    return signs;
}

static void
set_network(MrgHitRow *hit, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ".", 3);
    for (gsize i = 0; i < 3; i++)
        hit->network[i] = (guint8) g_ascii_strtoull(parts[i], NULL, 10);
    hit->network_bytes = 3;
}

static void
every_case_has_its_class_and_reason(void)
{
    g_autoptr(MrgSigns) signs = builtin();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        MrgHitRow hit = {
            .kind = c->kind, .flags = c->flags, .since_s = c->since_s, .agent = c->agent};
        MrgSurroundings around = {c->n_links, c->is_trapped};
        if (c->network)
            set_network(&hit, c->network);
        MrgSign sign = mrg_classify(signs, &hit, &around);
        g_autofree char *is =
            g_strdup_printf("%s %s", mrg_class_name(sign.hit_class), sign.reason);
        g_assert_cmpstr(is, ==, c->expected);
    }
}

static void
devices_are_told_by_the_agent(void)
{
    g_autoptr(MrgSigns) signs = builtin();
    g_assert_cmpstr(mrg_device_of(signs, IPHONE), ==, "phone");
    g_assert_cmpstr(mrg_device_of(signs, FIREFOX), ==, "desktop");
    g_assert_cmpstr(mrg_device_of(signs, "Mozilla/5.0 (iPad; CPU OS 16)"), ==, "tablet");
    g_assert_cmpstr(mrg_device_of(signs, "curl/7"), ==, "");
    g_assert_cmpstr(mrg_device_of(signs, ""), ==, "");
}

/* Of networks that contain each other the narrowest, in both families. */
static void
the_narrowest_network_counts(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgSigns) signs =
        mrg_signs_parse("a", "", "n",
                        "scanner 10.0.0.0/8 wide\nproxy 10.1.0.0/16 inner\n"
                        "prefetch 10.1.2.0/24 own\nhuman 2001:db8::/32 six\nscanner "
                        "2001:db8:ff::/48 narrow",
                        &error);
    g_assert_no_error(error);
    const struct {
        const char *network, *reason;
    } four[] = {{"10.2.3", "network: wide"},
                {"10.1.3", "network: inner"},
                {"10.1.2", "network: own"},
                {"11.1.2", "agent: none"}};
    MrgSurroundings around = {0};
    for (gsize i = 0; i < G_N_ELEMENTS(four); i++) {
        MrgHitRow hit = {.since_s = 60, .agent = ""};
        set_network(&hit, four[i].network);
        g_assert_cmpstr(mrg_classify(signs, &hit, &around).reason, ==, four[i].reason);
    }
    MrgHitRow hit = {.since_s = 60, .agent = "", .network_bytes = 6};
    memcpy(hit.network, "\x20\x01\x0d\xb8\x00\xff", 6);
    g_assert_cmpstr(mrg_classify(signs, &hit, &around).reason, ==, "network: narrow");
    hit.network[5] = 1;
    g_assert_cmpstr(mrg_classify(signs, &hit, &around).reason, ==, "network: six");
}

static void
faults_of_lists_are_told_with_their_line(void)
{
    static const struct {
        const char *agents, *networks, *expected;
    } faults[] = {
        {"# fine\n\nrobot has x", "", "a:3:1: neither a class nor a device"},
        {"human like x", "", "a:1:1: must read CLASS is|begins|has TEXT"},
        {"human has", "", "a:1:1: must read CLASS is|begins|has TEXT"},
        {"human has \xff", "", "a:1:1: is not UTF-8"},
        {"", "scanner 10.0.0.0 x", "n:1:1: must read CLASS NETWORK/BITS NAME"},
        {"", "scanner 10.0.0.0/8", "n:1:1: must read CLASS NETWORK/BITS NAME"},
        {"", "scanner 10.0.0/8 x", "n:1:1: must read CLASS NETWORK/BITS NAME"},
        {"", "scanner 10.0.0.0/0 x", "n:1:1: must read CLASS NETWORK/BITS NAME"},
        {"", "\nscanner 10.0.0.0/25 x",
         "n:2:1: is narrower than what is recorded of addresses (/24, /48)"},
        {"", "scanner 2001:db8::/64 x",
         "n:1:1: is narrower than what is recorded of addresses (/24, /48)"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(
            mrg_signs_parse("a", faults[i].agents, "n", faults[i].networks, &error));
        g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
        g_assert_cmpstr(error->message, ==, faults[i].expected);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/classify/cases", every_case_has_its_class_and_reason);
    g_test_add_func("/classify/devices", devices_are_told_by_the_agent);
    g_test_add_func("/classify/networks", the_narrowest_network_counts);
    g_test_add_func("/classify/faults", faults_of_lists_are_told_with_their_line);
    return g_test_run();
}
