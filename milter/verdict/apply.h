/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply: tells the MTA the verdict: edits, hold or reply, then the answer.
 *
 * ERRORS     when the MTA takes an edit no more, the answer is TEMPFAIL: it then forgets
 * the ones it has, and the message comes again and gets the recorded outcome.
 */
#ifndef MRG_APPLY_H
#define MRG_APPLY_H

#include "milter/intake/mta.h"
#include "milter/message/copy.h"
#include "milter/verdict/disposition.h"

/* Deliver and hold need the copy; text is what a refusal says to the sender. */
MrgAnswer mrg_apply(const MrgMta *mta, const MrgDisposition *disposition, const char *text,
                    const MrgEnvelope *envelope, const MrgCopy *copy);

#endif
