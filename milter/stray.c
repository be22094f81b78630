/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/message/copy.h"
#include "milter/message/words.h"
#include "milter/stray.h"
#include "render/render.h"

static gboolean
is_stray(const MrgHeader *header, const MrgSchema *schema)
{
    if (mrg_copy_removes(header->name) || g_ascii_strcasecmp(header->name, "Subject") == 0)
        return FALSE;
    if (mrg_text_has_marker(header->value, strlen(header->value), schema->names))
        return TRUE;
    if (!strstr(header->value, "=?"))
        return FALSE;
    /* What cannot be decoded here shows no template to a reader either. */
    g_autofree char *text = mrg_words_decode(header->value, NULL);
    return text && mrg_text_has_marker(text, strlen(text), schema->names);
}

gboolean
mrg_stray_refuse(const MrgEnvelope *envelope, const MrgSchema *schema, GError **error)
{
    for (guint i = 0; i < envelope->headers->len; i++) {
        const MrgHeader *header = &g_array_index(envelope->headers, MrgHeader, i);
        if (!is_stray(header, schema))
            continue;
        g_set_error(
            error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_MARKER,
            "header %.64s:1:1: a template marker, but of the headers only the Subject "
            "is rendered",
            header->name);
        return FALSE;
    }
    return TRUE;
}
