/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: a parsed template, before it becomes instructions.
 *
 * OWNERSHIP  everything is made in the arena of the compilation; slices point
 *            into it or into the template.
 */
#ifndef MRG_RENDER_TREE_H
#define MRG_RENDER_TREE_H

#include "render/source.h"

typedef enum { MRG_EXPR_PATH, MRG_EXPR_LITERAL, MRG_EXPR_CALL } MrgExprType;

typedef struct MrgExpr MrgExpr;
typedef struct MrgCall MrgCall;

struct MrgExpr {
    MrgExprType type;
    gsize offset;
    /* PATH; a LITERAL carries the name that it stands for where a path is wanted */
    guint up; /* "../" */
    gboolean is_data;
    gboolean is_scoped; /* this.x, ./x, ../x: never a helper */
    MrgSlice original;  /* as written, without brackets: what a partial is called by */
    MrgSlice *segments;
    guint n_segments;
    MrgValue value; /* LITERAL */
    MrgCall *call;  /* CALL */
};

/* A name with arguments; without any it is a path. */
struct MrgCall {
    MrgExpr *head;
    MrgExpr **args; /* the named ones come last */
    MrgSlice *names;
    guint n_args; /* positional */
    guint n_named;
};

typedef struct MrgStrip {
    gboolean left, right; /* {{~ and ~}} */
} MrgStrip;

typedef struct MrgNode MrgNode;

typedef struct MrgBody {
    MrgNode *first, *last;
    gboolean is_chained; /* holds the one block of an {{else if}} */
    gboolean has_inline; /* defines partials */
} MrgBody;

typedef struct MrgBlock {
    MrgCall *call;
    MrgBody *program; /* either may be NULL */
    MrgBody *inverse;
    MrgStrip open, middle, close;
    MrgSlice *params;
    guint n_params;
    gboolean is_raw; /* {{{{name}}}} */
} MrgBlock;

typedef enum {
    MRG_NODE_CONTENT,
    MRG_NODE_COMMENT,
    MRG_NODE_PRINT,
    MRG_NODE_BLOCK,
    MRG_NODE_PARTIAL,       /* {{> name}} */
    MRG_NODE_PARTIAL_BLOCK, /* {{#> name}} */
    MRG_NODE_INLINE,        /* {{#*inline "name"}} */
    MRG_NODE_SINGLE         /* {Name|fallback} */
} MrgNodeType;

struct MrgNode {
    MrgNodeType type;
    gsize offset;
    MrgNode *previous, *next;
    MrgSlice original; /* CONTENT as written */
    MrgSlice slice;    /* CONTENT to print; SINGLE: the fallback */
    gboolean is_left_stripped, is_right_stripped;
    MrgStrip strip;
    gboolean is_raw;
    gboolean has_fallback;
    MrgSlice name;   /* SINGLE: the field */
    MrgCall *call;   /* PRINT, PARTIAL; the head of the latter is a name or a call */
    MrgBlock *block; /* BLOCK, PARTIAL_BLOCK, INLINE */
    MrgSlice indent; /* PARTIAL: white space that each of its lines gets */
};

/* Takes out white space as handlebars.js does: around ~, and, unless ignored, the whole
 * line of a block tag, a comment or a partial that stands alone on it. */
void mrg_tree_strip(MrgBody *root, gboolean ignores_lines);

#endif
