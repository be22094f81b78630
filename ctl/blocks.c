/* SPDX-License-Identifier: Apache-2.0 */
/* blocks: what is in the block library and in the block map. */
#include "config.h"

#include <string.h>

#include "ctl/verb.h"
#include "milter/blocks.h"
#include "render/slots.h"

typedef struct Request {
    char *folder, *map, *tag;
} Request;

static gboolean
has_tag(const MrgBlockFile *file, const char *tag)
{
    return !tag || g_strv_contains(file->tags, tag);
}

static gboolean
is_block(const MrgBlocks *blocks, MrgSlice name)
{
    const MrgPartialSource *partials = mrg_blocks_partials(blocks);
    g_autofree char *text = g_strndup(name.text, name.length);
    gsize length;
    return partials->find(partials->context, text, &length) != NULL;
}

/* ---- for people ---- */

static void
print_files(const MrgBlocks *blocks, const char *tag)
{
    gsize n;
    const MrgBlockFile *files = mrg_blocks_files(blocks, &n);
    for (gsize i = 0; i < n; i++) {
        if (!has_tag(&files[i], tag))
            continue;
        g_autofree char *tags = g_strjoinv(", ", (char **) files[i].tags);
        g_print("%-32s %8" G_GSIZE_FORMAT " bytes%s%s\n", files[i].name, files[i].length,
                *tags ? "  " : "", tags);
    }
}

static void
print_rules(const MrgBlocks *blocks)
{
    gsize n = 0;
    const MrgSlots *slots = mrg_blocks_slots(blocks);
    const MrgSlotRule *rules = slots ? mrg_slots_rules(slots, &n) : NULL;
    for (gsize i = 0; i < n; i++) {
        const MrgSlotRule *rule = &rules[i];
        if (i == 0 || rules[i - 1].is_fallback)
            g_print("\nslot %.*s\n", (int) rule->slot.length, rule->slot.text);
        const char *quote = rule->is_text ? "\"" : "";
        g_print("  %s%.*s%s%s%.*s%s\n", quote, (int) rule->target.length, rule->target.text,
                quote, rule->is_fallback ? " for everybody else" : " if ",
                (int) rule->condition.length, rule->condition.text,
                rule->is_text || is_block(blocks, rule->target)
                    ? ""
                    : "  (there is no such block)");
    }
}

/* ---- for programs ---- */

static json_t *
slice_json(MrgSlice slice)
{
    return json_stringn(slice.text, slice.length);
}

static json_t *
files_json(const MrgBlocks *blocks, const char *tag)
{
    gsize n;
    const MrgBlockFile *files = mrg_blocks_files(blocks, &n);
    json_t *list = json_array();
    for (gsize i = 0; i < n; i++) {
        if (!has_tag(&files[i], tag))
            continue;
        json_t *tags = json_array();
        for (const char *const *one = files[i].tags; *one; one++)
            json_array_append_new(tags, json_string(*one));
        json_t *file =
            json_pack("{s:I,s:o}", "bytes", (json_int_t) files[i].length, "tags", tags);
        mrg_json_set_bytes(file, "name", files[i].name, strlen(files[i].name));
        json_array_append_new(list, file);
    }
    return list;
}

static json_t *
rules_json(const MrgBlocks *blocks)
{
    gsize n = 0;
    const MrgSlots *slots = mrg_blocks_slots(blocks);
    const MrgSlotRule *rules = slots ? mrg_slots_rules(slots, &n) : NULL;
    json_t *list = json_array();
    for (gsize i = 0; i < n; i++)
        json_array_append_new(
            list,
            json_pack("{s:o,s:o,s:o,s:b,s:I,s:b,s:b}", "slot", slice_json(rules[i].slot),
                      "condition", slice_json(rules[i].condition), "target",
                      slice_json(rules[i].target), "is_text", rules[i].is_text, "priority",
                      (json_int_t) rules[i].priority, "is_fallback", rules[i].is_fallback,
                      "is_there", rules[i].is_text || is_block(blocks, rules[i].target)));
    return list;
}

/* Where the library is: as asked for, else as configured. */
static int
read_blocks(const MrgTool *tool, const Request *request, MrgBlocks **blocks)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgConf) conf = NULL;
    int code = EX_OK;
    if (!request->folder && !request->map && !(conf = mrg_verb_conf(tool, &code)))
        return code;
    *blocks = conf ? mrg_blocks_read(conf->render_blocks, conf->render_block_map, &error)
                   : mrg_blocks_read(request->folder ? request->folder : "",
                                     request->map ? request->map : "", &error);
    return *blocks ? EX_OK : mrg_verb_fail(error);
}

static int
run(const MrgTool *tool, const Request *request)
{
    g_autoptr(MrgBlocks) blocks = NULL;
    int code = read_blocks(tool, request, &blocks);
    if (code)
        return code;
    if (tool->is_json) {
        mrg_print_json(json_pack("{s:o,s:o}", "blocks", files_json(blocks, request->tag),
                                 "rules", rules_json(blocks)));
        return EX_OK;
    }
    print_files(blocks, request->tag);
    if (!request->tag)
        print_rules(blocks);
    return EX_OK;
}

int
mrg_verb_blocks(MrgTool *tool, int argc, char **argv)
{
    Request request = {0};
    const GOptionEntry entries[] = {
        {"tag", 0, 0, G_OPTION_ARG_STRING, &request.tag, "only blocks that have it", "TAG"},
        {"partials", 0, 0, G_OPTION_ARG_FILENAME, &request.folder,
         "another folder than the configured one", "DIR"},
        {"map", 0, 0, G_OPTION_ARG_FILENAME, &request.map,
         "another block map than the configured one", "FILE"},
        {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (!code)
        code = run(tool, &request);
    g_free(request.tag);
    g_free(request.folder);
    g_free(request.map);
    return code;
}
