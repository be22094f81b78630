/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: the recorded events of many people, one after the other, each with what its
 * person got before, and what those got who share an account with them.
 *
 * Caps of a domain or a household count on the account that the milter would use.  Who has
 * no profile is of no household, and their domain is not known: they count alone.  What an
 * adaptive cap looks at is cut off at the time in question: acts that came later did not
 * count then.  Consent to a profile is today's.
 *
 * OWNERSHIP  a replay owns people, accounts and texts; a policy is borrowed.
 * BOUNDS     an account's sends within the horizon of the newest are kept, at most
 *            MRG_HISTORY_MAX; of each person who agreed to a profile the acts, at most
 *            MRG_ENGAGEMENT_MAX.
 */
#ifndef MRG_REPLAY_H
#define MRG_REPLAY_H

#include "ctl/verb.h"

typedef struct MrgReplaySends {
    MrgSend *list; /* oldest first; texts are the replay's */
    guint n, n_room;
} MrgReplaySends;

typedef struct MrgReplayTies MrgReplayTies;

typedef struct MrgReplayPerson {
    MrgPersonKey key;
    MrgReplaySends own;
    MrgReplayTies *ties;         /* NULL: none that the policy asks for */
    gboolean has_events;         /* else only known of */
    guint n_counted, n_withheld; /* for the caller */
} MrgReplayPerson;

typedef struct MrgReplay {
    const MrgPolicy *policy;
    GHashTable *people;   /* MrgReplayPerson, by key */
    GHashTable *accounts; /* that people share, by key */
    GHashTable *texts;
    guint64 n_people; /* who have events */
    MrgSend last;     /* mails of a campaign come one behind the other */
    gint64 horizon_us;
    gint64 adaptive_us;   /* the longest window of an adaptive cap; 0: there is none */
    gint64 acts_since_us; /* older ones may have been removed */
    MrgKeyring *keyring;
    MrgArena *arena;
} MrgReplay;

void mrg_replay_init(MrgReplay *replay, const MrgPolicy *policy);
void mrg_replay_clear(MrgReplay *replay);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgReplay, mrg_replay_clear)

/* Who shares accounts with whom, and what they did, as far as the policy looks at that;
 * before the first event. */
gboolean mrg_replay_read(MrgReplay *replay, MrgPeople *people, gint64 now_us,
                         GError **error);

/* Who has an event; made where it is not there yet. */
MrgReplayPerson *mrg_replay_person(MrgReplay *replay, const MrgPersonKey *key);

/* What a decision is taken on; until the next one is asked for. */
void mrg_replay_view(MrgReplayPerson *person, gint64 at_us, MrgState *state,
                     MrgStateView *view);

/* Whether the policy counts by domain and the person's is not known. */
gboolean mrg_replay_is_stray(const MrgReplay *replay, const MrgReplayPerson *person);
/* Whether an adaptive cap may have looked at acts that are not kept any more. */
gboolean mrg_replay_lacks_acts(const MrgReplay *replay, const MrgReplayPerson *person,
                               gint64 at_us);

/* Whether the event is a copy that went out.  What was held did so, if it did, at its
 * release, which is an event of its own. */
gboolean mrg_replay_is_sent(const MrgEvent *event);

/* Adds the event's copy to what the person got, and those they share accounts with;
 * until_us: held until then, or 0.  The arena is for this call. */
void mrg_replay_add(MrgReplay *replay, MrgReplayPerson *person, const MrgEvent *event,
                    gint64 until_us, MrgArena *arena);

/* "30d" or a date into a time that is past; the exit code after the message was printed. */
int mrg_since_read(const char *text, gint64 now_us, gint64 *since_us);

#endif
