/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/verb.h"
#include "ctl/words.h"
#include "milter/clock.h"
#include "milter/duration.h"
#include "milter/policy/cap.h"

/* One cap against one person, now. */
typedef struct CapStatus {
    const MrgCap *cap;
    guint used;
    const char *reason; /* why one more copy is over it; NULL where it is not */
    gint64 until_us;    /* 0: for good, or not over it */
} CapStatus;

static CapStatus
status_of(const MrgCap *cap, const MrgStateView *view, gint64 now_us, MrgArena *arena)
{
    CapStatus status = {.cap = cap, .used = mrg_cap_used(cap, view, now_us)};
    status.reason = mrg_cap_reason(cap, view, now_us, &status.until_us, arena);
    return status;
}

static json_t *
status_json(const CapStatus *status, MrgArena *arena)
{
    const MrgCap *cap = status->cap;
    g_autofree char *until = status->until_us ? mrg_time_exact(status->until_us) : NULL;
    return json_pack("{s:s,s:i,s:i,s:s,s:s?,s:s,s:b,s:s?,s:s?}", "cap", cap->name, "used",
                     (int) status->used, "limit", (int) cap->limit, "per",
                     mrg_duration_print(cap->per_us, arena), "class", cap->class_name,
                     "on_exceed", mrg_verdict_name(cap->on_exceed), "is_reached",
                     status->reason != NULL, "reason", status->reason, "until", until);
}

static void
print_status(const CapStatus *status, MrgArena *arena)
{
    const MrgCap *cap = status->cap;
    g_autofree char *until = status->until_us ? mrg_print_time(status->until_us) : NULL;
    g_print("%-16s %u of %u in %s (%s); over it: %s\n", cap->name, status->used, cap->limit,
            mrg_duration_print(cap->per_us, arena),
            cap->class_name ? cap->class_name : "all but transactional",
            mrg_verdict_name(cap->on_exceed));
    if (status->reason)
        g_print("%-16s %s, until %s\n", "", status->reason,
                until ? until : "the rule changes");
}

static int
print_all(MrgPeople *people, const MrgTool *tool, const MrgPersonKey *key,
          const MrgStateView *view, const char *class_name)
{
    MrgDecision decision;
    MrgArena *arena = people->arena;
    const MrgPolicy *policy = &people->conf->policy;
    gint64 now_us = mrg_clock_now_us();
    json_t *caps = json_array();
    for (gsize i = 0; i < policy->n_caps; i++) {
        CapStatus status = status_of(&policy->caps[i], view, now_us, arena);
        json_array_append_new(caps, status_json(&status, arena));
        if (!tool->is_json)
            print_status(&status, arena);
    }
    mrg_decide(policy, view, "", class_name, now_us, arena, &decision);
    if (tool->is_json) {
        char person[MRG_PSEUDONYM_BYTES];
        mrg_person_pseudonym(key, person);
        mrg_print_json(json_pack("{s:s,s:O,s:{s:s,s:s}}", "person", person, "caps", caps,
                                 "next", "verdict", mrg_verdict_name(decision.verdict),
                                 "reason", decision.reason));
    } else {
        g_print("%sthe next copy of class %s: %s (%s)\n",
                policy->n_caps ? "" : "no caps are configured\n", class_name,
                mrg_verdict_name(decision.verdict), decision.reason);
    }
    json_decref(caps);
    return EX_OK;
}

int
mrg_verb_cap_status(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *class_name = NULL;
    const GOptionEntry entries[] = {
        {"class", 0, 0, G_OPTION_ARG_STRING, &class_name, "class of the next copy", "NAME"},
        {0}};
    g_auto(MrgPeople) people = {0};
    g_autoptr(GError) error = NULL;
    MrgPersonKey key;
    MrgState state;
    MrgStateView view;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = mrg_people_find_key(&people, argv[1], &key);
    if (!code)
        code = mrg_people_load(&people, &key, &state);
    if (code)
        return code;
    if (!mrg_state_read(&view, &state, people.arena, &error)) {
        char text[MRG_KEY_TEXT_BYTES];
        mrg_key_print(&key, text);
        g_printerr(
            "merganser: person %s: %s; mail to them is deferred until 'merganser cap "
            "reset' forgets it\n",
            text, error->message);
        return EX_DATAERR;
    }
    return print_all(&people, tool, &key, &view,
                     class_name ? class_name : people.conf->policy_default_class);
}
