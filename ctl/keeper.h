/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper: a process of its own that asks and changes Postfix's hold queue.
 *
 * postsuper works for the superuser only, and everything else a release does is better
 * done without root's rights.  So root starts a keeper and then becomes the daemon's user;
 * the keeper keeps the rights, and all it does for whoever asks is to run postqueue,
 * postsuper on queue ids that it has looked at, and postkick.
 *
 * OWNERSHIP  one who started it, who stops it; it ends by itself when they die.
 * THREADS    none may run yet when it starts.
 * ERRORS     MRG_ERROR_CONFIG: what the program said; MRG_ERROR_INTERNAL: the keeper died.
 */
#ifndef MRG_KEEPER_H
#define MRG_KEEPER_H

#include "ctl/postfix.h"

typedef struct MrgKeeper MrgKeeper;

/* That of the machine's own Postfix, or of the one configured in directory. */
MrgKeeper *mrg_keeper_start(const char *directory, GError **error);
void mrg_keeper_stop(MrgKeeper *keeper);

/* What `postqueue -j` says, in pieces. */
gboolean mrg_keeper_list(MrgKeeper *keeper, MrgOutputVisit visit, gpointer context,
                         GError **error);

/* Lets go, or deletes, those of the ids that are in the hold queue; they need not be. */
typedef enum { MRG_KEEPER_RELEASE = 'H', MRG_KEEPER_DELETE = 'd' } MrgKeeperChange;
gboolean mrg_keeper_change(MrgKeeper *keeper, MrgKeeperChange change, GPtrArray *ids,
                           GError **error);

/* What was released waits in the deferred queue for the next queue run, up to
 * queue_run_delay: this makes it now.  Messages that wait to be tried again wait on. */
gboolean mrg_keeper_run_queue(MrgKeeper *keeper, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgKeeper, mrg_keeper_stop)

#endif
