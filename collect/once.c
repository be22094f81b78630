/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>

#include "collect/once.h"

#define KEYS_MAX 4096

typedef struct Entry {
    char *key; /* SHA-256, as the content is */
    char *content;
    gboolean is_done;
} Entry;

struct MrgOnce {
    pthread_mutex_t mutex;
    Entry ring[KEYS_MAX];
    gsize next;
    GHashTable *by_key; /* key -> Entry */
};

MrgOnce *
mrg_once_new(void)
{
    MrgOnce *once = g_new0(MrgOnce, 1);
    pthread_mutex_init(&once->mutex, NULL);
    once->by_key = g_hash_table_new(g_str_hash, g_str_equal);
    return once;
}

static void
forget(MrgOnce *once, Entry *entry)
{
    if (entry->key)
        g_hash_table_remove(once->by_key, entry->key);
    g_clear_pointer(&entry->key, g_free);
    g_clear_pointer(&entry->content, g_free);
}

void
mrg_once_free(MrgOnce *once)
{
    if (!once)
        return;
    for (gsize i = 0; i < KEYS_MAX; i++)
        forget(once, &once->ring[i]);
    g_hash_table_unref(once->by_key);
    pthread_mutex_destroy(&once->mutex);
    g_free(once);
}

static char *
digest(const char *text)
{
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
}

static MrgOnceState
begin(MrgOnce *once, char *key, char *content)
{
    Entry *entry = g_hash_table_lookup(once->by_key, key);
    MrgOnceState state = !entry                                  ? MRG_ONCE_NEW
                         : !g_str_equal(entry->content, content) ? MRG_ONCE_CONFLICT
                         : entry->is_done                        ? MRG_ONCE_DONE
                                                                 : MRG_ONCE_BUSY;
    if (state != MRG_ONCE_NEW) {
        g_free(key);
        g_free(content);
        return state;
    }
    entry = &once->ring[once->next];
    once->next = (once->next + 1) % KEYS_MAX;
    forget(once, entry);
    *entry = (Entry){key, content, FALSE};
    g_hash_table_insert(once->by_key, key, entry);
    return state;
}

MrgOnceState
mrg_once_begin(MrgOnce *once, const char *key, const char *content)
{
    pthread_mutex_lock(&once->mutex);
    MrgOnceState state = begin(once, digest(key), digest(content));
    pthread_mutex_unlock(&once->mutex);
    return state;
}

void
mrg_once_end(MrgOnce *once, const char *key, gboolean is_done)
{
    g_autofree char *hashed = digest(key);
    pthread_mutex_lock(&once->mutex);
    Entry *entry = g_hash_table_lookup(once->by_key, hashed);
    if (entry && is_done)
        entry->is_done = TRUE;
    else if (entry)
        forget(once, entry);
    pthread_mutex_unlock(&once->mutex);
}
