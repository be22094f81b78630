/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: what a mail says that came back: a complaint (RFC 5965) or a delivery report (RFC
 * 3464, 6533), and whose copy it is about.
 *
 * Anybody can send one.  What it says is taken for what it is, bounded and as text; only a
 * sealed reference within it proves that it is about a copy of ours.
 *
 * OWNERSHIP  arena.
 */
#ifndef MRG_REPORT_H
#define MRG_REPORT_H

#include "base/arena.h"

#define MRG_REPORT_BYTES_MAX (1024 * 1024)
#define MRG_REPORT_RECIPIENTS_MAX 16
#define MRG_REPORT_TEXT_MAX 2000

typedef enum {
    MRG_REPORT_NONE,     /* something else */
    MRG_REPORT_FEEDBACK, /* of a mailbox provider, on behalf of somebody who complained */
    MRG_REPORT_DELIVERY
} MrgReportKind;

typedef struct MrgReportRecipient {
    const char *address; /* as it was sent to, else as it ended; "" where neither is told */
    const char *action;  /* of a delivery: failed, delayed, delivered, relayed, expanded */
    const char *status;  /* RFC 3463, as in 5.1.1; "" where it is malformed */
} MrgReportRecipient;

typedef struct MrgReport {
    MrgReportKind kind;
    const char *feedback_type; /* RFC 5965, 7.3: abuse, fraud, not-spam, ...; "" for none */
    MrgReportRecipient recipients[MRG_REPORT_RECIPIENTS_MAX];
    gsize n_recipients;
    /* From the header of the mail that is reported; "" for none. */
    const char *reference;        /* X-Report-Ref */
    const char *list_unsubscribe; /* List-Unsubscribe */
} MrgReport;

/* The report in a whole mail; mrg_mime_init() first. */
void mrg_report_read(MrgReport *report, const char *mail, gsize length, MrgArena *arena);

#endif
