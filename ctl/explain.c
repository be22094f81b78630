/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain: a message's way for one person, stage by stage: what each stage read, what it
 * decided, and how long it took.  Names of fields, never their values.
 *
 * One JSON document is made of the merge; people get a table of the same.
 */
#include "config.h"

#include "ctl/rehearsal.h"
#include "milter/duration.h"
#include "milter/policy/cap.h"

/* In the order of the pipeline; each is begun when those before it are done. */
typedef enum { CAMPAIGN, PLAN, PERSON, POLICY, RENDER, STAMP, COMMIT, N_STAGES } Stage;

typedef struct Explained {
    const MrgRehearsal *rehearsal;
    const MrgScene *scene;
    const MrgMerge *merge;
} Explained;

static gboolean
is_done(const Explained *self, Stage stage)
{
    const MrgMerge *merge = self->merge;
    gboolean has_failed = merge->disposition->gate != NULL;
    return merge->n_steps > (gsize) stage + (has_failed ? 1 : 0);
}

static gboolean
has_failed(const Explained *self, Stage stage)
{
    return self->merge->disposition->gate && self->merge->n_steps == (gsize) stage + 1;
}

static void
add_text(json_t *list, const char *text)
{
    json_array_append_new(list, json_string(text));
}

/* ---- inputs ------------------------------------------------------------ */

static json_t *
control_headers(const Explained *self)
{
    json_t *names = json_array();
    const GArray *headers = self->scene->envelope->headers;
    for (guint i = 0; i < headers->len; i++) {
        const MrgHeader *header = &g_array_index(headers, MrgHeader, i);
        if (mrg_header_is_control(header->name))
            add_text(names, header->name);
    }
    return names;
}

static json_t *
template_names(const Explained *self)
{
    json_t *names = json_array();
    const MrgPlan *plan = self->merge->plan;
    for (gsize i = 0; plan && i < plan->n_fields; i++)
        add_text(names, plan->fields[i].label);
    for (gsize i = 0; plan && i < plan->n_parts; i++)
        add_text(names, plan->parts[i].name);
    return names;
}

/* Where the i-th name is read first; the caller frees. */
static char *
read_at(const Explained *self, gsize i)
{
    const MrgPlan *plan = self->merge->plan;
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(plan->program, &n);
    if (i < n)
        return g_strdup_printf("%s:%u:%u", fields[i].template, fields[i].line,
                               fields[i].column);
    return g_strdup(i == plan->timezone_name ? "[render] timezone_field"
                                             : "[render] locale_field");
}

static gboolean
has_fallback(const MrgPlan *plan, gsize i)
{
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(plan->program, &n);
    return i >= n || fields[i].has_default;
}

/* Asked of the store once more, since the slots do not tell a profile's values from the
 * campaign's. */
static json_t *
field_list(const Explained *self)
{
    json_t *list = json_array();
    const MrgMerge *merge = self->merge;
    const MrgPlan *plan = merge->plan;
    if (!is_done(self, PERSON))
        return list;
    MrgArena *arena = self->scene->envelope->arena;
    MrgField *values = mrg_arena_array(arena, MrgField, plan->n_names);
    gint64 deadline_us = g_get_monotonic_time() + self->rehearsal->conf->store_deadline;
    MrgFetch found =
        mrg_store_fetch(self->rehearsal->store, &merge->person.key, plan->names,
                        plan->n_names, values, arena, deadline_us, NULL);
    for (gsize i = 0; i < plan->n_names; i++) {
        const char *name = plan->names[i];
        g_autofree char *where = read_at(self, i);
        const MrgValue *data = merge->campaign.data;
        gboolean in_data =
            data && (g_str_equal(name, "data") ||
                     mrg_value_member(data, name, strlen(name))->type != MRG_VALUE_MISSING);
        gboolean in_profile = found == MRG_FETCH_HIT && values[i].type != MRG_FIELD_MISSING;
        const MrgSchemaField *declared =
            mrg_schema_field(self->rehearsal->conf->schema, name);
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:b,s:b,s:b,s:b,s:s,s:s}", "name", name, "read_at",
                            where, "profile", in_profile, "campaign_data", in_data,
                            "fallback", has_fallback(plan, i), "declared", declared != NULL,
                            "purpose", declared ? declared->purpose : "", "used_for",
                            declared ? mrg_schema_uses_text(declared, arena) : ""));
    }
    return list;
}

/* ---- gates ------------------------------------------------------------- */

