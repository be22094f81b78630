/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/outcome.h"
#include "milter/policy/history.h"
#include "milter/store-check.h"

/* Others that change a person's state between our load and commit; each try makes one of
 * them succeed, so this many losses in a row mean something is broken. */
#define COMMIT_TRIES 64
#define TURN_DEADLINES 4 /* of the store, for which a turn is waited: 20 s, if not set */
#define STOP_TRIES 4

void
mrg_merge_start_deadline(MrgMerge *merge)
{
    merge->deadline_us = g_get_monotonic_time() + merge->pipeline->conf->store_deadline;
}

gboolean
mrg_merge_commits(const MrgMerge *merge)
{
    return merge->mode == MRG_MODE_MERGE;
}

/* ---- policy ---- */

const char *
mrg_merge_own_text(const MrgMerge *merge, gsize place, const char *setting)
{
    const MrgValue *value =
        place < merge->plan->n_names ? &merge->person.values[place] : NULL;
    gboolean is_text = value && (value->type == MRG_VALUE_STRING ||
                                 (value->type == MRG_VALUE_NUMBER && value->text));
    if (!is_text || !value->length)
        return setting;
    return mrg_arena_dup(merge->envelope->arena, value->text, value->length);
}

static gboolean
load_state(MrgMerge *merge, GError **error)
{
    merge->state = (MrgState){0};
    mrg_merge_start_deadline(merge);
    return mrg_store_load(merge->pipeline->store, &merge->person.key, &merge->key,
                          merge->shared.keys, merge->shared.n, &merge->state,
                          merge->envelope->arena, merge->deadline_us, error);
}

static gboolean
read_state(MrgMerge *merge, GError **error)
{
    merge->has_state = mrg_state_read(&merge->view, &merge->state, merge->shared.scopes,
                                      merge->envelope->arena, error);
    return merge->has_state;
}

/* The household is known only now that the fields are: its account takes a second look. */
static gboolean
add_household(MrgMerge *merge, GError **error)
{
    const char *household = mrg_merge_own_text(merge, merge->plan->household_name, NULL);
    if (!household ||
        !mrg_policy_has_scope(&merge->pipeline->conf->policy, MRG_SCOPE_HOUSEHOLD))
        return TRUE;
    mrg_shared_find(&merge->shared, &merge->pipeline->conf->policy,
                    merge->pipeline->keyring, merge->person.address, household);
    return load_state(merge, error);
}

static MrgPreference
preference(const MrgMerge *merge)
{
    gsize place = merge->plan->frequency_name;
    return place < merge->plan->n_names ? mrg_preference_read(&merge->person.values[place])
                                        : (MrgPreference){.limit = MRG_UNLIMITED};
}

static void
make_candidate(MrgMerge *merge)
{
    const MrgCampaign *campaign = &merge->campaign;
    const MrgConf *conf = merge->pipeline->conf;
    merge->candidate = (MrgCandidate){.campaign = campaign->id,
                                      .class_name = campaign->class_name,
                                      .sender = campaign->sender,
                                      .tags = campaign->tags,
                                      .list = campaign->list,
                                      .preference = preference(merge),
                                      .send_at_us = campaign->send_at_us};
    if (campaign->send_local_s || mrg_policy_needs_zone(&conf->policy))
        merge->candidate.zone =
            mrg_zone_find(mrg_merge_own_text(merge, merge->plan->timezone_name, NULL),
                          conf->render_timezone);
    if (campaign->send_local_s)
        merge->candidate.send_at_us =
            mrg_zone_instant(merge->candidate.zone, campaign->send_local_s);
}

gboolean
mrg_merge_is_going_out(const MrgMerge *merge)
{
    MrgVerdict verdict = merge->disposition->verdict;
    return verdict == MRG_VERDICT_DELIVER || verdict == MRG_VERDICT_HOLD;
}

/* What the policy says of the state as loaded.  A recorded outcome stands: its copy is
 * counted.  But days may lie between two tries, and whoever unsubscribed in them gets none.
 */
