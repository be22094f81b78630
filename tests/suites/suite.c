/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milter/json.h"
#include "render/lookup.h"
#include "tests/suites/suite.h"

static char *
build_path(const char *folder, const char *file)
{
    const char *suites = g_getenv("MERGANSER_SUITES");
    if (suites)
        return g_build_filename(suites, folder, file, NULL);
    return g_test_build_filename(G_TEST_DIST, "..", "..", "shared", "conformance", folder,
                                 file, NULL);
}

void
suite_need(const char *folder)
{
    g_autofree char *path = build_path(folder, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return;
    printf("1..0 # SKIP the conformance data is not here; set MERGANSER_SUITES to it\n");
    exit(0);
}

MrgValue
suite_read(MrgArena *arena, const char *folder, const char *file)
{
    g_autofree char *path = build_path(folder, file);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    MrgValue value;
    gsize length;
    g_file_get_contents(path, &text, &length, &error);
    g_assert_no_error(error);
    mrg_json_read(&value, text, length, arena, &error);
    g_assert_no_error(error);
    return value;
}

const MrgValue *
suite_member(const MrgValue *object, const char *name)
{
    return mrg_value_member(object, name, strlen(name));
}

char *
suite_text(const MrgValue *object, const char *name)
{
    const MrgValue *value = suite_member(object, name);
    if (value->type != MRG_VALUE_STRING)
        return g_strdup("");
    return g_strndup(value->text, value->length);
}

static const char *
find_partial(gpointer context, const char *name, gsize *length)
{
    const MrgValue *partials = context;
    const MrgValue *partial = suite_member(partials, name);
    if (partial->type != MRG_VALUE_STRING)
        return NULL;
    *length = partial->length;
    return partial->text;
}

/* The names of an object, NULL-terminated. */
static char **
names_of(const MrgValue *object)
{
    guint32 n = object->type == MRG_VALUE_OBJECT ? object->length : 0;
    char **names = g_new0(char *, n + 1);
    for (guint32 i = 0; i < n; i++)
        names[i] = g_strndup(object->members[i].name, object->members[i].name_length);
    return names;
}

MrgProgram *
suite_compile(const SuiteCase *suite_case, GError **error)
{
    const MrgTemplate template = {.name = "t",
                                  .text = suite_case->template->text,
                                  .length = suite_case->template->length,
                                  .dialect = suite_case->dialect};
    g_auto(GStrv) partials = names_of(suite_case->partials);
    g_auto(GStrv) values = names_of(suite_case->values);
    const MrgPartialSource source = {find_partial, (gpointer) suite_case->partials,
                                     (const char *const *) partials};
    const MrgCompileOptions options = {.partials = &source,
                                       .options = suite_case->options,
                                       .data = (const char *const *) values,
                                       .helpers = suite_case->helpers,
                                       .n_helpers = suite_case->n_helpers};
    return mrg_program_compile(&template, 1, &options, error);
}

/* Whether the slots say all that the program can ask for. */
static gboolean
has_slots(const SuiteCase *suite_case, const MrgProgram *program)
{
    return suite_case->data->type == MRG_VALUE_OBJECT && !suite_case->n_helpers &&
           !mrg_program_reads_root(program);
}

static MrgValue *
fill_slots(const MrgProgram *program, const MrgValue *data, MrgArena *arena)
{
    gsize n;
    gint64 steps = G_MAXINT32;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    MrgValue *slots = mrg_arena_array(arena, MrgValue, n);
    for (gsize i = 0; i < n; i++) {
        MrgName name = mrg_lookup_name(fields[i].name, strlen(fields[i].name));
        slots[i] = mrg_lookup(data, &name, &steps, arena);
    }
    return slots;
}

char *
suite_render(const SuiteCase *suite_case, gboolean has_root)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgProgram) program = suite_compile(suite_case, &error);
    if (!program)
        return g_strconcat("error: ", error->message, NULL);
    g_assert_no_error(error);
    if (!has_root && !has_slots(suite_case, program))
        return NULL;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_auto(MrgBuffer) out;
    mrg_buffer_init(&out, 1u << 20);
    const MrgRenderInput input = {.slots = fill_slots(program, suite_case->data, arena),
                                  .root = has_root ? suite_case->data : NULL,
                                  .data = suite_case->values,
                                  .arena = arena};
    if (!mrg_program_run(program, 0, &input, &out, &error))
        return g_strconcat("error: ", error->message, NULL);
    g_assert_no_error(error);
    return mrg_buffer_dup(&out);
}