static json_t *
suppression_inputs(const Explained *self)
{
    json_t *list = json_array();
    const MrgState *state = &self->merge->state;
    for (gsize i = 0; self->merge->has_state && i < state->n_suppressions; i++) {
        const MrgSuppression *each = &state->suppressions[i];
        g_autofree char *until = each->until_us ? mrg_print_time(each->until_us) : NULL;
        g_autofree char *text = g_strdup_printf("%s for %s%s%s", each->reason, each->scope,
                                                until ? " until " : "", until ? until : "");
        add_text(list, text);
    }
    return list;
}

static json_t *
consent_inputs(const Explained *self)
{
    static const char *const words[] = {"unknown", "granted", "denied"};
    json_t *list = json_array();
    const MrgState *state = &self->merge->state;
    for (gsize i = 0; self->merge->has_state && i < state->n_consents; i++) {
        const MrgConsent *each = &state->consents[i];
        g_autofree char *at = mrg_print_time(each->at_us);
        g_autofree char *text =
            g_strdup_printf("%s %s since %s", each->purpose, words[each->state], at);
        add_text(list, text);
    }
    g_autofree char *otherwise =
        g_strdup_printf("receive %s where nothing is recorded ([policy] consent_default)",
                        words[self->rehearsal->conf->policy.consent_default]);
    add_text(list, otherwise);
    return list;
}

static json_t *
cap_inputs(const Explained *self)
{
    json_t *list = json_array();
    const MrgMerge *merge = self->merge;
    const MrgPolicy *policy = &self->rehearsal->conf->policy;
    MrgArena *arena = self->scene->envelope->arena;
    for (gsize i = 0; merge->has_state && i < policy->n_caps; i++) {
        const MrgCap *cap = &policy->caps[i];
        guint limit = mrg_cap_limit(cap, &merge->view, &merge->candidate, merge->now_us);
        g_autofree char *text = g_strdup_printf(
            "%s: %u of %s in %s%s", cap->name,
            mrg_cap_used(cap, &merge->view, &merge->candidate, merge->now_us),
            limit == MRG_UNLIMITED ? "any number" : mrg_arena_printf(arena, "%u", limit),
            mrg_cap_window(cap, arena),
            mrg_cap_applies(cap, &merge->candidate) ? "" : ", not for this mail");
        add_text(list, text);
    }
    return list;
}

static json_t *
unknown_inputs(const Explained *self)
{
    static const char *const words[] = {"generic", "drop", "reject"};
    json_t *list = json_array();
    add_text(list, self->merge->person.has_profile ? "has a profile" : "has no profile");
    g_autofree char *text =
        g_strdup_printf("[policy] unknown_recipient = %s",
                        words[self->rehearsal->conf->policy_unknown_recipient]);
    add_text(list, text);
    return list;
}

typedef struct Gate {
    const char *name; /* begins the reason of whom it stops */
    json_t *(*inputs)(const Explained *self);
} Gate;

static const Gate gates[] = {{"suppressed", suppression_inputs},
                             {"consent", consent_inputs},
                             {"cap", cap_inputs},
                             {"unknown", unknown_inputs}};

static json_t *
gate_list(const Explained *self)
{
    json_t *list = json_array();
    const char *reason = is_done(self, POLICY) ? self->merge->decision.reason : NULL;
    gboolean is_stopped = reason == NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(gates); i++) {
        gsize length = strlen(gates[i].name);
        gboolean is_hit =
            !is_stopped && g_str_has_prefix(reason, gates[i].name) && reason[length] == ':';
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:o}", "gate", gates[i].name, "result",
                                        is_hit       ? "stops"
                                        : is_stopped ? "not asked"
                                                     : "passes",
                                        "inputs", gates[i].inputs(self)));
        is_stopped |= is_hit;
    }
    return list;
}

/* ---- decisions --------------------------------------------------------- */

static char *
decide_campaign(const Explained *self)
{
    const MrgCampaign *campaign = &self->merge->campaign;
    const char *track =
        campaign->track & MRG_TRACK_OPENS
            ? (campaign->track & MRG_TRACK_CLICKS ? "opens, clicks" : "opens")
            : (campaign->track & MRG_TRACK_CLICKS ? "clicks" : "none");
    return g_strdup_printf("%s, class %s, %s, track %s", campaign->id, campaign->class_name,
                           campaign->dialect, track);
}

