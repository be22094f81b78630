/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split: the MIME tree of a body (RFC 2046, 5.1), as byte ranges.
 *
 * One pass over the lines, no recursion, memory bounded by the number of parts.  GMime's
 * own parser is not used for this: its offsets are off by one where CRLF and LF are mixed,
 * and it keeps an object for every part and field before anybody can say that there are
 * too many.  It reads the values of the fields.
 *
 * A message/rfc822 part is a leaf: nothing inside is looked at.
 *
 * OWNERSHIP  pieces own their content type.
 * ERRORS     MRG_ERROR_STRUCTURE for whatever two readers could read in two ways.
 */
#ifndef MRG_SPLIT_H
#define MRG_SPLIT_H

#include <gmime/gmime.h>

#include "milter/message/mime.h"

#define MRG_SPLIT_PARTS_MAX 100
#define MRG_SPLIT_DEPTH_MAX 10

typedef enum {
    MRG_FIELD_TYPE,
    MRG_FIELD_ENCODING,
    MRG_FIELD_DISPOSITION,
    MRG_N_FIELDS
} MrgField;

typedef struct MrgPiece {
    gboolean is_multipart;
    gboolean is_top;
    guint depth;                  /* of multiparts around it */
    gsize block_start;            /* of the header block in the body */
    MrgSpan fields[MRG_N_FIELDS]; /* with line ends; empty at block_start when absent */
    char *values[MRG_N_FIELDS];   /* unfolded and trimmed; NULL when absent */
    MrgSpan content;
    GMimeContentType *type; /* never NULL */
} MrgPiece;

/* Array of MrgPiece in the order of the body, the message itself first. */
GArray *mrg_split(const MrgEnvelope *envelope, GError **error);

#endif
