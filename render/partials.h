/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partials: which partials a program needs, while it is compiled.
 *
 * A partial is compiled once for each kind of context that it is called on, so
 * that one which is only called on the person reads slots.  Partials may call
 * each other in a circle, so each call just asks for a section by number; the
 * ones asked for are compiled behind the templates.
 *
 * OWNERSHIP  options, templates and texts are borrowed.
 * BOUNDS     MRG_LIMIT_PARTIALS; the caller learns of it by mrg_partials_end().
 */
#ifndef MRG_RENDER_PARTIALS_H
#define MRG_RENDER_PARTIALS_H

#include "render/program.h"
#include "render/source.h"

typedef enum {
    MRG_CONTEXT_ROOT, /* surely the person */
    MRG_CONTEXT_ITEM, /* surely not */
    MRG_CONTEXT_ANY
} MrgContextKind;

/* A partial to be compiled: the text under its own name, and how it is called. */
typedef struct MrgPartial {
    MrgTemplate template;
    MrgContextKind kind;
    gboolean is_indented; /* mustache: prints white space at the start of its lines */
} MrgPartial;

typedef struct MrgPartials MrgPartials;

MrgPartials *mrg_partials_new(const MrgCompileOptions *options, guint n_templates);
void mrg_partials_free(MrgPartials *partials);

/* The section that such a partial will be; MRG_NONE when there is no partial of that name.
 * The caller is what it is called from: dialect and escaping are the same. */
guint32 mrg_partials_section(MrgPartials *partials, MrgSlice name, const MrgPartial *how);

/* The sections of all that an expression may name, by name; made in the arena. */
const MrgChoice *mrg_partials_choices(MrgPartials *partials, const MrgPartial *how,
                                      MrgArena *arena, guint32 *n_choices);

/* The partial of number i, in the order asked for; NULL behind the last. */
const MrgPartial *mrg_partials_get(const MrgPartials *partials, guint i);

/* A template defines a partial of that name; one is called by it that is nowhere else. */
void mrg_partials_define(MrgPartials *partials, MrgSlice name);
void mrg_partials_miss(MrgPartials *partials, MrgSlice name, const MrgSource *source,
                       gsize offset);

/* FALSE when a partial is missing, or there are too many of them. */
gboolean mrg_partials_end(const MrgPartials *partials, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgPartials, mrg_partials_free)

#endif
