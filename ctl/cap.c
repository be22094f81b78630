/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/verb.h"
#include "ctl/words.h"
#include "milter/clock.h"
#include "milter/policy/cap.h"

/* By MrgScope. */
static const char *const scope_names[] = {"person", "domain", "household"};

/* One cap against one person, now. */
typedef struct CapStatus {
    const MrgCap *cap;
    gboolean is_known; /* else nothing of the following: the account is not */
    guint used, limit;
    const char *reason; /* why one more copy is over it; NULL where it is not */
    gint64 until_us;    /* 0: for good, or not over it */
} CapStatus;

/* A key does not say of which domain the person is. */
static gboolean
is_known(const MrgCap *cap, const MrgStateView *view)
{
    return cap->scope != MRG_SCOPE_DOMAIN ||
           mrg_state_sends(view, MRG_SCOPE_DOMAIN) != &view->own;
}

static CapStatus
status_of(const MrgCap *cap, const MrgStanding *standing, gint64 now_us, MrgArena *arena)
{
    const MrgStateView *view = &standing->view;
    const MrgCandidate *candidate = &standing->candidate;
    CapStatus status = {.cap = cap};
    if (!is_known(cap, view))
        return status;
    status.is_known = TRUE;
    status.used = mrg_cap_used(cap, view, candidate, now_us);
    status.limit = mrg_cap_limit(cap, view, candidate, now_us);
    status.reason = mrg_cap_reason(cap, view, candidate, now_us, &status.until_us, arena);
    return status;
}

static json_t *
limit_json(guint limit)
{
    return limit == MRG_UNLIMITED ? json_null() : json_integer(limit);
}

static char *
classes_text(const MrgCap *cap)
{
    return cap->classes ? g_strjoinv(" ", (char **) cap->classes)
                        : g_strdup("all but transactional");
}

static json_t *
status_json(const CapStatus *status, MrgArena *arena)
{
    const MrgCap *cap = status->cap;
    g_autofree char *until = status->until_us ? mrg_time_exact(status->until_us) : NULL;
    g_autofree char *classes = cap->classes ? classes_text(cap) : NULL;
    json_t *used = status->is_known ? json_integer(status->used) : json_null();
    return json_pack("{s:s,s:s,s:o,s:o,s:s,s:s?,s:s,s:b,s:s?,s:s?}", "cap", cap->name,
                     "scope", scope_names[cap->scope], "used", used, "limit",
                     limit_json(status->is_known ? status->limit : cap->limit), "per",
                     mrg_cap_window(cap, arena), "class", classes, "on_exceed",
                     mrg_verdict_name(cap->on_exceed), "is_reached", status->reason != NULL,
                     "reason", status->reason, "until", until);
}

static void
print_status(const CapStatus *status, MrgArena *arena)
{
    const MrgCap *cap = status->cap;
    g_autofree char *until = status->until_us ? mrg_print_time(status->until_us) : NULL;
    g_autofree char *classes = classes_text(cap);
    g_autofree char *limit = status->limit == MRG_UNLIMITED
                                 ? g_strdup("any number")
                                 : g_strdup_printf("%u", status->limit);
    if (!status->is_known) {
        g_print("%-16s counts for a domain, which a key does not tell: give the address\n",
                cap->name);
        return;
    }
    g_print("%-16s %u of %s in %s%s%s (%s); over it: %s\n", cap->name, status->used, limit,
            mrg_cap_window(cap, arena), cap->scope ? " for the whole " : "",
            cap->scope ? scope_names[cap->scope] : "", classes,
            mrg_verdict_name(cap->on_exceed));
    if (status->reason)
        g_print("%-16s %s, until %s\n", "", status->reason,
                until ? until : "the rule changes");
}

/* Of the caps that are known of. */
static void
decide(const MrgPolicy *policy, const MrgStanding *standing, gint64 now_us, MrgArena *arena,
       MrgDecision *decision)
{
    MrgPolicy known = *policy;
    MrgCap *caps = mrg_arena_array(arena, MrgCap, policy->n_caps);
    known.caps = caps;
    known.n_caps = 0;
    for (gsize i = 0; i < policy->n_caps; i++)
        if (is_known(&policy->caps[i], &standing->view))
            caps[known.n_caps++] = policy->caps[i];
    mrg_decide(&known, &standing->view, &standing->candidate, now_us, arena, decision);
}

static int
print_all(MrgPeople *people, const MrgTool *tool, const MrgPersonKey *key,
          const MrgStanding *standing)
{
    MrgDecision decision;
    MrgArena *arena = people->arena;
    const MrgPolicy *policy = &people->conf->policy;
    gint64 now_us = mrg_clock_now_us();
    json_t *caps = json_array();
    for (gsize i = 0; i < policy->n_caps; i++) {
        CapStatus status = status_of(&policy->caps[i], standing, now_us, arena);
        json_array_append_new(caps, status_json(&status, arena));
        if (!tool->is_json)
            print_status(&status, arena);
    }
    decide(policy, standing, now_us, arena, &decision);
    if (tool->is_json) {
        char person[MRG_PSEUDONYM_BYTES];
        mrg_person_pseudonym(key, person);
        mrg_print_json(json_pack("{s:s,s:O,s:{s:s,s:s}}", "person", person, "caps", caps,
                                 "next", "verdict", mrg_verdict_name(decision.verdict),
                                 "reason", decision.reason));
    } else {
        g_print("%sthe next copy of class %s: %s (%s)\n",
                policy->n_caps ? "" : "no caps are configured\n",
                standing->candidate.class_name, mrg_verdict_name(decision.verdict),
                decision.reason);
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
    MrgPerson person = {0};
    MrgStanding standing;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code && !mrg_key_parse(argv[1], &person.key))
        code = mrg_people_find(&people, argv[1], &person);
    if (!code)
        code = mrg_people_standing(&people, &person.key, person.address, NULL, &standing);
    if (code)
        return code;
    standing.candidate.class_name =
        class_name ? class_name : people.conf->policy_default_class;
    return print_all(&people, tool, &person.key, &standing);
}
