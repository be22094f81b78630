/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-history: what is stored as a person's history; whatever can be read can be appended
 * to and read again with the same sends, and decided on.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "milter/policy/history.h"

#define HOUR G_GINT64_CONSTANT(3600000000)
#define NOW G_GINT64_CONSTANT(1700000000000000)
#define FOREVER G_GINT64_CONSTANT(2000000000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gboolean
is_same(const MrgSend *a, const MrgSend *b)
{
    return a->at_us == b->at_us && a->kind == b->kind &&
           g_str_equal(a->campaign, b->campaign) &&
           g_str_equal(a->class_name, b->class_name) && g_str_equal(a->sender, b->sender) &&
           g_str_equal(a->tags, b->tags);
}

/* The same sends in their order, the new one among them, without those that were forgotten
 * for want of room. */
static void
check_append(const MrgStateView *view, MrgArena *arena)
{
    static const MrgCap cap = {.limit = 3, .per_us = FOREVER};
    static const MrgPolicy policy = {.caps = &cap, .n_caps = 1};
    MrgState state = {0};
    MrgStateView again;
    const MrgSend send = {.at_us = NOW, .class_name = "promo", .campaign = "spring"};
    state.own.history = mrg_history_append(&view->own, &send, &policy, NOW, arena, NULL);
    if (!state.own.history) {
        g_assert_cmpuint(view->own.n, ==, MRG_HISTORY_MAX);
        return;
    }
    state.own.history_length = strlen(state.own.history);
    g_assert_true(mrg_state_read(&again, &state, NULL, arena, NULL));
    g_assert_cmpuint(again.own.n, ==, MIN(view->own.n + 1, MRG_HISTORY_MAX));
    gsize n_old = 0, n_other = 0;
    for (gsize i = 0; i < again.own.n; i++) {
        gsize at = n_old;
        while (at < view->own.n && !is_same(&again.own.list[i], &view->own.list[at]))
            at++;
        n_other += at == view->own.n;
        n_old = at < view->own.n ? at + 1 : n_old;
    }
    g_assert_cmpuint(n_other, <=, 1);
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
