/* SPDX-License-Identifier: Apache-2.0 */
/* suppress add, remove and list: who gets no mail, of which kind, and why. */
#include "config.h"

#include <string.h>

#include "ctl/suppress.h"
#include "ctl/terminal.h"
#include "ctl/words.h"
#include "milter/clock.h"

#define LIST_DEFAULT 1000

int
mrg_suppress_read(MrgSuppressArgs *args, gint64 now_us, MrgSuppression *suppression)
{
    *suppression = (MrgSuppression){args->scope ? args->scope : "all",
                                    args->reason ? args->reason : "manual", now_us, 0};
    if (!mrg_word_is_scope(suppression->scope))
        return mrg_verb_usage("--scope is all, class:NAME or list:NAME");
    if (!mrg_word_is_reason(suppression->reason))
        return mrg_verb_usage("--reason is " MRG_REASONS_TEXT);
    if (args->until && !mrg_until_parse(args->until, now_us, &suppression->until_us))
        return mrg_verb_usage("--until is a time to come (2027-01-31 or "
                              "2027-01-31T12:00:00Z) or how long from now (30d)");
    return EX_OK;
}

void
mrg_suppress_clear(MrgSuppressArgs *args)
{
    g_free(args->scope);
    g_free(args->reason);
    g_free(args->until);
}

/* ---- add ---- */

static int
add_all(MrgPeople *people, const MrgTool *tool, const MrgSuppression *suppression,
        char **who)
{
    guint n = 0;
    int code = EX_OK;
    for (; !code && who[n]; n++) {
        MrgProfile profile = {.suppressions = suppression, .n_suppressions = 1};
        code = mrg_people_find_key(people, who[n], &profile.person);
        if (!code)
            code = mrg_people_write(people, &profile);
    }
    if (code) {
        g_printerr("merganser: %u of %u people are suppressed\n", n - 1,
                   g_strv_length(who));
        return code;
    }
    if (tool->is_json)
        mrg_print_json(json_pack("{s:i,s:s,s:s}", "suppressed", (int) n, "scope",
                                 suppression->scope, "reason", suppression->reason));
    else
        g_print("%u people suppressed (%s, %s); 'merganser suppress remove' ends it\n", n,
                suppression->scope, suppression->reason);
    return EX_OK;
}

int
mrg_verb_suppress_add(MrgTool *tool, int argc, char **argv)
{
    MrgSuppressArgs args = {0};
    const GOptionEntry entries[] = {MRG_SUPPRESS_ENTRIES(&args), {0}};
    g_auto(MrgPeople) people = {0};
    MrgSuppression suppression;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, -1);
    if (!code)
        code = argc < 2 ? mrg_verb_usage("whom? Give an ADDRESS or a key")
                        : mrg_suppress_read(&args, mrg_clock_now_us(), &suppression);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = add_all(&people, tool, &suppression, argv + 1);
    mrg_suppress_clear(&args);
    return code;
}

/* ---- remove ---- */

static int
end_all(MrgPeople *people, const MrgTool *tool, const MrgPersonKey *keys, gsize n_keys,
        const MrgSuppressArgs *args)
{
    guint64 n = 0;
    g_autoptr(GError) error = NULL;
    for (gsize i = 0; i < n_keys; i++) {
        guint64 n_ended = 0;
        if (!mrg_store_end_suppression(people->store, &keys[i], args->scope, args->reason,
                                       mrg_clock_now_us(), &n_ended, &error))
            return mrg_verb_fail(error);
        n += n_ended;
    }
    if (tool->is_json)
        mrg_print_json(json_pack("{s:I}", "ended", (json_int_t) n));
    else if (n)
        g_print("%" G_GUINT64_FORMAT
                " suppressions ended; a pause that began with one may go on: see "
                "'merganser cap status'\n",
                n);
    else
        g_print("there is no such suppression that holds now\n");
    return EX_OK;
}

int
mrg_verb_suppress_remove(MrgTool *tool, int argc, char **argv)
{
    MrgSuppressArgs args = {0};
    gboolean is_yes = FALSE;
    const GOptionEntry entries[] = {
        {"scope", 0, 0, G_OPTION_ARG_STRING, &args.scope, "only those of this scope",
         "SCOPE"},
        {"reason", 0, 0, G_OPTION_ARG_STRING, &args.reason, "only those of this reason",
         "REASON"},
        {"yes", 'y', 0, G_OPTION_ARG_NONE, &is_yes, "do not ask", NULL},
        {0}};
    g_auto(MrgPeople) people = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, -1);
    if (!code && argc < 2)
        code = mrg_verb_usage("whose? Give an ADDRESS or a key");
    gsize n = code ? 0 : (gsize) argc - 1;
    g_autofree MrgPersonKey *keys = g_new0(MrgPersonKey, n);
    if (!code)
        code = mrg_people_open(&people, tool);
    for (gsize i = 0; i < n && !code; i++)
        code = mrg_people_find_key(&people, argv[1 + i], &keys[i]);
    if (!code)
        code = mrg_confirm(is_yes,
                           "Mail may go again to %" G_GSIZE_FORMAT
                           " people who may have asked for none.",
                           n);
    if (!code)
        code = end_all(&people, tool, keys, n, &args);
    mrg_suppress_clear(&args);
    return code;
}

/* ---- list ---- */

typedef struct Listing {
    json_t *json; /* NULL: print lines */
    guint64 n;
} Listing;

static gboolean
visit(const MrgPersonKey *person, const MrgSuppression *suppression, gpointer context)
{
    Listing *listing = context;
    char key[MRG_KEY_TEXT_BYTES];
    mrg_key_print(person, key);
    g_autofree char *at = mrg_time_exact(suppression->at_us);
    g_autofree char *until =
        suppression->until_us ? mrg_time_exact(suppression->until_us) : NULL;
    listing->n++;
    if (listing->json)
        json_array_append_new(listing->json,
                              json_pack("{s:s,s:s,s:s,s:s,s:s?}", "key", key, "scope",
                                        suppression->scope, "reason", suppression->reason,
                                        "at", at, "until", until));
    else
        g_print("%s  %-16s %-14s %s  until %s\n", key, suppression->scope,
                suppression->reason, at, until ? until : "it is removed");
    return TRUE;
}

int
mrg_verb_suppress_list(MrgTool *tool, int argc, char **argv)
{
    int limit = LIST_DEFAULT;
    const GOptionEntry entries[] = {
        {"limit", 'n', 0, G_OPTION_ARG_INT, &limit, "at most N (1000)", "N"}, {0}};
    g_auto(MrgPeople) people = {0};
    MrgPersonKey key;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, -1);
    if (!code && (argc > 2 || limit < 1))
        return mrg_verb_usage("suppress list takes at most one ADDRESS, and --limit is "
                              "above zero");
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code && argc == 2)
        code = mrg_people_find_key(&people, argv[1], &key);
    if (code)
        return code;
    Listing listing = {tool->is_json ? json_array() : NULL, 0};
    g_autoptr(GError) error = NULL;
    if (!mrg_store_suppressions(people.store, argc == 2 ? &key : NULL, mrg_clock_now_us(),
                                (gsize) limit, visit, &listing, &error)) {
        json_decref(listing.json);
        return mrg_verb_fail(error);
    }
    if (listing.json)
        mrg_print_json(listing.json);
    else if (!listing.n)
        g_print("nobody is suppressed%s\n", argc == 2 ? " of this address" : "");
    else if (listing.n == (guint64) limit)
        g_printerr("merganser: there may be more; --limit shows them\n");
    return EX_OK;
}
