/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logline: one line per copy, "QUEUEID: key=value, ...", as Postfix writes its own.
 *
 * No address and no profile value; control characters of any text become '?'.
 */
#ifndef MRG_LOGLINE_H
#define MRG_LOGLINE_H

#include "milter/witness/record.h"

/* The line; the caller frees. */
char *mrg_logline_format(const MrgRecord *record);

#endif
