/* SPDX-License-Identifier: Apache-2.0 */
/* How long a plan is used, and what is known of it when the blocks are others. */
#include "config.h"

#include "milter/plan.h"
#include "tests/unit/mail.h"

#define LONG_US (G_GINT64_CONSTANT(3600) * G_USEC_PER_SEC)

typedef struct Fixture {
    MrgConf *conf;
    MrgBlocks *blocks, *others;
    MrgEnvelope *envelope;
    MrgCampaign campaign;
} Fixture;

static const MrgMessageKey content = {{1}};

static void
set_up(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    fixture->conf = mrg_conf_parse("t.conf", "[schema]\nfile =\n", &error);
    g_assert_no_error(error);
    fixture->blocks = mrg_blocks_read("", "", &error);
    fixture->others = mrg_blocks_read("", "", &error);
    fixture->envelope = mail_read("X-Campaign: a\n\nHi {{name}}\n");
    mrg_campaign_read(&fixture->campaign, fixture->envelope, "promo", &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    mrg_envelope_free(fixture->envelope);
    mrg_blocks_unref(fixture->blocks);
    mrg_blocks_unref(fixture->others);
    mrg_conf_unref(fixture->conf);
}

static MrgPlan *
get(const Fixture *fixture, MrgPlanCache *cache, MrgBlocks *blocks)
{
    g_autoptr(GError) error = NULL;
    const MrgPlanRules rules = mrg_plan_rules(fixture->conf, blocks);
    MrgPlan *plan = mrg_plan_get(cache, &content, fixture->envelope, &fixture->campaign,
                                 &rules, &error);
    g_assert_no_error(error);
    return plan;
}

static void
a_plan_is_used_for_its_life(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    MrgPlanCache *cache = mrg_plan_cache_new(4, LONG_US);
    MrgPlan *first = get(fixture, cache, fixture->blocks);
    MrgPlan *second = get(fixture, cache, fixture->blocks);
    g_assert_true(first == second);
    mrg_plan_unref(first);
    mrg_plan_unref(second);
    mrg_plan_cache_free(cache);
}

/* So that no number of a database that is gone is kept. */
static void
a_plan_that_is_over_is_made_anew(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    MrgPlanCache *cache = mrg_plan_cache_new(4, 0);
    MrgPlan *first = get(fixture, cache, fixture->blocks);
    g_atomic_int_set(&first->campaign_number, 7);
    MrgPlan *second = get(fixture, cache, fixture->blocks);
    g_assert_true(first != second);
    g_assert_cmpint(g_atomic_int_get(&second->campaign_number), ==, 0);
    g_assert_true(mrg_plan_was_made(cache, &content));
    mrg_plan_unref(first);
    mrg_plan_unref(second);
    mrg_plan_cache_free(cache);
}

static void
other_blocks_make_other_plans(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    MrgPlanCache *cache = mrg_plan_cache_new(4, LONG_US);
    const MrgMessageKey unknown = {{2}};
    MrgPlan *first = get(fixture, cache, fixture->blocks);
    MrgPlan *second = get(fixture, cache, fixture->others);
    g_assert_true(first != second);
    g_assert_true(mrg_plan_was_made(cache, &content));
    g_assert_false(mrg_plan_was_made(cache, &unknown));
    mrg_plan_unref(first);
    mrg_plan_unref(second);
    mrg_plan_cache_free(cache);
}

int
main(int argc, char **argv)
{
    mrg_mime_init();
    g_test_init(&argc, &argv, NULL);
#define add(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)
    add("/plan/life", a_plan_is_used_for_its_life);
    add("/plan/over", a_plan_that_is_over_is_made_anew);
    add("/plan/blocks", other_blocks_make_other_plans);
    return g_test_run();
}
