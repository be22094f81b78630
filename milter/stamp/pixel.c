/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/html.h"
#include "milter/stamp/stamp.h"

/* Before the last </body> that is a tag, else at the end. */
static gsize
find_place(const char *text, gsize length)
{
    MrgHtml html;
    MrgHtmlToken token;
    gsize place = length;
    mrg_html_init(&html, text, length);
    while (mrg_html_next(&html, &token))
        if (mrg_html_is_tag(&html, &token, MRG_HTML_END_TAG, "body"))
            place = token.start;
    return place;
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
    MrgPartSplice pixel = {0};
    if (!context->base_url || !find_part(proposal, &pixel.part))
        return FALSE;
    g_autofree char *url = g_markup_escape_text(context->base_url, -1);
    const MrgRendered *text = &proposal->texts[pixel.part];
    pixel.splice.start = find_place(text->text, text->length);
    pixel.splice.text = mrg_arena_printf(
        context->arena,
        "<img src=\"%s/o/%s.gif\" width=\"1\" height=\"1\" alt=\"\" border=\"0\" "
        "style=\"border:0\">",
        url, mrg_stamp_token(context, MRG_TOKEN_OPEN));
    pixel.splice.length = strlen(pixel.splice.text);
    g_array_append_val(proposal->splices, pixel);
    return TRUE;
}
