/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/hit.h"
#include "ctl/stats.h"

#define SECOND G_GINT64_CONSTANT(1000000)
#define NOW (1764201600 * SECOND)
#define HOUR (3600 * SECOND)
#define PHONE "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5) Mobile"

static MrgMessageKey
message(guint n)
{
    MrgMessageKey key = {{0}};
    key.bytes[0] = 1;
    key.bytes[7] = (guint8) n;
    return key;
}

static guint64
number(guint n)
{
    MrgMessageKey key = message(n);
    return mrg_message_number(&key);
}

static MrgStore *
open_store(void)
{
    g_autoptr(GError) error = NULL;
    MrgStore *store = mrg_store_open(g_getenv("MRG_PLUGIN_DIR"), "memory", NULL, 0, &error);
    g_assert_no_error(error);
    return store;
}

static void
commit(const MrgStore *store, guint n, MrgVerdict verdict, guint tracked,
       const char *reason)
{
    g_autoptr(GError) error = NULL;
    MrgOutcome made = {.person.bytes = {(guint8) n, 9},
                       .message = message(n),
                       .event = {.at_us = NOW + n,
                                 .campaign = "spring",
                                 .class_name = "promo",
                                 .sender = "",
                                 .tags = "",
                                 .verdict = verdict,
                                 .tracked = tracked,
                                 .reason = reason},
                       .is_final = verdict != MRG_VERDICT_REJECT};
    g_assert_cmpint(mrg_store_commit(store, &made, G_MAXINT64, &error), ==,
                    MRG_COMMIT_DONE);
    g_assert_no_error(error);
}

static MrgHitRow
hit(MrgHitKind kind, guint n, gint64 at_us, MrgHitClass hit_class)
{
    return (MrgHitRow){.kind = kind,
                       .at_us = at_us,
                       .campaign = 1,
                       .message = n ? number(n) : 0,
                       .agent = n ? PHONE : "",
                       .reason = "test",
                       .link = kind == MRG_HIT_CLICK ? 1 : 0,
                       .hit_class = hit_class};
}

/* Six copies: four sent, of which three carry a pixel and two links of ours; one is
 * withheld and one refused. */
static void
fill(const MrgStore *store)
{
    g_autoptr(GError) error = NULL;
    const char *target = "https://shop.example/?a=1&b=<x>";
    guint32 campaign, link;
    commit(store, 1, MRG_VERDICT_DELIVER, 3, "ok: test");
    commit(store, 2, MRG_VERDICT_DELIVER, 3, "ok: test");
    commit(store, 3, MRG_VERDICT_DELIVER, 1, "ok: test");
    commit(store, 4, MRG_VERDICT_DELIVER, 0, "ok: test");
    commit(store, 5, MRG_VERDICT_DROP, 0, "cap: weekly");
    commit(store, 6, MRG_VERDICT_REJECT, 0, "template: <b>");
    MrgHitRow hits[] = {hit(MRG_HIT_OPEN, 1, NOW + HOUR / 2, MRG_CLASS_HUMAN),
                        hit(MRG_HIT_OPEN, 1, NOW + 2 * HOUR, MRG_CLASS_HUMAN),
                        hit(MRG_HIT_OPEN, 2, NOW + HOUR, MRG_CLASS_PROXY),
                        hit(MRG_HIT_OPEN, 3, NOW, MRG_CLASS_PREFETCH),
                        hit(MRG_HIT_OPEN, 0, NOW, MRG_CLASS_HUMAN),
                        hit(MRG_HIT_CLICK, 1, NOW + 2 * HOUR + 9, MRG_CLASS_HUMAN),
                        hit(MRG_HIT_CLICK, 2, NOW + 5, MRG_CLASS_SCANNER),
                        hit(MRG_HIT_UNSUBSCRIBE, 1, NOW + 3 * HOUR, MRG_CLASS_HUMAN),
                        hit(MRG_HIT_ONE_CLICK, 1, NOW + 3 * HOUR, MRG_CLASS_HUMAN)};
    MrgDelivery deliveries[] = {
        {.campaign = 1, .message = number(1), .at_us = 5, .code = ""},
        {.campaign = 1,
         .message = number(2),
         .state = MRG_DELIVERY_HARD_BOUNCE,
         .at_us = 5,
         .code = "5.1.1"}};
    MrgHitBatch batch = {.hits = hits,
                         .n_hits = G_N_ELEMENTS(hits),
                         .deliveries = deliveries,
                         .n_deliveries = G_N_ELEMENTS(deliveries)};
    g_assert_true(
        mrg_store_campaign_number(store, "spring", &campaign, G_MAXINT64, &error));
    g_assert_true(
        mrg_store_link_numbers(store, campaign, &target, 1, &link, G_MAXINT64, &error));
    g_assert_cmpint(mrg_store_record_hits(store, &batch, &error), ==, MRG_COMMIT_DONE);
    g_assert_no_error(error);
}

