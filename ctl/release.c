/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release: what becomes of the copies in this host's hold queue.
 *
 * Each is judged again by the function that the milter asks.  The ledger is told first
 * (settle), then Postfix (postsuper), and then the hold ends: a run that dies in between is
 * finished by the next one, which finds the settlement.  A copy is touched only where the
 * queue has it held, for this person alone, since the time at which it was held: Postfix
 * uses queue ids again.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "ctl/queue.h"
#include "ctl/terminal.h"
#include "ctl/verb.h"
#include "ctl/words.h"
#include "milter/clock.h"
#include "milter/policy/history.h"
#include "milter/policy/shared.h"

#define TRIES 5
/* A message arrives when its transmission begins, and is held when it has ended. */
#define ARRIVED_BEFORE_US (3600 * MRG_SECOND_US)
#define ARRIVED_AFTER_US (60 * MRG_SECOND_US)
/* The ledger knows of a copy a moment before it stands in the queue. */
#define YOUNG_US (600 * MRG_SECOND_US)

/* Who was not looked at stays. */
typedef enum { STAY, RELEASE, DELETE, GONE, N_FATES } Fate;

typedef struct Held {
    MrgHold hold;
    Fate fate;
    char *reason;
} Held;

typedef struct Release {
    MrgPeople *people;
    const char *directory; /* of Postfix; NULL: the machine's own */
    const char *campaign;
    gboolean is_all, is_dry;
    gint64 now_us;
    GPtrArray *held;
    MrgQueue *queue;
    guint n_of[N_FATES];
    guint n_later; /* that kept changing, or that Postfix did not do */
} Release;

/* ---- the list ---------------------------------------------------------- */

static void
held_free(gpointer data)
{
    Held *held = data;
    g_free((gpointer) held->hold.host);
    g_free((gpointer) held->hold.queue_id);
    g_free((gpointer) held->hold.campaign);
    g_free((gpointer) held->hold.class_name);
    g_free(held->reason);
    g_free(held);
}

/* Visitors ask the store for nothing: what they see is kept for later. */
static gboolean
keep(const MrgHold *hold, gpointer context)
{
    GPtrArray *list = context;
    Held *held = g_new0(Held, 1);
    held->hold = *hold;
    held->hold.host = g_strdup(hold->host);
    held->hold.queue_id = g_strdup(hold->queue_id);
    held->hold.campaign = g_strdup(hold->campaign);
    held->hold.class_name = g_strdup(hold->class_name);
    g_ptr_array_add(list, held);
    return TRUE;
}

static GPtrArray *
list_holds(const MrgPeople *people, const MrgHoldFilter *filter, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(held_free);
    return mrg_store_holds(people->store, filter, keep, list, error)
               ? g_steal_pointer(&list)
               : NULL;
}

/* ---- the copy in the queue --------------------------------------------- */

/* NULL where there is nothing that may be touched. */
static const MrgQueued *
find_copy(const Release *self, const MrgHold *hold)
{
    const MrgQueued *copy = mrg_queue_find(self->queue, hold->queue_id);
    if (!copy || copy->arrived_us < hold->at_us - ARRIVED_BEFORE_US ||
        copy->arrived_us > hold->at_us + ARRIVED_AFTER_US)
        return NULL;
    MrgPersonKey key;
    const char *address = mrg_address_normalise(copy->recipient, self->people->arena);
    if (!address || copy->n_recipients != 1)
        return NULL;
    mrg_person_key(self->people->keyring, address, &key);
    if (memcmp(&key, &hold->person, sizeof key) != 0 || !copy->is_held)
        return NULL;
    return copy;
}

/* ---- the decision ------------------------------------------------------ */

typedef struct Judged {
    MrgState state;
    MrgStateView view;
    MrgShared shared;
    MrgCandidate candidate;
    MrgDecision decision;
} Judged;

/* The record does not say which list the copy is for: whoever left any since gets none. */
static gboolean
left_a_list(const MrgState *state, const MrgHold *hold)
{
    for (gsize i = 0; i < state->n_suppressions; i++)
        if (g_str_has_prefix(state->suppressions[i].scope, "list:") &&
            state->suppressions[i].at_us >= hold->at_us)
            return TRUE;
    return FALSE;
}

