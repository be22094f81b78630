/* SPDX-License-Identifier: Apache-2.0 */
/* stats: what became of a campaign, as text, JSON or a page. */
#include "config.h"

#include "ctl/stats.h"
#include "ctl/verb.h"
#include "milter/clock.h"

static const char *const acts[MRG_N_ACTS] = {"opens", "clicks"};
static const char *const states[] = {"delivered", "deferred", "soft_bounces",
                                     "hard_bounces", "complaints"};
G_STATIC_ASSERT(G_N_ELEMENTS(states) == MRG_DELIVERY_LAST + 1);

/* ---- JSON -------------------------------------------------------------- */

static void
set(json_t *object, const char *name, guint64 n)
{
    json_object_set_new(object, name, json_integer((json_int_t) n));
}

static json_t *
rate_json(guint64 n, guint64 all)
{
    double low, high;
    mrg_wilson(n, all, &low, &high);
    json_t *rate = json_pack("{s:I,s:I}", "n", (json_int_t) n, "of", (json_int_t) all);
    json_object_set_new(rate, "rate",
                        all ? json_real((double) n / (double) all) : json_null());
    json_object_set_new(rate, "low", json_real(low));
    json_object_set_new(rate, "high", json_real(high));
    return rate;
}

static json_t *
acts_json(const MrgActs *is)
{
    json_t *object = rate_json(is->n_copies, is->n_carriers), *classes = json_object();
    set(object, "total", is->n_human);
    for (guint i = 0; i <= MRG_CLASS_LAST; i++)
        set(classes, mrg_class_name((MrgHitClass) i), is->n_of[i]);
    json_object_set_new(object, "classes", classes);
    return object;
}

static json_t *
links_json(const MrgStats *stats)
{
    json_t *list = json_array();
    for (guint i = 0; i < stats->links->len; i++) {
        const MrgLinkStats *link = g_ptr_array_index(stats->links, i);
        json_array_append_new(
            list, json_pack("{s:I,s:s,s:I,s:I,s:I}", "number", (json_int_t) link->number,
                            "target", link->target, "clicks", (json_int_t) link->n_clicks,
                            "copies", (json_int_t) link->n_copies, "machines",
                            (json_int_t) link->n_machines));
    }
    return list;
}

static json_t *
spans_json(const MrgStats *stats)
{
    json_t *list = json_array();
    for (guint i = 0; i < stats->spans->len; i++) {
        const MrgStatsSpan *span = &g_array_index(stats->spans, MrgStatsSpan, i);
        g_autofree char *from = mrg_print_time(stats->first_us + i * stats->span_us);
        json_array_append_new(list, json_pack("{s:s,s:I,s:I}", "from", from, "opens",
                                              (json_int_t) span->n[MRG_ACT_OPEN], "clicks",
                                              (json_int_t) span->n[MRG_ACT_CLICK]));
    }
    return list;
}

static json_t *
tallies_json(const GPtrArray *tallies, gboolean is_of_acts)
{
    json_t *object = json_object();
    for (guint i = 0; i < tallies->len; i++) {
        const MrgTally *tally = g_ptr_array_index(tallies, i);
        json_t *value = is_of_acts
                            ? json_pack("{s:I,s:I}", "opens", (json_int_t) tally->n[0],
                                        "clicks", (json_int_t) tally->n[1])
                            : json_integer((json_int_t) tally->n[0]);
        json_object_set_new(object, tally->name, value);
    }
    return object;
}

static json_t *
stats_json(const MrgStats *stats)
{
    json_t *object = json_object();
    json_object_set_new(object, "campaign", json_string(stats->campaign));
    set(object, "sent", stats->n_sent);
    set(object, "held", stats->n_held);
    set(object, "withheld", stats->n_withheld);
    set(object, "refused", stats->n_refused);
    json_object_set_new(object, "reasons", tallies_json(stats->reasons, FALSE));
    for (guint i = 0; i < G_N_ELEMENTS(states); i++)
        set(object, states[i], stats->n_deliveries[i]);
    for (guint i = 0; i < MRG_N_ACTS; i++)
        json_object_set_new(object, acts[i], acts_json(&stats->acts[i]));
    json_object_set_new(object, "unsubscribed",
                        rate_json(stats->n_unsubscribed, stats->n_sent));
    json_object_set_new(object, "links", links_json(stats));
    json_object_set_new(object, "devices", tallies_json(stats->devices, TRUE));
    set(object, "span_seconds", (guint64) (stats->span_us / MRG_SECOND_US));
    json_object_set_new(object, "spans", spans_json(stats));
    return object;
}

