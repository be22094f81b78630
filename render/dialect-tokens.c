/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/dialect.h"
#include "render/singles.h"

void
mrg_single_compile(MrgBuilder *builder, MrgSlice name, const MrgSlice *fallback)
{
    guint slot = mrg_builder_field(builder, name, fallback != NULL);
    mrg_builder_load_slot(builder, slot);
    if (fallback) {
        MrgValue text = mrg_value_string(fallback->text, fallback->length);
        text.is_safe = TRUE;
        mrg_builder_load_constant(builder, &text);
        mrg_builder_call(builder, mrg_helper_find("default", strlen("default")), 2, NULL,
                         0);
    }
    mrg_builder_print(builder, FALSE);
}

/* Text in which no marker stands. */
static void
compile_text(const MrgCompilation *compilation, MrgSingles *singles, gsize start, gsize end)
{
    MrgSlice text = {compilation->source->text + start, end - start};
    MrgSingle found;
    gsize at = 0;
    while (mrg_singles_next(singles, text, at, &found)) {
        mrg_builder_literal(compilation->builder, text.text + at, found.start - at);
        mrg_builder_at(compilation->builder, start + found.start);
        mrg_single_compile(compilation->builder, (MrgSlice){found.name, strlen(found.name)},
                           found.has_fallback ? &found.fallback : NULL);
        at = found.end;
    }
    mrg_builder_literal(compilation->builder, text.text + at, text.length - at);
}

static gsize
find_marker(const MrgSource *source, gsize at)
{
    while (at + 1 < source->length) {
        const char *brace = memchr(source->text + at, '{', source->length - at - 1);
        if (!brace)
            break;
        at = (gsize) (brace - source->text);
        if (brace[1] == '{')
            return at;
        at++;
    }
    return source->length;
}

/* The brace run of an escape \{{ is printed; singles.c must not see its second half. */
static gsize
compile_escape(const MrgCompilation *compilation, gsize marker)
{
    const MrgSource *source = compilation->source;
    gsize end = marker;
    while (end < source->length && source->text[end] == '{')
        end++;
    mrg_builder_literal(compilation->builder, source->text + marker, end - marker);
    return end;
}

gboolean
mrg_dialect_tokens(const MrgCompilation *compilation)
{
    MrgSource *source = compilation->source;
    MrgSingles singles = {.declared = compilation->declared,
                          .is_html = source->template->escape == MRG_ESCAPE_HTML};
    gsize start = 0;
    while (start < source->length) {
        gsize marker = find_marker(source, start);
        mrg_builder_at(compilation->builder, start);
        if (marker == source->length) {
            compile_text(compilation, &singles, start, marker);
            break;
        }
        if (marker == start || source->text[marker - 1] != '\\')
            return mrg_source_fail(source, marker, MRG_RENDER_ERROR_MARKER,
                                   "'{{' would be left in the text: the dialect "
                                   "'tokens' knows {Name} only");
        compile_text(compilation, &singles, start, marker - 1);
        start = compile_escape(compilation, marker);
    }
    return !source->has_failed;
}
