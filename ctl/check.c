/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check: compiles templates and messages as the milter would, says what is wrong or looks
 * it, and lists the fields that they read.
 */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/advice.h"
#include "ctl/clip.h"

#define FILE_BYTES_MAX (32 * 1024 * 1024)

typedef struct Check {
    MrgTemplateArgs args;
    const char *const *headers; /* that are templates */
    const char *recipient;      /* template of the name in To */
    MrgConf *conf;              /* NULL: there is none */
    gboolean is_json;
    gboolean warnings_fail;
} Check;

/* A file under check, and what was found. */
typedef struct Subject {
    const char *path;
    const char *prefix; /* the path where positions are those of parts, else NULL */
    char *text;
    gsize length;
    MrgEnvelope *envelope;
    MrgCampaign campaign;
    MrgLayout *layout;
    MrgTemplate *templates;
    gsize n_templates;
    MrgProgram *program; /* NULL: there is an error */
    json_t *errors, *warnings;
} Subject;

static void
subject_clear(Subject *subject)
{
    g_free(subject->text);
    g_free(subject->templates);
    if (subject->program)
        mrg_program_unref(subject->program);
    if (subject->layout)
        mrg_layout_unref(subject->layout);
    if (subject->envelope)
        mrg_envelope_free(subject->envelope);
    json_decref(subject->errors);
    json_decref(subject->warnings);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Subject, subject_clear)

static void
add_finding(const Check *check, Subject *subject, const MrgFinding *finding)
{
    json_array_append_new(finding->is_error ? subject->errors : subject->warnings,
                          mrg_finding_json(finding));
    if (!check->is_json)
        mrg_finding_print(finding);
}

static void
add_error(const Check *check, Subject *subject, const GError *error)
{
    const MrgTemplate whole = {.name = subject->path};
    g_autofree char *where = NULL;
    MrgFinding finding;
    mrg_template_error_find(
        &check->args, error, subject->n_templates ? subject->templates : &whole,
        MAX(subject->n_templates, 1), subject->prefix, &finding, &where);
    add_finding(check, subject, &finding);
}

/* ---- compiling ---- */

/* The texts of a message, so that their lines can be shown. */
static void
list_templates(const Check *check, Subject *subject, const MrgFieldRules *rules,
               MrgDialect dialect)
{
    gsize n_parts, n_fields;
    const MrgPart *parts = mrg_layout_parts(subject->layout, &n_parts);
    const MrgHeaderField *fields = mrg_fields_read(
        rules, subject->envelope, subject->layout, check->args.arena, &n_fields);
    subject->templates = mrg_advice_templates(fields, n_fields, parts, n_parts, dialect);
    subject->n_templates = n_fields + n_parts;
}

static gboolean
compile_message(const Check *check, Subject *subject, GError **error)
{
    static const MrgEnvelopeLimits limits = {10000, 1 << 20, FILE_BYTES_MAX, 1};
    MrgDialect dialect = MRG_DIALECT_HANDLEBARS;
    const MrgPlanRules rules = {
        .schema = check->args.schema,
        .fields = {check->headers, check->recipient, check->args.schema},
        .locale_field = "",
        .timezone_field = "",
        .frequency_field = "",
        .household_field = "",
        .blocks = check->args.blocks};
    MrgCampaign *campaign = &subject->campaign;
    subject->prefix = subject->path;
    subject->envelope = mrg_envelope_new(MRG_ROLE_CHECK, "");
    if (!mrg_envelope_read(subject->envelope, &limits, subject->text, subject->length,
                           error) ||
        !mrg_campaign_read(campaign, subject->envelope,
                           check->conf ? check->conf->policy_default_class : "promo",
                           error) ||
        !(subject->layout = mrg_layout_new(subject->envelope, error)))
        return FALSE;
    mrg_dialect_parse(campaign->dialect, &dialect);
    list_templates(check, subject, &rules.fields, dialect);
    MrgPlanCache *cache = mrg_plan_cache_new(1, 0);
    const MrgMessageKey content = {{0}};
    MrgPlan *plan =
        mrg_plan_get(cache, &content, subject->envelope, campaign, &rules, error);
    if (plan && mrg_fields_refuse_stray(plan->fields, plan->n_fields, subject->envelope,
                                        check->args.schema, error))
        subject->program = mrg_program_ref(plan->program);
    mrg_plan_unref(plan);
    mrg_plan_cache_free(cache);
    return subject->program != NULL;
}

