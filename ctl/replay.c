/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/replay.h"
#include "ctl/words.h"
#include "milter/clock.h"
#include "milter/duration.h"

#define ROOM_FIRST 4
#define SINCE_MAX_US (3660 * 86400 * MRG_SECOND_US)

static void
person_free(gpointer data)
{
    MrgReplayPerson *person = data;
    g_free(person->sends);
    g_free(person);
}

void
mrg_replay_init(MrgReplay *replay, gint64 horizon_us)
{
    *replay = (MrgReplay){
        .people = g_hash_table_new_full(mrg_key_hash, mrg_key_equal, NULL, person_free),
        .texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .horizon_us = horizon_us};
}

void
mrg_replay_clear(MrgReplay *replay)
{
    g_clear_pointer(&replay->people, g_hash_table_unref);
    g_clear_pointer(&replay->texts, g_hash_table_unref);
}

MrgReplayPerson *
mrg_replay_person(MrgReplay *replay, const MrgPersonKey *key)
{
    MrgReplayPerson *person = g_hash_table_lookup(replay->people, key);
    if (person)
        return person;
    person = g_new0(MrgReplayPerson, 1);
    person->key = *key;
    g_hash_table_insert(replay->people, &person->key, person);
    return person;
}

/* *kept becomes the one copy of a text, which lives as long as the replay. */
static void
keep_text(MrgReplay *replay, const char **kept, const char *text)
{
    gpointer found;
    if (*kept && strcmp(*kept, text) == 0)
        return;
    if (!g_hash_table_lookup_extended(replay->texts, text, &found, NULL)) {
        found = g_strdup(text);
        g_hash_table_add(replay->texts, found);
    }
    *kept = found;
}

gboolean
mrg_replay_is_sent(const MrgEvent *event)
{
    return event->verdict == MRG_VERDICT_DELIVER;
}

/* What no rule looks back to. */
static void
forget_old(const MrgReplay *replay, MrgReplayPerson *person, gint64 now_us)
{
    guint first = 0;
    while (first < person->n_sends &&
           (person->sends[first].at_us <= now_us - replay->horizon_us ||
            person->n_sends - first >= MRG_HISTORY_MAX))
        first++;
    person->n_sends -= first;
    if (first && person->n_sends)
        memmove(person->sends, person->sends + first, person->n_sends * sizeof(MrgSend));
}

void
mrg_replay_add(MrgReplay *replay, MrgReplayPerson *person, const MrgEvent *event,
               gint64 until_us)
{
    MrgSend *send = &replay->last;
    keep_text(replay, &send->class_name, event->class_name);
    keep_text(replay, &send->campaign, event->campaign);
    keep_text(replay, &send->sender, event->sender);
    keep_text(replay, &send->tags, event->tags);
    send->at_us = until_us ? until_us : event->at_us;
    send->kind = until_us ? MRG_SEND_HELD : MRG_SEND_SENT;
    forget_old(replay, person, event->at_us);
    if (person->n_sends == person->n_room) {
        person->n_room = person->n_room ? 2 * person->n_room : ROOM_FIRST;
        person->sends = g_renew(MrgSend, person->sends, person->n_room);
    }
    gsize at = person->n_sends++;
    for (; at > 0 && person->sends[at - 1].at_us > send->at_us; at--)
        person->sends[at] = person->sends[at - 1];
    person->sends[at] = *send;
}

int
mrg_since_read(const char *text, gint64 now_us, gint64 *since_us)
{
    gint64 length_us;
    gboolean is_read = mrg_duration_parse(text, &length_us);
    if (is_read)
        *since_us = now_us - length_us;
    else
        is_read = mrg_time_parse(text, since_us);
    if (is_read && *since_us<now_us && * since_us> now_us - SINCE_MAX_US)
        return EX_OK;
    return mrg_verb_usage("--since is how long ago (30d), or a date or time that is past");
}
