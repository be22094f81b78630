/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mail: what a reader's program shows of a message, read back from its bytes.
 *
 * OWNERSHIP  a mail owns all of it.
 * ERRORS     none: what cannot be read is shown as it stands, or not at all.
 */
#ifndef MRG_MAIL_H
#define MRG_MAIL_H

#include "milter/message/mime.h"

/* About what an inbox shows behind the subject. */
#define MRG_PREHEADER_CHARACTERS 140

typedef struct MrgMail {
    MrgEnvelope *envelope;
    MrgLayout *layout; /* NULL: it has no texts that can be read */
    const MrgPart *parts;
    gsize n_parts;
    char *from, *subject, *preheader;
} MrgMail;

void mrg_mail_read(MrgMail *mail, const char *text, gsize length);
void mrg_mail_clear(MrgMail *mail);

/* A header field's value decoded, or as it stands; the caller frees. */
char *mrg_mail_header(const char *value);

/* What an HTML text says without its tags: a line for each block, white space collapsed;
 * text that is there but hidden, such as a preheader, too.  The caller frees. */
char *mrg_html_to_text(const char *html, gsize length);

#endif