static void
take_decision(MrgMerge *merge)
{
    const MrgConf *conf = merge->pipeline->conf;
    MrgDecision *decision = &merge->decision;
    MrgPolicy policy = conf->policy;
    MrgCandidate candidate = merge->candidate;
    if (merge->state.is_repeat) {
        policy.n_caps = policy.n_quiets = 0;
        candidate.preference = (MrgPreference){0};
        candidate.send_at_us = 0;
    }
    mrg_decide(&policy, &merge->view, &candidate, merge->now_us, merge->envelope->arena,
               decision);
    if (merge->state.is_repeat && decision->verdict == MRG_VERDICT_DELIVER) {
        decision->verdict = merge->state.repeat_verdict;
        decision->reason = merge->state.repeat_reason;
        decision->retry_at_us = merge->state.repeat_until_us;
    } else if (!merge->state.is_repeat && !merge->person.has_profile &&
               (decision->verdict == MRG_VERDICT_DELIVER ||
                decision->verdict == MRG_VERDICT_HOLD) &&
               conf->policy_unknown_recipient != MRG_UNKNOWN_GENERIC) {
        decision->verdict = conf->policy_unknown_recipient == MRG_UNKNOWN_DROP
                                ? MRG_VERDICT_DROP
                                : MRG_VERDICT_REJECT;
        decision->reason = "unknown: no profile";
    }
    mrg_merge_decide(merge, decision->verdict, decision->reason);
    /* The state changed under the commit of a copy that render withholds: so it does still.
     */
    if (merge->withheld && mrg_merge_is_going_out(merge) && !merge->state.is_repeat)
        mrg_merge_decide(merge, merge->withheld->verdict, merge->withheld_reason);
}

gboolean
mrg_step_policy(MrgMerge *merge, GError **error)
{
    make_candidate(merge);
    if (!add_household(merge, error) || !read_state(merge, error))
        return FALSE;
    take_decision(merge);
    return TRUE;
}

/* When a held copy is due.  What the template holds is for somebody to look at: 0, whatever
 * else would have held it. */
static gint64
due_us(const MrgMerge *merge)
{
    gboolean is_later = merge->disposition->verdict == MRG_VERDICT_HOLD && !merge->withheld;
    return is_later ? merge->decision.retry_at_us : 0;
}

gint64
mrg_merge_out_us(const MrgMerge *merge)
{
    return MAX(merge->now_us, due_us(merge));
}

/* ---- commit ---- */

/* Writes the copy into the histories of all accounts that it counts on. */
static gboolean
add_to_histories(const MrgMerge *merge, MrgOutcome *outcome, GError **error)
{
    static const MrgSendKind kinds[] = {[MRG_VERDICT_DELIVER] = MRG_SEND_SENT,
                                        [MRG_VERDICT_DROP] = MRG_SEND_ATTEMPTED,
                                        [MRG_VERDICT_HOLD] = MRG_SEND_HELD};
    MrgArena *arena = merge->envelope->arena;
    const MrgPolicy *policy = &merge->pipeline->conf->policy;
    const MrgSend send = {.at_us = mrg_merge_out_us(merge),
                          .class_name = merge->campaign.class_name,
                          .campaign = merge->campaign.id,
                          .sender = merge->campaign.sender,
                          .tags = merge->campaign.tags,
                          .kind = kinds[outcome->event.verdict]};
    outcome->history =
        mrg_history_append(&merge->view.own, &send, policy, merge->now_us, arena, error);
    if (!outcome->history)
        return FALSE;
    outcome->history_length = strlen(outcome->history);
    outcome->n_shared = merge->state.n_shared;
    for (gsize i = 0; i < outcome->n_shared; i++) {
        MrgAccount *account = &outcome->shared[i];
        *account = merge->state.shared[i];
        account->history = mrg_history_append(&merge->view.shared[i], &send, policy,
                                              merge->now_us, arena, error);
        if (!account->history)
            return FALSE;
        account->history_length = strlen(account->history);
    }
    return TRUE;
}

/* Where the copy is held, for those who release it; a queue id that nobody told leaves the
 * hold to the MTA's admin. */
static MrgHold
hold_of(const MrgMerge *merge)
{
    const char *queue_id = merge->envelope->queue_id;
    gboolean is_known = merge->disposition->verdict == MRG_VERDICT_HOLD && queue_id &&
                        *queue_id && strlen(queue_id) <= MRG_STORE_WORD_BYTES_MAX;
    return (MrgHold){.message = merge->key,
                     .person = merge->person.key,
                     .host = is_known ? merge->pipeline->conf->policy_host : NULL,
                     .queue_id = is_known ? queue_id : NULL,
                     .campaign = merge->campaign.id,
                     .class_name = merge->campaign.class_name,
                     .at_us = merge->now_us,
                     .until_us = due_us(merge),
                     .list = merge->campaign.list};
}

