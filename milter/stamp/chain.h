/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain: the stamps that a copy gets, in order, each only with the consent it needs.
 *
 * A stamp proposes: splices into HTML parts, headers to set.  The chain applies.
 * Untracked means untouched: without a splice a part stays as it was rendered, or as
 * it came.
 *
 * OWNERSHIP  arena.
 */
#ifndef MRG_CHAIN_H
#define MRG_CHAIN_H

#include "milter/message/campaign.h"
#include "milter/message/copy.h"
#include "milter/stamp/links.h"
#include "milter/stamp/token.h"

typedef struct MrgStampContext {
    MrgArena *arena;
    MrgSealer *sealer;       /* of this copy's tokens */
    const char *base_url;    /* of the collector, without a slash at the end; NULL: no
                                pixel, no unsubscribe link */
    const char *list_domain; /* of List-Id and Feedback-ID; NULL: neither */
    const MrgCampaign *campaign;
    const MrgLinks *links;        /* of the plan; NULL: none is touched */
    const MrgStampPlaces *places; /* of each part; n G_MAXSIZE: not known.  NULL: of none */
    gboolean is_inert;            /* preview: every token is sealed as MRG_TOKEN_INERT */
    gboolean may_track_open;      /* consent, campaign and config agree */
    gboolean may_track_click;
    gboolean may_track_text; /* links in text/plain, too */
    gboolean is_pixel_on_top;
    gboolean is_transactional;
    /* Set by mrg_stamp_apply(): */
    const char *names;
    guint tracked; /* MrgTracked */
} MrgStampContext;

/* A text over the bytes [start, start + removed) of a part; starts ascend. */
typedef struct MrgSplice {
    gsize start, removed;
    const char *text;
    gsize length;
} MrgSplice;

/* Changes parts (same order as the layout's) and the copy's headers; parts that were not
 * rendered need no text. */
void mrg_stamp_apply(MrgStampContext *context, const MrgLayout *layout, MrgRendered *parts,
                     MrgCopy *copy);

/* The collector's address for this copy and purpose; NULL without a base_url.  Arena. */
const char *mrg_stamp_url(const MrgStampContext *context, MrgTokenPurpose purpose);

/* Names of the stamps that acted on this copy, for the log line: "pixel,unsubscribe";
 * "" for none. */
const char *mrg_stamp_names(const MrgStampContext *context);

#endif
