/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/verb.h"
#include "milter/clock.h"
#include "milter/duration.h"

static json_t *
cap_json(const MrgCap *cap, const MrgStateView *view, gint64 now_us, MrgArena *arena)
{
    return json_pack("{s:s,s:i,s:i,s:s,s:s?,s:s}", "cap", cap->name, "used",
                     (int) mrg_cap_used(cap, view, now_us), "limit", (int) cap->limit,
                     "per", mrg_duration_print(cap->per_us, arena), "class",
                     cap->class_name, "on_exceed", mrg_verdict_name(cap->on_exceed));
}

static void
print_caps(const MrgConf *conf, const MrgStateView *view, gint64 now_us, MrgArena *arena)
{
    for (gsize i = 0; i < conf->policy.n_caps; i++) {
        const MrgCap *cap = &conf->policy.caps[i];
        g_print("%-16s %u of %u in %s (%s); over it: %s\n", cap->name,
                mrg_cap_used(cap, view, now_us), cap->limit,
                mrg_duration_print(cap->per_us, arena),
                cap->class_name ? cap->class_name : "all but transactional",
                mrg_verdict_name(cap->on_exceed));
    }
    if (!conf->policy.n_caps)
        g_print("no caps are configured\n");
}

int
mrg_verb_cap_status(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *class_name = NULL;
    const GOptionEntry entries[] = {
        {"class", 0, 0, G_OPTION_ARG_STRING, &class_name, "class of the next copy", "NAME"},
        {0}};
    g_auto(MrgPeople) people = {0};
    MrgPerson person;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = mrg_people_find(&people, argv[1], &person);
    if (code)
        return code;

    MrgState state = {0};
    MrgStateView view;
    MrgDecision decision;
    g_autoptr(GError) error = NULL;
    const MrgConf *conf = people.conf;
    gint64 now_us = mrg_clock_now_us();
    gint64 deadline_us = g_get_monotonic_time() + conf->store_deadline;
    if (!mrg_store_load(people.store, &person.key, NULL, NULL, 0, &state, people.arena,
                        deadline_us, &error) ||
        !mrg_state_read(&view, &state, people.arena, &error))
        return mrg_verb_fail(error);
    mrg_decide(&conf->policy, &view, "",
               class_name ? class_name : conf->policy_default_class, now_us, people.arena,
               &decision);
    if (!tool->is_json) {
        print_caps(conf, &view, now_us, people.arena);
        g_print("the next copy: %s (%s)\n", mrg_verdict_name(decision.verdict),
                decision.reason);
        return EX_OK;
    }
    json_t *caps = json_array();
    for (gsize i = 0; i < conf->policy.n_caps; i++)
        json_array_append_new(caps,
                              cap_json(&conf->policy.caps[i], &view, now_us, people.arena));
    mrg_print_json(json_pack("{s:s,s:o,s:{s:s,s:s}}", "person", person.pseudonym, "caps",
                             caps, "next", "verdict", mrg_verdict_name(decision.verdict),
                             "reason", decision.reason));
    return EX_OK;
}
