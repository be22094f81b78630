/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime: the structure of a message: which byte ranges of its body are text parts,
 * and what they say in UTF-8.
 *
 * The body is never written anew by a MIME library.  A copy is the body as it came,
 * with the changed parts spliced in (copy.h), so everything else keeps its bytes.
 *
 * A layout depends on the content alone, not on the recipient: it is made once per
 * distinct body and shared by all its copies.
 *
 * OWNERSHIP  reference-counted, owns its texts.
 * THREADS    immutable.
 * ERRORS     MRG_ERROR_STRUCTURE, _CHARSET, _SIGNED, _DEFECT (the body ends within a line
 *            end); messages name the part: "part text/html: unknown charset 'x'".
 * BOUNDS     at most 100 parts, nested at most 10 deep.
 */
#ifndef MRG_MIME_H
#define MRG_MIME_H

#include <glib.h>

#include "milter/intake/envelope.h"

typedef struct MrgSpan {
    gsize start, end; /* bytes of the body, [start, end) */
} MrgSpan;

typedef struct MrgPart {
    const char *name; /* for error positions: "part text/html", "part 2 text/html" */
    gboolean is_html;
    gboolean is_amp;  /* text/x-amp-html: no stamps, its rules allow no foreign image */
    gboolean is_top;  /* the message itself: its fields are the message's headers */
    const char *text; /* decoded, UTF-8 (and HTML says so: meta.h), line ends LF */
    gsize length;
    MrgSpan content; /* encoded, as it stands in the body; the line end before a
                        boundary is not part of it */
    /* The part's own header lines in the body, line ends included; empty and at the
     * start of the part's header block where there is none.  Unused for is_top. */
    MrgSpan type_field, encoding_field;
    /* What to write when the part changes, without the name and the line end. */
    const char *type_value;     /* text/...; charset=utf-8, other ASCII parameters
                                   kept but format and delsp; folds are LF + space */
    const char *encoding_value; /* quoted-printable or base64 */
} MrgPart;

typedef struct MrgLayout MrgLayout;

MrgLayout *mrg_layout_new(const MrgEnvelope *envelope, GError **error);
MrgLayout *mrg_layout_ref(MrgLayout *layout);
void mrg_layout_unref(MrgLayout *layout);

/* The text parts that are templates, in order.  Attachments are none. */
const MrgPart *mrg_layout_parts(const MrgLayout *layout, gsize *n_parts);

/* The decoded Subject, or NULL where the message has none. */
const char *mrg_layout_subject(const MrgLayout *layout);

/* A text that is no template and that a reader shows all the same. */
typedef struct MrgFixedText {
    const char *name; /* for error positions, as that of a part */
    const char *text; /* decoded where that could be done */
    gsize length;
} MrgFixedText;

/* FALSE ends the look; the text is there for the call only. */
typedef gboolean (*MrgFixedVisit)(const MrgFixedText *fixed, gpointer context);

/* Other texts in which a template would go out as it is, so that the caller can look for
 * one: text that is neither template nor attachment, such as text/calendar, messages
 * within the message, the parts' own header fields, and what stands between the parts.
 * Only those that hold a '{'.  FALSE where visit said so. */
gboolean mrg_mime_visit_fixed(const MrgEnvelope *envelope, MrgFixedVisit visit,
                              gpointer context);

/* Starts GMime; once, before any thread. */
void mrg_mime_init(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgLayout, mrg_layout_unref)

#endif
