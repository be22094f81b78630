/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope: one message as the MTA told it, before anybody looked inside.
 *
 * Everything is bounded while it is taken in.  What went over a bound or cannot
 * be mail is noted in defect; the rest is then no longer kept, and the verdict at
 * the end of the message names the reason.
 *
 * OWNERSHIP  the envelope owns headers, recipients and body.
 * THREADS    one callback at a time.
 */
#ifndef MRG_ENVELOPE_H
#define MRG_ENVELOPE_H

#include <glib.h>

#include "base/arena.h"

/* By the daemon name or the login that the message came with. */
typedef enum {
    MRG_ROLE_NONE,  /* not trusted: passes untouched */
    MRG_ROLE_CHECK, /* at the door: the template is compiled, nothing is edited */
    MRG_ROLE_MERGE
} MrgRole;

typedef enum {
    MRG_DEFECT_NONE,
    MRG_DEFECT_HEADER_COUNT,
    MRG_DEFECT_HEADER_BYTES,
    MRG_DEFECT_BODY_BYTES,
    MRG_DEFECT_NUL,
    MRG_DEFECT_BARE_CR,
    MRG_DEFECT_RECIPIENTS
} MrgDefect;

typedef struct MrgHeader {
    const char *name;  /* as written */
    const char *value; /* as received behind "Name:", folds as LF + white space */
} MrgHeader;

typedef struct MrgEnvelopeLimits {
    guint headers;
    gsize header_bytes;
    gsize body_bytes;
    guint recipients;
} MrgEnvelopeLimits;

typedef struct MrgEnvelope {
    MrgArena *arena; /* the message's arena; freed with the envelope */
    MrgRole role;
    const char *queue_id;  /* NULL until the end of the message */
    const char *sender;    /* without angle brackets; "" is the null sender */
    GPtrArray *recipients; /* char *, without angle brackets */
    GArray *headers;       /* MrgHeader, in order */
    gsize header_bytes;
    GByteArray *body; /* lines end with CRLF; a bare LF became one */
    MrgDefect defect; /* the first one */
    gboolean is_campaign;
} MrgEnvelope;

MrgEnvelope *mrg_envelope_new(MrgRole role, const char *sender);
void mrg_envelope_free(MrgEnvelope *envelope);

/* Each of these copies; past a bound it only notes the defect. */
void mrg_envelope_add_recipient(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits,
                                const char *address);
void mrg_envelope_add_header(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits,
                             const char *name, const char *value);
void mrg_envelope_add_body(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits,
                           const guint8 *chunk, gsize length);
/* Once, behind the last chunk: a CR at its end got no LF. */
void mrg_envelope_end_body(MrgEnvelope *envelope);

/* What is wrong, for error messages: "a NUL byte". */
const char *mrg_defect_text(MrgDefect defect);

/* The value of the first header of that name without the white space around it,
 * or NULL.  Made in the arena. */
const char *mrg_envelope_header(const MrgEnvelope *envelope, const char *name);
guint mrg_envelope_count(const MrgEnvelope *envelope, const char *name);

/* Whether a name is one of the control headers (X-Campaign and its family). */
gboolean mrg_header_is_control(const char *name);

/* Reads a whole message file: headers up to the empty line, then the body; line ends
 * LF or CRLF.  Used by the tool and by tests.  MRG_ERROR_STRUCTURE "LINE:1: ...", or
 * MRG_ERROR_DEFECT where the message has one. */
gboolean mrg_envelope_read(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits,
                           const char *text, gsize length, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgEnvelope, mrg_envelope_free)

#endif
