/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nearest: "did you mean" for a mistyped word.
 */
#ifndef MRG_NEAREST_H
#define MRG_NEAREST_H

#include <glib.h>

/* The word of the list that is the fewest edits away (insert, delete, change, swap of
 * neighbours; ASCII case does not count), the first one of equals.  NULL when none is near:
 * more than a third of the longer word would have to change.  Borrowed from words; NULL
 * entries are skipped. */
const char *mrg_nearest(const char *word, const char *const *words, gsize n);

#endif
