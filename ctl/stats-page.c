/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a campaign as a page that stands alone: no script, nothing from elsewhere.
 */
#include "config.h"

#include <string.h>

#include "ctl/stats.h"
#include "milter/clock.h"

#define POLICY \
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
#define CHART_WIDTH 1000 /* in units of the drawing, which is stretched */
#define CHART_HEIGHT 100
#define LINKS_SHOWN 25

/* ctl/stats-page.css, by the build. */
extern const char mrg_stats_css[];

typedef struct Page {
    GString *out;
    const MrgStats *stats;
} Page;

/* ---- text -------------------------------------------------------------- */

static void
put(const Page *page, const char *html)
{
    g_string_append(page->out, html);
}

static void put_format(const Page *page, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
put_format(const Page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_string_append_vprintf(page->out, format, arguments);
    va_end(arguments);
}

static void
put_text(const Page *page, const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);
    put(page, escaped);
}

static char *
format_time(gint64 at_us, const char *format)
{
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_utc(at_us / MRG_SECOND_US);
    return at ? g_date_time_format(at, format) : g_strdup("?");
}

/* 12,345 */
static void
put_number(const Page *page, guint64 n)
{
    g_autofree char *digits = g_strdup_printf("%" G_GUINT64_FORMAT, n);
    gsize length = strlen(digits);
    for (gsize i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            g_string_append_c(page->out, ',');
        g_string_append_c(page->out, digits[i]);
    }
}

/* ---- tiles ------------------------------------------------------------- */

static void
put_count_tile(const Page *page, const char *name, guint64 n, const char *note)
{
    put_format(page, "<div class=\"tile\"><span>%s</span><b>", name);
    put_number(page, n);
    put_format(page, "</b><small>%s</small></div>", note);
}

static void
put_rate_tile(const Page *page, const char *name, guint64 n, guint64 all, const char *of,
              gboolean is_alert)
{
    double low, high;
    mrg_wilson(n, all, &low, &high);
    put_format(page, "<div class=\"tile%s\"><span>%s</span><b>", is_alert ? " alert" : "",
               name);
    if (all)
        put_format(page, "%.1f&thinsp;%%", 100 * (double) n / (double) all);
    else
        put(page, "&ndash;");
    put(page, "</b><small>");
    put_number(page, n);
    put(page, " of ");
    put_number(page, all);
    put_format(page, " %s</small>", of);
    if (all)
        put_format(page, "<small>likely %.1f to %.1f&thinsp;%%</small>", 100 * low,
                   100 * high);
    put(page, "</div>");
}

static void
put_tiles(const Page *page)
{
    const MrgStats *stats = page->stats;
    const guint64 *states = stats->n_deliveries;
    const MrgActs *opens = &stats->acts[MRG_ACT_OPEN];
    const MrgActs *clicks = &stats->acts[MRG_ACT_CLICK];
    guint64 n_bounced = states[MRG_DELIVERY_HARD_BOUNCE] + states[MRG_DELIVERY_SOFT_BOUNCE];
    put(page, "<div class=\"tiles\">");
    put_count_tile(page, "Sent", stats->n_sent, "copies");
    if (states[MRG_DELIVERY_SENT])
        put_rate_tile(page, "Delivered", states[MRG_DELIVERY_SENT], stats->n_sent, "sent",
                      FALSE);
    put_rate_tile(page, "Opened", opens->n_copies, opens->n_carriers, "with a pixel",
                  FALSE);
    put_rate_tile(page, "Clicked", clicks->n_copies, clicks->n_carriers, "with our links",
                  FALSE);
    put_rate_tile(page, "Unsubscribed", stats->n_unsubscribed, stats->n_sent, "sent",
                  FALSE);
    put_rate_tile(page, "Bounced", n_bounced, stats->n_sent, "sent", n_bounced > 0);
    put_rate_tile(page, "Complained", states[MRG_DELIVERY_COMPLAINT], stats->n_sent, "sent",
                  states[MRG_DELIVERY_COMPLAINT] > 0);
    put(page, "</div>");
}

