/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <string.h>

#include "collect/links.h"
#include "collect/reply.h"

#define ENTRY_BYTES 512 /* an entry beside its target, with MHD's part, about */

typedef struct Generation {
    GHashTable *table; /* guint64 key -> MrgLink */
    gsize bytes;
} Generation;

struct MrgLinks {
    gsize max_bytes; /* of a generation */
    pthread_rwlock_t lock;
    Generation young, old;
};

/* ---- targets */

static gsize
scheme_length(const char *target)
{
    return g_ascii_strncasecmp(target, "https://", 8) == 0  ? 8
           : g_ascii_strncasecmp(target, "http://", 7) == 0 ? 7
                                                            : 0;
}

gboolean
mrg_target_is_good(const char *target)
{
    gsize scheme = scheme_length(target);
    if (!scheme || !target[scheme] || strchr("/?#\\", target[scheme]))
        return FALSE;
    for (const char *at = target; *at; at++)
        if ((guchar) *at <= ' ' || *at == 0x7f)
            return FALSE;
    return TRUE;
}

const MrgSiteConf *
mrg_target_site(const char *target, const MrgSiteConf *sites, gsize n_sites)
{
    gsize scheme = scheme_length(target);
    gsize length = scheme + strcspn(target + scheme, "/?#\\");
    /* user@host would be another host than the one that is read first */
    if (memchr(target, '@', length))
        return NULL;
    for (gsize i = 0; i < n_sites; i++)
        for (MrgConfLIST origin = sites[i].origins; *origin; origin++)
            if (strlen(*origin) == length &&
                g_ascii_strncasecmp(*origin, target, length) == 0)
                return &sites[i];
    return NULL;
}

/* ---- entries */

void
mrg_link_unref(MrgLink *link)
{
    if (!link || !g_atomic_int_dec_and_test(&link->references))
        return;
    MHD_destroy_response(link->redirect);
    g_free(link->target);
    g_free(link);
}

static MrgLink *
ref(MrgLink *link)
{
    g_atomic_int_inc(&link->references);
    return link;
}

static void
unref(gpointer link)
{
    mrg_link_unref(link);
}

static guint64
make_key(guint32 campaign, guint32 link)
{
    return (guint64) campaign << 32 | link;
}

static void
init_generation(Generation *generation)
{
    generation->table = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, unref);
    generation->bytes = 0;
}

/* ---- the cache */

MrgLinks *
mrg_links_new(gsize max_bytes)
{
    MrgLinks *links = g_new0(MrgLinks, 1);
    links->max_bytes = max_bytes / 2;
    pthread_rwlock_init(&links->lock, NULL);
    init_generation(&links->young);
    init_generation(&links->old);
    return links;
}

void
mrg_links_free(MrgLinks *links)
{
    if (!links)
        return;
    g_hash_table_unref(links->young.table);
    g_hash_table_unref(links->old.table);
    pthread_rwlock_destroy(&links->lock);
    g_free(links);
}

/* Called with the lock for writing. */
static void
keep(MrgLinks *links, guint64 key, MrgLink *link)
{
    gsize bytes = ENTRY_BYTES + strlen(link->target);
    if (links->young.bytes + bytes > links->max_bytes) {
        g_hash_table_unref(links->old.table);
        links->old = links->young;
        init_generation(&links->young);
    }
    if (g_hash_table_insert(links->young.table, g_memdup2(&key, sizeof key), ref(link)))
        links->young.bytes += bytes;
}

MrgLink *
mrg_links_find(MrgLinks *links, guint32 campaign, guint32 link)
{
    guint64 key = make_key(campaign, link);
    pthread_rwlock_rdlock(&links->lock);
    MrgLink *found = g_hash_table_lookup(links->young.table, &key);
    gboolean is_young = found != NULL;
    if (!found)
        found = g_hash_table_lookup(links->old.table, &key);
    if (found)
        ref(found);
    pthread_rwlock_unlock(&links->lock);
    if (!found || is_young)
        return found;
    pthread_rwlock_wrlock(&links->lock);
    keep(links, key, found);
    pthread_rwlock_unlock(&links->lock);
    return found;
}

MrgLink *
mrg_links_add(MrgLinks *links, guint32 campaign, guint32 link, const char *target)
{
    if (!mrg_target_is_good(target))
        return NULL;
    MrgLink *made = g_new0(MrgLink, 1);
    g_atomic_int_set(&made->references, 1);
    made->target = g_strdup(target);
    made->redirect = mrg_redirect_new(target);
    pthread_rwlock_wrlock(&links->lock);
    keep(links, make_key(campaign, link), made);
    pthread_rwlock_unlock(&links->lock);
    return made;
}
