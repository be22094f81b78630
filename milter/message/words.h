/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words: a header text with its encoded words (RFC 2047) decoded.
 *
 * Neighbours of one charset are joined before they are converted, since senders split
 * characters over words; each is decoded by itself, padding and all, where GMime 3.2
 * drops what follows a padded word.
 *
 * ERRORS     MRG_ERROR_CHARSET
 */
#ifndef MRG_WORDS_H
#define MRG_WORDS_H

#include <glib.h>

/* value may be folded (LF + white space).  New text in UTF-8 without control characters;
 * the caller frees. */
char *mrg_words_decode(const char *value, GError **error);

#endif
