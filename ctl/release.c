/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release: what becomes of the copies in this host's hold queue.
 *
 * Each is judged again (rejudge.h).  The ledger is told first, then Postfix (keeper.h), and
 * then the hold ends: a run that dies in between is finished by the next one, which finds
 * the settlement.  A copy is touched only where the queue has it held, for this person
 * alone, since the time at which it was held.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "ctl/keeper.h"
#include "ctl/rejudge.h"
#include "ctl/terminal.h"
#include "milter/clock.h"

/* Copies that are judged before Postfix is told, and holds that end in one commit. */
#define CHUNK 500

/* The ledger knows of a copy a moment before it stands in the queue. */
#define YOUNG_US (600 * MRG_SECOND_US)

typedef struct Request {
    char *campaign, *directory;
    gboolean is_due, is_all, is_dry;
} Request;

typedef struct Release {
    const Request *request;
    MrgKeeper *keeper;
    MrgRejudge judge;
    GPtrArray *copies; /* MrgHeldCopy */
    guint n_of[MRG_N_FATES];
    guint n_held; /* messages in the hold queue, ours or not */
} Release;

/* ---- what becomes of each ---------------------------------------------- */

static MrgHeldCopy *
copy_at(const Release *self, guint i)
{
    return g_ptr_array_index(self->copies, i);
}

/* Those of the copies with one of the fates, a bit for each; NULL with error. */
static MrgQueue *
read_queue(const Release *self, guint fates, GError **error)
{
    g_autoptr(MrgQueue) queue = mrg_queue_new();
    guint n_wanted = 0;
    for (guint i = 0; i < self->copies->len; i++) {
        const MrgHeldCopy *copy = copy_at(self, i);
        if (!(fates & 1u << copy->fate))
            continue;
        mrg_queue_want(queue, copy->hold.queue_id);
        n_wanted++;
    }
    /* A long queue takes Postfix a while: it is asked only for a reason. */
    if ((n_wanted || self->request->is_all) &&
        !mrg_keeper_list(self->keeper, mrg_queue_feed, queue, error))
        return NULL;
    return g_steal_pointer(&queue);
}

/* What is not in the queue may be about to come, unless a run was about to let it go. */
static gboolean
is_done_with(const Release *self, const MrgHold *hold)
{
    return hold->at_us <= self->judge.now_us - YOUNG_US ||
           (hold->is_settled && hold->settlement == MRG_VERDICT_DELIVER);
}

/* Those from first to before end, which is less where the store fails. */
static int
judge_some(Release *self, const MrgQueue *queue, guint first, guint end)
{
    int code = EX_OK, worst = EX_OK;
    for (guint i = first; i < end && !code; i++) {
        MrgHeldCopy *copy = copy_at(self, i);
        const MrgQueued *queued = mrg_rejudge_find(&self->judge, queue, &copy->hold);
        if (queued)
            code = mrg_rejudge(&self->judge, copy, queued);
        else if (is_done_with(self, &copy->hold))
            copy->fate = MRG_FATE_GONE;
        if (code == EX_DATAERR) { /* one person's; the others' copies go on */
            worst = code;
            code = EX_OK;
        }
        mrg_arena_reset(self->judge.people->arena);
    }
    return code ? code : worst;
}

/* ---- Postfix ----------------------------------------------------------- */

static gboolean
change_some(const Release *self, guint first, guint end, MrgFate fate,
            MrgKeeperChange change, GError **error)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new();
    for (guint i = first; i < end; i++)
        if (copy_at(self, i)->fate == fate)
            g_ptr_array_add(ids, (gpointer) copy_at(self, i)->hold.queue_id);
    if (!mrg_keeper_change(self->keeper, change, ids, error))
        return FALSE;
    /* Where that fails, they go with the next queue run. */
    if (fate == MRG_FATE_RELEASE && ids->len)
        mrg_keeper_run_queue(self->keeper, NULL);
    return TRUE;
}

static int
fail_postfix(const GError *error)
{
    g_printerr("merganser: %s; what is left, the next run does\n", error->message);
    return EX_UNAVAILABLE;
}

/* What is settled is told to Postfix, even where a later one failed, and before many more
 * are judged: who is suppressed meanwhile shall get none. */
