/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/error.h"
#include "milter/verdict/disposition.h"
#include "render/render.h"

#define TRY_AGAIN "the personal data for this message cannot be read now; try again later"
#define BROKEN_SETUP "the mail merge is not set up for this message; ask the postmaster"

#define REJECT(number, status, name)                                             \
    {                                                                            \
        MRG_VERDICT_REJECT, MRG_ANSWER_REJECT, number, status, name, FALSE, NULL \
    }
#define REJECT_PRIVATELY(number, status, name, said)                            \
    {                                                                           \
        MRG_VERDICT_REJECT, MRG_ANSWER_REJECT, number, status, name, TRUE, said \
    }
#define DEFER_PRIVATELY(status, name, said)                                     \
    {                                                                           \
        MRG_VERDICT_DEFER, MRG_ANSWER_TEMPFAIL, "451", status, name, TRUE, said \
    }

static const MrgDisposition render_dispositions[] = {
    [MRG_RENDER_ERROR_SYNTAX] = REJECT("550", "5.6.0", "template"),
    [MRG_RENDER_ERROR_UNKNOWN_HELPER] = REJECT("550", "5.6.0", "template"),
    [MRG_RENDER_ERROR_MARKER] = REJECT("550", "5.6.0", "template"),
    [MRG_RENDER_ERROR_LIMIT] = REJECT("550", "5.6.0", "limit"),
    [MRG_RENDER_ERROR_VALUE] = REJECT("550", "5.6.0", "value"),
    [MRG_RENDER_ERROR_REQUIRED] = REJECT("550", "5.6.0", "required"),
    [MRG_RENDER_ERROR_ABORT] = {.verdict = MRG_VERDICT_DROP,
                                .answer = MRG_ANSWER_DISCARD,
                                .gate = "abort"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(render_dispositions) == MRG_RENDER_ERROR_LAST + 1);

/* The cause of these is ours, and the sender can only wait: the log says more. */
static const MrgDisposition store_dispositions[] = {
    [MRG_STORE_ERROR_UNAVAILABLE] = DEFER_PRIVATELY("4.3.0", "store", TRY_AGAIN),
    [MRG_STORE_ERROR_TIMEOUT] = DEFER_PRIVATELY("4.3.0", "store", TRY_AGAIN),
    [MRG_STORE_ERROR_SCHEMA] = DEFER_PRIVATELY("4.3.5", "store", TRY_AGAIN),
    [MRG_STORE_ERROR_CORRUPT] = DEFER_PRIVATELY("4.3.0", "store", TRY_AGAIN),
    [MRG_STORE_ERROR_SETTING] = DEFER_PRIVATELY("4.3.5", "store", TRY_AGAIN),
};
G_STATIC_ASSERT(G_N_ELEMENTS(store_dispositions) == MRG_STORE_ERROR_LAST + 1);

static const MrgDisposition dispositions[] = {
    [MRG_ERROR_CONFIG] = DEFER_PRIVATELY("4.3.5", "config", BROKEN_SETUP),
    [MRG_ERROR_CONTROL] = REJECT("550", "5.6.0", "control"),
    [MRG_ERROR_STRUCTURE] = REJECT("550", "5.6.0", "structure"),
    [MRG_ERROR_CHARSET] = REJECT("550", "5.6.3", "charset"),
    [MRG_ERROR_SIGNED] = REJECT("550", "5.6.0", "signed"),
    [MRG_ERROR_DEFECT] = REJECT("552", "5.3.4", "limit"),
    [MRG_ERROR_RECIPIENTS] = REJECT("554", "5.5.3", "recipients"),
    [MRG_ERROR_ADDRESS] =
        REJECT_PRIVATELY("550", "5.1.3", "address", "the recipient's address is malformed"),
    [MRG_ERROR_FIELD] = REJECT("550", "5.6.0", "field"),
    [MRG_ERROR_BLOCKS] = DEFER_PRIVATELY("4.3.5", "blocks", BROKEN_SETUP),
    [MRG_ERROR_HISTORY] = DEFER_PRIVATELY("4.3.0", "history", TRY_AGAIN),
    [MRG_ERROR_CONTENDED] = DEFER_PRIVATELY("4.3.0", "contended", TRY_AGAIN),
    [MRG_ERROR_INTERNAL] = DEFER_PRIVATELY("4.3.0", "internal", TRY_AGAIN),
};
G_STATIC_ASSERT(G_N_ELEMENTS(dispositions) == MRG_ERROR_LAST + 1);

static const MrgDisposition verdict_dispositions[] = {
    [MRG_VERDICT_DELIVER] = {.verdict = MRG_VERDICT_DELIVER, .answer = MRG_ANSWER_ACCEPT},
    [MRG_VERDICT_DROP] = {.verdict = MRG_VERDICT_DROP, .answer = MRG_ANSWER_DISCARD},
    [MRG_VERDICT_REJECT] = {.verdict = MRG_VERDICT_REJECT,
                            .answer = MRG_ANSWER_REJECT,
                            .code = "550",
                            .enhanced = "5.7.1"},
    [MRG_VERDICT_DEFER] = {.verdict = MRG_VERDICT_DEFER,
                           .answer = MRG_ANSWER_TEMPFAIL,
                           .code = "451",
                           .enhanced = "4.7.1"},
    [MRG_VERDICT_HOLD] = {.verdict = MRG_VERDICT_HOLD, .answer = MRG_ANSWER_ACCEPT},
};

const MrgDisposition *
mrg_disposition_of_error(const GError *error)
{
    const MrgDisposition *table = NULL;
    gsize n = 0;
    if (error->domain == MRG_RENDER_ERROR) {
        table = render_dispositions;
        n = G_N_ELEMENTS(render_dispositions);
    } else if (error->domain == MRG_STORE_ERROR) {
        table = store_dispositions;
        n = G_N_ELEMENTS(store_dispositions);
    } else if (error->domain == MRG_ERROR) {
        table = dispositions;
        n = G_N_ELEMENTS(dispositions);
    }
    if (error->code >= 0 && (gsize) error->code < n)
        return &table[error->code];
    return &dispositions[MRG_ERROR_INTERNAL];
}

const MrgDisposition *
mrg_disposition_of_verdict(MrgVerdict verdict)
{
    return &verdict_dispositions[verdict];
}

const char *
mrg_verdict_name(MrgVerdict verdict)
{
    static const char *const names[] = {"deliver", "drop", "reject", "defer", "hold"};
    return names[verdict];
}
