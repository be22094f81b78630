/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error: the error codes of the stages, one domain for all of them.
 *
 * verdict/disposition.c says for each what the MTA hears; stores and render have
 * domains of their own, and stand in the same table.
 */
#ifndef MRG_ERROR_H
#define MRG_ERROR_H

#include <glib.h>

#define MRG_ERROR (mrg_error_quark())
GQuark mrg_error_quark(void);

typedef enum {
    MRG_ERROR_CONFIG,     /* a configuration or key file is wrong */
    MRG_ERROR_CONTROL,    /* a control header is malformed */
    MRG_ERROR_STRUCTURE,  /* the MIME structure cannot be read */
    MRG_ERROR_CHARSET,    /* a part's charset is unknown or its bytes do not fit it */
    MRG_ERROR_SIGNED,     /* signed or encrypted before merging */
    MRG_ERROR_DEFECT,     /* over a bound */
    MRG_ERROR_RECIPIENTS, /* not exactly one recipient */
    MRG_ERROR_ADDRESS,    /* the recipient's address cannot be normalised */
    MRG_ERROR_FIELD,      /* a template reads a field that it must not */
    MRG_ERROR_BLOCKS,     /* a changed block breaks a template that was fine */
    MRG_ERROR_HISTORY,    /* a person's history cannot be read */
    MRG_ERROR_CONTENDED,  /* others kept changing this person's state */
    MRG_ERROR_INTERNAL    /* libsodium failed, out of a resource */
} MrgError;
#define MRG_ERROR_LAST MRG_ERROR_INTERNAL

#endif