static int
judge_and_tell(Release *self, const MrgQueue *queue)
{
    MrgProgress progress;
    g_autoptr(GError) error = NULL;
    int code = EX_OK, worst = EX_OK;
    gboolean is_told = TRUE;
    mrg_progress_begin(&progress, "held copies", NULL);
    for (guint first = 0; first < self->copies->len && !code && is_told; first += CHUNK) {
        guint end = MIN(self->copies->len, first + CHUNK);
        code = judge_some(self, queue, first, end);
        if (code == EX_DATAERR) {
            worst = code;
            code = EX_OK;
        }
        is_told =
            self->request->is_dry ||
            (change_some(self, first, end, MRG_FATE_DELETE, MRG_KEEPER_DELETE, &error) &&
             change_some(self, first, end, MRG_FATE_RELEASE, MRG_KEEPER_RELEASE, &error));
        mrg_progress_step(&progress, end, self->copies->len);
    }
    mrg_progress_end(&progress);
    return !is_told ? fail_postfix(error) : code ? code : worst;
}

/* A commit for some of them: what dies in between, the next run finds gone from the queue.
 */
static gboolean
end_some(const Release *self, const GArray *done, GError **error)
{
    const MrgMessageKey *keys = (const MrgMessageKey *) (gpointer) done->data;
    for (guint first = 0; first < done->len; first += CHUNK)
        if (!mrg_store_end_holds(self->judge.people->store, keys + first,
                                 MIN(CHUNK, done->len - first), error))
            return FALSE;
    return TRUE;
}

/* Those that the queue no longer holds are done; the others are for the next run. */
static gboolean
end_holds(const Release *self, GError **error)
{
    const guint told = 1u << MRG_FATE_RELEASE | 1u << MRG_FATE_DELETE;
    g_autoptr(GArray) done = g_array_new(FALSE, FALSE, sizeof(MrgMessageKey));
    g_autoptr(MrgQueue) after = read_queue(self, told, error);
    if (!after)
        return FALSE;
    for (guint i = 0; i < self->copies->len; i++) {
        MrgHeldCopy *copy = copy_at(self, i);
        gboolean is_told = told & 1u << copy->fate;
        if (is_told && mrg_queue_find(after, copy->hold.queue_id))
            copy->fate = MRG_FATE_LATER;
        else if (is_told || copy->fate == MRG_FATE_GONE)
            g_array_append_val(done, copy->hold.message);
    }
    return end_some(self, done, error);
}

/* ---- what is said ------------------------------------------------------ */

static const char *const fate_names[MRG_N_FATES] = {
    [MRG_FATE_STAY] = "hold", [MRG_FATE_RELEASE] = "release", [MRG_FATE_DELETE] = "delete",
    [MRG_FATE_GONE] = "gone", [MRG_FATE_LATER] = "later",
};

static const char *
reason_of(const MrgHeldCopy *copy)
{
    return copy->reason                   ? copy->reason
           : copy->fate == MRG_FATE_LATER ? "this person's ledger kept changing"
           : copy->fate == MRG_FATE_GONE  ? "not in the hold queue"
                                          : "not judged, or not in the hold queue yet";
}

static json_t *
copies_json(const Release *self)
{
    json_t *list = json_array();
    for (guint i = 0; i < self->copies->len; i++) {
        const MrgHeldCopy *copy = copy_at(self, i);
        char key[MRG_KEY_TEXT_BYTES];
        mrg_key_print(&copy->hold.person, key);
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s,s:s,s:s}", "fate", fate_names[copy->fate],
                            "queue_id", copy->hold.queue_id, "campaign",
                            copy->hold.campaign, "person", key, "reason", reason_of(copy)));
    }
    return list;
}

static void
say_json(const Release *self)
{
    const guint *n_of = self->n_of;
    json_t *json =
        json_pack("{s:i,s:i,s:i,s:i,s:i,s:b}", "released", (int) n_of[MRG_FATE_RELEASE],
                  "deleted", (int) n_of[MRG_FATE_DELETE], "held", (int) n_of[MRG_FATE_STAY],
                  "gone", (int) n_of[MRG_FATE_GONE], "later", (int) n_of[MRG_FATE_LATER],
                  "dry_run", self->request->is_dry);
    if (self->request->is_dry)
        json_object_set_new(json, "copies", copies_json(self));
    mrg_print_json(json);
}

