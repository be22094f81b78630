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
}

static void
check_append(const MrgStateView *view, MrgArena *arena)
{
    MrgState state = {0};
    MrgStateView again;
    MrgSend send = {NOW, "promo", "spring"};
    state.own.history =
        mrg_history_append(view, &send, FOREVER, arena, &state.own.history_length);
    g_assert_true(mrg_state_read(&again, &state, arena, NULL));
    g_assert_cmpuint(again.n_sends, ==, MIN(view->n_sends + 1, MRG_HISTORY_MAX));
    gsize forgotten = view->n_sends + 1 - again.n_sends;
    for (gsize i = 0; i + 1 < again.n_sends; i++)
        check_same(&again.sends[i], &view->sends[i + forgotten]);
    g_assert_cmpint(again.sends[again.n_sends - 1].at_us, >=, NOW);
}

static void
check_decision(const MrgStateView *view, MrgArena *arena)
{
    static const MrgCap caps[] = {
        {"daily", 1, 24 * HOUR, 0, "promo", MRG_VERDICT_DEFER},
        {"all", 3, 168 * HOUR, HOUR, NULL, MRG_VERDICT_HOLD},
    };
    MrgPolicy policy = {caps, G_N_ELEMENTS(caps), MRG_CONSENT_GRANTED};
    MrgDecision decision;
    mrg_decide(&policy, view, "spring", "promo", NOW, arena, &decision);
    g_assert_nonnull(decision.reason);
    if (decision.verdict != MRG_VERDICT_DELIVER)
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
    if (mrg_state_read(&view, &state, arena, NULL)) {
        check_append(&view, arena);
        check_decision(&view, arena);
    }
    return 0;
}
