/* SPDX-License-Identifier: Apache-2.0 */
/*
 * links: the links of a campaign, and what becomes of them in a copy.
 *
 * A link that a template writes out is static: its address is worked out once per plan, and
 * the store gives it a number.  All others, of which a part or all comes from values or
 * whose address is relative to <base href>, are read in the finished copy, and their token
 * holds the target.
 *
 * With consent a link leads to the collector; the address that it had is in the token or
 * has its number, so nothing in it can be changed.  Campaign parameters ([stamp] utm_*) are
 * nobody's own and go onto links of the named domains in every copy.  What leads to the
 * collector already (unsubscribe_url and the like), what is no http(s) address, what
 * carries data-no-track, and an address too long for a token are left as they are.
 *
 * OWNERSHIP  the links own all but the rules' texts, which are borrowed.
 * THREADS    immutable but for the numbers, which are set once.
 */
#ifndef MRG_LINKS_H
#define MRG_LINKS_H

#include "milter/stamp/places.h"
#include "milter/stamp/url.h"
#include "render/render.h"

typedef struct MrgLinks MrgLinks;

/* base_url of the collector, or NULL: then no link is tracked. */
MrgLinks *mrg_links_new(const char *base_url, const MrgUtm *utm);
void mrg_links_free(MrgLinks *links);

/* Adds the static links of what is the same for everybody, and gives its places, which the
 * links own. */
MrgStampPlaces mrg_links_add(MrgLinks *links, const char *text, gsize length,
                             gboolean is_html);

/* Adds those of HTML templates and partials, and has their places marked. */
MrgMarker mrg_links_marker(MrgLinks *links);

/* The places of a finished text by the n marks in it, which count from start.  FALSE where
 * they do not tell them all: then the text must be looked through. */
gboolean mrg_links_find(const MrgLinks *links, MrgArena *arena, const MrgLandmark *marks,
                        gsize n, gsize start, const char *text, gsize length,
                        MrgStampPlaces *places);

/* What the store numbers, each once. */
const char *const *mrg_links_targets(const MrgLinks *links, gsize *n);
gboolean mrg_links_need_numbers(const MrgLinks *links);
/* In the order of the targets; whoever comes second changes nothing. */
void mrg_links_set_numbers(MrgLinks *links, const guint32 *numbers);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgLinks, mrg_links_free)

#endif
