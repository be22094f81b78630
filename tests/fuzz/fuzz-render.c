/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-render: any template, over any data.
 *
 * Byte 0: dialect (bits 0 and 4), escape (bits 1 and 2), whether the whole object
 * is given (bit 3), compile options (bits 5 to 7); with any of these the person has
 * habits and links, and may lack what is required.  Byte 1: how many bytes at the end
 * make the data.  The rest is the template, which is the partial "p" as well.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "render/remarks.h"
#include "render/render.h"

#define OUT_LIMIT (1u << 16)
#define DEPTH 4
#define NOW_US G_GINT64_CONSTANT(1795521600000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Bytes {
    const uint8_t *at;
    gsize left;
    MrgArena *arena;
} Bytes;

static const char *const names[] = {"a", "b", "name", "x", "0", "length", "items", ""};

static guint8
take(Bytes *bytes)
{
    if (!bytes->left)
        return 0;
    bytes->left--;
    return *bytes->at++;
}

static MrgValue
make_string(Bytes *bytes, guint8 size)
{
    gsize length = MIN(size, bytes->left);
    const char *text = mrg_arena_dup(bytes->arena, (const char *) bytes->at, length);
    bytes->at += length;
    bytes->left -= length;
    return mrg_value_string(text, length);
}

static MrgValue make_value(Bytes *bytes, guint depth);

static MrgValue
make_list(Bytes *bytes, guint8 size, guint depth)
{
    MrgValue *items = mrg_arena_array(bytes->arena, MrgValue, size);
    for (guint i = 0; i < size; i++)
        items[i] = make_value(bytes, depth);
    return mrg_value_list(items, size);
}

static MrgValue
make_object(Bytes *bytes, guint8 size, guint depth)
{
    gsize n = MIN(size, G_N_ELEMENTS(names));
    MrgMember *members = mrg_arena_array(bytes->arena, MrgMember, n);
    for (gsize i = 0; i < n; i++)
        members[i] =
            (MrgMember){names[i], (guint32) strlen(names[i]), make_value(bytes, depth)};
    return mrg_value_object(members, n);
}

/* Each byte says a type (low bits) and a size (high bits). */
static MrgValue
make_value(Bytes *bytes, guint depth)
{
    guint8 byte = take(bytes), size = byte >> 3;
    switch (byte & 7) {
    case 0:
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    case 1:
        return mrg_value_null();
    case 2:
        return mrg_value_boolean(size & 1);
    case 3:
        return mrg_value_number((double) (gint8) take(bytes) / (1 + size), bytes->arena);
    case 4:
    case 5:
        return make_string(bytes, size);
    case 6:
        return depth ? make_list(bytes, size, depth - 1) : mrg_value_null();
    default:
        return depth ? make_object(bytes, size, depth - 1) : mrg_value_null();
    }
}

static void
check_text(const MrgBuffer *out, MrgEscape escape)
{
    g_assert_cmpuint(out->length, <=, OUT_LIMIT);
    if (escape != MRG_ESCAPE_HEADER)
        return;
    for (gsize i = 0; i < out->length; i++)
        g_assert_false(out->data[i] == '\r' || out->data[i] == '\n' || !out->data[i]);
}

static MrgRenderInput
make_input(guint8 flags, const MrgValue *slots, const MrgValue *root, MrgArena *arena)
{
    MrgRenderInput input = {
        .slots = slots, .root = flags & 8 ? root : NULL, .arena = arena, .now_us = NOW_US};
    if (flags < 32)
        return input;
    input.locale = "pl_PL";
    input.timezone = "Europe/Oslo";
    input.seed = (const guint8 *) "seed";
    input.seed_length = 4;
    input.urls.unsubscribe = input.urls.preferences = input.urls.view = "https://x/?a&b";
    input.may_lack_required = TRUE;
    return input;
}

