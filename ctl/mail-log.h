/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mail-log: lines of a mail log that say what became of a copy.
 *
 * Of ours, which name the queue file, the campaign and the copy:
 *
 *     ... merganser[7]: 4ABC: verdict=deliver, campaign=spring, ..., copy=0123...
 *
 * and of Postfix's delivery agents (smtp, lmtp, local, virtual, pipe, error, discard):
 *
 *     ... postfix/smtp[8]: 4ABC: to=<ann@example.com>, ..., dsn=2.0.0, status=sent (...)
 *
 * and of its queue manager, or postsuper:
 *
 *     ... postfix/qmgr[9]: 4ABC: removed
 *
 * The time stands in front, as syslog writes it: RFC 3339, or "Nov 27 02:15:31" in the
 * local time zone, of the year that makes it neither future nor older than a year.
 *
 * ERRORS     none: a line that is something else is no line of these.
 */
#ifndef MRG_MAIL_LOG_H
#define MRG_MAIL_LOG_H

#include "plugins/merganser-plugin.h"

#define MRG_MAIL_LOG_LINE_MAX 8192
#define MRG_MAIL_LOG_WORD_MAX 64

typedef enum {
    MRG_LOG_OTHER,
    MRG_LOG_COPY,
    MRG_LOG_DELIVERY,
    MRG_LOG_GONE /* out of the queue */
} MrgLogKind;

typedef struct MrgLogLine {
    MrgLogKind kind;
    gint64 at_us;
    char queue_id[MRG_MAIL_LOG_WORD_MAX + 1];
    /* of a copy */
    gboolean is_queued; /* goes out, or is held */
    char campaign[MRG_MAIL_LOG_WORD_MAX + 1];
    MrgMessageKey copy;
    /* of a delivery */
    MrgDeliveryState state;
    char code[MRG_MAIL_LOG_WORD_MAX + 1];
    char address[256]; /* as it was sent to; never in an output */
} MrgLogLine;

/* line has no line end in it. */
void mrg_log_line_read(MrgLogLine *read, const char *line, gint64 now_us);

#endif
