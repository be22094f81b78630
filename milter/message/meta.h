/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta: the charset that an HTML text says of itself.
 *
 * A part that is written anew is UTF-8, whatever it was; where its text says another
 * charset (HTML standard, 4.2.5: <meta charset=...>, or in the content of http-equiv), it
 * is made to say so.  The field's charset counts first, but a copy that is saved, forwarded
 * or quoted has the text alone.
 */
#ifndef MRG_META_H
#define MRG_META_H

#include <glib.h>

/* text with utf-8 in the place of other charsets in its meta tags; NULL where it has none.
 * New text, NUL-terminated; the caller frees. */
char *mrg_meta_set_utf8(const char *text, gsize length, gsize *new_length);

#endif
