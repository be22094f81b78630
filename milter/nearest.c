/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/nearest.h"

/* Longer words are not names: they are near nothing. */
#define WORD_MAX 64

static gboolean
is_same(char a, char b)
{
    return g_ascii_tolower(a) == g_ascii_tolower(b);
}

/* Optimal string alignment distance (Damerau 1964, without overlapping swaps). */
static guint
distance(const char *a, gsize n_a, const char *b, gsize n_b)
{
    guint rows[3][WORD_MAX + 1];
    for (gsize j = 0; j <= n_b; j++)
        rows[0][j] = (guint) j;
    for (gsize i = 1; i <= n_a; i++) {
        guint *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (guint) i;
        for (gsize j = 1; j <= n_b; j++) {
            guint change = above[j - 1] + !is_same(a[i - 1], b[j - 1]);
            row[j] = MIN(MIN(above[j], row[j - 1]) + 1, change);
            if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) &&
                is_same(a[i - 2], b[j - 1]))
                row[j] = MIN(row[j], above2[j - 2] + 1);
        }
    }
    return rows[n_a % 3][n_b];
}

const char *
mrg_nearest(const char *word, const char *const *words, gsize n)
{
    gsize length = strlen(word);
    const char *best = NULL;
    guint best_distance = G_MAXUINT;
    for (gsize i = 0; i < n; i++) {
        gsize other = words[i] ? strlen(words[i]) : 0;
        if (!other || other > WORD_MAX || length > WORD_MAX)
            continue;
        guint edits = distance(word, length, words[i], other);
        if (edits <= MAX(length, other) / 3 && edits < best_distance) {
            best = words[i];
            best_distance = edits;
        }
    }
    return best;
}
