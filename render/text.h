/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text: a text that a helper puts together, and UTF-8 character by character.
 *
 * OWNERSHIP  arena of the call.
 * BOUNDS     what is asked of the arena is charged; once the steps are used up nothing is
 *            appended any more, and the run ends behind the helper.
 */
#ifndef MRG_RENDER_TEXT_H
#define MRG_RENDER_TEXT_H

#include "render/helper.h"

typedef struct MrgText {
    MrgHelperCall *call;
    char *data;
    gsize length, capacity;
} MrgText;

/* The i-th argument as text, charged for one look at each byte; "" once the steps are used
 * up. */
MrgValue mrg_text_argument(MrgHelperCall *call, guint i);

/* Room for so many bytes; more is made when it is needed. */
MrgText mrg_text_begin(MrgHelperCall *call, gsize capacity);
void mrg_text_append(MrgText *text, const char *piece, gsize length);
void mrg_text_append_value(MrgText *text, const MrgValue *value);
void mrg_text_append_char(MrgText *text, gunichar c);
void mrg_text_append_html(MrgText *text, const char *piece, gsize length);
MrgValue mrg_text_end(MrgText *text);

/* A string that print takes as it is. */
MrgValue mrg_text_end_safe(MrgText *text);

/* Bytes of the character at the start of a text that is not empty; for a byte that is no
 * UTF-8, 1 and the character MRG_NO_CHARACTER. */
#define MRG_NO_CHARACTER ((gunichar) -1)
gsize mrg_text_char(const char *text, gsize length, gunichar *c);

/* Bytes of what a reader takes for one character: marks, joined and coloured emoji and
 * flags stay whole.  An approximation of UAX #29 that needs no tables. */
gsize mrg_text_cluster(const char *text, gsize length);

/* How many of these there are. */
gsize mrg_text_count(const char *text, gsize length);

/* Bytes of the first n, or all. */
gsize mrg_text_prefix(const char *text, gsize length, gsize n);

/* Where the part is first, or NULL; an empty part is at the start.  Near misses are
 * charged. */
const char *mrg_text_find(MrgHelperCall *call, const char *text, gsize length,
                          const char *part, gsize part_length);

/* Without white space at the ends. */
MrgValue mrg_text_trim(const MrgValue *text);

#endif
