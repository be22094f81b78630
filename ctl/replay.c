/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/replay.h"
#include "ctl/words.h"
#include "milter/clock.h"
#include "milter/duration.h"
#include "milter/policy/history.h"

#define ROOM_FIRST 4
#define SINCE_MAX_US (3660 * 86400 * MRG_SECOND_US)
/* To which a full account is brought down, so that it is not looked through each time. */
#define FEW (MRG_HISTORY_MAX - 64)

typedef struct Account {
    MrgPersonKey key;
    MrgScope scope;
    MrgReplaySends sends;
} Account;

struct MrgReplayTies {
    Account *shared[MRG_SHARED_MAX]; /* borrowed; NULL: no more */
    char *acts; /* lines of MrgState, of which those from cut on do not count yet; NULL: no
                 * consent to a profile */
    gsize cut;
    char at_cut; /* what stood where the end is now */
    gboolean is_full;
};

static void
person_free(gpointer data)
{
    MrgReplayPerson *person = data;
    if (person->ties)
        g_free(person->ties->acts);
    g_free(person->ties);
    g_free(person->own.list);
    g_free(person);
}

static void
account_free(gpointer data)
{
    g_free(((Account *) data)->sends.list);
    g_free(data);
}

void
mrg_replay_init(MrgReplay *replay, const MrgPolicy *policy)
{
    *replay = (MrgReplay){
        .policy = policy,
        .people = g_hash_table_new_full(mrg_key_hash, mrg_key_equal, NULL, person_free),
        .accounts = g_hash_table_new_full(mrg_key_hash, mrg_key_equal, NULL, account_free),
        .texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .horizon_us = mrg_policy_horizon_us(policy)};
    for (gsize i = 0; i < policy->n_caps; i++)
        if (policy->caps[i].is_adaptive)
            replay->adaptive_us =
                MAX(replay->adaptive_us, policy->caps[i].adaptive_window_us);
}

void
mrg_replay_clear(MrgReplay *replay)
{
    g_clear_pointer(&replay->people, g_hash_table_unref);
    g_clear_pointer(&replay->accounts, g_hash_table_unref);
    g_clear_pointer(&replay->texts, g_hash_table_unref);
}

static MrgReplayPerson *
find_or_make(const MrgReplay *replay, const MrgPersonKey *key)
{
    MrgReplayPerson *person = g_hash_table_lookup(replay->people, key);
    if (person)
        return person;
    person = g_new0(MrgReplayPerson, 1);
    person->key = *key;
    g_hash_table_insert(replay->people, &person->key, person);
    return person;
}

MrgReplayPerson *
mrg_replay_person(MrgReplay *replay, const MrgPersonKey *key)
{
    MrgReplayPerson *person = find_or_make(replay, key);
    replay->n_people += !person->has_events;
    person->has_events = TRUE;
    return person;
}

/* ---- who shares, and what they did ------------------------------------- */

static MrgReplayTies *
ties_of(const MrgReplay *replay, const MrgPersonKey *key)
{
    MrgReplayPerson *person = find_or_make(replay, key);
    if (!person->ties)
        person->ties = g_new0(MrgReplayTies, 1);
    return person->ties;
}

static Account *
account_of(const MrgReplay *replay, const MrgPersonKey *key, MrgScope scope)
{
    Account *account = g_hash_table_lookup(replay->accounts, key);
    if (account)
        return account;
    account = g_new0(Account, 1);
    account->key = *key;
    account->scope = scope;
    g_hash_table_insert(replay->accounts, &account->key, account);
    return account;
}

static gboolean
visit_home(const MrgPersonKey *person, const char *address, const MrgField *household,
           gpointer context)
{
    MrgReplay *replay = context;
    MrgShared shared;
    mrg_shared_find(&shared, replay->policy, replay->keyring, address,
                    mrg_people_text(household, replay->arena));
    for (gsize i = 0; i < shared.n; i++)
        ties_of(replay, person)->shared[i] =
            account_of(replay, &shared.keys[i], shared.scopes[i]);
    mrg_arena_reset(replay->arena);
    return TRUE;
}

static guint
count_lines(const char *lines)
{
    guint n = 0;
    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1)
        n++;
    return n;
}

static gboolean
visit_engagement(const MrgPersonKey *person, const char *lines, gpointer context)
{
    MrgReplayTies *ties = ties_of(context, person);
    ties->acts = g_strdup(lines);
    ties->at_cut = ties->acts[0];
    ties->acts[0] = '\0';
    ties->is_full = count_lines(lines) == MRG_ENGAGEMENT_MAX;
    return TRUE;
}

gboolean
mrg_replay_read(MrgReplay *replay, MrgPeople *people, gint64 now_us, GError **error)
{
    const MrgConf *conf = people->conf;
    gboolean is_shared = mrg_policy_has_scope(replay->policy, MRG_SCOPE_DOMAIN) ||
                         mrg_policy_has_scope(replay->policy, MRG_SCOPE_HOUSEHOLD);
    replay->keyring = people->keyring;
    replay->arena = people->arena;
    replay->acts_since_us =
        conf->retention_engagement ? now_us - conf->retention_engagement : 0;
    return (!is_shared || mrg_store_homes(people->store, conf->policy_household_field,
                                          visit_home, replay, error)) &&
           (!replay->adaptive_us ||
            mrg_store_engagements(people->store, visit_engagement, replay, error));
}

/* ---- what is known at a time ------------------------------------------- */

