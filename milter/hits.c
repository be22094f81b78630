/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/hits.h"
#include "milter/store-check.h"

guint64
mrg_message_number(const MrgMessageKey *key)
{
    guint64 number;
    memcpy(&number, key->bytes, sizeof number);
    return GUINT64_FROM_BE(number);
}

/* ---- what goes in ------------------------------------------------------ */

MrgCommit
mrg_store_record_hits(const MrgStore *store, const MrgHitBatch *batch, GError **error)
{
    if (!mrg_store_check_batch(batch, error))
        return MRG_COMMIT_ERROR;
    return store->api->record_hits(store->instance, batch, error);
}

gboolean
mrg_store_put_classes(const MrgStore *store, const MrgHitRow *hits, gsize n, GError **error)
{
    for (gsize i = 0; i < n; i++)
        if (!mrg_store_check_hit(&hits[i], error))
            return FALSE;
    return store->api->put_classes(store->instance, hits, n, error);
}

gboolean
mrg_store_journal_position(const MrgStore *store, const char *journal, guint64 *segment,
                           guint64 *offset, GError **error)
{
    return store->api->journal_position(store->instance, journal, segment, offset, error);
}

/* ---- numbers ----------------------------------------------------------- */

MrgFetch
mrg_store_campaign_name(const MrgStore *store, guint32 number, const char **name,
                        MrgArena *arena, gint64 deadline_us, GError **error)
{
    MrgMemory memory = mrg_store_memory(arena);
    const char *found = NULL;
    MrgFetch result = store->api->campaign_name(store->instance, number, &found, &memory,
                                                deadline_us, error);
    if (result != MRG_FETCH_HIT)
        return result;
    if (!mrg_store_is_word(found, MRG_STORE_NAME_BYTES_MAX)) {
        mrg_store_fail(error, "a campaign's name is malformed");
        return MRG_FETCH_ERROR;
    }
    *name = found;
    return MRG_FETCH_HIT;
}

MrgFetch
mrg_store_link_target(const MrgStore *store, guint32 campaign, guint32 number,
                      const char **target, MrgArena *arena, gint64 deadline_us,
                      GError **error)
{
    MrgMemory memory = mrg_store_memory(arena);
    const char *found = NULL;
    MrgFetch result = store->api->link_target(store->instance, campaign, number, &found,
                                              &memory, deadline_us, error);
    if (result != MRG_FETCH_HIT)
        return result;
    if (!mrg_store_is_word(found, MRG_STORE_LINE_BYTES_MAX)) {
        mrg_store_fail(error, "the target of a link is malformed");
        return MRG_FETCH_ERROR;
    }
    *target = found;
    return MRG_FETCH_HIT;
}
