/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feedback: what mailbox providers and remote servers send back, and what follows from it.
 *
 * Whose copy a report is about, its header says: a sealed reference, or the token of its
 * one-click link, which nobody can make up.  An address in a report proves nothing:
 * somebody who wants Ann to get no mail could send one, so it is believed only where the
 * configuration says that reports come by a way that strangers cannot use.
 *
 * A report may come twice: a provider sends it again, or Postfix does after an answer that
 * was lost.  Of suppressions and deliveries the store makes one; of a copy's complaints
 * this does, for as long as the first is kept.
 */
#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "ctl/verb.h"
#include "milter/clock.h"
#include "milter/hits.h"
#include "milter/message/mime.h"
#include "milter/message/report.h"
#include "milter/stamp/token.h"

#define WORD_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* Whose position is moved on by each complaint of a copy, and tells nothing else. */
#define JOURNAL "feedback"
#define TRIES_MAX 20 /* each lost to another process that recorded a complaint */

typedef struct Feedback {
    MrgPeople *people;
    const char *recipient; /* of the report's envelope, for VERP; or NULL */
    guint n_reports, n_suppressed, n_repeated, n_unresolved, n_others;
} Feedback;

/* What one recipient of a report comes to. */
typedef struct Finding {
    MrgDeliveryState state;
    gboolean is_opt_out; /* a complaint that only asks to be left out */
    const char *code;
} Finding;

/* ---- whose ------------------------------------------------------------- */

/* The first word in the text that is a token of ours, for one of the two purposes. */
static gboolean
find_token(const Feedback *self, const char *text, MrgToken *token)
{
    const MrgKeyring *keyring = self->people->keyring;
    char target[MRG_TARGET_MAX + 1];
    while (*text) {
        gsize length = strspn(text, WORD_CHARACTERS);
        if (length == MRG_TOKEN_LENGTH &&
            (mrg_token_open(keyring, text, length, MRG_TOKEN_REPORT, token, target) ||
             mrg_token_open(keyring, text, length, MRG_TOKEN_UNSUBSCRIBE, token, target)))
            return TRUE;
        text += length ? length : 1;
    }
    return FALSE;
}

/* user=domain behind the plus of the local part, as Postfix writes it (VERP_README); NULL
 * where there is none.  The caller frees. */
static char *
read_verp(const char *recipient)
{
    const char *plus = recipient ? strchr(recipient, '+') : NULL;
    const char *at = recipient ? strrchr(recipient, '@') : NULL;
    if (!plus || !at || at < plus)
        return NULL;
    char *address = g_strndup(plus + 1, (gsize) (at - plus - 1));
    char *equals = strrchr(address, '=');
    if (equals) {
        *equals = '@';
        return address;
    }
    g_free(address);
    return NULL;
}

static gboolean
find_address(const Feedback *self, const char *address, MrgToken *token)
{
    MrgArena *arena = self->people->arena;
    g_autofree char *verp = *address ? NULL : read_verp(self->recipient);
    const char *normal = mrg_address_normalise(verp ? verp : address, arena);
    *token = (MrgToken){0};
    if (!normal)
        return FALSE;
    mrg_person_key(self->people->keyring, normal, &token->person);
    return TRUE;
}

/* ---- what -------------------------------------------------------------- */

/* RFC 3463: what says that there is no such mailbox, and will not be. */
static gboolean
is_hard(const char *status)
{
    static const char *const hard[] = {"5.0.0", "5.1.0", "5.1.1",  "5.1.2",
                                       "5.1.3", "5.1.6", "5.1.10", "5.2.1"};
    for (gsize i = 0; i < G_N_ELEMENTS(hard); i++)
        if (strcmp(hard[i], status) == 0)
            return TRUE;
    return FALSE;
}

/* Only abuse is a person who complains (RFC 5965, 7.3), and opt-out one who wants to be
 * left out (its drafts).  Of the others some are no person's: auth-failure (RFC 6591) is a
 * receiver's, of every copy that somebody forwards; virus a scanner's; fraud and other say
 * nothing of what the person wants, and not-spam (RFC 6430) the contrary. */
