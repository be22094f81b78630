/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/diff.h"

typedef struct Range {
    MrgWord *words;
    gsize n;
} Range;

static gboolean
is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

GArray *
mrg_diff_words(const char *text)
{
    GArray *words = g_array_new(FALSE, FALSE, sizeof(MrgWord));
    for (const char *at = text; *at;) {
        const char *start = at;
        while (*at && !is_space(*at))
            at++;
        MrgWord word = {start, (gsize) (at - start), FALSE};
        if (word.length)
            g_array_append_val(words, word);
        while (is_space(*at))
            at++;
    }
    return words;
}

static gboolean
is_same(const MrgWord *a, const MrgWord *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static void
mark_all(Range range)
{
    for (gsize i = 0; i < range.n; i++)
        range.words[i].is_other = TRUE;
}

/* lengths[i * (b.n + 1) + j]: of the longest common subsequence of what follows both. */
static void
mark_by_lengths(Range a, Range b, const guint32 *lengths)
{
    gsize row = b.n + 1, i = 0, j = 0;
    while (i < a.n && j < b.n) {
        if (is_same(&a.words[i], &b.words[j])) {
            i++;
            j++;
        } else if (lengths[(i + 1) * row + j] >= lengths[i * row + j + 1]) {
            a.words[i++].is_other = TRUE;
        } else {
            b.words[j++].is_other = TRUE;
        }
    }
    mark_all((Range){a.words + i, a.n - i});
    mark_all((Range){b.words + j, b.n - j});
}

static void
mark_middle(Range a, Range b)
{
    if (!a.n || !b.n || a.n > MRG_DIFF_CELLS / b.n) {
        mark_all(a);
        mark_all(b);
        return;
    }
    gsize row = b.n + 1;
    g_autofree guint32 *lengths = g_new0(guint32, (a.n + 1) * row);
    for (gsize i = a.n; i-- > 0;)
        for (gsize j = b.n; j-- > 0;)
            lengths[i * row + j] =
                is_same(&a.words[i], &b.words[j])
                    ? lengths[(i + 1) * row + j + 1] + 1
                    : MAX(lengths[(i + 1) * row + j], lengths[i * row + j + 1]);
    mark_by_lengths(a, b, lengths);
}

void
mrg_diff_compare(GArray *a, GArray *b)
{
    Range one = {(MrgWord *) (gpointer) a->data, a->len};
    Range other = {(MrgWord *) (gpointer) b->data, b->len};
    while (one.n && other.n && is_same(one.words, other.words)) {
        one = (Range){one.words + 1, one.n - 1};
        other = (Range){other.words + 1, other.n - 1};
    }
    while (one.n && other.n && is_same(&one.words[one.n - 1], &other.words[other.n - 1])) {
        one.n--;
        other.n--;
    }
    mark_middle(one, other);
}

/* The first text without what any other lacks is what all have, in the same order. */
void
mrg_diff_compare_all(GArray **texts, gsize n)
{
    g_autoptr(GArray) common = g_array_new(FALSE, FALSE, sizeof(MrgWord));
    for (gsize i = 1; i < n; i++) {
        g_autoptr(GArray) other = g_array_copy(texts[i]);
        mrg_diff_compare(texts[0], other);
    }
    for (guint i = 0; n && i < texts[0]->len; i++) {
        MrgWord word = g_array_index(texts[0], MrgWord, i);
        if (!word.is_other)
            g_array_append_val(common, word);
    }
    for (gsize i = 1; i < n; i++)
        mrg_diff_compare(common, texts[i]);
}