static gboolean
compile_template(const Check *check, Subject *subject, GError **error)
{
    gboolean is_text = g_str_has_suffix(subject->path, ".txt");
    subject->templates = g_new0(MrgTemplate, 1);
    subject->n_templates = 1;
    subject->templates[0] =
        (MrgTemplate){subject->path, subject->text, subject->length, check->args.dialect,
                      is_text ? MRG_ESCAPE_TEXT : MRG_ESCAPE_HTML};
    subject->program =
        mrg_program_compile(subject->templates, 1, &check->args.options, error);
    return subject->program != NULL;
}

/* ---- looking closer ---- */

static MrgAdvised
advised(const Check *check, const Subject *subject)
{
    return (MrgAdvised){.templates = subject->templates,
                        .n_templates = subject->n_templates,
                        .program = subject->program,
                        .schema = check->args.schema,
                        .conf = check->conf,
                        .path = subject->prefix,
                        .campaign = subject->envelope ? &subject->campaign : NULL,
                        .envelope = subject->envelope,
                        .layout = subject->layout};
}

static void
warn_advice(const Check *check, Subject *subject)
{
    const MrgAdvised about = advised(check, subject);
    g_autoptr(GArray) findings = mrg_advice_find(&about, check->args.arena);
    for (guint i = 0; i < findings->len; i++)
        add_finding(check, subject, &g_array_index(findings, MrgFinding, i));
}

/* The size is that of the template: values may make it more or less. */
static void
warn_clip(const Check *check, Subject *subject)
{
    gsize n = 0, n_parts;
    if (subject->layout) {
        const MrgPart *parts = mrg_layout_parts(subject->layout, &n_parts);
        n = mrg_clip_html_bytes(parts, n_parts);
    } else if (subject->templates[0].escape == MRG_ESCAPE_HTML) {
        n = subject->length;
    }
    g_autofree char *size = mrg_clip_size(n);
    g_autofree char *message =
        g_strdup_printf("the HTML has already %s without values, and Gmail cuts it off at "
                        "102 kB: %s",
                        size, mrg_clip_remedy(check->conf));
    const MrgFinding finding = {.where = subject->path, .message = message};
    if (n > MRG_CLIP_BYTES)
        add_finding(check, subject, &finding);
}

/* ---- results ---- */

static void
print_fields(const Check *check, const Subject *subject)
{
    gsize n;
    const MrgAdvised about = advised(check, subject);
    const MrgProgramField *fields = mrg_program_fields(subject->program, &n);
    g_print("%s: ok, reads %" G_GSIZE_FORMAT " fields\n", subject->path, n);
    for (gsize i = 0; i < n; i++)
        g_print("  %-24s %s:%u:%u%s%s\n", fields[i].name, fields[i].template,
                fields[i].line, fields[i].column,
                fields[i].has_default ? ", has a fallback" : "",
                mrg_advice_knows(&about, &fields[i]) ? "" : ", not declared");
    if (mrg_program_reads_root(subject->program))
        g_print("  (the person as a whole: the milter would refuse it)\n");
}