static void
say_text(const Release *self)
{
    const guint *n_of = self->n_of;
    guint n_ours = self->copies->len - n_of[MRG_FATE_GONE];
    for (guint i = 0; self->request->is_dry && i < self->copies->len; i++) {
        const MrgHeldCopy *copy = copy_at(self, i);
        g_print("%-8s %-16s %-20s %s\n", fate_names[copy->fate], copy->hold.queue_id,
                copy->hold.campaign, reason_of(copy));
    }
    g_print("%s%u released, %u deleted, %u stay, %u were gone\n",
            self->request->is_dry ? "nothing is changed; it would be: " : "",
            n_of[MRG_FATE_RELEASE], n_of[MRG_FATE_DELETE], n_of[MRG_FATE_STAY],
            n_of[MRG_FATE_GONE]);
    if (n_of[MRG_FATE_LATER])
        g_print("%u are left to the next run\n", n_of[MRG_FATE_LATER]);
    if (self->request->is_all && self->n_held > n_ours)
        g_print("%u more messages are held here that merganser did not hold; 'postqueue "
                "-p' shows them\n",
                self->n_held - n_ours);
}

static void
say(Release *self, const MrgTool *tool)
{
    for (guint i = 0; i < self->copies->len; i++)
        self->n_of[copy_at(self, i)->fate]++;
    if (tool->is_json)
        say_json(self);
    else
        say_text(self);
}

/* ---- the verb ---------------------------------------------------------- */

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

/* Those that are not due yet are here because what their people want has changed. */
static int
compare_urgency(gconstpointer a, gconstpointer b, gpointer now_us)
{
    const MrgHeldCopy *x = *(MrgHeldCopy *const *) a, *y = *(MrgHeldCopy *const *) b;
    gint64 now = *(const gint64 *) now_us;
    return (y->hold.until_us > now) - (x->hold.until_us > now);
}

static int
run_locked(Release *self, const MrgTool *tool)
{
    g_autoptr(GError) error = NULL;
    const Request *request = self->request;
    const MrgHoldFilter filter = {self->judge.people->conf->policy_host, request->campaign,
                                  self->judge.is_asked_for ? G_MAXINT64
                                                           : self->judge.now_us};
    self->copies = mrg_holds_read(self->judge.people, &filter, &error);
    if (!self->copies)
        return mrg_verb_fail(error);
    g_ptr_array_sort_with_data(self->copies, compare_urgency, &self->judge.now_us);
    g_autoptr(MrgQueue) queue = read_queue(self, ~0u, &error);
    if (!queue) {
        g_printerr("merganser: %s\n", error->message);
        return EX_UNAVAILABLE;
    }
    self->n_held = mrg_queue_n_held(queue);
    int code = judge_and_tell(self, queue);
    if (!request->is_dry && !end_holds(self, &error))
        return fail_postfix(error);
    if (!code || code == EX_DATAERR)
        say(self, tool);
    return code;
}

static int
run_with(MrgKeeper *keeper, const Request *request, const MrgTool *tool)
{
    g_auto(MrgPeople) people = {0};
    int lock = -1;
    int code = mrg_people_open(&people, tool);
    if (!code && !request->is_dry)
        code = lock_host(people.conf, &lock);
    if (!code) {
        Release self = {.request = request,
                        .keeper = keeper,
                        .judge = {.people = &people,
                                  .now_us = mrg_clock_now_us(),
                                  .is_asked_for = request->is_all || request->campaign,
                                  .is_dry = request->is_dry}};
        code = run_locked(&self, tool);
        g_clear_pointer(&self.copies, g_ptr_array_unref);
    }
    if (lock >= 0)
        close(lock);
    return code;
}

/* The keeper stays root; what follows becomes the daemon's user. */
static int
run(const Request *request, const MrgTool *tool)
{
    g_autoptr(GError) error = NULL;
    if (request->is_due + request->is_all + (request->campaign != NULL) > 1)
        return mrg_verb_usage("--due, --all and --campaign exclude each other");
    g_autoptr(MrgKeeper) keeper = mrg_keeper_start(request->directory, &error);
    return keeper ? run_with(keeper, request, tool) : mrg_verb_fail(error);
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
