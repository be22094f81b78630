/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privacy report: the register of processing (GDPR article 30), from the configuration, the
 * schema, the block library and the templates that are named.
 */
#include "config.h"

#include <string.h>

#include "ctl/templates.h"
#include "milter/duration.h"
#include "milter/message/campaign.h"
#include "render/slots.h"
#include "milter/policy/history.h"

typedef struct Register {
    const MrgConf *conf;
    MrgTemplateArgs args;
    json_t *readers; /* {FIELD: [who reads it]} */
    guint n_faults;
} Register;

/* What is kept beside the profile. */
static const struct {
    const char *what, *purpose;
    enum {
        KEPT_ERASED,
        KEPT_EVENTS,
        KEPT_ENGAGEMENT,
        KEPT_HITS,
        KEPT_WINDOW,
        KEPT_TOMBSTONE,
        KEPT_RELEASED
    } kept;
} records[] = {
    {"address", "delivery; stands in the profile alone", KEPT_ERASED},
    {"consents", "proof of what a person agreed to, when and by which text", KEPT_ERASED},
    {"suppressions", "sending nothing to who does not want it", KEPT_TOMBSTONE},
    {"history of sends", "frequency caps", KEPT_WINDOW},
    {"record of copies", "saying why a mail came or did not; not sending one twice",
     KEPT_EVENTS},
    {"opens, clicks, complaints", "caps that follow interest, where the person agreed",
     KEPT_ENGAGEMENT},
    {"requests to pixel, links and pages, web events",
     "figures of campaigns; with the person where they agreed, without the full address",
     KEPT_HITS},
    {"answers of remote servers to copies", "figures of campaigns; who has no mailbox",
     KEPT_HITS},
    {"held copies", "sending them when they are due", KEPT_RELEASED},
};

/* ---- who reads a field ---- */

static void
add_reader(Register *self, const char *field, const char *reader)
{
    json_t *list = json_object_get(self->readers, field), *each;
    gsize i;
    if (!list)
        json_object_set_new(self->readers, field, list = json_array());
    json_array_foreach(list, i, each)
    {
        if (strcmp(json_string_value(each), reader) == 0)
            return;
    }
    json_array_append_new(list, json_string(reader));
}

static void
add_fields(Register *self, const MrgProgram *program, const char *reader)
{
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    for (gsize i = 0; i < n; i++)
        if (strcmp(fields[i].name, "data") != 0)
            add_reader(self, fields[i].name, reader);
}

static void
add_fault(Register *self, const char *reader, const GError *error)
{
    g_printerr("merganser: %s cannot be read, so what it reads is not in the report: %s\n",
               reader, error->message);
    self->n_faults++;
}

static void
add_template(Register *self, const char *reader, const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    const MrgTemplate template = {reader, text, length, self->args.dialect,
                                  MRG_ESCAPE_HTML};
    MrgProgram *program = mrg_program_compile(&template, 1, &self->args.options, &error);
    if (!program) {
        add_fault(self, reader, error);
        return;
    }
    add_fields(self, program, reader);
    mrg_program_unref(program);
}

static void
add_blocks(Register *self)
{
    gsize n;
    const MrgBlockFile *files = mrg_blocks_files(self->args.blocks, &n);
    for (gsize i = 0; i < n; i++) {
        g_autofree char *reader = g_strdup_printf("block %s", files[i].name);
        add_template(self, reader, files[i].text, files[i].length);
    }
}

static void
add_slots(Register *self)
{
    gsize n = 0;
    const MrgSlots *slots = mrg_blocks_slots(self->args.blocks);
    const MrgSlotRule *rules = slots ? mrg_slots_rules(slots, &n) : NULL;
    for (gsize i = 0; i < n; i++) {
        if (i && rules[i].slot.length == rules[i - 1].slot.length &&
            memcmp(rules[i].slot.text, rules[i - 1].slot.text, rules[i].slot.length) == 0)
            continue;
        int length = (int) rules[i].slot.length;
        g_autofree char *reader = g_strdup_printf("slot %.*s", length, rules[i].slot.text);
        g_autofree char *text =
            g_strdup_printf("{{block_for \"%.*s\"}}", length, rules[i].slot.text);
        add_template(self, reader, text, strlen(text));
    }
}

