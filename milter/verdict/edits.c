/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/verdict/edits.h"

static const MrgHeader *
header_at(const MrgEnvelope *envelope, guint i)
{
    return &g_array_index(envelope->headers, MrgHeader, i);
}

/* For each header of the envelope what became of it: NULL where it is gone. */
static const MrgCopyHeader **
match_headers(const MrgEnvelope *envelope, const MrgCopy *copy)
{
    const MrgCopyHeader **kept = g_new0(const MrgCopyHeader *, envelope->headers->len + 1);
    for (guint i = 0; i < copy->headers->len; i++) {
        const MrgCopyHeader *header = &g_array_index(copy->headers, MrgCopyHeader, i);
        if (header->original >= 0)
            kept[header->original] = header;
    }
    return kept;
}

/* How many headers of each name stand before and at i, counted in one pass. */
static guint *
count_names(const MrgEnvelope *envelope)
{
    guint *indexes = g_new0(guint, envelope->headers->len + 1);
    g_autoptr(GHashTable) counts =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < envelope->headers->len; i++) {
        char *name = g_ascii_strdown(header_at(envelope, i)->name, -1);
        indexes[i] = GPOINTER_TO_UINT(g_hash_table_lookup(counts, name)) + 1;
        g_hash_table_replace(counts, name, GUINT_TO_POINTER(indexes[i]));
    }
    return indexes;
}

GArray *
mrg_edits_new(const MrgEnvelope *envelope, const MrgCopy *copy)
{
    GArray *edits = g_array_new(FALSE, FALSE, sizeof(MrgEdit));
    g_autofree const MrgCopyHeader **kept = match_headers(envelope, copy);
    g_autofree guint *indexes = count_names(envelope);
    for (guint i = envelope->headers->len; i-- > 0;) {
        if (kept[i] && !kept[i]->is_changed)
            continue;
        MrgEdit edit = {header_at(envelope, i)->name, kept[i] ? kept[i]->value : NULL,
                        indexes[i]};
        g_array_append_val(edits, edit);
    }
    for (guint i = 0; i < copy->headers->len; i++) {
        const MrgCopyHeader *header = &g_array_index(copy->headers, MrgCopyHeader, i);
        if (header->original >= 0)
            continue;
        MrgEdit edit = {header->name, header->value, 0};
        g_array_append_val(edits, edit);
    }
    return edits;
}
