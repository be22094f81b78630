/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edits: the fewest header edits that turn the message the MTA holds into the copy.
 *
 * Headers keep their order; new ones go to the end.  The edits stand in the order in which
 * they are to be made: from the last header to the first, so that the indexes of those
 * still to come stay true, then the new ones.
 *
 * OWNERSHIP  names and values are borrowed from the envelope and the copy.
 */
#ifndef MRG_EDITS_H
#define MRG_EDITS_H

#include "milter/message/copy.h"

typedef struct MrgEdit {
    const char *name;
    const char *value; /* NULL: delete */
    guint index;       /* counts headers of this name, from 1; 0: add a new one */
} MrgEdit;

/* A new array of MrgEdit; free with g_array_unref(). */
GArray *mrg_edits_new(const MrgEnvelope *envelope, const MrgCopy *copy);

#endif
