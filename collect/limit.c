/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>

#include "collect/limit.h"
#include "milter/clock.h"

#define WAYS 8
#define BUCKETS 8192 /* a power of two */
#define SHARDS 64

typedef struct Slot {
    guint64 tag;
    guint32 minute, n;
} Slot;

struct MrgLimit {
    guint64 seed;
    pthread_mutex_t mutexes[SHARDS];
    Slot slots[BUCKETS][WAYS];
};

MrgLimit *
mrg_limit_new(void)
{
    MrgLimit *limit = g_new0(MrgLimit, 1);
    limit->seed = (guint64) g_random_int() << 32 | g_random_int();
    for (gsize i = 0; i < SHARDS; i++)
        pthread_mutex_init(&limit->mutexes[i], NULL);
    return limit;
}

void
mrg_limit_free(MrgLimit *limit)
{
    if (!limit)
        return;
    for (gsize i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&limit->mutexes[i]);
    g_free(limit);
}

/* The finalizer of MurmurHash3 (Appleby): every bit of the key moves every bit. */
static guint64
mix(guint64 key)
{
    key = (key ^ key >> 33) * G_GUINT64_CONSTANT(0xff51afd7ed558ccd);
    key = (key ^ key >> 33) * G_GUINT64_CONSTANT(0xc4ceb9fe1a85ec53);
    return key ^ key >> 33;
}

static gboolean
is_older(const Slot *slot, const Slot *other)
{
    return slot->minute != other->minute ? slot->minute < other->minute
                                         : slot->n < other->n;
}

/* The slot of the tag, or the one that it takes the place of. */
static Slot *
find_slot(Slot *bucket, guint64 tag)
{
    Slot *oldest = bucket;
    for (gsize i = 0; i < WAYS; i++) {
        if (bucket[i].tag == tag)
            return &bucket[i];
        if (is_older(&bucket[i], oldest))
            oldest = &bucket[i];
    }
    *oldest = (Slot){.tag = tag};
    return oldest;
}

gboolean
mrg_limit_take(MrgLimit *limit, guint per_minute, guint64 key, gint64 now_us)
{
    if (!per_minute)
        return TRUE;
    guint64 tag = mix(key ^ limit->seed);
    gsize place = (gsize) (tag % BUCKETS);
    guint32 minute = (guint32) (now_us / (60 * MRG_SECOND_US));
    pthread_mutex_t *mutex = &limit->mutexes[place % SHARDS];
    pthread_mutex_lock(mutex);
    Slot *slot = find_slot(limit->slots[place], tag);
    if (slot->minute != minute)
        *slot = (Slot){tag, minute, 0};
    gboolean may = slot->n < per_minute;
    slot->n += may;
    pthread_mutex_unlock(mutex);
    return may;
}
