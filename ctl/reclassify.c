/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/hit.h"
#include "ctl/load.h"

typedef struct Judging {
    const MrgLoadOptions *options;
    MrgBursts *bursts;
    GHashTable *links; /* campaign and link -> whether nobody sees it */
    GArray *changed;   /* of MrgHitRow, whose reasons the signs own */
    MrgReclassified *counts;
} Judging;

static gint64
link_key(const MrgHitRow *hit)
{
    return (gint64) ((guint64) hit->campaign << 32 | hit->link);
}

/* Visitors ask the store for nothing: which links there are is found first. */
static gboolean
note_link(const MrgHitRow *hit, gpointer context)
{
    Judging *judging = context;
    gint64 key = link_key(hit);
    if (hit->link && !g_hash_table_contains(judging->links, &key))
        g_hash_table_insert(judging->links, g_memdup2(&key, sizeof key), NULL);
    return TRUE;
}

static gboolean
find_traps(Judging *judging, const MrgHitFilter *filter, GError **error)
{
    const MrgLoadOptions *options = judging->options;
    GHashTableIter each;
    gpointer key;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    if (!*options->trap)
        return TRUE;
    if (!mrg_store_hits(options->store, filter, note_link, judging, error))
        return FALSE;
    g_hash_table_iter_init(&each, judging->links);
    while (g_hash_table_iter_next(&each, &key, NULL)) {
        guint64 number = *(const guint64 *) key;
        const char *target = "";
        if (mrg_store_link_target(options->store, (guint32) (number >> 32),
                                  (guint32) number, &target, arena,
                                  g_get_monotonic_time() + options->store_deadline_us,
                                  error) == MRG_FETCH_ERROR)
            return FALSE;
        g_hash_table_iter_replace(&each,
                                  GINT_TO_POINTER(strcmp(target, options->trap) == 0));
    }
    return TRUE;
}

static gboolean
note_click(const MrgHitRow *hit, gpointer context)
{
    Judging *judging = context;
    gint64 key = link_key(hit);
    if (hit->message && hit->kind == MRG_HIT_CLICK)
        mrg_bursts_add(judging->bursts, hit->message, hit->link, hit->at_us,
                       g_hash_table_lookup(judging->links, &key) != NULL);
    return TRUE;
}

static gboolean
judge(const MrgHitRow *hit, gpointer context)
{
    Judging *judging = context;
    judging->counts->n_seen++;
    if (!hit->message || !*hit->agent)
        return TRUE;
    MrgSurroundings around = mrg_bursts_around(judging->bursts, hit->message, hit->at_us);
    MrgSign sign = mrg_classify(judging->options->signs, hit, &around);
    if (sign.hit_class == hit->hit_class && strcmp(sign.reason, hit->reason) == 0)
        return TRUE;
    MrgHitRow row = *hit;
    row.agent = "";
    row.hit_class = sign.hit_class;
    row.reason = sign.reason;
    g_array_append_val(judging->changed, row);
    return TRUE;
}

static gboolean
put_changed(const Judging *judging, GError **error)
{
    const MrgHitRow *rows = (const MrgHitRow *) (gpointer) judging->changed->data;
    for (guint i = 0; i < judging->changed->len; i += MRG_LOAD_BATCH) {
        guint n = MIN(judging->changed->len - i, MRG_LOAD_BATCH);
        if (!mrg_store_put_classes(judging->options->store, rows + i, n, error))
            return FALSE;
        judging->counts->n_changed += n;
    }
    return TRUE;
}

gboolean
mrg_reclassify(const MrgLoadOptions *options, gint64 since_us, MrgReclassified *counts,
               GError **error)
{
    const MrgHitFilter filter = {.since_us = since_us};
    g_autoptr(MrgBursts) bursts = mrg_bursts_new();
    g_autoptr(GHashTable) links =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_autoptr(GArray) changed = g_array_new(FALSE, FALSE, sizeof(MrgHitRow));
    Judging judging = {options, bursts, links, changed, counts};
    *counts = (MrgReclassified){0};
    return find_traps(&judging, &filter, error) &&
           mrg_store_hits(options->store, &filter, note_click, &judging, error) &&
           mrg_store_hits(options->store, &filter, judge, &judging, error) &&
           put_changed(&judging, error);
}