/* ---- text -------------------------------------------------------------- */

static void
print_rate(const char *name, guint64 n, guint64 all, const char *of)
{
    double low, high;
    mrg_wilson(n, all, &low, &high);
    g_print("%-14s %8" G_GUINT64_FORMAT, name, n);
    if (all)
        g_print("   %5.1f %% of %" G_GUINT64_FORMAT " %s (%.1f to %.1f)",
                100 * (double) n / (double) all, all, of, 100 * low, 100 * high);
    g_print("\n");
}

static void
print_acts(const MrgStats *stats, MrgAct act)
{
    const MrgActs *is = &stats->acts[act];
    print_rate(act == MRG_ACT_OPEN ? "opened by" : "clicked by", is->n_copies,
               is->n_carriers,
               act == MRG_ACT_OPEN ? "copies with a pixel" : "copies with links of ours");
    g_print("               %8" G_GUINT64_FORMAT " %s by people;", is->n_human, acts[act]);
    for (guint i = 0; i <= MRG_CLASS_LAST; i++)
        g_print("%s %" G_GUINT64_FORMAT " %s", i ? "," : "", is->n_of[i],
                mrg_class_name((MrgHitClass) i));
    g_print("\n");
}

static void
print_stats(const MrgStats *stats)
{
    g_print("%-14s %8" G_GUINT64_FORMAT "\n", "sent", stats->n_sent);
    for (guint i = 0; i < G_N_ELEMENTS(states); i++)
        if (stats->n_deliveries[i])
            print_rate(states[i], stats->n_deliveries[i], stats->n_sent, "sent");
    print_acts(stats, MRG_ACT_OPEN);
    print_acts(stats, MRG_ACT_CLICK);
    print_rate("unsubscribed", stats->n_unsubscribed, stats->n_sent, "sent");
    g_print("%-14s %8" G_GUINT64_FORMAT "\n", "held", stats->n_held);
    g_print("%-14s %8" G_GUINT64_FORMAT "\n", "withheld", stats->n_withheld);
    for (guint i = 0; i < stats->reasons->len; i++) {
        const MrgTally *tally = g_ptr_array_index(stats->reasons, i);
        g_print("               %8" G_GUINT64_FORMAT "   %s\n", tally->n[0], tally->name);
    }
    for (guint i = 0; i < stats->links->len; i++) {
        const MrgLinkStats *link = g_ptr_array_index(stats->links, i);
        g_print("%-14s %8" G_GUINT64_FORMAT "   %s\n", i ? "" : "clicks", link->n_clicks,
                link->number ? link->target : "links made for one person each");
    }
}

/* ---- the verb ---------------------------------------------------------- */

static int
write_page(const MrgStats *stats, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *page = mrg_stats_page(stats, mrg_clock_now_us());
    if (g_str_equal(path, "-"))
        g_print("%s", page);
    else if (!g_file_set_contents(path, page, -1, &error))
        return mrg_verb_fail(error);
    return EX_OK;
}

static int
show(const MrgTool *tool, const MrgStats *stats, const char *html)
{
    if (!stats->n_sent && !stats->n_held && !stats->n_withheld && !stats->n_refused) {
        g_printerr("merganser: no copy of campaign '%s' is recorded\n", stats->campaign);
        return EX_DATAERR;
    }
    if (html)
        return write_page(stats, html);
    if (tool->is_json)
        mrg_print_json(stats_json(stats));
    else
        print_stats(stats);
    return EX_OK;
}

int
mrg_verb_stats(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *html = NULL;
    const GOptionEntry entries[] = {
        {"html", 0, 0, G_OPTION_ARG_FILENAME, &html, "Write a page", "FILE|-"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgConf) conf = NULL;
    g_autoptr(MrgSigns) signs = NULL;
    g_autoptr(MrgStore) store = NULL;
    g_autoptr(MrgStats) stats = NULL;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code && html && tool->is_json)
        code = mrg_verb_usage("--html and --json do not go together");
    if (code || !(conf = mrg_verb_conf(tool, &code)))
        return code;
    signs = mrg_signs_load(conf->events_agents, conf->events_networks, &error);
    store = signs ? mrg_conf_open_store(conf, &error) : NULL;
    if (store)
        stats = mrg_stats_gather(store, signs, argv[1],
                                 g_get_monotonic_time() + conf->store_deadline, &error);
    return stats ? show(tool, stats, html) : mrg_verb_fail(error);
}
