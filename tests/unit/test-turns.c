/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/turns.h"

#define N_THREADS 16
#define N_ROUNDS 200
#define LONG_US (60 * G_USEC_PER_SEC)

static gint64
soon(gint64 us)
{
    return g_get_monotonic_time() + us;
}

static MrgAccount
account(guint8 n)
{
    return (MrgAccount){.key = {{n}}};
}

/* Two accounts each, of which one is everybody's, in either order. */
typedef struct Crowd {
    MrgTurns *turns;
    gint n_within; /* atomic */
    gint n_most;   /* atomic */
    gint next;     /* atomic */
} Crowd;

static gpointer
visit(gpointer data)
{
    Crowd *crowd = data;
    guint8 n = (guint8) g_atomic_int_add(&crowd->next, 1);
    const MrgAccount both[] = {account(40), account(n % 2 ? 30 + n : 50)};
    gboolean has_waited;
    for (guint i = 0; i < N_ROUNDS; i++) {
        guint64 taken = mrg_turns_take(crowd->turns, both, 2, soon(LONG_US), &has_waited);
        gint within = g_atomic_int_add(&crowd->n_within, 1) + 1;
        if (within > g_atomic_int_get(&crowd->n_most))
            g_atomic_int_set(&crowd->n_most, within);
        g_thread_yield();
        g_atomic_int_add(&crowd->n_within, -1);
        mrg_turns_give(crowd->turns, taken);
    }
    return NULL;
}

static void
those_of_one_account_go_one_after_the_other(void)
{
    Crowd crowd = {.turns = mrg_turns_new()};
    GThread *threads[N_THREADS];
    for (guint i = 0; i < N_THREADS; i++)
        threads[i] = g_thread_new("visit", visit, &crowd);
    for (guint i = 0; i < N_THREADS; i++)
        g_thread_join(threads[i]);
    g_assert_cmpint(crowd.n_most, ==, 1);
    mrg_turns_free(crowd.turns);
}

static void
another_account_is_not_waited_for(void)
{
    MrgTurns *turns = mrg_turns_new();
    const MrgAccount one = account(1), other = account(2);
    gboolean has_waited = TRUE;
    guint64 taken = mrg_turns_take(turns, &one, 1, soon(LONG_US), &has_waited);
    g_assert_false(has_waited);
    guint64 beside = mrg_turns_take(turns, &other, 1, soon(LONG_US), &has_waited);
    g_assert_false(has_waited);
    g_assert_true(taken && beside && !(taken & beside));
    mrg_turns_give(turns, taken | beside);
    mrg_turns_free(turns);
}

static void
who_waits_too_long_goes_on_without(void)
{
    MrgTurns *turns = mrg_turns_new();
    const MrgAccount both[] = {account(1), account(2)};
    gboolean has_waited = FALSE;
    guint64 first = mrg_turns_take(turns, both, 1, soon(LONG_US), &has_waited);
    guint64 second = mrg_turns_take(turns, both, 2, soon(1000), &has_waited);
    g_assert_true(has_waited);
    g_assert_cmpuint(second & first, ==, 0);
    g_assert_cmpuint(second, !=, 0);
    mrg_turns_give(turns, second);
    mrg_turns_give(turns, first);
    /* And what was not taken is not given back for somebody else. */
    g_assert_cmpuint(mrg_turns_take(turns, both, 1, soon(LONG_US), &has_waited), ==, first);
    g_assert_false(has_waited);
    g_assert_cmpuint(mrg_turns_take(turns, NULL, 0, 0, &has_waited), ==, 0);
    mrg_turns_give(turns, first);
    mrg_turns_free(turns);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/turns/order", those_of_one_account_go_one_after_the_other);
    g_test_add_func("/turns/others", another_account_is_not_waited_for);
    g_test_add_func("/turns/late", who_waits_too_long_goes_on_without);
    return g_test_run();
}
