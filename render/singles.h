/* SPDX-License-Identifier: Apache-2.0 */
/*
 * singles: single-brace tokens, {FirstName} and {Interest|gear}, in a text.
 *
 * Only declared names count; case and underscores make no difference.  Inside
 * <style> and <script> of HTML braces mean something else and stay.
 *
 * OWNERSHIP  what is found points into the text and the declared names.
 */
#ifndef MRG_RENDER_SINGLES_H
#define MRG_RENDER_SINGLES_H

#include "render/source.h"

typedef struct MrgSingles {
    GHashTable *declared; /* folded name -> name as declared; NULL for none */
    gboolean is_html;
    const char *element; /* "</style" or "</script" while inside one */
} MrgSingles;

typedef struct MrgSingle {
    gsize start, end; /* in the text, braces included */
    const char *name; /* as declared */
    gboolean has_fallback;
    MrgSlice fallback;
} MrgSingle;

/* New reference; the names are borrowed.  names may be NULL. */
GHashTable *mrg_singles_fold(const char *const *names);

/* The next token at or behind start; FALSE when there is none.  The text is to be given
 * in the order of the template, since an element may span several pieces. */
gboolean mrg_singles_next(MrgSingles *singles, MrgSlice text, gsize start,
                          MrgSingle *found);

#endif
