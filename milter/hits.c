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

static gboolean
fail(GError **error, const char *what)
{
    g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT, what);
    return FALSE;
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

/* ---- what comes out ---------------------------------------------------- */

/* A visitor with a look at what it gets; fault ends the listing. */
typedef struct Listing {
    gpointer context;
    GError *fault;
    MrgHitVisit hit;
    MrgDeliveryVisit delivery;
    MrgEventVisit event;
    MrgLinkVisit link;
} Listing;

static gboolean
end_listing(Listing *listing, gboolean is_done, GError **error)
{
    if (is_done && listing->fault) {
        g_propagate_error(error, listing->fault);
        return FALSE;
    }
    g_clear_error(&listing->fault);
    return is_done;
}

static gboolean
visit_hit(const MrgHitRow *hit, gpointer context)
{
    Listing *listing = context;
    return mrg_store_check_hit(hit, &listing->fault) && listing->hit(hit, listing->context);
}

gboolean
mrg_store_hits(const MrgStore *store, const MrgHitFilter *filter, MrgHitVisit visit,
               gpointer context, GError **error)
{
    Listing listing = {.context = context, .hit = visit};
    return end_listing(
        &listing, store->api->hits(store->instance, filter, visit_hit, &listing, error),
        error);
}

static gboolean
visit_delivery(const MrgDelivery *delivery, gpointer context)
{
    Listing *listing = context;
    return mrg_store_check_delivery(delivery, &listing->fault) &&
           listing->delivery(delivery, listing->context);
}

gboolean
mrg_store_deliveries(const MrgStore *store, const MrgHitFilter *filter,
                     MrgDeliveryVisit visit, gpointer context, GError **error)
{
    Listing listing = {.context = context, .delivery = visit};
    return end_listing(
        &listing,
        store->api->deliveries(store->instance, filter, visit_delivery, &listing, error),
        error);
}

static gboolean
visit_event(const MrgPersonKey *person, const MrgEvent *event, gpointer context)
{
    Listing *listing = context;
    return mrg_store_check_event(person, event, &listing->fault) &&
           listing->event(person, event, listing->context);
}

gboolean
mrg_store_campaign_events(const MrgStore *store, const char *campaign, MrgEventVisit visit,
                          gpointer context, GError **error)
{
    Listing listing = {.context = context, .event = visit};
    return end_listing(&listing,
                       store->api->campaign_events(store->instance, campaign, visit_event,
                                                   &listing, error),
                       error);
}

static gboolean
visit_link(guint32 number, const char *target, gpointer context)
{
    Listing *listing = context;
    if (!number || !mrg_store_is_word(target, MRG_STORE_LINE_BYTES_MAX))
        return fail(&listing->fault, "a link is malformed");
    return listing->link(number, target, listing->context);
}

gboolean
mrg_store_links(const MrgStore *store, guint32 campaign, MrgLinkVisit visit,
                gpointer context, GError **error)
{
    Listing listing = {.context = context, .link = visit};
    return end_listing(
        &listing, store->api->links(store->instance, campaign, visit_link, &listing, error),
        error);
}

/* ---- numbers ----------------------------------------------------------- */

static void *
alloc_in_arena(void *context, gsize size)
{
    return mrg_arena_alloc0(context, size);
}

MrgFetch
mrg_store_campaign_name(const MrgStore *store, guint32 number, const char **name,
                        MrgArena *arena, gint64 deadline_us, GError **error)
{
    MrgMemory memory = {alloc_in_arena, arena};
    const char *found = NULL;
    MrgFetch result = store->api->campaign_name(store->instance, number, &found, &memory,
                                                deadline_us, error);
    if (result != MRG_FETCH_HIT)
        return result;
    if (!mrg_store_is_word(found, MRG_STORE_NAME_BYTES_MAX)) {
        fail(error, "a campaign's name is malformed");
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
    MrgMemory memory = {alloc_in_arena, arena};
    const char *found = NULL;
    MrgFetch result = store->api->link_target(store->instance, campaign, number, &found,
                                              &memory, deadline_us, error);
    if (result != MRG_FETCH_HIT)
        return result;
    if (!mrg_store_is_word(found, MRG_STORE_LINE_BYTES_MAX)) {
        fail(error, "the target of a link is malformed");
        return MRG_FETCH_ERROR;
    }
    *target = found;
    return MRG_FETCH_HIT;
}