/* Runs twice: the second text must be the first. */
static void
run(const MrgProgram *program, Bytes *bytes, guint8 flags, const MrgTemplate *template)
{
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    MrgValue *slots = mrg_arena_array(bytes->arena, MrgValue, n);
    MrgMember *members = mrg_arena_array(bytes->arena, MrgMember, n);
    for (gsize i = 0; i < n; i++) {
        slots[i] = make_value(bytes, DEPTH);
        members[i] =
            (MrgMember){fields[i].name, (guint32) strlen(fields[i].name), slots[i]};
    }
    MrgValue root = mrg_value_object(members, n);
    const MrgRenderInput input = make_input(flags, slots, &root, bytes->arena);
    g_auto(MrgBuffer) first, second;
    mrg_buffer_init(&first, OUT_LIMIT);
    mrg_buffer_init(&second, OUT_LIMIT);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) again = NULL;
    gboolean is_good = mrg_program_run(program, 0, &input, &first, &error);
    g_assert_true(is_good == mrg_program_run(program, 0, &input, &second, &again));
    g_assert_true(is_good == !error);
    g_assert_cmpmem(first.data, first.length, second.data, second.length);
    check_text(&first, template->escape);
    if (is_good && mrg_program_is_constant(program, 0) && template->length <= OUT_LIMIT)
        g_assert_cmpmem(first.data, first.length, template->text, template->length);
}

/* The template itself, so that it may go round in circles, and what tries the rest. */
static const char *
find_partial(gpointer context, const char *name, gsize *length)
{
    const MrgTemplate *template = context;
    const char *text = NULL;
    if (strcmp(name, "p") == 0) {
        *length = template->length;
        return template->text;
    }
    if (strcmp(name, "a") == 0)
        text = "<{{a}} {{{x}}} {{../b}}>";
    else if (strcmp(name, "b") == 0)
        text = "[{{> @partial-block}}{{#each .}}{{> a}}{{/each}}]";
    *length = text ? strlen(text) : 0;
    return text;
}

static guint
options_of(uint8_t byte)
{
    static const guint options[] = {
        0,
        MRG_OPTION_COMPAT,
        MRG_OPTION_STRICT,
        MRG_OPTION_ASSUME_OBJECTS,
        MRG_OPTION_IGNORE_STANDALONE | MRG_OPTION_PREVENT_INDENT,
        MRG_OPTION_EXPLICIT_PARTIAL_CONTEXT,
        MRG_OPTION_NO_ESCAPE,
        MRG_OPTION_COMPAT | MRG_OPTION_STRICT,
    };
    return options[byte >> 5];
}

static MrgDialect
dialect_of(uint8_t byte)
{
    if (byte & 1)
        return MRG_DIALECT_TOKENS;
    return byte >> 4 & 1 ? MRG_DIALECT_MUSTACHE : MRG_DIALECT_HANDLEBARS;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const declared[] = {"a", "first_name", "Name", NULL};
    static const char *const partials[] = {"p", "a", "b", NULL};
    if (size < 2)
        return 0;
    gsize n_data = MIN(data[1], size - 2);
    g_autofree char *text = g_memdup2(data + 2, size - 2 - n_data);
    MrgTemplate template = {.name = "t",
                            .text = text ? text : "",
                            .length = size - 2 - n_data,
                            .dialect = dialect_of(data[0]),
                            .escape = (MrgEscape) ((data[0] >> 1 & 3) % 3)};
    const MrgPartialSource source = {find_partial, &template, partials};
    const MrgCompileOptions options = {
        .declared = declared, .partials = &source, .options = options_of(data[0])};
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) remarks = mrg_template_remarks(&template, &options);
    g_assert_nonnull(remarks);
    g_autoptr(MrgProgram) program = mrg_program_compile(&template, 1, &options, &error);
    g_assert_true(!program == !!error);
    if (!program) {
        g_assert_true(g_str_has_prefix(error->message, "t:") ||
                      g_str_has_prefix(error->message, "partial "));
        return 0;
    }
    g_autofree char *listing = mrg_program_disassemble(program);
    g_assert_nonnull(listing);
    g_autoptr(MrgArena) arena = mrg_arena_new();
    Bytes bytes = {data + size - n_data, n_data, arena};
    run(program, &bytes, data[0], &template);
    return 0;
}