/* ---- the chart --------------------------------------------------------- */

static guint64
highest(const MrgStats *stats)
{
    guint64 most = 1;
    for (guint i = 0; i < stats->spans->len; i++) {
        const MrgStatsSpan *span = &g_array_index(stats->spans, MrgStatsSpan, i);
        most = MAX(most, span->n[MRG_ACT_OPEN] + span->n[MRG_ACT_CLICK]);
    }
    return most;
}

static void
put_bar(const Page *page, const char *style, double x, double width, double from, double to)
{
    if (to > from)
        put_format(page,
                   "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                   "height=\"%.2f\"/>",
                   style, x, CHART_HEIGHT - to, width, to - from);
}

/* Clicks below, opens on top of them. */
static void
put_bars(const Page *page, guint64 most)
{
    const GArray *spans = page->stats->spans;
    double width = (double) CHART_WIDTH / MAX(spans->len, 1);
    for (guint i = 0; i < spans->len; i++) {
        const MrgStatsSpan *span = &g_array_index(spans, MrgStatsSpan, i);
        double clicks = (double) span->n[MRG_ACT_CLICK] * CHART_HEIGHT / (double) most;
        double opens = (double) span->n[MRG_ACT_OPEN] * CHART_HEIGHT / (double) most;
        double x = i * width + width * 0.1;
        put_bar(page, "click", x, width * 0.8, 0, clicks);
        put_bar(page, "open", x, width * 0.8, clicks, clicks + opens);
    }
}

static void
put_chart(const Page *page)
{
    const MrgStats *stats = page->stats;
    guint64 most = highest(stats);
    gboolean is_hourly = stats->span_us <= 3600 * MRG_SECOND_US;
    const char *format = is_hourly ? "%e %b %H:%M" : "%e %b";
    gint64 end_us = stats->first_us + stats->spans->len * stats->span_us;
    g_autofree char *first = format_time(stats->first_us, format);
    g_autofree char *middle = format_time((stats->first_us + end_us) / 2, format);
    g_autofree char *last = format_time(end_us, format);
    put_format(page,
               "<section><h2>%s <small class=\"key\"><i class=\"open\"></i>opens"
               "<i class=\"click\"></i>clicks, by people</small></h2><div class=\"chart\">"
               "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
               "aria-label=\"Opens and clicks over time\">",
               is_hourly ? "Hour by hour" : "Day by day", CHART_WIDTH, CHART_HEIGHT);
    put_bars(page, most);
    put(page, "</svg><small class=\"top\">");
    put_number(page, most);
    put_format(page,
               "</small><div class=\"axis dim\"><span>%s</span><span>%s</span>"
               "<span>%s UTC</span></div></div></section>",
               first, middle, last);
}

/* ---- tables ------------------------------------------------------------ */

static void
put_cell(const Page *page, guint64 n)
{
    put(page, "<td>");
    put_number(page, n);
    put(page, "</td>");
}

static void
put_share(const Page *page, const char *style, guint64 n, guint64 most)
{
    put_format(page, "<span class=\"bar %s\" style=\"width:%.1f%%\"></span>", style,
               100 * (double) n / (double) MAX(most, 1));
}

static void
put_links(const Page *page)
{
    const GPtrArray *links = page->stats->links;
    if (!links->len)
        return;
    guint64 most = ((const MrgLinkStats *) g_ptr_array_index(links, 0))->n_clicks;
    put(page,
        "<section><h2>Links</h2><table><tr><th>target<th>copies<th>clicks<th>machines");
    for (guint i = 0; i < MIN(links->len, LINKS_SHOWN); i++) {
        const MrgLinkStats *link = g_ptr_array_index(links, i);
        put(page, "<tr><td>");
        put_text(page, link->number ? link->target : "links made for one person each");
        put_share(page, "click", link->n_clicks, most);
        put(page, "</td>");
        put_cell(page, link->n_copies);
        put_cell(page, link->n_clicks);
        put_cell(page, link->n_machines);
        put(page, "</tr>");
    }
    put(page, "</table>");
    if (links->len > LINKS_SHOWN)
        put_format(page, "<p class=\"dim\">and %u more</p>", links->len - LINKS_SHOWN);
    put(page, "</section>");
}

