/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clip: whether Gmail cuts a mail off, and what helps.
 *
 * Gmail shows the first 102 kB of a mail's HTML and hides the rest, a pixel at its end too.
 * Google documents no such bound: senders measured it (github.com/hteumeuleu/email-bugs,
 * issue 41, 2018; spamresource.com, "What is Gmail clipping", January 2022, who found it
 * between 102 and 105 kB).  The size here is that of the HTML without transfer encoding.
 */
#ifndef MRG_CLIP_H
#define MRG_CLIP_H

#include "ctl/rehearsal.h"

#define MRG_CLIP_BYTES ((gsize) (102 * 1024))

/* "103 kB", rounded up: never 102 where it is more.  The caller frees. */
char *mrg_clip_size(gsize n);

/* What to do about a size over the bound.  conf may be NULL. */
const char *mrg_clip_remedy(const MrgConf *conf);

/* Of the largest HTML part, AMP aside; 0 where there is none. */
gsize mrg_clip_html_bytes(const MrgPart *parts, gsize n_parts);

/* The same of a person's finished copy; 0 also where there is none. */
gsize mrg_clip_scene_bytes(const MrgScene *scene);

/* The warning about a finished copy, or NULL where it fits.  The caller frees. */
char *mrg_clip_scene_warning(const MrgConf *conf, gsize n);

#endif