static json_t *
fields_json(const Check *check, const Subject *subject)
{
    gsize n;
    const MrgAdvised about = advised(check, subject);
    const MrgProgramField *fields = mrg_program_fields(subject->program, &n);
    json_t *list = json_array();
    for (gsize i = 0; i < n; i++) {
        json_t *field =
            json_pack("{s:i,s:i,s:b,s:b}", "line", (int) fields[i].line, "column",
                      (int) fields[i].column, "has_default", fields[i].has_default,
                      "declared", mrg_advice_knows(&about, &fields[i]));
        mrg_json_set_bytes(field, "name", fields[i].name, strlen(fields[i].name));
        mrg_json_set_bytes(field, "where", fields[i].template, strlen(fields[i].template));
        json_array_append_new(list, field);
    }
    return list;
}

static json_t *
subject_json(const Check *check, const Subject *subject)
{
    json_t *json = json_pack("{s:b,s:O,s:O}", "ok", subject->program != NULL, "errors",
                             subject->errors, "warnings", subject->warnings);
    mrg_json_set_bytes(json, "file", subject->path, strlen(subject->path));
    if (!subject->program)
        return json;
    json_object_set_new(json, "reads_whole_person",
                        json_boolean(mrg_program_reads_root(subject->program)));
    json_object_set_new(json, "fields", fields_json(check, subject));
    return json;
}

/* EX_OK, EX_DATAERR or EX_NOINPUT. */
static int
check_file(const Check *check, const char *path, json_t *results)
{
    g_autoptr(GError) error = NULL;
    g_auto(Subject)
        subject = {.path = path, .errors = json_array(), .warnings = json_array()};
    int code = EX_OK;
    gboolean is_message = g_str_has_suffix(path, ".eml");
    if (!mrg_read_file(path, FILE_BYTES_MAX, &subject.text, &subject.length, &error)) {
        code = EX_NOINPUT;
    } else if (!(is_message ? compile_message : compile_template)(check, &subject,
                                                                  &error)) {
        code = EX_DATAERR;
    }
    if (error)
        add_error(check, &subject, error);
    if (subject.program) {
        warn_advice(check, &subject);
        warn_clip(check, &subject);
        if (check->warnings_fail && json_array_size(subject.warnings))
            code = EX_DATAERR;
    }
    if (check->is_json)
        json_array_append_new(results, subject_json(check, &subject));
    else if (subject.program)
        print_fields(check, &subject);
    return code;
}

/* On the mail server, what is installed there counts; elsewhere there is nothing of it. */
static int
read_args(Check *check, const MrgTool *tool)
{
    int code = EX_OK;
    if (g_access(tool->conf_path, R_OK) == 0) {
        check->conf = mrg_verb_conf(tool, &code);
        if (!check->conf)
            return code;
        check->headers = check->conf->render_headers;
        check->recipient = check->conf->render_recipient_name;
        mrg_template_args_default(&check->args, check->conf);
    }
    return mrg_template_args_read(&check->args);
}

static int
check_files(Check *check, const MrgTool *tool, int n, char **paths)
{
    if (!n)
        return mrg_verb_usage("check takes FILE...");
    int code = read_args(check, tool);
    if (code)
        return code;
    json_t *results = json_array();
    for (int i = 0; i < n; i++) {
        int one = check_file(check, paths[i], results);
        code = code ? code : one;
    }
    if (check->is_json)
        mrg_print_json(json_incref(results));
    json_decref(results);
    return code;
}

int
mrg_verb_check(MrgTool *tool, int argc, char **argv)
{
    static const char *const headers[] = {"From", "Reply-To", "List-*", NULL};
    Check check = {
        .args = {.dialect = MRG_DIALECT_HANDLEBARS}, .headers = headers, .recipient = ""};
    const GOptionEntry entries[] = {MRG_TEMPLATE_ENTRIES(&check.args),
                                    {"fatal-warnings", 0, 0, G_OPTION_ARG_NONE,
                                     &check.warnings_fail, "exit with 65 for warnings, too",
                                     NULL},
                                    {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, -1);
    check.is_json = tool->is_json;
    if (!code)
        code = check_files(&check, tool, argc - 1, argv + 1);
    mrg_template_args_clear(&check.args);
    g_clear_pointer(&check.conf, mrg_conf_unref);
    return code;
}
