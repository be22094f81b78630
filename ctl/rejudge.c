/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/rejudge.h"
#include "milter/clock.h"
#include "milter/policy/history.h"
#include "milter/policy/shared.h"

#define TRIES 5
#define EVENTS_MAX 1000 /* of a person, in which that of the hold is looked for */
/* A message arrives when its transmission begins, and is held when it has ended. */
#define ARRIVED_BEFORE_US (3600 * MRG_SECOND_US)
#define ARRIVED_AFTER_US (60 * MRG_SECOND_US)

/* Postfix uses queue ids again: it must have come when the hold was made, for this person.
 */
const MrgQueued *
mrg_rejudge_find(const MrgRejudge *self, const MrgQueue *queue, const MrgHold *hold)
{
    const MrgQueued *queued = mrg_queue_find(queue, hold->queue_id);
    if (!queued || queued->arrived_us < hold->at_us - ARRIVED_BEFORE_US ||
        queued->arrived_us > hold->at_us + ARRIVED_AFTER_US)
        return NULL;
    MrgPersonKey key;
    const char *address = mrg_address_normalise(queued->recipient, self->people->arena);
    if (!address)
        return NULL;
    mrg_person_key(self->people->keyring, address, &key);
    return memcmp(&key, &hold->person, sizeof key) == 0 ? queued : NULL;
}

/* ---- the decision ------------------------------------------------------ */

typedef struct Judged {
    MrgStanding standing;
    MrgDecision decision;
} Judged;

static int
load(const MrgRejudge *self, const MrgHold *hold, const MrgQueued *queued,
     MrgStanding *standing)
{
    const char *address = mrg_address_normalise(queued->recipient, self->people->arena);
    int code =
        mrg_people_standing(self->people, &hold->person, address, &hold->message, standing);
    if (code)
        return code;
    MrgCandidate *candidate = &standing->candidate;
    candidate->campaign = hold->campaign;
    candidate->class_name = hold->class_name;
    candidate->list = *hold->list ? hold->list : NULL;
    mrg_state_find_copy(&standing->view, hold);
    const MrgSend *copy = standing->view.own.copy;
    if (copy) {
        candidate->sender = copy->sender;
        candidate->tags = copy->tags;
    }
    return EX_OK;
}

/* Who asks for a copy by name wants it now; quiet hours are then theirs to mind.  One that
 * was held for somebody to look at stays until then. */
static void
decide(const MrgRejudge *self, const MrgHold *hold, Judged *judged)
{
    MrgPolicy policy = self->people->conf->policy;
    MrgCandidate *candidate = &judged->standing.candidate;
    if (self->is_asked_for)
        policy.n_quiets = 0;
    else
        candidate->send_at_us = hold->until_us ? hold->until_us : self->now_us;
    mrg_decide(&policy, &judged->standing.view, candidate, self->now_us,
               self->people->arena, &judged->decision);
    MrgDecision *decision = &judged->decision;
    if (decision->verdict == MRG_VERDICT_DELIVER && !hold->until_us &&
        !self->is_asked_for) {
        decision->verdict = MRG_VERDICT_HOLD;
        decision->reason = "hold: until somebody releases it";
        decision->retry_at_us = 0;
    }
}

static MrgVerdict
settled_verdict(const MrgDecision *decision)
{
    switch (decision->verdict) {
    case MRG_VERDICT_DELIVER:
        return MRG_VERDICT_DELIVER;
    case MRG_VERDICT_DROP:
    case MRG_VERDICT_REJECT: /* its sender is long gone */
        return MRG_VERDICT_DROP;
    case MRG_VERDICT_DEFER:
    case MRG_VERDICT_HOLD:
        break;
    }
    return MRG_VERDICT_HOLD;
}

typedef struct Carried {
    const MrgMessageKey *message;
    guint tracked;
} Carried;

