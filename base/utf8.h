/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8: whether bytes are UTF-8.
 */
#ifndef MRG_UTF8_H
#define MRG_UTF8_H

#include <string.h>

#include <glib.h>

/* As g_utf8_validate_len(): NUL is refused.  ASCII, which most texts are, is passed over by
 * eight bytes at a time. */
static inline gboolean
mrg_utf8_is_valid(const char *text, gsize length)
{
    const guint64 lows = G_GUINT64_CONSTANT(0x0101010101010101), highs = lows << 7;
    gsize at = 0;
    for (; at + sizeof(guint64) <= length; at += sizeof(guint64)) {
        guint64 word;
        memcpy(&word, text + at, sizeof word);
        if ((word | (word - lows)) & highs)
            break;
    }
    return at == length || g_utf8_validate_len(text + at, length - at, NULL);
}

#endif
