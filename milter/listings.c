/* SPDX-License-Identifier: Apache-2.0 */
/* The listings of registry.h and hits.h: each row is looked at before a visitor gets it. */
#include "config.h"

#include "milter/hits.h"
#include "milter/registry.h"
#include "milter/store-check.h"

/* A visitor with a look at what it gets; fault ends the listing. */
typedef struct Listing {
    gpointer context;
    GError *fault;
    MrgPersonVisit person;
    MrgHomeVisit home;
    MrgEngagementVisit engagement;
    const char *field;
    MrgEventVisit event;
    MrgSuppressionVisit suppression;
    MrgHoldVisit hold;
    MrgRowVisit row;
    MrgHitVisit hit;
    MrgDeliveryVisit delivery;
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
visit_person(const char *address, gpointer context)
{
    Listing *listing = context;
    if (!address || !g_utf8_validate(address, -1, NULL))
        return mrg_store_fail(&listing->fault, "people: an address is not UTF-8");
    return listing->person(address, listing->context);
}

gboolean
mrg_store_list(const MrgStore *store, gsize limit, MrgPersonVisit visit, gpointer context,
               GError **error)
{
    Listing listing = {.context = context, .person = visit};
    return end_listing(
        &listing, store->api->list(store->instance, limit, visit_person, &listing, error),
        error);
}

static gboolean
visit_home(const MrgPersonKey *person, const char *address, const MrgField *field,
           gpointer context)
{
    Listing *listing = context;
    if (!address || !g_utf8_validate(address, -1, NULL))
        return mrg_store_fail(&listing->fault, "people: an address is not UTF-8");
    return mrg_store_check_field(person, listing->field, field, &listing->fault) &&
           listing->home(person, address, field, listing->context);
}

/* A name that is none is that of no field, so that what the store answers does not count.
 */
static gboolean
visit_home_alone(const MrgPersonKey *person, const char *address,
                 const MrgField *field G_GNUC_UNUSED, gpointer context)
{
    return visit_home(person, address, &(MrgField){.type = MRG_FIELD_MISSING}, context);
}

gboolean
mrg_store_homes(const MrgStore *store, const char *field, MrgHomeVisit visit,
                gpointer context, GError **error)
{
    gboolean is_name = mrg_field_is_name(field);
    Listing listing = {.context = context, .home = visit, .field = is_name ? field : "-"};
    return end_listing(&listing,
                       store->api->homes(store->instance, listing.field,
                                         is_name ? visit_home : visit_home_alone, &listing,
                                         error),
                       error);
}

static gboolean
visit_engagement(const MrgPersonKey *person, const char *lines, gpointer context)
{
    Listing *listing = context;
    return mrg_store_check_engagement(person, lines, &listing->fault) &&
           listing->engagement(person, lines, listing->context);
}

gboolean
mrg_store_engagements(const MrgStore *store, MrgEngagementVisit visit, gpointer context,
                      GError **error)
{
    Listing listing = {.context = context, .engagement = visit};
    return end_listing(
        &listing,
        store->api->engagements(store->instance, visit_engagement, &listing, error), error);
}

static gboolean
visit_event(const MrgPersonKey *person, const MrgEvent *event, gpointer context)
{
    Listing *listing = context;
    return mrg_store_check_event(person, event, &listing->fault) &&
           listing->event(person, event, listing->context);
}

gboolean
mrg_store_events(const MrgStore *store, const MrgPersonKey *person, gsize limit,
                 MrgEventVisit visit, gpointer context, GError **error)
{
    Listing listing = {.context = context, .event = visit};
    return end_listing(
        &listing,
        store->api->events(store->instance, person, limit, visit_event, &listing, error),
        error);
}

gboolean
mrg_store_events_since(const MrgStore *store, gint64 since_us, MrgEventVisit visit,
                       gpointer context, GError **error)
{
    Listing listing = {.context = context, .event = visit};
    return end_listing(
        &listing,
        store->api->events_since(store->instance, since_us, visit_event, &listing, error),
        error);
}

static gboolean
visit_suppression(const MrgPersonKey *person, const MrgSuppression *suppression,
                  gpointer context)
{
    Listing *listing = context;
    return mrg_store_check_suppression(person, suppression, &listing->fault) &&
           listing->suppression(person, suppression, listing->context);
}

gboolean
mrg_store_suppressions(const MrgStore *store, const MrgPersonKey *person, gint64 now_us,
                       gsize limit, MrgSuppressionVisit visit, gpointer context,
                       GError **error)
{
    Listing listing = {.context = context, .suppression = visit};
    return end_listing(&listing,
                       store->api->suppressions(store->instance, person, now_us, limit,
                                                visit_suppression, &listing, error),
                       error);
}

static gboolean
visit_hold(const MrgHold *hold, gpointer context)
{
    Listing *listing = context;
    return mrg_store_check_hold(hold, &listing->fault) &&
           listing->hold(hold, listing->context);
}

gboolean
mrg_store_holds(const MrgStore *store, const MrgHoldFilter *filter, MrgHoldVisit visit,
                gpointer context, GError **error)
{
    Listing listing = {.context = context, .hold = visit};
    return end_listing(
        &listing, store->api->holds(store->instance, filter, visit_hold, &listing, error),
        error);
}

static gboolean
visit_row(const char *table, const char *const *names, const char *const *values, gsize n,
          gpointer context)
{
    Listing *listing = context;
    gboolean is_sound = mrg_store_is_word(table, MRG_STORE_NAME_BYTES_MAX);
    for (gsize i = 0; i < n && is_sound; i++)
        is_sound = mrg_store_is_word(names[i], MRG_STORE_NAME_BYTES_MAX) &&
                   (!values[i] || g_utf8_validate(values[i], -1, NULL));
    if (!is_sound)
        return mrg_store_fail(&listing->fault, "a row has no names or is not UTF-8");
    return listing->row(table, names, values, n, listing->context);
}

gboolean
mrg_store_rows_of(const MrgStore *store, const MrgPersonKey *person, MrgRowVisit visit,
                  gpointer context, GError **error)
{
    Listing listing = {.context = context, .row = visit};
    return end_listing(
        &listing, store->api->rows_of(store->instance, person, visit_row, &listing, error),
        error);
}

gboolean
mrg_store_search(const MrgStore *store, const char *text, MrgRowVisit visit,
                 gpointer context, GError **error)
{
    Listing listing = {.context = context, .row = visit};
    if (!mrg_store_is_word(text, MRG_STORE_LINE_BYTES_MAX))
        return mrg_store_fail(error,
                              "the text to search for is empty, too long or not UTF-8");
    return end_listing(
        &listing, store->api->search(store->instance, text, visit_row, &listing, error),
        error);
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
        return mrg_store_fail(&listing->fault, "a link is malformed");
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