static MrgStats *
gather(const MrgStore *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgSigns) signs = mrg_signs_load("", "", &error);
    MrgStats *stats = mrg_stats_gather(store, signs, "spring", G_MAXINT64, &error);
    g_assert_no_error(error);
    return stats;
}

static void
people_are_counted_apart_from_machines(void)
{
    g_autoptr(MrgStore) store = open_store();
    fill(store);
    g_autoptr(MrgStats) stats = gather(store);
    const MrgActs *opens = &stats->acts[MRG_ACT_OPEN],
                  *clicks = &stats->acts[MRG_ACT_CLICK];
    g_assert_cmpuint(stats->n_sent, ==, 4);
    g_assert_cmpuint(stats->n_withheld, ==, 1);
    g_assert_cmpuint(stats->n_refused, ==, 1);
    g_assert_cmpuint(opens->n_carriers, ==, 3);
    g_assert_cmpuint(opens->n_human, ==, 4);  /* nobody's among them, */
    g_assert_cmpuint(opens->n_copies, ==, 2); /* which is of no copy */
    g_assert_cmpuint(opens->n_of[MRG_CLASS_PREFETCH], ==, 1);
    g_assert_cmpuint(clicks->n_carriers, ==, 2);
    g_assert_cmpuint(clicks->n_copies, ==, 1);
    g_assert_cmpuint(clicks->n_of[MRG_CLASS_SCANNER], ==, 1);
    g_assert_cmpuint(stats->n_unsubscribed, ==, 1);
    g_assert_cmpuint(stats->n_deliveries[MRG_DELIVERY_SENT], ==, 1);
    g_assert_cmpuint(stats->n_deliveries[MRG_DELIVERY_HARD_BOUNCE], ==, 1);
}

static void
acts_are_ordered_by_time_link_and_device(void)
{
    g_autoptr(MrgStore) store = open_store();
    fill(store);
    g_autoptr(MrgStats) stats = gather(store);
    const MrgStatsSpan *spans = (const MrgStatsSpan *) (gpointer) stats->spans->data;
    g_assert_cmpint(stats->span_us, ==, HOUR);
    g_assert_cmpuint(stats->spans->len, ==, 3);
    g_assert_cmpuint(spans[0].n[MRG_ACT_OPEN], ==, 3);
    g_assert_cmpuint(spans[1].n[MRG_ACT_OPEN], ==, 1);
    g_assert_cmpuint(spans[2].n[MRG_ACT_CLICK], ==, 1);
    g_assert_cmpuint(stats->links->len, ==, 1);
    const MrgLinkStats *link = g_ptr_array_index(stats->links, 0);
    g_assert_cmpstr(link->target, ==, "https://shop.example/?a=1&b=<x>");
    g_assert_cmpuint(link->n_clicks, ==, 1);
    g_assert_cmpuint(link->n_machines, ==, 1);
    const MrgTally *device = g_ptr_array_index(stats->devices, 0);
    g_assert_cmpstr(device->name, ==, "phone");
    g_assert_cmpuint(device->n[MRG_ACT_OPEN], ==, 2);
}

