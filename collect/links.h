/* SPDX-License-Identifier: Apache-2.0 */
/*
 * links: where the links of campaigns lead, kept in bounded memory.
 *
 * Two generations: when the younger one is full it becomes the older, and what was there is
 * forgotten.  So what is asked for often stays, without a list to keep in order.
 *
 * OWNERSHIP  entries are reference-counted.
 * THREADS    any.
 */
#ifndef MRG_LINKS_H
#define MRG_LINKS_H

#include <microhttpd.h>

#include "milter/conf.h"

typedef struct MrgLinks MrgLinks;

typedef struct MrgLink {
    gint references; /* atomic */
    char *target;
    struct MHD_Response *redirect; /* ready to be sent */
} MrgLink;

MrgLinks *mrg_links_new(gsize max_bytes);
void mrg_links_free(MrgLinks *links);

/* New reference, or NULL where the store has to be asked. */
MrgLink *mrg_links_find(MrgLinks *links, guint32 campaign, guint32 link);
/* Keeps it; new reference, or NULL for a target that is not http or https. */
MrgLink *mrg_links_add(MrgLinks *links, guint32 campaign, guint32 link, const char *target);
void mrg_link_unref(MrgLink *link);

/* http or https, with a host, and nothing that could end a header. */
gboolean mrg_target_is_good(const char *target);

/* The site that the target is in, by its origin; NULL: none. */
const MrgSiteConf *mrg_target_site(const char *target, const MrgSiteConf *sites,
                                   gsize n_sites);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgLink, mrg_link_unref)

#endif
