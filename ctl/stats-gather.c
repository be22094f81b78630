/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "collect/hit.h"
#include "ctl/stats.h"
#include "milter/clock.h"

#define HOUR_US (3600 * MRG_SECOND_US)
#define Z 1.959964 /* of 95 % */

/* What the last word on a copy was. */
typedef struct Copy {
    MrgVerdict verdict;
    guint tracked;
    char *reason; /* of the table of reasons, borrowed */
} Copy;

/* An act of a person, kept until the span is known. */
typedef struct Moment {
    gint64 at_us;
    MrgAct act;
} Moment;

typedef struct Gathering {
    MrgStats *stats;
    const MrgSigns *signs;
    GHashTable *copies;          /* message number -> Copy */
    GHashTable *reasons;         /* text -> MrgTally */
    GHashTable *devices;         /* name -> MrgTally */
    GHashTable *links;           /* number -> MrgLinkStats */
    GHashTable *did[MRG_N_ACTS]; /* message numbers */
    GHashTable *left;            /* message numbers */
    GArray *moments;
} Gathering;

void
mrg_wilson(guint64 n, guint64 all, double *low, double *high)
{
    *low = 0;
    *high = 1;
    if (!all)
        return;
    double size = (double) all, p = (double) MIN(n, all) / size;
    double denominator = 1 + Z * Z / size;
    double centre = p + Z * Z / (2 * size);
    double margin = Z * sqrt(p * (1 - p) / size + Z * Z / (4 * size * size));
    *low = MAX((centre - margin) / denominator, 0);
    *high = MIN((centre + margin) / denominator, 1);
}

/* ---- tables ------------------------------------------------------------ */

static void
tally_free(gpointer data)
{
    MrgTally *tally = data;
    g_free(tally->name);
    g_free(tally);
}

static void
link_free(gpointer data)
{
    MrgLinkStats *link = data;
    g_free(link->target);
    g_hash_table_unref(link->copies);
    g_free(link);
}

