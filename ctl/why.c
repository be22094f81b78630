/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/verb.h"

#define EVENTS_DEFAULT 20

typedef struct Listing {
    json_t *json; /* NULL: print lines */
    const char *campaign;
    gsize n;
} Listing;

static gboolean
visit(const MrgPersonKey *person G_GNUC_UNUSED, const MrgEvent *event, gpointer context)
{
    Listing *listing = context;
    if (listing->campaign && !g_str_equal(listing->campaign, event->campaign))
        return TRUE;
    g_autofree char *at = mrg_print_time(event->at_us);
    char copy[MRG_KEY_TEXT_BYTES] = "";
    if (memcmp(&event->message, &(MrgMessageKey){{0}}, sizeof event->message) != 0)
        mrg_key_print(&event->message, copy);
    const char *verdict = mrg_verdict_name(event->verdict);
    listing->n++;
    if (listing->json)
        json_array_append_new(listing->json,
                              json_pack("{s:s,s:s,s:s,s:s,s:s,s:s?}", "at", at, "campaign",
                                        event->campaign, "class", event->class_name,
                                        "verdict", verdict, "reason", event->reason, "copy",
                                        *copy ? copy : NULL));
    else
        g_print("%s  %-7s  %s (%s)  %s%s%s\n", at, verdict, event->campaign,
                event->class_name, event->reason, *copy ? "  copy=" : "", copy);
    return TRUE;
}

int
mrg_verb_why(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *campaign = NULL;
    int limit = EVENTS_DEFAULT;
    const GOptionEntry entries[] = {
        {"campaign", 0, 0, G_OPTION_ARG_STRING, &campaign, "copies of this campaign only",
         "ID"},
        {"limit", 'n', 0, G_OPTION_ARG_INT, &limit, "the newest N copies (20)", "N"},
        {0}};
    g_auto(MrgPeople) people = {0};
    MrgPerson person;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code && limit < 1)
        return mrg_verb_usage("--limit must be above zero");
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = mrg_people_find(&people, argv[1], &person);
    if (code)
        return code;
    Listing listing = {tool->is_json ? json_array() : NULL, campaign, 0};
    g_autoptr(GError) error = NULL;
    if (!mrg_store_events(people.store, &person.key, (gsize) limit, visit, &listing,
                          &error)) {
        json_decref(listing.json);
        return mrg_verb_fail(error);
    }
    if (listing.json)
        mrg_print_json(listing.json);
    else if (!listing.n)
        g_print("nothing is recorded for this person\n");
    return EX_OK;
}