/* Events come in the order of their times, so that the end only moves on. */
static const char *
acts_until(MrgReplayTies *ties, gint64 at_us)
{
    ties->acts[ties->cut] = ties->at_cut;
    while (ties->acts[ties->cut] &&
           g_ascii_strtoll(ties->acts + ties->cut, NULL, 10) <= at_us)
        ties->cut += strcspn(ties->acts + ties->cut, "\n") + 1;
    ties->at_cut = ties->acts[ties->cut];
    ties->acts[ties->cut] = '\0';
    return ties->acts;
}

static void
view_shared(const MrgReplayTies *ties, MrgStateView *view)
{
    for (gsize i = 0; i < MRG_SHARED_MAX && ties->shared[i]; i++)
        view->shared[i] = (MrgSends){.list = ties->shared[i]->sends.list,
                                     .n = ties->shared[i]->sends.n,
                                     .scope = ties->shared[i]->scope};
}

void
mrg_replay_view(MrgReplayPerson *person, gint64 at_us, MrgState *state, MrgStateView *view)
{
    static const MrgConsent agreed = {
        .purpose = "profile", .state = MRG_CONSENT_GRANTED, .source = ""};
    MrgReplayTies *ties = person->ties;
    *state = (MrgState){.engagement = ""};
    *view = (MrgStateView){.state = state,
                           .own = {.list = person->own.list, .n = person->own.n}};
    if (ties)
        view_shared(ties, view);
    if (!ties || !ties->acts)
        return;
    state->consents = &agreed;
    state->n_consents = 1;
    state->engagement = acts_until(ties, at_us);
}

gboolean
mrg_replay_is_stray(const MrgReplay *replay, const MrgReplayPerson *person)
{
    return mrg_policy_has_scope(replay->policy, MRG_SCOPE_DOMAIN) &&
           (!person->ties || !person->ties->shared[0] ||
            person->ties->shared[0]->scope != MRG_SCOPE_DOMAIN);
}

gboolean
mrg_replay_lacks_acts(const MrgReplay *replay, const MrgReplayPerson *person, gint64 at_us)
{
    const MrgReplayTies *ties = person->ties;
    gint64 begin_us = at_us - replay->adaptive_us;
    if (!ties || !ties->acts)
        return FALSE;
    /* The end may stand at the very beginning: then all that is kept came later. */
    return begin_us < replay->acts_since_us ||
           (ties->is_full &&
            (!ties->cut || g_ascii_strtoll(ties->acts, NULL, 10) > begin_us));
}

/* ---- what was got ------------------------------------------------------ */

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

static void
drop_first(MrgReplaySends *sends, guint n)
{
    sends->n -= n;
    if (n && sends->n)
        memmove(sends->list, sends->list + n, sends->n * sizeof(MrgSend));
}

/* What no rule looks back to. */
static void
forget_old(const MrgReplay *replay, MrgReplaySends *sends, gint64 now_us)
{
    guint first = 0;
    while (first < sends->n && sends->list[first].at_us <= now_us - replay->horizon_us)
        first++;
    drop_first(sends, first);
}

/* As the milter does, and where rules look at more than can be kept, which stops mail
 * there, the oldest goes. */
static void
make_room(const MrgReplay *replay, MrgReplaySends *sends, MrgScope scope, gint64 now_us,
          MrgArena *arena)
{
    gsize n = sends->n;
    if (n == MRG_HISTORY_MAX) {
        mrg_history_forget(sends->list, &n, FEW, scope, replay->policy, now_us, arena);
        sends->n = (guint) n;
        drop_first(sends, n == MRG_HISTORY_MAX);
    }
    if (sends->n < sends->n_room)
        return;
    sends->n_room = sends->n_room ? 2 * sends->n_room : ROOM_FIRST;
    sends->list = g_renew(MrgSend, sends->list, sends->n_room);
}

static void
add_send(const MrgReplay *replay, MrgReplaySends *sends, MrgScope scope, gint64 now_us,
         MrgArena *arena)
{
    const MrgSend *send = &replay->last;
    /* A shared account may be long, and is cleared when there is no room. */
    if (scope == MRG_SCOPE_PERSON || sends->n == sends->n_room)
        forget_old(replay, sends, now_us);
    make_room(replay, sends, scope, now_us, arena);
    guint at = sends->n++;
    for (; at > 0 && sends->list[at - 1].at_us > send->at_us; at--)
        sends->list[at] = sends->list[at - 1];
    sends->list[at] = *send;
}

void
mrg_replay_add(MrgReplay *replay, MrgReplayPerson *person, const MrgEvent *event,
               gint64 until_us, MrgArena *arena)
{
    MrgSend *send = &replay->last;
    const MrgReplayTies *ties = person->ties;
    keep_text(replay, &send->class_name, event->class_name);
    keep_text(replay, &send->campaign, event->campaign);
    keep_text(replay, &send->sender, event->sender);
    keep_text(replay, &send->tags, event->tags);
    send->at_us = until_us ? until_us : event->at_us;
    send->kind = until_us ? MRG_SEND_HELD : MRG_SEND_SENT;
    add_send(replay, &person->own, MRG_SCOPE_PERSON, event->at_us, arena);
    for (gsize i = 0; ties && i < MRG_SHARED_MAX && ties->shared[i]; i++)
        add_send(replay, &ties->shared[i]->sends, ties->shared[i]->scope, event->at_us,
                 arena);
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
