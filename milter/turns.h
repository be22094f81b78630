/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns: order among the threads of one process that write to the accounts people share.
 *
 * The store's compare-and-swap is what makes caps exact; but of many that swap one account
 * at once each round lets one through, and the last run out of tries.  Those of one process
 * go one after the other here, so that each finds the account as it has just read it.
 * Accounts have a turn in common with some others: there is a fixed number of turns.
 *
 * Nothing depends on it: who waits for too long goes on without.
 *
 * OWNERSHIP  one who makes it.
 * THREADS    any number.
 */
#ifndef MRG_TURNS_H
#define MRG_TURNS_H

#include "plugins/merganser-plugin.h"

typedef struct MrgTurns MrgTurns;

MrgTurns *mrg_turns_new(void);
void mrg_turns_free(MrgTurns *turns);

/* Waits for the turns of all the accounts, until then on the monotonic clock.  What is
 * taken has to be given back by the same thread; *has_waited tells that others went first.
 */
guint64 mrg_turns_take(MrgTurns *turns, const MrgAccount *accounts, gsize n,
                       gint64 until_us, gboolean *has_waited);
void mrg_turns_give(MrgTurns *turns, guint64 taken);

#endif