static void
add_settings(Register *self)
{
    const MrgConf *conf = self->conf;
    if (*conf->render_locale_field)
        add_reader(self, conf->render_locale_field, "[render] locale_field");
    if (*conf->render_timezone_field)
        add_reader(self, conf->render_timezone_field, "[render] timezone_field");
    if (*conf->render_recipient_name)
        add_template(self, "[render] recipient_name", conf->render_recipient_name,
                     strlen(conf->render_recipient_name));
}

static gboolean
add_message(Register *self, const char *path, const char *text, gsize length,
            GError **error)
{
    static const MrgEnvelopeLimits limits = {10000, 1 << 20, MRG_TEMPLATE_BYTES_MAX, 1};
    const MrgConf *conf = self->conf;
    const MrgPlanRules rules = mrg_plan_rules(conf, self->args.blocks);
    const MrgMessageKey content = {{0}};
    MrgCampaign campaign = {0};
    MrgPlanCache *cache = mrg_plan_cache_new(1, 0);
    MrgEnvelope *envelope = mrg_envelope_new(MRG_ROLE_CHECK, "");
    MrgPlan *plan = NULL;
    if (mrg_envelope_read(envelope, &limits, text, length, error) &&
        mrg_campaign_read(&campaign, envelope, conf->policy_default_class, error))
        plan = mrg_plan_get(cache, &content, envelope, &campaign, &rules, error);
    gboolean is_read = plan != NULL;
    if (plan)
        add_fields(self, plan->program, path);
    mrg_plan_unref(plan);
    mrg_envelope_free(envelope);
    mrg_plan_cache_free(cache);
    return is_read;
}

static int
add_file(Register *self, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    gsize length;
    if (!mrg_read_file(path, MRG_TEMPLATE_BYTES_MAX, &text, &length, &error))
        return mrg_verb_fail(error);
    if (!g_str_has_suffix(path, ".eml"))
        add_template(self, path, text, length);
    else if (!add_message(self, path, text, length, &error))
        add_fault(self, path, error);
    return EX_OK;
}

/* ---- the report ---- */

static const char *
kept_text(const Register *self, guint record)
{
    const MrgConf *conf = self->conf;
    gint64 age_us = records[record].kept == KEPT_EVENTS ? conf->retention_events
                    : records[record].kept == KEPT_HITS ? conf->retention_hits
                                                        : conf->retention_engagement;
    switch (records[record].kept) {
    case KEPT_ERASED:
        return "until the person is erased";
    case KEPT_TOMBSTONE:
        return "for good, under a hash: erasing a person keeps it, so that nothing is sent "
               "again";
    case KEPT_RELEASED:
        return "until they are released or deleted";
    case KEPT_WINDOW:
        return mrg_arena_printf(
            self->args.arena, "%s, as far back as rules of how much mail look",
            mrg_duration_print(mrg_policy_horizon_us(&conf->policy), self->args.arena));
    default:
        return age_us ? mrg_duration_print(age_us, self->args.arena)
                      : "until the person is erased";
    }
}

static json_t *
field_json(const Register *self, const MrgSchemaField *field)
{
    json_t *readers = json_object_get(self->readers, field->name);
    return json_pack("{s:s,s:s,s:s,s:s,s:b,s:o,s:s}", "name", field->name, "type",
                     mrg_schema_type_name(field->type), "purpose", field->purpose,
                     "used_for", mrg_schema_uses_text(field, self->args.arena), "sensitive",
                     field->is_sensitive, "read_by",
                     readers ? json_incref(readers) : json_array(), "kept",
                     "until the person is erased");
}

