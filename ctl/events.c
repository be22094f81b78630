/* SPDX-License-Identifier: Apache-2.0 */
/* events: moves what a collector journalled into the store, and judges it anew. */
#include "config.h"

#include <signal.h>

#include "ctl/load.h"
#include "ctl/verb.h"
#include "milter/clock.h"
#include "milter/duration.h"

#define WAIT_US (G_USEC_PER_SEC / 5)   /* between looks at the journal */
#define AGAIN_US (2 * G_USEC_PER_SEC)  /* after the store failed */
#define SETTLED_US (2 * MRG_SECOND_US) /* a hit has all its burst around it by then */

/* Of [events] mode. */
enum { FULL, DELIVERABILITY };

typedef struct Events {
    MrgConf *conf;
    MrgStore *store;
    MrgSigns *signs;
    MrgJournalReader *reader;
} Events;

static void
events_clear(Events *events)
{
    g_clear_pointer(&events->reader, mrg_journal_reader_close);
    g_clear_pointer(&events->signs, mrg_signs_free);
    g_clear_pointer(&events->store, mrg_store_close);
    g_clear_pointer(&events->conf, mrg_conf_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Events, events_clear)

static volatile sig_atomic_t is_stopped;

static void
stop(int signal G_GNUC_UNUSED)
{
    is_stopped = 1;
}

static int
events_open(Events *events, const MrgTool *tool)
{
    g_autoptr(GError) error = NULL;
    int code = EX_OK;
    events->conf = mrg_verb_conf(tool, &code);
    if (!events->conf)
        return code;
    events->signs =
        mrg_signs_load(events->conf->events_agents, events->conf->events_networks, &error);
    if (events->signs)
        events->store = mrg_conf_open_store(events->conf, &error);
    return events->store ? EX_OK : mrg_verb_fail(error);
}

static MrgLoadOptions
options_of(const Events *events)
{
    return (MrgLoadOptions){.store = events->store,
                            .reader = events->reader,
                            .signs = events->signs,
                            .trap = events->conf->events_trap,
                            .is_anonymous = events->conf->events_mode == DELIVERABILITY,
                            .store_deadline_us = events->conf->store_deadline};
}

/* ---- load -------------------------------------------------------------- */

static json_t *
classes_json(const MrgLoadCounts *counts)
{
    json_t *classes = json_object();
    for (guint i = 0; i <= MRG_CLASS_LAST; i++)
        json_object_set_new(classes, mrg_class_name((MrgHitClass) i),
                            json_integer((json_int_t) counts->n_of[i]));
    return classes;
}

static void
print_loaded(const MrgTool *tool, const MrgLoadCounts *counts, guint64 skipped)
{
    if (tool->is_json) {
        mrg_print_json(json_pack(
            "{s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "hits", (json_int_t) counts->n_hits,
            "web_events", (json_int_t) counts->n_web_events, "nobody",
            (json_int_t) counts->n_nobody, "suppressed", (json_int_t) counts->n_suppressed,
            "unreadable", (json_int_t) counts->n_unreadable, "skipped_bytes",
            (json_int_t) skipped, "classes", classes_json(counts)));
        return;
    }
    g_print("%" G_GUINT64_FORMAT " hits (", counts->n_hits);
    for (guint i = 0; i <= MRG_CLASS_LAST; i++)
        g_print("%s%" G_GUINT64_FORMAT " %s", i ? ", " : "", counts->n_of[i],
                mrg_class_name((MrgHitClass) i));
    g_print(") and %" G_GUINT64_FORMAT " web events loaded, %" G_GUINT64_FORMAT
            " of nobody\n",
            counts->n_web_events, counts->n_nobody);
    if (counts->n_suppressed)
        g_print("%" G_GUINT64_FORMAT " unsubscriptions that were noted count now\n",
                counts->n_suppressed);
    if (counts->n_unreadable || skipped)
        g_print("%" G_GUINT64_FORMAT " records are no hits, %" G_GUINT64_FORMAT
                " bytes of the journal are damaged\n",
                counts->n_unreadable, skipped);
}

static int
load_once(MrgLoad *load)
{
    g_autoptr(GError) error = NULL;
    MrgLoadResult result;
    do
        result = mrg_load_step(load, G_MAXINT64, &error);
    while (result == MRG_LOAD_MORE && !is_stopped);
    return result == MRG_LOAD_ERROR ? mrg_verb_fail(error) : EX_OK;
}

/* Until somebody ends it: what fails is told and tried again. */
static void
follow(MrgLoad *load)
{
    while (!is_stopped) {
        g_autoptr(GError) error = NULL;
        MrgLoadResult result = mrg_load_step(load, mrg_clock_now_us() - SETTLED_US, &error);
        if (result == MRG_LOAD_ERROR)
            g_printerr("merganser: %s; trying again\n", error->message);
        if (result != MRG_LOAD_MORE)
            g_usleep(result == MRG_LOAD_END ? WAIT_US : AGAIN_US);
    }
}

int
mrg_verb_events_load(MrgTool *tool, int argc, char **argv)
{
    gboolean follows = FALSE, once = FALSE;
    g_autofree char *journal = NULL;
    const GOptionEntry entries[] = {
        {"once", 0, 0, G_OPTION_ARG_NONE, &once, "Load what is there and end", NULL},
        {"follow", 0, 0, G_OPTION_ARG_NONE, &follows, "Go on until stopped", NULL},
        {"journal", 0, 0, G_OPTION_ARG_FILENAME, &journal,
         "Another journal than the collector's", "FOLDER"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_auto(Events) events = {0};
    g_autoptr(GError) error = NULL;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (!code && once && follows)
        code = mrg_verb_usage("--once and --follow cannot be had together");
    if (!code)
        code = events_open(&events, tool);
    if (code)
        return code;
    events.reader =
        mrg_journal_reader_open(journal ? journal : events.conf->collector_journal, &error);
    if (!events.reader)
        return mrg_verb_fail(error);
    MrgLoadOptions options = options_of(&events);
    g_autoptr(MrgLoad) load = mrg_load_new(&options, &error);
    if (!load)
        return mrg_verb_fail(error);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    if (follows)
        follow(load);
    else
        code = load_once(load);
    print_loaded(tool, mrg_load_counts(load),
                 mrg_journal_reader_skipped_bytes(events.reader));
    return code;
}

/* ---- reclassify -------------------------------------------------------- */

/* An age such as 7d; 0 for all. */
static gboolean
read_since(const char *text, gint64 *since_us)
{
    gint64 age_us;
    if (!text) {
        *since_us = 0;
        return TRUE;
    }
    if (!mrg_duration_parse(text, &age_us))
        return FALSE;
    *since_us = MAX(mrg_clock_now_us() - age_us, 0);
    return TRUE;
}

int
mrg_verb_events_reclassify(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *since = NULL;
    const GOptionEntry entries[] = {
        {"since", 0, 0, G_OPTION_ARG_STRING, &since, "Only what is not older", "AGE"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_auto(Events) events = {0};
    g_autoptr(GError) error = NULL;
    gint64 since_us = 0;
    MrgReclassified counts;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (!code && !read_since(since, &since_us))
        code = mrg_verb_usage("--since takes an age, such as 12h or 7d");
    if (!code)
        code = events_open(&events, tool);
    if (code)
        return code;
    MrgLoadOptions options = options_of(&events);
    if (!mrg_reclassify(&options, since_us, &counts, &error))
        return mrg_verb_fail(error);
    if (tool->is_json)
        mrg_print_json(json_pack("{s:I,s:I}", "hits", (json_int_t) counts.n_seen, "changed",
                                 (json_int_t) counts.n_changed));
    else
        g_print("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " hits changed their class\n",
                counts.n_changed, counts.n_seen);
    return EX_OK;
}