static gboolean
judge_complaint(const char *type, Finding *finding)
{
    finding->state = MRG_DELIVERY_COMPLAINT;
    finding->is_opt_out = g_ascii_strncasecmp(type, "opt-out", strlen("opt-out")) == 0;
    return finding->is_opt_out || g_ascii_strcasecmp(type, "abuse") == 0;
}

/* FALSE where nothing follows. */
static gboolean
judge(const MrgReport *report, const MrgReportRecipient *recipient, Finding *finding)
{
    *finding = (Finding){.code = recipient->status};
    if (report->kind == MRG_REPORT_FEEDBACK)
        return judge_complaint(report->feedback_type, finding);
    if (g_ascii_strcasecmp(recipient->action, "failed") == 0)
        finding->state = is_hard(recipient->status) ? MRG_DELIVERY_HARD_BOUNCE
                                                    : MRG_DELIVERY_SOFT_BOUNCE;
    else if (g_ascii_strcasecmp(recipient->action, "delayed") == 0)
        finding->state = MRG_DELIVERY_DEFERRED;
    else if (g_ascii_strcasecmp(recipient->action, "delivered") == 0)
        finding->state = MRG_DELIVERY_SENT;
    else
        return FALSE;
    return TRUE;
}

/* ---- what follows ------------------------------------------------------ */

typedef struct Counting {
    guint64 message; /* that does not count */
    guint n;
} Counting;

static gboolean
count_hard(const MrgDelivery *delivery, gpointer context)
{
    Counting *counting = context;
    counting->n += delivery->state == MRG_DELIVERY_HARD_BOUNCE &&
                   delivery->message != counting->message;
    return TRUE;
}

/* The reason to suppress the person for, "" for none; NULL on error. */
static const char *
reason_of(const Feedback *self, const MrgToken *token, const Finding *finding,
          GError **error)
{
    const MrgHitFilter filter = {.person = &token->person};
    Counting counting = {token->message, 1};
    if (finding->state == MRG_DELIVERY_COMPLAINT)
        return finding->is_opt_out ? "unsubscribed" : "complained";
    if (finding->state != MRG_DELIVERY_HARD_BOUNCE)
        return "";
    if (!mrg_store_deliveries(self->people->store, &filter, count_hard, &counting, error))
        return NULL;
    return counting.n >= self->people->conf->feedback_bounces ? "bounced" : "";
}

/* ---- told twice -------------------------------------------------------- */

typedef struct Earlier {
    guint64 message;
    gint64 at_us; /* of the copy's last complaint or opt-out; 0 for none */
} Earlier;

static gboolean
note_earlier(const MrgDelivery *delivery, gpointer context)
{
    Earlier *earlier = context;
    if (delivery->state == MRG_DELIVERY_COMPLAINT && delivery->message == earlier->message)
        earlier->at_us = delivery->at_us;
    return TRUE;
}

static gboolean
has_complaint(const MrgState *state, gint64 at_us)
{
    g_autofree char *line = g_strdup_printf("%" G_GINT64_FORMAT " complaint\n", at_us);
    const char *text = state->engagement_length ? state->engagement : "", *found = text;
    while ((found = strstr(found, line)) && found != text && found[-1] != '\n')
        found++;
    return found != NULL;
}

/* A complaint is an engagement of the very time that its copy's delivery has; an opt-out
 * has the delivery alone, and so hides no complaint that follows. */
static gboolean
find_counted(const Feedback *self, const MrgToken *token, gboolean *is_counted,
             GError **error)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    const MrgStore *store = self->people->store;
    const MrgHitFilter filter = {.person = &token->person};
    Earlier earlier = {token->message, 0};
    MrgState state;
    if (!mrg_store_deliveries(store, &filter, note_earlier, &earlier, error) ||
        !mrg_store_load(store, &token->person, NULL, NULL, 0, &state, arena,
                        g_get_monotonic_time() + self->people->conf->store_deadline, error))
        return FALSE;
    *is_counted = earlier.at_us && has_complaint(&state, earlier.at_us);
    return TRUE;
}

