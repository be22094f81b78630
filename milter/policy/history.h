/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history: the record of an account's copies, as it is written back.
 *
 * What is older than every window goes.  A history that is full (MRG_HISTORY_MAX) forgets
 * further what no rule looks at: of each cap, the newest copies count, as many as its
 * limit, and all that are held.  So each limit holds exactly, however many receipts, or
 * copies that were withheld, come in between.
 *
 * OWNERSHIP  arena.
 * ERRORS     MRG_ERROR_HISTORY: rules look at all of a full history.
 */
#ifndef MRG_HISTORY_H
#define MRG_HISTORY_H

#include "milter/policy/decide.h"

/* The history with one more send, which takes the place of sends->copy.  A clock that went
 * back does not reorder: a send is as late as the last that went out; one that is held
 * stands at its time.  class_name and campaign must be [A-Za-z0-9._-]{1,64}. */
const char *mrg_history_append(const MrgSends *sends, const MrgSend *send,
                               const MrgPolicy *policy, gint64 now_us, MrgArena *arena,
                               GError **error);

/* Takes the oldest that no rule looks at out of a list, until n_most are left; FALSE where
 * rules look at more than that.  scope is that of the account. */
gboolean mrg_history_forget(MrgSend *list, gsize *n, gsize n_most, MrgScope scope,
                            const MrgPolicy *policy, gint64 now_us, MrgArena *arena);

/* How far back the rules look: older history need not be kept. */
gint64 mrg_policy_horizon_us(const MrgPolicy *policy);

#endif