static void
put_devices(const Page *page)
{
    const GPtrArray *devices = page->stats->devices;
    put(page, "<section><h2>Devices</h2><table><tr><th>people read on<th>opens<th>clicks");
    for (guint i = 0; i < devices->len; i++) {
        const MrgTally *tally = g_ptr_array_index(devices, i);
        put(page, "<tr><td>");
        put_text(page, tally->name);
        put(page, "</td>");
        put_cell(page, tally->n[MRG_ACT_OPEN]);
        put_cell(page, tally->n[MRG_ACT_CLICK]);
        put(page, "</tr>");
    }
    put(page, "</table></section>");
}

static void
put_classes(const Page *page)
{
    static const char *const names[] = {
        "cannot be told", "people", "people, behind a proxy", "fetched ahead", "scanners"};
    G_STATIC_ASSERT(G_N_ELEMENTS(names) == MRG_CLASS_LAST + 1);
    put(page, "<section><h2>People and machines</h2><table><tr><th>who asked<th>opens"
              "<th>clicks");
    for (guint i = 0; i <= MRG_CLASS_LAST; i++) {
        put_format(page, "<tr><td>%s</td>", names[i]);
        for (guint act = 0; act < MRG_N_ACTS; act++)
            put_cell(page, page->stats->acts[act].n_of[i]);
        put(page, "</tr>");
    }
    put(page, "</table></section>");
}

static void
put_reasons(const Page *page)
{
    const MrgStats *stats = page->stats;
    if (!stats->reasons->len)
        return;
    put(page, "<section><h2>Not sent <small>");
    put_number(page, stats->n_withheld);
    put(page, " withheld, ");
    put_number(page, stats->n_held);
    put(page, " held, ");
    put_number(page, stats->n_refused);
    put(page, " refused</small></h2><table><tr><th>why<th>copies");
    for (guint i = 0; i < stats->reasons->len; i++) {
        const MrgTally *tally = g_ptr_array_index(stats->reasons, i);
        put(page, "<tr><td>");
        put_text(page, tally->name);
        put(page, "</td>");
        put_cell(page, tally->n[0]);
        put(page, "</tr>");
    }
    put(page, "</table></section>");
}

/* ---- the whole --------------------------------------------------------- */

static void
put_head(const Page *page, gint64 now_us)
{
    const MrgStats *stats = page->stats;
    g_autofree char *first = format_time(stats->first_us, "%e %B %Y, %H:%M");
    g_autofree char *now = format_time(now_us, "%e %B %Y, %H:%M");
    put(page,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"" POLICY "\"><title>");
    put_text(page, stats->campaign);
    put(page, "</title><style>");
    put(page, mrg_stats_css);
    put(page, "</style></head><body><main><h1>");
    put_text(page, stats->campaign);
    put(page, "</h1><p class=\"dim\">");
    if (stats->first_us)
        put_format(page, "first copy sent %s UTC &middot; ", first);
    put_format(page, "as of %s UTC</p>", now);
}

char *
mrg_stats_page(const MrgStats *stats, gint64 now_us)
{
    Page page = {g_string_new(NULL), stats};
    put_head(&page, now_us);
    put_tiles(&page);
    put_chart(&page);
    put_links(&page);
    put(&page, "<div class=\"pair\">");
    put_devices(&page);
    put_classes(&page);
    put(&page, "</div>");
    put_reasons(&page);
    put(&page,
        "<p class=\"dim\">Rates are of copies that could show it: an open, those with "
        "a pixel, which only people who agreed get. Machines are counted apart. The "
        "range is where the true rate lies at 95&thinsp;% (Wilson).</p>"
        "</main></body></html>\n");
    return g_string_free(page.out, FALSE);
}