static GHashTable *
set_of_numbers(void)
{
    return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

/* FALSE where it was there. */
static gboolean
add_number(GHashTable *set, guint64 number)
{
    return !g_hash_table_contains(set, &number) &&
           g_hash_table_add(set, g_memdup2(&number, sizeof number));
}

static MrgTally *
tally_of(GHashTable *tallies, const char *name)
{
    MrgTally *tally = g_hash_table_lookup(tallies, name);
    if (!tally) {
        tally = g_new0(MrgTally, 1);
        tally->name = g_strdup(name);
        g_hash_table_insert(tallies, tally->name, tally);
    }
    return tally;
}

/* ---- copies ------------------------------------------------------------ */

/* What has no copy cannot change any more. */
static void
count_copy(Gathering *gathering, const Copy *copy)
{
    MrgStats *stats = gathering->stats;
    if (copy->verdict == MRG_VERDICT_DELIVER) {
        stats->n_sent++;
        stats->acts[MRG_ACT_OPEN].n_carriers += (copy->tracked & MRG_TRACKED_OPENS) != 0;
        stats->acts[MRG_ACT_CLICK].n_carriers += (copy->tracked & MRG_TRACKED_CLICKS) != 0;
        return;
    }
    stats->n_held += copy->verdict == MRG_VERDICT_HOLD;
    stats->n_withheld += copy->verdict == MRG_VERDICT_DROP;
    stats->n_refused +=
        copy->verdict == MRG_VERDICT_REJECT || copy->verdict == MRG_VERDICT_DEFER;
    tally_of(gathering->reasons, copy->reason)->n[0]++;
}

static gboolean
note_event(const MrgPersonKey *person G_GNUC_UNUSED, const MrgEvent *event,
           gpointer context)
{
    Gathering *gathering = context;
    MrgStats *stats = gathering->stats;
    guint64 number = mrg_message_number(&event->message);
    Copy last = {event->verdict, event->tracked,
                 tally_of(gathering->reasons, event->reason)->name};
    if (event->verdict == MRG_VERDICT_DELIVER) {
        stats->first_us = stats->first_us ? stats->first_us : event->at_us;
        stats->last_us = event->at_us;
    }
    if (!number) {
        count_copy(gathering, &last);
        return TRUE;
    }
    /* A copy that was held says what it carries then, whatever is said when it goes. */
    const Copy *before = g_hash_table_lookup(gathering->copies, &number);
    last.tracked |= before ? before->tracked : 0;
    g_hash_table_replace(gathering->copies, g_memdup2(&number, sizeof number),
                         g_memdup2(&last, sizeof last));
    return TRUE;
}

static void
count_copies(Gathering *gathering)
{
    GHashTableIter each;
    gpointer copy;
    g_hash_table_iter_init(&each, gathering->copies);
    while (g_hash_table_iter_next(&each, NULL, &copy))
        count_copy(gathering, copy);
}

/* ---- hits -------------------------------------------------------------- */

static void
count_link(Gathering *gathering, const MrgHitRow *hit, gboolean is_human)
{
    MrgLinkStats *link = g_hash_table_lookup(gathering->links, GUINT_TO_POINTER(hit->link));
    if (!link) {
        link = g_new0(MrgLinkStats, 1);
        link->number = hit->link;
        link->target = g_strdup(hit->link ? "?" : "");
        link->copies = set_of_numbers();
        g_hash_table_insert(gathering->links, GUINT_TO_POINTER(hit->link), link);
    }
    link->n_clicks += is_human;
    link->n_machines += !is_human;
    link->n_copies += is_human && hit->message && add_number(link->copies, hit->message);
}

static void
count_human(Gathering *gathering, const MrgHitRow *hit, MrgAct act)
{
    Moment moment = {hit->at_us, act};
    const char *device = mrg_device_of(gathering->signs, hit->agent);
    if (hit->hit_class == MRG_CLASS_PROXY)
        device = "behind a proxy";
    gathering->stats->acts[act].n_human++;
    gathering->stats->acts[act].n_copies +=
        hit->message && add_number(gathering->did[act], hit->message);
    tally_of(gathering->devices, *device ? device : "not known")->n[act]++;
    g_array_append_val(gathering->moments, moment);
}

static gboolean
note_hit(const MrgHitRow *hit, gpointer context)
{
    Gathering *gathering = context;
    if (hit->kind == MRG_HIT_UNSUBSCRIBE || hit->kind == MRG_HIT_ONE_CLICK)
        gathering->stats->n_unsubscribed += add_number(gathering->left, hit->message);
    if (hit->kind != MRG_HIT_OPEN && hit->kind != MRG_HIT_CLICK)
        return TRUE;
    MrgAct act = hit->kind == MRG_HIT_CLICK ? MRG_ACT_CLICK : MRG_ACT_OPEN;
    gboolean is_human = hit->hit_class == MRG_CLASS_HUMAN ||
                        (act == MRG_ACT_OPEN && hit->hit_class == MRG_CLASS_PROXY);
    gathering->stats->acts[act].n_of[hit->hit_class]++;
    if (is_human)
        count_human(gathering, hit, act);
    if (act == MRG_ACT_CLICK)
        count_link(gathering, hit, is_human);
    return TRUE;
}

static gboolean
note_delivery(const MrgDelivery *delivery, gpointer context)
{
    Gathering *gathering = context;
    gathering->stats->n_deliveries[delivery->state]++;
    return TRUE;
}

static gboolean
note_link(guint32 number, const char *target, gpointer context)
{
    Gathering *gathering = context;
    MrgLinkStats *link = g_hash_table_lookup(gathering->links, GUINT_TO_POINTER(number));
    if (link) {
        g_free(link->target);
        link->target = g_strdup(target);
    }
    return TRUE;
}

/* ---- order ------------------------------------------------------------- */

/* Hours as long as they are few, else longer spans. */
static void
fill_spans(Gathering *gathering)
{
    MrgStats *stats = gathering->stats;
    gint64 last_us = stats->first_us;
    for (guint i = 0; i < gathering->moments->len; i++)
        last_us = MAX(last_us, g_array_index(gathering->moments, Moment, i).at_us);
    gint64 hours = (last_us - stats->first_us) / HOUR_US + 1;
    gint64 each = (hours + MRG_STATS_SPANS_MAX - 1) / MRG_STATS_SPANS_MAX;
    stats->span_us = (each <= 1 ? 1 : (each + 23) / 24 * 24) * HOUR_US;
    g_array_set_size(stats->spans,
                     (guint) ((last_us - stats->first_us) / stats->span_us + 1));
    for (guint i = 0; i < gathering->moments->len; i++) {
        const Moment *moment = &g_array_index(gathering->moments, Moment, i);
        gint64 span = MAX(moment->at_us - stats->first_us, 0) / stats->span_us;
        g_array_index(stats->spans, MrgStatsSpan, span).n[moment->act]++;
    }
}

static gint
compare_tallies(gconstpointer a, gconstpointer b)
{
    const MrgTally *one = *(const MrgTally *const *) a,
                   *other = *(const MrgTally *const *) b;
    guint64 first = one->n[0] + one->n[1], second = other->n[0] + other->n[1];
    return first != second ? (first < second) - (first > second)
                           : strcmp(one->name, other->name);
}

static gint
compare_links(gconstpointer a, gconstpointer b)
{
    const MrgLinkStats *one = *(const MrgLinkStats *const *) a;
    const MrgLinkStats *other = *(const MrgLinkStats *const *) b;
    if (one->n_clicks != other->n_clicks)
        return one->n_clicks < other->n_clicks ? 1 : -1;
    return one->number < other->number ? -1 : 1;
}

/* Those that count, out of the table. */
static void
take_tallies(GHashTable *tallies, GPtrArray *list)
{
    GHashTableIter each;
    gpointer tally;
    g_hash_table_iter_init(&each, tallies);
    while (g_hash_table_iter_next(&each, NULL, &tally)) {
        const MrgTally *is = tally;
        if (is->n[0] + is->n[1])
            g_ptr_array_add(list, tally);
        else
            tally_free(tally);
    }
    g_ptr_array_sort(list, compare_tallies);
}

static void
take_links(GHashTable *links, GPtrArray *list)
{
    GHashTableIter each;
    gpointer link;
    g_hash_table_iter_init(&each, links);
    while (g_hash_table_iter_next(&each, NULL, &link))
        g_ptr_array_add(list, link);
    g_ptr_array_sort(list, compare_links);
}

/* ---- the whole --------------------------------------------------------- */

static MrgStats *
stats_new(const char *campaign)
{
    MrgStats *stats = g_new0(MrgStats, 1);
    stats->campaign = g_strdup(campaign);
    stats->reasons = g_ptr_array_new_with_free_func(tally_free);
    stats->devices = g_ptr_array_new_with_free_func(tally_free);
    stats->links = g_ptr_array_new_with_free_func(link_free);
    stats->spans = g_array_new(FALSE, TRUE, sizeof(MrgStatsSpan));
    return stats;
}

void
mrg_stats_free(MrgStats *stats)
{
    g_free(stats->campaign);
    g_ptr_array_unref(stats->reasons);
    g_ptr_array_unref(stats->devices);
    g_ptr_array_unref(stats->links);
    g_array_unref(stats->spans);
    g_free(stats);
}

static gboolean
gather(Gathering *gathering, const MrgStore *store, gint64 deadline_us, GError **error)
{
    const char *campaign = gathering->stats->campaign;
    MrgHitFilter filter = {0};
    if (!mrg_store_campaign_events(store, campaign, note_event, gathering, error))
        return FALSE;
    count_copies(gathering);
    /* A name that was never sent gets no number. */
    if (!gathering->stats->n_sent && !gathering->stats->n_held)
        return TRUE;
    return mrg_store_campaign_number(store, campaign, &filter.campaign, deadline_us,
                                     error) &&
           mrg_store_hits(store, &filter, note_hit, gathering, error) &&
           mrg_store_deliveries(store, &filter, note_delivery, gathering, error) &&
           mrg_store_links(store, filter.campaign, note_link, gathering, error);
}

MrgStats *
mrg_stats_gather(const MrgStore *store, const MrgSigns *signs, const char *campaign,
                 gint64 deadline_us, GError **error)
{
    g_autoptr(MrgStats) stats = stats_new(campaign);
    g_autoptr(GHashTable) copies =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    g_autoptr(GHashTable) reasons = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) devices = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) links = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) opened = set_of_numbers(), clicked = set_of_numbers();
    g_autoptr(GHashTable) left = set_of_numbers();
    g_autoptr(GArray) moments = g_array_new(FALSE, FALSE, sizeof(Moment));
    Gathering gathering = {
        stats, signs, copies, reasons, devices, links, {opened, clicked}, left, moments};
    gboolean is_done = gather(&gathering, store, deadline_us, error);
    take_tallies(reasons, stats->reasons);
    take_tallies(devices, stats->devices);
    take_links(links, stats->links);
    if (!is_done)
        return NULL;
    fill_spans(&gathering);
    return g_steal_pointer(&stats);
}
