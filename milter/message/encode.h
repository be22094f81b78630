/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode: text in UTF-8 as 7-bit mail carries it.
 *
 * Bodies in quoted-printable and base64 (RFC 2045, 6.7 and 6.8), line ends CRLF, lines of
 * at most 76 characters; header texts in encoded words (RFC 2047), folded at 76 with LF
 * + space.  Nothing that stands in a header text can end the field: control characters
 * become spaces.
 *
 * OWNERSHIP  arena, or appended to a buffer of the caller.
 * ERRORS     none; the buffer knows whether it is full.
 */
#ifndef MRG_ENCODE_H
#define MRG_ENCODE_H

#include "base/arena.h"
#include "base/buffer.h"

/* Bytes that quoted-printable writes as three. */
gsize mrg_encode_count_escapes(const char *text, gsize length);

/* Line ends of text are LF or CRLF.  Without one at its end the output has none. */
void mrg_encode_quoted_printable(MrgBuffer *out, const char *text, gsize length);
void mrg_encode_base64(MrgBuffer *out, const char *text, gsize length);

/* A field's value behind "Name:", with the space that begins it; white space around text
 * is dropped.  ASCII stays as it is, but for what could be taken for an encoded word. */
char *mrg_encode_header(MrgArena *arena, gsize name_length, const char *text, gsize length);

/* A display name (RFC 5322 phrase): a quoted string or encoded words; begins with a
 * space too. */
char *mrg_encode_phrase(MrgArena *arena, gsize name_length, const char *text, gsize length);

#endif
