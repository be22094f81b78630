/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: the recorded events of many people, one after the other, each with what its
 * person got before.
 *
 * OWNERSHIP  a replay owns people and texts.
 * BOUNDS     a person's sends within the horizon of the newest are kept, at most
 *            MRG_HISTORY_MAX.
 */
#ifndef MRG_REPLAY_H
#define MRG_REPLAY_H

#include "ctl/verb.h"

typedef struct MrgReplayPerson {
    MrgPersonKey key;
    guint n_room;
    guint n_counted, n_withheld; /* for the caller */
    gsize n_sends;
    MrgSend *sends; /* oldest first; texts are the replay's */
} MrgReplayPerson;

typedef struct MrgReplay {
    GHashTable *people; /* MrgReplayPerson, by key */
    GHashTable *texts;
    MrgSend last; /* mails of a campaign come one behind the other */
    gint64 horizon_us;
} MrgReplay;

void mrg_replay_init(MrgReplay *replay, gint64 horizon_us);
void mrg_replay_clear(MrgReplay *replay);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgReplay, mrg_replay_clear)

/* Made where it is not there yet. */
MrgReplayPerson *mrg_replay_person(MrgReplay *replay, const MrgPersonKey *key);

/* Whether the event is a copy that went out.  What was held did so, if it did, at its
 * release, which is an event of its own. */
gboolean mrg_replay_is_sent(const MrgEvent *event);

/* Adds the event's copy to what the person got; until_us: held until then, or 0. */
void mrg_replay_add(MrgReplay *replay, MrgReplayPerson *person, const MrgEvent *event,
                    gint64 until_us);

/* "30d" or a date into a time that is past; the exit code after the message was printed. */
int mrg_since_read(const char *text, gint64 now_us, gint64 *since_us);

#endif