static int
load(const Release *self, const MrgHold *hold, const MrgQueued *copy, Judged *judged)
{
    g_autoptr(GError) error = NULL;
    const MrgPeople *people = self->people;
    const MrgConf *conf = people->conf;
    const char *names[] = {conf->policy_household_field};
    MrgField household;
    const char *address = mrg_address_normalise(copy->recipient, people->arena);
    gint64 deadline_us = g_get_monotonic_time() + conf->store_deadline;
    *judged =
        (Judged){.candidate = {.campaign = hold->campaign, .class_name = hold->class_name}};
    int code = mrg_people_habits(self->people, &hold->person, &judged->candidate);
    if (code)
        return code;
    if (mrg_store_fetch(people->store, &hold->person, names, 1, &household, people->arena,
                        deadline_us, &error) == MRG_FETCH_ERROR)
        return mrg_verb_fail(error);
    mrg_shared_find(&judged->shared, &conf->policy, people->keyring, address,
                    household.type == MRG_FIELD_STRING ? household.text : NULL);
    if (!mrg_store_load(people->store, &hold->person, &hold->message, judged->shared.keys,
                        judged->shared.n, &judged->state, people->arena, deadline_us,
                        &error))
        return mrg_verb_fail(error);
    if (mrg_state_read(&judged->view, &judged->state, judged->shared.scopes, people->arena,
                       &error)) {
        mrg_state_find_copy(&judged->view, hold);
        return EX_OK;
    }
    char key[MRG_KEY_TEXT_BYTES];
    mrg_key_print(&hold->person, key);
    g_printerr(
        "merganser: person %s: %s; their copy stays held until 'merganser cap reset' "
        "forgets it\n",
        key, error->message);
    return EX_DATAERR;
}

/* Who asks for a copy by name wants it now; quiet hours are then theirs to mind.  One that
 * was held for somebody to look at stays until then. */