static json_t *
report_json(const Register *self)
{
    json_t *fields = json_array(), *undeclared = json_array(), *kept = json_array(),
           *sinks = json_array(), *readers;
    const char *name;
    const MrgSchema *schema = self->conf->schema;
    for (gsize i = 0; i < schema->n_fields; i++)
        json_array_append_new(fields, field_json(self, &schema->fields[i]));
    json_object_foreach(self->readers, name, readers)
    {
        if (!mrg_schema_field(schema, name))
            json_array_append_new(undeclared,
                                  json_pack("{s:s,s:O}", "name", name, "read_by", readers));
    }
    for (guint i = 0; i < G_N_ELEMENTS(records); i++)
        json_array_append_new(kept,
                              json_pack("{s:s,s:s,s:s}", "what", records[i].what, "purpose",
                                        records[i].purpose, "kept", kept_text(self, i)));
    for (const char *const *sink = self->conf->witness_sinks; *sink; sink++)
        json_array_append_new(sinks, json_string(*sink));
    return json_pack("{s:s,s:o,s:o,s:o,s:o,s:b}", "store", self->conf->store_plugin,
                     "fields", fields, "undeclared", undeclared, "records", kept,
                     "given_to", sinks, "complete", self->n_faults == 0);
}

static char *
join(json_t *list)
{
    g_autoptr(GString) text = g_string_new(NULL);
    gsize i;
    json_t *each;
    json_array_foreach(list, i, each)
        g_string_append_printf(text, "%s%s", i ? ", " : "", json_string_value(each));
    return g_strdup(text->len ? text->str : "nothing");
}

static const char *
text_of(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void
print_report(json_t *report)
{
    gsize i;
    json_t *each;
    g_print("Register of processing\n\nFields of the profile (store %s)\n",
            text_of(report, "store"));
    json_array_foreach(json_object_get(report, "fields"), i, each)
    {
        g_autofree char *readers = join(json_object_get(each, "read_by"));
        g_print("  %s (%s%s)\n    purpose:  %s\n    used for: %s\n    read by:  %s\n"
                "    kept:     %s\n",
                text_of(each, "name"), text_of(each, "type"),
                json_is_true(json_object_get(each, "sensitive")) ? ", sensitive" : "",
                text_of(each, "purpose"), text_of(each, "used_for"), readers,
                text_of(each, "kept"));
    }
    json_array_foreach(json_object_get(report, "undeclared"), i, each)
    {
        g_autofree char *readers = join(json_object_get(each, "read_by"));
        g_print("  %s: read by %s, but the schema says nothing of it\n",
                text_of(each, "name"), readers);
    }
    g_print("\nWhat is kept beside it\n");
    json_array_foreach(json_object_get(report, "records"), i, each)
        g_print("  %s\n    purpose:  %s\n    kept:     %s\n", text_of(each, "what"),
                text_of(each, "purpose"), text_of(each, "kept"));
    g_autofree char *sinks = join(json_object_get(report, "given_to"));
    g_print("\nGiven to (sinks): %s\n", sinks);
}

int
mrg_verb_privacy_report(MrgTool *tool, int argc, char **argv)
{
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, -1);
    g_autoptr(MrgConf) conf = code ? NULL : mrg_verb_conf(tool, &code);
    if (!conf)
        return code;
    Register self = {.conf = conf};
    mrg_template_args_default(&self.args, conf);
    code = mrg_template_args_read(&self.args);
    if (!code) {
        self.readers = json_object();
        add_settings(&self);
        add_blocks(&self);
        add_slots(&self);
    }
    for (int i = 1; i < argc && !code; i++)
        code = add_file(&self, argv[i]);
    if (!code) {
        json_t *report = report_json(&self);
        if (tool->is_json)
            mrg_print_json(json_incref(report));
        else
            print_report(report);
        json_decref(report);
        code = self.n_faults ? EX_DATAERR : EX_OK;
    }
    json_decref(self.readers);
    mrg_template_args_clear(&self.args);
    return code;
}
