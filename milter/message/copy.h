/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy: one recipient's message, put together from the original and the rendered texts.
 *
 * What a recipient may see is decided here: To shows this recipient only, Cc, Bcc, their
 * Resent- forms, signatures made before, and every control header are gone.  Changed parts
 * are written as UTF-8 in quoted-printable or base64, the Subject as RFC 2047 words; the
 * result is 7-bit with lines under 998 bytes, unless a part that was left alone had others.
 *
 * OWNERSHIP  arena of the envelope, but for body, which the copy owns.
 * ERRORS     none but a body over its limit: MRG_ERROR_DEFECT.
 */
#ifndef MRG_COPY_H
#define MRG_COPY_H

#include "base/buffer.h"
#include "milter/message/mime.h"

typedef struct MrgCopyHeader {
    const char *name;
    const char *value; /* as MrgHeader.value */
    int original;      /* index into envelope->headers, -1 for a new one */
    gboolean is_changed;
} MrgCopyHeader;

typedef struct MrgCopy {
    GArray *headers; /* MrgCopyHeader, in order */
    MrgBuffer body;
    gboolean is_body_changed; /* FALSE: the envelope's body stands, body is empty */
} MrgCopy;

/* What a part or the Subject of this copy says; unchanged ones keep their bytes. */
typedef struct MrgRendered {
    gboolean is_changed;
    const char *text; /* UTF-8, line ends LF or CRLF */
    gsize length;
} MrgRendered;

/* Whether no copy has a header of that name from the original. */
gboolean mrg_copy_removes(const char *name);

/* How many signatures of others a copy loses: header fields of DKIM and ARC. */
guint mrg_copy_signatures(const MrgEnvelope *envelope);

void mrg_copy_init(MrgCopy *copy, gsize body_limit);
void mrg_copy_clear(MrgCopy *copy);

/* Headers as the recipient may see them; display may be NULL. */
void mrg_copy_address(MrgCopy *copy, const MrgEnvelope *envelope, const char *address,
                      const char *display);
void mrg_copy_set_subject(MrgCopy *copy, const MrgEnvelope *envelope,
                          const MrgRendered *subject);

/* The nth header of that name, from 0, says this; with an address it is the name of that.
 */
void mrg_copy_set_field(MrgCopy *copy, const MrgEnvelope *envelope, const char *name,
                        guint nth, const char *address, const MrgRendered *field);

/* Replaces the first header of that name (others of it go away) or adds one behind all
 * others.  name stays the caller's, and lives as long as the arena; value is header text in
 * UTF-8; it is encoded and folded here, and a line break in it becomes a space. */
void mrg_copy_set_header(MrgCopy *copy, MrgArena *arena, const char *name,
                         const char *value);

/* parts[i] belongs to the layout's part i. */
gboolean mrg_copy_set_parts(MrgCopy *copy, const MrgEnvelope *envelope,
                            const MrgLayout *layout, const MrgRendered *parts,
                            GError **error);

/* The whole message with CRLF line ends, as it would leave; appended to out. */
void mrg_copy_write(const MrgCopy *copy, const MrgEnvelope *envelope, MrgBuffer *out);

#endif
