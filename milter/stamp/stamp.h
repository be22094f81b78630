/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stamp: what a stamp sees and what it may propose.
 *
 * A stamp changes nothing itself.  It looks at the texts as they were rendered, proposes
 * splices and headers, and says whether it had anything to propose.
 *
 * OWNERSHIP  arena; names of headers are static.
 */
#ifndef MRG_STAMP_H
#define MRG_STAMP_H

#include "milter/stamp/chain.h"

#define MRG_STAMP_HEADERS 8 /* all that the stamps can propose for a copy, and more */

typedef struct MrgSplices {
    MrgSplice *items; /* room for n_max */
    gsize n, n_max;
} MrgSplices;

typedef struct MrgStampHeader {
    const char *name;
    const char *value;
} MrgStampHeader;

typedef struct MrgProposal {
    const MrgPart *parts;     /* of the layout */
    const MrgRendered *texts; /* what each says now; text is never NULL */
    gsize n_parts;
    GArray **places; /* of each part, once it was looked at */
    const MrgCopy *copy;
    guint tracked; /* MrgTracked */
    MrgArena *arena;
    MrgSplices *splices; /* of each part */
    MrgStampHeader headers[MRG_STAMP_HEADERS];
    gsize n_headers;
} MrgProposal;

/* One stamp; FALSE when there was nothing to do. */
typedef gboolean MrgStampFunction(const MrgStampContext *context, MrgProposal *proposal);

MrgStampFunction mrg_stamp_links;
MrgStampFunction mrg_stamp_utm;
MrgStampFunction mrg_stamp_pixel;
MrgStampFunction mrg_stamp_unsubscribe;
MrgStampFunction mrg_stamp_list;
MrgStampFunction mrg_stamp_report;

/* Sealed for a purpose; inert in previews.  Arena. */
const char *mrg_stamp_token(const MrgStampContext *context, MrgTokenPurpose purpose);

/* Of what the part says now: as the context has them, or else found once. */
MrgStampPlaces mrg_proposal_places(const MrgStampContext *context, MrgProposal *proposal,
                                   gsize part);

/* As it may stand in HTML; the text itself where nothing in it is markup.  Arena. */
const char *mrg_stamp_escape(MrgArena *arena, const char *text);

/* The pieces, up to NULL, one behind the other.  Arena. */
const char *mrg_stamp_join(MrgArena *arena, const char *const *pieces);

/* Another splice of that part, for the stamp to fill in. */
MrgSplice *mrg_proposal_splice(MrgProposal *proposal, gsize part);
void mrg_proposal_set_header(MrgProposal *proposal, const char *name, const char *value);

#endif
