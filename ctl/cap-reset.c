/* SPDX-License-Identifier: Apache-2.0 */
/* cap reset: forgets what a person got, so that every cap begins anew. */
#include "config.h"

#include "ctl/terminal.h"
#include "ctl/verb.h"

#define TRIES 5

static int
read_sends(MrgPeople *people, const MrgPersonKey *key, MrgState *state, gsize *n)
{
    MrgStateView view;
    g_autoptr(GError) error = NULL;
    int code = mrg_people_load(people, key, state);
    if (code)
        return code;
    /* One that cannot be read is what this may be asked for. */
    *n = mrg_state_read(&view, state, NULL, people->arena, &error) ? view.own.n : 0;
    if (error)
        g_printerr("merganser: %s; it is forgotten too\n", error->message);
    return EX_OK;
}

/* The store's compare-and-swap keeps what was sent meanwhile: then it is asked again. */
static int
forget(MrgPeople *people, const MrgPersonKey *key, MrgState *state, gsize *n)
{
    for (guint i = 0; i < TRIES; i++) {
        g_autoptr(GError) error = NULL;
        const MrgAccount empty = {
            .key = *key, .version = state->own.version, .history = ""};
        MrgCommit commit = mrg_store_put_history(people->store, &empty, &error);
        if (commit == MRG_COMMIT_DONE)
            return EX_OK;
        if (commit == MRG_COMMIT_ERROR)
            return mrg_verb_fail(error);
        int code = read_sends(people, key, state, n);
        if (code)
            return code;
    }
    g_printerr("merganser: mail keeps going to this person; try again later\n");
    return EX_TEMPFAIL;
}

static int
reset(MrgPeople *people, const MrgTool *tool, const MrgPersonKey *key, gboolean is_yes)
{
    MrgState state;
    gsize n = 0;
    int code = read_sends(people, key, &state, &n);
    if (!code)
        code = mrg_confirm(is_yes,
                           "This forgets %" G_GSIZE_FORMAT
                           " sends, so that this person may get more than the caps allow; "
                           "it cannot be undone.",
                           n);
    if (!code && state.own.version)
        code = forget(people, key, &state, &n);
    if (code)
        return code;
    if (tool->is_json)
        mrg_print_json(json_pack("{s:I}", "forgotten", (json_int_t) n));
    else
        g_print("%" G_GSIZE_FORMAT " sends forgotten; the record of events stays\n", n);
    return EX_OK;
}

int
mrg_verb_cap_reset(MrgTool *tool, int argc, char **argv)
{
    gboolean is_yes = FALSE;
    const GOptionEntry entries[] = {
        {"yes", 'y', 0, G_OPTION_ARG_NONE, &is_yes, "do not ask", NULL}, {0}};
    g_auto(MrgPeople) people = {0};
    MrgPersonKey key;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = mrg_people_find_key(&people, argv[1], &key);
    return code ? code : reset(&people, tool, &key, is_yes);
}