/* A copy that was held and went out is one that was sent, and carries what it did then. */
static void
a_released_copy_counts_once(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgStore) store = open_store();
    MrgOutcome made = {.person.bytes = {1},
                       .message = message(1),
                       .event = {.at_us = NOW,
                                 .campaign = "spring",
                                 .class_name = "promo",
                                 .sender = "",
                                 .tags = "",
                                 .verdict = MRG_VERDICT_HOLD,
                                 .tracked = MRG_TRACKED_OPENS,
                                 .reason = "quiet: night"},
                       .is_final = TRUE,
                       .host = "mx",
                       .queue_id = "4A",
                       .until_us = NOW + HOUR};
    g_assert_cmpint(mrg_store_commit(store, &made, G_MAXINT64, &error), ==,
                    MRG_COMMIT_DONE);
    made.version = 1;
    made.event.verdict = MRG_VERDICT_DELIVER;
    made.event.tracked = 0;
    made.event.at_us = NOW + HOUR;
    g_assert_cmpint(mrg_store_settle_hold(store, &made, &error), ==, MRG_COMMIT_DONE);
    g_autoptr(MrgStats) stats = gather(store);
    g_assert_cmpuint(stats->n_sent, ==, 1);
    g_assert_cmpuint(stats->n_held, ==, 0);
    g_assert_cmpuint(stats->acts[MRG_ACT_OPEN].n_carriers, ==, 1);
    g_assert_cmpint(stats->first_us, ==, NOW + HOUR);
}

static void
a_campaign_that_is_none_gets_no_number(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgStore) store = open_store();
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(MrgStats) stats = gather(store);
    const char *name;
    g_assert_cmpuint(stats->n_sent, ==, 0);
    g_assert_cmpint(mrg_store_campaign_name(store, 1, &name, arena, G_MAXINT64, &error), ==,
                    MRG_FETCH_MISS);
    g_autofree char *page = mrg_stats_page(stats, NOW);
    g_assert_nonnull(strstr(page, "</html>"));
}

/* Against values of Newcombe (1998), Statistics in Medicine 17:857, table I, method 3. */
static void
intervals_are_those_of_the_paper(void)
{
    static const struct {
        guint64 n, all;
        double low, high;
    } known[] = {{81, 263, 0.2553, 0.3662},
                 {15, 148, 0.0624, 0.1605},
                 {0, 20, 0, 0.1611},
                 {1, 29, 0.0061, 0.1718}};
    double low, high;
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        mrg_wilson(known[i].n, known[i].all, &low, &high);
        g_assert_cmpfloat_with_epsilon(low, known[i].low, 0.00006);
        g_assert_cmpfloat_with_epsilon(high, known[i].high, 0.00006);
    }
    mrg_wilson(0, 0, &low, &high);
    g_assert_cmpfloat(low, ==, 0);
    g_assert_cmpfloat(high, ==, 1);
}

static void
what_stands_in_the_page_is_escaped(void)
{
    g_autoptr(MrgStore) store = open_store();
    fill(store);
    g_autoptr(MrgStats) stats = gather(store);
    g_autofree char *page = mrg_stats_page(stats, NOW);
    g_assert_nonnull(strstr(page, "b=&lt;x&gt;"));
    g_assert_nonnull(strstr(page, "template: &lt;b&gt;"));
    g_assert_null(strstr(page, "<x>"));
    g_assert_null(strstr(page, "<script"));
    g_assert_null(strstr(page, "src="));
    g_assert_nonnull(strstr(page, "66.7&thinsp;%"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stats/people", people_are_counted_apart_from_machines);
    g_test_add_func("/stats/order", acts_are_ordered_by_time_link_and_device);
    g_test_add_func("/stats/released", a_released_copy_counts_once);
    g_test_add_func("/stats/none", a_campaign_that_is_none_gets_no_number);
    g_test_add_func("/stats/wilson", intervals_are_those_of_the_paper);
    g_test_add_func("/stats/escaped", what_stands_in_the_page_is_escaped);
    return g_test_run();
}
