/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/stamp.h"

/* Behind the first <body> if the pixel goes on top, before the last </body>, or at the
 * end. */
static gsize
find_place(const MrgStampContext *context, MrgStampPlaces places, gsize length)
{
    for (gsize i = 0; context->is_pixel_on_top && i < places.n; i++)
        if (places.items[i].kind == MRG_PLACE_BODY)
            return places.items[i].start;
    for (gsize i = places.n; i-- > 0;)
        if (places.items[i].kind == MRG_PLACE_BODY_END)
            return places.items[i].start;
    return length;
}

static gboolean
find_part(const MrgProposal *proposal, gsize *part)
{
    for (gsize i = proposal->n_parts; i-- > 0;) {
        if (!proposal->parts[i].is_html || proposal->parts[i].is_amp)
            continue;
        *part = i;
        return TRUE;
    }
    return FALSE;
}

gboolean
mrg_stamp_pixel(const MrgStampContext *context, MrgProposal *proposal)
{
    gsize part;
    if (!context->base_url || !find_part(proposal, &part))
        return FALSE;
    const char *url = mrg_stamp_escape(context->arena, context->base_url);
    const MrgStampPlaces places = mrg_proposal_places(context, proposal, part);
    gsize at = find_place(context, places, proposal->texts[part].length);
    const char *const pieces[] = {
        "<img src=\"",
        url,
        "/o/",
        mrg_stamp_token(context, MRG_TOKEN_OPEN),
        ".gif\" width=\"1\" height=\"1\" alt=\"\" border=\"0\" style=\"border:0\">",
        NULL};
    const char *text = mrg_stamp_join(context->arena, pieces);
    *mrg_proposal_splice(proposal, part) = (MrgSplice){at, 0, text, strlen(text)};
    proposal->tracked |= MRG_TRACKED_OPENS;
    return TRUE;
}
