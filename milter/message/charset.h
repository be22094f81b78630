/* SPDX-License-Identifier: Apache-2.0 */
/*
 * charset: bytes of any charset that iconv knows, as UTF-8.
 *
 * A missing charset and us-ascii are read as UTF-8 where the bytes are that, else as
 * windows-1252, which is what such mail turns out to be.
 *
 * ERRORS     MRG_ERROR_CHARSET; the charset's name is quoted bounded and in ASCII.
 */
#ifndef MRG_CHARSET_H
#define MRG_CHARSET_H

#include <glib.h>

/* charset may be NULL.  New text, without NUL inside; the caller frees. */
char *mrg_charset_decode(const char *charset, const char *bytes, gsize length,
                         gsize *text_length, GError **error);

/* Whether every ASCII character is the byte of it and the other way round, so that one can
 * be looked for without decoding; charset may be NULL. */
gboolean mrg_charset_keeps_ascii(const char *charset);

#endif
