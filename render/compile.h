/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile: from the tree to the builder.
 *
 * What a name means depends on where it stands, so the compiler keeps track of
 * the frames that will be open at run time, and of what it knows about the
 * context of each.
 *
 * ERRORS     FALSE and the source has failed.
 */
#ifndef MRG_RENDER_COMPILE_H
#define MRG_RENDER_COMPILE_H

#include "render/dialect.h"
#include "render/limits.h"

/* An open frame.  A plain section may do both: true keeps the context, a list or an object
 * gives a new one. */
typedef struct MrgLevel {
    gboolean may_keep; /* the context around it */
    gboolean may_push; /* a context of its own */
    gboolean is_root;  /* the new one is the root again, surely or */
    gboolean may_be_root;
    gboolean is_opaque;    /* what is around it is not what stands around it */
    gboolean has_key;      /* each: the second parameter is the key */
    gboolean is_same;      /* opened on the context itself: {{#with .}} */
    gboolean is_helper;    /* parameters are what a helper gives */
    const MrgBlock *block; /* for its parameters; NULL where it has none */
    const MrgBody *body;   /* that it is the frame of; NULL where that does not matter */
} MrgLevel;

typedef struct MrgCompiler {
    const MrgCompilation *compilation;
    MrgBuilder *builder;
    MrgSource *source;
    guint options;
    MrgLevel levels[3 * MRG_LIMIT_DEPTH]; /* [0] is that of the text */
    guint n_levels;
    guint guarded; /* inside a condition, or beside a fallback */
} MrgCompiler;

gboolean mrg_compile_fail(MrgCompiler *compiler, gsize offset, const char *message);
/* A name alone, as a helper's must be. */
gboolean mrg_expr_is_plain(const MrgExpr *expr);
gboolean mrg_slice_is(MrgSlice slice, const char *word);

/* ---- what a path can mean (compile-path.c) ---- */

typedef struct MrgTarget {
    gboolean is_root, is_item, is_missing; /* each: may be */
} MrgTarget;

MrgTarget mrg_compile_target(const MrgCompiler *compiler, guint up);
gboolean mrg_target_is_root(MrgTarget target); /* surely */

/* this, .., ../..; and @root with names behind it, or without. */
gboolean mrg_expr_is_context(const MrgExpr *expr);
gboolean mrg_expr_is_at_root(const MrgExpr *expr);

/* The level whose first (0) or second (1) block parameter a path begins with; 0: none. */
guint mrg_compile_param(const MrgCompiler *compiler, const MrgExpr *expr, guint *which);

/* What a block opened on this value may have as its context. */
MrgLevel mrg_compile_level_on(const MrgCompiler *compiler, const MrgExpr *expr);

void mrg_compile_field(MrgCompiler *compiler, MrgSlice name);

/* What is printed must be there in strict mode; arguments need not. */
void mrg_compile_path(MrgCompiler *compiler, const MrgExpr *expr, gboolean is_argument);
gboolean mrg_compile_argument(MrgCompiler *compiler, const MrgExpr *expr);

/* ---- the rest (compile.c, compile-partial.c) ---- */

gboolean mrg_compile_subexpression(MrgCompiler *compiler, const MrgCall *call);

/* One frame more; FALSE when there are too many. */
gboolean mrg_compile_push(MrgCompiler *compiler, gsize offset, MrgLevel level);
void mrg_compile_pop(MrgCompiler *compiler);

/* A body in a scope of its own, where it defines partials; and what stands in it. */
gboolean mrg_compile_body(MrgCompiler *compiler, const MrgBody *body);
gboolean mrg_compile_nodes(MrgCompiler *compiler, const MrgBody *body);

/* ---- the block map (compile-slot.c) ---- */

gboolean mrg_call_is_slot(const MrgCompiler *compiler, const MrgCall *call);
gboolean mrg_compile_slot_value(MrgCompiler *compiler, const MrgCall *call);

/* Prints what is chosen, in place of the node's own name. */
gboolean mrg_compile_slot(MrgCompiler *compiler, const MrgNode *node, const MrgCall *call);
gboolean mrg_compile_chosen(MrgCompiler *compiler, const MrgNode *node, MrgSlice block);

/* ---- helpers of the options (compile-own.c) ---- */

/* NULL when there is none of that name. */
const MrgHelper *mrg_compile_find_own(const MrgCompiler *compiler, const MrgExpr *head);

/* The one called helperMissing or blockHelperMissing, if there is one. */
const MrgHelper *mrg_compile_find_missing(const MrgCompiler *compiler, const char *word);

gboolean mrg_compile_call_own(MrgCompiler *compiler, const MrgCall *call,
                              const MrgHelper *helper);
gboolean mrg_compile_own_block(MrgCompiler *compiler, const MrgBlock *block,
                               const MrgHelper *helper);

gboolean mrg_compile_partial(MrgCompiler *compiler, const MrgNode *node);

/* Opens a scope and defines what the body defines; FALSE on failure. */
gboolean mrg_compile_inlines(MrgCompiler *compiler, const MrgBody *body, MrgJump *scope);
void mrg_compile_leave_scope(MrgCompiler *compiler, MrgJump scope);

#endif
