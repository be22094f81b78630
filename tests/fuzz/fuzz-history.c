/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-history: what is stored as a person's history; whatever can be read can be appended
 * to and read again with the same sends, and decided on.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "milter/policy/decide.h"

#define HOUR G_GINT64_CONSTANT(3600000000)
#define NOW G_GINT64_CONSTANT(1700000000000000)
#define FOREVER G_GINT64_CONSTANT(2000000000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_same(const MrgSend *a, const MrgSend *b)
{
    g_assert_cmpint(a->at_us, ==, b->at_us);
    g_assert_cmpstr(a->class_name, ==, b->class_name);
    g_assert_cmpstr(a->campaign, ==, b->campaign);
    g_assert_cmpstr(a->sender, ==, b->sender);
    g_assert_cmpstr(a->tags, ==, b->tags);
    g_assert_cmpint(a->kind, ==, b->kind);
}

static gboolean
is_same(const MrgSend *a, const MrgSend *b)
{
    return a->at_us == b->at_us && a->kind == b->kind &&
           g_str_equal(a->campaign, b->campaign) &&
           g_str_equal(a->class_name, b->class_name) && g_str_equal(a->sender, b->sender) &&
           g_str_equal(a->tags, b->tags);
}

static void
check_append(const MrgStateView *view, MrgArena *arena)
{
    MrgState state = {0};
    MrgStateView again;
    MrgSend send = {.at_us = NOW, .class_name = "promo", .campaign = "spring"};
    state.own.history = mrg_history_append(&view->own, &send, NULL, NOW, FOREVER, arena,
                                           &state.own.history_length);
    g_assert_true(mrg_state_read(&again, &state, NULL, arena, NULL));
    g_assert_cmpuint(again.own.n, ==, MIN(view->own.n + 1, MRG_HISTORY_MAX));
    gsize forgotten = view->own.n + 1 - again.own.n;
    gsize behind = 0; /* copies that are held for later stay behind the new one */
    for (gsize i = 0; i + 1 < again.own.n; i++) {
        const MrgSend *old = &view->own.list[i + forgotten];
        behind += !behind && !is_same(&again.own.list[i], old);
        check_same(&again.own.list[i + behind], old);
    }
}

static void
check_decision(const MrgStateView *view, MrgArena *arena)
{
    static const char *const promo[] = {"pro*", NULL};
    static const MrgCap caps[] = {
        {.name = "daily",
         .limit = 1,
         .per_us = 24 * HOUR,
         .classes = promo,
         .tags = promo,
         .on_exceed = MRG_VERDICT_DEFER},
        {.name = "all",
         .limit = 3,
         .per_us = 168 * HOUR,
         .min_gap_us = HOUR,
         .counts_attempts = TRUE,
         .on_exceed = MRG_VERDICT_HOLD},
        {.name = "month",
         .limit = 1,
         .period = MRG_PERIOD_MONTH,
         .on_exceed = MRG_VERDICT_HOLD},
    };
    MrgPolicy policy = {
        .caps = caps, .n_caps = G_N_ELEMENTS(caps), .consent_default = MRG_CONSENT_GRANTED};
    MrgCandidate candidate = {.campaign = "spring", .class_name = "promo", .tags = "promo"};
    MrgDecision decision;
    mrg_decide(&policy, view, &candidate, NOW, arena, &decision);
    g_assert_nonnull(decision.reason);
    if (decision.verdict != MRG_VERDICT_DELIVER && decision.retry_at_us)
        g_assert_cmpint(decision.retry_at_us, >, NOW);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    /* Exactly as long as it says: a byte read behind it is seen. */
    g_autofree char *text = g_memdup2(data, size);
    MrgState state = {.own.history = text, .own.history_length = size};
    MrgStateView view;
    if (mrg_state_read(&view, &state, NULL, arena, NULL)) {
        check_append(&view, arena);
        check_decision(&view, arena);
    }
    return 0;
}
