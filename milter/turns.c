/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>

#include "milter/turns.h"

#define N_TURNS 64 /* a bit each */

typedef struct Turn {
    pthread_cond_t is_over;
    gboolean is_taken;
} Turn;

struct MrgTurns {
    pthread_mutex_t lock;
    Turn turns[N_TURNS];
};

MrgTurns *
mrg_turns_new(void)
{
    MrgTurns *self = g_new0(MrgTurns, 1);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->lock, NULL);
    for (guint i = 0; i < N_TURNS; i++)
        pthread_cond_init(&self->turns[i].is_over, &attributes);
    pthread_condattr_destroy(&attributes);
    return self;
}

void
mrg_turns_free(MrgTurns *self)
{
    if (!self)
        return;
    for (guint i = 0; i < N_TURNS; i++)
        pthread_cond_destroy(&self->turns[i].is_over);
    pthread_mutex_destroy(&self->lock);
    g_free(self);
}

/* Keys are hashes, so that any byte of them will do. */
static guint64
wanted(const MrgAccount *accounts, gsize n)
{
    guint64 bits = 0;
    for (gsize i = 0; i < n; i++)
        bits |= (guint64) 1 << accounts[i].key.bytes[0] % N_TURNS;
    return bits;
}

/* In the order of their numbers, so that no two threads wait for each other. */
guint64
mrg_turns_take(MrgTurns *self, const MrgAccount *accounts, gsize n, gint64 until_us,
               gboolean *has_waited)
{
    const struct timespec until = {until_us / G_USEC_PER_SEC,
                                   until_us % G_USEC_PER_SEC * 1000};
    guint64 bits = wanted(accounts, n), taken = 0;
    int rc = 0;
    *has_waited = FALSE;
    pthread_mutex_lock(&self->lock);
    for (guint i = 0; i < N_TURNS; i++) {
        Turn *turn = &self->turns[i];
        if (!(bits >> i & 1))
            continue;
        while (turn->is_taken && rc == 0) {
            *has_waited = TRUE;
            rc = pthread_cond_timedwait(&turn->is_over, &self->lock, &until);
        }
        if (turn->is_taken)
            continue;
        turn->is_taken = TRUE;
        taken |= (guint64) 1 << i;
    }
    pthread_mutex_unlock(&self->lock);
    return taken;
}

void
mrg_turns_give(MrgTurns *self, guint64 taken)
{
    pthread_mutex_lock(&self->lock);
    for (guint i = 0; i < N_TURNS; i++) {
        if (!(taken >> i & 1))
            continue;
        self->turns[i].is_taken = FALSE;
        pthread_cond_signal(&self->turns[i].is_over);
    }
    pthread_mutex_unlock(&self->lock);
}