static char *
decide_plan(const Explained *self)
{
    const MrgPlan *plan = self->merge->plan;
    return g_strdup_printf("%" G_GSIZE_FORMAT " templates that read %" G_GSIZE_FORMAT
                           " fields%s",
                           plan->n_fields + plan->n_parts, plan->n_names,
                           mrg_program_reads_root(plan->program)
                               ? ", and the whole object: further ones cannot be told"
                               : "");
}

static char *
decide_person(const Explained *self)
{
    return g_strdup(self->merge->person.has_profile
                        ? "has a profile"
                        : "has no profile: the campaign's values and fallbacks");
}

static char *
decide_policy(const Explained *self)
{
    const MrgMerge *merge = self->merge;
    return g_strdup_printf(
        "%s (%s)%s", mrg_verdict_name(merge->decision.verdict), merge->decision.reason,
        merge->state.is_repeat ? ": this very copy was decided before, and that stands"
                               : "");
}

static char *
decide_render(const Explained *self)
{
    const MrgMerge *merge = self->merge;
    if (merge->withheld)
        return g_strdup_printf("%s (%s)", mrg_verdict_name(merge->withheld->verdict),
                               merge->withheld_reason);
    if (!merge->parts)
        return g_strdup("nothing: no copy goes out");
    return g_strdup_printf("%" G_GSIZE_FORMAT " bytes of text", merge->texts.length);
}

static char *
decide_stamp(const Explained *self)
{
    const char *stamps = self->merge->stamps;
    return g_strdup(!stamps   ? "nothing: no copy goes out"
                    : *stamps ? stamps
                              : "nothing to stamp");
}

static char *
decide_commit(const Explained *self)
{
    return g_strdup_printf("nothing: a rehearsal; the milter would record %s%s",
                           mrg_scene_verdict(self->scene),
                           self->merge->state.is_repeat ? " no second time"
                           : self->scene->is_out        ? " and count it"
                                                        : "");
}

static char *(*const decisions[N_STAGES])(const Explained *) = {
    decide_campaign, decide_plan,  decide_person, decide_policy,
    decide_render,   decide_stamp, decide_commit};

/* What the stamps look at beside the texts. */
static json_t *
stamp_inputs(const Explained *self)
{
    const MrgMerge *merge = self->merge;
    const MrgConf *conf = self->rehearsal->conf;
    return json_pack(
        "[s,s,s,s,s,s]",
        merge->decision.may_track_open ? "track_open granted" : "track_open not granted",
        merge->decision.may_track_click ? "track_click granted" : "track_click not granted",
        merge->person.has_profile ? "has a profile" : "has no profile",
        merge->campaign.track & MRG_TRACK_OPENS ? "campaign tracks opens"
                                                : "campaign tracks no opens",
        merge->campaign.track & MRG_TRACK_CLICKS ? "campaign tracks clicks"
                                                 : "campaign tracks no clicks",
        *conf->stamp_base_url ? "[stamp] base_url is set" : "[stamp] base_url is not set");
}

static json_t *
stage_json(const Explained *self, Stage stage)
{
    json_t *inputs = stage == CAMPAIGN ? control_headers(self)
                     : stage == PLAN   ? template_names(self)
                     : stage == STAMP  ? stamp_inputs(self)
                                       : NULL;
    g_autofree char *decision = is_done(self, stage)      ? decisions[stage](self)
                                : has_failed(self, stage) ? g_strdup(self->merge->reason)
                                                          : NULL;
    json_t *json = json_pack("{s:s,s:s,s:s?,s:I}", "stage", mrg_step_name(stage), "state",
                             is_done(self, stage)      ? "done"
                             : has_failed(self, stage) ? "failed"
                                                       : "not reached",
                             "decision", decision, "microseconds",
                             (json_int_t) self->merge->took_us[stage]);
    if (inputs)
        json_object_set_new(json, "inputs", inputs);
    if (stage == PERSON)
        json_object_set_new(json, "fields", field_list(self));
    if (stage == POLICY)
        json_object_set_new(json, "gates", gate_list(self));
    return json;
}

static char *
mta_hears(const Explained *self)
{
    const MrgDisposition *disposition = self->merge->disposition;
    if (disposition->code)
        return g_strdup_printf("%s %s %s", disposition->code, disposition->enhanced,
                               self->merge->reply);
    if (self->scene->is_out && self->rehearsal->conf->milter_mode == MRG_STAGE_ON)
        return g_strdup(
            "250, and the copy goes to the stage, if there is an address of one");
    if (disposition->verdict == MRG_VERDICT_HOLD)
        return g_strdup("250, with the edits, and into the hold queue");
    return g_strdup(self->scene->is_out ? "250, with the edits"
                                        : "250, and discards it: sent to nobody");
}

