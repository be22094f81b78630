/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mail: messages for tests.
 */
#ifndef MRG_TEST_MAIL_H
#define MRG_TEST_MAIL_H

#include "milter/message/copy.h"

extern const MrgEnvelopeLimits mail_limits;

/* text with LF line ends; must be readable. */
MrgEnvelope *mail_read(const char *text);

/* The message as mrg_copy_write() writes it, NUL-terminated; the caller frees. */
char *mail_write(const MrgCopy *copy, const MrgEnvelope *envelope);

/* LF becomes CRLF; the caller frees. */
char *mail_crlf(const char *text);

/* The copy for ann@example.com with the given texts (NULL: unchanged), as it is written;
 * the caller frees. */
char *mail_copy(MrgEnvelope *envelope, const MrgLayout *layout, const char *const *texts);

#endif