static MrgOutcome
outcome_of(const MrgMerge *merge, gboolean is_final)
{
    const MrgHold hold = hold_of(merge);
    return (MrgOutcome){
        .person = merge->person.key,
        .message = merge->key,
        .version = merge->state.own.version,
        .event = {.at_us = merge->now_us,
                  .campaign = merge->campaign.id,
                  .class_name = merge->campaign.class_name,
                  .sender = merge->campaign.sender,
                  .tags = merge->campaign.tags,
                  .verdict = merge->disposition->verdict,
                  .reason = merge->reason,
                  .tracked = mrg_merge_is_going_out(merge) ? merge->tracked : 0},
        .is_final = is_final,
        .host = hold.host,
        .queue_id = hold.queue_id,
        .until_us = hold.until_us,
        .list = hold.list,
    };
}

static MrgCommit
commit_once(MrgMerge *merge, gboolean is_final, GError **error)
{
    const MrgPipeline *pipeline = merge->pipeline;
    MrgOutcome outcome = outcome_of(merge, is_final);
    if (is_final && (mrg_merge_is_going_out(merge) || pipeline->counts_attempts) &&
        !add_to_histories(merge, &outcome, error))
        return MRG_COMMIT_ERROR;
    mrg_merge_start_deadline(merge);
    return mrg_store_commit(pipeline->store, &outcome, merge->deadline_us, error);
}

/* A refusal may come again with other data, so only these bind a retry. */
static gboolean
is_final_verdict(MrgVerdict verdict)
{
    return verdict == MRG_VERDICT_DELIVER || verdict == MRG_VERDICT_DROP ||
           verdict == MRG_VERDICT_HOLD;
}

/* The error of a commit that was tried often enough. */
static gboolean
fail_commit(MrgCommit last, GError **error)
{
    if (last == MRG_COMMIT_UNCERTAIN)
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE,
                            "the store cannot say whether it wrote; is its disk full?");
    else
        g_set_error_literal(error, MRG_ERROR, MRG_ERROR_CONTENDED,
                            "the person's state kept changing under the commit");
    return FALSE;
}

/* Those who lost wait a little, each for another while: else they meet again. */
static gboolean
may_try(guint try, gint64 give_up_us)
{
    if (try > 1)
        g_usleep((gulong) g_random_int_range(0, 1000 << MIN(try, 6)));
    return try < COMMIT_TRIES && (!try || g_get_monotonic_time() < give_up_us);
}

/* A held copy that comes again is held where it is now. */
static gboolean
move_hold(MrgMerge *merge, GError **error)
{
    const MrgHold hold = hold_of(merge);
    mrg_merge_start_deadline(merge);
    return !hold.host ||
           mrg_store_move_hold(merge->pipeline->store, &hold, merge->deadline_us, error);
}

/* The recorded outcome let the copy go, and this retry of it is stopped.  The outcome
 * stands: somebody may have the copy; so this is recorded beside it, by another name. */
static void
record_stop(MrgMerge *merge)
{
    static const char name[] = "stopped";
    const char *texts[] = {(const char *) merge->key.bytes, name};
    const gsize lengths[] = {MRG_KEY_BYTES, sizeof name - 1};
    MrgOutcome outcome = outcome_of(merge, FALSE);
    MrgCommit last = MRG_COMMIT_CONFLICT;
    g_autoptr(GError) error = NULL;
    mrg_message_key(merge->pipeline->keyring, texts, lengths, G_N_ELEMENTS(texts),
                    &outcome.message);
    for (guint try = 0; try < STOP_TRIES && last == MRG_COMMIT_CONFLICT; try++) {
        if (try && !load_state(merge, &error))
            break;
        outcome.version = merge->state.own.version;
        mrg_merge_start_deadline(merge);
        last =
            mrg_store_commit(merge->pipeline->store, &outcome, merge->deadline_us, &error);
    }
    if (last != MRG_COMMIT_DONE)
        g_warning("a retry that was stopped is not recorded: %s",
                  error ? error->message : "the person's state keeps changing");
}

