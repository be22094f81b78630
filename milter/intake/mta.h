/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta: what may be asked of the MTA at the end of a message.
 *
 * A table of functions, so that the verdict can be applied to the real MTA (callbacks.c),
 * to nothing, or to a test's fake one.
 *
 * OWNERSHIP  arguments are borrowed for the call.
 * ERRORS     FALSE: the MTA is gone or refused; the answer must then be TEMPFAIL, and the
 *            MTA forgets the edits made so far.
 */
#ifndef MRG_MTA_H
#define MRG_MTA_H

#include <glib.h>

typedef enum {
    MRG_ANSWER_CONTINUE,
    MRG_ANSWER_ACCEPT,  /* no more callbacks for this message */
    MRG_ANSWER_DISCARD, /* accepted from the sender, sent to nobody */
    MRG_ANSWER_REJECT,
    MRG_ANSWER_TEMPFAIL
} MrgAnswer;

typedef struct MrgMtaApi {
    /* The index-th header of that name, from 1; value NULL deletes it. */
    gboolean (*change_header)(void *mta, const char *name, guint index, const char *value);
    gboolean (*add_header)(void *mta, const char *name, const char *value);
    gboolean (*replace_body)(void *mta, const char *body, gsize length);
    gboolean (*quarantine)(void *mta, const char *reason);
    /* Sends the message to another address than to the one recipient that it has; both
     * without angle brackets. */
    gboolean (*redirect)(void *mta, const char *from, const char *to);
    /* code "550", enhanced "5.6.0" (RFC 3463); one line, 7-bit. */
    gboolean (*set_reply)(void *mta, const char *code, const char *enhanced,
                          const char *text);
} MrgMtaApi;

typedef struct MrgMta {
    const MrgMtaApi *api;
    void *context;
} MrgMta;

#endif
