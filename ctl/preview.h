/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview: people's copies of one message, as files or as a page.
 *
 * The page stands alone: no script, no foreign address, styles within.  Each mail is in a
 * frame without rights (sandbox), and page and frame have a policy that loads nothing but
 * images that they bring themselves; whatever stands in a message or a profile is text or
 * lies within such a frame.
 */
#ifndef MRG_PREVIEW_H
#define MRG_PREVIEW_H

#include "ctl/rehearsal.h"

/* preview-page.css, by the build. */
extern const char mrg_preview_css[];

/* scenes holds MrgScene, one at least; advice MrgFinding, about the message.  The caller
 * frees. */
GString *mrg_preview_page(const MrgRehearsal *rehearsal, const GPtrArray *scenes,
                          const GArray *advice);

/* A file of mode 0600 with these bytes, whole or not at all; one that is there is left
 * alone unless may_replace.  Prints what is wrong; the exit code. */
int mrg_preview_write(const char *path, const char *bytes, gsize length,
                      gboolean may_replace);

/* A name for a copy's file within a folder, unlike that of any other address. */
char *mrg_preview_file_name(const MrgScene *scene);

#endif