static json_t *
explain(const Explained *self)
{
    json_t *stages = json_array();
    g_assert(!mrg_step_name(N_STAGES));
    g_autofree char *hears = mta_hears(self);
    for (Stage stage = CAMPAIGN; stage < N_STAGES; stage++)
        json_array_append_new(stages, stage_json(self, stage));
    return json_pack("{s:s?,s:o,s:s,s:s,s:s}", "person",
                     self->merge->person.address ? self->merge->person.pseudonym : NULL,
                     "stages", stages, "verdict", mrg_scene_verdict(self->scene), "reason",
                     self->merge->reason, "mta_hears", hears);
}

/* ---- for people -------------------------------------------------------- */

static const char *
text_of(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void
print_list(const char *label, json_t *list)
{
    gsize i;
    json_t *each;
    json_array_foreach(list, i, each)
        g_print("  %-12s %s\n", i ? "" : label, json_string_value(each));
}

static const char *
yes(json_t *field, const char *name)
{
    return json_is_true(json_object_get(field, name)) ? "yes" : "no";
}

static void
print_fields(json_t *fields)
{
    gsize i;
    json_t *each;
    if (json_array_size(fields))
        g_print("  %-20s %-26s %-8s %-9s %-9s %s\n", "field", "read first at", "profile",
                "campaign", "fallback", "purpose");
    json_array_foreach(fields, i, each)
        g_print("  %-20s %-26s %-8s %-9s %-9s %s\n", text_of(each, "name"),
                text_of(each, "read_at"), yes(each, "profile"), yes(each, "campaign_data"),
                yes(each, "fallback"), text_of(each, "purpose"));
}

static void
print_gates(json_t *gate_json)
{
    gsize i, k;
    json_t *gate, *input;
    json_array_foreach(gate_json, i, gate)
    {
        g_print("  %-12s %-10s", text_of(gate, "gate"), text_of(gate, "result"));
        if (!json_array_size(json_object_get(gate, "inputs")))
            g_print("nothing is recorded");
        json_array_foreach(json_object_get(gate, "inputs"), k, input)
            g_print("%s%s", k ? "; " : "", json_string_value(input));
        g_print("\n");
    }
}

static void
print_explained(json_t *explained)
{
    gsize i;
    json_t *stage;
    g_print("%-9s %8s  decision\n", "stage", "us");
    json_array_foreach(json_object_get(explained, "stages"), i, stage)
    {
        const char *state = text_of(stage, "state");
        gboolean is_reached = !g_str_equal(state, "not reached");
        g_print("%-9s %8" JSON_INTEGER_FORMAT "  %s%s\n", text_of(stage, "stage"),
                json_integer_value(json_object_get(stage, "microseconds")),
                g_str_equal(state, "failed") ? "fails: " : "",
                is_reached ? text_of(stage, "decision") : state);
        if (!is_reached)
            continue;
        print_list("reads", json_object_get(stage, "inputs"));
        print_fields(json_object_get(stage, "fields"));
        print_gates(json_object_get(stage, "gates"));
    }
    g_print("\nverdict   %s (%s)\nthe MTA hears: %s\n", text_of(explained, "verdict"),
            text_of(explained, "reason"), text_of(explained, "mta_hears"));
}

int
mrg_verb_explain(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *to = NULL, *profiles = NULL;
    const GOptionEntry entries[] = {
        {"to", 0, 0, G_OPTION_ARG_STRING, &to, "the recipient", "ADDRESS"},
        {"profile", 0, 0, G_OPTION_ARG_FILENAME, &profiles,
         "people from a file as import reads it; the store is not asked", "FILE"},
        {0}};
    g_auto(MrgRehearsal) rehearsal = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code && !to)
        return mrg_verb_usage("--to ADDRESS is missing");
    if (!code)
        code = mrg_rehearsal_open(&rehearsal, tool, argv[1],
                                  profiles ? MRG_PEOPLE_FILED : MRG_PEOPLE_STORED);
    if (!code && profiles)
        code = mrg_profiles_take(&rehearsal, profiles, NULL);
    if (code)
        return code;
    g_autoptr(MrgScene) scene = mrg_scene_new(&rehearsal, to, MRG_MODE_PREVIEW);
    const Explained explained = {&rehearsal, scene, &scene->merge};
    json_t *json = explain(&explained);
    if (tool->is_json) {
        mrg_print_json(json);
        return EX_OK;
    }
    print_explained(json);
    json_decref(json);
    return EX_OK;
}
