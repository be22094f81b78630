/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/templates.h"
#include "milter/clock.h"
#include "milter/json.h"

#define OUTPUT_BYTES_MAX (64 * 1024 * 1024)

typedef struct Request {
    MrgTemplateArgs args;
    char *data, *escape, *locale, *timezone;
    gboolean is_disassembly;
} Request;

static gboolean
parse_escape(const char *name, MrgEscape *escape)
{
    static const char *const names[] = {"html", "text", "header"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(names[i], name)) {
            *escape = (MrgEscape) i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean
read_data(const char *path, MrgValue *data, MrgArena *arena, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    *data = mrg_value_object(NULL, 0);
    if (!path)
        return TRUE;
    if (!mrg_read_file(path, MRG_TEMPLATE_BYTES_MAX, &text, &length, error))
        return FALSE;
    if (mrg_json_read(data, text, length, arena, error))
        return TRUE;
    g_prefix_error(error, "%s:", path);
    return FALSE;
}

static gboolean
render(const MrgProgram *program, const Request *request, const MrgValue *data,
       MrgBuffer *out, GError **error)
{
    gsize n;
    MrgArena *arena = request->args.arena;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    MrgValue *slots = mrg_arena_array(arena, MrgValue, n);
    for (gsize i = 0; i < n; i++)
        slots[i] = *mrg_value_member(data, fields[i].name, strlen(fields[i].name));
    const MrgRenderInput input = {.slots = slots,
                                  .root = data,
                                  .now_us = mrg_clock_now_us(),
                                  .locale = request->locale,
                                  .timezone = request->timezone,
                                  .arena = arena};
    return mrg_program_run(program, 0, &input, out, error);
}

static gboolean
print_rendered(const MrgTool *tool, const MrgProgram *program, const Request *request,
               const MrgValue *data, GError **error)
{
    g_auto(MrgBuffer) out;
    mrg_buffer_init(&out, OUTPUT_BYTES_MAX);
    if (!render(program, request, data, &out, error))
        return FALSE;
    if (tool->is_json) {
        json_t *result = json_object();
        mrg_json_set_bytes(result, "output", out.data, out.length);
        mrg_print_json(result);
    } else {
        fwrite(out.data, 1, out.length, stdout);
    }
    return TRUE;
}

static int
run(const MrgTool *tool, Request *request, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    MrgTemplate template = {.name = path};
    MrgValue data;
    if (!parse_escape(request->escape ? request->escape : "html", &template.escape))
        return mrg_verb_usage("--escape takes html, text or header");
    int code = mrg_template_args_read(&request->args);
    if (code)
        return code;
    if (!mrg_read_file(path, MRG_TEMPLATE_BYTES_MAX, &text, &template.length, &error) ||
        !read_data(request->data, &data, request->args.arena, &error))
        return mrg_verb_fail(error);
    template.text = text;
    template.dialect = request->args.dialect;
    g_autoptr(MrgProgram) program =
        mrg_program_compile(&template, 1, &request->args.options, &error);
    if (program && request->is_disassembly) {
        g_autofree char *listing = mrg_program_disassemble(program);
        g_print("%s", listing);
        return EX_OK;
    }
    if (program && print_rendered(tool, program, request, &data, &error))
        return EX_OK;
    mrg_template_error_print(&request->args, error, &template);
    return EX_DATAERR;
}

int
mrg_verb_render(MrgTool *tool, int argc, char **argv)
{
    Request request = {.args = {.dialect = MRG_DIALECT_HANDLEBARS}};
    const GOptionEntry entries[] = {
        MRG_TEMPLATE_ENTRIES(&request.args),
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &request.data,
         "JSON object with the values; - reads it from stdin", "FILE"},
        {"escape", 0, 0, G_OPTION_ARG_STRING, &request.escape,
         "html (default), text or header", "KIND"},
        {"locale", 0, 0, G_OPTION_ARG_STRING, &request.locale,
         "language and country of dates and numbers, such as de (default: en)", "NAME"},
        {"timezone", 0, 0, G_OPTION_ARG_STRING, &request.timezone,
         "time zone of dates, such as Europe/Oslo (default: UTC)", "ZONE"},
        {"disassemble", 0, 0, G_OPTION_ARG_NONE, &request.is_disassembly,
         "print the compiled program instead", NULL},
        {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code)
        code = run(tool, &request, argv[1]);
    g_free(request.data);
    g_free(request.escape);
    g_free(request.locale);
    g_free(request.timezone);
    mrg_template_args_clear(&request.args);
    return code;
}
