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
    gint64 horizon_us;
} MrgReplay;

void mrg_replay_init(MrgReplay *replay, gint64 horizon_us);
void mrg_replay_clear(MrgReplay *replay);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgReplay, mrg_replay_clear)

/* Made where it is not there yet. */
MrgReplayPerson *mrg_replay_person(MrgReplay *replay, const MrgPersonKey *key);

/* The one copy of a text, which lives as long as the replay. */
const char *mrg_replay_text(MrgReplay *replay, const char *text);

/* One more send; its texts must be the replay's. */
void mrg_replay_add(MrgReplay *replay, MrgReplayPerson *person, const MrgSend *send);

/* "30d" or a date into a time that is past; the exit code after the message was printed. */
int mrg_since_read(const char *text, gint64 now_us, gint64 *since_us);

#endif
