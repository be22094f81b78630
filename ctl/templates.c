/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/templates.h"

/* Bytes of a line that are shown, and how many of a long one before the caret. */
#define SHOWN 100
#define SHOWN_BEFORE 60

/* ---- options ---- */

static int
read_option_names(MrgTemplateArgs *args)
{
    if (args->is_strict)
        args->options.options |= MRG_OPTION_STRICT;
    for (char **name = args->option_names; name && *name; name++) {
        MrgOption option;
        if (!mrg_option_parse(*name, &option))
            return mrg_verb_usage("there is no option '%s': it is one of %s", *name,
                                  mrg_option_names());
        args->options.options |= option;
    }
    return EX_OK;
}

static int
read_blocks(MrgTemplateArgs *args)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *map = NULL;
    gsize length = 0;
    const char *folder = args->partials_path ? args->partials_path : "";
    if (*folder && !g_file_test(folder, G_FILE_TEST_IS_DIR)) {
        g_printerr("merganser: %s: is no folder; --partials takes one of NAME.hbs files\n",
                   folder);
        return EX_NOINPUT;
    }
    if (args->map_path && !g_file_get_contents(args->map_path, &map, &length, &error)) {
        g_printerr("merganser: %s\n", error->message);
        return EX_NOINPUT;
    }
    args->blocks = mrg_blocks_read(folder, args->map_path ? args->map_path : "", &error);
    if (args->blocks)
        return EX_OK;
    const MrgTemplate template = {.name = args->map_path, .text = map, .length = length};
    if (!map || !g_str_has_prefix(error->message, args->map_path))
        return mrg_verb_fail(error);
    mrg_template_error_print(args, error, &template);
    return EX_DATAERR;
}

static void
set_default(char **text, const char *fallback)
{
    if (!*text && g_file_test(fallback, G_FILE_TEST_EXISTS))
        *text = g_strdup(fallback);
}

void
mrg_template_args_default(MrgTemplateArgs *args, const MrgConf *conf)
{
    set_default(&args->schema_path, conf->schema_file);
    set_default(&args->partials_path, conf->render_blocks);
    set_default(&args->map_path, conf->render_block_map);
}

int
mrg_template_args_read(MrgTemplateArgs *args)
{
    g_autoptr(GError) error = NULL;
    args->arena = mrg_arena_new();
    if (args->dialect_name && !mrg_dialect_parse(args->dialect_name, &args->dialect))
        return mrg_verb_usage("there is no dialect '%s': it is one of %s",
                              args->dialect_name, mrg_dialect_names());
    int code = read_option_names(args);
    if (code)
        return code;
    args->schema =
        mrg_schema_load(args->schema_path ? args->schema_path : "", args->arena, &error);
    if (!args->schema)
        return mrg_verb_fail(error);
    if ((code = read_blocks(args)))
        return code;
    args->options.declared = args->schema->names;
    args->options.partials = mrg_blocks_partials(args->blocks);
    args->options.slots = mrg_blocks_slots(args->blocks);
    return EX_OK;
}

void
mrg_template_args_clear(MrgTemplateArgs *args)
{
    g_free(args->dialect_name);
    g_free(args->schema_path);
    g_free(args->partials_path);
    g_free(args->map_path);
    g_strfreev(args->option_names);
    mrg_blocks_unref(args->blocks);
    mrg_arena_free(args->arena);
}

/* ---- findings ---- */

