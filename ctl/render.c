/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/verb.h"
#include "milter/blocks.h"
#include "milter/clock.h"
#include "milter/json.h"

#define TEMPLATE_BYTES_MAX (16 * 1024 * 1024)
#define OUTPUT_BYTES_MAX (64 * 1024 * 1024)

typedef struct Request {
    char *dialect, *data, *escape, *schema, *partials, *map;
    char **options;
    gboolean is_strict, is_disassembly;
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

static int
parse_options(const Request *request, guint *options)
{
    if (request->is_strict)
        *options |= MRG_OPTION_STRICT;
    for (char **name = request->options; name && *name; name++) {
        MrgOption option;
        if (!mrg_option_parse(*name, &option))
            return mrg_verb_usage("there is no option '%s': it is one of %s", *name,
                                  mrg_option_names());
        *options |= option;
    }
    return EX_OK;
}

static int
read_partials(const char *folder, MrgBlocks **blocks)
{
    g_autoptr(GError) error = NULL;
    if (folder && !g_file_test(folder, G_FILE_TEST_IS_DIR)) {
        g_printerr("merganser: %s: is no folder; --partials takes one of NAME.hbs files\n",
                   folder);
        return EX_NOINPUT;
    }
    *blocks = mrg_blocks_read(folder ? folder : "", &error);
    return *blocks ? EX_OK : mrg_verb_fail(error);
}

static MrgSlots *
read_map(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    if (!path)
        return mrg_slots_parse("", "", 0, error);
    if (!mrg_read_file(path, TEMPLATE_BYTES_MAX, &text, &length, error))
        return NULL;
    return mrg_slots_parse(path, text, length, error);
}

static gboolean
read_data(const char *path, MrgValue *data, MrgArena *arena, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    *data = mrg_value_object(NULL, 0);
    if (!path)
        return TRUE;
    if (!mrg_read_file(path, TEMPLATE_BYTES_MAX, &text, &length, error))
        return FALSE;
    if (mrg_json_read(data, text, length, arena, error))
        return TRUE;
    g_prefix_error(error, "%s:", path);
    return FALSE;
}

static gboolean
render(const MrgProgram *program, const MrgValue *data, MrgArena *arena, MrgBuffer *out,
       GError **error)
{
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    MrgValue *slots = mrg_arena_array(arena, MrgValue, n);
    for (gsize i = 0; i < n; i++)
        slots[i] = *mrg_value_member(data, fields[i].name, strlen(fields[i].name));
    const MrgRenderInput input = {
        .slots = slots, .root = data, .now_us = mrg_clock_now_us(), .arena = arena};
    return mrg_program_run(program, 0, &input, out, error);
}

static int
print_rendered(const MrgTool *tool, const MrgProgram *program, const MrgValue *data,
               MrgArena *arena)
{
    g_autoptr(GError) error = NULL;
    g_auto(MrgBuffer) out;
    mrg_buffer_init(&out, OUTPUT_BYTES_MAX);
    if (!render(program, data, arena, &out, &error))
        return mrg_verb_fail(error);
    if (tool->is_json) {
        json_t *result = json_object();
        mrg_json_set_bytes(result, "output", out.data, out.length);
        mrg_print_json(result);
    } else {
        fwrite(out.data, 1, out.length, stdout);
    }
    return EX_OK;
}

static int
parse_request(const Request *request, MrgTemplate *template, guint *options)
{
    if (!mrg_dialect_parse(request->dialect ? request->dialect : "handlebars",
                           &template->dialect))
        return mrg_verb_usage("there is no dialect '%s': it is one of %s", request->dialect,
                              mrg_dialect_names());
    if (!parse_escape(request->escape ? request->escape : "html", &template->escape))
        return mrg_verb_usage("--escape takes html, text or header");
    return parse_options(request, options);
}

static MrgProgram *
compile(const Request *request, MrgTemplate *template, const MrgBlocks *blocks, guint flags,
        MrgArena *arena, GError **error)
{
    g_autofree char *text = NULL;
    const char *path = request->schema ? request->schema : "";
    const MrgSchema *schema = mrg_schema_load(path, arena, error);
    if (!schema ||
        !mrg_read_file(template->name, TEMPLATE_BYTES_MAX, &text, &template->length, error))
        return NULL;
    template->text = text;
    g_autoptr(MrgSlots) slots = read_map(request->map, error);
    if (!slots)
        return NULL;
    const MrgCompileOptions options = {.declared = schema->names,
                                       .slots = slots,
                                       .partials = mrg_blocks_partials(blocks),
                                       .options = flags};
    return mrg_program_compile(template, 1, &options, error);
}

static int
run(const MrgTool *tool, const Request *request, const char *path)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(MrgBlocks) blocks = NULL;
    g_autoptr(GError) error = NULL;
    MrgTemplate template = {.name = path};
    MrgValue data;
    guint options = 0;
    int code = parse_request(request, &template, &options);
    if (!code)
        code = read_partials(request->partials, &blocks);
    if (code)
        return code;
    g_autoptr(MrgProgram) program =
        compile(request, &template, blocks, options, arena, &error);
    if (!program || !read_data(request->data, &data, arena, &error))
        return mrg_verb_fail(error);
    if (request->is_disassembly) {
        g_autofree char *listing = mrg_program_disassemble(program);
        g_print("%s", listing);
        return EX_OK;
    }
    return print_rendered(tool, program, &data, arena);
}

int
mrg_verb_render(MrgTool *tool, int argc, char **argv)
{
    Request request = {0};
    const GOptionEntry entries[] = {
        {"dialect", 0, 0, G_OPTION_ARG_STRING, &request.dialect,
         "handlebars (default), mustache or tokens", "NAME"},
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &request.data,
         "JSON object with the values; - reads it from stdin", "FILE"},
        {"escape", 0, 0, G_OPTION_ARG_STRING, &request.escape,
         "html (default), text or header", "KIND"},
        {"schema", 0, 0, G_OPTION_ARG_FILENAME, &request.schema,
         "declared fields, for tokens such as {FirstName}", "FILE"},
        {"partials", 0, 0, G_OPTION_ARG_FILENAME, &request.partials,
         "folder of partials: NAME.hbs is {{> NAME}}", "DIR"},
        {"map", 0, 0, G_OPTION_ARG_FILENAME, &request.map,
         "block map, which {{block_for \"slot\"}} goes by", "FILE"},
        {"strict", 0, 0, G_OPTION_ARG_NONE, &request.is_strict,
         "a name that has no value is an error", NULL},
        {"option", 0, 0, G_OPTION_ARG_STRING_ARRAY, &request.options,
         "compile option of handlebars.js, such as compat; may be repeated", "NAME"},
        {"disassemble", 0, 0, G_OPTION_ARG_NONE, &request.is_disassembly,
         "print the compiled program instead", NULL},
        {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code)
        code = run(tool, &request, argv[1]);
    g_free(request.dialect);
    g_free(request.data);
    g_free(request.escape);
    g_free(request.schema);
    g_free(request.partials);
    g_free(request.map);
    g_strfreev(request.options);
    return code;
}