static gboolean
find_carried(const MrgPersonKey *person G_GNUC_UNUSED, const MrgEvent *event,
             gpointer context)
{
    Carried *carried = context;
    if (memcmp(&event->message, carried->message, sizeof *carried->message) == 0)
        carried->tracked = event->tracked;
    return !carried->tracked;
}

/* What the copy carries stands in the record of its hold.  It is said again of what becomes
 * of it, since rates are of the copies that went out and carried something, and the record
 * of the hold is the first to go with age. */
static gboolean
read_carried(const MrgRejudge *self, const MrgHold *hold, guint *tracked, GError **error)
{
    Carried carried = {&hold->message, 0};
    gboolean is_read = mrg_store_events(self->people->store, &hold->person, EVENTS_MAX,
                                        find_carried, &carried, error);
    *tracked = carried.tracked;
    return is_read;
}

/* What carries over to the accounts is the caller's to add. */
static MrgOutcome
outcome_of(const MrgRejudge *self, const MrgHold *hold, const Judged *judged,
           MrgVerdict verdict)
{
    const MrgCandidate *candidate = &judged->standing.candidate;
    return (MrgOutcome){.person = hold->person,
                        .message = hold->message,
                        .event = {.at_us = self->now_us,
                                  .campaign = hold->campaign,
                                  .class_name = hold->class_name,
                                  .sender = candidate->sender ? candidate->sender : "",
                                  .tags = candidate->tags ? candidate->tags : "",
                                  .verdict = verdict,
                                  .reason = judged->decision.reason},
                        .version = judged->standing.state.own.version,
                        .is_final = TRUE,
                        .until_us =
                            verdict == MRG_VERDICT_HOLD ? judged->decision.retry_at_us : 0};
}

static MrgCommit
settle(const MrgRejudge *self, const MrgHold *hold, const Judged *judged,
       MrgVerdict verdict, GError **error)
{
    static const MrgSendKind kinds[] = {[MRG_VERDICT_DELIVER] = MRG_SEND_SENT,
                                        [MRG_VERDICT_DROP] = MRG_SEND_ATTEMPTED,
                                        [MRG_VERDICT_HOLD] = MRG_SEND_HELD};
    MrgArena *arena = self->people->arena;
    const MrgCandidate *candidate = &judged->standing.candidate;
    MrgOutcome outcome = outcome_of(self, hold, judged, verdict);
    gint64 until_us = outcome.until_us;
    gboolean is_waiting = verdict == MRG_VERDICT_HOLD && !until_us;
    const MrgPolicy *policy = &self->people->conf->policy;
    const MrgSend send = {.at_us = is_waiting ? hold->at_us
                                   : until_us ? until_us
                                              : self->now_us,
                          .class_name = hold->class_name,
                          .campaign = hold->campaign,
                          .sender = candidate->sender,
                          .tags = candidate->tags,
                          .kind = kinds[verdict]};
    outcome.n_shared = judged->standing.state.n_shared;
    if (verdict != MRG_VERDICT_DROP &&
        !read_carried(self, hold, &outcome.event.tracked, error))
        return MRG_COMMIT_ERROR;
    outcome.history = mrg_history_append(&judged->standing.view.own, &send, policy,
                                         self->now_us, arena, error);
    if (!outcome.history)
        return MRG_COMMIT_ERROR;
    outcome.history_length = strlen(outcome.history);
    for (gsize i = 0; i < outcome.n_shared; i++) {
        MrgAccount *account = &outcome.shared[i];
        *account = judged->standing.state.shared[i];
        account->history = mrg_history_append(&judged->standing.view.shared[i], &send,
                                              policy, self->now_us, arena, error);
        if (!account->history)
            return MRG_COMMIT_ERROR;
        account->history_length = strlen(account->history);
    }
    return mrg_store_settle_hold(self->people->store, &outcome, error);
}

