/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: a person's state as the policy reads it.
 *
 * The history is text, a line per copy that counts, oldest first:
 *
 *     MICROSECONDS CLASS CAMPAIGN SENDER TAGS KIND\n
 *
 * so that it can be read in the database by eye.  The store does not look inside.  An empty
 * sender or list of tags is "-"; the last three words are left out where all of them would
 * say nothing.  A copy is judged by what it was when it was sent: later renaming or tagging
 * changes nothing.
 *
 * OWNERSHIP  arena.
 * ERRORS     MRG_ERROR_HISTORY: a line is malformed, times go down, or there are more than
 *            MRG_HISTORY_MAX lines.
 */
#ifndef MRG_STATE_H
#define MRG_STATE_H

#include "base/arena.h"
#include "plugins/merganser-plugin.h"

#define MRG_HISTORY_MAX 512 /* lines; no limit of a cap is greater */
#define MRG_SENDER_MAX 255
#define MRG_TAGS_MAX 255

typedef enum {
    MRG_SEND_SENT,
    MRG_SEND_HELD,     /* will go out at its time; recorded ahead */
    MRG_SEND_ATTEMPTED /* withheld; counts where a cap counts attempts */
} MrgSendKind;
#define MRG_SEND_KINDS "sha" /* as written, in their order */

typedef struct MrgSend {
    gint64 at_us;
    const char *class_name;
    const char *campaign;
    const char *sender; /* domain of From; NULL or "" where it is not known */
    const char *tags;   /* names with commas between; NULL or "" for none */
    MrgSendKind kind;
} MrgSend;

/* Whom a cap counts together. */
typedef enum { MRG_SCOPE_PERSON, MRG_SCOPE_DOMAIN, MRG_SCOPE_HOUSEHOLD } MrgScope;

/* One account's. */
typedef struct MrgSends {
    const MrgSend *list; /* oldest first */
    gsize n;
    MrgScope scope;
    const MrgSend *copy; /* what is in question is on the list already: it does not count
                          * against itself, and is replaced; NULL: it is not */
} MrgSends;

typedef struct MrgStateView {
    const MrgState *state; /* borrowed */
    MrgSends own;
    MrgSends shared[MRG_SHARED_MAX]; /* as in state; scope PERSON: not there */
} MrgStateView;

/* scopes says what the shared accounts of state are. */
gboolean mrg_state_read(MrgStateView *view, const MrgState *state, const MrgScope *scopes,
                        MrgArena *arena, GError **error);

/* Whose next decision is about the copy that is held: finds its entry in every account. */
void mrg_state_find_copy(MrgStateView *view, const MrgHold *hold);

/* What a cap of this scope counts: of somebody who has no household, the person's own. */
const MrgSends *mrg_state_sends(const MrgStateView *view, MrgScope scope);

#endif
