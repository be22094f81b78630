/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: one template text while it is compiled: its lines and its errors.
 *
 * OWNERSHIP  the template and the error slot are borrowed until clear.
 * ERRORS     the first failure is kept, later ones are ignored; texts quoted from
 *            the template are cut short and printable.
 */
#ifndef MRG_RENDER_SOURCE_H
#define MRG_RENDER_SOURCE_H

#include "render/render.h"

typedef struct MrgSlice {
    const char *text;
    gsize length;
} MrgSlice;

typedef struct MrgSource {
    const MrgTemplate *template;
    const char *text;
    gsize length;
    GArray *lines; /* guint32: where each line begins */
    GError **error;
    gboolean has_failed;
} MrgSource;

/* FALSE when the template is too long; clear either way. */
gboolean mrg_source_init(MrgSource *source, const MrgTemplate *template, GError **error);
void mrg_source_clear(MrgSource *source);

void mrg_source_locate(const MrgSource *source, gsize offset, guint *line, guint *column);

/* Sets the error "NAME:LINE:COLUMN: message"; always FALSE. */
gboolean mrg_source_fail(MrgSource *source, gsize offset, MrgRenderError code,
                         const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Whether a text is a piece of it, and not made meanwhile. */
gboolean mrg_source_has(const MrgSource *source, const char *text);

/* Of ascending MrgLandmark items, the number of the first one at or behind a place. */
guint mrg_source_first_mark(const GArray *marks, gsize at);

typedef struct MrgQuote {
    char text[44];
} MrgQuote;

/* At most 40 printable ASCII bytes of a name in a template. */
MrgQuote mrg_quote(const char *text, gsize length);

/* Bytes of the one white space character at the start, or at the end, of text; 0 when
 * there is none.  White space is JavaScript's \s (ECMA-262, WhiteSpace, LineTerminator). */
gsize mrg_space_first(const char *text, gsize length);
gsize mrg_space_last(const char *text, gsize length);

/* Without white space at either end. */
MrgSlice mrg_slice_trim(MrgSlice slice);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgSource, mrg_source_clear)

#endif
