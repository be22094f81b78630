/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide: what a decision costs, by the length of the history.
 *
 *   decide [ROUNDS]     nanoseconds, bytes of the arena and calls of malloc for each
 *
 * Three caps and quiet hours; the person agreed to a profile, did twenty things with mail,
 * and is just under every limit.  To count instructions:
 *
 *   valgrind --tool=callgrind --toggle-collect=mrg_decide decide 1
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "milter/policy/decide.h"

#define HOUR G_GINT64_CONSTANT(3600000000)
#define NOW (G_GINT64_CONSTANT(1790000000) * G_USEC_PER_SEC)
#define HISTORY_MAX 400

void *__libc_malloc(size_t size);
static gsize n_allocations;

void *
malloc(size_t size)
{
    n_allocations++;
    return __libc_malloc(size);
}

static const char *const promo[] = {"promo*", NULL};
static const MrgCap caps[] = {
    {.name = "daily", .limit = 2, .per_us = 24 * HOUR, .on_exceed = MRG_VERDICT_HOLD},
    {.name = "weekly",
     .limit = 300,
     .period = MRG_PERIOD_WEEK,
     .classes = promo,
     .min_gap_us = HOUR,
     .on_exceed = MRG_VERDICT_DROP},
    {.name = "monthly",
     .limit = 401,
     .limit_min = 401,
     .limit_max = 500,
     .is_adaptive = TRUE,
     .adaptive_window_us = 720 * HOUR,
     .per_us = 720 * HOUR,
     .on_exceed = MRG_VERDICT_DROP},
};
static const MrgQuiet night = {
    .name = "night", .from_s = 21 * 3600, .to_s = 8 * 3600, .days = 0x7f};
static const MrgPolicy policy = {.caps = caps,
                                 .n_caps = G_N_ELEMENTS(caps),
                                 .quiets = &night,
                                 .n_quiets = 1,
                                 .consent_default = MRG_CONSENT_GRANTED};

static void
measure(gsize n, guint rounds, const MrgState *state)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgSend sends[HISTORY_MAX] = {{0}};
    for (gsize i = 0; i < n; i++)
        sends[i] = (MrgSend){.at_us = NOW - (gint64) (n - i) * HOUR - 24 * HOUR,
                             .class_name = i % 2 ? "promo" : "digest",
                             .campaign = "spring",
                             .sender = "shop.example",
                             .tags = ""};
    const MrgStateView view = {.state = state, .own = {.list = sends, .n = n}};
    const MrgCandidate candidate = {.campaign = "autumn",
                                    .class_name = "promo",
                                    .sender = "shop.example",
                                    .tags = "sale",
                                    .zone = mrg_zone_find("Europe/Oslo", NULL)};
    MrgDecision decision;
    gsize before = n_allocations;
    gint64 began_us = g_get_monotonic_time();
    for (guint i = 0; i < rounds; i++) {
        mrg_arena_reset(arena);
        mrg_decide(&policy, &view, &candidate, NOW, arena, &decision);
    }
    gint64 took_us = g_get_monotonic_time() - began_us;
    printf("%3" G_GSIZE_FORMAT " copies: %6.0f ns, %3" G_GSIZE_FORMAT
           " bytes of the arena, %" G_GSIZE_FORMAT " calls of malloc; %s\n",
           n, (double) took_us * 1000 / rounds, mrg_arena_used(arena),
           n_allocations - before, decision.reason);
}

int
main(int argc, char **argv)
{
    static const gsize lengths[] = {0, 100, 200, 400};
    guint rounds = argc > 1 ? (guint) strtoul(argv[1], NULL, 10) : 100000;
    const MrgConsent profile = {"profile", MRG_CONSENT_GRANTED, 1, ""};
    g_autoptr(GString) acts = g_string_new(NULL);
    for (gint64 i = 20; i > 0; i--)
        g_string_append_printf(acts, "%" G_GINT64_FORMAT " %s\n", NOW - 30 * i * HOUR,
                               i % 3 ? "open" : "click");
    const MrgState state = {.consents = &profile,
                            .n_consents = 1,
                            .engagement = acts->str,
                            .engagement_length = acts->len};
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++)
        measure(lengths[i], rounds, &state);
    return 0;
}
