/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check: compiles templates and messages as the milter would, and lists what they read.
 */
#include "config.h"

#include "ctl/verb.h"

#define FILE_BYTES_MAX (32 * 1024 * 1024)

typedef struct Check {
    const MrgSchema *schema;
    MrgArena *arena;
    MrgDialect dialect;
    json_t *json; /* a list of files; NULL: print lines */
} Check;

static void
print_fields(const Check *check, const char *path, const MrgProgram *program)
{
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    g_print("%s: ok, reads %" G_GSIZE_FORMAT " fields\n", path, n);
    for (gsize i = 0; i < n; i++)
        g_print("  %-24s %s:%u:%u%s%s\n", fields[i].name, fields[i].template,
                fields[i].line, fields[i].column,
                fields[i].has_default ? ", has a fallback" : "",
                check->schema->n_fields && !mrg_schema_field(check->schema, fields[i].name)
                    ? ", not declared"
                    : "");
    if (mrg_program_reads_root(program))
        g_print("  (the person as a whole: the milter would refuse it)\n");
}

static json_t *
fields_json(const Check *check, const MrgProgram *program)
{
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    json_t *list = json_array();
    for (gsize i = 0; i < n; i++)
        json_array_append_new(
            list,
            json_pack("{s:s,s:s,s:i,s:i,s:b,s:b}", "name", fields[i].name, "where",
                      fields[i].template, "line", (int) fields[i].line, "column",
                      (int) fields[i].column, "has_default", fields[i].has_default,
                      "declared", mrg_schema_field(check->schema, fields[i].name) != NULL));
    return list;
}

static MrgProgram *
compile_message(const Check *check, const char *text, gsize length, GError **error)
{
    static const MrgEnvelopeLimits limits = {10000, 1 << 20, FILE_BYTES_MAX, 1};
    g_autoptr(MrgEnvelope) envelope = mrg_envelope_new(MRG_ROLE_CHECK, "");
    MrgCampaign campaign = {0};
    if (!mrg_envelope_read(envelope, &limits, text, length, error) ||
        !mrg_campaign_read(&campaign, envelope, "promo", error))
        return NULL;
    MrgPlanCache *cache = mrg_plan_cache_new(1);
    const MrgMessageKey content = {{0}};
    MrgPlan *plan =
        mrg_plan_get(cache, &content, envelope, &campaign, check->schema, error);
    MrgProgram *program = plan ? mrg_program_ref(plan->program) : NULL;
    mrg_plan_unref(plan);
    mrg_plan_cache_free(cache);
    return program;
}

static MrgProgram *
compile_file(const Check *check, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    if (!mrg_read_file(path, FILE_BYTES_MAX, &text, &length, error))
        return NULL;
    if (g_str_has_suffix(path, ".eml"))
        return compile_message(check, text, length, error);
    gboolean is_text = g_str_has_suffix(path, ".txt");
    const MrgTemplate template = {path, text, length, check->dialect,
                                  is_text ? MRG_ESCAPE_TEXT : MRG_ESCAPE_HTML};
    const MrgCompileOptions options = {.declared = check->schema->names};
    return mrg_program_compile(&template, 1, &options, error);
}

static gboolean
check_file(const Check *check, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) program = compile_file(check, path, &error);
    if (check->json)
        json_array_append_new(check->json,
                              program ? json_pack("{s:s,s:b,s:b,s:o}", "file", path, "ok",
                                                  1, "reads_whole_person",
                                                  mrg_program_reads_root(program), "fields",
                                                  fields_json(check, program))
                                      : json_pack("{s:s,s:b,s:s}", "file", path, "ok", 0,
                                                  "error", error->message));
    else if (program)
        print_fields(check, path, program);
    else if (g_str_has_prefix(error->message, path))
        g_printerr("%s\n", error->message);
    else
        g_printerr("%s: %s\n", path, error->message);
    return program != NULL;
}

int
mrg_verb_check(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *dialect = NULL, *schema = NULL;
    const GOptionEntry entries[] = {
        {"dialect", 0, 0, G_OPTION_ARG_STRING, &dialect,
         "handlebars (default), mustache or tokens; a message says it itself", "NAME"},
        {"schema", 0, 0, G_OPTION_ARG_FILENAME, &schema, "declared fields", "FILE"},
        {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, -1);
    if (code)
        return code;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    Check check = {.arena = arena, .dialect = MRG_DIALECT_HANDLEBARS};
    if (argc < 2)
        return mrg_verb_usage("check takes FILE...");
    if (dialect && !mrg_dialect_parse(dialect, &check.dialect))
        return mrg_verb_usage("there is no dialect '%s'", dialect);
    check.schema = mrg_schema_load(schema ? schema : "", arena, &error);
    if (!check.schema)
        return mrg_verb_fail(error);
    check.json = tool->is_json ? json_array() : NULL;
    for (int i = 1; i < argc; i++)
        if (!check_file(&check, argv[i]))
            code = EX_DATAERR;
    if (check.json)
        mrg_print_json(check.json);
    return code;
}