/* Only where nobody else records a complaint between this look and the batch: else that is
 * a conflict.  The time is taken after the position, so that no two complaints have one. */
static gboolean
look_back(const Feedback *self, const MrgToken *token, MrgHitBatch *batch,
          gboolean *is_counted, GError **error)
{
    batch->journal = JOURNAL;
    if (!mrg_store_journal_position(self->people->store, JOURNAL, &batch->from_segment,
                                    &batch->from_offset, error))
        return FALSE;
    batch->to_segment = batch->from_segment;
    batch->to_offset = batch->from_offset + 1;
    return find_counted(self, token, is_counted, error);
}

/* ---- recording --------------------------------------------------------- */

/* Without a copy there is nothing by which to tell that a complaint comes again. */
static MrgCommit
try_record(Feedback *self, const MrgToken *token, const Finding *finding,
           const char *reason, GError **error)
{
    MrgHitBatch batch = {0};
    gboolean is_counted = FALSE;
    if (finding->state == MRG_DELIVERY_COMPLAINT && token->message &&
        !look_back(self, token, &batch, &is_counted, error))
        return MRG_COMMIT_ERROR;
    gint64 now_us = mrg_clock_now_us();
    gboolean is_complaint =
        finding->state == MRG_DELIVERY_COMPLAINT && !finding->is_opt_out;
    const MrgDelivery delivery = {.message = token->message,
                                  .state = finding->state,
                                  .at_us = now_us,
                                  .campaign = token->campaign,
                                  .person = token->person,
                                  .has_person = TRUE,
                                  .code = finding->code};
    const MrgSuppression suppression = {"all", reason, now_us, 0};
    const MrgEngagement complaint = {"complaint", now_us};
    const MrgProfile person = {.person = token->person,
                               .suppressions = &suppression,
                               .n_suppressions = *reason ? 1 : 0,
                               .engagements = &complaint,
                               .n_engagements = is_complaint && !is_counted ? 1 : 0};
    batch.deliveries = &delivery;
    batch.n_deliveries = token->message && !is_counted ? 1 : 0;
    batch.people = &person;
    batch.n_people = 1;
    MrgCommit commit = mrg_store_record_hits(self->people->store, &batch, error);
    self->n_repeated += commit == MRG_COMMIT_DONE && is_complaint && is_counted ? 1 : 0;
    return commit;
}

static gboolean
record(Feedback *self, const MrgToken *token, const Finding *finding, GError **error)
{
    const char *reason = reason_of(self, token, finding, error);
    MrgCommit commit = MRG_COMMIT_CONFLICT;
    if (!reason)
        return FALSE;
    for (guint i = 0; i < TRIES_MAX && commit == MRG_COMMIT_CONFLICT; i++)
        commit = try_record(self, token, finding, reason, error);
    if (commit == MRG_COMMIT_CONFLICT)
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE,
                            "too many processes record complaints at once");
    else if (commit == MRG_COMMIT_UNCERTAIN)
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE,
                            "the store cannot say whether it wrote");
    self->n_suppressed += commit == MRG_COMMIT_DONE && *reason ? 1 : 0;
    return commit == MRG_COMMIT_DONE;
}

/* A report of several recipients has one header, of whom it is about: who sends one copy to
 * each gets one recipient in each report. */