static int
note(MrgHeldCopy *copy, MrgVerdict verdict, const char *reason)
{
    copy->fate = verdict == MRG_VERDICT_DELIVER ? MRG_FATE_RELEASE
                 : verdict == MRG_VERDICT_DROP  ? MRG_FATE_DELETE
                                                : MRG_FATE_STAY;
    copy->reason = g_strdup(reason);
    return EX_OK;
}

/* It is counted, so caps no longer matter; but hours may lie between that run and this one,
 * and whoever unsubscribed in them gets none. */
static void
decide_settled(const MrgRejudge *self, Judged *judged)
{
    MrgPolicy policy = self->people->conf->policy;
    MrgArena *arena = self->people->arena;
    policy.n_caps = policy.n_quiets = 0;
    judged->standing.candidate.preference = (MrgPreference){.limit = MRG_UNLIMITED};
    mrg_decide(&policy, &judged->standing.view, &judged->standing.candidate, self->now_us,
               arena, &judged->decision);
    judged->decision.reason = mrg_arena_printf(arena,
                                               "%s (the run that was to release it "
                                               "died)",
                                               judged->decision.reason);
}

/* The copies stay counted: that errs on the side of less mail. */
static MrgCommit
withdraw(const MrgRejudge *self, const MrgHold *hold, const Judged *judged, GError **error)
{
    const MrgOutcome outcome = outcome_of(self, hold, judged, MRG_VERDICT_DROP);
    return self->is_dry ? MRG_COMMIT_DONE
                        : mrg_store_settle_hold(self->people->store, &outcome, error);
}

static int
rejudge_settled(const MrgRejudge *self, MrgHeldCopy *copy, const MrgQueued *queued)
{
    static const char by_another[] = "settled by an earlier run";
    if (copy->hold.settlement == MRG_VERDICT_DROP)
        return note(copy, MRG_VERDICT_DROP, by_another);
    for (int try = 0; try < TRIES; try++) {
        g_autoptr(GError) error = NULL;
        Judged judged;
        int code = load(self, &copy->hold, queued, &judged.standing);
        if (code)
            return code;
        decide_settled(self, &judged);
        if (settled_verdict(&judged.decision) != MRG_VERDICT_DROP)
            return note(copy, MRG_VERDICT_DELIVER, by_another);
        MrgCommit done = withdraw(self, &copy->hold, &judged, &error);
        if (done == MRG_COMMIT_ERROR)
            return mrg_verb_fail(error);
        if (done == MRG_COMMIT_DONE)
            return note(copy, MRG_VERDICT_DROP, judged.decision.reason);
    }
    copy->fate = MRG_FATE_LATER;
    return EX_OK;
}

int
mrg_rejudge(const MrgRejudge *self, MrgHeldCopy *copy, const MrgQueued *queued)
{
    const MrgHold *hold = &copy->hold;
    if (hold->is_settled)
        return rejudge_settled(self, copy, queued);
    for (int try = 0; try < TRIES; try++) {
        g_autoptr(GError) error = NULL;
        Judged judged;
        int code = load(self, hold, queued, &judged.standing);
        if (code)
            return code;
        /* Nobody but a release run settles, and this one is alone on its host: what went
         * out already is not this copy, which came again since. */
        if (judged.standing.state.is_repeat &&
            judged.standing.state.repeat_verdict == MRG_VERDICT_DELIVER)
            return note(copy, MRG_VERDICT_DROP, "double: this copy went out before");
        decide(self, hold, &judged);
        MrgVerdict verdict = settled_verdict(&judged.decision);
        MrgCommit done =
            self->is_dry ? MRG_COMMIT_DONE : settle(self, hold, &judged, verdict, &error);
        if (done == MRG_COMMIT_ERROR)
            return mrg_verb_fail(error);
        if (done == MRG_COMMIT_DONE)
            return note(copy, verdict, judged.decision.reason);
    }
    copy->fate = MRG_FATE_LATER;
    return EX_OK;
}