gboolean
mrg_position_parse(const char *text, char **name, guint *line, guint *column,
                   const char **message)
{
    g_autoptr(GRegex) form = g_regex_new(
        "^(.*?):([0-9]{1,9}):([0-9]{1,9}): ", G_REGEX_DOTALL | G_REGEX_RAW, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    gint end;
    if (!g_regex_match(form, text, 0, &match))
        return FALSE;
    g_autofree char *lines = g_match_info_fetch(match, 2);
    g_autofree char *columns = g_match_info_fetch(match, 3);
    g_match_info_fetch_pos(match, 0, NULL, &end);
    *name = g_match_info_fetch(match, 1);
    *line = (guint) g_ascii_strtoull(lines, NULL, 10);
    *column = (guint) g_ascii_strtoull(columns, NULL, 10);
    *message = text + end;
    return TRUE;
}

/* The bytes of a line, from 1; NULL when there is no such line. */
static const char *
find_line(const MrgFinding *finding, gsize *length)
{
    const char *at = finding->text, *end = at + finding->length, *newline = NULL;
    for (guint line = 1; at && at <= end; line++, at = newline ? newline + 1 : NULL) {
        newline = memchr(at, '\n', (gsize) (end - at));
        if (line < finding->line)
            continue;
        *length = (gsize) ((newline ? newline : end) - at);
        return at;
    }
    return NULL;
}

static gboolean
continues_character(char c)
{
    return (c & 0xc0) == 0x80;
}

/* The line, cut to what is near the column, and a caret below it.  What a terminal might
 * take for a command is shown as "?". */
static void
print_line(const MrgFinding *finding)
{
    gsize length = 0, column = finding->column - 1;
    const char *line = finding->text ? find_line(finding, &length) : NULL;
    g_autoptr(GString) shown = g_string_new(NULL);
    g_autoptr(GString) caret = g_string_new(NULL);
    if (!line || column > length)
        return;
    gsize start = length > SHOWN && column > SHOWN_BEFORE ? column - SHOWN_BEFORE : 0;
    gsize end = MIN(length, start + SHOWN);
    while (start < column && continues_character(line[start]))
        start++;
    while (end < length && continues_character(line[end]))
        end++;
    for (gsize i = start; i < end; i++) {
        g_string_append_c(shown, line[i] == '\t' ? '\t' : line[i]);
        if (g_ascii_iscntrl(line[i]) && line[i] != '\t')
            shown->str[shown->len - 1] = '?';
        if (i < column && !continues_character(line[i]))
            g_string_append_c(caret, line[i] == '\t' ? '\t' : ' ');
    }
    g_autofree char *valid = g_utf8_make_valid(shown->str, (gssize) shown->len);
    g_printerr("%5u | %s\n      | %s^\n", finding->line, valid, caret->str);
}

void
mrg_finding_print(const MrgFinding *finding)
{
    const char *kind = finding->is_error ? "error" : "warning";
    if (!finding->line) {
        g_printerr("%s: %s: %s\n", finding->where, kind, finding->message);
        return;
    }
    g_printerr("%s:%u:%u: %s: %s\n", finding->where, finding->line, finding->column, kind,
               finding->message);
    print_line(finding);
}

json_t *
mrg_finding_json(const MrgFinding *finding)
{
    json_t *json = json_object();
    mrg_json_set_bytes(json, "where", finding->where, strlen(finding->where));
    mrg_json_set_bytes(json, "message", finding->message, strlen(finding->message));
    if (finding->line) {
        json_object_set_new(json, "line", json_integer(finding->line));
        json_object_set_new(json, "column", json_integer(finding->column));
    }
    return json;
}

/* ---- errors ---- */

static gboolean
find_partial(const MrgTemplateArgs *args, const char *name, MrgFinding *finding,
             char **where)
{
    if (!args->blocks || !g_str_has_prefix(name, "partial "))
        return FALSE;
    const MrgPartialSource *partials = mrg_blocks_partials(args->blocks);
    name += strlen("partial ");
    finding->text = partials->find(partials->context, name, &finding->length);
    if (!finding->text)
        return FALSE;
    *where = g_strdup_printf("%s/%s.hbs", args->partials_path, name);
    return TRUE;
}

void
mrg_template_error_find(const MrgTemplateArgs *args, const GError *error,
                        const MrgTemplate *templates, gsize n_templates, const char *prefix,
                        MrgFinding *finding, char **where)
{
    g_autofree char *name = NULL;
    *finding = (MrgFinding){.is_error = TRUE, .message = error->message};
    if (!mrg_position_parse(error->message, &name, &finding->line, &finding->column,
                            &finding->message)) {
        finding->line = 0;
        finding->where = *where = g_strdup(prefix ? prefix : templates[0].name);
        gsize n = strlen(*where);
        if (g_str_has_prefix(error->message, *where) && error->message[n] == ':')
            finding->message = error->message + n + 2;
        return;
    }
    for (gsize i = 0; i < n_templates; i++) {
        if (strcmp(templates[i].name, name) != 0)
            continue;
        finding->text = templates[i].text;
        finding->length = templates[i].length;
    }
    if (!find_partial(args, name, finding, where))
        *where = prefix ? g_strdup_printf("%s: %s", prefix, name) : g_steal_pointer(&name);
    finding->where = *where;
}

void
mrg_template_error_print(const MrgTemplateArgs *args, const GError *error,
                         const MrgTemplate *template)
{
    g_autofree char *where = NULL;
    MrgFinding finding;
    mrg_template_error_find(args, error, template, 1, NULL, &finding, &where);
    mrg_finding_print(&finding);
}
