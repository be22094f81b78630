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
    {"mustache", MRG_DIALECT_MUSTACHE, mrg_dialect_mustache},
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

const char *
mrg_dialect_names(void)
{
    return "handlebars, mustache, tokens";
}

static Compile
compile_of(MrgDialect dialect)
{
    for (gsize i = 0; i < G_N_ELEMENTS(dialects); i++)
        if (dialects[i].dialect == dialect)
            return dialects[i].compile;
    g_assert_not_reached();
}

static const struct {
    const char *name;
    MrgOption option;
} option_names[] = {
    {"strict", MRG_OPTION_STRICT},
    {"assumeObjects", MRG_OPTION_ASSUME_OBJECTS},
    {"compat", MRG_OPTION_COMPAT},
    {"knownHelpersOnly", MRG_OPTION_KNOWN_HELPERS_ONLY},
    {"ignoreStandalone", MRG_OPTION_IGNORE_STANDALONE},
    {"preventIndent", MRG_OPTION_PREVENT_INDENT},
    {"explicitPartialContext", MRG_OPTION_EXPLICIT_PARTIAL_CONTEXT},
    {"noEscape", MRG_OPTION_NO_ESCAPE},
};

gboolean
mrg_option_parse(const char *name, MrgOption *option)
{
    for (gsize i = 0; i < G_N_ELEMENTS(option_names); i++) {
        if (strcmp(option_names[i].name, name) != 0)
            continue;
        *option = option_names[i].option;
        return TRUE;
    }
    return FALSE;
}

const char *
mrg_option_names(void)
{
    return "strict, assumeObjects, compat, knownHelpersOnly, ignoreStandalone, "
           "preventIndent, explicitPartialContext, noEscape";
}

/* What all templates of one program share. */
typedef struct Compiling {
    MrgBuilder *builder;
    MrgPartials *partials;
    GHashTable *declared;
    const MrgCompileOptions *options;
} Compiling;

/* partial is NULL for a template. */
static gboolean
compile_text(const Compiling *all, const MrgTemplate *template, const MrgPartial *partial,
             GError **error)
{
    g_auto(MrgSource) source = {0};
    g_autoptr(MrgArena) arena = mrg_arena_new();
    if (!mrg_source_init(&source, template, error))
        return FALSE;
    MrgCompilation compilation = {.builder = all->builder,
                                  .source = &source,
                                  .arena = arena,
                                  .declared = all->declared,
                                  .options = all->options,
                                  .partials = all->partials,
                                  .kind = partial ? partial->kind : MRG_CONTEXT_ROOT,
                                  .is_partial = partial != NULL};
    Compile compile = compile_of(template->dialect);
    if (!partial) {
        mrg_builder_begin(all->builder, &source);
        return compile(&compilation) && mrg_builder_end(all->builder);
    }
    mrg_builder_begin_partial(all->builder, &source);
    return compile(&compilation) && mrg_builder_end_partial(all->builder);
}

/* A block that is one line ends like one, but not within a header field. */
static void
trim_last_line(MrgTemplate *template)
{
    while (template->length && strchr("\r\n", template->text[template->length - 1]))
        template->length--;
}

/* More of them may come up while they are compiled. */
static gboolean
compile_partials(const Compiling *all, GError **error)
{
    const MrgPartial *partial;
    for (guint i = 0; (partial = mrg_partials_get(all->partials, i)); i++) {
        MrgPartial copy = *partial;
        if (copy.template.escape == MRG_ESCAPE_HEADER)
            trim_last_line(&copy.template);
        if (!compile_text(all, &copy.template, &copy, error))
            return FALSE;
    }
    return mrg_partials_end(all->partials, error);
}

MrgProgram *
mrg_program_compile(const MrgTemplate *templates, gsize n_templates,
                    const MrgCompileOptions *options, GError **error)
{
    static const MrgCompileOptions defaults = {0};
    options = options ? options : &defaults;
    if (n_templates > MRG_LIMIT_TEMPLATES) {
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_LIMIT,
                    "%s:1:1: there are more templates than %d", templates[0].name,
                    MRG_LIMIT_TEMPLATES);
        return NULL;
    }
    g_autoptr(MrgBuilder) builder = mrg_builder_new(options->helpers, options->n_helpers);
    mrg_builder_set_marker(builder, options->marker);
    g_autoptr(GHashTable) folded = mrg_singles_fold(options->declared);
    g_autoptr(MrgPartials) partials = mrg_partials_new(options, (guint) n_templates);
    const Compiling all = {builder, partials, folded, options};
    for (gsize i = 0; i < n_templates; i++)
        if (!compile_text(&all, &templates[i], NULL, error))
            return NULL;
    if (!compile_partials(&all, error))
        return NULL;
    return mrg_builder_steal(builder);
}
