/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/holds.h"
#include "ctl/words.h"
#include "milter/clock.h"

static void
copy_free(gpointer data)
{
    MrgHeldCopy *copy = data;
    g_free((gpointer) copy->hold.host);
    g_free((gpointer) copy->hold.queue_id);
    g_free((gpointer) copy->hold.campaign);
    g_free((gpointer) copy->hold.class_name);
    g_free((gpointer) copy->hold.list);
    g_free(copy->reason);
    g_free(copy);
}

/* Visitors ask the store for nothing: what they see is kept for later. */
static gboolean
keep(const MrgHold *hold, gpointer context)
{
    MrgHeldCopy *copy = g_new0(MrgHeldCopy, 1);
    copy->hold = *hold;
    copy->hold.host = g_strdup(hold->host);
    copy->hold.queue_id = g_strdup(hold->queue_id);
    copy->hold.campaign = g_strdup(hold->campaign);
    copy->hold.class_name = g_strdup(hold->class_name);
    copy->hold.list = g_strdup(hold->list);
    g_ptr_array_add(context, copy);
    return TRUE;
}

GPtrArray *
mrg_holds_read(const MrgPeople *people, const MrgHoldFilter *filter, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(copy_free);
    return mrg_store_holds(people->store, filter, keep, list, error)
               ? g_steal_pointer(&list)
               : NULL;
}

/* ---- hold list --------------------------------------------------------- */

/* Those that wait for somebody stand last. */
static int
compare_due(gconstpointer a, gconstpointer b)
{
    const MrgHold *x = &(*(MrgHeldCopy *const *) a)->hold;
    const MrgHold *y = &(*(MrgHeldCopy *const *) b)->hold;
    gint64 x_us = x->until_us ? x->until_us : G_MAXINT64;
    gint64 y_us = y->until_us ? y->until_us : G_MAXINT64;
    if (x_us == y_us) {
        x_us = x->at_us;
        y_us = y->at_us;
    }
    return (x_us > y_us) - (x_us < y_us);
}

/* "in 3 h", "2 d ago" */
static char *
print_distance(gint64 us)
{
    static const struct {
        gint64 us;
        const char *name;
    } units[] = {{86400 * MRG_SECOND_US, "d"},
                 {3600 * MRG_SECOND_US, "h"},
                 {60 * MRG_SECOND_US, "min"},
                 {MRG_SECOND_US, "s"}};
    gsize i = 0;
    while (i < G_N_ELEMENTS(units) - 1 && ABS(us) < 2 * units[i].us)
        i++;
    return g_strdup_printf("%s%" G_GINT64_FORMAT " %s%s", us < 0 ? "" : "in ",
                           ABS(us) / units[i].us, units[i].name, us < 0 ? " ago" : "");
}

static char *
print_due(const MrgHold *hold, gint64 now_us)
{
    if (hold->is_settled)
        return g_strdup_printf("now, to %s", mrg_verdict_name(hold->settlement));
    if (!hold->until_us)
        return g_strdup("when released");
    g_autofree char *time = mrg_print_time(hold->until_us);
    g_autofree char *distance = print_distance(hold->until_us - now_us);
    return g_strdup_printf("%s (%s)", time, distance);
}

static void
print_line(const MrgHold *hold, gint64 now_us)
{
    char key[MRG_KEY_TEXT_BYTES];
    g_autofree char *due = print_due(hold, now_us);
    g_autofree char *since = mrg_print_time(hold->at_us);
    mrg_key_print(&hold->person, key);
    g_print("%-33s %-20s %-14s %-20s %-14s %-16s %s\n", due, since, hold->queue_id,
            hold->campaign, hold->class_name, hold->host, key);
}

static void
print_lines(const GPtrArray *list, gint64 now_us)
{
    guint n_due = 0, n_open = 0;
    if (list->len)
        g_print("%-33s %-20s %-14s %-20s %-14s %-16s %s\n", "DUE", "SINCE", "QUEUE ID",
                "CAMPAIGN", "CLASS", "HOST", "PERSON");
    for (guint i = 0; i < list->len; i++) {
        const MrgHold *hold = &((MrgHeldCopy *) g_ptr_array_index(list, i))->hold;
        print_line(hold, now_us);
        n_open += !hold->is_settled && !hold->until_us;
        n_due += hold->is_settled || (hold->until_us && hold->until_us <= now_us);
    }
    if (list->len)
        g_print("%u held: %u due, %u later, %u until somebody releases them\n", list->len,
                n_due, list->len - n_due - n_open, n_open);
    else
        g_print("nothing is held\n");
}

static json_t *
hold_json(const MrgHold *hold)
{
    char key[MRG_KEY_TEXT_BYTES];
    g_autofree char *since = mrg_print_time(hold->at_us);
    g_autofree char *until = hold->until_us ? mrg_print_time(hold->until_us) : NULL;
    mrg_key_print(&hold->person, key);
    return json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s,s:s,s:s?,s:s?}", "host", hold->host,
                     "queue_id", hold->queue_id, "campaign", hold->campaign, "class",
                     hold->class_name, "list", *hold->list ? hold->list : NULL, "person",
                     key, "since", since, "until", until, "settled",
                     hold->is_settled ? mrg_verdict_name(hold->settlement) : NULL);
}

static int
list_holds(const MrgTool *tool, const char *host, const char *campaign, gboolean is_due)
{
    g_auto(MrgPeople) people = {0};
    g_autoptr(GError) error = NULL;
    int code = mrg_people_open(&people, tool);
    if (code)
        return code;
    gint64 now_us = mrg_clock_now_us();
    const MrgHoldFilter filter = {host, campaign, is_due ? now_us : G_MAXINT64};
    g_autoptr(GPtrArray) list = mrg_holds_read(&people, &filter, &error);
    if (!list)
        return mrg_verb_fail(error);
    g_ptr_array_sort(list, compare_due);
    if (!tool->is_json) {
        print_lines(list, now_us);
        return EX_OK;
    }
    json_t *json = json_array();
    for (guint i = 0; i < list->len; i++)
        json_array_append_new(
            json, hold_json(&((MrgHeldCopy *) g_ptr_array_index(list, i))->hold));
    mrg_print_json(json);
    return EX_OK;
}

int
mrg_verb_hold_list(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *campaign = NULL, *host = NULL;
    gboolean is_due = FALSE;
    const GOptionEntry entries[] = {
        {"campaign", 0, 0, G_OPTION_ARG_STRING, &campaign, "those of one campaign", "ID"},
        {"host", 0, 0, G_OPTION_ARG_STRING, &host, "those of one host; all by default",
         "NAME"},
        {"due", 0, 0, G_OPTION_ARG_NONE, &is_due,
         "those that the next release run looks at", NULL},
        {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    return code ? code : list_holds(tool, host, campaign, is_due);
}
