/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/load.h"

typedef struct Click {
    gint64 at_us;
    guint32 link;
    gboolean is_trap;
} Click;

struct MrgBursts {
    GHashTable *clicks; /* message -> GArray of Click */
};

MrgBursts *
mrg_bursts_new(void)
{
    MrgBursts *bursts = g_new(MrgBursts, 1);
    bursts->clicks = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                           (GDestroyNotify) g_array_unref);
    return bursts;
}

void
mrg_bursts_free(MrgBursts *bursts)
{
    g_hash_table_unref(bursts->clicks);
    g_free(bursts);
}

void
mrg_bursts_add(MrgBursts *bursts, guint64 message, guint32 link, gint64 at_us,
               gboolean is_trap)
{
    Click click = {at_us, link, is_trap};
    GArray *clicks = g_hash_table_lookup(bursts->clicks, &message);
    if (!clicks) {
        clicks = g_array_new(FALSE, FALSE, sizeof(Click));
        g_hash_table_insert(bursts->clicks, g_memdup2(&message, sizeof message), clicks);
    }
    g_array_append_val(clicks, click);
}

/* Up to as many as make a burst. */
static guint
count_links(const GArray *clicks, gint64 from_us)
{
    guint32 links[MRG_BURST_LINKS];
    guint n = 0;
    for (guint i = 0; i < clicks->len && n < MRG_BURST_LINKS; i++) {
        const Click *click = &g_array_index(clicks, Click, i);
        guint j = 0;
        while (j < n && links[j] != click->link)
            j++;
        if (j == n && click->at_us >= from_us && click->at_us < from_us + MRG_BURST_US)
            links[n++] = click->link;
    }
    return n;
}

/* The second that has the most begins with one of the clicks in the second before. */
MrgSurroundings
mrg_bursts_around(const MrgBursts *bursts, guint64 message, gint64 at_us)
{
    MrgSurroundings around = {0};
    const GArray *clicks = g_hash_table_lookup(bursts->clicks, &message);
    for (guint i = 0; clicks && i < clicks->len; i++) {
        const Click *click = &g_array_index(clicks, Click, i);
        around.is_trapped |= click->is_trap;
        if (click->at_us <= at_us && click->at_us > at_us - MRG_BURST_US &&
            around.n_links < MRG_BURST_LINKS)
            around.n_links = MAX(around.n_links, count_links(clicks, click->at_us));
    }
    return around;
}
