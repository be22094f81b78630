/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/dialect.h"
#include "render/limits.h"
#include "render/render.h"
#include "render/singles.h"

GQuark
mrg_render_error_quark(void)
{
    return g_quark_from_static_string("merganser-render-error");
}

typedef gboolean (*Compile)(const MrgCompilation *compilation);

static const struct {
    const char *name;
    MrgDialect dialect;
    Compile compile;
} dialects[] = {
    {"handlebars", MRG_DIALECT_HANDLEBARS, mrg_dialect_handlebars},
    {"tokens", MRG_DIALECT_TOKENS, mrg_dialect_tokens},
};

gboolean
mrg_dialect_parse(const char *name, MrgDialect *dialect)
{
    for (gsize i = 0; i < G_N_ELEMENTS(dialects); i++) {
        if (strcmp(dialects[i].name, name) != 0)
            continue;
        *dialect = dialects[i].dialect;
        return TRUE;
    }
    return FALSE;
}

static Compile
compile_of(MrgDialect dialect)
{
    for (gsize i = 0; i < G_N_ELEMENTS(dialects); i++)
        if (dialects[i].dialect == dialect)
            return dialects[i].compile;
    g_assert_not_reached();
}

static gboolean
compile_template(MrgBuilder *builder, const MrgTemplate *template, GHashTable *declared,
                 GError **error)
{
    g_auto(MrgSource) source = {0};
    g_autoptr(MrgArena) arena = mrg_arena_new();
    if (!mrg_source_init(&source, template, error))
        return FALSE;
    MrgCompilation compilation = {builder, &source, arena, declared};
    mrg_builder_begin(builder, &source);
    return compile_of(template->dialect)(&compilation) && mrg_builder_end(builder);
}

MrgProgram *
mrg_program_compile(const MrgTemplate *templates, gsize n_templates,
                    const char *const *declared, GError **error)
{
    g_autoptr(MrgBuilder) builder = mrg_builder_new();
    g_autoptr(GHashTable) folded = mrg_singles_fold(declared);
    if (n_templates > MRG_LIMIT_TEMPLATES) {
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_LIMIT,
                    "%s:1:1: there are more templates than %d", templates[0].name,
                    MRG_LIMIT_TEMPLATES);
        return NULL;
    }
    for (gsize i = 0; i < n_templates; i++)
        if (!compile_template(builder, &templates[i], folded, error))
            return NULL;
    return mrg_builder_steal(builder);
}
