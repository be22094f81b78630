/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply: what is answered.
 *
 * Answers that are the same for everybody are made once.
 *
 * OWNERSHIP  whoever sends a reply clears it, which releases what was made for it.
 */
#ifndef MRG_REPLY_H
#define MRG_REPLY_H

#include <glib.h>
#include <microhttpd.h>

typedef struct MrgReply MrgReply;
struct MrgRequest;

struct MrgReply {
    guint status;
    struct MHD_Response *response;
    void (*release)(gpointer owner); /* NULL: nothing to release */
    gpointer owner;
    MrgReply (*later)(struct MrgRequest *request); /* set: ask this one, where waiting for
                                                    * the store is no harm */
};

typedef enum {
    MRG_FIXED_PIXEL,       /* 200 */
    MRG_FIXED_NOTHING,     /* 204 */
    MRG_FIXED_ACCEPTED,    /* 200 {"success":true} */
    MRG_FIXED_DONE,        /* 200 text, of a one-click POST */
    MRG_FIXED_HEALTHY,     /* 200 */
    MRG_FIXED_BAD_REQUEST, /* 400 */
    MRG_FIXED_DENIED,      /* 401 */
    MRG_FIXED_FORBIDDEN,   /* 403 */
    MRG_FIXED_NOT_FOUND,   /* 404: for whatever is no token of ours, too */
    MRG_FIXED_METHOD,      /* 405 */
    MRG_FIXED_CONFLICT,    /* 409 */
    MRG_FIXED_TOO_LARGE,   /* 413 */
    MRG_FIXED_TYPE,        /* 415 */
    MRG_FIXED_TOO_MANY,    /* 429 */
    MRG_FIXED_UNAVAILABLE, /* 503: comes again */
    MRG_N_FIXED
} MrgFixed;

/* Once, before any request; and after the last. */
void mrg_replies_init(void);
void mrg_replies_clear(void);

MrgReply mrg_reply_fixed(MrgFixed fixed);

/* Takes text (g_malloc). */
MrgReply mrg_reply_text(guint status, const char *type, char *text, gsize length);

/* A 302 to the target, which must be good (mrg_target_is_good()). */
struct MHD_Response *mrg_redirect_new(const char *target);

/* A page: nothing but our own style, from nowhere, into no frame. */
MrgReply mrg_reply_page(guint status, char *html, gsize length);

/* The same for what is no secret and may be kept for an hour. */
MrgReply mrg_reply_file(const char *type, char *text, gsize length);

/* Takes the response. */
MrgReply mrg_reply_response(guint status, struct MHD_Response *response);
MrgReply mrg_reply_later(MrgReply (*later)(struct MrgRequest *request));

void mrg_reply_header(MrgReply *reply, const char *name, const char *value);
void mrg_reply_clear(MrgReply *reply);

#endif