static void
decide(const Release *self, const MrgHold *hold, Judged *judged)
{
    MrgPolicy policy = self->people->conf->policy;
    gboolean is_asked_for = self->is_all || self->campaign;
    MrgCandidate *candidate = &judged->candidate;
    const MrgSend *copy = judged->view.own.copy;
    if (copy) {
        candidate->sender = copy->sender;
        candidate->tags = copy->tags;
    }
    if (is_asked_for)
        policy.n_quiets = 0;
    else
        candidate->send_at_us = hold->until_us ? hold->until_us : self->now_us;
    mrg_decide(&policy, &judged->view, candidate, self->now_us, self->people->arena,
               &judged->decision);
    MrgDecision *decision = &judged->decision;
    if (decision->verdict == MRG_VERDICT_DELIVER && left_a_list(&judged->state, hold)) {
        decision->verdict = MRG_VERDICT_DROP;
        decision->reason = "suppressed: unsubscribed";
    } else if (decision->verdict == MRG_VERDICT_DELIVER && !hold->until_us &&
               !is_asked_for) {
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

static MrgCommit
settle(const Release *self, const MrgHold *hold, const Judged *judged, MrgVerdict verdict,
       GError **error)
{
    static const MrgSendKind kinds[] = {[MRG_VERDICT_DELIVER] = MRG_SEND_SENT,
                                        [MRG_VERDICT_DROP] = MRG_SEND_ATTEMPTED,
                                        [MRG_VERDICT_HOLD] = MRG_SEND_HELD};
    MrgArena *arena = self->people->arena;
    const MrgCandidate *candidate = &judged->candidate;
    gint64 until_us = verdict == MRG_VERDICT_HOLD ? judged->decision.retry_at_us : 0;
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
    MrgOutcome outcome = {.person = hold->person,
                          .message = hold->message,
                          .event = {self->now_us, hold->campaign, hold->class_name,
                                    candidate->sender ? candidate->sender : "",
                                    candidate->tags ? candidate->tags : "", verdict,
                                    judged->decision.reason},
                          .version = judged->state.own.version,
                          .is_final = TRUE,
                          .until_us = until_us,
                          .n_shared = judged->state.n_shared};
    outcome.history =
        mrg_history_append(&judged->view.own, &send, policy, self->now_us, arena, error);
    if (!outcome.history)
        return MRG_COMMIT_ERROR;
    outcome.history_length = strlen(outcome.history);
    for (gsize i = 0; i < outcome.n_shared; i++) {
        MrgAccount *account = &outcome.shared[i];
        *account = judged->state.shared[i];
        account->history = mrg_history_append(&judged->view.shared[i], &send, policy,
                                              self->now_us, arena, error);
        if (!account->history)
            return MRG_COMMIT_ERROR;
        account->history_length = strlen(account->history);
    }
    return mrg_store_settle_hold(self->people->store, &outcome, error);
}

static void
note(Held *held, MrgVerdict verdict, const char *reason)
{
    held->fate = verdict == MRG_VERDICT_DELIVER ? RELEASE
                 : verdict == MRG_VERDICT_DROP  ? DELETE
                                                : STAY;
    held->reason = g_strdup(reason);
}

static int
judge(Release *self, Held *held, const MrgQueued *copy)
{
    for (int try = 0; try < TRIES; try++) {
        g_autoptr(GError) error = NULL;
        Judged judged;
        int code = load(self, &held->hold, copy, &judged);
        if (code)
            return code;
        /* Nobody but a release run settles, and this one is alone on its host: what went
         * out already is not this copy, which came again since. */
        if (judged.state.is_repeat && judged.state.repeat_verdict == MRG_VERDICT_DELIVER) {
            note(held, MRG_VERDICT_DROP, "double: this copy went out before");
            return EX_OK;
        }
        decide(self, &held->hold, &judged);
        MrgVerdict verdict = settled_verdict(&judged.decision);
        MrgCommit done = self->is_dry ? MRG_COMMIT_DONE
                                      : settle(self, &held->hold, &judged, verdict, &error);
        if (done == MRG_COMMIT_ERROR)
            return mrg_verb_fail(error);
        if (done == MRG_COMMIT_DONE) {
            note(held, verdict, judged.decision.reason);
            return EX_OK;
        }
    }
    self->n_later++;
    return EX_OK;
}

static int
judge_all(Release *self)
{
    MrgProgress progress;
    int code = EX_OK, worst = EX_OK;
    mrg_progress_begin(&progress, "held copies", NULL);
    for (guint i = 0; i < self->held->len && !code; i++) {
        Held *held = g_ptr_array_index(self->held, i);
        const MrgQueued *copy = find_copy(self, &held->hold);
        if (!copy)
            held->fate = held->hold.at_us > self->now_us - YOUNG_US ? STAY : GONE;
        else if (held->hold.is_settled)
            note(held, held->hold.settlement, "settled by an earlier run");
        else
            code = judge(self, held, copy);
        if (code == EX_DATAERR) { /* one person's; the others' copies go on */
            worst = code;
            code = EX_OK;
        }
        self->n_of[held->fate] += code == EX_OK;
        mrg_progress_step(&progress, i, self->held->len);
        mrg_arena_reset(self->people->arena);
    }
    mrg_progress_end(&progress);
    return code ? code : worst;
}

/* ---- Postfix ----------------------------------------------------------- */

static gboolean
change_all(const Release *self, Fate fate, const char *option, GError **error)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new();
    for (guint i = 0; i < self->held->len; i++) {
        const Held *held = g_ptr_array_index(self->held, i);
        if (held->fate == fate)
            g_ptr_array_add(ids, (gpointer) held->hold.queue_id);
    }
    if (!mrg_queue_change(self->directory, option, ids, error))
        return FALSE;
    if (fate == RELEASE)
        mrg_queue_hurry(self->directory, ids);
    return TRUE;
}

/* Those that the queue no longer holds are done; the others are for the next run. */
static gboolean
end_holds(Release *self, GError **error)
{
    g_autoptr(MrgQueue) after = mrg_queue_read(self->directory, error);
    if (!after)
        return FALSE;
    for (guint i = 0; i < self->held->len; i++) {
        const Held *held = g_ptr_array_index(self->held, i);
        const MrgQueued *copy = mrg_queue_find(after, held->hold.queue_id);
        gboolean is_told = held->fate == RELEASE || held->fate == DELETE;
        if (is_told && copy && copy->is_held) {
            self->n_later++;
            continue;
        }
        if ((is_told || held->fate == GONE) &&
            !mrg_store_end_hold(self->people->store, &held->hold.message, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- the verb ---------------------------------------------------------- */

static void
tell(const Release *self, const MrgTool *tool)
{
    guint n_known = self->n_of[RELEASE] + self->n_of[DELETE] + self->n_of[STAY];
    guint n_held = mrg_queue_n_held(self->queue);
    guint n_others = self->is_all && n_held > n_known ? n_held - n_known : 0;
    if (tool->is_json) {
        mrg_print_json(json_pack(
            "{s:i,s:i,s:i,s:i,s:i,s:b}", "released", (int) self->n_of[RELEASE], "deleted",
            (int) self->n_of[DELETE], "held", (int) self->n_of[STAY], "gone",
            (int) self->n_of[GONE], "later", (int) self->n_later, "dry_run", self->is_dry));
        return;
    }
    for (guint i = 0; self->is_dry && i < self->held->len; i++) {
        static const char *const words[] = {
            [STAY] = "hold", [RELEASE] = "release", [DELETE] = "delete", [GONE] = "gone"};
        const Held *held = g_ptr_array_index(self->held, i);
        g_print("%-8s %-16s %-20s %s\n", words[held->fate], held->hold.queue_id,
                held->hold.campaign, held->reason ? held->reason : "not in the hold queue");
    }
    g_print("%s%u released, %u deleted, %u stay, %u were gone\n",
            self->is_dry ? "nothing is changed; it would be: " : "", self->n_of[RELEASE],
            self->n_of[DELETE], self->n_of[STAY], self->n_of[GONE]);
    if (self->n_later)
        g_print("%u are left to the next run\n", self->n_later);
    if (n_others)
        g_print(
            "%u more messages are held here that merganser did not hold; 'postqueue -p' "
            "shows them\n",
            n_others);
}

/* One run at a time on a host; the lock goes with the process. */
static int
lock_host(const MrgConf *conf, int *lock)
{
    *lock = open(conf->path, O_RDONLY | O_CLOEXEC);
    if (*lock >= 0 && flock(*lock, LOCK_EX | LOCK_NB) == 0)
        return EX_OK;
    if (*lock >= 0 && errno == EWOULDBLOCK) {
        g_printerr("merganser: another release runs on this host; it does the work\n");
        return EX_TEMPFAIL;
    }
    g_printerr("merganser: %s: cannot be locked: %s\n", conf->path, g_strerror(errno));
    return EX_NOINPUT;
}

static int
run_locked(Release *self, const MrgTool *tool)
{
    g_autoptr(GError) error = NULL;
    const MrgConf *conf = self->people->conf;
    const MrgHoldFilter filter = {conf->policy_host, self->campaign,
                                  self->is_all || self->campaign ? G_MAXINT64
                                                                 : self->now_us};
    self->held = list_holds(self->people, &filter, &error);
    if (!self->held)
        return mrg_verb_fail(error);
    self->queue = mrg_queue_read(self->directory, &error);
    if (!self->queue) {
        g_printerr("merganser: %s\n", error->message);
        return EX_UNAVAILABLE;
    }
    int code = judge_all(self);
    /* What is settled is told to Postfix, even where a later one failed. */
    if (!self->is_dry &&
        (!change_all(self, RELEASE, "-H", &error) ||
         !change_all(self, DELETE, "-d", &error) || !end_holds(self, &error))) {
        g_printerr("merganser: %s; what is left, the next run does\n", error->message);
        return EX_UNAVAILABLE;
    }
    if (!code || code == EX_DATAERR)
        tell(self, tool);
    return code;
}

typedef struct Request {
    char *campaign, *directory;
    gboolean is_due, is_all, is_dry;
} Request;

static int
run(const Request *request, const MrgTool *tool)
{
    g_auto(MrgPeople) people = {0};
    int lock = -1;
    if (request->is_due + request->is_all + (request->campaign != NULL) > 1)
        return mrg_verb_usage("--due, --all and --campaign exclude each other");
    int code = mrg_people_open(&people, tool);
    if (!code && !request->is_dry)
        code = lock_host(people.conf, &lock);
    if (!code) {
        Release self = {.people = &people,
                        .directory = request->directory,
                        .campaign = request->campaign,
                        .is_all = request->is_all,
                        .is_dry = request->is_dry,
                        .now_us = mrg_clock_now_us()};
        code = run_locked(&self, tool);
        g_clear_pointer(&self.held, g_ptr_array_unref);
        g_clear_pointer(&self.queue, mrg_queue_free);
    }
    if (lock >= 0)
        close(lock);
    return code;
}

int
mrg_verb_release(MrgTool *tool, int argc, char **argv)
{
    Request request = {0};
    const GOptionEntry entries[] = {
        {"due", 0, 0, G_OPTION_ARG_NONE, &request.is_due,
         "those whose time has come, and those of people whose consent changed (default)",
         NULL},
        {"all", 0, 0, G_OPTION_ARG_NONE, &request.is_all,
         "all of this host, whatever their time", NULL},
        {"campaign", 0, 0, G_OPTION_ARG_STRING, &request.campaign,
         "those of one campaign, whatever their time", "ID"},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &request.is_dry,
         "say what would be done; change nothing", NULL},
        {"config-dir", 0, 0, G_OPTION_ARG_FILENAME, &request.directory,
         "main.cf of another Postfix", "DIRECTORY"},
        {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (!code)
        code = run(&request, tool);
    g_free(request.campaign);
    g_free(request.directory);
    return code;
}

/* ---- hold list --------------------------------------------------------- */

static void
print_hold(const MrgHold *hold, gboolean is_json, json_t *list)
{
    char key[MRG_KEY_TEXT_BYTES];
    g_autofree char *since = mrg_print_time(hold->at_us);
    g_autofree char *until = hold->until_us ? mrg_print_time(hold->until_us) : NULL;
    const char *settled = hold->is_settled ? mrg_verdict_name(hold->settlement) : NULL;
    mrg_key_print(&hold->person, key);
    if (is_json)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s?,s:s?}", "host",
                                              hold->host, "queue_id", hold->queue_id,
                                              "campaign", hold->campaign, "class",
                                              hold->class_name, "person", key, "since",
                                              since, "until", until, "settled", settled));
    else
        g_print("%-20s %-20s %-14s %-20s %-14s %s%s%s\n", since,
                until ? until : "until released", hold->queue_id, hold->campaign,
                hold->class_name, key, settled ? ", to " : "", settled ? settled : "");
}

int
mrg_verb_hold_list(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *campaign = NULL, *host = NULL;
    gboolean is_due = FALSE;
    const GOptionEntry entries[] = {
        {"campaign", 0, 0, G_OPTION_ARG_STRING, &campaign, "those of one campaign", "ID"},
        {"host", 0, 0, G_OPTION_ARG_STRING, &host, "those of one host; all by default",
         "NAME"},
        {"due", 0, 0, G_OPTION_ARG_NONE, &is_due,
         "those that the next release run looks at", NULL},
        {0}};
    g_auto(MrgPeople) people = {0};
    g_autoptr(GError) error = NULL;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (code)
        return code;
    const MrgHoldFilter filter = {host, campaign, is_due ? mrg_clock_now_us() : G_MAXINT64};
    g_autoptr(GPtrArray) held = list_holds(&people, &filter, &error);
    if (!held)
        return mrg_verb_fail(error);
    json_t *list = json_array();
    for (guint i = 0; i < held->len; i++)
        print_hold(&((Held *) g_ptr_array_index(held, i))->hold, tool->is_json, list);
    if (tool->is_json)
        mrg_print_json(json_incref(list));
    else if (!held->len)
        g_print("nothing is held\n");
    json_decref(list);
    return EX_OK;
}