/* Whether what the policy says now fits the copy that was made: for that time, and with
 * nothing in it that the person no longer agrees to. */
static gboolean
fits_copy(const MrgMerge *merge, gint64 made_for_us)
{
    const MrgDecision *decision = &merge->decision;
    return mrg_merge_out_us(merge) == made_for_us &&
           (decision->may_track_open || !(merge->tracked & MRG_TRACKED_OPENS)) &&
           (decision->may_track_click || !(merge->tracked & MRG_TRACKED_CLICKS));
}

/* is_stale: the state has changed for certain, and a first try would be in vain. */
static gboolean
commit(MrgMerge *merge, gboolean is_stale, GError **error)
{
    gboolean was_going_out = mrg_merge_is_going_out(merge);
    gint64 made_for_us = mrg_merge_out_us(merge);
    MrgCommit last = MRG_COMMIT_DONE;
    gint64 give_up_us = g_get_monotonic_time() + merge->pipeline->conf->store_deadline;
    for (guint try = 0; may_try(try, give_up_us) && !merge->state.is_repeat; try++) {
        MrgCommit before = last;
        last =
            is_stale && !try
                ? MRG_COMMIT_CONFLICT
                : commit_once(merge, is_final_verdict(merge->disposition->verdict), error);
        if (last == MRG_COMMIT_DONE || last == MRG_COMMIT_ERROR)
            return last == MRG_COMMIT_DONE;
        if (!load_state(merge, error) || !read_state(merge, error))
            return FALSE;
        take_decision(merge);
        /* A copy that was not made, or was made otherwise, cannot go out now: it comes
         * again. And who is uncertain twice, although the outcome is not there, will not do
         * better. */
        if (mrg_merge_is_going_out(merge) &&
            !(was_going_out && fits_copy(merge, made_for_us)))
            return fail_commit(last, error);
        if (last == MRG_COMMIT_UNCERTAIN && before == last)
            break;
    }
    if (!merge->state.is_repeat || mrg_merge_is_going_out(merge) != was_going_out)
        return fail_commit(last, error);
    if (merge->disposition->verdict == MRG_VERDICT_HOLD)
        return move_hold(merge, error);
    if (!was_going_out && merge->state.repeat_verdict != MRG_VERDICT_DROP)
        record_stop(merge);
    return TRUE;
}

/* Those who write to accounts that people share do so one after the other: of many at once,
 * each round of the store's compare-and-swap lets one through. */
gboolean
mrg_step_commit(MrgMerge *merge, GError **error)
{
    const MrgPipeline *pipeline = merge->pipeline;
    const MrgState *state = &merge->state;
    if (!mrg_merge_commits(merge))
        return TRUE;
    if (!state->n_shared || state->is_repeat ||
        (!mrg_merge_is_going_out(merge) && !pipeline->counts_attempts))
        return commit(merge, FALSE, error);
    gboolean has_waited;
    gint64 until_us =
        g_get_monotonic_time() + TURN_DEADLINES * pipeline->conf->store_deadline;
    guint64 taken = mrg_turns_take(pipeline->turns, state->shared, state->n_shared,
                                   until_us, &has_waited);
    gboolean is_done = commit(merge, has_waited, error);
    mrg_turns_give(pipeline->turns, taken);
    return is_done;
}

/* A refusal is recorded too, where that is possible, for whoever asks why. */
static void
record_refusal(MrgMerge *merge)
{
    if (!merge->has_state || merge->state.is_repeat || merge->mode != MRG_MODE_MERGE)
        return;
    g_autoptr(GError) error = NULL;
    if (commit_once(merge, FALSE, &error) == MRG_COMMIT_ERROR)
        g_warning("a refusal is not recorded: %s", error->message);
}

void
mrg_merge_fail(MrgMerge *merge, const GError *error)
{
    const MrgDisposition *disposition = mrg_disposition_of_error(error);
    merge->disposition = disposition;
    merge->reason = mrg_arena_printf(merge->envelope->arena, "%s: %s", disposition->gate,
                                     error->message);
    merge->reply = disposition->is_private
                       ? disposition->text
                       : mrg_arena_strdup(merge->envelope->arena, error->message);
    if (error->domain != MRG_STORE_ERROR)
        record_refusal(merge);
}
