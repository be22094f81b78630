/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/seen.h"

#define SLOTS_MIN 1024

/* Open addressing.  Keys are keyed hashes: their first bytes spread by themselves, and
 * nobody who does not know the key can choose them. */
typedef struct Slot {
    MrgPersonKey key;
    guint64 line; /* 0: free */
} Slot;

struct MrgSeen {
    Slot *slots;
    gsize n, n_slots; /* a power of two, of which a quarter is free */
};

MrgSeen *
mrg_seen_new(void)
{
    MrgSeen *seen = g_new(MrgSeen, 1);
    *seen = (MrgSeen){g_new0(Slot, SLOTS_MIN), 0, SLOTS_MIN};
    return seen;
}

void
mrg_seen_free(MrgSeen *seen)
{
    if (!seen)
        return;
    g_free(seen->slots);
    g_free(seen);
}

/* The one of the key, or the free one where it belongs. */
static Slot *
find(const MrgSeen *seen, const MrgPersonKey *key)
{
    guint64 hash;
    memcpy(&hash, key->bytes, sizeof hash);
    for (gsize i = (gsize) hash;; i++) {
        Slot *slot = &seen->slots[i & (seen->n_slots - 1)];
        if (!slot->line || memcmp(&slot->key, key, sizeof *key) == 0)
            return slot;
    }
}

static void
grow(MrgSeen *seen)
{
    MrgSeen larger = {g_new0(Slot, 2 * seen->n_slots), seen->n, 2 * seen->n_slots};
    for (gsize i = 0; i < seen->n_slots; i++)
        if (seen->slots[i].line)
            *find(&larger, &seen->slots[i].key) = seen->slots[i];
    g_free(seen->slots);
    *seen = larger;
}

guint64
mrg_seen_add(MrgSeen *seen, const MrgPersonKey *key, guint64 line)
{
    Slot *slot = find(seen, key);
    if (slot->line)
        return slot->line;
    *slot = (Slot){*key, line};
    if (++seen->n > seen->n_slots / 4 * 3)
        grow(seen);
    return 0;
}
