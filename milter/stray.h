/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stray: headers that nobody renders must not carry a template out of the house.
 *
 * ERRORS     MRG_RENDER_ERROR_MARKER "header NAME:1:1: ...".
 */
#ifndef MRG_STRAY_H
#define MRG_STRAY_H

#include "milter/intake/envelope.h"
#include "milter/schema.h"

/* FALSE when a header other than Subject, which the copy would keep, holds a marker. */
gboolean mrg_stray_refuse(const MrgEnvelope *envelope, const MrgSchema *schema,
                          GError **error);

#endif
