/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: a person's state as the policy reads it, and the history it writes back.
 *
 * The history is text, a line per copy that counted, oldest first:
 *
 *     MICROSECONDS CLASS CAMPAIGN\n
 *
 * so that it can be read in the database by eye.  The store does not look inside.
 *
 * OWNERSHIP  arena.
 * ERRORS     MRG_ERROR_HISTORY: a line is malformed, times go down, or there are more than
 *            MRG_HISTORY_MAX lines.
 */
#ifndef MRG_STATE_H
#define MRG_STATE_H

#include "base/arena.h"
#include "plugins/merganser-plugin.h"

/* More copies to one person within the longest window than any policy means; beyond
 * it the oldest are forgotten. */
#define MRG_HISTORY_MAX 512

typedef struct MrgSend {
    gint64 at_us;
    const char *class_name;
    const char *campaign;
} MrgSend;

typedef struct MrgStateView {
    const MrgState *state; /* borrowed */
    const MrgSend *sends;  /* oldest first */
    gsize n_sends;
} MrgStateView;

gboolean mrg_state_read(MrgStateView *view, const MrgState *state, MrgArena *arena,
                        GError **error);

/* The history with one more send, without what is older than horizon_us before it.
 * A clock that went back does not reorder: the new send is then as late as the last.
 * class_name and campaign must be [A-Za-z0-9._-]{1,64}. */
const char *mrg_history_append(const MrgStateView *view, const MrgSend *send,
                               gint64 horizon_us, MrgArena *arena, gsize *length);

#endif
