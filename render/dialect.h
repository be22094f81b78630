/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect: one way of writing templates; each turns a source into calls of the
 * builder.
 *
 * ERRORS     FALSE and the source has failed.
 */
#ifndef MRG_RENDER_DIALECT_H
#define MRG_RENDER_DIALECT_H

#include "render/builder.h"
#include "render/partials.h"
#include "render/source.h"
#include "render/tree.h"

typedef struct MrgCompilation {
    MrgBuilder *builder;
    MrgSource *source;
    MrgArena *arena;      /* until the end of the compilation */
    GHashTable *declared; /* of singles.h */
    const MrgCompileOptions *options;
    MrgPartials *partials;
    MrgContextKind kind; /* of what the text is rendered on */
    gboolean is_partial;
} MrgCompilation;

gboolean mrg_dialect_handlebars(const MrgCompilation *compilation);
gboolean mrg_dialect_mustache(const MrgCompilation *compilation);
gboolean mrg_dialect_tokens(const MrgCompilation *compilation);

/* NULL when the source has failed. */
MrgBody *mrg_handlebars_parse(const MrgCompilation *compilation);

/* A condition as in {{#if ...}}, which stands outside of the source: its parts count as
 * standing at offset.  NULL when the source has failed. */
MrgExpr *mrg_handlebars_parse_condition(const MrgCompilation *compilation, MrgSlice text,
                                        gsize offset);

/* One that stands in the source; FALSE when it has failed. */
gboolean mrg_handlebars_check_condition(MrgSource *source, MrgSlice text, MrgArena *arena);

/* The second half of the dialects that have a tree (compile.c). */
gboolean mrg_tree_check_condition(const MrgCompilation *compilation, const MrgExpr *expr);
gboolean mrg_tree_compile(const MrgCompilation *compilation, const MrgBody *root);

/* Prints a field, or the fallback, which is text of the template, where the person has no
 * such field or an empty one; a fallback of NULL is none.  (dialect-tokens.c) */
void mrg_single_compile(MrgBuilder *builder, MrgSlice name, const MrgSlice *fallback);

#endif
