/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff: which words of a text others lack.
 *
 * The longest common subsequence of words; what white space lies between does not count.
 *
 * OWNERSHIP  words borrow from their text.
 * BOUNDS     texts that differ in the middle by more than MRG_DIFF_CELLS pairs of words are
 *            compared at both ends only: the middle counts as different.
 */
#ifndef MRG_DIFF_H
#define MRG_DIFF_H

#include <glib.h>

#define MRG_DIFF_CELLS (8 * 1024 * 1024)

typedef struct MrgWord {
    const char *text;
    gsize length;
    gboolean is_other; /* another text lacks it */
} MrgWord;

/* The caller unrefs. */
GArray *mrg_diff_words(const char *text);

/* Marks the words of each that the other lacks; marks that are there stay. */
void mrg_diff_compare(GArray *a, GArray *b);

/* Marks in each of n texts the words that not all of them have. */
void mrg_diff_compare_all(GArray **texts, gsize n);

#endif
