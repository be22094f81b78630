/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/limits.h"
#include "render/partials.h"

typedef struct Missing {
    char *name;
    char *place; /* "TEMPLATE:LINE:COLUMN" */
} Missing;

typedef struct Choices {
    MrgChoice *choices;
    guint32 n;
} Choices;

struct MrgPartials {
    const MrgCompileOptions *options;
    guint n_templates;
    GPtrArray *queue;    /* MrgPartial */
    GHashTable *numbers; /* key of a partial -> number in queue + 1 */
    GHashTable *choices; /* key without a name -> Choices */
    GHashTable *inlines; /* names that templates define */
    GArray *missing;
    gboolean is_full;
};

static void
clear_missing(gpointer data)
{
    Missing *missing = data;
    g_free(missing->name);
    g_free(missing->place);
}

static void
free_partial(gpointer data)
{
    MrgPartial *partial = data;
    g_free((gpointer) partial->template.name);
    g_free(partial);
}

MrgPartials *
mrg_partials_new(const MrgCompileOptions *options, guint n_templates)
{
    MrgPartials *partials = g_new0(MrgPartials, 1);
    partials->options = options;
    partials->n_templates = n_templates;
    partials->queue = g_ptr_array_new_with_free_func(free_partial);
    partials->numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    partials->choices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    partials->inlines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    partials->missing = g_array_new(FALSE, FALSE, sizeof(Missing));
    g_array_set_clear_func(partials->missing, clear_missing);
    return partials;
}

void
mrg_partials_free(MrgPartials *partials)
{
    if (!partials)
        return;
    g_ptr_array_unref(partials->queue);
    g_hash_table_unref(partials->numbers);
    g_hash_table_unref(partials->choices);
    g_hash_table_unref(partials->inlines);
    g_array_unref(partials->missing);
    g_free(partials);
}

/* What makes two calls use the same code. */
static char *
make_key(const char *name, const MrgPartial *how)
{
    const MrgTemplate *template = &how->template;
    return g_strdup_printf("%d %d %d %d %s", how->kind, template->dialect, template->escape,
                           how->is_indented, name);
}

static MrgPartial *
find_partial(MrgPartials *partials, const char *name, const MrgPartial *how)
{
    const MrgPartialSource *source = partials->options->partials;
    gsize length = 0;
    const char *text = source ? source->find(source->context, name, &length) : NULL;
    if (!text)
        return NULL;
    if (partials->queue->len == MRG_LIMIT_PARTIALS) {
        partials->is_full = TRUE;
        return NULL;
    }
    MrgPartial *partial = g_memdup2(how, sizeof *how);
    partial->template.name =
        g_strdup_printf("partial %s", mrg_quote(name, strlen(name)).text);
    partial->template.text = text;
    partial->template.length = length;
    return partial;
}

guint32
mrg_partials_section(MrgPartials *partials, MrgSlice slice, const MrgPartial *how)
{
    g_autofree char *name = g_strndup(slice.text, slice.length);
    g_autofree char *key = make_key(name, how);
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(partials->numbers, key));
    if (number)
        return partials->n_templates + number - 1;
    MrgPartial *partial = find_partial(partials, name, how);
    if (!partial)
        return MRG_NONE;
    g_ptr_array_add(partials->queue, partial);
    number = partials->queue->len;
    g_hash_table_insert(partials->numbers, g_steal_pointer(&key), GUINT_TO_POINTER(number));
    return partials->n_templates + number - 1;
}

static int
compare_choices(gconstpointer a, gconstpointer b)
{
    return strcmp(((const MrgChoice *) a)->name, ((const MrgChoice *) b)->name);
}

static Choices *
make_choices(MrgPartials *partials, const MrgPartial *how, MrgArena *arena)
{
    const MrgPartialSource *source = partials->options->partials;
    const char *const *names = source ? source->names : NULL;
    guint n = names ? g_strv_length((char **) names) : 0;
    Choices *made = g_new0(Choices, 1);
    made->choices = mrg_arena_array(arena, MrgChoice, n);
    for (guint i = 0; i < n; i++) {
        MrgSlice name = {names[i], strlen(names[i])};
        guint32 section = mrg_partials_section(partials, name, how);
        if (section != MRG_NONE)
            made->choices[made->n++] =
                (MrgChoice){mrg_arena_strdup(arena, names[i]), name.length, section};
    }
    if (made->n)
        qsort(made->choices, made->n, sizeof *made->choices, compare_choices);
    return made;
}

const MrgChoice *
mrg_partials_choices(MrgPartials *partials, const MrgPartial *how, MrgArena *arena,
                     guint32 *n_choices)
{
    g_autofree char *key = make_key("", how);
    Choices *choices = g_hash_table_lookup(partials->choices, key);
    if (!choices) {
        choices = make_choices(partials, how, arena);
        g_hash_table_insert(partials->choices, g_steal_pointer(&key), choices);
    }
    *n_choices = choices->n;
    return choices->choices;
}

const MrgPartial *
mrg_partials_get(const MrgPartials *partials, guint i)
{
    return i < partials->queue->len ? g_ptr_array_index(partials->queue, i) : NULL;
}

void
mrg_partials_define(MrgPartials *partials, MrgSlice name)
{
    g_hash_table_add(partials->inlines, g_strndup(name.text, name.length));
}

void
mrg_partials_miss(MrgPartials *partials, MrgSlice name, const MrgSource *source,
                  gsize offset)
{
    guint line, column;
    mrg_source_locate(source, offset, &line, &column);
    Missing missing = {g_strndup(name.text, name.length),
                       g_strdup_printf("%s:%u:%u", source->template->name, line, column)};
    g_array_append_val(partials->missing, missing);
}

gboolean
mrg_partials_end(const MrgPartials *partials, GError **error)
{
    if (partials->is_full) {
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_LIMIT,
                    "%s:1:1: there are more partials than %d",
                    mrg_partials_get(partials, 0)->template.name, MRG_LIMIT_PARTIALS);
        return FALSE;
    }
    for (guint i = 0; i < partials->missing->len; i++) {
        const Missing *missing = &g_array_index(partials->missing, Missing, i);
        if (g_hash_table_contains(partials->inlines, missing->name))
            continue;
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_SYNTAX,
                    "%s: there is no partial '%s'", missing->place,
                    mrg_quote(missing->name, strlen(missing->name)).text);
        return FALSE;
    }
    return TRUE;
}
