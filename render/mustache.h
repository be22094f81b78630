/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mustache: a template of the dialect of that name, token by token and line by
 * line (Mustache specification 1.4, with its modules inheritance and dynamic
 * names; mustache.github.io).
 *
 * White space is settled here: a line of tags alone is taken out but for the
 * tags; text is cut into lines, since partials and blocks are indented line by
 * line.
 *
 * OWNERSHIP  the tokens are made in the arena; slices point into the template.
 * ERRORS     FALSE and the source has failed.
 * BOUNDS     MRG_LIMIT_TAGS.
 */
#ifndef MRG_RENDER_MUSTACHE_H
#define MRG_RENDER_MUSTACHE_H

#include "render/source.h"

typedef enum {
    MRG_MUSTACHE_END,
    MRG_MUSTACHE_TEXT,     /* of one line; its newline included */
    MRG_MUSTACHE_SILENT,   /* comment, other delimiters */
    MRG_MUSTACHE_PRINT,    /* {{name}} */
    MRG_MUSTACHE_RAW,      /* {{{name}}} and {{&name}} */
    MRG_MUSTACHE_SECTION,  /* {{#name}} */
    MRG_MUSTACHE_INVERTED, /* {{^name}} */
    MRG_MUSTACHE_CLOSE,    /* {{/name}} */
    MRG_MUSTACHE_PARTIAL,  /* {{>name}} */
    MRG_MUSTACHE_PARENT,   /* {{<name}} */
    MRG_MUSTACHE_BLOCK     /* {{$name}} */
} MrgMustacheType;

typedef struct MrgMustacheToken {
    MrgMustacheType type;
    gsize offset;
    MrgSlice slice;         /* the text, empty where it is taken out; the name of a tag */
    guint line;             /* from 0 */
    gboolean begins_line;   /* the first of a line that is not taken out */
    gboolean is_standalone; /* a tag on a line that is taken out */
    MrgSlice indent;        /* what stood before the first tag of such a line */
} MrgMustacheToken;

/* All tokens, the END one included; NULL on failure. */
MrgMustacheToken *mrg_mustache_scan(MrgSource *source, MrgArena *arena);

#endif