static gboolean
follow(Feedback *self, const MrgReport *report, GError **error)
{
    static const MrgReportRecipient unknown = {"", "", ""};
    MrgToken token;
    Finding finding;
    gboolean is_sealed = find_token(self, report->reference, &token) ||
                         find_token(self, report->list_unsubscribe, &token);
    gsize n = is_sealed ? 1 : MAX(report->n_recipients, 1);
    for (gsize i = 0; i < n; i++) {
        const MrgReportRecipient *recipient =
            i < report->n_recipients ? &report->recipients[i] : &unknown;
        if (!judge(report, recipient, &finding))
            continue;
        if (!is_sealed && (!self->people->conf->feedback_addresses ||
                           !find_address(self, recipient->address, &token)))
            self->n_unresolved++;
        else if (!record(self, &token, &finding, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
take_mail(Feedback *self, const char *mail, gsize length, GError **error)
{
    MrgReport report;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    mrg_report_read(&report, mail, length, arena);
    if (report.kind == MRG_REPORT_NONE) {
        self->n_others++;
        return TRUE;
    }
    self->n_reports++;
    return follow(self, &report, error);
}

/* ---- where from -------------------------------------------------------- */

/* What a report says stands in front of the copy, which may be of any length: the rest is
 * taken too, since an MTA that cannot write all of a mail tries again.  The caller frees.
 */
static char *
read_mail(FILE *file, gsize *length)
{
    char rest[4096];
    g_autofree char *mail = g_malloc(MRG_REPORT_BYTES_MAX);
    *length = fread(mail, 1, MRG_REPORT_BYTES_MAX, file);
    while (fread(rest, 1, sizeof rest, file) > 0)
        ;
    return ferror(file) ? NULL : g_steal_pointer(&mail);
}

static int
take_file(Feedback *self, const char *path, FILE *file)
{
    g_autoptr(GError) error = NULL;
    gsize length;
    g_autofree char *mail = file ? read_mail(file, &length) : NULL;
    if (!mail)
        g_set_error(&error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "%s: cannot be read: %s", path, g_strerror(errno));
    return mail && take_mail(self, mail, length, &error) ? EX_OK : mrg_verb_fail(error);
}

/* Postfix returns a mail for any other code of failure, and a report has nobody to be
 * returned to: it is lost (pipe(8); "" is the sender of a report). */
static int
take_stdin(Feedback *self)
{
    return take_file(self, "-", stdin) ? EX_TEMPFAIL : EX_OK;
}

/* What is read goes from new to cur, where people look: maildir(5). */
static int
take_maildir(Feedback *self, const char *folder)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *new = g_build_filename(folder, "new", NULL);
    g_autoptr(GDir) list = g_dir_open(new, 0, &error);
    const char *name;
    int code = EX_OK;
    if (!list)
        return mrg_verb_fail(error);
    while (!code && (name = g_dir_read_name(list))) {
        g_autofree char *path = g_build_filename(new, name, NULL);
        g_autofree char *seen = g_strconcat(folder, "/cur/", name, ":2,S", NULL);
        FILE *file = fopen(path, "rbe");
        code = take_file(self, path, file);
        if (file)
            fclose(file);
        if (!code && g_rename(path, seen) != 0) {
            g_printerr("merganser: %s: cannot be moved to cur\n", path);
            code = EX_IOERR;
        }
    }
    return code;
}

static void
print_feedback(const MrgTool *tool, const Feedback *self)
{
    if (tool->is_json)
        mrg_print_json(json_pack("{s:i,s:i,s:i,s:i,s:i}", "reports", (int) self->n_reports,
                                 "suppressed", (int) self->n_suppressed, "repeated",
                                 (int) self->n_repeated, "unresolved",
                                 (int) self->n_unresolved, "others", (int) self->n_others));
    else
        g_print("%u reports: %u people suppressed, %u told before, %u of nobody we know; "
                "%u other mails\n",
                self->n_reports, self->n_suppressed, self->n_repeated, self->n_unresolved,
                self->n_others);
}

int
mrg_verb_feedback(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *recipient = NULL, *maildir = NULL;
    const GOptionEntry entries[] = {{"recipient", 0, 0, G_OPTION_ARG_STRING, &recipient,
                                     "Whom the report was sent to, for VERP", "ADDRESS"},
                                    {"maildir", 0, 0, G_OPTION_ARG_FILENAME, &maildir,
                                     "Read the new mails of a maildir", "FOLDER"},
                                    {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_auto(MrgPeople) people = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (code)
        return code;
    code = mrg_people_open(&people, tool);
    if (code)
        return maildir ? code : EX_TEMPFAIL;
    mrg_mime_init();
    Feedback self = {.people = &people, .recipient = recipient};
    code = maildir ? take_maildir(&self, maildir) : take_stdin(&self);
    if (!code)
        print_feedback(tool, &self);
    return code;
}
