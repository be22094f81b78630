/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remarks: where a template that compiles is likely not what its author meant.
 *
 * The text is followed as HTML, roughly: enough to know whether a tag stands in
 * a URL, in a script or in an attribute without quotes.
 *
 * OWNERSHIP  the caller unrefs the array; the texts go with it.
 * BOUNDS     at most MRG_LIMIT_REMARKS.
 */
#ifndef MRG_RENDER_REMARKS_H
#define MRG_RENDER_REMARKS_H

#include "render/render.h"

typedef struct MrgRemark {
    guint line, column; /* from 1, the column in bytes */
    char *message;
} MrgRemark;

/* Of MrgRemark, in the order of the text; empty where the template does not parse. */
GArray *mrg_template_remarks(const MrgTemplate *template, const MrgCompileOptions *options);

#endif
